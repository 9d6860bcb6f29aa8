//! What a verb did, told to the journal.

use super::Project;
use crate::inventory::Profile;
use crate::journal::{self, Entry, Journal};
use crate::problem::Problem;
use crate::time::Time;
use crate::vault::{Vault, Written};

impl Project {
    /// The journal of the project.
    #[must_use]
    pub fn journal(&self) -> Journal {
        Journal::at(&self.root)
    }

    /// Records what was done to a profile's vault, now and by whoever runs this: the bundles that were written are the
    /// entry's ciphertexts. To be called while nobody else can change the vault.
    ///
    /// # Errors
    /// When the journal can't be written.
    pub fn record(
        &self,
        profile: &Profile,
        written: &Written,
        entry: Entry,
    ) -> Result<(), Problem> {
        let vault = self.vault(profile);
        let written = written.iter().map(|(bundle, sha256)| journal::Written {
            path: self.told(&vault, bundle),
            sha256: sha256.clone(),
        });
        let variable = |name: &str| std::env::var(name).ok();
        let entry = Entry {
            time: Time::now(),
            who: journal::who(&variable, rustix::process::getuid().as_raw()),
            written: written.collect(),
            ..entry
        };
        self.journal().append(&entry).map_err(|problem| {
            let help = "the vault is written, the journal does not say so yet: mend this, then type the same again";
            if problem.help.is_some() { problem } else { problem.help(help) }
        })
    }

    /// Records an entry for those of the bundles whose ciphertext no entry tells of: a verb was killed after it wrote
    /// them, and the one that runs now found nothing left to do. Says whether there were any.
    ///
    /// # Errors
    /// When a bundle or the journal can't be read, or the journal can't be written.
    pub fn record_untold(
        &self,
        profile: &Profile,
        bundles: &[String],
        entry: Entry,
    ) -> Result<bool, Problem> {
        let vault = self.vault(profile);
        let _lock = vault.lock()?;
        let mut untold = Written::new();
        for bundle in bundles.iter().filter(|bundle| vault.file(bundle).exists()) {
            let sha256 = vault.sha256(bundle)?;
            if !self.journal().tells_of(&sha256)? {
                untold.insert(bundle.clone(), sha256);
            }
        }
        if untold.is_empty() {
            return Ok(false);
        }
        self.record(profile, &untold, entry).map(|()| true)
    }

    /// Records the beginning of each vault whose file no entry tells of, whatever is in it.
    ///
    /// # Errors
    /// As [`Project::record_untold`].
    pub fn record_beginnings(&self) -> Result<(), Problem> {
        for (name, profile) in &self.inventory.profiles {
            let vault = self.vault(profile);
            let mut new = Vec::new();
            for bundle in vault.bundles()? {
                if !self.journal().tells_of_file(&self.told(&vault, &bundle))? {
                    new.push(bundle);
                }
            }
            if !new.is_empty() {
                self.record_untold(profile, &new, Entry::new("init", name))?;
            }
        }
        Ok(())
    }

    /// A bundle's file, as the journal names it: from the project's folder.
    fn told(&self, vault: &Vault, bundle: &str) -> String {
        let file = vault.file(bundle);
        file.strip_prefix(&self.root)
            .unwrap_or(&file)
            .display()
            .to_string()
    }
}
