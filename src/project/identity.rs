//! Where the identities that open a vault are looked for.

use crate::child;
use crate::file;
use crate::problem::Problem;
use crate::secret::Secret;
use crate::vault::{Identities, Person};
use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The largest identity file, in bytes: many keys, or one post-quantum key, and their comments.
const MAX_IDENTITY: usize = 1 << 20;

/// The user's own identity file: `$XDG_CONFIG_HOME/dotage/identity.txt`, else `~/.config/dotage/identity.txt`. `None`
/// when neither variable says where that is.
#[must_use]
pub fn default_file() -> Option<PathBuf> {
    Some(config()?.join("dotage/identity.txt"))
}

/// The identities to open a vault with.
///
/// `DOTAGE_IDENTITY` (an identity, or the path of a file with one, as a CI's file variable gives),
/// `DOTAGE_IDENTITY_FILE` and `DOTAGE_IDENTITY_COMMAND` (its output) are used alone if any of them is set. Else the
/// user's own file, sops' (`SOPS_AGE_KEY_FILE`, or `sops/age/keys.txt` in the configuration folder) and
/// `~/.ssh/id_ed25519`, as many as there are. With `only`, that file and nothing else.
///
/// # Errors
/// No identity at all, with all the places looked at; one that can't be read or parsed; a command that fails.
pub fn identities(person: Arc<dyn Person>, only: Option<&Path>) -> Result<Identities, Problem> {
    let mut identities = Identities::none(person);
    if let Some(path) = only {
        add_file(&mut identities, path, "the demo's identity")?;
        return Ok(identities);
    }
    let said = |name: &str| {
        env::var(name)
            .ok()
            .filter(|value| !value.trim().is_empty())
            .map(Zeroizing::new)
    };
    let mut meant = false;
    if let Some(value) = said("DOTAGE_IDENTITY") {
        meant = true;
        if is_material(&value) {
            identities.add(value.as_bytes(), "DOTAGE_IDENTITY")?;
        } else {
            add_file(&mut identities, Path::new(value.trim()), "DOTAGE_IDENTITY")?;
        }
    }
    if let Some(path) = said("DOTAGE_IDENTITY_FILE") {
        meant = true;
        add_file(
            &mut identities,
            Path::new(path.as_str()),
            "DOTAGE_IDENTITY_FILE",
        )?;
    }
    if let Some(command) = said("DOTAGE_IDENTITY_COMMAND") {
        meant = true;
        let material = child::output(&command, "DOTAGE_IDENTITY_COMMAND")?;
        identities.add(&material, "DOTAGE_IDENTITY_COMMAND")?;
    }
    if meant {
        return Ok(identities);
    }
    let home = env::var_os("HOME").map(PathBuf::from);
    let sops = env::var_os("SOPS_AGE_KEY_FILE")
        .map(PathBuf::from)
        .or_else(|| Some(config()?.join("sops/age/keys.txt")));
    let ssh = home.map(|home| home.join(".ssh/id_ed25519"));
    let places: Vec<PathBuf> = [default_file(), sops, ssh].into_iter().flatten().collect();
    for path in places.iter().filter(|path| path.exists()) {
        let material = Zeroizing::new(file::read(path, MAX_IDENTITY)?);
        identities.add(&material, &path.to_string_lossy())?;
    }
    if identities.is_empty() {
        let looked: Vec<String> = places
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let file = looked.first().map_or("FILE", String::as_str);
        let there = if looked.is_empty() {
            "HOME is not set, so no file was looked for".to_owned()
        } else {
            format!("not there: {}", looked.join(", "))
        };
        return Err(Problem::new(
            Problem::NO_IDENTITY,
            format!(
                "no identity to open the vault with\n  not set: DOTAGE_IDENTITY, DOTAGE_IDENTITY_FILE, DOTAGE_IDENTITY_COMMAND\n  {there}"
            ),
        )
        .help(format!("make one: dotage keygen -o {file}, then somebody who can open the vault types: dotage recipients add YOUR-PUBLIC-KEY")));
    }
    Ok(identities)
}

/// The identity that the environment gives, as `identities` would read it, without its comments: what a job has to hide.
/// One that a command prints is nowhere but in this process.
#[must_use]
pub fn identity_given() -> Option<Secret> {
    let said = |name: &str| env::var(name).ok().map(Zeroizing::new);
    let material = match (said("DOTAGE_IDENTITY"), said("DOTAGE_IDENTITY_FILE")) {
        (Some(text), _) if is_material(&text) => Zeroizing::new(text.as_bytes().to_vec()),
        (Some(path), _) | (None, Some(path)) => {
            Zeroizing::new(file::read(Path::new(path.trim()), MAX_IDENTITY).ok()?)
        }
        (None, None) => return None,
    };
    let mut text = Vec::with_capacity(material.len());
    for line in material.split_inclusive(|byte| *byte == b'\n') {
        if !line.starts_with(b"#") {
            text.extend_from_slice(line);
        }
    }
    Some(Secret::new(text))
}

fn add_file(identities: &mut Identities, path: &Path, variable: &str) -> Result<(), Problem> {
    let material = Zeroizing::new(file::read(path, MAX_IDENTITY).map_err(|problem| {
        // What the variable holds may be a key that was pasted wrongly, so it is not repeated.
        Problem::new(
            Problem::NO_IDENTITY,
            format!(
                "{variable} does not lead to a file that can be read ({})",
                problem.rule
            ),
        )
        .help(format!("set {variable} to the path of an identity file"))
    })?);
    identities.add(&material, &format!("{variable}={}", path.display()))
}

/// Whether a text is an identity itself and not a path to one.
#[must_use]
pub fn is_material(text: &str) -> bool {
    let text = text.trim_start();
    let upper = text
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("age-"));
    upper || text.starts_with('#') || text.starts_with("-----BEGIN") || text.contains('\n')
}

fn config() -> Option<PathBuf> {
    let said = env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    said.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".config")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_told_from_a_path() {
        for key in [
            "AGE-SECRET-KEY-1ABC",
            "age-secret-key-1abc",
            "AGE-PLUGIN-X-1",
            "# created: x\nAGE-SECRET-KEY-1",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
        ] {
            assert!(is_material(key), "{key}");
        }
        for path in ["/builds/x.tmp/DOTAGE_IDENTITY", "identity.txt", "./age/key"] {
            assert!(!is_material(path), "{path}");
        }
    }
}
