//! How each consumer of a `.env` file reads bytes, and the safest text that makes it read the bytes meant.
//!
//! # Why
//!
//! Every consumer has its own quoting, and several read another's text without a word as something else. So each has
//! a file here with both halves: `write`, which refuses rather than approximates, and `read`, which follows the
//! consumer's own rules and is what a rendered file is held to before it goes into place. Where a consumer's grammar
//! is a regular expression that backtracks, `write` proposes texts and its own `read` decides among them, with
//! neighbours around them that would complete any quote left open ([`Dialect::holds`]): a value that ends in a
//! backslash swallows the next variable in several consumers, and a test of one variable never sees it.

mod compose;
mod direnv;
mod document;
mod github;
mod node;
mod portable;
mod python;
mod quoted_line;
mod raw;
mod ruby;
mod rust;
mod scan;
mod shell;
mod systemd;

pub use compose::{Asked, interpolate, interpolate_telling, read_with};
pub use raw::read_raw_with;

use memchr::memchr;
use std::borrow::Cow;
use std::fmt;

/// A consumer of `NAME=value` files (or of JSON and YAML), by the rules it reads with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// What all of a set of consumers read alike; all of them without a list.
    Portable(Consumers),
    /// Docker Compose v2: a project's `.env` and a service's `env_file`.
    Compose,
    /// `docker run --env-file`, podman's, and Compose's `format: raw`.
    Docker,
    /// systemd's `EnvironmentFile=`.
    Systemd,
    /// A POSIX shell's `set -a; . file`.
    Shell,
    /// npm's dotenv.
    Node,
    /// npm's dotenv followed by dotenv-expand.
    DotenvExpand,
    /// Vite's `loadEnv`.
    Vite,
    /// Node's own `--env-file` and `util.parseEnv`.
    NodeEnvFile,
    /// python-dotenv, and Compose v1.
    Python,
    /// Ruby's dotenv.
    Ruby,
    /// Rust's dotenvy.
    Rust,
    /// direnv's `dotenv`.
    Direnv,
    /// GitHub's `GITHUB_ENV` and `GITHUB_OUTPUT` files.
    Github,
    /// `kubectl create secret --from-env-file`.
    Kubernetes,
    /// A JSON document.
    Json,
    /// A YAML document.
    Yaml,
}

/// A set of consumers, for `for: [compose, systemd]`; the empty set stands for nobody in particular, so for everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Consumers(u32);

impl Consumers {
    /// Nobody in particular: what every consumer that knows quotes reads alike.
    pub const EVERYBODY: Consumers = Consumers(0);

    /// The consumers, in the order of [`Dialect::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Dialect> {
        Dialect::ALL
            .into_iter()
            .filter(move |dialect| self.0 & dialect.bit() != 0)
    }
}

/// Why a dialect cannot carry a value, and what would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwritable {
    /// The reason, as a phrase that never quotes the value: "a line feed".
    pub why: &'static str,
    /// What would carry it: another dialect, base64, a file.
    pub instead: &'static str,
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why)
    }
}

/// A text that the consumer would refuse, or read as something nobody meant: the line and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The line, from 1.
    pub line: usize,
    /// The reason, as a phrase that never quotes the text.
    pub why: &'static str,
}

/// The assignments of a file in its order, a name as often as it is assigned. In JSON and YAML a name is the path
/// of a scalar, its keys and indices joined by `.`.
pub type Entries<'a> = Vec<(Cow<'a, str>, Cow<'a, [u8]>)>;

/// One environment string, `NAME=value` without its NUL: `MAX_ARG_STRLEN` of Linux's execve(2).
pub const ENVIRONMENT_STRING: usize = 131_071;

/// What Go's `bufio.Scanner` takes as one line: `bufio.MaxScanTokenSize` less the line feed.
const SCANNED_LINE: usize = 65_535;

const NUL: Unwritable = Unwritable {
    why: "a NUL byte, which no environment carries",
    instead: "keep it in a file of its own, or base64-encode it",
};
const NOT_UTF8: Unwritable = Unwritable {
    why: "bytes that are not UTF-8",
    instead: "base64-encode it, or use the compose or shell dialect",
};
const TOO_LONG: Unwritable = Unwritable {
    why: "more bytes than one environment variable may have (131071 with its name)",
    instead: "keep it in a file of its own",
};
const LINE_TOO_LONG: Unwritable = Unwritable {
    why: "more bytes than its reader takes as one line (65535 with the name)",
    instead: "keep it in a file of its own",
};
const TEXT_NOT_UTF8: &str = "bytes that are not UTF-8";

/// The value that a name was last assigned.
fn last<'a>(entries: &'a Entries<'_>, asked: &[u8]) -> Option<&'a [u8]> {
    let mut entries = entries.iter().rev();
    let (_, value) = entries.find(|(name, _)| name.as_bytes() == asked)?;
    Some(value)
}

/// The entries of a text that doesn't outlive its reader.
fn owned(entries: Entries<'_>) -> Entries<'static> {
    entries
        .into_iter()
        .map(|(name, value)| {
            (
                Cow::Owned(name.into_owned()),
                Cow::Owned(value.into_owned()),
            )
        })
        .collect()
}

/// Whether every consumer reads these bytes as they stand, without quotes: the empty value, or
/// `[A-Za-z0-9_./:@%+,^-]` followed by more of it and `=`. No `=` follows a `:`, since zsh then looks for a command.
#[must_use]
pub fn bare(value: &[u8]) -> bool {
    value.first() != Some(&b'=')
        && !value.windows(2).any(|pair| pair == b":=")
        && value.iter().all(|&byte| BARE[usize::from(byte)])
}

const BARE: [bool; 256] = {
    let mut table = [false; 256];
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:@%+,^-=";
    let mut place = 0;
    while place < letters.len() {
        table[letters[place] as usize] = true;
        place += 1;
    }
    table
};

impl Dialect {
    /// Every dialect, each once.
    pub const ALL: [Dialect; 17] = [
        Dialect::Portable(Consumers::EVERYBODY),
        Dialect::Compose,
        Dialect::Docker,
        Dialect::Systemd,
        Dialect::Shell,
        Dialect::Node,
        Dialect::DotenvExpand,
        Dialect::Vite,
        Dialect::NodeEnvFile,
        Dialect::Python,
        Dialect::Ruby,
        Dialect::Rust,
        Dialect::Direnv,
        Dialect::Github,
        Dialect::Kubernetes,
        Dialect::Json,
        Dialect::Yaml,
    ];

    /// The dialect of a name, or of one of its other names: `podman` and `docker-raw` (docker), `sh` (shell),
    /// `dotenv` (node), `dotenvy` (rust).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Dialect> {
        let name = match name {
            "podman" | "docker-raw" => "docker",
            "sh" => "shell",
            "dotenv" => "node",
            "dotenvy" => "rust",
            other => other,
        };
        Dialect::ALL
            .into_iter()
            .find(|dialect| dialect.name() == name)
    }

    /// The name that inventories and template files use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Portable(_) => "portable",
            Dialect::Compose => "compose",
            Dialect::Docker => "docker",
            Dialect::Systemd => "systemd",
            Dialect::Shell => "shell",
            Dialect::Node => "node",
            Dialect::DotenvExpand => "dotenv-expand",
            Dialect::Vite => "vite",
            Dialect::NodeEnvFile => "node-env-file",
            Dialect::Python => "python",
            Dialect::Ruby => "ruby",
            Dialect::Rust => "rust",
            Dialect::Direnv => "direnv",
            Dialect::Github => "github",
            Dialect::Kubernetes => "kubernetes",
            Dialect::Json => "json",
            Dialect::Yaml => "yaml",
        }
    }

    /// The dialect of a file that all of `consumers` read: the one consumer's own, the widest form that several read
    /// alike, or plain portable for none. `Portable` among them stands for every consumer that knows quotes.
    #[must_use]
    pub fn of(consumers: &[Dialect]) -> Dialect {
        if let [only] = consumers {
            return *only;
        }
        let mut set = 0;
        for consumer in consumers {
            set |= match consumer {
                Dialect::Portable(Consumers::EVERYBODY) => portable::QUOTING
                    .iter()
                    .fold(0, |all, each| all | each.bit()),
                Dialect::Portable(some) => some.0,
                other => other.bit(),
            };
        }
        match Dialect::ALL
            .into_iter()
            .find(|dialect| dialect.bit() == set)
        {
            Some(only) => only,
            None => Dialect::Portable(Consumers(set)),
        }
    }

    /// The dialect as a set of one; the empty set for portable.
    fn bit(self) -> u32 {
        match self {
            Dialect::Portable(_) => 0,
            Dialect::Compose => 1,
            Dialect::Docker => 1 << 1,
            Dialect::Systemd => 1 << 2,
            Dialect::Shell => 1 << 3,
            Dialect::Node => 1 << 4,
            Dialect::DotenvExpand => 1 << 5,
            Dialect::Vite => 1 << 6,
            Dialect::NodeEnvFile => 1 << 7,
            Dialect::Python => 1 << 8,
            Dialect::Ruby => 1 << 9,
            Dialect::Rust => 1 << 10,
            Dialect::Direnv => 1 << 11,
            Dialect::Github => 1 << 12,
            Dialect::Kubernetes => 1 << 13,
            Dialect::Json => 1 << 14,
            Dialect::Yaml => 1 << 15,
        }
    }

    /// Whether a file may hold comments (`#` at the start of a line) and blank lines.
    #[must_use]
    pub fn comment(self) -> bool {
        match self {
            Dialect::Portable(some) => some.iter().all(Dialect::comment),
            Dialect::Github | Dialect::Json => false,
            _ => true,
        }
    }

    /// The most bytes that a whole file may have, where its consumer has such a limit: a Kubernetes Secret's 1 MiB.
    #[must_use]
    pub fn limit(self) -> Option<usize> {
        match self {
            Dialect::Portable(some) => some.iter().filter_map(Dialect::limit).min(),
            Dialect::Kubernetes => Some(1 << 20),
            _ => None,
        }
    }

    /// Appends the text that stands for `value` after `NAME=` (in JSON and YAML: as a scalar). In case of an error
    /// nothing is appended.
    ///
    /// # Errors
    /// When this consumer can't read these bytes back from any text that is safe beside other lines.
    pub fn write(self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
        if memchr(0, value).is_some() {
            return Err(NUL);
        }
        let written = out.len();
        let result = match self {
            Dialect::Json | Dialect::Yaml => document::write(value, out),
            Dialect::DotenvExpand => node::write_expand(value, out),
            _ if bare(value) => {
                out.extend_from_slice(value);
                Ok(())
            }
            Dialect::Shell => {
                shell::write(value, out);
                Ok(())
            }
            Dialect::Compose => {
                compose::write(value, out);
                Ok(())
            }
            Dialect::Portable(Consumers::EVERYBODY) => portable::write(value, out),
            Dialect::Portable(some) => portable::write_for(some, value, out),
            Dialect::Direnv => {
                direnv::write(value, out);
                Ok(())
            }
            _ if std::str::from_utf8(value).is_err() => Err(NOT_UTF8),
            Dialect::Docker | Dialect::Kubernetes => raw::write(value, out),
            Dialect::Systemd => {
                systemd::write(value, out);
                Ok(())
            }
            Dialect::Node => node::write(value, out),
            Dialect::Vite => node::write_vite(value, out),
            Dialect::NodeEnvFile => node::write_env_file(value, out),
            Dialect::Python => {
                python::write(value, out);
                Ok(())
            }
            Dialect::Ruby => ruby::write(value, out),
            Dialect::Rust => {
                rust::write(value, out);
                Ok(())
            }
            Dialect::Github => github::write(value, out),
        };
        if result.is_err() {
            out.truncate(written);
        }
        result
    }

    /// Appends the whole record that assigns `value` to `name`, with its final line feed. In JSON that is a member
    /// of an object, without the comma; in YAML an entry of a mapping. In case of an error nothing is appended.
    ///
    /// # Errors
    /// As [`Dialect::write`]; and for a value that is too long for an environment variable or for its reader's line.
    pub fn assign(self, name: &str, value: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
        self.fits(name.len() + 1 + value.len())?;
        let written = out.len();
        let result = match self {
            Dialect::Github => github::assign(name, value, out),
            Dialect::Json | Dialect::Yaml => {
                if self == Dialect::Json {
                    out.push(b'"');
                }
                out.extend_from_slice(name.as_bytes());
                if self == Dialect::Json {
                    out.push(b'"');
                }
                out.extend_from_slice(b": ");
                self.write(value, out)
            }
            _ => {
                out.extend_from_slice(name.as_bytes());
                out.push(b'=');
                self.write(value, out)
            }
        };
        match result {
            Ok(()) => out.push(b'\n'),
            Err(_) => out.truncate(written),
        }
        result
    }

    /// Whether an environment string of this length gets through.
    fn fits(self, length: usize) -> Result<(), Unwritable> {
        match self {
            _ if length <= SCANNED_LINE => Ok(()),
            Dialect::Json | Dialect::Yaml => Ok(()),
            Dialect::Docker | Dialect::Kubernetes => Err(LINE_TOO_LONG),
            Dialect::Portable(some)
                if some
                    .iter()
                    .any(|each| each.fits(length) == Err(LINE_TOO_LONG)) =>
            {
                Err(LINE_TOO_LONG)
            }
            _ if length > ENVIRONMENT_STRING => Err(TOO_LONG),
            _ => Ok(()),
        }
    }

    /// What this consumer reads in a whole file, by its own rules, with nothing set in its environment.
    ///
    /// # Errors
    /// Where the consumer would fail, silently drop an assignment, or run a command.
    pub fn read(self, text: &[u8]) -> Result<Entries<'_>, Unreadable> {
        match self {
            Dialect::Compose => compose::read(text),
            Dialect::Shell => shell::read(text),
            Dialect::Direnv => direnv::read(text),
            Dialect::Portable(Consumers::EVERYBODY) => portable::read(text),
            Dialect::Portable(some) => portable::read_for(some, text),
            _ => {
                let Ok(utf8) = std::str::from_utf8(text) else {
                    return Err(Unreadable {
                        line: scan::not_utf8(text).unwrap_or_default(),
                        why: TEXT_NOT_UTF8,
                    });
                };
                match self {
                    Dialect::Kubernetes => raw::read_kubernetes(text),
                    Dialect::Systemd => systemd::read(text),
                    Dialect::Node => node::read(text),
                    Dialect::DotenvExpand => node::read_expand(text),
                    Dialect::Vite => node::read_vite(text),
                    Dialect::NodeEnvFile => node::read_env_file(text),
                    Dialect::Python => python::read(text),
                    Dialect::Ruby => ruby::read(text),
                    Dialect::Rust => rust::read(utf8),
                    Dialect::Github => github::read(text),
                    Dialect::Json => document::read_json(utf8),
                    Dialect::Yaml => document::read_yaml(utf8),
                    _ => raw::read_docker(text),
                }
            }
        }
    }

    /// Whether this consumer reads `text` after `NAME=` as `value`, and the lines around it as if it weren't there:
    /// once beside plain lines and once beside quotes that would end any quote that `text` leaves open.
    fn holds(self, text: &[u8], value: &[u8]) -> bool {
        if let Dialect::Portable(some) = self
            && some != Consumers::EVERYBODY
        {
            return some.iter().all(|consumer| consumer.holds(text, value));
        }
        let hostile: &[u8] = match self {
            Dialect::Node | Dialect::DotenvExpand | Dialect::Vite | Dialect::NodeEnvFile => {
                b"Z=' # y'\nY=\" # y\"\nX=` # y`\n"
            }
            Dialect::Github => b"Z=2\nY<<' # y'\n2\n' # y'\n",
            _ => b"Z=' # y'\nY=\" # y\"\n",
        };
        [b"Z=2\n".as_slice(), hostile].into_iter().all(|after| {
            let file = [b"A=1\nK=", text, b"\n", after].concat();
            let (Ok(found), Ok(neighbours)) = (self.read(&file), self.read(after)) else {
                return false;
            };
            found.len() == neighbours.len() + 2
                && found
                    .first()
                    .is_some_and(|(name, value)| name == "A" && **value == *b"1")
                && found
                    .get(1)
                    .is_some_and(|(name, read)| name == "K" && **read == *value)
                && found.get(2..).is_some_and(|after| after == neighbours)
        })
    }
}

#[cfg(test)]
mod tests;
