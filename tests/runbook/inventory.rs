//! The inventory: sentences S1 and S2, and the table itself.

use crate::stack::Stack;
use serde_json::Value;
use std::collections::BTreeMap;

/// The runbook's table: variable, used by, purpose, production requirement, class.
const TABLE: &[[&str; 5]] = &[
    [
        "JWT_SECRET",
        "api",
        "signs user auth JWTs",
        "required, token 48 bytes",
        "user-auth",
    ],
    [
        "JWT_GATEWAY_SECRET",
        "api + gateway",
        "signs and verifies datasource session tokens",
        "required, token 48 bytes",
        "gateway-trust",
    ],
    [
        "GATEWAY_SERVICE_TOKEN",
        "api + gateway",
        "authenticates the gateway's introspection and revocation calls",
        "required, token 48 bytes",
        "gateway-trust",
    ],
    [
        "CREDENTIAL_ENCRYPTION_KEY",
        "api",
        "encrypts the secrets of datasource credential profiles at rest",
        "required, key 32 bytes",
        "encryption-key",
    ],
    [
        "ADMIN_PASSWORD",
        "api",
        "the first administrator's password, used once",
        "while CREATE_ADMIN, password",
        "bootstrap",
    ],
    [
        "FREEBOARD_POSTGRES_URL",
        "api",
        "the API's connection to the database, in containers",
        "required, url",
        "database",
    ],
    [
        "POSTGRES_USER",
        "postgres + api",
        "the database account that Compose creates at the first start",
        "required, regex",
        "database",
    ],
    [
        "POSTGRES_PASSWORD",
        "postgres + api",
        "the password of that account",
        "required, password",
        "database",
    ],
    [
        "POSTGRES_DB",
        "postgres + api",
        "the database that Compose creates at the first start",
        "required, regex",
        "database",
    ],
    [
        "CREATE_ADMIN",
        "api",
        "lets the API create the first administrator when it starts",
        "optional, boolean",
        "",
    ],
    [
        "ADMIN_EMAIL",
        "api",
        "the first administrator's address",
        "optional, regex",
        "",
    ],
];

#[test]
fn runbook_s1_the_inventory_is_data_in_git_and_never_a_value() {
    let stack = Stack::new();
    // Every value that there is, of both profiles, is in a vault alone.
    let inventory = stack.file("dotage.yaml");
    let project = stack.folder.path().join("project");
    for profile in ["development", "production"] {
        for [name, ..] in TABLE {
            let output = stack.run(&["get", name, "--profile", profile]);
            let value = String::from_utf8(output.stdout).unwrap();
            // What is no secret may be published as a default.
            if value.len() >= 20 && !value.contains('@') {
                assert!(!inventory.contains(&value), "{name}");
                let mut files = Vec::new();
                crate::bootstrap::holding(&project, value.as_bytes(), &mut files);
                assert!(files.is_empty(), "{name} in {files:?}");
            }
        }
    }
    // What is read is what is written: name, users, purpose, requirement, class, format and rotation are its words.
    let parsed = dotage::inventory::Inventory::parse("dotage.yaml".as_ref(), &inventory).unwrap();
    assert_eq!(parsed.variables.len(), TABLE.len());
    for (name, every) in [
        ("JWT_SECRET", 90),
        ("CREDENTIAL_ENCRYPTION_KEY", 365),
        ("POSTGRES_PASSWORD", 180),
    ] {
        let rotation = parsed.variables[name].rotation.as_ref().unwrap();
        assert_eq!(rotation.every.unwrap().as_secs(), every * 86_400, "{name}");
    }
    // Reviewed in git: it is what a commit takes, and git ignores what is rendered.
    let git = |args: &[&str]| {
        let output = std::process::Command::new("git")
            .arg("-C")
            .arg(&project)
            .args(args)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    git(&["init", "-q"]);
    stack.well(&["render"]);
    let taken = git(&["ls-files", "--others", "--exclude-standard"]);
    assert!(taken.lines().any(|line| line == "dotage.yaml"), "{taken}");
    for rendered in [".env", "packages/api/.env", "deploy/secrets/api/jwt_secret"] {
        assert!(
            project.join(rendered).exists() && !taken.contains(&format!("{rendered}\n")),
            "{rendered}"
        );
    }
    stack.well(&["check", "--no-vault"]);
}

#[test]
fn runbook_s2_it_prints_as_a_table_as_json_and_as_markdown() {
    let stack = Stack::new();
    let list = |format: &str| {
        let args = [
            "list",
            "--no-vault",
            "--profile",
            "production",
            "--format",
            format,
        ];
        String::from_utf8(stack.well(&args).stdout).unwrap()
    };
    let (table, markdown) = (list("table"), list("markdown"));
    let rows: Vec<Value> = serde_json::from_str(&list("json")).unwrap();
    let rows: BTreeMap<&str, &Value> = rows
        .iter()
        .map(|row| (row["name"].as_str().unwrap(), row))
        .collect();
    assert_eq!(rows.len(), TABLE.len());
    for [name, used_by, purpose, requirement, class] in TABLE {
        let line = table
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")))
            .unwrap();
        for cell in [used_by, purpose, requirement, class] {
            assert!(line.contains(cell), "{cell:?} in {line}");
        }
        let line = format!("| {name} | ? | {used_by} | {class} | {requirement} | {purpose} |");
        assert!(
            markdown.lines().any(|other| other == line),
            "{line}\n{markdown}"
        );
        let row = rows[name];
        let users: Vec<&str> = row["used_by"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user.as_str().unwrap())
            .collect();
        assert_eq!(users.join(" + "), *used_by);
        assert_eq!(
            (row["purpose"].as_str(), row["class"].as_str()),
            (Some(*purpose), Some(*class))
        );
        let (needed, format) = requirement.split_once(", ").unwrap();
        assert_eq!(
            (row["needed"].as_str(), row["format"].as_str()),
            (Some(needed), Some(format))
        );
    }
}
