//! `dotage render`: templates and values into files, mode 0600, read back before they go into place.

use super::{Done, Failure, Shell, print, say, stdin};
use crate::dialect::Dialect;
use crate::file::{self, Attributes, Change};
use crate::inventory::Target;
use crate::problem::{Place, Problem};
use crate::project::{Made, Project, Recipe};
use crate::secret::Name;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The largest file that is there already and is compared name by name.
const MAX_OLD: usize = 64 << 20;
/// The most data that a caller can give its templates, in bytes.
const MAX_DATA: usize = 4 << 20;

/// Render templates into files, mode 0600
///
/// Each is made in memory and read back by its consumer's rules, and only then put in place: all of them or none.
#[derive(clap::Args, Default)]
pub(super) struct Args {
    /// The targets, as dotage.yaml names them; none: all of them, or with --profile all of that profile
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Every target of every profile
    #[arg(long, conflicts_with_all = ["targets", "template"])]
    all: bool,
    /// Render this template, declared nowhere, to --to
    #[arg(long, value_name = "FILE", conflicts_with = "targets")]
    template: Option<PathBuf>,
    /// Where to write; with one target, instead of the path that it names
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
    /// The profile [default: the target's own, else the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// The service whose variables --template can see
    #[arg(long, requires = "template")]
    service: Option<String>,
    /// The consumer, where the template's name doesn't say it; several, separated by commas: what all of them read alike
    #[arg(long, value_delimiter = ',', value_parser = dialects(|_| true))]
    dialect: Vec<Dialect>,
    /// The permission bits, octal; anything looser than 0600 has to be typed here or in dotage.yaml
    #[arg(long, value_parser = mode)]
    mode: Option<u32>,
    /// The owner, a name or a number
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// The group, a name or a number
    #[arg(long)]
    group: Option<String>,
    /// Data for the template, a JSON object, as `vars.NAME`: it is quoted like any value; - for stdin
    #[arg(long, value_name = "FILE")]
    vars: Option<PathBuf>,
    /// Follow a symbolic link at the path or on the way to it
    #[arg(long)]
    follow: bool,
    /// Write nothing; exit 1 if something would change
    #[arg(long)]
    check: bool,
    /// Write nothing; say what would
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Name what was added, removed and altered; never a value
    #[arg(long)]
    diff: bool,
    /// Write one target to stdout instead of its file; with --json, its bytes in base64, and what a program that puts
    /// them in place elsewhere has to know
    #[arg(long, conflicts_with_all = ["check", "dry_run", "diff", "to"])]
    stdout: bool,
    /// A JSON object a line for each target: {target, path, changed, change, mode, names}
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Every target, compared with what is there.
    pub(super) fn check() -> Self {
        Args {
            check: true,
            ..Args::all()
        }
    }

    /// Every target.
    pub(super) fn all() -> Self {
        Args {
            all: true,
            ..Args::default()
        }
    }
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    let project = Project::find()?;
    let recipes = recipes(&project, args)?;
    if args.stdout && recipes.len() != 1 {
        return Err(Problem::new("one-target", "--stdout takes one target")
            .help("dotage render TARGET --stdout")
            .into());
    }
    // All are made, and what they would change is known, before the first is written.
    let mut made = Vec::with_capacity(recipes.len());
    let mut problems = Vec::new();
    for recipe in &recipes {
        match project.make(recipe, &|| shell.identities()) {
            Ok(one) => made.push(one),
            Err(several) => problems.extend(
                several
                    .into_iter()
                    .filter(|problem| !problems.contains(problem))
                    .collect::<Vec<_>>(),
            ),
        }
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    if args.stdout && args.json {
        for (recipe, made) in recipes.iter().zip(&made) {
            print(parcel(&project, recipe, made)?)?;
        }
        return Ok(Done::Well);
    }
    if args.stdout {
        for (name, secret) in made.iter().flat_map(|made| &made.files) {
            if name.is_some() {
                return Err(
                    Problem::new("one-file", "a folder of files has no place on stdout")
                        .help("render it to a folder: --to DIR")
                        .into(),
                );
            }
            print(secret.expose())?;
        }
        return Ok(Done::Well);
    }
    let writes = !(args.check || args.dry_run);
    if writes {
        for (recipe, made) in recipes.iter().zip(&made) {
            project.write(recipe, made, false)?;
        }
    }
    let mut changed = false;
    for (recipe, made) in recipes.iter().zip(&made) {
        let old = if args.diff { old(recipe) } else { None };
        let change = project.write(recipe, made, writes)?;
        changed |= change != Change::None;
        shell.tell_openers(&made.opened_by);
        report(args, recipe, made, change)?;
        if args.diff {
            diff(recipe, made, old.as_ref());
        }
    }
    Ok(if args.check && changed {
        Done::WithFindings
    } else {
        Done::Well
    })
}

fn recipes(project: &Project, args: &Args) -> Result<Vec<Recipe>, Vec<Problem>> {
    // A target with a profile of its own needs none to be guessed; one that was typed has to be there all the same.
    let fallback = project
        .profile(args.profile.as_deref())
        .map(|(name, _)| name);
    if args.profile.is_some() {
        fallback.clone()?;
    }
    let own = |target: &Target| target.profile.as_ref().map(|own| own.value.clone());
    let recipe = |name, target: &Target| match own(target) {
        Some(own) => project.recipe(name, target, &own),
        None => project.recipe(name, target, fallback.clone()?),
    };
    let mut recipes = Vec::new();
    if let Some(template) = &args.template {
        let Some(to) = args.to.clone().or_else(|| args.stdout.then(PathBuf::new)) else {
            return Err(vec![
                Problem::new("no-path", "--template needs a path to write")
                    .help("add --to PATH, or --stdout"),
            ]);
        };
        recipes.push(Recipe {
            target: None,
            template: Some(template.clone()),
            dialect: None,
            to,
            profile: fallback.clone()?.to_owned(),
            service: args.service.clone(),
            names: Vec::new(),
            attributes: Attributes::default(),
            data: Value::Null,
        });
    } else if args.targets.is_empty() {
        for (name, target) in &project.inventory.targets {
            if args.profile.is_none() || own(target).is_none() || own(target) == args.profile {
                recipes.push(recipe(name, target)?);
            }
        }
        if recipes.is_empty() {
            let problem = match &args.profile {
                Some(profile) if !project.inventory.targets.is_empty() => {
                    Problem::new("no-targets", format!("no target is of profile {profile}")).help(
                        format!("to take its values for another target: dotage render TARGET --profile {profile}"),
                    )
                }
                _ => Problem::new("no-targets", "no target is declared")
                    .help("declare one under `targets:`, or use --template and --to"),
            };
            return Err(vec![problem.at(Place::file(&project.inventory.path))]);
        }
    } else {
        for name in &args.targets {
            let (name, target) = project.target(name)?;
            let mut recipe = recipe(name, target)?;
            if let Some(profile) = &args.profile {
                recipe.profile.clone_from(profile);
            }
            recipes.push(recipe);
        }
    }
    if let Some(to) = &args.to
        && args.template.is_none()
    {
        let [recipe] = recipes.as_mut_slice() else {
            return Err(vec![
                Problem::new("one-target", "--to takes one target")
                    .help("dotage render TARGET --to PATH"),
            ]);
        };
        recipe.to.clone_from(to);
    }
    let data = args.vars.as_deref().map(data).transpose()?;
    for recipe in &mut recipes {
        recipe.data = data.clone().unwrap_or_default();
        recipe.dialect = match args.dialect.as_slice() {
            [] => recipe.dialect,
            [one] => Some(*one),
            several => Some(Dialect::of(several)),
        };
        let attributes = &mut recipe.attributes;
        attributes.mode = args.mode.unwrap_or(attributes.mode);
        attributes.owner = args
            .owner
            .as_deref()
            .map(file::user_id)
            .transpose()?
            .or(attributes.owner);
        attributes.group = args
            .group
            .as_deref()
            .map(file::group_id)
            .transpose()?
            .or(attributes.group);
        attributes.follow = args.follow;
    }
    Ok(recipes)
}

/// The data that a caller gives its templates.
fn data(path: &Path) -> Result<Value, Problem> {
    let (name, bytes) = if path == Path::new("-") {
        (Path::new("stdin"), stdin(MAX_DATA)?)
    } else {
        (path, file::read(path, MAX_DATA)?)
    };
    match serde_json::from_slice(&bytes) {
        Ok(object @ Value::Object(_)) => Ok(object),
        _ => Err(Problem::new("vars", "not a JSON object")
            .at(Place::file(name))
            .help("--vars takes {\"NAME\": …}, and the template {{ vars.NAME }}")),
    }
}

/// A rendered target for a program that puts it in place elsewhere, as one line of JSON.
fn parcel(project: &Project, recipe: &Recipe, made: &Made) -> Result<String, Problem> {
    let used_by: BTreeMap<&str, Vec<&str>> = project
        .visible(recipe)?
        .into_iter()
        .map(|(name, variable)| {
            let users = variable.used_by.iter().map(|user| user.value.as_str());
            (name.as_str(), users.collect())
        })
        .collect();
    let files: Vec<Value> = made
        .files
        .iter()
        .map(|(name, secret)| json!({"name": name, "base64": STANDARD.encode(secret.expose())}))
        .collect();
    let object = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "target": recipe.target,
        "path": recipe.to,
        "profile": recipe.profile,
        "service": recipe.service,
        "dialect": recipe.reads_as().map(Dialect::name),
        "mode": format!("{:04o}", recipe.attributes.mode),
        "names": made.names,
        "used_by": used_by,
        "files": files,
    });
    Ok(format!("{object}\n"))
}

fn report(args: &Args, recipe: &Recipe, made: &Made, change: Change) -> Result<(), Failure> {
    let mode = format!("{:04o}", recipe.attributes.mode);
    if args.json {
        let object = json!({
            "target": recipe.target,
            "path": recipe.to,
            "changed": change != Change::None,
            "change": match change {
                Change::None => "none",
                Change::Attributes => "attributes",
                Change::Content => "content",
                Change::Created => "created",
            },
            "mode": mode,
            "names": made.names,
        });
        return print(format!("{object}\n"));
    }
    let would = if args.check || args.dry_run {
        "would be "
    } else {
        ""
    };
    let what = match change {
        Change::None => "unchanged".to_owned(),
        Change::Attributes => format!("permissions {would}mended"),
        Change::Content => format!("{would}rewritten"),
        Change::Created => format!("{would}written"),
    };
    let count = made.names.len();
    say(format!(
        "{}: {what} ({mode}, {count} value{})",
        recipe.to.display(),
        if count == 1 { "" } else { "s" }
    ));
    Ok(())
}

/// What the consumer reads in the file that is there now; none when there is none that it can read.
fn old(recipe: &Recipe) -> Option<BTreeMap<String, Vec<u8>>> {
    let dialect = recipe.reads_as()?;
    let bytes = file::read(&recipe.to, MAX_OLD).ok()?;
    let entries = dialect.read(&bytes).ok()?;
    Some(
        entries
            .into_iter()
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect(),
    )
}

/// Names, one a line: `+` added, `-` removed, `~` altered.
fn diff(recipe: &Recipe, made: &Made, old: Option<&BTreeMap<String, Vec<u8>>>) {
    let (Some(dialect), Some((None, text))) = (recipe.reads_as(), made.files.first()) else {
        return;
    };
    let empty = BTreeMap::new();
    let old = old.unwrap_or(&empty);
    let Ok(new) = dialect.read(text.expose()) else {
        return;
    };
    let new: BTreeMap<_, _> = new.into_iter().collect();
    for (name, value) in &new {
        match old.get(name.as_ref()) {
            None => say(format!("  + {name}")),
            Some(before) if **before != **value => say(format!("  ~ {name}")),
            Some(_) => {}
        }
    }
    for name in old.keys().filter(|name| !new.contains_key(name.as_str())) {
        // A name in the old file may be a line that nobody meant as one: only a real one is repeated.
        say(format!(
            "  - {}",
            Name::new(name).map_or("(a line that is no name)".to_owned(), |name| name
                .to_string())
        ));
    }
}

/// The names of those dialects that a predicate takes.
pub(super) fn dialects(takes: fn(&Dialect) -> bool) -> impl TypedValueParser<Value = Dialect> {
    let other_names = ["podman", "docker-raw", "sh", "dotenv", "dotenvy"];
    let value = move |dialect: Dialect| {
        let own = other_names
            .into_iter()
            .filter(move |name| Dialect::from_name(name) == Some(dialect));
        PossibleValue::new(dialect.name()).aliases(own)
    };
    PossibleValuesParser::new(Dialect::ALL.into_iter().filter(takes).map(value))
        .try_map(|name| Dialect::from_name(&name).ok_or("no dialect"))
}

fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("permission bits in octal, such as 0640".to_owned()),
    }
}
