//! A secret, the name it goes by, and the set of them that a verb works on.
//!
//! # Why
//!
//! `Secret` prints in no way at all: no `Debug`, `Display`, `Serialize`, `Deref`, and no `PartialEq` whose time
//! depends on the bytes. `expose` is the one way out, so `git grep 'expose()'` lists every place a value is used.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

/// A secret value: any bytes, wiped from memory when dropped.
///
/// It can't be printed:
///
/// ```compile_fail
/// let secret = dotage::secret::Secret::new(b"hunter2".to_vec());
/// println!("{secret:?}");
/// ```
///
/// ```compile_fail
/// let secret = dotage::secret::Secret::new(b"hunter2".to_vec());
/// println!("{secret}");
/// ```
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; the caller keeps no copy.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Secret(Zeroizing::new(bytes))
    }

    /// The bytes. The one way out of a `Secret`.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether both hold the same bytes, in a time that depends on their lengths alone.
    #[must_use]
    pub fn same(&self, other: &Secret) -> bool {
        self.0.len() == other.0.len()
            && self
                .0
                .iter()
                .zip(other.0.iter())
                .fold(0, |all, (a, b)| all | (a ^ b))
                == 0
    }
}

/// The name of a variable: `[A-Za-z_][A-Za-z0-9_]*`, the only names that every consumer of a `.env` file takes
/// (POSIX.1-2024 §8.1 for the shells; systemd, kubectl and dotenvy refuse or drop others).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The name, if it is one.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let mut bytes = name.bytes();
        let first = bytes.next()?;
        ((first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_'))
        .then(|| Name(name.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The names of [`steers`], and beside them what begins like one of a family.
const STEERING: &[&str] = &[
    "BASH_ENV",
    "DOTNET_STARTUP_HOOKS",
    "GCONV_PATH",
    "GIT_ASKPASS",
    "GIT_DIR",
    "GIT_EDITOR",
    "GIT_EXEC_PATH",
    "GIT_EXTERNAL_DIFF",
    "GIT_PAGER",
    "GIT_PROXY_COMMAND",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GLIBC_TUNABLES",
    "IFS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "LESSOPEN",
    "LUA_INIT",
    "NODE_OPTIONS",
    "NODE_PATH",
    "OPENSSL_CONF",
    "PATH",
    "PERL5DB",
    "PERL5LIB",
    "PERL5OPT",
    "PROMPT_COMMAND",
    "PS4",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "RUBYLIB",
    "RUBYOPT",
    "SHELLOPTS",
    "SSH_ASKPASS",
    "ZDOTDIR",
    "_JAVA_OPTIONS",
];

/// Whether a name makes a program load code, run one, or look for its parts elsewhere, whatever program that is.
#[must_use]
pub fn steers(name: &str) -> bool {
    STEERING.contains(&name)
        || ["LD_", "DYLD_", "DOTENV_CONFIG_", "GIT_CONFIG"]
            .iter()
            .any(|start| name.starts_with(start))
}

/// The secrets that a verb works on, by name.
pub type Secrets = BTreeMap<Name, Secret>;

/// Overwrites what the calls that have just returned left on the stack: a cipher works on copies of its blocks there
/// and a parser on copies of its text, which no allocator wipes.
#[inline(never)]
#[expect(
    clippy::large_stack_arrays,
    reason = "the stack is what it is there to overwrite"
)]
pub fn wipe_stack() {
    let mut deep = [0u8; 64 * 1024];
    std::hint::black_box(&mut deep);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_every_consumer_takes() {
        for good in ["A", "_", "a1_", "JWT_SECRET"] {
            assert!(Name::new(good).is_some(), "{good}");
        }
        for bad in ["", "1A", "A-B", "A.B", "É", "A B", "A=", "A\n"] {
            assert!(Name::new(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn same_is_equality() {
        let secret = |bytes: &[u8]| Secret::new(bytes.to_vec());
        assert!(secret(b"ab").same(&secret(b"ab")));
        assert!(!secret(b"ab").same(&secret(b"ac")));
        assert!(!secret(b"ab").same(&secret(b"abc")));
    }
}
