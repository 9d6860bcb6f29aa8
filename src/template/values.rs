//! What the engine sees of values, and what it may make of them: holes, and nothing that isn't text.

use super::{Listed, Scope, fact};
use crate::dialect::Dialect;
use crate::secret::{Secret, Secrets};
use minijinja::value::{Enumerator, Object, Value, ValueKind};
use minijinja::{Error, ErrorKind, Output};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// The largest skeleton (the text without its values), in bytes.
pub(super) const MAX_TEXT: usize = 32 << 20;

/// A hole is `OPEN`, its number in hexadecimal as 16 further noncharacters, `CLOSE`. Unicode sets U+FDD0–U+FDEF aside
/// for a program's internal use (The Unicode Standard, §23.7), so no text has them by right; a template that does is refused.
pub(super) const OPEN: char = '\u{fdd0}';
pub(super) const CLOSE: char = '\u{fdd1}';
pub(super) const DIGIT_ZERO: u32 = 0xfde0;

/// What the formatter has seen: the values aside, and why it refused one.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) holes: Vec<String>,
    pub(super) stop: Option<usize>,
    pub(super) refused: Option<Refusal>,
}

#[derive(Clone, Copy)]
pub(super) struct Refusal {
    pub(super) rule: &'static str,
    pub(super) message: &'static str,
    pub(super) help: &'static str,
}

impl Recorder {
    pub(super) fn write(&mut self, out: &mut Output, value: &Value) -> Result<(), Error> {
        // Text that a block captured or an author marked `raw`: holes and all, as it is.
        if value.is_safe() {
            return Ok(out.write_str(value.as_str().unwrap_or_default())?);
        }
        let text = match value.kind() {
            ValueKind::String => value.as_str().unwrap_or_default().to_owned(),
            ValueKind::Number => value.to_string(),
            kind => {
                let (message, help) = match kind {
                    ValueKind::Undefined => (
                        "a name that is not defined",
                        "declare it in dotage.yaml (env.NAME: under `env:`, and set), or give a default: {{ NAME | default(\"\") }}",
                    ),
                    ValueKind::Bytes => (
                        "a value that is not text (its bytes are not UTF-8)",
                        "write {{ NAME | b64encode }}, or use a target with `folder: true`",
                    ),
                    ValueKind::Bool | ValueKind::None => (
                        "a value that is neither text nor a number",
                        "write the text that is meant: {{ \"true\" if … else \"false\" }}",
                    ),
                    _ => (
                        "a list or a mapping where text is expected",
                        "loop over it, or join it: {{ LIST | join(\",\") }}",
                    ),
                };
                self.refused = Some(Refusal {
                    rule: "not-text",
                    message,
                    help,
                });
                return Err(Error::new(ErrorKind::BadSerialization, ""));
            }
        };
        let number = self.holes.len();
        if self.stop == Some(number) {
            self.refused = Some(Refusal {
                rule: "unwritable",
                message: "",
                help: "",
            });
            return Err(Error::new(ErrorKind::BadSerialization, ""));
        }
        self.holes.push(text);
        out.write_char(OPEN)?;
        for digit in format!("{number:x}").bytes() {
            let value = if digit.is_ascii_digit() {
                digit - b'0'
            } else {
                digit - b'a' + 10
            };
            out.write_char(char::from_u32(DIGIT_ZERO + u32::from(value)).unwrap_or(CLOSE))?;
        }
        Ok(out.write_char(CLOSE)?)
    }
}

/// The scope as the engine asks for it: by name, when a name is used.
pub(super) struct Visible(pub(super) Scope);

impl std::fmt::Debug for Visible {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scope")
    }
}

impl Object for Visible {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let scope = &self.0;
        if let Some(secret) = scope.secrets.get(key) {
            return Some(value_of(secret));
        }
        match key {
            "profile" => Some(Value::from(scope.profile.as_str())),
            "service" => scope.service.as_deref().map(Value::from),
            "env" => Some(Value::from(scope.env.clone())),
            "vars" => Some(fact(&scope.data)),
            "previous" => {
                let previous = scope.previous.iter();
                let previous = previous.map(|(name, secret)| (name.as_str(), value_of(secret)));
                Some(Value::from(previous.collect::<BTreeMap<_, _>>()))
            }
            "variables" => Some(
                scope
                    .variables
                    .iter()
                    .map(|listed| listed.value(&scope.secrets))
                    .collect(),
            ),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

impl Listed {
    fn value(&self, secrets: &Secrets) -> Value {
        Value::from(BTreeMap::from([
            ("name", Value::from(self.name.as_str())),
            (
                "value",
                secrets.get(&self.name).map_or(Value::UNDEFINED, value_of),
            ),
            ("sensitive", Value::from(self.sensitive)),
            ("purpose", Value::from(self.purpose.as_str())),
        ]))
    }
}

/// A writer that stops at `MAX_TEXT`.
pub(super) struct Bounded(pub(super) Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_TEXT {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(super) fn value_of(secret: &Secret) -> Value {
    match std::str::from_utf8(secret.expose()) {
        Ok(text) => Value::from(text),
        Err(_) => Value::from_bytes(secret.expose().to_vec()),
    }
}

pub(super) fn is_document(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::Json | Dialect::Yaml)
}

/// The text of a filter's input. A text with a hole in it was captured in a block: its value is not there to be changed.
pub(super) fn text_of(value: &Value) -> Result<&str, Error> {
    match value.as_str() {
        Some(text) if !text.contains(OPEN) => Ok(text),
        Some(_) => Err(Error::new(ErrorKind::EvalBlock, "")),
        None => Err(Error::new(ErrorKind::NonPrimitive, "")),
    }
}

pub(super) fn bytes_of(value: &Value) -> Result<Vec<u8>, Error> {
    match value.kind() {
        ValueKind::Bytes => Ok(value.as_bytes().unwrap_or_default().to_vec()),
        ValueKind::Number => Ok(value.to_string().into_bytes()),
        ValueKind::Undefined => Err(Error::new(ErrorKind::UndefinedError, "")),
        _ => Ok(text_of(value)?.as_bytes().to_vec()),
    }
}
