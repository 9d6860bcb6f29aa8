//! A template's source: where it is read from, what it includes, which names stand in it and where.

use crate::problem::{Place, Problem};
use crate::secret::Name;
use memchr::memchr;
use rustix::fs::{Mode, OFlags, openat};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path};

/// The largest template file, in bytes.
pub(super) const MAX_SOURCE: u64 = 4 << 20;

/// The line and column, from 1, of a byte offset.
pub(super) fn line_and_column(source: &str, at: usize) -> (usize, usize) {
    let before = source.get(..at).unwrap_or(source);
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (
        before.matches('\n').count() + 1,
        before[start..].chars().count() + 1,
    )
}

/// The names in a source whose only tags are `{{ NAME }}`: what the engine would find by parsing it once more, at a
/// fraction of the cost. `None` for any other source.
pub(super) fn plain_names(source: &str) -> Option<BTreeSet<String>> {
    const WORDS: [&str; 9] = [
        "true", "false", "none", "True", "False", "None", "not", "self", "loop",
    ];
    let mut names = Vec::new();
    let mut rest = source;
    while let Some(open) = memchr(b'{', rest.as_bytes()) {
        rest = &rest[open + 1..];
        if rest.starts_with(['%', '#']) {
            return None;
        }
        if let Some(tag) = rest.strip_prefix('{') {
            let (name, after) = tag.split_once('}')?;
            let name = name.trim_matches(' ');
            if Name::new(name).is_none() || WORDS.contains(&name) {
                return None;
            }
            names.push(name.to_owned());
            rest = after.strip_prefix('}')?;
        }
    }
    Some(names.into_iter().collect())
}

/// Where a name first stands as a word inside a tag.
pub(super) fn word(source: &str, name: &str) -> Option<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    source.match_indices(name).map(|(at, _)| at).find(|&at| {
        let before = &source[..at];
        !before.ends_with(|c| is_word(c) || c == '.')
            && !source[at + name.len()..].starts_with(is_word)
            && before.rfind("{{").max(before.rfind("{%"))
                > before.rfind("}}").max(before.rfind("%}"))
    })
}

/// The names that a source includes, extends or imports, or the offset of a tag that doesn't write its name out.
pub(super) fn included(source: &str) -> Result<Vec<String>, usize> {
    let mut names = Vec::new();
    for (at, _) in source.match_indices("{%") {
        let tag = source[at + 2..].trim_start_matches(['-', '+']).trim_start();
        let Some(rest) = ["include", "extends", "import", "from"]
            .iter()
            .find_map(|word| tag.strip_prefix(word))
            .filter(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        else {
            continue;
        };
        let tag = &rest[..rest.find("%}").unwrap_or(rest.len())];
        let mut written_out = false;
        let mut rest = tag;
        while let Some(open) = rest.find(['"', '\'']) {
            let quote = &rest[open..=open];
            let Some(length) = rest[open + 1..].find(quote) else {
                break;
            };
            names.push(rest[open + 1..open + 1 + length].to_owned());
            written_out = true;
            rest = &rest[open + length + 2..];
        }
        if !written_out {
            return Err(at);
        }
    }
    Ok(names)
}

/// A template that the user named: any regular file.
pub(super) fn read(path: &Path) -> Result<String, Problem> {
    let unreadable = |why: String| {
        Problem::new("template-unreadable", why)
            .at(Place::file(path))
            .help("it has to be a text file in UTF-8 that can be read")
    };
    let file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Problem::new(
            "template-missing",
            "there is no such template, and no built-in one of this name",
        )
        .at(Place::file(path))
        .help(
            "check the path; it is looked for in the project's folder, then in the working folder",
        ),
        kind => unreadable(format!("cannot read the template: {kind}")),
    })?;
    text(file).map_err(unreadable)
}

pub(super) fn text(file: File) -> Result<String, String> {
    let about = file.metadata().map_err(|error| error.kind().to_string())?;
    if !about.is_file() {
        return Err("the template is not a regular file".to_owned());
    }
    let mut source = Vec::new();
    file.take(MAX_SOURCE + 1)
        .read_to_end(&mut source)
        .map_err(|error| format!("cannot read the template: {}", error.kind()))?;
    if source.len() as u64 > MAX_SOURCE {
        return Err(format!(
            "the template is larger than {} MiB",
            MAX_SOURCE >> 20
        ));
    }
    String::from_utf8(source).map_err(|_| "the template is not UTF-8".to_owned())
}

/// An included template, opened one folder at a time from the including template's own so that no symbolic link and no
/// `..` leads elsewhere. `None`: there is none.
pub(super) fn beside(folder: &Path, name: &str) -> Result<Option<String>, Problem> {
    let outside = || {
        Problem::new(
            "template-outside",
            "an include outside the template's folder",
        )
        .at(Place::file(folder.join(name)))
        .help("put the file beside the template")
    };
    let parts: Vec<_> = Path::new(name).components().collect();
    if parts.is_empty()
        || !parts
            .iter()
            .all(|part| matches!(part, Component::Normal(_)))
    {
        return Err(outside());
    }
    let base = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let Ok(mut at) = File::open(base) else {
        return Ok(None);
    };
    for (index, part) in parts.iter().enumerate() {
        let kind = if index + 1 == parts.len() {
            OFlags::NONBLOCK
        } else {
            OFlags::DIRECTORY
        };
        match openat(
            &at,
            part.as_os_str(),
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | kind,
            Mode::empty(),
        ) {
            Ok(next) => at = File::from(next),
            Err(rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR) => {
                return Err(Problem {
                    message: "an include through a symbolic link".to_owned(),
                    help: Some("put the file itself beside the template".to_owned()),
                    ..outside()
                });
            }
            Err(_) => return Ok(None),
        }
    }
    text(at).map(Some).map_err(|why| {
        Problem::new("template-unreadable", why)
            .at(Place::file(folder.join(name)))
            .help("check the file")
    })
}
