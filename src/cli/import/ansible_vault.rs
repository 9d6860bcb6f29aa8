//! `dotage import ansible-vault`: what ansible-vault encrypted, into the vault.
//!
//! # Why
//!
//! Nothing is written before all of it is known to be right: each file opened, each value under a name of its own that
//! is declared, none of them another than the one that is there. Then it is one change of the vault, which is opened
//! again and compared, and only after that a file is touched that was asked to be taken away.
//!
//! What may not be lost may not be left out in silence either: what can't be a variable is an error, and `--skip` is
//! how a person says that it stays where it is.

use super::passwords::Sources;
use crate::ansible::{self, Found, Held};
use crate::cli::{Done, Failure, Shell, print, say, set};
use crate::draft;
use crate::file::{self, Attributes};
use crate::journal::Entry;
use crate::problem::{Place, Problem};
use crate::project::{self, Project};
use crate::secret::{Name, Secret, Secrets};
use crate::vault::Vault;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::mem::ManuallyDrop;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The largest file that is read: hexadecimal twice over makes four times of what it holds.
const MAX_FILE: usize = 16 << 20;
/// The largest inventory.
const MAX_INVENTORY: usize = 1 << 20;

/// Import what ansible-vault encrypted: whole files, and values under `!vault`
///
/// A variable `jwt_secret` or `vault_jwt_secret` becomes `JWT_SECRET`, or what dotage.yaml has for it; nested keys are joined
/// by `_`. Values that stand in clear beside `!vault` ones are left alone. The files stay as they are, unless --remove is given.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Files that ansible-vault encrypted, and YAML files with values under `!vault`
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    sources: Sources,
    /// The variable that all of one encrypted file becomes, whatever it holds
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Leave this variable of Ansible's where it is; may be repeated
    #[arg(long, value_name = "KEY", conflicts_with = "name")]
    skip: Vec<String>,
    /// Draft a declaration in dotage.yaml for each variable that has none
    #[arg(long)]
    declare: bool,
    /// The bundle of the variables that --declare declares
    #[arg(long, requires = "declare")]
    bundle: Option<String>,
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// Replace a value that is there. A service that holds the old one keeps it until it is deployed again
    #[arg(long)]
    force: bool,
    /// Afterwards delete the encrypted files, and put a lookup in the place of each value under `!vault`
    #[arg(long)]
    remove: bool,
    /// Say in JSON what was imported, by name
    #[arg(long)]
    json: bool,
    /// Say what would be imported, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// A file, and what it holds.
struct Source<'a> {
    path: &'a Path,
    text: Secret,
    held: Held,
}

/// A value on its way.
struct Item<'a> {
    name: Name,
    key: &'a str,
    path: &'a Path,
    line: usize,
    value: &'a Secret,
}

impl Item<'_> {
    fn place(&self) -> Place {
        Place::at(self.path, self.line, 0)
    }
}

/// How a value stands to the one in the vault.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Same,
    Other,
}

/// What becomes of a file.
struct Removal<'a> {
    source: &'a Source<'a>,
    /// Its text with lookups; none where it is deleted.
    text: Option<String>,
    /// What stands for the variables now: their keys, and their lookups.
    lookups: Vec<(&'a str, String)>,
}

/// The inventory with declarations added.
struct Drafted {
    /// Its text without them.
    old: String,
    text: String,
    /// What they declare.
    names: Vec<Name>,
}

impl Drafted {
    /// Puts it in place of the old text, if that is still there: meanwhile a person may have typed a passphrase, or edited it.
    fn write(&self, path: &Path) -> Result<(), Problem> {
        if file::read(path, MAX_INVENTORY)? != self.old.as_bytes() {
            return Err(Problem::new(
                "changed-meanwhile",
                "was changed by another program; nothing was imported",
            )
            .at(Place::file(path))
            .help("do it again"));
        }
        file::replace(path, self.text.as_bytes(), &as_it_is(path)).map(drop)
    }
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    let mut project = Project::find()?;
    if args.name.is_some() && args.paths.len() > 1 {
        return Err(Problem::new("one-file", "--name is the name for one file")
            .help("import the files one by one, each with its name")
            .into());
    }
    let sources = sources(args, shell)?;
    let items = items(&sources, args, &project)?;
    let inventory = inventory(&mut project, &items, args)?;
    let (profile, said) = project.profile(args.profile.as_deref())?;
    let vault = project.vault(said);
    let wanted = wanted(&items, &project, &vault)?;
    let removals = if args.remove {
        removals(&sources, &items, args)?
    } else {
        Vec::new()
    };
    let names: Vec<Name> = items.iter().map(|item| item.name.clone()).collect();
    if !args.dry_run {
        project.journal().ready()?;
    }
    let first = wanted.keys().next().map_or("", String::as_str);
    let identities = shell.identities_to_write(&vault, first)?;
    let changed = vault.change(&identities, |contents| {
        project.not_in_flight(profile, &names, &identities)?;
        let mut states = BTreeMap::new();
        for (bundle, values) in &wanted {
            // A bundle that isn't there would be made by being asked for.
            let mut nothing = Secrets::new();
            let there = if args.dry_run && !vault.file(bundle).exists() {
                &mut nothing
            } else {
                contents.bundle(bundle)?
            };
            for (name, value) in values {
                let state = match there.get(name) {
                    None => State::New,
                    Some(old) if old.same(value) => State::Same,
                    Some(_) => State::Other,
                };
                states.insert(name.clone(), state);
                if state != State::Same && !args.dry_run {
                    there.insert(name.clone(), Secret::new(value.expose().to_vec()));
                }
            }
        }
        if !args.force {
            other_values(&items, &states, profile)?;
        }
        if let Some(drafted) = inventory.as_ref().filter(|_| !args.dry_run) {
            drafted.write(&project.inventory.path)?;
        }
        Ok(states)
    })?;
    shell.tell_openers(&changed.opened_by);
    if !args.dry_run {
        let entry = Entry {
            names,
            ..Entry::new("import", profile)
        };
        project.record(said, &changed.read, &changed.written, entry)?;
        let bundles: BTreeSet<String> = wanted.keys().cloned().collect();
        let there = vault.open(Some(&bundles), &identities)?.secrets;
        for (name, value) in wanted.values().flatten() {
            if !there.get(name).is_some_and(|there| there.same(value)) {
                return Err(Problem::new(
                    "read-back",
                    format!("{name} is not what was imported; no file was removed"),
                )
                .at(Place::file(vault.path()))
                .help(format!(
                    "another program changed it meanwhile: dotage log --name {name}"
                ))
                .into());
            }
        }
        for removal in &removals {
            removal.done()?;
        }
    }
    let report = Report {
        args,
        profile,
        items: &items,
        sources: &sources,
        states: &changed.value,
        declared: inventory.map_or_else(Vec::new, |drafted| drafted.names),
        removals: &removals,
    };
    if args.json {
        print(report.json())?;
    } else {
        report.say(&project);
    }
    Ok(Done::Well)
}

/// The files, opened.
fn sources<'a>(args: &'a Args, shell: &Shell) -> Result<Vec<Source<'a>>, Vec<Problem>> {
    let mut texts = Vec::new();
    for path in &args.paths {
        if path.is_dir() {
            return Err(Problem::new("not-a-file", "is a folder")
                .at(Place::file(path))
                .help(format!(
                    r"name the files in it: dotage import ansible-vault $(grep -rlI '\$ANSIBLE_VAULT' {})",
                    path.display()
                ))
                .into());
        }
        let text = file::read(path, MAX_FILE).map_err(|problem| match problem.help {
            Some(_) => problem,
            None => problem.help(
                "name a file that ansible-vault encrypted, or one with values under `!vault`",
            ),
        })?;
        texts.push((path, Secret::new(text)));
    }
    let passwords = args.sources.passwords(shell)?;
    let (mut sources, mut problems) = (Vec::new(), Vec::new());
    for (path, text) in texts {
        match ansible::held(
            path,
            text.expose(),
            &passwords,
            args.name.as_deref(),
            &args.skip,
        ) {
            Ok(held) => sources.push(Source { path, text, held }),
            Err(more) => problems.extend(more),
        }
    }
    let skipped = |key: &&String| {
        sources
            .iter()
            .any(|source| source.held.skipped.contains(key))
    };
    if problems.is_empty()
        && let Some(key) = args.skip.iter().find(|key| !skipped(key))
    {
        problems.push(
            Problem::new(
                "unknown-key",
                format!("there is no variable {} to skip", ansible::shown(key)),
            )
            .help("name it as Ansible has it, nested keys joined by `_`"),
        );
    }
    if problems.is_empty() {
        Ok(sources)
    } else {
        Err(problems)
    }
}

/// The values under the names that they get. No two have one.
fn items<'a>(
    sources: &'a [Source<'a>],
    args: &Args,
    project: &Project,
) -> Result<Vec<Item<'a>>, Vec<Problem>> {
    let wanted = project.names(None)?;
    let by_file = project.by_file(None, &wanted);
    let mut items: Vec<Item<'_>> = Vec::new();
    let mut problems = Vec::new();
    for source in sources {
        for Found { key, line, value } in &source.held.found {
            let name = if args.name.is_some() {
                Name::new(key)
            } else {
                name(key, &by_file)
            };
            let Some(name) = name else {
                problems.push(
                    Problem::new("not-a-name", format!("{} is not a variable's name", ansible::shown(key)))
                        .at(Place::at(source.path, *line, 0))
                        .help("a name is letters, digits and _, and does not begin with a digit; to leave it where it is: --skip KEY"),
                );
                continue;
            };
            let item = Item {
                name,
                key,
                path: source.path,
                line: *line,
                value,
            };
            match items.iter().find(|other| other.name == item.name) {
                Some(other) => problems.push(
                    Problem::new(
                        "collision",
                        format!("{} would be {}, as {} of {}", ansible::shown(key), item.name, ansible::shown(other.key), other.place()),
                    )
                    .at(item.place())
                    .help("import the files one by one, or leave one of the two where it is: --skip KEY"),
                ),
                None => items.push(item),
            }
        }
    }
    if problems.is_empty() {
        Ok(items)
    } else {
        Err(problems)
    }
}

/// The name for a variable of Ansible's: what the inventory has for it, else its own in upper case. The `vault_` before
/// it, by which Ansible's users tell what is encrypted, is dropped.
fn name(key: &str, by_file: &BTreeMap<String, &Name>) -> Option<Name> {
    let plain = key.replace(['-', '.'], "_");
    let upper = |key: &str| Name::new(&key.to_ascii_uppercase());
    let short = plain
        .strip_prefix("vault_")
        .filter(|short| upper(short).is_some());
    let known = [Some(key), Some(&plain), short].into_iter().flatten();
    let known = known.flat_map(|key| [key.to_owned(), key.to_ascii_lowercase()]);
    known
        .filter_map(|key| by_file.get(&key))
        .map(|name| (*name).clone())
        .next()
        .or_else(|| upper(short.unwrap_or(&plain)))
}

/// The inventory's text with all of the names declared, where it lacked some, and which; the project is then of that one.
fn inventory(
    project: &mut Project,
    items: &[Item<'_>],
    args: &Args,
) -> Result<Option<Drafted>, Vec<Problem>> {
    let declared = &project.inventory.variables;
    let new = items
        .iter()
        .filter(|item| !declared.contains_key(&item.name));
    let new: Vec<(&Name, &Secret)> = new.map(|item| (&item.name, item.value)).collect();
    if new.is_empty() {
        return Ok(None);
    }
    let path = project.inventory.path.clone();
    if !args.declare {
        let names: Vec<&str> = new.iter().map(|(name, _)| name.as_str()).collect();
        return Err(
            Problem::new("undeclared", format!("not declared: {}", names.join(", ")))
                .at(Place::file(&path))
                .help("draft them there: --declare; leave one in its file: --skip KEY")
                .into(),
        );
    }
    let old = String::from_utf8_lossy(&file::read(&path, MAX_INVENTORY)?).into_owned();
    let (text, inventory) = draft::declared(&path, &old, &new, args.bundle.as_deref())?;
    project.inventory = ManuallyDrop::new(inventory);
    Ok(Some(Drafted {
        old,
        text,
        names: new.iter().map(|(name, _)| (*name).clone()).collect(),
    }))
}

/// What the vault is to hold, by bundle.
fn wanted(
    items: &[Item<'_>],
    project: &Project,
    vault: &Vault,
) -> Result<BTreeMap<String, Secrets>, Vec<Problem>> {
    let mut wanted: BTreeMap<String, Secrets> = BTreeMap::new();
    let mut problems = Vec::new();
    for item in items {
        let (name, variable) = project.variable(item.name.as_str())?;
        let value = if variable.derive.is_some() {
            Err(Problem::new(
                "derived",
                format!("{name} is made of other values and is stored nowhere"),
            )
            .help("leave it where it is: --skip KEY"))
        } else if item.value.expose().len() > set::MAX_VALUE {
            Err(Problem::new(
                "too-large",
                format!(
                    "the value of {name} has more than {} KiB",
                    set::MAX_VALUE / 1024
                ),
            )
            .help("keep large files out of a vault: encrypt them with age -R beside it"))
        } else {
            project::encoded(Secret::new(item.value.expose().to_vec()), name, variable)
        };
        match value {
            Ok(value) => {
                let bundle = vault.bundle_for(&variable.bundle)?;
                wanted
                    .entry(bundle)
                    .or_default()
                    .insert(name.clone(), value);
            }
            Err(problem) => problems.push(problem.at(item.place())),
        }
    }
    if problems.is_empty() {
        Ok(wanted)
    } else {
        Err(problems)
    }
}

/// Refuses what would replace a value that is there.
fn other_values(
    items: &[Item<'_>],
    states: &BTreeMap<Name, State>,
    profile: &str,
) -> Result<(), Problem> {
    let mut others = items
        .iter()
        .filter(|item| states.get(&item.name) == Some(&State::Other));
    let Some(first) = others.next() else {
        return Ok(());
    };
    let mut names = first.name.to_string();
    for other in others {
        names.push_str(", ");
        names.push_str(other.name.as_str());
    }
    Err(Problem::new(
        "has-value",
        format!("another value is in profile {profile} already of {names}; nothing was changed"),
    )
    .at(first.place())
    .help("replace what is there: --force; leave the file's where it is: --skip KEY"))
}

/// The attributes that a file has.
fn as_it_is(path: &Path) -> Attributes {
    let mode = path
        .metadata()
        .map_or(0o600, |data| data.permissions().mode() & 0o777);
    Attributes {
        mode,
        ..Attributes::default()
    }
}

/// What is to become of the files, as far as it can be known before.
fn removals<'a>(
    sources: &'a [Source<'a>],
    items: &[Item<'a>],
    args: &Args,
) -> Result<Vec<Removal<'a>>, Vec<Problem>> {
    let (mut removals, mut problems) = (Vec::new(), Vec::new());
    for source in sources {
        let own = || items.iter().filter(|item| item.path == source.path);
        let lookups = own().map(|item| {
            (
                item.line,
                ansible::looked_up(&item.name, args.profile.as_deref()),
            )
        });
        let by_line: BTreeMap<usize, String> = lookups.collect();
        let new = if source.held.whole {
            if !source.held.skipped.is_empty() {
                problems.push(
                    Problem::new("not-all", format!("would be deleted, and {} is not imported", source.held.skipped.join(", ")))
                        .at(Place::file(source.path))
                        .help("import without --remove, then take the others out with `ansible-vault edit`"),
                );
            } else if source.path.is_symlink() {
                problems.push(
                    Problem::new("symlink", "is a symlink")
                        .at(Place::file(source.path))
                        .help("name the file it points to"),
                );
            }
            None
        } else {
            let text = std::str::from_utf8(source.text.expose()).unwrap_or_default();
            let Some(text) = ansible::with_lookups(text, &by_line) else {
                problems.push(
                    Problem::new("not-replaced", "cannot have lookups in the place of its values without another change")
                        .at(Place::file(source.path))
                        .help("import without --remove, and write them by hand: KEY: \"{{ lookup('dotage.secrets.secret', 'NAME') }}\""),
                );
                continue;
            };
            if let Err(problem) =
                file::compare(source.path, text.as_bytes(), &as_it_is(source.path))
            {
                problems.push(problem);
            }
            Some(text)
        };
        let lookups = own().map(|item| {
            (
                item.key,
                by_line.get(&item.line).cloned().unwrap_or_default(),
            )
        });
        removals.push(Removal {
            source,
            text: new,
            lookups: lookups.collect(),
        });
    }
    if problems.is_empty() {
        Ok(removals)
    } else {
        Err(problems)
    }
}

impl Removal<'_> {
    fn done(&self) -> Result<(), Problem> {
        let path = self.source.path;
        if file::read(path, MAX_FILE)? != self.source.text.expose() {
            return Err(Problem::new("changed-meanwhile", "was changed by another program and stays; its values are in the vault as they were")
                .at(Place::file(path))
                .help("do it again"));
        }
        match &self.text {
            Some(text) => file::replace(path, text.as_bytes(), &as_it_is(path)).map(drop),
            None => file::remove(path).map(drop),
        }
    }
}

/// What was done, in names.
struct Report<'a> {
    args: &'a Args,
    profile: &'a str,
    items: &'a [Item<'a>],
    sources: &'a [Source<'a>],
    states: &'a BTreeMap<Name, State>,
    declared: Vec<Name>,
    removals: &'a [Removal<'a>],
}

impl Report<'_> {
    fn state(&self, item: &Item<'_>) -> State {
        self.states.get(&item.name).copied().unwrap_or(State::New)
    }

    fn say(&self, project: &Project) {
        let would = if self.args.dry_run { "would be " } else { "" };
        let profile = self.profile;
        for (state, words) in [
            (
                State::New,
                format!("{would}imported into profile {profile}"),
            ),
            (
                State::Other,
                format!("{would}replaced in profile {profile}"),
            ),
            (State::Same, format!("there already in profile {profile}")),
        ] {
            let names = self.items.iter().filter(|item| self.state(item) == state);
            let names: Vec<&str> = names.map(|item| item.name.as_str()).collect();
            if !names.is_empty() {
                say(format!("{} {words}", names.join(", ")));
            }
        }
        let declared: Vec<&str> = self.declared.iter().map(Name::as_str).collect();
        if !declared.is_empty() {
            let (names, path) = (declared.join(", "), project.inventory.path.display());
            say(format!(
                "{names} {would}declared in {path}: answer what it asks"
            ));
        }
        for Source { path, held, .. } in self.sources {
            for (keys, why) in [(&held.plain, "not encrypted"), (&held.skipped, "skipped")] {
                if !keys.is_empty() {
                    say(format!(
                        "{}: left {}: {why}",
                        path.display(),
                        keys.join(", ")
                    ));
                }
            }
        }
        for removal in self.removals {
            let path = removal.source.path.display();
            if removal.text.is_some() {
                let (of, values) = (removal.lookups.len(), "a lookup in the place of each value");
                say(format!("{path}: {would}changed: {values} ({of})"));
                continue;
            }
            say(format!(
                "{path}: {would}deleted; its values are lookups from now on:"
            ));
            for (key, lookup) in &removal.lookups {
                say(format!("  {key}: \"{lookup}\""));
            }
        }
    }

    fn json(&self) -> String {
        let values: Vec<_> = self
            .items
            .iter()
            .map(|item| {
                let state = match self.state(item) {
                    State::New => "imported",
                    State::Same => "unchanged",
                    State::Other => "replaced",
                };
                json!({"name": item.name.as_str(), "key": item.key, "path": item.path.to_string_lossy(), "line": item.line, "state": state})
            })
            .collect();
        let files: Vec<_> = self
            .sources
            .iter()
            .map(|Source { path, held, .. }| {
                let removal = self
                    .removals
                    .iter()
                    .find(|removal| removal.source.path == *path);
                let state = removal.map_or("unchanged", |removal| match removal.text {
                    Some(_) => "changed",
                    None => "deleted",
                });
                json!({"path": path.to_string_lossy(), "state": state, "plain": held.plain, "skipped": held.skipped})
            })
            .collect();
        let declared: Vec<&str> = self.declared.iter().map(Name::as_str).collect();
        let object = json!({"profile": self.profile, "dry_run": self.args.dry_run, "values": values, "files": files, "declared": declared});
        format!("{object:#}\n")
    }
}
