//! How each consumer of a `.env` file reads bytes, and the safest text that makes it read the bytes meant.

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
    /// PyPI's python-dotenv, and Compose v1.
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

/// A set of consumers, for `for: [compose, systemd]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Consumers(u32);

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

impl Dialect {
    /// The text that stands for `value` after `NAME=` (in JSON and YAML: as a scalar).
    ///
    /// # Errors
    /// When this consumer can't read these bytes back from any text that is safe beside other lines.
    pub fn write(self, value: &[u8]) -> Result<Vec<u8>, Unwritable> {
        Ok(value.to_vec())
    }

    /// Appends the whole record that assigns `value` to `name`, with its final line feed.
    ///
    /// # Errors
    /// As [`Dialect::write`].
    pub fn assign(self, name: &str, value: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        out.extend(self.write(value)?);
        out.push(b'\n');
        Ok(())
    }

    /// What this consumer reads in a whole file, by its own rules, with nothing set in its environment.
    ///
    /// # Errors
    /// Where the consumer would fail, silently drop an assignment, or run a command.
    pub fn read(self, text: &[u8]) -> Result<Entries<'_>, Unreadable> {
        let _ = text;
        Ok(Vec::new())
    }
}
/// bare
pub fn bare(value: &[u8]) -> bool {
    value
        .iter()
        .all(|b| b.is_ascii_alphanumeric() || b"_./:@%+,^=-".contains(b))
        && !value.starts_with(b"=")
}
impl Dialect {
    /// name
    pub fn name(self) -> &'static str {
        "compose"
    }
    /// from_name
    pub fn from_name(_: &str) -> Option<Dialect> {
        Some(Dialect::Compose)
    }
}
