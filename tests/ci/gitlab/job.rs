//! `dotage ci gitlab` in a job: what is written, what is printed, and when the runner is told what to hide.

use super::scene::{Scene, text};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

/// dotage as a job runs it: a shell's command, in an environment like a job's.
fn job(scene: &Scene, shell: &[&str], script: &str) -> Output {
    let tmp = scene.path("project.tmp");
    fs::create_dir_all(&tmp).unwrap();
    let mut command = scene.dotage(&[]);
    let mut shell_command = Command::new(shell[0]);
    shell_command
        .args(&shell[1..])
        .arg(script)
        .env_clear()
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir(scene.project())
        .env("GITLAB_CI", "true")
        .env("CI_PROJECT_DIR", scene.project())
        .env("DOTAGE_PROFILE", "production");
    command = shell_command;
    command.output().expect("dash: run tests/install")
}

#[test]
fn the_file_is_closed_to_others_and_a_shell_reads_the_values_from_it() {
    let scene = Scene::new();
    let script = "file=$(dotage ci gitlab --export file) || exit; echo \"$file\"; stat -c %a \"$file\"
        set -a; . \"$file\"; printf '%s\\n' \"$API_TOKEN\" \"$DB_PASSWORD\" \"$TLS_KEY\" > values; rm \"$file\"";
    let output = job(&scene, &["sh", "-ec"], script);
    scene.search(&output);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    let told = text(&output.stdout);
    let (path, mode) = told.trim_end().split_once('\n').unwrap();
    let tmp = scene.path("project.tmp").display().to_string();
    assert!(
        path.starts_with(&format!("{tmp}/dotage-production-")),
        "{path}"
    );
    assert_eq!(mode, "600");
    assert!(said.ends_with(": written (0600, 5 values)\n"), "{said}");
    assert!(
        said.starts_with("no mask is set: this runner hides nothing"),
        "{said}"
    );
    let lines: Vec<&str> = ["API_TOKEN", "DB_PASSWORD", "TLS_KEY"]
        .iter()
        .map(|name| scene.value(name))
        .collect();
    let values = fs::read_to_string(scene.project().join("values")).unwrap();
    assert_eq!(values, lines.join("\n") + "\n");
    // A named file; and where there is no folder of the runner's, the system's own for temporary files.
    let output = job(
        &scene,
        &["sh", "-ec"],
        "dotage ci gitlab --export file --service api --to ../named.env",
    );
    assert_eq!(text(&output.stdout), "../named.env\n");
    let mode = fs::metadata(scene.path("named.env"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let output = job(
        &scene,
        &["sh", "-ec"],
        "unset CI_PROJECT_DIR; TMPDIR=$HOME dotage ci gitlab --export file",
    );
    let home = scene.path("home").display().to_string();
    assert!(
        text(&output.stdout).starts_with(&home),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_dotenv_report_is_refused_and_a_traced_job_is_warned() {
    let scene = Scene::new();
    let output = job(&scene, &["sh", "-ec"], "dotage ci gitlab --export dotenv");
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(
        said.starts_with(
            "a dotenv report holds no secrets: whoever sees the pipeline can download it"
        ),
        "{said}"
    );
    assert!(
        said.contains("help: let each job open the vault itself: dotage run -- COMMAND"),
        "{said}"
    );
    let output = job(
        &scene,
        &["sh", "-ec"],
        "CI_DEBUG_TRACE=true dotage ci gitlab",
    );
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).starts_with("warning: CI_DEBUG_TRACE shows every variable"));
    let output = job(&scene, &["sh", "-ec"], "dotage ci gitlab --to x");
    assert_eq!(output.status.code(), Some(2));
    // A fork's pipeline has no identity.
    let output = job(
        &scene,
        &["sh", "-ec"],
        "HOME=/nowhere dotage ci gitlab --export file",
    );
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert_eq!(fs::read_dir(scene.path("project.tmp")).unwrap().count(), 0);
}

/// A shell that runs a script called `proxy-exec`, as a program of this name.
fn called(scene: &Scene, name: &str) -> PathBuf {
    fs::write(scene.project().join("proxy-exec"), "dotage ci gitlab").unwrap();
    let program = scene.path(name);
    fs::copy("/bin/dash", &program).expect("dash: run tests/install");
    program
}

#[test]
fn masks_are_printed_where_the_runners_proxy_is_proven_to_hear_them() {
    let scene = Scene::new();
    let helper = called(&scene, "gitlab-runner-helper").display().to_string();
    let output = job(&scene, &["sh", "-ec"], &format!("{helper} proxy-exec"));
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty());
    let said = text(&output.stderr);
    let masks: Vec<&str> = said
        .lines()
        .filter_map(|line| line.strip_prefix("::add-mask::"))
        .collect();
    assert_eq!(masks.len(), said.lines().count());
    for name in ["API_TOKEN", "DB_PASSWORD"] {
        assert!(masks.contains(&scene.value(name)), "{name}");
    }
    let body = scene.value("TLS_KEY").lines().nth(1).unwrap();
    assert!(masks.contains(&body));
    let own = format!("DOTAGE_IDENTITY={} {helper} proxy-exec", scene.key);
    let output = job(&scene, &["sh", "-ec"], &own);
    assert!(text(&output.stderr).contains(&format!("::add-mask::{}\n", scene.key)));
    // The value that is no secret is no mask: it is in every other word.
    assert!(!masks.contains(&"app"));
    let output = job(
        &scene,
        &["sh", "-ec"],
        &format!("cd .; {helper} proxy-exec 2> log"),
    );
    assert_eq!(output.status.code(), Some(2));
    let log = fs::read(scene.project().join("log")).unwrap();
    assert_eq!(scene.leak(&log), None);
    assert!(
        text(&log).starts_with("stderr leads to a file"),
        "{}",
        text(&log)
    );
}

#[test]
fn who_only_says_to_be_the_runner_gets_no_mask() {
    let scene = Scene::new();
    let helper = called(&scene, "gitlab-runner-helper").display().to_string();
    let dash = called(&scene, "somebody").display().to_string();
    for script in [
        // By the name that it gives itself, and the runner at another work.
        format!("exec -a gitlab-runner-helper {dash} proxy-exec"),
        format!("cp proxy-exec run; {helper} run proxy-exec"),
    ] {
        let output = job(&scene, &["bash", "-ec"], &script);
        scene.search(&output);
        assert_eq!(output.status.code(), Some(0), "{script}");
        let said = text(&output.stderr);
        assert!(said.starts_with("no mask is set: "), "{script}: {said}");
    }
}
