//! A first inventory from what a folder has already: its `.env` files and its Compose files. Names, readers and guesses;
//! never a value.
//!
//! # Why
//!
//! A team starts from what it has, so every name of a `.env` file and every name that Compose interpolates is declared,
//! with the services that Compose gives it to. What can't be known is asked (`purpose`) or guessed (`format`,
//! `sensitive`), and each guess says that it is one.
//!
//! A `.env` file is taken line by line and not by one consumer's rules: nobody knows yet who reads it, and a line that
//! some reader refuses still has a name. Its values are looked at and forgotten. Compose's files are loaded as Compose
//! loads them, with a sample (`.env.example`) in the place of a `.env` file that isn't there.

mod declare;
mod guess;

pub use declare::declared;

use crate::dialect::{Asked, interpolate_telling};
use crate::environment::{self, File, Found, Gift, Given, Start, World};
use crate::file;
use crate::lint;
use crate::problem::{Problem, Severity};
use crate::secret::{Name, Secret};
use crate::yaml::{self, Content, Value};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The file that holds values, and the samples of it, in the order in which they are read.
const ENV: &str = ".env";
const SAMPLES: [&str; 4] = [".env.example", ".env.sample", ".env.template", ".env.dist"];
/// The largest file that is read, in bytes.
const MAX: usize = 1 << 20;
/// Names that Compose interpolates and that a shell or a machine sets, not a project.
const SHELLS: &[&str] = &[
    "GID", "HOME", "HOSTNAME", "LOGNAME", "PATH", "PWD", "SHELL", "TMPDIR", "UID", "USER",
];

/// A drafted inventory.
pub struct Draft {
    /// Its text.
    pub text: String,
    /// What was read, file by file, in words.
    pub read: Vec<String>,
    /// What could not be read, and what was left out.
    pub problems: Vec<Problem>,
    /// The dialect of the folder's `.env` file, where that holds values to put into the vault.
    pub values: Option<&'static str>,
}

/// What is known of a variable.
struct Known {
    name: Name,
    /// What it is somewhere, to guess from.
    value: Option<Secret>,
    used_by: BTreeSet<String>,
    /// A file of values or samples has it.
    listed: bool,
    /// Compose asks for it with a default, each time.
    defaulted: bool,
    /// Compose asks for it without one.
    needed: bool,
    /// Its value is written out in a compose file.
    written_out: bool,
}

/// What is known of all, in the order in which it was met.
#[derive(Default)]
struct All {
    variables: Vec<Known>,
    places: BTreeMap<Name, usize>,
}

impl All {
    fn of(&mut self, name: Name) -> Option<&mut Known> {
        let place = *self.places.entry(name).or_insert_with_key(|name| {
            self.variables.push(Known {
                name: name.clone(),
                value: None,
                used_by: BTreeSet::new(),
                listed: false,
                defaulted: false,
                needed: false,
                written_out: false,
            });
            self.variables.len() - 1
        });
        self.variables.get_mut(place)
    }

    /// A variable that Compose asks for, unless it is one that a shell sets and no `.env` file, or a value that stands where a
    /// name does.
    fn asked(&mut self, name: &str) -> Option<&mut Known> {
        let takes = self.places.contains_key(name)
            || (!SHELLS.contains(&name) && lint::is_name(name, b"x"));
        self.of(Name::new(name).filter(|_| takes)?)
    }
}

/// The inventory that a folder's files allow to draft; none where there is nothing to read.
#[must_use]
pub fn draft(folder: &Path) -> Option<Draft> {
    let mut all = All::default();
    let mut read = Vec::new();
    let mut problems = Vec::new();
    let mut values = false;
    for name in [&[ENV][..], &SAMPLES].concat() {
        let path = folder.join(name);
        let text = match text(&path) {
            Ok(Some(text)) => text,
            Ok(None) => continue,
            // A folder of that name, say: some keep Python's programs in `.env/`.
            Err(problem) => {
                problems.push(problem.severity(Severity::Warning));
                continue;
            }
        };
        let (count, left) = lines(&text, &mut all);
        values |= name == ENV && count > 0;
        let left = match left {
            0 => String::new(),
            left => format!(
                "; {} left out whose name not every consumer takes",
                counted(left, "line")
            ),
        };
        read.push(format!(
            "{}: {}{left}",
            path.display(),
            counted(count, "variable")
        ));
    }
    let names = environment::compose_files(&|name| folder.join(name).exists());
    if !names.is_empty() {
        composed(folder, &names, &mut all, &mut problems);
        for name in &names {
            let path = folder.join(name).display().to_string();
            read.push(path);
        }
    }
    let users = all.variables.iter().flat_map(|known| &known.used_by);
    let services: BTreeSet<String> = users.cloned().collect();
    if let Some(last) = read.last_mut().filter(|_| !names.is_empty()) {
        let _ = write!(last, ": {}", counted(services.len(), "service"));
    }
    if all.variables.is_empty() {
        return None;
    }
    Some(Draft {
        text: written(&all.variables, &names, &services),
        read,
        problems,
        values: values.then_some(if names.is_empty() { "node" } else { "compose" }),
    })
}

fn counted(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// A file's text, if there is such a file.
fn text(path: &Path) -> Result<Option<Secret>, Problem> {
    match file::read(path, MAX) {
        Ok(bytes) => Ok(Some(Secret::new(bytes))),
        Err(problem) if problem.rule == "missing" => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// Notes the names of a `.env` file: how many it has, and how many lines have none that is taken.
fn lines(text: &Secret, all: &mut All) -> (usize, usize) {
    let mut names = BTreeSet::new();
    let mut left = 0;
    for (name, value) in lint::assigned(text.expose()) {
        let Some(name) = name else {
            left += 1;
            continue;
        };
        if let Some(known) = all.of(name.clone()) {
            known.listed = true;
            if known.value.is_none() && !value.is_empty() {
                known.value = Some(Secret::new(value.to_vec()));
            }
        }
        names.insert(name);
    }
    (names.len(), left)
}

/// Loads Compose's files and notes what they ask for. What Compose would fail on is told.
fn composed(folder: &Path, names: &[&str], all: &mut All, problems: &mut Vec<Problem>) {
    let files: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    let start = Start {
        folder: folder.to_owned(),
        files: files.clone(),
        ..Start::default()
    };
    let composed = environment::load(
        &start,
        &World {
            process: &|_| None,
            file: &text_or_sample,
            vault: &|_| Found::Unset,
        },
    );
    for (service, container) in &composed.containers {
        for (name, given) in &container.given {
            for given in given {
                note_given(service, name, given, all);
            }
        }
    }
    for path in &files {
        // That it can't be read has been told.
        if let Ok(Some(text)) = text(path) {
            note_asked(&text, all);
        }
    }
    for problem in composed.problems {
        let problem = problem.severity(Severity::Warning);
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
}

/// A file, or in place of a `.env` file that isn't there the sample of it.
fn text_or_sample(path: &Path) -> Result<File, Problem> {
    let sample = |name: &&str| {
        let end = name.strip_prefix(ENV).unwrap_or_default();
        let mut path = path.as_os_str().to_owned();
        path.push(end);
        text(Path::new(&path)).ok().flatten()
    };
    let found = match text(path)? {
        None if is_env(path) => SAMPLES.iter().find_map(sample),
        found => found,
    };
    Ok(found.map_or(File::Missing, File::Text))
}

/// Notes a name that a container is given from a file, or from where Compose interpolates; and a secret that is written out.
fn note_given(service: &str, name: &str, given: &Given, all: &mut All) {
    let value = match &given.value {
        Gift::Value(value) => value.expose(),
        _ => b"",
    };
    let from_file = given.file.is_some();
    let inherited = given.asked.iter().any(|(asked, _)| asked == name);
    let literal = !from_file && given.asked.is_empty();
    let written_out = literal && !value.is_empty() && guess::sounds_secret(name);
    if !(from_file || inherited || written_out) {
        return;
    }
    if let Some(known) = all.asked(name) {
        known.used_by.insert(service.to_owned());
        known.written_out |= written_out;
        known.listed |= from_file;
        if known.value.is_none() && !value.is_empty() && given.asked.is_empty() {
            known.value = Some(Secret::new(value.to_vec()));
        }
    }
}

/// Notes the names that the services of a compose file interpolate, in their environment or anywhere else.
fn note_asked(text: &Secret, all: &mut All) {
    let text = std::str::from_utf8(text.expose()).unwrap_or_default();
    for document in yaml::documents(text).into_iter().flatten() {
        let services = document.get("services").map(|services| &services.content);
        let Some(Content::Map(entries)) = services else {
            continue;
        };
        for (service, value) in entries {
            let mut asked = Vec::new();
            interpolated(value, &mut asked);
            for (name, what) in asked {
                if let Some(known) = all.asked(&name) {
                    known.used_by.insert(service.to_string());
                    match what {
                        Asked::Default { .. } => known.defaulted = true,
                        Asked::Required | Asked::Nothing => known.needed = true,
                        Asked::Value | Asked::Alternative => {}
                    }
                }
            }
        }
    }
}

/// Whether a file's name says that it is a `.env` file.
fn is_env(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name == ENV || name.starts_with(".env.") || name.ends_with(ENV)
}

/// The names that the texts under a value interpolate, and what becomes of each where nothing is set.
fn interpolated(value: &Value<'_>, asked: &mut Vec<(String, Asked)>) {
    match &value.content {
        Content::Scalar { text, .. } if text.contains('$') => {
            let told = RefCell::new(Vec::new());
            let tell = |name: &str, what| told.borrow_mut().push((name.to_owned(), what));
            // A first required name ends it, and an alternative is only looked at where its name is set.
            let unset = interpolate_telling(text.as_bytes(), &|_| None, &tell);
            let set = interpolate_telling(text.as_bytes(), &|_| Some(b"x".to_vec()), &tell);
            if unset.is_ok() || set.is_ok() {
                asked.extend(told.into_inner());
            }
        }
        Content::Scalar { .. } => {}
        Content::List(items) => {
            for item in items {
                interpolated(item, asked);
            }
        }
        Content::Map(entries) => {
            for (_, value) in entries {
                interpolated(value, asked);
            }
        }
    }
}

const HEAD: &str = "\
# The inventory: which variables there are, who reads them, and what each must look like. It never holds a secret: those
# are in the vaults. `dotage schema` prints all that may be said here.
#
# Drafted by `dotage init` from the files that were here. What it could not know it asks: answer each `purpose`. What it
# guessed says so: look at it, and take the word away.

profiles:
  development: { vault: vault/development.age, contract: lenient }
  production: { vault: vault/production/ }          # a folder: one age file for each bundle

services:
";

/// The inventory.
fn written(variables: &[Known], files: &[&str], services: &BTreeSet<String>) -> String {
    let mut text = HEAD.to_owned();
    let alone = files.is_empty();
    if alone {
        text.push_str(
            "  app: { environment: [process, .env] }   # guessed: say which services there are\n",
        );
    }
    for service in services {
        let label = label(service);
        let own = if label == *service {
            String::new()
        } else {
            format!(", service: {}", quoted(service))
        };
        let _ = writeln!(
            text,
            "  {}: {{ environment: [compose], compose: {{ files: [{}]{own} }} }}",
            word(&label),
            files.join(", ")
        );
    }
    text.push_str("\nvariables:\n");
    for known in variables {
        let name = known.name.as_str();
        let itself = name.starts_with("COMPOSE_");
        let users = if itself { services } else { &known.used_by };
        let users: Vec<String> = users
            .iter()
            .map(|service| word(&label(service)).into_owned())
            .collect();
        let users = if alone {
            "app".to_owned()
        } else {
            users.join(", ")
        };
        let why = match () {
            () if alone => "guessed",
            () if itself => "guessed: Compose itself reads it",
            () if users.is_empty() => "who reads it? Compose gives it to no service",
            () => "",
        };
        variable(&mut text, name, known.value.as_ref(), &users, why);
        if known.defaulted && !known.needed && !known.listed {
            let why = "guessed: Compose has a default for it";
            line(&mut text, "required: false", why);
        }
        if known.written_out {
            let _ = writeln!(
                text,
                "    # A compose file has its value written out: write `{name}: ${{{name}:?}}` there."
            );
        }
    }
    text.push_str(if alone {
        "\n# The template is built in, and holds what every consumer of a .env file reads alike. One of your own is\n\
         # templates/NAME.env.j2, or NAME.compose.env.j2 for Docker Compose, and so on.\n\
         targets:\n  app: { template: variables.env.j2, to: .env, service: app }\n"
    } else {
        "\n# What Compose interpolates from. The template is built in; one of your own is templates/NAME.compose.env.j2.\n\
         targets:\n  compose: { template: variables.compose.env.j2, to: .env }\n"
    });
    text
}

/// The lines of a variable: what is asked of it, and what can be guessed by its name and a value.
fn variable(text: &mut String, name: &str, value: Option<&Secret>, users: &str, why: &str) {
    let value = value.map(Secret::expose);
    let _ = writeln!(text, "  {}:", word(name));
    let _ = writeln!(text, "    purpose: what is {name} for?");
    line(text, &format!("used_by: [{users}]"), why);
    if let Some(format) = guess::format(name, value) {
        line(text, &format!("format: {format}"), "guessed");
    }
    if !guess::sensitive(name, value) {
        line(text, "sensitive: false", "guessed");
    }
}

/// A line of a variable, its comment in a column of its own.
fn line(text: &mut String, said: &str, comment: &str) {
    let _ = if comment.is_empty() {
        writeln!(text, "    {said}")
    } else {
        writeln!(text, "    {said:52}  # {comment}")
    };
}

/// The name of a service as the inventory takes it.
fn label(service: &str) -> String {
    let start = service.starts_with(|c: char| c.is_ascii_alphanumeric());
    let mut label = if start {
        String::new()
    } else {
        "service".to_owned()
    };
    label.extend(service.chars().map(|c| {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') {
            c
        } else {
            '-'
        }
    }));
    label
}

/// A name as YAML takes it for a text.
fn word(name: &str) -> Cow<'_, str> {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let means = yaml::meaning(name) != yaml::Meaning::Text
        || ["y", "n", "yes", "no", "on", "off"]
            .iter()
            .any(|word| name.eq_ignore_ascii_case(word));
    if plain && !means {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(quoted(name))
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
