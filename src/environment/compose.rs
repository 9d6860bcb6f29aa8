//! Compose's files, several merged, interpolated, extended and included, down to what each container is given.
//!
//! # Why
//!
//! The rules are those of compose-go's loader, held to its recorded answers and to the real program in
//! tests/environment.rs: each file is interpolated whole, then extended, cut by its `!reset`s and merged by what is
//! said of `environment` and `env_file`. What else a compose file says is only interpolated, since a required name that
//! is missing anywhere keeps the whole project from starting; its schema is not checked.
//!
//! A value is evaluated where it stands and kept with the names that it asked for, so that who wins can be told later.
//! What a target has yet to render is known by name only: a placeholder stands for it, and what is made of it is
//! unknown.

use super::{Awaited, File, World, line_of};
use crate::dialect::{Asked, Entries, Unreadable, interpolate_telling, read_raw_with, read_with};
use crate::problem::{Place, Problem};
use crate::secret::Secret;
use crate::yaml::{self, At, Content, Meaning, Value};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The names that Compose looks for, in its order, and those of the file beside it that goes over it.
const FILES: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];
const OVERRIDES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// How deep files may extend or include each other.
const DEPTH: usize = 32;

/// How Compose is started.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Start {
    /// The folder that it is started in.
    pub folder: PathBuf,
    /// The files of `-f`; none: those of `COMPOSE_FILE`, else those with the names that Compose looks for.
    pub files: Vec<PathBuf>,
    /// The files of `--env-file`; none: those of `COMPOSE_ENV_FILES`, else `.env`.
    pub env_files: Vec<PathBuf>,
    /// What the project is called where nothing says it: its folder's name.
    pub project: String,
}

/// A project as Compose loads it.
pub struct Composed {
    /// What each service's container is given, by the service's name.
    pub containers: BTreeMap<String, Container>,
    /// What Compose would fail on, beside what is required.
    pub problems: Vec<Problem>,
    /// The names that are required and have no value (`${NAME:?}`), each with where: Compose fails on any of them.
    pub required: Vec<(String, Place)>,
    /// The files that interpolation reads, those that win first.
    pub env_files: Vec<EnvFile>,
}

/// What a container is given.
pub struct Container {
    /// Who gives each name, the one that wins first.
    pub given: BTreeMap<String, Vec<Given>>,
    /// The Compose profiles without one of which it isn't started; none: it always is.
    pub profiles: Vec<String>,
}

/// One giver of a name: a line of `environment`, or a file of `env_file`.
pub struct Given {
    /// The `env_file`; none: `environment`.
    pub file: Option<PathBuf>,
    /// The line.
    pub place: Place,
    /// What it gives.
    pub value: Gift,
    /// The names that its value is made of, and what became of each.
    pub asked: Vec<(String, Asked)>,
    /// What its value would be if none of these names had one, if that is something.
    pub fallback: Option<Rc<Secret>>,
}

/// What a container is given under a name.
#[derive(Clone)]
pub enum Gift {
    /// Nothing: a name without a value, which takes away what stands lower.
    Null,
    /// This.
    Value(Rc<Secret>),
    /// Something that is made of what a target has yet to render.
    Awaited,
    /// What Compose fails on: a name that is required and has no value, or no text that can be interpolated.
    Failed,
}

/// A file that interpolation reads.
pub struct EnvFile {
    /// Its path.
    pub path: PathBuf,
    /// Its values by name, each with its line.
    pub entries: BTreeMap<String, (Rc<Secret>, usize)>,
    /// What it will hold, when it isn't rendered yet.
    pub awaited: Option<Awaited>,
    /// Whether there is no such file.
    pub missing: bool,
}

/// What a name stands for in an interpolation.
enum Seen {
    Value(Vec<u8>),
    Awaited,
}

/// Where interpolation looks names up: the process environment, then files.
struct Names<'a> {
    world: &'a World<'a>,
    files: Vec<EnvFile>,
    project: String,
}

impl Names<'_> {
    fn see(&self, name: &str) -> Option<Seen> {
        if let Some(value) = (self.world.process)(name) {
            return Some(Seen::Value(value.expose().to_vec()));
        }
        for file in &self.files {
            if let Some((value, _)) = file.entries.get(name) {
                return Some(Seen::Value(value.expose().to_vec()));
            }
            if file
                .awaited
                .as_ref()
                .is_some_and(|awaited| awaited.names.contains(name))
            {
                return Some(Seen::Awaited);
            }
        }
        (name == "COMPOSE_PROJECT_NAME").then(|| Seen::Value(self.project.clone().into_bytes()))
    }

    fn value(&self, name: &str) -> Option<Vec<u8>> {
        self.see(name).map(|seen| match seen {
            Seen::Value(value) => value,
            // Only whether it is empty matters, and it is marked as unknown.
            Seen::Awaited => b"awaited".to_vec(),
        })
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.see(name)? {
            Seen::Value(value) => String::from_utf8(value).ok(),
            Seen::Awaited => None,
        }
    }

    /// Reads files, of which the later override the earlier and none overrides what there is.
    fn read(&mut self, paths: &[PathBuf], must: bool, problems: &mut Vec<Problem>) {
        let before = self.files.len();
        for path in paths {
            let mut file = EnvFile {
                path: path.clone(),
                entries: BTreeMap::new(),
                awaited: None,
                missing: false,
            };
            match (self.world.file)(path) {
                Ok(File::Text(text)) => {
                    let read = read_with(text.expose(), &|name| self.value(name));
                    match listed(read, path, text.expose()) {
                        Ok(entries) => file.entries = entries,
                        Err(problem) => problems.push(problem),
                    }
                }
                Ok(File::Awaited(awaited)) => file.awaited = Some(awaited),
                Ok(File::Missing) if must => problems.push(missing(path)),
                Ok(File::Missing) => file.missing = true,
                Err(problem) => problems.push(problem),
            }
            self.files.insert(before, file);
        }
    }
}

/// The entries of a file by name, the last of each name with its line.
fn listed(
    read: Result<Entries<'_>, Unreadable>,
    path: &Path,
    text: &[u8],
) -> Result<BTreeMap<String, (Rc<Secret>, usize)>, Problem> {
    let entries = read.map_err(|error| {
        Problem::new("compose-env-file", format!("Compose reads {}", error.why))
            .at(Place::at(path, error.line, 0))
            .help("mend the line; dotage render writes such files as Compose reads them")
    })?;
    let lines = super::lines(text);
    Ok(entries
        .into_iter()
        .map(|(name, value)| {
            let line = line_of(&lines, &name);
            let value = Rc::new(Secret::new(value.into_owned()));
            (name.into_owned(), (value, line))
        })
        .collect())
}

fn missing(path: &Path) -> Problem {
    Problem::new("compose-file", "there is no such file, and Compose fails")
        .at(Place::file(path))
        .help("write it, or name the one that is meant")
}

/// A service as far as it is merged.
#[derive(Clone, Default)]
struct Service {
    /// The lines of `environment`, the later over the earlier.
    lines: Vec<Rc<Line>>,
    /// Whether they are one file's mapping still, from which `!reset` can take a name.
    mapping: bool,
    /// Whether it has an `environment` at all.
    has_environment: bool,
    /// An `environment:` with nothing under it, which is wrong unless it goes over one.
    empty: Option<Place>,
    env_files: Vec<Rc<Wanted>>,
    profiles: Vec<String>,
    extends: Option<Extends>,
    cuts: Cuts,
}

/// What a file takes away from those before it.
#[derive(Clone, Default)]
struct Cuts {
    whole: bool,
    /// The service itself is gone, not only what was said of it.
    gone: bool,
    environment: bool,
    names: Vec<String>,
    env_file: bool,
}

/// A line of `environment`.
struct Line {
    name: String,
    place: Place,
    /// Its value; none: that of the same name where interpolation looks.
    text: Option<Text>,
}

/// An interpolated text.
struct Text {
    value: Gift,
    asked: Vec<(String, Asked)>,
    fallback: Option<Rc<Secret>>,
}

/// An item of `env_file`.
struct Wanted {
    path: PathBuf,
    place: Place,
    required: bool,
    raw: bool,
}

#[derive(Clone)]
struct Extends {
    place: Place,
    file: Option<PathBuf>,
    service: String,
}

type Services = BTreeMap<String, Service>;

impl Service {
    /// Puts what a later file says over this.
    fn merge(&mut self, over: Service) {
        self.cut(&over.cuts);
        self.mapping = if self.has_environment && over.has_environment {
            false
        } else {
            self.mapping || over.mapping
        };
        self.empty = match (self.has_environment, over.has_environment) {
            (false, false) => over.empty.or(self.empty.take()),
            _ => None,
        };
        self.has_environment |= over.has_environment;
        self.lines.extend(over.lines);
        for file in over.env_files {
            self.want(file);
        }
        self.profiles.extend(over.profiles);
    }

    fn cut(&mut self, cuts: &Cuts) {
        if cuts.whole {
            *self = Service::default();
        }
        if cuts.environment {
            self.lines.clear();
            self.has_environment = false;
        }
        if self.mapping {
            self.lines.retain(|line| !cuts.names.contains(&line.name));
        }
        if cuts.env_file {
            self.env_files.clear();
        }
    }

    /// A path that is there already keeps its turn.
    fn want(&mut self, file: Rc<Wanted>) {
        match self
            .env_files
            .iter_mut()
            .find(|known| known.path == file.path)
        {
            Some(known) => *known = file,
            None => self.env_files.push(file),
        }
    }
}

/// The names of the files that Compose takes in a folder where nothing names any: its file, and the one that goes over it.
#[must_use]
pub fn compose_files(there: &dyn Fn(&str) -> bool) -> Vec<&'static str> {
    let first = |names: [&'static str; 4]| names.into_iter().find(|name| there(name));
    match first(FILES) {
        Some(file) => [file].into_iter().chain(first(OVERRIDES)).collect(),
        None => Vec::new(),
    }
}

/// Loads a project. What Compose would fail on is told, and the rest goes on without it.
#[must_use]
pub fn load(start: &Start, world: &World<'_>) -> Composed {
    let mut loader = Loader {
        problems: Vec::new(),
        required: Vec::new(),
    };
    let mut names = Names {
        world,
        files: Vec::new(),
        project: String::new(),
    };
    let disabled = (world.process)("COMPOSE_DISABLE_ENV_FILE").is_some_and(|word| {
        matches!(
            word.expose(),
            b"1" | b"t" | b"T" | b"true" | b"TRUE" | b"True"
        )
    });
    let listed = (world.process)("COMPOSE_ENV_FILES")
        .and_then(|list| String::from_utf8(list.expose().to_vec()).ok())
        .filter(|list| !list.is_empty());
    let folder_of = |file: &Path| file.parent().unwrap_or(Path::new("")).to_owned();
    if !start.env_files.is_empty() {
        names.read(&start.env_files, true, &mut loader.problems);
    } else if let Some(list) = &listed {
        let paths: Vec<PathBuf> = list
            .split(',')
            .map(|path| start.folder.join(path))
            .collect();
        names.read(&paths, true, &mut loader.problems);
    } else if !disabled {
        let folder = start
            .files
            .first()
            .map_or(start.folder.clone(), |file| folder_of(file));
        names.read(&[folder.join(".env")], false, &mut loader.problems);
    }
    let mut files = start.files.clone();
    if files.is_empty()
        && let Some(list) = names.text("COMPOSE_FILE")
    {
        let separator = names
            .text("COMPOSE_PATH_SEPARATOR")
            .filter(|separator| !separator.is_empty());
        let separator = separator.as_deref().unwrap_or(":");
        files = list
            .split(separator)
            .map(|path| start.folder.join(path))
            .collect();
        let folder = files
            .first()
            .map(|file| folder_of(file))
            .unwrap_or_default();
        if start.env_files.is_empty() && listed.is_none() && !disabled && folder != start.folder {
            names.read(&[folder.join(".env")], false, &mut loader.problems);
        }
    }
    if files.is_empty() {
        let there = |name: &str| {
            let file = (world.file)(&start.folder.join(name));
            !matches!(file, Ok(File::Missing))
        };
        let found = compose_files(&there).into_iter();
        files.extend(found.map(|name| start.folder.join(name)));
        if files.is_empty() {
            loader.problems.push(
                Problem::new("compose-file", "there is no compose file")
                    .at(Place::file(start.folder.join("compose.yaml")))
                    .help("name it in dotage.yaml: compose: { files: [FILE] }"),
            );
        }
    }
    let folder = files
        .first()
        .map(|file| folder_of(file))
        .unwrap_or_default();
    let texts: Vec<(PathBuf, Secret)> = files
        .iter()
        .filter_map(|file| Some((file.clone(), loader.text(world, file)?)))
        .collect();
    let documents = loader.parsed(&texts);
    names.project = project(&documents, &folder, start, &names);
    let services = loader.files(&documents, &folder, &names, &mut Vec::new());
    let active = names.text("COMPOSE_PROFILES").unwrap_or_default();
    let active: Vec<&str> = active.split(',').map(str::trim).collect();
    let mut containers = BTreeMap::new();
    for (name, service) in services {
        let enabled = service.profiles.is_empty()
            || active.contains(&"*")
            || service
                .profiles
                .iter()
                .any(|profile| active.contains(&profile.as_str()));
        let given = loader.given(&service, &names, enabled);
        let profiles = if enabled {
            Vec::new()
        } else {
            service.profiles
        };
        containers.insert(name, Container { given, profiles });
    }
    let mut problems: Vec<Problem> = Vec::new();
    for problem in loader.problems {
        // A text that aliases repeat is wrong once.
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    loader.required.sort();
    loader.required.dedup();
    Composed {
        containers,
        problems,
        required: loader.required,
        env_files: names.files,
    }
}

/// What is wrong has been said.
struct Said;

struct Loader {
    problems: Vec<Problem>,
    required: Vec<(String, Place)>,
}

impl Loader {
    fn fail(&mut self, path: &Path, at: At, message: impl Into<String>, help: &str) {
        self.problems.push(
            Problem::new("compose-file", message)
                .at(Place::at(path, at.line, at.column))
                .help(help),
        );
    }

    fn text(&mut self, world: &World<'_>, path: &Path) -> Option<Secret> {
        match (world.file)(path) {
            Ok(File::Text(text)) => return Some(text),
            Ok(_) => self.problems.push(missing(path)),
            Err(problem) => self.problems.push(problem),
        }
        None
    }

    fn documents<'a>(&mut self, path: &Path, text: &'a Secret) -> Vec<Value<'a>> {
        let Ok(text) = std::str::from_utf8(text.expose()) else {
            self.problems.push(
                Problem::new("compose-file", "not UTF-8 text")
                    .at(Place::file(path))
                    .help("save it as UTF-8"),
            );
            return Vec::new();
        };
        match yaml::documents(text) {
            Ok(documents) => documents,
            Err(fault) => {
                let mut problem = fault.problem(path);
                problem.rule = "compose-file";
                self.problems.push(problem);
                Vec::new()
            }
        }
    }

    /// The documents of several files.
    fn parsed<'a>(&mut self, texts: &'a [(PathBuf, Secret)]) -> Vec<(&'a Path, Vec<Value<'a>>)> {
        texts
            .iter()
            .map(|(path, text)| (path.as_path(), self.documents(path, text)))
            .collect()
    }

    /// The services of several files, merged.
    fn files(
        &mut self,
        texts: &[(&Path, Vec<Value<'_>>)],
        folder: &Path,
        names: &Names<'_>,
        within: &mut Vec<PathBuf>,
    ) -> Services {
        let mut merged = Services::new();
        for (path, documents) in texts {
            for document in documents {
                let (mut said, all) = self.services(document, path, folder, names);
                let extending: Vec<String> = said
                    .iter()
                    .filter(|(_, service)| service.extends.is_some())
                    .map(|(name, _)| name.clone())
                    .collect();
                for name in extending {
                    let chain = &mut vec![(path.to_path_buf(), name.clone())];
                    if let Some(service) = self.extended(&name, &said, path, names, chain) {
                        said.insert(name, service);
                    }
                }
                if all {
                    merged.clear();
                }
                self.include(document, path, folder, names, within, &mut said);
                for (name, service) in said {
                    if service.cuts.gone {
                        merged.remove(&name);
                    } else {
                        merged.entry(name).or_default().merge(service);
                    }
                }
                for service in merged.values_mut() {
                    if let Some(place) = service.empty.take() {
                        let at = At {
                            line: place.line,
                            column: place.column,
                        };
                        self.fail(
                            &place.path,
                            at,
                            "an `environment:` with nothing under it",
                            "write `environment: {}`",
                        );
                    }
                }
            }
        }
        merged
    }

    /// What a document says of services, and whether it takes away all that was said before.
    fn services(
        &mut self,
        document: &Value<'_>,
        path: &Path,
        folder: &Path,
        names: &Names<'_>,
    ) -> (Services, bool) {
        let mut said = Services::new();
        if !matches!(document.content, Content::Map(_)) {
            self.fail(
                path,
                document.at,
                "not a mapping",
                "a compose file is `services:` and what goes with it",
            );
            return (said, false);
        }
        self.interpolate(document, path, names);
        let Some(services) = document.get("services") else {
            return (said, false);
        };
        let Content::Map(entries) = &services.content else {
            self.fail(
                path,
                services.at,
                "`services` is not a mapping",
                "write each service under its name",
            );
            return (said, false);
        };
        let all = services.tag.is_some();
        if services.tag.as_deref() == Some("!reset") {
            return (said, true);
        }
        for (name, value) in entries {
            let service = self.service(value, path, folder, names);
            said.insert(name.to_string(), service);
        }
        (said, all)
    }

    fn service(
        &mut self,
        value: &Value<'_>,
        path: &Path,
        folder: &Path,
        names: &Names<'_>,
    ) -> Service {
        let mut service = Service::default();
        match value.tag.as_deref() {
            Some("!reset") => {
                service.cuts.gone = true;
                return service;
            }
            Some("!override") => service.cuts.whole = true,
            _ => {}
        }
        if !matches!(value.content, Content::Map(_)) {
            self.fail(
                path,
                value.at,
                "a service that is not a mapping",
                "write its `image:` and what goes with it under its name",
            );
            return service;
        }
        if let Some(environment) = value.get("environment") {
            service.cuts.environment = environment.tag.is_some();
            if environment.tag.as_deref() != Some("!reset") {
                self.environment(environment, path, names, &mut service);
            }
        }
        if let Some(files) = value.get("env_file") {
            service.cuts.env_file = files.tag.is_some();
            if files.tag.as_deref() != Some("!reset") {
                self.env_file(files, path, folder, names, &mut service);
            }
        }
        if let Some(profiles) = value.get("profiles")
            && let Content::List(profiles) = &profiles.content
        {
            for profile in profiles {
                service.profiles.extend(self.word(profile, path, names));
            }
        }
        if let Some(extends) = value.get("extends") {
            let (from, file) = match &extends.content {
                Content::Map(_) => (extends.get("service"), extends.get("file")),
                _ => (Some(extends), None),
            };
            let named = from.and_then(|from| self.word(from, path, names));
            let file = file.and_then(|file| self.word(file, path, names));
            match named {
                Some(named) => {
                    service.extends = Some(Extends {
                        place: Place::at(path, extends.at.line, extends.at.column),
                        file: file.map(|file| folder.join(file)),
                        service: named,
                    });
                }
                None => self.fail(
                    path,
                    extends.at,
                    "`extends` without a service",
                    "write `extends: { service: NAME }`",
                ),
            }
        }
        service
    }

    fn environment(
        &mut self,
        value: &Value<'_>,
        path: &Path,
        names: &Names<'_>,
        service: &mut Service,
    ) {
        service.has_environment = true;
        match &value.content {
            Content::Map(entries) => {
                service.mapping = true;
                for (name, value) in entries {
                    match value.tag.as_deref() {
                        Some("!reset") => service.cuts.names.push(name.to_string()),
                        tag => {
                            if tag == Some("!override") {
                                service.cuts.names.push(name.to_string());
                            }
                            self.line(name, value, path, names, service);
                        }
                    }
                }
            }
            Content::List(items) => {
                for item in items
                    .iter()
                    .filter(|item| item.tag.as_deref() != Some("!reset"))
                {
                    self.item(item, path, names, service);
                }
            }
            Content::Scalar { .. } if value.is_null() => {
                service.has_environment = false;
                service.empty = Some(Place::at(path, value.at.line, value.at.column));
            }
            Content::Scalar { .. } => self.fail(
                path,
                value.at,
                "an `environment` that is no mapping and no list",
                "write `NAME: value` under it",
            ),
        }
    }

    fn line(
        &mut self,
        name: &str,
        value: &Value<'_>,
        path: &Path,
        names: &Names<'_>,
        service: &mut Service,
    ) {
        let Ok(text) = self.scalar(value, path, names) else {
            return;
        };
        service.lines.push(Rc::new(Line {
            name: name.to_owned(),
            place: Place::at(path, value.at.line, value.at.column),
            text,
        }));
    }

    /// `NAME=value` or `NAME`, interpolated as a whole.
    fn item(&mut self, item: &Value<'_>, path: &Path, names: &Names<'_>, service: &mut Service) {
        let written = match &item.content {
            Content::Scalar { text, plain } if !plain || yaml::meaning(text) == Meaning::Text => {
                text
            }
            _ => {
                self.fail(
                    path,
                    item.at,
                    "an item of `environment` that is no text",
                    "write `- NAME=value`",
                );
                return;
            }
        };
        let place = Place::at(path, item.at.line, item.at.column);
        let whole = evaluate(written, names).unwrap_or_else(Failed::text);
        // What the value alone is made of, unless the name is interpolated too.
        let halves = written
            .split_once('=')
            .filter(|(name, _)| !name.contains('$'));
        let apart = halves.map(|(name, value)| {
            let text = evaluate(value, names).unwrap_or_else(Failed::text);
            (name, text)
        });
        let (name, text) = match (apart, &whole.value) {
            (Some((name, text)), _) => (name.to_owned(), Some(text)),
            (None, Gift::Value(secret)) => {
                let whole_value = secret.expose();
                let (name, value) = match whole_value.iter().position(|&byte| byte == b'=') {
                    Some(equals) => {
                        let value = whole_value.get(equals + 1..).unwrap_or_default();
                        (whole_value.get(..equals).unwrap_or_default(), Some(value))
                    }
                    None => (whole_value, None),
                };
                let text = value.map(|value| Text {
                    value: Gift::Value(Rc::new(Secret::new(value.to_vec()))),
                    asked: whole.asked.clone(),
                    fallback: None,
                });
                (String::from_utf8_lossy(name).into_owned(), text)
            }
            (None, _) => return,
        };
        if name.ends_with(' ') {
            self.fail(
                path,
                item.at,
                "a name with a space at its end",
                "write `- NAME=value`",
            );
            return;
        }
        service.lines.push(Rc::new(Line { name, place, text }));
    }

    fn env_file(
        &mut self,
        value: &Value<'_>,
        path: &Path,
        folder: &Path,
        names: &Names<'_>,
        service: &mut Service,
    ) {
        let one = std::slice::from_ref(value);
        let items = match &value.content {
            Content::List(items) => items,
            Content::Scalar { .. } => one,
            Content::Map(_) => {
                self.fail(
                    path,
                    value.at,
                    "an `env_file` that is no path and no list",
                    "write `env_file: [{ path: FILE }]`",
                );
                return;
            }
        };
        for item in items
            .iter()
            .filter(|item| item.tag.as_deref() != Some("!reset"))
        {
            let (name, required, format) = match &item.content {
                Content::Map(_) => (item.get("path"), item.get("required"), item.get("format")),
                _ => (Some(item), None, None),
            };
            let Some(file) = name.and_then(|name| self.word(name, path, names)) else {
                self.fail(
                    path,
                    item.at,
                    "an item of `env_file` without a path",
                    "write `- FILE` or `- { path: FILE }`",
                );
                continue;
            };
            let required = match required.map(|required| self.scalar(required, path, names)) {
                None => true,
                Some(word) => match word
                    .ok()
                    .flatten()
                    .and_then(|text| known(&text))
                    .map(|word| word.to_lowercase())
                    .as_deref()
                {
                    Some("true" | "1" | "yes" | "on" | "y") => true,
                    Some("false" | "0" | "no" | "off" | "n") => false,
                    _ => {
                        self.fail(
                            path,
                            item.at,
                            "a `required` that is neither true nor false",
                            "write `required: false`",
                        );
                        continue;
                    }
                },
            };
            let raw = match format
                .map(|format| self.word(format, path, names).unwrap_or_default())
                .as_deref()
            {
                None | Some("") => false,
                Some("raw") => true,
                Some(_) => {
                    self.fail(
                        path,
                        item.at,
                        "a `format` that Compose doesn't know",
                        "write `format: raw`, or leave it out",
                    );
                    continue;
                }
            };
            let file = match file.strip_prefix("~/").zip((names.world.process)("HOME")) {
                Some((rest, home)) => {
                    Path::new(&String::from_utf8_lossy(home.expose()).into_owned()).join(rest)
                }
                None => folder.join(file),
            };
            service.want(Rc::new(Wanted {
                path: file,
                place: Place::at(path, item.at.line, item.at.column),
                required,
                raw,
            }));
        }
    }

    /// A service with what it extends under it.
    fn extended(
        &mut self,
        name: &str,
        said: &Services,
        path: &Path,
        names: &Names<'_>,
        chain: &mut Vec<(PathBuf, String)>,
    ) -> Option<Service> {
        let own = said.get(name)?.clone();
        let Some(extends) = &own.extends else {
            return Some(own);
        };
        let at = At {
            line: extends.place.line,
            column: extends.place.column,
        };
        let from = extends.file.as_deref().unwrap_or(path).to_owned();
        let link = (from.clone(), extends.service.clone());
        if chain.contains(&link) || chain.len() > DEPTH {
            self.fail(
                path,
                at,
                format!("{name} extends itself"),
                "extend another service",
            );
            return None;
        }
        chain.push(link);
        let elsewhere;
        let others = match &extends.file {
            None => said,
            Some(file) => {
                let text = self.text(names.world, file)?;
                let folder = file.parent().unwrap_or(Path::new(""));
                let mut merged = Services::new();
                for document in &self.documents(file, &text) {
                    for (name, service) in self.services(document, file, folder, names).0 {
                        let extends = service.extends.clone();
                        let known = merged.entry(name).or_default();
                        known.merge(service);
                        known.extends = extends.or(known.extends.take());
                    }
                }
                elsewhere = merged;
                &elsewhere
            }
        };
        if !others.contains_key(&extends.service) {
            self.fail(
                path,
                at,
                format!("{name} extends {}, which is not there", extends.service),
                "name a service of that file",
            );
            return None;
        }
        let mut base = self.extended(&extends.service, others, &from, names, chain)?;
        let cuts = own.cuts.clone();
        base.cuts = Cuts::default();
        base.merge(own);
        // What was cut here is cut from the files before too.
        base.cuts = cuts;
        base.extends = None;
        Some(base)
    }

    /// Brings in the services of other projects.
    fn include(
        &mut self,
        document: &Value<'_>,
        path: &Path,
        folder: &Path,
        names: &Names<'_>,
        within: &mut Vec<PathBuf>,
        said: &mut Services,
    ) {
        let Some(include) = document.get("include") else {
            return;
        };
        let Content::List(items) = &include.content else {
            if !include.is_null() {
                self.fail(
                    path,
                    include.at,
                    "an `include` that is no list",
                    "write `include: [FILE]`",
                );
            }
            return;
        };
        for item in items {
            let (paths, env_files, project) = match &item.content {
                Content::Map(_) => (
                    item.get("path"),
                    item.get("env_file"),
                    item.get("project_directory"),
                ),
                _ => (Some(item), None, None),
            };
            let list = |loader: &mut Loader, value: Option<&Value<'_>>| -> Vec<PathBuf> {
                let one = value.map(std::slice::from_ref).unwrap_or_default();
                let items = match value.map(|value| &value.content) {
                    Some(Content::List(items)) => items,
                    _ => one,
                };
                items
                    .iter()
                    .filter_map(|item| Some(folder.join(loader.word(item, path, names)?)))
                    .collect()
            };
            let files = list(self, paths);
            let env_files = list(self, env_files);
            let Some(first) = files.first() else {
                self.fail(
                    path,
                    item.at,
                    "an `include` without a path",
                    "write `include: [FILE]`",
                );
                continue;
            };
            if within.contains(first) || first == path || within.len() > DEPTH {
                self.fail(path, item.at, "an `include` of itself", "remove it");
                continue;
            }
            let home = match project.and_then(|project| self.word(project, path, names)) {
                Some(project) => folder.join(project),
                None => first.parent().unwrap_or(Path::new("")).to_owned(),
            };
            let mut inner = Names {
                world: names.world,
                files: names.files.iter().map(EnvFile::copy).collect(),
                project: names.project.clone(),
            };
            if env_files.is_empty() {
                inner.read(&[home.join(".env")], false, &mut self.problems);
            } else {
                inner.read(&env_files, true, &mut self.problems);
            }
            let texts: Vec<(PathBuf, Secret)> = files
                .iter()
                .filter_map(|file| Some((file.clone(), self.text(names.world, file)?)))
                .collect();
            within.push(path.to_owned());
            let documents = self.parsed(&texts);
            let services = self.files(&documents, &home, &inner, within);
            within.pop();
            for (name, mut service) in services {
                for line in &mut service.lines {
                    if line.text.is_none() {
                        *line = Rc::new(Line {
                            name: line.name.clone(),
                            place: line.place.clone(),
                            text: inherited(&line.name, &inner),
                        });
                    }
                }
                match said.entry(name) {
                    Entry::Vacant(place) => {
                        place.insert(service);
                    }
                    Entry::Occupied(known) => {
                        let message = format!(
                            "it includes a service {}, and there is one here",
                            known.key()
                        );
                        self.fail(
                            path,
                            item.at,
                            message,
                            "rename one of the two, or change it in a second compose file",
                        );
                    }
                }
            }
        }
    }

    /// What stands under a key as a word, where a word has to stand.
    fn word(&mut self, value: &Value<'_>, path: &Path, names: &Names<'_>) -> Option<String> {
        match &value.content {
            Content::Scalar { text, plain } if !plain || yaml::meaning(text) == Meaning::Text => {
                known(&evaluate(text, names).ok()?)
            }
            _ => {
                self.fail(path, value.at, "no text where one belongs", "quote it");
                None
            }
        }
    }

    /// What a scalar says: a text, or (none) null.
    ///
    /// # Errors
    /// Where Compose fails: that has been said.
    fn scalar(
        &mut self,
        value: &Value<'_>,
        path: &Path,
        names: &Names<'_>,
    ) -> Result<Option<Text>, Said> {
        let Content::Scalar { text, plain } = &value.content else {
            self.fail(
                path,
                value.at,
                "a list or a mapping where a text belongs",
                "write one text",
            );
            return Err(Said);
        };
        let meaning = if *plain {
            yaml::meaning(text)
        } else {
            Meaning::Text
        };
        let said = match meaning {
            Meaning::Null => return Ok(None),
            Meaning::Time => {
                self.fail(
                    path,
                    value.at,
                    "a day or a moment where a text belongs",
                    "quote it",
                );
                return Err(Said);
            }
            // What is wrong with it has been said.
            Meaning::Text => {
                let text = evaluate(text, names).unwrap_or_else(Failed::text);
                return Ok(Some(text));
            }
            Meaning::Boolean(word) => word.to_string(),
            Meaning::Integer(number) => number.to_string(),
            Meaning::Float(number) => float(number),
        };
        Ok(Some(Text {
            value: Gift::Value(Rc::new(Secret::new(said.into_bytes()))),
            asked: Vec::new(),
            fallback: None,
        }))
    }

    /// Looks for what the interpolation of a whole document fails on.
    fn interpolate(&mut self, value: &Value<'_>, path: &Path, names: &Names<'_>) {
        match &value.content {
            Content::Scalar { text, plain } => {
                if text.contains('$')
                    && (!plain || yaml::meaning(text) == Meaning::Text)
                    && let Err(failed) = evaluate(text, names)
                {
                    match failed.required {
                        Some(name) => {
                            let place = Place::at(path, value.at.line, value.at.column);
                            self.required.push((name, place));
                        }
                        None => self.fail(path, value.at, failed.why, "write `$$` for a `$`"),
                    }
                }
            }
            Content::List(items) => {
                for item in items {
                    self.interpolate(item, path, names);
                }
            }
            Content::Map(entries) => {
                for (_, value) in entries {
                    self.interpolate(value, path, names);
                }
            }
        }
    }

    /// Who gives a container each name.
    fn given(
        &mut self,
        service: &Service,
        names: &Names<'_>,
        enabled: bool,
    ) -> BTreeMap<String, Vec<Given>> {
        let mut own: BTreeMap<String, Vec<Given>> = BTreeMap::new();
        for line in &service.lines {
            let own = own.entry(line.name.clone()).or_default();
            let inherited = line
                .text
                .is_none()
                .then(|| inherited(&line.name, names))
                .flatten();
            let text = line.text.as_ref().or(inherited.as_ref());
            let given = Given {
                file: None,
                place: line.place.clone(),
                value: text.map_or(Gift::Null, |text| text.value.clone()),
                asked: match text {
                    Some(text) => text.asked.clone(),
                    None => vec![(line.name.clone(), Asked::Nothing)],
                },
                fallback: text.and_then(|text| text.fallback.clone()),
            };
            own.insert(0, given);
        }
        let mut merged: BTreeMap<String, Vec<Given>> = BTreeMap::new();
        for file in &service.env_files {
            let text = match (names.world.file)(&file.path) {
                Ok(File::Text(text)) => text,
                Ok(File::Awaited(awaited)) => {
                    for name in &awaited.names {
                        let given = merged.entry(name.clone()).or_default();
                        given.insert(0, Given::of(file, 0, Gift::Awaited));
                    }
                    continue;
                }
                Ok(File::Missing) => {
                    if file.required && enabled {
                        self.problems.push(
                            Problem::new(
                                "compose-file",
                                format!("there is no {}, and Compose fails", file.path.display()),
                            )
                            .at(file.place.clone())
                            .help("write it, or say `required: false`"),
                        );
                    }
                    continue;
                }
                Err(problem) => {
                    self.problems.push(problem);
                    continue;
                }
            };
            let first = |given: Option<&Vec<Given>>| match given?.first()?.value {
                Gift::Null | Gift::Failed => None,
                Gift::Value(ref value) => Some(value.expose().to_vec()),
                Gift::Awaited => Some(b"awaited".to_vec()),
            };
            let lookup = |name: &str| {
                names
                    .value(name)
                    .or_else(|| first(own.get(name)))
                    .or_else(|| first(merged.get(name)))
            };
            let read = if file.raw {
                read_raw_with(text.expose(), &lookup)
            } else {
                read_with(text.expose(), &lookup)
            };
            match listed(read, &file.path, text.expose()) {
                Ok(entries) => {
                    for (name, (value, line)) in entries {
                        let given = merged.entry(name).or_default();
                        given.insert(0, Given::of(file, line, Gift::Value(value)));
                    }
                }
                Err(problem) => self.problems.push(problem),
            }
        }
        for (name, lower) in merged {
            own.entry(name).or_default().extend(lower);
        }
        own
    }
}

impl Given {
    fn of(file: &Wanted, line: usize, value: Gift) -> Given {
        Given {
            file: Some(file.path.clone()),
            place: Place::at(&file.path, line, 0),
            value,
            asked: Vec::new(),
            fallback: None,
        }
    }
}

impl EnvFile {
    fn copy(&self) -> EnvFile {
        EnvFile {
            path: self.path.clone(),
            entries: self.entries.clone(),
            awaited: self.awaited.clone(),
            missing: self.missing,
        }
    }
}

/// What a name without a value takes from where interpolation looks, if it is there.
fn inherited(name: &str, names: &Names<'_>) -> Option<Text> {
    Some(Text {
        value: match names.see(name)? {
            Seen::Value(value) => Gift::Value(Rc::new(Secret::new(value))),
            Seen::Awaited => Gift::Awaited,
        },
        asked: vec![(name.to_owned(), Asked::Value)],
        fallback: None,
    })
}

/// The text, where it is known and is one.
fn known(text: &Text) -> Option<String> {
    match &text.value {
        Gift::Value(secret) => String::from_utf8(secret.expose().to_vec()).ok(),
        _ => None,
    }
}

/// What the project is called: as the last file says that does, else as its folder.
fn project(
    documents: &[(&Path, Vec<Value<'_>>)],
    folder: &Path,
    start: &Start,
    names: &Names<'_>,
) -> String {
    let said = documents
        .iter()
        .flat_map(|(_, documents)| documents)
        .filter_map(|document| match &document.get("name")?.content {
            Content::Scalar { text, .. } => known(&evaluate(text, names).ok()?),
            _ => None,
        });
    if let Some(name) = said.rev().find(|name| !name.is_empty()) {
        return name;
    }
    let folder = match folder.file_name() {
        Some(name) if folder != start.folder => name.to_string_lossy().to_lowercase(),
        _ => start.project.to_lowercase(),
    };
    let kept: String = folder
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        .collect();
    kept.trim_start_matches(['_', '-']).to_owned()
}

/// Why a text can't be interpolated.
struct Failed {
    why: &'static str,
    required: Option<String>,
    asked: Vec<(String, Asked)>,
}

impl Failed {
    /// What stands in its place.
    fn text(self) -> Text {
        Text {
            value: Gift::Failed,
            asked: self.asked,
            fallback: None,
        }
    }
}

/// Interpolates a text.
fn evaluate(text: &str, names: &Names<'_>) -> Result<Text, Failed> {
    if !text.contains('$') {
        return Ok(Text {
            value: Gift::Value(Rc::new(Secret::new(text.as_bytes().to_vec()))),
            asked: Vec::new(),
            fallback: None,
        });
    }
    let asked = RefCell::new(Vec::new());
    let tell = |name: &str, what: Asked| asked.borrow_mut().push((name.to_owned(), what));
    let value = interpolate_telling(text.as_bytes(), &|name| names.value(name), &tell);
    let asked = asked.into_inner();
    let value = match value {
        Ok(value) => value,
        Err(why) => {
            let required = asked.last().filter(|(_, what)| *what == Asked::Required);
            return Err(Failed {
                why,
                required: required.map(|(name, _)| name.clone()),
                asked,
            });
        }
    };
    let awaits = |(name, what): &(String, Asked)| {
        *what == Asked::Value && matches!(names.see(name), Some(Seen::Awaited))
    };
    let fallback = interpolate_telling(text.as_bytes(), &|_| None, &|_, _| {})
        .ok()
        .filter(|fallback| !fallback.is_empty() && !asked.is_empty());
    Ok(Text {
        value: if asked.iter().any(awaits) {
            Gift::Awaited
        } else {
            Gift::Value(Rc::new(Secret::new(value)))
        },
        asked,
        fallback: fallback.map(|fallback| Rc::new(Secret::new(fallback))),
    })
}

/// A number as Go prints it: the shortest digits, with an exponent below -4 and from 6 on.
fn float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let shortest = format!("{number:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => number.to_string(),
    }
}
