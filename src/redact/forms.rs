//! The forms of a text: what the usual programs make of it when they print it.
//!
//! # Why
//!
//! Base64 depends on how many bytes stand before the value, modulo 3, and its first and last characters on the bytes
//! next to it. So it is looked for at the three offsets, each without the characters that a neighbour has bits in: `echo`
//! ends a value with a line feed, a header begins it with `user:`, and it is found all the same.
//!
//! Masks that look at one line at a time need the lines that base64 and hex are usually folded into, too.

use super::{Encoding, LONGEST};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::fmt::Write as _;
use zeroize::Zeroizing;

/// The shortest last line of a folded text that is told from other text.
pub(super) const REMAINDER: usize = 16;
/// Values above this size are looked for as they are and in base64 alone: no environment carries them, and each form
/// costs their size again.
const LARGE: usize = 64 << 10;

/// Gives a text that `of` says what it is, and its forms, with whether each is a part of a value.
pub(super) fn forms(of: Encoding, text: &[u8], give: &mut dyn FnMut(Encoding, bool, &[u8])) {
    let part = of != Encoding::Raw;
    give(of, part, text);
    let mut other = |encoding: Encoding, form: &[u8]| {
        if form != text {
            give(encoding, part, form);
        }
    };
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    if text.len() <= LARGE && !text.iter().all(plain) {
        percent(text, &mut |form| other(Encoding::Percent, form));
        doubled(text, &mut |form| other(Encoding::Doubled, form));
        shell(text, &mut |form| other(Encoding::Shell, form));
        dotenv(text, &mut |form| other(Encoding::Dotenv, form));
        xml(text, &mut |form| other(Encoding::Xml, form));
        python(text, &mut |form| other(Encoding::Python, form));
        if let Ok(text) = std::str::from_utf8(text) {
            json(text, &mut |form| other(Encoding::Json, form));
        }
    }
    // A line alone is printed as text; what is encoded is the value.
    if of == Encoding::Line {
        return;
    }
    base64(text, part, give);
    if text.len() <= LARGE {
        for digits in [b"0123456789abcdef", b"0123456789ABCDEF"] {
            let mut form = Zeroizing::new(Vec::with_capacity(2 * text.len()));
            for byte in text {
                form.extend([byte >> 4, byte & 15].map(|half| digits[usize::from(half)]));
            }
            give(Encoding::Hex, part, &form);
            // As xxd folds it.
            folded(&form, &[60], &mut |line| give(Encoding::Hex, true, line));
        }
    }
}

fn base64(text: &[u8], part: bool, give: &mut dyn FnMut(Encoding, bool, &[u8])) {
    for before in 0..3 {
        let mut shifted = Zeroizing::new(vec![0; before]);
        shifted.reserve_exact(text.len());
        shifted.extend_from_slice(text);
        // The characters that no neighbour has a bit in.
        let own = (8 * before).div_ceil(6)..8 * shifted.len() / 6;
        for (encoding, engine) in [
            (Encoding::Base64, STANDARD_NO_PAD),
            (Encoding::Base64Url, URL_SAFE_NO_PAD),
        ] {
            if encoding == Encoding::Base64Url && text.len() > LARGE {
                continue;
            }
            let whole = Zeroizing::new(engine.encode(&shifted));
            let Some(form) = whole.as_bytes().get(own.clone()) else {
                continue;
            };
            give(encoding, part, form);
            if before == 0 {
                folded(form, &[60, 64, 76], &mut |line| give(encoding, true, line));
            }
        }
    }
}

/// The lines of a form that is folded at each of these widths.
fn folded(form: &[u8], widths: &[usize], give: &mut dyn FnMut(&[u8])) {
    for width in widths.iter().filter(|width| form.len() > **width) {
        let lines = form.chunks(*width).filter(|line| line.len() >= REMAINDER);
        // What is longer than a needle is cut into pieces of 64 anyway, but for where its last line begins.
        let cut = form.len() > LONGEST && *width == 64;
        lines
            .filter(|line| !cut || line.len() < *width)
            .for_each(&mut *give);
    }
}

/// A text with some of its bytes written otherwise.
fn replaced(text: &[u8], write: impl Fn(u8, &mut Vec<u8>)) -> Zeroizing<Vec<u8>> {
    // Large enough for any escape below, so that nothing is moved and left behind.
    let mut form = Zeroizing::new(Vec::with_capacity(8 * text.len()));
    for byte in text {
        write(*byte, &mut form);
    }
    form
}

/// A backslash before each byte of `marked`; `named` have letters of their own.
fn backslashed(text: &[u8], marked: &[u8], named: &[(u8, &[u8])]) -> Zeroizing<Vec<u8>> {
    replaced(text, |byte, form| {
        if let Some((_, name)) = named.iter().find(|(named, _)| *named == byte) {
            form.extend_from_slice(name);
        } else {
            if marked.contains(&byte) {
                form.push(b'\\');
            }
            form.push(byte);
        }
    })
}

/// One byte written as a longer text.
fn substituted(text: &[u8], substitutes: &[(u8, &str)]) -> Zeroizing<Vec<u8>> {
    replaced(text, |byte, form| {
        match substitutes.iter().find(|(one, _)| *one == byte) {
            Some((_, other)) => form.extend_from_slice(other.as_bytes()),
            None => form.push(byte),
        }
    })
}

/// RFC 3986, the same with `/` left (Python), JavaScript's `encodeURIComponent`, and forms (WHATWG, Python).
fn percent(text: &[u8], give: &mut dyn FnMut(&[u8])) {
    for (left, plus) in [
        ("-._~", false),
        ("-._~/", false),
        ("-._~!'()*", false),
        ("-._*", true),
        ("-._~", true),
    ] {
        for digits in [b"0123456789ABCDEF", b"0123456789abcdef"] {
            give(&replaced(text, |byte, form| {
                if byte.is_ascii_alphanumeric() || left.as_bytes().contains(&byte) {
                    form.push(byte);
                } else if byte == b' ' && plus {
                    form.push(b'+');
                } else {
                    form.push(b'%');
                    form.extend([byte >> 4, byte & 15].map(|half| digits[usize::from(half)]));
                }
            }));
        }
    }
}

fn doubled(text: &[u8], give: &mut dyn FnMut(&[u8])) {
    for substitute in [(b'\'', "''"), (b'"', "\"\""), (b'$', "$$"), (b'\\', "\\\\")] {
        give(&substituted(text, &[substitute]));
    }
}

/// Inside single quotes (POSIX, Python's shlex), inside double quotes, bash's `%q` and `$'…'`, Ruby's `Shellwords`.
fn shell(text: &[u8], give: &mut dyn FnMut(&[u8])) {
    give(&substituted(text, &[(b'\'', "'\\''")]));
    give(&substituted(text, &[(b'\'', "'\"'\"'")]));
    give(&backslashed(text, b"\\\"$`", &[]));
    give(&backslashed(text, b" \t'\"\\|&;()<>!{}*[]?^$`,", &[]));
    give(&backslashed(text, b" \t'\"\\|&;()<>!{}*[]?^$`,#~", &[]));
    give(&replaced(text, |byte, form| {
        // The bytes after the first of a character are none of their own.
        if !byte.is_ascii_alphanumeric() && !b"_-.,:+/@\n".contains(&byte) && byte & 0xc0 != 0x80 {
            form.push(b'\\');
        }
        form.push(byte);
    }));
    give(&replaced(text, |byte, form| match byte {
        b'\'' | b'\\' => form.extend([b'\\', byte]),
        b'\n' => form.extend(b"\\n"),
        b'\r' => form.extend(b"\\r"),
        b'\t' => form.extend(b"\\t"),
        0x1b => form.extend(b"\\E"),
        byte if byte < 0x20 || byte == 0x7f => {
            form.push(b'\\');
            form.extend([byte >> 6, byte >> 3 & 7, byte & 7].map(|digit| b'0' + digit));
        }
        byte => form.push(byte),
    }));
}

/// Double quotes as the consumers of `.env` files read them, and their ways to write a `$`.
fn dotenv(text: &[u8], give: &mut dyn FnMut(&[u8])) {
    let feeds: [(u8, &[u8]); 2] = [(b'\n', b"\\n"), (b'\r', b"\\r")];
    for marked in [&b"\\\""[..], b"\"", b"\\\"$", b"\\\"$`", b"$", b"\\'", b"'"] {
        give(&backslashed(text, marked, &[]));
        give(&backslashed(text, marked, &feeds));
    }
    give(&substituted(text, &[(b'$', "${:-$}")]));
}

/// The five characters, in the ways that HTML and XML libraries write quotes.
fn xml(text: &[u8], give: &mut dyn FnMut(&[u8])) {
    for (quote, apostrophe) in [
        ("\"", "'"),
        ("&quot;", "'"),
        ("&quot;", "&#39;"),
        ("&quot;", "&#039;"),
        ("&quot;", "&#x27;"),
        ("&quot;", "&apos;"),
        ("&#34;", "&#39;"),
    ] {
        let five = [
            (b'&', "&amp;"),
            (b'<', "&lt;"),
            (b'>', "&gt;"),
            (b'"', quote),
            (b'\'', apostrophe),
        ];
        give(&substituted(text, &five));
        let more = [(b'/', "&#x2F;"), (b'`', "&#x60;"), (b'=', "&#x3D;")];
        give(&substituted(text, &[&five[..], &more].concat()));
    }
}

/// The repr of a `str` and of `bytes`, with either quote.
fn python(text: &[u8], give: &mut dyn FnMut(&[u8])) {
    for (quote, bytes) in [(true, false), (false, false), (true, true), (false, true)] {
        give(&replaced(text, |byte, form| match byte {
            b'\\' => form.extend(b"\\\\"),
            b'\'' if quote => form.extend(b"\\'"),
            b'\n' => form.extend(b"\\n"),
            b'\r' => form.extend(b"\\r"),
            b'\t' => form.extend(b"\\t"),
            byte if byte < 0x20 || byte == 0x7f || (bytes && byte >= 0x80) => {
                form.extend(b"\\x");
                form.extend(
                    [byte >> 4, byte & 15].map(|half| b"0123456789abcdef"[usize::from(half)]),
                );
            }
            byte => form.push(byte),
        }));
    }
}

/// How a language's JSON differs from the shortest.
#[derive(Clone, Copy, Default)]
struct Json {
    /// `\u` for everything outside ASCII.
    ascii: bool,
    /// `\/`.
    slash: bool,
    /// What else is written with `\u`.
    more: &'static str,
    /// The hex digits of `\u` in upper case.
    upper: bool,
}

/// JavaScript, Rust and jq; Python; PHP, with and without its `JSON_UNESCAPED_UNICODE`; Go and Rails; .NET; JSON in JSON.
fn json(text: &str, give: &mut dyn FnMut(&[u8])) {
    let plain = Json::default();
    let all = [
        plain,
        Json {
            more: "\u{7f}",
            ..plain
        },
        Json {
            ascii: true,
            ..plain
        },
        Json {
            slash: true,
            ..plain
        },
        Json {
            ascii: true,
            slash: true,
            ..plain
        },
        Json {
            more: "<>&\u{2028}\u{2029}",
            ..plain
        },
        Json {
            more: "\"&'+<>`\u{7f}",
            ascii: true,
            upper: true,
            ..plain
        },
    ];
    for way in all {
        give(way.write(text).as_bytes());
    }
    give(plain.write(&plain.write(text)).as_bytes());
}

impl Json {
    fn write(self, text: &str) -> Zeroizing<String> {
        let mut form = Zeroizing::new(String::with_capacity(6 * text.len()));
        for c in text.chars() {
            let short = match c {
                c if self.more.contains(c) => None,
                '"' => Some('"'),
                '\\' => Some('\\'),
                '\n' => Some('n'),
                '\r' => Some('r'),
                '\t' => Some('t'),
                '\u{8}' => Some('b'),
                '\u{c}' => Some('f'),
                '/' if self.slash => Some('/'),
                _ => None,
            };
            if let Some(short) = short {
                form.extend(['\\', short]);
            } else if c < ' ' || self.more.contains(c) || (self.ascii && !c.is_ascii()) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = if self.upper {
                        write!(form, "\\u{unit:04X}")
                    } else {
                        write!(form, "\\u{unit:04x}")
                    };
                }
            } else {
                form.push(c);
            }
        }
        form
    }
}
