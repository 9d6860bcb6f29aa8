//! A PostgreSQL of its own: Debian's, started by an account that isn't root, as the image that the preset uses sets it up.

use std::fs;
use std::io::Write;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub(super) const LOOPBACK: &str = "127.0.0.1";

pub(super) struct Server {
    folder: tempfile::TempDir,
    pub(super) port: u16,
    account: String,
    process: Child,
}

/// The folder of PostgreSQL's programs.
pub(super) fn programs() -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL: run tests/install")
        .map(|entry| entry.unwrap().path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().expect("PostgreSQL: run tests/install")
}

/// A port that nobody listens on.
pub(super) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind((LOOPBACK, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn number(option: &str) -> u32 {
    let output = Command::new("id")
        .args([option, "postgres"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim()
        .parse()
        .expect("the account postgres: run tests/install")
}

impl Server {
    /// A server whose superuser is this account: no password on the socket, SCRAM on the loopback; it logs every statement.
    pub(super) fn start(account: &str, password: &str) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let user = rustix::process::geteuid()
            .is_root()
            .then(|| (number("-u"), number("-g")));
        let program = |name: &str| {
            let mut command = Command::new(programs().join(name));
            if let Some((user, group)) = user {
                command.uid(user).gid(group);
            }
            command
                .env_clear()
                .env("LC_ALL", "C.UTF-8")
                .env("PATH", programs())
                .current_dir("/");
            command
        };
        let given = path.join("password");
        fs::write(&given, password).unwrap();
        if let Some((user, group)) = user {
            chown(path, Some(user), Some(group)).unwrap();
            chown(&given, Some(user), Some(group)).unwrap();
        }
        let data = path.join("data");
        let made = program("initdb")
            .args([
                "--no-sync",
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
            ])
            .args(["--username", account, "--pwfile"])
            .arg(&given)
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        fs::remove_file(given).unwrap();
        let port = free_port();
        let log = fs::File::create(path.join("log")).unwrap();
        let process = program("postgres")
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(path)
            .args(["-p", &port.to_string(), "-h", LOOPBACK])
            .args(["-c", "fsync=off", "-c", "log_statement=all"])
            .args([
                "-c",
                "log_connections=on",
                "-c",
                "log_min_duration_statement=0",
            ])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Server {
            folder,
            port,
            account: account.to_owned(),
            process,
        };
        let began = Instant::now();
        while !server.psql(&[], "SELECT 1").status.success() {
            assert!(began.elapsed() < Duration::from_mins(1), "{}", server.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// The folder of its socket.
    pub(super) fn socket(&self) -> &Path {
        self.folder.path()
    }

    /// All that it has logged.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Runs SQL by the superuser, without a password, unless these variables say otherwise.
    pub(super) fn psql(&self, given: &[(&str, &str)], sql: &str) -> Output {
        let mut psql = Command::new(programs().join("psql"))
            .args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"])
            .env_clear()
            .env("LC_ALL", "C.UTF-8")
            .env("PGHOST", self.socket())
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", &self.account)
            .env("PGDATABASE", "postgres")
            .envs(given.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // One that can't connect reads nothing.
        let _ = psql.stdin.take().unwrap().write_all(sql.as_bytes());
        psql.wait_with_output().unwrap()
    }

    /// What a query gives the superuser.
    pub(super) fn ask(&self, sql: &str) -> String {
        let output = self.psql(&[], sql);
        assert!(output.status.success(), "{sql}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Whether a role logs in over the loopback with this password.
    pub(super) fn takes(&self, role: &str, password: &str) -> bool {
        let given = [
            ("PGHOST", LOOPBACK),
            ("PGUSER", role),
            ("PGPASSWORD", password),
        ];
        self.psql(&given, "SELECT 1").stdout == b"1\n"
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its fast shutdown.
        let id = self.process.id().to_string();
        let _ = Command::new("kill").args(["-INT", &id]).status();
        let _ = self.process.wait();
    }
}
