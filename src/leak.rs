//! Leaks: where secrets lie that nobody encrypted, in files, in what is staged, in all of a repository's history.
//!
//! # Why
//!
//! Values are looked for exactly, in every form that `redact` knows, so what is found is a leak and no guess. A value that
//! is also a word, or shorter than 8 characters, would be found everywhere: such a one is told from other text only by a
//! whole line, `NAME=value` as it stands in a `.env` file that was rendered here.
//!
//! What needs no key is found too: a `.env` file that git has or would take, an age identity, a private key, an archive
//! with such a file in it, plaintext in a vault's place.
//!
//! What git tracks and what it would take is looked at, as the tools that search trees do; what it ignores only on
//! demand, because there the plaintext that dotage renders has its place.

mod archive;
mod look;
mod marks;
mod walk;

pub use walk::{history, staged, tree};

use crate::problem::{Place, Problem};
use crate::redact::{Encoding, Needles, cannot_hide};
use crate::secret::{Name, Secret};
use look::{Seen, What};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What a scan looks for, each with its sentence.
pub const RULES: &[(&str, &str)] = &[
    ("leaked-value", "no value of a vault lies in the open"),
    (
        "leaked-line",
        "no line of a rendered .env file lies elsewhere",
    ),
    ("identity", "no age identity lies in the open"),
    ("private-key", "no private key lies in the open"),
    (
        "env-tracked",
        "git tracks no plaintext .env file, and never did",
    ),
    ("env-not-ignored", "git ignores every plaintext .env file"),
    (
        "env-archived",
        "no archive holds a plaintext .env file or a private key",
    ),
    ("plaintext-vault", "what is in a vault's place is encrypted"),
    ("git-unknown", "git tells what it tracks"),
    ("unread", "every file could be read"),
];

/// How a file begins to be a sample of a `.env` file, which is there to be read by everybody.
pub(crate) const SAMPLES: &[&str] = &[
    ".env.example",
    ".env.sample",
    ".env.template",
    ".env.dist",
    ".env.defaults",
    ".env.schema",
];
/// The names that OpenSSH gives private keys.
const SSH_KEYS: &[&str] = &[
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ecdsa_sk",
    "id_ed25519",
    "id_ed25519_sk",
];
/// The shortest value, or part of one, that is told from other text by itself, in bytes.
const SHORTEST: usize = 8;
/// The shortest that is when it is made like a word or a number.
const SHORTEST_WORD: usize = 20;
/// The shortest part of a value that is.
const SHORTEST_PART: usize = 16;

/// What is looked for exactly.
pub struct Sought {
    /// The variable.
    pub name: Name,
    /// The profiles whose value it is.
    pub profiles: Vec<String>,
    /// The file whose line it is, for a whole line of a `.env` file.
    pub line_of: Option<PathBuf>,
    /// The bytes.
    pub secret: Secret,
    /// What to type when it is found.
    pub help: String,
}

/// The places that a project has for secrets. All paths are absolute, without `.`, `..` and symlinks.
#[derive(Default)]
pub struct Homes {
    /// The files and folders that only encrypted files belong in.
    pub vaults: Vec<PathBuf>,
    /// The files and folders that plaintext is rendered to.
    pub targets: Vec<PathBuf>,
}

/// All that is looked for.
pub struct Hunt {
    sought: Vec<Sought>,
    needles: Option<Needles>,
    lines: Option<Needles>,
    homes: Homes,
    /// The names of the files and folders in `homes`, by which all others are passed over quickly.
    names: BTreeSet<Box<[u8]>>,
}

impl Hunt {
    /// Looks for these, in every form, and for what is a secret by its form.
    #[must_use]
    pub fn new(sought: Vec<Sought>, homes: Homes) -> Hunt {
        let numbers: Vec<Name> = (0..sought.len()).filter_map(number).collect();
        let numbered = |line: bool| {
            numbers
                .iter()
                .zip(&sought)
                .filter(move |(_, sought)| sought.line_of.is_some() == line)
                .map(|(number, sought)| (number, &sought.secret))
        };
        // No pass over every byte for what there is none of.
        let some = |needles: Needles| Some(needles).filter(|needles| !needles.is_empty());
        let needles = some(Needles::new(numbered(false)));
        let lines = some(Needles::raw(numbered(true)));
        let names = homes
            .vaults
            .iter()
            .chain(&homes.targets)
            .filter_map(|path| path.file_name())
            .map(|name| name.as_encoded_bytes().into())
            .collect();
        Hunt {
            sought,
            needles,
            lines,
            homes,
            names,
        }
    }

    /// Whether a file, or the folder that it is in, is called like one of the homes.
    fn may_be_home(&self, path: &Path) -> bool {
        let named = |path: &Path| {
            path.file_name()
                .is_some_and(|name| self.names.contains(name.as_encoded_bytes()))
        };
        !self.names.is_empty() && (named(path) || path.parent().is_some_and(named))
    }

    /// Whether what is at an absolute path has to be encrypted.
    fn is_vault(&self, path: &Path) -> bool {
        let end = path.extension().unwrap_or_default().as_encoded_bytes();
        let holds = [&b"age"[..], b"yaml", b"yml", b"json", b"env"].contains(&end);
        holds && is_at(path, &self.homes.vaults)
    }

    /// Whether plaintext may be at an absolute path.
    fn is_target(&self, path: &Path) -> bool {
        is_at(path, &self.homes.targets)
    }

    /// Whether what was seen in a file is a line of a `.env` file, and that file this one.
    fn is_its_own(&self, seen: &Seen, path: &Path) -> bool {
        let What::Sought(index, ..) = seen.what else {
            return false;
        };
        let source = self
            .sought
            .get(index)
            .and_then(|sought| sought.line_of.as_deref());
        source.is_some_and(|source| walk::absolute(source) == walk::absolute(path))
    }

    /// The problem that something is at a place.
    fn problem(&self, seen: Seen, path: &Path) -> Problem {
        let place = Place::at(path, seen.line, seen.column);
        match seen.what {
            What::Sought(index, encoding, part) => {
                let Some(sought) = self.sought.get(index) else {
                    return Problem::new("leaked-value", "a value").at(place);
                };
                let name = &sought.name;
                let (rule, message) = match &sought.line_of {
                    Some(file) => (
                        "leaked-line",
                        format!("the line of {} that sets {name}", file.display()),
                    ),
                    None => ("leaked-value", leaked(sought, encoding, part)),
                };
                Problem::new(rule, message).at(place).help(&sought.help)
            }
            What::Identity => Problem::new(
                "identity",
                "an age identity: who has it can open every vault that it is a reader of",
            )
            .at(place)
            .help("make another (dotage keygen), replace it among the recipients (dotage recipients), then replace every value that it could read"),
            What::PrivateKey => Problem::new("private-key", "a private key")
                .at(place)
                .help("make another, and have the one found here refused wherever it is accepted"),
            What::Entry(name) => Problem::new(
                "env-archived",
                format!("an archive with {name} in it"),
            )
            .at(place)
            .help("pack it again without that file, and replace every secret in it"),
            What::Plain => Problem::new("plaintext-vault", "plaintext where an encrypted file belongs")
                .at(place)
                .help("encrypt it (age -a -R RECIPIENTS -o NEW FILE) or remove it; if it was ever committed, replace what is in it"),
        }
    }
}

/// How a value is told: `the value of JWT_SECRET (production), base64`.
fn leaked(sought: &Sought, encoding: Encoding, part: bool) -> String {
    let what = match encoding {
        Encoding::Password => "the password in the value",
        Encoding::Leaf | Encoding::Line => "a part of the value",
        _ if part => "a part of the value",
        _ => "the value",
    };
    let form = match encoding {
        Encoding::Raw | Encoding::Password | Encoding::Leaf | Encoding::Line => String::new(),
        encoding => format!(", {}", encoding.name()),
    };
    format!(
        "{what} of {} ({}){form}",
        sought.name,
        sought.profiles.join(", ")
    )
}

/// Whether a value is told from other text by itself. Else only a whole line with it is looked for.
#[must_use]
pub fn is_distinct(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let made_of = |is: fn(&u8) -> bool| {
        let mut bytes = value.iter();
        bytes.all(|byte| is(byte) || b"-_. ".contains(byte))
    };
    let is_word = made_of(u8::is_ascii_lowercase)
        || made_of(u8::is_ascii_uppercase)
        || made_of(u8::is_ascii_digit);
    cannot_hide(value).is_none() && value.len() >= if is_word { SHORTEST_WORD } else { SHORTEST }
}

/// Whether an occurrence of a part of a value tells that the value is there: a line or a leaf may be a word, a host, an
/// address.
fn is_telling(bytes: &[u8], encoding: Encoding) -> bool {
    let has = |is: fn(&u8) -> bool| bytes.iter().any(is);
    match encoding {
        Encoding::Leaf | Encoding::Line => {
            bytes.len() >= SHORTEST_PART
                && has(u8::is_ascii_digit)
                && has(u8::is_ascii_alphabetic)
                && (has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase)
                    || bytes.iter().all(u8::is_ascii_hexdigit))
                && !bytes.iter().any(|byte| b"@ \t<>".contains(byte))
                && memchr::memmem::find(bytes, b"://").is_none()
        }
        Encoding::Password => is_distinct(bytes),
        _ => bytes.len() >= SHORTEST,
    }
}

/// Whether a file is a plaintext `.env` file by its name: no sample, no template, nothing encrypted.
pub(crate) fn is_env(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ends = [
        ".j2", ".jinja", ".jinja2", ".age", ".gpg", ".enc", ".vault", ".sops", ".tmpl", ".tpl",
    ];
    (name == ".env" || name.starts_with(".env."))
        && !SAMPLES.iter().any(|sample| name.starts_with(sample))
        && !ends.iter().any(|end| name.ends_with(end))
}

/// Whether a text holds an age identity.
pub(crate) fn holds_identity(text: &[u8]) -> bool {
    let mut holds = false;
    marks::Marks::new().find(text, |_, mark| holds |= mark == marks::Mark::Identity);
    holds
}

/// Whether a file of this name is a plaintext `.env` file, or one that OpenSSH keeps a private key in.
fn is_secret_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    is_env(path) || SSH_KEYS.contains(&&*name)
}

fn is_at(path: &Path, homes: &[PathBuf]) -> bool {
    homes
        .iter()
        .any(|home| path == home || path.parent() == Some(home))
}

/// The name that needles know a sought thing by: they tell it again when they find it.
fn number(index: usize) -> Option<Name> {
    Name::new(&format!("_{index}"))
}

/// The index of such a name.
fn index(number: &Name) -> Option<usize> {
    number.as_str().get(1..)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_other_text_has_too_is_not_distinct() {
        for distinct in [
            "hunter2-hunter2",
            "Tr0ub4dor",
            "kJhGfDsA",
            "correct-horse-battery-staple",
            "4111111111111111111111",
            "p@ssw0rd",
            "пароль",
        ] {
            assert!(is_distinct(distinct.as_bytes()), "{distinct}");
        }
        for other in [
            "",
            "tiger",
            "hunter2",
            "freeboard-prod",
            "localhost",
            "PRODUCTION_DB",
            "20261125",
            "10.0.0.12",
            "--------------------",
            "postgres",
        ] {
            assert!(!is_distinct(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn only_a_part_that_is_random_tells_of_its_value() {
        for (bytes, encoding, tells) in [
            (
                "https://accounts.google.com/o/oauth2/auth",
                Encoding::Leaf,
                false,
            ),
            (
                "x@project-123456.iam.gserviceaccount.com",
                Encoding::Leaf,
                false,
            ),
            ("my-project-123456", Encoding::Leaf, false),
            ("server_tokens off;", Encoding::Line, false),
            ("0123456789abcdef0123456789abcdef", Encoding::Leaf, true),
            ("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", Encoding::Line, true),
            ("postgres", Encoding::Password, false),
            ("Tr0ub4dor", Encoding::Password, true),
            ("abc", Encoding::Raw, false),
        ] {
            assert_eq!(is_telling(bytes.as_bytes(), encoding), tells, "{bytes}");
        }
    }

    #[test]
    fn an_index_is_known_again_by_its_name() {
        for at in [0, 7, 99, 12345] {
            assert_eq!(number(at).as_ref().and_then(index), Some(at));
        }
    }
}
