//! A command of the inventory: run by a shell in the project's folder, what it prints shown without the secrets.

use crate::problem::Problem;
use crate::redact::{Marker, Needles, Redactor};
use crate::secret::{Name, Secret};
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

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
    let cannot = |error: io::Error| {
        Problem::new(
            "command",
            format!("`{command}` can't be started: {}", error.kind()),
        )
        .help("run it by hand to see why")
    };
    let (mut from, to) = io::pipe().map_err(cannot)?;
    let mut child = Command::new("sh");
    child.arg("-c").arg(command).stdin(Stdio::null());
    child.stdout(to.try_clone().map_err(cannot)?).stderr(to);
    if !folder.as_os_str().is_empty() {
        child.current_dir(folder);
    }
    for (name, value) in given {
        child.env(name.as_str(), OsStr::from_bytes(value.expose()));
    }
    let mut running = child.spawn().map_err(cannot)?;
    drop(child);
    let mut shown = Redactor::new(needles, Marker::Name, io::stderr());
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let _ = shown.write_all(buffer.get(..read).unwrap_or_default());
    }
    let _ = shown.finish();
    let status = running.wait().map_err(cannot)?;
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
