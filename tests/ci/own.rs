//! Our own workflows under act, all their steps run. What builds, uploads and publishes is a stand-in that writes down what
//! it was asked: the shape is what is proven here, and that nothing is published but from a tag.

use crate::action::Repository;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Actions of others that our workflows use: what each does here, in a shell.
const ACTIONS: &[(&str, &str)] = &[
    (
        "actions/upload-artifact",
        "mkdir -p \"$STORE/$NAME\" && cp -r \"$FROM\"/. \"$STORE/$NAME/\"",
    ),
    (
        "actions/download-artifact",
        "mkdir -p \"$FROM\" && cp \"$STORE\"/*/* \"$FROM/\"",
    ),
    (
        "actions/attest-build-provenance",
        "(cd \"$(dirname \"$SUMS\")\" && sha256sum --check --strict \"$(basename \"$SUMS\")\") && echo attested \"$(wc -l <\"$SUMS\")\" >>\"$STORE/said\"",
    ),
    (
        "pypa/gh-action-pypi-publish",
        "echo published \"$(ls \"$WHEELS\" | tr '\\n' ' ')\" >>\"$STORE/said\"",
    ),
];

/// Programs that the steps call.
const PROGRAMS: &[(&str, &str)] = &[
    ("rustup", "echo rustup \"$@\" >>\"$STORE/said\""),
    ("gh", "echo gh \"$@\" >>\"$STORE/said\""),
    (
        "cargo",
        "echo cargo \"$@\" >>\"$STORE/said\"\n\
         case $1 in\n\
         pkgid) echo 'path+file:///x/dotage#0.1.0' ;;\n\
         build) mkdir -p target/debug \"target/$CARGO_BUILD_TARGET/release\"\n\
           ln -sf \"$REAL\" target/debug/dotage\n\
           printf '#!/bin/sh\\necho %s\\n' \"$CARGO_BUILD_TARGET\" >\"target/$CARGO_BUILD_TARGET/release/dotage\" ;;\n\
         esac",
    ),
    (
        "python3",
        "mkdir -p \"$3/bin\" && cp \"$STORE\"/../venv/* \"$3/bin/\"",
    ),
];

/// Programs of a virtual environment.
const VENV: &[(&str, &str)] = &[
    ("pip", "echo pip \"$@\" >>\"$STORE/said\""),
    (
        "maturin",
        "cd ../../dist && mkdir -p x/sboms && echo '{}' >x/sboms/dotage.cyclonedx.json\n\
         /usr/bin/python3 -m zipfile -c \"dotage-0.1.0-py3-none-$MACHINE.whl\" x && rm -r x",
    ),
    (
        "ansible-galaxy",
        "grep -q '^repository: https*://' ansible/galaxy.yml && mkdir -p dist && touch dist/dotage-secrets-0.1.0.tar.gz",
    ),
];

struct Ours {
    repository: Repository,
    more: Vec<String>,
}

fn ours() -> Ours {
    let repository = Repository::new();
    let store = repository.path("store");
    let environment = format!(
        "export STORE='{}' REAL='{}'\n",
        store.display(),
        env!("CARGO_BIN_EXE_dotage")
    );
    for (folder, programs) in [("bin", PROGRAMS), ("venv", VENV)] {
        fs::create_dir_all(repository.path(folder)).unwrap();
        for (name, script) in programs {
            let path = repository.path(folder).join(name);
            fs::write(&path, format!("#!/bin/sh -e\n{environment}{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    fs::create_dir_all(&store).unwrap();
    let mut more = vec![
        "--platform".to_owned(),
        "ubuntu-24.04-arm=-self-hosted".to_owned(),
    ];
    for workflow in ["ci.yml", "release.yml"] {
        let text = fs::read_to_string(format!("{ROOT}/.github/workflows/{workflow}")).unwrap();
        repository.put(&format!(".github/workflows/{workflow}"), &text);
        for used in text
            .lines()
            .filter_map(|line| line.split_once("uses: ")?.1.split(' ').next())
        {
            let Some((_, script)) = ACTIONS.iter().find(|(name, _)| used.starts_with(name)) else {
                continue;
            };
            let folder = repository.path("actions").join(used.replace('/', "-"));
            fs::create_dir_all(&folder).unwrap();
            let action = format!(
                "name: a stand-in\ndescription: a stand-in\ninputs: {{ name: {{}}, path: {{}}, subject-checksums: {{}}, packages-dir: {{}} }}\n\
                 runs:\n  using: composite\n  steps:\n    - shell: bash\n      env:\n        STORE: {}\n        NAME: ${{{{ inputs.name }}}}\n        \
                 FROM: ${{{{ inputs.path }}}}\n        SUMS: ${{{{ inputs.subject-checksums }}}}\n        WHEELS: ${{{{ inputs.packages-dir }}}}\n      \
                 run: |\n        {script}\n",
                store.display()
            );
            fs::write(folder.join("action.yml"), action).unwrap();
            let local = format!("{used}={}", folder.display());
            if !more.contains(&local) {
                more.extend(["--local-repository".to_owned(), local]);
            }
        }
    }
    repository.shell(&format!("cp -r {ROOT}/ci {ROOT}/ansible ."));
    Ours { repository, more }
}

impl Ours {
    fn act(&self, workflow: &str, event: &str, also: &[&str]) -> (bool, String) {
        let more: Vec<&str> = self
            .more
            .iter()
            .map(String::as_str)
            .chain(also.iter().copied())
            .collect();
        self.repository.act_with(workflow, event, &[], &more)
    }

    /// What the stand-ins were asked.
    fn said(&self) -> String {
        fs::read_to_string(self.repository.path("store/said")).unwrap_or_default()
    }
}

#[test]
fn a_tag_becomes_a_release_with_checksums_that_are_attested() {
    let ours = ours();
    let event = ours.repository.path("event.json");
    fs::write(&event, "{\"ref\": \"refs/tags/v0.1.0\"}").unwrap();
    let (succeeded, log) = ours.act(
        "release.yml",
        "push",
        &["--eventpath", event.to_str().unwrap()],
    );
    assert!(succeeded, "{log}");
    let said = ours.said();
    for line in [
        "cargo build --release --locked",
        "rustup toolchain install 1.95 --profile minimal --target x86_64-unknown-linux-gnu",
        "rustup toolchain install 1.95 --profile minimal --target aarch64-unknown-linux-gnu",
        // Two binaries, two wheels, the SBOM, the collection.
        "attested 6",
        "published dotage-0.1.0-py3-none-aarch64.whl dotage-0.1.0-py3-none-x86_64.whl ",
    ] {
        assert!(
            said.lines().any(|one| one == line),
            "{line} is missing in\n{said}\n{log}"
        );
    }
    let release = said
        .lines()
        .find(|line| line.starts_with("gh release "))
        .unwrap();
    assert!(
        release.starts_with("gh release create v0.1.0 --verify-tag --generate-notes dist/"),
        "{release}"
    );
    for file in [
        "dist/SHA256SUMS",
        "dist/dotage-0.1.0-x86_64-linux",
        "dist/dotage-0.1.0-aarch64-linux",
        "dist/dotage-secrets-0.1.0.tar.gz",
        "dist/dotage.cyclonedx.json",
    ] {
        assert!(
            release.split(' ').any(|word| word == file),
            "{file} is missing in {release}"
        );
    }
}

#[test]
fn what_is_no_tag_or_another_version_is_not_published() {
    let ours = ours();
    let event = ours.repository.path("event.json");
    fs::write(&event, "{\"ref\": \"refs/heads/main\"}").unwrap();
    let (succeeded, log) = ours.act(
        "release.yml",
        "workflow_dispatch",
        &["--eventpath", event.to_str().unwrap()],
    );
    assert!(succeeded, "{log}");
    fs::write(&event, "{\"ref\": \"refs/tags/v0.2.0\"}").unwrap();
    let (succeeded, log) = ours.act(
        "release.yml",
        "push",
        &["--eventpath", event.to_str().unwrap()],
    );
    assert!(!succeeded, "{log}");
    let said = ours.said();
    assert!(said.contains("cargo build"), "{said}");
    assert!(
        !said.contains("gh release ") && !said.contains("published") && !said.contains("attested"),
        "{said}"
    );
}

#[test]
fn our_ci_uses_our_action() {
    let ours = ours();
    let (succeeded, log) = ours.act("ci.yml", "push", &["--job", "action"]);
    assert!(succeeded, "{log}");
    assert!(ours.said().contains("cargo build --locked"));
}
