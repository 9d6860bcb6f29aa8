//! The invocations: every verb as it is meant, and as many ways as we know to make one fail with a secret in its hands.

use super::scene::{Canaries, Scene, put};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dotage::dialect::Dialect;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

type Damage = Box<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>;
type Before = Box<dyn Fn(&Scene) + Send + Sync>;

/// How a case is run.
pub(super) enum How {
    Plain,
    /// Under strace with these options.
    Held(&'static [&'static str]),
    /// By a shell that has the program as `$0` and the arguments as `$@`.
    Shell(&'static str),
    /// At a terminal: what is waited for, and what is typed then.
    Terminal(Vec<(&'static str, Vec<u8>)>),
    /// Killed with this after a while.
    Signal(&'static str),
}

pub(super) struct Case {
    pub(super) name: String,
    pub(super) args: Vec<String>,
    pub(super) stdin: Vec<u8>,
    pub(super) env: Vec<(String, String)>,
    pub(super) before: Option<Before>,
    pub(super) how: How,
    /// The exit codes it may have.
    pub(super) codes: Vec<i32>,
    /// Whether stdout is where the value belongs.
    pub(super) product: bool,
    /// The files that hold a secret because the case put it there.
    pub(super) planted: Vec<String>,
    /// The mode of what is rendered.
    pub(super) mode: u32,
    /// Whether a temporary file may be left, until the next run.
    pub(super) torn: bool,
}

pub(super) fn case(name: impl Into<String>, args: &[&str]) -> Case {
    Case {
        name: name.into(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        stdin: Vec::new(),
        env: Vec::new(),
        before: None,
        how: How::Plain,
        codes: vec![0],
        product: false,
        planted: Vec::new(),
        mode: 0o600,
        torn: false,
    }
}

impl Case {
    fn before(mut self, before: impl Fn(&Scene) + Send + Sync + 'static) -> Self {
        self.before = Some(Box::new(before));
        self
    }
    fn stdin(mut self, bytes: &[u8]) -> Self {
        self.stdin = bytes.to_vec();
        self
    }
    fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }
    fn codes(mut self, codes: &[i32]) -> Self {
        self.codes = codes.to_vec();
        self
    }
    fn fails(self) -> Self {
        self.codes(&[2])
    }
    fn product(mut self) -> Self {
        self.product = true;
        self
    }
    fn planted(mut self, file: &str) -> Self {
        self.planted.push(file.to_owned());
        self
    }
    fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }
    fn how(mut self, how: How) -> Self {
        self.how = how;
        self
    }
    fn torn(mut self) -> Self {
        self.torn = true;
        self
    }
}

pub(super) fn all(canaries: &Canaries) -> Vec<Case> {
    let mut cases = Vec::new();
    well(canaries, &mut cases);
    identities(canaries, &mut cases);
    templates(&mut cases);
    dialects(&mut cases);
    vaults(canaries, &mut cases);
    plaintexts(canaries, &mut cases);
    files(&mut cases);
    disks(&mut cases);
    mistakes(canaries, &mut cases);
    linted(canaries, &mut cases);
    github(&mut cases);
    gitlab(canaries, &mut cases);
    ran(canaries, &mut cases);
    scanned(canaries, &mut cases);
    imported(canaries, &mut cases);
    killed(&mut cases);
    cases
}

/// What the commands of a rotation and of an incident do: print every value that they see, in the forms that values
/// travel in, and fail where the case wants it.
const LOUD: &str = r#"#!/bin/sh
for value in "$ASCII_OLD" "$ASCII_NEW" "$URL_OLD" "$URL_NEW" "$(sed -n 's/^ASCII=//p' out/shell.env)"; do
    [ -n "$value" ] || continue
    echo "it is $value, as it is"
    printf %s "$value" | base64 -w0; echo
    printf x%s "$value" | base64 -w0 >&2; echo >&2
    printf xx%s "$value" | base64 -w0 | tr +/ -_; echo
    printf %s "$value" | od -An -v -tx1 | tr -d ' \n'; echo
    printf %s "$value" | od -An -v -tx1 | tr -d ' \n' | tr a-f A-F >&2; echo >&2
    printf '{"value":"%s"}\n' "$value"
    printf %s "$value"; sleep 0.01; echo
done
cat out/shell.env
env
[ ! -e "$GIVEN/broken-$1" ]
"#;

/// Rotations and incidents whose commands print all that they are given: each step done, and failed.
pub(super) fn rotations(canaries: &Canaries) -> Vec<Case> {
    let inventory = super::scene::INVENTORY
        .replace(
            "  api: {}",
            "  api: { deploy: loud deploy, healthy: loud healthy, verify: loud service, contain: loud contain }",
        )
        .replace(
            "ASCII: { purpose: a password, used_by: [api], bundle: auth }",
            "ASCII: { purpose: a password, used_by: [api], bundle: auth, class: trust, rotation: { backup: loud backup, before: loud before, undo: loud undo, verify: loud verify, old_must_fail: loud alive } }",
        )
        + "classes:\n  trust: { boundary: everything, contain: loud class, verify: loud checked }\n";
    let story = |name: String, script: &'static str, broken: &'static str| {
        let inventory = inventory.clone();
        case(name, &[])
            .before(move |scene| {
                scene.put("dotage.yaml", inventory.as_bytes());
                let given = scene.path("given");
                put(&given.join("loud"), LOUD.as_bytes(), 0o755);
                // The old value is dead where `old_must_fail` fails.
                for broken in ["alive", broken] {
                    put(&given.join(format!("broken-{broken}")), b"", 0o600);
                }
            })
            .stdin(canaries.typed.as_bytes())
            .how(How::Shell(script))
    };
    let mut cases = vec![
        story("each step".into(), STEPS, ""),
        story("a drill".into(), DRILL, ""),
        story("an incident".into(), INCIDENT, ""),
        story("undo fails on the way back".into(), TWICE, "undo"),
    ];
    for broken in ["backup", "before", "deploy", "healthy", "verify"] {
        cases.push(story(format!("{broken} fails, rolled back"), BACK, broken));
        cases.push(story(format!("{broken} fails, resumed"), ON, broken));
    }
    for broken in ["class", "contain", "before", "verify", "checked", "service"] {
        cases.push(story(
            format!("an incident, {broken} fails"),
            INCIDENT,
            broken,
        ));
    }
    cases
}

const STEPS: &str = r#""$0" render shell
"$0" rotate ASCII --dry-run; "$0" rotate ASCII --step -v
while "$0" rotate --resume --step --json -v; do "$0" status; "$0" check; "$0" rotate --resume --dry-run; done
! "$0" rotate --resume && "$0" log && "$0" log --json && "$0" log --markdown || exit 9; "$0" log verify; exit 0"#;
const BACK: &str = r#""$0" render shell
! "$0" rotate ASCII && rm "$GIVEN"/broken-[!a]* && "$0" rotate --rollback -v && "$0" log && "$0" log --json || exit 9; "$0" log verify; exit 0"#;
const ON: &str = r#""$0" render shell
! "$0" rotate ASCII && ! "$0" rotate --resume -v && rm "$GIVEN"/broken-[!a]* && "$0" rotate --resume && "$0" status || exit 9; "$0" log verify; exit 0"#;
const TWICE: &str = r#""$0" render shell; touch "$GIVEN/broken-verify"
! "$0" rotate ASCII && ! "$0" rotate --rollback && rm "$GIVEN"/broken-[!a]* && "$0" rotate --rollback || exit 9; "$0" log verify; exit 0"#;
const DRILL: &str = r#""$0" render shell; "$0" incident drill --class trust"#;
const INCIDENT: &str = r#""$0" render shell
"$0" incident open --class trust --reason 'it leaked'; "$0" incident status
cat >"$GIVEN/typed"; "$0" incident resume --yes <"$GIVEN/typed"; "$0" incident status --json; "$0" incident close
rm -f "$GIVEN"/broken-[!a]*
! "$0" incident status || { "$0" incident resume --yes <"$GIVEN/typed" && "$0" incident close; } || exit 9
"$0" log; "$0" log verify; exit 0"#;

/// What a job may print: each value as it is, in hex, in base64, and begun.
fn printed(canaries: &Canaries) -> Vec<u8> {
    let mut text = Vec::new();
    for name in ["ASCII", "PEM", "ESCAPES", "BASE64"] {
        let value = canaries.value(name);
        let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        for form in [value, hex.as_bytes(), STANDARD.encode(value).as_bytes()] {
            text.extend_from_slice(form);
            text.push(b'\n');
        }
    }
    text.extend_from_slice(&canaries.value("ASCII")[..8]);
    text
}

/// Held before it opens what it renames, and before it ends, long enough for every process to be looked at.
const HOLD: &[&str] = &[
    "-e",
    "trace=exit_group,fsync",
    "-e",
    "inject=exit_group,fsync:delay_enter=120000",
];

const HOLD_END: &[&str] = &[
    "-e",
    "trace=exit_group",
    "-e",
    "inject=exit_group:delay_enter=120000",
];

/// Every verb with its options, as it is meant.
fn well(canaries: &Canaries, cases: &mut Vec<Case>) {
    let fresh = || super::scene::unique(24).into_bytes();
    let value = canaries.value("ASCII").to_vec();
    for verbose in ["-v", "--non-interactive"] {
        cases.extend([
            case("set", &["set", "ASCII", verbose]).stdin(&value),
            case(
                "set --verbatim",
                &["set", "PEM", "--verbatim", "-P", "production", verbose],
            )
            .stdin(&value),
            case("set -n", &["set", "ASCII", "-n", verbose]).stdin(&value),
            case("set bytes", &["set", "BINARY", verbose]).stdin(&[0xfe; 40]),
            case("get", &["get", "ASCII", verbose]).product(),
            case("get -P", &["get", "PEM", "-P", "production", verbose]).product(),
            case("get --reveal", &["get", "ESCAPES", "--reveal", verbose]).product(),
            case("get derived", &["get", "URL", verbose]).product(),
            case("get bytes", &["get", "BINARY", verbose]).product(),
            case("get several", &["get", "ASCII", "PEM", "URL", "--json", verbose]).product(),
            case("get bytes as text", &["get", "--json", verbose]).fails(),
            case("redact", &["redact", verbose]).stdin(&printed(canaries)),
            case("list", &["list", verbose]),
            case("list --json", &["list", "--json", verbose]),
            case(
                "list --format markdown",
                &["list", "--format", "markdown", "-P", "production", verbose],
            ),
            case(
                "list --no-vault",
                &["list", "--no-vault", "--service", "api", verbose],
            ),
            case("check", &["check", verbose]).codes(&[1]),
            case(
                "check --json",
                &["check", "-P", "production", "--json", verbose],
            )
            .codes(&[1]),
            case("check --no-vault", &["check", "--no-vault", verbose]).codes(&[0, 1]),
            case("status", &["status", verbose]),
            case("status --json", &["status", "--json", verbose]),
            case(
                "status --html",
                &["status", "--html", "out/status.html", verbose],
            ),
            case("status --no-vault", &["status", "--no-vault", verbose]),
            case("explain", &["explain", "ASCII", verbose]),
            case(
                "explain --json",
                &["explain", "URL", "-P", "production", "--json", verbose],
            ),
            case("unset", &["unset", "ASCII", verbose]),
            case(
                "unset -n",
                &["unset", "ASCII", "-n", "-P", "production", verbose],
            ),
            case("generate", &["generate", "TOKEN", verbose]),
            case("generate --missing", &["generate", "--missing", verbose]),
            case(
                "generate --print",
                &["generate", "TOKEN", "--print", verbose],
            ),
            case("generate -n", &["generate", "TOKEN", "-n", verbose]),
            case("bootstrap open", &["bootstrap", "open", verbose]),
            case("bootstrap open -n", &["bootstrap", "open", "-n", verbose]),
            case(
                "bootstrap close",
                &["bootstrap", "close", "-P", "production", "--json", verbose],
            )
            .how(How::Shell(
                "\"$0\" bootstrap open -P production >&2 && \"$0\" render boot >&2 && \"$0\" \"$@\"",
            )),
            case("recipients list", &["recipients", "list", verbose]),
            case(
                "recipients list --json",
                &["recipients", "list", "--json", verbose],
            ),
            case("render", &["render", verbose]),
            case(
                "render --all --json",
                &["render", "--all", "--json", verbose],
            ),
            case("render --check", &["render", "--check", verbose]).codes(&[1]),
            case("render -n --diff", &["render", "-n", "--diff", verbose]),
            case("render --diff", &["render", "--diff", verbose]),
            case("render --stdout", &["render", "json", "--stdout", verbose]).product(),
            case("render --stdout --json", &["render", "json", "--stdout", "--json", verbose]).product(),
            case(
                "render --mode",
                &[
                    "render", "shell", "--mode", "0640", "--to", "out/wide", verbose,
                ],
            )
            .mode(0o640),
            case(
                "render --owner",
                &["render", "shell", "--owner", "1", "--group", "1", verbose],
            ),
            case(
                "render a template",
                &[
                    "render",
                    "--template",
                    "templates/all.json.j2",
                    "--to",
                    "out/x.json",
                    "--service",
                    "api",
                    verbose,
                ],
            ),
            case(
                "render --dialect",
                &["render", "shell", "--dialect", "shell", verbose],
            ),
            case("render twice", &["render", verbose, "--diff", "--json"])
                .how(How::Shell("\"$0\" \"$@\" && \"$0\" \"$@\"")),
            case(
                "postgres-role",
                &["postgres-role", "api", "--password-env", "GIVEN_NEW", "--create", verbose],
            )
            .env("GIVEN_NEW", canaries.text("ASCII")),
            case("keygen -o", &["keygen", "-o", "../tmp/key", verbose]),
            case("keygen", &["keygen", verbose]),
            case("schema", &["schema", verbose]),
            case("man", &["man", verbose]),
            case("completions", &["completions", "bash", verbose]),
            case(
                "init",
                &["init", "../tmp/new", "--preset", "freeboard", verbose],
            ),
            case("init -n", &["init", "../tmp/new", "-n", verbose]),
            case("demo", &["demo", "../tmp/demo", verbose]),
            case("edit nothing", &["edit", verbose]).env("EDITOR", "true"),
        ]);
    }
    let given = fresh();
    let file = given.clone();
    cases.push(
        case(
            "set --from-file",
            &["set", "ASCII", "--from-file", "../given/value"],
        )
        .before(move |scene| put(&scene.path("given/value"), &file, 0o600)),
    );
    let reader = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    for verb in ["add", "remove"] {
        for extra in [
            &["-n"][..],
            &["-P", "production"],
            &["-P", "production", "--bundle", "auth"],
        ] {
            let mut args = vec!["recipients", verb, reader];
            args.extend(extra);
            let both = How::Shell(
                "\"$0\" recipients add \"$3\" -P production --bundle auth >&2; \"$0\" recipients add \"$3\" -P production >&2; \"$0\" recipients add \"$3\" >&2; \"$0\" \"$@\"",
            );
            let case = case(format!("recipients {verb} {extra:?}"), &args).codes(&[0, 2]);
            cases.push(if verb == "remove" {
                case.how(both)
            } else {
                case
            });
        }
    }
    // Seen by their neighbours while they run.
    for args in [
        &["render"][..],
        &["render", "json", "--check"],
        &["set", "ASCII"],
        &["get", "ASCII"],
        &["list"],
        &["unset", "ASCII"],
        &["generate", "TOKEN"],
        &["status"],
        &["status", "--html", "out/status.html"],
        &["explain", "ASCII"],
        &["bootstrap", "open"],
        &["bootstrap", "close"],
        &["recipients", "add", reader],
        &["init", "../tmp/new"],
        &["keygen"],
        &["demo", "../tmp/demo"],
        &["schema"],
        &["run", "--", "true"],
    ] {
        let hold = if args[0] == "demo" || args[0] == "init" {
            HOLD_END
        } else {
            HOLD
        };
        let held = case(format!("held: {args:?}"), args)
            .how(How::Held(hold))
            .stdin(&value)
            .product();
        cases.push(if args.contains(&"--check") {
            held.codes(&[1])
        } else {
            held
        });
    }
    // In an editor: one that waits, one that changes, one that breaks the text, one that fails.
    let editor = |script: &'static str| {
        move |scene: &Scene| {
            put(
                &scene.path("given/editor"),
                format!(
                    "#!/bin/sh\n[ -e \"$TMPDIR/done\" ] && exit\n>\"$TMPDIR/done\"\n{script}\n"
                )
                .as_bytes(),
                0o755,
            );
        }
    };
    cases.extend([
        case("edit, slowly", &["edit"])
            .before(editor("sleep 0.4"))
            .env("EDITOR", "editor"),
        case("edit, changed", &["edit", "auth", "-P", "production"])
            .before(editor("sleep 0.2; echo 'NEW: \"new\"' >>\"$1\""))
            .env("EDITOR", "editor"),
        case("edit, broken", &["edit"])
            .before(editor("echo 'ASCII: [' >>\"$1\""))
            .env("EDITOR", "editor")
            .fails(),
        case("edit, broken otherwise", &["edit"])
            .before(editor("sed -i 's/\"//' \"$1\""))
            .env("EDITOR", "editor")
            .fails(),
        case("edit, twice", &["edit"])
            .before(editor("cat \"$1\" >\"$1.copy\"; cat \"$1.copy\" >>\"$1\""))
            .env("EDITOR", "editor")
            .fails(),
        case("edit, with a comment", &["edit"])
            .before(editor("sed -i 's/^/# /' \"$1\""))
            .env("EDITOR", "editor")
            .fails(),
        case("edit, not UTF-8", &["edit"])
            .before(editor("printf 'A\\377' >>\"$1\""))
            .env("EDITOR", "editor")
            .fails(),
        case("edit, failed", &["edit"])
            .before(editor("exit 3"))
            .env("EDITOR", "editor")
            .fails(),
        case("edit, removed", &["edit"])
            .before(editor("rm \"$1\""))
            .env("EDITOR", "editor")
            .fails(),
        case("edit, copies left", &["edit"])
            .before(editor("cp \"$1\" \"$1~\"; cp \"$1\" \"$TMPDIR/copy\""))
            .env("EDITOR", "editor"),
        case("edit, a swap file left", &["edit"])
            .before(editor("cp \"$1\" \"${1%/*}/.${1##*/}.swp\""))
            .env("EDITOR", "editor")
            .fails(),
        case("edit, no such editor", &["edit"])
            .env("EDITOR", "no-such-editor")
            .fails(),
        case("edit, identity in the environment", &["edit"])
            .before(editor("sleep 0.4"))
            .env("EDITOR", "editor")
            .env("DOTAGE_IDENTITY", canaries.key.clone()),
    ]);
    // At a terminal.
    let mut line = value.clone();
    line.push(b'\n');
    cases.extend([
        case("get at a terminal", &["get", "ASCII"])
            .how(How::Terminal(Vec::new()))
            .fails(),
        case(
            "get --reveal at a terminal",
            &["get", "ESCAPES", "--reveal"],
        )
        .how(How::Terminal(Vec::new()))
        .product(),
        case("set at a terminal", &["set", "ASCII"]).how(How::Terminal(vec![
            ("value of ASCII", line.clone()),
            ("again", line.clone()),
        ])),
        case("set, typed differently", &["set", "ASCII"])
            .how(How::Terminal(vec![
                ("value of ASCII", line.clone()),
                ("again", b"x\n".to_vec()),
            ]))
            .fails(),
    ]);
}

/// Identities: given in every way, wrong in every way.
fn identities(canaries: &Canaries, cases: &mut Vec<Case>) {
    let key = canaries.key.clone();
    let typo = key.replace("KEY-1", "KEY-1Q");
    let body = key.trim_start_matches("AGE-SECRET-KEY-1").to_owned();
    let secret = canaries.text("ASCII").to_owned();
    let with = |name: &str, variable: &str, value: String| {
        case(format!("{variable} {name}"), &["get", "BASE64"]).env(variable, value)
    };
    for variable in [
        "DOTAGE_IDENTITY",
        "DOTAGE_IDENTITY_FILE",
        "DOTAGE_IDENTITY_COMMAND",
    ] {
        for (name, value) in [
            ("a key with a typo", typo.clone()),
            ("a key cut off", key[..40].to_owned()),
            ("a key without its prefix", body.clone()),
            ("a key in lower case with a typo", typo.to_lowercase()),
            ("garbage", secret.clone()),
            ("garbage of several lines", format!("{secret}\n{secret}\n")),
            (
                "a PEM that is none",
                format!(
                    "-----BEGIN OPENSSH PRIVATE KEY-----\n{secret}\n-----END OPENSSH PRIVATE KEY-----\n"
                ),
            ),
            ("another PEM", canaries.text("PEM").to_owned()),
            ("a key in quotes", format!("'{key}'")),
            ("a key behind a name", format!("IDENTITY={key}")),
            ("a quote left open", format!("'{key}")),
        ] {
            cases.push(with(name, variable, value).codes(&[2, 3]));
        }
    }
    cases.extend([
        with("a key", "DOTAGE_IDENTITY", key.clone()).product(),
        with("a file", "DOTAGE_IDENTITY", canaries.identity.clone()).product(),
        with(
            "a key and a comment",
            "DOTAGE_IDENTITY",
            format!("# {secret}\n{key}"),
        )
        .product(),
        with("a stranger's", "DOTAGE_IDENTITY", canaries.stranger.clone()).codes(&[3]),
        with("a key, and a path", "DOTAGE_IDENTITY", key.clone())
            .env("DOTAGE_IDENTITY_FILE", key.clone())
            .codes(&[2, 3]),
    ]);
    for verb in [
        &["init", "."][..],
        &["init", "../tmp/new"],
        &["init", "--help"],
        &["init", "-n"],
        &["set", "ASCII"],
        &["list"],
        &["render"],
        &["recipients", "list"],
        &["completions", "zsh"],
        &["man"],
    ] {
        let failing = case(format!("a key in DOTAGE_IDENTITY_FILE: {verb:?}"), verb)
            .env("DOTAGE_IDENTITY_FILE", key.clone())
            .stdin(b"x");
        cases.push(failing.codes(&[0, 2, 3]));
    }
    // A command's output, and its words, are its own.
    let script = |name: &'static str, text: String| {
        move |scene: &Scene| {
            put(
                &scene.path("given").join(name),
                format!("#!/bin/sh\n{text}\n").as_bytes(),
                0o755,
            );
        }
    };
    let command = |name: &str, text: String| {
        case(format!("a command that {name}"), &["get", "BASE64", "-v"])
            .before(script("give", text))
            .env("DOTAGE_IDENTITY_COMMAND", "give")
    };
    cases.extend([
        command("is slow", format!("sleep 0.5; echo {key}")).product(),
        command(
            "knows DOTAGE_IDENTITY too",
            format!("sleep 0.5; echo {key}"),
        )
        .env("DOTAGE_IDENTITY", key.clone())
        .product(),
        command("fails", format!("echo {key}; exit 1")).fails(),
        command("is killed", format!("echo {key}; kill -9 $$")).fails(),
        command("gives garbage", format!("echo {secret}")).codes(&[2, 3]),
        command("gives a typo", format!("echo {typo}")).codes(&[2, 3]),
        command("gives bytes", format!("printf '\\377%s' {secret}")).codes(&[2, 3]),
        command(
            "gives too much",
            format!("echo {key}; head -c 100000 /dev/zero | tr '\\0' a"),
        )
        .codes(&[2, 3]),
        command("gives nothing", "true".to_owned()).codes(&[2, 3]),
        case("a command that is not there", &["get", "ASCII"])
            .env("DOTAGE_IDENTITY_COMMAND", format!("no-such-command {key}"))
            .codes(&[2, 3]),
    ]);
    let home = ".config/dotage/identity.txt";
    for (name, text) in [
        ("garbage", secret.clone()),
        ("a typo", typo.clone()),
        ("nothing", String::new()),
        ("a second line of garbage", format!("{key}\n{secret}\n")),
    ] {
        let (planted, text) = (home.to_owned(), text.clone());
        cases.push(
            case(
                format!("an identity file with {name}"),
                &["get", "ASCII", "-v"],
            )
            .before(move |scene| put(&scene.path("home").join(home), text.as_bytes(), 0o600))
            .planted(&planted)
            .codes(&[2, 3]),
        );
    }
    cases.push(
        case("no identity at all", &["render"])
            .before(move |scene| fs::remove_file(scene.path("home").join(home)).unwrap())
            .codes(&[3]),
    );
    // A plugin that repeats the identity it was given, and one that only waits.
    let plugin = |end: &str| {
        format!(
            "#!/usr/bin/env python3\nimport sys, time, base64\nlast=''\nwhile True:\n  line=sys.stdin.readline()\n  if not line: sys.exit(1)\n  if line.startswith('-> add-identity'): last=line.split()[2]\n  if line.startswith('-> done'): break\nsys.stdin.readline()\n{end}\nprint('-> done\\n',flush=True)\nsys.stdin.readline()\n"
        )
    };
    let identity = "AGE-PLUGIN-CANARY-1DPSHYETNWDHK7UNS";
    let says = plugin(
        "time.sleep(0.4)\nprint('-> error identity 0\\n'+base64.b64encode(('cannot use '+last).encode()).decode().rstrip('='),flush=True)\nsys.stdin.readline()\nsys.stdin.readline()",
    );
    for text in [
        says,
        plugin("time.sleep(0.4)"),
        "#!/bin/sh\nsleep 0.4\nexit 1\n".to_owned(),
    ] {
        cases.push(
            case("a plugin that is no use", &["get", "ASCII"])
                .before(move |scene| {
                    put(
                        &scene.path("given/age-plugin-canary"),
                        text.as_bytes(),
                        0o755,
                    );
                })
                .env("DOTAGE_IDENTITY", identity)
                .codes(&[2, 3]),
        );
    }
}

/// Templates that fail, before and after they have a value.
fn templates(cases: &mut Vec<Case>) {
    let bad = [
        "{{ ASCII",
        "{% if ASCII %}",
        "A={{ ASCII.nothing }}",
        "A={{ ASCII.nothing.more }}",
        "A={{ ASCII[0:3] + 1 }}",
        "A={{ ASCII + 1 }}",
        "A={{ 1 + ASCII }}",
        "A={{ ASCII | int }}",
        "A={{ ASCII | float }}",
        "A={{ ASCII | abs }}",
        "A={{ ASCII | no_filter }}",
        "A={{ ASCII | replace(ASCII) }}",
        "A={{ ASCII | round }}",
        "A={{ ASCII is no_test }}",
        "A={{ ASCII() }}",
        "A={{ ASCII.upper(1, 2) }}",
        "A={{ [ASCII] }}",
        "A={{ {'a': ASCII} }}",
        "A={{ {ASCII: 1}[PEM] }}",
        "A={{ ASCII == ASCII }}",
        "A={{ none }}",
        "A={{ debug() }}",
        "A={{ range(ASCII) }}",
        "A={{ dict(ASCII) }}",
        "A={{ ASCII * 1000000000 }}",
        "{% for x in range(1000000) %}{% for y in range(100000) %}{{ ASCII }}{% endfor %}{% endfor %}",
        "{% macro m(a) %}{{ m(a) }}{% endmacro %}A={{ m(ASCII) }}",
        "{% include ASCII %}",
        "{% include 'no-such' %}",
        "{% include '../../etc/passwd' %}",
        "{% extends ASCII %}",
        "{% from ASCII import x %}",
        "{% set A = ASCII %}A={{ B }}",
        "A={{ ASCIII }}",
        "A={{ ASCII }}\nA={{ ASCII }}",
        "{{ ASCII }}={{ ASCII }}",
        "A=\"{{ ASCII }}\"{{ PEM }}x$(id)",
        "A={{ PEM | raw }}",
        "A={{ ESCAPES | raw }}'",
        "A='{{ YAMLISH | raw }}",
        "{{ UTF8 | raw }}",
        "A={{ ASCII | tojson | list }}",
        "A={{ ASCII | items }}",
        "A={{ ASCII | sort(attribute='x') | join }}{{ ASCII | map('no') | list }}",
        "A={{ ASCII | batch(0) }}",
        "A={{ ASCII | format(1, 2) }}",
        "A={{ BINARY }}",
        "A={{ env.HOME }}",
        "A={{ ASCII if BRACES else }}",
        "{% raw %}{{ ASCII }}",
        "A={{ ASCII }}\u{fdd0}",
        "{% do ASCII %}",
        "{% call ASCII() %}{% endcall %}",
        "{% filter nothing %}{{ ASCII }}{% endfilter %}",
        "{% autoescape ASCII %}{{ ASCII }}{% endautoescape %}",
        "A={{ ASCII | b64encode | int }}",
        "A={{ PEM | lines | first | int }}",
        "A={{ ASCII | urlencode | int }}",
        "A={{ ASCII | quote | int }}",
        "A={{ UTF8 | to_json | int }}",
    ];
    for text in bad {
        for end in [&["--stdout"][..], &["--to", "out/x", "--json"]] {
            let mut args = vec!["render", "-v", "--template", "templates/bad.shell.env.j2"];
            args.extend(end);
            // Some of them are right: then the value is where it belongs.
            cases.push(
                case(format!("template {text:?}"), &args)
                    .before(move |scene| scene.put("templates/bad.shell.env.j2", text.as_bytes()))
                    .codes(&[2, 0])
                    .product(),
            );
            if !text.contains("raw") && !text.contains("ASCII }}") {
                break;
            }
        }
    }
}

/// What a consumer can't carry.
fn dialects(cases: &mut Vec<Case>) {
    for dialect in Dialect::ALL {
        for text in [
            "A={{ PEM }}\n",
            "A={{ ESCAPES }}\nB={{ YAMLISH }}\n",
            "A={{ UTF8 }}\nB={{ BINARY }}\n",
            "A={{ BRACES | raw }}\nB=\"{{ YAMLISH | raw }}\n",
        ] {
            let args = [
                "render",
                "--template",
                "templates/any.j2",
                "--dialect",
                dialect.name(),
                "--to",
                "out/x",
            ];
            cases.push(
                case(format!("{} {text:?}", dialect.name()), &args)
                    .before(move |scene| scene.put("templates/any.j2", text.as_bytes()))
                    .codes(&[2, 0]),
            );
        }
    }
}

/// Vault files that are no vaults any more.
fn vaults(canaries: &Canaries, cases: &mut Vec<Case>) {
    let plain: Vec<u8> = canaries
        .values
        .iter()
        .flat_map(|(name, value)| [name.as_bytes(), b": ", value, b"\n"].concat())
        .collect();
    let verbs: [&[&str]; 6] = [
        &["get", "ASCII", "-v"],
        &["list", "--json"],
        &["set", "ASCII"],
        &["render", "shell"],
        &["unset", "ASCII"],
        &["edit"],
    ];
    let damages: Vec<(&str, Damage)> = vec![
        (
            "truncated",
            Box::new(|file| file[..file.len() / 2].to_vec()),
        ),
        (
            "without its last line",
            Box::new(|file| file[..file.len() - 40].to_vec()),
        ),
        ("of one line", Box::new(|file| file[..40].to_vec())),
        (
            "altered",
            Box::new(|mut file| {
                let at = file.len() - 100;
                file[at] ^= 1;
                file
            }),
        ),
        (
            "with another header",
            Box::new(|mut file| {
                file[120] ^= 1;
                file
            }),
        ),
        (
            "with conflict marks",
            Box::new(|file| {
                [
                    b"<<<<<<< HEAD\n",
                    &file[..],
                    b"=======\n",
                    &file,
                    b">>>>>>> other\n",
                ]
                .concat()
            }),
        ),
        (
            "that is plain text",
            Box::new({
                let plain = plain.clone();
                move |_| plain.clone()
            }),
        ),
        (
            "that is plain text with conflict marks",
            Box::new({
                let plain = plain.clone();
                move |_| [b"<<<<<<< HEAD\n", &plain[..], b"=======\n>>>>>>> other\n"].concat()
            }),
        ),
        (
            "that is plain bytes",
            Box::new({
                let plain = plain.clone();
                move |_| [b"\0\xff", &plain[..]].concat()
            }),
        ),
        (
            "with plain text after it",
            Box::new({
                let plain = plain.clone();
                move |file| [&file[..], &plain].concat()
            }),
        ),
        (
            "with plain text before it",
            Box::new({
                let plain = plain.clone();
                move |file| [&plain[..], &file].concat()
            }),
        ),
        (
            "with plain text in its armor",
            Box::new({
                let plain = plain.clone();
                move |file| {
                    [
                        b"-----BEGIN AGE ENCRYPTED FILE-----\n",
                        &plain[..],
                        &file[35..],
                    ]
                    .concat()
                }
            }),
        ),
        (
            "with plain text in its header",
            Box::new({
                let plain = plain.clone();
                move |_| [b"age-encryption.org/v1\n-> ", &plain[..]].concat()
            }),
        ),
        ("that is empty", Box::new(|_| Vec::new())),
        (
            "with a Windows line end",
            Box::new(|file| {
                String::from_utf8(file)
                    .unwrap()
                    .replace('\n', "\r\n\r\n")
                    .into_bytes()
            }),
        ),
    ];
    for (index, (name, damage)) in damages.into_iter().enumerate() {
        let damage = std::sync::Arc::new(damage);
        for verb in [verbs[index % 6], verbs[(index + 2) % 6]] {
            let damage = damage.clone();
            cases.push(
                case(format!("a vault {name}: {verb:?}"), verb)
                    .before(move |scene| {
                        put(
                            &scene.vault(),
                            &damage(fs::read(scene.vault()).unwrap()),
                            0o644,
                        );
                    })
                    .env("EDITOR", "true")
                    .stdin(b"x")
                    .planted("vault/development.age")
                    .codes(&[2, 3]),
            );
        }
    }
    let key: age::x25519::Identity = canaries.stranger.lines().last().unwrap().parse().unwrap();
    let other = age::encrypt_and_armor(&key.to_public(), &plain).unwrap();
    let passphrase = canaries.text("ASCII").to_owned();
    let mut weak = age::scrypt::Recipient::new(passphrase.into());
    weak.set_work_factor(2);
    let locked = age::encrypt_and_armor(&weak, &plain).unwrap();
    for (name, file, codes) in [
        ("somebody else's", other, [3]),
        ("a passphrase's", locked, [2]),
    ] {
        for verb in verbs {
            let file = file.clone();
            cases.push(
                case(format!("{name} vault: {verb:?}"), verb)
                    .before(move |scene| put(&scene.vault(), file.as_bytes(), 0o644))
                    .env("EDITOR", "true")
                    .stdin(b"x")
                    .codes(if verb[0] == "list" && codes == [3] {
                        &[0]
                    } else {
                        &codes
                    }),
            );
        }
    }
}

/// A vault's plaintext that is not what it should be, a canary wherever one can stand.
fn plaintexts(canaries: &Canaries, cases: &mut Vec<Case>) {
    let x = canaries.text("ASCII");
    let pem = canaries.text("PEM");
    let texts = [
        format!("ASCII: \"{x}\"\nASCII: \"{x}\"\n"),
        format!("{x}: {x}\n"),
        format!("ASCII: {x}: {x}\n"),
        format!("ASCII: [{x}]\n"),
        format!("ASCII: {{a: {x}}}\n"),
        format!("ASCII: &a {x}\nBASE64: *a\n"),
        format!("ASCII: *{x}\n"),
        format!("ASCII: !!{x} {x}\n"),
        format!("ASCII: !{x}\n"),
        format!("ASCII: \"{x}\n"),
        format!("ASCII: '{x}\n"),
        format!("ASCII: \"\\{x}\"\n"),
        format!("ASCII: \"\\x{x}\"\n"),
        format!("ASCII: \"{x}\" {x}\n"),
        format!("ASCII: 0x{}\n", "41".repeat(20)),
        format!("ASCII: {x} # {x}\n"),
        format!("- {x}\n- {x}\n"),
        x.to_owned(),
        format!("{x}\n{x}: \n"),
        format!("? {x}\n: {x}\n"),
        format!("<<: {x}\n"),
        format!("ASCII: |{x}\n  {x}\n"),
        format!("ASCII: |\n  {x}"),
        format!("ASCII: |\n {x}\n   {x}\n{x}\n"),
        format!("%YAML {x}\n---\nASCII: \"{x}\"\n"),
        format!("---\nASCII: \"{x}\"\n---\nASCII: \"{x}\"\n"),
        format!("ASCII: \"{x}\"\n...\n{x}\n"),
        format!("ASCII: @{x}\n"),
        format!("ASCII: `{x}`\n"),
        format!("ASCII:\t{x}\n\t{x}: 1\n"),
        format!("ASCII: \"{x}\u{0}{x}\"\n"),
        format!("ASCII: \"{x}\u{7}\"\n"),
        format!("ASCII:\n{pem}"),
        pem.to_owned(),
        format!("{}{x}", "[".repeat(5_000)),
        format!("ASCII={x}\nBASE64={x}\n"),
        format!("{{\"ASCII\": \"{x}\", \"BASE64\": {x}}}"),
        format!("BINARY: \"{x}!\"\nASCII: \"{x}\"\n"),
        format!("{x} {x}: \"{x}\"\n"),
        format!("\"{x}\\\"\": 1\n"),
        format!("ASCII: \"{x}\"\r{x}\r\n"),
        format!("\u{feff}{x}: [\n"),
    ];
    let verbs: [&[&str]; 6] = [
        &["list", "-v"],
        &["get", "ASCII"],
        &["set", "BASE64"],
        &["render"],
        &["edit"],
        &["get", "BINARY"],
    ];
    let bytes = texts.into_iter().map(String::into_bytes).chain([
        [b"ASCII: \"\xff", x.as_bytes(), b"\"\n"].concat(),
        [x.as_bytes(), b"\xff"].concat(),
    ]);
    for (index, text) in bytes.enumerate() {
        let armored = age::encrypt_and_armor(
            &canaries.public.parse::<age::x25519::Recipient>().unwrap(),
            &text,
        )
        .unwrap();
        for shown in [&["check"][..], &["status", "--json"]] {
            let armored = armored.clone();
            cases.push(
                case(format!("plaintext {index}: {shown:?}"), shown)
                    .before(move |scene| put(&scene.vault(), armored.as_bytes(), 0o644))
                    .codes(if shown[0] == "check" { &[0, 1] } else { &[0] }),
            );
        }
        for verb in [verbs[index % 6], verbs[(index + 1) % 6]] {
            let armored = armored.clone();
            cases.push(
                case(format!("plaintext {index}: {verb:?}"), verb)
                    .before(move |scene| put(&scene.vault(), armored.as_bytes(), 0o644))
                    .env("EDITOR", "true")
                    .stdin(b"x")
                    .codes(&[0, 2])
                    .product(),
            );
        }
    }
}

/// Targets that can't be written, and places that can't be reached.
fn files(cases: &mut Vec<Case>) {
    let target = |name: &str, before: fn(&Scene)| {
        case(
            format!("target {name}"),
            &["render", "shell", "-v", "--diff", "--json"],
        )
        .before(before)
        .fails()
    };
    cases.extend([
        target("a symlink", |scene| {
            symlink("/etc/passwd", scene.path("project/out/shell.env")).unwrap();
        }),
        target("a dangling symlink", |scene| {
            symlink("nothing", scene.path("project/out/shell.env")).unwrap();
        }),
        target("with a hard link", |scene| {
            scene.put("out/shell.env", b"x");
            fs::hard_link(scene.path("project/out/shell.env"), scene.path("tmp/link")).unwrap();
        }),
        target("a folder", |scene| {
            fs::create_dir(scene.path("project/out/shell.env")).unwrap();
        }),
        target("a FIFO", |scene| {
            assert!(
                Command::new("mkfifo")
                    .arg(scene.path("project/out/shell.env"))
                    .status()
                    .unwrap()
                    .success()
            );
        }),
        target("in a folder that others write", |scene| {
            fs::set_permissions(scene.path("project/out"), fs::Permissions::from_mode(0o777))
                .unwrap();
        }),
        target("in a file", |scene| {
            fs::remove_dir(scene.path("project/out")).unwrap();
            scene.put("out", b"x");
        }),
        target("in a symlinked folder", |scene| {
            fs::remove_dir(scene.path("project/out")).unwrap();
            symlink(scene.path("tmp"), scene.path("project/out")).unwrap();
        }),
    ]);
    for (to, codes) in [
        ("/dev/full", 2),
        ("/dev/null", 2),
        ("/proc/x", 2),
        ("/sys/x", 2),
        ("/dev/stdout", 2),
        ("/proc/self/fd/1", 2),
        ("out/", 2),
        ("", 2),
        (".", 2),
    ] {
        cases.push(
            case(format!("render to {to}"), &["render", "shell", "--to", to]).codes(&[codes]),
        );
    }
    // A mode that was looser is closed, and what was there is not told.
    cases.push(
        case("render over a loose file", &["render", "shell", "--diff"]).before(|scene| {
            scene.put("out/shell.env", b"export ASCII=old\nGONE=1\nnot a line\n");
            fs::set_permissions(
                scene.path("project/out/shell.env"),
                fs::Permissions::from_mode(0o644),
            )
            .unwrap();
        }),
    );
    for script in [
        "exec \"$0\" \"$@\" >&-",
        "exec \"$0\" \"$@\" 2>&-",
        "exec \"$0\" \"$@\" <&- >&- 2>&-",
        "exec \"$0\" \"$@\" >/dev/full",
        "exec \"$0\" \"$@\" 2>/dev/full",
        "\"$0\" \"$@\" | true",
    ] {
        for args in [
            &["render"][..],
            &["get", "PEM"],
            &["list", "--json"],
            &["render", "shell", "--stdout"],
        ] {
            cases.push(
                case(format!("{script}: {args:?}"), args)
                    .how(How::Shell(script))
                    .codes(&[0, 2])
                    .product(),
            );
        }
    }
    cases.push(
        case("no working folder", &["render"])
            .how(How::Shell(
                "mkdir ../tmp/gone && cd ../tmp/gone && rmdir ../gone && exec \"$0\" \"$@\"",
            ))
            .fails(),
    );
    cases.push(case("another folder", &["-C", "../nowhere", "render"]).fails());
    cases.push(
        case("no memory to edit in", &["edit"])
            .env("EDITOR", "true")
            .env("XDG_RUNTIME_DIR", "/nowhere")
            .codes(&[0, 2]),
    );
}

/// A disk that is full, broken or read-only, as the kernel says it.
fn disks(cases: &mut Vec<Case>) {
    let faults: [&[&str]; 12] = [
        &["-e", "trace=write", "-e", "inject=write:error=ENOSPC"],
        &[
            "-e",
            "trace=write",
            "-e",
            "inject=write:error=ENOSPC:when=1",
        ],
        &["-e", "trace=fsync", "-e", "inject=fsync:error=EIO"],
        &[
            "-e",
            "trace=renameat,renameat2",
            "-e",
            "inject=renameat,renameat2:error=EROFS",
        ],
        &["-e", "trace=fchmod", "-e", "inject=fchmod:error=EPERM"],
        &[
            "-e",
            "trace=openat",
            "-e",
            "inject=openat:error=EROFS:when=30+",
        ],
        &[
            "-e",
            "trace=openat",
            "-e",
            "inject=openat:error=EACCES:when=20+",
        ],
        &["-e", "trace=flock", "-e", "inject=flock:error=ENOLCK"],
        &["-e", "trace=read", "-e", "inject=read:error=EIO:when=12+"],
        &[
            "-e",
            "trace=getrandom",
            "-e",
            "inject=getrandom:error=EIO:when=2+",
        ],
        &[
            "-e",
            "trace=mmap,brk",
            "-e",
            "inject=mmap,brk:error=ENOMEM:when=60+",
        ],
        &[
            "-e",
            "trace=unlinkat,mkdirat",
            "-e",
            "inject=unlinkat,mkdirat:error=EROFS",
        ],
    ];
    for fault in faults {
        for args in [&["render"][..], &["set", "ASCII"], &["edit"]] {
            cases.push(
                case(format!("{}: {args:?}", fault[3]), args)
                    .how(How::Held(fault))
                    .env("EDITOR", "true")
                    .stdin(b"x")
                    .codes(&[0, 2, 101, 127, 134])
                    .torn(),
            );
        }
    }
}

/// What a person types in the wrong place.
/// Files of values that nobody encrypted, in every form that lint has a rule for.
/// A `.env` file with a value in each form that a line can have, some of them torn.
fn drafted_env(value: &[u8]) -> Vec<u8> {
    [
        b"A=",
        value,
        b"\nB='",
        value,
        b"'\nC=\"",
        value,
        b"\" # ",
        value,
        b"\nD=http://u:",
        value,
        b"@h/",
        value,
        b"\nexport E=",
        value,
        b"\nK=-----BEGIN ",
        value,
        b"-----\n",
        value,
        b"\n",
        value,
        b"==\nF=",
        value,
        b"://",
        value,
        b"\n# ",
        value,
        b"\nG='",
        value,
        b"\n",
    ]
    .concat()
}

/// A compose file with a value wherever one can stand, as far as it is text that YAML quotes.
fn drafted_compose(value: &[u8]) -> Vec<u8> {
    let text = serde_json::to_string(&String::from_utf8_lossy(value)).unwrap();
    format!(
        "services:\n  a:\n    image: {text}\n    environment:\n      SECRET: {text}\n      PLAIN: {text}\n      B: \"${{B}}\"\n  b: {{ environment: [A, {text}] }}\n"
    )
    .into_bytes()
}

fn linted(canaries: &Canaries, cases: &mut Vec<Case>) {
    let forms: &[&[u8]] = &[
        b"A={}",
        b"export A = {} # {}",
        b"A='{}'\nB=\"{}\"\nC=`{}`",
        b"A='{}\nB={}",
        b"A=\"{}\n{}=\n{}==\nC=1",
        b"A='{}\\'\nB=' # {}'",
        b"A={}\\\n{}",
        b"A={} {}\nB={}#{}",
        b"A=$({})\nB=`{}`\nC=${{}}\nD=~{}\nE=${}",
        b"A: {}\n{}\nexport {}\n; {}\n#{}\\",
        b"\xef\xbb\xbfA={}\r\n{}={}\r\n",
        b"A='{}''{}'\nB='{}' {}\nC='{}' # {}",
        b"A=\xff{}\0{}\nhttps://u:{}@h?a={}",
        b"A={}\nA={}\nPATH={}",
    ];
    for (name, value) in &canaries.values {
        let mut all = Vec::new();
        for (place, form) in forms.iter().enumerate() {
            let mut text = Vec::new();
            let mut rest = *form;
            while let Some(at) = rest.windows(2).position(|pair| pair == b"{}") {
                text.extend_from_slice(&rest[..at]);
                text.extend_from_slice(value);
                rest = &rest[at + 2..];
            }
            text.extend_from_slice(rest);
            text.push(b'\n');
            all.extend_from_slice(&text);
            let list = ["compose,node", "portable", "docker,github,kubernetes"][place % 3];
            for to in ["json", "docker", "direnv"] {
                let from = ["compose", "shell", "systemd", "github", "json", "yaml"][place % 6];
                let args = ["convert", "--from", from, "--to", to];
                cases.push(
                    case(format!("convert {name} in form {place} to {to}"), &args)
                        .stdin(&text)
                        .codes(&[0, 2])
                        .product(),
                );
            }
            let template = [
                "render",
                "--template",
                "templates/data.env.j2",
                "--stdout",
                "--vars",
                "-",
            ];
            cases.push(
                case(format!("data that holds {name} in form {place}"), &template)
                    .before(|scene| scene.put("templates/data.env.j2", b"A={{ vars.a }}\n"))
                    .stdin(&[b"{\"a\": \"", text.as_slice(), b"\"}"].concat())
                    .codes(&[0, 2])
                    .product(),
            );
            cases.push(
                case(
                    format!("lint {name} in form {place} for {list}"),
                    &["lint", "-", "--for", list],
                )
                .stdin(&text)
                .codes(&[0, 1]),
            );
        }
        for consumer in ["compose", "docker", "node", "shell"] {
            let all = all.clone();
            cases.push(
                case(
                    format!("set --from-env {name} in all forms, read by {consumer}"),
                    &["set", "--from-env", "theirs.env", "--dialect", consumer],
                )
                .before(move |scene| scene.put("theirs.env", &all))
                .planted("theirs.env")
                .codes(&[0, 2]),
            );
        }
        let value = value.clone();
        cases.push(
            case(
                format!("init from a .env file and a compose file with {name}"),
                &["init", "years"],
            )
            .before(move |scene| {
                scene.put("years/.env", &drafted_env(&value));
                scene.put("years/compose.yaml", &drafted_compose(&value));
            })
            .planted("years/.env")
            .planted("years/compose.yaml"),
        );
        for format in ["people", "json", "sarif", "junit", "github", "gitlab"] {
            let all = all.clone();
            cases.push(
                case(
                    format!("lint {name} in all forms as {format}"),
                    &["lint", "theirs.env", "--format", format],
                )
                .before(move |scene| scene.put("theirs.env", &all))
                .planted("theirs.env")
                .codes(&[0, 1]),
            );
        }
    }
}

/// Values and keys where scan finds them: in files, in the index, in history, in forms and in names.
fn scanned(canaries: &Canaries, cases: &mut Vec<Case>) {
    use base64::Engine as _;
    let mut text = canaries.key.clone().into_bytes();
    for (_, value) in &canaries.values {
        text.push(b'\n');
        text.extend_from_slice(value);
        text.extend_from_slice(b"\tx='");
        text.extend_from_slice(value);
        text.extend_from_slice(b"' ");
        let encoded = base64::engine::general_purpose::STANDARD.encode(value);
        text.extend_from_slice(encoded.as_bytes());
    }
    let planted = move |scene: &Scene| {
        scene.put("theirs.txt", &text);
        scene.put("clean/nothing.txt", b"nothing");
    };
    let in_git = {
        let planted = planted.clone();
        move |scene: &Scene| {
            planted(scene);
            let git = |args: &[&str]| {
                let done = Command::new("git")
                    .args(["-c", "user.name=a", "-c", "user.email=a@localhost"])
                    .args(args)
                    .current_dir(scene.path("project"))
                    .env("HOME", scene.path("home"))
                    .output()
                    .unwrap();
                assert!(done.status.success(), "{args:?}: {done:?}");
            };
            git(&["init", "-q"]);
            git(&["add", "theirs.txt"]);
            git(&["commit", "-q", "-m", "x"]);
            git(&["mv", "theirs.txt", "theirs-too.txt"]);
        }
    };
    for format in ["people", "json", "sarif", "junit", "github", "gitlab"] {
        for (name, args) in [
            ("a tree", &["scan", ".", "--format", format][..]),
            (
                "a tree for a profile",
                &["scan", "-P", "production", "-v", "--format", format],
            ),
        ] {
            cases.push(
                case(format!("scan {name} as {format}"), args)
                    .before(planted.clone())
                    .planted("theirs.txt")
                    .codes(&[1]),
            );
        }
        for place in [&[][..], &["--ignored"], &["--staged"], &["--history"]] {
            cases.push(
                case(
                    format!("scan {place:?} as {format}"),
                    &[&["scan", "--format", format], place].concat(),
                )
                .before(in_git.clone())
                .planted("theirs-too.txt")
                .codes(&[1]),
            );
        }
    }
    cases.extend([
        case("scan nothing", &["scan", "clean"])
            .before(planted.clone())
            .planted("theirs.txt"),
        case("scan without an identity", &["scan", "-P", "production"])
            .env("DOTAGE_IDENTITY_FILE", "/nowhere")
            .before(planted.clone())
            .planted("theirs.txt")
            .codes(&[3]),
        case("scan a path that is not there", &["scan", &canaries.typed]).fails(),
        case("scan the history of nothing", &["scan", "--history"]).fails(),
        case(
            "scan under a profile that is not there",
            &["scan", "-P", "nowhere"],
        )
        .fails(),
        case("scan, held", &["scan", "."])
            .before(planted)
            .planted("theirs.txt")
            .how(How::Held(HOLD_END))
            .codes(&[1]),
    ]);
}

/// What the real ansible-vault encrypts with this password.
fn vaulted(password: &[u8], text: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let [file, key] = ["file", "key"].map(|name| folder.path().join(name));
    put(&file, text, 0o600);
    put(&key, password, 0o600);
    let program = "target/consumers/ansible/219/bin/ansible-vault";
    let program = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(program);
    let output = Command::new(program)
        .args(["encrypt", "--vault-password-file"])
        .args([&key, &file])
        .env("HOME", folder.path())
        .output()
        .expect("ansible-vault: run tests/install");
    assert!(output.status.success(), "{output:?}");
    fs::read(file).unwrap()
}

/// With another value in the vault than the file's.
const OTHER: &str = r#"printf other | "$0" set ASCII 2>/dev/null && "$0" "$@""#;

/// Old vaults whose values, and whose password, are canaries: brought over well, and not.
fn imported(canaries: &Canaries, cases: &mut Vec<Case>) {
    let password = canaries.value("BASE64").to_vec();
    let [ascii, pem] = ["ASCII", "PEM"].map(|name| canaries.text(name).to_owned());
    let yaml = |names: &[&str]| -> String {
        let line = |name: &&str| {
            let value = canaries
                .text(name)
                .replace('\u{1b}', "ESC")
                .replace('\u{7}', "BEL");
            format!(
                "vault_{}: {}\n",
                name.to_lowercase(),
                serde_json::json!(value)
            )
        };
        names.iter().map(line).collect()
    };
    let whole = vaulted(
        &password,
        yaml(&["ASCII", "PEM", "UTF8", "BRACES", "YAMLISH"]).as_bytes(),
    );
    let raw = vaulted(&password, pem.as_bytes());
    let inline = String::from_utf8(vaulted(&password, ascii.as_bytes())).unwrap();
    let inline = format!(
        "host: h\nvault_ascii: !vault |\n  {}\n",
        inline.trim_end().replace('\n', "\n  ")
    );
    let locked = vaulted(&password, &password);
    let started = |name: &str, args: &[&str]| {
        let files = [
            ("whole.yml", whole.clone()),
            ("inline.yml", inline.clone().into_bytes()),
            ("key.pem", raw.clone()),
            ("locked", locked.clone()),
        ];
        let password = password.clone();
        let given = [
            "import",
            "ansible-vault",
            "--vault-password-file",
            "../given/password",
        ];
        let own = args.iter().any(|arg| arg.starts_with("--vault-"));
        let args = [if own { &given[..2] } else { &given }, args].concat();
        case(format!("import {name}"), &args).before(move |scene| {
            put(&scene.path("given/password"), &password, 0o600);
            for (name, bytes) in &files {
                scene.put(name, bytes);
            }
            let text = String::from_utf8(password.clone()).unwrap();
            for (name, script) in [
                ("prints", format!("echo '{text}'")),
                ("x-client", format!("[ $# = 2 ] && echo '{text}'")),
                ("fails", format!("echo '{text}'; exit 3")),
                ("floods", format!("yes '{text}'")),
            ] {
                put(
                    &scene.path("given").join(name),
                    format!("#!/bin/sh\n{script}\n").as_bytes(),
                    0o755,
                );
            }
        })
    };
    for verbose in ["-v", "--non-interactive"] {
        cases.extend([
            started("-n", &["whole.yml", "-n", "--force", verbose]),
            started("another value", &["whole.yml", verbose])
                .how(How::Shell(OTHER))
                .codes(&[2]),
            started("--force over another", &["whole.yml", "--force", verbose])
                .how(How::Shell(OTHER)),
            started(
                "--force",
                &["whole.yml", "--force", "-P", "production", verbose],
            ),
            started("--json", &["whole.yml", "--force", "--json", verbose]),
            started("--remove", &["whole.yml", "--force", "--remove", verbose]),
            started(
                "--remove --json",
                &["inline.yml", "--remove", "--json", verbose],
            ),
            started("undeclared", &["key.pem", "--name", "NEW", verbose]).fails(),
            started(
                "--declare",
                &["key.pem", "--name", "NEW", "--declare", verbose],
            ),
            started("of two", &["whole.yml", "inline.yml", verbose]).fails(),
            started(
                "by a script",
                &["inline.yml", "--vault-id", "../given/prints", verbose],
            ),
            started(
                "by a client",
                &["inline.yml", "--vault-id", "a@../given/x-client", verbose],
            ),
            started(
                "by a script that fails",
                &["inline.yml", "--vault-id", "a@../given/fails", verbose],
            )
            .fails(),
            started(
                "by a script that floods",
                &["inline.yml", "--vault-id", "a@../given/floods", verbose],
            )
            .fails(),
            started(
                "by a locked file",
                &[
                    "inline.yml",
                    "--vault-id",
                    "a@../given/password",
                    "--vault-id",
                    "b@locked",
                    verbose,
                ],
            ),
            started(
                "by a locked file alone",
                &["inline.yml", "--vault-id", "b@locked", verbose],
            )
            .fails(),
        ]);
    }
    let x = canaries.typed.as_str();
    cases.extend([
        started(
            "a password for a file",
            &["inline.yml", "--vault-password-file", x],
        )
        .fails(),
        started("a password for an id", &["inline.yml", "--vault-id", x]).fails(),
        started(
            "a password for a source",
            &["inline.yml", "--vault-id", &format!("a@{x}")],
        )
        .fails(),
        started(
            "a value to skip",
            &["inline.yml", "--skip", &format!("{x}!")],
        )
        .fails(),
        started(
            "a password in the environment",
            &["inline.yml", "--vault-id", "a@nowhere"],
        )
        .env("ANSIBLE_VAULT_PASSWORD_FILE", x)
        .env("ANSIBLE_VAULT_IDENTITY_LIST", x)
        .fails(),
        started(
            "an identity in the environment",
            &["inline.yml", "--vault-id", "a@../given/prints"],
        )
        .env("DOTAGE_IDENTITY", canaries.key.clone()),
        started("nobody", &["inline.yml"])
            .env("DOTAGE_IDENTITY", canaries.stranger.clone())
            .codes(&[3]),
    ]);
    let line = |text: &[u8]| [text, b"\n"].concat();
    cases.extend([
        started("at a terminal", &["inline.yml", "--vault-id", "prompt"])
            .how(How::Terminal(vec![("Vault password", line(&password))])),
        started(
            "at a terminal, another password",
            &["inline.yml", "--vault-id", "prompt"],
        )
        .how(How::Terminal(vec![(
            "Vault password",
            line(ascii.as_bytes()),
        )]))
        .fails(),
        started(
            "at a terminal, nothing",
            &["inline.yml", "--vault-id", "prompt"],
        )
        .how(How::Terminal(vec![("Vault password", line(b""))]))
        .fails(),
    ]);
    for args in [
        &["whole.yml", "--force"][..],
        &["inline.yml", "--vault-id", "a@../given/prints"],
    ] {
        cases.push(started(&format!("held: {args:?}"), args).how(How::Held(HOLD)));
    }
    // What was encrypted, and holds a canary where none is looked for.
    let one = ascii.as_str();
    for (name, text) in [
        ("a text", one.to_owned()),
        ("a list", format!("- {one}\n- b\n")),
        ("a list under a key", format!("key: [{one}, b]\n")),
        ("a value for a key", format!("{one}: 1\n")),
        ("a value for a key of a list", format!("{one}: [1]\n")),
        ("a value for a key of nothing", format!("{one}:\n")),
        ("a value for two keys", format!("{one}: 1\n{one}: 2\n")),
        ("a key no variable has", format!("\"{one} x\": 1\n")),
        ("a quote left open", format!("a: '{one}\n")),
        ("a bracket left open", format!("a: [{one}\n")),
        ("a tag", format!("a: !!binary {one}\n")),
        ("an alias", format!("a: *{one}\n")),
        ("an anchor", format!("a: &{one} [b]\n")),
        ("a reserved character", format!("a: @{one}\n")),
        ("a tab", format!("a:\n\tb: {one}\n")),
        ("a second document", format!("a: {one}\n---\nb: 1\n")),
        ("a key in a key", format!("? {{ a: {one} }}\n: 1\n")),
        ("a control character", format!("a: \u{1}{one}\n")),
        ("a vault in it that is none", format!("a: !vault {one}\n")),
        (
            "a list of vaults that are none",
            format!("a: [!vault {one}]\n"),
        ),
    ] {
        let text = vaulted(&password, text.as_bytes());
        let with = move |args: &[&str]| {
            let text = text.clone();
            let started = started(&format!("with {name} {args:?}"), args);
            let Some(first) = started.before else {
                unreachable!()
            };
            Case {
                before: None,
                ..started
            }
            .before(move |scene| {
                first(scene);
                scene.put("odd.yml", &text);
            })
        };
        cases.push(with(&["odd.yml"]).fails());
    }
    let cut = |at: usize| whole[..whole.len() - at].to_vec();
    for (name, bytes) in [
        ("cut", cut(2)),
        ("cut more", cut(700)),
        ("altered", [&cut(3)[..], b"00\n"].concat()),
    ] {
        let started = started(
            &format!("of a file that is {name}"),
            &["odd.yml", "--declare"],
        );
        let Some(first) = started.before else {
            unreachable!()
        };
        cases.push(
            Case {
                before: None,
                ..started
            }
            .before(move |scene| {
                first(scene);
                scene.put("odd.yml", &bytes);
            })
            .fails(),
        );
    }
}

/// A step of GitHub's. The masks are values, which is what they are for: they are taken out of what it prints, and so is
/// what later steps are to have.
fn github(cases: &mut Vec<Case>) {
    const STEP: &str = r#"mkdir ../tmp/step && cd ../tmp/step && : >env && : >output && mkdir temp
        export GITHUB_ACTIONS=true GITHUB_ENV="$PWD/env" GITHUB_OUTPUT="$PWD/output" RUNNER_TEMP="$PWD/temp" && cd "$OLDPWD"
        [ -z "$BROKEN" ] || export "$BROKEN=/dev/full"
        "$0" "$@" 2>../tmp/step/log
        code=$?
        grep -v '^::add-mask::' ../tmp/step/log >&2
        rm -rf ../tmp/step
        exit $code"#;
    for (args, codes) in [
        (&["ASCII", "PEM", "ESCAPES"][..], &[0][..]),
        (&["ASCII", "PEM", "-P", "production", "-v"], &[0]),
        (&["ASCII", "PEM", "--mask-level", "paranoid"], &[0]),
        (&["ASCII", "PEM", "--export", "none"], &[0]),
        (&["ASCII", "--export", "file"], &[0]),
        (&["PEM", "--export", "file"], &[2]),
        (&["ASCII", "--export", "outputs"], &[2]),
        (
            &["ASCII", "--export", "outputs", "--secrets-as-outputs"],
            &[0],
        ),
        (&["PEM", "--as-env", "PEM"], &[0]),
        // Random bytes with a line feed are handed over as a file, others refused.
        (&["BINARY"], &[0, 2]),
        (&["BINARY", "--as-file", "BINARY"], &[0]),
        (&["ASCII", "--dry-run"], &[0]),
        (&["--strict", "--dry-run"], &[0, 2]),
    ] {
        let args = [&["ci", "github"], args].concat();
        cases.push(
            case(format!("{args:?}"), &args)
                .how(How::Shell(STEP))
                .codes(codes),
        );
    }
    for broken in ["GITHUB_ENV", "GITHUB_OUTPUT", "RUNNER_TEMP"] {
        cases.push(
            case(
                format!("ci github: {broken} is full"),
                &["ci", "github", "ASCII", "PEM"],
            )
            .env("BROKEN", broken)
            .how(How::Shell(STEP))
            .fails(),
        );
    }
    for form in ["people", "json", "github"] {
        cases.push(
            case(
                format!("ci doctor as {form}"),
                &["ci", "doctor", "--format", form],
            )
            .how(How::Shell(STEP))
            .codes(&[0, 1]),
        );
    }
}

/// A curl that stands before the real one: what it prints after the variables that are there (none) were asked for. It has
/// the token and every value on its standard input, and knows no better than to repeat them.
fn curl(answer: &str) -> String {
    format!(
        "#!/bin/sh\nsleep 0.2\nasked=$(cat)\ncase $asked in *'\"GET\"'*) printf 'HTTP/1.1 200 OK\\r\\n\\r\\n[]'; exit;; esac\n{answer}\n"
    )
}

/// What GitLab's jobs ask, and a server that repeats all it hears.
fn gitlab(canaries: &Canaries, cases: &mut Vec<Case>) {
    let token = canaries.values[0].1.clone();
    let head =
        |status: &str| format!("printf 'HTTP/1.1 {status}\\r\\nRetry-After: 9999\\r\\n\\r\\n'");
    let quoted =
        r#"printf '{"message": {"value": ["'; printf %s "$asked" | tr -d '"\\n'; printf '"]}}'"#;
    let plain = r#"printf %s "$asked""#;
    let answers = [
        (
            "made something else",
            format!("{}; {plain}", head("201 Created")),
        ),
        ("refuses", format!("{}; {quoted}", head("400 Bad Request"))),
        (
            "refuses in words",
            format!("{}; {plain}", head("403 Forbidden")),
        ),
        (
            "has enough",
            format!("{}; {plain}", head("429 Too Many Requests")),
        ),
        ("is elsewhere", format!("{}; {plain}", head("302 Found"))),
        ("speaks no HTTP", plain.to_owned()),
        ("is not trusted", format!("{plain}; {plain} >&2; exit 60")),
        ("is broken", format!("{plain}; {plain} >&2; exit 2")),
        ("is killed", "kill -9 $$".to_owned()),
    ];
    let sync = [
        "ci",
        "gitlab",
        "sync",
        "ASCII",
        "BASE64",
        "PEM",
        "--allow-unmasked",
        "--url",
        "https://gitlab.test",
        "--project",
        "1",
        "--token-file",
        "../given/token",
    ];
    for (what, answer) in answers {
        // Speaking no HTTP looks like a broken line, which is tried again until patience ends.
        let token = token.clone();
        let script = curl(&answer);
        cases.push(
            case(format!("a GitLab that {what}"), &sync)
                .before(move |scene| {
                    put(&scene.path("given/token"), &token, 0o600);
                    put(&scene.path("given/curl"), script.as_bytes(), 0o755);
                })
                .fails(),
        );
    }
    let given = token.clone();
    let dry = [&sync[..], &["--dry-run", "--json"]].concat();
    cases.push(case("a plan for GitLab", &dry).before(move |scene| {
        put(&scene.path("given/token"), &given, 0o600);
        put(&scene.path("given/curl"), curl("exit 2").as_bytes(), 0o755);
    }));
    cases.push(
        case("a token that is none", &sync)
            .before(move |scene| {
                put(
                    &scene.path("given/token"),
                    &[&token[..], b" x\n\xff"].concat(),
                    0o600,
                )
            })
            .fails(),
    );
    // The random bytes of one may hold a NUL, which no shell's file can carry.
    let export = ["ci", "gitlab", "--export", "file", "--to", "out/job.env"];
    cases.push(case("a file for a job", &export).codes(&[0, 2]));
    cases.push(case("a dotenv report", &["ci", "gitlab", "--export", "dotenv"]).fails());
    for args in [&["ci", "gitlab"][..], &["ci", "gitlab", "-v"]] {
        cases.push(
            case(format!("{args:?}, traced"), args)
                .env("CI_DEBUG_TRACE", "true")
                .env("GITLAB_CI", "true"),
        );
    }
}

fn mistakes(canaries: &Canaries, cases: &mut Vec<Case>) {
    let x = canaries.typed.as_str();
    let key = canaries.typed_key.as_str();
    let equals = format!("--value={x}");
    let pair = format!("ASCII={x}");
    for args in [
        &["set", "ASCII", x][..],
        &["set", "ASCII", "-P", "production", x],
        &["set", "ASCII", "--value", x],
        &["set", "ASCII", &equals],
        &["set", &pair],
        &["set", "ASCII", "--from-file", "/nowhere"],
        &["recipients", "add", key],
        &["recipients", "add", &key.to_lowercase()],
        &["recipients", "add", x],
        &["recipients", "remove", key],
        &["recipients", "remove", x],
        &["init", "--identity", key],
        &["keygen", x],
        &["get", "ASCII", x],
        &["edit", "ASCII", x],
        &["generate", "ASCII"],
        &["generate", "TOKEN", "BINARY"],
        &["postgres-role", "api", "--password-env", x],
        &["postgres-role", "api", x],
        &["get", "TOKEN"],
        &["get", "NOTHING"],
        &["render", "nothing"],
        &["render", "--stdout"],
        &["unset", "TOKEN"],
        &["unset", "NOTHING"],
        &["nothing"],
        &[],
    ] {
        let shown: Vec<_> = args.iter().take(2).collect();
        cases.push(
            case(format!("typed wrongly: {shown:?} of {}", args.len()), args)
                .fails()
                .stdin(x.as_bytes()),
        );
    }
    for name in ["UTF8", "ESCAPES", "PEM"] {
        cases.push(
            case(
                format!("postgres-role, {name}"),
                &["postgres-role", "api", "--password-env", "GIVEN_NEW"],
            )
            .env("GIVEN_NEW", canaries.text(name))
            .fails(),
        );
    }
    cases.push(
        case(
            "postgres-role at a terminal",
            &["postgres-role", "api", "--password-env", "GIVEN_NEW"],
        )
        .env("GIVEN_NEW", canaries.text("ASCII"))
        .how(How::Terminal(Vec::new()))
        .fails(),
    );
    cases.push(
        case("set bytes that are no text", &["set", "ASCII"])
            .stdin(&[x.as_bytes(), b"\xff"].concat())
            .fails(),
    );
    cases.push(
        case("set with a NUL", &["set", "ASCII"])
            .stdin(&[x.as_bytes(), b"\0"].concat())
            .fails(),
    );
    cases.push(
        case("set too much", &["set", "ASCII"])
            .stdin(x.repeat(20_000).as_bytes())
            .fails(),
    );
    cases.push(case("set nothing", &["set", "ASCII"]).fails());
}

/// What a program is given is its own to print; what it prints is searched for all that it was given.
fn ran(canaries: &Canaries, cases: &mut Vec<Case>) {
    // Bytes may hold a NUL, which no environment carries: that is a case of its own.
    let run = |name: &str, options: &[&str], program: &[&str]| {
        let args = [&["run"], options, &["--"], program].concat();
        case(format!("run: {name}"), &args).env("BINARY", "none")
    };
    let script = "env; env >&2; env | base64; env | base64 -w0; env | od -An -v -tx1 | tr -d ' \\n'; set
        python3 -c 'import json, os, urllib.parse as u; e = dict(os.environ); print(json.dumps(e), e, [u.quote(v) for v in e.values()])'";
    let everything = ["sh", "-c", script];
    cases.extend([
        run("everything printed", &[], &everything),
        run(
            "everything printed, of a service",
            &["--service", "api", "-v"],
            &everything,
        ),
        run("everything printed, in CI", &[], &everything).env("GITHUB_ACTIONS", "true"),
        run(
            "everything printed, at a terminal",
            &["--redact", "always"],
            &["env"],
        )
        .how(How::Terminal(Vec::new())),
        run(
            "nothing hidden",
            &["--redact", "never"],
            &["sh", "-c", "sleep 0.2; env"],
        )
        .product(),
        run("--dry-run", &["--dry-run"], &["env"]),
        run("--dry-run --json", &["--dry-run", "--json", "-v"], &["env"]),
        run("what the environment has", &[], &everything)
            .env("ASCII", canaries.text("BASE64"))
            .env("UTF8", ""),
        run("--override", &["--override"], &["env"])
            .env("ASCII", canaries.text("BASE64"))
            .codes(&[0, 125]),
        run("the identity in the environment", &[], &everything)
            .env("DOTAGE_IDENTITY", canaries.key.clone())
            .env("SOPS_AGE_KEY", canaries.key.clone()),
        run("slowly", &[], &["sh", "-c", "sleep 0.3; env"]),
        run("no such program", &[], &["no-such-program"]).codes(&[127]),
        run("no program", &[], &["/etc/passwd"]).codes(&[126]),
        run("a failure", &[], &["sh", "-c", "env; exit 9"]).codes(&[9]),
        run("a full disk", &[], &["sh", "-c", "env"])
            .how(How::Shell("exec \"$0\" \"$@\" >/dev/full"))
            .codes(&[125]),
        run("no identity", &[], &["env"])
            .env("HOME", "/nowhere")
            .codes(&[125]),
        run("a stranger", &[], &["env"])
            .env("DOTAGE_IDENTITY", canaries.stranger.clone())
            .codes(&[125]),
        run("no such profile", &["-P", "stage"], &["env"]).codes(&[125]),
        run("a value pasted into NAME_FILE", &[], &["env"])
            .env("ASCII_FILE", canaries.text("ASCII"))
            .codes(&[125]),
        case("run: a value typed", &["run", &canaries.typed]).codes(&[125]),
        case(
            "run: a NUL",
            &["run", "--secrets-dir", "../given", "--", "env"],
        )
        .before({
            let value = [canaries.value("ASCII"), b"\0"].concat();
            move |scene| put(&scene.path("given/ascii"), &value, 0o600)
        })
        .codes(&[125]),
        case(
            "run: a value too long",
            &["run", "--secrets-dir", "../given", "--", "env"],
        )
        .before({
            let value = canaries.value("ASCII").repeat(8000);
            move |scene| put(&scene.path("given/ascii"), &value, 0o600)
        })
        .codes(&[125]),
        case(
            "run: a folder of secrets",
            &[
                "run",
                "--secrets-dir",
                "../given",
                "--redact",
                "always",
                "--",
                "env",
            ],
        )
        .before({
            let value = canaries.value("ASCII").to_vec();
            move |scene| put(&scene.path("given/ascii"), &value, 0o600)
        }),
        case("run: a folder of secrets, no project", &[])
            .before({
                let value = canaries.value("ASCII").to_vec();
                move |scene| put(&scene.path("given/ascii"), &value, 0o600)
            })
            .how(How::Shell(
                "exec \"$0\" -C / run --secrets-dir \"$GIVEN\" --redact always -- env",
            )),
        run(
            "ended by a signal",
            &[],
            &["sh", "-c", "env; exec sleep 30"],
        )
        .how(How::Signal("-TERM"))
        .codes(&[143]),
    ]);
}

/// Ended from outside.
fn killed(cases: &mut Vec<Case>) {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let code = match signal {
            "-TERM" => 143,
            "-INT" => 130,
            _ => 129,
        };
        cases.push(
            case(format!("{signal} while a command runs"), &["render"])
                .before(|scene| {
                    put(
                        &scene.path("given/slow"),
                        b"#!/bin/sh\nexec sleep 2\n",
                        0o755,
                    );
                })
                .env("DOTAGE_IDENTITY_COMMAND", "slow")
                .how(How::Signal(signal))
                .codes(&[code]),
        );
        cases.push(
            case(format!("{signal} while an editor runs"), &["edit"])
                .before(|scene| {
                    put(
                        &scene.path("given/slow"),
                        b"#!/bin/sh\nexec sleep 2\n",
                        0o755,
                    );
                })
                .env("EDITOR", "slow")
                .how(How::Signal(signal))
                .codes(&[code, 2, 0]),
        );
    }
    let at: [&[&str]; 6] = [
        &["-e", "trace=fsync", "-e", "inject=fsync:signal=TERM:when=1"],
        &[
            "-e",
            "trace=renameat",
            "-e",
            "inject=renameat:signal=TERM:when=1",
        ],
        &["-e", "trace=write", "-e", "inject=write:signal=INT:when=2"],
        &["-e", "trace=write", "-e", "inject=write:signal=INT:when=4"],
        &[
            "-e",
            "trace=fchmod",
            "-e",
            "inject=fchmod:signal=TERM:when=1",
        ],
        &[
            "-e",
            "trace=openat",
            "-e",
            "inject=openat:signal=TERM:when=20",
        ],
    ];
    for inject in at {
        cases.push(
            case(inject[3], &["render", "--all"])
                .how(How::Held(inject))
                .codes(&[0, 130, 143])
                .torn(),
        );
    }
}
