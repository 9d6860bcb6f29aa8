//! The contract of development and of production: sentences C1 and C2.

use crate::stack::{PRODUCTION, Stack};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

impl Stack {
    /// The errors that a check of the profile tells: `rule NAME` of each, or `rule` where it is about no variable.
    fn errors(&self, profile: &str) -> BTreeSet<String> {
        let output = self.run(&["check", "--profile", profile, "--json"]);
        let told: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
        let errors: BTreeSet<String> = told
            .iter()
            .filter(|problem| problem["severity"] == "error")
            .map(|problem| {
                let message = problem["message"].as_str().unwrap();
                let word = message.split(' ').next().unwrap();
                let about = if word.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
                    word
                } else {
                    ""
                };
                format!("{} {about}", problem["rule"].as_str().unwrap())
                    .trim_end()
                    .to_owned()
            })
            .collect();
        assert_eq!(
            output.status.code(),
            Some(i32::from(!errors.is_empty())),
            "{told:?}"
        );
        errors
    }

    fn set(&self, name: &str, value: &str, profile: &str) {
        let file = self.folder.path().join("value");
        fs::write(&file, value).unwrap();
        let file = file.to_str().unwrap();
        self.well(&[
            "set",
            name,
            "--verbatim",
            "--from-file",
            file,
            "--profile",
            profile,
        ]);
    }
}

fn one(error: &str) -> BTreeSet<String> {
    BTreeSet::from([error.to_owned()])
}

#[test]
fn runbook_c1_in_development_a_local_env_and_published_defaults_are_fine() {
    let stack = Stack::new();
    stack.well(&["render", "development"]);
    // The account, the database and the open bootstrap are what the inventory publishes for development.
    let env = stack.file("packages/api/.env");
    for line in [
        "POSTGRES_USER=freeboard\n",
        "POSTGRES_DB=freeboard\n",
        "CREATE_ADMIN=true\n",
    ] {
        assert!(env.contains(line), "{line}");
    }
    // Weak values of one's own too.
    stack.set("POSTGRES_PASSWORD", "postgres", "development");
    stack.set("JWT_SECRET", "secret", "development");
    assert_eq!(stack.errors("development"), BTreeSet::new());
}

#[test]
fn runbook_c2_production_wants_explicit_strong_values_for_the_three_tokens() {
    let stack = Stack::new();
    assert_eq!(stack.errors("production"), BTreeSet::new());
    for name in ["JWT_SECRET", "JWT_GATEWAY_SECRET", "GATEWAY_SERVICE_TOKEN"] {
        let good = stack.value(name);
        for (rule, bad) in [
            ("format", "J7xq9LmZ2vKpR4tWcY8sD1fGhB6nE3a"),
            ("placeholder", "change-me-change-me-change-me-change-me"),
            (
                "published",
                "super-secret-jwt-token-with-at-least-32-characters-long",
            ),
            ("low-entropy", "ee-eo-ee-ea-ee-ei-ee-eu-ee-et-en"),
        ] {
            stack.set(name, bad, "production");
            assert_eq!(
                stack.errors("production"),
                one(&format!("{rule} {name}")),
                "{bad}"
            );
        }
        stack.well(&[&["unset", name][..], &PRODUCTION].concat());
        assert_eq!(stack.errors("production"), one(&format!("missing {name}")));
        // That of development is none either.
        let output = stack.run(&["get", name, "--profile", "development"]);
        stack.set(
            name,
            &String::from_utf8(output.stdout).unwrap(),
            "production",
        );
        assert_eq!(
            stack.errors("production"),
            one(&format!("same-in-profiles {name}"))
        );
        stack.set(name, &good, "production");
    }
    stack.set(
        "JWT_SECRET",
        &stack.value("JWT_GATEWAY_SECRET"),
        "production",
    );
    assert_eq!(stack.errors("production"), one("shared JWT_SECRET"));
}

#[test]
fn runbook_c2_production_wants_a_base64_key_of_32_bytes() {
    let stack = Stack::new();
    let name = "CREDENTIAL_ENCRYPTION_KEY";
    for (bad, mistake) in [
        ("J7xq9LmZ2vKpR4tWcY8sD1fGhB6nE3aU", "is 32 characters"),
        (
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "is 64 hex digits",
        ),
        ("not base64 at all, and long enough!!!!!!!!!=", "base64"),
    ] {
        stack.set(name, bad, "production");
        assert_eq!(stack.errors("production"), one(&format!("format {name}")));
        let output = stack.run(&[&["check"][..], &PRODUCTION].concat());
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains(mistake), "{told}");
    }
}

#[test]
fn runbook_c2_production_wants_no_default_credentials_of_postgres() {
    let stack = Stack::new();
    for bad in ["postgres", "freeboard"] {
        stack.set("POSTGRES_USER", bad, "production");
        assert_eq!(
            stack.errors("production"),
            one("published POSTGRES_USER"),
            "{bad}"
        );
    }
    stack.well(&[&["unset", "POSTGRES_USER"][..], &PRODUCTION].concat());
    stack.set("POSTGRES_PASSWORD", "postgres", "production");
    assert_eq!(stack.errors("production"), one("format POSTGRES_PASSWORD"));
    stack.set(
        "POSTGRES_PASSWORD",
        "Change_Me_Change_Me_1234",
        "production",
    );
    assert_eq!(
        stack.errors("production"),
        one("placeholder POSTGRES_PASSWORD")
    );
}

#[test]
fn runbook_c2_in_production_the_bootstrap_is_closed() {
    let stack = Stack::new();
    stack.set("CREATE_ADMIN", "true", "production");
    // It was opened by hand, so nobody knows when; and what it needs isn't there.
    let told = stack.errors("production");
    assert!(
        told.iter().any(|error| error.starts_with("bootstrap-open")),
        "{told:?}"
    );
    assert!(told.contains("missing ADMIN_PASSWORD"), "{told:?}");
    stack.set("CREATE_ADMIN", "false", "production");
    assert_eq!(stack.errors("production"), BTreeSet::new());
    stack.set("ADMIN_PASSWORD", "wQ7_rT2.kL9-zX4_vB6.nM1-", "production");
    assert_eq!(
        stack.errors("production"),
        one("bootstrap-left ADMIN_PASSWORD")
    );
}

#[test]
fn runbook_c2_values_come_from_a_vault_and_not_from_committed_files() {
    let stack = Stack::new();
    let project = stack.folder.path().join("project");
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C")
            .arg(&project)
            .args(["-c", "user.name=k", "-c", "user.email=k@example.org"]);
        assert!(
            git.args(args).output().unwrap().status.success(),
            "{args:?}"
        );
    };
    git(&["init", "-q"]);
    stack.well(&["render"]);
    assert_eq!(stack.errors("production"), BTreeSet::new());
    let mode =
        |mode| fs::set_permissions(project.join(".env"), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o640);
    assert_eq!(stack.errors("production"), one("env-loose"));
    mode(0o600);
    let ignored = stack.file(".gitignore");
    fs::write(
        project.join(".gitignore"),
        ignored
            .replace("\n/.env\n", "\n")
            .replace(".env\n.env.*\n", ""),
    )
    .unwrap();
    let told = stack.errors("production");
    assert!(told.contains("env-not-ignored"), "{told:?}");
    fs::write(project.join(".gitignore"), ignored).unwrap();
    git(&["add", "-f", ".env"]);
    assert_eq!(stack.errors("production"), one("env-tracked"));
    // The half that names and files allow needs no key.
    let output = Command::new(env!("CARGO_BIN_EXE_dotage"))
        .args(["check", "--no-vault", "--profile", "production"])
        .current_dir(&project)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", "/nowhere")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("git tracks this plaintext file")
    );
}
