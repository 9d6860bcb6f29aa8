//! The forms that a line can have, each by an example of it: the same shape around another name and another value.
//!
//! # Why
//!
//! What the consumers make of a form is read off its example, by the readers that every file is read with. So a message
//! can show text and what each consumer reads in it, and no byte of the linted file is in it.

use super::line::{Assignment, Form, Shape, Statement, blank, trim, unended, word};

/// Something that a line is written with.
pub(super) struct Found {
    /// The rule that speaks of it.
    pub(super) rule: &'static str,
    /// What it is, after "has".
    pub(super) what: &'static str,
    /// Where it is in the statement.
    pub(super) at: usize,
    /// A text of the same form.
    pub(super) example: Vec<u8>,
    /// How it would be read alike. `NAME` stands for the name.
    pub(super) instead: &'static str,
    /// Whether it is the value's, so that a command in the example is the value's too.
    pub(super) in_value: bool,
}

fn found(
    rule: &'static str,
    what: &'static str,
    at: usize,
    example: &str,
    instead: &'static str,
) -> Found {
    Found {
        rule,
        what,
        at,
        example: [example.as_bytes(), b"\n"].concat(),
        instead,
        in_value: false,
    }
}

const SINGLE: &str = "write NAME='…', in single quotes";
const LINE: &str = "write NAME=… on a line of its own, with nothing else on it";
const TAKE_OUT: &str = "take the line out, or put `# ` before it; if it goes on with a value, put quotes around the whole value";

/// What a line's form is, apart from its value: the name, the separator, and what stands before them.
pub(super) fn outside(statement: &Statement<'_>) -> Vec<Found> {
    let mut all = Vec::new();
    if std::str::from_utf8(statement.text).is_err() {
        all.push(Found {
            example: b"K=\xff\n".to_vec(),
            ..found(
                "not-utf8",
                "bytes that are not UTF-8",
                0,
                "",
                "save the file as UTF-8, or base64-encode the value",
            )
        });
    }
    let line = unended(statement.text);
    match &statement.shape {
        Shape::Blank => {}
        Shape::Comment => {
            if line.ends_with(b"\\") {
                all.push(found(
                    "backslash-continuation",
                    "a backslash at the end of a comment",
                    line.len() - 1,
                    "# c\\\nK=1",
                    "take the backslash at its end out",
                ));
            }
            let example = if line.contains(&b'=') { "# K=1" } else { "# c" };
            all.push(found(
                "comment-line",
                "a comment",
                0,
                example,
                "take comments out of the file that this consumer reads",
            ));
        }
        Shape::Other => {
            let start = line.iter().take_while(|&&byte| blank(byte)).count();
            let text = trim(line);
            all.push(if word(text) {
                found(
                    "no-value",
                    "a name and no `=`",
                    start,
                    "K",
                    "write an empty value with its `=`, or take the line out",
                )
            } else if text
                .strip_prefix(b"export ")
                .is_some_and(|name| word(trim(name)))
            {
                found(
                    "no-value",
                    "an `export` and no `=`",
                    start,
                    "export K",
                    TAKE_OUT,
                )
            } else if text.starts_with(b";") {
                found(
                    "not-an-assignment",
                    "a semicolon first",
                    start,
                    "; c",
                    "begin a comment with `#`",
                )
            } else {
                found(
                    "not-an-assignment",
                    "no `NAME=` that anybody meant as one",
                    start,
                    "a b",
                    TAKE_OUT,
                )
            });
        }
        Shape::Assignment(assignment) => named(assignment, &mut all),
    }
    all
}

fn named(assignment: &Assignment<'_>, all: &mut Vec<Found>) {
    if assignment.indented {
        all.push(found(
            "indented",
            "blanks before it",
            0,
            " K=1",
            "begin the line with NAME",
        ));
    }
    if assignment.exported {
        all.push(found(
            "export",
            "`export` before it",
            assignment.name_at.saturating_sub(7),
            "export K=1",
            "write NAME=… without `export`",
        ));
    }
    let at = assignment.name_at;
    if !word(assignment.name) {
        let example = match assignment.name {
            [b'0'..=b'9', ..] => "1K=1",
            name if name.contains(&b'.') => "K.L=1",
            name if name.contains(&b'-') => "K-L=1",
            name if name.iter().any(|byte| matches!(byte, b'\'' | b'"')) => "'K'=1",
            name if name.is_ascii() => "K!=1",
            _ => "É=1",
        };
        all.push(found(
            "bad-name",
            "a name of other characters than A–Z, a–z, 0–9 and `_`, or a digit first",
            at,
            example,
            "rename it to [A-Za-z_][A-Za-z0-9_]*",
        ));
    }
    let end = at + assignment.name.len();
    if assignment.colon {
        all.push(found(
            "colon-assignment",
            "a colon in place of `=`",
            end,
            "K: 1",
            "write NAME=…",
        ));
    }
    let example = match assignment.spaced {
        (true, true) => "K = 1",
        (true, false) => "K =1",
        (false, true) if assignment.value.is_empty() => "K= ",
        (false, true) => "K= 1",
        (false, false) => return,
    };
    all.push(found(
        "spaces-around-equals",
        "a blank beside its `=`",
        end,
        example,
        "write NAME=… with no blank beside the `=`",
    ));
}

/// What a value's form is.
pub(super) fn inside(assignment: &Assignment<'_>) -> Vec<Found> {
    let mut all = Vec::new();
    let value = assignment.value;
    match assignment.form {
        Form::Bare => bare(value, &mut all),
        Form::Quoted {
            quote,
            inner,
            after,
        } => quoted(char::from(quote), inner, after, &mut all),
        Form::Open { quote } => {
            let example = format!("K={0}a\nL=1", char::from(quote));
            all.push(found(
                "unterminated-quote",
                "a quote that nothing closes",
                0,
                &example,
                "close the quote, or take it out",
            ));
        }
    }
    for one in &mut all {
        one.at += assignment.value_at;
        one.in_value = true;
    }
    all
}

fn bare(value: &[u8], all: &mut Vec<Found>) {
    let kept = value.trim_ascii_end().len();
    if kept < value.len() {
        let example = if value.contains(&b'\r') {
            "K=a\r"
        } else {
            "K=a "
        };
        all.push(found(
            "blank-at-end",
            "a blank after its value",
            kept,
            example,
            LINE,
        ));
    }
    let value = value.get(..kept).unwrap_or_default();
    let comment = (0..value.len()).find(|&at| {
        value.get(at) == Some(&b'#') && (at == 0 || value.get(at - 1).copied().is_some_and(blank))
    });
    let own = value.get(..comment.unwrap_or(kept)).unwrap_or_default();
    let own = own.trim_ascii_end();
    if let Some(at) = comment {
        let example = if at == 0 { "K=#a" } else { "K=a # c" };
        let (rule, instead) = if at == 0 {
            ("hash-in-value", SINGLE)
        } else {
            (
                "trailing-comment",
                "put the comment on a line of its own, above NAME=…",
            )
        };
        let what = if at == 0 {
            "a `#` first in its value"
        } else {
            "a comment after its value"
        };
        all.push(found(rule, what, at, example, instead));
    }
    if let Some(at) = own.iter().position(|&byte| byte == b'#') {
        all.push(found(
            "hash-in-value",
            "a `#` in a value without quotes",
            at,
            "K=a#c",
            SINGLE,
        ));
    }
    if own.ends_with(b"\\") {
        let example = if comment.is_some() {
            "K=a\\ # c"
        } else {
            "K=a\\\nL=1"
        };
        all.push(found(
            "backslash-continuation",
            "a backslash at its end",
            own.len() - 1,
            example,
            "take the backslash out if a line goes on, else write NAME='…' and see if it stays",
        ));
    }
    escapes(own, "", all);
    let quotes = own
        .iter()
        .filter(|byte| matches!(byte, b'\'' | b'"'))
        .count();
    if let Some(at) = own.iter().position(|byte| matches!(byte, b'\'' | b'"')) {
        let quote = char::from(own.get(at).copied().unwrap_or_default());
        all.push(if quotes % 2 == 1 {
            found(
                "unterminated-quote",
                "a quote inside a value without quotes",
                at,
                &format!("K=a{quote}b"),
                "write NAME=\"…\", in double quotes",
            )
        } else {
            found(
                "adjacent-quotes",
                "quotes inside a value without quotes",
                at,
                &format!("K=a{quote}b{quote}"),
                "put quotes around the whole value",
            )
        });
    }
    if let [b'`', inner @ .., b'`'] = own {
        if !inner.contains(&b'`') {
            all.push(backticks());
        }
    } else if let Some(at) = own.iter().position(|&byte| byte == b'`') {
        all.push(found(
            "executes-command",
            "a backtick",
            at,
            "K=a`b`",
            SINGLE,
        ));
    }
    expansions(own, "", all);
    if let Some(at) = own
        .iter()
        .position(|&byte| matches!(byte, b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')'))
        && (at == 0 || own.get(at - 1) != Some(&b'$'))
    {
        let example = match own.get(at) {
            Some(b'&') => "K=a&b",
            Some(b'|') => "K=a|b",
            Some(b'<' | b'>') => "K=a>b",
            Some(b'(' | b')') => "K=a(b)",
            _ => "K=a;b",
        };
        all.push(found(
            "executes-command",
            "a sign in a value without quotes that a shell acts on",
            at,
            example,
            SINGLE,
        ));
    }
    if let Some(at) = own.iter().position(|&byte| blank(byte)) {
        all.push(found(
            "unquoted-space",
            "a blank in a value without quotes",
            at,
            "K=a b",
            SINGLE,
        ));
    }
    characters(own, "", all);
}

fn backticks() -> Found {
    found(
        "backtick-quotes",
        "backticks for quotes",
        0,
        "K=`a`",
        SINGLE,
    )
}

fn quoted(quote: char, inner: &[u8], after: &[u8], all: &mut Vec<Found>) {
    let close = inner.len() + 1;
    let rest = trim(after);
    let spaced = after.first().copied().is_some_and(blank);
    match rest.first() {
        None if after.is_empty() => {}
        None => all.push(found(
            "blank-at-end",
            "a blank after its value",
            close + 1,
            &format!("K={quote}a{quote} "),
            LINE,
        )),
        Some(b'#') => all.push(found(
            "trailing-comment",
            "a comment after its value",
            close + 1,
            &format!("K={quote}a{quote}{}# c", if spaced { " " } else { "" }),
            "put the comment on a line of its own, above NAME=…",
        )),
        Some(first) => {
            let next = if matches!(first, b'\'' | b'"') {
                format!("{0}b{0}", char::from(*first))
            } else {
                "b".to_owned()
            };
            all.push(found(
                "adjacent-quotes",
                "something after its closing quote",
                close + 1,
                &format!("K={quote}a{quote}{}{next}", if spaced { " " } else { "" }),
                "put one pair of quotes around the whole value",
            ));
        }
    }
    if quote == '`' {
        all.push(backticks());
    } else {
        all.push(found(
            "quotes",
            "quotes around its value",
            0,
            &format!("K={quote}a{quote}"),
            "take the quotes out where the value needs none, or give this consumer a file of its own",
        ));
    }
    if inner.contains(&b'\n') {
        all.push(found(
            "multi-line",
            "a value of several lines",
            0,
            &format!("K={quote}a\nb{quote}"),
            "base64-encode the value, or keep it in a file of its own and name that file",
        ));
    }
    if inner.ends_with(b"\\") {
        all.push(found(
            "backslash-before-quote",
            "a backslash before its closing quote",
            close - 1,
            &format!("K={quote}a\\{quote}"),
            "take the backslash out; if it belongs to the value, another value is safer",
        ));
    }
    let mark = quote.to_string();
    escapes(inner.strip_suffix(b"\\").unwrap_or(inner), &mark, all);
    if quote == '"'
        && let Some(at) = inner.iter().position(|&byte| byte == b'`')
    {
        all.push(found(
            "executes-command",
            "a backtick",
            at + 1,
            "K=\"a`b`\"",
            SINGLE,
        ));
    }
    expansions(inner, &mark, all);
    characters(inner, &mark, all);
}

/// The escapes in a value, each kind once.
fn escapes(text: &[u8], quote: &str, all: &mut Vec<Found>) {
    let instead = if quote == "'" {
        "a value without backslashes is read alike; else give each consumer a file of its own"
    } else {
        "write NAME='…', in single quotes, if the backslash is the value's own"
    };
    let mut kinds = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if byte == b'\\'
            && let Some(&next) = text.get(at + 1)
        {
            // Only what is an escape to somebody is told apart: the others may as well be the value's own letters.
            let kind = match next {
                b'n' | b'r' | b't' | b'\\' | b'\'' | b'"' | b'$' | b'`' | b' ' => char::from(next),
                b'0'..=b'9' => '0',
                b'\n' => '\n',
                _ => 'x',
            };
            // What a backslash does to a dollar sign is said of the dollar sign.
            if kind != '$' && !kinds.contains(&kind) {
                kinds.push(kind);
                all.push(found(
                    "escape",
                    "a backslash in its value",
                    quote.len() + at,
                    &format!("K={quote}a\\{kind}b{quote}"),
                    instead,
                ));
            }
            at += 1;
        }
        at += 1;
    }
}

/// What somebody replaces by something else: commands, references, a home directory.
fn expansions(text: &[u8], quote: &str, all: &mut Vec<Found>) {
    let whole = |inner: &str| format!("K={quote}{inner}{quote}");
    let instead = if quote == "'" {
        "a value without `$` is read alike; else give each consumer a file of its own"
    } else {
        "write NAME='…' if the `$` is the value's own; single quotes keep it for all but dotenv-expand, vite and python"
    };
    let offset = quote.len();
    let mut kinds = Vec::new();
    for (at, _) in text.iter().enumerate().filter(|(_, byte)| **byte == b'$') {
        let escaped = at > 0 && text.get(at - 1) == Some(&b'\\');
        let before = if escaped { "a\\" } else { "a" };
        let after = text.get(at + 1..).unwrap_or_default();
        let (rule, what, form) = match after {
            [b'(', ..] => ("executes-command", "a command in its value", "$(b)"),
            [b'{', rest @ ..] => {
                let end = rest.iter().position(|&byte| byte == b'}');
                let form = match end.and_then(|end| rest.get(..end)) {
                    Some(name) if word(name) => "${B}",
                    Some(_) => "${B:-c}",
                    None => "${B",
                };
                ("expands-variable", "a reference to a variable", form)
            }
            [byte, ..] if *byte == b'_' || byte.is_ascii_alphabetic() => {
                ("expands-variable", "a reference to a variable", "$B")
            }
            [b'$', ..] => ("expands-variable", "two dollar signs", "$$b"),
            [byte, ..] if byte.is_ascii_digit() => {
                ("expands-variable", "a `$` before a digit", "$1")
            }
            [] => ("expands-variable", "a `$`", "$"),
            _ => ("expands-variable", "a `$`", "$@"),
        };
        if !kinds.contains(&(form, escaped)) {
            kinds.push((form, escaped));
            all.push(found(
                rule,
                what,
                offset + at,
                &whole(&format!("{before}{form}")),
                instead,
            ));
        }
    }
    if quote.is_empty() && text.starts_with(b"~") {
        all.push(found(
            "expands-variable",
            "a tilde first",
            0,
            "K=~/a",
            SINGLE,
        ));
    }
}

/// Characters that somebody takes for white space, an end of line, or the start of the file.
fn characters(value: &[u8], quote: &str, all: &mut Vec<Found>) {
    let mut kinds = Vec::new();
    let mut at = quote.len();
    for chunk in value.utf8_chunks() {
        for c in chunk.valid().chars() {
            let odd = matches!(
                c,
                '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1f}' | '\u{feff}'
            ) || (c.is_whitespace() && !c.is_ascii())
                || (c == '\t' && !quote.is_empty());
            if odd && !kinds.contains(&c) {
                kinds.push(c);
                for example in [
                    format!("K={quote}a{c}b{quote}"),
                    format!("K={quote}{c}a{quote}"),
                    format!("K={quote}a{c}{quote}"),
                ] {
                    all.push(found(
                        "odd-character",
                        "a character that some take for white space or an end of line",
                        at,
                        &example,
                        "take it out, or base64-encode the value",
                    ));
                }
            }
            at += c.len_utf8();
        }
        at += chunk.invalid().len();
    }
}
