//! A program that runs beside this one: asked through its standard input, heard through its standard output.

use super::{ending, failed, not_started};
use crate::problem::Problem;
use std::ffi::OsStr;
use std::io::BufReader;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What is read at once from the program.
const BUFFER: usize = 64 << 10;

/// A program that runs. Dropped before it ended, it is killed.
pub struct Beside {
    child: Child,
    what: String,
    /// Where it is asked; `None` once it has been told that nothing more comes.
    pub questions: Option<ChildStdin>,
    /// What it answers.
    pub answers: BufReader<ChildStdout>,
}

impl Beside {
    /// Starts a program, whose talk on standard error nobody hears.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(program: &str, arguments: &[impl AsRef<OsStr>]) -> Result<Beside, Problem> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .env_remove("DOTAGE_IDENTITY")
            .spawn()
            .map_err(|error| not_started(program, program, &error))?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(program, program, "has no standard streams"));
        };
        Ok(Beside {
            child,
            what: program.to_owned(),
            questions: Some(questions),
            answers: BufReader::with_capacity(BUFFER, answers),
        })
    }

    /// Waits for its end. What it still says is not heard.
    ///
    /// # Errors
    /// When it fails.
    pub fn end(mut self) -> Result<(), Problem> {
        self.questions = None;
        let status = self
            .child
            .wait()
            .map_err(|error| not_started(&self.what, &self.what, &error))?;
        if status.success() {
            Ok(())
        } else {
            Err(failed(&self.what, &self.what, &ending(status)))
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, Write};

    #[test]
    fn it_is_asked_and_heard_while_it_runs() {
        let mut cat = Beside::start("cat", &[] as &[&str]).unwrap();
        for question in ["one\n", "two\n"] {
            let stdin = cat.questions.as_mut().unwrap();
            stdin.write_all(question.as_bytes()).unwrap();
            let mut answer = String::new();
            cat.answers.read_line(&mut answer).unwrap();
            assert_eq!(answer, question);
        }
        cat.end().unwrap();
    }

    #[test]
    fn a_failure_is_told_at_its_end() {
        let problem = Beside::start("false", &[] as &[&str])
            .unwrap()
            .end()
            .unwrap_err();
        assert_eq!(problem.message, "false: `false` exited with 1");
        let problem = Beside::start("no-such-program", &["x"]).err().unwrap();
        assert_eq!(problem.rule, "command");
    }
}
