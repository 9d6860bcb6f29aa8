//! The names of what is in a zip or tar archive, read from its bytes as they come.
//!
//! # Why
//!
//! An archive in git's history is a stream, so nothing here goes back in it. In a zip each entry stands a second time in
//! the directory at its end, whose records have a mark of their own: they are found by it. In a tar each header stands
//! at a multiple of 512 bytes and has a checksum: each such block is asked whether it is one. Neither needs the sizes of
//! entries to be true.

use flate2::write::MultiGzDecoder;
use memchr::memmem;
use std::io::{self, Write};
use std::mem;
use std::path::Path;

/// The most that is looked at of one tar, unpacked: a few kilobytes can be packed to hold any number of them.
const MAX_UNPACKED: u64 = 4 << 30;
const BLOCK: usize = 512;

/// The names of entries.
pub(super) type Names = Vec<Vec<u8>>;

/// A file, perhaps an archive.
pub(super) enum Archive {
    No,
    Zip,
    Tar(Tar),
    Gzip(Box<MultiGzDecoder<Tar>>),
}

impl Archive {
    /// What a file is, by its name and its first bytes.
    pub(super) fn new(path: &Path, start: &[u8]) -> Archive {
        if start.starts_with(b"PK\x03\x04") {
            return Archive::Zip;
        }
        if start.get(..BLOCK).is_some_and(is_header) {
            return Archive::Tar(Tar::default());
        }
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let ends = [&b".tar.gz"[..], b".tgz", b".crate"];
        if start.starts_with(b"\x1f\x8b") && ends.iter().any(|end| name.ends_with(end)) {
            return Archive::Gzip(Box::new(MultiGzDecoder::new(Tar::default())));
        }
        Archive::No
    }

    /// Takes the first `own` bytes of a window; the others come again, at the start of the next one.
    pub(super) fn take(&mut self, own: usize, window: &[u8], names: &mut Names) {
        match self {
            Archive::No => {}
            Archive::Zip => zip(own, window, names),
            Archive::Tar(tar) => {
                let told = tar.write_all(&window[..own]);
                names.append(&mut tar.names);
                if told.is_err() {
                    *self = Archive::No;
                }
            }
            Archive::Gzip(gzip) => {
                // A broken or a very large one tells the names that came so far.
                let told = gzip.write_all(&window[..own]);
                names.append(&mut gzip.get_mut().names);
                if told.is_err() {
                    *self = Archive::No;
                }
            }
        }
    }

    /// What is still to come when the file has ended.
    pub(super) fn end(self, names: &mut Names) {
        if let Archive::Gzip(mut gzip) = self {
            let _ = gzip.try_finish();
            names.append(&mut gzip.get_mut().names);
        }
    }
}

/// The names in the records of a zip's directory that begin in the first `own` bytes of the window.
fn zip(own: usize, window: &[u8], names: &mut Names) {
    for at in memmem::find_iter(window, b"PK\x01\x02").take_while(|at| *at < own) {
        // Its length at 28, the name at 46.
        let record = &window[at..];
        let name = record
            .get(28..30)
            .map(|length| usize::from(u16::from_le_bytes([length[0], length[1]])))
            .and_then(|length| record.get(46..46 + length));
        names.extend(name.map(<[u8]>::to_vec));
    }
}

/// A tar that is written into, block by block.
#[derive(Default)]
pub(super) struct Tar {
    block: Vec<u8>,
    taken: u64,
    /// The block before was the header of a long name, which this block holds.
    long: bool,
    names: Names,
}

impl Write for Tar {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.taken += bytes.len() as u64;
        if self.taken > MAX_UNPACKED {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut rest = bytes;
        while self.block.len() + rest.len() >= BLOCK {
            let (first, after) = rest.split_at(BLOCK - self.block.len());
            if self.block.is_empty() {
                self.header(first);
            } else {
                let mut block = mem::take(&mut self.block);
                block.extend_from_slice(first);
                self.header(&block);
            }
            rest = after;
        }
        self.block.extend_from_slice(rest);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Tar {
    fn header(&mut self, block: &[u8]) {
        if mem::take(&mut self.long) {
            // GNU's `L`: the name; POSIX' `x`: lines, one of them ` path=name`.
            let name = memmem::find(block, b" path=").map_or(block, |at| &block[at + 6..]);
            let end = name.iter().position(|byte| b"\0\n".contains(byte));
            self.names.push(name[..end.unwrap_or(name.len())].to_vec());
        } else if is_header(block) {
            self.long = b"Lx".contains(&block[156]);
            let end = block[..100].iter().position(|byte| *byte == 0);
            self.names.push(block[..end.unwrap_or(100)].to_vec());
        }
    }
}

/// Whether a block is a tar's header: its checksum says so.
fn is_header(block: &[u8]) -> bool {
    if block.get(257..262) != Some(b"ustar") {
        return false;
    }
    let said = std::str::from_utf8(&block[148..156])
        .ok()
        .map(|said| said.trim_matches(['\0', ' ']))
        .and_then(|said| u32::from_str_radix(said, 8).ok());
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    // The field itself counts as eight blanks.
    said == Some(sum(&block[..148]) + 8 * u32::from(b' ') + sum(&block[156..BLOCK]))
}
