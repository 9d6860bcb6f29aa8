//! A vault's plaintext: a flat mapping of names to strings that every reader of YAML reads alike.

use super::{
    DUPLICATE, Events, Fault, MERGE, Token, WHOLE, at, duplicate, escaped, fault, printable,
};
use crate::secret::{Name, Secret};
use memchr::{memchr_iter, memchr3};
use serde_yaml::granit_parser::{ScalarStyle, Span};
use std::fmt::Write;
use zeroize::Zeroizing;

/// A vault's plaintext: a mapping of names to strings, each with the line of its name. An empty document has none.
///
/// # Errors
/// The first thing that is not a name with a string, or that two YAML readers could read differently.
pub fn flat(text: &str) -> Result<Vec<(Name, Secret, usize)>, Fault> {
    printable(text)?;
    match as_written(text) {
        Some(entries) => Ok(entries),
        None => entries(text),
    }
}

/// The entries of a text that has just the lines that [`flat_text`] writes, as nearly every vault has, read without
/// the parser. None for any other text, be it good or bad.
pub(super) fn as_written(text: &str) -> Option<Vec<(Name, Secret, usize)>> {
    let lines = memchr_iter(b'\n', text.as_bytes()).count();
    let mut entries: Vec<(Name, Secret, usize)> = Vec::with_capacity(lines);
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        let (name, value) = line.strip_suffix("\"\n")?.split_once(": \"")?;
        // YAML takes no longer key without a `?`.
        let name = Name::new(name).filter(|_| name.len() <= 1000 && !word(name))?;
        if entries.last().is_some_and(|(last, ..)| *last >= name) {
            return None;
        }
        entries.push((name, unescaped(value)?, number));
    }
    Some(entries)
}

/// What stands between double quotes on one line, if it has no escapes but those that [`flat_text`] writes.
pub(super) fn unescaped(value: &str) -> Option<Secret> {
    if memchr3(b'"', b'\\', b'\r', value.as_bytes()).is_none() {
        return Some(Secret::new(value.as_bytes().to_vec()));
    }
    // Never longer than it was written; if it comes to nothing it is wiped all the same.
    let mut bytes = Zeroizing::new(Vec::with_capacity(value.len()));
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '"' | '\r' => return None,
            '\\' => match chars.next()? {
                c @ ('"' | '\\') => c,
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'u' => {
                    let digits = chars.as_str().get(..4)?;
                    let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
                    chars = chars.as_str().get(4..)?.chars();
                    char::from_u32(u32::from_str_radix(digits, 16).ok().filter(|_| hex)?)?
                }
                _ => return None,
            },
            c => c,
        };
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Some(Secret::new(std::mem::take(&mut *bytes)))
}

/// The entries of any flat mapping.
pub(super) fn entries(text: &str) -> Result<Vec<(Name, Secret, usize)>, Fault> {
    let mut events = Events::new(text);
    let mut entries = Vec::with_capacity(text.len() / 64);
    match events.root()? {
        None => return Ok(entries),
        Some((Token::Map, _)) => {}
        // `---` and nothing after it is an empty document too.
        Some((Token::Scalar(value, ScalarStyle::Plain), _)) if value.is_empty() => {
            events.finish()?;
            return Ok(entries);
        }
        Some((_, span)) => {
            return Err(fault(
                at(&span),
                (
                    "not a mapping of names to values",
                    "write each secret as a line NAME: \"value\"",
                ),
            ));
        }
    }
    loop {
        let (token, span) = events.next()?;
        let name = match token {
            Token::Scalar(key, style) => name(&key, style, &span)?,
            Token::Close => break,
            Token::List | Token::Map => {
                return Err(fault(
                    at(&span),
                    (
                        "a list or a mapping where a name belongs",
                        "write each secret as a line NAME: \"value\"",
                    ),
                ));
            }
        };
        let secret = events
            .next()
            .and_then(|(token, span)| string(text, token, &span));
        match secret {
            Ok(secret) => entries.push((name, secret, span.start.line())),
            Err(fault) => {
                return Err(Fault {
                    name: Some(name.to_string()),
                    ..fault
                });
            }
        }
    }
    events.finish()?;
    if let Some(second) = duplicate(entries.iter().map(|(name, ..)| name.as_str())) {
        let (name, _, line) = &entries[second];
        return Err(Fault {
            line: *line,
            column: 0,
            name: Some(name.to_string()),
            ..fault(WHOLE, DUPLICATE)
        });
    }
    Ok(entries)
}

/// The key of a flat mapping as a name.
pub(super) fn name(key: &str, style: ScalarStyle, span: &Span) -> Result<Name, Fault> {
    let plain = style == ScalarStyle::Plain;
    if plain && key == "<<" {
        return Err(fault(at(span), MERGE));
    }
    match Name::new(key) {
        Some(name) if plain && word(key) => Err(Fault {
            name: Some(name.to_string()),
            ..fault(
                at(span),
                (
                    "a name that YAML 1.1 takes for true, false or null",
                    "quote the name as well: \"NAME\": \"value\"",
                ),
            )
        }),
        Some(name) => Ok(name),
        None => Err(fault(
            at(span),
            (
                "a key that is no name of a variable",
                "use letters, digits and `_`, and no digit first",
            ),
        )),
    }
}

/// The value of a flat mapping: a string, to each reader the same.
pub(super) fn string(text: &str, token: Token, span: &Span) -> Result<Secret, Fault> {
    const QUOTE: &str = "quote it: NAME: \"value\"";
    let Token::Scalar(value, style) = token else {
        return Err(fault(
            at(span),
            (
                "a list or a mapping where a string belongs",
                "keep one string per name; a document goes into a block: NAME: |",
            ),
        ));
    };
    let rest = span.end.byte_offset().and_then(|end| text.get(end..));
    match style {
        ScalarStyle::Plain if value.is_empty() => Err(fault(
            at(span),
            (
                "no value, which YAML takes for null",
                "write the value in quotes; an empty one is \"\"",
            ),
        )),
        ScalarStyle::Plain if !always_text(&value) => Err(fault(
            at(span),
            (
                "a value that YAML readers take for a number, a date, true, false or null",
                QUOTE,
            ),
        )),
        ScalarStyle::Plain
            if rest.is_some_and(|rest| rest.trim_start_matches([' ', '\t']).starts_with('#')) =>
        {
            Err(fault(
                at(span),
                (
                    "an unquoted value before a ` #`, which YAML takes for a comment",
                    QUOTE,
                ),
            ))
        }
        ScalarStyle::Literal | ScalarStyle::Folded
            if !text.ends_with('\n') && rest.is_none_or(str::is_empty) =>
        {
            Err(fault(
                at(span),
                (
                    "a block without a final line feed, which YAML readers end differently",
                    "end the last line",
                ),
            ))
        }
        _ => Ok(Secret::new(value.into_owned().into_bytes())),
    }
}

/// Whether a plain scalar is a string to every reader: the implicit types of YAML 1.1 (yaml.org/type) and the core
/// schema of YAML 1.2.2 §10.3.2, and what Ruby (`1,000`, `:symbol`) and Go (`0o17`, `1_000`) add.
pub(super) fn always_text(plain: &str) -> bool {
    if word(plain) || matches!(plain, "~" | "=" | "<<") || plain.starts_with(':') {
        return false;
    }
    let unsigned = plain.strip_prefix(['+', '-']).unwrap_or(plain);
    let bytes = unsigned.as_bytes();
    let all = |digits: &str, allowed: fn(&u8) -> bool| {
        bytes
            .strip_prefix(digits.as_bytes())
            .is_some_and(|rest| rest.iter().all(allowed))
    };
    let based = all("0x", |b| b.is_ascii_hexdigit() || *b == b'_')
        || all("0X", |b| b.is_ascii_hexdigit() || *b == b'_')
        || all("0o", |b| b.is_ascii_digit() || *b == b'_')
        || all("0b", |b| b.is_ascii_digit() || *b == b'_');
    // Decimal, octal, sexagesimal and floating, with the separators and the signed exponent of any of them.
    let decimal = bytes.iter().any(u8::is_ascii_digit)
        && bytes.iter().enumerate().all(|(i, b)| match b {
            b'0'..=b'9' | b'_' | b',' | b'.' | b':' => true,
            b'e' | b'E' => i > 0,
            b'+' | b'-' => i > 0 && matches!(bytes[i - 1], b'e' | b'E'),
            _ => false,
        });
    let special = matches!(
        unsigned.to_ascii_lowercase().as_str(),
        ".inf" | ".nan" | "."
    );
    // A date, and a time after it.
    let mut parts = bytes.splitn(3, |b| *b == b'-');
    let date = parts
        .next()
        .is_some_and(|year| year.len() == 4 && year.iter().all(u8::is_ascii_digit))
        && parts.next().is_some_and(|month| {
            matches!(month.len(), 1 | 2) && month.iter().all(u8::is_ascii_digit)
        })
        && parts
            .next()
            .and_then(<[u8]>::first)
            .is_some_and(u8::is_ascii_digit);
    !(based || decimal || special || date)
}

/// Whether a text is a boolean or null word of YAML 1.1 or 1.2, in any case.
pub(super) fn word(plain: &str) -> bool {
    plain.len() <= 5
        && ["y", "n", "yes", "no", "on", "off", "true", "false", "null"]
            .iter()
            .any(|word| plain.eq_ignore_ascii_case(word))
}

/// The plaintext of a vault: a line `NAME: "value"` each, sorted by name, that [`flat`] and every YAML reader give
/// back byte for byte.
///
/// # Errors
/// The name of a value that isn't UTF-8 (YAML has no bytes: such a value is kept as base64).
pub fn flat_text<'a>(
    entries: impl Iterator<Item = (&'a Name, &'a Secret)>,
) -> Result<Zeroizing<String>, Name> {
    let mut sorted = Vec::new();
    let mut size = 0;
    for (name, secret) in entries {
        let Ok(value) = std::str::from_utf8(secret.expose()) else {
            return Err(name.clone());
        };
        // An upper bound: the text must not grow, as growing leaves a copy behind.
        size += name.as_str().len() + 8 + value.chars().map(written).sum::<usize>();
        sorted.push((name, value));
    }
    sorted.sort_unstable_by_key(|(name, _)| *name);
    let mut text = Zeroizing::new(String::with_capacity(size));
    for (name, value) in sorted {
        let quote = if word(name.as_str()) { "\"" } else { "" };
        for part in [quote, name.as_str(), quote, ": \""] {
            text.push_str(part);
        }
        for c in value.chars() {
            match c {
                '"' => text.push_str("\\\""),
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\t' => text.push_str("\\t"),
                '\r' => text.push_str("\\r"),
                c if escaped(c) => {
                    // Writing into a String cannot fail.
                    let _ = write!(text, "\\u{:04x}", u32::from(c));
                }
                c => text.push(c),
            }
        }
        text.push_str("\"\n");
    }
    Ok(text)
}

/// How many bytes [`flat_text`] writes for a character.
pub(super) fn written(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\t' | '\r' => 2,
        c if escaped(c) => 6,
        c => c.len_utf8(),
    }
}
