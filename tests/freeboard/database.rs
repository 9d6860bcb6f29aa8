//! R6 on a real PostgreSQL, with one role and with two, and what `dotage postgres-role` makes of any name and password.

use super::needles::Needles;
use super::server::Server;
use super::stack::{BROKEN, Stack};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const NAME: &str = "POSTGRES_PASSWORD";
const ACCOUNT: &str = "freeboard_app";

/// Every command line of the machine while something is done.
fn command_lines(act: impl FnOnce()) -> BTreeSet<Vec<u8>> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !over.load(Ordering::Relaxed) {
                for process in fs::read_dir("/proc").unwrap().flatten() {
                    seen.extend(fs::read(process.path().join("cmdline")).ok());
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            seen
        });
        // Also when it panics the watcher must end.
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        over.store(true, Ordering::Relaxed);
        let seen = watcher.join().unwrap();
        ended.unwrap();
        seen
    })
}

/// The server's log and the command lines hold no password, in whatever form, and the log no verifier.
fn assert_nowhere(stack: &Stack, passwords: &[String], lines: &BTreeSet<Vec<u8>>) {
    let mut needles = Needles::new();
    for password in passwords {
        needles.add("a password", password.as_bytes());
    }
    let log = stack.server.log();
    assert!(
        log.contains("ALTER ROLE") || log.contains("connection authenticated"),
        "it logs: {log}"
    );
    assert_eq!(needles.find(log.as_bytes()), None, "the server's log");
    assert!(!log.contains("SCRAM-SHA-256$"), "a verifier is in the log");
    assert!(
        lines.iter().any(|line| line.starts_with(b"psql")),
        "psql was seen"
    );
    for line in lines {
        let shown = String::from_utf8_lossy(line);
        assert_eq!(
            needles.find(line),
            None,
            "{}",
            shown.split('\0').next().unwrap()
        );
    }
}

fn schema_checks(stack: &Stack) -> Vec<String> {
    let log = fs::read_to_string(stack.project().join("data/schema-status.log"));
    log.unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn runbook_r6_real_parts_the_old_password_is_refused_and_the_new_one_taken() {
    let stack = Stack::new();
    let old = stack.value(NAME);
    assert!(stack.server.takes(ACCOUNT, &old));
    // Outside of the window nothing is begun.
    let early = stack.dotage(&["rotate", NAME], &[]);
    assert!(String::from_utf8_lossy(&early.stderr).contains("maintenance window"));
    assert_eq!(
        (early.status.code(), stack.value(NAME)),
        (Some(2), old.clone())
    );
    let lines = command_lines(|| stack.rotate(&[NAME, "--in-window"]));
    let new = stack.value(NAME);
    assert!(stack.server.takes(ACCOUNT, &new));
    assert!(!stack.server.takes(ACCOUNT, &old));
    assert_eq!(schema_checks(&stack), [ACCOUNT]);
    assert!(stack.running("freeboard-api")["FREEBOARD_POSTGRES_URL"].contains(&new));
    assert!(stack.verifies("login") && stack.verifies("datasource"));
    assert_nowhere(&stack, &[old, new.clone()], &lines);
    // Back, after a check that failed.
    let mut failed = String::new();
    let lines = command_lines(|| {
        stack.rolls_back(&[NAME, "--in-window"], || {
            assert!(!stack.server.takes(ACCOUNT, &new), "the switch was made");
            failed = stack.value(NAME);
            assert!(stack.server.takes(ACCOUNT, &failed));
        });
    });
    assert!(stack.server.takes(ACCOUNT, &new));
    assert!(!stack.server.takes(ACCOUNT, &failed));
    assert!(stack.verifies("login"));
    assert_nowhere(&stack, &[new, failed], &lines);
}

#[test]
fn killed_after_the_server_took_the_new_password_the_rotation_goes_on_or_back() {
    let stack = Stack::new();
    for ways in [["--resume", "--in-window"], ["--rollback", "--in-window"]] {
        let old = stack.value(NAME);
        // The shell that runs the command is dotage's own child.
        let (command, kill) = (
            "before: ./ops/database.sh set-password",
            " && kill -9 $PPID",
        );
        stack.edit(|inventory| inventory.replace(command, &format!("{command}{kill}")));
        let killed = stack.dotage(&["rotate", NAME, "--in-window"], &[]);
        assert_eq!(killed.status.code(), None, "{killed:?}");
        assert!(!stack.server.takes(ACCOUNT, &old) && stack.value(NAME) == old);
        stack.edit(|inventory| inventory.replace(kill, ""));
        assert!(
            stack
                .dotage(&[&["rotate"], &ways[..]].concat(), &[])
                .status
                .success()
        );
        let new = stack.value(NAME);
        assert_eq!(new == old, ways[0] == "--rollback");
        assert!(stack.server.takes(ACCOUNT, &new) && stack.verifies("login"));
    }
}

#[test]
fn the_presets_set_password_may_be_run_again_after_a_kill() {
    let stack = Stack::new();
    let old = stack.value(NAME);
    let new = "another-password-of-forty-characters-000";
    let (forth, back) = (
        [
            ("POSTGRES_PASSWORD_OLD", old.as_str()),
            ("POSTGRES_PASSWORD_NEW", new),
        ],
        [
            ("POSTGRES_PASSWORD_OLD", new),
            ("POSTGRES_PASSWORD_NEW", old.as_str()),
        ],
    );
    for (given, good, dead) in [(forth, new, old.as_str()), (back, old.as_str(), new)] {
        for _ in 0..2 {
            stack.sh_with("./ops/database.sh set-password", &given);
            assert!(stack.server.takes(ACCOUNT, good) && !stack.server.takes(ACCOUNT, dead));
        }
    }
    // With two passwords that are both wrong, it fails.
    let wrong = [
        ("POSTGRES_PASSWORD_OLD", new),
        ("POSTGRES_PASSWORD_NEW", "yet-another-one"),
    ];
    let code = stack.sh_with(
        "./ops/database.sh set-password 2>/dev/null || echo $?",
        &wrong,
    );
    assert_eq!(code, "2\n");
    assert!(stack.server.takes(ACCOUNT, &old));
    // The probe of the old one succeeds while that is alive, and where nobody can tell.
    let alive = |password: &str| {
        let line = "./ops/database.sh old-password 2>/dev/null && echo alive || echo dead";
        stack.sh_with(line, &[("POSTGRES_PASSWORD_OLD", password)])
    };
    assert_eq!(alive(&old), "alive\n");
    assert_eq!(alive(new), "dead\n");
}

/// The two-role form, as the preset's README has it, put into a stack that runs with one role.
fn with_two_roles(stack: &Stack) {
    let readme = fs::read_to_string(stack.project().join("README.md")).unwrap();
    let block = |fence: &str| {
        let (_, rest) = readme.split_once(&format!("```{fence}\n")).unwrap();
        rest.split_once("```").unwrap().0.to_owned()
    };
    stack.edit(|inventory| {
        let (before, rest) = inventory
            .split_once("  FREEBOARD_POSTGRES_URL:\n    purpose")
            .unwrap();
        let (_, after) = rest.split_once("\ntargets:").unwrap();
        format!("{before}{}\ntargets:{after}", block("yaml"))
            .replace("used_by: [postgres, api]", "used_by: [postgres]")
    });
    let commands = block("bash");
    let (setup, rotation) = commands.split_once("\n\n").unwrap();
    assert!(
        rotation.starts_with(
            "printf freeboard_b | dotage rotate API_DATABASE_USER API_DATABASE_PASSWORD"
        )
    );
    stack.sh(setup);
    stack.until_up();
}

/// How a client of the database logs in now: as the API that runs does.
fn client(stack: &Stack) -> (String, String) {
    let known: serde_json::Value =
        serde_json::from_str(&stack.state("freeboard-api", "json")).unwrap();
    let url = known["FREEBOARD_POSTGRES_URL"].as_str().unwrap();
    let (role, rest) = url
        .strip_prefix("postgresql://")
        .unwrap()
        .split_once(':')
        .unwrap();
    let (password, _) = rest.split_once('@').unwrap();
    (role.to_owned(), password.to_owned())
}

#[test]
fn with_two_roles_no_query_fails_and_the_old_role_ends() {
    let stack = Stack::new();
    with_two_roles(&stack);
    let (first, old) = client(&stack);
    assert_eq!(first, "freeboard_a");
    assert!(stack.verifies("login"));
    // One that stays connected as the old role.
    let mut long = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"])
        .args([
            "--host",
            super::server::LOOPBACK,
            "--port",
            &stack.server.port.to_string(),
        ])
        .args(["--username", &first, "freeboard"])
        .env("PGPASSWORD", &old)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let rotate = |stack: &Stack, to: &str, given: &[(&str, &str)]| {
        // From elsewhere: what dotage runs may run it again, and finds its folder all the same.
        let line = format!(
            "cd ..; printf {to} | DOTAGE_DIRECTORY=project dotage rotate API_DATABASE_USER API_DATABASE_PASSWORD 2>&1"
        );
        stack.sh_with(&format!("{line} || echo \"failed: $?\""), given)
    };
    let over = AtomicBool::new(false);
    let (queries, failures, lines) = std::thread::scope(|scope| {
        let reconnecting = scope.spawn(|| {
            let (mut queries, mut failures) = (0, Vec::new());
            while !over.load(Ordering::Relaxed) {
                let (role, password) = client(&stack);
                queries += 1;
                if !stack.server.takes(&role, &password) {
                    failures.push(role);
                }
            }
            (queries, failures)
        });
        let lines = command_lines(|| {
            let said = rotate(&stack, "freeboard_b", &[]);
            over.store(true, Ordering::Relaxed);
            assert!(said.contains("finish: done"), "{said}");
        });
        over.store(true, Ordering::Relaxed);
        let (queries, failures) = reconnecting.join().unwrap();
        (queries, failures, lines)
    });
    println!(
        "{queries} connections during the rotation, {} failed",
        failures.len()
    );
    assert!(
        queries >= 20 && failures.is_empty(),
        "{queries}: {failures:?}"
    );
    let (second, new) = client(&stack);
    assert_eq!(second, "freeboard_b");
    assert!(stack.server.takes(&second, &new));
    // The old role is retired: no login, no password, and its session is over.
    assert!(!stack.server.takes(&first, &old));
    let row =
        "SELECT rolcanlogin, rolpassword IS NULL FROM pg_authid WHERE rolname = 'freeboard_a'";
    assert_eq!(stack.server.ask(row), "f|t");
    let _ = long.stdin.take().unwrap().write_all(b"SELECT 1;\n");
    assert!(!long.wait().unwrap().success());
    // What the new role creates belongs to the owner.
    assert_eq!(schema_checks(&stack), ["freeboard_b"]);
    let given = [
        ("PGHOST", super::server::LOOPBACK),
        ("PGUSER", &second),
        ("PGPASSWORD", &new),
        ("PGDATABASE", "freeboard"),
    ];
    let made = stack.server.psql(
        &given,
        "CREATE TABLE made (); SELECT tableowner FROM pg_tables WHERE tablename = 'made'",
    );
    assert_eq!(
        String::from_utf8_lossy(&made.stdout),
        format!("{ACCOUNT}\n")
    );
    assert_nowhere(&stack, &[old, new.clone()], &lines);
    // A check fails on the way to the first role again: the second one goes on, and never stopped.
    stack.edit(|inventory| inventory.replace("within: 2m", "within: 8s"));
    let said = rotate(&stack, "freeboard_a", &BROKEN);
    assert!(
        said.contains("stands at `verify`") && said.contains("failed: 2"),
        "{said}"
    );
    assert!(stack.server.takes(&second, &new), "both log in");
    assert_eq!(client(&stack).0, "freeboard_a");
    stack.edit(|inventory| inventory.replace("within: 8s", "within: 2m"));
    assert!(
        stack
            .dotage(&["rotate", "--rollback"], &[])
            .status
            .success()
    );
    assert_eq!(client(&stack), (second.clone(), new.clone()));
    assert!(stack.verifies("login"));
    // Where no role is named, the one in use gets the new password, and isn't retired.
    let alone = ["rotate", "API_DATABASE_PASSWORD"];
    assert!(stack.dotage(&alone, &[]).status.success());
    let (role, newest) = client(&stack);
    assert_eq!(role, second);
    assert!(stack.server.takes(&role, &newest) && !stack.server.takes(&role, &new));
    assert!(stack.verifies("login"));
}

/// `dotage postgres-role`'s SQL, run by an account.
fn role_sql(server: &Server, args: &[&str], password: &str, by: &[(&str, &str)]) -> bool {
    let made = Command::new(env!("CARGO_BIN_EXE_dotage"))
        .arg("postgres-role")
        .args(args)
        .env("NEW", password)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let sql = String::from_utf8(made.stdout).unwrap();
    let done = server.psql(by, &sql);
    eprintln!("{}", String::from_utf8_lossy(&done.stderr));
    done.status.success()
}

#[test]
fn any_role_and_any_printable_password_log_in_by_the_verifier() {
    let server = Server::start("postgres", "unused-unused");
    server.ask("CREATE ROLE shop");
    let passwords = [
        "a",
        " leading and trailing ",
        "it's \"quoted\" \\ :NEW $$ %41",
        "SCRAM-SHA-256$4096:",
    ];
    let roles = [
        "api",
        "UPPER Case",
        "evil\"; DROP ROLE shop; --",
        "it's \\ a $$ :'NEW'\nnew \\! id",
        "ünïcödé",
        "current_user",
        &"x".repeat(63),
    ];
    for (role, password) in roles.iter().zip(passwords.iter().cycle()) {
        // Twice: what is there already is no error.
        for _ in 0..2 {
            assert!(role_sql(
                &server,
                &[
                    role,
                    "--password-env",
                    "NEW",
                    "--create",
                    "--member-of",
                    "shop"
                ],
                password,
                &[]
            ));
        }
        assert!(server.takes(role, password), "{role:?}");
        assert!(!server.takes(role, &format!("{password}x")));
        // A role changes its own password.
        let by = [
            ("PGHOST", super::server::LOOPBACK),
            ("PGUSER", role),
            ("PGPASSWORD", password),
            ("PGOPTIONS", "-c role=none"),
        ];
        assert!(role_sql(
            &server,
            &[role, "--password-env", "NEW"],
            "the next password",
            &by
        ));
        assert!(server.takes(role, "the next password") && !server.takes(role, password));
        assert!(role_sql(&server, &[role, "--retire"], "", &[]), "{role:?}");
        assert!(!server.takes(role, "the next password"));
    }
    assert_eq!(
        server.ask("SELECT count(*) FROM pg_roles WHERE rolname = 'shop'"),
        "1"
    );
    // A role that isn't there is an error that psql ends with.
    assert!(!role_sql(
        &server,
        &["nobody", "--password-env", "NEW"],
        "password",
        &[]
    ));
    assert!(!role_sql(&server, &["nobody", "--retire"], "", &[]));
    // The server made the same of the same password as we do: its own clients and ours log in alike.
    server.ask("CREATE ROLE theirs LOGIN PASSWORD 'pencil'");
    // Which the log shows: what it doesn't show elsewhere isn't there.
    assert!(server.log().contains("PASSWORD 'pencil'"));
    let theirs = server.ask("SELECT rolpassword FROM pg_authid WHERE rolname = 'theirs'");
    assert!(role_sql(
        &server,
        &["ours", "--password-env", "NEW", "--create"],
        "pencil",
        &[]
    ));
    let ours = server.ask("SELECT rolpassword FROM pg_authid WHERE rolname = 'ours'");
    let shape = |verifier: &str| verifier.split(['$', ':']).map(str::len).collect::<Vec<_>>();
    assert_eq!(shape(&ours), shape(&theirs));
    assert_eq!(ours.split(':').next(), theirs.split(':').next());
}
