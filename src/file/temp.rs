//! The file beside the target that becomes it: closed to others, locked while it is written, gone when it fails.

use super::access::{close_to_others, give};
use super::folder::Folder;
use super::permissions;
use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::{Errno, retry_on_intr};
use rustix::rand::{GetRandomFlags, getrandom};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

/// What the names of our temporary files begin with; 32 hexadecimal digits follow.
const PREFIX: &str = ".dotage-";
const DIGITS: usize = 32;

/// A file of ours, removed when dropped unless it was placed.
pub(super) struct Temp<'a> {
    folder: &'a Folder,
    name: String,
    pub(super) fd: OwnedFd,
    placed: bool,
}

impl<'a> Temp<'a> {
    /// A new file with these bytes, mode 0600, not yet synced.
    pub(super) fn holding(folder: &'a Folder, bytes: &[u8]) -> Result<Self, Errno> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            let name = new_name()?;
            let fd = match retry_on_intr(|| {
                rustix::fs::openat(&folder.fd, &name, flags, Mode::from_raw_mode(0o600))
            }) {
                Err(Errno::EXIST) => continue,
                opened => opened?,
            };
            let temp = Temp {
                folder,
                name,
                fd,
                placed: false,
            };
            retry_on_intr(|| rustix::fs::flock(&temp.fd, FlockOperation::LockExclusive))?;
            close_to_others(&temp.fd)?;
            let stat = retry_on_intr(|| rustix::fs::fstat(&temp.fd))?;
            // Another run may have swept it between its creation and its lock; from here on none does.
            if stat.st_nlink == 0 {
                continue;
            }
            // Some filesystems (FAT, a host's folder in a virtual machine) take a mode and forget it.
            if stat.st_mode & 0o777 != 0o600 {
                return Err(Errno::NOTSUP);
            }
            write_all(&temp.fd, bytes)?;
            return Ok(temp);
        }
    }

    /// Gives it its owner, group and mode, in this order, and makes all of it last.
    pub(super) fn finish(
        &self,
        owner: Option<u32>,
        group: Option<u32>,
        mode: u32,
    ) -> Result<(), Errno> {
        give(&self.fd, owner, group)?;
        if mode != 0o600 {
            retry_on_intr(|| rustix::fs::fchmod(&self.fd, permissions(mode)))?;
        }
        retry_on_intr(|| rustix::fs::fsync(&self.fd))
    }

    /// Renames it to what it was written for.
    pub(super) fn place(mut self, name: &OsStr, flags: RenameFlags) -> Result<(), Errno> {
        let folder = &self.folder.fd;
        if flags.is_empty() {
            retry_on_intr(|| rustix::fs::renameat(folder, &self.name, folder, name))?;
        } else {
            retry_on_intr(|| rustix::fs::renameat_with(folder, &self.name, folder, name, flags))?;
        }
        self.placed = true;
        Ok(())
    }
}

impl Drop for Temp<'_> {
    fn drop(&mut self) {
        if !self.placed {
            let _ = retry_on_intr(|| {
                rustix::fs::unlinkat(&self.folder.fd, &self.name, AtFlags::empty())
            });
        }
    }
}

fn new_name() -> Result<String, Errno> {
    let mut random = [0; DIGITS / 2];
    retry_on_intr(|| getrandom(&mut random, GetRandomFlags::empty()))?;
    let mut name = PREFIX.to_owned();
    for byte in random {
        let _ = write!(name, "{byte:02x}");
    }
    Ok(name)
}

fn is_ours(name: &[u8]) -> bool {
    name.strip_prefix(PREFIX.as_bytes())
        .is_some_and(|rest| rest.len() == DIGITS && rest.iter().all(u8::is_ascii_hexdigit))
}

/// Removes what killed runs left in a folder: files of our pattern and our user (of any, for root, whose killed run
/// may have given its file away) that nobody holds the lock of.
pub(super) fn sweep(folder: &Folder) {
    let Ok(entries) = Dir::read_from(&folder.fd) else {
        return;
    };
    let me = rustix::process::geteuid();
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    for entry in entries.flatten() {
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if !is_ours(name.as_bytes()) {
            continue;
        }
        let Ok(fd) = retry_on_intr(|| rustix::fs::openat(&folder.fd, name, flags, Mode::empty()))
        else {
            continue;
        };
        let abandoned = retry_on_intr(|| rustix::fs::fstat(&fd)).is_ok_and(|stat| {
            FileType::from_raw_mode(stat.st_mode).is_file()
                && (me.is_root() || stat.st_uid == me.as_raw())
        }) && retry_on_intr(|| {
            rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive)
        })
        .is_ok();
        if abandoned {
            let _ = retry_on_intr(|| rustix::fs::unlinkat(&folder.fd, name, AtFlags::empty()));
        }
    }
}

/// Writes all of it.
pub(super) fn write_all(fd: &OwnedFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let written = retry_on_intr(|| rustix::io::write(fd, bytes))?;
        if written == 0 {
            return Err(Errno::IO);
        }
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}
