//! What reads a report reads ours: SARIF's own validator with GitHub's rules, Jenkins' schema and GitLab's reader of
//! `JUnit`'s XML, a port of the parser of GitHub's runner, GitLab's Code Quality.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use dotage::problem::{Place, Problem, Severity};
use dotage::report::{Form, text};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const RULES: &[(&str, &str)] = &[
    ("weak-value", "a secret is long and random enough"),
    ("unused", "a value belongs to a declared variable"),
    ("file", "a rule <with> a \"type\" that ActiveSupport knows"),
];

/// What a path, a sentence or a help may hold that a form could stumble over.
const ODD: &[&str] = &[
    "plain",
    "a, b: c; d=e",
    "::error file=x::y",
    "##[add-mask]x",
    "100% %0A %25 %3A %2C %",
    "two\nlines\r\n",
    "tab\there",
    "<failure> & ]]> \"quoted\" 'quoted' <!-- &#0;",
    "\u{0}\u{1b}[31m\u{7f}\u{85}\u{9b}\u{202e}\u{200f}",
    "\u{fffe}\u{ffff}\u{10ffff}\u{feff}",
    "ünïcödé 日本 😀",
    " blanks ",
    "back\\slash \\u{7}",
    "[[ATTACHMENT|x]] ${{ x }} ${x} `x`",
    "-",
];

/// Every odd text in every part, at every kind of place and of every severity.
fn problems() -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, odd) in ODD.iter().enumerate() {
        for (part, severity) in [Severity::Error, Severity::Warning, Severity::Note]
            .into_iter()
            .enumerate()
        {
            let rule = [
                "weak-value",
                "unused",
                "a-rule-that-was-not-announced",
                "file",
            ][(index + part) % 4];
            let message = if part == 0 { *odd } else { "a sentence" };
            let mut problem = Problem::new(rule, message).severity(severity);
            if part != 2 || index % 2 == 0 {
                let path = if part == 1 { *odd } else { "dir/dotage.yaml" };
                let (line, column) = [(0, 0), (7, 0), (7, 3)][index % 3];
                problem = problem.at(Place::at(path, line, column)).excerpt(*odd);
            }
            if part == 2 || index % 2 == 0 {
                problem = problem.help(*odd);
            }
            problems.push(problem);
        }
    }
    // Several that are alike but for the line.
    for line in 1..4 {
        problems.push(Problem::new("unused", "twice").at(Place::at("./a", line, 1)));
    }
    problems
}

fn consumer(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/consumers")
        .join(path);
    assert!(
        path.exists(),
        "{} is missing: run tests/install",
        path.display()
    );
    path
}

fn beside(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/report")
        .join(file)
}

/// What a program prints that is given a text; it has to end well.
fn ask(command: &mut Command, input: &str) -> String {
    let (ended_well, said) = run(command, input);
    assert!(ended_well, "{command:?}\n{said}\n{input}");
    said
}

fn run(command: &mut Command, input: &str) -> (bool, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}: run tests/install"));
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = if output.status.success() {
        output.stdout
    } else {
        [output.stdout, output.stderr].concat()
    };
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// Whether a JSON text is what a schema says, and what the validator says otherwise.
fn fits(schema: &Path, text: &str) -> (bool, String) {
    let validator = consumer("venv/bin/check-jsonschema");
    run(
        Command::new(validator)
            .arg("--schemafile")
            .arg(schema)
            .arg("-"),
        text,
    )
}

/// The rules of SARIF and of GitHub Advanced Security that a log breaks, and what is said of each.
fn broken_rules(log: &str) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (
        folder.path().join("in.sarif"),
        folder.path().join("out.sarif"),
    );
    #[expect(clippy::disallowed_methods, reason = "a test's own file")]
    std::fs::write(&input, log).unwrap();
    let tool = consumer("node/node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool");
    let (_, said) = run(
        Command::new(tool)
            .arg("validate")
            .arg(input)
            .arg("--output")
            .arg(&output)
            .args(["--rule-kind", "Sarif;Ghas"])
            .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
            .env("DOTNET_BUNDLE_EXTRACT_BASE_DIR", folder.path()),
        "",
    );
    let told = std::fs::read(output).unwrap_or_else(|_| panic!("{said}"));
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(
        told["runs"][0]["invocations"][0]["executionSuccessful"], true,
        "{told:#}"
    );
    told["runs"][0]["results"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|result| {
            let id = result["ruleId"].as_str().unwrap().to_owned();
            (id, result["message"].to_string())
        })
        .collect()
}

#[test]
fn sarif_is_valid_and_breaks_no_rule_of_github() {
    let schema = consumer("node/node_modules/@microsoft/sarif-multitool-linux/sarif-2.1.0.json");
    for problems in [problems(), Vec::new()] {
        let log = text(Form::Sarif, &problems, RULES);
        let (fits, said) = fits(&schema, &log);
        assert!(fits, "{said}");
        let mut broken = broken_rules(&log);
        // That the tool has no home page is so.
        broken.remove("SARIF2005");
        assert!(broken.is_empty(), "{broken:#?}");
    }
}

/// Without this, the test above would not notice a validator that looks at nothing.
#[test]
fn sarif_that_is_wrong_is_found() {
    let schema = consumer("node/node_modules/@microsoft/sarif-multitool-linux/sarif-2.1.0.json");
    let log = text(Form::Sarif, &problems(), RULES);
    let no_level = log.replace("\"level\": \"error\"", "\"level\": \"grave\"");
    assert!(!fits(&schema, &no_level).0);
    let absolute = log.replace(
        "\"uri\": \"dir/dotage.yaml\"",
        "\"uri\": \"dir\\\\dotage.yaml\"",
    );
    assert!(broken_rules(&absolute).contains_key("SARIF1002"));
    let no_rule = log.replace("\"ruleIndex\": 0", "\"ruleIndex\": 70");
    assert!(broken_rules(&no_rule).contains_key("SARIF1009"));
    let other_schema = log.replace("sarif-2.1.0.json", "sarif-2.1.0-rtm.4.json");
    assert!(broken_rules(&other_schema).contains_key("GH1011"));
    let mut no_help: Value = serde_json::from_str(&log).unwrap();
    let rule = &mut no_help["runs"][0]["tool"]["driver"]["rules"][0];
    rule.as_object_mut().unwrap().remove("help");
    let broken = broken_rules(&no_help.to_string());
    assert!(broken.contains_key("GH2012"), "{broken:#?}");
}

#[test]
fn junit_is_what_jenkins_and_gitlab_read() {
    for problems in [problems(), Vec::new()] {
        let report = text(Form::Junit, &problems, RULES);
        let schemas = consumer("sources");
        let schema = std::fs::read_dir(schemas)
            .unwrap()
            .map(|entry| {
                entry
                    .unwrap()
                    .path()
                    .join("testing/example_scripts/junit-10.xsd")
            })
            .find(|path| path.exists())
            .unwrap();
        ask(
            Command::new("xmllint")
                .args(["--nonet", "--noout", "--schema"])
                .arg(schema)
                .arg("-"),
            &report,
        );

        let read = ask(
            Command::new(consumer("venv/bin/python")).arg(beside("junit.py")),
            &report,
        );
        let read: Value = serde_json::from_str(&read).unwrap();
        let errors = problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .count();
        let broken: BTreeSet<&str> = problems.iter().map(|problem| problem.rule).collect();
        let clear = RULES.iter().filter(|(rule, _)| !broken.contains(rule));
        let total = problems.len() + clear.count();
        assert_eq!(
            (&read["tests"], &read["failures"], &read["errors"]),
            (&total.into(), &errors.into(), &0.into())
        );
        let cases = read["cases"].as_array().unwrap();
        assert_eq!(cases.len(), total);
        for (case, problem) in cases.iter().zip(&problems) {
            // What XML has no place for is shown as our other texts show it.
            let said = problem
                .to_string()
                .replace('\u{fffe}', "\\u{fffe}")
                .replace('\u{ffff}', "\\u{ffff}");
            assert_eq!(case["classname"], problem.rule);
            if problem.severity == Severity::Error {
                assert_eq!(case["results"][0][0], "Failure");
                assert_eq!(case["results"][0][2], *said);
            } else {
                assert_eq!(case["results"].as_array().unwrap().len(), 0);
                assert_eq!(case["output"], *said);
            }
        }

        let read = ask(Command::new("ruby").arg(beside("junit.rb")), &report);
        let read: Vec<Value> = serde_json::from_str(&read).unwrap();
        assert_eq!(read.len(), total);
        let failed = read.iter().filter(|case| case["status"] == "failure");
        assert_eq!(failed.count(), errors);
        for (gitlab, case) in read.iter().zip(cases) {
            assert_eq!(gitlab["name"], case["name"]);
            if gitlab["status"] == "failure" {
                assert_eq!(gitlab["output"], case["results"][0][2]);
            }
        }
        let names: BTreeSet<(String, String)> = read
            .iter()
            .map(|case| (case["classname"].to_string(), case["name"].to_string()))
            .collect();
        assert_eq!(names.len(), total, "GitLab keeps one case of a name");
    }
}

/// A workflow command as the runner takes it apart: its name, its properties and its data.
fn command(line: &str) -> Option<(String, BTreeMap<String, String>, String)> {
    let back = |text: &str, tokens: &[(&str, &str)]| {
        tokens
            .iter()
            .fold(text.to_owned(), |text, (escaped, token)| {
                text.replace(escaped, token)
            })
    };
    let line = line.trim_start().strip_prefix("::")?;
    let (info, data) = line.split_once("::")?;
    let (name, properties) = info.split_once(' ').unwrap_or((info, ""));
    if !["error", "warning", "notice"].contains(&name) {
        return None;
    }
    let properties = properties
        .trim()
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| {
            let order = [
                ("%0D", "\r"),
                ("%0A", "\n"),
                ("%3A", ":"),
                ("%2C", ","),
                ("%25", "%"),
            ];
            (key.to_owned(), back(value, &order))
        })
        .collect();
    let data = back(data, &[("%0D", "\r"), ("%0A", "\n"), ("%25", "%")]);
    Some((name.to_owned(), properties, data))
}

#[test]
fn githubs_runner_takes_each_line_for_one_annotation() {
    let problems = problems();
    let report = text(Form::Github, &problems, RULES);
    let lines: Vec<&str> = report.split_terminator('\n').collect();
    assert_eq!(lines.len(), problems.len(), "one line each");
    for (line, problem) in lines.iter().zip(&problems) {
        let (name, properties, data) = command(line).unwrap_or_else(|| panic!("{line:?}"));
        let wanted = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        assert_eq!(name, wanted);
        let help = problem.help.iter().map(|help| format!("\nhelp: {help}"));
        let said = problem.message.clone() + &help.collect::<String>();
        assert_eq!(data, dotage::problem::Printable(&said).to_string());
        let mut expected = BTreeMap::from([("title", format!("dotage: {}", problem.rule))]);
        if let Some(place) = &problem.place {
            let path = place.path.strip_prefix(".").unwrap_or(&place.path);
            let path = path.display().to_string();
            expected.insert("file", dotage::problem::Printable(&path).to_string());
            if place.line > 0 {
                expected.insert("line", place.line.to_string());
            }
            if place.column > 0 {
                expected.insert("col", place.column.to_string());
            }
        }
        let read: BTreeMap<&str, String> = properties
            .iter()
            .map(|(key, value)| (key.as_str(), value.clone()))
            .collect();
        assert_eq!(read, expected, "{line:?}");
    }
}

#[test]
fn gitlab_takes_each_finding_of_a_code_quality_report() {
    let schema = beside("code-quality.json");
    for problems in [problems(), Vec::new()] {
        let report = text(Form::Gitlab, &problems, RULES);
        let (fits, said) = fits(&schema, &report);
        assert!(fits, "{said}");
        let read: Vec<Value> = serde_json::from_str(&report).unwrap();
        let names: BTreeSet<&str> = read
            .iter()
            .map(|finding| finding["fingerprint"].as_str().unwrap())
            .collect();
        assert_eq!(
            names.len(),
            problems.len(),
            "GitLab keeps one finding of a fingerprint"
        );
    }
    let report = text(Form::Gitlab, &problems(), RULES);
    assert!(!fits(&schema, &report.replace("\"major\"", "\"error\"")).0);
}
