use super::*;
use crate::file::sha256 as hash;
use std::fs;
use std::io::Write as _;

const A: &str = "age1aaa";
const B: &str = "age1bbb";

fn folder() -> (tempfile::TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::at(folder.path());
    (folder, journal)
}

fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

fn set(seconds: u64, names: &[&str]) -> Entry {
    Entry {
        time: Time(seconds),
        who: Who {
            actor: "ann".to_owned(),
            host: "person".to_owned(),
            job: None,
        },
        action: "set".to_owned(),
        profile: Some("production".to_owned()),
        names: names.iter().map(|one| name(one)).collect(),
        outcome: "done".to_owned(),
        written: vec![Written {
            path: "vault/production/default.age".to_owned(),
            sha256: hash(&seconds.to_le_bytes()),
        }],
        ..Entry::default()
    }
}

fn readers(seconds: u64, added: &[&str], removed: &[&str], names: &[&str]) -> Entry {
    let readers = |keys: &[&str]| {
        let reader = |key: &&str| Reader {
            key: (*key).to_owned(),
            comment: Some(format!("who has {key}")),
        };
        keys.iter().map(reader).collect()
    };
    Entry {
        action: "recipients".to_owned(),
        added: readers(added),
        removed: readers(removed),
        ..set(seconds, names)
    }
}

/// The only hash.
fn only(hashes: &[String]) -> &str {
    let [hash] = hashes else {
        panic!("{hashes:?}");
    };
    hash
}

fn put(journal: &Journal, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
    file_of(journal)?.write_all(bytes.as_ref())
}

fn file_of(journal: &Journal) -> std::io::Result<fs::File> {
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(journal.path())
}

fn rules(journal: &Journal) -> Vec<String> {
    let problems = journal.entries().unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn an_entry_comes_back_as_it_was_and_names_the_one_before() {
    let (_folder, journal) = folder();
    assert_eq!(journal.entries().unwrap(), []);
    journal.ready().unwrap();
    let whole = Entry {
        who: Who {
            actor: "a \"quoted\" \u{202e}name,\"before\":[\n".to_owned(),
            host: "ci".to_owned(),
            job: Some("https://ci.example/1".to_owned()),
        },
        reason: Some("was overdue".to_owned()),
        incident: Some("2026-11".to_owned()),
        plan: Some("p1".to_owned()),
        step: Some("switch".to_owned()),
        seconds: Some(7),
        ..readers(1_795_600_000, &[A], &[B], &["ONE", "TWO"])
    };
    journal.append(&whole).unwrap();
    journal.append(&set(1_795_600_001, &["ONE"])).unwrap();
    let entries = journal.entries().unwrap();
    let [first, second] = entries.as_slice() else {
        panic!("{entries:?}");
    };
    let as_given = |entry: &Entry| Entry {
        before: Vec::new(),
        hash: String::new(),
        line: 0,
        ..entry.clone()
    };
    assert_eq!(as_given(first), whole);
    assert_eq!(as_given(second), set(1_795_600_001, &["ONE"]));
    assert_eq!((first.line, second.line), (1, 2));
    assert_eq!(first.before, [""; 0]);
    assert_eq!(only(&second.before), first.hash);
    let text = fs::read_to_string(journal.path()).unwrap();
    assert_eq!(hash(text.lines().next().unwrap().as_bytes()), first.hash);
    assert!(text.starts_with("{\"time\":\"2026-11-25T"), "{text}");
    let other = Written {
        path: "vault/production/default.age".to_owned(),
        sha256: first.hash.clone(),
    };
    let asked = vec![second.written[0].clone(), other.clone()];
    assert_eq!(journal.untold(asked).unwrap(), [other]);
    assert!(journal.tells_of("vault/production/default.age").unwrap());
    assert!(!journal.tells_of("vault/production/default").unwrap());
}

#[test]
fn after_a_merge_by_union_the_next_entry_names_the_last_of_each_branch() {
    let (_folder, journal) = folder();
    journal.append(&set(1, &["A"])).unwrap();
    let base = fs::read_to_string(journal.path()).unwrap();
    let branch = |times: &[u64]| {
        put(&journal, &base).unwrap();
        for time in times {
            journal.append(&set(*time, &["A"])).unwrap();
        }
        let text = fs::read_to_string(journal.path()).unwrap();
        text.strip_prefix(&base).unwrap().to_owned()
    };
    let (ours, theirs, third) = (branch(&[2, 3]), branch(&[4]), branch(&[5, 6, 7]));
    let last = |text: &str| hash(text.lines().last().unwrap().as_bytes());
    let heads = |parts: &[&str]| {
        let mut heads: Vec<String> = parts.iter().map(|part| last(part)).collect();
        heads.sort_unstable();
        heads
    };
    put(&journal, format!("{base}{ours}{theirs}{third}")).unwrap();
    journal.append(&set(8, &["A"])).unwrap();
    let entries = journal.entries().unwrap();
    assert_eq!(entries[7].before, heads(&[&ours, &theirs, &third]));
    // Ours is merged, and a branch from before that comes in, above it or below.
    let merged = fs::read_to_string(journal.path()).unwrap();
    let late = branch(&[9, 10]);
    for text in [
        format!("{merged}{late}"),
        format!("{base}{late}{}", merged.strip_prefix(&base).unwrap()),
    ] {
        put(&journal, text).unwrap();
        journal.append(&set(11, &["A"])).unwrap();
        let entries = journal.entries().unwrap();
        assert_eq!(entries.last().unwrap().before, heads(&[&merged, &late]));
        journal.append(&set(12, &["A"])).unwrap();
        let now = journal.entries().unwrap();
        let [.., before, last] = now.as_slice() else {
            panic!("{now:?}");
        };
        assert_eq!(only(&last.before), before.hash);
    }
}

#[test]
fn a_line_that_is_no_entry_is_told_with_its_place_and_nothing_is_added() {
    let (folder, journal) = folder();
    journal.append(&set(1, &["A"])).unwrap();
    let good = fs::read_to_string(journal.path()).unwrap();
    let hashless = good.replace("\"before\"", "\"after\"");
    for (bad, expected) in [
        ("<<<<<<< HEAD\n", "a line of a merge that was not finished"),
        ("=======\n", "a line of a merge that was not finished"),
        (
            "hunter2\n",
            "no JSON object, as each line of the journal is",
        ),
        ("hunter2", "no JSON object, as each line of the journal is"),
        ("[]\n", "no JSON object, as each line of the journal is"),
        ("{\"before\":[]}\n", "an entry without its `time`"),
        (&hashless, "an entry without `before`"),
        (
            &good.replace("[\"A\"]", "[\"A=hunter2\"]"),
            "`names` holds what does not belong there",
        ),
        (&good.replace("[\"A\"]", "\"A\""), "`names` is no list"),
        (&good.replace("\"set\"", "7"), "`action` is no text"),
        (
            &good.replace("\"done\"", "\"done\",\"seconds\":-1"),
            "`seconds` is no number of seconds",
        ),
        (&good.replace("T00:", "T25:"), "an entry without its `time`"),
    ] {
        put(&journal, format!("{good}\n{bad}")).unwrap();
        let said = rules(&journal);
        let [said] = said.as_slice() else {
            panic!("{said:?}");
        };
        let place = format!("{}:3: {expected}", folder.path().join(JOURNAL).display());
        assert!(said.starts_with(&place), "{said}");
        assert!(said.contains("\nhelp: "), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    for bad in ["<<<<<<< HEAD\n", "hunter2\n"] {
        put(&journal, format!("{good}{bad}{good}")).unwrap();
        let before = fs::read(journal.path()).unwrap();
        assert_eq!(journal.ready().unwrap_err().rule, "bad-journal");
        assert_eq!(
            journal.append(&set(2, &[])).unwrap_err().rule,
            "bad-journal"
        );
        assert_eq!(fs::read(journal.path()).unwrap(), before);
    }
    put(&journal, b"{\"a\":1}\n{\xff}\n").unwrap();
    assert!(rules(&journal)[0].contains(":2: not UTF-8 text"));
    let long = format!("{{\"x\":\"{}\"}}\n", "x".repeat(MAX_LINE));
    put(&journal, long).unwrap();
    assert!(rules(&journal)[0].contains("an entry of more than 1048576 bytes"));
    file_of(&journal).unwrap().set_len(MAX as u64 + 1).unwrap();
    assert_eq!(journal.ready().unwrap_err().rule, "too-large");
    assert!(rules(&journal)[0].contains("git mv operations.jsonl"));
}

#[test]
fn a_journal_that_could_not_be_written_is_known_before_anything_is_done() {
    let (folder, journal) = folder();
    std::os::unix::fs::symlink("elsewhere", journal.path()).unwrap();
    assert_eq!(journal.ready().unwrap_err().rule, "symlink");
    assert!(!folder.path().join("elsewhere").exists());
    let nowhere = Journal::at(&folder.path().join("not/there"));
    assert_eq!(nowhere.ready().unwrap_err().rule, "missing");
}

#[test]
fn a_torn_last_line_is_passed_over_and_the_next_entry_takes_its_place() {
    let (_folder, journal) = folder();
    journal.append(&set(1, &["A"])).unwrap();
    journal.append(&set(2, &["A"])).unwrap();
    let whole = fs::read(journal.path()).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for end in first..whole.len() {
        put(&journal, &whole[..end]).unwrap();
        // Without its line feed alone it is whole.
        let kept = if end + 1 == whole.len() { 2 } else { 1 };
        assert_eq!(journal.entries().unwrap().len(), kept, "{end}");
        journal.append(&set(3, &["A"])).unwrap();
        let entries = journal.entries().unwrap();
        assert_eq!(entries.len(), kept + 1, "{end}");
        assert_eq!(only(&entries[kept].before), entries[kept - 1].hash);
    }
    put(&journal, [&whole, &[0; 400][..]].concat()).unwrap();
    journal.append(&set(3, &["A"])).unwrap();
    assert_eq!(journal.entries().unwrap().len(), 3);
}

#[test]
fn a_field_of_a_later_version_is_left_alone_and_counts_for_the_hash() {
    let (_folder, journal) = folder();
    journal.append(&set(1, &["A"])).unwrap();
    let text = fs::read_to_string(journal.path()).unwrap();
    let later = text.replace(
        "\"before\":[]}",
        "\"before\":[],\"weather\":{\"before\":[\"x\"]}}",
    );
    assert_ne!(later, text);
    put(&journal, &later).unwrap();
    journal.append(&set(2, &["A"])).unwrap();
    assert!(
        fs::read_to_string(journal.path())
            .unwrap()
            .starts_with(&later)
    );
    let entries = journal.entries().unwrap();
    assert_eq!(entries[1].before, [hash(later.trim_end().as_bytes())]);
}

#[test]
fn appending_at_once_keeps_the_chain() {
    let (_folder, journal) = folder();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let journal = &journal;
            scope.spawn(move || {
                for n in 0..10 {
                    journal.append(&set(thread * 100 + n, &["A"])).unwrap();
                }
            });
        }
    });
    let entries = journal.entries().unwrap();
    assert_eq!(entries.len(), 80);
    for pair in entries.windows(2) {
        assert_eq!(only(&pair[1].before), pair[0].hash);
    }
}

#[test]
fn a_value_is_as_old_as_its_last_change() {
    let other = Entry {
        profile: Some("development".to_owned()),
        ..set(90, &["A"])
    };
    let failed = Entry {
        outcome: "failed".to_owned(),
        ..set(80, &["A"])
    };
    let seen = readers(70, &[A], &[], &["A"]);
    let told = Entry {
        written: Vec::new(),
        ..set(60, &["A"])
    };
    let entries = [
        set(50, &["A", "B"]),
        set(40, &["A"]),
        other,
        failed,
        seen,
        told,
    ];
    assert_eq!(
        last_changed(&entries, "production", &name("A")),
        Some(Time(50))
    );
    assert_eq!(
        last_changed(&entries, "development", &name("A")),
        Some(Time(90))
    );
    assert_eq!(last_changed(&entries, "production", &name("C")), None);
}

#[test]
fn what_a_removed_reader_could_read_is_to_be_rotated_until_it_is_changed() {
    let told = |entries: &[Entry]| -> Vec<String> {
        must_rotate(entries, "production")
            .iter()
            .flat_map(|(name, exposed)| exposed.iter().map(move |one| (name, one)))
            .map(|(name, one)| format!("{name} {} {}", one.reader.key, one.since.0))
            .collect()
    };
    let all = ["ONE", "TWO"];
    let added = readers(1, &[A, B], &[], &all);
    let removed = readers(2, &[], &[A], &all);
    assert_eq!(told(std::slice::from_ref(&added)), [""; 0]);
    let mut entries = vec![added, removed];
    assert_eq!(told(&entries), ["ONE age1aaa 2", "TWO age1aaa 2"]);
    // Changed by a branch, before the removal but below it in the file: the reader could read that too.
    entries.push(set(1, &["ONE"]));
    assert_eq!(told(&entries), ["ONE age1aaa 2", "TWO age1aaa 2"]);
    // Changed in the same second, below it in the file.
    entries.push(set(2, &["ONE"]));
    assert_eq!(told(&entries), ["TWO age1aaa 2"]);
    entries.push(readers(3, &[], &[B], &all));
    entries.push(readers(4, &[], &[A], &all));
    let expected = [
        "ONE age1bbb 3",
        "ONE age1aaa 4",
        "TWO age1aaa 2",
        "TWO age1bbb 3",
    ];
    assert_eq!(told(&entries), expected);
    // Who is a reader again needs no protection from the value.
    entries.push(readers(5, &[A], &[], &all));
    assert_eq!(told(&entries), ["ONE age1bbb 3", "TWO age1bbb 3"]);
    entries.push(set(6, &all));
    assert_eq!(told(&entries), [""; 0]);
    assert!(must_rotate(&entries, "development").is_empty());
}

#[test]
fn a_rotation_clears_only_who_was_removed_before_it_began() {
    let step = |seconds, step: &str| Entry {
        action: "rotate".to_owned(),
        plan: Some("a1b2".to_owned()),
        step: Some(step.to_owned()),
        ..set(seconds, &["ONE"])
    };
    let told = |entries: &[Entry]| -> Vec<String> {
        let must = must_rotate(entries, "production");
        let readers = must.into_values().flatten();
        readers.map(|one| one.reader.key.clone()).collect()
    };
    // In the same second the order of the lines tells.
    let mut entries = vec![
        readers(1, &[], &[A], &["ONE"]),
        step(1, "stage"),
        readers(1, &[], &[B], &["ONE"]),
        step(2, "switch"),
    ];
    assert_eq!(told(&entries), [A, B]);
    entries.push(step(3, "finish"));
    assert_eq!(told(&entries), [B]);
    entries.push(set(4, &["ONE"]));
    assert!(told(&entries).is_empty());
}

#[test]
fn texts_are_cut_and_control_characters_stay_in_their_line() {
    let (_folder, journal) = folder();
    let entry = Entry {
        reason: Some("é\n".repeat(5_000)),
        ..set(1, &[])
    };
    journal.append(&entry).unwrap();
    let entries = journal.entries().unwrap();
    assert_eq!(
        entries[0].reason.as_ref().unwrap().chars().count(),
        MAX_TEXT
    );
}
