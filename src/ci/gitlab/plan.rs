//! What has to change at GitLab so that its variables are a profile's: decided from what is there, with no wire.
//!
//! # Why
//!
//! Everything is `raw`, so that no `$` in a value is expanded, and because a raw value may be masked whatever its
//! characters: GitLab asks for one line of eight or more without white space. A value of several lines becomes a
//! variable of type file, whose text no runner masks. What can be masked is also hidden, which GitLab offers at
//! creation only; nobody reads it there again, and so neither do we.
//!
//! A variable is ours when its description says so. Beside that stands a keyed hash of the value, by which a hidden one
//! is known to be the same: an HMAC whose key the vault holds. A bare hash would tell a short value to whoever tries
//! enough of them.

use crate::problem::{Problem, Severity};
use crate::secret::{self, Name, Secret};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt::Write as _;

/// How the description of a variable of ours begins.
const MARK: &str = "managed by dotage, profile ";
/// What stands before the keyed hash.
const TAG: &str = ", hmac ";
/// How many bytes of the hash are kept.
const TAG_BYTES: usize = 16;
/// The fewest characters of a value that GitLab masks.
const MASKABLE: usize = 8;
/// The longest name that GitLab takes.
const LONGEST_NAME: usize = 255;
/// The longest value that is sent.
const LONGEST_VALUE: usize = 32 << 10;

/// A variable at GitLab.
pub struct Variable {
    /// Its name there.
    pub key: String,
    /// The environments that it is for: `production`, `review/*`, `*`.
    pub scope: String,
    /// Whether a job gets the path of a file that holds the value.
    pub file: bool,
    /// Whether a `$` in it stays a `$`.
    pub raw: bool,
    /// Whether only protected branches and tags get it.
    pub protected: bool,
    /// Whether the runner hides it in a log.
    pub masked: bool,
    /// Whether GitLab shows it to nobody.
    pub hidden: bool,
    /// What is said about it.
    pub description: String,
    /// The value, unless it is hidden.
    pub value: Option<Secret>,
}

/// A value that is to be there.
pub struct Value<'a> {
    /// Its name.
    pub name: &'a Name,
    /// The value.
    pub secret: &'a Secret,
    /// Whether it is a secret.
    pub sensitive: bool,
    /// Whether its name may steer the job's programs.
    pub steers_process: bool,
}

/// On which terms the values are there.
pub struct Terms<'a> {
    /// The profile that they are of.
    pub profile: &'a str,
    /// The environments that they are for.
    pub scope: &'a str,
    /// The key of the hashes, if the vault holds one.
    pub key: Option<&'a Secret>,
    /// Whether only protected branches and tags get them.
    pub protected: bool,
    /// Whether what is created is hidden.
    pub hidden: bool,
    /// Whether a variable that is somebody else's is taken over.
    pub adopt: bool,
    /// Whether those of ours are deleted whose value is gone.
    pub prune: bool,
    /// Whether a secret may be there that GitLab can't mask.
    pub unmasked: bool,
}

/// What is done to a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Create,
    /// It gets another value or attribute.
    Update,
    /// It is deleted and created: GitLab lets nobody unmask a hidden one.
    Replace,
    /// It goes.
    Delete,
}

impl Action {
    /// Its plain name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Update => "update",
            Action::Replace => "replace",
            Action::Delete => "delete",
        }
    }
}

/// One change.
pub struct Step<'a> {
    /// What is done.
    pub action: Action,
    /// The variable's name.
    pub key: String,
    /// The value that it gets.
    pub secret: Option<&'a Secret>,
    /// Whether a job gets the path of a file.
    pub file: bool,
    /// Whether it is masked.
    pub masked: bool,
    /// Whether it is hidden.
    pub hidden: bool,
    /// What its description says.
    pub description: String,
    /// What differs.
    pub why: Vec<&'static str>,
}

/// What has to change, in order.
pub struct Plan<'a> {
    /// The changes: what comes before what goes.
    pub steps: Vec<Step<'a>>,
    /// How many are as they should be.
    pub same: usize,
    /// Those of ours whose value is gone, and that are left.
    pub left: Vec<String>,
    /// What is to be known, though it is allowed.
    pub warnings: Vec<Problem>,
}

/// What has to change so that `values` are there on these `terms`.
///
/// # Errors
/// A problem for each value that GitLab would refuse, that it can't mask, or whose place is taken.
pub fn plan<'a>(
    values: &[Value<'a>],
    there: &[Variable],
    terms: &Terms<'_>,
) -> Result<Plan<'a>, Vec<Problem>> {
    let mut plan = Plan {
        steps: Vec::new(),
        same: 0,
        left: Vec::new(),
        warnings: Vec::new(),
    };
    let mut wrong = Vec::new();
    let in_scope = || there.iter().filter(|there| there.scope == terms.scope);
    for value in values {
        let name = value.name.as_str();
        match wanted(value, terms) {
            Err(problem) => wrong.push(problem),
            Ok((mut step, warning)) => {
                plan.warnings.extend(warning);
                match in_scope().find(|there| there.key == name) {
                    None => plan.steps.push(step),
                    Some(there) if !is_ours(there, terms.profile) && !terms.adopt => {
                        wrong.push(taken(there, terms));
                    }
                    Some(there) => {
                        step.why = differences(&step, there, value.secret, terms);
                        step.action = if there.hidden && !step.masked {
                            Action::Replace
                        } else {
                            Action::Update
                        };
                        if step.why.is_empty() {
                            plan.same += 1;
                        } else {
                            plan.steps.push(step);
                        }
                    }
                }
            }
        }
    }
    let gone = |there: &&Variable| {
        is_ours(there, terms.profile)
            && !values.iter().any(|value| value.name.as_str() == there.key)
    };
    for there in in_scope().filter(gone) {
        if terms.prune {
            plan.steps.push(Step {
                action: Action::Delete,
                key: there.key.clone(),
                secret: None,
                file: there.file,
                masked: there.masked,
                hidden: there.hidden,
                description: there.description.clone(),
                why: vec!["gone"],
            });
        } else {
            plan.left.push(there.key.clone());
        }
    }
    if wrong.is_empty() {
        Ok(plan)
    } else {
        Err(wrong)
    }
}

/// The step that creates a variable, and a warning about it.
fn wanted<'a>(
    value: &Value<'a>,
    terms: &Terms<'_>,
) -> Result<(Step<'a>, Option<Problem>), Problem> {
    let name = value.name;
    if is_the_platforms(name.as_str()) {
        return Err(Problem::new(
            "platforms-name",
            format!("{name} is a name that GitLab itself sets in each job"),
        )
        .help("give the variable another name in dotage.yaml"));
    }
    if secret::steers(name.as_str()) && !value.steers_process {
        return Err(Problem::new(
            "steers-process",
            format!("{name} steers the programs of every job that gets it"),
        )
        .help(format!(
            "if it is meant, say so in dotage.yaml: {name}: {{ steers_process: true }}"
        )));
    }
    if name.as_str().len() > LONGEST_NAME {
        return Err(Problem::new(
            "name-too-long",
            format!("{name} is longer than the {LONGEST_NAME} characters that GitLab takes"),
        )
        .help("give the variable a shorter name in dotage.yaml"));
    }
    let text = std::str::from_utf8(value.secret.expose())
        .ok()
        .filter(|text| !text.contains('\0'))
        .ok_or_else(|| {
            Problem::new(
                "not-text",
                format!("{name} is not text, and GitLab takes nothing else"),
            )
            .help("leave it in the vault: `dotage render` in the job writes its bytes to a file")
        })?;
    if text.len() > LONGEST_VALUE {
        return Err(Problem::new(
            "value-too-long",
            format!("{name} is longer than {LONGEST_VALUE} bytes"),
        )
        .help("leave it in the vault: `dotage render` in the job writes it to a file"));
    }
    let file = text.contains(['\n', '\r']);
    let masked = value.sensitive && is_maskable(text);
    let mut warning = None;
    if value.sensitive && !masked {
        let why = if file {
            "has several lines"
        } else if text.chars().count() < MASKABLE {
            "has fewer than 8 characters"
        } else {
            "has white space in it"
        };
        let problem = Problem::new(
            "unmaskable",
            format!("{name} {why}, and GitLab can't mask it"),
        );
        // A file's text is rarely printed whole; a word is.
        if !file && !terms.unmasked {
            return Err(problem.help("leave it in the vault, where `dotage run` gives it to a job and hides it; or --allow-unmasked"));
        }
        let problem = if file {
            problem.help(
                "a job gets the path of a file in it; `dotage run` hides what is printed of it",
            )
        } else {
            problem.help("a job that prints it shows it")
        };
        warning = Some(problem.severity(Severity::Warning));
    }
    let mut description = format!("{MARK}{}", terms.profile);
    if let Some(key) = terms.key {
        let _ = write!(
            description,
            "{TAG}{}",
            tag(key, name, terms.scope, value.secret)
        );
    }
    let step = Step {
        action: Action::Create,
        key: name.to_string(),
        secret: Some(value.secret),
        file,
        masked,
        hidden: masked && terms.hidden,
        description,
        why: vec!["new"],
    };
    Ok((step, warning))
}

/// What differs between a variable that is there and what it should be.
fn differences(
    step: &Step<'_>,
    there: &Variable,
    secret: &Secret,
    terms: &Terms<'_>,
) -> Vec<&'static str> {
    let mut why = Vec::new();
    let tagged = terms.key.is_some() && there.description == step.description;
    match &there.value {
        Some(value) if !there.hidden => {
            if !value.same(secret) {
                why.push("value");
            }
        }
        _ if tagged => {}
        _ if there.description.contains(TAG) && terms.key.is_some() => why.push("value"),
        _ => why.push("value not known"),
    }
    for (differs, what) in [
        (there.file != step.file, "type"),
        (there.masked != step.masked, "masked"),
        (there.protected != terms.protected, "protected"),
        (!there.raw, "raw"),
    ] {
        if differs {
            why.push(what);
        }
    }
    // A mark that tells of another value says nothing more than the value does.
    if why.is_empty() && there.description != step.description {
        why.push("mark");
    }
    why
}

/// Whether a variable is one that dotage put there for this profile.
fn is_ours(there: &Variable, profile: &str) -> bool {
    let Some(rest) = there.description.strip_prefix(MARK) else {
        return false;
    };
    rest.split(TAG).next() == Some(profile)
}

fn taken(there: &Variable, terms: &Terms<'_>) -> Problem {
    let whose = match there.description.strip_prefix(MARK) {
        Some(_) => "of another profile",
        None => "not put there by dotage",
    };
    Problem::new(
        "taken",
        format!(
            "{} for {} is at GitLab already, {whose}",
            there.key, terms.scope
        ),
    )
    .help("take it over with --adopt, delete it there, or choose another --scope")
}

/// Whether GitLab masks a raw variable of this value.
fn is_maskable(text: &str) -> bool {
    // Ruby's \s: vertical tab is white space to it, a no-break space is not.
    let white = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c');
    text.chars().count() >= MASKABLE && !text.contains(white)
}

/// Whether GitLab sets a variable of this name itself, or dotage reads it.
fn is_the_platforms(name: &str) -> bool {
    matches!(name, "CI" | "GITLAB_CI" | "GITLAB_FEATURES")
        || ["CI_", "GITLAB_USER_", "DOTAGE_"]
            .iter()
            .any(|start| name.starts_with(start))
}

/// The keyed hash of a value, in hex.
fn tag(key: &Secret, name: &Name, scope: &str, secret: &Secret) -> String {
    // Any key fits an HMAC: `new_from_slice` has no error to give.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose()) else {
        return String::new();
    };
    for part in [name.as_str(), "\0", scope, "\0"] {
        mac.update(part.as_bytes());
    }
    mac.update(secret.expose());
    let mut hex = String::with_capacity(2 * TAG_BYTES);
    for byte in mac.finalize().into_bytes().iter().take(TAG_BYTES) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests;
