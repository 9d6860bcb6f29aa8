//! A program with secrets in its environment: in our place, or beside us while what it prints is redacted.
//!
//! # Why
//!
//! With nothing to redact we become the program: the same process number, no parent that lingers, no signal to pass on.
//! Else it stays in our process group, so the terminal reaches it as if we weren't there, and a signal that only we got
//! is passed on. The kernel says which is which: what a terminal sends has the origin `SI_KERNEL`.
//!
//! A stream that is a terminal gets a pseudoterminal, so that the program keeps its colours and its prompts. If it also
//! reads from the terminal, the pseudoterminal has to be all of a terminal: the program leads a session of its own on
//! it, gets what is typed, and every signal is passed on. Else only what it prints goes there, and the user's terminal
//! stays its own: for Ctrl-C, for a password that is asked on /dev/tty, for a pager behind it.
//!
//! What the program printed before it ended is read to its last byte. A process that it left behind may hold the pipe
//! open for years: it is read for one more second, and then closed, as if the reader had gone.

use super::restored;
use crate::dialect::ENVIRONMENT_STRING;
use crate::problem::Problem;
use crate::redact::{Marker, Needles, Redactor};
use crate::secret::{self, Name, Secret};
use pty_process::blocking::{Pts, Pty};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::fstat;
use rustix::io::{Errno, ioctl_fionbio};
use rustix::process::{Pid, Signal, WaitOptions, getpgrp, kill_process, kill_process_group};
use rustix::stdio;
use rustix::termios::{
    OptionalActions, OutputModes, Termios, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr,
    tcsetwinsize,
};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithRawSiginfo;
use std::borrow::Borrow;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, IsTerminal, PipeWriter, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// What is read at a time: all that a pipe holds, pipe(7).
const CHUNK: usize = 64 * 1024;
/// How long a stream is read on that another process holds open when the program has ended.
const GRACE: Duration = Duration::from_secs(1);
/// The origin of a signal that the kernel itself sent: `SI_KERNEL` of sigaction(2).
const FROM_THE_KERNEL: i32 = 0x80;
/// The exit code that says that we failed, and not the program.
const FAILED: u8 = 125;
/// The signals that are passed on.
const PASSED_ON: [Signal; 7] = [
    Signal::TERM,
    Signal::INT,
    Signal::HUP,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
    Signal::WINCH,
];

/// What the names begin like that lead to an identity, ours or sops'. No child has any business with them.
const IDENTITIES: [&str; 4] = [
    "DOTAGE_IDENTITY",
    "DOTAGE_PASSPHRASE",
    "SOPS_AGE_KEY",
    "SOPS_AGE_SSH_PRIVATE_KEY",
];

/// Whether a name leads to an identity.
#[must_use]
pub fn leads_to_an_identity(name: &str) -> bool {
    IDENTITIES.iter().any(|start| name.starts_with(start))
}

/// Whether a value under this name would take a program over: what program it runs, what code it loads, where it looks
/// for its settings, what it tells the CI runner.
#[must_use]
pub fn hijacks(name: &str) -> bool {
    // A token is what a program asks GitHub with, and steers nothing.
    let runner = ["ACTIONS_", "GITHUB_", "RUNNER_"]
        .iter()
        .any(|start| name.starts_with(start))
        && !name.ends_with("_TOKEN");
    secret::steers(name) || runner || ["CI", "ENV", "HOME", "SHELL"].contains(&name)
}

/// A program that isn't started yet.
pub struct Program {
    command: Command,
    name: OsString,
}

/// What went wrong with a program, and the exit code that says so.
pub struct Failed {
    /// What is wrong.
    pub problem: Problem,
    /// 127 where there is no such program, 126 where it can't be run, as shells have it; 125 where it was never tried.
    pub code: u8,
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Failed {
            problem,
            code: FAILED,
        }
    }
}

/// Which streams are redacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redacted {
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
}

impl Program {
    /// A program with our environment, without what leads to an identity.
    #[must_use]
    pub fn new(name: &OsStr, arguments: &[OsString]) -> Program {
        let mut command = Command::new(name);
        command.args(arguments);
        for (variable, _) in std::env::vars_os() {
            if variable.to_str().is_some_and(leads_to_an_identity) {
                command.env_remove(variable);
            }
        }
        Program {
            command,
            name: name.to_owned(),
        }
    }

    /// Gives it a variable.
    ///
    /// # Errors
    /// A value that no environment carries: one with a NUL byte, one that is too long.
    pub fn give(&mut self, name: &Name, value: &Secret) -> Result<(), Problem> {
        let value = value.expose();
        if value.contains(&0) {
            return Err(Problem::new(
                "nul",
                format!("the value of {name} holds a NUL byte, which no environment carries"),
            )
            .help("give it to the program as a file: a target with `folder: true`"));
        }
        if name.as_str().len() + 1 + value.len() > ENVIRONMENT_STRING {
            return Err(Problem::new(
                "too-long",
                format!("the value of {name} is longer than the 128 KiB that the system allows an environment variable"),
            )
            .help("give it to the program as a file: a target with `folder: true`"));
        }
        self.command.env(name.as_str(), OsStr::from_bytes(value));
        Ok(())
    }

    /// Takes a variable away.
    pub fn take(&mut self, name: &str) {
        self.command.env_remove(name);
    }

    /// Becomes the program. Returns only if it can't.
    #[must_use]
    pub fn replace(mut self) -> Failed {
        let error = restored(|| self.command.exec());
        not_started(&self.name, &error)
    }

    /// Runs the program to its end, and shows what it prints without the needles, which are made while it starts; gives
    /// its exit code, or 128 and the number of the signal that ended it.
    ///
    /// # Errors
    /// When it can't be started, or what it printed can't be written.
    pub fn run(
        self,
        redacted: Redacted,
        needles: impl FnOnce() -> Needles,
        marker: Marker,
    ) -> Result<u8, Failed> {
        let streams = [
            (redacted.stdout, stdio::stdout(), "stdout"),
            (redacted.stderr, stdio::stderr(), "stderr"),
        ];
        self.show(streams, true, needles, marker)
    }

    /// Runs the program to its end in a folder, with nothing to read; what it prints is talk, shown on our stderr without
    /// the needles. Gives its exit code as [`Program::run`] does.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn talk(mut self, folder: &Path, needles: &Needles) -> Result<u8, Failed> {
        self.command.stdin(Stdio::null());
        // A path that may be relative to where we were: a dotage among its commands would look for it in the folder.
        self.command.env_remove("DOTAGE_DIRECTORY");
        if !folder.as_os_str().is_empty() {
            self.command.current_dir(folder);
        }
        let both = (true, stdio::stderr(), "stderr");
        self.show([both; 2], false, || needles, Marker::of_environment())
    }

    /// Runs the program; each stream that is redacted goes to where it is said to. With `terminals`, one that goes to a
    /// terminal is one.
    fn show<N: Borrow<Needles>>(
        self,
        streams_to: [(bool, BorrowedFd<'static>, &'static str); 2],
        terminals: bool,
        needles: impl FnOnce() -> N,
        marker: Marker,
    ) -> Result<u8, Failed> {
        let mut signals = Signals::new().map_err(cannot)?;
        let (over, running) = io::pipe().map_err(cannot)?;
        let mut ways = [Way::Inherited, Way::Inherited];
        let mut streams = Vec::new();
        let mut terminal = None;
        let [(stdout, one, _), (stderr, other, _)] = streams_to;
        let shared = stdout && stderr && same(one, other);
        let mut both = None;
        for ((redacted, to, name), way) in streams_to.into_iter().zip(&mut ways) {
            if !redacted {
                continue;
            }
            if !(terminals && to.is_terminal()) {
                // With `2>&1` one pipe keeps the order of what is written to both.
                if let Some(theirs) = both.take() {
                    *way = Way::Pipe(theirs);
                    continue;
                }
                let (from, theirs) = io::pipe().map_err(cannot)?;
                ioctl_fionbio(&from, true).map_err(cannot)?;
                if shared {
                    both = Some(theirs.try_clone().map_err(cannot)?);
                }
                *way = Way::Pipe(theirs);
                streams.push(Stream::new(from.into(), to, name));
                continue;
            }
            // Both streams share one terminal, as they did before.
            *way = Way::Terminal;
            if terminal.is_none() {
                // In the background nothing is read from a terminal, and its mode is not touched.
                let reads = name == "stdout"
                    && io::stdin().is_terminal()
                    && tcgetpgrp(stdio::stdin()).is_ok_and(|group| group == getpgrp());
                let (opened, theirs) = Terminal::open(to, reads).map_err(cannot)?;
                let from = opened.ours.as_fd().try_clone_to_owned().map_err(cannot)?;
                streams.push(Stream::new(from, to, name));
                terminal = Some((opened, theirs));
            }
        }
        let (child, terminal) = self.start(ways, terminal)?;
        let (needles, ended) = (needles(), OnceLock::new());
        let needles = needles.borrow();
        thread::scope(|scope| {
            let (over, ended) = (over.as_fd(), &ended);
            let shown: Vec<_> = streams
                .into_iter()
                .map(|stream| scope.spawn(move || stream.show(needles, marker, over, ended)))
                .collect();
            let session = terminal.as_ref().filter(|terminal| terminal.session);
            let raw = session.and_then(|terminal| {
                scope.spawn(move || terminal.feed(over));
                Raw::new()
            });
            let code = signals.until_the_end_of(child, terminal.as_ref());
            let _ = ended.set(Instant::now());
            drop(running);
            // A reader that doesn't read may hold us up, and then a signal ends us; but not with a terminal in raw mode.
            if raw.is_none() {
                signals.give_back();
            }
            let shown: Vec<_> = shown.into_iter().map(ScopedJoinHandle::join).collect();
            drop(raw);
            match shown.into_iter().flatten().find_map(Result::err) {
                None => Ok(code),
                // Not all was shown, so all is not well.
                Some(problem) => Err(Failed {
                    problem,
                    code: if code == 0 { FAILED } else { code },
                }),
            }
        })
    }

    /// Starts the program on these streams.
    fn start(
        self,
        [stdout, stderr]: [Way; 2],
        terminal: Option<(Terminal, Pts)>,
    ) -> Result<(Pid, Option<Terminal>), Failed> {
        let Program { mut command, name } = self;
        let started = match terminal {
            Some((terminal, theirs)) if terminal.session => {
                let mut command = pty_process::blocking::Command::from(command);
                if !matches!(stderr, Way::Terminal) {
                    command = command.stderr(stderr.stdio(None).map_err(cannot)?);
                }
                restored(|| command.spawn(theirs))
                    .map(|child| (child, Some(terminal)))
                    .map_err(io_error)
            }
            other => {
                let theirs = other.as_ref().map(|(_, theirs)| theirs);
                command
                    .stdout(stdout.stdio(theirs).map_err(cannot)?)
                    .stderr(stderr.stdio(theirs).map_err(cannot)?);
                let started = restored(|| command.spawn());
                started.map(|child| (child, other.map(|(terminal, _)| terminal)))
            }
        };
        match started {
            Ok((child, terminal)) => Ok((Pid::from_child(&child), terminal)),
            Err(error) => Err(not_started(&name, &error)),
        }
    }
}

/// Whether two streams lead to the same place.
fn same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    match (fstat(one), fstat(other)) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}

/// What a stream of the program is.
enum Way {
    Inherited,
    Pipe(PipeWriter),
    Terminal,
}

impl Way {
    fn stdio(self, terminal: Option<&Pts>) -> io::Result<Stdio> {
        Ok(match (self, terminal) {
            (Way::Pipe(pipe), _) => pipe.into(),
            (Way::Terminal, Some(terminal)) => terminal.as_fd().try_clone_to_owned()?.into(),
            (Way::Inherited | Way::Terminal, _) => Stdio::inherit(),
        })
    }
}

fn io_error(error: pty_process::Error) -> io::Error {
    match error {
        pty_process::Error::Io(error) => error,
        pty_process::Error::Rustix(errno) => errno.into(),
    }
}

fn cannot(error: impl Into<io::Error>) -> Problem {
    let kind = error.into().kind();
    Problem::new("command", format!("can't run anything: {kind}"))
        .help("see what the system lacks: `ulimit -a`")
}

fn not_started(name: &OsStr, error: &io::Error) -> Failed {
    let (code, why) = match error.kind() {
        ErrorKind::NotFound => (127, "there is no such command".to_owned()),
        ErrorKind::PermissionDenied => (126, "it is not executable".to_owned()),
        kind @ (ErrorKind::WouldBlock | ErrorKind::OutOfMemory) => (FAILED, kind.to_string()),
        kind => (126, kind.to_string()),
    };
    let name = name.to_string_lossy();
    let problem = Problem::new("command", format!("`{name}` can't be started: {why}"))
        .help(format!("see what is there: command -v {name}"));
    Failed { problem, code }
}

/// A stream of the program: where it comes from, and which of ours it goes to.
struct Stream {
    from: OwnedFd,
    to: BorrowedFd<'static>,
    name: &'static str,
}

impl Stream {
    fn new(from: OwnedFd, to: BorrowedFd<'static>, name: &'static str) -> Stream {
        Stream { from, to, name }
    }

    /// Shows all that comes, as soon as it comes. That nobody reads it any more ends it: then the program's next write
    /// fails, as it would without us.
    fn show(
        self,
        needles: &Needles,
        marker: Marker,
        over: BorrowedFd<'_>,
        ended: &OnceLock<Instant>,
    ) -> Result<(), Problem> {
        let mut shown = Redactor::new(needles, marker, Sink(self.to));
        let copied = self
            .copy(&mut shown, Some(self.to), over, ended)
            .and_then(|()| shown.finish().map(drop));
        let Err(error) = copied else {
            return Ok(());
        };
        // A pipe is closed now. The pseudoterminal is open for what is typed, so what comes is dropped.
        if self.from.is_terminal() {
            let _ = self.copy(&mut io::sink(), None, over, ended);
        }
        if error.kind() == ErrorKind::BrokenPipe {
            return Ok(());
        }
        Err(Problem::new(
            "output",
            format!("cannot write to {}: {}", self.name, error.kind()),
        )
        .help(format!("check what {} leads to", self.name)))
    }

    /// Copies all that comes, until the end or until nobody reads `reader` any more.
    fn copy(
        &self,
        shown: &mut impl Write,
        reader: Option<BorrowedFd<'_>>,
        over: BorrowedFd<'_>,
        ended: &OnceLock<Instant>,
    ) -> io::Result<()> {
        let mut buffer = Zeroizing::new(vec![0; CHUNK]);
        // How much may still be read once nobody is waited for any more.
        let mut rest = CHUNK;
        loop {
            let left = ended
                .get()
                .map(|ended| GRACE.saturating_sub(ended.elapsed()));
            let most = match left {
                Some(Duration::ZERO) => rest,
                _ => CHUNK,
            };
            match rustix::io::read(&self.from, buffer.get_mut(..most).unwrap_or_default()) {
                // A terminal that nobody has open any more ends in an error, not in an end of file.
                Ok(0) | Err(Errno::IO) => return Ok(()),
                Ok(read) => {
                    if left == Some(Duration::ZERO) {
                        rest -= read;
                    }
                    shown.write_all(buffer.get(..read).unwrap_or_default())?;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if left == Some(Duration::ZERO) => return Ok(()),
                Err(Errno::AGAIN) => self.wait(reader, over, left)?,
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Waits for more, or for the program's end, or, with `left`, so long.
    fn wait(
        &self,
        reader: Option<BorrowedFd<'_>>,
        over: BorrowedFd<'_>,
        left: Option<Duration>,
    ) -> io::Result<()> {
        let mut waited = vec![PollFd::new(&self.from, PollFlags::IN)];
        // That nobody reads it any more is told unasked.
        let reader = reader.as_ref();
        waited.extend(reader.map(|reader| PollFd::new(reader, PollFlags::empty())));
        // Once the program has ended, that it has is no news.
        if left.is_none() {
            waited.push(PollFd::new(&over, PollFlags::IN));
        }
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut waited, left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let gone = waited.get(1).filter(|_| reader.is_some());
        if gone.is_some_and(|gone| gone.revents().contains(PollFlags::ERR)) {
            return Err(ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }
}

/// One of our own streams, without a buffer; one that others have made non-blocking is waited for.
struct Sink(BorrowedFd<'static>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(self.0, bytes) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let _ = poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], None);
                }
                written => return Ok(written?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The pseudoterminal that the program has, and the terminal that it stands for.
struct Terminal {
    ours: Pty,
    outer: BorrowedFd<'static>,
    /// Whether the program leads a session on it, and what is typed is the program's.
    session: bool,
}

impl Terminal {
    /// A pseudoterminal like this terminal.
    fn open(outer: BorrowedFd<'static>, session: bool) -> io::Result<(Terminal, Pts)> {
        let (ours, theirs) = pty_process::blocking::open().map_err(io_error)?;
        let mut mode = tcgetattr(outer)?;
        if !session {
            // The outer terminal stays as it is, and ends the lines itself.
            mode.output_modes.remove(OutputModes::OPOST);
        }
        tcsetattr(&theirs, OptionalActions::Now, &mode)?;
        ioctl_fionbio(&ours, true)?;
        let terminal = Terminal {
            ours,
            outer,
            session,
        };
        terminal.fit();
        Ok((terminal, theirs))
    }

    /// Gives it the size of the outer one. The kernel tells the program if that is another.
    fn fit(&self) {
        if let Ok(size) = tcgetwinsize(self.outer) {
            let _ = tcsetwinsize(&self.ours, size);
        }
    }

    /// Passes on what is typed, until the program has ended.
    fn feed(&self, over: BorrowedFd<'_>) {
        let mut buffer = Zeroizing::new(vec![0; 4096]);
        let stdin = stdio::stdin();
        while ready(PollFd::new(&stdin, PollFlags::IN), over) {
            let mut typed: &[u8] = match rustix::io::read(stdin, &mut *buffer) {
                Ok(0) | Err(_) => return,
                Ok(read) => buffer.get(..read).unwrap_or_default(),
            };
            while !typed.is_empty() && ready(PollFd::new(&self.ours, PollFlags::OUT), over) {
                match rustix::io::write(&self.ours, typed) {
                    Ok(written) => typed = typed.get(written..).unwrap_or_default(),
                    Err(Errno::AGAIN | Errno::INTR) => {}
                    Err(_) => return,
                }
            }
        }
    }
}

/// Waits for one, and tells whether it came before the end.
fn ready(one: PollFd<'_>, over: BorrowedFd<'_>) -> bool {
    let mut ready = [PollFd::new(&over, PollFlags::IN), one];
    loop {
        match poll(&mut ready, None) {
            Ok(_) => break,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
    let [over, _] = ready;
    over.revents().is_empty()
}

/// The user's terminal in raw mode, until dropped: every key is the program's.
struct Raw(Termios);

impl Raw {
    fn new() -> Option<Raw> {
        let before = tcgetattr(stdio::stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdio::stdin(), OptionalActions::Now, &raw).ok()?;
        Some(Raw(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(stdio::stdin(), OptionalActions::Now, &self.0);
    }
}

/// The signals that come while a program runs. Dropped, each does what it did before.
struct Signals {
    coming: SignalsInfo<WithRawSiginfo>,
    over: Arc<AtomicBool>,
}

impl Signals {
    fn new() -> io::Result<Self> {
        // What whoever started us had ignored stays ignored, for the program too: `nohup dotage run …`.
        let ignored = ignored(&std::fs::read_to_string("/proc/self/status").unwrap_or_default());
        let watched = PASSED_ON
            .iter()
            .map(|signal| signal.as_raw())
            .filter(|signal| ignored >> (signal - 1) & 1 == 0);
        let over = Arc::new(AtomicBool::new(false));
        for signal in watched.clone() {
            // The library can't give a signal back its default action, so from `over` on this takes it.
            signal_hook::flag::register_conditional_default(signal, over.clone())?;
        }
        let coming = SignalsInfo::new(watched.chain([Signal::CHILD.as_raw()]))?;
        Ok(Signals { coming, over })
    }

    /// From here on each does what it did before.
    fn give_back(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// Passes signals on until the program has ended; gives its exit code.
    fn until_the_end_of(&mut self, child: Pid, terminal: Option<&Terminal>) -> u8 {
        for signal in self.coming.forever() {
            if signal.si_signo == Signal::CHILD.as_raw() {
                if let Some(code) = ended(child) {
                    return code;
                }
                continue;
            }
            // What a terminal sent went to every process of the group in front: to the program too, unless it has a
            // terminal of its own. But a hangup goes to the first process of a session alone, and a new size is to be
            // looked at when the pseudoterminal has it.
            let by_terminal = signal.si_code == FROM_THE_KERNEL;
            let session = terminal.is_some_and(|terminal| terminal.session);
            let passed = PASSED_ON
                .into_iter()
                .find(|passed| passed.as_raw() == signal.si_signo);
            if let (Some(Signal::WINCH), Some(terminal)) = (passed, terminal) {
                terminal.fit();
            }
            // It isn't waited for yet, so the number is still its own.
            let _ = match passed {
                None => Ok(()),
                Some(Signal::INT | Signal::QUIT) if by_terminal && !session => Ok(()),
                Some(Signal::WINCH) if by_terminal && (session || terminal.is_none()) => Ok(()),
                Some(signal) if by_terminal && session => kill_process_group(child, signal),
                Some(signal) => kill_process(child, signal),
            };
        }
        FAILED
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// The exit code of the program if it has ended. Others that ended are ours only where we are the first process of a
/// container; they are let go.
fn ended(child: Pid) -> Option<u8> {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child => {
                let signal = status.terminating_signal().map(|signal| 128 + signal);
                let code = status.exit_status().or(signal)?;
                return u8::try_from(code).ok();
            }
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return None,
            // Somebody else took its end.
            Err(_) => return Some(FAILED),
        }
    }
}

/// The signals that a process ignores, as the bits of `SigIgn` in `/proc/self/status`, `proc_pid_status(5)`.
fn ignored(status: &str) -> u64 {
    let bits = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    bits.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_to_an_identity_or_takes_a_program_over_is_known() {
        for name in [
            "DOTAGE_IDENTITY",
            "DOTAGE_IDENTITY_COMMAND",
            "SOPS_AGE_KEY",
            "SOPS_AGE_KEY_CMD",
        ] {
            assert!(leads_to_an_identity(name), "{name}");
        }
        for name in [
            "LD_PRELOAD",
            "BASH_ENV",
            "PATH",
            "NODE_OPTIONS",
            "GITHUB_ENV",
            "ENV",
        ] {
            assert!(hijacks(name), "{name}");
            assert!(!leads_to_an_identity(name), "{name}");
        }
        for name in [
            "JWT_SECRET",
            "GITHUB_TOKEN",
            "ENVIRONMENT",
            "SOPS_AGE_RECIPIENTS",
        ] {
            assert!(!hijacks(name) && !leads_to_an_identity(name), "{name}");
        }
    }

    #[test]
    fn ignored_signals_are_read_from_proc() {
        let status = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
        assert_eq!(ignored(status), 1 << (1 - 1) | 1 << (13 - 1));
        assert_eq!(ignored(""), 0);
    }
}
