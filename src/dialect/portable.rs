//! What several consumers read alike: two proven forms for everybody, or the first text that each of a list reads back.
//!
//! # Why
//!
//! For everybody the forms are fixed and few, so that a portable file stays portable when a consumer is added: bare,
//! single quotes around what needs no escape anywhere, double quotes around what holds a single quote. For a list the
//! readers themselves are asked, since no rule that is shorter than they are would be the widest. A line feed is not
//! for everybody: direnv up to 2.37.1 takes the second line of a value for an assignment of its own.

use super::scan::{at, cut, line, name, seek};
use super::{Consumers, Dialect, Entries, Unreadable, Unwritable, bare};
use std::borrow::Cow;

/// The consumers that know quotes, which portable is proven for.
pub(super) const QUOTING: [Dialect; 11] = [
    Dialect::Compose,
    Dialect::Systemd,
    Dialect::Shell,
    Dialect::Node,
    Dialect::DotenvExpand,
    Dialect::Vite,
    Dialect::NodeEnvFile,
    Dialect::Python,
    Dialect::Ruby,
    Dialect::Rust,
    Dialect::Direnv,
];

const LIST: &str = "name the file's consumers (`for: [compose, systemd]`) or its one dialect";

/// What somebody reads as an end of line, a separator or the start of something else, whatever quotes are around it;
/// `None` when it isn't even UTF-8.
fn foreign(value: &[u8]) -> Option<bool> {
    let text = std::str::from_utf8(value).ok()?;
    Some(text.chars().any(|found| {
        matches!(
            found,
            '\0' | '\r' | '\\' | '$' | '\u{b}' | '\u{c}' | '\u{1c}'
                ..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    }))
}

/// Whether everybody reads these bytes in this quote, which they don't hold.
fn quotable(quote: u8, value: &[u8]) -> bool {
    let breaks = |byte: &u8| matches!(byte, b'\n') || (quote != b'\'' && *byte == b'`');
    !value.iter().any(breaks) && !value.contains(&quote) && foreign(value) == Some(false)
}

/// Appends the form that everybody reads.
pub(super) fn write(value: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
    let Some(&quote) = b"'\"".iter().find(|quote| quotable(**quote, value)) else {
        let why = match foreign(value) {
            None => return Err(super::NOT_UTF8),
            Some(true) => {
                "a `$`, a backslash or a control character, which its readers take differently"
            }
            Some(false) if value.contains(&b'\'') => {
                "a single quote together with another quote or a line feed, which its readers take differently"
            }
            Some(false) => "a line feed, which its readers take differently",
        };
        return Err(Unwritable { why, instead: LIST });
    };
    out.push(quote);
    out.extend_from_slice(value);
    out.push(quote);
    Ok(())
}

/// Reads the forms that [`write()`] writes, comments and blank lines, and nothing else.
pub(super) fn read(text: &[u8]) -> Result<Entries<'_>, Unreadable> {
    let mut entries = Entries::new();
    let mut place = 0;
    while place < text.len() {
        let fail = |why| Unreadable {
            line: line(text, place),
            why,
        };
        if matches!(at(text, place), Some(b'#' | b'\n')) {
            let end = seek(text, place, |byte| byte == b'\n');
            if cut(text, place, end).ends_with(b"\\") {
                return Err(fail(
                    "a comment that ends in a backslash, which some consumers continue on the next line",
                ));
            }
            place = end + 1;
            continue;
        }
        let equals = seek(text, place, |byte| {
            byte != b'_' && !byte.is_ascii_alphanumeric()
        });
        let key = cut(text, place, equals);
        if key.first().is_none_or(u8::is_ascii_digit) || at(text, equals) != Some(b'=') {
            return Err(fail("a line that isn't NAME=value, a comment or blank"));
        }
        let start = equals + 1;
        let (value, end) = if let Some(mark @ (b'\'' | b'"')) = at(text, start) {
            let close = seek(text, start + 1, |byte| byte == mark);
            let value = cut(text, start + 1, close);
            if close == text.len() || !quotable(mark, value) {
                return Err(fail("a quoted value that not every consumer reads alike"));
            }
            (value, close + 1)
        } else {
            let end = seek(text, start, |byte| byte == b'\n');
            let value = cut(text, start, end);
            if !bare(value) {
                return Err(fail(
                    "a value without quotes that not every consumer reads alike",
                ));
            }
            (value, end)
        };
        if at(text, end).is_some_and(|byte| byte != b'\n') {
            return Err(fail("something after a value's closing quote"));
        }
        entries.push((name(key), Cow::Borrowed(value)));
        place = end + 1;
    }
    Ok(entries)
}

/// Appends the form for everybody if all of a list know it, or else the first text that each of them reads back: the
/// value as it stands, in each quote, or as one of them writes it.
pub(super) fn write_for(
    consumers: Consumers,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Unwritable> {
    if consumers.iter().all(|consumer| QUOTING.contains(&consumer)) && write(value, out).is_ok() {
        return Ok(());
    }
    let quoted = |quote: &[u8]| [quote, value, quote].concat();
    let plain = [quoted(b"'"), quoted(b"\""), quoted(b"`"), value.to_vec()];
    let own = consumers.iter().filter_map(|consumer| {
        let mut text = Vec::new();
        consumer.write(value, &mut text).ok().map(|()| text)
    });
    let text = plain
        .into_iter()
        .chain(own)
        .find(|text| Dialect::Portable(consumers).holds(text, value));
    match text {
        Some(text) => {
            out.extend_from_slice(&text);
            Ok(())
        }
        None => Err(Unwritable {
            why: "bytes that no one text gives to each of its consumers",
            instead: "give each consumer a file of its own, or base64-encode it",
        }),
    }
}

/// Reads with each of a list, which must agree.
pub(super) fn read_for(consumers: Consumers, text: &[u8]) -> Result<Entries<'_>, Unreadable> {
    let mut agreed: Option<Entries<'_>> = None;
    for consumer in consumers.iter() {
        let entries = consumer.read(text)?;
        match &agreed {
            Some(others) if *others != entries => {
                let differs = others
                    .iter()
                    .zip(&entries)
                    .position(|(one, other)| one != other)
                    .and_then(|place| others.get(place))
                    .and_then(|(name, _)| super::scan::find(text, name.as_bytes()));
                return Err(Unreadable {
                    line: differs.map_or(1, |place| line(text, place)),
                    why: "an assignment that the file's consumers read differently",
                });
            }
            Some(_) => {}
            None => agreed = Some(entries),
        }
    }
    Ok(agreed.unwrap_or_default())
}
