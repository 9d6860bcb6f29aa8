//! `dotage unset`: takes a value out of a vault.

use super::{Done, Failure, Shell, say};
use crate::journal::Entry;
use crate::problem::Problem;
use crate::project::Project;
use crate::secret::Name;

/// Take a value out of the vault
#[derive(clap::Args)]
pub(super) struct Args {
    /// The variable; one that dotage.yaml no longer declares can be removed too
    name: String,
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// Say what would change, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    let project = Project::find()?;
    let (profile, said) = project.profile(args.profile.as_deref())?;
    let vault = project.vault(said);
    let Some(name) = Name::new(&args.name) else {
        return Err(Problem::new(
            "not-a-name",
            format!("{} is not a variable's name", args.name),
        )
        .help("a name is letters, digits and _, and does not begin with a digit")
        .into());
    };
    let identities = shell.identities()?;
    let absent = || {
        Problem::new(
            "no-value",
            format!("{name} has no value in profile {profile}"),
        )
        .help("dotage list shows what is set")
    };
    if args.dry_run {
        let opened = vault.open(None, &identities)?;
        let bundle = opened.bundle_of.get(&name).ok_or_else(absent)?;
        say(format!(
            "would take {name} out of {}",
            vault.file(bundle).display()
        ));
        return Ok(Done::Well);
    }
    project.journal().ready()?;
    let changed = vault.change(&identities, |contents| {
        project.not_in_flight(profile, [&name], &identities)?;
        let bundle = contents.holder(name.as_str())?.ok_or_else(absent)?;
        contents.bundle(&bundle)?.remove(&name);
        Ok(bundle)
    })?;
    let entry = Entry {
        names: vec![name.clone()],
        ..Entry::new("unset", profile)
    };
    project.record(said, &changed.read, &changed.written, entry)?;
    say(format!(
        "took {name} out of {}",
        vault.file(&changed.value).display()
    ));
    Ok(Done::Well)
}
