//! What a verb did, told to the journal.

use super::Project;
use crate::file;
use crate::inventory::Profile;
use crate::journal::{self, Entry, Journal, Written};
use crate::problem::Problem;
use crate::time::Time;
use crate::vault::{Ciphertexts, Vault};
use std::path::{Component, Path, PathBuf};

/// The largest file of a rotation whose hash is taken, in bytes: it holds a few values twice.
pub(super) const MAX_FILE: usize = 64 << 20;

impl Project {
    /// The journal of the project.
    #[must_use]
    pub fn journal(&self) -> Journal {
        Journal::at(&self.root)
    }

    /// Records what was done to a profile's vault, now and by whoever runs this. To be called while nobody else can
    /// change the vault. Nothing is recorded of nothing done; but a ciphertext that was read and that no entry tells of
    /// has an entry of its own, whose outcome is `found`: a verb was killed after it wrote it, or another program did.
    ///
    /// # Errors
    /// When the journal can't be read or written.
    pub fn record(
        &self,
        profile: &Profile,
        read: &Ciphertexts,
        written: &Ciphertexts,
        entry: Entry,
    ) -> Result<(), Problem> {
        let found = self.journal().untold(self.told(profile, read))?;
        if !found.is_empty() {
            let found = Entry {
                written: found,
                outcome: "found".to_owned(),
                ..Entry::new(&entry.action, entry.profile.as_deref().unwrap_or_default())
            };
            self.tell(found)?;
        }
        let entry = Entry {
            written: self.told(profile, written),
            ..entry
        };
        let readers = !(entry.added.is_empty() && entry.removed.is_empty());
        if readers || !entry.written.is_empty() {
            self.tell(entry)?;
        }
        Ok(())
    }

    /// Adds an entry to the journal, of now and whoever runs this.
    ///
    /// # Errors
    /// When the journal can't be written.
    pub fn tell(&self, entry: Entry) -> Result<(), Problem> {
        let variable = |name: &str| std::env::var(name).ok();
        let entry = Entry {
            time: Time::now(),
            who: journal::who(&variable, rustix::process::getuid().as_raw()),
            ..entry
        };
        self.journal().append(&entry).map_err(|problem| match &problem.help {
            Some(_) => problem,
            None => problem.help("the vault is written and the journal does not tell of it: mend this, and the next change of that vault records it as found"),
        })
    }

    /// Records the beginning of each vault whose file no entry tells of, whatever is in it.
    ///
    /// # Errors
    /// As [`Project::record`].
    pub fn record_beginnings(&self) -> Result<(), Problem> {
        for (name, profile) in &self.inventory.profiles {
            let vault = self.vault(profile);
            let mut new = Ciphertexts::new();
            for bundle in vault.bundles()? {
                if !self.journal().tells_of(&self.path_of(&vault, &bundle))? {
                    new.insert(bundle.clone(), vault.sha256(&bundle)?);
                }
            }
            self.record(profile, &Ciphertexts::new(), &new, Entry::new("init", name))?;
        }
        Ok(())
    }

    /// Every ciphertext that is there: the bundles of each vault, and the rotations in flight. No key is needed.
    ///
    /// # Errors
    /// When one can't be read.
    pub fn ciphertexts(&self) -> Result<Vec<Written>, Problem> {
        let mut all = Vec::new();
        for profile in self.inventory.profiles.values() {
            let vault = self.vault(profile);
            let mut there = Ciphertexts::new();
            for bundle in vault.bundles()? {
                there.insert(bundle.clone(), vault.sha256(&bundle)?);
            }
            all.extend(self.told(profile, &there));
            for path in vault.rotations()?.into_values() {
                let sha256 = file::sha256(&file::read(&path, MAX_FILE)?);
                all.push(Written {
                    path: self.inside(&path),
                    sha256,
                });
            }
        }
        Ok(all)
    }

    /// Ciphertexts, as the journal tells of them.
    fn told(&self, profile: &Profile, ciphertexts: &Ciphertexts) -> Vec<Written> {
        let vault = self.vault(profile);
        let told = |(bundle, sha256): (&String, &String)| Written {
            path: self.path_of(&vault, bundle),
            sha256: sha256.clone(),
        };
        ciphertexts.iter().map(told).collect()
    }

    /// A bundle's file, from the project's folder.
    fn path_of(&self, vault: &Vault, bundle: &str) -> String {
        self.inside(&vault.file(bundle))
    }

    /// A file, from the project's folder.
    pub(super) fn inside(&self, file: &Path) -> String {
        let inside = file.strip_prefix(&self.root).unwrap_or(file);
        let parts = inside
            .components()
            .filter(|part| *part != Component::CurDir);
        parts.collect::<PathBuf>().display().to_string()
    }
}
