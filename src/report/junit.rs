//! `JUnit`'s XML, as Jenkins and GitLab read it.
//!
//! # Why
//!
//! Jenkins refuses what its schema doesn't name, so a test case has no `file` and no `line`: the text of a failure says
//! them. Both follow a case by its class and name, and GitLab keeps one of those with the same name: the class is the
//! rule, the name is the file and the sentence, counted where there are equals. A warning fails nothing, as it does not
//! fail the command: it is a case that passed, with what it says as its output. A failure's type is never the rule's name:
//! GitLab's reader would turn the text of a `yaml` or a `file` into one.

use super::{NOWHERE, path, shown};
use crate::problem::{Problem, Severity};
use std::collections::BTreeMap;
use std::fmt::Write;

pub(super) fn text(problems: &[Problem], rules: &[(&str, &str)]) -> String {
    let mut cases = String::new();
    let mut seen = BTreeMap::<String, usize>::new();
    for problem in problems {
        let mut name = format!(
            "{}: {}",
            path(problem).unwrap_or_else(|| NOWHERE.to_owned()),
            shown(&problem.message)
        );
        let count = seen.entry(format!("{} {name}", problem.rule)).or_default();
        *count += 1;
        if *count > 1 {
            let _ = write!(name, " ({count})");
        }
        let (open, close) = match problem.severity {
            Severity::Error => (
                format!(
                    "<failure type=\"error\" message=\"{}\">",
                    xml(&problem.message)
                ),
                "</failure>",
            ),
            Severity::Warning | Severity::Note => ("<system-out>".to_owned(), "</system-out>"),
        };
        let _ = writeln!(
            cases,
            "    <testcase classname=\"{}\" name=\"{}\">\n      {open}{}{close}\n    </testcase>",
            xml(problem.rule),
            xml(&name),
            xml(&problem.to_string()),
        );
    }
    let mut total = problems.len();
    for (rule, sentence) in rules {
        if problems.iter().any(|problem| problem.rule == *rule) {
            continue;
        }
        total += 1;
        let _ = writeln!(
            cases,
            "    <testcase classname=\"{}\" name=\"{}\"/>",
            xml(rule),
            xml(sentence)
        );
    }
    let failures = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .count();
    let counts = format!("name=\"dotage\" tests=\"{total}\" failures=\"{failures}\" errors=\"0\"");
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  <testsuite {counts}>\n{cases}  </testsuite>\n</testsuites>\n"
    )
}

/// Text for an element or an attribute. What XML cannot hold at all is shown as `\u{…}`.
fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in shown(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(escaped, "{}", c.escape_unicode());
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::tests::{RULES, problems};
    use super::*;

    #[test]
    fn an_error_fails_a_warning_speaks_and_the_rest_pass() {
        let rules = [&RULES[..], &[("clear", "nothing is wrong")]].concat();
        let text = text(&problems(), &rules);
        assert!(
            text.contains("<testsuite name=\"dotage\" tests=\"5\" failures=\"2\" errors=\"0\">")
        );
        assert_eq!(text.matches("<failure ").count(), 2);
        assert_eq!(text.matches("<system-out>").count(), 2);
        assert!(text.contains("<testcase classname=\"clear\" name=\"nothing is wrong\"/>"));
        assert!(text.contains(
            "name=\"vault/production/api.age: OLD_KEY is declared nowhere\">\n      <system-out>vault/"
        ));
    }

    #[test]
    fn equals_are_counted() {
        let problem = Problem::new("unused", "x");
        let text = text(&[problem.clone(), problem], &[]);
        assert!(
            text.contains("name=\"dotage.yaml: x\"")
                && text.contains("name=\"dotage.yaml: x (2)\"")
        );
    }

    #[test]
    fn what_xml_cannot_hold_is_shown() {
        assert_eq!(
            xml("<a & \"b\">\u{0}\u{ffff}\n"),
            "&lt;a &amp; &quot;b&quot;&gt;\\u{0}\\u{ffff}&#10;"
        );
    }
}
