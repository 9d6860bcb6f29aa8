//! Who may read a bundle: an ordinary age recipients file, the one that `age -R` takes.
//!
//! # Why
//!
//! `ssh-rsa` is refused although age takes it: the only Rust implementation decrypts in a time that depends on the key
//! (RUSTSEC-2023-0071, no fixed release), and its parser is the one part of age that we would meet it in. Post-quantum
//! and classic recipients together are refused too: a file is as strong as its weakest reader, so the mixture only
//! looks post-quantum (C2SP age, "recipient types").

use super::person::{Bridge, Person};
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
    TagPq(Box<age::tagpq::Recipient>),
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

    /// Those of the readers that another recipients file names as well.
    ///
    /// # Errors
    /// When there is none.
    pub fn shared_with(&self, other: &Recipients) -> Result<Self, Problem> {
        let shared: Vec<&str> = self
            .readers
            .iter()
            .map(Reader::key)
            .filter(|key| other.readers.iter().any(|reader| reader.key == *key))
            .collect();
        if shared.is_empty() {
            return Err(Problem::new(
                "no-shared-reader",
                format!(
                    "nobody in it is also in {}, so nobody can change both bundles together",
                    other.path.display()
                ),
            )
            .at(Place::file(&self.path))
            .help("add somebody to both who may read both: dotage recipients add"));
        }
        Recipients::parse(&(shared.join("\n") + "\n"), &self.path)
    }

    /// The same with one more reader at the end, under a comment line that says who it is, if that is known.
    ///
    /// # Errors
    /// When the key is no recipient, is one already, or can't stand beside the others.
    pub fn with(&self, key: &str, comment: Option<&str>) -> Result<Self, Problem> {
        if key.trim().contains(['\n', '\r']) {
            return Err(Problem::new(
                "bad-recipient",
                "this is not one recipient but several lines",
            )
            .at(Place::file(&self.path))
            .help("add them one by one"));
        }
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
                Kind::TagPq(recipient) => all.push(recipient.clone()),
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
    let kind = if let Ok(recipient) = line.parse::<age::x25519::Recipient>() {
        Kind::X25519(recipient)
    } else if line.starts_with("age1tag1") {
        Kind::Tag(
            line.parse()
                .map_err(|_| wrong("an age1tag recipient with a typing error", "copy it again"))?,
        )
    } else if line.starts_with("age1tagpq1") {
        Kind::TagPq(line.parse().map(Box::new).map_err(|_| {
            wrong(
                "an age1tagpq recipient with a typing error",
                "copy it again",
            )
        })?)
    } else if let Ok(recipient) = line.parse::<age::plugin::Recipient>() {
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

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: &str = "age1vya7vzdrpfkmc9ltum2zp2dzunk4qyjv8yas7dsg5ac93uns43dqq99u20";
    const BERT: &str = "age1l76tw95gwt2wth5stjzjskdxd5mx86rsn8vfw224wfrnkr37r9pqnn22hs";
    const CARL: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIsyfFrVkaAYIa69QsyjVcGzS8vn0N/xx5CNQifZmXM+";
    /// A recipient of age-plugin-pq whose key is shorter than a real one.
    const PQ: &str = "age1pq1qqqsyqcyq5rqwzqf3vqy5c";

    fn parse(text: &str) -> Result<Recipients, Problem> {
        Recipients::parse(text, Path::new("r"))
    }

    fn keys(recipients: &Recipients) -> Vec<(&str, Option<&str>, usize)> {
        let readers = recipients.readers().iter();
        readers.map(|r| (r.key(), r.comment(), r.line())).collect()
    }

    fn says(text: &str) -> String {
        parse(text).map(drop).unwrap_err().to_string()
    }

    /// A plugin's recipient with a right checksum.
    fn plugin(name: &str) -> String {
        let data: Vec<u8> = (0..8).collect();
        bech32(&format!("age1{name}"), &data)
    }

    /// BIP 173's encoding, only as far as these tests need it.
    fn bech32(hrp: &str, data: &[u8]) -> String {
        const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
        let step = |check: u32, value: u8| {
            let top = check >> 25;
            let mut check = (check & 0x1ff_ffff) << 5 ^ u32::from(value);
            for (bit, generator) in [
                0x3b6a_57b2,
                0x2650_8e6d,
                0x1ea1_19fa,
                0x3d42_33dd,
                0x2a14_62b3,
            ]
            .iter()
            .enumerate()
            {
                if top >> bit & 1 == 1 {
                    check ^= generator;
                }
            }
            check
        };
        let high = hrp.bytes().map(|b| b >> 5);
        let low = hrp.bytes().map(|b| b & 31);
        let check = high.chain([0]).chain(low).chain(data.iter().copied());
        let check = check.chain([0; 6]).fold(1, step) ^ 1;
        let checksum = (0..6).map(|i| (check >> (5 * (5 - i)) & 31) as u8);
        let data = data.iter().copied().chain(checksum);
        let text: String = data.map(|v| ALPHABET[usize::from(v)] as char).collect();
        format!("{hrp}1{text}")
    }

    #[test]
    fn a_recipients_file_is_what_age_takes_and_its_comments_say_who_is_who() {
        let text = format!("# the team\n\n# anna\n{ANNA}\n{BERT}\r\n{CARL} carl@laptop\n#\n");
        assert_eq!(
            keys(&parse(&text).unwrap()),
            [
                (ANNA, Some("anna"), 4),
                (BERT, None, 5),
                (CARL, Some("carl@laptop"), 6)
            ]
        );
        let plugin = plugin("yubikey");
        assert_eq!(keys(&parse(&plugin).unwrap()), [(&*plugin, None, 1)]);
    }

    #[test]
    fn a_line_that_is_no_recipient_is_named_by_its_number_and_never_quoted() {
        let secret = "AGE-SECRET-KEY-1QP5Y0CRWA9P84N56MV0NWADTDPNZ60TRE38W0TN2VU5U73ZMMKCQ3QSPAW";
        let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNh";
        let typo = ANNA.replace("99u20", "99u21");
        let pq = plugin("pq");
        assert_ne!(pq, PQ, "so that the constant is a typing error below");
        let tagpq = format!("{BERT}\n\n{pq}\n");
        let table = [
            (
                String::new(),
                "r: no recipient stands in this file\nhelp: add one public key a line: dotage recipients add age1…",
            ),
            (
                "# nobody\n\n".into(),
                "r: no recipient stands in this file\nhelp: add one public key a line: dotage recipients add age1…",
            ),
            (
                format!("# us\n{ANNA}\nhello\n"),
                "r:3: this is not an age recipient\nhelp: write one public key a line: age1… or ssh-ed25519 …, comments behind a `#` at the start of a line",
            ),
            (
                typo,
                "r:1: this begins like an age recipient, but its checksum is wrong\nhelp: copy it again, whole",
            ),
            (
                PQ.to_owned(),
                "r:1: this begins like an age recipient, but its checksum is wrong\nhelp: copy it again, whole",
            ),
            (
                format!(" {ANNA}"),
                "r:1: a space or tab begins or ends this line, which age refuses\nhelp: remove it",
            ),
            (
                format!("{ANNA}\n{BERT}\n{ANNA}\n"),
                "r:3: this recipient stands on line 1 already\nhelp: remove line 3",
            ),
            (
                format!("{CARL} a\n{CARL} b\n"),
                "r:2: this recipient stands on line 1 already\nhelp: remove line 2",
            ),
            (
                format!("{ANNA}\n{secret}\n"),
                "r:2: a secret key stands here, where only public keys belong\nhelp: remove the line, make a new identity (dotage keygen) and rotate what this one could read",
            ),
            (
                "ssh-rsa AAAAB3NzaC1yc2E x".into(),
                "r:1: ssh-rsa keys are refused: decrypting with one leaks it through timing (RUSTSEC-2023-0071), with no fixed release\nhelp: use an ssh-ed25519 key, or an age key: dotage keygen",
            ),
            (
                ecdsa.into(),
                "r:1: age can't encrypt to this type of SSH key\nhelp: use an ssh-ed25519 key, or an age key: dotage keygen",
            ),
            (
                "ssh-ed25519 AAAA".into(),
                "r:1: this begins like an ssh-ed25519 key, but isn't a whole one\nhelp: copy the one line of the .pub file again",
            ),
            (
                "github:anna".into(),
                "r:1: keys are not fetched from GitHub\nhelp: write the ssh-ed25519 key itself",
            ),
            (
                "age1tag1qqqq".into(),
                "r:1: an age1tag recipient with a typing error\nhelp: copy it again",
            ),
            (
                "age1tagpq1qqqq".into(),
                "r:1: an age1tagpq recipient with a typing error\nhelp: copy it again",
            ),
            (
                tagpq,
                "r:3: a post-quantum recipient beside the classic one of line 1: the file would only be as strong as the classic one\nhelp: keep the classic recipients, or only post-quantum ones",
            ),
            (
                bech32("age1../x", &[0]),
                "r:1: this begins like an age recipient, but its checksum is wrong\nhelp: copy it again, whole",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(says(&text), expected);
        }
    }

    #[test]
    fn a_reader_comes_with_a_name_and_leaves_with_it() {
        let text = format!("# the team\n\n# anna\n{ANNA}\n# bert\n{BERT}");
        let two = parse(&text).unwrap();
        let three = two.with(&format!("{CARL} carl@laptop\n"), None).unwrap();
        assert_eq!(three.text(), format!("{text}\n# carl@laptop\n{CARL}\n"));
        assert_eq!(three.without(CARL).unwrap().text(), format!("{text}\n"));
        assert_eq!(
            three.without(ANNA).unwrap().text(),
            format!("# the team\n\n# bert\n{BERT}\n# carl@laptop\n{CARL}\n")
        );
        assert!(three.without(CARL).unwrap().same_readers(&two));
        assert!(!three.same_readers(&two));

        let says = |result: Result<Recipients, Problem>| result.map(drop).unwrap_err().to_string();
        assert_eq!(
            says(two.with(ANNA, Some("again"))),
            "r:8: this recipient stands on line 4 already\nhelp: remove line 8"
        );
        assert_eq!(
            says(two.with(&format!("{CARL} x\n{ANNA}"), None)),
            "r: this is not one recipient but several lines\nhelp: add them one by one"
        );
        assert_eq!(
            says(two.without(CARL)),
            "r: this key is not a recipient here\nhelp: see who is: dotage recipients list"
        );
        assert_eq!(
            says(two.without(ANNA).unwrap().without(BERT)),
            "r:4: this is the last recipient: without it nobody could open the vault\nhelp: add another one first: dotage recipients add age1…"
        );
    }

    #[test]
    fn a_recipient_of_a_plugin_that_is_not_installed_says_which_one() {
        let all = parse(&format!("{ANNA}\n{}\n", plugin("nosuchthing"))).unwrap();
        let person: Arc<dyn Person> = Arc::new(super::super::Nobody);
        let problem = all.for_age(&person).map(drop).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "r: age-plugin-nosuchthing is needed to encrypt to a recipient of this file, and is not on the PATH\nhelp: install age-plugin-nosuchthing"
        );
    }
}
