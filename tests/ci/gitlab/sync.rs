//! `dotage ci gitlab sync`, against the stand-in for GitLab's API.

use super::scene::{Scene, text, unique};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

const TOKEN: &str = "glpat-maintainer-0123456789";

/// The stand-in, for as long as a test wants it.
struct Gitlab {
    process: Child,
    port: u16,
    state: PathBuf,
}

impl Drop for Gitlab {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Gitlab {
    fn start(scene: &Scene) -> Gitlab {
        Gitlab::start_with(scene, &[])
    }

    fn start_with(scene: &Scene, more: &[PathBuf]) -> Gitlab {
        let state = scene.path("gitlab.json");
        let mut process = Command::new("python3")
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/ci/gitlab/api.py"
            ))
            .arg(&state)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3: run tests/install");
        let mut line = String::new();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the stand-in did not start");
        Gitlab {
            process,
            port,
            state,
        }
    }

    /// What goes wrong with the next requests.
    fn faults(&self, faults: &Value) {
        let body = faults.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "POST /faults HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    fn told(&self) -> Value {
        serde_json::from_slice(&fs::read(&self.state).unwrap()).unwrap()
    }

    /// The variables of an owner, by name.
    fn variable(&self, owner: &str, key: &str) -> Value {
        let told = self.told();
        let list = told["variables"][owner].as_array().unwrap();
        let found = list.iter().find(|one| one["key"] == key);
        found.cloned().unwrap_or(Value::Null)
    }

    fn count(&self, owner: &str) -> usize {
        self.told()["variables"][owner].as_array().unwrap().len()
    }

    /// The methods of the requests since the last call.
    fn requests(&self, seen: &mut usize) -> Vec<String> {
        let told = self.told();
        let all = told["requests"].as_array().unwrap();
        let new = all[*seen..]
            .iter()
            .map(|one| one["method"].as_str().unwrap().to_owned())
            .collect();
        *seen = all.len();
        new
    }

    fn sync(&self, scene: &Scene, owner: &str, more: &[&str]) -> Command {
        let url = format!("http://127.0.0.1:{}", self.port);
        let owner = match owner.split_once("groups/") {
            Some((_, group)) => ["--group", group],
            None => ["--project", owner],
        };
        let words = ["ci", "gitlab", "sync", "--profile", "production", "--url"];
        let args = [&words[..], &[&url], &owner, more].concat();
        let mut command = scene.dotage(&args);
        command.env("GITLAB_TOKEN", TOKEN);
        command
    }

    /// Syncs well; what it printed.
    fn well(&self, scene: &Scene, owner: &str, more: &[&str]) -> Output {
        let output = self.sync(scene, owner, more).output().unwrap();
        scene.search(&output);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        output
    }

    /// Syncs badly; what it said.
    fn badly(&self, scene: &Scene, owner: &str, more: &[&str]) -> String {
        let output = self.sync(scene, owner, more).output().unwrap();
        refused(scene, &output)
    }
}

fn refused(scene: &Scene, output: &Output) -> String {
    scene.search(output);
    let said = text(&output.stderr);
    assert!(!said.contains(TOKEN), "the token is on stderr");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("help: "), "{said}");
    said
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_profile_becomes_variables_and_a_second_run_changes_nothing() {
    let scene = Scene::new();
    scene.well(&["generate", "GITLAB_SYNC_KEY", "--profile", "production"]);
    let gitlab = Gitlab::start(&scene);
    let seen = &mut 0;
    let plan = "+ API_TOKEN (masked, hidden, protected)\n+ DB_NAME (protected)\n+ DB_PASSWORD (masked, hidden, protected)\n\
                + DB_URL (masked, hidden, protected)\n+ TLS_KEY (file, protected)\nproduction: 5 ";
    let output = gitlab.well(&scene, "group/app", &["--dry-run"]);
    assert_eq!(
        text(&output.stdout),
        format!("{plan}to change, 0 as they should be\n")
    );
    assert_eq!(gitlab.requests(seen), ["GET"]);
    let output = gitlab.well(&scene, "group/app", &[]);
    assert_eq!(
        text(&output.stdout),
        format!("{plan}changed, 0 as they should be\n")
    );
    assert_eq!(
        gitlab.requests(seen),
        ["GET", "POST", "POST", "POST", "POST", "POST"]
    );
    let shape = |key| {
        let one = gitlab.variable("projects/group/app", key);
        assert_eq!(
            (&one["raw"], &one["protected"]),
            (&json!(true), &json!(true))
        );
        assert_eq!(one["environment_scope"], "production");
        let described = one["description"].as_str().unwrap();
        assert!(
            described.starts_with("managed by dotage, profile production, hmac "),
            "{described}"
        );
        (
            one["variable_type"].clone(),
            one["masked"].clone(),
            one["hidden"].clone(),
        )
    };
    let masked = (json!("env_var"), json!(true), json!(true));
    for key in ["API_TOKEN", "DB_PASSWORD", "DB_URL"] {
        assert_eq!(shape(key), masked, "{key}");
    }
    assert_eq!(
        shape("DB_NAME"),
        (json!("env_var"), json!(false), json!(false))
    );
    assert_eq!(
        shape("TLS_KEY"),
        (json!("file"), json!(false), json!(false))
    );
    for (key, value) in &scene.values {
        assert_eq!(gitlab.variable("projects/group/app", key)["value"], **value);
    }
    // The key that proves what is there stays in the vault, and is in no request.
    assert_eq!(
        gitlab.variable("projects/group/app", "GITLAB_SYNC_KEY"),
        Value::Null
    );
    let key = text(
        &scene
            .dotage(&["get", "GITLAB_SYNC_KEY", "-P", "production"])
            .output()
            .unwrap()
            .stdout,
    );
    assert!(key.len() > 30 && !gitlab.told().to_string().contains(&key));
    let output = gitlab.well(&scene, "7", &["--json"]);
    assert_eq!(gitlab.requests(seen), ["GET"]);
    assert_eq!(
        json_of(&output),
        json!({"profile": "production", "scope": "production", "protected": true, "dry_run": false, "changes": [], "same": 5, "left": []})
    );
}

#[test]
fn what_changed_is_sent_and_what_is_gone_goes_when_it_is_ours() {
    let mut scene = Scene::new();
    scene.set("OLD_TOKEN", &unique(30));
    scene.well(&["generate", "GITLAB_SYNC_KEY", "--profile", "production"]);
    let gitlab = Gitlab::start(&scene);
    // Somebody's own, of the same name for another environment and of another name for this one.
    let by_hand = |key: &str, scope: &str| {
        let body =
            json!({"key": key, "value": "by-hand-by-hand", "environment_scope": scope}).to_string();
        let output = Command::new("curl")
            .args([
                "-sS",
                "-H",
                &format!("PRIVATE-TOKEN: {TOKEN}"),
                "-H",
                "Content-Type: application/json",
                "-d",
                &body,
            ])
            .arg(format!(
                "http://127.0.0.1:{}/api/v4/projects/7/variables",
                gitlab.port
            ))
            .output()
            .expect("curl: run tests/install");
        assert!(output.status.success());
    };
    by_hand("OLD_TOKEN", "*");
    by_hand("DEPLOY_KEY", "production");
    gitlab.well(&scene, "group/app", &[]);
    scene.set("API_TOKEN", &unique(43));
    scene.well(&["unset", "OLD_TOKEN", "--profile", "production"]);
    let output = gitlab.well(&scene, "group/app", &[]);
    assert_eq!(
        text(&output.stdout),
        "~ API_TOKEN (value)\nproduction: 1 changed, 4 as they should be\n"
    );
    assert_eq!(
        text(&output.stderr),
        "TLS_KEY has several lines, and GitLab can't mask it\n".replace("TLS", "warning: TLS")
            + "help: a job gets the path of a file in it; `dotage run` hides what is printed of it\n\
               left there, though the vault has no value: OLD_TOKEN\nhelp: dotage ci gitlab sync --prune\n"
    );
    assert_eq!(
        gitlab.variable("projects/group/app", "API_TOKEN")["value"],
        scene.value("API_TOKEN")
    );
    assert_eq!(gitlab.count("projects/group/app"), 8);
    let output = gitlab.well(&scene, "group/app", &["--prune"]);
    assert_eq!(
        text(&output.stdout),
        "- OLD_TOKEN (gone)\nproduction: 1 changed, 5 as they should be\n"
    );
    // Of that name the one by hand is left.
    assert_eq!(gitlab.count("projects/group/app"), 7);
    assert_eq!(
        gitlab.variable("projects/group/app", "OLD_TOKEN")["environment_scope"],
        "*"
    );
    assert_eq!(
        gitlab.variable("projects/group/app", "DEPLOY_KEY")["value"],
        "by-hand-by-hand"
    );
    // In the way, it is left alone until it is to be taken over.
    let old = unique(30);
    scene.set("OLD_TOKEN", &old);
    let said = gitlab.badly(&scene, "group/app", &["--scope", "*"]);
    assert!(
        said.starts_with("OLD_TOKEN for * is at GitLab already, not put there by dotage\n"),
        "{said}"
    );
    assert_eq!(gitlab.count("projects/group/app"), 7);
    let output = gitlab.well(
        &scene,
        "group/app",
        &["--scope", "*", "--adopt", "OLD_TOKEN"],
    );
    assert_eq!(
        text(&output.stdout),
        "~ OLD_TOKEN (value, masked, protected, raw)\n*: 1 changed, 0 as they should be\n"
    );
    assert_eq!(
        gitlab.variable("projects/group/app", "OLD_TOKEN")["value"],
        *old
    );
}

#[test]
fn a_hidden_value_that_gets_lines_is_replaced() {
    let mut scene = Scene::new();
    let gitlab = Gitlab::start(&scene);
    let output = gitlab.well(&scene, "group/app", &["API_TOKEN"]);
    let said = text(&output.stderr);
    assert!(
        said.starts_with("note: the vault holds no GITLAB_SYNC_KEY"),
        "{said}"
    );
    // Without a key nobody knows, so it is sent again.
    let output = gitlab.well(&scene, "group/app", &["API_TOKEN"]);
    assert!(text(&output.stdout).starts_with("~ API_TOKEN (value not known)\n"));
    scene.set("API_TOKEN", &format!("{}\n{}", unique(30), unique(30)));
    let output = gitlab.well(&scene, "group/app", &["API_TOKEN"]);
    assert!(text(&output.stdout).starts_with("± API_TOKEN (value not known, type, masked)\n"));
    let made = gitlab.variable("projects/group/app", "API_TOKEN");
    assert_eq!(
        (&made["variable_type"], &made["hidden"]),
        (&json!("file"), &json!(false))
    );
    assert_eq!(made["value"], scene.value("API_TOKEN"));
}

#[test]
fn every_page_is_read() {
    let scene = Scene::new();
    scene.well(&["generate", "GITLAB_SYNC_KEY", "--profile", "production"]);
    let gitlab = Gitlab::start(&scene);
    let seen = &mut 0;
    gitlab.well(&scene, "group/page", &[]);
    gitlab.requests(seen);
    let output = gitlab.well(&scene, "group/page", &[]);
    assert_eq!(
        text(&output.stdout),
        "production: 0 changed, 5 as they should be\n"
    );
    assert_eq!(gitlab.requests(seen), ["GET", "GET", "GET"]);
}

#[test]
fn limits_and_failures_are_waited_out() {
    let scene = Scene::new();
    let gitlab = Gitlab::start(&scene);
    let seen = &mut 0;
    // A limit; a broken connection; an answer lost on the way, after the variable was made.
    gitlab.faults(&json!([
        {"status": 429, "retry_after": 1}, null,
        {"status": 0}, {"status": 429, "retry_after": 0}, {"status": 502, "after": true}
    ]));
    gitlab.well(&scene, "group/app", &["API_TOKEN", "DB_PASSWORD"]);
    assert_eq!(
        gitlab.requests(seen),
        ["GET", "GET", "POST", "POST", "POST", "POST", "PUT", "POST"]
    );
    assert_eq!(gitlab.count("projects/group/app"), 2);
    assert_eq!(
        gitlab.variable("projects/group/app", "API_TOKEN")["value"],
        scene.value("API_TOKEN")
    );
    gitlab.faults(&json!([{"status": 429, "retry_after": 3600}]));
    let said = gitlab.badly(&scene, "group/app", &[]);
    assert!(
        said.contains("no request from us for 3600 seconds"),
        "{said}"
    );
    // Half way, what is done is done, and told; the next run goes on.
    gitlab.faults(&json!([null, null, {"status": 400}]));
    let said = gitlab.badly(&scene, "group/app", &[]);
    assert!(
        said.contains("1 of 5 changes are made\nGitLab refuses "),
        "{said}"
    );
    gitlab.well(&scene, "group/app", &[]);
    assert_eq!(gitlab.count("projects/group/app"), 5);
}

#[test]
fn a_token_that_may_not_and_a_server_that_is_none_are_told() {
    let scene = Scene::new();
    let gitlab = Gitlab::start(&scene);
    let with = |token: &str, owner: &str| {
        let mut command = gitlab.sync(&scene, owner, &[]);
        refused(
            &scene,
            &command.env("GITLAB_TOKEN", token).output().unwrap(),
        )
    };
    for (token, owner, said) in [
        (
            "glpat-wrong-01234567890",
            "7",
            "GitLab does not accept the token\n",
        ),
        (
            "glpat-developer-01234567890",
            "7",
            "the token may not touch the variables of project 7\n",
        ),
        (
            TOKEN,
            "group/none",
            "there is no project group/none, or the token can't see it\n",
        ),
        ("", "7", "there is no token\n"),
        (
            "two words",
            "7",
            "what is there is no token: it has more than visible characters\n",
        ),
        (
            "line\nurl = \"http://x\"",
            "7",
            "what is there is no token: it has more than visible characters\n",
        ),
    ] {
        let heard = with(token, owner);
        assert!(heard.starts_with(said), "{heard}");
    }
    gitlab.faults(&json!([{"status": 302, "location": "http://127.0.0.1:9/"}]));
    let said = gitlab.badly(&scene, "7", &[]);
    assert!(
        said.starts_with("the server sends us elsewhere, and the token goes nowhere else\n"),
        "{said}"
    );
    for (url, said) in [
        (
            "http://gitlab.example.com",
            "http would show the token and every value on the way\n",
        ),
        (
            "gitlab.example.com",
            "the server's address begins with neither https:// nor http://\n",
        ),
    ] {
        let mut command = scene.dotage(&[
            "ci",
            "gitlab",
            "sync",
            "-P",
            "production",
            "--url",
            url,
            "--project",
            "7",
        ]);
        let output = command.env("GITLAB_TOKEN", TOKEN).output().unwrap();
        let heard = refused(&scene, &output);
        assert!(heard.starts_with(said), "{heard}");
    }
    // From a file, and from what a job has in its environment.
    let file = scene.path("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let output = scene
        .dotage(&[
            "ci",
            "gitlab",
            "sync",
            "-P",
            "production",
            "--token-file",
            file.to_str().unwrap(),
            "--dry-run",
        ])
        .env("CI_SERVER_URL", format!("http://127.0.0.1:{}", gitlab.port))
        .env("CI_PROJECT_ID", "7")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let output = scene
        .dotage(&[
            "ci",
            "gitlab",
            "sync",
            "-P",
            "production",
            "--url",
            "https://x",
        ])
        .env("GITLAB_TOKEN", TOKEN)
        .output()
        .unwrap();
    assert!(refused(&scene, &output).starts_with("whose variables are they to be?\n"));
}

#[test]
fn what_an_older_or_cheaper_gitlab_passes_over_is_noticed() {
    let scene = Scene::new();
    let gitlab = Gitlab::start(&scene);
    let output = gitlab.well(&scene, "group/old", &["API_TOKEN"]);
    let said = text(&output.stderr);
    assert!(
        said.contains("warning: API_TOKEN is masked, but not hidden\n"),
        "{said}"
    );
    let said = gitlab.badly(&scene, "groups/team", &["API_TOKEN"]);
    assert!(
        said.contains("group team takes no scope: API_TOKEN would be there for every environment"),
        "{said}"
    );
    assert_eq!(gitlab.count("groups/team"), 0);
    gitlab.well(&scene, "groups/team", &["API_TOKEN", "--scope", "*"]);
    assert_eq!(gitlab.count("groups/team"), 1);
    gitlab.well(
        &scene,
        "groups/premium",
        &["API_TOKEN", "--visible", "--unprotected"],
    );
    let made = gitlab.variable("groups/premium", "API_TOKEN");
    assert_eq!(
        (
            &made["environment_scope"],
            &made["hidden"],
            &made["protected"]
        ),
        (&json!("production"), &json!(false), &json!(false))
    );
}

#[test]
fn a_secret_that_cant_be_masked_is_not_sent() {
    let mut scene = Scene::new();
    scene.set("OLD_TOKEN", "correct horse battery staple");
    let gitlab = Gitlab::start(&scene);
    let seen = &mut 0;
    let said = gitlab.badly(&scene, "7", &[]);
    assert!(
        said.starts_with("OLD_TOKEN has white space in it, and GitLab can't mask it\n"),
        "{said}"
    );
    assert_eq!(gitlab.requests(seen), ["GET"]);
    gitlab.well(&scene, "7", &["OLD_TOKEN", "--allow-unmasked"]);
    assert_eq!(
        gitlab.variable("projects/group/app", "OLD_TOKEN")["masked"],
        false
    );
    // With names, pruning would take everything else.
    let said = gitlab.badly(&scene, "7", &["OLD_TOKEN", "--prune"]);
    assert!(
        said.contains("--prune would delete every other variable"),
        "{said}"
    );
    scene.well(&["unset", "API_TOKEN", "--profile", "production"]);
    let said = gitlab.badly(&scene, "7", &[]);
    assert!(
        said.contains("API_TOKEN has no value in profile production"),
        "{said}"
    );
}

/// A curl before the real one writes down how it is called: who looks at the machine's processes sees as much.
#[test]
fn neither_token_nor_value_is_on_a_command_line_or_in_an_environment() {
    let scene = Scene::new();
    let gitlab = Gitlab::start(&scene);
    let seen = scene.path("seen");
    let curl = scene.path("bin/curl");
    fs::create_dir(scene.path("bin")).unwrap();
    let script = format!(
        "#!/bin/sh\n{{ printf '%s\\n' \"$0\" \"$@\"; env; }} >> {}\nPATH=${{PATH#*:}} exec curl \"$@\"\n",
        seen.display()
    );
    fs::write(&curl, script).unwrap();
    fs::set_permissions(&curl, fs::Permissions::from_mode(0o755)).unwrap();
    // What a user's own .curlrc says has no say.
    fs::write(scene.path("home/.curlrc"), "trace-ascii = \"trace.txt\"\n").unwrap();
    let output = gitlab
        .sync(&scene, "group/app", &[])
        .env("DOTAGE_IDENTITY", &scene.key)
        .output()
        .unwrap();
    scene.search(&output);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let seen = fs::read(seen).unwrap();
    assert!(text(&seen).matches("--config\n").count() >= 6);
    assert_eq!(scene.leak(&seen), None);
    assert!(!text(&seen).contains(TOKEN));
    assert!(!scene.project().join("trace.txt").exists());
}

#[test]
fn a_server_that_the_machine_does_not_trust_hears_nothing() {
    let scene = Scene::new();
    let (certificate, key) = (scene.path("certificate.pem"), scene.path("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
        ])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl: run tests/install");
    assert!(made.status.success(), "{}", text(&made.stderr));
    let gitlab = Gitlab::start_with(&scene, &[certificate.clone(), key]);
    let url = format!("https://127.0.0.1:{}", gitlab.port);
    let sync = || {
        let mut command = scene.dotage(&[
            "ci",
            "gitlab",
            "sync",
            "-P",
            "production",
            "--url",
            &url,
            "--project",
            "7",
        ]);
        command.env("GITLAB_TOKEN", TOKEN);
        command
    };
    let said = refused(&scene, &sync().output().unwrap());
    assert!(
        said.starts_with("the server's certificate is not one that this machine trusts\n"),
        "{said}"
    );
    assert!(!gitlab.state.exists(), "it was asked something");
    let output = sync().env("CURL_CA_BUNDLE", certificate).output().unwrap();
    scene.search(&output);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(gitlab.count("projects/group/app"), 5);
}
