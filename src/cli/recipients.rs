//! `dotage recipients`: who can read which bundle, and the re-encryption that changes it.

use super::{Done, Failure, Shell, print, say};
use crate::journal::{self, Entry};
use crate::problem::{Place, Problem};
use crate::project::Project;
use crate::secret::Name;
use crate::vault::{Ciphertexts, Reader, Recipients, Reencrypted, Vault};
use clap::Subcommand;
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Who can read which bundle: list, add or remove a reader
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List the readers of each bundle
    List {
        #[command(flatten)]
        which: Which,
        /// As JSON: an object of bundles, each a list of {key, comment}
        #[arg(long)]
        json: bool,
    },
    /// Add a reader, and re-encrypt the bundles that it can read from now on
    Add {
        /// A public key: age1…, or "ssh-ed25519 …"
        key: String,
        /// Who it is, kept as a comment in the recipients file
        #[arg(long, value_name = "TEXT")]
        comment: Option<String>,
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        how: How,
    },
    /// Remove a reader, and re-encrypt the bundles that it could read
    Remove {
        /// The public key
        key: String,
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        how: How,
    },
    /// Re-encrypt the bundles whose readers are not those of their recipients file, which was changed by hand
    Apply {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        how: How,
    },
}

#[derive(clap::Args)]
struct Which {
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// One bundle, which gets a recipients file of its own; without it, the vault's
    #[arg(long)]
    bundle: Option<String>,
}

#[derive(clap::Args)]
struct How {
    /// Say what would change, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    let project = Project::find()?;
    match &args.verb {
        Verb::List { which, json } => {
            let (_, said) = project.profile(which.profile.as_deref())?;
            list(&project.vault(said), which, *json)
        }
        Verb::Add {
            key,
            comment,
            which,
            how,
        } => {
            let (files, _) = change(&project, which, how, shell, key, comment.as_deref(), true)?;
            say(if how.dry_run {
                format!("{key} would be able to read {files}; nothing was changed")
            } else {
                format!("{key} can read {files} from now on")
            });
            Ok(Done::Well)
        }
        Verb::Apply { which, how } => {
            let done = apply(&project, which, how, shell)?;
            let (_, said) = project.profile(which.profile.as_deref())?;
            let files = files(&project.vault(said), &done);
            say(match (done.is_empty(), how.dry_run) {
                (true, _) => format!("{files}: every bundle is encrypted to its recipients"),
                (false, true) => format!("would re-encrypt {files}; nothing was changed"),
                (false, false) => format!("re-encrypted {files}"),
            });
            Ok(Done::Well)
        }
        Verb::Remove { key, which, how } => {
            let (files, names) = change(&project, which, how, shell, key, None, false)?;
            say(if how.dry_run {
                format!("{key} would not be able to read {files} any more; nothing was changed")
            } else {
                format!("{key} cannot read {files} from now on")
            });
            if !names.is_empty() {
                let names: Vec<&str> = names.iter().map(Name::as_str).collect();
                say(format!(
                    "what it could read, it has read: {}",
                    names.join(", ")
                ));
            }
            if !names.is_empty() && !how.dry_run {
                let (profile, _) = project.profile(which.profile.as_deref())?;
                say(format!("next: dotage rotate --must --profile {profile}"));
            }
            Ok(Done::Well)
        }
    }
}

/// What a reader reads: these files, or of a vault that has none yet, all that will be in it.
fn files(vault: &Vault, files: &[PathBuf]) -> String {
    if files.is_empty() {
        return vault.path().display().to_string();
    }
    let files: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    files.join(", ")
}

fn list(vault: &Vault, which: &Which, as_json: bool) -> Result<Done, Failure> {
    let mut bundles = vault.bundles()?;
    if let Some(asked) = &which.bundle {
        let known = bundles.join(" | ");
        bundles.retain(|bundle| bundle == asked);
        if bundles.is_empty() {
            return Err(
                Problem::new("unknown-bundle", format!("there is no bundle {asked}"))
                    .at(Place::file(vault.path()))
                    .help(format!("say one of them: --bundle {known}"))
                    .into(),
            );
        }
    }
    let mut text = String::new();
    let mut object = serde_json::Map::new();
    for bundle in bundles {
        let recipients = vault.recipients(&bundle)?;
        let _ = writeln!(
            text,
            "{} ({})",
            vault.file(&bundle).display(),
            recipients.path().display()
        );
        for reader in recipients.readers() {
            let _ = writeln!(
                text,
                "  {}{}",
                reader.key(),
                reader
                    .comment()
                    .map(|who| format!("  {who}"))
                    .unwrap_or_default()
            );
        }
        object.insert(
            bundle,
            recipients
                .readers()
                .iter()
                .map(|reader| json!({"key": reader.key(), "comment": reader.comment()}))
                .collect(),
        );
    }
    print(if as_json {
        format!("{}\n", serde_json::Value::Object(object))
    } else {
        text
    })?;
    Ok(Done::Well)
}

/// Re-encrypts each bundle whose header doesn't fit its recipients file, whichever file that is, and each rotation in
/// flight; the files that were re-encrypted, or would be.
fn apply(
    project: &Project,
    which: &Which,
    how: &How,
    shell: &Shell,
) -> Result<Vec<PathBuf>, Problem> {
    let (profile, said) = project.profile(which.profile.as_deref())?;
    let vault = project.vault(said);
    let mut bundles = Vec::new();
    for bundle in vault.bundles()? {
        if which.bundle.as_ref().is_none_or(|asked| *asked == bundle)
            && !vault.header(&bundle)?.fits(&vault.recipients(&bundle)?)
        {
            bundles.push(bundle);
        }
    }
    let mut apart: Vec<PathBuf> = bundles.iter().map(|bundle| vault.file(bundle)).collect();
    if !how.dry_run && !bundles.is_empty() {
        project.journal().ready()?;
        let record = |read: &Ciphertexts, written: &Ciphertexts| {
            project.record(said, read, written, Entry::new("recipients apply", profile))
        };
        vault.reencrypt_to_recipients(&bundles, &shell.identities()?, record)?;
    }
    for id in project.rotations(profile)? {
        if project.rotation_fits(profile, &id)? != Some(false) {
            continue;
        }
        if !how.dry_run {
            let _lock = project.lock_rotations()?;
            let identities = shell.identities()?;
            let flight = project.flight(profile, &id, &identities)?;
            project.save(&flight, &identities, &readdressed(profile))?;
        }
        apart.push(vault.rotation(&id));
    }
    Ok(apart)
}

/// What the journal tells of a rotation's file that got other readers and stands where it stood.
fn readdressed(profile: &str) -> Entry {
    Entry::of_rotation(profile, "re-encrypted")
}

/// Adds or removes a reader; the files that it can read from now on or could, and the names in them.
fn change(
    project: &Project,
    which: &Which,
    how: &How,
    shell: &Shell,
    key: &str,
    comment: Option<&str>,
    add: bool,
) -> Result<(String, Vec<Name>), Problem> {
    let (profile, said) = project.profile(which.profile.as_deref())?;
    let vault = project.vault(said);
    let bundle = which
        .bundle
        .as_deref()
        .map(|bundle| vault.bundle_for(bundle))
        .transpose()?;
    let identities = shell.identities()?;
    if how.dry_run {
        let would = vault.governed(bundle.as_deref())?;
        for name in &would {
            changed(&vault.recipients(name)?, key, comment, add)?;
        }
        let opened = vault.open(Some(&would.iter().cloned().collect()), &identities)?;
        let would: Vec<PathBuf> = would.iter().map(|bundle| vault.file(bundle)).collect();
        return Ok((files(&vault, &would), opened.secrets.into_keys().collect()));
    }
    project.journal().ready()?;
    // A rotation in flight holds values of the bundles, and gets their readers: who can't open it can't do that.
    let _lock = match project.rotations(profile)?.as_slice() {
        [] => None,
        _ => Some(project.lock_rotations()?),
    };
    let flights = project.flights_in(profile, &vault.governed(bundle.as_deref())?, &identities)?;
    let verb = if add {
        "recipients add"
    } else {
        "recipients remove"
    };
    let record = |done: &Reencrypted| {
        let entry = Entry {
            names: done.names.iter().cloned().collect(),
            added: only_in(&done.after, &done.before),
            removed: only_in(&done.before, &done.after),
            ..Entry::new(verb, profile)
        };
        project.record(said, &done.read, &done.written, entry)
    };
    let edit = |recipients: &Recipients| changed(recipients, key, comment, add);
    let done = vault.reencrypt(bundle.as_deref(), &identities, edit, record)?;
    let mut written: Vec<PathBuf> = done.written.keys().map(|name| vault.file(name)).collect();
    for flight in flights {
        project.save(&flight, &identities, &readdressed(profile))?;
        written.push(vault.rotation(&flight.id));
    }
    Ok((files(&vault, &written), done.names.into_iter().collect()))
}

/// The readers whom only the first of the two names, as the journal tells of them.
fn only_in(one: &Recipients, other: &Recipients) -> Vec<journal::Reader> {
    let there = |reader: &&Reader| {
        other
            .readers()
            .iter()
            .any(|there| there.key() == reader.key())
    };
    let told = |reader: &Reader| journal::Reader {
        key: reader.key().to_owned(),
        comment: reader.comment().map(str::to_owned),
    };
    one.readers()
        .iter()
        .filter(|reader| !there(reader))
        .map(told)
        .collect()
}

/// The recipients with the key or without it. What is wrong with the key is said of the key, not of a file's line.
fn changed(
    recipients: &Recipients,
    key: &str,
    comment: Option<&str>,
    add: bool,
) -> Result<Recipients, Problem> {
    if !add {
        return recipients.without(key);
    }
    recipients.with(key, comment).map_err(|problem| {
        let (message, help) = match problem.rule {
            "duplicate-recipient" => ("this key is a recipient here already", "see who is: dotage recipients list"),
            "secret-key-exposed" => (
                "this is a secret key, and now it is in the history of your shell as well",
                "make a new one, and give its public key: dotage keygen; rotate what this one could read",
            ),
            _ => return problem,
        };
        Problem::new(problem.rule, message).at(Place::file(recipients.path())).help(help)
    })
}
