//! The search: every occurrence of every needle in a text, and the longest end of it that may become one.
//!
//! # Why
//!
//! Most of a text is passed over by a filter, as Wu and Manber's and others of that family do. When the shortest needle
//! has `G + S - 1` bytes, then wherever it is, one of its first `S` grams of `G` bytes stands at a multiple of `S`. So a
//! text is looked at once in `S` bytes, with one look into a bitmap of hashed grams; the few grams that are in it lead to
//! the needles that have them, which are compared whole. A needle has at most `LONGEST` bytes and `S` grams, so the work
//! is linear in the text whatever both are.

use super::{Encoding, Entry, Hit, LONGEST, fold};

#[cfg(test)]
thread_local! {
    /// How many bytes were compared.
    pub(super) static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

pub(super) struct Search {
    looks: Looks,
    filter: Filter,
    /// Where the places of each bucket of grams begin, and the end of the last.
    buckets: Vec<u32>,
    /// How far a gram's hash is shifted to be its bucket.
    shift: u32,
    places: Vec<Place>,
    begins: Begins,
    /// The same of those that line ends may cut.
    folded: Begins,
}

/// How often a text is looked at: at how many bytes, once in how many.
#[derive(Clone, Copy)]
struct Looks {
    gram: usize,
    stride: usize,
}

impl Looks {
    /// Those that miss no needle of this length or more.
    fn of(shortest: usize) -> Self {
        let (gram, stride) = match shortest {
            23.. => (8, 16),
            15.. => (8, 8),
            11.. => (4, 8),
            7.. => (4, 4),
            5.. => (4, 2),
            _ => (4, 1),
        };
        Looks { gram, stride }
    }
}

/// A gram's place in a needle.
#[derive(Clone, Copy, Default)]
struct Place {
    needle: u32,
    offset: u16,
    /// A part of the gram's hash that its slot doesn't tell.
    check: u16,
}

/// A set of grams, which may take others for them.
struct Filter {
    shift: u32,
    bits: Vec<u64>,
}

/// A gram as a number.
#[inline]
fn gram(bytes: &[u8]) -> u64 {
    let four = || {
        bytes
            .first_chunk()
            .map_or(0, |four| u32::from_le_bytes(*four).into())
    };
    bytes
        .first_chunk()
        .map_or_else(four, |eight| u64::from_le_bytes(*eight))
}

/// How many bits of a filter there are for a gram: of what is in no needle, so little gets through; but the filter stays
/// in the processor's cache, and a process that prints nothing has not spent its time on it.
const SPARSE: usize = 64;
/// The same where a look that gets through costs more.
const SPARSEST: usize = 128;

/// Fibonacci hashing: the upper bits depend on all of the gram.
#[inline]
fn hash(gram: u64) -> u64 {
    gram.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The bits of a hash below those that a slot has.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the other bits are the slot's"
)]
fn check(hash: u64) -> u16 {
    (hash >> 24) as u16
}

/// The upper bits of a hash.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "they are 24 at most")]
fn upper(hash: u64, shift: u32) -> usize {
    (hash >> shift) as usize
}

impl Filter {
    /// A filter of as many bits, about.
    fn new(bits: usize) -> Self {
        let log = bits.next_power_of_two().ilog2().clamp(15, 24);
        Filter {
            shift: 64 - log,
            bits: vec![0; 1 << (log - 6)],
        }
    }

    fn add(&mut self, hash: u64) {
        let slot = upper(hash, self.shift);
        if let Some(word) = self.bits.get_mut(slot / 64) {
            *word |= 1 << (slot % 64);
        }
    }

    /// 1 when a gram may be in it, 0 when it is not.
    #[inline]
    fn has(&self, hash: u64) -> u64 {
        let slot = upper(hash, self.shift);
        self.bits
            .get(slot / 64)
            .map_or(0, |word| word >> (slot % 64) & 1)
    }
}

impl Search {
    /// The search for these needles; `sorted` are their numbers in the order of their bytes.
    pub(super) fn new(store: &[u8], needles: &[Entry], sorted: Vec<u32>) -> Self {
        let shortest = needles.iter().map(|needle| needle.at.len()).min();
        let looks = Looks::of(shortest.unwrap_or(LONGEST));
        let grams = |needle: &Entry| {
            let bytes = store.get(needle.at.clone()).unwrap_or_default();
            let grams = bytes.windows(looks.gram).take(looks.stride);
            grams.map(|bytes| hash(gram(bytes)))
        };
        let all = looks.stride * needles.len();
        let mut filter = Filter::new(SPARSE * all);
        // A bucket holds the places of a few grams whose hashes share their upper bits. First they are counted, then where
        // each ends is known, and then they are filled from there to their beginnings.
        let log = (all / 4).next_power_of_two().ilog2().clamp(1, 16);
        let shift = 64 - log;
        let mut buckets = vec![0; (1 << log) + 1];
        for hash in needles.iter().flat_map(grams) {
            filter.add(hash);
            if let Some(count) = buckets.get_mut(upper(hash, shift)) {
                *count += 1;
            }
        }
        let mut end = 0;
        for bucket in &mut buckets {
            end += *bucket;
            *bucket = end;
        }
        let mut places = vec![Place::default(); end as usize];
        for (needle, entry) in (0..).zip(needles) {
            for (offset, hash) in (0..).zip(grams(entry)) {
                if let Some(bucket) = buckets.get_mut(upper(hash, shift)) {
                    *bucket -= 1;
                    if let Some(place) = places.get_mut(*bucket as usize) {
                        *place = Place {
                            needle,
                            offset,
                            check: check(hash),
                        };
                    }
                }
            }
        }
        let can_fold = |number: &u32| {
            needles.get(*number as usize).is_some_and(|needle| {
                matches!(
                    needle.encoding,
                    Encoding::Base64 | Encoding::Base64Url | Encoding::Hex
                ) || store.get(needle.at.clone()).is_some_and(fold::can_fold)
            })
        };
        let folded = sorted.iter().copied().filter(can_fold).collect();
        Search {
            looks,
            filter,
            buckets,
            shift,
            places,
            begins: Begins::new(store, needles, sorted),
            folded: Begins::new(store, needles, folded),
        }
    }

    /// Adds every occurrence in a text, in no order, some of them twice.
    pub(super) fn hits(&self, store: &[u8], needles: &[Entry], text: &[u8], hits: &mut Vec<Hit>) {
        if self.places.is_empty() {
            return;
        }
        let mut look = |at: usize, hash: u64| self.verify(store, needles, text, at, hash, hits);
        match (self.looks.gram, self.looks.stride) {
            (8, 16) => self.probe::<8, 16>(text, &mut look),
            (8, _) => self.probe::<8, 8>(text, &mut look),
            (_, 8) => self.probe::<4, 8>(text, &mut look),
            (_, 4) => self.probe::<4, 4>(text, &mut look),
            (_, stride) => {
                for (index, bytes) in text.windows(4).step_by(stride).enumerate() {
                    let hash = hash(gram(bytes));
                    if self.filter.has(hash) != 0 {
                        look(stride * index, hash);
                    }
                }
            }
        }
    }

    /// Looks at one gram of `G` bytes in `S`.
    #[inline]
    fn probe<const G: usize, const S: usize>(
        &self,
        text: &[u8],
        look: &mut impl FnMut(usize, u64),
    ) {
        let hashed = |chunk: &[u8; S]| hash(gram(chunk.get(..G).unwrap_or_default()));
        let (chunks, rest) = text.as_chunks::<S>();
        let (fours, last) = chunks.as_chunks::<4>();
        for (index, four) in fours.iter().enumerate() {
            let [first, second, third, fourth] = four;
            let any = self.filter.has(hashed(first))
                | self.filter.has(hashed(second))
                | self.filter.has(hashed(third))
                | self.filter.has(hashed(fourth));
            if any != 0 {
                for (within, chunk) in four.iter().enumerate() {
                    let hash = hashed(chunk);
                    if self.filter.has(hash) != 0 {
                        look(S * (4 * index + within), hash);
                    }
                }
            }
        }
        let mut at = text.len() - rest.len() - S * last.len();
        while let Some(bytes) = text.get(at..at + G) {
            look(at, hash(gram(bytes)));
            at += S;
        }
    }

    /// The needles that may have such a gram there.
    #[inline(never)]
    fn verify(
        &self,
        store: &[u8],
        needles: &[Entry],
        text: &[u8],
        at: usize,
        hash: u64,
        hits: &mut Vec<Hit>,
    ) {
        let buckets = self.buckets.get(upper(hash, self.shift)..);
        let Some(&[from, to]) = buckets.and_then(<[u32]>::first_chunk) else {
            return;
        };
        let places = self.places.get(from as usize..to as usize);
        for place in places.unwrap_or_default() {
            if place.check != check(hash) {
                continue;
            }
            let needle = place.needle as usize;
            let Some(start) = at.checked_sub(place.offset.into()) else {
                continue;
            };
            let Some(bytes) = needles
                .get(needle)
                .and_then(|needle| store.get(needle.at.clone()))
            else {
                continue;
            };
            let end = start + bytes.len();
            #[cfg(test)]
            STEPS.set(STEPS.get() + bytes.len());
            if text.get(start..end) == Some(bytes) {
                hits.push(Hit { start, end, needle });
            }
        }
    }

    /// How long the longest end of a text is that a needle goes on from.
    pub(super) fn held(&self, store: &[u8], needles: &[Entry], text: &[u8]) -> usize {
        self.begins.held(store, needles, text)
    }

    /// The same for needles that line ends may cut, in a text without those.
    pub(super) fn held_folded(&self, store: &[u8], needles: &[Entry], text: &[u8]) -> usize {
        self.folded.held(store, needles, text)
    }

    /// How long the longest needle is that line ends may cut; 0 when there is none.
    pub(super) fn longest_folded(&self) -> usize {
        self.folded.longest
    }
}

/// What needles begin with.
struct Begins {
    longest: usize,
    filter: Filter,
    /// The needles in the order of their bytes.
    sorted: Vec<u32>,
}

impl Begins {
    fn new(store: &[u8], needles: &[Entry], sorted: Vec<u32>) -> Self {
        let mut filter = Filter::new(SPARSEST * sorted.len());
        let mut longest = 0;
        for needle in &sorted {
            let needle = needles.get(*needle as usize);
            if let Some(bytes) = needle.and_then(|needle| store.get(needle.at.clone())) {
                longest = longest.max(bytes.len());
                filter.add(hash(gram(bytes.get(..4).unwrap_or_default())));
            }
        }
        Begins {
            longest,
            filter,
            sorted,
        }
    }

    fn held(&self, store: &[u8], needles: &[Entry], text: &[u8]) -> usize {
        let longest = text.len().min(self.longest.saturating_sub(1));
        (1..=longest)
            .rev()
            .find(|length| {
                let end = text.get(text.len() - length..).unwrap_or_default();
                let may = end
                    .get(..4)
                    .is_none_or(|four| self.filter.has(hash(gram(four))) != 0);
                may && self.begin_one(store, needles, end)
            })
            .unwrap_or(0)
    }

    /// Whether a needle begins with this, and goes on.
    fn begin_one(&self, store: &[u8], needles: &[Entry], begin: &[u8]) -> bool {
        let bytes = |needle: &u32| {
            needles
                .get(*needle as usize)
                .and_then(|needle| store.get(needle.at.clone()))
                .unwrap_or_default()
        };
        let first = self.sorted.partition_point(|needle| {
            #[cfg(test)]
            STEPS.set(STEPS.get() + begin.len());
            bytes(needle) <= begin
        });
        self.sorted
            .get(first)
            .is_some_and(|needle| bytes(needle).starts_with(begin))
    }
}
