//! What the containers of a Compose project are given, held to compose-go's recorded answers for 900 generated projects
//! and to the real Docker Compose for as many new ones as a minute allows, of several files each.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dotage::environment::{Composed, File, Found, Gift, Start, World, load};
use dotage::secret::Secret;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A container's environment: a value, or null.
type Environment = BTreeMap<String, Option<Vec<u8>>>;

/// A project: its files by path, the process environment, how it is started.
#[derive(Clone, Debug, Default)]
struct Project {
    files: BTreeMap<String, Vec<u8>>,
    shell: BTreeMap<String, String>,
    compose: Vec<String>,
    env_files: Vec<String>,
}

impl Project {
    fn load(&self) -> Composed {
        let process = |name: &str| {
            self.shell
                .get(name)
                .map(|value| Secret::new(value.clone().into_bytes()))
        };
        let file = |path: &Path| {
            Ok(match self.files.get(path.to_str().unwrap()) {
                Some(text) => File::Text(Secret::new(text.clone())),
                None => File::Missing,
            })
        };
        let world = World {
            process: &process,
            file: &file,
            vault: &|_| Found::Unset,
        };
        let start = Start {
            folder: PathBuf::new(),
            files: self.compose.iter().map(PathBuf::from).collect(),
            env_files: self.env_files.iter().map(PathBuf::from).collect(),
            project: "project".to_owned(),
        };
        load(&start, &world)
    }

    /// What the product says of a service: its environment, or what Compose would fail on.
    fn ours(&self, service: &str) -> Result<Environment, String> {
        let composed = self.load();
        let mut said: Vec<String> = composed.problems.iter().map(ToString::to_string).collect();
        let required = composed.required.iter();
        said.extend(required.map(|(name, place)| format!("{place}: {name} is required")));
        if !said.is_empty() {
            return Err(said.join("\n"));
        }
        let Some(container) = composed.containers.get(service) else {
            return Ok(Environment::new());
        };
        Ok(container
            .given
            .iter()
            .map(|(name, given)| {
                let value = match &given[0].value {
                    Gift::Null => None,
                    Gift::Value(value) => Some(value.expose().to_vec()),
                    Gift::Awaited | Gift::Failed => {
                        panic!("nothing is awaited, and a failure is told")
                    }
                };
                (name.clone(), value)
            })
            .collect())
    }
}

/// How many of the recorded projects exercise what.
#[derive(Debug, Default, PartialEq)]
struct Covered {
    interpolated: usize,
    env_file: usize,
    raw_env_file: usize,
    missing_env_file: usize,
    inherited: usize,
    failed: usize,
}

fn recorded(case: &Map<String, Value>, covered: &mut Covered) -> Project {
    let service = &case["service"];
    for value in service["environment"].as_object().unwrap().values() {
        covered.interpolated += usize::from(value.as_str().is_some_and(|text| text.contains('$')));
        covered.inherited += usize::from(value.is_null());
    }
    let mut project = Project {
        compose: vec!["compose.yaml".to_owned()],
        ..Project::default()
    };
    let mut put = |name: &str, text: String| project.files.insert(name.to_owned(), text.into());
    put(
        "compose.yaml",
        format!("{{\"services\": {{\"s\": {service}}}}}"),
    );
    put(
        ".env",
        case["dotenv"].as_str().unwrap_or_default().to_owned(),
    );
    if let Some(text) = case["env_file"].as_str() {
        put("ef.env", text.to_owned());
    }
    for item in service["env_file"].as_array().into_iter().flatten() {
        let path = item.as_str().or(item["path"].as_str()).unwrap();
        match item["format"] == "raw" {
            _ if path != "ef.env" || case["env_file"].is_null() => covered.missing_env_file += 1,
            true => covered.raw_env_file += 1,
            false => covered.env_file += 1,
        }
    }
    for (name, value) in case["shell"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap().to_owned();
        project.shell.insert(name.clone(), value);
    }
    project
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
            let value = |value: &Value| value.as_str().map(|text| text.as_bytes().to_vec());
            environment
                .iter()
                .map(|(name, text)| (name.clone(), value(text)))
                .collect::<Environment>()
        });
        let found = recorded(&case, &mut covered).ours("s");
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
            interpolated: 1517,
            env_file: 386,
            raw_env_file: 66,
            missing_env_file: 113,
            inherited: 174,
            failed: 266,
        }
    );
}
