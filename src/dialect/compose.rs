//! Docker Compose v2: its `.env` and `env_file` (compose-go dotenv/parser.go) and its interpolation
//! (compose-go template/template.go).
//!
//! # Why
//!
//! The interpolation is here whole, operators and nesting and quirks, because who wins over whom in a Compose project
//! is decided by it; it is held to the recorded answers of compose-go in tests/vectors.

use super::scan::{at, cut, find, first, leading, line, name, rest, seek, trim_end, without_bom};
use super::{Entries, Unreadable};
use memchr::memchr;
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;

/// Appends the value in double quotes, where Compose decodes every escape that this needs.
pub(super) fn write(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    super::scan::push_escaped(out, value, |byte| match byte {
        b'"' => Some(b"\\\""),
        b'\\' => Some(b"\\\\"),
        b'$' => Some(b"\\$"),
        b'\n' => Some(b"\\n"),
        b'\r' => Some(b"\\r"),
        _ => None,
    });
    out.push(b'"');
}

/// Reads a file with nothing set, and calls the last line's name alone, which Compose takes for the value of an empty
/// name, an error.
pub(super) fn read(text: &[u8]) -> Result<Entries<'_>, Unreadable> {
    let entries = read_with(text, &|_| None)?;
    if entries.iter().any(|(name, _)| name.is_empty()) {
        return Err(Unreadable {
            line: line(text, text.len().saturating_sub(1)),
            why: "a value without a name",
        });
    }
    Ok(entries)
}

/// Reads a `.env` or `env_file`. A name is looked up with `lookup` first and then among the file's earlier entries;
/// a name that stands alone is what `lookup` gives, or nothing; on a last line without a line feed it is, as in Compose,
/// the value of an empty name.
///
/// # Errors
/// Where Compose fails, and at a name that starts with a digit, which Compose drops without a word.
pub fn read_with<'a>(
    text: &'a [u8],
    lookup: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Result<Entries<'a>, Unreadable> {
    let text = without_bom(text);
    let mut entries = Entries::new();
    // Where each name was last assigned, built when the first interpolation asks for it.
    let mut known: Known = HashMap::new();
    let mut counted = 0;
    let mut place = 0;
    while let Some(start) = statement(text, place) {
        let fail = |why| Unreadable {
            line: line(text, start),
            why,
        };
        let (key, value, alone) = key(text, start).map_err(fail)?;
        if key.first().is_some_and(u8::is_ascii_digit) {
            return Err(fail("a name that starts with a digit, which Compose drops"));
        }
        if alone {
            if let Some(found) = lookup(&name(key)) {
                entries.push((name(key), Cow::Owned(found)));
            }
            place = value;
            continue;
        }
        let (raw, end) = raw(text, value).map_err(fail)?;
        place = end;
        let value = match raw {
            Raw::Plain(plain) => plain,
            Raw::Template(template) => {
                for (at, (name, _)) in entries.iter().enumerate().skip(counted) {
                    known.insert(name.clone().into_owned(), at);
                }
                counted = entries.len();
                let found = |asked: &str| {
                    lookup(asked).or_else(|| {
                        let (_, value) = entries.get(*known.get(asked)?)?;
                        Some(value.to_vec())
                    })
                };
                Cow::Owned(interpolate(&template, &found).map_err(fail)?)
            }
        };
        entries.push((name(key), value));
    }
    Ok(entries)
}

type Known = HashMap<String, usize>;

/// Where the next statement starts: white space and comments skipped.
fn statement(text: &[u8], mut place: usize) -> Option<usize> {
    loop {
        place += leading(rest(text, place), char::is_whitespace);
        match at(text, place)? {
            b'#' => place = seek(text, place, |byte| byte == b'\n'),
            _ => return Some(place),
        }
    }
}

/// White space that doesn't end a line.
fn blank(found: char) -> bool {
    matches!(
        found,
        '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}'
    )
}

/// The name at a place, where what follows it starts, and whether it stands alone.
fn key(text: &[u8], mut start: usize) -> Result<(&[u8], usize, bool), &'static str> {
    if rest(text, start).starts_with(b"export")
        && at(text, start + 6)
            .is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\x0c' | b'\r'))
    {
        start += 6;
        start += leading(rest(text, start), blank);
    }
    let mut end = start;
    let mut inner_space = None;
    loop {
        let Some((found, width)) = first(rest(text, end)) else {
            return Ok((b"", start, false));
        };
        match found {
            '=' | ':' | '\n' => break,
            '_' | '.' | '-' | '[' | ']' => {}
            _ if found.is_alphanumeric() => {}
            _ if blank(found) => {
                if found == ' ' {
                    inner_space = inner_space.or(Some(end));
                }
            }
            _ => return Err("a character that no name may have"),
        }
        end += width;
    }
    let key = trim_end(cut(text, start, end), char::is_whitespace);
    if inner_space.is_some_and(|space| space < start + key.len()) {
        return Err("a name with a space in it");
    }
    let alone = at(text, end) == Some(b'\n');
    let value = end + 1;
    Ok((key, value + leading(rest(text, value), blank), alone))
}

enum Raw<'a> {
    Plain(Cow<'a, [u8]>),
    Template(Cow<'a, [u8]>),
}

fn template(text: Cow<'_, [u8]>) -> Raw<'_> {
    if memchr(b'$', &text).is_some() {
        Raw::Template(text)
    } else {
        Raw::Plain(text)
    }
}

/// The value at a place before interpolation, and the place after it.
fn raw(text: &[u8], start: usize) -> Result<(Raw<'_>, usize), &'static str> {
    let Some(quote @ (b'\'' | b'"')) = at(text, start) else {
        let end = seek(text, start, |byte| byte == b'\n');
        let mut value = cut(text, start, end);
        if memchr(b'#', value).is_some()
            && let Some(comment) = find(value, b" #")
        {
            value = cut(value, 0, comment);
        }
        let value = trim_end(value, char::is_whitespace);
        return Ok((template(Cow::Borrowed(value)), end + 1));
    };
    let inner = start + 1;
    let mut end = inner;
    loop {
        end = seek(text, end, |byte| byte == quote || byte == b'\\');
        match at(text, end) {
            None => return Err("a quote that is not closed"),
            Some(b'\\') => end += 2,
            Some(_) => break,
        }
    }
    let inside = cut(text, inner, end);
    let value = if memchr(b'\\', inside).is_some() {
        let mut unquoted = Vec::with_capacity(inside.len());
        let mut place = 0;
        while let Some(byte) = at(inside, place) {
            match at(inside, place + 1) {
                Some(next) if byte == b'\\' => {
                    if next != quote {
                        unquoted.push(byte);
                    }
                    unquoted.push(next);
                    place += 2;
                }
                _ => {
                    unquoted.push(byte);
                    place += 1;
                }
            }
        }
        Cow::Owned(if quote == b'"' {
            unescaped(&unquoted)
        } else {
            unquoted
        })
    } else {
        Cow::Borrowed(inside)
    };
    let raw = if quote == b'"' {
        template(value)
    } else {
        Raw::Plain(value)
    };
    Ok((raw, end + 1))
}

/// The escapes of a double-quoted value: those of Go that fit in one letter, `\$` as `$$`, and `\0` with up to three
/// octal digits, of which Go takes three.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut place = 0;
    while let Some(byte) = at(text, place) {
        place += 1;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let decoded = match at(text, place) {
            Some(b'a') => b'\x07',
            Some(b'b') => b'\x08',
            Some(b'f') => b'\x0c',
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'v') => b'\x0b',
            Some(same @ (b'"' | b'\\')) => same,
            Some(b'$') => {
                out.push(b'$');
                b'$'
            }
            Some(b'0') => {
                let digits = rest(text, place + 1);
                let digits = cut(
                    digits,
                    0,
                    digits
                        .iter()
                        .take(3)
                        .take_while(|byte| byte.is_ascii_digit())
                        .count(),
                );
                place += 1 + digits.len();
                let octal = std::str::from_utf8(digits)
                    .ok()
                    .filter(|digits| digits.len() == 3)
                    .and_then(|digits| u8::from_str_radix(digits, 8).ok());
                if let Some(code) = octal {
                    let mut buffer = [0; 2];
                    out.extend_from_slice(char::from(code).encode_utf8(&mut buffer).as_bytes());
                } else {
                    out.push(b'\\');
                    out.extend_from_slice(digits);
                }
                continue;
            }
            _ => {
                out.push(b'\\');
                continue;
            }
        };
        out.push(decoded);
        place += 1;
    }
    out
}

/// Compose's interpolation: `$NAME`, `${NAME}`, `${NAME:-default}` and its five siblings, nested, and `$$`.
///
/// # Errors
/// Where Compose calls the template invalid, and at a required name without a value. The reason never quotes.
pub fn interpolate(
    template: &[u8],
    lookup: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Result<Vec<u8>, &'static str> {
    interpolate_telling(template, lookup, &|_, _| {})
}

/// What became of a name that an interpolation asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Its value stands there.
    Value,
    /// Nothing stands there: it is unset, and no other text is given.
    Nothing,
    /// Its default stands there; `literal` when that is a text of the template itself and not empty.
    Default {
        /// The default asks for no other name and says something.
        literal: bool,
    },
    /// The text for when it is set stands there.
    Alternative,
    /// It is required and has no value.
    Required,
}

/// [`interpolate`], which tells what became of each name, the inner ones of a default before the outer.
///
/// # Errors
/// As [`interpolate`].
pub fn interpolate_telling(
    template: &[u8],
    lookup: &dyn Fn(&str) -> Option<Vec<u8>>,
    tell: &dyn Fn(&str, Asked),
) -> Result<Vec<u8>, &'static str> {
    substitute(template, &Given { lookup, tell }, 0)
}

/// Whom an interpolation asks and tells.
struct Given<'a> {
    lookup: &'a dyn Fn(&str) -> Option<Vec<u8>>,
    tell: &'a dyn Fn(&str, Asked),
}

/// How deep defaults may nest: Compose has no limit but its stack.
const DEPTH: usize = 64;

const INVALID: &str = "an interpolation that Compose calls invalid";

fn substitute(template: &[u8], given: &Given<'_>, depth: usize) -> Result<Vec<u8>, &'static str> {
    if depth > DEPTH {
        return Err("interpolations nested more than 64 deep");
    }
    let mut out = Vec::with_capacity(template.len());
    let mut place = 0;
    while let Some(byte) = at(template, place) {
        if byte != b'$' {
            let end = seek(template, place, |byte| byte == b'$');
            out.extend_from_slice(cut(template, place, end));
            place = end;
            continue;
        }
        let after = rest(template, place + 1);
        if after.starts_with(b"$") {
            out.push(b'$');
            place += 2;
            continue;
        }
        let named = variable(after);
        if named > 0 {
            let asked = name(cut(after, 0, named));
            if let Some(value) = (given.lookup)(&asked) {
                out.extend_from_slice(&value);
                (given.tell)(&asked, Asked::Value);
            } else {
                (given.tell)(&asked, Asked::Nothing);
            }
            place += 1 + named;
            continue;
        }
        if !after.starts_with(b"{") {
            out.push(b'$');
            place += 1;
            continue;
        }
        let length = braced(after).ok_or(INVALID)?;
        let whole = cut(after, 0, length);
        out.extend(one(whole, given, depth)?);
        place += 1 + length;
    }
    Ok(out)
}

/// The width of a variable's name: `[_a-z][_a-z0-9]*` as Go's `(?i)` folds it, long s and Kelvin sign included.
fn variable(text: &[u8]) -> usize {
    leading(text, |found| {
        found == '_' || found.is_ascii_alphanumeric() || matches!(found, '\u{17f}' | '\u{212a}')
    })
    .min(if text.first().is_some_and(u8::is_ascii_digit) {
        0
    } else {
        usize::MAX
    })
}

/// The width of the longest `{NAME}` or `{NAME<operator>…}` that fits on the line, as the regular expression takes
/// it: greedily, up to the line's last brace.
fn braced(text: &[u8]) -> Option<usize> {
    let named = variable(rest(text, 1));
    if named == 0 {
        return None;
    }
    let end = 1 + named;
    if operator(rest(text, end)).is_some() {
        let line = cut(text, 0, seek(text, 0, |byte| byte == b'\n'));
        let last = line.iter().rposition(|&byte| byte == b'}')?;
        return Some(last + 1);
    }
    (at(text, end) == Some(b'}')).then_some(end + 1)
}

/// The operator that a text starts with: whether it has a colon, and its sign.
fn operator(text: &[u8]) -> Option<(bool, u8)> {
    match text {
        [b':', sign @ (b'-' | b'+' | b'?'), ..] => Some((true, *sign)),
        [sign @ (b'-' | b'+' | b'?'), ..] => Some((false, *sign)),
        _ => None,
    }
}

/// One `{…}` with what the greedy match took after its end: the value of the first and the interpolation of the rest.
fn one(text: &[u8], given: &Given<'_>, depth: usize) -> Result<Vec<u8>, &'static str> {
    let close = closing(text).unwrap_or(text.len().saturating_sub(1));
    let inside = cut(text, 1, close);
    let named = variable(inside);
    let asked = name(cut(inside, 0, named));
    let value = (given.lookup)(&asked);
    let Some((colon, sign)) = operator(rest(inside, named)) else {
        (given.tell)(
            &asked,
            value.as_ref().map_or(Asked::Nothing, |_| Asked::Value),
        );
        return Ok(value.unwrap_or_default());
    };
    let word = rest(inside, named + 1 + usize::from(colon));
    let set = value
        .as_ref()
        .is_some_and(|value| !(colon && value.is_empty()));
    let (mut out, told) = match (sign, set) {
        (b'+', true) => (substitute(word, given, depth + 1)?, Asked::Alternative),
        (b'-', false) => {
            let inner = Cell::new(false);
            let tell = |name: &str, asked: Asked| {
                inner.set(true);
                (given.tell)(name, asked);
            };
            let lookup = given.lookup;
            let out = substitute(
                word,
                &Given {
                    lookup,
                    tell: &tell,
                },
                depth + 1,
            )?;
            let literal = !inner.get() && !out.is_empty();
            (out, Asked::Default { literal })
        }
        (b'?', false) => {
            (given.tell)(&asked, Asked::Required);
            return Err("a required name that has no value");
        }
        (b'+', false) => (value.unwrap_or_default(), Asked::Nothing),
        _ => (value.unwrap_or_default(), Asked::Value),
    };
    (given.tell)(&asked, told);
    out.extend(substitute(rest(text, close + 1), given, depth + 1)?);
    Ok(out)
}

/// Where Compose thinks that the first brace closes: it counts every brace but skips the byte after an opening one.
fn closing(text: &[u8]) -> Option<usize> {
    let mut open = 0;
    let mut place = 0;
    while let Some(byte) = at(text, place) {
        match byte {
            b'}' => {
                open -= 1;
                if open == 0 {
                    return Some(place);
                }
            }
            b'{' => {
                open += 1;
                place += 1;
            }
            _ => {}
        }
        place += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(template: &str) -> Result<String, &'static str> {
        let lookup = |name: &str| match name {
            "A" => Some(b"1".to_vec()),
            "EMPTY" => Some(Vec::new()),
            "DOLLAR" => Some(b"a$A".to_vec()),
            _ => None,
        };
        interpolate(template.as_bytes(), &lookup)
            .map(|out| String::from_utf8_lossy(&out).into_owned())
    }

    #[test]
    fn it_tells_what_became_of_each_name() {
        let told = |template: &str| {
            let told = std::cell::RefCell::new(Vec::new());
            let lookup = |name: &str| (name == "A").then(|| b"1".to_vec());
            let _ = interpolate_telling(template.as_bytes(), &lookup, &|name, asked| {
                told.borrow_mut().push((name.to_owned(), asked));
            });
            told.into_inner()
        };
        let (literal, other) = (
            Asked::Default { literal: true },
            Asked::Default { literal: false },
        );
        for (template, expected) in [
            ("$A$N", vec![("A", Asked::Value), ("N", Asked::Nothing)]),
            ("${N:-d}", vec![("N", literal)]),
            ("${N:-}", vec![("N", other)]),
            ("${N:-${A}}", vec![("A", Asked::Value), ("N", other)]),
            ("${N:-${M:-x}}", vec![("M", literal), ("N", other)]),
            (
                "${A:+x}${N:+x}",
                vec![("A", Asked::Alternative), ("N", Asked::Nothing)],
            ),
            ("${N:?e}$A", vec![("N", Asked::Required)]),
        ] {
            let expected: Vec<(String, Asked)> = expected
                .into_iter()
                .map(|(name, asked)| (name.to_owned(), asked))
                .collect();
            assert_eq!(told(template), expected, "{template}");
        }
    }

    #[test]
    fn each_operator_distinguishes_unset_from_empty_as_compose_does() {
        for (template, out) in [
            ("$A ${A} $$A", "1 1 $A"),
            ("${N:-d}${EMPTY:-d}${N-d}${EMPTY-d}", "ddd"),
            ("${A:+x}${EMPTY:+x}${EMPTY+x}${N+x}", "xx"),
            ("${A:?e}${EMPTY?e}", "1"),
            ("${N:-${A}}", "1"),
            ("${N:-{}}", "{}"),
            ("${N:-a}b}", "ab}"),
            ("${N:-a?b}", "a?b"),
            ("$1 $(x) a$ $ x", "$1 $(x) a$ $ x"),
            ("$DOLLAR", "a$A"),
        ] {
            assert_eq!(given(template).as_deref(), Ok(out), "{template}");
        }
        for bad in [
            "${1}",
            "${}",
            "${A.B}",
            "${A/a/b}",
            "${#A}",
            "${A:=x}",
            "${A:-\n}",
            "${N:?e}",
            "${EMPTY:?e}",
            "${N?e}",
        ] {
            assert!(given(bad).is_err(), "{bad}");
        }
    }
}
