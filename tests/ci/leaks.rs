//! What a job's log shows of a masked secret: values of every format, printed in the ways that programs do.

use crate::hostile::Numbers;
use crate::runner::{HIDDEN, Runner};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dotage::ci::github::{Level, masks};
use dotage::generate::{self, Encoding, Policy};
use dotage::redact::cannot_hide;
use dotage::secret::{Name, Secret};
use std::process::Command;

/// A way to print, and how many characters of its own it has around the value, encoded as the value is: what a mask can't
/// reach. The rest of base64's first and last characters, which a neighbour has bits in, is 6 at the most.
const ROWS: &[(&str, usize)] = &[
    ("raw", 0),
    ("assignment", 10),
    ("base64", 6),
    ("base64 of echo", 6),
    ("base64 of user:", 8 + 6),
    ("base64 of user: and a line feed", 8 + 6),
    ("base64 of x:", 4 + 6),
    ("base64 of a document", 8 + 4 + 6),
    ("base64url", 6),
    ("hex", 0),
    ("HEX", 0),
    ("%q", 4),
    ("set -x", 9),
    ("declare -p", 18),
    ("urllib quote", 0),
    ("urllib quote in lower case", 0),
    ("urllib quote_plus", 0),
    ("json.dumps", 16),
    ("json.dumps in Unicode", 16),
    ("json as PHP", 2),
    ("json as Go", 2),
    ("json in json", 6),
    ("html.escape", 0),
    ("saxutils", 2),
    ("repr", 2),
    ("repr of bytes", 3),
    ("shlex.quote", 2),
    ("encodeURIComponent", 0),
    ("URLSearchParams", 9),
    ("JSON.stringify", 15),
    ("Basic", 21 + 8 + 6),
    ("node base64url", 6),
    ("console.log", 32),
];

/// Folded: the last line is hidden where it has 16 characters.
const FOLDED: &[(&str, usize)] = &[
    ("base64 folded at 76", 6 + 15),
    ("base64 folded at 64", 6 + 15),
    ("hex folded", 15),
];

/// What masks don't hide: the documented exceptions.
const SHOWN: &[&str] = &[
    "reversed",
    "spaced",
    "swapped case",
    "half",
    "sorted out",
    "folded at 40",
    "hex in pairs",
];

fn runner(value: &str, level: Level) -> Runner {
    let (name, secret) = (
        Name::new("V").unwrap(),
        Secret::new(value.as_bytes().to_vec()),
    );
    let masks = masks(&[(&name, &secret)], level);
    let commands = std::str::from_utf8(&masks.commands).unwrap();
    assert_eq!(commands.lines().count(), masks.count);
    // One line each, whatever the value: of several, the runner would hide each `{` and `}`.
    for line in commands.lines() {
        assert!(
            line.starts_with("::add-mask::") && line.len() > 15,
            "{line}"
        );
        assert!(
            !line.contains("%0A") || value.contains("%0A") || value.contains('\n'),
            "{line}"
        );
        assert!(!line.replace("%25", "").contains('%'), "{line}");
    }
    let mut runner = Runner::default();
    assert_eq!(runner.log(commands).trim(), "");
    runner
}

/// What the programs print, by the way.
fn printed(value: &str) -> Vec<(String, String)> {
    let root = env!("CARGO_MANIFEST_DIR");
    let output = Command::new("bash")
        .arg(format!("{root}/tests/ci/print.sh"))
        .env("V", value)
        .env(
            "NODE",
            format!("{root}/target/consumers/node/node_modules/node-20/bin/node"),
        )
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.split("\n== ")
        .skip(1)
        .map(|row| row.split_once('\n').unwrap())
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect()
}

fn random(bytes: usize, encoding: Encoding) -> String {
    let secret = generate::random(bytes, encoding).unwrap();
    String::from_utf8(secret.expose().to_vec()).unwrap()
}

/// A value of each format that has one line.
fn values() -> Vec<String> {
    let policy = Policy {
        length: 24,
        upper: true,
        lower: true,
        digit: true,
        symbol: true,
    };
    let password = generate::password(policy).unwrap();
    let mut values = vec![
        "p@ss/w0rd+42&x=y'\"z".to_owned(),
        "tr0ub4dor & three, \"quoted\" <tags> $HOME `id` \\n".to_owned(),
        "100%25 of %0A and %2B; ::error::x".to_owned(),
        "##[add-mask]x ::set-env name=A::b".to_owned(),
        "\"in quotes of its own\"".to_owned(),
        "pässwörd-日本語-😀-ünïcödé".to_owned(),
        "a&+bcdefgh&ijklmnop&+qrstuv".to_owned(),
        format!(
            "postgresql://app:{}@db.internal:5432/app?sslmode=require",
            "p%40ss-w%2Frd-94kd8"
        ),
        String::from_utf8(password.expose().to_vec()).unwrap(),
    ];
    for bytes in [15, 16, 17, 48, 90, 150] {
        values.push(random(bytes, Encoding::Base64Url));
        values.push(random(bytes, Encoding::Base64));
        values.push(random(bytes, Encoding::Hex));
    }
    values
}

/// What of a log is neither hidden nor blank.
fn visible(log: &str) -> usize {
    let log = log.replace(HIDDEN, "");
    log.chars().filter(|c| !c.is_whitespace()).count()
}

#[test]
fn a_masked_value_is_hidden_however_it_is_printed() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for value in values() {
        let mut runner = runner(&value, Level::Standard);
        let rows = printed(&value);
        for (name, around) in ROWS.iter().chain(FOLDED) {
            let (_, text) = rows.iter().find(|(row, _)| row == name).unwrap();
            let log = runner.log(text);
            // Folded, a short value is no longer than what of a long one may be seen.
            let says_something = visible(text) >= around + 12;
            assert!(says_something || around > &20, "{name} of {value}: {text}");
            checked += usize::from(says_something);
            if visible(&log) > *around {
                wrong.push(format!("{name} of {value}: {log}"));
            }
        }
        for name in SHOWN {
            let (_, text) = rows.iter().find(|(row, _)| row == name).unwrap();
            let log = runner.log(text);
            // Half of a command of the runner's own is a command.
            if value.starts_with("##[") && *name == "half" {
                continue;
            }
            if *name != "swapped case" && *name != "folded at 40" && visible(&log) < 8 {
                wrong.push(format!(
                    "{name} of {value} is hidden, and documented as shown: {log}"
                ));
            }
        }
    }
    println!("{checked} prints looked at");
    assert!(checked > 800);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn whatever_a_value_is_made_of_its_lines_and_its_base64_are_hidden() {
    let mut numbers = Numbers::from("masks");
    let mut checked = 0;
    for _ in 0..400 {
        let value = numbers.value();
        // What no environment carries.
        let value = match std::str::from_utf8(&value) {
            Ok(value) if !value.contains('\0') => value,
            _ => continue,
        };
        let value = value.trim_matches(|c: char| c.is_ascii_whitespace());
        let runner = runner(value, Level::Standard);
        for line in value.split(['\r', '\n']) {
            let line = line.trim_matches(|c: char| c.is_ascii_whitespace());
            if cannot_hide(line.as_bytes()).is_none() && !line.trim().is_empty() {
                assert_eq!(runner.hide(line), HIDDEN, "{line:?} of {value:?}");
                checked += 1;
            }
        }
        if value.len() < 16 || cannot_hide(value.as_bytes()).is_some() {
            continue;
        }
        for (before, after) in [
            ("", ""),
            ("", "\n"),
            ("x", ""),
            ("xy", "\n"),
            ("xyz", "\"}"),
        ] {
            let text = STANDARD.encode(format!("{before}{value}{after}"));
            let seen = visible(&runner.hide(&text));
            assert!(seen <= 10, "{seen} of {text}, the base64 of {value:?}");
            checked += 1;
        }
    }
    assert!(checked > 300, "{checked}");
}

/// Runs of letters and digits that are too long to be anything but a piece of a secret; a folded text may end in 15.
fn runs(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|run| run.len() >= 16)
        .collect()
}

#[test]
fn a_document_is_hidden_and_so_is_each_secret_in_it() {
    let pem = Command::new("openssl")
        .args(["genpkey", "-algorithm", "rsa"])
        .output()
        .unwrap();
    let pem = String::from_utf8(pem.stdout).unwrap();
    let token = random(30, Encoding::Base64Url);
    let account = serde_json::json!({
        "type": "service_account",
        "private_key_id": random(20, Encoding::Hex),
        "private_key": pem,
        "client_email": "deploy@example.com",
    });
    let account = serde_json::to_string_pretty(&account).unwrap();
    let env =
        format!("# of the shop\nexport API_TOKEN='{token}'\nDB_PASSWORD=\"p@ss / {token}\"\n");
    let known = "-----BEGIN PRIVATE KEY-----\nservice_account private_key_id client_email";
    let mut wrong = Vec::new();
    for value in [&pem, &account, &env] {
        let mut runner = runner(value, Level::Standard);
        for (name, text) in printed(value) {
            // Base64's alphabet is letters and digits: a document in it is hidden whole, or runs of it are seen.
            if SHOWN.contains(&name.as_str()) {
                continue;
            }
            let log = runner.log(&text);
            let left: Vec<&str> = runs(&log)
                .into_iter()
                .filter(|run| !known.contains(run))
                .collect();
            if !left.is_empty() {
                wrong.push(format!("{name}: {left:?}"));
            }
        }
        // One string of it, as a program that read the document prints it.
        let pieces = [
            token.clone(),
            pem.clone(),
            pem.replace('\n', "\\n"),
            pem.replace('\n', " "),
        ];
        for piece in pieces
            .iter()
            .filter(|piece| value.contains(piece.trim()) || *value == account)
        {
            if *value == account && *piece == token {
                continue;
            }
            let log = runner.log(piece);
            let left: Vec<&str> = runs(&log)
                .into_iter()
                .filter(|run| !known.contains(run))
                .collect();
            if !left.is_empty() {
                wrong.push(format!("a piece: {left:?}"));
            }
        }
        // What every document has stays as it is: outputs that hold a brace reach the next job.
        assert!(runner.passes_on("{}"), "a brace is masked");
        assert!(runner.passes_on("-----BEGIN PRIVATE KEY-----"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_the_runner_derives_itself_is_not_sent() {
    let count = |value: &str, level| runner(value, level).count();
    let (name, value) = (Name::new("V").unwrap(), "it's <a> 24 chars &value");
    let secret = Secret::new(value.as_bytes().to_vec());
    let sent = masks(&[(&name, &secret)], Level::Standard);
    let sent = std::str::from_utf8(&sent.commands).unwrap();
    let own = [
        "aXQncyA8YT4gMjQgY2hhcnMgJnZhbHVl",
        "it''s <a> 24 chars &value",
        "it%2527s%2520%253Ca%253E%252024%2520chars%2520%2526value",
        "it&apos;s &lt;a&gt; 24 chars &amp;value",
    ];
    for own in own {
        assert!(
            !sent.lines().any(|line| line.ends_with(&format!("::{own}"))),
            "{own}"
        );
    }
    // Each level hides what the one below it does, and more.
    assert!(count(value, Level::Minimal) < count(value, Level::Standard));
    let document = "the first's <line> & one\nthe second's <line> & another\n";
    assert!(count(document, Level::Standard) < count(document, Level::Paranoid));
}

#[test]
fn a_value_that_is_part_of_many_words_is_not_masked() {
    for value in ["", "1", "abc", "true", "production", "3000", "    "] {
        let mut runner = Runner::default();
        let (name, secret) = (
            Name::new("V").unwrap(),
            Secret::new(value.as_bytes().to_vec()),
        );
        let masks = masks(&[(&name, &secret)], Level::Paranoid);
        assert_eq!(masks.count, 0, "{value:?}");
        assert!(
            runner
                .log("reproduction of 3000 true abc 1")
                .contains("production of 3000 true abc 1")
        );
    }
}
