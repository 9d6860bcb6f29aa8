//! `dotage bootstrap`: the first administrator's switch and password, opened for the first start and closed after it.
//!
//! # Why
//!
//! Opening writes the password before the switch and closing the switch before the password, so a run that is killed
//! leaves no switch that is on without a password. Each step asks what is there: the same command again does the rest.
//!
//! The switch is stored as `false` when it is closed, not removed: what holds is in the vault, whatever default
//! dotage.yaml gets later. A variable that the profile requires all the same can't go, and closing says so first.

use super::{Done, Failure, Shell, generate, print, say};
use crate::file::{self, Change};
use crate::inventory::{Bootstrap, Origin, Profile, Variable};
use crate::journal::Entry;
use crate::problem::{Place, Printable, Problem};
use crate::project::{self, Project, Recipe};
use crate::secret::{Name, Secret};
use crate::vault::{Contents, Vault};
use clap::Subcommand;
use serde_json::json;
use std::io::{self, IsTerminal};

const OPEN: &str = "bootstrap open";
const CLOSE: &str = "bootstrap close";

/// Open the bootstrap of the first administrator, or close it after the first login
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Turn the switch on and generate the password, which is shown once, on a terminal
    Open(How),
    /// Turn the switch off, take the password out of the vault, and render the files again that showed it
    Close(How),
}

#[derive(clap::Args)]
struct How {
    /// The variable that the bootstrap needs, or its switch, where dotage.yaml declares several
    name: Option<String>,
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// Say what would change, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// A JSON object: {profile, switch, open, names, changed, targets, deploy}; no value is in it
    #[arg(long)]
    json: bool,
}

/// A switch, and the variables that are there while it is on.
struct Boot<'a> {
    project: &'a Project,
    profile: &'a str,
    said: &'a Profile,
    vault: Vault,
    switch: (&'a Name, &'a Variable),
    needs: Vec<(&'a Name, &'a Variable, &'a Bootstrap)>,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    let project = Project::find()?;
    match &args.verb {
        Verb::Open(how) => open(&Boot::find(&project, how)?, how, shell),
        Verb::Close(how) => close(&Boot::find(&project, how)?, how, shell),
    }
}

fn open(boot: &Boot, how: &How, shell: &Shell) -> Result<Done, Failure> {
    let Boot {
        project, profile, ..
    } = boot;
    let (switch, _) = boot.switch;
    let targets = boot.targets()?;
    let before = if how.dry_run {
        None
    } else {
        project.journal().ready()?;
        boot.last()?
    };
    let first = boot.bundle(boot.needs.first().map_or(boot.switch.1, |need| need.1))?;
    let identities = shell.identities_to_write(&boot.vault, &first)?;
    let mut new = Vec::new();
    let mut generated = Vec::new();
    let changed = boot.vault.change(&identities, |contents| {
        for (name, variable, _) in &boot.needs {
            if boot.value(contents, (name, variable))?.is_some() {
                continue;
            }
            let value = generate::generated(name, variable, project)?;
            let copy = Secret::new(value.expose().to_vec());
            if !how.dry_run {
                let value = project::encoded(value, name, variable)?;
                let bundle = boot.bundle(variable)?;
                contents.bundle(&bundle)?.insert((*name).clone(), value);
            }
            new.push((*name).clone());
            generated.push((*name, copy));
        }
        let stored = boot.value(contents, boot.switch)?;
        let (on, stored) = (boot.is_on(stored), stored.is_some());
        if !on {
            if !how.dry_run {
                boot.turn(contents, "true")?;
            }
            new.push(switch.clone());
        }
        Ok(stored || !on)
    })?;
    let is_changed = !new.is_empty();
    let names: Vec<String> = new.iter().map(Name::to_string).collect();
    if !how.dry_run {
        let entry = Entry {
            names: new,
            ..Entry::new(OPEN, profile)
        };
        project.record(boot.said, &changed.read, &changed.written, entry)?;
        // A run that was killed between the vault and the journal did not come to tell since when it is open.
        if !is_changed && changed.value && before.as_ref().is_none_or(|last| last.action != OPEN) {
            project.tell(Entry {
                names: vec![switch.clone()],
                ..Entry::new(OPEN, profile)
            })?;
        }
    }
    drop(changed);
    say(match (is_changed, how.dry_run) {
        (false, _) => {
            format!("the bootstrap is open already in profile {profile}: {switch} is true")
        }
        (true, true) => format!("would set {} in profile {profile}", names.join(", ")),
        (true, false) => format!(
            "opened the bootstrap in profile {profile}: {} set",
            names.join(", ")
        ),
    });
    if let Some(last) = before.filter(|last| last.action == CLOSE && is_changed) {
        say(format!(
            "it was closed before, {}{}",
            last.time,
            boot.reset().map_or_else(String::new, |reset| format!(
                "; for an administrator that there is: {reset}"
            ))
        ));
    }
    for (name, _, _) in &boot.needs {
        let shown = generated.iter().find(|(other, _)| other == name);
        match shown {
            _ if how.dry_run => {}
            Some((_, value)) if io::stderr().is_terminal() => say(format!(
                "{name}, shown this once: {}",
                Printable(&String::from_utf8_lossy(value.expose()))
            )),
            _ => say(format!(
                "to read {name}: dotage get {name} --profile {profile} | …"
            )),
        }
    }
    let mut next: Vec<String> = Vec::new();
    // Those that are in use, where any is.
    let there = targets.iter().any(|recipe| recipe.to.exists());
    let to_render: Vec<&str> = targets
        .iter()
        .filter(|recipe| !there || recipe.to.exists())
        .filter_map(|recipe| recipe.target.as_deref())
        .collect();
    if !to_render.is_empty() {
        next.push(format!("dotage render {}", to_render.join(" ")));
    }
    next.extend(
        boot.deploy()
            .into_iter()
            .map(|(_, command)| command.to_owned()),
    );
    next.push("log in".to_owned());
    next.push(format!("dotage bootstrap close --profile {profile}"));
    say(format!("next: {}", next.join(", then ")));
    let targets = targets
        .iter()
        .map(|recipe| (recipe, None))
        .collect::<Vec<_>>();
    boot.report(how, true, &names, is_changed, &targets)
}

fn close(boot: &Boot, how: &How, shell: &Shell) -> Result<Done, Failure> {
    let Boot {
        project, profile, ..
    } = boot;
    for (name, variable, _) in &boot.needs {
        if variable.is_required(profile, None) {
            return Err(project
                .inventory
                .problem("required", variable.at, format!("{name} is required in profile {profile}, with the bootstrap closed too"))
                .help(format!("take {profile} out of its `required`; while the bootstrap is open it is needed whatever that says"))
                .into());
        }
    }
    let targets: Vec<Recipe> = boot
        .targets()?
        .into_iter()
        .filter(|recipe| recipe.to.exists())
        .collect();
    let before = if how.dry_run {
        None
    } else {
        project.journal().ready()?;
        boot.last()?
    };
    let identities = shell.identities()?;
    let changed = boot.vault.change(&identities, |contents| {
        let mut old = Vec::new();
        if boot.is_on(boot.value(contents, boot.switch)?) {
            if !how.dry_run {
                boot.turn(contents, "false")?;
            }
            old.push(boot.switch.0.clone());
        }
        for (name, variable, _) in &boot.needs {
            if boot.value(contents, (name, variable))?.is_some() {
                if !how.dry_run {
                    contents.bundle(&boot.bundle(variable)?)?.remove(*name);
                }
                old.push((*name).clone());
            }
        }
        Ok(old)
    })?;
    let names: Vec<String> = changed.value.iter().map(Name::to_string).collect();
    let mut is_changed = !names.is_empty();
    if !how.dry_run {
        let entry = || Entry {
            names: boot.names().into_iter().cloned().collect(),
            ..Entry::new(CLOSE, profile)
        };
        project.record(boot.said, &changed.read, &changed.written, entry())?;
        if !is_changed && before.is_some_and(|last| last.action == OPEN) {
            project.tell(entry())?;
            is_changed = true;
        }
    }
    drop(changed);
    let rendered = if how.dry_run {
        targets.iter().map(|recipe| (recipe, None)).collect()
    } else {
        boot.render(&targets, shell)?
    };
    let rewritten = |change: &Option<Change>| change.is_some_and(|change| change != Change::None);
    is_changed |= rendered.iter().any(|(_, change)| rewritten(change));
    say(match (is_changed, how.dry_run) {
        (false, _) => format!(
            "nothing to close in profile {profile}: {} is not true, and there is no {}",
            boot.switch.0,
            boot.needed()
        ),
        (true, true) => format!(
            "would close the bootstrap in profile {profile}: {} is false, there is no {}",
            boot.switch.0,
            boot.needed()
        ),
        (true, false) => format!(
            "closed the bootstrap in profile {profile}: {} is false, there is no {}",
            boot.switch.0,
            boot.needed()
        ),
    });
    for (recipe, change) in &rendered {
        if rewritten(change) {
            say(format!("{}: rewritten", recipe.to.display()));
        } else if is_changed && how.dry_run {
            say(format!("{}: would be rendered again", recipe.to.display()));
        }
    }
    if is_changed && !how.dry_run {
        for (service, command) in boot.deploy() {
            say(format!("deploy {service} again: {command}"));
        }
        if let Some(reset) = boot.reset() {
            say(format!("from now on: {reset}"));
        }
    }
    boot.report(how, false, &names, is_changed, &rendered)
}

impl<'a> Boot<'a> {
    /// The bootstrap that is meant: the one of a name, else the only one.
    fn find(project: &'a Project, how: &How) -> Result<Self, Problem> {
        let (profile, said) = project.profile(how.profile.as_deref())?;
        let all = || {
            let variables = project.inventory.variables.iter();
            variables.filter_map(|(name, variable)| {
                Some((name, variable, variable.bootstrap.as_deref()?))
            })
        };
        let asked = how
            .name
            .as_deref()
            .map(|name| project.variable(name))
            .transpose()?;
        let mut switches: Vec<&Name> = match asked {
            Some((asked, _)) => all()
                .filter(|(name, _, bootstrap)| *name == asked || bootstrap.switch.value == *asked)
                .map(|(_, _, bootstrap)| &bootstrap.switch.value)
                .collect(),
            None => all()
                .map(|(_, _, bootstrap)| &bootstrap.switch.value)
                .collect(),
        };
        switches.sort_unstable();
        switches.dedup();
        let known = || {
            all()
                .map(|(name, ..)| name.as_str())
                .collect::<Vec<_>>()
                .join(" | ")
        };
        let at = Place::file(&project.inventory.path);
        let switch = match (switches.as_slice(), asked) {
            ([only], _) => *only,
            ([], Some((asked, _))) if !known().is_empty() => {
                return Err(Problem::new(
                    "no-bootstrap",
                    format!("{asked} belongs to no bootstrap"),
                )
                .at(at)
                .help(format!("say one of them: {}", known())));
            }
            ([], _) => {
                return Err(Problem::new(
                    "no-bootstrap",
                    "no variable is declared with a `bootstrap`",
                )
                .at(at)
                .help("declare it beside its format: bootstrap: { while: SWITCH, within: 1d }"));
            }
            _ => {
                return Err(
                    Problem::new("which-bootstrap", "several bootstraps are declared")
                        .at(at)
                        .help(format!("say one of them: {}", known())),
                );
            }
        };
        Ok(Boot {
            project,
            profile,
            said,
            vault: project.vault(said),
            switch: project.variable(switch.as_str())?,
            needs: all()
                .filter(|(_, _, bootstrap)| bootstrap.switch.value == *switch)
                .collect(),
        })
    }

    /// The switch and what is there while it is on.
    fn names(&self) -> Vec<&'a Name> {
        std::iter::once(self.switch.0)
            .chain(self.needs.iter().map(|need| need.0))
            .collect()
    }

    /// What is there while the switch is on, in words.
    fn needed(&self) -> String {
        let names: Vec<&str> = self.needs.iter().map(|need| need.0.as_str()).collect();
        names.join(", ")
    }

    fn bundle(&self, variable: &Variable) -> Result<String, Problem> {
        self.vault.bundle_for(&variable.bundle)
    }

    /// The stored value. A bundle that isn't there is not asked for, which would make it.
    fn value<'c>(
        &self,
        contents: &'c mut Contents,
        (name, variable): (&Name, &Variable),
    ) -> Result<Option<&'c Secret>, Problem> {
        let bundle = self.bundle(variable)?;
        if self.vault.file(&bundle).exists() {
            Ok(contents.bundle(&bundle)?.get(name))
        } else {
            Ok(None)
        }
    }

    fn turn(&self, contents: &mut Contents, value: &str) -> Result<(), Problem> {
        let (name, variable) = self.switch;
        let value = Secret::new(value.as_bytes().to_vec());
        contents
            .bundle(&self.bundle(variable)?)?
            .insert(name.clone(), value);
        Ok(())
    }

    /// Whether the switch is on, by its stored value, else the profile's default.
    fn is_on(&self, stored: Option<&Secret>) -> bool {
        match stored {
            Some(stored) => stored.expose() == b"true",
            None => self
                .switch
                .1
                .defaults
                .get(self.profile)
                .is_some_and(|default| default.value == "true"),
        }
    }

    /// The last time that it was opened or closed.
    fn last(&self) -> Result<Option<Entry>, Vec<Problem>> {
        let mut entries = self.project.journal().entries()?;
        entries.retain(|entry| {
            entry.profile.as_deref() == Some(self.profile)
                && entry.outcome == "done"
                && (entry.action == OPEN || entry.action == CLOSE)
                && entry.names.contains(self.switch.0)
        });
        Ok(entries.into_iter().max_by_key(|entry| entry.time))
    }

    /// The profile's targets that show one of the names.
    fn targets(&self) -> Result<Vec<Recipe>, Vec<Problem>> {
        self.project.recipes_showing(self.profile, &self.names())
    }

    /// Renders the targets again: all of them are made before the first is written.
    fn render<'r>(
        &self,
        recipes: &'r [Recipe],
        shell: &Shell,
    ) -> Result<Vec<(&'r Recipe, Option<Change>)>, Vec<Problem>> {
        let mut made = Vec::new();
        let mut problems = Vec::new();
        for recipe in recipes {
            match self.project.make(recipe, &|| shell.identities()) {
                Ok(one) => made.push((recipe, one)),
                Err(several) => {
                    problems.extend(several);
                    problems.push(
                        Problem::new(
                            "not-rendered",
                            format!(
                                "still shows {}: it could not be rendered again",
                                self.needed()
                            ),
                        )
                        .at(Place::file(&recipe.to))
                        .help("mend what is said above, then the same again"),
                    );
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut done = Vec::new();
        for (recipe, made) in made {
            let mut change = self.project.write(recipe, &made, true)?;
            for (name, ..) in &self.needs {
                if let Some(file) = self.file_in(recipe, name)
                    && file::remove(&recipe.to.join(file))?
                {
                    change = change.max(Change::Content);
                }
            }
            done.push((recipe, Some(change)));
        }
        Ok(done)
    }

    /// The file of a name in a target that is a folder.
    fn file_in(&self, recipe: &Recipe, name: &Name) -> Option<String> {
        let target = self
            .project
            .inventory
            .targets
            .get(recipe.target.as_deref()?)?;
        let Origin::Folder = target.source else {
            return None;
        };
        Some(self.project.file_name(recipe, name))
    }

    /// The services that read one of the names, each with what makes it take a new value.
    fn deploy(&self) -> Vec<(&'a str, &'a str)> {
        let uses = |service: &str| {
            let variables =
                std::iter::once(self.switch.1).chain(self.needs.iter().map(|need| need.1));
            variables
                .flat_map(|variable| &variable.used_by)
                .any(|user| user.value == service)
        };
        let services = self
            .project
            .inventory
            .services
            .iter()
            .filter(|(name, _)| uses(name));
        services
            .flat_map(|(name, service)| {
                service
                    .deploy
                    .iter()
                    .map(move |command| (name.as_str(), command.value.as_str()))
            })
            .collect()
    }

    /// What to do instead of a rotation, once it is closed.
    fn reset(&self) -> Option<&'a str> {
        self.needs.iter().find_map(|need| need.2.reset.as_deref())
    }

    fn report(
        &self,
        how: &How,
        open: bool,
        names: &[String],
        changed: bool,
        targets: &[(&Recipe, Option<Change>)],
    ) -> Result<Done, Failure> {
        if how.json {
            let targets: Vec<_> = targets
                .iter()
                .map(|(recipe, change)| json!({"target": recipe.target, "path": recipe.to, "changed": change.is_some_and(|change| change != Change::None)}))
                .collect();
            let deploy: Vec<_> = self
                .deploy()
                .into_iter()
                .map(|(service, command)| json!({"service": service, "command": command}))
                .collect();
            let object = json!({"profile": self.profile, "switch": self.switch.0.as_str(), "open": open, "names": names, "changed": changed, "targets": targets, "deploy": deploy});
            print(format!("{object}\n"))?;
        }
        Ok(Done::Well)
    }
}
