//! YAML made to hurt is refused quickly and in little memory; a large honest vault loads.
//!
//! Each input is read in a process of its own (this test binary again, told by a variable which one), which reports the
//! CPU time it used and the most memory it ever held. CPU time and not the clock: the machine may be busy.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use dotage::yaml;
use std::path::Path;
use std::process::Command;

const TOLD: &str = "DOTAGE_TEST_HOSTILE_YAML";

/// 130 KB that a reader which expands aliases makes 2 GB of: a long text, and ten thousand references to it.
fn aliases() -> String {
    format!(
        "A: &a \"{}\"\nB: [{}]\n",
        "x".repeat(90_000),
        "*a,".repeat(13_000)
    )
}

/// The aliases first referred to and never defined.
fn dangling() -> String {
    format!("B: [{}]\n", "*a,".repeat(40_000))
}

fn brackets() -> String {
    "[".repeat(200_000)
}

fn braces() -> String {
    "{a: ".repeat(50_000)
}

fn dashes() -> String {
    "- ".repeat(100_000)
}

fn questions() -> String {
    "? ".repeat(100_000)
}

/// Just under the size limit, and many nodes.
fn items() -> String {
    "- \n".repeat(340_000)
}

fn vault() -> String {
    let mut text = String::new();
    for i in 0..10_000 {
        let value = "0123456789abcdef".repeat(3);
        let line = format!("NAME_{i:05}: \"{value}\"\n");
        text += &line;
    }
    text
}

type Input = (&'static str, fn() -> String);
const HOSTILE: [Input; 7] = [
    ("aliases", aliases),
    ("dangling", dangling),
    ("brackets", brackets),
    ("braces", braces),
    ("dashes", dashes),
    ("questions", questions),
    ("items", items),
];

/// In the child: reads the input, and says how often it was taken, the CPU milliseconds and the peak in KiB.
#[test]
fn the_child_reads_what_it_is_told() {
    let Ok(told) = std::env::var(TOLD) else {
        // The parent's own run of this test: an input that nobody tells is read here, so that the test still holds.
        assert!(yaml::flat("[").is_err());
        return;
    };
    let (kind, name) = told.split_once(' ').unwrap();
    let text = match name {
        "vault" => vault(),
        name => HOSTILE.iter().find(|(other, _)| *other == name).unwrap().1(),
    };
    let before = cpu();
    let taken = match kind {
        "flat" => yaml::flat(&text).map_or(0, |entries| entries.len().max(1)),
        _ => yaml::tree(Path::new("dotage.yaml"), &text).map_or(0, |_| 1),
    };
    let spent = cpu() - before;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    println!(
        "REPORT {taken} {spent} {}",
        peak.trim().trim_end_matches(" kB")
    );
}

/// The CPU time of this process in milliseconds.
fn cpu() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    u64::try_from(time.tv_sec * 1000 + time.tv_nsec / 1_000_000).unwrap()
}

/// How often the child took the input, its CPU milliseconds, its peak in KiB.
fn report(kind: &str, name: &str) -> (u64, u64, u64) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "the_child_reads_what_it_is_told",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(TOLD, format!("{kind} {name}"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text
        .split("REPORT ")
        .nth(1)
        .unwrap_or_else(|| panic!("{kind} {name}: {text}"));
    let mut numbers = line
        .split_whitespace()
        .map(|number| number.parse().unwrap());
    (
        numbers.next().unwrap(),
        numbers.next().unwrap(),
        numbers.next().unwrap(),
    )
}

#[test]
fn hostile_yaml_is_refused_within_100_ms_and_96_mib() {
    for (name, _) in HOSTILE {
        for kind in ["flat", "tree"] {
            let (taken, milliseconds, peak) = report(kind, name);
            println!("{kind} {name}: {milliseconds} ms, {peak} KiB");
            assert_eq!(taken, 0, "{kind} {name} was taken");
            // The size limit bounds what sheer length costs, some 20 ms in a release build and more in the tests' own.
            let most = if name == "items" { 400 } else { 100 };
            assert!(milliseconds <= most, "{kind} {name}: {milliseconds} ms");
            assert!(peak <= 96 * 1024, "{kind} {name}: {peak} KiB");
        }
    }
}

#[test]
fn a_vault_of_10_000_secrets_loads() {
    let (taken, milliseconds, peak) = report("flat", "vault");
    println!("flat vault: {milliseconds} ms, {peak} KiB");
    assert_eq!(taken, 10_000);
    // A few milliseconds in a release build; this one has the test's own code unoptimised.
    assert!(milliseconds <= 500, "{milliseconds} ms");
    assert!(peak <= 96 * 1024, "{peak} KiB");
}
