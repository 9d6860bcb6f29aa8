//! The keys that may open a bundle: parsed from identity material, unlocked only when nothing cheaper opens it.
//!
//! # Why
//!
//! The keys are tried in the order of what they cost a person, not in the order they were given: a plain age key and
//! an SSH key before a plugin (which may want a touch on a device), a plugin before anything that wants a passphrase.
//! An SSH key whose tag isn't in the header is not asked about at all.

use super::envelope::{self, Header};
use super::person::{Bridge, Person, said, text};
use crate::problem::{Place, Printable, Problem};
use crate::secret::Secret;
use crate::time::Time;
use age::secrecy::{ExposeSecret, SecretString};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;
use zeroize::Zeroizing;

/// The longest text of a passphrase-encrypted identity file that is read.
const LIMIT: usize = 1 << 20;
/// The most work that a passphrase-encrypted identity file may ask for, as a power of two: age's own limit.
const WORK: u8 = 22;

/// What the public part of an SSH key of this type holds.
const RSA: &[u8] = b"\0\0\0\x07ssh-rsa";

/// Keys that may open a bundle, from any number of places.
pub struct Identities {
    keys: Vec<Identity>,
    person: Arc<dyn Person>,
}

/// One key, and where it came from.
struct Identity {
    key: Key,
    /// The public key, where it can be known without unlocking anything.
    public: Option<String>,
    origin: String,
}

enum Key {
    X25519(age::x25519::Identity),
    Ssh(age::ssh::Identity),
    Plugin(age::plugin::Identity),
    LockedSsh {
        key: age::ssh::EncryptedKey,
        open: OnceCell<age::ssh::Identity>,
    },
    LockedFile {
        file: Vec<u8>,
        open: OnceCell<Vec<Identity>>,
    },
}

/// What came of trying the keys on a bundle.
pub(super) enum Outcome<T> {
    /// One opened it: what it gave, and which one it was.
    Opened(T, String),
    /// One fits, and found the bundle damaged.
    Damaged(age::DecryptError),
    /// None fits. Each that was tried is described, with the reason where it could not be used at all.
    Closed(Vec<String>),
}

impl Identities {
    /// No key at all: enough to create a bundle.
    #[must_use]
    pub fn none(person: Arc<dyn Person>) -> Self {
        Identities {
            keys: Vec::new(),
            person,
        }
    }

    /// Adds the keys in `material`: an age identity file (sops' `keys.txt` is one) with any number of keys and
    /// comments, a bare key, such a file encrypted with a passphrase, or an SSH private key. `origin` (a path, the
    /// name of a variable) stands for it in messages. Nothing is unlocked yet.
    ///
    /// # Errors
    /// When there is no key in it, or one that can't be used: the line and the reason, never the text.
    pub fn add(&mut self, material: &[u8], origin: &str) -> Result<(), Problem> {
        self.keys.extend(parse(material, origin)?);
        self.keys.sort_by_key(Identity::cost);
        Ok(())
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The public keys that are known without unlocking anything.
    pub fn public_keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().filter_map(|key| key.public.as_deref())
    }

    /// Whom the keys and the plugins may ask.
    pub(super) fn person(&self) -> &Arc<dyn Person> {
        &self.person
    }

    /// Tries the keys one by one, cheapest first, with what decrypts a bundle of this header.
    pub(super) fn open<T>(
        &self,
        header: &Header,
        decrypt: impl Fn(&dyn age::Identity) -> Result<T, age::DecryptError>,
    ) -> Outcome<T> {
        let mut tried = Vec::new();
        self.walk(&self.keys, header, &decrypt, &mut tried)
            .unwrap_or(Outcome::Closed(tried))
    }

    fn walk<T>(
        &self,
        keys: &[Identity],
        header: &Header,
        decrypt: &dyn Fn(&dyn age::Identity) -> Result<T, age::DecryptError>,
        tried: &mut Vec<String>,
    ) -> Option<Outcome<T>> {
        for identity in keys {
            let result = match &identity.key {
                Key::X25519(key) => decrypt(key),
                Key::Ssh(key) => decrypt(key),
                Key::Plugin(key) => self.ask_plugin(key, decrypt),
                Key::LockedSsh { .. } if !identity.is_reader(header) => {
                    Err(age::DecryptError::NoMatchingKeys)
                }
                Key::LockedSsh { key, open } => {
                    match self.unlock_ssh(key, open, &identity.origin) {
                        Ok(key) => decrypt(key),
                        Err(why) => {
                            tried.push(format!("{identity}: {why}"));
                            continue;
                        }
                    }
                }
                Key::LockedFile { file, open } => {
                    match self.unlock_file(file, open, &identity.origin) {
                        Ok(inner) => {
                            if let Some(end) = self.walk(inner, header, decrypt, tried) {
                                return Some(end);
                            }
                        }
                        Err(why) => tried.push(format!("{identity}: {why}")),
                    }
                    continue;
                }
            };
            match (result, &identity.key) {
                (Ok(opened), _) => return Some(Outcome::Opened(opened, identity.to_string())),
                (Err(age::DecryptError::NoMatchingKeys), _) => tried.push(identity.to_string()),
                (Err(error), Key::Plugin(key)) => {
                    tried.push(format!(
                        "{identity}: {}",
                        plugin_failed(key.plugin(), &error)
                    ));
                }
                (Err(error), _) => return Some(Outcome::Damaged(error)),
            }
        }
        None
    }

    /// Tries the identity that a plugin knows.
    fn ask_plugin<T>(
        &self,
        key: &age::plugin::Identity,
        decrypt: &dyn Fn(&dyn age::Identity) -> Result<T, age::DecryptError>,
    ) -> Result<T, age::DecryptError> {
        let person = Bridge(Arc::clone(&self.person));
        let only = std::slice::from_ref(key);
        let plugin = age::plugin::IdentityPluginV1::new(key.plugin(), only, person)
            .map_err(age::DecryptError::PluginResolve)?;
        decrypt(&plugin)
    }

    /// The SSH key behind its passphrase, which is asked for once.
    fn unlock_ssh<'a>(
        &self,
        key: &age::ssh::EncryptedKey,
        open: &'a OnceCell<age::ssh::Identity>,
        origin: &str,
    ) -> Result<&'a age::ssh::Identity, &'static str> {
        if let Some(open) = open.get() {
            return Ok(open);
        }
        let key = key
            .decrypt(self.passphrase(origin)?)
            .map_err(|_| "the passphrase is wrong")?;
        Ok(open.get_or_init(|| age::ssh::Identity::Unencrypted(key)))
    }

    /// The keys of an identity file behind its passphrase, which is asked for once.
    fn unlock_file<'a>(
        &self,
        file: &[u8],
        open: &'a OnceCell<Vec<Identity>>,
        origin: &str,
    ) -> Result<&'a [Identity], &'static str> {
        if let Some(open) = open.get() {
            return Ok(open);
        }
        let mut passphrase = age::scrypt::Identity::new(self.passphrase(origin)?);
        passphrase.set_max_work_factor(WORK);
        let text = envelope::decrypt(file, LIMIT, &passphrase).map_err(|error| match error {
            age::DecryptError::ExcessiveWork { .. } => {
                "its passphrase takes too much work to check"
            }
            age::DecryptError::DecryptionFailed => "the passphrase is wrong",
            _ => "it is damaged",
        })?;
        let text = std::str::from_utf8(&text).map_err(|_| "no identity is in it")?;
        let mut keys =
            lines(text, origin).map_err(|_| "it holds something else than identities")?;
        keys.sort_by_key(Identity::cost);
        Ok(open.get_or_init(|| keys))
    }

    fn passphrase(&self, origin: &str) -> Result<SecretString, &'static str> {
        self.person
            .passphrase(&format!("passphrase of {}", Printable(origin)))
            .and_then(|secret| text(&secret))
            .ok_or("it needs a passphrase, and nobody gave one")
    }
}

/// Which key it is, for a person: its public key and where it came from.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.key, &self.public) {
            (_, Some(public)) => write!(f, "{public} ({})", self.origin),
            (Key::Plugin(key), None) => write!(f, "age-plugin-{} ({})", key.plugin(), self.origin),
            _ => f.write_str(&self.origin),
        }
    }
}

impl Identity {
    /// Whether the header names this SSH key.
    fn is_reader(&self, header: &Header) -> bool {
        let key = self.public.as_deref();
        key.is_some_and(|key| header.has_ssh(key))
    }

    /// What trying it costs a person.
    fn cost(&self) -> u8 {
        match &self.key {
            Key::X25519(_) | Key::Ssh(_) => 0,
            Key::Plugin(_) => 1,
            Key::LockedSsh { .. } => 2,
            Key::LockedFile { .. } => 3,
        }
    }
}

/// Why a plugin was no use to decrypt.
fn plugin_failed(name: &str, error: &age::DecryptError) -> String {
    match error {
        age::DecryptError::PluginResolve(_) => format!("age-plugin-{name} is not on the PATH"),
        age::DecryptError::Plugin(errors) => {
            said(errors.first()).unwrap_or_else(|| format!("age-plugin-{name} failed"))
        }
        _ => format!("age-plugin-{name} failed"),
    }
}

/// The keys in identity material.
fn parse(material: &[u8], origin: &str) -> Result<Vec<Identity>, Problem> {
    let material = material.trim_ascii_start();
    let wrong = |message: &str, help: &str| {
        Problem::new("bad-identity", message)
            .at(Place::file(origin))
            .help(help)
    };
    if envelope::is_age(material) {
        let binary = envelope::binary(material)
            .ok()
            .filter(|binary| age::Decryptor::new_buffered(&binary[..]).is_ok())
            .ok_or_else(|| {
                wrong(
                    "this encrypted identity file is damaged",
                    "restore it from a backup",
                )
            })?;
        if !Header::of(&binary).passphrase() {
            return Err(wrong(
                "this is an age file, but not one that a passphrase opens: an identity file is a text, or encrypted with a passphrase",
                "name an identity file",
            ));
        }
        return Ok(vec![Identity {
            key: Key::LockedFile {
                file: binary.into_owned(),
                open: OnceCell::new(),
            },
            public: None,
            origin: origin.to_owned(),
        }]);
    }
    let text = std::str::from_utf8(material).map_err(|_| {
        wrong(
            "this is no identity: it isn't even text",
            "name an age identity file (dotage keygen makes one) or an ssh-ed25519 private key",
        )
    })?;
    if text.starts_with("-----BEGIN") {
        return Ok(vec![ssh(text, origin)?]);
    }
    lines(text, origin)
}

/// The keys in an identity file: one a line, with comments and blank lines between.
fn lines(text: &str, origin: &str) -> Result<Vec<Identity>, Problem> {
    let mut keys = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, public) = if let Ok(key) = line.parse::<age::x25519::Identity>() {
            let public = key.to_public().to_string();
            (Key::X25519(key), Some(public))
        } else if let Ok(key) = line.parse() {
            (Key::Plugin(key), None)
        } else {
            let (message, help) = no_identity(line);
            return Err(Problem::new("bad-identity", message)
                .at(Place::at(origin, index + 1, 0))
                .help(help));
        };
        keys.push(Identity {
            key,
            public,
            origin: origin.to_owned(),
        });
    }
    if keys.is_empty() {
        return Err(Problem::new("bad-identity", "no identity is in it")
            .at(Place::file(origin))
            .help("make one: dotage keygen"));
    }
    Ok(keys)
}

/// What a line is that should have been an identity.
fn no_identity(line: &str) -> (&'static str, &'static str) {
    if line.starts_with("AGE-SECRET-KEY-PQ-1") {
        (
            "a post-quantum identity, which is used through age-plugin-pq",
            "convert it: age-plugin-pq -identity",
        )
    } else if line.starts_with("AGE-") {
        (
            "this begins like an age identity, but its checksum is wrong",
            "copy it again, whole",
        )
    } else if line.starts_with("age1") || line.starts_with("ssh-") {
        (
            "a public key, which opens nothing",
            "give the secret key that belongs to it: AGE-SECRET-KEY-1…",
        )
    } else {
        (
            "this is no age identity",
            "an identity file has one AGE-SECRET-KEY-1… a line, and comments behind a `#`",
        )
    }
}

/// An SSH private key.
fn ssh(text: &str, origin: &str) -> Result<Identity, Problem> {
    let wrong = |message: &str, help: &str| {
        Problem::new("bad-identity", message)
            .at(Place::file(origin))
            .help(help)
    };
    let broken = || {
        wrong(
            "this SSH private key is damaged",
            "restore it, or use another identity",
        )
    };
    let other = || {
        wrong(
            "age can't use this type of SSH key",
            "use an ssh-ed25519 key, or an age key: dotage keygen",
        )
    };
    if !text.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----") {
        return Err(other());
    }
    let body: String = text
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with("-----END"))
        .flat_map(|line| line.trim().chars())
        .collect();
    let body = Zeroizing::new(body);
    let bytes = Zeroizing::new(
        BASE64_STANDARD
            .decode(body.as_bytes())
            .map_err(|_| broken())?,
    );
    if bytes.windows(RSA.len()).any(|window| window == RSA) {
        return Err(wrong(
            "ssh-rsa keys are refused: decrypting with one leaks it through timing (RUSTSEC-2023-0071), with no fixed release",
            "use an ssh-ed25519 key, or an age key: dotage keygen",
        ));
    }
    let identity = age::ssh::Identity::from_buffer(text.as_bytes(), None).map_err(|_| broken())?;
    let public = match age::ssh::Recipient::try_from(identity.clone()) {
        Ok(recipient) => Some(recipient.to_string()),
        Err(_) => None,
    };
    let key = match identity {
        age::ssh::Identity::Encrypted(key) => Key::LockedSsh {
            key,
            open: OnceCell::new(),
        },
        age::ssh::Identity::Unencrypted(_) => Key::Ssh(identity),
        age::ssh::Identity::Unsupported(age::ssh::UnsupportedKey::EncryptedSsh(_)) => {
            return Err(wrong(
                "this SSH key is encrypted with a cipher that age doesn't know",
                "give it a new passphrase, which changes the cipher: ssh-keygen -p -Z aes256-ctr -f KEY",
            ));
        }
        age::ssh::Identity::Unsupported(_) => return Err(other()),
    };
    Ok(Identity {
        key,
        public,
        origin: origin.to_owned(),
    })
}

/// A new identity: the text of its file, as age-keygen writes it, and its public key.
#[must_use]
pub fn keygen(now: SystemTime) -> (Secret, String) {
    let identity = age::x25519::Identity::generate();
    let public = identity.to_public().to_string();
    let key = identity.to_string();
    let mut text = Vec::with_capacity(256);
    text.extend_from_slice(b"# created: ");
    text.extend_from_slice(Time::from(now).to_string().as_bytes());
    text.extend_from_slice(b"\n# public key: ");
    text.extend_from_slice(public.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(key.expose_secret().as_bytes());
    text.push(b'\n');
    (Secret::new(text), public)
}
