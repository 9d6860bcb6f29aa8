//! The forms that problems are told in: for people, for programs, and for what shows them beside the code.
//!
//! # Why
//!
//! Each form is what one reader documents, and its test asks that reader's own schema or parser. In all of them a
//! character that a terminal would act on is shown, not sent, and a problem keeps its rule's name. A finding is followed
//! from run to run by its rule, its file and its sentence without the numbers in it: neither a line that moved nor one
//! day more overdue makes a new one.

mod github;
mod gitlab;
mod junit;
mod sarif;

use crate::problem::{Printable, Problem, Severity};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// The file that a reader is shown for a problem that has no place, where a form can't do without one.
const NOWHERE: &str = "dotage.yaml";

/// What problems are written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Place and sentence, the source line with a caret, and what to type next.
    #[default]
    People,
    /// An array of objects.
    Json,
    /// SARIF 2.1.0, as GitHub's code scanning takes it.
    Sarif,
    /// The XML of `JUnit` that Jenkins and GitLab read: each error a failure, each rule that found none a success.
    Junit,
    /// Workflow commands, which GitHub Actions shows beside the line.
    Github,
    /// GitLab's Code Quality report.
    Gitlab,
}

impl Form {
    /// Every form.
    pub const ALL: [Form; 6] = [
        Form::People,
        Form::Json,
        Form::Sarif,
        Form::Junit,
        Form::Github,
        Form::Gitlab,
    ];

    /// How it is called on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Form::People => "people",
            Form::Json => "json",
            Form::Sarif => "sarif",
            Form::Junit => "junit",
            Form::Github => "github",
            Form::Gitlab => "gitlab",
        }
    }

    /// The form that is called so.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Form::ALL.into_iter().find(|form| form.name() == name)
    }
}

/// The problems in a form. `rules` are all that were asked, each with its sentence: what found nothing is told too, where
/// a form has a place for that.
#[must_use]
pub fn text(form: Form, problems: &[Problem], rules: &[(&str, &str)]) -> String {
    match form {
        Form::People => people(problems),
        Form::Json => json(problems),
        Form::Sarif => sarif::text(problems, rules),
        Form::Junit => junit::text(problems, rules),
        Form::Github => github::text(problems),
        Form::Gitlab => gitlab::text(problems),
    }
}

fn people(problems: &[Problem]) -> String {
    let mut text = String::new();
    for (index, problem) in problems.iter().enumerate() {
        let between = if index == 0 { "" } else { "\n" };
        let _ = writeln!(text, "{between}{problem}");
    }
    text
}

fn json(problems: &[Problem]) -> String {
    let problems: serde_json::Value = problems.iter().map(object).collect();
    format!("{problems:#}\n")
}

/// A problem as the object that it is in JSON.
#[must_use]
pub fn object(problem: &Problem) -> serde_json::Value {
    let number = |number: usize| (number > 0).then_some(number);
    let place = problem.place.as_ref();
    json!({
        "rule": problem.rule,
        "severity": word(problem.severity),
        "path": path(problem),
        "line": place.and_then(|place| number(place.line)),
        "column": place.and_then(|place| number(place.column)),
        "message": shown(&problem.message),
        "help": problem.help.as_deref().map(shown),
    })
}

/// The word for a severity, the same in JSON and SARIF.
fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// Text without a character that a terminal would act on.
fn shown(text: &str) -> String {
    Printable(text).to_string()
}

/// The file of a problem, without the `./` that readers who compare paths would stumble over.
fn file(problem: &Problem) -> Option<&Path> {
    let path = &problem.place.as_ref()?.path;
    Some(path.strip_prefix(".").unwrap_or(path))
}

/// The same as a text.
fn path(problem: &Problem) -> Option<String> {
    Some(shown(&file(problem)?.to_string_lossy()))
}

/// The sentence, and what to type next on a line of its own.
fn message(problem: &Problem) -> String {
    let mut text = shown(&problem.message);
    if let Some(help) = &problem.help {
        let _ = write!(text, "\nhelp: {}", Printable(help));
    }
    text
}

/// What stays the same of each problem while lines move: 32 hexadecimal digits and, among equals, which one it is.
fn fingerprints(problems: &[Problem]) -> Vec<String> {
    let mut seen = BTreeMap::<String, usize>::new();
    let fingerprint = |problem: &Problem| {
        let mut hash = Sha256::new();
        hash.update(problem.rule);
        hash.update([0]);
        if let Some(file) = file(problem) {
            hash.update(file.as_os_str().as_encoded_bytes());
        }
        hash.update([0]);
        hash.update(without_numbers(&problem.message));
        let mut hex = String::with_capacity(32);
        for byte in &hash.finalize()[..16] {
            let _ = write!(hex, "{byte:02x}");
        }
        let count = seen.entry(hex.clone()).or_default();
        *count += 1;
        format!("{hex}:{count}")
    };
    problems.iter().map(fingerprint).collect()
}

/// A sentence with each number in it as one `0`. A digit in a name (`S3_KEY`) is no number.
fn without_numbers(sentence: &str) -> String {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut text = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some(c) = rest.chars().next() {
        let length = if in_word(c) {
            rest.find(|c| !in_word(c)).unwrap_or(rest.len())
        } else {
            c.len_utf8()
        };
        let (word, after) = rest.split_at(length);
        let number = word.bytes().all(|byte| byte.is_ascii_digit());
        text.push_str(if number { "0" } else { word });
        rest = after;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Place;

    pub(super) const RULES: [(&str, &str); 2] = [
        ("weak-value", "a secret is long and random enough"),
        (
            "unused",
            "a value in the vault belongs to a declared variable",
        ),
    ];

    /// One of each severity, one without a place, one with all that is awkward.
    pub(super) fn problems() -> Vec<Problem> {
        vec![
            Problem::new("weak-value", "JWT_SECRET is shorter than 32 characters")
                .at(Place::at("dotage.yaml", 9, 3))
                .excerpt("  JWT_SECRET: { used_by: [api] }")
                .help("dotage generate JWT_SECRET --force"),
            Problem::new("unused", "OLD_KEY is declared nowhere")
                .severity(Severity::Warning)
                .at(Place::file("vault/production/api.age"))
                .help("dotage unset OLD_KEY"),
            Problem::new("open-bootstrap", "the bootstrap is open").severity(Severity::Note),
            Problem::new(
                "weak-value",
                "100% <wrong> & \"odd\": a,b\u{1b}[31m\u{202e}",
            )
            .at(Place::at("a dir/\u{7}ü%:,.yaml", 1, 0)),
        ]
    }

    #[test]
    fn each_name_means_its_form() {
        for form in Form::ALL {
            assert_eq!(Form::from_name(form.name()), Some(form));
        }
        assert_eq!(Form::from_name("yaml"), None);
    }

    #[test]
    fn people_get_blank_lines_between() {
        assert_eq!(
            text(Form::People, &problems()[..2], &RULES),
            "dotage.yaml:9:3: JWT_SECRET is shorter than 32 characters\n  |\n9 |   JWT_SECRET: { used_by: [api] }\n  |   ^\n\
             help: dotage generate JWT_SECRET --force\n\n\
             vault/production/api.age: warning: OLD_KEY is declared nowhere\nhelp: dotage unset OLD_KEY\n"
        );
        assert_eq!(text(Form::People, &[], &RULES), "");
    }

    #[test]
    fn json_says_null_for_what_is_not_known() {
        let text = text(Form::Json, &problems(), &RULES);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            read[0],
            json!({"rule": "weak-value", "severity": "error", "path": "dotage.yaml", "line": 9, "column": 3, "message": "JWT_SECRET is shorter than 32 characters", "help": "dotage generate JWT_SECRET --force"})
        );
        assert_eq!(
            read[2],
            json!({"rule": "open-bootstrap", "severity": "note", "path": null, "line": null, "column": null, "message": "the bootstrap is open", "help": null})
        );
        assert_eq!(super::text(Form::Json, &[], &RULES), "[]\n");
    }

    #[test]
    fn no_form_sends_what_moves_a_cursor() {
        for form in Form::ALL {
            let text = text(form, &problems(), &RULES);
            assert!(
                !text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'),
                "{form:?}: {text:?}"
            );
        }
    }

    #[test]
    fn a_finding_is_the_same_when_its_line_or_a_number_moves() {
        let at = |line, message: &str| {
            Problem::new("overdue", message).at(Place::at("dotage.yaml", line, 3))
        };
        let before = fingerprints(&[at(9, "S3_KEY is 12 days overdue")]);
        assert_eq!(
            before,
            fingerprints(&[at(30, "S3_KEY is 113 days overdue")])
        );
        assert_ne!(before, fingerprints(&[at(9, "S4_KEY is 12 days overdue")]));
        let twice = fingerprints(&[at(1, "x"), at(2, "x")]);
        assert_eq!(twice[0].replace(":1", ":2"), twice[1]);
        assert_eq!(
            without_numbers("v2: 10-day, 3_4 é5 7"),
            "v2: 0-day, 3_4 é5 0"
        );
    }
}
