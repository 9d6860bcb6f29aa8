//! What YAML may say, and the words for what it may not.

use super::flat::*;
use super::plain::plain;
use super::tree::{SIZE, parsed};
use super::*;
use crate::secret::{Name, Secret};

fn read(text: &str) -> Vec<(String, Vec<u8>, usize)> {
    flat(text)
        .unwrap()
        .into_iter()
        .map(|(name, secret, line)| (name.to_string(), secret.expose().to_vec(), line))
        .collect()
}

fn refused(text: &str) -> Fault {
    match flat(text) {
        Ok(_) => panic!("taken: {text:?}"),
        Err(fault) => fault,
    }
}

#[test]
fn a_vault_is_names_and_strings_in_any_style() {
    let text = "\u{feff}# comment\n---\nPLAIN: abc def\nSINGLE: 'it''s'\nDOUBLE: \"a\\tb\\u00e9\\ud83d\\ude00\"\n\
                BLOCK: |\n  one\n\n  two\nFOLDED: >-\n  one\n  two\n\"NO\": \"x\"\n";
    let entries = read(text);
    let expected: [(&str, &str, usize); 6] = [
        ("PLAIN", "abc def", 3),
        ("SINGLE", "it's", 4),
        ("DOUBLE", "a\tbé😀", 5),
        ("BLOCK", "one\n\ntwo\n", 6),
        ("FOLDED", "one two", 10),
        ("NO", "x", 13),
    ];
    assert_eq!(
        entries,
        expected.map(|(name, value, line)| (name.into(), value.as_bytes().to_vec(), line))
    );
    assert_eq!(read("{\"A\": \"1\", \"B\": \"2\"}").len(), 2);
    assert_eq!(read("A: 'x' # comment\r\nB: 'y'\r\n").len(), 2);
}

#[test]
fn an_empty_vault_has_no_entries() {
    for text in ["", "\n", "# nothing\n", "---\n", "---\n...\n", "{}\n"] {
        assert!(read(text).is_empty(), "{text:?}");
    }
}

#[test]
fn a_scalar_that_any_reader_takes_for_something_else_must_be_quoted() {
    for scalar in [
        "yes",
        "Yes",
        "no",
        "y",
        "N",
        "on",
        "OFF",
        "true",
        "False",
        "~",
        "null",
        "NULL",
        "=",
        "<<",
        ":a",
        "0",
        "12",
        "-1",
        "+1",
        "0123",
        "0o17",
        "08",
        "0x1f",
        "0b11",
        "1_000",
        "1,000",
        "1e3",
        "1E+3",
        "1.5",
        ".5",
        "1.",
        "-.5e-3",
        ".inf",
        "-.Inf",
        "+.INF",
        ".nan",
        ".NaN",
        "12:30",
        "12:30:45",
        "190:20:30.15",
        "10.0.0.1",
        "2026-01-01",
        "2026-1-1",
        "2026-01-01T12:00:00Z",
        "2026-01-01 12:00:00 +1",
        "685_230.15",
        ".",
    ] {
        for text in [format!("A: {scalar}\n"), format!("{{A: {scalar}}}")] {
            if scalar.contains(',') && text.starts_with('{') {
                continue;
            }
            let fault = refused(&text);
            assert!(fault.help.starts_with("quote it"), "{text} {fault:?}");
            assert_eq!(fault.name.as_deref(), Some("A"), "{text}");
            assert_eq!(fault.line, 1);
        }
        for quoted in [
            format!("A: \"{scalar}\"\n"),
            format!("A: '{scalar}'\n"),
            format!("A: |-\n  {scalar}\n"),
        ] {
            assert_eq!(read(&quoted)[0].1, scalar.as_bytes(), "{quoted}");
        }
    }
    for text in [
        "abc",
        "a1",
        "1a",
        "0xzz",
        "e3",
        "deadbeef",
        "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "12-34",
        "555-1234",
        "yess",
        "Zm9vYmFy=",
        "a:b",
        "x.y",
        "-a",
        "+x",
        "1 2",
        "v1.2",
        "2026-01",
        "0xfg",
    ] {
        assert_eq!(
            read(&format!("A: {text}\n"))[0].1,
            text.as_bytes(),
            "{text}"
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_a_vault_may_not_hold_is_refused_with_its_own_words_and_none_of_its_text() {
    let canary = "hunter2canary";
    for (text, line, name, why) in [
        (
            "A: hunter2canary\nA: 'x'\n",
            2,
            Some("A"),
            "a second entry of this name",
        ),
        (
            "B: 'x'\nA: 'hunter2canary'\nB: 'y'\n",
            3,
            Some("B"),
            "a second entry of this name",
        ),
        ("A:\n", 1, Some("A"), "no value, which YAML takes for null"),
        (
            "A: hunter2canary # x\n",
            1,
            Some("A"),
            "an unquoted value before a ` #`, which YAML takes for a comment",
        ),
        (
            "hunter2canary-1: x\n",
            1,
            None,
            "a key that is no name of a variable",
        ),
        ("1: 'x'\n", 1, None, "a key that is no name of a variable"),
        (
            "on: 'x'\n",
            1,
            Some("on"),
            "a name that YAML 1.1 takes for true, false or null",
        ),
        (
            "A: [hunter2canary]\n",
            1,
            Some("A"),
            "a list or a mapping where a string belongs",
        ),
        (
            "A:\n  B: hunter2canary\n",
            2,
            Some("A"),
            "a list or a mapping where a string belongs",
        ),
        (
            "[A]: x\n",
            1,
            None,
            "a list or a mapping where a name belongs",
        ),
        (
            "- hunter2canary\n",
            1,
            None,
            "not a mapping of names to values",
        ),
        (
            "hunter2canary\n",
            1,
            None,
            "not a mapping of names to values",
        ),
        ("\"A\"\n", 1, None, "not a mapping of names to values"),
        ("A: &hunter2canary x\n", 1, Some("A"), ANCHOR.0),
        ("A: *hunter2canary\n", 1, Some("A"), ANCHOR.0),
        ("A: &x y\nB: *x\n", 1, Some("A"), ANCHOR.0),
        ("&x A: y\n", 1, None, ANCHOR.0),
        ("A: !hunter2canary x\n", 1, Some("A"), TAG.0),
        ("A: !!binary x\n", 1, Some("A"), TAG.0),
        ("<<: {A: x}\n", 1, None, MERGE.0),
        (
            "A: 'x'\n---\nB: 'hunter2canary'\n",
            2,
            None,
            "a second document",
        ),
        ("%YAML 1.1\n---\nA: 'x'\n", 1, None, "a directive (`%…`)"),
        (
            "A: 'x'\nB: \"hunter2canary\nC: 'y'\n",
            2,
            Some("B"),
            "a quote that is never closed",
        ),
        (
            "A: \"a\"hunter2canary\n",
            1,
            Some("A"),
            "text after the closing quote",
        ),
        (
            "A: \"hunter2\\qcanary\"\n",
            1,
            Some("A"),
            "an escape in double quotes that YAML doesn't know",
        ),
        (
            "A: @hunter2canary\n",
            1,
            Some("A"),
            "a character that YAML reserves (`@` or a backtick) at the start of a text",
        ),
        (
            "A: hunter2canary: x\n",
            1,
            None,
            "a `:` that makes this a key where a key can't stand",
        ),
        (
            "A: 'x'\nhunter2canary\n",
            2,
            None,
            "a line that is no `key: value`",
        ),
        (
            "A: {hunter2canary\n",
            1,
            Some("A"),
            "a list or a mapping where a string belongs",
        ),
        (
            "A: }hunter2canary\n",
            1,
            Some("A"),
            "a closing bracket or brace that nothing opened",
        ),
        (
            "A: \"x\u{1b}hunter2canary\"\n",
            1,
            None,
            "a control character",
        ),
        ("A: 'x'\nB: \"y\u{2028}\"\n", 2, None, "a control character"),
        (
            "A: |\n  hunter2canary",
            2,
            Some("A"),
            "a block without a final line feed, which YAML readers end differently",
        ),
        (
            "A:\n\tB: 'x'\n",
            2,
            Some("A"),
            "a tab where YAML takes spaces",
        ),
        (
            "A: 'x'\n  B: 'y'\n",
            2,
            None,
            "a line whose indentation fits nothing above it",
        ),
    ] {
        let fault = refused(text);
        assert_eq!(
            (fault.line, fault.name.as_deref(), fault.why),
            (line, name, why),
            "{text:?}"
        );
        let shown = format!("{fault:?} {}", fault.problem(Path::new("vault.age")));
        assert!(!shown.contains(canary), "{shown}");
    }
}

/// xorshift64*: enough to vary a test, and the same on each run.
fn random(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

#[test]
fn any_text_that_is_written_is_read_back_byte_for_byte() {
    let alphabet: Vec<char> =
        "\"\\'\n\r\t \0\u{1}\u{1b}\u{7f}\u{85}\u{a0}\u{2028}\u{2029}\u{feff}\u{fffe}\u{ffff}\
                               é漢😀#:&*!|>%@`{}[],-?~=<0189xnuaZ."
            .chars()
            .collect();
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for round in 0..400 {
        let entries: Vec<(Name, Secret)> = (0..50)
            .map(|i| {
                let length = random(&mut state) % 40;
                let value: String = (0..length)
                    .map(|_| {
                        alphabet[usize::try_from(random(&mut state)).unwrap() % alphabet.len()]
                    })
                    .collect();
                let name = match i {
                    0 if round % 2 == 0 => "NO".to_owned(),
                    1 if round % 2 == 0 => "null".to_owned(),
                    _ => format!("N{}_{round}", 99 - i),
                };
                (Name::new(&name).unwrap(), Secret::new(value.into_bytes()))
            })
            .collect();
        let text = flat_text(entries.iter().map(|(name, secret)| (name, secret))).unwrap();
        assert_eq!(text.lines().count(), entries.len());
        // Names that have to be quoted take the long road, all others the fast one.
        assert_eq!(as_written(&text).is_some(), round % 2 == 1);
        let back = flat(&text).unwrap();
        assert!(back.is_sorted_by(|a, b| a.0 < b.0));
        for (name, secret) in &entries {
            let (.., read, _) = back.iter().find(|(other, ..)| other == name).unwrap();
            assert!(read.same(secret), "{:?}", secret.expose());
        }
    }
}

#[test]
fn the_fast_road_never_reads_what_the_parser_would_read_otherwise() {
    let alphabet: Vec<char> = "\"\\\\\\ntru0041#: \n\r\t'A_B-{[&*!é".chars().collect();
    let mut state = 0x1234_5678_9abc_def1;
    let mut taken = 0;
    for _ in 0..60_000 {
        let mut text: Vec<char> = "A: \"x\\\\y\\\"z\\u0041\"\nB: \"\"\nC_1: \"a # b: 'c'\"\n"
            .chars()
            .collect();
        for _ in 0..=random(&mut state) % 3 {
            let at = usize::try_from(random(&mut state)).unwrap() % text.len();
            let c = alphabet[usize::try_from(random(&mut state)).unwrap() % alphabet.len()];
            match random(&mut state) % 3 {
                0 => text[at] = c,
                1 => text.insert(at, c),
                _ => drop(text.remove(at)),
            }
        }
        let text: String = text.into_iter().collect();
        let Some(fast) = as_written(&text) else {
            continue;
        };
        taken += 1;
        let whole = entries(&text).unwrap_or_else(|fault| panic!("{text:?} {fault:?}"));
        assert_eq!(fast.len(), whole.len(), "{text:?}");
        for (a, b) in fast.iter().zip(&whole) {
            assert!(a.0 == b.0 && a.1.same(&b.1) && a.2 == b.2, "{text:?}");
        }
    }
    assert!(taken > 10_000, "{taken}");
}

/// The inventories at hand: good ones and bad ones.
fn inventories() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for folder in [
        "tests",
        "tests/bad/inventory",
        "templates/freeboard",
        "templates/starter",
    ] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "yaml") {
                texts.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    texts
}

/// Whether the plain reader takes a text, which it then reads as the parser does.
fn is_plain(text: &str) -> bool {
    let Some(tree) = printable(text).ok().and_then(|()| plain(text)) else {
        return false;
    };
    match parsed(text) {
        Ok(whole) => assert!(tree == whole, "{text:?}\n{tree:?}\n{whole:?}"),
        Err(fault) => panic!("{text:?} {fault:?}"),
    }
    true
}

#[test]
fn the_plain_reader_takes_what_people_write() {
    let texts = inventories();
    assert!(texts.len() > 70, "{}", texts.len());
    let taken = texts.iter().filter(|text| is_plain(text)).count();
    assert!(taken > 60, "{taken} of {}", texts.len());
    for name in ["starter", "freeboard"] {
        let path = format!(
            "{}/templates/{name}/dotage.yaml",
            env!("CARGO_MANIFEST_DIR")
        );
        assert!(is_plain(&std::fs::read_to_string(path).unwrap()), "{name}");
    }
    for text in [
        "a:\n",
        "a: # b\n\nb:",
        "a:\n  b:\n  c:\nd:\n",
        "a:\n  - b\n  -   - c\n      - d\n  - e: 1\n    f: 2\n",
        "a:\n  # é\n  é é\nb: [é, é] # é\n",
        "a: ''\nb: \"\"\nc: [ ]\nd: { }\n",
        "  a: { b: {c: [d,e , f]}, g: '{' }\n  h: a # b\n",
        "a: http://b:80/c#d\n",
    ] {
        assert!(is_plain(text), "{text:?}");
    }
}

#[test]
fn the_plain_reader_never_reads_what_the_parser_would_read_otherwise() {
    let mut state = 0x0dd0_ba11_5eed_1e55;
    let mut taken = 0;
    // Real inventories with some characters altered.
    let alphabet: Vec<char> = "  \n\n\t\r:,[]{}#&*!|>'\"%@`-?~<=.\\aA0_é\u{feff}\u{a0}"
        .chars()
        .collect();
    let mut texts = inventories();
    texts.retain(|text| !text.is_empty());
    let rounds = std::env::var("DOTAGE_PLAIN_ROUNDS").map_or(20_000, |n| n.parse().unwrap());
    for _ in 0..rounds {
        let mut text: Vec<char> = pick(&mut state, &texts).chars().collect();
        // A piece of a long one: the parser's time is the test's.
        let length = 1 + usize::try_from(random(&mut state)).unwrap() % 400;
        let from = usize::try_from(random(&mut state)).unwrap() % text.len();
        if text.len() > 400 {
            let from = text[..from]
                .iter()
                .rposition(|c| *c == '\n')
                .map_or(0, |at| at + 1);
            text = text[from..].iter().copied().take(length).collect();
        }
        for _ in 0..random(&mut state) % 4 {
            let at = usize::try_from(random(&mut state)).unwrap() % text.len();
            let c = *pick(&mut state, &alphabet);
            match random(&mut state) % 3 {
                0 => text[at] = c,
                1 => text.insert(at, c),
                _ if text.len() > 1 => drop(text.remove(at)),
                _ => {}
            }
        }
        taken += usize::from(is_plain(&text.into_iter().collect::<String>()));
    }
    // Its words in any order.
    let words = [
        "a", "b: ", "c:", "d: 1", "\n", "\n", "\n  ", "\n  ", "\n    ", " ", "  ", "- ", "-", ": ",
        ":", ", ", ",", "{", "}", "[", "]", "{ e: 2 }", "[f, g]", "'h'", "\"i\"", "'", "\"", "# j",
        " #", "#", "---", "...", "é", "<<: ", "? ", "|", ">", "&", "*", "!", "%", "~",
    ];
    for _ in 0..rounds {
        let count = 1 + random(&mut state) % 12;
        let text: String = (0..count).map(|_| *pick(&mut state, &words)).collect();
        is_plain(&text);
        taken += usize::from(is_plain(&format!("a: {text}")));
    }
    assert!(taken > rounds / 3, "{taken}");
    // Its limits.
    for n in 1..30 {
        for deep in ["[", "{ a: ", "- "] {
            let close: String = if deep == "[" { "]" } else { "}" }.repeat(n);
            let close = if deep == "- " { "" } else { &close };
            is_plain(&format!("a: {}1{close}\n", deep.repeat(n)));
            is_plain(&format!("a:\n  {}1{close}\n", deep.repeat(n)));
        }
        let below: String = (0..n).map(|i| format!("{:i$}a:\n", "")).collect();
        is_plain(&below);
    }
    for long in [990, 1000, 1010, 1023, 1024, 1025, 2000] {
        let long = "a".repeat(long);
        is_plain(&format!("{long}: {long}\n"));
        is_plain(&format!("{{ {long}: {long} }}\n"));
    }
    assert!(!is_plain(&format!("a:\n{}", "  - 1\n".repeat(200_001))));
}

fn pick<'a, T>(state: &mut u64, from: &'a [T]) -> &'a T {
    &from[usize::try_from(random(state)).unwrap() % from.len()]
}

#[test]
fn a_value_that_is_not_utf8_is_named() {
    let (name, secret) = (Name::new("A").unwrap(), Secret::new(vec![0xff]));
    assert_eq!(flat_text([(&name, &secret)].into_iter()).unwrap_err(), name);
}

#[test]
fn a_tree_knows_where_each_key_and_value_stands() {
    let root = tree(Path::new("d"), "a:\n  é: [x, 'y']\nb: 12\n").unwrap();
    let Kind::Map(entries) = root.kind else {
        panic!()
    };
    assert_eq!(entries[0].0.at, At { line: 1, column: 1 });
    let Kind::Map(inner) = &entries[0].1.kind else {
        panic!()
    };
    assert_eq!(inner[0].0.at, At { line: 2, column: 3 });
    let Kind::List(items) = &inner[0].1.kind else {
        panic!()
    };
    assert_eq!(
        items[1].at,
        At {
            line: 2,
            column: 10
        }
    );
    assert!(matches!(&items[0].kind, Kind::Scalar { plain: true, .. }));
    assert!(matches!(&items[1].kind, Kind::Scalar { plain: false, .. }));
    assert_eq!(entries[1].1.at, At { line: 3, column: 4 });
}

#[test]
fn a_tree_has_its_limits() {
    let refused = |text: &str| tree(Path::new("d"), text).unwrap_err().message;
    assert_eq!(
        refused(&format!("{}1", "- ".repeat(30))),
        "nested deeper than 16"
    );
    assert_eq!(refused(&"[".repeat(30)), "nested deeper than 16");
    assert_eq!(
        refused(&"- 1\n".repeat(200_001)),
        "more than 200,000 values"
    );
    assert_eq!(refused(&"#".repeat(SIZE + 1)), "larger than 1 MiB");
    assert!(tree(Path::new("d"), &format!("{}1", "- ".repeat(16))).is_ok());
}

#[test]
fn a_problem_of_a_tree_shows_its_line() {
    let problem = tree(Path::new("dotage.yaml"), "a: 1\nb: 2\na: 3\n").unwrap_err();
    assert_eq!(
        problem.to_string(),
        "dotage.yaml:3:1: a: a second entry of this name\n  |\n3 | a: 3\n  | ^\nhelp: remove one of the two"
    );
}
