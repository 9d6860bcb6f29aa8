//! `dotage import ansible-vault` on what the real ansible-vault of each ansible-core wrote, and the password client that the
//! real ansible-playbook calls. The values that come out are compared byte for byte.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const CORES: [&str; 3] = ["217", "219", "221"];
const DOTAGE: &str = env!("CARGO_BIN_EXE_dotage");

/// What consumers, templates, YAML and terminals trip over.
const VALUES: [(&str, &str); 9] = [
    ("plain", "correct horse"),
    ("braces", "{{ lookup('pipe', 'touch EVALUATED') }}{% raw %}"),
    ("quotes", r#"it's "a" \ `x` $HOME"#),
    (
        "lines",
        "-----BEGIN KEY-----\nMC4CAQ==\nA=b\n-----END KEY-----\n",
    ),
    ("return", "one\r\ntwo"),
    ("unicode", "größer 日本 😀"),
    ("spaces", "  a b  "),
    ("yamlish", "yes: [no, ~] # 012"),
    ("ends", "line\n\n\n"),
];

/// A project in a folder, with a home of its own.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Scene {
        let scene = Scene {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(scene.path("home")).unwrap();
        fs::create_dir(scene.path("project")).unwrap();
        scene.well(&["init"], b"");
        scene.put("pw", "the old password\n");
        scene
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    /// A file of the project.
    fn file(&self, name: &str) -> PathBuf {
        self.path("project").join(name)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.file(name), bytes).unwrap();
    }

    fn script(&self, name: &str, text: &str) {
        self.put(name, format!("#!/bin/sh\n{text}\n"));
        fs::set_permissions(self.file(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.file(name)).unwrap()
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let bin = Path::new(DOTAGE).parent().unwrap().display();
        let mut command = Command::new(program.as_ref());
        command
            .current_dir(self.path("project"))
            .env_clear()
            .env("HOME", self.path("home"))
            .env("PATH", format!("{bin}:/usr/bin:/bin"))
            .env("LC_ALL", "C.UTF-8")
            .env("ANSIBLE_PYTHON_INTERPRETER", "/usr/bin/python3");
        command
    }

    fn dotage(&self, args: &[&str], stdin: &[u8]) -> Output {
        given(self.command(DOTAGE).args(args), stdin)
    }

    /// What a command prints that succeeds.
    fn well(&self, args: &[&str], stdin: &[u8]) -> Vec<u8> {
        let output = self.dotage(args, stdin);
        succeeded(&format!("dotage {args:?}"), &output);
        output.stdout
    }

    /// What an import says, and its exit code.
    fn import(&self, args: &[&str]) -> (i32, String) {
        let args = [&["import", "ansible-vault"], args].concat();
        let output = self.dotage(&args, b"");
        assert!(output.stdout.is_empty());
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }

    fn imported(&self, args: &[&str]) -> String {
        let (code, said) = self.import(args);
        assert_eq!(code, 0, "{said}");
        said
    }

    fn get(&self, name: &str) -> Vec<u8> {
        self.well(&["get", name], b"")
    }

    /// What a program of an ansible-core prints.
    fn ansible(&self, core: &str, program: &str, args: &[&str], stdin: &[u8]) -> String {
        let output = self.ansible_output(core, program, args, stdin);
        succeeded(&format!("{program} {args:?} of {core}"), &output);
        String::from_utf8(output.stdout).unwrap()
    }

    fn ansible_output(&self, core: &str, program: &str, args: &[&str], stdin: &[u8]) -> Output {
        let bin = ansible_bin(core);
        let mut command = self.command(bin.join(program));
        given(command.args(args), stdin)
    }

    /// A file that ansible-vault encrypted.
    fn encrypted(&self, core: &str, name: &str, text: impl AsRef<[u8]>, args: &[&str]) {
        self.put(name, text);
        let args = [&["encrypt"], args, &[name]].concat();
        self.ansible(core, "ansible-vault", &args, b"");
        assert!(self.read(name).starts_with(b"$ANSIBLE_VAULT;1."));
    }

    /// A value under `!vault`.
    fn string(&self, core: &str, key: &str, value: &str, args: &[&str]) -> String {
        let stdin = format!("--stdin-name={key}");
        let args = [&["encrypt_string", &stdin], args].concat();
        self.ansible(core, "ansible-vault", &args, value.as_bytes())
    }

    /// Each file under it, as a text.
    fn files(&self) -> Vec<(PathBuf, String)> {
        let (mut folders, mut files) = (vec![self.folder.path().to_owned()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                    files.push((path, text));
                }
            }
        }
        files
    }
}

fn ansible_bin(core: &str) -> PathBuf {
    let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/consumers/ansible");
    let bin = bin.join(core).join("bin");
    assert!(
        bin.exists(),
        "{} is missing: run tests/install",
        bin.display()
    );
    bin
}

fn given(command: &mut Command, stdin: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Not everybody reads it.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

fn succeeded(what: &str, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{what}: {said}{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// A mapping in JSON, which is YAML, a variable a line.
fn mapping(values: &[(&str, &str)]) -> String {
    let mut text = String::from("---\n");
    for (key, value) in values {
        let _ = writeln!(text, "{key}: {}", serde_json::Value::from(*value));
    }
    text
}

const PW: &[&str] = &["--vault-password-file", "pw"];

#[test]
fn a_whole_file_comes_out_byte_for_byte() {
    for core in CORES {
        let scene = Scene::new();
        scene.encrypted(core, "vault.yml", mapping(&VALUES), PW);
        let said = scene.imported(&[PW, &["--declare", "vault.yml"]].concat());
        assert!(said.starts_with("PLAIN, BRACES, QUOTES,"), "{said}");
        for (key, value) in VALUES {
            let got = scene.get(&key.to_uppercase());
            assert_eq!(got, value.as_bytes(), "{key} of {core}");
        }
        // The contract can be judged, whatever it finds.
        assert_eq!(scene.dotage(&["check"], b"").status.code(), Some(1));
    }
}

#[test]
fn values_under_vault_come_out_byte_for_byte_and_the_rest_stays() {
    for core in CORES {
        let scene = Scene::new();
        let mut text = String::from("# the application\nhost: localhost\nports: [1, 2]\n");
        for (key, value) in VALUES {
            text += &scene.string(core, &format!("vault_{key}"), value, PW);
        }
        // Deeper, and indented as an editor might.
        text += "db:\n  user: app\n  # its account\n";
        for line in scene.string(core, "password", "deep secret", PW).lines() {
            let _ = writeln!(text, "  {line}");
        }
        text += "last: 1\n";
        scene.put("vars.yml", &text);
        let said = scene.imported(&[PW, &["--declare", "vars.yml"]].concat());
        assert!(
            said.contains("vars.yml: left host, ports, db_user, last: not encrypted\n"),
            "{said}"
        );
        for (key, value) in VALUES {
            let got = scene.get(&key.to_uppercase());
            assert_eq!(got, value.as_bytes(), "{key} of {core}");
        }
        assert_eq!(scene.get("DB_PASSWORD"), b"deep secret");
        assert_eq!(scene.read("vars.yml"), text.as_bytes());
    }
}

#[test]
fn both_line_breaks_and_any_size_are_read() {
    let scene = Scene::new();
    let crlf = |text: &[u8]| String::from_utf8_lossy(text).replace('\n', "\r\n");
    scene.encrypted("219", "whole.yml", "one: 1\r\ntwo: \"a\\r\\nb\"\r\n", PW);
    scene.put("whole.yml", crlf(&scene.read("whole.yml")));
    let inline = scene.string("219", "three", "of\nthree", PW);
    scene.put("inline.yml", crlf(inline.as_bytes()));
    // A million bytes, in four values.
    let large = ["w", "x", "y", "z"].map(|letter| letter.repeat(249_993));
    let large: String = ["ka", "kb", "kc", "kd"]
        .iter()
        .zip(&large)
        .map(|(key, value)| format!("{key}: {value}\n"))
        .collect();
    assert!(
        (999_900..=1_000_000).contains(&large.len()),
        "{}",
        large.len()
    );
    scene.encrypted("219", "large.yml", &large, PW);
    scene.imported(&[PW, &["--declare", "whole.yml", "inline.yml", "large.yml"]].concat());
    assert_eq!(scene.get("ONE"), b"1");
    assert_eq!(scene.get("TWO"), b"a\r\nb");
    assert_eq!(scene.get("THREE"), b"of\nthree");
    assert_eq!(scene.get("KD"), "z".repeat(249_993).as_bytes());
}

#[test]
fn a_file_of_any_bytes_is_one_variable() {
    let scene = Scene::new();
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQ\n-----END PRIVATE KEY-----\n";
    let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    for core in CORES {
        scene.encrypted(core, "key.pem", pem, PW);
        scene.encrypted(core, "image", &bytes, PW);
        scene.imported(&[PW, &["--declare", "--name", "TLS_KEY", "key.pem"]].concat());
        scene.imported(&[PW, &["--declare", "--name", "IMAGE", "image"]].concat());
        assert_eq!(scene.get("TLS_KEY"), pem.as_bytes());
        assert_eq!(scene.get("IMAGE"), bytes);
        // The same bytes again are no change.
        let said = scene.imported(&[PW, &["--name", "IMAGE", "image"]].concat());
        assert_eq!(said, "IMAGE there already in profile development\n");
    }
    // A million bytes are no secret.
    scene.encrypted("219", "large", "x".repeat(1_000_000), PW);
    let (code, said) = scene.import(&[PW, &["--declare", "--name", "LARGE", "large"]].concat());
    assert_eq!(
        (code, said.as_str()),
        (
            2,
            "large: the value of LARGE has more than 512 KiB\nhelp: keep large files out of a vault: encrypt them with age -R beside it\n"
        )
    );
}

#[test]
fn each_vault_id_has_its_password_from_wherever_ansible_takes_it() {
    for core in CORES {
        let scene = Scene::new();
        scene.put("dev.txt", "  for development \r\n");
        scene.script("prod", "printf 'for production\\n'");
        scene.script("ask-client.sh", r#"[ "$1" = --vault-id ] && echo "for $2""#);
        scene.encrypted(
            core,
            "locked.txt",
            "for the locked\n",
            &["--vault-password-file", "dev.txt"],
        );
        let ids = ["dev@dev.txt", "prod@./prod", "team@ask-client.sh"];
        for (id, name) in ids.iter().zip(["one.yml", "two.yml", "three.yml"]) {
            let label = id.split('@').next().unwrap();
            let args = ["--vault-id", id, "--encrypt-vault-id", label];
            scene.encrypted(core, name, format!("key_{label}: of {label}\n"), &args);
            let header = format!("$ANSIBLE_VAULT;1.2;AES256;{label}\n");
            assert!(scene.read(name).starts_with(header.as_bytes()));
        }
        // Ansible gives a client script that is a password file the label `default`.
        scene.encrypted(
            core,
            "four.yml",
            "key_four: 4\n",
            &["--vault-password-file", "ask-client.sh"],
        );
        scene.encrypted(
            core,
            "five.yml",
            "key_five: 5\n",
            &[
                "--vault-id",
                "dev@dev.txt",
                "--vault-id",
                "l@locked.txt",
                "--encrypt-vault-id",
                "l",
            ],
        );
        let all = ["one.yml", "two.yml", "three.yml", "four.yml", "--declare"];
        let said: Vec<&str> = ids.iter().flat_map(|id| ["--vault-id", id]).collect();
        scene.imported(&[&said[..], &["--vault-password-file", "ask-client.sh"], &all].concat());
        for label in ["dev", "prod", "team"] {
            assert_eq!(
                scene.get(&format!("KEY_{}", label.to_uppercase())),
                format!("of {label}").as_bytes()
            );
        }
        // By the environment; and whatever label a file has, each password is tried.
        let other = scene
            .command(DOTAGE)
            .args([
                "import",
                "ansible-vault",
                "--json",
                "one.yml",
                "two.yml",
                "three.yml",
                "four.yml",
            ])
            .env(
                "ANSIBLE_VAULT_IDENTITY_LIST",
                "x@dev.txt, y@prod,team@ask-client.sh",
            )
            .env("ANSIBLE_VAULT_PASSWORD_FILE", "ask-client.sh")
            .output()
            .unwrap();
        succeeded("by the environment", &other);
        assert_eq!(
            String::from_utf8_lossy(&other.stdout)
                .matches("\"state\": \"unchanged\"")
                .count(),
            8
        );
        // A password file may be encrypted with a password that came before.
        scene.imported(&[
            "--vault-password-file",
            "dev.txt",
            "--vault-password-file",
            "locked.txt",
            "--declare",
            "five.yml",
        ]);
        assert_eq!(scene.get("KEY_FIVE"), b"5");
    }
}

#[test]
fn an_empty_value_is_a_value() {
    for core in CORES {
        let scene = Scene::new();
        // `ansible-vault encrypt_string` refuses nothing at all; Ansible itself reads it.
        let python = "from ansible.parsing.vault import VaultLib, VaultSecret\n\
            vault = VaultLib([('default', VaultSecret(b'the old password'))])\n\
            print('empty: !vault |')\n\
            print('\\n'.join('  ' + line for line in vault.encrypt(b'').decode().splitlines()))";
        let text = scene.ansible(core, "python", &["-c", python], b"");
        scene.put("vars.yml", text);
        scene.encrypted(core, "vault.yml", "other: ''\n", PW);
        scene.imported(&[PW, &["--declare", "vars.yml", "vault.yml"]].concat());
        assert_eq!(
            (scene.get("EMPTY"), scene.get("OTHER")),
            (Vec::new(), Vec::new())
        );
    }
}

/// Puts what it is given into ansible-vault's envelope as it is, whatever its padding; the code is right.
const ENVELOPE: &str = "
import sys
from ansible.parsing.vault import VaultAES256 as A
from binascii import hexlify
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
salt = b'0123456789abcdef0123456789abcdef'
key, code, iv = A._gen_key_initctr(b'the old password', salt)
cipher = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
text = cipher.update(sys.stdin.buffer.read()) + cipher.finalize()
mac = HMAC(code, hashes.SHA256()); mac.update(text)
whole = hexlify(b'\\n'.join([hexlify(salt), hexlify(mac.finalize()), hexlify(text)])).decode()
print('$ANSIBLE_VAULT;1.1;AES256')
for i in range(0, len(whole), 80): print(whole[i:i+80])
";

const AGAIN: &str = "help: bring the file back from git, or encrypt the value again\n";

#[test]
fn what_is_no_whole_envelope_is_told_apart() {
    let scene = Scene::new();
    scene.put("other", "another password\n");
    scene.put("third", "a third password\n");
    let canary = "canary-0a1b2c3d4e5f";
    scene.encrypted("219", "good", format!("key: {canary}\n"), PW);
    let good = String::from_utf8(scene.read("good")).unwrap();
    let args = ["--vault-id", "prod@pw", "--encrypt-vault-id", "prod"];
    scene.encrypted("219", "labelled", format!("key: {canary}\n"), &args);
    let labelled = String::from_utf8(scene.read("labelled")).unwrap();
    let altered = |at: usize| {
        let mut text = good.clone().into_bytes();
        text[at] = if text[at] == b'3' { b'2' } else { b'3' };
        String::from_utf8(text).unwrap()
    };
    let lines = good.lines().count();
    let short = good.trim_end().len();
    // The last digits of the code's two lines, which are digits of digits.
    let made = |text: &str| scene.ansible("219", "python", &["-c", ENVELOPE], text.as_bytes());
    let padding = "bad: is opened by a password, and its padding is wrong: ansible-vault did not write it\nhelp: encrypt what it holds again, with ansible-vault\n";
    let hmac = "bad:1: is not opened by the password, or was altered: its HMAC fails\nhelp: give its password: --vault-password-file FILE\n";
    let cases: Vec<(&str, String, &[&str], String)> = vec![
        ("another password", good.clone(), &["--vault-password-file", "other"], hmac.to_owned()),
        ("other passwords", good.clone(), &["--vault-password-file", "other", "--vault-id", "a@third"],
            "bad:1: is opened by none of the 2 passwords, or was altered: its HMAC fails\nhelp: give its password: --vault-password-file FILE\n".to_owned()),
        ("another label's", labelled, &["--vault-id", "dev@other"],
            "bad:1: is not opened by the password, or was altered: its HMAC fails\nhelp: give the password of its vault id: --vault-id prod@FILE\n".to_owned()),
        ("altered at its end", altered(short - 1), PW, hmac.to_owned()),
        ("a version before", good.replace(";1.1;", ";1.0;"), PW,
            "bad:1: is of another version than 1.1 and 1.2\nhelp: write it anew with a current ansible-vault: ansible-vault rekey FILE\n".to_owned()),
        ("another cipher", good.replace("AES256", "AES"), PW,
            "bad:1: is encrypted with another cipher than AES256\nhelp: write it anew with a current ansible-vault: ansible-vault rekey FILE\n".to_owned()),
        ("no version", good.replace(";1.1;AES256", ""), PW,
            "bad:1: is of another version than 1.1 and 1.2\nhelp: write it anew with a current ansible-vault: ansible-vault rekey FILE\n".to_owned()),
        ("nothing but a header", good.lines().next().unwrap().to_owned(), PW, format!("bad:1: is cut off\n{AGAIN}")),
        ("cut in a digit", good[..short - 1].to_owned(), PW, format!("bad:{lines}: is cut off\n{AGAIN}")),
        ("cut in a digit's digit", good[..short - 2].to_owned(), PW, format!("bad:{lines}: is cut off\n{AGAIN}")),
        ("cut in the code", good.lines().take(2).collect::<Vec<_>>().join("\n"), PW, format!("bad:2: is cut off\n{AGAIN}")),
        ("no hexadecimal", good.replacen("\n3", "\nx", 1).replacen("\n6", "\ng", 1), PW,
            format!("bad:2: has something else than hexadecimal digits in it\n{AGAIN}")),
        ("a merge", good.replacen('\n', "\n<<<<<<< HEAD\n", 1), PW,
            format!("bad:2: has something else than hexadecimal digits in it\n{AGAIN}")),
        ("digits that stand for no digits", "$ANSIBLE_VAULT;1.1;AES256\n7a7a0a7a7a0a7a7a\n".to_owned(), PW,
            format!("bad:1: is not what ansible-vault writes: its parts are missing or no hexadecimal digits\n{AGAIN}")),
        ("no padding", made(&format!("{canary:\u{11}<32}")), PW, padding.replace("bad:", "bad:1:")),
        ("padding of zeros", made(&format!("{canary:\0<32}")), PW, padding.replace("bad:", "bad:1:")),
        ("uneven padding", made(&format!("{canary:\u{3}<31}\u{4}")), PW, padding.replace("bad:", "bad:1:")),
        ("half a block", made(canary), PW, format!("bad:[..]: is cut off\n{AGAIN}")),
    ];
    for (name, text, passwords, expected) in cases {
        scene.put("bad", text);
        let (code, said) = scene.import(&[passwords, &["bad", "--declare"]].concat());
        assert_eq!(code, 2, "{name}: {said}");
        let expected = expected.replace("bad:[..]:", &said[..said.find(": ").unwrap() + 1]);
        assert_eq!(said, expected, "{name}");
    }
    // The same under `!vault`, where the key is told.
    let inline = good.replace('\n', "\n    ");
    for (text, expected) in [
        (inline.replace(";1.1;", ";2.0;"), "vars.yml:2: db_password is of another version than 1.1 and 1.2\nhelp: write it anew with a current ansible-vault: ansible-vault rekey FILE\n".to_owned()),
        (inline.replace("$ANSIBLE_VAULT", "ANSIBLE_VAULT"), format!("vars.yml:2: db_password does not begin with $ANSIBLE_VAULT;\n{AGAIN}")),
        (inline[..short - 1].to_owned(), format!("vars.yml:2: db_password is cut off\n{AGAIN}")),
    ] {
        scene.put("vars.yml", format!("db:\n  password: !vault |\n    {text}\n"));
        let (code, said) = scene.import(&[PW, &["vars.yml", "--declare"]].concat());
        assert_eq!((code, said), (2, expected));
    }
    assert_eq!(
        scene
            .well(&["list", "--json"], b"")
            .windows(3)
            .filter(|part| part == b"set")
            .count(),
        0
    );
    for (path, text) in scene.files() {
        assert!(!text.contains(canary), "{}", path.display());
    }
}

#[test]
fn what_can_be_no_variable_is_told_by_its_key() {
    let scene = Scene::new();
    let leave = "make one variable of each value with `ansible-vault edit`, or leave it: --skip";
    let one = "; or take all of it as one variable: --name NAME";
    for (text, expected) in [
        ("users: [a, b]\n", format!("bad:1: users is a list, and a variable has one value\nhelp: {leave} users\n")),
        ("a: 1\nb:\n  c: ~\n", format!("bad:3: b_c is null\nhelp: for an empty value write \"\"; {leave} b_c\n")),
        ("b: {}\n", format!("bad:1: b is an empty mapping\nhelp: {leave} b\n")),
        ("vault_a: 1\na: 2\n", "bad:2: a would be A, as vault_a of bad:1\nhelp: import the files one by one, or leave one of the two where it is: --skip KEY\n".to_owned()),
        ("a b: 1\n", "bad:1: KEY is not a variable's name\nhelp: a name is letters, digits and _, and does not begin with a digit; to leave it where it is: --skip KEY\n".to_owned()),
        ("a: 1\na: 2\n", format!("bad:2:1: a second entry of this name\nhelp: remove one of the two{one}\n")),
        ("a: 'open\n", format!("bad:1:4: a quote that is never closed\nhelp: close it{one}\n")),
        ("a: 1\n---\nb: 2\n", format!("bad: holds several YAML documents, and Ansible takes one\nhelp: put all into one mapping{one}\n")),
        ("", format!("bad: holds nothing\nhelp: name a file of variables{one}\n")),
        ("only a text\n", format!("bad: does not hold a mapping of variables\nhelp: name a file of variables{one}\n")),
        ("- a\n", format!("bad: does not hold a mapping of variables\nhelp: name a file of variables{one}\n")),
    ] {
        scene.put("bad", text);
        scene.ansible("219", "ansible-vault", &[&["encrypt"], PW, &["bad"]].concat(), b"");
        let (code, said) = scene.import(&[PW, &["bad", "--declare"]].concat());
        assert_eq!((code, said), (2, expected), "{text}");
    }
    scene.put("image", [0xff, 0xfe]);
    scene.ansible(
        "219",
        "ansible-vault",
        &[&["encrypt"], PW, &["image"]].concat(),
        b"",
    );
    let (_, said) = scene.import(&[PW, &["image"]].concat());
    assert_eq!(
        said,
        format!("image: does not hold UTF-8 text\nhelp: name a file of variables{one}\n")
    );
    scene.put("clear.yml", "a: 1\n");
    let (_, said) = scene.import(&[PW, &["clear.yml"]].concat());
    assert_eq!(
        said,
        "clear.yml: holds nothing that ansible-vault encrypted\nhelp: see which files do: grep -rlI '\\$ANSIBLE_VAULT' .\n"
    );
    let list = scene.string("219", "x", "canary-1", PW).replacen(
        "x: ",
        "users:\n  - name: a\n    key: ",
        1,
    );
    scene.put("list.yml", list.replace("\n          ", "\n        "));
    let (_, said) = scene.import(&[PW, &["list.yml"]].concat());
    assert_eq!(
        said,
        format!("list.yml:2: users is a list, and a variable has one value\nhelp: {leave} users\n")
    );
}

#[test]
fn removal_changes_nothing_else_and_ansible_finds_the_values() {
    for core in CORES {
        let scene = Scene::new();
        let secret = "canary-5f6e7d8c9b0a {{ 7 * 7 }}";
        let text = format!(
            "# kept\r\nhost: 'localhost'   # as it is\r\n{}db:\n  user: app\n  password: !vault |  # old\n{}\nlast: [ 1,2 ]",
            scene.string(core, "token", secret, PW),
            scene
                .string(core, "x", "canary-5f6e7d8c9b0b", PW)
                .lines()
                .skip(1)
                .map(|line| line.trim_start().to_owned())
                .map(|line| format!("      {line}"))
                .collect::<Vec<_>>()
                .join("\n")
        );
        scene.put("vars.yml", &text);
        fs::set_permissions(scene.file("vars.yml"), fs::Permissions::from_mode(0o640)).unwrap();
        scene.encrypted(core, "vault.yml", "vault_whole: canary-5f6e7d8c9b0c\n", PW);
        let output = scene.dotage(
            &[
                &["import", "ansible-vault", "--declare", "--remove", "-v"],
                PW,
                &["vars.yml", "vault.yml"],
            ]
            .concat(),
            b"",
        );
        succeeded("import --remove", &output);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(said.ends_with("vars.yml: changed: a lookup in the place of each value (2)\nvault.yml: deleted; its values are lookups from now on:\n  vault_whole: \"{{ lookup('dotage.secrets.secret', 'WHOLE') }}\"\n"), "{said}");
        assert!(!scene.file("vault.yml").exists());
        assert_eq!(
            String::from_utf8(scene.read("vars.yml")).unwrap(),
            "# kept\r\nhost: 'localhost'   # as it is\r\ntoken: \"{{ lookup('dotage.secrets.secret', 'TOKEN') }}\"\ndb:\n  user: app\n  password: \"{{ lookup('dotage.secrets.secret', 'DB_PASSWORD') }}\"\nlast: [ 1,2 ]"
        );
        assert_eq!(
            fs::metadata(scene.file("vars.yml"))
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o640
        );
        // Nothing of it is in the clear: not in what was said, not in a file, the journal among them.
        for (path, text) in scene
            .files()
            .into_iter()
            .chain([(PathBuf::from("said"), said)])
        {
            assert!(!text.contains("canary-5f6e"), "{}", path.display());
        }
        // What Ansible finds under the same names now.
        collection(&scene);
        scene.put(
            "play.yml",
            "- hosts: all\n  gather_facts: false\n  vars_files: [vars.yml]\n  tasks:\n    - ansible.builtin.copy: { content: \"{{ token }}|{{ db.password }}|{{ lookup('dotage.secrets.secret', 'WHOLE') }}\", dest: \"{{ playbook_dir }}/found\", mode: '0600' }\n",
        );
        scene.ansible(
            core,
            "ansible-playbook",
            &["-i", "localhost,", "-c", "local", "play.yml"],
            b"",
        );
        assert_eq!(
            String::from_utf8(scene.read("found")).unwrap(),
            format!("{secret}|canary-5f6e7d8c9b0b|canary-5f6e7d8c9b0c")
        );
    }
}

/// Puts the collection where Ansible looks for it.
fn collection(scene: &Scene) -> PathBuf {
    let home = scene.path("home/.ansible/collections/ansible_collections/dotage");
    fs::create_dir_all(&home).unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("ansible");
    let copied = Command::new("cp")
        .arg("-r")
        .arg(from)
        .arg(home.join("secrets"))
        .status();
    assert!(copied.unwrap().success());
    home.join("secrets/scripts/dotage-client")
}

#[test]
fn what_cannot_be_removed_whole_is_not_touched_at_all() {
    let scene = Scene::new();
    scene.encrypted("219", "vault.yml", "a: 1\nb: [2]\n", PW);
    std::os::unix::fs::symlink("vault.yml", scene.file("link.yml")).unwrap();
    let inline = scene.string("219", "c", "3", PW);
    let flow = inline
        .replace("c: !vault |\n", "")
        .replace([' ', '\n'], "\\n");
    let flow = format!(
        "{{ c: !vault \"{}\", d: 4 }}\n",
        flow.trim_start_matches("\\n").replace("\\n\\n", "")
    );
    scene.put("flow.yml", flow);
    let vault = scene.read("vault/development.age");
    for (args, expected) in [
        (
            &["vault.yml", "--skip", "b"][..],
            "vault.yml: would be deleted, and b is not imported\nhelp: import without --remove, then take the others out with `ansible-vault edit`\n",
        ),
        (
            &["link.yml", "--skip", "b"],
            "link.yml: would be deleted, and b is not imported\nhelp: import without --remove, then take the others out with `ansible-vault edit`\n",
        ),
        (
            &["flow.yml"],
            "flow.yml: cannot have lookups in the place of its values without another change\nhelp: import without --remove, and write them by hand: KEY: \"{{ lookup('dotage.secrets.secret', 'NAME') }}\"\n",
        ),
        (
            &["vault.yml", "--skip", "bb"],
            "vault.yml:2: b is a list, and a variable has one value\nhelp: make one variable of each value with `ansible-vault edit`, or leave it: --skip b\n",
        ),
    ] {
        let (code, said) = scene.import(&[PW, &["--declare", "--remove"], args].concat());
        assert_eq!((code, said.as_str()), (2, expected));
        assert_eq!(scene.read("vault/development.age"), vault);
        assert!(scene.file("vault.yml").exists() && scene.file("link.yml").exists());
    }
    scene.encrypted("219", "vault.yml", "a: 1\n", PW);
    let (code, said) = scene.import(&[PW, &["--declare", "--remove", "link.yml"]].concat());
    assert_eq!(
        (code, said.as_str()),
        (
            2,
            "link.yml: is a symlink\nhelp: name the file it points to\n"
        )
    );
}

#[test]
fn old_vaults_open_with_a_password_that_ours_keeps() {
    for core in CORES {
        let scene = Scene::new();
        let client = collection(&scene);
        let inventory = fs::read_to_string(scene.file("dotage.yaml")).unwrap();
        let variables = "  ANSIBLE_VAULT_PASSWORD: { purpose: opens old vaults, used_by: [app] }\n  ANSIBLE_VAULT_PASSWORD_PROD_EU: { purpose: opens old vaults, used_by: [app] }\n";
        scene.put(
            "dotage.yaml",
            inventory.replacen("variables:\n", &format!("variables:\n{variables}"), 1),
        );
        scene.well(
            &["set", "ANSIBLE_VAULT_PASSWORD"],
            b"canary-the old password",
        );
        scene.well(
            &["set", "ANSIBLE_VAULT_PASSWORD_PROD_EU"],
            b"canary-'another' $one",
        );
        scene.put("pw", "canary-the old password");
        scene.put("prod", "canary-'another' $one");
        scene.encrypted(core, "default.yml", "one: first\n", PW);
        scene.encrypted(
            core,
            "prod.yml",
            "two: second\n",
            &[
                "--vault-id",
                "prod-eu@prod",
                "--encrypt-vault-id",
                "prod-eu",
            ],
        );
        let client = client.to_str().unwrap();
        let play = |vars: &str, args: &[&str]| {
            scene.put("play.yml", format!("- hosts: all\n  gather_facts: false\n  vars_files: {vars}\n  tasks:\n    - ansible.builtin.debug: {{ msg: \"«{{{{ one | default('none') }}}} {{{{ two | default('none') }}}}»\" }}\n"));
            let args = [
                &["-i", "localhost,", "-c", "local", "play.yml", "-vvvv"],
                args,
            ]
            .concat();
            let output = scene.ansible_output(core, "ansible-playbook", &args, b"");
            let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert!(!said.contains("canary-"), "{said}");
            (output.status.success(), said)
        };
        let prod = format!("prod-eu@{client}");
        let (good, said) = play(
            "[default.yml, prod.yml]",
            &["--vault-id", &prod, "--vault-password-file", client],
        );
        assert!(good && said.contains("«first second»"), "{said}");
        let (good, said) = play("[default.yml]", &["--vault-id", client]);
        assert!(good && said.contains("«first none»"), "{said}");
        // A label that nobody declared: Ansible says that there is no password for it.
        let (good, said) = play("[prod.yml]", &["--vault-id", &format!("stage@{client}")]);
        assert!(
            !good && said.contains("did not find a secret for vault-id=stage"),
            "{said}"
        );
        // And so does the import, with the same script.
        scene.imported(&[
            "--vault-id",
            &prod,
            "--vault-password-file",
            client,
            "--declare",
            "default.yml",
            "prod.yml",
        ]);
        assert_eq!(
            (scene.get("ONE"), scene.get("TWO")),
            (b"first".to_vec(), b"second".to_vec())
        );
    }
}

#[test]
fn the_client_prints_the_password_and_nothing_else() {
    let scene = Scene::new();
    let client = collection(&scene);
    let inventory = fs::read_to_string(scene.file("dotage.yaml")).unwrap();
    scene.put(
        "dotage.yaml",
        inventory.replacen(
            "variables:\n",
            "variables:\n  ANSIBLE_VAULT_PASSWORD: { purpose: opens old vaults, used_by: [app] }\n",
            1,
        ),
    );
    scene.well(&["set", "ANSIBLE_VAULT_PASSWORD"], b"old");
    let run = |args: &[&str]| {
        let output = scene.command(&client).args(args).output().unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    for args in [
        &[][..],
        &["--vault-id", "default"],
        &["--vault-id=default"],
        &["--vault-id", ""],
    ] {
        assert_eq!(run(args), (0, "old".to_owned()), "{args:?}");
    }
    for (args, code) in [
        (&["--vault-id", "no/label"][..], 2),
        (&["--vault-id", "$(id)"], 2),
        (&["prod"], 1),
    ] {
        assert_eq!(run(args), (code, String::new()), "{args:?}");
    }
    let stranger = scene
        .command(&client)
        .env("DOTAGE_IDENTITY_FILE", "/dev/null")
        .output()
        .unwrap();
    assert_eq!(
        (stranger.status.code(), stranger.stdout),
        (Some(3), Vec::new())
    );
}

#[test]
fn a_variable_gets_the_name_that_the_inventory_has_for_it() {
    let scene = Scene::new();
    scene.put(
        "dotage.yaml",
        "profiles: { development: { vault: vault/development.age } }\n\
         services: { api: { secrets_dir: { DB_PASSWORD: database-pw } } }\n\
         variables:\n\
         \x20 DB_PASSWORD: { used_by: [api] }\n\
         \x20 VAULT_TOKEN: { used_by: [api] }\n\
         \x20 lower: { used_by: [api] }\n\
         \x20 ICON: { used_by: [api], base64: true }\n\
         \x20 URL: { used_by: [api], derive: \"https://{{ DB_PASSWORD }}\" }\n",
    );
    let values =
        "database-pw: a\nvault_token: b\nLower: c\nvault_icon: d\nvault_2fa: e\nmy-app.key: f\n";
    scene.encrypted("219", "vault.yml", values, PW);
    let (code, said) = scene.import(&[PW, &["vault.yml"]].concat());
    let expected = "dotage.yaml: not declared: VAULT_2FA, MY_APP_KEY\nhelp: draft them there: --declare; leave one in its file: --skip KEY\n";
    assert_eq!((code, said.as_str()), (2, expected));
    scene.imported(&[PW, &["vault.yml", "--declare"]].concat());
    for (name, value) in [
        ("DB_PASSWORD", "a"),
        ("VAULT_TOKEN", "b"),
        ("lower", "c"),
        ("ICON", "d"),
        ("VAULT_2FA", "e"),
        ("MY_APP_KEY", "f"),
    ] {
        assert_eq!(scene.get(name), value.as_bytes(), "{name}");
    }
    // What is made of others has no place in a vault.
    scene.encrypted("219", "vault.yml", "url: https://a\n", PW);
    let (code, said) = scene.import(&[PW, &["vault.yml"]].concat());
    let expected = "vault.yml:1: URL is made of other values and is stored nowhere\nhelp: leave it where it is: --skip KEY\n";
    assert_eq!((code, said.as_str()), (2, expected));
}

#[test]
fn the_bundle_and_the_vault_of_another_profile_are_as_asked() {
    let scene = Scene::new();
    scene.encrypted("219", "vault.yml", "smtp_password: one\n", PW);
    let args = [
        "vault.yml",
        "--declare",
        "--bundle",
        "mail",
        "-P",
        "production",
        "--remove",
    ];
    let said = scene.imported(&[PW, &args[..]].concat());
    assert!(
        said.contains("lookup('dotage.secrets.secret', 'SMTP_PASSWORD', profile='production')"),
        "{said}"
    );
    assert!(scene.file("vault/production/mail.age").exists());
    assert_eq!(
        scene.well(&["get", "SMTP_PASSWORD", "-P", "production"], b""),
        b"one"
    );
    let inventory = String::from_utf8(scene.read("dotage.yaml")).unwrap();
    assert!(inventory.contains("    bundle: mail\n"), "{inventory}");
}

#[test]
fn an_inventory_that_is_edited_meanwhile_keeps_its_edit_and_nothing_is_imported() {
    let scene = Scene::new();
    scene.encrypted("219", "vault.yml", "a_key: the value\n", PW);
    // Asked for the identity when the inventory has been read.
    scene.script(
        "identity",
        "echo '# mine' >> dotage.yaml\nexec cat \"$HOME/.config/dotage/identity.txt\"",
    );
    let args = [
        &["import", "ansible-vault", "--declare", "vault.yml"][..],
        PW,
    ]
    .concat();
    let mut command = scene.command(DOTAGE);
    command.env("DOTAGE_IDENTITY_COMMAND", scene.file("identity"));
    let output = given(command.args(&args), b"");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), said.as_str()),
        (
            Some(2),
            "dotage.yaml: was changed by another program; nothing was imported\nhelp: do it again\n"
        )
    );
    let text = String::from_utf8(scene.read("dotage.yaml")).unwrap();
    assert!(
        text.ends_with("# mine\n") && !text.contains("A_KEY"),
        "{text}"
    );
    scene.imported(&[PW, &["--declare", "vault.yml"]].concat());
    assert_eq!(scene.get("A_KEY"), b"the value");
}
