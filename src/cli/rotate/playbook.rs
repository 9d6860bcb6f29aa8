//! `--dry-run`: the steps of a rotation as a person would do them by hand, at night, without dotage if need be.

use super::super::{Done, Failure, print};
use super::drive;
use crate::problem::Problem;
use crate::project::{Flight, Project};
use crate::rotation::{Next, Plan, Step};
use crate::secret::Name;
use crate::time::Time;
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;

/// Prints the plan; of a rotation in flight, what is left of it, or the way back.
pub(super) fn show(
    project: &Project,
    plan: &Plan<'_>,
    flight: Option<(&Flight, bool)>,
    as_json: bool,
) -> Result<Done, Failure> {
    let steps = match flight {
        None => plan.steps().to_vec(),
        Some((flight, back)) => left(plan, flight, back)?,
    };
    let described = steps
        .iter()
        .map(|step| Ok((step, commands(project, plan, step)?)))
        .collect::<Result<Vec<_>, Vec<Problem>>>()?;
    if as_json {
        return json_object(plan, flight, &described);
    }
    let mut text = String::new();
    let names = super::listed(&plan.names);
    let _ = writeln!(text, "# Rotate {names} in profile {}\n", plan.profile);
    for (name, expect) in plan.expect() {
        let _ = writeln!(text, "- {name}: users will notice: {expect}");
    }
    for window in plan.windows() {
        let _ = writeln!(text, "- needs a maintenance window: {window}");
    }
    if !plan.derived.is_empty() {
        let _ = writeln!(
            text,
            "- switches with it, being made of it: {}",
            super::listed(&plan.derived)
        );
    }
    if !plan.kept.is_empty() {
        let _ = writeln!(
            text,
            "- belongs to it, and keeps its value: {}",
            super::listed(&plan.kept)
        );
    }
    for (number, (step, commands)) in (1..).zip(&described) {
        let _ = writeln!(text, "\n{number}. {step}: {}", sentence(plan, step));
        for command in commands {
            let _ = writeln!(text, "       {command}");
        }
    }
    let back = plan.steps_back(&Step::Finish);
    if flight.is_none_or(|(flight, back)| !back && flight.at.reached.is_none()) {
        let words: Vec<String> = back.iter().map(Step::to_string).collect();
        let _ = writeln!(
            text,
            "\nThe way back, from whatever step fails (`dotage rotate --rollback`): {}.",
            words.join(", ")
        );
        for command in plan.commands(&Step::Undo) {
            let _ = writeln!(text, "       {command}        # undo");
        }
    }
    print(text)?;
    Ok(Done::Well)
}

/// The steps that are left of a rotation in flight.
fn left(plan: &Plan<'_>, flight: &Flight, back: bool) -> Result<Vec<Step>, Problem> {
    let mut at = flight.at.clone();
    if back && at.reached.is_none() {
        at = plan.turned(&at);
    }
    let all = match &at.reached {
        Some(reached) => plan.steps_back(reached),
        None => plan.steps().to_vec(),
    };
    let next = match plan.next(&at, Time::now())? {
        Next::Do(step) => Some(step),
        Next::Wait(_) => Some(Step::Overlap),
        Next::Ended => None,
    };
    Ok(all
        .into_iter()
        .skip_while(|step| Some(step) != next.as_ref())
        .collect())
}

/// What a step runs, line by line.
fn commands(project: &Project, plan: &Plan<'_>, step: &Step) -> Result<Vec<String>, Vec<Problem>> {
    let mut lines: Vec<String> = plan.commands(step).into_iter().map(str::to_owned).collect();
    match step {
        Step::Render | Step::RenderBack | Step::Retire => {
            let names: Vec<&Name> = plan.names.iter().copied().collect();
            let recipes = drive::in_use(project, &plan.profile, &names)?;
            let targets: Vec<&str> = recipes
                .iter()
                .filter_map(|recipe| recipe.target.as_deref())
                .collect();
            if !targets.is_empty() {
                lines.push(format!("dotage render {}", targets.join(" ")));
            }
        }
        Step::Deploy(service) | Step::Redeploy(service) | Step::DeployBack(service) => {
            let (healthy, within) = plan.healthy(service);
            lines.extend(
                healthy.into_iter().map(|command| {
                    format!("{command}        # until it succeeds{}", at_most(within))
                }),
            );
        }
        _ => {}
    }
    Ok(lines)
}

fn at_most(within: Duration) -> String {
    match within.as_secs() {
        0 => String::new(),
        seconds => format!(", for {seconds} s at most"),
    }
}

/// What a step is, in a sentence.
fn sentence(plan: &Plan<'_>, step: &Step) -> String {
    match step {
        Step::Stage => "make the new values, and keep them beside the old ones".into(),
        Step::Backup => "save the stored data".into(),
        Step::Before => format!(
            "with {} in the environment",
            variables(plan, "_OLD", "_NEW")
        ),
        Step::Switch => "put the new values into the vault".into(),
        Step::Render | Step::RenderBack => "write the targets in use that show them".into(),
        Step::Deploy(service) | Step::Redeploy(service) => {
            format!("{service} takes what was rendered; `restart` alone would keep the old")
        }
        Step::Verify | Step::VerifyBack => format!("each must succeed{}", at_most(plan.within())),
        Step::Overlap => format!(
            "wait for {} s, while both values are good",
            plan.overlap().unwrap_or_default().as_secs()
        ),
        Step::Retire => "write the targets without the old values".into(),
        Step::Prove => format!(
            "each must fail, with {} in the environment: the old value is dead",
            variables(plan, "_OLD", "")
        ),
        Step::Finish => "destroy the old values".into(),
        Step::Undo => format!(
            "with {} in the environment, the two swapped",
            variables(plan, "_OLD", "_NEW")
        ),
        Step::SwitchBack => "put the old values into the vault".into(),
        Step::DeployBack(service) => format!("{service} takes the old values again"),
        Step::FinishBack => "destroy the new values".into(),
    }
}

fn variables(plan: &Plan<'_>, one: &str, other: &str) -> String {
    let names = plan.names.iter().chain(&plan.derived);
    let mut all = Vec::new();
    for name in names {
        for end in [one, other] {
            if !end.is_empty() {
                all.push(format!("{name}{end}"));
            }
        }
    }
    all.join(", ")
}

fn json_object(
    plan: &Plan<'_>,
    flight: Option<(&Flight, bool)>,
    steps: &[(&Step, Vec<String>)],
) -> Result<Done, Failure> {
    let names = |names: &std::collections::BTreeSet<&Name>| -> Value {
        names.iter().map(|name| name.as_str()).collect()
    };
    let steps: Value = steps
        .iter()
        .map(|(step, commands)| json!({"step": step.to_string(), "commands": commands}))
        .collect();
    let expect: serde_json::Map<String, Value> = plan
        .expect()
        .into_iter()
        .map(|(name, expect)| (name.to_string(), Value::from(expect)))
        .collect();
    let back: Value = plan
        .steps_back(&Step::Finish)
        .iter()
        .map(|step| json!({"step": step.to_string(), "commands": plan.commands(step)}))
        .collect();
    let object = json!({
        "plan": flight.map(|(flight, _)| flight.id.as_str()),
        "profile": plan.profile,
        "names": names(&plan.names),
        "kept": names(&plan.kept),
        "derived": names(&plan.derived),
        "services": plan.services,
        "windows": plan.windows(),
        "overlap_seconds": plan.overlap().map(|overlap| overlap.as_secs()),
        "expect": expect,
        "steps": steps,
        "steps_back": back,
    });
    print(format!("{object}\n"))?;
    Ok(Done::Well)
}
