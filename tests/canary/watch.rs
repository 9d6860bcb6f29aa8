//! What a neighbour on the machine sees while a process runs: its command line, and the environment of what it starts.

use super::needles::Needles;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What was seen so far.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) rounds: usize,
    pub(super) bytes: usize,
    /// The processes of the program that were seen alive, and those of them that strace held.
    pub(super) seen: BTreeSet<u32>,
    pub(super) held: BTreeSet<u32>,
    /// The processes that those started, whose environments were searched.
    pub(super) started: BTreeSet<u32>,
    pub(super) leaks: BTreeSet<String>,
}

impl Watch {
    /// Looks at every process once: for `needles`, and in the programs that are given secrets for `identity`.
    pub(super) fn look(&mut self, program: &Path, needles: &Needles, identity: &Needles) {
        self.rounds += 1;
        let mut parents = BTreeMap::new();
        let mut programs = BTreeMap::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
                continue;
            };
            if let Some(parent) = parent(pid) {
                parents.insert(pid, parent);
            }
            if let Ok(exe) = fs::read_link(format!("/proc/{pid}/exe")) {
                programs.insert(pid, exe);
            }
            self.search(pid, "cmdline", needles);
        }
        let is = |pid: u32, path: &Path| programs.get(&pid).is_some_and(|exe| exe == path);
        for (&pid, &parent) in &parents {
            if is(pid, program) {
                self.seen.insert(pid);
                if is(parent, Path::new("/usr/bin/strace")) {
                    self.held.insert(pid);
                }
                continue;
            }
            let mut above = parent;
            while above > 1 && !is(above, program) {
                above = parents.get(&above).copied().unwrap_or(0);
            }
            // Before it executes its own program a child is still a copy of its parent.
            if above > 1 && programs.contains_key(&pid) {
                self.started.insert(pid);
                // A program that one of these starts is given secrets, but never what opens a vault.
                let line = fs::read(format!("/proc/{above}/cmdline")).unwrap_or_default();
                let verbs: [&[u8]; 3] = [b"run", b"rotate", b"incident"];
                let gives = line
                    .split(|byte| *byte == 0)
                    .any(|word| verbs.contains(&word));
                self.search(pid, "environ", if gives { identity } else { needles });
            }
        }
    }

    fn search(&mut self, pid: u32, file: &str, needles: &Needles) {
        let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        self.bytes += bytes.len();
        if let Some((_, what)) = needles.find(&bytes) {
            let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or(PathBuf::from("?"));
            self.leaks
                .insert(format!("{what} is in the {file} of {}", program.display()));
        }
    }
}

/// The parent of a process: `proc_pid_stat(5)`, the second field after the name in parentheses.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}
