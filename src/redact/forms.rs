//! The forms of a text: what the usual programs make of it when they print it.
//!
//! # Why
//!
//! Base64 depends on how many bytes stand before the value, modulo 3, and its first and last characters on the bytes
//! next to it. So it is looked for at the three offsets, each without the characters that a neighbour has bits in: `echo`
//! ends a value with a line feed, a header begins it with `user:`, and it is found all the same.
//!
//! Masks that look at one line at a time need the lines that base64 and hex are usually folded into, too.

use super::{Encoding, Form, reserve};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

/// The shortest last line of a folded text that is told from other text.
pub(super) const REMAINDER: usize = 16;
/// Values above this size are looked for as they are and in base64 alone: no environment carries them, and each form
/// costs their size again.
const LARGE: usize = 64 << 10;
/// As long as any form below writes a byte; base64 takes less than two.
const WIDEST: usize = 8;

/// Gives a text that `of` says what it is, and its forms, some of them twice. They are written in `scratch`.
pub(super) fn forms(
    of: Encoding,
    text: &[u8],
    scratch: &mut Zeroizing<Vec<u8>>,
    give: &mut dyn FnMut(Form),
) {
    let part = of != Encoding::Raw;
    give(Form {
        encoding: of,
        part,
        bytes: text,
        folds: &[],
    });
    scratch.clear();
    let widest = if text.len() > LARGE { 2 } else { WIDEST };
    // Nothing that is written is moved and left behind.
    reserve(scratch, widest * (text.len() + 3));
    let mut writer = Writer {
        text,
        part,
        form: scratch,
        give,
    };
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    if text.len() <= LARGE && !text.iter().all(plain) {
        percent(&mut writer);
        doubled(&mut writer);
        shell(&mut writer);
        dotenv(&mut writer);
        xml(&mut writer);
        python(&mut writer);
        if let Ok(text) = std::str::from_utf8(text) {
            json(text, &mut writer);
        }
    }
    // A line alone is printed as text; what is encoded is the value.
    if of == Encoding::Line {
        return;
    }
    base64(&mut writer);
    if text.len() <= LARGE {
        for digits in [LOWER, UPPER] {
            writer.form.clear();
            for byte in text {
                writer.form.extend(hex(*byte, digits));
            }
            // As xxd folds it.
            writer.give(Encoding::Hex, &[60]);
        }
    }
}

const LOWER: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";

fn hex(byte: u8, digits: &[u8; 16]) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|half| digits[usize::from(half)])
}

/// Writes the forms of a text, each in place of the one before.
struct Writer<'a> {
    text: &'a [u8],
    part: bool,
    form: &'a mut Vec<u8>,
    give: &'a mut dyn FnMut(Form),
}

impl Writer<'_> {
    fn give(&mut self, encoding: Encoding, folds: &'static [usize]) {
        (self.give)(Form {
            encoding,
            part: self.part,
            bytes: self.form,
            folds,
        });
    }

    /// Gives the text with some of its bytes written otherwise; never a letter or a digit.
    fn replaced(&mut self, encoding: Encoding, write: &dyn Fn(u8, &mut Vec<u8>)) {
        self.form.clear();
        for byte in self.text {
            if byte.is_ascii_alphanumeric() {
                self.form.push(*byte);
            } else {
                write(*byte, self.form);
            }
        }
        self.give(encoding, &[]);
    }

    /// With a backslash before each byte of `marked`; `named` have letters of their own.
    fn backslashed(&mut self, encoding: Encoding, marked: &[u8], named: &[(u8, &[u8])]) {
        self.replaced(encoding, &|byte, form| {
            if let Some((_, name)) = named.iter().find(|(named, _)| *named == byte) {
                form.extend_from_slice(name);
            } else {
                if marked.contains(&byte) {
                    form.push(b'\\');
                }
                form.push(byte);
            }
        });
    }

    /// With one byte written as a longer text.
    fn substituted(&mut self, encoding: Encoding, substitutes: &[(u8, &str)]) {
        self.replaced(
            encoding,
            &|byte, form| match substitutes.iter().find(|(one, _)| *one == byte) {
                Some((_, other)) => form.extend_from_slice(other.as_bytes()),
                None => form.push(byte),
            },
        );
    }
}

fn base64(writer: &mut Writer) {
    let mut padded = Zeroizing::new(Vec::with_capacity(writer.text.len() + 2));
    padded.extend([0; 2]);
    padded.extend_from_slice(writer.text);
    for before in 0..3 {
        let shifted = padded.get(2 - before..).unwrap_or_default();
        // The characters that no neighbour has a bit in.
        let own = (8 * before).div_ceil(6)..8 * shifted.len() / 6;
        writer.form.resize(2 * shifted.len() + 2, 0);
        let Ok(length) = STANDARD_NO_PAD.encode_slice(shifted, writer.form) else {
            continue;
        };
        writer.form.truncate(own.end.min(length));
        writer.form.drain(..own.start);
        let folds: &[usize] = if before == 0 { &[60, 64, 76] } else { &[] };
        writer.give(Encoding::Base64, folds);
        if writer.text.len() <= LARGE {
            for byte in &mut *writer.form {
                match byte {
                    b'+' => *byte = b'-',
                    b'/' => *byte = b'_',
                    _ => {}
                }
            }
            writer.give(Encoding::Base64Url, folds);
        }
    }
}

/// RFC 3986, the same with `/` left (Python), JavaScript's `encodeURIComponent`, and forms (WHATWG, Python).
fn percent(writer: &mut Writer) {
    for (left, plus) in [
        ("-._~", false),
        ("-._~/", false),
        ("-._~!'()*", false),
        ("-._*", true),
        ("-._~", true),
    ] {
        for digits in [UPPER, LOWER] {
            writer.replaced(Encoding::Percent, &|byte, form| {
                if left.as_bytes().contains(&byte) {
                    form.push(byte);
                } else if byte == b' ' && plus {
                    form.push(b'+');
                } else {
                    form.push(b'%');
                    form.extend(hex(byte, digits));
                }
            });
        }
    }
}

fn doubled(writer: &mut Writer) {
    for substitute in [(b'\'', "''"), (b'"', "\"\""), (b'$', "$$"), (b'\\', "\\\\")] {
        writer.substituted(Encoding::Doubled, &[substitute]);
    }
}

/// Inside single quotes (POSIX, Python's shlex), inside double quotes, bash's `%q` and `$'…'`, Ruby's `Shellwords`.
fn shell(writer: &mut Writer) {
    let shell = Encoding::Shell;
    writer.substituted(shell, &[(b'\'', "'\\''")]);
    writer.substituted(shell, &[(b'\'', "'\"'\"'")]);
    writer.backslashed(shell, b"\\\"$`", &[]);
    writer.backslashed(shell, b" \t'\"\\|&;()<>!{}*[]?^$`,", &[]);
    writer.backslashed(shell, b" \t'\"\\|&;()<>!{}*[]?^$`,#~", &[]);
    writer.replaced(shell, &|byte, form| {
        // The bytes after the first of a character are none of their own.
        if !b"_-.,:+/@\n".contains(&byte) && byte & 0xc0 != 0x80 {
            form.push(b'\\');
        }
        form.push(byte);
    });
    writer.replaced(shell, &|byte, form| match byte {
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
    });
}

/// Double quotes as the consumers of `.env` files read them, and their ways to write a `$`.
fn dotenv(writer: &mut Writer) {
    let feeds: [(u8, &[u8]); 2] = [(b'\n', b"\\n"), (b'\r', b"\\r")];
    for marked in [&b"\\\""[..], b"\"", b"\\\"$", b"\\\"$`", b"$", b"\\'", b"'"] {
        writer.backslashed(Encoding::Dotenv, marked, &[]);
        writer.backslashed(Encoding::Dotenv, marked, &feeds);
    }
    writer.substituted(Encoding::Dotenv, &[(b'$', "${:-$}")]);
}

/// The five characters, in the ways that HTML and XML libraries write quotes.
fn xml(writer: &mut Writer) {
    for (quote, apostrophe) in [
        ("\"", "'"),
        ("&quot;", "'"),
        ("&quot;", "&#39;"),
        ("&quot;", "&#039;"),
        ("&quot;", "&#x27;"),
        ("&quot;", "&apos;"),
        ("&#34;", "&#39;"),
    ] {
        let all = [
            (b'&', "&amp;"),
            (b'<', "&lt;"),
            (b'>', "&gt;"),
            (b'"', quote),
            (b'\'', apostrophe),
            (b'/', "&#x2F;"),
            (b'`', "&#x60;"),
            (b'=', "&#x3D;"),
        ];
        writer.substituted(Encoding::Xml, &all[..5]);
        writer.substituted(Encoding::Xml, &all);
    }
}

/// The repr of a `str` and of `bytes`, with either quote.
fn python(writer: &mut Writer) {
    for (quote, bytes) in [(true, false), (false, false), (true, true), (false, true)] {
        writer.replaced(Encoding::Python, &|byte, form| match byte {
            b'\\' => form.extend(b"\\\\"),
            b'\'' if quote => form.extend(b"\\'"),
            b'\n' => form.extend(b"\\n"),
            b'\r' => form.extend(b"\\r"),
            b'\t' => form.extend(b"\\t"),
            byte if byte < 0x20 || byte == 0x7f || (bytes && byte >= 0x80) => {
                form.extend(b"\\x");
                form.extend(hex(byte, LOWER));
            }
            byte => form.push(byte),
        });
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
    /// What is written is a JSON string in another.
    twice: bool,
}

/// JavaScript, Rust and jq; Python; PHP, with and without its `JSON_UNESCAPED_UNICODE`; Go and Rails; .NET; JSON in JSON.
fn json(text: &str, writer: &mut Writer) {
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
        Json {
            twice: true,
            ..plain
        },
    ];
    for way in all {
        writer.form.clear();
        for c in text.chars() {
            way.write(c, writer.form);
        }
        writer.give(Encoding::Json, &[]);
    }
}

impl Json {
    fn write(self, c: char, form: &mut Vec<u8>) {
        if c.is_ascii_alphanumeric() {
            form.extend(u8::try_from(c));
            return;
        }
        let short = match c {
            c if self.more.contains(c) => None,
            '"' => Some(b'"'),
            '\\' => Some(b'\\'),
            '\n' => Some(b'n'),
            '\r' => Some(b'r'),
            '\t' => Some(b't'),
            '\u{8}' => Some(b'b'),
            '\u{c}' => Some(b'f'),
            '/' if self.slash => Some(b'/'),
            _ => None,
        };
        let backslash: &[u8] = if self.twice { b"\\\\" } else { b"\\" };
        if let Some(short) = short {
            form.extend_from_slice(backslash);
            if self.twice && b"\"\\".contains(&short) {
                form.push(b'\\');
            }
            form.push(short);
        } else if c < ' ' || self.more.contains(c) || (self.ascii && !c.is_ascii()) {
            let digits = if self.upper { UPPER } else { LOWER };
            for unit in c.encode_utf16(&mut [0; 2]) {
                form.extend_from_slice(backslash);
                form.push(b'u');
                form.extend(
                    unit.to_be_bytes()
                        .into_iter()
                        .flat_map(|byte| hex(byte, digits)),
                );
            }
        } else {
            form.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}
