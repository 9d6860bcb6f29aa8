//! The state of a project as one screen of text.

use super::{Cell, Profile, State, Status, numbers};
use crate::problem::Problem;
use crate::secret::Name;
use crate::time::Time;
use std::fmt::Write as _;

pub(super) fn text(status: &Status<'_>) -> String {
    let mut text = format!("{}, {}\n", status.project, status.now.date());
    let head = ["PROFILE", "CONTRACT", "VALUES", "FINDINGS", "NEXT ROTATION"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(status.profiles.iter().map(|profile| row(status, profile)));
    if status.of_files().next().is_some() {
        let findings = findings(status.of_files());
        rows.push(
            ["(files)", "-", "-", &findings, "-"]
                .map(str::to_owned)
                .to_vec(),
        );
    }
    table(&mut text, &rows);

    let names = status.profiles.iter().map(|one| one.name.to_uppercase());
    let mut rows: Vec<Vec<String>> = vec![
        std::iter::once("VARIABLE".to_owned())
            .chain(names)
            .collect(),
    ];
    for (name, variable) in &status.inventory.variables {
        let cells = status
            .profiles
            .iter()
            .map(|profile| cell(status, &status.cell(profile, name, variable)));
        rows.push(std::iter::once(name.to_string()).chain(cells).collect());
    }
    table(&mut text, &rows);

    let mut rows = vec![
        ["BUNDLE", "VALUES", "CAN BE OPENED BY"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for profile in &status.profiles {
        for bundle in &profile.bundles {
            let mut who = match &bundle.readers {
                None => "not known".to_owned(),
                Some(readers) => {
                    let name = |reader: &crate::journal::Reader| {
                        reader.comment.clone().unwrap_or_else(|| short(&reader.key))
                    };
                    readers.iter().map(name).collect::<Vec<_>>().join(", ")
                }
            };
            if let (Some(header), false) = (&bundle.header, bundle.fits) {
                let _ = write!(who, "; but it is encrypted to {header}");
            }
            let path = bundle.path.display().to_string();
            let count = bundle.names.len();
            let values = match profile.held {
                Some(_) => count.to_string(),
                None => format!("up to {count}"),
            };
            rows.push(vec![path, values, who]);
        }
    }
    table(&mut text, &rows);

    text.push_str("\nIN FLIGHT\n");
    let lines = in_flight(status);
    text.push_str(if lines.is_empty() {
        "nothing\n"
    } else {
        &lines
    });
    text
}

fn row(status: &Status<'_>, profile: &Profile<'_>) -> Vec<String> {
    let next = status.next(profile);
    vec![
        profile.name.to_owned(),
        if status.is_strict(profile) {
            "strict"
        } else {
            "lenient"
        }
        .to_owned(),
        status.needed(profile).map_or_else(
            || "not known".to_owned(),
            |(present, needed)| format!("{present} of {needed}"),
        ),
        findings(profile.own()),
        next.map_or_else(
            || "-".to_owned(),
            |(name, due)| format!("{name} {}", by(status, due)),
        ),
    ]
}

fn findings<'a>(problems: impl Iterator<Item = &'a Problem>) -> String {
    let counts: Vec<String> = numbers(problems)
        .into_iter()
        .zip(["error", "warning", "note"])
        .filter(|(count, _)| *count > 0)
        .map(|(count, one)| format!("{count} {one}{}", if count == 1 { "" } else { "s" }))
        .collect();
    if counts.is_empty() {
        "none".to_owned()
    } else {
        counts.join(", ")
    }
}

/// When something is due, in words.
fn by(status: &Status<'_>, due: Time) -> String {
    if status.is_overdue(due) {
        format!("was due {}", due.date())
    } else {
        format!("due {}", due.date())
    }
}

fn cell(status: &Status<'_>, cell: &Cell<'_>) -> String {
    let mut text = match cell.state {
        State::Unneeded => "-",
        State::Unknown => "?",
        state => state.word(),
    }
    .to_owned();
    if let Some(changed) = cell.changed {
        if cell.state == State::Unknown {
            text.push_str(" changed");
        }
        let _ = match status.age(changed) {
            0 => write!(text, " today"),
            1 => write!(text, " 1 day ago"),
            days => write!(text, " {days} days ago"),
        };
    }
    if let Some(due) = cell.due {
        let _ = write!(text, ", {}", by(status, due));
    }
    if cell.exposed.is_some() {
        text.push_str(", must rotate");
    }
    text
}

fn in_flight(status: &Status<'_>) -> String {
    let mut lines = String::new();
    for profile in &status.profiles {
        for (id, path) in &profile.rotations {
            let Some(last) = status.last_of(id) else {
                let path = path.display();
                let _ = writeln!(lines, "{}: rotation {id} ({path})", profile.name);
                continue;
            };
            let names: Vec<&str> = last.names.iter().map(Name::as_str).collect();
            let _ = writeln!(
                lines,
                "{}: rotation {id} of {}, {} {} on {}",
                profile.name,
                names.join(", "),
                last.step.as_deref().unwrap_or_default(),
                last.outcome,
                last.time.date()
            );
        }
        for (name, bootstrap) in status.bootstraps(profile) {
            if profile.held.is_none() {
                let _ = writeln!(
                    lines,
                    "{}: whether the bootstrap of {name} is open is not known",
                    profile.name
                );
                continue;
            }
            let opened = profile
                .past
                .and_then(|past| past.opened.get(&bootstrap.switch.value));
            let since = opened.map_or_else(
                || ", and it is not recorded since when".to_owned(),
                |opened| format!(" since {}", opened.date()),
            );
            let _ = writeln!(
                lines,
                "{}: the bootstrap of {name} is open{since}",
                profile.name
            );
        }
    }
    lines
}

/// The beginning of a key that nobody gave a name.
fn short(key: &str) -> String {
    let start: String = key.chars().take(14).collect();
    format!("{start}…")
}

/// A blank line, and the rows in columns.
fn table(text: &mut String, rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    text.push('\n');
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}
