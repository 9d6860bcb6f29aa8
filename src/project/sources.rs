//! What the sources of services' variables are on this machine: the process environment, files, the vault.

use super::survey::ruled;
use super::{Project, Wanted};
use crate::contract::{Finding, Held};
use crate::environment::{
    self, Awaited, Environment, File, Found, Rendered, Setting, World, environments,
};
use crate::file;
use crate::inventory::{Contract, Source, Target, Variable};
use crate::leak::is_env;
use crate::problem::{Problem, Severity};
use crate::secret::{Name, Secret};
use crate::vault::Identities;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The largest file of a source, in bytes.
const MAX_FILE: usize = 16 << 20;

/// The sources of services' variables in a profile.
pub struct Sources<'a> {
    project: &'a Project,
    profile: &'a str,
    setting: Setting,
    /// The targets by the path that they write, those of the profile before others.
    targets: BTreeMap<PathBuf, (&'a str, &'a Target)>,
    /// What the vault has, or why nobody knows.
    vault: Result<BTreeMap<Name, Rc<Secret>>, String>,
    /// Whether this machine's process environment and `.env` files count.
    here: bool,
    /// What targets will write, as far as it was asked for: a template is read once.
    awaited: RefCell<BTreeMap<PathBuf, Option<Awaited>>>,
}

impl Project {
    /// The sources that `services` have for `wanted` in a profile. The vault is opened if it is among them, and only for
    /// `wanted`. `env_files` are Compose's `--env-file`.
    ///
    /// # Errors
    /// What is wrong with the vault; that no identity opens it is none: then its values are not known.
    pub fn sources<'a>(
        &'a self,
        profile: &'a str,
        services: &[&str],
        wanted: &Wanted<'_>,
        env_files: &[PathBuf],
        identities: &dyn Fn() -> Result<Identities, Problem>,
    ) -> Result<Sources<'a>, Problem> {
        let opens = |name: &&str| {
            let service = self.inventory.services.get(*name);
            service.is_some_and(|service| {
                service
                    .environment
                    .iter()
                    .any(|source| source.value == Source::Vault)
            })
        };
        let vault = if services.iter().any(opens) {
            match self.values(profile, wanted, identities) {
                Ok(values) => Ok(values
                    .secrets
                    .into_iter()
                    .map(|(name, secret)| (name, Rc::new(secret)))
                    .collect()),
                Err(problem) if problem.rule == Problem::NO_IDENTITY => {
                    Err("no identity here opens the vault".to_owned())
                }
                Err(problem) => return Err(problem),
            }
        } else {
            Ok(BTreeMap::new())
        };
        self.asking(profile, env_files, vault)
    }

    /// What is wrong with where services would find their variables in a strict profile, wherever it runs: this machine's
    /// process environment and its `.env` files don't count, but what the profile's targets render does. Without `held`
    /// nobody knows what the vault has. In a lenient profile every source is fine.
    #[must_use]
    pub fn origins(&self, profile: &str, held: Option<&Held>) -> Vec<Finding> {
        let said = self.inventory.profiles.get(profile);
        if said.is_none_or(|said| said.contract == Contract::Lenient) {
            return Vec::new();
        }
        let vault = match held {
            Some(held) => Ok(held
                .secrets
                .iter()
                .map(|(name, secret)| {
                    let copy = Secret::new(secret.expose().to_vec());
                    (name.clone(), Rc::new(copy))
                })
                .collect()),
            None => Err("no vault was opened".to_owned()),
        };
        let mut sources = match self.asking(profile, &[], vault) {
            Ok(sources) => sources,
            Err(problem) => return vec![problem.into()],
        };
        sources.here = false;
        let services: Vec<&str> = self.inventory.services.keys().map(String::as_str).collect();
        let mut found: Vec<Finding> = Vec::new();
        let mut add = |name: Option<&Name>, problem: Problem| {
            if problem.severity != Severity::Note
                && !found.iter().any(|known| known.problem == problem)
            {
                found.push(Finding {
                    name: name.cloned(),
                    ..ruled(problem, "compose-file")
                });
            }
        };
        for mut environment in sources.environments(&services) {
            // What else Compose takes from the shell that starts it is nobody's business here.
            environment
                .required
                .retain(|(name, _)| self.inventory.variables.contains_key(name.as_str()));
            for problem in environment::file_problems(&self.inventory, profile, &environment) {
                add(None, problem);
            }
            let uses = |variable: &Variable| {
                let mut users = variable.used_by.iter();
                users.any(|user| user.value == environment.service)
            };
            let variables = self.inventory.variables.iter();
            for (name, _) in variables.filter(|(_, variable)| uses(variable)) {
                let layers = sources.ask(|world| environment.layers(name, world));
                let of_it =
                    environment::problems(&self.inventory, profile, name, &environment, &layers);
                for problem in of_it {
                    add(Some(name), problem);
                }
            }
        }
        found
    }

    /// The sources in a profile, its vault as given.
    fn asking<'a>(
        &'a self,
        profile: &'a str,
        env_files: &[PathBuf],
        vault: Result<BTreeMap<Name, Rc<Secret>>, String>,
    ) -> Result<Sources<'a>, Problem> {
        let (_, said) = self.profile(Some(profile))?;
        let mut targets: BTreeMap<PathBuf, (&str, &Target)> = BTreeMap::new();
        for (name, target) in &self.inventory.targets {
            let path = self.root.join(&target.to.value);
            let known = targets.entry(path).or_insert((name, target));
            if !is_of(known.1, profile) && is_of(target, profile) {
                *known = (name, target);
            }
        }
        let rendered = targets.iter().map(|(path, (name, target))| {
            let recipe = self.recipe(name, target, profile).ok();
            let rendered = Rendered {
                dialect: recipe.and_then(|recipe| recipe.reads_as()),
                target: (*name).to_owned(),
                profile: target.profile.as_ref().map(|profile| profile.value.clone()),
            };
            (path.clone(), rendered)
        });
        let absolute = self.root.join(".").canonicalize();
        let setting = Setting {
            root: self.root.clone(),
            name: absolute
                .ok()
                .and_then(|root| Some(root.file_name()?.to_string_lossy().into_owned()))
                .unwrap_or_default(),
            vault: self.root.join(&said.vault.value),
            env_files: env_files.to_vec(),
            rendered: rendered.collect(),
        };
        Ok(Sources {
            project: self,
            profile,
            setting,
            targets,
            vault,
            here: true,
            awaited: RefCell::default(),
        })
    }
}

/// Whether a target shows the values of a profile, or of whichever is asked for.
fn is_of(target: &Target, profile: &str) -> bool {
    target
        .profile
        .as_ref()
        .is_none_or(|own| own.value == profile)
}

impl Sources<'_> {
    /// Lets `ask` ask these sources.
    pub fn ask<T>(&self, ask: impl FnOnce(&World<'_>) -> T) -> T {
        let process = |name: &str| {
            let value = std::env::var_os(name).filter(|_| self.here);
            value.map(|value| Secret::new(value.into_vec()))
        };
        let file = |path: &Path| self.file(path);
        let vault = |name: &Name| match &self.vault {
            Ok(values) => values
                .get(name)
                .map_or(Found::Unset, |value| Found::Set(Rc::clone(value))),
            Err(why) => Found::Unknown(why.clone()),
        };
        ask(&World {
            process: &process,
            file: &file,
            vault: &vault,
        })
    }

    /// The environments of services.
    #[must_use]
    pub fn environments(&self, services: &[&str]) -> Vec<Environment> {
        self.ask(|world| environments(&self.project.inventory, services, &self.setting, world))
    }

    fn file(&self, path: &Path) -> Result<File, Problem> {
        if !self.here && (self.targets.contains_key(path) || is_env(path)) {
            let nothing = || File::Text(Secret::new(Vec::new()));
            return Ok(self.awaited(path).map_or_else(nothing, File::Awaited));
        }
        match file::read(path, MAX_FILE) {
            Ok(bytes) => Ok(File::Text(Secret::new(bytes))),
            Err(problem) if problem.rule == "missing" => Ok(match self.awaited(path) {
                Some(awaited) => File::Awaited(awaited),
                None => File::Missing,
            }),
            Err(problem) => Err(problem),
        }
    }

    /// What a target of the profile will write there.
    fn awaited(&self, path: &Path) -> Option<Awaited> {
        let known = self.awaited.borrow().get(path).cloned();
        known.unwrap_or_else(|| {
            let awaited = self.to_be_written(path);
            let kept = awaited.clone();
            self.awaited.borrow_mut().insert(path.to_owned(), kept);
            awaited
        })
    }

    fn to_be_written(&self, path: &Path) -> Option<Awaited> {
        let (name, target) = self.targets.get(path)?;
        if !is_of(target, self.profile) {
            return None;
        }
        // Its owner is looked up where it is rendered, which may be another machine.
        let target = Target {
            owner: None,
            group: None,
            ..(*target).clone()
        };
        let recipe = self.project.recipe(name, &target, self.profile).ok()?;
        let visible = self.project.visible(&recipe).ok()?;
        let asked = self
            .project
            .ask(&recipe, recipe.template.as_ref()?, &visible)
            .ok()?;
        Some(Awaited {
            target: (*name).to_owned(),
            names: asked.wanted.keys().map(ToString::to_string).collect(),
        })
    }
}
