//! `dotage ci github` in a runner's environment: what it writes, in which order, and what it leaves alone.

use crate::records::{hostile, read};
use crate::runner::Runner;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A project, and a step of a job.
struct Step {
    folder: TempDir,
}

impl Step {
    fn new(inventory: &str) -> Self {
        let step = Step {
            folder: tempfile::tempdir().unwrap(),
        };
        for folder in ["home", "temp", "shop"] {
            fs::create_dir(step.path(folder)).unwrap();
        }
        for file in ["env", "output"] {
            fs::write(step.path(file), "").unwrap();
        }
        assert!(step.run(&["init"]).status.success());
        fs::write(step.path("shop/dotage.yaml"), inventory).unwrap();
        step
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dotage"));
        command
            .args(args)
            .current_dir(self.path("shop"))
            .env_clear()
            .env("HOME", self.path("home"))
            .env("PATH", "/usr/bin:/bin")
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_ENV", self.path("env"))
            .env("GITHUB_OUTPUT", self.path("output"))
            .env("RUNNER_TEMP", self.path("temp"))
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn set(&self, name: &str, value: &[u8]) {
        let file = self.path("value");
        fs::write(&file, value).unwrap();
        let output = self.run(&[
            "set",
            name,
            "--verbatim",
            "--from-file",
            file.to_str().unwrap(),
        ]);
        assert!(output.status.success(), "{name}: {}", said(&output));
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    fn entries(&self) -> Vec<(String, String)> {
        read(&self.text("env")).unwrap()
    }

    /// That nothing was handed over.
    fn is_untouched(&self) -> bool {
        let left = fs::read_dir(self.path("temp")).unwrap().flatten();
        let files = left
            .flat_map(|folder| fs::read_dir(folder.path()).unwrap())
            .count();
        self.text("env").is_empty() && files == 0
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const TWO: &str = "\
profiles: { production: { vault: vault/production/ } }
services: { api: {} }
variables:
  TOKEN: { purpose: an account, used_by: [api], format: text }
  KEY: { purpose: signs, used_by: [api], format: text }
";

fn two() -> Step {
    let step = Step::new(TWO);
    step.set("TOKEN", b"J7xq9LmZ2vKpR4tWcY8sD1fGhB6nE3aU");
    step.set("KEY", b"first line of the key\nsecond line of the key\n");
    step
}

#[test]
fn hostile_values_arrive_as_they_are_and_are_masked() {
    let values = hostile();
    let variables: String = (0..values.len())
        .map(|index| format!("  V{index}: {{ purpose: hostile, used_by: [api], format: text }}\n"))
        .collect();
    let step = Step::new(&format!(
        "profiles: {{ production: {{ vault: vault/production/ }} }}\nservices: {{ api: {{}} }}\nvariables:\n{variables}"
    ));
    for (index, value) in values.iter().enumerate() {
        step.set(&format!("V{index}"), value.as_bytes());
    }
    // What somebody else's step left, without its line feed.
    fs::write(step.path("env"), "BEFORE=1").unwrap();
    let names: Vec<String> = (0..values.len()).map(|index| format!("V{index}")).collect();
    let output = step.run(&["ci", "github", "--as-env", &names.join(",")]);
    assert!(output.status.success(), "{}", said(&output));
    let entries = step.entries();
    assert_eq!(
        entries.first(),
        Some(&("BEFORE".to_owned(), "1".to_owned()))
    );
    assert_eq!(entries.len(), values.len() + 1);
    for (name, read) in &entries[1..] {
        let index: usize = name[1..].parse().unwrap();
        assert_eq!(*read, values[index], "{name}");
    }
    // No value ended a command early or began one of its own: each line of the log is a mask, a warning or the summary.
    let mut runner = Runner::default();
    let log = runner.log(&said(&output));
    for line in log.lines().filter(|line| !line.is_empty()) {
        let ours = line.starts_with("::warning title=dotage%3A ")
            || line.starts_with("profile production: ");
        assert!(ours, "{line}");
    }
    assert_eq!(
        runner.hide("x ${{ secrets.X }} $(id) `id` $HOME y"),
        "x *** y"
    );
}

#[test]
fn a_value_of_several_lines_is_a_file_and_its_name_says_so() {
    let step = two();
    let output = step.run(&["ci", "github"]);
    assert!(output.status.success(), "{}", said(&output));
    let entries = step.entries();
    let (_, path) = entries.iter().find(|(name, _)| name == "KEY_FILE").unwrap();
    assert!(!entries.iter().any(|(name, _)| name == "KEY"));
    assert_eq!(
        fs::read(path).unwrap(),
        b"first line of the key\nsecond line of the key\n"
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(Path::new(path)), 0o600);
    assert_eq!(mode(Path::new(path).parent().unwrap()), 0o700);
    assert_eq!(
        read(&step.text("output")).unwrap(),
        [("exported".to_owned(), "true".to_owned())]
    );
    // The other way round, by name.
    fs::write(step.path("env"), "").unwrap();
    assert!(
        step.run(&["ci", "github", "--as-env", "KEY", "--as-file", "TOKEN"])
            .status
            .success()
    );
    let names: Vec<String> = step.entries().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["TOKEN_FILE", "KEY"]);
}

#[test]
fn all_is_written_or_nothing() {
    let step = two();
    let broken = |name: &str, value: &Path| {
        let output = step
            .command(&["ci", "github"])
            .env(name, value)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {}", said(&output));
        assert!(step.is_untouched(), "{name}: {}", said(&output));
    };
    // A folder in a file's place, a folder that isn't there, none.
    broken("GITHUB_OUTPUT", &step.path("temp"));
    broken("GITHUB_OUTPUT", &step.path("nowhere/output"));
    broken("RUNNER_TEMP", &step.path("output"));
    broken("GITHUB_OUTPUT", Path::new(""));
    broken("GITHUB_ENV", Path::new("relative"));
    // The masks have to have gone somewhere before a value does.
    for stream in ["/dev/full", "/dev/null"] {
        let stderr = fs::OpenOptions::new().write(true).open(stream).unwrap();
        let status = step
            .command(&["ci", "github"])
            .stderr(stderr)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(2), "{stream}");
        assert!(step.is_untouched(), "{stream}");
    }
}

#[test]
fn a_name_that_steers_later_steps_is_refused() {
    let step = Step::new(
        "profiles: { production: { vault: vault/production/ } }\nservices: { api: {} }\nvariables:\n  \
         LD_PRELOAD: { purpose: a library, used_by: [api], format: text }\n  \
         GITHUB_TOKEN: { purpose: an account, used_by: [api], format: text }\n  \
         TOKEN: { purpose: an account, used_by: [api], format: text }\n",
    );
    for name in ["LD_PRELOAD", "GITHUB_TOKEN", "TOKEN"] {
        step.set(name, b"J7xq9LmZ2vKpR4tWcY8sD1fGhB6nE3aU");
    }
    let output = step.run(&["ci", "github"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(step.is_untouched());
    for said_of in [
        "LD_PRELOAD changes what",
        "GITHUB_TOKEN is the runner's own",
        "--allow LD_PRELOAD",
    ] {
        assert!(said(&output).contains(said_of), "{}", said(&output));
    }
    assert!(!said(&output).contains("add-mask"));
    assert!(step.run(&["ci", "github", "TOKEN"]).status.success());
    assert!(
        step.run(&["ci", "github", "GITHUB_TOKEN", "--allow", "GITHUB_TOKEN"])
            .status
            .success()
    );
    let names: Vec<String> = step.entries().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["TOKEN", "GITHUB_TOKEN"]);
}

#[test]
fn what_cannot_be_masked_is_a_warning_or_an_error() {
    let step = two();
    step.set("TOKEN", b"1234");
    let output = step.run(&["ci", "github"]);
    assert!(output.status.success());
    assert!(
        said(&output).contains("::warning title=dotage%3A unmaskable::TOKEN is not masked"),
        "{}",
        said(&output)
    );
    fs::write(step.path("env"), "").unwrap();
    fs::remove_dir_all(step.path("temp")).unwrap();
    fs::create_dir(step.path("temp")).unwrap();
    let output = step.run(&["ci", "github", "--strict"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(step.is_untouched());
    assert!(!said(&output).contains("1234"));
}

#[test]
fn a_step_without_an_identity_fails_with_3_or_is_skipped() {
    let step = two();
    fs::remove_dir_all(step.path("home/.config")).unwrap();
    let output = step.run(&["ci", "github"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let output = step.run(&["ci", "github", "--if-no-identity", "skip"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).starts_with("::notice title=dotage%3A no-identity::"));
    assert_eq!(
        read(&step.text("output")).unwrap(),
        [("exported".to_owned(), "false".to_owned())]
    );
    assert!(step.is_untouched());
    // One that is there and opens nothing is a mistake, whatever a fork's job may lack.
    let other = "AGE-SECRET-KEY-184JMZMVQH3E6U0PSL869004Y3U2NYV7R30EU99CSEDNPH02YUVFSZW44VU";
    let output = step
        .command(&["ci", "github", "--if-no-identity", "skip"])
        .env("DOTAGE_IDENTITY", other)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn the_identity_masks_itself_and_its_comments_stay_readable() {
    let step = two();
    let identity = step.text("home/.config/dotage/identity.txt");
    let public = identity
        .lines()
        .find_map(|line| line.strip_prefix("# public key: "))
        .unwrap();
    let secret = identity
        .lines()
        .find(|line| line.starts_with("AGE-"))
        .unwrap();
    for given in [identity.as_str(), secret] {
        let output = step
            .command(&["ci", "github", "--export", "none", "TOKEN"])
            .env("DOTAGE_IDENTITY", given)
            .output()
            .unwrap();
        let mut runner = Runner::default();
        runner.log(&said(&output));
        assert_eq!(runner.hide(secret), "***");
        assert!(runner.passes_on(public));
    }
}

#[test]
fn a_file_is_rendered_and_its_path_is_the_output() {
    let step = two();
    let output = step.run(&["ci", "github", "TOKEN", "--export", "file"]);
    assert!(output.status.success(), "{}", said(&output));
    let outputs = read(&step.text("output")).unwrap();
    let (_, path) = outputs.iter().find(|(name, _)| name == "path").unwrap();
    assert!(
        fs::read_to_string(path)
            .unwrap()
            .ends_with("TOKEN=J7xq9LmZ2vKpR4tWcY8sD1fGhB6nE3aU\n")
    );
    // What its dialect can't carry is an error, and leaves no file.
    let output = step.run(&["ci", "github", "--export", "file", "--path", "all.env"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!step.path("shop/all.env").exists());
    let args = [
        "ci",
        "github",
        "--export",
        "file",
        "--path",
        "all.env",
        "--template",
        "variables.compose.env.j2",
    ];
    assert!(step.run(&args).status.success());
    let mode = fs::metadata(step.path("shop/all.env"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}
