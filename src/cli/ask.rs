//! Asking a person on the terminal: passphrases, PINs, new values. Never when told not to, never without a terminal.

use crate::problem::{Printable, Problem};
use crate::secret::Secret;
use crate::vault::{Nobody, Person};
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;

/// The person at the terminal, or nobody.
pub(super) fn person(non_interactive: bool) -> Arc<dyn Person> {
    if non_interactive || !io::stderr().is_terminal() {
        Arc::new(Nobody)
    } else {
        Arc::new(Terminal)
    }
}

/// A new value, typed twice without an echo.
pub(super) fn new_value(name: &str) -> Result<Secret, Problem> {
    let first = hidden(&format!("value of {name}: "))?;
    let second = hidden("again: ")?;
    if first.same(&second) {
        return Ok(first);
    }
    Err(Problem::new(
        "typed-differently",
        "the two values differ; nothing was changed",
    )
    .help(format!("dotage set {name}")))
}

/// Whether the person at the terminal says yes.
pub(super) fn yes(question: &str, non_interactive: bool) -> Result<bool, Problem> {
    if non_interactive || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(
            Problem::new("no-terminal", format!("nobody is there to ask: {question}"))
                .help("say yes to all of them with --yes"),
        );
    }
    Ok(Terminal.choose(question, "yes", Some("no")) == Some(true))
}

fn hidden(question: &str) -> Result<Secret, Problem> {
    rpassword::prompt_password(Printable(question).to_string())
        .map(|text| Secret::new(text.into_bytes()))
        .map_err(|error| {
            Problem::new(
                "no-terminal",
                format!("cannot ask on the terminal: {}", error.kind()),
            )
            .help("give the value on stdin, or with --from-file")
        })
}

struct Terminal;

impl Person for Terminal {
    fn tell(&self, message: &str) {
        super::say(message);
    }

    fn choose(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        let choices = no.map_or_else(|| format!("[{yes}]"), |no| format!("[{yes}/{no}]"));
        let answer = self
            .answer(&format!("{message} {choices} "))?
            .to_lowercase();
        let is = |choice: &str| !answer.is_empty() && choice.to_lowercase().starts_with(&answer);
        if is(yes) {
            Some(true)
        } else {
            no.filter(|no| is(no)).map(|_| false)
        }
    }

    fn answer(&self, question: &str) -> Option<String> {
        let mut stderr = io::stderr().lock();
        write!(stderr, "{}", Printable(question))
            .and_then(|()| stderr.flush())
            .ok()?;
        let mut line = String::new();
        io::stdin()
            .lock()
            .read_line(&mut line)
            .ok()
            .filter(|read| *read > 0)?;
        Some(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn passphrase(&self, question: &str) -> Option<Secret> {
        hidden(&format!("{question}: ")).ok()
    }
}
