//! age's published test vectors (C2SP's CCTV), every one accounted for: read as a vault, with real plugins at hand.

use super::*;
use sha2::{Digest, Sha256};
use std::process::Command;
use std::sync::Arc;

/// How many vectors the pinned release of the collection has.
const COUNT: usize = 143;

/// The vectors that end in another way than they say, in the order of their names.
///
/// - What doesn't begin like an age file is told apart from a damaged one: plain text, or nothing.
/// - A plugin says "no identity" of a post-quantum stanza that it can't read; age itself says the header is broken.
/// - More than 16 MiB is no vault.
/// - Work of 2²³ is more than age's own limit, told as what it is.
/// - The age crate accepts two stanzas that older writers made (its own tests list both as expected).
const OTHERWISE: &[(&str, &str)] = &[
    ("armor_garbage_leading", "armor failure → vault-plaintext"),
    ("armor_lowercase", "armor failure → vault-plaintext"),
    ("armor_not_canonical", "armor failure → vault-altered"),
    ("armor_whitespace_begin", "armor failure → vault-plaintext"),
    ("armor_wrong_type", "armor failure → vault-plaintext"),
    ("empty", "header failure → vault-empty"),
    ("hybrid_extra_argument", "header failure → no-identity"),
    ("hybrid_identity", "header failure → no-identity"),
    ("hybrid_long_file_key", "header failure → no-identity"),
    ("hybrid_long_share", "header failure → no-identity"),
    ("hybrid_low_order", "header failure → no-identity"),
    ("hybrid_not_canonical_enc", "header failure → no-identity"),
    ("hybrid_short_share", "header failure → no-identity"),
    ("scrypt_work_factor_23", "header failure → too much work"),
    ("stanza_missing_body", "header failure → opened"),
    ("stanza_missing_final_line", "header failure → opened"),
    ("stream_257_chunks", "success → too-large"),
    ("stream_257_chunks_full", "success → too-large"),
    ("stream_258_chunks", "success → too-large"),
];

/// The folder that `tests/install` fills.
fn consumers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/consumers")
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}: run tests/install"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {said}: run tests/install"
    );
    output.stdout
}

/// What a vector says of itself.
#[derive(Default)]
struct Head {
    expect: String,
    payload: Option<String>,
    identities: Vec<String>,
    passphrase: Option<String>,
}

impl Head {
    fn of(text: &str) -> Self {
        let mut head = Head::default();
        for line in text.lines() {
            let (key, value) = line.split_once(": ").unwrap();
            let value = value.to_owned();
            match key {
                "expect" => head.expect = value,
                "payload" => head.payload = Some(value),
                "identity" => head.identities.push(value),
                "passphrase" => head.passphrase = Some(value),
                _ => {}
            }
        }
        head
    }
}

/// A post-quantum identity in the form that its plugin takes.
fn through_plugin(identity: &str, plugins: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let native = folder.path().join("native");
    file::create(&native, format!("{identity}\n").as_bytes(), 0o600).unwrap();
    let plugin = plugins.join("age-plugin-pq");
    let text = run(Command::new(plugin).arg("-identity").arg(&native));
    String::from_utf8(text).unwrap()
}

/// What became of a vector, in the words of its own `expect`.
fn outcome(head: &Head, file: &[u8], plugins: &Path) -> String {
    let path = Path::new("vector.age");
    let plaintext = if let Some(passphrase) = &head.passphrase {
        // A vault with a passphrase is refused; an identity file with one is read.
        let refused = bundle::open(path, file, &Identities::none(Arc::new(Nobody)));
        match refused.map(drop).unwrap_err().rule {
            "vault-passphrase" => {}
            rule => return rule.to_owned(),
        }
        let mut scrypt = age::scrypt::Identity::new(passphrase.clone().into());
        scrypt.set_max_work_factor(22);
        let binary = envelope::binary(file).unwrap();
        match envelope::decrypt(&binary, envelope::PLAINTEXT, &scrypt) {
            Ok(plaintext) => plaintext,
            Err(age::DecryptError::DecryptionFailed) => return Problem::NO_IDENTITY.to_owned(),
            Err(age::DecryptError::ExcessiveWork { .. }) => return "too much work".to_owned(),
            Err(error) => return bundle::damaged(path, file, &error).rule.to_owned(),
        }
    } else {
        let mut identities = Identities::none(Arc::new(Nobody));
        for identity in &head.identities {
            let added = if identity.starts_with("AGE-SECRET-KEY-PQ-") {
                identities.add(through_plugin(identity, plugins).as_bytes(), "plugin")
            } else {
                identities.add(identity.as_bytes(), "vector")
            };
            if let Err(problem) = added {
                return problem.rule.to_owned();
            }
        }
        match bundle::open(path, file, &identities) {
            Ok((plaintext, _)) => plaintext,
            Err(problem) => return problem.rule.to_owned(),
        }
    };
    let digest = format!("{:x}", Sha256::digest(&plaintext));
    match &head.payload {
        Some(expected) if *expected == digest => "success",
        Some(_) => "another plaintext",
        None => "opened",
    }
    .to_owned()
}

#[test]
fn every_published_vector_is_read_as_it_should_be_or_known_to_differ() {
    let plugins = consumers().join("next/usr/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).next().as_ref() != Some(&plugins) {
        // The plugins are found on the PATH, which is set for the same test in a process of its own.
        let name =
            "vault::vectors::every_published_vector_is_read_as_it_should_be_or_known_to_differ";
        let all = [plugins].into_iter().chain(std::env::split_paths(&path));
        let path = std::env::join_paths(all).unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env("PATH", path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/vectors.mjs");
    let modules = consumers().join("node/node_modules");
    run(Command::new("node")
        .arg(script)
        .arg(modules)
        .arg(folder.path()));
    let mut names: Vec<PathBuf> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "head")
        })
        .collect();
    names.sort_unstable();
    assert_eq!(names.len(), COUNT);
    let mut differ = Vec::new();
    for path in names {
        let head = Head::of(&fs::read_to_string(&path).unwrap());
        let file = fs::read(path.with_extension("age")).unwrap();
        let outcome = outcome(&head, &file, &plugins);
        let expected = match head.expect.as_str() {
            "success" => &["success"][..],
            "no match" => &[Problem::NO_IDENTITY],
            "HMAC failure" => &["vault-altered"],
            "header failure" => &["vault-altered", "vault-truncated", "vault-version"],
            "armor failure" => &["vault-armor", "vault-truncated"],
            "payload failure" => &["vault-altered", "vault-truncated"],
            other => panic!("what is {other}?"),
        };
        if !expected.contains(&outcome.as_str()) {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            differ.push((name, format!("{} → {outcome}", head.expect)));
        }
    }
    let differ: Vec<(&str, &str)> = differ.iter().map(|(a, b)| (&**a, &**b)).collect();
    assert_eq!(differ, OTHERWISE);
}
