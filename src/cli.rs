//! What you can say to `dotage`: its verbs, its answers and its exit codes.
//!
//! # Why
//!
//! A verb, its arguments and its words are one file under `cli/`. What a verb makes goes to stdout and nothing else
//! does; talk goes to stderr. A reader that goes away (`dotage list | head -1`) is no error.

mod ask;
mod bootstrap;
mod check;
mod ci;
mod completions;
mod convert;
mod demo;
mod edit;
mod explain;
mod form;
mod generate;
mod get;
mod import;
mod incident;
mod init;
mod keygen;
mod lint;
mod list;
mod log;
mod man;
mod postgres_role;
mod recipients;
mod redact;
mod render;
mod rotate;
mod run;
mod scan;
mod schema;
mod set;
mod status;
mod unset;

use crate::child;
use crate::problem::{Place, Printable, Problem};
use crate::project;
use crate::vault::{Identities, Vault};
use clap::error::{ContextKind, ContextValue};
use clap::{Parser, Subcommand};
use std::collections::BTreeMap;
use std::env::consts::{ARCH, OS};
use std::fmt::Display;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

/// `.env` + age: renders .env files, mode 0600, from age-encrypted vaults through Jinja templates.
#[derive(Parser)]
#[command(
    name = "dotage",
    version = version(),
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 nothing wrong, 1 problems found, 2 could not do it, 3 no identity opens the vault."
)]
pub struct Cli {
    #[command(flatten)]
    shell: Shell,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb is told.
#[derive(clap::Args)]
#[command(next_help_heading = "Options of every verb")]
pub struct Shell {
    /// Act as if started in DIR; dotage.yaml is looked for there and in the folders above
    #[arg(
        short = 'C',
        long,
        global = true,
        value_name = "DIR",
        env = "DOTAGE_DIRECTORY",
        hide_env_values = true
    )]
    directory: Option<PathBuf>,
    /// Say more: which identity opened which bundle
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Never ask for anything on the terminal: fail instead
    #[arg(long, global = true, env = "DOTAGE_NON_INTERACTIVE", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    non_interactive: bool,
    /// The identity of a demo, which leaves the user's own alone.
    #[arg(skip)]
    identity: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Verb {
    Demo(demo::Args),
    Init(init::Args),
    Keygen(keygen::Args),
    Set(set::Args),
    Get(get::Args),
    List(list::Args),
    Log(log::Args),
    Unset(unset::Args),
    Edit(edit::Args),
    Generate(generate::Args),
    Import(import::Args),
    Check(check::Args),
    Status(status::Args),
    Bootstrap(bootstrap::Args),
    Recipients(recipients::Args),
    Render(render::Args),
    Rotate(rotate::Args),
    Incident(incident::Args),
    PostgresRole(postgres_role::Args),
    Run(run::Args),
    Redact(redact::Args),
    Lint(lint::Args),
    Convert(convert::Args),
    Scan(scan::Args),
    Explain(explain::Args),
    Ci(ci::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// The version and how this binary was built: `0.1.0 (x86_64-linux, release, static)`. Nothing in it changes from build
/// to build, so that two builds of one source are the same bytes.
fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let profile = if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        };
        let linked = if cfg!(target_feature = "crt-static") {
            "static"
        } else {
            "dynamic"
        };
        format!(
            "{} ({ARCH}-{OS}, {profile}, {linked})",
            env!("CARGO_PKG_VERSION")
        )
    })
}

/// How `run` exits when the program has not begun, whatever was wrong: every other code is the program's.
const FAILED_TO_RUN: u8 = 125;

/// Whether a command line that can't be understood was to run a program.
fn is_run() -> bool {
    std::env::args_os()
        .skip(1)
        .take_while(|word| word != "--")
        .any(|word| word == "run")
}

/// How a verb that did its work ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    /// Exit code 0.
    Well,
    /// Exit code 1: it found what it was asked to look for.
    WithFindings,
}

/// Why a verb did not do its work: exit code 2, or 3 when what lacks is an identity.
struct Failure(Vec<Problem>);

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Failure(vec![problem])
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        Failure(problems)
    }
}

/// Runs the command line that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    child::harden();
    std::panic::set_hook(Box::new(|panic| {
        // The payload may quote a value: only the place is told.
        let place = panic
            .location()
            .map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        say(format!(
            "dotage: internal error{place}\nhelp: report this line; it holds no secret"
        ));
    }));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let error = unrepeated(error);
            let _ = error.print();
            return match error.exit_code() {
                0 => ExitCode::SUCCESS,
                _ if is_run() => ExitCode::from(FAILED_TO_RUN),
                _ => ExitCode::from(2),
            };
        }
    };
    let shell = cli.shell;
    let failed = match cli.verb {
        Verb::Run(_) => FAILED_TO_RUN,
        _ => 2,
    };
    // With it, the age crate prints what passes between it and a plugin, a file's key included.
    if std::env::var_os("AGEDEBUG").is_some() {
        say(Problem::new(
            "agedebug",
            "AGEDEBUG is set, which makes age print keys to stderr",
        )
        .help("unset AGEDEBUG"));
        return ExitCode::from(failed);
    }
    if let Some(directory) = &shell.directory
        && let Err(error) = std::env::set_current_dir(directory)
    {
        say(Problem::new(
            "directory",
            match error.kind() {
                ErrorKind::NotFound => "there is no such folder".to_owned(),
                kind => format!("cannot work there: {kind}"),
            },
        )
        .at(Place::file(directory))
        .help("name the folder of a project, or one in it: dotage -C DIR …"));
        return ExitCode::from(failed);
    }
    let result = match cli.verb {
        Verb::Demo(args) => demo::run(&args, &shell),
        Verb::Init(args) => init::run(&args, &shell),
        Verb::Keygen(args) => keygen::run(&args),
        Verb::Set(args) => set::run(&args, &shell),
        Verb::Get(args) => get::run(&args, &shell),
        Verb::List(args) => list::run(&args, &shell),
        Verb::Log(args) => log::run(&args),
        Verb::Unset(args) => unset::run(&args, &shell),
        Verb::Edit(args) => edit::run(&args, &shell),
        Verb::Generate(args) => generate::run(&args, &shell),
        Verb::Import(args) => import::run(&args, &shell),
        Verb::Check(args) => check::run(&args, &shell),
        Verb::Status(args) => status::run(&args, &shell),
        Verb::Bootstrap(args) => bootstrap::run(&args, &shell),
        Verb::Recipients(args) => recipients::run(&args, &shell),
        Verb::Render(args) => render::run(&args, &shell),
        Verb::Rotate(args) => rotate::run(&args, &shell),
        Verb::Incident(args) => incident::run(&args, &shell),
        Verb::PostgresRole(args) => postgres_role::run(&args),
        Verb::Run(args) => return run::run(&args, &shell),
        Verb::Redact(args) => redact::run(&args, &shell),
        Verb::Scan(args) => scan::run(&args, &shell),
        Verb::Lint(args) => lint::run(&args, &shell),
        Verb::Convert(args) => convert::run(&args),
        Verb::Explain(args) => explain::run(&args, &shell),
        Verb::Ci(args) => ci::run(&args, &shell),
        Verb::Schema(args) => schema::run(&args),
        Verb::Completions(args) => completions::run(&args),
        Verb::Man(args) => man::run(&args),
    };
    match result {
        Ok(Done::Well) => ExitCode::SUCCESS,
        Ok(Done::WithFindings) => ExitCode::from(1),
        Err(Failure(problems)) => {
            for problem in &problems {
                say(problem);
            }
            let no_identity = !problems.is_empty()
                && problems
                    .iter()
                    .all(|problem| problem.rule == Problem::NO_IDENTITY);
            ExitCode::from(if no_identity { 3 } else { 2 })
        }
    }
}

/// What is wrong with the command line. A word too many may be a value that was meant for stdin, so it isn't repeated:
/// stderr is often a log.
fn unrepeated(mut error: clap::Error) -> clap::Error {
    let option = |context: &ContextValue| matches!(context, ContextValue::String(word) if word.starts_with('-'));
    if error.kind() == clap::error::ErrorKind::UnknownArgument
        && !error.get(ContextKind::InvalidArg).is_some_and(option)
    {
        error.insert(
            ContextKind::InvalidArg,
            ContextValue::String("…".to_owned()),
        );
    }
    error
}

/// Writes to stdout what the verb made.
fn print(bytes: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(bytes.as_ref())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Problem::new(
            "stdout",
            format!("cannot write to stdout: {}", error.kind()),
        )
        .help("check what stdout leads to")
        .into()),
        _ => Ok(()),
    }
}

/// All of stdin, at most `max` bytes.
fn stdin(max: usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX);
    match io::stdin().lock().take(limit + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() <= max => Ok(bytes),
        Ok(_) => Err(Problem::new(
            "too-large",
            format!("stdin holds more than {} MiB", max >> 20),
        )
        .help("give it what was meant")),
        Err(error) => Err(
            Problem::new("stdin", format!("cannot read stdin: {}", error.kind()))
                .help("give it a pipe or a file"),
        ),
    }
}

/// A line of talk on stderr. That nobody hears it is no error.
fn say(line: impl Display) {
    // In one write: stderr has no buffer, and each process's lines stay whole where several share it.
    let line = format!("{}\n", Printable(&line.to_string()));
    let _ = io::stderr().write_all(line.as_bytes());
}

impl Shell {
    /// The identities that may open a vault, found where the user keeps them.
    fn identities(&self) -> Result<Identities, Problem> {
        project::identities(ask::person(self.non_interactive), self.identity.as_deref())
    }

    /// The same shell for a demo, with an identity of its own.
    fn with_identity(&self, identity: &Path) -> Shell {
        Shell {
            directory: None,
            verbose: self.verbose,
            non_interactive: true,
            identity: Some(identity.to_owned()),
        }
    }

    /// The identities for a change. A bundle that isn't there yet can be begun by whoever has its recipients file.
    fn identities_to_write(&self, vault: &Vault, bundle: &str) -> Result<Identities, Problem> {
        match self.identities() {
            Err(problem)
                if problem.rule == Problem::NO_IDENTITY && !vault.file(bundle).exists() =>
            {
                Ok(Identities::none(ask::person(self.non_interactive)))
            }
            result => result,
        }
    }

    /// With `-v`, says which identity opened which bundle.
    fn tell_openers(&self, opened_by: &BTreeMap<String, String>) {
        if self.verbose {
            for (bundle, identity) in opened_by {
                say(format!("{bundle}: opened by {identity}"));
            }
        }
    }
}
