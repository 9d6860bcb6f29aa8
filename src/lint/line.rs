//! A `.env` file as people see it: its lines, the values that go on over several, and what each is written with.

use std::ops::Range;

/// One line, or the several that a quoted value spans.
pub(super) struct Statement<'a> {
    /// Its bytes in the file, the line feed included.
    pub(super) range: Range<usize>,
    /// The number of its first line, from 1.
    pub(super) line: usize,
    /// Its text, the line feed included.
    pub(super) text: &'a [u8],
    /// What it looks like.
    pub(super) shape: Shape<'a>,
}

/// What a line looks like.
pub(super) enum Shape<'a> {
    Blank,
    Comment,
    /// A line with no `=` that anybody meant as one.
    Other,
    Assignment(Assignment<'a>),
}

/// A name and what is written after it.
pub(super) struct Assignment<'a> {
    /// The name as it stands, whatever it is made of.
    pub(super) name: &'a [u8],
    /// Where it starts in the statement.
    pub(super) name_at: usize,
    /// Whether blanks precede the line's first word.
    pub(super) indented: bool,
    /// Whether `export` precedes the name.
    pub(super) exported: bool,
    /// Whether a colon stands in place of the equals sign.
    pub(super) colon: bool,
    /// Blanks before the separator, and after it.
    pub(super) spaced: (bool, bool),
    /// Where the value starts in the statement.
    pub(super) value_at: usize,
    /// All that follows the separator and its blanks, up to the line feed.
    pub(super) value: &'a [u8],
    /// How the value is written.
    pub(super) form: Form<'a>,
}

/// How a value is written.
#[derive(Clone, Copy)]
pub(super) enum Form<'a> {
    Bare,
    /// Between two of a quote, with what follows the second.
    Quoted {
        quote: u8,
        inner: &'a [u8],
        after: &'a [u8],
    },
    /// After a quote that nothing closes.
    Open {
        quote: u8,
    },
}

pub(super) fn blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The statements of a text whose lines end in LF. With `heredocs`, `NAME<<END` goes on to its END.
pub(super) fn statements(text: &[u8], heredocs: bool) -> Vec<Statement<'_>> {
    let mut statements = Vec::new();
    let (mut start, mut line) = (0, 1);
    while start < text.len() {
        let mut end = line_end(text, start);
        let mut shape = shape(cut(text, start, end));
        if let Shape::Assignment(assignment) = &shape
            && let Some((quote, escaped)) = open(assignment)
            && let Some(close) = closing(text, end, quote)
        {
            let last = line_end(text, close);
            let after = cut(text, close + 1, last);
            // A line in it that assigns leaves it a value only where nothing else on its first line could close it.
            if comment_or_nothing(after) && !(escaped && assigns(cut(text, end, last)).is_some()) {
                let open = start + assignment.value_at;
                let form = Form::Quoted {
                    quote,
                    inner: cut(text, open + 1, close),
                    after: trim(after),
                };
                if let Shape::Assignment(long) = &mut shape {
                    long.value = unended(cut(text, open, last));
                    long.form = form;
                }
                end = last;
            }
        } else if heredocs && let Some(last) = heredoc(text, start, end) {
            end = last;
            shape = Shape::Other;
        }
        let statement = cut(text, start, end);
        statements.push(Statement {
            range: start..end,
            line,
            text: statement,
            shape,
        });
        line += statement.iter().filter(|&&byte| byte == b'\n').count();
        start = end;
    }
    statements
}

/// The number, from 1, of the first line among these that assigns something, and its name.
pub(super) fn assigns(lines: &[u8]) -> Option<(usize, &[u8])> {
    let mut lines = lines.split(|&byte| byte == b'\n').enumerate();
    lines.find_map(|(number, line)| match shape(line) {
        // The last line of something in base64 looks like `…==`.
        Shape::Assignment(found)
            if !found.colon && word(found.name) && !matches!(trim(found.value), b"" | b"=") =>
        {
            Some((number, found.name))
        }
        _ => None,
    })
}

/// Whether these are a name that every consumer takes.
pub(super) fn word(name: &[u8]) -> bool {
    name.first()
        .is_some_and(|byte| *byte == b'_' || byte.is_ascii_alphabetic())
        && name
            .iter()
            .all(|byte| *byte == b'_' || byte.is_ascii_alphanumeric())
}

/// The text without blanks and ends of lines around it.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

/// A line without its line feed.
pub(super) fn unended(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

fn cut(text: &[u8], start: usize, end: usize) -> &[u8] {
    text.get(start..end).unwrap_or_default()
}

fn find(text: &[u8], start: usize, wanted: u8) -> Option<usize> {
    let found = cut(text, start, text.len())
        .iter()
        .position(|&byte| byte == wanted)?;
    Some(start + found)
}

/// The place after the line feed that ends the line of a place.
fn line_end(text: &[u8], start: usize) -> usize {
    find(text, start, b'\n').map_or(text.len(), |end| end + 1)
}

fn comment_or_nothing(after: &[u8]) -> bool {
    matches!(trim(after).first(), None | Some(b'#'))
}

/// Whether an odd number of backslashes precedes a place.
fn escaped(text: &[u8], place: usize) -> bool {
    let before = cut(text, 0, place).iter().rev();
    before.take_while(|&&byte| byte == b'\\').count() % 2 == 1
}

/// The quote that an assignment's line opens and doesn't close, and whether one with a backslash before it stands there.
fn open(assignment: &Assignment<'_>) -> Option<(u8, bool)> {
    match assignment.form {
        Form::Open { quote } => Some((quote, false)),
        Form::Quoted { quote, inner, .. } if escaped(inner, inner.len()) => Some((quote, true)),
        _ => None,
    }
}

/// The next of a quote with no backslash before it.
fn closing(text: &[u8], mut start: usize, quote: u8) -> Option<usize> {
    loop {
        let found = find(text, start, quote)?;
        if !escaped(text, found) {
            return Some(found);
        }
        start = found + 1;
    }
}

/// Where the heredoc ends that the line between two places begins.
fn heredoc(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let line = unended(cut(text, start, end));
    let split = line.windows(2).position(|pair| pair == b"<<")?;
    let delimiter = cut(line, split + 2, line.len());
    if split == 0 || delimiter.is_empty() || cut(line, 0, split).contains(&b'=') {
        return None;
    }
    let mut from = end;
    while from < text.len() {
        let last = line_end(text, from);
        if unended(cut(text, from, last)) == delimiter {
            return Some(last);
        }
        from = last;
    }
    None
}

fn shape(line: &[u8]) -> Shape<'_> {
    let line = unended(line);
    let indent = line.iter().take_while(|&&byte| blank(byte)).count();
    match line.get(indent) {
        None => return Shape::Blank,
        Some(b'#') => return Shape::Comment,
        Some(_) => {}
    }
    let mut name_at = indent;
    let mut exported = false;
    if let Some(after) = cut(line, indent, line.len()).strip_prefix(b"export") {
        let blanks = after.iter().take_while(|&&byte| blank(byte)).count();
        if blanks > 0 && after.get(blanks).is_some_and(|&byte| byte != b'=') {
            exported = true;
            name_at = indent + 6 + blanks;
        }
    }
    let rest = cut(line, name_at, line.len());
    let named = rest
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
        .count();
    let colon = rest.get(named) == Some(&b':')
        && named > 0
        && rest.get(named + 1).is_none_or(|&byte| blank(byte));
    let separator = if colon {
        Some(named)
    } else {
        find(rest, 0, b'=')
    };
    let Some(separator) = separator else {
        return Shape::Other;
    };
    let mut name = cut(rest, 0, separator);
    while let Some((&last, shorter)) = name.split_last()
        && blank(last)
    {
        name = shorter;
    }
    if name.is_empty() || name.iter().any(|&byte| blank(byte)) {
        return Shape::Other;
    }
    let written = cut(rest, separator + 1, rest.len());
    let blanks = written.iter().take_while(|&&byte| blank(byte)).count();
    let value = cut(written, blanks, written.len());
    Shape::Assignment(Assignment {
        name,
        name_at,
        indented: indent > 0,
        exported,
        colon,
        spaced: (name.len() < separator, blanks > 0 && !colon),
        value_at: name_at + separator + 1 + blanks,
        value,
        form: form(value),
    })
}

/// How a value on one line is written. Of several quotes that may close it, the first without a backslash before it
/// does, or else the last.
fn form(value: &[u8]) -> Form<'_> {
    let Some(&quote @ (b'\'' | b'"' | b'`')) = value.first() else {
        return Form::Bare;
    };
    let last = value.iter().rposition(|&byte| byte == quote);
    match closing(value, 1, quote).or(last.filter(|&last| last > 0)) {
        Some(close) => Form::Quoted {
            quote,
            inner: cut(value, 1, close),
            after: cut(value, close + 1, value.len()),
        },
        None => Form::Open { quote },
    }
}
