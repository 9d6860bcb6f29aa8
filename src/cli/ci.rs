//! `dotage ci`: what a CI job asks, a subcommand for each platform.

mod doctor;
mod github;
mod gitlab;

use super::{Done, Failure, Shell};
use clap::Subcommand;

/// Give a CI job its values, as its platform takes them
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    platform: Platform,
}

#[derive(Subcommand)]
enum Platform {
    Github(github::Args),
    Gitlab(gitlab::Args),
    Doctor(doctor::Args),
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    match &args.platform {
        Platform::Github(args) => github::run(args, shell),
        Platform::Gitlab(args) => gitlab::run(args, shell),
        Platform::Doctor(args) => doctor::run(args, shell),
    }
}
