//! `dotage ci gitlab`: a GitLab job gets its values, and its log shows none.

mod sync;

use crate::ci::gitlab;
use crate::cli::{Done, Failure, Shell, print, say};
use crate::file::Attributes;
use crate::generate::{self, Encoding};
use crate::problem::{Place, Problem, Severity};
use crate::project::{self, Project, Recipe};
use crate::redact;
use crate::secret::Name;
use clap::{Subcommand, ValueEnum};
use rustix::fs::FileType;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Give a GitLab job its values in a file closed to others; or put them into the project's variables
///
/// GitLab's runner hides nothing that a job learns as it runs, so no value is ever printed here: `dotage run` gives
/// values to one program and hides them in what it prints.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// Only the variables of one service
    #[arg(long)]
    service: Option<String>,
    /// Where the values go
    #[arg(long, value_enum, default_value_t = Export::None)]
    export: Export,
    /// The file, instead of a new one beside the job's folder
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Verb {
    Sync(sync::Args),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Export {
    /// Nowhere
    None,
    /// A file of mode 0600 for `set -a; . FILE`; its path is printed
    File,
    /// Refused: whoever sees the pipeline can download a dotenv report
    Dotenv,
}

pub(in crate::cli) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    if let Some(Verb::Sync(args)) = &args.verb {
        return sync::run(args, shell);
    }
    if args.export == Export::Dotenv {
        return Err(Problem::new(
            "dotenv-report",
            "a dotenv report holds no secrets: whoever sees the pipeline can download it, and no job that gets its values masks them",
        )
        .help("let each job open the vault itself: dotage run -- COMMAND")
        .into());
    }
    let project = Project::find()?;
    let (profile, _) = project.profile(args.profile.as_deref())?;
    if let Some(warning) = traced() {
        say(warning);
    }
    if args.to.is_some() && args.export == Export::None {
        return Err(
            Problem::new("no-export", "--to names a file, and nothing goes into one")
                .help("dotage ci gitlab --export file --to PATH")
                .into(),
        );
    }
    if gitlab::hides_at_run_time() {
        mask(&project, profile, args, shell)?;
    } else {
        say(
            "no mask is set: this runner hides nothing that it learns as a job runs\nhelp: dotage run -- COMMAND hides what the command prints",
        );
    }
    if args.export == Export::None {
        return Ok(Done::Well);
    }
    let path = match &args.to {
        Some(path) => path.clone(),
        None => new_file(profile)?,
    };
    let recipe = Recipe {
        target: None,
        template: Some(PathBuf::from("variables.shell.env.j2")),
        dialect: None,
        to: path,
        profile: profile.to_owned(),
        service: args.service.clone(),
        names: Vec::new(),
        attributes: Attributes::default(),
    };
    let made = project.make(&recipe, &|| shell.identities())?;
    project.write(&recipe, &made, true)?;
    shell.tell_openers(&made.opened_by);
    say(format!(
        "{}: written (0600, {} value{})",
        recipe.to.display(),
        made.names.len(),
        if made.names.len() == 1 { "" } else { "s" }
    ));
    print(format!("{}\n", recipe.to.display()))?;
    Ok(Done::Well)
}

/// Has the runner hide every secret from now on.
fn mask(project: &Project, profile: &str, args: &Args, shell: &Shell) -> Result<(), Problem> {
    let into_file = rustix::fs::fstat(io::stderr())
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
    if into_file {
        return Err(Problem::new(
            "stderr",
            "stderr leads to a file, where the runner sees no mask and others may see the values",
        )
        .help("leave stderr alone: dotage ci gitlab"));
    }
    let wanted = project.names(args.service.as_deref())?;
    let values = project.values(profile, &wanted, &|| shell.identities())?;
    let sensitive = |name: &Name| wanted.get(name).is_some_and(|variable| variable.sensitive);
    let secrets: Vec<_> = values
        .secrets
        .iter()
        .filter(|(name, _)| sensitive(name))
        .collect();
    for (name, secret) in &secrets {
        if let Some(why) = redact::cannot_hide(secret.expose()) {
            say(
                Problem::new("unmaskable", format!("{name} is not masked: {why}"))
                    .severity(Severity::Warning)
                    .help("give it a longer value"),
            );
        }
    }
    let identity = project::identity_given();
    let own = Name::new("DOTAGE_IDENTITY");
    let masks = gitlab::masks(
        secrets
            .into_iter()
            .chain(own.as_ref().zip(identity.as_ref())),
    );
    let mut stderr = io::stderr().lock();
    stderr
        .write_all(&masks)
        .and_then(|()| stderr.flush())
        .map_err(|error| {
            Problem::new(
                "stderr",
                format!("cannot write the masks: {}", error.kind()),
            )
            .help("check what stderr leads to")
        })
}

/// What `CI_DEBUG_TRACE` shows.
fn traced() -> Option<Problem> {
    let on = |name: &str| std::env::var(name).is_ok_and(|value| matches!(&*value, "true" | "1"));
    on("CI_DEBUG_TRACE").then(|| {
        Problem::new(
            "debug-trace",
            "CI_DEBUG_TRACE shows every variable of this job in its log, and each command as it is run",
        )
        .severity(Severity::Warning)
        .help("turn it off, and replace whatever the log has shown")
    })
}

/// A new file in the folder that the runner keeps beside the job's own, or else where temporary files go: no artifact
/// and no cache of the job takes it along.
fn new_file(profile: &str) -> Result<PathBuf, Problem> {
    let beside = std::env::var_os("CI_PROJECT_DIR").map(|folder| {
        let mut folder = folder;
        folder.push(".tmp");
        PathBuf::from(folder)
    });
    let folder = beside
        .filter(|folder| folder.is_dir())
        .unwrap_or_else(std::env::temp_dir);
    let word = generate::random(8, Encoding::Hex).map_err(|_| {
        Problem::new("random", "the system has no random bytes")
            .at(Place::file(Path::new("/dev/urandom")))
    })?;
    let word = String::from_utf8_lossy(word.expose()).into_owned();
    Ok(folder.join(format!("dotage-{profile}-{word}.env")))
}
