//! `dotage lint`: what the lines of any .env file mean to each of its consumers, and where they differ.

use super::render::dialects;
use super::{Done, Failure, Shell, form, say, stdin};
use crate::dialect::Dialect;
use crate::file;
use crate::lint;
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
            (Path::new("stdin"), stdin(MAX)?)
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
