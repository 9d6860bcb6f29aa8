//! Rotations under injury: killed at every step and every write, driven by two at once, resumed in another clone.
//!
//! # Why
//!
//! The kill points are the calls that change what is on the disk: killed as it enters the next one, a process leaves what
//! the one before made. The calls between (fsync, fchmod …) leave the same files as the next of these, so they are
//! counted and not tried. A command of a step is a process of its own: its script kills dotage at its beginning, at its
//! end, and where the re-encryption has written and not yet replaced. After each kill one copy of the scene is resumed
//! and another is rolled back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

#[path = "rotate/stack.rs"]
mod stack;

use stack::{Stack, holds, said};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The rotations of the preset: what is asked for, and how many steps there are.
const ROTATIONS: [(&str, usize); 5] = [
    ("JWT_SECRET", 7),
    ("JWT_GATEWAY_SECRET", 7),
    ("GATEWAY_SERVICE_TOKEN", 7),
    ("CREDENTIAL_ENCRYPTION_KEY", 8),
    ("POSTGRES_PASSWORD", 10),
];

/// The calls that are listed, and whether each leaves other files than the one before.
const KINDS: [(&str, bool); 15] = [
    ("openat", true),
    ("write", true),
    ("pwrite64", true),
    ("writev", true),
    ("ftruncate", true),
    ("rename", true),
    ("renameat", true),
    ("renameat2", true),
    ("linkat", true),
    ("unlinkat", true),
    ("mkdirat", true),
    ("fsync", false),
    ("fdatasync", false),
    ("fchmod", false),
    ("fchown", false),
];

/// Where dotage is killed.
enum Point {
    /// As it enters a call: which of its name.
    Call(String, usize),
    /// By a command that it runs: which of their points.
    Command(usize),
}

/// What is killed: a command on a scene, and how it may be gone on with.
struct Story {
    name: &'static str,
    base: Stack,
    command: Vec<&'static str>,
    steps: usize,
    /// The values before the rotation.
    old: BTreeMap<String, Vec<u8>>,
    /// What ends it, and whether with the old values.
    ways: &'static [(&'static [&'static str], bool)],
}

const RESUME: (&[&str], bool) = (&["rotate", "--resume", "--in-window"], false);
const ROLLBACK: (&[&str], bool) = (&["rotate", "--rollback"], true);
#[test]
fn a_rotation_killed_anywhere_is_resumed_or_rolled_back() {
    let base = Stack::new();
    let stories = ROTATIONS.map(|(name, steps)| Story {
        name,
        base: copy(&base),
        command: vec!["rotate", name, "--in-window"],
        steps,
        old: base.values(),
        ways: &[RESUME, ROLLBACK],
    });
    let (calls, commands) = kill(&stories);
    assert!(
        calls >= 300,
        "strace saw only {calls} calls to be killed at"
    );
    assert!(commands >= 50, "{commands}");
}

#[test]
fn the_way_back_and_the_end_of_an_overlap_are_gone_on_with_wherever_they_were_killed() {
    let base = Stack::new();
    let old = base.values();
    let halfway = |name, broken: &str, command, steps, ways| {
        let base = copy(&base);
        base.put(&format!("world/broken-{broken}"), "", 0o600);
        base.refused(&["rotate", name, "--in-window"]);
        base.remove(&format!("world/broken-{broken}"));
        Story {
            name,
            base,
            command,
            steps,
            old: old.clone(),
            ways,
        }
    };
    let back = || vec!["rotate", "--rollback"];
    let overlap = copy(&base);
    let inventory = overlap.text("dotage.yaml").replace(
        "      expect: every session ends; users log in again",
        "      overlap: 1s",
    );
    overlap.put("dotage.yaml", &inventory, 0o644);
    let template = "templates/freeboard.compose.env.j2";
    let shown = "{% if previous.JWT_SECRET is defined %}\nJWT_SECRET_BEFORE={{ previous.JWT_SECRET }}\n{% endif %}\n";
    overlap.put(template, &(overlap.text(template) + shown), 0o644);
    let said = overlap.well(&["rotate", "JWT_SECRET"]);
    assert!(said.contains("the old values stay good until"), "{said}");
    let api = overlap.text("world/api.env");
    let before = format!(
        "JWT_SECRET_BEFORE={}",
        String::from_utf8_lossy(&old["JWT_SECRET"])
    );
    assert!(api.contains(&before), "the old value is not shown");
    std::thread::sleep(Duration::from_secs(2));
    let stories = [
        halfway(
            "CREDENTIAL_ENCRYPTION_KEY",
            "verify-datasource",
            back(),
            6,
            &[RESUME, ROLLBACK][..],
        ),
        halfway(
            "POSTGRES_PASSWORD",
            "verify-login",
            back(),
            7,
            &[RESUME, ROLLBACK],
        ),
        Story {
            name: "JWT_SECRET",
            base: overlap,
            command: vec!["rotate", "--resume"],
            steps: 5,
            old: old.clone(),
            ways: &[RESUME, ROLLBACK],
        },
    ];
    let (calls, commands) = kill(&stories);
    assert!(
        calls >= 150,
        "strace saw only {calls} calls to be killed at"
    );
    assert!(commands >= 15, "{commands}");
}

/// Kills each story at each of its points; at how many calls, and by how many commands.
fn kill(stories: &[Story]) -> (usize, usize) {
    let (mut tried, mut all, mut commands, mut ends) = (0, 0, 0, 0);
    for story in stories {
        let (points, listed) = points(story);
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().unwrap().get() {
                scope.spawn(|| {
                    while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                        injure(story, point);
                    }
                });
            }
        });
        let is_call = |point: &&Point| matches!(point, Point::Call(..));
        let calls = points.iter().filter(is_call).count();
        println!(
            "{} ({}): killed at {calls} of {listed} calls and at {} points of its commands",
            story.name,
            story.command.join(" "),
            points.len() - calls
        );
        tried += calls;
        all += listed;
        commands += points.len() - calls;
        ends += points.len() * story.ways.len();
    }
    println!(
        "{} kill points ({tried} of {all} calls, {commands} in commands), {ends} ends",
        tried + commands
    );
    (tried, commands)
}

/// Every point of a rotation, and how many calls there are with those that leave the same files.
fn points(story: &Story) -> (Vec<Point>, usize) {
    let uninjured = copy(&story.base);
    uninjured.put("world/points", "0", 0o600);
    uninjured.put("world/count", "0", 0o600);
    let kinds: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
    let trace = uninjured.folder.path().join("trace");
    let options = ["-o", trace.to_str().unwrap(), "-e"];
    let kinds = format!("trace={}", kinds.join(","));
    let strace = [&options[..], &[kinds.as_str()]].concat();
    let output = uninjured.command(&story.command, &strace).output();
    let output = output.expect("strace: run tests/install");
    assert!(output.status.success(), "{output:?}");
    let done = said(&output)
        .lines()
        .filter(|line| line.ends_with(": done"))
        .count();
    assert_eq!(done, story.steps, "{output:?}");
    let count: usize = uninjured.text("world/count").trim().parse().unwrap();
    uninjured.is_consistent("uninjured");
    let (mut points, mut counts, mut listed) = (Vec::new(), BTreeMap::new(), 0);
    for line in fs::read_to_string(&trace).unwrap().lines() {
        let Some((call, rest)) = line.split_once('(') else {
            continue;
        };
        let nth = counts.entry(call.to_owned()).or_insert(0);
        *nth += 1;
        let talk = call == "write" && (rest.starts_with("1,") || rest.starts_with("2,"));
        if talk || (call == "openat" && !rest.contains("O_CREAT")) {
            continue;
        }
        listed += 1;
        if KINDS.iter().any(|(kind, other)| *kind == call && *other) {
            points.push(Point::Call(call.to_owned(), *nth));
        }
    }
    points.extend((1..=count).map(Point::Command));
    (points, listed)
}

/// The same again, in folders of its own.
fn copy(stack: &Stack) -> Stack {
    let folder = tempfile::tempdir().unwrap();
    let copied = Command::new("cp")
        .args(["-a", "--"])
        .arg(stack.folder.path().join("."))
        .arg(folder.path())
        .status()
        .unwrap();
    assert!(copied.success());
    Stack { folder }
}

/// Kills a story at a point, and ends it in each way.
fn injure(story: &Story, point: &Point) {
    let stack = copy(&story.base);
    let (at, output) = match point {
        Point::Call(call, nth) => {
            let trace = format!("trace={call}");
            let inject = format!("inject={call}:signal=KILL:when={nth}");
            let strace = ["-o", "/dev/null", "-e", &trace, "-e", &inject];
            let output = stack.command(&story.command, &strace).output();
            (
                format!("{} killed at {call} {nth}", story.name),
                output.expect("strace: run tests/install"),
            )
        }
        Point::Command(nth) => {
            stack.put("world/points", &nth.to_string(), 0o600);
            stack.put("world/count", "0", 0o600);
            let at = format!("{} killed by a command, point {nth}", story.name);
            (at, stack.run(&story.command))
        }
    };
    let killed = output.status.signal() == Some(9) || output.status.code() == Some(128 + 9);
    assert!(killed, "{at}: {output:?}");
    let _ = fs::remove_file(stack.path("world/points"));
    let flights = stack.in_flight();
    assert!(flights.len() <= 1, "{at}: {} rotations", flights.len());
    // What the kill leaves is closed to others.
    let new = new_value(&stack, story.name).or_else(|| new_value(&story.base, story.name));
    let secrets: Vec<&Vec<u8>> = story.old.values().chain(&new).collect();
    for (path, mode, bytes) in stack.files() {
        let holds = || secrets.iter().any(|value| holds(&bytes, value));
        assert!(
            mode & 0o077 == 0 || !holds(),
            "{at}: {path} has mode {mode:o}"
        );
    }
    for (way, back) in story.ways {
        let at = format!("{at}, then {}", way.join(" "));
        recover(story, &copy(&stack), &at, way, *back, new.as_ref());
    }
}

/// The new value of a rotation in flight.
fn new_value(stack: &Stack, name: &str) -> Option<Vec<u8>> {
    let mut flights = stack.in_flight().into_iter();
    flights.next()?.remove(&format!("{name}_NEW"))
}

/// Does what is left after a kill, and judges the end.
fn recover(
    story: &Story,
    stack: &Stack,
    at: &str,
    way: &[&str],
    back: bool,
    new: Option<&Vec<u8>>,
) {
    let (old, name) = (&story.old, story.name);
    let last = stack.entries().pop().unwrap();
    let step = last.step.filter(|_| last.outcome == "done");
    let ended = step
        .as_deref()
        .filter(|step| ["finish", "finish back"].contains(step));
    // On the way back, going on is going back.
    let flights = stack.in_flight();
    let turned = flights.iter().any(|flight| flight.contains_key("REACHED"));
    let back = match ended {
        Some(step) => step == "finish back",
        None => (back || turned) && new.is_some(),
    };
    if !stack.in_flight().is_empty() {
        let output = stack.run(way);
        assert!(output.status.success(), "{at}: {output:?}");
    } else if ended.is_none() {
        // It was killed before its file was there: nothing has happened, and the same command does it all.
        assert!(stack.values() == *old, "{at}: changed");
        let output = stack.run(&story.command);
        assert!(output.status.success(), "{at}: {output:?}");
    }
    stack.is_consistent(at);
    let now = stack.values();
    assert!(now.keys().eq(old.keys()), "{at}: a name is lost or new");
    for (other, value) in &now {
        let same = old[other] == *value;
        assert_eq!(same, other != name || back, "{at}: {other}");
    }
    // Of the value that lost nothing is left in plaintext, and the one that won is only where it belongs.
    let lost = if back { new } else { old.get(name) };
    for (path, mode, bytes) in stack.files() {
        let lost = lost.is_some_and(|lost| holds(&bytes, lost));
        assert!(!lost, "{at}: the dead value is in {path}");
        let place = path.ends_with("/.env") || path.contains("/world/");
        let belongs = place && mode & 0o077 == 0;
        assert!(
            belongs || !holds(&bytes, &now[name]),
            "{at}: {path}, {mode:o}"
        );
    }
    let end = if back { "finish back" } else { "finish" };
    let told = |step: &Option<String>| step.as_deref() == Some(end);
    assert!(
        stack.entries().iter().any(|entry| told(&entry.step)),
        "{at}: its end is not told"
    );
}

#[test]
fn of_two_at_once_on_one_machine_the_second_is_refused() {
    let stack = Stack::new();
    stack.put("world/slow-verify-login", "", 0o600);
    let first = stack
        .command(&["rotate", "JWT_SECRET"], &[])
        .spawn()
        .unwrap();
    wait_for(|| stack.path("world/slow").exists());
    for second in [
        &["rotate", "JWT_GATEWAY_SECRET"][..],
        &["rotate", "--resume"],
        &["rotate", "--rollback"],
        &["recipients", "add", READER],
    ] {
        let text = stack.refused(second);
        assert!(text.contains("is at work on this machine"), "{text}");
    }
    // Who only reads isn't kept from it.
    stack.well(&["status"]);
    stack.remove("world/slow-verify-login");
    let output = first.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    stack.is_consistent("after the first");
}

/// A reader that is nobody's.
const READER: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

#[test]
fn a_re_encryption_that_outlives_its_rotation_is_not_begun_again_until_it_has_ended() {
    let stack = Stack::new();
    stack.put("world/slow-reencrypt", "", 0o600);
    let mut first = stack
        .command(&["rotate", "CREDENTIAL_ENCRYPTION_KEY"], &[])
        .spawn()
        .unwrap();
    wait_for(|| stack.path("world/slow").exists());
    first.kill().unwrap();
    first.wait().unwrap();
    let text = stack.refused(&["rotate", "--resume"]);
    assert!(text.contains("is at work on this machine"), "{text}");
    stack.remove("world/slow-reencrypt");
    // Looked at and left: `did` takes away what it has read, and a line that comes meanwhile with it.
    let did = || fs::read_to_string(stack.path("world/did")).unwrap_or_default();
    wait_for(|| did().contains("reencrypt"));
    wait_for(|| stack.run(&["rotate", "--resume"]).status.success());
    stack.is_consistent("resumed");
}

fn wait_for(happens: impl Fn() -> bool) {
    let start = Instant::now();
    while !happens() {
        assert!(start.elapsed() < Duration::from_mins(1), "it never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_is_in_flight_is_changed_by_nobody_else_and_other_names_rotate_beside_it() {
    let stack = Stack::new();
    stack.put(
        "editor",
        "#!/bin/sh\nsed -i 's/: \"/: \"edited-/' \"$1\"\n",
        0o755,
    );
    stack.well(&["rotate", "JWT_SECRET", "--step"]);
    let value = stack.values()["JWT_SECRET"].clone();
    for change in [
        &["rotate", "JWT_SECRET"][..],
        &["generate", "JWT_SECRET", "--force"],
        &["unset", "JWT_SECRET"],
        &["edit", "user-auth"],
        &["set", "JWT_SECRET", "--from-file", "dotage.yaml"],
    ] {
        let mut command = stack.command(change, &[]);
        let output = command
            .env("EDITOR", stack.path("editor"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{change:?}: {output:?}");
        let text = said(&output);
        assert!(text.contains("of JWT_SECRET is not finished"), "{text}");
        assert!(text.contains("help: dotage rotate --resume "), "{text}");
    }
    assert_eq!(stack.values()["JWT_SECRET"], value);
    stack.well(&["rotate", "JWT_GATEWAY_SECRET"]);
    assert_eq!(stack.in_flight().len(), 1);
    stack.well(&["rotate", "GATEWAY_SERVICE_TOKEN", "--step"]);
    let text = stack.refused(&["rotate", "--resume"]);
    assert!(text.contains("several rotations are in flight"), "{text}");
    let ids = || {
        let entries = stack.entries();
        let staged = entries
            .into_iter()
            .filter(|entry| entry.step.as_deref() == Some("stage"));
        staged.filter_map(|entry| entry.plan).collect::<Vec<_>>()
    };
    let [first, _, third] = ids().try_into().unwrap();
    stack.well(&["rotate", "--rollback", &first]);
    stack.well(&["rotate", "--resume", &third]);
    stack.is_consistent("both ended");
    assert_eq!(stack.values()["JWT_SECRET"], value);
    // The file of one that has ended, brought back, moves nothing.
    stack.well(&["rotate", "JWT_SECRET", "--step"]);
    let path = stack
        .path("vault")
        .join(format!("production.{}.rotation.age", ids()[3]));
    let file = fs::read(&path).unwrap();
    stack.well(&["rotate", "--resume"]);
    let value = stack.values()["JWT_SECRET"].clone();
    fs::write(&path, file).unwrap();
    let found = stack.run(&["log", "verify"]);
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    assert!(
        said(&found).contains("is the file of a rotation that ann ended"),
        "{found:?}"
    );
    assert!(stack.well(&["rotate", "--rollback"]).contains("had ended"));
    assert_eq!(stack.values()["JWT_SECRET"], value);
    stack.is_consistent("brought back");
}

fn git(stack: &Stack, args: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=ann", "-c", "user.email=ann@example.org"])
        .args(args)
        .current_dir(stack.path(""))
        .env("HOME", stack.folder.path())
        .output()
        .expect("git: run tests/install");
    assert!(output.status.success(), "{args:?}: {output:?}");
}

fn commit(stack: &Stack, message: &str) {
    git(stack, &["add", "-A"]);
    git(stack, &["commit", "-q", "-m", message]);
}

#[test]
fn another_clone_sees_the_rotation_refuses_its_names_and_resumes_it() {
    let a = Stack::new();
    let bob = a.folder.path().join("bob.txt");
    let key = a.well(&["keygen", "-o", bob.to_str().unwrap()]);
    let key = key.trim().strip_prefix("Public key: ").unwrap().to_owned();
    a.well(&["recipients", "add", &key, "--comment", "Bob"]);
    a.put(".gitignore", &(a.text(".gitignore") + "/world/\n"), 0o644);
    git(&a, &["init", "-q", "-b", "main"]);
    commit(&a, "begin");
    a.well(&["rotate", "JWT_SECRET", "--step"]);
    commit(&a, "a rotation begins");

    // Bob's machine: a clone, his identity, and the world as it is.
    let b = copy(&a);
    fs::rename(
        b.folder.path().join("bob.txt"),
        b.folder.path().join(".config/dotage/identity.txt"),
    )
    .unwrap();
    git(&b, &["remote", "add", "a", a.path("").to_str().unwrap()]);
    let text = b.refused(&["rotate", "JWT_SECRET"]);
    assert!(text.contains("of JWT_SECRET is not finished"), "{text}");
    let old = b.values()["JWT_SECRET"].clone();
    let new = b.in_flight()[0]["JWT_SECRET_NEW"].clone();
    b.well(&["rotate", "--resume"]);
    b.is_consistent("resumed by Bob");
    assert!(b.values()["JWT_SECRET"] == new && new != old);
    commit(&b, "the rotation ends");

    // Meanwhile Ann changed something else.
    a.well(&["generate", "GATEWAY_SERVICE_TOKEN", "--force"]);
    commit(&a, "a token");
    git(&b, &["fetch", "-q", "a"]);
    git(&b, &["merge", "-q", "-m", "merge", "a/main"]);
    let verified = b.run(&["log", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
    assert!(b.in_flight().is_empty(), "its file is gone with the merge");
    assert_eq!(b.values()["JWT_SECRET"], new);
    let resumed = b.refused(&["rotate", "--resume"]);
    assert!(resumed.contains("no rotation is in flight"), "{resumed}");
}

#[test]
fn a_rotation_that_another_clones_has_overtaken_re_encrypts_nothing() {
    let stack = Stack::new();
    let rotate = ["rotate", "CREDENTIAL_ENCRYPTION_KEY"];
    stack.well(&[&rotate[..], &["--step"]].concat());
    let id = stack.entries().pop().unwrap().plan.unwrap();
    let path = stack.path(&format!("vault/production.{id}.rotation.age"));
    // What a merge brings: this file, and the vault of the other clone.
    let file = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    stack.well(&rotate);
    fs::write(&path, file).unwrap();
    stack.did();
    let text = stack.refused(&["rotate", "--resume"]);
    assert!(text.contains("somebody changed it meanwhile"), "{text}");
    assert_eq!(stack.did(), ["database backup"]);
    let text = stack.well(&["rotate", "--abort"]);
    assert!(text.contains("other values are in use"), "{text}");
    stack.is_consistent("forgotten");

    // One that had switched already is forgotten too, but none that data may be encrypted with.
    for (name, stages, forgotten) in [
        ("JWT_SECRET", 2, true),
        ("CREDENTIAL_ENCRYPTION_KEY", 3, false),
    ] {
        let stack = Stack::new();
        stack.well(&["rotate", name, "--step"]);
        let id = stack.entries().pop().unwrap().plan.unwrap();
        for _ in 1..stages {
            stack.well(&["rotate", "--resume", "--step"]);
        }
        let bundle = match name {
            "JWT_SECRET" => stack.path("vault/production/user-auth.age"),
            _ => stack.path("vault/production/encryption-key.age"),
        };
        let other = format!("{name}: \"{}\"", "another value ".repeat(4));
        let sealed = Command::new("sh")
            .args([
                "-c",
                "echo \"$0\" | age -a -R vault/production/.age-recipients",
                &other,
            ])
            .current_dir(stack.path(""))
            .output()
            .expect("age: run tests/install");
        fs::write(&bundle, sealed.stdout).unwrap();
        let text = stack.refused(&["rotate", "--rollback"]);
        assert!(text.contains("somebody changed it meanwhile"), "{text}");
        let abort = stack.run(&["rotate", "--abort", &id]);
        assert_eq!(abort.status.success(), forgotten, "{name}: {abort:?}");
        assert_eq!(stack.in_flight().is_empty(), forgotten);
    }
}

#[test]
fn a_reader_who_is_removed_meanwhile_reads_no_new_value_that_stays() {
    let stack = Stack::new();
    let kim = stack.folder.path().join("kim.txt");
    let key = stack.well(&["keygen", "-o", kim.to_str().unwrap()]);
    let key = key.trim().strip_prefix("Public key: ").unwrap().to_owned();
    stack.well(&["rotate", "JWT_SECRET", "--step"]);
    let read_by_kim = || {
        let mut kims = dotage::vault::Identities::none(std::sync::Arc::new(dotage::vault::Nobody));
        kims.add(&fs::read(&kim).unwrap(), "kim").unwrap();
        let vault = dotage::vault::Vault::at(&stack.path("vault/production"));
        let id = vault.rotations().unwrap().into_keys().next().unwrap();
        vault.open_rotation(&id, &kims).is_ok()
    };
    assert!(!read_by_kim());
    let text = stack.well(&["recipients", "add", &key]);
    assert!(read_by_kim() && text.contains(".rotation.age"), "{text}");
    let text = stack.well(&["recipients", "remove", &key]);
    assert!(
        !read_by_kim() && text.contains("dotage rotate --must"),
        "{text}"
    );
    // By hand, as a text editor does it.
    let recipients = stack.text("vault/production/.age-recipients");
    stack.put(
        "vault/production/.age-recipients",
        &format!("{recipients}{key}\n"),
        0o644,
    );
    stack.well(&["recipients", "apply"]);
    assert!(read_by_kim());
    stack.put("vault/production/.age-recipients", &recipients, 0o644);
    let check = stack.run(&["check", "--no-vault"]);
    assert!(
        said(&check).contains("the readers of rotation"),
        "{check:?}"
    );
    stack.well(&["recipients", "apply"]);
    assert!(!read_by_kim());
    let verified = stack.run(&["log", "verify"]);
    assert!(verified.status.success(), "{verified:?}");

    // The value in flight was one that Kim could read: it is no end of what Kim knows.
    stack.well(&["rotate", "--resume"]);
    stack.is_consistent("resumed");
    let must = stack.well(&["rotate", "--must", "--in-window"]);
    assert!(must.contains("JWT_SECRET: rotated"), "{must}");
    let must = stack.well(&["rotate", "--must", "--in-window"]);
    assert!(must.contains("nothing to rotate"), "{must}");
}

#[test]
fn a_value_by_default_is_replaced_by_a_typed_one_and_comes_back() {
    let stack = Stack::new();
    assert!(!stack.values().contains_key("POSTGRES_USER"));
    let rotate = ["rotate", "POSTGRES_USER", "--in-window"];
    let typed = |value: &str| {
        let mut command = stack.command(&rotate, &[]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(value.as_bytes());
        child.wait_with_output().unwrap()
    };
    let output = typed("freeboard_two");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(stack.values()["POSTGRES_USER"], b"freeboard_two");
    stack.is_consistent("replaced");
    stack.well(&["unset", "POSTGRES_USER"]);
    stack.well(&["render", "compose"]);
    stack.put("world/broken-verify-login", "", 0o600);
    let output = typed("freeboard_three");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    stack.remove("world/broken-verify-login");
    stack.well(&["rotate", "--rollback"]);
    assert_eq!(stack.values()["POSTGRES_USER"], b"freeboard_app");
    stack.is_consistent("rolled back");
}

#[test]
fn a_vault_in_the_projects_folder_and_values_in_base64_rotate_alike() {
    for vault in ["vault.age", "eu.prod", "."] {
        let stack = Stack::new();
        let inventory = format!(
            "profiles: {{ production: {{ vault: {vault} }} }}\nservices: {{ api: {{ deploy: cat .env }} }}\nvariables:\n  BYTES: {{ purpose: bytes, used_by: [api], base64: true, format: {{ token: {{ bytes: 48 }} }}, rotation: {{ before: 'printf %s \"$BYTES_OLD\" > old; printf %s \"$BYTES_NEW\" > new', verify: test -e works }} }}\n"
        );
        for file in ["dotage.yaml", "operations.jsonl"] {
            stack.remove(file);
        }
        stack.put("dotage.yaml", &inventory, 0o644);
        let home = stack.path(if vault == "eu.prod" { "eu.prod" } else { "" });
        fs::create_dir_all(&home).unwrap();
        fs::copy(
            stack.path("vault/.age-recipients"),
            home.join(".age-recipients"),
        )
        .unwrap();
        stack.well(&["generate", "BYTES"]);
        let old = stack.well(&["get", "BYTES"]);
        // From a folder of it, as much as from its own.
        let failed = stack.run(&["-C", "templates", "rotate", "BYTES"]);
        assert_eq!(failed.status.code(), Some(2), "{vault}: {failed:?}");
        let new = stack.text("new");
        assert!(stack.text("old") == old && new != old, "{vault}");
        let check = stack.run(&["-C", "templates", "check", "--no-vault"]);
        assert!(
            said(&check).contains("is not finished"),
            "{vault}: {check:?}"
        );
        stack.put("works", "", 0o644);
        stack.well(&["-C", "templates", "rotate", "--resume"]);
        assert_eq!(stack.well(&["get", "BYTES"]), new, "{vault}");
        let verified = stack.run(&["log", "verify"]);
        assert!(verified.status.success(), "{vault}: {verified:?}");
        let left = stack.files();
        let left = left
            .iter()
            .find(|(path, ..)| path.ends_with(".rotation.age"));
        assert!(left.is_none(), "{vault}: {}", left.unwrap().0);
    }
}
