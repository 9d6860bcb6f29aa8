//! The regular expression that npm's and Ruby's dotenv find assignments with, matched by hand.
//!
//! # Why
//!
//! `^\s*(?:export\s+)?(KEY)(?:\s*=\s*?|:\s+?)(\s*'(?:\\'|[^'])*'|…|[^#\n]+)?\s*(?:#.*)?$` backtracks: a backslash before
//! a quote escapes it unless that leaves the line without an end, and a quoted value that doesn't end its line is
//! taken as an unquoted one. Both decide what a file means, so both are here, in linear time.

use super::scan::{at, cut, first, leading, rest, seek, trim_end};

/// Where the two differ.
pub(super) struct Grammar {
    /// What `[\w.-]` holds besides letters, digits and `_`.
    pub(super) key: &'static [u8],
    /// What opens and closes a quoted value.
    pub(super) quotes: &'static [u8],
    /// `\s`.
    pub(super) space: fn(char) -> bool,
    /// What `^` and `$` see as the end of a line.
    pub(super) line_end: fn(char) -> bool,
    /// Whether a name without a value is an assignment of nothing.
    pub(super) alone: bool,
}

/// An assignment as it is written.
pub(super) struct Match<'a> {
    /// The name.
    pub(super) key: &'a [u8],
    /// The value, trimmed, with its quotes; `None` when nothing is written, not even a blank.
    pub(super) value: Option<&'a [u8]>,
    /// Whether `export` precedes it.
    pub(super) exported: bool,
    /// Where the name starts.
    pub(super) start: usize,
    /// Where the next line starts.
    next: usize,
}

impl Grammar {
    /// The assignments of a text whose lines end in LF. What is no assignment is passed over, as by the consumers.
    pub(super) fn matches<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = Match<'a>> {
        let mut place = 0;
        std::iter::from_fn(move || {
            while place < text.len() {
                let start = self.skip(text, place);
                let found = self.exported(text, start).or_else(|| self.key(text, start));
                match found {
                    Some(found) => {
                        place = found.next;
                        return Some(found);
                    }
                    None => place = self.next_line(text, start),
                }
            }
            None
        })
    }

    fn skip(&self, text: &[u8], start: usize) -> usize {
        match at(text, start) {
            Some(byte) if byte > b' ' && byte.is_ascii() => start,
            _ => start + leading(rest(text, start), self.space),
        }
    }

    /// Where the line that a place is in ends.
    fn line_end(&self, text: &[u8], mut place: usize) -> usize {
        loop {
            place = seek(text, place, |byte| byte == b'\n' || !byte.is_ascii());
            match first(rest(text, place)) {
                Some((found, width)) if !(self.line_end)(found) => place += width,
                _ => return place,
            }
        }
    }

    fn next_line(&self, text: &[u8], place: usize) -> usize {
        let end = self.line_end(text, place);
        end + first(rest(text, end)).map_or(1, |(_, width)| width)
    }

    fn exported<'a>(&self, text: &'a [u8], start: usize) -> Option<Match<'a>> {
        if !rest(text, start).starts_with(b"export") {
            return None;
        }
        let after = self.skip(text, start + 6);
        if after == start + 6 {
            return None;
        }
        self.key(text, after).map(|found| Match {
            exported: true,
            ..found
        })
    }

    fn key<'a>(&self, text: &'a [u8], start: usize) -> Option<Match<'a>> {
        let end = seek(text, start, |byte| {
            !(byte.is_ascii_alphanumeric() || byte == b'_' || self.key.contains(&byte))
        });
        if end == start {
            return None;
        }
        let equals = self.skip(text, end);
        let value = if at(text, equals) == Some(b'=') {
            Some(equals + 1)
        } else if at(text, end) == Some(b':') {
            first(rest(text, end + 1))
                .filter(|&(found, _)| (self.space)(found))
                .map(|(_, width)| end + 1 + width)
        } else {
            None
        };
        let (value, last) = match value {
            Some(value) => self.value(text, value),
            None if self.alone => (None, self.tail(text, end)?),
            None => return None,
        };
        Some(Match {
            key: cut(text, start, end),
            value,
            exported: false,
            start,
            next: self.next_line(text, last),
        })
    }

    /// The value after a separator, and where its line ends.
    fn value<'a>(&self, text: &'a [u8], start: usize) -> (Option<&'a [u8]>, usize) {
        let open = self.skip(text, start);
        if let Some(quote) = at(text, open).filter(|byte| self.quotes.contains(byte))
            && let Some((close, end)) = self.close(text, open, quote)
        {
            return (Some(cut(text, open, close + 1)), end);
        }
        let end = seek(text, start, |byte| byte == b'\n' || byte == b'#');
        let value = cut(text, start, end);
        let value = rest(value, self.skip(value, 0));
        let last = match at(text, end) {
            Some(b'#') => self.line_end(text, end),
            _ => end,
        };
        let written = end > start;
        (written.then(|| trim_end(value, self.space)), last)
    }

    /// The quote that closes the one at a place, and where its line ends: the first that no backslash precedes, or
    /// else, if that doesn't end a line, the last before it that does.
    fn close(&self, text: &[u8], open: usize, quote: u8) -> Option<(usize, usize)> {
        let mut close = open + 1;
        loop {
            close = seek(text, close, |byte| byte == quote);
            if close == text.len() {
                break;
            }
            if at(text, close - 1) != Some(b'\\') || close == open + 1 {
                if let Some(end) = self.tail(text, close + 1) {
                    return Some((close, end));
                }
                break;
            }
            close += 1;
        }
        while let Some(before) = cut(text, open + 1, close)
            .iter()
            .rposition(|&byte| byte == quote)
        {
            close = open + 1 + before;
            if let Some(end) = self.tail(text, close + 1) {
                return Some((close, end));
            }
        }
        None
    }

    /// `\s*(?:#.*)?$`: where the line ends, if nothing but white space and a comment is left of it.
    fn tail(&self, text: &[u8], start: usize) -> Option<usize> {
        let end = self.skip(text, start);
        match at(text, end) {
            None => Some(end),
            Some(b'#') => Some(self.line_end(text, end)),
            Some(_) => {
                let mut last = None;
                let mut place = start;
                while place < end {
                    let (found, width) = first(rest(text, place))?;
                    if (self.line_end)(found) {
                        last = Some(place);
                    }
                    place += width;
                }
                last
            }
        }
    }
}
