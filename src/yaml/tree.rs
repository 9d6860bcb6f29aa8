//! An inventory's text as a tree whose nodes know where they stand.

use super::plain::plain;
use super::{
    At, DEEP, DEPTH, DUPLICATE, Events, Fault, MERGE, Token, WHOLE, at, duplicate, fault, printable,
};
use crate::problem::{Place, Problem};
use serde_yaml::granit_parser::{ScalarStyle, Span};
use std::borrow::Cow;
use std::path::Path;

/// How many bytes an inventory may have.
pub(super) const SIZE: usize = 1 << 20;

/// A value of an inventory, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node<'a> {
    /// Where it begins.
    pub at: At,
    /// What it is.
    pub kind: Kind<'a>,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
pub(super) fn quoting(problem: Problem, text: &str) -> Problem {
    let line = problem.place.as_ref().map_or(0, |place| place.line);
    match line.checked_sub(1).and_then(|skip| text.lines().nth(skip)) {
        Some(line) if line.len() <= 400 => problem.excerpt(line),
        _ => problem,
    }
}

/// [`tree`], with a fault that knows neither path nor excerpt.
pub(super) fn grow(text: &str) -> Result<Node<'_>, Fault> {
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
    match plain(text) {
        Some(root) => Ok(root),
        None => parsed(text),
    }
}

/// The tree of any text that is one.
pub(super) fn parsed(text: &str) -> Result<Node<'_>, Fault> {
    let empty = Node {
        at: At { line: 1, column: 1 },
        kind: Kind::Map(Vec::new()),
    };
    let mut events = Events::new(text);
    let Some((token, span)) = events.root()? else {
        return Ok(empty);
    };
    let mut left = super::NODES;
    let root = node(&mut events, token, &span, 0, &mut left)?;
    events.finish()?;
    match root.kind {
        Kind::Scalar { text, plain: true } if text.is_empty() => Ok(empty),
        kind => Ok(Node { at: root.at, kind }),
    }
}

/// The node that begins with `token`, at `depth`, while there are nodes `left`.
pub(super) fn node<'a>(
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
