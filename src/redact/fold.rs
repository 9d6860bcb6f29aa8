//! Needles that line ends cut: base64 and hex folded at any width of 32 or more, from wherever the first line starts.
//!
//! # Why
//!
//! `base64` folds at 76, `openssl` at 64, `xxd -p` at 60, and where in a line a secret starts depends on what stands
//! before it. So a text is read a second time without the line ends that may be such folds: those that 32 characters of
//! base64's alphabets precede. Few logs have any, and around one a few hundred bytes are read again.

use super::{Hit, LONGEST, Needles, reserve};
use std::ops::Range;
use zeroize::Zeroizing;

/// The characters that a line has at least before it is taken to be folded.
const RUN: usize = 32;
/// The longest text that any needle with its folds takes.
pub(super) const REACH: usize = reach(LONGEST);

/// The longest text that a needle of this length with its folds takes.
const fn reach(longest: usize) -> usize {
    longest + 2 * (longest / RUN + 1)
}

/// The alphabets of base64 and base64url, which have hex's in them. A table, for it is asked at each line end.
const ALPHABET: [bool; 256] = {
    let mut alphabet = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "it is less than 256")]
        let c = byte as u8;
        alphabet[byte] = c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/' | b'-' | b'_' | b'=');
        byte += 1;
    }
    alphabet
};

fn is_of_alphabet(byte: u8) -> bool {
    ALPHABET.get(usize::from(byte)).is_some_and(|is| *is)
}

/// Whether line ends may cut a needle.
pub(super) fn can_fold(needle: &[u8]) -> bool {
    needle.iter().all(|byte| is_of_alphabet(*byte))
}

/// How many characters of the alphabets a text ends with, `RUN` at most, when `before` precede it.
pub(super) fn run(text: &[u8], before: usize) -> usize {
    let end = text.iter().rev().take(RUN);
    let length = end.take_while(|byte| is_of_alphabet(**byte)).count();
    if length == text.len() {
        (length + before).min(RUN)
    } else {
        length
    }
}

/// Whether one of these bytes comes before all of the alphabets, as spaces, quotes and line ends do: most lines have one.
/// Eight are looked at together.
#[inline]
fn is_broken(end: &[u8; RUN]) -> bool {
    const EACH: u64 = u64::MAX / 255;
    let (words, _) = end.as_chunks();
    let below = words.iter().fold(0, |below, word| {
        let word = u64::from_le_bytes(*word);
        below | word.wrapping_sub(EACH * u64::from(b'+')) & !word
    });
    below & (EACH << 7) != 0
}

/// The fold that ends with the line feed at `at`.
#[inline]
fn fold(text: &[u8], at: usize, before: usize) -> Option<Range<usize>> {
    let line = text.get(..at)?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.last_chunk().is_some_and(is_broken) {
        return None;
    }
    let folded = run(line, before) == RUN;
    folded.then_some(line.len()..at + 1)
}

/// A piece of a text without its folds. Kept from one to the next, for wiping it takes longer than a search in it.
#[derive(Default)]
pub(super) struct Unfolded {
    start: usize,
    text: Zeroizing<Vec<u8>>,
    /// Where in it a fold was, and how many bytes of folds were up to there.
    folds: Vec<(usize, usize)>,
}

impl Unfolded {
    /// Becomes this piece of this text.
    fn hold(&mut self, text: &[u8], piece: Range<usize>, folds: &[Range<usize>]) {
        self.start = piece.start;
        self.text.clear();
        reserve(&mut self.text, piece.len());
        self.folds.clear();
        let (mut from, mut removed) = (piece.start, 0);
        for fold in folds {
            let kept = text.get(from..fold.start).unwrap_or_default();
            self.text.extend_from_slice(kept);
            removed += fold.len();
            self.folds.push((self.text.len(), removed));
            from = fold.end;
        }
        let kept = text.get(from..piece.end).unwrap_or_default();
        self.text.extend_from_slice(kept);
    }

    /// Where a byte of it is in the whole text.
    fn place(&self, at: usize) -> usize {
        let before = self.folds.partition_point(|(fold, _)| *fold <= at);
        let removed = before
            .checked_sub(1)
            .and_then(|last| self.folds.get(last))
            .map_or(0, |(_, removed)| *removed);
        self.start + at + removed
    }

    fn is_cut(&self, start: usize, end: usize) -> bool {
        let next = self.folds.partition_point(|(fold, _)| *fold <= start);
        self.folds.get(next).is_some_and(|(fold, _)| *fold < end)
    }
}

/// Adds the occurrences that folds cut.
pub(super) fn hits(
    needles: &Needles,
    text: &[u8],
    before: usize,
    unfolded: &mut Unfolded,
    hits: &mut Vec<Hit>,
) {
    let reach = match needles.search.longest_folded() {
        0 => return,
        longest => reach(longest),
    };
    let mut folds: Vec<Range<usize>> = Vec::new();
    let mut again = |folds: &mut Vec<Range<usize>>| {
        let (Some(first), Some(last)) = (folds.first(), folds.last()) else {
            return;
        };
        let piece = first.start.saturating_sub(reach)..(last.end + reach).min(text.len());
        unfolded.hold(text, piece, folds);
        folds.clear();
        let mut cut = Vec::new();
        needles
            .search
            .hits(&needles.store, &needles.entries, &unfolded.text, &mut cut);
        for hit in cut {
            let bytes = unfolded.text.get(hit.start..hit.end).unwrap_or_default();
            if unfolded.is_cut(hit.start, hit.end) && can_fold(bytes) {
                hits.push(Hit {
                    start: unfolded.place(hit.start),
                    end: unfolded.place(hit.end - 1) + 1,
                    needle: hit.needle,
                });
            }
        }
    };
    let mut from = 0;
    let next = |from| memchr::memchr(b'\n', text.get(from..)?);
    while let Some(at) = next(from) {
        let at = from + at;
        if let Some(fold) = fold(text, at, before) {
            if folds
                .last()
                .is_some_and(|last| last.end + reach < fold.start)
            {
                again(&mut folds);
            }
            folds.push(fold);
        }
        // A line that is shorter has no run.
        from = at + 1 + RUN;
    }
    again(&mut folds);
}

/// How long the longest end of a text is that a needle goes on from, folds in it or at its end left out.
pub(super) fn held(
    needles: &Needles,
    text: &[u8],
    before: usize,
    unfolded: &mut Unfolded,
) -> usize {
    let start = match needles.search.longest_folded() {
        0 => return 0,
        longest => text.len().saturating_sub(reach(longest)),
    };
    let tail = text.get(start..).unwrap_or_default();
    let mut folds: Vec<Range<usize>> = memchr::memchr_iter(b'\n', tail)
        .filter_map(|at| fold(text, start + at, before))
        .collect();
    // A carriage return may be the first half of one.
    if let Some(line) = text.strip_suffix(b"\r")
        && run(line, before) == RUN
    {
        folds.push(line.len()..text.len());
    }
    folds.retain(|fold| fold.start >= start);
    if folds.is_empty() {
        return 0;
    }
    unfolded.hold(text, start..text.len(), &folds);
    match needles
        .search
        .held_folded(&needles.store, &needles.entries, &unfolded.text)
    {
        0 => 0,
        length => text.len() - unfolded.place(unfolded.text.len() - length),
    }
}
