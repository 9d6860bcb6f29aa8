//! Many processes change one vault at once: no update is lost, and no reader sees half a file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dotage::secret::{Name, Secret};
use dotage::vault::{Identities, Nobody, Vault, keygen};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

const WRITERS: usize = 100;
const READERS: usize = 8;

/// What a process that a test starts has to do, in the folder it stands in: `write N`, `read` or `hold`. The process
/// is this program again, told to run the one test that started it.
const TASK: &str = "DOTAGE_TEST_TASK";

fn child(test: &str, folder: &Path, task: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(TASK, task)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn succeeds(child: Child) {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(out.contains("1 passed"), "{out}");
}

fn identities(folder: &Path) -> Identities {
    let mut identities = Identities::none(Arc::new(Nobody));
    let text = std::fs::read(folder.join("identity.txt")).unwrap();
    identities.add(&text, "identity.txt").unwrap();
    identities
}

fn name(number: usize) -> Name {
    Name::new(&format!("WRITER_{number}")).unwrap()
}

/// Does a child's task.
fn work(task: &str) {
    let vault = Vault::at(Path::new("vault"));
    let identities = identities(Path::new("."));
    if let Some(number) = task.strip_prefix("write ") {
        let number: usize = number.parse().unwrap();
        let changed = vault
            .change(&identities, |contents| {
                for (bundle, key) in [("auth", number), ("gateway", number + WRITERS)] {
                    let secrets = contents.bundle(bundle)?;
                    let before = secrets.len().to_string();
                    secrets.insert(name(key), Secret::new(before.into_bytes()));
                }
                Ok(())
            })
            .unwrap();
        assert!(changed.written.keys().eq(["auth", "gateway"]));
    } else if task == "hold" {
        let held = vault.change(&identities, |_| {
            std::fs::File::create_new("held").unwrap();
            std::thread::sleep(Duration::from_mins(10));
            Ok(())
        });
        panic!("nobody killed the holder: {}", held.is_ok());
    } else {
        let mut last = 0;
        while last < 2 * WRITERS {
            let now = vault.open(None, &identities).unwrap().secrets.len();
            assert!(now >= last, "a reader saw {now} names after {last}");
            last = now;
        }
    }
}

/// A folder with an identity and a vault of two empty bundles.
fn project() -> (tempfile::TempDir, Vault) {
    let folder = tempfile::tempdir().unwrap();
    let (identity, public) = keygen(SystemTime::now());
    let home = folder.path().join("vault");
    std::fs::create_dir(&home).unwrap();
    let place = |path: &Path, bytes: &[u8]| dotage::file::create(path, bytes, 0o600).unwrap();
    place(&folder.path().join("identity.txt"), identity.expose());
    place(
        &home.join(".age-recipients"),
        format!("{public}\n").as_bytes(),
    );
    let vault = Vault::at(&home);
    vault
        .change(&Identities::none(Arc::new(Nobody)), |contents| {
            contents.bundle("auth")?;
            contents.bundle("gateway").map(drop)
        })
        .unwrap();
    (folder, vault)
}

#[test]
fn a_hundred_writers_lose_no_update_and_no_reader_sees_half_a_vault() {
    if let Ok(task) = std::env::var(TASK) {
        return work(&task);
    }
    let test = "a_hundred_writers_lose_no_update_and_no_reader_sees_half_a_vault";
    let (folder, vault) = project();
    let start = |task: &str| child(test, folder.path(), task);
    let readers: Vec<Child> = (0..READERS).map(|_| start("read")).collect();
    let writers: Vec<Child> = (0..WRITERS).map(|n| start(&format!("write {n}"))).collect();
    writers.into_iter().for_each(succeeds);
    readers.into_iter().for_each(succeeds);

    let opened = vault.open(None, &identities(folder.path())).unwrap();
    // Each wrote how many names were there before its own, so those of a bundle are 0, 1, 2 … in some order.
    for first in [0, WRITERS] {
        let mut before: Vec<usize> = (first..first + WRITERS)
            .map(|number| {
                let secret = &opened.secrets[&name(number)];
                let text = std::str::from_utf8(secret.expose()).unwrap();
                text.parse().unwrap()
            })
            .collect();
        before.sort_unstable();
        assert_eq!(before, (0..WRITERS).collect::<Vec<_>>());
    }
    let left: Vec<_> = std::fs::read_dir(vault.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 3, "something was left behind: {left:?}");
}

#[test]
fn a_killed_holder_of_the_lock_keeps_nobody_waiting() {
    if let Ok(task) = std::env::var(TASK) {
        return work(&task);
    }
    let test = "a_killed_holder_of_the_lock_keeps_nobody_waiting";
    let (folder, vault) = project();
    let mut holder = child(test, folder.path(), "hold");
    let start = Instant::now();
    while !folder.path().join("held").exists() {
        let waited = start.elapsed();
        assert!(waited < Duration::from_mins(1), "the lock was never taken");
        std::thread::sleep(Duration::from_millis(5));
    }
    let writer = child(test, folder.path(), "write 0");
    std::thread::sleep(Duration::from_millis(300));
    let names = || {
        let opened = vault.open(None, &identities(folder.path())).unwrap();
        opened.secrets.len()
    };
    assert_eq!(names(), 0, "the writer did not wait for the lock");
    holder.kill().unwrap();
    holder.wait().unwrap();
    let start = Instant::now();
    succeeds(writer);
    let waited = start.elapsed();
    assert!(waited < Duration::from_secs(10), "{waited:?}");
    assert_eq!(names(), 2);
}
