//! Doing the steps of a rotation: each is written down, done, and written down again.

use super::super::{Failure, Shell, print, say};
use super::How;
use crate::child;
use crate::file::{self, Change};
use crate::journal::Entry;
use crate::problem::{Place, Problem};
use crate::project::{Flight, Project, Recipe};
use crate::redact::Needles;
use crate::rotation::{Next, Plan, Position, Step};
use crate::secret::{Name, Secret, Secrets};
use crate::time::Time;
use crate::vault::Identities;
use serde_json::json;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// How long a check that failed is left alone before it is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// A plan, and all that it takes to act on it.
pub(super) struct Drive<'a> {
    project: &'a Project,
    plan: &'a Plan<'a>,
    how: &'a How,
    shell: &'a Shell,
    identities: Identities,
    lock: file::Lock,
}

/// The values of a rotation as its commands see them.
struct Values {
    old: Secrets,
    new: Secrets,
    needles: Needles,
}

impl<'a> Drive<'a> {
    /// Nobody else on this machine drives the project's rotations meanwhile: the lock says so.
    pub(super) fn new(
        project: &'a Project,
        plan: &'a Plan<'a>,
        how: &'a How,
        shell: &'a Shell,
        lock: file::Lock,
    ) -> Result<Self, Problem> {
        Ok(Drive {
            identities: shell.identities()?,
            project,
            plan,
            how,
            shell,
            lock,
        })
    }

    pub(super) fn identities(&self) -> &Identities {
        &self.identities
    }

    /// Does the steps that are left: one, or until the end, a wait or a failure.
    pub(super) fn go(&self, mut flight: Flight) -> Result<(), Failure> {
        let (old, new) = self
            .project
            .both(self.plan, &flight, &|| self.shell.identities())?;
        let secret = |pair: &(&Name, &Secret)| self.project.is_secret(pair.0);
        let others = self
            .project
            .secrets_to_hide(&flight.profile, &self.identities)?;
        let needles = Needles::new(old.iter().chain(&new).filter(secret).chain(&others));
        let values = Values { old, new, needles };
        loop {
            let step = match self.plan.next(&flight.at, Time::now())? {
                Next::Ended => return self.report(&flight, None),
                Next::Wait(_) if self.how.at_once => Step::Overlap,
                Next::Wait(until) => {
                    say(format!("the old values stay good until {until}"));
                    say(format!("then: {}", again(&flight, "--resume")));
                    return self.report(&flight, Some(&Step::Overlap));
                }
                Next::Do(step) => step,
            };
            self.window(&flight, &step)?;
            let ends = self.one(&mut flight, &step, &values)?;
            if ends {
                let names = super::listed(&self.plan.names);
                let how = match flight.at.reached {
                    Some(_) => "the old values are in use again",
                    None => "rotated",
                };
                say(format!("{names}: {how} (rotation {})", flight.id));
                return self.report(&flight, None);
            }
            if self.how.step || self.how.done {
                return self.stop(&flight);
            }
        }
    }

    /// Says what comes next, and leaves it to another call.
    pub(super) fn stop(&self, flight: &Flight) -> Result<(), Failure> {
        let next = match self.plan.next(&flight.at, Time::now())? {
            Next::Do(step) => step,
            Next::Wait(_) => Step::Overlap,
            Next::Ended => Step::Finish,
        };
        say(format!("next: {next}    ({})", again(flight, "--resume")));
        self.report(flight, Some(&next))
    }

    /// Turns a rotation round, which is written down before anything is taken back.
    pub(super) fn turn(&self, mut flight: Flight) -> Result<Flight, Failure> {
        if flight.at.step.is_back() {
            return Ok(flight);
        }
        let at = self.plan.turned(&flight.at);
        if at.step == Step::Undo && self.plan.commands(&Step::Undo).is_empty() {
            let message = format!(
                "`before` was begun for {}, and no `undo` says how it is taken back",
                super::listed(&self.plan.names)
            );
            return Err(Problem::new("no-undo", message)
                .at(Place::file(&self.project.inventory.path))
                .help(format!("declare rotation: {{ undo: COMMAND }} (it sees the two values swapped), or go on: {}", again(&flight, "--resume")))
                .into());
        }
        flight.at = at;
        self.project
            .save(&flight, &self.identities, &self.entry("begun"))?;
        Ok(flight)
    }

    /// Forgets a rotation that has changed nothing outside of its file, or whose values somebody replaced meanwhile. Data
    /// that may be encrypted with one of them keeps it from that.
    pub(super) fn abort(&self, mut flight: Flight) -> Result<(), Failure> {
        let reached = flight.at.reached.as_ref().unwrap_or(&flight.at.step);
        let back = self.plan.steps_back(reached);
        let overtaken = self
            .project
            .unchanged(&flight, &self.identities)
            .is_err_and(|problem| problem.rule == "changed-meanwhile");
        let stored = back.contains(&Step::Undo);
        if back != [Step::FinishBack] && (stored || !overtaken) {
            return Err(Problem::new(
                "begun",
                format!("the rotation has come to `{reached}`, which has to be taken back"),
            )
            .help(again(&flight, "--rollback"))
            .into());
        }
        flight.at = self.plan.turned(&flight.at);
        flight.at.done = true;
        self.project.end(&flight, &self.entry("done"))?;
        let why = if overtaken {
            "other values are in use"
        } else {
            "nothing was changed"
        };
        say(format!("rotation {} is forgotten: {why}", flight.id));
        self.report(&flight, None)
    }

    /// A step: written down as begun, done, and written down as done. Tells whether it was the last.
    fn one(&self, flight: &mut Flight, step: &Step, values: &Values) -> Result<bool, Failure> {
        if self.how.done && !step.is_outside() {
            return Err(Problem::new(
                "not-by-hand",
                format!("`{step}` is what dotage itself does"),
            )
            .help(again(flight, "--resume"))
            .into());
        }
        let ends = matches!(step, Step::Finish | Step::FinishBack);
        if matches!(step, Step::Before | Step::Undo)
            && let Err(problem) = self.project.unchanged(flight, &self.identities)
        {
            return Err(self.ways_out(flight, step, vec![problem]));
        }
        flight.at = Position {
            step: step.clone(),
            done: false,
            ..flight.at.clone()
        };
        let began = Instant::now();
        if !ends {
            self.project
                .save(flight, &self.identities, &self.entry("begun"))?;
            if !self.how.done
                && let Err(Failure(mut problems)) = self.act(flight, step, values)
            {
                let told = self.project.tell_of(flight, &self.took("failed", began));
                problems.extend(told.err());
                say(format!("{step}: failed"));
                return Err(self.ways_out(flight, step, problems));
            }
        }
        flight.at.done = true;
        if self.plan.begins_overlap(step) {
            flight.at.verified = Some(Time::now());
        }
        let entry = self.took("done", began);
        if ends {
            self.project.end(flight, &entry)?;
        } else {
            self.project.save(flight, &self.identities, &entry)?;
        }
        say(format!("{step}: done"));
        Ok(ends)
    }

    fn act(&self, flight: &Flight, step: &Step, values: &Values) -> Result<(), Failure> {
        match step {
            Step::Backup => self.all(step, &[], values)?,
            Step::Before | Step::Undo => {
                let (from, to) = match step {
                    Step::Before => (&values.old, &values.new),
                    _ => (&values.new, &values.old),
                };
                // Killed ourselves, what re-encrypts goes on: until it has ended nobody may begin it again.
                let _lent = self.lock.lend()?;
                self.all(step, &given(from, to), values)?;
            }
            Step::Switch => {
                self.project
                    .switch(flight, false, &self.identities, &self.entry("done"))?;
            }
            Step::SwitchBack => {
                self.project
                    .switch(flight, true, &self.identities, &self.entry("done"))?;
            }
            Step::Render | Step::RenderBack | Step::Retire => self.render()?,
            Step::Deploy(service) | Step::Redeploy(service) | Step::DeployBack(service) => {
                self.deploy(step, service, values)?;
            }
            Step::Verify | Step::VerifyBack => {
                self.until(
                    &self.plan.commands(step),
                    &[],
                    self.plan.within(),
                    true,
                    values,
                )?;
            }
            Step::Prove => {
                let none = Secrets::new();
                let old = given(&values.old, &none);
                self.until(
                    &self.plan.commands(step),
                    &old,
                    self.plan.within(),
                    false,
                    values,
                )?;
            }
            Step::Stage | Step::Overlap | Step::Finish | Step::FinishBack => {}
        }
        Ok(())
    }

    /// Every command of a step must succeed.
    fn all(&self, step: &Step, given: &[(Name, &Secret)], values: &Values) -> Result<(), Problem> {
        for command in self.plan.commands(step) {
            let code = self.run(command, given, true, values)?;
            if code != 0 {
                return Err(exited(command, code));
            }
        }
        Ok(())
    }

    fn deploy(&self, step: &Step, service: &str, values: &Values) -> Result<(), Problem> {
        if self.plan.commands(step).is_empty() {
            return Err(Problem::new(
                "no-deploy",
                format!("no `deploy` says how {service} takes a new value"),
            )
            .at(Place::file(&self.project.inventory.path))
            .help("deploy it by other means, and go on with --done"));
        }
        self.all(step, &[], values)?;
        let (healthy, within) = self.plan.healthy(service);
        self.until(&healthy, &[], within, true, values)
    }

    /// Each command must succeed, or with `wanted` false fail, within a time.
    fn until(
        &self,
        commands: &[&str],
        given: &[(Name, &Secret)],
        within: Duration,
        wanted: bool,
        values: &Values,
    ) -> Result<(), Problem> {
        let began = Instant::now();
        for command in commands {
            loop {
                let code = self.run(command, given, wanted, values)?;
                // What the shell says of a command that it can't run is no answer of that command.
                if !wanted && matches!(code, 126 | 127) {
                    let message = format!("`{command}` could not be run, which proves nothing");
                    return Err(Problem::new("command", message));
                }
                if (code == 0) == wanted {
                    break;
                }
                let left = within.saturating_sub(began.elapsed());
                if left.is_zero() {
                    return Err(if wanted {
                        exited(command, code)
                    } else {
                        Problem::new(
                            "old-value-alive",
                            format!("`{command}` succeeded: the old value is still good"),
                        )
                    });
                }
                thread::sleep(left.min(AGAIN));
            }
        }
        Ok(())
    }

    fn run(
        &self,
        command: &str,
        given: &[(Name, &Secret)],
        wanted: bool,
        values: &Values,
    ) -> Result<u8, Problem> {
        if self.how.printed {
            say(format!("  would run: {command}"));
            return Ok(u8::from(!wanted));
        }
        child::act(command, &self.project.root, given, &values.needles)
    }

    /// The targets that show what switches; all are made before the first is written.
    fn render(&self) -> Result<(), Failure> {
        let names: Vec<&Name> = self.plan.names.iter().copied().collect();
        let recipes = in_use(self.project, &self.plan.profile, &names)?;
        if self.how.printed {
            // A target may be anywhere on the machine: what is written to the real one is the real value.
            for recipe in &recipes {
                say(format!("  would write: {}", recipe.to.display()));
            }
            return Ok(());
        }
        let mut made = Vec::new();
        for recipe in &recipes {
            made.push((
                recipe,
                self.project.make(recipe, &|| self.shell.identities())?,
            ));
        }
        for (recipe, made) in made {
            if self.project.write(recipe, &made, true)? != Change::None {
                say(format!("{}: rewritten", recipe.to.display()));
            }
        }
        Ok(())
    }

    /// Whether it may begin what needs a maintenance window.
    fn window(&self, flight: &Flight, step: &Step) -> Result<(), Failure> {
        let windows = self.plan.windows();
        let begins = flight.at.step == Step::Stage && !step.is_back();
        if !begins || self.how.in_window || windows.is_empty() {
            return Ok(());
        }
        Err(self.closed(&windows, &again(flight, "--resume")).into())
    }

    /// A rotation that could only be staged is not begun, unless that is what was asked for.
    pub(super) fn may_begin(&self) -> Result<(), Problem> {
        let windows = self.plan.windows();
        if self.how.in_window || self.how.step || windows.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = self.plan.names.iter().map(|name| name.as_str()).collect();
        let command = format!(
            "dotage rotate {} --profile {}",
            names.join(" "),
            self.plan.profile
        );
        Err(self.closed(&windows, &command))
    }

    fn closed(&self, windows: &[&str], command: &str) -> Problem {
        let message = format!("this needs a maintenance window: {}", windows.join("; "));
        Problem::new("window", message)
            .at(Place::file(&self.project.inventory.path))
            .help(format!("when it is open: {command} --in-window"))
    }

    /// Where it stands, and what the two ways out are.
    fn ways_out(&self, flight: &Flight, step: &Step, mut problems: Vec<Problem>) -> Failure {
        let resume = again(flight, "--resume");
        let rollback = again(flight, "--rollback");
        let ways = if step.is_back() {
            format!("mend it and go on: {resume}")
        } else {
            format!("mend it and go on: {resume}; or go back to the old values: {rollback}")
        };
        problems.push(
            Problem::new(
                "step-failed",
                format!(
                    "rotation {} stands at `{step}`: nothing is lost, both values are kept",
                    flight.id
                ),
            )
            .at(Place::file(self.file(flight)))
            .help(ways),
        );
        Failure(problems)
    }

    fn file(&self, flight: &Flight) -> PathBuf {
        match self.project.profile(Some(&flight.profile)) {
            Ok((_, said)) => self.project.vault(said).rotation(&flight.id),
            Err(_) => self.project.inventory.path.clone(),
        }
    }

    pub(super) fn entry(&self, outcome: &str) -> Entry {
        Entry {
            reason: self.how.reason.clone(),
            incident: self.how.incident.clone(),
            ..Entry::of_rotation(&self.plan.profile, outcome)
        }
    }

    fn took(&self, outcome: &str, began: Instant) -> Entry {
        Entry {
            seconds: Some(began.elapsed().as_secs()),
            ..self.entry(outcome)
        }
    }

    fn report(&self, flight: &Flight, next: Option<&Step>) -> Result<(), Failure> {
        if !self.how.json {
            return Ok(());
        }
        let object = json!({
            "plan": flight.id,
            "profile": flight.profile,
            "names": flight.pairs.keys().map(Name::as_str).collect::<Vec<_>>(),
            "services": self.plan.services,
            "step": flight.at.step.to_string(),
            "done": flight.at.done,
            "back": flight.at.reached.is_some(),
            "next": next.map(Step::to_string),
        });
        print(format!("{object}\n"))
    }
}

/// The command that goes on, or back.
fn again(flight: &Flight, how: &str) -> String {
    format!(
        "dotage rotate {how} {} --profile {}",
        flight.id, flight.profile
    )
}

/// The targets in use among those that show one of the names: those whose file is there.
pub(super) fn in_use(
    project: &Project,
    profile: &str,
    names: &[&Name],
) -> Result<Vec<Recipe>, Vec<Problem>> {
    let mut recipes = project.recipes_showing(profile, names)?;
    recipes.retain(|recipe| recipe.to.exists());
    Ok(recipes)
}

/// Two values of each name, as commands see them: `NAME_OLD` and `NAME_NEW`.
fn given<'v>(old: &'v Secrets, new: &'v Secrets) -> Vec<(Name, &'v Secret)> {
    let named = |secrets: &'v Secrets, end: &'static str| {
        secrets
            .iter()
            .filter_map(move |(name, secret)| Some((Name::new(&format!("{name}{end}"))?, secret)))
    };
    named(old, "_OLD").chain(named(new, "_NEW")).collect()
}

fn exited(command: &str, code: u8) -> Problem {
    let how = match code {
        129.. => format!("was ended by signal {}", code - 128),
        code => format!("exited with {code}"),
    };
    Problem::new("command", format!("`{command}` {how}"))
}
