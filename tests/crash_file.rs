//! A writer killed at each of its system calls, or failed there by the disk, leaves the old file or the new one.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use dotage::file::{self, Attributes};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

const SIZE: usize = 100_000;
const MARK: &str = "/the writer begins";

/// What a writer does, and what its folder may hold afterwards: each file, with its bytes before and after.
struct Story {
    name: &'static str,
    write: fn(&Path) -> Result<(), dotage::problem::Problem>,
    files: &'static [(&'static str, Option<Bytes>, Bytes)],
    /// No bit of any other may be in a file's mode.
    widest: u32,
}

#[derive(Clone, Copy)]
enum Bytes {
    Old,
    New,
    OldLine,
    BothLines,
}

impl Bytes {
    fn bytes(self) -> Vec<u8> {
        match self {
            Bytes::Old => vec![b'o'; SIZE],
            Bytes::New => vec![b'n'; SIZE],
            Bytes::OldLine => b"old".to_vec(),
            Bytes::BothLines => b"old\nnew\n".to_vec(),
        }
    }
}

const STORIES: [Story; 6] = [
    Story {
        name: "a file is replaced",
        write: |folder| {
            let new = Bytes::New.bytes();
            file::replace(&folder.join(".env"), &new, &Attributes::default()).map(drop)
        },
        files: &[(".env", Some(Bytes::Old), Bytes::New)],
        widest: 0o600,
    },
    Story {
        name: "a file is replaced for a group and another owner",
        write: |folder| {
            let given = Attributes {
                mode: 0o640,
                owner: Some(1),
                group: Some(1),
                follow: true,
            };
            file::replace(&folder.join(".env"), &Bytes::New.bytes(), &given).map(drop)
        },
        files: &[(".env", Some(Bytes::Old), Bytes::New)],
        widest: 0o640,
    },
    Story {
        name: "a mode is mended",
        write: |folder| {
            let closer = Attributes {
                mode: 0o400,
                ..Attributes::default()
            };
            file::replace(&folder.join(".env"), &Bytes::Old.bytes(), &closer).map(drop)
        },
        files: &[(".env", Some(Bytes::Old), Bytes::Old)],
        widest: 0o600,
    },
    Story {
        name: "a file is created",
        write: |folder| file::create(&folder.join("identity.txt"), &Bytes::New.bytes(), 0o600),
        files: &[("identity.txt", None, Bytes::New)],
        widest: 0o600,
    },
    Story {
        name: "a line is appended to a torn one",
        write: |folder| {
            let path = folder.join("operations.jsonl");
            file::append(&path, 0o600, 1 << 20, |old| {
                Ok((old.len(), b"new".to_vec()))
            })
        },
        files: &[("operations.jsonl", Some(Bytes::OldLine), Bytes::BothLines)],
        widest: 0o600,
    },
    Story {
        name: "a folder of secrets is filled",
        write: |folder| {
            let new = Bytes::New.bytes();
            let files: [(&str, &[u8]); 3] = [("a", &new), ("b", &new), ("c", &new)];
            let asked = Attributes::default();
            file::replace_folder(&folder.join("secrets"), &files, &asked, true).map(drop)
        },
        files: &[
            ("secrets/a", None, Bytes::New),
            ("secrets/b", None, Bytes::New),
            ("secrets/c", None, Bytes::New),
        ],
        widest: 0o600,
    },
];

fn main() {
    if let Ok(number) = std::env::var("WRITER_STORY") {
        let story = &STORIES[number.parse::<usize>().unwrap()];
        let folder = PathBuf::from(std::env::var_os("WRITER_FOLDER").unwrap());
        let _ = fs::read_link(MARK);
        if let Err(problem) = (story.write)(&folder) {
            println!("{problem}");
            std::process::exit(2);
        }
        return;
    }
    let mut killings = 0;
    for (number, story) in STORIES.iter().enumerate() {
        let calls = calls(number, story);
        if number == 0 {
            assert_durable(&calls);
        }
        let errors: &[&str] = match number {
            0 => &["EIO", "ENOSPC", "EDQUOT", "EINTR"],
            _ => &["EIO", "EINTR"],
        };
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().unwrap().get() {
                scope.spawn(|| {
                    while let Some((call, nth)) = calls.get(next.fetch_add(1, Ordering::Relaxed)) {
                        killed(number, story, call, *nth);
                        for error in errors {
                            failed(number, story, call, *nth, error);
                        }
                    }
                });
            }
        });
        killings += calls.len();
        println!(
            "test {}, killed and failed at each of {} calls ... ok",
            story.name,
            calls.len()
        );
    }
    println!("{killings} kill points");
    assert!(killings > 50, "strace saw too little");
    println!("\ntest result: ok. {} passed; 0 failed", STORIES.len());
}

/// Only libtest, which must not run this file, compiles this: without it a lost line would be a test of nothing.
#[test]
fn this_file_has_its_own_main() {
    panic!("Cargo.toml lacks `harness = false` for crash_file");
}

/// A folder in which the story is to happen.
fn scene(story: &Story) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, old, _) in story.files {
        if let Some(old) = old {
            file::create(&folder.path().join(name), &old.bytes(), 0o600).unwrap();
        }
    }
    folder
}

/// Runs the writer under strace, which writes what it sees to `trace`.
fn writer(number: usize, folder: &Path, trace: &Path, strace: &[String]) -> Output {
    Command::new("strace")
        .args(["-qq", "-o"])
        .arg(trace)
        .args(strace)
        .arg(std::env::current_exe().unwrap())
        .env("WRITER_STORY", number.to_string())
        .env("WRITER_FOLDER", folder)
        .output()
        .expect("strace: run tests/install")
}

fn injected(number: usize, folder: &Path, call: &str, nth: usize, what: &str) -> Output {
    let options = [
        format!("--trace={call}"),
        format!("--inject={call}:{what}:when={nth}"),
    ];
    writer(number, folder, Path::new("/dev/null"), &options)
}

/// The calls that the writer makes itself, after the loader's and the runtime's: a name, and which one of that name.
fn calls(number: usize, story: &Story) -> Vec<(String, usize)> {
    let folder = scene(story);
    let trace = folder.path().join("trace");
    let output = writer(number, folder.path(), &trace, &[]);
    assert!(output.status.success(), "{}: {output:?}", story.name);
    let mut seen = std::collections::BTreeMap::new();
    let (mut calls, mut begun) = (Vec::new(), false);
    for line in fs::read_to_string(trace).unwrap().lines() {
        let (call, rest) = line.split_once('(').unwrap();
        let nth = seen.entry(call.to_owned()).or_insert(0);
        *nth += 1;
        if begun {
            calls.push((call.to_owned(), *nth));
        }
        begun |= rest.contains(MARK);
    }
    calls
}

/// A power failure after the rename finds the bytes, and after the end finds the rename.
fn assert_durable(calls: &[(String, usize)]) {
    let steps = calls.iter().map(|(call, _)| call.as_str());
    let steps: Vec<&str> = steps
        .filter(|call| ["write", "fsync", "renameat"].contains(call))
        .collect();
    assert_eq!(steps, ["write", "fsync", "renameat", "fsync"]);
}

fn killed(number: usize, story: &Story, call: &str, nth: usize) {
    let at = format!("{}: killed at {call} {nth}", story.name);
    let folder = scene(story);
    let output = injected(number, folder.path(), call, nth, "signal=KILL");
    assert!(killed_by_9(output.status), "{at}: {output:?}");
    let mut expected: Vec<&str> = story.files.iter().map(|(name, ..)| *name).collect();
    for (path, mode, bytes) in files(folder.path()) {
        assert_eq!(mode & !story.widest & 0o777, 0, "{at}: {path} has {mode:o}");
        if let Some((_, old, new)) = story.files.iter().find(|(name, ..)| *name == path) {
            let is_old = old.is_some_and(|old| old.bytes() == bytes);
            // A line may be torn: that is what `append` mends.
            assert!(is_old || new.bytes() == bytes, "{at}: {path} is neither");
            expected.retain(|name| *name != path);
        } else {
            assert!(path.contains(".dotage-"), "{at}: {path} is left");
        }
    }
    for name in expected {
        let (_, old, _) = story.files.iter().find(|(n, ..)| *n == name).unwrap();
        assert!(old.is_none(), "{at}: {name} is gone");
    }
    // What the next run finds and does; a line that is there already it would append a second time.
    let now = files(folder.path());
    let done = now.len() == story.files.len()
        && story.files.iter().all(|(name, _, new)| {
            now.iter()
                .any(|(path, _, bytes)| path == name && *bytes == new.bytes())
        });
    if !done {
        (story.write)(folder.path()).unwrap();
    }
    assert_told(story, &folder, &at, false);
}

fn killed_by_9(status: ExitStatus) -> bool {
    // strace dies of what its child died of, or tells it as a shell does.
    status.signal() == Some(9) || status.code() == Some(128 + 9)
}

fn failed(number: usize, story: &Story, call: &str, nth: usize, error: &str) {
    let at = format!("{}: {error} at {call} {nth}", story.name);
    let folder = scene(story);
    let output = injected(number, folder.path(), call, nth, &format!("error={error}"));
    let success = output.status.success();
    if success {
        assert_told(story, &folder, &at, false);
        return;
    }
    assert_told(story, &folder, &at, true);
    let interruptible = [
        "open",
        "openat",
        "read",
        "pread64",
        "write",
        "fsync",
        "flock",
        "fstat",
        "newfstatat",
        "statx",
        "fchmod",
        "fchown",
        "renameat",
        "renameat2",
        "mkdirat",
        "getrandom",
        "fremovexattr",
    ];
    let carries_on = error == "EINTR" && interruptible.contains(&call);
    assert!(!carries_on, "{at}: {output:?}");
}

/// The folder holds the new files, or the old ones where that is allowed, and nothing beside them.
fn assert_told(story: &Story, folder: &tempfile::TempDir, at: &str, or_old: bool) {
    let now = files(folder.path());
    for (path, mode, bytes) in &now {
        assert_eq!(mode & !story.widest & 0o777, 0, "{at}: {path} has {mode:o}");
        let told = story.files.iter().find(|(name, ..)| name == path);
        let Some((_, old, new)) = told else {
            panic!("{at}: {path} is left");
        };
        let is_old = or_old && old.is_some_and(|old| old.bytes() == *bytes);
        assert!(is_old || new.bytes() == *bytes, "{at}: {path}");
    }
    let needed = story
        .files
        .iter()
        .filter(|(_, old, _)| !or_old || old.is_some());
    for (name, ..) in needed {
        assert!(now.iter().any(|(path, ..)| path == name), "{at}: no {name}");
    }
}

/// The files under a folder: path in it, mode, bytes.
fn files(folder: &Path) -> Vec<(String, u32, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            let inner = self::files(&path);
            files.extend(
                inner
                    .into_iter()
                    .map(|(p, m, b)| (format!("{name}/{p}"), m, b)),
            );
        } else {
            let mode = path.metadata().unwrap().mode() & 0o7777;
            files.push((name, mode, fs::read(&path).unwrap()));
        }
    }
    files
}
