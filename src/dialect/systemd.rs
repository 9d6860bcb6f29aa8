//! systemd's `EnvironmentFile=`: the state machine of `parse_env_file_internal` (src/basic/env-file.c), and the names
//! that `strv_env_clean` (src/basic/env-util.c) leaves over.

use super::scan::{at, cut, line, name, trim_end};
use super::{Entries, Unreadable};
use std::borrow::Cow;

/// Appends the value in double quotes, where systemd knows four escapes and takes everything else as it stands.
pub(super) fn write(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    super::scan::push_escaped(out, value, |byte| match byte {
        b'"' => Some(b"\\\""),
        b'\\' => Some(b"\\\\"),
        b'$' => Some(b"\\$"),
        b'`' => Some(b"\\`"),
        _ => None,
    });
    out.push(b'"');
}

/// Reads a file. What systemd drops without a word (a line without `=`, a name that isn't `[A-Za-z_][A-Za-z0-9_]*`)
/// or swallows (a quote that never ends) is an error here.
pub(super) fn read(text: &[u8]) -> Result<Entries<'_>, Unreadable> {
    let fail = |place, why| {
        Err(Unreadable {
            line: line(text, place),
            why,
        })
    };
    let mut entries = Entries::new();
    let mut place = 0;
    while let Some(byte) = at(text, place) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => place += 1,
            b'#' | b';' => {
                let start = place;
                while at(text, place).is_some_and(|byte| !line_end(byte)) {
                    place += 1;
                }
                if cut(text, start, place).ends_with(b"\\") {
                    return fail(
                        start,
                        "a comment that ends in a backslash, which systemd before 254 continues on the next line",
                    );
                }
            }
            _ => {
                let start = place;
                while at(text, place).is_some_and(|byte| byte != b'=' && !line_end(byte)) {
                    place += 1;
                }
                if at(text, place) != Some(b'=') {
                    return fail(start, "a line without an assignment, which systemd ignores");
                }
                let key = trim_end(cut(text, start, place), |found| matches!(found, ' ' | '\t'));
                if !named(key) {
                    return fail(start, "a name that systemd drops");
                }
                let Some((value, end)) = value(text, place + 1) else {
                    return fail(start, "a quote that is not closed");
                };
                entries.push((name(key), value));
                place = end;
            }
        }
    }
    Ok(entries)
}

fn line_end(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

fn blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn named(key: &[u8]) -> bool {
    key.first().is_some_and(|byte| !byte.is_ascii_digit())
        && key
            .iter()
            .all(|&byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

/// The value that starts at a place, and where its line ends; `None` when a quote or a backslash is left open.
fn value(text: &[u8], start: usize) -> Option<(Cow<'_, [u8]>, usize)> {
    let mut end = start;
    while at(text, end).is_some_and(|byte| !line_end(byte) && !matches!(byte, b'\'' | b'"' | b'\\'))
    {
        end += 1;
    }
    if at(text, end).is_none_or(line_end) {
        let mut from = start;
        while at(text, from).is_some_and(blank) {
            from += 1;
        }
        let mut plain = cut(text, from, end);
        while let Some((&last, shorter)) = plain.split_last()
            && blank(last)
        {
            plain = shorter;
        }
        return Some((Cow::Borrowed(plain), end));
    }

    let mut out = Vec::new();
    // As in systemd: before the value's next piece blanks are skipped, inside a bare piece they count unless they
    // end it; a quote only opens where a piece may start.
    let mut within = false;
    let mut kept = 0;
    let mut place = start;
    loop {
        match at(text, place) {
            None | Some(b'\n' | b'\r') => break,
            Some(quote @ (b'\'' | b'"')) if !within => {
                place = quoted(text, place + 1, quote, &mut out)?;
                kept = out.len();
            }
            Some(b'\\') => {
                match at(text, place + 1)? {
                    b'\n' | b'\r' => {}
                    byte => out.push(byte),
                }
                within = true;
                kept = out.len();
                place += 2;
            }
            Some(byte) if blank(byte) && !within => place += 1,
            Some(byte) => {
                out.push(byte);
                within = true;
                if !blank(byte) {
                    kept = out.len();
                }
                place += 1;
            }
        }
    }
    if within {
        out.truncate(kept);
    }
    Some((Cow::Owned(out), place))
}

/// Appends what stands between quotes; the place after the closing one.
fn quoted(text: &[u8], mut place: usize, quote: u8, out: &mut Vec<u8>) -> Option<usize> {
    loop {
        let byte = at(text, place)?;
        place += 1;
        if byte == quote {
            return Some(place);
        }
        if byte != b'\\' || quote == b'\'' {
            out.push(byte);
            continue;
        }
        match at(text, place)? {
            escaped @ (b'"' | b'\\' | b'`' | b'$') => out.push(escaped),
            b'\n' => {}
            other => out.extend_from_slice(&[b'\\', other]),
        }
        place += 1;
    }
}
