//! The parts of a value that are secrets of their own: its lines, its leaves, the password of a URL, the body of a PEM block.
//!
//! # Why
//!
//! A program that is given a document prints one string of it, and one that is given a URL prints the password. JSON is
//! parsed. Of YAML and `.env` text each line is read as `key: value` or `KEY=value`, which is what secrets are written
//! in; a string that YAML spreads over several lines is found line by line.
//!
//! The armour lines of a PEM block are no secret, and every key has them. The last line of its body may be shorter than
//! a remainder that could be told from other text (`forms::REMAINDER`): it is hidden with the rest of the body only.

use super::forms::REMAINDER;
use super::{Encoding, cannot_hide};
use zeroize::Zeroizing;

/// How deep a value in a value is looked into: a PEM block in a JSON document in a `.env` text.
const DEPTH: usize = 3;

/// Gives a value and its parts, those that can be hidden. The white space at their ends is no secret.
pub(super) fn parts(value: &[u8], give: &mut dyn FnMut(Encoding, &[u8])) {
    let value = value.trim_ascii();
    if cannot_hide(value).is_some() {
        return;
    }
    give(Encoding::Raw, value);
    inside(value, DEPTH, give);
}

fn part(encoding: Encoding, bytes: &[u8], depth: usize, give: &mut dyn FnMut(Encoding, &[u8])) {
    let bytes = bytes.trim_ascii();
    if cannot_hide(bytes).is_none() {
        give(encoding, bytes);
        inside(bytes, depth, give);
    }
}

fn inside(value: &[u8], depth: usize, give: &mut dyn FnMut(Encoding, &[u8])) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    if let Some(password) = password(value) {
        part(Encoding::Password, password, 0, give);
        part(Encoding::Password, &unescaped(password), 0, give);
    }
    let document = matches!(value, [b'{' | b'[' | b'"', ..])
        .then(|| serde_json::from_slice(value).ok())
        .flatten();
    if let Some(document) = &document {
        leaves(document, depth, give);
    }
    let several = value.contains(&b'\n');
    let mut body: Option<Zeroizing<Vec<u8>>> = None;
    for line in value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        if line.starts_with(b"-----BEGIN ") {
            body = Some(Zeroizing::new(Vec::with_capacity(value.len())));
        } else if line.starts_with(b"-----END ") {
            if let Some(body) = body.take() {
                part(Encoding::Line, &body, 0, give);
            }
        } else if let Some(body) = &mut body {
            body.extend_from_slice(line);
            if line.len() >= REMAINDER {
                part(Encoding::Line, line, 0, give);
            }
        } else {
            if several {
                part(Encoding::Line, line, 0, give);
            }
            if document.is_none()
                && let Some(leaf) = leaf(line)
            {
                part(Encoding::Leaf, &leaf, depth, give);
            }
        }
    }
}

/// The strings of a JSON document, but for its keys.
fn leaves(document: &serde_json::Value, depth: usize, give: &mut dyn FnMut(Encoding, &[u8])) {
    match document {
        serde_json::Value::String(text) => part(Encoding::Leaf, text.as_bytes(), depth, give),
        serde_json::Value::Array(all) => all.iter().for_each(|one| leaves(one, depth, give)),
        serde_json::Value::Object(all) => all.values().for_each(|one| leaves(one, depth, give)),
        _ => {}
    }
}

/// The value of a `key: value` or `KEY=value` line, without its quotes.
fn leaf(line: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let line = line.strip_prefix(b"- ").unwrap_or(line);
    let line = line.strip_prefix(b"export ").unwrap_or(line).trim_ascii();
    let end = line
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && !b"_-.\"'".contains(byte))?;
    let value = match line.get(end..)? {
        [b':', b' ', value @ ..] | [b'=', value @ ..] if end > 0 => value.trim_ascii(),
        _ => return None,
    };
    let plain = match value {
        [b'"', .., b'"'] => match serde_json::from_slice::<String>(value) {
            Ok(text) => return Some(Zeroizing::new(text.into_bytes())),
            Err(_) => value.get(1..value.len() - 1)?,
        },
        [b'\'', .., b'\''] => value.get(1..value.len() - 1)?,
        _ => value,
    };
    Some(Zeroizing::new(plain.to_vec()))
}

/// The password of a URL as it stands there (RFC 3986 §3.2.1).
fn password(url: &[u8]) -> Option<&[u8]> {
    let colon = url.windows(3).position(|three| three == b"://")?;
    let authority = url.get(colon + 3..)?;
    let end = authority
        .iter()
        .position(|byte| b"/?#".contains(byte))
        .unwrap_or(authority.len());
    let authority = authority.get(..end)?;
    let at = authority.iter().rposition(|byte| *byte == b'@')?;
    let user = authority.get(..at)?;
    let colon = user.iter().position(|byte| *byte == b':')?;
    user.get(colon + 1..)
}

/// A part of a URL without its percent-encoding (RFC 3986 §2.1).
fn unescaped(part: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(part.len()));
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut rest = part;
    while let [first, after @ ..] = rest {
        let pair = match after {
            [high, low, ..] if *first == b'%' => digit(*high).zip(digit(*low)),
            _ => None,
        };
        let (byte, used) = pair.map_or((*first, 1), |(high, low)| (high << 4 | low, 3));
        bytes.push(byte);
        rest = rest.get(used..).unwrap_or_default();
    }
    bytes
}
