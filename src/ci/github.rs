//! What a GitHub runner takes from a step: masks in its output, records in the files of `GITHUB_ENV` and `GITHUB_OUTPUT`.
//!
//! # Why
//!
//! Read off actions/runner: `ActionCommand` and `SecretMasker` for the masks, `FileCommandManager` for the files.
//!
//! A mask hides what equals it, within a line, and what the runner derives from it. A mask of several lines makes it
//! register each of them, `{` and `}` too, so a value is registered line by line. What the runner derives itself is not
//! sent again: each mask is looked for in each line that is logged from then on.
//!
//! A record is always the heredoc form, under a delimiter that is drawn anew for it: whoever can choose a value can't
//! know it, and so can't end the record early.

use crate::dialect::Dialect;
use crate::generate;
use crate::problem::Problem;
use crate::redact::{Encoding, Needles, cannot_hide};
use crate::secret::{Name, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashSet;
use zeroize::Zeroizing;

/// The bytes of random in a delimiter.
const DELIMITER: usize = 16;
/// `NAME=value` and its NUL: `MAX_ARG_STRLEN` of Linux's execve(2).
const ENVIRONMENT_STRING: usize = 131_072;
/// More masks than this make a job's log slow to write.
pub const MANY_MASKS: usize = 1_000;

/// In how many forms a secret is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it is, its lines and leaves, and what the runner derives from those.
    Minimal,
    /// As base64 at any offset, base64url and hex as well, and as each quoting and escaping writes the whole value.
    Standard,
    /// As those write its parts, too.
    Paranoid,
}

/// Commands that mask secrets.
#[derive(Default)]
pub struct Masks {
    /// A command a line.
    pub commands: Zeroizing<Vec<u8>>,
    /// How many.
    pub count: usize,
}

/// The masks of secrets. One that can't be hidden (`redact::cannot_hide`) has none.
#[must_use]
pub fn masks<'s>(secrets: &[(&'s Name, &'s Secret)], level: Level) -> Masks {
    let needles = Needles::new(secrets.iter().copied());
    let plain = |encoding| {
        matches!(
            encoding,
            Encoding::Raw | Encoding::Password | Encoding::Leaf | Encoding::Line
        )
    };
    let bytes = |encoding| {
        matches!(
            encoding,
            Encoding::Base64 | Encoding::Base64Url | Encoding::Hex
        )
    };
    // A part of a value is printed as a secret of its own: a leaf in any way, a line as the document that it is in.
    let of_parts = |wanted: &dyn Fn(Encoding) -> bool| {
        let parts = needles.iter().filter(|needle| wanted(needle.encoding));
        let parts = parts.map(|part| (part.name, Secret::new(part.bytes.to_vec())));
        let parts: Vec<(&Name, Secret)> = parts.collect();
        Needles::new(parts.iter().map(|(name, secret)| (*name, secret)))
    };
    let (leaves, lines) = match level {
        Level::Standard => (
            of_parts(&|part| matches!(part, Encoding::Leaf | Encoding::Password)),
            of_parts(&|part| part == Encoding::Line),
        ),
        Level::Minimal | Level::Paranoid => (Needles::new([]), Needles::new([])),
    };
    let mut masks = Registered::default();
    for (_, secret) in secrets {
        several(secret.expose()).for_each(|line| masks.add_value(line));
    }
    for needle in needles.iter().filter(|needle| plain(needle.encoding)) {
        masks.add_value(needle.bytes);
    }
    for needle in needles.iter().filter(|needle| !plain(needle.encoding)) {
        let wanted = match level {
            Level::Minimal => false,
            Level::Standard => bytes(needle.encoding) || !needle.part,
            Level::Paranoid => true,
        };
        if wanted {
            masks.add(needle.bytes);
        }
    }
    for needle in leaves.iter().filter(|needle| !needle.part) {
        masks.add(needle.bytes);
    }
    for needle in lines.iter().filter(|needle| {
        !needle.part && matches!(needle.encoding, Encoding::Percent | Encoding::Json)
    }) {
        masks.add(needle.bytes);
    }
    masks.masks
}

/// The masks so far.
#[derive(Default)]
struct Registered {
    masks: Masks,
    all: HashSet<Vec<u8>>,
    /// What the runner derives from them.
    derived: HashSet<Vec<u8>>,
}

impl Registered {
    /// Registers a value, from which the runner derives more.
    fn add_value(&mut self, value: &[u8]) {
        if self.add(value) {
            derive(value, &mut self.derived);
        }
    }

    fn add(&mut self, mask: &[u8]) -> bool {
        // A runner takes no mask of white space alone, in Unicode's sense.
        let text = std::str::from_utf8(mask).unwrap_or_default();
        let unmaskable = text.trim().is_empty() || text.contains(['\r', '\n', '\0']);
        if unmaskable || self.derived.contains(mask) || self.all.contains(mask) {
            return false;
        }
        self.all.insert(mask.to_vec());
        self.masks.count += 1;
        command(mask, &mut self.masks.commands);
        true
    }
}

/// The lines of a value that are masked: not what every PEM file has.
fn several(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| b"\r\n".contains(byte))
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.starts_with(b"-----BEGIN ") && !line.starts_with(b"-----END "))
        .filter(|line| cannot_hide(line).is_none())
}

/// What the runner derives from a mask and looks for as well, of its `ValueEncoders` those whose result may be a needle.
fn derive(mask: &[u8], derived: &mut HashSet<Vec<u8>>) {
    let replaced = |pairs: &[(u8, &str)]| {
        let mut text = Vec::with_capacity(6 * mask.len());
        for byte in mask {
            match pairs.iter().find(|(plain, _)| plain == byte) {
                Some((_, escaped)) => text.extend_from_slice(escaped.as_bytes()),
                None => text.push(*byte),
            }
        }
        text
    };
    derived.insert(STANDARD.encode(mask).into_bytes());
    derived.insert(replaced(&[(b'"', "\\\"")]));
    derived.insert(replaced(&[(b'\'', "''")]));
    derived.insert(replaced(&[
        (b'&', "&amp;"),
        (b'<', "&lt;"),
        (b'>', "&gt;"),
        (b'"', "&quot;"),
        (b'\'', "&apos;"),
    ]));
    if !mask.iter().any(u8::is_ascii_control) && mask.is_ascii() {
        derived.insert(replaced(&[(b'"', "\\\""), (b'\\', "\\\\")]));
    }
    let mut percent = Vec::with_capacity(3 * mask.len());
    for byte in mask {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            percent.push(*byte);
        } else {
            percent.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    derived.insert(percent);
    // The value itself is what was asked for, not what is derived.
    derived.remove(mask);
}

/// One `add-mask`. The runner takes `%25` back; nothing else that a line can hold means anything in its data.
fn command(mask: &[u8], commands: &mut Zeroizing<Vec<u8>>) {
    let mut text = Zeroizing::new(Vec::with_capacity(16 + 3 * mask.len()));
    text.extend_from_slice(b"::add-mask::");
    for byte in mask {
        if *byte == b'%' {
            text.extend_from_slice(b"%25");
        } else {
            text.push(*byte);
        }
    }
    text.push(b'\n');
    commands.extend_from_slice(&text);
}

/// Whether a value has several lines, which few programs expect of a variable.
#[must_use]
pub fn several_lines(value: &[u8]) -> bool {
    value
        .trim_ascii_end()
        .iter()
        .any(|byte| b"\r\n".contains(byte))
}

/// The records of a file command, to be appended at the start of a line.
///
/// # Errors
/// A value that the runner can't take, or that it would read otherwise; no random bytes.
pub fn records(values: &[(String, Vec<u8>)]) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let size: usize = values
        .iter()
        .map(|(name, value)| name.len() + value.len() + 128)
        .sum();
    let mut text = Zeroizing::new(Vec::with_capacity(size));
    for (name, value) in values {
        if let Some(why) = unwritable(name, value) {
            return Err(Problem::new(
                "unwritable",
                format!("no environment of a job carries the value of {name}: it has {why}"),
            )
            .help(format!("hand it over as a file: --as-file {name}")));
        }
        let random = generate::random(DELIMITER, generate::Encoding::Hex)
            .map_err(|failed| Problem::new("random", failed.to_string()).help("try again"))?;
        let delimiter = [b"DOTAGE_", random.expose()].concat();
        for part in [
            name.as_bytes(),
            b"<<",
            &delimiter,
            b"\n",
            value,
            b"\n",
            &delimiter,
            b"\n",
        ] {
            text.extend_from_slice(part);
        }
    }
    let same = Dialect::Github.read(&text).is_ok_and(|read| {
        read.len() == values.len()
            && read
                .iter()
                .zip(values)
                .all(|((name, value), (other, bytes))| name == other && **value == **bytes)
    });
    if same {
        Ok(text)
    } else {
        Err(Problem::new(
            "read-back",
            "the runner would read something else than the values",
        )
        .help("report this as a bug of dotage; nothing was written"))
    }
}

/// What no environment variable can have.
fn unwritable(name: &str, value: &[u8]) -> Option<&'static str> {
    if value.contains(&0) {
        Some("a NUL byte")
    } else if std::str::from_utf8(value).is_err() {
        Some("bytes that are not UTF-8")
    } else if name.len() + value.len() + 2 > ENVIRONMENT_STRING {
        Some("more bytes than one may have (131072 with its name)")
    } else {
        None
    }
}
