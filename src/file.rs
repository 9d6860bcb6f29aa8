//! Files on disk that hold secrets: read whole, replaced at once and for good, never open to others on the way.
//!
//! # Why
//!
//! A write goes to a new file beside the target, closed to others before its first byte, synced, and renamed over the
//! target; then the folder is synced. Killed anywhere, the target is the old file or the new one. The new file is
//! under a `flock` while it is written: a file of our pattern without one was left by a killed run, and the next
//! replacement in that folder removes it.
//!
//! The folder is opened once, component by component without following a link, and everything after happens in that
//! descriptor: what is checked is what is written to. There is one way to do it, so no `openat2`, which older
//! kernels and containers lack.
//!
//! The mode says who may read, alone: access ACLs, inherited or set on an old file, are dropped, because a mode of
//! 0640 would make their entries effective again.

mod account;
mod folder;
mod temp;

pub use account::{group_id, user_id};

use crate::problem::{Place, Problem};
use folder::Folder;
use rustix::fs::{
    Access, AtFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags, Stat, XattrFlags,
};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;
use temp::Temp;

/// Who may read a file, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// The permission bits, exactly; the umask plays no part.
    pub mode: u32,
    /// The owner's number; without one, the owner it has, or whoever writes a new file.
    pub owner: Option<u32>,
    /// The group's number; without one, the group it has, or what the folder gives a new file.
    pub group: Option<u32>,
    /// Whether a symlink at the target or in its folder's path is followed, once, before anything is opened.
    pub follow: bool,
}

impl Default for Attributes {
    fn default() -> Self {
        Attributes {
            mode: 0o600,
            owner: None,
            group: None,
            follow: false,
        }
    }
}

/// What a replacement changed, or would change, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Nothing: the bytes and the attributes are there already.
    None,
    /// The mode, the owner, the group or an ACL, on the same bytes.
    Attributes,
    /// The bytes.
    Content,
    /// There was no file.
    Created,
}

/// The bytes of a regular file, which may be reached through symlinks.
///
/// # Errors
/// When it is missing, is no regular file, can't be read, or is longer than `limit`.
pub fn read(path: &Path, limit: usize) -> Result<Vec<u8>, Problem> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let fd = retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty())).map_err(|errno| {
        if errno == Errno::NOENT {
            Problem::new("missing", "there is no such file").at(Place::file(path))
        } else {
            unreadable(path, errno)
        }
    })?;
    let stat = retry_on_intr(|| rustix::fs::fstat(&fd)).map_err(|e| unreadable(path, e))?;
    regular(path, &stat)?;
    let too_large =
        || Problem::new("too-large", format!("is larger than {limit} bytes")).at(Place::file(path));
    // One byte of room beyond the size tells the end of the file without growing the buffer, whose old copy would
    // stay in memory.
    let size = usize::try_from(stat.st_size).map_err(|_| too_large())?;
    if size > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(size + 1);
    loop {
        if bytes.len() > limit {
            return Err(too_large());
        }
        if bytes.len() == bytes.capacity() {
            bytes.reserve(4096);
        }
        let read =
            retry_on_intr(|| rustix::io::read(&fd, rustix::buffer::spare_capacity(&mut bytes)))
                .map_err(|e| unreadable(path, e))?;
        if read == 0 {
            return Ok(bytes);
        }
    }
}

/// Makes `path` hold `bytes` with these attributes: the old file or the new one at every moment, and after a return
/// the new one even if the power fails.
///
/// # Errors
/// When the target is a symlink (unless followed), has other hard links, is no regular file or is somebody else's;
/// when others can write its folder; when writing fails. The old file is intact then.
pub fn replace(path: &Path, bytes: &[u8], attributes: &Attributes) -> Result<Change, Problem> {
    let target = Target::open(path, attributes)?;
    temp::sweep(&target.folder);
    let change = target.change(bytes, attributes)?;
    match change {
        Change::None => {}
        Change::Attributes => target.mend(attributes)?,
        Change::Content | Change::Created => target.write(bytes, attributes)?,
    }
    Ok(change)
}

/// What [`replace`] would change; writes nothing.
///
/// # Errors
/// As [`replace`], as far as that can be known without writing.
pub fn compare(path: &Path, bytes: &[u8], attributes: &Attributes) -> Result<Change, Problem> {
    let target = Target::open(path, attributes)?;
    let change = target.change(bytes, attributes)?;
    if change > Change::Attributes {
        let access = Access::WRITE_OK | Access::EXEC_OK;
        retry_on_intr(|| rustix::fs::accessat(&target.folder.fd, ".", access, AtFlags::EACCESS))
            .map_err(|e| unwritable(path, e))?;
    }
    Ok(change)
}

/// Creates a file that isn't there; one that is there, whatever it is, stays as it is.
///
/// # Errors
/// When something is there, when others can write its folder, when writing fails.
pub fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Problem> {
    let attributes = Attributes {
        mode,
        ..Attributes::default()
    };
    let (folder, name) = Folder::of(path, &attributes)?;
    temp::sweep(&folder);
    let temp = Temp::holding(&folder, bytes).map_err(|e| unwritable(path, e))?;
    let placed = temp
        .finish(None, None, mode)
        .and_then(|()| temp.place(&name, RenameFlags::NOREPLACE));
    match placed {
        Err(Errno::EXIST) => Err(Problem::new("exists", "is there already").at(Place::file(path))),
        Err(errno) => Err(unwritable(path, errno)),
        Ok(()) => folder.sync(path),
    }
}

/// Adds one line to a file, which is created with `mode` when missing: the whole line, synced, or nothing.
/// A last line that lacks its line feed (torn by a full disk or a person's editor) gets it first.
///
/// # Errors
/// When the file is a symlink, has other hard links, is no regular file or is somebody else's; when writing fails.
pub fn append(path: &Path, line: &[u8], mode: u32) -> Result<(), Problem> {
    let (folder, name) = Folder::of(path, &Attributes::default())?;
    let failed = |errno| unwritable(path, errno);
    let flags = OFlags::RDWR
        | OFlags::APPEND
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::NOCTTY
        | OFlags::CLOEXEC;
    let open =
        |flags| retry_on_intr(|| rustix::fs::openat(&folder.fd, &name, flags, Mode::from(0o600)));
    let (fd, created) = match open(flags | OFlags::CREATE | OFlags::EXCL) {
        Ok(fd) => (fd, true),
        Err(Errno::EXIST) => {
            let stat = folder.stat(&name).map_err(failed)?;
            admit(path, &stat, &folder, None)?;
            (open(flags).map_err(failed)?, false)
        }
        Err(errno) => return Err(failed(errno)),
    };
    let stat = retry_on_intr(|| rustix::fs::fstat(&fd)).map_err(failed)?;
    admit(path, &stat, &folder, None)?;
    if created {
        temp::close_to_others(&fd).map_err(failed)?;
        retry_on_intr(|| rustix::fs::fchmod(&fd, permissions(mode))).map_err(failed)?;
    }
    flock(path, &fd)?;
    let end = retry_on_intr(|| rustix::fs::fstat(&fd))
        .map_err(failed)?
        .st_size;
    let end = u64::try_from(end).unwrap_or(0);
    let mut whole = Vec::with_capacity(line.len() + 2);
    if end > 0 {
        let mut last = [0];
        retry_on_intr(|| rustix::io::pread(&fd, &mut last, end - 1)).map_err(failed)?;
        if last != *b"\n" {
            whole.push(b'\n');
        }
    }
    whole.extend_from_slice(line);
    if whole.last() != Some(&b'\n') {
        whole.push(b'\n');
    }
    let written =
        temp::write_all(&fd, &whole).and_then(|()| retry_on_intr(|| rustix::fs::fsync(&fd)));
    if let Err(errno) = written {
        let _ = retry_on_intr(|| rustix::fs::ftruncate(&fd, end));
        return Err(failed(errno));
    }
    if created { folder.sync(path) } else { Ok(()) }
}

/// Removes a file, or a symlink itself, for good; tells whether there was one.
///
/// # Errors
/// When it is a folder, when others can write its folder, when it can't be removed.
pub fn remove(path: &Path) -> Result<bool, Problem> {
    let (folder, name) = Folder::of(path, &Attributes::default())?;
    match retry_on_intr(|| rustix::fs::unlinkat(&folder.fd, &name, AtFlags::empty())) {
        Ok(()) => folder.sync(path).map(|()| true),
        Err(Errno::NOENT) => Ok(false),
        Err(Errno::ISDIR) => Err(Problem::new("not-a-file", "is a folder").at(Place::file(path))),
        Err(errno) => {
            let message = format!("can't be removed: {}", reason(errno));
            Err(Problem::new("unwritable", message).at(Place::file(path)))
        }
    }
}

/// A folder that this process alone works on, among those that ask: until it is dropped, or the process is dead.
pub struct Lock {
    _fd: OwnedFd,
}

/// Waits until the folder is ours. The lock is on the folder's own descriptor, so it leaves no file.
///
/// # Errors
/// When the folder is missing or can't be read, or its filesystem has no locks.
pub fn lock(folder: &Path) -> Result<Lock, Problem> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = retry_on_intr(|| rustix::fs::open(folder, flags, Mode::empty())).map_err(|errno| {
        match errno {
            Errno::NOENT => {
                Problem::new("missing", "there is no such folder").at(Place::file(folder))
            }
            Errno::NOTDIR => Problem::new("not-a-folder", "is no folder").at(Place::file(folder)),
            errno => unreadable(folder, errno),
        }
    })?;
    flock(folder, &fd)?;
    Ok(Lock { _fd: fd })
}

fn flock(path: &Path, fd: &OwnedFd) -> Result<(), Problem> {
    retry_on_intr(|| rustix::fs::flock(fd, FlockOperation::LockExclusive)).map_err(|errno| {
        Problem::new("no-lock", format!("can't be locked: {}", reason(errno)))
            .at(Place::file(path))
            .help("keep it on a filesystem that has locks (flock), a local one")
    })
}

/// A path that is to hold bytes: its folder, open, and what is there now.
struct Target<'a> {
    path: &'a Path,
    folder: Folder,
    name: OsString,
    there: Option<Existing>,
}

struct Existing {
    stat: Stat,
    /// Absent when we may not read our own file: its bytes count as different then.
    fd: Option<OwnedFd>,
}

impl<'a> Target<'a> {
    fn open(path: &'a Path, attributes: &Attributes) -> Result<Self, Problem> {
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

    fn change(&self, bytes: &[u8], attributes: &Attributes) -> Result<Change, Problem> {
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
    fn mend(&self, attributes: &Attributes) -> Result<(), Problem> {
        let Some(fd) = self.there.as_ref().and_then(|there| there.fd.as_ref()) else {
            return Ok(());
        };
        temp::close_to_others(fd)
            .and_then(|()| {
                temp::give(fd, attributes.owner, attributes.group)?;
                retry_on_intr(|| rustix::fs::fchmod(fd, permissions(attributes.mode)))?;
                retry_on_intr(|| rustix::fs::fsync(fd))
            })
            .map_err(|errno| unwritable(self.path, errno))
    }

    fn write(&self, bytes: &[u8], attributes: &Attributes) -> Result<(), Problem> {
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

    /// Gives a new file the SELinux label of the old one. A system that allows no relabelling gives it the folder's.
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
fn admit(path: &Path, stat: &Stat, folder: &Folder, owner: Option<u32>) -> Result<(), Problem> {
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

fn regular(path: &Path, stat: &Stat) -> Result<(), Problem> {
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
fn may_give(path: &Path, attributes: &Attributes) -> Result<(), Problem> {
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

fn has_acl(fd: &OwnedFd) -> bool {
    let mut none: [u8; 0] = [];
    retry_on_intr(|| rustix::fs::fgetxattr(fd, temp::ACL, &mut none)).is_ok()
}

fn permissions(mode: u32) -> Mode {
    Mode::from_raw_mode(mode & 0o777)
}

fn unreadable(path: &Path, errno: Errno) -> Problem {
    Problem::new("unreadable", format!("can't be read: {}", reason(errno))).at(Place::file(path))
}

fn unwritable(path: &Path, errno: Errno) -> Problem {
    Problem::new("unwritable", format!("can't be written: {}", reason(errno))).at(Place::file(path))
}

fn reason(errno: Errno) -> String {
    match errno {
        Errno::ACCESS | Errno::PERM => "permission denied".into(),
        Errno::NOSPC => "the disk is full".into(),
        Errno::DQUOT => "the disk quota is used up".into(),
        Errno::FBIG => "the file size limit is reached".into(),
        Errno::ROFS => "the filesystem is read-only".into(),
        Errno::IO => "the disk reports an error".into(),
        Errno::NAMETOOLONG => "the name is too long".into(),
        Errno::MFILE | Errno::NFILE => "too many files are open".into(),
        Errno::NOLCK | Errno::NOSYS | Errno::NOTSUP => "the filesystem can't do that".into(),
        errno => errno.to_string(),
    }
}
