//! `dotage ci github`: values for the later steps of a GitHub Actions job, masked before they are written.
//!
//! # Why
//!
//! Masks go to stderr: the runner reads both streams and, of lines that are there at the same time, stderr's first. All
//! of them are written before the first value is, and a failure to write one hands over nothing.
//!
//! A value of several lines is handed over as a file, because a variable with a line feed is printed line by line by
//! whatever shows it, and few programs take a key from a variable as they take it from a file.

use super::super::{Done, Failure, Shell, print, say};
use crate::ci::github::{self, Level, MANY_MASKS};
use crate::ci::{self, Platform};
use crate::contract;
use crate::file::{self, Attributes};
use crate::generate;
use crate::problem::{Problem, Severity};
use crate::project::{self, Project, Recipe, Wanted};
use crate::redact;
use crate::report::{self, Form};
use crate::secret::{Name, Secret};
use clap::ValueEnum;
use rustix::fs::FileType;
use std::collections::BTreeSet;
use std::env;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// The largest file command that is appended to.
const MAX_COMMANDS: usize = 64 << 20;

/// Hand values to the later steps of a GitHub Actions job, masked in its log
///
/// Each secret is masked first, in the forms that programs print it in; then the values are written where --export says,
/// all of them or none. The identity masks itself. What masks can't hide is in `ci/github/README.md`.
#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// The variables; none: all of the profile, or with --service all of that service
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// The service whose variables are meant
    #[arg(long)]
    service: Option<String>,
    /// Where the values go
    #[arg(long, value_enum, default_value_t = Export::Env)]
    export: Export,
    /// Hand these over as files, whatever they hold: `NAME_FILE` is then the path
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    as_file: Vec<String>,
    /// Hand these over as variables although they have several lines
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    as_env: Vec<String>,
    /// The file that --export file writes [default: one in `RUNNER_TEMP`]
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,
    /// The template that --export file renders: a file, or a built-in one
    #[arg(long, value_name = "FILE", default_value = "variables.env.j2")]
    template: PathBuf,
    /// In how many forms each secret is masked
    #[arg(long, value_enum, default_value_t = MaskLevel::Standard)]
    mask_level: MaskLevel,
    /// Fail over a secret that can't be masked, instead of warning
    #[arg(long)]
    strict: bool,
    /// With --export outputs: secrets too
    #[arg(long)]
    secrets_as_outputs: bool,
    /// Hand this name over although it steers the steps that get it
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    allow: Vec<String>,
    /// What to do where there is no identity, as in a pull request from a fork
    #[arg(long, value_enum, default_value_t = NoIdentity::Fail)]
    if_no_identity: NoIdentity,
    /// Write and mask nothing; say what would be
    #[arg(short = 'n', long)]
    dry_run: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Export {
    /// Nowhere: they are only masked
    None,
    /// Into the environment of later steps
    Env,
    /// Into one file of mode 0600, whose path is the output `path`
    File,
    /// Into outputs of the step, and all of them into the output `json`
    Outputs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MaskLevel {
    /// The value, its lines and leaves
    Minimal,
    /// As base64, hex and each quoting as well
    Standard,
    /// Those forms of its parts, too
    Paranoid,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum NoIdentity {
    /// Exit with 3
    Fail,
    /// Say so, hand over nothing, and go on
    Skip,
}

/// How one value is handed over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Under its name.
    Named,
    /// In a file, whose path `NAME_FILE` is.
    File,
}

/// What is handed over.
struct Handover<'a> {
    profile: &'a str,
    /// In the order of the names.
    values: Vec<(&'a Name, &'a Secret, Way)>,
    secrets: Vec<(&'a Name, &'a Secret)>,
}

pub(in crate::cli) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    let on_github = Platform::of(&|name| env::var(name).ok()) == Some(Platform::Github);
    if !on_github && !args.dry_run {
        return Err(Problem::new(
            "not-github",
            "this is no job of GitHub Actions: the masks would be shown, not taken",
        )
        .help("elsewhere: dotage run -- COMMAND    (or see what would be: --dry-run)")
        .into());
    }
    let project = Project::find()?;
    let (profile, _) = project.profile(args.profile.as_deref())?;
    let wanted = wanted(&project, args)?;
    let ways = Ways::new(&project, args, &wanted)?;
    if args.if_no_identity == NoIdentity::Skip
        && let Err(problem) = shell.identities()
        && problem.rule == Problem::NO_IDENTITY
    {
        let nothing = Problem::new(
            "no-identity",
            "no identity is here, so no value is handed over: a pull request from a fork gets no secrets",
        )
        .severity(Severity::Note);
        if args.dry_run {
            say(nothing);
        } else {
            annotate(&[nothing]);
            let records = github::records(&[("exported".to_owned(), b"false".to_vec())])?;
            append("GITHUB_OUTPUT", &records)?;
        }
        return Ok(Done::Well);
    }
    let values = project
        .values(profile, &wanted, &|| shell.identities())
        .map_err(explained)?;
    shell.tell_openers(&values.opened_by);
    let mut problems = Vec::new();
    for (name, variable) in &wanted {
        let named = args.names.iter().any(|named| named == name.as_str());
        let required = variable.is_required(profile, args.service.as_deref());
        if !values.secrets.contains_key(*name) && (named || required) {
            problems.push(contract::missing(&project.inventory, name, profile));
        }
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let sensitive = |name: &Name| {
        let variable = wanted.get(name);
        variable.is_some_and(|variable| variable.sensitive)
    };
    let handover = Handover {
        profile,
        values: values
            .secrets
            .iter()
            .map(|(name, value)| (name, value, ways.of(name, value)))
            .collect(),
        secrets: values
            .secrets
            .iter()
            .filter(|(name, value)| sensitive(name) && !value.expose().is_empty())
            .collect(),
    };
    hand_over(&handover, &project, args, shell)
}

/// The variables that are asked for, none of them one that steers the steps that get it.
fn wanted<'a>(project: &'a Project, args: &Args) -> Result<Wanted<'a>, Vec<Problem>> {
    let mut wanted = project.names(args.service.as_deref())?;
    if !args.names.is_empty() {
        let mut named = Wanted::new();
        for name in &args.names {
            let (name, variable) = project.variable(name)?;
            if !wanted.contains_key(name) {
                return Err(project
                    .inventory
                    .problem(
                        "not-used-by",
                        variable.at,
                        format!(
                            "{name} is not used by service {}",
                            args.service.as_deref().unwrap_or_default()
                        ),
                    )
                    .help("leave --service out, or add the service to its `used_by`")
                    .into());
            }
            named.insert(name, variable);
        }
        wanted = named;
    }
    let mut problems = Vec::new();
    for (name, variable) in &wanted {
        let allowed = args.allow.iter().any(|allowed| allowed == name.as_str());
        if let Some(why) = ci::refused(name.as_str())
            && matches!(args.export, Export::Env | Export::Outputs)
            && !allowed
        {
            problems.push(
                project
                    .inventory
                    .problem(
                        "refused-name",
                        variable.at,
                        format!("{name} {why}: it is not handed over"),
                    )
                    .help(format!(
                        "name the others, or if it is meant: --allow {name}"
                    )),
            );
        }
        if args.export == Export::Outputs && variable.sensitive && !args.secrets_as_outputs {
            problems.push(
                project
                    .inventory
                    .problem(
                        "secret-output",
                        variable.at,
                        format!("{name} is a secret, and outputs are no place for one: GitHub drops a job's output that holds a masked value, and masks don't follow it into other jobs"),
                    )
                    .help("use --export env, and open the vault again in each job; for later steps of this job: --secrets-as-outputs"),
            );
        }
    }
    if problems.is_empty() {
        Ok(wanted)
    } else {
        Err(problems)
    }
}

/// Which names are handed over how.
struct Ways<'a> {
    files: BTreeSet<&'a Name>,
    env: BTreeSet<&'a Name>,
    export: Export,
}

impl<'a> Ways<'a> {
    fn new(project: &'a Project, args: &Args, wanted: &Wanted<'a>) -> Result<Self, Problem> {
        let known = |names: &[String]| -> Result<BTreeSet<&'a Name>, Problem> {
            names
                .iter()
                .map(|name| project.variable(name).map(|(name, _)| name))
                .collect()
        };
        let ways = Ways {
            files: known(&args.as_file)?,
            env: known(&args.as_env)?,
            export: args.export,
        };
        if let Some(absent) = ways
            .files
            .iter()
            .chain(&ways.env)
            .find(|name| !wanted.contains_key(**name))
        {
            return Err(Problem::new(
                "not-asked-for",
                format!("{absent} is not among the variables that are handed over"),
            )
            .help("name it as well, or take it out of --as-file and --as-env"));
        }
        Ok(ways)
    }

    fn of(&self, name: &Name, value: &Secret) -> Way {
        let by_value = github::several_lines(value.expose()) && !self.env.contains(name);
        if self.export == Export::Env && (by_value || self.files.contains(name)) {
            Way::File
        } else {
            Way::Named
        }
    }
}

fn hand_over(
    handover: &Handover,
    project: &Project,
    args: &Args,
    shell: &Shell,
) -> Result<Done, Failure> {
    let mut warnings = unmaskable(&handover.secrets);
    if args.strict && !warnings.is_empty() {
        for warning in &mut warnings {
            warning.severity = Severity::Error;
        }
        return Err(warnings.into());
    }
    let identity = project::identity_given();
    let own = Name::new("DOTAGE_IDENTITY");
    let mut secrets = handover.secrets.clone();
    secrets.extend(own.as_ref().zip(identity.as_ref()));
    let masks = github::masks(&secrets, args.mask_level.into());
    if masks.count > MANY_MASKS {
        let message = format!("{} masks make this job's log slow to write", masks.count);
        warnings.push(
            Problem::new("many-masks", message)
                .severity(Severity::Warning)
                .help("name the variables that the job needs, or take --mask-level minimal"),
        );
    }
    if args.dry_run {
        for warning in &warnings {
            say(warning);
        }
        print(plan(handover, args, masks.count))?;
        return Ok(Done::Well);
    }
    // All that is to be written is made, and can be written, before anything is.
    let made = Made::new(handover, project, args, shell)?;
    let lost = |why: String| {
        Problem::new(
            "stderr",
            format!("the masks can't be written to stderr: {why}"),
        )
        .help("nothing was handed over; let stderr lead to the job's log")
    };
    let failed = |error: io::Error| lost(error.kind().to_string());
    if is_null(&io::stderr()) && masks.count > 0 {
        return Err(lost("it is /dev/null".to_owned()).into());
    }
    io::stderr().write_all(&masks.commands).map_err(failed)?;
    annotate(&warnings);
    if let Err(problem) = made.write(project) {
        made.take_back();
        return Err(problem.into());
    }
    say(format!(
        "profile {}: {} handed over, {} of them masked in {} forms",
        handover.profile,
        counted(handover.values.len(), "value"),
        handover.secrets.len() - unmaskable(&handover.secrets).len(),
        masks.count
    ));
    Ok(Done::Well)
}

/// Whether what is written there is gone.
fn is_null(stream: &impl AsFd) -> bool {
    let null = rustix::fs::stat("/dev/null").map(|null| null.st_rdev);
    rustix::fs::fstat(stream).is_ok_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
            && Ok(stat.st_rdev) == null
    })
}

/// What is written, in the order that it is written in.
struct Made<'a> {
    /// A folder of our own in `RUNNER_TEMP`.
    folder: PathBuf,
    /// What goes there, each in a file of the variable's name.
    files: Vec<(&'a Name, &'a Secret)>,
    /// The one file, and what it is made of.
    file: Option<(Recipe, project::Made)>,
    environment: Zeroizing<Vec<u8>>,
    outputs: Zeroizing<Vec<u8>>,
}

impl<'a> Made<'a> {
    fn new(
        handover: &Handover<'a>,
        project: &Project,
        args: &Args,
        shell: &Shell,
    ) -> Result<Self, Vec<Problem>> {
        let random = generate::random(8, generate::Encoding::Hex)
            .map_err(|failed| Problem::new("random", failed.to_string()).help("try again"))?;
        let folder = variable("RUNNER_TEMP")?.join(format!(
            "dotage-{}",
            String::from_utf8_lossy(random.expose())
        ));
        let values = &handover.values;
        let of = |wanted: Way| values.iter().filter(move |(_, _, way)| *way == wanted);
        let files: Vec<(&Name, &Secret)> = of(Way::File)
            .map(|(name, value, _)| (*name, *value))
            .collect();
        let mut outputs: Vec<(String, Vec<u8>)> = vec![("exported".into(), b"true".to_vec())];
        let mut environment: Vec<(String, Vec<u8>)> = Vec::new();
        let mut file = None;
        match args.export {
            Export::None => {}
            Export::Env => {
                for (name, _) in &files {
                    let path = folder.join(name.as_str());
                    environment.push((
                        path_name(name),
                        path.to_string_lossy().into_owned().into_bytes(),
                    ));
                }
                for (name, value, _) in of(Way::Named) {
                    environment.push((name.to_string(), value.expose().to_vec()));
                }
            }
            Export::File => {
                let to = match &args.path {
                    Some(path) => std::path::absolute(path).unwrap_or_else(|_| path.clone()),
                    None => folder.join("env"),
                };
                outputs.push((
                    "path".into(),
                    to.to_string_lossy().into_owned().into_bytes(),
                ));
                let recipe = Recipe {
                    target: None,
                    template: Some(args.template.clone()),
                    dialect: None,
                    to,
                    profile: handover.profile.to_owned(),
                    service: args.service.clone(),
                    names: values.iter().map(|(name, ..)| (*name).clone()).collect(),
                    attributes: Attributes::default(),
                };
                let made = project.make(&recipe, &|| shell.identities())?;
                file = Some((recipe, made));
            }
            Export::Outputs => {
                let mut object = serde_json::Map::new();
                for (name, value, _) in values {
                    let text = String::from_utf8_lossy(value.expose()).into_owned();
                    object.insert(name.to_string(), text.into());
                    outputs.push((name.to_string(), value.expose().to_vec()));
                }
                let json = serde_json::Value::from(object).to_string();
                outputs.push(("json".into(), json.into_bytes()));
            }
        }
        let made = Made {
            folder,
            files,
            file,
            environment: github::records(&unambiguous(environment)?)?,
            outputs: github::records(&unambiguous(outputs)?)?,
        };
        for (name, records) in made.commands() {
            if !records.is_empty() {
                file::may_append(&variable(name)?)?;
            }
        }
        Ok(made)
    }

    fn commands(&self) -> [(&'static str, &Zeroizing<Vec<u8>>); 2] {
        [
            ("GITHUB_OUTPUT", &self.outputs),
            ("GITHUB_ENV", &self.environment),
        ]
    }

    fn write(&self, project: &Project) -> Result<(), Problem> {
        let inside = |(recipe, _): &(Recipe, project::Made)| recipe.to.starts_with(&self.folder);
        if !self.files.is_empty() || self.file.as_ref().is_some_and(inside) {
            file::create_folder(&self.folder, 0o700)?;
        }
        for (name, value) in &self.files {
            file::create(&self.folder.join(name.as_str()), value.expose(), 0o600)?;
        }
        if let Some((recipe, made)) = &self.file {
            project.write(recipe, made, true)?;
        }
        for (name, records) in self.commands() {
            if !records.is_empty() {
                append(name, records)?;
            }
        }
        Ok(())
    }

    /// Removes the files again that nobody was told of.
    fn take_back(&self) {
        for (name, _) in &self.files {
            let _ = file::remove(&self.folder.join(name.as_str()));
        }
        if let Some((recipe, _)) = &self.file {
            let _ = file::remove(&recipe.to);
        }
    }
}

/// Adds records to the file that a variable of the runner names, on a line of their own.
fn append(variable_name: &str, records: &[u8]) -> Result<(), Problem> {
    let path = variable(variable_name)?;
    file::append(&path, 0o600, MAX_COMMANDS, |old| {
        Ok((old.len(), records.to_vec()))
    })
}

/// A variable of the runner that names a file or a folder.
fn variable(name: &str) -> Result<PathBuf, Problem> {
    env::var_os(name)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .ok_or_else(|| {
            Problem::new("no-runner", format!("{name} is not set to a path"))
                .help("call it in a step of a job: a runner sets it")
        })
}

/// The name of the variable that says where a value's file is.
fn path_name(name: &Name) -> String {
    format!("{name}_FILE")
}

/// Each name once.
fn unambiguous(named: Vec<(String, Vec<u8>)>) -> Result<Vec<(String, Vec<u8>)>, Problem> {
    let mut names = BTreeSet::new();
    match named.iter().find(|(name, _)| !names.insert(name.as_str())) {
        None => Ok(named),
        Some((name, _)) => Err(Problem::new(
            "same-name",
            format!("two values would be handed over as {name}"),
        )
        .help(format!(
            "name the variables that are needed, without {name}"
        ))),
    }
}

/// A warning for each secret that no mask can hide.
pub(super) fn unmaskable(secrets: &[(&Name, &Secret)]) -> Vec<Problem> {
    secrets
        .iter()
        .filter_map(|(name, value)| {
            let why = redact::cannot_hide(value.expose())?;
            Some(
                Problem::new("unmaskable", format!("{name} is not masked: its value {why}"))
                    .severity(Severity::Warning)
                    .help(format!(
                        "dotage set {name}, to a longer value; or, if it is no secret, declare it `sensitive: false`"
                    )),
            )
        })
        .collect()
}

/// Problems as annotations of the job. On stderr, where the masks are: the runner reads each stream by itself.
pub(super) fn annotate(problems: &[Problem]) {
    let text = report::text(Form::Github, problems, &[]);
    let _ = io::stderr().write_all(text.as_bytes());
}

pub(super) fn counted(count: usize, one: &str) -> String {
    let several = if count == 1 { "" } else { "s" };
    format!("{count} {one}{several}")
}

/// What would be done, a line for each value.
fn plan(handover: &Handover, args: &Args, masks: usize) -> String {
    let mut text = String::new();
    for (name, value, way) in &handover.values {
        let secret = handover.secrets.iter().any(|(secret, _)| secret == name);
        let masked = match (secret, redact::cannot_hide(value.expose())) {
            (false, _) => "not secret",
            (true, None) => "masked",
            (true, Some(_)) => "can't be masked",
        };
        let place = match (args.export, way) {
            (Export::None, _) => "nowhere".to_owned(),
            (Export::Env, Way::Named) => format!("GITHUB_ENV as {name}"),
            (Export::Env, Way::File) => {
                format!(
                    "a file in RUNNER_TEMP, its path in GITHUB_ENV as {}",
                    path_name(name)
                )
            }
            (Export::File, _) => match &args.path {
                Some(path) => path.display().to_string(),
                None => "a file in RUNNER_TEMP".to_owned(),
            },
            (Export::Outputs, _) => format!("GITHUB_OUTPUT as {name}"),
        };
        let _ = writeln!(text, "{name}: {masked}, to {place}");
    }
    let _ = writeln!(text, "{}", counted(masks, "mask"));
    text
}

/// What a job without an identity is told: why it may have none, beside where one was looked for.
pub(super) fn explained(problem: Problem) -> Problem {
    if problem.rule != Problem::NO_IDENTITY {
        return problem;
    }
    let help = match env::var("GITHUB_EVENT_NAME").as_deref() {
        Ok("pull_request") => {
            "a pull request from a fork gets no secrets: --if-no-identity skip, or leave the step out there"
        }
        _ => {
            "give this step the secret: env: DOTAGE_IDENTITY; in a job with an `environment:`, the secret of that one"
        }
    };
    problem.help(help)
}

impl From<MaskLevel> for Level {
    fn from(level: MaskLevel) -> Self {
        match level {
            MaskLevel::Minimal => Level::Minimal,
            MaskLevel::Standard => Level::Standard,
            MaskLevel::Paranoid => Level::Paranoid,
        }
    }
}
