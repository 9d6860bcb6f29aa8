//! The JSON Schema of dotage.yaml, asked by the validator that editors and CI use (check-jsonschema).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use dotage::{inventory, preset};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The validator, where `tests/install` puts it.
fn validator() -> PathBuf {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/consumers/venv/bin/check-jsonschema");
    assert!(
        path.exists(),
        "{} is missing: run tests/install",
        path.display()
    );
    path
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    #[expect(clippy::disallowed_methods, reason = "a test's own file")]
    std::fs::write(&path, text).unwrap();
    path
}

/// The names of the files that the validator refuses, and all it says.
fn refused(files: &[(&str, &str)]) -> (BTreeSet<String>, String) {
    let folder = tempfile::tempdir().unwrap();
    let schema = write(folder.path(), "schema.json", inventory::SCHEMA);
    let files = files
        .iter()
        .map(|(name, text)| write(folder.path(), name, text));
    let output = Command::new(validator())
        .args(["--output-format", "json", "--schemafile"])
        .arg(schema)
        .args(files)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    let unparsed = report["parse_errors"].as_array().map_or(0, Vec::len);
    assert_eq!(unparsed, 0, "{said}");
    let none = Vec::new();
    let errors = report["errors"].as_array().unwrap_or(&none);
    assert_eq!(output.status.success(), errors.is_empty(), "{said}");
    let names = errors.iter().map(|error| {
        let path = Path::new(error["filename"].as_str().unwrap());
        path.file_name().unwrap().to_str().unwrap().to_owned()
    });
    (names.collect(), said)
}

fn dotage_yaml(files: &[(&'static str, &'static str)]) -> &'static str {
    files
        .iter()
        .find(|(path, _)| *path == "dotage.yaml")
        .unwrap()
        .1
}

#[test]
fn the_schema_is_a_schema() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "schema.json", inventory::SCHEMA);
    let output = Command::new(validator())
        .arg("--check-metaschema")
        .arg(path)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn what_a_project_begins_with_and_every_key_in_every_form_is_valid() {
    let whole = include_str!("whole.yaml");
    inventory::Inventory::parse(Path::new("whole.yaml"), whole).unwrap();
    let mut files = vec![
        ("whole.yaml", whole),
        ("starter.yaml", dotage_yaml(preset::files(None))),
    ];
    files.extend(
        preset::names()
            .into_iter()
            .map(|name| (name, dotage_yaml(preset::files(Some(name))))),
    );
    let files: Vec<(String, &str)> = files
        .into_iter()
        .map(|(name, text)| (format!("{name}.yaml"), text))
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), *text))
        .collect();
    let (names, said) = refused(&files);
    assert!(names.is_empty(), "{said}");
}

#[test]
fn what_the_schema_refuses_the_parser_refuses() {
    let profile = "profiles: { p: { vault: v.age } }\n";
    let wrong = [
        "{}",
        "profiles: {}",
        "profiles: { p: {} }",
        "profiles: { p: { vault: /v.age } }",
        "profiles: { p: { vault: ../v.age } }",
        "profiles: { p: { vault: a/../../v.age } }",
        "profiles: { p: { vault: v.age, contract: loose } }",
        "profiles: { p: { vault: v.age, exceptions: [{ rule: weak }] } }",
        "+variables: { A-B: {} }",
        "+variables: { A: { colour: red } }",
        "+variables: { A: { sensitive: 'no' } }",
        "+variables: { A: { base64: 1 } }",
        "+variables: { A: { format: tokens } }",
        "+variables: { A: { format: { token: {}, key: {} } } }",
        "+variables: { A: { format: { token: { byte: 1 } } } }",
        "+variables: { A: { format: { key: { bytes: 0 } } } }",
        "+variables: { A: { format: { key: { bytes: 5000 } } } }",
        "+variables: { A: { format: { key: { encoding: base32 } } } }",
        "+variables: { A: { format: { url: { has: [user, query] } } } }",
        "+variables: { A: { rotation: { every: soon } } }",
        "+variables: { A: { rotation: { every: 90 } } }",
        "+variables: { A: { bootstrap: {} } }",
        "+variables: { A: { used_by: { api: true } } }",
        "+targets: { t: { to: .env } }",
        "+targets: { t: { template: a.env.j2 } }",
        "+targets: { t: { template: a.env.j2, folder: true, to: x } }",
        "+targets: { t: { template: a.env.j2, to: .env, dialect: dos } }",
        "+targets: { t: { template: a.env.j2, to: .env, mode: rw } }",
        "+services: { a: { compose: {} } }",
    ]
    .map(|text| match text.strip_prefix('+') {
        Some(rest) => format!("{profile}{rest}\n"),
        None => format!("{text}\n"),
    });
    for text in &wrong {
        let parsed = inventory::Inventory::parse(Path::new("dotage.yaml"), text);
        assert!(parsed.is_err(), "the parser takes {text}");
    }
    let names: Vec<String> = (0..wrong.len())
        .map(|index| format!("{index}.yaml"))
        .collect();
    let files: Vec<(&str, &str)> = names
        .iter()
        .map(String::as_str)
        .zip(wrong.iter().map(String::as_str))
        .collect();
    let (refused, said) = refused(&files);
    for (name, text) in files {
        assert!(refused.contains(name), "the schema takes {text}\n{said}");
    }
}
