//! `dotage run`: a program with its service's secrets in its environment, and none of them in what it prints.

use super::{Failure, Shell, print, say};
use crate::child::{Program, Redacted};
use crate::problem::{Printable, Problem};
use crate::project::{self, Asked, Given, Origin, Project};
use crate::redact::{self, Marker, Needles};
use crate::secret::Name;
use clap::ValueEnum;
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

/// Run a program with secrets in its environment, and hide them in what it prints
///
/// What the environment has already wins. With nothing to hide the program takes this process's place.
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: the program's own; 128 and the number of the signal that ended it; 125 dotage failed before it began, \
                  126 it can't be executed, 127 there is no such program."
)]
pub(super) struct Args {
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// Give it the variables of one service, and not all
    #[arg(long)]
    service: Option<String>,
    /// Let what dotage gives win over what the environment has
    #[arg(long = "override")]
    overrides: bool,
    /// When to hide secrets in what it prints [auto: in CI, and on a stream that is no terminal]
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = When::Auto)]
    redact: When,
    /// Take the values from the files in DIR, as Docker mounts them, and not from a vault; needs no dotage.yaml
    #[arg(long, value_name = "DIR")]
    secrets_dir: Option<PathBuf>,
    /// Start nothing; say which variables it would find, and where each comes from
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// With --dry-run, a JSON array: [{name, source, path, given, shadows}]
    #[arg(long, requires = "dry_run")]
    json: bool,
    /// The program and its arguments
    #[arg(
        last = true,
        value_name = "PROGRAM",
        required_unless_present = "dry_run"
    )]
    program: Vec<OsString>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    /// In CI, and on a stream that is no terminal
    Auto,
    /// On both streams; a terminal is replaced by another
    Always,
    /// Never
    Never,
}

/// Runs the program; the exit code is its own.
pub(super) fn run(args: &Args, shell: &Shell) -> ExitCode {
    match attempt(args, shell) {
        Ok(code) => ExitCode::from(code),
        Err(Failure(problems)) => {
            for problem in &problems {
                say(problem);
            }
            ExitCode::from(super::FAILED_TO_RUN)
        }
    }
}

fn attempt(args: &Args, shell: &Shell) -> Result<u8, Failure> {
    let project = match Project::find() {
        Ok(project) => Some(project),
        Err(problems) if args.secrets_dir.is_some() && problems.iter().all(is_no_project) => None,
        Err(problems) => return Err(problems.into()),
    };
    let asked = Asked {
        profile: args.profile.as_deref(),
        service: args.service.as_deref(),
        secrets_dir: args.secrets_dir.as_deref(),
        overrides: args.overrides,
    };
    let given = project::given(project.as_ref(), &asked, &|| shell.identities())?;
    shell.tell_openers(&given.opened_by);
    tell(&given);
    let (name, arguments) = match args.program.split_first() {
        Some((name, arguments)) => (name.as_os_str(), arguments),
        None => (OsStr::new(""), &[][..]),
    };
    let mut program = Program::new(name, arguments);
    give(&mut program, &given)?;
    if args.dry_run {
        print(table(args, &given))?;
        return Ok(0);
    }
    let hidden = given.hidden;
    let hides = hidden
        .iter()
        .any(|(_, value)| redact::cannot_hide(value.expose()).is_none());
    let redacted = redacted(args);
    let failed = if hides && (redacted.stdout || redacted.stderr) {
        let needles = || Needles::new(hidden.iter().map(|(name, value)| (name, &**value)));
        match program.run(redacted, needles, Marker::of_environment()) {
            Ok(code) => return Ok(code),
            Err(failed) => failed,
        }
    } else {
        program.replace()
    };
    say(&failed.problem);
    Ok(failed.code)
}

fn is_no_project(problem: &Problem) -> bool {
    problem.rule == "no-project"
}

/// Gives a program all that it is given.
fn give(program: &mut Program, given: &Given) -> Result<(), Failure> {
    let problems: Vec<Problem> = given
        .values
        .iter()
        .filter_map(|(name, value)| program.give(name, value).err())
        .collect();
    if !problems.is_empty() {
        return Err(problems.into());
    }
    for name in &given.taken {
        program.take(name);
    }
    Ok(())
}

/// Which streams are redacted. A folder of secrets is a container's, whose output is nobody's log but its own: there the
/// program takes our place, unless it is told or is CI's.
fn redacted(args: &Args) -> Redacted {
    let ci = ["CI", "GITHUB_ACTIONS", "GITLAB_CI"].iter().any(|name| {
        std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "false")
    });
    let all = match args.redact {
        When::Never => Some(false),
        When::Always => Some(true),
        When::Auto if ci => Some(true),
        When::Auto if args.secrets_dir.is_some() => Some(false),
        When::Auto => None,
    };
    Redacted {
        stdout: all.unwrap_or_else(|| !io::stdout().is_terminal()),
        stderr: all.unwrap_or_else(|| !io::stderr().is_terminal()),
    }
}

/// Says what is in the shade of what, what is left out, and what has no value.
fn tell(given: &Given) {
    let mut shadows: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    for (name, origins) in &given.origins {
        for shadowed in &origins.shadowed {
            let both = (whose(&origins.wins), whose(shadowed));
            shadows.entry(both).or_default().push(name.as_str());
        }
    }
    for ((wins, shadowed), names) in &shadows {
        let turn = if wins == ENVIRONMENT {
            " (--override turns that around)"
        } else {
            ""
        };
        say(format!(
            "{wins} wins over {shadowed}: {}{turn}",
            names.join(", ")
        ));
    }
    for line in &given.left_out {
        say(line);
    }
    if !given.missing.is_empty() {
        let names: Vec<&str> = given.missing.iter().map(Name::as_str).collect();
        say(format!("no value: {}", names.join(", ")));
    }
}

const ENVIRONMENT: &str = "the environment";

/// Whose a value is, in few words.
fn whose(origin: &Origin) -> String {
    match origin {
        Origin::Vault(_) | Origin::Derived | Origin::Default(_) => "the vault".to_owned(),
        Origin::Read(place) => place.path.display().to_string(),
        other => other.to_string(),
    }
}

/// What the program would find: names and where each value comes from.
fn table(args: &Args, given: &Given) -> String {
    if args.json {
        let path = |origin: &Origin| {
            origin
                .path()
                .map(|path| path.to_string_lossy().into_owned())
        };
        let shadow = |origin: &Origin| json!({"source": origin.word(), "path": path(origin)});
        let rows: Vec<_> = given
            .origins
            .iter()
            .map(|(name, origins)| {
                json!({
                    "name": name.as_str(),
                    "source": origins.wins.word(),
                    "path": path(&origins.wins),
                    "given": given.values.contains_key(name),
                    "shadows": origins.shadowed.iter().map(shadow).collect::<Vec<_>>(),
                })
            })
            .collect();
        return format!("{:#}\n", json!(rows));
    }
    let wide = given.origins.keys().map(|name| name.as_str().len()).max();
    let wide = wide.unwrap_or_default();
    let mut text = String::new();
    for (name, origins) in &given.origins {
        let origin = origins.wins.to_string();
        let _ = writeln!(text, "{:wide$}  {}", name.as_str(), Printable(&origin));
    }
    text
}
