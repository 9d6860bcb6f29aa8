//! The redactor: a writer that passes everything on but secrets, however its input is cut.
//!
//! # Why
//!
//! What is hidden is the union of all occurrences: where two overlap or touch, one marker stands for both, and it names
//! the one that begins first (the longest of those that begin there). What is held back is the longest end of the
//! input that may still become a needle, so a prompt without a line feed goes out at once, and whatever waits is
//! waiting for a secret. No timer lets it go: half a second late, a secret is still a secret. The output is therefore
//! the same however the input is cut into writes.

use super::fold::{self, Unfolded};
use super::{Hit, Needles};
use std::io::{self, Write};
use zeroize::Zeroizing;

/// What stands for a secret. It has no character of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// `***`, as GitHub writes it.
    Stars,
    /// `[MASKED]`, as GitLab writes it.
    Masked,
    /// The name in brackets: `[JWT_SECRET]`.
    Name,
}

impl Marker {
    /// The one of the CI system that a process runs in, by its environment; the name outside of one.
    #[must_use]
    pub fn of_environment() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if set("GITHUB_ACTIONS") {
            Marker::Stars
        } else if set("GITLAB_CI") {
            Marker::Masked
        } else {
            Marker::Name
        }
    }
}

/// A writer that hides secrets in what it passes on.
///
/// What is still held back when it is dropped without `finish` is not passed on.
pub struct Redactor<'n, W: Write> {
    needles: &'n Needles,
    marker: Marker,
    pub(super) to: W,
    /// What is held back.
    pub(super) held: Zeroizing<Vec<u8>>,
    /// Room for that with what comes next. Kept, for wiping it takes longer than a search in it.
    whole: Zeroizing<Vec<u8>>,
    /// How many bytes of it, from its first, are known to be hidden.
    hidden: usize,
    /// Whether the last thing that was passed on is a marker.
    marked: bool,
    /// How many characters of a foldable line stand before what is held back.
    run: usize,
    unfolded: Unfolded,
    hits: Vec<Hit>,
    out: Zeroizing<Vec<u8>>,
}

impl<'n, W: Write> Redactor<'n, W> {
    /// A redactor that passes on to `to`.
    pub fn new(needles: &'n Needles, marker: Marker, to: W) -> Self {
        Redactor {
            needles,
            marker,
            to,
            held: Zeroizing::default(),
            whole: Zeroizing::default(),
            hidden: 0,
            marked: false,
            run: 0,
            unfolded: Unfolded::default(),
            hits: Vec::new(),
            out: Zeroizing::default(),
        }
    }

    /// Passes on what is held back: nothing more comes, so it becomes no secret.
    ///
    /// # Errors
    /// What the writer behind it says.
    pub fn finish(mut self) -> io::Result<W> {
        let rest = std::mem::take(&mut self.held);
        self.pass(&rest, true)?;
        self.to.flush()?;
        Ok(self.to)
    }

    /// Passes on a text, but for its end that must be held back, in one write.
    fn pass(&mut self, text: &[u8], last: bool) -> io::Result<()> {
        let unfolded = &mut self.unfolded;
        self.needles.hits(text, self.run, unfolded, &mut self.hits);
        let held = if last {
            0
        } else {
            self.needles.held(text, self.run, unfolded)
        };
        let keep = text.len() - held;
        let mut at = self.hidden;
        self.out.clear();
        for hit in self.hits.iter().take_while(|hit| hit.start < keep) {
            if hit.start > at || !self.marked {
                super::extend(&mut self.out, text.get(at..hit.start).unwrap_or_default());
                match self.marker {
                    Marker::Stars => super::extend(&mut self.out, b"***"),
                    Marker::Masked => super::extend(&mut self.out, b"[MASKED]"),
                    Marker::Name => {
                        if let Some(needle) = self.needles.needle(hit.needle) {
                            super::extend(&mut self.out, b"[");
                            super::extend(&mut self.out, needle.name.as_str().as_bytes());
                            super::extend(&mut self.out, b"]");
                        }
                    }
                }
                self.marked = true;
            }
            at = at.max(hit.end);
        }
        let shown = text.get(at..keep).unwrap_or_default();
        if !shown.is_empty() {
            self.marked = false;
        }
        self.hidden = at.saturating_sub(keep);
        let (passed, end) = text.split_at(keep);
        self.run = fold::run(passed, self.run);
        self.held.clear();
        super::extend(&mut self.held, end);
        if self.out.is_empty() {
            self.to.write_all(shown)
        } else {
            super::extend(&mut self.out, shown);
            self.to.write_all(&self.out)
        }
    }
}

impl<W: Write> Write for Redactor<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.held.is_empty() {
            self.pass(bytes, false)?;
        } else {
            let mut whole = std::mem::take(&mut self.whole);
            whole.clear();
            super::extend(&mut whole, &self.held);
            super::extend(&mut whole, bytes);
            let passed = self.pass(&whole, false);
            self.whole = whole;
            passed?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
