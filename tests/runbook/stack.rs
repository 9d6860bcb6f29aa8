//! A fresh project of the preset, and dotage run in it.

use std::process::{Command, Output, Stdio};

/// A fresh project of the preset, every value generated.
pub(crate) struct Stack {
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) const PRODUCTION: [&str; 2] = ["--profile", "production"];

impl Stack {
    pub(crate) fn new() -> Stack {
        let stack = Stack {
            folder: tempfile::tempdir().unwrap(),
        };
        stack.well(&["init", "--preset", "freeboard", "."]);
        stack.well(&["generate", "--missing"]);
        stack
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        let project = self.folder.path().join("project");
        std::fs::create_dir_all(&project).unwrap();
        Command::new(env!("CARGO_BIN_EXE_dotage"))
            .args(args)
            .current_dir(project)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path())
            .env("DOTAGE_ACTOR", "ann")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    pub(crate) fn well(&self, args: &[&str]) -> Output {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        output
    }

    /// The message of a command that can't do it.
    pub(crate) fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    pub(crate) fn value(&self, name: &str) -> String {
        let args = [&["get", name][..], &PRODUCTION].concat();
        String::from_utf8(self.well(&args).stdout).unwrap()
    }

    pub(crate) fn production(&self, args: &[&str]) -> Output {
        self.well(&[args, &PRODUCTION].concat())
    }

    pub(crate) fn file(&self, path: &str) -> String {
        std::fs::read_to_string(self.folder.path().join("project").join(path)).unwrap()
    }

    /// What the last entry of the journal tells.
    pub(crate) fn last(&self) -> dotage::journal::Entry {
        let journal = dotage::journal::Journal::at(&self.folder.path().join("project"));
        journal.entries().unwrap().pop().unwrap()
    }
}
