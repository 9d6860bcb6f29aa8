//! The report of an incident, in Markdown: what a post-mortem begins with.

use super::Left;
use crate::incident::{Incident, Response};
use crate::journal::{self, Entry};
use crate::problem::Printable;
use crate::project::Project;
use crate::secret::Name;
use crate::time::Time;
use std::collections::BTreeSet;
use std::fmt::Write;

/// What happened, what was exposed, what was done when and by whom, and what is left.
pub(super) fn markdown(
    project: &Project,
    incident: &Incident<'_>,
    left: &Left<'_>,
    entries: &[Entry],
    now: Time,
) -> String {
    let mut text = format!("# Incident {}\n\n", incident.id);
    for (what, value) in facts(project, incident, now) {
        let _ = writeln!(text, "- {what}: {}", cell(&value));
    }
    text.push_str("\n## Exposed\n\n| variable | in use since | replaced |\n|---|---|---|\n");
    let profile = incident.opened.profile.as_deref().unwrap_or_default();
    let before: Vec<Entry> = entries
        .iter()
        .filter(|entry| entry.time <= incident.opened.time)
        .cloned()
        .collect();
    let rotated = incident.rotated();
    let changed = |entries: &[Entry], name: &Name| {
        journal::last_changed(entries, profile, name)
            .map_or_else(|| "not recorded".to_owned(), |time| time.to_string())
    };
    for name in incident.names() {
        let replaced = if rotated.contains(name) {
            changed(entries, name)
        } else {
            "no".to_owned()
        };
        let _ = writeln!(text, "| {name} | {} | {replaced} |", changed(&before, name));
    }
    text.push_str(
        "\n## Timeline\n\n| when (UTC) | who | what | outcome | why |\n|---|---|---|---|---|\n",
    );
    let mut timeline = incident.entries.clone();
    timeline.sort_by_key(|entry| (entry.time, entry.line));
    for entry in timeline
        .into_iter()
        .filter(|entry| entry.outcome != "begun")
    {
        let names: Vec<&str> = entry.names.iter().map(Name::as_str).collect();
        let what = match (&entry.step, &entry.plan) {
            (Some(step), Some(_)) => format!("{} {}: {step}", entry.action, names.join(", ")),
            (Some(step), None) => format!("{}: `{step}`", entry.action),
            (None, _) => entry.action.clone(),
        };
        let cells = [
            &entry.time.to_string(),
            &entry.who.actor,
            &what,
            &entry.outcome,
            entry.reason.as_ref().unwrap_or(&String::new()),
        ]
        .map(|text| cell(text));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    let rest = left.lines();
    if !rest.is_empty() || !left.otherwise.is_empty() {
        text.push_str("\n## Left\n\n");
    }
    for line in rest {
        let _ = writeln!(text, "- {}", cell(&line));
    }
    for problem in &left.otherwise {
        let help = problem.help.as_deref().unwrap_or_default();
        let _ = writeln!(text, "- {}: {}", cell(&problem.message), cell(help));
    }
    text
}

/// What there is to say of it in a line each.
fn facts(project: &Project, incident: &Incident<'_>, now: Time) -> Vec<(&'static str, String)> {
    let opened = incident.opened;
    let names: BTreeSet<&Name> = project
        .inventory
        .variables
        .keys()
        .filter(|name| incident.names().contains(name))
        .collect();
    let response = Response::to(&project.inventory, &names);
    let mut facts = vec![
        ("profile", opened.profile.clone().unwrap_or_default()),
        ("cause", opened.step.clone().unwrap_or_default()),
    ];
    if let Some(reason) = &opened.reason {
        facts.push(("what happened", reason.clone()));
    }
    facts.push(("opened", format!("{} by {}", opened.time, opened.who.actor)));
    facts.push(match incident.closed() {
        Some(closed) => (
            "closed",
            format!(
                "{} by {}, after {}",
                closed.time,
                closed.who.actor,
                lasted(opened.time, closed.time)
            ),
        ),
        None => ("open", format!("for {}", lasted(opened.time, now))),
    });
    for (class, boundary) in &response.boundaries {
        facts.push(("boundary crossed", format!("{class}: {boundary}")));
    }
    let services: Vec<&str> = response.services.into_iter().collect();
    facts.push(("services", services.join(", ")));
    facts
}

/// Text that stays in its line and its cell.
fn cell(text: &str) -> String {
    Printable(text)
        .to_string()
        .replace('|', "\\|")
        .replace('\n', " ")
}

fn lasted(from: Time, to: Time) -> String {
    let seconds = from.until(to).as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}
