//! `dotage set`: puts a value into a vault, or all of a `.env` file.

use super::render::dialects;
use super::{Done, Failure, Shell, ask, say};
use crate::dialect::{Consumers, Dialect, Entries, Unreadable, read_with};
use crate::journal::Entry;
use crate::lint;
use crate::problem::{Place, Problem};
use crate::project::{self, Project};
use crate::secret::{Name, Secret, Secrets};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read};
use std::path::{Path, PathBuf};

/// The largest value, in bytes: four of the largest that an environment carries, for those that go to a file.
pub(super) const MAX_VALUE: usize = 512 * 1024;
/// The largest `.env` file, in bytes.
const MAX_FILE: usize = 4 << 20;

/// Put a value into the vault: from a hidden prompt, stdin or a file; or all of a .env file
///
/// Never from the command line, which other users of the machine and the shell's history can read.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The variable, as dotage.yaml declares it
    #[arg(required_unless_present = "from_env")]
    name: Option<String>,
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// Read the value from FILE instead of stdin
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// Put in every value of a .env file whose name dotage.yaml declares, in one change
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "from_file", "verbatim"])]
    from_env: Option<PathBuf>,
    /// Who reads that file [default: it has to say the same to every consumer]
    #[arg(
        long,
        value_name = "CONSUMER",
        requires = "from_env",
        conflicts_with = "name",
        value_parser = dialects(|dialect| !matches!(dialect, Dialect::Json | Dialect::Yaml))
    )]
    dialect: Option<Dialect>,
    /// Keep the last line feed of stdin or of the file; else exactly one is dropped
    #[arg(long)]
    verbatim: bool,
    /// Say what would change, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    let project = Project::find()?;
    if let Some(path) = &args.from_env {
        return all(path, args, &project, shell);
    }
    let (name, variable) = project.variable(args.name.as_deref().unwrap_or_default())?;
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

/// Puts in all that a `.env` file holds and dotage.yaml declares. What is left out is told by name.
fn all(path: &Path, args: &Args, project: &Project, shell: &Shell) -> Result<Done, Failure> {
    let (profile, said) = project.profile(args.profile.as_deref())?;
    let text = Secret::new(bytes(path, MAX_FILE)?);
    if text.expose().len() > MAX_FILE {
        return Err(
            Problem::new("too-large", format!("more than {} MiB", MAX_FILE >> 20))
                .at(Place::file(path))
                .help("name a .env file")
                .into(),
        );
    }
    let values = entries(path, text.expose(), args.dialect)?;
    let vault = project.vault(said);
    let mut wanted: BTreeMap<String, Secrets> = BTreeMap::new();
    let (mut undeclared, mut derived, mut empty) = (Vec::new(), Vec::new(), Vec::new());
    let mut more = 0;
    for (name, value) in values {
        match project.inventory.variables.get_key_value(name.as_str()) {
            None if !lint::is_name(&name, value.expose()) => more += 1,
            None => undeclared.push(name),
            Some((_, variable)) if variable.derive.is_some() => derived.push(name),
            Some(_) if value.expose().is_empty() => empty.push(name),
            Some((name, variable)) => {
                let value = project::encoded(value, name, variable)?;
                let bundle = vault.bundle_for(&variable.bundle)?;
                wanted
                    .entry(bundle)
                    .or_default()
                    .insert(name.clone(), value);
            }
        }
    }
    let names: Vec<Name> = wanted.values().flat_map(Secrets::keys).cloned().collect();
    let shown = names
        .iter()
        .map(Name::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if names.is_empty() {
        say(format!(
            "{} holds no value of a declared variable",
            path.display()
        ));
    } else if args.dry_run {
        say(format!("would set {shown} in profile {profile}"));
    } else {
        project.journal().ready()?;
        let first = wanted.keys().next().map_or("", String::as_str);
        let identities = shell.identities_to_write(&vault, first)?;
        let changed = vault.change(&identities, |contents| {
            project.not_in_flight(profile, &names, &identities)?;
            for (bundle, values) in wanted {
                contents.bundle(&bundle)?.extend(values);
            }
            Ok(())
        })?;
        let entry = Entry {
            names,
            ..Entry::new("set", profile)
        };
        project.record(said, &changed.read, &changed.written, entry)?;
        say(if changed.written.is_empty() {
            format!("{shown}: there already in profile {profile}")
        } else {
            format!("{shown} set in profile {profile}")
        });
    }
    if more > 0 {
        undeclared.push(format!("{more} more"));
    }
    for (left, why) in [
        (undeclared, "not declared in dotage.yaml"),
        (derived, "made of other values"),
        (
            empty,
            "empty; for an empty value: dotage set NAME --from-file /dev/null",
        ),
    ] {
        if !left.is_empty() {
            say(format!("left out {}: {why}", left.join(", ")));
        }
    }
    Ok(Done::Well)
}

/// The values of a `.env` file by name, as its consumer reads it; of a name that is there twice, the one that it applies.
fn entries(
    path: &Path,
    text: &[u8],
    dialect: Option<Dialect>,
) -> Result<BTreeMap<String, Secret>, Problem> {
    let reader = dialect.unwrap_or(Dialect::Portable(Consumers::EVERYBODY));
    let read = |error: Unreadable| {
        let problem = Problem::new(
            "unreadable",
            format!("{} reads {}", reader.name(), error.why),
        )
        .at(Place::at(path, error.line, 0));
        problem.help(match dialect {
            None => "say who reads the file, as: --dialect compose; `dotage lint` says what each makes of it",
            Some(_) => "mend the line, or name another consumer",
        })
    };
    let owned = |entries: Entries<'_>| -> BTreeMap<String, Secret> {
        let owned = entries.into_iter();
        owned
            .map(|(name, value)| (name.into_owned(), Secret::new(value.into_owned())))
            .collect()
    };
    let mut entries = reader.read(text).map_err(read)?;
    if reader == Dialect::Rust {
        // dotenvy sets no name that is set.
        entries.reverse();
    }
    let values = owned(entries);
    if reader == Dialect::Compose {
        // What the file takes from the environment has another value in each shell.
        let outside = |name: &str| (!values.contains_key(name)).then(|| b"x".to_vec());
        let set = owned(read_with(text, &outside).map_err(read)?);
        let differs = |(name, value): (&String, &Secret)| {
            let same = set.get(name).is_some_and(|other| other.same(value));
            (!same).then(|| name.clone())
        };
        if let Some(name) = values.iter().find_map(differs) {
            return Err(Problem::new(
                "not-known",
                format!("{name} is made of a variable that this file doesn't set"),
            )
            .at(Place::file(path))
            .help("write it out there, or put the `$` into single quotes if it is one"));
        }
    }
    Ok(values)
}

/// What can be read of `path`, up to one byte more than `limit`: a file, a pipe of the shell's <(…), /dev/null.
pub(super) fn bytes(path: &Path, limit: usize) -> Result<Vec<u8>, Problem> {
    let cannot = |error: &io::Error| {
        let message = match error.kind() {
            ErrorKind::NotFound => "there is no such file".to_owned(),
            kind => format!("cannot be read: {kind}"),
        };
        Problem::new("unreadable", message)
            .at(Place::file(path))
            .help("name the file that holds the value")
    };
    let file = File::open(path).map_err(|error| cannot(&error))?;
    limited(file, limit).map_err(|error| cannot(&error))
}

/// A new value: of a file, of stdin, or typed.
pub(super) fn value(
    name: &Name,
    from_file: Option<&Path>,
    verbatim: bool,
    shell: &Shell,
) -> Result<Secret, Problem> {
    let mut bytes = match from_file {
        Some(path) => bytes(path, MAX_VALUE)?,
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
        None => limited(io::stdin().lock(), MAX_VALUE).map_err(|error| {
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

/// All that there is to read, or one byte more than there may be. The buffer never grows, which would leave copies.
fn limited(from: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(limit + 1);
    from.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
