//! Where the canaries live: a project, a home and the folders for temporary files, made anew for each invocation.

use super::needles::Needles;
use dotage::secret::{Name, Secret};
use dotage::vault::{Identities, Nobody, Vault};
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) const INVENTORY: &str = r#"
profiles:
  development: { vault: vault/development.age, contract: lenient }
  production: { vault: vault/production/ }
services:
  api: {}
variables:
  ASCII: { purpose: a password, used_by: [api], bundle: auth }
  BASE64: { purpose: a key in base64, used_by: [api], bundle: auth }
  PEM: { purpose: several lines, used_by: [api], bundle: auth }
  ESCAPES: { purpose: terminal control, used_by: [api], bundle: gateway }
  UTF8: { purpose: letters and an emoji, used_by: [api], bundle: gateway }
  BRACES: { purpose: what a template engine would read, used_by: [api], bundle: gateway }
  YAMLISH: { purpose: what YAML would read, used_by: [api], bundle: gateway }
  BINARY: { purpose: bytes, used_by: [api], base64: true, bundle: gateway }
  TOKEN: { purpose: not set yet, used_by: [api], format: { token: { bytes: 48 } }, required: false }
  OPEN: { purpose: a switch, used_by: [api], sensitive: false, format: boolean, required: false, defaults: { development: "false", production: "false" } }
  FIRST: { purpose: for the first start, used_by: [api], format: { password: { length: 24 } }, bootstrap: { while: OPEN } }
  URL: { purpose: derived, used_by: [api], derive: "https://u:{{ ASCII }}@host/{{ BASE64 }}" }
targets:
  shell: { template: templates/some.shell.env.j2, to: out/shell.env, profile: development }
  boot: { folder: true, to: out/boot, profile: production, service: api, names: [OPEN, FIRST, ASCII] }
  json: { template: templates/all.json.j2, to: out/all.json, profile: production }
  folder: { folder: true, to: out/folder, profile: production, service: api, names: [ASCII, BASE64, PEM, ESCAPES, UTF8, BRACES, YAMLISH, BINARY] }
"#;

const SHELL: &str = "ASCII={{ ASCII }}\nBASE64={{ BASE64 }}\nPEM={{ PEM }}\nBRACES={{ BRACES }}\nYAMLISH={{ YAMLISH }}\nURL={{ URL }}\n";
const JSON: &str = r#"{"a": {{ ASCII }}, "b": {{ PEM }}, "c": {{ ESCAPES }}, "d": {{ UTF8 }}, "e": {{ BRACES }}, "f": {{ YAMLISH }}, "g": {{ BINARY | b64encode }}}"#;

/// The secrets of one run of the tests: no other run, and no other process on the machine, knows them.
pub(super) struct Canaries {
    pub(super) values: Vec<(&'static str, Vec<u8>)>,
    /// The identity file, its key and its public key.
    pub(super) identity: String,
    pub(super) key: String,
    pub(super) public: String,
    /// Another identity, which opens nothing.
    pub(super) stranger: String,
    pub(super) needles: Needles,
    /// What is typed on a command line by mistake, where a neighbour sees it whatever we do.
    pub(super) typed: String,
    pub(super) typed_key: String,
    /// What no command line and no environment may show.
    pub(super) watched: Needles,
    /// What no environment of a program that `run` starts may show.
    pub(super) keys: Needles,
}

/// Letters and digits that nobody can foresee.
pub(super) fn unique(length: usize) -> String {
    let mut random = vec![0; length];
    fs::File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut random)
        .unwrap();
    random
        .iter()
        .map(|byte| {
            char::from(
                b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789"
                    [usize::from(byte % 59)],
            )
        })
        .collect()
}

impl Canaries {
    pub(super) fn new() -> Self {
        let u = || unique(24);
        let mut random = [0; 40];
        fs::File::open("/dev/urandom")
            .unwrap()
            .read_exact(&mut random)
            .unwrap();
        // No text, and no NUL: that has cases of its own.
        random[0] = 0xff;
        for byte in random.iter_mut().filter(|byte| **byte == 0) {
            *byte = 1;
        }
        let values: Vec<(&str, Vec<u8>)> = vec![
            ("ASCII", format!("pw-{}", u()).into_bytes()),
            ("BASE64", format!("{}+/{}==", u(), u()).into_bytes()),
            (
                "PEM",
                format!(
                    "-----BEGIN CANARY-----\n{}\n{}\n-----END CANARY-----\n",
                    unique(64),
                    unique(64)
                )
                .into_bytes(),
            ),
            (
                "ESCAPES",
                format!("\x1b]52;c;{}\x07\x1b[2J{}", u(), u()).into_bytes(),
            ),
            ("UTF8", format!("пароль🔑{}ß{}", u(), u()).into_bytes()),
            (
                "BRACES",
                format!("{{{{ {} }}}}{{% raw %}}{}{{#", u(), u()).into_bytes(),
            ),
            (
                "YAMLISH",
                format!("{{a: [&x {}, *y, !!str {}]}} # \"{}'", u(), u(), u()).into_bytes(),
            ),
            ("BINARY", random.to_vec()),
        ];
        let (identity, public) = dotage::vault::keygen(std::time::SystemTime::now());
        let identity = String::from_utf8(identity.expose().to_vec()).unwrap();
        let key = identity.lines().last().unwrap().to_owned();
        let (stranger, _) = dotage::vault::keygen(std::time::SystemTime::now());
        let (typed, (other, _)) = (
            unique(30),
            dotage::vault::keygen(std::time::SystemTime::now()),
        );
        let typed_key = String::from_utf8(other.expose().to_vec())
            .unwrap()
            .lines()
            .last()
            .unwrap()
            .to_owned();
        let [needles, watched] = [true, false].map(|whole| {
            let mut needles = Needles::new();
            if whole {
                needles.add("what was typed", typed.as_bytes());
                needles.add("the key that was typed", &typed_key.as_bytes()[16..]);
                needles.add(
                    "the key that was typed, lower case",
                    typed_key[16..].to_lowercase().as_bytes(),
                );
            }
            for (name, value) in &values {
                // Of the PEM what is between its first and last line: an age file's armor ends in much the same words.
                let value = match *name {
                    "PEM" => value.split_at(23).1.split_at(129).0,
                    _ => value,
                };
                needles.add(name, value);
            }
            let body = key.strip_prefix("AGE-SECRET-KEY-1").unwrap();
            needles.add("the identity", body.as_bytes());
            needles.add("the identity, lower case", body.to_lowercase().as_bytes());
            needles.add("the identity's bytes", &bech32(body));
            needles
        });
        let mut keys = Needles::new();
        let body = key.strip_prefix("AGE-SECRET-KEY-1").unwrap();
        keys.add("the identity", body.as_bytes());
        Canaries {
            values,
            identity,
            key,
            public,
            stranger: String::from_utf8(stranger.expose().to_vec()).unwrap(),
            needles,
            typed,
            typed_key,
            watched,
            keys,
        }
    }

    pub(super) fn value(&self, name: &str) -> &[u8] {
        &self.values.iter().find(|(n, _)| *n == name).unwrap().1
    }

    pub(super) fn text(&self, name: &str) -> &str {
        std::str::from_utf8(self.value(name)).unwrap()
    }
}

/// The bytes of a bech32 text without its prefix and its checksum, BIP 173.
fn bech32(body: &str) -> Vec<u8> {
    let digits = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";
    let (mut bits, mut count, mut bytes) = (0u32, 0, Vec::new());
    for c in body[..body.len() - 6].chars() {
        bits = bits << 5 | u32::try_from(digits.find(c).unwrap()).unwrap();
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}

/// The folders of one invocation.
pub(super) struct Scene {
    folder: tempfile::TempDir,
    memory: tempfile::TempDir,
}

impl Scene {
    /// A home with an identity, and a project whose vaults hold the canaries.
    pub(super) fn new(canaries: &Canaries) -> Scene {
        let scene = Scene {
            folder: tempfile::tempdir().unwrap(),
            memory: tempfile::tempdir_in("/dev/shm").unwrap(),
        };
        for folder in [
            "home/.config/dotage",
            "project/vault/production",
            "project/templates",
            "project/out",
            "tmp",
            "given",
        ] {
            fs::create_dir_all(scene.path(folder)).unwrap();
        }
        put(
            &scene.path("home/.config/dotage/identity.txt"),
            canaries.identity.as_bytes(),
            0o600,
        );
        let project = scene.path("project");
        let place = |name: &str, text: &str| put(&project.join(name), text.as_bytes(), 0o644);
        place("dotage.yaml", INVENTORY);
        place("templates/some.shell.env.j2", SHELL);
        place("templates/all.json.j2", JSON);
        let mut identities = Identities::none(Arc::new(Nobody));
        identities
            .add(canaries.identity.as_bytes(), "test")
            .unwrap();
        for (vault, home) in [
            ("vault/development.age", "vault"),
            ("vault/production", "vault/production"),
        ] {
            place(
                &format!("{home}/.age-recipients"),
                &format!("{}\n", canaries.public),
            );
            Vault::at(&project.join(vault))
                .change(&identities, |contents| {
                    for (name, value) in &canaries.values {
                        let bundle = match *name {
                            _ if home == "vault" => "development",
                            "ASCII" | "BASE64" | "PEM" => "auth",
                            _ => "gateway",
                        };
                        let value = if *name == "BINARY" {
                            use base64::Engine as _;
                            base64::engine::general_purpose::STANDARD
                                .encode(value)
                                .into_bytes()
                        } else {
                            value.clone()
                        };
                        contents
                            .bundle(bundle)?
                            .insert(Name::new(name).unwrap(), Secret::new(value));
                    }
                    Ok(())
                })
                .unwrap();
        }
        scene
    }

    /// The same again, in folders of its own.
    pub(super) fn copy(&self) -> Scene {
        let scene = Scene {
            folder: tempfile::tempdir().unwrap(),
            memory: tempfile::tempdir_in("/dev/shm").unwrap(),
        };
        copy(self.folder.path(), scene.folder.path());
        scene
    }

    pub(super) fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    pub(super) fn memory(&self) -> &Path {
        self.memory.path()
    }

    /// Puts a file into the project.
    pub(super) fn put(&self, inside: &str, bytes: &[u8]) {
        let path = self.path("project").join(inside);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        put(&path, bytes, 0o600);
    }

    pub(super) fn vault(&self) -> PathBuf {
        self.path("project/vault/development.age")
    }

    /// Every file where something may have been left: what it is called, its mode, its bytes.
    pub(super) fn files(&self) -> Vec<(String, u32, Vec<u8>)> {
        let mut files = Vec::new();
        for folder in ["home", "project", "tmp"] {
            walk(&self.path(folder), folder, &mut files);
        }
        walk(self.memory(), "memory", &mut files);
        files
    }
}

/// What is in the memory that all share, where other scenes' editors may be at work.
pub(super) fn shared() -> Vec<(String, u32, Vec<u8>)> {
    let mut files = Vec::new();
    walk(Path::new("/dev/shm"), "/dev/shm", &mut files);
    files
}

fn walk(folder: &Path, name: &str, files: &mut Vec<(String, u32, Vec<u8>)>) {
    // In /dev/shm others make and remove files meanwhile.
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        files.push((
            format!("{name} (its name)"),
            0o600,
            name.clone().into_bytes(),
        ));
        let Ok(data) = entry.path().symlink_metadata() else {
            continue;
        };
        if data.is_dir() {
            walk(&entry.path(), &name, files);
        } else if data.is_symlink() {
            let to = fs::read_link(entry.path()).unwrap_or_default();
            files.push((name, 0o600, to.to_string_lossy().into_owned().into_bytes()));
        } else if data.is_file()
            && data.len() < 4 << 20
            && let Ok(bytes) = fs::read(entry.path())
        {
            files.push((name, data.mode() & 0o7777, bytes));
        }
    }
}

pub(super) fn put(path: &Path, bytes: &[u8], mode: u32) {
    let _ = fs::remove_file(path);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(super) fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let data = from.symlink_metadata().unwrap();
        if data.is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy(&from, &to);
        } else if data.is_symlink() {
            symlink(fs::read_link(&from).unwrap(), &to).unwrap();
        } else {
            put(&to, &fs::read(&from).unwrap(), data.mode() & 0o7777);
        }
    }
}
