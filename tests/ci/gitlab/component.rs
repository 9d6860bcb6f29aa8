//! The component's jobs, run by gitlab-ci-local in a repository of their own: what they do, and that no log shows a value.

use super::scene::{Scene, text};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const COMPONENT: &str = include_str!("../../../ci/gitlab/templates/dotage.yml");

/// Prints every value in each form that comes to a careless script's mind, on both streams.
const DEPLOY: &str = r#"#!/bin/sh
echo "deploying with $API_TOKEN" "$DB_PASSWORD"
echo "$TLS_KEY" >&2
printf %s "$API_TOKEN" | base64 -w0; echo
printf 'user:%s' "$DB_PASSWORD" | base64 -w0 >&2; echo >&2
printf %s "$API_TOKEN" | od -An -tx1 | tr -d ' \n'; echo
env
printf %s "$API_TOKEN" | sha256sum > got
echo the end
exit "${ENDS:-0}"
"#;

/// A repository with a vault, on a runner whose user has no identity.
struct Repository {
    scene: Scene,
}

impl Repository {
    fn new(pipeline: &str) -> Repository {
        let scene = Scene::new();
        fs::remove_dir_all(scene.path("home/.config")).unwrap();
        let here = Repository { scene };
        here.write("templates/dotage.yml", COMPONENT);
        here.write("deploy.sh", DEPLOY);
        here.write(".gitlab-ci.yml", pipeline);
        let script = here.path("deploy.sh");
        fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
        here.write(".git/../.gitignore", "got\n*.log\nout/\n");
        here.commit();
        here
    }

    fn path(&self, path: &str) -> PathBuf {
        self.scene.project().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn commit(&self) {
        let script = "git init -q -b main; git add -A
            git -c user.name=a -c user.email=a@localhost commit -qm x
            git remote add origin git@gitlab.example.com:group/app.git 2>/dev/null
            git update-ref refs/remotes/origin/main HEAD; git remote set-head origin main";
        let status = Command::new("sh")
            .args(["-c", script])
            .current_dir(self.scene.project())
            .env("HOME", self.scene.path("home"))
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// The identity as a variable of the project: of type file, or as it is; for production alone.
    fn identity(&self, kind: &str) -> &Self {
        let key = &self.scene.key;
        let text = format!("DOTAGE_IDENTITY:\n  type: {kind}\n  values:\n    production: {key}\n");
        self.write("../variables.yml", &text);
        self
    }

    /// A PATH that has dotage.
    fn on_path(&self) -> String {
        let dotage = Path::new(env!("CARGO_BIN_EXE_dotage")).parent().unwrap();
        format!("{}:{}", dotage.display(), std::env::var("PATH").unwrap())
    }

    /// What gitlab-ci-local says and what its exit code is. Whatever it left, no value is in it.
    fn run(&self, args: &[&str]) -> (i32, String) {
        self.run_on(&self.on_path(), args)
    }

    fn run_on(&self, path: &str, args: &[&str]) -> (i32, String) {
        let output = self.output(path, args);
        self.search(&output);
        let left: Vec<_> = fs::read_dir(self.scene.path("home"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with('.'))
            .collect();
        assert!(left.is_empty(), "temporary files are left: {left:?}");
        let said = text(&output.stdout) + &text(&output.stderr);
        (output.status.code().unwrap(), said)
    }

    fn output(&self, path: &str, args: &[&str]) -> Output {
        let installed = Path::new(ROOT).join("target/consumers");
        Command::new(installed.join("node/node_modules/node-20/bin/node"))
            .arg(installed.join("gitlab/node_modules/gitlab-ci-local/dist/index.js"))
            .args([
                "--force-shell-executor",
                "--no-color",
                "--no-json-schema-validation",
                "--variables-file",
                "../variables.yml",
            ])
            .args(args)
            .current_dir(self.scene.project())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.scene.path("home"))
            .env("TMPDIR", self.scene.path("home"))
            .env("LC_ALL", "C.UTF-8")
            .output()
            .expect("gitlab-ci-local: run tests/install")
    }

    fn search(&self, output: &Output) {
        self.scene.search(output);
        let mut folders = vec![self.scene.path("home"), self.scene.project()];
        let mut looked = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                let kind = entry.file_type().unwrap();
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() {
                    looked += 1;
                    let leak = self.scene.leak_of_values(&fs::read(&path).unwrap());
                    assert_eq!(leak, None, "{}", path.display());
                }
            }
        }
        assert!(looked > 10, "{looked} files");
    }

    /// Whether the last deployment had the token's real value.
    fn got(&self) -> bool {
        let Ok(got) = fs::read_to_string(self.path("got")) else {
            return false;
        };
        fs::remove_file(self.path("got")).unwrap();
        let token = self.scene.value("API_TOKEN");
        got.starts_with(&dotage::file::sha256(token.as_bytes()))
    }
}

/// A pipeline that includes the component from the working tree, and these jobs.
fn pipeline(jobs: &str) -> String {
    format!(
        "include:\n  - component: $CI_SERVER_FQDN/$CI_PROJECT_PATH/dotage@$CI_COMMIT_SHA\n{jobs}"
    )
}

/// What a README shows as YAML, `GROUP/dotage` being the project of the test and COMMIT its commit.
fn snippet(readme: &str, nth: usize) -> String {
    let block = readme
        .split("```yaml\n")
        .skip(1)
        .filter(|text| text.starts_with("include:"));
    let block = block
        .map(|rest| rest.split("```").next().unwrap())
        .nth(nth)
        .unwrap();
    block
        .replace("GROUP/dotage", "$CI_PROJECT_PATH")
        .replace("COMMIT", "$CI_COMMIT_SHA")
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

/// Nothing of it but the known names of its variables: the shapes in which a careless script prints a value are hidden.
fn assert_hidden(repository: &Repository, said: &str) {
    let scene = &repository.scene;
    let token = scene.value("API_TOKEN");
    let hex: String = token.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(!said.contains(&hex), "hex");
    let base64 = Command::new("sh")
        .args(["-c", "printf %s \"$1\" | base64 -w0", "sh", token])
        .output()
        .unwrap();
    let base64 = text(&base64.stdout);
    assert!(!said.contains(base64.get(..40).unwrap()), "base64");
    assert!(said.contains("deploying with [MASKED]"), "{said}");
    assert!(said.matches("[MASKED]").count() >= 8, "{said}");
    assert!(said.contains("the end"), "{said}");
}

#[test]
fn the_four_lines_of_the_readme_deploy_and_show_nothing() {
    let four = snippet(&read("README.md"), 0);
    assert_eq!(four.lines().count(), 4, "{four}");
    for pasted in [four, snippet(&read("ci/gitlab/README.md"), 0)] {
        let here = Repository::new(&pasted);
        let (code, said) = here.identity("file").run(&["deploy"]);
        assert_eq!(code, 0, "{said}");
        assert_hidden(&here, &said);
        assert!(here.got());
        // The whole pipeline too, with all that the component adds.
        let preview = here.output(&here.on_path(), &["--preview"]);
        let whole = here.scene.path("whole.yml");
        fs::write(&whole, preview.stdout).unwrap();
        assert!(
            fs::read_to_string(&whole)
                .unwrap()
                .contains("\ndotage-check:\n")
        );
        let schema =
            Command::new(Path::new(ROOT).join("target/consumers/venv/bin/check-jsonschema"))
                .args(["--builtin-schema", "vendor.gitlab-ci"])
                .args([here.path(".gitlab-ci.yml"), whole])
                .output()
                .expect("check-jsonschema: run tests/install");
        assert!(schema.status.success(), "{}", text(&schema.stdout));
    }
}

#[test]
fn a_deployment_that_fails_fails_the_job_and_one_without_a_key_never_begins() {
    let job = "deploy: { extends: .dotage, environment: production, script: dotage run -- ./deploy.sh }\n";
    let here = Repository::new(&pipeline(job));
    let (code, said) = here
        .identity("variable")
        .run(&["deploy", "--variable", "ENDS=7"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("FAIL 7"), "{said}");
    assert_hidden(&here, &said);
    assert!(here.got());
    // A fork's pipeline, and another environment: the variable is not there.
    here.write("../variables.yml", "{}\n");
    let (code, said) = here.run(&["deploy"]);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("no identity to open the vault with"),
        "{said}"
    );
    assert!(said.contains("FAIL 3"), "{said}");
    assert!(!here.got());
}

/// What the other tests look for in a log is there when a job shows it.
#[test]
fn a_careless_job_shows_what_it_prints_outside_of_run() {
    let job =
        "deploy: { extends: .dotage, environment: production, script: dotage get API_TOKEN }\n";
    let here = Repository::new(&pipeline(job));
    let output = here.identity("file").output(&here.on_path(), &["deploy"]);
    assert!(output.status.success());
    assert_eq!(here.scene.leak(&output.stdout), Some("API_TOKEN"));
}

#[test]
fn a_broken_contract_stops_the_job() {
    let job = "deploy: { extends: .dotage, environment: production, script: dotage run -- ./deploy.sh }\n";
    let here = Repository::new(&pipeline(job));
    here.write(
        "dotage.yaml",
        &super::scene::INVENTORY.replace("bytes: 32 } } }\n  DB_P", "bytes: 99 } } }\n  DB_P"),
    );
    let (code, said) = here.identity("file").run(&["deploy"]);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("API_TOKEN has 43 characters, fewer than the "),
        "{said}"
    );
    assert!(!here.got());
}

#[test]
fn a_filtered_job_may_print_what_it_likes_and_ends_as_its_script_does() {
    let job = "
deploy:
  extends: .dotage-file
  environment: production
  script:
    - set -a
    - . \"$DOTAGE_FILE\"
    - stat -c 'mode %a' \"$DOTAGE_FILE\"
    - ./deploy.sh
    - echo \"$DB_PASSWORD is the last\"
    - echo \"and this the last line\" >&2
    - exit \"${ENDS:-0}\"
many:
  extends: .dotage-redacted
  environment: production
  script:
    - dotage get API_TOKEN
    - dotage run --redact never -- ./deploy.sh
    - echo \"the last line\"
";
    let here = Repository::new(&pipeline(job));
    here.identity("file");
    for ends in ["0", "9"] {
        let (code, said) = here.run(&["deploy", "--variable", &format!("ENDS={ends}")]);
        let as_said = if ends == "0" { 0 } else { 1 };
        assert_eq!(code, as_said, "{said}");
        if ends == "0" {
            assert_hidden(&here, &said);
            assert!(said.contains("[MASKED] is the last\n"), "{said}");
            assert!(said.contains("and this the last line"), "{said}");
            assert!(here.got());
        } else {
            assert!(said.contains("FAIL 9"), "{said}");
        }
        assert!(said.contains("mode 600"), "{said}");
    }
    let (code, said) = here.run(&["many"]);
    assert_eq!(code, 0, "{said}");
    assert_hidden(&here, &said);
    assert!(said.contains("the last line"), "{said}");
}

#[test]
fn a_merge_request_is_looked_at_without_a_key() {
    let here = Repository::new(&pipeline(""));
    here.write("../variables.yml", "{}\n");
    let of_merge_request = ["--variable", "CI_PIPELINE_SOURCE=merge_request_event"];
    let (code, said) = here.run(&[&["dotage-check"], &of_merge_request[..]].concat());
    assert_eq!(code, 0, "{said}");
    let report = |name: &str| read(here.path(name).to_str().unwrap());
    for name in ["dotage-check.json", "dotage-scan.json"] {
        assert_eq!(report(name).trim(), "[]", "{name}");
    }
    for name in ["dotage-check.xml", "dotage-scan.xml"] {
        assert!(report(name).starts_with("<?xml"), "{name}");
    }
    // Somebody commits a key, and a variable that nothing uses.
    here.write("notes.txt", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n-----END OPENSSH PRIVATE KEY-----\n");
    let inventory = format!(
        "{}  NOBODYS: {{ purpose: nothing }}\n",
        super::scene::INVENTORY
    );
    here.write("dotage.yaml", &inventory);
    here.commit();
    let (code, said) = here.run(&[&["dotage-check"], &of_merge_request[..]].concat());
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("NOBODYS is declared, and nothing uses it"),
        "{said}"
    );
    for (name, told) in [("dotage-check", "NOBODYS"), ("dotage-scan", "notes.txt")] {
        let json: serde_json::Value =
            serde_json::from_str(&report(&format!("{name}.json"))).unwrap();
        assert!(!json.as_array().unwrap().is_empty(), "{name}");
        assert!(json.to_string().contains(told), "{name}: {json}");
        assert!(
            report(&format!("{name}.xml")).contains("<failure"),
            "{name}"
        );
    }
    // No other pipeline has the job.
    let (_, said) = here.run(&["--list"]);
    assert!(!said.contains("dotage-check"), "{said}");
}

#[test]
fn an_instance_without_a_catalog_includes_the_file() {
    let readme = read("ci/gitlab/README.md");
    let included = snippet(&readme, 1).replace(
        "inputs: { profile: production }",
        "inputs: { profile: production, directory: deploy/app, stage: deploy }",
    );
    let job = "deploy: { extends: .dotage, stage: deploy, environment: production, script: dotage run -- ../../deploy.sh }\n";
    let here = Repository::new(&(included + job));
    for part in ["dotage.yaml", "vault"] {
        fs::create_dir_all(here.path("deploy/app")).unwrap();
        fs::rename(here.path(part), here.path("deploy/app").join(part)).unwrap();
    }
    fs::create_dir_all(here.path("ci")).unwrap();
    fs::rename(
        here.path("templates/dotage.yml"),
        here.path("ci/dotage.yml"),
    )
    .unwrap();
    here.commit();
    let (code, said) = here.identity("file").run(&["deploy"]);
    assert_eq!(code, 0, "{said}");
    assert_hidden(&here, &said);
    let token = fs::read_to_string(here.path("deploy/app/got")).unwrap();
    assert!(token.starts_with(&dotage::file::sha256(
        here.scene.value("API_TOKEN").as_bytes()
    )));
}

#[test]
fn what_is_downloaded_is_run_only_if_it_is_the_binary_that_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(env!("CARGO_BIN_EXE_dotage"), folder.path().join("dotage")).unwrap();
    let mut server = Command::new("python3")
        .args(["-u", "-c", "import http.server as h; s = h.ThreadingHTTPServer(('127.0.0.1', 0), h.SimpleHTTPRequestHandler); print(s.server_port); s.serve_forever()"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut port = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(server.stdout.take().unwrap()),
        &mut port,
    )
    .unwrap();
    let sum = dotage::file::sha256(&fs::read(env!("CARGO_BIN_EXE_dotage")).unwrap());
    let url = format!("http://127.0.0.1:{}/dotage", port.trim());
    let outcomes = [
        (url.as_str(), sum.as_str(), 0, "the end"),
        (
            &url,
            &"0".repeat(64),
            1,
            "what was downloaded is not the binary that sha256 names",
        ),
        (&url, "", 1, "dotage is not on the PATH of this job"),
        ("", "", 1, "give the component both inputs: url and sha256"),
    ];
    for (url, sum, ends, told) in outcomes {
        let jobs = format!(
            "    inputs: {{ url: \"{url}\", sha256: \"{sum}\" }}
deploy: {{ extends: .dotage, environment: production, script: dotage run -- ./deploy.sh }}\n"
        );
        let here = Repository::new(&pipeline(&jobs));
        here.identity("file");
        let (code, said) = here.run_on(&std::env::var("PATH").unwrap(), &["deploy"]);
        assert_eq!(code, ends, "{said}");
        assert!(said.contains(told), "{said}");
        assert_eq!(here.got(), ends == 0);
    }
    let _ = server.kill();
    let _ = server.wait();
}

/// The script of one of the component's hidden jobs.
fn script_of(job: &str) -> String {
    let start = format!("\n{job}:\n  script:\n    - |\n");
    let text = COMPONENT.split_once(&*start).unwrap().1;
    let lines = text
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("      "));
    lines
        .map(|line| format!("{}\n", line.trim_start_matches("      ")))
        .collect()
}

/// gitlab-runner hands the whole script to an `eval` in a shell of its own, with the pipe as its standard input.
#[test]
fn the_filter_works_in_every_shell_that_a_runner_has() {
    let scene = Scene::new();
    let filter = script_of(".dotage-filter");
    for shell in [&["bash"][..], &["dash"], &["busybox", "sh"]] {
        for ends in ["true", "exit 7", "false", "nobody"] {
            let job = format!(
                "set -e\n(set -o pipefail) 2>/dev/null && set -o pipefail\n{filter}\ndotage get API_TOKEN -P production\necho err >&2\n{ends}\nprintf 'no line feed'\n"
            );
            let quoted = job.replace('\'', "'\\''");
            let wrapped =
                format!("(trap 'exit 1' TERM; eval '{quoted}') < /dev/null; echo \"ended $?\"");
            fs::write(scene.path("wrapped"), wrapped).unwrap();
            let output = scene
                .shell(shell, &scene.path("wrapped"))
                .env("GITLAB_CI", "true")
                .env("DOTAGE_PROFILE", "production")
                .output()
                .unwrap();
            scene.search(&output);
            let said = text(&output.stdout);
            let code = match ends {
                "true" => 0,
                "exit 7" => 7,
                "false" => 1,
                _ => 127,
            };
            let start = if code == 127 {
                "[MASKED]"
            } else {
                "[MASKED]err\n"
            };
            assert!(said.starts_with(start), "{shell:?} {ends}: {said}");
            assert!(
                said.ends_with(&format!("ended {code}\n")),
                "{shell:?} {ends}: {said}"
            );
            assert_eq!(
                said.contains("no line feed"),
                code == 0,
                "{shell:?}: {said}"
            );
        }
        // Where the filter can't open the vault, nothing may be printed and the job fails.
        let job = format!("set -e\n{filter}\necho \"a value\"\nsleep 0.3\necho more\n");
        fs::write(scene.path("wrapped"), job).unwrap();
        let output = scene
            .shell(shell, &scene.path("wrapped"))
            .env("HOME", "/nowhere")
            .env("DOTAGE_PROFILE", "production")
            .output()
            .unwrap();
        assert!(!output.status.success(), "{shell:?}");
        assert_eq!(text(&output.stdout), "", "{shell:?}");
    }
}
