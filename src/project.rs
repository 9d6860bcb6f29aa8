//! A project: the folder with a `dotage.yaml`, its vaults, and the one road from disk to values.
//!
//! # Why
//!
//! Only what is asked for is opened: names lead through the inventory to bundles, and a bundle that none of them is in
//! is never read. A value that follows from others is computed here and stored nowhere, so it can't disagree with them.
//!
//! Identities are looked for in two steps. What a variable names (`DOTAGE_IDENTITY…`) is meant, and is all that is used;
//! without one, each of the usual files that exists may open the vault.

mod given;
mod hunt;
mod identity;
mod record;
mod render;
mod rotations;
mod sources;
mod survey;

pub use given::{Asked, Given, Origin, Origins, given};
pub use hunt::Hunted;
pub use identity::{default_file, identities, identity_given, is_material};
pub use render::{Made, Recipe};
pub use rotations::{Flight, Pair};
pub use sources::Sources;
pub(crate) use survey::ruled;

use crate::file;
use crate::inventory::{Inventory, Profile, Target, Variable};
use crate::problem::{Place, Problem};
use crate::secret::{self, Name, Secret, Secrets};
use crate::template;
use crate::vault::{Identities, Vault};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::{BTreeMap, BTreeSet};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

/// The inventory's file name.
pub const INVENTORY: &str = "dotage.yaml";
/// The largest inventory, in bytes.
const MAX_INVENTORY: usize = 1 << 20;

/// A project, its inventory read.
pub struct Project {
    /// Its folder, relative to the working folder; empty when it is the working folder.
    pub root: PathBuf,
    /// What its `dotage.yaml` says. Never taken apart, which for thousands of variables takes time and wipes no secret:
    /// it is there until the process ends.
    pub inventory: ManuallyDrop<Inventory>,
}

/// Declared variables, by name.
pub type Wanted<'a> = BTreeMap<&'a Name, &'a Variable>;

/// Values of a profile.
pub struct Values {
    /// The values by name; a name that has none is not there.
    pub secrets: Secrets,
    /// The names among them whose value is the profile's published default.
    pub defaulted: BTreeSet<Name>,
    /// Which identity opened which bundle.
    pub opened_by: BTreeMap<String, String>,
}

impl Project {
    /// The project of the working folder: its `dotage.yaml` is here or in a folder above.
    ///
    /// # Errors
    /// When there is none, or every problem of the one there is.
    pub fn find() -> Result<Project, Vec<Problem>> {
        let mut root = PathBuf::new();
        let here = std::env::current_dir().unwrap_or_default();
        for _ in here.ancestors() {
            if root.join(INVENTORY).exists() {
                return Project::at(&root);
            }
            root.push("..");
        }
        Err(vec![
            Problem::new(
                "no-project",
                format!("there is no {INVENTORY} here or in a folder above"),
            )
            .help("start one: dotage init    (or say where it is: dotage -C DIR …)"),
        ])
    }

    /// The project in a folder.
    ///
    /// # Errors
    /// When its inventory can't be read, or every problem of it.
    pub fn at(root: &Path) -> Result<Project, Vec<Problem>> {
        let path = root.join(INVENTORY);
        let bytes = file::read(&path, MAX_INVENTORY)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| {
            vec![
                Problem::new("not-utf8", "the inventory is not UTF-8 text")
                    .at(Place::file(&path))
                    .help("save it as UTF-8"),
            ]
        })?;
        Ok(Project {
            inventory: ManuallyDrop::new(Inventory::parse(&path, text)?),
            root: root.to_owned(),
        })
    }

    /// The profile to work on: the one asked for, else the only one, else `development`.
    ///
    /// # Errors
    /// When there is none of that name, or none can be guessed.
    pub fn profile(&self, asked: Option<&str>) -> Result<(&str, &Profile), Problem> {
        let profiles = &self.inventory.profiles;
        let known = || profiles.keys().cloned().collect::<Vec<_>>().join(" | ");
        let name = match asked {
            Some(name) => name,
            None if profiles.len() == 1 => profiles.keys().next().map_or("", String::as_str),
            None => "development",
        };
        profiles
            .get_key_value(name)
            .map(|(name, profile)| (name.as_str(), profile))
            .ok_or_else(|| {
                let problem = match asked {
                    Some(name) => {
                        Problem::new("unknown-profile", format!("there is no profile {name}"))
                    }
                    None => Problem::new("no-profile", "which profile is meant?"),
                };
                problem
                    .at(Place::file(&self.inventory.path))
                    .help(format!("say one of them: --profile {}", known()))
            })
    }

    /// The vault of a profile.
    #[must_use]
    pub fn vault(&self, profile: &Profile) -> Vault {
        Vault::at(&self.root.join(&profile.vault.value))
    }

    /// A declared variable.
    ///
    /// # Errors
    /// When it isn't declared: the nearest names, and what to write.
    pub fn variable(&self, name: &str) -> Result<(&Name, &Variable), Problem> {
        if !name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        {
            // `set NAME=value` is a mistake that a log must not remember.
            return Err(
                Problem::new("not-a-name", "that is not a variable's name").help(
                    "a name is letters, digits and _, and does not begin with a digit; a value goes to stdin",
                ),
            );
        }
        self.inventory.variables.get_key_value(name).ok_or_else(|| {
            let problem = Problem::new("undeclared", format!("{name} is not declared")).at(Place::file(&self.inventory.path));
            match self.nearest(name) {
                Some(near) => problem.help(format!("did you mean {near}? a new one is declared under `variables:`")),
                None if Name::new(name).is_none() => problem.help("dotage list shows those that are; a name is letters, digits and _, and does not begin with a digit"),
                None => problem.help(format!("declare it under `variables:`, for a start\n  {name}: {{ purpose: what it is for, used_by: [SERVICE] }}")),
            }
        })
    }

    fn nearest(&self, name: &str) -> Option<&Name> {
        let name = name.replace('-', "_").to_ascii_uppercase();
        let names = self.inventory.variables.keys();
        names
            .map(|known| {
                (
                    strsim::damerau_levenshtein(&known.as_str().to_ascii_uppercase(), &name),
                    known,
                )
            })
            .filter(|(far, _)| *far <= 3)
            .min()
            .map(|(_, known)| known)
    }

    /// The variables that a service uses, or all of them.
    ///
    /// # Errors
    /// When there is no such service.
    pub fn names(&self, service: Option<&str>) -> Result<Wanted<'_>, Problem> {
        if let Some(service) = service
            && !self.inventory.services.contains_key(service)
        {
            let known = self
                .inventory
                .services
                .keys()
                .cloned()
                .collect::<Vec<_>>()
                .join(" | ");
            return Err(
                Problem::new("unknown-service", format!("there is no service {service}"))
                    .at(Place::file(&self.inventory.path))
                    .help(format!("say one of them: --service {known}")),
            );
        }
        let uses = |variable: &Variable| {
            service.is_none_or(|service| variable.used_by.iter().any(|user| user.value == service))
        };
        Ok(self
            .inventory
            .variables
            .iter()
            .filter(|(_, variable)| uses(variable))
            .collect())
    }

    /// The values that `wanted` have in a profile: from the vault, else the profile's published default; derived ones are
    /// computed. `identities` is asked for only if a bundle has to be opened.
    ///
    /// # Errors
    /// When a bundle can't be opened, or holds something that isn't what the inventory says.
    pub fn values(
        &self,
        profile: &str,
        wanted: &Wanted<'_>,
        identities: &dyn Fn() -> Result<Identities, Problem>,
    ) -> Result<Values, Problem> {
        let (profile, said) = self.profile(Some(profile))?;
        let vault = self.vault(said);
        let (mut derived, mut stored) = (wanted.clone(), wanted.clone());
        derived.retain(|_, variable| variable.derive.is_some());
        stored.retain(|_, variable| variable.derive.is_none());
        for variable in derived.values() {
            self.parts(variable, &mut stored);
        }
        let declared: BTreeSet<&str> = stored.values().map(|variable| &*variable.bundle).collect();
        let mut homes = BTreeMap::new();
        for declared in declared {
            homes.insert(declared, vault.bundle_for(declared)?);
        }
        // A bundle that isn't there yet holds nothing: what it lacks is said name by name, with how to set it.
        let there = |bundle: &&String| vault.file(bundle).symlink_metadata().is_ok();
        let bundles: BTreeSet<String> = homes.values().filter(there).cloned().collect();
        let (open, bundle_of, opened_by) = if bundles.is_empty() {
            (Secrets::new(), BTreeMap::new(), BTreeMap::new())
        } else {
            let opened = vault.open(Some(&bundles), &identities()?)?;
            (opened.secrets, opened.bundle_of, opened.opened_by)
        };
        // All of these are in the order of the names: one pass joins them.
        let mut open = open.into_iter().zip(bundle_of.into_values()).peekable();
        let mut found = Vec::with_capacity(stored.len());
        let mut defaulted = BTreeSet::new();
        for (&name, variable) in &stored {
            while open.next_if(|((other, _), _)| other < name).is_some() {}
            if let Some(((name, secret), bundle)) = open.next_if(|((other, _), _)| other == name) {
                let home = homes.get(&*variable.bundle).unwrap_or(&bundle);
                if *home != bundle {
                    return Err(wrong_bundle(&vault, &name, &bundle, home));
                }
                let secret = decoded(secret, &name, variable, &vault, &bundle)?;
                found.push((name, secret));
            } else if let Some(default) = variable.defaults.get(profile) {
                defaulted.insert(name.clone());
                found.push((
                    name.clone(),
                    Secret::new(default.value.clone().into_bytes()),
                ));
            }
        }
        let mut secrets: Secrets = found.into_iter().collect();
        if !derived.is_empty() {
            for (name, variable) in derived {
                self.derive(name, variable, &mut secrets)?;
            }
            secrets.retain(|name, _| wanted.contains_key(name));
        }
        secret::wipe_stack();
        Ok(Values {
            secrets,
            defaulted,
            opened_by,
        })
    }

    /// The variables that a vault has to hold so that a derived one has a value; the inventory has no circles.
    fn parts<'a>(&'a self, variable: &Variable, stored: &mut Wanted<'a>) {
        let names = variable.derive.iter().flat_map(|derive| &derive.names);
        for (name, part) in names.filter_map(|name| self.inventory.variables.get_key_value(name)) {
            if part.derive.is_some() {
                self.parts(part, stored);
            } else {
                stored.insert(name, part);
            }
        }
    }

    /// Computes a derived value whose parts are all there.
    fn derive(
        &self,
        name: &Name,
        variable: &Variable,
        secrets: &mut Secrets,
    ) -> Result<(), Problem> {
        let Some(derive) = &variable.derive else {
            return Ok(());
        };
        for part in &derive.names {
            if let Some(variable) = self.inventory.variables.get(part) {
                self.derive(part, variable, secrets)?;
            }
        }
        if derive.names.iter().all(|part| secrets.contains_key(part)) {
            let place = self.inventory.place(derive.at);
            let value = template::derive(name, &derive.expression, &place, secrets)?;
            secrets.insert(name.clone(), value);
        }
        Ok(())
    }

    /// The target of a name.
    ///
    /// # Errors
    /// When there is none.
    pub fn target(&self, name: &str) -> Result<(&str, &Target), Problem> {
        self.inventory
            .targets
            .get_key_value(name)
            .map(|(name, target)| (name.as_str(), target))
            .ok_or_else(|| {
                let known = self
                    .inventory
                    .targets
                    .keys()
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(" | ");
                Problem::new("unknown-target", format!("there is no target {name}"))
                    .at(Place::file(&self.inventory.path))
                    .help(if known.is_empty() {
                        "declare it under `targets:`, or use --template and --to".to_owned()
                    } else {
                        format!("say one of them: dotage render {known}")
                    })
            })
    }
}

/// A value in a bundle that other readers open is outside its boundary.
fn wrong_bundle(vault: &Vault, name: &Name, bundle: &str, home: &str) -> Problem {
    let message = format!("{name} is in bundle {bundle}, and the inventory says {home}");
    Problem::new("wrong-bundle", message)
        .at(Place::file(vault.file(bundle)))
        .help(format!(
            "take its line out with `dotage edit {bundle}`, and put it where it belongs: dotage set {name}"
        ))
}

/// The bytes of a value that a vault may hold as base64.
fn decoded(
    secret: Secret,
    name: &Name,
    variable: &Variable,
    vault: &Vault,
    bundle: &str,
) -> Result<Secret, Problem> {
    if !variable.base64 {
        return Ok(secret);
    }
    STANDARD
        .decode(secret.expose())
        .map(Secret::new)
        .map_err(|_| {
            Problem::new(
                "not-base64",
                format!("{name} is declared as base64 in the vault, and its value is not"),
            )
            .at(Place::file(vault.file(bundle)))
            .help(format!(
                "set its bytes again: dotage set {name} --from-file FILE"
            ))
        })
}

/// The text that a vault holds for a value's bytes.
///
/// # Errors
/// Bytes that are not UTF-8, for a variable that is not declared as base64.
pub fn encoded(bytes: Secret, name: &Name, variable: &Variable) -> Result<Secret, Problem> {
    if variable.base64 {
        return Ok(Secret::new(STANDARD.encode(bytes.expose()).into_bytes()));
    }
    match std::str::from_utf8(bytes.expose()) {
        Ok(text) if !text.contains('\0') => Ok(bytes),
        Ok(_) => Err(Problem::new("nul", format!("the value of {name} holds a NUL byte, which no environment carries")).help("write `base64: true` beside its format in dotage.yaml, and render it with b64encode or to a folder")),
        Err(_) => Err(Problem::new("not-text", format!("the value of {name} is not UTF-8 text")).help("write `base64: true` beside its format in dotage.yaml")),
    }
}
