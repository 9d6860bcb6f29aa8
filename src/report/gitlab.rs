//! GitLab's Code Quality report: a JSON array that a merge request shows beside its changes.
//!
//! # Why
//!
//! It compares two branches by fingerprint, shows the description alone, and cannot do without a file and a line.

use super::{NOWHERE, fingerprints, path, shown};
use crate::problem::{Problem, Severity};
use serde_json::{Value, json};

pub(super) fn text(problems: &[Problem]) -> String {
    let report: Value = problems
        .iter()
        .zip(fingerprints(problems))
        .map(|(problem, fingerprint)| {
            let mut description = shown(&problem.message);
            if let Some(help) = &problem.help {
                description.push_str("; help: ");
                description.push_str(&shown(help));
            }
            let path = path(problem).unwrap_or_else(|| NOWHERE.to_owned());
            let line = problem.place.as_ref().map_or(1, |place| place.line.max(1));
            json!({
                "description": description,
                "check_name": problem.rule,
                "fingerprint": fingerprint,
                "severity": match problem.severity {
                    Severity::Error => "major",
                    Severity::Warning => "minor",
                    Severity::Note => "info",
                },
                "location": {"path": path, "lines": {"begin": line}},
            })
        })
        .collect();
    format!("{report:#}\n")
}

#[cfg(test)]
mod tests {
    use super::super::tests::problems;
    use super::*;
    use crate::problem::Place;

    #[test]
    fn every_finding_has_a_place_and_a_name_of_its_own() {
        let mut problems = problems();
        problems.push(problems[0].clone().at(Place::at("./dotage.yaml", 70, 1)));
        let report: Value = serde_json::from_str(&text(&problems)).unwrap();
        assert_eq!(
            report[0]["location"],
            json!({"path": "dotage.yaml", "lines": {"begin": 9}})
        );
        assert_eq!(report[2]["location"]["path"], "dotage.yaml");
        assert_eq!(report[4]["location"]["path"], "dotage.yaml");
        assert_eq!(
            report[1]["description"],
            "OLD_KEY is declared nowhere; help: dotage unset OLD_KEY"
        );
        let mut names: Vec<&str> = (0..5)
            .map(|index| report[index]["fingerprint"].as_str().unwrap())
            .collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 5);
    }
}
