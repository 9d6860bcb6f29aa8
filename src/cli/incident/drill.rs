//! A drill: the whole of an incident on a throw-away copy of the project, with other values, its commands printed and not
//! run, and how long each part took.

use super::super::{Done, Failure, Shell, generate, print, say};
use super::{Drill, exposed, go, left, report};
use crate::file::{self, Attributes};
use crate::generate as generator;
use crate::incident::{self, CLOSE, OPEN};
use crate::inventory::{Format, Origin};
use crate::journal::Entry;
use crate::problem::{Place, Problem};
use crate::project::{self, INVENTORY, Project};
use crate::secret::{Name, Secret};
use crate::time::Time;
use crate::vault::keygen;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::{Instant, SystemTime};

/// The largest file that is copied, in bytes.
const MAX_FILE: usize = 1 << 20;

pub(super) fn run(args: &Drill, shell: &Shell) -> Result<Done, Failure> {
    let real = Project::find()?;
    let (profile, _) = real.profile(args.profile.as_deref())?;
    let cause = args.what.cause(&real)?;
    let entries = real.journal().entries()?;
    // The copy has no past: what is exposed is told of the real one.
    let names: Vec<Name> = exposed(&real, profile, &cause, &entries)?
        .into_iter()
        .cloned()
        .collect();
    let copy = Copy::of(&real, profile)?;
    let shell = shell.with_identity(&copy.identity);
    let project = Project::at(&copy.folder)?;
    Copy::fill(&project, profile, &shell)?;
    let id = "drill";
    let clock = Instant::now();
    project.tell(Entry {
        names,
        step: Some(cause.to_string()),
        incident: Some(id.to_owned()),
        ..Entry::new(OPEN, profile)
    })?;
    let entries = project.journal().entries()?;
    let all = incident::all(&entries);
    let Some(incident) = all.first() else {
        return Err(Problem::new("no-incident", "the journal of the copy is empty").into());
    };
    let rest = left(&project, incident);
    let steps = rest.lines().len();
    go(&project, profile, id, None, &rest, true, true, &shell)?;
    project.tell(Entry {
        names: incident.names().to_vec(),
        incident: Some(id.to_owned()),
        ..Entry::new(CLOSE, profile)
    })?;
    let entries = project.journal().entries()?;
    let all = incident::all(&entries);
    if let Some(incident) = all.first() {
        let rest = left(&project, incident);
        print(report::markdown(
            &project,
            incident,
            &rest,
            &entries,
            Time::now(),
        ))?;
    }
    say(format!(
        "{steps} steps in {:.1} s of dotage's own; what the commands take comes on top",
        clock.elapsed().as_secs_f64()
    ));
    Ok(Done::Well)
}

/// A copy of a project: its inventory and its templates, an identity and values of its own. It is gone when this is.
struct Copy {
    home: PathBuf,
    folder: PathBuf,
    identity: PathBuf,
}

impl Copy {
    fn of(project: &Project, profile: &str) -> Result<Self, Failure> {
        let id = generator::id()
            .map_err(|failed| Problem::new("generator", failed.to_string()).help("try again"))?;
        let home = std::env::temp_dir().join(format!("dotage-drill-{id}"));
        let copy = Copy {
            folder: home.join("project"),
            identity: home.join("identity.txt"),
            home,
        };
        file::create_folder(&copy.home, 0o700)?;
        file::create_folder(&copy.folder, 0o700)?;
        let (identity, public_key) = keygen(SystemTime::now());
        file::create(&copy.identity, identity.expose(), 0o600)?;
        copy.take(&project.inventory.path, Path::new(INVENTORY))?;
        let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
        for target in project.inventory.targets.values() {
            if let Origin::Template(template) = &target.source
                && let Some(folder) = template.value.parent()
                && folder
                    .components()
                    .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
            {
                folders.insert(folder.to_owned());
            }
        }
        for folder in folders {
            copy.take_folder(&project.root.join(&folder), &folder)?;
        }
        let (_, said) = project.profile(Some(profile))?;
        let vault = project.vault(said);
        let recipients = if vault.is_folder() {
            said.vault.value.join(".age-recipients")
        } else {
            said.vault.value.with_file_name(".age-recipients")
        };
        let path = copy.folder.join(recipients);
        if let Some(folder) = path.parent() {
            file::create_folder(folder, 0o700)?;
        }
        file::create(&path, format!("{public_key}\n").as_bytes(), 0o644)?;
        Ok(copy)
    }

    fn take(&self, from: &Path, to: &Path) -> Result<(), Problem> {
        let bytes = file::read(from, MAX_FILE)?;
        let to = self.folder.join(to);
        if let Some(folder) = to.parent() {
            file::create_folder(folder, 0o700)?;
        }
        let attributes = Attributes {
            mode: 0o600,
            ..Attributes::default()
        };
        file::replace(&to, &bytes, &attributes).map(drop)
    }

    /// The templates of a folder and of those in it: one may include another.
    fn take_folder(&self, from: &Path, to: &Path) -> Result<(), Problem> {
        // A template that is built in has no folder here.
        let Ok(entries) = fs::read_dir(from) else {
            return Ok(());
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let template = Path::new(&name).extension().is_some_and(|end| end == "j2");
            if kind.is_file() && template {
                self.take(&entry.path(), &to.join(&name))?;
            }
        }
        Ok(())
    }

    /// Gives every variable of the profile a value that nobody uses.
    fn fill(project: &Project, profile: &str, shell: &Shell) -> Result<(), Failure> {
        let (_, said) = project.profile(Some(profile))?;
        let vault = project.vault(said);
        let identities = shell.identities()?;
        let changed = vault.change(&identities, |contents| {
            for (name, variable) in &project.inventory.variables {
                let stored = variable.derive.is_none()
                    && variable.bootstrap.is_none()
                    && !variable.defaults.contains_key(profile);
                if !stored {
                    continue;
                }
                let value = if variable.is_generated() {
                    generate::generated(name, variable, project)?
                } else if let Format::OneOf(texts) = &variable.format.value {
                    Secret::new(texts.first().cloned().unwrap_or_default().into_bytes())
                } else {
                    generator::random(24, generator::Encoding::Base64Url)
                        .map_err(|failed| Problem::new("generator", failed.to_string()))?
                };
                let value = project::encoded(value, name, variable)?;
                let bundle = vault.bundle_for(&variable.bundle)?;
                contents.bundle(&bundle)?.insert(name.clone(), value);
            }
            Ok(())
        })?;
        project.record(
            said,
            &changed.read,
            &changed.written,
            Entry::new("init", profile),
        )?;
        Ok(())
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if fs::remove_dir_all(&self.home).is_err() {
            say(Problem::new("left", "could not be removed")
                .at(Place::file(&self.home))
                .help(format!("rm -r {}", self.home.display())));
        }
    }
}
