//! What stands in the place of an encrypted value once it is in a vault of ours: a lookup.
//!
//! # Why
//!
//! The rest of the file stays as it is to the byte, so lines are exchanged and no YAML is written. Whether that was right
//! is asked of the parser: the new text has to hold what the old one held, and a lookup for each value that went.

use super::{HEADER, is_vault};
use crate::secret::Name;
use crate::yaml::{Content, Value, documents};
use std::collections::BTreeMap;

/// What Ansible evaluates to a variable's value.
#[must_use]
pub fn looked_up(name: &Name, profile: Option<&str>) -> String {
    let profile = profile.map_or_else(String::new, |profile| format!(", profile='{profile}'"));
    format!("{{{{ lookup('dotage.secrets.secret', '{name}'{profile}) }}}}")
}

/// The text with lookups, by line, in the place of the values under `!vault`; none if it can't be done and nothing else
/// be changed.
#[must_use]
pub fn with_lookups(text: &str, lookups: &BTreeMap<usize, String>) -> Option<String> {
    let mut lines = text.split_inclusive('\n').zip(1..).peekable();
    let mut new = String::with_capacity(text.len());
    while let Some((line, number)) = lines.next() {
        let Some(lookup) = lookups.get(&number) else {
            new.push_str(line);
            continue;
        };
        let (before, after) = line.split_once("!vault")?;
        let after = after.strip_prefix("-encrypted").unwrap_or(after).trim();
        let mut last = line;
        if after.starts_with('|') {
            let below = |line: &str| {
                let digits = line.trim().bytes().all(|byte| byte.is_ascii_hexdigit());
                let content = digits && !line.trim().is_empty() || line.trim().starts_with(HEADER);
                content && line.starts_with([' ', '\t'])
            };
            while let Some((line, _)) = lines.next_if(|(line, _)| below(line)) {
                last = line;
            }
        }
        let end = last.trim_end_matches(['\r', '\n']).len();
        for part in [before, "\"", lookup, "\"", &last[end..]] {
            new.push_str(part);
        }
    }
    let (old, now) = (documents(text).ok()?, documents(&new).ok()?);
    let same = old.len() == now.len()
        && old
            .iter()
            .zip(&now)
            .all(|(old, now)| same(old, now, lookups));
    same.then_some(new)
}

/// Whether a value is what it was, or the lookup that was to come in its place.
fn same(old: &Value<'_>, new: &Value<'_>, lookups: &BTreeMap<usize, String>) -> bool {
    let lookup = lookups.get(&old.at.line).filter(|_| is_vault(old));
    match (&old.content, &new.content) {
        (Content::Scalar { .. }, Content::Scalar { text, plain: false }) if lookup.is_some() => {
            lookup.is_some_and(|lookup| text == lookup) && new.tag.is_none()
        }
        (
            Content::Scalar { text, plain },
            Content::Scalar {
                text: now,
                plain: still,
            },
        ) => text == now && plain == still && old.tag == new.tag,
        (Content::List(old), Content::List(new)) => {
            old.len() == new.len()
                && old
                    .iter()
                    .zip(new)
                    .all(|(old, new)| same(old, new, lookups))
        }
        (Content::Map(old), Content::Map(new)) => {
            let one = |((key, old), (now, new)): (&(_, _), &(_, _))| {
                key == now && same(old, new, lookups)
            };
            old.len() == new.len() && old.iter().zip(new).all(one)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str, lines: &[usize]) -> Option<String> {
        with_lookups(
            text,
            &lines.iter().map(|line| (*line, "L".to_owned())).collect(),
        )
    }

    #[test]
    fn nothing_else_changes() {
        let head = "$ANSIBLE_VAULT;1.1;AES256";
        let text = format!(
            "# head\r\na: !vault |\n  {head}\n  3136\n\n# b\nb: 1   # one\nc:\n  d: !vault |  # old\n      {head}\n      31\n"
        );
        let new = replaced(&text, &[2, 9]).unwrap();
        assert_eq!(
            new,
            "# head\r\na: \"L\"\n\n# b\nb: 1   # one\nc:\n  d: \"L\"\n"
        );
        let new = replaced(&text, &[9]).unwrap();
        assert_eq!(
            new,
            text.split("  d").next().unwrap().to_owned() + "  d: \"L\"\n"
        );
        let new = replaced("a: !vault |\r\n  $ANSIBLE_VAULT;1.1;AES256\r\n  31", &[1]);
        assert_eq!(new.unwrap(), "a: \"L\"");
    }

    #[test]
    fn what_would_change_more_is_refused() {
        for text in [
            "a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  31zz\n",
            "{ a: !vault \"$ANSIBLE_VAULT\", b: 1 }",
            "a: b\n",
        ] {
            assert!(replaced(text, &[1]).is_none(), "{text}");
        }
    }
}
