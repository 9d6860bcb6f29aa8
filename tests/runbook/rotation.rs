//! Rotation: sentences R1 to R6, each with its way back, on the preset with local stand-ins for its commands.

use super::world::Stack;

/// The steps that a rotation's entries tell of as done, in order.
fn steps(stack: &Stack, name: &str) -> Vec<String> {
    let entries = stack.entries().into_iter();
    let done = entries.filter(|entry| {
        entry.action == "rotate"
            && entry.outcome == "done"
            && entry
                .written
                .iter()
                .all(|written| !written.path.ends_with("/auth.age"))
            && entry.names.iter().any(|own| own.as_str() == name)
    });
    let mut steps: Vec<String> = done.filter_map(|entry| entry.step).collect();
    // A switch is told with the bundle that it wrote, and with the step that is done.
    steps.dedup();
    steps
}

/// Rotates with a check that fails, and rolls back: the old value is in use again, everywhere.
fn rolls_back(stack: &Stack, name: &str, broken: &str) -> Vec<String> {
    let before = stack.values();
    stack.did();
    stack.put(&format!("world/broken-{broken}"), "", 0o600);
    let text = stack.refused(&["rotate", name, "--in-window"]);
    assert!(
        text.contains("nothing is lost, both values are kept"),
        "{text}"
    );
    assert!(
        text.contains("dotage rotate --resume") && text.contains("dotage rotate --rollback"),
        "{text}"
    );
    assert_eq!(stack.in_flight().len(), 1);
    stack.remove(&format!("world/broken-{broken}"));
    let text = stack.well(&["rotate", "--rollback"]);
    assert!(text.contains("the old values are in use again"), "{text}");
    assert!(stack.values() == before, "a value is another");
    let did = stack.did();
    stack.is_consistent("rolled back");
    did
}

#[test]
fn runbook_r1_a_new_jwt_secret_is_deployed_to_the_api_ends_the_sessions_and_is_verified() {
    let stack = Stack::new();
    let plan = stack.well(&["rotate", "JWT_SECRET", "--dry-run"]);
    assert!(
        plan.contains("users will notice: every session ends; users log in again"),
        "{plan}"
    );
    assert!(stack.did().is_empty());
    let old = stack.values()["JWT_SECRET"].clone();
    stack.well(&["rotate", "JWT_SECRET"]);
    assert_ne!(stack.values()["JWT_SECRET"], old);
    assert_eq!(
        stack.did(),
        [
            "deploy api",
            "verify login",
            "verify registration",
            "verify password-reset"
        ]
    );
    // A session that was signed with the old one is proven dead.
    assert_eq!(
        steps(&stack, "JWT_SECRET"),
        [
            "stage",
            "switch",
            "render",
            "deploy api",
            "verify",
            "prove",
            "finish"
        ]
    );
    stack.is_consistent("rotated");
}

#[test]
fn runbook_r1_an_old_session_that_stays_good_stops_it() {
    let stack = Stack::new();
    stack.put("ops/verify.sh", "#!/bin/sh\nexit 0\n", 0o755);
    let text = stack.refused(&["rotate", "JWT_SECRET"]);
    assert!(text.contains("the old value is still good"), "{text}");
}

#[test]
fn runbook_r1_failed_verification_brings_the_old_jwt_secret_back() {
    let stack = Stack::new();
    let did = rolls_back(&stack, "JWT_SECRET", "verify-registration");
    assert_eq!(
        did,
        [
            "deploy api",
            "verify login",
            "deploy api",
            "verify login",
            "verify registration",
            "verify password-reset"
        ]
    );
}

#[test]
fn runbook_r2_a_new_jwt_gateway_secret_goes_to_api_and_gateway_together() {
    let stack = Stack::new();
    let plan = stack.well(&["rotate", "JWT_GATEWAY_SECRET", "--dry-run"]);
    assert!(
        plan.contains("datasource sessions and realtime streams reconnect"),
        "{plan}"
    );
    stack.well(&["rotate", "JWT_GATEWAY_SECRET"]);
    assert_eq!(
        stack.did(),
        [
            "deploy api",
            "deploy gateway",
            "verify datasource",
            "verify realtime"
        ]
    );
    stack.is_consistent("rotated");
}

#[test]
fn runbook_r2_a_gateway_that_can_not_be_deployed_brings_the_api_back_too() {
    let stack = Stack::new();
    let did = rolls_back(&stack, "JWT_GATEWAY_SECRET", "deploy-gateway");
    assert_eq!(
        did,
        [
            "deploy api",
            "deploy api",
            "deploy gateway",
            "verify datasource",
            "verify realtime"
        ]
    );
}

#[test]
fn runbook_r3_a_new_service_token_goes_to_both_and_a_datasource_execution_proves_it() {
    let stack = Stack::new();
    stack.well(&["rotate", "GATEWAY_SERVICE_TOKEN"]);
    assert_eq!(
        stack.did(),
        ["deploy api", "deploy gateway", "verify datasource"]
    );
    stack.is_consistent("rotated");
    rolls_back(&stack, "GATEWAY_SERVICE_TOKEN", "verify-datasource");
}

#[test]
fn runbook_r4_the_store_is_saved_and_re_encrypted_before_the_switch() {
    let stack = Stack::new();
    let sealed = std::fs::read(stack.path("world/store")).unwrap();
    stack.well(&["rotate", "CREDENTIAL_ENCRYPTION_KEY"]);
    assert_eq!(
        steps(&stack, "CREDENTIAL_ENCRYPTION_KEY"),
        [
            "stage",
            "backup",
            "before",
            "switch",
            "render",
            "deploy api",
            "verify",
            "finish"
        ]
    );
    assert_eq!(
        stack.did(),
        [
            "database backup",
            "reencrypt",
            "deploy api",
            "verify datasource"
        ]
    );
    let saved = std::fs::read(stack.path("world/backup/store")).unwrap();
    assert!(saved == sealed, "the backup is of what was");
    assert!(std::fs::read(stack.path("world/store")).unwrap() != sealed);
    stack.is_consistent("rotated");
}

#[test]
fn runbook_r4_on_failure_it_is_re_encrypted_with_the_two_swapped_and_the_old_is_deployed() {
    let stack = Stack::new();
    let did = rolls_back(&stack, "CREDENTIAL_ENCRYPTION_KEY", "verify-datasource");
    assert_eq!(
        did,
        [
            "database backup",
            "reencrypt",
            "deploy api",
            "reencrypt",
            "deploy api",
            "verify datasource"
        ]
    );
    stack.did();
    // One that fails while it re-encrypts has switched nothing.
    stack.put("world/broken-reencrypt", "", 0o600);
    stack.refused(&["rotate", "CREDENTIAL_ENCRYPTION_KEY"]);
    stack.remove("world/broken-reencrypt");
    stack.well(&["rotate", "--rollback"]);
    assert_eq!(stack.did(), ["database backup", "reencrypt"]);
    stack.is_consistent("rolled back from before");
}

#[test]
fn runbook_r4_neither_old_nor_new_stays_set() {
    let stack = Stack::new();
    stack.well(&["rotate", "CREDENTIAL_ENCRYPTION_KEY"]);
    assert!(
        stack
            .values()
            .keys()
            .all(|name| !name.ends_with("_OLD") && !name.ends_with("_NEW"))
    );
    for (path, _, bytes) in stack.files() {
        let set = [
            "CREDENTIAL_ENCRYPTION_KEY_OLD=",
            "CREDENTIAL_ENCRYPTION_KEY_NEW=",
        ];
        let is_set = set
            .iter()
            .any(|set| super::world::holds(&bytes, set.as_bytes()));
        assert!(!is_set, "{path}");
    }
}

#[test]
fn runbook_r5_admin_password_is_not_rotated_but_reset() {
    let stack = Stack::new();
    let before = (stack.values(), stack.entries());
    for args in [
        &["rotate", "ADMIN_PASSWORD"][..],
        &["rotate", "ADMIN_PASSWORD", "--dry-run"],
    ] {
        let text = stack.refused(args);
        assert!(
            text.contains("ADMIN_PASSWORD is only for the bootstrap"),
            "{text}"
        );
        assert!(
            text.contains("use the password reset of the login page"),
            "{text}"
        );
        assert!(
            text.contains("dotage bootstrap close --profile production"),
            "{text}"
        );
    }
    assert!((stack.values(), stack.entries()) == before);
}

#[test]
fn runbook_r6_the_database_rotates_in_a_window_with_all_that_names_it() {
    let stack = Stack::new();
    let text = stack.refused(&["rotate", "POSTGRES_PASSWORD"]);
    assert!(
        text.contains("no import runs and nobody migrates the schema"),
        "{text}"
    );
    assert!(
        text.contains("dotage rotate POSTGRES_PASSWORD --profile production --in-window"),
        "{text}"
    );
    assert!(stack.did().is_empty() && stack.in_flight().is_empty());
    let text = stack.well(&["rotate", "FREEBOARD_POSTGRES_URL", "--in-window"]);
    assert!(text.contains("POSTGRES_PASSWORD: rotated"), "{text}");
    assert_eq!(
        stack.did(),
        [
            "database backup",
            "database set-password",
            "deploy postgres",
            "deploy api",
            "database schema-status",
            "verify login",
            "verify datasource"
        ]
    );
    stack.is_consistent("rotated");
    rolls_back(&stack, "POSTGRES_PASSWORD", "database-schema-status");
}
