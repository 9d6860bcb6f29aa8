//! `dotage check`: does every profile keep its contract?

use super::{Done, Failure, Shell, form, say};
use crate::contract::{self, Facts, Finding, Held, Past};
use crate::inventory::Profile;
use crate::journal::Entry;
use crate::problem::{Problem, Severity};
use crate::project::{Project, ruled};
use crate::time::Time;
use std::collections::BTreeMap;

/// Hold names, values, files and dates to the contract that dotage.yaml declares
///
/// Each problem is told with its place and the command that mends it. A strict profile is judged in full; a lenient one
/// may have published defaults and weak values.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The profile [default: every profile]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// Judge names, files and dates only: no vault is opened and no identity needed
    #[arg(long)]
    no_vault: bool,
    #[command(flatten)]
    form: form::Args,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    let project = Project::find()?;
    let profiles: Vec<(&str, &Profile)> = match &args.profile {
        Some(profile) => vec![project.profile(Some(profile))?],
        None => project
            .inventory
            .profiles
            .iter()
            .map(|(name, profile)| (name.as_str(), profile))
            .collect(),
    };
    let judged = judge(&project, &profiles, args.no_vault, shell)?;
    let mut problems: Vec<Problem> = Vec::new();
    for judgement in judged.judgements {
        say(summary(judgement.profile, &judgement.problems));
        // What two profiles share (a file, a template, a name that nothing uses) is told once.
        let new = |problem: &Problem| !problems.contains(problem);
        let new: Vec<Problem> = judgement.problems.into_iter().filter(new).collect();
        problems.extend(new);
    }
    let done = args.form.tell(&problems, contract::RULES)?;
    if judged.closed.is_empty() {
        Ok(done)
    } else {
        Err(Failure(judged.closed))
    }
}

/// Profiles held to their contracts.
pub(super) struct Judged<'a> {
    /// The moment that they were judged at.
    pub(super) now: Time,
    /// What the vaults hold that were opened.
    pub(super) held: BTreeMap<&'a str, Held>,
    /// The journal; none when it can't be read.
    pub(super) entries: Option<Vec<Entry>>,
    /// One for each profile that was asked for.
    pub(super) judgements: Vec<Judgement<'a>>,
    /// The reasons why a profile that was asked for did not open.
    pub(super) closed: Vec<Problem>,
}

/// What is said of one of them.
pub(super) struct Judgement<'a> {
    /// The profile.
    pub(super) profile: &'a str,
    /// What is recorded of its past; none when the journal can't be read.
    pub(super) past: Option<Past>,
    /// Its problems; the first profile's also those of files, which belong to none.
    pub(super) problems: Vec<Problem>,
}

/// Judges profiles, with what their vaults hold unless none is to be opened.
pub(super) fn judge<'a>(
    project: &'a Project,
    profiles: &[(&'a str, &'a Profile)],
    no_vault: bool,
    shell: &Shell,
) -> Result<Judged<'a>, Failure> {
    let (held, mut found, closed) = if no_vault {
        (BTreeMap::new(), BTreeMap::new(), Vec::new())
    } else {
        open(project, profiles, shell)?
    };
    let published = project.published();
    let now = Time::now();
    let mut once = project.plaintext();
    let entries = match project.journal().entries() {
        Ok(entries) => Some(entries),
        Err(problems) => {
            once.extend(
                problems
                    .into_iter()
                    .map(|problem| ruled(problem, "journal")),
            );
            None
        }
    };
    let mut judgements = Vec::with_capacity(profiles.len());
    for (profile, said) in profiles {
        // A bundle's own fault is told once, by the half that needs no key.
        let mut found: Vec<Finding> = found.remove(profile).unwrap_or_default();
        let bundles = project.bundles(profile, said);
        let told = |finding: &Finding| {
            bundles
                .iter()
                .any(|told| told.problem.place == finding.problem.place)
        };
        found.retain(|finding| finding.name.is_some() || !told(finding));
        found.extend(bundles);
        // Files belong to no profile.
        found.append(&mut once);
        let (shown, wrong) = project.shown(profile);
        found.extend(wrong);
        found.extend(project.origins(profile, held.get(profile)));
        let others: Vec<(&str, &Held)> = held
            .iter()
            .filter(|(other, _)| *other != profile)
            .map(|(other, held)| (*other, held))
            .collect();
        let past = entries
            .as_ref()
            .map(|entries| project.past(profile, entries));
        let problems = contract::problems(Facts {
            inventory: &project.inventory,
            profile,
            now,
            held: held.get(profile),
            others: &others,
            published: &published,
            shown: &shown,
            past: past.as_ref(),
            found,
        });
        judgements.push(Judgement {
            profile,
            past,
            problems,
        });
    }
    Ok(Judged {
        now,
        held,
        entries,
        judgements,
        closed,
    })
}

type Opened<'a> = (
    BTreeMap<&'a str, Held>,
    BTreeMap<&'a str, Vec<Finding>>,
    Vec<Problem>,
);

/// Opens the profiles' vaults, and the others' as far as they open: a secret of one is to be in no other. Last come the
/// reasons why a profile that was asked for did not open.
fn open<'a>(
    project: &'a Project,
    asked: &[(&'a str, &'a Profile)],
    shell: &Shell,
) -> Result<Opened<'a>, Failure> {
    let identities = match shell.identities() {
        Ok(identities) => identities,
        Err(problem) if problem.rule == Problem::NO_IDENTITY => {
            return Ok((BTreeMap::new(), BTreeMap::new(), vec![problem]));
        }
        Err(problem) => return Err(problem.into()),
    };
    let (mut held, mut found, mut closed) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for (name, profile) in &project.inventory.profiles {
        let wanted = asked.iter().any(|(asked, _)| asked == name);
        match project.held(name, profile, &identities) {
            Ok((values, wrong)) => {
                held.insert(name.as_str(), values);
                found.insert(name.as_str(), wrong);
            }
            Err(problem) if !wanted => drop(problem),
            Err(problem) if problem.rule == Problem::NO_IDENTITY => closed.push(problem),
            // What the keyless half finds of the same file says more than that it doesn't open.
            Err(problem) => {
                found.insert(name.as_str(), vec![ruled(problem, "vault")]);
            }
        }
    }
    Ok((held, found, closed))
}

/// How many of each: `production: 2 errors, 1 warning`.
fn summary(profile: &str, problems: &[Problem]) -> String {
    let count = |severity, one: &str| {
        let count = problems
            .iter()
            .filter(|problem| problem.severity == severity)
            .count();
        match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {one}s")),
        }
    };
    let counts: Vec<String> = [
        (Severity::Error, "error"),
        (Severity::Warning, "warning"),
        (Severity::Note, "note"),
    ]
    .into_iter()
    .filter_map(|(severity, one)| count(severity, one))
    .collect();
    if counts.is_empty() {
        format!("{profile}: the contract is kept")
    } else {
        format!("{profile}: {}", counts.join(", "))
    }
}
