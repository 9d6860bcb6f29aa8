//! `dotage get`: one value, to a pipe.

use super::{Done, Failure, Shell, print};
use crate::contract;
use crate::problem::{Printable, Problem};
use crate::project::{Project, Wanted};
use std::io::{self, IsTerminal};

/// Write one value to a pipe; to a terminal only with --reveal
///
/// A pipe gets the value's bytes and nothing else: no line feed is added.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The variable
    name: String,
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// Show it on a terminal too, control characters made visible
    #[arg(long)]
    reveal: bool,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    let project = Project::find()?;
    let (name, variable) = project.variable(&args.name)?;
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
