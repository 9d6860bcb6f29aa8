//! The linters of workflows and actions say nothing about ours, nor about what the README says to paste.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn workflows() -> Vec<PathBuf> {
    let folders = ["ci/github/workflows", ".github/workflows"];
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(format!("{ROOT}/{folder}")).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 7, "{files:?}");
    files
}

fn lint(program: &str, args: &[&str], files: &[PathBuf]) {
    let program = format!("{ROOT}/target/consumers/venv/bin/{program}");
    let output = Command::new(&program)
        .current_dir(ROOT)
        .args(args)
        .args(files)
        .output()
        .unwrap_or_else(|_| panic!("{program}: run tests/install"));
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&said)
    );
}

#[test]
fn actionlint_says_nothing() {
    lint("actionlint", &["-no-color"], &workflows());
}

#[test]
fn zizmor_says_nothing() {
    let mut files = workflows();
    files.push(PathBuf::from("ci/github/action.yml"));
    let args = [
        "--offline",
        "--no-progress",
        "--no-config",
        "--min-severity",
        "medium",
    ];
    lint("zizmor", &args, &files);
}

#[test]
fn the_schemas_of_github_hold() {
    let schema = "--builtin-schema";
    lint(
        "check-jsonschema",
        &[schema, "vendor.github-workflows"],
        &workflows(),
    );
    lint(
        "check-jsonschema",
        &[schema, "vendor.github-actions"],
        &[PathBuf::from("ci/github/action.yml")],
    );
}

#[test]
fn the_schemas_of_other_platforms_hold_for_what_the_readme_shows() {
    let readme = fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    let (_, rest) = readme.split_once("\n### Elsewhere: Jenkins").unwrap();
    let shown: Vec<&str> = rest
        .split("```yaml\n# ")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    let of = |name: &str| {
        let block = shown.iter().find(|block| block.starts_with(name)).unwrap();
        format!("# {block}")
    };
    let folder = tempfile::tempdir().unwrap();
    for (platform, text) in [
        ("woodpecker-ci", of("Woodpecker")),
        (
            "drone-ci",
            format!(
                "kind: pipeline\ntype: docker\nname: default\n{}",
                of("Woodpecker")
            ),
        ),
        ("buildkite", of("Buildkite")),
    ] {
        let file = folder.path().join(format!("{platform}.yml"));
        fs::write(&file, text).unwrap();
        lint(
            "check-jsonschema",
            &["--builtin-schema", &format!("vendor.{platform}")],
            &[file],
        );
    }
}

#[test]
fn each_workflow_keeps_the_rules_of_the_house() {
    let mut action = Vec::new();
    for file in workflows() {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.display();
        assert!(text.lines().any(|line| line == "permissions: {}"), "{name}");
        assert_eq!(
            text.matches("uses: actions/checkout@").count(),
            text.matches("persist-credentials: false").count(),
            "{name}"
        );
        for line in text.lines() {
            if let Some((_, used)) = line.split_once("uses: ")
                && !used.starts_with("./")
            {
                let commit = used.split_once('@').unwrap().1;
                let (commit, comment) = commit.split_at(40);
                assert!(
                    commit.bytes().all(|byte| byte.is_ascii_hexdigit()),
                    "{name}: {line}"
                );
                assert!(comment.starts_with(" # "), "{name}: {line}");
                if used.starts_with("OWNER/dotage/") {
                    action.push(commit.to_owned());
                }
            }
        }
        // Nothing that others can choose becomes part of a script.
        let document: serde_json::Value = {
            let python = "import json, sys, yaml; json.dump(yaml.load(open(sys.argv[1]), yaml.BaseLoader), sys.stdout)";
            let output = Command::new(format!("{ROOT}/target/consumers/venv/bin/python"))
                .args(["-c", python])
                .arg(&file)
                .output()
                .unwrap();
            serde_json::from_slice(&output.stdout).unwrap()
        };
        for job in document["jobs"].as_object().unwrap().values() {
            for step in job["steps"].as_array().unwrap() {
                let script = step["run"].as_str().unwrap_or_default();
                assert!(!script.contains("${{"), "{name}: {script}");
                assert!(
                    !script.contains("curl") && !script.contains("wget"),
                    "{name}: {script}"
                );
            }
        }
    }
    action.dedup();
    assert_eq!(
        action.len(),
        1,
        "the action is taken from several commits: {action:?}"
    );
    let readme = fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    for (at, _) in readme.match_indices("OWNER/dotage/ci/github@") {
        assert!(readme[at..].contains(&format!("@{}", action[0])));
    }
    // A self-hosted runner's folder may have a space in its name. YAML takes the outer quotes away, the shell the inner.
    let action = fs::read_to_string(format!("{ROOT}/ci/github/action.yml")).unwrap();
    let scripts: Vec<&str> = action
        .lines()
        .filter_map(|line| line.split_once(" run: "))
        .map(|(_, script)| script)
        .collect();
    assert_eq!(
        scripts,
        [
            "'\"$GITHUB_ACTION_PATH/install\"'",
            "'\"$GITHUB_ACTION_PATH/export\"'"
        ]
    );
    // The version that the action installs is this one.
    let text = fs::read_to_string(format!("{ROOT}/ci/github/action.yml")).unwrap();
    assert!(text.contains(&format!("default: {}\n", env!("CARGO_PKG_VERSION"))));
    assert!(!text.contains("curl |") && !text.contains("| sh"));
}
