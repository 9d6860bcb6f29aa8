//! What YAML is to dotage: a vault's flat mapping of strings, the tree of an inventory, and the documents of other programs.
//! The one home of YAML.
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

mod document;
mod flat;
mod plain;
mod tree;

pub use document::{Content, Meaning, Value, documents, meaning};
pub use flat::{flat, flat_text};
pub use tree::{Key, Kind, Node, problem, tree};

use crate::problem::{Place, Problem};
use serde_yaml::granit_parser::{
    self as yaml, ErrorKind, Event, Marker, Parser, ScalarStyle, Span, StrInput,
};
use std::borrow::Cow;
use std::path::Path;

/// How many scalars, lists and mappings an inventory may hold: 10,000 variables with all that is said of each.
const NODES: usize = 200_000;

/// How deep an inventory may nest.
const DEPTH: usize = 16;

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

/// Where in a text: line and column in characters, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
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
        Events(parser(text, DEPTH))
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

/// The parser of a text that may nest so deep.
fn parser(text: &str, depth: usize) -> Parser<'_, StrInput<'_>> {
    Parser::new_from_str_with_options(
        text,
        yaml::options! {
            disallow_directives: true,
            emit_comments: false,
            flow_nesting_limit: depth + 1,
            block_nesting_limit: depth + 1,
        },
    )
}

/// Refuses a character that YAML takes only escaped.
fn printable(text: &str) -> Result<(), Fault> {
    // Nearly every text is plain ASCII: eight bytes at a time, of which a line feed makes us look at each.
    let odd = |b: &u8| (*b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r')) || *b >= 0x7f;
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let plain = |word: &[u8; 8]| {
        let bytes = u64::from_le_bytes(*word);
        // A byte below 0x20 borrows into its highest bit, one above 0x7e carries into it.
        let below = bytes.wrapping_sub(0x2020_2020_2020_2020);
        let above = bytes.wrapping_add(0x0101_0101_0101_0101);
        (below | above | bytes) & 0x8080_8080_8080_8080 == 0 || !word.iter().any(odd)
    };
    if words.iter().all(plain) && !rest.iter().any(odd) {
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

/// Whether a character must not stand in YAML as it is: what YAML 1.2.2 §5.1 calls not printable, and what YAML 1.1
/// (§4.2) takes for a line break. A byte order mark belongs to neither place nor value.
fn escaped(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

#[cfg(test)]
mod tests;
