//! The real act runs our action, each ready workflow and the README's lines in repositories that have a vault and one CI
//! secret. act hides less than GitHub does, so what it logs is searched for every value in every encoding.
//!
//! What a workflow reaches out to that isn't ours (pip's Ansible, a host) is a stand-in here, and named as one.

use dotage::redact::Needles;
use dotage::secret::{Name, Secret};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const DOTAGE: &str = env!("CARGO_BIN_EXE_dotage");

/// A repository with a project, and a machine that runs its jobs.
pub(super) struct Repository {
    folder: TempDir,
    /// What the log must not show.
    values: Vec<(Name, Secret)>,
    identity: String,
}

const INVENTORY: &str = "\
profiles:
  production: { vault: vault/production/ }
services:
  api: {}
  gateway: {}
variables:
  SESSION_SECRET: { purpose: signs cookies, used_by: [api], format: { token: { bytes: 48 } } }
  GATEWAY_TOKEN: { purpose: the gateway's account, used_by: [gateway], format: { token: { bytes: 32 } } }
  DB_PASSWORD: { purpose: the database account, used_by: [api, gateway], format: text }
  DEPLOY_SSH_KEY: { purpose: reaches the hosts, used_by: [api], format: text }
  REGION: { purpose: where it runs, used_by: [api], format: text, sensitive: false, defaults: { production: eu-1 } }
";

impl Repository {
    pub(super) fn new() -> Self {
        Repository::with(INVENTORY)
    }

    fn with(inventory: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["repo/.github/workflows", "home", "bin", "action/ci", "act"] {
            fs::create_dir_all(folder.path().join(part)).unwrap();
        }
        symlink(DOTAGE, folder.path().join("bin/dotage")).unwrap();
        let copied = Command::new("cp")
            .args(["-r", &format!("{ROOT}/ci/github")])
            .arg(folder.path().join("action/ci/"))
            .status()
            .unwrap();
        assert!(copied.success());
        let mut repository = Repository {
            folder,
            values: Vec::new(),
            identity: String::new(),
        };
        repository.shell("git init -q && dotage init");
        repository.put("dotage.yaml", inventory);
        let identity =
            fs::read_to_string(repository.path("home/.config/dotage/identity.txt")).unwrap();
        let key = identity
            .lines()
            .find(|line| line.starts_with("AGE-"))
            .unwrap();
        repository.identity = key.to_owned();
        repository
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// A file of the repository; one that begins `#!` is a program.
    pub(super) fn put(&self, path: &str, text: &str) {
        let path = self.path("repo").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn set(&mut self, name: &str, value: &str) {
        self.put("value", value);
        self.shell(&format!("dotage set {name} <value && rm value"));
        let secret = Secret::new(value.as_bytes().to_vec());
        self.values.push((Name::new(name).unwrap(), secret));
    }

    /// Values that have no `%` and no `::`, which act reads otherwise than GitHub does.
    pub(super) fn fill(mut self) -> Self {
        let random = |bytes| {
            let secret =
                dotage::generate::random(bytes, dotage::generate::Encoding::Base64Url).unwrap();
            String::from_utf8(secret.expose().to_vec()).unwrap()
        };
        let key = Command::new("openssl")
            .args(["genpkey", "-algorithm", "ed25519"])
            .output()
            .unwrap();
        self.set("SESSION_SECRET", &random(48));
        self.set("GATEWAY_TOKEN", &random(32));
        self.set("DB_PASSWORD", &format!("p@ss '\"/{}", random(9)));
        self.set("DEPLOY_SSH_KEY", std::str::from_utf8(&key.stdout).unwrap());
        self
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path("repo"))
            .env_clear()
            .env("HOME", self.path("home"))
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", self.path("bin").display()),
            )
            .env("LC_ALL", "C.UTF-8")
            .envs([
                ("GIT_AUTHOR_NAME", "ci"),
                ("GIT_AUTHOR_EMAIL", "ci@localhost"),
                ("GIT_COMMITTER_NAME", "ci"),
                ("GIT_COMMITTER_EMAIL", "ci@localhost"),
            ]);
        command
    }

    pub(super) fn shell(&self, script: &str) -> String {
        let output = self
            .command("bash")
            .args(["-euc", script])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a workflow of the repository for an event, with these CI secrets: whether it succeeded, and the log.
    pub(super) fn act(
        &self,
        workflow: &str,
        event: &str,
        secrets: &[(&str, &str)],
    ) -> (bool, String) {
        self.act_with(workflow, event, secrets, &[])
    }

    pub(super) fn act_with(
        &self,
        workflow: &str,
        event: &str,
        secrets: &[(&str, &str)],
        more: &[&str],
    ) -> (bool, String) {
        self.shell("git add -A && { git diff --cached --quiet || git commit -qm ci; }");
        let file: String = secrets
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        fs::write(self.path("secrets"), file).unwrap();
        let act = format!("{ROOT}/target/consumers/venv/bin/act");
        assert!(Path::new(&act).exists(), "run tests/install");
        let action = format!(
            "OWNER/dotage@{}={}",
            pinned(),
            self.path("action").display()
        );
        let output = self
            .command(&act)
            .env("HOME", self.path("act"))
            .args([event, "--workflows"])
            .arg(format!(".github/workflows/{workflow}"))
            .args([
                "--platform",
                "ubuntu-latest=-self-hosted",
                "--no-cache-server",
            ])
            .args(["--env-file", "/dev/null", "--secret-file"])
            .arg(self.path("secrets"))
            .args(["--local-repository", &action])
            .args(more)
            .output()
            .unwrap();
        let log = [output.stdout, output.stderr]
            .map(|stream| String::from_utf8_lossy(&stream).into_owned());
        // A mask a line, each hidden by itself.
        let lines = log.iter().flat_map(|stream| stream.lines());
        let lines = lines.filter(|line| !line.ends_with("⚙  ***"));
        let log = lines.flat_map(|line| [line, "\n"]).collect::<String>();
        self.search(&log);
        (output.status.success(), log)
    }

    /// The same for a workflow that fails, with `said` in its log. act doesn't wait for the last of what a failing step
    /// prints, so a log without it is asked for again.
    fn act_fails(
        &self,
        workflow: &str,
        event: &str,
        secrets: &[(&str, &str)],
        said: &str,
    ) -> String {
        for _ in 0..8 {
            let (succeeded, log) = self.act(workflow, event, secrets);
            assert!(!succeeded, "{log}");
            if log.contains(said) {
                return log;
            }
        }
        panic!("a failing job does not say {said}")
    }

    /// Fails when a log shows a value in any encoding, or the identity.
    fn search(&self, log: &str) {
        let own = (
            Name::new("IDENTITY").unwrap(),
            Secret::new(self.identity.as_bytes().to_vec()),
        );
        let secrets = self.values.iter().chain([&own]);
        let needles = Needles::new(secrets.map(|(name, secret)| (name, secret)));
        let found: Vec<String> = needles
            .find(log.as_bytes())
            .map(|found| format!("{} ({})", found.name, found.encoding.name()))
            .collect();
        assert!(found.is_empty(), "the log shows {}", found.join(", "));
    }

    fn identity(&self) -> [(&str, &str); 1] {
        [("DOTAGE_IDENTITY", &self.identity)]
    }

    fn workflow(&self, name: &str) {
        let text = fs::read_to_string(format!("{ROOT}/ci/github/workflows/{name}")).unwrap();
        self.put(&format!(".github/workflows/{name}"), &text);
    }
}

/// The commit that the ready workflows and the README take the action from.
fn pinned() -> String {
    let text = fs::read_to_string(format!("{ROOT}/ci/github/workflows/deploy.yml")).unwrap();
    let (_, rest) = text.split_once("OWNER/dotage/ci/github@").unwrap();
    rest[..40].to_owned()
}

/// What the steps printed: act begins each of those lines so.
fn printed(log: &str) -> Vec<&str> {
    log.lines()
        .filter_map(|line| line.split_once("]   | "))
        .map(|(_, text)| text)
        .collect()
}

fn says(log: &str, line: &str) -> bool {
    printed(log).contains(&line)
}

#[test]
fn the_action_hands_over_and_masks_in_each_way() {
    let repository = Repository::new().fill();
    let uses = format!("OWNER/dotage/ci/github@{}", pinned());
    let steps = |with: &str, run: &str| {
        format!(
            "    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8\n      \
             - uses: {uses}\n        id: values\n        with: {{ profile: production, {with} }}\n      - run: |\n{}\n        env:\n          \
             EXPORTED: ${{{{ steps.values.outputs.exported }}}}\n          \
             FILE: ${{{{ steps.values.outputs.path }}}}\n          JSON: ${{{{ steps.values.outputs.json }}}}\n",
            run.lines()
                .map(|line| format!("          {line}"))
                .collect::<Vec<_>>()
                .join("\n")
        )
    };
    let identity = "identity: \"${{ secrets.DOTAGE_IDENTITY }}\"";
    let jobs = [
        (
            "env",
            steps(
                &format!("{identity}, names: \"SESSION_SECRET,DB_PASSWORD DEPLOY_SSH_KEY REGION\""),
                "echo \"env exported=$EXPORTED region=$REGION ${#SESSION_SECRET} gateway=${GATEWAY_TOKEN-none}\"\n\
                 echo \"the session is $SESSION_SECRET\"\n\
                 echo \"$DB_PASSWORD\" | base64 -w0; echo\n\
                 printf %s \"$DB_PASSWORD\" | xxd -p\n\
                 stat -c 'env mode=%a' \"$DEPLOY_SSH_KEY_FILE\"\n\
                 openssl pkey -in \"$DEPLOY_SSH_KEY_FILE\" -noout && echo env key=good\n\
                 if env | grep -q AGE-SECRET-KEY; then echo the identity is here; fi",
            ),
        ),
        (
            "file",
            steps(
                &format!(
                    "{identity}, export: file, names: SESSION_SECRET DB_PASSWORD, options: \"--template=variables.compose.env.j2\""
                ),
                "stat -c 'file mode=%a' \"$FILE\"\ngrep -c '^[A-Z_]*=' \"$FILE\" | sed 's/^/file values=/'\necho \"file exported=$EXPORTED session=${SESSION_SECRET-none}\"",
            ),
        ),
        (
            "outputs",
            steps(
                &format!("{identity}, export: outputs, names: REGION"),
                "echo \"outputs $JSON\"",
            ),
        ),
        (
            "secret-outputs",
            steps(
                &format!(
                    "{identity}, export: outputs, names: SESSION_SECRET, options: --secrets-as-outputs"
                ),
                "echo \"secret-outputs $JSON\"",
            ),
        ),
        (
            "none",
            steps(
                &format!("{identity}, export: none"),
                "echo \"none exported=$EXPORTED session=${SESSION_SECRET-none}\"",
            ),
        ),
        (
            "skipped",
            steps(
                "if-no-identity: skip",
                "echo \"skipped exported=$EXPORTED session=${SESSION_SECRET-none}\"",
            ),
        ),
        (
            "installed",
            steps(
                "export: none",
                "echo \"installed $(dotage --version | cut -d' ' -f1)\"",
            ),
        ),
    ];
    let mut workflow = "on: push\njobs:\n".to_owned();
    for (name, steps) in &jobs {
        workflow.push_str(&format!("  {name}:\n{steps}"));
    }
    repository.put(".github/workflows/ways.yml", &workflow);
    let (succeeded, log) = repository.act("ways.yml", "push", &repository.identity());
    assert!(succeeded, "{log}");
    for line in [
        "env exported=true region=eu-1 64 gateway=none",
        "the session is ***",
        "env mode=600",
        "env key=good",
        "file mode=600",
        "file values=2",
        "file exported=true session=none",
        "outputs {\"REGION\":\"eu-1\"}",
        "secret-outputs {\"SESSION_SECRET\":\"***\"}",
        "none exported=true session=none",
        "skipped exported=false session=none",
        "installed dotage",
    ] {
        assert!(says(&log, line), "{line} is missing in\n{log}");
    }
    assert!(!says(&log, "the identity is here"), "{log}");
}

#[test]
fn a_job_without_an_identity_or_with_a_wrong_one_fails_and_says_why() {
    let repository = Repository::new().fill();
    let uses = format!("OWNER/dotage/ci/github@{}", pinned());
    let job = |with: &str| {
        format!(
            "on: pull_request\njobs:\n  check:\n    runs-on: ubuntu-latest\n    steps:\n      \
             - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8\n      - uses: {uses}\n        with: {{ profile: production, {with} }}\n      \
             - run: echo went on\n"
        )
    };
    let other = "AGE-SECRET-KEY-184JMZMVQH3E6U0PSL869004Y3U2NYV7R30EU99CSEDNPH02YUVFSZW44VU";
    for (with, secrets, said) in [
        (
            "if-no-identity: fail",
            &[][..],
            "a pull request from a fork gets no secrets",
        ),
        (
            "identity: \"${{ secrets.DOTAGE_IDENTITY }}\", if-no-identity: skip",
            &[("DOTAGE_IDENTITY", other)],
            "none of",
        ),
        (
            "identity: \"${{ secrets.DOTAGE_IDENTITY }}\", export: outputs",
            &repository.identity(),
            "outputs are no place for one",
        ),
        (
            "identity: \"${{ secrets.DOTAGE_IDENTITY }}\", names: NOTHING",
            &repository.identity(),
            "NOTHING is not declared",
        ),
        (
            "identity: \"${{ secrets.DOTAGE_IDENTITY }}\", profile: x",
            &repository.identity(),
            "there is no profile x",
        ),
        (
            "export: none, binary: /bin/false",
            &[],
            "has to be a file called dotage",
        ),
        (
            "export: none, version: 9.9.9",
            &[],
            "no SHA-256 of dotage-9.9.9-",
        ),
    ] {
        repository.put(
            ".github/workflows/w.yml",
            &job(with).replace(
                "profile: production, identity: \"${{ secrets.DOTAGE_IDENTITY }}\", profile: x",
                "identity: \"${{ secrets.DOTAGE_IDENTITY }}\", profile: x",
            ),
        );
        let log = repository.act_fails("w.yml", "pull_request", secrets, said);
        assert!(!says(&log, "went on"), "{log}");
    }
}

#[test]
fn a_release_is_installed_by_its_checksum_or_not_at_all() {
    let repository = Repository::new();
    let machine = repository.shell("uname -m");
    let name = format!("dotage-9.9.9-{}-linux", machine.trim());
    let releases = repository.path("releases");
    fs::create_dir_all(releases.join("v9.9.9")).unwrap();
    fs::write(
        releases.join("v9.9.9").join(&name),
        "#!/bin/sh\necho dotage 9.9.9 '(a stand-in)'\n",
    )
    .unwrap();
    let sum = repository.shell(&format!("sha256sum <{}/v9.9.9/{name}", releases.display()));
    let sum = sum.split(' ').next().unwrap();
    let workflow = |checksum: &str| {
        format!(
            "on: push\njobs:\n  install:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: OWNER/dotage/ci/github@{}\n        \
             with: {{ export: none, version: 9.9.9, releases: \"file://{}\", checksum: \"{checksum}\" }}\n      \
             - run: dotage --version\n",
            pinned(),
            releases.display()
        )
    };
    repository.put(".github/workflows/w.yml", &workflow(sum));
    let (succeeded, log) = repository.act("w.yml", "push", &[]);
    assert!(
        succeeded && says(&log, "dotage 9.9.9 (a stand-in)"),
        "{log}"
    );
    // Written down beside the action: what a commit of it pins.
    let sums = repository.path("action/ci/github/SHA256SUMS");
    fs::write(&sums, format!("# those\n{sum}  {name}\n")).unwrap();
    repository.put(".github/workflows/w.yml", &workflow(""));
    let (succeeded, log) = repository.act("w.yml", "push", &[]);
    assert!(
        succeeded && says(&log, "dotage 9.9.9 (a stand-in)"),
        "{log}"
    );
    // Another file under the same name.
    fs::write(
        releases.join("v9.9.9").join(&name),
        "#!/bin/sh\necho it ran\n",
    )
    .unwrap();
    let log = repository.act_fails("w.yml", "push", &[], "is not the file that it was");
    assert!(!log.contains("it ran"), "{log}");
    fs::remove_file(releases.join("v9.9.9").join(&name)).unwrap();
    repository.act_fails("w.yml", "push", &[], "could not be downloaded");
}

/// What a stranger does: a repository with a vault, one CI secret, and the README's lines as they stand there.
#[test]
fn the_four_lines_of_the_readme_are_enough() {
    let repository = Repository::new().fill();
    let readme = fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    let (_, rest) = readme.split_once("\n## GitHub in four lines\n").unwrap();
    let (_, rest) = rest.split_once("\n```yaml\n").unwrap();
    let (lines, _) = rest.split_once("```\n").unwrap();
    assert_eq!(lines.lines().count(), 4);
    let job = "on: push\njobs:\n  deploy:\n    runs-on: ubuntu-latest\n    environment: production\n    steps:\n";
    repository.put(".github/workflows/deploy.yml", &format!("{job}{lines}"));
    repository.put(
        "deploy.sh",
        "#!/bin/sh\necho \"session=${#SESSION_SECRET} region=$REGION $DB_PASSWORD\"\nstat -c 'key=%a' \"$DEPLOY_SSH_KEY_FILE\"\n",
    );
    let (succeeded, log) = repository.act("deploy.yml", "push", &repository.identity());
    assert!(succeeded, "{log}");
    assert!(
        says(&log, "session=64 region=eu-1 ***") && says(&log, "key=600"),
        "{log}"
    );
}

#[test]
fn the_workflow_that_deploys_gives_values_to_one_program_and_hides_what_it_prints() {
    let repository = Repository::new().fill();
    repository.workflow("deploy.yml");
    repository.put(
        "deploy.sh",
        "#!/bin/sh\necho \"session=${#SESSION_SECRET} gateway=${#GATEWAY_TOKEN} identity=${DOTAGE_IDENTITY-gone}\"\n\
         printf %s \"$SESSION_SECRET\" | rev; echo\necho \"db $DB_PASSWORD\"\nprintf %s \"x$SESSION_SECRET\" | base64 -w0 >&2\n\
         printf '%s\\n' \"$DEPLOY_SSH_KEY\"\n",
    );
    let (succeeded, log) = repository.act("deploy.yml", "push", &repository.identity());
    assert!(succeeded, "{log}");
    assert!(
        says(&log, "session=64 gateway=0 identity=gone") && says(&log, "db ***"),
        "{log}"
    );
    // What the program exits with is what the step exits with.
    repository.put(
        "deploy.sh",
        "#!/bin/sh\necho \"failed with $SESSION_SECRET\"\nexit 7\n",
    );
    repository.act_fails(
        "deploy.yml",
        "push",
        &repository.identity(),
        "exit status 7",
    );
}

/// A fork's pull request: no secret at all, and what it would bring in is told beside its line.
#[test]
fn the_workflow_for_pull_requests_needs_no_key() {
    let mut repository = Repository::new().fill();
    repository.workflow("pull-request.yml");
    repository.identity.push_str(" is kept from this job");
    repository.put(".gitignore", "/.env\n");
    fs::remove_dir_all(repository.path("home/.config")).unwrap();
    let (succeeded, log) = repository.act("pull-request.yml", "pull_request", &[]);
    assert!(succeeded, "{log}");
    // A name that nothing declares, and a key in the open.
    repository.put("api.env.j2", "A={{ UNDECLARED_NAME }}\n");
    let inventory = format!(
        "{INVENTORY}targets:\n  api: {{ template: api.env.j2, to: .env, profile: production }}\n"
    );
    repository.put("dotage.yaml", &inventory);
    let log = repository.act_fails("pull-request.yml", "pull_request", &[], "UNDECLARED_NAME");
    assert!(log.contains("::error file=api.env.j2"), "{log}");
    repository.put("dotage.yaml", INVENTORY);
    let key = Command::new("openssl")
        .args(["genpkey", "-algorithm", "ed25519"])
        .output()
        .unwrap();
    repository.put("deploy.key", std::str::from_utf8(&key.stdout).unwrap());
    repository.act_fails("pull-request.yml", "pull_request", &[], "file=deploy.key");
    // What is gone from the files is in git all the same.
    repository.shell("git rm -q deploy.key");
    repository.act_fails("pull-request.yml", "pull_request", &[], "%3Adeploy.key");
}

#[test]
fn the_workflow_for_services_gives_each_job_its_own() {
    let repository = Repository::new().fill();
    repository.workflow("services.yml");
    repository.put(
        "deploy.sh",
        "#!/bin/sh\necho \"$1: session=${#SESSION_SECRET} gateway=${#GATEWAY_TOKEN} db=$DB_PASSWORD\"\n",
    );
    let (succeeded, log) = repository.act("services.yml", "push", &repository.identity());
    assert!(succeeded, "{log}");
    assert!(says(&log, "api: session=64 gateway=0 db=***"), "{log}");
    assert!(says(&log, "gateway: session=0 gateway=43 db=***"), "{log}");
}

#[test]
fn the_workflow_for_rotations_annotates_what_is_due() {
    let mut repository = Repository::with(
        "profiles:\n  production: { vault: vault/production/ }\nservices:\n  api: {}\nvariables:\n  \
         API_TOKEN: { purpose: an account, used_by: [api], format: text, rotation: { every: 1s } }\n",
    );
    repository.workflow("rotation.yml");
    repository.set("API_TOKEN", "J7xq9LmZ2vKpR4tWcY8sD1fGhB6nE3aU");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let log = repository.act_fails("rotation.yml", "schedule", &[], "rotation-due");
    assert!(log.contains("API_TOKEN"), "{log}");
}

#[test]
fn the_workflow_for_ansible_has_a_key_file_and_the_identity_where_it_is_needed() {
    let repository = Repository::new().fill();
    repository.workflow("ansible.yml");
    repository.put(
        "ansible/requirements.txt",
        "# Ansible itself is a stand-in in this test\n",
    );
    // `python3 -m venv` is real; the two programs of Ansible are found on the PATH in its place.
    let venv = "#!/bin/sh\n/usr/bin/python3 \"$@\" && cp \"$(dirname \"$0\")/../stand-ins\"/* \"$3/bin/\"\n";
    let bin = repository.path("bin/python3");
    fs::write(&bin, venv).unwrap();
    fs::set_permissions(&bin, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(repository.path("stand-ins")).unwrap();
    for (name, script) in [
        ("ansible-galaxy", "#!/bin/sh\necho \"galaxy: $*\"\n"),
        (
            "ansible-playbook",
            "#!/bin/sh\nstat -c 'key mode=%a' \"$4\"\nopenssl pkey -in \"$4\" -noout && echo key=good\n\
             dotage get SESSION_SECRET --profile production | wc -c\necho \"$DOTAGE_IDENTITY\"\n",
        ),
    ] {
        let path = repository.path("stand-ins").join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let (succeeded, log) = repository.act("ansible.yml", "push", &repository.identity());
    assert!(succeeded, "{log}");
    for line in [
        "galaxy: collection install --requirements-file ansible/requirements.yml",
        "key mode=600",
        "key=good",
        "64",
        "***",
    ] {
        assert!(says(&log, line), "{line} is missing in\n{log}");
    }
}

#[test]
fn doctor_tells_what_a_job_has_and_what_would_leak() {
    let repository = Repository::new().fill();
    let uses = format!("OWNER/dotage/ci/github@{}", pinned());
    let event = serde_json::json!({
        "pull_request": { "head": { "ref": "x", "repo": { "full_name": "kim/shop" } }, "base": { "ref": "main" } }
    });
    fs::write(repository.path("event.json"), event.to_string()).unwrap();
    repository.put(
        ".github/workflows/w.yml",
        &format!(
            "on: pull_request\njobs:\n  look:\n    runs-on: ubuntu-latest\n    steps:\n      \
             - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8\n      - uses: {uses}\n        with: {{ export: none }}\n      \
             - run: dotage ci doctor || echo \"without $?\"\n      \
             - run: |\n          set -x\n          dotage ci doctor --json || echo \"with: $?\"\n        env: {{ DOTAGE_IDENTITY: \"${{{{ secrets.DOTAGE_IDENTITY }}}}\" }}\n      \
             - run: |\n          echo '::stop-commands::aToken'\n          dotage ci doctor || echo \"stopped: $?\"\n          echo '::aToken::'\n"
        ),
    );
    let event = repository.path("event.json");
    let more = ["--eventpath", event.to_str().unwrap()];
    let (succeeded, log) =
        repository.act_with("w.yml", "pull_request", &repository.identity(), &more);
    assert!(succeeded, "{log}");
    assert!(log.contains("platform: GitHub Actions ("), "{log}");
    assert!(
        says(&log, "identity: none") && !log.contains("without 3"),
        "a fork has none, and that is right\n{log}"
    );
    assert!(
        says(&log, "identity: opens production") && says(&log, "with: 1"),
        "{log}"
    );
    for rule in ["\"rule\": \"xtrace\"", "\"rule\": \"fork\""] {
        assert!(log.contains(rule), "{rule} is missing in\n{log}");
    }
    assert!(
        says(&log, "stopped: 1") && log.contains("stop-commands"),
        "{log}"
    );
}
