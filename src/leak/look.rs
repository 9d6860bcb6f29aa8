//! One file's bytes, looked through as they come: in a window that moves over them, so that a file of any size takes the
//! same memory.
//!
//! # Why
//!
//! Each window but the last keeps what it can't judge yet: whatever begins there may go on in the next. So each thing is
//! found in the one window that owns its first byte, with all of it in sight, and nothing is found twice.

use super::archive::{Archive, Names};
use super::marks::{Mark, Marks, REACH};
use super::{Hunt, is_secret_file, is_telling};
use crate::redact::Encoding;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How much of a file is looked at together.
const WINDOW: usize = 256 << 10;
/// How much of a window comes again in the next: more than anything that is found is long. Needles are 256 bytes, and
/// longer where line ends fold them.
const OVERLAP: usize = REACH;
/// The most places that are told of one file. More tell nobody more.
const MOST: usize = 100;

/// What was found, and where in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) what: What,
    /// The line, and the column in characters, from 1; 0 where it is the whole file.
    pub(super) line: usize,
    pub(super) column: usize,
    /// The last line of it, where its parts follow each other.
    last: usize,
}

impl Seen {
    fn in_file(what: What) -> Seen {
        Seen {
            what,
            line: 0,
            column: 0,
            last: 0,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// What is sought, how it is written there, and whether it is only a part of it.
    Sought(usize, Encoding, bool),
    Identity,
    PrivateKey,
    /// The name of an entry of an archive.
    Entry(String),
    /// The file begins as no vault does.
    Plain,
}

/// Looks through files, one after the other. Each thread has one.
pub(super) struct Looker<'a> {
    hunt: &'a Hunt,
    marks: Marks,
    window: Vec<u8>,
}

/// Where the first byte of a window is.
struct Position {
    line: usize,
    /// How many characters of its line come before it.
    column: usize,
    /// The byte before it.
    before: u8,
}

impl<'a> Looker<'a> {
    pub(super) fn new(hunt: &'a Hunt) -> Self {
        Looker {
            hunt,
            marks: Marks::new(),
            window: vec![0; WINDOW],
        }
    }

    /// Looks through a file that is called `path`; `vault` says that it should be encrypted.
    pub(super) fn look(
        &mut self,
        path: &Path,
        vault: bool,
        file: &mut (impl Read + ?Sized),
    ) -> io::Result<Vec<Seen>> {
        let (mut seen, mut names) = (Vec::new(), Names::new());
        let mut archive = None;
        let mut position = Position {
            line: 1,
            column: 0,
            before: b'\n',
        };
        let mut kept = 0;
        loop {
            let (length, ended) = fill(file, &mut self.window, kept)?;
            let own = if ended { length } else { length - OVERLAP };
            let bytes = &self.window[..length];
            let archive = archive.get_or_insert_with(|| {
                if vault && is_plain(bytes) {
                    seen.push(Seen::in_file(What::Plain));
                }
                Archive::new(path, bytes)
            });
            archive.take(own, bytes, &mut names);
            names.retain(|name| is_secret_name(name));
            if seen.len() < MOST {
                self.window_seen(bytes, own, &position, &mut seen);
            }
            if ended {
                break;
            }
            position = position.after(&self.window[..own]);
            self.window.copy_within(own..length, 0);
            kept = length - own;
        }
        if let Some(archive) = archive {
            archive.end(&mut names);
        }
        names.retain(|name| is_secret_name(name));
        seen.extend(names.into_iter().take(MOST).map(|name| {
            let name = String::from_utf8_lossy(&name).into_owned();
            Seen::in_file(What::Entry(name))
        }));
        Ok(seen)
    }

    /// What begins in the first `own` bytes of a window.
    fn window_seen(&self, bytes: &[u8], own: usize, from: &Position, seen: &mut Vec<Seen>) {
        let mut found: Vec<(usize, What)> = Vec::new();
        for hit in self
            .hunt
            .needles
            .iter()
            .flat_map(|needles| needles.find(bytes))
        {
            let start = hit.range.start;
            if start < own
                && is_telling(&bytes[hit.range.clone()], hit.encoding)
                && let Some(index) = super::index(hit.name)
            {
                found.push((start, What::Sought(index, hit.encoding, hit.part)));
            }
        }
        for hit in self.hunt.lines.iter().flat_map(|lines| lines.find(bytes)) {
            let start = hit.range.start;
            let before = start.checked_sub(1).map_or(from.before, |at| bytes[at]);
            let after = bytes.get(hit.range.end).copied().unwrap_or(b'\n');
            if start < own
                && before == b'\n'
                && b"\r\n".contains(&after)
                && let Some(index) = super::index(hit.name)
            {
                found.push((start, What::Sought(index, Encoding::Raw, false)));
            }
        }
        self.marks.find(bytes, |at, mark| {
            let what = match mark {
                Mark::Identity => What::Identity,
                Mark::PrivateKey => What::PrivateKey,
            };
            if at < own {
                found.push((at, what));
            }
        });
        if found.is_empty() {
            return;
        }
        found.sort();
        let mut place = Position {
            line: from.line,
            column: from.column,
            before: from.before,
        };
        let mut reached = 0;
        for (at, what) in found {
            place = place.after(&bytes[reached..at]);
            reached = at;
            let line = place.line;
            let new = Seen {
                what,
                line,
                column: place.column + 1,
                last: line,
            };
            let full = seen.len() == MOST;
            let told = seen.iter_mut().rev().find(|other| self.same(other, &new));
            match told {
                Some(other) if self.is_line(other) && !self.is_line(&new) => *other = new,
                Some(other) => other.last = line,
                None if full => return,
                None => seen.push(new),
            }
        }
    }

    /// Whether a second one tells nothing new: a value is told once of a line, however often and in whatever forms it is
    /// there, and the parts of a long one once where they follow each other.
    fn same(&self, one: &Seen, other: &Seen) -> bool {
        let on_line = one.last == other.line;
        match (&one.what, &other.what) {
            (What::Sought(a, _, one_part), What::Sought(b, _, other_part)) => {
                let name = |index: &usize| self.hunt.sought.get(*index).map(|sought| &sought.name);
                let a_line = self.is_line(one) || self.is_line(other);
                let follows = *one_part && *other_part && one.last + 1 >= other.line;
                (on_line || follows) && (a == b || a_line && name(a) == name(b))
            }
            (a, b) => on_line && a == b,
        }
    }

    /// Whether it is a whole line of a `.env` file, which says less than that a value is there.
    fn is_line(&self, seen: &Seen) -> bool {
        let What::Sought(index, ..) = seen.what else {
            return false;
        };
        self.hunt
            .sought
            .get(index)
            .is_some_and(|sought| sought.line_of.is_some())
    }
}

impl Position {
    /// The place after some bytes.
    fn after(&self, bytes: &[u8]) -> Position {
        let Some(&before) = bytes.last() else {
            return Position { ..*self };
        };
        let lines = memchr::memchr_iter(b'\n', bytes).count();
        let rest = memchr::memrchr(b'\n', bytes).map_or(bytes, |at| &bytes[at + 1..]);
        // Each byte that doesn't go on with a character of UTF-8 begins one.
        let characters = rest.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        Position {
            line: self.line + lines,
            column: characters + if lines == 0 { self.column } else { 0 },
            before,
        }
    }
}

/// Reads until the window is full or the file has ended: how far it is filled, and whether the file ended.
fn fill(
    file: &mut (impl Read + ?Sized),
    window: &mut [u8],
    mut length: usize,
) -> io::Result<(usize, bool)> {
    while length < window.len() {
        match file.read(&mut window[length..]) {
            Ok(0) => return Ok((length, true)),
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok((length, false))
}

fn is_secret_name(name: &[u8]) -> bool {
    is_secret_file(Path::new(OsStr::from_bytes(name)))
}

/// Whether a file's first bytes are no encrypted file's. An empty one holds nothing.
fn is_plain(start: &[u8]) -> bool {
    let text = start.trim_ascii_start();
    !text.is_empty()
        && !text.starts_with(b"age-encryption.org/v1\n")
        && !text.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----")
}
