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

mod access;
mod account;
mod folder;
mod target;
mod temp;
mod wipe;

pub use account::{group_id, user_id};
pub use wipe::wipe;

use crate::problem::{Place, Problem};
use folder::Folder;
use rustix::fs::{Access, AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::{Errno, retry_on_intr};
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use target::{Target, admit, may_give, regular};
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
    read_all(&fd, path, limit)
}

/// The bytes of an open file, from where it stands.
fn read_all(fd: &OwnedFd, path: &Path, limit: usize) -> Result<Vec<u8>, Problem> {
    let stat = retry_on_intr(|| rustix::fs::fstat(fd)).map_err(|e| unreadable(path, e))?;
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
            retry_on_intr(|| rustix::io::read(fd, rustix::buffer::spare_capacity(&mut bytes)))
                .map_err(|e| unreadable(path, e))?;
        if read == 0 {
            return Ok(bytes);
        }
    }
}

/// The SHA-256 of a file's bytes, in hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
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
    may_give(path, &attributes)?;
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

/// Adds a line to a file, which is created with `mode` when missing: the whole line, synced, or nothing. `line` sees
/// what the file holds, nobody else's line can come between, and says how many of those bytes stay and what follows
/// them. The end of a line that lacks its line feed gets it first.
///
/// # Errors
/// What `line` says; when the file is longer than `limit`, is a symlink, has other hard links, is no regular file or
/// is somebody else's; when writing fails.
pub fn append(
    path: &Path,
    mode: u32,
    limit: usize,
    line: impl FnOnce(&[u8]) -> Result<(usize, Vec<u8>), Problem>,
) -> Result<(), Problem> {
    let (folder, name) = Folder::of(path, &Attributes::default())?;
    let failed = |errno| unwritable(path, errno);
    let fd = open_to_append(path, &folder, &name)?;
    let old = read_all(&fd, path, limit)?;
    // New, or left by a run that was killed before its first line.
    let created = old.is_empty();
    if created {
        access::close_to_others(&fd).map_err(failed)?;
        retry_on_intr(|| rustix::fs::fchmod(&fd, permissions(mode))).map_err(failed)?;
    }
    let end = old.len();
    let (keep, line) = line(&old)?;
    let old = old.get(..keep).unwrap_or(&old);
    let mut whole = Vec::with_capacity(line.len() + 2);
    if !old.is_empty() && !old.ends_with(b"\n") {
        whole.push(b'\n');
    }
    whole.extend_from_slice(&line);
    if !whole.ends_with(b"\n") {
        whole.push(b'\n');
    }
    let cut = || retry_on_intr(|| rustix::fs::ftruncate(&fd, old.len() as u64));
    if keep < end {
        cut().map_err(failed)?;
    }
    let written =
        temp::write_all(&fd, &whole).and_then(|()| retry_on_intr(|| rustix::fs::fsync(&fd)));
    if let Err(errno) = written {
        let _ = cut();
        return Err(failed(errno));
    }
    if created { folder.sync(path) } else { Ok(()) }
}

/// Whether [`append`] could write, as far as that can be known without writing.
///
/// # Errors
/// As [`append`].
pub fn may_append(path: &Path) -> Result<(), Problem> {
    let (folder, name) = Folder::of(path, &Attributes::default())?;
    let (name, access) = match folder.stat(&name) {
        Ok(stat) => {
            admit(path, &stat, &folder, None)?;
            (name, Access::WRITE_OK)
        }
        Err(Errno::NOENT) => (".".into(), Access::WRITE_OK | Access::EXEC_OK),
        Err(errno) => return Err(unwritable(path, errno)),
    };
    retry_on_intr(|| rustix::fs::accessat(&folder.fd, &name, access, AtFlags::EACCESS))
        .map_err(|errno| unwritable(path, errno))
}

/// The file, ours alone among those that append; made, closed to others, where it isn't there.
fn open_to_append(path: &Path, folder: &Folder, name: &OsStr) -> Result<OwnedFd, Problem> {
    let failed = |errno| unwritable(path, errno);
    let flags = OFlags::RDWR
        | OFlags::APPEND
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::NOCTTY
        | OFlags::CLOEXEC;
    let open =
        |flags| retry_on_intr(|| rustix::fs::openat(&folder.fd, name, flags, Mode::from(0o600)));
    loop {
        let fd = match open(flags | OFlags::CREATE | OFlags::EXCL) {
            Ok(fd) => fd,
            Err(Errno::EXIST) => match folder.stat(name) {
                Ok(stat) => {
                    admit(path, &stat, folder, None)?;
                    match open(flags) {
                        Err(Errno::NOENT) => continue,
                        result => result.map_err(failed)?,
                    }
                }
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(failed(errno)),
            },
            Err(errno) => return Err(failed(errno)),
        };
        let stat = retry_on_intr(|| rustix::fs::fstat(&fd)).map_err(failed)?;
        admit(path, &stat, folder, None)?;
        retry_on_intr(|| rustix::fs::flock(&fd, FlockOperation::LockExclusive))
            .map_err(|errno| unlockable(path, errno))?;
        // Git puts another file in its place; a line added to the old one would be lost.
        let there = folder.stat(name);
        if there.is_ok_and(|now| (now.st_dev, now.st_ino) == (stat.st_dev, stat.st_ino)) {
            return Ok(fd);
        }
    }
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

/// Makes a folder hold these files, each replaced as by [`replace`], all of them checked before any is written.
/// With `prune`, other regular files in it are removed, but none whose name begins with a dot.
///
/// A missing folder is created, open to the same people as the files (0700 for 0600, 0750 for 0640); the mode of one
/// that is there is left alone, as the files are closed by their own.
///
/// # Errors
/// When a name is no plain file name, and as [`replace`]; then the files before the one that failed may be new.
pub fn replace_folder(
    path: &Path,
    files: &[(&str, &[u8])],
    attributes: &Attributes,
    prune: bool,
) -> Result<Change, Problem> {
    let (change, surplus) = compare_files(path, files, attributes, prune)?;
    if folder_missing(path) {
        folder::create(path, attributes)?;
    }
    for (name, bytes) in files {
        replace(&path.join(name), bytes, attributes)?;
    }
    for other in surplus {
        remove(&other)?;
    }
    Ok(change)
}

/// What [`replace_folder`] would change; writes nothing.
///
/// # Errors
/// As [`replace_folder`], as far as that can be known without writing.
pub fn compare_folder(
    path: &Path,
    files: &[(&str, &[u8])],
    attributes: &Attributes,
    prune: bool,
) -> Result<Change, Problem> {
    compare_files(path, files, attributes, prune).map(|(change, _)| change)
}

/// The greatest change to any of the files, and the files to remove.
fn compare_files(
    path: &Path,
    files: &[(&str, &[u8])],
    attributes: &Attributes,
    prune: bool,
) -> Result<(Change, Vec<PathBuf>), Problem> {
    let mut change = Change::None;
    for (name, _) in files {
        if Path::new(name).file_name() != Some(OsStr::new(name)) {
            return Err(Problem::new("not-a-file", "can't be the name of a file")
                .at(Place::file(path.join(name))));
        }
    }
    if folder_missing(path) {
        may_give(path, attributes)?;
        Folder::of(&folder::plain(path), attributes)?;
        return Ok((Change::Created, Vec::new()));
    }
    for (name, bytes) in files {
        change = change.max(compare(&path.join(name), bytes, attributes)?);
    }
    let mut surplus = Vec::new();
    if prune {
        let folder = Folder::open(path, attributes)?;
        let failed = |errno| unreadable(path, errno);
        for entry in Dir::read_from(&folder.fd).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            let wanted = files.iter().any(|(wanted, _)| OsStr::new(wanted) == name);
            if wanted || name.as_bytes().starts_with(b".") {
                continue;
            }
            let stat = folder.stat(name).map_err(failed)?;
            if FileType::from_raw_mode(stat.st_mode).is_file() {
                let other = path.join(name);
                admit(&other, &stat, &folder, attributes.owner)?;
                surplus.push(other);
                change = change.max(Change::Content);
            }
        }
    }
    Ok((change, surplus))
}

fn folder_missing(path: &Path) -> bool {
    matches!(retry_on_intr(|| rustix::fs::lstat(path)), Err(Errno::NOENT))
}

/// Creates a folder with this mode and whichever of its parents are missing (0777 less the umask); tells whether it
/// wasn't there.
///
/// # Errors
/// When something else is there, when others can write its parent, when it can't be created.
pub fn create_folder(path: &Path, mode: u32) -> Result<bool, Problem> {
    if path.is_dir() {
        return Ok(false);
    }
    let failed =
        |error: std::io::Error| unwritable(path, Errno::from_io_error(&error).unwrap_or(Errno::IO));
    if let Some(parent) = path.parent()
        && !parent.as_os_str().is_empty()
    {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    folder::make(path, mode, &Attributes::default())?;
    Ok(true)
}

/// A folder that this process alone works on, among those that ask: until it is dropped, or the process is dead.
pub struct Lock {
    fd: OwnedFd,
}

impl Lock {
    /// Gives the lock to the processes that are started until this is dropped: it holds until the last of them has
    /// ended, whatever becomes of us.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn lend(&self) -> Result<OwnedFd, Problem> {
        // Unlike ours, the copy is not closed by exec.
        rustix::io::dup(&self.fd).map_err(|errno| {
            Problem::new(
                "no-lock",
                format!("the lock can't be given on: {}", reason(errno)),
            )
            .help("close some programs, and go on")
        })
    }
}

/// Waits until the folder is ours. The lock is on the folder's own descriptor, so it leaves no file.
///
/// # Errors
/// When the folder is missing or can't be read, or its filesystem has no locks.
pub fn lock(folder: &Path) -> Result<Lock, Problem> {
    let fd = open_for_lock(folder)?;
    retry_on_intr(|| rustix::fs::flock(&fd, FlockOperation::LockExclusive))
        .map_err(|errno| unlockable(folder, errno))?;
    Ok(Lock { fd })
}

/// The same without waiting: nothing when another process has it.
///
/// # Errors
/// As [`lock`].
pub fn try_lock(folder: &Path) -> Result<Option<Lock>, Problem> {
    try_lock_fd(open_for_lock(folder)?, folder)
}

/// As [`try_lock`], on a file that is only read: it keeps apart those who ask for it, and nobody else.
///
/// # Errors
/// When the file can't be opened, or its filesystem has no locks.
pub fn try_lock_file(path: &Path) -> Result<Option<Lock>, Problem> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let fd = retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))
        .map_err(|errno| unreadable(path, errno))?;
    try_lock_fd(fd, path)
}

fn try_lock_fd(fd: OwnedFd, path: &Path) -> Result<Option<Lock>, Problem> {
    match retry_on_intr(|| rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive)) {
        Ok(()) => Ok(Some(Lock { fd })),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(errno) => Err(unlockable(path, errno)),
    }
}

fn open_for_lock(folder: &Path) -> Result<OwnedFd, Problem> {
    let folder = folder::or_here(folder);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    retry_on_intr(|| rustix::fs::open(folder, flags, Mode::empty())).map_err(|errno| match errno {
        Errno::NOENT => Problem::new("missing", "there is no such folder").at(Place::file(folder)),
        Errno::NOTDIR => Problem::new("not-a-folder", "is no folder").at(Place::file(folder)),
        errno => unreadable(folder, errno),
    })
}

fn unlockable(path: &Path, errno: Errno) -> Problem {
    Problem::new("no-lock", format!("can't be locked: {}", reason(errno)))
        .at(Place::file(path))
        .help("keep it on a filesystem that has locks (flock), a local one")
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
        Errno::BUSY => "it is a mount of its own, which can't be replaced".into(),
        Errno::MFILE | Errno::NFILE => "too many files are open".into(),
        Errno::NOLCK | Errno::NOSYS | Errno::NOTSUP => {
            "the filesystem has no locks or no permissions".into()
        }
        errno => errno.to_string(),
    }
}
