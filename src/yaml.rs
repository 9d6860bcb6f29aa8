//! What YAML is to dotage: a vault's flat mapping of strings, and the tree of an inventory. The one home of YAML.
//!
//! # Why
//!
//! `serde_yaml` is archived, and its continuations keep libyaml's rules: 130 KB of aliases become 1.9 GiB, 200 KB of
//! `[` take 45 s, a duplicate key wins in silence. Behind that name stands serde-saphyr, which is maintained, has no
//! unsafe code and refuses all three. Of it we read the parser's events and not its serde side, because only an event
//! still knows whether a scalar was quoted and where it stood: that is what "quote it" and a caret are made of. It is
//! also less than half the time.
//!
//! YAML has two schemas that disagree (1.1 and 1.2), and readers that follow neither. A vault must say the same to all
//! of them, so a vault's value that any of them could take for something else than its text is refused.
//!
//! No word of a foreign error is shown: they quote their input. Ours name a line and a name.

use crate::problem::{Place, Problem};
use crate::secret::{Name, Secret};
use serde_yaml::granit_parser::{
    self as yaml, ErrorKind, Event, Marker, Parser, ScalarStyle, Span, StrInput,
};
use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;
use zeroize::Zeroizing;

/// How deep an inventory may nest.
const DEPTH: usize = 16;
/// How many scalars, lists and mappings an inventory may hold: 10,000 variables with all that is said of each.
const NODES: usize = 200_000;
/// How many bytes an inventory may have.
const SIZE: usize = 1 << 20;

/// No place in particular.
const WHOLE: At = At { line: 0, column: 0 };

/// What stands there, and what to write instead.
type Words = (&'static str, &'static str);

const ANCHOR: Words = (
    "an anchor (`&…`) or an alias (`*…`)",
    "write the value out; quote one that begins with `&` or `*`",
);
const DEEP: Words = ("nested deeper than 16", "flatten it");
const DUPLICATE: Words = ("a second entry of this name", "remove one of the two");
const MERGE: Words = ("a merge key (`<<`)", "write the entries out");
const TAG: Words = ("a tag (`!…`)", "quote a value that begins with `!`");

/// Why a text isn't the YAML that we take. Holds no byte of the text but a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1; 0 for the whole text.
    pub line: usize,
    /// The column in characters, from 1; 0 for the whole line.
    pub column: usize,
    /// The name whose entry it is in, where that is known.
    pub name: Option<String>,
    /// The reason: a phrase that says what stands there.
    pub why: &'static str,
    /// What to write instead.
    pub help: &'static str,
}

impl Fault {
    /// The problem to print, at its place in `path`; the excerpt is the caller's, when the text is no secret.
    #[must_use]
    pub fn problem(&self, path: &Path) -> Problem {
        let message = match &self.name {
            Some(name) => format!("{name}: {}", self.why),
            None => self.why.to_owned(),
        };
        Problem::new("yaml", message)
            .at(Place::at(path, self.line, self.column))
            .help(self.help)
    }
}

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
fn as_written(text: &str) -> Option<Vec<(Name, Secret, usize)>> {
    let mut entries: Vec<(Name, Secret, usize)> = Vec::with_capacity(text.len() / 64);
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
fn unescaped(value: &str) -> Option<Secret> {
    let special = |b: &u8| matches!(b, b'"' | b'\\' | b'\r');
    if !value
        .as_bytes()
        .iter()
        .fold(false, |any, b| any | special(b))
    {
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
fn entries(text: &str) -> Result<Vec<(Name, Secret, usize)>, Fault> {
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
fn name(key: &str, style: ScalarStyle, span: &Span) -> Result<Name, Fault> {
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
fn string(text: &str, token: Token, span: &Span) -> Result<Secret, Fault> {
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
fn always_text(plain: &str) -> bool {
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
fn word(plain: &str) -> bool {
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
fn written(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\t' | '\r' => 2,
        c if escaped(c) => 6,
        c => c.len_utf8(),
    }
}

/// Whether a character must not stand in YAML as it is: what YAML 1.2.2 §5.1 calls not printable, and what YAML 1.1
/// (§4.2) takes for a line break. A byte order mark belongs to neither place nor value.
fn escaped(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

/// Where in a text: line and column in characters, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A value of an inventory, and where it stands.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    /// Where it begins.
    pub at: At,
    /// What it is.
    pub kind: Kind<'a>,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind<'a> {
    /// A text; `plain` when it was written without quotes, so that `true` or `12` may mean more than text.
    Scalar {
        /// The text.
        text: Cow<'a, str>,
        /// Written without quotes.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node<'a>>),
    /// A mapping, in the order of the file. Its keys differ.
    Map(Vec<(Key<'a>, Node<'a>)>),
}

/// A key of a mapping, and where it stands.
#[derive(Clone, Debug)]
pub struct Key<'a> {
    /// The key.
    pub text: Cow<'a, str>,
    /// Where it begins.
    pub at: At,
}

/// An inventory's text as a tree. An empty document is an empty mapping.
///
/// # Errors
/// Where it isn't YAML, holds an anchor, alias, tag, merge key, duplicate key or second document, nests deeper than 16,
/// or is larger than 1 MiB or 200,000 nodes.
pub fn tree<'a>(path: &Path, text: &'a str) -> Result<Node<'a>, Problem> {
    grow(text).map_err(|fault| quoting(fault.problem(path), text))
}

/// A problem at a place of an inventory's text, with the line it is about.
#[must_use]
pub fn problem(rule: &'static str, path: &Path, text: &str, at: At, message: String) -> Problem {
    quoting(
        Problem::new(rule, message).at(Place::at(path, at.line, at.column)),
        text,
    )
}

/// The problem with the line of `text` that it is about, unless that line is too long to help anybody.
fn quoting(problem: Problem, text: &str) -> Problem {
    let line = problem.place.as_ref().map_or(0, |place| place.line);
    match line.checked_sub(1).and_then(|skip| text.lines().nth(skip)) {
        Some(line) if line.len() <= 400 => problem.excerpt(line),
        _ => problem,
    }
}

/// [`tree`], with a fault that knows neither path nor excerpt.
fn grow(text: &str) -> Result<Node<'_>, Fault> {
    if text.len() > SIZE {
        return Err(fault(
            WHOLE,
            (
                "larger than 1 MiB",
                "keep values out of it: they belong in a vault",
            ),
        ));
    }
    printable(text)?;
    let empty = Node {
        at: At { line: 1, column: 1 },
        kind: Kind::Map(Vec::new()),
    };
    let mut events = Events::new(text);
    let Some((token, span)) = events.root()? else {
        return Ok(empty);
    };
    let mut left = NODES;
    let root = node(&mut events, token, &span, 0, &mut left)?;
    events.finish()?;
    match root.kind {
        Kind::Scalar { text, plain: true } if text.is_empty() => Ok(empty),
        kind => Ok(Node { at: root.at, kind }),
    }
}

/// The node that begins with `token`, at `depth`, while there are nodes `left`.
fn node<'a>(
    events: &mut Events<'a>,
    token: Token<'a>,
    span: &Span,
    depth: usize,
    left: &mut usize,
) -> Result<Node<'a>, Fault> {
    let at = at(span);
    if depth > DEPTH {
        return Err(fault(at, DEEP));
    }
    *left = left.checked_sub(1).ok_or_else(|| {
        fault(
            at,
            (
                "more than 200,000 values",
                "split the project: each folder may have a dotage.yaml",
            ),
        )
    })?;
    let kind = match token {
        Token::Scalar(text, style) => Kind::Scalar {
            text,
            plain: style == ScalarStyle::Plain,
        },
        Token::List => {
            let mut items = Vec::new();
            loop {
                let (token, span) = events.next()?;
                if let Token::Close = token {
                    break Kind::List(items);
                }
                items.push(node(events, token, &span, depth + 1, left)?);
            }
        }
        Token::Map => {
            let mut entries = Vec::new();
            loop {
                let (token, span) = events.next()?;
                let key = match token {
                    Token::Close => break,
                    Token::Scalar(text, style) => {
                        if style == ScalarStyle::Plain && text == "<<" {
                            return Err(fault(self::at(&span), MERGE));
                        }
                        Key {
                            text,
                            at: self::at(&span),
                        }
                    }
                    Token::List | Token::Map => {
                        return Err(fault(
                            self::at(&span),
                            (
                                "a list or a mapping where a key belongs",
                                "quote a text that begins with a bracket, a brace or a `{{`",
                            ),
                        ));
                    }
                };
                let (token, span) = events.next()?;
                entries.push((key, node(events, token, &span, depth + 1, left)?));
            }
            if let Some(second) = duplicate(entries.iter().map(|(key, _)| key.text.as_ref())) {
                let key = &entries[second].0;
                return Err(Fault {
                    line: key.at.line,
                    column: key.at.column,
                    name: Some(key.text.to_string()),
                    ..fault(WHOLE, DUPLICATE)
                });
            }
            Kind::Map(entries)
        }
        Token::Close => {
            return Err(fault(
                at,
                ("nothing where a value belongs", "write a value"),
            ));
        }
    };
    Ok(Node { at, kind })
}

/// The index of the first key that an earlier one equals.
fn duplicate<'k>(keys: impl Iterator<Item = &'k str> + Clone) -> Option<usize> {
    if keys.clone().is_sorted_by(|a, b| a < b) {
        return None;
    }
    let mut sorted: Vec<(&str, usize)> = keys.zip(0..).collect();
    sorted.sort_unstable();
    sorted
        .windows(2)
        .filter(|pair| pair[0].0 == pair[1].0)
        .map(|pair| pair[1].1)
        .min()
}

/// What a document is made of, without what we take from nobody: anchors, aliases, tags, a second document.
struct Events<'a>(Parser<'a, StrInput<'a>>);

/// One of the parts.
enum Token<'a> {
    Scalar(Cow<'a, str>, ScalarStyle),
    List,
    Map,
    Close,
}

impl<'a> Events<'a> {
    fn new(text: &'a str) -> Self {
        Events(Parser::new_from_str_with_options(
            text,
            yaml::options! {
                disallow_directives: true,
                emit_comments: false,
                flow_nesting_limit: DEPTH + 1,
                block_nesting_limit: DEPTH + 1,
            },
        ))
    }

    fn event(&mut self) -> Result<(Event<'a>, Span), Fault> {
        match self.0.next() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(fault(place(*error.marker()), words(error.kind()))),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// The first token of the document, if there is a document.
    fn root(&mut self) -> Result<Option<(Token<'a>, Span)>, Fault> {
        loop {
            match self.event()?.0 {
                Event::StreamEnd => return Ok(None),
                Event::DocumentStart(..) => return self.next().map(Some),
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<(Token<'a>, Span), Fault> {
        let (event, span) = self.event()?;
        let (token, anchor, tag) = match event {
            // The parser spells a value that isn't there `~`.
            Event::Scalar(_, style @ ScalarStyle::Plain, anchor, tag)
                if span.start.index() == span.end.index() =>
            {
                (Token::Scalar(Cow::Borrowed(""), style), anchor, tag)
            }
            Event::Scalar(text, style, anchor, tag) => (Token::Scalar(text, style), anchor, tag),
            Event::SequenceStart(_, anchor, tag) => (Token::List, anchor, tag),
            Event::MappingStart(_, anchor, tag) => (Token::Map, anchor, tag),
            Event::Alias(id) => (Token::Close, id, None),
            _ => (Token::Close, 0, None),
        };
        if anchor > 0 {
            return Err(fault(at(&span), ANCHOR));
        }
        if tag.is_some() {
            let start = span.tag_start().unwrap_or(span.start);
            return Err(fault(place(start), TAG));
        }
        Ok((token, span))
    }

    /// Nothing but the end is left.
    fn finish(&mut self) -> Result<(), Fault> {
        loop {
            match self.event()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentStart(..), span) => {
                    return Err(fault(
                        at(&span),
                        (
                            "a second document",
                            "remove the line `---` and put everything into one mapping",
                        ),
                    ));
                }
                _ => {}
            }
        }
    }
}

/// Refuses a character that YAML takes only escaped.
fn printable(text: &str) -> Result<(), Fault> {
    // Nearly every text is plain ASCII, and this loop runs at the speed of memory.
    let odd = |b: &u8| (*b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r')) || *b >= 0x7f;
    if !text.as_bytes().iter().fold(false, |any, b| any | odd(b)) {
        return Ok(());
    }
    for (line, content) in text.split('\n').enumerate() {
        for (column, c) in content.chars().enumerate() {
            if escaped(c) && !(c == '\u{feff}' && line == 0 && column == 0) {
                return Err(fault(
                    At {
                        line: line + 1,
                        column: column + 1,
                    },
                    (
                        "a control character",
                        "write it in double quotes as an escape: \"\\u001b\"",
                    ),
                ));
            }
        }
    }
    Ok(())
}

fn at(span: &Span) -> At {
    place(span.start)
}

fn place(marker: Marker) -> At {
    At {
        line: marker.line(),
        column: marker.col() + 1,
    }
}

fn fault(at: At, (why, help): Words) -> Fault {
    Fault {
        line: at.line,
        column: at.column,
        name: None,
        why,
        help,
    }
}

/// Our words for the parser's errors: what stands there, and what to write.
fn words(kind: &ErrorKind) -> Words {
    use ErrorKind as E;
    match kind {
        E::RecursionLimitExceeded => DEEP,
        E::UnknownAnchor | E::MissingAnchorOrAliasName => ANCHOR,
        E::UnclosedQuotedScalar | E::DocumentIndicatorInQuotedScalar => {
            ("a quote that is never closed", "close it")
        }
        E::InvalidTrailingDoubleQuotedScalar | E::InvalidTrailingSingleQuotedScalar => (
            "text after the closing quote",
            "write `\\\"` for a `\"` inside double quotes, `''` for a `'` inside single quotes",
        ),
        E::UnknownQuotedScalarEscape
        | E::InvalidQuotedScalarHexEscape
        | E::InvalidLowSurrogateHexEscape
        | E::InvalidLowSurrogate
        | E::MissingLowSurrogate
        | E::UnpairedLowSurrogate
        | E::InvalidUnicodeEscape => (
            "an escape in double quotes that YAML doesn't know",
            "write `\\\\` for a backslash, or use single quotes",
        ),
        E::UnclosedFlowCollection { .. }
        | E::UnexpectedEofFlowSequence
        | E::UnexpectedEofFlowMapping
        | E::UnexpectedEofImplicitFlowMapping
        | E::ExpectedFlowMappingSeparator
        | E::ExpectedFlowSequenceSeparator => (
            "a bracket or a brace that is never closed, or a comma missing in it",
            "close it; quote a text that begins with a bracket or a brace",
        ),
        E::MisplacedFlowCollectionEnd | E::MismatchedFlowCollectionEnd { .. } => (
            "a closing bracket or brace that nothing opened",
            "remove it, or quote the text",
        ),
        E::TabNotAllowed
        | E::TabInBlockIndentation
        | E::TabInIndentation
        | E::TabAtBlockScalarStart
        | E::TabInPlainScalar => ("a tab where YAML takes spaces", "indent with spaces"),
        E::UnexpectedCharacter { .. } => (
            "a character that YAML reserves (`@` or a backtick) at the start of a text",
            "quote the text",
        ),
        E::MappingValueNotAllowed
        | E::InvalidColonPlacement
        | E::InvalidMappingValueWhitespace
        | E::FlowMappingValueAdjacentCollection => (
            "a `:` that makes this a key where a key can't stand",
            "quote a text that holds `: `; check the indentation",
        ),
        E::SimpleKeyExpected | E::InvalidSimpleKey => (
            "a line that is no `key: value`",
            "write a `: ` after the key; indent a continued text deeper",
        ),
        E::InvalidIndentation
        | E::InvalidBlockScalarIndent
        | E::InvalidQuotedScalarIndent
        | E::InvalidFlowScalarIndent
        | E::ExpectedBlockMappingKey
        | E::ExpectedBlockSequenceEntry
        | E::MappingKeyNotAllowed
        | E::BlockSequenceEntryNotAllowed
        | E::UnexpectedEofBlockMapping
        | E::UnexpectedEofBlockSequence => (
            "a line whose indentation fits nothing above it",
            "indent it like its neighbours",
        ),
        E::DirectiveDisallowed => ("a directive (`%…`)", "quote a text that begins with `%`"),
        E::ExpectedTagBang
        | E::InvalidTagTerminator
        | E::MissingTagUri
        | E::UnclosedVerbatimTag
        | E::InvalidTagEscape
        | E::UndeclaredTagHandle => TAG,
        _ => (
            "not YAML",
            "look for a missing quote or a wrong indentation here",
        ),
    }
}

#[cfg(test)]
mod tests;
