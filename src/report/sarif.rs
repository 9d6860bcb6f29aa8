//! SARIF 2.1.0 as GitHub's code scanning takes it.
//!
//! # Why
//!
//! Code scanning refuses a run of more than 25,000 results, so the most severe are told. It knows a finding again by
//! `primaryLocationLineHash` alone, wants a region in each place, and a file relative to the repository: dotage is to be
//! started at its root, or with `-C`.

use super::{NOWHERE, file, fingerprints, message, shown, word};
use crate::problem::Problem;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

/// The most results of a run that code scanning takes.
const MAX_RESULTS: usize = 25_000;

pub(super) fn text(problems: &[Problem], rules: &[(&str, &str)]) -> String {
    let mut all: Vec<(&str, &str)> = rules.to_vec();
    for problem in problems {
        if !all.iter().any(|(name, _)| *name == problem.rule) {
            all.push((problem.rule, problem.rule));
        }
    }
    let mut told: Vec<(&Problem, String)> = problems.iter().zip(fingerprints(problems)).collect();
    if told.len() > MAX_RESULTS {
        told.sort_by_key(|(problem, _)| problem.severity);
        told.truncate(MAX_RESULTS);
    }
    let results: Value = told
        .iter()
        .map(|(problem, fingerprint)| {
            json!({
                "ruleId": problem.rule,
                "ruleIndex": all.iter().position(|(name, _)| *name == problem.rule),
                "level": word(problem.severity),
                "message": {"text": message(problem)},
                "locations": [location(problem)],
                "partialFingerprints": {"primaryLocationLineHash": fingerprint},
            })
        })
        .collect();
    let rules: Value = all
        .iter()
        .map(|(name, sentence)| {
            let text = json!({"text": shown(sentence)});
            json!({"id": name, "shortDescription": text, "fullDescription": text, "help": text})
        })
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "dotage", "version": version, "semanticVersion": version, "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn location(problem: &Problem) -> Value {
    let file = file(problem).unwrap_or(Path::new(NOWHERE));
    let mut artifact = json!({"uri": uri(file)});
    if file.is_relative() {
        artifact["uriBaseId"] = json!("%SRCROOT%");
    }
    let mut region = json!({"startLine": 1});
    if let Some(place) = problem.place.as_ref().filter(|place| place.line > 0) {
        region["startLine"] = json!(place.line);
        if place.column > 0 {
            region["startColumn"] = json!(place.column);
        }
    }
    json!({"physicalLocation": {"artifactLocation": artifact, "region": region}})
}

/// A path as a URI, each byte that isn't plain as %XX; relative where the path is.
fn uri(path: &Path) -> String {
    let mut uri = String::from(if path.is_absolute() { "file://" } else { "" });
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            byte => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::super::tests::{RULES, problems};
    use super::*;
    use crate::problem::Severity;

    fn run(problems: &[Problem]) -> Value {
        let log: Value = serde_json::from_str(&text(problems, &RULES)).unwrap();
        log["runs"][0].clone()
    }

    #[test]
    fn a_result_names_its_rule_by_its_index() {
        let run = run(&problems());
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        assert_eq!(rules.len(), 3, "the rule that was not announced is added");
        for (result, problem) in run["results"].as_array().unwrap().iter().zip(problems()) {
            let index = result["ruleIndex"].as_u64().unwrap();
            assert_eq!(rules[usize::try_from(index).unwrap()]["id"], problem.rule);
            assert_eq!(result["ruleId"], problem.rule);
        }
        assert_eq!(
            run["results"][0]["message"]["text"],
            "JWT_SECRET is shorter than 32 characters\nhelp: dotage generate JWT_SECRET --force"
        );
    }

    #[test]
    fn a_path_is_a_uri() {
        let path = |uri_of: &str| uri(Path::new(uri_of));
        assert_eq!(path("a b/ü:%.yaml"), "a%20b/%C3%BC%3A%25.yaml");
        assert_eq!(path("/srv/x"), "file:///srv/x");
        assert_eq!(path("../up"), "../up");
    }

    #[test]
    fn more_than_code_scanning_takes_ends_with_the_least_severe() {
        let note = Problem::new("unused", "x").severity(Severity::Note);
        let mut problems = vec![note; MAX_RESULTS];
        problems.push(Problem::new("weak-value", "y"));
        let results = run(&problems)["results"].as_array().unwrap().clone();
        assert_eq!(results.len(), MAX_RESULTS);
        assert_eq!(results[0]["ruleId"], "weak-value");
    }
}
