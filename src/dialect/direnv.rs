//! direnv's `dotenv` (direnv pkg/dotenv/parse.go), both as it is up to 2.37.1, line by line, and on its branch since.
//!
//! # Why
//!
//! After 2.37.1 a quoted value may span lines and `\$` is a dollar sign; before, the one is an error or a value with
//! a quote in it, and the other keeps its backslash. What we write is one line and reads the same in both: a line feed is `\n` in
//! double quotes, and what double quotes would change is the default of a name that nobody sets, `${:-$}`.
//! Reading refuses what the versions disagree about.

use super::scan::{at, cut, find, leading, name, rest, seek};
use super::{Entries, Unreadable, last};
use std::borrow::Cow;

/// Appends the value: in single quotes, which hold anything but an end of line, or else in double quotes.
pub(super) fn write(value: &[u8], out: &mut Vec<u8>) {
    if !value.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        out.push(b'\'');
        out.extend_from_slice(value);
        out.push(b'\'');
        return;
    }
    out.push(b'"');
    super::scan::push_escaped(out, value, |byte| match byte {
        b'\n' => Some(b"\\n"),
        b'\r' => Some(b"\\r"),
        b'\\' => Some(b"${:-\\\\}"),
        b'$' => Some(b"${:-$}"),
        b'"' => Some(b"\\\""),
        _ => None,
    });
    out.push(b'"');
}

const INVALID: &str = "a line that direnv refuses";

/// Reads a file as every version does.
pub(super) fn read(text: &[u8]) -> Result<Entries<'_>, Unreadable> {
    let mut entries = Entries::new();
    let mut start = 0;
    let mut number = 1;
    while start < text.len() {
        let end = seek(text, start, |byte| byte == b'\n' || byte == b'\r');
        let fail = |why| Unreadable { line: number, why };
        if let Some((key, value)) = assignment(cut(text, start, end)).map_err(fail)? {
            let value = decode(value, &entries).map_err(fail)?;
            entries.push((name(key), value));
        }
        number += usize::from(at(text, end) == Some(b'\n'));
        start = end + 1;
    }
    Ok(entries)
}

fn space(found: u8) -> bool {
    matches!(found, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ')
}

fn skip(line: &[u8], start: usize) -> usize {
    seek(line, start, |byte| !space(byte))
}

fn word(line: &[u8], start: usize) -> usize {
    seek(line, start, |byte| {
        !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
    })
}

/// Whether nothing but white space and a comment follows a place.
fn ends(line: &[u8], place: usize) -> bool {
    at(line, skip(line, place)).is_none_or(|byte| byte == b'#')
}

type Assignment<'a> = Option<(&'a [u8], &'a [u8])>;

/// The name and the value, quotes and all, of a line; neither in a comment or a blank line.
fn assignment(line: &[u8]) -> Result<Assignment<'_>, &'static str> {
    let separator = seek(line, 0, |byte| byte == b'=' || byte == b':');
    if separator > 0 {
        let after = seek(line, separator + 1, |byte| byte != b' ' && byte != b'\t');
        if let Some(quote @ (b'\'' | b'"')) = at(line, after)
            && !rest(line, after + 1).contains(&quote)
        {
            return Err("a quote that is not closed on its line");
        }
    }
    let mut start = skip(line, 0);
    if at(line, start).is_none_or(|byte| byte == b'#') {
        return Ok(None);
    }
    if rest(line, start).starts_with(b"export") {
        let after = skip(line, start + 6);
        if after > start + 6 && word(line, after) > after {
            start = after;
        }
    }
    let end = word(line, start);
    let equals = skip(line, end);
    let place = match at(line, equals) {
        Some(b'=') => skip(line, equals + 1),
        _ if at(line, end) == Some(b':') && at(line, end + 1).is_some_and(space) => {
            skip(line, end + 1)
        }
        _ => return Err(INVALID),
    };
    if end == start {
        return Err(INVALID);
    }
    let key = cut(line, start, end);
    if let Some(quote @ (b'\'' | b'"')) = at(line, place) {
        let mut close = line.len();
        while let Some(found) = cut(line, place + 1, close)
            .iter()
            .rposition(|&byte| byte == quote)
        {
            close = place + 1 + found;
            if ends(line, close + 1) {
                return Ok(Some((key, cut(line, place, close + 1))));
            }
        }
    }
    let end = seek(line, place, |byte| space(byte) || byte == b'#');
    if ends(line, end) {
        Ok(Some((key, cut(line, place, end))))
    } else {
        Err(INVALID)
    }
}

fn decode<'a>(value: &'a [u8], known: &Entries<'a>) -> Result<Cow<'a, [u8]>, &'static str> {
    match value {
        [] | [_] => Ok(Cow::Borrowed(value)),
        [b'\'', inner @ .., b'\''] => Ok(Cow::Borrowed(inner)),
        [b'"', inner @ .., b'"'] if inner.contains(&b'\\') => {
            expand(&Cow::Owned(unescape(inner)), known)
        }
        [b'"', inner @ .., b'"'] => expand(&Cow::Borrowed(inner), known),
        bare => expand(&Cow::Borrowed(bare), known),
    }
}

/// The escapes of double quotes: first every `\n` and `\r`, wherever its backslash comes from, then `\x` for any other
/// `x` than a dollar sign.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(text.len());
    let mut place = 0;
    while let Some(byte) = at(text, place) {
        let (decoded, width) = match (byte, at(text, place + 1)) {
            (b'\\', Some(b'n')) => (b'\n', 2),
            (b'\\', Some(b'r')) => (b'\r', 2),
            _ => (byte, 1),
        };
        lines.push(decoded);
        place += width;
    }
    let mut out = Vec::with_capacity(lines.len());
    place = 0;
    while let Some(byte) = at(&lines, place) {
        if byte == b'\\'
            && let Some(next) = at(&lines, place + 1)
            && next != b'$'
        {
            out.push(next);
            place += 2;
        } else {
            out.push(byte);
            place += 1;
        }
    }
    out
}

/// Go's `os.Expand` with direnv's `${NAME:-default}`.
fn expand<'a>(text: &Cow<'a, [u8]>, known: &Entries<'a>) -> Result<Cow<'a, [u8]>, &'static str> {
    if !text.contains(&b'$') {
        return Ok(text.clone());
    }
    if find(text, b"\\$").is_some() {
        return Err("a backslash before a dollar sign, which direnv up to 2.37.1 keeps");
    }
    let mut out = Vec::with_capacity(text.len());
    let mut place = 0;
    while let Some(byte) = at(text, place) {
        place += 1;
        if byte != b'$' || place == text.len() {
            out.push(byte);
            continue;
        }
        let (asked, width) = asked(rest(text, place));
        place += width;
        if asked.is_empty() {
            if width == 0 {
                out.push(b'$');
            }
            continue;
        }
        let split = find(asked, b":-");
        let wanted = cut(asked, 0, split.unwrap_or(asked.len()));
        match last(known, wanted) {
            Some(value) => out.extend_from_slice(value),
            None => {
                if let Some(split) = split {
                    out.extend_from_slice(rest(asked, split + 2));
                }
            }
        }
    }
    Ok(Cow::Owned(out))
}

/// What stands after a `$`: the name asked for, and how much of the text it takes.
fn asked(text: &[u8]) -> (&[u8], usize) {
    let special = |byte: u8| {
        byte.is_ascii_digit() || matches!(byte, b'*' | b'#' | b'$' | b'@' | b'!' | b'?' | b'-')
    };
    match text {
        [b'{', one, b'}', ..] if special(*one) => (cut(text, 1, 2), 3),
        [b'{', ..] => match seek(text, 1, |byte| byte == b'}') {
            1 => (b"", 2),
            end if end == text.len() => (b"", 1),
            end => (cut(text, 1, end), end + 1),
        },
        [one, ..] if special(*one) => (cut(text, 0, 1), 1),
        _ => {
            let width = leading(text, |found| found == '_' || found.is_ascii_alphanumeric());
            (cut(text, 0, width), width)
        }
    }
}
