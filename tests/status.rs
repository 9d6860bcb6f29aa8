//! The page that `status --html` writes, looked at in a real browser: how it lies at every width, by keyboard, on paper,
//! with whatever the user's own files bring into it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test"
)]

use dotage::journal::{Entry, Journal, Reader, Who, Written};
use dotage::secret::Name;
use dotage::time::Time;
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
        let json: serde_json::Value =
            serde_json::from_str(&self.well(&["status", "--json"])).unwrap();
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

    /// Writes the page where its name says whose it is, and finds no secret in it.
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
    project.put("vault/production.rotation.age", "");
    project
}

/// A project whose own files try to get into the page, or out of its frame.
fn hostile() -> Project {
    let project = Project::new(&["."]);
    let text = serde_json::Value::from(format!("{MARKUP}\u{202e}{}", "unbroken".repeat(60)));
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
    let seen: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
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
