//! JSON (RFC 8259) and YAML 1.2: one scalar that is right in both, and the scalars of a whole document by their paths.

use super::{Entries, Unreadable, Unwritable};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_yaml::granit_parser::{self as yaml, Event, Parser, ScalarStyle, Span, StrInput};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

/// Appends the value as a JSON string that YAML's double quotes read the same: what YAML calls unprintable, or a line
/// break, is escaped, and what is beyond U+FFFF isn't, since YAML has no surrogate pairs.
pub(super) fn write(value: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
    let Ok(text) = std::str::from_utf8(value) else {
        return Err(Unwritable {
            why: "bytes that are not UTF-8",
            instead: "base64-encode it",
        });
    };
    out.push(b'"');
    for found in text.chars() {
        let escape: &[u8] = match found {
            '"' => b"\\\"",
            '\\' => b"\\\\",
            '\n' => b"\\n",
            '\r' => b"\\r",
            '\t' => b"\\t",
            '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(found)).as_bytes());
                continue;
            }
            _ => {
                out.extend_from_slice(found.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
        };
        out.extend_from_slice(escape);
    }
    out.push(b'"');
    Ok(())
}

/// The scalars of a JSON document.
pub(super) fn read_json(text: &str) -> Result<Entries<'_>, Unreadable> {
    let mut document = serde_json::Deserializer::from_str(text);
    let scalars =
        Scalars::deserialize(&mut document).and_then(|scalars| document.end().map(|()| scalars));
    match scalars {
        Ok(Scalars(entries)) => Ok(entries),
        Err(error) => Err(Unreadable {
            line: error.line(),
            why: "not a JSON document",
        }),
    }
}

/// How deep a YAML document may nest.
const DEPTH: usize = 64;

/// The scalars of a YAML file, as they are written; with more than one document in it, each path starts with the
/// document's index.
pub(super) fn read_yaml(text: &str) -> Result<Entries<'_>, Unreadable> {
    let mut reader = Yaml {
        events: Parser::new_from_str_with_options(
            text,
            yaml::options! {
                emit_comments: false,
                flow_nesting_limit: DEPTH,
                block_nesting_limit: DEPTH,
            },
        ),
        entries: Entries::new(),
    };
    let mut documents = Vec::new();
    loop {
        match reader.event()?.0 {
            Event::StreamEnd => break,
            Event::DocumentStart(..) => {
                let root = reader.event()?;
                reader.node(root, &mut String::new())?;
                documents.push(std::mem::take(&mut reader.entries));
            }
            _ => {}
        }
    }
    if documents.len() < 2 {
        return Ok(documents.pop().unwrap_or_default());
    }
    let mut entries = Entries::new();
    for (index, scalars) in documents.into_iter().enumerate() {
        for (path, value) in scalars {
            let path = if path.is_empty() {
                index.to_string()
            } else {
                format!("{index}.{path}")
            };
            entries.push((Cow::Owned(path), value));
        }
    }
    Ok(entries)
}

/// A YAML file that is being read, and the scalars of the document so far.
struct Yaml<'a> {
    events: Parser<'a, StrInput<'a>>,
    entries: Entries<'a>,
}

impl<'a> Yaml<'a> {
    fn event(&mut self) -> Result<(Event<'a>, Span), Unreadable> {
        match self.events.next() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(no_yaml(error.marker().line())),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// The node that begins with `event`; `path` is as it was when this returns.
    fn node(
        &mut self,
        (event, span): (Event<'a>, Span),
        path: &mut String,
    ) -> Result<(), Unreadable> {
        match event {
            Event::Scalar(text, style, 0, None) => {
                // The parser spells a value that isn't there `~`.
                let missing = style == ScalarStyle::Plain && span.start.index() == span.end.index();
                let value = match text {
                    _ if missing => Cow::Borrowed(b"".as_slice()),
                    Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                    Cow::Owned(text) => Cow::Owned(text.into_bytes()),
                };
                self.entries.push((Cow::Owned(path.clone()), value));
            }
            Event::SequenceStart(_, 0, None) => {
                for index in 0.. {
                    let item = self.event()?;
                    if item.0 == Event::SequenceEnd {
                        break;
                    }
                    self.child(item, &index.to_string(), path)?;
                }
            }
            Event::MappingStart(_, 0, None) => {
                let mut keys = BTreeSet::new();
                loop {
                    let (key, place) = match self.event()? {
                        (Event::MappingEnd, _) => break,
                        (Event::Scalar(key, _, 0, None), span) => (key, span.start.line()),
                        (_, span) => return Err(no_yaml(span.start.line())),
                    };
                    let value = self.event()?;
                    self.child(value, &key, path)?;
                    if !keys.insert(key) {
                        return Err(no_yaml(place));
                    }
                }
            }
            _ => return Err(no_yaml(span.start.line())),
        }
        Ok(())
    }

    /// The node that a key or an index leads to.
    fn child(
        &mut self,
        begins: (Event<'a>, Span),
        step: &str,
        path: &mut String,
    ) -> Result<(), Unreadable> {
        let length = path.len();
        if length > 0 {
            path.push('.');
        }
        path.push_str(step);
        self.node(begins, path)?;
        path.truncate(length);
        Ok(())
    }
}

fn no_yaml(line: usize) -> Unreadable {
    Unreadable {
        line,
        why: "not a YAML document without anchors, tags and double keys",
    }
}

struct Scalars<'de>(Entries<'de>);

impl<'de> Deserialize<'de> for Scalars<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut entries = Entries::new();
        Node {
            entries: &mut entries,
            path: &mut String::new(),
        }
        .deserialize(deserializer)?;
        Ok(Scalars(entries))
    }
}

/// A node of a document: its scalars go to `entries`, each under `path` and what leads to it from here.
struct Node<'a, 'de> {
    entries: &'a mut Entries<'de>,
    path: &'a mut String,
}

impl<'de> Node<'_, 'de> {
    fn scalar(self, value: impl Into<Cow<'de, [u8]>>) {
        self.entries
            .push((Cow::Owned(self.path.clone()), value.into()));
    }

    /// The node that a key or an index leads to; the caller cuts the path back.
    fn child(&mut self, step: &str) -> Node<'_, 'de> {
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(step);
        Node {
            entries: self.entries,
            path: self.path,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.scalar(value.to_string().into_bytes());
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.scalar(value.to_string().into_bytes());
        Ok(())
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<(), E> {
        self.scalar(value.to_string().into_bytes());
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.scalar(value.to_string().into_bytes());
        Ok(())
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<(), E> {
        self.scalar(value.to_string().into_bytes());
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.scalar(value.to_string().into_bytes());
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.scalar(value.as_bytes().to_vec());
        Ok(())
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<(), E> {
        self.scalar(value.as_bytes());
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.scalar(b"null".as_slice());
        Ok(())
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let length = self.path.len();
        let mut index = 0_usize;
        while items
            .next_element_seed(self.child(&index.to_string()))?
            .is_some()
        {
            self.path.truncate(length);
            index += 1;
        }
        self.path.truncate(length);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let length = self.path.len();
        while let Some(key) = members.next_key::<Cow<'_, str>>()? {
            members.next_value_seed(self.child(&key))?;
            self.path.truncate(length);
        }
        Ok(())
    }
}
