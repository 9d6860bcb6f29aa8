//! What `file` promises, against the real kernel: every mode, owner, link and ACL that a target can have.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dotage::file::{self, Attributes, Change};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const NOBODY: u32 = 65534;
const AS_NOBODY: [&str; 4] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
];

/// This test binary is a writer when it is run again with these variables: in another umask, user or mount.
#[test]
fn a_writer_process_writes_what_it_is_told_to() {
    if let Some(path) = std::env::var_os("WRITER_PATH") {
        let variable = |name: &str| std::env::var(name).ok();
        let size = variable("WRITER_SIZE").map_or(3, |size| size.parse().unwrap());
        let attributes = Attributes {
            mode: variable("WRITER_MODE")
                .map_or(0o600, |mode| u32::from_str_radix(&mode, 8).unwrap()),
            owner: variable("WRITER_OWNER").map(|owner| owner.parse().unwrap()),
            ..Attributes::default()
        };
        let (path, bytes) = (Path::new(&path), vec![b'n'; size]);
        let change = match variable("WRITER_APPEND") {
            Some(_) => append(path, &bytes, 0o600).map(|()| Change::Content),
            None => file::replace(path, &bytes, &attributes),
        };
        match change {
            Ok(change) => println!("\nwriter: {change:?}."),
            Err(problem) => println!("\nwriter: {}: {problem}.", problem.rule),
        }
        return;
    }
    let folder = folder();
    let path = folder.path().join(".env");
    assert_eq!(writer(&[], &path, &[]), "Created");
    assert_eq!(mode(&path), 0o600);
}

/// What a process says that writes the path, run by a command (`setpriv …`, `sh -c '… "$@"' sh`).
fn writer(command: &[&str], path: &Path, variables: &[(&str, &str)]) -> String {
    let said = around_writer(command, path, variables);
    let (said, _) = said.split_once(".\n").unwrap();
    said.to_owned()
}

/// The same with whatever the command says afterwards.
fn around_writer(command: &[&str], path: &Path, variables: &[(&str, &str)]) -> String {
    let folder = folder();
    let binary = folder.path().join("writer");
    let this = std::env::current_exe().unwrap();
    tool(&["cp", this.to_str().unwrap(), binary.to_str().unwrap()]);
    let mut line: Vec<&str> = command.to_vec();
    let only = "a_writer_process_writes_what_it_is_told_to";
    line.extend([binary.to_str().unwrap(), "--exact", only, "--nocapture"]);
    let output = run(Command::new(line[0])
        .args(&line[1..])
        .env("WRITER_PATH", path)
        .envs(variables.iter().copied()));
    let text = String::from_utf8(output.stdout).unwrap();
    let Some((_, said)) = text.split_once("\nwriter: ") else {
        let errors = String::from_utf8_lossy(&output.stderr);
        panic!("{command:?}: {text}\n{errors}");
    };
    said.to_owned()
}

fn run(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}: run tests/install"))
}

fn tool(line: &[&str]) -> String {
    let output = run(Command::new(line[0]).args(&line[1..]));
    assert!(output.status.success(), "{line:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn folder() -> tempfile::TempDir {
    let everybody_enters = fs::Permissions::from_mode(0o755);
    tempfile::Builder::new()
        .permissions(everybody_enters)
        .tempdir()
        .unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn put(path: &Path, bytes: &str, mode: u32) {
    file::create(path, bytes.as_bytes(), mode).unwrap();
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().mode() & 0o7777
}

fn replace(path: &Path, bytes: &str) -> Result<Change, String> {
    file::replace(path, bytes.as_bytes(), &Attributes::default())
        .map_err(|problem| problem.rule.to_owned())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn assert_root() {
    assert!(
        rustix::process::geteuid().is_root(),
        "this test changes owners and mounts: run it as root"
    );
}

#[test]
fn each_umask_gives_0600() {
    for umask in ["000", "022", "077", "0377"] {
        let folder = folder();
        let script = format!("umask {umask}; exec \"$@\"");
        let under_umask = ["sh", "-c", &script, "sh"];
        let path = folder.path().join("new");
        assert_eq!(writer(&under_umask, &path, &[]), "Created");
        assert_eq!(mode(&path), 0o600, "umask {umask}");
        let path = folder.path().join("loose");
        put(&path, "old", 0o644);
        assert_eq!(writer(&under_umask, &path, &[]), "Content");
        assert_eq!(mode(&path), 0o600, "umask {umask}");
    }
}

#[test]
fn a_mode_is_given_exactly_whatever_the_umask() {
    let folder = folder();
    let under_umask = ["sh", "-c", "umask 077; exec \"$@\"", "sh"];
    for asked in ["640", "400", "644"] {
        let path = folder.path().join(asked);
        assert_eq!(
            writer(&under_umask, &path, &[("WRITER_MODE", asked)]),
            "Created"
        );
        assert_eq!(mode(&path), u32::from_str_radix(asked, 8).unwrap());
    }
    let absurd = Attributes {
        mode: 0o4755,
        ..Attributes::default()
    };
    let problem = file::replace(&folder.path().join("x"), b"", &absurd).unwrap_err();
    assert_eq!(problem.rule, "attributes");
}

#[test]
fn a_loose_mode_is_mended_without_rewriting_the_bytes() {
    let folder = folder();
    let path = folder.path().join(".env");
    put(&path, "same", 0o644);
    let inode = path.metadata().unwrap().ino();
    let asked = Attributes::default();
    assert_eq!(
        file::compare(&path, b"same", &asked).unwrap(),
        Change::Attributes
    );
    assert_eq!(mode(&path), 0o644, "compare writes nothing");
    assert_eq!(replace(&path, "same"), Ok(Change::Attributes));
    assert_eq!(mode(&path), 0o600);
    assert_eq!(replace(&path, "same"), Ok(Change::None));
    assert_eq!(file::compare(&path, b"same", &asked).unwrap(), Change::None);
    assert_eq!(path.metadata().unwrap().ino(), inode);
    assert_eq!(
        file::compare(&path, b"other", &asked).unwrap(),
        Change::Content
    );
    assert_eq!(fs::read(&path).unwrap(), b"same");
}

#[test]
fn a_default_acl_opens_neither_the_file_nor_a_wider_mode_of_it() {
    let folder = folder();
    tool(&[
        "setfacl",
        "-d",
        "-m",
        "u:nobody:rwx,g::rwx,m::rwx",
        text(folder.path()),
    ]);
    for (name, asked) in [("private", 0o600), ("group", 0o640)] {
        let path = folder.path().join(name);
        let attributes = Attributes {
            mode: asked,
            ..Attributes::default()
        };
        file::replace(&path, b"new", &attributes).unwrap();
        assert_eq!(mode(&path), asked);
        let acl = tool(&["getfacl", "-cp", text(&path)]);
        assert!(
            acl.contains("user::rw-") && !acl.contains("nobody"),
            "{acl}"
        );
    }
    let inner = folder.path().join("secrets");
    let files: [(&str, &[u8]); 1] = [("a", b"1")];
    file::replace_folder(&inner, &files, &Attributes::default(), false).unwrap();
    let acl = tool(&["getfacl", "-cp", text(&inner)]);
    assert!(!acl.contains("nobody"), "{acl}");
}

#[test]
fn an_acl_on_the_old_file_is_taken_away_even_when_the_bytes_are_the_same() {
    let folder = folder();
    let path = folder.path().join(".env");
    put(&path, "same", 0o640);
    tool(&["setfacl", "-m", "u:nobody:r", text(&path)]);
    let attributes = Attributes {
        mode: 0o640,
        ..Attributes::default()
    };
    assert_eq!(
        file::replace(&path, b"same", &attributes).unwrap(),
        Change::Attributes
    );
    assert_eq!(
        file::replace(&path, b"same", &attributes).unwrap(),
        Change::None
    );
    assert!(!tool(&["getfacl", "-cp", text(&path)]).contains("nobody"));
}

#[test]
fn the_security_label_of_the_old_file_is_kept() {
    assert_root();
    let folder = folder();
    let path = folder.path().join(".env");
    put(&path, "old", 0o600);
    let (name, label) = ("security.selinux", b"system_u:object_r:etc_t:s0");
    rustix::fs::setxattr(&path, name, label, rustix::fs::XattrFlags::empty()).unwrap();
    assert_eq!(replace(&path, "new"), Ok(Change::Content));
    let mut kept = [0; 64];
    let length = rustix::fs::getxattr(&path, name, &mut kept).unwrap();
    assert_eq!(&kept[..length], label);
}

#[test]
fn a_file_that_is_a_mount_is_refused_with_that_reason() {
    assert_root();
    let folder = folder();
    let path = folder.path().join(".env");
    put(&path, "old", 0o600);
    let script = "mount --bind \"$WRITER_PATH\" \"$WRITER_PATH\"; exec \"$@\"";
    let said = writer(
        &["unshare", "--mount", "sh", "-ec", script, "sh"],
        &path,
        &[],
    );
    assert!(said.contains("it is a mount of its own"), "{said}");
    assert_eq!(names(folder.path()), [".env"]);
}

#[test]
fn a_setgid_folder_gives_its_group_but_no_permission() {
    assert_root();
    let folder = folder();
    tool(&["chgrp", "daemon", text(folder.path())]);
    tool(&["chmod", "2755", text(folder.path())]);
    let path = folder.path().join(".env");
    assert_eq!(replace(&path, "new"), Ok(Change::Created));
    assert_eq!(mode(&path), 0o600);
    assert_eq!(
        path.metadata().unwrap().gid(),
        file::group_id("daemon").unwrap()
    );
}

#[test]
fn a_symlink_at_the_target_is_refused_and_followed_only_when_asked() {
    let folder = folder();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    put(&real, "old", 0o600);
    symlink("real", &link).unwrap();
    assert_eq!(replace(&link, "new"), Err("symlink".into()));
    assert_eq!(fs::read(&real).unwrap(), b"old");
    let follow = Attributes {
        follow: true,
        ..Attributes::default()
    };
    assert_eq!(
        file::replace(&link, b"new", &follow).unwrap(),
        Change::Content
    );
    assert!(link.is_symlink());
    assert_eq!(fs::read(&real).unwrap(), b"new");
    assert_eq!(file::read(&link, 3).unwrap(), b"new", "a reader follows");

    let dangling = folder.path().join("dangling");
    symlink("nowhere", &dangling).unwrap();
    assert_eq!(replace(&dangling, "new"), Err("symlink".into()));
    assert_eq!(
        file::replace(&dangling, b"new", &follow).unwrap_err().rule,
        "symlink"
    );
}

#[test]
fn a_symlink_in_the_path_is_refused_and_followed_only_when_asked() {
    let folder = folder();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    fs::create_dir(&real).unwrap();
    symlink("real", &link).unwrap();
    let path = link.join(".env");
    let problem = file::replace(&path, b"new", &Attributes::default()).unwrap_err();
    assert_eq!(problem.rule, "symlink");
    assert_eq!(problem.place.unwrap().path, link);
    assert!(names(&real).is_empty());
    let follow = Attributes {
        follow: true,
        ..Attributes::default()
    };
    assert_eq!(
        file::replace(&path, b"new", &follow).unwrap(),
        Change::Created
    );
    assert_eq!(names(&real), [".env"]);
}

#[test]
fn a_hard_link_is_refused_as_its_other_name_would_keep_the_old_secret() {
    let folder = folder();
    let path = folder.path().join(".env");
    put(&path, "old", 0o600);
    fs::hard_link(&path, folder.path().join("other")).unwrap();
    assert_eq!(replace(&path, "new"), Err("hard-link".into()));
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn a_pipe_a_folder_and_a_device_are_refused_without_waiting() {
    let folder = folder();
    let path = folder.path().join("fifo");
    tool(&["mkfifo", text(&path)]);
    assert_eq!(replace(&path, "new"), Err("not-a-file".into()));
    assert_eq!(file::read(&path, 10).unwrap_err().rule, "not-a-file");
    assert_eq!(append(&path, b"new", 0o600).unwrap_err().rule, "not-a-file");
    assert!(path.symlink_metadata().unwrap().file_type().is_fifo());
    let inner = folder.path().join("folder");
    fs::create_dir(&inner).unwrap();
    assert_eq!(replace(&inner, "new"), Err("not-a-file".into()));
    assert_eq!(replace(&inner.join(""), "new"), Err("not-a-file".into()));
    assert_eq!(file::remove(&inner).unwrap_err().rule, "not-a-file");
    assert_eq!(
        replace(Path::new("/dev/null"), "new"),
        Err("not-a-file".into())
    );
    assert_eq!(
        file::read(Path::new("/dev/zero"), 10).unwrap_err().rule,
        "not-a-file"
    );
}

#[test]
fn the_file_of_another_user_is_refused_but_root_keeps_its_owner() {
    assert_root();
    let folder = folder();
    tool(&["chmod", "1777", text(folder.path())]);
    let path = folder.path().join(".env");
    put(&path, "old", 0o644);
    let said = writer(&AS_NOBODY, &path, &[]);
    assert!(said.starts_with("foreign-owner:"), "{said}");
    assert_eq!(fs::read(&path).unwrap(), b"old");

    tool(&["chmod", "755", text(folder.path())]);
    tool(&["chown", "65534:65534", text(&path)]);
    assert_eq!(replace(&path, "new"), Ok(Change::Content));
    let now = path.metadata().unwrap();
    assert_eq!((now.uid(), now.gid(), mode(&path)), (NOBODY, NOBODY, 0o600));
}

#[test]
fn only_root_gives_files_away() {
    assert_root();
    let folder = folder();
    tool(&["chmod", "1777", text(folder.path())]);
    let path = folder.path().join(".env");
    let said = writer(&AS_NOBODY, &path, &[("WRITER_OWNER", "1")]);
    assert!(said.starts_with("attributes:"), "{said}");
    assert!(names(folder.path()).is_empty());
    let given = Attributes {
        owner: Some(1),
        group: Some(1),
        ..Attributes::default()
    };
    assert_eq!(
        file::replace(&path, b"new", &given).unwrap(),
        Change::Created
    );
    assert_eq!(path.metadata().unwrap().uid(), 1);
    let given = Attributes {
        owner: Some(1),
        group: Some(2),
        ..Attributes::default()
    };
    assert_eq!(
        file::replace(&path, b"new", &given).unwrap(),
        Change::Attributes
    );
    assert_eq!(path.metadata().unwrap().gid(), 2);
}

#[test]
fn root_fills_no_file_that_somebody_else_put_into_a_shared_folder() {
    assert_root();
    let folder = folder();
    let path = folder.path().join(".env");
    put(&path, "bait", 0o600);
    tool(&["chown", "65534", text(&path)]);
    tool(&["chmod", "1777", text(folder.path())]);
    assert_eq!(replace(&path, "secret"), Err("foreign-owner".into()));
    assert_eq!(fs::read(&path).unwrap(), b"bait");
    let given = Attributes {
        owner: Some(NOBODY),
        ..Attributes::default()
    };
    assert_eq!(
        file::replace(&path, b"secret", &given).unwrap(),
        Change::Content
    );
}

#[test]
fn a_sticky_folder_works() {
    let folder = folder();
    tool(&["chmod", "1777", text(folder.path())]);
    let path = folder.path().join(".env");
    assert_eq!(replace(&path, "one"), Ok(Change::Created));
    assert_eq!(replace(&path, "two"), Ok(Change::Content));
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_folder_that_others_can_write_is_refused_with_the_command_that_mends_it() {
    let folder = folder();
    let at = text(folder.path());
    let path = folder.path().join(".env");
    for open in ["777", "757"] {
        tool(&["chmod", open, at]);
        let problem = file::replace(&path, b"new", &Attributes::default()).unwrap_err();
        assert_eq!(problem.rule, "shared-folder");
        let help = problem.help.unwrap();
        assert_eq!(help, format!("chmod go-w {at}"));
        assert_eq!(
            file::create(&path, b"", 0o600).unwrap_err().rule,
            "shared-folder"
        );
        assert!(names(folder.path()).is_empty());
        tool(&["sh", "-c", &help]);
        assert_eq!(
            file::compare(&path, b"", &Attributes::default()).unwrap(),
            Change::Created
        );
    }
}

#[test]
fn a_folder_of_another_user_is_refused_unless_the_file_is_for_that_user() {
    assert_root();
    let folder = folder();
    tool(&["chown", "65534", text(folder.path())]);
    let path = folder.path().join(".env");
    assert_eq!(replace(&path, "new"), Err("shared-folder".into()));
    let given = Attributes {
        owner: Some(NOBODY),
        ..Attributes::default()
    };
    assert_eq!(
        file::replace(&path, b"new", &given).unwrap(),
        Change::Created
    );
    assert_eq!(path.metadata().unwrap().uid(), NOBODY);
    assert_eq!(file::replace(&path, b"new", &given).unwrap(), Change::None);
}

#[test]
fn a_group_writable_folder_is_refused_unless_the_group_is_the_owners_alone() {
    assert_root();
    let folder = folder();
    let at = text(folder.path());
    let path = folder.path().join(".env");
    tool(&["chmod", "775", at]);
    tool(&["chgrp", "daemon", at]);
    assert_eq!(replace(&path, "new"), Err("shared-folder".into()));
    tool(&["chgrp", "root", at]);
    assert_eq!(replace(&path, "new"), Ok(Change::Created));
    tool(&["setfacl", "-m", "u:nobody:rwx", at]);
    assert_eq!(replace(&path, "newer"), Err("shared-folder".into()));
}

#[test]
fn a_full_disk_leaves_the_old_file_and_no_other() {
    assert_root();
    let folder = folder();
    let script = "mount -t tmpfs -o size=64k,mode=755 tmpfs \"$FOLDER\"
        printf old > \"$WRITER_PATH\"; chmod 600 \"$WRITER_PATH\"
        \"$@\"
        echo \"after: $(cat \"$WRITER_PATH\") $(ls -A \"$FOLDER\")\"";
    let path = folder.path().join(".env");
    let in_small_tmpfs = ["unshare", "--mount", "sh", "-ec", script, "sh"];
    let mut variables = vec![("WRITER_SIZE", "300000"), ("FOLDER", text(folder.path()))];
    for _ in ["replace", "append"] {
        let said = around_writer(&in_small_tmpfs, &path, &variables);
        assert!(said.contains("the disk is full"), "{said}");
        assert!(said.contains("after: old .env\n"), "{said}");
        variables.push(("WRITER_APPEND", "1"));
    }
}

#[test]
fn a_read_only_filesystem_is_told_apart_from_a_missing_permission() {
    assert_root();
    let folder = folder();
    let path = folder.path().join(".env");
    let script = "mount -t tmpfs -o ro tmpfs \"${WRITER_PATH%/*}\"; exec \"$@\"";
    let said = writer(
        &["unshare", "--mount", "sh", "-ec", script, "sh"],
        &path,
        &[],
    );
    assert!(
        said.ends_with("can't be written: the filesystem is read-only"),
        "{said}"
    );
    tool(&["chmod", "555", text(folder.path())]);
    let said = writer(&AS_NOBODY, &path, &[]);
    assert!(
        said.ends_with("can't be written: permission denied"),
        "{said}"
    );
}

#[test]
fn what_is_missing_is_named() {
    let folder = folder();
    let inner = folder.path().join("not/there");
    let problem = file::replace(&inner.join(".env"), b"", &Attributes::default()).unwrap_err();
    assert_eq!(problem.rule, "missing");
    assert_eq!(problem.place.unwrap().path, folder.path().join("not"));
    assert_eq!(file::read(&inner, 1).unwrap_err().rule, "missing");
    assert_eq!(file::lock(&inner).err().unwrap().rule, "missing");
    assert!(!file::remove(&folder.path().join("gone")).unwrap());
}

#[test]
fn a_reader_takes_a_file_up_to_its_limit_and_no_more() {
    let folder = folder();
    let path = folder.path().join("file");
    put(&path, "12345", 0o600);
    assert_eq!(file::read(&path, 5).unwrap(), b"12345");
    assert_eq!(file::read(&path, 4).unwrap_err().rule, "too-large");
    assert_eq!(file::read(folder.path(), 4).unwrap_err().rule, "not-a-file");
    // A file of /proc says that it is empty.
    let status = Path::new("/proc/self/status");
    assert!(file::read(status, 1 << 16).unwrap().starts_with(b"Name:"));
    assert_eq!(file::read(status, 16).unwrap_err().rule, "too-large");
}

#[test]
fn create_never_overwrites() {
    let folder = folder();
    let path = folder.path().join("identity.txt");
    put(&path, "first", 0o600);
    assert_eq!(
        file::create(&path, b"second", 0o600).unwrap_err().rule,
        "exists"
    );
    symlink("nowhere", folder.path().join("link")).unwrap();
    let link = folder.path().join("link");
    assert_eq!(
        file::create(&link, b"second", 0o600).unwrap_err().rule,
        "exists"
    );
    assert_eq!(fs::read(&path).unwrap(), b"first");
    assert_eq!(names(folder.path()), ["identity.txt", "link"]);
}

/// Adds a line to whatever a file holds.
fn append(path: &Path, line: &[u8], mode: u32) -> Result<(), dotage::problem::Problem> {
    file::append(path, mode, 1 << 20, |old| Ok((old.len(), line.to_vec())))
}

#[test]
fn append_adds_whole_lines_and_ends_one_that_has_no_end() {
    let folder = folder();
    let path = folder.path().join("operations.jsonl");
    append(&path, b"{\"a\":1}", 0o644).unwrap();
    assert_eq!(mode(&path), 0o644);
    append(&path, b"{\"a\":2}\n", 0o600).unwrap();
    assert_eq!(
        mode(&path),
        0o644,
        "the mode of a file that is there is its owner's"
    );
    assert_eq!(fs::read(&path).unwrap(), b"{\"a\":1}\n{\"a\":2}\n");
    let torn = folder.path().join("torn");
    put(&torn, "{\"a\":", 0o600);
    append(&torn, b"{}", 0o600).unwrap();
    assert_eq!(fs::read(&torn).unwrap(), b"{\"a\":\n{}\n");
    let cut = |old: &[u8]| Ok((old.len() - 3, b"[]".to_vec()));
    file::append(&torn, 0o600, 1 << 20, cut).unwrap();
    assert_eq!(fs::read(&torn).unwrap(), b"{\"a\":\n[]\n");
    let problem = file::append(&torn, 0o600, 8, cut).unwrap_err();
    assert_eq!(problem.rule, "too-large");
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let torn = &torn;
            scope.spawn(move || {
                for _ in 0..25 {
                    append(torn, format!("{thread}").repeat(99).as_bytes(), 0o600).unwrap();
                }
            });
        }
    });
    let lines = fs::read_to_string(&torn).unwrap();
    let whole = |line: &&str| line.len() == 99 && line.bytes().all(|b| b == line.as_bytes()[0]);
    assert_eq!(lines.lines().skip(2).filter(whole).count(), 200);
}

#[test]
fn a_folder_of_secrets_is_made_checked_whole_and_pruned_only_when_asked() {
    let folder = folder();
    let path = folder.path().join("secrets");
    let asked = Attributes::default();
    let files: [(&str, &[u8]); 2] = [("jwt_secret", b"one"), ("token", b"two")];
    assert_eq!(
        file::compare_folder(&path, &files, &asked, true).unwrap(),
        Change::Created
    );
    assert!(!path.exists());
    assert_eq!(
        file::replace_folder(&path, &files, &asked, true).unwrap(),
        Change::Created
    );
    assert_eq!((mode(&path), mode(&path.join("token"))), (0o700, 0o600));
    assert_eq!(
        file::replace_folder(&path.join(""), &files, &asked, true).unwrap(),
        Change::None
    );

    let fewer: [(&str, &[u8]); 1] = [("token", b"two")];
    assert_eq!(
        file::replace_folder(&path, &fewer, &asked, false).unwrap(),
        Change::None
    );
    assert_eq!(names(&path), ["jwt_secret", "token"]);
    put(&path.join(".keep"), "", 0o600);
    assert_eq!(
        file::compare_folder(&path, &fewer, &asked, true).unwrap(),
        Change::Content
    );
    assert_eq!(
        file::replace_folder(&path, &fewer, &asked, true).unwrap(),
        Change::Content
    );
    assert_eq!(names(&path), [".keep", "token"]);

    fs::create_dir(path.join("zzz")).unwrap();
    let blocked: [(&str, &[u8]); 2] = [("token", b"new"), ("zzz", b"new")];
    assert_eq!(
        file::replace_folder(&path, &blocked, &asked, false)
            .unwrap_err()
            .rule,
        "not-a-file"
    );
    assert_eq!(
        fs::read(path.join("token")).unwrap(),
        b"two",
        "checked before written"
    );
    for name in ["../escape", "a/b", "", ".", "..", "/tmp/x", "a/"] {
        let problem = file::replace_folder(&path, &[(name, b"")], &asked, false).unwrap_err();
        assert_eq!(problem.rule, "not-a-file", "{name}");
    }
    let group = Attributes {
        mode: 0o640,
        ..asked
    };
    let other = folder.path().join("group");
    file::replace_folder(&other, &fewer, &group, false).unwrap();
    assert_eq!((mode(&other), mode(&other.join("token"))), (0o750, 0o640));
}

#[test]
fn what_a_killed_run_left_is_swept_and_what_is_in_use_or_not_ours_stays() {
    let folder = folder();
    let left = folder
        .path()
        .join(".dotage-0123456789abcdef0123456789abcdef");
    let in_use = folder
        .path()
        .join(".dotage-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    let another = folder.path().join(".dotage-notes");
    for path in [&left, &in_use, &another] {
        tool(&["touch", text(path)]);
    }
    let held = fs::File::open(&in_use).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let path = folder.path().join(".env");
    replace(&path, "new").unwrap();
    assert_eq!(
        names(folder.path()),
        [
            ".dotage-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            ".dotage-notes",
            ".env"
        ]
    );
    drop(held);
    assert_eq!(
        replace(&path, "new"),
        Ok(Change::None),
        "swept even when nothing changes"
    );
    assert_eq!(names(folder.path()), [".dotage-notes", ".env"]);
}

#[test]
fn writers_at_once_disturb_neither_each_other_nor_what_a_reader_sees() {
    let folder = folder();
    let path = folder.path().join(".env");
    let [a, b] = ["a", "b"].map(|letter| letter.repeat(20_000));
    replace(&path, &a).unwrap();
    let (done, seen) = (
        AtomicBool::new(false),
        std::sync::atomic::AtomicUsize::new(0),
    );
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for name in names(folder.path()) {
                    let at = folder.path().join(&name);
                    if let Ok(stat) = at.symlink_metadata() {
                        assert_eq!(stat.mode(), 0o100_600, "{name}");
                    }
                    if name == ".env" {
                        let now = file::read(&path, 20_000).unwrap();
                        assert!(now == a.as_bytes() || now == b.as_bytes(), "torn");
                        seen.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        });
        let writers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..250 {
                        replace(&path, &b).unwrap();
                        replace(&path, &a).unwrap();
                    }
                })
            })
            .collect();
        let ends: Vec<_> = writers
            .into_iter()
            .map(std::thread::ScopedJoinHandle::join)
            .collect();
        done.store(true, Ordering::Relaxed);
        assert!(ends.iter().all(Result::is_ok), "a writer failed");
    });
    assert_eq!(names(folder.path()), [".env"]);
    let seen = seen.into_inner();
    println!("the reader looked {seen} times during 2,000 replacements");
    assert!(seen > 100, "{seen}");
}

#[test]
fn no_update_is_lost_between_lock_holders() {
    let folder = folder();
    let path = folder.path().join("counter");
    put(&path, "0", 0o600);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let lock = file::lock(folder.path()).unwrap();
                    let count: u32 = fs::read_to_string(&path).unwrap().parse().unwrap();
                    replace(&path, &(count + 1).to_string()).unwrap();
                    drop(lock);
                }
            });
        }
    });
    assert_eq!(fs::read_to_string(&path).unwrap(), "200");
    assert_eq!(names(folder.path()), ["counter"], "a lock leaves no file");
}

#[test]
fn the_lock_of_a_dead_process_is_free_at_once() {
    let folder = folder();
    let at = text(folder.path());
    let mut holder = Command::new("flock")
        .args(["--no-fork", at, "sh", "-c", "echo locked; exec sleep 100"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("run tests/install");
    let mut line = [0; 7];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut line).unwrap();
    let start = Instant::now();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| file::lock(folder.path()).map(drop));
        std::thread::sleep(Duration::from_millis(100));
        assert!(!waiting.is_finished(), "the lock is exclusive");
        holder.kill().unwrap();
        assert!(waiting.join().unwrap().is_ok());
    });
    assert!(start.elapsed() < Duration::from_secs(1));
    holder.wait().unwrap();
}
