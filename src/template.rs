//! A template: which names it asks for, and the text it makes of their values for one consumer, proven by reading it back.
//!
//! # Why
//!
//! The engine never sees where a value ends up: its formatter writes a numbered *hole* for each `{{ … }}` and keeps the
//! bytes aside. `layout` then fills the holes, quoting a variable's whole value at once, so a value that is built of
//! several parts is quoted as one. The same skeleton filled with harmless words and read by the consumer's rules says
//! what the file has to mean; the real file is read by the same rules and must say exactly that, or nothing is written.
//!
//! Values stay out of the engine as far as it allows: a name is looked up when the template asks for it, never before.
//! The loader is ours because the engine's follows symbolic links out of its folder. Error text of the engine is used
//! only where it can quote nothing but the template (`words`).

mod layout;
mod source;
mod values;

use self::source::{beside, included, line_and_column, plain_names, read, word};
use self::values::{
    Bounded, MAX_TEXT, Recorder, Refusal, Visible, bytes_of, is_document, text_of, value_of,
};
use crate::dialect::Dialect;
use crate::problem::{Place, Problem};
use crate::secret::{Name, Secret, Secrets};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a render may cost; the engine charges one for an instruction and for every few bytes it copies.
const FUEL: u64 = 5_000_000;
/// How deep templates may nest.
const RECURSION: usize = 50;

/// What a template can see.
#[derive(Default)]
pub struct Scope {
    /// The variables, as top-level names.
    pub secrets: Secrets,
    /// The old values of variables that are being rotated, as `previous.NAME`; undefined where there is none.
    pub previous: Secrets,
    /// What `variables` lists, in the order to loop over: the names of `secrets` with what the inventory says of them.
    pub variables: Vec<Listed>,
    /// The profile's name, as `profile`.
    pub profile: String,
    /// The service's name, as `service`; undefined without one.
    pub service: Option<String>,
    /// The process environment that the inventory lets templates read, as `env.NAME`.
    pub env: BTreeMap<String, String>,
    /// The caller's data, as `vars.NAME`: never a template, and quoted like any value.
    pub data: serde_json::Value,
}

/// One entry of `variables`.
pub struct Listed {
    /// The variable's name, as `.name`.
    pub name: Name,
    /// Whether it is a secret, as `.sensitive`.
    pub sensitive: bool,
    /// What it is for, as `.purpose`.
    pub purpose: String,
}

/// A rendered file and the names that the consumer reads in it.
pub struct Rendered {
    /// The file's bytes.
    pub text: Secret,
    /// The names assigned (in a document: the paths of its scalars), in the file's order.
    pub names: Vec<String>,
}

/// A template, its includes loaded, ready to say what it needs and to render.
pub struct Template {
    path: PathBuf,
    dialect: Dialect,
    sources: Arc<BTreeMap<String, String>>,
    names: BTreeSet<String>,
    engine: Environment<'static>,
    recorder: Arc<Mutex<Recorder>>,
}

/// The dialect that a template's file name says: `api.compose.env.j2` is Compose's, `api.env.j2` is portable,
/// `secret.yaml.j2` and `.json.j2` are documents. `None`: the name says nothing, or names no dialect that we know.
#[must_use]
pub fn dialect_of(file_name: &str) -> Option<Dialect> {
    let stem = [".j2", ".jinja2", ".jinja"]
        .iter()
        .find_map(|end| file_name.strip_suffix(end))?;
    let (stem, last) = stem.rsplit_once('.').unwrap_or(("", stem));
    match last {
        "env" => match stem.rsplit_once('.') {
            Some((_, dialect)) => Dialect::from_name(dialect),
            None => Dialect::from_name("portable"),
        },
        "yaml" | "yml" => Some(Dialect::Yaml),
        "json" => Some(Dialect::Json),
        _ => None,
    }
}

/// What stands in a file's name where a dialect would.
fn unknown_dialect(file_name: &str) -> Option<&str> {
    let (stem, _) = file_name.split_once(".env.j2")?;
    stem.rsplit_once('.').map(|(_, dialect)| dialect)
}

impl Template {
    /// Reads a template and all it includes.
    ///
    /// `path` is the file, or the name of a built-in template when `built_in` has it and no such file exists. Includes
    /// come from the template's own folder (never through a symbolic link, never from outside it), then from `built_in`.
    /// `dialect` overrides what the file's name says.
    ///
    /// # Errors
    /// A file that can't be read, a syntax error, a dialect that nothing names, an include that isn't a literal name.
    pub fn load(
        path: &Path,
        dialect: Option<Dialect>,
        built_in: &[(&str, &str)],
    ) -> Result<Template, Problem> {
        let file_name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let dialect = dialect.or_else(|| dialect_of(&file_name)).ok_or_else(|| {
            let message = match unknown_dialect(&file_name) {
                Some(dialect) => format!("`{dialect}` in the template's name is no dialect"),
                None => format!("`{file_name}` does not say which consumer reads the file"),
            };
            Problem::new("no-dialect", message)
                .at(Place::file(path))
                .help("call it NAME.DIALECT.env.j2 (NAME.env.j2 is portable), NAME.yaml.j2 or NAME.json.j2, or pass --dialect")
        })?;
        let as_built_in = built_in
            .iter()
            .find(|(name, _)| Path::new(name) == path && !path.exists());
        let source = match as_built_in {
            Some((_, source)) => (*source).to_owned(),
            None => read(path)?,
        };
        let mut template = Template {
            path: path.to_owned(),
            dialect,
            sources: Arc::default(),
            names: BTreeSet::new(),
            engine: Environment::empty(),
            recorder: Arc::default(),
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut sources: BTreeMap<String, String> = BTreeMap::new();
        let by = |file: &str, names: Vec<String>| {
            let file = file.to_owned();
            names.into_iter().map(move |name| (file.clone(), name))
        };
        let names =
            included(&source).map_err(|at| template.dynamic_include(&file_name, &source, at))?;
        let mut waiting: Vec<(String, String)> = by(&file_name, names).collect();
        sources.insert(file_name.clone(), source);
        while let Some((file, name)) = waiting.pop() {
            if sources.contains_key(&name) {
                continue;
            }
            let at_include = |problem: Problem| {
                let source = sources.get(&file).map_or("", String::as_str);
                let at = source.find(&name).unwrap_or(0);
                Problem {
                    help: problem.help,
                    ..template.problem(problem.rule, &problem.message, &file, source, at)
                }
            };
            // One that isn't there may be inside `{% raw %}` or marked `ignore missing`: the render says so if it matters.
            let found = match beside(folder, &name).map_err(at_include)? {
                Some(source) => source,
                None => match built_in.iter().find(|(built_in, _)| *built_in == name) {
                    Some((_, source)) => (*source).to_owned(),
                    None => continue,
                },
            };
            let names =
                included(&found).map_err(|at| template.dynamic_include(&name, &found, at))?;
            waiting.extend(by(&name, names));
            sources.insert(name, found);
        }
        for (name, source) in &sources {
            if !source.is_ascii()
                && let Some(at) = source.find(|c| matches!(c, '\u{fdd0}'..='\u{fdef}'))
            {
                return Err(template
                    .problem(
                        "reserved-character",
                        "a character that Unicode reserves (U+FDD0 to U+FDEF)",
                        name,
                        source,
                        at,
                    )
                    .help("delete the character"));
            }
        }
        template.sources = Arc::new(sources);
        template.engine = template.environment();
        template.names = template.asked_for()?;
        Ok(template)
    }

    /// The consumer that the text is for.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The top-level names that the template, or one it includes, asks for. A name in a branch that is never taken
    /// counts. `variables`, `profile`, `service`, `env` and `vars` are among them.
    #[must_use]
    pub fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// A problem with a name that the template asks for, at the first place that it does.
    #[must_use]
    pub fn problem_with(&self, name: &str, rule: &'static str, message: &str) -> Problem {
        for (file, source) in &*self.sources {
            if let Some(at) = word(source, name) {
                return self.problem(rule, message, file, source, at);
            }
        }
        Problem::new(rule, message).at(Place::file(&self.path))
    }

    /// The text, read back by its consumer's rules and found to mean what the template says.
    ///
    /// # Errors
    /// What the template does wrong, a value that the consumer can't carry, or a text that it would read differently:
    /// each with the template's line. No value is in any of them.
    pub fn render(&self, scope: Scope) -> Result<Rendered, Problem> {
        let scope = Arc::new(Visible(scope));
        let (skeleton, holes) = self.skeleton(&scope, None)?;
        // The names of variables are known first: a loop over all of them has one in every line.
        let secrets = &scope.0.secrets;
        let is_secret = |text: &str| {
            !secrets.contains_key(text)
                && secrets
                    .values()
                    .any(|value| value.expose() == text.as_bytes())
        };
        let filled = layout::fill(self.dialect, &skeleton, &holes, &is_secret).and_then(|filled| {
            layout::prove(self.dialect, &filled, &holes, &is_secret).map(|names| (filled, names))
        });
        match filled {
            Ok((filled, names)) => Ok(Rendered {
                text: Secret::new(filled.text),
                names,
            }),
            Err(fault) => Err(self.place_fault(&scope, &fault)),
        }
    }

    fn place_fault(&self, scope: &Arc<Visible>, fault: &layout::Fault) -> Problem {
        let own_line = fault.line.as_ref().and_then(|line| {
            self.sources.iter().find_map(|(file, source)| {
                let before: usize = source
                    .split_inclusive('\n')
                    .take_while(|there| there.trim_end_matches('\n') != line)
                    .map(str::len)
                    .sum();
                (before < source.len()).then_some((file, source, before))
            })
        });
        if let Some((file, source, at)) = own_line {
            return self
                .problem(fault.rule, &fault.message, file, source, at)
                .help(fault.help.clone());
        }
        let problem = match fault.hole.map(|hole| self.skeleton(scope, Some(hole))) {
            // Rendering again, up to the hole, is how the engine tells us its line; nobody waits for an error.
            Some(Err(at_hole)) => Problem {
                rule: fault.rule,
                message: fault.message.clone(),
                ..at_hole
            },
            _ => Problem::new(fault.rule, fault.message.clone()).at(Place::file(&self.path)),
        };
        problem.help(fault.help.clone())
    }

    /// Renders with holes; with `stop`, fails at that hole instead, which gives its place.
    fn skeleton(
        &self,
        scope: &Arc<Visible>,
        stop: Option<usize>,
    ) -> Result<(String, Vec<String>), Problem> {
        *self.recorder() = Recorder {
            stop,
            ..Recorder::default()
        };
        let result = self
            .engine
            .get_template(self.file_name())
            .and_then(|template| {
                let mut text = Bounded(Vec::new());
                template
                    .render_captured_to(Value::from_dyn_object(Arc::clone(scope)), &mut text)?;
                String::from_utf8(text.0).map_err(|_| Error::new(ErrorKind::WriteFailure, ""))
            });
        let Recorder { holes, refused, .. } = std::mem::take(&mut *self.recorder());
        match result {
            Ok(text) => Ok((text, holes)),
            Err(error) => Err(self.explain(&error, refused)),
        }
    }

    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file_name(&self) -> &str {
        self.path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
    }

    fn environment(&self) -> Environment<'static> {
        let mut env = Environment::new();
        let sources = Arc::clone(&self.sources);
        env.set_loader(move |name| Ok(sources.get(name).cloned()));
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_auto_escape_callback(|_| AutoEscape::Custom("dialect".into()));
        // As Ansible's templates have it: a tag alone on its line leaves no line behind.
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build();
        env.set_syntax(syntax.unwrap_or_default());
        env.set_fuel(Some(FUEL));
        env.set_recursion_limit(RECURSION);
        let recorder = Arc::clone(&self.recorder);
        env.set_formatter(move |out, _state, value| {
            let mut recorder = recorder.lock().unwrap_or_else(PoisonError::into_inner);
            recorder.write(out, value)
        });
        let dialect = self.dialect;
        // It prints the whole scope.
        env.remove_global("debug");
        for name in ["escape", "e", "pprint"] {
            env.remove_filter(name);
        }
        // It would show the engine's state.
        env.remove_global("debug");
        env.add_filter("b64encode", |value: &Value| {
            Ok::<_, Error>(STANDARD.encode(bytes_of(value)?))
        });
        env.add_filter("to_json", move |value: &Value| {
            let json = serde_json::to_string(text_of(value)?)
                .map_err(|_| Error::new(ErrorKind::BadSerialization, ""))?;
            Ok::<_, Error>(if is_document(dialect) {
                Value::from_safe_string(json)
            } else {
                Value::from(json)
            })
        });
        env.add_filter("quote", move |value: &Value| {
            let refused = || Error::new(ErrorKind::BadSerialization, "");
            let mut quoted = Vec::new();
            dialect
                .write(text_of(value)?.as_bytes(), &mut quoted)
                .map_err(|_| refused())?;
            String::from_utf8(quoted)
                .map(Value::from_safe_string)
                .map_err(|_| refused())
        });
        for name in ["raw", "safe"] {
            env.add_filter(name, |value: &Value| {
                Ok::<_, Error>(Value::from_safe_string(text_of(value)?.to_owned()))
            });
        }
        env
    }

    fn asked_for(&self) -> Result<BTreeSet<String>, Problem> {
        let env = &self.engine;
        let functions: BTreeSet<&str> = env.globals().map(|(name, _)| name).collect();
        let mut names = BTreeSet::new();
        for (file, source) in &*self.sources {
            let template = env
                .get_template(file)
                .map_err(|error| self.explain(&error, None))?;
            // Built at once from a whole source's names: thousands of single insertions cost more.
            let mut asked = plain_names(source)
                .unwrap_or_else(|| template.undeclared_variables(false).into_iter().collect());
            asked.retain(|name| !functions.contains(name.as_str()));
            names.append(&mut asked);
        }
        Ok(names)
    }

    fn problem(
        &self,
        rule: &'static str,
        message: &str,
        file: &str,
        source: &str,
        at: usize,
    ) -> Problem {
        let (line, column) = line_and_column(source, at);
        let excerpt = source.lines().nth(line - 1).unwrap_or_default();
        Problem::new(rule, message)
            .at(Place::at(self.path.with_file_name(file), line, column))
            .excerpt(excerpt)
    }

    fn dynamic_include(&self, file: &str, source: &str, at: usize) -> Problem {
        self.problem(
            "dynamic-include",
            "an include whose name is not written out",
            file,
            source,
            at,
        )
        .help("write the name as text: {% include \"common.env.j2\" %}")
    }

    /// The engine's error in our words, at the engine's line.
    fn explain(&self, error: &Error, refused: Option<Refusal>) -> Problem {
        let mut innermost = error;
        let mut next = std::error::Error::source(error);
        while let Some(source) = next {
            if let Some(inner) = source.downcast_ref::<Error>() {
                innermost = inner;
            }
            next = source.source();
        }
        let file = innermost
            .name()
            .or(error.name())
            .unwrap_or(self.file_name());
        let line = innermost.line().or(error.line()).unwrap_or(0);
        let (rule, message, help) = match refused {
            Some(refusal) => (
                refusal.rule,
                refusal.message.to_owned(),
                refusal.help.to_owned(),
            ),
            None => words(innermost),
        };
        let mut problem =
            Problem::new(rule, message).at(Place::at(self.path.with_file_name(file), line, 0));
        if let Some(text) = self
            .sources
            .get(file)
            .and_then(|source| source.lines().nth(line.checked_sub(1)?))
        {
            problem = problem.excerpt(text);
        }
        problem.help(help)
    }
}

/// The value of a `derive:` expression, each `{{ … }}` percent-encoded so that it stays one part of a URL (RFC 3986 §2.1;
/// all but the unreserved characters).
///
/// # Errors
/// A syntax error or an unknown name, with its place in `source` counted from the place of the expression.
pub fn derive(
    name: &Name,
    source: &str,
    place: &Place,
    secrets: &Secrets,
) -> Result<Secret, Problem> {
    let fail = |error: &Error| {
        let (rule, message, help) = words(error);
        Problem::new(rule, format!("`derive` of {name}: {message}"))
            .at(place.clone())
            .help(help)
    };
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL / 100));
    env.set_recursion_limit(RECURSION);
    env.set_formatter(|out, _state, value| {
        if value.is_safe() {
            return Ok(out.write_str(value.as_str().unwrap_or_default())?);
        }
        for byte in bytes_of(value)? {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    out.write_char(char::from(byte))?;
                }
                _ => write!(out, "%{byte:02X}")?,
            }
        }
        Ok(())
    });
    let template = env
        .template_from_str(source)
        .map_err(|error| fail(&error))?;
    let mut scope = BTreeMap::new();
    for asked in template.undeclared_variables(false) {
        if let Some(secret) = secrets.get(asked.as_str()) {
            scope.insert(asked, value_of(secret));
        }
    }
    let text = template
        .render(Value::from(scope))
        .map_err(|error| fail(&error))?;
    Ok(Secret::new(text.into_bytes()))
}

/// A page of HTML: a template of our own over facts that hold no secret. Each `{{ … }}` is escaped; nothing in the
/// template can turn that off.
///
/// # Errors
/// What is wrong with the template.
pub fn page(source: &str, facts: &serde_json::Value) -> Result<String, Problem> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build();
    env.set_syntax(syntax.unwrap_or_default());
    env.remove_filter("safe");
    env.render_str(source, fact(facts)).map_err(|error| {
        let (rule, message, help) = words(&error);
        let line = error.line().unwrap_or(0);
        Problem::new(
            rule,
            format!("line {line} of the page's template: {message}"),
        )
        .help(help)
    })
}

/// A JSON value as the engine takes it.
fn fact(value: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match value {
        Json::Null => Value::from(()),
        Json::Bool(bool) => Value::from(*bool),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (_, Some(number)) => Value::from(number),
            _ => Value::from(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(list) => list.iter().map(fact).collect(),
        Json::Object(object) => {
            let facts = object.iter().map(|(key, value)| (key.clone(), fact(value)));
            Value::from(facts.collect::<BTreeMap<String, Value>>())
        }
    }
}

/// The names that a `derive:` expression is made of.
///
/// # Errors
/// A syntax error, in the engine's words about the expression.
pub fn parts(source: &str) -> Result<BTreeSet<String>, String> {
    let env = Environment::new();
    let template = env
        .template_from_str(source)
        .map_err(|error| words(&error).1)?;
    let functions: BTreeSet<&str> = env.globals().map(|(name, _)| name).collect();
    Ok(template
        .undeclared_variables(false)
        .into_iter()
        .filter(|name| !functions.contains(name.as_str()))
        .collect())
}

/// The rule, the sentence and the help for an error of the engine. Its own detail is used only where it can hold nothing
/// but the template's text; elsewhere it may quote a value.
fn words(error: &Error) -> (&'static str, String, String) {
    let detail = || error.detail().unwrap_or("unexpected text").to_owned();
    let (rule, message, help) = match error.kind() {
        ErrorKind::SyntaxError | ErrorKind::BadEscape | ErrorKind::InvalidDelimiter => (
            "template-syntax",
            format!("template syntax: {}", detail()),
            match error.detail() {
                Some(detail) if detail.contains("end of input") => {
                    "close what is open: }}, %}, {% endif %}, {% endfor %}"
                }
                Some(detail) if detail.contains("expected end of variable block") => {
                    "end the expression before this with }}"
                }
                _ => "see the Jinja documentation for this tag",
            },
        ),
        ErrorKind::UnknownFilter
        | ErrorKind::UnknownTest
        | ErrorKind::UnknownFunction
        | ErrorKind::UnknownMethod => (
            "template-unknown",
            detail(),
            "filters: those of Jinja, and b64encode, urlencode, to_json, quote, raw",
        ),
        ErrorKind::TemplateNotFound | ErrorKind::BadInclude => (
            "template-missing",
            "an included template that is not there".to_owned(),
            "put it in the folder of the template that includes it",
        ),
        ErrorKind::UndefinedError => (
            "undefined",
            "a name that is not defined here".to_owned(),
            "declare it in dotage.yaml (env.NAME: under `env:`, and set), or give a default: {{ NAME | default(\"\") }}",
        ),
        ErrorKind::OutOfFuel => (
            "template-limit",
            "the template runs too long".to_owned(),
            "make its loops smaller",
        ),
        ErrorKind::WriteFailure => (
            "template-limit",
            format!("the text is larger than {} MiB", MAX_TEXT >> 20),
            "make its loops smaller",
        ),
        ErrorKind::EvalBlock => (
            "captured-value",
            "a filter on text that was captured from a block".to_owned(),
            "apply the filter to the value itself: {{ NAME | upper }}",
        ),
        ErrorKind::BadSerialization => (
            "unwritable",
            "a value that this filter cannot carry".to_owned(),
            "leave the filter out: dotage quotes the value",
        ),
        ErrorKind::TooManyArguments | ErrorKind::MissingArgument => (
            "template-arguments",
            "a filter or function with too many or too few arguments".to_owned(),
            "see the Jinja documentation for its arguments",
        ),
        ErrorKind::InvalidOperation if error.detail() == Some("recursion limit exceeded") => (
            "template-limit",
            "templates include each other without end".to_owned(),
            "break the circle",
        ),
        _ => (
            "template-operation",
            "an operation that these values do not have".to_owned(),
            "a variable is text: compare it with text, {% if NAME == \"true\" %}, or make it a number first, {{ NAME | int }}",
        ),
    };
    (rule, message, help.to_owned())
}

#[cfg(test)]
mod tests;
