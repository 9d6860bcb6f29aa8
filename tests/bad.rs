//! What a malformed template is answered: each file of tests/bad/template has its message beside it, place, reason and help.
//!
//! `DOTAGE_BLESS=1` writes the messages as they are now: to be read by eye before they are committed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const INVENTORY: &str = "\
profiles:
  development: { vault: vault/development.age }
services:
  api: {}
  gateway: {}
variables:
  JWT_SECRET: { purpose: signs user auth JWTs, used_by: [api] }
  MULTILINE: { purpose: the server's key, used_by: [api] }
  DOLLAR: { purpose: what nobody quotes alike, used_by: [api] }
  GATEWAY_ONLY: { purpose: only the gateway's, used_by: [gateway] }
";

/// The values, each with a canary that must not be seen anywhere.
const VALUES: [(&str, &str); 4] = [
    ("JWT_SECRET", "canary_1_plain"),
    (
        "MULTILINE",
        "-----BEGIN CANARY-2-----\ncanary-2-middle\n-----END CANARY-2-----\n",
    ),
    ("DOLLAR", "canary-3-it's $HOME"),
    ("GATEWAY_ONLY", "canary-4-gateway"),
];

fn dotage(project: &Path, home: &Path, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dotage"))
        .args(args)
        .current_dir(project)
        .env_clear()
        .env("HOME", home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

/// A home with an identity, and a project whose vault holds the values.
fn project() -> (tempfile::TempDir, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    let project = tempfile::tempdir().unwrap();
    fs::write(project.path().join("dotage.yaml"), INVENTORY).unwrap();
    let done = |args: &[&str], input| {
        dotage(project.path(), home.path(), args, input)
            .status
            .success()
    };
    assert!(done(&["init"], ""));
    for (name, value) in VALUES {
        assert!(done(&["set", name, "--verbatim"], value), "{name}");
    }
    (home, project)
}

/// What of a value must not be seen: each of its lines, and the base64 of all of it.
fn traces(value: &str) -> Vec<String> {
    let mut traces: Vec<String> = value.lines().map(str::to_owned).collect();
    traces.push(STANDARD.encode(value).trim_end_matches('=').to_owned());
    traces.push("canary".to_owned());
    traces
}

fn names(folder: &Path) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    names
}

#[test]
fn every_malformed_template_is_told_its_place_its_reason_and_what_to_do() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad/template");
    let (home, project) = project();
    let (home, project) = (home.path(), project.path());
    let templates = project.join("templates");
    fs::create_dir(&templates).unwrap();
    fs::write(project.join("outside.env.j2"), "OUTSIDE=1\n").unwrap();
    std::os::unix::fs::symlink("../outside.env.j2", templates.join("link.env.j2")).unwrap();

    let bless = std::env::var_os("DOTAGE_BLESS").is_some();
    let mut wrong = String::new();
    let mut count = 0;
    for path in names(&folder) {
        let file = path.file_name().unwrap().to_str().unwrap();
        if !file.ends_with(".j2") {
            continue;
        }
        count += 1;
        fs::copy(&path, templates.join(file)).unwrap();
        let template = format!("templates/{file}");
        let args = [
            "render",
            "--template",
            &template,
            "--to",
            "out.env",
            "--service",
            "api",
        ];
        let before = (names(project), names(&templates));
        let output = dotage(project, home, &args, "");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.stdout, b"", "{file}");
        if output.status.code() != Some(2) {
            wrong.push_str(&format!(
                "{file}: exit code {:?}\n{said}\n",
                output.status.code()
            ));
            let _ = fs::remove_file(project.join("out.env"));
            continue;
        }
        assert_eq!(
            (names(project), names(&templates)),
            before,
            "{file} left something behind"
        );
        for trace in VALUES.iter().flat_map(|(_, value)| traces(value)) {
            assert!(!said.contains(&trace), "{file}: {said}");
        }
        if !said.contains("\nhelp: ") {
            wrong.push_str(&format!("{file}: no help\n{said}\n"));
        }
        let answer = folder
            .join(file.split('.').next().unwrap())
            .with_extension("txt");
        if bless {
            fs::write(&answer, &said).unwrap();
        } else if fs::read_to_string(&answer).unwrap_or_default() != said {
            wrong.push_str(&format!("{}:\n{said}\n", answer.display()));
        }
    }
    assert!(count >= 30, "only {count} templates");
    assert!(wrong.is_empty(), "{wrong}");
}

/// Without this, the test above would not notice a project in which nothing at all can be rendered.
#[test]
fn a_well_formed_template_of_the_same_project_is_rendered() {
    let (home, project) = project();
    let (home, project) = (home.path(), project.path());
    fs::write(
        project.join("good.compose.env.j2"),
        "A={{ JWT_SECRET }}\nB={{ MULTILINE }}\nC={{ DOLLAR }}\n",
    )
    .unwrap();
    let args = [
        "render",
        "--template",
        "good.compose.env.j2",
        "--to",
        "out.env",
        "--service",
        "api",
    ];
    let output = dotage(project, home, &args, "");
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "out.env: written (0600, 3 values)\n"
    );
    let text = fs::read_to_string(project.join("out.env")).unwrap();
    assert!(
        VALUES[..2]
            .iter()
            .flat_map(|(_, value)| value.lines())
            .all(|line| text.contains(line)),
        "{text}"
    );
}
