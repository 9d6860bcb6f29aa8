//! The contract: what must hold of a profile's names, values, files and dates, judged from facts that others gathered.
//!
//! # Why
//!
//! It is pure: no disk, no process, no clock of its own. Half of the facts need no key, so the half of the judgement
//! that names and files allow works in a fork's CI. What a value may look like is said once, by its `format`, which
//! generates it too.
//!
//! A lenient profile is for development: published defaults are fine there, and a stored value that breaks its format is
//! a warning. Nothing lowers a strict profile in silence: an exception is written in the inventory with a reason and a
//! last day, and whatever it excuses is still said, as a note.

mod strength;
mod value;

use crate::inventory::{Contract, Exception, Format, Inventory, Variable};
use crate::problem::{Place, Problem, Severity};
use crate::redact;
use crate::secret::{Name, Secret, Secrets};
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use zeroize::Zeroizing;

/// The rules by name, each in a sentence. A problem, an exception and a report call a rule by this name.
pub const RULES: &[(&str, &str)] = &[
    // values
    (
        "missing",
        "a variable that the profile requires has a value",
    ),
    ("format", "a value is what its `format` says"),
    ("not-base64", "a value declared as base64 is base64"),
    ("placeholder", "a secret is no placeholder"),
    (
        "published",
        "a secret is not one that everybody can read: a product's default, or a literal of the project's own files",
    ),
    (
        "low-entropy",
        "a secret has enough bits of entropy: a token or a key 80, a password 28",
    ),
    ("repeated", "a secret is not one piece over and over"),
    (
        "small-alphabet",
        "a secret is made of more than a few characters",
    ),
    (
        "sequence",
        "a secret doesn't count or go through the alphabet",
    ),
    ("keyboard", "a secret doesn't follow the keys of a keyboard"),
    (
        "not-hidden",
        "a secret can be hidden in what a job prints: it is long enough, and no common word",
    ),
    ("shared", "no two secrets have one value"),
    (
        "same-in-profiles",
        "a secret of a strict profile is not one of another profile's as well",
    ),
    // names
    ("undeclared", "what a vault or a template names is declared"),
    ("unused", "a declared variable is used by something"),
    ("derived-stored", "a derived value is stored nowhere"),
    (
        "derived-differs",
        "a stored value agrees with the parts that it is derived from",
    ),
    (
        "wrong-bundle",
        "a value is in the bundle that the inventory says",
    ),
    (
        "not-used-by",
        "a service's template shows variables of that service",
    ),
    (
        "not-in-target",
        "a target's template shows variables of that target",
    ),
    // where a value would come from
    (
        "code-default",
        "no service falls back to a default of its code",
    ),
    (
        "development-default",
        "no service falls back to a default of development",
    ),
    (
        "compose-default",
        "no service falls back to a default of its Compose files",
    ),
    ("compose-required", "what Compose requires is set"),
    (
        "compose-literal",
        "no secret is written out in a Compose file",
    ),
    ("compose-file", "Compose can load the Compose files"),
    // files
    (
        "vault",
        "each bundle is a whole age file that holds what a vault may hold",
    ),
    ("template", "each template can be read"),
    ("journal", "each line of operations.jsonl is an entry"),
    ("env-tracked", "git tracks no plaintext .env file"),
    ("env-not-ignored", "git ignores each plaintext .env file"),
    ("env-loose", "a plaintext .env file is closed to others"),
    ("env-owner", "a plaintext .env file belongs to the user"),
    (
        "env-symlink",
        "a plaintext .env file is reached through no symbolic link",
    ),
    ("git-unknown", "git can be asked"),
    (
        "recipients-differ",
        "a bundle is encrypted to the readers of its recipients file",
    ),
    ("no-recipients", "a vault has a recipients file"),
    ("identity-inside", "no identity is inside the project"),
    // time
    ("bootstrap-open", "a bootstrap is closed in time"),
    (
        "bootstrap-left",
        "what only a bootstrap needs is gone when it is closed",
    ),
    (
        "rotation-due",
        "a value is rotated as often as the inventory says",
    ),
    (
        "age-unknown",
        "it is recorded when a value was last changed",
    ),
    ("rotation-in-flight", "no rotation is half done"),
    (
        "must-rotate",
        "what a removed reader could read was changed since",
    ),
    // exceptions
    ("unknown-rule", "an exception names a rule that there is"),
    (
        "expired-exception",
        "an exception's last day has not passed",
    ),
    ("unused-exception", "an exception excuses something"),
];

/// A problem and the variable that it is about, so that an exception for that variable finds it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The variable; none: something else.
    pub name: Option<Name>,
    /// What is wrong.
    pub problem: Problem,
}

impl From<Problem> for Finding {
    fn from(problem: Problem) -> Self {
        Finding {
            name: None,
            problem,
        }
    }
}

/// What a profile's opened vault holds.
pub struct Held {
    /// Every value by name: stored, defaulted or derived.
    pub secrets: Secrets,
    /// The names among them whose value is the profile's published default.
    pub defaulted: BTreeSet<Name>,
    /// The file of the bundle that holds each stored value; undeclared ones too.
    pub stored: BTreeMap<Name, Place>,
    /// Values that are stored although they are derived.
    pub stray: Secrets,
}

/// A text that everybody who has the project can read.
pub struct Literal {
    /// The name that it stands at.
    pub name: String,
    /// The text.
    pub value: Vec<u8>,
    /// Where.
    pub place: Place,
}

/// What is recorded of a profile's past.
#[derive(Default)]
pub struct Past {
    /// When each value was last changed.
    pub changed: BTreeMap<Name, Time>,
    /// When the bootstrap of each switch was last opened.
    pub opened: BTreeMap<Name, Time>,
    /// Names that a removed reader could read and that were not changed since: who, and since when.
    pub exposed: BTreeMap<Name, (String, Time)>,
}

/// What there is to judge.
pub struct Facts<'a> {
    /// What must be.
    pub inventory: &'a Inventory,
    /// The profile.
    pub profile: &'a str,
    /// The moment that it is judged at.
    pub now: Time,
    /// Its values; none when no vault was opened: then only names, files and dates are judged.
    pub held: Option<&'a Held>,
    /// The values of the other profiles whose vaults open.
    pub others: &'a [(&'a str, &'a Held)],
    /// Texts that everybody can read.
    pub published: &'a [Literal],
    /// The names that templates show; one that shows all variables shows none by name.
    pub shown: &'a BTreeSet<Name>,
    /// What is recorded of its past; none when the records can't be read.
    pub past: Option<&'a Past>,
    /// What others found wrong: its vault's files, its templates, where a service's values would come from.
    pub found: Vec<Finding>,
}

/// Every problem of a profile, those that an exception excuses as notes. Errors are what must change; warnings what may
/// have to.
#[must_use]
pub fn problems(mut facts: Facts<'_>) -> Vec<Problem> {
    let mut found = std::mem::take(&mut facts.found);
    let judge = Judge {
        strict: facts
            .inventory
            .profiles
            .get(facts.profile)
            .is_some_and(|profile| profile.contract == Contract::Strict),
        facts: &facts,
    };
    judge.names(&mut found);
    judge.values(&mut found);
    judge.dates(&mut found);
    let mut problems = judge.excused(found);
    problems.sort_by(|a, b| a.place.cmp(&b.place));
    problems
}

/// Why a name that has no value needs one, and how to give it one.
#[must_use]
pub fn missing(inventory: &Inventory, name: &Name, profile: &str) -> Problem {
    let Some(variable) = inventory.variables.get(name) else {
        return Problem::new("undeclared", format!("{name} is not declared"));
    };
    let problem = inventory.problem(
        "missing",
        variable.at,
        format!("{name} has no value in profile {profile}"),
    );
    let parts: Vec<&str> = variable
        .derive
        .iter()
        .flat_map(|derive| derive.names.iter().map(Name::as_str))
        .collect();
    problem.help(match parts.first() {
        Some(first) => format!(
            "it is made of {}: dotage set {first} --profile {profile}",
            parts.join(", ")
        ),
        None if variable.is_generated() => format!("dotage generate {name} --profile {profile}"),
        None => format!("dotage set {name} --profile {profile}"),
    })
}

struct Judge<'a> {
    strict: bool,
    facts: &'a Facts<'a>,
}

impl Judge<'_> {
    /// A problem of a variable, at the line that declares it.
    fn of(&self, name: &Name, variable: &Variable, rule: &'static str, message: String) -> Finding {
        Finding {
            name: Some(name.clone()),
            problem: self.facts.inventory.problem(rule, variable.at, message),
        }
    }

    fn names(&self, found: &mut Vec<Finding>) {
        let Facts {
            inventory, profile, ..
        } = self.facts;
        let switches: BTreeSet<&Name> = inventory
            .variables
            .values()
            .filter_map(|variable| Some(&variable.bootstrap.as_ref()?.switch.value))
            .collect();
        let parts: BTreeSet<&Name> = inventory
            .variables
            .values()
            .flat_map(|variable| variable.derive.iter().flat_map(|derive| &derive.names))
            .collect();
        for (name, variable) in &inventory.variables {
            let used = !variable.used_by.is_empty()
                || self.facts.shown.contains(name)
                || switches.contains(name)
                || parts.contains(name);
            if !used {
                let mut finding = self.of(
                    name,
                    variable,
                    "unused",
                    format!("{name} is declared, and nothing uses it"),
                );
                finding.problem = finding
                    .problem
                    .severity(if self.strict { Severity::Error } else { Severity::Warning })
                    .help(format!("name its services in `used_by`, or remove it: dotage unset {name} --profile {profile}, then its lines here"));
                found.push(finding);
            }
        }
        let Some(held) = self.facts.held else {
            return;
        };
        for (name, place) in &held.stored {
            let Some(variable) = inventory.variables.get(name) else {
                found.push(Finding {
                    name: Some(name.clone()),
                    problem: Problem::new("undeclared", format!("{name} is in the vault, and not declared"))
                        .at(place.clone())
                        .help(format!("declare it under `variables:`, or take its line out: dotage edit --profile {profile}")),
                });
                continue;
            };
            if let Some(stray) = held.stray.get(name) {
                let agrees = held.secrets.get(name).is_some_and(|made| made.same(stray));
                let mut finding = if agrees {
                    self.of(
                        name,
                        variable,
                        "derived-stored",
                        format!("{name} is derived, and stored as well"),
                    )
                } else {
                    self.of(name, variable, "derived-differs", format!("{name} is derived, and the value that is stored as well does not agree with its parts"))
                };
                finding.problem = finding
                    .problem
                    .severity(if agrees {
                        Severity::Warning
                    } else {
                        Severity::Error
                    })
                    .help(format!(
                        "take its line out: dotage edit --profile {profile}"
                    ));
                found.push(finding);
            }
        }
        for (name, variable) in &inventory.variables {
            let needed = variable.is_required(profile, None) || self.bootstraps(variable);
            // What a derived value lacks is told of its parts.
            let lacks_parts = variable
                .derive
                .iter()
                .flat_map(|derive| &derive.names)
                .any(|part| {
                    !held.secrets.contains_key(part)
                        && inventory
                            .variables
                            .get(part)
                            .is_some_and(|part| part.is_required(profile, None))
                });
            if needed
                && !lacks_parts
                && !held.secrets.contains_key(name)
                && !held.stored.contains_key(name)
            {
                found.push(Finding {
                    name: Some(name.clone()),
                    problem: missing(inventory, name, profile),
                });
            }
        }
    }

    /// Whether a variable's bootstrap is open.
    fn bootstraps(&self, variable: &Variable) -> bool {
        variable.bootstrap.as_ref().is_some_and(|bootstrap| {
            self.facts
                .held
                .and_then(|held| held.secrets.get(&bootstrap.switch.value))
                .is_some_and(|switch| switch.expose() == b"true")
        })
    }

    fn values(&self, found: &mut Vec<Finding>) {
        let Some(held) = self.facts.held else {
            return;
        };
        let mut literals: BTreeMap<&[u8], &Literal> = BTreeMap::new();
        for literal in self.facts.published.iter().rev() {
            literals.insert(&literal.value, literal);
        }
        let mut owners: BTreeMap<&[u8], Vec<&Name>> = BTreeMap::new();
        for (name, secret) in &held.secrets {
            let Some(variable) = self.facts.inventory.variables.get(name) else {
                continue;
            };
            let defaulted = held.defaulted.contains(name);
            let mut wrong: Vec<(&'static str, String)> = Vec::new();
            if let Some(fault) = value::fault(&variable.format.value, secret.expose()) {
                wrong.push(("format", fault));
            }
            if self.strict {
                if wrong.is_empty() && variable.sensitive && variable.derive.is_none() {
                    wrong.extend(weaknesses(&variable.format.value, secret));
                }
                if wrong.is_empty()
                    && let Some(published) =
                        self.published(name, variable, defaulted, secret, &literals)
                {
                    wrong.push(("published", published));
                }
                if wrong.is_empty()
                    && variable.sensitive
                    && !secret.expose().is_empty()
                    && let Some(why) = redact::cannot_hide(secret.expose())
                {
                    wrong.push(("not-hidden", why.to_owned()));
                }
                if variable.sensitive
                    && variable.derive.is_none()
                    && secret_by_format(&variable.format.value)
                {
                    owners.entry(secret.expose()).or_default().push(name);
                }
            }
            for (rule, message) in wrong {
                let mut finding = self.of(name, variable, rule, format!("{name} {message}"));
                finding.problem = self
                    .facts
                    .inventory
                    .problem(rule, variable.format.at, format!("{name} {message}"))
                    .severity(if self.strict {
                        Severity::Error
                    } else {
                        Severity::Warning
                    })
                    .help(self.replace(name, variable, defaulted));
                found.push(finding);
            }
        }
        for names in owners.values().filter(|names| names.len() > 1) {
            let [first, rest @ ..] = names.as_slice() else {
                continue;
            };
            for name in rest {
                if let Some(variable) = self.facts.inventory.variables.get(*name) {
                    let mut finding = self.of(
                        name,
                        variable,
                        "shared",
                        format!("{name} has the value of {first}"),
                    );
                    finding.problem = finding.problem.help(self.replace(name, variable, false));
                    found.push(finding);
                }
            }
        }
        if self.strict {
            self.same_elsewhere(held, found);
        }
    }

    /// Values that another profile has as well; its published defaults are literals, and told as such.
    fn same_elsewhere(&self, held: &Held, found: &mut Vec<Finding>) {
        for (other, theirs) in self.facts.others {
            let by_value: BTreeMap<&[u8], &Name> = theirs
                .secrets
                .iter()
                .filter(|(name, _)| !theirs.defaulted.contains(*name))
                .map(|(name, secret)| (secret.expose(), name))
                .collect();
            for (name, secret) in &held.secrets {
                let Some(variable) = self.facts.inventory.variables.get(name) else {
                    continue;
                };
                if !variable.sensitive
                    || variable.derive.is_some()
                    || !secret_by_format(&variable.format.value)
                {
                    continue;
                }
                if let Some(theirs) = by_value.get(secret.expose()) {
                    let of = if *theirs == name {
                        "the value".to_owned()
                    } else {
                        format!("the value of {theirs}")
                    };
                    let message = format!("{name} has {of} that profile {other} has");
                    let mut finding = self.of(name, variable, "same-in-profiles", message);
                    finding.problem = finding.problem.help(self.replace(name, variable, false));
                    found.push(finding);
                }
            }
        }
    }

    /// Where everybody can read a value, in words that complete `NAME …`.
    ///
    /// A secret may be no literal at all; what is no secret but has a class (a database account) not the one that is
    /// published for it, unless this profile's own default says that it is meant.
    fn published(
        &self,
        name: &Name,
        variable: &Variable,
        defaulted: bool,
        secret: &Secret,
        literals: &BTreeMap<&[u8], &Literal>,
    ) -> Option<String> {
        let value = secret.expose();
        if !variable.sensitive {
            if variable.class.is_some() && strength::is_default(value) {
                return Some(
                    "is a default that products ship with or their documentation shows".to_owned(),
                );
            }
            if variable.class.is_none() || defaulted {
                return None;
            }
            let own = self
                .facts
                .published
                .iter()
                .find(|literal| literal.value == value && literal.name == name.as_str())?;
            return Some(format!(
                "has the value that everybody can read in {}",
                own.place
            ));
        }
        if value.is_empty() || !secret_by_format(&variable.format.value) {
            return None;
        }
        let literal = literals.get(value)?;
        Some(format!(
            "has the value that everybody can read in {}",
            literal.place
        ))
    }

    /// How to give a variable another value.
    fn replace(&self, name: &Name, variable: &Variable, defaulted: bool) -> String {
        let profile = self.facts.profile;
        let parts = variable
            .derive
            .iter()
            .flat_map(|derive| derive.names.iter().map(Name::as_str));
        if variable.derive.is_some() {
            format!(
                "change what it is made of: {}",
                parts.collect::<Vec<_>>().join(", ")
            )
        } else if defaulted {
            format!("change its default in dotage.yaml, or: dotage set {name} --profile {profile}")
        } else if variable.encrypts_stored_data {
            format!("dotage rotate {name} --profile {profile}")
        } else if variable.is_generated() {
            format!("dotage generate {name} --profile {profile} --force")
        } else {
            format!("dotage set {name} --profile {profile}")
        }
    }

    /// How to give a variable that is in use another value.
    fn rotate(&self, name: &Name, variable: &Variable) -> String {
        let profile = self.facts.profile;
        if variable.bootstrap.is_some() {
            return format!("dotage bootstrap close --profile {profile}");
        }
        format!("dotage rotate {name} --profile {profile}")
    }

    fn dates(&self, found: &mut Vec<Finding>) {
        let Facts {
            inventory,
            profile,
            now,
            past,
            held,
            ..
        } = self.facts;
        let Some(past) = past else {
            return;
        };
        for (name, variable) in &inventory.variables {
            if let Some((reader, since)) = past.exposed.get(name) {
                let mut finding = self.of(
                    name,
                    variable,
                    "must-rotate",
                    format!("{name} could be read by {reader}, removed on {}, and was not changed since", since.date()),
                );
                finding.problem = finding.problem.help(self.rotate(name, variable));
                found.push(finding);
            }
            if !self.strict {
                continue;
            }
            self.bootstrap(name, variable, past, found);
            let stored = held.is_some_and(|held| held.stored.contains_key(name));
            let every = variable
                .rotation
                .as_ref()
                .and_then(|rotation| rotation.every);
            let Some(every) = every else { continue };
            match past.changed.get(name) {
                Some(changed) if changed.until(*now) > every => {
                    let days = changed.until(*now).saturating_sub(every).as_secs() / 86_400;
                    let mut finding = self.of(
                        name,
                        variable,
                        "rotation-due",
                        format!(
                            "{name} was last changed on {}, and its rotation is {} overdue",
                            changed.date(),
                            if days == 1 {
                                "1 day".to_owned()
                            } else {
                                format!("{days} days")
                            }
                        ),
                    );
                    finding.problem = finding.problem.help(self.rotate(name, variable));
                    found.push(finding);
                }
                None if stored => {
                    let mut finding = self.of(
                        name,
                        variable,
                        "age-unknown",
                        format!(
                            "it is not recorded when {name} was last changed in profile {profile}"
                        ),
                    );
                    finding.problem = finding
                        .problem
                        .severity(Severity::Warning)
                        .help("its next change will be");
                    found.push(finding);
                }
                _ => {}
            }
        }
    }

    /// A bootstrap that is open, for how long, and what one that is closed left behind.
    fn bootstrap(&self, name: &Name, variable: &Variable, past: &Past, found: &mut Vec<Finding>) {
        let Facts {
            profile, now, held, ..
        } = self.facts;
        let (Some(bootstrap), Some(held)) = (&variable.bootstrap, held) else {
            return;
        };
        let switch = &bootstrap.switch.value;
        if !self.bootstraps(variable) {
            if held.stored.contains_key(name) {
                let mut finding = self.of(
                    name,
                    variable,
                    "bootstrap-left",
                    format!(
                        "{name} is only for the bootstrap, and {switch} says that it is closed"
                    ),
                );
                finding.problem = finding
                    .problem
                    .help(format!("dotage bootstrap close --profile {profile}"));
                found.push(finding);
            }
            return;
        }
        let (severity, since) = match (past.opened.get(switch), bootstrap.within) {
            (Some(opened), Some(within)) if opened.until(*now) <= within => {
                (Severity::Warning, format!("since {}", opened.date()))
            }
            (Some(opened), Some(_)) => (
                Severity::Error,
                format!("since {}, longer than it may be", opened.date()),
            ),
            (Some(opened), None) => (Severity::Error, format!("since {}", opened.date())),
            (None, _) => (
                Severity::Error,
                "and it is not recorded since when".to_owned(),
            ),
        };
        let mut finding = self.of(
            name,
            variable,
            "bootstrap-open",
            format!("the bootstrap of {name} is open ({switch} is true), {since}"),
        );
        finding.problem = finding.problem.severity(severity).help(format!(
            "log in, then: dotage bootstrap close --profile {profile}"
        ));
        found.push(finding);
    }

    /// The problems with what exceptions excuse, and with the exceptions themselves.
    fn excused(&self, found: Vec<Finding>) -> Vec<Problem> {
        let Facts {
            inventory,
            profile,
            now,
            held,
            ..
        } = self.facts;
        let exceptions: &[Exception] = inventory
            .profiles
            .get(*profile)
            .map_or(&[], |profile| &profile.exceptions);
        let today = now.date();
        let mut used = vec![false; exceptions.len()];
        let mut problems: Vec<Problem> = Vec::with_capacity(found.len());
        for Finding { name, mut problem } in found {
            for (exception, used) in exceptions.iter().zip(&mut used) {
                let for_it = exception.names.is_empty()
                    || name.as_ref().is_some_and(|name| {
                        exception.names.iter().any(|other| other.value == *name)
                    });
                if exception.rule.value == problem.rule && for_it {
                    *used = true;
                    if exception.until >= today && problem.severity != Severity::Note {
                        problem.severity = Severity::Note;
                        problem.message = format!(
                            "{} (excused until {}: {})",
                            problem.message, exception.until, exception.reason
                        );
                        problem.help = None;
                    }
                }
            }
            problems.push(problem);
        }
        for (exception, used) in exceptions.iter().zip(used) {
            let rule = &exception.rule;
            if !RULES.iter().any(|(known, _)| *known == rule.value) {
                problems.push(
                    inventory
                        .problem(
                            "unknown-rule",
                            rule.at,
                            format!("no rule is called `{}`", rule.value),
                        )
                        .help("dotage check --format json names the rule of each problem"),
                );
            } else if exception.until < today {
                problems.push(
                    inventory
                        .problem(
                            "expired-exception",
                            exception.at,
                            format!(
                                "the exception for `{}` ended on {}",
                                rule.value, exception.until
                            ),
                        )
                        .help("mend what it excused, or decide on another day and write it here"),
                );
            } else if !used && held.is_some() {
                problems.push(
                    inventory
                        .problem(
                            "unused-exception",
                            exception.at,
                            format!("the exception for `{}` excuses nothing", rule.value),
                        )
                        .severity(Severity::Warning)
                        .help("remove it"),
                );
            }
        }
        problems
    }
}

/// What makes a secret easy to guess, by what its format says it is. One whose text is laid down by another party
/// (a pattern, PEM, JSON) is not measured.
fn weaknesses(format: &Format, secret: &Secret) -> Vec<(&'static str, String)> {
    let text = secret.expose();
    match format {
        Format::Token { .. } => strength::weaknesses(text, None, strength::KEY_BITS),
        Format::Key { encoding, .. } => {
            let key = std::str::from_utf8(text)
                .ok()
                .and_then(|text| value::decoded(text, *encoding));
            strength::weaknesses(text, key.as_deref().map(Vec::as_slice), strength::KEY_BITS)
        }
        Format::Password { .. } | Format::Text { .. } => {
            strength::weaknesses(text, None, strength::PASSWORD_BITS)
        }
        Format::Url { .. } => {
            let Some(password) = std::str::from_utf8(text)
                .ok()
                .and_then(|text| value::Url::parse(text).ok()?.password.map(unescaped))
            else {
                return Vec::new();
            };
            strength::weaknesses(&password, None, strength::PASSWORD_BITS)
                .into_iter()
                .map(|(rule, message)| (rule, format!("is a URL whose password {message}")))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Whether a format is one of secrets: two booleans may well be the same.
fn secret_by_format(format: &Format) -> bool {
    !matches!(
        format,
        Format::Boolean | Format::Integer { .. } | Format::OneOf(_)
    )
}

/// A part of a URL without its percent-encoding (RFC 3986 §2.1).
fn unescaped(part: &str) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(part.len()));
    let mut rest = part.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match digits
            .filter(|_| *first == b'%')
            .and_then(|two| u8::from_str_radix(two, 16).ok())
        {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}
