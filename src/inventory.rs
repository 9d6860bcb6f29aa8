//! The inventory: what a project's `dotage.yaml` says must be, with the place where it says so. Never a secret value.
//!
//! # Why
//!
//! The inventory's words are the runbook's: each fact of it has one home here, and one declaration (`format`) both
//! generates a value and judges it, so the two can't disagree. Parsing is pure, finds every problem in one pass and
//! reports them in the order of the file. A later room that finds something wrong with a variable or a target points
//! at the line that declares it: so each has its `at`, and the inventory keeps its text for the excerpt.
//!
//! `regex-lite` and not `regex`: a format's pattern is matched once per check against a short value, and the small
//! engine is linear too.

mod check;
mod format;
mod parse;
mod reader;

use crate::generate::{Encoding, Policy};
use crate::problem::{Place, Problem};
use crate::secret::Name;
use crate::time::Date;
use crate::yaml::{self, At};
use regex_lite::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The JSON Schema (2020-12) of `dotage.yaml`, for editors and for `dotage schema`.
pub const SCHEMA: &str = include_str!("inventory/schema.json");

/// A thing and where the inventory says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot<T> {
    /// Where.
    pub at: At,
    /// What.
    pub value: T,
}

/// A project's inventory.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// The file, as the user named it.
    pub path: PathBuf,
    text: String,
    /// The names of the process environment that templates may read as `env.NAME`.
    pub env: Vec<Spot<Name>>,
    /// The profiles by name: where values come from, and how strictly they are judged. At least one.
    pub profiles: BTreeMap<String, Profile>,
    /// What consumes variables, by name.
    pub services: BTreeMap<String, Service>,
    /// What an incident names, by name: kinds of secrets whose loss crosses the same boundary.
    pub classes: BTreeMap<String, Class>,
    /// The variables.
    pub variables: BTreeMap<Name, Variable>,
    /// The files to render, by name.
    pub targets: BTreeMap<String, Target>,
}

/// Where a profile's values come from, and how they are judged.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Where its name stands.
    pub at: At,
    /// The vault, relative to the project: a file, or a folder of bundles when it ends in `/` or isn't named `*.age`.
    pub vault: Spot<PathBuf>,
    /// How strictly.
    pub contract: Contract,
    /// What may break the contract for a while, and why.
    pub exceptions: Vec<Exception>,
}

/// How strictly a profile is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contract {
    /// Each rule of the contract is kept: the default.
    Strict,
    /// Development: defaults are fine, an open bootstrap too.
    Lenient,
}

/// A rule that a profile may break for a while.
#[derive(Clone, Debug)]
pub struct Exception {
    /// Where it begins.
    pub at: At,
    /// The rule, as a problem names it.
    pub rule: Spot<String>,
    /// For which variables; none: for all.
    pub names: Vec<Spot<Name>>,
    /// Why.
    pub reason: String,
    /// The last day that it holds.
    pub until: Date,
}

/// What consumes variables: a process, a container.
#[derive(Clone, Debug)]
pub struct Service {
    /// Where its name stands.
    pub at: At,
    /// Where it finds a variable, the first that has it wins. Without a word: the process environment, then the vault.
    pub environment: Vec<Spot<Source>>,
    /// What its code falls back to when nothing sets the variable. Published, so never good enough for production.
    pub code_defaults: BTreeMap<Name, Spot<String>>,
    /// Its place in Compose files.
    pub compose: Option<Compose>,
    /// The services to deploy before it.
    pub after: Vec<Spot<String>>,
    /// The command that makes it take a new value.
    pub deploy: Vec<Spot<String>>,
    /// The commands that succeed when it runs.
    pub healthy: Vec<Spot<String>>,
    /// How long `healthy` and `verify` may fail after a deployment.
    pub within: Option<Duration>,
    /// The commands that prove its functions.
    pub verify: Vec<Spot<String>>,
    /// The commands that take it out of reach in an incident.
    pub contain: Vec<Spot<String>>,
    /// The names of files in its secrets folder, where they aren't the variable's name in lower case.
    pub secrets_dir: BTreeMap<Name, Spot<String>>,
}

/// One of the places where a service finds variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `process`: the environment it is started with.
    Process,
    /// `vault`: what `dotage run` adds to it.
    Vault,
    /// `compose`: what its Compose files give it.
    Compose,
    /// `defaults`: what its code falls back to.
    Defaults,
    /// A `.env` file, relative to the project.
    File(PathBuf),
}

/// A service's place in Compose files.
#[derive(Clone, Debug)]
pub struct Compose {
    /// The files, in the order of `-f`.
    pub files: Vec<Spot<PathBuf>>,
    /// The service's name in them; without a word, its name here.
    pub service: Option<Spot<String>>,
}

/// What an incident names.
#[derive(Clone, Debug)]
pub struct Class {
    /// Where its name stands.
    pub at: At,
    /// The boundary that a leak crosses.
    pub boundary: Option<String>,
    /// The commands that contain a leak.
    pub contain: Vec<Spot<String>>,
    /// The commands that prove, after the rotation, that all is well.
    pub verify: Vec<Spot<String>>,
}

/// A variable.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that don't depend on each other"
)]
pub struct Variable {
    /// Where its name stands.
    pub at: At,
    /// What it is for.
    pub purpose: String,
    /// The services that read it.
    pub used_by: Vec<Spot<String>>,
    /// The class that an incident names.
    pub class: Option<Spot<String>>,
    /// The bundle that holds it where the vault is a folder: as declared, else the class, else `default`.
    pub bundle: String,
    /// What its value looks like: generates it, and judges it.
    pub format: Spot<Format>,
    /// Whether it is a secret.
    pub sensitive: bool,
    /// Whether the vault holds base64 of the value's bytes.
    pub base64: bool,
    /// In which profiles a value is needed. What a bootstrap needs is needed while its switch is `true`, whatever this says.
    pub required: Required,
    /// The services that also work without it.
    pub optional_for: Vec<Spot<String>>,
    /// Published values by profile, for where the vault has none.
    pub defaults: BTreeMap<String, Spot<String>>,
    /// Whether it may be given to a child although its name steers the process itself (`PATH`, `NODE_OPTIONS`, `LD_*`).
    pub steers_process: bool,
    /// For a variable that only the first start needs.
    pub bootstrap: Option<Box<Bootstrap>>,
    /// Whether stored data can't be read without it: then it is never replaced without `rotation.before`.
    pub encrypts_stored_data: bool,
    /// How its value follows from others.
    pub derive: Option<Box<Derive>>,
    /// How its value is replaced.
    pub rotation: Option<Box<Rotation>>,
}

/// In which profiles a variable needs a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Required {
    /// In each: the default.
    Always,
    /// In none: the default of a variable with a bootstrap.
    Never,
    /// In these.
    In(Vec<Spot<String>>),
}

/// What a value looks like. One declaration that generates and judges.
#[derive(Clone, Debug)]
pub enum Format {
    /// Random bytes as text: at least so many characters, made of so many bytes.
    Token {
        /// How many bytes to generate.
        bytes: usize,
        /// How to write them.
        encoding: Encoding,
        /// How many characters a value needs at least.
        min_chars: usize,
    },
    /// A key: exactly so many bytes once decoded.
    Key {
        /// How many bytes.
        bytes: usize,
        /// How they are written.
        encoding: Encoding,
    },
    /// A password by a policy.
    Password {
        /// How to generate one, and which kinds of characters one needs.
        policy: Policy,
        /// How many characters a value needs at least.
        min_chars: usize,
    },
    /// A URL.
    Url {
        /// The schemes it may have; none: any.
        schemes: Vec<String>,
        /// What it must have.
        parts: Vec<UrlPart>,
    },
    /// PEM blocks (RFC 7468).
    Pem {
        /// The label that the first block must have.
        label: Option<String>,
    },
    /// A JSON text (RFC 8259).
    Json,
    /// A text that a pattern matches as a whole.
    Regex(Regex),
    /// One of these texts.
    OneOf(Vec<String>),
    /// A decimal integer.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// `true` or `false`.
    Boolean,
    /// Any text: the default.
    Text {
        /// How many characters a value needs at least.
        min_chars: usize,
        /// How many characters it may have.
        max_chars: usize,
    },
}

/// The word for it in an inventory, with its size: `token 48 bytes`.
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Format::Token { bytes, .. } => write!(f, "token {bytes} bytes"),
            Format::Key { bytes, .. } => write!(f, "key {bytes} bytes"),
            Format::Password { .. } => f.write_str("password"),
            Format::Url { .. } => f.write_str("url"),
            Format::Pem { .. } => f.write_str("pem"),
            Format::Json => f.write_str("json"),
            Format::Regex(_) => f.write_str("regex"),
            Format::OneOf(texts) => f.write_str(&texts.join(" | ")),
            Format::Integer { .. } => f.write_str("integer"),
            Format::Boolean => f.write_str("boolean"),
            Format::Text { .. } => f.write_str("text"),
        }
    }
}

/// A part that a URL must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlPart {
    /// A user.
    User,
    /// A password.
    Password,
    /// A host.
    Host,
    /// A port.
    Port,
    /// A path that isn't `/`.
    Path,
}

/// A variable that only the first start needs.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// The boolean variable that says whether the bootstrap is open.
    pub switch: Spot<Name>,
    /// How long it may stay open in a strict profile.
    pub within: Option<Duration>,
    /// What to do instead of a rotation once it is closed.
    pub reset: Option<String>,
}

/// A value made of others.
#[derive(Clone, Debug)]
pub struct Derive {
    /// Where the expression stands.
    pub at: At,
    /// The expression, as `template::derive` takes it.
    pub expression: String,
    /// The variables that it is made of.
    pub names: BTreeSet<Name>,
}

/// How a value is replaced. Commands run in the project's folder.
#[derive(Clone, Debug, Default)]
pub struct Rotation {
    /// How old a value may get.
    pub every: Option<Duration>,
    /// The names that switch in the same moment, beside those that derive from this one.
    pub together: Vec<Spot<Name>>,
    /// The maintenance window that it needs, in words; the operator says when it is open.
    pub window: Option<String>,
    /// How long the old value stays good beside the new one.
    pub overlap: Option<Duration>,
    /// What users will notice.
    pub expect: Option<String>,
    /// The commands that save the stored data first.
    pub backup: Vec<Spot<String>>,
    /// The commands that must succeed before the switch. They see `NAME_OLD` and `NAME_NEW`.
    pub before: Vec<Spot<String>>,
    /// The commands that take `before` back. They see the two swapped.
    pub undo: Vec<Spot<String>>,
    /// The commands that prove the new value.
    pub verify: Vec<Spot<String>>,
    /// How long `verify` may fail.
    pub within: Option<Duration>,
    /// The commands that, given the old value as `NAME_OLD`, must fail.
    pub old_must_fail: Vec<Spot<String>>,
}

/// A file, or a folder of files, that values are rendered to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where its name stands.
    pub at: At,
    /// What makes it.
    pub source: Origin,
    /// The path to write, relative to the project or absolute.
    pub to: Spot<PathBuf>,
    /// The profile whose values it shows; none: the one asked for.
    pub profile: Option<Spot<String>>,
    /// The service whose variables it shows; none: all.
    pub service: Option<Spot<String>>,
    /// The only variables it shows; none: all of the service's.
    pub names: Vec<Spot<Name>>,
    /// The consumer's dialect, where the template's name doesn't say it.
    pub dialect: Option<Spot<String>>,
    /// The consumers that must all read it alike.
    pub consumers: Vec<Spot<String>>,
    /// The mode: 0600 unless written otherwise.
    pub mode: u32,
    /// The owner.
    pub owner: Option<String>,
    /// The group.
    pub group: Option<String>,
}

/// What makes a target.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A template: a path relative to the project, or the name of a built-in one.
    Template(Spot<PathBuf>),
    /// Nothing but the values: a folder with one file for each variable.
    Folder,
}

impl Inventory {
    /// The inventory that `text` declares; `path` is for the problems.
    ///
    /// # Errors
    /// Every problem in it, in the order of the file: each with its place, its line and what to write.
    pub fn parse(path: &Path, text: &str) -> Result<Inventory, Vec<Problem>> {
        parse::inventory(path, text)
    }

    /// A place of this inventory.
    #[must_use]
    pub fn place(&self, at: At) -> Place {
        Place::at(&self.path, at.line, at.column)
    }

    /// A problem at a place of this inventory, with the line it is about.
    #[must_use]
    pub fn problem(&self, rule: &'static str, at: At, message: impl Into<String>) -> Problem {
        yaml::problem(rule, &self.path, &self.text, at, message.into())
    }
}

impl Variable {
    /// Whether its format makes values and not only judges them.
    #[must_use]
    pub fn is_generated(&self) -> bool {
        self.derive.is_none()
            && matches!(
                self.format.value,
                Format::Token { .. } | Format::Key { .. } | Format::Password { .. }
            )
    }

    /// Whether `profile` needs a value, for `service` or (none) for anybody.
    #[must_use]
    pub fn is_required(&self, profile: &str, service: Option<&str>) -> bool {
        let by_profile = match &self.required {
            Required::Always => true,
            Required::Never => false,
            Required::In(profiles) => profiles.iter().any(|spot| spot.value == profile),
        };
        let optional = |service| self.optional_for.iter().any(|spot| spot.value == service);
        by_profile && !service.is_some_and(optional)
    }
}

impl Service {
    /// The file that holds a variable in a secrets folder (Docker's `/run/secrets`).
    #[must_use]
    pub fn file_name(&self, name: &Name) -> String {
        match self.secrets_dir.get(name) {
            Some(file) => file.value.clone(),
            None => name.as_str().to_ascii_lowercase(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    const PRESET: &str = include_str!("../templates/freeboard/dotage.yaml");

    fn preset() -> Inventory {
        Inventory::parse(Path::new("dotage.yaml"), PRESET).unwrap_or_else(|problems| {
            let shown: Vec<String> = problems.iter().map(Problem::to_string).collect();
            panic!("{}", shown.join("\n\n"));
        })
    }

    #[test]
    fn the_preset_holds_the_runbooks_table() {
        let preset = preset();
        for (name, used_by, class) in [
            ("JWT_SECRET", &["api"][..], Some("user-auth")),
            (
                "JWT_GATEWAY_SECRET",
                &["api", "gateway"],
                Some("gateway-trust"),
            ),
            (
                "GATEWAY_SERVICE_TOKEN",
                &["api", "gateway"],
                Some("gateway-trust"),
            ),
            (
                "CREDENTIAL_ENCRYPTION_KEY",
                &["api"],
                Some("encryption-key"),
            ),
            ("ADMIN_PASSWORD", &["api"], Some("bootstrap")),
            ("FREEBOARD_POSTGRES_URL", &["api"], Some("database")),
            ("POSTGRES_USER", &["postgres", "api"], Some("database")),
            ("POSTGRES_PASSWORD", &["postgres", "api"], Some("database")),
            ("POSTGRES_DB", &["postgres", "api"], Some("database")),
            ("CREATE_ADMIN", &["api"], None),
            ("ADMIN_EMAIL", &["api"], None),
        ] {
            let variable = &preset.variables[name];
            let users: Vec<&str> = variable
                .used_by
                .iter()
                .map(|spot| spot.value.as_str())
                .collect();
            assert_eq!(users, used_by, "{name}");
            assert_eq!(
                variable.class.as_ref().map(|spot| spot.value.as_str()),
                class,
                "{name}"
            );
            assert!(!variable.purpose.is_empty(), "{name}");
        }
        assert_eq!(preset.variables.len(), 11);
    }

    fn shown(problems: &[Problem]) -> String {
        let shown: Vec<String> = problems
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect();
        shown.join("\n")
    }

    /// Each `tests/bad/inventory/NAME.yaml` has its whole message beside it in `NAME.txt`. With `DOTAGE_BLESS` set the
    /// messages are written anew, for a person to read over.
    #[test]
    fn each_malformed_inventory_has_the_message_beside_it() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad/inventory");
        let mut cases = 0;
        let mut wrong = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let yaml = entry.unwrap().path();
            if yaml.extension().is_none_or(|end| end != "yaml") {
                continue;
            }
            cases += 1;
            let text = std::fs::read_to_string(&yaml).unwrap();
            let message = match Inventory::parse(Path::new("dotage.yaml"), &text) {
                Ok(_) => "taken\n".to_owned(),
                Err(problems) => shown(&problems),
            };
            let pinned = yaml.with_extension("txt");
            if std::env::var_os("DOTAGE_BLESS").is_some() {
                #[expect(clippy::disallowed_methods, reason = "a test's own file")]
                std::fs::write(&pinned, &message).unwrap();
            }
            if std::fs::read_to_string(&pinned).ok().as_ref() != Some(&message)
                || message == "taken\n"
            {
                wrong.push(format!("{}\n{message}", yaml.display()));
            }
        }
        assert!(cases >= 70, "{cases} cases");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn the_schema_has_the_dialects_that_there_are() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        let named: Vec<Dialect> = schema["$defs"]["dialect"]["enum"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| Dialect::from_name(name.as_str().unwrap()).unwrap())
            .collect();
        assert!(Dialect::ALL.iter().all(|dialect| named.contains(dialect)));
    }

    #[test]
    fn the_schema_has_the_keys_that_the_parser_has() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        let definitions = schema["$defs"].as_object().unwrap();
        let keys = |definition: &serde_json::Value| -> Option<BTreeSet<String>> {
            Some(
                definition
                    .get("properties")?
                    .as_object()?
                    .keys()
                    .cloned()
                    .collect(),
            )
        };
        for (what, known) in &parse::shapes() {
            let definition = match *what {
                "format" => &definitions["format"]["oneOf"][1],
                _ => &definitions[*what],
            };
            assert_eq!(
                keys(definition).unwrap(),
                known.iter().map(|key| (*key).to_owned()).collect(),
                "{what}"
            );
            assert_eq!(definition["additionalProperties"], false, "{what}");
        }
        let shapes: BTreeSet<&str> = parse::shapes().iter().map(|(what, _)| *what).collect();
        for (name, definition) in definitions {
            assert!(
                keys(definition).is_none() || shapes.contains(name.as_str()),
                "{name}"
            );
        }
    }
}
