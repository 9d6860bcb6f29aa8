//! The real age, old and new, rage, npm's age-encryption and pyrage open what we seal, and we open what they seal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dotage::file;
use dotage::secret::{Name, Secret};
use dotage::vault::{Identities, Nobody, Person, Vault, keygen};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::SystemTime;

/// Where `tests/install` puts what Debian's own release doesn't have.
fn consumers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/consumers")
}

fn next(program: &str) -> PathBuf {
    consumers().join("next/usr/bin").join(program)
}

fn here(script: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/interop")
        .join(script)
}

/// Runs a command and gives what it printed.
fn run(command: &[&OsStr]) -> Vec<u8> {
    let output = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}: run tests/install"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    output.stdout
}

/// A program that speaks age.
struct Tool {
    name: &'static str,
    /// How its command lines begin.
    start: Vec<OsString>,
    /// Whether they go on as those of `age`: `-d -i IDENTITIES FILE`; else with a verb.
    like_age: bool,
    /// How it makes an identity, and whether it knows SSH keys.
    keygen: Vec<OsString>,
    ssh: bool,
}

/// A program of Debian's next release, run with the libraries that it was built for.
fn with_its_libraries(program: &str) -> Vec<OsString> {
    let libraries = consumers().join("next/usr/lib");
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let loader = std::fs::read_dir(libraries.join(&triplet))
        .unwrap_or_else(|error| panic!("{}: {error}: run tests/install", libraries.display()))
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("ld-linux"))
        })
        .expect("no loader: run tests/install");
    vec![
        loader.into(),
        "--library-path".into(),
        libraries.join(&triplet).into(),
        next(program).into(),
    ]
}

fn tools() -> Vec<Tool> {
    let words = |words: &[&Path]| {
        words
            .iter()
            .map(|word| word.as_os_str().to_owned())
            .collect::<Vec<_>>()
    };
    let node = words(&[
        Path::new("node"),
        &here("typage.mjs"),
        &consumers().join("node/node_modules"),
    ]);
    let python = words(&[&consumers().join("venv/bin/python"), &here("pyrage_cli.py")]);
    let verb = |start: &[OsString]| [start, &["keygen".into()]].concat();
    vec![
        Tool {
            name: "age 1.1",
            start: words(&[Path::new("/usr/bin/age")]),
            like_age: true,
            keygen: words(&[Path::new("/usr/bin/age-keygen")]),
            ssh: true,
        },
        Tool {
            name: "age 1.3",
            start: words(&[&next("age")]),
            like_age: true,
            keygen: words(&[&next("age-keygen")]),
            ssh: true,
        },
        Tool {
            name: "rage",
            start: with_its_libraries("rage"),
            like_age: true,
            keygen: with_its_libraries("rage-keygen"),
            ssh: true,
        },
        Tool {
            name: "age-encryption",
            keygen: verb(&node),
            start: node,
            like_age: false,
            ssh: false,
        },
        Tool {
            name: "pyrage",
            keygen: verb(&python),
            start: python,
            like_age: false,
            ssh: true,
        },
    ]
}

impl Tool {
    fn run(&self, arguments: &[&OsStr]) -> Vec<u8> {
        let start = self.start.iter().map(OsString::as_os_str);
        run(&start.chain(arguments.iter().copied()).collect::<Vec<_>>())
    }

    /// A new identity's file, and its public key.
    fn keygen(&self) -> (Vec<u8>, String) {
        let words: Vec<&OsStr> = self.keygen.iter().map(OsString::as_os_str).collect();
        let text = run(&words);
        let public = std::str::from_utf8(&text)
            .unwrap()
            .lines()
            .find_map(|line| line.strip_prefix("# public key: "))
            .unwrap();
        let public = public.to_owned();
        (text, public)
    }

    fn encrypt(&self, recipients: &Path, input: &Path, output: &Path, armor: bool) {
        let _ = std::fs::remove_file(output);
        let [recipients, input, output] = [recipients, input, output].map(Path::as_os_str);
        let mut words: Vec<&OsStr> = if self.like_age {
            ["-e", "-R"].map(OsStr::new).to_vec()
        } else {
            vec!["encrypt".as_ref()]
        };
        words.push(recipients);
        if self.like_age {
            words.extend(["-o".as_ref(), output]);
            words.extend(armor.then_some(OsStr::new("-a")));
            words.push(input);
        } else {
            words.extend([input, output]);
            words.extend(armor.then_some(OsStr::new("-a")));
        }
        self.run(&words);
    }

    fn decrypt(&self, identities: &Path, file: &Path) -> Vec<u8> {
        let [identities, file] = [identities, file].map(Path::as_os_str);
        if self.like_age {
            self.run(&["-d".as_ref(), "-i".as_ref(), identities, file])
        } else {
            self.run(&["decrypt".as_ref(), identities, file])
        }
    }
}

/// A folder with a vault in it.
struct Project {
    folder: tempfile::TempDir,
    vault: Vault,
}

impl Project {
    fn new(recipients: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("vault")).unwrap();
        let vault = Vault::at(&folder.path().join("vault"));
        let project = Project { folder, vault };
        project.put("vault/.age-recipients", recipients.as_bytes());
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        file::replace(&path, bytes, &file::Attributes::default()).unwrap();
        path
    }

    /// Seals one value into the bundle `auth`, which begins anew; its file.
    fn seal(&self, value: &str) -> PathBuf {
        let path = self.vault.file("auth");
        let _ = std::fs::remove_file(&path);
        self.vault
            .change(&Identities::none(Arc::new(Nobody)), |contents| {
                let secret = Secret::new(value.as_bytes().to_vec());
                contents.bundle("auth")?.insert(name(), secret);
                Ok(())
            })
            .unwrap();
        path
    }

    /// The value of the bundle `auth`, if it has one.
    fn open(&self, identities: &Identities) -> Option<String> {
        let opened = self.vault.open(None, identities).unwrap();
        let secret = opened.secrets.get(&name())?;
        Some(String::from_utf8(secret.expose().to_vec()).unwrap())
    }
}

fn name() -> Name {
    Name::new("A").unwrap()
}

/// The plaintext of a bundle that holds one value which needs no escapes.
fn plaintext(value: &str) -> String {
    format!("A: \"{value}\"\n")
}

fn identities(material: &[u8]) -> Identities {
    let mut identities = Identities::none(Arc::new(Nobody));
    identities.add(material, "test").unwrap();
    identities
}

/// An identity of ours, its file's text and its public key.
fn ours() -> (Vec<u8>, String) {
    let (text, public) = keygen(SystemTime::now());
    (text.expose().to_vec(), public)
}

/// An SSH key that ssh-keygen makes: the path of the secret half, and the public half.
fn ssh_keygen(project: &Project, passphrase: &str) -> (PathBuf, String) {
    let path = project.path("id_ed25519");
    let path_word = path.as_os_str();
    run(&[
        "ssh-keygen".as_ref(),
        "-q".as_ref(),
        "-t".as_ref(),
        "ed25519".as_ref(),
        "-a".as_ref(),
        "2".as_ref(),
        "-C".as_ref(),
        "anna@laptop".as_ref(),
        "-N".as_ref(),
        passphrase.as_ref(),
        "-f".as_ref(),
        path_word,
    ]);
    let public = std::fs::read_to_string(path.with_extension("pub")).unwrap();
    (path, public.trim_end().to_owned())
}

/// Values whose plaintexts are as long as age's chunks, a byte shorter, a byte longer, and tiny.
fn values() -> Vec<String> {
    let around = plaintext("").len();
    let mut values = vec![String::new(), "ü€𝄞".to_owned()];
    values.extend([65_535, 65_536, 65_537, 131_072].map(|length| "x".repeat(length - around)));
    values
}

#[test]
fn every_tool_opens_what_we_seal_byte_for_byte() {
    for tool in tools() {
        let (theirs, public) = tool.keygen();
        let project = Project::new(&format!(
            "# us\n{}\n\n# {}\n{public}\n",
            ours().1,
            tool.name
        ));
        let key = project.put("key", &theirs);
        for value in values() {
            let file = project.seal(&value);
            let read = tool.decrypt(&key, &file);
            assert!(
                read == plaintext(&value).as_bytes(),
                "{}, {} bytes",
                tool.name,
                value.len()
            );
        }
    }
}

#[test]
fn we_open_what_every_tool_seals_armored_or_not() {
    for tool in tools() {
        let (mine, public) = ours();
        let recipients = format!("# them\n{}\n# us\n{public}\n", tool.keygen().1);
        let project = Project::new(&recipients);
        let identities = identities(&mine);
        let (from, to) = (
            project.path("vault/.age-recipients"),
            project.vault.file("auth"),
        );
        for armor in [true, false] {
            for value in values() {
                let plain = project.put("plain", plaintext(&value).as_bytes());
                tool.encrypt(&from, &plain, &to, armor);
                assert!(project.open(&identities) == Some(value), "{}", tool.name);
            }
            // One byte, and none.
            for blank in ["\n", ""] {
                let plain = project.put("plain", blank.as_bytes());
                tool.encrypt(&from, &plain, &to, armor);
                assert!(project.open(&identities).is_none(), "{}", tool.name);
            }
        }
    }
}

#[test]
fn ssh_keys_work_both_ways() {
    for tool in tools().iter().filter(|tool| tool.ssh) {
        let project = Project::new("");
        let (key, public) = ssh_keygen(&project, "");
        let recipients = project.put("vault/.age-recipients", format!("{public}\n").as_bytes());
        let file = project.seal("ours");
        assert_eq!(
            tool.decrypt(&key, &file),
            plaintext("ours").as_bytes(),
            "{}",
            tool.name
        );
        let plain = project.put("plain", plaintext("theirs").as_bytes());
        tool.encrypt(&recipients, &plain, &file, true);
        let identities = identities(&std::fs::read(&key).unwrap());
        assert_eq!(
            project.open(&identities).unwrap(),
            "theirs",
            "{}",
            tool.name
        );
    }
}

#[test]
fn one_to_a_hundred_readers_all_read() {
    let age = &tools()[0];
    let keys: Vec<_> = (0..100).map(|_| ours()).collect();
    for count in 1..=keys.len() {
        let publics = keys[..count].iter().map(|(_, public)| public.as_str());
        let project = Project::new(&publics.collect::<Vec<_>>().join("\n"));
        let file = project.seal("ours");
        assert_eq!(
            project.vault.header("auth").unwrap().kinds(),
            [("X25519", count)].into()
        );
        let (last, _) = &keys[count - 1];
        let key = project.put("key", last);
        assert_eq!(age.decrypt(&key, &file), plaintext("ours").as_bytes());
        let plain = project.put("plain", plaintext("theirs").as_bytes());
        age.encrypt(&project.path("vault/.age-recipients"), &plain, &file, true);
        assert_eq!(project.open(&identities(last)).unwrap(), "theirs");
        assert_eq!(project.open(&identities(&keys[0].0)).unwrap(), "theirs");
    }
}

#[test]
fn an_identity_of_ours_is_one_to_age_keygen() {
    let (text, public) = ours();
    let project = Project::new("");
    let key = project.put("key", &text);
    for keygen in [Path::new("/usr/bin/age-keygen"), &next("age-keygen")] {
        let said = run(&[keygen.as_ref(), "-y".as_ref(), key.as_ref()]);
        assert_eq!(said, format!("{public}\n").as_bytes());
    }
    // The same lines, but for the time and the key.
    let (theirs, _) = tools()[0].keygen();
    let shape = |text: &[u8]| {
        let text = String::from_utf8(text.to_vec()).unwrap();
        text.lines()
            .map(|line| (line[..11].to_owned(), line.len()))
            .collect::<Vec<_>>()
    };
    assert_eq!(shape(&text), shape(&theirs));
}

/// Someone who knows one passphrase.
struct Knows(&'static str);

impl Person for Knows {
    fn tell(&self, _: &str) {}
    fn choose(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
        None
    }
    fn answer(&self, _: &str) -> Option<String> {
        None
    }
    fn passphrase(&self, _: &str) -> Option<Secret> {
        Some(Secret::new(self.0.as_bytes().to_vec()))
    }
}

#[test]
fn an_identity_behind_a_passphrase_opens_with_it() {
    let project = Project::new("");
    let (ssh, ssh_public) = ssh_keygen(&project, "open sesame");
    let (text, public) = ours();
    let plain = project.put("key", &text);
    let locked = project.path("key.age");
    let python = tools().pop().unwrap();
    python.run(&[
        "lock".as_ref(),
        "open sesame".as_ref(),
        plain.as_ref(),
        locked.as_ref(),
    ]);
    for (key, public) in [(ssh, ssh_public), (locked, public)] {
        project.put("vault/.age-recipients", format!("{public}\n").as_bytes());
        project.seal("secret");
        let material = std::fs::read(&key).unwrap();
        let mut person = Identities::none(Arc::new(Knows("open sesame")));
        person.add(&material, "key").unwrap();
        assert_eq!(project.open(&person).unwrap(), "secret");
        let problem = project
            .vault
            .open(None, &identities(&material))
            .map(drop)
            .unwrap_err();
        assert_eq!(problem.rule, "no-identity");
    }
}

/// Runs the test of this name again, in a process that finds the plugins of a folder; true when this is that process.
fn with_plugins(test: &str, folder: &Path, environment: &[(&str, &str)]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).next().as_deref() == Some(folder) {
        return true;
    }
    let all = [folder.to_owned()]
        .into_iter()
        .chain(std::env::split_paths(&path));
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env("PATH", std::env::join_paths(all).unwrap())
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    false
}

/// What three plugins of ours do wrong, from worst to best; none of it may stop the identities behind them.
#[test]
fn a_plugin_that_fails_is_named_and_the_next_identity_is_tried() {
    let test = "a_plugin_that_fails_is_named_and_the_next_identity_is_tried";
    let folder = here("plugins");
    if !with_plugins(test, &folder, &[]) {
        with_plugins(test, &folder, &[("QUOTE", "1")]);
        return;
    }
    let (mine, public) = ours();
    let project = Project::new(&format!("{public}\n"));
    project.seal("secret");
    let refuses = if std::env::var_os("QUOTE").is_some() {
        "age-plugin-refuses failed"
    } else {
        "'age-plugin-refuses' couldn't use an identity: the device is"
    };
    for (name, expected) in [
        ("dies", "age-plugin-dies failed"),
        ("babbles", "age-plugin-babbles failed"),
        ("refuses", refuses),
        ("nosuchthing", "age-plugin-nosuchthing is not on the PATH"),
    ] {
        let identity = age::plugin::Identity::default_for_plugin(name).unwrap();
        let identity = identity.to_string();
        let problem = project
            .vault
            .open(None, &identities(identity.as_bytes()))
            .map(drop)
            .unwrap_err();
        assert_eq!(problem.rule, "no-identity");
        assert!(
            problem.message.ends_with(&format!(
                "(its readers: 1 X25519): age-plugin-{name} (test): {expected}"
            )),
            "{problem}"
        );
        assert!(!problem.to_string().contains(&identity), "{problem}");
        // A passphrase comes after a plugin, so it is asked for although the plugin failed.
        let mut both = Identities::none(Arc::new(Knows("x")));
        both.add(identity.as_bytes(), "plugin").unwrap();
        both.add(&locked(&mine), "locked").unwrap();
        assert_eq!(project.open(&both).unwrap(), "secret");
    }
}

/// An identity file under the passphrase `x`, with as little work as age allows.
fn locked(text: &[u8]) -> Vec<u8> {
    let mut recipient = age::scrypt::Recipient::new("x".to_owned().into());
    recipient.set_work_factor(2);
    age::encrypt(&recipient, text).unwrap()
}

#[test]
fn post_quantum_keys_work_both_ways_through_their_plugin() {
    let test = "post_quantum_keys_work_both_ways_through_their_plugin";
    if !with_plugins(test, &consumers().join("next/usr/bin"), &[]) {
        return;
    }
    let age = &tools()[1];
    let text = run(&[next("age-keygen").as_ref(), "-pq".as_ref()]);
    let text = String::from_utf8(text).unwrap();
    let public = text
        .lines()
        .find_map(|line| line.strip_prefix("# public key: "))
        .unwrap();
    let project = Project::new(&format!("{public}\n"));
    let native = project.put("native", text.as_bytes());
    let plugin = run(&[
        next("age-plugin-pq").as_ref(),
        "-identity".as_ref(),
        native.as_ref(),
    ]);
    let identities = identities(&plugin);

    let file = project.seal("ours");
    assert_eq!(
        project.vault.header("auth").unwrap().to_string(),
        "1 mlkem768x25519"
    );
    let recipients = project.vault.recipients("auth").unwrap();
    assert!(project.vault.header("auth").unwrap().fits(&recipients));
    assert_eq!(age.decrypt(&native, &file), plaintext("ours").as_bytes());
    assert_eq!(project.open(&identities).unwrap(), "ours");

    let plain = project.put("plain", plaintext("theirs").as_bytes());
    age.encrypt(&project.path("vault/.age-recipients"), &plain, &file, true);
    let opened = project.vault.open(None, &identities).unwrap();
    assert_eq!(opened.opened_by["auth"], "age-plugin-pq (test)");
    assert_eq!(project.open(&identities).unwrap(), "theirs");

    // The plugin's identity isn't a reader of another file, and says so without its key.
    let project = Project::new(&format!("{}\n", ours().1));
    project.seal("not yours");
    let problem = project.vault.open(None, &identities).map(drop).unwrap_err();
    assert_eq!(problem.rule, "no-identity");
    assert!(!problem.to_string().contains("AGE-PLUGIN"), "{problem}");
}

#[test]
fn tagged_recipients_are_written_as_age_reads_them() {
    let table = [
        (include_str!("interop/tag.recipient"), "p256tag"),
        (include_str!("interop/tagpq.recipient"), "mlkem768p256tag"),
    ];
    for (recipient, kind) in table {
        let project = Project::new(recipient);
        let file = project.seal("for a device");
        let said = run(&[next("age-inspect").as_ref(), file.as_ref()]);
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains(&format!("\"{kind}\"")), "{said}");
        let recipients = project.vault.recipients("auth").unwrap();
        assert!(project.vault.header("auth").unwrap().fits(&recipients));
    }
}
