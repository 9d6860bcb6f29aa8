//! Secrets in the user's own editor, in a file that only memory ever holds.
//!
//! # Why
//!
//! Editors replace files, so a descriptor alone won't do: the file is in a private folder of a filesystem in memory,
//! wiped and removed however the editing ends. Killed outright (SIGKILL) we leave it there; it holds a lock while it
//! is in use, and the next editing removes what has none.
//!
//! Memory may be written to swap. A mount without swap is preferred, and where none is to be had the user is warned,
//! not refused: the editor's own buffers are as likely to be swapped. Swap in zram or on dm-crypt is no disk to read.

use super::{ending, failed, not_started, words};
use crate::file;
use crate::problem::{Place, Problem};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::ffi::OsStr;
use std::io::{IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroizing;

/// The most that an edited file may hold.
const LIMIT: usize = 16 * 1024 * 1024;
const PREFIX: &str = "dotage-edit-";
/// How often a refused text is opened again. A person is done long before; a script that never is has to end.
const ROUNDS: usize = 100;

/// Lets the user edit bytes, in `DOTAGE_EDITOR`, `VISUAL`, `EDITOR` or vi, until `validate` accepts them. `name` is the
/// name that the editor shows, and tells it the language by its ending. Returns nothing when nothing was changed.
///
/// A refusal is shown, and the editor opened again on the same text, at the problem's line. An editor that leaves a
/// refused text as it is ends the editing with that problem, and so does the hundredth refusal.
///
/// # Errors
/// When there is no filesystem in memory; when the editor can't be started, fails, or leaves a swap file behind;
/// when a signal ends the editing. The text is gone then.
pub fn edit(
    initial: &[u8],
    name: &str,
    validate: &mut dyn FnMut(&[u8]) -> Result<(), Problem>,
) -> Result<Option<Zeroizing<Vec<u8>>>, Problem> {
    let set = |variable: &&str| std::env::var_os(variable).is_some_and(|v| !v.is_empty());
    let variable = ["DOTAGE_EDITOR", "VISUAL", "EDITOR"].into_iter().find(set);
    let line = match variable {
        Some(variable) => std::env::var(variable)
            .map_err(|_| Problem::new("command", format!("{variable} is not UTF-8")))?,
        None => "vi".to_owned(),
    };
    let editor = Editor::new(&line, variable.unwrap_or("the editor"))?;
    let signals = Signals::new()?;
    let folder = Folder::new()?;
    let path = folder.path.join(
        Path::new(name)
            .file_name()
            .unwrap_or(OsStr::new("secrets.yaml")),
    );
    file::create(&path, initial, 0o600)?;
    let mut refused: Option<(Zeroizing<Vec<u8>>, Problem)> = None;
    for _ in 0..ROUNDS {
        let line = refused
            .as_ref()
            .and_then(|(_, problem)| problem.place.as_ref())
            .map_or(0, |place| place.line);
        editor.open(&path, line, &folder.path, &signals)?;
        folder.no_swap_file(&path)?;
        let bytes = Zeroizing::new(file::read(&path, LIMIT)?);
        if let Some((before, problem)) = refused
            && before == bytes
        {
            return Err(problem);
        }
        if *bytes == initial {
            return Ok(None);
        }
        match validate(&bytes) {
            Ok(()) => return Ok(Some(bytes)),
            Err(problem) => {
                show(&problem, &signals)?;
                refused = Some((bytes, problem));
            }
        }
    }
    Err(refused.map_or_else(interrupted, |(_, problem)| problem))
}

/// Shows why a text is refused, before an editor covers it; at a terminal, until Enter is pressed.
fn show(problem: &Problem, signals: &Signals) -> Result<(), Problem> {
    let (stdin, mut stderr) = (std::io::stdin(), std::io::stderr());
    let _ = writeln!(stderr, "{problem}");
    if !stdin.is_terminal() {
        return Ok(());
    }
    let _ = write!(stderr, "Enter to edit again, Ctrl-C to drop the changes: ");
    let mut ready = [
        PollFd::new(&stdin, PollFlags::IN),
        PollFd::new(&signals.interrupt, PollFlags::IN),
        PollFd::new(&signals.end, PollFlags::IN),
    ];
    signals.forget_interrupts();
    wait(&mut ready, None)?;
    let [_, interrupt, end] = ready;
    if !interrupt.revents().is_empty() || !end.revents().is_empty() {
        return Err(interrupted());
    }
    let _ = stdin.read_line(&mut String::new());
    Ok(())
}

/// Waits until one of them is ready; tells whether one was in time.
fn wait(ready: &mut [PollFd<'_>], patience: Option<&Timespec>) -> Result<bool, Problem> {
    loop {
        match poll(ready, patience) {
            Ok(count) => return Ok(count > 0),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Problem::new("command", format!("can't wait: {errno}"))),
        }
    }
}

fn interrupted() -> Problem {
    Problem::new(
        "interrupted",
        "the editing was interrupted, nothing is changed",
    )
}

/// The signals that end a process, as descriptors to wait for, until dropped. Ctrl-C is apart: while an editor runs it
/// is the editor's.
struct Signals {
    interrupt: UnixStream,
    end: UnixStream,
    registered: Vec<signal_hook::SigId>,
    over: Arc<AtomicBool>,
}

impl Signals {
    fn new() -> Result<Self, Problem> {
        let failed = |error: std::io::Error| {
            Problem::new("command", format!("can't watch signals: {}", error.kind()))
        };
        let (interrupt, tell_interrupt) = UnixStream::pair().map_err(failed)?;
        let (end, tell_end) = UnixStream::pair().map_err(failed)?;
        interrupt.set_nonblocking(true).map_err(failed)?;
        let mut signals = Signals {
            interrupt,
            end,
            registered: Vec::new(),
            over: Arc::new(AtomicBool::new(false)),
        };
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
            // The library can't give a signal back its default action, so from `over` on this takes it.
            signal_hook::flag::register_conditional_default(signal, signals.over.clone())
                .map_err(failed)?;
            let tell = match signal {
                SIGINT | SIGQUIT => &tell_interrupt,
                _ => &tell_end,
            };
            let tell = tell.try_clone().map_err(failed)?;
            let id = signal_hook::low_level::pipe::register(signal, tell).map_err(failed)?;
            signals.registered.push(id);
        }
        Ok(signals)
    }

    /// Drops the interrupts that were meant for the editor.
    fn forget_interrupts(&self) {
        let mut told = [0; 64];
        while (&self.interrupt).read(&mut told).is_ok_and(|n| n > 0) {}
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        for id in self.registered.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

struct Editor {
    what_for: String,
    program: String,
    arguments: Vec<String>,
    line: At,
}

/// How an editor is told to open a file at a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// `+12 file`
    Plus,
    /// `--goto file:12`
    Goto,
    /// `file:12`
    Colon,
    /// Not at all, as far as we know.
    Unknown,
}

impl Editor {
    /// The editor of a command line, told to keep what it edits in the file alone, and not to return before it is
    /// closed.
    fn new(command_line: &str, what_for: &str) -> Result<Self, Problem> {
        let (program, theirs) = words(command_line, what_for)?;
        let (ours, line) = habits(&name_of(&program));
        let mut arguments: Vec<String> = ours.iter().map(ToString::to_string).collect();
        arguments.extend(theirs);
        Ok(Editor {
            what_for: what_for.to_owned(),
            program,
            arguments,
            line,
        })
    }

    fn open(
        &self,
        path: &Path,
        line: usize,
        folder: &Path,
        signals: &Signals,
    ) -> Result<(), Problem> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env("TMPDIR", folder)
            .env_remove("DOTAGE_IDENTITY");
        let mut with_line = path.as_os_str().to_owned();
        with_line.push(format!(":{line}"));
        match self.line {
            At::Plus if line > 0 => command.arg(format!("+{line}")).arg(path),
            At::Goto if line > 0 => command.arg("--goto").arg(with_line),
            At::Colon if line > 0 => command.arg(with_line),
            _ => command.arg(path),
        };
        let not_started = |error| not_started(&self.what_for, &self.program, &error);
        let mut child = command.spawn().map_err(not_started)?;
        let ended_early = match editing(Pid::from_child(&child), signals) {
            Ok(whole) => !whole,
            Err(problem) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(problem);
            }
        };
        let status = child.wait().map_err(not_started)?;
        if ended_early {
            Err(interrupted())
        } else if status.success() {
            Ok(())
        } else {
            Err(failed(&self.what_for, &self.program, &ending(status))
                .help("nothing is changed; `dotage edit` again"))
        }
    }
}

/// Waits for an editor's end; tells whether it came to it by itself, not by a signal that ends us too.
fn editing(editor: Pid, signals: &Signals) -> Result<bool, Problem> {
    let failed = |errno| Problem::new("command", format!("can't watch the editor: {errno}"));
    let running = pidfd_open(editor, PidfdFlags::empty()).map_err(failed)?;
    let ended = || PollFd::new(&running, PollFlags::IN);
    let mut ready = [ended(), PollFd::new(&signals.end, PollFlags::IN)];
    wait(&mut ready, None)?;
    let [_, end] = ready;
    if end.revents().is_empty() {
        return Ok(true);
    }
    let _ = pidfd_send_signal(&running, Signal::TERM);
    let patience = Timespec {
        tv_sec: 2,
        tv_nsec: 0,
    };
    if !wait(&mut [ended()], Some(&patience))? {
        let _ = pidfd_send_signal(&running, Signal::KILL);
    }
    Ok(false)
}

/// The name of the program that a command runs: `vi` is often a link to one with another name.
fn name_of(program: &str) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = if program.contains('/') {
        Some(PathBuf::from(program))
    } else {
        std::env::split_paths(&path)
            .map(|folder| folder.join(program))
            .find(|path| path.is_file())
    };
    let real = found.and_then(|path| path.canonicalize().ok());
    let real = real.unwrap_or_else(|| PathBuf::from(program));
    real.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// What an editor must be told, by its program's name.
///
/// Vim reads the user's settings before `-c`, which therefore has the last word: no swap, backup or undo file, which
/// those may put anywhere; `-i NONE` keeps yanked text out of viminfo (Neovim: shada). Nano has no such options, so it
/// reads no settings. An editor we don't know has the folder in memory, and its own settings.
fn habits(name: &str) -> (&'static [&'static str], At) {
    const VIM: &[&str] = &[
        "-n",
        "-i",
        "NONE",
        "-c",
        "silent! set noswapfile nobackup nowritebackup",
        "-c",
        "silent! set noundofile",
    ];
    let family = name.split('.').next().unwrap_or_default();
    match family {
        "vim" | "nvim" | "gvim" | "view" => (VIM, At::Plus),
        "emacs" => (
            &[
                "--eval",
                "(setq make-backup-files nil auto-save-default nil create-lockfiles nil)",
            ],
            At::Plus,
        ),
        "nano" => (&["--ignorercfiles"], At::Plus),
        "vi" | "emacsclient" | "joe" | "kak" | "micro" | "mg" | "ne" | "nvi" | "elvis" => {
            (&[], At::Plus)
        }
        "code" | "codium" | "code-insiders" | "cursor" => (&["--wait"], At::Goto),
        "subl" | "zed" | "zeditor" => (&["--wait"], At::Colon),
        "hx" | "helix" => (&[], At::Colon),
        _ => (&[], At::Unknown),
    }
}

/// A private folder in memory, wiped when dropped.
struct Folder {
    path: PathBuf,
    _lock: file::Lock,
}

impl Folder {
    fn new() -> Result<Self, Problem> {
        let base = memory()?;
        sweep(&base);
        for number in std::process::id().. {
            let path = base.join(format!("{PREFIX}{number}"));
            if !file::create_folder(&path, 0o700)? {
                continue;
            }
            // Another run may have swept it before it was locked; from here on none does.
            match file::lock(&path) {
                Ok(lock) if path.is_dir() => return Ok(Folder { path, _lock: lock }),
                Err(problem) if path.is_dir() => {
                    file::wipe(&path);
                    return Err(problem);
                }
                _ => {}
            }
        }
        Err(Problem::new("no-memory-folder", "has no free name").at(Place::file(base)))
    }

    /// A swap file tells of an editor that still runs, or that crashed; backups and the like are wiped with the rest.
    fn no_swap_file(&self, path: &Path) -> Result<(), Problem> {
        let swap = format!(
            ".{}.sw",
            path.file_name().unwrap_or_default().to_string_lossy()
        );
        let left = std::fs::read_dir(&self.path)
            .into_iter()
            .flatten()
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with(&swap));
        if left {
            let message = "the editor left a swap file: it still runs, or it crashed";
            return Err(
                Problem::new("command", message).help("nothing is changed; `dotage edit` again")
            );
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        file::wipe(&self.path);
    }
}

/// Wipes what killed runs of this user left: folders of our name that nobody holds the lock of.
fn sweep(base: &Path) {
    use std::os::unix::fs::MetadataExt;
    let me = rustix::process::geteuid().as_raw();
    for entry in std::fs::read_dir(base).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry
                .metadata()
                .is_ok_and(|stat| stat.is_dir() && stat.uid() == me);
        if ours && let Ok(Some(_lock)) = file::try_lock(&entry.path()) {
            file::wipe(&entry.path());
        }
    }
}

/// A folder on a filesystem in memory: the first of them that is never swapped, or the first.
fn memory() -> Result<PathBuf, Problem> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let mut kinds: Vec<(PathBuf, Kind)> = runtime
        .into_iter()
        .chain([PathBuf::from("/dev/shm")])
        .filter_map(|path| path.canonicalize().ok())
        .filter_map(|path| kind(&path).map(|kind| (path, kind)))
        .collect();
    kinds.sort_by_key(|(_, kind)| *kind == Kind::Swapped);
    let Some((path, kind)) = kinds.into_iter().next() else {
        return Err(Problem::new(
            "no-memory-folder",
            "there is no folder in memory to edit in, and secrets are not written to a disk",
        )
        .help("set XDG_RUNTIME_DIR to a folder on a tmpfs, or `mount -t tmpfs tmpfs /dev/shm`"));
    };
    if kind == Kind::Swapped {
        let _ = writeln!(
            std::io::stderr(),
            "warning: memory is swapped to a disk that is not encrypted, the text may get there"
        );
    }
    Ok(path)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unswapped,
    Swapped,
}

/// Whether a folder is in memory, and stays there. The magic numbers are those of statfs(2).
fn kind(path: &Path) -> Option<Kind> {
    const TMPFS: u64 = 0x0102_1994;
    const RAMFS: u64 = 0x8584_58f6;
    let magic = rustix::fs::statfs(path).ok()?.f_type;
    match u64::try_from(magic).ok()? & 0xffff_ffff {
        RAMFS => Some(Kind::Unswapped),
        TMPFS => {
            let read = |path| std::fs::read_to_string(path).unwrap_or_default();
            let safe = !swaps_to_disk(&read("/proc/swaps"), encrypted)
                || mounted_noswap(&read("/proc/self/mountinfo"), path);
            Some(if safe { Kind::Unswapped } else { Kind::Swapped })
        }
        _ => None,
    }
}

/// Whether /proc/swaps names a place that outlives the power.
fn swaps_to_disk(swaps: &str, encrypted: fn(&str) -> bool) -> bool {
    swaps
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .any(|place| !place.starts_with("/dev/zram") && !encrypted(place))
}

fn encrypted(device: &str) -> bool {
    device.strip_prefix("/dev/").is_some_and(|name| {
        std::fs::read_to_string(format!("/sys/class/block/{name}/dm/uuid"))
            .is_ok_and(|uuid| uuid.starts_with("CRYPT-"))
    })
}

/// Whether the mount that holds a path has tmpfs(5)'s `noswap`. A mountinfo line is `id parent dev root MOUNT options
/// … - type source OPTIONS`, proc(5); the last mount at the longest path counts.
fn mounted_noswap(mountinfo: &str, path: &Path) -> bool {
    mountinfo
        .lines()
        .filter_map(|line| {
            let mount = Path::new(line.split(' ').nth(4)?);
            path.starts_with(mount).then_some((mount, line))
        })
        .max_by_key(|(mount, _)| mount.components().count())
        .and_then(|(_, line)| line.rsplit(' ').next())
        .is_some_and(|options| options.split(',').any(|option| option == "noswap"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_in_memory_or_encrypted_is_no_disk() {
        let header = "Filename Type Size Used Priority\n";
        let no = |_: &str| false;
        assert!(!swaps_to_disk(header, no));
        assert!(!swaps_to_disk(
            &format!("{header}/dev/zram0 partition 1 0 100\n"),
            no
        ));
        assert!(swaps_to_disk(
            &format!("{header}/dev/sda2 partition 1 0 -2\n"),
            no
        ));
        assert!(swaps_to_disk(
            &format!("{header}/dev/zram0 partition 1 0 100\n/swapfile file 1 0 -2\n"),
            no
        ));
        assert!(!swaps_to_disk(
            &format!("{header}/dev/dm-1 partition 1 0 -2\n"),
            |device| { device == "/dev/dm-1" }
        ));
    }

    #[test]
    fn noswap_is_read_from_the_mount_that_holds_the_folder() {
        let mounts = "21 1 0:1 / / rw - ext4 /dev/vda rw\n\
                      22 21 0:2 / /run rw,nosuid shared:2 - tmpfs tmpfs rw,size=1k\n\
                      23 22 0:3 / /run/user/1000 rw shared:3 - tmpfs tmpfs rw,noswap,mode=700\n";
        assert!(mounted_noswap(mounts, Path::new("/run/user/1000")));
        assert!(mounted_noswap(mounts, Path::new("/run/user/1000/inner")));
        assert!(!mounted_noswap(mounts, Path::new("/run/user/10")));
        let over = "24 23 0:4 / /run/user/1000 rw - tmpfs tmpfs rw\n";
        assert!(!mounted_noswap(
            &format!("{mounts}{over}"),
            Path::new("/run/user/1000")
        ));
    }

    #[test]
    fn an_editor_is_known_by_its_programs_name() {
        assert_eq!(habits("vim.basic").1, At::Plus);
        assert!(habits("nvim").0.contains(&"NONE"));
        let editor = Editor::new("code --new-window", "EDITOR").unwrap();
        assert_eq!(editor.arguments, ["--wait", "--new-window"]);
        assert_eq!(
            Editor::new("sed -i s/a/b/", "EDITOR").unwrap().line,
            At::Unknown
        );
    }
}
