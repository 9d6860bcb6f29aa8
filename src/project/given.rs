//! What a program is given to run with, where each value comes from, and what that puts into the shade.
//!
//! # Why
//!
//! `dotage run` adds to the environment that is there, so what is set in it already wins, as it does for dotenv; and a
//! `.env` file that the inventory puts above the vault keeps its word too, because the service reads it by itself. What
//! is in the shade is told by name, or a value that is nobody's any more would look like one that works.
//!
//! A folder of secrets (Docker's `/run/secrets`) takes the vault's place: where one is mounted there is no identity. With
//! an inventory it decides which files are variables, without one each file is.

use super::{Project, Wanted};
use crate::child;
use crate::contract;
use crate::environment::Found;
use crate::file;
use crate::inventory::{Contract, Source, Variable};
use crate::problem::{Place, Problem};
use crate::secret::{Name, Secret};
use crate::vault::{Identities, Nobody, Vault};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// The largest file that is read for a value: more than any environment variable may hold.
const MAX_FILE: usize = 1 << 20;

/// What is asked for.
pub struct Asked<'a> {
    /// The profile, if one is named.
    pub profile: Option<&'a str>,
    /// The service whose variables are wanted; none: all of them.
    pub service: Option<&'a str>,
    /// The folder of secrets that stands for the vault.
    pub secrets_dir: Option<&'a Path>,
    /// Whether what is given wins over what is there.
    pub overrides: bool,
}

/// What a program is given.
#[derive(Default)]
pub struct Given {
    /// The values to set.
    pub values: BTreeMap<Name, Rc<Secret>>,
    /// The names to take away: `NAME_FILE`, where its file was read.
    pub taken: Vec<String>,
    /// Where the value comes from that the program finds under a name, and what that puts into the shade.
    pub origins: BTreeMap<Name, Origins>,
    /// What must not be seen in what it prints, whoever gave it.
    pub hidden: Vec<(Name, Rc<Secret>)>,
    /// What is there and isn't given, with why.
    pub left_out: Vec<String>,
    /// Names that need a value and have none, in a profile where that is no error.
    pub missing: Vec<Name>,
    /// Which identity opened which bundle.
    pub opened_by: BTreeMap<String, String>,
}

/// Where a value comes from.
pub struct Origins {
    /// What wins.
    pub wins: Origin,
    /// What has another value, and doesn't.
    pub shadowed: Vec<Origin>,
}

/// Where a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the environment that is there.
    Environment,
    /// In this bundle.
    Vault(PathBuf),
    /// Nowhere: it is made of others.
    Derived,
    /// In the inventory, published for this profile.
    Default(String),
    /// In a file of the folder of secrets.
    File(PathBuf),
    /// In the file that this variable names.
    Named(String),
    /// In a `.env` file that the service reads by itself.
    Read(Place),
}

impl Origin {
    /// The word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Origin::Environment => "environment",
            Origin::Vault(_) => "vault",
            Origin::Derived => "derived",
            Origin::Default(_) => "default",
            Origin::File(_) => "secrets-dir",
            Origin::Named(_) => "named-file",
            Origin::Read(_) => "file",
        }
    }

    /// The file that it is in.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Origin::Vault(path) | Origin::File(path) => Some(path),
            Origin::Read(place) => Some(&place.path),
            Origin::Environment | Origin::Derived | Origin::Default(_) | Origin::Named(_) => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Environment => f.write_str("the environment"),
            Origin::Vault(path) | Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Derived => f.write_str("derived"),
            Origin::Default(profile) => write!(f, "the default of profile {profile}"),
            Origin::Named(variable) => write!(f, "the file of {variable}"),
            Origin::Read(place) => write!(f, "{place}"),
        }
    }
}

/// A value for a name.
#[derive(Clone)]
struct Offer {
    value: Rc<Secret>,
    origin: Origin,
}

/// What `asked` gives a program. Without a project there must be a folder of secrets. `identities` is asked for only if a
/// bundle has to be opened.
///
/// # Errors
/// What is wrong with the vault or a file; names that would take the program over; in a strict profile, names that need
/// a value and have none.
pub fn given(
    project: Option<&Project>,
    asked: &Asked<'_>,
    identities: &dyn Fn() -> Result<Identities, Problem>,
) -> Result<Given, Vec<Problem>> {
    let wanted = match project {
        Some(project) => Some(project.names(asked.service)?),
        None => None,
    };
    let mut given = Given::default();
    let mut offers = BTreeMap::new();
    let known = match (project, &wanted) {
        (Some(project), Some(wanted)) => Some(project.by_file(asked.service, wanted)),
        _ => None,
    };
    if let Some(folder) = asked.secrets_dir {
        of_folder(folder, known.as_ref(), &mut offers, &mut given.left_out)?;
    }
    named(
        wanted.as_ref(),
        asked.secrets_dir,
        &mut offers,
        &mut given.taken,
    )?;
    let mut overrides = asked.overrides;
    let mut read = BTreeMap::new();
    if let (Some(project), Some(wanted), None) = (project, &wanted, asked.secrets_dir) {
        let (profile, said) = project.profile(asked.profile)?;
        let mut rest = wanted.clone();
        rest.retain(|name, _| !offers.contains_key(*name));
        let values = project.values(profile, &rest, identities)?;
        let vault = project.vault(said);
        for (name, value) in values.secrets {
            let variable = rest.get(&name);
            let origin = if values.defaulted.contains(&name) {
                Origin::Default(profile.to_owned())
            } else {
                variable.map_or(Ok(Origin::Derived), |variable| stored(variable, &vault))?
            };
            let value = Rc::new(value);
            offers.insert(name, Offer { value, origin });
        }
        given.opened_by = values.opened_by;
        if let Some(service) = asked.service {
            overrides |= project.puts_the_vault_first(service);
            read = project.read_by_itself(profile, service, wanted)?;
        }
    }
    let mut names: BTreeSet<Name> = offers.keys().cloned().collect();
    names.extend(
        wanted
            .iter()
            .flat_map(|wanted| wanted.keys().map(|name| (*name).clone())),
    );
    let mut problems = Vec::new();
    for name in names {
        let variable = wanted
            .as_ref()
            .and_then(|wanted| wanted.get(&name))
            .copied();
        let offer = offers.remove(&name);
        let read = read.remove(&name).unwrap_or_default();
        let stands = in_order(&name, offer.as_ref(), read, overrides);
        if variable.is_none_or(|variable| variable.sensitive) {
            let values = stands
                .iter()
                .map(|stand| (name.clone(), Rc::clone(&stand.value)));
            given.hidden.extend(values);
        }
        let Some((first, others)) = stands.split_first() else {
            if let (Some(project), None) = (project, asked.secrets_dir)
                && let Err(problem) = project.needs(&name, asked, &mut given.missing)
            {
                problems.push(problem);
            }
            continue;
        };
        if offer.is_some_and(|offer| offer.origin == first.origin) {
            match may_be_given(project, &name, variable) {
                Ok(()) => drop(given.values.insert(name.clone(), Rc::clone(&first.value))),
                Err(problem) => problems.push(problem),
            }
        }
        let differs = |other: &&Offer| !other.value.same(&first.value);
        let shadowed = others
            .iter()
            .filter(differs)
            .map(|other| other.origin.clone());
        let origins = Origins {
            wins: first.origin.clone(),
            shadowed: shadowed.collect(),
        };
        given.origins.insert(name, origins);
    }
    if problems.is_empty() {
        Ok(given)
    } else {
        Err(problems)
    }
}

/// All that has a value for a name, what wins first.
fn in_order(
    name: &Name,
    offer: Option<&Offer>,
    read: Vec<(Rank, Offer)>,
    overrides: bool,
) -> Vec<Offer> {
    let there = std::env::var_os(name.as_str()).map(|value| Offer {
        value: Rc::new(Secret::new(value.into_vec())),
        origin: Origin::Environment,
    });
    let ours = if overrides {
        Rank::OverTheEnvironment
    } else {
        Rank::OfTheVault
    };
    let mut all = read;
    all.extend(there.map(|there| (Rank::OfTheEnvironment, there)));
    all.extend(offer.map(|offer| (ours, offer.clone())));
    all.sort_by_key(|(rank, _)| *rank);
    all.into_iter().map(|(_, offer)| offer).collect()
}

/// How what has a value stands, from the highest to the lowest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A file that the service puts over its environment.
    OfAFileOverAll,
    OverTheEnvironment,
    OfTheEnvironment,
    /// A file that the inventory puts between the environment and the vault.
    OfAFileOverTheVault,
    OfTheVault,
    OfAFile,
}

impl Project {
    /// Says that a name has no value: an error in a strict profile, if it needs one.
    fn needs(
        &self,
        name: &Name,
        asked: &Asked<'_>,
        missing: &mut Vec<Name>,
    ) -> Result<(), Problem> {
        let (profile, said) = self.profile(asked.profile)?;
        let variable = self.inventory.variables.get(name);
        if !variable.is_some_and(|variable| variable.is_required(profile, asked.service)) {
            return Ok(());
        }
        if said.contract == Contract::Strict {
            return Err(contract::missing(&self.inventory, name, profile));
        }
        missing.push(name.clone());
        Ok(())
    }

    /// Whether a service's inventory puts the vault over the environment.
    fn puts_the_vault_first(&self, service: &str) -> bool {
        let sources = self
            .inventory
            .services
            .get(service)
            .map(|service| &service.environment);
        let found = sources
            .into_iter()
            .flatten()
            .find(|source| matches!(source.value, Source::Vault | Source::Process));
        found.is_some_and(|source| source.value == Source::Vault)
    }

    /// What a service reads by itself, from `.env` files, for each name.
    fn read_by_itself(
        &self,
        profile: &str,
        service: &str,
        wanted: &Wanted<'_>,
    ) -> Result<BTreeMap<Name, Vec<(Rank, Offer)>>, Problem> {
        let mut read: BTreeMap<Name, Vec<(Rank, Offer)>> = BTreeMap::new();
        let listed = self
            .inventory
            .services
            .get(service)
            .map(|service| &service.environment);
        let listed: Vec<&Source> = listed
            .into_iter()
            .flatten()
            .map(|source| &source.value)
            .collect();
        if !listed
            .iter()
            .any(|source| matches!(source, Source::File(_)))
        {
            return Ok(read);
        }
        let below_the_environment = if listed.contains(&&Source::Vault) {
            Rank::OfAFileOverTheVault
        } else {
            Rank::OfAFile
        };
        let none = Wanted::new();
        let nobody = || Ok(Identities::none(Arc::new(Nobody)));
        let sources = self.sources(profile, &[service], &none, &[], &nobody)?;
        let environments = sources.environments(&[service]);
        // The first of them is the service's own; another is its container's, which this is not.
        let Some(own) = environments.first() else {
            return Ok(read);
        };
        for &name in wanted.keys() {
            let mut rank = if listed.contains(&&Source::Process) {
                Rank::OfAFileOverAll
            } else {
                below_the_environment
            };
            for layer in sources.ask(|world| own.layers(name, world)) {
                match (layer.source, layer.found, layer.place) {
                    ("process", ..) => rank = rank.max(below_the_environment),
                    ("vault", ..) => rank = Rank::OfAFile,
                    ("file", Found::Set(value), Some(place)) => {
                        let origin = Origin::Read(place);
                        let offers = read.entry(name.clone()).or_default();
                        offers.push((rank, Offer { value, origin }));
                    }
                    _ => {}
                }
            }
        }
        Ok(read)
    }

    /// The variables by the file that holds them in a folder of secrets: the names that they have in lower case, or that
    /// a service has for them.
    #[must_use]
    pub fn by_file<'a>(
        &self,
        service: Option<&str>,
        wanted: &Wanted<'a>,
    ) -> BTreeMap<String, &'a Name> {
        let mut names = BTreeMap::new();
        for (&name, variable) in wanted {
            let users = variable.used_by.iter().map(|user| user.value.as_str());
            let users = users.filter(|user| service.is_none_or(|service| service == *user));
            let mut files: BTreeSet<String> = users
                .filter_map(|user| self.inventory.services.get(user))
                .map(|service| service.file_name(name))
                .collect();
            if files.is_empty() {
                files.insert(name.as_str().to_ascii_lowercase());
            }
            names.extend(files.into_iter().map(|file| (file, name)));
        }
        names
    }
}

/// The values in a folder of secrets. Kubernetes' are links to files in a hidden folder beside them; folders are not
/// looked into.
fn of_folder(
    folder: &Path,
    known: Option<&BTreeMap<String, &Name>>,
    offers: &mut BTreeMap<Name, Offer>,
    left_out: &mut Vec<String>,
) -> Result<(), Problem> {
    let unreadable = |error: std::io::Error| {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such folder".to_owned(),
            kind => format!("cannot be read: {kind}"),
        };
        Problem::new("secrets-dir", why)
            .at(Place::file(folder))
            .help("mount the secrets there, or say where they are: --secrets-dir DIR")
    };
    let mut files = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        files.insert(entry.map_err(unreadable)?.file_name());
    }
    for file in files {
        let path = folder.join(&file);
        let hidden = file.as_encoded_bytes().first() == Some(&b'.');
        if hidden || path.is_dir() {
            continue;
        }
        let file = file.to_string_lossy();
        let name = match known {
            Some(known) => known
                .get(file.as_ref())
                .or_else(|| known.get(&file.to_ascii_lowercase()))
                .map(|name| (*name).clone()),
            None => Name::new(&file.to_ascii_uppercase()),
        };
        let Some(name) = name else {
            let why = if known.is_some() {
                "no variable is in it"
            } else {
                "its name is no variable's"
            };
            left_out.push(format!("{}: left out, {why}", path.display()));
            continue;
        };
        if let Some(Offer { origin, .. }) = offers.get(&name) {
            let message = format!("holds {name}, as does {origin}");
            return Err(Problem::new("secrets-dir", message)
                .at(Place::file(path))
                .help("mount one of the two"));
        }
        let value = Rc::new(value_of(&path)?);
        let origin = Origin::File(path);
        offers.insert(name, Offer { value, origin });
    }
    Ok(())
}

/// The values of the files that variables `NAME_FILE` name. Without an inventory that says which are meant, only those
/// in the folder of secrets are: `SSL_CERT_FILE` is no way to say `SSL_CERT`.
fn named(
    wanted: Option<&Wanted<'_>>,
    folder: Option<&Path>,
    offers: &mut BTreeMap<Name, Offer>,
    taken: &mut Vec<String>,
) -> Result<(), Problem> {
    let folder = folder.and_then(|folder| folder.canonicalize().ok());
    for (variable, path) in std::env::vars_os() {
        let Some(own) = variable.to_str().and_then(Name::new) else {
            continue;
        };
        let variable = own.as_str();
        let Some(name) = variable.strip_suffix("_FILE").and_then(Name::new) else {
            continue;
        };
        let path = PathBuf::from(path);
        let meant = match wanted {
            // One that is declared itself is a variable like any other.
            Some(wanted) => wanted.contains_key(&name) && !wanted.contains_key(&own),
            None => {
                let inside = path.parent().and_then(|parent| parent.canonicalize().ok());
                inside.is_some() && inside == folder
            }
        };
        if !meant || child::leads_to_an_identity(variable) || path.as_os_str().is_empty() {
            continue;
        }
        let value = value_of(&path).map_err(|problem| {
            // What the variable holds may be the value itself, put there by mistake: it is not repeated.
            let rule = problem.rule;
            Problem::new(
                "secrets-dir",
                format!("{variable} does not lead to a file that can be read ({rule})"),
            )
            .help(format!(
                "set {variable} to the path of a file that holds the value, or {name} to the value"
            ))
        })?;
        let (value, origin) = (Rc::new(value), Origin::Named(variable.to_owned()));
        offers.insert(name, Offer { value, origin });
        taken.push(variable.to_owned());
    }
    Ok(())
}

/// The value that a file holds: its bytes without the one line feed that ends it.
fn value_of(path: &Path) -> Result<Secret, Problem> {
    let mut bytes = file::read(path, MAX_FILE)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    Ok(Secret::new(bytes))
}

/// Where the vault keeps a variable.
fn stored(variable: &Variable, vault: &Vault) -> Result<Origin, Problem> {
    if variable.derive.is_some() {
        return Ok(Origin::Derived);
    }
    Ok(Origin::Vault(
        vault.file(&vault.bundle_for(&variable.bundle)?),
    ))
}

/// Whether a program may be given a name.
fn may_be_given(
    project: Option<&Project>,
    name: &Name,
    variable: Option<&Variable>,
) -> Result<(), Problem> {
    let problem = |rule, message| match (project, variable) {
        (Some(project), Some(variable)) => project.inventory.problem(rule, variable.at, message),
        _ => Problem::new(rule, message),
    };
    if child::leads_to_an_identity(name.as_str()) {
        return Err(problem(
            "identity",
            format!("{name} is what a vault is opened with, and no program gets it"),
        )
        .help("give the variable another name"));
    }
    if child::hijacks(name.as_str()) && !variable.is_some_and(|variable| variable.steers_process) {
        let message =
            format!("{name} changes what a program runs or loads, and is not given to one unasked");
        return Err(problem("steers-process", message).help(match variable {
            Some(_) => format!("if it is meant, say so: {name}: {{ steers_process: true }}"),
            None => format!(
                "if it is meant, declare it in a dotage.yaml: {name}: {{ steers_process: true }}"
            ),
        }));
    }
    Ok(())
}
