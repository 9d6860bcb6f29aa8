//! Each rule of the contract has a project that breaks it and no other, and a project that keeps them all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::too_many_lines)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A project that keeps the contract, to be broken.
struct Project {
    folder: tempfile::TempDir,
    identity: PathBuf,
}

const INVENTORY: &str = r#"profiles:
  development: { vault: vault/development.age, contract: lenient }
  production:
    vault: vault/production/
services:
  api:
    environment: [process, .env]
variables:
  TOKEN:
    purpose: a token
    used_by: [api]
    format: { token: { bytes: 48, min_chars: 32 } }
  OTHER_TOKEN:
    purpose: another token
    used_by: [api]
    format: { token: { bytes: 48, min_chars: 32 } }
  KEY:
    purpose: a key
    used_by: [api]
    bundle: keys
    format: { key: { bytes: 32, encoding: base64 } }
  PASSWORD:
    purpose: the password of the database account
    used_by: [api]
    class: database
    bundle: default
    format: { password: { length: 24, min_chars: 12 } }
    rotation: { every: 90d }
  ACCOUNT:
    purpose: the database account
    used_by: [api]
    class: database
    bundle: default
    sensitive: false
    format: text
    defaults: { development: shop, production: shop_app }
  URL:
    purpose: the connection
    used_by: [api]
    class: database
    bundle: default
    format: { url: { scheme: postgresql, has: [user, password, host] } }
    derive: "postgresql://{{ ACCOUNT }}:{{ PASSWORD }}@db:5432/shop"
  BINARY:
    purpose: bytes
    used_by: [api]
    base64: true
    required: false
  API_KEY:
    purpose: what another service gave us
    used_by: [api]
    required: false
  MIRROR_URL:
    purpose: another connection
    used_by: [api]
    required: false
    format: { url: { scheme: https } }
  FIRST_START:
    purpose: the switch of the bootstrap
    used_by: [api]
    sensitive: false
    format: boolean
    required: false
    defaults: { development: "true", production: "false" }
  FIRST_PASSWORD:
    purpose: the first password
    used_by: [api]
    bundle: default
    format: { password: { length: 24, min_chars: 12 } }
    bootstrap: { while: FIRST_START, within: 1d }
targets:
  api: { template: variables.compose.env.j2, to: .env, profile: production, service: api }
"#;

const PASSWORD: &str = "wQ7_rT2.kL9-zX4_vB6.nM1-";
const TOKEN: &str = "J7xq9LmZ2vKpR4tWcY8sD1fGhB6nE3aUo5iTjQk0";
const OTHER_TOKEN: &str = "p4Gx8RsYz1VbNc6QwEt2LhKj9MdFu3Ao7TiXkZ5e";

impl Project {
    fn new() -> Project {
        let folder = tempfile::tempdir().unwrap();
        let project = Project {
            identity: folder.path().join("identity.txt"),
            folder,
        };
        fs::create_dir_all(project.root().join("vault/production")).unwrap();
        let keygen = Command::new("age-keygen")
            .arg("-o")
            .arg(&project.identity)
            .output()
            .unwrap();
        let public = String::from_utf8(keygen.stderr).unwrap();
        let public = public.trim().rsplit(' ').next().unwrap().to_owned();
        for home in ["vault", "vault/production"] {
            project.write(&format!("{home}/.age-recipients"), &format!("{public}\n"));
        }
        project.write("dotage.yaml", INVENTORY);
        project.seal("vault/development.age", &format!("TOKEN: {TOKEN}dev\nOTHER_TOKEN: {OTHER_TOKEN}dev\nKEY: AQ==\nPASSWORD: dev\nFIRST_PASSWORD: dev\n"));
        project.seal(
            "vault/production/keys.age",
            "KEY: \"q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=\"\n"
                .replace("q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=", KEY)
                .as_str(),
        );
        project.production(&[]);
        project.write("operations.jsonl", "");
        project.record(
            "generate",
            "production",
            &["PASSWORD"],
            "2026-11-24T00:00:00Z",
            "",
        );
        project
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("shop")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Encrypts a bundle with age itself.
    fn seal(&self, path: &str, text: &str) {
        let recipients = self.root().join(path).with_file_name(".age-recipients");
        let mut age = Command::new("age")
            .args(["-a", "-R"])
            .arg(recipients)
            .arg("-o")
            .arg(self.root().join(path))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        age.stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        assert!(age.wait().unwrap().success());
    }

    /// Production's bundle `default`, with these values in place of its own; an empty one is left out.
    fn production(&self, values: &[(&str, &str)]) {
        let mut all = vec![
            ("TOKEN", TOKEN),
            ("OTHER_TOKEN", OTHER_TOKEN),
            ("PASSWORD", PASSWORD),
        ];
        for (name, value) in values {
            all.retain(|(other, _)| other != name);
            if !value.is_empty() {
                all.push((name, value));
            }
        }
        let text: String = all
            .iter()
            .map(|(name, value)| format!("{name}: {}\n", serde_json::to_string(value).unwrap()))
            .collect();
        self.seal("vault/production/default.age", &text);
    }

    /// The inventory with one text in place of another.
    fn inventory(&self, old: &str, new: &str) {
        assert!(INVENTORY.contains(old), "{old}");
        self.write("dotage.yaml", &INVENTORY.replace(old, new));
    }

    fn record(&self, action: &str, profile: &str, names: &[&str], time: &str, more: &str) {
        let path = self.root().join("operations.jsonl");
        let names = serde_json::to_string(names).unwrap();
        let sha256 = "0".repeat(64);
        let line = format!(
            "{{\"time\":\"{time}\",\"actor\":\"kim\",\"host\":\"person\",\"action\":\"{action}\",\"profile\":\"{profile}\",\"names\":{names},\"outcome\":\"done\"{more},\"written\":[{{\"path\":\"vault/production/default.age\",\"sha256\":\"{sha256}\"}}],\"before\":[]}}\n"
        );
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str(&line);
        fs::write(path, text).unwrap();
    }

    fn git(&self, arguments: &[&str]) {
        let done = Command::new("git")
            .arg("-C")
            .arg(self.root())
            .args(["-c", "user.name=k", "-c", "user.email=k@example.org"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dotage"));
        command
            .args(arguments)
            .current_dir(self.root())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path())
            .env("GIT_CEILING_DIRECTORIES", self.folder.path())
            .env("DOTAGE_IDENTITY_FILE", &self.identity);
        command
    }

    fn check(&self) -> BTreeSet<(String, String)> {
        problems(
            &self
                .command(&["check", "--profile", "production", "--json"])
                .output()
                .unwrap(),
        )
    }
}

const KEY: &str = "r0VniavN7w8jRWeJq80SNFZ4mrze8BI0VniavN7wEjQ=";

/// The rule and severity of each problem that was told.
fn problems(output: &Output) -> BTreeSet<(String, String)> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let told: serde_json::Value = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    let told: BTreeSet<(String, String)> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| {
            (
                problem["severity"].as_str().unwrap().to_owned(),
                problem["rule"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let wrong = told.iter().any(|(severity, _)| severity == "error");
    assert_eq!(output.status.code(), Some(i32::from(wrong)), "{told:?}");
    told
}

#[test]
fn a_project_that_keeps_the_contract_is_quiet() {
    let project = Project::new();
    assert_eq!(project.check(), BTreeSet::new());
    let output = project.command(&["check"]).output().unwrap();
    // A weak value is a warning where the profile is lenient, and only when it isn't what its format says.
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(told.matches("warning: ").count(), 3, "{told}");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "development: 3 warnings\nproduction: the contract is kept\n"
    );
    assert_eq!(output.status.code(), Some(0));
}

/// What this machine has, and no other that the profile runs on, is not judged: neither its environment nor a `.env` file
/// that somebody else's target wrote.
#[test]
fn where_values_come_from_is_judged_for_every_machine_alike() {
    let project = Project::new();
    let new =
        "environment: [process, local/.env, .env, defaults]\n    code_defaults: { TOKEN: dev }";
    project.inventory("environment: [process, .env]", new);
    project.write("local/.env", "TOKEN=shop\n");
    fs::set_permissions(
        project.root().join("local/.env"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    let check = |more: &[&str]| {
        let args = [&["check", "--profile", "production", "--json"], more].concat();
        problems(&project.command(&args).env("TOKEN", "x").output().unwrap())
    };
    // The target renders `.env` for this profile.
    assert_eq!(check(&[]), BTreeSet::new());
    let broken = INVENTORY
        .replace("environment: [process, .env]", new)
        .replace("to: .env", "to: other.env");
    project.write("dotage.yaml", &broken);
    let told = BTreeSet::from([("error".to_owned(), "code-default".to_owned())]);
    assert_eq!(check(&[]), told);
    assert_eq!(check(&["--no-vault"]), told);
    // What the vault may have is not known without a key.
    project.write(
        "dotage.yaml",
        &broken.replace("[process, local", "[vault, local"),
    );
    assert_eq!(check(&[]), BTreeSet::new());
    assert_eq!(check(&["--no-vault"]), BTreeSet::new());
}

type Break = fn(&Project);

impl Project {
    /// Compose starts the API, and nothing renders the `.env` that it interpolates from.
    fn composed(&self, service: &str) {
        let inventory = INVENTORY
            .replace(
                "[process, .env]",
                "[compose]\n    compose: { files: [compose.yaml] }",
            )
            .replace("to: .env", "to: api.env");
        self.write("dotage.yaml", &inventory);
        if !service.is_empty() {
            self.write(
                "compose.yaml",
                &format!("services: {{ api: {{ {service} }} }}\n"),
            );
        }
    }
}

/// A rule, the severity that it has, and what breaks it alone.
const CASES: &[(&str, &str, Break)] = &[
    ("code-default", "error", |p| {
        let new = "environment: [process, defaults]\n    code_defaults: { TOKEN: dev }";
        p.inventory("environment: [process, .env]", new);
    }),
    ("compose-default", "error", |p| {
        p.composed("environment: { TOKEN: '${TOKEN:-dev}' }");
    }),
    // The profile's own published default says that it is meant.
    ("compose-default", "warning", |p| {
        p.composed("environment: { ACCOUNT: '${ACCOUNT:-shop_app}' }");
    }),
    ("compose-required", "error", |p| {
        p.composed("image: 'shop:${TAG:?}', environment: { TOKEN: '${TOKEN:?}' }");
    }),
    ("compose-literal", "error", |p| {
        p.composed("environment: { TOKEN: Xw4vB6nM1J7xq9LmZ2vKpR4tWcY8sD1fGhB6nE3aUo5 }");
    }),
    ("compose-file", "error", |p| p.composed("")),
    ("compose-file", "error", |p| {
        p.composed("environment: { TOKEN: '${1}' }");
    }),
    ("development-default", "error", |p| {
        p.composed("env_file: [committed.env]");
        p.write("committed.env", "ACCOUNT=shop\n");
    }),
    ("missing", "error", |p| p.production(&[("TOKEN", "")])),
    ("missing", "error", |p| p.production(&[("PASSWORD", "")])),
    ("format", "error", |p| {
        p.production(&[("TOKEN", "J7xq9LmZ2vKpR4tWcY8s")])
    }),
    ("format", "error", |p| {
        p.seal(
            "vault/production/keys.age",
            "KEY: J7xq9LmZ2vKpR4tWcY8sD1fGhB6nE3aU\n",
        )
    }),
    ("not-base64", "error", |p| {
        p.production(&[("BINARY", "no base64!")])
    }),
    ("placeholder", "error", |p| {
        p.production(&[(
            "TOKEN",
            "<put the token of the other service here>"
                .replace(' ', "-")
                .as_str(),
        )])
    }),
    ("published", "error", |p| {
        p.production(&[("TOKEN", "django-insecure-8&x2!kq0v#w3m$1zr7t^y5u*i9o(p)a")])
    }),
    ("published", "error", |p| {
        // A literal of the project's own sample.
        p.write(".env.example", &format!("# sample\nTOKEN=\"{TOKEN}\"\n"));
    }),
    ("published", "error", |p| {
        p.write(
            "compose.yaml",
            &format!("services:\n  api:\n    environment:\n      TOKEN: ${{TOKEN:-{TOKEN}}}\n"),
        )
    }),
    ("published", "error", |p| {
        p.write(
            "compose.yaml",
            &format!("services:\n  api:\n    environment:\n      - TOKEN={TOKEN}\n"),
        )
    }),
    ("published", "error", |p| {
        // What development has by default.
        p.production(&[("API_KEY", "Kq7-shop-of-Ada-in-Bergen-93")]);
        p.write("dotage.yaml", &INVENTORY.replace("    purpose: what another service gave us\n", "    purpose: what another service gave us\n    defaults: { development: Kq7-shop-of-Ada-in-Bergen-93 }\n"));
    }),
    ("published", "error", |p| {
        p.production(&[("ACCOUNT", "postgres")])
    }),
    ("published", "error", |p| {
        p.production(&[("ACCOUNT", "shop")])
    }),
    ("published", "error", |p| {
        p.production(&[("MIRROR_URL", "https://u:postgres@mirror.example/")])
    }),
    ("low-entropy", "error", |p| {
        p.production(&[("TOKEN", "ee-eo-ee-ea-ee-ei-ee-eu-ee-et-en")])
    }),
    ("low-entropy", "error", |p| {
        p.production(&[("API_KEY", "8472")])
    }),
    ("not-hidden", "error", |p| {
        // What is secret, and a number like a port's.
        p.production(&[("API_KEY", "8472")]);
        p.inventory(
            "    purpose: what another service gave us\n",
            "    purpose: what another service gave us\n    format: { integer: { min: 1 } }\n",
        );
    }),
    ("repeated", "error", |p| {
        p.production(&[("TOKEN", format!("{TOKEN}{TOKEN}").as_str())])
    }),
    ("small-alphabet", "error", |p| {
        p.production(&[("TOKEN", "gcadbegfbfgaecfdgbfcgeadbgdfacgefbgdfaceb")])
    }),
    ("sequence", "error", |p| {
        p.production(&[("TOKEN", "J7xq9LmZ2vKpR4tWcY8s-abcdefgh-D1fGhB6nE3")])
    }),
    ("keyboard", "error", |p| {
        p.production(&[("TOKEN", "J7xq9LmZ2vKpR4tWcY8s-QwErTyUi-D1fGhB6nE3")])
    }),
    ("shared", "error", |p| {
        p.production(&[("OTHER_TOKEN", TOKEN)])
    }),
    ("same-in-profiles", "error", |p| {
        p.production(&[("TOKEN", format!("{TOKEN}dev").as_str())])
    }),
    ("undeclared", "error", |p| {
        p.production(&[("STRANGER", "J7xq9LmZ2vKpR4tWcY8s")])
    }),
    ("undeclared", "error", |p| {
        p.inventory("variables.compose.env.j2", "api.compose.env.j2");
        p.write("api.compose.env.j2", "A={{ STRANGER }}\n");
    }),
    ("unused", "error", |p| {
        p.inventory(
            "used_by: [api]\n    required: false\n    format: { url",
            "used_by: []\n    required: false\n    format: { url",
        )
    }),
    ("derived-stored", "warning", |p| {
        p.production(&[(
            "URL",
            &format!("postgresql://shop_app:{PASSWORD}@db:5432/shop"),
        )])
    }),
    ("derived-differs", "error", |p| {
        p.production(&[("URL", "postgresql://shop_app:other@db:5432/shop")])
    }),
    ("wrong-bundle", "error", |p| {
        p.seal(
            "vault/production/keys.age",
            &format!("KEY: {KEY}\nTOKEN: {TOKEN}\n"),
        );
        p.production(&[("TOKEN", "")]);
    }),
    ("not-used-by", "error", |p| {
        p.write(
            "dotage.yaml",
            &INVENTORY
                .replace("variables.compose.env.j2", "api.compose.env.j2")
                .replace(
                    "  api:\n    environment",
                    "  web: {}\n  api:\n    environment",
                )
                .replace(
                    "purpose: another token\n    used_by: [api]",
                    "purpose: another token\n    used_by: [web]",
                ),
        );
        p.write("api.compose.env.j2", "A={{ OTHER_TOKEN }}\n");
    }),
    ("not-in-target", "error", |p| {
        p.inventory(
            "variables.compose.env.j2, to",
            "api.compose.env.j2, names: [TOKEN], to",
        );
        p.write("api.compose.env.j2", "A={{ OTHER_TOKEN }}\n");
    }),
    ("template", "error", |p| {
        p.inventory("variables.compose.env.j2", "gone.compose.env.j2")
    }),
    ("vault", "error", |p| {
        p.write("vault/production/extra.age", "no age file\n")
    }),
    ("vault", "error", |p| {
        let path = p.root().join("vault/production/keys.age");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(
            path,
            format!("<<<<<<< ours\n{text}=======\n{text}>>>>>>> theirs\n"),
        )
        .unwrap();
    }),
    ("recipients-differ", "error", |p| {
        let path = p.root().join("vault/production/.age-recipients");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{text}ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN k@example.org\n")).unwrap();
    }),
    ("no-recipients", "error", |p| {
        fs::remove_file(p.root().join("vault/production/.age-recipients")).unwrap()
    }),
    ("identity-inside", "error", |p| {
        fs::copy(&p.identity, p.root().join("key.txt")).unwrap();
    }),
    ("env-tracked", "error", |p| {
        p.git(&["init", "-q"]);
        p.write("apps/web/.env", "A=1\n");
        p.git(&["add", "-f", "apps/web/.env"]);
        fs::remove_file(p.root().join("apps/web/.env")).unwrap();
    }),
    ("env-not-ignored", "error", |p| {
        p.git(&["init", "-q"]);
        p.closed(".env.local");
    }),
    ("env-loose", "error", |p| {
        p.closed(".env");
        fs::set_permissions(p.root().join(".env"), fs::Permissions::from_mode(0o640)).unwrap();
    }),
    ("env-symlink", "error", |p| {
        p.write("elsewhere", "A=1\n");
        symlink("elsewhere", p.root().join(".env")).unwrap();
    }),
    ("journal", "error", |p| {
        p.write("operations.jsonl", "no entry\n")
    }),
    ("bootstrap-open", "warning", |p| {
        p.production(&[("FIRST_START", "true"), ("FIRST_PASSWORD", PASSWORD2)]);
        let now = Command::new("date")
            .args(["-u", "+%Y-%m-%dT%H:%M:%SZ"])
            .output()
            .unwrap();
        p.record(
            "bootstrap open",
            "production",
            &["FIRST_START", "FIRST_PASSWORD"],
            String::from_utf8(now.stdout).unwrap().trim(),
            "",
        );
    }),
    ("bootstrap-open", "error", |p| {
        p.production(&[("FIRST_START", "true"), ("FIRST_PASSWORD", PASSWORD2)]);
        p.record(
            "bootstrap open",
            "production",
            &["FIRST_START", "FIRST_PASSWORD"],
            "2026-11-01T00:00:00Z",
            "",
        );
    }),
    ("bootstrap-open", "error", |p| {
        p.production(&[("FIRST_START", "true"), ("FIRST_PASSWORD", PASSWORD2)])
    }),
    ("missing", "error", |p| {
        // Needed while the bootstrap is open, whatever it is afterwards.
        p.production(&[("FIRST_START", "true")]);
        let long_ago = "2026-11-24T00:00:00Z";
        p.record(
            "bootstrap open",
            "production",
            &["FIRST_START"],
            long_ago,
            "",
        );
        p.write("dotage.yaml", &INVENTORY.replace("within: 1d", "within: 36500d").replace("    vault: vault/production/\n", "    vault: vault/production/\n    exceptions: [{ rule: bootstrap-open, reason: a test, until: 2999-01-01 }]\n"));
    }),
    ("bootstrap-left", "error", |p| {
        p.production(&[("FIRST_PASSWORD", PASSWORD2)])
    }),
    ("rotation-due", "error", |p| {
        p.write("operations.jsonl", "");
        p.record(
            "generate",
            "production",
            &["PASSWORD"],
            "2026-01-01T00:00:00Z",
            "",
        );
    }),
    ("age-unknown", "warning", |p| {
        p.write("operations.jsonl", "")
    }),
    ("rotation-in-flight", "warning", |p| {
        p.write("vault/production.a1b2.rotation.age", "")
    }),
    ("must-rotate", "error", |p| {
        p.record(
            "recipients remove",
            "production",
            &["TOKEN"],
            "2026-11-24T01:00:00Z",
            ",\"removed\":[{\"key\":\"age1gone\",\"comment\":\"Kim\"}]",
        );
    }),
    ("unknown-rule", "error", |p| {
        p.inventory("    vault: vault/production/\n", "    vault: vault/production/\n    exceptions: [{ rule: weak, reason: none, until: 2999-01-01 }]\n")
    }),
    ("expired-exception", "error", |p| {
        p.inventory("    vault: vault/production/\n", "    vault: vault/production/\n    exceptions: [{ rule: shared, reason: none, until: 2026-11-24 }]\n")
    }),
    ("unused-exception", "warning", |p| {
        p.inventory("    vault: vault/production/\n", "    vault: vault/production/\n    exceptions: [{ rule: shared, reason: none, until: 2999-01-01 }]\n")
    }),
];

const PASSWORD2: &str = "hT3_yU8.jK5-mN2_bV7.cX0-";

impl Project {
    fn closed(&self, path: &str) {
        self.write(path, "A=1\n");
        fs::set_permissions(self.root().join(path), fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn each_rule_has_a_project_that_breaks_it_alone() {
    let mut wrong = Vec::new();
    let mut broken: BTreeSet<&str> = ["git-unknown", "env-owner"].into();
    std::thread::scope(|scope| {
        let halves: Vec<_> = CASES
            .chunks(CASES.len().div_ceil(2))
            .map(|half| {
                scope.spawn(move || {
                    half.iter()
                        .enumerate()
                        .map(|(index, (rule, severity, break_it))| {
                            let project = Project::new();
                            break_it(&project);
                            let mut found = project.check();
                            found.retain(|(severity, _)| severity != "note");
                            let wanted =
                                BTreeSet::from([((*severity).to_owned(), (*rule).to_owned())]);
                            (found != wanted).then(|| format!("{index} {rule}: {found:?}"))
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        for half in halves {
            wrong.extend(half.join().unwrap().into_iter().flatten());
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    broken.extend(CASES.iter().map(|(rule, ..)| *rule));
    let rules: BTreeSet<&str> = dotage::contract::RULES
        .iter()
        .map(|(rule, _)| *rule)
        .collect();
    assert_eq!(broken, rules);
}

#[test]
fn a_file_of_another_user_is_told_and_so_is_a_git_that_cannot_be_asked() {
    let project = Project::new();
    project.closed(".env");
    let open =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open(project.folder.path(), 0o755);
    // A user who is not root, and owns nothing here.
    let output = Command::new("setpriv")
        .args([
            "--reuid",
            "65534",
            "--clear-groups",
            "--",
            env!("CARGO_BIN_EXE_dotage"),
            "check",
            "--no-vault",
            "--json",
            "--profile",
            "production",
        ])
        .current_dir(project.root())
        .env_remove("DOTAGE_IDENTITY_FILE")
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    assert_eq!(
        problems(&output),
        BTreeSet::from([("error".to_owned(), "env-owner".to_owned())])
    );
    project.git(&["init", "-q"]);
    project.write(".gitignore", ".env\n");
    let output = project
        .command(&["check", "--no-vault", "--json"])
        .env("PATH", "/nonexistent")
        .output()
        .unwrap();
    assert_eq!(
        problems(&output),
        BTreeSet::from([("warning".to_owned(), "git-unknown".to_owned())])
    );
}

#[test]
fn the_half_without_a_key_needs_none_and_the_other_says_that_it_does() {
    let project = Project::new();
    project.production(&[("TOKEN", "")]);
    let keyless = project
        .command(&["check", "--no-vault", "--json"])
        .env_remove("DOTAGE_IDENTITY_FILE")
        .output()
        .unwrap();
    assert_eq!(problems(&keyless), BTreeSet::new());
    project.write(".env", "A=1\n");
    fs::set_permissions(
        project.root().join(".env"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let closed = project
        .command(&["check", "--json"])
        .env_remove("DOTAGE_IDENTITY_FILE")
        .output()
        .unwrap();
    assert_eq!(closed.status.code(), Some(3));
    // What needs no key is told all the same.
    assert!(
        String::from_utf8(closed.stdout)
            .unwrap()
            .contains("env-loose")
    );
    assert!(
        String::from_utf8(closed.stderr)
            .unwrap()
            .contains("no identity to open the vault with")
    );
}

#[test]
fn an_exception_turns_its_problem_into_a_note_that_says_why_until_its_last_day() {
    let project = Project::new();
    project.production(&[("OTHER_TOKEN", TOKEN)]);
    let with = |until: &str, names: &str| {
        project.inventory(
            "    vault: vault/production/\n",
            &format!("    vault: vault/production/\n    exceptions: [{{ rule: shared, {names}reason: split next week, until: {until} }}]\n"),
        );
        let output = project
            .command(&["check", "--profile", "production"])
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, told) = with("2999-01-01", "");
    assert_eq!(code, Some(0));
    assert!(
        told.contains(
            "note: TOKEN has the value of OTHER_TOKEN (excused until 2999-01-01: split next week)"
        ),
        "{told}"
    );
    let (code, _) = with("2999-01-01", "names: [TOKEN], ");
    assert_eq!(code, Some(0));
    let (code, _) = with("2999-01-01", "names: [KEY], ");
    assert_eq!(code, Some(1));
    let (code, told) = with("2020-01-01", "");
    assert_eq!(code, Some(1));
    assert!(
        told.contains("the exception for `shared` ended on 2020-01-01"),
        "{told}"
    );
}
