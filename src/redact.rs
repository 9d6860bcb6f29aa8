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
use fold::Unfolded;
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
#[derive(Clone)]
struct Entry {
    name: usize,
    encoding: Encoding,
    part: bool,
    at: Range<usize>,
}

impl Entry {
    /// A piece of it.
    fn piece(&self, at: Range<usize>) -> Entry {
        Entry {
            name: self.name,
            encoding: self.encoding,
            part: true,
            at,
        }
    }
}

/// Secrets, as the byte strings to look for. Wiped from memory when dropped.
pub struct Needles {
    names: Vec<Name>,
    /// The bytes of all forms, one after the other. The needles are pieces of it.
    store: Zeroizing<Vec<u8>>,
    entries: Vec<Entry>,
    search: Search,
}

impl Needles {
    /// The secrets in all their forms. Those that can't be hidden (`cannot_hide`) are left out.
    pub fn new<'s>(secrets: impl IntoIterator<Item = (&'s Name, &'s Secret)>) -> Self {
        let mut gathered = Gathered::default();
        let mut scratch = Zeroizing::default();
        for (name, secret) in secrets {
            gathered.name(name);
            parts::parts(secret.expose(), &mut |part, bytes| {
                gathered.given.clear();
                forms::forms(part, bytes, &mut scratch, &mut |form| gathered.add(form));
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
                gathered.add(Form::raw(secret.expose().trim_ascii()));
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
        let mut unfolded = Unfolded::default();
        (0..text.len()).step_by(BLOCK).flat_map(move |start| {
            let mut hits = Vec::new();
            let end = (start + BLOCK + fold::REACH).min(text.len());
            if let Some(block) = text.get(start..end) {
                let before = fold::run(text.get(..start).unwrap_or_default(), 0);
                self.hits(block, before, &mut unfolded, &mut hits);
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
    fn held(&self, text: &[u8], run: usize, unfolded: &mut Unfolded) -> usize {
        self.search
            .held(&self.store, &self.entries, text)
            .max(fold::held(self, text, run, unfolded))
    }

    /// Every occurrence in a text that `run` characters of a foldable line precede, in the order of `find`.
    fn hits(&self, text: &[u8], run: usize, unfolded: &mut Unfolded, hits: &mut Vec<Hit>) {
        hits.clear();
        self.search.hits(&self.store, &self.entries, text, hits);
        fold::hits(self, text, run, unfolded, hits);
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

/// A form of a text, as `forms` gives it.
#[derive(Clone, Copy)]
struct Form<'a> {
    encoding: Encoding,
    /// Whether it is one of a part of a value.
    part: bool,
    bytes: &'a [u8],
    /// The widths that it is folded at.
    folds: &'static [usize],
}

impl<'a> Form<'a> {
    fn raw(bytes: &'a [u8]) -> Self {
        Form {
            encoding: Encoding::Raw,
            part: false,
            bytes,
            folds: &[],
        }
    }
}

/// Needles as they come, some of them twice.
#[derive(Default)]
struct Gathered {
    names: Vec<Name>,
    store: Zeroizing<Vec<u8>>,
    entries: Vec<Entry>,
    /// The forms of the text at hand, and the widths that they are folded at. Many are the same.
    given: Vec<(Entry, &'static [usize])>,
}

impl Gathered {
    fn name(&mut self, name: &Name) {
        self.names.push(name.clone());
        self.given.clear();
    }

    fn add(&mut self, form: Form) {
        let Form {
            encoding,
            part,
            bytes,
            folds,
        } = form;
        let is_given = |(given, folded): &(Entry, &[usize])| {
            given.at.len() == bytes.len()
                && (given.part, given.encoding) <= (part, encoding)
                && *folded == folds
                && self.store.get(given.at.clone()) == Some(bytes)
        };
        if bytes.len() < SHORTEST || self.given.iter().any(is_given) {
            return;
        }
        let start = self.store.len();
        extend(&mut self.store, bytes);
        let whole = Entry {
            name: self.names.len().saturating_sub(1),
            encoding,
            part,
            at: start..self.store.len(),
        };
        if bytes.len() <= LONGEST {
            self.entries.push(whole.clone());
        } else {
            // What is left at the end is found with what stands before it.
            let last = whole.at.end - PIECE;
            let pieces = (start..=last).step_by(PIECE);
            let rest = (!bytes.len().is_multiple_of(PIECE)).then_some(last);
            self.entries
                .extend(pieces.chain(rest).map(|at| whole.piece(at..at + PIECE)));
        }
        for width in folds.iter().filter(|width| bytes.len() > **width) {
            let lines = whole.at.clone().step_by(*width);
            let lines = lines
                .map(|at| whole.piece(at..whole.at.end.min(at + width)))
                .filter(|line| line.at.len() >= forms::REMAINDER);
            // What is longer than a needle is cut into pieces of 64 anyway, but for where its last line begins.
            let cut = bytes.len() > LONGEST && *width == PIECE;
            self.entries
                .extend(lines.filter(|line| !cut || line.at.len() < *width));
        }
        self.given.push((whole, folds));
    }

    /// Each of them once, as the plainest of what it is: a whole before a part, then by encoding, then by secret.
    fn into_needles(self) -> Needles {
        let Gathered {
            names,
            store,
            mut entries,
            ..
        } = self;
        let sorted = distinct(&store, &entries);
        let mut kept = vec![false; entries.len()];
        for index in &sorted {
            if let Some(kept) = kept.get_mut(*index as usize) {
                *kept = true;
            }
        }
        // The number that each has when those before it are gone that are not kept.
        let numbers: Vec<u32> = kept
            .iter()
            .scan(0, |next, kept| {
                let number = *next;
                *next += u32::from(*kept);
                Some(number)
            })
            .collect();
        let mut kept = kept.into_iter();
        entries.retain(|_| kept.next() == Some(true));
        let sorted = sorted
            .into_iter()
            .filter_map(|index| numbers.get(index as usize).copied())
            .collect();
        let search = Search::new(&store, &entries, sorted);
        Needles {
            names,
            store,
            entries,
            search,
        }
    }
}

/// Those of different bytes, in the order of these.
fn distinct(store: &[u8], entries: &[Entry]) -> Vec<u32> {
    let entry = |index: u32| entries.get(index as usize);
    let bytes = |index| entry(index).and_then(|entry| store.get(entry.at.clone()));
    let rank = |index| {
        (
            entry(index).map(|entry| (entry.part, entry.encoding)),
            index,
        )
    };
    // Nearly all differ in their first bytes, which are compared as one number.
    let mut order: Vec<(u64, u32)> = (0..)
        .zip(entries)
        .map(|(index, _)| (first_eight(bytes(index).unwrap_or_default()), index))
        .collect();
    order.sort_unstable_by(|(eight, one), (other_eight, other)| {
        eight
            .cmp(other_eight)
            .then_with(|| bytes(*one).cmp(&bytes(*other)))
            .then_with(|| rank(*one).cmp(&rank(*other)))
    });
    order.dedup_by(|(later_eight, later), (eight, first)| {
        later_eight == eight && bytes(*later) == bytes(*first)
    });
    order.into_iter().map(|(_, index)| index).collect()
}

/// The first bytes of a text as a number that is ordered as they are.
fn first_eight(bytes: &[u8]) -> u64 {
    let mut eight = [0; 8];
    for (to, from) in eight.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_be_bytes(eight)
}

/// Appends to a buffer; what it grows out of is wiped.
fn extend(buffer: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    reserve(buffer, bytes.len());
    buffer.extend_from_slice(bytes);
}

/// Makes room for more in a buffer; what it grows out of is wiped.
fn reserve(buffer: &mut Zeroizing<Vec<u8>>, more: usize) {
    let wanted = buffer.len() + more;
    if wanted > buffer.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(wanted.max(2 * buffer.capacity())));
        larger.extend_from_slice(buffer);
        *buffer = larger;
    }
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
