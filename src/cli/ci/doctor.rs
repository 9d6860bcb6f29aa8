//! `dotage ci doctor`: what a job has, what its log will hide, and what would leak.

use super::super::{Done, Failure, Shell, form, say};
use super::github::{annotate, counted, explained, unmaskable};
use crate::ci::github::{self, Level, MANY_MASKS};
use crate::ci::gitlab;
use crate::ci::job::{Job, RULES};
use crate::ci::{self, Platform};
use crate::file;
use crate::inventory::Contract;
use crate::problem::{Problem, Severity};
use crate::project::{self, Project, ruled};
use crate::report::Form;
use crate::secret::{Name, Secret};
use std::env;
use std::path::PathBuf;

/// The largest event of GitHub's that is read.
const MAX_EVENT: usize = 32 << 20;

/// Look a CI job over: its identity, what that opens, what the log will hide, what would leak
///
/// To be run in the job itself, in the step that gets the identity. On GitHub each finding is an annotation as well.
#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    form: form::Args,
}

pub(in crate::cli) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    let variable = |name: &str| env::var(name).ok();
    let project = Project::find()?;
    let Some(platform) = Platform::of(&variable) else {
        return Err(Problem::new("platform", "this is no CI job")
            .help("run it in the step of a job that gets the identity")
            .into());
    };
    let job = Job {
        platform,
        variable: &variable,
        event: env::var_os("GITHUB_EVENT_PATH")
            .map(PathBuf::from)
            .and_then(|path| file::read(&path, MAX_EVENT).ok())
            .and_then(|text| serde_json::from_slice(&text).ok()),
        shells: ci::shell::told(),
    };
    say(format!("platform: {}", job.runner()));
    say(format!(
        "ref: {}",
        match job.is_protected() {
            Some(true) => "protected",
            Some(false) => "not protected",
            None => "nothing says whether it is protected",
        }
    ));
    let (opened, mut problems, none) = open(&project, shell)?;
    let hides = platform == Platform::Github || gitlab::hides_at_run_time();
    problems.extend(job.problems(none.is_none(), hides));
    for (profile, secrets, contract) in &opened {
        let secrets: Vec<(&Name, &Secret)> = secrets
            .iter()
            .map(|(name, secret)| (*name, secret))
            .collect();
        let hidden = unmaskable(&secrets);
        let masks = github::masks(&secrets, Level::Standard).count;
        let by = match platform {
            Platform::Github => format!(", by {}", counted(masks, "mask")),
            _ => String::new(),
        };
        if !secrets.is_empty() {
            say(format!(
                "{profile}: {}, {} of them can be hidden{by}",
                counted(secrets.len(), "secret"),
                secrets.len() - hidden.len(),
            ));
        }
        problems.extend(hidden);
        if masks > MANY_MASKS && platform == Platform::Github {
            let message =
                format!("{profile} needs {masks} masks, which make a job's log slow to write");
            problems.push(
                Problem::new("many-masks", message)
                    .severity(Severity::Warning)
                    .help("name the variables that the job needs, or take --mask-level minimal"),
            );
        }
        if *contract == Contract::Strict && job.is_protected() == Some(false) {
            problems.push(
                Problem::new("unprotected", format!("{profile} opens on a ref that is not protected"))
                    .severity(Severity::Warning)
                    .help("keep its identity to protected branches: a GitHub environment with a branch rule, a protected GitLab variable"),
            );
        }
    }
    if platform == Platform::Github && !args.form.is(Form::Github) {
        annotate(&problems);
    }
    let done = args.form.tell(&problems, RULES)?;
    match none {
        // What a fork is to have.
        Some(_) if job.is_fork() => Ok(done),
        Some(problem) => Err(explained(problem).into()),
        None => Ok(done),
    }
}

/// A profile that opened, the secrets in it, and how strictly it is judged.
type Opened<'a> = (&'a str, Vec<(&'a Name, Secret)>, Contract);

/// The profiles that the identity opens, what is wrong with it or with them, and why there is none that opens any.
fn open<'a>(
    project: &'a Project,
    shell: &Shell,
) -> Result<(Vec<Opened<'a>>, Vec<Problem>, Option<Problem>), Failure> {
    let mut problems = Vec::new();
    let identities = match shell.identities() {
        Ok(identities) => identities,
        Err(problem) if problem.rule == Problem::NO_IDENTITY => {
            say("identity: none");
            return Ok((Vec::new(), problems, Some(problem)));
        }
        Err(problem) => return Err(problem.into()),
    };
    let lines = env::var("DOTAGE_IDENTITY").unwrap_or_default();
    if project::is_material(&lines) && lines.trim().lines().count() > 1 {
        problems.push(
            Problem::new("identity-lines", "DOTAGE_IDENTITY has several lines: a platform hides each, the public key too, or none")
                .severity(Severity::Warning)
                .help("store the one line that begins AGE-SECRET-KEY-"),
        );
    }
    let (mut opened, mut closed) = (Vec::new(), None);
    for (name, profile) in &project.inventory.profiles {
        match project.held(name, profile, &identities) {
            Ok((held, _)) => {
                let secrets = held.secrets.into_iter().filter_map(|(secret, value)| {
                    let (name, variable) = project.inventory.variables.get_key_value(&secret)?;
                    (variable.sensitive && !value.expose().is_empty()).then_some((name, value))
                });
                opened.push((name.as_str(), secrets.collect(), profile.contract));
            }
            Err(problem) if problem.rule == Problem::NO_IDENTITY => closed = Some(problem),
            Err(problem) => problems.push(ruled(problem, "vault").problem),
        }
    }
    let names: Vec<&str> = opened.iter().map(|(name, ..)| *name).collect();
    say(match names.as_slice() {
        [] => "identity: opens no profile".to_owned(),
        names => format!("identity: opens {}", names.join(", ")),
    });
    Ok((opened, problems, closed.filter(|_| names.is_empty())))
}
