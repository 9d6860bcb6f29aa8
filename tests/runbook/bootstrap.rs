//! Setup and the first administrator: sentences B1 to B5 and C1.

use crate::stack::{PRODUCTION, Stack};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::path::Path;
use std::process::{Command, Stdio};

const TOKENS: [&str; 3] = ["JWT_SECRET", "JWT_GATEWAY_SECRET", "GATEWAY_SERVICE_TOKEN"];

#[test]
fn runbook_b1_tokens_are_48_random_bytes_as_base64url() {
    let stack = Stack::new();
    let mut seen = Vec::new();
    for name in TOKENS {
        let printed = stack.well(&["generate", name, "--print"]).stdout;
        let printed = String::from_utf8(printed).unwrap();
        for value in [stack.value(name).as_str(), printed.trim_end_matches('\n')] {
            assert_eq!(URL_SAFE_NO_PAD.decode(value).unwrap().len(), 48);
            seen.push(value.to_owned());
        }
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 2 * TOKENS.len(), "a value came twice");
}

#[test]
fn runbook_b1_the_key_is_32_random_bytes_as_base64() {
    let stack = Stack::new();
    let value = stack.value("CREDENTIAL_ENCRYPTION_KEY");
    assert_eq!(STANDARD.decode(&value).unwrap().len(), 32);
}

#[test]
fn runbook_b1_what_is_generated_keeps_the_contract() {
    let stack = Stack::new();
    for _ in 0..5 {
        for name in TOKENS {
            stack.production(&["generate", name, "--force"]);
        }
        stack.production(&["check"]);
    }
    stack.production(&["bootstrap", "open"]);
    stack.production(&["check"]);
}

#[test]
fn runbook_b1_a_value_is_never_overwritten_unless_forced_and_the_key_not_even_then() {
    let stack = Stack::new();
    let (token, key) = (
        stack.value("JWT_SECRET"),
        stack.value("CREDENTIAL_ENCRYPTION_KEY"),
    );
    let generate = |name, force: &[&str]| {
        stack.refused(&[&["generate", name], &PRODUCTION[..], force].concat())
    };
    let said = generate("JWT_SECRET", &[]);
    assert!(
        said.contains("dotage rotate JWT_SECRET --profile production") && said.contains("deploy"),
        "{said}"
    );
    for force in [&[][..], &["--force"]] {
        let said = generate("CREDENTIAL_ENCRYPTION_KEY", force);
        assert!(said.contains("stored data is encrypted with"), "{said}");
    }
    assert_eq!(
        (
            stack.value("JWT_SECRET"),
            stack.value("CREDENTIAL_ENCRYPTION_KEY")
        ),
        (token.clone(), key)
    );
    stack.production(&["generate", "JWT_SECRET", "--force"]);
    assert_ne!(stack.value("JWT_SECRET"), token);
}

#[test]
fn runbook_b1_print_touches_no_vault() {
    let stack = Stack::new();
    let before = (stack.file("operations.jsonl"), stack.value("JWT_SECRET"));
    stack.well(&["generate", "JWT_SECRET", "--print"]);
    assert_eq!(
        (stack.file("operations.jsonl"), stack.value("JWT_SECRET")),
        before
    );
}

#[test]
fn runbook_b2_runtime_values_come_from_a_local_env_or_from_the_vault_in_production() {
    let stack = Stack::new();
    stack.well(&["render", "development", "compose"]);
    for (file, profile) in [("packages/api/.env", "development"), (".env", "production")] {
        let env = stack.file(file);
        for name in TOKENS {
            let value = String::from_utf8(stack.well(&["get", name, "--profile", profile]).stdout);
            assert!(
                env.contains(&format!("\n{name}={}\n", value.unwrap())),
                "{name} in {file}"
            );
        }
        let mode = std::fs::metadata(stack.folder.path().join("project").join(file)).unwrap();
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777,
            0o600
        );
    }
    // Without the vault's key nothing is rendered.
    let refused = Command::new(env!("CARGO_BIN_EXE_dotage"))
        .args(["render", "compose"])
        .current_dir(stack.folder.path().join("project"))
        .env_clear()
        .env("HOME", "/nowhere")
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(3));
}

#[test]
fn runbook_b3_the_first_admin_has_the_switch_an_address_and_a_strong_password() {
    let stack = Stack::new();
    let opened = stack.production(&["bootstrap", "open"]);
    assert_eq!(stack.value("CREATE_ADMIN"), "true");
    assert!(stack.value("ADMIN_EMAIL").contains('@'));
    let password = stack.value("ADMIN_PASSWORD");
    assert!(password.len() >= 12);
    let classes: [fn(char) -> bool; 4] = [
        |c| c.is_ascii_uppercase(),
        |c| c.is_ascii_lowercase(),
        |c| c.is_ascii_digit(),
        |c| c.is_ascii_punctuation(),
    ];
    for class in classes {
        assert!(password.contains(class));
    }
    // No terminal is there, so it is shown nowhere.
    let said = String::from_utf8([opened.stdout, opened.stderr].concat()).unwrap();
    assert!(!said.contains(&password));
    assert!(
        said.contains("dotage get ADMIN_PASSWORD --profile production"),
        "{said}"
    );
    let told = stack.last();
    assert_eq!(told.action, "bootstrap open");
    let names: Vec<&str> = told
        .names
        .iter()
        .map(dotage::secret::Name::as_str)
        .collect();
    assert_eq!(names, ["ADMIN_PASSWORD", "CREATE_ADMIN"]);
    // Again: the same password, and no other time of opening.
    stack.production(&["bootstrap", "open", "--json"]);
    assert_eq!(
        (stack.value("ADMIN_PASSWORD"), stack.last()),
        (password, told)
    );
}

#[test]
fn runbook_b3_the_password_is_shown_on_a_terminal_once() {
    let stack = Stack::new();
    let show = || {
        let folder = stack.folder.path();
        let dotage = env!("CARGO_BIN_EXE_dotage");
        let output = Command::new("script")
            .args([
                "-qec",
                &format!("{dotage} bootstrap open --profile production"),
                "/dev/null",
            ])
            .current_dir(folder.join("project"))
            .env("HOME", folder)
            .stdin(Stdio::null())
            .output()
            .expect("script: run tests/install");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let (first, second) = (show(), show());
    let password = stack.value("ADMIN_PASSWORD");
    assert!(first.contains(&format!("ADMIN_PASSWORD, shown this once: {password}")));
    assert!(!second.contains(&password));
}

#[test]
fn runbook_b4_the_stack_starts_with_the_switch_and_the_password() {
    let stack = Stack::new();
    stack.production(&["bootstrap", "open"]);
    stack.well(&["render", "compose"]);
    let env = stack.file(".env");
    assert!(env.contains("\nCREATE_ADMIN=true\n"), "the switch");
    let password = stack.value("ADMIN_PASSWORD");
    assert!(env.contains(&password), "the password");
}

#[test]
fn runbook_b5_closing_takes_the_password_from_the_vault_and_every_rendered_file() {
    let stack = Stack::new();
    stack.production(&["bootstrap", "open"]);
    stack.well(&["render", "--all"]);
    let password = stack.value("ADMIN_PASSWORD");
    let project = stack.folder.path().join("project");
    let showing = || {
        let mut files = Vec::new();
        holding(&project, password.as_bytes(), &mut files);
        files.len()
    };
    assert_eq!(showing(), 3, "the stack's .env, the unit's, the manifest");
    let closed = stack.production(&["bootstrap", "close"]);
    assert_eq!(showing(), 0);
    assert_eq!(stack.value("CREATE_ADMIN"), "false");
    assert!(stack.file(".env").contains("\nCREATE_ADMIN=false\n"));
    let said = String::from_utf8(closed.stderr).unwrap();
    assert!(
        said.contains("deploy api again: docker compose up -d --force-recreate"),
        "{said}"
    );
    assert!(
        stack
            .refused(&["get", "ADMIN_PASSWORD", "--profile", "production"])
            .contains("has no value")
    );
    let told = stack.last();
    assert_eq!(
        (told.action.as_str(), told.who.actor.as_str()),
        ("bootstrap close", "ann")
    );
    // Again there is nothing to do, and nothing is told.
    let again = stack.production(&["bootstrap", "close"]);
    assert!(
        String::from_utf8(again.stderr)
            .unwrap()
            .starts_with("nothing to close")
    );
    assert_eq!(stack.last(), told);
    // What it was is never made again by the way.
    let said = stack.refused(&["generate", "ADMIN_PASSWORD", "--profile", "production"]);
    assert!(
        said.contains("use the password reset of the login page"),
        "{said}"
    );
}

#[test]
fn runbook_c1_in_development_the_bootstrap_may_be_open() {
    let stack = Stack::new();
    stack.well(&["render", "development"]);
    let env = stack.file("packages/api/.env");
    assert!(env.contains("CREATE_ADMIN=true\n") && env.contains("ADMIN_PASSWORD="));
    let said = stack.refused(&["bootstrap", "close", "--profile", "development"]);
    assert!(
        said.contains("ADMIN_PASSWORD is required in profile development"),
        "{said}"
    );
}

/// The files that hold these bytes.
pub(super) fn holding(folder: &Path, bytes: &[u8], files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holding(&path, bytes, files);
        } else if std::fs::read(&path)
            .unwrap()
            .windows(bytes.len())
            .any(|piece| piece == bytes)
        {
            files.push(path);
        }
    }
}
