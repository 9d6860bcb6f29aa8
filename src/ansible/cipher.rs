//! The envelope of ansible-vault, and its cipher: AES-256 in counter mode, authenticated by HMAC-SHA-256.
//!
//! # Why
//!
//! Ansible's `parsing/vault/__init__.py` is the only specification. What stands in a file is hexadecimal twice over:
//! the lines below the header are the hexadecimal form of three lines (salt, authentication code, ciphertext) that are
//! hexadecimal themselves. A password gives 80 bytes by PBKDF2: the cipher's key, the code's key, the first counter.
//!
//! The label in a header is only a hint: nothing authenticates it. So the password of that label is tried first and
//! each of the others after it, as Ansible does.

use super::{HEADER, Password};
use crate::problem::{Place, Problem};
use crate::secret::{Secret, wipe_stack};
use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Ansible's own figures.
const ROUNDS: u32 = 10_000;
const KEY: usize = 32;
const BLOCK: usize = 16;
/// The label of what has none.
const DEFAULT: &str = "default";

/// What an encrypted text holds.
pub(super) fn opened(
    text: &[u8],
    passwords: &[Password],
    place: &dyn Fn(usize) -> Place,
) -> Result<Secret, Problem> {
    let envelope = envelope(text, place)?;
    let own = |password: &&Password| password.label == envelope.label;
    let (own, others): (Vec<_>, Vec<_>) = passwords.iter().partition(own);
    for password in own.into_iter().chain(others) {
        if let Some(plaintext) = decrypted(&envelope, &password.secret, place) {
            return plaintext;
        }
    }
    let message = match passwords.len() {
        0 => "needs a password, and there is none".to_owned(),
        1 => "is not opened by the password, or was altered: its HMAC fails".to_owned(),
        many => {
            format!("is opened by none of the {many} passwords, or was altered: its HMAC fails")
        }
    };
    let help = match envelope.label.as_str() {
        DEFAULT => "give its password: --vault-password-file FILE".to_owned(),
        label => format!("give the password of its vault id: --vault-id {label}@FILE"),
    };
    Err(Problem::new("vault-password", message)
        .at(place(1))
        .help(help))
}

struct Envelope {
    label: String,
    salt: Vec<u8>,
    code: Vec<u8>,
    ciphertext: Vec<u8>,
}

/// The parts of an encrypted text.
fn envelope(text: &[u8], place: &dyn Fn(usize) -> Place) -> Result<Envelope, Problem> {
    let problem = |rule, line, message: &str, help: &str| {
        Problem::new(rule, message).at(place(line)).help(help)
    };
    let again = "bring the file back from git, or encrypt the value again";
    let cut = |line| problem("vault-truncated", line, "is cut off", again);
    let altered = || {
        problem(
            "vault-altered",
            1,
            "is not what ansible-vault writes: its parts are missing or no hexadecimal digits",
            again,
        )
    };
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let header = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let mut words = header.split(';').map(str::trim);
    if words.next() != Some(HEADER) {
        return Err(problem(
            "vault-header",
            1,
            "does not begin with $ANSIBLE_VAULT;",
            again,
        ));
    }
    if !matches!(words.next(), Some("1.1" | "1.2")) {
        return Err(problem(
            "vault-version",
            1,
            "is of another version than 1.1 and 1.2",
            "write it anew with a current ansible-vault: ansible-vault rekey FILE",
        ));
    }
    if words.next() != Some("AES256") {
        return Err(problem(
            "vault-cipher",
            1,
            "is encrypted with another cipher than AES256",
            "write it anew with a current ansible-vault: ansible-vault rekey FILE",
        ));
    }
    let label = words.next().filter(|label| !label.is_empty());
    let label = label.unwrap_or(DEFAULT).to_owned();
    let mut digits = Vec::with_capacity(text.len());
    let mut last = 1;
    for (line, number) in lines.zip(2..) {
        if !line.iter().all(u8::is_ascii_hexdigit) {
            return Err(problem(
                "vault-hex",
                number,
                "has something else than hexadecimal digits in it",
                again,
            ));
        }
        if !line.is_empty() {
            last = number;
        }
        digits.extend_from_slice(line);
    }
    let inner = bytes(&digits).ok_or_else(|| cut(last))?;
    let mut parts = inner.splitn(3, |byte| *byte == b'\n');
    let (Some(salt), Some(code), Some(ciphertext)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(cut(last));
    };
    let odd = !ciphertext.len().is_multiple_of(2 * BLOCK) || ciphertext.is_empty();
    if odd && ciphertext.iter().all(u8::is_ascii_hexdigit) {
        return Err(cut(last));
    }
    let (Some(salt), Some(code), Some(ciphertext)) = (bytes(salt), bytes(code), bytes(ciphertext))
    else {
        return Err(altered());
    };
    Ok(Envelope {
        label,
        salt,
        code,
        ciphertext,
    })
}

/// The bytes that hexadecimal digits stand for.
fn bytes(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let pairs = digits.chunks_exact(2);
    pairs
        .map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.last()?)?))
        .collect()
}

/// What the envelope holds; none if this is not its password.
fn decrypted(
    envelope: &Envelope,
    password: &Secret,
    place: &dyn Fn(usize) -> Place,
) -> Option<Result<Secret, Problem>> {
    let mut derived = Zeroizing::new([0; 2 * KEY + BLOCK]);
    pbkdf2::pbkdf2_hmac::<Sha256>(password.expose(), &envelope.salt, ROUNDS, &mut *derived);
    let (key, rest) = derived.split_at(KEY);
    let (code, counter) = rest.split_at(KEY);
    let mut mac = Hmac::<Sha256>::new_from_slice(code).ok()?;
    mac.update(&envelope.ciphertext);
    // In a time that doesn't depend on how much of it is right, and before anything is decrypted.
    mac.verify_slice(&envelope.code).ok()?;
    let mut plaintext = Zeroizing::new(envelope.ciphertext.clone());
    let mut cipher = Ctr128BE::<Aes256>::new_from_slices(key, counter).ok()?;
    cipher.apply_keystream(&mut plaintext);
    wipe_stack();
    // PKCS #7: as many bytes as were added, each of them that number.
    let added = plaintext.last().copied().unwrap_or_default();
    let length = plaintext.len().checked_sub(usize::from(added));
    let padding = length.and_then(|length| plaintext.get(length..));
    let good = (1..=BLOCK).contains(&usize::from(added))
        && padding.is_some_and(|padding| padding.iter().all(|byte| *byte == added));
    if !good {
        let problem = Problem::new(
            "vault-padding",
            "is opened by a password, and its padding is wrong: ansible-vault did not write it",
        );
        return Some(Err(problem
            .at(place(1))
            .help("encrypt what it holds again, with ansible-vault")));
    }
    plaintext.truncate(length.unwrap_or_default());
    Some(Ok(Secret::new(std::mem::take(&mut *plaintext))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What ansible-vault 2.19 made of three lines, with the password `old`.
    const MADE: &str = "\
$ANSIBLE_VAULT;1.1;AES256
30633939316130656662666336313437653230616161646666343038366564393030353935656462
6235643738663766383533376233653034626631346232380a303835376539376362313435663464
61633236346466353035363932386239363635656538383836346263663833353363373632386132
3839346663656666370a623738666132326538393431653862643637346335623333646665626662
35613339353165643939303964396365323033653033623736646236663532623231303666386338
66653265343639666338303136323232343333383836383334366565383064366433336265303164
64356439343530313830663465303138373563663064633033333839656666323564366635393239
39336665643532613438623464356363346533633134363436616534333631306333383362636431
6135
";

    fn read(text: &str, passwords: &[(&str, &str)]) -> Result<String, &'static str> {
        let passwords = passwords.iter().map(|(label, secret)| Password {
            label: (*label).to_owned(),
            secret: Secret::new(secret.as_bytes().to_vec()),
        });
        let place = |line| Place::at("vault", line, 0);
        opened(text.as_bytes(), &passwords.collect::<Vec<_>>(), &place)
            .map(|secret| String::from_utf8(secret.expose().to_vec()).unwrap())
            .map_err(|problem| problem.rule)
    }

    #[test]
    fn whatever_its_label_each_password_is_tried() {
        let labelled = MADE.replace("1.1;AES256", "1.2;AES256;prod");
        for text in [MADE, &labelled, &MADE.replace('\n', "\r\n")] {
            for passwords in [&[("prod", "old")][..], &[("prod", "other"), ("x", "old")]] {
                assert!(read(text, passwords).unwrap().ends_with("Zu6ViMf1\n"));
            }
            assert_eq!(read(text, &[("prod", "older")]), Err("vault-password"));
            assert_eq!(read(text, &[]), Err("vault-password"));
        }
    }

    #[test]
    fn no_text_that_is_cut_or_altered_opens() {
        for end in 0..MADE.len() - 1 {
            let cut = &MADE[..end];
            let told = read(cut, &[]) != Err("vault-password");
            // At a block's end only the code tells.
            assert!(
                told || read(cut, &[("default", "old")]) == Err("vault-password"),
                "{end}"
            );
        }
        // To derive the keys takes time: every seventh byte.
        for at in (0..MADE.len() - 1).step_by(7) {
            let mut text = MADE.as_bytes().to_vec();
            text[at] ^= 1;
            let text = String::from_utf8(text).unwrap();
            assert!(read(&text, &[("default", "old")]).is_err(), "{at}");
        }
    }
}
