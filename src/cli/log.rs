//! `dotage log`: who did what to which name, when and why; and whether that record is whole.

use super::{Done, Failure, form, print, say};
use crate::journal::{self, Entry};
use crate::problem::{Printable, Problem};
use crate::project::{Project, ruled};
use crate::secret::Name;
use crate::time::{self, Time};
use clap::Subcommand;
use serde_json::{Value, json};
use std::fmt::Write;

/// Read the record of operations, or hold it against the vaults
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    read: Read,
}

#[derive(Subcommand)]
enum Verb {
    /// Say whether the chain of entries is whole, and each ciphertext the last one that it tells of; no key is needed
    Verify(Verify),
}

#[derive(clap::Args)]
struct Read {
    /// Only since a moment (2026-11-25T04:41:00Z), a day (2026-11-25), or for so long (7d)
    #[arg(long, value_name = "WHEN", value_parser = when)]
    since: Option<Since>,
    /// Only what was done to this variable
    #[arg(long)]
    name: Option<String>,
    /// Only what belongs to this incident
    #[arg(long, value_name = "ID")]
    incident: Option<String>,
    /// Only what was done in this profile
    #[arg(short = 'P', long)]
    profile: Option<String>,
    /// A JSON object a line, as in operations.jsonl, with its line and its hash
    #[arg(long)]
    json: bool,
    /// A Markdown table, for a report
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

#[derive(clap::Args)]
struct Verify {
    #[command(flatten)]
    form: form::Args,
}

#[derive(Clone, Copy)]
struct Since(Time);

pub(super) fn run(args: &Args) -> Result<Done, Failure> {
    let project = Project::find()?;
    match &args.verb {
        Some(Verb::Verify(args)) => verify(&project, args),
        None => read(&project, &args.read),
    }
}

fn read(project: &Project, args: &Read) -> Result<Done, Failure> {
    let mut entries = project.journal().entries()?;
    let name = args.name.as_deref().map(|name| {
        // One that is no longer declared was done something to all the same.
        Name::new(name).ok_or_else(|| {
            Problem::new("not-a-name", "that is not a variable's name")
                .help("dotage log --name NAME")
        })
    });
    let name = name.transpose()?;
    entries.retain(|entry| {
        args.since.is_none_or(|since| entry.time >= since.0)
            && name.as_ref().is_none_or(|name| entry.names.contains(name))
            && (args.incident.is_none() || args.incident == entry.incident)
            && (args.profile.is_none() || args.profile == entry.profile)
    });
    entries.sort_by_key(|entry| (entry.time, entry.line));
    print(if args.json {
        entries.iter().map(object).collect::<String>()
    } else if args.markdown {
        table(&entries)
    } else {
        entries.iter().map(line).collect()
    })?;
    Ok(Done::Well)
}

fn verify(project: &Project, args: &Verify) -> Result<Done, Failure> {
    let problems = match project.journal().entries() {
        Ok(entries) => journal::verify(project.journal().path(), &entries, &project.ciphertexts()?),
        Err(problems) => problems
            .into_iter()
            .map(|problem| ruled(problem, "journal").problem)
            .collect(),
    };
    if problems.is_empty() {
        say("the chain is whole, and each ciphertext is the last one that it tells of");
    }
    args.form.tell(&problems, journal::RULES)
}

/// `2026-11-25T04:41:00Z  ann  set  production  JWT_SECRET`, and what else there is to say.
fn line(entry: &Entry) -> String {
    let mut line = format!("{}  {}  {}", entry.time, entry.who.actor, entry.action);
    for part in [&entry.profile, &entry.step].into_iter().flatten() {
        let _ = write!(line, "  {part}");
    }
    if !entry.names.is_empty() {
        let _ = write!(line, "  {}", names(entry, " "));
    }
    for (sign, readers) in [('+', &entry.added), ('-', &entry.removed)] {
        for reader in readers {
            let _ = write!(
                line,
                "  {sign}{}",
                reader.comment.as_ref().unwrap_or(&reader.key)
            );
        }
    }
    if entry.outcome != "done" {
        let _ = write!(line, "  ({})", entry.outcome);
    }
    for (what, text) in [("", &entry.reason), ("incident ", &entry.incident)] {
        if let Some(text) = text {
            let _ = write!(line, "  {what}{text}");
        }
    }
    format!("{}\n", Printable(&line.replace('\n', " ")))
}

fn table(entries: &[Entry]) -> String {
    let mut text = String::from(
        "| when (UTC) | who | what | profile | names | outcome | why |\n|---|---|---|---|---|---|---|\n",
    );
    for entry in entries {
        let what = match &entry.step {
            Some(step) => format!("{}: {step}", entry.action),
            None => entry.action.clone(),
        };
        let cells = [
            entry.time.to_string(),
            entry.who.actor.clone(),
            what,
            entry.profile.clone().unwrap_or_default(),
            names(entry, ", "),
            entry.outcome.clone(),
            entry.reason.clone().unwrap_or_default(),
        ];
        let cells = cells.map(|cell| {
            Printable(&cell)
                .to_string()
                .replace('|', "\\|")
                .replace('\n', " ")
        });
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

fn object(entry: &Entry) -> String {
    let readers = |readers: &[journal::Reader]| -> Value {
        readers
            .iter()
            .map(|reader| json!({"key": reader.key, "comment": reader.comment}))
            .collect()
    };
    let written: Value = entry
        .written
        .iter()
        .map(|written| json!({"path": written.path, "sha256": written.sha256}))
        .collect();
    let object = json!({
        "time": entry.time.to_string(),
        "actor": entry.who.actor,
        "host": entry.who.host,
        "job": entry.who.job,
        "action": entry.action,
        "profile": entry.profile,
        "names": entry.names.iter().map(Name::as_str).collect::<Vec<_>>(),
        "reason": entry.reason,
        "incident": entry.incident,
        "plan": entry.plan,
        "step": entry.step,
        "outcome": entry.outcome,
        "seconds": entry.seconds,
        "added": readers(&entry.added),
        "removed": readers(&entry.removed),
        "written": written,
        "line": entry.line,
        "hash": entry.hash,
        "before": entry.before,
    });
    format!("{object}\n")
}

fn names(entry: &Entry, between: &str) -> String {
    let names: Vec<&str> = entry.names.iter().map(Name::as_str).collect();
    names.join(between)
}

fn when(text: &str) -> Result<Since, String> {
    let ago = time::duration(text).map(|ago| Time(Time::now().0.saturating_sub(ago.as_secs())));
    Time::parse(text)
        .or_else(|| Time::parse(&format!("{text}T00:00:00Z")))
        .or(ago)
        .map(Since)
        .ok_or_else(|| {
            "a moment (2026-11-25T04:41:00Z), a day (2026-11-25) or how long ago (7d)".to_owned()
        })
}
