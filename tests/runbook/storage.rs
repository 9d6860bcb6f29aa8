//! T: where secrets are kept until a service starts, on the project that `dotage init --preset freeboard` makes.

use super::precedence::Board;
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// The secrets of the runbook that Docker mounts, by service.
const MOUNTED: [(&str, &[&str]); 2] = [
    (
        "api",
        &[
            "JWT_SECRET",
            "JWT_GATEWAY_SECRET",
            "GATEWAY_SERVICE_TOKEN",
            "CREDENTIAL_ENCRYPTION_KEY",
        ],
    ),
    ("gateway", &["JWT_GATEWAY_SECRET", "GATEWAY_SERVICE_TOKEN"]),
];

/// What a process of the container has in its environment under these names, and the number of the process.
fn environment(mut command: Command, names: &[&str]) -> (BTreeMap<String, String>, bool) {
    let child = command
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let started = child.id().to_string();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let (pid, environment) = printed.split_once('\n').unwrap();
    let entries = environment
        .split('\0')
        .filter_map(|entry| entry.split_once('='))
        .filter(|(name, _)| names.contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    (entries.collect(), pid == started)
}

#[test]
fn runbook_t1_docker_secrets_are_variables_before_the_service_starts_and_no_shell_stays() {
    let board = Board::new();
    // The service itself: it tells its number and its environment.
    let service = ["sh", "-c", "echo $$; cat /proc/$$/environ"];
    for (name, secrets) in MOUNTED {
        // As Docker mounts them: /run/secrets/jwt_secret and so on, in a container that has no identity and no vault.
        let mounted = board.path(&format!("run-{name}"));
        let target = format!("run-{name}");
        let inventory = fs::read_to_string(board.path("dotage.yaml")).unwrap();
        let names = secrets.join(", ");
        board.put(
            "dotage.yaml",
            &format!("{inventory}\n  {target}: {{ folder: true, to: {target}/, profile: production, service: {name}, names: [{names}] }}\n"),
        );
        board.well(&["render", &target], &[]);
        // The wrapper that the runbook has today.
        let exports: String = secrets
            .iter()
            .map(|name| {
                let file = mounted.join(name.to_lowercase());
                format!("export {name}=\"$(cat {})\"\n", file.display())
            })
            .collect();
        let mut wrapper = Command::new("sh");
        wrapper
            .args(["-euc", &format!("{exports}exec \"$@\""), "sh"])
            .args(service);
        let (expected, _) = environment(wrapper, secrets);
        assert_eq!(expected.len(), secrets.len());
        for inside in ["/", board.path("").to_str().unwrap()] {
            let mut ours = Command::new(env!("CARGO_BIN_EXE_dotage"));
            ours.current_dir(inside)
                .args(["run", "--secrets-dir"])
                .arg(&mounted);
            if inside != "/" {
                ours.args(["--service", name]);
            }
            ours.arg("--").args(service);
            let (found, same_process) = environment(ours, secrets);
            assert_eq!(found, expected, "{name} in {inside}");
            assert!(
                same_process,
                "{name} in {inside}: something stays beside the service"
            );
        }
        // `NAME_FILE` is understood the same way, by the inventory's names.
        let (first, file) = (secrets[0], mounted.join(secrets[0].to_lowercase()));
        let variable = format!("{first}_FILE");
        let args = [
            "run",
            "--profile",
            "production",
            "--service",
            name,
            "--redact",
            "never",
            "--",
            "env",
        ];
        let printed = board.well(&args, &[(&variable, file.to_str().unwrap())]);
        assert!(
            printed
                .lines()
                .any(|line| line == format!("{first}={}", expected[first]))
        );
        assert!(!printed.contains(&variable));
    }
}
