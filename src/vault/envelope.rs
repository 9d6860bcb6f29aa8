//! An age file as anybody sees it: its armor and its header; and its plaintext, for whoever has a key.

use super::recipients::{Recipients, ssh_tag};
use age::armor::ArmoredReader;
use age::{DecryptError, Decryptor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use zeroize::Zeroizing;

/// The most plaintext that a bundle may hold, and the longest file that can hold it: armor takes 65 bytes for 48.
pub(super) const PLAINTEXT: usize = 16 << 20;
pub(super) const CIPHERTEXT: usize = PLAINTEXT / 48 * 65 + (1 << 20);

pub(super) const MAGIC: &[u8] = b"age-encryption.org/";
pub(super) const BEGIN: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
pub(super) const END: &[u8] = b"-----END AGE ENCRYPTED FILE-----";

/// The stanzas of an age file's header, one for each reader. They need no key to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    stanzas: Vec<Stanza>,
}

/// The type of a stanza, and for an SSH key what identifies the key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stanza {
    kind: String,
    tag: Option<String>,
}

impl Header {
    /// The header of a binary age file, as far as it can be read; stanzas that only stop readers from assuming too
    /// much (`…-grease`) are left out.
    pub(super) fn of(binary: &[u8]) -> Self {
        let mut stanzas = Vec::new();
        for line in binary.split(|byte| *byte == b'\n') {
            if line.starts_with(b"---") {
                break;
            }
            let Some(words) = line.strip_prefix(b"-> ") else {
                continue;
            };
            let Ok(words) = std::str::from_utf8(words) else {
                continue;
            };
            let mut words = words.split(' ');
            let kind = words.next().unwrap_or_default();
            if kind.ends_with("-grease") {
                continue;
            }
            stanzas.push(Stanza {
                kind: kind.to_owned(),
                tag: words
                    .next()
                    .filter(|_| kind == "ssh-ed25519")
                    .map(str::to_owned),
            });
        }
        Header { stanzas }
    }

    /// How many stanzas there are of each type.
    #[must_use]
    pub fn kinds(&self) -> BTreeMap<&str, usize> {
        let mut kinds = BTreeMap::new();
        for stanza in &self.stanzas {
            *kinds.entry(stanza.kind.as_str()).or_insert(0) += 1;
        }
        kinds
    }

    /// Whether a passphrase opens the file, and nothing else.
    pub(super) fn passphrase(&self) -> bool {
        self.stanzas.iter().any(|stanza| stanza.kind == "scrypt")
    }

    /// Whether the SSH key is one of the readers.
    pub(super) fn has_ssh(&self, key: &str) -> bool {
        let tag = ssh_tag(key);
        tag.is_some() && self.stanzas.iter().any(|stanza| stanza.tag == tag)
    }

    /// Whether the stanzas can be those of the recipients, as far as that shows without a key: the same number of
    /// each type, the same SSH keys. X25519 stanzas are anonymous, and what a plugin writes only the plugin knows.
    #[must_use]
    pub fn fits(&self, recipients: &Recipients) -> bool {
        let mut left: Vec<(&str, Option<&str>)> = self
            .stanzas
            .iter()
            .map(|stanza| (stanza.kind.as_str(), stanza.tag.as_deref()))
            .collect();
        let mut plugins = false;
        for reader in recipients.readers() {
            match reader.stanza() {
                None => plugins = true,
                Some((kind, tag)) => {
                    let Some(index) = left.iter().position(|s| *s == (kind, tag.as_deref())) else {
                        return false;
                    };
                    left.swap_remove(index);
                }
            }
        }
        left.is_empty() != plugins
    }
}

/// The stanzas in words: `2 X25519, 1 ssh-ed25519`.
impl std::fmt::Display for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (kind, count)) in self.kinds().iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{count} {kind}")?;
        }
        Ok(())
    }
}

/// Whether the bytes begin like an age file, armored or not.
pub(super) fn is_age(file: &[u8]) -> bool {
    file.trim_ascii_start().starts_with(BEGIN) || file.starts_with(MAGIC)
}

/// An age file without its armor. White space before the armor is skipped, as age itself does.
pub(super) fn binary(file: &[u8]) -> std::io::Result<Cow<'_, [u8]>> {
    let armored = file.trim_ascii_start();
    if !armored.starts_with(BEGIN) {
        return Ok(Cow::Borrowed(file));
    }
    let mut binary = Vec::with_capacity(armored.len() / 4 * 3);
    ArmoredReader::new(armored).read_to_end(&mut binary)?;
    Ok(Cow::Owned(binary))
}

/// The plaintext of a binary age file, in a buffer that never grew.
pub(super) fn decrypt(
    binary: &[u8],
    limit: usize,
    identity: &dyn age::Identity,
) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    let mut reader = Decryptor::new_buffered(binary)?.decrypt(std::iter::once(identity))?;
    let mut plaintext = Zeroizing::new(vec![0; binary.len().min(limit + 1)]);
    let mut length = 0;
    while let Some(rest) = plaintext.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) => return Err(error.into()),
        }
    }
    if length > limit {
        return Err(std::io::Error::from(ErrorKind::FileTooLarge).into());
    }
    plaintext.truncate(length);
    Ok(plaintext)
}
