//! One age file: what its header tells without a key, its plaintext, and how it is sealed.
//!
//! # Why
//!
//! What is wrong with a file is found out by looking at it, after age has refused it: age's own errors don't tell a
//! merge conflict from a torn download, and some of its texts quote what they met. The plaintext goes into one buffer
//! made as large as it can become, so that no copy of it is left behind by a growing one.

use super::envelope::{BEGIN, END, Header, PLAINTEXT, binary, decrypt, is_age};
use super::identities::{Identities, Outcome};
use super::person::{Person, said};
use super::recipients::Recipients;
use crate::problem::{Place, Problem};
use crate::secret;
use age::armor::{ArmoredWriter, Format};
use age::{DecryptError, Decryptor, EncryptError, Encryptor};
use std::borrow::Cow;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The plaintext of a bundle, and which identity opened it.
pub(super) fn open(
    path: &Path,
    file: &[u8],
    identities: &Identities,
) -> Result<(Zeroizing<Vec<u8>>, String), Problem> {
    let binary = header(path, file)?.1;
    let header = Header::of(&binary);
    if header.passphrase() {
        return Err(Problem::new(
            "vault-passphrase",
            "is encrypted with a passphrase, not to recipients",
        )
        .at(Place::file(path))
        .help(format!(
            "encrypt it to its readers: age -d {0} | age -a -R {1} -o new.age && mv new.age {0}",
            typed(path),
            typed(&super::recipients_file(path)),
        )));
    }
    let problem = |message: String, help: String| {
        Problem::new(Problem::NO_IDENTITY, message)
            .at(Place::file(path))
            .help(help)
    };
    let outcome = identities.open(&header, |identity| decrypt(&binary, PLAINTEXT, identity));
    secret::wipe_stack();
    match outcome {
        Outcome::Opened(plaintext, by) => Ok((plaintext, by)),
        Outcome::Damaged(error) => Err(damaged(path, file, &error)),
        Outcome::Closed(tried) if tried.is_empty() => Err(problem(
            format!("there is no identity to open it with (its readers: {header})"),
            "set DOTAGE_IDENTITY_FILE to your identity, or make one: dotage keygen".to_owned(),
        )),
        Outcome::Closed(tried) => Err(problem(
            format!(
                "none of these identities opens it (its readers: {header}): {}",
                tried.join("; ")
            ),
            match identities.public_keys().next() {
                Some(key) => {
                    format!("ask one of its readers to type: dotage recipients add '{key}'")
                }
                None => {
                    "name the identity that belongs to one of its readers in DOTAGE_IDENTITY_FILE"
                        .to_owned()
                }
            },
        )),
    }
}

/// The header of a bundle, and the file without armor.
pub(super) fn header<'a>(path: &Path, file: &'a [u8]) -> Result<(Header, Cow<'a, [u8]>), Problem> {
    if !is_age(file) {
        return Err(no_age(path, file));
    }
    let binary = binary(file).map_err(|error| damaged(path, file, &error.into()))?;
    Decryptor::new_buffered(&binary[..]).map_err(|error| damaged(path, file, &error))?;
    Ok((Header::of(&binary), binary))
}

/// The plaintext as an armored age file that the recipients can open.
pub(super) fn seal(
    plaintext: &[u8],
    recipients: &Recipients,
    person: &Arc<dyn Person>,
) -> Result<Vec<u8>, Problem> {
    let failed = |error: &EncryptError| {
        let (rule, message, help) = match error {
            EncryptError::IncompatibleRecipients { .. } => (
                "mixed-recipients",
                "the recipients can't stand in one file, so their plugins say".to_owned(),
                "keep those of one kind, all post-quantum or none",
            ),
            EncryptError::Plugin(errors) => (
                "plugin-failed",
                said(errors.first()).unwrap_or_else(|| "a plugin failed".to_owned()),
                "see that the plugin is whole and the recipient is one of its own",
            ),
            _ => (
                "plugin-failed",
                "encrypting to these recipients failed".to_owned(),
                "try the same with age: age -e -R RECIPIENTS",
            ),
        };
        Problem::new(rule, message)
            .at(Place::file(recipients.path()))
            .help(help)
    };
    let readers = recipients.for_age(person)?;
    let encryptor = Encryptor::with_recipients(readers.iter().map(|reader| &**reader))
        .map_err(|error| failed(&error))?;
    let write = || -> std::io::Result<Vec<u8>> {
        let room = Vec::with_capacity(plaintext.len() / 3 * 5 + 1024 * (readers.len() + 1));
        let armor = ArmoredWriter::wrap_output(room, Format::AsciiArmor)?;
        let mut stream = encryptor.wrap_output(armor)?;
        stream.write_all(plaintext)?;
        stream.finish()?.finish()
    };
    let sealed = write().map_err(|error| failed(&error.into()));
    secret::wipe_stack();
    sealed
}

/// What a file is that doesn't begin like an age file.
fn no_age(path: &Path, file: &[u8]) -> Problem {
    let problem = |rule, message: &str, help: String| {
        Problem::new(rule, message).at(Place::file(path)).help(help)
    };
    let shown = typed(path);
    if file.trim_ascii().is_empty() {
        return problem(
            "vault-empty",
            "is empty, which no age file is",
            format!("bring it back: git restore {shown}; for a new bundle, remove the empty file"),
        );
    }
    if let Some(problem) = conflict(path, file) {
        return problem;
    }
    if std::str::from_utf8(file).is_ok_and(|text| !text.contains('\0')) {
        return problem(
            "vault-plaintext",
            "is plain text, where an encrypted bundle should be",
            format!(
                "encrypt it: age -a -R {} -o new.age {shown} && mv new.age {shown}; if it was ever committed, rotate what is in it",
                typed(&super::recipients_file(path)),
            ),
        );
    }
    problem(
        "not-age",
        "is no age file",
        format!("bring it back: git restore {shown}"),
    )
}

/// The line where git left a merge for a person to decide.
fn conflict(path: &Path, file: &[u8]) -> Option<Problem> {
    let line = file.split(|byte| *byte == b'\n').position(|line| {
        line.starts_with(b"<<<<<<< ") || line.starts_with(b">>>>>>> ") || line == b"======="
    })?;
    Some(
        Problem::new("vault-conflict", "git left a merge conflict here, and ciphertext can't be merged")
            .at(Place::at(path, line + 1, 0))
            .help(format!(
                "take one side (git checkout --ours {0}, or --theirs), then set again what the other side changed",
                typed(path)
            )),
    )
}

/// What is wrong with a file that age refused. Nothing of the error's own text is shown.
pub(super) fn damaged(path: &Path, file: &[u8], error: &DecryptError) -> Problem {
    let armored = file.trim_ascii_start().starts_with(BEGIN);
    let problem = |rule, line, message: String| {
        Problem::new(rule, message)
            .at(Place::at(path, line, 0))
            .help(format!("bring it back: git restore {}", typed(path)))
    };
    if armored {
        if let Some(problem) = conflict(path, file) {
            return problem;
        }
        if !file.trim_ascii_end().ends_with(END) {
            return match after_end(file) {
                Some(line) => problem(
                    "vault-armor",
                    line,
                    "something stands behind the armor's last line".to_owned(),
                ),
                None => problem(
                    "vault-truncated",
                    0,
                    "is cut off: the armor's last line is missing".to_owned(),
                ),
            };
        }
        if let Some(line) = bad_armor(file) {
            return problem(
                "vault-armor",
                line,
                "this is no line of age's armor (64 characters of base64)".to_owned(),
            );
        }
    }
    match error {
        DecryptError::UnknownFormat if !v1(file) => {
            Problem::new("vault-version", "is an age file of another version than v1")
                .at(Place::file(path))
                .help(
                    "see `age --version` where it was written; dotage reads age-encryption.org/v1",
                )
        }
        DecryptError::InvalidHeader | DecryptError::UnknownFormat => problem(
            "vault-altered",
            0,
            "was altered: its age header is malformed".to_owned(),
        ),
        DecryptError::InvalidMac | DecryptError::DecryptionFailed => problem(
            "vault-altered",
            0,
            "was altered: its age header fails authentication".to_owned(),
        ),
        DecryptError::Io(error) if error.kind() == ErrorKind::FileTooLarge => too_large(path),
        DecryptError::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            problem("vault-truncated", 0, "is cut off".to_owned())
        }
        _ => problem(
            "vault-altered",
            0,
            "was altered or cut off: its content fails authentication".to_owned(),
        ),
    }
}

/// Whether the file says that it is of the version that we read.
fn v1(file: &[u8]) -> bool {
    binary(file).is_ok_and(|binary| binary.starts_with(b"age-encryption.org/v1\n"))
}

/// A path as it is typed in a shell.
pub(super) fn typed(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+@".contains(&byte);
    if text.bytes().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The problem of a bundle that holds more than it may.
pub(super) fn too_large(path: &Path) -> Problem {
    Problem::new(
        "too-large",
        format!("holds more than {} MiB", PLAINTEXT >> 20),
    )
    .at(Place::file(path))
    .help("a vault is for secrets: keep a large file elsewhere, and the key to it in the vault")
}

/// The first line behind the armor's end that isn't blank.
fn after_end(file: &[u8]) -> Option<usize> {
    let mut lines = file.split(|byte| *byte == b'\n').enumerate();
    lines.find(|(_, line)| line.trim_ascii_end() == END)?;
    lines
        .find(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(index, _)| index + 1)
}

/// The first line within the armor that isn't one of base64 of the right length.
fn bad_armor(file: &[u8]) -> Option<usize> {
    let lines: Vec<&[u8]> = file
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .collect();
    let begin = lines.iter().position(|line| *line == BEGIN)?;
    let end = lines.iter().position(|line| *line == END)?;
    let last = end.checked_sub(1)?;
    (begin + 1..end)
        .find(|index| {
            lines.get(*index).is_none_or(|line| {
                let whole = line.len() == 64
                    || *index == last && line.len() < 64 && line.len() % 4 == 0 && !line.is_empty();
                let base64 = line
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte));
                !whole || !base64
            })
        })
        .map(|index| index + 1)
}
