//! The real consumers read what dotage wrote and give back the same bytes, and dotage reads a text as they do.
//!
//! Run `tests/install` first. `DOTAGE_ORACLE_VALUES` says how many generated values each consumer is asked about
//! (1,000 without it); each value either comes back byte for byte or was refused when it was written.
//!
//! # Why
//!
//! The rules in `dialect` are ours to get wrong, and a test that holds them to themselves would agree with any
//! mistake. The oracle is the program that will read the file. A file is asked whole, with neighbours before and
//! after each value: in several consumers a value spoils only the line that follows it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test may end it"
)]

#[path = "dialects/consumers.rs"]
mod consumers;
#[path = "dialects/hostile.rs"]
mod hostile;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

use consumers::{ALL, Answer, Consumer};
use dotage::dialect::Dialect;
use hostile::Numbers;

/// The names in a file of generated values: the pieces of a value refer to the first of them.
const NAMES: [&str; 20] = [
    "A", "B", "C", "D", "E", "F", "G", "H", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T",
    "U_1", "_v",
];

/// The dialects whose files a portable one is for.
const QUOTING: [Dialect; 11] = [
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

/// What somebody may write after `for:`.
const SETS: &[&[Dialect]] = &[
    &[Dialect::Compose, Dialect::Systemd],
    &[Dialect::Compose, Dialect::Docker],
    &[Dialect::Compose, Dialect::Node],
    &[Dialect::Compose, Dialect::Python],
    &[Dialect::Compose, Dialect::Shell, Dialect::Direnv],
    &[Dialect::Docker, Dialect::Kubernetes],
    &[Dialect::Docker, Dialect::Shell],
    &[Dialect::Systemd, Dialect::Shell],
    &[Dialect::Systemd, Dialect::Rust],
    &[Dialect::Node, Dialect::NodeEnvFile],
    &[Dialect::Node, Dialect::DotenvExpand],
    &[Dialect::Node, Dialect::Ruby, Dialect::Python],
    &[Dialect::NodeEnvFile, Dialect::Vite],
    &[Dialect::DotenvExpand, Dialect::Vite],
    &[Dialect::Ruby, Dialect::Direnv],
    &[Dialect::Rust, Dialect::Python],
    &[Dialect::Github, Dialect::Docker],
    &[Dialect::Github, Dialect::Node],
    &[
        Dialect::Shell,
        Dialect::Node,
        Dialect::Python,
        Dialect::Ruby,
        Dialect::Rust,
        Dialect::Compose,
    ],
    &[
        Dialect::Kubernetes,
        Dialect::Systemd,
        Dialect::Compose,
        Dialect::Node,
    ],
];

type Values = BTreeMap<Vec<u8>, Vec<u8>>;

/// A file that dotage wrote, and what it means.
struct Written {
    about: String,
    text: Vec<u8>,
    means: Values,
}

impl Written {
    fn new(about: String) -> Self {
        Written {
            about,
            text: Vec::new(),
            means: Values::new(),
        }
    }

    /// Adds an assignment if `dialect` can write it.
    fn assign(&mut self, dialect: Dialect, name: &str, value: &[u8]) -> bool {
        if dialect == Dialect::Json && !self.text.is_empty() {
            self.text.push(b',');
        }
        let written = dialect.assign(name, value, &mut self.text).is_ok();
        if written {
            self.means.insert(name.into(), value.to_vec());
        } else if dialect == Dialect::Json {
            self.text.pop();
        }
        written
    }

    fn finish(mut self, dialect: Dialect) -> Self {
        if dialect == Dialect::Json {
            self.text.insert(0, b'{');
            self.text.push(b'}');
        }
        self
    }
}

/// What a consumer was asked.
#[derive(Clone, Copy, Default)]
struct Asked {
    files: usize,
    values: usize,
    refused: usize,
    seconds: f32,
}

/// The number of generated values that each consumer is asked.
fn count() -> usize {
    std::env::var("DOTAGE_ORACLE_VALUES").map_or(1_000, |count| {
        count.parse().expect("DOTAGE_ORACLE_VALUES is a number")
    })
}

/// What stands before and after a value of the table: plain values, then some that would end a quote left open.
const NEIGHBOURS: [(&str, &str); 3] = [("1", "2"), ("x 'y", " # z'"), ("\"x", "' # \"z")];

/// A file for each value of the table and pair of neighbours; and those that were refused.
fn hostile_files(
    dialect: Dialect,
    neighbours: &[(&str, &str)],
) -> (Vec<Written>, Vec<&'static str>) {
    let mut files = Vec::new();
    let mut refused = Vec::new();
    for (what, value) in hostile::table().into_iter().chain(hostile::found()) {
        for (before, after) in neighbours {
            let mut file = Written::new(format!("{what} between {before} and {after}"));
            let surrounded = file.assign(dialect, "BEFORE", before.as_bytes());
            let accepted = file.assign(dialect, "VALUE", &value);
            if surrounded && file.assign(dialect, "AFTER", after.as_bytes()) && accepted {
                files.push(file.finish(dialect));
            } else if !accepted && !refused.contains(&what) {
                refused.push(what);
            }
        }
    }
    (files, refused)
}

/// Files of generated values, `count` of them that `dialect` can write, and the number of those it refused.
fn generated_files(dialect: Dialect, count: usize) -> (Vec<Written>, usize) {
    let mut numbers = Numbers::from(&format!("{dialect:?}"));
    let mut files = Vec::new();
    let (mut accepted, mut refused) = (0, 0);
    while accepted < count && refused < 200 * count {
        let mut file = Written::new(format!("generated file {}", files.len()));
        for name in NAMES {
            while accepted < count && refused < 200 * count {
                if file.assign(dialect, name, &numbers.value()) {
                    accepted += 1;
                    break;
                }
                refused += 1;
            }
        }
        files.push(file.finish(dialect));
    }
    (files, refused)
}

/// Asks a consumer about files, and says the first few that it reads as something else, shortest first.
fn ask(consumer: &Consumer, mut files: Vec<Written>, refused: usize) -> Result<Asked, String> {
    if files.len() > consumer.sample {
        let step = files.len().div_ceil(consumer.sample);
        files = files.into_iter().step_by(step).collect();
    }
    let texts: Vec<&[u8]> = files.iter().map(|file| &*file.text).collect();
    let start = Instant::now();
    let answers = consumer.ask(&texts);
    let mut wrong: Vec<String> = files
        .iter()
        .zip(&answers)
        .filter(|(file, answer)| answer.as_ref() != Ok(&file.means))
        .map(|(file, answer)| difference(file, answer))
        .collect();
    wrong.sort_by_key(String::len);
    if wrong.is_empty() {
        Ok(Asked {
            files: files.len(),
            values: files.iter().map(|file| file.means.len()).sum(),
            refused,
            seconds: start.elapsed().as_secs_f32(),
        })
    } else {
        let shown = wrong.len().min(8);
        Err(format!(
            "{} reads {} of {} files as something else\n{}",
            consumer.name,
            wrong.len(),
            files.len(),
            wrong[..shown].join("\n")
        ))
    }
}

fn difference(file: &Written, answer: &Answer) -> String {
    let mut said = format!("{}:", file.about);
    match answer {
        Err(failure) => {
            let _ = write!(said, " fails: {failure}");
            let lines = file.text.escape_ascii();
            let _ = write!(said, "\n    in {:.400}", lines.to_string());
        }
        Ok(read) => {
            for (name, value) in &file.means {
                if read.get(name) != Some(value) {
                    let _ = write!(
                        said,
                        "\n    {} means {:.200}, is read as {:.200}",
                        name.escape_ascii(),
                        show(Some(value)),
                        show(read.get(name))
                    );
                }
            }
            for name in read.keys().filter(|name| !file.means.contains_key(*name)) {
                let _ = write!(said, "\n    {} is read too", name.escape_ascii());
            }
            if file.text.len() < 600 {
                let _ = write!(said, "\n    in {}", file.text.escape_ascii());
            }
        }
    }
    said
}

fn show(value: Option<&Vec<u8>>) -> String {
    value.map_or("nothing".to_owned(), |value| {
        format!("\"{}\"", value.escape_ascii())
    })
}

/// What was asked of a consumer under a heading, once in a run however many tests want to know.
fn once(
    heading: &'static str,
    consumer: &Consumer,
    proof: impl FnOnce() -> Result<Asked, String>,
) -> Result<Asked, String> {
    type Proofs = BTreeMap<(&'static str, &'static str), &'static OnceLock<Result<Asked, String>>>;
    static PROOFS: Mutex<Proofs> = Mutex::new(BTreeMap::new());
    let proved = *PROOFS
        .lock()
        .unwrap()
        .entry((heading, consumer.name))
        .or_insert_with(|| Box::leak(Box::default()));
    proved.get_or_init(proof).clone()
}

/// The table and generated values in the consumer's own dialect.
fn own(consumer: &Consumer) -> Result<Asked, String> {
    once("in its own dialect", consumer, || {
        let dialect = consumer.dialect.expect("a dialect of its own");
        let (mut files, refused) = hostile_files(dialect, &NEIGHBOURS);
        let (generated, more) = generated_files(dialect, count());
        files.extend(generated);
        ask(consumer, files, refused.len() + more)
    })
}

/// The table and generated values in portable files: one for everybody, one for each set that the consumer is in.
fn portable(consumer: &Consumer) -> Result<Asked, String> {
    once("in portable files", consumer, || {
        let mut files = Vec::new();
        let mut refused = 0;
        let mut add = |dialect, count| {
            let (hostile, some) = hostile_files(dialect, &NEIGHBOURS[..1]);
            let (generated, more) = generated_files(dialect, count);
            files.extend(hostile);
            files.extend(generated);
            refused += some.len() + more;
        };
        if consumer
            .dialect
            .is_none_or(|dialect| QUOTING.contains(&dialect))
        {
            add(Dialect::of(&[]), count() / 2);
        }
        for set in SETS {
            if consumer
                .dialect
                .is_some_and(|dialect| set.contains(&dialect))
            {
                add(Dialect::of(set), count() / 10);
            }
        }
        ask(consumer, files, refused)
    })
}

/// The last value of each name, as dotage reads a text in this dialect.
fn ours(dialect: Dialect, text: &[u8]) -> Result<Values, String> {
    match dialect.read(text) {
        Ok(entries) => Ok(entries
            .into_iter()
            .map(|(name, value)| (name.as_bytes().to_vec(), value.into_owned()))
            .collect()),
        Err(unreadable) => Err(format!("line {}: {}", unreadable.line, unreadable.why)),
    }
}

/// How a reading of ours stands to the consumer's.
#[derive(PartialEq, Debug)]
enum Verdict {
    /// Both read the same.
    Alike,
    /// Both refuse.
    Refused,
    /// Ours refuses what the consumer reads by running a command, or by passing over a line that says nothing to it.
    Stricter,
    Differs,
}

fn verdict(dialect: Dialect, text: &[u8], answer: &Answer) -> Verdict {
    match (ours(dialect, text), answer) {
        (Ok(ours), Ok(theirs)) if ours == *theirs => Verdict::Alike,
        (Err(_), Err(_)) => Verdict::Refused,
        (Err(_), Ok(_)) => Verdict::Stricter,
        _ => Verdict::Differs,
    }
}

/// The shortest text found that is misread in the same way, by leaving out lines, then characters.
fn shortest(consumer: &Consumer, dialect: Dialect, text: &str) -> String {
    let way = |text: &str, answer: &Answer| {
        let why = ours(dialect, text.as_bytes())
            .err()
            .map(|why| why.trim_start_matches(|c| c != ':').to_owned());
        (verdict(dialect, text.as_bytes(), answer), why)
    };
    let mut text = text.to_owned();
    let same = way(&text, &consumer.ask(&[&text])[0]);
    loop {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let mut shorter: Vec<String> = (0..lines.len())
            .map(|i| [&lines[..i], &lines[i + 1..]].concat().concat())
            .collect();
        shorter.extend(text.char_indices().map(|(i, c)| {
            let mut without = text.clone();
            without.replace_range(i..i + c.len_utf8(), "");
            without
        }));
        let answers = consumer.ask(&shorter);
        let found = shorter
            .into_iter()
            .zip(answers)
            .find(|(text, answer)| way(text, answer) == same);
        match found {
            Some((shorter, _)) => text = shorter,
            None => return text,
        }
    }
}

/// Whether a variable that others refer to has a reference itself: a circle of them ends dotenv-expand 12 and 13 by
/// running out of memory (`A=$B$` and `B=$B`).
fn refers_around(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'\n').any(|line| {
        let line = String::from_utf8_lossy(line);
        let assignment = line
            .trim_start_matches('\u{feff}')
            .trim_start_matches("export ");
        assignment.starts_with(['A', 'B']) && assignment.contains('$')
    })
}

/// So many texts that dotage didn't write: it reads `alike` of them as the consumer does, refuses `stricter` that the
/// consumer reads, and refuses the others as the consumer does.
fn foreign(
    consumer: &Consumer,
    count: usize,
    alike: usize,
    stricter: usize,
) -> Result<Asked, String> {
    once("in foreign files", consumer, || {
        let dialect = consumer.dialect.expect("a dialect of its own");
        let mut numbers = Numbers::from("foreign");
        let names = ["A", "B", "C", "C_1", "c", "A", "B", "A.B", "A-B", "1X"];
        let expands = matches!(dialect, Dialect::Vite | Dialect::DotenvExpand);
        let safe = |text: &Vec<u8>| !expands || !refers_around(text);
        let texts: Vec<Vec<u8>> = (0..count)
            .map(|_| numbers.text(&names))
            .filter(safe)
            .collect();
        let start = Instant::now();
        let answers = consumer.ask(&texts);
        let verdicts: Vec<Verdict> = texts
            .iter()
            .zip(&answers)
            .map(|(text, answer)| verdict(dialect, text, answer))
            .collect();
        let of = |kind: Verdict| verdicts.iter().filter(|verdict| **verdict == kind).count();
        if of(Verdict::Differs) == 0
            && (of(Verdict::Alike), of(Verdict::Stricter)) == (alike, stricter)
        {
            return Ok(Asked {
                files: texts.len(),
                values: answers.iter().flatten().map(BTreeMap::len).sum(),
                refused: stricter,
                seconds: start.elapsed().as_secs_f32(),
            });
        }
        let mut said = format!(
            "of {} texts {} are read differently; {} instead of {alike} are read alike; {} instead of {stricter} are \
             refused that {} reads",
            texts.len(),
            of(Verdict::Differs),
            of(Verdict::Alike),
            of(Verdict::Stricter),
            consumer.name
        );
        // The shortest text of each difference, and of each reason to refuse.
        let mut shown: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (text, verdict) in texts.iter().zip(&verdicts) {
            let reason = ours(dialect, text).err().unwrap_or_default();
            let reason = reason.trim_start_matches(|c| c != ':').to_owned();
            if matches!(verdict, Verdict::Stricter | Verdict::Differs) {
                shown
                    .entry(reason)
                    .or_default()
                    .push(String::from_utf8(text.clone()).expect("text"));
            }
        }
        for (reason, mut texts) in shown {
            texts.sort_by_key(String::len);
            let most = if reason.is_empty() { 8 } else { 1 };
            let _ = write!(said, "\n{} texts{reason}", texts.len());
            let mut short: Vec<String> = texts
                .iter()
                .take(most)
                .map(|text| shortest(consumer, dialect, text))
                .collect();
            short.sort_by_key(|text| (text.len(), text.clone()));
            short.dedup();
            for text in short {
                let _ = write!(
                    said,
                    "\n    {text:?}\n        ours:   {:?}\n        theirs: {:?}",
                    readable(&ours(dialect, text.as_bytes())),
                    readable(&consumer.ask(&[&text])[0])
                );
            }
        }
        Err(said)
    })
}

fn readable(answer: &Answer) -> Result<BTreeMap<String, String>, &str> {
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    match answer {
        Ok(values) => Ok(values
            .iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect()),
        Err(failure) => Err(failure),
    }
}

/// One test for each consumer.
macro_rules! each {
    ($proof:expr; $($test:ident: $consumer:ident $(, $argument:expr)*;)*) => {
        use super::*;
        $(
            #[test]
            fn $test() {
                if let Err(wrong) = $proof(&consumers::$consumer $(, $argument)*) {
                    panic!("{wrong}");
                }
            }
        )*
    };
}

/// Each consumer reads its own dialect back byte for byte, with no name too many or too few.
mod own_dialect_comes_back_from {
    each! { own;
        compose_2: COMPOSE_2;
        compose_2_with_format_raw: COMPOSE_2_RAW;
        compose_2_as_the_project_s_dotenv: COMPOSE_2_PROJECT;
        compose_1: COMPOSE_1;
        compose_1_as_the_project_s_dotenv: COMPOSE_1_PROJECT;
        docker: DOCKER;
        kubectl: KUBECTL;
        systemd: SYSTEMD;
        dash: DASH;
        bash: BASH;
        zsh: ZSH;
        ksh93: KSH93;
        mksh: MKSH;
        busybox: BUSYBOX;
        dotenv_16: DOTENV_16;
        dotenv_17: DOTENV_17;
        dotenv_18: DOTENV_18;
        dotenv_expand_12: EXPAND_12;
        dotenv_expand_1000: EXPAND_1000;
        vite: VITE;
        node_20_parse_env: PARSE_ENV_20;
        node_26_parse_env: PARSE_ENV_26;
        node_20_env_file: ENV_FILE_20;
        node_26_env_file: ENV_FILE_26;
        python_dotenv: PYTHON_DOTENV;
        ruby_dotenv: RUBY;
        dotenvy: RUST;
        direnv_2_37: DIRENV;
        direnv_2_32: DIRENV_OLD;
        github: GITHUB;
        json: JSON;
        pyyaml: PYYAML;
        psych: PSYCH;
    }
}

/// Each consumer reads a portable file, and one for a set of consumers that it is in, like all the others.
mod portable_comes_back_from {
    each! { portable;
        compose_2: COMPOSE_2;
        compose_2_with_format_raw: COMPOSE_2_RAW;
        compose_2_as_the_project_s_dotenv: COMPOSE_2_PROJECT;
        compose_1: COMPOSE_1;
        compose_1_as_the_project_s_dotenv: COMPOSE_1_PROJECT;
        docker: DOCKER;
        kubectl: KUBECTL;
        systemd: SYSTEMD;
        dash: DASH;
        bash: BASH;
        zsh: ZSH;
        ksh93: KSH93;
        mksh: MKSH;
        busybox: BUSYBOX;
        dotenv_16: DOTENV_16;
        dotenv_17: DOTENV_17;
        dotenv_18: DOTENV_18;
        dotenv_expand_12: EXPAND_12;
        dotenv_expand_1000: EXPAND_1000;
        vite: VITE;
        node_20_parse_env: PARSE_ENV_20;
        node_26_parse_env: PARSE_ENV_26;
        node_20_env_file: ENV_FILE_20;
        node_26_env_file: ENV_FILE_26;
        python_dotenv: PYTHON_DOTENV;
        python_decouple: DECOUPLE;
        ruby_dotenv: RUBY;
        dotenvy: RUST;
        direnv_2_37: DIRENV;
        direnv_2_32: DIRENV_OLD;
        github: GITHUB;
    }
}

/// dotage reads a text that somebody else wrote as its consumer does. Of the first number of texts, the second
/// are read alike; the third are refused by dotage and read by the consumer: by running a command, by passing over a
/// line, or unlike another version of itself.
mod foreign_text_is_read_as_by {
    each! { foreign;
        compose_2: COMPOSE_2, 500, 419, 23;
        compose_2_with_format_raw: COMPOSE_2_RAW, 100, 71, 0;
        compose_1: COMPOSE_1, 500, 363, 74;
        docker: DOCKER, 200, 147, 0;
        systemd: SYSTEMD, 500, 290, 51;
        dash: DASH, 500, 192, 48;
        bash: BASH, 500, 192, 48;
        dotenv_16: DOTENV_16, 500, 500, 0;
        dotenv_18: DOTENV_18, 500, 500, 0;
        dotenv_expand_12: EXPAND_12, 500, 347, 19;
        vite: VITE, 500, 197, 169;
        node_26_parse_env: PARSE_ENV_26, 500, 295, 205;
        python_dotenv: PYTHON_DOTENV, 500, 363, 71;
        ruby_dotenv: RUBY, 500, 487, 0;
        dotenvy: RUST, 500, 245, 0;
        direnv_2_37: DIRENV, 500, 275, 89;
        github: GITHUB, 500, 334, 0;
    }
}

#[test]
fn the_table_has_its_67_values() {
    assert_eq!(hostile::table().len(), 67);
}

/// A refusal costs its user another way to carry the value, so no dialect may begin to refuse one more of the table.
#[test]
fn the_table_is_refused_only_where_this_says() {
    let mut refusals = String::new();
    for dialect in Dialect::ALL {
        let _ = writeln!(
            refusals,
            "{}: {}",
            dialect.name(),
            hostile_files(dialect, &NEIGHBOURS).1.join(", ")
        );
    }
    assert_eq!(refusals, REFUSED, "{refusals}");
}

const REFUSED: &str = "\
portable: both quotes, all three quotes, a backslash, a backslash last, two backslashes, backslash n, backslash single quote, backslash double quote, backslash dollar, two backslashes last, a variable, a braced variable, a default, a command, two dollars, dollar digit, a dollar last, dollar space, U+2028, U+0085, bytes that are no UTF-8, NUL, vertical tab and form feed, a line feed, a line feed last, a line feed first, another assignment, a comment in a line of its own, a blank line, CR LF, CR, a CR last, a PEM key, JSON in lines, 200 KB on a line, a dollar sign and a caret
compose: NUL, 200 KB on a line
docker: bytes that are no UTF-8, NUL, a line feed, a line feed last, a line feed first, another assignment, a comment in a line of its own, a blank line, CR LF, a CR last, a PEM key, JSON in lines, 70 KB on a line, 200 KB on a line
systemd: bytes that are no UTF-8, NUL, 200 KB on a line
shell: NUL, 200 KB on a line
node: bytes that are no UTF-8, NUL, 200 KB on a line
dotenv-expand: a command, bytes that are no UTF-8, NUL, the mark of an encrypted value, 200 KB on a line
vite: bytes that are no UTF-8, NUL, CR LF, CR, a CR last, JSON in lines, 200 KB on a line
node-env-file: bytes that are no UTF-8, NUL, CR LF, CR, a CR last, JSON in lines, 200 KB on a line
python: bytes that are no UTF-8, NUL, 200 KB on a line
ruby: bytes that are no UTF-8, NUL, CR LF, CR, a CR last, 200 KB on a line
rust: bytes that are no UTF-8, NUL, 200 KB on a line
direnv: NUL, 200 KB on a line
github: bytes that are no UTF-8, NUL, 200 KB on a line
kubernetes: bytes that are no UTF-8, NUL, a line feed, a line feed last, a line feed first, another assignment, a comment in a line of its own, a blank line, CR LF, a CR last, a PEM key, JSON in lines, 70 KB on a line, 200 KB on a line
json: bytes that are no UTF-8, NUL
yaml: bytes that are no UTF-8, NUL
";

/// A driver that answered for nothing would agree with everything.
#[test]
fn every_consumer_was_asked() {
    let mut report = String::new();
    let mut unasked = Vec::new();
    for consumer in ALL {
        let mut line = |what: &str, asked: Result<Asked, String>| match asked {
            Ok(asked) => {
                let _ = writeln!(
                    report,
                    "{:<24} {what:<20} {:>6} values in {:>4} files came back, {:>6} were refused, {:>5.1} s",
                    consumer.name, asked.values, asked.files, asked.refused, asked.seconds
                );
                if asked.values == 0 {
                    unasked.push(consumer.name);
                }
            }
            Err(_) => unasked.push(consumer.name),
        };
        if consumer.dialect.is_some() {
            line("in its own dialect", own(consumer));
        }
        if !matches!(consumer.dialect, Some(Dialect::Json | Dialect::Yaml)) {
            line("in portable files", portable(consumer));
        }
    }
    // Not `eprint`, which a passing test keeps to itself.
    std::io::stderr().write_all(report.as_bytes()).unwrap();
    assert!(unasked.is_empty(), "asked in vain: {unasked:?}");
}
