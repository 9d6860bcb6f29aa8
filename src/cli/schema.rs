//! `dotage schema`: the JSON Schema of dotage.yaml, for an editor or a CI check.

use super::{Done, Failure, print};
use crate::inventory;

/// Print the JSON Schema of dotage.yaml
#[derive(clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: &Args) -> Result<Done, Failure> {
    print(inventory::SCHEMA)?;
    Ok(Done::Well)
}
