//! `dotage edit`: a bundle's plaintext in an editor, kept in memory only.

use super::{Done, Failure, Shell, say};
use crate::child;
use crate::journal::Entry;
use crate::problem::{Place, Problem};
use crate::project::Project;
use crate::secret::{Name, Secrets};
use crate::yaml;
use std::collections::BTreeSet;

/// Open a bundle in an editor; its plaintext never touches a disk
///
/// The editor is what `DOTAGE_EDITOR`, VISUAL or EDITOR says, the first that is set.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The bundle, where the vault is a folder of several
    bundle: Option<String>,
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    let project = Project::find()?;
    let (profile, said) = project.profile(args.profile.as_deref())?;
    let vault = project.vault(said);
    let bundle = match &args.bundle {
        Some(bundle) => vault.bundle_for(bundle)?,
        None => match vault.bundles()?.as_slice() {
            [only] => only.clone(),
            [] => {
                return Err(Problem::new("no-bundles", "the vault is empty")
                    .at(Place::file(vault.path()))
                    .help("put the first value in: dotage set NAME")
                    .into());
            }
            several => {
                return Err(
                    Problem::new("which-bundle", "the vault has several bundles")
                        .at(Place::file(vault.path()))
                        .help(format!(
                            "say one of them: dotage edit {}",
                            several.join(" | ")
                        ))
                        .into(),
                );
            }
        },
    };
    let path = vault.file(&bundle);
    project.journal().ready()?;
    let identities = shell.identities()?;
    let before = vault
        .open(Some(&[bundle.clone()].into()), &identities)?
        .secrets;
    let text = yaml::flat_text(before.iter()).map_err(|name| {
        Problem::new("not-text", format!("{name} is not text")).at(Place::file(&path))
    })?;
    let edited = child::edit(text.as_bytes(), &format!("{bundle}.yaml"), &mut |bytes| {
        parse(bytes).map(drop)
    })?;
    let after = edited.map(|bytes| parse(&bytes)).transpose()?;
    let changed = vault.change(&identities, |contents| {
        let held = contents.bundle(&bundle)?;
        let Some(after) = after else {
            return Ok(Vec::new());
        };
        if !different(&before, held).is_empty() {
            return Err(Problem::new(
                "changed-meanwhile",
                "was changed by somebody else while the editor was open; nothing was written",
            )
            .at(Place::file(&path))
            .help("dotage edit again"));
        }
        let names = different(held, &after);
        project.not_in_flight(profile, &names, &identities)?;
        *held = after;
        Ok(names)
    })?;
    let entry = Entry {
        names: changed.value,
        ..Entry::new("edit", profile)
    };
    project.record(said, &changed.read, &changed.written, entry)?;
    say(format!(
        "{} {}",
        path.display(),
        if changed.written.is_empty() {
            "is unchanged"
        } else {
            "written"
        }
    ));
    Ok(Done::Well)
}

/// The names whose value is there on one side alone, or another on each.
fn different(before: &Secrets, after: &Secrets) -> Vec<Name> {
    let names: BTreeSet<&Name> = before.keys().chain(after.keys()).collect();
    let same = |name: &Name| match (before.get(name), after.get(name)) {
        (Some(before), Some(after)) => before.same(after),
        _ => false,
    };
    names
        .into_iter()
        .filter(|name| !same(name))
        .cloned()
        .collect()
}

/// The values in the edited text. A comment would not be kept, so it is refused rather than lost.
fn parse(bytes: &[u8]) -> Result<Secrets, Problem> {
    let place = |line| Place::at("the edited text", line, 0);
    let text = std::str::from_utf8(bytes).map_err(|_| {
        Problem::new("vault-not-utf8", "not UTF-8 text")
            .at(place(0))
            .help("save it as UTF-8")
    })?;
    if let Some(line) = text
        .lines()
        .position(|line| line.trim_start().starts_with('#'))
    {
        return Err(Problem::new("comment", "a vault keeps no comments")
            .at(place(line + 1))
            .help("say it in the variable's `purpose` in dotage.yaml"));
    }
    let entries = yaml::flat(text).map_err(|fault| fault.problem("the edited text".as_ref()))?;
    Ok(entries
        .into_iter()
        .map(|(name, value, _)| (name, value))
        .collect())
}
