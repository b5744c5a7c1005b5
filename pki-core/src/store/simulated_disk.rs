//! A directory tree in memory that crashes, fills up and loses power at any chosen step.
//!
//! Contents and names reach the imagined platter only when they are synchronised. A power cut then keeps or loses
//! everything else, each name and each content for itself, which is worse than any real file system.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use super::disk::{Disk, FileMode, LineChange};
use super::error::StoreError;
use super::lock::{Guard, LockPolicy};
use super::path::PkiPath;

pub(super) struct SimulatedDisk(Mutex<State>);

/// What goes wrong, and before which mutating operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// The process dies; what it was writing is half there.
    KilledAt(usize),
    /// From here on there is no space; removing and renaming still work.
    FullAt(usize),
    /// This one operation fails, for no good reason.
    BrokenAt(usize),
}

/// What is left after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    /// Only the process died: everything that was done stays.
    Kill,
    /// Nothing survives but what was synchronised.
    PowerLosesAll,
    /// Names survive, contents that were not synchronised are empty.
    PowerLosesContents,
    /// Each name and content survives or not, as the seed says.
    PowerLosesSome(u64),
}

#[derive(Clone)]
struct State {
    inodes: Vec<Inode>,
    live: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    pending: Vec<NameChange>,
    steps: usize,
    fault: Fault,
    is_dead: bool,
}

#[derive(Clone)]
struct Inode {
    mode: Option<FileMode>,
    live: Vec<u8>,
    durable: Vec<u8>,
}

/// A change of names: what it takes away and what it puts where.
#[derive(Clone)]
struct NameChange {
    removed: Option<String>,
    added: Option<(String, usize)>,
}

/// Paths with their contents; directories have none.
pub(super) type Tree = BTreeMap<String, Option<Vec<u8>>>;

impl SimulatedDisk {
    pub(super) fn with(files: &[(&str, &str)], directories: &[&str]) -> Self {
        let mut state = State {
            inodes: Vec::new(),
            live: BTreeMap::new(),
            durable: BTreeMap::new(),
            pending: Vec::new(),
            steps: 0,
            fault: Fault::None,
            is_dead: false,
        };
        for directory in directories {
            state.add_inode(directory, None, b"");
        }
        for (path, content) in files {
            state.add_inode(path, Some(FileMode::Private), content.as_bytes());
        }
        state.durable = state.live.clone();
        state.pending.clear();
        for inode in &mut state.inodes {
            inode.durable = inode.live.clone();
        }
        Self(Mutex::new(state))
    }

    /// The same tree, about to suffer this fault.
    pub(super) fn with_fault(&self, fault: Fault) -> Self {
        let mut state = self.state().clone();
        state.fault = fault;
        state.steps = 0;
        Self(Mutex::new(state))
    }

    /// Mutating operations so far.
    pub(super) fn steps(&self) -> usize {
        self.state().steps
    }

    /// What the next process finds.
    pub(super) fn after(&self, crash: Crash) -> Self {
        let mut state = self.state().clone();
        state.is_dead = false;
        state.fault = Fault::None;
        if crash != Crash::Kill {
            state.lose_power(crash);
        }
        Self(Mutex::new(state))
    }

    pub(super) fn tree(&self) -> Tree {
        let state = self.state();
        let content = |inode: &usize| state.inodes[*inode].mode.map(|_| state.inodes[*inode].live.clone());
        state.live.iter().map(|(path, inode)| (path.clone(), content(inode))).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

/// What happens to an operation.
enum Fate {
    Succeeds,
    /// Half of a content is written, then nothing works any more, or this one answers with an error.
    HalfDone(io::Error),
}

impl State {
    fn add_inode(&mut self, path: &str, mode: Option<FileMode>, content: &[u8]) {
        self.inodes.push(Inode { mode, live: content.to_vec(), durable: Vec::new() });
        let inode = self.inodes.len() - 1;
        self.rename(None, Some((path.to_owned(), inode)));
    }

    fn rename(&mut self, removed: Option<String>, added: Option<(String, usize)>) {
        let change = NameChange { removed, added };
        change.apply(&mut self.live);
        self.pending.push(change);
    }

    fn step(&mut self, needs_space: bool) -> io::Result<Fate> {
        if self.is_dead {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let step = self.steps;
        self.steps += 1;
        match self.fault {
            Fault::KilledAt(at) if at == step => {
                self.is_dead = true;
                Ok(Fate::HalfDone(io::ErrorKind::Interrupted.into()))
            }
            Fault::FullAt(at) if step >= at && needs_space => {
                Ok(Fate::HalfDone(io::ErrorKind::StorageFull.into()))
            }
            Fault::BrokenAt(at) if at == step => Err(io::ErrorKind::Other.into()),
            Fault::None | Fault::KilledAt(_) | Fault::FullAt(_) | Fault::BrokenAt(_) => Ok(Fate::Succeeds),
        }
    }

    /// A step that either happens or does not.
    fn whole_step(&mut self) -> io::Result<()> {
        match self.step(false)? {
            Fate::Succeeds => Ok(()),
            Fate::HalfDone(cause) => Err(cause),
        }
    }

    fn file(&self, path: &PkiPath) -> io::Result<usize> {
        let found = self.live.get(path.as_str()).copied();
        found.filter(|inode| self.inodes[*inode].mode.is_some()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn require_directory(&self, path: &str) -> io::Result<()> {
        let is_there =
            path.is_empty() || self.live.get(path).is_some_and(|inode| self.inodes[*inode].mode.is_none());
        if is_there { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn lose_power(&mut self, crash: Crash) {
        let mut coin = Coin(match crash {
            Crash::PowerLosesSome(seed) => seed,
            Crash::Kill | Crash::PowerLosesAll | Crash::PowerLosesContents => 0,
        });
        let mut names = self.durable.clone();
        let mut broken_paths = BTreeSet::new();
        for change in std::mem::take(&mut self.pending) {
            let survives = match crash {
                Crash::Kill | Crash::PowerLosesContents => true,
                Crash::PowerLosesAll => false,
                Crash::PowerLosesSome(_) => coin.toss(),
            };
            // Later changes of a name never survive without the earlier ones.
            if survives && !change.paths().any(|path| broken_paths.contains(&path)) {
                change.apply(&mut names);
            } else {
                broken_paths.extend(change.paths());
            }
        }
        for inode in &mut self.inodes {
            let keeps_content = match crash {
                Crash::Kill => true,
                Crash::PowerLosesAll | Crash::PowerLosesContents => false,
                Crash::PowerLosesSome(_) => coin.toss(),
            };
            if !keeps_content {
                inode.lose_content(&mut coin);
            }
            inode.durable.clone_from(&inode.live);
        }
        // What lies in a directory that is gone cannot be reached.
        let directories: BTreeSet<String> = names.keys().cloned().collect();
        names.retain(|path, _| path.rsplit_once('/').is_none_or(|(parent, _)| directories.contains(parent)));
        self.live.clone_from(&names);
        self.durable = names;
    }
}

impl Inode {
    /// An overwritten or appended part may come out as it was, half, or as zeros.
    fn lose_content(&mut self, coin: &mut Coin) {
        let was_overwritten = !self.live.starts_with(&self.durable) && self.live.len() >= self.durable.len();
        if was_overwritten && !self.durable.is_empty() {
            return self.mix_content(coin);
        }
        let grown = self.live.len().saturating_sub(self.durable.len());
        let was_appended_to = self.live.starts_with(&self.durable) && grown > 0 && !self.durable.is_empty();
        let mut content = self.durable.clone();
        if was_appended_to && coin.toss() {
            let half = &self.live[self.durable.len()..][..grown / 2];
            content.extend(half.iter().map(|octet| if coin.toss() { *octet } else { 0 }));
        }
        self.live = content;
    }

    /// Each sector of a file that was written in place comes out old or new; what it grew by may be zeros.
    fn mix_content(&mut self, coin: &mut Coin) {
        const SECTOR: usize = 512;
        let length = if coin.toss() { self.live.len() } else { self.durable.len() };
        self.live.truncate(length);
        for (number, sector) in self.live.chunks_mut(SECTOR).enumerate() {
            if coin.toss() {
                continue;
            }
            let old = self.durable.get(number * SECTOR..).unwrap_or_default();
            let kept = old.len().min(sector.len());
            sector[..kept].copy_from_slice(&old[..kept]);
            sector[kept..].fill(0);
        }
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        if let Some(path) = &self.removed {
            names.remove(path);
        }
        if let Some((path, inode)) = &self.added {
            names.insert(path.clone(), *inode);
        }
    }

    fn paths(&self) -> impl Iterator<Item = String> {
        let added = self.added.as_ref().map(|(path, _)| path.clone());
        self.removed.clone().into_iter().chain(added)
    }

    fn touches(&self, directory: &str) -> bool {
        self.paths().any(|path| path.rsplit_once('/').map_or("", |(parent, _)| parent) == directory)
    }
}

/// A reproducible coin.
struct Coin(u64);

impl Coin {
    fn toss(&mut self) -> bool {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 40 & 1 == 1
    }
}

struct NoGuard;

impl Guard for NoGuard {}

impl Disk for SimulatedDisk {
    fn root(&self) -> &Path {
        Path::new("pki")
    }

    fn lock<'a>(&'a self, _: &LockPolicy) -> Result<Box<dyn Guard + 'a>, StoreError> {
        Ok(Box::new(NoGuard))
    }

    fn exists(&self, path: &PkiPath) -> io::Result<bool> {
        Ok(self.state().live.contains_key(path.as_str()))
    }

    fn mode(&self, path: &PkiPath) -> io::Result<Option<u32>> {
        let state = self.state();
        let inode = state.live.get(path.as_str()).map(|inode| &state.inodes[*inode]);
        Ok(inode.and_then(|inode| inode.mode).map(FileMode::bits))
    }

    fn length(&self, path: &PkiPath) -> io::Result<Option<u64>> {
        Ok(self.read(path)?.map(|content| content.len().try_into().unwrap()))
    }

    fn read(&self, path: &PkiPath) -> io::Result<Option<Vec<u8>>> {
        let state = self.state();
        Ok(state.file(path).ok().map(|inode| state.inodes[inode].live.clone()))
    }

    fn read_range(&self, path: &PkiPath, offset: u64, length: usize) -> io::Result<Option<Vec<u8>>> {
        let offset: usize = offset.try_into().unwrap();
        let content = self.read(path)?;
        Ok(content.map(|content| content.into_iter().skip(offset).take(length).collect()))
    }

    fn entries(&self, directory: &str) -> io::Result<Vec<String>> {
        let state = self.state();
        let paths = state.live.keys().map(|path| path.rsplit_once('/').unwrap_or(("", path)));
        Ok(paths.filter(|(parent, _)| *parent == directory).map(|(_, name)| name.to_owned()).collect())
    }

    /// Only the two modes of [`FileMode`] are known here.
    fn set_mode(&self, path: &PkiPath, bits: u32) -> io::Result<()> {
        let mut state = self.state();
        state.whole_step()?;
        let inode = state.file(path)?;
        state.inodes[inode].mode = FileMode::from_bits(bits);
        Ok(())
    }

    fn create(&self, path: &PkiPath, mode: FileMode, content: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let fate = state.step(true)?;
        state.require_directory(path.split().0)?;
        if state.live.contains_key(path.as_str()) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        match fate {
            Fate::Succeeds => state.add_inode(path.as_str(), Some(mode), content),
            Fate::HalfDone(cause) => {
                state.add_inode(path.as_str(), Some(mode), &content[..content.len() / 2]);
                return Err(cause);
            }
        }
        Ok(())
    }

    fn create_revised(
        &self,
        path: &PkiPath,
        mode: FileMode,
        source: &PkiPath,
        change: &LineChange,
    ) -> io::Result<()> {
        let content = self.read(source)?.ok_or(io::ErrorKind::NotFound)?;
        let (before, rest) = content.split_at(change.offset.try_into().unwrap());
        let after = rest.strip_prefix(change.old.as_bytes()).ok_or(io::ErrorKind::NotFound)?;
        self.create(path, mode, &[before, change.new.as_bytes(), after].concat())
    }

    fn reserve(&self, path: &PkiPath, _: u64, _: u64) -> io::Result<()> {
        let mut state = self.state();
        match state.step(true)? {
            Fate::Succeeds => state.file(path).map(drop),
            Fate::HalfDone(cause) => Err(cause),
        }
    }

    /// Writing needs no space where it was reserved; the journal's commit line is the only write without.
    fn write_at(&self, path: &PkiPath, offset: u64, content: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let needs_space = path.as_str().contains("journal");
        let fate = state.step(needs_space)?;
        let inode = state.file(path)?;
        let offset: usize = offset.try_into().unwrap();
        let file = &mut state.inodes[inode].live;
        let (written, outcome) = match fate {
            Fate::Succeeds => (content, Ok(())),
            Fate::HalfDone(cause) => (&content[..content.len() / 2], Err(cause)),
        };
        let end = offset + written.len();
        file.resize(file.len().max(end), 0);
        file[offset..end].copy_from_slice(written);
        outcome
    }

    fn truncate(&self, path: &PkiPath, length: u64) -> io::Result<()> {
        let mut state = self.state();
        state.whole_step()?;
        let inode = state.file(path)?;
        state.inodes[inode].live.resize(length.try_into().unwrap(), 0);
        Ok(())
    }

    fn rename(&self, from: &PkiPath, to: &PkiPath) -> io::Result<()> {
        let mut state = self.state();
        state.whole_step()?;
        state.require_directory(to.split().0)?;
        let inode = state.file(from)?;
        state.rename(Some(from.as_str().to_owned()), Some((to.as_str().to_owned(), inode)));
        Ok(())
    }

    fn remove(&self, path: &PkiPath) -> io::Result<()> {
        let mut state = self.state();
        state.whole_step()?;
        if state.file(path).is_ok() {
            state.rename(Some(path.as_str().to_owned()), None);
        }
        Ok(())
    }

    fn make_directory(&self, path: &PkiPath) -> io::Result<()> {
        let mut state = self.state();
        let needs_space = !state.live.contains_key(path.as_str());
        match state.step(needs_space)? {
            Fate::Succeeds => {}
            Fate::HalfDone(cause) => return Err(cause),
        }
        state.require_directory(path.split().0)?;
        if !state.live.contains_key(path.as_str()) {
            state.add_inode(path.as_str(), None, b"");
        }
        Ok(())
    }

    fn remove_directory_if_empty(&self, path: &PkiPath) -> io::Result<()> {
        let mut state = self.state();
        state.whole_step()?;
        let prefix = format!("{path}/");
        let is_empty = !state.live.keys().any(|other| other.starts_with(&prefix));
        if is_empty && state.live.contains_key(path.as_str()) {
            state.rename(Some(path.as_str().to_owned()), None);
        }
        Ok(())
    }

    fn sync(&self, path: &PkiPath) -> io::Result<()> {
        let mut state = self.state();
        state.whole_step()?;
        let inode = state.file(path)?;
        let content = state.inodes[inode].live.clone();
        state.inodes[inode].durable = content;
        Ok(())
    }

    fn sync_directory(&self, directory: &str) -> io::Result<()> {
        let mut state = self.state();
        state.whole_step()?;
        state.require_directory(directory)?;
        let pending = std::mem::take(&mut state.pending);
        for change in pending {
            if change.touches(directory) {
                change.apply(&mut state.durable);
            } else {
                state.pending.push(change);
            }
        }
        Ok(())
    }
}
