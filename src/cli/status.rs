//! `dotage status`: the state of every profile at a glance, for a terminal, a program or a browser.

use super::check::judge;
use super::{Done, Failure, Shell, print, say};
use crate::contract::Held;
use crate::file::{self, Attributes};
use crate::inventory;
use crate::journal::Reader;
use crate::problem::Problem;
use crate::project::Project;
use crate::status::{Bundle, Profile, Status};
use std::path::{Path, PathBuf};

/// Show every profile at a glance: which values it has, how old they are, when they are due, who can open them
///
/// It only shows: what breaks the contract makes `dotage check` fail, not this.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Open no vault: say only what needs no identity
    #[arg(long)]
    no_vault: bool,
    /// A JSON object, with the findings, the calendar and the newest operations as well
    #[arg(long)]
    json: bool,
    /// Write a page of HTML that needs no other file and no network, readable by all
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    html: Option<PathBuf>,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    let project = Project::find()?;
    let profiles: Vec<(&str, &inventory::Profile)> = project
        .inventory
        .profiles
        .iter()
        .map(|(name, profile)| (name.as_str(), profile))
        .collect();
    let judged = judge(&project, &profiles, args.no_vault, shell)?;
    let shown = profiles.iter().zip(&judged.judgements);
    let shown = shown.map(|((name, said), judgement)| {
        let held = judged.held.get(name);
        Profile {
            name,
            held,
            past: judgement.past.as_ref(),
            problems: &judgement.problems,
            bundles: bundles(&project, said, held),
            rotations: project.vault(said).rotations().unwrap_or_default(),
        }
    });
    let status = Status {
        project: name(&project),
        inventory: &project.inventory,
        now: judged.now,
        profiles: shown.collect(),
        entries: judged.entries.as_deref(),
    };
    if !judged.closed.is_empty() {
        let closed = status.profiles.iter().filter(|one| one.held.is_none());
        let closed: Vec<&str> = closed.map(|one| one.name).collect();
        say(format!(
            "no identity here opens every vault: what only a key can tell of {} is not known",
            closed.join(", ")
        ));
    }
    let Some(path) = &args.html else {
        print(if args.json {
            format!("{:#}\n", status.json())
        } else {
            status.screen()
        })?;
        return Ok(Done::Well);
    };
    let readable = Attributes {
        mode: 0o644,
        ..Attributes::default()
    };
    file::replace(path, status.page()?.as_bytes(), &readable).map_err(|problem| {
        match problem.rule {
            "symlink" => problem.help("name the file it points to"),
            _ => problem,
        }
    })?;
    say(format!("{}: written", path.display()));
    Ok(Done::Well)
}

/// What the project is called: as its folder is.
fn name(project: &Project) -> String {
    let here = Path::new(".");
    let root = if project.root.as_os_str().is_empty() {
        here
    } else {
        &project.root
    };
    let full = root.canonicalize().unwrap_or_default();
    let name = full.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The bundles of a profile. What of one can't be read is not known here; the contract says why.
fn bundles(project: &Project, said: &inventory::Profile, held: Option<&Held>) -> Vec<Bundle> {
    let vault = project.vault(said);
    let bundle = |bundle: String| {
        let path = vault.file(&bundle);
        let recipients: Result<_, Problem> = vault.recipients(&bundle);
        let header = vault.header(&bundle);
        let names = match held {
            Some(held) => {
                let inside = held.stored.iter().filter(|(_, place)| place.path == path);
                inside.map(|(name, _)| name.clone()).collect()
            }
            None => {
                let variables = project.inventory.variables.iter();
                let inside = variables.filter(|(_, variable)| {
                    let home = vault.bundle_for(&variable.bundle);
                    variable.derive.is_none() && home.is_ok_and(|home| home == bundle)
                });
                inside.map(|(name, _)| name.clone()).collect()
            }
        };
        Bundle {
            path,
            fits: match (&header, &recipients) {
                (Ok(header), Ok(recipients)) => header.fits(recipients),
                _ => false,
            },
            readers: recipients.ok().map(|recipients| {
                let reader = |one: &crate::vault::Reader| Reader {
                    key: one.key().to_owned(),
                    comment: one.comment().map(str::to_owned),
                };
                recipients.readers().iter().map(reader).collect()
            }),
            header: header.ok().map(|header| header.to_string()),
            names,
        }
    };
    let bundles = vault.bundles().unwrap_or_default();
    bundles.into_iter().map(bundle).collect()
}
