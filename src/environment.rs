//! Where a service finds a variable: its sources in order, which of them wins, which are shadowed, what is wrong with it.
//!
//! # Why
//!
//! Precedence is the inventory's word (`environment: [process, .env, defaults]`): the first source that has a name wins,
//! as dotenv never overwrites and as an empty value counts as one. A service that Compose starts has a second
//! environment: there the process's variables are the container's, and the project's files are not there.
//!
//! Nothing here touches the disk, the process or a vault: they are asked through [`World`]. Values are compared, never
//! shown: a layer says whether it is set and whether it differs.

mod compose;

pub use compose::{Composed, Container, EnvFile, Gift, Given, Start, compose_files, load};

use crate::dialect::{Asked, Dialect};
use crate::inventory::{Contract, Inventory, Service, Source, Spot};
use crate::problem::{Place, Problem, Severity};
use crate::secret::{Name, Secret};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The rules of [`problems`] and of what Compose fails on, each with its sentence.
pub const RULES: &[(&str, &str)] = &[
    (
        "code-default",
        "in production no variable falls to what its service's code falls back to",
    ),
    (
        "compose-default",
        "in production no variable falls to a default that a compose file publishes",
    ),
    (
        "compose-literal",
        "no secret is written out in a compose file",
    ),
    (
        "development-default",
        "in production no variable comes from what is published, or rendered, for development",
    ),
    (
        "compose-required",
        "what a compose file requires (`${NAME:?}`) has a value",
    ),
    ("compose-file", "Compose can load the compose files"),
    ("compose-env-file", "Compose can read the .env files"),
    (
        "unreadable",
        "the consumer of a .env file reads every line of it",
    ),
];

/// Whom the sources are asked through.
pub struct World<'a> {
    /// The environment of the process.
    pub process: &'a dyn Fn(&str) -> Option<Secret>,
    /// A file: a `.env` file or a compose file.
    pub file: &'a dyn Fn(&Path) -> Result<File, Problem>,
    /// What the profile's vault has, its published defaults included.
    pub vault: &'a dyn Fn(&Name) -> Found,
}

/// A file that a source names.
pub enum File {
    /// Its text.
    Text(Secret),
    /// There is none, and nothing renders it.
    Missing,
    /// There is none yet.
    Awaited(Awaited),
}

/// What a file will hold once it is rendered.
#[derive(Clone, Debug)]
pub struct Awaited {
    /// The target that renders it.
    pub target: String,
    /// The names that its template asks for.
    pub names: BTreeSet<String>,
}

/// What a target of the inventory makes of a file.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// The dialect that its consumer reads; none where the target is no such file.
    pub dialect: Option<Dialect>,
    /// The target's name.
    pub target: String,
    /// The profile whose values it shows, if it is always the same.
    pub profile: Option<String>,
}

/// What a source has under a name.
#[derive(Clone)]
pub enum Found {
    /// Nothing.
    Unset,
    /// Nothing, since there is no such file.
    NoFile,
    /// A name without a value, which takes away what stands lower: Compose's `NAME:`.
    Null,
    /// A value.
    Set(Rc<Secret>),
    /// Nothing that Compose could start with: a name that it requires has no value.
    Failed,
    /// A value, once this target is rendered.
    Awaited(String),
    /// Nobody knows: why.
    Unknown(String),
}

/// What one source says of one variable.
pub struct Layer {
    /// The source: `process`, `file`, `vault`, `defaults`; `compose` and `env_file`, and in a text that Compose
    /// interpolates its `default`.
    pub source: &'static str,
    /// Where it says so.
    pub place: Option<Place>,
    /// What it has.
    pub found: Found,
    /// For a text that Compose interpolates: the names that it asks for, each with its own sources.
    pub inside: Vec<(String, Vec<Layer>)>,
    /// How its value came about, where that can be wrong.
    origin: Origin,
}

/// How a value came about.
#[derive(Clone, PartialEq, Eq)]
enum Origin {
    /// In a way that is nobody's business.
    Given,
    /// It is what the code falls back to.
    CodeDefault,
    /// It is, at least in part, a default that a compose file publishes for these names.
    ComposeDefault,
    /// It is written out in a compose file.
    ComposeLiteral,
    /// It is in a file that this target renders from this profile.
    Rendered(String, String),
}

/// How a layer stands among those of its variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its value, or that there is none, is what the service sees.
    Wins,
    /// One above it wins; whether both are the same, where that is known.
    Shadowed(Option<bool>),
    /// It has nothing.
    Unset,
    /// It isn't known what it has.
    Unknown,
}

/// Where a service finds variables: directly, or in the container that Compose starts.
pub struct Environment {
    /// The service, as the inventory names it.
    pub service: String,
    /// The service's name in Compose's files, where Compose starts it.
    pub container: Option<String>,
    /// What is wrong with its files, whatever the variable.
    pub problems: Vec<Problem>,
    /// The names that Compose requires somewhere and that have no value: it starts nothing without them.
    pub required: Vec<(String, Place)>,
    sources: Vec<Kept>,
}

/// A source as it was read.
enum Kept {
    Process,
    Vault(PathBuf),
    File(PathBuf, Held),
    Compose(Rc<Composed>, String),
    Defaults(BTreeMap<Name, (Place, String)>),
}

/// A `.env` file as it was read.
enum Held {
    Entries(BTreeMap<String, (Rc<Secret>, usize)>, Option<Rendered>),
    Missing,
    Awaited(Awaited),
    Unreadable,
}

/// How Compose is started for every service, beside the files that each names.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// The project's folder.
    pub root: PathBuf,
    /// That folder's name.
    pub name: String,
    /// The profile's vault.
    pub vault: PathBuf,
    /// The files of `--env-file`.
    pub env_files: Vec<PathBuf>,
    /// What targets make of files, by path.
    pub rendered: BTreeMap<PathBuf, Rendered>,
}

/// The environments of services: of each its own, and the container's if Compose starts it. Each file is read once for
/// each of them, and each set of compose files once for all.
#[must_use]
pub fn environments(
    inventory: &Inventory,
    services: &[&str],
    setting: &Setting,
    world: &World<'_>,
) -> Vec<Environment> {
    let mut loaded: BTreeMap<Start, Rc<Composed>> = BTreeMap::new();
    let mut environments = Vec::new();
    for &name in services {
        let Some(service) = inventory.services.get(name) else {
            continue;
        };
        let has_source = service
            .environment
            .iter()
            .any(|source| source.value == Source::Compose);
        let mut composed = || {
            let start = start(service, setting);
            let composed = loaded
                .entry(start)
                .or_insert_with_key(|start| Rc::new(load(start, world)));
            (Rc::clone(composed), container(service, name))
        };
        let mut own = Environment::new(name);
        for source in &service.environment {
            let kept = match &source.value {
                Source::Process => Kept::Process,
                Source::Vault => Kept::Vault(setting.vault.clone()),
                Source::Defaults => defaults(service, inventory),
                Source::File(path) => own.file(&setting.root.join(path), setting, world),
                Source::Compose => {
                    let (composed, container) = composed();
                    own.composed(composed, container, service, inventory)
                }
            };
            own.sources.push(kept);
        }
        environments.push(own);
        if service.compose.is_some() && !has_source {
            let mut inner = Environment::new(name);
            let (composed, container) = composed();
            let kept = inner.composed(composed, container, service, inventory);
            inner.sources = vec![kept, defaults(service, inventory)];
            environments.push(inner);
        }
    }
    environments
}

fn start(service: &Service, setting: &Setting) -> Start {
    let files = service.compose.iter().flat_map(|compose| &compose.files);
    Start {
        folder: setting.root.clone(),
        files: files.map(|file| setting.root.join(&file.value)).collect(),
        env_files: setting.env_files.clone(),
        project: setting.name.clone(),
    }
}

fn defaults(service: &Service, inventory: &Inventory) -> Kept {
    let defaults = service.code_defaults.iter();
    let placed = |(name, default): (&Name, &Spot<String>)| {
        let place = Place::at(&inventory.path, default.at.line, 0);
        (name.clone(), (place, default.value.clone()))
    };
    Kept::Defaults(defaults.map(placed).collect())
}

/// What a service is called in Compose's files.
fn container(service: &Service, name: &str) -> String {
    let said = service
        .compose
        .as_ref()
        .and_then(|compose| compose.service.as_ref());
    said.map_or(name, |said| said.value.as_str()).to_owned()
}

impl Environment {
    fn new(service: &str) -> Environment {
        Environment {
            service: service.to_owned(),
            container: None,
            problems: Vec::new(),
            required: Vec::new(),
            sources: Vec::new(),
        }
    }

    /// A `.env` file, by the rules of whoever it is rendered for, else of npm's dotenv.
    fn file(&mut self, path: &Path, setting: &Setting, world: &World<'_>) -> Kept {
        let rendered = setting.rendered.get(path);
        let held = match (world.file)(path) {
            Ok(File::Text(text)) => {
                let dialect = rendered
                    .and_then(|rendered| rendered.dialect)
                    .unwrap_or(Dialect::Node);
                match dialect.read(text.expose()) {
                    Ok(entries) => {
                        let lines = lines(text.expose());
                        let entries = entries.into_iter().map(|(name, value)| {
                            let line = line_of(&lines, &name);
                            let value = Rc::new(Secret::new(value.into_owned()));
                            (name.into_owned(), (value, line))
                        });
                        Held::Entries(entries.collect(), rendered.cloned())
                    }
                    Err(error) => {
                        let message = format!("{} reads {}", dialect.name(), error.why);
                        let problem = Problem::new("unreadable", message)
                            .at(Place::at(path, error.line, 0))
                            .help("mend the line, or let dotage render the file");
                        self.problems.push(problem);
                        Held::Unreadable
                    }
                }
            }
            Ok(File::Missing) => Held::Missing,
            Ok(File::Awaited(awaited)) => Held::Awaited(awaited),
            Err(problem) => {
                self.problems.push(problem);
                Held::Unreadable
            }
        };
        Kept::File(path.to_owned(), held)
    }

    fn composed(
        &mut self,
        composed: Rc<Composed>,
        container: String,
        service: &Service,
        inventory: &Inventory,
    ) -> Kept {
        self.problems.extend(composed.problems.iter().cloned());
        self.required.extend(composed.required.iter().cloned());
        match composed.containers.get(&container) {
            None if composed.problems.is_empty() => {
                let at = service
                    .compose
                    .as_ref()
                    .and_then(|compose| compose.service.as_ref());
                let at = at.map_or(service.at, |spot| spot.at);
                let known: Vec<&str> = composed.containers.keys().map(String::as_str).collect();
                self.problems.push(
                    inventory
                        .problem(
                            "compose-service",
                            at,
                            format!("there is no service {container} in its compose files"),
                        )
                        .help(format!(
                            "name one of theirs: compose: {{ service: {} }}",
                            known.join(" | ")
                        )),
                );
            }
            Some(found) if !found.profiles.is_empty() => self.problems.push(
                Problem::new(
                    "compose-profile",
                    format!("Compose starts {container} only when asked"),
                )
                .severity(Severity::Note)
                .help(format!(
                    "docker compose --profile {} up",
                    found.profiles.join(" --profile ")
                )),
            ),
            _ => {}
        }
        self.container = Some(container.clone());
        Kept::Compose(composed, container)
    }

    /// What each source has under a name, the one that wins first.
    #[must_use]
    pub fn layers(&self, name: &Name, world: &World<'_>) -> Vec<Layer> {
        let mut layers = Vec::new();
        for source in &self.sources {
            match source {
                Kept::Process => layers.push(process(name.as_str(), world)),
                Kept::Vault(path) => {
                    let place = Place::file(path);
                    layers.push(Layer::new("vault", Some(place), (world.vault)(name)));
                }
                Kept::File(path, held) => layers.push(held.layer(path, name)),
                Kept::Defaults(defaults) => {
                    let mut layer = Layer::new("defaults", None, Found::Unset);
                    if let Some((place, default)) = defaults.get(name) {
                        layer.found =
                            Found::Set(Rc::new(Secret::new(default.clone().into_bytes())));
                        layer.place = Some(place.clone());
                        layer.origin = Origin::CodeDefault;
                    }
                    layers.push(layer);
                }
                Kept::Compose(composed, container) => {
                    let given = composed
                        .containers
                        .get(container)
                        .and_then(|container| container.given.get(name.as_str()));
                    match given {
                        Some(given) => {
                            layers.extend(given.iter().map(|given| composed.layer(given, world)));
                        }
                        None => layers.push(Layer::new("compose", None, Found::Unset)),
                    }
                }
            }
        }
        layers
    }
}

impl Held {
    fn layer(&self, path: &Path, name: &Name) -> Layer {
        let found = |found| Layer::new("file", Some(Place::file(path)), found);
        match self {
            Held::Entries(entries, rendered) => match entries.get(name.as_str()) {
                Some((value, line)) => {
                    let place = Place::at(path, *line, 0);
                    let mut layer = Layer::new("file", Some(place), Found::Set(Rc::clone(value)));
                    if let Some(rendered) = rendered
                        && let Some(profile) = &rendered.profile
                    {
                        layer.origin = Origin::Rendered(rendered.target.clone(), profile.clone());
                    }
                    layer
                }
                None => found(Found::Unset),
            },
            Held::Awaited(awaited) if awaited.names.contains(name.as_str()) => {
                found(Found::Awaited(awaited.target.clone()))
            }
            Held::Missing | Held::Awaited(_) => found(Found::NoFile),
            Held::Unreadable => found(Found::Unknown("it can't be read".to_owned())),
        }
    }
}

fn process(name: &str, world: &World<'_>) -> Layer {
    let found = match (world.process)(name) {
        Some(value) => Found::Set(Rc::new(value)),
        None => Found::Unset,
    };
    Layer::new("process", None, found)
}

impl Composed {
    /// A giver as a layer, with the sources of each name that its value is made of.
    fn layer(&self, given: &Given, world: &World<'_>) -> Layer {
        let found = match &given.value {
            Gift::Null => Found::Null,
            Gift::Failed => Found::Failed,
            Gift::Value(value) => Found::Set(Rc::clone(value)),
            Gift::Awaited => {
                let target = self.env_files.iter().find_map(|file| file.awaited.as_ref());
                Found::Awaited(target.map_or_else(String::new, |awaited| awaited.target.clone()))
            }
        };
        let source = match given.file {
            None => "compose",
            Some(_) => "env_file",
        };
        let mut layer = Layer::new(source, Some(given.place.clone()), found);
        let published = |(_, asked): &(String, Asked)| *asked == Asked::Default { literal: true };
        layer.origin = if given.asked.iter().any(published) {
            Origin::ComposeDefault
        } else if given.asked.is_empty() && given.file.is_none() {
            Origin::ComposeLiteral
        } else {
            Origin::Given
        };
        for (name, asked) in &given.asked {
            if layer.inside.iter().any(|(known, _)| known == name) {
                continue;
            }
            let mut sources = vec![process(name, world)];
            sources.extend(self.env_files.iter().map(|file| {
                let (line, found) = match (file.entries.get(name), &file.awaited) {
                    (Some((value, line)), _) => (*line, Found::Set(Rc::clone(value))),
                    (None, Some(awaited)) if awaited.names.contains(name) => {
                        (0, Found::Awaited(awaited.target.clone()))
                    }
                    (None, None) if !file.missing => (0, Found::Unset),
                    (None, _) => (0, Found::NoFile),
                };
                Layer::new("file", Some(Place::at(&file.path, line, 0)), found)
            }));
            // What it falls back to is a value of this name alone when it asks for no other.
            let alone = given.asked.len() == 1;
            let falls = matches!(asked, Asked::Default { .. });
            if let Some(fallback) = given.fallback.as_ref().filter(|_| alone || falls) {
                let mut layer = Layer::new(
                    "default",
                    Some(given.place.clone()),
                    Found::Set(Rc::clone(fallback)),
                );
                layer.origin = Origin::ComposeDefault;
                // `${NAME:-default}` passes over an empty value: then the default stands above it.
                let passed = falls
                    && sources
                        .iter()
                        .any(|source| matches!(source.found, Found::Set(_)));
                let place = if passed { 0 } else { sources.len() };
                sources.insert(place, layer);
            }
            layer.inside.push((name.clone(), sources));
        }
        layer
    }
}

impl Layer {
    fn new(source: &'static str, place: Option<Place>, found: Found) -> Layer {
        Layer {
            source,
            place,
            found,
            inside: Vec::new(),
            origin: Origin::Given,
        }
    }
}

/// The layer that decides: the first that has a value, or says that there is none.
#[must_use]
pub fn winner(layers: &[Layer]) -> Option<usize> {
    layers.iter().position(|layer| {
        matches!(
            layer.found,
            Found::Set(_) | Found::Null | Found::Awaited(_) | Found::Failed
        )
    })
}

/// How each layer stands.
#[must_use]
pub fn states(layers: &[Layer]) -> Vec<State> {
    let winner = winner(layers);
    let value = |layer: &Layer| match &layer.found {
        Found::Set(value) => Some(Rc::clone(value)),
        _ => None,
    };
    let won = winner.and_then(|winner| layers.get(winner));
    layers
        .iter()
        .enumerate()
        .map(|(index, layer)| match &layer.found {
            Found::Unset | Found::NoFile => State::Unset,
            Found::Unknown(_) => State::Unknown,
            _ if Some(index) == winner => State::Wins,
            found => State::Shadowed(match (won.map(|won| &won.found), found) {
                (Some(Found::Null), Found::Null) => Some(true),
                (Some(Found::Null), Found::Set(_)) | (Some(Found::Set(_)), Found::Null) => {
                    Some(false)
                }
                _ => won
                    .and_then(value)
                    .zip(value(layer))
                    .map(|(won, other)| won.same(&other)),
            }),
        })
        .collect()
}

/// What is wrong with where a variable comes from: an error in a strict profile, else a note. In a strict profile the
/// profile's own published default is only warned of.
#[must_use]
pub fn problems(
    inventory: &Inventory,
    profile: &str,
    name: &Name,
    environment: &Environment,
    layers: &[Layer],
) -> Vec<Problem> {
    let strict = is_strict(inventory, profile);
    let (Some(variable), Some(service)) = (
        inventory.variables.get(name),
        inventory.services.get(&environment.service),
    ) else {
        return Vec::new();
    };
    let Some(won) = winner(layers) else {
        return Vec::new();
    };
    // What nobody could look into may well have it.
    if layers
        .iter()
        .take(won)
        .any(|layer| matches!(layer.found, Found::Unknown(_)))
    {
        return Vec::new();
    }
    let Some(layer) = layers.get(won) else {
        return Vec::new();
    };
    let Found::Set(value) = &layer.found else {
        return until_rendered(name, environment, layers, won)
            .into_iter()
            .collect();
    };
    let is_default = |default: Option<&Spot<String>>| {
        default.is_some_and(|default| value.same(&Secret::new(default.value.clone().into_bytes())))
    };
    let own = is_default(variable.defaults.get(profile));
    let who = &environment.service;
    let set = format!("dotage set {name} --profile {profile}, and render or run with it");
    let at = |problem: Problem| match &layer.place {
        Some(place) => problem.at(place.clone()),
        None => problem,
    };
    let lenient = |other: &str| {
        other != profile
            && inventory
                .profiles
                .get(other)
                .is_some_and(|other| other.contract == Contract::Lenient)
    };
    let mut problem = match &layer.origin {
        Origin::CodeDefault => service.code_defaults.get(name).map(|default| {
            let message = format!("{name} falls to the default of {who}'s code, which is published");
            inventory.problem("code-default", default.at, message).help(set.clone())
        }),
        Origin::ComposeDefault => Some(at(Problem::new(
            "compose-default",
            format!("{name} falls to the default of the compose file for {who}, which is published"),
        )
        .help(set.clone()))),
        Origin::ComposeLiteral if variable.sensitive && !value.expose().is_empty() => Some(at(Problem::new(
            "compose-literal",
            format!("{name} is written out in the compose file for {who}"),
        )
        .help(format!("write `{name}: ${{{name}:?}}` there, and its value into the vault: dotage set {name} --profile {profile}")))),
        Origin::Rendered(target, from) if strict && lenient(from) => Some(
            at(Problem::new(
                "development-default",
                format!("{name} comes to {who} from a file that target {target} renders from profile {from}"),
            )
            .help("remove the file where this profile runs"))
            .severity(Severity::Warning),
        ),
        _ => None,
    };
    if problem.is_none() && strict && !own && !value.expose().is_empty() {
        let published = variable
            .defaults
            .iter()
            .find(|(other, default)| lenient(other) && is_default(Some(default)));
        problem = published.map(|(other, _)| {
            let message = format!(
                "{name} comes to {who} with the value that is published for profile {other}"
            );
            at(Problem::new("development-default", message).help(set.clone()))
        });
    }
    problem
        .into_iter()
        .map(|problem| match problem.severity {
            _ if !strict => problem.severity(Severity::Note),
            Severity::Error if own => problem.severity(Severity::Warning),
            _ => problem,
        })
        .collect()
}

/// What a service falls to as long as the file that will win isn't there.
fn until_rendered(
    name: &Name,
    environment: &Environment,
    layers: &[Layer],
    won: usize,
) -> Option<Problem> {
    let layer = layers.get(won)?;
    let Found::Awaited(target) = &layer.found else {
        return None;
    };
    let inside = layer.inside.iter().flat_map(|(_, sources)| sources);
    let mut lower = inside.chain(layers.iter().skip(won + 1));
    let falls = lower.find(|layer| matches!(layer.found, Found::Set(_)))?;
    let (rule, whose) = match falls.origin {
        Origin::CodeDefault => ("code-default", "its code's default"),
        Origin::ComposeDefault => ("compose-default", "the compose file's default"),
        _ => return None,
    };
    let who = &environment.service;
    let message = format!(
        "until target {target} is rendered, {who} gets {name} from {whose}, which is published"
    );
    let problem = Problem::new(rule, message)
        .severity(Severity::Note)
        .help(format!("dotage render {target}"));
    Some(match &falls.place {
        Some(place) => problem.at(place.clone()),
        None => problem,
    })
}

/// What is wrong with the files of an environment, whatever the variable: each once. That Compose requires a name
/// which has no value is an error in a strict profile, else a note.
#[must_use]
pub fn file_problems(
    inventory: &Inventory,
    profile: &str,
    environment: &Environment,
) -> Vec<Problem> {
    let strict = is_strict(inventory, profile);
    let mut problems = environment.problems.clone();
    problems.extend(environment.required.iter().map(|(name, place)| {
        // The message that the author wrote after `:?` isn't repeated: nobody knows what is in it.
        let message = format!("Compose requires {name} here, and it has no value");
        let problem = Problem::new("compose-required", message)
            .at(place.clone())
            .help(format!(
                "set {name} where Compose looks: its environment, or .env"
            ));
        if strict {
            problem
        } else {
            problem.severity(Severity::Note)
        }
    }));
    problems
}

fn is_strict(inventory: &Inventory, profile: &str) -> bool {
    let profile = inventory.profiles.get(profile);
    profile.is_some_and(|profile| profile.contract == Contract::Strict)
}

/// The names that lines of a `.env` file begin with, each with the last line that does.
fn lines(text: &[u8]) -> BTreeMap<&[u8], usize> {
    let mut lines = BTreeMap::new();
    for (line, number) in text.split(|&byte| byte == b'\n').zip(1..) {
        let line = line
            .strip_prefix("\u{feff}".as_bytes())
            .unwrap_or(line)
            .trim_ascii_start();
        let line = line
            .strip_prefix(b"export ")
            .unwrap_or(line)
            .trim_ascii_start();
        let end = line
            .iter()
            .position(|byte| matches!(byte, b'=' | b':'))
            .unwrap_or(line.len());
        lines.insert(line.get(..end).unwrap_or_default().trim_ascii_end(), number);
    }
    lines
}

/// The line that assigns a name; 0 where no line begins with it.
fn line_of(lines: &BTreeMap<&[u8], usize>, name: &str) -> usize {
    lines.get(name.as_bytes()).copied().unwrap_or_default()
}
