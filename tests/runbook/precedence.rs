//! P: which source of a variable wins, on the project that `dotage init --preset freeboard` makes.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A home, and in it a fresh project of the preset with a value for all that can be generated.
pub(super) struct Board {
    folder: tempfile::TempDir,
}

impl Board {
    pub(super) fn new() -> Board {
        let board = Board {
            folder: tempfile::tempdir().unwrap(),
        };
        board.well(&["-C", "..", "init", "--preset", "freeboard", "board"], &[]);
        board.well(&["generate", "--missing"], &[]);
        board
    }

    pub(super) fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join("board").join(inside)
    }

    /// Runs dotage in the project, with nothing but `env` in its environment.
    pub(super) fn run(&self, args: &[&str], env: &[(&str, &str)]) -> Output {
        fs::create_dir_all(self.path("")).unwrap();
        Command::new(env!("CARGO_BIN_EXE_dotage"))
            .args(args)
            .current_dir(self.path(""))
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", std::env::var("PATH").unwrap())
            .envs(env.iter().copied())
            .output()
            .unwrap()
    }

    pub(super) fn well(&self, args: &[&str], env: &[(&str, &str)]) -> String {
        let output = self.run(args, env);
        assert!(
            output.status.success(),
            "{args:?}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    pub(super) fn put(&self, inside: &str, text: &str) {
        let path = self.path(inside);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn explain(&self, name: &str, service: &str, profile: &str, env: &[(&str, &str)]) -> Explained {
        let args = [
            "explain",
            name,
            "--service",
            service,
            "--profile",
            profile,
            "--json",
        ];
        Explained(serde_json::from_str(&self.well(&args, env)).unwrap())
    }
}

/// The answer of `explain --json`.
struct Explained(Value);

impl Explained {
    /// The sources of the service itself, or of its container.
    fn sources(&self, contained: bool) -> &[Value] {
        let environments = self.0["environments"].as_array().unwrap();
        let environment = environments
            .iter()
            .find(|environment| environment["container"].is_string() == contained)
            .unwrap();
        environment["sources"].as_array().unwrap()
    }

    fn rules(&self, severity: &str) -> Vec<&str> {
        let problems = self.0["problems"].as_array().unwrap();
        problems
            .iter()
            .filter(|problem| problem["severity"] == severity)
            .map(|problem| problem["rule"].as_str().unwrap())
            .collect()
    }
}

/// The source that wins: `process`, a file's path, `default`.
fn winner(sources: &[Value]) -> Option<&str> {
    let won = sources.iter().find(|source| source["state"] == "wins")?;
    match won["source"].as_str()? {
        "file" => won["path"].as_str(),
        source => Some(source),
    }
}

#[test]
fn runbook_p1_the_api_reads_process_then_packages_api_env_then_root_env_then_code_defaults() {
    let board = Board::new();
    board.put("packages/api/.env", "CREATE_ADMIN=from-packages\n");
    board.put(".env", "CREATE_ADMIN=from-root\n");
    let won = |env: &[(&str, &str)]| {
        let explained = board.explain("CREATE_ADMIN", "api", "production", env);
        winner(explained.sources(false)).map(str::to_owned)
    };
    assert_eq!(
        won(&[("CREATE_ADMIN", "false")]).as_deref(),
        Some("process")
    );
    // dotenv leaves alone what is set, also when it is empty.
    assert_eq!(won(&[("CREATE_ADMIN", "")]).as_deref(), Some("process"));
    assert_eq!(won(&[]).as_deref(), Some("packages/api/.env"));
    fs::remove_file(board.path("packages/api/.env")).unwrap();
    assert_eq!(won(&[]).as_deref(), Some(".env"));
    board.put(".env", "OTHER=x\n");
    assert_eq!(won(&[]).as_deref(), Some("defaults"));

    // Which are shadowed, and whether a shadow differs; never a value.
    board.put("packages/api/.env", "JWT_SECRET=the-one\n");
    board.put(".env", "JWT_SECRET=another\n");
    let env = [("JWT_SECRET", "the-one")];
    let explained = board.explain("JWT_SECRET", "api", "development", &env);
    let equal: Vec<&Value> = explained
        .sources(false)
        .iter()
        .map(|source| &source["equal"])
        .collect();
    assert_eq!(
        equal,
        [
            &Value::Null,
            &Value::Bool(true),
            &Value::Bool(false),
            &Value::Null
        ]
    );
    let shown = board.well(&["explain", "JWT_SECRET", "--service", "api"], &env);
    assert!(
        !shown.contains("the-one") && !shown.contains("another"),
        "{shown}"
    );
}

#[test]
fn runbook_p2_the_gateway_reads_process_then_env_and_its_insecure_defaults_are_an_error_in_production()
 {
    let board = Board::new();
    board.put(".env", "JWT_GATEWAY_SECRET=from-root\n");
    let explain = |profile: &str, env: &[(&str, &str)]| {
        board.explain("JWT_GATEWAY_SECRET", "gateway", profile, env)
    };
    let env = [("JWT_GATEWAY_SECRET", "from-process")];
    assert_eq!(
        winner(explain("production", &env).sources(false)),
        Some("process")
    );
    assert_eq!(
        winner(explain("production", &[]).sources(false)),
        Some(".env")
    );
    board.put(".env", "OTHER=x\n");
    for (profile, severity) in [("production", "error"), ("development", "note")] {
        let explained = explain(profile, &[]);
        assert_eq!(winner(explained.sources(false)), Some("defaults"));
        assert!(
            explained.rules(severity).contains(&"code-default"),
            "{profile}"
        );
    }
    // What production's target will put there is counted on, and that it isn't there yet is said.
    fs::remove_file(board.path(".env")).unwrap();
    let awaited = explain("production", &[]);
    assert_eq!(awaited.sources(false)[1]["awaits"], "compose");
    assert!(awaited.rules("error").is_empty());
    assert_eq!(awaited.rules("note"), ["code-default"]);
}

#[test]
fn runbook_p3_compose_reads_the_shell_then_env_then_the_default_and_fails_on_what_it_requires() {
    let board = Board::new();
    let explain =
        |env: &[(&str, &str)]| board.explain("POSTGRES_DB", "postgres", "production", env);
    let required = "POSTGRES_USER=u\nPOSTGRES_PASSWORD=p\nFREEBOARD_POSTGRES_URL=u\nJWT_SECRET=s\n\
        JWT_GATEWAY_SECRET=s\nGATEWAY_SERVICE_TOKEN=s\nCREDENTIAL_ENCRYPTION_KEY=s\n";
    board.put(".env", &format!("{required}POSTGRES_DB=from-root\n"));
    let asked = |explained: &Explained| {
        let compose = &explained.sources(true)[0];
        assert_eq!(
            (&compose["source"], &compose["path"]),
            (&"compose".into(), &"compose.yaml".into())
        );
        winner(compose["asks"][0]["sources"].as_array().unwrap()).map(str::to_owned)
    };
    assert_eq!(
        asked(&explain(&[("POSTGRES_DB", "x")])).as_deref(),
        Some("process")
    );
    assert_eq!(asked(&explain(&[])).as_deref(), Some(".env"));
    board.put(".env", required);
    let fallen = explain(&[]);
    assert_eq!(asked(&fallen).as_deref(), Some("default"));
    // The default is what the profile itself publishes, so it is only warned of.
    assert_eq!(fallen.rules("warning"), ["compose-default"]);
    let inventory = fs::read_to_string(board.path("dotage.yaml")).unwrap();
    let stricter = inventory.replace("production: freeboard }", "production: board }");
    assert_ne!(inventory, stricter);
    board.put("dotage.yaml", &stricter);
    assert_eq!(explain(&[]).rules("error"), ["compose-default"]);

    board.put(".env", "POSTGRES_USER=\n");
    let failing = board.explain("POSTGRES_USER", "postgres", "production", &[]);
    assert_eq!(failing.sources(true)[0]["state"], "fails");
    assert!(failing.rules("error").contains(&"compose-required"));
    // Compose itself fails there, and not before.
    assert!(!compose_loads(&board.path("")));
    board.put(".env", required);
    assert!(compose_loads(&board.path("")));
}

/// The real Docker Compose.
fn compose() -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/consumers/next/usr/libexec/docker/cli-plugins/docker-compose");
    assert!(
        program.exists(),
        "Docker Compose is missing: run tests/install"
    );
    program
}

/// Whether it takes the project.
fn compose_loads(project: &Path) -> bool {
    let output = Command::new(compose())
        .arg("config")
        .current_dir(project)
        .env_clear()
        .env("HOME", project)
        .output()
        .unwrap();
    output.status.success()
}

/// A value of the production vault.
fn stored(board: &Board, name: &str) -> String {
    board.well(&["get", name, "--profile", "production"], &[])
}

/// What a program that `dotage run` starts for a service finds under a name, and what is said on the way.
fn run(board: &Board, service: &str, name: &str, env: &[(&str, &str)]) -> (String, String) {
    let output = board.run(
        &[
            "run",
            "--profile",
            "production",
            "--service",
            service,
            "--redact",
            "never",
            "--",
            "printenv",
            name,
        ],
        env,
    );
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        text(&output.stdout).trim_end().to_owned(),
        text(&output.stderr),
    )
}

#[test]
fn runbook_p1_run_gives_the_api_its_values_below_the_process_and_above_its_files() {
    let board = Board::new();
    let vault = stored(&board, "JWT_SECRET");
    assert_eq!(
        run(&board, "api", "JWT_SECRET", &[]),
        (vault.clone(), String::new())
    );
    // The API's dotenv leaves alone what is set, so the vault's value wins over both files, and that is said.
    board.put("packages/api/.env", "JWT_SECRET=from-packages\n");
    board.put(".env", "JWT_SECRET=from-root\n");
    let (value, said) = run(&board, "api", "JWT_SECRET", &[]);
    assert_eq!(value, vault);
    assert_eq!(
        said,
        "the vault wins over .env: JWT_SECRET\nthe vault wins over packages/api/.env: JWT_SECRET\n"
    );
    let (value, said) = run(
        &board,
        "api",
        "JWT_SECRET",
        &[("JWT_SECRET", "from-the-process")],
    );
    assert_eq!(value, "from-the-process");
    assert!(
        said.starts_with("the environment wins over .env: JWT_SECRET"),
        "{said}"
    );
    assert!(
        said.contains("the environment wins over the vault: JWT_SECRET"),
        "{said}"
    );
    assert!(!said.contains(&vault) && !said.contains("from-"), "{said}");
}

#[test]
fn runbook_p2_run_starts_no_gateway_that_would_fall_to_its_insecure_defaults() {
    let board = Board::new();
    for name in ["JWT_GATEWAY_SECRET", "GATEWAY_SERVICE_TOKEN"] {
        board.well(&["unset", name, "--profile", "production"], &[]);
    }
    for (env, starts) in [
        (&[][..], false),
        (
            &[("JWT_GATEWAY_SECRET", "x"), ("GATEWAY_SERVICE_TOKEN", "y")],
            true,
        ),
    ] {
        let args = [
            "run",
            "--profile",
            "production",
            "--service",
            "gateway",
            "--",
            "echo",
            "started",
        ];
        let output = board.run(&args, env);
        assert_eq!(output.status.success(), starts, "{output:?}");
        assert_eq!(output.stdout.is_empty(), !starts);
        if !starts {
            assert_eq!(output.status.code(), Some(125));
            let said = String::from_utf8(output.stderr).unwrap();
            for name in ["JWT_GATEWAY_SECRET", "GATEWAY_SERVICE_TOKEN"] {
                assert!(
                    said.contains(&format!("{name} has no value in profile production")),
                    "{said}"
                );
            }
        }
    }
    board.well(&["generate", "--missing", "--profile", "production"], &[]);
    let vault = stored(&board, "JWT_GATEWAY_SECRET");
    assert_eq!(run(&board, "gateway", "JWT_GATEWAY_SECRET", &[]).0, vault);
}

#[test]
fn runbook_p3_run_exports_to_compose_what_wins_over_its_env_file() {
    let board = Board::new();
    let required = "POSTGRES_USER=u\nPOSTGRES_PASSWORD=p\nFREEBOARD_POSTGRES_URL=u\nJWT_SECRET=from-root\n\
        JWT_GATEWAY_SECRET=s\nGATEWAY_SERVICE_TOKEN=s\nCREDENTIAL_ENCRYPTION_KEY=s\n";
    board.put(".env", required);
    let program = compose();
    let compose = |env: &[(&str, &str)]| {
        let args = [
            "run",
            "--profile",
            "production",
            "--redact",
            "never",
            "--",
            program.to_str().unwrap(),
            "config",
        ];
        board.well(&args, env)
    };
    let vault = stored(&board, "JWT_SECRET");
    let config = compose(&[]);
    assert!(
        config.contains(&vault) && !config.contains("from-root"),
        "{config}"
    );
    let config = compose(&[("JWT_SECRET", "from-the-shell")]);
    assert!(
        config.contains("from-the-shell") && !config.contains(&vault),
        "{config}"
    );
}
