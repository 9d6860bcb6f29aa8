//! What `lint` finds is what the real consumers disagree about: each rule has a text that it alone catches, and a file
//! on which lint is silent is read alike by every real consumer that it was asked about.
//!
//! Run `tests/install` first. Each of nine lists of consumers is asked about a third as many generated files, a thousand at most, as
//! `DOTAGE_ORACLE_VALUES` says (1,000 without it).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test may end it"
)]

#[allow(
    dead_code,
    reason = "shared with tests/dialects.rs, which uses all of it"
)]
#[path = "dialects/consumers.rs"]
mod consumers;
#[allow(
    dead_code,
    reason = "shared with tests/dialects.rs, which uses all of it"
)]
#[path = "dialects/hostile.rs"]
mod hostile;

use consumers::{ALL, Consumer};
use dotage::dialect::Dialect;
use dotage::lint::{self, RULES, USUAL};
use dotage::problem::{Problem, Severity};
use hostile::Numbers;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

/// Those that read quotes, which a portable file is for.
const QUOTING: &[Dialect] = &[
    Dialect::Compose,
    Dialect::Systemd,
    Dialect::Shell,
    Dialect::Node,
    Dialect::DotenvExpand,
    Dialect::Vite,
    Dialect::NodeEnvFile,
    Dialect::Python,
    Dialect::Ruby,
    Dialect::Rust,
    Dialect::Direnv,
];

/// What somebody may write after `--for`.
const LISTS: &[&[Dialect]] = &[
    &USUAL,
    &[Dialect::Compose, Dialect::Node],
    &[Dialect::Compose, Dialect::Docker],
    &[Dialect::Compose, Dialect::Shell, Dialect::Ruby],
    &[Dialect::Node, Dialect::NodeEnvFile, Dialect::Vite],
    &[Dialect::Python, Dialect::Systemd],
    &[Dialect::Ruby, Dialect::Rust, Dialect::Direnv],
    &[Dialect::Docker, Dialect::Kubernetes, Dialect::Github],
    QUOTING,
];

fn found(text: &[u8], consumers: &[Dialect]) -> Vec<Problem> {
    lint::problems(Path::new(".env"), text, consumers)
}

fn rules(text: &[u8], consumers: &[Dialect]) -> BTreeSet<&'static str> {
    found(text, consumers)
        .iter()
        .map(|problem| problem.rule)
        .collect()
}

fn consumer(name: &str) -> Dialect {
    Dialect::from_name(name).unwrap()
}

/// A text for each rule, and for whom, which no other rule catches.
const ONLY: &[(&str, &str, &[u8])] = &[
    ("executes-command", "compose shell", b"A=x$(id)\n"),
    ("executes-command", "dotenv-expand node", b"A='x$(id)'\n"),
    ("executes-command", "ruby node", b"A=\"x$(id)\"\n"),
    ("executes-command", "node shell", b"A=one two\n"),
    ("executes-command", "systemd shell", b"A=x`id`\n"),
    (
        "executes-command",
        "systemd shell",
        b"URL=http://h/?a=1&b=2\n",
    ),
    ("swallows-next", "systemd", b"A=x\\\nB=2\n"),
    ("swallows-next", "compose shell", b"A=\"x\nB=2\nC=y\"\n"),
    ("unterminated-quote", "systemd", b"A='x\n"),
    ("unterminated-quote", "node python", b"A=\"x\n# B\n"),
    ("backslash-continuation", "systemd node", b"A=x\\\n"),
    ("backslash-continuation", "systemd", b"# x \\\nA=1\n"),
    ("backslash-before-quote", "compose shell", b"A='x\\'\n"),
    ("adjacent-quotes", "shell node", b"A='x''y'\n"),
    ("adjacent-quotes", "rust node", b"A='x'y\n"),
    ("trailing-comment", "compose systemd", b"A=x # y\n"),
    ("trailing-comment", "compose systemd", b"A='x' # y\n"),
    ("hash-in-value", "compose node", b"A=x#y\n"),
    ("escape", "compose systemd", b"A=\"x\\ny\"\n"),
    ("escape", "systemd node", b"A=\"x\\\\y\"\n"),
    ("expands-variable", "compose systemd", b"A=x$B\n"),
    ("expands-variable", "python node", b"A='${B}'\n"),
    ("expands-variable", "shell compose", b"A=~/x\n"),
    ("quotes", "docker compose", b"A='x'\n"),
    ("backtick-quotes", "node compose", b"A=`x`\n"),
    ("unquoted-space", "rust compose", b"A=x y\n"),
    ("blank-at-end", "docker compose", b"A=x \n"),
    ("multi-line", "direnv compose", b"A='x\ny'\n"),
    ("odd-character", "compose node", b"A=x\ry\n"),
    ("odd-character", "systemd compose", "A=x\u{a0}\n".as_bytes()),
    ("export", "systemd compose", b"export A=1\n"),
    ("spaces-around-equals", "docker compose", b"A = 1\n"),
    ("colon-assignment", "compose python", b"A: 1\n"),
    ("no-value", "compose direnv", b"A\n"),
    ("not-an-assignment", "node compose", b"two words\n"),
    ("bad-name", "systemd node", b"A.B=1\n"),
    ("indented", "github compose", b" A=1\n"),
    ("comment-line", "github compose", b"# x\n"),
    ("comment-line", "github compose", b"# A=x\n"),
    ("crlf", "compose shell", b"A=1\r\nB=2\r\n"),
    ("bom", "compose node-env-file", b"\xef\xbb\xbfA=1\n"),
    ("not-utf8", "compose node", b"A=\xff\n"),
    ("nul-byte", "compose node", b"A=\0\n"),
    ("duplicate-key", "compose node", b"A=1\nA=2\n"),
    ("duplicate-key", "rust node", b"A=1\nA=2\n"),
    (
        "steers-process",
        "compose node",
        b"NODE_OPTIONS=--inspect\n",
    ),
    ("differs", "shell compose", b"A==x\n"),
];

#[test]
fn each_rule_has_a_text_that_it_alone_catches() {
    let mut wrong = Vec::new();
    for (rule, consumers, text) in ONLY {
        let consumers: Vec<Dialect> = consumers.split(' ').map(consumer).collect();
        let rules = rules(text, &consumers);
        if rules != BTreeSet::from([*rule]) {
            wrong.push(format!(
                "{rule}: {} says {rules:?}: {:#?}",
                text.escape_ascii(),
                found(text, &consumers)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let line = [b"A=", "x".repeat(70_000).as_bytes(), b"\n"].concat();
    assert_eq!(
        rules(&line, &[consumer("docker")]),
        BTreeSet::from(["too-long"])
    );
    assert_eq!(rules(&line, &USUAL), BTreeSet::new());
    let value = [b"A=", "x".repeat(131_070).as_bytes(), b"\n"].concat();
    assert_eq!(rules(&value, &USUAL), BTreeSet::from(["too-long"]));
    let caught: BTreeSet<&str> = ONLY
        .iter()
        .map(|(rule, ..)| *rule)
        .chain(["too-long"])
        .collect();
    let all: BTreeSet<&str> = RULES.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(caught, all);
    assert_eq!(all.len(), RULES.len(), "a rule stands twice");
}

#[test]
fn the_page_lists_every_rule() {
    let page = include_str!("cli/lint.md");
    for (rule, sentence) in RULES {
        assert!(
            page.contains(&format!("| `{rule}` | {sentence} |")),
            "{rule}"
        );
    }
}

/// The rows of what is known to be read differently, each by the consumers that read it so.
#[test]
fn every_known_difference_is_an_error() {
    for (text, consumers, rule) in [
        (&b"export K=1\n"[..], "docker compose", "export"),
        (b"export K=1\n", "github compose", "export"),
        (b"export K=1\n", "kubernetes compose", "export"),
        (b"K = 1\n", "kubernetes compose", "spaces-around-equals"),
        (b"K = 1\n", "shell compose", "spaces-around-equals"),
        (b"K = 1\n", "github compose", "spaces-around-equals"),
        (b"K: 1\n", "python node", "colon-assignment"),
        (b"K: 1\n", "ruby systemd", "colon-assignment"),
        (b"K\n", "kubernetes docker", "no-value"),
        (b"K\n", "direnv compose", "no-value"),
        (b"K\nL=1\n", "node-env-file node", "no-value"),
        (b"K='a' # c\n", "docker node", "trailing-comment"),
        (b"K=a # c\n", "kubernetes node", "trailing-comment"),
        (b"K=a#c\n", "vite python", "hash-in-value"),
        (b"K=a#c\n", "ruby rust", "hash-in-value"),
        (b"# c\nK=1\n", "github node", "comment-line"),
        (b"K=1\r\n", "github node", "crlf"),
        (b"\xef\xbb\xbfK=1\n", "direnv compose", "bom"),
        (b"\xef\xbb\xbfK=1\n", "systemd compose", "bom"),
        (b"K='a\nL=1\n", "node systemd", "unterminated-quote"),
        (b"K=a\\\nb\n", "shell node", "backslash-continuation"),
        (b"K='a'b\n", "systemd compose", "adjacent-quotes"),
        (b"A='x\\'\nB=' # y'\n", "node shell", "swallows-next"),
        (b"A='x\\'\nB=' # y'\n", "python systemd", "swallows-next"),
    ] {
        let consumers: Vec<Dialect> = consumers.split(' ').map(consumer).collect();
        let errors: Vec<&str> = found(text, &consumers)
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .map(|problem| problem.rule)
            .collect();
        assert!(
            errors.contains(&rule),
            "{}: {errors:?}",
            text.escape_ascii()
        );
    }
}

/// The number of generated files for each list: a thousand at most, each of which many programs are asked about.
fn count() -> usize {
    let values = std::env::var("DOTAGE_ORACLE_VALUES").map_or(1_000, |count| {
        count
            .parse::<usize>()
            .expect("DOTAGE_ORACLE_VALUES is a number")
    });
    values.div_ceil(3).min(1_000)
}

const NAMES: [&str; 8] = ["A", "B", "C", "C_1", "c", "A.B", "A-B", "1X"];

/// Files that somebody may have written, from wild to such as nearly everybody reads alike.
fn texts(list: &[Dialect], count: usize) -> Vec<Vec<u8>> {
    let mut numbers = Numbers::from(&format!("lint {list:?}"));
    // A circle of references ends dotenv-expand by running out of memory.
    let circle = |text: &[u8]| {
        let lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
        lines.filter(|line| line.contains(&b'$')).count() > 0
            && list
                .iter()
                .any(|one| matches!(one, Dialect::Vite | Dialect::DotenvExpand))
    };
    let mut texts = Vec::new();
    while texts.len() < count {
        let text = match numbers.below(3) {
            0 => numbers.text(&NAMES),
            1 => mild(&mut numbers),
            _ => {
                // One line of any kind between two that everybody reads alike.
                let mut text = b"X=1\n".to_vec();
                let middle = numbers.text(&NAMES[..5]);
                text.extend(
                    middle
                        .split_inclusive(|&byte| byte == b'\n')
                        .take(1)
                        .flatten(),
                );
                if !text.ends_with(b"\n") {
                    text.push(b'\n');
                }
                text.extend_from_slice(b"Z='two'\n");
                text
            }
        };
        if !circle(&text) {
            texts.push(text);
        }
    }
    texts
}

/// A file in the style of those that work, with a value here and there that may not.
fn mild(numbers: &mut Numbers) -> Vec<u8> {
    let mut text = String::new();
    for place in 0..=numbers.below(5) {
        if numbers.one_in(5) {
            text.push_str(numbers.pick(&["# the database\n", "\n", "# A=1\n"]));
        }
        let value = numbers.pick(&[
            "1",
            "true",
            "plain",
            "http://localhost:8080/x",
            "a@b.c",
            "''",
            "\"\"",
            "",
            "a,b",
            "'two words'",
            "\"two words\"",
            "\"it's\"",
            "'say \"hi\"'",
            "a=b",
            "100%",
            "x!",
            "[1]",
            "{a}",
            "a*b",
            "two words",
            "p#q",
            "'p#q'",
            "'p # q'",
            "\"p # q\"",
            "~",
            "a~b",
            "é",
            "'é'",
            "'a\\b'",
            "\"a\\b\"",
            "a\\b",
            "'$'",
            "a$",
            "'a,b;c'",
            "x;y",
            "'(x)'",
            "'a`b'",
            "'{\"a\": 1}'",
            "'a\nb'",
            "\"a\nb\"",
            "'a' ",
            "'a'#c",
        ]);
        text.push(char::from(b'A' + u8::try_from(place).unwrap()));
        text.push('=');
        text.push_str(value);
        text.push('\n');
    }
    text.into_bytes()
}

/// Silence means that all of them read the same: no list of consumers, and no file, is an exception.
#[test]
fn a_file_that_is_silent_is_read_alike_by_every_real_consumer() {
    let mut wrong = Vec::new();
    for list in LISTS {
        let real: Vec<&Consumer> = ALL
            .iter()
            .filter(|consumer| consumer.dialect.is_some_and(|own| list.contains(&own)))
            // The same parsers as others, at a process a file.
            .filter(|consumer| consumer.sample == usize::MAX)
            .collect();
        let texts = texts(list, count());
        let start = Instant::now();
        let answers: Vec<_> = real.iter().map(|consumer| consumer.ask(&texts)).collect();
        let (mut silent, mut disagree) = (0, 0);
        for (place, text) in texts.iter().enumerate() {
            let first = &answers[0][place];
            let alike = first.is_ok() && answers.iter().all(|all| all[place] == *first);
            let said = !found(text, list).is_empty();
            silent += usize::from(!said);
            disagree += usize::from(!alike);
            if !said && !alike {
                wrong.push(format!(
                    "{list:?} are silent about \"{}\": {:?}",
                    text.escape_ascii(),
                    real.iter()
                        .zip(&answers)
                        .map(|(consumer, all)| format!("{}: {:?}", consumer.name, all[place]))
                        .collect::<Vec<_>>()
                ));
            }
        }
        println!(
            "{} real consumers of {}: {} files, {disagree} read differently, {silent} silent, {:.1} s",
            real.len(),
            list.iter()
                .map(|one| one.name())
                .collect::<Vec<_>>()
                .join(","),
            texts.len(),
            start.elapsed().as_secs_f32()
        );
        assert!(
            real.len() >= 2 && disagree * 10 > texts.len(),
            "{list:?} are hardly put to the test"
        );
        assert!(
            silent * 20 > texts.len(),
            "{list:?}: {silent} silent of {}",
            texts.len()
        );
    }
    wrong.sort_by_key(String::len);
    assert!(
        wrong.is_empty(),
        "{} of them:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(12)].join("\n")
    );
}

/// What dotage renders for everybody is quiet for everybody, and what it renders for a list is quiet for the list.
#[test]
fn what_dotage_writes_is_silent() {
    for list in LISTS {
        let dialect = Dialect::of(list);
        let mut numbers = Numbers::from(&format!("written {list:?}"));
        for _ in 0..200 {
            let mut text = Vec::new();
            if dialect.comment() {
                text.extend_from_slice(b"# Written by dotage.\n\n");
            }
            for name in ["A", "B", "C_1", "d", "_E"] {
                // A mark that one of them decrypts, and the others take as it stands.
                let mark = |value: &[u8]| value.starts_with(b"encrypted:");
                loop {
                    let value = numbers.value();
                    if !mark(&value) && dialect.assign(name, &value, &mut text).is_ok() {
                        break;
                    }
                }
            }
            let errors: Vec<Problem> = found(&text, list)
                .into_iter()
                .filter(|problem| problem.severity == Severity::Error)
                .collect();
            assert!(errors.is_empty(), "{}: {errors:#?}", text.escape_ascii());
        }
    }
    let mut text = b"# Written by dotage.\n".to_vec();
    let portable = Dialect::of(&[]);
    let mut numbers = Numbers::from("portable");
    for place in 0..500 {
        let value = numbers.value();
        if value.starts_with(b"encrypted:") {
            continue;
        }
        let _ = portable.assign(&format!("N_{place}"), &value, &mut text);
    }
    for list in LISTS.iter().copied().chain([&[portable][..]]) {
        if list
            .iter()
            .all(|one| QUOTING.contains(one) || *one == portable)
        {
            assert_eq!(found(&text, list), []);
        }
    }
}

/// An ordinary file of a team, in the forms that everybody knows.
#[test]
fn an_ordinary_clean_file_is_silent() {
    let text = b"# Database\nDATABASE_URL=postgres://user:pass@localhost:5432/app\nPOSTGRES_PASSWORD='s3cret #1'\n\n\
        # Mail\nMAIL_FROM=\"The App <app@example.org>\"\nSMTP_PORT=587\nDEBUG=false\nEMPTY=\nTOKEN=abcDEF123+/=\n\
        GREETING=\"it's\"\nJSON='{\"a\": [1, 2]}'\nCOMPOSE_PROJECT_NAME=app\nENV=production\n";
    assert_eq!(found(text, &[]), []);
}

/// Whatever the bytes, an answer; and no value in it, wherever a value is.
#[test]
fn no_bytes_make_it_panic_and_no_value_is_said() {
    let mut numbers = Numbers::from("bytes");
    for round in 0..3_000 {
        let text: Vec<u8> = match round % 3 {
            0 => (0..numbers.below(80))
                .map(|_| u8::try_from(numbers.below(256)).unwrap())
                .collect(),
            1 => (0..numbers.below(12))
                .flat_map(|_| numbers.value())
                .collect(),
            _ => numbers.text(&NAMES),
        };
        for list in LISTS {
            for problem in found(&text, list) {
                assert!(
                    !problem.message.is_empty()
                        && problem.help.is_some()
                        && problem.place.is_some()
                );
                assert!(
                    RULES.iter().any(|(rule, _)| *rule == problem.rule),
                    "{}",
                    problem.rule
                );
            }
        }
    }
    let secret = "q7Zr9Kx2";
    let shapes = [
        "A={}",
        "A='{}'",
        "A=\"{}\"",
        "A=`{}`",
        "A='{}",
        "A=\"x\n{}\nB=1",
        "A='{}\\'\nB=' # {}'",
        "A={} {}",
        "A={}#{}",
        "A={} # {}",
        "A=$({})",
        "A=${{}}",
        "A=${}",
        "A=~{}",
        "A: {}",
        "A = {}",
        "{}",
        "export {}",
        "{}==",
        "{}=",
        "B={}\nA='x\n{}=\n{}==\nC=1\n",
        "A='-----BEGIN\n{}\n{}=\n-----END'",
        "A=-----BEGIN\n{}\n{}=\n-----END",
        "A='a''{}'",
        "A='a' {}",
        "A={}\\\nB={}",
        "A=\"{}\\n\\{}\"",
        "A={}\u{a0}{}",
        "\u{feff}A={}\r\nB={}\r",
        "A<<{}\n{}\n",
        "https://u:{}@h/?a={}",
        "A={};{}",
        "#{}\\\nA=1",
        "; {}",
        "A=\0{}",
        "# {}={}",
        "A='{}\nB='{}'",
        "{}={}={}",
    ];
    for shape in shapes {
        let text = shape.replace("{}", secret) + "\n";
        for list in LISTS {
            for problem in found(text.as_bytes(), list) {
                let said = problem.to_string();
                assert!(!said.contains(secret), "{}: {said}", text.escape_debug());
            }
        }
    }
}

/// A megabyte, however it is written, takes no time that grows with its square.
#[test]
fn a_megabyte_is_fast() {
    for (what, line) in [
        ("clean", "NAME_{}='a value of some words'\n"),
        ("differing", "export NAME_{} = a#b $C # d\n"),
        ("open", "NAME_{}='a\n"),
        ("open of two kinds", "NAME_{}='a\nMORE_{}=\"b\n"),
        ("ending in backslashes", "NAME_{}='a\\'\n"),
        ("referring", "NAME_{}=$NAME_1\n"),
        ("of the same name", "NAME=1\n"),
    ] {
        let mut text = String::new();
        let mut number = 0;
        while text.len() < 1_000_000 {
            number += 1;
            text.push_str(&line.replace("{}", &number.to_string()));
        }
        let start = Instant::now();
        let found = found(text.as_bytes(), &[]);
        let taken = start.elapsed();
        println!(
            "1 MB, {what}: {} problems in {:.2} s",
            found.len(),
            taken.as_secs_f32()
        );
        assert!(taken.as_secs() < 60, "{what}: {taken:?}");
    }
}
