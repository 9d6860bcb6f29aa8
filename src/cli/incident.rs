//! `dotage incident`: what a leak exposes, and the way from there: contain, rotate, verify, report.
//!
//! # Why
//!
//! The journal is the state: what is done for an incident is an entry with its id, and what no entry tells of is left. So
//! it is resumed by whoever has the repository and an identity, after whatever ended the run before.

mod drill;
mod report;

use super::{Done, Failure, Shell, ask, print, rotate, say};
use crate::child;
use crate::file;
use crate::generate as generator;
use crate::incident::{self, CLOSE, CONTAIN, Cause, Incident, OPEN, Response, VERIFY};
use crate::journal::{self, Entry};
use crate::problem::{Place, Problem};
use crate::project::Project;
use crate::redact::Needles;
use crate::rotation::{self, Plan};
use crate::secret::Name;
use crate::time::Time;
use crate::vault;
use clap::Subcommand;
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Answer a leak: what is exposed, contain it, rotate it, verify, report
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Say what is exposed, across which boundary, since when, and record it
    Open(Open),
    /// Say what was done for an incident, and what is left
    Status(Which),
    /// Do what is left: contain, rotate, verify
    Resume(Resume),
    /// End an incident whose steps are done, and print the report for the post-mortem, in Markdown
    Close(Close),
    /// Go through all of it on a throw-away copy with other values, commands printed and not run, and time it
    Drill(Drill),
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// Every secret of a class
    #[arg(long)]
    class: Option<String>,
    /// This secret; again for each further one
    #[arg(long)]
    name: Vec<String>,
    /// All that this reader can or could read, by its public key
    #[arg(long, value_name = "KEY")]
    recipient: Option<String>,
}

#[derive(clap::Args)]
struct Open {
    #[command(flatten)]
    what: What,
    /// What happened, for the journal and the report
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// Say what is exposed, and record nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// A JSON object: {incident, profile, names, boundaries, services, contain, verify, readers}
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct Which {
    /// The incident [default: the only open one]
    id: Option<String>,
    /// A JSON object: {incident, profile, names, rotated, left}
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct Resume {
    /// The incident [default: the only open one]
    id: Option<String>,
    /// Run the commands that contain it without asking for each
    #[arg(short, long)]
    yes: bool,
    /// Say what is left, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

#[derive(clap::Args)]
struct Close {
    /// The incident [default: the only open one]
    id: Option<String>,
    /// Close it although something is left, for this reason
    #[arg(long, value_name = "REASON")]
    anyway: Option<String>,
    /// Write the report to FILE instead of stdout
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print the report, and close nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

#[derive(clap::Args)]
struct Drill {
    #[command(flatten)]
    what: What,
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    match &args.verb {
        Verb::Drill(args) => drill::run(args, shell),
        Verb::Open(args) => open(&Project::find()?, args),
        Verb::Status(args) => status(&Project::find()?, args),
        Verb::Resume(args) => resume(&Project::find()?, args, shell),
        Verb::Close(args) => close(&Project::find()?, args),
    }
}

fn open(project: &Project, args: &Open) -> Result<Done, Failure> {
    let (profile, _) = project.profile(args.profile.as_deref())?;
    let entries = project.journal().entries()?;
    let cause = args.what.cause(project)?;
    let names = exposed(project, profile, &cause, &entries)?;
    let response = Response::to(&project.inventory, &names);
    let id = generator::id()
        .map_err(|failed| Problem::new("generator", failed.to_string()).help("try again"))?;
    if !args.dry_run {
        project.tell(Entry {
            names: names.iter().map(|name| (*name).clone()).collect(),
            step: Some(cause.to_string()),
            reason: args.reason.clone(),
            incident: Some(id.clone()),
            ..Entry::new(OPEN, profile)
        })?;
    }
    let readers = readers(project, profile, &names)?;
    if args.json {
        let object = json!({
            "incident": (!args.dry_run).then_some(&id),
            "profile": profile,
            "names": names.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
            "boundaries": response.boundaries.iter().map(|(class, boundary)| json!({"class": class, "boundary": boundary})).collect::<Vec<_>>(),
            "services": response.services,
            "contain": response.contain,
            "verify": response.verify,
            "readers": readers,
        });
        print(format!("{object}\n"))?;
        return Ok(Done::Well);
    }
    if args.dry_run {
        say(format!(
            "would open an incident in profile {profile}: {cause}"
        ));
    } else {
        say(format!(
            "incident {id} is open in profile {profile}: {cause}"
        ));
    }
    for name in &names {
        let since = journal::last_changed(&entries, profile, name);
        let since = since.map_or_else(
            || "it is not recorded since when its value is in use".to_owned(),
            |since| format!("its value is in use since {since}"),
        );
        say(format!("  {name}: {since}"));
    }
    for (class, boundary) in &response.boundaries {
        say(format!("boundary {class}: {boundary}"));
    }
    say(format!("readers: {}", readers.join(", ")));
    if !args.dry_run {
        say(format!("next: dotage incident resume {id}"));
    }
    Ok(Done::Well)
}

impl What {
    fn cause(&self, project: &Project) -> Result<Cause, Problem> {
        if let Some(class) = &self.class {
            if !project.inventory.classes.contains_key(class) {
                let known: Vec<&str> = project
                    .inventory
                    .classes
                    .keys()
                    .map(String::as_str)
                    .collect();
                return Err(
                    Problem::new("unknown-class", format!("there is no class {class}"))
                        .at(Place::file(&project.inventory.path))
                        .help(format!("say one of them: --class {}", known.join(" | "))),
                );
            }
            return Ok(Cause::Class(class.clone()));
        }
        if let Some(key) = &self.recipient {
            return Ok(Cause::Recipient(key.trim().to_owned()));
        }
        let names = self
            .name
            .iter()
            .map(|name| project.variable(name).map(|(name, _)| name.clone()));
        Ok(Cause::Names(names.collect::<Result<_, _>>()?))
    }
}

/// The secrets that a cause exposes: stored ones, of which the derived ones are made.
fn exposed<'a>(
    project: &'a Project,
    profile: &str,
    cause: &Cause,
    entries: &[Entry],
) -> Result<BTreeSet<&'a Name>, Problem> {
    let inventory = &project.inventory;
    let mut names: BTreeSet<&Name> = BTreeSet::new();
    match cause {
        Cause::Class(class) => names.extend(
            inventory
                .variables
                .iter()
                .filter(|(_, variable)| {
                    variable
                        .class
                        .as_ref()
                        .is_some_and(|own| own.value == *class)
                })
                .map(|(name, _)| name),
        ),
        Cause::Names(asked) => {
            for name in asked {
                names.insert(project.variable(name.as_str())?.0);
            }
        }
        Cause::Recipient(key) => {
            let (_, said) = project.profile(Some(profile))?;
            let vault = project.vault(said);
            let mut could: BTreeSet<Name> = entries
                .iter()
                .filter(|entry| {
                    entry.profile.as_deref() == Some(profile)
                        && entry.removed.iter().any(|reader| reader.key == *key)
                })
                .flat_map(|entry| entry.names.iter().cloned())
                .collect();
            for bundle in vault.bundles()? {
                if reads(&vault.recipients(&bundle)?, key) {
                    for (name, variable) in &inventory.variables {
                        if vault.bundle_for(&variable.bundle)? == bundle {
                            could.insert(name.clone());
                        }
                    }
                }
            }
            names.extend(
                inventory
                    .variables
                    .keys()
                    .filter(|name| could.contains(*name)),
            );
            if names.is_empty() {
                return Err(Problem::new(
                    "unknown-recipient",
                    format!("this key reads nothing in profile {profile}, and the journal does not tell that it did"),
                )
                .help("see who reads what: dotage recipients list"));
            }
        }
    }
    // What is made of others is exposed by them, and changed with them.
    let mut stored: BTreeSet<&Name> = BTreeSet::new();
    for name in names {
        match inventory
            .variables
            .get(name)
            .and_then(|variable| variable.derive.as_ref())
        {
            None => {
                stored.insert(name);
            }
            Some(derive) => stored.extend(
                inventory
                    .variables
                    .keys()
                    .filter(|part| derive.names.contains(*part)),
            ),
        }
    }
    stored.retain(|name| {
        inventory
            .variables
            .get(*name)
            .is_some_and(|variable| variable.sensitive)
    });
    if stored.is_empty() {
        return Err(
            Problem::new("no-secret", format!("{cause} exposes no secret"))
                .at(Place::file(&inventory.path))
                .help("see which variables are secret: dotage list"),
        );
    }
    Ok(stored)
}

fn reads(recipients: &vault::Recipients, key: &str) -> bool {
    recipients
        .readers()
        .iter()
        .any(|reader| reader.key() == key)
}

/// Who can read the bundles that hold these.
fn readers(
    project: &Project,
    profile: &str,
    names: &BTreeSet<&Name>,
) -> Result<Vec<String>, Problem> {
    let (_, said) = project.profile(Some(profile))?;
    let vault = project.vault(said);
    let mut readers = BTreeSet::new();
    for name in names {
        let (_, variable) = project.variable(name.as_str())?;
        let bundle = vault.bundle_for(&variable.bundle)?;
        for reader in vault.recipients(&bundle)?.readers() {
            readers.insert(reader.comment().unwrap_or(reader.key()).to_owned());
        }
    }
    Ok(readers.into_iter().collect())
}

/// The open incident that is meant.
fn the_one<'e>(all: &[Incident<'e>], id: Option<&str>) -> Result<Incident<'e>, Problem> {
    if let Some(id) = id {
        return all
            .iter()
            .find(|incident| incident.id == id)
            .cloned()
            .ok_or_else(|| {
                Problem::new(
                    "no-incident",
                    format!("the journal tells of no incident {id}"),
                )
                .help("see what it tells of: dotage log")
            });
    }
    let open: Vec<&Incident> = all
        .iter()
        .filter(|incident| !incident.is_closed())
        .collect();
    match open.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(Problem::new("no-incident", "no incident is open")
            .help("open one: dotage incident open --class CLASS | --name NAME | --recipient KEY")),
        several => {
            let ids: Vec<&str> = several.iter().map(|incident| incident.id).collect();
            Err(Problem::new("which-incident", "several incidents are open")
                .help(format!("say one of them: {}", ids.join(" | "))))
        }
    }
}

/// What is left of an incident.
struct Left<'a> {
    contain: Vec<&'a str>,
    /// The names to rotate; those that switch together in one group, in the order in which they are safe to rotate.
    rotate: Vec<BTreeSet<&'a Name>>,
    verify: Vec<&'a str>,
    /// Why a name is not rotated, and what to do instead.
    otherwise: Vec<Problem>,
}

impl Left<'_> {
    fn is_nothing(&self) -> bool {
        self.contain.is_empty() && self.rotate.is_empty() && self.verify.is_empty()
    }

    fn lines(&self) -> Vec<String> {
        let contain = self
            .contain
            .iter()
            .map(|command| format!("contain: {command}"));
        let rotate = self.rotate.iter().map(|group| {
            let names: Vec<&str> = group.iter().map(|name| name.as_str()).collect();
            format!("rotate: {}", names.join(", "))
        });
        let verify = self
            .verify
            .iter()
            .map(|command| format!("verify: {command}"));
        contain.chain(rotate).chain(verify).collect()
    }
}

fn left<'a>(project: &'a Project, incident: &Incident<'_>) -> Left<'a> {
    let inventory = &project.inventory;
    let profile = incident.opened.profile.as_deref().unwrap_or_default();
    let names: BTreeSet<&Name> = inventory
        .variables
        .keys()
        .filter(|name| incident.names().contains(name))
        .collect();
    let response = Response::to(inventory, &names);
    let rotated = incident.rotated();
    let unrotated: BTreeSet<&Name> = names
        .iter()
        .copied()
        .filter(|name| !rotated.contains(*name))
        .collect();
    let (groups, otherwise) = rotation::groups(inventory, profile, &unrotated);
    let groups: Vec<BTreeSet<&Name>> = groups
        .into_iter()
        .map(|group| group.intersection(&unrotated).copied().collect())
        .collect();
    let mut contain = response.contain;
    contain.retain(|command| !incident.did(CONTAIN, command));
    let mut verify = response.verify;
    // What was verified before the last value was changed proves nothing.
    if groups.is_empty() {
        verify.retain(|command| !incident.did(VERIFY, command));
    }
    Left {
        contain,
        rotate: groups,
        verify,
        otherwise,
    }
}

fn status(project: &Project, args: &Which) -> Result<Done, Failure> {
    let entries = project.journal().entries()?;
    let incident = the_one(&incident::all(&entries), args.id.as_deref())?;
    let left = left(project, &incident);
    let rotated: Vec<&str> = incident.rotated().into_iter().map(Name::as_str).collect();
    if args.json {
        let object = json!({
            "incident": incident.id,
            "profile": incident.opened.profile,
            "opened": incident.opened.time.to_string(),
            "closed": incident.is_closed(),
            "cause": incident.opened.step,
            "names": incident.names().iter().map(Name::as_str).collect::<Vec<_>>(),
            "rotated": rotated,
            "left": left.lines(),
        });
        print(format!("{object}\n"))?;
        return Ok(Done::Well);
    }
    let mut text = format!(
        "incident {} of {}, opened {} by {}{}\n",
        incident.id,
        incident.opened.step.as_deref().unwrap_or_default(),
        incident.opened.time,
        incident.opened.who.actor,
        if incident.is_closed() { ", closed" } else { "" }
    );
    if !rotated.is_empty() {
        let _ = writeln!(text, "rotated: {}", rotated.join(", "));
    }
    for line in left.lines() {
        let _ = writeln!(text, "left: {line}");
    }
    for problem in &left.otherwise {
        let _ = writeln!(text, "{problem}");
    }
    print(text)?;
    Ok(Done::Well)
}

fn resume(project: &Project, args: &Resume, shell: &Shell) -> Result<Done, Failure> {
    let entries = project.journal().entries()?;
    let incident = the_one(&incident::all(&entries), args.id.as_deref())?;
    let profile = incident.opened.profile.clone().unwrap_or_default();
    let left = left(project, &incident);
    if args.dry_run {
        for line in left.lines() {
            say(format!("would {line}"));
        }
        return Ok(Done::Well);
    }
    go(
        project,
        &profile,
        incident.id,
        incident.cause().as_ref(),
        &left,
        args.yes,
        false,
        shell,
    )?;
    say(format!("next: dotage incident close {}", incident.id));
    Ok(Done::Well)
}

/// Does what is left.
#[expect(
    clippy::too_many_arguments,
    reason = "each is a fact of the incident or of the run, and a drill differs in two"
)]
fn go(
    project: &Project,
    profile: &str,
    id: &str,
    cause: Option<&Cause>,
    left: &Left<'_>,
    yes: bool,
    printed: bool,
    shell: &Shell,
) -> Result<(), Failure> {
    project.journal().ready()?;
    let tell = |action: &str, command: &str, outcome: &str| {
        project.tell(Entry {
            step: Some(command.to_owned()),
            incident: Some(id.to_owned()),
            outcome: outcome.to_owned(),
            ..Entry::new(action, profile)
        })
    };
    // What the commands print is shown without what leaked, and without what replaces it.
    let identities = shell.identities()?;
    let values = || project.secrets_to_hide(profile, &identities);
    let old = values()?;
    let act = |action: &str, command: &str| -> Result<(), Failure> {
        if printed {
            say(format!("  would run: {command}"));
        } else {
            let new = values()?;
            let needles = Needles::new(old.iter().chain(&new));
            let code = child::act(command, &project.root, &[], &needles)?;
            if code != 0 {
                tell(action, command, "failed")?;
                return Err(
                    Problem::new("command", format!("`{command}` exited with {code}"))
                        .help(format!("mend it and go on: dotage incident resume {id}"))
                        .into(),
                );
            }
        }
        tell(action, command, "done")?;
        Ok(())
    };
    for command in &left.contain {
        if yes || ask::yes(&format!("contain: run `{command}`?"), shell.non_interactive)? {
            say(format!("contain: {command}"));
            act(CONTAIN, command)?;
        } else {
            tell(CONTAIN, command, "passed over")?;
        }
    }
    if let Some(Cause::Recipient(key)) = cause {
        still_reads(project, profile, key)?;
    }
    let how = rotate::How {
        in_window: true,
        incident: Some(id.to_owned()),
        printed,
        at_once: true,
        ..rotate::How::default()
    };
    for group in &left.rotate {
        for flight in in_flight(project, profile, group, shell)? {
            rotate::resume(project, profile, &flight, &how, shell)?;
        }
        // One that was begun before the incident has ended by now, and its value is replaced as well.
        let entries = project.journal().entries()?;
        let all = incident::all(&entries);
        let rotated = the_one(&all, Some(id))?;
        let rotated = rotated.rotated();
        let names: BTreeSet<&Name> = group
            .iter()
            .copied()
            .filter(|name| !rotated.contains(*name))
            .collect();
        if !names.is_empty() {
            let plan = Plan::new(&project.inventory, profile, &names)?;
            rotate::begin(project, &plan, &how, shell)?;
        }
    }
    for command in &left.verify {
        say(format!("verify: {command}"));
        act(VERIFY, command)?;
    }
    for problem in &left.otherwise {
        say(problem);
    }
    Ok(())
}

/// Whoever is the cause must not read the new values.
fn still_reads(project: &Project, profile: &str, key: &str) -> Result<(), Problem> {
    let (_, said) = project.profile(Some(profile))?;
    let vault = project.vault(said);
    for bundle in vault.bundles()? {
        if reads(&vault.recipients(&bundle)?, key) {
            return Err(Problem::new(
                "still-reads",
                "this reader would read the new values too".to_owned(),
            )
            .at(Place::file(vault.recipients_file(&bundle)))
            .help(format!(
                "dotage recipients remove '{key}' --profile {profile}"
            )));
        }
    }
    Ok(())
}

/// The rotations in flight of the names.
fn in_flight(
    project: &Project,
    profile: &str,
    names: &BTreeSet<&Name>,
    shell: &Shell,
) -> Result<Vec<String>, Problem> {
    let flights = project.rotations(profile)?;
    if flights.is_empty() {
        return Ok(flights);
    }
    let identities = shell.identities()?;
    let mut touched = Vec::new();
    for id in flights {
        let its = project.rotates(profile, &id, &identities)?;
        if names.iter().any(|name| its.contains(*name)) {
            touched.push(id);
        }
    }
    Ok(touched)
}

fn close(project: &Project, args: &Close) -> Result<Done, Failure> {
    let entries = project.journal().entries()?;
    let incident = the_one(&incident::all(&entries), args.id.as_deref())?;
    let left = left(project, &incident);
    if !left.is_nothing() && args.anyway.is_none() && !args.dry_run && !incident.is_closed() {
        return Err(Problem::new(
            "not-done",
            format!(
                "incident {} is not done: {}",
                incident.id,
                left.lines().join("; ")
            ),
        )
        .help(format!(
            "dotage incident resume {0}, or: dotage incident close {0} --anyway REASON",
            incident.id
        ))
        .into());
    }
    let id = incident.id.to_owned();
    let profile = incident.opened.profile.clone().unwrap_or_default();
    if !args.dry_run && !incident.is_closed() {
        project.tell(Entry {
            names: incident.names().to_vec(),
            incident: Some(id.clone()),
            reason: args.anyway.clone(),
            ..Entry::new(CLOSE, &profile)
        })?;
    }
    let entries = project.journal().entries()?;
    let incident = the_one(&incident::all(&entries), Some(&id))?;
    let text = report::markdown(project, &incident, &left, &entries, Time::now());
    match &args.report {
        Some(path) => {
            file::replace(
                path,
                text.as_bytes(),
                &file::Attributes {
                    mode: 0o644,
                    ..file::Attributes::default()
                },
            )?;
            say(format!("{}: the report of incident {id}", path.display()));
        }
        None => print(text)?,
    }
    Ok(Done::Well)
}
