//! `dotage import`: secrets out of another tool's files, a subcommand for each tool.

mod ansible_vault;
mod passwords;

use super::{Done, Failure, Shell};
use clap::Subcommand;

/// Bring the secrets that another tool keeps into the vault
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Subcommand)]
enum Tool {
    AnsibleVault(ansible_vault::Args),
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    match &args.tool {
        Tool::AnsibleVault(args) => ansible_vault::run(args, shell),
    }
}
