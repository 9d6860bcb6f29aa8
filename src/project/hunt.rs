//! What a scan of the project looks for: every secret of its vaults, and the lines of the `.env` files that lie here.
//!
//! # Why
//!
//! A value that everybody can read anyhow (a default, what a sample shows) is no secret where the contract is lenient, and
//! is not looked for. In a strict profile it is: there it is not meant to be read. What the inventory doesn't declare is
//! looked for too: it is in a vault, and nobody said that it is none.

use super::survey::{lines, literal};
use super::{Project, decoded};
use crate::inventory::{Contract, Profile};
use crate::leak::{Homes, Sought, is_distinct};
use crate::problem::Problem;
use crate::secret::{self, Name, Secret, Secrets};
use crate::vault::Identities;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What a scan looks for, and what it doesn't.
#[derive(Default)]
pub struct Hunted {
    /// What is looked for.
    pub sought: Vec<Sought>,
    /// Where secrets have their place.
    pub homes: Homes,
    /// The names whose values can't be told from other text.
    pub indistinct: BTreeSet<Name>,
    /// The profiles whose vaults did not open, and why.
    pub closed: Vec<(String, Problem)>,
}

impl Project {
    /// What is to be looked for: the secrets of some profiles (all, if none is named), as far as their vaults open.
    ///
    /// # Errors
    /// When there is no such profile.
    pub fn hunted(
        &self,
        profiles: &[String],
        identities: &Result<Identities, Problem>,
    ) -> Result<Hunted, Problem> {
        let mut hunted = Hunted {
            homes: self.homes(),
            ..Hunted::default()
        };
        let profiles: Vec<(&str, &Profile)> = if profiles.is_empty() {
            let all = self.inventory.profiles.iter();
            all.map(|(name, profile)| (name.as_str(), profile))
                .collect()
        } else {
            let named = profiles.iter().map(|name| self.profile(Some(name)));
            named.collect::<Result<_, Problem>>()?
        };
        let published = self.published();
        let published: BTreeSet<&[u8]> = published
            .iter()
            .map(|literal| literal.value.as_slice())
            .collect();
        let mut values = BTreeMap::new();
        for (name, profile) in profiles {
            match self.secrets(profile, identities) {
                Ok(secrets) => {
                    let lenient = profile.contract == Contract::Lenient;
                    for (variable, secret) in secrets {
                        if lenient && published.contains(secret.expose()) {
                            continue;
                        }
                        if is_distinct(secret.expose()) {
                            self.seek(&mut values, variable, name, secret);
                        } else {
                            hunted.indistinct.insert(variable);
                        }
                    }
                }
                Err(problem) => hunted.closed.push((name.to_owned(), problem)),
            }
        }
        hunted.sought = values.into_values().flatten().collect();
        self.seek_lines(&mut hunted, &published);
        secret::wipe_stack();
        Ok(hunted)
    }

    /// All that is secret in a profile's vault, and what follows from it.
    fn secrets(
        &self,
        profile: &Profile,
        identities: &Result<Identities, Problem>,
    ) -> Result<Secrets, Problem> {
        let vault = self.vault(profile);
        let mut secrets = Secrets::new();
        if vault.bundles()?.is_empty() {
            return Ok(secrets);
        }
        let opened = vault.open(None, identities.as_ref().map_err(Clone::clone)?)?;
        for (name, secret) in opened.secrets {
            let secret = match (
                self.inventory.variables.get(&name),
                opened.bundle_of.get(&name),
            ) {
                // What is not the base64 that it is declared to be is looked for as it is: `check` tells of it.
                (Some(variable), Some(bundle)) if variable.base64 => {
                    let copy = Secret::new(secret.expose().to_vec());
                    decoded(copy, &name, variable, &vault, bundle).unwrap_or(secret)
                }
                _ => secret,
            };
            secrets.insert(name, secret);
        }
        for (name, variable) in &self.inventory.variables {
            if variable.derive.is_some() {
                // One that can't be derived has no value; `check` tells why.
                let _ = self.derive(name, variable, &mut secrets);
            }
        }
        secrets.retain(|name, _| self.is_secret(name));
        Ok(secrets)
    }

    /// Adds a value. One that two profiles have is looked for once.
    fn seek(
        &self,
        values: &mut BTreeMap<Name, Vec<Sought>>,
        name: Name,
        profile: &str,
        secret: Secret,
    ) {
        let of_name = values.entry(name.clone()).or_default();
        let same = of_name
            .iter_mut()
            .find(|sought| sought.secret.same(&secret));
        if let Some(sought) = same {
            sought.profiles.push(profile.to_owned());
            return;
        }
        let help = self.replacement(&name, profile);
        of_name.push(Sought {
            name,
            profiles: vec![profile.to_owned()],
            line_of: None,
            secret,
            help,
        });
    }

    /// Adds the lines of the plaintext files that lie here which set a secret.
    fn seek_lines(&self, hunted: &mut Hunted, published: &BTreeSet<&[u8]>) {
        for path in self.candidates().into_keys() {
            let is_file = path.symlink_metadata().is_ok_and(|data| data.is_file());
            for (number, text) in is_file.then(|| lines(&path)).into_iter().flatten() {
                let text = text.trim();
                let Some((name, value)) = text.split_once('=') else {
                    continue;
                };
                let literal = literal(name, value, &path, number);
                let Some((name, variable)) = self.inventory.variables.get_key_value(&*literal.name)
                else {
                    continue;
                };
                let known = published.contains(literal.value.as_slice());
                if variable.sensitive && !literal.value.is_empty() && !known {
                    hunted.sought.push(Sought {
                        name: name.clone(),
                        profiles: Vec::new(),
                        line_of: Some(path.clone()),
                        secret: Secret::new(text.as_bytes().to_vec()),
                        help: format!("replace its value, then: dotage render    ({} is where it was found first)", path.display()),
                    });
                }
            }
        }
    }

    /// What to type about a value that leaked.
    fn replacement(&self, name: &Name, profile: &str) -> String {
        if self.inventory.variables.contains_key(name) {
            return format!("dotage incident open --name {name} --profile {profile}");
        }
        format!(
            "declare {name} in dotage.yaml, then replace it: dotage set {name} --profile {profile}"
        )
    }

    /// The places of the project's secrets.
    fn homes(&self) -> Homes {
        let root = if self.root.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            self.root.clone()
        };
        let Ok(root) = root.canonicalize() else {
            return Homes::default();
        };
        // The folder that it is in may be reached through a link; it may also not be there yet.
        let at = |path: PathBuf| {
            let (folder, name) = (path.parent()?, path.file_name()?);
            Some(folder.canonicalize().ok()?.join(name))
        };
        let profiles = self.inventory.profiles.values();
        let targets = self.inventory.targets.values();
        Homes {
            vaults: profiles
                .filter_map(|profile| at(root.join(&profile.vault.value)))
                .collect(),
            targets: targets
                .filter_map(|target| at(root.join(&target.to.value)))
                .collect(),
        }
    }
}
