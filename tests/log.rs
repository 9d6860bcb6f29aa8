//! `dotage log verify`: what was done to the journal or to a vault behind dotage's back is found, and a merge is none of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const INVENTORY: &str = r"
profiles:
  production: { vault: vault/production/ }
services: { api: {} }
variables:
  ONE: { purpose: in the first bundle, used_by: [api], bundle: first }
  TWO: { purpose: in the second, used_by: [api], bundle: second }
";
const FIRST: &str = "vault/production/first.age";
const SECOND: &str = "vault/production/second.age";
const JOURNAL: &str = "operations.jsonl";

/// A home with an identity, and clones of a project in it.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    /// The project as clone `a`: four entries, in a repository of git.
    fn new() -> Home {
        let home = Home {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(home.folder.path().join("a")).unwrap();
        home.well("a", &["init", "."], "");
        home.put("a", "dotage.yaml", INVENTORY);
        for (name, value) in [("ONE", "one"), ("TWO", "two"), ("ONE", "one again")] {
            home.well("a", &["set", name], value);
        }
        home.git("a", &["init", "-q", "-b", "main"]);
        home.commit("a", "begin");
        home
    }

    fn path(&self, clone: &str, inside: &str) -> PathBuf {
        self.folder.path().join(clone).join(inside)
    }

    fn read(&self, clone: &str, inside: &str) -> Vec<u8> {
        fs::read(self.path(clone, inside)).unwrap()
    }

    fn put(&self, clone: &str, inside: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(clone, inside), bytes).unwrap();
    }

    fn lines(&self, clone: &str) -> Vec<String> {
        let text = String::from_utf8(self.read(clone, JOURNAL)).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn put_lines(&self, clone: &str, lines: &[String]) {
        self.put(clone, JOURNAL, lines.join("\n") + "\n");
    }

    fn run(&self, clone: &str, args: &[&str], stdin: &str) -> Output {
        use std::io::Write;
        let mut child = Command::new(env!("CARGO_BIN_EXE_dotage"))
            .args(args)
            .current_dir(self.path(clone, ""))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path())
            .env("DOTAGE_ACTOR", clone)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn well(&self, clone: &str, args: &[&str], stdin: &str) {
        let output = self.run(clone, args, stdin);
        assert!(output.status.success(), "{args:?}: {output:?}");
    }

    /// The rule and the place of each problem that it finds.
    fn verify(&self, clone: &str) -> Vec<String> {
        let output = self.run(clone, &["log", "verify", "--json"], "");
        let found: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {output:?}"));
        let problems = found.as_array().unwrap();
        let said = problems.iter().map(|problem| {
            format!(
                "{} {}",
                problem["rule"].as_str().unwrap(),
                problem["path"].as_str().unwrap()
            )
        });
        let said: Vec<String> = said.collect();
        let errors = problems
            .iter()
            .any(|problem| problem["severity"] == "error");
        assert_eq!(output.status.code(), Some(i32::from(errors)), "{output:?}");
        said
    }

    fn git(&self, clone: &str, args: &[&str]) {
        let output = self.try_git(clone, args);
        assert!(output.status.success(), "{args:?}: {output:?}");
    }

    fn try_git(&self, clone: &str, args: &[&str]) -> Output {
        Command::new("git")
            .args(["-c", "user.name=ann", "-c", "user.email=ann@example.org"])
            .args(args)
            .current_dir(self.path(clone, ""))
            .env("HOME", self.folder.path())
            .output()
            .expect("git: run tests/install")
    }

    fn commit(&self, clone: &str, message: &str) {
        self.git(clone, &["add", "-A"]);
        self.git(clone, &["commit", "-q", "-m", message]);
    }
}

#[test]
fn what_was_done_by_dotage_alone_is_whole() {
    let home = Home::new();
    assert_eq!(home.lines("a").len(), 4);
    assert!(home.verify("a").is_empty());
    // Nobody needs a key for it.
    fs::remove_dir_all(home.folder.path().join(".config")).unwrap();
    assert!(home.verify("a").is_empty());
}

#[test]
fn an_entry_that_was_cut_out_or_altered_is_missed_by_the_next() {
    let home = Home::new();
    let lines = home.lines("a");
    for line in 0..3 {
        let mut without = lines.clone();
        without.remove(line);
        home.put_lines("a", &without);
        let found = home.verify("a");
        assert!(
            found.contains(&format!("journal-cut {JOURNAL}")),
            "{line}: {found:?}"
        );
        let mut altered = lines.clone();
        altered[line] = altered[line].replace("\"actor\":\"a\"", "\"actor\":\"b\"");
        assert_ne!(altered, lines);
        home.put_lines("a", &altered);
        let found = home.verify("a");
        assert!(
            found.contains(&format!("journal-cut {JOURNAL}")),
            "{line}: {found:?}"
        );
    }
    // The end of a journal is missed by the vault that it told of.
    home.put_lines("a", &lines[..3]);
    assert_eq!(home.verify("a"), [format!("untold {FIRST}")]);
    fs::remove_file(home.path("a", JOURNAL)).unwrap();
    assert_eq!(
        home.verify("a"),
        [format!("untold {FIRST}"), format!("untold {SECOND}")]
    );
}

#[test]
fn entries_that_changed_places_are_found() {
    let home = Home::new();
    let mut lines = home.lines("a");
    lines.swap(1, 2);
    home.put_lines("a", &lines);
    assert_eq!(home.verify("a"), [format!("journal-order {JOURNAL}")]);
}

#[test]
fn an_entry_appended_by_hand_names_none_or_a_wrong_one_before_it() {
    let home = Home::new();
    let lines = home.lines("a");
    let entry = |before: &str| {
        format!(
            "{{\"time\":\"2026-11-25T04:41:00Z\",\"actor\":\"eve\",\"action\":\"set\",\"before\":[{before}]}}"
        )
    };
    let nobody = format!("\"{}\"", "0".repeat(64));
    for (line, rule) in [
        (entry(""), "journal-begins"),
        (entry(&nobody), "journal-cut"),
        ("eve was here".to_owned(), "journal"),
    ] {
        home.put_lines("a", &[lines.clone(), vec![line]].concat());
        assert_eq!(home.verify("a"), [format!("{rule} {JOURNAL}")]);
    }
}

#[test]
fn an_old_a_swapped_and_an_edited_vault_are_told_apart() {
    let home = Home::new();
    let old = home.read("a", FIRST);
    home.well("a", &["set", "ONE"], "newer");
    let new = home.read("a", FIRST);
    home.put("a", FIRST, &old);
    assert_eq!(home.verify("a"), [format!("replaced {FIRST}")]);
    home.put("a", FIRST, home.read("a", SECOND));
    assert_eq!(home.verify("a"), [format!("swapped {FIRST}")]);
    let by_hand = Command::new("sh")
        .args([
            "-c",
            "echo 'ONE: \"by hand\"' | age -a -R vault/production/.age-recipients",
        ])
        .current_dir(home.path("a", ""))
        .output()
        .unwrap();
    assert!(
        by_hand.status.success(),
        "age: run tests/install: {by_hand:?}"
    );
    home.put("a", FIRST, &by_hand.stdout);
    assert_eq!(home.verify("a"), [format!("untold {FIRST}")]);
    // The next change by dotage says that it found it so.
    home.well("a", &["set", "ONE"], "newest");
    assert!(home.verify("a").is_empty());
    assert!(
        home.lines("a")
            .iter()
            .any(|line| line.contains("\"outcome\":\"found\""))
    );
    home.put("a", FIRST, &new);
    assert_eq!(home.verify("a"), [format!("replaced {FIRST}")]);
}

#[test]
fn a_torn_last_line_is_none() {
    let home = Home::new();
    let whole = home.read("a", JOURNAL);
    home.well("a", &["set", "TWO"], "newer");
    let longer = home.read("a", JOURNAL);
    for torn in [whole.len() + 1, whole.len() + 40, longer.len() - 2] {
        home.put("a", JOURNAL, &longer[..torn]);
        // The kill that tore it came after the vault was written.
        assert_eq!(home.verify("a"), [format!("untold {SECOND}")], "{torn}");
        home.well("a", &["set", "TWO"], &format!("{torn} bytes"));
        assert!(home.verify("a").is_empty(), "{torn}");
        let vault = home.read("a", SECOND);
        assert!(!vault.is_empty());
    }
}

#[test]
fn merged_branches_are_whole_with_the_vault_of_either_side() {
    let home = Home::new();
    home.git("a", &["clone", "-q", ".", "../b"]);
    let base = home.read("a", FIRST);
    home.well("a", &["set", "ONE"], "of a");
    home.commit("a", "a");
    home.well("b", &["set", "ONE"], "of b");
    home.well("b", &["set", "TWO"], "of b alone");
    home.commit("b", "b");
    home.git("b", &["fetch", "-q", "origin"]);
    let merged = home.try_git("b", &["merge", "-q", "-m", "merge", "origin/main"]);
    // The vault conflicts, as ciphertexts do; the journal doesn't.
    let said = String::from_utf8_lossy(&merged.stdout).into_owned();
    assert!(
        said.contains(FIRST) && !said.contains(&format!("conflict in {JOURNAL}")),
        "{merged:?}"
    );
    for side in ["--ours", "--theirs"] {
        home.git("b", &["checkout", "-q", side, "--", FIRST]);
        assert!(home.verify("b").is_empty(), "{side}");
    }
    home.commit("b", "merge");
    let kept = home.read("b", FIRST);
    home.put("b", FIRST, &base);
    assert_eq!(home.verify("b"), [format!("replaced {FIRST}")]);
    home.put("b", FIRST, &kept);
    // The next entry names both ends.
    home.well("b", &["set", "ONE"], "of both");
    assert!(home.verify("b").is_empty());
    let last = home.lines("b").pop().unwrap();
    let (_, before) = last.rsplit_once("\"before\":").unwrap();
    assert_eq!(before.matches(',').count(), 1, "{last}");
    home.put("b", FIRST, &kept);
    assert_eq!(home.verify("b"), [format!("replaced {FIRST}")]);
}
