//! Ruby's dotenv 3 (lib/dotenv/parser.rb and substitutions/), and what its 2.4 reads the same.
//!
//! # Why
//!
//! Single quotes come first: 2.4, which Debian has, expands `\n` in double quotes and 3 doesn't. Only what single
//! quotes can't hold, a `'` beside a `#` or a line feed, is written in double quotes, and a value of several lines is
//! for 3 alone, since 2.4 reads line by line. Reading follows 3.

use super::quoted_line::Grammar;
use super::scan::{at, cut, line, line_feeds, name, rest, seek, without_bom};
use super::{Dialect, Entries, Unreadable, Unwritable, last};
use std::borrow::Cow;

/// Appends the first text that the reader gives back as the value.
pub(super) fn write(value: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
    if value.contains(&b'\r') {
        return Err(Unwritable {
            why: "a carriage return, which Ruby's dotenv takes for an end of line",
            instead: "base64-encode it, or use the compose, systemd or python dialect",
        });
    }
    if !value.contains(&b'\'') && !value.ends_with(b"\\") {
        out.push(b'\'');
        out.extend_from_slice(value);
        out.push(b'\'');
        return Ok(());
    }
    let single = [b"'", value, b"'"].concat();
    let escaped = escaped(value);
    let double = [b"\"", &*escaped, b"\""].concat();
    let texts = [
        single.clone(),
        // A comment with a quote in it ends what the value's last backslash would leave open.
        [&*single, b"#'x"].concat(),
        double.clone(),
        [&*double, b"#\"x"].concat(),
        escaped,
    ];
    let Some(text) = texts.iter().find(|text| Dialect::Ruby.holds(text, value)) else {
        return Err(Unwritable {
            why: "a command substitution beside a single quote, which Ruby's dotenv would run",
            instead: "base64-encode it, or use the compose, systemd or python dialect",
        });
    };
    out.extend_from_slice(text);
    Ok(())
}

/// The value as it stands in double quotes: a backslash before a quote, a backslash and a dollar sign, but for the one
/// of a `$(` that is no command or is inside one.
fn escaped(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 8);
    let mut inside = 0;
    for (place, &byte) in value.iter().enumerate() {
        let escape = match byte {
            b'$' if at(value, place + 1) == Some(b'(') => match command(value, place + 1) {
                Some(end) if place >= inside => {
                    inside = end;
                    true
                }
                _ => false,
            },
            b'"' | b'\\' | b'$' => true,
            _ => false,
        };
        if escape {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}

/// Where the command ends whose parenthesis is at a place: balanced, and nowhere empty.
fn command(text: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (place, &byte) in text.iter().enumerate().skip(open) {
        match byte {
            b'(' => depth += 1,
            b')' if at(text, place.checked_sub(1)?) == Some(b'(') => return None,
            b')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(place + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Ruby's `\s`.
fn space(found: char) -> bool {
    matches!(found, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

const DOTENV: Grammar = Grammar {
    key: b".",
    quotes: b"'\"",
    space,
    line_end: |found| found == '\n',
    alone: true,
};

/// Reads a file.
pub(super) fn read(text: &[u8]) -> Result<Entries<'_>, Unreadable> {
    let text = match line_feeds(without_bom(text)) {
        Cow::Borrowed(text) => text,
        Cow::Owned(text) => return read(&text).map(super::owned),
    };
    let mut entries = Entries::new();
    for found in DOTENV.matches(text) {
        let fail = |why| Unreadable {
            line: line(text, found.start),
            why,
        };
        let key = name(found.key);
        if key == "DOTENV_LINEBREAK_MODE" {
            return Err(fail(
                "a name that changes how Ruby's dotenv reads what follows",
            ));
        }
        let Some(value) = found.value else {
            if found.exported {
                if !entries.iter().any(|(name, _)| *name == key) {
                    return Err(fail("an export of a name that isn't set"));
                }
            } else {
                entries.push((key, Cow::Borrowed(b"")));
            }
            continue;
        };
        let value = decode(value, &entries).map_err(fail)?;
        entries.push((key, value));
    }
    Ok(entries)
}

fn decode<'a>(value: &'a [u8], known: &Entries<'a>) -> Result<Cow<'a, [u8]>, &'static str> {
    let (inner, double) = match value {
        [b'\'', inner @ .., b'\''] => return Ok(Cow::Borrowed(inner)),
        [b'"', inner @ .., b'"'] => (inner, true),
        bare => (bare, false),
    };
    let mut text = Cow::Borrowed(inner);
    if inner.contains(&b'\\') {
        text = Cow::Owned(unescaped(inner, double));
    }
    if text.contains(&b'$') {
        text = Cow::Owned(without_commands(&variables(&text, known))?);
    }
    Ok(text)
}

/// `\x` as `x`, but for `\$`; in double quotes `\n` and `\r` first get a backslash more, and so keep one.
fn unescaped(text: &[u8], double: bool) -> Vec<u8> {
    let mut twice = Vec::new();
    let mut source = text;
    if double {
        for (place, &byte) in text.iter().enumerate() {
            twice.push(byte);
            if byte == b'\\' && matches!(at(text, place + 1), Some(b'n' | b'r')) {
                twice.push(byte);
            }
        }
        source = &twice;
    }
    let mut out = Vec::with_capacity(source.len());
    let mut place = 0;
    while let Some(byte) = at(source, place) {
        match at(source, place + 1) {
            Some(next) if byte == b'\\' && next != b'$' => {
                out.push(next);
                place += 2;
            }
            _ => {
                out.push(byte);
                place += 1;
            }
        }
    }
    out
}

/// `$NAME` and `${NAME}`; a backslash before one goes, and keeps it.
fn variables(text: &[u8], known: &Entries<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut place = 0;
    while let Some(byte) = at(text, place) {
        let escaped = byte == b'\\' && at(text, place + 1) == Some(b'$');
        let dollar = place + usize::from(escaped);
        if at(text, dollar) != Some(b'$') || at(text, dollar + 1) == Some(b'(') {
            out.push(byte);
            place += 1;
            continue;
        }
        let start = dollar + 1 + usize::from(at(text, dollar + 1) == Some(b'{'));
        let end = seek(text, start, |byte| {
            byte != b'_' && !byte.is_ascii_alphanumeric()
        });
        let after = end + usize::from(at(text, end) == Some(b'}'));
        let asked = cut(text, start, end);
        if escaped || asked.is_empty() {
            out.extend_from_slice(cut(text, dollar, after));
        } else if let Some(value) = last(known, asked) {
            out.extend_from_slice(value);
        }
        place = after;
    }
    out
}

/// `\$(…)` without its backslash; a command without one is an error.
fn without_commands(text: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut out = Vec::with_capacity(text.len());
    let mut place = 0;
    while let Some(byte) = at(text, place) {
        let escaped = byte == b'\\' && rest(text, place + 1).starts_with(b"$(");
        if escaped || rest(text, place).starts_with(b"$(") {
            let dollar = place + usize::from(escaped);
            if let Some(end) = command(text, dollar + 1) {
                if !escaped {
                    return Err("a command, which Ruby's dotenv would run");
                }
                out.extend_from_slice(cut(text, dollar, end));
                place = end;
                continue;
            }
        }
        out.push(byte);
        place += 1;
    }
    Ok(out)
}
