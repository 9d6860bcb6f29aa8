//! Whom a locked key or a plugin may ask.

use crate::problem::Printable;
use crate::secret::Secret;
use age::secrecy::SecretString;
use std::fmt;
use std::sync::Arc;

/// Whom a locked key or a plugin may talk to. [`Nobody`] is the one for scripts.
pub trait Person: Send + Sync {
    /// Shows a message of a plugin ("touch your key").
    fn tell(&self, message: &str);
    /// Asks for one of two choices: true is the first; `None` when nobody answers.
    fn choose(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool>;
    /// Asks for a text that is no secret.
    fn answer(&self, question: &str) -> Option<String>;
    /// Asks for a passphrase or a PIN.
    fn passphrase(&self, question: &str) -> Option<Secret>;
}

/// Nobody is there: every question stays unanswered.
pub struct Nobody;

impl Person for Nobody {
    fn tell(&self, _: &str) {}
    fn choose(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
        None
    }
    fn answer(&self, _: &str) -> Option<String> {
        None
    }
    fn passphrase(&self, _: &str) -> Option<Secret> {
        None
    }
}

/// A person, as age's plugins see one.
#[derive(Clone)]
pub(super) struct Bridge(pub(super) Arc<dyn Person>);

impl age::Callbacks for Bridge {
    fn display_message(&self, message: &str) {
        self.0.tell(&Printable(message).to_string());
    }
    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        let no = no.map(|no| Printable(no).to_string());
        self.0.choose(
            &Printable(message).to_string(),
            &Printable(yes).to_string(),
            no.as_deref(),
        )
    }
    fn request_public_string(&self, question: &str) -> Option<String> {
        self.0.answer(&Printable(question).to_string())
    }
    fn request_passphrase(&self, question: &str) -> Option<SecretString> {
        text(&self.0.passphrase(&Printable(question).to_string())?)
    }
}

/// A passphrase as age takes it; `None` when it isn't UTF-8.
pub(super) fn text(secret: &Secret) -> Option<SecretString> {
    let text = std::str::from_utf8(secret.expose()).ok()?;
    Some(SecretString::from(text.to_owned()))
}

/// What a plugin says went wrong: its first line, unless it quotes a key (a plugin's identity can be one).
pub(super) fn said(error: Option<&impl fmt::Display>) -> Option<String> {
    let words = error?.to_string();
    let line = words.lines().next()?;
    let quotes = line.to_ascii_uppercase().split_whitespace().any(|word| {
        let key = word
            .split_once("AGE-")
            .and_then(|(_, key)| key.split_once('1'));
        key.is_some_and(|(_, data)| data.len() >= 6)
    });
    let isolates = |c: &char| !matches!(c, '\u{2068}' | '\u{2069}');
    let line: String = line.chars().filter(isolates).take(200).collect();
    Some(line).filter(|line| !quotes && !line.is_empty())
}
