//! Redaction: secrets as the bytes to look for, in each form that they travel in; to hide, to register as masks, to find.
//!
//! # Why
//!
//! Hiding, masking and scanning are one question (where is a secret?), so they are one type, `Needles`. What is looked
//! for is the value, the parts of it that are secrets of their own (`parts`), and what the usual programs make of each
//! when they print it (`forms`).
//!
//! A needle is at most 256 bytes long: a longer form is cut into pieces of 64, which side by side cover all of it. So a
//! key of a megabyte costs its bytes and no more, a piece of it alone is found as well, and nobody ever waits for the
//! end of it.
//!
//! Base64 and hex are often folded into lines. A needle is therefore also found where line ends cut it (`fold`).

mod fold;
mod forms;
mod parts;
mod search;
mod stream;

pub use stream::{Marker, Redactor};

use crate::secret::{Name, Secret};
use search::Search;
use std::ops::Range;
use zeroize::Zeroizing;

/// The longest needle, in bytes.
const LONGEST: usize = 256;
/// The pieces that longer ones are cut into.
const PIECE: usize = 64;
/// The shortest value that can be hidden, in characters: shorter ones are part of too many words.
pub const SHORTEST: usize = 4;

/// The form that a secret travels in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    /// The value as it is.
    Raw,
    /// The password of a URL.
    Password,
    /// A string in a JSON document, or the value of a `key: value` or `KEY=value` line.
    Leaf,
    /// A line of a value of several, or the body of a PEM block in one line.
    Line,
    /// Base64 of RFC 4648 §4, wherever in a longer text the value starts.
    Base64,
    /// Base64 of RFC 4648 §5.
    Base64Url,
    /// Hex digits of either case.
    Hex,
    /// The percent-encodings of URLs and forms.
    Percent,
    /// JSON's escapes, as several languages write them.
    Json,
    /// Shell quoting.
    Shell,
    /// XML and HTML escapes.
    Xml,
    /// The escapes of double quotes in `.env` files.
    Dotenv,
    /// Python's `repr`.
    Python,
    /// Quotes doubled, as SQL, YAML and CSV have them, and `$` as Compose has it.
    Doubled,
}

impl Encoding {
    /// Its plain name, for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Raw => "raw",
            Encoding::Password => "password of a URL",
            Encoding::Leaf => "leaf",
            Encoding::Line => "line",
            Encoding::Base64 => "base64",
            Encoding::Base64Url => "base64url",
            Encoding::Hex => "hex",
            Encoding::Percent => "percent-encoded",
            Encoding::Json => "JSON-escaped",
            Encoding::Shell => "shell-quoted",
            Encoding::Xml => "XML-escaped",
            Encoding::Dotenv => "dotenv-escaped",
            Encoding::Python => "Python repr",
            Encoding::Doubled => "quotes doubled",
        }
    }
}

/// What is looked for: one form of one secret, or a piece of it.
#[derive(Clone, Copy)]
pub struct Needle<'a> {
    /// The secret.
    pub name: &'a Name,
    /// The form.
    pub encoding: Encoding,
    /// Whether it is a part of the value or of the form: a line, a leaf, a piece of what is longer.
    pub part: bool,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// Where a needle is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// The secret.
    pub name: &'a Name,
    /// The form that it is there in.
    pub encoding: Encoding,
    /// Whether it is a part of the value or of the form.
    pub part: bool,
    /// The bytes of the text that are it.
    pub range: Range<usize>,
}

/// A needle in the store.
struct Entry {
    name: usize,
    encoding: Encoding,
    part: bool,
    at: Range<usize>,
}

/// Secrets, as the byte strings to look for. Wiped from memory when dropped.
pub struct Needles {
    names: Vec<Name>,
    /// The bytes of all needles, one after the other.
    store: Zeroizing<Vec<u8>>,
    entries: Vec<Entry>,
    search: Search,
}

impl Needles {
    /// The secrets in all their forms. Those that can't be hidden (`cannot_hide`) are left out.
    pub fn new<'s>(secrets: impl IntoIterator<Item = (&'s Name, &'s Secret)>) -> Self {
        let mut gathered = Gathered::default();
        for (name, secret) in secrets {
            gathered.name(name);
            parts::parts(secret.expose(), &mut |part, bytes| {
                forms::forms(part, bytes, &mut |encoding, part, form| {
                    gathered.add(encoding, part, form);
                });
            });
        }
        gathered.into_needles()
    }

    /// The secrets as they are, and in no other form.
    pub fn raw<'s>(secrets: impl IntoIterator<Item = (&'s Name, &'s Secret)>) -> Self {
        let mut gathered = Gathered::default();
        for (name, secret) in secrets {
            gathered.name(name);
            if cannot_hide(secret.expose()).is_none() {
                gathered.add(Encoding::Raw, false, secret.expose().trim_ascii());
            }
        }
        gathered.into_needles()
    }

    /// Whether there is nothing to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Each needle once: by secret in the order that they were given in, then by form.
    pub fn iter(&self) -> impl Iterator<Item = Needle<'_>> {
        (0..self.entries.len()).filter_map(|index| self.needle(index))
    }

    fn needle(&self, index: usize) -> Option<Needle<'_>> {
        let entry = self.entries.get(index)?;
        Some(Needle {
            name: self.names.get(entry.name)?,
            encoding: entry.encoding,
            part: entry.part,
            bytes: self.store.get(entry.at.clone())?,
        })
    }

    /// Every occurrence in a text, by where it begins, the longest first; overlapping ones too.
    pub fn find<'n>(&'n self, text: &'n [u8]) -> impl Iterator<Item = Found<'n>> {
        // In blocks, so that what is found in a large text is not gathered before it is asked for.
        const BLOCK: usize = 64 << 10;
        (0..text.len()).step_by(BLOCK).flat_map(move |start| {
            let mut hits = Vec::new();
            let end = (start + BLOCK + fold::REACH).min(text.len());
            if let Some(block) = text.get(start..end) {
                let before = fold::run(text.get(..start).unwrap_or_default(), 0);
                self.hits(block, before, &mut hits);
            }
            hits.into_iter()
                .take_while(|hit| hit.start < BLOCK)
                .filter_map(move |hit| {
                    let needle = self.needle(hit.needle)?;
                    Some(Found {
                        name: needle.name,
                        encoding: needle.encoding,
                        part: needle.part,
                        range: start + hit.start..start + hit.end,
                    })
                })
        })
    }

    /// How long the longest end of a text is that must be held back: it may still become a needle.
    fn held(&self, text: &[u8], run: usize) -> usize {
        self.search
            .held(&self.store, &self.entries, text)
            .max(fold::held(self, text, run))
    }

    /// Every occurrence in a text that `run` characters of a foldable line precede, in the order of `find`.
    fn hits(&self, text: &[u8], run: usize, hits: &mut Vec<Hit>) {
        hits.clear();
        self.search.hits(&self.store, &self.entries, text, hits);
        fold::hits(self, text, run, hits);
        hits.sort_unstable();
        hits.dedup();
    }
}

/// An occurrence. Ordered by where it begins, the longest first, then by needle.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Hit {
    start: usize,
    end: usize,
    needle: usize,
}

impl Ord for Hit {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.start, other.end, self.needle).cmp(&(other.start, self.end, other.needle))
    }
}

impl PartialOrd for Hit {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Needles as they come, some of them twice.
#[derive(Default)]
struct Gathered {
    names: Vec<Name>,
    store: Zeroizing<Vec<u8>>,
    entries: Vec<Entry>,
}

impl Gathered {
    fn name(&mut self, name: &Name) {
        self.names.push(name.clone());
    }

    fn add(&mut self, encoding: Encoding, part: bool, form: &[u8]) {
        if form.len() > LONGEST {
            for piece in form.chunks_exact(PIECE) {
                self.put(encoding, true, piece);
            }
            if !form.len().is_multiple_of(PIECE)
                && let Some(end) = form.last_chunk::<PIECE>()
            {
                self.put(encoding, true, end);
            }
        } else if form.len() >= SHORTEST {
            self.put(encoding, part, form);
        }
    }

    fn put(&mut self, encoding: Encoding, part: bool, bytes: &[u8]) {
        let start = self.store.len();
        extend(&mut self.store, bytes);
        self.entries.push(Entry {
            name: self.names.len().saturating_sub(1),
            encoding,
            part,
            at: start..self.store.len(),
        });
    }

    /// Each of them once, as the plainest of what it is: a whole before a part, then by encoding, then by secret.
    fn into_needles(self) -> Needles {
        let Gathered {
            names,
            store,
            entries,
        } = self;
        let bytes = |entry: &Entry| store.get(entry.at.clone()).unwrap_or_default();
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by(|&a, &b| match (entries.get(a), entries.get(b)) {
            (Some(one), Some(other)) => bytes(one)
                .cmp(bytes(other))
                .then(one.part.cmp(&other.part))
                .then(one.encoding.cmp(&other.encoding))
                .then(a.cmp(&b)),
            _ => a.cmp(&b),
        });
        order.dedup_by(|later, first| {
            entries.get(*later).map(bytes) == entries.get(*first).map(bytes)
        });
        order.sort_unstable();
        let mut kept = Zeroizing::new(Vec::new());
        let mut once = Vec::with_capacity(order.len());
        for entry in order.into_iter().filter_map(|index| entries.get(index)) {
            let start = kept.len();
            extend(&mut kept, bytes(entry));
            once.push(Entry {
                name: entry.name,
                encoding: entry.encoding,
                part: entry.part,
                at: start..kept.len(),
            });
        }
        let search = Search::new(&kept, &once);
        Needles {
            names,
            store: kept,
            entries: once,
            search,
        }
    }
}

/// Appends to a buffer; what it grows out of is wiped.
fn extend(buffer: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    let wanted = buffer.len() + bytes.len();
    if wanted > buffer.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(wanted.max(2 * buffer.capacity())));
        larger.extend_from_slice(buffer);
        *buffer = larger;
    }
    buffer.extend_from_slice(bytes);
}

/// Texts that stand in any log for something else.
const COMMON: &[&str] = &[
    "true",
    "false",
    "none",
    "null",
    "undefined",
    "enabled",
    "disabled",
    "default",
    "auto",
    "always",
    "never",
    "development",
    "production",
    "staging",
    "test",
    "testing",
    "local",
    "localhost",
    "127.0.0.1",
    "0.0.0.0",
    "http",
    "https",
    "debug",
    "info",
    "warn",
    "warning",
    "error",
    "trace",
    "admin",
    "root",
    "user",
    "guest",
    "password",
    "secret",
    "token",
    "postgres",
    "postgresql",
    "mysql",
    "redis",
    "utf8",
    "utf-8",
    "public",
    "private",
    "require",
    "disable",
    "service_account",
    "googleapis.com",
];

/// Why a value can't be hidden, in words that complete `NAME …`; none when it can.
#[must_use]
pub fn cannot_hide(value: &[u8]) -> Option<&'static str> {
    let value = value.trim_ascii();
    let chars = std::str::from_utf8(value).map_or(value.len(), |text| text.chars().count());
    let same = |first: &u8| value.iter().all(|byte| byte == first);
    if chars < SHORTEST {
        Some("has fewer than 4 characters: hiding it would hide parts of other words")
    } else if value.first().is_some_and(same) {
        Some("is one character over and over: hiding it would hide the rules in a log")
    } else if value.len() <= 5 && value.iter().all(u8::is_ascii_digit) {
        Some("is a number like a port's: hiding it would hide others")
    } else if COMMON
        .iter()
        .any(|common| value.eq_ignore_ascii_case(common.as_bytes()))
    {
        Some("is a word that any log holds: hiding it would hide others")
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
