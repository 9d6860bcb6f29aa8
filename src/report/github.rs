//! GitHub's workflow commands: a line each, which the runner turns into an annotation beside the code.
//!
//! # Why
//!
//! The runner takes `%0A`, `%0D` and `%25` back in a message, and in a property `%3A` and `%2C` too; without those a file's
//! name could end its property or the command. It shows ten errors and ten warnings of a step, the first ones.

use super::{message, path};
use crate::problem::{Problem, Severity};
use std::fmt::Write;

pub(super) fn text(problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        let command = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let _ = write!(text, "::{command} ");
        if let Some(path) = path(problem) {
            let _ = write!(text, "file={},", property(&path));
        }
        if let Some(place) = problem.place.as_ref().filter(|place| place.line > 0) {
            let _ = write!(text, "line={},", place.line);
            if place.column > 0 {
                let _ = write!(text, "col={},", place.column);
            }
        }
        let title = property(&format!("dotage: {}", problem.rule));
        let _ = writeln!(text, "title={title}::{}", data(&message(problem)));
    }
    text
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::tests::problems;

    #[test]
    fn a_command_a_line() {
        let text = super::text(&problems());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "::error file=dotage.yaml,line=9,col=3,title=dotage%3A weak-value::JWT_SECRET is shorter than 32 characters%0Ahelp: dotage generate JWT_SECRET --force",
                "::warning file=vault/production/api.age,title=dotage%3A unused::OLD_KEY is declared nowhere%0Ahelp: dotage unset OLD_KEY",
                "::notice title=dotage%3A open-bootstrap::the bootstrap is open",
                "::error file=a dir/\\u{7}ü%25%3A%2C.yaml,line=1,title=dotage%3A weak-value::100%25 <wrong> & \"odd\": a,b\\u{1b}[31m\\u{202e}",
            ]
        );
    }
}
