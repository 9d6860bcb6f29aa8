//! What is written comes back, in whole files, and what is refused can't be written: hostile values, many random ones,
//! and every short text there is.

use super::*;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The hostile values of the facts, each by its name.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let texts: &[(&str, &str)] = &[
        ("plain", "plain"),
        ("empty", ""),
        ("inner-space", "a b"),
        ("lead-space", " a"),
        ("trail-space", "a "),
        ("only-space", " "),
        ("inner-tab", "a\tb"),
        ("trail-tab", "a\t"),
        ("squote", "it's"),
        ("dquote", "say \"hi\""),
        ("both-quotes", "it's \"x\""),
        ("three-quotes", "a'b\"c`d"),
        ("wrapped-dq", "\"x\""),
        ("wrapped-sq", "'x'"),
        ("backslash", "a\\b"),
        ("trail-bs", "x\\"),
        ("two-bs", "a\\\\b"),
        ("lit-\\n", "a\\nb"),
        ("bs-squote", "a\\'b"),
        ("bs-dquote", "a\\\"b"),
        ("bs-dollar", "a\\$B"),
        ("trail-2bs", "x\\\\"),
        ("$VAR", "a$A"),
        ("${VAR}", "a${A}"),
        ("${V:-d}", "${V:-d}"),
        ("$(cmd)", "p$(id -un)w"),
        ("`cmd`", "p`id -un`w"),
        ("$$", "a$$b"),
        ("$1", "a$1"),
        ("trail-$", "a$"),
        ("$space", "a$ b"),
        ("#lead", "#a"),
        ("a#b", "a#b"),
        ("a #b", "a #b"),
        ("=", "a=b="),
        ("!", "a!b"),
        ("%", "a%b%%"),
        ("meta", "a&b;c|d<e>f(g)*?[h]{i}"),
        ("tilde", "~/a:~b"),
        ("json", "{\"a\": \"b\"}"),
        ("export", "export A=2"),
        ("emoji", "\u{1f511}é"),
        ("nbsp-ends", "\u{a0}a\u{a0}"),
        ("u2028", "a\u{2028}b"),
        ("u0085", "a\u{85}b"),
        ("bom-first", "\u{feff}a"),
        ("nul", "a\0b"),
        ("ctl-esc", "\u{1b}[0m\u{1}"),
        ("vt-ff", "a\u{b}b\u{c}c"),
        ("del", "a\u{7f}b"),
        ("LF", "a\nb"),
        ("trail-LF", "a\n"),
        ("lead-LF", "\na"),
        ("LF-inject", "a\nEVIL=1"),
        ("LF-hash", "a\n# b"),
        ("blank-line", "a\n\nb"),
        ("CRLF", "a\r\nb"),
        ("lone-CR", "a\rb"),
        ("trail-CR", "a\r"),
        ("PEM", "-----BEGIN KEY-----\nMIIB+/=\n-----END KEY-----\n"),
        ("json-LF", "{\n  \"a\": \"it's `b`\"\n}\n"),
        ("encrypted:", "encrypted:abc"),
        ("heredoc", "<<EOF"),
    ];
    let mut values: Vec<_> = texts
        .iter()
        .map(|(name, text)| (*name, text.as_bytes().to_vec()))
        .collect();
    values.push(("non-utf8", b"a\xff\xfeb".to_vec()));
    values.push(("long-4k", vec![b'k'; 4_000]));
    values.push(("long-70k", vec![b'k'; 70_000]));
    values.push(("long-200k", vec![b'k'; 200_000]));
    values
}

/// A whole file of these assignments, or the first refusal.
fn file(dialect: Dialect, assignments: &[(&str, &[u8])]) -> Result<Vec<u8>, Unwritable> {
    let mut out = Vec::new();
    let json = dialect == Dialect::Json;
    if json {
        out.push(b'{');
    }
    for (place, (name, value)) in assignments.iter().enumerate() {
        if json && place > 0 {
            out.push(b',');
        }
        dialect.assign(name, value, &mut out)?;
    }
    if json {
        out.push(b'}');
    }
    Ok(out)
}

fn comes_back(dialect: Dialect, assignments: &[(&str, &[u8])], text: &[u8]) {
    let shown = String::from_utf8_lossy(text);
    let entries = dialect
        .read(text)
        .unwrap_or_else(|error| panic!("{dialect:?}: {error:?} in {shown:?}"));
    let found: Vec<_> = entries
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_eq!(found, assignments, "{dialect:?} {shown:?}");
}

/// Every dialect, and portable for some lists.
fn dialects() -> Vec<Dialect> {
    use Dialect::*;
    let mut all = Dialect::ALL.to_vec();
    all.extend([
        Dialect::of(&[Compose, Systemd]),
        Dialect::of(&[Compose, Docker]),
        Dialect::of(&[Node, Python, Ruby]),
        Dialect::of(&[Systemd, Shell, Rust, Compose]),
        Dialect::of(&[Vite, NodeEnvFile, Node]),
    ]);
    all
}

fn title(dialect: Dialect) -> String {
    match dialect {
        Dialect::Portable(some) if some != Consumers::EVERYBODY => {
            some.iter().map(Dialect::name).collect::<Vec<_>>().join("+")
        }
        other => other.name().to_owned(),
    }
}

#[test]
fn a_hostile_value_comes_back_from_a_whole_file_or_is_refused_and_the_refusals_are_these() {
    let mut refused = BTreeMap::<String, Vec<&str>>::new();
    let values = hostile();
    assert_eq!(values.len(), 67);
    for dialect in dialects() {
        let mut names = Vec::new();
        for (name, value) in &values {
            let assignments: [(&str, &[u8]); 3] = [("A", b"1"), ("K", value), ("Z", b"2")];
            match file(dialect, &assignments) {
                Ok(text) => comes_back(dialect, &assignments, &text),
                Err(_) => names.push(*name),
            }
        }
        refused.insert(title(dialect), names);
    }
    let refused: Vec<_> = refused
        .iter()
        .map(|(dialect, names)| format!("{dialect}: {}", names.join(" ")))
        .collect();
    assert_eq!(refused, REFUSED);
}

/// The dialects and which of the hostile values they can't carry.
const REFUSED: &[&str] = &[
    "compose: nul long-200k",
    "compose+docker: lead-space trail-space only-space trail-tab wrapped-dq wrapped-sq bs-dollar $VAR ${VAR} ${V:-d} $$ a #b nbsp-ends nul LF trail-LF lead-LF LF-inject LF-hash blank-line CRLF trail-CR PEM json-LF non-utf8 long-70k long-200k",
    "compose+systemd: nul json-LF non-utf8 long-200k",
    "compose+systemd+shell+rust: three-quotes nul json-LF non-utf8 long-200k",
    "direnv: nul long-200k",
    "docker: nul LF trail-LF lead-LF LF-inject LF-hash blank-line CRLF trail-CR PEM json-LF non-utf8 long-70k long-200k",
    "dotenv-expand: $(cmd) nul encrypted: non-utf8 long-200k",
    "github: nul non-utf8 long-200k",
    "json: nul non-utf8",
    "kubernetes: nul LF trail-LF lead-LF LF-inject LF-hash blank-line CRLF trail-CR PEM json-LF non-utf8 long-70k long-200k",
    "node: nul non-utf8 long-200k",
    "node+python+ruby: two-bs bs-squote trail-2bs ${VAR} ${V:-d} nul CRLF lone-CR trail-CR json-LF non-utf8 long-200k",
    "node+vite+node-env-file: bs-dollar $VAR ${VAR} ${V:-d} $$ nul CRLF lone-CR trail-CR json-LF non-utf8 long-200k",
    "node-env-file: nul CRLF lone-CR trail-CR json-LF non-utf8 long-200k",
    "portable: both-quotes three-quotes backslash trail-bs two-bs lit-\\n bs-squote bs-dquote bs-dollar trail-2bs $VAR ${VAR} ${V:-d} $(cmd) $$ $1 trail-$ $space u2028 u0085 nul vt-ff LF trail-LF lead-LF LF-inject LF-hash blank-line CRLF lone-CR trail-CR PEM json-LF non-utf8 long-200k",
    "python: nul non-utf8 long-200k",
    "ruby: nul CRLF lone-CR trail-CR non-utf8 long-200k",
    "rust: nul non-utf8 long-200k",
    "shell: nul long-200k",
    "systemd: nul non-utf8 long-200k",
    "vite: nul CRLF lone-CR trail-CR json-LF non-utf8 long-200k",
    "yaml: nul non-utf8",
];

/// A small xorshift, so that every run sees the same values.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    fn value(&mut self) -> Vec<u8> {
        const TOKENS: &[&str] = &[
            "'",
            "\"",
            "`",
            "\\",
            "$",
            "#",
            " ",
            "\n",
            "x",
            "n",
            "r",
            "\t",
            "\r",
            "=",
            "a b",
            "{",
            "}",
            "(",
            ")",
            "$(",
            "${A}",
            "$A",
            "${",
            "\\n",
            "\\r",
            "\\'",
            "\\\"",
            "\\$",
            " #",
            "' # y'",
            "\" # y\"",
            "\nB=",
            "\u{2028}",
            "\u{85}",
            "\u{a0}",
            "\u{feff}",
            "é",
            "\u{b}",
            "\u{c}",
            "\u{1b}",
            ":",
            "-",
            "~",
            ";",
            "&",
            "|",
            "export ",
            "<<",
            "\\\\",
            "''",
            "\"\"",
            "DOTAGE_END",
            "\u{1f511}",
        ];
        let length = [1, 2, 3, 5, 8, 13][self.below(6)];
        (0..length)
            .flat_map(|_| TOKENS[self.below(TOKENS.len())].bytes())
            .collect()
    }
}

#[test]
fn ten_thousand_random_values_come_back_from_whole_files_or_are_refused() {
    const NAMES: [&str; 8] = ["A", "B", "C_1", "D", "E", "_F", "G", "H"];
    for dialect in dialects() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let (mut written, mut tried) = (0, 0);
        while tried < 10_400 {
            let mut values = Vec::new();
            while values.len() < NAMES.len() {
                tried += 1;
                let value = random.value();
                let mut text = b"<".to_vec();
                match dialect.write(&value, &mut text) {
                    Ok(()) => values.push(value),
                    Err(_) => assert_eq!(text, b"<", "{dialect:?}"),
                }
            }
            let assignments: Vec<_> = NAMES
                .iter()
                .copied()
                .zip(values.iter().map(Vec::as_slice))
                .collect();
            let text = file(dialect, &assignments).unwrap();
            comes_back(dialect, &assignments, &text);
            written += values.len();
        }
        // Most of them, or this shows nothing: the tokens are as hostile as they come.
        assert!(written > 2_000, "{dialect:?} wrote {written} of {tried}");
    }
}

const SHORT: &[u8] = b"'\"`\\$# \nxn";

/// Every string over [`SHORT`] of up to so many characters.
fn strings(longest: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..=longest).flat_map(|length| {
        (0..SHORT.len().pow(u32::try_from(length).unwrap())).map(move |mut number| {
            (0..length)
                .map(|_| {
                    let byte = SHORT[number % SHORT.len()];
                    number /= SHORT.len();
                    byte
                })
                .collect()
        })
    })
}

#[test]
fn no_refusal_is_lazy_every_short_text_is_tried() {
    let mut counts = Vec::new();
    for dialect in dialects() {
        if matches!(dialect, Dialect::Json | Dialect::Yaml) {
            continue;
        }
        let mut refused: HashSet<Vec<u8>> = HashSet::new();
        for value in strings(3) {
            let mut text = Vec::new();
            match dialect.write(&value, &mut text) {
                Ok(()) => assert!(dialect.holds(&text, &value), "{dialect:?} {value:?}"),
                Err(_) => {
                    refused.insert(value);
                }
            }
        }
        counts.push((title(dialect), refused.len()));
        if refused.is_empty() {
            continue;
        }
        let mut file = Vec::new();
        let mut lazy = BTreeSet::new();
        // A list is read once for each of its consumers, so its texts are shorter.
        let longest = if Dialect::ALL.contains(&dialect) {
            5
        } else {
            4
        };
        for text in strings(longest) {
            file.clear();
            file.extend_from_slice(b"A=1\nK=");
            file.extend_from_slice(&text);
            file.extend_from_slice(b"\nZ=2\n");
            if let Ok(entries) = dialect.read(&file)
                && let [(a, one), (k, value), (z, two)] = &entries[..]
                && (&**a, &**k, &**z, &**one, &**two) == ("A", "K", "Z", b"1", b"2")
                && refused.contains(&**value)
                && (Dialect::ALL.contains(&dialect) || dialect.holds(&text, value))
            {
                lazy.insert((
                    String::from_utf8_lossy(value).into_owned(),
                    String::from_utf8_lossy(&text).into_owned(),
                ));
            }
        }
        assert_eq!(lazy, BTreeSet::new(), "{dialect:?}");
    }
    let counts: Vec<_> = counts
        .iter()
        .map(|(dialect, count)| (&**dialect, *count))
        .collect();
    assert_eq!(
        counts,
        [
            ("portable", 781),
            ("compose", 0),
            ("docker", 291),
            ("systemd", 0),
            ("shell", 0),
            ("node", 0),
            ("dotenv-expand", 0),
            ("vite", 0),
            ("node-env-file", 6),
            ("python", 0),
            ("ruby", 0),
            ("rust", 0),
            ("direnv", 0),
            ("github", 291),
            ("kubernetes", 291),
            ("compose+systemd", 2),
            ("compose+docker", 672),
            ("node+python+ruby", 179),
            ("compose+systemd+shell+rust", 73),
            ("node+vite+node-env-file", 99),
        ]
    );
}

#[test]
fn a_form_that_only_plain_neighbours_forgive_is_not_written() {
    // Each of these reads as `x\` beside `Z=2`, and swallows a variable that is in quotes.
    for (dialect, text) in [
        (Dialect::Node, "'x\\'"),
        (Dialect::Ruby, "\"x\\\\\""),
        (Dialect::DotenvExpand, "`x\\`"),
    ] {
        let beside = |after: &str| {
            let file = format!("K={text}\nZ={after}\n");
            dialect.read(file.as_bytes()).unwrap().len()
        };
        assert_eq!(beside("2"), 2, "{dialect:?}");
        assert_eq!(beside(&format!("{0} # y{0}", &text[..1])), 1, "{dialect:?}");
        assert!(!dialect.holds(text.as_bytes(), b"x\\"), "{dialect:?}");
        let mut written = Vec::new();
        dialect.write(b"x\\", &mut written).unwrap();
        assert!(dialect.holds(&written, b"x\\"), "{dialect:?}");
    }
    // An empty reference after a last backslash would be escaped by it.
    let value = b"'\"`x\\";
    let mut written = Vec::new();
    Dialect::Vite.write(value, &mut written).unwrap();
    assert!(Dialect::Vite.holds(&written, value));
    // python-dotenv before 1.2 sees an escaped quote in `\\'`, so a last backslash never stands there.
    let mut written = Vec::new();
    Dialect::Python.write(b"it's x\\", &mut written).unwrap();
    assert_eq!(written, br"'it\'s x${:-\\}'");
}

#[test]
fn a_name_is_a_dialect_and_some_dialects_have_two() {
    for dialect in Dialect::ALL {
        assert_eq!(Dialect::from_name(dialect.name()), Some(dialect));
    }
    for (other, name) in [
        ("podman", "docker"),
        ("docker-raw", "docker"),
        ("sh", "shell"),
        ("dotenv", "node"),
        ("dotenvy", "rust"),
    ] {
        assert_eq!(Dialect::from_name(other), Dialect::from_name(name));
    }
    assert_eq!(Dialect::from_name("bash"), None);
}

#[test]
fn a_list_of_one_is_its_dialect_and_a_list_of_none_is_everybody() {
    use Dialect::{Compose, Docker, Portable, Systemd};
    assert_eq!(Dialect::of(&[Compose]), Compose);
    assert_eq!(Dialect::of(&[Compose, Compose]), Compose);
    assert_eq!(Dialect::of(&[]), Portable(Consumers::EVERYBODY));
    let Portable(some) = Dialect::of(&[Systemd, Compose]) else {
        panic!("two consumers are a list");
    };
    assert_eq!(some.iter().collect::<Vec<_>>(), [Compose, Systemd]);
    let Portable(some) = Dialect::of(&[Portable(Consumers::EVERYBODY), Docker]) else {
        panic!("everybody and another are a list");
    };
    assert_eq!(some.iter().count(), portable::QUOTING.len() + 1);
}

#[test]
fn an_environment_string_and_a_scanned_line_have_their_longest() {
    for (dialect, longest) in [
        (Dialect::Compose, 131_071),
        (Dialect::Github, 131_071),
        (Dialect::Portable(Consumers::EVERYBODY), 131_071),
        (Dialect::Docker, 65_535),
        (Dialect::Kubernetes, 65_535),
        (Dialect::of(&[Dialect::Compose, Dialect::Docker]), 65_535),
    ] {
        let value = vec![b'x'; longest - "NAME=".len()];
        let mut out = Vec::new();
        assert_eq!(
            dialect.assign("NAME", &value, &mut out),
            Ok(()),
            "{dialect:?}"
        );
        comes_back(dialect, &[("NAME", &value)], &out);
        assert!(
            dialect.assign("NAMES", &value, &mut out).is_err(),
            "{dialect:?}"
        );
        assert_eq!(
            out.len(),
            longest + 1,
            "nothing of the refused is left in {dialect:?}"
        );
    }
    assert_eq!(Dialect::Kubernetes.limit(), Some(1 << 20));
    assert!(
        Dialect::Kubernetes
            .read(&[b"K=".to_vec(), vec![b'x'; 70_000]].concat())
            .is_err()
    );
}

#[test]
fn comments_are_where_they_may_be() {
    for dialect in dialects() {
        let entries = dialect.read(b"# it's a comment\n\nA=1\n");
        let only: bool = entries.is_ok_and(|entries| entries.len() == 1);
        let document = matches!(dialect, Dialect::Json | Dialect::Yaml);
        assert_eq!(
            only || document,
            dialect.comment() || document,
            "{dialect:?}"
        );
    }
}

/// What a consumer makes of a text: `K`'s value, `-` for none, or `!` for an error.
fn meaning(dialect: Dialect, text: &str) -> String {
    match dialect.read(text.as_bytes()) {
        Err(_) => "!".to_owned(),
        Ok(entries) => last(&entries, b"K").map_or("-".to_owned(), |value| {
            String::from_utf8_lossy(value).into_owned()
        }),
    }
}

#[test]
fn the_same_text_means_what_each_consumer_makes_of_it() {
    use Dialect::*;
    let columns = [
        Compose,
        Docker,
        Systemd,
        Shell,
        Node,
        NodeEnvFile,
        Python,
        Ruby,
        Rust,
        Direnv,
        Github,
        Kubernetes,
    ];
    for (text, meanings) in MEANINGS {
        let found: Vec<_> = columns.map(|dialect| meaning(dialect, text)).into();
        assert_eq!(found.join("|"), *meanings, "{text:?}");
    }
}

/// Texts, and their meaning to Compose, docker, systemd, a shell, npm's dotenv, Node, python-dotenv, Ruby, dotenvy,
/// direnv, GitHub and kubectl.
const MEANINGS: &[(&str, &str)] = &[
    ("K=1\nK=2\n", "2|2|2|2|2|2|2|2|2|2|2|2"),
    ("export K=1\n", "1|!|!|1|1|1|1|1|1|1|-|!"),
    ("K = 1\n", "1|!|1|!|1|1|1|1|1|1|-|!"),
    ("K: 1\n", "1|!|!|!|1|!|!|1|!|1|!|!"),
    ("K\n", "-|-|!|!|-|!|!||!|!|!|"),
    (
        "K='a' # c\n",
        "a|'a' # c|a# c|a|a|a|a|a|a|a|'a' # c|'a' # c",
    ),
    ("K=a # c\n", "a|a # c|a # c|a|a|a|a|a|a|a|a # c|a # c"),
    ("K=a#c\n", "a#c|a#c|a#c|a#c|a|a|a#c|a|a#c|a|a#c|a#c"),
    ("A=1\r\nK=2\r\n", "2|2|2|2\r|2|2|2|2|2|2|2\r|2"),
    ("\u{feff}K=1\n", "1|1|!|!|1|!|1|1|!|!|1|1"),
    ("K='a\n", "!|'a|!|!|'a|!|!|'a|!|!|'a|'a"),
    ("K=a\\\nb\n", "a\\|a\\|ab|ab|a\\|!|!|a\\|!|!|!|a\\"),
    (
        "K='a''b'\n",
        "!|'a''b'|ab|ab|a''b|!|!|a''b|ab|a''b|'a''b'|'a''b'",
    ),
    (
        "K=\"a\\nb\"\n",
        "a\nb|\"a\\nb\"|a\\nb|a\\nb|a\nb|a\nb|a\nb|a\\nb|a\nb|a\nb|\"a\\nb\"|\"a\\nb\"",
    ),
    ("A=1\nK=$A\n", "1|$A|$A|1|$A|$A|$A|1|1|1|$A|$A"),
    (
        "A=1\nK='${A}'\n",
        "${A}|'${A}'|${A}|${A}|${A}|${A}|1|${A}|${A}|${A}|'${A}'|'${A}'",
    ),
    (
        "K=$(id)\n",
        "$(id)|$(id)|$(id)|!|$(id)|$(id)|$(id)|!|(id)|$(id)|$(id)|$(id)",
    ),
    (
        "K=`id`\n",
        "`id`|`id`|`id`|!|id|id|`id`|`id`|`id`|`id`|`id`|`id`",
    ),
    ("K=a b\n", "a b|a b|a b|!|a b|a b|a b|a b|!|!|a b|a b"),
];

#[test]
fn what_cannot_be_read_is_told_with_its_line() {
    for (dialect, text, line) in [
        (Dialect::Compose, "A=1\nB='x\n", 2),
        (Dialect::Compose, "A=1\n\n2B=x\n", 3),
        (Dialect::Shell, "A=1\nB=$(id)\n", 2),
        (Dialect::Systemd, "A=1\nB.C=x\n", 2),
        (Dialect::Docker, "A=1\n=x\n", 2),
        (Dialect::Node, "A=1\nB=\u{7f}\n", 0),
        (Dialect::DotenvExpand, "A=1\nB=$(id)\n", 2),
        (Dialect::NodeEnvFile, "A=1\nB='x\n", 2),
        (Dialect::Vite, "A=1\nB='x\n", 2),
        (Dialect::Python, "A=1\n\nB\n", 3),
        (Dialect::Ruby, "A=1\nB=$(id)\n", 2),
        (Dialect::Rust, "A=1\nB=x y\n", 2),
        (Dialect::Direnv, "A=1\nB=x y\n", 2),
        (Dialect::Github, "A=1\nB<<E\nx\n", 2),
        (Dialect::Kubernetes, "A=1\n2=x\n", 2),
        (Dialect::Json, "{\"A\": 1,\n\"B\" 2}", 2),
        (Dialect::Yaml, "A: 1\nB: *x\n", 2),
        (Dialect::Portable(Consumers::EVERYBODY), "A=1\nB=$x\n", 2),
        (
            Dialect::of(&[Dialect::Compose, Dialect::Docker]),
            "A=1\nB='x'\n",
            2,
        ),
    ] {
        let found = dialect
            .read(text.as_bytes())
            .err()
            .map_or(0, |error| error.line);
        assert_eq!(found, line, "{dialect:?} {text:?}");
    }
    for dialect in dialects() {
        if ![Dialect::Compose, Dialect::Shell, Dialect::Direnv].contains(&dialect) {
            let error = dialect.read(b"{\"A\":\n\"\xff\"}").unwrap_err();
            assert!(error.line <= 2, "{dialect:?}");
        }
    }
}

#[test]
fn a_document_gives_its_scalars_by_their_paths() {
    let text = r#"{"a": {"b": ["x", 1, true, null]}, "c.d": "\u0085"}"#;
    let expected: [(&str, &[u8]); 5] = [
        ("a.b.0", b"x"),
        ("a.b.1", b"1"),
        ("a.b.2", b"true"),
        ("a.b.3", b"null"),
        ("c.d", "\u{85}".as_bytes()),
    ];
    comes_back(Dialect::Json, &expected, text.as_bytes());
    comes_back(Dialect::Yaml, &expected, text.as_bytes());
    let several = "---\na: x\n---\nb:\n  - p\n  - q\n";
    comes_back(
        Dialect::Yaml,
        &[("0.a", b"x"), ("1.b.0", b"p"), ("1.b.1", b"q")],
        several.as_bytes(),
    );
    let nested = "[".repeat(100_000);
    for dialect in [Dialect::Json, Dialect::Yaml] {
        assert!(dialect.read(nested.as_bytes()).is_err(), "{dialect:?}");
        assert!(dialect.read(b"{\"a\": 1} 2").is_err(), "{dialect:?}");
    }
    assert!(Dialect::Yaml.read(b"a: 1\na: 2\n").is_err());
}

#[test]
fn a_github_record_ends_at_a_line_that_its_value_does_not_have() {
    let value = b"a\nDOTAGE_END\nDOTAGE_END_\n";
    let mut out = Vec::new();
    Dialect::Github.assign("K", value, &mut out).unwrap();
    assert!(out.starts_with(b"K<<DOTAGE_END__\n"));
    let mut again = Vec::new();
    Dialect::Github.assign("K", value, &mut again).unwrap();
    assert_eq!(out, again);
    comes_back(Dialect::Github, &[("K", value)], &out);
}

#[test]
fn what_only_plain_bytes_need_is_borrowed() {
    for dialect in dialects() {
        let text: &[u8] = match dialect {
            Dialect::Json => br#"{"K": "plain"}"#,
            Dialect::Yaml => b"K: \"plain\"\n",
            _ => b"K=plain\n",
        };
        let entries = dialect.read(text).unwrap();
        assert!(
            matches!(entries[..], [(_, Cow::Borrowed(b"plain"))]),
            "{dialect:?}"
        );
    }
}
