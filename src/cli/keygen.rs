//! `dotage keygen`: a new identity, in the form that age-keygen writes.

use super::{Done, Failure, print, say};
use crate::file;
use crate::problem::{Place, Problem};
use crate::vault;
use std::path::PathBuf;
use std::time::SystemTime;

/// Make an identity, the key that opens vaults
///
/// What it prints is what age-keygen prints: either program can use the other's.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Write it to FILE, mode 0600, instead of stdout, and make the folders it lacks; a file that is there is left alone
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Done, Failure> {
    let (identity, public) = vault::keygen(SystemTime::now());
    match &args.output {
        None => print(identity.expose())?,
        Some(path) => {
            if path.exists() {
                return Err(Problem::new(
                    "exists",
                    "an identity is there already, and is left alone",
                )
                .at(Place::file(path))
                .help(format!(
                    "name another file, or use this one; its public key: grep 'public key' {}",
                    path.display()
                ))
                .into());
            }
            if let Some(folder) = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty())
            {
                file::create_folder(folder, 0o700)?;
            }
            file::create(path, identity.expose(), 0o600)?;
        }
    }
    say(format!("Public key: {public}"));
    Ok(Done::Well)
}
