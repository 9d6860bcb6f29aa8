//! `dotage list`: the inventory as a table, and which of it has a value.

use super::{Done, Failure, Shell, print, say};
use crate::problem::Problem;
use crate::project::Project;
use clap::ValueEnum;
use serde_json::json;
use std::fmt::Write as _;

/// List the variables: who uses each, what for, and whether it has a value
#[derive(clap::Args)]
pub(super) struct Args {
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// Only the variables of one service
    #[arg(long)]
    service: Option<String>,
    /// Open no vault: say only what dotage.yaml says
    #[arg(long)]
    no_vault: bool,
    /// The form
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
    /// The same as --format json
    #[arg(long)]
    json: bool,
}

impl Args {
    /// The table of a profile.
    pub(super) fn of(profile: &str) -> Self {
        Args {
            profile: Some(profile.to_owned()),
            service: None,
            no_vault: false,
            format: Form::Table,
            json: false,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Columns
    Table,
    /// A JSON array of objects
    Json,
    /// A Markdown table, for a handbook
    Markdown,
}

struct Row {
    name: String,
    value: &'static str,
    used_by: Vec<String>,
    class: String,
    /// When the profile needs a value: `required`, `optional`, `while SWITCH`.
    needed: String,
    format: String,
    sensitive: bool,
    purpose: String,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    print(text(args, shell)?)?;
    Ok(Done::Well)
}

/// The list in the form that is asked for.
pub(super) fn text(args: &Args, shell: &Shell) -> Result<String, Failure> {
    let project = Project::find()?;
    let (profile, _) = project.profile(args.profile.as_deref())?;
    let names = project.names(args.service.as_deref())?;
    let values = if args.no_vault {
        None
    } else {
        Some(project.values(profile, &names, &|| shell.identities()))
    };
    let values = match values {
        Some(Err(problem)) if problem.rule == Problem::NO_IDENTITY => {
            say(format!(
                "no identity here opens the vault of profile {profile}: whether a value is set is not known"
            ));
            None
        }
        Some(result) => Some(result?),
        None => None,
    };
    let rows = names.iter().map(|(&name, variable)| {
        let value = match &values {
            None => "?",
            Some(values) if !values.secrets.contains_key(name) => "missing",
            Some(_) if variable.derive.is_some() => "derived",
            Some(values) if values.defaulted.contains(name) => "default",
            Some(_) => "set",
        };
        Row {
            name: name.to_string(),
            value: if value == "missing" && !variable.is_required(profile, None) {
                "-"
            } else {
                value
            },
            used_by: variable
                .used_by
                .iter()
                .map(|user| user.value.clone())
                .collect(),
            class: variable
                .class
                .as_ref()
                .map(|class| class.value.clone())
                .unwrap_or_default(),
            needed: match &variable.bootstrap {
                _ if variable.is_required(profile, None) => "required".to_owned(),
                Some(bootstrap) => format!("while {}", bootstrap.switch.value),
                None => "optional".to_owned(),
            },
            format: variable.format.value.to_string(),
            sensitive: variable.sensitive,
            purpose: variable.purpose.clone(),
        }
    });
    let rows: Vec<Row> = rows.collect();
    Ok(match if args.json { Form::Json } else { args.format } {
        Form::Json => json(&rows),
        Form::Markdown => markdown(&rows),
        Form::Table => table(&rows),
    })
}

fn json(rows: &[Row]) -> String {
    let rows: serde_json::Value = rows
        .iter()
        .map(|row| {
            json!({"name": row.name, "value": row.value, "used_by": row.used_by, "class": row.class, "needed": row.needed, "format": row.format, "sensitive": row.sensitive, "purpose": row.purpose})
        })
        .collect();
    format!("{rows:#}\n")
}

fn cells(row: &Row) -> [String; 6] {
    [
        row.name.clone(),
        row.value.to_owned(),
        row.used_by.join(" + "),
        row.class.clone(),
        format!("{}, {}", row.needed, row.format),
        row.purpose.clone(),
    ]
}

const HEAD: [&str; 6] = [
    "variable",
    "value",
    "used by",
    "class",
    "requirement",
    "purpose",
];

fn markdown(rows: &[Row]) -> String {
    let mut text = format!("| {} |\n|{}\n", HEAD.join(" | "), "---|".repeat(HEAD.len()));
    for row in rows {
        let _ = writeln!(
            text,
            "| {} |",
            cells(row).map(|cell| cell.replace('|', "\\|")).join(" | ")
        );
    }
    text
}

fn table(rows: &[Row]) -> String {
    let mut lines = vec![HEAD.map(str::to_uppercase)];
    lines.extend(rows.iter().map(cells));
    let mut widths = [0; HEAD.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in lines {
        let mut row = String::new();
        for (cell, width) in line.iter().zip(widths) {
            let _ = write!(row, "{cell:width$}  ");
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}
