//! How holes are filled so that the consumer reads each value whole, and the proof that it does.

use super::values::{CLOSE, DIGIT_ZERO, OPEN};
use crate::dialect::{self, Dialect};
use crate::secret::Name;
use std::borrow::Cow;

/// What went wrong, at which hole when it is about one.
pub(super) struct Fault {
    pub(super) rule: &'static str,
    pub(super) message: String,
    pub(super) help: String,
    pub(super) hole: Option<usize>,
    /// The line of the rendered text that it is about, when that line has no hole. It may be text that an author marked
    /// `raw`, so it is not to be shown: only to be looked for in the template.
    pub(super) line: Option<String>,
}

/// The file, and the same file with a harmless word in every hole.
#[derive(Default)]
pub(super) struct Filled {
    pub(super) text: Vec<u8>,
    reference: Vec<u8>,
}

/// A piece of a line: text of the template, or a hole's number.
#[derive(Clone, Copy)]
enum Piece<'a> {
    Text(&'a str),
    Hole(usize),
}

impl<'a> Piece<'a> {
    fn text(&self) -> Option<&'a str> {
        match self {
            Piece::Text(text) => Some(text),
            Piece::Hole(_) => None,
        }
    }

    fn hole(&self) -> Option<usize> {
        match self {
            Piece::Text(_) => None,
            Piece::Hole(hole) => Some(*hole),
        }
    }
}

/// The harmless word that stands for a hole, `Hole`, eight hexadecimal digits, `eloH`: every dialect reads it bare.
fn stand_in(hole: usize) -> [u8; STAND_IN] {
    let mut word = *b"Hole00000000eloH";
    for (index, digit) in word[4..12].iter_mut().rev().enumerate() {
        *digit = b"0123456789abcdef"[hole >> (4 * index) & 15];
    }
    word
}

/// The length of a stand-in.
const STAND_IN: usize = 16;

/// Whether a text is `NAME=` and nothing else.
fn is_assignment(text: &str) -> bool {
    text.strip_suffix('=')
        .is_some_and(|name| Name::new(name).is_some())
}

fn unwritable(dialect: Dialect, name: &str, hole: usize, why: &dialect::Unwritable) -> Fault {
    Fault {
        rule: "unwritable",
        message: format!(
            "{} cannot carry the value of {name}: {}",
            dialect.name(),
            why.why
        ),
        help: why.instead.to_owned(),
        hole: Some(hole),
        line: None,
    }
}

/// Fills a skeleton's holes. A name is repeated in messages and reports, so a hole in one must not be a secret's value.
///
/// # Errors
/// A value that the dialect can't carry, or a hole where no value can stand.
pub(super) fn fill(
    dialect: Dialect,
    skeleton: &str,
    holes: &[String],
    is_secret: &dyn Fn(&str) -> bool,
) -> Result<Filled, Fault> {
    let mut filled = Filled {
        text: Vec::with_capacity(skeleton.len() * 2),
        reference: Vec::with_capacity(skeleton.len() * 2),
    };
    let mut seen = vec![false; holes.len()];
    let document = matches!(dialect, Dialect::Json | Dialect::Yaml);
    let mut pieces = Vec::new();
    for line in skeleton.split_inclusive('\n') {
        cut(line, &mut pieces)?;
        for piece in &pieces {
            if let Piece::Hole(hole) = piece {
                *seen.get_mut(*hole).ok_or_else(broken)? = true;
            }
        }
        match pieces.as_slice() {
            [] | [Piece::Text(_)] => filled.literal(line),
            _ if document => filled.document(dialect, line, &pieces, holes)?,
            // Nearly every line there is: it needs nothing put together.
            [Piece::Text(name), Piece::Hole(hole), Piece::Text("\n")] if is_assignment(name) => {
                let name = &name[..name.len() - 1];
                let value = value_at(holes, *hole)?.as_bytes();
                let unwritable = |why| unwritable(dialect, name, *hole, &why);
                let assign = |value, out| dialect.assign(name, value, out).map_err(unwritable);
                assign(value, &mut filled.text)?;
                assign(&stand_in(*hole), &mut filled.reference)?;
            }
            _ => filled.assignment(dialect, &pieces, holes, is_secret)?,
        }
    }
    match seen.iter().position(|seen| !seen) {
        Some(hole) => Err(Fault {
            hole: Some(hole),
            ..broken()
        }),
        None => Ok(filled),
    }
}

/// Reads both files by the consumer's rules: the real one must say what the harmless one says with its words replaced
/// by the values. Gives the names it assigns.
///
/// # Errors
/// Where they differ, a text that the consumer would not read, or a name that is assigned twice.
pub(super) fn prove(
    dialect: Dialect,
    filled: &Filled,
    holes: &[String],
    is_secret: &dyn Fn(&str) -> bool,
) -> Result<Vec<String>, Fault> {
    let meant = dialect
        .read(&filled.reference)
        .map_err(|unreadable| filled.unreadable(&filled.reference, &unreadable, dialect))?;
    let read = dialect
        .read(&filled.text)
        .map_err(|unreadable| filled.unreadable(&filled.text, &unreadable, dialect))?;
    let differs = |name: Option<&str>, hole| Fault {
        rule: "read-back",
        message: match name {
            Some(name) => format!(
                "{} would read {name} differently from what the template says",
                dialect.name()
            ),
            None => format!(
                "{} would read other names than the template says",
                dialect.name()
            ),
        },
        help: "write NAME={{ VALUE }} and nothing else on the line; dotage does the quoting"
            .to_owned(),
        hole,
        line: None,
    };
    let mut names = Vec::with_capacity(read.len());
    let mut places = Vec::with_capacity(read.len());
    let mut pairs = read.iter();
    for (name, value) in &meant {
        let (name, in_name) = restore(name.as_bytes(), holes);
        let name = String::from_utf8_lossy(&name);
        if let Some(hole) = in_name.filter(|hole| value_at(holes, *hole).is_ok_and(is_secret)) {
            return Err(secret_as_name(hole));
        }
        let (value, hole) = restore(value, holes);
        match pairs.next() {
            Some((read_name, read_value)) if *read_name == *name && **read_value == *value => {
                names.push(name.into_owned());
                places.push(hole);
            }
            Some((read_name, _)) if *read_name == *name => return Err(differs(Some(&name), hole)),
            _ => return Err(differs(None, hole)),
        }
    }
    if pairs.next().is_some() {
        return Err(differs(None, None));
    }
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    let twice = sorted.windows(2).find_map(|pair| match pair {
        [one, other] if one == other => Some(*one),
        _ => None,
    });
    if let Some(twice) = twice {
        let second = names.iter().rposition(|name| name == twice);
        return Err(Fault {
            rule: "assigned-twice",
            message: format!("{twice} is assigned twice"),
            help: "remove one of the two lines: consumers differ in which one they take".to_owned(),
            hole: second.and_then(|second| *places.get(second)?),
            line: None,
        });
    }
    Ok(names)
}

impl Filled {
    fn literal(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
        self.reference.extend_from_slice(text.as_bytes());
    }

    /// Pieces put side by side, nothing quoted.
    fn plainly(pieces: &[Piece], holes: &[String]) -> Result<Filled, Fault> {
        let mut filled = Filled::default();
        for piece in pieces {
            match piece {
                Piece::Text(text) => filled.literal(text),
                Piece::Hole(hole) => filled.plain(*hole, value_at(holes, *hole)?),
            }
        }
        Ok(filled)
    }

    fn plain(&mut self, hole: usize, value: &str) {
        self.text.extend_from_slice(value.as_bytes());
        self.reference.extend_from_slice(&stand_in(hole));
    }

    /// A line of an environment file that has a hole: `NAME=`, and a value that is quoted as a whole.
    fn assignment(
        &mut self,
        dialect: Dialect,
        pieces: &[Piece],
        holes: &[String],
        is_secret: &dyn Fn(&str) -> bool,
    ) -> Result<(), Fault> {
        if let Some(Piece::Text(text)) = pieces.first()
            && text.trim_start().starts_with(['#', ';'])
        {
            return self.comment(pieces, holes);
        }
        let hole = pieces.iter().find_map(Piece::hole);
        let misplaced = || Fault {
            rule: "misplaced-value",
            message: "a value on a line that does not begin with NAME=".to_owned(),
            help: "write NAME={{ VALUE }} on one line; a value of several lines is quoted for you"
                .to_owned(),
            hole,
            line: None,
        };
        let (before, mut after) = halves(pieces).ok_or_else(misplaced)?;
        let newline = match after.last_mut() {
            Some(Piece::Text(text)) => {
                let line = *text;
                *text = line.strip_suffix('\n').unwrap_or(line);
                *text != line
            }
            _ => false,
        };
        let mut in_name = before.iter().filter_map(Piece::hole);
        if let Some(secret) = in_name.find(|&hole| value_at(holes, hole).is_ok_and(is_secret)) {
            return Err(secret_as_name(secret));
        }
        let name = Filled::plainly(&before, holes)?;
        let bare_name = String::from_utf8_lossy(&name.text);
        let bare_name = bare_name.trim_start();
        let bare_name = bare_name.strip_prefix("export ").unwrap_or(bare_name);
        if Name::new(bare_name).is_none() {
            return Err(misplaced());
        }
        let hole = after.iter().find_map(Piece::hole).or(hole);
        let needs_quotes =
            |text: &&str| !text.is_empty() && !dialect::bare(format!("a{text}").as_bytes());
        if after
            .iter()
            .filter_map(Piece::text)
            .any(|text| needs_quotes(&text))
        {
            let quoted = after
                .first()
                .and_then(Piece::text)
                .is_some_and(|text| text.trim_start().starts_with(['"', '\'']));
            let (message, help) = if quoted {
                (
                    format!("quotes around the value of {bare_name}, which dotage quotes itself"),
                    format!(
                        "write {bare_name}={{{{ … }}}} without quotes, and text beside it into the expression: {{{{ \"text\" ~ VALUE }}}}"
                    ),
                )
            } else {
                (
                    format!("text beside the value of {bare_name} that needs quoting with it"),
                    format!(
                        "let the expression hold all of it: {bare_name}={{{{ \"text\" ~ VALUE }}}}"
                    ),
                )
            };
            return Err(Fault {
                rule: "mixed-value",
                message,
                help,
                hole,
                line: None,
            });
        }
        let value = Filled::plainly(&after, holes)?;
        for (name, value, out) in [
            (&name.text, &value.text, &mut self.text),
            (&name.reference, &value.reference, &mut self.reference),
        ] {
            let name = std::str::from_utf8(name).unwrap_or_default();
            dialect
                .assign(name, value, out)
                .map_err(|why| unwritable(dialect, bare_name, hole.unwrap_or_default(), &why))?;
            if !newline {
                out.pop();
            }
        }
        Ok(())
    }

    /// A comment: a value in it has to be one line of printable text that cannot end the comment.
    fn comment(&mut self, pieces: &[Piece], holes: &[String]) -> Result<(), Fault> {
        for piece in pieces {
            match piece {
                Piece::Text(text) => self.literal(text),
                Piece::Hole(hole) => {
                    let value = value_at(holes, *hole)?;
                    if value.chars().any(char::is_control) || value.ends_with('\\') {
                        return Err(Fault {
                            rule: "misplaced-value",
                            message: "a value in a comment that would end the comment".to_owned(),
                            help: "take the value out of the comment".to_owned(),
                            hole: Some(*hole),
                            line: None,
                        });
                    }
                    self.plain(*hole, value);
                }
            }
        }
        Ok(())
    }

    /// A line of a JSON or YAML document that has a hole: a scalar of its own is quoted; a part of a scalar that the
    /// template began has to be plain.
    fn document(
        &mut self,
        dialect: Dialect,
        line: &str,
        pieces: &[Piece],
        holes: &[String],
    ) -> Result<(), Fault> {
        let comment = dialect == Dialect::Yaml && line.trim_start().starts_with('#');
        if comment {
            return self.comment(pieces, holes);
        }
        for (index, piece) in pieces.iter().enumerate() {
            let hole = match piece {
                Piece::Text(text) => {
                    self.literal(text);
                    continue;
                }
                Piece::Hole(hole) => *hole,
            };
            let before = match index.checked_sub(1).and_then(|index| pieces.get(index)) {
                None => true,
                Some(Piece::Text(text)) => text.ends_with([' ', '\t', '[', '{', ',', ':', '(']),
                Some(Piece::Hole(_)) => false,
            };
            let after = match pieces.get(index + 1) {
                None => true,
                Some(Piece::Text(text)) => {
                    text.starts_with([' ', '\t', ']', '}', ',', ':', '\n', '\r'])
                }
                Some(Piece::Hole(_)) => false,
            };
            let value = value_at(holes, hole)?;
            if before && after {
                let fault = |why: &dialect::Unwritable| Fault {
                    rule: "unwritable",
                    message: format!("{} cannot carry this value: {}", dialect.name(), why.why),
                    help: why.instead.to_owned(),
                    hole: Some(hole),
                    line: None,
                };
                dialect
                    .write(value.as_bytes(), &mut self.text)
                    .and_then(|()| dialect.write(&stand_in(hole), &mut self.reference))
                    .map_err(|why| fault(&why))?;
            } else if value
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
            {
                self.plain(hole, value);
            } else {
                return Err(Fault {
                    rule: "mixed-value",
                    message: "a value inside a scalar that the template has begun".to_owned(),
                    help: "let the expression be the whole scalar, without quotes: key: {{ \"text\" ~ VALUE }}".to_owned(),
                    hole: Some(hole),
                    line: None,
                });
            }
        }
        Ok(())
    }

    fn unreadable(&self, text: &[u8], unreadable: &dialect::Unreadable, dialect: Dialect) -> Fault {
        // The line in the rendered text leads to a hole on it or before it; the hole leads to the template's line. One
        // without a hole is the template's own.
        let mut lines = text.split_inclusive(|&b| b == b'\n');
        let before: usize = lines
            .by_ref()
            .take(unreadable.line.saturating_sub(1))
            .map(<[u8]>::len)
            .sum();
        let line = lines.next().unwrap_or_default();
        let upto = before + line.len();
        let aligned = text.len() == self.reference.len();
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches('\n');
        let own = aligned && !line.is_empty() && last_stand_in(line.as_bytes()).is_none();
        let document = matches!(dialect, Dialect::Json | Dialect::Yaml);
        let help = match (document, own) {
            (true, _) => {
                "mend the document that the template makes; a value is a whole scalar: key: {{ VALUE }}"
            }
            (false, true) => "mend this line of the template, or take it out",
            (false, false) => {
                "write NAME={{ VALUE }} on a line of its own; dotage does the quoting"
            }
        };
        Fault {
            rule: "unreadable",
            message: format!(
                "{} would not read line {} of the rendered text: {}",
                dialect.name(),
                unreadable.line,
                unreadable.why
            ),
            help: help.to_owned(),
            hole: self
                .reference
                .get(..upto)
                .filter(|_| aligned)
                .and_then(last_stand_in),
            line: own.then(|| line.to_owned()),
        }
    }
}

/// What stands before a line's first `=` and what stands after it.
fn halves<'a>(pieces: &[Piece<'a>]) -> Option<(Vec<Piece<'a>>, Vec<Piece<'a>>)> {
    let split = pieces.iter().enumerate().find_map(|(at, piece)| {
        let (before, after) = piece.text()?.split_once('=')?;
        Some((at, before, after))
    });
    let (at, before, after) = split?;
    let mut first = pieces.get(..at)?.to_vec();
    first.push(Piece::Text(before));
    let mut second = vec![Piece::Text(after)];
    second.extend_from_slice(pieces.get(at + 1..)?);
    Some((first, second))
}

fn value_at(holes: &[String], hole: usize) -> Result<&str, Fault> {
    holes.get(hole).map(String::as_str).ok_or_else(broken)
}

fn secret_as_name(hole: usize) -> Fault {
    Fault {
        rule: "misplaced-value",
        message: "a secret's value where a name is expected".to_owned(),
        help: "write the name out, or {{ variable.name }} in a loop over `variables`".to_owned(),
        hole: Some(hole),
        line: None,
    }
}

fn broken() -> Fault {
    Fault {
        rule: "captured-value",
        message: "a value was captured in a block and then changed or dropped".to_owned(),
        help: "apply the filter to the value itself, not to the block around it".to_owned(),
        hole: None,
        line: None,
    }
}

/// Cuts a line into its pieces.
fn cut<'a>(line: &'a str, pieces: &mut Vec<Piece<'a>>) -> Result<(), Fault> {
    pieces.clear();
    let mut rest = line;
    while let Some(open) = rest.find(OPEN) {
        if open > 0 {
            pieces.push(Piece::Text(&rest[..open]));
        }
        let digits = &rest[open + OPEN.len_utf8()..];
        let close = digits.find(CLOSE).ok_or_else(broken)?;
        let mut number = 0usize;
        for c in digits[..close].chars() {
            let digit = (c as u32)
                .checked_sub(DIGIT_ZERO)
                .filter(|digit| *digit < 16)
                .ok_or_else(broken)?;
            number = number
                .checked_mul(16)
                .and_then(|number| number.checked_add(digit as usize))
                .ok_or_else(broken)?;
        }
        pieces.push(Piece::Hole(number));
        rest = &digits[close + CLOSE.len_utf8()..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(())
}

/// The text with its stand-ins replaced by the values, and the first hole that it had.
fn restore<'a>(text: &'a [u8], holes: &'a [String]) -> (Cow<'a, [u8]>, Option<usize>) {
    let bytes = |hole: usize| holes.get(hole).map_or(&b""[..], String::as_bytes);
    let Some((at, first)) = next_stand_in(text) else {
        return (Cow::Borrowed(text), None);
    };
    if text.len() == STAND_IN {
        return (Cow::Borrowed(bytes(first)), Some(first));
    }
    let mut out = text[..at].to_vec();
    out.extend_from_slice(bytes(first));
    let mut rest = &text[at + STAND_IN..];
    while let Some((at, hole)) = next_stand_in(rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(bytes(hole));
        rest = &rest[at + STAND_IN..];
    }
    out.extend_from_slice(rest);
    (Cow::Owned(out), Some(first))
}

/// The first stand-in in a text: where it begins, and its hole.
fn next_stand_in(text: &[u8]) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(next) = text.get(from..)?.iter().position(|&byte| byte == b'H') {
        let at = from + next;
        let word = text.get(at..at + STAND_IN)?;
        if word.starts_with(b"Hole")
            && word.ends_with(b"eloH")
            && let Some(digits) = std::str::from_utf8(&word[4..12]).ok()
            && let Ok(hole) = usize::from_str_radix(digits, 16)
        {
            return Some((at, hole));
        }
        from = at + 1;
    }
    None
}

fn last_stand_in(text: &[u8]) -> Option<usize> {
    let mut last = None;
    let mut rest = text;
    while let Some((at, hole)) = next_stand_in(rest) {
        last = Some(hole);
        rest = &rest[at + STAND_IN..];
    }
    last
}
