//! Who may read an open file or folder: its mode, its owner and group, its access list.

use super::permissions;
use rustix::fs::{Gid, Uid};
use rustix::io::{Errno, retry_on_intr};
use std::os::fd::OwnedFd;

/// The extended attribute that holds a file's access ACL.
pub(super) const ACL: &str = "system.posix_acl_access";

/// Drops an access ACL (one that a default ACL of the folder gave it) and sets the mode 0600, whatever the umask.
pub(super) fn close_to_others(fd: &OwnedFd) -> Result<(), Errno> {
    drop_acl(fd, ACL)?;
    retry_on_intr(|| rustix::fs::fchmod(fd, permissions(0o600)))
}

pub(super) fn drop_acl(fd: &OwnedFd, which: &str) -> Result<(), Errno> {
    match retry_on_intr(|| rustix::fs::fremovexattr(fd, which)) {
        Ok(()) | Err(Errno::NODATA | Errno::NOTSUP) => Ok(()),
        failed => failed,
    }
}

/// Changes the owner and the group where they differ.
pub(super) fn give(fd: &OwnedFd, owner: Option<u32>, group: Option<u32>) -> Result<(), Errno> {
    let stat = retry_on_intr(|| rustix::fs::fstat(fd))?;
    let owner = owner.filter(|owner| *owner != stat.st_uid);
    let group = group.filter(|group| *group != stat.st_gid);
    if owner.is_none() && group.is_none() {
        return Ok(());
    }
    let (owner, group) = (owner.map(Uid::from_raw), group.map(Gid::from_raw));
    retry_on_intr(|| rustix::fs::fchown(fd, owner, group))
}

/// Whether a file or a folder has an access ACL beyond its mode.
pub(super) fn has_acl(fd: &OwnedFd) -> bool {
    let mut none: [u8; 0] = [];
    retry_on_intr(|| rustix::fs::fgetxattr(fd, ACL, &mut none)).is_ok()
}
