//! What is hidden against the plainest reading of the rules, over random needles, texts and cuts; and the known traps.

use super::*;
use std::io::Write as _;

/// Needles of exactly these bytes, named A, B, C ….
fn exact(needles: &[&[u8]]) -> Needles {
    let mut gathered = Gathered::default();
    for (letter, bytes) in ('A'..='Z').zip(needles) {
        gathered.name(&Name::new(&letter.to_string()).unwrap());
        gathered.add(Form::raw(bytes));
    }
    gathered.into_needles()
}

fn secret(value: &[u8]) -> (Name, Secret) {
    (Name::new("SECRET").unwrap(), Secret::new(value.to_vec()))
}

/// The needles of one value.
fn of(value: &[u8]) -> Needles {
    let (name, secret) = secret(value);
    Needles::new([(&name, &secret)])
}

fn redacted<'t>(needles: &Needles, writes: impl IntoIterator<Item = &'t [u8]>) -> Vec<u8> {
    let mut redactor = Redactor::new(needles, Marker::Name, Vec::new());
    for write in writes {
        redactor.write_all(write).unwrap();
    }
    redactor.finish().unwrap()
}

fn text(needles: &Needles, input: &str) -> String {
    String::from_utf8(redacted(needles, [input.as_bytes()])).unwrap()
}

/// Where an occurrence begins and ends, and of which needle it is.
type Occurrence = (usize, usize, usize);

fn occurrences(needles: &[&[u8]], text: &[u8]) -> Vec<Occurrence> {
    let mut found = Vec::new();
    for (index, needle) in needles.iter().enumerate() {
        for start in 0..text.len() {
            if text[start..].starts_with(needle) {
                found.push((start, start + needle.len(), index));
            }
        }
    }
    found
}

/// The same, read off the rules: the whole text at once, byte by byte.
fn naive(needles: &Needles, text: &[u8]) -> Vec<u8> {
    let all: Vec<Needle> = needles.iter().collect();
    let bytes: Vec<&[u8]> = all.iter().map(|needle| needle.bytes).collect();
    let mut found = occurrences(&bytes, text);
    let alphabet = |b: &u8| b.is_ascii_alphanumeric() || b"+/-_=".contains(b);
    // The bytes that stay when line ends after 32 characters of the alphabets are left out.
    let mut kept: Vec<usize> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let end = match text[at..] {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => 0,
        };
        let folded = end > 0 && at >= 32 && text[at - 32..at].iter().all(alphabet);
        if folded {
            at += end;
        } else {
            kept.push(at);
            at += 1;
        }
    }
    let unfolded: Vec<u8> = kept.iter().map(|at| text[*at]).collect();
    for (start, end, index) in occurrences(&bytes, &unfolded) {
        let (first, last) = (kept[start], kept[end - 1]);
        if last - first >= end - start && bytes[index].iter().all(alphabet) {
            found.push((first, last + 1, index));
        }
    }
    let mut hidden = vec![false; text.len()];
    for (start, end, _) in &found {
        hidden[*start..*end].fill(true);
    }
    let mut out = Vec::new();
    for (at, byte) in text.iter().enumerate() {
        if !hidden[at] {
            out.push(*byte);
        } else if at == 0 || !hidden[at - 1] {
            let (.., index) = found
                .iter()
                .filter(|(start, ..)| *start == at)
                .min_by_key(|(_, end, index)| (text.len() - end, *index))
                .unwrap();
            out.extend(format!("[{}]", all[*index].name).bytes());
        }
    }
    out
}

/// Marsaglia's xorshift: the same cases on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % limit
    }

    fn text(&mut self, alphabet: &[u8], lengths: Range<usize>) -> Vec<u8> {
        let length = lengths.start + self.below(lengths.len());
        (0..length)
            .map(|_| alphabet[self.below(alphabet.len())])
            .collect()
    }
}

/// A text of noise, needles, and pieces of needles.
fn haystack(random: &mut Random, needles: &[Vec<u8>], alphabet: &[u8], folds: bool) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..random.below(8) {
        let needle = needles[random.below(needles.len())].clone();
        match random.below(4) {
            0 => text.extend(random.text(alphabet, 0..40)),
            1 => text.extend(&needle[..random.below(needle.len() + 1)]),
            2 => text.extend(&needle[random.below(needle.len())..]),
            _ => text.extend(needle),
        }
    }
    if folds && !text.is_empty() {
        for _ in 0..random.below(4) {
            let at = random.below(text.len());
            let end: &[u8] = [&b"\n"[..], b"\r\n", b"\r"][random.below(3)];
            text.splice(at..at, end.iter().copied());
        }
    }
    text
}

/// `DOTAGE_REDACT_CASES` says how many.
#[test]
fn what_is_hidden_is_the_union_however_the_input_is_cut() {
    let cases = std::env::var("DOTAGE_REDACT_CASES").map_or(4_000, |n| n.parse().unwrap());
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for case in 0..cases {
        let alphabet: &[u8] =
            [&b"ab"[..], b"abc", b"ab\n", b"aB3+ \n", b"ab\xff\0"][random.below(5)];
        let lengths = [4..6, 4..12, 7..20, 11..40, 30..90, 4..90][random.below(6)].clone();
        let count = 1 + random.below(5);
        let mut values: Vec<Vec<u8>> = (0..count)
            .map(|_| random.text(alphabet, lengths.clone()))
            .collect();
        if random.below(3) == 0 {
            // One that begins as another ends.
            let first = values[0].clone();
            let mut next = first[random.below(first.len())..].to_vec();
            next.extend(random.text(alphabet, 4..8));
            values.push(next);
        }
        let borrowed: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let needles = exact(&borrowed);
        let text = haystack(&mut random, &values, alphabet, case % 2 == 0);
        let expected = naive(&needles, &text);
        let mut writes = Vec::new();
        let mut rest = text.as_slice();
        let most = [1, 3, 16, 200][random.below(4)];
        while !rest.is_empty() {
            let (write, after) = rest.split_at((1 + random.below(most)).min(rest.len()));
            writes.push(write);
            rest = after;
        }
        let got = redacted(&needles, writes.iter().copied());
        assert_eq!(
            String::from_utf8_lossy(&got),
            String::from_utf8_lossy(&expected),
            "case {case}: {:?} in {:?} by {:?}",
            values
                .iter()
                .map(|value| String::from_utf8_lossy(value))
                .collect::<Vec<_>>(),
            String::from_utf8_lossy(&text),
            writes.iter().map(|write| write.len()).collect::<Vec<_>>()
        );
    }
}

/// What is held back after each write is what may still become a needle, and not a byte more.
#[test]
fn what_is_held_back_is_the_longest_end_that_may_become_a_secret() {
    let mut random = Random(0x9e37_79b9);
    let mut held_back = 0;
    for _ in 0..150 {
        let alphabet: &[u8] = [&b"ab"[..], b"abc", b"ab\n"][random.below(3)];
        let values: Vec<Vec<u8>> = (0..3).map(|_| random.text(alphabet, 4..50)).collect();
        let borrowed: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let needles = exact(&borrowed);
        let text = haystack(&mut random, &values, alphabet, true);
        let mut redactor = Redactor::new(&needles, Marker::Name, Vec::new());
        for (at, byte) in text.iter().enumerate() {
            redactor.write_all(&[*byte]).unwrap();
            let so_far = &text[..=at];
            let longest = (1..=so_far.len())
                .rev()
                .find(|length| goes_on(&borrowed, so_far, at + 1 - length))
                .unwrap_or(0);
            assert_eq!(redactor.held.len(), longest, "{values:?} in {so_far:?}");
            held_back += longest;
        }
    }
    assert!(held_back > 500, "{held_back}");
}

/// Whether the end of a text from `start` begins a needle that goes on, line ends that may be folds left out.
fn goes_on(needles: &[&[u8]], text: &[u8], start: usize) -> bool {
    let alphabet = |b: &u8| b.is_ascii_alphanumeric() || b"+/-_=".contains(b);
    let end = &text[start..];
    let plain = needles
        .iter()
        .any(|needle| needle.len() > end.len() && needle.starts_with(end));
    let mut unfolded = Vec::new();
    let mut at = start;
    while at < text.len() {
        let length = match text[at..] {
            [b'\r'] | [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => 0,
        };
        if length > 0 && at >= 32 && text[at - 32..at].iter().all(alphabet) {
            at += length;
        } else {
            unfolded.push(text[at]);
            at += 1;
        }
    }
    // A fold stands in a needle, not before it.
    let begins = !matches!(end, [b'\n' | b'\r', ..]);
    let folded = begins
        && unfolded.len() < end.len()
        && needles.iter().any(|needle| {
            needle.len() > unfolded.len()
                && needle.starts_with(&unfolded)
                && needle.iter().all(alphabet)
        });
    plain || folded
}

#[test]
fn the_known_traps() {
    for (needles, input, expected) in [
        // Nested, overlapping, adjacent: other tools leak a tail, a middle, or write two markers.
        (&[&b"abcd"[..], b"abcdefgh"][..], "xabcdefghx", "x[B]x"),
        (&[b"abcdefgh", b"cdef"], "xabcdefx abcdefgh", "xab[B]x [A]"),
        (
            &[b"secret-one", b"one-two-three"],
            "secret-one-two-three",
            "[A]",
        ),
        (&[b"ss3cr3tval"], "ss ss3cr3tval sss3cr3tval", "ss [A] s[A]"),
        (&[b"word"], "wordword word", "[A] [A]"),
        (&[b"word"], "worwordd", "wor[A]d"),
        // At the end, whole and begun.
        (&[b"secret"], "the secret", "the [A]"),
        (&[b"secret"], "the secre", "the secre"),
        (&[b"secret\n"], "the secret", "the secret"),
        // The markers themselves.
        (&[b"[A]A"], "x[A]Ax", "x[A]x"),
        (&[b"[MASKED]"], "x[MASKED]x", "x[A]x"),
        (&[b"se\0cret"], "a\0se\0cret\0", "a\0[A]\0"),
        (&[b"line\r\nline"], "a\r\nline\r\nline\r\n", "a\r\n[A]\r\n"),
        // Which of two names: the longest of those that begin first.
        (&[b"aaaa", b"bbbb"], "aaaabbbb bbbbaaaa", "[A] [B]"),
    ] {
        let needles = exact(needles);
        for most in 1..=input.len() {
            let got = redacted(&needles, input.as_bytes().chunks(most));
            assert_eq!(String::from_utf8(got).unwrap(), expected, "by {most}");
        }
    }
    // GitLab's masker prints these when they are cut in two.
    for needle in [&b"aaaaaaab"[..], b"ababababc"] {
        let needles = exact(&[needle]);
        let text = [&needle[..4], needle, b"y"].concat();
        for cut in 0..text.len() {
            let (first, second) = text.split_at(cut);
            let got = redacted(&needles, [first, second]);
            assert_eq!(got, [&needle[..4], b"[A]y"].concat(), "cut at {cut}");
        }
    }
    let invalid = redacted(&exact(&[b"secret"]), [&b"\xff\xfese"[..], b"cret\xf0\x9f"]);
    assert_eq!(invalid, b"\xff\xfe[A]\xf0\x9f");
}

#[test]
fn what_waits_for_an_answer_goes_out_at_once() {
    let needles = of(b"J7xq9LmZ2vKpR4tWcY8sD1fGhB6nE3aUo5iTjQk0");
    let mut redactor = Redactor::new(&needles, Marker::Name, Vec::new());
    for prompt in ["Continue? [y/N] ", "Password: ", "\r 42% ", "login> "] {
        redactor.to.clear();
        redactor.write_all(prompt.as_bytes()).unwrap();
        assert_eq!(redactor.to, prompt.as_bytes());
    }
    // A line is out with its line feed, whatever it ends in.
    redactor.to.clear();
    redactor.write_all(b"listening on J7xq\n").unwrap();
    assert_eq!(redactor.to, b"listening on J7xq\n");
}

#[test]
fn a_dropped_redactor_passes_on_nothing_more() {
    let needles = exact(&[b"secret"]);
    let mut out = Vec::new();
    Redactor::new(&needles, Marker::Stars, &mut out)
        .write_all(b"the secr")
        .unwrap();
    assert_eq!(out, b"the ");
}

/// A writer that counts what it is asked.
#[derive(Default)]
struct Counting(usize);

impl std::io::Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += 1;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_write_is_passed_on_in_one_write() {
    let needles = exact(&[b"secret"]);
    let mut redactor = Redactor::new(&needles, Marker::Stars, Counting::default());
    for _ in 0..10 {
        redactor
            .write_all(b"et a secret, a secret and a sec")
            .unwrap();
    }
    assert_eq!(redactor.to.0, 10);
}

#[test]
fn a_value_that_cannot_be_hidden_is_not() {
    for value in [
        "",
        " ",
        "\n\t ",
        "abc",
        "  abc\n",
        "true",
        "TRUE",
        "3000",
        "65535",
        "----",
        "********",
        "localhost",
        "日本語",
    ] {
        assert!(cannot_hide(value.as_bytes()).is_some(), "{value:?}");
        assert!(of(value.as_bytes()).is_empty(), "{value:?}");
    }
    for value in ["abcd", "300001", "hunter2", "日本語です", "a\0b\0"] {
        assert_eq!(cannot_hide(value.as_bytes()), None, "{value:?}");
        assert_eq!(
            redacted(&of(value.as_bytes()), [value.as_bytes()]),
            b"[SECRET]"
        );
    }
    assert!(!cannot_hide(b"abc").unwrap().contains("abc"));
}

#[test]
fn parts_of_a_value_are_secrets_of_their_own() {
    let url = "postgresql://app:p%40ss%2Fw0rd@db:5432/shop?sslmode=require";
    assert_eq!(
        text(
            &of(url.as_bytes()),
            "p%40ss%2Fw0rd p@ss/w0rd postgresql://app@db"
        ),
        "[SECRET] [SECRET] postgresql://app@db"
    );
    let document =
        r#"{"user": "kim", "nested": [{"token": "abc\ndef/ghi"}], "on": "true", "n": 123456}"#;
    assert_eq!(
        text(
            &of(document.as_bytes()),
            "kim abc\ndef/ghi YWJjCmRlZi9naGk= true 123456 token"
        ),
        "kim [SECRET] [SECRET]k= true 123456 token"
    );
    let lines = "user: kim\nexport PASSWORD='correct horse'\nother: \"a \\\"b\\\" c\"\n";
    assert_eq!(
        text(
            &of(lines.as_bytes()),
            "correct horse, a \"b\" c, user: kim, kim"
        ),
        "[SECRET], [SECRET], [SECRET], kim"
    );
}

#[test]
fn names_stand_for_what_they_name() {
    let (one, two) = (Name::new("URL").unwrap(), Name::new("PASSWORD").unwrap());
    let (url, password) = (
        Secret::new(b"redis://x:hunter2-hunter3@cache".to_vec()),
        Secret::new(b"hunter2-hunter3".to_vec()),
    );
    let needles = Needles::new([(&one, &url), (&two, &password)]);
    assert_eq!(
        text(&needles, "redis://x:hunter2-hunter3@cache hunter2-hunter3"),
        "[URL] [PASSWORD]"
    );
    let raw = Needles::raw([(&one, &url), (&two, &password)]);
    assert_eq!(raw.iter().count(), 2);
    for (marker, expected) in [
        (Marker::Stars, "***"),
        (Marker::Masked, "[MASKED]"),
        (Marker::Name, "[PASSWORD]"),
    ] {
        let mut redactor = Redactor::new(&raw, marker, Vec::new());
        redactor.write_all(b"hunter2-hunter3").unwrap();
        assert_eq!(redactor.finish().unwrap(), expected.as_bytes());
    }
}

#[test]
fn find_tells_every_occurrence_in_order() {
    let (name, secret) = secret(b"Zk3vQ9rTm1Xw8LbN5cYe");
    let needles = Needles::new([(&name, &secret)]);
    let mut text = b"Zk3vQ9rTm1Xw8LbN5cYe, WmszdlE5clRtMVh3OExiTjVjWWU= ".to_vec();
    text.extend([b'.'; 70_000]);
    text.extend(b"5A6B3376513972546D315877384C624E35635965");
    let found: Vec<(Encoding, Range<usize>)> = needles
        .find(&text)
        .map(|found| (found.encoding, found.range))
        .collect();
    assert_eq!(
        found,
        [
            (Encoding::Raw, 0..20),
            (Encoding::Base64, 22..48),
            (Encoding::Hex, 70_051..70_091)
        ]
    );
    // At every place around the end of a block.
    for at in 65_536 - 45..65_536 + 5 {
        let mut text = vec![b'.'; 140_000];
        text[at..at + 40].copy_from_slice(b"5A6B3376513972546D315877384C624E35635965");
        assert_eq!(needles.find(&text).count(), 1, "{at}");
    }
}

#[test]
fn a_megabyte_is_hidden_whole_and_so_is_any_long_piece_of_it() {
    let mut random = Random(7);
    let value = random.text(
        b"abcdefghijklmnopqrstuvwxyz0123456789+/\n",
        1_048_576..1_048_577,
    );
    let (name, secret) = secret(&value);
    let needles = Needles::raw([(&name, &secret)]);
    for most in [4096, value.len()] {
        assert_eq!(
            redacted(&needles, value.chunks(most)),
            b"[SECRET]",
            "by {most}"
        );
    }
    let piece = redacted(&needles, [&value[500_000..500_400]]);
    assert!(piece.len() < 2 * 64 + 10, "{}", piece.len());
    assert!(needles.iter().all(|needle| needle.bytes.len() <= LONGEST));
}

#[test]
fn a_thousand_secrets() {
    let mut random = Random(9);
    let secrets: Vec<(Name, Secret)> = (0..1000)
        .map(|index| {
            let value = random.text(b"abcdefghijklmnopqrstuvwxyzABCDEFGH0123456789", 24..60);
            (Name::new(&format!("S{index}")).unwrap(), Secret::new(value))
        })
        .collect();
    let needles = Needles::new(secrets.iter().map(|(name, secret)| (name, secret)));
    for (name, secret) in &secrets {
        let line = [b"value: ", secret.expose(), b"\n"].concat();
        let expected = format!("value: [{name}]\n");
        assert_eq!(redacted(&needles, [&line[..]]), expected.as_bytes());
    }
}

/// By the bytes that it compares, not by a clock.
#[test]
fn the_work_grows_with_the_text_alone() {
    let steps = |needles: &Needles, text: &[u8], most: usize| {
        search::STEPS.set(0);
        redacted(needles, text.chunks(most));
        search::STEPS.get()
    };
    let almost = [&[b'a'; 199][..], b"b"].concat();
    let middle = [&[b'a'; 100][..], b"b", &[b'a'; 99]].concat();
    let short = b"aaab".to_vec();
    for needle in [almost, middle, short] {
        let needles = exact(&[&needle]);
        for most in [64, 4096, 65_536] {
            let once = steps(&needles, &vec![b'a'; 20_000], most);
            let twice = steps(&needles, &vec![b'a'; 40_000], most);
            assert!(once > 0, "nothing was counted");
            assert!(twice < 2 * once + once / 10, "{once}, then {twice}");
            // A small write reads again what is held back.
            let again = (most + needle.len()).div_ceil(most);
            assert!(once < 20_000 * 2 * needle.len() * again, "{once}");
        }
    }
}
