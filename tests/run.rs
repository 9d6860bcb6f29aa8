//! What `dotage run` promises, by real programs, signals and terminals.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::zombie_processes
)]

use pty_process::blocking::Pty;
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const DOTAGE: &str = env!("CARGO_BIN_EXE_dotage");
const SECRET: &str = "correct-horse-battery-staple";

const INVENTORY: &str = r#"
profiles:
  development: { vault: vault/development.age, contract: lenient }
  production: { vault: vault/production.age }
services:
  api: { environment: [process, first.env, vault, second.env] }
  worker: {}
  open: {}
  legacy: { environment: [over.env, process, vault] }
  steered: {}
variables:
  SECRET: { purpose: a secret, used_by: [api, worker, legacy] }
  OTHER: { purpose: another, used_by: [api, worker], required: false }
  HOST: { purpose: no secret, used_by: [open], sensitive: false, defaults: { development: localhost } }
  NODE_OPTIONS: { purpose: meant, used_by: [steered], steers_process: true, sensitive: false, defaults: { development: --no-warnings } }
  NEEDED: { purpose: is missing, used_by: [steered], required: [production] }
"#;

/// A home with an identity, and a project with one secret.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Desk {
        let desk = Desk {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(desk.path("")).unwrap();
        desk.well(&["init"]);
        desk.put("dotage.yaml", INVENTORY);
        desk.set("SECRET", SECRET);
        desk
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join("project").join(inside)
    }

    fn put(&self, inside: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(inside), text).unwrap();
    }

    fn set(&self, name: &str, value: &str) {
        let file = self.folder.path().join("value");
        fs::write(&file, value).unwrap();
        self.well(&["set", name, "--from-file", file.to_str().unwrap()]);
    }

    /// dotage in the project, with nothing but a home and a path in its environment.
    fn dotage(&self, args: &[&str]) -> Command {
        let mut command = Command::new(DOTAGE);
        command
            .args(args)
            .current_dir(self.path(""))
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", std::env::var("PATH").unwrap())
            .stdin(Stdio::null());
        command
    }

    fn well(&self, args: &[&str]) {
        let output = self.dotage(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
    }

    /// `dotage run … -- sh -c SCRIPT`, its output through pipes and so redacted.
    fn run(&self, options: &[&str], script: &str) -> Output {
        self.running(options, script).output().unwrap()
    }

    fn running(&self, options: &[&str], script: &str) -> Command {
        let mut command = self.dotage(&["run"]);
        command.args(options).args(["--", "sh", "-c", script]);
        command
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\r', "")
}

/// The exit code, as a shell tells it.
fn code(output: &Output) -> i32 {
    let signal = output.status.signal().map(|signal| 128 + signal);
    output.status.code().or(signal).unwrap()
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// Reads until `wanted` has come.
fn until(from: &mut impl Read, wanted: &str) -> String {
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    while !text(&seen).contains(wanted) {
        let read = from.read(&mut buffer).unwrap_or(0);
        assert!(read > 0, "no {wanted:?}: {}", text(&seen));
        seen.extend_from_slice(&buffer[..read]);
    }
    text(&seen)
}

fn wait_for(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_exit_code_is_the_programs_and_125_before_it_began() {
    let desk = Desk::new();
    for redact in ["auto", "never", "always"] {
        let run = |script: &str| code(&desk.run(&["--redact", redact], script));
        assert_eq!(run("exit 0"), 0, "{redact}");
        assert_eq!(run("exit 7"), 7, "{redact}");
        assert_eq!(run("kill -TERM $$"), 128 + 15, "{redact}");
        assert_eq!(run("kill -KILL $$"), 128 + 9, "{redact}");
        let of = |program: &str| {
            let output = desk
                .dotage(&["run", "--redact", redact, "--", program])
                .output()
                .unwrap();
            (code(&output), text(&output.stderr))
        };
        let (missing, said) = of("no-such-program");
        assert_eq!(missing, 127, "{redact}");
        assert!(
            said.starts_with("`no-such-program` can't be started: there is no such command\n"),
            "{said}"
        );
        assert_eq!(of("./dotage.yaml").0, 126, "{redact}");
        assert_eq!(of("/").0, 126, "{redact}");
    }
    let failed = |args: &[&str]| code(&desk.dotage(args).output().unwrap());
    assert_eq!(failed(&["run", "--no-such-option", "--", "true"]), 125);
    assert_eq!(failed(&["-C", "nowhere", "run", "--", "true"]), 125);
    assert_eq!(failed(&["run", "--profile", "stage", "--", "true"]), 125);
    assert_eq!(failed(&["run", "--service", "web", "--", "true"]), 125);
    let stranger = desk
        .dotage(&["run", "--", "true"])
        .env("HOME", "/nowhere")
        .output()
        .unwrap();
    assert_eq!(code(&stranger), 125, "not 3, which may be the program's");
    let nowhere = desk
        .dotage(&["run", "--", "true"])
        .current_dir("/")
        .output()
        .unwrap();
    assert_eq!(code(&nowhere), 125);
}

#[test]
fn with_nothing_to_redact_the_program_takes_our_place() {
    let desk = Desk::new();
    for options in [&["--redact", "never"][..], &["--service", "open"]] {
        let child = desk
            .running(options, "echo $$ $PPID; cat /proc/$$/comm")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (ours, us) = (child.id(), std::process::id());
        let output = child.wait_with_output().unwrap();
        assert_eq!(text(&output.stdout), format!("{ours} {us}\nsh\n"));
    }
    let child = desk
        .running(&[], "echo $PPID")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let ours = child.id();
    assert_eq!(
        text(&child.wait_with_output().unwrap().stdout),
        format!("{ours}\n")
    );
}

/// What we change for ourselves (no core files, SIGPIPE ignored) and what we watch is as it was for the program.
#[test]
fn the_program_starts_as_it_would_without_us() {
    let desk = Desk::new();
    // Signals 32 and 33 are the C library's own affair.
    let script = "grep SigBlk /proc/self/status
        ignored=$(sed -n 's/SigIgn:\t/0x/p' /proc/self/status); echo $((ignored & 0x7fffffff))
        ulimit -Sc; ulimit -Hc; ls /proc/self/fd";
    let under = |trap: &str, words: &[&str]| {
        let mut command = desk.dotage(&[]);
        let outer = format!("trap '' {trap}; exec prlimit --core=4096:8192 \"$@\"");
        command = {
            let mut sh = Command::new("sh");
            sh.args(["-c", &outer, "sh"])
                .args(words)
                .args(["sh", "-c", script])
                .env_clear()
                .envs(
                    command
                        .get_envs()
                        .filter_map(|(name, value)| Some((name, value?))),
                )
                .current_dir(desk.path(""))
                .stdin(Stdio::null());
            sh
        };
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        text(&output.stdout)
    };
    for trap in ["HUP", "INT QUIT", "USR1"] {
        let direct = under(trap, &["env"]);
        // In blocks of 512 bytes.
        assert!(direct.contains("\n8\n16\n"), "{direct}");
        assert_eq!(
            under(trap, &[DOTAGE, "run", "--redact", "never", "--"]),
            direct
        );
        assert_eq!(under(trap, &[DOTAGE, "run", "--"]), direct);
    }
}

#[test]
fn the_program_has_its_variables_and_no_way_to_an_identity() {
    let desk = Desk::new();
    let identity =
        fs::read_to_string(desk.folder.path().join(".config/dotage/identity.txt")).unwrap();
    let key = identity
        .lines()
        .find(|line| line.starts_with("AGE-SECRET-KEY-1"))
        .unwrap();
    for redact in ["never", "always"] {
        let output = desk
            .running(
                &["--service", "worker", "--redact", redact],
                "tr '\\0' '\\n' </proc/$$/environ | base64 -w0 | rev; echo; tr '\\0' ' ' </proc/$PPID/cmdline",
            )
            .envs([
                ("DOTAGE_IDENTITY", key),
                ("DOTAGE_PROFILE", "development"),
                ("SOPS_AGE_KEY", key),
                ("SOPS_AGE_KEY_FILE", "/x"),
                ("SOPS_AGE_KEY_CMD", "x"),
                ("SOPS_AGE_SSH_PRIVATE_KEY_FILE", "/x"),
                ("LEFT", "alone"),
            ])
            .output()
            .unwrap();
        let printed = text(&output.stdout);
        let (environment, line) = printed.split_once('\n').unwrap();
        // Reversed base64 is nothing that a redactor knows.
        let backwards: String = environment.chars().rev().collect();
        use base64::Engine as _;
        let environment = base64::engine::general_purpose::STANDARD
            .decode(backwards)
            .unwrap();
        let environment = text(&environment);
        assert!(
            environment.contains(&format!("SECRET={SECRET}\n")),
            "{environment}"
        );
        assert!(environment.contains("LEFT=alone\n"), "{environment}");
        assert!(
            !environment.contains("_AGE_") && !environment.contains("IDENTITY"),
            "{environment}"
        );
        assert!(!line.contains(SECRET), "{line}");
        if redact == "always" {
            assert!(line.starts_with(DOTAGE), "{line}");
        }
    }
}

#[test]
fn both_streams_are_redacted_and_nothing_else_changes() {
    let desk = Desk::new();
    let output = desk.run(&[], "printf 'out %s\\n' \"$SECRET\"; printf 'err %s' \"$SECRET\" >&2; printf %s \"$SECRET\" | base64");
    // The last digits of base64 depend on what follows as well, and are not hidden.
    let shown = text(&output.stdout);
    assert!(
        shown.starts_with("out [SECRET]\n[SECRET]") && !shown.contains("Y29ycmVjd"),
        "{shown}"
    );
    assert_eq!(text(&output.stderr), "err [SECRET]");
    for (variable, marker) in [("GITHUB_ACTIONS", "***"), ("GITLAB_CI", "[MASKED]")] {
        let output = desk
            .running(&[], "echo \"$SECRET\"")
            .env(variable, "true")
            .output()
            .unwrap();
        assert_eq!(text(&output.stdout), format!("{marker}\n"));
    }
    // Two megabytes of noise on each stream come through as they are.
    let noise = desk.path("noise");
    let script = "head -c 2000000 /dev/urandom >noise; cat noise; cat noise >&2";
    let output = desk.run(&[], script);
    let bytes = fs::read(noise).unwrap();
    assert!(output.stdout == bytes && output.stderr == bytes);
}

/// With `2>&1` what is written to both streams comes in the order that it was written in.
#[test]
fn streams_that_are_one_stay_in_order() {
    let desk = Desk::new();
    let script = "exec \"$0\" run -- sh -c 'i=0; while [ $i -lt 200 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done; printf correct-horse-; printf battery-staple >&2' 2>&1";
    let output = shell(&desk, script).stdin(Stdio::null()).output().unwrap();
    let expected: String = (0..200).map(|i| format!("o{i}\ne{i}\n")).collect();
    assert_eq!(text(&output.stdout), expected + "[SECRET]");
}

/// A prompt without a line feed is shown before the program waits for the answer, or neither would ever come.
#[test]
fn a_prompt_is_shown_before_its_answer() {
    let desk = Desk::new();
    let script =
        "printf 'your name? '; read name; printf 'and %s? ' \"$name\"; read x; echo \"$x\"";
    let mut child = desk
        .running(&[], script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut keys, mut shown) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    assert_eq!(until(&mut shown, "? "), "your name? ");
    keys.write_all(b"Ann\n").unwrap();
    assert_eq!(until(&mut shown, "? "), "and Ann? ");
    keys.write_all(b"yes\n").unwrap();
    assert!(until(&mut shown, "yes\n").ends_with("yes\n"));
    assert!(child.wait().unwrap().success());
}

/// No wait and no detour: what is read is written by the next system call of the same thread.
#[test]
fn what_is_read_is_written_by_the_next_system_call() {
    let desk = Desk::new();
    let log = desk.path("log");
    let run = desk.running(&[], "printf 'your name? '; read name");
    let output = Command::new("strace")
        .args(["-f", "-qq", "-o", log.to_str().unwrap(), DOTAGE])
        .args(run.get_args())
        .env_clear()
        .envs(
            run.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir(desk.path(""))
        .stdin(Stdio::null())
        .output()
        .expect("strace: run tests/install");
    assert_eq!(text(&output.stdout), "your name? ");
    let log = fs::read_to_string(log).unwrap();
    let line = log
        .lines()
        .find(|line| line.contains("read(") && line.contains("\"your name? \""))
        .or_else(|| {
            log.lines()
                .find(|line| line.contains("read resumed") && line.contains("\"your name? \""))
        })
        .unwrap_or_else(|| panic!("{log}"));
    let thread = line.split(' ').next().unwrap();
    let next = log
        .lines()
        .skip_while(|other| *other != line)
        .skip(1)
        .find(|other| other.split(' ').next() == Some(thread))
        .unwrap();
    assert!(
        next.contains("write(1, \"your name? \", 11"),
        "{line}\n{next}"
    );
}

#[test]
fn signals_are_passed_on() {
    let desk = Desk::new();
    for (name, signal) in [
        ("TERM", Signal::TERM),
        ("INT", Signal::INT),
        ("HUP", Signal::HUP),
        ("QUIT", Signal::QUIT),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
        ("WINCH", Signal::WINCH),
    ] {
        let script = format!(
            "trap 'echo got {name}; exit 3' {name}; echo ready; while :; do sleep 0.05; done"
        );
        let mut child = desk
            .running(&[], &script)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut shown = child.stdout.take().unwrap();
        until(&mut shown, "ready\n");
        kill_process(pid(&child), signal).unwrap();
        assert!(until(&mut shown, "\n").ends_with(&format!("got {name}\n")));
        assert_eq!(child.wait().unwrap().code(), Some(3), "{name}");
    }
    let mut child = desk
        .running(&[], "echo ready; exec sleep 30")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    until(child.stdout.as_mut().unwrap(), "ready\n");
    kill_process(pid(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
}

/// The first process of a container gets no signal that it has no handler for, and every orphan.
#[test]
fn as_the_first_process_it_passes_signals_on_and_lets_orphans_go() {
    assert!(rustix::process::geteuid().is_root(), "run as root");
    let desk = Desk::new();
    let script = "sh -c '(sleep 0.1; touch ended) & :'; while ! test -e ended; do sleep 0.05; done
        i=0; while cat /proc/[0-9]*/stat | grep -q ') Z ' && test $i -lt 100; do sleep 0.05; i=$((i+1)); done; echo $((i < 100))
        trap 'echo got TERM; exit 4' TERM; echo ready; while :; do sleep 0.05; done";
    let run = desk.running(&[], script);
    let mut unshare = Command::new("unshare")
        .args(["--pid", "--fork", "--mount-proc", DOTAGE])
        .args(run.get_args())
        .env_clear()
        .envs(
            run.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir(desk.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare: run tests/install");
    let mut shown = unshare.stdout.take().unwrap();
    assert_eq!(until(&mut shown, "ready\n"), "1\nready\n");
    let (id, mut first) = (unshare.id(), String::new());
    fs::File::open(format!("/proc/{id}/task/{id}/children"))
        .unwrap()
        .read_to_string(&mut first)
        .unwrap();
    let first = Pid::from_raw(first.trim().parse().unwrap()).unwrap();
    kill_process(first, Signal::TERM).unwrap();
    assert_eq!(until(&mut shown, "TERM\n"), "got TERM\n");
    assert_eq!(unshare.wait().unwrap().code(), Some(4));
}

/// A program at a terminal of its own.
struct Terminal {
    pty: Pty,
    child: Child,
}

impl Terminal {
    fn start(command: Command) -> Terminal {
        let (pty, pts) = pty_process::blocking::open().unwrap();
        tcsetwinsize(&pty, size(24, 80)).unwrap();
        let child = pty_process::blocking::Command::from(command)
            .spawn(pts)
            .unwrap();
        Terminal { pty, child }
    }

    fn shows(&mut self, wanted: &str) -> String {
        until(&mut self.pty, wanted)
    }

    fn types(&mut self, keys: &str) {
        self.pty.write_all(keys.as_bytes()).unwrap();
    }

    /// The rest of what is shown, and the exit code.
    fn end(mut self) -> (String, i32) {
        let mut rest = Vec::new();
        // A terminal that nobody has open any more ends in an error.
        let _ = self.pty.read_to_end(&mut rest);
        (text(&rest), self.child.wait().unwrap().code().unwrap())
    }
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

/// The command as a shell's, with a terminal for all that isn't redirected.
fn shell(desk: &Desk, script: &str) -> Command {
    let mut command = desk.dotage(&[]);
    let environment: Vec<_> = command
        .get_envs()
        .map(|(name, value)| (name.to_owned(), value.unwrap().to_owned()))
        .collect();
    command = Command::new("sh");
    command
        .args(["-c", script, DOTAGE])
        .env_clear()
        .envs(environment)
        .current_dir(desk.path(""));
    command
}

#[test]
fn a_terminal_is_the_programs_own_outside_ci_and_a_redacted_one_inside() {
    let desk = Desk::new();
    let script = "\"$0\" run -- sh -c 'echo $PPID; tty; echo \"$SECRET\"'";
    let terminal = Terminal::start(shell(&desk, script));
    let (shown, _) = terminal.end();
    assert!(
        shown.contains(SECRET) && shown.contains("/dev/pts/"),
        "{shown}"
    );
    let mut command = shell(&desk, script);
    command.env("CI", "true");
    let (shown, _) = Terminal::start(command).end();
    assert!(
        shown.contains("[SECRET]") && shown.contains("/dev/pts/"),
        "{shown}"
    );
}

#[test]
fn a_redacted_terminal_is_a_terminal_and_the_users_own_is_left_as_it_was() {
    let desk = Desk::new();
    let script = "stty >before; \"$0\" run --redact always -- sh -c '
            test -t 0 -a -t 1 -a -t 2 && echo terminal; stty size; cut -d\" \" -f8 /proc/$$/stat | grep -cx \"$$\"
            stty -echo; printf \"password? \"; read answer; stty echo; echo \"got $answer\"
            printf %s \"$SECRET\" >&2; exit 5'
        echo \"code $?\"; stty >after; cmp before after && echo unchanged";
    let mut terminal = Terminal::start(shell(&desk, script));
    let shown = terminal.shows("password? ");
    assert_eq!(shown, "terminal\n24 80\n1\npassword? ");
    terminal.types("hidden\r");
    let (shown, _) = terminal.end();
    assert_eq!(shown, "got hidden\n[SECRET]code 5\nunchanged\n");
    // One that ends by a signal leaves it as it was too.
    let script = "stty >before; \"$0\" run --redact always -- sh -c 'kill -TERM $$'; echo \"code $?\"; stty >after; cmp before after && echo unchanged";
    let (shown, _) = Terminal::start(shell(&desk, script)).end();
    assert_eq!(shown, "code 143\nunchanged\n");
}

/// A password is asked on /dev/tty, and a pager behind us reads from it: it stays the user's where stdin is a pipe.
#[test]
fn the_users_terminal_stays_where_the_program_reads_from_a_pipe() {
    let desk = Desk::new();
    let script = "echo piped | \"$0\" run --redact always -- sh -c '
        test -t 1 && cat; stty size <&1; printf \"key? \"; read key </dev/tty; echo \"got $key $SECRET\"'";
    let mut terminal = Terminal::start(shell(&desk, script));
    assert_eq!(terminal.shows("key? "), "piped\n24 80\nkey? ");
    terminal.types("k\r");
    let (shown, code) = terminal.end();
    assert_eq!((shown.as_str(), code), ("k\ngot k [SECRET]\n", 0));
}

#[test]
fn a_redacted_terminal_has_the_size_of_the_users() {
    let desk = Desk::new();
    let script = "exec \"$0\" run --redact always -- sh -c 'trap \"stty size; exit 3\" WINCH; echo ready; while :; do sleep 0.05; done'";
    let mut terminal = Terminal::start(shell(&desk, script));
    terminal.shows("ready");
    tcsetwinsize(&terminal.pty, size(33, 77)).unwrap();
    let (shown, code) = terminal.end();
    assert!(shown.contains("33 77"), "{shown}");
    assert_eq!(code, 3);
}

/// The terminal's Ctrl-C reaches the program's whole group, ours among them: it is not sent on a second time.
#[test]
fn an_interrupt_from_the_terminal_comes_once() {
    let desk = Desk::new();
    let counts = "sh -c 'trap \"n=x\\$n; echo int >&2\" INT; echo ready >&2; i=0; while [ $i -lt 12 ]; do sleep 0.1; i=$((i+1)); done; echo n=$n >&2; exit 4'";
    for (options, to) in [
        ("--redact always", ""),
        ("--redact always", ">out"),
        ("--redact always", "</dev/null"),
        ("--redact auto", ">out"),
        ("--redact never", ""),
    ] {
        let script = format!("exec \"$0\" run {options} -- {counts} {to}");
        let mut terminal = Terminal::start(shell(&desk, &script));
        terminal.shows("ready");
        terminal.types("\x03");
        let (shown, code) = terminal.end();
        assert!(shown.contains("n=x\n"), "{options} {to}: {shown}");
        assert_eq!(code, 4, "{options}");
    }
}

#[test]
fn a_process_that_holds_the_pipe_open_is_not_waited_for() {
    let desk = Desk::new();
    for grandchild in [
        "sleep 60",
        "while :; do echo noise; sleep 0.01; done",
        "yes",
    ] {
        let start = Instant::now();
        let script = format!("({grandchild}) & echo $! >grandchild; echo done");
        let output = desk.run(&[], &script);
        assert!(text(&output.stdout).contains("done\n"), "{grandchild}");
        assert_eq!(code(&output), 0);
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{grandchild}: {:?}",
            start.elapsed()
        );
        let left = fs::read_to_string(desk.path("grandchild")).unwrap();
        let left = Pid::from_raw(left.trim().parse().unwrap()).unwrap();
        let _ = kill_process(left, Signal::KILL);
    }
    // Whoever reads slowly gets every byte that the program wrote before it ended.
    let mut child = desk
        .running(&[], "sleep 60 & head -c 60000 /dev/zero; echo end")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(2500));
    let mut shown = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut shown)
        .unwrap();
    assert_eq!(shown.len(), 60004);
    child.wait().unwrap();
}

#[test]
fn a_reader_that_goes_away_ends_the_program_as_it_would_without_us() {
    let desk = Desk::new();
    let script = "\"$0\" run -- yes | head -n 1; echo \"${PIPESTATUS[0]}\"; yes | head -n 1; echo \"${PIPESTATUS[0]}\"";
    let command = shell(&desk, script);
    let output = Command::new("bash")
        .args(command.get_args())
        .env_clear()
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir(desk.path(""))
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout), "y\n141\ny\n141\n");
    // Also when it prints nothing for a long time: the first write after that is the one that fails.
    let mut child = desk
        .running(&[], "echo first; read go; echo second; exit 9")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    until(child.stdout.as_mut().unwrap(), "first\n");
    let id = child.id();
    let pipes = || fs::read_dir(format!("/proc/{id}/fd")).unwrap().count();
    let before = pipes();
    drop(child.stdout.take());
    wait_for(|| pipes() < before);
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(141));
    // What can't be written is told, and is no success.
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = desk.running(&[], "echo x").stdout(full).output().unwrap();
    assert_eq!(code(&output), 125);
    assert!(
        text(&output.stderr).starts_with("cannot write to stdout: "),
        "{output:?}"
    );
}

/// Node makes a pipe that it shares with us non-blocking: then a write may be refused for a while.
#[test]
fn a_stream_that_does_not_block_loses_nothing() {
    let desk = Desk::new();
    let (mut ours, theirs) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&theirs, true).unwrap();
    let mut child = desk
        .running(&[], "head -c 1000000 /dev/zero")
        .stdout(theirs)
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let mut shown = Vec::new();
    ours.read_to_end(&mut shown).unwrap();
    assert_eq!(shown.len(), 1_000_000);
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_no_environment_carries_is_said_before_the_program_starts() {
    let desk = Desk::new();
    fs::create_dir(desk.path("files")).unwrap();
    let of = |bytes: &[u8]| {
        desk.put("files/secret", bytes);
        let output = desk.run(
            &["--secrets-dir", "files"],
            "touch started; printf %s \"$SECRET\" | wc -c",
        );
        (code(&output), text(&output.stdout), text(&output.stderr))
    };
    // NAME, `=` and NUL are counted by execve(2).
    let most = 131_072 - "SECRET=".len() - 1;
    assert_eq!(
        of(&vec![b'x'; most]),
        (0, format!("{most}\n"), String::new())
    );
    fs::remove_file(desk.path("started")).unwrap();
    for (bytes, rule) in [(vec![b'x'; most + 1], "128 KiB"), (b"a\0b".to_vec(), "NUL")] {
        let (code, _, said) = of(&bytes);
        assert_eq!(code, 125);
        assert!(
            said.contains("the value of SECRET") && said.contains(rule),
            "{said}"
        );
        assert!(!desk.path("started").exists());
    }
}

#[test]
fn names_that_would_take_the_program_over_are_refused_unless_each_is_allowed() {
    let desk = Desk::new();
    let output = desk.run(&["--service", "steered"], "echo \"$NODE_OPTIONS\"");
    assert_eq!(text(&output.stdout), "--no-warnings\n");
    for name in [
        "LD_PRELOAD",
        "BASH_ENV",
        "PATH",
        "NODE_OPTIONS",
        "GIT_SSH_COMMAND",
        "HOME",
        "ENV",
    ] {
        let declared = format!("{INVENTORY}  {name}: {{ used_by: [worker] }}\n");
        desk.put(
            "dotage.yaml",
            declared.replace(
                "  NODE_OPTIONS: { purpose: meant",
                "  OPTIONS: { purpose: meant",
            ),
        );
        desk.set(name, "value");
        // What the environment has itself is none of our doing.
        let options = ["--service", "worker", "--override"];
        let output = desk.run(&options, "echo started");
        assert_eq!(code(&output), 125, "{name}: {output:?}");
        let said = text(&output.stderr);
        assert!(
            said.contains(&format!("{name} changes what a program runs or loads")),
            "{said}"
        );
        assert!(said.contains("steers_process: true"), "{said}");
        assert!(output.stdout.is_empty());
        desk.well(&["unset", name]);
    }
    desk.put(
        "dotage.yaml",
        format!("{INVENTORY}  DOTAGE_IDENTITY: {{ used_by: [worker], steers_process: true }}\n"),
    );
    desk.set("DOTAGE_IDENTITY", "value");
    let output = desk.run(&["--service", "worker"], "echo started");
    assert_eq!(code(&output), 125);
}

#[test]
fn the_environment_wins_unless_told_otherwise_and_what_is_shadowed_is_said() {
    let desk = Desk::new();
    desk.set("OTHER", "other-value");
    let of = |options: &[&str], environment: &[(&str, &str)]| {
        let script = "printf '%s %s' \"$SECRET\" \"$OTHER\" | rev";
        let output = desk
            .running(options, script)
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let values: String = text(&output.stdout).chars().rev().collect();
        (values, text(&output.stderr))
    };
    let worker = ["--service", "worker"];
    let theirs = [("SECRET", "their-own-value")];
    let (values, said) = of(&worker, &theirs);
    assert_eq!(values, "their-own-value other-value");
    assert_eq!(
        said,
        "the environment wins over the vault: SECRET (--override turns that around)\n"
    );
    let (values, said) = of(&["--service", "worker", "--override"], &theirs);
    assert_eq!(values, format!("{SECRET} other-value"));
    assert_eq!(said, "the vault wins over the environment: SECRET\n");
    // An empty value is a value; an equal one is in nobody's shade.
    assert_eq!(of(&worker, &[("SECRET", "")]).0, " other-value");
    assert_eq!(of(&worker, &[("SECRET", SECRET)]).1, "");
    // The files that a service reads by itself keep their place.
    desk.put("first.env", "SECRET=from-the-first\n");
    desk.put("second.env", "OTHER=from-the-second\n");
    let (values, said) = of(&["--service", "api"], &[]);
    assert_eq!(values, " other-value", "the service reads SECRET itself");
    assert_eq!(
        said,
        "first.env wins over the vault: SECRET\nthe vault wins over second.env: OTHER\n"
    );
    let (values, _) = of(&["--service", "api", "--override"], &[]);
    assert_eq!(values, format!("{SECRET} other-value"));
    desk.put("over.env", "SECRET=over-all\n");
    let (values, said) = of(&["--service", "legacy", "--override"], &theirs);
    assert_eq!(values, "their-own-value ");
    assert!(
        said.contains("over.env wins over the environment: SECRET\n"),
        "{said}"
    );
    // What the environment or such a file has is as secret as what the vault has.
    let output = desk
        .running(&worker, "echo \"$SECRET\"")
        .envs(theirs)
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout), "[SECRET]\n");
}

#[test]
fn a_missing_value_is_an_error_only_in_a_strict_profile() {
    let desk = Desk::new();
    desk.put(
        "dotage.yaml",
        INVENTORY.replace(", required: [production]", ""),
    );
    let output = desk.run(&["--service", "steered"], "echo started");
    assert_eq!(
        (code(&output), text(&output.stdout).as_str()),
        (0, "started\n")
    );
    assert_eq!(text(&output.stderr), "no value: NEEDED\n");
    let output = desk.run(
        &["--service", "steered", "--profile", "production"],
        "echo started",
    );
    assert_eq!((code(&output), text(&output.stdout).as_str()), (125, ""));
    let said = text(&output.stderr);
    assert!(
        said.contains("NEEDED has no value in profile production"),
        "{said}"
    );
    assert!(
        said.contains("help: dotage set NEEDED --profile production"),
        "{said}"
    );
    let output = desk
        .running(
            &["--service", "steered", "--profile", "production"],
            "echo started",
        )
        .envs([("NEEDED", "x"), ("NODE_OPTIONS", "")])
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{output:?}");
}

/// As a container's entrypoint: no project, no identity, no home, values as Docker and Kubernetes mount them.
#[test]
fn a_folder_of_secrets_needs_nothing_but_the_flag() {
    let folder = tempfile::tempdir().unwrap();
    let at = |inside: &str| folder.path().join(inside);
    fs::create_dir_all(at("secrets/..2026_11_25")).unwrap();
    fs::create_dir_all(at("secrets/kubernetes.io/serviceaccount")).unwrap();
    symlink("..2026_11_25", at("secrets/..data")).unwrap();
    fs::write(
        at("secrets/..2026_11_25/jwt_secret"),
        format!("{SECRET}\n\n"),
    )
    .unwrap();
    symlink("..data/jwt_secret", at("secrets/jwt_secret")).unwrap();
    fs::write(at("secrets/EMPTY"), "").unwrap();
    fs::write(at("secrets/tls.crt"), "x").unwrap();
    fs::write(at("secrets/token_v2"), "the-second-token\n").unwrap();
    fs::set_permissions(at("secrets/token_v2"), fs::Permissions::from_mode(0o400)).unwrap();
    let run = |options: &[&str], script: &str, environment: &[(&str, &Path)]| {
        let child = Command::new(DOTAGE)
            .args(["run", "--secrets-dir"])
            .arg(at("secrets"))
            .args(options)
            .args(["--", "/bin/sh", "-c", script])
            .env_clear()
            .envs(environment.iter().copied())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        (child.id(), child.wait_with_output().unwrap())
    };
    let (pid, output) = run(
        &[],
        "echo $$; echo \"$JWT_SECRET<\"; echo \"${EMPTY-unset}\"; echo \"$TOKEN_V2\"",
        &[],
    );
    assert_eq!(
        text(&output.stdout),
        format!("{pid}\n{SECRET}\n<\n\nthe-second-token\n"),
        "exactly one line feed is dropped"
    );
    assert_eq!(
        text(&output.stderr),
        format!(
            "{}: left out, its name is no variable's\n",
            at("secrets/tls.crt").display()
        )
    );
    // NAME_FILE is understood where it leads into the folder, and nowhere else.
    let (token, certificate) = (at("secrets/token_v2"), at("secrets/kubernetes.io/ca"));
    fs::write(&certificate, "x").unwrap();
    let named: [(&str, &Path); 2] = [("API_TOKEN_FILE", &token), ("SSL_CERT_FILE", &certificate)];
    let (_, output) = run(
        &[],
        "echo \"$API_TOKEN ${API_TOKEN_FILE-unset} ${SSL_CERT-unset} ${SSL_CERT_FILE+set}\"",
        &named,
    );
    assert_eq!(text(&output.stdout), "the-second-token unset unset set\n");
    // The environment wins here too, and redaction is had for the asking.
    let own: [(&str, &Path); 1] = [("JWT_SECRET", Path::new("own-value"))];
    let (_, output) = run(
        &["--redact", "always"],
        "echo \"$JWT_SECRET\" $TOKEN_V2",
        &own,
    );
    assert_eq!(text(&output.stdout), "[JWT_SECRET] [TOKEN_V2]\n");
    // A name that steers is refused, and a folder that isn't there is an error.
    fs::write(at("secrets/ld_preload"), "/x.so").unwrap();
    let (_, output) = run(&[], "echo started", &[]);
    assert_eq!((code(&output), output.stdout.len()), (125, 0), "{output:?}");
    fs::remove_dir_all(at("secrets")).unwrap();
    assert_eq!(code(&run(&[], "echo started", &[]).1), 125);
}

#[test]
fn an_inventory_says_which_files_of_the_folder_are_variables() {
    let desk = Desk::new();
    let inventory = INVENTORY.replace(
        "  worker: {}",
        "  worker: { secrets_dir: { SECRET: worker_secret } }",
    );
    desk.put("dotage.yaml", inventory);
    fs::create_dir(desk.path("files")).unwrap();
    for (file, value) in [
        ("worker_secret", "the-workers"),
        ("other", "the-others"),
        ("unknown", "nobodys"),
    ] {
        desk.put(&format!("files/{file}"), value);
    }
    desk.put("elsewhere", "from-elsewhere\n");
    let script = "echo \"$SECRET $OTHER ${UNKNOWN-unset} ${OTHER_FILE-unset}\"";
    let mut command = desk.running(&["--service", "worker", "--secrets-dir", "files"], script);
    // No vault is opened: there is no identity.
    command.env("HOME", "/nowhere");
    assert_eq!(
        text(&command.output().unwrap().stdout),
        "the-workers the-others unset unset\n"
    );
    command.env("OTHER_FILE", desk.path("elsewhere"));
    let output = command.output().unwrap();
    assert_eq!(
        text(&output.stdout),
        "the-workers from-elsewhere unset unset\n"
    );
    assert_eq!(
        text(&output.stderr),
        "files/unknown: left out, no variable is in it\n"
    );
    // Beside a vault it stands for one name; where it leads nowhere, it may be the value itself.
    let mut command = desk.running(&["--service", "worker", "--redact", "never"], script);
    command.env("OTHER_FILE", desk.path("elsewhere"));
    assert_eq!(
        text(&command.output().unwrap().stdout),
        format!("{SECRET} from-elsewhere unset unset\n")
    );
    command.env("OTHER_FILE", "pasted-by-mistake");
    let output = command.output().unwrap();
    assert_eq!(code(&output), 125);
    let said = text(&output.stderr);
    assert!(
        said.contains("OTHER_FILE does not lead to a file") && !said.contains("pasted"),
        "{said}"
    );
}

#[test]
fn a_dry_run_starts_nothing_and_shows_no_value() {
    let desk = Desk::new();
    let mut command = desk.dotage(&[
        "run",
        "--dry-run",
        "--json",
        "--service",
        "worker",
        "--",
        "touch",
        "started",
    ]);
    let output = command.env("OTHER", "from-outside").output().unwrap();
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows[0]["name"], "OTHER");
    assert_eq!(
        (&rows[0]["source"], &rows[0]["given"]),
        (&"environment".into(), &false.into())
    );
    assert_eq!(rows[1]["name"], "SECRET");
    assert_eq!(
        (&rows[1]["source"], &rows[1]["given"]),
        (&"vault".into(), &true.into())
    );
    assert_eq!(rows[1]["path"], "vault/development.age");
    let shown = text(&output.stdout) + &text(&output.stderr);
    assert!(
        !shown.contains(SECRET) && !shown.contains("from-outside"),
        "{shown}"
    );
    assert!(!desk.path("started").exists());
}
