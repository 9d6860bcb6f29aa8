//! python-dotenv (`parser.py`, `variables.py`), from the 0.21 that Compose v1 is built with to 1.2.
//!
//! # Why
//!
//! Its `${…}` works in every quote and has no escape, so a `${` is written as the default of a name that is empty,
//! `${:-$}{`. The same way holds a final backslash, `${:-\}`: up to 1.1 a quote after an escaped backslash counts as
//! escaped, and the value would run on into the next one.

use super::scan::{
    at, contains, cut, find, leading, line, line_feeds, name, rest, seek, trim_end, without_bom,
};
use super::{Entries, Unreadable, last};
use std::borrow::Cow;

/// Appends the value in single quotes, or in double quotes when it holds a carriage return.
pub(super) fn write(value: &[u8], out: &mut Vec<u8>) {
    let quote = if value.contains(&b'\r') { b'"' } else { b'\'' };
    out.push(quote);
    let mut place = 0;
    while let Some(byte) = at(value, place) {
        place += 1;
        match byte {
            b'$' if at(value, place) == Some(b'{') => out.extend_from_slice(b"${:-$}"),
            b'\\' if place == value.len() => out.extend_from_slice(b"${:-\\\\}"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' if quote == b'"' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            byte if byte == quote => out.extend_from_slice(&[b'\\', quote]),
            byte => out.push(byte),
        }
    }
    out.push(quote);
}

const INVALID: &str = "a line that python-dotenv skips";

/// Python's `str.isspace` and `\s`: Unicode white space and the four separators of ASCII.
fn space(found: char) -> bool {
    found.is_whitespace() || matches!(found, '\u{1c}'..='\u{1f}')
}

fn inline_space(found: char) -> bool {
    space(found) && found != '\n'
}

/// Reads a file, `text` being UTF-8. A line that python-dotenv skips with a warning, and a name alone, which takes an
/// earlier value away, are errors.
pub(super) fn read(text: &[u8]) -> Result<Entries<'_>, Unreadable> {
    let text = match line_feeds(without_bom(text)) {
        Cow::Borrowed(text) => text,
        Cow::Owned(text) => return read(&text).map(super::owned),
    };
    let mut entries = Entries::new();
    let mut place = 0;
    loop {
        place += leading(rest(text, place), space);
        if place >= text.len() {
            return Ok(entries);
        }
        let fail = |why| Unreadable {
            line: line(text, place),
            why,
        };
        let (binding, end) = binding(text, place).map_err(fail)?;
        if let Some((key, value)) = binding {
            let value = resolve(value, &entries);
            entries.push((name(key), value));
        }
        place = end;
    }
}

type Binding<'a> = (&'a [u8], Cow<'a, [u8]>);

/// One line from its first character on: its name and value unless it is a comment, and where it ends.
fn binding(text: &[u8], mut place: usize) -> Result<(Option<Binding<'_>>, usize), &'static str> {
    let line_end = |place| seek(text, place, |byte| byte == b'\n');
    if rest(text, place).starts_with(b"export") {
        let blank = leading(rest(text, place + 6), inline_space);
        if blank > 0 {
            place += 6 + blank;
        }
    }
    let key = match at(text, place) {
        Some(b'#') => return Ok((None, line_end(place))),
        Some(b'\'') => {
            let end = seek(text, place + 1, |byte| byte == b'\'');
            if end == text.len() || end == place + 1 {
                return Err(INVALID);
            }
            let key = cut(text, place + 1, end);
            place = end + 1;
            key
        }
        _ => {
            let width = leading(rest(text, place), |found| {
                !(matches!(found, '=' | '#') || space(found))
            });
            let key = cut(text, place, place + width);
            place += width;
            key
        }
    };
    place += leading(rest(text, place), inline_space);
    if key.is_empty() || at(text, place) != Some(b'=') {
        return Err(INVALID);
    }
    let blank = leading(rest(text, place + 1), inline_space);
    place += 1 + blank;
    if blank > 0 && at(text, place) == Some(b'#') {
        // Up to 1.1 the comment's text is the value.
        return Err("a comment in place of a value, which python-dotenv before 1.2 takes for one");
    }
    let (value, mut place) = raw(text, place)?;
    place += leading(rest(text, place), inline_space);
    if at(text, place) == Some(b'#') {
        place = line_end(place);
    }
    match at(text, place) {
        None | Some(b'\n') => Ok((Some((key, value)), place)),
        Some(_) => Err("something after a value's closing quote"),
    }
}

/// The value at a place without its quotes and escapes, and the place after it.
fn raw(text: &[u8], place: usize) -> Result<(Cow<'_, [u8]>, usize), &'static str> {
    let Some(quote @ (b'\'' | b'"')) = at(text, place) else {
        let end = seek(text, place, |byte| byte == b'\n');
        let value = cut(text, place, end);
        return Ok((Cow::Borrowed(trim_end(without_comment(value), space)), end));
    };
    let start = place + 1;
    let mut end = start;
    loop {
        end = seek(text, end, |byte| byte == quote || byte == b'\\');
        match at(text, end) {
            None => return Err("a quote that is not closed"),
            Some(b'\\') => end += 2,
            Some(_) => break,
        }
    }
    let inside = cut(text, start, end);
    if inside.ends_with(b"\\") {
        return Err(
            "a backslash before a closing quote, which python-dotenv before 1.2 takes for its escape",
        );
    }
    let value = if contains(inside, b"\\") {
        Cow::Owned(unescaped(inside, quote))
    } else {
        Cow::Borrowed(inside)
    };
    Ok((value, end + 1))
}

/// A bare value up to the first `#` that white space precedes.
fn without_comment(value: &[u8]) -> &[u8] {
    let mut from = 0;
    while let Some(found) = rest(value, from).iter().position(|&byte| byte == b'#') {
        let before = cut(value, 0, from + found);
        let kept = trim_end(before, space);
        if kept.len() < before.len() {
            return kept;
        }
        from += found + 1;
    }
    value
}

fn unescaped(text: &[u8], quote: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut place = 0;
    while let Some(byte) = at(text, place) {
        place += 1;
        let decoded = match at(text, place).filter(|_| byte == b'\\') {
            Some(same @ (b'\\' | b'\'')) => same,
            Some(escape) if quote == b'"' => match escape {
                b'"' => b'"',
                b'a' => b'\x07',
                b'b' => b'\x08',
                b'f' => b'\x0c',
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'v' => b'\x0b',
                _ => {
                    out.push(byte);
                    continue;
                }
            },
            _ => {
                out.push(byte);
                continue;
            }
        };
        out.push(decoded);
        place += 1;
    }
    out
}

/// `${name}` and `${name:-default}`, in what the quotes left over.
fn resolve<'a>(value: Cow<'a, [u8]>, known: &Entries<'a>) -> Cow<'a, [u8]> {
    if find(&value, b"${").is_none() {
        return value;
    }
    let mut out = Vec::with_capacity(value.len());
    let mut place = 0;
    while let Some(byte) = at(&value, place) {
        if let Some((asked, default, end)) = variable(&value, place) {
            out.extend_from_slice(last(known, asked).unwrap_or(default));
            place = end;
        } else {
            out.push(byte);
            place += 1;
        }
    }
    Cow::Owned(out)
}

/// The variable that starts at a place: its name, its default, and where it ends.
fn variable(text: &[u8], start: usize) -> Option<(&[u8], &[u8], usize)> {
    if !rest(text, start).starts_with(b"${") {
        return None;
    }
    let end = seek(text, start + 2, |byte| byte == b'}' || byte == b':');
    let asked = cut(text, start + 2, end);
    if at(text, end)? == b'}' {
        return Some((asked, b"", end + 1));
    }
    if !rest(text, end).starts_with(b":-") {
        return None;
    }
    let close = seek(text, end + 2, |byte| byte == b'}');
    at(text, close)?;
    Some((asked, cut(text, end + 2, close), close + 1))
}
