//! What is compiled in: the built-in templates, and the files that a project can begin with.

/// The built-in templates: the name that a target or an include gives, and the text. Each loops over the target's
/// variables; its name says the consumer. There is one for each way to store secrets: an env file by consumer, a
/// Kubernetes Secret (as text, or in base64, which carries any bytes) and the stanza that refers to it. A folder of
/// Docker secrets needs none: that is a target with `folder: true`.
pub const TEMPLATES: &[(&str, &str)] = &[
    (
        "variables.env.j2",
        include_str!("../templates/variables.env.j2"),
    ),
    (
        "variables.compose.env.j2",
        include_str!("../templates/variables.compose.env.j2"),
    ),
    (
        "variables.docker.env.j2",
        include_str!("../templates/variables.docker.env.j2"),
    ),
    (
        "variables.node.env.j2",
        include_str!("../templates/variables.node.env.j2"),
    ),
    (
        "variables.shell.env.j2",
        include_str!("../templates/variables.shell.env.j2"),
    ),
    (
        "variables.systemd.env.j2",
        include_str!("../templates/variables.systemd.env.j2"),
    ),
    (
        "secret.yaml.j2",
        include_str!("../templates/secret.yaml.j2"),
    ),
    (
        "secret-data.yaml.j2",
        include_str!("../templates/secret-data.yaml.j2"),
    ),
    (
        "secret-env.yaml.j2",
        include_str!("../templates/secret-env.yaml.j2"),
    ),
];

/// Files: the path in the project, and the text. One that begins with `#!` is a program.
type Files = &'static [(&'static str, &'static str)];

/// What a project without a preset begins with.
const STARTER: Files = &[(
    "dotage.yaml",
    include_str!("../templates/starter/dotage.yaml"),
)];

/// A whole runbook: API, gateway and PostgreSQL.
const FREEBOARD: Files = &[
    (
        "dotage.yaml",
        include_str!("../templates/freeboard/dotage.yaml"),
    ),
    (
        "README.md",
        include_str!("../templates/freeboard/README.md"),
    ),
    (
        "compose.yaml",
        include_str!("../templates/freeboard/compose.yaml"),
    ),
    (
        ".env.example",
        include_str!("../templates/freeboard/.env.example"),
    ),
    (
        "templates/freeboard.compose.env.j2",
        include_str!("../templates/freeboard/templates/freeboard.compose.env.j2"),
    ),
    (
        "templates/development.env.j2",
        include_str!("../templates/freeboard/templates/development.env.j2"),
    ),
    (
        "templates/gateway.compose.env.j2",
        include_str!("../templates/freeboard/templates/gateway.compose.env.j2"),
    ),
    (
        "templates/api.systemd.env.j2",
        include_str!("../templates/freeboard/templates/api.systemd.env.j2"),
    ),
    (
        "templates/api.secret.yaml.j2",
        include_str!("../templates/freeboard/templates/api.secret.yaml.j2"),
    ),
    (
        "templates/api.secret-env.yaml.j2",
        include_str!("../templates/freeboard/templates/api.secret-env.yaml.j2"),
    ),
    (
        "ops/verify.sh",
        include_str!("../templates/freeboard/ops/verify.sh"),
    ),
    (
        "ops/contain.sh",
        include_str!("../templates/freeboard/ops/contain.sh"),
    ),
    (
        "ops/database.sh",
        include_str!("../templates/freeboard/ops/database.sh"),
    ),
];

/// The presets by name.
const PRESETS: &[(&str, Files)] = &[("freeboard", FREEBOARD)];

/// The names of the presets.
#[must_use]
pub fn names() -> Vec<&'static str> {
    PRESETS.iter().map(|(name, _)| *name).collect()
}

/// The files of a preset; of a project without one when there is no preset of that name.
#[must_use]
pub fn files(preset: Option<&str>) -> Files {
    PRESETS
        .iter()
        .find(|(name, _)| Some(*name) == preset)
        .map_or(STARTER, |(_, files)| files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// The files of `templates/FOLDER`, as paths relative to it.
    fn found(folder: &str) -> BTreeSet<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("templates")
            .join(folder);
        let mut found = BTreeSet::new();
        let mut waiting = vec![root.clone()];
        while let Some(next) = waiting.pop() {
            for entry in std::fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if !path.is_dir() {
                    found.insert(
                        path.strip_prefix(&root)
                            .unwrap()
                            .to_str()
                            .unwrap()
                            .to_owned(),
                    );
                } else if folder != "." {
                    waiting.push(path);
                }
            }
        }
        found
    }

    fn compiled(files: &[(&str, &str)]) -> BTreeSet<String> {
        files.iter().map(|(path, _)| (*path).to_owned()).collect()
    }

    #[test]
    fn each_file_under_templates_is_compiled_in() {
        assert_eq!(compiled(TEMPLATES), found("."));
        assert_eq!(compiled(files(None)), found("starter"));
        for name in names() {
            assert_eq!(compiled(files(Some(name))), found(name));
        }
    }

    #[test]
    fn each_script_is_a_program() {
        for (path, text) in names().into_iter().flat_map(|name| files(Some(name))) {
            let script = Path::new(path).extension().is_some_and(|end| end == "sh");
            assert_eq!(script, text.starts_with("#!"), "{path}");
        }
    }
}
