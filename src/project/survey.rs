//! What the contract judges, gathered from disk: values, bundles' headers, templates, plaintext files and what git says
//! of them, and the texts that everybody who has the project can read.

use super::{Project, wrong_bundle};
use crate::child;
use crate::contract::{self, Finding, Held, Literal, Past};
use crate::file;
use crate::inventory::{Contract, Origin, Profile, Source, Target};
use crate::journal::{self, Entry};
use crate::leak::{SAMPLES, holds_identity, is_env};
use crate::problem::{Place, Problem, Severity};
use crate::secret::{self, Name, Secrets};
use crate::vault::Identities;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What the journal calls the opening of a bootstrap.
const BOOTSTRAP_OPEN: &str = "bootstrap open";
/// The largest file whose literals are published, in bytes.
const MAX_SAMPLE: usize = 1 << 20;
/// The largest file that is looked through for an identity: identity files are far smaller.
const MAX_KEY: u64 = 16 << 10;
/// Compose's own names for its file, and the overrides beside it.
const COMPOSE: &[&str] = &[
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yaml",
    "docker-compose.override.yml",
];

impl Project {
    /// All that a profile's vault holds, and what is wrong with how it holds it.
    ///
    /// # Errors
    /// When a bundle can't be opened, or holds what no vault may.
    pub fn held(
        &self,
        profile: &str,
        said: &Profile,
        identities: &Identities,
    ) -> Result<(Held, Vec<Finding>), Problem> {
        let vault = self.vault(said);
        let mut found = Vec::new();
        let mut held = Held {
            secrets: Secrets::new(),
            defaulted: BTreeSet::new(),
            stored: BTreeMap::new(),
            stray: Secrets::new(),
        };
        if !vault.bundles()?.is_empty() {
            let opened = vault.open(None, identities)?;
            let mut homes = BTreeMap::new();
            for (name, secret) in opened.secrets {
                let Some(bundle) = opened.bundle_of.get(&name) else {
                    continue;
                };
                held.stored
                    .insert(name.clone(), Place::file(vault.file(bundle)));
                let Some(variable) = self.inventory.variables.get(&name) else {
                    continue;
                };
                let home = match homes.get(&*variable.bundle) {
                    Some(home) => home,
                    None => homes
                        .entry(&*variable.bundle)
                        .or_insert(vault.bundle_for(&variable.bundle)?),
                };
                if home != bundle {
                    found.push(Finding {
                        problem: wrong_bundle(&vault, &name, bundle, home),
                        name: Some(name.clone()),
                    });
                }
                if variable.derive.is_some() {
                    held.stray.insert(name, secret);
                    continue;
                }
                match super::decoded(secret, &name, variable, &vault, bundle) {
                    Ok(secret) => {
                        held.secrets.insert(name, secret);
                    }
                    Err(problem) => found.push(Finding {
                        name: Some(name),
                        problem,
                    }),
                }
            }
        }
        for (name, variable) in &self.inventory.variables {
            if variable.derive.is_none()
                && !held.secrets.contains_key(name)
                && let Some(default) = variable.defaults.get(profile)
            {
                held.defaulted.insert(name.clone());
                let bytes = default.value.clone().into_bytes();
                held.secrets
                    .insert(name.clone(), secret::Secret::new(bytes));
            }
        }
        for (name, variable) in &self.inventory.variables {
            if variable.derive.is_some()
                && let Err(problem) = self.derive(name, variable, &mut held.secrets)
            {
                found.push(Finding {
                    name: Some(name.clone()),
                    problem,
                });
            }
        }
        secret::wipe_stack();
        Ok((held, found))
    }

    /// What is wrong with a profile's bundles, as far as that shows without a key.
    #[must_use]
    pub fn bundles(&self, profile: &str, said: &Profile) -> Vec<Finding> {
        let vault = self.vault(said);
        let bundles = match vault.bundles() {
            Ok(bundles) => bundles,
            Err(problem) => return vec![ruled(problem, "vault")],
        };
        let mut found = Vec::new();
        // Most bundles share one recipients file.
        let mut known = BTreeMap::new();
        for bundle in bundles {
            let recipients = known
                .entry(vault.recipients_file(&bundle))
                .or_insert_with(|| vault.recipients(&bundle))
                .as_ref()
                .map_err(Problem::clone);
            let both = vault
                .header(&bundle)
                .and_then(|header| Ok((header, recipients?)));
            match both {
                Err(problem) => found.push(ruled(problem, "vault")),
                Ok((header, recipients)) if !header.fits(recipients) => found.push(
                    Problem::new(
                        "recipients-differ",
                        format!(
                            "its readers ({header}) are not the {} of {}",
                            recipients.readers().len(),
                            recipients.path().display()
                        ),
                    )
                    .at(Place::file(vault.file(&bundle)))
                    .help(format!("dotage recipients apply --profile {profile}"))
                    .into(),
                ),
                Ok(_) => {}
            }
        }
        match vault.rotations() {
            Err(problem) => found.push(ruled(problem, "vault")),
            Ok(rotations) => {
                for (id, path) in rotations {
                    if let Ok(Some(false)) = self.rotation_fits(profile, &id) {
                        let message =
                            format!("the readers of rotation {id} are not those of its bundles");
                        let problem = Problem::new("recipients-differ", message)
                            .at(Place::file(&path))
                            .help(format!("dotage recipients apply --profile {profile}"));
                        found.push(problem.into());
                    }
                    let problem = Problem::new(
                        "rotation-in-flight",
                        format!("rotation {id} is not finished"),
                    )
                    .at(Place::file(path))
                    .severity(Severity::Warning)
                    .help(format!(
                        "dotage rotate --resume {id} --profile {profile}    (or --rollback)"
                    ));
                    found.push(problem.into());
                }
            }
        }
        found
    }

    /// The names that the profile's templates show, and what is wrong with them.
    #[must_use]
    pub fn shown(&self, profile: &str) -> (BTreeSet<Name>, Vec<Finding>) {
        let (mut shown, mut found) = (BTreeSet::new(), Vec::new());
        for (name, target) in &self.inventory.targets {
            if target
                .profile
                .as_ref()
                .is_some_and(|said| said.value != profile)
            {
                continue;
            }
            // Its owner is looked up where it is rendered, which may be another machine.
            let target = Target {
                owner: None,
                group: None,
                ..target.clone()
            };
            let asked = self
                .recipe(name, &target, profile)
                .map_err(Vec::from)
                .and_then(|recipe| {
                    let Some(template) = &recipe.template else {
                        return Ok(target.names.iter().map(|name| name.value.clone()).collect());
                    };
                    let visible = self.visible(&recipe)?;
                    let asked = self.ask(&recipe, template, &visible)?;
                    Ok(asked
                        .wanted
                        .keys()
                        .filter(|_| !asked.lists)
                        .map(|name| (*name).clone())
                        .collect::<Vec<Name>>())
                });
            match asked {
                Ok(names) => shown.extend(names),
                Err(problems) => found.extend(
                    problems
                        .into_iter()
                        .map(|problem| ruled(problem, "template")),
                ),
            }
        }
        (shown, found)
    }

    /// What is wrong with the plaintext `.env` files that are there, and with where an identity lies.
    #[must_use]
    pub fn plaintext(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        let candidates = self.candidates();
        for (path, closed) in &candidates {
            if let Ok(data) = path.symlink_metadata() {
                found.extend(lying(path, &data, *closed).into_iter().map(Finding::from));
            }
        }
        found.extend(
            self.in_git(candidates.keys())
                .into_iter()
                .map(Finding::from),
        );
        found.extend(self.identities_inside().into_iter().map(Finding::from));
        found
    }

    /// The files that are plaintext secrets where they exist, and the modes that each may have: what targets write, what
    /// services read, and every `.env` and `.env.*` in the project's folder.
    pub(super) fn candidates(&self) -> BTreeMap<PathBuf, u32> {
        let mut candidates = BTreeMap::new();
        let mut folders = vec![self.root.clone()];
        for target in self.inventory.targets.values() {
            // What its author opens to everybody holds no secret.
            if target.mode & 0o004 != 0 {
                continue;
            }
            let path = self.root.join(&target.to.value);
            match target.source {
                Origin::Template(_) => {
                    candidates.insert(path, target.mode);
                }
                Origin::Folder => {
                    for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
                        candidates.insert(entry.path(), target.mode);
                    }
                }
            }
        }
        for source in self
            .inventory
            .services
            .values()
            .flat_map(|service| &service.environment)
        {
            if let Source::File(path) = &source.value {
                let path = self.root.join(path);
                folders.extend(path.parent().map(Path::to_owned));
                candidates.entry(path).or_insert(0o600);
            }
        }
        folders.sort();
        folders.dedup();
        for folder in folders {
            let here = if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                &folder
            };
            for entry in fs::read_dir(here).into_iter().flatten().flatten() {
                if is_env(Path::new(&entry.file_name())) {
                    candidates
                        .entry(folder.join(entry.file_name()))
                        .or_insert(0o600);
                }
            }
        }
        candidates
    }

    /// The plaintext files that git tracks or would take.
    fn in_git<'a>(&self, candidates: impl Iterator<Item = &'a PathBuf>) -> Vec<Problem> {
        let root = if self.root.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &self.root
        };
        let Ok(full) = root.canonicalize() else {
            return Vec::new();
        };
        if !full.ancestors().any(|folder| folder.join(".git").exists()) {
            return Vec::new();
        }
        let mut arguments: Vec<String> =
            ["-C", &root.to_string_lossy()].map(str::to_owned).to_vec();
        arguments.extend(
            [
                "ls-files",
                "-z",
                "-t",
                "--cached",
                "--others",
                "--exclude-standard",
                "--",
                ":(glob)**/.env",
                ":(glob)**/.env.*",
            ]
            .map(str::to_owned),
        );
        for path in candidates {
            if let (Ok(path), true) = (
                path.strip_prefix(&self.root),
                path.symlink_metadata().is_ok(),
            ) {
                arguments.push(format!(":(literal){}", path.display()));
            }
        }
        let listed = match child::answer("git", &arguments) {
            Ok(listed) => listed,
            Err(problem) => {
                return vec![
                    Problem::new(
                        "git-unknown",
                        format!(
                            "what git tracks and ignores is not known: {}",
                            problem.message
                        ),
                    )
                    .severity(Severity::Warning)
                    .help("see why: git ls-files"),
                ];
            }
        };
        let mut seen = BTreeSet::new();
        let mut problems = Vec::new();
        for entry in listed.split(|byte| *byte == 0) {
            let entry = String::from_utf8_lossy(entry);
            let Some((tag, path)) = entry.split_once(' ') else {
                continue;
            };
            let name = Path::new(path)
                .file_name()
                .unwrap_or_default()
                .to_string_lossy();
            if (name.starts_with(".env") && !is_env(Path::new(path)))
                || !seen.insert(path.to_owned())
            {
                continue;
            }
            let place = Place::file(self.root.join(path));
            problems.push(if tag == "?" {
                Problem::new("env-not-ignored", "git doesn't ignore this plaintext file: the next `git add` takes it along")
                    .at(place)
                    .help(format!("echo '/{path}' >> .gitignore"))
            } else {
                Problem::new("env-tracked", "git tracks this plaintext file: whoever has the repository, or its history, has what is in it")
                    .at(place)
                    .help(format!("git rm --cached {path} && echo '/{path}' >> .gitignore, then replace every secret in it"))
            });
        }
        problems
    }

    /// Identities inside the project: the ones in use, and any file beside the inventory or a vault that holds one.
    fn identities_inside(&self) -> Vec<Problem> {
        let mut paths = BTreeSet::new();
        let root = if self.root.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &self.root
        };
        let mut folders: BTreeSet<PathBuf> = [root.to_owned()].into();
        for profile in self.inventory.profiles.values() {
            let vault = self.vault(profile);
            folders.extend(if vault.is_folder() {
                Some(vault.path().to_owned())
            } else {
                vault.path().parent().map(Path::to_owned)
            });
        }
        for folder in folders {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let small = entry
                    .metadata()
                    .is_ok_and(|data| data.is_file() && data.len() <= MAX_KEY);
                let sealed = path.extension().is_some_and(|end| end == "age");
                if small
                    && !sealed
                    && file::read(&path, MAX_SAMPLE).is_ok_and(|bytes| holds_identity(&bytes))
                {
                    paths.insert(path.strip_prefix(".").map(Path::to_owned).unwrap_or(path));
                }
            }
        }
        let used = ["DOTAGE_IDENTITY_FILE", "DOTAGE_IDENTITY"]
            .into_iter()
            .filter_map(|name| std::env::var_os(name).map(PathBuf::from))
            .chain(super::default_file());
        let full = root.canonicalize().ok();
        for path in used.filter(|path| !super::is_material(&path.to_string_lossy())) {
            if let (Ok(path), Some(root)) = (path.canonicalize(), &full)
                && let Ok(inside) = path.strip_prefix(root)
            {
                paths.insert(self.root.join(inside));
            }
        }
        paths
            .into_iter()
            .map(|path| {
                Problem::new(
                    "identity-inside",
                    "an identity inside the project, where a commit can take it along",
                )
                .at(Place::file(&path))
                .help(format!(
                    "mv {} ~/.config/dotage/identity.txt; replace it if it was ever committed",
                    path.display()
                ))
            })
            .collect()
    }

    /// What the journal tells of a profile's past.
    #[must_use]
    pub fn past(&self, profile: &str, entries: &[Entry]) -> Past {
        let mut past = Past::default();
        let of_it = entries
            .iter()
            .filter(|entry| entry.profile.as_deref() == Some(profile) && entry.outcome == "done");
        for entry in of_it {
            for name in entry.names.iter().filter(|_| entry.changes_values()) {
                let changed = past.changed.entry(name.clone()).or_insert(entry.time);
                *changed = entry.time.max(*changed);
            }
            if entry.action == BOOTSTRAP_OPEN {
                for name in &entry.names {
                    past.opened.insert(name.clone(), entry.time);
                }
            }
        }
        for (name, exposed) in journal::must_rotate(entries, profile) {
            if let Some(first) = exposed.first() {
                let who = first.reader.comment.as_ref().unwrap_or(&first.reader.key);
                past.exposed
                    .insert(name.clone(), (who.clone(), first.since));
            }
        }
        past
    }

    /// The texts that everybody who has the project can read: its samples of `.env` files, its Compose files, the
    /// defaults of its lenient profiles and of its code.
    #[must_use]
    pub fn published(&self) -> Vec<Literal> {
        let mut literals = Vec::new();
        let lenient = |profile: &str| {
            self.inventory
                .profiles
                .get(profile)
                .is_some_and(|profile| profile.contract == Contract::Lenient)
        };
        for (name, variable) in &self.inventory.variables {
            for (profile, spot) in &variable.defaults {
                if lenient(profile) {
                    literals.push(Literal {
                        name: name.to_string(),
                        value: spot.value.clone().into_bytes(),
                        place: self.inventory.place(spot.at),
                    });
                }
            }
        }
        let mut files: BTreeSet<PathBuf> =
            COMPOSE.iter().map(|name| self.root.join(name)).collect();
        let mut folders: BTreeSet<PathBuf> = [self.root.clone()].into();
        for service in self.inventory.services.values() {
            for (name, spot) in &service.code_defaults {
                literals.push(Literal {
                    name: name.to_string(),
                    value: spot.value.clone().into_bytes(),
                    place: self.inventory.place(spot.at),
                });
            }
            let compose = service.compose.iter().flat_map(|compose| &compose.files);
            files.extend(compose.map(|file| self.root.join(&file.value)));
            for source in &service.environment {
                if let Source::File(path) = &source.value {
                    folders.extend(self.root.join(path).parent().map(Path::to_owned));
                }
            }
        }
        for folder in folders {
            for sample in SAMPLES {
                let path = folder.join(sample);
                for (line, text) in lines(&path) {
                    if let Some((name, value)) = text.split_once('=') {
                        literals.push(literal(name, value, &path, line));
                    }
                }
            }
        }
        for path in files {
            for (line, text) in lines(&path) {
                literals
                    .extend(defaults(&text).map(|(name, value)| literal(name, value, &path, line)));
                let entry = text.trim_start().trim_start_matches("- ");
                if let Some((name, value)) = entry.split_once(['=', ':'])
                    && self.inventory.variables.contains_key(name.trim())
                {
                    literals.push(literal(name, value, &path, line));
                }
            }
        }
        literals.retain(|literal| !literal.value.is_empty());
        literals
    }
}

/// A problem that another room tells, under a rule of the contract.
pub(crate) fn ruled(problem: Problem, rule: &'static str) -> Finding {
    let known = contract::RULES
        .iter()
        .any(|(known, _)| *known == problem.rule);
    Finding::from(Problem {
        rule: if known { problem.rule } else { rule },
        ..problem
    })
}

/// What is wrong with a plaintext file as it lies there.
fn lying(path: &Path, data: &Metadata, mode: u32) -> Vec<Problem> {
    let place = || Place::file(path);
    if data.is_symlink() {
        return vec![
            Problem::new("env-symlink", "a plaintext file that is a symbolic link: who writes through it may write elsewhere")
                .at(place())
                .help("remove the link, and render the file itself"),
        ];
    }
    let mut problems = Vec::new();
    let open = data.mode() & 0o777 & !mode;
    if data.is_file() && open & 0o077 != 0 {
        problems.push(
            Problem::new(
                "env-loose",
                format!(
                    "mode {:04o} opens this plaintext file to others",
                    data.mode() & 0o777
                ),
            )
            .at(place())
            .help(format!("chmod {mode:o} {}", path.display())),
        );
    }
    let me = rustix::process::geteuid().as_raw();
    if data.is_file() && data.uid() != me && me != 0 {
        problems.push(
            Problem::new(
                "env-owner",
                format!(
                    "this plaintext file belongs to another user ({})",
                    data.uid()
                ),
            )
            .at(place())
            .help("remove it, and render it as the user that reads it"),
        );
    }
    problems
}

/// The lines of a text file, counted from 1; none of one that can't be read.
pub(super) fn lines(path: &Path) -> Vec<(usize, String)> {
    let Ok(bytes) = file::read(path, MAX_SAMPLE) else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&bytes);
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.to_owned()))
        .collect()
}

/// A literal of a line: without its quotes, and without a comment after it.
pub(super) fn literal(name: &str, value: &str, path: &Path, line: usize) -> Literal {
    let value = value.trim();
    let quoted = ['"', '\''].into_iter().find_map(|quote| {
        let rest = value.strip_prefix(quote)?;
        rest.split_once(quote).map(|(inside, _)| inside)
    });
    let value = quoted.unwrap_or_else(|| value.split(" #").next().unwrap_or(value).trim_end());
    Literal {
        name: name.trim().trim_start_matches("export ").trim().to_owned(),
        value: value.as_bytes().to_vec(),
        place: Place::at(path, line, 0),
    }
}

/// The defaults of a line's `${NAME:-default}`.
fn defaults(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("${").skip(1).filter_map(|rest| {
        let inside = rest.split('}').next()?;
        let at = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        let (name, rest) = inside.split_at(at);
        let value = rest.strip_prefix(":-").or_else(|| rest.strip_prefix('-'))?;
        Some((name, value))
    })
}
