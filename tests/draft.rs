//! `dotage init` in a folder that has been there for years: real projects' files, and the inventory drafted from them.
//!
//! `tests/draft/NAME.yaml` is what `tests/draft/NAME/` comes to. Every value in there says `canary`, in plain text, hex or
//! base64: no draft and no message holds one. `DOTAGE_BLESS=1` writes the drafts anew, to be read by eye.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn here(inside: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/draft")
        .join(inside)
}

struct Folder {
    root: tempfile::TempDir,
}

impl Folder {
    fn empty() -> Folder {
        let folder = Folder {
            root: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(folder.path("")).unwrap();
        folder
    }

    /// A copy of a project under tests/draft.
    fn of(name: &str) -> Folder {
        let folder = Folder::empty();
        copy(&here(name), &folder.path(""));
        folder
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.root.path().join("project").join(inside)
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_dotage"))
            .args(args)
            .current_dir(self.path(""))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.root.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn well(&self, args: &[&str]) -> (String, String) {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    }

    fn inventory(&self) -> String {
        fs::read_to_string(self.path("dotage.yaml")).unwrap()
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&to).unwrap();
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

const PROJECTS: [&str; 4] = ["node", "django", "stack", "messy"];

/// No piece of a value of the projects.
fn assert_no_value(text: &str) {
    let lower = text.to_lowercase();
    for piece in [
        "canary",
        "63616e6172",
        "y2fuyxj5",
        "sk_test",
        "smtp.",
        "hooks.slack",
        "localhost",
    ] {
        assert!(!lower.contains(piece), "{piece} in {text}");
    }
}

#[test]
fn each_project_comes_to_the_inventory_beside_it() {
    for name in PROJECTS {
        let folder = Folder::of(name);
        let (product, said) = folder.well(&["init"]);
        assert_eq!(product, "");
        let drafted = folder.inventory();
        assert_no_value(&drafted);
        assert_no_value(&said);
        let pinned = here(&format!("{name}.yaml"));
        if std::env::var_os("DOTAGE_BLESS").is_some() {
            fs::write(&pinned, &drafted).unwrap();
        }
        assert_eq!(drafted, fs::read_to_string(pinned).unwrap(), "{name}");
        // What it leaves to a person is asked, and each guess is marked.
        let (asked, lines) = (
            drafted.matches("    purpose: what is ").count(),
            drafted.lines(),
        );
        let declared = lines.filter(|line| {
            line.starts_with("  ") && line.ends_with(':') && !line.starts_with("   ")
        });
        assert_eq!(asked, declared.count(), "{name}");
        let guesses = drafted
            .lines()
            .skip_while(|line| *line != "variables:")
            .filter(|line| {
                ["    format:", "    sensitive:", "    required:"]
                    .iter()
                    .any(|key| line.starts_with(key))
            });
        for guess in guesses {
            assert!(guess.contains("  # guessed"), "{guess}");
        }
    }
}

#[test]
fn a_draft_is_an_inventory_that_check_and_list_work_with() {
    for name in PROJECTS {
        let folder = Folder::of(name);
        folder.well(&["init"]);
        let (listed, _) = folder.well(&["list", "--json"]);
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        assert!(listed.as_array().unwrap().len() >= 9, "{name}");
        let checked = folder.run(&["check", "--no-vault", "--json"]);
        let told: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
        let rules: BTreeSet<&str> = told
            .as_array()
            .unwrap()
            .iter()
            .map(|problem| problem["rule"].as_str().unwrap())
            .collect();
        // What is true of these folders: a .env that others can read, a name that nothing reads, a token in a compose file.
        let known = BTreeSet::from(["env-loose", "unused", "compose-literal"]);
        assert!(rules.is_subset(&known), "{name}: {rules:?}");
    }
}

#[test]
fn nothing_that_is_there_is_written_over() {
    let folder = Folder::of("stack");
    let before = fs::read(folder.path(".env")).unwrap();
    folder.well(&["init"]);
    assert_eq!(fs::read(folder.path(".env")).unwrap(), before);
    fs::write(
        folder.path("dotage.yaml"),
        format!("# ours\n{}", folder.inventory()),
    )
    .unwrap();
    let (_, said) = folder.well(&["init"]);
    assert!(
        said.contains("left dotage.yaml as it is") && !said.contains("read "),
        "{said}"
    );
    assert!(folder.inventory().starts_with("# ours\n"));
}

#[test]
fn with_nothing_to_read_it_begins_as_it_always_did() {
    let starter = include_str!("../templates/starter/dotage.yaml");
    let folder = Folder::empty();
    folder.well(&["init"]);
    assert_eq!(folder.inventory(), starter);
    // A compose file that gives no container anything is nothing to draft from.
    let folder = Folder::empty();
    fs::write(
        folder.path("compose.yaml"),
        "services: { a: { image: x } }\n",
    )
    .unwrap();
    folder.well(&["init"]);
    assert_eq!(folder.inventory(), starter);
}

#[test]
fn a_dry_run_says_what_it_would_read_and_make() {
    let folder = Folder::of("node");
    let (_, said) = folder.well(&["init", "-n"]);
    assert_eq!(
        said,
        "read .env.example: 14 variables\nread compose.yaml: 3 services\nwould make dotage.yaml\n"
    );
    assert!(!folder.path("dotage.yaml").exists());
}

#[test]
fn a_preset_reads_nothing() {
    let folder = Folder::of("node");
    let (_, said) = folder.well(&["init", "--preset", "freeboard"]);
    assert!(!said.contains("read "), "{said}");
}

#[test]
fn a_compose_file_that_compose_refuses_is_told_and_the_rest_is_drafted() {
    let folder = Folder::of("node");
    fs::write(
        folder.path("compose.yaml"),
        "services:\n  a: { environment: { X: '${1}' } }\n",
    )
    .unwrap();
    let (_, said) = folder.well(&["init"]);
    assert!(
        said.contains("compose.yaml:2:[..]".split('[').next().unwrap()),
        "{said}"
    );
    assert!(
        said.contains("warning: an interpolation that Compose calls invalid"),
        "{said}"
    );
    assert!(folder.inventory().contains("\n  JWT_SECRET:\n"));
}

#[test]
fn a_folder_of_that_name_is_told_and_the_rest_is_read() {
    let folder = Folder::of("django");
    fs::create_dir(folder.path(".env")).unwrap();
    let (_, said) = folder.well(&["init"]);
    assert!(
        said.starts_with("read .env.sample: 16 variables\n.env: warning: "),
        "{said}"
    );
    assert!(!said.contains("--from-env"), "{said}");
}

#[test]
fn the_values_of_the_env_file_go_into_the_vault_by_the_command_that_init_names() {
    let folder = Folder::of("stack");
    let (_, said) = folder.well(&["init"]);
    let next = said.lines().last().unwrap();
    let command = "dotage set --from-env .env --dialect compose";
    assert!(next.contains(command), "{next}");
    let args: Vec<&str> = command.split(' ').skip(1).collect();
    let (_, said) = folder.well(&args);
    assert_no_value(&said);
    for line in fs::read_to_string(folder.path(".env")).unwrap().lines() {
        let (name, value) = line.split_once('=').unwrap();
        assert_eq!(folder.well(&["get", name]).0, value, "{name}");
    }
    // One change, so one entry.
    let journal = fs::read_to_string(folder.path("operations.jsonl")).unwrap();
    let sets: Vec<&str> = journal
        .lines()
        .filter(|line| line.contains("\"action\":\"set\""))
        .collect();
    assert_eq!(sets.len(), 1, "{journal}");
    let (_, again) = folder.well(&args);
    assert!(again.contains("there already"), "{again}");
    // What is missing is generated, and the file that it came from is rendered from the vault.
    folder.well(&["generate", "--missing", "--profile", "development"]);
    let rendered = folder.run(&["render", "compose", "--diff"]);
    let lacking = String::from_utf8(rendered.stderr).unwrap();
    assert!(
        lacking.contains("GITHUB_APP_PRIVATE_KEY has no value"),
        "{lacking}"
    );
}
