//! What tells the runner's proxy what to hide.
//!
//! # Why
//!
//! Read off gitlab-runner: its masker looks for each phrase as it is and derives nothing from it, so each form that a
//! secret travels in is a mask of its own. How the proxy reads `%` in a mask is written nowhere, so a mask that has one is
//! sent twice: as it is, and with `%25`.

use crate::redact::Needles;
use crate::secret::{Name, Secret};
use std::collections::HashSet;
use zeroize::Zeroizing;

/// The commands that mask secrets, one a line.
#[must_use]
pub fn masks<'s>(secrets: impl IntoIterator<Item = (&'s Name, &'s Secret)>) -> Zeroizing<Vec<u8>> {
    let needles = Needles::new(secrets);
    let mut seen = HashSet::new();
    let mut commands = Zeroizing::new(Vec::with_capacity(64 << 10));
    for needle in needles.iter() {
        let cut = needle.bytes.iter().any(|byte| b"\r\n\0".contains(byte));
        if cut || !seen.insert(needle.bytes) {
            continue;
        }
        command(&mut commands, needle.bytes.split(|_| false), b"");
        if needle.bytes.contains(&b'%') {
            command(
                &mut commands,
                needle.bytes.split(|byte| *byte == b'%'),
                b"%25",
            );
        }
    }
    commands
}

/// One command: the parts of a mask, and what stands between them.
fn command<'p>(commands: &mut Vec<u8>, parts: impl Iterator<Item = &'p [u8]>, between: &[u8]) {
    commands.extend_from_slice(b"::add-mask::");
    for (index, part) in parts.enumerate() {
        if index > 0 {
            commands.extend_from_slice(between);
        }
        commands.extend_from_slice(part);
    }
    commands.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_a_mask_in_one_line_and_a_percent_sign_is_sent_both_ways() {
        let name = Name::new("A").unwrap();
        let secret = Secret::new(b"100%-sure-of-it\nsecond-line".to_vec());
        let commands = masks([(&name, &secret)]);
        let text = std::str::from_utf8(&commands).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.iter().all(|line| line.starts_with("::add-mask::")));
        for mask in ["100%-sure-of-it", "100%25-sure-of-it", "second-line"] {
            assert!(lines.contains(&&*format!("::add-mask::{mask}")), "{mask}");
        }
        let mut single = lines.clone();
        single.sort_unstable();
        single.dedup();
        assert!(single.len() > 10, "{}", single.len());
    }
}
