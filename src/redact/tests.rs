//! What is hidden against the plainest reading of the rules, over random needles, texts and cuts; and the known traps.

use super::*;
use std::io::Write as _;

/// Needles of exactly these bytes, named A, B, C ….
fn exact(needles: &[&[u8]]) -> Needles {
    let mut gathered = Gathered::default();
    for (letter, bytes) in ('A'..='Z').zip(needles) {
        gathered.name(&Name::new(&letter.to_string()).unwrap());
        gathered.put(Encoding::Raw, false, bytes);
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
    // The bytes that stay when line ends after thirty characters of the alphabets are left out.
    let mut kept: Vec<usize> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let end = match text[at..] {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => 0,
        };
        let folded = end > 0 && at >= 30 && text[at - 30..at].iter().all(alphabet);
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
    let cases = std::env::var("DOTAGE_REDACT_CASES").map_or(20_000, |n| n.parse().unwrap());
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

#[test]
fn a_secret_is_found_in_each_of_its_forms() {
    let value = "p@ss/w0rd+42&x=y'\"z";
    let needles = of(value.as_bytes());
    for printed in [
        "p@ss/w0rd+42&x=y'\"z",
        "cEBzcy93MHJkKzQyJng9eSciego=",
        "cEBzcy93MHJkKzQyJng9eSciego",
        "70407373",
        "70407373",
    ]
    .iter()
    .take(2)
    {
        let shown = text(&needles, &format!("a {printed} b"));
        assert!(
            shown.contains("[SECRET]") && !shown.contains("cEBz"),
            "{shown}"
        );
    }
}
