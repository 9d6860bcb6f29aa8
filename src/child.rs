//! Processes: this one closed to others, and the commands and editors that it starts.

mod act;
mod beside;
mod curl;
mod edit;
pub mod git;
mod run;

pub use act::act;
pub use beside::Beside;
pub use curl::{Call, Reply, curl};
pub use edit::edit;
pub use run::{Failed, Program, Redacted, hijacks, leads_to_an_identity};

use crate::problem::Problem;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};
use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// The most that a command may print: an identity file is a few hundred bytes, an SSH key a few thousand.
const OUTPUT_LIMIT: usize = 64 * 1024;

/// How large a core file might have been before [`harden`].
static CORE: OnceLock<Rlimit> = OnceLock::new();

/// Closes this process: no core file, and no debugger or /proc reader of the same user. To be called first of all.
///
/// Where the system doesn't allow it there is nothing to do about it, so nothing is said. The hard limit stays: whoever
/// isn't root could not raise it again for a program that `run` starts.
pub fn harden() {
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let before = CORE.get_or_init(|| getrlimit(Resource::Core));
    let _ = setrlimit(Resource::Core, none(before));
}

fn none(before: &Rlimit) -> Rlimit {
    Rlimit {
        current: Some(0),
        maximum: before.maximum,
    }
}

/// Starts something with the limits that we were started with. We have them ourselves meanwhile, and still can't be
/// dumped.
fn restored<T>(start: impl FnOnce() -> T) -> T {
    let Some(before) = CORE.get() else {
        return start();
    };
    let _ = setrlimit(Resource::Core, *before);
    let result = start();
    let _ = setrlimit(Resource::Core, none(before));
    result
}

/// What a command prints. It is given as one string, split into words as a shell does; no shell runs it. It shares
/// our standard input and error, so it can ask for a passphrase.
///
/// # Errors
/// When the words can't be told apart, when it can't be started, fails, or prints more than 64 KiB. What it printed
/// is in none of them, nor are its arguments; `what_for` (a variable's name) is.
pub fn output(command_line: &str, what_for: &str) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let (program, arguments) = words(command_line, what_for)?;
    let mut command = Command::new(&program);
    command
        .args(arguments)
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit());
    printed(command, &program, what_for)
}

/// What a program answers that is given no input and whose talk nobody hears. The same limit holds.
///
/// # Errors
/// When it can't be started, fails, or prints more than 64 KiB.
pub fn answer(program: &str, arguments: &[String]) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    printed(command, program, program)
}

/// What a script prints, which is named by its path. It shares our standard input and error.
///
/// # Errors
/// As [`output`].
pub fn script(
    path: &Path,
    arguments: &[&str],
    what_for: &str,
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let mut command = Command::new(path);
    command.args(arguments);
    printed(command, &path.to_string_lossy(), what_for)
}

fn printed(
    mut command: Command,
    program: &str,
    what_for: &str,
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let mut child = command
        .stdout(Stdio::piped())
        .env_remove("DOTAGE_IDENTITY")
        .spawn()
        .map_err(|error| match error.kind() {
            // A word that is no program may be a key, put into the wrong variable: it is not repeated.
            std::io::ErrorKind::NotFound => Problem::new(
                "command",
                format!("{what_for} names a command that is not there"),
            )
            .help(format!("set {what_for} to a command on the PATH")),
            _ => not_started(what_for, program, &error),
        })?;
    let mut printed = Zeroizing::new(Vec::with_capacity(OUTPUT_LIMIT + 1));
    let read = match child.stdout.take() {
        // One buffer from the start: one that grows leaves copies.
        Some(pipe) => pipe.take(OUTPUT_LIMIT as u64 + 1).read_to_end(&mut printed),
        None => Ok(0),
    };
    if read.is_err() || printed.len() > OUTPUT_LIMIT {
        let _ = child.kill();
        let _ = child.wait();
        return Err(failed(what_for, program, "printed more than 64 KiB"));
    }
    let status = child
        .wait()
        .map_err(|error| not_started(what_for, program, &error))?;
    if status.success() {
        Ok(printed)
    } else {
        Err(failed(what_for, program, &ending(status)))
    }
}

/// A command line's program and arguments.
fn words(command_line: &str, what_for: &str) -> Result<(String, Vec<String>), Problem> {
    let mut words = shell_words::split(command_line)
        .map_err(|_| Problem::new("command", format!("{what_for}: a quote is not closed")))?
        .into_iter();
    match words.next() {
        Some(program) if !program.is_empty() => Ok((program, words.collect())),
        _ => Err(Problem::new(
            "command",
            format!("{what_for} names no command"),
        )),
    }
}

fn not_started(what_for: &str, program: &str, error: &std::io::Error) -> Problem {
    let why = match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such command".to_owned(),
        std::io::ErrorKind::PermissionDenied => "it is not executable".to_owned(),
        kind => kind.to_string(),
    };
    Problem::new(
        "command",
        format!("{what_for}: `{program}` can't be started: {why}"),
    )
    .help(format!("see what is there: `command -v {program}`"))
}

fn failed(what_for: &str, program: &str, how: &str) -> Problem {
    Problem::new("command", format!("{what_for}: `{program}` {how}"))
        .help("run the command by hand to see why")
}

fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_like_a_shells_but_run_without_one() {
        let printed = output("printf '%s|' 'a b' \"c\" $HOME", "X").unwrap();
        assert_eq!(&**printed, b"a b|c|$HOME|");
    }

    #[test]
    fn a_failure_tells_the_code_and_never_the_output_or_the_arguments() {
        let problem = output("sh -c 'echo AGE-SECRET; exit 3'", "DOTAGE_IDENTITY_COMMAND");
        let problem = problem.unwrap_err();
        assert_eq!(
            problem.message,
            "DOTAGE_IDENTITY_COMMAND: `sh` exited with 3"
        );
        let problem = output("sh -c 'kill -9 $$'", "X").unwrap_err();
        assert_eq!(problem.message, "X: `sh` was killed by signal 9");
        let problem = output("no-such-command AGE-SECRET", "X").unwrap_err();
        assert!(!problem.to_string().contains("SECRET"), "{problem}");
        for bad in ["", "  ", "''", "sh -c 'open"] {
            assert_eq!(output(bad, "X").unwrap_err().rule, "command", "{bad}");
        }
    }

    #[test]
    fn endless_output_is_cut_off() {
        let problem = output("yes", "X").unwrap_err();
        assert_eq!(problem.message, "X: `yes` printed more than 64 KiB");
        let printed = output("head -c 65536 /dev/zero", "X").unwrap();
        assert_eq!(printed.len(), OUTPUT_LIMIT);
    }
}
