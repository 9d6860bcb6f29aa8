//! Our model of Docker Compose held to what compose-go answered: 900 generated projects, with their `.env`, `env_file`,
//! shell and service, and the environment that came out or the fact that none did.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use dotage::dialect::{Dialect, Entries, Unreadable, interpolate, read_with};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

type Environment = BTreeMap<String, Option<Vec<u8>>>;

/// How many projects exercised what.
#[derive(Debug, Default, PartialEq)]
struct Covered {
    interpolated: usize,
    env_file: usize,
    raw_env_file: usize,
    missing_env_file: usize,
    inherited: usize,
    failed: usize,
}

fn strings(object: &Value) -> BTreeMap<String, Vec<u8>> {
    let object = object.as_object().cloned().unwrap_or_default();
    object
        .into_iter()
        .map(|(name, value)| (name, value.as_str().unwrap().as_bytes().to_vec()))
        .collect()
}

fn last_wins(entries: Result<Entries<'_>, Unreadable>) -> Result<Vec<(String, Vec<u8>)>, String> {
    let entries = entries.map_err(|error| format!("{}: {}", error.line, error.why))?;
    Ok(entries
        .into_iter()
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect())
}

/// What Compose makes of a project, by its order of precedence: the shell over `.env`; `environment:` over the
/// `env_file`s, the later over the earlier.
fn environment(case: &Map<String, Value>, covered: &mut Covered) -> Result<Environment, String> {
    let shell = strings(&case["shell"]);
    let dotenv = case["dotenv"].as_str().unwrap_or_default();
    let mut project = shell.clone();
    for (name, value) in last_wins(read_with(dotenv.as_bytes(), &|name| {
        shell.get(name).cloned()
    }))? {
        if !shell.contains_key(&name) {
            project.insert(name, value);
        }
    }

    let service = &case["service"];
    let mut own = Environment::new();
    for (name, value) in service["environment"].as_object().unwrap() {
        let value = if let Some(template) = value.as_str() {
            covered.interpolated += usize::from(template.contains('$'));
            let lookup = |name: &str| project.get(name).cloned();
            Some(interpolate(template.as_bytes(), &lookup).map_err(str::to_owned)?)
        } else {
            covered.inherited += 1;
            project.get(name).cloned()
        };
        own.insert(name.clone(), value);
    }

    let mut merged = Environment::new();
    for item in service["env_file"].as_array().into_iter().flatten() {
        let path = item.as_str().or(item["path"].as_str()).unwrap();
        let text = case["env_file"].as_str().filter(|_| path == "ef.env");
        let Some(text) = text else {
            covered.missing_env_file += 1;
            if item["required"] == Value::Bool(false) {
                continue;
            }
            return Err("a required file is missing".to_owned());
        };
        let entries = if item["format"] == "raw" {
            covered.raw_env_file += 1;
            last_wins(Dialect::Docker.read(text.as_bytes()))?
        } else {
            covered.env_file += 1;
            let lookup = |name: &str| {
                let own = own.get(name).cloned().flatten();
                let earlier = merged.get(name).cloned().flatten();
                project.get(name).cloned().or(own).or(earlier)
            };
            last_wins(read_with(text.as_bytes(), &lookup))?
        };
        for (name, value) in entries {
            merged.insert(name, Some(value));
        }
    }
    merged.extend(own);
    Ok(merged)
}

#[test]
fn every_recorded_project_comes_out_as_compose_made_it() {
    let vectors = include_str!("vectors/compose-v2.jsonl");
    let mut covered = Covered::default();
    let mut wrong = Vec::new();
    let mut count = 0;
    for (number, line) in vectors.lines().enumerate() {
        let case: Map<String, Value> = serde_json::from_str(line).unwrap();
        count += 1;
        let expected = case.get("environment").map(|environment| {
            let environment = environment.as_object().unwrap();
            environment
                .iter()
                .map(|(name, value)| {
                    (
                        name.clone(),
                        value.as_str().map(|text| text.as_bytes().to_vec()),
                    )
                })
                .collect::<Environment>()
        });
        let found = environment(&case, &mut covered);
        covered.failed += usize::from(found.is_err());
        if found.as_ref().ok() != expected.as_ref() {
            wrong.push(format!("{}: {line}\n  ours: {found:?}", number + 1));
        }
    }
    assert_eq!(count, 900);
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(
        covered,
        Covered {
            interpolated: 1292,
            env_file: 308,
            raw_env_file: 54,
            missing_env_file: 89,
            inherited: 145,
            failed: 266,
        }
    );
}
