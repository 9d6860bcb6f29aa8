//! No secret is ever printed: every verb, used well and badly, on vaults of canary values, and every place searched
//! where one of them could come to light.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "canary/cases.rs"]
mod cases;
#[path = "canary/needles.rs"]
mod needles;
#[path = "canary/scene.rs"]
mod scene;
#[path = "canary/watch.rs"]
mod watch;

use cases::{Case, How};
use scene::{Canaries, Scene};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use watch::Watch;

const DOTAGE: &str = env!("CARGO_BIN_EXE_dotage");

/// What one invocation searched.
#[derive(Default)]
struct Searched {
    bytes: usize,
    files: usize,
}

#[test]
fn no_secret_is_printed_by_any_verb_used_well_or_badly() {
    let canaries = Canaries::new();
    let base = Scene::new(&canaries);
    let cases = cases::all(&canaries);
    let watch = Mutex::new(Watch::default());
    let (over, next) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (bytes, files) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let faults = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                watch
                    .lock()
                    .unwrap()
                    .look(Path::new(DOTAGE), &canaries.needles);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let workers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let scene = base.copy();
                        let (searched, found) = invoke(case, &scene, &canaries);
                        for fault in &found {
                            eprintln!("{fault}");
                        }
                        bytes.fetch_add(searched.bytes, Ordering::Relaxed);
                        files.fetch_add(searched.files, Ordering::Relaxed);
                        faults.lock().unwrap().extend(found);
                    }
                })
            })
            .collect();
        let ended: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        over.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok));
    });
    let watch = watch.into_inner().unwrap();
    let mut faults = faults.into_inner().unwrap();
    faults.extend(watch.leaks.iter().cloned());
    let forced = cases.iter().filter(|case| !case.codes.contains(&0)).count();
    let held = cases
        .iter()
        .filter(|case| matches!(case.how, How::Held(_)))
        .count();
    println!(
        "{} invocations, {forced} of them with forced errors; {} bytes searched in {} outputs and files",
        cases.len(),
        bytes.load(Ordering::Relaxed),
        files.load(Ordering::Relaxed),
    );
    println!(
        "/proc: {} rounds, {} bytes; {} processes seen running, {} of them held by strace, {} that they started",
        watch.rounds,
        watch.bytes,
        watch.seen.len(),
        watch.held.len(),
        watch.started.len(),
    );
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
    assert!(cases.len() >= 150, "only {} invocations", cases.len());
    assert!(forced >= 120, "only {forced} forced errors");
    assert!(
        watch.held.len() >= held,
        "{} of {held} were seen",
        watch.held.len()
    );
    assert!(watch.seen.len() >= cases.len() / 3, "{}", watch.seen.len());
    assert!(watch.started.len() >= 5, "{}", watch.started.len());
    assert!(bytes.load(Ordering::Relaxed) > 1_000_000);
}

/// Runs a case and searches everything it could have written.
fn invoke(case: &Case, scene: &Scene, canaries: &Canaries) -> (Searched, Vec<String>) {
    if let Some(before) = &case.before {
        before(scene);
    }
    let output = run(case, scene);
    let mut faults = Vec::new();
    let code = output
        .status
        .code()
        .unwrap_or_else(|| 128 + output.status.signal().unwrap());
    if !case.codes.contains(&code) {
        faults.push(format!(
            "{}: exit code {code}: {}",
            case.name,
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let searched = search(case, scene, canaries, &output, &mut faults);
    if case.torn {
        let again = run(&cases::case("again", &["render"]), scene);
        assert!(again.status.success(), "{}: {again:?}", case.name);
        let left = scene
            .files()
            .into_iter()
            .find(|(name, ..)| name.contains(".dotage-"));
        if let Some((name, ..)) = left {
            faults.push(format!("{}: {name} outlives the next run", case.name));
        }
    }
    (searched, faults)
}

fn search(
    case: &Case,
    scene: &Scene,
    canaries: &Canaries,
    output: &Output,
    faults: &mut Vec<String>,
) -> Searched {
    let mut found = |place: &str, bytes: &[u8]| {
        let (at, what) = canaries.needles.find(bytes)?;
        let around = &bytes[at.saturating_sub(60)..(at + 12).min(bytes.len())];
        let around = String::from_utf8_lossy(around).into_owned();
        faults.push(format!("{}: {what} is in {place}: …{around:?}", case.name));
        Some(())
    };
    let mut searched = Searched::default();
    for (place, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        searched.bytes += bytes.len();
        searched.files += 1;
        if !(case.product && place == "stdout" && output.status.success()) {
            found(place, bytes);
        }
    }
    let text = String::from_utf8_lossy(&output.stderr);
    if text.contains("panicked") || text.contains("internal error") {
        found("a panic, so", b"");
        faults.push(format!("{}: a panic: {text}", case.name));
    }
    for (name, mode, bytes) in scene.files() {
        searched.bytes += bytes.len();
        searched.files += 1;
        if name.contains("/.dotage-") && !case.torn {
            faults.push(format!("{}: {name} is left behind", case.name));
        }
        if case.planted.iter().any(|planted| name.ends_with(planted)) {
            continue;
        }
        let target =
            name.starts_with("project/out/") || name.ends_with(".config/dotage/identity.txt");
        if canaries.needles.find(&bytes).is_some() && !(target && mode == case.mode) {
            faults.push(format!(
                "{}: a canary is in {name}, mode {mode:o}",
                case.name
            ));
        }
    }
    searched
}

/// Runs a case in its scene.
fn run(case: &Case, scene: &Scene) -> Output {
    let mut command = match &case.how {
        How::Plain | How::Terminal(_) | How::Signal(_) => Command::new(DOTAGE),
        How::Held(options) => {
            let mut command = Command::new("strace");
            command
                .args(["-f", "-qq", "-o", "/dev/null"])
                .args(*options)
                .arg(DOTAGE);
            command
        }
        How::Shell(script) => {
            let mut command = Command::new("sh");
            command.args(["-c", script, DOTAGE]);
            command
        }
    };
    if let How::Terminal(_) = case.how {
        command = Command::new("script");
        let line: Vec<String> = case.args.iter().map(|word| format!("'{word}'")).collect();
        command.args(["-qec", &format!("{DOTAGE} {}", line.join(" ")), "/dev/null"]);
    } else {
        command.args(&case.args);
    }
    let path = format!(
        "{}:{}",
        scene.path("given").display(),
        std::env::var("PATH").unwrap()
    );
    command
        .env_clear()
        .env("PATH", path)
        .env("HOME", scene.path("home"))
        .env("TMPDIR", scene.path("tmp"))
        .env("XDG_RUNTIME_DIR", scene.memory())
        .env("RUST_BACKTRACE", "full")
        .env("RUST_LOG", "trace")
        .env("GIVEN", scene.path("given"))
        .envs(case.env.iter().map(|(name, value)| {
            (
                name,
                value.replace("$GIVEN", scene.path("given").to_str().unwrap()),
            )
        }))
        .current_dir(scene.path("project"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .expect("strace and script: run tests/install");
    let mut stdin = child.stdin.take().unwrap();
    match &case.how {
        How::Terminal(talk) => {
            let mut stdout = child.stdout.take().unwrap();
            let mut seen = Vec::new();
            let mut buffer = [0; 4096];
            let mut talk = talk.iter();
            let mut waiting = talk.next();
            loop {
                let read = stdout.read(&mut buffer).unwrap_or(0);
                if read == 0 {
                    break;
                }
                seen.extend_from_slice(&buffer[..read]);
                if let Some((question, answer)) = waiting
                    && String::from_utf8_lossy(&seen).matches(question).count() > 0
                {
                    // The echo is turned off just after the question; no person types within that time.
                    std::thread::sleep(Duration::from_millis(400));
                    let _ = stdin.write_all(answer);
                    waiting = talk.next();
                }
            }
            drop(stdin);
            let mut output = child.wait_with_output().unwrap();
            output.stdout = seen;
            output
        }
        How::Signal(signal) => {
            drop(stdin);
            std::thread::sleep(Duration::from_millis(700));
            let id = child.id().to_string();
            assert!(
                Command::new("kill")
                    .args([signal, id.as_str()])
                    .status()
                    .unwrap()
                    .success()
            );
            child.wait_with_output().unwrap()
        }
        _ => {
            let _ = stdin.write_all(&case.stdin);
            drop(stdin);
            child.wait_with_output().unwrap()
        }
    }
}
