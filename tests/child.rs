//! What `child` promises, with real editors, signals and terminals: nothing outside memory, nothing left behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dotage::child;
use dotage::problem::{Place, Problem};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const INITIAL: &str = "A: \"one\"\nB: \"canary-7f3a\"\n";

/// This test binary edits, or hardens itself, when it is run again with one of these variables.
#[test]
fn a_process_of_its_own_edits_or_is_hardened() {
    if std::env::var_os("EDIT").is_some() {
        let mut validate = |bytes: &[u8]| match bytes.windows(3).position(|w| w == b"bad") {
            Some(at) => {
                let line = bytes[..at].iter().filter(|b| **b == b'\n').count() + 1;
                Err(Problem::new("bad", "is bad").at(Place::at("secrets.yaml", line, 1)))
            }
            None => Ok(()),
        };
        match child::edit(INITIAL.as_bytes(), "secrets.yaml", &mut validate) {
            Ok(Some(bytes)) => println!("\nedited: {:?}", String::from_utf8_lossy(&bytes)),
            Ok(None) => println!("\nedited: not"),
            Err(problem) => println!("\nedited: {}: {problem}", problem.rule),
        }
        return;
    }
    if std::env::var_os("HARDEN").is_some() {
        let start = Instant::now();
        child::harden();
        println!("\nhardened in {:?}", start.elapsed());
        let limits = fs::read_to_string("/proc/self/limits").unwrap();
        let core = limits.lines().find(|l| l.starts_with("Max core")).unwrap();
        println!("core: {:?}", core.split_whitespace().collect::<Vec<_>>());
        println!("{:?}", rustix::process::dumpable_behavior().unwrap());
        return;
    }
    let output = this("HARDEN").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(r#""file", "size", "0", "#), "{text}");
    assert!(text.contains("\nNotDumpable\n"), "{text}");
}

fn this(variable: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "a_process_of_its_own_edits_or_is_hardened"])
        .arg("--nocapture")
        .env(variable, "1");
    command
}

/// A folder in memory for one editing, and a folder for its scripts.
struct Desk {
    memory: tempfile::TempDir,
    disk: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Desk {
            memory: tempfile::tempdir_in("/dev/shm").unwrap(),
            disk: tempfile::tempdir().unwrap(),
        }
    }

    /// An editor: a shell script, known by the name it is given.
    fn script(&self, name: &str, script: &str) -> String {
        let path = self.disk.path().join(name);
        let text = format!("#!/bin/sh\ncd {}\n{script}\n", self.disk.path().display());
        dotage::file::create(&path, text.as_bytes(), 0o700).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn editing(&self, editor: &str) -> Command {
        let mut command = this("EDIT");
        command
            .env("DOTAGE_EDITOR", editor)
            .env("XDG_RUNTIME_DIR", self.memory.path())
            .env("HOME", self.disk.path())
            .stdin(Stdio::null());
        command
    }

    /// What the editing ends in; whatever it is, nothing is left.
    fn edited(&self, editor: &str) -> String {
        let output = self.editing(editor).output().unwrap();
        let end = end(&output.stdout);
        self.assert_clean();
        end
    }

    fn assert_clean(&self) {
        let left: Vec<PathBuf> = fs::read_dir(self.memory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }

    fn said(&self, name: &str) -> String {
        fs::read_to_string(self.disk.path().join(name)).unwrap()
    }
}

fn end(stdout: &[u8]) -> String {
    let text = String::from_utf8_lossy(stdout).replace('\r', "");
    let (_, end) = text
        .split_once("\nedited: ")
        .unwrap_or_else(|| panic!("{text}"));
    end.lines().next().unwrap().to_owned()
}

fn wait_for(path: &Path) {
    let start = Instant::now();
    while !path.metadata().is_ok_and(|stat| stat.len() > 0) {
        assert!(start.elapsed() < Duration::from_secs(10), "no {path:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_edit_gives_the_new_bytes_and_an_unchanged_file_gives_none() {
    let desk = Desk::new();
    assert_eq!(
        desk.edited("sed -i 's/one/two three/'"),
        r#""A: \"two three\"\nB: \"canary-7f3a\"\n""#
    );
    assert_eq!(desk.edited("true"), "not");
    assert_eq!(desk.edited("touch"), "not");
}

#[test]
fn the_file_is_private_in_memory_and_the_editor_gets_no_identity() {
    let desk = Desk::new();
    let editor = desk.script(
        "editor",
        "stat -c '%a %n' \"$1\" \"${1%/*}\" > stat; stat -f -c %T \"$1\" > type; env > environment",
    );
    let output = desk
        .editing(&editor)
        .env("DOTAGE_IDENTITY", "AGE-SECRET-KEY-1CANARY")
        .output()
        .unwrap();
    assert_eq!(end(&output.stdout), "not");
    let (stat, kind) = (desk.said("stat"), desk.said("type"));
    let modes: Vec<&str> = stat.lines().map(|line| &line[..3]).collect();
    assert_eq!(modes, ["600", "700"]);
    assert!(
        stat.contains("/secrets.yaml\n") && kind == "tmpfs\n",
        "{stat} {kind}"
    );
    let environment = desk.said("environment");
    assert!(!environment.contains("CANARY"), "{environment}");
    let own = format!("TMPDIR={}/dotage-edit-", desk.memory.path().display());
    assert!(environment.contains(&own), "{environment}");
}

#[test]
fn a_refused_text_is_opened_again_at_its_line_with_nothing_lost() {
    let desk = Desk::new();
    let editor = desk.script(
        "vi",
        "echo \"$@\" >> arguments; for file; do :; done
        if grep -q bad \"$file\"; then sed -i s/bad/good/ \"$file\"
        else printf 'C: bad\\nD: kept\\n' >> \"$file\"; fi",
    );
    let end = desk.edited(&editor);
    assert!(end.contains(r"C: good\nD: kept\n"), "{end}");
    let arguments = desk.said("arguments");
    let first: Vec<&str> = arguments
        .lines()
        .map(|l| l.split(' ').next().unwrap())
        .collect();
    assert!(first[0].ends_with("/secrets.yaml"), "{arguments}");
    assert_eq!(first[1], "+3", "{arguments}");
}

#[test]
fn an_editor_that_leaves_a_refused_text_ends_in_its_problem() {
    let desk = Desk::new();
    let editor = desk.script("editor", "grep -q bad \"$1\" || echo bad >> \"$1\"");
    assert_eq!(desk.edited(&editor), "bad: secrets.yaml:3:1: is bad");
}

#[test]
fn an_editor_that_fails_or_still_runs_changes_nothing_and_leaves_nothing() {
    let desk = Desk::new();
    let end = desk.edited(&desk.script("fails", "echo new > \"$1\"; exit 1"));
    assert!(end.ends_with("exited with 1"), "{end}");
    let end = desk.edited(&desk.script(
        "swaps",
        "echo new > \"$1\"; : > \"${1%/*}/.secrets.yaml.swp\"",
    ));
    assert!(end.contains("left a swap file"), "{end}");
    let end = desk.edited("no-such-editor");
    assert!(end.contains("there is no such command"), "{end}");
    let litter = "mkdir \"${1%/*}/v1\"; cp \"$1\" \"${1%/*}/v1/4913\"; cp \"$1\" \"$1~\"; echo 'D: x' >> \"$1\"";
    assert!(
        desk.edited(&desk.script("litters", litter))
            .contains("D: x")
    );
}

#[test]
fn without_a_folder_in_memory_nothing_is_written() {
    assert!(rustix::process::geteuid().is_root(), "run as root");
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let desk = Desk::new();
    let editing = desk.editing("touch");
    let script = "mount --bind \"$XDG_RUNTIME_DIR\" /dev/shm; exec \"$@\"";
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-ec", script, "sh"])
        .arg(editing.get_program())
        .args(editing.get_args())
        .env("EDIT", "1")
        .env("DOTAGE_EDITOR", "touch")
        .env("XDG_RUNTIME_DIR", disk.path());
    let end = end(&command.output().expect("run tests/install").stdout);
    assert!(end.starts_with("no-memory-folder:"), "{end}");
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 0);
}

/// An editing whose editor sleeps, having told that it runs.
fn sleeping(desk: &Desk) -> Child {
    let editor = desk.script(
        "sleeps",
        "echo new >> \"$1\"; echo $$ > runs; exec sleep 30",
    );
    let child = desk
        .editing(&editor)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(&desk.disk.path().join("runs"));
    child
}

fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn a_signal_that_ends_us_ends_the_editor_and_leaves_nothing() {
    use rustix::process::Signal;
    for end_signal in [Signal::TERM, Signal::HUP] {
        let desk = Desk::new();
        let child = sleeping(&desk);
        let start = Instant::now();
        signal(child.id(), end_signal);
        let output = child.wait_with_output().unwrap();
        assert!(
            end(&output.stdout).starts_with("interrupted:"),
            "{end_signal:?}"
        );
        assert!(start.elapsed() < Duration::from_secs(5));
        desk.assert_clean();
        let editor = format!("/proc/{}", desk.said("runs").trim());
        assert!(!Path::new(&editor).exists(), "the editor still runs");
    }
}

#[test]
fn an_editor_that_ignores_the_end_is_killed() {
    let desk = Desk::new();
    let editor = desk.script(
        "stays",
        "trap '' TERM; echo $$ > runs; while :; do sleep 1; done",
    );
    let child = desk
        .editing(&editor)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(&desk.disk.path().join("runs"));
    signal(child.id(), rustix::process::Signal::TERM);
    let output = child.wait_with_output().unwrap();
    assert!(end(&output.stdout).starts_with("interrupted:"));
    desk.assert_clean();
}

#[test]
fn an_interrupt_while_the_editor_runs_is_the_editors() {
    let desk = Desk::new();
    let child = sleeping(&desk);
    signal(child.id(), rustix::process::Signal::INT);
    std::thread::sleep(Duration::from_millis(50));
    let editor: u32 = desk.said("runs").trim().parse().unwrap();
    signal(editor, rustix::process::Signal::INT);
    let output = child.wait_with_output().unwrap();
    let end = end(&output.stdout);
    assert!(end.ends_with("was killed by signal 2"), "{end}");
    desk.assert_clean();
}

#[test]
fn what_a_killed_editing_left_is_wiped_by_the_next_and_one_in_use_is_not() {
    let desk = Desk::new();
    let mut killed = sleeping(&desk);
    let editor = desk.script("other", "ls \"${1%/*}/..\" | wc -l > count");
    let in_use = desk.editing(&editor).output().unwrap();
    assert_eq!(end(&in_use.stdout), "not");
    assert_eq!(
        desk.said("count").trim(),
        "2",
        "the other's folder stays while it is in use"
    );
    killed.kill().unwrap();
    killed.wait().unwrap();
    signal(
        desk.said("runs").trim().parse().unwrap(),
        rustix::process::Signal::KILL,
    );
    assert_eq!(fs::read_dir(desk.memory.path()).unwrap().count(), 1);
    assert_eq!(desk.edited(&editor), "not");
    assert_eq!(desk.said("count").trim(), "1");
}

/// An editing at a terminal of its own, through `script` of util-linux.
fn at_a_terminal(desk: &Desk, editor: &str) -> Command {
    let editing = desk.editing(editor);
    let mut line = editing.get_program().to_str().unwrap().to_owned();
    for argument in editing.get_args() {
        line.push(' ');
        line.push_str(argument.to_str().unwrap());
    }
    let mut command = Command::new("script");
    command
        .args(["-qefc", &line, "/dev/null"])
        .env("TERM", "xterm");
    for (name, value) in editing.get_envs() {
        command.env(name, value.unwrap());
    }
    command
}

#[test]
fn vim_writes_nothing_elsewhere_whatever_its_settings_say() {
    let desk = Desk::new();
    let home = desk.disk.path();
    let settings = "set backup writebackup undofile swapfile updatecount=1 viminfo='100,<1000
        set backupdir=~/hidden directory=~/hidden undodir=~/hidden\n";
    for name in [".vimrc", ".viminfo"] {
        let settings = if name == ".vimrc" { settings } else { "" };
        dotage::file::create(&home.join(name), settings.as_bytes(), 0o600).unwrap();
    }
    fs::create_dir(home.join("hidden")).unwrap();
    let editor = "vim -c 'normal Gyyp' -c 's/canary/changed-canary/' -c 'w' -c 'normal yy' -c 'wq'";
    let output = at_a_terminal(&desk, editor)
        .stdin(Stdio::null())
        .output()
        .expect("script: run tests/install");
    let end = end(&output.stdout);
    assert!(end.contains(r#"B: \"changed-canary-7f3a\"\n"#), "{end}");
    desk.assert_clean();
    assert_eq!(fs::read_dir(home.join("hidden")).unwrap().count(), 0);
    let holding = Command::new("grep")
        .args(["-rl", "canary-7f3a"])
        .arg(home)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&holding.stdout), "");
    fs::set_permissions(home, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn ctrl_c_at_the_question_drops_the_changes_and_leaves_nothing() {
    let desk = Desk::new();
    let editor = desk.script("editor", "echo bad >> \"$1\"");
    let mut terminal = at_a_terminal(&desk, &editor)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script: run tests/install");
    let mut keys = terminal.stdin.take().unwrap();
    let mut screen = BufReader::new(terminal.stdout.take().unwrap());
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("Ctrl-C to drop") {
        assert!(screen.read_until(b':', &mut seen).unwrap() > 0);
    }
    std::io::Write::write_all(&mut keys, b"\n").unwrap();
    let twice = |seen: &[u8]| {
        String::from_utf8_lossy(seen)
            .matches("Ctrl-C to drop")
            .count()
            > 1
    };
    while !twice(&seen) {
        assert!(screen.read_until(b':', &mut seen).unwrap() > 0);
    }
    std::io::Write::write_all(&mut keys, b"\x03").unwrap();
    std::io::Read::read_to_end(&mut screen, &mut seen).ok();
    assert!(
        end(&seen).starts_with("interrupted:"),
        "{}",
        String::from_utf8_lossy(&seen)
    );
    terminal.wait().unwrap();
    desk.assert_clean();
}
