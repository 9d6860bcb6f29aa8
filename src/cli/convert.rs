//! `dotage convert`: the assignments of one consumer's file, written for another.
//!
//! # Why
//!
//! What is written is read back by the other consumer's rules before any of it goes out, as `render` does: names and
//! bytes are the same, or nothing is written.

use super::render::dialects;
use super::{Done, Failure, print, stdin};
use crate::dialect::{Dialect, Unwritable};
use crate::lint;
use crate::problem::{Place, Problem};
use crate::secret::Name;
use std::collections::BTreeMap;

/// The largest file that is read.
const MAX: usize = 64 << 20;

/// Read a .env file (or a JSON object) as one consumer does, and write it for another
///
/// From stdin to stdout. It needs no project, no vault and no key; names and values are the same afterwards, or it fails.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Who reads what is on stdin
    #[arg(long, value_name = "CONSUMER", value_parser = dialects(|_| true))]
    from: Dialect,
    /// Who is to read what is written; several, separated by commas: what all of them read alike
    #[arg(long, value_name = "CONSUMER", required = true, value_delimiter = ',', value_parser = dialects(|_| true))]
    to: Vec<Dialect>,
}

pub(super) fn run(args: &Args) -> Result<Done, Failure> {
    let text = stdin(MAX)?;
    print(converted(&text, args.from, Dialect::of(&args.to))?)?;
    Ok(Done::Well)
}

fn converted(text: &[u8], from: Dialect, to: Dialect) -> Result<Vec<u8>, Vec<Problem>> {
    let read = from.read(text).map_err(|error| {
        Problem::new(
            "unreadable-file",
            format!("{} finds {}", from.name(), error.why),
        )
        .at(Place::at("stdin", error.line, 0))
        .help("say who reads it: --from CONSUMER")
    })?;
    // A name that is assigned twice has its last value, in its first place.
    let mut entries: Vec<(Name, &[u8])> = Vec::with_capacity(read.len());
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, value) in &read {
        match Name::new(name) {
            None => problems.push(
                Problem::new(
                    "not-a-name",
                    format!(
                        "entry {} has no name that a variable can have",
                        entries.len() + 1
                    ),
                )
                .at(Place::file("stdin"))
                .help("a name is letters, digits and _, and does not begin with a digit"),
            ),
            Some(own) => match places
                .get(name.as_ref())
                .and_then(|at| entries.get_mut(*at))
            {
                Some((_, before)) => *before = value,
                None => {
                    places.insert(name, entries.len());
                    entries.push((own, value));
                }
            },
        }
    }
    let mut written = Vec::new();
    let last = entries.len();
    if to == Dialect::Json {
        written.extend_from_slice(b"{\n");
    }
    for (number, (name, value)) in entries.iter().enumerate() {
        if let Err(Unwritable { why, instead }) = to.assign(name.as_str(), value, &mut written) {
            // In a file that is not what it was said to be, a piece of a value may stand where a name does.
            let what = if lint::is_name(name.as_str(), value) {
                format!("the value of {name}")
            } else {
                format!("the value of entry {}", number + 1)
            };
            problems.push(
                Problem::new("unwritable", format!("{what} has {why}"))
                    .at(Place::file("stdin"))
                    .help(instead),
            );
        } else if to == Dialect::Json && number + 1 < last {
            written.pop();
            written.extend_from_slice(b",\n");
        }
    }
    match to {
        Dialect::Json => written.extend_from_slice(b"}\n"),
        Dialect::Yaml if entries.is_empty() => written.extend_from_slice(b"{}\n"),
        _ => {}
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let same = to.read(&written).is_ok_and(|read| {
        read.len() == entries.len()
            && read
                .iter()
                .zip(&entries)
                .all(|((name, value), (own, meant))| name == own.as_str() && **value == **meant)
    });
    if same {
        Ok(written)
    } else {
        Err(vec![
            Problem::new(
                "read-differently",
                format!("{} would read these values differently", to.name()),
            )
            .at(Place::file("stdin"))
            .help("name another consumer: --to CONSUMER"),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every consumer reads what it is given: the bytes that JSON held, hostile ones too.
    #[test]
    fn every_consumer_reads_back_what_json_held() {
        let json = br#"{"A": "plain", "B": "two words # and $more", "C": "", "A": "last"}"#;
        for to in Dialect::ALL {
            let Ok(written) = converted(json, Dialect::Json, to) else {
                assert!(
                    ["direnv", "portable", "dotenv-expand", "vite"].contains(&to.name()),
                    "{}",
                    to.name()
                );
                continue;
            };
            let back = converted(&written, to, Dialect::Json).map_err(|_| to.name());
            let back: serde_json::Value = serde_json::from_slice(&back.unwrap()).unwrap();
            assert_eq!(
                back,
                serde_json::json!({"A": "last", "B": "two words # and $more", "C": ""}),
                "{}",
                to.name()
            );
        }
    }

    #[test]
    fn no_problem_quotes_a_value() {
        for (text, from, to) in [
            // A line of base64, where a name stands.
            (
                "Q29uc3RhbnRcanaryTB=\"a\nb\"\n",
                Dialect::Compose,
                Dialect::Docker,
            ),
            (r#"{"A": "canary\nline"}"#, Dialect::Json, Dialect::Docker),
            (
                r#"{"A": {"canary": ["canary"]}}"#,
                Dialect::Json,
                Dialect::Compose,
            ),
            ("A='canary", Dialect::Compose, Dialect::Json),
            ("{canary", Dialect::Json, Dialect::Compose),
        ] {
            let problems = converted(text.as_bytes(), from, to).unwrap_err();
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(!problem.to_string().contains("canary"), "{problem}");
            }
        }
    }
}
