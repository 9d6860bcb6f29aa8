//! An incident: which secrets a leak exposes, across which boundary, what contains it, and what is left to be done.
//!
//! # Why
//!
//! It is pure, and has no state of its own: the journal's entries of an incident say what was done, so whoever has the
//! repository can go on. What is left is what the inventory asks for and no entry tells of.

use crate::inventory::{Inventory, Spot, Variable};
use crate::journal::{self, Entry};
use crate::secret::Name;
use std::collections::BTreeSet;

/// What the journal calls the beginning of an incident.
pub const OPEN: &str = "incident open";
/// What it calls a command that contains one.
pub const CONTAIN: &str = "incident contain";
/// What it calls a check after the rotations.
pub const VERIFY: &str = "incident verify";
/// What it calls the end.
pub const CLOSE: &str = "incident close";

/// The first step of a rotation.
const STAGE: &str = "stage";

/// What was exposed, and how that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Every secret of a class.
    Class(String),
    /// These secrets.
    Names(BTreeSet<Name>),
    /// What a reader could read, by its public key.
    Recipient(String),
}

/// As the journal has it.
impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cause::Class(class) => write!(f, "class {class}"),
            Cause::Names(names) => {
                let names: Vec<&str> = names.iter().map(Name::as_str).collect();
                write!(f, "name {}", names.join(" "))
            }
            Cause::Recipient(key) => write!(f, "recipient {key}"),
        }
    }
}

impl Cause {
    /// The cause that the journal has.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (word, rest) = text.split_once(' ')?;
        Some(match word {
            "class" => Cause::Class(rest.to_owned()),
            "name" => Cause::Names(rest.split(' ').filter_map(Name::new).collect()),
            "recipient" => Cause::Recipient(rest.to_owned()),
            _ => return None,
        })
    }
}

/// What an incident asks for, by the inventory.
pub struct Response<'a> {
    /// What contains it, each once.
    pub contain: Vec<&'a str>,
    /// What proves, after the rotations, that all is well, each once.
    pub verify: Vec<&'a str>,
    /// The boundary of each class that is exposed.
    pub boundaries: Vec<(&'a str, &'a str)>,
    /// The services that read what is exposed.
    pub services: BTreeSet<&'a str>,
}

impl<'a> Response<'a> {
    /// What the exposure of these variables asks for: of their classes, then of the services that read them.
    #[must_use]
    pub fn to(inventory: &'a Inventory, names: &BTreeSet<&Name>) -> Self {
        let variables: Vec<&Variable> = names
            .iter()
            .filter_map(|name| inventory.variables.get(*name))
            .collect();
        let classes: BTreeSet<&str> = variables
            .iter()
            .filter_map(|variable| Some(variable.class.as_ref()?.value.as_str()))
            .collect();
        let services: BTreeSet<&str> = variables
            .iter()
            .flat_map(|variable| &variable.used_by)
            .map(|user| user.value.as_str())
            .collect();
        let classes = || {
            classes
                .iter()
                .filter_map(|class| inventory.classes.get_key_value(*class))
        };
        let used = || {
            services
                .iter()
                .filter_map(|service| inventory.services.get(*service))
        };
        let contain = classes()
            .flat_map(|(_, class)| &class.contain)
            .chain(used().flat_map(|service| &service.contain));
        let verify = classes()
            .flat_map(|(_, class)| &class.verify)
            .chain(used().flat_map(|service| &service.verify));
        Response {
            contain: once(contain),
            verify: once(verify),
            boundaries: classes()
                .filter_map(|(name, class)| Some((name.as_str(), class.boundary.as_deref()?)))
                .collect(),
            services,
        }
    }
}

fn once<'a>(commands: impl Iterator<Item = &'a Spot<String>>) -> Vec<&'a str> {
    let mut all: Vec<&str> = Vec::new();
    for command in commands {
        if !all.contains(&command.value.as_str()) {
            all.push(&command.value);
        }
    }
    all
}

/// An incident, as the journal tells of it.
#[derive(Clone, Debug)]
pub struct Incident<'e> {
    /// Its id.
    pub id: &'e str,
    /// The entry that opened it.
    pub opened: &'e Entry,
    /// All of its entries, that one included.
    pub entries: Vec<&'e Entry>,
}

/// Every incident that the journal tells of, in the order of their beginnings.
#[must_use]
pub fn all(entries: &[Entry]) -> Vec<Incident<'_>> {
    let opened = entries.iter().filter(|entry| entry.action == OPEN);
    let mut incidents: Vec<Incident> = opened
        .filter_map(|opened| {
            let id = opened.incident.as_deref()?;
            let entries = entries
                .iter()
                .filter(|entry| entry.incident.as_deref() == Some(id));
            Some(Incident {
                id,
                opened,
                entries: entries.collect(),
            })
        })
        .collect();
    incidents.sort_by_key(|incident| incident.opened.time);
    incidents
}

impl Incident<'_> {
    /// Whether it has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed().is_some()
    }

    /// The entry that ended it.
    #[must_use]
    pub fn closed(&self) -> Option<&Entry> {
        self.entries
            .iter()
            .copied()
            .find(|entry| entry.action == CLOSE)
    }

    /// The names that it exposes.
    #[must_use]
    pub fn names(&self) -> &[Name] {
        &self.opened.names
    }

    /// What caused it.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        Cause::parse(self.opened.step.as_deref()?)
    }

    /// Whether a command was run, or passed over by a person, at a stage of it.
    #[must_use]
    pub fn did(&self, action: &str, command: &str) -> bool {
        self.entries.iter().any(|entry| {
            entry.action == action
                && entry.step == Some(journal::cut(command))
                && ["done", "passed over"].contains(&entry.outcome.as_str())
        })
    }

    /// The names whose rotation for it has ended with the new value. One that was begun before may have made the very
    /// value that leaked.
    #[must_use]
    pub fn rotated(&self) -> BTreeSet<&Name> {
        let begun: BTreeSet<&str> = self
            .entries
            .iter()
            .filter(|entry| entry.step.as_deref() == Some(STAGE))
            .filter_map(|entry| entry.plan.as_deref())
            .collect();
        self.entries
            .iter()
            .filter(|entry| {
                let plan = entry.plan.as_deref();
                plan.is_some_and(|plan| begun.contains(plan)) && entry.changes_values()
            })
            .flat_map(|entry| &entry.names)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const PRESET: &str = include_str!("../templates/freeboard/dotage.yaml");

    #[test]
    fn a_cause_is_read_back_as_it_is_written() {
        let names = ["B", "A"]
            .iter()
            .filter_map(|name| Name::new(name))
            .collect();
        for cause in [
            Cause::Class("gateway-trust".into()),
            Cause::Names(names),
            Cause::Recipient("ssh-ed25519 AAAA".into()),
        ] {
            assert_eq!(Cause::parse(&cause.to_string()), Some(cause));
        }
        assert_eq!(Cause::parse("weather bad"), None);
    }

    #[test]
    fn runbook_i1_the_class_names_the_boundary_and_i2_what_contains_it() {
        let preset = Inventory::parse(Path::new("dotage.yaml"), PRESET).unwrap();
        for (name, class, boundary, contain) in [
            (
                "JWT_SECRET",
                "user-auth",
                "sign in as any user",
                "./ops/contain.sh routes",
            ),
            (
                "GATEWAY_SERVICE_TOKEN",
                "gateway-trust",
                "as the gateway",
                "./ops/contain.sh streams",
            ),
            (
                "CREDENTIAL_ENCRYPTION_KEY",
                "encryption-key",
                "stored credentials",
                "./ops/contain.sh dashboards",
            ),
            (
                "POSTGRES_PASSWORD",
                "database",
                "everything",
                "./ops/contain.sh routes",
            ),
        ] {
            let name = preset.variables.get_key_value(name).unwrap().0;
            let response = Response::to(&preset, &BTreeSet::from([name]));
            assert_eq!(response.boundaries.len(), 1);
            assert_eq!(response.boundaries[0].0, class);
            assert!(
                response.boundaries[0].1.contains(boundary),
                "{}",
                response.boundaries[0].1
            );
            assert!(response.contain.contains(&contain), "{name}");
            let mut once = response.contain.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), response.contain.len());
            assert!(!response.verify.is_empty());
        }
    }
}
