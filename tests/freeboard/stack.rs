//! The stack of the preset on this machine: a real PostgreSQL, an API and a gateway in Node, started by the preset's own
//! commands. A program `docker` beside this file stands where a container engine would; all else is what users run.

use super::server::{LOOPBACK, Server, free_port, programs};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The account that the checks sign in with.
const EMAIL: &str = "ann@freeboard.example";
const PASSWORD: &str = "the password of ann";
/// What makes every check that signs in fail.
pub(super) const BROKEN: [(&str, &str); 1] = [("VERIFY_PASSWORD", "another one")];
/// The variables that have a value of their own.
const SECRETS: [&str; 5] = [
    "JWT_SECRET",
    "JWT_GATEWAY_SECRET",
    "GATEWAY_SERVICE_TOKEN",
    "CREDENTIAL_ENCRYPTION_KEY",
    "POSTGRES_PASSWORD",
];

pub(super) struct Stack {
    folder: tempfile::TempDir,
    pub(super) server: Server,
    api: u16,
    gateway: u16,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn dotage(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dotage"));
    command
        .env_clear()
        .env("PATH", path())
        .env("HOME", folder)
        .env("DOTAGE_ACTOR", "ann")
        .env("DOTAGE_PROFILE", "production")
        .current_dir(folder.join("project"))
        .stdin(Stdio::null());
    command
}

/// Our `docker`, the dotage under test, PostgreSQL's programs, and what else there is.
fn path() -> String {
    let ours = [
        root().join("tests/freeboard"),
        PathBuf::from(env!("CARGO_BIN_EXE_dotage"))
            .parent()
            .unwrap()
            .to_owned(),
        programs(),
    ];
    let ours = ours.map(|folder| folder.display().to_string()).join(":");
    format!("{ours}:{}", std::env::var("PATH").unwrap())
}

fn well(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

impl Stack {
    /// A project of the preset whose services are up.
    pub(super) fn new() -> Stack {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("project");
        for each in [&project, &folder.path().join("state")] {
            fs::create_dir(each).unwrap();
        }
        let verb = |args: &[&str]| well(dotage(folder.path()).args(args));
        verb(&["init", "--preset", "freeboard", "."]);
        verb(&["generate", "--missing"]);
        verb(&["render", "compose"]);
        for part in [
            "api.js",
            "gateway.js",
            "package.json",
            "parts.js",
            "reencrypt.js",
            "schema-status.js",
        ] {
            fs::copy(
                root().join("tests/freeboard").join(part),
                project.join(part),
            )
            .unwrap();
        }
        let account = verb(&["get", "POSTGRES_USER"]);
        let database = verb(&["get", "POSTGRES_DB"]);
        let server = Server::start(&account, &verb(&["get", "POSTGRES_PASSWORD"]));
        server.ask(&format!("CREATE DATABASE {database}"));
        let digest = format!("encode(sha256('{PASSWORD}'), 'hex')");
        let made = server.psql(
            &[("PGDATABASE", &database)],
            &format!("CREATE TABLE accounts AS SELECT '{EMAIL}' AS email, {digest} AS digest"),
        );
        assert!(made.status.success(), "{made:?}");
        let stack = Stack {
            folder,
            server,
            api: free_port(),
            gateway: free_port(),
        };
        // Every stack of this machine has its own ports, and what fails here needs no two minutes to be sure of it.
        stack.edit(|inventory| {
            inventory
                .replace("127.0.0.1:4001", &format!("{LOOPBACK}:{}", stack.api))
                .replace("127.0.0.1:4002", &format!("{LOOPBACK}:{}", stack.gateway))
        });
        for service in ["freeboard-postgres", "freeboard-api", "freeboard-gateway"] {
            stack.sh(&format!("docker compose up -d --force-recreate {service}"));
        }
        stack.until_up();
        stack
    }

    /// Waits for the API and the gateway to listen.
    pub(super) fn until_up(&self) {
        let began = Instant::now();
        for port in [self.api, self.gateway] {
            while std::net::TcpStream::connect((LOOPBACK, port)).is_err() {
                assert!(began.elapsed() < Duration::from_mins(1), "port {port}");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    pub(super) fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Changes dotage.yaml.
    pub(super) fn edit(&self, change: impl Fn(String) -> String) {
        let path = self.project().join("dotage.yaml");
        let before = fs::read_to_string(&path).unwrap();
        let after = change(before.clone());
        assert_ne!(before, after);
        fs::write(path, after).unwrap();
    }

    /// A command in the project, with what an operator has in the environment.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let compose = "target/consumers/next/usr/libexec/docker/cli-plugins/docker-compose";
        let compose = root().join(compose);
        assert!(compose.exists(), "Compose: run tests/install");
        let mut command = Command::new(program);
        command
            .current_dir(self.project())
            .env_clear()
            .env("PATH", path())
            .env("HOME", self.folder.path())
            .env("LC_ALL", "C.UTF-8")
            .env("DOTAGE_ACTOR", "ann")
            .env("DOTAGE_PROFILE", "production")
            .env("VERIFY_EMAIL", EMAIL)
            .env("VERIFY_PASSWORD", PASSWORD)
            .env("API_URL", format!("http://{LOOPBACK}:{}", self.api))
            .env("GATEWAY_URL", format!("http://{LOOPBACK}:{}", self.gateway))
            .env("STACK", self.folder.path().join("state"))
            .env("SOCKET", self.server.socket())
            .env("PGHOSTADDR", LOOPBACK)
            .env("PGPORT", self.server.port.to_string())
            .env("COMPOSE", compose)
            .env("npm_config_update_notifier", "false")
            .stdin(Stdio::null());
        command
    }

    pub(super) fn dotage(&self, args: &[&str], given: &[(&str, &str)]) -> Output {
        let mut command = self.command(env!("CARGO_BIN_EXE_dotage"));
        let output = command
            .args(args)
            .envs(given.iter().copied())
            .output()
            .unwrap();
        eprintln!("{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// A line of a shell that must succeed.
    pub(super) fn sh(&self, line: &str) -> String {
        self.sh_with(line, &[])
    }

    pub(super) fn sh_with(&self, line: &str, given: &[(&str, &str)]) -> String {
        well(
            self.command("bash")
                .args(["-euc", line])
                .envs(given.iter().copied()),
        )
    }

    /// Whether a check of the preset passes.
    pub(super) fn verifies(&self, check: &str) -> bool {
        let mut command = self.command("./ops/verify.sh");
        command.arg(check).output().unwrap().status.success()
    }

    pub(super) fn value(&self, name: &str) -> String {
        let output = self.dotage(&["get", name], &[]);
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }

    fn values(&self) -> Vec<String> {
        SECRETS.iter().map(|name| self.value(name)).collect()
    }

    /// Rotates, and sees that nothing which was or is a value was printed.
    pub(super) fn rotate(&self, args: &[&str]) {
        let before = self.values();
        let output = self.dotage(&[&["rotate"], args].concat(), &[]);
        assert!(output.status.success(), "{output:?}");
        self.ended();
        assert_clean(&output, &[before, self.values()].concat());
    }

    /// Rotates with checks that fail, looks at what there is then, and goes back.
    pub(super) fn rolls_back(&self, args: &[&str], meanwhile: impl FnOnce()) {
        // Long enough for a service to start, and no longer: a check that fails is asked again until then.
        self.edit(|inventory| inventory.replace("within: 2m", "within: 8s"));
        let before = self.values();
        let failed = self.dotage(&[&["rotate"], args].concat(), &BROKEN);
        assert_eq!(failed.status.code(), Some(2), "{failed:?}");
        let said = String::from_utf8_lossy(&failed.stderr).into_owned();
        assert!(said.contains("stands at `verify`"), "{said}");
        meanwhile();
        let new = self.values();
        assert_ne!(before, new);
        self.edit(|inventory| inventory.replace("within: 8s", "within: 2m"));
        let back = self.dotage(&["rotate", "--rollback"], &[]);
        assert!(back.status.success(), "{back:?}");
        assert_eq!(before, self.values());
        self.ended();
        for output in [failed, back] {
            assert_clean(&output, &[before.clone(), new.clone()].concat());
        }
    }

    /// No rotation is in flight, and what runs has what the vault has.
    fn ended(&self) {
        let mut files = fs::read_dir(self.project().join("vault")).unwrap();
        let left = files.find(|file| {
            file.as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .contains("rotation")
        });
        assert!(left.is_none(), "{left:?}");
        for (service, names) in [
            ("freeboard-api", &SECRETS[..4]),
            ("freeboard-gateway", &SECRETS[1..3]),
        ] {
            let running = self.running(service);
            for name in names {
                assert_eq!(running[*name], self.value(name), "{name} of {service}");
            }
        }
    }

    /// The environment that a service runs with: proc_pid_environ(5).
    pub(super) fn running(&self, service: &str) -> BTreeMap<String, String> {
        let id = self.state(service, "pid");
        let environment = fs::read_to_string(format!("/proc/{id}/environ")).unwrap();
        environment
            .split_terminator('\0')
            .map(|line| line.split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// What the engine's stand-in keeps of a service.
    pub(super) fn state(&self, service: &str, what: &str) -> String {
        let path = self
            .folder
            .path()
            .join("state")
            .join(format!("{service}.{what}"));
        fs::read_to_string(path).unwrap()
    }

    /// The status and the body of a request to the API.
    pub(super) fn ask(&self, url: &str, token: &str, body: &str) -> (String, String) {
        let mut curl = self.command("curl");
        curl.args(["-sS", "--max-time", "20", "-w", "\n%{http_code}"])
            .args(["-H", &format!("Authorization: Bearer {token}")])
            .arg(format!("http://{LOOPBACK}:{}{url}", self.api));
        if !body.is_empty() {
            curl.args(["--data-binary", "@-"]);
        }
        let mut curl = curl
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("curl: run tests/install");
        curl.stdin
            .take()
            .unwrap()
            .write_all(body.as_bytes())
            .unwrap();
        let output = curl.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.to_owned(), body.to_owned())
    }

    /// A session of ann's.
    pub(super) fn sign_in(&self) -> String {
        let body = format!(r#"{{"email":"{EMAIL}","password":"{PASSWORD}"}}"#);
        let (status, body) = self.ask("/auth/login", "", &body);
        assert_eq!(status, "200");
        body.split('"').nth(3).unwrap().to_owned()
    }

    /// Whether the API still takes a session.
    pub(super) fn takes(&self, token: &str) -> bool {
        self.ask("/auth/session", token, "").0 == "200"
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        for service in ["freeboard-api", "freeboard-gateway"] {
            let _ = self
                .command("docker")
                .args(["compose", "stop", service])
                .status();
        }
    }
}

fn assert_clean(output: &Output, values: &[String]) {
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    for value in values {
        assert!(!said.contains(value.as_str()), "a value was printed");
    }
}
