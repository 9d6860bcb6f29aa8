//! What is compiled in: the built-in templates, and the files of the presets that a project can begin with.

/// The built-in templates: the name that a target or an include gives, and the text. Each loops over the target's
/// variables; its name says the consumer. One for each way to store secrets: an env file by consumer, a Kubernetes Secret
/// (as text, or as base64 for values that are no text) and the stanza that refers to it. A folder of Docker secrets needs
/// no template: that is a target with `folder: true`.
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

/// The files of the preset `freeboard`: the path in the project, and the text. A path that ends in `.sh` is executable.
pub const FREEBOARD: &[(&str, &str)] = &[
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

/// The files of a project that begins with nothing but the house's shape.
const PLAIN: &[(&str, &str)] = &[("dotage.yaml", include_str!("../templates/init/dotage.yaml"))];

/// The names of the presets.
#[must_use]
pub fn names() -> [&'static str; 1] {
    ["freeboard"]
}

/// The files that a project begins with: the path in the project, and the text.
#[must_use]
pub fn files(preset: Option<&str>) -> &'static [(&'static str, &'static str)] {
    match preset {
        Some("freeboard") => FREEBOARD,
        _ => PLAIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// The files under a folder, as paths relative to it.
    fn files(folder: &Path, skip: &[&str]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut waiting = vec![folder.to_owned()];
        while let Some(next) = waiting.pop() {
            for entry in std::fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    if !skip.iter().any(|skip| path.ends_with(skip)) {
                        waiting.push(path);
                    }
                } else {
                    let inside = path.strip_prefix(folder).unwrap();
                    found.insert(inside.to_str().unwrap().to_owned());
                }
            }
        }
        found
    }

    #[test]
    fn each_file_under_templates_is_compiled_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        for (compiled, found) in [
            (TEMPLATES, files(&folder, &["freeboard", "init"])),
            (FREEBOARD, files(&folder.join("freeboard"), &[])),
        ] {
            let compiled: BTreeSet<String> = compiled
                .iter()
                .map(|(path, _)| (*path).to_owned())
                .collect();
            assert_eq!(compiled, found);
        }
    }
}
