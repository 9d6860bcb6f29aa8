//! What is looked at: the files under some paths, what is staged, all that a repository ever held.
//!
//! # Why
//!
//! Where git is at home it says what it tracks and what it ignores; where it isn't, everything is looked at. A folder that
//! is met on the way and is a repository of its own (a submodule too) is asked again. Symlinks are not followed, so that a
//! tree is what is in it.
//!
//! The work is a stack of jobs that every thread takes from and puts to: a folder gives its files in lots and its folders.

use super::look::{Looker, Seen, What};
use super::{Hunt, is_env};
use crate::child::git::{self, Blob, Objects};
use crate::problem::{Place, Problem, Severity};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, FileType};
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

/// How many files a thread takes at once.
const LOT: usize = 64;
/// How many blobs git is asked for at once: their names fit into a pipe.
const BLOBS: usize = 256;
/// How much of a commit's name is told.
const SHORT: usize = 12;

/// What git says of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Tracked,
    Untracked,
    /// It ignores it, or isn't asked.
    Not,
}

enum Job {
    /// A folder, and whether git may be asked about it.
    Folder(PathBuf, bool),
    Files(Vec<(PathBuf, Known)>),
}

/// The leaks in the files under some paths: those that git tracks, and those that it would take; with `ignored`, the ones
/// that it ignores too. Where no git is, and of a path that is itself a file, all.
///
/// # Errors
/// When a path isn't there, or git fails.
pub fn tree(hunt: &Hunt, paths: &[PathBuf], ignored: bool) -> Result<Vec<Problem>, Problem> {
    let mut jobs = Vec::new();
    for (number, path) in (1..).zip(paths) {
        // It may be a value that was to be looked for, so it is not repeated.
        let data = fs::metadata(path).map_err(|error| {
            let why = error.kind();
            Problem::new("path", format!("path {number}: cannot look there: {why}"))
                .help("name files and folders that are there; the values to look for come from the vaults")
        })?;
        jobs.push(if data.is_dir() {
            // What is named is meant, also when git ignores it.
            Job::Folder(path.clone(), !git::ignores(path))
        } else {
            // A link that is named is followed.
            let path = if path.is_symlink() {
                path.canonicalize().unwrap_or_else(|_| path.clone())
            } else {
                path.clone()
            };
            let known = match is_env(&path).then(|| git::knows(&path)).flatten() {
                Some(true) => Known::Tracked,
                Some(false) => Known::Untracked,
                None => Known::Not,
            };
            Job::Files(vec![(path, known)])
        });
    }
    let stack = Stack {
        jobs: Mutex::new((jobs, 0)),
        more: Condvar::new(),
    };
    let work = || -> Result<Vec<Problem>, Problem> {
        let mut looker = Looker::new(hunt);
        let mut problems = Vec::new();
        while let Some(job) = stack.take() {
            let done = match job {
                Job::Folder(folder, ask) => stack.folder(&folder, ask, ignored, &mut problems),
                Job::Files(files) => {
                    for (path, known) in files {
                        if file(&mut looker, hunt, &path, known, &mut problems) {
                            stack.put(vec![nested(path)]);
                        }
                    }
                    Ok(())
                }
            };
            stack.done();
            if let Err(problem) = done {
                stack.stop();
                return Err(problem);
            }
        }
        Ok(problems)
    };
    Ok(in_order(on_every_core(usize::MAX, work)?))
}

/// The leaks in what is staged under some paths (all, if none is given).
///
/// # Errors
/// When git fails.
pub fn staged(hunt: &Hunt, paths: &[PathBuf]) -> Result<Vec<Problem>, Problem> {
    let top = top()?;
    let blobs = git::staged(paths)?;
    let mut problems = Vec::new();
    for blob in &blobs {
        problems.extend(by_name(&blob.path, Known::Tracked));
    }
    let found = look_through(hunt, &top, &blobs)?;
    for (index, seen) in found {
        if let Some(blob) = blobs.get(index) {
            problems.push(hunt.problem(seen, &blob.path));
        }
    }
    Ok(in_order(problems))
}

/// The leaks in all that the repository ever held under some paths (all, if none is given): each told once for each path,
/// with the first commit that has it.
///
/// # Errors
/// When git fails.
pub fn history(hunt: &Hunt, paths: &[PathBuf]) -> Result<Vec<Problem>, Problem> {
    let top = top()?;
    let mut commits: Vec<String> = Vec::new();
    // Each blob once, by the first commit that has it, and again where its path says what it must be; each path's first
    // commit.
    let mut first: BTreeMap<(String, Option<PathBuf>), (usize, PathBuf)> = BTreeMap::new();
    let mut plain: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut problems = Vec::new();
    let mut looker = Looker::new(hunt);
    git::history(paths, |commit| {
        let number = commits.len();
        let short = commit.id.get(..SHORT).unwrap_or(&commit.id).to_owned();
        // Reading from memory does not fail.
        let seen = looker
            .look(Path::new(""), false, &mut &commit.message[..])
            .unwrap_or_default();
        problems.extend(
            seen.into_iter()
                .map(|seen| hunt.problem(seen, Path::new(&short))),
        );
        for blob in commit.blobs {
            if is_env(&blob.path) {
                plain.entry(blob.path.clone()).or_insert(number);
            }
            let home = hunt.may_be_home(&blob.path).then(|| blob.path.clone());
            first.entry((blob.id, home)).or_insert((number, blob.path));
        }
        commits.push(short);
    })?;
    let at = |commit: usize, path: &Path| {
        let mut place = OsString::from(commits.get(commit).map_or("", String::as_str));
        place.push(":");
        place.push(path);
        PathBuf::from(place)
    };
    for (path, commit) in plain {
        problems.push(
            Problem::new(
                "env-tracked",
                "a plaintext .env file was committed: whoever has the history has what is in it",
            )
            .at(Place::file(at(commit, &path)))
            .help("replace every secret that was in it; to rewrite the history takes back nothing"),
        );
    }
    // What git packs beside each other is of one path.
    let mut order: Vec<(usize, Blob)> = first
        .into_iter()
        .map(|((id, _), (commit, path))| (commit, Blob { id, path }))
        .collect();
    order.sort_by(|(one, a), (other, b)| (&a.path, one).cmp(&(&b.path, other)));
    let (numbers, blobs): (Vec<usize>, Vec<Blob>) = order.into_iter().unzip();
    let mut told: BTreeMap<(&Path, What), (usize, Seen)> = BTreeMap::new();
    for (index, seen) in look_through(hunt, &top, &blobs)? {
        let (Some(blob), Some(&commit)) = (blobs.get(index), numbers.get(index)) else {
            continue;
        };
        // The same value in other words is the same leak.
        let what = match &seen.what {
            What::Sought(index, ..) => What::Sought(*index, crate::redact::Encoding::Raw, false),
            what => what.clone(),
        };
        let entry = told.entry((&blob.path, what));
        let earliest = entry.or_insert_with(|| (commit, seen.clone()));
        if (commit, seen.line) < (earliest.0, earliest.1.line) {
            *earliest = (commit, seen);
        }
    }
    for ((path, _), (commit, seen)) in told {
        problems.push(hunt.problem(seen, &at(commit, path)));
    }
    Ok(in_order(problems))
}

/// The top of the work tree that we are in, absolute.
fn top() -> Result<PathBuf, Problem> {
    git::top(Path::new(".")).ok_or_else(|| {
        Problem::new("no-repository", "there is no git repository here")
            .help("see what git says: git status")
    })
}

/// What is found in blobs, each with the index of its blob.
fn look_through(hunt: &Hunt, top: &Path, blobs: &[Blob]) -> Result<Vec<(usize, Seen)>, Problem> {
    let next = AtomicUsize::new(0);
    let lots = blobs.len().div_ceil(BLOBS);
    on_every_core(lots, || {
        let mut looker = Looker::new(hunt);
        let mut objects = Objects::start()?;
        let mut all = Vec::new();
        loop {
            let start = next.fetch_add(1, Ordering::Relaxed) * BLOBS;
            let Some(lot) = blobs.get(start..blobs.len().min(start.saturating_add(BLOBS))) else {
                break;
            };
            if lot.is_empty() {
                break;
            }
            let ids: Vec<&str> = lot.iter().map(|blob| blob.id.as_str()).collect();
            objects.each(&ids, |index, bytes| {
                let path = &lot[index].path;
                let vault = hunt.may_be_home(path) && hunt.is_vault(&top.join(path));
                let seen = looker.look(path, vault, bytes)?;
                all.extend(seen.into_iter().map(|seen| (start + index, seen)));
                Ok(())
            })?;
        }
        Ok(all)
    })
}

/// Runs `work` on as many threads as there are cores, but not on more than there is work for; all that they give.
fn on_every_core<T: Send>(
    most: usize,
    work: impl Fn() -> Result<Vec<T>, Problem> + Sync,
) -> Result<Vec<T>, Problem> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let results: Vec<Result<Vec<T>, Problem>> = thread::scope(|scope| {
        let others: Vec<_> = (1..cores.min(most.max(1)))
            .map(|_| scope.spawn(&work))
            .collect();
        let own = work();
        let broken = || Err(Problem::new("scan", "a thread of the scan ended"));
        std::iter::once(own)
            .chain(
                others
                    .into_iter()
                    .map(|other| other.join().unwrap_or_else(|_| broken())),
            )
            .collect()
    });
    let mut all = Vec::new();
    for result in results {
        all.extend(result?);
    }
    Ok(all)
}

/// The problems by place, each once.
fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|a, b| (&a.place, a.rule, &a.message).cmp(&(&b.place, b.rule, &b.message)));
    problems.dedup();
    problems
}

/// Looks at a file; whether it is a folder: a submodule, or a repository that isn't one.
fn file(
    looker: &mut Looker<'_>,
    hunt: &Hunt,
    path: &Path,
    known: Known,
    problems: &mut Vec<Problem>,
) -> bool {
    let shown = path.strip_prefix(".").unwrap_or(path);
    let mut vault = false;
    if hunt.may_be_home(path)
        && let Some(absolute) = absolute(path)
    {
        if known == Known::Not && hunt.is_target(&absolute) {
            return false;
        }
        vault = hunt.is_vault(&absolute);
    }
    let looked = open(path).and_then(|(mut file, kind)| {
        if kind.is_file() {
            problems.extend(by_name(shown, known));
            let seen = looker.look(path, vault, &mut file)?;
            let leaks = seen.into_iter().filter(|seen| !hunt.is_its_own(seen, path));
            problems.extend(leaks.map(|seen| hunt.problem(seen, shown)));
        }
        Ok(kind.is_dir())
    });
    match looked {
        Ok(is_folder) => return is_folder,
        // A link, a socket. What git has in its index may be gone from the work tree.
        Err(error) if is_no_file(&error) => {}
        Err(error) => problems.push(unread(shown, &error)),
    }
    false
}

fn unread(path: &Path, error: &io::Error) -> Problem {
    Problem::new("unread", format!("could not be read: {}", error.kind()))
        .severity(Severity::Warning)
        .at(Place::file(path))
        .help("run it as a user who may read it")
}

/// Opens a file. A link is not followed, and nothing waits for the other end of a pipe.
fn open(path: &Path) -> io::Result<(File, FileType)> {
    let flags =
        OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let kind = file.metadata()?.file_type();
    Ok((file, kind))
}

/// Whether what could not be opened is nothing that holds bytes.
fn is_no_file(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::NOENT | Errno::LOOP | Errno::NXIO))
}

/// The job that a folder is: git is asked only where a repository begins.
fn nested(folder: PathBuf) -> Job {
    let ask = folder.join(".git").symlink_metadata().is_ok();
    Job::Folder(folder, ask)
}

/// What is wrong with a file of this name being in git.
fn by_name(path: &Path, known: Known) -> Option<Problem> {
    if known == Known::Not || !is_env(path) {
        return None;
    }
    let shown = path.display();
    Some(match known {
        Known::Tracked => Problem::new("env-tracked", "git tracks this plaintext file: whoever has the repository, or its history, has what is in it")
            .help(format!("git rm --cached {shown} && echo '/{shown}' >> .gitignore, then replace every secret in it")),
        _ => Problem::new("env-not-ignored", "git doesn't ignore this plaintext file: the next `git add` takes it along")
            .help(format!("echo '/{shown}' >> .gitignore")),
    }.at(Place::file(path)))
}

/// A path without `.`, `..` and symlinks, but for its last part.
pub(super) fn absolute(path: &Path) -> Option<PathBuf> {
    let folder = match path.parent()? {
        folder if folder.as_os_str().is_empty() => Path::new("."),
        folder => folder,
    };
    Some(folder.canonicalize().ok()?.join(path.file_name()?))
}

/// The jobs that are left, and how many are being done.
struct Stack {
    jobs: Mutex<(Vec<Job>, usize)>,
    more: Condvar,
}

impl Stack {
    /// The next job; `None` when none is left and none can come.
    fn take(&self) -> Option<Job> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(job) = jobs.0.pop() {
                jobs.1 += 1;
                return Some(job);
            }
            if jobs.1 == 0 {
                return None;
            }
            jobs = self.more.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn put(&self, new: Vec<Job>) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.0.extend(new);
        self.more.notify_all();
    }

    fn done(&self) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.1 -= 1;
        if jobs.1 == 0 {
            self.more.notify_all();
        }
    }

    fn stop(&self) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.0.clear();
        self.more.notify_all();
    }

    /// Puts what a folder holds.
    fn folder(
        &self,
        folder: &Path,
        ask: bool,
        ignored: bool,
        problems: &mut Vec<Problem>,
    ) -> Result<(), Problem> {
        if ask && git::top(folder).is_some() {
            return self.listed(folder, ignored);
        }
        if ask && folder.join(".git").symlink_metadata().is_ok() {
            problems.push(
                Problem::new(
                    "git-unknown",
                    "git doesn't tell what it tracks here, so everything is looked at",
                )
                .severity(Severity::Warning)
                .at(Place::file(folder))
                .help(format!("see why: git -C {} status", folder.display())),
            );
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                problems.push(unread(folder, &error));
                return Ok(());
            }
        };
        let (mut files, mut jobs) = (Vec::new(), Vec::new());
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                jobs.push(nested(entry.path()));
            } else if kind.is_file() {
                files.push((entry.path(), Known::Not));
            }
        }
        jobs.extend(lots(files));
        self.put(jobs);
        Ok(())
    }

    /// Puts what git lists of a folder.
    fn listed(&self, folder: &Path, ignored: bool) -> Result<(), Problem> {
        let mut files = Vec::new();
        let lists = if ignored {
            &[false, true][..]
        } else {
            &[false]
        };
        for &ignored in lists {
            files.extend(git::files(folder, ignored)?.into_iter().map(|listed| {
                let known = match (ignored, listed.tracked) {
                    (true, _) => Known::Not,
                    (false, true) => Known::Tracked,
                    (false, false) => Known::Untracked,
                };
                (folder.join(&listed.path), known)
            }));
        }
        self.put(lots(files).collect());
        Ok(())
    }
}

fn lots(files: Vec<(PathBuf, Known)>) -> impl Iterator<Item = Job> {
    let mut files = files.into_iter().peekable();
    std::iter::from_fn(move || {
        files.peek()?;
        Some(Job::Files(files.by_ref().take(LOT).collect()))
    })
}
