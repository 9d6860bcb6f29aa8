//! `dotage lint`: what the lines of any .env file mean to each of its consumers, and where they differ.

use super::render::dialects;
use super::{Done, Failure, Shell, form, say};
use crate::dialect::Dialect;
use crate::file;
use crate::lint;
use crate::problem::Problem;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The largest file that is judged.
const MAX: usize = 64 << 20;

/// Say which lines of a .env file its consumers read differently, run, or lose
///
/// Any .env file: it needs no project, no vault and no key, and no value is shown.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The files; - for stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Who reads the files, separated by commas [default: compose,systemd,shell,node,python]
    #[arg(
        long = "for",
        value_name = "CONSUMER",
        value_delimiter = ',',
        value_parser = dialects(|dialect| !matches!(dialect, Dialect::Json | Dialect::Yaml))
    )]
    consumers: Vec<Dialect>,
    #[command(flatten)]
    form: form::Args,
}

pub(super) fn run(args: &Args, _: &Shell) -> Result<Done, Failure> {
    let mut problems = Vec::new();
    let mut quiet = Vec::new();
    for path in &args.files {
        let (path, text) = if path == Path::new("-") {
            (Path::new("stdin"), stdin()?)
        } else {
            (
                path.as_path(),
                file::read(path, MAX)
                    .map_err(|problem| problem.help("name a file that can be read; - is stdin"))?,
            )
        };
        let found = lint::problems(path, &text, &args.consumers);
        if found.is_empty() {
            quiet.push(path);
        }
        problems.extend(found);
    }
    let done = args.form.tell(&problems, lint::RULES)?;
    let who = lint::readers(&args.consumers);
    for path in quiet {
        say(format!(
            "{}: nothing found for {}",
            path.display(),
            lint::list(&who)
        ));
    }
    Ok(done)
}

fn stdin() -> Result<Vec<u8>, Problem> {
    let mut text = Vec::new();
    let limit = u64::try_from(MAX).unwrap_or(u64::MAX);
    match io::stdin().lock().take(limit + 1).read_to_end(&mut text) {
        Ok(_) if text.len() <= MAX => Ok(text),
        Ok(_) => Err(Problem::new(
            "too-large",
            "stdin holds more than 64 MiB, which no .env file does",
        )
        .help("name the file that was meant")),
        Err(error) => Err(
            Problem::new("stdin", format!("cannot read stdin: {}", error.kind()))
                .help("name a file instead of -"),
        ),
    }
}
