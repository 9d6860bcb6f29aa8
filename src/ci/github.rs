//! What a GitHub runner takes from a step: records in the files of `GITHUB_ENV` and `GITHUB_OUTPUT`.
//!
//! # Why
//!
//! Read off actions/runner: `FileCommandManager` for the files. A record is always the heredoc form, under a delimiter
//! that is drawn anew for it: whoever can choose a value can't know it, and so can't end the record early.

use crate::dialect::Dialect;
use crate::generate;
use crate::problem::Problem;
use crate::secret::Name;
use zeroize::Zeroizing;

/// The bytes of random in a delimiter.
const DELIMITER: usize = 16;

/// The records of a file command, to be appended at the start of a line.
///
/// # Errors
/// A value that the runner can't take, or that it would read otherwise; no random bytes.
pub fn records(values: &[(&Name, &[u8])]) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let size: usize = values
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 128)
        .sum();
    let mut text = Zeroizing::new(Vec::with_capacity(size));
    for (name, value) in values {
        let fault = if value.contains(&0) {
            Some("a NUL byte")
        } else if std::str::from_utf8(value).is_err() {
            Some("bytes that are not UTF-8")
        } else {
            None
        };
        if let Some(fault) = fault {
            return Err(Problem::new(
                "unwritable",
                format!("no environment of a job carries the value of {name}: it holds {fault}"),
            )
            .help(format!("hand it over as a file: --as-file {name}")));
        }
        let random = generate::random(DELIMITER, generate::Encoding::Hex)
            .map_err(|failed| Problem::new("random", failed.to_string()))?;
        let delimiter = [b"DOTAGE_", random.expose()].concat();
        for part in [
            name.as_str().as_bytes(),
            b"<<",
            &delimiter,
            b"\n",
            value,
            b"\n",
            &delimiter,
            b"\n",
        ] {
            text.extend_from_slice(part);
        }
    }
    let read = Dialect::Github.read(&text);
    let same = read.is_ok_and(|read| {
        read.len() == values.len()
            && read
                .iter()
                .zip(values)
                .all(|((name, value), (other, bytes))| name == other.as_str() && **value == **bytes)
    });
    if same {
        Ok(text)
    } else {
        Err(Problem::new(
            "read-back",
            "the runner would read something else than the values",
        )
        .help("report this as a bug of dotage; nothing was written"))
    }
}
