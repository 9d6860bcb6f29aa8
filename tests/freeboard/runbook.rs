//! The rotations R1 to R4 and an incident: each once to its end, and once back after a check that failed.

use super::stack::{BROKEN, Stack};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const GATEWAY: &str = "JWT_GATEWAY_SECRET";
const TOKEN: &str = "GATEWAY_SERVICE_TOKEN";
const KEY: &str = "CREDENTIAL_ENCRYPTION_KEY";

#[test]
fn runbook_r1_real_parts_sessions_end_and_users_log_in_again() {
    let stack = Stack::new();
    let session = stack.sign_in();
    assert!(stack.takes(&session));
    stack.rotate(&["JWT_SECRET"]);
    assert!(!stack.takes(&session));
    for check in ["login", "registration", "password-reset", "datasource"] {
        assert!(stack.verifies(check), "{check}");
    }
    let session = stack.sign_in();
    stack.rolls_back(&["JWT_SECRET"], || assert!(!stack.takes(&session)));
    assert!(stack.takes(&session));
}

/// What the two services share reaches both; deployed to one of them alone, the preset's own checks see it.
fn shared(name: &str) {
    let stack = Stack::new();
    assert!(stack.verifies("datasource"));
    let old = stack.value(name);
    stack.rotate(&[name]);
    assert_ne!(stack.value(name), old);
    assert!(stack.verifies("datasource") && stack.verifies("realtime"));
    stack.rolls_back(&[name], || {
        assert!(stack.verifies("datasource"), "the new value works as well");
    });
    assert!(stack.verifies("datasource") && stack.verifies("realtime"));
    stack.sh(&format!(
        "dotage generate {name} --force; dotage render compose; docker compose up -d --force-recreate freeboard-gateway"
    ));
    stack.until_up();
    assert!(stack.verifies("login") && !stack.verifies("datasource"));
}

#[test]
fn runbook_r2_real_parts_api_and_gateway_switch_together() {
    shared(GATEWAY);
}

#[test]
fn runbook_r3_real_parts_introspection_goes_on_with_the_new_token() {
    shared(TOKEN);
}

#[test]
fn runbook_r4_real_parts_the_store_is_sealed_anew_before_the_switch() {
    let stack = Stack::new();
    let store = || fs::read_to_string(stack.project().join("data/credentials.json")).unwrap();
    // Whether the store opens with a key, by the program that the stack itself uses.
    let opens = |key: &str| {
        let script = "try { const { load, open } = require('./parts'); open(load().health, process.env.KEY); console.log('yes') } catch { console.log('no') }";
        stack.sh_with(&format!("node -e \"{script}\""), &[("KEY", key)]) == "yes\n"
    };
    assert!(stack.verifies("datasource"));
    let old = stack.value(KEY);
    assert!(opens(&old));
    stack.rotate(&[KEY]);
    let new = stack.value(KEY);
    assert!(opens(&new) && !opens(&old));
    assert!(stack.verifies("datasource"));
    // A fresh backup was made first: only its owner reads it, and PostgreSQL does.
    let backups: Vec<_> = fs::read_dir(stack.project().join("backups"))
        .unwrap()
        .map(|file| file.unwrap())
        .collect();
    assert_eq!(backups.len(), 1);
    let mode = backups[0].metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let listed = stack.sh(&format!(
        "pg_restore --list {}",
        backups[0].path().display()
    ));
    assert!(listed.contains("TABLE DATA public accounts"), "{listed}");
    // Neither of the two names is left, and to run it again changes nothing.
    for end in ["_OLD", "_NEW"] {
        assert!(
            !stack
                .running("freeboard-api")
                .contains_key(&format!("{KEY}{end}"))
        );
    }
    let (sealed, both) = (
        store(),
        [
            ("CREDENTIAL_ENCRYPTION_KEY_OLD", old.as_str()),
            ("CREDENTIAL_ENCRYPTION_KEY_NEW", new.as_str()),
        ],
    );
    stack.sh_with("npm run --silent credentials:reencrypt", &both);
    assert_eq!(sealed, store());
    stack.rolls_back(&[KEY], || assert!(!opens(&new)));
    assert!(opens(&new));
    assert!(stack.verifies("datasource"));
}

#[test]
fn runbook_i1_to_i5_real_parts_a_leak_of_the_gateways_trust() {
    let stack = Stack::new();
    stack.edit(|inventory| inventory.replace("within: 2m", "within: 8s"));
    let (secret, token) = (stack.value(GATEWAY), stack.value(TOKEN));
    let opened = stack.dotage(
        &[
            "incident",
            "open",
            "--class",
            "gateway-trust",
            "--reason",
            "a build log showed them",
        ],
        &[],
    );
    let said = String::from_utf8_lossy(&opened.stderr).into_owned()
        + &String::from_utf8_lossy(&opened.stdout);
    assert!(opened.status.success(), "{said}");
    assert!(said.contains("speak to the API as the gateway"), "{said}");
    assert_eq!(stack.ask("/dashboards/public", "", "").0, "200");
    // The checks fail: it stops in the first rotation, with what was exposed contained.
    let failed = stack.dotage(&["incident", "resume", "--yes"], &BROKEN);
    assert_eq!(failed.status.code(), Some(2));
    assert_eq!(stack.ask("/dashboards/public", "", "").0, "403");
    stack.edit(|inventory| inventory.replace("within: 8s", "within: 2m"));
    assert!(
        stack
            .dotage(&["rotate", "--rollback"], &[])
            .status
            .success()
    );
    assert_eq!(
        (stack.value(GATEWAY), stack.value(TOKEN)),
        (secret.clone(), token.clone())
    );
    let early = stack.dotage(&["incident", "close"], &[]);
    assert_eq!(early.status.code(), Some(2), "it is not done");
    // Mended, it goes on from there.
    let resumed = stack.dotage(&["incident", "resume", "--yes"], &[]);
    assert!(resumed.status.success(), "{resumed:?}");
    for (name, old) in [(GATEWAY, &secret), (TOKEN, &token)] {
        let new = stack.value(name);
        assert_ne!(new, *old);
        for service in ["freeboard-api", "freeboard-gateway"] {
            assert_eq!(stack.running(service)[name], new);
        }
    }
    for check in ["login", "datasource", "realtime", "admin"] {
        assert!(stack.verifies(check), "{check}");
    }
    let closed = stack.dotage(&["incident", "close"], &[]);
    assert!(closed.status.success());
    let report = String::from_utf8(closed.stdout).unwrap();
    for part in [
        "class gateway-trust",
        "a build log showed them",
        GATEWAY,
        TOKEN,
        "contain.sh streams",
        "verify.sh datasource",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    for value in [&secret, &token] {
        assert!(!report.contains(value.as_str()) && !said.contains(value.as_str()));
    }
}
