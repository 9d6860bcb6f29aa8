//! A command of the inventory: run by a shell in the project's folder, what it prints shown without the secrets.

use super::run::Program;
use crate::problem::Problem;
use crate::redact::Needles;
use crate::secret::{Name, Secret};
use std::ffi::OsStr;
use std::path::Path;

/// Runs a command with these variables in its environment, and shows on stderr what it prints, without the needles. Gives
/// its exit code, or 128 and the number of the signal that ended it.
///
/// # Errors
/// When it can't be started, or a value is one that no environment carries.
pub fn act(
    command: &str,
    folder: &Path,
    given: &[(Name, &Secret)],
    needles: &Needles,
) -> Result<u8, Problem> {
    let mut program = Program::new(OsStr::new("sh"), &["-c".into(), command.into()]);
    for (name, value) in given {
        program.give(name, value)?;
    }
    program
        .talk(folder, needles)
        .map_err(|failed| failed.problem)
}
