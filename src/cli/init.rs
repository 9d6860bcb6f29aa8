//! `dotage init`: a project in a folder: inventory, identity, recipients, vaults, and git's lines and hook for them.

use super::{Done, Failure, Shell, ask, say};
use crate::child::git;
use crate::draft;
use crate::file::{self, Attributes};
use crate::inventory::Inventory;
use crate::preset;
use crate::problem::{Place, Problem};
use crate::project::{self, INVENTORY, Project};
use crate::vault::{self, Identities, Person};
use std::collections::BTreeSet;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// How the pre-commit hook begins.
const HOOK: &str = "#!/bin/sh\n# Written by `dotage init --hooks`: no commit with a secret in it. `git commit --no-verify` goes past it.\n";

/// Start a project: dotage.yaml, an identity, recipients, vaults, git's lines
///
/// Without a preset, the inventory is drafted from the folder's .env, .env.example and Compose files, if there are any: their
/// names, never a value. Overwrites nothing: what is there already, your identity too, stays as it is.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The folder
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Begin with a whole inventory and its templates
    #[arg(long, value_parser = preset::names())]
    preset: Option<String>,
    /// Use (or make) this identity instead of the one in your configuration folder
    #[arg(
        long,
        value_name = "FILE",
        env = "DOTAGE_IDENTITY_FILE",
        hide_env_values = true
    )]
    identity: Option<PathBuf>,
    /// Also install git's pre-commit hook that looks for secrets in what is staged (`dotage scan --staged`)
    #[arg(long)]
    hooks: bool,
    /// Say what would be made, and make nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    // First, because it may be that there is no place for it.
    let hook = if args.hooks {
        Some(hook(&args.dir)?)
    } else {
        None
    };
    let mut files = preset::files(args.preset.as_deref());
    // `dotage.yaml`, not `./dotage.yaml`.
    let dir = args.dir.strip_prefix(".").unwrap_or(&args.dir);
    let fresh = dir.join(INVENTORY).symlink_metadata().is_err();
    let drafted = if args.preset.is_none() && fresh {
        draft::draft(dir)
    } else {
        None
    };
    let own;
    if let Some(draft) = &drafted {
        for read in &draft.read {
            say(format!("read {read}"));
        }
        for problem in &draft.problems {
            say(problem);
        }
        own = [(INVENTORY, draft.text.as_str())];
        files = &own;
    }
    if args.dry_run {
        for (path, _) in files {
            let path = dir.join(path);
            say(format!(
                "would {} {}",
                if path.exists() { "leave" } else { "make" },
                path.display()
            ));
        }
        if let Some((path, _)) = hook {
            let what = if path.exists() { "leave" } else { "make" };
            say(format!("would {what} {}", path.display()));
        }
        return Ok(Done::Well);
    }
    let identity = match &args.identity {
        Some(path) => path.clone(),
        None => project::default_file().ok_or_else(|| {
            Problem::new(
                "no-home",
                "HOME is not set, so there is no place for an identity",
            )
            .help("say where: dotage init --identity FILE")
        })?,
    };
    begin(
        &args.dir,
        files,
        &identity,
        &ask::person(shell.non_interactive),
    )?;
    if let Some((path, command)) = hook {
        if path.symlink_metadata().is_ok() {
            say(format!(
                "left {} as it is\nhelp: put this line into it: {command} || exit 1",
                path.display()
            ));
        } else {
            put(&path, &format!("{HOOK}exec {command}\n"))?;
        }
    }
    let mut next = Vec::new();
    if args.dir != Path::new(".") {
        next.push(format!("cd {}", args.dir.display()));
    }
    // The other verbs have to be told of an identity that lies anywhere else.
    if project::default_file().as_ref() != Some(&identity)
        && std::env::var_os("DOTAGE_IDENTITY_FILE").is_none()
        && let Ok(identity) = identity.canonicalize()
    {
        next.push(format!(
            "export DOTAGE_IDENTITY_FILE={}",
            identity.display()
        ));
    }
    if let Some(draft) = &drafted {
        next.push(format!("answer what {INVENTORY} asks"));
        if let Some(dialect) = draft.values {
            next.push(format!("dotage set --from-env .env --dialect {dialect}"));
        }
    }
    next.extend(["dotage generate --missing", "dotage render"].map(str::to_owned));
    say(format!("next: {}", next.join(", then ")));
    Ok(Done::Well)
}

/// The hook that git starts before a commit, and the command in it that looks for secrets.
fn hook(dir: &Path) -> Result<(PathBuf, String), Problem> {
    // The folder may be one that is yet to be made.
    let there = dir
        .ancestors()
        .find(|folder| folder.is_dir())
        .unwrap_or(Path::new("."));
    let Some((hooks, inside)) = git::hooks(there) else {
        return Err(Problem::new(
            "no-repository",
            "there is no git repository, so a hook has no place",
        )
        .at(Place::file(dir))
        .help(format!("make one first: git init {}", dir.display())));
    };
    let inside = inside.join(dir.strip_prefix(there).unwrap_or(dir));
    let inside = if inside.as_os_str().is_empty() {
        String::new()
    } else {
        let inside = inside.to_string_lossy();
        format!(
            " -C '{}'",
            inside.trim_end_matches('/').replace('\'', r"'\''")
        )
    };
    let here = std::env::current_dir().unwrap_or_default();
    let hook = hooks.join("pre-commit");
    Ok((
        hook.strip_prefix(here).unwrap_or(&hook).to_owned(),
        format!("dotage{inside} scan --staged"),
    ))
}

/// Makes a project of these files. What is there already stays as it is; each thing made or left is said.
pub(super) fn begin(
    dir: &Path,
    files: &[(&str, &str)],
    identity: &Path,
    person: &Arc<dyn Person>,
) -> Result<(), Failure> {
    if project::is_material(&identity.to_string_lossy()) {
        // A file of that name would be made, and its name told.
        return Err(Problem::new(
            "identity-no-path",
            "an identity itself was given where the path of its file belongs",
        )
        .help("name a file, in --identity or DOTAGE_IDENTITY_FILE; an identity itself goes into DOTAGE_IDENTITY")
        .into());
    }
    file::create_folder(dir, 0o755)?;
    let inside = dir
        .canonicalize()
        .ok()
        .zip(parent(identity).canonicalize().ok());
    if inside.is_some_and(|(dir, identity)| identity.starts_with(dir)) {
        return Err(Problem::new(
            "identity-inside",
            "the identity would be inside the project, where a commit can take it along",
        )
        .at(Place::file(identity))
        .help("keep it outside: dotage init --identity ~/.config/dotage/identity.txt")
        .into());
    }
    // `dotage.yaml`, not `./dotage.yaml`.
    let dir = dir.strip_prefix(".").unwrap_or(dir);
    // First, because it may be refused.
    let public = public_key(identity, person)?;
    for (path, text) in files {
        put(&dir.join(path), text)?;
    }
    let path = dir.join(INVENTORY);
    let text = file::read(&path, 1 << 20)?;
    let text = String::from_utf8(text).map_err(|_| {
        Problem::new("not-utf8", "the inventory is not UTF-8 text").at(Place::file(&path))
    })?;
    let project = Project {
        inventory: ManuallyDrop::new(Inventory::parse(&path, &text)?),
        root: dir.to_owned(),
    };
    let mut homes = BTreeSet::new();
    for profile in project.inventory.profiles.values() {
        let vault = project.vault(profile);
        let path = vault.path().to_owned();
        let home = if vault.is_folder() {
            path
        } else {
            parent(&path).to_owned()
        };
        file::create_folder(&home, 0o755)?;
        if homes.insert(home.clone()) {
            put(
                &home.join(".age-recipients"),
                &format!(
                    "# who can read what is encrypted here: one public key a line, a comment right above it\n\n{public}\n"
                ),
            )?;
        }
        // An empty vault opens like any other: no verb has to know the first day.
        if !vault.is_folder() && !vault.path().exists() {
            let bundle = vault.bundle_for("default")?;
            vault.change(&Identities::none(Arc::clone(person)), |contents| {
                contents.bundle(&bundle).map(drop)
            })?;
            say(format!("made {}", vault.path().display()));
        }
    }
    ignore(dir, &project)?;
    lines(
        &dir.join(".gitattributes"),
        &["*.age -text merge=binary", "operations.jsonl merge=union"].map(str::to_owned),
    )?;
    project.record_beginnings()?;
    Ok(())
}

/// The public key of the identity, which is made if it isn't there.
fn public_key(identity: &Path, person: &Arc<dyn Person>) -> Result<String, Problem> {
    if !identity.exists() {
        file::create_folder(parent(identity), 0o700)?;
        let (text, public) = vault::keygen(SystemTime::now());
        file::create(identity, text.expose(), 0o600)?;
        say(format!(
            "made {} (your identity; keep a copy of it in a safe place)",
            identity.display()
        ));
        return Ok(public);
    }
    let mut identities = Identities::none(Arc::clone(person));
    identities.add(
        &zeroize::Zeroizing::new(file::read(identity, 1 << 20)?),
        &identity.to_string_lossy(),
    )?;
    let public = identities.public_keys().next().map(str::to_owned);
    say(format!("left {} as it is", identity.display()));
    public.ok_or_else(|| {
        Problem::new(
            "no-public-key",
            "the public key of this identity is not known without unlocking it",
        )
        .at(Place::file(identity))
        .help("name an identity that is not locked: dotage init --identity FILE")
    })
}

/// Git is to ignore every rendered file that lies in the project.
fn ignore(dir: &Path, project: &Project) -> Result<(), Failure> {
    let mut wanted: Vec<String> = vec![
        ".env".to_owned(),
        ".env.*".to_owned(),
        "!.env.example".to_owned(),
        "!*.j2".to_owned(),
    ];
    for target in project
        .inventory
        .targets
        .values()
        .filter(|target| target.to.value.is_relative())
    {
        let slash = if matches!(target.source, crate::inventory::Origin::Folder) {
            "/"
        } else {
            ""
        };
        wanted.push(format!(
            "/{}{slash}",
            target.to.value.display().to_string().trim_end_matches('/')
        ));
    }
    lines(&dir.join(".gitignore"), &wanted)
}

/// Adds the lines that a file lacks.
fn lines(path: &Path, wanted: &[String]) -> Result<(), Failure> {
    let old = if path.exists() {
        file::read(path, 1 << 20)?
    } else {
        Vec::new()
    };
    let there: Vec<&[u8]> = old
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .collect();
    let lacking: Vec<&String> = wanted
        .iter()
        .filter(|line| !there.contains(&line.as_bytes()))
        .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    // Its bytes stay as they are, whatever their encoding.
    let mut new = old.clone();
    if !new.is_empty() && !new.ends_with(b"\n") {
        new.push(b'\n');
    }
    for line in lacking {
        new.extend_from_slice(line.as_bytes());
        new.push(b'\n');
    }
    file::replace(
        path,
        &new,
        &Attributes {
            mode: 0o644,
            ..Attributes::default()
        },
    )?;
    say(format!("wrote git's lines to {}", path.display()));
    Ok(())
}

/// Writes a file that isn't there; one that is stays.
fn put(path: &Path, text: &str) -> Result<(), Problem> {
    if path.symlink_metadata().is_ok() {
        say(format!("left {} as it is", path.display()));
        return Ok(());
    }
    file::create_folder(parent(path), 0o755)?;
    let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
    file::create(path, text.as_bytes(), mode)?;
    say(format!("made {}", path.display()));
    Ok(())
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}
