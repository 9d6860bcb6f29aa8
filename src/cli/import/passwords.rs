//! The passwords of ansible-vault, from wherever Ansible takes them.
//!
//! # Why
//!
//! Each source is asked once, in Ansible's order: the vault ids of the environment, those of the command line, the
//! password files. One that fails is told and the others are tried; without any, a person is asked. A file that is
//! executable is a script, and one whose name ends in `-client` is told the label.

use crate::ansible::{self, Password};
use crate::child;
use crate::cli::{Shell, ask, say, set};
use crate::problem::{Problem, Severity};
use crate::secret::Secret;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The label of what has none.
const DEFAULT: &str = "default";
/// The longest file of a password, in bytes.
const MAX_FILE: usize = 64 * 1024;
const SOURCE: &str =
    "name a file that holds the vault password, a script that prints it, or `prompt`";
const LIST: &str = "ANSIBLE_VAULT_IDENTITY_LIST";
const FILE: &str = "ANSIBLE_VAULT_PASSWORD_FILE";

#[derive(clap::Args)]
pub(super) struct Sources {
    /// A file with the password, or a script that prints it; several are tried in turn [also:
    /// `ANSIBLE_VAULT_PASSWORD_FILE`]
    #[arg(long, value_name = "FILE")]
    vault_password_file: Vec<String>,
    /// Such a file, such a script, or `prompt`, for one vault id; may be repeated [also:
    /// `ANSIBLE_VAULT_IDENTITY_LIST`]
    #[arg(long, value_name = "[LABEL@]SOURCE")]
    vault_id: Vec<String>,
}

/// Where a password comes from.
struct Source<'a> {
    label: Option<&'a str>,
    from: &'a str,
    /// The environment variable that says so.
    variable: Option<&'static str>,
}

impl Sources {
    /// The passwords that there are.
    pub(super) fn passwords(&self, shell: &Shell) -> Result<Vec<Password>, Vec<Problem>> {
        let of_environment = |name: &str| std::env::var(name).unwrap_or_default();
        let (list, file) = (of_environment(LIST), of_environment(FILE));
        let given = |from| !str::is_empty(from);
        let listed = list.split(',').map(str::trim).filter(|from| given(from));
        let listed = listed.map(|from| identity(from, Some(LIST)));
        let said = self.vault_id.iter().map(|from| identity(from, None));
        let files = self
            .vault_password_file
            .iter()
            .map(|from| (from.as_str(), None));
        let files = files.chain(given(&file).then_some((file.as_str(), Some(FILE))));
        let files = files.map(|(from, variable)| Source {
            label: Some(DEFAULT),
            from,
            variable,
        });
        let mut sources: Vec<Source<'_>> = listed.chain(said).chain(files).collect();
        if sources.is_empty() {
            sources.push(identity("prompt", None));
        }
        let (mut passwords, mut problems) = (Vec::new(), Vec::new());
        for source in sources {
            match source.password(&passwords, shell) {
                Ok(secret) => passwords.push(Password {
                    label: source.label.unwrap_or(DEFAULT).to_owned(),
                    secret,
                }),
                Err(problem) => problems.push(problem),
            }
        }
        if passwords.is_empty() {
            return Err(problems);
        }
        for problem in problems {
            say(problem.severity(Severity::Warning));
        }
        Ok(passwords)
    }
}

/// A vault id: `LABEL@SOURCE`, or a source alone.
fn identity<'a>(said: &'a str, variable: Option<&'static str>) -> Source<'a> {
    let (label, from) = match said.split_once('@') {
        Some((label, from)) => (Some(label), from),
        None => (None, said),
    };
    Source {
        label,
        from,
        variable,
    }
}

impl Source<'_> {
    /// The password that comes from here; `known` opens a file of it that is encrypted itself.
    fn password(&self, known: &[Password], shell: &Shell) -> Result<Secret, Problem> {
        let label = self.label.unwrap_or(DEFAULT);
        if self.from == "prompt" {
            let question = format!("Vault password ({label})");
            let typed = ask::person(shell.non_interactive).passphrase(&question);
            let typed = typed.ok_or_else(|| {
                Problem::new(
                    "no-password",
                    format!("nobody is there to type the vault password ({label})"),
                )
                .help("give it in a file: --vault-password-file FILE, or --vault-id LABEL@FILE")
            })?;
            return self.whole(typed.expose().trim_ascii());
        }
        let path = match (self.from.strip_prefix("~/"), std::env::var_os("HOME")) {
            (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
            _ => PathBuf::from(self.from),
        };
        let executable = path
            .metadata()
            .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0);
        if executable {
            // A name alone would be looked for in PATH.
            let path = std::path::absolute(&path).unwrap_or(path);
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let arguments = match self.label {
                Some(label) if name.ends_with("-client") => &["--vault-id", label][..],
                _ => &[],
            };
            let printed = child::script(&path, arguments, &self.what()).map_err(|problem| {
                problem.help(format!(
                    "run it by hand to see why; if the file is the password and no script: chmod -x {}",
                    path.display()
                ))
            })?;
            return self.whole(trimmed(&printed));
        }
        let text = set::bytes(&path, MAX_FILE).map_err(|problem| {
            // What names no file may be the password itself, put there by mistake: it is not repeated.
            let folder = path.parent().filter(|folder| *folder != Path::new(""));
            let named = path.exists() || folder.is_some_and(Path::is_dir);
            let problem = match self.variable {
                None if named => problem,
                _ => Problem::new(
                    problem.rule,
                    format!("{} is in no file that can be read", self.what()),
                ),
            };
            problem.help(SOURCE)
        })?;
        let text = Secret::new(text);
        let text = text.expose().trim_ascii();
        if ansible::is_encrypted(text) {
            return self.whole(trimmed(ansible::opened(&path, text, known)?.expose()));
        }
        self.whole(trimmed(text))
    }

    /// What it is, in words.
    fn what(&self) -> String {
        let label = self.label.unwrap_or(DEFAULT);
        match self.variable {
            Some(variable) => format!("the password of vault id {label} ({variable})"),
            None => format!("the password of vault id {label}"),
        }
    }

    /// The password, if it is one.
    fn whole(&self, password: &[u8]) -> Result<Secret, Problem> {
        let why = match password.len() {
            0 => "is empty",
            1..=MAX_FILE => return Ok(Secret::new(password.to_vec())),
            _ => "is longer than 64 KiB",
        };
        Err(Problem::new("no-password", format!("{} {why}", self.what())).help(SOURCE))
    }
}

/// Without the line breaks around it.
fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [b'\r' | b'\n', rest @ ..] | [rest @ .., b'\r' | b'\n'] = text {
        text = rest;
    }
    text
}
