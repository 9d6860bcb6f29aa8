//! What `format:` may say of a value, and whether what it asks for can be made at all.

use super::reader::{Field, Reader, Shape, nearest};
use super::{Format, Spot, UrlPart};
use crate::generate::{Encoding, Policy};
use crate::yaml::{At, Key, Kind, Node};
use regex_lite::Regex;

const FORMAT: Shape = (
    "format",
    &[
        "token", "key", "password", "url", "pem", "json", "regex", "one_of", "integer", "boolean",
        "text",
    ],
);
const TOKEN: Shape = ("token", &["bytes", "encoding", "min_chars"]);
const KEY: Shape = ("key", &["bytes", "encoding"]);
const PASSWORD: Shape = (
    "password",
    &["length", "min_chars", "upper", "lower", "digit", "symbol"],
);
const URL: Shape = ("url", &["scheme", "has"]);
const PEM: Shape = ("pem", &["label"]);
const INTEGER: Shape = ("integer", &["min", "max"]);
const TEXT: Shape = ("text", &["min_chars", "max_chars"]);
const NOTHING: Shape = ("format without parameters", &[]);

/// Each kind of mapping with keys of ours.
#[cfg(test)]
pub(super) const SHAPES: &[Shape] = &[FORMAT, TOKEN, KEY, PASSWORD, URL, PEM, INTEGER, TEXT];

const ENCODINGS: &[(&str, Encoding)] = &[
    ("base64", Encoding::Base64),
    ("base64url", Encoding::Base64Url),
    ("hex", Encoding::Hex),
];
const PARTS: &[(&str, UrlPart)] = &[
    ("user", UrlPart::User),
    ("password", UrlPart::Password),
    ("host", UrlPart::Host),
    ("port", UrlPart::Port),
    ("path", UrlPart::Path),
];

/// The most bytes that a token or a key may have: far below what an environment can hold.
const MAX_BYTES: usize = 4096;
/// The most characters that a format may speak of: no environment holds more (Linux: 128 KiB for one string).
const MAX_CHARS: usize = 131_071;

/// What a variable without a format has.
pub(super) const ANY_TEXT: Format = Format::Text {
    min_chars: 0,
    max_chars: MAX_CHARS,
};

/// `format: WORD`, or `format: { WORD: its parameters }`.
pub(super) fn format<'t>(reader: &mut Reader<'t>, field: Field<'t>) -> Option<Format> {
    let (word, node) = word(reader, field)?;
    let at = word.at;
    match word.text.as_ref() {
        "token" => Some(token(reader, at, node)),
        "key" => {
            let mut fields = reader.fields(at, node, KEY);
            Some(Format::Key {
                bytes: reader
                    .number(fields.take("bytes"), 1, MAX_BYTES)
                    .unwrap_or(32),
                encoding: reader
                    .word(fields.take("encoding"), ENCODINGS)
                    .unwrap_or(Encoding::Base64),
            })
        }
        "password" => Some(password(reader, at, node)),
        "url" => Some(url(reader, at, node)),
        "pem" => {
            let mut fields = reader.fields(at, node, PEM);
            Some(Format::Pem {
                label: reader.plain_text(fields.take("label")),
            })
        }
        "json" => {
            reader.fields(at, node, NOTHING);
            Some(Format::Json)
        }
        "boolean" => {
            reader.fields(at, node, NOTHING);
            Some(Format::Boolean)
        }
        "regex" => regex(reader, node),
        "one_of" => one_of(reader, node),
        "integer" => {
            let mut fields = reader.fields(at, node, INTEGER);
            let min = reader.integer(fields.take("min")).unwrap_or(i64::MIN);
            let max = reader.integer(fields.take("max")).unwrap_or(i64::MAX);
            ordered(reader, at, ("min", min), ("max", max));
            Some(Format::Integer { min, max })
        }
        "text" => {
            let mut fields = reader.fields(at, node, TEXT);
            let min_chars = reader
                .number(fields.take("min_chars"), 0, MAX_CHARS)
                .unwrap_or(0);
            let max_chars = reader
                .number(fields.take("max_chars"), 0, MAX_CHARS)
                .unwrap_or(MAX_CHARS);
            ordered(
                reader,
                at,
                ("min_chars", min_chars),
                ("max_chars", max_chars),
            );
            Some(Format::Text {
                min_chars,
                max_chars,
            })
        }
        unknown => {
            let help = match nearest(unknown, FORMAT.1.iter().copied()) {
                Some(near) => format!("write `{near}`"),
                None => all(),
            };
            reader.wrong("bad-value", at, format!("`{unknown}` is no format"), help);
            None
        }
    }
}

fn all() -> String {
    format!("write one of {}", FORMAT.1.join(", "))
}

/// The format's word, and its parameters.
fn word<'t>(reader: &mut Reader<'t>, field: Field<'t>) -> Option<(Key<'t>, Node<'t>)> {
    let at = field.node.at;
    match field.node.kind {
        Kind::Scalar { text, .. } if matches!(text.as_ref(), "regex" | "one_of") => {
            let help = match text.as_ref() {
                "regex" => "write format: { regex: '[a-z]+' }",
                _ => "write format: { one_of: [this, that] }",
            };
            let message = format!("the format `{text}` without what it allows");
            reader.wrong("missing-value", at, message, help);
            None
        }
        Kind::Scalar { text, .. } => {
            let nothing = Kind::Map(Vec::new());
            Some((Key { text, at }, Node { at, kind: nothing }))
        }
        Kind::Map(mut entries) if entries.len() == 1 => entries.pop(),
        _ => {
            let message = "a format is one word, with or without parameters";
            reader.wrong("wrong-type", at, message, all());
            None
        }
    }
}

fn token<'t>(reader: &mut Reader<'t>, at: At, node: Node<'t>) -> Format {
    let mut fields = reader.fields(at, node, TOKEN);
    let bytes = reader
        .number(fields.take("bytes"), 1, MAX_BYTES)
        .unwrap_or(48);
    let encoding = reader
        .word(fields.take("encoding"), ENCODINGS)
        .unwrap_or(Encoding::Base64Url);
    let made = match encoding {
        Encoding::Base64 => bytes.div_ceil(3) * 4,
        Encoding::Base64Url => (bytes * 4).div_ceil(3),
        Encoding::Hex => bytes * 2,
    };
    let min_chars = reader
        .number(fields.take("min_chars"), 1, MAX_CHARS)
        .unwrap_or(made);
    if min_chars > made {
        let message =
            format!("a token of {bytes} bytes has {made} characters, fewer than `min_chars`");
        reader.wrong("bad-value", at, message, "write more `bytes`");
    }
    Format::Token {
        bytes,
        encoding,
        min_chars,
    }
}

fn password<'t>(reader: &mut Reader<'t>, at: At, node: Node<'t>) -> Format {
    let mut fields = reader.fields(at, node, PASSWORD);
    let length = reader
        .number(fields.take("length"), 1, MAX_BYTES)
        .unwrap_or(24);
    let min_chars = reader
        .number(fields.take("min_chars"), 1, MAX_CHARS)
        .unwrap_or(12.min(length));
    ordered(reader, at, ("min_chars", min_chars), ("length", length));
    let mut class = |key| reader.boolean(fields.take(key)).unwrap_or(true);
    let (upper, lower) = (class("upper"), class("lower"));
    let (digit, symbol) = (class("digit"), class("symbol"));
    let classes = [upper, lower, digit, symbol].into_iter().filter(|on| *on);
    let classes = classes.count();
    if classes == 0 || length < classes {
        reader.wrong(
            "bad-value",
            at,
            "a password that no character may be in, or too short for its classes",
            "allow more, or write a greater `length`",
        );
    }
    let policy = Policy {
        length,
        upper,
        lower,
        digit,
        symbol,
    };
    Format::Password { policy, min_chars }
}

fn url<'t>(reader: &mut Reader<'t>, at: At, node: Node<'t>) -> Format {
    let mut fields = reader.fields(at, node, URL);
    let schemes = reader.texts(fields.take("scheme")).into_iter();
    let schemes = schemes.map(|spot| spot.value).collect();
    let parts = match fields.take("has") {
        None => vec![UrlPart::Host],
        Some(Field {
            key,
            node: Node {
                kind: Kind::List(items),
                ..
            },
        }) => items
            .into_iter()
            .filter_map(|node| reader.word(Some(Field { key, node }), PARTS))
            .collect(),
        field => reader.word(field, PARTS).into_iter().collect(),
    };
    Format::Url { schemes, parts }
}

fn regex<'t>(reader: &mut Reader<'t>, node: Node<'t>) -> Option<Format> {
    let Spot { at, value } = reader.text(Field { key: "regex", node })?;
    let regex = Regex::new(&format!("^(?:{value})$"));
    if regex.is_err() {
        reader.wrong(
            "bad-value",
            at,
            "a pattern that is no regular expression",
            "write what Rust's regex-lite takes, in single quotes",
        );
    }
    regex.ok().map(Format::Regex)
}

fn one_of<'t>(reader: &mut Reader<'t>, node: Node<'t>) -> Option<Format> {
    let at = node.at;
    let key = "one_of";
    let texts = reader.texts(Some(Field { key, node })).into_iter();
    let texts: Vec<String> = texts.map(|spot| spot.value).collect();
    if texts.is_empty() {
        let help = "write format: { one_of: [this, that] }";
        reader.wrong("missing-value", at, "`one_of` allows nothing", help);
        return None;
    }
    Some(Format::OneOf(texts))
}

fn ordered<T: Ord>(reader: &mut Reader, at: At, (low, min): (&str, T), (high, max): (&str, T)) {
    if min > max {
        let message = format!("`{low}` is greater than `{high}`");
        reader.wrong("bad-value", at, message, "swap the two");
    }
}
