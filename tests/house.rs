//! The laws of the house, read off the source: floors, one home for each risky crate, an opening sentence in each file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms by floor, lowest first. A room imports only from floors below its own.
const FLOORS: &[&[&str]] = &[
    &["secret", "problem", "dialect", "preset", "time"],
    &[
        "file", "yaml", "generate", "redact", "template", "report", "lint",
    ],
    &[
        "vault",
        "inventory",
        "child",
        "journal",
        "ci",
        "postgres",
        "ansible",
    ],
    &["contract", "environment", "incident", "leak", "rotation"],
    &["project", "draft", "status"],
    &["cli"],
];

/// Each risky crate and the rooms that may name it.
const HOMES: &[(&str, &[&str])] = &[
    ("age", &["vault"]),
    ("minijinja", &["template"]),
    ("serde_yaml", &["yaml", "dialect"]),
    ("rand", &["generate"]),
    (
        "base64",
        &[
            "generate", "dialect", "template", "vault", "contract", "project", "redact", "ci",
            "cli", "postgres",
        ],
    ),
    (
        "zeroize",
        &[
            "secret", "generate", "yaml", "redact", "vault", "child", "ci", "contract", "project",
            "cli", "postgres", "ansible",
        ],
    ),
    ("zeroizing_alloc", &["main"]),
    ("clap", &["cli"]),
    ("flate2", &["leak"]),
    ("bech32", &["leak"]),
    ("hmac", &["ci", "postgres", "ansible"]),
    ("pbkdf2", &["postgres", "ansible"]),
    ("aes", &["ansible"]),
    ("ctr", &["ansible"]),
    ("shell_words", &["child", "vault"]),
    ("pty_process", &["child"]),
];

struct Source {
    path: PathBuf,
    room: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs")
            {
                let inside = path.strip_prefix(&root).unwrap();
                let first = inside
                    .components()
                    .next()
                    .unwrap()
                    .as_os_str()
                    .to_str()
                    .unwrap();
                let room = first.trim_end_matches(".rs").to_owned();
                let text = fs::read_to_string(&path).unwrap();
                sources.push(Source {
                    path: inside.to_owned(),
                    room,
                    text,
                });
            }
        }
    }
    assert!(
        sources.len() > 15,
        "only {} files found under src",
        sources.len()
    );
    sources
}

/// The code of a file without its comments and its tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap();
    text.lines()
        .map(|line| line.split("//").next().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The words that stand before `::` or after `use `, so both `use age::x` and `age::x()` count.
fn paths(code: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices("::")
        .filter_map(|(at, _)| {
            let start = code[..at]
                .rfind(|c| !is_word(c))
                .map_or(0, |before| before + 1);
            (start < at && !code[..start].ends_with("::")).then(|| &code[start..at])
        })
        .collect()
}

#[test]
fn a_room_imports_only_from_the_floors_below() {
    let floor: BTreeMap<&str, usize> = FLOORS
        .iter()
        .enumerate()
        .flat_map(|(floor, rooms)| rooms.iter().map(move |room| (*room, floor)))
        .collect();
    let mut wrong = Vec::new();
    for source in sources() {
        if ["lib", "main"].contains(&source.room.as_str()) {
            continue;
        }
        let Some(own) = floor.get(source.room.as_str()) else {
            wrong.push(format!("{}: a room without a floor", source.path.display()));
            continue;
        };
        let code = code(&source.text);
        for (at, _) in code.match_indices("crate::") {
            let rest = &code[at + 7..];
            let rooms: Vec<&str> = match rest.strip_prefix('{') {
                Some(list) => list
                    .split('}')
                    .next()
                    .unwrap()
                    .split(',')
                    .map(|item| item.trim().split([':', ' ']).next().unwrap())
                    .collect(),
                None => vec![
                    rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                        .next()
                        .unwrap(),
                ],
            };
            for room in rooms
                .into_iter()
                .filter(|room| *room != source.room && !room.is_empty())
            {
                match floor.get(room) {
                    Some(other) if other < own => {}
                    _ => wrong.push(format!("{} imports {room}", source.path.display())),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_risky_crate_has_one_home() {
    let mut wrong = Vec::new();
    for source in sources() {
        let code = code(&source.text);
        for path in paths(&code) {
            if let Some((name, homes)) = HOMES.iter().find(|(name, _)| *name == path)
                && !homes.contains(&source.room.as_str())
            {
                wrong.push(format!(
                    "{} uses {name}, whose home is {homes:?}",
                    source.path.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_file_opens_with_a_sentence() {
    for source in sources() {
        let first = source.text.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("//! ") && first.len() > 20,
            "{}: {first:?}",
            source.path.display()
        );
    }
}

#[test]
fn lib_defines_nothing() {
    for source in sources().iter().filter(|source| source.room == "lib") {
        for line in code(&source.text)
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
        {
            assert!(
                line.starts_with("pub mod ") || line.starts_with("#!["),
                "{line}"
            );
        }
    }
}

#[test]
fn a_secret_has_no_way_to_print() {
    for source in sources()
        .iter()
        .filter(|source| source.path == Path::new("secret.rs"))
    {
        let before = source.text.split("pub struct Secret(").next().unwrap();
        let attributes = before
            .lines()
            .rev()
            .take_while(|line| line.starts_with('#') || line.starts_with("///"))
            .collect::<String>();
        assert!(!attributes.contains("derive"), "Secret derives something");
        for forbidden in [
            "Debug for Secret",
            "Display for Secret",
            "Serialize for Secret",
            "Deref for Secret",
        ] {
            assert!(!source.text.contains(forbidden), "{forbidden}");
        }
    }
}
