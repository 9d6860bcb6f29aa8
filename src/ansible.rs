//! What ansible-vault encrypted: whole files, and values under `!vault` in YAML. It is read, never written.
//!
//! # Why
//!
//! A team that comes from Ansible has its secrets in two shapes. A whole file is a secret altogether, so every value in
//! it is found. In a file with `!vault` values its owner has said which ones are secrets: the others are told by name
//! and stay where they are.
//!
//! A place in a whole file is a line of what it holds, as `ansible-vault view` shows it. No word of a plaintext is in a
//! problem but the keys that lead to a value, and of those only what can be nothing but a name.

mod cipher;
mod lookup;

pub use lookup::{looked_up, with_lookups};

use crate::lint;
use crate::problem::{Place, Problem};
use crate::secret::{Secret, wipe_stack};
use crate::yaml::{self, Content, Value};
use std::path::Path;

/// How each text that ansible-vault wrote begins.
const HEADER: &str = "$ANSIBLE_VAULT";

/// A password, and the vault id that it is for.
pub struct Password {
    /// The vault id's label.
    pub label: String,
    /// The password.
    pub secret: Secret,
}

/// A variable of Ansible's that was encrypted.
pub struct Found {
    /// The keys that lead to it, joined by `_`.
    pub key: String,
    /// The line of its value; 0 for all of a file.
    pub line: usize,
    /// Its value.
    pub value: Secret,
}

/// What a file holds.
#[derive(Default)]
pub struct Held {
    /// Whether the whole file is encrypted.
    pub whole: bool,
    /// What was encrypted, in the order of the file.
    pub found: Vec<Found>,
    /// The keys of what stands beside it and is not encrypted.
    pub plain: Vec<String>,
    /// The keys that were to be left alone, and are there.
    pub skipped: Vec<String>,
}

/// Whether a text is one that ansible-vault wrote.
#[must_use]
pub fn is_encrypted(text: &[u8]) -> bool {
    text.starts_with(HEADER.as_bytes())
}

/// What a text of ansible-vault's holds.
///
/// # Errors
/// When it isn't whole, or none of the passwords opens it.
pub fn opened(path: &Path, text: &[u8], passwords: &[Password]) -> Result<Secret, Problem> {
    cipher::opened(text, passwords, &|line| Place::at(path, line, 0))
}

/// The encrypted variables of a file, but for those that are to be left alone. With `whole`, all that an encrypted file
/// holds is the value of that one.
///
/// # Errors
/// Each thing that can't be read, can't be opened, or can't be a variable's value.
pub fn held(
    path: &Path,
    text: &[u8],
    passwords: &[Password],
    whole: Option<&str>,
    skip: &[String],
) -> Result<Held, Vec<Problem>> {
    let mut reader = Reader {
        path,
        passwords,
        skip,
        held: Held {
            whole: is_encrypted(text),
            ..Held::default()
        },
        problems: Vec::new(),
    };
    if reader.held.whole {
        let value = opened(path, text, passwords)?;
        match whole {
            Some(key) => reader.held.found.push(Found {
                key: key.to_owned(),
                line: 0,
                value,
            }),
            None => reader.file(value.expose()),
        }
    } else if whole.is_some() {
        return Err(Problem::new("not-encrypted", "is not a file that ansible-vault encrypted as a whole")
            .at(Place::file(path))
            .help("without --name, the values under `!vault` in it are imported; a file in clear goes in by: dotage set NAME --from-file FILE")
            .into());
    } else {
        reader.file(text);
    }
    wipe_stack();
    let Reader { held, problems, .. } = reader;
    if !problems.is_empty() {
        return Err(problems);
    }
    if held.found.is_empty() && held.skipped.is_empty() {
        let problem = Problem::new(
            "nothing-encrypted",
            "holds nothing that ansible-vault encrypted",
        );
        return Err(problem
            .at(Place::file(path))
            .help(r"see which files do: grep -rlI '\$ANSIBLE_VAULT' .")
            .into());
    }
    Ok(held)
}

struct Reader<'a> {
    path: &'a Path,
    passwords: &'a [Password],
    skip: &'a [String],
    held: Held,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    /// Notes a problem at a line.
    fn wrong(
        &mut self,
        rule: &'static str,
        line: usize,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(
            Problem::new(rule, message)
                .at(Place::at(self.path, line, 0))
                .help(help),
        );
    }

    /// The variables of a file of them.
    fn file(&mut self, text: &[u8]) {
        let whole = if self.held.whole {
            "; or take all of it as one variable: --name NAME"
        } else {
            ""
        };
        let Ok(text) = std::str::from_utf8(text) else {
            let help = format!("name a file of variables{whole}");
            return self.wrong("not-text", 0, "does not hold UTF-8 text", help);
        };
        let documents = match yaml::documents(text) {
            Ok(documents) => documents,
            Err(fault) => {
                let help = format!("{}{whole}", fault.help);
                return self.problems.push(fault.problem(self.path).help(help));
            }
        };
        let [root] = documents.as_slice() else {
            let (message, help) = if documents.is_empty() {
                ("holds nothing", "name a file of variables")
            } else {
                (
                    "holds several YAML documents, and Ansible takes one",
                    "put all into one mapping",
                )
            };
            return self.wrong("not-variables", 0, message, format!("{help}{whole}"));
        };
        match &root.content {
            Content::Map(_) => self.value("", root),
            _ => self.wrong(
                "not-variables",
                0,
                "does not hold a mapping of variables",
                format!("name a file of variables{whole}"),
            ),
        }
    }

    /// What stands under a key.
    fn value(&mut self, key: &str, value: &Value<'_>) {
        let line = value.at.line;
        let shown = shown(key);
        if !key.is_empty() && self.skip.iter().any(|skip| skip == key) {
            self.held.skipped.push(key.to_owned());
            return;
        }
        match &value.content {
            Content::Scalar { text, .. } if is_vault(value) => {
                let place = |_| Place::at(self.path, line, 0);
                match cipher::opened(text.as_bytes(), self.passwords, &place) {
                    Ok(value) => self.found(key, line, value),
                    Err(problem) => self.problems.push(Problem {
                        message: format!("{shown} {}", problem.message),
                        ..problem
                    }),
                }
            }
            Content::Map(entries) if !key.is_empty() && entries.is_empty() && self.held.whole => {
                self.wrong(
                    "not-a-value",
                    line,
                    format!("{shown} is an empty mapping"),
                    leave(&shown),
                );
            }
            Content::Map(entries) => {
                for (inner, value) in entries {
                    let joined = if key.is_empty() {
                        inner.to_string()
                    } else {
                        format!("{key}_{inner}")
                    };
                    self.value(&joined, value);
                }
            }
            Content::List(_) if self.held.whole || holds_vault(value) => self.wrong(
                "not-a-value",
                line,
                format!("{shown} is a list, and a variable has one value"),
                leave(&shown),
            ),
            Content::Scalar { .. } if self.held.whole && value.is_null() => self.wrong(
                "not-a-value",
                line,
                format!("{shown} is null"),
                format!("for an empty value write \"\"; {}", leave(&shown)),
            ),
            Content::Scalar { text, .. } if self.held.whole => {
                self.found(key, line, Secret::new(text.as_bytes().to_vec()));
            }
            Content::Scalar { .. } | Content::List(_) => self.held.plain.push(shown),
        }
    }

    fn found(&mut self, key: &str, line: usize, value: Secret) {
        let key = key.to_owned();
        self.held.found.push(Found { key, line, value });
    }
}

/// What to do about a key that can't become a variable.
fn leave(shown: &str) -> String {
    format!(
        "make one variable of each value with `ansible-vault edit`, or leave it: --skip {shown}"
    )
}

/// A key as it may be shown. What stands there by mistake may be a value.
#[must_use]
pub fn shown(key: &str) -> String {
    let plain = key.replace(['-', '.'], "_");
    if lint::is_name(&plain, b"x") {
        key.to_owned()
    } else {
        "KEY".to_owned()
    }
}

fn is_vault(value: &Value<'_>) -> bool {
    matches!(value.tag.as_deref(), Some("!vault" | "!vault-encrypted"))
}

fn holds_vault(value: &Value<'_>) -> bool {
    is_vault(value)
        || match &value.content {
            Content::Scalar { .. } => false,
            Content::List(items) => items.iter().any(holds_vault),
            Content::Map(entries) => entries.iter().any(|(_, value)| holds_vault(value)),
        }
}
