//! Whether a value is what its format says: the same declaration that generates one.
//!
//! # Why
//!
//! A key is judged by the bytes it decodes to, for that is what a cipher takes. The two mistakes that everybody makes
//! (32 characters for 32 bytes, hex where base64 belongs) are told by name. Nothing here quotes a value: lengths,
//! positions and the format's own words are all that is told.

use crate::generate::{Encoding, Policy};
use crate::inventory::{Format, UrlPart};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// RFC 4648 §5, with or without the padding: both are written by well-known tools.
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

/// What is wrong with a value, in words that complete `NAME …`; none when it is what its format says.
pub(super) fn fault(format: &Format, value: &[u8]) -> Option<String> {
    if let Format::Pem { label } = format {
        return pem(value, label.as_deref());
    }
    if let Format::Json = format {
        return json(value);
    }
    let Ok(text) = std::str::from_utf8(value) else {
        return Some(format!("is not UTF-8 text, and a {} is", kind(format)));
    };
    match format {
        Format::Token { min_chars, .. } => blank(text).or_else(|| short(text, *min_chars)),
        Format::Key { bytes, encoding } => key(text, *bytes, *encoding),
        Format::Password { policy, min_chars } => {
            short(text, *min_chars).or_else(|| classes(text, *policy))
        }
        Format::Url { schemes, parts } => url(text, schemes, parts),
        Format::Regex(regex) => (!regex.is_match(text))
            .then(|| "does not match the pattern of its format as a whole".to_owned()),
        Format::OneOf(texts) => (!texts.iter().any(|one| one == text))
            .then(|| format!("is none of {}", texts.join(", "))),
        Format::Integer { min, max } => match text.parse::<i64>() {
            Ok(number) if number.to_string() != text => {
                Some("is an integer with a sign or zeros that it doesn't need".to_owned())
            }
            Ok(number) if number < *min => Some(format!("is less than {min}")),
            Ok(number) if number > *max => Some(format!("is greater than {max}")),
            Ok(_) => None,
            Err(_) => Some("is no decimal integer".to_owned()),
        },
        Format::Boolean => {
            (!matches!(text, "true" | "false")).then(|| "is neither true nor false".to_owned())
        }
        Format::Text {
            min_chars,
            max_chars,
        } => short(text, *min_chars).or_else(|| {
            let chars = text.chars().count();
            (chars > *max_chars)
                .then(|| format!("has {chars} characters, more than the {max_chars} of its format"))
        }),
        Format::Pem { .. } | Format::Json => None,
    }
}

/// The format's word.
fn kind(format: &Format) -> &'static str {
    match format {
        Format::Token { .. } => "token",
        Format::Key { .. } => "key",
        Format::Password { .. } => "password",
        Format::Url { .. } => "URL",
        _ => "value of its format",
    }
}

fn short(text: &str, min_chars: usize) -> Option<String> {
    let chars = text.chars().count();
    (chars < min_chars).then(|| {
        format!(
            "has {chars} character{}, fewer than the {min_chars} of its format",
            if chars == 1 { "" } else { "s" }
        )
    })
}

/// White space at an end is a copying mistake, and inside it no token has any.
fn blank(text: &str) -> Option<String> {
    if text.ends_with('\n') {
        Some("ends in a line feed, which is part of the value".to_owned())
    } else if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Some("holds white space or a control character".to_owned())
    } else {
        None
    }
}

/// The bytes of a key, if that is how it is written.
pub(super) fn decoded(text: &str, encoding: Encoding) -> Option<Zeroizing<Vec<u8>>> {
    match encoding {
        Encoding::Base64 => STANDARD.decode(text).ok(),
        Encoding::Base64Url => URL_SAFE.decode(text).ok(),
        Encoding::Hex => hex(text),
    }
    .map(Zeroizing::new)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = Zeroizing::new(digits?);
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

fn word(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Base64 => "base64",
        Encoding::Base64Url => "base64url",
        Encoding::Hex => "hex",
    }
}

fn key(text: &str, bytes: usize, encoding: Encoding) -> Option<String> {
    if let Some(wrong) = blank(text) {
        return Some(wrong);
    }
    let said = word(encoding);
    let found = decoded(text, encoding).map(|decoded| decoded.len());
    if found == Some(bytes) {
        return None;
    }
    let is = |other: Encoding| {
        other != encoding && decoded(text, other).is_some_and(|decoded| decoded.len() == bytes)
    };
    if is(Encoding::Hex) {
        return Some(format!(
            "is {} hex digits: {bytes} bytes, but written in hex, and its format says {said}",
            text.len()
        ));
    }
    if text.chars().count() == bytes {
        return Some(match found {
            Some(found) => format!(
                "is {bytes} characters, which are {found} bytes once decoded; its format says {bytes} bytes in {said}"
            ),
            None => format!(
                "is {bytes} characters, and its format says {bytes} bytes in {said}, which take {}",
                written(bytes, encoding)
            ),
        });
    }
    if encoding == Encoding::Base64
        && STANDARD_NO_PAD
            .decode(text)
            .is_ok_and(|decoded| decoded.len() == bytes)
    {
        return Some("is base64 whose `=` at the end is missing".to_owned());
    }
    for other in [Encoding::Base64, Encoding::Base64Url] {
        if is(other) {
            return Some(format!(
                "is {bytes} bytes written in {}, and its format says {said}",
                word(other)
            ));
        }
    }
    Some(match found {
        Some(1) => format!("decodes to 1 byte, and its format says {bytes}"),
        Some(found) => format!("decodes to {found} bytes, and its format says {bytes}"),
        None => format!("is not {said}"),
    })
}

/// How many characters so many bytes take.
fn written(bytes: usize, encoding: Encoding) -> String {
    match encoding {
        Encoding::Base64 => bytes.div_ceil(3) * 4,
        Encoding::Base64Url => (bytes * 4).div_ceil(3),
        Encoding::Hex => bytes * 2,
    }
    .to_string()
}

/// The kinds of characters that a password needs.
fn classes(text: &str, policy: Policy) -> Option<String> {
    let wants: [(bool, &str, fn(char) -> bool); 4] = [
        (policy.upper, "an upper-case letter", char::is_uppercase),
        (policy.lower, "a lower-case letter", char::is_lowercase),
        (policy.digit, "a digit", |c| c.is_ascii_digit()),
        (policy.symbol, "a symbol", |c| !c.is_alphanumeric()),
    ];
    let lacking: Vec<&str> = wants
        .into_iter()
        .filter(|(wanted, _, has)| *wanted && !text.chars().any(has))
        .map(|(_, what, _)| what)
        .collect();
    (!lacking.is_empty()).then(|| format!("lacks {}", lacking.join(", ")))
}

/// A URL's parts as they are written: RFC 3986 §3, for the URLs that have an authority.
pub(super) struct Url<'u> {
    scheme: &'u str,
    user: Option<&'u str>,
    pub(super) password: Option<&'u str>,
    host: &'u str,
    port: Option<&'u str>,
    path: &'u str,
}

impl<'u> Url<'u> {
    /// The parts of a URL; in words what is wrong, if it isn't one.
    pub(super) fn parse(text: &'u str) -> Result<Url<'u>, &'static str> {
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(
                "holds white space or a control character, which a URL writes as %20 and the like",
            );
        }
        let (scheme, rest) = text
            .split_once("://")
            .ok_or("is no URL: it has no scheme://")?;
        let mut letters = scheme.chars();
        if !letters.next().is_some_and(|c| c.is_ascii_alphabetic())
            || !letters.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        {
            return Err("is no URL: its scheme is none");
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (account, place) = match authority.rsplit_once('@') {
            Some((account, place)) => (Some(account), place),
            None => (None, authority),
        };
        if account.is_some_and(|account| account.contains('@')) {
            return Err("is a URL with two `@`: in a password one is written %40");
        }
        // A `[…]` is an IPv6 address, whose colons are its own.
        let end = place.rfind(']').unwrap_or(0);
        let (host, port) = match place.get(end..).and_then(|rest| rest.find(':')) {
            Some(colon) => (
                place.get(..end + colon).unwrap_or(""),
                place.get(end + colon + 1..),
            ),
            None => (place, None),
        };
        if port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return Err(
                "is a URL whose port is no number up to 65535; in a password `/`, `?` and `#` are written %2F, %3F and %23",
            );
        }
        let (user, password) = match account.map(|account| account.split_once(':')) {
            Some(Some((user, password))) => (Some(user), Some(password)),
            Some(None) => (account, None),
            None => (None, None),
        };
        let mut percents = text.split('%').skip(1);
        if !percents.all(|after| {
            after
                .get(..2)
                .is_some_and(|two| two.bytes().all(|b| b.is_ascii_hexdigit()))
        }) {
            return Err("is a URL with a `%` that no two hex digits follow: it is written %25");
        }
        Ok(Url {
            scheme,
            user,
            password,
            host,
            port,
            path,
        })
    }
}

fn url(text: &str, schemes: &[String], parts: &[UrlPart]) -> Option<String> {
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(wrong) => return Some(wrong.to_owned()),
    };
    if !schemes.is_empty()
        && !schemes
            .iter()
            .any(|scheme| scheme.eq_ignore_ascii_case(url.scheme))
    {
        return Some(format!(
            "is a URL whose scheme is not {}",
            schemes.join(" or ")
        ));
    }
    let full = |part: Option<&str>| part.is_some_and(|part| !part.is_empty());
    let lacking: Vec<&str> = parts
        .iter()
        .filter_map(|part| {
            let (there, word) = match part {
                UrlPart::User => (full(url.user), "user"),
                UrlPart::Password => (full(url.password), "password"),
                UrlPart::Host => (full(Some(url.host)), "host"),
                UrlPart::Port => (full(url.port), "port"),
                UrlPart::Path => (url.path.len() > 1 && url.path.starts_with('/'), "path"),
            };
            (!there).then_some(word)
        })
        .collect();
    (!lacking.is_empty()).then(|| format!("is a URL without {}", lacking.join(", ")))
}

/// PEM as RFC 7468 §3 lays it out: blocks of base64 between a BEGIN and an END line of one label.
fn pem(value: &[u8], label: Option<&str>) -> Option<String> {
    let Ok(text) = std::str::from_utf8(value) else {
        return Some("is not UTF-8 text, and PEM is".to_owned());
    };
    let mut blocks = 0;
    let mut open: Option<(&str, Zeroizing<String>)> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_end();
        let marker = |word| {
            line.strip_prefix("-----")?
                .strip_prefix(word)?
                .strip_prefix(' ')?
                .strip_suffix("-----")
        };
        let wrong = |what: &str| Some(format!("is PEM with {what} in its line {}", number + 1));
        match (marker("BEGIN"), marker("END"), &mut open) {
            (Some(_), _, Some(_)) => return wrong("a second BEGIN"),
            (Some(begun), _, none) => {
                if blocks == 0 && label.is_some_and(|label| label != begun) {
                    return Some(format!(
                        "is PEM whose first block is not a {}",
                        label.unwrap_or_default()
                    ));
                }
                *none = Some((begun, Zeroizing::new(String::with_capacity(text.len()))));
            }
            (_, Some(ended), Some((begun, body))) => {
                if ended != *begun {
                    return wrong("an END of another label");
                }
                if body.is_empty()
                    || STANDARD
                        .decode(body.as_bytes())
                        .map(Zeroizing::new)
                        .is_err()
                {
                    return Some("is PEM whose body is not base64".to_owned());
                }
                blocks += 1;
                open = None;
            }
            (_, Some(_), None) => return wrong("an END without a BEGIN"),
            // A header of RFC 1421 (`Proc-Type:`), as encrypted keys of old have.
            (None, None, Some((_, body))) if line.contains(':') && body.is_empty() => {}
            (None, None, Some((_, body))) => body.push_str(line.trim()),
            // Text around the blocks is explanatory.
            (None, None, None) => {}
        }
    }
    match (blocks, open) {
        (0, _) if text.contains("\\n") => {
            Some("is PEM with `\\n` in place of line feeds: set it from the file".to_owned())
        }
        (_, Some(_)) => Some("is PEM whose last block has no END line".to_owned()),
        (0, None) => Some("is not PEM: it has no -----BEGIN … line".to_owned()),
        _ => None,
    }
}

fn json(value: &[u8]) -> Option<String> {
    // The parser's own words quote what it found: line and column are all that is told.
    serde_json::from_slice::<serde::de::IgnoredAny>(value)
        .err()
        .map(|error| {
            format!(
                "is not JSON: line {}, column {}",
                error.line(),
                error.column()
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// The format that an inventory's `format: TEXT` declares.
    fn format(text: &str) -> Format {
        let text = format!(
            "profiles: {{ p: {{ vault: v.age }} }}\nvariables:\n  X: {{ purpose: x, used_by: [], format: {text} }}\n"
        );
        let inventory =
            crate::inventory::Inventory::parse(Path::new("dotage.yaml"), &text).unwrap();
        inventory.variables["X"].format.value.clone()
    }

    #[test]
    fn each_format_takes_what_it_says_and_names_the_mistake() {
        let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let key = "{ key: { bytes: 32, encoding: base64 } }";
        let token = "{ token: { bytes: 48, min_chars: 32 } }";
        let password = "{ password: { length: 24, min_chars: 12 } }";
        let url =
            "{ url: { scheme: [postgres, postgresql], has: [user, password, host, port, path] } }";
        let hex64 = "0123456789abcdef".repeat(4);
        let long = "x".repeat(32);
        for (declared, value, wanted) in [
            (key, zeros, None),
            (
                key,
                long.as_str(),
                Some(
                    "is 32 characters, which are 24 bytes once decoded; its format says 32 bytes in base64",
                ),
            ),
            (
                key,
                "!2345678901234567890123456789012",
                Some("is 32 characters, and its format says 32 bytes in base64, which take 44"),
            ),
            (
                key,
                hex64.as_str(),
                Some("is 64 hex digits: 32 bytes, but written in hex, and its format says base64"),
            ),
            (
                key,
                zeros.trim_end_matches('='),
                Some("is base64 whose `=` at the end is missing"),
            ),
            (
                key,
                "_-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                Some("is 32 bytes written in base64url, and its format says base64"),
            ),
            (
                key,
                "AAAA",
                Some("decodes to 3 bytes, and its format says 32"),
            ),
            (key, "A!", Some("is not base64")),
            (
                key,
                "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
                Some("ends in a line feed, which is part of the value"),
            ),
            (
                "{ key: { bytes: 32, encoding: hex } }",
                hex64.as_str(),
                None,
            ),
            (
                "{ key: { bytes: 32, encoding: hex } }",
                zeros,
                Some("is 32 bytes written in base64, and its format says hex"),
            ),
            ("{ key: { bytes: 32, encoding: base64url } }", zeros, None),
            (
                "{ key: { bytes: 32, encoding: base64url } }",
                zeros.trim_end_matches('='),
                None,
            ),
            (token, long.as_str(), None),
            (
                token,
                "x",
                Some("has 1 character, fewer than the 32 of its format"),
            ),
            (
                token,
                "a token with blanks that is long enough",
                Some("holds white space or a control character"),
            ),
            (password, "Abcdefghij1.", None),
            (
                password,
                "Abcdefghij1",
                Some("has 11 characters, fewer than the 12 of its format"),
            ),
            (
                password,
                "abcdefghijkl",
                Some("lacks an upper-case letter, a digit, a symbol"),
            ),
            (url, "postgresql://u:p@h:5432/d", None),
            (url, "postgresql://u:p@[::1]:5432/d?x=y", None),
            (
                url,
                "postgresql://h/d",
                Some("is a URL without user, password, port"),
            ),
            (
                url,
                "postgresql://u:@h:1/d",
                Some("is a URL without password"),
            ),
            (
                url,
                "mysql://u:p@h:1/d",
                Some("is a URL whose scheme is not postgres or postgresql"),
            ),
            (
                url,
                "postgresql://u:p@ss@h:1/d",
                Some("is a URL with two `@`: in a password one is written %40"),
            ),
            (
                url,
                "postgresql://u:p/x@h:1/d",
                Some(
                    "is a URL whose port is no number up to 65535; in a password `/`, `?` and `#` are written %2F, %3F and %23",
                ),
            ),
            (
                url,
                "postgresql://u:p%zz@h:1/d",
                Some("is a URL with a `%` that no two hex digits follow: it is written %25"),
            ),
            (url, "u:p@h", Some("is no URL: it has no scheme://")),
            (
                url,
                "postgresql://u:p @h:1/d",
                Some(
                    "holds white space or a control character, which a URL writes as %20 and the like",
                ),
            ),
            ("pem", "-----BEGIN X-----\nAAAA\n-----END X-----\n", None),
            (
                "{ pem: { label: CERTIFICATE } }",
                "-----BEGIN X-----\nAAAA\n-----END X-----\n",
                Some("is PEM whose first block is not a CERTIFICATE"),
            ),
            (
                "pem",
                "-----BEGIN X-----\nAAAA\n",
                Some("is PEM whose last block has no END line"),
            ),
            (
                "pem",
                "-----BEGIN X-----\nA!AA\n-----END X-----",
                Some("is PEM whose body is not base64"),
            ),
            (
                "pem",
                "-----BEGIN X-----\nAAAA\n-----END Y-----",
                Some("is PEM with an END of another label in its line 3"),
            ),
            (
                "pem",
                "-----BEGIN X-----\\nAAAA\\n-----END X-----",
                Some("is PEM with `\\n` in place of line feeds: set it from the file"),
            ),
            ("json", "{\"a\": [1, null]}", None),
            (
                "json",
                "{\"a\": hunter2}",
                Some("is not JSON: line 1, column 7"),
            ),
            ("{ regex: '[a-z]+' }", "abc", None),
            (
                "{ regex: '[a-z]+' }",
                "abc1",
                Some("does not match the pattern of its format as a whole"),
            ),
            ("{ one_of: [a, b] }", "b", None),
            ("{ one_of: [a, b] }", "c", Some("is none of a, b")),
            ("{ integer: { min: 1, max: 9 } }", "5", None),
            (
                "{ integer: { min: 1, max: 9 } }",
                "0",
                Some("is less than 1"),
            ),
            (
                "{ integer: { min: 1, max: 9 } }",
                "10",
                Some("is greater than 9"),
            ),
            (
                "integer",
                "07",
                Some("is an integer with a sign or zeros that it doesn't need"),
            ),
            ("integer", "seven", Some("is no decimal integer")),
            ("boolean", "true", None),
            ("boolean", "yes", Some("is neither true nor false")),
            ("{ text: { min_chars: 2, max_chars: 3 } }", "éé", None),
            (
                "{ text: { min_chars: 2, max_chars: 3 } }",
                "é",
                Some("has 1 character, fewer than the 2 of its format"),
            ),
            (
                "{ text: { min_chars: 2, max_chars: 3 } }",
                "abcd",
                Some("has 4 characters, more than the 3 of its format"),
            ),
        ] {
            assert_eq!(
                fault(&format(declared), value.as_bytes()).as_deref(),
                wanted,
                "{declared} {value:?}"
            );
        }
        assert_eq!(
            fault(&format("boolean"), b"\xff").as_deref(),
            Some("is not UTF-8 text, and a value of its format is")
        );
    }

    #[test]
    fn what_a_format_generates_it_takes() {
        for declared in [
            "token",
            "{ token: { bytes: 16, encoding: hex } }",
            "{ token: { bytes: 33, encoding: base64 } }",
            "key",
            "{ key: { bytes: 32, encoding: base64url } }",
            "{ key: { bytes: 24, encoding: hex } }",
            "password",
            "{ password: { length: 12, min_chars: 12, symbol: false } }",
        ] {
            let format = format(declared);
            for _ in 0..200 {
                let value = match &format {
                    Format::Token {
                        bytes, encoding, ..
                    }
                    | Format::Key { bytes, encoding } => crate::generate::random(*bytes, *encoding),
                    Format::Password { policy, .. } => crate::generate::password(*policy),
                    _ => unreachable!(),
                };
                assert_eq!(fault(&format, value.unwrap().expose()), None, "{declared}");
            }
        }
    }
}
