//! What real programs print of a secret, and what of that gets through.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dotage::dialect::Dialect;
use dotage::redact::{Marker, Needles, Redactor};
use dotage::secret::{Name, Secret};
use std::io::Write as _;
use std::process::Command;

fn hide(value: &[u8], text: &[u8]) -> String {
    let name = Name::new("SECRET").unwrap();
    let secret = Secret::new(value.to_vec());
    let needles = Needles::new([(&name, &secret)]);
    let mut redactor = Redactor::new(&needles, Marker::Name, Vec::new());
    redactor.write_all(text).unwrap();
    String::from_utf8_lossy(&redactor.finish().unwrap()).into_owned()
}

/// What bash prints for a script that has the value as `$V`.
fn printed(script: &str, value: &str) -> Vec<u8> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/target/consumers/node/node_modules/.bin:/usr/bin:/bin"
    );
    let output = Command::new("bash")
        .args(["-o", "pipefail", "-c", script])
        .env_clear()
        .envs([
            ("PATH", path),
            ("LC_ALL", "C.UTF-8"),
            ("AHEAD", "something"),
            ("V", value),
        ])
        .output()
        .unwrap();
    assert!(
        output.status.success() && output.stdout.is_empty() <= value.is_empty(),
        "{script}: run tests/install: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// How many characters there are that are neither white space nor a marker.
fn shown(text: &str) -> usize {
    let text = text.replace("[SECRET]", "");
    text.chars().filter(|c| !c.is_whitespace()).count()
}

const VALUES: &[&str] = &[
    "p@ss/w0rd+42&x=y'\"z",
    "Zk3vQ9rTm1Xw8LbN5cYe",
    "Zk3vQ9rTm1Xw8LbN5cYeR",
    "Zk3vQ9rTm1Xw8LbN5cYeRt",
    "Zk3vQ9rTm1Xw8LbN5cYeRtZk3-Q9rTm2Xw7LbN6cYfSuJp4_s0Hd5KgA7eVi3Zo6Bx1Cn8Wq2Tf9Ml4Rj5Yk0Ud3Pw",
    "a b$c\\d`e!f#g;h|i<j>k{l}m[n]o*p?q~r^s%t,u:v.w",
    "pässwörd-ключ-日本語-🔑-x",
    "tab\tand\rreturn and \u{1b}[31m and \u{1} end",
];

const PYTHON: &str = r#"exec python3 -c '
import base64, binascii, html, json, os, shlex, urllib.parse
from xml.sax.saxutils import escape, quoteattr
v, b = os.environ["V"], os.environb[b"V"]
print(urllib.parse.quote(v), urllib.parse.quote(v, safe=""), urllib.parse.quote_plus(v), urllib.parse.urlencode({"v": v}))
print(json.dumps(v), json.dumps({"v": v}, ensure_ascii=False), json.dumps(v).replace("/", "\\/"))
print(json.dumps(json.dumps(v, ensure_ascii=False), ensure_ascii=False), json.dumps(v, ensure_ascii=False).replace("&", "\\u0026"))
print(repr(v), b, {"v": v}, [b], shlex.quote(v), html.escape(v), escape(v), quoteattr(v))
print(binascii.hexlify(b).decode(), b.hex().upper(), base64.encodebytes(b).decode(), base64.urlsafe_b64encode(b).decode().rstrip("="))
'"#;

const RUBY: &str = r#"exec ruby -rjson -rcgi -rshellwords -rbase64 -e '
v = ENV["V"]
puts v.to_json, CGI.escape(v), CGI.escapeHTML(v), Shellwords.escape(v), v.unpack1("H*"), Base64.encode64(v), Base64.urlsafe_encode64(v)
'"#;

/// Scripts whose output tells nothing of the value but what it would tell of none.
const HIDDEN: &[&str] = &[
    "printf %s \"$V\"",
    "echo \"$V\"",
    "env",
    "export -p",
    "declare -p V",
    "printf %q \"$V\"",
    "echo \"${V@Q}\"",
    "set -x; exec 2>&1; : \"$V\"",
    "dash -xc ': \"$V\"' 2>&1",
    "printf %s \"$V\" | base64",
    "echo \"$V\" | base64",
    "printf %s \"$V\" | base64 -w0",
    "printf user:%s \"$V\" | base64 -w0",
    "printf 'user:%s\\n' \"$V\" | base64 -w0",
    "printf '{\"p\":\"%s\"}' \"$V\" | base64 -w0",
    "printf '{\"p\":\"%s\"}' \"$V\" | base64",
    "printf '{\"p\":\"%s\"}' \"$V\" | basenc --base64url -w0 | tr -d =",
    "printf %s \"$V\" | openssl base64",
    "printf xy%s \"$V\" | openssl base64 -A",
    "env | base64",
    "env | base64 -w64",
    "printf %s \"$V\" | xxd -p",
    "printf %s \"$V\" | xxd -p -u",
    "env | xxd -p",
    "env | xxd -p -u -c 32",
    "printf %s \"$V\" | od -An -v -tx1 | tr -d ' \\n'",
    PYTHON,
    "node -e 'const v = process.env.V, b = Buffer.from(v); console.log([encodeURIComponent(v), JSON.stringify(v), new URLSearchParams({v}).toString(), b.toString(\"base64url\"), b.toString(\"hex\")].join(\"\\n\"))'",
    "jq -nr 'env.V | @uri, @base64, @html, @sh, @csv \"\\([.])\", tojson, (tojson | tojson)'",
    RUBY,
    "perl -MMIME::Base64 -e 'print encode_base64($ENV{V})'",
    "perl -e 'print unpack(\"H*\", $ENV{V})'",
    "sed \"s/'/''/g\" <<< \"$V\"",
];

/// What the page says that gets through.
const TOLD: &[(&str, &str)] = &[
    ("reversed", "printf %s \"$V\" | rev"),
    ("spaced", "printf %s \"$V\" | sed 's/./& /g'"),
    ("folded", "printf %s \"$V\" | fold -w 7"),
    ("in capitals", "printf %s \"$V\" | tr a-z A-Z"),
    ("a part", "printf %s \"${V:0:12}\""),
    ("in columns", "printf %s \"$V\" | od -An -tx1"),
    ("hashed", "printf %s \"$V\" | sha256sum"),
    ("compressed", "printf %s \"$V\" | gzip -c | base64 -w0"),
];

#[test]
fn what_programs_print_of_a_secret_is_hidden() {
    let mut leaks = Vec::new();
    for script in HIDDEN {
        let frame = shown(&String::from_utf8_lossy(&printed(script, "")));
        for value in VALUES {
            let text = printed(script, value);
            let hidden = hide(value.as_bytes(), &text);
            // Where base64 begins or ends, a character or two have bits of a neighbour; quotes depend on what they quote.
            let times = hidden.matches("[SECRET]").count();
            if shown(&hidden) > frame + 5 * times || times == 0 {
                leaks.push(format!(
                    "{script}\n    {hidden:?}\n    {:?}",
                    String::from_utf8_lossy(&text)
                ));
            }
        }
    }
    assert!(
        leaks.is_empty(),
        "{} leaks:\n{}",
        leaks.len(),
        leaks.join("\n")
    );
}

#[test]
fn what_the_page_says_gets_through_does() {
    let page = include_str!("cli/redact.md");
    for (word, script) in TOLD {
        let value = "Zk3vQ9rTm1Xw8LbN5cYeRtZk3-Q9rTm2Xw7LbN6cYfSu";
        let text = printed(script, value);
        assert_eq!(
            hide(value.as_bytes(), &text),
            String::from_utf8_lossy(&text),
            "{word}"
        );
        assert!(page.contains(word), "the page doesn't say: {word}");
    }
}

#[test]
fn what_dotage_writes_itself_is_hidden() {
    for value in VALUES {
        for dialect in Dialect::ALL {
            let mut line = b"NAME=".to_vec();
            if dialect.write(value.as_bytes(), &mut line).is_ok() {
                let hidden = hide(value.as_bytes(), &line);
                let line = String::from_utf8_lossy(&line);
                assert!(
                    hidden.contains("[SECRET]") && shown(&hidden) <= "NAME=".len() + 4,
                    "{dialect:?}: {hidden:?} of {line:?}"
                );
            }
        }
    }
}

#[test]
fn a_private_key_is_hidden_in_whatever_way_it_is_printed() {
    let key = String::from_utf8(printed(
        "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2> /dev/null",
        "",
    ))
    .unwrap();
    let document = serde_json::json!({"type": "service_account", "private_key": key}).to_string();
    for value in [&key, &document] {
        for script in [
            "echo \"$V\"",
            "echo $V",
            "echo \"$V\" | base64",
            "echo \"$V\" | base64 -w0",
            "echo \"$V\" | xxd -p",
            "echo \"$V\" | sed 's/^/2026-11-25T18:00:00Z /'",
            "printf %s \"$V\" | tr -d '\\n'",
            "python3 -c 'import os,json; print(json.dumps(os.environ[\"V\"]))'",
            "printf 'key: |\\n%s\\n' \"$V\" | sed 's/^/  /'",
        ] {
            let text = String::from_utf8(printed(script, value)).unwrap();
            let hidden = hide(value.as_bytes(), text.as_bytes());
            assert_eq!(
                longest_in_common(&text, &hidden),
                None,
                "{script}: {hidden}"
            );
        }
    }
    // And what is printed of a document is often one string of it.
    let hidden = hide(document.as_bytes(), key.as_bytes());
    assert_eq!(longest_in_common(&key, &hidden), None, "{hidden}");
}

/// A piece of twenty characters of base64 that is in both; the lines of armour are no secret.
fn longest_in_common<'t>(text: &'t str, hidden: &str) -> Option<&'t str> {
    let is_base64 = |c: &u8| c.is_ascii_alphanumeric() || b"+/".contains(c);
    (0..text.len().saturating_sub(20))
        .filter_map(|at| text.get(at..at + 20))
        .find(|piece| piece.bytes().all(|b| is_base64(&b)) && hidden.contains(piece))
}
