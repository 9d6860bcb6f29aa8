//! `dotage set`: puts a value into a vault.

use super::{Done, Failure, Shell, ask, say};
use crate::journal::Entry;
use crate::problem::{Place, Problem};
use crate::project::{self, Project};
use crate::secret::{Name, Secret};
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read};
use std::path::{Path, PathBuf};

/// The largest value, in bytes: four of the largest that an environment carries, for those that go to a file.
const MAX_VALUE: usize = 512 * 1024;

/// Put a value into the vault: from a hidden prompt, stdin or a file
///
/// Never from the command line, which other users of the machine and the shell's history can read.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The variable, as dotage.yaml declares it
    name: String,
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// Read the value from FILE instead of stdin
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// Keep the last line feed of stdin or of the file; else exactly one is dropped
    #[arg(long)]
    verbatim: bool,
    /// Say what would change, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    let project = Project::find()?;
    let (name, variable) = project.variable(&args.name)?;
    if variable.derive.is_some() {
        return Err(project
            .inventory
            .problem(
                "derived",
                variable.at,
                format!("{name} is made of other values and is stored nowhere"),
            )
            .help("set the values it is made of")
            .into());
    }
    let (profile, said) = project.profile(args.profile.as_deref())?;
    let value = value(name, args.from_file.as_deref(), args.verbatim, shell)?;
    let value = project::encoded(value, name, variable)?;
    let vault = project.vault(said);
    let bundle = vault.bundle_for(&variable.bundle)?;
    let path = vault.file(&bundle);
    if args.dry_run {
        say(format!("would set {name} in {}", path.display()));
        return Ok(Done::Well);
    }
    project.journal().ready()?;
    let identities = shell.identities_to_write(&vault, &bundle)?;
    let changed = vault.change(&identities, |contents| {
        project.not_in_flight(profile, [name], &identities)?;
        contents.bundle(&bundle)?.insert(name.clone(), value);
        Ok(())
    })?;
    let entry = Entry {
        names: vec![name.clone()],
        ..Entry::new("set", profile)
    };
    project.record(said, &changed.read, &changed.written, entry)?;
    let what = if changed.written.is_empty() {
        "has this value already"
    } else {
        "set"
    };
    say(format!(
        "{name} {what} in {} (profile {profile})",
        path.display()
    ));
    Ok(Done::Well)
}

/// A new value: of a file, of stdin, or typed.
pub(super) fn value(
    name: &Name,
    from_file: Option<&Path>,
    verbatim: bool,
    shell: &Shell,
) -> Result<Secret, Problem> {
    let mut bytes = match from_file {
        Some(path) => {
            let cannot = |error: &io::Error| {
                let message = match error.kind() {
                    ErrorKind::NotFound => "there is no such file".to_owned(),
                    kind => format!("cannot be read: {kind}"),
                };
                Problem::new("unreadable", message)
                    .at(Place::file(path))
                    .help("name the file that holds the value")
            };
            // Whatever can be read: a pipe of the shell's <(…), and /dev/null for an empty value.
            let file = File::open(path).map_err(|error| cannot(&error))?;
            limited(file).map_err(|error| cannot(&error))?
        }
        None if io::stdin().is_terminal() => {
            if shell.non_interactive {
                return Err(Problem::new(
                    "no-value",
                    "no value was given, and --non-interactive says not to ask",
                )
                .help(format!("give it on stdin: … | dotage set {name}")));
            }
            return ask::new_value(name.as_str());
        }
        None => limited(io::stdin().lock()).map_err(|error| {
            Problem::new("stdin", format!("cannot read stdin: {}", error.kind()))
                .help("give the value on stdin, or with --from-file")
        })?,
    };
    if bytes.len() > MAX_VALUE {
        return Err(Problem::new(
            "too-large",
            format!("a value of more than {} KiB", MAX_VALUE / 1024),
        )
        .help("keep large files out of a vault: encrypt them with age -R beside it"));
    }
    if !verbatim && bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    if bytes.is_empty() && from_file.is_none() {
        return Err(Problem::new("no-value", "stdin was empty; nothing was changed")
            .help(format!("for an empty value: dotage set {name} --from-file /dev/null, to remove it: dotage unset {name}")));
    }
    Ok(Secret::new(bytes))
}

/// All that there is to read, or one byte more than a value may have. The buffer never grows, which would leave copies.
fn limited(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(MAX_VALUE + 1);
    from.take(MAX_VALUE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
