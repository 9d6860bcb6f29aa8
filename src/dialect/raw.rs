//! The files without quotes: docker's and podman's `--env-file` (docker/cli pkg/kvfile, podman pkg/env), Compose's
//! `format: raw`, and `kubectl create secret --from-env-file` (kubectl `pkg/cmd/util/env_file.go`).

use super::scan::{first, leading, name, rest, without_bom};
use super::{Entries, SCANNED_LINE, Unreadable, Unwritable};
use std::borrow::Cow;

/// Appends the value as it stands.
pub(super) fn write(value: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
    if value.contains(&b'\n') {
        return Err(Unwritable {
            why: "a line feed, in a file that has no quotes",
            instead: "base64-encode it, keep it in a file of its own, or use the compose dialect",
        });
    }
    if value.ends_with(b"\r") {
        return Err(Unwritable {
            why: "a carriage return at its end, which is read as part of the line's end",
            instead: "base64-encode it, or keep it in a file of its own",
        });
    }
    if value.len() > SCANNED_LINE {
        return Err(super::LINE_TOO_LONG);
    }
    out.extend_from_slice(value);
    Ok(())
}

/// Reads as docker does; podman differs in nothing that docker accepts. A name alone takes its caller's value, so
/// with nothing set it is nothing.
pub(super) fn read_docker(text: &[u8]) -> Result<Entries<'_>, Unreadable> {
    read_raw_with(text, &|_| None)
}

/// Reads as docker and as Compose's `format: raw` do; a name alone is what `lookup` gives, or nothing.
///
/// # Errors
/// Where docker refuses a line.
pub fn read_raw_with<'a>(
    text: &'a [u8],
    lookup: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Result<Entries<'a>, Unreadable> {
    lines(text, |key, value| {
        if key.is_empty() {
            return Err("a value without a name");
        }
        if key.iter().any(|byte| matches!(byte, b' ' | b'\t')) {
            return Err("a name with a blank in it");
        }
        Ok(match value {
            Some(value) => Some(Cow::Borrowed(value)),
            None => lookup(&name(key)).map(Cow::Owned),
        })
    })
}

/// Reads as kubectl does. A name alone takes its caller's value, so with nothing set it is empty. The line that is
/// too long, from which on kubectl drops the file without a word, is an error.
pub(super) fn read_kubernetes(text: &[u8]) -> Result<Entries<'_>, Unreadable> {
    lines(text, |key, value| {
        let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if key.first().is_none_or(u8::is_ascii_digit) || !key.iter().all(letter) {
            return Err("a name that kubectl refuses");
        }
        Ok(Some(Cow::Borrowed(value.unwrap_or_default())))
    })
}

fn lines<'a>(
    text: &'a [u8],
    judge: impl Fn(&[u8], Option<&'a [u8]>) -> Result<Option<Cow<'a, [u8]>>, &'static str>,
) -> Result<Entries<'a>, Unreadable> {
    let mut entries = Entries::new();
    for (number, whole) in text.split(|&byte| byte == b'\n').enumerate() {
        let fail = |why| Unreadable {
            line: number + 1,
            why,
        };
        if whole.len() > SCANNED_LINE {
            return Err(fail("a line of more than 65535 bytes"));
        }
        let mut line = whole.strip_suffix(b"\r").unwrap_or(whole);
        if number == 0 {
            line = without_bom(line);
        }
        if first(line).is_some_and(|(found, _)| found.is_whitespace()) {
            line = rest(line, leading(line, char::is_whitespace));
        }
        if line.first().is_none_or(|&byte| byte == b'#') {
            continue;
        }
        let mut halves = line.splitn(2, |&byte| byte == b'=');
        let key = halves.next().unwrap_or_default();
        if let Some(value) = judge(key, halves.next()).map_err(fail)? {
            entries.push((name(key), value));
        }
    }
    Ok(entries)
}
