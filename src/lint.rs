//! What each line of any `.env` file means to its consumers, and where they differ: values that one of them would run,
//! quotes that swallow the next variable, comments that are part of a value elsewhere.
//!
//! # Why
//!
//! The judges are the readers of `dialect`, which are held to the real programs: a file that all of them read alike is
//! quiet, however it is written. Where they don't, each line is read by itself, and what it is written with is looked
//! for (`line`, `form`). What the consumers make of it is read off an example of the same form, so a message can show
//! text and not one byte of the file. A difference that no form explains is still said, as `differs`: silence means
//! that all of them read the same.
//!
//! A name is shown only where it can't be a piece of a value: the last line of a key in base64 looks like `…==`.

mod form;
mod line;

use crate::dialect::{Dialect, Entries};
use crate::problem::{Place, Problem, Severity};
use crate::secret::{self, Name};
use form::Found;
use line::{Assignment, Form, Shape, Statement, assigns, blank, statements, word};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

/// Every rule, and what it says.
pub const RULES: &[(&str, &str)] = &[
    (
        "executes-command",
        "a consumer runs a part of the value as a command",
    ),
    (
        "swallows-next",
        "a value goes on over the next variable, which is lost",
    ),
    ("unterminated-quote", "a quote is opened and never closed"),
    (
        "backslash-continuation",
        "a backslash at a line's end joins the next line to it for some consumers",
    ),
    (
        "backslash-before-quote",
        "a backslash before the closing quote escapes it for some consumers",
    ),
    (
        "adjacent-quotes",
        "quotes that are not around the whole value are joined, kept or refused",
    ),
    (
        "trailing-comment",
        "a comment after a value is a part of it for some consumers",
    ),
    (
        "hash-in-value",
        "a `#` in a value begins a comment for some consumers",
    ),
    (
        "escape",
        "a backslash in a value is an escape for some consumers",
    ),
    (
        "expands-variable",
        "a `$` or a tilde is replaced by some consumers and kept by others",
    ),
    (
        "quotes",
        "a consumer without quotes takes them for a part of the value",
    ),
    (
        "backtick-quotes",
        "backticks are quotes to some, a command to others, text to the rest",
    ),
    ("unquoted-space", "a value with a blank and no quotes"),
    (
        "blank-at-end",
        "a blank after the value, which some consumers keep",
    ),
    (
        "multi-line",
        "a value of several lines, which some consumers cannot read",
    ),
    (
        "odd-character",
        "a character that some consumers take for white space or an end of line",
    ),
    ("export", "`export` before a name"),
    ("spaces-around-equals", "a blank beside the equals sign"),
    ("colon-assignment", "a colon in place of the equals sign"),
    ("no-value", "a name without an equals sign"),
    (
        "not-an-assignment",
        "a line that is neither an assignment, a comment nor blank",
    ),
    ("bad-name", "a name that not every consumer takes"),
    ("indented", "blanks before a name"),
    ("comment-line", "a comment, in a format that has none"),
    ("crlf", "lines that end in CR LF"),
    ("bom", "a byte-order mark at the start"),
    ("not-utf8", "bytes that are not UTF-8"),
    ("nul-byte", "a NUL byte, which no environment carries"),
    (
        "too-long",
        "a line or a value that is longer than its consumer or the system takes",
    ),
    ("duplicate-key", "a name that is assigned twice"),
    (
        "steers-process",
        "a name that steers the program that gets it",
    ),
    (
        "differs",
        "consumers read the line differently, for a reason without a rule of its own",
    ),
];

/// The consumers of a file about which nothing was said: Compose and systemd, which run services, and the shell, Node
/// and Python of who develops them.
pub const USUAL: [Dialect; 5] = [
    Dialect::Compose,
    Dialect::Systemd,
    Dialect::Shell,
    Dialect::Node,
    Dialect::Python,
];

/// `MAX_ARG_STRLEN` of Linux's execve(2) without its NUL.
const ENVIRONMENT_STRING: usize = 131_071;

/// What docker, podman and kubectl take as one line.
const SCANNED_LINE: usize = 65_535;

/// What is wrong with a file for these consumers, in the order of its lines. JSON and YAML are no consumers of one;
/// portable stands for all that know quotes. No message holds a value.
#[must_use]
pub fn problems(path: &Path, text: &[u8], consumers: &[Dialect]) -> Vec<Problem> {
    let mut lint = Lint {
        path,
        consumers: readers(consumers),
        examples: HashMap::new(),
        problems: Vec::new(),
    };
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        lint.problems.push(
            Problem::new("not-utf8", "the file is UTF-16, which no consumer reads")
                .at(Place::at(path, 1, 0))
                .help("save it as UTF-8"),
        );
        return lint.problems;
    }
    lint.file(text);
    let mut problems = lint.problems;
    problems.sort_by(|one, other| one.place.cmp(&other.place));
    problems
}

/// The names that a file assigns, whoever reads it, each with what stands after it, its quotes aside: to look at, and no
/// more than that, since only a consumer's own rules say what a value is. None stands for a name that not every consumer
/// takes; what can be a piece of a value is left out.
#[must_use]
pub fn assigned(text: &[u8]) -> Vec<(Option<Name>, &[u8])> {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    statements(text, false)
        .iter()
        .filter_map(assigning)
        .collect()
}

fn assigning<'a>(statement: &Statement<'a>) -> Option<(Option<Name>, &'a [u8])> {
    let Shape::Assignment(found) = &statement.shape else {
        return None;
    };
    let value = match found.form {
        Form::Quoted { inner, .. } => inner,
        Form::Bare => {
            let comment = found.value.windows(2).position(|pair| pair == b" #");
            let value = found.value.get(..comment.unwrap_or(found.value.len()));
            line::trim(value.unwrap_or_default())
        }
        Form::Open { .. } => b"",
    };
    shown(found).map(|name| (Name::new(name), value))
}

/// Whether what stands where a name does, before this value, can be nothing but a name.
#[must_use]
pub fn is_name(name: &str, value: &[u8]) -> bool {
    plausible(name.as_bytes(), value).is_some()
}

/// The consumers that a list means, in the order of [`Dialect::ALL`]: the usual ones for none.
#[must_use]
pub fn readers(consumers: &[Dialect]) -> Vec<Dialect> {
    // Two at least, since one alone stands for itself: the set is what is asked for.
    let with = |more| {
        let several: Vec<Dialect> = consumers.iter().copied().chain([more]).collect();
        match Dialect::of(&several) {
            Dialect::Portable(set) => set.iter().collect(),
            one => vec![one],
        }
    };
    let mut all: Vec<Dialect> = match consumers.first() {
        None => USUAL.to_vec(),
        Some(Dialect::Portable(_)) => with(Dialect::Compose),
        Some(first) => with(*first),
    };
    all.retain(|consumer| !matches!(consumer, Dialect::Json | Dialect::Yaml));
    all
}

/// What a consumer reads in a text, or why it doesn't.
type Reading = Result<Vec<(String, Vec<u8>)>, &'static str>;

/// What the consumers make of an example.
#[derive(Clone)]
struct Verdict {
    /// Whether all read the same.
    agree: bool,
    /// Whether one of them would run something.
    runs: bool,
    /// Who reads what.
    said: String,
}

struct Lint<'a> {
    path: &'a Path,
    consumers: Vec<Dialect>,
    examples: HashMap<Vec<u8>, Verdict>,
    problems: Vec<Problem>,
}

impl Lint<'_> {
    fn file(&mut self, text: &[u8]) {
        let alike = self.alike(text);
        let plain = self.ends(text);
        let heredocs = self.consumers.contains(&Dialect::Github);
        let statements = statements(&plain, heredocs);
        let mut names: HashMap<&[u8], usize> = HashMap::new();
        for (place, statement) in statements.iter().enumerate() {
            self.long(statement);
            let following = statements.get(place + 1..).unwrap_or_default();
            if let Shape::Assignment(assignment) = &statement.shape {
                self.swallows(&plain, statement, assignment, following);
                if let Some(first) = names.insert(assignment.name, statement.line) {
                    self.twice(statement, assignment, first);
                }
                self.steers(statement, assignment);
            }
            if alike {
                self.refers(statement);
            } else {
                self.statement(statement);
            }
        }
        if !alike && self.problems.is_empty() {
            self.whole(text, &statements);
        }
    }

    /// Whether every consumer reads the file, and the same in it.
    fn alike(&self, text: &[u8]) -> bool {
        let mut first: Option<Entries<'_>> = None;
        for consumer in &self.consumers {
            let Ok(entries) = consumer.read(text) else {
                return false;
            };
            match &first {
                Some(one) if *one == entries || last(one) == last(&entries) => {}
                Some(_) => return false,
                None => first = Some(entries),
            }
        }
        true
    }

    /// The file without its byte-order mark and CRs at ends of lines, once these have been judged.
    fn ends<'t>(&mut self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let mut text = text;
        if let Some(rest) = text.strip_prefix("\u{feff}".as_bytes()) {
            text = rest;
            self.example(
                "bom",
                "the file begins with a byte-order mark",
                "\u{feff}K=1\n",
                1,
                "save it as UTF-8 without a byte-order mark",
            );
        }
        if let Some(nul) = text.iter().position(|&byte| byte == 0) {
            self.problems.push(
                Problem::new("nul-byte", "a NUL byte, which no environment carries")
                    .at(self.place(text, 1, nul))
                    .help("save it as text, or base64-encode the value"),
            );
        }
        if !text.contains(&b'\r') {
            return Cow::Borrowed(text);
        }
        let mut lines = Vec::with_capacity(text.len());
        let (mut ended, mut first) = (0, None);
        for (number, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
            if let Some(line) = line.strip_suffix(b"\r\n") {
                ended += 1;
                first = first.or(Some(number + 1));
                lines.extend_from_slice(line);
                lines.push(b'\n');
            } else {
                lines.extend_from_slice(line);
            }
        }
        if let Some(first) = first {
            let what = match ended {
                1 => "a line ends in CR LF".to_owned(),
                many => format!("{many} lines end in CR LF, from this one on"),
            };
            self.example(
                "crlf",
                &what,
                "K=1\r\n",
                first,
                "save it with LF alone: sed -i 's/\\r$//' FILE",
            );
        }
        Cow::Owned(lines)
    }

    /// A problem of a line as a whole, if the consumers read this example of it differently.
    fn example(&mut self, rule: &'static str, what: &str, example: &str, line: usize, help: &str) {
        let verdict = self.verdict(example.as_bytes());
        if !verdict.agree {
            self.problems.push(
                Problem::new(rule, format!("{what}: {}", verdict.said))
                    .at(Place::at(self.path, line, 0))
                    .help(help),
            );
        }
    }

    /// What each form of a statement that its consumers read differently does.
    fn statement(&mut self, statement: &Statement<'_>) {
        if self.alike(statement.text) {
            return;
        }
        let mut found = form::outside(statement);
        let mut value = None;
        if let Shape::Assignment(assignment) = &statement.shape {
            value = Some(assignment);
            let alone = [b"K=", assignment.value, b"\n"].concat();
            if !self.alike(&alone) {
                found.extend(form::inside(assignment));
            }
        }
        let shown = value.and_then(shown);
        let mut said: Vec<&str> = Vec::new();
        let already = self.at_line(statement.line);
        for one in found {
            let verdict = self.verdict(&one.example);
            if verdict.agree {
                continue;
            }
            let rule = if one.in_value && verdict.runs {
                "executes-command"
            } else {
                one.rule
            };
            if said.contains(&rule) {
                continue;
            }
            said.push(rule);
            let subject = match shown {
                _ if value.is_none() || one.rule == "not-utf8" => String::new(),
                Some(name) => format!("{name} has "),
                None => "an assignment has ".to_owned(),
            };
            let help = self.help(&one, value, shown);
            self.problems.push(
                Problem::new(rule, format!("{subject}{}: {}", one.what, verdict.said))
                    .at(self.place(statement.text, statement.line, one.at))
                    .help(help),
            );
        }
        if said.is_empty() && !already {
            let column = value.map_or(0, |assignment| assignment.value_at);
            let subject = shown.unwrap_or("this line");
            let groups = self.groups(statement.text);
            self.problems.push(
                Problem::new("differs", format!("{subject}: {groups}"))
                    .at(self.place(statement.text, statement.line, column))
                    .help(
                        "put the value in single quotes, or give each consumer a file of its own",
                    ),
            );
        }
    }

    /// Whether something was said of this line already.
    fn at_line(&self, line: usize) -> bool {
        self.problems.iter().rev().take(4).any(|problem| {
            problem.severity == Severity::Error
                && problem
                    .place
                    .as_ref()
                    .is_some_and(|place| place.line == line)
        })
    }

    fn help(
        &mut self,
        found: &Found,
        value: Option<&Assignment<'_>>,
        shown: Option<&str>,
    ) -> String {
        let name = shown.unwrap_or("NAME");
        if !found.instead.contains("NAME='…', in") {
            return found.instead.replace("NAME", name);
        }
        if !self.verdict(b"K='a'\n").agree {
            return "no quotes serve all of these: choose a value of letters, digits and `_.-`, or give each consumer a \
                    file of its own"
                .to_owned();
        }
        let value = value.map(|assignment| assignment.value).unwrap_or_default();
        if value.contains(&b'\'') {
            return format!("write {name}=\"…\", in double quotes, if it holds none of \" $ \\ `");
        }
        found.instead.replace("NAME", name)
    }

    /// A value that goes on over the next assignment.
    fn swallows(
        &mut self,
        text: &[u8],
        statement: &Statement<'_>,
        assignment: &Assignment<'_>,
        following: &[Statement<'_>],
    ) {
        let place = self.place(statement.text, statement.line, assignment.value_at);
        let name = shown(assignment).unwrap_or("the value of an assignment");
        let lines = assignment.value;
        if let Form::Quoted { inner, .. } = assignment.form
            && let Some(end) = inner.iter().position(|&byte| byte == b'\n')
            && let Some((down, inside)) = assigns(lines.get(end + 2..).unwrap_or_default())
        {
            let inside = plausible(inside, b"x").unwrap_or("an assignment");
            // Where all agree, it may well be what was meant.
            let severity = if self.alike(statement.text) {
                Severity::Warning
            } else {
                Severity::Error
            };
            self.problems.push(
                Problem::new(
                    "swallows-next",
                    format!(
                        "{name} goes on over several lines and takes line {} with it, which assigns {inside}",
                        statement.line + 1 + down
                    ),
                )
                .severity(severity)
                .at(place)
                .help(format!("if {inside} is a variable, close the quote of {name} on its own line")),
            );
            return;
        }
        let risky = match assignment.form {
            Form::Open { .. } => true,
            Form::Quoted { inner, .. } => inner.ends_with(b"\\"),
            Form::Bare => {
                lines.ends_with(b"\\") || lines.iter().any(|byte| matches!(byte, b'\'' | b'"'))
            }
        };
        let next = following.iter().take(8).find_map(|next| match &next.shape {
            Shape::Assignment(other) if other.name != assignment.name => Some((next, other)),
            _ => None,
        });
        let Some((next, other)) = next.filter(|_| risky) else {
            return;
        };
        let both = text
            .get(statement.range.start..next.range.end)
            .unwrap_or_default();
        let reads = |consumer: &Dialect, text: &[u8]| {
            consumer.read(text).map(|entries| {
                entries
                    .iter()
                    .any(|(name, _)| name.as_bytes() == other.name)
            })
        };
        let lost: Vec<Dialect> = self
            .consumers
            .iter()
            .copied()
            .filter(|consumer| {
                let alone = reads(consumer, next.text) == Ok(true);
                match reads(consumer, both) {
                    Ok(there) => alone && !there,
                    Err(unreadable) => alone && unreadable.why.contains("not closed"),
                }
            })
            .collect();
        if lost.is_empty() {
            return;
        }
        let next_name = shown(other).unwrap_or("the next assignment");
        let help = if lines.ends_with(b"\\") {
            format!("take the backslash at the end of {name} out, or put a blank line after it")
        } else {
            format!(
                "close the quote of {name} on its line; a backslash before a quote can keep it open"
            )
        };
        self.problems.push(
            Problem::new(
                "swallows-next",
                format!(
                    "{name} goes on over the next line: {next_name} is lost to {}",
                    list(&lost)
                ),
            )
            .at(place)
            .help(help),
        );
    }

    /// A name that is assigned again.
    fn twice(&mut self, statement: &Statement<'_>, assignment: &Assignment<'_>, first: usize) {
        let name = shown(assignment).unwrap_or("a name");
        let at = self.place(statement.text, statement.line, assignment.name_at);
        let (severity, message) = if self.consumers.contains(&Dialect::Rust) {
            (
                Severity::Error,
                format!(
                    "{name} is assigned on line {first} already: dotenvy applies that one, the others this one"
                ),
            )
        } else {
            (
                Severity::Warning,
                format!("{name} is assigned on line {first} already, and that value is lost"),
            )
        };
        self.problems.push(
            Problem::new("duplicate-key", message)
                .severity(severity)
                .at(at)
                .help("keep one of the two lines"),
        );
    }

    fn steers(&mut self, statement: &Statement<'_>, assignment: &Assignment<'_>) {
        let Ok(name) = std::str::from_utf8(assignment.name) else {
            return;
        };
        // Many a program calls its stage ENV; a shell takes it for a path.
        let steers = secret::steers(name) || (name == "ENV" && assignment.value.contains(&b'/'));
        if steers {
            self.problems.push(
                Problem::new(
                    "steers-process",
                    format!(
                        "{name} changes what a program runs or loads, and not only what it is told"
                    ),
                )
                .severity(Severity::Warning)
                .at(self.place(statement.text, statement.line, assignment.name_at))
                .help("set it where the program is started, if it is meant"),
            );
        }
    }

    /// A reference that all of several consumers replace: from the file or from what each was started with.
    fn refers(&mut self, statement: &Statement<'_>) {
        let Shape::Assignment(assignment) = &statement.shape else {
            return;
        };
        if self.consumers.len() < 2 || !assignment.value.contains(&b'$') {
            return;
        }
        let found = form::inside(assignment);
        let Some(one) = found
            .iter()
            .find(|one| one.what == "a reference to a variable")
        else {
            return;
        };
        if self.verdict(&one.example).agree {
            let name = shown(assignment).unwrap_or("an assignment");
            self.problems.push(
                Problem::new(
                    "expands-variable",
                    format!("{name} has {}: some take it from this file first, some from their own environment", one.what),
                )
                .severity(Severity::Warning)
                .at(self.place(statement.text, statement.line, one.at))
                .help("write the value out"),
            );
        }
    }

    /// A line that docker or kubectl cuts, or a value that no process can be given.
    fn long(&mut self, statement: &Statement<'_>) {
        if statement.text.len() <= SCANNED_LINE {
            return;
        }
        let cut: Vec<Dialect> = self
            .consumers
            .iter()
            .copied()
            .filter(|consumer| matches!(consumer, Dialect::Docker | Dialect::Kubernetes))
            .collect();
        let longest = statement
            .text
            .split(|&byte| byte == b'\n')
            .map(<[u8]>::len)
            .max();
        let message = if let Shape::Assignment(assignment) = &statement.shape
            && assignment.name.len() + 1 + content(assignment) > ENVIRONMENT_STRING
        {
            format!(
                "{} is longer than an environment variable may be (131071 bytes with its name)",
                shown(assignment).unwrap_or("an assignment")
            )
        } else if !cut.is_empty() && longest > Some(SCANNED_LINE) {
            let drop = if cut.contains(&Dialect::Kubernetes) {
                ", and kubernetes drops the rest of the file without a word"
            } else {
                ""
            };
            format!("a line longer than {} read (65535 bytes){drop}", list(&cut))
        } else {
            return;
        };
        self.problems.push(
            Problem::new("too-long", message)
                .at(Place::at(self.path, statement.line, 0))
                .help("keep the value in a file of its own, and name that file"),
        );
    }

    /// The difference of a file in whose lines none was found.
    fn whole(&mut self, text: &[u8], statements: &[Statement<'_>]) {
        let mut first: Option<(Dialect, HashMap<String, Vec<u8>>)> = None;
        for consumer in self.consumers.clone() {
            let entries = match consumer.read(text) {
                Ok(entries) => last(&entries),
                Err(unreadable) => {
                    self.problems.push(
                        Problem::new(
                            "differs",
                            format!("{} finds {}", consumer.name(), unreadable.why),
                        )
                        .at(Place::at(self.path, unreadable.line, 0))
                        .help("write one NAME=… a line, with nothing else on it"),
                    );
                    return;
                }
            };
            let Some((before, others)) = &first else {
                first = Some((consumer, entries));
                continue;
            };
            let differs = |name: &str| others.get(name) != entries.get(name);
            let line = statements
                .iter()
                .find_map(|statement| match &statement.shape {
                    Shape::Assignment(found) => std::str::from_utf8(found.name)
                        .is_ok_and(differs)
                        .then_some((statement.line, shown(found))),
                    _ => None,
                });
            if *others != entries {
                let (line, name) = line.unwrap_or((1, None));
                self.problems.push(
                    Problem::new(
                        "differs",
                        format!(
                            "{} is one thing to {} and another to {} in this file",
                            name.unwrap_or("an assignment"),
                            before.name(),
                            consumer.name()
                        ),
                    )
                    .at(Place::at(self.path, line, 0))
                    .help("write one NAME=… a line, with nothing else on it, and no reference to another"),
                );
                return;
            }
        }
    }

    /// What the consumers make of an example, asked once.
    fn verdict(&mut self, example: &[u8]) -> Verdict {
        if let Some(known) = self.examples.get(example) {
            return known.clone();
        }
        let readings: Vec<Reading> = self
            .consumers
            .iter()
            .map(|consumer| reading(*consumer, example))
            .collect();
        let mut groups: Vec<(&Reading, Vec<Dialect>)> = Vec::new();
        for (reading, consumer) in readings.iter().zip(&self.consumers) {
            match groups.iter_mut().find(|(other, _)| *other == reading) {
                Some((_, consumers)) => consumers.push(*consumer),
                None => groups.push((reading, vec![*consumer])),
            }
        }
        let agree = matches!(groups.as_slice(), [] | [(Ok(_), _)]);
        let runs = readings
            .iter()
            .any(|reading| reading.as_ref().is_err_and(|why| runs(why)));
        let said = groups
            .iter()
            .map(|(reading, consumers)| told(reading, consumers))
            .collect::<Vec<_>>()
            .join("; ");
        let verdict = Verdict {
            agree,
            runs,
            said: format!("from `{}` {said}", visible(example)),
        };
        self.examples.insert(example.to_vec(), verdict.clone());
        verdict
    }

    /// Who reads one thing in a text and who another.
    fn groups(&self, text: &[u8]) -> String {
        let mut groups: Vec<(Reading, Vec<Dialect>)> = Vec::new();
        for consumer in &self.consumers {
            let reading = reading(*consumer, text);
            match groups.iter_mut().find(|(other, _)| *other == reading) {
                Some((_, consumers)) => consumers.push(*consumer),
                None => groups.push((reading, vec![*consumer])),
            }
        }
        let mut another = false;
        let groups: Vec<String> = groups
            .iter()
            .map(|(reading, consumers)| match reading {
                Err(why) => told(&Err(*why), consumers),
                Ok(_) => {
                    let what = if another { "another" } else { "one thing" };
                    another = true;
                    format!("{} {} {what}", list(consumers), verb(consumers, "read"))
                }
            })
            .collect();
        groups.join("; ")
    }

    /// A place in a statement that starts on a line.
    fn place(&self, text: &[u8], line: usize, at: usize) -> Place {
        let before = text.get(..at).unwrap_or(text);
        let down = before.iter().filter(|&&byte| byte == b'\n').count();
        let start = before
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |feed| feed + 1);
        let column = String::from_utf8_lossy(before.get(start..).unwrap_or_default())
            .chars()
            .count();
        Place::at(self.path, line + down, column + 1)
    }
}

/// The last value of each name.
fn last(entries: &Entries<'_>) -> HashMap<String, Vec<u8>> {
    entries
        .iter()
        .map(|(name, value)| (name.clone().into_owned(), value.clone().into_owned()))
        .collect()
}

fn reading(consumer: Dialect, text: &[u8]) -> Reading {
    match consumer.read(text) {
        Ok(entries) => Ok(entries
            .into_iter()
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect()),
        Err(unreadable) => Err(unreadable.why),
    }
}

/// Whether a reader stopped at something that its consumer runs.
fn runs(why: &str) -> bool {
    why.starts_with("a command, which") || why.contains("runs as a command")
}

/// How many bytes a value has between its quotes.
fn content(assignment: &Assignment<'_>) -> usize {
    match assignment.form {
        Form::Quoted { inner, .. } => inner.len(),
        _ => assignment.value.len(),
    }
}

/// The name of an assignment, where it can be nothing but a name.
fn shown<'a>(assignment: &Assignment<'a>) -> Option<&'a str> {
    plausible(assignment.name, assignment.value)
}

fn plausible<'a>(name: &'a [u8], value: &[u8]) -> Option<&'a str> {
    let text = std::str::from_utf8(name).ok()?;
    let plain = text.replace(['.', '-'], "_");
    let mixed = text.contains(|c: char| c.is_ascii_lowercase())
        && text.contains(|c: char| c.is_ascii_uppercase());
    let padding = value
        .iter()
        .all(|&byte| blank(byte) || matches!(byte, b'=' | b'\r'));
    let random = mixed && (padding || text.len() > 15);
    (word(plain.as_bytes()) && text.len() <= 64 && !random).then_some(text)
}

/// `compose, node and python`.
#[must_use]
pub fn list(consumers: &[Dialect]) -> String {
    let names: Vec<&str> = consumers.iter().map(|consumer| consumer.name()).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [several @ .., last] => format!("{} and {last}", several.join(", ")),
    }
}

fn verb(consumers: &[Dialect], plural: &str) -> String {
    if consumers.len() == 1 {
        format!("{plural}s")
    } else {
        plural.to_owned()
    }
}

/// What some consumers make of an example.
fn told(reading: &Reading, consumers: &[Dialect]) -> String {
    let who = list(consumers);
    match reading {
        Err(why) => format!("{who} {} {why}", verb(consumers, "find")),
        Ok(entries) => {
            let what = match entries.as_slice() {
                [] => "nothing".to_owned(),
                [(name, value)] if name == "K" && value.is_empty() => "an empty value".to_owned(),
                [(name, value)] if name == "K" => format!("`{}`", visible(value)),
                several => several
                    .iter()
                    .map(|(name, value)| {
                        format!("`{}` for {}", visible(value), visible(name.as_bytes()))
                    })
                    .collect::<Vec<_>>()
                    .join(" and "),
            };
            format!("{who} {} {what}", verb(consumers, "read"))
        }
    }
}

/// Text of an example on one line: what ends one, and what nobody sees, as a sign.
fn visible(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text.strip_suffix(b"\n").unwrap_or(text)).into_owned();
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push('⏎'),
            '\r' => out.push('␍'),
            '\t' => out.push('⇥'),
            c if c.is_control() || c == '\u{feff}' || (c.is_whitespace() && c != ' ') => {
                out.extend(c.escape_unicode());
            }
            c => out.push(c),
        }
    }
    out
}
