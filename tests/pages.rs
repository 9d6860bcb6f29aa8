//! The manual is the test: every `console` block of README.md and of the pages in tests/cli runs in a real shell.
//!
//! A page is one session of bash in an empty folder, shown as /tmp/page, with a home of its own, shown as /home/ann, where
//! README.md finds this checkout as ~/dotage. In a block, `$ ` begins a command (`> ` goes on with it), the lines after it
//! are what it prints, stdout and stderr as they come, and `? N` is an exit code other than 0. In what it prints, `[..]`
//! stands for any text within a line and a line `...` for any lines.
//! `DOTAGE_BLESS=1` writes what happened into a page that says otherwise: to be read by eye before it is committed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SENTINEL: &str = "--end-of-the-command--";

struct Step {
    /// The line of its `$`, from 1.
    line: usize,
    /// The first line of what it prints, from 0, and the end of that.
    answer: std::ops::Range<usize>,
    command: String,
    expected: Vec<String>,
    code: i32,
}

/// The commands of a page's `console` blocks.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (index, line) in page.lines().enumerate() {
        if let Some(fence) = line.strip_prefix("```") {
            inside = !inside && fence.trim() == "console";
        } else if !inside {
        } else if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                line: index + 1,
                answer: index + 1..index + 1,
                command: command.to_owned(),
                expected: Vec::new(),
                code: 0,
            });
        } else if let Some(step) = steps.last_mut() {
            step.answer.end = index + 1;
            if let Some(more) = line.strip_prefix("> ").filter(|_| step.expected.is_empty()) {
                let _ = write!(step.command, "\n{more}");
                step.answer.start = index + 1;
            } else if let Some(code) = line.strip_prefix("? ") {
                step.code = code.trim().parse().unwrap();
            } else {
                step.expected.push(line.to_owned());
            }
        }
    }
    steps
}

/// Whether a line is what a pattern with `[..]` says.
fn line_fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split("[..]");
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap()) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        last = Some(part);
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty() || last.is_some_and(|last| last.is_empty() || line.ends_with(last))
}

fn fits(expected: &[String], actual: &[String]) -> bool {
    match expected.split_first() {
        None => actual.is_empty(),
        Some((first, rest)) if first == "..." => {
            (0..=actual.len()).any(|skip| fits(rest, &actual[skip..]))
        }
        Some((first, rest)) => actual
            .split_first()
            .is_some_and(|(line, others)| line_fits(first, line) && fits(rest, others)),
    }
}

/// Runs a page; every command that did otherwise than it says.
fn run(path: &Path) -> (usize, String) {
    let page = fs::read_to_string(path).unwrap();
    let steps = steps(&page);
    let home = tempfile::tempdir().unwrap();
    let here = tempfile::tempdir().unwrap();
    let bin = Path::new(env!("CARGO_BIN_EXE_dotage")).parent().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if path.ends_with("README.md") {
        // The checkout, as its reader has it.
        std::os::unix::fs::symlink(root, home.path().join("dotage")).unwrap();
    }
    let mut bash = Command::new("bash")
        .args(["--noprofile", "--norc"])
        .current_dir(here.path())
        .env_clear()
        .env("HOME", home.path())
        .env(
            "PATH",
            format!(
                "{}:{}:{}",
                bin.display(),
                std::env::var("PATH").unwrap(),
                root.join("target/consumers/ansible/219/bin").display()
            ),
        )
        .env("LC_ALL", "C.UTF-8")
        // Of several Pythons that a machine may have, Debian's.
        .env("ANSIBLE_PYTHON_INTERPRETER", "/usr/bin/python3")
        .env("GIT_CONFIG_COUNT", "2")
        .envs([
            ("GIT_CONFIG_KEY_0", "user.name"),
            ("GIT_CONFIG_VALUE_0", "page"),
            ("GIT_CONFIG_KEY_1", "user.email"),
            ("GIT_CONFIG_VALUE_1", "page@localhost"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = bash.stdin.take().unwrap();
    let mut output = BufReader::new(bash.stdout.take().unwrap());
    input.write_all(b"exec 2>&1\n").unwrap();
    let mut wrong = String::new();
    let mut right: Vec<String> = page.lines().map(str::to_owned).collect();
    let (mut grown, mut shrunk) = (0, 0);
    for step in &steps {
        // The command reads no more of our stdin; its output ends at the sentinel, on a line of its own.
        let text = format!(
            "{{ {}\n}} </dev/null; printf '\\n{SENTINEL}%s\\n' $?\n",
            step.command
        );
        input.write_all(text.as_bytes()).unwrap();
        let mut lines = Vec::new();
        let code = loop {
            let mut line = String::new();
            assert!(
                output.read_line(&mut line).unwrap() > 0,
                "{}:{}: the shell ended",
                path.display(),
                step.line
            );
            match line.strip_prefix(SENTINEL) {
                Some(code) => break code.trim().parse::<i32>().unwrap(),
                None => lines.push(
                    line.trim_end_matches('\n')
                        .replace(here.path().to_str().unwrap(), "/tmp/page")
                        .replace(home.path().to_str().unwrap(), "/home/ann"),
                ),
            }
        };
        // What stands before the sentinel is the end of the last line, or a line that printf began.
        if lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        let mut expected = step.expected.clone();
        while expected.last().is_some_and(String::is_empty) {
            expected.pop();
        }
        if code != step.code || !fits(&expected, &lines) {
            let mut answer = lines.clone();
            answer.extend((code != 0).then(|| format!("? {code}")));
            let blank = step.expected.len() - expected.len();
            answer.extend(std::iter::repeat_n(String::new(), blank));
            let at = |line: usize| line + grown - shrunk;
            let said = at(step.answer.start)..at(step.answer.end);
            grown += answer.len();
            shrunk += step.answer.len();
            right.splice(said, answer);
            let _ = writeln!(
                wrong,
                "{}:{}: $ {}\n{}\n? {code}\n",
                path.display(),
                step.line,
                step.command,
                lines.join("\n")
            );
        }
    }
    drop(input);
    bash.wait().unwrap();
    if !wrong.is_empty() && std::env::var_os("DOTAGE_BLESS").is_some() {
        fs::write(path, right.join("\n") + "\n").unwrap();
    }
    (steps.len(), wrong)
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<PathBuf> = fs::read_dir(root.join("tests/cli"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    pages.push(root.join("README.md"));
    pages.sort();
    pages
}

#[test]
fn every_page_says_what_happens() {
    let mut commands = 0;
    let mut wrong = String::new();
    for page in pages() {
        let (count, bad) = run(&page);
        assert!(count > 0, "{} has no command", page.display());
        commands += count;
        wrong.push_str(&bad);
    }
    println!("{commands} commands in {} pages", pages().len());
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_verb_has_a_page() {
    let output = Command::new(env!("CARGO_BIN_EXE_dotage"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let verbs: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap())
        .filter(|verb| *verb != "help")
        .collect();
    assert!(verbs.len() >= 14, "{verbs:?}");
    for verb in verbs {
        assert!(
            pages()
                .iter()
                .any(|page| page.ends_with(format!("{verb}.md"))),
            "tests/cli/{verb}.md is missing"
        );
    }
}

/// The preset's README is for a person's shell, not a session with its output, so its blocks are run as they are. There is
/// no Docker engine where tests run: a stand-in takes its place, and what Compose would demand is looked for in `.env`.
#[test]
fn the_commands_of_the_presets_readme_work_on_a_fresh_project() {
    let readme = include_str!("../templates/freeboard/README.md");
    let (home, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let bin = here.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let docker = bin.join("docker");
    fs::write(&docker, "#!/bin/sh\necho \"$@\" >> ../docker.log\n").unwrap();
    fs::set_permissions(&docker, fs::Permissions::from_mode(0o755)).unwrap();
    let dotage = Path::new(env!("CARGO_BIN_EXE_dotage")).parent().unwrap();
    let path = [&bin, dotage]
        .map(|folder| folder.display().to_string())
        .join(":");
    let board = here.path().join("board");
    let shell = |folder: &Path, script: &str| {
        let output = Command::new("bash")
            .args(["--noprofile", "--norc", "-euc", script])
            .current_dir(folder)
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", format!("{path}:{}", std::env::var("PATH").unwrap()))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{script}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    shell(here.path(), "dotage init --preset freeboard board");
    let blocks: Vec<&str> = readme
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        shell(&board, block);
    }
    assert_eq!(
        fs::read_to_string(here.path().join("docker.log")).unwrap(),
        "compose up -d\n"
    );
    let env = fs::read_to_string(board.join(".env")).unwrap();
    let compose = fs::read_to_string(board.join("compose.yaml")).unwrap();
    let demanded: Vec<&str> = compose
        .split("${")
        .skip(1)
        .filter_map(|rest| rest.split('}').next()?.split_once(":?"))
        .map(|(name, _)| name)
        .collect();
    assert!(!demanded.is_empty());
    for name in demanded {
        assert!(
            env.lines()
                .any(|line| line.starts_with(&format!("{name}="))),
            "{name}"
        );
    }
    // Each path that it names is there.
    let named: Vec<&str> = readme
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.contains('/') && !word.contains(' ') && !word.starts_with('/'))
        .collect();
    assert!(named.len() >= 6, "{named:?}");
    for path in named {
        assert!(board.join(path).exists(), "{path}");
    }
}

#[test]
fn the_runner_tells_a_wrong_page_from_a_right_one() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.md");
    let check = |text: &str| {
        fs::write(&page, format!("```console\n{text}\n```\n")).unwrap();
        run(&page).1.is_empty()
    };
    assert!(check("$ echo a; echo b\na\nb"));
    assert!(check("$ echo one two three\none [..] three"));
    assert!(check("$ seq 5\n1\n...\n5"));
    assert!(check("$ false\n? 1"));
    assert!(check("$ printf x\nx"));
    assert!(check("$ cd /; x=1\n$ echo $PWD$x\n/1"));
    assert!(!check("$ echo a\nb"));
    assert!(!check("$ echo a\na\nb"));
    assert!(!check("$ false"));
    assert!(!check("$ echo a\n? 1"));
}
