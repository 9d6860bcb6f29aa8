//! `dotage man`: the manual pages, one for the command and one for each verb.

use super::{Cli, Done, Failure, print};
use crate::file::{self, Attributes};
use crate::problem::{Place, Problem};
use clap::CommandFactory;
use std::path::PathBuf;

/// Print dotage's manual page, or write one page a verb
///
/// For all users: dotage man --to /usr/local/share/man/man1
#[derive(clap::Args)]
pub(super) struct Args {
    /// Write dotage.1 and dotage-VERB.1 into this folder, readable by all
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Done, Failure> {
    let page = |command: clap::Command| -> Result<Vec<u8>, Failure> {
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .render(&mut page)
            .map_err(|error| {
                Problem::new("man", format!("cannot make the page: {}", error.kind()))
            })?;
        Ok(page)
    };
    let mut command = Cli::command();
    command.build();
    let Some(folder) = &args.to else {
        print(page(command)?)?;
        return Ok(Done::Well);
    };
    if !folder.is_dir() {
        return Err(Problem::new("man", "not a folder")
            .at(Place::file(folder))
            .help(format!("mkdir -p {}", folder.display()))
            .into());
    }
    let readable = Attributes {
        mode: 0o644,
        ..Attributes::default()
    };
    let mut waiting = vec![("dotage".to_owned(), command)];
    while let Some((name, command)) = waiting.pop() {
        for verb in command
            .get_subcommands()
            .filter(|verb| verb.get_name() != "help")
        {
            waiting.push((format!("{name}-{}", verb.get_name()), verb.clone()));
        }
        let title: &'static str = Box::leak(name.clone().into_boxed_str());
        file::replace(
            &folder.join(format!("{name}.1")),
            &page(command.name(title))?,
            &readable,
        )?;
    }
    Ok(Done::Well)
}
