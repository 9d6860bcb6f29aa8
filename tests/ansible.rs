//! The Ansible collection: `ansible-test`, the linters, and the stories of tests/ansible, on each ansible-core that we support.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Each ansible-core and its Python.
const CORES: [(&str, &str); 3] = [("217", "3.11"), ("219", "3.11"), ("221", "3.13")];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn consumers() -> PathBuf {
    root().join("target/consumers")
}

/// A program of an ansible-core's virtual environment.
fn program(core: &str, name: &str) -> PathBuf {
    let path = consumers()
        .join("ansible")
        .join(core)
        .join("bin")
        .join(name);
    assert!(
        path.exists(),
        "{} is missing: run tests/install",
        path.display()
    );
    path
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A copy of the collection where Ansible's tools want it: in `ansible_collections/dotage/secrets`.
fn tree() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let collections = folder.path().join("ansible_collections/dotage");
    fs::create_dir_all(&collections).unwrap();
    let collection = collections.join("secrets");
    succeeds(
        Command::new("cp")
            .arg("-r")
            .arg(root().join("ansible"))
            .arg(&collection),
    );
    (folder, collection)
}

/// A tool in a copy of the collection, with the home that tests/install filled, and the Pythons of all cores.
fn tool(core: &str, name: &str, collection: &Path) -> Command {
    let bin = program(core, name);
    let path = [
        bin.parent().unwrap(),
        &consumers().join("next/usr/bin"),
        Path::new("/usr/bin"),
        Path::new("/bin"),
    ]
    .map(|folder| folder.display().to_string())
    .join(":");
    let mut command = Command::new(bin);
    command
        .current_dir(collection)
        .env_clear()
        .env("PATH", path)
        .env("HOME", consumers().join("ansible/home"))
        .env("LC_ALL", "C.UTF-8")
        .env(
            "ANSIBLE_COLLECTIONS_PATH",
            collection.ancestors().nth(3).unwrap(),
        );
    command
}

/// `ansible-test` fills the caches of its home as it goes, so it runs once at a time.
static ANSIBLE_TEST: Mutex<()> = Mutex::new(());

fn ansible_test(core: &str, python: &str, what: &[&str]) {
    let (_folder, collection) = tree();
    let _alone = ANSIBLE_TEST
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    succeeds(
        tool(core, "ansible-test", &collection)
            .args(what)
            .args(["--local", "--color", "no", "--python", python]),
    );
}

/// A story of tests/ansible/stories.py.
fn story(name: &str, core: &str) {
    let script = root().join("tests/ansible/stories.py");
    let output = Command::new(program("219", "python"))
        .args([&script])
        .args([name, core])
        .env("DOTAGE", env!("CARGO_BIN_EXE_dotage"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(
        output.status.success(),
        "{name} on ansible-core {core}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn on_every_core(name: &str) {
    for (core, _) in CORES {
        story(name, core);
    }
}

#[test]
fn sanity() {
    for (core, python) in CORES {
        ansible_test(core, python, &["sanity"]);
    }
    let ignored = fs::read_dir(root().join("ansible/tests")).unwrap();
    let ignored: Vec<_> = ignored.map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        ignored.iter().all(|name| name != "sanity"),
        "no file of ignored problems"
    );
}

#[test]
fn units() {
    for (core, python) in CORES {
        ansible_test(core, python, &["units"]);
    }
}

#[test]
fn integration() {
    for (core, python) in CORES {
        let (_folder, collection) = tree();
        fs::write(
            collection.join("tests/integration/integration_config.yml"),
            format!("dotage_binary: {}\n", env!("CARGO_BIN_EXE_dotage")),
        )
        .unwrap();
        let _alone = ANSIBLE_TEST
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        succeeds(tool(core, "ansible-test", &collection).args([
            "integration",
            "--local",
            "--color",
            "no",
            "--python",
            python,
        ]));
    }
}

#[test]
fn the_linters_find_nothing() {
    let (_folder, collection) = tree();
    let run = |name: &str, arguments: &[&str]| {
        succeeds(tool("219", name, &collection).args(arguments));
    };
    run("antsibull-changelog", &["lint"]);
    run(
        "antsibull-docs",
        &[
            "lint-collection-docs",
            "--plugin-docs",
            "--validate-collection-refs",
            "all",
            "--disallow-unknown-collection-refs",
            "--check-extra-docs-refs",
            ".",
        ],
    );
    run("reuse", &["lint"]);
    run(
        "ansible-lint",
        &["--offline", "--profile", "production", "--nocolor"],
    );
}

#[test]
fn no_value_comes_to_light() {
    on_every_core("canaries");
}

#[test]
fn values_arrive_byte_for_byte_and_each_change_is_told() {
    on_every_core("bytes_and_changes");
}

#[test]
fn a_value_is_never_a_template_and_never_a_fact() {
    on_every_core("variables");
}

#[test]
fn becoming_an_unprivileged_user_needs_no_acl() {
    on_every_core("unprivileged");
}

#[test]
fn a_file_is_at_no_moment_open_to_others() {
    story("loose_moments", "219");
    story("loose_moments", "221");
}

#[test]
fn no_restart_is_lost() {
    story("restarts", "217");
    story("restarts", "221");
}

#[test]
fn what_changed_is_told_by_name_for_every_consumer() {
    story("names", "219");
}

#[test]
fn the_runbooks_stack() {
    story("freeboard", "219");
}

#[test]
fn a_rotation_over_a_fleet_stops_at_the_host_that_fails_and_goes_on() {
    on_every_core("rotation");
}

#[test]
fn twenty_hosts_behind_ssh() {
    story("ssh", "221");
}

#[test]
fn the_binary_on_hosts_has_its_checksum_or_is_not_put_there() {
    on_every_core("install");
}

#[test]
fn a_new_control_node_and_new_hosts_come_to_their_first_deployment() {
    on_every_core("bootstrap");
}

#[test]
fn where_the_binary_is_found() {
    story("binary", "219");
}

#[test]
fn the_tarball_is_all_that_is_needed() {
    on_every_core("tarball");
}
