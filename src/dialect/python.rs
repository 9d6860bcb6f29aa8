//! PyPI's python-dotenv (parser.py, variables.py), from the 0.21 that Compose v1 is built with to 1.2.
//!
//! # Why
//!
//! Its `${…}` works in every quote and has no escape, so a `${` is written as the default of a name that is empty,
//! `${:-$}{`. The same way holds a final backslash, `${:-\}`: up to 1.1 a quote after an escaped backslash counts as
//! escaped, and the value would run on into the next one.

use super::scan::{at, contains, cut, find, leading, line, name, rest, seek, trim_end};
use super::{Entries, Unreadable};
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
    space(found) && found != '\r' && found != '\n'
}

/// Reads a file, `text` being UTF-8. A line that python-dotenv skips with a warning is an error; a name alone is
/// nothing.
pub(super) fn read(text: &[u8]) -> Result<Entries<'_>, Unreadable> {
    let text = super::scan::without_bom(text);
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
        let (key, value, end) = binding(text, place).map_err(fail)?;
        if let (Some(key), Some(value)) = (key, value) {
            let value = resolve(value, &entries);
            entries.push((name(key), value));
        }
        place = end;
    }
}

type Binding<'a> = (Option<&'a [u8]>, Option<Cow<'a, [u8]>>, usize);

/// One binding from its first character on: its name, its value, and where its line ends.
fn binding(text: &[u8], mut place: usize) -> Result<Binding<'_>, &'static str> {
    if rest(text, place).starts_with(b"export") {
        let blank = leading(rest(text, place + 6), inline_space);
        if blank > 0 {
            place += 6 + blank;
        }
    }
    let key = match at(text, place) {
        Some(b'#') => None,
        Some(b'\'') => {
            let end = seek(text, place + 1, |byte| byte == b'\'');
            if end == text.len() || end == place + 1 {
                return Err(INVALID);
            }
            let key = cut(text, place + 1, end);
            place = end + 1;
            Some(key)
        }
        _ => {
            let width = leading(rest(text, place), |found| {
                !(matches!(found, '=' | '#') || space(found))
            });
            if width == 0 {
                return Err(INVALID);
            }
            let key = cut(text, place, place + width);
            place += width;
            Some(key)
        }
    };
    place += leading(rest(text, place), inline_space);
    let mut value = None;
    if at(text, place) == Some(b'=') {
        let blank = leading(rest(text, place + 1), inline_space);
        place += 1 + blank;
        if blank > 0 && at(text, place) == Some(b'#') {
            // Up to 1.1 the comment's text is the value.
            return Err(
                "a comment in place of a value, which python-dotenv before 1.2 takes for one",
            );
        }
        let (found, end) = raw(text, place)?;
        value = Some(found);
        place = end;
    }
    place += leading(rest(text, place), inline_space);
    if at(text, place) == Some(b'#') {
        place = seek(text, place, |byte| byte == b'\n' || byte == b'\r');
    }
    match (at(text, place), at(text, place + 1)) {
        (None, _) => {}
        (Some(b'\r'), Some(b'\n')) => place += 2,
        (Some(b'\r' | b'\n'), _) => place += 1,
        _ => return Err("something after a value's closing quote"),
    }
    Ok((key, value, place))
}

/// The value at a place without its quotes and escapes, and the place after it.
fn raw(text: &[u8], place: usize) -> Result<(Cow<'_, [u8]>, usize), &'static str> {
    let Some(quote @ (b'\'' | b'"')) = at(text, place) else {
        let end = seek(text, place, |byte| byte == b'\n' || byte == b'\r');
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
        match variable(&value, place) {
            Some((asked, default, end)) => {
                match known
                    .iter()
                    .rev()
                    .find(|(name, _)| name.as_bytes() == asked)
                {
                    Some((_, value)) => out.extend_from_slice(value),
                    None => out.extend_from_slice(default),
                }
                place = end;
            }
            None => {
                out.push(byte);
                place += 1;
            }
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
