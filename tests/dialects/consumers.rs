//! The real consumers, and how each is asked what it reads in a file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use dotage::dialect::Dialect;

/// What a consumer reads in a file: values by name, or why it reads nothing.
pub(crate) type Answer = Result<BTreeMap<Vec<u8>, Vec<u8>>, String>;

/// A real program that reads such files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Consumer {
    /// What people call it.
    pub(crate) name: &'static str,
    /// The dialect that dotage has for it; `None` where only a portable file suits it.
    pub(crate) dialect: Option<Dialect>,
    /// What asks it.
    asks: Asks,
    /// The most files it is asked, where each costs a process and the same parser is asked elsewhere.
    pub(crate) sample: usize,
}

#[derive(Clone, Copy, Debug)]
enum Asks {
    /// A driver of this folder and its arguments. An argument that begins with `@` is a path under target/consumers.
    Driver(&'static [&'static str]),
    /// This process itself.
    Here(fn(&[u8]) -> Answer),
}

impl Consumer {
    const fn driven(
        name: &'static str,
        dialect: Option<Dialect>,
        driver: &'static [&'static str],
    ) -> Self {
        Consumer {
            name,
            dialect,
            asks: Asks::Driver(driver),
            sample: usize::MAX,
        }
    }

    const fn here(name: &'static str, dialect: Dialect, read: fn(&[u8]) -> Answer) -> Self {
        Consumer {
            name,
            dialect: Some(dialect),
            asks: Asks::Here(read),
            sample: usize::MAX,
        }
    }

    /// The same, asked no more files than this.
    const fn at_most(mut self, files: usize) -> Self {
        self.sample = files;
        self
    }

    /// What it reads in each of these files.
    ///
    /// # Panics
    /// When it isn't installed, and when its driver doesn't answer for each file.
    pub(crate) fn ask<T: AsRef<[u8]>>(&self, files: &[T]) -> Vec<Answer> {
        match self.asks {
            Asks::Here(read) => files.iter().map(|file| read(file.as_ref())).collect(),
            Asks::Driver(driver) => self.ask_driver(driver, files),
        }
    }

    fn ask_driver<T: AsRef<[u8]>>(&self, driver: &[&str], files: &[T]) -> Vec<Answer> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let installed = root.join("target/consumers");
        let words: Vec<PathBuf> = driver
            .iter()
            .map(|word| match word.strip_prefix('@') {
                Some(path) => installed.join(path),
                None if is_driver(word) => root.join("tests/dialects").join(word),
                None => PathBuf::from(word),
            })
            .collect();
        for path in words.iter().filter(|word| word.is_absolute()) {
            assert!(
                path.exists(),
                "{} is not installed: run tests/install",
                self.name
            );
        }

        // One folder a file, named `.env`, as Vite wants it; all of it open to the user whom the shells run as.
        let folder = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .expect("a folder for the files");
        let mut list = String::new();
        for (i, file) in files.iter().enumerate() {
            let path = folder.path().join(format!("{i}/.env"));
            fs::create_dir(folder.path().join(i.to_string())).expect("a folder for a file");
            put(&path, file.as_ref());
            writeln!(list, "{}", path.display()).expect("a line of the list");
        }
        let list_path = folder.path().join("list");
        put(&list_path, list.as_bytes());

        let done = Command::new(&words[0])
            .args(&words[1..])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(folder.path())
            .stdin(File::open(&list_path).expect("the list"))
            .output()
            .unwrap_or_else(|e| panic!("{} does not start ({e}): run tests/install", self.name));
        let said = String::from_utf8_lossy(&done.stdout);
        let answers: Vec<Answer> = said.lines().map(answer).collect();
        assert!(
            done.status.success() && answers.len() == files.len(),
            "{} answered {} times for {} files: run tests/install, then see {}",
            self.name,
            answers.len(),
            files.len(),
            String::from_utf8_lossy(&done.stderr),
        );
        answers
    }
}

fn is_driver(word: &str) -> bool {
    [".py", ".rb", ".mjs"].iter().any(|end| word.ends_with(end))
}

fn put(path: &Path, bytes: &[u8]) {
    let mut file = File::create_new(path).expect("a new file");
    file.write_all(bytes).expect("its bytes");
}

/// A line that a driver said: `ok NAME=VALUE …` in hexadecimal, or `err REASON`.
fn answer(line: &str) -> Answer {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    match kind {
        "ok" => Ok(rest
            .split_ascii_whitespace()
            .map(|entry| {
                let (name, value) = entry.split_once('=').expect("NAME=VALUE");
                (bytes(name), bytes(value))
            })
            .collect()),
        "err" => Err(rest.to_owned()),
        _ => panic!("a driver said neither ok nor err: {line:.300}"),
    }
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    hexadecimal
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("two digits");
            u8::from_str_radix(pair, 16).expect("two hexadecimal digits")
        })
        .collect()
}

/// dotenvy, by its iterator over a reader.
fn dotenvy(file: &[u8]) -> Answer {
    dotenvy::from_read_iter(file)
        .map(|entry| {
            entry
                .map(|(name, value)| (name.into_bytes(), value.into_bytes()))
                .map_err(|e| e.to_string())
        })
        .collect()
}

/// A port, not the consumer: the runner that reads `GITHUB_ENV` can't be installed. The rules are those of its
/// src/Runner.Worker/FileCommandManager.cs (`EnvFileKeyValuePairs`) on Linux; .NET's decoding replaces what isn't UTF-8.
fn github(file: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file));
    let mut read = BTreeMap::new();
    let mut rest: &str = &text;
    // A line, and whether a line feed ended it.
    let mut line = || -> Option<(&str, bool)> {
        if rest.is_empty() {
            return None;
        }
        let (line, after, ended) = match rest.split_once('\n') {
            Some((line, after)) => (line, after, true),
            None => (rest, "", false),
        };
        rest = after;
        Some((line, ended))
    };
    while let Some((assignment, _)) = line() {
        if assignment.is_empty() {
            continue;
        }
        let equals = assignment.find('=');
        let heredoc = assignment.find("<<");
        let (name, value) = match (equals, heredoc) {
            (Some(equals), heredoc) if heredoc.is_none_or(|heredoc| equals < heredoc) => {
                let (name, value) = assignment.split_at(equals);
                (name, value[1..].to_owned())
            }
            (_, Some(heredoc)) => {
                let (name, delimiter) = assignment.split_at(heredoc);
                let delimiter = &delimiter[2..];
                if delimiter.is_empty() {
                    return Err("an empty delimiter".to_owned());
                }
                let mut lines = Vec::new();
                loop {
                    match line() {
                        None => return Err("no matching delimiter".to_owned()),
                        Some((found, _)) if found == delimiter => break,
                        Some((_, false)) => return Err("no line feed before the end".to_owned()),
                        Some((found, true)) => lines.push(found),
                    }
                }
                (name, lines.join("\n"))
            }
            _ => return Err("neither = nor <<".to_owned()),
        };
        if name.is_empty() {
            return Err("an empty name".to_owned());
        }
        read.insert(name.as_bytes().to_vec(), value.into_bytes());
    }
    Ok(read)
}

const PYTHON: &str = "@venv/bin/python";
const NODE_20: &str = "@node/node_modules/node-20/bin/node";
const NODE_26: &str = "@node/node_modules/node-26/bin/node";
const COMPOSE: &str = "@next/usr/libexec/docker/cli-plugins/docker-compose";

macro_rules! consumers {
    ($($constant:ident = $consumer:expr;)*) => {
        $(pub(crate) const $constant: Consumer = $consumer;)*
        /// All of them.
        pub(crate) const ALL: &[Consumer] = &[$($constant),*];
    };
}

consumers! {
    COMPOSE_2 = Consumer::driven("compose 2", Some(Dialect::Compose), &[PYTHON, "compose-2.py", COMPOSE, "env_file"]);
    COMPOSE_2_RAW = Consumer::driven("compose 2, format: raw", Some(Dialect::Docker), &[PYTHON, "compose-2.py", COMPOSE, "raw"]);
    COMPOSE_1 = Consumer::driven("compose 1", Some(Dialect::Python), &["/usr/bin/python3", "compose-1.py", "env_file"]);
    COMPOSE_2_PROJECT = Consumer::driven("compose 2, .env", Some(Dialect::Compose), &[PYTHON, "compose-2.py", COMPOSE, "project"]).at_most(40);
    COMPOSE_1_PROJECT = Consumer::driven("compose 1, .env", Some(Dialect::Python), &["/usr/bin/python3", "compose-1.py", "project"]);
    DOCKER = Consumer::driven("docker", Some(Dialect::Docker), &[PYTHON, "docker-cli.py", "@next/usr/bin/docker"]);
    KUBECTL = Consumer::driven("kubectl", Some(Dialect::Kubernetes), &[PYTHON, "kubectl.py", "@next/usr/bin/kubectl"]);
    SYSTEMD = Consumer::driven("systemd", Some(Dialect::Systemd), &[PYTHON, "systemd.py"]);
    DASH = Consumer::driven("dash", Some(Dialect::Shell), &[PYTHON, "shell.py", "/bin/dash"]);
    BASH = Consumer::driven("bash", Some(Dialect::Shell), &[PYTHON, "shell.py", "/bin/bash"]);
    ZSH = Consumer::driven("zsh", Some(Dialect::Shell), &[PYTHON, "shell.py", "/bin/zsh"]);
    KSH93 = Consumer::driven("ksh93", Some(Dialect::Shell), &[PYTHON, "shell.py", "/bin/ksh93"]);
    MKSH = Consumer::driven("mksh", Some(Dialect::Shell), &[PYTHON, "shell.py", "/bin/mksh"]);
    BUSYBOX = Consumer::driven("busybox sh", Some(Dialect::Shell), &[PYTHON, "shell.py", "/bin/busybox", "sh"]);
    DOTENV_16 = Consumer::driven("dotenv 16", Some(Dialect::Node), &[NODE_26, "node.mjs", "dotenv-16", "@node"]);
    DOTENV_17 = Consumer::driven("dotenv 17", Some(Dialect::Node), &[NODE_26, "node.mjs", "dotenv-17", "@node"]);
    DOTENV_18 = Consumer::driven("dotenv 18", Some(Dialect::Node), &[NODE_26, "node.mjs", "dotenv-18", "@node"]);
    EXPAND_12 = Consumer::driven("dotenv-expand 12", Some(Dialect::DotenvExpand), &[NODE_26, "node.mjs", "dotenv-expand-12", "@node"]);
    EXPAND_1000 = Consumer::driven("dotenv-expand 1000", Some(Dialect::DotenvExpand), &[NODE_26, "node.mjs", "dotenv-expand-1000", "@node"]);
    VITE = Consumer::driven("vite", Some(Dialect::Vite), &[NODE_26, "node.mjs", "vite", "@node"]);
    PARSE_ENV_20 = Consumer::driven("node 20 parseEnv", Some(Dialect::NodeEnvFile), &[NODE_20, "node.mjs", "parse-env", "@node"]);
    PARSE_ENV_26 = Consumer::driven("node 26 parseEnv", Some(Dialect::NodeEnvFile), &[NODE_26, "node.mjs", "parse-env", "@node"]);
    ENV_FILE_20 = Consumer::driven("node 20 --env-file", Some(Dialect::NodeEnvFile), &[NODE_20, "node.mjs", "env-file", "@node"]).at_most(40);
    ENV_FILE_26 = Consumer::driven("node 26 --env-file", Some(Dialect::NodeEnvFile), &[NODE_26, "node.mjs", "env-file", "@node"]).at_most(40);
    PYTHON_DOTENV = Consumer::driven("python-dotenv", Some(Dialect::Python), &[PYTHON, "python-dotenv.py"]);
    DECOUPLE = Consumer::driven("python-decouple", None, &[PYTHON, "python-decouple.py"]);
    RUBY = Consumer::driven("ruby dotenv", Some(Dialect::Ruby), &["/usr/bin/ruby", "dotenv.rb", "@next/usr/share/rubygems-integration/all/gems"]);
    RUST = Consumer::here("dotenvy", Dialect::Rust, dotenvy);
    DIRENV = Consumer::driven("direnv 2.37", Some(Dialect::Direnv), &[PYTHON, "direnv.py", "@next/usr/bin/direnv"]);
    DIRENV_OLD = Consumer::driven("direnv 2.32", Some(Dialect::Direnv), &[PYTHON, "direnv.py", "/usr/bin/direnv"]);
    GITHUB = Consumer::here("GITHUB_ENV (a port)", Dialect::Github, github);
    JSON = Consumer::driven("JSON.parse", Some(Dialect::Json), &[NODE_26, "node.mjs", "json", "@node"]);
    PYYAML = Consumer::driven("PyYAML", Some(Dialect::Yaml), &[PYTHON, "pyyaml.py"]);
    PSYCH = Consumer::driven("Ruby's YAML", Some(Dialect::Yaml), &["/usr/bin/ruby", "psych.rb"]);
}
