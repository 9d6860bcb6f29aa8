//! Variables added to an inventory that is there.
//!
//! # Why
//!
//! An inventory is its owner's text, with comments and an order of its own. So lines are added at the end of its
//! `variables:` and none is changed; whether the result says what it is to say is asked of the inventory's own parser.

use super::{line, variable, word};
use crate::inventory::Inventory;
use crate::problem::{Place, Problem};
use crate::secret::{Name, Secret};
use crate::yaml::{self, Kind, Node};
use std::path::Path;

/// The text of an inventory with drafted variables added, and what it declares then. Their values are looked at and
/// forgotten.
///
/// # Errors
/// When its `variables:` are not written one below the other.
pub fn declared(
    path: &Path,
    text: &str,
    new: &[(&Name, &Secret)],
    bundle: Option<&str>,
) -> Result<(String, Inventory), Problem> {
    let by_hand = || {
        let names: Vec<&str> = new.iter().map(|(name, _)| name.as_str()).collect();
        Problem::new(
            "undeclared",
            format!(
                "cannot be added to: {} must be declared by hand",
                names.join(", ")
            ),
        )
        .at(Place::file(path))
        .help("write `variables:` as a mapping with one variable below the other")
    };
    let root = yaml::tree(path, text)?;
    let known = Inventory::parse(path, text).map_err(|problems| first(problems, by_hand))?;
    let mut services = known.services.keys();
    let (users, why) = match (services.next(), services.next()) {
        (Some(only), None) => (word(only), "guessed"),
        _ => ("".into(), "who reads it?"),
    };
    let mut lines = String::new();
    for (name, value) in new {
        variable(&mut lines, name.as_str(), Some(value), &users, why);
        if let Some(bundle) = bundle {
            line(&mut lines, &format!("bundle: {}", word(bundle)), "");
        }
        if std::str::from_utf8(value.expose()).map_or(true, |text| text.contains('\0')) {
            line(&mut lines, "base64: true", "its value is no text");
        }
    }
    let (at, indent) = end_of_variables(&root, text).ok_or_else(by_hand)?;
    let mut whole = String::with_capacity(text.len() + 2 * lines.len());
    let break_ = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut old = text.split_inclusive('\n');
    whole.extend(old.by_ref().take(at));
    if !whole.is_empty() && !whole.ends_with('\n') {
        whole.push_str(break_);
    }
    if indent.is_none() {
        for part in [break_, "variables:", break_] {
            whole.push_str(part);
        }
    }
    let indent = indent.unwrap_or(2);
    for line in lines.lines() {
        for part in [
            &" ".repeat(indent),
            line.strip_prefix("  ").unwrap_or(line),
            break_,
        ] {
            whole.push_str(part);
        }
    }
    whole.extend(old);
    let inventory = Inventory::parse(path, &whole).map_err(|problems| first(problems, by_hand))?;
    let all = known.variables.len() + new.len();
    if inventory.variables.len() == all {
        Ok((whole, inventory))
    } else {
        Err(by_hand())
    }
}

fn first(problems: Vec<Problem>, otherwise: impl FnOnce() -> Problem) -> Problem {
    problems.into_iter().next().unwrap_or_else(otherwise)
}

/// After how many lines the variables end, and how deep they are indented; without a depth where there are none yet.
fn end_of_variables(root: &Node<'_>, text: &str) -> Option<(usize, Option<usize>)> {
    let Kind::Map(sections) = &root.kind else {
        return None;
    };
    let Some(at) = sections.iter().position(|(key, _)| key.text == "variables") else {
        return Some((text.lines().count(), None));
    };
    let (key, value) = sections.get(at)?;
    let indent = match &value.kind {
        Kind::Map(variables) => {
            let first = &variables.first()?.0.at;
            (first.line > key.at.line && first.column > 1).then(|| first.column - 1)?
        }
        Kind::Scalar { text, plain: true } if text.is_empty() => 2,
        _ => return None,
    };
    let next = sections
        .get(at + 1)
        .map_or(usize::MAX, |(next, _)| next.at.line);
    // What stands before the next section, comment or blank, is that one's.
    let inside = text.lines().zip(1..).filter(|(line, number)| {
        (key.at.line + 1..next).contains(number) && line.starts_with(' ') && !line.trim().is_empty()
    });
    let last = inside.last().map_or(key.at.line, |(_, number)| number);
    Some((last, Some(indent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(text: &str) -> Result<String, Problem> {
        let (name, value) = (Name::new("NEW").unwrap(), Secret::new(b"x".to_vec()));
        let path = Path::new("dotage.yaml");
        declared(path, text, &[(&name, &value)], None).map(|(text, _)| text)
    }

    const HEAD: &str = "profiles: { p: { vault: v.age } }\n";
    const NEW: &str = "NEW:\n    purpose: what is NEW for?\n    used_by: []                                           # who reads it?\n";

    #[test]
    fn lines_are_added_at_the_end_of_the_variables() {
        for (before, after) in [
            ("variables:\n  A: {}\n", ""),
            (
                "variables:\n  A:\n    purpose: |\n      two\n\n      lines\n",
                "\n# templates\ntargets:\n",
            ),
            ("variables:\n", "services:\n"),
            ("variables:\n  # none yet\n", "services:\n"),
        ] {
            let new = added(&format!("{HEAD}{before}{after}")).unwrap();
            assert_eq!(new, format!("{HEAD}{before}  {NEW}{after}"));
        }
        assert_eq!(added(HEAD).unwrap(), format!("{HEAD}\nvariables:\n  {NEW}"));
        let new = added(&format!("{HEAD}variables:\n    A: {{}}")).unwrap();
        let deep = NEW.replace("\n ", "\n   ");
        assert_eq!(new, format!("{HEAD}variables:\n    A: {{}}\n    {deep}"));
        let new = added("profiles: { p: { vault: v.age } }\r\nvariables:\r\n  A: {}\r\n").unwrap();
        assert_eq!(new.matches('\n').count(), new.matches("\r\n").count());
    }

    #[test]
    fn an_inventory_of_another_shape_is_left_to_its_owner() {
        for text in ["variables: { A: {} }\n", "variables: {}\n"] {
            assert_eq!(
                added(&format!("{HEAD}{text}")).unwrap_err().rule,
                "undeclared"
            );
        }
    }
}
