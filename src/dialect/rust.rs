//! Rust's dotenvy 0.15: first its lines, which quotes and backslashes join (iter.rs), then each line (parse.rs).

use super::scan::{at, line, seek};
use super::{Entries, Unreadable, last};
use std::borrow::Cow;

/// Appends the value in double quotes, where dotenvy knows these escapes and takes everything else as it stands.
pub(super) fn write(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    super::scan::push_escaped(out, value, |byte| match byte {
        b'"' => Some(b"\\\""),
        b'\\' => Some(b"\\\\"),
        b'$' => Some(b"\\$"),
        _ => None,
    });
    out.push(b'"');
}

/// Reads a file. dotenvy's iterator takes a byte-order mark for part of the first name,
/// and so fails.
pub(super) fn read(text: &str) -> Result<Entries<'_>, Unreadable> {
    let mut entries = Entries::new();
    let mut place = 0;
    while place < text.len() {
        let fail = |why| Unreadable {
            line: line(text.as_bytes(), place),
            why,
        };
        let (record, end) =
            record(text, place).ok_or_else(|| fail("a quote or a backslash that is not closed"))?;
        if let Some(entry) = assignment(record, &entries).map_err(fail)? {
            entries.push(entry);
        }
        place = end;
    }
    Ok(entries)
}

#[derive(Clone, Copy, PartialEq)]
enum Within {
    Nothing,
    Escape,
    Single,
    SingleEscape,
    Double,
    DoubleEscape,
    Blank,
}

/// The record that starts at a place, and where the next one does: lines are joined until none leaves a quote open.
fn record(text: &str, start: usize) -> Option<(&str, usize)> {
    let source = text.get(start..)?;
    let bytes = source.as_bytes();
    let special =
        |byte: u8| !byte.is_ascii_graphic() || matches!(byte, b'\'' | b'"' | b'\\' | b'#');
    let plain = seek(bytes, 0, special);
    if at(bytes, plain) == Some(b'\n') {
        return Some((source.get(..plain)?, start + plain + 1));
    }
    let mut within = Within::Nothing;
    let mut place = 0;
    loop {
        let line_start = place;
        if source.get(..line_start)?.is_empty()
            && source.trim_start_matches(line_space).starts_with('#')
        {
            let end = source.find('\n').map_or(source.len(), |end| end + 1);
            return Some(("", start + end));
        }
        let end = source
            .get(line_start..)?
            .find('\n')
            .map_or(source.len(), |end| line_start + end + 1);
        let mut comment = None;
        for (offset, found) in source.get(line_start..end)?.char_indices() {
            within = match (within, found) {
                (Within::Blank, '#') => {
                    comment = Some(line_start + offset);
                    break;
                }
                (Within::Nothing | Within::Blank, '\\') => Within::Escape,
                (Within::Nothing | Within::Blank, '"') => Within::Double,
                (Within::Nothing | Within::Blank, '\'') => Within::Single,
                (Within::Nothing, space)
                    if space.is_whitespace() && space != '\n' && space != '\r' =>
                {
                    Within::Blank
                }
                (Within::Nothing | Within::Blank | Within::Escape, _)
                | (Within::Double, '"')
                | (Within::Single, '\'') => Within::Nothing,
                (Within::Double, '\\') => Within::DoubleEscape,
                (Within::Single, '\\') => Within::SingleEscape,
                (Within::Double | Within::DoubleEscape, _) => Within::Double,
                (Within::Single | Within::SingleEscape, _) => Within::Single,
            };
        }
        if let Some(comment) = comment {
            return Some((source.get(..comment)?, start + end));
        }
        if within == Within::Nothing {
            let record = source.get(..end)?;
            let record = record
                .strip_suffix('\n')
                .map_or(record, |line| line.strip_suffix('\r').unwrap_or(line));
            return Some((record, start + end));
        }
        if end == source.len() {
            return None;
        }
        place = end;
    }
}

/// White space on one line; a line of nothing else is a record of its own.
fn line_space(found: char) -> bool {
    found.is_whitespace() && found != '\n'
}

const INVALID: &str = "a line that dotenvy refuses";

type Entry<'a> = (Cow<'a, str>, Cow<'a, [u8]>);

fn assignment<'a>(record: &'a str, known: &Entries<'a>) -> Result<Option<Entry<'a>>, &'static str> {
    let record = record.trim();
    if record.is_empty() || record.starts_with('#') {
        return Ok(None);
    }
    let (mut key, mut after) = key(record)?;
    if key == "export" && !after.starts_with('=') {
        (key, after) = self::key(after)?;
    }
    let value = after.strip_prefix('=').ok_or(INVALID)?.trim_start();
    let value = if value.is_empty() || value.starts_with('#') {
        Cow::Borrowed(b"".as_slice())
    } else {
        decode(value, known)?
    };
    Ok(Some((Cow::Borrowed(key), value)))
}

fn key(text: &str) -> Result<(&str, &str), &'static str> {
    let end = text
        .find(|found: char| !(found.is_ascii_alphanumeric() || matches!(found, '_' | '.')))
        .unwrap_or(text.len());
    let (key, after) = text.split_at_checked(end).ok_or(INVALID)?;
    if key.starts_with(|found: char| found.is_ascii_alphabetic() || found == '_') {
        Ok((key, after.trim_start()))
    } else {
        Err(INVALID)
    }
}

enum Substituting {
    No,
    Name,
    Braced,
}

fn decode<'a>(text: &'a str, known: &Entries<'a>) -> Result<Cow<'a, [u8]>, &'static str> {
    let special = |found: char| matches!(found, '\'' | '"' | '\\' | '$' | ' ' | '\t');
    if !text.contains(special) {
        return Ok(Cow::Borrowed(text.as_bytes()));
    }
    if let [b'\'', inner @ .., b'\''] = text.as_bytes()
        && !inner.contains(&b'\'')
    {
        return Ok(Cow::Borrowed(inner));
    }
    let mut out = String::with_capacity(text.len());
    let mut asked = String::new();
    let mut substituting = Substituting::No;
    let (mut single, mut double, mut escaped, mut ended) = (false, false, false, false);
    let substitute = |asked: &mut String, out: &mut String| {
        if !asked.is_empty() {
            let value = last(known, asked.as_bytes()).unwrap_or_default();
            out.push_str(&String::from_utf8_lossy(value));
            asked.clear();
        }
    };
    for found in text.chars() {
        if ended {
            match found {
                ' ' | '\t' => {}
                '#' => break,
                _ => return Err(INVALID),
            }
        } else if escaped {
            out.push(match found {
                '\\' | '\'' | '"' | '$' | ' ' => found,
                'n' => '\n',
                _ => return Err("an escape that dotenvy refuses"),
            });
            escaped = false;
        } else if single {
            if found == '\'' {
                single = false;
            } else {
                out.push(found);
            }
        } else if let Substituting::Name = substituting {
            if found.is_alphanumeric() {
                asked.push(found);
            } else if found == '{' && asked.is_empty() {
                substituting = Substituting::Braced;
            } else {
                substitute(&mut asked, &mut out);
                if found != '$' {
                    substituting = Substituting::No;
                    out.push(found);
                }
            }
        } else if let Substituting::Braced = substituting {
            if found == '}' {
                substituting = Substituting::No;
                substitute(&mut asked, &mut out);
            } else {
                asked.push(found);
            }
        } else {
            match found {
                '$' => substituting = Substituting::Name,
                '"' => double = !double,
                '\\' => escaped = true,
                '\'' if !double => single = true,
                ' ' | '\t' if !double => ended = true,
                _ => out.push(found),
            }
        }
    }
    if single || double || matches!(substituting, Substituting::Braced) {
        return Err("a quote or a brace that is not closed");
    }
    substitute(&mut asked, &mut out);
    Ok(Cow::Owned(out.into_bytes()))
}
