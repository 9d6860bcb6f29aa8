//! `dotage redact`: what a job prints, without its secrets.

use super::{Done, Failure, Shell, say};
use crate::problem::{Problem, Severity};
use crate::project::Project;
use crate::redact::{Marker, Needles, Redactor, cannot_hide};
use crate::secret::{Name, Secret};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use zeroize::Zeroizing;

/// Pass stdin on to stdout, with the profile's secrets hidden in whatever form they are printed
///
/// A marker stands for each: `***` in GitHub Actions, `[MASKED]` in GitLab CI, elsewhere the name. Nothing is passed on
/// before the vault is open.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
}

/// What is read at once: as much as a pipe holds.
const BLOCK: usize = 64 << 10;

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    let project = Project::find()?;
    let (profile, _) = project.profile(args.profile.as_deref())?;
    let mut names = project.names(None)?;
    names.retain(|_, variable| variable.sensitive);
    let values = project.values(profile, &names, &|| shell.identities())?;
    shell.tell_openers(&values.opened_by);
    let needles = Needles::new(&values.secrets);
    tell_shown(profile, &values.secrets, &needles);
    drop(values);
    filter(&needles)
}

/// Says which values will be shown all the same.
fn tell_shown<'s>(
    profile: &str,
    secrets: impl IntoIterator<Item = (&'s Name, &'s Secret)>,
    needles: &Needles,
) {
    for (name, secret) in secrets {
        if let Some(why) = cannot_hide(secret.expose()).filter(|_| !secret.expose().is_empty()) {
            say(
                Problem::new("not-hidden", format!("{name} is not hidden: it {why}"))
                    .severity(Severity::Warning)
                    .help(format!("dotage set {name} --profile {profile}")),
            );
        }
    }
    if needles.is_empty() {
        say(Problem::new(
            "not-hidden",
            format!("profile {profile} has no value to hide"),
        )
        .severity(Severity::Warning)
        .help("say which one the job uses: dotage redact --profile PROFILE"));
    }
}

fn filter(needles: &Needles) -> Result<Done, Failure> {
    // Not by line, as the standard library writes to stdout.
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    let stdout = File::from(stdout.map_err(|error| problem("write to stdout", &error))?);
    let mut redactor = Redactor::new(needles, Marker::of_environment(), stdout);
    let mut stdin = io::stdin().lock();
    let mut block = Zeroizing::new(vec![0; BLOCK]);
    let written = loop {
        match stdin.read(&mut block) {
            Ok(0) => break redactor.finish().map(drop),
            Ok(read) => {
                if let Err(error) = redactor.write_all(block.get(..read).unwrap_or_default()) {
                    break Err(error);
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(problem("read stdin", &error)),
        }
    };
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(problem("write to stdout", &error))
        }
        // A reader that has had enough is no error.
        _ => Ok(Done::Well),
    }
}

fn problem(what: &str, error: &io::Error) -> Failure {
    Problem::new("stream", format!("cannot {what}: {}", error.kind()))
        .help("check what stdin and stdout lead to")
        .into()
}
