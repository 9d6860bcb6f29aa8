//! No secret is ever printed: every verb, used well and badly, on vaults of canary values, and every place searched
//! where one of them could come to light.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_collect,
    clippy::zombie_processes,
    clippy::too_many_lines
)]

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
                    .look(Path::new(DOTAGE), &canaries.watched, &canaries.keys);
                std::thread::sleep(Duration::from_millis(3));
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
        let ended: Vec<_> = workers
            .into_iter()
            .map(std::thread::ScopedJoinHandle::join)
            .collect();
        over.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok));
    });
    let watch = watch.into_inner().unwrap();
    let mut faults = faults.into_inner().unwrap();
    for (name, _, bytes) in scene::shared() {
        if let Some((_, what)) = canaries.needles.find(&bytes) {
            faults.push(format!("{what} is left in {name}"));
        }
    }
    faults.extend(watch.leaks.iter().cloned());
    let forced = cases.iter().filter(|case| !case.codes.contains(&0)).count();
    let held = cases
        .iter()
        .filter(|case| case.name.starts_with("held: "))
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
    assert!(watch.seen.len() >= 60, "{}", watch.seen.len());
    assert!(watch.started.len() >= 5, "{}", watch.started.len());
    assert!(bytes.load(Ordering::Relaxed) > 1_000_000);
}

#[test]
fn no_old_and_no_new_value_of_a_rotation_or_an_incident_is_printed() {
    let canaries = Canaries::new();
    let base = Scene::new(&canaries);
    let cases = cases::rotations(&canaries);
    let (over, watch) = (AtomicBool::new(false), Mutex::new(Watch::default()));
    let (mut bytes, mut faults) = (0, Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let mut watch = watch.lock().unwrap();
                watch.look(Path::new(DOTAGE), &canaries.needles, &canaries.keys);
                drop(watch);
                std::thread::sleep(Duration::from_millis(3));
            }
        });
        for case in &cases {
            let (searched, found) = invoke(case, &base.copy(), &canaries);
            bytes += searched.bytes;
            faults.extend(found);
        }
        over.store(true, Ordering::Relaxed);
    });
    let watch = watch.into_inner().unwrap();
    // What a command is given stands in its environment, on purpose; what opens a vault never does.
    let given =
        |leak: &String| leak.contains(" is in the environ of ") && !leak.contains("identity");
    faults.extend(watch.leaks.into_iter().filter(|leak| !given(leak)));
    println!(
        "{} rotations and incidents, {bytes} bytes searched; {} processes that they started",
        cases.len(),
        watch.started.len()
    );
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
    assert!(watch.started.len() >= 20, "{}", watch.started.len());
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
    // Where the kernel has no random bytes or memory left the standard library gives up; only that it tells no more counts.
    if (text.contains("panicked") || text.contains("internal error")) && !case.torn {
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
        let allowed = name.starts_with("project/out/") && mode == case.mode
            || name == "home/.config/dotage/identity.txt" && mode == 0o600;
        if !allowed && canaries.needles.find(&bytes).is_some() {
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

/// Starts a command that strace holds for a while at its end, and gives the process's number once it is there.
fn held_at_its_end(scene: &Scene, args: &[&str]) -> (std::process::Child, u32) {
    let log = scene.path("tmp/strace.log");
    let child = Command::new("strace")
        .args(["-qq", "-o", log.to_str().unwrap(), "-e", "trace=exit_group"])
        .args(["-e", "inject=exit_group:delay_enter=3000000", DOTAGE])
        .args(args)
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        .env("HOME", scene.path("home"))
        .current_dir(scene.path("project"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("strace: run tests/install");
    let (strace, start) = (child.id(), std::time::Instant::now());
    loop {
        let path = format!("/proc/{strace}/task/{strace}/children");
        let children = std::fs::read_to_string(path).unwrap_or_default();
        let held = children.split_whitespace().find(|pid| {
            // What it waits in is its end: the number of exit_group(2) on this machine, proc_pid_syscall(5).
            std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == Path::new(DOTAGE))
                && std::fs::read_to_string(format!("/proc/{pid}/syscall"))
                    .is_ok_and(|call| call.starts_with(EXIT_GROUP))
        });
        if let Some(pid) = held {
            return (child, pid.parse().unwrap());
        }
        assert!(start.elapsed() < Duration::from_mins(1), "it never ended");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(target_arch = "x86_64")]
const EXIT_GROUP: &str = "231 ";
#[cfg(target_arch = "aarch64")]
const EXIT_GROUP: &str = "94 ";

#[test]
fn a_running_process_leaves_no_core_and_is_closed_to_its_own_user() {
    use std::os::unix::fs::MetadataExt;
    let canaries = Canaries::new();
    let scene = Scene::new(&canaries);
    let (mut strace, pid) = held_at_its_end(&scene, &["keygen"]);
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    // A process that can't be dumped has its /proc files owned by root, proc(5): run by somebody else this shows.
    let stat = std::fs::metadata(format!("/proc/{pid}/environ")).unwrap();
    assert_eq!(stat.uid(), 0);
    strace.kill().unwrap();
    strace.wait().unwrap();
}

/// The process's memory that it can write, piece by piece: `proc_pid_maps(5)`, `proc_pid_mem(5)`.
fn memory(pid: u32) -> Vec<(String, Vec<u8>)> {
    use std::os::unix::fs::FileExt;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut pieces = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, rest) = line.split_once('-').unwrap();
        let to = rest.split(' ').next().unwrap();
        let [from, to] = [from, to].map(|number| u64::from_str_radix(number, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        if memory.read_exact_at(&mut bytes, from).is_ok() {
            pieces.push((line.split_whitespace().last().unwrap().to_owned(), bytes));
        }
    }
    pieces
}

#[test]
fn the_memory_of_a_render_that_ends_holds_no_secret() {
    let canaries = Canaries::new();
    let scene = Scene::new(&canaries);
    let mut found = Vec::new();
    let mut searched = 0;
    for args in [
        &["render", "shell"][..],
        &["render", "json"],
        &["render", "folder"],
        &["list"],
        &["generate", "TOKEN"],
    ] {
        let (mut strace, pid) = held_at_its_end(&scene, args);
        for (place, bytes) in memory(pid) {
            searched += bytes.len();
            let mut from = 0;
            while let Some((at, what)) = canaries.needles.find(&bytes[from..]) {
                found.push(format!("{args:?}: {what} in {place} at {:#x}", from + at));
                from += at + 64;
            }
        }
        // That it is this process's memory shows by its own words in it.
        let word = scene.path("home");
        let word = word.as_os_str().as_encoded_bytes();
        let seen = memory(pid)
            .iter()
            .any(|(_, bytes)| bytes.windows(word.len()).any(|piece| piece == word));
        assert!(seen, "{args:?}: not even its environment is found");
        strace.kill().unwrap();
        strace.wait().unwrap();
    }
    println!("{searched} bytes of memory searched");
    assert!(searched > 500_000, "{searched}");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_search_finds_a_canary_in_every_form_and_place() {
    let canaries = Canaries::new();
    let value = canaries.value("ASCII");
    for (form, bytes) in needles::forms(value) {
        let mut haystack = vec![b'.'; 100_000];
        haystack[50_000..50_000 + bytes.len()].copy_from_slice(&bytes);
        assert!(canaries.needles.find(&haystack).is_some(), "{form}");
        let middle = bytes.len() / 2 - 6;
        assert!(
            canaries.needles.find(&bytes[middle..middle + 12]).is_some(),
            "twelve bytes of {form}"
        );
    }
    // Outputs and files: a case that writes the secret everywhere is told of each.
    let scene = Scene::new(&canaries);
    let spill = "v=$(\"$0\" get ASCII); echo $v; echo $v >&2; for d in $HOME . $TMPDIR $XDG_RUNTIME_DIR; do echo $v >$d/spilled; done; echo $v >$TMPDIR/$v; echo $v >out/wide; chmod 644 out/wide";
    let case = Case {
        how: How::Shell(spill),
        ..cases::case("spill", &[])
    };
    let (searched, faults) = invoke(&case, &scene, &canaries);
    assert!(searched.files > 10 && searched.bytes > 1_000);
    for place in [
        "stdout",
        "stderr",
        "home/spilled",
        "project/spilled",
        "tmp/spilled",
        "memory/spilled",
        "(its name)",
        "project/out/wide, mode 644",
    ] {
        assert!(
            faults.iter().any(|fault| fault.contains(place)),
            "{place}: {faults:#?}"
        );
    }
    // Processes: a command line, and the environment of what a running dotage started.
    let mut watch = Watch::default();
    let mut sleeping = Command::new("sh")
        .args(["-c", "sleep 60; :", canaries.text("BASE64")])
        .spawn()
        .unwrap();
    let mut dotage = Command::new(DOTAGE)
        .args(["get", "ASCII"])
        .env("HOME", scene.path("home"))
        .env("DOTAGE_IDENTITY_COMMAND", "sleep 20")
        .env("OTHER", canaries.text("ASCII"))
        .current_dir(scene.path("project"))
        .spawn()
        .unwrap();
    let start = std::time::Instant::now();
    let leaked = |watch: &Watch, file: &str| watch.leaks.iter().any(|leak| leak.contains(file));
    while !(leaked(&watch, "cmdline") && leaked(&watch, "environ")) {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "{:?}",
            watch.leaks
        );
        watch.look(Path::new(DOTAGE), &canaries.watched, &canaries.keys);
    }
    for child in [&mut sleeping, &mut dotage] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
