//! What `status` says at a moment that is given; and the page that it writes, looked at in a real browser: how it lies at
//! every width, by keyboard, on paper, with whatever the user's own files bring into it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test"
)]

use dotage::contract::{self, Facts, Held, Past};
use dotage::inventory::Inventory;
use dotage::journal::{Entry, Journal, Reader, Who, Written};
use dotage::problem::{Place, Problem};
use dotage::secret::{Name, Secret, Secrets};
use dotage::status::{Profile, Status};
use dotage::time::Time;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const DAY: u64 = 86_400;
const KIM: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
/// What a user's file could bring into a page.
const MARKUP: &str = "</style></title><script>alert('x')</script><img src=x onerror=alert(1)><style>*{display:none}</style>\"'&amp; {{ 7 * 7 }}";

/// A project, and a home with an identity.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new(init: &[&str]) -> Self {
        let project = Project {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(project.root()).unwrap();
        project.well(&[&["init"], init].concat());
        project
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("shop")
    }

    fn run(&self, args: &[&str], stdin: &str) -> Output {
        use std::io::Write;
        let mut child = Command::new(env!("CARGO_BIN_EXE_dotage"))
            .args(args)
            .current_dir(self.root())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path())
            .env("DOTAGE_ACTOR", "ann")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(stdin.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    }

    fn well(&self, args: &[&str]) -> String {
        let output = self.run(args, "");
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn put(&self, path: &str, text: &str) {
        fs::write(self.root().join(path), text).unwrap();
    }

    /// Begins the journal anew with these.
    fn journal(&self, entries: Vec<Entry>) {
        let journal = Journal::at(&self.root());
        fs::remove_file(journal.path()).unwrap();
        for entry in entries {
            journal.append(&entry).unwrap();
        }
    }

    /// Every secret of its vaults.
    fn secrets(&self) -> Vec<String> {
        let mut secrets = Vec::new();
        let json: Value = serde_json::from_str(&self.well(&["status", "--json"])).unwrap();
        for variable in json["variables"].as_array().unwrap() {
            for (profile, cell) in variable["profiles"].as_object().unwrap() {
                let has = cell["state"] == "set" || cell["state"] == "derived";
                if has && variable["sensitive"] == true {
                    let name = variable["name"].as_str().unwrap();
                    let value = self.well(&["get", name, "--profile", profile]);
                    secrets.push(value.trim_end().to_owned());
                }
            }
        }
        secrets
    }

    /// Writes the page, which stays under target to be looked at.
    fn page(&self, name: &str, args: &[&str]) -> PathBuf {
        let page = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("status-{name}.html"));
        let _ = fs::remove_file(&page);
        self.well(&[&["status", "--html", page.to_str().unwrap()], args].concat());
        assert_eq!(
            fs::metadata(&page).unwrap().permissions().mode() & 0o777,
            0o644
        );
        page
    }
}

fn names(names: &[&str]) -> Vec<Name> {
    names.iter().map(|name| Name::new(name).unwrap()).collect()
}

/// Something that was done so many days ago.
fn entry(days: u64, action: &str, profile: &str, on: &[&str]) -> Entry {
    Entry {
        time: Time(Time::now().0 - days * DAY - 4_711),
        who: Who {
            actor: "ann".to_owned(),
            host: "person".to_owned(),
            job: None,
        },
        names: names(on),
        written: vec![Written {
            path: format!("vault/{profile}"),
            sha256: "0".repeat(64),
        }],
        ..Entry::new(action, profile)
    }
}

/// A stack that has seen some months: something overdue, somebody who left, a rotation half done, a bootstrap open.
fn lived_in() -> Project {
    let project = Project::new(&["--preset", "freeboard", "."]);
    project.well(&["generate", "--missing"]);
    let tokens = ["GATEWAY_SERVICE_TOKEN", "JWT_GATEWAY_SECRET"];
    let all = ["GATEWAY_SERVICE_TOKEN", "JWT_GATEWAY_SECRET", "JWT_SECRET"];
    let kim = vec![Reader {
        key: KIM.to_owned(),
        comment: Some("Kim Bergström".to_owned()),
    }];
    let mut entries = vec![
        entry(
            321,
            "generate",
            "production",
            &["CREDENTIAL_ENCRYPTION_KEY"],
        ),
        entry(131, "generate", "production", &all),
        Entry {
            added: kim.clone(),
            reason: Some("joins the platform team".to_owned()),
            ..entry(90, "recipients add", "production", &all)
        },
        entry(41, "generate", "production", &tokens),
        Entry {
            removed: kim,
            reason: Some("left the company".to_owned()),
            ..entry(5, "recipients remove", "production", &all)
        },
        entry(
            3,
            "generate",
            "development",
            &["ADMIN_PASSWORD", "JWT_SECRET"],
        ),
    ];
    entries[3].who = Who {
        actor: "deploy-bot".to_owned(),
        host: "ci".to_owned(),
        job: Some("https://ci.example.com/shop/actions/runs/17".to_owned()),
    };
    project.journal(entries);
    project.well(&["bootstrap", "open", "--profile", "production"]);
    project.well(&["render", "compose"]);
    fs::set_permissions(
        project.root().join(".env"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let mine = fs::read_to_string(project.root().join("vault/production/.age-recipients")).unwrap();
    let with_lee = format!("# Ann\n{}\n# Lee\n{KIM}\n", mine.lines().last().unwrap());
    project.put("vault/production/gateway-trust.age-recipients", &with_lee);
    project.put("vault/production.a1b2.rotation.age", "");
    project
}

/// A project whose own files try to get into the page, or out of its frame.
fn hostile() -> Project {
    let project = Project::new(&["."]);
    let text = Value::from(format!("{MARKUP}\u{202e}{}", "unbroken".repeat(60)));
    let long = "A_NAME_AS_LONG_AS_NOBODY_SHOULD_MAKE_ONE_BUT_SOMEBODY_DID".to_owned();
    let unbroken = "N".repeat(90);
    let services: Vec<String> = (0..9)
        .map(|n| format!("service-with-a-long-name-{n}"))
        .collect();
    let declared: String = services
        .iter()
        .map(|service| format!("  {service}: {{}}\n"))
        .collect();
    let used_by = services.join(", ");
    let rotation = format!("{{ every: 1d, window: {text}, expect: {text} }}");
    project.put(
        "dotage.yaml",
        &format!(
            "profiles:\n  development: {{ vault: vault/development.age, contract: lenient }}\n  production:\n    vault: vault/production/\n    exceptions: [{{ rule: unused, reason: {text}, until: 2999-12-31 }}]\n  staging-in-another-country: {{ vault: vault/development.age }}\n\
             services:\n{declared}variables:\n  {long}: {{ purpose: {text}, used_by: [{used_by}], rotation: {rotation} }}\n  {unbroken}: {{ purpose: {text}, rotation: {rotation} }}\n  UNUSED: {{ purpose: {text} }}\n"
        ),
    );
    for (profile, name) in [
        ("production", &long),
        ("development", &long),
        ("production", &unbroken),
    ] {
        let value = format!("secret-of-{profile}-{}", &name[..8]);
        let output = project.run(&["set", name, "--profile", profile], &value);
        assert!(output.status.success(), "{output:?}");
    }
    let key = fs::read_to_string(project.root().join("vault/production/.age-recipients")).unwrap();
    let key = key.lines().last().unwrap();
    project.put(
        "vault/production/.age-recipients",
        &format!("# {MARKUP}{}\n{key}\n", "x".repeat(300)),
    );
    let reader = Reader {
        key: KIM.to_owned(),
        comment: Some(MARKUP.to_owned()),
    };
    let odd = Some(format!("{MARKUP}{}", "y".repeat(300)));
    project.journal(vec![Entry {
        who: Who {
            actor: MARKUP.to_owned(),
            host: MARKUP.to_owned(),
            job: Some(format!("javascript:alert(1)//{}", "z".repeat(300))),
        },
        reason: odd.clone(),
        incident: odd.clone(),
        plan: odd.clone(),
        step: odd,
        seconds: Some(1),
        outcome: MARKUP.to_owned(),
        added: vec![reader.clone()],
        removed: vec![reader],
        ..entry(9, MARKUP, "production", &[&long, &unbroken])
    }]);
    project
}

#[test]
fn people_can_read_the_page_at_every_width_by_keyboard_and_on_paper() {
    let (lived_in, hostile) = (lived_in(), hostile());
    let fresh = Project::new(&["."]);
    let torn = Project::new(&["."]);
    torn.put("operations.jsonl", "not an entry\n");
    let pages = [
        lived_in.page("lived-in", &[]),
        lived_in.page("keyless", &["--no-vault"]),
        hostile.page("hostile", &[]),
        fresh.page("fresh", &[]),
        torn.page("torn", &[]),
    ];
    let mut secrets = 0;
    for project in [&lived_in, &hostile] {
        for secret in project.secrets() {
            assert!(secret.len() >= 8);
            secrets += 1;
            for page in &pages {
                assert!(
                    !fs::read_to_string(page).unwrap().contains(&secret),
                    "{}",
                    page.display()
                );
            }
        }
    }
    assert!(secrets >= 14, "{secrets}");
    let consumers = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/consumers/node");
    let output = Command::new("node")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/status/look.mjs"))
        .args(&pages)
        .env("CONSUMERS", consumers)
        .output()
        .expect("node: run tests/install");
    assert!(output.status.success(), "{output:?}: run tests/install");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    println!("{}", seen["looked"]);
    let faults: Vec<&str> = seen["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault.as_str().unwrap())
        .collect();
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
    let looked = |what: &str| seen["looked"][what].as_u64().unwrap();
    assert_eq!(looked("views"), 50);
    assert!(
        looked("rules") > 400 && looked("stops") > 50 && looked("links") > 30,
        "{}",
        seen["looked"]
    );
    assert!(
        looked("folds") >= 8 && looked("scrolled") >= 4 && looked("refused") == 30,
        "{}",
        seen["looked"]
    );
}

const INVENTORY: &str = r#"
profiles:
  development: { vault: vault/development.age, contract: lenient }
  production: { vault: vault/production/ }
services:
  api: {}
  gateway: {}
variables:
  DEFAULTED: { used_by: [api], sensitive: false, defaults: { development: for-everybody, production: for-everybody } }
  FIRST: { used_by: [api], bootstrap: { while: SWITCH, within: 1d } }
  LACKING: { used_by: [api] }
  MADE: { used_by: [api], derive: "{{ TOKEN }}{{ OTHER }}" }
  OPTIONAL: { used_by: [api, gateway], optional_for: [gateway], required: false }
  OTHER: { used_by: [api] }
  PART: { used_by: [api], derive: "{{ OTHER }}{{ DEFAULTED }}" }
  SWITCH: { used_by: [api], sensitive: false, format: boolean, required: false }
  TOKEN: { used_by: [api], rotation: { every: 90d } }
"#;
/// The moment that the tests are at: 2026-11-25T12:00:00Z.
const NOW: Time = Time(1_795_608_000);

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// What a vault holds, every value of it stored but one that is the default and two that are made.
fn held(names: &[&str]) -> Held {
    let secret = |text: &&str| {
        let value = if *text == "SWITCH" {
            "true"
        } else {
            "dX8-never-shown"
        };
        (name(text), Secret::new(value.as_bytes().to_vec()))
    };
    let made = ["DEFAULTED", "MADE", "PART"];
    let stored = names.iter().filter(|name| !made.contains(name));
    Held {
        secrets: names.iter().map(secret).collect(),
        defaulted: BTreeSet::from([name("DEFAULTED")]),
        stored: stored
            .map(|text| (name(text), Place::file("vault/production/default.age")))
            .collect(),
        stray: Secrets::new(),
    }
}

fn changed(days: &[(&str, u64)]) -> Past {
    let at = |(text, days): &(&str, u64)| (name(text), Time(NOW.0 - days * DAY));
    Past {
        changed: days.iter().map(at).collect(),
        ..Past::default()
    }
}

/// The status of production alone.
fn production<'a>(
    inventory: &'a Inventory,
    held: Option<&'a Held>,
    past: Option<&'a Past>,
    now: Time,
) -> Status<'a> {
    let profile = Profile {
        name: "production",
        held,
        past,
        problems: &[],
        bundles: Vec::new(),
        rotations: BTreeMap::new(),
    };
    Status {
        project: "shop".to_owned(),
        inventory,
        now,
        profiles: vec![profile],
        entries: Some(&[]),
    }
}

fn inventory() -> Inventory {
    Inventory::parse(Path::new("dotage.yaml"), INVENTORY).unwrap()
}

/// The cells of production by name.
fn cells(status: &Status<'_>) -> BTreeMap<String, Value> {
    let json = status.json();
    let rows = json["variables"].as_array().unwrap();
    rows.iter()
        .map(|row| {
            let name = row["name"].as_str().unwrap().to_owned();
            (name, row["profiles"]["production"].clone())
        })
        .collect()
}

#[test]
fn a_value_is_what_the_vault_and_the_inventory_make_it() {
    let inventory = inventory();
    let held = held(&["DEFAULTED", "MADE", "OTHER", "PART", "TOKEN"]);
    let past = changed(&[("TOKEN", 41), ("OTHER", 3), ("LACKING", 7)]);
    let status = production(&inventory, Some(&held), Some(&past), NOW);
    let cells = cells(&status);
    for (name, state, age) in [
        ("DEFAULTED", "default", None),
        ("FIRST", "not-needed", None),
        ("LACKING", "missing", None),
        ("MADE", "derived", Some(3)),
        ("OPTIONAL", "not-needed", None),
        ("OTHER", "set", Some(3)),
        ("PART", "derived", Some(3)),
        ("TOKEN", "set", Some(41)),
    ] {
        assert_eq!(cells[name]["state"], state, "{name}");
        assert_eq!(cells[name]["age_days"], json!(age), "{name}");
    }
    assert_eq!(cells["TOKEN"]["due"], "2027-01-13");
    assert_eq!(status.json()["profiles"][0]["present"], 5);
    assert_eq!(status.json()["profiles"][0]["needed"], 6);
    // A made value is as old as the youngest of its parts, if all of them are known.
    let past = changed(&[("TOKEN", 41)]);
    let status = production(&inventory, Some(&held), Some(&past), NOW);
    let cells = self::cells(&status);
    assert_eq!(cells["MADE"]["age_days"], Value::Null);
    assert_eq!(cells["OTHER"]["age_days"], Value::Null);
}

#[test]
fn without_a_key_nothing_is_said_of_values_but_their_dates() {
    let inventory = inventory();
    let past = changed(&[("TOKEN", 100)]);
    let status = production(&inventory, None, Some(&past), NOW);
    for (name, cell) in cells(&status) {
        assert_eq!(cell["state"], "not-known", "{name}");
        assert_eq!(cell["overdue"], name == "TOKEN", "{name}");
    }
    let json = status.json();
    assert_eq!(json["profiles"][0]["opened"], false);
    assert_eq!(json["profiles"][0]["needed"], Value::Null);
    let in_flight = json!([{"what": "bootstrap", "profile": "production", "name": "FIRST", "open": null, "since": null, "until": null, "overdue": null}]);
    assert_eq!(json["in_flight"], in_flight);
    assert_eq!(json["calendar"][0]["month"], "overdue");
    assert_eq!(json["calendar"][0]["items"][0]["days"], 10);
    assert_eq!(json["calendar"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_overdue_is_overdue_to_the_contract_in_the_same_second() {
    let inventory = inventory();
    let held = held(&["TOKEN"]);
    let past = changed(&[("TOKEN", 90)]);
    let mut overdue = Vec::new();
    for seconds in [0, 1] {
        let now = Time(NOW.0 + seconds);
        let found = contract::problems(Facts {
            inventory: &inventory,
            profile: "production",
            now,
            held: Some(&held),
            others: &[],
            published: &[],
            shown: &BTreeSet::new(),
            past: Some(&past),
            found: Vec::new(),
        });
        let judged = found.iter().any(|problem| problem.rule == "rotation-due");
        let status = production(&inventory, Some(&held), Some(&past), now);
        assert_eq!(cells(&status)["TOKEN"]["overdue"], judged);
        overdue.push(judged);
    }
    assert_eq!(overdue, [false, true]);
}

#[test]
fn a_bootstrap_is_in_flight_until_it_is_closed_and_late_after_its_time() {
    let inventory = inventory();
    let held = held(&["FIRST", "SWITCH"]);
    for (ago, late) in [(Some(DAY - 1), false), (Some(DAY + 1), true), (None, true)] {
        let opened = ago.map(|ago| (name("SWITCH"), Time(NOW.0 - ago)));
        let past = Past {
            opened: opened.into_iter().collect(),
            ..Past::default()
        };
        let status = production(&inventory, Some(&held), Some(&past), NOW);
        let json = status.json();
        assert_eq!(json["in_flight"][0]["open"], true);
        assert_eq!(json["in_flight"][0]["overdue"], late, "{ago:?}");
        assert!(
            status
                .screen()
                .contains("production: the bootstrap of FIRST is open")
        );
    }
}

#[test]
fn a_finding_is_told_once_and_one_of_a_file_is_no_profiles() {
    let inventory = inventory();
    let of_file = Problem::new("env-tracked", "git tracks it").at(Place::file(".env"));
    let shared = Problem::new("unused", "nothing uses it").at(Place::at("dotage.yaml", 9, 3));
    let (first, second) = ([of_file, shared.clone()], [shared]);
    let mut status = production(&inventory, None, None, NOW);
    let mut other = production(&inventory, None, None, NOW);
    let mut development = other.profiles.remove(0);
    development.name = "development";
    development.problems = &first;
    status.profiles[0].problems = &second;
    status.profiles.insert(0, development);
    let json = status.json();
    let told: Vec<(&str, &Value)> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (finding["rule"].as_str().unwrap(), &finding["profiles"]))
        .collect();
    assert_eq!(
        told,
        [
            ("env-tracked", &json!([])),
            ("unused", &json!(["development", "production"]))
        ]
    );
    assert_eq!(json["files"]["errors"], 1);
    assert_eq!(json["profiles"][0]["findings"]["errors"], 1);
    assert!(status.screen().contains("(files)"));
}

#[test]
fn the_newest_operations_are_shown_and_the_others_counted() {
    let inventory = inventory();
    let entries: Vec<Entry> = (0..250)
        .map(|number| Entry {
            time: Time(NOW.0 - (number * 7_919) % 250),
            ..Entry::new("set", "production")
        })
        .collect();
    let mut status = production(&inventory, None, None, NOW);
    status.entries = Some(&entries);
    let json = status.json();
    let times: Vec<&str> = json["operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["time"].as_str().unwrap())
        .collect();
    assert_eq!((times.len(), &json["earlier"]), (200, &json!(50)));
    assert!(times.is_sorted_by(|a, b| a >= b));
    assert_eq!(times[0], NOW.to_string());
    assert!(status.page().unwrap().contains("50 earlier operations"));
}

#[test]
fn the_same_facts_make_the_same_page_and_no_markup_of_theirs() {
    let inventory = inventory();
    let held = held(&["TOKEN", "OTHER", "SWITCH", "FIRST"]);
    let past = changed(&[("TOKEN", 100)]);
    let problems = [Problem::new("unused", MARKUP)
        .at(Place::file(MARKUP))
        .help(MARKUP)];
    let make = || {
        let mut status = production(&inventory, Some(&held), Some(&past), NOW);
        status.project = MARKUP.to_owned();
        status.profiles[0].problems = &problems;
        (status.page().unwrap(), status.screen(), status.json())
    };
    let (page, screen, json) = make();
    assert_eq!((&page, &screen, &json), (&make().0, &make().1, &make().2));
    let json = json.to_string();
    for text in [&page, &screen, &json] {
        assert!(!text.contains("never-shown"));
    }
    for tag in ["<script", "<img", "</title><"] {
        assert!(!page.contains(tag), "{tag}");
    }
    assert!(page.contains("{{ 7 * 7 }}"));
    assert!(page.contains("&lt;script&gt;alert"));
    assert_eq!(page.matches("<style").count(), 1);
}
