//! GitHub's `GITHUB_ENV` and `GITHUB_OUTPUT` files (actions/runner src/Runner.Worker/FileCommandManager.cs).

use super::scan::{cut, find, line, name, rest, seek, without_bom};
use super::{Entries, Unreadable, Unwritable, bare};
use std::borrow::Cow;

/// Appends a value of one line as it stands after `NAME=`; only a whole record can hold more.
pub(super) fn write(value: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
    if value.contains(&b'\n') || value.ends_with(b"\r") {
        return Err(Unwritable {
            why: "a line feed after `NAME=`",
            instead: "write the record whole (`NAME<<delimiter`)",
        });
    }
    out.extend_from_slice(value);
    Ok(())
}

/// Appends `NAME=value`, or `NAME<<delimiter` with a delimiter that the value doesn't hold, always the same one for
/// the same value.
pub(super) fn assign(name: &str, value: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
    out.extend_from_slice(name.as_bytes());
    if bare(value) {
        out.push(b'=');
        out.extend_from_slice(value);
        return Ok(());
    }
    if std::str::from_utf8(value).is_err() {
        return Err(super::NOT_UTF8);
    }
    if value.contains(&0) {
        return Err(super::NUL);
    }
    let mut delimiter = String::from("DOTAGE_END");
    while find(value, delimiter.as_bytes()).is_some() {
        delimiter.push('_');
    }
    out.extend_from_slice(b"<<");
    out.extend_from_slice(delimiter.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(value);
    out.push(b'\n');
    out.extend_from_slice(delimiter.as_bytes());
    Ok(())
}

/// Reads a file as a runner on Linux does.
pub(super) fn read(text: &[u8]) -> Result<Entries<'_>, Unreadable> {
    let text = without_bom(text);
    let mut entries = Entries::new();
    let mut place = 0;
    while place < text.len() {
        let fail = |why| Unreadable {
            line: line(text, place),
            why,
        };
        let end = seek(text, place, |byte| byte == b'\n');
        let record = cut(text, place, end);
        if record.is_empty() {
            place = end + 1;
            continue;
        }
        let equals = seek(record, 0, |byte| byte == b'=');
        match find(cut(record, 0, equals), b"<<") {
            None if equals == record.len() => {
                return Err(fail(
                    "a line that is neither NAME=value nor NAME<<delimiter",
                ));
            }
            None if equals == 0 => return Err(fail("a value without a name")),
            None => {
                entries.push((
                    name(cut(record, 0, equals)),
                    Cow::Borrowed(rest(record, equals + 1)),
                ));
                place = end + 1;
            }
            Some(split) => {
                let delimiter = rest(record, split + 2);
                if split == 0 || delimiter.is_empty() {
                    return Err(fail("a heredoc without a name or a delimiter"));
                }
                let start = (end + 1).min(text.len());
                let mut from = start;
                let close = loop {
                    if from >= text.len() {
                        return Err(fail("a heredoc whose delimiter doesn't come"));
                    }
                    let end = seek(text, from, |byte| byte == b'\n');
                    if cut(text, from, end) == delimiter {
                        place = end + 1;
                        break from;
                    }
                    from = end + 1;
                };
                let value = cut(text, start, close);
                let value = value.strip_suffix(b"\n").unwrap_or(value);
                entries.push((name(cut(record, 0, split)), Cow::Borrowed(value)));
            }
        }
    }
    Ok(entries)
}
