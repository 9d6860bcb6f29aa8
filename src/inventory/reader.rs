//! The pieces of an inventory's tree as texts, numbers, days and modes, with a problem for whatever is none.

use super::Spot;
use crate::problem::Problem;
use crate::secret::Name;
use crate::time::{self, Date};
use crate::yaml::{self, At, Key, Kind, Node};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// A kind of mapping: what it is called, and the keys it may have.
pub(super) type Shape = (&'static str, &'static [&'static str]);

/// Collects problems while the tree is read.
pub(super) struct Reader<'t> {
    pub(super) path: &'t Path,
    pub(super) text: &'t str,
    pub(super) problems: Vec<Problem>,
}

/// A mapping whose keys are known, to be taken out one by one.
pub(super) struct Fields<'t> {
    /// Where it begins.
    pub(super) at: At,
    shape: Shape,
    entries: Vec<(Key<'t>, Node<'t>)>,
}

/// A value and the key it belongs to.
pub(super) struct Field<'t> {
    pub(super) key: &'static str,
    pub(super) node: Node<'t>,
}

impl<'t> Fields<'t> {
    /// Whether it has a value for `key`.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(other, _)| other.text == key)
    }

    /// Takes the value of `key`.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Field<'t>> {
        debug_assert!(self.shape.1.contains(&key), "{key} of {}", self.shape.0);
        let index = self
            .entries
            .iter()
            .position(|(other, _)| other.text == key)?;
        let (_, node) = self.entries.swap_remove(index);
        Some(Field { key, node })
    }
}

impl<'t> Reader<'t> {
    /// Notes a problem.
    pub(super) fn wrong(
        &mut self,
        rule: &'static str,
        at: At,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let problem = yaml::problem(rule, self.path, self.text, at, message.into()).help(help);
        self.problems.push(problem);
    }

    fn wrong_type(&mut self, field: &Field, wanted: &str) {
        let found = match &field.node.kind {
            Kind::Scalar { text, plain: true } if text.is_empty() => {
                self.wrong(
                    "missing-value",
                    field.node.at,
                    format!("`{}` has no value", field.key),
                    format!("write {wanted}, or remove the key"),
                );
                return;
            }
            Kind::Scalar { .. } => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        };
        self.wrong(
            "wrong-type",
            field.node.at,
            format!("`{}` is {found}", field.key),
            format!("write {wanted}"),
        );
    }

    /// Notes that a key is missing which `fields` can't do without.
    pub(super) fn missing(&mut self, fields: &Fields, key: &'static str, help: &str) {
        let message = format!("{} without `{key}`", one(fields.shape.0));
        self.wrong("missing-key", fields.at, message, help);
    }

    /// A mapping with keys of the author's choosing.
    pub(super) fn map(&mut self, field: Field<'t>, of: &str) -> Vec<(Key<'t>, Node<'t>)> {
        match field.node.kind {
            Kind::Map(entries) => entries,
            // `services:` and nothing below it is how a file begins.
            Kind::Scalar {
                ref text,
                plain: true,
            } if text.is_empty() => Vec::new(),
            _ => {
                self.wrong_type(&field, of);
                Vec::new()
            }
        }
    }

    /// A mapping with keys of ours; another key is a problem. `at`: where to point when a key is missing.
    pub(super) fn fields(&mut self, at: At, node: Node<'t>, shape: Shape) -> Fields<'t> {
        let (what, keys) = shape;
        let entries = match node.kind {
            Kind::Map(entries) => entries,
            Kind::Scalar {
                ref text,
                plain: true,
            } if text.is_empty() => Vec::new(),
            _ => {
                let message = format!("{} that is no mapping", one(what));
                self.wrong(
                    "wrong-type",
                    node.at,
                    message,
                    format!("write `key: value` lines; it may have {}", keys.join(", ")),
                );
                Vec::new()
            }
        };
        for (key, _) in &entries {
            if !keys.contains(&key.text.as_ref()) {
                let message = format!("`{}` is no key of {}", key.text, one(what));
                let help = match nearest(&key.text, keys.iter().copied()) {
                    Some(near) => format!("write `{near}`"),
                    None => format!("it may have {}", keys.join(", ")),
                };
                self.wrong("unknown-key", key.at, message, help);
            }
        }
        Fields { at, shape, entries }
    }

    /// A text. Numbers and words like `true` count as they are written.
    pub(super) fn text(&mut self, field: Field<'t>) -> Option<Spot<String>> {
        let at = field.node.at;
        match field.node.kind {
            Kind::Scalar { text, plain } if !(plain && text.is_empty()) => Some(Spot {
                at,
                value: text.into_owned(),
            }),
            _ => {
                self.wrong_type(&field, "a text");
                None
            }
        }
    }

    /// A text, or several in a list.
    pub(super) fn texts(&mut self, field: Option<Field<'t>>) -> Vec<Spot<String>> {
        let Some(Field { key, node }) = field else {
            return Vec::new();
        };
        match node.kind {
            Kind::List(items) => items
                .into_iter()
                .filter_map(|node| self.text(Field { key, node }))
                .collect(),
            Kind::Map(_) => {
                self.wrong_type(&Field { key, node }, "a text or a list of texts");
                Vec::new()
            }
            Kind::Scalar { .. } => self.text(Field { key, node }).into_iter().collect(),
        }
    }

    /// A text of which only the value matters.
    pub(super) fn plain_text(&mut self, field: Option<Field<'t>>) -> Option<String> {
        field
            .and_then(|field| self.text(field))
            .map(|spot| spot.value)
    }

    /// A text that `read` understands; `wanted` says what it should be.
    fn parsed<T>(
        &mut self,
        field: Option<Field<'t>>,
        wanted: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<Spot<T>> {
        let field = field?;
        let key = field.key;
        let Spot { at, value } = self.text(field)?;
        let read = read(&value);
        if read.is_none() {
            self.wrong(
                "bad-value",
                at,
                format!("`{key}` can't be `{value}`"),
                format!("write {wanted}"),
            );
        }
        read.map(|value| Spot { at, value })
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        field: Option<Field<'t>>,
        words: &[(&str, T)],
    ) -> Option<T> {
        let field = Some(field?);
        let wanted: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        self.parsed(field, &wanted.join(" or "), |text| {
            words
                .iter()
                .find(|(word, _)| *word == text)
                .map(|(_, meaning)| *meaning)
        })
        .map(|spot| spot.value)
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, field: Option<Field<'t>>) -> Option<bool> {
        self.word(field, &[("true", true), ("false", false)])
    }

    /// A number from `min` to `max`.
    pub(super) fn number(
        &mut self,
        field: Option<Field<'t>>,
        min: usize,
        max: usize,
    ) -> Option<usize> {
        let field = Some(field?);
        let wanted = format!("a number from {min} to {max}");
        self.parsed(field, &wanted, |text| {
            text.parse()
                .ok()
                .filter(|number| (min..=max).contains(number))
        })
        .map(|spot| spot.value)
    }

    /// An integer.
    pub(super) fn integer(&mut self, field: Option<Field<'t>>) -> Option<i64> {
        self.parsed(field, "an integer", |text| text.parse().ok())
            .map(|spot| spot.value)
    }

    /// A time: a number and a unit.
    pub(super) fn duration(&mut self, field: Option<Field<'t>>) -> Option<Duration> {
        self.parsed(
            field,
            "a number and one of s, m, h, d, w: 90d",
            time::duration,
        )
        .map(|spot| spot.value)
    }

    /// A day.
    pub(super) fn date(&mut self, field: Option<Field<'t>>) -> Option<Date> {
        self.parsed(field, "a day of the calendar: 2027-01-31", date)
            .map(|spot| spot.value)
    }

    /// A file mode.
    pub(super) fn mode(&mut self, field: Option<Field<'t>>) -> Option<u32> {
        self.parsed(
            field,
            "three octal digits that the owner can read and not everybody can write: \"0600\"",
            mode,
        )
        .map(|spot| spot.value)
    }

    /// A path inside the project.
    pub(super) fn inside(&mut self, field: Option<Field<'t>>) -> Option<Spot<PathBuf>> {
        self.parsed(
            field,
            "a path inside the project, relative to dotage.yaml, without `..`",
            |text| {
                let path = Path::new(text);
                let inside = path
                    .components()
                    .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
                (inside && !text.is_empty()).then(|| path.to_owned())
            },
        )
    }

    /// A path.
    pub(super) fn path(&mut self, field: Option<Field<'t>>) -> Option<Spot<PathBuf>> {
        self.parsed(field, "a path", |text| {
            (!text.is_empty()).then(|| PathBuf::from(text))
        })
    }

    /// The name of a variable, at its place.
    pub(super) fn name(&mut self, text: &str, at: At) -> Option<Name> {
        let name = Name::new(text);
        if name.is_none() {
            let message = format!("`{text}` is no name of a variable");
            self.wrong(
                "bad-name",
                at,
                message,
                "use letters, digits and `_`, and no digit first",
            );
        }
        name
    }

    /// Names of variables.
    pub(super) fn names(&mut self, field: Option<Field<'t>>) -> Vec<Spot<Name>> {
        let texts = self.texts(field);
        texts
            .into_iter()
            .filter_map(|Spot { at, value }| self.name(&value, at).map(|value| Spot { at, value }))
            .collect()
    }

    /// The name of a profile, a service, a class, a bundle or a target: it may become a file's name.
    pub(super) fn label(&mut self, text: &str, at: At, what: &str) -> bool {
        let good = text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if !good {
            let message = format!("`{text}` can't be the name of a {what}");
            self.wrong(
                "bad-name",
                at,
                message,
                "use letters, digits, `-`, `_` and `.`, and a letter or digit first",
            );
        }
        good
    }
}

/// A thing with its article.
fn one(what: &str) -> String {
    let article = if what.starts_with(['e', 'i']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {what}")
}

/// The word of `words` that is most like `text`, if one is like it at all.
pub(super) fn nearest<'w>(text: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let text = text.to_lowercase();
    words
        .filter_map(|word| {
            let lower = word.to_lowercase();
            let begun = text.len() >= 3 && lower.starts_with(&text);
            let distance = strsim::damerau_levenshtein(&text, &lower);
            (begun || distance * 3 <= lower.len()).then_some((distance, word))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

fn date(text: &str) -> Option<Date> {
    let digits = |range: std::ops::Range<usize>| -> Option<u16> {
        let part = text.get(range)?;
        part.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| part.parse().ok())?
    };
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    let dashes = text.len() == 10 && text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    (dashes && (1..=days).contains(&day)).then_some(Date {
        year,
        month: u8::try_from(month).ok()?,
        day: u8::try_from(day).ok()?,
    })
}

fn mode(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let octal =
        (3..=4).contains(&digits.len()) && digits.bytes().all(|b| (b'0'..=b'7').contains(&b));
    let mode = octal.then(|| u32::from_str_radix(digits, 8).ok())??;
    (mode <= 0o777 && mode & 0o400 != 0 && mode & 0o002 == 0).then_some(mode)
}
