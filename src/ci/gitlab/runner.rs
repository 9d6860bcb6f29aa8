//! Whether the runner hides what a job prints once it is told what to hide.
//!
//! # Why
//!
//! `::add-mask::VALUE` works where gitlab-runner's `proxy_exec` is on, an experiment that few turn on; anywhere else the
//! line is printed as it is, value and all. So it has to be proven: a process above this one is gitlab-runner, or its
//! helper, at work as `proxy-exec`. What it runs is asked of the kernel, since a process can call itself anything.

use crate::ci::ancestors::{ancestors, command_line};
use std::fs;

/// Whether a process above this one is the runner's proxy, which hides what `::add-mask::` names.
#[must_use]
pub fn hides_at_run_time() -> bool {
    ancestors().any(|process| {
        let program = fs::read_link(format!("/proc/{process}/exe")).unwrap_or_default();
        let program = program.file_name().unwrap_or_default().to_string_lossy();
        is_proxy(&program, &command_line(process))
    })
}

/// Whether a program and its command line, each word ended by a NUL, are the proxy's.
fn is_proxy(program: &str, line: &[u8]) -> bool {
    program.starts_with("gitlab-runner")
        && line.split(|byte| *byte == 0).nth(1) == Some(b"proxy-exec")
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
    fn no_runner_is_above_this_test() {
        assert!(!hides_at_run_time());
    }
}
