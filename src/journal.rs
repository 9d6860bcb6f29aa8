//! The journal of operations: `operations.jsonl`, who did what to which name, when and why. Never a value.
//!
//! # Why
//!
//! It is JSON Lines beside dotage.yaml, committed with the vaults it tells of. Each entry names the SHA-256 of the
//! entries before it that no other names, as its last field: one, or after git merged two branches (`merge=union`) the
//! last of each. A field that this version doesn't know is left alone, since the hash is of the line as it stands and
//! no line is ever written again.
//!
//! The vault is written first and the entry after it, both under the vault's lock, so the entries of a vault stand in
//! the order of its ciphertexts. A kill between the two leaves a ciphertext that no entry tells of, never an entry of
//! something that was not done. `log verify` names that file, and the next verb that changes its vault sees it too: it
//! writes an entry for it first, whose outcome is `found`, since nobody can tell a killed verb from another program.
//! A line torn by a kill has no line feed and is no JSON: readers pass over it, and the next entry takes its place.
//!
//! The actor is a word, not a proof: the commit that brings the entry may be signed, a line of text can't be.

mod verify;
mod who;

pub use verify::{RULES, problems as verify};
pub use who::{Who, who};

use crate::file;
use crate::problem::{Place, Problem};
use crate::secret::Name;
use crate::time::Time;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The journal's file name.
pub const JOURNAL: &str = "operations.jsonl";
/// The longest journal that is read, in bytes: some 150,000 entries.
const MAX: usize = 64 << 20;
/// The longest line.
const MAX_LINE: usize = 1 << 20;
/// What a text of the command line or the environment is cut to, in characters.
const MAX_TEXT: usize = 1_000;
/// The key of an entry's last field.
const BEFORE: &str = "\"before\":[";
/// The step that ends a rotation.
const FINISH: &str = "finish";
/// The step that ends one on its way back.
const FINISH_BACK: &str = "finish back";

/// The journal of a project. It may not be there yet.
pub struct Journal {
    path: PathBuf,
}

/// One operation on one profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// When it was done.
    pub time: Time,
    /// Who did it.
    pub who: Who,
    /// The verb: `set`, `recipients remove`.
    pub action: String,
    /// The profile.
    pub profile: Option<String>,
    /// The variables: of a change those that it changed, of a reader that came or went those that it can or could read.
    pub names: Vec<Name>,
    /// Why, in the words of who did it.
    pub reason: Option<String>,
    /// The incident that it belongs to.
    pub incident: Option<String>,
    /// The plan that it is a step of.
    pub plan: Option<String>,
    /// The step of that plan.
    pub step: Option<String>,
    /// How it ended: `done`; `found` of a ciphertext that was there and that no entry told of; or another word.
    pub outcome: String,
    /// How long it took, in seconds.
    pub seconds: Option<u64>,
    /// The readers that were added.
    pub added: Vec<Reader>,
    /// The readers that were removed.
    pub removed: Vec<Reader>,
    /// The files of ciphertext that it wrote.
    pub written: Vec<Written>,
    /// The hashes of the entries before it.
    pub before: Vec<String>,
    /// Its own hash, once it is in the journal: the SHA-256 of its line without the line feed, in hex.
    pub hash: String,
    /// Its line in the journal, from 1.
    pub line: usize,
}

/// Somebody who can read a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// The public key.
    pub key: String,
    /// Who it is.
    pub comment: Option<String>,
}

/// A ciphertext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file, as dotage.yaml leads to it.
    pub path: String,
    /// Its SHA-256, in hex.
    pub sha256: String,
}

/// A value that a reader could read who was removed, and that was not changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposed<'a> {
    /// Who could read it.
    pub reader: &'a Reader,
    /// When the reader was removed.
    pub since: Time,
}

impl Journal {
    /// The journal of the project in a folder.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Journal {
            path: root.join(JOURNAL),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every entry, in the order of the file. A journal that isn't there has none.
    ///
    /// # Errors
    /// A problem for each line that is no entry; a file that can't be read or is too large.
    pub fn entries(&self) -> Result<Vec<Entry>, Vec<Problem>> {
        let bytes = self.read()?;
        let mut entries = Vec::new();
        let mut problems = Vec::new();
        for (number, line) in self.lines(&bytes)? {
            match entry(line) {
                Ok(mut entry) => {
                    entry.line = number;
                    entry.hash = file::sha256(line.as_bytes());
                    entries.push(entry);
                }
                Err(wrong) => problems.push(self.malformed(number, &wrong)),
            }
        }
        if problems.is_empty() {
            Ok(entries)
        } else {
            Err(problems)
        }
    }

    /// Whether an entry can be added: to be asked before anything is done that one has to tell of.
    ///
    /// # Errors
    /// When its place can't be written, or a line of it is none.
    pub fn ready(&self) -> Result<(), Problem> {
        file::may_append(&self.path)?;
        let bytes = self.read()?;
        for (number, line) in self.lines(&bytes)? {
            if quick_before(line).is_none() {
                entry(line).map_err(|wrong| self.malformed(number, &wrong))?;
            }
        }
        Ok(())
    }

    /// Those of the ciphertexts that no entry tells of.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn untold(&self, mut written: Vec<Written>) -> Result<Vec<Written>, Problem> {
        let bytes = self.read()?;
        let text = String::from_utf8_lossy(&bytes);
        written.retain(|one| !text.contains(&format!("\"sha256\":\"{}\"", one.sha256)));
        Ok(written)
    }

    /// Whether some entry wrote this file.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn tells_of(&self, path: &str) -> Result<bool, Problem> {
        let bytes = self.read()?;
        let field = format!("\"path\":{}", Value::from(path));
        Ok(String::from_utf8_lossy(&bytes).contains(&field))
    }

    /// Adds an entry, which names those before it; synced, whole or not at all.
    ///
    /// # Errors
    /// As [`Journal::ready`].
    pub fn append(&self, entry: &Entry) -> Result<(), Problem> {
        file::append(&self.path, 0o644, MAX, |old| {
            let line = entry.line(&self.heads(old)?);
            Ok((whole(old), line.into_bytes()))
        })
        .map_err(too_large)
    }

    fn read(&self) -> Result<Vec<u8>, Problem> {
        match file::read(&self.path, MAX) {
            Err(problem) if problem.rule == "missing" => Ok(Vec::new()),
            result => result.map_err(too_large),
        }
    }

    /// The lines that are to be entries, with their numbers.
    fn lines<'a>(
        &self,
        bytes: &'a [u8],
    ) -> Result<impl DoubleEndedIterator<Item = (usize, &'a str)>, Problem> {
        let bytes = bytes.get(..whole(bytes)).unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            self.malformed(line, "not UTF-8 text")
        })?;
        let lines: Vec<&str> = text.lines().collect();
        Ok(lines
            .into_iter()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .filter(|(_, line)| !line.is_empty()))
    }

    /// The hashes of the entries that no other names: what the next one names. In a chain that holds there are as many
    /// as there are more entries than names of them, and they are near the end: few lines are hashed.
    fn heads(&self, bytes: &[u8]) -> Result<Vec<String>, Problem> {
        let mut named: HashSet<Cow<str>> = HashSet::new();
        let mut lines = Vec::new();
        for (number, line) in self.lines(bytes)? {
            match quick_before(line) {
                Some(before) => named.extend(before.into_iter().map(Cow::Borrowed)),
                None => {
                    let entry = entry(line).map_err(|wrong| self.malformed(number, &wrong))?;
                    named.extend(entry.before.into_iter().map(Cow::Owned));
                }
            }
            lines.push(line);
        }
        let count = lines.len().saturating_sub(named.len()).max(1);
        let mut heads: Vec<String> = lines
            .iter()
            .rev()
            .map(|line| file::sha256(line.as_bytes()))
            .filter(|hash| !named.contains(hash.as_str()))
            .take(count)
            .collect();
        heads.sort_unstable();
        heads.dedup();
        Ok(heads)
    }

    fn malformed(&self, line: usize, wrong: &str) -> Problem {
        let problem = Problem::new("bad-journal", wrong).at(Place::at(&self.path, line, 0));
        if wrong == CONFLICT {
            problem.help("keep the lines of both sides, and take this one out; `operations.jsonl merge=union` in .gitattributes does that")
        } else {
            problem.help(format!(
                "see who wrote it: git blame -L {line},{line} {}; bring the file back: git restore --source COMMIT {0}",
                self.path.display()
            ))
        }
    }
}

const CONFLICT: &str = "a line of a merge that was not finished";

fn too_large(problem: Problem) -> Problem {
    match problem.rule {
        "too-large" => problem.help(format!(
            "begin a new one: git mv {JOURNAL} operations-1.jsonl"
        )),
        _ => problem,
    }
}

/// How many of the bytes are whole lines: all, without a last one that a kill or a power failure tore.
fn whole(bytes: &[u8]) -> usize {
    let start = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let tail = bytes.get(start..).unwrap_or_default();
    let torn = tail.starts_with(b"{") || tail.starts_with(b"\0");
    if torn && !std::str::from_utf8(tail).is_ok_and(|tail| entry(tail).is_ok()) {
        start
    } else {
        bytes.len()
    }
}

/// What a line of ours names as the entries before it; none of a line that isn't in our form.
fn quick_before(line: &str) -> Option<Vec<&str>> {
    let line = line.strip_prefix('{')?.strip_suffix("]}")?;
    // A text of the entry can't be mistaken for the key: its quotes have backslashes.
    let (_, hashes) = line.rsplit_once(BEFORE)?;
    if hashes.is_empty() {
        return Some(Vec::new());
    }
    hashes.split(',').map(quoted_hash).collect()
}

fn quoted_hash(text: &str) -> Option<&str> {
    let text = text.strip_prefix('"')?.strip_suffix('"')?;
    is_hash(text).then_some(text)
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The entry in a line, or what is wrong with it. The line is not quoted: nobody knows what it is.
fn entry(line: &str) -> Result<Entry, String> {
    if ["<<<<<<<", "|||||||", "=======", ">>>>>>>"]
        .iter()
        .any(|mark| line.starts_with(mark))
    {
        return Err(CONFLICT.to_owned());
    }
    if line.len() > MAX_LINE {
        return Err(format!("an entry of more than {MAX_LINE} bytes"));
    }
    let Ok(Value::Object(mut object)) = serde_json::from_str(line) else {
        return Err("no JSON object, as each line of the journal is".to_owned());
    };
    let mut fields = Fields(&mut object);
    Ok(Entry {
        time: fields
            .text("time")?
            .and_then(|time| Time::parse(&time))
            .ok_or("an entry without its `time` (2026-11-25T04:41:00Z)")?,
        who: Who {
            actor: fields.text("actor")?.unwrap_or_default(),
            host: fields.text("host")?.unwrap_or_default(),
            job: fields.text("job")?,
        },
        action: fields
            .text("action")?
            .ok_or("an entry without its `action`")?,
        profile: fields.text("profile")?,
        names: fields.list("names", |value| value.as_str().and_then(Name::new))?,
        reason: fields.text("reason")?,
        incident: fields.text("incident")?,
        plan: fields.text("plan")?,
        step: fields.text("step")?,
        outcome: fields.text("outcome")?.unwrap_or_default(),
        seconds: match fields.0.remove("seconds") {
            None => None,
            Some(value) => Some(value.as_u64().ok_or("`seconds` is no number of seconds")?),
        },
        added: fields.list("added", reader)?,
        removed: fields.list("removed", reader)?,
        written: fields.list("written", |value| {
            Some(Written {
                path: value.get("path")?.as_str()?.to_owned(),
                sha256: value
                    .get("sha256")?
                    .as_str()
                    .filter(|hash| is_hash(hash))?
                    .to_owned(),
            })
        })?,
        before: if fields.0.contains_key("before") {
            let hash = |value: &Value| {
                value
                    .as_str()
                    .filter(|hash| is_hash(hash))
                    .map(str::to_owned)
            };
            fields.list("before", hash)?
        } else {
            return Err("an entry without `before`, the hashes of those before it".to_owned());
        },
        hash: String::new(),
        line: 0,
    })
}

fn reader(value: &Value) -> Option<Reader> {
    Some(Reader {
        key: value.get("key")?.as_str()?.to_owned(),
        comment: match value.get("comment") {
            None | Some(Value::Null) => None,
            Some(comment) => Some(comment.as_str()?.to_owned()),
        },
    })
}

/// The fields of a line that are not read yet.
struct Fields<'a>(&'a mut serde_json::Map<String, Value>);

impl Fields<'_> {
    fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        match self.0.remove(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("`{key}` is no text")),
        }
    }

    fn list<T>(&mut self, key: &str, item: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>, String> {
        let list = match self.0.remove(key) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(format!("`{key}` is no list")),
        };
        list.iter()
            .map(|value| {
                item(value).ok_or_else(|| format!("`{key}` holds what does not belong there"))
            })
            .collect()
    }
}

impl Entry {
    /// What a verb did in a profile, to nothing yet.
    #[must_use]
    pub fn new(action: &str, profile: &str) -> Self {
        Entry {
            action: action.to_owned(),
            profile: Some(profile.to_owned()),
            outcome: "done".to_owned(),
            ..Entry::default()
        }
    }

    /// The entry as a line, without its line feed, after these.
    fn line(&self, before: &[String]) -> String {
        let mut line = format!("{{\"time\":\"{}\"", self.time);
        let mut put = |key: &str, value: Value| {
            let empty = match &value {
                Value::Null => true,
                Value::Array(list) => list.is_empty() && key != "before",
                _ => false,
            };
            if !empty {
                let _ = write!(line, ",\"{key}\":{value}");
            }
        };
        let text = |text: &str| Value::from(cut(text));
        let some = |option: &Option<String>| option.as_deref().map_or(Value::Null, text);
        let readers = |readers: &[Reader]| {
            let object = |reader: &Reader| serde_json::json!({"key": reader.key, "comment": some(&reader.comment)});
            Value::Array(readers.iter().map(object).collect())
        };
        put("actor", text(&self.who.actor));
        put("host", text(&self.who.host));
        put("job", some(&self.who.job));
        put("action", text(&self.action));
        put("profile", some(&self.profile));
        put("names", self.names.iter().map(Name::as_str).collect());
        put("reason", some(&self.reason));
        put("incident", some(&self.incident));
        put("plan", some(&self.plan));
        put("step", some(&self.step));
        put("outcome", text(&self.outcome));
        put("seconds", self.seconds.map_or(Value::Null, Value::from));
        put("added", readers(&self.added));
        put("removed", readers(&self.removed));
        let written =
            |written: &Written| serde_json::json!({"path": written.path, "sha256": written.sha256});
        put("written", self.written.iter().map(written).collect());
        put("before", before.iter().map(String::as_str).collect());
        line.push('}');
        line
    }

    /// Whether it gave its names other values, or none: it wrote ciphertext, and not only for other readers. A rotation
    /// did once it has ended: until then it may still turn back.
    #[must_use]
    pub fn changes_values(&self) -> bool {
        let changes = match self.step.as_deref() {
            None => !self.written.is_empty(),
            Some(step) => step == FINISH,
        };
        changes && self.outcome == "done" && self.added.is_empty() && self.removed.is_empty()
    }
}

/// A text as an entry has it.
#[must_use]
pub fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// When a variable's value in a profile was last changed, as far as the journal tells.
#[must_use]
pub fn last_changed(entries: &[Entry], profile: &str, name: &Name) -> Option<Time> {
    let changes = |entry: &&Entry| {
        entry.profile.as_deref() == Some(profile)
            && entry.changes_values()
            && entry.names.contains(name)
    };
    entries.iter().filter(changes).map(|entry| entry.time).max()
}

/// The entry that ended a plan.
#[must_use]
pub fn end_of_plan<'a>(entries: &'a [Entry], plan: &str) -> Option<&'a Entry> {
    entries.iter().find(|entry| {
        let ends = [FINISH, FINISH_BACK]
            .map(Some)
            .contains(&entry.step.as_deref());
        ends && entry.plan.as_deref() == Some(plan) && entry.outcome == "done"
    })
}

/// The names that a plan's entries tell of.
#[must_use]
pub fn names_of_plan(entries: &[Entry], plan: &str) -> BTreeSet<Name> {
    entries
        .iter()
        .filter(|entry| entry.plan.as_deref() == Some(plan))
        .flat_map(|entry| &entry.names)
        .cloned()
        .collect()
}

/// What readers of a profile could read who were removed since, and not added again, by name: each is to be rotated,
/// and none is in here once its value was changed.
#[must_use]
pub fn must_rotate<'a>(
    entries: &'a [Entry],
    profile: &str,
) -> BTreeMap<&'a Name, Vec<Exposed<'a>>> {
    // By the clock; two branches are one after the other in the file, although their entries were made in turn.
    let mut entries: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.profile.as_deref() == Some(profile))
        .collect();
    entries.sort_by_key(|entry| entry.time);
    // A rotation's new values can be read by its vault's readers from its first moment, long before they are in use.
    let mut begun: BTreeMap<&str, usize> = BTreeMap::new();
    let mut exposed: BTreeMap<&Name, Vec<(usize, Exposed)>> = BTreeMap::new();
    for (turn, entry) in entries.into_iter().enumerate() {
        let made = match &entry.plan {
            Some(plan) => *begun.entry(plan).or_insert(turn),
            None => turn,
        };
        if entry.outcome != "done" {
            continue;
        }
        for name in &entry.names {
            let of_name = exposed.entry(name).or_default();
            if entry.changes_values() {
                of_name.retain(|(removed, _)| *removed > made);
            }
            let is = |one: &Exposed, other: &Reader| one.reader.key == other.key;
            of_name.retain(|(_, one)| !entry.added.iter().any(|added| is(one, added)));
            for reader in &entry.removed {
                if !of_name.iter().any(|(_, one)| is(one, reader)) {
                    let since = entry.time;
                    of_name.push((turn, Exposed { reader, since }));
                }
            }
        }
    }
    exposed.retain(|_, exposed| !exposed.is_empty());
    let without_turns = |(name, exposed): (_, Vec<(_, Exposed<'a>)>)| {
        (name, exposed.into_iter().map(|(_, one)| one).collect())
    };
    exposed.into_iter().map(without_turns).collect()
}

#[cfg(test)]
mod tests;
