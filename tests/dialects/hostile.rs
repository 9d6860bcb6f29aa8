//! The values that consumers of `.env` files are known to stumble over, and texts and values made of such pieces.

/// The table: what is nasty about it, and the value.
pub(crate) fn table() -> Vec<(&'static str, Vec<u8>)> {
    let mut table: Vec<(&'static str, Vec<u8>)> = SHORT
        .iter()
        .map(|(what, value)| (*what, value.to_vec()))
        .collect();
    for (what, length) in [
        ("4 KB on a line", 4_096),
        ("70 KB on a line", 70_000),
        ("200 KB on a line", 200_000),
    ] {
        table.push((what, b"0123456789abcdef".repeat(length / 16)));
    }
    table
}

/// What a long run of generated values found beyond the table.
pub(crate) fn found() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        // zsh replaces `=x` by the path of a command x, after a colon too.
        ("an equals sign first", b"=x".to_vec()),
        ("an equals sign after a colon", b"a:=b".to_vec()),
        // And `$^name` is an expansion of its own there.
        ("a dollar sign and a caret", b"$^~$".to_vec()),
    ]
}

const SHORT: &[(&str, &[u8])] = &[
    ("a word", b"plain"),
    ("nothing", b""),
    ("a space", b"two words"),
    ("a space before", b" x"),
    ("a space after", b"x "),
    ("spaces alone", b"   "),
    ("a tab", b"a\tb"),
    ("a tab after", b"x\t"),
    ("a single quote", b"it's"),
    ("double quotes", b"say \"hi\""),
    ("both quotes", b"a'b\"c"),
    ("all three quotes", b"a'b\"c`d"),
    ("wrapped in double quotes", b"\"x\""),
    ("wrapped in single quotes", b"'x'"),
    ("a backslash", b"a\\b"),
    ("a backslash last", b"x\\"),
    ("two backslashes", b"a\\\\b"),
    ("backslash n", b"a\\nb"),
    ("backslash single quote", b"a\\'b"),
    ("backslash double quote", b"a\\\"b"),
    ("backslash dollar", b"a\\$b"),
    ("two backslashes last", b"x\\\\"),
    ("a variable", b"p$HOME"),
    ("a braced variable", b"p${HOME}q"),
    ("a default", b"p${HOME:-d}q"),
    ("a command", b"p$(id -un)w"),
    ("a command in backticks", b"p`id -un`w"),
    ("two dollars", b"a$$b"),
    ("dollar digit", b"a$1b"),
    ("a dollar last", b"x$"),
    ("dollar space", b"a$ b"),
    ("a hash first", b"#x"),
    ("a hash", b"a#b"),
    ("space hash", b"a #b"),
    ("equals signs", b"a=b=="),
    ("an exclamation mark", b"a!b"),
    ("a percent sign", b"100%d"),
    ("what shells act on", b"a;b&c|d<e>f(g)*?[h]{i,j}"),
    ("a tilde first", b"~/x"),
    ("JSON", b"{\"a\": [\"b\", 1]}"),
    ("another export", b"export X=1"),
    ("an emoji", "pass🔑ü".as_bytes()),
    ("no-break spaces at the ends", "\u{a0}x\u{a0}".as_bytes()),
    ("U+2028", "a\u{2028}b".as_bytes()),
    ("U+0085", "a\u{85}b".as_bytes()),
    ("a byte order mark first", "\u{feff}x".as_bytes()),
    ("bytes that are no UTF-8", b"a\xff\xfeb"),
    ("NUL", b"a\0b"),
    ("escape", b"a\x1b[31mb"),
    ("vertical tab and form feed", b"a\x0b\x0cb"),
    ("delete", b"a\x7fb"),
    ("a line feed", b"a\nb"),
    ("a line feed last", b"a\n"),
    ("a line feed first", b"\na"),
    ("another assignment", b"a\nINJECTED=1"),
    ("a comment in a line of its own", b"a\n# b\nc"),
    ("a blank line", b"a\n\nb"),
    ("CR LF", b"a\r\nb"),
    ("CR", b"a\rb"),
    ("a CR last", b"a\r"),
    (
        "a PEM key",
        b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA+/==\n-----END PRIVATE KEY-----\n",
    ),
    ("JSON in lines", b"{\n  \"it's\": \"`x`\"\n}\n"),
    ("the mark of an encrypted value", b"encrypted:abc"),
    ("a heredoc", b"a<<EOF"),
];

/// Pieces that mean something to one consumer or another.
const PIECES: &[&[u8]] = &[
    b"a",
    b"Z",
    b"7",
    b"x",
    b"n",
    b"r",
    b" ",
    b" ",
    b"\t",
    b"'",
    b"'",
    b"\"",
    b"\"",
    b"`",
    b"\\",
    b"\\",
    b"\\\\",
    b"\\n",
    b"\\r",
    b"\\t",
    b"$",
    b"${",
    b"}",
    b"$A",
    b"${B}",
    b"${A:-",
    b"$(",
    b")",
    b"$$",
    b"{",
    b"#",
    b" #",
    b"=",
    b":",
    b": ",
    b"\n",
    b"\n",
    b"\r",
    b"\r\n",
    b"\nA=1",
    b"export ",
    b"!",
    b"%",
    b"&",
    b";",
    b"|",
    b"<",
    b"<<",
    b">",
    b"(",
    b"*",
    b"?",
    b"[",
    b"]",
    b"~",
    b",",
    b"-",
    b"--",
    b"@",
    b"+",
    b"/",
    b".",
    b"^",
    b"_",
    b"EOF",
    b"encrypted:",
    b"\x1b",
    b"\x7f",
    b"\x0b",
    b"\x0c",
    b"\x1c",
    b"\x01",
    b"\xc2\x85",
    b"\xc2\xa0",
    b"\xe2\x80\xa8",
    b"\xe2\x80\xa9",
    b"\xef\xbb\xbf",
    b"\xc3\xa9",
    b"\xf0\x9f\x94\x91",
    b"\xe3\x80\x80",
    b"yes",
    b"null",
    b"0123",
    b"1e3",
    b"\0",
    b"\xff",
    b"\xc3",
];

/// A stream of numbers that is the same in every run (splitmix64, Steele et al. 2014).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn from(seed: &str) -> Self {
        Numbers(seed.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).expect("below a usize")
    }

    /// Whether this is one case in `many`.
    pub(crate) fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// A value of up to 16 pieces, most often of few kinds: a fault in how one kind is written isn't hidden by
    /// another kind that is refused.
    pub(crate) fn value(&mut self) -> Vec<u8> {
        if self.one_in(40) {
            let length = self.below(600);
            return (0..length)
                .map(|_| 0x20 + u8::try_from(self.below(95)).expect("below 95"))
                .collect();
        }
        let kinds: Vec<&[u8]> = (0..=self.below(5)).map(|_| self.pick(PIECES)).collect();
        let most = if self.one_in(4) { 17 } else { 6 };
        let length = self.below(most);
        (0..length)
            .flat_map(|_| self.pick(&kinds).to_vec())
            .collect()
    }

    /// A text somebody else may have written: assignments of all forms, comments, and in half of the texts mistakes.
    pub(crate) fn text(&mut self, names: &[&str]) -> Vec<u8> {
        let mut text = String::new();
        let careful = self.one_in(2);
        let newline = if !careful && self.one_in(8) {
            "\r\n"
        } else {
            "\n"
        };
        if !careful && self.one_in(20) {
            text.push('\u{feff}');
        }
        for _ in 0..=self.below(4) {
            match self.below(12) {
                0 => text.push_str(self.pick(&["# note", "#", "# it's", "# A=1", "#A='"])),
                1 => {}
                2 if !careful => text.push_str(self.pick(&[" ", "\t", "; semicolon", "  # note"])),
                3 if !careful => text.push_str(self.pick(names)),
                _ => self.assignment(names, careful, &mut text),
            }
            text.push_str(newline);
        }
        if self.one_in(8) {
            text.truncate(text.len() - newline.len());
        }
        text.into_bytes()
    }

    fn assignment(&mut self, names: &[&str], careful: bool, text: &mut String) {
        if self.one_in(8) {
            text.push_str("export ");
        }
        // The first names are good ones.
        text.push_str(self.pick(if careful { &names[..5] } else { names }));
        text.push_str(if !careful && self.one_in(5) {
            self.pick(&[" = ", " =", "= ", ": ", "=\t", ":"])
        } else {
            "="
        });
        match self.below(8) {
            0 => {}
            1 | 2 => self.words(
                &["a", "b", "1", "-", "/", "\\", "$A", "${B}", "=", "@", "é"],
                text,
            ),
            3 => self.words(
                &[
                    "a", "b c", "#", " #", "'", "\"", "\\", "\\n", "\\$", "$", "${A:-d}", "\t",
                    ":", "!",
                ],
                text,
            ),
            4 => self.quoted("'", careful, text),
            5 | 6 => self.quoted("\"", careful, text),
            _ => self.quoted("`", careful, text),
        }
        if self.one_in(6) {
            text.push_str(if careful {
                " # c"
            } else {
                self.pick(&[
                    "#c", " ", "\t", "  #", " x", "'y'", "\"y\"", " # it's", " #\"",
                ])
            });
        }
    }

    fn quoted(&mut self, quote: &str, careful: bool, text: &mut String) {
        text.push_str(quote);
        let kinds: &[&str] = match self.below(4) {
            0 => &["a", " ", "b", "#", "="],
            1 => &[
                "a", "\\n", "\\\\", "\\'", "\\\"", "\\$", "\\t", "\\r", "\\x", "\\`",
            ],
            2 => &[
                "a", "$A", "${B}", "${A:-d}", "${B-}", "$", "\\$A", "$$", "{", "}", "$1",
            ],
            _ => &["a", "\n", " #", "'", "\"", "`", "\\", " ", "\nB=2", "é"],
        };
        self.words(kinds, text);
        if careful || !self.one_in(8) {
            text.push_str(quote);
        }
    }

    fn words(&mut self, kinds: &[&str], text: &mut String) {
        for _ in 0..=self.below(5) {
            text.push_str(self.pick(kinds));
        }
    }
}
