//! git, asked for what it tracks and ignores, what is staged, and all that a repository ever held.
//!
//! # Why
//!
//! git itself is asked: what it ignores (by which of its files, by which settings) and how it packs objects is its own
//! affair. Everything comes NUL-terminated, and no setting of a user or a repository changes what is printed: options say
//! it all. `core.fsmonitor` is off because a repository may name any program there.

use super::{Beside, answer};
use crate::problem::Problem;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// How a mode begins that is no blob's: a submodule.
const SUBMODULE: &[u8] = b"160000";

/// A file that git knows of, or would take.
pub struct Listed {
    /// Its path, relative to the folder that was asked about; of a repository inside of it, the folder.
    pub path: PathBuf,
    /// Whether it is in the index; else the next `git add` takes it.
    pub tracked: bool,
}

/// A blob that a commit has.
pub struct Blob {
    /// Its name: 40 or 64 hexadecimal digits.
    pub id: String,
    /// Its path, relative to the top of the work tree.
    pub path: PathBuf,
}

/// A commit, oldest first, with what it has that its first parent hasn't.
pub struct Commit {
    /// Its name, hexadecimal.
    pub id: String,
    /// Its message.
    pub message: Vec<u8>,
    /// What it has.
    pub blobs: Vec<Blob>,
}

/// The top of the work tree that a folder is in; `None` when it is in none.
#[must_use]
pub fn top(folder: &Path) -> Option<PathBuf> {
    // Of a folder that is somebody else's git says nothing, and so it is looked at as any other.
    line(folder, &["rev-parse", "--show-toplevel"]).map(PathBuf::from)
}

/// Where the hooks of a folder's repository lie, and the folder inside the work tree (empty at its top); `None` when it
/// is in none.
#[must_use]
pub fn hooks(folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let top = top(folder)?;
    let inside = line(folder, &["rev-parse", "--show-prefix"])?;
    let hooks = line(&top, &["rev-parse", "--git-path", "hooks"])?;
    Some((top.join(hooks), PathBuf::from(inside)))
}

/// Whether a folder is one that git ignores.
#[must_use]
pub fn ignores(folder: &Path) -> bool {
    line(folder, &["check-ignore", "."]).is_some()
}

/// Whether a file is in the index, or would be taken by the next `git add`; `None` when git ignores it or knows of none.
#[must_use]
pub fn knows(file: &Path) -> Option<bool> {
    let folder = match file.parent()? {
        folder if folder.as_os_str().is_empty() => Path::new("."),
        folder => folder,
    };
    let name = format!(":(literal){}", file.file_name()?.to_str()?);
    let list = [
        "ls-files",
        "-t",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        &name,
    ];
    let said = line(folder, &list)?;
    let tag = said.as_bytes().first()?;
    Some(*tag != b'?')
}

/// Whether history ends where a shallow clone cut it.
#[must_use]
pub fn is_shallow() -> bool {
    line(Path::new("."), &["rev-parse", "--is-shallow-repository"])
        .is_some_and(|said| said == "true")
}

/// The files under a folder that are tracked, or neither tracked nor ignored; with `ignored`, those that are ignored.
///
/// # Errors
/// When git fails.
pub fn files(folder: &Path, ignored: bool) -> Result<Vec<Listed>, Problem> {
    let wanted: &[&str] = if ignored {
        &["--others", "--ignored"]
    } else {
        &["--cached", "--others"]
    };
    let mut git = start(
        folder,
        ["ls-files", "-z", "-t", "--exclude-standard"]
            .iter()
            .chain(wanted)
            .map(OsString::from),
    )?;
    let mut listed: Vec<Listed> = Vec::new();
    let mut record = Vec::new();
    while next(&mut git, &mut record)? {
        // `H path`, `? path`; an unmerged path comes once for each side.
        let Some((tag, path)) = record.split_at_checked(2) else {
            continue;
        };
        let path = PathBuf::from(OsStr::from_bytes(path));
        if listed.last().is_none_or(|last| last.path != path) {
            listed.push(Listed {
                path,
                tracked: tag[0] != b'?',
            });
        }
    }
    git.end()?;
    Ok(listed)
}

/// What is staged under these paths (all, if none is given): what the index has and HEAD has not.
///
/// # Errors
/// When git fails.
pub fn staged(paths: &[PathBuf]) -> Result<Vec<Blob>, Problem> {
    let mut git = start(
        Path::new("."),
        raw(["diff", "--cached", "--diff-filter=ACMT"]).chain(under(paths)),
    )?;
    let (mut blobs, mut record) = (Vec::new(), Vec::new());
    while next(&mut git, &mut record)? {
        blobs.extend(blob(&mut git, &record)?);
    }
    git.end()?;
    Ok(blobs)
}

/// Every commit that a branch, a tag or a stash leads to, parents first. `told` is given each in turn.
///
/// # Errors
/// When git fails.
pub fn history(paths: &[PathBuf], mut told: impl FnMut(Commit)) -> Result<(), Problem> {
    let log = [
        "log",
        "--all",
        "--reverse",
        "--topo-order",
        "--root",
        "--diff-merges=first-parent",
        "--no-show-signature",
        "--encoding=UTF-8",
        "--format=%x01%H%n%B",
    ];
    let mut git = start(Path::new("."), raw(log).chain(under(paths)))?;
    let mut record = Vec::new();
    let mut commit: Option<Commit> = None;
    while next(&mut git, &mut record)? {
        if let Some(said) = record.strip_prefix(b"\x01") {
            let end = said.iter().position(|byte| *byte == b'\n');
            let (id, message) = said.split_at(end.unwrap_or(said.len()));
            let new = Commit {
                id: String::from_utf8_lossy(id).into_owned(),
                message: message.strip_prefix(b"\n").unwrap_or(message).to_vec(),
                blobs: Vec::new(),
            };
            if let Some(old) = commit.replace(new) {
                told(old);
            }
        } else if let Some(blob) = blob(&mut git, &record)?
            && let Some(commit) = &mut commit
        {
            commit.blobs.push(blob);
        }
    }
    if let Some(last) = commit {
        told(last);
    }
    git.end()
}

/// Blobs' bytes, one after the other, from one git that runs all the while.
pub struct Objects(Beside);

impl Objects {
    /// Starts it.
    ///
    /// # Errors
    /// When git can't be started.
    pub fn start() -> Result<Objects, Problem> {
        start(Path::new("."), ["cat-file", "--batch"].map(OsString::from)).map(Objects)
    }

    /// Asks for blobs, few enough that the questions fit into a pipe, and gives each to `look` with its place in `ids`.
    /// What `look` leaves unread is passed over.
    ///
    /// # Errors
    /// When git fails, or has no such object.
    pub fn each(
        &mut self,
        ids: &[&str],
        mut look: impl FnMut(usize, &mut dyn Read) -> io::Result<()>,
    ) -> Result<(), Problem> {
        let mut questions = String::with_capacity(ids.len() * 65);
        for id in ids {
            questions.push_str(id);
            questions.push('\n');
        }
        let git = &mut self.0;
        if let Some(stdin) = &mut git.questions {
            stdin
                .write_all(questions.as_bytes())
                .map_err(|error| broken(&error))?;
        }
        let mut header = String::new();
        for (index, id) in ids.iter().enumerate() {
            header.clear();
            git.answers
                .read_line(&mut header)
                .map_err(|error| broken(&error))?;
            // `<id> blob <size>`, or `<id> missing`.
            let size = header.trim_end().rsplit(' ').next();
            let Some(size) = size.and_then(|size| size.parse::<u64>().ok()) else {
                return Err(Problem::new("git", format!("git has no object {id}"))
                    .help("see what is broken: git fsck"));
            };
            let mut bytes = (&mut git.answers).take(size);
            look(index, &mut bytes).map_err(|error| broken(&error))?;
            io::copy(&mut bytes, &mut io::sink()).map_err(|error| broken(&error))?;
            git.answers
                .read_exact(&mut [0])
                .map_err(|error| broken(&error))?;
        }
        Ok(())
    }
}

/// What a diff is asked for so that no setting changes how it is told.
fn raw<const N: usize>(command: [&str; N]) -> impl Iterator<Item = OsString> {
    let always = [
        "-z",
        "--raw",
        "--no-abbrev",
        "--no-renames",
        "--no-relative",
        "--no-ext-diff",
        "--ignore-submodules=all",
    ];
    command.into_iter().chain(always).map(OsString::from)
}

fn under(paths: &[PathBuf]) -> impl Iterator<Item = OsString> {
    let literal = |path: &PathBuf| {
        let mut pathspec = OsString::from(":(literal)");
        pathspec.push(path);
        pathspec
    };
    std::iter::once(OsString::from("--")).chain(paths.iter().map(literal))
}

/// The blob of a record `:100644 100644 <old> <new> M`, whose path is the next record; `None` when it is taken away, or
/// is a submodule.
fn blob(git: &mut Beside, record: &[u8]) -> Result<Option<Blob>, Problem> {
    let record = record.strip_prefix(b"\n").unwrap_or(record);
    let Some(record) = record.strip_prefix(b":") else {
        return Ok(None);
    };
    let words: Vec<&[u8]> = record.split(|byte| *byte == b' ').collect();
    let mut path = Vec::new();
    next(git, &mut path)?;
    let [_, mode, _, id, _] = words[..] else {
        return Ok(None);
    };
    let there = mode != SUBMODULE && mode != b"000000" && id.iter().any(|digit| *digit != b'0');
    Ok(there.then(|| Blob {
        id: String::from_utf8_lossy(id).into_owned(),
        path: PathBuf::from(OsString::from_vec(path)),
    }))
}

/// Starts git in a folder.
fn start(folder: &Path, arguments: impl IntoIterator<Item = OsString>) -> Result<Beside, Problem> {
    let mut all: Vec<OsString> = ["-c", "core.fsmonitor=false"].map(OsString::from).to_vec();
    // In a hook, git tells where its index is relative to the working folder.
    if folder != Path::new(".") {
        all.push("-C".into());
        all.push(folder.into());
    }
    all.extend(arguments);
    let mut git = Beside::start("git", &all)?;
    if !all.iter().any(|argument| argument == "cat-file") {
        git.questions = None;
    }
    Ok(git)
}

/// The next record, without the NUL at its end; `false` at the end of all.
fn next(git: &mut Beside, record: &mut Vec<u8>) -> Result<bool, Problem> {
    record.clear();
    git.answers
        .read_until(0, record)
        .map_err(|error| broken(&error))?;
    let more = !record.is_empty();
    if record.last() == Some(&0) {
        record.pop();
    }
    Ok(more)
}

/// A line that git prints; `None` when it fails.
fn line(folder: &Path, arguments: &[&str]) -> Option<OsString> {
    let folder = folder.to_str()?.to_owned();
    let first = ["-c", "core.fsmonitor=false", "-C", &folder];
    let all: Vec<String> = first
        .iter()
        .chain(arguments)
        .map(|&argument| argument.to_owned())
        .collect();
    let said = answer("git", &all).ok()?;
    let said = said.strip_suffix(b"\n").unwrap_or(&said);
    Some(OsStr::from_bytes(said).to_owned())
}

fn broken(error: &io::Error) -> Problem {
    Problem::new("git", format!("git ended too early: {}", error.kind()))
        .help("see what is broken: git fsck")
}
