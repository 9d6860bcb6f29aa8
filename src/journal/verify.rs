//! Whether the journal tells the truth: its chain holds, and each ciphertext that is there is the last one it tells of.
//!
//! # Why
//!
//! No key is needed: an entry names the hashes of those before it, and of the ciphertexts that it wrote. What was cut out
//! or altered is named by an entry that still is there. A journal that lost its end is found by the vaults, which it
//! doesn't tell of; a vault of yesterday by the entry of today. Two branches that git merged have two ends, and each may
//! be what the tree holds: the other side's ciphertext is not newer, only different.

use super::{Entry, JOURNAL, Written, end_of_plan};
use crate::problem::{Place, Problem};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// The rules of [`problems`], each with its sentence.
pub const RULES: &[(&str, &str)] = &[
    ("journal", "each line of operations.jsonl is an entry"),
    (
        "journal-cut",
        "each entry that is named is there: none was cut out or altered",
    ),
    ("journal-begins", "one entry is the first"),
    (
        "journal-order",
        "an entry stands after those that it names, and is no older",
    ),
    ("untold", "each ciphertext is one that the journal tells of"),
    (
        "replaced",
        "each ciphertext is the last one that the journal tells of",
    ),
    ("ended", "a rotation that has ended has no file any more"),
    (
        "swapped",
        "each ciphertext is in the file that it was written to",
    ),
];

/// Every problem of a journal, held against the ciphertexts that are there.
#[must_use]
pub fn problems(path: &Path, entries: &[Entry], there: &[Written]) -> Vec<Problem> {
    let mut by_hash: HashMap<&str, usize> = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        by_hash.entry(&entry.hash).or_insert(index);
    }
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); entries.len()];
    let mut problems = chain(path, entries, &by_hash, &mut after);
    let mut writers: BTreeMap<&str, Vec<(usize, &str)>> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        for written in &entry.written {
            writers
                .entry(&written.sha256)
                .or_default()
                .push((index, &written.path));
        }
    }
    for one in there {
        let told = writers.get(one.sha256.as_str());
        let own: Vec<usize> = told
            .into_iter()
            .flatten()
            .filter(|(_, path)| *path == one.path)
            .map(|(index, _)| *index)
            .collect();
        if own.is_empty() {
            problems.push(unknown(one, told, entries));
            continue;
        }
        if let Some(ended) = own.iter().find_map(|index| ended(entries, *index)) {
            problems.push(
                Problem::new(
                    "ended",
                    format!(
                        "is the file of a rotation that {} ended on {} (line {} of {JOURNAL})",
                        ended.who.actor, ended.time, ended.line
                    ),
                )
                .at(Place::file(&one.path))
                .help(format!(
                    "a killed `dotage rotate` left it, or it was brought back: git log --stat -- {0}; rm {0}",
                    one.path
                )),
            );
            continue;
        }
        let newer = own
            .iter()
            .map(|index| newer(*index, one, entries, &after))
            .collect::<Option<Vec<usize>>>();
        if let Some(newer) = newer.and_then(|newer| newer.into_iter().max())
            && let Some(entry) = entries.get(newer)
        {
            problems.push(
                Problem::new(
                    "replaced",
                    format!(
                        "is an old ciphertext: {} wrote another one on {} (line {} of {JOURNAL})",
                        entry.who.actor, entry.time, entry.line
                    ),
                )
                .at(Place::file(&one.path))
                .help(format!(
                    "see what came and went: git log --stat -- {}",
                    one.path
                )),
            );
        }
    }
    problems
}

/// What is wrong with how the entries name each other. Fills in which come after each.
fn chain(
    path: &Path,
    entries: &[Entry],
    by_hash: &HashMap<&str, usize>,
    after: &mut [Vec<usize>],
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut first: Option<&Entry> = None;
    for (index, entry) in entries.iter().enumerate() {
        let at = Place::at(path, entry.line, 0);
        if entry.before.is_empty() {
            if let Some(first) = first {
                problems.push(
                    Problem::new(
                        "journal-begins",
                        format!("names no entry before it, and neither does line {}: one of them was put there", first.line),
                    )
                    .at(at.clone())
                    .help(format!("see who wrote it: git blame -L {0},{0} {JOURNAL}", entry.line)),
                );
            }
            first = first.or(Some(entry));
        }
        for before in &entry.before {
            let Some(named) = by_hash.get(before.as_str()) else {
                problems.push(
                    Problem::new(
                        "journal-cut",
                        "names an entry before it that is not there: one was cut out or altered",
                    )
                    .at(at.clone())
                    .help(format!("compare: git log -p -- {JOURNAL}")),
                );
                continue;
            };
            if let Some(after) = after.get_mut(*named) {
                after.push(index);
            }
            if *named >= index {
                problems.push(
                    Problem::new(
                        "journal-order",
                        "stands before an entry that it names: lines changed places",
                    )
                    .at(at.clone())
                    .help(format!("compare: git log -p -- {JOURNAL}")),
                );
                continue;
            }
            if entries
                .get(*named)
                .is_some_and(|named| named.time > entry.time)
            {
                problems.push(
                    Problem::new(
                        "journal-order",
                        "is older than an entry that it names: a clock was wrong, or its time was altered",
                    )
                    .at(at.clone())
                    .severity(crate::problem::Severity::Warning)
                    .help("see whose clock it was: dotage log"),
                );
            }
        }
    }
    problems
}

/// The entry that ended the rotation whose file another one wrote.
fn ended(entries: &[Entry], wrote: usize) -> Option<&Entry> {
    let wrote = entries.get(wrote)?;
    // A bundle is written by a step of a rotation as well, with no end for it.
    if !wrote
        .written
        .iter()
        .all(|written| is_rotation(wrote, written))
    {
        return None;
    }
    end_of_plan(entries, wrote.plan.as_deref()?)
}

fn is_rotation(entry: &Entry, written: &Written) -> bool {
    entry
        .plan
        .as_ref()
        .is_some_and(|plan| written.path.ends_with(&format!(".{plan}.rotation.age")))
}

/// A ciphertext that no entry tells of, or of another file.
fn unknown(one: &Written, told: Option<&Vec<(usize, &str)>>, entries: &[Entry]) -> Problem {
    let elsewhere = told
        .into_iter()
        .flatten()
        .find_map(|(index, path)| Some((entries.get(*index)?, *path)));
    match elsewhere {
        Some((entry, path)) => Problem::new(
            "swapped",
            format!(
                "is the ciphertext that {} wrote to {path} on {} (line {} of {JOURNAL})",
                entry.who.actor, entry.time, entry.line
            ),
        )
        .at(Place::file(&one.path))
        .help(format!("bring it back: git restore {}", one.path)),
        None => Problem::new("untold", "is a ciphertext that the journal does not tell of")
            .at(Place::file(&one.path))
            .help(format!(
                "see who wrote it: git log -- {0}; if it is right, the next change of it by dotage records it",
                one.path
            )),
    }
}

/// The entry after this one, near or far, that wrote the same file anew; none when this is the last.
fn newer(index: usize, one: &Written, entries: &[Entry], after: &[Vec<usize>]) -> Option<usize> {
    let mut seen = BTreeSet::from([index]);
    let mut next = vec![index];
    while let Some(index) = next.pop() {
        for later in after.get(index).into_iter().flatten() {
            if !seen.insert(*later) {
                continue;
            }
            let wrote =
                |written: &Written| written.path == one.path && written.sha256 != one.sha256;
            if entries
                .get(*later)
                .is_some_and(|entry| entry.written.iter().any(wrote))
            {
                return Some(*later);
            }
            next.push(*later);
        }
    }
    None
}
