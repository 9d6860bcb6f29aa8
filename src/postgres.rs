//! What psql is told about a role: SQL that gives it a password without the password, or that retires it.
//!
//! # Why
//!
//! A server that asks for SCRAM-SHA-256 (RFC 5802, RFC 7677) stores no password, only a verifier: salt, stored key and
//! server key. We make that here, as psql's own `\password` does, so the password neither crosses the wire nor comes into
//! the server's log. Nobody can log in with a verifier, but guesses can be tried on it, so it is handled as a secret.
//!
//! Clients prepare a password by `SASLprep` (RFC 4013) before they hash it, some leave a step out, and where they differ from
//! us the role is locked out. All of them leave printable ASCII as it is, and all that we generate is that.
//!
//! What is written is for psql: `\set` makes its first error its exit code, and `\gexec` runs what a query gives.

use crate::generate;
use crate::secret::{Secret, wipe_stack};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// PostgreSQL's own figures: `SCRAM_SHA_256_DEFAULT_ITERATIONS`, `SCRAM_DEFAULT_SALT_LEN`.
const ROUNDS: u32 = 4096;
const SALT: usize = 16;
/// The longest name of a role, in bytes: `NAMEDATALEN` without its NUL. PostgreSQL cuts off what is longer.
const NAME: usize = 63;

/// The name of a role.
pub struct Role(String);

impl Role {
    /// The name, if a role can have it.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let fits = (1..=NAME).contains(&name.len()) && !name.contains('\0');
        fits.then(|| Role(name.to_owned()))
    }

    /// The name as an identifier of SQL.
    fn identifier(&self) -> String {
        format!("\"{}\"", self.0.replace('"', "\"\""))
    }
}

/// A text as a literal of SQL, whatever `standard_conforming_strings` is.
fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// Whether every client hashes the same bytes for this password.
#[must_use]
pub fn is_portable(password: &Secret) -> bool {
    let bytes = password.expose();
    !bytes.is_empty() && bytes.iter().all(|byte| (b' '..=b'~').contains(byte))
}

/// The verifier of a password, with a salt of its own.
///
/// # Errors
/// When the operating system's generator fails.
pub fn verifier(password: &Secret) -> Result<Secret, generate::Failed> {
    let salt = generate::random(SALT, generate::Encoding::Base64)?;
    let verifier = salted(password, salt.expose());
    wipe_stack();
    verifier
}

/// `SCRAM-SHA-256$ROUNDS:SALT$STORED-KEY:SERVER-KEY`, all but the figure in base64.
fn salted(password: &Secret, salt: &[u8]) -> Result<Secret, generate::Failed> {
    let bytes = STANDARD.decode(salt).map_err(|_| generate::Failed)?;
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::pbkdf2_hmac::<Sha256>(password.expose(), &bytes, ROUNDS, &mut *key);
    let keyed = |word: &[u8]| -> Result<Zeroizing<[u8; 32]>, generate::Failed> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*key).map_err(|_| generate::Failed)?;
        mac.update(word);
        Ok(Zeroizing::new(mac.finalize().into_bytes().into()))
    };
    let client = keyed(b"Client Key")?;
    let stored = Zeroizing::new(STANDARD.encode(Sha256::digest(client.as_slice())));
    let server = Zeroizing::new(STANDARD.encode(keyed(b"Server Key")?.as_slice()));
    let rounds = ROUNDS.to_string();
    let parts: [&[u8]; 8] = [
        b"SCRAM-SHA-256$",
        rounds.as_bytes(),
        b":",
        salt,
        b"$",
        stored.as_bytes(),
        b":",
        server.as_bytes(),
    ];
    Ok(Secret::new(parts.concat()))
}

/// What comes first: an error ends psql, and names are read as we write them.
const FIRST: &str = "\\set ON_ERROR_STOP on\n\\encoding UTF8\n";

/// Keeps the verifier out of the server's log until the transaction's end, if the role that runs it may say so.
const QUIET: &str = "\
DO $$ BEGIN
  PERFORM pg_catalog.set_config('log_statement', 'none', true),
    pg_catalog.set_config('log_min_duration_statement', '-1', true),
    pg_catalog.set_config('log_min_error_statement', 'panic', true);
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $$;
";

/// The SQL that gives a role its verifier, for psql. With `create`, the role is made if it's missing, and may log in. With
/// an owner, it is a member of that one, and its sessions act as that one.
#[must_use]
pub fn password(role: &Role, verifier: &Secret, create: bool, owner: Option<&Role>) -> Secret {
    let name = role.identifier();
    let (mut made, mut login) = (String::new(), "");
    if create {
        let statement = literal(&format!("CREATE ROLE {name}"));
        let known = literal(&role.0);
        made = format!(
            "SELECT {statement} WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {known}) \\gexec\n"
        );
        login = " LOGIN";
    }
    let owned = owner.map_or_else(String::new, |owner| {
        let (whose, setting) = (owner.identifier(), literal(&owner.0));
        format!("GRANT {whose} TO {name};\nALTER ROLE {name} SET role = {setting};\n")
    });
    let before = format!("{FIRST}BEGIN;\n{QUIET}{made}ALTER ROLE {name}{login} PASSWORD '");
    let after = format!("';\n{owned}COMMIT;\n");
    Secret::new([before.as_bytes(), verifier.expose(), after.as_bytes()].concat())
}

/// The SQL that retires a role, for psql: it can't log in, has no password, and its sessions are ended.
#[must_use]
pub fn retirement(role: &Role) -> String {
    let (name, known) = (role.identifier(), literal(&role.0));
    format!(
        "{FIRST}ALTER ROLE {name} NOLOGIN PASSWORD NULL;\n\
         SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity\n  \
         WHERE usename = {known} AND pid <> pg_catalog.pg_backend_pid() \\g /dev/null\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes().to_vec())
    }

    fn shown(secret: &Secret) -> String {
        String::from_utf8(secret.expose().to_vec()).unwrap()
    }

    #[test]
    fn the_verifier_is_the_one_of_rfc_7677() {
        // The RFC's exchange: its client's proof and its server's signature come of these keys.
        let made = salted(&secret("pencil"), b"W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        assert_eq!(
            shown(&made),
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }

    #[test]
    fn each_verifier_has_a_salt_of_its_own() {
        let [one, two] = [0; 2].map(|_| shown(&verifier(&secret("pencil")).unwrap()));
        assert_ne!(one, two);
        assert!(one.starts_with("SCRAM-SHA-256$4096:") && one.len() == two.len());
    }

    #[test]
    fn a_password_is_printable_ascii() {
        for good in ["a", " ", "pass~word!", "'\\\"$1"] {
            assert!(is_portable(&secret(good)), "{good}");
        }
        for bad in ["", "naïve", "a\tb", "a\n", "\u{7f}", "ﬁ"] {
            assert!(!is_portable(&secret(bad)), "{bad:?}");
        }
        assert!(!is_portable(&Secret::new(vec![0xff])));
    }

    #[test]
    fn a_name_is_what_postgresql_keeps_whole() {
        assert!(Role::new(&"ü".repeat(31)).is_some());
        for bad in ["", "a\0b", &"ü".repeat(32), &"a".repeat(64)] {
            assert!(Role::new(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn names_are_quoted() {
        let role = |name| Role::new(name).unwrap();
        assert_eq!(role("a\"b'c\\").identifier(), "\"a\"\"b'c\\\"");
        assert_eq!(literal("a\"b'c"), "'a\"b''c'");
        assert_eq!(literal("a'\\"), "E'a''\\\\'");
    }
}
