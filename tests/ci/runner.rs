//! A GitHub runner's log, as actions/runner writes it: the commands it takes, the masks it derives, what it hides.
//!
//! After `ActionCommand.cs`, `ActionCommandManager.cs`, `OutputManager.cs`, `SecretMasker.cs` and `ValueEncoders.cs`. Its
//! own tests hold it to what the real masker was measured to do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeSet;

/// What a runner shows for what it hides.
pub(super) const HIDDEN: &str = "***";

/// A job's runner.
#[derive(Default)]
pub(super) struct Runner {
    masks: BTreeSet<String>,
    /// The token that lets commands be taken again.
    stopped: Option<String>,
}

impl Runner {
    /// The log of what a step prints, on either stream.
    pub(super) fn log(&mut self, output: &str) -> String {
        let mut log = String::new();
        for line in output.split('\n') {
            let line = line.strip_suffix('\r').unwrap_or(line);
            if !self.takes(line) {
                log.push_str(&self.hide(line));
                log.push('\n');
            }
        }
        log
    }

    /// Whether a job's output of this value reaches other jobs.
    pub(super) fn passes_on(&self, value: &str) -> bool {
        self.hide(value) == value
    }

    pub(super) fn count(&self) -> usize {
        self.masks.len()
    }

    /// Whether a line is a command that is not shown.
    fn takes(&mut self, line: &str) -> bool {
        let Some((name, data)) = command(line) else {
            return false;
        };
        if let Some(token) = &self.stopped {
            if name == *token {
                self.stopped = None;
            }
            return false;
        }
        match name.as_str() {
            "add-mask" => {
                if !data.trim().is_empty() {
                    self.add(&data);
                    for line in data.split(['\r', '\n']).map(str::trim) {
                        self.add(line);
                    }
                }
                true
            }
            "stop-commands" => {
                self.stopped = Some(data);
                false
            }
            _ => false,
        }
    }

    fn add(&mut self, value: &str) {
        if value.is_empty() {
            return;
        }
        let all = std::iter::once(value.to_owned()).chain(derived(value));
        self.masks.extend(all.filter(|mask| !mask.is_empty()));
    }

    /// Every occurrence of every mask, those that touch or overlap as one.
    pub(super) fn hide(&self, line: &str) -> String {
        let mut hidden = vec![false; line.len()];
        for mask in &self.masks {
            let mut from = 0;
            while let Some(at) = line.get(from..).and_then(|rest| rest.find(mask.as_str())) {
                hidden[from + at..from + at + mask.len()].fill(true);
                from += at + 1;
                while !line.is_char_boundary(from) {
                    from += 1;
                }
            }
        }
        let mut shown = String::new();
        let mut before = false;
        for (at, c) in line.char_indices() {
            match (hidden[at], before) {
                (true, false) => shown.push_str(HIDDEN),
                (true, true) => {}
                (false, _) => shown.push(c),
            }
            before = hidden[at];
        }
        shown
    }
}

/// The name and data of a command: `::name key=value::data`, or the older `##[name key=value]data` anywhere in a line.
fn command(line: &str) -> Option<(String, String)> {
    let trimmed = line.trim_start();
    let unescaped = |data: &str| {
        data.replace("%0D", "\r")
            .replace("%0A", "\n")
            .replace("%25", "%")
    };
    if let Some((info, data)) = trimmed
        .strip_prefix("::")
        .and_then(|rest| rest.split_once("::"))
    {
        let name = info.split(' ').next()?;
        return Some((name.to_owned(), unescaped(data)));
    }
    let (_, rest) = line.split_once("##[")?;
    let (info, data) = rest.split_once(']')?;
    let data = unescaped(&data.replace("%3B", ";").replace("%5D", "]"));
    Some((info.split(' ').next()?.to_owned(), data))
}

/// What the runner hides beside a value.
fn derived(value: &str) -> Vec<String> {
    let bytes = value.as_bytes();
    let mut derived: Vec<String> = (0..3)
        .filter_map(|shift| bytes.get(shift..).filter(|rest| !rest.is_empty()))
        .map(|rest| STANDARD.encode(rest))
        .collect();
    derived.push(value.replace('"', "\\\""));
    derived.push(value.replace('\'', "''"));
    derived.push(json(value));
    derived.push(uri(value));
    derived.push(
        value
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&apos;"),
    );
    if value.len() > 8
        && let Some(inside) = value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
    {
        derived.push(inside.to_owned());
    }
    // What PowerShell colours apart.
    let sections = match (value.find("&+"), value.rfind('&')) {
        (Some(at), _) => [value.get(..at + 2), value.get(at + 3..)],
        (None, Some(at)) => [value.get(..=at), value.get(at + 1..)],
        (None, None) => [None, None],
    };
    derived.extend(
        sections
            .into_iter()
            .flatten()
            .filter(|section| section.encode_utf16().count() >= 6)
            .map(str::to_owned),
    );
    derived
}

/// A JSON string without its quotes, as Newtonsoft writes it.
fn json(value: &str) -> String {
    let mut text = String::new();
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\u{c}' => text.push_str("\\f"),
            '\r' => text.push_str("\\r"),
            c if c < ' ' || ['\u{85}', '\u{2028}', '\u{2029}'].contains(&c) => {
                text.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => text.push(c),
        }
    }
    text
}

/// `Uri.EscapeDataString`.
fn uri(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[test]
fn it_hides_what_the_real_one_was_measured_to_hide() {
    let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let of = |length: usize| {
        letters
            .chars()
            .cycle()
            .skip(7)
            .step_by(11)
            .take(length)
            .collect()
    };
    let values: [String; 5] = [
        "p@ss/w0rd+42&x=y'\"z".to_owned(),
        of(20),
        of(21),
        of(22),
        of(90),
    ];
    let url = |text: &str| {
        let text = STANDARD.encode(text).replace('+', "-").replace('/', "_");
        text.trim_end_matches('=').to_owned()
    };
    type Print<'a> = &'a dyn Fn(&str) -> String;
    // For each value, whether nothing at all was hidden.
    let rows: [(&str, Print, [bool; 5]); 8] = [
        ("raw", &|v| v.to_owned(), [false; 5]),
        ("base64", &|v| STANDARD.encode(v), [false; 5]),
        (
            "base64 of user:v",
            &|v| STANDARD.encode(format!("user:{v}")),
            [false; 5],
        ),
        (
            "base64 of v and a line feed",
            &|v| STANDARD.encode(format!("{v}\n")),
            [true, true, false, true, false],
        ),
        (
            "base64 of user:v and a line feed",
            &|v| STANDARD.encode(format!("user:{v}\n")),
            [false, true, true, false, true],
        ),
        (
            "base64 of a document",
            &|v| STANDARD.encode(format!("{{\"p\":\"{v}\"}}")),
            [true, true, false, true, false],
        ),
        ("base64url", &url, [true, true, false, true, false]),
        (
            "hex",
            &|v| v.bytes().map(|byte| format!("{byte:02x}")).collect(),
            [true; 5],
        ),
    ];
    for (row, print, leaks) in rows {
        for (value, leaks) in values.iter().zip(leaks) {
            let mut runner = Runner::default();
            runner.log(&format!("::add-mask::{value}"));
            let line = print(value);
            assert_eq!(runner.hide(&line) == line, leaks, "{row} of {value}");
        }
    }
}

#[test]
fn it_takes_commands_as_the_real_one_does() {
    let log = |text: &str| Runner::default().log(text);
    assert_eq!(log("::add-mask::s3cret\nas3cretb"), "a***b\n");
    assert_eq!(log("  ::add-mask::s3cret\ns3cret"), "***\n");
    assert_eq!(log("x ##[add-mask]s3cret\ns3cret"), "***\n");
    assert_eq!(log("::add-mask::a%25b\na%b"), "***\n");
    assert_eq!(log("::add-mask::one%0A{\nx {y}"), "x ***y}\n");
    assert_eq!(
        log("::add-mask::abc\n::add-mask::def\nabcdef abc-def"),
        "*** ***-***\n"
    );
    assert_eq!(
        log("::stop-commands::t\n::add-mask::s3cret\n::t::\n::add-mask::other1\nother1"),
        "::stop-commands::t\n::add-mask::s3cret\n::t::\n***\n"
    );
    let mut runner = Runner::default();
    runner.log("::add-mask::prod");
    assert!(!runner.passes_on("reproduce"));
    assert!(runner.passes_on("staging"));
}
