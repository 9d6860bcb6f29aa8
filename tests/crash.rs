//! Whole commands killed, and failed by the disk, at each call that changes a file: what was is still there, or what
//! should be is.
//!
//! # Why
//!
//! The guarantee is one for each file. A change over several bundles is not one transaction: killed half-way, each
//! bundle is the old one or the new one, none is lost or torn, and the same command again does the rest. A temporary
//! file may be left, closed to others (a bundle's holds ciphertext only); the next command that writes into its folder
//! removes it. The journal tells of what was done, or the same command again finds what was not told.
//!
//! The kill points are not a sample: a first run under strace lists the calls of the kinds in `KINDS` (an `openat`
//! counts when it may create, a `write` when it isn't talk), and the command is killed when it enters each of them; one number further the command
//! must end well, which shows that none was missed. The disk's errors are put in at the same calls.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_collect,
    clippy::needless_raw_string_hashes
)]

#[path = "canary/needles.rs"]
mod needles;

use dotage::journal::{Entry, JOURNAL, Journal};
use dotage::secret::Name;
use dotage::vault::{Identities, Nobody, Vault};
use needles::Needles;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const DOTAGE: &str = env!("CARGO_BIN_EXE_dotage");

/// The calls that change files.
const KINDS: [&str; 16] = [
    "write",
    "pwrite64",
    "writev",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "renameat",
    "renameat2",
    "linkat",
    "unlink",
    "unlinkat",
    "fchmod",
    "fchown",
    "mkdir",
    "mkdirat",
];

const INVENTORY: &str = r#"
profiles:
  development: { vault: vault/development.age }
  production: { vault: vault/production/ }
services: { api: {} }
variables:
  ONE: { purpose: in the first bundle, used_by: [api], bundle: first, format: { token: { bytes: 48 } } }
  TWO: { purpose: in the second, used_by: [api], bundle: second, format: { token: { bytes: 48 } } }
  LATE: { purpose: not set yet, used_by: [api], bundle: first, format: { token: { bytes: 48 } } }
  LATER: { purpose: not set yet, used_by: [api], bundle: second, format: { token: { bytes: 48 } } }
  OPEN: { purpose: a switch, used_by: [api], bundle: second, sensitive: false, format: boolean, required: false, defaults: { production: "false" } }
  FIRST: { purpose: for the first start, used_by: [api], bundle: first, format: { password: { length: 24 } }, bootstrap: { while: OPEN } }
targets:
  boot: { template: templates/boot.env.j2, to: out/boot.env, profile: production }
  each: { folder: true, to: out/boot, profile: production, service: api, names: [OPEN, FIRST] }
  file: { template: templates/two.env.j2, to: out/.env, profile: production }
  folder: { folder: true, to: out/folder, profile: production, service: api, names: [ONE, TWO] }
"#;
const READER: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
const NEW: &str = "new-b2vjHqzWm8Xs4TgKd9";
/// What ansible-vault 2.19 made, with the password `old`, of new values for ONE and TWO, and of one for THREE, which is not
/// declared.
const OLD_VAULT: &str = "\
$ANSIBLE_VAULT;1.1;AES256
30633939316130656662666336313437653230616161646666343038366564393030353935656462
6235643738663766383533376233653034626631346232380a303835376539376362313435663464
61633236346466353035363932386239363635656538383836346263663833353363373632386132
3839346663656666370a623738666132326538393431653862643637346335623333646665626662
35613339353165643939303964396365323033653033623736646236663532623231303666386338
66653265343639666338303136323232343333383836383334366565383064366433336265303164
64356439343530313830663465303138373563663064633033333839656666323564366635393239
39336665643532613438623464356363346533633134363436616534333631306333383362636431
6135
";

/// A command, and what comes before it.
struct Story {
    /// The commands that make what was, each with its standard input.
    before: &'static [(&'static [&'static str], &'static str)],
    command: &'static [&'static str],
    stdin: &'static str,
}

const STORIES: [Story; 15] = [
    Story {
        before: &[],
        command: &["set", "--from-env", "/dev/stdin", "-P", "production"],
        stdin: "ONE=new-b2vjHqzWm8Xs4TgKd9\nTWO=new-c3wkIraXn9Yt5UhLe0\n",
    },
    story(&[], &["set", "ONE", "-P", "production"]),
    story(&[], &["set", "ONE"]),
    story(&[], &["unset", "ONE", "-P", "production"]),
    story(
        &[],
        &[
            "import",
            "ansible-vault",
            "old.yml",
            "--vault-password-file=pw",
            "--declare",
            "--force",
            "--remove",
            "-P",
            "production",
        ],
    ),
    story(&[], &["generate", "--missing"]),
    story(
        &[],
        &["generate", "--force", "ONE", "TWO", "-P", "production"],
    ),
    story(&[], &["recipients", "add", READER, "-P", "production"]),
    story(
        &[(&["recipients", "add", READER, "-P", "production"], "")],
        &["recipients", "remove", READER, "-P", "production"],
    ),
    story(
        &[
            (&["render", "file"], ""),
            (&["set", "ONE", "-P", "production"], NEW),
        ],
        &["render", "file"],
    ),
    story(
        &[
            (&["render", "folder"], ""),
            (&["set", "ONE", "-P", "production"], NEW),
            (&["set", "TWO", "-P", "production"], NEW),
        ],
        &["render", "folder"],
    ),
    story(&[], &["edit", "first", "-P", "production"]),
    story(&[], &["bootstrap", "open", "-P", "production"]),
    story(
        &[
            (&["bootstrap", "open", "-P", "production"], ""),
            (&["render", "boot", "each"], ""),
        ],
        &["bootstrap", "close", "-P", "production"],
    ),
    story(
        &[],
        &[
            "init",
            "--preset",
            "freeboard",
            "../fresh",
            "--identity",
            "../fresh-identity.txt",
        ],
    ),
];

const fn story(
    before: &'static [(&'static [&'static str], &'static str)],
    command: &'static [&'static str],
) -> Story {
    Story {
        before,
        command,
        stdin: NEW,
    }
}

/// What a file holds: of a bundle the values, by name, and how many readers it has; of another its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Bundle(BTreeMap<String, Vec<u8>>, String),
    Bytes(Vec<u8>),
    Journal(Vec<Told>),
    /// An identity or a recipients file of a fresh project, which are another each time; whole, by their last line.
    Random(usize),
}

/// The files of a scene: mode and content, by path.
type Files = BTreeMap<String, (u32, Content)>;

#[test]
fn a_command_killed_anywhere_leaves_what_was_or_what_should_be() {
    let (mut kills, mut errors, mut ciphertexts) = (0, 0, 0);
    for story in &STORIES {
        let base = Scene::new(story);
        let old = base.files();
        let uninjured = base.copy();
        let trace = uninjured.path("tmp/trace");
        let kinds = format!("trace=openat,{}", KINDS.join(","));
        let output = uninjured.run(
            story.command,
            story.stdin,
            &["-o", trace.to_str().unwrap(), "-e", &kinds],
        );
        assert!(output.status.success(), "{:?}: {output:?}", story.command);
        let points = points(&fs::read_to_string(&trace).unwrap());
        fs::remove_file(&trace).unwrap();
        let new = uninjured.files();
        assert_ne!(old, new, "{:?} changes nothing", story.command);

        let work: Vec<(&Point, &str)> = points
            .iter()
            .flat_map(|point| {
                let full = matches!(
                    point.call.as_str(),
                    "write" | "fsync" | "openat" | "mkdir" | "mkdirat"
                );
                let errors: &[&str] = match (point.last, full) {
                    (true, _) => &["nothing"],
                    (_, true) => &["signal=KILL", "error=EIO", "error=ENOSPC"],
                    _ => &["signal=KILL", "error=EIO"],
                };
                errors.iter().map(move |error| (point, *error))
            })
            .collect();
        let (next, left) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().unwrap().get() {
                scope.spawn(|| {
                    while let Some((point, what)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let trial = Trial {
                            story,
                            base: &base,
                            old: &old,
                            new: &new,
                            point,
                            what,
                        };
                        left.fetch_add(trial.run(), Ordering::Relaxed);
                    }
                });
            }
        });
        let count = |kind: &str| {
            work.iter()
                .filter(|(_, what)| what.starts_with(kind))
                .count()
        };
        println!(
            "{:?}: {} kill points, {} errors",
            story.command.join(" "),
            count("signal"),
            count("error")
        );
        kills += count("signal");
        errors += count("error");
        ciphertexts += left.into_inner();
    }
    println!(
        "{kills} kill points, {errors} errors of the disk; {ciphertexts} temporary files were left with ciphertext, and removed by the next change of that vault"
    );
    assert!(kills >= 150, "strace saw only {kills} points to kill at");
    assert!(errors >= 200, "{errors}");
}

/// A call that changes files: which of its name. The last of each name is one that never comes.
struct Point {
    call: String,
    nth: usize,
    last: bool,
}

/// The points of a trace, which has a call a line.
fn points(trace: &str) -> Vec<Point> {
    let mut counts = BTreeMap::new();
    let mut points = Vec::new();
    for line in trace.lines() {
        let Some((call, rest)) = line.split_once('(') else {
            continue;
        };
        let nth = counts.entry(call.to_owned()).or_insert(0);
        *nth += 1;
        let talk = call == "write" && (rest.starts_with("1,") || rest.starts_with("2,"));
        if !talk && (call != "openat" || rest.contains("O_CREAT")) {
            points.push(Point {
                call: call.to_owned(),
                nth: *nth,
                last: false,
            });
        }
    }
    points.extend(counts.into_iter().map(|(call, count)| Point {
        call,
        nth: count + 1,
        last: true,
    }));
    points
}

/// One injury.
struct Trial<'a> {
    story: &'a Story,
    base: &'a Scene,
    old: &'a Files,
    new: &'a Files,
    point: &'a Point,
    what: &'a str,
}

impl Trial<'_> {
    /// Does it; how many temporary files with ciphertext were left until another change.
    fn run(&self) -> usize {
        let Trial {
            story, point, what, ..
        } = self;
        let at = format!(
            "{:?}, {what} at {} {}",
            story.command.join(" "),
            point.call,
            point.nth
        );
        let scene = self.base.copy();
        let what = if point.last { "signal=KILL" } else { what };
        let trace = format!("trace={}", point.call);
        let inject = format!("inject={}:{what}:when={}", point.call, point.nth);
        let output = scene.run(
            story.command,
            story.stdin,
            &["-o", "/dev/null", "-e", &trace, "-e", &inject],
        );
        let killed = output.status.signal() == Some(9) || output.status.code() == Some(128 + 9);
        let files = scene.files();
        if point.last {
            // The enumeration was whole: nothing was there to be injured.
            assert!(output.status.success(), "{at}: {output:?}");
        } else if what == "signal=KILL" {
            assert!(killed, "{at}: {output:?}");
        }
        let success = output.status.success();
        self.judge(&at, &files, success);
        for (path, (mode, content)) in &files {
            if self.old.contains_key(path) || self.new.contains_key(path) {
                continue;
            }
            // Where removing is what failed, the file stays until the next run, as after a kill.
            assert!(
                killed || point.call == "unlinkat" || point.call == "unlink",
                "{at}: {path} is left"
            );
            let ours = path.contains(".dotage-") || path.contains("dotage-edit-");
            assert!(ours, "{at}: {path} is left, {content:?}");
            // One that gets its final mode before it is renamed is ciphertext, or a file of `init` without a secret.
            if let Content::Bytes(bytes) = content
                && mode & 0o077 != 0
            {
                let secret = scene.needles.find(bytes).is_some()
                    || bytes.windows(15).any(|piece| piece == b"AGE-SECRET-KEY-");
                assert!(!secret, "{at}: {path} has mode {mode:o}");
            }
        }
        if success {
            scene.is_told(&at);
            return 0;
        }
        // The same again does what is left to do; what is done already it may refuse to do twice.
        let again = scene.run(story.command, story.stdin, &[]);
        let files = scene.files();
        self.judge(&at, &files, again.status.success());
        assert!(
            !again.status.success() || self.is_new(&files),
            "{at}, and again: {again:?}"
        );
        if again.status.success() {
            scene.is_told(&at);
        }
        let left: Vec<_> = files
            .keys()
            .filter(|path| !self.new.contains_key(*path) && !self.old.contains_key(*path))
            .collect();
        for path in &left {
            let (_, content) = &files[*path];
            let Content::Bytes(bytes) = content else {
                panic!("{at}: {path}");
            };
            assert!(
                scene.needles.find(bytes).is_none(),
                "{at}: {path} outlives the next run with plaintext"
            );
            assert!(
                bytes.is_empty() || bytes.starts_with(b"-----BEGIN AGE") || !path.contains("vault"),
                "{at}: {path}"
            );
        }
        if left.is_empty() {
            return 0;
        }
        let profile = if story.command.contains(&"production") {
            "production"
        } else {
            "development"
        };
        let set = scene.run(
            &["set", "ONE", "-P", profile],
            "another-value-than-before",
            &[],
        );
        assert!(set.status.success(), "{at}: {set:?}");
        let files = scene.files();
        let still: Vec<_> = left
            .iter()
            .filter(|path| files.contains_key(**path))
            .collect();
        assert!(still.is_empty(), "{at}: {still:?} outlive the next change");
        left.len()
    }

    /// Each file is the old one or the new one; after a success the new one.
    fn judge(&self, at: &str, files: &Files, success: bool) {
        for (path, (mode, content)) in files {
            let is_old = self
                .old
                .get(path)
                .is_some_and(|(m, c)| m == mode && c == content);
            let is_new = self.is_new_file(path, *mode, content)
                || (!success && self.entries(path, content) == Entries::Some);
            if self.old.contains_key(path) || self.new.contains_key(path) {
                assert!(
                    is_new || (is_old && !success),
                    "{at}: {path} is {mode:o} {content:?}"
                );
            }
        }
        let value = |bundle: &str, name: &str| match files.get(bundle) {
            Some((_, Content::Bundle(values, _))) => values.get(name).cloned(),
            _ => None,
        };
        let open = value("project/vault/production/second.age", "OPEN");
        let first = value("project/vault/production/first.age", "FIRST");
        let on = open.is_some_and(|open| open == b"true");
        assert!(!on || first.is_some(), "{at}: open without a password");
        for path in self.old.keys() {
            assert!(
                files.contains_key(path) || !self.new.contains_key(path),
                "{at}: {path} is lost"
            );
        }
        if success {
            for path in self.new.keys() {
                assert!(files.contains_key(path), "{at}: {path} is not there");
            }
        }
    }

    /// Which of the uninjured command's entries a journal has, after all that were there. What a killed verb wrote may
    /// be found by the next one; what it had told already may be done, and told, again; what it had done and told is
    /// not among the names of the next one.
    fn entries(&self, path: &str, content: &Content) -> Entries {
        let (Content::Journal(now), Some((_, Content::Journal(new)))) =
            (content, self.new.get(path))
        else {
            return Entries::Other;
        };
        let old = match self.old.get(path) {
            Some((_, Content::Journal(old))) => old.as_slice(),
            _ => &[],
        };
        let (Some(now), Some(new)) = (now.strip_prefix(old), new.strip_prefix(old)) else {
            return Entries::Other;
        };
        let part = |part: &Told, whole: &Told| {
            part.verb == whole.verb && part.names.is_subset(&whole.names)
        };
        let found = |told: &Told| told.outcome == "found";
        if !now
            .iter()
            .all(|told| found(told) || new.iter().any(|whole| part(told, whole)))
        {
            return Entries::Other;
        }
        let whole = |whole: &Told| {
            let parts = || now.iter().filter(|told| part(told, whole));
            let names: BTreeSet<_> = parts().flat_map(|told| told.names.clone()).collect();
            parts().count() > 0 && names == whole.names
        };
        if now.iter().any(found) || new.iter().all(whole) {
            Entries::All
        } else {
            Entries::Some
        }
    }

    fn is_new(&self, files: &Files) -> bool {
        self.new.keys().all(|path| {
            files
                .get(path)
                .is_some_and(|(mode, content)| self.is_new_file(path, *mode, content))
        })
    }

    /// Whether a file is as the uninjured command left it. Generated values are others each time: the names are the
    /// same then, and each value that the uninjured command kept is kept.
    fn is_new_file(&self, path: &str, mode: u32, content: &Content) -> bool {
        let Some((new_mode, new)) = self.new.get(path) else {
            return false;
        };
        let same = match (new, content) {
            (Content::Bundle(new, new_readers), Content::Bundle(now, readers))
                if ["generate", "bootstrap"].contains(&self.story.command[0]) =>
            {
                let old = match self.old.get(path) {
                    Some((_, Content::Bundle(old, _))) => old.clone(),
                    _ => BTreeMap::new(),
                };
                let kept = |name: &String| old.contains_key(name) && old.get(name) == new.get(name);
                new_readers == readers
                    && new.keys().eq(now.keys())
                    && now.iter().all(|(name, value)| {
                        (old.get(name) == Some(value)) == kept(name) && !value.is_empty()
                    })
            }
            (Content::Journal(_), Content::Journal(_)) => {
                self.entries(path, content) == Entries::All
            }
            (new, now) => new == now,
        };
        same && mode == *new_mode
    }
}

/// What an entry of the journal tells.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    verb: String,
    names: BTreeSet<String>,
    outcome: String,
}

/// How many of the entries that are to be there are there.
#[derive(PartialEq, Eq)]
enum Entries {
    All,
    Some,
    Other,
}

/// A project with vaults, in a folder of its own.
struct Scene {
    folder: tempfile::TempDir,
    memory: tempfile::TempDir,
    needles: Arc<Needles>,
}

impl Scene {
    fn new(story: &Story) -> Scene {
        let mut needles = Needles::new();
        let old = ["old-Jf7RkzPw3mYc5NbQx8Lt", "old-Uh6VgEs9aDn2CpZr4TkW"];
        for value in [old[0], old[1], NEW] {
            needles.add("a value", value.as_bytes());
        }
        let scene = Scene {
            folder: tempfile::tempdir().unwrap(),
            memory: tempfile::tempdir_in("/dev/shm").unwrap(),
            needles: Arc::new(needles),
        };
        for folder in [
            "project/vault/production",
            "project/templates",
            "project/out",
            "tmp",
        ] {
            fs::create_dir_all(scene.path(folder)).unwrap();
        }
        let (identity, public) = dotage::vault::keygen(std::time::SystemTime::now());
        put(&scene.path("identity.txt"), identity.expose(), 0o600);
        put(
            &scene.path("project/dotage.yaml"),
            INVENTORY.as_bytes(),
            0o644,
        );
        put(
            &scene.path("project/templates/two.env.j2"),
            b"ONE={{ ONE }}\nTWO={{ TWO }}\n",
            0o644,
        );
        put(
            &scene.path("project/templates/boot.env.j2"),
            b"OPEN={{ OPEN }}\n{% if OPEN == \"true\" %}\nFIRST={{ FIRST }}\n{% endif %}\n",
            0o644,
        );
        put(&scene.path("project/old.yml"), OLD_VAULT.as_bytes(), 0o644);
        put(&scene.path("project/pw"), b"old\n", 0o600);
        put(
            &scene.path("editor"),
            b"#!/bin/sh\nsed -i 's/old-/edited-/' \"$1\"\n",
            0o755,
        );
        for folder in ["vault", "vault/production"] {
            put(
                &scene.path(&format!("project/{folder}/.age-recipients")),
                format!("{public}\n").as_bytes(),
                0o644,
            );
        }
        for profile in ["development", "production"] {
            for (name, value) in [("ONE", old[0]), ("TWO", old[1])] {
                scene.well(&["set", name, "-P", profile], value);
            }
        }
        for (args, stdin) in story.before {
            scene.well(args, stdin);
        }
        scene
    }

    fn well(&self, args: &[&str], stdin: &str) {
        let output = self.run(args, stdin, &[]);
        assert!(output.status.success(), "{args:?}: {output:?}");
    }

    fn copy(&self) -> Scene {
        let scene = Scene {
            folder: tempfile::tempdir().unwrap(),
            memory: tempfile::tempdir_in("/dev/shm").unwrap(),
            needles: Arc::clone(&self.needles),
        };
        copy(self.folder.path(), scene.folder.path());
        scene
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    /// Runs the command, under strace when there are options for it.
    fn run(&self, args: &[&str], stdin: &str, strace: &[&str]) -> Output {
        let mut command = if strace.is_empty() {
            Command::new(DOTAGE)
        } else {
            let mut command = Command::new("strace");
            command.arg("-qq").args(strace).arg(DOTAGE);
            command
        };
        let mut child = command
            .args(args)
            .current_dir(self.path("project"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path("tmp"))
            .env("TMPDIR", self.path("tmp"))
            .env("XDG_RUNTIME_DIR", self.memory.path())
            .env("DOTAGE_IDENTITY_FILE", self.path("identity.txt"))
            .env("EDITOR", self.path("editor"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("strace: run tests/install");
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Everything in the scene; a bundle that no key opens is a fault.
    fn files(&self) -> Files {
        let mut paths = Vec::new();
        walk(self.folder.path(), &mut paths);
        walk(self.memory.path(), &mut paths);
        paths
            .into_iter()
            .map(|path| {
                let mode = path.metadata().unwrap().mode() & 0o7777;
                let name = match path.strip_prefix(self.folder.path()) {
                    Ok(inside) => inside.display().to_string(),
                    Err(_) => path.display().to_string(),
                };
                let bytes = fs::read(&path).unwrap();
                let fresh = name.starts_with("fresh");
                let content = if path.ends_with(JOURNAL) {
                    Content::Journal(entries(&path))
                } else if path.extension().is_some_and(|extension| extension == "age") {
                    self.bundle(
                        &path,
                        if fresh {
                            "fresh-identity.txt"
                        } else {
                            "identity.txt"
                        },
                    )
                } else if fresh
                    && (name.ends_with("identity.txt") || name.ends_with(".age-recipients"))
                {
                    let text = String::from_utf8(bytes).unwrap();
                    assert!(text.ends_with('\n'), "{name} is torn: {text:?}");
                    Content::Random(text.lines().map(str::len).sum())
                } else {
                    Content::Bytes(bytes)
                };
                (name, (mode, content))
            })
            .collect()
    }

    /// Each ciphertext is one that the journal tells of.
    fn is_told(&self, at: &str) {
        let journal = fs::read_to_string(self.path("project").join(JOURNAL)).unwrap();
        let mut paths = Vec::new();
        walk(&self.path("project/vault"), &mut paths);
        for path in paths
            .iter()
            .filter(|path| path.extension().is_some_and(|end| end == "age"))
        {
            let sha256 = dotage::file::sha256(&fs::read(path).unwrap());
            assert!(
                journal.contains(&sha256),
                "{at}: {} is not told of",
                path.display()
            );
        }
    }

    fn bundle(&self, path: &Path, identity: &str) -> Content {
        let mut identities = Identities::none(Arc::new(Nobody));
        identities
            .add(&fs::read(self.path(identity)).unwrap(), identity)
            .unwrap();
        let vault = Vault::at(path);
        let opened = vault
            .open(None, &identities)
            .unwrap_or_else(|problem| panic!("{problem}"));
        let name = path.file_stem().unwrap().to_str().unwrap();
        let values = opened
            .secrets
            .iter()
            .map(|(name, secret)| (name.to_string(), secret.expose().to_vec()));
        Content::Bundle(values.collect(), vault.header(name).unwrap().to_string())
    }
}

/// What the entries of a journal tell; each names the one before it.
fn entries(path: &Path) -> Vec<Told> {
    let entries = Journal::at(path.parent().unwrap()).entries();
    let entries = entries.unwrap_or_else(|problems| panic!("{problems:?}"));
    for pair in entries.windows(2) {
        assert_eq!(only(&pair[1].before), pair[0].hash, "{}", path.display());
    }
    let told = |entry: &Entry| Told {
        verb: format!("{} {:?}", entry.action, entry.profile),
        names: entry.names.iter().map(Name::to_string).collect(),
        outcome: entry.outcome.clone(),
    };
    entries.iter().map(told).collect()
}

fn only(hashes: &[String]) -> &str {
    let [hash] = hashes else {
        panic!("{hashes:?}");
    };
    hash
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, paths);
        } else {
            paths.push(path);
        }
    }
}

fn put(path: &Path, bytes: &[u8], mode: u32) {
    let mut file = fs::File::create_new(path).unwrap();
    file.write_all(bytes).unwrap();
    file.set_permissions(fs::Permissions::from_mode(mode))
        .unwrap();
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy(&from, &to);
        } else {
            put(
                &to,
                &fs::read(&from).unwrap(),
                from.metadata().unwrap().mode() & 0o7777,
            );
        }
    }
}

#[test]
fn a_hundred_sets_at_once_lose_nothing_and_their_readers_see_whole_vaults() {
    const WRITERS: usize = 100;
    const READERS: usize = 20;
    let scene = Scene::new(&STORIES[0]);
    let variables: String = (0..WRITERS)
        .map(|n| {
            format!("  AT_ONCE_{n}: {{ purpose: one of many, used_by: [api], bundle: first }}\n")
        })
        .collect();
    let inventory = INVENTORY.replace("targets:\n", &format!("{variables}targets:\n"));
    fs::remove_file(scene.path("project/dotage.yaml")).unwrap();
    put(
        &scene.path("project/dotage.yaml"),
        inventory.as_bytes(),
        0o644,
    );
    let next = AtomicUsize::new(0);
    let reads = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                let n = next.fetch_add(1, Ordering::Relaxed);
                scene.well(
                    &["set", &format!("AT_ONCE_{n}"), "-P", "production"],
                    &format!("value {n}"),
                );
            });
        }
        for _ in 0..READERS {
            scope.spawn(|| {
                let output = scene.run(&["get", "ONE", "-P", "production"], "", &[]);
                assert_eq!(output.stdout, b"old-Jf7RkzPw3mYc5NbQx8Lt", "{output:?}");
                reads.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    let (_, Content::Bundle(values, _)) = &scene.files()["project/vault/production/first.age"]
    else {
        panic!("no bundle");
    };
    for n in 0..WRITERS {
        let value = values.get(&format!("AT_ONCE_{n}"));
        assert_eq!(
            value.map(Vec::as_slice),
            Some(format!("value {n}").as_bytes()),
            "{n} is lost"
        );
    }
    let told = entries(&scene.path("project").join(JOURNAL));
    let at_once = told
        .iter()
        .filter(|told| told.names.iter().all(|name| name.starts_with("AT_ONCE_")));
    assert_eq!(at_once.count(), WRITERS);
    scene.is_told("at once");
    println!(
        "{WRITERS} sets at once, {} reads meanwhile",
        reads.into_inner()
    );
}
