//! The preset's project with a world to act on: services that take the rendered .env, a store that is encrypted, a
//! database with a password; every command of dotage.yaml is a local script.

use dotage::journal::{Entry, Journal};
use dotage::secret::Secrets;
use dotage::vault::{Identities, Nobody, Vault};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

const DOTAGE: &str = env!("CARGO_BIN_EXE_dotage");

/// The commands of the preset, and the stand-ins.
const COMMANDS: [(&str, &str); 9] = [
    (
        "docker compose up -d --force-recreate freeboard-",
        "./ops/deploy.sh ",
    ),
    (
        "docker compose exec -T freeboard-postgres pg_isready --quiet",
        "./ops/healthy.sh postgres",
    ),
    (
        "curl -fsS http://127.0.0.1:4001/health",
        "./ops/healthy.sh api",
    ),
    (
        "curl -fsS http://127.0.0.1:4002/health",
        "./ops/healthy.sh gateway",
    ),
    ("npm run credentials:reencrypt", "./ops/reencrypt.sh"),
    (
        "npm run db:schema:status",
        "./ops/database.sh schema-status",
    ),
    ("./ops/verify.sh", "./ops/verify.sh"),
    ("./ops/contain.sh", "./ops/contain.sh"),
    ("within: 2m", "within: 1s"),
];

/// What every script begins with. `point` is where the test may kill dotage while its command runs. A command waits while
/// `world/slow-WHAT` is there, and fails while `world/broken-WHAT` is.
const WORLD: &str = r#"
set -eu
umask 077
what="$(basename "$0" .sh)${1:+-$1}"
point() {
    [ -e world/points ] || return 0
    count=$(($(cat world/count) + 1))
    echo "$count" >world/count
    [ "$count" = "$(cat world/points)" ] || return 0
    parent=$PPID
    [ "$(cat /proc/$parent/comm)" = dotage ] || parent=$(cut -d ' ' -f 4 /proc/$parent/stat)
    kill -9 "$parent"
    exit 1
}
value() { sed -n "s/^$2=//p" "world/$1.env" | tr -d '"'"'"; }
sum() { printf %s "$1" | sha256sum | cut -c1-64; }
opens() { [ "$(openssl enc -d -aes-256-cbc -pbkdf2 -iter 10 -pass "env:$1" -in world/store 2>/dev/null | tr -d '\0')" = 'the stored credentials' ]; }
seal() { printf 'the stored credentials' | openssl enc -aes-256-cbc -pbkdf2 -iter 10 -pass "env:$1" -out world/store.new; }
while [ -e "world/slow-$what" ]; do
    : >world/slow
    sleep 0.1
done
[ ! -e "world/broken-$what" ] || { echo "$what is broken"; exit 1; }
point
"#;

const SCRIPTS: [(&str, &str); 6] = [
    (
        "deploy",
        r#"
case $1 in
api) names='[A-Z_]+' ;;
gateway) names='JWT_GATEWAY_SECRET|GATEWAY_SERVICE_TOKEN' ;;
postgres) names='POSTGRES_[A-Z]+' ;;
esac
grep -E "^($names)=" .env >"world/$1.new"
mv "world/$1.new" "world/$1.env"
echo "deploy $1" >>world/did
"#,
    ),
    ("healthy", r#"test -s "world/$1.env""#),
    (
        "reencrypt",
        r#"
: "${CREDENTIAL_ENCRYPTION_KEY_OLD:?}" "${CREDENTIAL_ENCRYPTION_KEY_NEW:?}"
echo reencrypt >>world/did
if ! opens CREDENTIAL_ENCRYPTION_KEY_NEW; then
    opens CREDENTIAL_ENCRYPTION_KEY_OLD || exit 4
    seal CREDENTIAL_ENCRYPTION_KEY_NEW
    point
    mv world/store.new world/store
fi
"#,
    ),
    (
        "database",
        r#"
is=$(cat world/password)
case $1 in
backup) mkdir -p world/backup && cp world/store world/password world/backup/ ;;
set-password)
    if [ "$is" != "$(sum "${POSTGRES_PASSWORD_NEW:?}")" ]; then
        [ "$is" = "$(sum "${POSTGRES_PASSWORD_OLD:?}")" ] || exit 4
        sum "$POSTGRES_PASSWORD_NEW" >world/password.new
        mv world/password.new world/password
    fi ;;
old-password) [ "$is" = "$(sum "${POSTGRES_PASSWORD_OLD:?}")" ] ;;
schema-status)
    [ "$is" = "$(sum "$(value api POSTGRES_PASSWORD)")" ]
    case $(value api FREEBOARD_POSTGRES_URL) in *":$(value api POSTGRES_PASSWORD)@"*) ;; *) exit 1 ;; esac ;;
esac
echo "database $1" >>world/did
"#,
    ),
    (
        "verify",
        r#"
session() { [ -n "$(value api JWT_SECRET)" ]; }
database() { [ "$(cat world/password)" = "$(sum "$(value api POSTGRES_PASSWORD)")" ]; }
store() { CREDENTIAL_ENCRYPTION_KEY=$(value api CREDENTIAL_ENCRYPTION_KEY); export CREDENTIAL_ENCRYPTION_KEY; opens CREDENTIAL_ENCRYPTION_KEY; }
shared() { [ "$(value api "$1")" = "$(value gateway "$1")" ]; }
case $1 in
login | admin) session && database ;;
registration | password-reset) session ;;
datasource) shared GATEWAY_SERVICE_TOKEN && shared JWT_GATEWAY_SECRET && store ;;
realtime) shared JWT_GATEWAY_SECRET ;;
old-token) [ "$(value api JWT_SECRET)" = "${JWT_SECRET_OLD:?}" ] ;;
all) session && database && store && shared JWT_GATEWAY_SECRET && shared GATEWAY_SERVICE_TOKEN && [ "$(value postgres POSTGRES_PASSWORD)" = "$(value api POSTGRES_PASSWORD)" ] ;;
esac
echo "verify $1" >>world/did
"#,
    ),
    ("contain", r#"echo "contain $1" >>world/did"#),
];

/// What begins a world in which everything is deployed.
const BEGIN: &str = r#"
set -eu
umask 077
mkdir world
CREDENTIAL_ENCRYPTION_KEY=$(sed -n 's/^CREDENTIAL_ENCRYPTION_KEY=//p' .env | tr -d '"'"'")
export CREDENTIAL_ENCRYPTION_KEY
printf 'the stored credentials' | openssl enc -aes-256-cbc -pbkdf2 -iter 10 -pass env:CREDENTIAL_ENCRYPTION_KEY -out world/store
sed -n 's/^POSTGRES_PASSWORD=//p' .env | tr -d '\n"'"'" | sha256sum | cut -c1-64 >world/password
for service in postgres api gateway; do ./ops/deploy.sh $service; done
./ops/verify.sh all
rm world/did
"#;

/// A home with an identity, and the project in it.
pub(super) struct Stack {
    pub(super) folder: tempfile::TempDir,
}

impl Stack {
    pub(super) fn new() -> Stack {
        let stack = Stack {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(stack.path("")).unwrap();
        stack.well(&["init", "--preset", "freeboard", "."]);
        let mut inventory = stack.text("dotage.yaml");
        for (theirs, ours) in COMMANDS {
            assert!(inventory.contains(theirs), "{theirs}");
            inventory = inventory.replace(theirs, ours);
        }
        assert!(!inventory.contains("docker") && !inventory.contains("npm run"));
        stack.put("dotage.yaml", &inventory, 0o644);
        for (name, script) in SCRIPTS {
            let script = format!("#!/bin/sh\n{WORLD}\n{script}\npoint\n");
            stack.put(&format!("ops/{name}.sh"), &script, 0o755);
        }
        stack.well(&["generate", "--missing", "--profile", "production"]);
        stack.well(&["render", "compose"]);
        let begun = Command::new("sh")
            .args(["-c", BEGIN])
            .current_dir(stack.path(""))
            .output()
            .unwrap();
        assert!(begun.status.success(), "{begun:?}");
        stack
    }

    /// A path in the project.
    pub(super) fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join("project").join(inside)
    }

    pub(super) fn text(&self, inside: &str) -> String {
        fs::read_to_string(self.path(inside)).unwrap_or_else(|error| panic!("{inside}: {error}"))
    }

    pub(super) fn put(&self, inside: &str, text: &str, mode: u32) {
        fs::write(self.path(inside), text).unwrap();
        fs::set_permissions(self.path(inside), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(super) fn remove(&self, inside: &str) {
        fs::remove_file(self.path(inside)).unwrap();
    }

    /// The command, not started yet; under strace when there are options for it.
    pub(super) fn command(&self, args: &[&str], strace: &[&str]) -> Command {
        let mut command = if strace.is_empty() {
            Command::new(DOTAGE)
        } else {
            let mut command = Command::new("strace");
            command.arg("-qq").args(strace).arg(DOTAGE);
            command
        };
        command
            .args(args)
            .current_dir(self.path(""))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path())
            .env("DOTAGE_ACTOR", "ann")
            .env("DOTAGE_PROFILE", "production")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(super) fn run(&self, args: &[&str]) -> Output {
        self.command(args, &[])
            .output()
            .expect("strace: run tests/install")
    }

    /// What a command that does well says.
    pub(super) fn well(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        said(&output)
    }

    /// What a command says that can't do it.
    pub(super) fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
        said(&output)
    }

    fn identities(&self) -> Identities {
        let mut identities = Identities::none(Arc::new(Nobody));
        let file = self.folder.path().join(".config/dotage/identity.txt");
        identities
            .add(&fs::read(file).unwrap(), "identity.txt")
            .unwrap();
        identities
    }

    fn vault(&self) -> Vault {
        Vault::at(&self.path("vault/production"))
    }

    /// What the vault holds.
    pub(super) fn values(&self) -> BTreeMap<String, Vec<u8>> {
        plain(self.vault().open(None, &self.identities()).unwrap().secrets)
    }

    /// What the rotations in flight hold.
    pub(super) fn in_flight(&self) -> Vec<BTreeMap<String, Vec<u8>>> {
        let vault = self.vault();
        let ids = vault.rotations().unwrap().into_keys();
        ids.map(|id| plain(vault.open_rotation(&id, &self.identities()).unwrap()))
            .collect()
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        Journal::at(&self.path("")).entries().unwrap()
    }

    /// What was done to the world since the last time, in order.
    pub(super) fn did(&self) -> Vec<String> {
        let did = fs::read_to_string(self.path("world/did")).unwrap_or_default();
        let _ = fs::remove_file(self.path("world/did"));
        did.lines().map(str::to_owned).collect()
    }

    /// One consistent set is live: vault, rendered file, services, store and database agree; the journal is whole.
    pub(super) fn is_consistent(&self, at: &str) {
        let check = self.run(&["render", "compose", "--check"]);
        assert!(check.status.success(), "{at}: .env is old: {check:?}");
        let env = self.text(".env");
        for service in ["api", "gateway", "postgres"] {
            for line in self.text(&format!("world/{service}.env")).lines() {
                assert!(
                    env.lines().any(|own| own == line),
                    "{at}: {service} has another {}",
                    line.split('=').next().unwrap()
                );
            }
        }
        let verify = Command::new("./ops/verify.sh")
            .arg("all")
            .current_dir(self.path(""))
            .output()
            .unwrap();
        assert!(
            verify.status.success(),
            "{at}: the world is broken: {verify:?}"
        );
        let log = self.run(&["log", "verify"]);
        assert!(log.status.success(), "{at}: {}", said(&log));
        assert_eq!(self.in_flight().len(), 0, "{at}");
    }

    /// Every file of the project and the home: path, mode, bytes.
    pub(super) fn files(&self) -> Vec<(String, u32, Vec<u8>)> {
        let mut files = Vec::new();
        walk(self.folder.path(), &mut files);
        files
    }
}

fn plain(secrets: Secrets) -> BTreeMap<String, Vec<u8>> {
    let plain = |(name, secret): (dotage::secret::Name, dotage::secret::Secret)| {
        (name.to_string(), secret.expose().to_vec())
    };
    secrets.into_iter().map(plain).collect()
}

pub(super) fn said(output: &Output) -> String {
    let bytes = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(bytes).unwrap()
}

fn walk(folder: &Path, files: &mut Vec<(String, u32, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else {
            let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
            files.push((path.display().to_string(), mode, fs::read(&path).unwrap()));
        }
    }
}

/// Whether the bytes are somewhere in there.
pub(super) fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|piece| piece == needle)
}
