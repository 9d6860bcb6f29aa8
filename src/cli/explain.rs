//! `dotage explain`: where a service finds a variable, which source wins, and what is wrong with that.

use super::{Done, Failure, Shell, print};
use crate::environment::{self, Environment, Found, Layer, State, World};
use crate::problem::{Place, Printable, Problem, Severity};
use crate::project::{Project, Wanted};
use crate::secret::Name;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Say where a service finds a variable: which source wins, which are shadowed, and whether they differ
///
/// Never a value: only whether there is one, and whether two are the same.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The variable
    name: String,
    /// The service [default: each that uses the variable]
    #[arg(long)]
    service: Option<String>,
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// A file that Compose interpolates from, as its own option; several: the later over the earlier
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// A JSON object: {name, profile, environments, problems}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    let project = Project::find()?;
    let (profile, _) = project.profile(args.profile.as_deref())?;
    let (name, variable) = project.variable(&args.name)?;
    if let Some(service) = &args.service {
        project.names(Some(service))?;
    }
    let services: Vec<&str> = match &args.service {
        Some(service) => vec![service],
        None => variable
            .used_by
            .iter()
            .map(|user| user.value.as_str())
            .collect(),
    };
    let wanted = Wanted::from([(name, variable)]);
    let sources = project.sources(profile, &services, &wanted, &args.env_file, &|| {
        shell.identities()
    })?;
    let environments = sources.environments(&services);
    let explained: Vec<(&Environment, Vec<Layer>)> = sources.ask(|world: &World<'_>| {
        environments
            .iter()
            .map(|environment| (environment, environment.layers(name, world)))
            .collect()
    });
    let problems = problems(&project, profile, name, &explained);
    print(if args.json {
        let environments: Vec<Value> = explained
            .iter()
            .map(|(environment, layers)| {
                json!({"service": environment.service, "container": environment.container, "sources": rows(layers)})
            })
            .collect();
        let problems: Vec<Value> = problems.iter().map(problem_json).collect();
        let whole = json!({"name": name.as_str(), "profile": profile, "environments": environments, "problems": problems});
        format!("{whole:#}\n")
    } else {
        let mut text = String::new();
        for (environment, layers) in &explained {
            if !text.is_empty() {
                text.push('\n');
            }
            table(&mut text, name, profile, environment, layers);
        }
        for problem in &problems {
            let _ = write!(text, "\n{problem}\n");
        }
        Printable(&text).to_string()
    })?;
    Ok(Done::Well)
}

/// What is wrong with where the variable comes from. Of the other names that Compose requires, only a line tells.
fn problems(
    project: &Project,
    profile: &str,
    name: &Name,
    explained: &[(&Environment, Vec<Layer>)],
) -> Vec<Problem> {
    let inventory = &project.inventory;
    let mut problems: Vec<Problem> = Vec::new();
    let mut others: Vec<&str> = Vec::new();
    let mut add = |problem: Problem| {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    };
    for (environment, layers) in explained {
        environment::problems(inventory, profile, name, environment, layers)
            .into_iter()
            .for_each(&mut add);
        for problem in environment::file_problems(inventory, profile, environment) {
            let of_another = environment.required.iter().find(|(other, place)| {
                other != name.as_str()
                    && problem.rule == "compose-required"
                    && problem.place.as_ref() == Some(place)
            });
            match of_another {
                Some((other, _)) if !others.contains(&other.as_str()) => others.push(other),
                Some(_) => {}
                None => add(problem),
            }
        }
    }
    if !others.is_empty() {
        let has = if others.len() == 1 { "has" } else { "have" };
        let message = format!(
            "Compose also requires {}, which {has} no value",
            others.join(", ")
        );
        add(Problem::new("compose-required", message).severity(Severity::Note));
    }
    problems
}

fn table(
    text: &mut String,
    name: &Name,
    profile: &str,
    environment: &Environment,
    layers: &[Layer],
) {
    let _ = match &environment.container {
        Some(container) => writeln!(
            text,
            "{name} in {}, as Compose starts {container} (profile {profile})",
            environment.service
        ),
        None => writeln!(
            text,
            "{name} in {} (profile {profile})",
            environment.service
        ),
    };
    let mut lines = vec![["", "SOURCE", "PLACE", "STATE"].map(str::to_owned)];
    cells(&mut lines, name.as_str(), "", layers);
    let mut widths = [0; 4];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for line in lines {
        let mut row = String::new();
        for (cell, width) in line.iter().zip(widths) {
            let _ = write!(row, "{cell:width$}  ");
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    if environment::winner(layers).is_none() {
        let unknown = layers.iter().any(is_unknown);
        text.push_str(if unknown {
            "nothing else sets it\n"
        } else {
            "nothing sets it\n"
        });
    }
}

/// The rows of a table: number, source, place, state; under a text that Compose interpolates, the sources of each name.
fn cells(lines: &mut Vec<[String; 4]>, name: &str, under: &str, layers: &[Layer]) {
    let unknown = layers.iter().any(is_unknown);
    for (index, (layer, state)) in layers.iter().zip(environment::states(layers)).enumerate() {
        let number = format!("{under}{}", index + 1);
        let place = layer.place.as_ref().map_or_else(
            || "-".to_owned(),
            |place| Place::at(&place.path, place.line, 0).to_string(),
        );
        let mut said = words(layer, state);
        if state == State::Wins && unknown {
            said.push_str(", unless one above has it");
        }
        lines.push([number.clone(), layer.source.to_owned(), place, said]);
        for (asked, sources) in &layer.inside {
            let before = lines.len();
            cells(lines, asked, &format!("{number}."), sources);
            if asked != name {
                for line in lines.iter_mut().skip(before) {
                    line[1] = format!("{} ({asked})", line[1]);
                }
            }
        }
    }
}

fn is_unknown(layer: &Layer) -> bool {
    matches!(layer.found, Found::Unknown(_))
}

fn is_empty(layer: &Layer) -> bool {
    matches!(&layer.found, Found::Set(value) if value.expose().is_empty())
}

fn words(layer: &Layer, state: State) -> String {
    let said = match (&layer.found, state) {
        (Found::NoFile, _) => "no file",
        (Found::Unset, _) => "unset",
        (Found::Unknown(why), _) => return format!("not known: {why}"),
        (Found::Awaited(target), State::Wins) => {
            return format!("will win once it is rendered: dotage render {target}");
        }
        (Found::Failed, _) => "fails: what it requires has no value",
        (Found::Null, State::Wins) => "wins: it takes the variable away",
        (_, State::Wins) if is_empty(layer) => "wins, empty",
        (_, State::Wins) => "wins",
        (_, State::Shadowed(Some(true))) => "shadowed, equal",
        (_, State::Shadowed(Some(false))) if is_empty(layer) => "shadowed, different: empty",
        (_, State::Shadowed(Some(false))) => "shadowed, different",
        _ => "shadowed",
    };
    said.to_owned()
}

fn rows(layers: &[Layer]) -> Vec<Value> {
    let states = environment::states(layers);
    let row = |(layer, state): (&Layer, State)| {
        let (state, equal) = match (&layer.found, state) {
            (Found::NoFile, _) => ("no-file", None),
            (Found::Unset, _) => ("unset", None),
            (Found::Unknown(_), _) => ("unknown", None),
            (Found::Failed, _) => ("fails", None),
            (_, State::Shadowed(equal)) => ("shadowed", equal),
            (Found::Awaited(_), _) => ("awaited", None),
            _ => ("wins", None),
        };
        let awaits = match &layer.found {
            Found::Awaited(target) => Some(target),
            _ => None,
        };
        let asks: Vec<Value> = layer
            .inside
            .iter()
            .map(|(name, sources)| json!({"name": name, "sources": rows(sources)}))
            .collect();
        let place = layer.place.as_ref();
        json!({
            "source": layer.source,
            "path": place.map(|place| place.path.to_string_lossy().into_owned()),
            "line": place.map(|place| place.line).filter(|line| *line > 0),
            "state": state,
            "equal": equal,
            "empty": is_empty(layer),
            "null": matches!(layer.found, Found::Null),
            "awaits": awaits,
            "asks": asks,
        })
    };
    layers.iter().zip(states).map(row).collect()
}

fn problem_json(problem: &Problem) -> Value {
    let place = problem.place.as_ref();
    json!({
        "rule": problem.rule,
        "severity": match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        },
        "path": place.map(|place| place.path.to_string_lossy().into_owned()),
        "line": place.map(|place| place.line).filter(|line| *line > 0),
        "message": problem.message,
        "help": problem.help,
    })
}
