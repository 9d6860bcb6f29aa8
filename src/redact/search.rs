//! The search: every occurrence of every needle in a text, and the longest end of it that may become one.
//!
//! # Why
//!
//! Most of a text is passed over by a filter, as Wu and Manber's and others of that family do. When the shortest needle
//! has `S + 3` bytes, whatever place it starts at, one of its first `S` grams of four bytes stands at a multiple of `S`.
//! So a text is looked at once in `S` bytes, with one look into a bitmap of hashed grams; the few grams that are in it
//! lead to the needles that have them, which are compared whole. A needle has at most `LONGEST` bytes and each of its
//! grams is one entry, so the work is linear in the text whatever both are.

use super::{Entry, Hit, LONGEST, fold};

/// The bytes of a gram.
const GRAM: usize = 4;

pub(super) struct Search {
    /// One gram in so many bytes is looked at: 8, 4, 2 or 1.
    stride: usize,
    filter: Filter,
    /// Where the places of each bucket of grams begin, and the end of the last.
    buckets: Vec<u32>,
    places: Vec<Place>,
    begins: Begins,
    /// The same of those that line ends may cut.
    folded: Begins,
}

/// A gram's place in a needle.
#[derive(Clone, Copy)]
struct Place {
    needle: u32,
    offset: u32,
}

/// A set of grams, which may take others for them.
struct Filter {
    shift: u32,
    bits: Vec<u64>,
}

impl Filter {
    fn new(grams: usize) -> Self {
        // One bit in 32 or fewer is set.
        let log = (32 * grams).next_power_of_two().ilog2().clamp(15, 24);
        Filter {
            shift: 32 - log,
            bits: vec![0; 1 << (log - 6)],
        }
    }

    #[inline]
    fn slot(&self, gram: [u8; GRAM]) -> usize {
        (u32::from_le_bytes(gram).wrapping_mul(0x9e37_79b1) >> self.shift) as usize
    }

    fn add(&mut self, gram: [u8; GRAM]) {
        let slot = self.slot(gram);
        if let Some(word) = self.bits.get_mut(slot / 64) {
            *word |= 1 << (slot % 64);
        }
    }

    #[inline]
    fn has(&self, slot: usize) -> bool {
        self.bits
            .get(slot / 64)
            .is_some_and(|word| word >> (slot % 64) & 1 != 0)
    }
}

impl Search {
    pub(super) fn new(store: &[u8], needles: &[Entry]) -> Self {
        let bytes = |needle: &Entry| store.get(needle.at.clone()).unwrap_or_default();
        let shortest = needles.iter().map(|needle| needle.at.len()).min();
        let stride = match shortest.unwrap_or(LONGEST) {
            11.. => 8,
            7.. => 4,
            5.. => 2,
            _ => 1,
        };
        let mut filter = Filter::new(stride * needles.len());
        let mut places = Vec::with_capacity(stride * needles.len());
        for (needle, entry) in (0..).zip(needles) {
            for (offset, gram) in (0..).zip(bytes(entry).windows(GRAM).take(stride)) {
                if let Some(gram) = gram.first_chunk() {
                    filter.add(*gram);
                    places.push((filter.slot(*gram), Place { needle, offset }));
                }
            }
        }
        // A bucket holds the places of the slots that share their upper bits: about one gram.
        let log = places.len().next_power_of_two().ilog2().min(15);
        let bucket = |slot: usize| slot >> (32 - filter.shift - log);
        places.sort_by_key(|(slot, _)| *slot);
        let mut buckets = vec![0; (1 << log) + 1];
        for (slot, _) in &places {
            if let Some(next) = buckets.get_mut(bucket(*slot) + 1) {
                *next += 1;
            }
        }
        let mut sum = 0;
        for count in &mut buckets {
            sum += *count;
            *count = sum;
        }
        Search {
            stride,
            filter,
            buckets,
            places: places.into_iter().map(|(_, place)| place).collect(),
            begins: Begins::new(store, needles, |_| true),
            folded: Begins::new(store, needles, fold::can_fold),
        }
    }

    /// Adds every occurrence in a text, in no order, some of them twice.
    pub(super) fn hits(&self, store: &[u8], needles: &[Entry], text: &[u8], hits: &mut Vec<Hit>) {
        if self.places.is_empty() {
            return;
        }
        let mut look = |at: usize, slot: usize| self.verify(store, needles, text, at, slot, hits);
        match self.stride {
            8 => self.probe::<8>(text, &mut look),
            4 => self.probe::<4>(text, &mut look),
            stride => {
                for (index, gram) in text.windows(GRAM).step_by(stride).enumerate() {
                    if let Some(gram) = gram.first_chunk() {
                        let slot = self.filter.slot(*gram);
                        if self.filter.has(slot) {
                            look(stride * index, slot);
                        }
                    }
                }
            }
        }
    }

    fn probe<const S: usize>(&self, text: &[u8], look: &mut impl FnMut(usize, usize)) {
        let (chunks, rest) = text.as_chunks::<S>();
        for (index, chunk) in chunks.iter().enumerate() {
            if let Some(gram) = chunk.first_chunk() {
                let slot = self.filter.slot(*gram);
                if self.filter.has(slot) {
                    look(S * index, slot);
                }
            }
        }
        if let Some(gram) = rest.first_chunk() {
            look(text.len() - rest.len(), self.filter.slot(*gram));
        }
    }

    /// The needles that may have a gram of this slot there.
    #[cold]
    fn verify(
        &self,
        store: &[u8],
        needles: &[Entry],
        text: &[u8],
        at: usize,
        slot: usize,
        hits: &mut Vec<Hit>,
    ) {
        let log = (self.buckets.len() - 1).ilog2();
        let bucket = slot >> (32 - self.filter.shift - log);
        let Some(&[from, to]) = self.buckets.get(bucket..).and_then(<[u32]>::first_chunk) else {
            return;
        };
        for place in self
            .places
            .get(from as usize..to as usize)
            .unwrap_or_default()
        {
            let needle = place.needle as usize;
            let Some(start) = at.checked_sub(place.offset as usize) else {
                continue;
            };
            let Some(bytes) = needles
                .get(needle)
                .and_then(|needle| store.get(needle.at.clone()))
            else {
                continue;
            };
            let end = start + bytes.len();
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
}

/// What needles begin with.
struct Begins {
    longest: usize,
    filter: Filter,
    /// The needles in the order of their bytes.
    sorted: Vec<u32>,
}

impl Begins {
    fn new(store: &[u8], needles: &[Entry], which: impl Fn(&[u8]) -> bool) -> Self {
        let bytes = |needle: &Entry| store.get(needle.at.clone()).unwrap_or_default();
        let mut sorted: Vec<(&[u8], u32)> = needles
            .iter()
            .map(bytes)
            .zip(0..)
            .filter(|(bytes, _)| which(bytes))
            .collect();
        sorted.sort_unstable();
        let mut filter = Filter::new(sorted.len());
        for gram in sorted.iter().filter_map(|(bytes, _)| bytes.first_chunk()) {
            filter.add(*gram);
        }
        Begins {
            longest: sorted
                .iter()
                .map(|(bytes, _)| bytes.len())
                .max()
                .unwrap_or(0),
            filter,
            sorted: sorted.into_iter().map(|(_, needle)| needle).collect(),
        }
    }

    fn held(&self, store: &[u8], needles: &[Entry], text: &[u8]) -> usize {
        let longest = text.len().min(self.longest.saturating_sub(1));
        (1..=longest)
            .rev()
            .find(|length| {
                let end = text.get(text.len() - length..).unwrap_or_default();
                let may = end
                    .first_chunk()
                    .is_none_or(|gram| self.filter.has(self.filter.slot(*gram)));
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
        let first = self.sorted.partition_point(|needle| bytes(needle) <= begin);
        self.sorted
            .get(first)
            .is_some_and(|needle| bytes(needle).starts_with(begin))
    }
}
