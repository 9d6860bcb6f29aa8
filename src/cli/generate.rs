//! `dotage generate`: new values by the inventory's own declarations.

use super::{Done, Failure, Shell, print, say};
use crate::generate;
use crate::inventory::{Format, Profile, Variable};
use crate::journal::Entry;
use crate::problem::Problem;
use crate::project::{self, Project, Wanted};
use crate::secret::{Name, Secret, Secrets};
use std::collections::{BTreeMap, BTreeSet};

/// Make new values as dotage.yaml declares them, into the vault
///
/// A variable whose format is token, key or password can be generated; any other is set.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The variables
    names: Vec<String>,
    /// Every variable that can be generated and has no value; without --profile, in every profile that requires it
    #[arg(long, conflicts_with = "names")]
    missing: bool,
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// Replace a value that is there. A service that holds the old one keeps it until it is deployed again
    #[arg(long)]
    force: bool,
    /// Write one value to stdout and touch no vault
    #[arg(long, conflicts_with_all = ["missing", "force"])]
    print: bool,
    /// Say what would be generated, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

impl Args {
    /// `--missing`, in every profile.
    pub(super) fn missing() -> Self {
        Args {
            names: Vec::new(),
            missing: true,
            profile: None,
            force: false,
            print: false,
            dry_run: false,
        }
    }
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    if args.names.is_empty() && !args.missing {
        return Err(
            Problem::new("no-names", "which variables are to be generated?")
                .help("dotage generate NAME…, or all that have no value: dotage generate --missing")
                .into(),
        );
    }
    let project = Project::find()?;
    if args.print {
        let [name] = args.names.as_slice() else {
            return Err(Problem::new("one-name", "--print makes one value")
                .help("dotage generate NAME --print")
                .into());
        };
        let (name, variable) = project.variable(name)?;
        let mut value = generated(name, variable, &project)?.expose().to_vec();
        value.push(b'\n');
        print(Secret::new(value).expose())?;
        return Ok(Done::Well);
    }
    if args.missing {
        let profiles: Vec<(&str, &Profile)> = match &args.profile {
            Some(profile) => vec![project.profile(Some(profile))?],
            None => project
                .inventory
                .profiles
                .iter()
                .map(|(name, profile)| (name.as_str(), profile))
                .collect(),
        };
        for (name, profile) in profiles {
            let wanted: Vec<&Name> = project
                .inventory
                .variables
                .iter()
                .filter(|(_, variable)| {
                    variable.is_generated()
                        && variable.is_required(name, None)
                        && !variable.defaults.contains_key(name)
                })
                .map(|(name, _)| name)
                .collect();
            put(&project, name, profile, &wanted, args, shell)?;
        }
    } else {
        let (name, profile) = project.profile(args.profile.as_deref())?;
        let wanted = args
            .names
            .iter()
            .map(|name| project.variable(name).map(|(name, _)| name))
            .collect::<Result<Vec<_>, _>>()?;
        put(&project, name, profile, &wanted, args, shell)?;
    }
    Ok(Done::Well)
}

/// Generates into the profile's vault, all in one change.
fn put(
    project: &Project,
    profile: &str,
    said: &Profile,
    names: &[&Name],
    args: &Args,
    shell: &Shell,
) -> Result<(), Problem> {
    let vault = project.vault(said);
    let mut by_bundle: BTreeMap<String, Vec<(&Name, &Variable)>> = BTreeMap::new();
    for name in names {
        let (name, variable) = project.variable(name.as_str())?;
        by_bundle
            .entry(vault.bundle_for(&variable.bundle)?)
            .or_default()
            .push((name, variable));
    }
    if !args.dry_run {
        project.journal().ready()?;
    }
    let identities =
        shell.identities_to_write(&vault, by_bundle.keys().next().map_or("", String::as_str))?;
    if !args.missing {
        for (name, variable) in by_bundle.values().flatten() {
            if variable.bootstrap.is_some() {
                open(project, name, variable, profile, shell)?;
            }
        }
    }
    let mut made = Vec::new();
    let mut left = Vec::new();
    let mut replaced = Vec::new();
    let changed = vault.change(&identities, |contents| {
        for (bundle, variables) in &by_bundle {
            // A bundle that isn't there would be made by being asked for.
            let mut nothing = Secrets::new();
            let held = if args.dry_run && !vault.file(bundle).exists() {
                &mut nothing
            } else {
                contents.bundle(bundle)?
            };
            for (name, variable) in variables {
                if held.contains_key(*name) {
                    if args.missing {
                        continue;
                    }
                    guard(project, name, variable, profile, args.force)?;
                    replaced.push(*variable);
                }
                made.push((*name).clone());
                if !args.dry_run {
                    held.insert(
                        (*name).clone(),
                        project::encoded(generated(name, variable, project)?, name, variable)?,
                    );
                }
            }
        }
        project.not_in_flight(profile, &made, &identities)?;
        if args.missing {
            for (name, variable) in &project.inventory.variables {
                if !variable.is_generated()
                    && variable.derive.is_none()
                    && variable.is_required(profile, None)
                    && !variable.defaults.contains_key(profile)
                    && contents.holder(name.as_str())?.is_none()
                {
                    left.push(name.as_str());
                }
            }
        }
        Ok(())
    })?;
    let written = changed
        .written
        .keys()
        .map(|bundle| vault.file(bundle).display().to_string());
    let written = written.collect::<Vec<_>>().join(", ");
    if !args.dry_run {
        let entry = Entry {
            names: made.clone(),
            ..Entry::new("generate", profile)
        };
        project.record(said, &changed.read, &changed.written, entry)?;
    }
    let made: Vec<&str> = made.iter().map(Name::as_str).collect();
    match (made.is_empty(), args.dry_run) {
        (true, _) => say(format!("nothing to generate in profile {profile}")),
        (false, true) => say(format!(
            "would generate {} in profile {profile}",
            made.join(", ")
        )),
        (false, false) => say(format!(
            "generated {} in profile {profile} ({})",
            made.join(", "),
            written
        )),
    }
    if !args.dry_run {
        by_hand(project, &replaced);
    }
    for name in left {
        say(format!(
            "{name} has no value in profile {profile} and cannot be generated: dotage set {name} --profile {profile}"
        ));
    }
    Ok(())
}

/// What is left of a rotation once a value is replaced: the steps as the inventory has them, for a person to follow.
fn by_hand(project: &Project, replaced: &[&Variable]) {
    let users: BTreeSet<&str> = replaced
        .iter()
        .flat_map(|variable| &variable.used_by)
        .map(|user| user.value.as_str())
        .collect();
    for (service, said) in &project.inventory.services {
        for command in said
            .deploy
            .iter()
            .filter(|_| users.contains(service.as_str()))
        {
            say(format!("deploy {service} again: {}", command.value));
        }
    }
    let rotations = replaced
        .iter()
        .filter_map(|variable| variable.rotation.as_ref());
    for rotation in rotations {
        if let Some(expected) = &rotation.expect {
            say(format!("expect: {expected}"));
        }
        for command in &rotation.verify {
            say(format!("verify: {}", command.value));
        }
    }
}

/// What only a bootstrap needs is made only while the bootstrap is open.
fn open(
    project: &Project,
    name: &Name,
    variable: &Variable,
    profile: &str,
    shell: &Shell,
) -> Result<(), Problem> {
    let Some(bootstrap) = &variable.bootstrap else {
        return Ok(());
    };
    let (switch, declared) = project.variable(bootstrap.switch.value.as_str())?;
    let wanted = Wanted::from([(switch, declared)]);
    let values = project.values(profile, &wanted, &|| shell.identities())?;
    if values
        .secrets
        .get(switch)
        .is_some_and(|value| value.expose() == b"true")
    {
        return Ok(());
    }
    let message = format!(
        "{name} is only for the first start, and {switch} is not true in profile {profile}"
    );
    let open = format!("dotage bootstrap open --profile {profile}");
    Err(project
        .inventory
        .problem("bootstrap-closed", variable.at, message)
        .help(match &bootstrap.reset {
            Some(reset) => {
                format!("for an account that there is: {reset}; before the first start: {open}")
            }
            None => open,
        }))
}

/// Whether a value that is there may be replaced.
fn guard(
    project: &Project,
    name: &Name,
    variable: &Variable,
    profile: &str,
    force: bool,
) -> Result<(), Problem> {
    if variable.encrypts_stored_data {
        return Err(project
            .inventory
            .problem("encrypts-stored-data", variable.at, format!("{name} has a value in profile {profile} that stored data is encrypted with; a new one would make it unreadable"))
            .help(format!("dotage rotate {name} --profile {profile}    (it re-encrypts the data first)")));
    }
    if let Some(bootstrap) = variable.bootstrap.as_ref().filter(|_| force) {
        let message = format!(
            "{name} has a value in profile {profile}, and a new one changes no account that there is"
        );
        let close = format!("dotage bootstrap close --profile {profile}");
        return Err(project
            .inventory
            .problem("bootstrap-value", variable.at, message)
            .help(bootstrap.reset.clone().unwrap_or(close)));
    }
    if force {
        return Ok(());
    }
    let users: Vec<&str> = variable
        .used_by
        .iter()
        .map(|user| user.value.as_str())
        .collect();
    let together = if users.len() > 1 { " together" } else { "" };
    Err(project
        .inventory
        .problem("has-value", variable.at, format!("{name} has a value in profile {profile}; nothing was changed"))
        .help(format!("dotage rotate {name} --profile {profile}    (or generate it with --force, and deploy {}{together} by hand)", users.join(" and "))))
}

/// A new value for a variable, as its format says.
pub(super) fn generated(
    name: &Name,
    variable: &Variable,
    project: &Project,
) -> Result<Secret, Problem> {
    let value = match &variable.format.value {
        Format::Token {
            bytes, encoding, ..
        }
        | Format::Key { bytes, encoding } => generate::random(*bytes, *encoding),
        Format::Password { policy, .. } => generate::password(*policy),
        _ => {
            return Err(project
                .inventory
                .problem(
                    "not-generated",
                    variable.format.at,
                    format!("the format of {name} says how to judge a value, not how to make one"),
                )
                .help(format!("dotage set {name}")));
        }
    };
    value.map_err(|failed| Problem::new("generator", format!("{name}: {failed}")).help("try again"))
}
