//! An inventory in the plain shape that nearly every one has, read without the parser.
//!
//! # Why
//!
//! The parser takes 25,000 instructions for a variable's line, this a tenth. It takes no text that the parser would
//! refuse or read otherwise, which the tests hold it to; so what is unusual is left to the parser, and every error is
//! the parser's.

use super::{At, DEPTH, Key, Kind, NODES, Node, duplicate};
use memchr::{memchr, memchr_iter, memchr2};
use std::borrow::Cow;

/// The longest line, in bytes: YAML takes no longer key, and to count characters takes time.
const LINE: usize = 1000;

/// The tree of a text made of block mappings, block lists and comments, whose values stand on one line each: plain, in
/// quotes without an escape, or in braces or brackets. None for any other text, be it good or bad.
pub(super) fn plain(text: &str) -> Option<Node<'_>> {
    if memchr2(b'\t', b'\r', text.as_bytes()).is_some() {
        return None;
    }
    let mut reader = Reader {
        text,
        number: 0,
        line: None,
        ascii: text.is_ascii(),
        left: NODES,
        entries: Vec::with_capacity(memchr_iter(b'\n', text.as_bytes()).count() + 1),
        items: Vec::new(),
    };
    reader.advance()?;
    let root = reader.block(0)?;
    let whole = reader.line.is_none() && matches!(root.kind, Kind::Map(_));
    whole.then_some(root)
}

/// A line and how much of it has been read.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    text: &'a str,
    indent: usize,
}

impl<'a> Line<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.indent..]
    }
}

/// A text's lines, one of them next.
struct Reader<'a> {
    /// What stands below that line.
    text: &'a str,
    /// The number of that line.
    number: usize,
    /// The line to read: neither blank nor a comment.
    line: Option<Line<'a>>,
    /// Whether each byte is a character.
    ascii: bool,
    /// How many nodes there may still be.
    left: usize,
    /// The entries of the mappings that have begun, each one's after those of the one that it stands in. A mapping that
    /// ends takes its own into a vector of just their size: growing one takes memory, and memory time.
    entries: Vec<(Key<'a>, Node<'a>)>,
    /// The same of the lists.
    items: Vec<Node<'a>>,
}

impl<'a> Reader<'a> {
    /// Goes to the next line that says something. None for one that is too long.
    fn advance(&mut self) -> Option<()> {
        self.line = None;
        while self.line.is_none() && !self.text.is_empty() {
            let end = memchr(b'\n', self.text.as_bytes()).unwrap_or(self.text.len());
            let (text, below) = self.text.split_at(end);
            self.text = below.strip_prefix('\n').unwrap_or(below);
            self.number += 1;
            if end > LINE {
                return None;
            }
            let rest = unindented(text);
            if !rest.is_empty() && !rest.starts_with('#') {
                self.line = Some(Line {
                    number: self.number,
                    text,
                    indent: text.len() - rest.len(),
                });
            }
        }
        Some(())
    }

    /// Where the `rest` of a line begins.
    fn at(&self, line: &Line, rest: &str) -> At {
        let before = &line.text[..line.text.len() - rest.len()];
        let column = if self.ascii {
            before.len()
        } else {
            before.chars().count()
        };
        At {
            line: line.number,
            column: column + 1,
        }
    }

    fn node(&mut self, at: At, kind: Kind<'a>) -> Option<Node<'a>> {
        self.left = self.left.checked_sub(1)?;
        Some(Node { at, kind })
    }

    /// What begins on the next line, and all below it that belongs to it.
    fn block(&mut self, depth: usize) -> Option<Node<'a>> {
        let line = self.line.filter(|_| depth < DEPTH)?;
        let at = self.at(&line, line.rest());
        let kind = if item(line.rest()).is_some() {
            self.list(line.indent, depth + 1)?
        } else if key(line.rest()).is_some() {
            self.map(line.indent, depth + 1)?
        } else {
            return self.inline(&line, line.rest(), depth);
        };
        self.node(at, kind)
    }

    fn list(&mut self, indent: usize, depth: usize) -> Option<Kind<'a>> {
        let first = self.items.len();
        while let Some(line) = self.line.filter(|line| line.indent == indent)
            && let Some(rest) = item(line.rest())
        {
            // What stands after the dash is a line that begins there.
            let indent = line.text.len() - rest.len();
            self.line = Some(Line { indent, ..line });
            let item = self.block(depth)?;
            self.items.push(item);
        }
        let ends = self.line.is_none_or(|line| line.indent <= indent);
        ends.then(|| self.ended_list(first))
    }

    fn map(&mut self, indent: usize, depth: usize) -> Option<Kind<'a>> {
        let first = self.entries.len();
        while let Some(line) = self.line.filter(|line| line.indent >= indent) {
            let (text, rest) = key(line.rest()).filter(|_| line.indent == indent)?;
            let at = self.at(&line, line.rest());
            let value = if is_over(rest) {
                self.advance()?;
                if self.line.is_some_and(|next| next.indent > indent) {
                    self.block(depth)?
                } else {
                    let at = At {
                        column: at.column + text.len(),
                        ..at
                    };
                    self.node(at, written("", true))?
                }
            } else {
                self.inline(&line, unindented(rest), depth)?
            };
            let text = Cow::Borrowed(text);
            self.entries.push((Key { text, at }, value));
        }
        self.ended_map(first)
    }

    fn ended_list(&mut self, first: usize) -> Kind<'a> {
        Kind::List(self.items.drain(first..).collect())
    }

    fn ended_map(&mut self, first: usize) -> Option<Kind<'a>> {
        let entries: Vec<_> = self.entries.drain(first..).collect();
        let keys = entries.iter().map(|(key, _)| key.text.as_ref());
        duplicate(keys).is_none().then_some(Kind::Map(entries))
    }

    /// A value that ends on the line it begins on.
    fn inline(&mut self, line: &Line<'a>, text: &'a str, depth: usize) -> Option<Node<'a>> {
        let (node, rest) = self.value(line, text, depth, false)?;
        self.advance()?;
        is_over(rest).then_some(node)
    }

    /// The value that `text`, the rest of a line, begins with, and what stands after it. `nested`: in braces or brackets.
    fn value(
        &mut self,
        line: &Line<'a>,
        text: &'a str,
        depth: usize,
        nested: bool,
    ) -> Option<(Node<'a>, &'a str)> {
        let at = self.at(line, text);
        let (kind, rest) = match text.as_bytes().first()? {
            b'{' | b'[' if depth >= DEPTH => return None,
            b'{' => {
                let first = self.entries.len();
                let rest = members(&text[1..], '}', |member| {
                    let (text, value) = key(member)?;
                    let key = Key {
                        text: Cow::Borrowed(text),
                        at: self.at(line, member),
                    };
                    let value = unindented(value);
                    let (value, rest) = self.value(line, value, depth + 1, true)?;
                    self.entries.push((key, value));
                    Some(rest)
                })?;
                (self.ended_map(first)?, rest)
            }
            b'[' => {
                let first = self.items.len();
                let rest = members(&text[1..], ']', |member| {
                    let (item, rest) = self.value(line, member, depth + 1, true)?;
                    self.items.push(item);
                    Some(rest)
                })?;
                (self.ended_list(first), rest)
            }
            b'"' | b'\'' => {
                let (text, rest) = quoted(text)?;
                (written(text, false), rest)
            }
            _ => {
                let (text, rest) = scalar(text, nested)?;
                (written(text, true), rest)
            }
        };
        Some((self.node(at, kind)?, rest))
    }
}

/// Reads what stands between commas up to `close`, each with `read`, and gives what stands after.
fn members<'a>(
    text: &'a str,
    close: char,
    mut read: impl FnMut(&'a str) -> Option<&'a str>,
) -> Option<&'a str> {
    let mut rest = unindented(text);
    if let Some(rest) = rest.strip_prefix(close) {
        return Some(rest);
    }
    loop {
        rest = unindented(read(rest)?);
        if let Some(rest) = rest.strip_prefix(close) {
            return Some(rest);
        }
        rest = unindented(rest.strip_prefix(',')?);
    }
}

fn written(text: &str, plain: bool) -> Kind<'_> {
    Kind::Scalar {
        text: Cow::Borrowed(text),
        plain,
    }
}

/// A text without the spaces that it begins with.
fn unindented(text: &str) -> &str {
    let spaces = text.bytes().take_while(|b| *b == b' ').count();
    &text[spaces..]
}

/// Whether nothing is left of a line but spaces and a comment.
fn is_over(rest: &str) -> bool {
    let trimmed = unindented(rest);
    trimmed.is_empty() || (trimmed.starts_with('#') && trimmed.len() < rest.len())
}

/// What stands after the dash of a list's item.
fn item(text: &str) -> Option<&str> {
    Some(unindented(text.strip_prefix("- ")?)).filter(|rest| !rest.is_empty())
}

/// The plain key that a text begins with, and what stands after its colon.
fn key(text: &str) -> Option<(&str, &str)> {
    let ends = |b: u8| !(b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    let (key, rest) = text.split_at(text.bytes().position(ends)?);
    let rest = rest.strip_prefix(':')?;
    let good = key.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    (good && (rest.is_empty() || rest.starts_with(' '))).then_some((key, rest))
}

/// What stands between the quotes that a text begins with, and what stands after them.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let (quote, text) = text.split_at(1);
    let (inside, rest) = text.split_once(quote)?;
    let escapes = inside.contains('\\') && quote == "\"" || rest.starts_with('\'') && quote == "'";
    (!escapes).then_some((inside, rest))
}

/// The plain scalar that a text begins with, and what stands after it.
fn scalar(text: &str, nested: bool) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    if b"-?:,[]{}#&*!|>'\"%@`".contains(bytes.first()?) {
        return None;
    }
    let mut end = bytes.len();
    for (i, b) in bytes.iter().enumerate() {
        match b {
            b':' if matches!(
                bytes.get(i + 1),
                None | Some(b' ' | b',' | b'[' | b']' | b'{' | b'}')
            ) =>
            {
                return None;
            }
            b'#' if bytes[i - 1] == b' ' => {
                end = i;
                break;
            }
            b',' | b']' | b'}' if nested => {
                end = i;
                break;
            }
            b'[' | b'{' if nested => return None,
            _ => {}
        }
    }
    let scalar = text[..end].trim_end_matches(' ');
    Some((scalar, &text[scalar.len()..]))
}
