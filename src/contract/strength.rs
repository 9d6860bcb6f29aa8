//! Whether a secret is hard to guess: placeholders, published defaults, patterns, and bits of entropy as measured.
//!
//! # Why
//!
//! The measure, in bits, is the number of characters times the lesser of two: log₂ of the alphabet that the characters
//! come from (10 digits, 16 hex digits, 26 letters of a case, 33 other characters of ASCII, and their sums), and the
//! entropy of the characters' own frequencies with the correction of Miller and Madow for so short a sample. Bytes that
//! decode from a key are measured as bytes. It is an upper bound on what a guesser has to try, so a value that is too
//! low is weak for sure. A token or a key needs 80 bits: 32 random hex digits, the weakest form in wide use, measured
//! 97 to 128 in 200,000 draws. A password needs 28: twelve random characters of
//! four kinds measured 32 to 51.
//!
//! Patterns have rules of their own, for each is mended by another thought. Their limits are set so that a generated
//! value meets one less than once in a million times.

use zeroize::Zeroizing;

/// The bits that a token or a key needs.
pub(super) const KEY_BITS: f64 = 80.0;
/// The bits that a password needs.
pub(super) const PASSWORD_BITS: f64 = 28.0;

/// Words that stand where a value belongs, wherever they occur: long enough that no random text holds one.
/// Case and separators don't count.
const PLACEHOLDERS: &[&str] = &[
    "changeme",
    "changethis",
    "changeit",
    "changebefore",
    "replaceme",
    "replacethis",
    "replacewith",
    "placeholder",
    "yoursecret",
    "yourpassword",
    "yourtoken",
    "yourkey",
    "yourapi",
    "yoursuper",
    "insertyour",
    "enteryour",
    "example",
    "notasecret",
    "notsecure",
    "insecure",
    "supersecret",
    "verysecret",
    "topsecret",
    "secretkey",
    "mysecret",
    "mypassword",
    "devsecret",
    "testsecret",
    "development",
    "fillmein",
    "generateme",
    "defaultpassword",
];

/// Words that are a placeholder when they are all there is, digits and separators aside.
const WHOLE: &[&str] = &[
    "",
    "x",
    "todo",
    "tbd",
    "fixme",
    "none",
    "null",
    "nil",
    "undefined",
    "empty",
    "test",
    "testing",
    "dummy",
    "fake",
    "sample",
    "foo",
    "bar",
    "foobar",
    "foobarbaz",
    "secret",
    "token",
    "key",
    "value",
    "string",
    "unset",
    "default",
    "dev",
];

/// Passwords, tokens and keys that products ship with or their documentation shows, and the first that a guesser tries.
const DEFAULTS: &[&str] = &[
    "admin",
    "administrator",
    "adminadmin",
    "admin123",
    "root",
    "toor",
    "rootroot",
    "user",
    "guest",
    "password",
    "passw0rd",
    "p@ssw0rd",
    "password1",
    "password123",
    "pass",
    "letmein",
    "welcome",
    "welcome1",
    "qwerty",
    "abc123",
    "iloveyou",
    "monkey",
    "dragon",
    "master",
    "superuser",
    "sa",
    "mysql",
    "mariadb",
    "postgres",
    "postgresql",
    "redis",
    "mongo",
    "mongodb",
    "rabbitmq",
    "elastic",
    "neo4j",
    "minio",
    "minioadmin",
    "minio123",
    "grafana",
    "prometheus",
    "jenkins",
    "gitlab",
    "nexus",
    "sonar",
    "airflow",
    "superset",
    "hasura",
    "keycloak",
    "wordpress",
    "drupal",
    "supabase",
    "nextcloud",
    "portainer",
    "traefik",
    "vault",
    "consul",
    "vagrant",
    "ubuntu",
    "raspberry",
    "docker",
    "keyboard cat",
    "your-256-bit-secret",
    "your-384-bit-secret",
    "your-512-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "myadminsecretkey",
    "shhhhh",
    "s3cr3t",
    "secret123",
    "your_jwt_secret",
    "jwt_secret",
    "jwtsecret",
    "hunter2",
    "correcthorsebatterystaple",
    "correct horse battery staple",
    "example_password",
    "my-secret-pw",
    "mysecretpassword",
    "yoursecretpassword",
    "verysecurepassword",
    "YmFzZTY0",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "thisisaverysecretkeythatshouldbechanged",
];

/// Where a product starts to be a default whatever follows.
const DEFAULT_STARTS: &[&str] = &[
    "django-insecure-",
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG",
    "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
];

/// Neighbouring keys: rows of QWERTY, QWERTZ, AZERTY and Dvorak keyboards, and the columns that fingers walk down.
const ROWS: &[&str] = &[
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
    "pyfgcrl",
    "aoeuidhtns",
    "qjkxbmwvz",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "qazwsxedcrfvtgbyhnujm",
    "!@#$%^&*()",
    "1q2w3e4r5t6y7u8i9o0p",
];

/// What makes a value easy to guess: the rule, and words that complete `NAME …`. `text` is what the vault holds,
/// `key` the bytes that it decodes to when it is a key, `bits` what it needs.
pub(super) fn weaknesses(
    text: &[u8],
    key: Option<&[u8]>,
    bits: f64,
) -> Vec<(&'static str, String)> {
    // What is known has no entropy: measuring it would only say the same again.
    if is_default(text) {
        let wrong = "is a default that products ship with or their documentation shows";
        return vec![("published", wrong.to_owned())];
    }
    if let Some(wrong) = placeholder(text) {
        return vec![("placeholder", wrong)];
    }
    let mut found = Vec::new();
    let bytes = key.unwrap_or(text);
    let measured = entropy(bytes, key.is_some());
    if measured < bits {
        found.push((
            "low-entropy",
            format!("has {measured:.0} bits of entropy, fewer than the {bits:.0} it needs"),
        ));
    }
    if let Some(period) = period(bytes) {
        found.push((
            "repeated",
            format!(
                "repeats {} over and over",
                if period == 1 {
                    "one character".to_owned()
                } else {
                    format!("a piece of {period}")
                }
            ),
        ));
    }
    let kinds = distinct(bytes);
    if (bytes.len() >= 24 && kinds <= 7) || (bytes.len() >= 8 && kinds <= 4) {
        found.push((
            "small-alphabet",
            format!(
                "is made of {kinds} different {}",
                if key.is_some() { "bytes" } else { "characters" }
            ),
        ));
    }
    if counts(text) || key.is_some_and(counts) {
        found.push(("sequence", "counts or goes through the alphabet".to_owned()));
    }
    if walks(text) {
        found.push(("keyboard", "follows the keys of a keyboard".to_owned()));
    }
    found
}

/// Whether a value is a default of a well-known product.
pub(super) fn is_default(text: &[u8]) -> bool {
    DEFAULTS
        .iter()
        .any(|default| text.eq_ignore_ascii_case(default.as_bytes()))
        || DEFAULT_STARTS
            .iter()
            .any(|start| text.starts_with(start.as_bytes()))
}

fn placeholder(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let wraps = |open: &str, close: &str| text.starts_with(open) && text.ends_with(close);
    if wraps("<", ">")
        || wraps("[", "]")
        || wraps("${", "}")
        || wraps("{{", "}}")
        || wraps("$(", ")")
        || wraps("%", "%")
    {
        return Some("is a place to fill in, not a value".to_owned());
    }
    let letters: Zeroizing<String> = Zeroizing::new(
        text.chars()
            .filter(|c| c.is_alphabetic())
            .map(|c| c.to_ascii_lowercase())
            .collect(),
    );
    let xs = !letters.is_empty() && letters.bytes().all(|c| c == b'x');
    let whole = xs || WHOLE.contains(&letters.as_str());
    // Digits alone are no placeholder: a numeric code is judged by its entropy.
    let digits_alone = letters.is_empty() && text.bytes().any(|b| b.is_ascii_digit());
    if whole && !digits_alone {
        return Some("is a word that stands for a value".to_owned());
    }
    PLACEHOLDERS
        .iter()
        .any(|word| letters.contains(word))
        .then(|| "holds the words of a placeholder".to_owned())
}

/// The measure of this file's first paragraph. Bytes of a key come from an alphabet of 256.
#[expect(clippy::cast_precision_loss, reason = "a length is far below 2^52")]
pub(super) fn entropy(bytes: &[u8], key: bool) -> f64 {
    if bytes.is_empty() {
        return 0.0;
    }
    let mut counts = [0u32; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let length = bytes.len() as f64;
    let mut own = 0.0;
    let mut kinds = 0.0;
    for count in counts.into_iter().filter(|count| *count > 0) {
        let share = f64::from(count) / length;
        own -= share * share.log2();
        kinds += 1.0;
    }
    own += (kinds - 1.0) / (2.0 * length * std::f64::consts::LN_2);
    length * own.min(alphabet(bytes, key).log2())
}

/// How many characters the alphabet has that these come from.
fn alphabet(bytes: &[u8], key: bool) -> f64 {
    if key {
        return 256.0;
    }
    let any = |is: fn(&u8) -> bool| bytes.iter().any(is);
    let hex = |letters: fn(&u8) -> bool| {
        bytes
            .iter()
            .all(|b| b.is_ascii_digit() || (letters(b) && b.is_ascii_hexdigit()))
    };
    let digits = any(u8::is_ascii_digit);
    if digits
        && (hex(u8::is_ascii_lowercase) || hex(u8::is_ascii_uppercase))
        && any(u8::is_ascii_alphabetic)
    {
        return 16.0;
    }
    let mut size = 0.0;
    for (there, more) in [
        (digits, 10.0),
        (any(u8::is_ascii_lowercase), 26.0),
        (any(u8::is_ascii_uppercase), 26.0),
        (any(|b| b.is_ascii() && !b.is_ascii_alphanumeric()), 33.0),
        (any(|b| !b.is_ascii()), 64.0),
    ] {
        if there {
            size += more;
        }
    }
    size
}

/// The length of the piece that the whole is made of, when it is there twice or more: `abcabcab` gives 3. By the border
/// that Knuth, Morris and Pratt's table ends in.
fn period(bytes: &[u8]) -> Option<usize> {
    let mut border = vec![0usize; bytes.len()];
    let mut length = 0;
    for at in 1..bytes.len() {
        while length > 0 && bytes.get(at) != bytes.get(length) {
            length = border.get(length - 1).copied().unwrap_or(0);
        }
        if bytes.get(at) == bytes.get(length) {
            length += 1;
        }
        if let Some(slot) = border.get_mut(at) {
            *slot = length;
        }
    }
    let period = bytes.len() - border.last()?;
    (bytes.len() >= 2 && period * 2 <= bytes.len()).then_some(period)
}

fn distinct(bytes: &[u8]) -> usize {
    let mut seen = [false; 256];
    for byte in bytes {
        if let Some(seen) = seen.get_mut(usize::from(*byte)) {
            *seen = true;
        }
    }
    seen.iter().filter(|seen| **seen).count()
}

/// Whether eight neighbours, or half of a short value, go up by one, down by one, or stay the same.
fn counts(bytes: &[u8]) -> bool {
    let enough = (bytes.len() / 2).clamp(4, 8);
    let mut run = 1;
    let mut last = None;
    for pair in bytes.windows(2) {
        let [a, b] = pair else { continue };
        let step = i16::from(*b) - i16::from(*a);
        run = match step {
            -1..=1 if last == Some(step) => run + 1,
            -1..=1 => 2,
            _ => 1,
        };
        last = Some(step);
        if run >= enough {
            return true;
        }
    }
    false
}

/// Whether eight neighbouring characters, or half of a short value, are neighbouring keys, in either direction. Six of them
/// are met by chance in a token now and then.
fn walks(text: &[u8]) -> bool {
    let enough = (text.len() / 2).clamp(4, 8);
    PLACES.iter().any(|places| {
        let place = |byte: u8| {
            places
                .get(usize::from(byte.to_ascii_lowercase()))
                .copied()
                .unwrap_or(0)
        };
        let (mut run, mut last) = (1, 0);
        text.windows(2).any(|pair| {
            let [a, b] = pair else { return false };
            let step = match (place(*a), place(*b)) {
                (0, _) | (_, 0) => 0,
                (a, b) if b == a + 1 => 1,
                (a, b) if a == b + 1 => -1,
                _ => 0,
            };
            run = match step {
                0 => 1,
                step if step == last => run + 1,
                _ => 2,
            };
            last = step;
            run >= enough
        })
    })
}

/// Where each character stands in each row, from 1; 0: not in it.
const PLACES: [[i8; 128]; ROWS.len()] = {
    let mut places = [[0; 128]; ROWS.len()];
    let mut row = 0;
    while row < ROWS.len() {
        let keys = ROWS[row].as_bytes();
        let (mut key, mut place) = (0, 1);
        while key < keys.len() {
            places[row][keys[key] as usize] = place;
            key += 1;
            place += 1;
        }
        row += 1;
    }
    places
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{self, Encoding, Policy};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    fn rules(text: &str, bits: f64) -> Vec<&'static str> {
        weaknesses(text.as_bytes(), None, bits)
            .into_iter()
            .map(|(rule, _)| rule)
            .collect()
    }

    #[test]
    fn each_rule_has_a_value_that_it_alone_catches() {
        for (rule, value) in [
            ("placeholder", "<put the token of the API here>"),
            ("placeholder", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
            ("placeholder", "change-me-9c1f04b7d2a86e35f0b1c7d8e9a2"),
            ("placeholder", "TODO"),
            (
                "published",
                "django-insecure-8&x2!kq0v#w3m$1zr7t^y5u*i9o(p)a-s_d+f=g",
            ),
            (
                "published",
                "super-secret-jwt-token-with-at-least-32-characters-long",
            ),
            ("low-entropy", "correct-horse-battery"),
            (
                "repeated",
                "J7xq9LmZ2vKpR4tWcY8sD1fGhB6nE3aUJ7xq9LmZ2vKpR4tWcY8sD1fGhB6nE3aU",
            ),
            (
                "small-alphabet",
                "gcadbegfbfgaecfdgbfcgeadbgdfacgefbgdfaceb",
            ),
            ("sequence", "J7xq9LmZ2vKpR4tWcY8s-abcdefgh-D1fGhB6nE3"),
            ("sequence", "J7xq9LmZ2vKpR4tWcY8s-98765432-D1fGhB6nE3"),
            ("keyboard", "J7xq9LmZ2vKpR4tWcY8s-QwErTyUi-D1fGhB6nE3"),
            ("keyboard", "J7xq9LmZ2vKpR4tWcY8s-lkjhgfds-D1fGhB6nE3"),
        ] {
            assert_eq!(rules(value, KEY_BITS), [rule], "{value}");
        }
        for value in ["hunter3-Blue$Sky", "T7#kqL0w!zPe"] {
            assert_eq!(rules(value, PASSWORD_BITS), [""; 0], "{value}");
        }
        for (rule, value) in [
            ("published", "postgres"),
            ("keyboard", "Qwertz47Ab!x"),
            ("sequence", "ab1234567!Xy"),
        ] {
            assert_eq!(rules(value, PASSWORD_BITS), [rule], "{value}");
        }
    }

    #[test]
    fn a_key_is_measured_by_its_bytes() {
        let found = |bytes: &[u8]| -> Vec<&str> {
            let text = STANDARD.encode(bytes);
            weaknesses(text.as_bytes(), Some(bytes), KEY_BITS)
                .into_iter()
                .map(|(rule, _)| rule)
                .collect()
        };
        assert_eq!(
            found(&[7; 32]),
            ["low-entropy", "repeated", "small-alphabet", "sequence"]
        );
        let counting: Vec<u8> = (40..72).collect();
        assert_eq!(found(&counting), ["sequence"]);
        assert_eq!(found(&[0; 32]), ["published"]);
    }

    #[test]
    fn the_measure_is_the_one_that_is_documented() {
        let bits = |text: &str| entropy(text.as_bytes(), false);
        assert!(bits("").abs() < 1e-9);
        assert!(bits("aaaaaaaa").abs() < 1e-9);
        // Sixteen characters once each: log2(16), corrected by 15 / (2 · 16 · ln 2), more than hex digits can have.
        assert!((bits("0123456789abcdef") - 64.0).abs() < 1e-9);
        let own = 4.0 + 15.0 / (32.0 * std::f64::consts::LN_2);
        assert!((bits("g123456789abcdeF") - 16.0 * own).abs() < 1e-9);
    }

    #[test]
    fn no_generated_value_is_weak() {
        let policy = |length| Policy {
            length,
            upper: true,
            lower: true,
            digit: true,
            symbol: true,
        };
        for _ in 0..5_000 {
            for (encoding, bytes) in [
                (Encoding::Hex, 16),
                (Encoding::Base64Url, 24),
                (Encoding::Base64Url, 48),
                (Encoding::Base64, 32),
            ] {
                let value = generate::random(bytes, encoding).unwrap();
                assert_eq!(weaknesses(value.expose(), None, KEY_BITS), []);
                if encoding == Encoding::Base64 {
                    let key = STANDARD.decode(value.expose()).unwrap();
                    assert_eq!(weaknesses(value.expose(), Some(&key), KEY_BITS), []);
                }
            }
            for length in [16, 24, 40] {
                let value = generate::password(policy(length)).unwrap();
                assert_eq!(
                    weaknesses(value.expose(), None, PASSWORD_BITS),
                    [],
                    "length {length}"
                );
            }
        }
    }
}
