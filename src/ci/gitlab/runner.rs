//! Whether the runner hides what a job prints once it is told what to hide.
//!
//! # Why
//!
//! `::add-mask::VALUE` works where gitlab-runner's `proxy_exec` is on, an experiment that few turn on; anywhere else the
//! line is printed as it is, value and all. So it has to be proven: a process above this one is gitlab-runner, or its
//! helper, at work as `proxy-exec`. What it runs is asked of the kernel, since a process can call itself anything.

use rustix::process::Pid;
use std::fs;

/// The most processes that are looked at.
const DEEPEST: usize = 64;

/// Whether a process above this one is the runner's proxy, which hides what `::add-mask::` names.
#[must_use]
pub fn hides_at_run_time() -> bool {
    let mut process = rustix::process::getppid().map_or(0, Pid::as_raw_pid);
    for _ in 0..DEEPEST {
        if process <= 0 {
            return false;
        }
        let program = fs::read_link(format!("/proc/{process}/exe")).unwrap_or_default();
        let program = program.file_name().unwrap_or_default().to_string_lossy();
        let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        if is_proxy(&program, &line) {
            return true;
        }
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        process = parent(&stat).unwrap_or(0);
    }
    false
}

/// Whether a program and its command line, each word ended by a NUL, are the proxy's.
fn is_proxy(program: &str, line: &[u8]) -> bool {
    program.starts_with("gitlab-runner")
        && line.split(|byte| *byte == 0).nth(1) == Some(b"proxy-exec")
}

/// The parent in a line of `/proc/PID/stat`, whose second field is any text in parentheses.
fn parent(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_runner_as_a_proxy_counts() {
        let line = |words: &[&str]| words.join("\0").into_bytes();
        let run = [
            "/usr/bin/gitlab-runner-helper",
            "proxy-exec",
            "--temp-dir",
            "/t",
            "sh",
        ];
        assert!(is_proxy("gitlab-runner-helper", &line(&run)));
        assert!(is_proxy(
            "gitlab-runner",
            &line(&["gitlab-runner", "proxy-exec"])
        ));
        // A shell that calls itself so, the runner at its other work, and the words in another place.
        assert!(!is_proxy("dash", &line(&run)));
        assert!(!is_proxy("gitlab-runner", &line(&["gitlab-runner", "run"])));
        let other = line(&["gitlab-runner", "exec", "proxy-exec"]);
        assert!(!is_proxy("gitlab-runner", &other));
        assert!(!is_proxy("gitlab-runner", b""));
    }

    #[test]
    fn a_parent_is_found_whatever_the_program_is_called() {
        assert_eq!(parent("7 (a) S 9) R 5 7 7 0"), Some(5));
        assert_eq!(parent("7 (sh) S 1 7"), Some(1));
        assert_eq!(parent(""), None);
    }

    #[test]
    fn no_runner_is_above_this_test() {
        assert!(!hides_at_run_time());
    }
}
