//! What to look for: secrets and each form that they travel in, found by any twelve bytes of it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::collections::HashMap;

const PIECE: usize = 12;

/// Secrets, by every piece of twelve bytes of every form.
pub(super) struct Needles {
    pieces: HashMap<[u8; PIECE], String>,
    /// A bit for each first three bytes of a piece, so that most of a haystack is passed over without a look-up.
    first: Vec<u64>,
}

impl Needles {
    pub(super) fn new() -> Self {
        Needles {
            pieces: HashMap::new(),
            first: vec![0; (1 << 24) / 64],
        }
    }

    /// Adds a secret in all its forms.
    pub(super) fn add(&mut self, name: &str, secret: &[u8]) {
        for (form, bytes) in forms(secret) {
            self.add_form(&format!("{name} ({form})"), &bytes);
        }
    }

    /// Adds one form of a secret.
    pub(super) fn add_form(&mut self, name: &str, bytes: &[u8]) {
        assert!(bytes.len() >= PIECE, "{name} is too short to look for");
        for piece in bytes.windows(PIECE) {
            let bit = bit(piece);
            self.first[bit / 64] |= 1 << (bit % 64);
            self.pieces
                .entry(piece.try_into().unwrap())
                .or_insert_with(|| name.to_owned());
        }
    }

    /// The first piece of a secret in there: where, and of which.
    pub(super) fn find(&self, haystack: &[u8]) -> Option<(usize, &str)> {
        haystack
            .windows(PIECE)
            .enumerate()
            .filter(|(_, piece)| {
                let bit = bit(piece);
                self.first[bit / 64] & (1 << (bit % 64)) != 0
            })
            .find_map(|(at, piece)| Some((at, self.pieces.get(piece)?.as_str())))
    }
}

fn bit(piece: &[u8]) -> usize {
    usize::from(piece[0]) << 16 | usize::from(piece[1]) << 8 | usize::from(piece[2])
}

/// The forms that a secret is looked for in. Of base64 there are three: by how many bytes stand before the secret.
pub(super) fn forms(secret: &[u8]) -> Vec<(String, Vec<u8>)> {
    let hex: String = secret.iter().map(|b| format!("{b:02x}")).collect();
    let list: Vec<String> = secret.iter().map(u8::to_string).collect();
    let percent = |all: bool| -> String {
        secret
            .iter()
            .map(|b| match b {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' if !all => {
                    char::from(*b).to_string()
                }
                b => format!("%{b:02X}"),
            })
            .collect()
    };
    let mut forms = vec![
        ("as it is".to_owned(), secret.to_vec()),
        ("hex".to_owned(), hex.clone().into_bytes()),
        ("HEX".to_owned(), hex.to_uppercase().into_bytes()),
        ("URL".to_owned(), percent(false).into_bytes()),
        ("URL, all".to_owned(), percent(true).into_bytes()),
        (
            "url, lower case".to_owned(),
            percent(false).to_lowercase().into_bytes(),
        ),
        ("list of bytes".to_owned(), list.join(", ").into_bytes()),
    ];
    for shift in 0..3 {
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(secret);
        // The characters that no neighbour of the secret has a bit in.
        let whole = (shift * 8).div_ceil(6)..shifted.len() * 8 / 6;
        for (name, text) in [
            ("base64", STANDARD_NO_PAD.encode(&shifted)),
            ("base64url", URL_SAFE_NO_PAD.encode(&shifted)),
        ] {
            let name = format!("{name}, {shift} bytes in");
            forms.push((name, text.as_bytes()[whole.clone()].to_vec()));
        }
    }
    forms
}
