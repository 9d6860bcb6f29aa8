//! New values from the operating system's generator: tokens, keys, passwords.
//!
//! # Why
//!
//! Unless asked for another encoding, a value is made of characters that every consumer of a `.env` file reads
//! unquoted and that a URL carries as they are: `A–Z a–z 0–9 - _ .`. What no quoting is needed for, no quoting can break.

use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rand::TryRng as _;
use rand::rngs::SysRng;
use std::fmt;
use zeroize::Zeroizing;

/// How random bytes are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 4648 §4, padded.
    Base64,
    /// RFC 4648 §5, without padding.
    Base64Url,
    /// RFC 4648 §8, lower case.
    Hex,
}

/// What a password is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How many characters.
    pub length: usize,
    /// At least one of `A–Z`.
    pub upper: bool,
    /// At least one of `a–z`.
    pub lower: bool,
    /// At least one of `0–9`.
    pub digit: bool,
    /// At least one of `- _ .`.
    pub symbol: bool,
}

/// The operating system gave no random bytes, or a policy asks for no characters at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operating system gave no random bytes, or the policy allows no character")
    }
}

/// `bytes` random bytes, written in `encoding`.
///
/// # Errors
/// When the operating system's generator fails.
pub fn random(bytes: usize, encoding: Encoding) -> Result<Secret, Failed> {
    let raw = raw(bytes)?;
    let text = match encoding {
        Encoding::Base64 => STANDARD.encode(&*raw),
        Encoding::Base64Url => URL_SAFE_NO_PAD.encode(&*raw),
        Encoding::Hex => raw
            .iter()
            .fold(String::with_capacity(bytes * 2), |mut hex, byte| {
                use fmt::Write as _;
                let _ = write!(hex, "{byte:02x}");
                hex
            }),
    };
    Ok(Secret::new(text.into_bytes()))
}

/// A short random word that is no secret: what a thing is called that needs a name of its own.
///
/// # Errors
/// When the operating system's generator fails.
pub fn id() -> Result<String, Failed> {
    let secret = random(4, Encoding::Hex)?;
    Ok(String::from_utf8_lossy(secret.expose()).into_owned())
}

/// A password that keeps the policy: each of its characters uniform over the allowed ones, drawn anew until every class
/// asked for is in it.
///
/// # Errors
/// When the operating system's generator fails, or the policy can't be kept.
pub fn password(policy: Policy) -> Result<Secret, Failed> {
    let classes: Vec<&[u8]> = [
        (policy.upper, &b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[..]),
        (policy.lower, b"abcdefghijklmnopqrstuvwxyz"),
        (policy.digit, b"0123456789"),
        (policy.symbol, b"-_."),
    ]
    .into_iter()
    .filter_map(|(wanted, class)| wanted.then_some(class))
    .collect();
    let alphabet = Zeroizing::new(classes.concat());
    if alphabet.is_empty() || policy.length < classes.len() {
        return Err(Failed);
    }
    loop {
        let mut password = Vec::with_capacity(policy.length);
        while password.len() < policy.length {
            password.push(pick(&alphabet)?);
        }
        let candidate = Secret::new(password);
        if classes
            .iter()
            .all(|class| candidate.expose().iter().any(|c| class.contains(c)))
        {
            return Ok(candidate);
        }
    }
}

/// Fresh random bytes.
fn raw(count: usize) -> Result<Zeroizing<Vec<u8>>, Failed> {
    let mut bytes = Zeroizing::new(vec![0; count]);
    SysRng.try_fill_bytes(&mut bytes).map_err(|_| Failed)?;
    Ok(bytes)
}

/// One of the alphabet's characters, each as likely as any: a byte past the last whole multiple is drawn again.
fn pick(alphabet: &[u8]) -> Result<u8, Failed> {
    let limit = 256 - 256 % alphabet.len();
    loop {
        for &byte in raw(64)?.iter() {
            if usize::from(byte) < limit
                && let Some(&character) = alphabet.get(usize::from(byte) % alphabet.len())
            {
                return Ok(character);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_asked_for_are_the_bytes_encoded() {
        for bytes in [1, 16, 32, 48] {
            assert_eq!(
                STANDARD
                    .decode(random(bytes, Encoding::Base64).unwrap().expose())
                    .unwrap()
                    .len(),
                bytes
            );
            assert_eq!(
                URL_SAFE_NO_PAD
                    .decode(random(bytes, Encoding::Base64Url).unwrap().expose())
                    .unwrap()
                    .len(),
                bytes
            );
            assert_eq!(
                random(bytes, Encoding::Hex).unwrap().expose().len(),
                bytes * 2
            );
        }
    }

    #[test]
    fn each_byte_value_comes_up() {
        let mut seen = [false; 256];
        for &byte in raw(16 * 1024).unwrap().iter() {
            seen[usize::from(byte)] = true;
        }
        assert!(seen.iter().all(|&seen| seen));
    }

    #[test]
    fn a_password_holds_every_class_and_each_character_is_as_likely() {
        let policy = Policy {
            length: 24,
            upper: true,
            lower: true,
            digit: true,
            symbol: true,
        };
        let mut count = [0u32; 256];
        for _ in 0..2_000 {
            let password = password(policy).unwrap();
            assert_eq!(password.expose().len(), 24);
            let classes: [fn(&u8) -> bool; 4] = [
                u8::is_ascii_uppercase,
                u8::is_ascii_lowercase,
                u8::is_ascii_digit,
                |c| b"-_.".contains(c),
            ];
            for class in classes {
                assert!(password.expose().iter().any(class));
            }
            for &c in password.expose() {
                count[usize::from(c)] += 1;
            }
        }
        // 48,000 characters over 65: about 738 each; letters lose a little to the classes that must be there.
        for c in (b'a'..=b'z').chain(b'A'..=b'Z') {
            assert!(
                (500..900).contains(&count[usize::from(c)]),
                "{}: {}",
                char::from(c),
                count[usize::from(c)]
            );
        }
    }

    #[test]
    fn a_policy_that_cannot_be_kept_fails() {
        let none = Policy {
            length: 24,
            upper: false,
            lower: false,
            digit: false,
            symbol: false,
        };
        assert!(password(none).is_err());
        let short = Policy {
            length: 3,
            upper: true,
            lower: true,
            digit: true,
            symbol: true,
        };
        assert!(password(short).is_err());
    }
}
