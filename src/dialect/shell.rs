//! A POSIX shell's `set -a; . file`: what assigns and expands names as POSIX.1-2024 XCU 2 says, and never a command.

use super::scan::{at, cut, line, name, seek};
use super::{Entries, Unreadable, last};
use std::borrow::Cow;

/// Appends the value in single quotes, each of its own as `'\''`.
pub(super) fn write(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'\'');
    super::scan::push_escaped(out, value, |byte| {
        (byte == b'\'').then_some(b"'\\''".as_slice())
    });
    out.push(b'\'');
}

const COMMAND: &str = "a command, which a shell would run";
const OPEN: &str = "a quote that is not closed";
const EXPANSION: &str = "an expansion whose value only the shell knows";

/// Reads a file of assignments and comments. Everything that would run, and every expansion but `$NAME` and `${NAME}`,
/// is an error.
pub(super) fn read(text: &[u8]) -> Result<Entries<'_>, Unreadable> {
    let mut entries = Entries::new();
    let mut place = 0;
    // How many words of the line have been read, and whether its first is `export`.
    let mut words = 0;
    let mut exporting = false;
    while let Some(byte) = at(text, place) {
        match byte {
            b'\n' => {
                if exporting && words == 1 {
                    return Err(Unreadable {
                        line: line(text, place),
                        why: COMMAND,
                    });
                }
                exporting = false;
                words = 0;
                place += 1;
            }
            b' ' | b'\t' => place += 1,
            b'\\' if at(text, place + 1) == Some(b'\n') => place += 2,
            b'#' => place = seek(text, place, |byte| byte == b'\n'),
            _ => {
                let start = place;
                let fail = |why| Unreadable {
                    line: line(text, start),
                    why,
                };
                place = seek(text, place, |byte| {
                    byte != b'_' && !byte.is_ascii_alphanumeric()
                });
                let key = cut(text, start, place);
                let blank = at(text, place).is_some_and(|byte| matches!(byte, b' ' | b'\t'));
                words += 1;
                if key == b"export" && blank && words == 1 {
                    exporting = true;
                    continue;
                }
                if key.first().is_none_or(u8::is_ascii_digit) {
                    return Err(fail(COMMAND));
                }
                if at(text, place) != Some(b'=') {
                    let ends =
                        at(text, place).is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'\n'));
                    if exporting && ends {
                        continue;
                    }
                    return Err(fail(COMMAND));
                }
                let (value, end) = word(text, place + 1, &entries).map_err(fail)?;
                entries.push((name(key), value));
                place = end;
            }
        }
    }
    if exporting && words == 1 {
        return Err(Unreadable {
            line: line(text, place),
            why: COMMAND,
        });
    }
    Ok(entries)
}

/// The bytes of a word that stand for themselves outside quotes.
fn plain(byte: u8) -> bool {
    !matches!(
        byte,
        b' ' | b'\t'
            | b'\n'
            | b'\''
            | b'"'
            | b'\\'
            | b'$'
            | b'`'
            | b'~'
            | b'='
            | b'|'
            | b'&'
            | b';'
            | b'<'
            | b'>'
            | b'('
            | b')'
            | 0
    )
}

/// The word of an assignment, and where it ends.
fn word<'a>(
    text: &'a [u8],
    start: usize,
    known: &Entries<'a>,
) -> Result<(Cow<'a, [u8]>, usize), &'static str> {
    let ends = |place| at(text, place).is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'\n'));
    let mut place = seek(text, start, |byte| !plain(byte));
    if ends(place) {
        return Ok((Cow::Borrowed(cut(text, start, place)), place));
    }
    if place == start && at(text, place) == Some(b'\'') {
        let close = seek(text, place + 1, |byte| byte == b'\'');
        if close < text.len() && ends(close + 1) {
            return Ok((Cow::Borrowed(cut(text, place + 1, close)), close + 1));
        }
    }
    let mut out = Vec::new();
    place = start;
    while !ends(place) {
        match at(text, place) {
            Some(b'\'') => {
                let close = seek(text, place + 1, |byte| byte == b'\'');
                if close == text.len() {
                    return Err(OPEN);
                }
                out.extend_from_slice(cut(text, place + 1, close));
                place = close + 1;
            }
            Some(b'"') => place = quoted(text, place + 1, known, &mut out)?,
            Some(b'\\') => {
                match at(text, place + 1) {
                    None => return Err("a backslash at the end of the file"),
                    Some(b'\n') => {}
                    Some(byte) => out.push(byte),
                }
                place += 2;
            }
            Some(b'$') => place = expanded(text, place, known, &mut out)?,
            Some(b'~') if place == start || at(text, place - 1) == Some(b':') => {
                return Err("a tilde that the shell replaces by a home directory");
            }
            // zshexpn(1), "`=' expansion", which an assignment has after each colon too.
            Some(b'=') if place == start || at(text, place - 1) == Some(b':') => {
                return Err("an equals sign that zsh replaces by the path of a command");
            }
            Some(byte) if plain(byte) || matches!(byte, b'~' | b'=') => {
                out.push(byte);
                place += 1;
            }
            _ => return Err(COMMAND),
        }
    }
    Ok((Cow::Owned(out), place))
}

/// Appends what stands in double quotes; the place after the closing one.
fn quoted(
    text: &[u8],
    mut place: usize,
    known: &Entries<'_>,
    out: &mut Vec<u8>,
) -> Result<usize, &'static str> {
    loop {
        match at(text, place).ok_or(OPEN)? {
            b'"' => return Ok(place + 1),
            b'`' => return Err(COMMAND),
            b'$' if at(text, place + 1) == Some(b'"') => {
                out.push(b'$');
                place += 1;
            }
            b'$' => place = expanded(text, place, known, out)?,
            b'\\' => {
                match at(text, place + 1).ok_or(OPEN)? {
                    b'\n' => {}
                    escaped @ (b'$' | b'`' | b'"' | b'\\') => out.push(escaped),
                    other => out.extend_from_slice(&[b'\\', other]),
                }
                place += 2;
            }
            byte => {
                out.push(byte);
                place += 1;
            }
        }
    }
}

/// Appends what the `$` at a place expands to; the place after it. A name that the file hasn't assigned is empty.
fn expanded(
    text: &[u8],
    dollar: usize,
    known: &Entries<'_>,
    out: &mut Vec<u8>,
) -> Result<usize, &'static str> {
    let place = dollar + 1;
    let braced = at(text, place) == Some(b'{');
    let start = place + usize::from(braced);
    let end = seek(text, start, |byte| {
        byte != b'_' && !byte.is_ascii_alphanumeric()
    });
    let asked = cut(text, start, end);
    if braced && at(text, end) != Some(b'}') {
        return Err(EXPANSION);
    }
    match at(text, start) {
        Some(b'(') => return Err(COMMAND),
        // The last four are zsh's: `$^name`, `$=name`, `$~name`, `$+name`.
        Some(
            b'0'..=b'9'
            | b'#'
            | b'?'
            | b'*'
            | b'@'
            | b'!'
            | b'-'
            | b'$'
            | b'\''
            | b'"'
            | b'['
            | b'^'
            | b'='
            | b'~'
            | b'+',
        ) => {
            return Err(EXPANSION);
        }
        _ if asked.is_empty() => {
            out.push(b'$');
            return Ok(place);
        }
        _ => {}
    }
    if let Some(value) = last(known, asked) {
        out.extend_from_slice(value);
    }
    Ok(end + usize::from(braced))
}
