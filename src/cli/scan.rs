//! `dotage scan`: where did a secret land?

use super::{Done, Failure, Shell, form, say};
use crate::child::git;
use crate::leak::{self, Hunt};
use crate::problem::Problem;
use crate::project::{Hunted, Project};
use crate::secret::Name;
use std::path::PathBuf;

/// Look for secrets that lie in the open: in files, in what is staged, in all of git's history
///
/// Every value of the vaults that open here is looked for, in every encoding that programs print it in; and, without a
/// key, .env files that git has, age identities, private keys, and plaintext in a vault's place. No value is shown.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The files and folders [default: the working folder; with --staged and --history the whole repository]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Look at what is staged: for a pre-commit hook (`dotage init --hooks` installs one)
    #[arg(long, conflicts_with_all = ["history", "ignored"])]
    staged: bool,
    /// Look at everything that any commit ever held
    #[arg(long, conflicts_with = "ignored")]
    history: bool,
    /// Look at the files that git ignores too
    #[arg(long)]
    ignored: bool,
    /// Look for the values of these profiles, whose vaults have to open [default: of all whose vaults do]
    #[arg(short = 'P', long = "profile", value_name = "PROFILE")]
    profiles: Vec<String>,
    #[command(flatten)]
    form: form::Args,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    let (hunted, required) = hunted(args, shell)?;
    let values = hunted
        .sought
        .iter()
        .filter(|sought| sought.line_of.is_none())
        .count();
    let hunt = Hunt::new(hunted.sought, hunted.homes);
    let problems = if args.staged {
        leak::staged(&hunt, &args.paths)?
    } else if args.history {
        leak::history(&hunt, &args.paths)?
    } else if args.paths.is_empty() {
        leak::tree(&hunt, &[PathBuf::from(".")], args.ignored)?
    } else {
        leak::tree(&hunt, &args.paths, args.ignored)?
    };
    let done = args.form.tell(&problems, leak::RULES)?;
    if args.history && git::is_shallow() {
        say(
            "this clone is shallow: what was committed before it begins was not looked at\nhelp: git fetch --unshallow",
        );
    }
    if done == Done::Well {
        let s = if values == 1 { "" } else { "s" };
        say(format!("nothing found ({values} value{s} looked for)"));
    }
    if required.is_empty() {
        Ok(done)
    } else {
        Err(Failure(required))
    }
}

/// What is looked for, and why a profile that was named can't be; says what else isn't looked for.
fn hunted(args: &Args, shell: &Shell) -> Result<(Hunted, Vec<Problem>), Failure> {
    let project = match Project::find() {
        Ok(project) => project,
        Err(problems)
            if args.profiles.is_empty()
                && problems.iter().all(|problem| problem.rule == "no-project") =>
        {
            say("there is no dotage.yaml here or in a folder above: no values were looked for");
            return Ok((Hunted::default(), Vec::new()));
        }
        Err(problems) => return Err(problems.into()),
    };
    let mut hunted = project.hunted(&args.profiles, &shell.identities())?;
    let closed = std::mem::take(&mut hunted.closed);
    if !hunted.indistinct.is_empty() {
        let names: Vec<&str> = hunted.indistinct.iter().map(Name::as_str).collect();
        say(format!(
            "not looked for, as values that are short or a word are found everywhere: {}",
            names.join(", ")
        ));
    }
    if args.profiles.is_empty() {
        for (profile, problem) in closed {
            let why = if problem.rule == Problem::NO_IDENTITY {
                "no identity here opens its vault".to_owned()
            } else {
                problem.to_string()
            };
            say(format!(
                "the values of profile {profile} were not looked for: {why}"
            ));
        }
        return Ok((hunted, Vec::new()));
    }
    Ok((
        hunted,
        closed.into_iter().map(|(_, problem)| problem).collect(),
    ))
}
