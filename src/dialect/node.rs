//! The Node family: npm's dotenv 16 to 18, dotenv-expand 12 and 1000 after it, Node's own `--env-file`
//! (`src/node_dotenv.cc`, Node 20 and newer) and Vite, which puts dotenv-expand after Node's.
//!
//! # Why
//!
//! Where versions of one consumer read a text differently, reading it is an error and writing avoids it: Node 20 knows
//! neither tabs nor blank lines as white space, dotenv-expand's versions resolve references and operators in different
//! orders, and its 1000 runs every `$(…)` in a shell, whatever quotes or backslashes are around it.

use super::quoted_line::Grammar;
use super::scan::{
    at, contains, cut, find, first, leading, line, line_feeds, name, push_escaped, rest, seek,
};
use super::{Dialect, Entries, Unreadable, Unwritable, bare, owned};
use std::borrow::Cow;

const INSTEAD: &str = "base64-encode it, or use the compose, systemd or python dialect";

/// Appends the value as npm's dotenv reads it: in the first quote that it doesn't hold, and else in the first text that
/// the reader gives back.
pub(super) fn write(value: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
    let open = value.ends_with(b"\\") || value.contains(&b'\r');
    for quote in [b'\'', b'`'] {
        if !open && !value.contains(&quote) {
            push_quoted(out, quote, value);
            return Ok(());
        }
    }
    let mut lines = Vec::with_capacity(value.len());
    push_escaped(&mut lines, value, |byte| match byte {
        b'\n' => Some(b"\\n"),
        b'\r' => Some(b"\\r"),
        _ => None,
    });
    let quoted = |quote: u8, value: &[u8]| [&[quote], value, &[quote]].concat();
    // A comment with a quote in it ends what the value's last backslash would leave open.
    let ended =
        |quote: u8, value: &[u8]| [&quoted(quote, value), &b"#"[..], &[quote], b"x"].concat();
    let texts = [
        value.to_vec(),
        quoted(b'"', &lines),
        quoted(b'\'', value),
        quoted(b'`', value),
        lines.clone(),
        ended(b'\'', value),
        ended(b'`', value),
        ended(b'"', &lines),
    ];
    let Some(text) = texts.iter().find(|text| Dialect::Node.holds(text, value)) else {
        return Err(Unwritable {
            why: if value.contains(&b'\r') {
                "a carriage return beside a double quote or a written-out `\\n`"
            } else if value.contains(&b'\n') {
                "a line feed beside all three kinds of quote"
            } else {
                "a `#` or white space at an end, beside all three kinds of quote"
            },
            instead: INSTEAD,
        });
    };
    out.extend_from_slice(text);
    Ok(())
}

fn push_quoted(out: &mut Vec<u8>, quote: u8, value: &[u8]) {
    out.push(quote);
    out.extend_from_slice(value);
    out.push(quote);
}

/// Appends the value as dotenv-expand reads it after dotenv: every `$` with a backslash.
pub(super) fn write_expand(value: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
    if contains(value, b"$(") {
        return Err(Unwritable {
            why: "`$(`, which dotenv-expand 1000 runs as a command in every quoting",
            instead: "use the node dialect without dotenv-expand, or base64-encode it",
        });
    }
    if value.starts_with(b"encrypted:") {
        return Err(Unwritable {
            why: "`encrypted:` at its start, which dotenv-expand 1000 decrypts",
            instead: "use the node dialect without dotenv-expand, or base64-encode it",
        });
    }
    if bare(value) {
        out.extend_from_slice(value);
        return Ok(());
    }
    if std::str::from_utf8(value).is_err() {
        return Err(super::NOT_UTF8);
    }
    write(&dollars(value), out)
}

/// Appends the value as Vite reads it. Where Node's own quotes can't hold it, `${:-}`, the empty default of an empty
/// name, keeps its ends from being a quote or a blank.
pub(super) fn write_vite(value: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
    let value = dollars(value);
    let empty = b"${:-}";
    // Not after the value's last backslash, which would escape it.
    let after: &[u8] = if value.ends_with(b"\\") { b"" } else { empty };
    write_env_file(&value, out)
        .or_else(|refusal| write_env_file(&[empty, &*value, after].concat(), out).or(Err(refusal)))
}

fn dollars(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'$') {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len() + 8);
    push_escaped(&mut out, value, |byte| {
        (byte == b'$').then_some(b"\\$".as_slice())
    });
    Cow::Owned(out)
}

/// Appends the value as Node's own parser reads it: a quote ends at the next of its kind, whatever precedes it.
pub(super) fn write_env_file(value: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
    if value.contains(&b'\r') {
        return Err(Unwritable {
            why: "a carriage return, which Node drops",
            instead: INSTEAD,
        });
    }
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b' ' | b'\t'));
    let opens = value.first().is_some_and(|byte| QUOTES.contains(byte));
    let quote = QUOTES
        .iter()
        .copied()
        .find(|quote| !value.contains(quote) && (*quote != b'"' || !contains(value, b"\\n")));
    match quote {
        Some(quote) => push_quoted(out, quote, value),
        None if !opens
            && !value.iter().any(|byte| matches!(byte, b'\n' | b'#'))
            && !edge(value.first())
            && !edge(value.last()) =>
        {
            out.extend_from_slice(value);
        }
        None => {
            return Err(Unwritable {
                why: "all three kinds of quote beside a line feed, a `#`, or a quote or blank at an end",
                instead: INSTEAD,
            });
        }
    }
    Ok(())
}

/// In the order that they are tried.
const QUOTES: &[u8] = b"'`\"";

/// JavaScript's `\s`.
fn space(found: char) -> bool {
    found == '\u{feff}' || (found.is_whitespace() && found != '\u{85}')
}

/// JavaScript's ends of lines, once every CR is an LF.
fn line_end(found: char) -> bool {
    matches!(found, '\n' | '\u{2028}' | '\u{2029}')
}

const DOTENV: Grammar = Grammar {
    key: b".-",
    quotes: QUOTES,
    space,
    line_end,
    alone: false,
};

/// Reads as npm's dotenv does. A line that it passes over, and that is neither blank nor a comment, is no error: nothing
/// in dotenv tells it from one.
pub(super) fn read(text: &[u8]) -> Result<Entries<'_>, Unreadable> {
    match line_feeds(text) {
        Cow::Borrowed(text) => Ok(DOTENV
            .matches(text)
            .map(|found| (name(found.key), unquoted(found.value.unwrap_or_default())))
            .collect()),
        Cow::Owned(text) => read(&text).map(owned),
    }
}

/// A value without its quotes, and in double quotes (even unclosed ones) without its escapes.
fn unquoted(value: &[u8]) -> Cow<'_, [u8]> {
    let double = value.first() == Some(&b'"');
    let inner = if value.contains(&0xe2)
        && value
            .utf8_chunks()
            .any(|part| part.valid().contains(['\u{2028}', '\u{2029}']))
    {
        line_quotes(value)
    } else {
        Cow::Borrowed(match value {
            [open, inner @ .., close] if open == close && QUOTES.contains(open) => inner,
            other => other,
        })
    };
    if double && inner.contains(&b'\\') {
        let mut out = Vec::with_capacity(inner.len());
        let mut place = 0;
        while let Some(byte) = at(&inner, place) {
            let (decoded, width) = match (byte, at(&inner, place + 1)) {
                (b'\\', Some(b'n')) => (b'\n', 2),
                (b'\\', Some(b'r')) => (b'\r', 2),
                _ => (byte, 1),
            };
            out.push(decoded);
            place += width;
        }
        return Cow::Owned(out);
    }
    inner
}

/// The quotes off each line of the value: dotenv's regular expression has a `^` and a `$` for every line, and a line
/// may end in a bare value where JavaScript sees an end and dotenv doesn't.
fn line_quotes(value: &[u8]) -> Cow<'_, [u8]> {
    let ends = |place| first(rest(value, place)).is_none_or(|(found, _)| line_end(found));
    let mut out = Vec::with_capacity(value.len());
    let mut starts = true;
    let mut place = 0;
    while let Some((found, width)) = first(rest(value, place)) {
        if starts && let Some(quote) = at(value, place).filter(|byte| QUOTES.contains(byte)) {
            let mut close = value.len();
            while let Some(before) = cut(value, place + 1, close)
                .iter()
                .rposition(|&byte| byte == quote)
            {
                close = place + 1 + before;
                if ends(close + 1) {
                    break;
                }
            }
            if close < value.len() && at(value, close) == Some(quote) && ends(close + 1) {
                out.extend_from_slice(cut(value, place + 1, close));
                place = close + 1;
                starts = false;
                continue;
            }
        }
        out.extend_from_slice(cut(value, place, place + width));
        place += width;
        starts = line_end(found);
    }
    Cow::Owned(out)
}

/// Reads as dotenv and then every version of dotenv-expand does.
pub(super) fn read_expand(text: &[u8]) -> Result<Entries<'_>, Unreadable> {
    let entries = read(text)?;
    for (name, value) in &entries {
        let why = if contains(value, b"$(") {
            "`$(`, which dotenv-expand 1000 runs as a command"
        } else if value.starts_with(b"encrypted:") {
            "`encrypted:`, which dotenv-expand 1000 decrypts"
        } else {
            continue;
        };
        return Err(Unreadable {
            line: assigned(text, name),
            why,
        });
    }
    expand(text, entries, false)
}

/// Reads as Vite does.
pub(super) fn read_vite(text: &[u8]) -> Result<Entries<'_>, Unreadable> {
    expand(text, read_env_file(text)?, true)
}

/// The line that a name is first mentioned on.
fn assigned(text: &[u8], name: &str) -> usize {
    line(text, find(text, name.as_bytes()).unwrap_or_default())
}

/// dotenv-expand over what its parser gave: references to earlier assignments and to unset names, then `\$` as `$`.
/// Node's own parser gives them `sorted` by name, so that a later name is a later assignment.
fn expand<'a>(
    text: &[u8],
    mut entries: Entries<'a>,
    sorted: bool,
) -> Result<Entries<'a>, Unreadable> {
    for place in 0..entries.len() {
        let (before, after) = entries.split_at_mut(place);
        let Some(((name, value), after)) = after.split_first_mut() else {
            break;
        };
        if !value.contains(&b'$') {
            continue;
        }
        let fail = |why| Unreadable {
            line: assigned(text, name),
            why,
        };
        let known = |asked: &[u8]| {
            let named = |entry: &&(Cow<'_, str>, Cow<'_, [u8]>)| entry.0.as_bytes() == asked;
            let found = before.iter().rev().find(named);
            let sorts_later = sorted && found.is_some() && asked > name.as_bytes();
            if before.iter().any(|(other, _)| other == name) {
                return Err("a reference in a name that is assigned twice");
            }
            if name.as_bytes() == asked || sorts_later || after.iter().any(|entry| named(&entry)) {
                return Err("a reference to itself or to a later assignment");
            }
            match found {
                Some((_, value)) if value.contains(&b'$') => Err(
                    "a reference to a value with a dollar sign, which dotenv-expand's versions read differently",
                ),
                Some((_, value)) => Ok(Some(value.to_vec())),
                None => Ok(None),
            }
        };
        let mut expanded = value.to_vec();
        let mut steps = 0;
        while let Some((start, end, expression)) = reference(&expanded) {
            steps += 1;
            if steps > 1000 {
                return Err(fail("an expansion that doesn't end"));
            }
            let replacement = resolved(&expression, known).map_err(fail)?;
            let template = cut(&expanded, start, end).to_vec();
            // `String.replace` replaces the first text like it, which may be an escaped one.
            let start = find(&expanded, &template).unwrap_or(start);
            expanded = [
                cut(&expanded, 0, start),
                &replacement,
                rest(&expanded, start + template.len()),
            ]
            .concat();
        }
        *value = Cow::Owned(plain_dollars(&expanded));
    }
    Ok(entries)
}

/// The first `${…}` or `$NAME` that no backslash precedes: where it starts and ends, and what is between the braces.
fn reference(text: &[u8]) -> Option<(usize, usize, Vec<u8>)> {
    let mut from = 0;
    loop {
        let start = seek(text, from, |byte| byte == b'$');
        if start >= text.len() {
            return None;
        }
        from = start + 1;
        if start > 0 && at(text, start - 1) == Some(b'\\') {
            continue;
        }
        if at(text, from) == Some(b'{') {
            let end = seek(text, from + 1, |byte| matches!(byte, b'{' | b'}'));
            if at(text, end) == Some(b'}') && end > from + 1 {
                return Some((start, end + 1, cut(text, from + 1, end).to_vec()));
            }
        } else if at(text, from).is_some_and(|byte| byte == b'_' || byte.is_ascii_alphabetic()) {
            let end = seek(text, from, |byte| {
                byte != b'_' && !byte.is_ascii_alphanumeric()
            });
            return Some((start, end, cut(text, from, end).to_vec()));
        }
    }
}

/// What a reference stands for.
fn resolved(
    expression: &[u8],
    known: impl Fn(&[u8]) -> Result<Option<Vec<u8>>, &'static str>,
) -> Result<Vec<u8>, &'static str> {
    let end = (0..expression.len()).find(|&place| {
        let text = rest(expression, place);
        matches!(text, [b'-' | b'+', ..]) || text.starts_with(b":-") || text.starts_with(b":+")
    });
    let value = known(cut(expression, 0, end.unwrap_or(expression.len())))?;
    let Some(end) = end else {
        return Ok(value.unwrap_or_default());
    };
    let operator = rest(expression, end);
    let colon = operator.starts_with(b":");
    let default = rest(operator, 1 + usize::from(colon));
    if default.iter().any(|byte| matches!(byte, b'$' | b'\\')) {
        return Err(
            "a default with a dollar sign or a backslash, which dotenv-expand's versions read differently",
        );
    }
    let set = match &value {
        Some(value) if value.is_empty() && !colon => {
            return Err(
                "an operator on an empty value, which dotenv-expand's versions read differently",
            );
        }
        Some(value) => !value.is_empty(),
        None => false,
    };
    Ok(match (at(operator, usize::from(colon)), set) {
        (Some(b'+'), true) | (Some(b'-'), false) => default.to_vec(),
        (Some(b'+'), false) => Vec::new(),
        _ => value.unwrap_or_default(),
    })
}

fn plain_dollars(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut place = 0;
    while let Some(byte) = at(text, place) {
        if byte == b'\\' && at(text, place + 1) == Some(b'$') {
            place += 1;
        } else {
            out.push(byte);
            place += 1;
        }
    }
    out
}

/// Reads as every Node since 20 does. A line that one of them takes for a part of another is an error.
pub(super) fn read_env_file(text: &[u8]) -> Result<Entries<'_>, Unreadable> {
    if text.contains(&b'\r') {
        let lone =
            |&place: &usize| at(text, place) == Some(b'\r') && at(text, place + 1) != Some(b'\n');
        if let Some(lone) = (0..text.len()).find(lone) {
            return Err(Unreadable {
                line: line(text, lone),
                why: "a carriage return, which Node drops",
            });
        }
        return read_env_file(&line_feeds(text)).map(owned);
    }
    let mut entries = Entries::new();
    let mut place = 0;
    while place < text.len() {
        let fail = |why| Unreadable {
            line: line(text, place),
            why,
        };
        if matches!(at(text, place), Some(b'\n' | b'#')) {
            let end = seek(text, place, |byte| byte == b'\n');
            if end == text.len() && cut(text, place, end).contains(&b'=') {
                return Err(fail(
                    "a comment without a line feed, which Node 20 takes for an assignment",
                ));
            }
            place = end + 1;
            continue;
        }
        let (key, value, end) = env_file_line(text, place).map_err(fail)?;
        entries.push((name(key), value));
        place = end;
    }
    Ok(entries)
}

type Line<'a> = (&'a [u8], Cow<'a, [u8]>, usize);

fn env_file_line(text: &[u8], start: usize) -> Result<Line<'_>, &'static str> {
    let equals = seek(text, start, |byte| byte == b'=' || byte == b'\n');
    if at(text, equals) != Some(b'=') {
        return Err(
            "a line without an assignment, which Node 20 takes for a part of the next name",
        );
    }
    let key = spaces(cut(text, start, equals));
    let exported = key.strip_prefix(b"export ");
    let key = exported.map_or(key, spaces);
    if key.is_empty() {
        return Err("a value without a name");
    }
    if key.contains(&b'\t') || key.starts_with(b"#") || key.starts_with("\u{feff}".as_bytes()) {
        return Err("a name that Node's versions read differently");
    }
    let value = equals + 1;
    if at(text, value).is_none_or(|byte| byte == b'\n') {
        if exported.is_some() {
            return Err("an export of nothing, which Node takes for a part of the name");
        }
        return Ok((key, Cow::Borrowed(b""), value + 1));
    }
    let value = value + leading(rest(text, value), |found| found == ' ');
    let quote = match at(text, value) {
        None | Some(b'\n' | b'\t') => {
            return Err(
                "white space in place of a value, after which Node's versions read differently",
            );
        }
        Some(byte) if QUOTES.contains(&byte) => byte,
        Some(_) => {
            let end = seek(text, value, |byte| byte == b'\n');
            let bare = cut(text, value, end);
            let bare = spaces(cut(bare, 0, seek(bare, 0, |byte| byte == b'#')));
            if bare.ends_with(b"\t") {
                return Err("a tab at the end of a value, which Node's versions read differently");
            }
            return Ok((key, Cow::Borrowed(bare), end + 1));
        }
    };
    let close = seek(text, value + 1, |byte| byte == quote);
    if close == text.len() {
        return Err("a quote that is not closed");
    }
    let end = seek(text, close, |byte| byte == b'\n');
    let after = cut(text, close + 1, end).trim_ascii_start();
    if after.first().is_some_and(|&byte| byte != b'#') {
        return Err("something after a value's closing quote, which Node drops");
    }
    let inner = cut(text, value + 1, close);
    let inner = if quote == b'"' && contains(inner, b"\\n") {
        Cow::Owned(decoded(inner))
    } else {
        Cow::Borrowed(inner)
    };
    Ok((key, inner, end + 1))
}

/// `\n` as LF.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut from = text;
    while let Some(found) = find(from, b"\\n") {
        out.extend_from_slice(cut(from, 0, found));
        out.push(b'\n');
        from = rest(from, found + 2);
    }
    out.extend_from_slice(from);
    out
}

fn spaces(mut text: &[u8]) -> &[u8] {
    while let Some(shorter) = text.strip_prefix(b" ") {
        text = shorter;
    }
    while let Some(shorter) = text.strip_suffix(b" ") {
        text = shorter;
    }
    text
}
