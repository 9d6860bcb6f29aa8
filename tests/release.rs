//! What a release uploads beside the binary: the wheel and the collection's tarball, made by the words of release.yml, and
//! looked over by the tools of PyPI, of Galaxy and of execution environments. All of it offline.
//!
//! Run `tests/install` first.

use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A program that tests/install installed.
fn program(name: &str) -> PathBuf {
    let path = root().join("target/consumers").join(name);
    assert!(
        path.exists(),
        "{} is missing: run tests/install",
        path.display()
    );
    path
}

/// What it printed, on both streams.
fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?}\n{said}");
    said
}

/// The script of a step of release.yml, behind the two lines that install its tool: tests/install has the same version of it.
fn step(job: &str, name: &str) -> String {
    let text = fs::read_to_string(root().join(".github/workflows/release.yml")).unwrap();
    let release: Value = serde_yaml::from_str(&text).unwrap();
    let steps = release["jobs"][job]["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == name).unwrap();
    let lines: Vec<&str> = step["run"].as_str().unwrap().lines().collect();
    assert!(lines[0].starts_with("python3 -m venv ") && lines[1].contains("/bin/pip\" install "));
    let tool = lines[1].split(' ').next_back().unwrap();
    let installed = fs::read_to_string(root().join("tests/install")).unwrap();
    assert!(
        tool.contains("==") && installed.split_whitespace().any(|word| word == tool),
        "tests/install has another {tool}"
    );
    lines[2..].join("\n")
}

/// Runs it in a folder, its tool being that of an environment of tests/install.
fn run(script: &str, folder: &Path, tool: &str, environment: &str) {
    let temporary = tempfile::tempdir().unwrap();
    symlink(
        root().join("target/consumers").join(environment),
        temporary.path().join(tool),
    )
    .unwrap();
    let mut command = Command::new("bash");
    // What cargo tells a test is not what a shell would tell a build.
    for (name, _) in std::env::vars() {
        if name.starts_with("CARGO_") && !["CARGO_HOME", "CARGO_TARGET_DIR"].contains(&&*name) {
            command.env_remove(name);
        }
    }
    succeeds(
        command
            .args(["-euo", "pipefail", "-c", script])
            .current_dir(folder)
            .env("RUNNER_TEMP", temporary.path())
            .env("GITHUB_SERVER_URL", "https://git.example")
            .env("GITHUB_REPOSITORY", "shop/dotage"),
    );
}

/// The one file in a folder.
fn only(folder: &Path) -> PathBuf {
    let files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let [file] = &files[..] else {
        panic!("{files:?}")
    };
    file.clone()
}

struct Wheel {
    folder: PathBuf,
    file: PathBuf,
}

/// The wheel, from the binary that `cargo build --release` built; it is built here if it was not.
static WHEEL: LazyLock<Wheel> = LazyLock::new(|| {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("wheel");
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    let script = step("binaries", "wheel");
    assert!(script.ends_with(" --out ../../dist"), "{script}");
    let elsewhere = script.replace("../../dist", &format!("'{}'", folder.display()));
    run(&elsewhere, &root(), "maturin", "venv");
    let file = only(&folder);
    Wheel { folder, file }
});

fn of_wheel(file: &str) -> String {
    succeeds(Command::new("unzip").arg("-p").arg(&WHEEL.file).arg(file))
}

#[test]
fn the_wheel_says_what_it_is() {
    let name = WHEEL.file.file_name().unwrap().to_str().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let machine = std::env::consts::ARCH;
    // PyPI takes a binary only with the tag of a C library that it can count on; a static one, with that of any.
    let tags = name
        .strip_prefix(&format!("dotage-{version}-py3-none-"))
        .and_then(|rest| rest.strip_suffix(".whl"))
        .unwrap_or_else(|| panic!("{name}"));
    let told = of_wheel("*/WHEEL");
    for tag in tags.split('.') {
        assert!(
            tag.starts_with("manylinux") && tag.ends_with(&format!("_{machine}")),
            "{name}"
        );
        assert!(told.contains(&format!("Tag: py3-none-{tag}\n")), "{told}");
    }
    let inside = format!("dotage-{version}");
    let listed = succeeds(Command::new("unzip").arg("-Z1").arg(&WHEEL.file));
    let mut listed: Vec<&str> = listed.lines().collect();
    listed.sort_unstable();
    assert_eq!(
        listed,
        [
            format!("{inside}.data/scripts/dotage"),
            format!("{inside}.dist-info/METADATA"),
            format!("{inside}.dist-info/RECORD"),
            format!("{inside}.dist-info/WHEEL"),
            format!("{inside}.dist-info/licenses/LICENSE"),
            format!("{inside}.dist-info/sboms/dotage.cyclonedx.json"),
        ]
    );
    let metadata = of_wheel("*/METADATA");
    for line in [
        "Name: dotage",
        &format!("Version: {version}"),
        "License-Expression: MIT OR Apache-2.0",
        "License-File: LICENSE",
        &format!("Summary: {}", env!("CARGO_PKG_DESCRIPTION")),
    ] {
        assert!(metadata.lines().any(|one| one == line), "{metadata}");
    }
    assert_eq!(
        of_wheel("*/licenses/LICENSE"),
        fs::read_to_string(root().join("LICENSE")).unwrap()
    );
    let said = succeeds(
        Command::new(program("release/bin/twine"))
            .args(["check", "--strict"])
            .arg(&WHEEL.file),
    );
    assert!(said.contains("PASSED"), "{said}");
    // W007: there is no Python in it.
    succeeds(
        Command::new(program("release/bin/check-wheel-contents"))
            .args(["--ignore", "W007"])
            .arg(&WHEEL.file),
    );
}

#[test]
fn the_collection_finds_the_wheel_beside_ansible() {
    for core in ["219", "221"] {
        let script = root().join("tests/ansible/stories.py");
        succeeds(
            Command::new(program("ansible/219/bin/python"))
                .arg(script)
                .args(["wheel", core])
                .env("WHEELS", &WHEEL.folder)
                .env("DOTAGE", env!("CARGO_BIN_EXE_dotage"))
                .env("PYTHONDONTWRITEBYTECODE", "1"),
        );
    }
}

#[test]
fn an_execution_environment_asks_for_the_wheel() {
    let folder = tempfile::tempdir().unwrap();
    let collections = folder.path().join("ansible_collections/dotage");
    fs::create_dir_all(&collections).unwrap();
    symlink(root().join("ansible"), collections.join("secrets")).unwrap();
    let asked = folder.path().join("requirements.txt");
    succeeds(
        Command::new(program("release/bin/ansible-builder"))
            .arg("introspect")
            .arg(folder.path())
            .arg("--write-pip")
            .arg(&asked),
    );
    let asked = fs::read_to_string(asked).unwrap();
    assert_eq!(
        asked.trim(),
        "dotage>=0.1.0  # from collection dotage.secrets"
    );
}

#[test]
fn galaxy_takes_the_tarball() {
    let folder = tempfile::tempdir().unwrap();
    let (work, home) = (folder.path().join("work"), folder.path().join("home"));
    fs::create_dir_all(&work).unwrap();
    fs::create_dir_all(&home).unwrap();
    succeeds(
        Command::new("cp")
            .arg("-r")
            .arg(root().join("ansible"))
            .arg(&work),
    );
    run(&step("collection", "build"), &work, "ansible", "release");
    let python = program("release/bin/python");
    let said = succeeds(
        Command::new(&python)
            .args(["-m", "galaxy_importer.main", "--print-result"])
            .arg(only(&work.join("dist")))
            .current_dir(&work)
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", python.parent().unwrap().display()),
            )
            .env("HOME", &home)
            .env("LC_ALL", "C.UTF-8")
            // ansible-test runs by itself, on every core, and no container is asked for it.
            .env("GALAXY_IMPORTER_RUN_ANSIBLE_TEST", "False")
            .env("GALAXY_IMPORTER_OFFLINE_ANSIBLE_LINT", "True")
            .env("GALAXY_IMPORTER_CHECK_REQUIRED_TAGS", "True"),
    );
    let complaints: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("WARNING") || line.contains("ERROR"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    assert!(
        said.contains("...ansible-lint run complete")
            && said.contains("Importer processing completed successfully"),
        "{said}"
    );
    let result: Value =
        serde_json::from_slice(&fs::read(work.join("importer_result.json")).unwrap()).unwrap();
    assert_eq!(result["requires_ansible"], ">=2.17.0");
    assert_eq!(
        result["metadata"]["repository"],
        "https://git.example/shop/dotage"
    );
    // It found all that there is, and the pages of it.
    let found: Vec<String> = result["docs_blob"]["contents"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|content| !content["doc_strings"]["doc"].is_null())
        .map(|content| {
            format!(
                "{}/{}",
                text(&content["content_type"]),
                text(&content["content_name"])
            )
        })
        .collect();
    for (kind, folder) in [
        ("module", "modules"),
        ("lookup", "lookup"),
        ("vars", "vars"),
    ] {
        let folder = root().join("ansible/plugins").join(folder);
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "py") {
                let page = format!("{kind}/{}", path.file_stem().unwrap().to_str().unwrap());
                assert!(found.contains(&page), "{page} is not in {found:?}");
            }
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
