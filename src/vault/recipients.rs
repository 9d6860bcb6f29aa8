//! Who may read a bundle: an ordinary age recipients file, the one that `age -R` takes.
//!
//! # Why
//!
//! `ssh-rsa` is refused although age takes it: the only Rust implementation decrypts in a time that depends on the key
//! (RUSTSEC-2023-0071, no fixed release), and its parser is the one part of age that we would meet it in. Post-quantum
//! and classic recipients together are refused too: a file is as strong as its weakest reader, so the mixture only
//! looks post-quantum (C2SP age, "recipient types").

use super::identities::{Bridge, Person};
use crate::problem::{Place, Problem};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A recipients file: its text, comments and all, and the readers it names.
pub struct Recipients {
    path: PathBuf,
    text: String,
    readers: Vec<Reader>,
}

/// One line of a recipients file.
pub struct Reader {
    key: String,
    comment: Option<String>,
    line: usize,
    kind: Kind,
}

/// What a recipient is to age.
enum Kind {
    X25519(age::x25519::Recipient),
    Ssh(age::ssh::Recipient),
    Tag(age::tag::Recipient),
    TagPq(age::tagpq::Recipient),
    Plugin(age::plugin::Recipient),
}

impl Reader {
    /// The public key: `age1…`, or an SSH key's type and base64 without its comment.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Who it is: the comment line above the key, or the comment at the end of an SSH key.
    #[must_use]
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// The line of the file, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// Whether its stanzas withstand a quantum computer.
    fn post_quantum(&self) -> bool {
        match &self.kind {
            Kind::TagPq(_) => true,
            Kind::Plugin(recipient) => recipient.plugin() == "pq",
            _ => false,
        }
    }

    /// The type of the stanza that it leaves in a header, and what there identifies it; `None` when only a plugin
    /// knows.
    pub(super) fn stanza(&self) -> Option<(&'static str, Option<String>)> {
        match &self.kind {
            Kind::X25519(_) => Some(("X25519", None)),
            Kind::Ssh(_) => Some(("ssh-ed25519", ssh_tag(&self.key))),
            Kind::Tag(_) => Some(("p256tag", None)),
            Kind::TagPq(_) => Some(("mlkem768p256tag", None)),
            Kind::Plugin(_) => None,
        }
    }
}

impl Recipients {
    /// Reads a recipients file: one recipient a line, blank lines and lines that begin with `#` between them.
    ///
    /// # Errors
    /// A line that is no recipient we can encrypt to, a recipient twice, post-quantum beside classic ones, no
    /// recipient at all. No line is quoted: somebody's secret key may stand there by mistake.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Problem> {
        let mut readers: Vec<Reader> = Vec::new();
        let mut above = None;
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            if let Some(comment) = line.strip_prefix('#') {
                above = Some(comment.trim().to_owned()).filter(|c| !c.is_empty());
                continue;
            }
            if line.is_empty() {
                above = None;
                continue;
            }
            let mut reader = reader(line).map_err(|wrong| {
                Problem::new(wrong.rule, wrong.message)
                    .at(Place::at(path, number, 0))
                    .help(wrong.help)
            })?;
            reader.line = number;
            reader.comment = above.take().or(reader.comment);
            if let Some(first) = readers.iter().find(|r| r.key == reader.key) {
                return Err(Problem::new(
                    "duplicate-recipient",
                    format!("this recipient stands on line {} already", first.line),
                )
                .at(Place::at(path, number, 0))
                .help(format!("remove line {number}")));
            }
            readers.push(reader);
        }
        let Some(first) = readers.first() else {
            return Err(
                Problem::new("no-recipients", "no recipient stands in this file")
                    .at(Place::file(path))
                    .help("add one public key a line: dotage recipients add age1…"),
            );
        };
        if let Some(other) = readers
            .iter()
            .find(|r| r.post_quantum() != first.post_quantum())
        {
            return Err(Problem::new(
                "mixed-recipients",
                format!(
                    "a {} recipient beside the {} one of line {}: the file would only be as strong as the classic one",
                    strength(other),
                    strength(first),
                    first.line
                ),
            )
            .at(Place::at(path, other.line, 0))
            .help("keep the classic recipients, or only post-quantum ones"));
        }
        Ok(Recipients {
            path: path.to_owned(),
            text: text.to_owned(),
            readers,
        })
    }

    /// The file it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole text of the file.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The readers, in the order of the file.
    #[must_use]
    pub fn readers(&self) -> &[Reader] {
        &self.readers
    }

    /// Whether both name the same keys, in whatever order and with whatever comments.
    #[must_use]
    pub fn same_readers(&self, other: &Recipients) -> bool {
        let keys = |of: &Recipients| {
            let mut keys: Vec<String> = of.readers.iter().map(|r| r.key.clone()).collect();
            keys.sort_unstable();
            keys
        };
        keys(self) == keys(other)
    }

    /// The same with one more reader at the end, under a comment line that says who it is, if that is known.
    ///
    /// # Errors
    /// When the key is no recipient, is one already, or can't stand beside the others.
    pub fn with(&self, key: &str, comment: Option<&str>) -> Result<Self, Problem> {
        let new = reader(key.trim()).map_err(|wrong| {
            Problem::new(wrong.rule, wrong.message)
                .at(Place::file(&self.path))
                .help(wrong.help)
        })?;
        let mut text = self.text.clone();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        if let Some(comment) = comment.or(new.comment.as_deref()) {
            text.push_str("# ");
            text.extend(comment.trim().chars().filter(|c| !c.is_control()));
            text.push('\n');
        }
        text.push_str(&new.key);
        text.push('\n');
        Recipients::parse(&text, &self.path)
    }

    /// The same without one reader, and without the comment line right above it, which names it.
    ///
    /// # Errors
    /// When the key isn't there, or is the last one.
    pub fn without(&self, key: &str) -> Result<Self, Problem> {
        let wanted = reader(key.trim()).map_or_else(|_| key.trim().to_owned(), |r| r.key);
        let Some(found) = self.readers.iter().find(|r| r.key == wanted) else {
            return Err(
                Problem::new("unknown-recipient", "this key is not a recipient here")
                    .at(Place::file(&self.path))
                    .help("see who is: dotage recipients list"),
            );
        };
        if self.readers.len() == 1 {
            return Err(Problem::new(
                "no-recipients",
                "this is the last recipient: without it nobody could open the vault",
            )
            .at(Place::at(&self.path, found.line, 0))
            .help("add another one first: dotage recipients add age1…"));
        }
        let lines: Vec<&str> = self.text.split_inclusive('\n').collect();
        let named = found.line >= 2
            && lines
                .get(found.line - 2)
                .is_some_and(|line| line.starts_with('#'));
        let text: String = lines
            .iter()
            .enumerate()
            .filter(|(index, _)| *index + 1 != found.line && !(named && *index + 2 == found.line))
            .map(|(_, line)| *line)
            .collect();
        Recipients::parse(&text, &self.path)
    }

    /// What age encrypts to: each recipient, those of one plugin together.
    pub(super) fn for_age(
        &self,
        person: &Arc<dyn Person>,
    ) -> Result<Vec<Box<dyn age::Recipient>>, Problem> {
        let mut all: Vec<Box<dyn age::Recipient>> = Vec::new();
        let mut plugins: Vec<age::plugin::Recipient> = Vec::new();
        for reader in &self.readers {
            match &reader.kind {
                Kind::X25519(recipient) => all.push(Box::new(recipient.clone())),
                Kind::Ssh(recipient) => all.push(Box::new(recipient.clone())),
                Kind::Tag(recipient) => all.push(Box::new(recipient.clone())),
                Kind::TagPq(recipient) => all.push(Box::new(recipient.clone())),
                Kind::Plugin(recipient) => plugins.push(recipient.clone()),
            }
        }
        let mut names: Vec<&str> = plugins.iter().map(age::plugin::Recipient::plugin).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let plugin = age::plugin::RecipientPluginV1::new(
                name,
                &plugins,
                &[],
                Bridge(Arc::clone(person)),
            )
            .map_err(|_| {
                Problem::new(
                    "plugin-missing",
                    format!("age-plugin-{name} is needed to encrypt to a recipient of this file, and is not on the PATH"),
                )
                .at(Place::file(&self.path))
                .help(format!("install age-plugin-{name}"))
            })?;
            all.push(Box::new(plugin));
        }
        Ok(all)
    }
}

/// What a line is instead of a recipient.
struct Wrong {
    rule: &'static str,
    message: &'static str,
    help: &'static str,
}

/// The reader that a line names; its own line is not known yet.
fn reader(line: &str) -> Result<Reader, Wrong> {
    let wrong = |message, help| Wrong {
        rule: "bad-recipient",
        message,
        help,
    };
    if line.to_ascii_uppercase().contains("AGE-SECRET-KEY-")
        || line.to_ascii_uppercase().contains("AGE-PLUGIN-")
        || line.contains("PRIVATE KEY-----")
    {
        return Err(Wrong {
            rule: "secret-key-exposed",
            message: "a secret key stands here, where only public keys belong",
            help: "remove the line, make a new identity (dotage keygen) and rotate what this one could read",
        });
    }
    if line.trim() != line {
        return Err(wrong(
            "a space or tab begins or ends this line, which age refuses",
            "remove it",
        ));
    }
    if line.starts_with("ssh-") || line.starts_with("ecdsa-") || line.starts_with("sk-") {
        return ssh(line);
    }
    let kind = if let Ok(recipient) = line.parse() {
        Kind::X25519(recipient)
    } else if line.starts_with("age1tag1") {
        Kind::Tag(
            line.parse()
                .map_err(|_| wrong("an age1tag recipient with a typing error", "copy it again"))?,
        )
    } else if line.starts_with("age1tagpq1") {
        Kind::TagPq(line.parse().map_err(|_| {
            wrong(
                "an age1tagpq recipient with a typing error",
                "copy it again",
            )
        })?)
    } else if let Ok(recipient) = line.parse() {
        Kind::Plugin(recipient)
    } else if line.starts_with("age1") {
        return Err(wrong(
            "this begins like an age recipient, but its checksum is wrong",
            "copy it again, whole",
        ));
    } else if line.starts_with("github:") {
        return Err(wrong(
            "keys are not fetched from GitHub",
            "write the ssh-ed25519 key itself",
        ));
    } else {
        return Err(wrong(
            "this is not an age recipient",
            "write one public key a line: age1… or ssh-ed25519 …, comments behind a `#` at the start of a line",
        ));
    };
    Ok(Reader {
        key: line.to_owned(),
        comment: None,
        line: 0,
        kind,
    })
}

/// The reader that an SSH public key names.
fn ssh(line: &str) -> Result<Reader, Wrong> {
    let wrong = |message, help| Wrong {
        rule: "bad-recipient",
        message,
        help,
    };
    let mut words = line.splitn(3, ' ');
    let kind = words.next().unwrap_or_default();
    let blob = words.next().unwrap_or_default();
    if kind == "ssh-rsa" {
        return Err(Wrong {
            rule: "rsa-recipient",
            message: "ssh-rsa keys are refused: decrypting with one leaks it through timing (RUSTSEC-2023-0071), with no fixed release",
            help: "use an ssh-ed25519 key, or an age key: dotage keygen",
        });
    }
    if kind != "ssh-ed25519" {
        return Err(wrong(
            "age can't encrypt to this type of SSH key",
            "use an ssh-ed25519 key, or an age key: dotage keygen",
        ));
    }
    let key = format!("{kind} {blob}");
    let recipient = key.parse().map_err(|_| {
        wrong(
            "this begins like an ssh-ed25519 key, but isn't a whole one",
            "copy the one line of the .pub file again",
        )
    })?;
    Ok(Reader {
        key,
        comment: words
            .next()
            .map(|comment| comment.trim().to_owned())
            .filter(|comment| !comment.is_empty()),
        line: 0,
        kind: Kind::Ssh(recipient),
    })
}

/// What identifies an SSH key in a header: base64 of the first 4 bytes of its SHA-256 (age's spec, "ssh-ed25519").
pub(super) fn ssh_tag(key: &str) -> Option<String> {
    let blob = BASE64_STANDARD.decode(key.split(' ').nth(1)?).ok()?;
    Some(BASE64_STANDARD_NO_PAD.encode(Sha256::digest(blob).get(..4)?))
}

fn strength(reader: &Reader) -> &'static str {
    if reader.post_quantum() {
        "post-quantum"
    } else {
        "classic"
    }
}
