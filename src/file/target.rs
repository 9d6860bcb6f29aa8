//! What is at a path now: whether it is ours to replace, and how it differs from what it is to be.

use super::access::{close_to_others, give, has_acl};
use super::folder::Folder;
use super::temp::Temp;
use super::{Attributes, Change, permissions, unreadable, unwritable};
use crate::problem::{Place, Problem};
use rustix::fs::{FileType, Mode, OFlags, RenameFlags, Stat, XattrFlags};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;

/// A path that is to hold bytes: its folder, open, and what is there now.
pub(super) struct Target<'a> {
    path: &'a Path,
    pub(super) folder: Folder,
    name: OsString,
    there: Option<Existing>,
}

struct Existing {
    stat: Stat,
    /// Absent when we may not read our own file: its bytes count as different then.
    fd: Option<OwnedFd>,
}

impl<'a> Target<'a> {
    pub(super) fn open(path: &'a Path, attributes: &Attributes) -> Result<Self, Problem> {
        may_give(path, attributes)?;
        let (folder, name) = Folder::of(path, attributes)?;
        let failed = |errno| unreadable(path, errno);
        let there = match folder.stat(&name) {
            Err(Errno::NOENT) => None,
            Err(errno) => return Err(failed(errno)),
            Ok(stat) => {
                admit(path, &stat, &folder, attributes.owner)?;
                let flags = OFlags::RDONLY
                    | OFlags::NOFOLLOW
                    | OFlags::NONBLOCK
                    | OFlags::NOCTTY
                    | OFlags::CLOEXEC;
                match retry_on_intr(|| rustix::fs::openat(&folder.fd, &name, flags, Mode::empty()))
                {
                    Err(Errno::ACCESS) => Some(Existing { stat, fd: None }),
                    Err(errno) => return Err(failed(errno)),
                    Ok(fd) => {
                        let stat = retry_on_intr(|| rustix::fs::fstat(&fd)).map_err(failed)?;
                        admit(path, &stat, &folder, attributes.owner)?;
                        Some(Existing { stat, fd: Some(fd) })
                    }
                }
            }
        };
        Ok(Target {
            path,
            folder,
            name,
            there,
        })
    }

    pub(super) fn change(&self, bytes: &[u8], attributes: &Attributes) -> Result<Change, Problem> {
        let Some(there) = &self.there else {
            return Ok(Change::Created);
        };
        let same = there.holds(bytes).map_err(|e| unreadable(self.path, e))?;
        Ok(match &there.fd {
            Some(fd) if same => {
                let stat = &there.stat;
                if stat.st_mode & 0o7777 != attributes.mode
                    || attributes.owner.is_some_and(|owner| owner != stat.st_uid)
                    || attributes.group.is_some_and(|group| group != stat.st_gid)
                    || has_acl(fd)
                {
                    Change::Attributes
                } else {
                    Change::None
                }
            }
            _ => Change::Content,
        })
    }

    /// Gives the bytes that are there the attributes that they lack.
    pub(super) fn mend(&self, attributes: &Attributes) -> Result<(), Problem> {
        let Some(fd) = self.there.as_ref().and_then(|there| there.fd.as_ref()) else {
            return Ok(());
        };
        close_to_others(fd)
            .and_then(|()| {
                give(fd, attributes.owner, attributes.group)?;
                retry_on_intr(|| rustix::fs::fchmod(fd, permissions(attributes.mode)))?;
                retry_on_intr(|| rustix::fs::fsync(fd))
            })
            .map_err(|errno| unwritable(self.path, errno))
    }

    pub(super) fn write(&self, bytes: &[u8], attributes: &Attributes) -> Result<(), Problem> {
        let failed = |errno| unwritable(self.path, errno);
        let temp = Temp::holding(&self.folder, bytes).map_err(failed)?;
        let (mut owner, mut group) = (attributes.owner, attributes.group);
        if let Some(there) = &self.there {
            owner = owner.or(Some(there.stat.st_uid));
            if group.is_none() && may_give_group(there.stat.st_gid) {
                group = Some(there.stat.st_gid);
            }
            there.label(&temp).map_err(failed)?;
        }
        temp.finish(owner, group, attributes.mode)
            .and_then(|()| temp.place(&self.name, RenameFlags::empty()))
            .map_err(failed)?;
        self.folder.sync(self.path)
    }
}

impl Existing {
    fn holds(&self, bytes: &[u8]) -> Result<bool, Errno> {
        let Some(fd) = &self.fd else {
            return Ok(false);
        };
        if u64::try_from(self.stat.st_size).ok() != u64::try_from(bytes.len()).ok() {
            return Ok(false);
        }
        let mut there = vec![0; 16 * 1024];
        let mut rest = bytes;
        loop {
            let read = retry_on_intr(|| rustix::io::read(fd, &mut there[..]))?;
            if read == 0 {
                return Ok(rest.is_empty());
            }
            match (there.get(..read), rest.split_at_checked(read)) {
                (Some(there), Some((here, after))) if there == here => rest = after,
                _ => return Ok(false),
            }
        }
    }

    /// Gives a new file the security label of the old one (`SELinux`); where that is not allowed, it has the one that
    /// the system gave it.
    fn label(&self, temp: &Temp<'_>) -> Result<(), Errno> {
        const LABEL: &str = "security.selinux";
        let Some(fd) = &self.fd else {
            return Ok(());
        };
        let (mut old, mut new) = ([0; 256], [0; 256]);
        let Ok(old_len) = retry_on_intr(|| rustix::fs::fgetxattr(fd, LABEL, &mut old)) else {
            return Ok(());
        };
        let new_len = retry_on_intr(|| rustix::fs::fgetxattr(&temp.fd, LABEL, &mut new));
        let old = old.get(..old_len).unwrap_or_default();
        if new_len.is_ok_and(|len| new.get(..len) == Some(old)) {
            return Ok(());
        }
        match retry_on_intr(|| rustix::fs::fsetxattr(&temp.fd, LABEL, old, XattrFlags::empty())) {
            Err(Errno::PERM | Errno::ACCESS | Errno::NOTSUP) => Ok(()),
            set => set,
        }
    }
}

/// Refuses a target that isn't a file of ours alone. In a sticky folder anybody can leave a file for root to fill, so
/// there even root takes only its own, or one of the owner that was asked for.
pub(super) fn admit(
    path: &Path,
    stat: &Stat,
    folder: &Folder,
    owner: Option<u32>,
) -> Result<(), Problem> {
    regular(path, stat)?;
    if stat.st_nlink > 1 {
        let message = format!(
            "has {} names (hard links), and the others would keep the old bytes",
            stat.st_nlink
        );
        return Err(Problem::new("hard-link", message)
            .at(Place::file(path))
            .help("remove the other names: `find . -samefile FILE` lists them"));
    }
    let me = rustix::process::geteuid();
    let theirs = stat.st_uid != me.as_raw() && Some(stat.st_uid) != owner;
    if theirs && (!me.is_root() || folder.shared) {
        let message = format!("belongs to user {}, not to us", stat.st_uid);
        return Err(Problem::new("foreign-owner", message)
            .at(Place::file(path))
            .help("write to another path, or remove it first"));
    }
    Ok(())
}

pub(super) fn regular(path: &Path, stat: &Stat) -> Result<(), Problem> {
    let what = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => return Ok(()),
        FileType::Symlink => {
            return Err(Problem::new("symlink", "is a symlink")
                .at(Place::file(path))
                .help("name the file it points to, or add `--follow`"));
        }
        FileType::Directory => "is a folder",
        FileType::Fifo => "is a pipe (fifo)",
        FileType::Socket => "is a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "is a device",
        FileType::Unknown => "is no regular file",
    };
    Err(Problem::new("not-a-file", what).at(Place::file(path)))
}

/// Refuses an owner or a group that only root may give, and a mode that is no permission.
pub(super) fn may_give(path: &Path, attributes: &Attributes) -> Result<(), Problem> {
    let me = rustix::process::geteuid();
    let message = if attributes.mode > 0o777 {
        format!(
            "can't have the mode {:o}: only permission bits, 000 to 777",
            attributes.mode
        )
    } else if let Some(owner) = attributes.owner
        && owner != me.as_raw()
        && !me.is_root()
    {
        format!("can't be given to user {owner}: only root may")
    } else if let Some(group) = attributes.group
        && !may_give_group(group)
    {
        format!("can't be given to group {group}: you are not in it, and not root")
    } else {
        return Ok(());
    };
    Err(Problem::new("attributes", message).at(Place::file(path)))
}

fn may_give_group(group: u32) -> bool {
    rustix::process::geteuid().is_root()
        || rustix::process::getegid().as_raw() == group
        || rustix::process::getgroups()
            .is_ok_and(|groups| groups.iter().any(|g| g.as_raw() == group))
}
