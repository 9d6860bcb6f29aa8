//! `dotage demo`: the main job from nothing, and the commands that did it.

use super::{Done, Failure, Shell, generate, init, list, print, render, say};
use crate::preset;
use crate::problem::{Place, Problem};
use crate::vault::Nobody;
use std::path::PathBuf;
use std::sync::Arc;

/// Make a sample project, secrets and .env files included, and show the commands that do it
#[derive(clap::Args)]
pub(super) struct Args {
    /// The folder to make: the project goes into DIR/freeboard, its identity beside it into DIR/identity.txt
    #[arg(default_value = "dotage-demo")]
    dir: PathBuf,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    if args.dir.symlink_metadata().is_ok() {
        return Err(Problem::new(
            "exists",
            "is there already, and the demo overwrites nothing",
        )
        .at(Place::file(&args.dir))
        .help(format!(
            "name another folder (dotage demo DIR), or remove this one: rm -r {}",
            args.dir.display()
        ))
        .into());
    }
    let here = std::env::current_dir().map_err(|error| {
        Problem::new(
            "directory",
            format!("the working folder is gone: {}", error.kind()),
        )
    })?;
    let dir = here.join(&args.dir);
    let identity = dir.join("identity.txt");
    let project = dir.join("freeboard");
    let step = |command: &str| say(format!("\n$ {command}"));

    step(&format!(
        "export DOTAGE_IDENTITY_FILE={}",
        identity.display()
    ));
    step(&format!(
        "dotage init --preset freeboard {}",
        args.dir.join("freeboard").display()
    ));
    crate::file::create_folder(&dir, 0o700)?;
    init::begin(
        &args.dir.join("freeboard"),
        preset::files(Some("freeboard")),
        &identity,
        &(Arc::new(Nobody) as Arc<_>),
    )?;
    step(&format!("cd {}", project.display()));
    std::env::set_current_dir(&project).map_err(|error| {
        Problem::new("directory", format!("cannot work there: {}", error.kind()))
            .at(Place::file(&project))
    })?;
    let shell = shell.with_identity(&identity);
    step("dotage generate --missing");
    generate::run(&generate::Args::missing(), &shell)?;
    step("dotage render");
    render::run(&render::Args::all(), &shell)?;
    step("dotage list --profile production");
    say(list::text(&list::Args::of("production"), &shell)?.trim_end());
    step("dotage render --check");
    render::run(&render::Args::check(), &shell)?;
    say(
        "\nThat is all of it. Each file was read back by its consumer's rules before it went into place.\n\
         Every command works by hand; begin with these two:\n",
    );
    print(format!(
        "export DOTAGE_IDENTITY_FILE={}\ncd {}\n",
        identity.display(),
        project.display()
    ))?;
    say(
        "then for example:  dotage get JWT_SECRET --profile production --reveal   ·   dotage set ADMIN_EMAIL   ·   dotage render --check",
    );
    Ok(Done::Well)
}
