//! The folder of a target: reached without following a link, and refused when others could swap what is in it.

use super::{Attributes, account, reason, unreadable, unwritable};
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
        let parent = real.parent().unwrap_or(Path::new(""));
        let fd = open(parent)?;
        let shared = others_write(path, parent, &fd, attributes.owner)?;
        Ok((Folder { fd, shared }, name.to_owned()))
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
            let parent = if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            };
            let missing = || missing(parent);
            Ok(parent.canonicalize().map_err(|_| missing())?.join(name))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Opens a folder one component at a time, so that none of them is a symlink.
pub(super) fn open(path: &Path) -> Result<OwnedFd, Problem> {
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

/// Whether others may add names to the folder; an error when they may also take ours away.
fn others_write(
    path: &Path,
    parent: &Path,
    fd: &OwnedFd,
    owner: Option<u32>,
) -> Result<bool, Problem> {
    let stat = retry_on_intr(|| rustix::fs::fstat(fd)).map_err(|e| unwritable(path, e))?;
    let parent = if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    };
    let me = rustix::process::geteuid().as_raw();
    if stat.st_uid != me && stat.st_uid != 0 && Some(stat.st_uid) != owner {
        let message = format!(
            "belongs to user {}, who could swap the file in it",
            stat.st_uid
        );
        return Err(Problem::new("shared-folder", message)
            .at(Place::file(parent))
            .help(format!(
                "write to a folder of your own, or add `--owner {}` if the file is for that user",
                stat.st_uid
            )));
    }
    let who = match stat.st_mode & 0o022 {
        0 => return Ok(false),
        0o020 if account::alone_in_group(stat.st_uid, stat.st_gid) && !super::has_acl(fd) => {
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
    .at(Place::file(parent))
    .help(format!("chmod go-w {}", parent.display())))
}
