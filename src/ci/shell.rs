//! The shells that a job's command runs under: how they were started, and the script of the step.
//!
//! # Why
//!
//! Two things make masking fail that no variable tells of: a shell that prints each command with its values (`set -x`),
//! and a step that told the runner to take no commands, which then prints a mask instead of taking it. A runner writes
//! a step's script to a file and starts a shell on it, so both can be read where they are said.

use super::ancestors::{ancestors, command_line};
use std::fs;
use std::path::PathBuf;

/// The most of a script that is read, in bytes.
const MAX_SCRIPT: usize = 1 << 20;
/// The programs that take `-x`.
const SHELLS: [&str; 7] = ["sh", "bash", "dash", "zsh", "ksh", "mksh", "ash"];

/// What the shells above this process do that masks don't survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// A shell prints its commands.
    pub traces: bool,
    /// The runner takes no commands for a while.
    pub stops_commands: bool,
}

/// What the shells above this process do.
#[must_use]
pub fn told() -> Told {
    let mut told = Told::default();
    for process in ancestors() {
        let line = command_line(process);
        let words: Vec<String> = line
            .split(|byte| *byte == 0)
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        let (traces, script) = started(&words);
        told.traces |= traces;
        if let Some(script) = script {
            // A relative one is relative to where the shell was started.
            let folder = fs::read_link(format!("/proc/{process}/cwd")).unwrap_or_default();
            let text = crate::file::read(&folder.join(script), MAX_SCRIPT).unwrap_or_default();
            let inside = said(&String::from_utf8_lossy(&text));
            told.traces |= inside.traces;
            told.stops_commands |= inside.stops_commands;
        }
    }
    told
}

/// Whether a command line starts a shell that prints its commands, and the script that it starts it on.
fn started(words: &[String]) -> (bool, Option<PathBuf>) {
    let program = words.first().map_or("", String::as_str);
    let program = program.rsplit('/').next().unwrap_or_default();
    if !SHELLS.contains(&program.trim_start_matches('-')) {
        return (false, None);
    }
    let mut traces = false;
    let mut rest = words.iter().skip(1);
    while let Some(word) = rest.next() {
        if word == "-c" {
            return (traces, None);
        } else if word.starts_with("--") {
        } else if let Some(flags) = word.strip_prefix(['-', '+']) {
            let named = flags.ends_with('o').then(|| rest.next()).flatten();
            let on = word.starts_with('-');
            traces |= on && (flags.contains('x') || named.is_some_and(|name| name == "xtrace"));
            if flags.contains('c') {
                return (traces, None);
            }
        } else {
            return (traces, (!word.is_empty()).then(|| PathBuf::from(word)));
        }
    }
    (traces, None)
}

/// What a script says.
fn said(script: &str) -> Told {
    let mut told = Told::default();
    let code = script
        .lines()
        .map(str::trim_start)
        .filter(|line| !line.starts_with('#'));
    for line in code {
        told.stops_commands |= line.contains("::stop-commands::");
        for command in line.split([';', '&', '|', '{', '(']) {
            let mut words = vec!["sh".to_owned()];
            let mut rest = command.split_whitespace();
            if rest.next() == Some("set") {
                words.extend(rest.map(str::to_owned));
                told.traces |= started(&words).0;
            }
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_shell_that_traces_is_told_by_its_options() {
        for line in [
            "bash -x {0}",
            "sh -ex script",
            "/bin/bash -eo xtrace s",
            "zsh -e -o xtrace s",
        ] {
            assert!(started(&words(line)).0, "{line}");
        }
        for line in [
            "bash -e {0}",
            "bash --noprofile --norc -eo pipefail xx",
            "bash +x s",
            "bash s -x",
            "tar -x",
            "bash -c -x",
        ] {
            assert!(!started(&words(line)).0, "{line}");
        }
        let (_, script) = started(&words("bash --noprofile --norc -eo pipefail /tmp/a.sh"));
        assert_eq!(script, Some(PathBuf::from("/tmp/a.sh")));
        assert_eq!(started(&words("sh -c true")).1, None);
    }

    #[test]
    fn a_script_is_read_for_what_it_switches_on() {
        for script in [
            "set -x",
            "  set -eux\n",
            "true; set -o xtrace",
            "{ set -x; }",
        ] {
            assert!(said(script).traces, "{script}");
        }
        for script in ["set +x", "# set -x", "set -e", "echo set -x", "reset -x"] {
            assert!(!said(script).traces, "{script}");
        }
        assert!(said("echo '::stop-commands::abc'").stops_commands);
        assert!(!said("# ::stop-commands::\necho").stops_commands);
    }
}
