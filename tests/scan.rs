//! Where a secret landed: files, archives, git's index and its whole history, made with the real git; each encoding at its
//! line and column; and nothing where there is nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dotage::leak::{self, Homes, Hunt, Sought};
use dotage::problem::{Problem, Severity};
use dotage::redact::Needles;
use dotage::secret::{Name, Secret};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const DOTAGE: &str = env!("CARGO_BIN_EXE_dotage");
/// How much of a file is looked at together.
const WINDOW: usize = 256 << 10;

/// Letters and digits that nobody can foresee.
fn unique(length: usize) -> String {
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

fn sought(name: &str, value: &[u8]) -> Sought {
    Sought {
        name: Name::new(name).unwrap(),
        profiles: vec!["production".to_owned()],
        line_of: None,
        secret: Secret::new(value.to_vec()),
        help: "replace it".to_owned(),
    }
}

fn hunt(values: &[(&str, &[u8])]) -> Hunt {
    let sought = values.iter().map(|(name, value)| sought(name, value));
    Hunt::new(sought.collect(), Homes::default())
}

/// The leaks under a folder, each as `path:line:column: sentence`, the path relative to it.
fn leaks(hunt: &Hunt, folder: &Path) -> Vec<String> {
    let problems = leak::tree(hunt, &[folder.to_owned()], false).unwrap();
    told(&problems, folder)
}

fn told(problems: &[Problem], folder: &Path) -> Vec<String> {
    let base = format!("{}/", folder.display());
    let first = |problem: &Problem| {
        problem
            .to_string()
            .lines()
            .next()
            .unwrap()
            .replace(&base, "")
    };
    problems.iter().map(first).collect()
}

fn put(folder: &Path, path: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A repository with a project in it, and a home with the identity that opens its vaults.
struct Scene {
    home: tempfile::TempDir,
    folder: tempfile::TempDir,
}

impl Scene {
    /// A repository and nothing in it.
    fn bare() -> Scene {
        let scene = Scene {
            home: tempfile::tempdir().unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        scene.git(&["init", "-q", "-b", "main"]);
        scene
    }

    /// A project whose production vault holds a `SESSION_SECRET`, all of it committed.
    fn new() -> (Scene, String) {
        let scene = Scene::bare();
        scene.dotage(&["init"]);
        scene.dotage(&["generate", "--missing"]);
        let value = scene.text(&["get", "SESSION_SECRET", "-P", "production"]);
        scene.commit("begin");
        (scene, value)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn put(&self, path: &str, bytes: impl AsRef<[u8]>) {
        put(self.path(), path, bytes);
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let bin = Path::new(DOTAGE).parent().unwrap();
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env(
                "PATH",
                format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()),
            )
            .env("HOME", self.home.path())
            .env("LC_ALL", "C.UTF-8")
            .envs([
                ("GIT_AUTHOR_NAME", "a"),
                ("GIT_AUTHOR_EMAIL", "a@localhost"),
                ("GIT_COMMITTER_NAME", "a"),
                ("GIT_COMMITTER_EMAIL", "a@localhost"),
            ]);
        command
    }

    /// What git prints; it has to end well.
    fn git(&self, args: &[&str]) -> String {
        let output = self.command("git", args).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {output:?}");
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "--short=12", "HEAD"])
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(DOTAGE, args).output().unwrap()
    }

    fn dotage(&self, args: &[&str]) -> Output {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        output
    }

    fn text(&self, args: &[&str]) -> String {
        String::from_utf8(self.dotage(args).stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    /// The first lines of what a scan finds, and its exit code has to agree.
    fn scan(&self, args: &[&str]) -> Vec<String> {
        let output = self.run(&[&["scan"], args].concat());
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let found: Vec<String> = text
            .split("\n\n")
            .filter_map(|problem| problem.lines().next())
            .map(str::to_owned)
            .collect();
        let code = i32::from(!found.is_empty());
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        found
    }
}

const AWKWARD: &[(&str, &str)] = &[
    ("PLAIN", "q8Zr2vLx0TnW5yKd7PbHs3Jf"),
    ("ODD", "p@ss/w0rd+42&x=y'\"z \\n<%>$HOME"),
    ("WIDE", "pä55wörd-日本-😀-0123456789"),
    ("URL", "postgresql://api:Tr0ub4dor%263xY@db:5432/shop"),
    ("KEY", "4kR/9vTzWm2+QxYd8LbNcJsH6gFpE1uA7iOo5nBtXyM="),
];

#[test]
fn every_encoding_is_found_at_its_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let values: Vec<(&str, &[u8])> = AWKWARD.iter().map(|(n, v)| (*n, v.as_bytes())).collect();
    let secrets: Vec<(Name, Secret)> = values
        .iter()
        .map(|(name, value)| (Name::new(name).unwrap(), Secret::new(value.to_vec())))
        .collect();
    let needles = Needles::new(secrets.iter().map(|(name, secret)| (name, secret)));
    // One file each, behind three lines and some characters of two bytes.
    let mut wanted = Vec::new();
    for (number, needle) in needles.iter().enumerate() {
        if needle.bytes.len() < 8 || needle.bytes.contains(&b'\n') || needle.part {
            continue;
        }
        let path = format!("{number:04}");
        put(
            folder.path(),
            &path,
            [b"\n\nx\n\xc3\xa9\xc3\xa9 <", needle.bytes, b">\n"].concat(),
        );
        wanted.push((path, needle.name.to_string()));
    }
    assert!(wanted.len() > 60, "{}", wanted.len());
    let found = leaks(&hunt(&values), folder.path());
    for (path, name) in &wanted {
        // Needles of two values may be the same bytes or lie in one another, so that another name may come too.
        let start = format!("{path}:4:5: ");
        assert!(
            found.iter().any(|line| line.starts_with(&start)
                && line.contains(&format!(" of {name} (production)"))),
            "{path} {name}: {:?}",
            found
                .iter()
                .filter(|line| line.starts_with(path.as_str()))
                .collect::<Vec<_>>()
        );
    }
    let elsewhere: Vec<_> = found
        .iter()
        .filter(|line| !line[4..].starts_with(":4:"))
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

#[test]
fn the_form_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let tell = |name: &str, script: &str| {
        let output = Command::new("bash")
            .args(["-c", script])
            .env("V", AWKWARD[1].1)
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}");
        put(folder.path(), name, output.stdout);
    };
    tell("a", "printf '%s' \"$V\"");
    tell("b", "printf '%s' \"$V\" | base64 -w0");
    tell("c", "printf '%s' \"$V\" | od -An -tx1 | tr -d ' \\n'");
    tell(
        "d",
        "python3 -c 'import json,os; print(json.dumps(os.environ[\"V\"]))'",
    );
    tell(
        "e",
        "python3 -c 'import urllib.parse,os; print(urllib.parse.quote(os.environ[\"V\"]))'",
    );
    tell("f", "printf '%q' \"$V\"");
    tell("g", "printf 'user:%s' \"$V\" | base64 -w0");
    let found = leaks(&hunt(&[("ODD", AWKWARD[1].1.as_bytes())]), folder.path());
    let form = |name: &str| {
        let lines: Vec<_> = found.iter().filter(|line| line.starts_with(name)).collect();
        assert_eq!(lines.len(), 1, "{name}: {found:?}");
        lines[0]
            .split_once("of ODD (production)")
            .unwrap()
            .1
            .to_owned()
    };
    let forms = ["a", "b", "c", "d", "e", "f", "g"].map(form);
    let expected = [
        "",
        ", base64",
        ", hex",
        ", JSON-escaped",
        ", percent-encoded",
        ", shell-quoted",
        ", base64",
    ];
    assert_eq!(forms, expected);
}

/// A window must not cut what it looks for, nor count it twice, nor lose the line.
#[test]
fn a_large_file_is_looked_through_in_pieces_that_hide_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let value = unique(40);
    let hunt = hunt(&[("TOKEN", value.as_bytes())]);
    let line = "é0123456789abcde\n";
    for boundary in [WINDOW, 2 * WINDOW, WINDOW - 2048, 2 * (WINDOW - 2048)] {
        for shift in (0..96).step_by(3) {
            let at = boundary - 60 + shift;
            let lines = at / line.len();
            let mut text = line.repeat(lines).into_bytes();
            text.resize(at, b'-');
            text.extend_from_slice(value.as_bytes());
            text.extend_from_slice(b"\nend");
            put(folder.path(), "f", &text);
            let column = at - lines * line.len() + 1;
            assert_eq!(
                leaks(&hunt, folder.path()),
                [format!(
                    "f:{}:{column}: the value of TOKEN (production)",
                    lines + 1
                )],
                "at {at}"
            );
        }
    }
    // One line, longer than a window; and a value at every 40 bytes, of which the first hundred lines are told.
    let mut text = "ü".repeat(WINDOW).into_bytes();
    text.extend_from_slice(value.as_bytes());
    put(folder.path(), "f", &text);
    assert_eq!(
        leaks(&hunt, folder.path()),
        [format!(
            "f:1:{}: the value of TOKEN (production)",
            WINDOW + 1
        )]
    );
    put(folder.path(), "f", format!("{value}\n").repeat(20_000));
    let found = leaks(&hunt, folder.path());
    assert_eq!(found.len(), 100);
    assert_eq!(found[99], "f:100:1: the value of TOKEN (production)");
}

/// A file that grows and grows must not take memory with it.
#[test]
fn a_file_of_any_size_takes_the_same_memory() {
    let folder = tempfile::tempdir().unwrap();
    let large = fs::File::create(folder.path().join("large")).unwrap();
    large.set_len(256 << 20).unwrap();
    let output = Command::new("bash")
        .args(["-c", "ulimit -v 200000; exec \"$0\" scan .", DOTAGE])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn the_same_value_is_told_once_a_line_and_for_each_profile_that_has_it() {
    let folder = tempfile::tempdir().unwrap();
    put(
        folder.path(),
        "f",
        "TOKEN=v4lue-One23 v4lue-One23 djRsdWUtT25lMjM=\nv4lue-One23\n",
    );
    let mut both = sought("TOKEN", b"v4lue-One23");
    both.profiles.push("development".to_owned());
    let hunt = Hunt::new(vec![both], Homes::default());
    assert_eq!(
        leaks(&hunt, folder.path()),
        [
            "f:1:7: the value of TOKEN (production, development)",
            "f:2:1: the value of TOKEN (production, development)"
        ]
    );
}

/// A key of thirty lines is one leak, not thirty.
#[test]
fn a_long_value_is_told_once_where_its_parts_follow_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let body: String = (0..30).map(|_| unique(64) + "\n").collect();
    let value = format!("-----BEGIN CERTAINLY-----\n{body}-----END CERTAINLY-----\n");
    put(folder.path(), "a", format!("first\n{value}last\n"));
    put(
        folder.path(),
        "b.json",
        serde_json::to_string(&value).unwrap(),
    );
    let middle: Vec<&str> = body.lines().skip(10).take(2).collect();
    put(
        folder.path(),
        "c",
        format!("{}\n\n\n\n{}\n", middle[0], middle[1]),
    );
    let found = leaks(&hunt(&[("KEY", value.as_bytes())]), folder.path());
    let places: Vec<&str> = found
        .iter()
        .map(|line| &line[..line.find(": ").unwrap()])
        .collect();
    assert_eq!(places.len(), 4, "{found:?}");
    assert!(
        places[0].starts_with("a:2:") || places[0].starts_with("a:3:"),
        "{found:?}"
    );
    assert!(places[1].starts_with("b.json:1:"), "{found:?}");
    assert_eq!(places[2..], ["c:1:1", "c:5:1"]);
    assert!(
        found
            .iter()
            .all(|line| line.contains("a part of the value of KEY (production)")),
        "{found:?}"
    );
}

#[test]
fn binary_files_are_read_and_links_pipes_and_sockets_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let value = unique(32);
    put(outside.path(), "secret", &value);
    put(
        folder.path(),
        "binary",
        [b"\x7fELF\0\0\xff\xfe", value.as_bytes(), b"\0"].concat(),
    );
    symlink(outside.path().join("secret"), folder.path().join("link")).unwrap();
    symlink(outside.path(), folder.path().join("folder")).unwrap();
    symlink(folder.path(), folder.path().join("loop")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    let made = Command::new("mkfifo")
        .arg(folder.path().join("pipe"))
        .status()
        .unwrap();
    assert!(made.success());
    let hunt = hunt(&[("TOKEN", value.as_bytes())]);
    assert_eq!(
        leaks(&hunt, folder.path()),
        ["binary:1:9: the value of TOKEN (production)"]
    );
    // One that is named is followed.
    let named = leak::tree(&hunt, &[folder.path().join("link")], false).unwrap();
    assert_eq!(named.len(), 1);
    let missing = leak::tree(&hunt, &[folder.path().join("missing")], false).unwrap_err();
    assert_eq!(missing.rule, "path");
}

/// Root reads everything, so this is somebody else.
#[test]
fn what_cannot_be_read_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // The program too has to be where that somebody may go.
    let program = folder.path().join("dotage");
    fs::copy(DOTAGE, &program).unwrap();
    put(folder.path(), "closed/file", "x");
    put(folder.path(), "open/closed", "x");
    fs::set_permissions(
        folder.path().join("closed"),
        fs::Permissions::from_mode(0o700),
    )
    .unwrap();
    fs::set_permissions(
        folder.path().join("open/closed"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .args(["scan", "closed", "open"])
        .current_dir(folder.path())
        .env_clear()
        .output()
        .expect("setpriv: run tests/install");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let found = String::from_utf8(output.stdout).unwrap();
    assert!(
        found.contains("closed: warning: could not be read: permission denied"),
        "{found}"
    );
    assert!(
        found.contains("open/closed: warning: could not be read: permission denied"),
        "{found}"
    );
}

/// Another value of the same name is another leak.
#[test]
fn two_profiles_values_on_one_line_are_two_leaks() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "f", "old=v4lue-One23 new=v4lue-Two45\n");
    let mut other = sought("TOKEN", b"v4lue-Two45");
    other.profiles = vec!["development".to_owned()];
    let hunt = Hunt::new(
        vec![sought("TOKEN", b"v4lue-One23"), other],
        Homes::default(),
    );
    assert_eq!(
        leaks(&hunt, folder.path()),
        [
            "f:1:5: the value of TOKEN (production)",
            "f:1:21: the value of TOKEN (development)"
        ]
    );
}

#[test]
fn git_says_what_is_looked_at() {
    let (scene, value) = Scene::new();
    assert_eq!(scene.scan(&[]), [""; 0]);
    scene.dotage(&["render", "--profile", "production"]);
    scene.put("tracked.js", format!("x='{value}'"));
    scene.git(&["add", "tracked.js"]);
    scene.put("new.js", &value);
    scene.put(".gitignore", ".env\n/ignored\n");
    scene.put("ignored/x.log", &value);
    scene.put("gone.js", &value);
    scene.git(&["add", "gone.js"]);
    fs::remove_file(scene.path().join("gone.js")).unwrap();
    let told = "the value of SESSION_SECRET (production)";
    let usual = [
        format!("new.js:1:1: {told}"),
        format!("tracked.js:1:4: {told}"),
    ];
    assert_eq!(scene.scan(&[]), usual);
    // What is rendered has its place, also where ignored files are looked at.
    let ignored = format!("ignored/x.log:1:1: {told}");
    assert_eq!(
        scene.scan(&["--ignored"]),
        [std::slice::from_ref(&ignored), &usual[..]].concat()
    );
    assert_eq!(scene.scan(&["ignored"]), [ignored]);
    assert_eq!(scene.scan(&["tracked.js", "vault"]), usual[1..]);
    // A setting of the user's or the repository's own changes nothing.
    for (key, setting) in [
        ("core.quotePath", "true"),
        ("core.fsmonitor", "touch ran; false"),
        ("status.showUntrackedFiles", "no"),
    ] {
        scene.git(&["config", key, setting]);
    }
    assert_eq!(scene.scan(&[]), usual);
    assert!(!scene.path().join("ran").exists());
}

#[test]
fn a_file_that_is_named_and_a_folder_that_git_refuses() {
    let (scene, value) = Scene::new();
    scene.put("app/.env", "A=1\n");
    scene.put("other/.env", "A=1\n");
    scene.git(&["add", "-f", "app/.env"]);
    // As pre-commit frameworks call it.
    let found = scene.scan(&["app/.env", "other/.env", "dotage.yaml"]);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("app/.env: git tracks"), "{found:?}");
    // In a container the files are often somebody else's.
    scene.put(".gitignore", "ignored\n");
    scene.put("ignored", &value);
    let output = scene
        .command(DOTAGE, &["scan"])
        .env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
        .output()
        .unwrap();
    let found = String::from_utf8(output.stdout).unwrap();
    assert!(
        found.contains(".: warning: git doesn't tell what it tracks here"),
        "{found}"
    );
    assert!(
        found.contains("ignored:1:1: the value of SESSION_SECRET"),
        "{found}"
    );
}

#[test]
fn submodules_and_repositories_inside_are_asked_too() {
    let (scene, value) = Scene::new();
    let inner = scene.path().join("inner");
    for (name, file) in [("inner", "a.txt"), ("outer", "b.txt")] {
        scene.git(&["init", "-q", name]);
        scene.put(&format!("{name}/{file}"), &value);
        scene.put(&format!("{name}/.gitignore"), "*.log\n");
        scene.put(&format!("{name}/x.log"), &value);
    }
    let inner = inner.to_str().unwrap();
    scene.git(&["-C", inner, "add", "--all"]);
    scene.git(&["-C", inner, "commit", "-q", "-m", "x"]);
    scene.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        "./inner",
    ]);
    assert_eq!(
        scene.scan(&[]),
        ["inner/a.txt", "outer/b.txt"]
            .map(|path| format!("{path}:1:1: the value of SESSION_SECRET (production)"))
    );
    // A checkout without the submodule's files has nothing to look at there.
    fs::remove_dir_all(inner).unwrap();
    fs::create_dir(inner).unwrap();
    assert_eq!(scene.scan(&[]).len(), 1);
}

#[test]
fn what_needs_no_key_is_found_without_one() {
    let scene = Scene::bare();
    let (identity, _) = dotage::vault::keygen(std::time::SystemTime::now());
    scene.put("key.txt", identity.expose());
    let made = scene
        .command(
            "ssh-keygen",
            &["-q", "-t", "ed25519", "-N", "", "-f", "deploy"],
        )
        .status();
    assert!(made.unwrap().success());
    let key = fs::read_to_string(scene.path().join("deploy")).unwrap();
    scene.put(
        "key.json",
        serde_json::json!({ "private_key": key }).to_string(),
    );
    scene.put("docs.md", "AGE-SECRET-KEY-1XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX\n-----BEGIN PRIVATE KEY-----\n...\n");
    scene.put("app/.env", "A=1\n");
    scene.put(".env.local", "A=1\n");
    scene.put(".env.example", "A=\n");
    scene.git(&["add", "app"]);
    let output = scene.run(&["scan"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no values were looked for"), "{said}");
    let found = scene.scan(&[]);
    let starts = [
        ".env.local: git doesn't ignore this plaintext file",
        "app/.env: git tracks this plaintext file",
        "deploy:1:1: a private key",
        "key.json:1:17: a private key",
        "key.txt:3:1: an age identity",
    ];
    assert_eq!(found.len(), starts.len(), "{found:?}");
    for (line, start) in found.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
}

#[test]
fn a_vault_that_is_plaintext_is_found() {
    let (scene, _) = Scene::new();
    scene.put("vault/development.age", "SESSION_SECRET: x\n");
    scene.put("vault/production/default.yaml", "SESSION_SECRET: x\n");
    scene.put("vault/production/README.md", "what lies here\n");
    scene.put("elsewhere/development.age", "no vault\n");
    let expected = ["vault/development.age", "vault/production/default.yaml"]
        .map(|path| format!("{path}: plaintext where an encrypted file belongs"));
    assert_eq!(scene.scan(&[]), expected);
    scene.git(&["add", "--all"]);
    assert_eq!(scene.scan(&["--staged"]), expected);
    let commit = scene.commit("oops");
    assert_eq!(
        scene.scan(&["--history"]),
        expected.map(|line| format!("{commit}:{line}"))
    );
}

#[test]
fn without_an_identity_it_says_that_values_were_not_looked_for() {
    let (scene, value) = Scene::new();
    scene.put("a.js", &value);
    fs::remove_dir_all(scene.home.path().join(".config")).unwrap();
    let output = scene.run(&["scan"]);
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stderr).unwrap();
    for profile in ["development", "production"] {
        let line = format!(
            "the values of profile {profile} were not looked for: no identity here opens its vault"
        );
        assert!(said.contains(&line), "{said}");
    }
    // A profile that is named has to open; what is found is told all the same.
    scene.put("app/.env", "A=1\n");
    scene.git(&["add", "-f", "app/.env"]);
    let output = scene.run(&["scan", "--profile", "production"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .starts_with("app/.env: git tracks")
    );
}

/// A short value can't be told from other text, but a line of a .env file can.
#[test]
fn a_line_of_a_rendered_file_is_known_again_without_its_vault() {
    let (scene, _) = Scene::new();
    let output = scene
        .command(
            "bash",
            &[
                "-c",
                "printf tiger | dotage set SESSION_SECRET -P production",
            ],
        )
        .output();
    assert!(output.unwrap().status.success());
    scene.commit("short");
    scene.dotage(&["render", "--profile", "production"]);
    scene.put(
        "notes.txt",
        "it was:\nSESSION_SECRET=tiger\r\nand not SESSION_SECRET=tiger!\ntiger\n",
    );
    let line = ["notes.txt:2:1: the line of .env that sets SESSION_SECRET"];
    assert_eq!(scene.scan(&[]), line);
    let said = String::from_utf8(scene.run(&["scan"]).stderr).unwrap();
    assert!(
        said.contains("are found everywhere: SESSION_SECRET"),
        "{said}"
    );
    fs::remove_dir_all(scene.home.path().join(".config")).unwrap();
    assert_eq!(scene.scan(&[]), line);
}

#[test]
fn what_is_staged_is_looked_at_as_it_is_in_the_index() {
    let (scene, value) = Scene::new();
    scene.put("a b\n.js", format!("\n {value}"));
    scene.git(&["add", "--all"]);
    // The work tree says otherwise, in both directions.
    scene.put("a b\n.js", "clean");
    scene.put("dotage.txt", &value);
    assert_eq!(scene.scan(&["--staged"]), ["a b"]);
    let output = scene.run(&["scan", "--staged", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&found[0]["line"], &found[0]["column"]),
        (&2.into(), &2.into())
    );
    assert_eq!(scene.scan(&["--staged", "vault"]), [""; 0]);
    scene.git(&["reset", "-q"]);
    assert_eq!(scene.scan(&["--staged"]), [""; 0]);
    // Renamed, and removed.
    scene.put("old.js", &value);
    scene.commit("with it");
    scene.git(&["mv", "old.js", "new.js"]);
    assert_eq!(
        scene.scan(&["--staged"]),
        ["new.js:1:1: the value of SESSION_SECRET (production)"]
    );
    scene.git(&["rm", "-q", "-f", "new.js"]);
    assert_eq!(scene.scan(&["--staged"]), [""; 0]);
}

#[test]
fn the_first_commit_is_staged_against_nothing() {
    let scene = Scene::bare();
    scene.put(".env", "A=1\n");
    scene.git(&["add", "-f", ".env"]);
    assert_eq!(scene.scan(&["--staged"]).len(), 1);
    assert_eq!(scene.scan(&["--history"]), [""; 0]);
}

#[test]
fn history_tells_the_first_commit_of_what_is_long_gone() {
    for format in ["sha1", "sha256"] {
        let (scene, value) = Scene::new();
        if format == "sha256" {
            fs::remove_dir_all(scene.path().join(".git")).unwrap();
            scene.git(&["init", "-q", "-b", "main", "--object-format=sha256"]);
            scene.commit("begin");
        }
        let told = "the value of SESSION_SECRET (production)";
        scene.put("deleted.js", format!("\nx='{value}'"));
        let first = scene.commit("with it");
        scene.put("deleted.js", format!("\n\nmore\nx='{value}'"));
        scene.commit("with it, changed");
        scene.git(&["rm", "-q", "deleted.js"]);
        scene.commit("without it");
        // A branch that was merged and removed, and what only the merge has.
        scene.git(&["checkout", "-q", "-b", "side"]);
        scene.put("side/.env", "A=1\n");
        scene.git(&["add", "-f", "side/.env"]);
        let side = scene.commit("side");
        scene.git(&["rm", "-q", "side/.env"]);
        scene.commit("side, clean");
        scene.git(&["checkout", "-q", "main"]);
        scene.commit("main goes on");
        scene.git(&["merge", "-q", "--no-ff", "--no-commit", "side"]);
        scene.put("evil.js", &value);
        let merge = scene.commit("merge");
        scene.git(&["branch", "-q", "-d", "side"]);
        scene.git(&["rm", "-q", "evil.js"]);
        // In a message, and in a stash.
        let message = scene.commit(&format!("subject\n\nthe key is {value}"));
        scene.put("dotage.yaml.orig", format!("{value}\n"));
        scene.git(&["stash", "--quiet", "--include-untracked"]);
        scene.git(&["pack-refs", "--all"]);
        scene.git(&["gc", "--quiet"]);
        let found = scene.scan(&["--history"]);
        let mut expected = vec![
            format!("{first}:deleted.js:2:4: {told}"),
            format!(
                "{side}:side/.env: a plaintext .env file was committed: whoever has the history has what is in it"
            ),
            format!("{merge}:evil.js:1:1: {told}"),
            format!("{message}:3:12: {told}"),
        ];
        let (stash, rest): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|line| line.contains(":dotage.yaml.orig:1:1: "));
        assert_eq!(stash.len(), 1);
        expected.sort();
        let mut rest = rest;
        rest.sort();
        assert_eq!(rest, expected);
        assert_eq!(
            scene.scan(&["--history", "deleted.js"]).len(),
            1,
            "the message is of no path"
        );
        assert_eq!(scene.scan(&[]), [""; 0]);
    }
}

/// Settings that change what `git log` prints, and object kinds that are no files.
#[test]
fn history_is_read_whatever_the_settings_are() {
    let (scene, value) = Scene::new();
    scene.put("a.js", &value);
    let commit = scene.commit("x");
    for (key, setting) in [
        ("log.showSignature", "true"),
        ("log.showRoot", "false"),
        ("log.diffMerges", "off"),
        ("diff.renames", "copies"),
        ("diff.relative", "true"),
        ("diff.noprefix", "true"),
        ("core.quotePath", "true"),
        ("i18n.logOutputEncoding", "UTF-16"),
        ("format.pretty", "oneline"),
        ("color.ui", "always"),
    ] {
        scene.git(&["config", key, setting]);
    }
    scene.git(&["tag", "-a", "-m", "x", "v1"]);
    symlink("nowhere", scene.path().join("link")).unwrap();
    scene.commit("link");
    let expected = [format!(
        "{commit}:a.js:1:1: the value of SESSION_SECRET (production)"
    )];
    assert_eq!(scene.scan(&["--history"]), expected);
    // From a folder inside, all of it.
    let output = scene.run(&["-C", "vault", "scan", "--history"]);
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .starts_with(&expected[0])
    );
}

#[test]
fn a_shallow_clone_says_that_it_is_one() {
    let (scene, _) = Scene::new();
    scene.commit("more");
    let clone = tempfile::tempdir().unwrap();
    let from = format!("file://{}", scene.path().display());
    scene.git(&[
        "clone",
        "-q",
        "--depth=1",
        &from,
        clone.path().to_str().unwrap(),
    ]);
    let output = scene.run(&["-C", clone.path().to_str().unwrap(), "scan", "--history"]);
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("this clone is shallow"), "{said}");
    let nowhere = tempfile::tempdir().unwrap();
    let output = scene.run(&["-C", nowhere.path().to_str().unwrap(), "scan", "--history"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// Many blobs go to several gits at once, in lots.
#[test]
fn a_long_history_is_read_whole() {
    let (scene, value) = Scene::new();
    let mut stream = String::new();
    for commit in 0..40 {
        let parent = if commit == 0 {
            String::new()
        } else {
            format!("from :{commit}\n")
        };
        stream.push_str(&format!("commit refs/heads/long\nmark :{}\ncommitter a <a@localhost> {commit} +0000\ndata 0\n{parent}", commit + 1));
        for file in 0..25 {
            let text = format!(
                "file {file} of commit {commit}\n{}",
                if file == commit % 25 { &value } else { "" }
            );
            stream.push_str(&format!(
                "M 100644 inline f{file}-{commit}\ndata {}\n{text}\n",
                text.len()
            ));
        }
    }
    let mut import = scene
        .command("git", &["fast-import", "--quiet"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    import
        .stdin
        .take()
        .unwrap()
        .write_all(stream.as_bytes())
        .unwrap();
    assert!(import.wait().unwrap().success());
    assert_eq!(scene.scan(&["--history"]).len(), 40);
}

#[test]
fn names_in_archives_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"
import io, tarfile, zipfile
long = "d/" * 70 + ".env"
def zipped(name, method, entries):
    with zipfile.ZipFile(name, "w", method) as z:
        for entry in entries: z.writestr(entry, "A=1\n" * 9)
zipped("a.zip", zipfile.ZIP_DEFLATED, ["x/.env", "x/.env.example", "y.txt"])
zipped("b.jar", zipfile.ZIP_STORED, ["id_ed25519", "id_ed25519.pub"])
zipped("clean.zip", zipfile.ZIP_DEFLATED, ["x.env.j2", "environment", ".env.sample"])
zipped("large.zip", zipfile.ZIP_STORED, [f"f{n}" for n in range(20000)] + [".env", "last"])
def tarred(name, mode, format, entries):
    with tarfile.open(name, mode, format=format) as t:
        for entry in entries:
            info = tarfile.TarInfo(entry); data = b"A=1\n" * 9; info.size = len(data)
            t.addfile(info, io.BytesIO(data))
tarred("c.tar", "w", tarfile.USTAR_FORMAT, ["x/.env", "y"])
tarred("d.tar", "w", tarfile.GNU_FORMAT, [long])
tarred("e.tar", "w", tarfile.PAX_FORMAT, [long])
tarred("f.tar.gz", "w:gz", tarfile.PAX_FORMAT, ["y", long])
tarred("g.tgz", "w:gz", tarfile.GNU_FORMAT, ["y"] * 3000 + [".env.production"])
tarred("clean.tgz", "w:gz", tarfile.GNU_FORMAT, ["y", ".env.example"])
open("broken.tar.gz", "wb").write(open("f.tar.gz", "rb").read()[:-20])
open("no.tar.gz", "wb").write(b"\x1f\x8b nothing")
open("no.zip", "wb").write(b"PK\x03\x04 PK\x01\x02")
"#;
    let made = Command::new("python3")
        .args(["-c", script])
        .current_dir(folder.path())
        .status()
        .unwrap();
    assert!(made.success());
    let found = leaks(&hunt(&[]), folder.path());
    let long = format!("{}.env", "d/".repeat(70));
    let expected = [
        ("a.zip", "x/.env"),
        ("b.jar", "id_ed25519"),
        ("broken.tar.gz", &long),
        ("c.tar", "x/.env"),
        ("d.tar", &long),
        ("e.tar", &long),
        ("f.tar.gz", &long),
        ("g.tgz", ".env.production"),
        ("large.zip", ".env"),
    ]
    .map(|(path, entry)| format!("{path}: an archive with {entry} in it"));
    assert_eq!(found, expected);
}

/// The values are exact, so that nothing else is one; and what has a secret's form is a secret.
#[test]
fn a_large_tree_raises_no_false_alarm() {
    let values: Vec<(String, String)> = (0..100)
        .map(|n| (format!("SECRET_{n}"), unique(32)))
        .collect();
    let values: Vec<(&str, &[u8])> = values
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_bytes()))
        .collect();
    let hunt = hunt(&values);
    let problems = leak::tree(&hunt, &[PathBuf::from("/usr/include")], false).unwrap();
    let errors: Vec<&Problem> = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .collect();
    let values = errors
        .iter()
        .filter(|problem| problem.rule.starts_with("leaked"))
        .count();
    assert_eq!(values, 0, "{errors:#?}");
    for problem in errors {
        let place = problem.place.as_ref().unwrap();
        let bytes = fs::read(&place.path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        match problem.rule {
            "private-key" => {
                let line = text.lines().nth(place.line - 1).unwrap();
                assert!(
                    line.contains("-----BEGIN ") && line.contains("PRIVATE KEY"),
                    "{problem}"
                );
            }
            rule => panic!("{rule}: {problem}"),
        }
    }
}

#[test]
fn each_form_of_report_is_valid_and_shows_no_value() {
    let (scene, value) = Scene::new();
    scene.put("a b/ü.js", &value);
    let first = scene.commit("x");
    scene.put(
        "key.txt",
        fs::read(scene.home.path().join(".config/dotage/identity.txt")).unwrap(),
    );
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let consumers = root.join("target/consumers");
    let schema = |schema: PathBuf, text: &[u8]| {
        assert!(
            schema.exists(),
            "{} is missing: run tests/install",
            schema.display()
        );
        let mut check = Command::new(consumers.join("venv/bin/check-jsonschema"))
            .arg("--schemafile")
            .arg(schema)
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("check-jsonschema: run tests/install");
        check.stdin.take().unwrap().write_all(text).unwrap();
        let output = check.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    for place in [&[][..], &["--history"]] {
        for format in ["people", "json", "sarif", "github", "gitlab", "junit"] {
            let output = scene.run(&[&["scan", "--format", format], place].concat());
            assert_eq!(output.status.code(), Some(1));
            let text = String::from_utf8(output.stdout.clone()).unwrap();
            assert!(
                !text.contains(&value) && !text.contains("AGE-SECRET"),
                "{text}"
            );
            let path = if place.is_empty() {
                "a b/ü.js".to_owned()
            } else {
                format!("{first}:a b/ü.js")
            };
            match format {
                "sarif" => {
                    schema(consumers.join("node/node_modules/@microsoft/sarif-multitool-linux/sarif-2.1.0.json"), text.as_bytes());
                    let log: Value = serde_json::from_str(&text).unwrap();
                    let results = log["runs"][0]["results"].as_array().unwrap();
                    let uri = &results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
                    assert_eq!(uri, &path.replace(' ', "%20").replace('ü', "%C3%BC").replace(':', "%3A"));
                    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
                    assert_eq!(rules.len(), leak::RULES.len());
                }
                "gitlab" => schema(root.join("tests/report/code-quality.json"), text.as_bytes()),
                "json" => {
                    let found: Value = serde_json::from_str(&text).unwrap();
                    assert_eq!(found[0]["path"], path);
                    assert_eq!(found[0]["rule"], "leaked-value");
                }
                "junit" => {
                    let mut lint = Command::new("xmllint").args(["--noout", "-"]).stdin(Stdio::piped()).spawn().unwrap();
                    lint.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
                    assert!(lint.wait().unwrap().success());
                    assert!(text.contains("leaked-value"));
                }
                "github" => assert!(text.lines().all(|line| line.starts_with("::error ")), "{text}"),
                _ => assert!(text.starts_with(&format!("{path}:1:1: the value of SESSION_SECRET (production)\nhelp: dotage incident open --name SESSION_SECRET --profile production")), "{text}"),
            }
        }
    }
}

/// The real git is stopped by the hook that `init` installs.
#[test]
fn the_hook_stops_a_commit() {
    let (scene, value) = Scene::new();
    scene.dotage(&["init", "--hooks"]);
    let hook = scene.path().join(".git/hooks/pre-commit");
    assert_eq!(
        fs::metadata(&hook).unwrap().permissions().mode() & 0o777,
        0o755
    );
    let commit = |args: &[&str]| {
        let output = scene
            .command("git", &[&["commit", "-q", "-m", "x"], args].concat())
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8([output.stdout, output.stderr].concat()).unwrap(),
        )
    };
    scene.put("a.js", "clean");
    scene.git(&["add", "--all"]);
    let (done, said) = commit(&[]);
    assert!(done, "{said}");
    scene.put("a.js", format!("x = '{value}'"));
    scene.git(&["add", "--all"]);
    let (done, said) = commit(&[]);
    assert!(
        !done && said.contains("a.js:1:6: the value of SESSION_SECRET") && !said.contains(&value),
        "{said}"
    );
    // Only some of what is changed, and all of it, through git's temporary index.
    scene.git(&["reset", "-q"]);
    scene.put("b.js", "clean");
    scene.git(&["add", "b.js"]);
    assert!(commit(&["b.js"]).0);
    assert!(!commit(&["-a"]).0);
    assert!(!commit(&["a.js"]).0);
    let head = scene.git(&["rev-parse", "HEAD"]);
    assert!(commit(&["-a", "--no-verify"]).0);
    assert_ne!(scene.git(&["rev-parse", "HEAD"]), head);
    // Another work tree of the same repository.
    let other = tempfile::tempdir().unwrap();
    let tree = other.path().join("tree");
    scene.git(&["worktree", "add", "-q", tree.to_str().unwrap()]);
    put(&tree, "c.js", &value);
    let output = scene
        .command(
            "bash",
            &[
                "-c",
                "cd \"$0\" && git add c.js && git commit -q -m x",
                tree.to_str().unwrap(),
            ],
        )
        .output()
        .unwrap();
    assert!(!output.status.success(), "{output:?}");
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("c.js:1:1")
    );
}

#[test]
fn a_hook_that_is_there_stays_and_its_folder_is_the_one_that_git_uses() {
    let (scene, value) = Scene::new();
    scene.git(&["config", "core.hooksPath", "our hooks"]);
    scene.put("our hooks/pre-commit", "#!/bin/sh\necho ours\n");
    let output = scene.dotage(&["init", "--hooks"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("left our hooks/pre-commit as it is\nhelp: put this line into it: dotage scan --staged || exit 1"), "{said}");
    assert_eq!(
        fs::read_to_string(scene.path().join("our hooks/pre-commit")).unwrap(),
        "#!/bin/sh\necho ours\n"
    );
    // The project may be a folder of the repository, with a name that a shell would take apart.
    let folder = "it's $HOME";
    scene.git(&["config", "core.hooksPath", "hooks"]);
    let dry = scene.dotage(&["init", folder, "--hooks", "-n"]);
    assert!(String::from_utf8(dry.stderr).is_ok());
    fs::create_dir(scene.path().join(folder)).unwrap();
    scene.dotage(&["init", folder, "--hooks"]);
    let hook = fs::read_to_string(scene.path().join("hooks/pre-commit")).unwrap();
    assert!(
        hook.ends_with("exec dotage -C 'it'\\''s $HOME' scan --staged\n"),
        "{hook}"
    );
    let generate = scene.dotage(&["-C", folder, "generate", "--missing"]);
    assert!(generate.status.success());
    scene.put(
        "x.js",
        scene.text(&["-C", folder, "get", "SESSION_SECRET", "-P", "production"]),
    );
    scene.put("y.js", &value);
    scene.git(&["add", "x.js", "y.js"]);
    let output = scene
        .command("git", &["commit", "-m", "x"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains("x.js:1:1") && !said.contains("y.js"),
        "{said}"
    );
    // Where no repository is there is no place for a hook, and nothing is made.
    let nowhere = tempfile::tempdir().unwrap();
    let output = scene.run(&["init", "--hooks", nowhere.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read_dir(nowhere.path()).unwrap().count(), 0);
}
