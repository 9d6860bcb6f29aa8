//! What the vault's own tests share, and the table of everything that can be wrong with one.

use super::*;
use std::sync::Arc;

/// The keys of nobody: made for these tests, used nowhere else.
const KEY: &str = "AGE-SECRET-KEY-1QP5Y0CRWA9P84N56MV0NWADTDPNZ60TRE38W0TN2VU5U73ZMMKCQ3QSPAW";
const PUBLIC: &str = "age1vya7vzdrpfkmc9ltum2zp2dzunk4qyjv8yas7dsg5ac93uns43dqq99u20";
const OTHER_KEY: &str =
    "AGE-SECRET-KEY-1873ZGZZ3E49V8JK2VADRQR8EUCHD929PRLNKCCG56G9ACRE2T2PSRGYLCY";
const OTHER: &str = "age1l76tw95gwt2wth5stjzjskdxd5mx86rsn8vfw224wfrnkr37r9pqnn22hs";
const SSH: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIsyfFrVkaAYIa69QsyjVcGzS8vn0N/xx5CNQifZmXM+ alice@laptop";
const SSH_KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACCLMnxa1ZGgGCGuvULMo1XBs0vL59Df8ceQjUIn2ZlzPgAAAJBtcymnbXMp
pwAAAAtzc2gtZWQyNTUxOQAAACCLMnxa1ZGgGCGuvULMo1XBs0vL59Df8ceQjUIn2ZlzPg
AAAEDf/H8a8BApHJ5Ph8Rszzt7VebB4HbONRDh1U+CG/wwSIsyfFrVkaAYIa69QsyjVcGz
S8vn0N/xx5CNQifZmXM+AAAADGFsaWNlQGxhcHRvcAE=
-----END OPENSSH PRIVATE KEY-----
";
/// Another one, under the passphrase `passphrase`.
const LOCKED: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIx91MTQflLRlyI/LgTgkGM2dqSMCOXMWPTTaMuU6/LO";
const LOCKED_KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABDHOwvDLf
j9Si72GTCIAB4jAAAABAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIIx91MTQflLRlyI/
LgTgkGM2dqSMCOXMWPTTaMuU6/LOAAAAkK/5BRIv17pr71u3Nkt0ThobUl/ZopcX9Wrfm+
F+v5S5Of/UkJ7Dk89hOpHI41iO3NERlNpx08iE4w8aWox2LrwK2xwZ1VNBuru3wA5oE1Zj
F7HoAM8bU0uW89t+dkTvKTESQjFuasLqAH6dnywrNZPUfmy8ivCXAraGw4W8u6dqN4D/gX
rK9lozZPab/QLvug==
-----END OPENSSH PRIVATE KEY-----
";
/// What must never be in a message.
const CANARY: &str = "canary-5f2c";

/// A person who knows one passphrase, and counts how often they were asked.
struct Knows(&'static str, std::sync::atomic::AtomicUsize);

impl Person for Knows {
    fn tell(&self, _: &str) {}
    fn choose(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
        None
    }
    fn answer(&self, _: &str) -> Option<String> {
        None
    }
    fn passphrase(&self, _: &str) -> Option<Secret> {
        self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Some(Secret::new(self.0.as_bytes().to_vec()))
    }
}

fn knows(passphrase: &'static str) -> Arc<Knows> {
    Arc::new(Knows(passphrase, std::sync::atomic::AtomicUsize::new(0)))
}

fn identities(material: &[&str]) -> Identities {
    let mut identities = Identities::none(Arc::new(Nobody));
    for material in material {
        identities.add(material.as_bytes(), "identity.txt").unwrap();
    }
    identities
}

fn recipients(text: &str) -> Recipients {
    Recipients::parse(text, Path::new(".age-recipients")).unwrap()
}

fn seal(plaintext: &[u8], readers: &str) -> Vec<u8> {
    bundle::seal(
        plaintext,
        &recipients(readers),
        &(Arc::new(Nobody) as Arc<dyn Person>),
    )
    .unwrap()
}

/// The same without armor.
fn binary(file: &[u8]) -> Vec<u8> {
    envelope::binary(file).unwrap().into_owned()
}

/// A folder with a vault in it: its recipients are [`PUBLIC`].
fn folder() -> (tempfile::TempDir, Vault) {
    let folder = tempfile::tempdir().unwrap();
    put(&folder, "vault/.age-recipients", PUBLIC.as_bytes());
    let vault = Vault::at(&folder.path().join("vault"));
    (folder, vault)
}

fn put(folder: &tempfile::TempDir, path: &str, bytes: &[u8]) {
    let path = folder.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    file::replace(&path, bytes, &Attributes::default()).unwrap();
}

/// What is said when a vault's one bundle is these bytes, with places relative to the vault's folder.
fn says(file: &[u8], identities: &Identities) -> String {
    let (folder, vault) = folder();
    put(&folder, "vault/auth.age", file);
    said(&folder, vault.open(None, identities).map(drop))
}

fn said(folder: &tempfile::TempDir, result: Result<(), Problem>) -> String {
    let said = result.unwrap_err().to_string();
    assert!(!said.contains(CANARY), "{said}");
    said.replace(&format!("{}/", folder.path().display()), "")
}

fn edited(file: &[u8], edit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut file = file.to_vec();
    edit(&mut file);
    file
}

fn without_last_line(file: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(file).unwrap().trim_end();
    text.as_bytes()[..=text.rfind('\n').unwrap()].to_vec()
}

#[test]
fn every_malformed_vault_is_named_for_what_it_is_and_quotes_nothing() {
    // age adds a stanza of random length to a header: one file of a certain length, for the pinned line numbers.
    let good = std::iter::repeat_with(|| seal(format!("A: \"{CANARY}\"\n").as_bytes(), PUBLIC))
        .find(|file| file.split(|byte| *byte == b'\n').count() == 9)
        .unwrap();
    let raw = binary(&good);
    let header = raw.windows(5).position(|w| w == b"\n--- ").unwrap() + 1;
    let conflict = [
        b"<<<<<<< HEAD\n".as_slice(),
        &good,
        b"=======\n",
        &good,
        b">>>>>>> theirs\n",
    ]
    .concat();
    let plain = |text: &str| seal(text.as_bytes(), PUBLIC);
    let passphrase = {
        let mut recipient = age::scrypt::Recipient::new("x".to_owned().into());
        recipient.set_work_factor(2);
        age::encrypt(&recipient, b"A: \"b\"\n").unwrap()
    };
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("an empty file", vec![]),
        ("only white space", b" \n\n".to_vec()),
        ("plain YAML", format!("A: {CANARY}\n").into_bytes()),
        ("a picture", b"\x89PNG\r\n\x1a\n\0\0".to_vec()),
        ("a whole merge conflict", conflict),
        (
            "conflict markers within the armor",
            edited(&good, |f| {
                let at = f.iter().position(|b| *b == b'\n').unwrap() + 1;
                f.splice(at..at, *b"<<<<<<< HEAD\n");
            }),
        ),
        ("armor without its last line", without_last_line(&good)),
        ("half of an armored file", good[..good.len() / 2].to_vec()),
        (
            "garbage behind the armor",
            [&good[..], b"\nA: canary-5f2c\n"].concat(),
        ),
        ("garbage within the armor", edited(&good, |f| f[100] = b'*')),
        (
            "a short line within the armor",
            edited(&good, |f| {
                f.remove(100);
            }),
        ),
        (
            "only the armor's first line",
            b"-----BEGIN AGE ENCRYPTED FILE-----\n".to_vec(),
        ),
        (
            "armor around nothing",
            b"-----BEGIN AGE ENCRYPTED FILE-----\n-----END AGE ENCRYPTED FILE-----\n".to_vec(),
        ),
        ("a header cut off", raw[..40].to_vec()),
        ("no content behind the header", raw[..header + 48].to_vec()),
        ("one byte of content missing", raw[..raw.len() - 1].to_vec()),
        (
            "one byte of content changed",
            edited(&raw, |f| *f.last_mut().unwrap() ^= 1),
        ),
        ("one byte more", [&raw[..], b"x"].concat()),
        (
            "another MAC",
            edited(&raw, |f| {
                f[header + 6] = if f[header + 6] == b'A' { b'B' } else { b'A' }
            }),
        ),
        ("a reader's stanza taken out of the header", {
            let two = binary(&seal(b"A: \"b\"\n", &format!("{OTHER}\n{PUBLIC}\n")));
            let second = two[30..].windows(4).position(|w| w == b"\n-> ").unwrap() + 31;
            [&two[..22], &two[second..]].concat()
        }),
        (
            "a header that is no header",
            b"age-encryption.org/v1\nhello\n".to_vec(),
        ),
        (
            "a version to come",
            b"age-encryption.org/v2\n-> X25519 x\n".to_vec(),
        ),
        ("a passphrase", passphrase),
        (
            "other readers",
            seal(b"A: \"b\"\n", &format!("{OTHER}\n{SSH}\n{LOCKED}\n")),
        ),
        ("no UTF-8", seal(b"A: \"b\"\nB: \"\xff\"\n", PUBLIC)),
        (
            "a name twice",
            plain(&format!("A: \"{CANARY}\"\nB: \"b\"\nA: \"c\"\n")),
        ),
        ("an anchor", plain(&format!("A: &x \"{CANARY}\"\nB: *x\n"))),
        ("an alias", plain("A: *x\n")),
        ("a tag", plain(&format!("A: !!binary {CANARY}\n"))),
        ("a nested mapping", plain(&format!("A: {{b: {CANARY}}}\n"))),
        (
            "200 KB of brackets",
            plain(&format!("A: {}\n", "[".repeat(200_000))),
        ),
        ("a list", plain(&format!("- {CANARY}\n"))),
        ("a bare text", plain(CANARY)),
        ("yes", plain("A: yes\n")),
        ("a number", plain("A: 0123\n")),
        ("nothing", plain("A:\n")),
        ("a tilde", plain("A: ~\n")),
        ("an exponent", plain("A: 1e3\n")),
        ("no name", plain(&format!("1A-{CANARY}: \"x\"\n"))),
        (
            "two documents",
            plain(&format!("A: \"b\"\n---\nB: {CANARY}\n")),
        ),
        ("an open quote", plain(&format!("A: \"{CANARY}\n"))),
        ("a merge key", plain(&format!("<<: {{A: {CANARY}}}\n"))),
        (
            "a conflict in the plaintext",
            plain(&format!("<<<<<<< HEAD\nA: \"{CANARY}\"\n=======\n")),
        ),
    ];
    let identities = identities(&[KEY]);
    let mut all = Vec::new();
    for (name, file) in &table {
        let said = says(file, &identities).replace('\n', "\n    ");
        all.push(format!("{name}\n    {said}\n"));
    }
    assert!(all.concat() == MALFORMED, "{}", all.concat());
}

/// One by one: what it is, and what is said.
const MALFORMED: &str = r#"an empty file
    vault/auth.age: is empty, which no age file is
    help: bring it back: git restore vault/auth.age; for a new bundle, remove the empty file
only white space
    vault/auth.age: is empty, which no age file is
    help: bring it back: git restore vault/auth.age; for a new bundle, remove the empty file
plain YAML
    vault/auth.age: is plain text, where an encrypted bundle should be
    help: encrypt it: age -a -R vault/.age-recipients -o new.age vault/auth.age && mv new.age vault/auth.age; if it was ever committed, rotate what is in it
a picture
    vault/auth.age: is no age file
    help: bring it back: git restore vault/auth.age
a whole merge conflict
    vault/auth.age:1: git left a merge conflict here, and ciphertext can't be merged
    help: take one side (git checkout --ours vault/auth.age, or --theirs), then set again what the other side changed
conflict markers within the armor
    vault/auth.age:2: git left a merge conflict here, and ciphertext can't be merged
    help: take one side (git checkout --ours vault/auth.age, or --theirs), then set again what the other side changed
armor without its last line
    vault/auth.age: is cut off: the armor's last line is missing
    help: bring it back: git restore vault/auth.age
half of an armored file
    vault/auth.age: is cut off: the armor's last line is missing
    help: bring it back: git restore vault/auth.age
garbage behind the armor
    vault/auth.age:10: something stands behind the armor's last line
    help: bring it back: git restore vault/auth.age
garbage within the armor
    vault/auth.age:3: this is no line of age's armor (64 characters of base64)
    help: bring it back: git restore vault/auth.age
a short line within the armor
    vault/auth.age:3: this is no line of age's armor (64 characters of base64)
    help: bring it back: git restore vault/auth.age
only the armor's first line
    vault/auth.age: is cut off: the armor's last line is missing
    help: bring it back: git restore vault/auth.age
armor around nothing
    vault/auth.age: is cut off
    help: bring it back: git restore vault/auth.age
a header cut off
    vault/auth.age: is cut off
    help: bring it back: git restore vault/auth.age
no content behind the header
    vault/auth.age: is cut off
    help: bring it back: git restore vault/auth.age
one byte of content missing
    vault/auth.age: was altered or cut off: its content fails authentication
    help: bring it back: git restore vault/auth.age
one byte of content changed
    vault/auth.age: was altered or cut off: its content fails authentication
    help: bring it back: git restore vault/auth.age
one byte more
    vault/auth.age: was altered or cut off: its content fails authentication
    help: bring it back: git restore vault/auth.age
another MAC
    vault/auth.age: was altered: its age header fails authentication
    help: bring it back: git restore vault/auth.age
a reader's stanza taken out of the header
    vault/auth.age: was altered: its age header fails authentication
    help: bring it back: git restore vault/auth.age
a header that is no header
    vault/auth.age: was altered: its age header is malformed
    help: bring it back: git restore vault/auth.age
a version to come
    vault/auth.age: is an age file of another version than v1
    help: see `age --version` where it was written; dotage reads age-encryption.org/v1
a passphrase
    vault/auth.age: is encrypted with a passphrase, not to recipients
    help: encrypt it to its readers: age -d vault/auth.age | age -a -R vault/.age-recipients -o new.age && mv new.age vault/auth.age
other readers
    vault/auth.age: none of these identities opens it (its readers: 1 X25519, 2 ssh-ed25519): age1vya7vzdrpfkmc9ltum2zp2dzunk4qyjv8yas7dsg5ac93uns43dqq99u20 (identity.txt)
    help: ask one of its readers to type: dotage recipients add 'age1vya7vzdrpfkmc9ltum2zp2dzunk4qyjv8yas7dsg5ac93uns43dqq99u20'
no UTF-8
    vault/auth.age:2: the plaintext is not UTF-8 text
    help: keep a binary value as base64, and say so in dotage.yaml
a name twice
    vault/auth.age:3: A: a second entry of this name
    help: remove one of the two
an anchor
    vault/auth.age:1:7: A: an anchor (`&…`) or an alias (`*…`)
    help: write the value out; quote one that begins with `&` or `*`
an alias
    vault/auth.age:1:4: A: an anchor (`&…`) or an alias (`*…`)
    help: write the value out; quote one that begins with `&` or `*`
a tag
    vault/auth.age:1:4: A: a tag (`!…`)
    help: quote a value that begins with `!`
a nested mapping
    vault/auth.age:1:4: A: a list or a mapping where a string belongs
    help: keep one string per name; a document goes into a block: NAME: |
200 KB of brackets
    vault/auth.age:1:4: A: a list or a mapping where a string belongs
    help: keep one string per name; a document goes into a block: NAME: |
a list
    vault/auth.age:1:1: not a mapping of names to values
    help: write each secret as a line NAME: "value"
a bare text
    vault/auth.age:1:1: not a mapping of names to values
    help: write each secret as a line NAME: "value"
yes
    vault/auth.age:1:4: A: a value that YAML readers take for a number, a date, true, false or null
    help: quote it: NAME: "value"
a number
    vault/auth.age:1:4: A: a value that YAML readers take for a number, a date, true, false or null
    help: quote it: NAME: "value"
nothing
    vault/auth.age:1:2: A: no value, which YAML takes for null
    help: write the value in quotes; an empty one is ""
a tilde
    vault/auth.age:1:4: A: a value that YAML readers take for a number, a date, true, false or null
    help: quote it: NAME: "value"
an exponent
    vault/auth.age:1:4: A: a value that YAML readers take for a number, a date, true, false or null
    help: quote it: NAME: "value"
no name
    vault/auth.age:1:1: a key that is no name of a variable
    help: use letters, digits and `_`, and no digit first
two documents
    vault/auth.age:2:1: a second document
    help: remove the line `---` and put everything into one mapping
an open quote
    vault/auth.age:1:4: A: a quote that is never closed
    help: close it
a merge key
    vault/auth.age:1:1: a merge key (`<<`)
    help: write the entries out
a conflict in the plaintext
    vault/auth.age:1:1: not a mapping of names to values
    help: write each secret as a line NAME: "value"
"#;

#[test]
fn what_is_put_in_comes_out_and_only_from_the_bundles_that_were_asked_for() {
    let (folder, vault) = folder();
    let identities = identities(&[KEY]);
    let name = |name: &str| Name::new(name).unwrap();
    let changed = vault
        .change(&identities, |contents| {
            let auth = contents.bundle("auth")?;
            auth.insert(name("B"), Secret::new(b"two\n\xe2\x82\xac $x \"'".to_vec()));
            auth.insert(name("A"), Secret::new(Vec::new()));
            let gateway = contents.bundle("gateway")?;
            gateway.insert(name("C"), Secret::new(b"three".to_vec()));
            Ok(7)
        })
        .unwrap();
    assert_eq!(changed.value, 7);
    assert!(changed.written.keys().eq(["auth", "gateway"]));
    for (bundle, sha256) in &changed.written {
        assert_eq!(*sha256, vault.sha256(bundle).unwrap());
    }
    assert_eq!(vault.bundles().unwrap(), ["auth", "gateway"]);

    let all = vault.open(None, &identities).unwrap();
    assert_eq!(
        all.secrets[&name("B")].expose(),
        b"two\n\xe2\x82\xac $x \"'"
    );
    assert_eq!(all.bundle_of[&name("C")], "gateway");
    assert_eq!(all.opened_by["auth"], format!("{PUBLIC} (identity.txt)"));

    // A bundle that nobody wants may be broken.
    put(&folder, "vault/gateway.age", b"broken");
    let wanted = BTreeSet::from(["auth".to_owned()]);
    let some = vault.open(Some(&wanted), &identities).unwrap();
    assert_eq!(some.secrets.len(), 2);
    assert_eq!(some.opened_by.len(), 1);
}

#[test]
fn a_vault_that_is_one_file_is_one_bundle_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    put(&folder, "development.age-recipients", PUBLIC.as_bytes());
    let vault = Vault::at(&folder.path().join("development.age"));
    assert!(vault.bundles().unwrap().is_empty());
    let identities = identities(&[KEY]);
    vault
        .change(&identities, |contents| {
            contents.bundle("development").map(|secrets| {
                secrets.insert(Name::new("A").unwrap(), Secret::new(b"1".to_vec()));
            })
        })
        .unwrap();
    assert_eq!(vault.bundles().unwrap(), ["development"]);
    assert_eq!(vault.open(None, &identities).unwrap().secrets.len(), 1);
    let wanted = BTreeSet::from(["auth".to_owned()]);
    assert_eq!(
        said(&folder, vault.open(Some(&wanted), &identities).map(drop)),
        "development.age: there is no bundle auth: this vault is one file, whose name is development\nhelp: use one of: development"
    );
}

#[test]
fn an_unchanged_bundle_stays_the_same_to_the_byte() {
    let (folder, vault) = folder();
    let identities = identities(&[KEY]);
    // Written by hand: comments, other quotes. What says the same is not written again.
    put(
        &folder,
        "vault/auth.age",
        &seal(b"# mine\nB: plain\nA: 'one'\n", PUBLIC),
    );
    put(&folder, "vault/gateway.age", &seal(b"C: \"c\"\n", PUBLIC));
    let before = fs::read(vault.file("auth")).unwrap();
    let gateway = fs::read(vault.file("gateway")).unwrap();
    let changed = vault
        .change(&identities, |contents| {
            let auth = contents.bundle("auth")?;
            auth.insert(Name::new("A").unwrap(), Secret::new(b"one".to_vec()));
            contents
                .bundle("gateway")?
                .insert(Name::new("D").unwrap(), Secret::new(b"d".to_vec()));
            Ok(())
        })
        .unwrap();
    assert!(changed.written.keys().eq(["gateway"]));
    assert_eq!(fs::read(vault.file("auth")).unwrap(), before);
    assert_ne!(fs::read(vault.file("gateway")).unwrap(), gateway);
}

#[test]
fn a_bundle_is_created_without_any_identity_and_keeps_the_mode_it_gets() {
    let (_folder, vault) = folder();
    let nobody = Identities::none(Arc::new(Nobody));
    let create = |contents: &mut Contents<'_>| contents.bundle("auth").map(drop);
    assert!(
        vault
            .change(&nobody, create)
            .unwrap()
            .written
            .contains_key("auth")
    );
    assert_eq!(mode(&vault.file("auth")), 0o644);
    assert!(
        vault
            .open(None, &identities(&[KEY]))
            .unwrap()
            .secrets
            .is_empty()
    );

    fs::set_permissions(vault.file("auth"), fs::Permissions::from_mode(0o640)).unwrap();
    vault
        .change(&identities(&[KEY]), |contents| {
            contents.bundle("auth").map(|secrets| {
                secrets.insert(Name::new("A").unwrap(), Secret::new(b"1".to_vec()));
            })
        })
        .unwrap();
    assert_eq!(mode(&vault.file("auth")), 0o640);
}

#[test]
fn a_bundle_that_git_replaced_meanwhile_is_not_overwritten() {
    let (folder, vault) = folder();
    put(&folder, "vault/auth.age", &seal(b"A: \"a\"\n", PUBLIC));
    let theirs = seal(b"A: \"theirs\"\n", PUBLIC);
    let result = vault.change(&identities(&[KEY]), |contents| {
        contents
            .bundle("auth")?
            .insert(Name::new("A").unwrap(), Secret::new(b"ours".to_vec()));
        put(&folder, "vault/auth.age", &theirs);
        Ok(())
    });
    assert_eq!(
        said(&folder, result.map(drop)),
        "vault/auth.age: was changed by another program while dotage worked on it; nothing was written\nhelp: wait for the git command or the sync to end, then do it again"
    );
    assert_eq!(fs::read(vault.file("auth")).unwrap(), theirs);
}

#[test]
fn when_the_edit_fails_nothing_is_written() {
    let (folder, vault) = folder();
    put(&folder, "vault/auth.age", &seal(b"A: \"a\"\n", PUBLIC));
    let before = fs::read(vault.file("auth")).unwrap();
    let result: Result<Changed<()>, Problem> = vault.change(&identities(&[KEY]), |contents| {
        contents.bundle("auth")?.clear();
        Err(Problem::new("x", "no"))
    });
    assert_eq!(said(&folder, result.map(drop)), "no");
    assert_eq!(fs::read(vault.file("auth")).unwrap(), before);
}

#[test]
fn one_name_in_two_bundles_is_an_error_that_names_both() {
    let (folder, vault) = folder();
    put(&folder, "vault/auth.age", &seal(b"A: \"a\"\n", PUBLIC));
    put(
        &folder,
        "vault/gateway.age",
        &seal(b"B: \"b\"\nA: \"c\"\n", PUBLIC),
    );
    let identities = identities(&[KEY]);
    assert_eq!(
        said(&folder, vault.open(None, &identities).map(drop)),
        "vault/gateway.age:2: A is in vault/auth.age as well\nhelp: keep it in one of the two: dotage edit"
    );
    let result = vault.change(&identities, |contents| {
        let auth = contents.bundle("auth")?;
        auth.clear();
        auth.insert(Name::new("B").unwrap(), Secret::new(b"1".to_vec()));
        contents.bundle("gateway").map(drop)
    });
    assert_eq!(
        said(&folder, result.map(drop)),
        "vault/gateway.age: B is in vault/auth.age as well\nhelp: keep it in one of the two: dotage edit"
    );
}

#[test]
fn what_is_no_vault_is_told_apart() {
    let (folder, _) = folder();
    let identities = identities(&[KEY]);
    let open = |path: &str, wanted: Option<&str>| {
        let wanted = wanted.map(|bundle| BTreeSet::from([bundle.to_owned()]));
        let vault = Vault::at(&folder.path().join(path));
        said(&folder, vault.open(wanted.as_ref(), &identities).map(drop))
    };
    assert_eq!(
        open("vault", None),
        "vault: there is no bundle (NAME.age) in this folder\nhelp: put the first secret in: dotage set NAME"
    );
    assert_eq!(
        open("elsewhere", None),
        "elsewhere: there is no vault here\nhelp: see which vaults dotage.yaml names, or make one: dotage init"
    );
    assert_eq!(
        open("elsewhere.age", None),
        open("elsewhere", None).replacen("elsewhere", "elsewhere.age", 1)
    );
    let elsewhere = Vault::at(&folder.path().join("elsewhere"));
    assert_eq!(
        said(&folder, elsewhere.change(&identities, |_| Ok(())).map(drop)),
        open("elsewhere", None)
    );
    put(&folder, "vault/auth.age", &seal(b"", PUBLIC));
    assert_eq!(
        open("vault", Some("gatway")),
        "vault: there is no bundle gatway\nhelp: use one of: auth"
    );
    assert_eq!(
        open("vault", Some("../vault/auth")),
        "vault: there can be no bundle of the name ../vault/auth\nhelp: use one of: auth"
    );
    fs::create_dir(folder.path().join("vault/gateway.age")).unwrap();
    assert_eq!(open("vault", None), "vault/gateway.age: is a folder");
    fs::remove_dir(folder.path().join("vault/gateway.age")).unwrap();
    put(&folder, "vault/auth (conflicted copy).age", b"");
    assert_eq!(
        open("vault", None),
        "vault/auth (conflicted copy).age: is no name of a bundle: letters, digits, `.`, `_` and `-` make one\nhelp: rename the file, or move it out of the vault"
    );
}

#[test]
fn a_bundle_without_a_recipients_file_is_not_written() {
    let (folder, vault) = folder();
    file::remove(&folder.path().join("vault/.age-recipients")).unwrap();
    let result = vault.change(&Identities::none(Arc::new(Nobody)), |contents| {
        contents.bundle("auth").map(drop)
    });
    assert_eq!(
        said(&folder, result.map(drop)),
        "vault/.age-recipients: there is no recipients file, so nobody to encrypt to\nhelp: write one public key a line into it (age1… or ssh-ed25519 …); yours: dotage keygen"
    );
}

#[test]
fn a_huge_bundle_is_refused_before_it_fills_the_memory() {
    let (folder, vault) = folder();
    let identities = identities(&[KEY]);
    let sparse = fs::File::options()
        .write(true)
        .create_new(true)
        .open(vault.file("auth"))
        .unwrap();
    sparse.set_len(100 << 20).unwrap();
    let huge = said(&folder, vault.open(None, &identities).map(drop));
    assert_eq!(
        huge,
        "vault/auth.age: holds more than 16 MiB\nhelp: a vault is for secrets: keep a large file elsewhere, and the key to it in the vault"
    );
    // One byte more than fits, in a file that is small enough to be read; and one that just fits.
    put(
        &folder,
        "vault/auth.age",
        &seal(&vec![b'#'; envelope::PLAINTEXT + 1], PUBLIC),
    );
    assert_eq!(said(&folder, vault.open(None, &identities).map(drop)), huge);
    put(
        &folder,
        "vault/auth.age",
        &seal(&vec![b'#'; envelope::PLAINTEXT], PUBLIC),
    );
    assert!(vault.open(None, &identities).unwrap().secrets.is_empty());
}

#[test]
fn a_value_that_is_no_text_is_named() {
    let (folder, vault) = folder();
    let result = vault.change(&identities(&[KEY]), |contents| {
        contents.bundle("auth").map(|secrets| {
            secrets.insert(Name::new("DER").unwrap(), Secret::new(b"\xff".to_vec()));
        })
    });
    assert_eq!(
        said(&folder, result.map(drop)),
        "vault/auth.age: the value of DER is not UTF-8 text, which is all that a vault holds\nhelp: keep it as base64, and say so in dotage.yaml"
    );
}

#[test]
fn identity_material_that_can_not_be_used_says_why_and_quotes_nothing() {
    let mut locked_to_key = seal(b"AGE-SECRET-KEY-1...", PUBLIC);
    locked_to_key.extend_from_slice(b"\n");
    let rsa = format!(
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n",
        base64::Engine::encode(
            &base64::prelude::BASE64_STANDARD,
            b"openssh-key-v1\0....\0\0\0\x07ssh-rsa...."
        )
    );
    let half: String = SSH_KEY.split_inclusive('\n').take(3).collect();
    let table: [(&[u8], &str); 14] = [
        (
            b"",
            "k: no identity is in it\nhelp: make one: dotage keygen",
        ),
        (
            b"# created: today\n\n",
            "k: no identity is in it\nhelp: make one: dotage keygen",
        ),
        (
            b"\xff\xfe",
            "k: this is no identity: it isn't even text\nhelp: name an age identity file (dotage keygen makes one) or an ssh-ed25519 private key",
        ),
        (
            b"# me\ncanary-5f2c\n",
            "k:2: this is no age identity\nhelp: an identity file has one AGE-SECRET-KEY-1… a line, and comments behind a `#`",
        ),
        (
            b"AGE-SECRET-KEY-1QP5Y0CRWA9P84N56MV0NWADTDPNZ60TRE38W0TN2VU5U73ZMMKCQ3QSPAX",
            "k:1: this begins like an age identity, but its checksum is wrong\nhelp: copy it again, whole",
        ),
        (
            b"AGE-SECRET-KEY-PQ-1ZEFUDVVSG383U8MLX9Q00GU3R4VXAP3S4LHAW5AZKHC2D9L7E43QECK23H",
            "k:1: a post-quantum identity, which is used through age-plugin-pq\nhelp: convert it: age-plugin-pq -identity",
        ),
        (
            b"AGE-PLUGIN-NOSUCHTHING-1QQQ",
            "k:1: this begins like an age identity, but its checksum is wrong\nhelp: copy it again, whole",
        ),
        (
            PUBLIC.as_bytes(),
            "k:1: a public key, which opens nothing\nhelp: give the secret key that belongs to it: AGE-SECRET-KEY-1…",
        ),
        (
            SSH.as_bytes(),
            "k:1: a public key, which opens nothing\nhelp: give the secret key that belongs to it: AGE-SECRET-KEY-1…",
        ),
        (
            &locked_to_key,
            "k: this is an age file, but not one that a passphrase opens: an identity file is a text, or encrypted with a passphrase\nhelp: name an identity file",
        ),
        (
            b"age-encryption.org/v1\n-> X",
            "k: this encrypted identity file is damaged\nhelp: restore it from a backup",
        ),
        (
            rsa.as_bytes(),
            "k: ssh-rsa keys are refused: decrypting with one leaks it through timing (RUSTSEC-2023-0071), with no fixed release\nhelp: use an ssh-ed25519 key, or an age key: dotage keygen",
        ),
        (
            half.as_bytes(),
            "k: this SSH private key is damaged\nhelp: restore it, or use another identity",
        ),
        (
            b"-----BEGIN EC PRIVATE KEY-----\ncanary-5f2c\n",
            "k: age can't use this type of SSH key\nhelp: use an ssh-ed25519 key, or an age key: dotage keygen",
        ),
    ];
    for (material, expected) in table {
        let mut identities = identities(&[]);
        let said = identities.add(material, "k").unwrap_err().to_string();
        assert_eq!(said, expected);
        assert!(identities.is_empty());
    }
}

#[test]
fn every_kind_of_identity_opens_what_it_should_and_says_who_it_is() {
    let (folder, vault) = folder();
    let file =
        format!("# created: yesterday\r\n# public key: {OTHER}\r\n{OTHER_KEY}\r\n\n  {KEY}  ");
    for (material, readers, who) in [
        (KEY, PUBLIC, PUBLIC),
        (&*file, PUBLIC, PUBLIC),
        (&*file, OTHER, OTHER),
        (SSH_KEY, SSH, SSH),
    ] {
        put(&folder, "vault/auth.age", &seal(b"A: \"a\"\n", readers));
        let opened = vault.open(None, &identities(&[material])).unwrap();
        let who = who.trim_end_matches(" alice@laptop");
        assert_eq!(opened.opened_by["auth"], format!("{who} (identity.txt)"));
        // Not armored, it is read the same.
        let binary = binary(&fs::read(vault.file("auth")).unwrap());
        put(&folder, "vault/auth.age", &binary);
        assert_eq!(
            vault
                .open(None, &identities(&[material]))
                .unwrap()
                .secrets
                .len(),
            1
        );
    }
    assert_eq!(
        identities(&[SSH_KEY, &file])
            .public_keys()
            .collect::<Vec<_>>(),
        [SSH.trim_end_matches(" alice@laptop"), OTHER, PUBLIC]
    );
}

#[test]
fn a_locked_ssh_key_is_asked_for_once_and_only_when_it_is_a_reader() {
    let (folder, vault) = folder();
    let readers = format!("{LOCKED}\n{SSH}\n");
    put(&folder, "vault/auth.age", &seal(b"A: \"a\"\n", &readers));
    put(&folder, "vault/gateway.age", &seal(b"B: \"b\"\n", &readers));
    let person = knows("passphrase");
    let asked = || person.1.load(std::sync::atomic::Ordering::Relaxed);
    let mut locked = Identities::none(person.clone());
    locked.add(LOCKED_KEY.as_bytes(), "id_ed25519").unwrap();
    let opened = vault.open(None, &locked).unwrap();
    assert_eq!(
        opened.opened_by["gateway"],
        format!("{LOCKED} (id_ed25519)")
    );
    assert_eq!(asked(), 1);

    // A key that needs nobody comes first.
    let mut both = Identities::none(person.clone());
    both.add(LOCKED_KEY.as_bytes(), "id_ed25519").unwrap();
    both.add(SSH_KEY.as_bytes(), "other").unwrap();
    vault.open(None, &both).unwrap();
    // Nobody is asked for a key that can't open it.
    put(&folder, "vault/auth.age", &seal(b"A: \"a\"\n", OTHER));
    let wanted = BTreeSet::from(["auth".to_owned()]);
    let mut fresh = Identities::none(person.clone());
    fresh.add(LOCKED_KEY.as_bytes(), "id_ed25519").unwrap();
    let problem = vault.open(Some(&wanted), &fresh).map(drop).unwrap_err();
    assert_eq!(problem.rule, Problem::NO_IDENTITY);
    assert_eq!(asked(), 1);
}

/// An identity file with [`KEY`] under a passphrase, with as little work as age allows.
fn locked_file(passphrase: &str) -> Vec<u8> {
    let mut recipient = age::scrypt::Recipient::new(passphrase.to_owned().into());
    recipient.set_work_factor(2);
    age::encrypt_and_armor(&recipient, format!("# me\n{KEY}\n").as_bytes())
        .unwrap()
        .into_bytes()
}

#[test]
fn a_locked_identity_file_is_asked_for_once_and_last() {
    let (folder, vault) = folder();
    put(&folder, "vault/auth.age", &seal(b"A: \"a\"\n", PUBLIC));
    put(&folder, "vault/gateway.age", &seal(b"B: \"b\"\n", PUBLIC));
    let person = knows("correct horse");
    let asked = || person.1.load(std::sync::atomic::Ordering::Relaxed);
    let mut locked = Identities::none(person.clone());
    locked
        .add(&locked_file("correct horse"), "identity.age")
        .unwrap();
    assert_eq!(
        vault.open(None, &locked).unwrap().opened_by["auth"],
        format!("{PUBLIC} (identity.age)")
    );
    assert_eq!(asked(), 1);
    let mut both = Identities::none(person.clone());
    both.add(&locked_file("correct horse"), "identity.age")
        .unwrap();
    both.add(KEY.as_bytes(), "identity.txt").unwrap();
    vault.open(None, &both).unwrap();
    assert_eq!(asked(), 1);
}

#[test]
fn what_kept_an_identity_from_opening_is_told() {
    let (folder, vault) = folder();
    put(&folder, "vault/auth.age", &seal(b"A: \"a\"\n", LOCKED));
    let tried = |person: Arc<dyn Person>, material: &[u8]| {
        let mut identities = Identities::none(person);
        identities.add(material, "me").unwrap();
        let problem = vault.open(None, &identities).map(drop).unwrap_err();
        assert_eq!(problem.rule, Problem::NO_IDENTITY);
        said(&folder, Err(problem))
    };
    let help = "name the identity that belongs to one of its readers in DOTAGE_IDENTITY_FILE";
    let add = "ask one of its readers to type: dotage recipients add";
    assert_eq!(
        tried(Arc::new(Nobody), LOCKED_KEY.as_bytes()),
        format!(
            "vault/auth.age: none of these identities opens it (its readers: 1 ssh-ed25519): {LOCKED} (me): it needs a passphrase, and nobody gave one\nhelp: {add} '{LOCKED}'"
        )
    );
    assert_eq!(
        tried(knows("wrong"), LOCKED_KEY.as_bytes()),
        format!(
            "vault/auth.age: none of these identities opens it (its readers: 1 ssh-ed25519): {LOCKED} (me): the passphrase is wrong\nhelp: {add} '{LOCKED}'"
        )
    );
    assert_eq!(
        tried(knows(""), &locked_file("x")),
        format!(
            "vault/auth.age: none of these identities opens it (its readers: 1 ssh-ed25519): me: the passphrase is wrong\nhelp: {help}"
        )
    );
    assert_eq!(
        tried(knows("x"), &locked_file("x")),
        format!(
            "vault/auth.age: none of these identities opens it (its readers: 1 ssh-ed25519): {PUBLIC} (me)\nhelp: {help}"
        )
    );
    let none = Identities::none(Arc::new(Nobody));
    assert_eq!(
        said(&folder, vault.open(None, &none).map(drop)),
        "vault/auth.age: there is no identity to open it with (its readers: 1 ssh-ed25519)\nhelp: set DOTAGE_IDENTITY_FILE to your identity, or make one: dotage keygen"
    );
}

#[test]
fn a_new_identity_is_written_as_age_keygen_writes_it() {
    let at = |seconds| std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    for (seconds, expected) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_399, "2000-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (1_709_164_800, "2024-02-29T00:00:00Z"),
        (1_735_689_599, "2024-12-31T23:59:59Z"),
        (1_795_453_461, "2026-11-23T17:04:21Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
    ] {
        let (text, public) = keygen(at(seconds));
        let text = std::str::from_utf8(text.expose()).unwrap();
        let lines: Vec<&str> = text.split('\n').collect();
        assert_eq!(lines[0], format!("# created: {expected}"));
        assert_eq!(lines[1], format!("# public key: {public}"));
        assert_eq!((lines[2].len(), &lines[2][..16]), (74, "AGE-SECRET-KEY-1"));
        assert_eq!(&lines[3..], [""]);
        assert_eq!(
            identities(&[text]).public_keys().collect::<Vec<_>>(),
            [public]
        );
    }
}

#[test]
fn a_change_of_readers_re_encrypts_only_the_bundles_that_it_governs() {
    let (folder, vault) = folder();
    let identities = identities(&[KEY]);
    put(
        &folder,
        "vault/auth.age",
        &seal(b"# mine\nA: \"a\"\n", PUBLIC),
    );
    put(&folder, "vault/gateway.age", &seal(b"B: \"b\"\n", PUBLIC));
    put(
        &folder,
        "vault/gateway.age-recipients",
        format!("{PUBLIC}\n").as_bytes(),
    );
    let gateway = fs::read(vault.file("gateway")).unwrap();
    let add = |old: &Recipients| old.with(SSH, None);
    let reencrypted = vault.reencrypt(None, &identities, add, |_| Ok(())).unwrap();
    assert!(reencrypted.written.keys().eq(["auth"]));
    assert_eq!(reencrypted.written["auth"], vault.sha256("auth").unwrap());
    assert!(reencrypted.names.iter().map(Name::as_str).eq(["A"]));
    assert_eq!(fs::read(vault.file("gateway")).unwrap(), gateway);
    assert_eq!(
        vault.header("auth").unwrap().to_string(),
        "1 X25519, 1 ssh-ed25519"
    );
    assert_eq!(
        fs::read_to_string(folder.path().join("vault/.age-recipients")).unwrap(),
        format!(
            "{PUBLIC}\n# alice@laptop\n{}\n",
            SSH.trim_end_matches(" alice@laptop")
        )
    );
    // The new reader reads, and what stood there still stands there to the letter.
    let auth = fs::read(vault.file("auth")).unwrap();
    let theirs = self::identities(&[SSH_KEY]);
    let (text, _) = bundle::open(&vault.file("auth"), &auth, &theirs).unwrap();
    assert_eq!(&**text, b"# mine\nA: \"a\"\n");

    // A comment changes no reader.
    let comment =
        |old: &Recipients| Recipients::parse(&format!("# us\n{}", old.text()), old.path());
    assert!(
        vault
            .reencrypt(None, &identities, comment, |_| Ok(()))
            .unwrap()
            .written
            .is_empty()
    );
    assert_eq!(fs::read(vault.file("auth")).unwrap(), auth);

    // One bundle gets readers of its own.
    file::remove(&folder.path().join("vault/gateway.age-recipients")).unwrap();
    let bert = |old: &Recipients| old.with(OTHER, Some("bert"));
    let done = vault.reencrypt(Some("gateway"), &identities, bert, |_| Ok(()));
    assert!(done.unwrap().written.keys().eq(["gateway"]));
    assert_eq!(fs::read(vault.file("auth")).unwrap(), auth);
    assert_eq!(vault.recipients("gateway").unwrap().readers().len(), 3);
    assert_eq!(vault.recipients("auth").unwrap().readers().len(), 2);

    // A recipients file that was edited by hand is caught up with.
    put(
        &folder,
        "vault/.age-recipients",
        format!("{PUBLIC}\n{OTHER}\n").as_bytes(),
    );
    assert!(
        !vault
            .header("auth")
            .unwrap()
            .fits(&vault.recipients("auth").unwrap())
    );
    let same = |old: &Recipients| Recipients::parse(old.text(), old.path());
    let refused = |_: &Reencrypted| Err(Problem::new("refused", "refused"));
    let recipients = fs::read(vault.recipients_file("auth")).unwrap();
    let add = |old: &Recipients| old.with(SSH, None);
    let problem = vault.reencrypt(None, &identities, add, refused);
    assert_eq!(problem.err().unwrap().rule, "refused");
    assert_eq!(fs::read(vault.recipients_file("auth")).unwrap(), recipients);
    let done = vault.reencrypt(None, &identities, same, |_| Ok(()));
    assert!(done.unwrap().written.keys().eq(["auth"]));
    assert!(
        vault
            .header("auth")
            .unwrap()
            .fits(&vault.recipients("auth").unwrap())
    );
}

#[test]
fn when_a_bundle_can_not_be_opened_no_reader_changes() {
    let (folder, vault) = folder();
    put(&folder, "vault/auth.age", &seal(b"A: \"a\"\n", PUBLIC));
    put(&folder, "vault/gateway.age", &seal(b"B: \"b\"\n", OTHER));
    let before = fs::read(vault.file("auth")).unwrap();
    let problem = vault
        .reencrypt(
            None,
            &identities(&[KEY]),
            |old| old.with(SSH, None),
            |_| Ok(()),
        )
        .err()
        .unwrap();
    assert_eq!(problem.rule, Problem::NO_IDENTITY);
    assert_eq!(fs::read(vault.file("auth")).unwrap(), before);
    assert_eq!(vault.recipients("auth").unwrap().readers().len(), 1);
}

#[test]
fn the_file_of_a_rotation_is_beside_its_own_vault_and_no_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    for vault in ["eu.prod", "eu.staging"] {
        fs::create_dir_all(home.join(vault)).unwrap();
    }
    let vaults = ["eu.prod", "eu.staging", "eu.age"].map(|vault| Vault::at(&home.join(vault)));
    let names = [
        "eu.prod.a1.rotation.age",
        "eu.staging.a1.rotation.age",
        "eu.a1.rotation.age",
    ];
    for (vault, name) in vaults.iter().zip(names) {
        let file = vault.rotation("a1");
        assert_eq!(file, home.join(name));
        assert!(vault.rotations().unwrap().is_empty(), "{name}");
        fs::write(&file, "").unwrap();
        assert_eq!(vault.rotations().unwrap().len(), 1, "{name}");
        assert!(vault.bundles().unwrap().is_empty(), "{name}");
    }
    let problem = vaults[0].bundle_for("x.rotation").unwrap_err();
    assert_eq!(problem.rule, "bundle-name");
}
