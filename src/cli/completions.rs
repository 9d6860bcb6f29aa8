//! `dotage completions`: the completion script of a shell. It never opens a vault.

use super::{Cli, Done, Failure, print};
use clap::CommandFactory;
use clap_complete::Shell;

/// Print a shell's completion script
///
/// For bash: `dotage completions bash > /etc/bash_completion.d/dotage`
#[derive(clap::Args)]
pub(super) struct Args {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Result<Done, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "dotage", &mut script);
    print(script)?;
    Ok(Done::Well)
}
