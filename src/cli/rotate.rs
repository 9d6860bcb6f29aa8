//! `dotage rotate`: new values for what is in use, step by step, and back if a step fails.
//!
//! # Why
//!
//! What comes next is decided by `rotation` from the file of the rotation alone, and each step is written into that file
//! before and after it is done. So it makes no difference whether one command does all steps, or several one by one,
//! on one machine or on two, or whether one of them was killed.
//!
//! Who drives the same rotation at the same moment on the same machine is kept apart by a lock on dotage.yaml; on two
//! machines git shows the second one the first one's file.

mod drive;
mod playbook;

use super::{Done, Failure, Shell, generate, say, set};
use crate::generate as generator;
use crate::inventory::Variable;
use crate::journal;
use crate::problem::{Place, Problem};
use crate::project::{self, Flight, Project};
use crate::rotation::{self, Plan};
use crate::secret::{Name, Secret, Secrets};
use crate::time::Time;
use drive::Drive;
use std::collections::BTreeSet;
use std::io::{self, IsTerminal};

/// Replace values that are in use: generate, switch, render, deploy, verify, and back if a step fails
///
/// What switches together, who is deployed in which order and what proves it comes from dotage.yaml. Killed at any step,
/// `--resume` goes on; `--rollback` goes back to the old values.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("which").args(["names", "class", "due", "must", "resume", "rollback", "abort"]).required(true)))]
pub(super) struct Args {
    /// The variables: they switch together, with those that dotage.yaml switches with them
    names: Vec<String>,
    /// Every secret of a class, one rotation for each that switches on its own
    #[arg(long)]
    class: Option<String>,
    /// Every secret that is older than its `every`
    #[arg(long)]
    due: bool,
    /// Every secret that a removed reader could read, and that was not changed since
    #[arg(long)]
    must: bool,
    /// Go on with a rotation in flight [ID: the only one]
    #[arg(long, value_name = "ID", num_args = 0..=1, default_missing_value = "")]
    resume: Option<String>,
    /// Go back to the old values [ID: the only rotation in flight]
    #[arg(long, value_name = "ID", num_args = 0..=1, default_missing_value = "")]
    rollback: Option<String>,
    /// Forget a rotation that has changed nothing yet, or whose values were replaced meanwhile [ID: the only one in flight]
    #[arg(long, value_name = "ID", num_args = 0..=1, default_missing_value = "")]
    abort: Option<String>,
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// Do the next step and no more
    #[arg(long)]
    step: bool,
    /// The next step was done by other means: record it as done, and run nothing
    #[arg(long, requires = "resume", conflicts_with = "step")]
    done: bool,
    /// The maintenance window that dotage.yaml asks for is open
    #[arg(long)]
    in_window: bool,
    /// Why, for the journal
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The incident that it belongs to, for the journal
    #[arg(long, value_name = "ID")]
    incident: Option<String>,
    /// Print the steps as a person would do them by hand, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// A JSON object a line for each rotation: {plan, profile, names, services, steps, step, done, next}; no value is in it
    #[arg(long)]
    json: bool,
}

impl Args {
    fn how(&self) -> How {
        How {
            step: self.step,
            done: self.done,
            in_window: self.in_window,
            reason: self.reason.clone(),
            incident: self.incident.clone(),
            json: self.json,
            ..How::default()
        }
    }
}

/// How rotations are done.
#[derive(Clone, Default)]
pub(super) struct How {
    /// One step and no more.
    pub(super) step: bool,
    /// The next step was done by other means.
    pub(super) done: bool,
    /// A maintenance window is open.
    pub(super) in_window: bool,
    /// Why, for the journal.
    pub(super) reason: Option<String>,
    /// The incident, for the journal.
    pub(super) incident: Option<String>,
    /// Whether each rotation is told as JSON.
    pub(super) json: bool,
    /// Whether commands are printed and not run, as in a drill.
    pub(super) printed: bool,
    /// Whether the old values die as soon as the new ones are proven, without their overlap: they leaked.
    pub(super) at_once: bool,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    let project = Project::find()?;
    let (profile, _) = project.profile(args.profile.as_deref())?;
    let in_flight = [&args.resume, &args.rollback, &args.abort]
        .into_iter()
        .flatten()
        .next();
    if let Some(id) = in_flight {
        return go_on(args, shell, &project, profile, id);
    }
    let plans = plans(args, shell, &project, profile)?;
    if plans.is_empty() {
        say(format!("nothing to rotate in profile {profile}"));
        return Ok(Done::Well);
    }
    let how = args.how();
    for plan in &plans {
        if args.dry_run {
            playbook::show(&project, plan, None, args.json)?;
            continue;
        }
        begin(&project, plan, &how, shell)?;
    }
    Ok(Done::Well)
}

/// Begins a rotation, and does its steps.
pub(super) fn begin(
    project: &Project,
    plan: &Plan<'_>,
    how: &How,
    shell: &Shell,
) -> Result<(), Failure> {
    project.journal().ready()?;
    let drive = Drive::new(project, plan, how, shell, project.lock_rotations()?)?;
    drive.may_begin()?;
    let typed = plan
        .variables()
        .filter(|(_, variable)| !variable.is_generated());
    if typed.count() > 1 && !how.printed && !io::stdin().is_terminal() {
        let message = "several values are asked for, and stdin holds one";
        return Err(Problem::new("several-values", message)
            .help("do it at a terminal, or rotate them one by one")
            .into());
    }
    let mut new = Secrets::new();
    for (name, variable) in plan.variables() {
        let value = if variable.is_generated() {
            generate::generated(name, variable, project)?
        } else if how.printed {
            random()?
        } else {
            set::value(name, None, false, shell)?
        };
        new.insert(name.clone(), project::encoded(value, name, variable)?);
    }
    let id = generator::id()
        .map_err(|failed| Problem::new("generator", failed.to_string()).help("try again"))?;
    let flight = project.begin(plan, &id, new, drive.identities(), &drive.entry("done"))?;
    say(format!(
        "rotation {id} of {}: stage: done",
        listed(&plan.names)
    ));
    if how.step {
        drive.stop(&flight)
    } else {
        drive.go(flight)
    }
}

/// A value for a drill, which nobody judges.
fn random() -> Result<Secret, Problem> {
    generator::random(24, generator::Encoding::Base64Url)
        .map_err(|failed| Problem::new("generator", failed.to_string()).help("try again"))
}

/// Goes on with a rotation in flight to its end.
pub(super) fn resume(
    project: &Project,
    profile: &str,
    id: &str,
    how: &How,
    shell: &Shell,
) -> Result<(), Failure> {
    project.journal().ready()?;
    let lock = project.lock_rotations()?;
    let flight = project.flight(profile, id, &shell.identities()?)?;
    if ended(project, &flight)? {
        return Ok(());
    }
    let plan = Plan::resumed(&project.inventory, profile, declared(project, &flight)?);
    Drive::new(project, &plan, how, shell, lock)?.go(flight)
}

/// Goes on with a rotation in flight, forwards or back.
fn go_on(
    args: &Args,
    shell: &Shell,
    project: &Project,
    profile: &str,
    id: &str,
) -> Result<Done, Failure> {
    let id = the_one(project, profile, id)?;
    let identities = shell.identities()?;
    let flight = project.flight(profile, &id, &identities)?;
    let plan = Plan::resumed(&project.inventory, profile, declared(project, &flight)?);
    if args.dry_run {
        return playbook::show(
            project,
            &plan,
            Some((&flight, args.rollback.is_some())),
            args.json,
        );
    }
    project.journal().ready()?;
    let lock = project.lock_rotations()?;
    // Somebody may have done a step until the lock was ours.
    let flight = project.flight(profile, &id, &identities)?;
    if ended(project, &flight)? {
        return Ok(Done::Well);
    }
    let how = args.how();
    let drive = Drive::new(project, &plan, &how, shell, lock)?;
    if args.abort.is_some() {
        drive.abort(flight)?;
    } else if args.rollback.is_some() {
        let flight = drive.turn(flight)?;
        drive.go(flight)?;
    } else {
        drive.go(flight)?;
    }
    Ok(Done::Well)
}

/// Whether the rotation has ended and only its file was left, which is gone now.
fn ended(project: &Project, flight: &Flight) -> Result<bool, Failure> {
    let ended = project.ended(flight)?;
    if ended {
        say(format!(
            "rotation {} had ended: its file is removed",
            flight.id
        ));
    }
    Ok(ended)
}

/// The rotation in flight that is meant.
fn the_one(project: &Project, profile: &str, id: &str) -> Result<String, Problem> {
    let all = project.rotations(profile)?;
    let known = || all.join(" | ");
    match (all.as_slice(), id) {
        ([], _) => Err(Problem::new(
            "no-rotation",
            format!("no rotation is in flight in profile {profile}"),
        )
        .help("begin one: dotage rotate NAME    (or fetch it: git pull)")),
        ([only], "") => Ok(only.clone()),
        (_, "") => Err(
            Problem::new("which-rotation", "several rotations are in flight")
                .help(format!("say one of them: {}", known())),
        ),
        (_, id) if all.iter().any(|other| other == id) => Ok(id.to_owned()),
        (_, id) => Err(Problem::new(
            "no-rotation",
            format!("no rotation {id} is in flight in profile {profile}"),
        )
        .help(format!("say one of them: {}", known()))),
    }
}

/// The names of a rotation in flight, as the inventory has them.
fn declared<'a>(project: &'a Project, flight: &Flight) -> Result<Vec<&'a Name>, Problem> {
    flight
        .pairs
        .keys()
        .map(|name| project.variable(name.as_str()).map(|(name, _)| name))
        .collect()
}

/// What is to be rotated, a plan for each group that switches on its own. Names that were typed switch together.
fn plans<'a>(
    args: &Args,
    shell: &Shell,
    project: &'a Project,
    profile: &str,
) -> Result<Vec<Plan<'a>>, Failure> {
    let inventory = &project.inventory;
    if !args.names.is_empty() {
        let asked = args
            .names
            .iter()
            .map(|name| project.variable(name).map(|(name, _)| name))
            .collect::<Result<BTreeSet<_>, _>>()?;
        return Ok(vec![Plan::new(inventory, profile, &asked)?]);
    }
    let chosen: Box<dyn Fn(&Name, &Variable) -> bool> = if let Some(class) = &args.class {
        if !inventory.classes.contains_key(class) {
            let known: Vec<&str> = inventory.classes.keys().map(String::as_str).collect();
            return Err(
                Problem::new("unknown-class", format!("there is no class {class}"))
                    .at(Place::file(&inventory.path))
                    .help(format!("say one of them: --class {}", known.join(" | ")))
                    .into(),
            );
        }
        Box::new(move |_, variable: &Variable| {
            variable
                .class
                .as_ref()
                .is_some_and(|own| own.value == *class)
        })
    } else {
        let entries = project.journal().entries()?;
        let past = project.past(profile, &entries);
        if args.due {
            let now = Time::now();
            Box::new(move |name: &Name, variable: &Variable| {
                let every = variable
                    .rotation
                    .as_ref()
                    .and_then(|rotation| rotation.every);
                let changed = past.changed.get(name);
                every
                    .zip(changed)
                    .is_some_and(|(every, changed)| changed.until(now) > every)
            })
        } else {
            let exposed: BTreeSet<Name> = journal::must_rotate(&entries, profile)
                .into_keys()
                .cloned()
                .collect();
            Box::new(move |name: &Name, _: &Variable| exposed.contains(name))
        }
    };
    let wanted: project::Wanted = inventory
        .variables
        .iter()
        .filter(|(name, variable)| {
            variable.sensitive
                && variable.derive.is_none()
                && variable.bootstrap.is_none()
                && chosen(name, variable)
        })
        .collect();
    // Those that have no value have nothing to rotate.
    let held = project
        .values(profile, &wanted, &|| shell.identities())?
        .secrets;
    let names: BTreeSet<&Name> = wanted
        .into_keys()
        .filter(|name| held.contains_key(*name))
        .collect();
    let (groups, problems) = rotation::groups(inventory, profile, &names);
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let mut plans = Vec::new();
    for group in groups {
        let asked: BTreeSet<&Name> = group.intersection(&names).copied().collect();
        plans.push(Plan::new(inventory, profile, &asked)?);
    }
    Ok(plans)
}

/// Names, as a sentence has them.
fn listed(names: &BTreeSet<&Name>) -> String {
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    names.join(", ")
}
