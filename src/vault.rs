//! A vault: an age file, or a folder of them, each holding a flat YAML mapping of names to values.
//!
//! # Why
//!
//! There is no format of our own: `age -d vault/production/gateway.age` shows what dotage sees, and the recipients are
//! the file that `age -R` takes. A folder's bundles are opened one by one and only when they are wanted, because what
//! a reader may not open must not stop them from working with the rest.
//!
//! A change holds a lock on the folder, reads again under it and writes only what became different. The ciphertext of
//! a bundle that stays the same stays the same to the byte: a re-encryption would be a diff that tells nothing.

mod bundle;
mod envelope;
mod identities;
mod person;
mod recipients;

pub use envelope::Header;
pub use identities::{Identities, keygen};
pub use person::{Nobody, Person};
pub use recipients::{Reader, Recipients};

use crate::file::{self, Attributes};
use crate::problem::{Place, Problem};
use crate::secret::{self, Name, Secret, Secrets};
use crate::yaml;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The mode of a bundle that isn't there yet: ciphertext, which git hands to everyone anyway.
const MODE: u32 = 0o644;
/// How the file of a rotation in flight ends.
const ROTATION: &str = ".rotation.age";
/// The recipients file of the bundles that have none of their own.
const SHARED: &str = ".age-recipients";
/// The longest recipients file that is read.
const RECIPIENTS: usize = 1 << 20;

/// An age file, or a folder of age files. It may not be there yet.
pub struct Vault {
    path: PathBuf,
    folder: bool,
}

/// What [`Vault::open`] found.
pub struct Opened {
    /// Every value of the opened bundles.
    pub secrets: Secrets,
    /// The bundle that each name is in.
    pub bundle_of: BTreeMap<Name, String>,
    /// The identity that opened each bundle: its public key, and where it came from.
    pub opened_by: BTreeMap<String, String>,
}

/// Bundles by name, each with the SHA-256 of its ciphertext in hex.
pub type Ciphertexts = BTreeMap<String, String>;

/// What [`Vault::reencrypt`] did.
pub struct Reencrypted {
    /// The bundles that were read, as they were.
    pub read: Ciphertexts,
    /// The bundles that were written.
    pub written: Ciphertexts,
    /// The names of the values in them.
    pub names: BTreeSet<Name>,
    /// The recipients file as it was.
    pub before: Recipients,
    /// The recipients file as it is to be.
    pub after: Recipients,
}

/// What [`Vault::change`] did. Nobody else changes the vault until it is dropped.
pub struct Changed<T> {
    /// What the edit gave.
    pub value: T,
    /// The bundles that were read, as they were.
    pub read: Ciphertexts,
    /// The bundles that were written.
    pub written: Ciphertexts,
    /// The identity that opened each bundle that was read.
    pub opened_by: BTreeMap<String, String>,
    _lock: file::Lock,
}

impl Vault {
    /// The vault at a path. Nothing is read: a folder is a folder of bundles, anything else one bundle; where nothing
    /// is yet, a name that ends in `.age` is one bundle.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        let folder = fs::metadata(path).map_or_else(
            |_| path.extension().is_none_or(|extension| extension != "age"),
            |data| data.is_dir(),
        );
        Vault {
            path: path.to_owned(),
            folder,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of its bundles, sorted: `gateway` for `gateway.age`. Files whose names begin with a dot are none,
    /// and neither are those of rotations in flight.
    ///
    /// # Errors
    /// When the folder is missing, can't be read, or holds a bundle under a name that can't be typed.
    pub fn bundles(&self) -> Result<Vec<String>, Problem> {
        if !self.folder {
            return match fs::metadata(&self.path) {
                Ok(_) => Ok(vec![bundle_name(&self.path)?]),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
                Err(_) => Err(unreadable(&self.path)),
            };
        }
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing(&self.path)),
            Err(_) => return Err(unreadable(&self.path)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let file = entry.map_err(|_| unreadable(&self.path))?.file_name();
            let shown = file.to_string_lossy();
            if shown.starts_with('.') || !shown.ends_with(".age") || shown.ends_with(ROTATION) {
                continue;
            }
            names.push(bundle_name(&self.path.join(&file))?);
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The file of a bundle.
    #[must_use]
    pub fn file(&self, bundle: &str) -> PathBuf {
        if self.folder {
            self.path.join(format!("{bundle}.age"))
        } else {
            self.path.clone()
        }
    }

    /// The recipients file that a bundle has: its own (`gateway.age-recipients`) if there is one, else the folder's
    /// `.age-recipients`.
    #[must_use]
    pub fn recipients_file(&self, bundle: &str) -> PathBuf {
        recipients_file(&self.file(bundle))
    }

    /// The rotations in flight, by their ids: each is an age file beside the vault, `production.ID.rotation.age`.
    ///
    /// # Errors
    /// When the folder beside the vault can't be read.
    pub fn rotations(&self) -> Result<BTreeMap<String, PathBuf>, Problem> {
        let (folder, stem) = self.beside();
        let here = if folder == Path::new("") {
            Path::new(".")
        } else {
            folder
        };
        let entries = match fs::read_dir(here) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(_) => return Err(unreadable(here)),
        };
        let mut rotations = BTreeMap::new();
        for entry in entries {
            let file = entry.map_err(|_| unreadable(here))?.file_name();
            let id = file
                .to_str()
                .and_then(|file| file.strip_prefix(&*stem))
                .and_then(|rest| rest.strip_prefix('.')?.strip_suffix(ROTATION))
                .filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric()));
            if let Some(id) = id {
                rotations.insert(id.to_owned(), self.rotation(id));
            }
        }
        Ok(rotations)
    }

    /// The file of a rotation in flight.
    #[must_use]
    pub fn rotation(&self, id: &str) -> PathBuf {
        let (folder, stem) = self.beside();
        folder.join(format!("{stem}.{id}{ROTATION}"))
    }

    /// Opens the file of a rotation: a flat mapping, like a bundle.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub fn open_rotation(&self, id: &str, identities: &Identities) -> Result<Secrets, Problem> {
        let path = self.rotation(id);
        let (entries, _) = entries(&path, &read(&path)?, identities)?;
        Ok(entries
            .into_iter()
            .map(|(name, secret, _)| (name, secret))
            .collect())
    }

    /// Writes the file of a rotation over these bundles, whole or not at all. Its readers are those who can read every one
    /// of them: nobody learns what they could not read before. Gives the SHA-256 of the ciphertext.
    ///
    /// # Errors
    /// When a bundle's recipients can't be read, when nobody reads all of them, when it can't be written.
    pub fn write_rotation(
        &self,
        id: &str,
        secrets: &Secrets,
        bundles: &BTreeSet<String>,
        identities: &Identities,
    ) -> Result<String, Problem> {
        let path = self.rotation(id);
        let readers = self.readers_of_all(bundles)?;
        let text = text(&path, secrets)?;
        let sealed = bundle::seal(text.as_bytes(), &readers, identities.person())?;
        let attributes = Attributes {
            mode: MODE,
            ..Attributes::default()
        };
        file::replace(&path, &sealed, &attributes)?;
        Ok(file::sha256(&sealed))
    }

    /// Whether the file of a rotation is encrypted to those who can read all of these bundles, as far as that shows
    /// without a key.
    ///
    /// # Errors
    /// When it or a recipients file can't be read.
    pub fn rotation_fits(&self, id: &str, bundles: &BTreeSet<String>) -> Result<bool, Problem> {
        let path = self.rotation(id);
        let (header, _) = bundle::header(&path, &read(&path)?)?;
        Ok(header.fits(&self.readers_of_all(bundles)?))
    }

    /// Those who can read every one of these bundles.
    fn readers_of_all(&self, bundles: &BTreeSet<String>) -> Result<Recipients, Problem> {
        let mut readers: Option<Recipients> = None;
        for bundle in bundles {
            let own = self.recipients(bundle)?;
            readers = Some(match readers {
                None => own,
                Some(all) => all.shared_with(&own)?,
            });
        }
        readers.ok_or_else(|| self.no_bundles())
    }

    /// The folder of the files beside the vault, and what their names begin with: `production` of `production/` and of
    /// `production.age`. Beside a vault that is the project's own folder is in it.
    fn beside(&self) -> (&Path, Cow<'_, str>) {
        let Some(name) = self.path.file_name() else {
            return (&self.path, Cow::Borrowed(""));
        };
        let name = name.to_string_lossy();
        let stem = match name.strip_suffix(".age") {
            Some(stem) if !self.folder => Cow::Owned(stem.to_owned()),
            _ => name,
        };
        (self.path.parent().unwrap_or(Path::new("")), stem)
    }

    /// Who may read a bundle, by its recipients file.
    ///
    /// # Errors
    /// When the file is missing or isn't a recipients file.
    pub fn recipients(&self, bundle: &str) -> Result<Recipients, Problem> {
        read_recipients(&self.recipients_file(bundle))
    }

    /// The header of a bundle: how many readers of which kind it has. No key is needed.
    ///
    /// # Errors
    /// When it can't be read or is no age file.
    pub fn header(&self, bundle: &str) -> Result<Header, Problem> {
        let (path, file) = self.read(bundle)?;
        Ok(bundle::header(&path, &file)?.0)
    }

    /// The SHA-256 of a bundle's ciphertext, in hex. No key is needed.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn sha256(&self, bundle: &str) -> Result<String, Problem> {
        self.read(bundle).map(|(_, file)| file::sha256(&file))
    }

    /// Opens the wanted bundles, or all: no other file is read.
    ///
    /// # Errors
    /// When there is no such bundle, or none at all; when one can't be read, opened, or isn't a flat mapping of
    /// strings; when a name is in two of them.
    pub fn open(
        &self,
        wanted: Option<&BTreeSet<String>>,
        identities: &Identities,
    ) -> Result<Opened, Problem> {
        let names = match wanted {
            Some(wanted) => wanted.iter().cloned().collect(),
            None => self.bundles()?,
        };
        if names.is_empty() && wanted.is_none() {
            return Err(self.no_bundles());
        }
        let mut opened = Opened {
            secrets: Secrets::new(),
            bundle_of: BTreeMap::new(),
            opened_by: BTreeMap::new(),
        };
        for bundle in names {
            let (path, file) = self.read(&bundle)?;
            let (entries, by) = entries(&path, &file, identities)?;
            for (name, _, line) in &entries {
                if let Some(other) = opened.bundle_of.get(name) {
                    return Err(twice(name, &self.file(other)).at(Place::at(&path, *line, 0)));
                }
            }
            // Whole maps are built and joined: the entries come sorted, so that no place has to be searched for.
            let names = entries.iter().map(|(name, _, _)| name.clone());
            opened
                .bundle_of
                .append(&mut names.map(|name| (name, bundle.clone())).collect());
            let secrets = entries.into_iter().map(|(name, secret, _)| (name, secret));
            opened.secrets.append(&mut secrets.collect());
            opened.opened_by.insert(bundle, by);
        }
        Ok(opened)
    }

    /// Changes any number of bundles under one lock: each is read under it, and written, beside its old file and in
    /// its place, only if what it holds became different. A bundle that isn't there yet begins empty.
    ///
    /// # Errors
    /// What the edit says, before anything is written; when a bundle can't be opened or written; when somebody who
    /// doesn't ask for the lock (git) changed a bundle meanwhile.
    pub fn change<T>(
        &self,
        identities: &Identities,
        edit: impl FnOnce(&mut Contents<'_>) -> Result<T, Problem>,
    ) -> Result<Changed<T>, Problem> {
        let lock = self.lock()?;
        let mut contents = Contents {
            vault: self,
            identities,
            bundles: Vec::new(),
            opened_by: BTreeMap::new(),
        };
        let value = edit(&mut contents)?;
        Ok(Changed {
            value,
            read: contents.read_as(),
            written: contents.write()?,
            opened_by: contents.opened_by,
            _lock: lock,
        })
    }

    /// Gives a recipients file other readers, and re-encrypts to them every bundle it governs whose readers changed.
    /// The bundles come first: killed half-way, the same call again does the rest. With a bundle's name its own
    /// recipients file is meant, which begins as a copy of the folder's; without, the folder's.
    /// `record` is told which were re-encrypted between the two: killed after it, the same call does it all again.
    ///
    /// # Errors
    /// What the edit or the record says; when a bundle can't be opened or written.
    pub fn reencrypt(
        &self,
        bundle: Option<&str>,
        identities: &Identities,
        edit: impl FnOnce(&Recipients) -> Result<Recipients, Problem>,
        record: impl FnOnce(&Reencrypted) -> Result<(), Problem>,
    ) -> Result<Reencrypted, Problem> {
        let _lock = self.lock()?;
        let target = match bundle {
            Some(bundle) => self.known(bundle)?.with_extension("age-recipients"),
            None => self.home().join(SHARED),
        };
        let old = match bundle {
            Some(bundle) => self.recipients(bundle)?,
            None => read_recipients(&target)?,
        };
        let new = edit(&old)?;
        let mut done = Reencrypted {
            read: Ciphertexts::new(),
            written: Ciphertexts::new(),
            names: BTreeSet::new(),
            before: old,
            after: new,
        };
        let (old, new) = (&done.before, &done.after);
        let mut writes = Vec::new();
        for bundle in self.governed(bundle)? {
            let (path, before) = self.read(&bundle)?;
            if old.same_readers(new) && bundle::header(&path, &before)?.0.fits(new) {
                continue;
            }
            let (plaintext, _) = bundle::open(&path, &before, identities)?;
            let after = bundle::seal(&plaintext, new, identities.person())?;
            let entries = parsed(&path, &plaintext)?.into_iter();
            done.names.extend(entries.map(|(name, _, _)| name));
            done.read.insert(bundle.clone(), file::sha256(&before));
            done.written.insert(bundle, file::sha256(&after));
            writes.push((path, Some(before), after));
        }
        replace_all(&writes)?;
        record(&done)?;
        let attributes = Attributes {
            mode: mode(&target),
            ..Attributes::default()
        };
        file::replace(&target, done.after.text().as_bytes(), &attributes)?;
        Ok(done)
    }

    /// Re-encrypts bundles to their recipients files as they are, and tells `record` how they were read and written
    /// before anybody else can change the vault.
    ///
    /// # Errors
    /// When one can't be opened or written: then none was. What the record says.
    pub fn reencrypt_to_recipients(
        &self,
        bundles: &[String],
        identities: &Identities,
        record: impl FnOnce(&Ciphertexts, &Ciphertexts) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let _lock = self.lock()?;
        let mut writes = Vec::new();
        let (mut read, mut written) = (Ciphertexts::new(), Ciphertexts::new());
        for bundle in bundles {
            let (path, before) = self.read(bundle)?;
            let (plaintext, _) = bundle::open(&path, &before, identities)?;
            let after = bundle::seal(&plaintext, &self.recipients(bundle)?, identities.person())?;
            read.insert(bundle.clone(), file::sha256(&before));
            written.insert(bundle.clone(), file::sha256(&after));
            writes.push((path, Some(before), after));
        }
        replace_all(&writes)?;
        record(&read, &written)
    }

    /// The bundles that a recipients file governs: a bundle's own, or without a name the folder's.
    ///
    /// # Errors
    /// When the vault can't be read.
    pub fn governed(&self, bundle: Option<&str>) -> Result<Vec<String>, Problem> {
        if let Some(bundle) = bundle {
            return Ok(vec![bundle.to_owned()]);
        }
        let mut all = self.bundles()?;
        all.retain(|bundle| self.recipients_file(bundle).file_name() == Some(SHARED.as_ref()));
        Ok(all)
    }

    /// Waits until nobody else changes the vault.
    ///
    /// # Errors
    /// When its folder is missing or can't be locked.
    pub fn lock(&self) -> Result<file::Lock, Problem> {
        file::lock(&self.home()).map_err(|problem| match problem.rule {
            "missing" => missing(&self.path),
            _ => problem,
        })
    }

    /// The folder that the bundles are in.
    fn home(&self) -> PathBuf {
        if self.folder {
            return self.path.clone();
        }
        match self.path.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    /// Whether it is a folder of bundles.
    #[must_use]
    pub fn is_folder(&self) -> bool {
        self.folder
    }

    /// The bundle of this vault that holds what the inventory puts into `declared`: a vault that is one file has one
    /// bundle for everything.
    ///
    /// # Errors
    /// When a bundle can't have that name.
    pub fn bundle_for(&self, declared: &str) -> Result<String, Problem> {
        if self.folder {
            self.known(declared).map(|_| declared.to_owned())
        } else {
            bundle_name(&self.path)
        }
    }

    /// The file of a bundle, if it can be one's name.
    fn known(&self, bundle: &str) -> Result<PathBuf, Problem> {
        let path = self.file(bundle);
        let own = bundle_name(&path)?;
        if own == bundle {
            return Ok(path);
        }
        let message = if self.folder {
            format!("there can be no bundle of the name {bundle}")
        } else {
            format!("there is no bundle {bundle}: this vault is one file, whose name is {own}")
        };
        Err(Problem::new("unknown-bundle", message)
            .at(Place::file(&self.path))
            .help(self.which()))
    }

    /// The bytes of a bundle's file.
    fn read(&self, bundle: &str) -> Result<(PathBuf, Vec<u8>), Problem> {
        let path = self.known(bundle)?;
        match read(&path) {
            Ok(bytes) => Ok((path, bytes)),
            Err(problem) if problem.rule == "missing" && self.folder => Err(Problem::new(
                "unknown-bundle",
                format!("there is no bundle {bundle}"),
            )
            .at(Place::file(&self.path))
            .help(self.which())),
            Err(problem) => Err(problem),
        }
    }

    /// What the bundles are, as help for who named another.
    fn which(&self) -> String {
        match self.bundles() {
            Ok(bundles) if !bundles.is_empty() => format!("use one of: {}", bundles.join(", ")),
            _ => "put the first secret in: dotage set NAME".to_owned(),
        }
    }

    fn no_bundles(&self) -> Problem {
        if self.folder {
            Problem::new("no-bundles", "there is no bundle (NAME.age) in this folder")
                .at(Place::file(&self.path))
                .help("put the first secret in: dotage set NAME")
        } else {
            missing(&self.path)
        }
    }
}

/// The bundles of a vault while they are changed. Each is opened when it is first asked for, and they are written in
/// that order.
pub struct Contents<'a> {
    vault: &'a Vault,
    identities: &'a Identities,
    bundles: Vec<(String, Open)>,
    opened_by: BTreeMap<String, String>,
}

/// A bundle in memory.
struct Open {
    path: PathBuf,
    /// The file as it was read under the lock; none when it wasn't there.
    file: Option<Vec<u8>>,
    /// Its plaintext in the form that it would be written, as it was.
    before: Zeroizing<String>,
    secrets: Secrets,
}

impl Contents<'_> {
    /// What a bundle holds, to be changed; nothing when it isn't there yet.
    ///
    /// # Errors
    /// When it can't be read or opened.
    pub fn bundle(&mut self, name: &str) -> Result<&mut Secrets, Problem> {
        if self.bundles.iter().all(|(other, _)| other != name) {
            let open = self.read(name)?;
            self.bundles.push((name.to_owned(), open));
        }
        match self.bundles.iter_mut().find(|(other, _)| other == name) {
            Some((_, open)) => Ok(&mut open.secrets),
            None => Err(missing(&self.vault.file(name))),
        }
    }

    /// The bundle that a name is in, if any. Opens all of them.
    ///
    /// # Errors
    /// When one can't be read or opened.
    pub fn holder(&mut self, name: &str) -> Result<Option<String>, Problem> {
        for bundle in self.vault.bundles()? {
            if self.bundle(&bundle)?.contains_key(name) {
                return Ok(Some(bundle));
            }
        }
        Ok(None)
    }

    fn read(&mut self, name: &str) -> Result<Open, Problem> {
        let path = self.vault.known(name)?;
        let file = match read(&path) {
            Ok(file) => Some(file),
            Err(problem) if problem.rule == "missing" => None,
            Err(problem) => return Err(problem),
        };
        let mut secrets = Secrets::new();
        if let Some(file) = &file {
            let (entries, by) = entries(&path, file, self.identities)?;
            secrets.extend(entries.into_iter().map(|(name, secret, _)| (name, secret)));
            self.opened_by.insert(name.to_owned(), by);
        }
        Ok(Open {
            before: text(&path, &secrets)?,
            path,
            file,
            secrets,
        })
    }

    /// The bundles whose file was there, as it was.
    fn read_as(&self) -> Ciphertexts {
        let hash =
            |(name, open): &(String, Open)| Some((name.clone(), file::sha256(open.file.as_ref()?)));
        self.bundles.iter().filter_map(hash).collect()
    }

    /// Writes what became different.
    fn write(&self) -> Result<Ciphertexts, Problem> {
        let mut holders: BTreeMap<&Name, &Path> = BTreeMap::new();
        for (_, open) in &self.bundles {
            for name in open.secrets.keys() {
                if let Some(other) = holders.insert(name, &open.path) {
                    return Err(twice(name, other).at(Place::file(&open.path)));
                }
            }
        }
        let mut written = Ciphertexts::new();
        let mut writes = Vec::new();
        for (name, open) in &self.bundles {
            let after = text(&open.path, &open.secrets)?;
            if after == open.before && open.file.is_some() {
                continue;
            }
            let recipients = self.vault.recipients(name)?;
            let sealed = bundle::seal(after.as_bytes(), &recipients, self.identities.person())?;
            written.insert(name.clone(), file::sha256(&sealed));
            writes.push((open.path.clone(), open.file.clone(), sealed));
        }
        replace_all(&writes)?;
        Ok(written)
    }
}

/// Puts new bytes in the place of files that are still as they were read.
fn replace_all(writes: &[(PathBuf, Option<Vec<u8>>, Vec<u8>)]) -> Result<(), Problem> {
    for (path, before, _) in writes {
        let now = match read(path) {
            Ok(now) => Some(now),
            Err(problem) if problem.rule == "missing" => None,
            Err(problem) => return Err(problem),
        };
        if now != *before {
            return Err(Problem::new(
                "changed-meanwhile",
                "was changed by another program while dotage worked on it; nothing was written",
            )
            .at(Place::file(path))
            .help("wait for the git command or the sync to end, then do it again"));
        }
    }
    for (path, _, after) in writes {
        let attributes = Attributes {
            mode: mode(path),
            ..Attributes::default()
        };
        file::replace(path, after, &attributes)?;
    }
    Ok(())
}

/// The permission bits that a file has, or that a new one gets.
fn mode(path: &Path) -> u32 {
    fs::metadata(path).map_or(MODE, |data| data.permissions().mode() & 0o777)
}

/// The entries of a bundle, and which identity opened it.
fn entries(
    path: &Path,
    file: &[u8],
    identities: &Identities,
) -> Result<(Vec<(Name, Secret, usize)>, String), Problem> {
    let (plaintext, by) = bundle::open(path, file, identities)?;
    Ok((parsed(path, &plaintext)?, by))
}

/// The entries in a bundle's plaintext.
fn parsed(path: &Path, plaintext: &[u8]) -> Result<Vec<(Name, Secret, usize)>, Problem> {
    let text = std::str::from_utf8(plaintext).map_err(|error| {
        let before = plaintext.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        Problem::new("vault-not-utf8", "the plaintext is not UTF-8 text")
            .at(Place::at(path, line, 0))
            .help("keep a binary value as base64, and say so in dotage.yaml")
    })?;
    let entries = yaml::flat(text).map_err(|fault| fault.problem(path));
    secret::wipe_stack();
    entries
}

/// A bundle's plaintext.
fn text(path: &Path, secrets: &Secrets) -> Result<Zeroizing<String>, Problem> {
    let text = yaml::flat_text(secrets.iter()).map_err(|name| {
        Problem::new(
            "not-text",
            format!("the value of {name} is not UTF-8 text, which is all that a vault holds"),
        )
        .at(Place::file(path))
        .help("keep it as base64, and say so in dotage.yaml")
    })?;
    if text.len() > envelope::PLAINTEXT {
        return Err(bundle::too_large(path));
    }
    Ok(text)
}

/// The bytes of a bundle.
fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    file::read(path, envelope::CIPHERTEXT).map_err(|problem| match problem.rule {
        "too-large" => bundle::too_large(path),
        "missing" => missing(path),
        _ => problem,
    })
}

fn read_recipients(path: &Path) -> Result<Recipients, Problem> {
    let bytes = file::read(path, RECIPIENTS).map_err(|problem| match problem.rule {
        "missing" => Problem::new(
            "no-recipients",
            "there is no recipients file, so nobody to encrypt to",
        )
        .at(Place::file(path))
        .help("write one public key a line into it (age1… or ssh-ed25519 …); yours: dotage keygen"),
        _ => problem,
    })?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        Problem::new("bad-recipient", "is not a text, as a recipients file is")
            .at(Place::file(path))
            .help(format!(
                "bring it back: git restore {}",
                bundle::typed(path)
            ))
    })?;
    Recipients::parse(text, path)
}

/// The recipients file of a bundle's file.
fn recipients_file(bundle: &Path) -> PathBuf {
    let own = bundle.with_extension("age-recipients");
    if fs::symlink_metadata(&own).is_ok() {
        own
    } else {
        bundle.with_file_name(SHARED)
    }
}

/// The name of the bundle in a file: its stem, if it can be typed without quotes.
fn bundle_name(path: &Path) -> Result<String, Problem> {
    let stem = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or("");
    let plain = stem
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let rotation = format!("{stem}.age").ends_with(ROTATION);
    if plain && !rotation && !stem.starts_with(['.', '-']) && !stem.is_empty() {
        return Ok(stem.to_owned());
    }
    Err(Problem::new(
        "bundle-name",
        "is no name of a bundle: letters, digits, `.`, `_` and `-` make one",
    )
    .at(Place::file(path))
    .help("rename the file, or move it out of the vault"))
}

fn twice(name: &Name, other: &Path) -> Problem {
    Problem::new(
        "duplicate-name",
        format!("{name} is in {} as well", other.display()),
    )
    .help("keep it in one of the two: dotage edit")
}

fn missing(path: &Path) -> Problem {
    Problem::new("missing", "there is no vault here")
        .at(Place::file(path))
        .help("see which vaults dotage.yaml names, or make one: dotage init")
}

fn unreadable(path: &Path) -> Problem {
    Problem::new("unreadable", "can't be read")
        .at(Place::file(path))
        .help(format!("see who may: ls -ld {}", bundle::typed(path)))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
