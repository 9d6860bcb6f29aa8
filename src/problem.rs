//! What is wrong: a sentence about a place, and what to type next.
//!
//! # Why
//!
//! A parse error, a broken contract and a loose file mode are all one struct, so each is printed the same way and
//! none of them knows who reports it. A problem holds names and places, never a value: nothing in this file can
//! reach one. The excerpt is the one line of source it may quote, and only an inventory or a template sets it.

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};

/// Where: a file, and in it a line and column counted from 1 (0: the whole file, the whole line).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as the user named it.
    pub path: PathBuf,
    /// The line, from 1; 0 for the whole file.
    pub line: usize,
    /// The column in characters, from 1; 0 for the whole line.
    pub column: usize,
}

impl Place {
    /// A whole file.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Place {
            path: path.as_ref().to_owned(),
            line: 0,
            column: 0,
        }
    }

    /// A line, and a column in it (0: none in particular).
    pub fn at(path: impl AsRef<Path>, line: usize, column: usize) -> Self {
        Place {
            path: path.as_ref().to_owned(),
            line,
            column,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
        }
        Ok(())
    }
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is wrong: a verb that looks for problems exits with 1.
    Error,
    /// It may become wrong, or is where more is asked: exit code 0.
    Warning,
    /// It is said so that nobody overlooks it: exit code 0.
    Note,
}

/// A sentence about a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which rule it breaks: a short stable word (`unknown-key`, `no-identity`), the same in every report format.
    pub rule: &'static str,
    /// How much it matters: an error, unless said otherwise.
    pub severity: Severity,
    /// Where it is.
    pub place: Option<Place>,
    /// The sentence: lower case, no full stop, names but never a value.
    pub message: String,
    /// What to type next.
    pub help: Option<String>,
    /// The line of an inventory or a template that it is about, shown under it with a caret. Never a vault's.
    pub excerpt: Option<String>,
}

impl Problem {
    /// The rule of a problem that means "no identity here opens the vault": a verb that meets it exits with 3.
    pub const NO_IDENTITY: &'static str = "no-identity";

    /// A problem with no place and no help yet.
    pub fn new(rule: &'static str, message: impl Into<String>) -> Self {
        Problem {
            rule,
            severity: Severity::Error,
            place: None,
            message: message.into(),
            help: None,
            excerpt: None,
        }
    }

    /// The same, of another severity.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// The same, at a place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The same, with what to type next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, quoting the source line it is about. Only for text that is no secret: an inventory, a template.
    #[must_use]
    pub fn excerpt(mut self, line: impl Into<String>) -> Self {
        self.excerpt = Some(line.into());
        self
    }
}

/// One problem, where several may be reported.
impl From<Problem> for Vec<Problem> {
    fn from(problem: Problem) -> Self {
        vec![problem]
    }
}

/// The problem as people read it: place, `warning:` or `note:` unless it is an error, and sentence; the source line with a caret, then `help:`.
/// Control characters in any part (a file's name can hold them) are shown as `\u{…}`, so that no text moves a cursor.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{}: ", Printable(&place.to_string()))?;
        }
        match self.severity {
            Severity::Error => {}
            Severity::Warning => f.write_str("warning: ")?,
            Severity::Note => f.write_str("note: ")?,
        }
        write!(f, "{}", Printable(&self.message))?;
        if let (Some(line), Some(place)) = (&self.excerpt, &self.place) {
            let gutter = place.line.to_string();
            write!(
                f,
                "\n{:w$} |\n{gutter} | {}",
                "",
                Printable(line.trim_end()),
                w = gutter.len()
            )?;
            if place.column > 0 {
                let indent: String = line
                    .chars()
                    .take(place.column - 1)
                    .map(|c| if c == '\t' { '\t' } else { ' ' })
                    .collect();
                write!(f, "\n{:w$} | {indent}^", "", w = gutter.len())?;
            }
        }
        if let Some(help) = &self.help {
            write!(f, "\nhelp: {}", Printable(help))?;
        }
        Ok(())
    }
}

/// Text with every character that a terminal would act on (C0, C1, DEL, bidirectional controls) made visible.
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\t' | '\n' => f.write_char(c)?,
                '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    write!(f, "{}", c.escape_unicode())?;
                }
                c if c.is_control() => write!(f, "{}", c.escape_unicode())?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_its_column() {
        let problem = Problem::new("unknown-key", "unknown key `used_bye`")
            .at(Place::at("dotage.yaml", 12, 5))
            .excerpt("    used_bye: [api]")
            .help("write `used_by`");
        assert_eq!(
            problem.to_string(),
            "dotage.yaml:12:5: unknown key `used_bye`\n   |\n12 |     used_bye: [api]\n   |     ^\nhelp: write `used_by`"
        );
    }

    #[test]
    fn a_name_with_escape_codes_moves_no_cursor() {
        let problem = Problem::new("x", "bad").at(Place::file("a\x1b]52;c;x\x07\u{202e}"));
        assert_eq!(problem.to_string(), "a\\u{1b}]52;c;x\\u{7}\\u{202e}: bad");
    }
}
