//! The processes above this one, nearest first.

use rustix::process::Pid;
use std::fs;
use std::iter;

/// The most processes that are looked at.
const DEEPEST: usize = 64;

/// The ids of the processes above this one, as far as the system tells of them.
pub(super) fn ancestors() -> impl Iterator<Item = i32> {
    let first = rustix::process::getppid().map(Pid::as_raw_pid);
    let next = |process: &i32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        parent(&stat)
    };
    iter::successors(first, next)
        .take_while(|process| *process > 0)
        .take(DEEPEST)
}

/// The command line of a process, each word ended by a NUL.
pub(super) fn command_line(process: i32) -> Vec<u8> {
    fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default()
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
    fn a_parent_is_found_whatever_the_program_is_called() {
        assert_eq!(parent("7 (a) S 9) R 5 7 7 0"), Some(5));
        assert_eq!(parent("7 (sh) S 1 7"), Some(1));
        assert_eq!(parent(""), None);
    }

    #[test]
    fn the_first_is_who_started_this() {
        let all: Vec<i32> = ancestors().collect();
        assert!(!all.is_empty() && !all.contains(&std::process::id().cast_signed()));
        assert!(!command_line(all[0]).is_empty());
    }
}
