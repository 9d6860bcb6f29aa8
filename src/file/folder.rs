//! The folder of a target: reached without following a link, and refused when others could swap what is in it.

use super::access::{ACL, drop_acl, give, has_acl};
use super::{Attributes, account, permissions, reason, unreadable, unwritable};
use crate::problem::{Place, Problem};
use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// A folder that is ours to write in.
pub(super) struct Folder {
    pub(super) fd: OwnedFd,
    /// Whether others may add names to it (a sticky folder, like /tmp).
    pub(super) shared: bool,
}

impl Folder {
    /// The folder of a file's path, and the file's name in it.
    pub(super) fn of(path: &Path, attributes: &Attributes) -> Result<(Folder, OsString), Problem> {
        let real = if attributes.follow {
            resolve(path)?
        } else {
            path.to_owned()
        };
        let bytes = real.as_os_str().as_bytes();
        let (Some(name), false) = (
            real.file_name(),
            bytes.ends_with(b"/") || bytes.ends_with(b"/."),
        ) else {
            return Err(
                Problem::new("not-a-file", "names a folder, not a file").at(Place::file(path))
            );
        };
        let parent = or_here(real.parent().unwrap_or(Path::new("")));
        Ok((Folder::without_links(parent, attributes)?, name.to_owned()))
    }

    /// A folder itself.
    pub(super) fn open(path: &Path, attributes: &Attributes) -> Result<Folder, Problem> {
        if attributes.follow {
            Folder::without_links(&resolve(path)?, attributes)
        } else {
            Folder::without_links(or_here(path), attributes)
        }
    }

    fn without_links(path: &Path, attributes: &Attributes) -> Result<Folder, Problem> {
        let fd = walk(path)?;
        let shared = others_write(path, &fd, attributes.owner)?;
        Ok(Folder { fd, shared })
    }

    /// What is there under a name, itself when it is a symlink.
    pub(super) fn stat(&self, name: &OsStr) -> Result<Stat, Errno> {
        retry_on_intr(|| rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW))
    }

    /// Makes what was renamed or removed in it last.
    pub(super) fn sync(&self, path: &Path) -> Result<(), Problem> {
        retry_on_intr(|| rustix::fs::fsync(&self.fd)).map_err(|errno| {
            let message = format!(
                "is in place, but may not outlive a power failure: {}",
                reason(errno)
            );
            Problem::new("unwritable", message).at(Place::file(path))
        })
    }
}

/// The path with every symlink followed. Of the target itself only a missing last name may remain.
fn resolve(path: &Path) -> Result<PathBuf, Problem> {
    let failed = |error: std::io::Error| {
        let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
        unreadable(path, errno)
    };
    match path.canonicalize() {
        Ok(real) => Ok(real),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if path.is_symlink() {
                return Err(Problem::new("symlink", "is a symlink to nothing")
                    .at(Place::file(path))
                    .help("remove it, or create the file it points to"));
            }
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(failed(error));
            };
            let parent = or_here(parent);
            Ok(parent
                .canonicalize()
                .map_err(|_| missing(parent))?
                .join(name))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Opens a folder one component at a time, so that none of them is a symlink.
fn walk(path: &Path) -> Result<OwnedFd, Problem> {
    let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let whole = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let start = if path.is_absolute() { "/" } else { "." };
    let mut fd = retry_on_intr(|| rustix::fs::open(start, step, Mode::empty()))
        .map_err(|e| unreadable(Path::new(start), e))?;
    let mut so_far = PathBuf::new();
    for component in path.components() {
        so_far.push(component);
        let (Component::Normal(_) | Component::ParentDir) = component else {
            continue;
        };
        let name = component.as_os_str();
        fd = match retry_on_intr(|| rustix::fs::openat(&fd, name, step, Mode::empty())) {
            Ok(next) => next,
            Err(Errno::NOENT) => return Err(missing(&so_far)),
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let is_link = rustix::fs::readlinkat(&fd, name, Vec::new()).is_ok();
                return Err(if is_link {
                    Problem::new("symlink", "is a symlink in the path of a file to write")
                        .at(Place::file(&so_far))
                        .help("name the folder it points to, or add `--follow`")
                } else {
                    Problem::new("not-a-folder", "is no folder").at(Place::file(&so_far))
                });
            }
            Err(errno) => return Err(unreadable(&so_far, errno)),
        };
    }
    retry_on_intr(|| rustix::fs::openat(&fd, ".", whole, Mode::empty()))
        .map_err(|e| unwritable(path, e))
}

fn missing(folder: &Path) -> Problem {
    Problem::new("missing", "there is no such folder")
        .at(Place::file(folder))
        .help(format!("mkdir -p {}", folder.display()))
}

/// The folder that an empty path (the parent of a bare name) means.
pub(super) fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    }
}

/// A folder's path without what may follow its name: `secrets/` and `secrets/.` are `secrets`.
pub(super) fn plain(path: &Path) -> PathBuf {
    path.components().collect()
}

/// Creates a folder for files of these attributes, open to those who may read them.
pub(super) fn create(path: &Path, attributes: &Attributes) -> Result<(), Problem> {
    let read = attributes.mode & 0o444;
    let enter = read >> 2;
    make(path, 0o700 | read | enter, attributes)
}

/// Creates one folder, with exactly this mode, and no ACL from its parent.
pub(super) fn make(path: &Path, mode: u32, attributes: &Attributes) -> Result<(), Problem> {
    let failed = |errno| unwritable(path, errno);
    let (folder, name) = Folder::of(&plain(path), attributes)?;
    let private = Mode::from_raw_mode(0o700);
    retry_on_intr(|| rustix::fs::mkdirat(&folder.fd, &name, private)).map_err(failed)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = retry_on_intr(|| rustix::fs::openat(&folder.fd, &name, flags, Mode::empty()))
        .map_err(failed)?;
    drop_acl(&fd, ACL)
        .and_then(|()| drop_acl(&fd, "system.posix_acl_default"))
        .and_then(|()| give(&fd, attributes.owner, attributes.group))
        .and_then(|()| retry_on_intr(|| rustix::fs::fchmod(&fd, permissions(mode))))
        .map_err(failed)?;
    folder.sync(path)
}

/// Whether others may add names to the folder; an error when they may also take ours away.
fn others_write(folder: &Path, fd: &OwnedFd, owner: Option<u32>) -> Result<bool, Problem> {
    let stat = retry_on_intr(|| rustix::fs::fstat(fd)).map_err(|e| unreadable(folder, e))?;
    let me = rustix::process::geteuid().as_raw();
    if stat.st_uid != me && stat.st_uid != 0 && Some(stat.st_uid) != owner {
        let message = format!(
            "belongs to user {}, who could swap the file in it",
            stat.st_uid
        );
        return Err(Problem::new("shared-folder", message)
            .at(Place::file(folder))
            .help(format!(
                "write to a folder of your own, or add `--owner {}` if the file is for that user",
                stat.st_uid
            )));
    }
    let who = match stat.st_mode & 0o022 {
        0 => return Ok(false),
        0o020 if account::alone_in_group(stat.st_uid, stat.st_gid) && !has_acl(fd) => {
            return Ok(false);
        }
        0o020 => format!("group {}", stat.st_gid),
        _ => "everybody".to_owned(),
    };
    if stat.st_mode & 0o1000 != 0 {
        return Ok(true);
    }
    Err(Problem::new(
        "shared-folder",
        format!("{who} can write here, and could swap the file"),
    )
    .at(Place::file(folder))
    .help(format!("chmod go-w {}", folder.display())))
}
