//! What is a secret by its form: an age identity, a private key.
//!
//! # Why
//!
//! No false alarm: an identity has to have its checksum, which no placeholder has, and a private key has to have a body,
//! which no code that only speaks of one has.

use bech32::primitives::decode::CheckedHrpstring;
use memchr::memmem;

/// How far behind its beginning a mark is read.
pub(super) const REACH: usize = 2048;

/// The characters of an identity behind its `1`: 32 bytes and a checksum.
const IDENTITY: usize = 58;
/// How many characters of base64 in a row are the body of a key.
const BODY: usize = 40;
/// The longest line that a private key begins with.
const LONGEST_BEGIN: usize = 64;

/// What has a form that gives it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Identity,
    PrivateKey,
}

/// What to look for, made ready once: what the marks in capitals have in common, and the one in small letters.
pub(super) struct Marks {
    key: memmem::Finder<'static>,
    lower: memmem::Finder<'static>,
}

impl Marks {
    pub(super) fn new() -> Self {
        Marks {
            key: memmem::Finder::new("KEY"),
            lower: memmem::Finder::new("age-secret-key-"),
        }
    }

    /// Where in `bytes` one begins.
    pub(super) fn find(&self, bytes: &[u8], mut found: impl FnMut(usize, Mark)) {
        for at in self.key.find_iter(bytes) {
            let before = &bytes[..at];
            if before.ends_with(b"AGE-SECRET-") && identity(&bytes[at - 11..]) {
                found(at - 11, Mark::Identity);
            } else if before.ends_with(b"PRIVATE ")
                && let Some(begin) = private_key(bytes, at - 8)
            {
                found(begin, Mark::PrivateKey);
            }
        }
        for at in self.lower.find_iter(bytes) {
            if identity(&bytes[at..]) {
                found(at, Mark::Identity);
            }
        }
    }
}

/// Whether a text begins with an identity: X25519's, or the post-quantum one.
fn identity(text: &[u8]) -> bool {
    let start = text.get(15..18).unwrap_or_default();
    let prefix = if start.eq_ignore_ascii_case(b"PQ-") {
        18
    } else {
        15
    };
    text.get(..=prefix + IDENTITY)
        .and_then(|text| std::str::from_utf8(text).ok())
        .is_some_and(|text| CheckedHrpstring::new::<bech32::Bech32>(text).is_ok())
}

/// Where the `-----BEGIN` is of the `PRIVATE KEY` at `at`, if a key's body follows: on the next lines, or, in a string of
/// a program or of JSON, behind a `\n` that is written out.
fn private_key(bytes: &[u8], at: usize) -> Option<usize> {
    let first = at.saturating_sub(LONGEST_BEGIN);
    let begin = first + memmem::rfind(&bytes[first..at], b"-----BEGIN ")?;
    let kind = &bytes[begin + 11..at];
    let rest = &bytes[at + 11..];
    let rest = rest.strip_prefix(b" BLOCK").unwrap_or(rest);
    let rest = rest.strip_prefix(b"-----")?;
    let is_kind = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ';
    if !kind.iter().all(is_kind) {
        return None;
    }
    let rest = &rest[..rest.len().min(REACH - 2 * LONGEST_BEGIN)];
    let end = memmem::find(rest, b"-----").unwrap_or(rest.len());
    body(&rest[..end]).then_some(begin)
}

/// Whether a text holds a line of base64 that is long and mixed enough to be a key's.
fn body(text: &[u8]) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        // `\n` and `\r`, written out.
        if rest[0] == b'\\' {
            rest = rest.get(2..).unwrap_or_default();
            continue;
        }
        let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
        let length = rest.iter().take_while(|byte| is_base64(byte)).count();
        let (word, after) = rest.split_at(length.max(1));
        let has = |is: fn(&u8) -> bool| word.iter().any(is);
        if length >= BODY
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
            && has(u8::is_ascii_digit)
        {
            return true;
        }
        rest = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(usize, Mark)> {
        let mut found = Vec::new();
        Marks::new().find(text.as_bytes(), |at, mark| found.push((at, mark)));
        found
    }

    #[test]
    fn an_identity_has_its_checksum() {
        let (key, _) = crate::vault::keygen(std::time::SystemTime::now());
        let key = std::str::from_utf8(key.expose()).unwrap();
        let key = key.lines().last().unwrap();
        let pq = "AGE-SECRET-KEY-PQ-1ZEFUDVVSG383U8MLX9Q00GU3R4VXAP3S4LHAW5AZKHC2D9L7E43QECK23H";
        for text in [
            key.to_owned(),
            format!("x\"{key}\","),
            key.to_lowercase(),
            pq.to_owned(),
        ] {
            assert_eq!(found(&text).len(), 1, "{text}");
            assert_eq!(found(&text)[0].1, Mark::Identity);
        }
        let placeholder = format!("AGE-SECRET-KEY-1{}", "X".repeat(58));
        let other = if key.ends_with('Q') { 'P' } else { 'Q' };
        let wrong = format!("{}{other}", &key[..key.len() - 1]);
        let cut = &key[..key.len() - 1];
        for text in [
            &placeholder,
            &wrong,
            cut,
            "AGE-SECRET-KEY-",
            "AGE-SECRET-KEY-PQ-1",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_private_key_has_a_body() {
        let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
        let begin = |kind: &str| format!("-----BEGIN {kind}-----");
        for text in [
            format!("{}\n{line}\n", begin("PRIVATE KEY")),
            format!("{}\r\n{line}\r\n", begin("RSA PRIVATE KEY")),
            format!("key: |\n  {}\n  {line}\n", begin("EC PRIVATE KEY")),
            format!(r#"{{"key": "{}\n{line}\n"}}"#, begin("PRIVATE KEY")),
            format!(
                "{}\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n{line}",
                begin("RSA PRIVATE KEY")
            ),
            format!("{}\nVersion: 1\n\n{line}", begin("PGP PRIVATE KEY BLOCK")),
            format!("{}\n{line}\n", begin("OPENSSH PRIVATE KEY")),
        ] {
            let [(at, Mark::PrivateKey)] = found(&text)[..] else {
                panic!("{text}");
            };
            assert!(text[at..].starts_with("-----BEGIN "), "{text}");
        }
        for text in [
            begin("PRIVATE KEY"),
            format!("{}\n{line}", begin("PUBLIC KEY")),
            format!(
                "if text.starts_with(\"{}\") {{ return Kind::Pem; }}",
                begin("PRIVATE KEY")
            ),
            format!(
                "{}\n...\n-----END PRIVATE KEY-----\n{line}",
                begin("PRIVATE KEY")
            ),
            format!("{}\n{}\n", begin("PRIVATE KEY"), "A".repeat(64)),
            format!("the PRIVATE KEY\n{line}"),
        ] {
            assert!(found(&text).is_empty(), "{text}");
        }
    }
}
