//! What a target is made of: its template and values, rendered and proven, ready to be written.

use super::{Project, Wanted};
use crate::contract;
use crate::dialect::Dialect;
use crate::file::{self, Attributes, Change};
use crate::inventory::{Origin, Target, Variable};
use crate::preset;
use crate::problem::Problem;
use crate::secret::{Name, Secret, Secrets};
use crate::template::{self, Listed, Scope, Template};
use crate::vault::Identities;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What to render, for whom, and where to.
pub struct Recipe {
    /// The target's name in the inventory, if it is one of its.
    pub target: Option<String>,
    /// The template; without one, the target is a folder with a file for each variable.
    pub template: Option<PathBuf>,
    /// The dialect, where the template's name doesn't say it.
    pub dialect: Option<Dialect>,
    /// The path to write.
    pub to: PathBuf,
    /// The profile whose values it shows.
    pub profile: String,
    /// The service whose variables it shows; without one, all.
    pub service: Option<String>,
    /// The only variables it shows; empty: all of the service's.
    pub names: Vec<Name>,
    /// Mode, owner and group.
    pub attributes: Attributes,
    /// The caller's data, as the template's `vars`.
    pub data: serde_json::Value,
}

/// What was made: one file, or the files of a folder.
pub struct Made {
    /// The file's bytes under no name, or each file of the folder by its name.
    pub files: Vec<(Option<String>, Secret)>,
    /// The names of the variables in it; of a document, the paths of its scalars.
    pub names: Vec<String>,
    /// Which identity opened which bundle.
    pub opened_by: BTreeMap<String, String>,
}

/// A template and what it asks for.
pub(super) struct Asked<'a> {
    pub(super) template: Template,
    /// The variables, all that the recipe may show if it lists them.
    pub(super) wanted: Wanted<'a>,
    /// Whether it goes through `variables`.
    pub(super) lists: bool,
}

impl Project {
    /// The recipe of a target; `profile` where the target names none.
    ///
    /// # Errors
    /// An owner or a group that this machine doesn't have.
    pub fn recipe(&self, name: &str, target: &Target, profile: &str) -> Result<Recipe, Problem> {
        let consumers: Vec<Dialect> = target
            .consumers
            .iter()
            .filter_map(|consumer| Dialect::from_name(&consumer.value))
            .collect();
        let dialect = match &target.dialect {
            Some(dialect) => Dialect::from_name(&dialect.value),
            None if consumers.is_empty() => None,
            None => Some(Dialect::of(&consumers)),
        };
        let id = |text: &Option<String>, find: fn(&str) -> Result<u32, Problem>| {
            text.as_deref().map(find).transpose()
        };
        Ok(Recipe {
            target: Some(name.to_owned()),
            template: match &target.source {
                Origin::Template(path) => Some(path.value.clone()),
                Origin::Folder => None,
            },
            dialect,
            to: self.root.join(&target.to.value),
            profile: target
                .profile
                .as_ref()
                .map_or(profile, |profile| profile.value.as_str())
                .to_owned(),
            service: target.service.as_ref().map(|service| service.value.clone()),
            names: target.names.iter().map(|name| name.value.clone()).collect(),
            attributes: Attributes {
                mode: target.mode,
                owner: id(&target.owner, file::user_id)?,
                group: id(&target.group, file::group_id)?,
                follow: false,
            },
            data: serde_json::Value::Null,
        })
    }

    /// Renders a recipe in memory. What the template asks for is held against the inventory before any key is touched,
    /// and only the bundles that hold it are opened.
    ///
    /// # Errors
    /// What is wrong with the template, the names it asks for, or their values: nothing is written in any case.
    pub fn make(
        &self,
        recipe: &Recipe,
        identities: &dyn Fn() -> Result<Identities, Problem>,
    ) -> Result<Made, Vec<Problem>> {
        let visible = self.visible(recipe)?;
        match &recipe.template {
            Some(template) => self.make_file(recipe, template, &visible, identities),
            None => self.make_folder(recipe, &visible, identities),
        }
    }

    /// Whether a recipe shows one of these names, or a value that is made of it. A name in a branch of its template
    /// that is never taken counts.
    ///
    /// # Errors
    /// What is wrong with the template.
    pub fn shows(&self, recipe: &Recipe, names: &[&Name]) -> Result<bool, Vec<Problem>> {
        let visible = self.visible(recipe)?;
        let wanted = match &recipe.template {
            Some(template) => self.ask(recipe, template, &visible)?.wanted,
            None => visible,
        };
        let mut all = wanted.clone();
        for variable in wanted.values() {
            self.parts(variable, &mut all);
        }
        Ok(names.iter().any(|name| all.contains_key(name)))
    }

    /// The recipes of a profile's targets that show one of the names, or a value that is made of it.
    ///
    /// # Errors
    /// What is wrong with a target or its template.
    pub fn recipes_showing(
        &self,
        profile: &str,
        names: &[&Name],
    ) -> Result<Vec<Recipe>, Vec<Problem>> {
        let fallback = self.profile(None).map(|(name, _)| name);
        let mut recipes = Vec::new();
        for (name, target) in &self.inventory.targets {
            let own = target.profile.as_ref().map(|own| own.value.as_str());
            if own.or(fallback.as_deref().ok()) == Some(profile) {
                let recipe = self.recipe(name, target, profile)?;
                if self.shows(&recipe, names)? {
                    recipes.push(recipe);
                }
            }
        }
        Ok(recipes)
    }

    /// The variables that a recipe may show.
    ///
    /// # Errors
    /// A service that isn't there.
    pub fn visible(&self, recipe: &Recipe) -> Result<Wanted<'_>, Problem> {
        let mut visible = self.names(recipe.service.as_deref())?;
        if !recipe.names.is_empty() {
            visible.retain(|name, _| recipe.names.contains(name));
        }
        Ok(visible)
    }

    /// A recipe's template, and the variables that it asks for: each is one that the recipe may show.
    pub(super) fn ask<'a>(
        &'a self,
        recipe: &Recipe,
        template: &Path,
        visible: &Wanted<'a>,
    ) -> Result<Asked<'a>, Vec<Problem>> {
        let beside = self.root.join(template);
        let path = if self.root.as_os_str().is_empty() || !beside.exists() {
            template
        } else {
            &beside
        };
        let template = Template::load(path, recipe.dialect, preset::TEMPLATES)?;
        let mut wanted = Vec::new();
        let mut problems = Vec::new();
        let mut lists = false;
        // Both are in the order of the names: one pass joins them.
        let mut shown = visible.iter().peekable();
        for name in template.names() {
            match name.as_str() {
                "variables" => lists = true,
                "profile" | "service" | "env" | "vars" | "previous" => {}
                name => {
                    while shown.next_if(|(other, _)| other.as_str() < name).is_some() {}
                    match shown.next_if(|(other, _)| other.as_str() == name) {
                        Some((name, variable)) => wanted.push((*name, *variable)),
                        None => problems.push(self.invisible(&template, name, recipe)),
                    }
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Asked {
            wanted: if lists {
                visible.clone()
            } else {
                wanted.into_iter().collect()
            },
            template,
            lists,
        })
    }

    fn make_file(
        &self,
        recipe: &Recipe,
        template: &Path,
        visible: &Wanted<'_>,
        identities: &dyn Fn() -> Result<Identities, Problem>,
    ) -> Result<Made, Vec<Problem>> {
        let Asked {
            template,
            wanted,
            lists,
        } = self.ask(recipe, template, visible)?;
        let values = self.values(&recipe.profile, &wanted, identities)?;
        self.complete(recipe, &wanted, &values.secrets)?;
        let listed = wanted
            .iter()
            .filter(|(name, _)| lists && values.secrets.contains_key(**name))
            .map(|(name, variable)| Listed {
                name: (*name).clone(),
                sensitive: variable.sensitive,
                purpose: variable.purpose.clone(),
            });
        let previous = if template.names().contains("previous") {
            self.previous(&recipe.profile, visible, identities)?
        } else {
            Secrets::new()
        };
        let scope = Scope {
            previous,
            variables: listed.collect(),
            secrets: values.secrets,
            profile: recipe.profile.clone(),
            service: recipe.service.clone(),
            env: self
                .inventory
                .env
                .iter()
                .filter_map(|name| {
                    Some((
                        name.value.to_string(),
                        std::env::var(name.value.as_str()).ok()?,
                    ))
                })
                .collect(),
            data: recipe.data.clone(),
        };
        let rendered = template.render(scope)?;
        Ok(Made {
            files: vec![(None, rendered.text)],
            names: rendered.names,
            opened_by: values.opened_by,
        })
    }

    /// A folder with a file for each variable, its bytes and nothing else.
    fn make_folder(
        &self,
        recipe: &Recipe,
        visible: &Wanted<'_>,
        identities: &dyn Fn() -> Result<Identities, Problem>,
    ) -> Result<Made, Vec<Problem>> {
        let values = self.values(&recipe.profile, visible, identities)?;
        self.complete(recipe, visible, &values.secrets)?;
        let mut made = Made {
            files: Vec::new(),
            names: Vec::new(),
            opened_by: values.opened_by,
        };
        for (name, secret) in values.secrets {
            made.names.push(name.to_string());
            made.files
                .push((Some(self.file_name(recipe, &name)), secret));
        }
        Ok(made)
    }

    /// The file of a variable in a recipe's folder.
    #[must_use]
    pub fn file_name(&self, recipe: &Recipe, name: &Name) -> String {
        let service = recipe
            .service
            .as_ref()
            .and_then(|service| self.inventory.services.get(service));
        service.map_or_else(
            || name.as_str().to_ascii_lowercase(),
            |service| service.file_name(name),
        )
    }

    /// A problem for each value that the profile requires and doesn't have.
    fn complete(
        &self,
        recipe: &Recipe,
        wanted: &Wanted<'_>,
        have: &Secrets,
    ) -> Result<(), Vec<Problem>> {
        if have.len() == wanted.len() {
            return Ok(());
        }
        let required =
            |variable: &Variable| variable.is_required(&recipe.profile, recipe.service.as_deref());
        let missing: Vec<Problem> = wanted
            .iter()
            .filter(|(name, variable)| !have.contains_key(**name) && required(variable))
            .map(|(name, _)| contract::missing(&self.inventory, name, &recipe.profile))
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(missing)
        }
    }

    /// Why a template may not have a name that it asks for.
    fn invisible(&self, template: &Template, name: &str, recipe: &Recipe) -> Problem {
        let Some(known) = self
            .inventory
            .variables
            .get_key_value(name)
            .map(|(known, _)| known)
        else {
            let problem = template.problem_with(
                name,
                "undeclared",
                &format!(
                    "{name} is not declared in {}",
                    self.inventory.path.display()
                ),
            );
            return problem.help(match self.nearest(name) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("declare {name} under `variables:`"),
            });
        };
        match &recipe.service {
            Some(service) if recipe.names.is_empty() || recipe.names.contains(known) => template
                .problem_with(
                    name,
                    "not-used-by",
                    &format!("{name} is not a variable of service {service}"),
                )
                .help(format!("add {service} to the `used_by` of {name}")),
            _ => template
                .problem_with(
                    name,
                    "not-in-target",
                    &format!("{name} is not among the target's `names`"),
                )
                .help(format!("add {name} to the target's `names`")),
        }
    }

    /// Writes what was made, or says what writing would change.
    ///
    /// # Errors
    /// A place that is not safe to write to, or a write that failed: the old file is as it was.
    pub fn write(&self, recipe: &Recipe, made: &Made, really: bool) -> Result<Change, Problem> {
        let (to, attributes) = (recipe.to.as_path(), &recipe.attributes);
        // A folder that the inventory leads to is part of the project; one that was typed has to be there.
        let ours = recipe
            .target
            .as_ref()
            .and_then(|name| self.inventory.targets.get(name))
            .is_some_and(|target| self.root.join(&target.to.value) == to);
        if ours
            && let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty())
            && !folder.exists()
        {
            if !really {
                return Ok(Change::Created);
            }
            file::create_folder(folder, 0o755)?;
        }
        let helped = |problem: Problem| match problem.rule {
            "not-a-file" => problem.help("remove what is there, or name another path: --to PATH"),
            _ => problem,
        };
        if let [(None, text)] = made.files.as_slice() {
            return if really {
                file::replace(to, text.expose(), attributes)
            } else {
                file::compare(to, text.expose(), attributes)
            }
            .map_err(helped);
        }
        let files: Vec<(&str, &[u8])> = made
            .files
            .iter()
            .filter_map(|(name, secret)| Some((name.as_deref()?, secret.expose())))
            .collect();
        if really {
            file::replace_folder(to, &files, attributes, false)
        } else {
            file::compare_folder(to, &files, attributes, false)
        }
        .map_err(helped)
    }
}

impl Recipe {
    /// The dialect of the file that it writes; none for a folder.
    #[must_use]
    pub fn reads_as(&self) -> Option<Dialect> {
        self.dialect
            .or_else(|| template::dialect_of(self.template.as_ref()?.file_name()?.to_str()?))
    }
}
