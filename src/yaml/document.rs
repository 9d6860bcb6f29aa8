//! The YAML of other programs, as Compose reads it: anchors, aliases, merge keys, tags, several documents in one file.
//!
//! # Why
//!
//! Such a file is data that somebody else's program takes, so what YAML allows is honoured here that an inventory
//! refuses. Aliases are written out where they stand, which keeps readers of the tree simple; a budget on what the whole
//! comes to, counted before anything is copied, keeps 130 KB of them from becoming gigabytes.
//!
//! What a plain scalar means follows go-yaml, which mixes YAML 1.1 and 1.2: `010` is 8, `yes` is a text, `1_000` is 1000.

use super::tree::SIZE;
use super::{
    ANCHOR, At, DUPLICATE, Fault, TAG, WHOLE, Words, at, duplicate, fault, parser, place,
    printable, words,
};
use serde_yaml::granit_parser::{ErrorKind, Event, Parser, ScalarStyle, Span, StrInput, Tag};
use std::borrow::Cow;
use std::collections::HashMap;

/// How deep a document may nest.
const DEPTH: usize = 48;
/// How many values a file may come to, aliases written out.
const VALUES: usize = 200_000;
/// How many bytes of text a file may come to, aliases written out.
const TEXT: usize = 4 << 20;

const BOMB: Words = (
    "aliases that make it larger than 4 MiB or 200,000 values",
    "write out what is meant",
);

/// A value, and where it stands.
#[derive(Clone, Debug)]
pub struct Value<'a> {
    /// Where it begins, its tag included; of an alias, where what it stands for begins.
    pub at: At,
    /// Its tag as written (`!reset`), if it has one; of YAML's own tags, none is kept but `!!str`.
    pub tag: Option<String>,
    /// What it is.
    pub content: Content<'a>,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Content<'a> {
    /// A text; `plain` when it was written without quotes, so that it may mean something else.
    Scalar {
        /// The text.
        text: Cow<'a, str>,
        /// Written without quotes and without a tag that makes it a text.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Value<'a>>),
    /// A mapping without its merge keys: what they name is among its entries, after its own.
    Map(Vec<(Cow<'a, str>, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// The value of a key, where this is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        match &self.content {
            Content::Map(entries) => entries
                .iter()
                .find(|(known, _)| known == key)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// Whether it is null: nothing, `~` or `null`, without quotes.
    #[must_use]
    pub fn is_null(&self) -> bool {
        match &self.content {
            Content::Scalar { text, plain: true } => meaning(text) == Meaning::Null,
            _ => false,
        }
    }
}

/// What a plain scalar means to go-yaml.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Meaning {
    /// Nothing.
    Null,
    /// `true` or `false`, in three spellings.
    Boolean(bool),
    /// A whole number.
    Integer(i128),
    /// A number with a fraction or an exponent, or a larger one.
    Float(f64),
    /// A day, or a moment.
    Time,
    /// Its text.
    Text,
}

/// What a plain scalar means.
#[must_use]
pub fn meaning(text: &str) -> Meaning {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Meaning::Null,
        "true" | "True" | "TRUE" => return Meaning::Boolean(true),
        "false" | "False" | "FALSE" => return Meaning::Boolean(false),
        ".nan" | ".NaN" | ".NAN" => return Meaning::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Meaning::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Meaning::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match text.as_bytes().first() {
        Some(b'.') if decimal(text) => text.parse().map_or(Meaning::Text, Meaning::Float),
        Some(b'0'..=b'9' | b'+' | b'-') => {
            if time(text) {
                return Meaning::Time;
            }
            let digits = text.replace('_', "");
            if let Some(whole) = integer(&digits) {
                Meaning::Integer(whole)
            } else if decimal(&digits) {
                digits.parse().map_or(Meaning::Text, Meaning::Float)
            } else {
                Meaning::Text
            }
        }
        _ => Meaning::Text,
    }
}

/// A whole number that fits in 64 bits, signed or not, in the bases that Go takes.
fn integer(digits: &str) -> Option<i128> {
    let (negative, rest) = match digits.as_bytes() {
        [b'-', ..] => (true, digits.get(1..)?),
        [b'+', ..] => (false, digits.get(1..)?),
        _ => (false, digits),
    };
    let lower = rest.to_ascii_lowercase();
    let (base, rest) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, lower.get(2..)?),
        [b'0', b'b', ..] => (2, lower.get(2..)?),
        [b'0', b'o', ..] => (8, lower.get(2..)?),
        [b'0', _, ..] => (8, lower.get(1..)?),
        _ => (10, lower.as_str()),
    };
    if !rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let whole = i128::from_str_radix(rest, base).ok()?;
    let whole = if negative { -whole } else { whole };
    let most = if digits.starts_with(['+', '-']) {
        i128::from(i64::MAX)
    } else {
        i128::from(u64::MAX)
    };
    (i128::from(i64::MIN)..=most)
        .contains(&whole)
        .then_some(whole)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn decimal(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = match number.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(number),
    };
    whole
        && exponent
            .is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

/// `2001-1-2`, and what begins so and goes on with a time.
fn time(text: &str) -> bool {
    let (day, rest) = match text.find(['T', 't', ' ']) {
        Some(end) => text.split_at(end),
        None => (text, ""),
    };
    let mut parts = day.split('-');
    let mut number = |width: std::ops::RangeInclusive<usize>, most: u32| {
        parts.next().is_some_and(|part| {
            width.contains(&part.len())
                && part.bytes().all(|byte| byte.is_ascii_digit())
                && part.parse().is_ok_and(|number: u32| number <= most)
        })
    };
    number(4..=4, 9999)
        && number(1..=2, 12)
        && number(1..=2, 31)
        && parts.next().is_none()
        && (rest.is_empty() || rest.trim().matches(':').count() >= 2)
}

/// The documents of a text: none for an empty one.
///
/// # Errors
/// Where it isn't YAML, holds a duplicate key, a key that isn't text, a directive or a tag such as `!!binary`, nests
/// deeper than 48, is larger than 1 MiB, or comes to more than 4 MiB or 200,000 values with its aliases written out.
pub fn documents(text: &str) -> Result<Vec<Value<'_>>, Fault> {
    if text.len() > SIZE {
        return Err(fault(WHOLE, ("larger than 1 MiB", "split it")));
    }
    printable(text)?;
    let mut reader = Reader {
        events: parser(text, DEPTH),
        anchors: HashMap::new(),
        values: VALUES,
        bytes: TEXT,
    };
    let mut documents = Vec::new();
    loop {
        match reader.event()?.0 {
            Event::StreamEnd => return Ok(documents),
            Event::DocumentStart(..) => {
                let (event, span) = reader.event()?;
                documents.push(reader.value(event, &span, 0)?);
            }
            _ => {}
        }
    }
}

/// What an alias stands for, and what that comes to.
struct Anchored<'a> {
    value: Value<'a>,
    values: usize,
    bytes: usize,
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Anchored<'a>>,
    /// How many values there may still be.
    values: usize,
    /// How many bytes of text there may still be.
    bytes: usize,
}

impl<'a> Reader<'a> {
    fn event(&mut self) -> Result<(Event<'a>, Span), Fault> {
        match self.events.next() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(fault(
                place(*error.marker()),
                match error.kind() {
                    ErrorKind::UnknownAnchor => (
                        "an alias of nothing",
                        "name an anchor that stands above it; quote a text that begins with `*`",
                    ),
                    ErrorKind::RecursionLimitExceeded => DEEP,
                    kind => words(kind),
                },
            )),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn spend(&mut self, values: usize, bytes: usize, at: At) -> Result<(), Fault> {
        match (
            self.values.checked_sub(values),
            self.bytes.checked_sub(bytes),
        ) {
            (Some(values), Some(bytes)) => {
                (self.values, self.bytes) = (values, bytes);
                Ok(())
            }
            _ => Err(fault(at, BOMB)),
        }
    }

    /// The value that begins with `event`.
    fn value(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Value<'a>, Fault> {
        // With its tag: a text of several lines begins below it.
        let at = span.tag_start().map_or_else(|| at(span), place);
        if depth > DEPTH {
            return Err(fault(at, DEEP));
        }
        let before = (self.values, self.bytes);
        let (content, anchor, tag) = match event {
            Event::Alias(id) => return self.alias(id, at),
            Event::Scalar(text, style, anchor, tag) => {
                self.spend(1, text.len(), at)?;
                let plain = style == ScalarStyle::Plain;
                // The parser spells a value that isn't there `~`.
                let text = if plain && span.start.index() == span.end.index() {
                    Cow::Borrowed("")
                } else {
                    text
                };
                (Content::Scalar { text, plain }, anchor, tag)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.spend(1, 0, at)?;
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.event()?;
                    if event == Event::SequenceEnd {
                        break;
                    }
                    items.push(self.value(event, &span, depth + 1)?);
                }
                (Content::List(items), anchor, tag)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.spend(1, 0, at)?;
                (Content::Map(self.entries(depth)?), anchor, tag)
            }
            _ => {
                return Err(fault(
                    at,
                    ("nothing where a value belongs", "write a value"),
                ));
            }
        };
        let value = tagged(at, content, tag.as_deref())?;
        if anchor > 0 {
            let (values, bytes) = (before.0 - self.values, before.1 - self.bytes);
            self.spend(values, bytes, at)?;
            let anchored = Anchored {
                value: value.clone(),
                values,
                bytes,
            };
            self.anchors.insert(anchor, anchored);
        }
        Ok(value)
    }

    /// What an alias stands for, paid for before it is copied.
    fn alias(&mut self, id: usize, at: At) -> Result<Value<'a>, Fault> {
        let Some(known) = self.anchors.get(&id) else {
            return Err(fault(at, ANCHOR));
        };
        let (values, bytes) = (known.values, known.bytes);
        self.spend(values, bytes, at)?;
        match self.anchors.get(&id) {
            Some(known) => Ok(known.value.clone()),
            None => Err(fault(at, ANCHOR)),
        }
    }

    /// The entries of a mapping up to its end, merge keys followed.
    fn entries(&mut self, depth: usize) -> Result<Vec<(Cow<'a, str>, Value<'a>)>, Fault> {
        let mut entries = Vec::new();
        let mut places = Vec::new();
        let mut merged = None;
        loop {
            let (event, span) = self.event()?;
            if event == Event::MappingEnd {
                break;
            }
            let key = self.value(event, &span, depth + 1)?;
            let place = at(&span);
            let (event, span) = self.event()?;
            let value = self.value(event, &span, depth + 1)?;
            let Content::Scalar { text, plain } = key.content else {
                return Err(fault(place, KEY));
            };
            if plain && text == "<<" {
                if merged.replace((value, place)).is_some() {
                    return Err(fault(place, DUPLICATE));
                }
                continue;
            }
            if plain && meaning(&text) != Meaning::Text {
                return Err(fault(place, KEY));
            }
            places.push(place);
            entries.push((text, value));
        }
        if let Some(second) = duplicate(entries.iter().map(|(key, _)| key.as_ref())) {
            let at = places.get(second).copied().unwrap_or(WHOLE);
            return Err(fault(at, DUPLICATE));
        }
        if let Some((value, place)) = merged {
            merge(&mut entries, value).map_err(|()| fault(place, MERGED))?;
        }
        Ok(entries)
    }
}

const DEEP: Words = ("nested deeper than 48", "flatten it");
const MERGED: Words = (
    "a merge key (`<<`) of something that is no mapping",
    "name the anchor of a mapping, or a list of such aliases",
);
const KEY: Words = ("a key that is not a text", "quote it");

/// Adds what a merge key names: a mapping, or a list of them, of which the earlier win.
fn merge<'a>(entries: &mut Vec<(Cow<'a, str>, Value<'a>)>, value: Value<'a>) -> Result<(), ()> {
    match value.content {
        Content::Map(others) => {
            for (key, value) in others {
                if !entries.iter().any(|(known, _)| *known == key) {
                    entries.push((key, value));
                }
            }
            Ok(())
        }
        Content::List(several) => several.into_iter().try_for_each(|one| match one.content {
            Content::Map(_) => merge(entries, one),
            _ => Err(()),
        }),
        Content::Scalar { .. } => Err(()),
    }
}

/// The value with its tag: YAML's own are followed, others kept.
fn tagged<'a>(at: At, content: Content<'a>, tag: Option<&Tag>) -> Result<Value<'a>, Fault> {
    let core = tag.and_then(Tag::core_suffix);
    let local = tag.filter(|_| core.is_none());
    if local.is_some_and(|tag| !tag.handle().starts_with('!')) {
        return Err(fault(at, TAG));
    }
    let content = match content {
        Content::Scalar { text, plain } => Content::Scalar {
            plain: match core {
                Some("str") => false,
                Some(_) => true,
                // With a tag that nobody knows it is a text; `!reset null` is a null still.
                None if local.is_some() => plain && meaning(&text) == Meaning::Null,
                None => plain,
            },
            text,
        },
        other => other,
    };
    Ok(Value {
        at,
        tag: local.map(|tag| format!("{}{}", tag.handle(), tag.suffix())),
        content,
    })
}
