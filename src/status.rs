//! The state of a project at a moment: which profile has which value and how old it is, when it is due, who can open
//! what, what is in flight, what breaks the contract, what was done. Never a value.
//!
//! # Why
//!
//! It is pure, and it judges nothing: the contract did. The screen, the JSON and the page say the same. The page is a
//! template over the JSON, and the JSON is built of names, words and dates alone, so no form can show what another
//! doesn't, and none has a value within its reach.

mod screen;

use crate::contract::{Held, Past};
use crate::inventory::{Bootstrap, Contract, Inventory, Variable};
use crate::journal::{Entry, Reader};
use crate::problem::{Printable, Problem, Severity};
use crate::report;
use crate::secret::Name;
use crate::template;
use crate::time::Time;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The page, as a template over the JSON.
const PAGE: &str = include_str!("status/page.html");
/// How many operations are shown, the newest: what came before them is in the journal.
const OPERATIONS: usize = 200;
/// The rules about files, which belong to no profile.
const OF_FILES: &[&str] = &[
    "journal",
    "env-tracked",
    "env-not-ignored",
    "env-loose",
    "env-owner",
    "env-symlink",
    "git-unknown",
    "identity-inside",
];
const DAY: u64 = 86_400;

/// What there is to show.
pub struct Status<'a> {
    /// What the project is called.
    pub project: String,
    /// What must be.
    pub inventory: &'a Inventory,
    /// The moment.
    pub now: Time,
    /// The profiles, in the order of their names.
    pub profiles: Vec<Profile<'a>>,
    /// What was done, in the order of the journal; none when the journal can't be read.
    pub entries: Option<&'a [Entry]>,
}

/// What is known of a profile.
pub struct Profile<'a> {
    /// Its name.
    pub name: &'a str,
    /// What its vault holds; none when it was not opened.
    pub held: Option<&'a Held>,
    /// What is recorded of its past; none when the journal can't be read.
    pub past: Option<&'a Past>,
    /// What the contract says.
    pub problems: &'a [Problem],
    /// The bundles of its vault.
    pub bundles: Vec<Bundle>,
    /// The rotations in flight: each one's file, by its id.
    pub rotations: BTreeMap<String, PathBuf>,
}

/// A bundle, and who can open it.
pub struct Bundle {
    /// Its file.
    pub path: PathBuf,
    /// Who can, by its recipients file; none when that can't be read.
    pub readers: Option<Vec<Reader>>,
    /// To whom it is encrypted, by its header: how many readers of which kind; none when it has no header.
    pub header: Option<String>,
    /// Whether the two agree, as far as that shows without a key.
    pub fits: bool,
    /// The names in it; of a bundle that was not opened, those that the inventory puts there.
    pub names: Vec<Name>,
}

/// What is known of a variable in a profile.
struct Cell<'a> {
    state: State,
    /// When its value was last changed.
    changed: Option<Time>,
    /// When its next value is due, if its rotation is a duty of this profile.
    due: Option<Time>,
    /// Who could read it and was removed since, and when.
    exposed: Option<&'a (String, Time)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The vault has it.
    Set,
    /// It is the profile's published default.
    Default,
    /// It is made of others.
    Derived,
    /// It has none, and needs one.
    Missing,
    /// It has none, and needs none.
    Unneeded,
    /// The vault was not opened.
    Unknown,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Set => "set",
            State::Default => "default",
            State::Derived => "derived",
            State::Missing => "missing",
            State::Unneeded => "not-needed",
            State::Unknown => "not-known",
        }
    }

    fn has_value(self) -> bool {
        matches!(self, State::Set | State::Default | State::Derived)
    }
}

/// A value whose rotation is a duty.
struct Duty<'a> {
    profile: &'a str,
    name: &'a Name,
    variable: &'a Variable,
    every: u64,
    cell: Cell<'a>,
}

impl Profile<'_> {
    /// Whether a bootstrap is open, as far as that is known.
    fn is_open(&self, bootstrap: &Bootstrap) -> bool {
        let switch = self
            .held
            .and_then(|held| held.secrets.get(&bootstrap.switch.value));
        switch.is_some_and(|switch| switch.expose() == b"true")
    }

    /// Whether it needs a value: always, or while a bootstrap is open.
    fn needs(&self, variable: &Variable) -> bool {
        let bootstrap = variable.bootstrap.as_deref();
        variable.is_required(self.name, None)
            || bootstrap.is_some_and(|bootstrap| self.is_open(bootstrap))
    }

    /// The problems that are its own.
    fn own(&self) -> impl Iterator<Item = &Problem> {
        let problems = self.problems.iter();
        problems.filter(|problem| !OF_FILES.contains(&problem.rule))
    }
}

impl Status<'_> {
    /// One screen of text.
    #[must_use]
    pub fn screen(&self) -> String {
        Printable(&screen::text(self)).to_string()
    }

    /// The page: one file of HTML that needs nothing else.
    ///
    /// # Errors
    /// What is wrong with its template.
    pub fn page(&self) -> Result<String, Problem> {
        template::page(PAGE, &self.json())
    }

    /// All of it, as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let entries = self.entries.unwrap_or_default();
        // The journal is in the order of the file; two merged branches are in it one after the other.
        let mut newest: Vec<&Entry> = entries.iter().collect();
        newest.sort_by_key(|entry| (std::cmp::Reverse(entry.time), std::cmp::Reverse(entry.line)));
        newest.truncate(OPERATIONS);
        json!({
            "project": shown(&self.project),
            "time": self.now.to_string(),
            "version": env!("CARGO_PKG_VERSION"),
            "profiles": self.profiles.iter().map(|profile| self.profile(profile)).collect::<Value>(),
            "files": counts(self.of_files()),
            "in_flight": self.in_flight(),
            "findings": self.findings(),
            "services": self.inventory.services.keys().map(|service| shown(service)).collect::<Value>(),
            "variables": self.variables(),
            "bundles": self.bundles(),
            "calendar": self.calendar(),
            "journal": self.entries.is_some(),
            "operations": newest.into_iter().map(operation).collect::<Value>(),
            "earlier": entries.len().saturating_sub(OPERATIONS),
        })
    }

    /// What is known of a variable in a profile.
    fn cell<'b>(&self, profile: &'b Profile<'_>, name: &Name, variable: &Variable) -> Cell<'b> {
        let state = match profile.held {
            None => State::Unknown,
            Some(held) if held.defaulted.contains(name) => State::Default,
            Some(held) if variable.derive.is_some() && held.secrets.contains_key(name) => {
                State::Derived
            }
            Some(held) if variable.derive.is_none() && held.stored.contains_key(name) => State::Set,
            Some(_) if profile.needs(variable) => State::Missing,
            Some(_) => State::Unneeded,
        };
        let changed = match state {
            State::Set | State::Derived | State::Unknown => self.changed(profile, name, variable),
            _ => None,
        };
        let every = variable
            .rotation
            .as_ref()
            .and_then(|rotation| rotation.every);
        Cell {
            state,
            changed,
            due: changed
                .zip(every.filter(|_| self.is_strict(profile)))
                .map(|(changed, every)| Time(changed.0.saturating_add(every.as_secs()))),
            exposed: profile.past.and_then(|past| past.exposed.get(name)),
        }
    }

    /// When a value was last changed; a derived one with the last of its parts.
    fn changed(&self, profile: &Profile<'_>, name: &Name, variable: &Variable) -> Option<Time> {
        let past = profile.past?;
        let Some(derive) = &variable.derive else {
            return past.changed.get(name).copied();
        };
        let mut last = None;
        for part in &derive.names {
            let default = profile
                .held
                .is_some_and(|held| held.defaulted.contains(part));
            if !default {
                let variable = self.inventory.variables.get(part)?;
                last = last.max(Some(self.changed(profile, part, variable)?));
            }
        }
        last
    }

    fn is_strict(&self, profile: &Profile<'_>) -> bool {
        let said = self.inventory.profiles.get(profile.name);
        said.is_some_and(|said| said.contract == Contract::Strict)
    }

    /// How many values a profile needs, and how many of them it has; none when its vault was not opened.
    fn needed(&self, profile: &Profile<'_>) -> Option<(usize, usize)> {
        profile.held?;
        let needed = self
            .inventory
            .variables
            .iter()
            .filter(|(_, variable)| profile.needs(variable));
        let has: Vec<bool> = needed
            .map(|(name, variable)| self.cell(profile, name, variable).state.has_value())
            .collect();
        Some((has.iter().filter(|has| **has).count(), has.len()))
    }

    /// The duties of every profile, by the day that they are due on; those of no day last.
    fn duties(&self) -> Vec<Duty<'_>> {
        let mut duties = Vec::new();
        for profile in self.profiles.iter().filter(|one| self.is_strict(one)) {
            for (name, variable) in &self.inventory.variables {
                let every = variable
                    .rotation
                    .as_ref()
                    .and_then(|rotation| rotation.every);
                let cell = self.cell(profile, name, variable);
                if let (State::Set | State::Unknown, Some(every)) = (cell.state, every) {
                    duties.push(Duty {
                        profile: profile.name,
                        name,
                        variable,
                        every: every.as_secs(),
                        cell,
                    });
                }
            }
        }
        duties.sort_by_key(|duty| {
            (
                duty.cell.due.is_none(),
                duty.cell.due,
                duty.name,
                duty.profile,
            )
        });
        duties
    }

    /// The first duty of a profile that has a day.
    fn next(&self, profile: &Profile<'_>) -> Option<(&Name, Time)> {
        let mut duties = self.duties().into_iter();
        let first = duties.find(|duty| duty.profile == profile.name)?;
        Some((first.name, first.cell.due?))
    }

    fn is_overdue(&self, due: Time) -> bool {
        due < self.now
    }

    /// The problems that are no profile's.
    fn of_files(&self) -> impl Iterator<Item = &Problem> {
        let problems = self.profiles.iter().flat_map(|profile| profile.problems);
        problems.filter(|problem| OF_FILES.contains(&problem.rule))
    }

    fn profile(&self, profile: &Profile<'_>) -> Value {
        let needed = self.needed(profile);
        let next = self.next(profile);
        json!({
            "name": shown(profile.name),
            "contract": if self.is_strict(profile) { "strict" } else { "lenient" },
            "opened": profile.held.is_some(),
            "needed": needed.map(|(_, needed)| needed),
            "present": needed.map(|(present, _)| present),
            "findings": counts(profile.own()),
            "next": next.map(|(name, due)| json!({
                "name": name.as_str(),
                "due": due.date().to_string(),
                "overdue": self.is_overdue(due),
            })),
        })
    }

    /// What the journal tells last of a rotation.
    fn last_of(&self, id: &str) -> Option<&Entry> {
        let of_it = |entry: &&Entry| entry.plan.as_deref() == Some(id) && entry.step.is_some();
        self.entries?.iter().rev().find(of_it)
    }

    fn in_flight(&self) -> Value {
        let mut all = Vec::new();
        for profile in &self.profiles {
            for (id, path) in &profile.rotations {
                let last = self.last_of(id);
                all.push(json!({
                    "what": "rotation",
                    "profile": shown(profile.name),
                    "id": shown(id),
                    "path": shown(&path.to_string_lossy()),
                    "names": last.map(|last| last.names.iter().map(Name::as_str).collect::<Vec<_>>()),
                    "step": last.and_then(|last| last.step.as_deref()).map(shown),
                    "outcome": last.map(|last| shown(&last.outcome)),
                    "since": last.map(|last| last.time.to_string()),
                }));
            }
            for (name, bootstrap) in self.bootstraps(profile) {
                let known = profile.past.filter(|_| profile.held.is_some());
                let since = known.and_then(|past| past.opened.get(&bootstrap.switch.value));
                let until = since
                    .zip(bootstrap.within)
                    .map(|(since, within)| Time(since.0.saturating_add(within.as_secs())));
                all.push(json!({
                    "what": "bootstrap",
                    "profile": shown(profile.name),
                    "name": name.as_str(),
                    "open": profile.held.map(|_| true),
                    "since": since.map(Time::to_string),
                    "until": until.map(|until| until.to_string()),
                    "overdue": profile.held.map(|_| until.is_none_or(|until| self.is_overdue(until))),
                }));
            }
        }
        Value::Array(all)
    }

    /// The variables of the bootstraps of a strict profile that are open, or that may be when its vault was not opened.
    /// In a lenient one they are as they may be.
    fn bootstraps<'b>(&'b self, profile: &'b Profile<'_>) -> Vec<(&'b Name, &'b Bootstrap)> {
        let variables = self.inventory.variables.iter();
        variables
            .filter_map(|(name, variable)| Some((name, variable.bootstrap.as_deref()?)))
            .filter(|(_, bootstrap)| {
                self.is_strict(profile) && (profile.held.is_none() || profile.is_open(bootstrap))
            })
            .collect()
    }

    /// Each problem once, with the profiles that have it, the gravest first.
    fn findings(&self) -> Value {
        let mut all: Vec<(&Problem, Vec<String>)> = Vec::new();
        for profile in &self.profiles {
            for problem in profile.problems {
                let of = (!OF_FILES.contains(&problem.rule)).then(|| shown(profile.name));
                match all.iter_mut().find(|(told, _)| *told == problem) {
                    Some((_, profiles)) => profiles.extend(of),
                    None => all.push((problem, of.into_iter().collect())),
                }
            }
        }
        all.sort_by(|(a, _), (b, _)| (a.severity, &a.place).cmp(&(b.severity, &b.place)));
        let finding = |(problem, profiles): (&Problem, Vec<String>)| {
            let mut object = report::object(problem);
            if let Value::Object(fields) = &mut object {
                fields.insert("profiles".to_owned(), profiles.into());
            }
            object
        };
        all.into_iter().map(finding).collect()
    }

    fn variables(&self) -> Value {
        let row = |(name, variable): (&Name, &Variable)| {
            let services = |spots: &[crate::inventory::Spot<String>]| -> Value {
                spots.iter().map(|spot| shown(&spot.value)).collect()
            };
            let cells: serde_json::Map<String, Value> = self
                .profiles
                .iter()
                .map(|profile| {
                    let cell = self.cell(profile, name, variable);
                    (shown(profile.name), self.cell_json(&cell))
                })
                .collect();
            json!({
                "name": name.as_str(),
                "purpose": shown(&variable.purpose),
                "used_by": services(&variable.used_by),
                "optional_for": services(&variable.optional_for),
                "class": variable.class.as_ref().map(|class| shown(&class.value)),
                "sensitive": variable.sensitive,
                "profiles": cells,
            })
        };
        self.inventory.variables.iter().map(row).collect()
    }

    fn cell_json(&self, cell: &Cell<'_>) -> Value {
        json!({
            "state": cell.state.word(),
            "changed": cell.changed.map(|changed| changed.to_string()),
            "age_days": cell.changed.map(|changed| self.age(changed)),
            "due": cell.due.map(|due| due.date().to_string()),
            "overdue": cell.due.is_some_and(|due| self.is_overdue(due)),
            "exposed": cell.exposed.map(|(reader, since)| json!({
                "reader": shown(reader),
                "since": since.date().to_string(),
            })),
        })
    }

    /// How many whole days ago.
    fn age(&self, then: Time) -> u64 {
        then.until(self.now).as_secs() / DAY
    }

    fn bundles(&self) -> Value {
        let mut all = Vec::new();
        for profile in &self.profiles {
            for bundle in &profile.bundles {
                let readers = bundle.readers.as_deref();
                all.push(json!({
                    "profile": shown(profile.name),
                    "path": shown(&bundle.path.to_string_lossy()),
                    "readers": readers.map(|readers| readers.iter().map(reader).collect::<Value>()),
                    "encrypted_to": bundle.header.as_deref().map(shown),
                    "as_declared": bundle.fits,
                    "opened": profile.held.is_some(),
                    "names": bundle.names.iter().map(Name::as_str).collect::<Value>(),
                }));
            }
        }
        Value::Array(all)
    }

    /// The duties by month: those that are overdue under `overdue`, those of no day under null.
    fn calendar(&self) -> Value {
        let mut months: Vec<(Option<String>, Vec<Value>)> = Vec::new();
        for duty in self.duties() {
            let month = duty.cell.due.map(|due| {
                if self.is_overdue(due) {
                    "overdue".to_owned()
                } else {
                    let date = due.date();
                    format!("{:04}-{:02}", date.year, date.month)
                }
            });
            let rotation = duty.variable.rotation.as_deref();
            let together = rotation.map_or(&[][..], |rotation| &rotation.together);
            let spent = |changed: Time| {
                let age = changed.until(self.now).as_secs();
                (age.saturating_mul(100) / duty.every.max(1)).min(100)
            };
            let item = json!({
                "name": duty.name.as_str(),
                "profile": shown(duty.profile),
                "changed": duty.cell.changed.map(|changed| changed.date().to_string()),
                "due": duty.cell.due.map(|due| due.date().to_string()),
                "days": duty.cell.due.map(|due| {
                    self.now.until(due).max(due.until(self.now)).as_secs() / DAY
                }),
                "every_days": duty.every / DAY,
                "spent_percent": duty.cell.changed.map(spent),
                "together": together.iter().map(|name| name.value.as_str()).collect::<Value>(),
                "window": rotation.and_then(|rotation| rotation.window.as_deref()).map(shown),
                "expect": rotation.and_then(|rotation| rotation.expect.as_deref()).map(shown),
            });
            match months.last_mut() {
                Some((last, items)) if *last == month => items.push(item),
                _ => months.push((month, vec![item])),
            }
        }
        let month = |(month, items)| json!({"month": month, "items": Value::Array(items)});
        months.into_iter().map(month).collect()
    }
}

/// How many problems there are of each severity.
fn counts<'a>(problems: impl Iterator<Item = &'a Problem>) -> Value {
    let [errors, warnings, notes] = numbers(problems);
    json!({"errors": errors, "warnings": warnings, "notes": notes})
}

/// Errors, warnings, notes.
fn numbers<'a>(problems: impl Iterator<Item = &'a Problem>) -> [usize; 3] {
    let mut numbers = [0; 3];
    for problem in problems {
        let [errors, warnings, notes] = &mut numbers;
        *match problem.severity {
            Severity::Error => errors,
            Severity::Warning => warnings,
            Severity::Note => notes,
        } += 1;
    }
    numbers
}

fn operation(entry: &Entry) -> Value {
    let text = |text: &Option<String>| text.as_deref().map(shown);
    json!({
        "time": entry.time.to_string(),
        "actor": shown(&entry.who.actor),
        "host": shown(&entry.who.host),
        "job": text(&entry.who.job),
        "action": shown(&entry.action),
        "profile": text(&entry.profile),
        "names": entry.names.iter().map(Name::as_str).collect::<Value>(),
        "reason": text(&entry.reason),
        "incident": text(&entry.incident),
        "plan": text(&entry.plan),
        "step": text(&entry.step),
        "outcome": shown(&entry.outcome),
        "seconds": entry.seconds,
        "added": entry.added.iter().map(reader).collect::<Value>(),
        "removed": entry.removed.iter().map(reader).collect::<Value>(),
    })
}

fn reader(reader: &Reader) -> Value {
    json!({"key": shown(&reader.key), "comment": reader.comment.as_deref().map(shown)})
}

/// Text without a character that moves a cursor or turns a line around.
fn shown(text: &str) -> String {
    Printable(text).to_string()
}
