//! Incidents: sentences I1 to I5, on the preset with local stand-ins for its commands.

use super::world::Stack;
use dotage::time::Time;

fn id(stack: &Stack) -> String {
    let entries = stack.entries();
    let opened = entries
        .iter()
        .rev()
        .find(|entry| entry.action == "incident open");
    opened.unwrap().incident.clone().unwrap()
}

#[test]
fn runbook_i1_an_incident_names_the_class_and_the_boundary_it_crosses() {
    let stack = Stack::new();
    for (cause, names, boundary) in [
        (
            ["--class", "user-auth"],
            &["JWT_SECRET"][..],
            "boundary user-auth: anybody who has it can sign in as any user",
        ),
        (
            ["--class", "gateway-trust"],
            &["GATEWAY_SERVICE_TOKEN", "JWT_GATEWAY_SECRET"],
            "boundary gateway-trust: anybody who has it can speak to the API as the gateway",
        ),
        (
            ["--name", "FREEBOARD_POSTGRES_URL"],
            &["POSTGRES_PASSWORD"],
            "boundary database: everything that the application stores",
        ),
        (
            ["--name", "CREDENTIAL_ENCRYPTION_KEY"],
            &["CREDENTIAL_ENCRYPTION_KEY"],
            "boundary encryption-key: with a copy of the database",
        ),
    ] {
        let text = stack.well(&[&["incident", "open", "--dry-run"], &cause[..]].concat());
        assert!(text.contains(boundary), "{text}");
        for name in names {
            assert!(
                text.contains(&format!("  {name}: its value is in use since ")),
                "{text}"
            );
        }
    }
    assert!(stack.entries().iter().all(|entry| entry.incident.is_none()));
}

#[test]
fn runbook_i2_what_contains_it_is_done_first_and_after_a_yes() {
    let stack = Stack::new();
    stack.well(&["incident", "open", "--class", "gateway-trust"]);
    // Nobody is there to say yes: nothing is done.
    stack.refused(&["incident", "resume"]);
    assert!(stack.did().is_empty());
    stack.well(&["incident", "resume", "--yes"]);
    let did = stack.did();
    assert_eq!(
        did[..3],
        ["contain streams", "contain dashboards", "contain routes"]
    );
    assert!(
        did[3..].iter().all(|did| !did.starts_with("contain")),
        "{did:?}"
    );
}

#[test]
fn runbook_i3_what_is_compromised_is_rotated_by_the_runbook_and_no_old_value_stays_good() {
    let stack = Stack::new();
    // One that had begun before may have made the very value that leaked.
    let inventory = stack.text("dotage.yaml");
    let overlap = inventory.replace(
        "      expect: nothing, when API and gateway are deployed together",
        "      overlap: 7d",
    );
    assert_ne!(inventory, overlap);
    stack.put("dotage.yaml", &overlap, 0o644);
    let before = stack.values();
    stack.well(&["rotate", "GATEWAY_SERVICE_TOKEN"]);
    assert_eq!(stack.in_flight().len(), 1, "its old value stays good");
    let between = stack.values();
    stack.well(&["incident", "open", "--class", "gateway-trust"]);
    stack.well(&["incident", "resume", "--yes"]);
    let after = stack.values();
    for name in ["GATEWAY_SERVICE_TOKEN", "JWT_GATEWAY_SECRET"] {
        assert!(
            after[name] != before[name] && after[name] != between[name],
            "{name}"
        );
    }
    assert_eq!(after["JWT_SECRET"], before["JWT_SECRET"]);
    stack.is_consistent("rotated");
}

#[test]
fn runbook_i3_the_encryption_key_comes_before_what_it_protects_and_a_failure_is_resumed() {
    let stack = Stack::new();
    let names = [
        "JWT_SECRET",
        "POSTGRES_PASSWORD",
        "CREDENTIAL_ENCRYPTION_KEY",
    ];
    let open: Vec<&str> = names.iter().flat_map(|name| ["--name", name]).collect();
    stack.well(&[&["incident", "open"], &open[..]].concat());
    stack.put("world/broken-database-schema-status", "", 0o600);
    stack.refused(&["incident", "resume", "--yes"]);
    let text = stack.refused(&["incident", "close"]);
    assert!(
        text.contains("is not done: rotate: POSTGRES_PASSWORD"),
        "{text}"
    );
    stack.remove("world/broken-database-schema-status");
    stack.did();
    stack.well(&["incident", "resume", "--yes"]);
    assert!(
        stack.did().iter().all(|did| !did.starts_with("contain")),
        "once is enough"
    );
    let id = id(&stack);
    let finished: Vec<String> = stack
        .entries()
        .into_iter()
        .filter(|entry| {
            entry.step.as_deref() == Some("finish") && entry.incident.as_ref() == Some(&id)
        })
        .flat_map(|entry| entry.names)
        .map(|name| name.to_string())
        .collect();
    assert_eq!(
        finished,
        [
            "CREDENTIAL_ENCRYPTION_KEY",
            "POSTGRES_PASSWORD",
            "JWT_SECRET"
        ]
    );
    stack.is_consistent("resumed");
}

#[test]
fn runbook_i4_sign_in_datasources_streams_and_admin_access_are_verified_at_the_end() {
    let stack = Stack::new();
    stack.well(&["incident", "open", "--class", "gateway-trust"]);
    stack.put("world/broken-verify-admin", "", 0o600);
    stack.refused(&["incident", "resume", "--yes"]);
    stack.did();
    stack.remove("world/broken-verify-admin");
    stack.well(&["incident", "resume"]);
    // What was verified is not asked again; the rest is.
    let did = stack.did();
    assert_eq!(did, ["verify admin"]);
    let id = id(&stack);
    let mut verified: Vec<String> = stack
        .entries()
        .into_iter()
        .filter(|entry| {
            entry.action == "incident verify"
                && entry.outcome == "done"
                && entry.incident.as_ref() == Some(&id)
        })
        .filter_map(|entry| entry.step)
        .collect();
    verified.sort();
    assert_eq!(
        verified,
        ["admin", "datasource", "login", "realtime"].map(|what| format!("./ops/verify.sh {what}"))
    );
}

#[test]
fn runbook_i5_time_and_scope_are_recorded_and_end_in_a_report() {
    let stack = Stack::new();
    let since = Time::now();
    stack.well(&[
        "incident",
        "open",
        "--name",
        "JWT_SECRET",
        "--reason",
        "printed in a build log",
    ]);
    stack.well(&["incident", "resume", "--yes"]);
    let report = stack.well(&["incident", "close"]);
    let id = id(&stack);
    for line in [
        format!("# Incident {id}"),
        "- cause: name JWT_SECRET".to_owned(),
        "- what happened: printed in a build log".to_owned(),
        "- boundary crossed: user-auth: anybody who has it can sign in as any user".to_owned(),
        "- services: api".to_owned(),
    ] {
        assert!(report.lines().any(|own| own == line), "{line}: {report}");
    }
    let entries: Vec<_> = stack
        .entries()
        .into_iter()
        .filter(|entry| entry.incident.as_ref() == Some(&id))
        .collect();
    assert!(
        entries
            .iter()
            .all(|entry| entry.time >= since && entry.who.actor == "ann")
    );
    for entry in &entries {
        assert!(
            entry.outcome == "begun" || report.contains(&format!("| {} | ann |", entry.time)),
            "{entry:?}"
        );
    }
    let (first, last) = (&entries[0], &entries[entries.len() - 1]);
    assert_eq!(
        (first.action.as_str(), last.action.as_str()),
        ("incident open", "incident close")
    );
    assert_eq!(first.names.len(), 1);
    let verified = stack.run(&["log", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn a_drill_goes_through_it_and_touches_nothing_of_the_project() {
    let stack = Stack::new();
    // A target may be anywhere on the machine.
    let env = stack.path(".env").display().to_string();
    let inventory = stack.text("dotage.yaml");
    let absolute = inventory.replace("    to: .env\n", &format!("    to: {env}\n"));
    assert_ne!(inventory, absolute);
    stack.put("dotage.yaml", &absolute, 0o644);
    let temporary = stack.folder.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let before = stack.files();
    for class in ["user-auth", "gateway-trust", "encryption-key", "database"] {
        let mut command = stack.command(&["incident", "drill", "--class", class], &[]);
        let output = command.env("TMPDIR", &temporary).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let report = String::from_utf8(output.stdout).unwrap();
        assert!(
            report.contains(&format!("- cause: class {class}")),
            "{report}"
        );
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("  would run: ./ops/contain.sh"), "{said}");
        assert!(said.contains(&format!("  would write: {env}")), "{said}");
    }
    assert!(stack.files() == before, "something was touched");
    assert!(stack.did().is_empty());
    assert_eq!(std::fs::read_dir(temporary).unwrap().count(), 0);
}
