//! A project whose values nobody can foresee, and what it is asked.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) const INVENTORY: &str = r#"
profiles:
  development: { vault: vault/development.age, contract: lenient }
  production: { vault: vault/production/ }
services:
  api: {}
  ci: {}
variables:
  API_TOKEN: { purpose: a token, used_by: [api], format: { token: { bytes: 32 } } }
  DB_PASSWORD: { purpose: a password with every sign, used_by: [api] }
  TLS_KEY: { purpose: several lines, used_by: [api] }
  DB_NAME: { purpose: no secret, used_by: [api], sensitive: false, defaults: { production: app } }
  DB_URL: { purpose: derived, used_by: [api], derive: "postgres://u:{{ DB_PASSWORD }}@db/{{ DB_NAME }}" }
  OLD_TOKEN: { purpose: nobody needs it, used_by: [api], required: false }
  GITLAB_SYNC_KEY: { purpose: proves which values GitLab holds, used_by: [ci], required: false, format: { key: { bytes: 32 } } }
"#;

/// Letters and digits that nobody can foresee.
pub(crate) fn unique(length: usize) -> String {
    let mut random = vec![0; length];
    fs::File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut random)
        .unwrap();
    let letters = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789";
    random
        .iter()
        .map(|byte| char::from(letters[usize::from(byte % 59)]))
        .collect()
}

pub(crate) struct Scene {
    folder: tempfile::TempDir,
    pub(crate) values: Vec<(&'static str, String)>,
    /// The identity: its one line.
    pub(crate) key: String,
}

impl Scene {
    /// A project with a production vault.
    pub(crate) fn new() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        fs::create_dir(folder.path().join("project")).unwrap();
        let mut scene = Scene {
            folder,
            values: vec![
                ("API_TOKEN", unique(43)),
                ("DB_PASSWORD", format!("p@$s\"'\\`{{%&{}ß", unique(20))),
                (
                    "TLS_KEY",
                    format!(
                        "-----BEGIN X-----\n{}\n{}\n-----END X-----",
                        unique(64),
                        unique(64)
                    ),
                ),
            ],
            key: String::new(),
        };
        scene.well(&["init"]);
        fs::write(scene.project().join("dotage.yaml"), INVENTORY).unwrap();
        for (name, value) in scene.values.clone() {
            scene.set(name, &value);
        }
        let identity = fs::read_to_string(scene.path("home/.config/dotage/identity.txt")).unwrap();
        scene.key = identity.lines().last().unwrap().to_owned();
        scene
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.path("project")
    }

    pub(crate) fn value(&self, name: &str) -> &str {
        let found = self.values.iter().find(|(other, _)| *other == name);
        &found.unwrap().1
    }

    /// Sets a value in the production vault.
    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        let mut child = self
            .dotage(&["set", name, "--profile", "production"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(value.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        self.values.retain(|(other, _)| *other != name);
        self.values.push((name, value.to_owned()));
    }

    /// dotage in the project, in an environment of its own.
    pub(crate) fn dotage(&self, args: &[&str]) -> Command {
        let dotage = Path::new(env!("CARGO_BIN_EXE_dotage"));
        let path = format!(
            "{}:{}:{}",
            self.path("bin").display(),
            dotage.parent().unwrap().display(),
            std::env::var("PATH").unwrap()
        );
        let mut command = Command::new(dotage);
        command
            .args(args)
            .current_dir(self.project())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path("home"))
            .env("LC_ALL", "C.UTF-8");
        command
    }

    /// What it prints when all goes well.
    pub(crate) fn well(&self, args: &[&str]) -> String {
        let output = self.dotage(args).output().unwrap();
        self.search(&output);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{args:?}: {}",
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// No secret is in what a program printed.
    pub(crate) fn search(&self, output: &Output) {
        for (stream, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            if let Some(name) = self.leak(bytes) {
                panic!("{name} is on {stream}");
            }
        }
    }

    /// A shell that runs a script, where dotage would run.
    pub(crate) fn shell(&self, shell: &[&str], script: &Path) -> Command {
        let dotage = self.dotage(&[]);
        let mut command = Command::new(shell[0]);
        command
            .args(&shell[1..])
            .arg(script)
            .current_dir(self.project())
            .env_clear()
            .envs(
                dotage
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
        command
    }

    /// The secret that a text holds, whole or a line of it.
    pub(crate) fn leak(&self, text: &[u8]) -> Option<&'static str> {
        let key = !self.key.is_empty() && contains(text, &self.key);
        self.leak_of_values(text).or(key.then_some("the identity"))
    }

    /// The same, of the vault's values alone.
    pub(crate) fn leak_of_values(&self, text: &[u8]) -> Option<&'static str> {
        let lines = |(name, value): &(&'static str, String)| {
            value
                .lines()
                .filter(|line| line.len() > 20)
                .any(|line| contains(text, line))
                .then_some(*name)
        };
        self.values.iter().find_map(lines)
    }
}

fn contains(text: &[u8], needle: &str) -> bool {
    text.windows(needle.len())
        .any(|window| window == needle.as_bytes())
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
