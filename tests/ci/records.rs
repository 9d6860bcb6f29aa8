//! The files that hand values to later steps, read as a runner reads them (`FileCommandManager.cs`).

use dotage::ci::github::records;

/// A runner's reader of `GITHUB_ENV` and `GITHUB_OUTPUT`: the entries, or what it stops at.
pub(super) fn read(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    let mut entries = Vec::new();
    let mut rest = text;
    // A line and what ends it, which on Linux is a line feed alone.
    fn line<'a>(rest: &mut &'a str) -> Option<(&'a str, bool)> {
        if rest.is_empty() {
            return None;
        }
        let (line, ended) = match rest.split_once('\n') {
            Some((line, after)) => {
                *rest = after;
                (line, true)
            }
            None => (std::mem::take(rest), false),
        };
        Some((line, ended))
    }
    while let Some((first, ended)) = line(&mut rest) {
        if first.is_empty() {
            continue;
        }
        let (equals, heredoc) = (first.find('='), first.find("<<"));
        match (equals, heredoc) {
            (Some(at), other) if other.is_none_or(|other| at < other) => {
                if at == 0 {
                    return Err("a name is empty");
                }
                entries.push((first[..at].to_owned(), first[at + 1..].to_owned()));
            }
            (_, Some(at)) => {
                let (name, delimiter) = (&first[..at], &first[at + 2..]);
                if name.is_empty() || delimiter.is_empty() {
                    return Err("a name or a delimiter is empty");
                }
                if !ended {
                    return Err("the delimiter isn't found");
                }
                let mut value = String::new();
                let mut before: Option<&str> = None;
                loop {
                    let Some((next, ended)) = line(&mut rest) else {
                        return Err("the delimiter isn't found");
                    };
                    if next == delimiter {
                        break;
                    }
                    if !ended {
                        return Err("a marker without its line feed");
                    }
                    if before.is_some() {
                        value.push('\n');
                    }
                    value.push_str(next);
                    before = Some(next);
                }
                entries.push((name.to_owned(), value));
            }
            _ => return Err("neither NAME=value nor NAME<<delimiter"),
        }
    }
    Ok(entries)
}

/// Values that whoever can choose one would choose.
pub(super) fn hostile() -> Vec<String> {
    let mut values: Vec<String> = [
        "",
        "plain",
        " blanks ",
        "two\nlines",
        "ends in a line feed\n",
        "\n\nbegins and ends\n\n",
        "\r\nCRLF\r\n",
        "ends in CR\r",
        "EOF\nLD_PRELOAD=/tmp/x.so\nEOF",
        "x\nEOF\nLD_PRELOAD=/tmp/x.so",
        "x\nDOTAGE_00000000000000000000000000000000\nPATH=/tmp",
        "x\nghadelimiter_\nA=b",
        "A<<B\nc\nB",
        "<<",
        "=",
        "=<<=",
        "::add-mask::x",
        "::set-env name=A::b",
        "##[set-env name=A]b",
        "%0A%0D%25",
        "${{ secrets.X }} $(id) `id` $HOME",
        "emoji 😀 ünïcödé 日本",
        "\u{feff}a mark",
        "\u{1b}[31m\u{7f}\u{85}\u{2028}",
    ]
    .map(str::to_owned)
    .to_vec();
    values.push("x".repeat(100 << 10));
    values.push("0123456789abcde\n".repeat(6_000));
    values
}

#[test]
fn a_runner_reads_back_what_was_meant() {
    let values = hostile();
    let named: Vec<(String, Vec<u8>)> = values
        .iter()
        .enumerate()
        .map(|(index, value)| (format!("V{index}"), value.as_bytes().to_vec()))
        .collect();
    let text = records(&named).unwrap();
    let text = std::str::from_utf8(&text).unwrap();
    let entries = read(text).unwrap();
    let meant: Vec<(String, String)> = named
        .iter()
        .map(|(name, _)| name.clone())
        .zip(values)
        .collect();
    assert_eq!(entries, meant);
    // Alone, and after what somebody else wrote.
    for (name, value) in &meant {
        let alone = records(&[(name.clone(), value.as_bytes().to_vec())]).unwrap();
        let text = format!("A=1\n{}B=2\n", std::str::from_utf8(&alone).unwrap());
        let entries = read(&text).unwrap();
        let expected = [("A", "1"), (name.as_str(), value.as_str()), ("B", "2")];
        assert_eq!(
            entries,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }
}

#[test]
fn no_delimiter_is_written_twice() {
    let named: Vec<(String, Vec<u8>)> = (0..500)
        .map(|index| (format!("V{index}"), b"same".to_vec()))
        .collect();
    let text = records(&named).unwrap();
    let mut delimiters: Vec<&str> = std::str::from_utf8(&text)
        .unwrap()
        .lines()
        .filter_map(|line| line.split_once("<<").map(|(_, delimiter)| delimiter))
        .collect();
    assert!(
        delimiters
            .iter()
            .all(|one| one.len() == "DOTAGE_".len() + 32)
    );
    delimiters.sort_unstable();
    delimiters.dedup();
    assert_eq!(delimiters.len(), 500);
}

#[test]
fn what_no_environment_carries_is_refused_by_name_alone() {
    for value in [&b"a\0b"[..], b"\xff\xfe", &[b'x'; 131_072]] {
        let problem = records(&[("V".to_owned(), value.to_vec())]).unwrap_err();
        assert_eq!(problem.rule, "unwritable");
        assert!(problem.message.len() < 120 && problem.message.contains(" V"));
    }
}

#[test]
fn the_reader_takes_and_refuses_what_the_runner_does() {
    let one = |name: &str, value: &str| Ok(vec![(name.to_owned(), value.to_owned())]);
    assert_eq!(read("A=b=c\n"), one("A", "b=c"));
    assert_eq!(read("A=b<<c"), one("A", "b<<c"));
    assert_eq!(read("A<<E\nE\n"), one("A", ""));
    assert_eq!(read("A<<E\n\nE\n"), one("A", ""));
    assert_eq!(read("A<<E\nx\r\nE\n"), one("A", "x\r"));
    assert_eq!(read("A<<E\n x\n\nE"), one("A", " x\n"));
    for bad in [
        "A",
        "=b",
        "<<E\nx\nE",
        "A<<\nx\n",
        "A<<E\nx\nE\r\n",
        "A<<E",
        "A<<E\nx",
    ] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
}
