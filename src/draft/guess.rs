//! What a variable is likely to be, by its name and by a value that it has somewhere. The guess tells the shape of the
//! value and nothing else of it.
//!
//! # Why
//!
//! A wrong guess must be on the safe side. So all is secret that isn't plainly none, and only what a project makes for
//! itself is guessed to be a token or a password: `generate` would else make up a key that only its provider can give.

/// Words of a name that say: a secret.
const SECRET: &[&str] = &[
    "AUTH",
    "CERT",
    "COOKIE",
    "CREDENTIAL",
    "CREDENTIALS",
    "CREDS",
    "DSN",
    "HMAC",
    "JWT",
    "KEY",
    "KEYS",
    "PASS",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "PEPPER",
    "PGPASSWORD",
    "PIN",
    "PRIVATE",
    "PW",
    "PWD",
    "SALT",
    "SECRET",
    "SECRETS",
    "SIGNATURE",
    "TOKEN",
    "TOKENS",
    "WEBHOOK",
];
/// Last words of a name that say: no secret.
const PLAIN: &[&str] = &[
    "ADDR",
    "ADDRESS",
    "BUCKET",
    "CONCURRENCY",
    "COUNT",
    "DATABASE",
    "DB",
    "DEBUG",
    "DIR",
    "DOMAIN",
    "EMAIL",
    "ENABLED",
    "ENV",
    "ENVIRONMENT",
    "EXPIRES",
    "FORMAT",
    "FROM",
    "HOST",
    "HOSTNAME",
    "HOSTS",
    "INTERVAL",
    "LANG",
    "LEVEL",
    "LIMIT",
    "LOCALE",
    "MODE",
    "NAME",
    "ORIGIN",
    "ORIGINS",
    "PATH",
    "PORT",
    "PREFIX",
    "PROTOCOL",
    "PROVIDER",
    "REGION",
    "REPLICAS",
    "SCHEMA",
    "SIZE",
    "TAG",
    "THREADS",
    "TIMEOUT",
    "TIMEZONE",
    "TTL",
    "TZ",
    "USER",
    "USERNAME",
    "VERSION",
    "WORKERS",
    "ZONE",
];
/// Beginnings of names that a build writes into what every visitor downloads.
const PUBLIC: &[&str] = &[
    "EXPO_PUBLIC_",
    "GATSBY_",
    "NEXT_PUBLIC_",
    "NUXT_PUBLIC_",
    "PUBLIC_",
    "REACT_APP_",
    "VITE_",
    "VUE_APP_",
];
/// Words of a secret's name that say: the project made it up itself.
const OWN: &[&str] = &[
    "COOKIE",
    "CRYPT",
    "CSRF",
    "ENCRYPTION",
    "HMAC",
    "INTERNAL",
    "JWT",
    "NEXTAUTH",
    "PEPPER",
    "SALT",
    "SESSION",
    "SIGNING",
];
/// Whole names that say the same.
const OWN_NAMES: &[&str] = &[
    "APP_KEY",
    "APP_SECRET",
    "AUTH_SECRET",
    "BETTER_AUTH_SECRET",
    "DJANGO_SECRET_KEY",
    "FLASK_SECRET_KEY",
    "SECRET",
    "SECRET_KEY",
    "SECRET_KEY_BASE",
];
/// Words of a password's name that say: an account that the project makes.
const ACCOUNTS: &[&str] = &[
    "ADMIN",
    "DATABASE",
    "DB",
    "MARIADB",
    "MONGO",
    "MONGODB",
    "MYSQL",
    "PG",
    "PGPASSWORD",
    "POSTGRES",
    "POSTGRESQL",
    "RABBITMQ",
    "REDIS",
    "ROOT",
];
const PASSWORDS: &[&str] = &["PASS", "PASSWD", "PASSWORD", "PGPASSWORD", "PW", "PWD"];

/// The words of a name.
fn words(name: &str) -> Vec<String> {
    name.split('_').map(str::to_ascii_uppercase).collect()
}

fn any(words: &[String], of: &[&str]) -> bool {
    words.iter().any(|word| of.contains(&word.as_str()))
}

/// Whether a name is one of secrets.
pub(super) fn sounds_secret(name: &str) -> bool {
    let words = words(name);
    // `PRIVATEKEY`, `APITOKEN`: the words of those who write none apart.
    let joined = |end: &str| words.iter().any(|word| word.ends_with(end));
    any(&words, SECRET)
        || ["KEY", "PASSWORD", "SECRET", "TOKEN"]
            .into_iter()
            .any(joined)
}

/// Whether a variable has to be treated as a secret: unless it is plain that it is none.
pub(super) fn sensitive(name: &str, value: Option<&[u8]>) -> bool {
    if sounds_secret(name) {
        return true;
    }
    let text = value
        .and_then(|value| std::str::from_utf8(value).ok())
        .unwrap_or_default();
    if let Some(url) = Url::of(text) {
        return !url.is_plain();
    }
    let upper = name.to_ascii_uppercase();
    let last = words(name).pop().unwrap_or_default();
    let plain = matches!(text, "true" | "false")
        || (integer(text) && text.len() <= 6)
        || PUBLIC.iter().any(|start| upper.starts_with(start))
        || PLAIN.contains(&last.as_str());
    !plain
}

/// The format, as an inventory writes it; none where nothing is known.
pub(super) fn format(name: &str, value: Option<&[u8]>) -> Option<String> {
    let words = words(name);
    let secret = sounds_secret(name);
    let text = value
        .and_then(|value| std::str::from_utf8(value).ok())
        .unwrap_or_default();
    if let Some(label) = text
        .strip_prefix("-----BEGIN ")
        .and_then(|rest| rest.split_once("-----"))
    {
        let known = |c: char| c.is_ascii_uppercase() || c == ' ';
        return Some(match label.0 {
            label if !label.is_empty() && label.chars().all(known) => {
                format!("{{ pem: {{ label: {label} }} }}")
            }
            _ => "pem".to_owned(),
        });
    }
    if let Some(url) = Url::of(text) {
        let has = if url.has_account {
            ", has: [user, password, host]"
        } else {
            ""
        };
        return Some(format!("{{ url: {{ scheme: {}{has} }} }}", url.scheme));
    }
    if text.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        return Some("json".to_owned());
    }
    if !secret {
        return match text {
            "true" | "false" => Some("boolean".to_owned()),
            _ if integer(text) && words.last().is_some_and(|word| word == "PORT") => {
                Some("{ integer: { min: 1, max: 65535 } }".to_owned())
            }
            _ if integer(text) => Some("integer".to_owned()),
            _ => None,
        };
    }
    if any(&words, PASSWORDS) {
        return any(&words, ACCOUNTS)
            .then(|| "{ password: { length: 32, symbol: false } }".to_owned());
    }
    if any(&words, OWN) || OWN_NAMES.contains(&name.to_ascii_uppercase().as_str()) {
        return Some(
            key(text)
                .unwrap_or("{ token: { bytes: 48, min_chars: 32 } }")
                .to_owned(),
        );
    }
    None
}

/// The format of a text that is 32 bytes in one of the encodings that keys have.
fn key(text: &str) -> Option<&'static str> {
    let of = |kind: fn(char) -> bool| text.chars().all(kind);
    match text.len() {
        44 if text.ends_with('=')
            && of(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')) =>
        {
            Some("{ key: { bytes: 32, encoding: base64 } }")
        }
        64 if of(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)) => {
            Some("{ key: { bytes: 32, encoding: hex } }")
        }
        _ => None,
    }
}

fn integer(text: &str) -> bool {
    text.parse::<i64>()
        .is_ok_and(|number| number.to_string() == text)
}

/// A URL, as far as it tells whether it holds a secret.
struct Url<'a> {
    scheme: &'a str,
    has_account: bool,
    host: &'a str,
    rest: &'a str,
}

impl<'a> Url<'a> {
    fn of(text: &'a str) -> Option<Url<'a>> {
        let (scheme, rest) = text.split_once("://")?;
        let known =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '+' | '-' | '.');
        if !scheme.starts_with(|c: char| c.is_ascii_lowercase()) || !scheme.chars().all(known) {
            return None;
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end)?;
        let (account, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        Some(Url {
            scheme,
            has_account: account.contains(':'),
            host,
            rest,
        })
    }

    /// Whether nothing in it can be a secret: no account, no query, and a path of short words.
    fn is_plain(&self) -> bool {
        let short = |piece: &str| {
            piece.len() <= 16
                && piece.chars().all(|c| {
                    c.is_ascii_lowercase() || matches!(c, '-' | '_' | '.') || c.is_ascii_digit()
                })
        };
        !self.host.is_empty()
            && !self.host.contains('$')
            && !self.has_account
            && !self.rest.contains(['?', '#', '@', '$'])
            && self.rest.split('/').all(short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_plainly_harmless_is_secret() {
        for (name, value) in [
            ("ANYTHING", ""),
            ("ANYTHING", "12345678"),
            ("API_KEY", "true"),
            ("LOGIN_PIN", "1234"),
            ("PRIVATEKEY", ""),
            ("VITE_API_SECRET", ""),
            ("HOOK", "https://hooks.example/services/T0AB/B0CD"),
            ("HOOK", "https://h.example/a?token=b"),
            ("BROKER", "amqp://user:word@broker"),
            ("BROKER", "amqp://${USER}"),
            ("PLACE", "https://h.example/abcdefghijklmnopqrst"),
        ] {
            assert!(sensitive(name, Some(value.as_bytes())), "{name}={value}");
        }
        for (name, value) in [
            ("PORT", "3000"),
            ("REDIS_PORT", ""),
            ("SECURE", "true"),
            ("WORKERS", "8"),
            ("VITE_TITLE", "x"),
            ("PGUSER_NAME", "x"),
            ("PLACE", "https://h.example/api/v1"),
        ] {
            assert!(!sensitive(name, Some(value.as_bytes())), "{name}={value}");
        }
    }

    #[test]
    fn only_what_a_project_makes_for_itself_is_generated() {
        let made = |name, value: &str| {
            format(name, Some(value.as_bytes())).is_some_and(|format| {
                ["token", "key", "password"]
                    .iter()
                    .any(|word| format.contains(word))
            })
        };
        for name in [
            "JWT_SECRET",
            "NEXTAUTH_SECRET",
            "SECRET_KEY_BASE",
            "SESSION_KEY",
            "POSTGRES_PASSWORD",
            "PGPASSWORD",
            "REDIS_PASS",
        ] {
            assert!(made(name, ""), "{name}");
        }
        for name in [
            "STRIPE_SECRET_KEY",
            "GITHUB_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "SMTP_PASSWORD",
            "OAUTH_CLIENT_SECRET",
            "API_KEY",
        ] {
            assert!(
                !made(
                    name,
                    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
                ),
                "{name}"
            );
        }
    }

    #[test]
    fn a_value_shows_its_shape() {
        for (name, value, shape) in [
            ("PORT", "80", Some("{ integer: { min: 1, max: 65535 } }")),
            ("LIMIT", "007", None),
            ("DEBUG", "yes", None),
            ("FLAGS", "{\"a\": [1]}", Some("json")),
            ("FLAGS", "{not json", None),
            ("A", "-----BEGIN X-----\nabc", Some("{ pem: { label: X } }")),
            ("A", "-----BEGIN {lower}-----\nabc", Some("pem")),
            ("A", "://nothing", None),
            ("A", "Upper://x", None),
            (
                "DB",
                "mysql://u:p@h/d",
                Some("{ url: { scheme: mysql, has: [user, password, host] } }"),
            ),
        ] {
            assert_eq!(
                format(name, Some(value.as_bytes())).as_deref(),
                shape,
                "{name}={value}"
            );
        }
    }
}
