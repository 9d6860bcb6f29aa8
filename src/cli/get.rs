//! `dotage get`: one value, to a pipe.

use super::{Done, Failure, Shell, print};
use crate::contract;
use crate::problem::{Place, Printable, Problem};
use crate::project::{Project, Wanted};
use crate::secret::Secrets;
use crate::vault::Vault;
use serde_json::{Map, Value};
use std::io::{self, IsTerminal};
use std::path::PathBuf;

/// Write one value to a pipe; to a terminal only with --reveal
///
/// A pipe gets the value's bytes and nothing else: no line feed is added. --json writes several values, for a program.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The variable; with --json any number of them, or none for all
    #[arg(value_name = "NAME", required_unless_present = "json")]
    names: Vec<String>,
    /// A JSON object, {NAME: value}: a name that has no value is not in it
    #[arg(long)]
    json: bool,
    /// With --json: only the variables of one service
    #[arg(long, requires = "json", conflicts_with = "names")]
    service: Option<String>,
    /// With --json: every value of this age file, or of this folder of them; no project is needed
    #[arg(long, requires = "json", value_name = "PATH", conflicts_with_all = ["names", "service", "profile"])]
    vault: Option<PathBuf>,
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// Show it on a terminal too, control characters made visible
    #[arg(long)]
    reveal: bool,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    if args.json {
        return several(args, shell);
    }
    let [name] = args.names.as_slice() else {
        return Err(
            Problem::new("one-name", "get writes one value, and nothing around it")
                .help("for several: dotage get NAME… --json")
                .into(),
        );
    };
    let project = Project::find()?;
    let (name, variable) = project.variable(name)?;
    let (profile, _) = project.profile(args.profile.as_deref())?;
    let terminal = io::stdout().is_terminal();
    if terminal && !args.reveal {
        return Err(Problem::new(
            "terminal",
            format!("stdout is a terminal: {name} was not shown"),
        )
        .help(format!(
            "dotage get {name} --reveal, or pipe it: dotage get {name} | …"
        ))
        .into());
    }
    let wanted = Wanted::from([(name, variable)]);
    let values = project.values(profile, &wanted, &|| shell.identities())?;
    shell.tell_openers(&values.opened_by);
    let Some(value) = values.secrets.get(name) else {
        return Err(contract::missing(&project.inventory, name, profile).into());
    };
    if terminal {
        print(format!(
            "{}\n",
            Printable(&String::from_utf8_lossy(value.expose()))
        ))?;
    } else {
        print(value.expose())?;
    }
    Ok(Done::Well)
}

/// Several values as a JSON object.
fn several(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    if io::stdout().is_terminal() && !args.reveal {
        return Err(
            Problem::new("terminal", "stdout is a terminal: no value was shown")
                .help("add --reveal, or pipe it: dotage get … --json | …")
                .into(),
        );
    }
    let secrets = if let Some(path) = &args.vault {
        if !path.exists() {
            return Err(
                Problem::new("no-vault", "there is no such age file or folder")
                    .at(Place::file(path))
                    .help("name one: --vault PATH")
                    .into(),
            );
        }
        let opened = Vault::at(path).open(None, &shell.identities()?)?;
        shell.tell_openers(&opened.opened_by);
        opened.secrets
    } else {
        let project = Project::find()?;
        let (profile, _) = project.profile(args.profile.as_deref())?;
        let wanted = if args.names.is_empty() {
            project.names(args.service.as_deref())?
        } else {
            args.names
                .iter()
                .map(|name| project.variable(name))
                .collect::<Result<_, _>>()?
        };
        let values = project.values(profile, &wanted, &|| shell.identities())?;
        shell.tell_openers(&values.opened_by);
        values.secrets
    };
    print(object(&secrets)?)?;
    Ok(Done::Well)
}

/// Values as a JSON object, which holds text only.
fn object(secrets: &Secrets) -> Result<String, Problem> {
    let mut object = Map::new();
    for (name, secret) in secrets {
        let text = std::str::from_utf8(secret.expose()).map_err(|_| {
            Problem::new(
                "not-text",
                format!("the value of {name} is not UTF-8, which JSON cannot hold"),
            )
            .help(format!("write its bytes: dotage get {name}"))
        })?;
        object.insert(name.to_string(), Value::from(text));
    }
    Ok(format!("{}\n", Value::Object(object)))
}
