//! Rotations in flight: the file that one is, and what the vault, the targets and the commands get of it.
//!
//! # Why
//!
//! The file holds both values of each name as the vault would, `NAME_OLD` and `NAME_NEW`, and where the rotation stands,
//! so that whoever can open it can go on, with nothing but the repository. It is whole from its first moment: the new
//! values are made before it is written, and it is written before anything else is done.

use super::record::MAX_FILE;
use super::{Project, Wanted, decoded, encoded};
use crate::inventory::Variable;
use crate::journal::{Entry, Written};
use crate::problem::{Place, Problem};
use crate::rotation::{Plan, Position, Step};
use crate::secret::{Name, Secret, Secrets};
use crate::time::Time;
use crate::vault::{Identities, Vault};
use crate::{file, journal};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What the journal calls all that is done for a rotation.
const ACTION: &str = "rotate";
/// Where the rotation stands: `before begun`, `switch done`.
const AT: &str = "AT";
/// On the way back: the step that it turned back from.
const REACHED: &str = "REACHED";
/// When the checks passed.
const VERIFIED: &str = "VERIFIED";
const OLD: &str = "_OLD";
const NEW: &str = "_NEW";

/// A rotation in flight.
pub struct Flight {
    /// Its id, which the journal calls its plan.
    pub id: String,
    /// The profile.
    pub profile: String,
    /// Where it stands.
    pub at: Position,
    /// The two values of each name, as a vault holds them.
    pub pairs: BTreeMap<Name, Pair>,
}

/// The two values of a name.
pub struct Pair {
    /// The one that is replaced.
    pub old: Secret,
    /// The one that replaces it.
    pub new: Secret,
}

impl Project {
    /// The rotations of a profile that are in flight, by id. No key is needed.
    ///
    /// # Errors
    /// When the folder beside the vault can't be read.
    pub fn rotations(&self, profile: &str) -> Result<Vec<String>, Problem> {
        let (_, said) = self.profile(Some(profile))?;
        Ok(self.vault(said).rotations()?.into_keys().collect())
    }

    /// Opens a rotation in flight.
    ///
    /// # Errors
    /// When its file can't be opened, or isn't one of a rotation.
    pub fn flight(
        &self,
        profile: &str,
        id: &str,
        identities: &Identities,
    ) -> Result<Flight, Problem> {
        let (_, said) = self.profile(Some(profile))?;
        let vault = self.vault(said);
        let malformed = |what: &str| {
            Problem::new("bad-rotation", format!("is no file of a rotation: {what}"))
                .at(Place::file(vault.rotation(id)))
                .help(format!(
                    "bring it back: git restore {}",
                    vault.rotation(id).display()
                ))
        };
        let mut held = vault.open_rotation(id, identities)?;
        let mut word = |key: &str| {
            let value = held.remove(key)?;
            std::str::from_utf8(value.expose()).ok().map(str::to_owned)
        };
        let at = word(AT).ok_or_else(|| malformed("it has no AT"))?;
        let (step, done) = match (at.strip_suffix(" done"), at.strip_suffix(" begun")) {
            (Some(step), _) => (Step::parse(step), true),
            (_, Some(step)) => (Step::parse(step), false),
            _ => (None, false),
        };
        let at = Position {
            step: step.ok_or_else(|| malformed("its AT is no step"))?,
            done,
            reached: word(REACHED).as_deref().and_then(Step::parse),
            verified: word(VERIFIED).as_deref().and_then(Time::parse),
        };
        if at.step.is_back() != at.reached.is_some() {
            return Err(malformed("it is on its way back from nowhere"));
        }
        let names: Vec<Name> = held
            .keys()
            .filter_map(|key| Name::new(key.as_str().strip_suffix(OLD)?))
            .collect();
        let mut pairs = BTreeMap::new();
        for name in names {
            let old = held.remove(format!("{name}{OLD}").as_str());
            let new = held.remove(format!("{name}{NEW}").as_str());
            if let (Some(old), Some(new)) = (old, new) {
                pairs.insert(name, Pair { old, new });
            }
        }
        if pairs.is_empty() || !held.is_empty() {
            return Err(malformed("its names are no pairs of NAME_OLD and NAME_NEW"));
        }
        Ok(Flight {
            id: id.to_owned(),
            profile: profile.to_owned(),
            at,
            pairs,
        })
    }

    /// Keeps everybody else on this machine from driving the project's rotations.
    ///
    /// # Errors
    /// When somebody does.
    pub fn lock_rotations(&self) -> Result<file::Lock, Problem> {
        let path = &self.inventory.path;
        file::try_lock_file(path)?.ok_or_else(|| {
            Problem::new(
                "busy",
                "a rotation of this project is at work on this machine",
            )
            .at(Place::file(path))
            .help("wait until it has ended")
        })
    }

    /// Refuses a change of values that a rotation in flight replaces. To be asked while nobody else can change the vault.
    ///
    /// # Errors
    /// When one of the names is in flight, or that can't be told.
    pub fn not_in_flight<'n>(
        &self,
        profile: &str,
        names: impl IntoIterator<Item = &'n Name>,
        identities: &Identities,
    ) -> Result<(), Problem> {
        let ids = self.rotations(profile)?;
        if ids.is_empty() {
            return Ok(());
        }
        let names: Vec<&Name> = names.into_iter().collect();
        for id in ids {
            let replaced = self.rotates(profile, &id, identities)?;
            if let Some(name) = names.iter().find(|name| replaced.contains(**name)) {
                let (_, said) = self.profile(Some(profile))?;
                return Err(Problem::new(
                    "rotation-in-flight",
                    format!("rotation {id} of {name} is not finished"),
                )
                .at(Place::file(self.vault(said).rotation(&id)))
                .help(format!(
                    "dotage rotate --resume {id} --profile {profile}    (or --rollback)"
                )));
            }
        }
        Ok(())
    }

    /// Begins a rotation: its file is there when this returns, and nothing else was done. `new` are the new values by
    /// name, as the vault is to hold them.
    ///
    /// # Errors
    /// A name that has no value yet, or that another rotation in flight replaces; when the file can't be written.
    pub fn begin(
        &self,
        plan: &Plan<'_>,
        id: &str,
        new: Secrets,
        identities: &Identities,
        entry: &Entry,
    ) -> Result<Flight, Problem> {
        let (_, said) = self.profile(Some(&plan.profile))?;
        let vault = self.vault(said);
        let _lock = vault.lock()?;
        self.not_in_flight(&plan.profile, plan.names.iter().copied(), identities)?;
        let mut bundles = self.bundles_of(&vault, plan.names.iter().copied())?;
        bundles.retain(|bundle| vault.file(bundle).exists());
        let mut secrets = vault.open(Some(&bundles), identities)?.secrets;
        let mut pairs = BTreeMap::new();
        for (name, new) in new {
            let variable = self.variable(name.as_str())?.1;
            let default = default(&name, variable, &plan.profile)?;
            let Some(old) = secrets.remove(&name).or(default) else {
                let verb = if variable.is_generated() {
                    "generate"
                } else {
                    "set"
                };
                return Err(Problem::new(
                    "no-old-value",
                    format!("{name} has no value in profile {} to rotate", plan.profile),
                )
                .at(Place::file(&self.inventory.path))
                .help(format!(
                    "give it its first one: dotage {verb} {name} --profile {}",
                    plan.profile
                )));
            };
            if old.same(&new) {
                return Err(Problem::new(
                    "same-value",
                    format!("the new value of {name} is the one that it has"),
                )
                .help("give another one"));
            }
            pairs.insert(name, Pair { old, new });
        }
        let flight = Flight {
            id: id.to_owned(),
            profile: plan.profile.clone(),
            at: Position {
                step: Step::Stage,
                done: true,
                reached: None,
                verified: None,
            },
            pairs,
        };
        self.save(&flight, identities, entry)?;
        Ok(flight)
    }

    /// Writes where a rotation stands into its file, and records it.
    ///
    /// # Errors
    /// When the file or the journal can't be written.
    pub fn save(
        &self,
        flight: &Flight,
        identities: &Identities,
        entry: &Entry,
    ) -> Result<(), Problem> {
        let (_, said) = self.profile(Some(&flight.profile))?;
        let vault = self.vault(said);
        self.tell_found(flight)?;
        let bundles = self.bundles_of(&vault, flight.pairs.keys())?;
        let sha256 = vault.write_rotation(&flight.id, &flight.secrets(), &bundles, identities)?;
        let path = self.inside(&vault.rotation(&flight.id));
        self.tell(Entry {
            written: vec![Written { path, sha256 }],
            ..flight.entry(entry)
        })
    }

    /// Records a rotation's file that no entry tells of: a kill between the file and the journal left it.
    fn tell_found(&self, flight: &Flight) -> Result<(), Problem> {
        let (_, said) = self.profile(Some(&flight.profile))?;
        let file = self.vault(said).rotation(&flight.id);
        let sha256 = match file::read(&file, MAX_FILE) {
            Err(problem) if problem.rule == "missing" => return Ok(()),
            bytes => file::sha256(&bytes?),
        };
        let path = self.inside(&file);
        let written = self.journal().untold(vec![Written { path, sha256 }])?;
        if written.is_empty() {
            return Ok(());
        }
        self.tell(Entry {
            plan: Some(flight.id.clone()),
            names: flight.pairs.keys().cloned().collect(),
            written,
            ..Entry::of_rotation(&flight.profile, "found")
        })
    }

    /// Records something of a rotation that left its file as it is.
    ///
    /// # Errors
    /// When the journal can't be written.
    pub fn tell_of(&self, flight: &Flight, entry: &Entry) -> Result<(), Problem> {
        self.tell(flight.entry(entry))
    }

    /// Gives the vault the new values of a rotation, or with `back` the old ones, and records it. Values that are there
    /// already are left, so what a kill left half done is completed.
    ///
    /// # Errors
    /// When a value is neither of the two: somebody else changed it meanwhile. When a bundle can't be changed.
    pub fn switch(
        &self,
        flight: &Flight,
        back: bool,
        identities: &Identities,
        entry: &Entry,
    ) -> Result<(), Problem> {
        let (_, said) = self.profile(Some(&flight.profile))?;
        let vault = self.vault(said);
        let changed = vault.change(identities, |contents| {
            for (name, pair) in &flight.pairs {
                let variable = self.variable(name.as_str())?.1;
                let bundle = vault.bundle_for(&variable.bundle)?;
                let held = contents.bundle(&bundle)?;
                let default = default(name, variable, &flight.profile)?;
                if !pair.has(held.get(name).or(default.as_ref())) {
                    return Err(flight.changed_meanwhile(name, &vault.file(&bundle)));
                }
                let value = if back { &pair.old } else { &pair.new };
                held.insert(name.clone(), Secret::new(value.expose().to_vec()));
            }
            Ok(())
        })?;
        self.record(said, &changed.read, &changed.written, flight.entry(entry))
    }

    /// Whether the vault still holds one of the two values of each name: what re-encrypts stored data must not run with
    /// values that nobody uses.
    ///
    /// # Errors
    /// When somebody changed one meanwhile, or a bundle can't be opened.
    pub fn unchanged(&self, flight: &Flight, identities: &Identities) -> Result<(), Problem> {
        let (_, said) = self.profile(Some(&flight.profile))?;
        let vault = self.vault(said);
        let mut bundles = self.bundles_of(&vault, flight.pairs.keys())?;
        bundles.retain(|bundle| vault.file(bundle).exists());
        let held = vault.open(Some(&bundles), identities)?.secrets;
        for (name, pair) in &flight.pairs {
            let variable = self.variable(name.as_str())?.1;
            let default = default(name, variable, &flight.profile)?;
            if !pair.has(held.get(name).or(default.as_ref())) {
                let file = vault.file(&vault.bundle_for(&variable.bundle)?);
                return Err(flight.changed_meanwhile(name, &file));
            }
        }
        Ok(())
    }

    /// Ends a rotation: its file, and with it the values that nobody needs any more, is gone.
    ///
    /// # Errors
    /// When it can't be removed.
    pub fn end(&self, flight: &Flight, entry: &Entry) -> Result<(), Problem> {
        let (_, said) = self.profile(Some(&flight.profile))?;
        self.tell(flight.entry(entry))?;
        file::remove(&self.vault(said).rotation(&flight.id)).map(drop)
    }

    /// Removes the file of a rotation that the journal says has ended, which a kill left or somebody brought back; tells
    /// whether it is one.
    ///
    /// # Errors
    /// When the journal can't be read, or the file can't be removed.
    pub fn ended(&self, flight: &Flight) -> Result<bool, Vec<Problem>> {
        let entries = self.journal().entries()?;
        if journal::end_of_plan(&entries, &flight.id).is_none() {
            return Ok(false);
        }
        let (_, said) = self.profile(Some(&flight.profile))?;
        file::remove(&self.vault(said).rotation(&flight.id))?;
        Ok(true)
    }

    /// The old and the new values of a rotation as a program is given them: decoded, those that are made of them too.
    ///
    /// # Errors
    /// When a bundle of a part can't be opened, or a value can't be put together.
    pub fn both(
        &self,
        plan: &Plan<'_>,
        flight: &Flight,
        identities: &dyn Fn() -> Result<Identities, Problem>,
    ) -> Result<(Secrets, Secrets), Problem> {
        let (_, said) = self.profile(Some(&flight.profile))?;
        let vault = self.vault(said);
        let mut parts = Wanted::new();
        for name in &plan.derived {
            self.parts(self.variable(name.as_str())?.1, &mut parts);
        }
        parts.retain(|name, _| !flight.pairs.contains_key(*name));
        let others = if parts.is_empty() {
            Secrets::new()
        } else {
            self.values(&flight.profile, &parts, identities)?.secrets
        };
        let copy = |secret: &Secret| Secret::new(secret.expose().to_vec());
        let side = |pick: fn(&Pair) -> &Secret| -> Result<Secrets, Problem> {
            let mut all: Secrets = others
                .iter()
                .map(|(name, secret)| (name.clone(), copy(secret)))
                .collect();
            for (name, pair) in &flight.pairs {
                let variable = self.variable(name.as_str())?.1;
                let value = decoded(copy(pick(pair)), name, variable, &vault, &variable.bundle)?;
                all.insert(name.clone(), value);
            }
            for name in &plan.derived {
                self.derive(name, self.variable(name.as_str())?.1, &mut all)?;
            }
            all.retain(|name, _| flight.pairs.contains_key(name) || plan.derived.contains(name));
            Ok(all)
        };
        Ok((side(|pair| &pair.old)?, side(|pair| &pair.new)?))
    }

    /// The secrets of a profile that these identities open, as a program is given them: what commands print is shown
    /// without any of them.
    ///
    /// # Errors
    /// When a bundle that can be opened is malformed, or a value can't be put together.
    pub fn secrets_to_hide(
        &self,
        profile: &str,
        identities: &Identities,
    ) -> Result<Secrets, Problem> {
        let (_, said) = self.profile(Some(profile))?;
        let vault = self.vault(said);
        let mut secrets = Secrets::new();
        for bundle in vault.bundles()? {
            let opened = match vault.open(Some(&[bundle.clone()].into()), identities) {
                Err(problem) if problem.rule == Problem::NO_IDENTITY => continue,
                opened => opened?,
            };
            for (name, secret) in opened.secrets {
                if let Some(variable) = self.inventory.variables.get(&name) {
                    let value = decoded(secret, &name, variable, &vault, &bundle)?;
                    secrets.insert(name, value);
                }
            }
        }
        for (name, variable) in &self.inventory.variables {
            if let Some(default) = variable.defaults.get(profile) {
                let default = || Secret::new(default.value.clone().into_bytes());
                secrets.entry(name.clone()).or_insert_with(default);
            }
        }
        for (name, variable) in &self.inventory.variables {
            self.derive(name, variable, &mut secrets)?;
        }
        secrets.retain(|name, _| self.is_secret(name));
        Ok(secrets)
    }

    /// Whether a name is one of a secret.
    #[must_use]
    pub fn is_secret(&self, name: &Name) -> bool {
        let variable = self.inventory.variables.get(name);
        variable.is_none_or(|variable| variable.sensitive)
    }

    /// The old values that templates may show beside the new ones, as `previous.NAME`: those of variables with an
    /// `overlap`, from the switch to the end of it.
    ///
    /// # Errors
    /// When a rotation in flight can't be opened.
    pub(super) fn previous(
        &self,
        profile: &str,
        wanted: &Wanted<'_>,
        identities: &dyn Fn() -> Result<Identities, Problem>,
    ) -> Result<Secrets, Problem> {
        let (_, said) = self.profile(Some(profile))?;
        let vault = self.vault(said);
        let overlaps = |variable: &Variable| {
            variable
                .rotation
                .as_ref()
                .is_some_and(|rotation| rotation.overlap.is_some())
        };
        let mut previous = Secrets::new();
        for id in vault.rotations()?.into_keys() {
            // Not everybody who renders can open every rotation.
            let told = self.told_of(&id);
            let concerns = |name: &Name| wanted.get(name).is_some_and(|own| overlaps(own));
            if !told.is_empty() && !told.iter().any(concerns) {
                continue;
            }
            let flight = self.flight(profile, &id, &identities()?)?;
            if !flight.at.shows_previous() {
                continue;
            }
            for (name, pair) in flight.pairs {
                if let Some(variable) = wanted.get(&name).filter(|variable| overlaps(variable)) {
                    let old = decoded(pair.old, &name, variable, &vault, &variable.bundle)?;
                    previous.insert(name, old);
                }
            }
        }
        Ok(previous)
    }

    /// The names that a rotation in flight replaces: what the journal tells of it, else what its file holds.
    ///
    /// # Errors
    /// When neither can be read.
    pub fn rotates(
        &self,
        profile: &str,
        id: &str,
        identities: &Identities,
    ) -> Result<BTreeSet<Name>, Problem> {
        let told = self.told_of(id);
        if !told.is_empty() {
            return Ok(told);
        }
        Ok(self
            .flight(profile, id, identities)?
            .pairs
            .into_keys()
            .collect())
    }

    /// The names that the journal tells of for a rotation, as far as it can be read.
    fn told_of(&self, id: &str) -> BTreeSet<Name> {
        self.journal()
            .entries()
            .map(|entries| journal::names_of_plan(&entries, id))
            .unwrap_or_default()
    }

    /// Whether the file of a rotation has the readers that the bundles of its names have, as far as that shows without
    /// a key; nothing where the journal doesn't tell of its names.
    ///
    /// # Errors
    /// When it or a recipients file can't be read.
    pub fn rotation_fits(&self, profile: &str, id: &str) -> Result<Option<bool>, Problem> {
        let (_, said) = self.profile(Some(profile))?;
        let vault = self.vault(said);
        let told = self.told_of(id);
        if told.is_empty() {
            return Ok(None);
        }
        vault
            .rotation_fits(id, &self.bundles_of(&vault, told.iter())?)
            .map(Some)
    }

    /// The rotations in flight of values in these bundles, opened, to be encrypted to other readers. The journal tells of
    /// each before it tells of the readers.
    ///
    /// # Errors
    /// When one can't be opened.
    pub fn flights_in(
        &self,
        profile: &str,
        bundles: &[String],
        identities: &Identities,
    ) -> Result<Vec<Flight>, Problem> {
        let (_, said) = self.profile(Some(profile))?;
        let vault = self.vault(said);
        let mut flights = Vec::new();
        for id in vault.rotations()?.into_keys() {
            let names = self.rotates(profile, &id, identities)?;
            let own = self.bundles_of(&vault, names.iter())?;
            if bundles.iter().any(|bundle| own.contains(bundle)) {
                let flight = self.flight(profile, &id, identities)?;
                self.tell_found(&flight)?;
                flights.push(flight);
            }
        }
        Ok(flights)
    }

    /// The bundles that hold these names.
    fn bundles_of<'n>(
        &self,
        vault: &Vault,
        names: impl Iterator<Item = &'n Name>,
    ) -> Result<BTreeSet<String>, Problem> {
        names
            .map(|name| vault.bundle_for(&self.variable(name.as_str())?.1.bundle))
            .collect()
    }
}

/// The profile's published default, as a vault would hold it.
fn default(name: &Name, variable: &Variable, profile: &str) -> Result<Option<Secret>, Problem> {
    let default = variable.defaults.get(profile);
    default
        .map(|spot| encoded(Secret::new(spot.value.clone().into_bytes()), name, variable))
        .transpose()
}

impl Pair {
    /// Whether a value is one of the two.
    fn has(&self, value: Option<&Secret>) -> bool {
        value.is_some_and(|value| value.same(&self.old) || value.same(&self.new))
    }
}

impl Flight {
    fn changed_meanwhile(&self, name: &Name, bundle: &Path) -> Problem {
        let message = format!(
            "the value of {name} is neither the old nor the new one of rotation {}: somebody changed it meanwhile",
            self.id
        );
        Problem::new("changed-meanwhile", message)
            .at(Place::file(bundle))
            .help(format!(
                "see who: dotage log --name {name}; forget the rotation: dotage rotate --abort {} --profile {}; or bring the bundle back: git restore {}",
                self.id,
                self.profile,
                bundle.display()
            ))
    }

    /// What its file holds.
    fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::new();
        let mut put = |key: &str, value: &[u8]| {
            if let Some(key) = Name::new(key) {
                secrets.insert(key, Secret::new(value.to_vec()));
            }
        };
        let ending = if self.at.done { "done" } else { "begun" };
        put(AT, format!("{} {ending}", self.at.step).as_bytes());
        if let Some(reached) = &self.at.reached {
            put(REACHED, reached.to_string().as_bytes());
        }
        if let Some(verified) = self.at.verified {
            put(VERIFIED, verified.to_string().as_bytes());
        }
        for (name, pair) in &self.pairs {
            put(&format!("{name}{OLD}"), pair.old.expose());
            put(&format!("{name}{NEW}"), pair.new.expose());
        }
        secrets
    }

    /// An entry of the journal about it: its plan, its names and the step that it is at.
    fn entry(&self, entry: &Entry) -> Entry {
        Entry {
            plan: Some(self.id.clone()),
            step: Some(self.at.step.to_string()),
            names: self.pairs.keys().cloned().collect(),
            ..entry.clone()
        }
    }
}

impl Entry {
    /// What is done for a rotation of a profile, and how that ended.
    #[must_use]
    pub fn of_rotation(profile: &str, outcome: &str) -> Self {
        Entry {
            outcome: outcome.to_owned(),
            ..Entry::new(ACTION, profile)
        }
    }
}
