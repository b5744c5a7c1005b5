//! Changing several files as one.
//!
//! The order of events, each arrow waiting for the disk:
//!
//! 1. the journal with the intent -> 2. staged contents beside their targets -> 3. the commit line ->
//! 4. renames, appends, removals -> 5. the journal goes away.
//!
//! A failure or crash before 3 undoes everything, one after 3 is completed by [`recover`]; whatever can run out of
//! space happens before 3. Recovery may be interrupted itself: each of its steps can be done twice.

use std::collections::BTreeSet;
use std::io;

use zeroize::Zeroizing;

use super::disk::{Disk, FileMode};
use super::error::StoreError;
use super::journal::{self, Found, Step};
use super::layout;
use super::path::PkiPath;

/// What shall be different afterwards, in the order in which it shall become visible.
#[derive(Default)]
pub(crate) struct ChangeSet {
    changes: Vec<Change>,
}

enum Change {
    MakeDirectory(PkiPath),
    Create(PkiPath, FileMode, Zeroizing<Vec<u8>>),
    Replace(PkiPath, FileMode, Zeroizing<Vec<u8>>),
    AppendLine(PkiPath, String),
    ReviseLine(PkiPath, String, String),
    Move(PkiPath, PkiPath),
    Remove(PkiPath),
}

impl ChangeSet {
    /// Makes sure that a directory exists.
    pub(crate) fn directory(&mut self, path: PkiPath) {
        self.changes.push(Change::MakeDirectory(path));
    }

    /// A file that must not exist yet.
    pub(crate) fn create(&mut self, path: PkiPath, mode: FileMode, content: impl Into<Vec<u8>>) {
        self.changes
            .push(Change::Create(path, mode, Zeroizing::new(content.into())));
    }

    /// A file with this content, whether or not there was one.
    pub(crate) fn replace(&mut self, path: PkiPath, mode: FileMode, content: impl Into<Vec<u8>>) {
        self.changes
            .push(Change::Replace(path, mode, Zeroizing::new(content.into())));
    }

    /// One more line (given without its end) in an existing file, which is not rewritten for it.
    pub(crate) fn append_line(&mut self, path: PkiPath, line: String) {
        self.changes.push(Change::AppendLine(path, line));
    }

    /// Another line (without its end) in the place of the first equal one.
    pub(crate) fn revise_line(&mut self, path: PkiPath, old: String, new: String) {
        self.changes.push(Change::ReviseLine(path, old, new));
    }

    /// A file that exists gets a place where none may be.
    pub(crate) fn move_file(&mut self, from: PkiPath, to: PkiPath) {
        self.changes.push(Change::Move(from, to));
    }

    /// A file that shall not exist any more.
    pub(crate) fn remove(&mut self, path: PkiPath) {
        self.changes.push(Change::Remove(path));
    }
}

/// Makes all changes or none; the caller holds the lock and has recovered.
pub(super) fn commit(disk: &dyn Disk, changes: ChangeSet) -> Result<(), StoreError> {
    let planned = Planned::new(disk, changes)?;
    let intent = journal::intent(&planned.steps);
    let staged = write_intent(disk, &intent)
        .and_then(|()| planned.stage(disk))
        .and_then(|()| write_commit(disk, &intent));
    match staged {
        Ok(()) => publish(disk, &planned.steps, Run::First).map_err(StoreError::after_commit),
        Err(failure @ StoreError::Unfinished { .. }) => Err(failure),
        Err(failure) => {
            // What cannot be undone now is undone by the next command; the failure itself is what matters here.
            let _ = undo(disk, &planned.steps);
            Err(failure)
        }
    }
}

/// Completes or undoes what an interrupted command left; does nothing if there is nothing.
pub(super) fn recover(disk: &dyn Disk) -> Result<(), StoreError> {
    let path = layout::journal();
    let Some(record) = disk.read(&path).map_err(failed(disk, "read", &path))? else {
        return Ok(());
    };
    match journal::parse(&record) {
        Found::Torn => undo(disk, &[]),
        Found::Intended(steps) => undo(disk, &steps),
        Found::Committed(steps) => publish(disk, &steps, Run::Recovery),
        Found::Foreign => Err(StoreError::ForeignJournal {
            journal: disk.root().join(path.as_str()),
        }),
    }
}

/// Steps to record, and the contents to stage for them.
struct Planned {
    steps: Vec<Step>,
    staged: Vec<(PkiPath, FileMode, Zeroizing<Vec<u8>>)>,
}

impl Planned {
    fn new(disk: &dyn Disk, changes: ChangeSet) -> Result<Self, StoreError> {
        let mut planned = Self {
            steps: Vec::with_capacity(changes.changes.len()),
            staged: Vec::new(),
        };
        for change in changes.changes {
            planned.add(disk, change)?;
        }
        Ok(planned)
    }

    /// Checks what the change takes for granted and works out its content.
    fn add(&mut self, disk: &dyn Disk, change: Change) -> Result<(), StoreError> {
        match change {
            Change::MakeDirectory(path) => {
                if !exists(disk, &path)? {
                    self.steps.push(Step::MakeDirectory(path));
                }
            }
            Change::Create(path, mode, content) => {
                refuse_existing(disk, &path)?;
                self.staged.push((path.clone(), mode, content));
                self.steps.push(Step::Create(path, mode));
            }
            Change::Replace(path, mode, content) => {
                self.staged.push((path.clone(), mode, content));
                self.steps.push(Step::Replace(path, mode));
            }
            Change::AppendLine(path, line) => {
                let offset = end_of_lines(disk, &path)?;
                self.steps.push(Step::AppendLine { path, offset, line });
            }
            Change::ReviseLine(path, old, new) => {
                let content = revised(disk, &path, &old, &new)?.ok_or_else(|| line_is_gone(disk, &path))?;
                self.staged
                    .push((path.clone(), FileMode::Private, Zeroizing::new(content)));
                self.steps.push(Step::ReviseLine { path, old, new });
            }
            Change::Move(from, to) => {
                refuse_existing(disk, &to)?;
                self.steps.push(Step::Move(from, to));
            }
            Change::Remove(path) => self.steps.push(Step::Remove(path)),
        }
        Ok(())
    }

    /// Writes whatever needs space.
    fn stage(&self, disk: &dyn Disk) -> Result<(), StoreError> {
        for step in &self.steps {
            match step {
                Step::MakeDirectory(path) => disk.make_directory(path).map_err(failed(disk, "make", path))?,
                Step::AppendLine { path, offset, line } => {
                    let length = octets(line.len() + 2);
                    disk.reserve(path, *offset, length)
                        .map_err(failed(disk, "write", path))?;
                }
                Step::Create(..)
                | Step::Replace(..)
                | Step::ReviseLine { .. }
                | Step::Move(..)
                | Step::Remove(..) => {}
            }
        }
        for (path, mode, content) in &self.staged {
            write_staged(disk, path, *mode, content)?;
        }
        for (path, ..) in &self.staged {
            let staged = path.staged();
            disk.sync(&staged).map_err(failed(disk, "write", path))?;
        }
        Ok(())
    }
}

fn write_intent(disk: &dyn Disk, intent: &[u8]) -> Result<(), StoreError> {
    let path = layout::journal();
    disk.create(&path, FileMode::Private, intent)
        .and_then(|()| disk.sync(&path))
        .and_then(|()| disk.sync_directory(""))
        .map_err(failed(disk, "write", &path))
}

fn write_commit(disk: &dyn Disk, intent: &[u8]) -> Result<(), StoreError> {
    let path = layout::journal();
    let line = journal::commit(intent);
    disk.write_at(&path, octets(intent.len()), line.as_bytes())
        .map_err(failed(disk, "write", &path))?;
    // The line is written: from here on only the disk knows whether it will last, so nothing may be undone.
    disk.sync(&path)
        .map_err(failed(disk, "write", &path))
        .map_err(StoreError::after_commit)
}

/// What a leftover of our own may stand in the way of is replaced; anything else cannot bear such a name.
fn write_staged(disk: &dyn Disk, path: &PkiPath, mode: FileMode, content: &[u8]) -> Result<(), StoreError> {
    let staged = path.staged();
    match disk.create(&staged, mode, content) {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => disk
            .remove(&staged)
            .and_then(|()| disk.create(&staged, mode, content))
            .map_err(failed(disk, "write", path)),
        outcome => outcome.map_err(failed(disk, "write", path)),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    /// Nothing of the change is visible yet.
    First,
    /// Any part of the change may be visible already.
    Recovery,
}

/// Makes a decided change visible and durable.
fn publish(disk: &dyn Disk, steps: &[Step], run: Run) -> Result<(), StoreError> {
    for step in steps {
        publish_step(disk, step, run)?;
    }
    for step in steps {
        if let Step::AppendLine { path, .. } = step {
            disk.sync(path).map_err(failed(disk, "write", path))?;
        }
    }
    finish(disk, steps)
}

fn publish_step(disk: &dyn Disk, step: &Step, run: Run) -> Result<(), StoreError> {
    match step {
        Step::MakeDirectory(path) => disk.make_directory(path).map_err(failed(disk, "make", path)),
        Step::Create(path, _) | Step::Replace(path, _) => rename_if_there(disk, &path.staged(), path, run),
        Step::AppendLine { path, offset, line } => append_line(disk, path, *offset, line, run),
        Step::ReviseLine { path, .. } if run == Run::First => {
            rename_if_there(disk, &path.staged(), path, run)
        }
        Step::ReviseLine { path, old, new } => revise_again(disk, path, old, new),
        Step::Move(from, to) => rename_if_there(disk, from, to, run),
        Step::Remove(path) => disk.remove(path).map_err(failed(disk, "remove", path)),
    }
}

/// In a recovery a file that is not there any more has reached its place before.
fn rename_if_there(disk: &dyn Disk, from: &PkiPath, to: &PkiPath, run: Run) -> Result<(), StoreError> {
    if run == Run::Recovery && !exists(disk, from)? {
        return Ok(());
    }
    disk.rename(from, to).map_err(failed(disk, "write", to))
}

/// Another program may have changed the file between crash and recovery, so the line is looked for, and a beginning
/// of it that was written last is cut off.
fn append_line(disk: &dyn Disk, path: &PkiPath, offset: u64, line: &str, run: Run) -> Result<(), StoreError> {
    let on_failure = failed(disk, "write", path);
    let mut offset = offset;
    let mut text = format!("{line}\n");
    if !ends_with_newline(disk, path, offset)? {
        text.insert(0, '\n');
    }
    if run == Run::Recovery {
        let content = disk
            .read(path)
            .map_err(failed(disk, "read", path))?
            .unwrap_or_default();
        if content
            .split(|octet| *octet == b'\n')
            .any(|existing| existing == line.as_bytes())
        {
            return Ok(());
        }
        let tail = usize::try_from(offset)
            .ok()
            .and_then(|offset| content.get(offset..));
        if tail.is_some_and(|tail| text.as_bytes().starts_with(tail)) {
            disk.truncate(path, offset).map_err(failed(disk, "write", path))?;
        } else {
            offset = octets(content.len());
            text = format!("{}{line}\n", if content.ends_with(b"\n") { "" } else { "\n" });
        }
    }
    disk.write_at(path, offset, text.as_bytes()).map_err(on_failure)
}

/// The staged content may be older than what another program wrote since, so the revision is worked out again.
fn revise_again(disk: &dyn Disk, path: &PkiPath, old: &str, new: &str) -> Result<(), StoreError> {
    let Some(content) = revised(disk, path, old, new)? else {
        let staged = path.staged();
        return disk.remove(&staged).map_err(failed(disk, "remove", path));
    };
    write_staged(disk, path, FileMode::Private, &content)?;
    let staged = path.staged();
    disk.sync(&staged)
        .and_then(|()| disk.rename(&staged, path))
        .map_err(failed(disk, "write", path))
}

/// Takes back what was staged, and the directories that were made for it.
fn undo(disk: &dyn Disk, steps: &[Step]) -> Result<(), StoreError> {
    for step in steps {
        match step {
            Step::Create(path, _) | Step::Replace(path, _) | Step::ReviseLine { path, .. } => {
                disk.remove(&path.staged())
                    .map_err(failed(disk, "remove", path))?;
            }
            Step::AppendLine { path, offset, .. } => give_reserved_space_back(disk, path, *offset)?,
            Step::MakeDirectory(_) | Step::Move(..) | Step::Remove(_) => {}
        }
    }
    for step in steps.iter().rev() {
        if let Step::MakeDirectory(path) = step {
            disk.remove_directory_if_empty(path)
                .map_err(failed(disk, "remove", path))?;
        }
    }
    finish(disk, steps)
}

fn give_reserved_space_back(disk: &dyn Disk, path: &PkiPath, offset: u64) -> Result<(), StoreError> {
    let length = disk.length(path).map_err(failed(disk, "look at", path))?;
    if length == Some(offset) {
        disk.truncate(path, offset).map_err(failed(disk, "write", path))?;
    }
    Ok(())
}

/// Waits until everything has reached the disk, then lets go of the journal.
fn finish(disk: &dyn Disk, steps: &[Step]) -> Result<(), StoreError> {
    let path = layout::journal();
    for directory in touched_directories(steps) {
        match disk.sync_directory(&directory) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            outcome => outcome.map_err(failed(disk, "write", &path))?,
        }
    }
    disk.remove(&path)
        .and_then(|()| disk.sync_directory(""))
        .map_err(failed(disk, "remove", &path))
}

fn touched_directories(steps: &[Step]) -> BTreeSet<String> {
    let parent = |path: &PkiPath| path.split().0.to_owned();
    steps
        .iter()
        .flat_map(|step| match step {
            Step::MakeDirectory(path) => vec![parent(path), path.as_str().to_owned()],
            Step::Create(path, _)
            | Step::Replace(path, _)
            | Step::ReviseLine { path, .. }
            | Step::Remove(path) => {
                vec![parent(path)]
            }
            Step::Move(from, to) => vec![parent(from), parent(to)],
            Step::AppendLine { .. } => Vec::new(),
        })
        .collect()
}

/// The content with its first line `old` replaced by `new`; `None` if there is no such line.
fn revised(disk: &dyn Disk, path: &PkiPath, old: &str, new: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let content = disk
        .read(path)
        .map_err(failed(disk, "read", path))?
        .unwrap_or_default();
    let finder = memchr::memmem::Finder::new(old.as_bytes());
    let is_whole_line = |at: &usize| {
        let after = content.get(at + old.len());
        (*at == 0 || content[at - 1] == b'\n') && matches!(after, None | Some(b'\n'))
    };
    let Some(at) = finder.find_iter(&content).find(is_whole_line) else {
        return Ok(None);
    };
    let mut revised = Vec::with_capacity(content.len() + new.len());
    revised.extend_from_slice(&content[..at]);
    revised.extend_from_slice(new.as_bytes());
    revised.extend_from_slice(&content[at + old.len()..]);
    Ok(Some(revised))
}

fn end_of_lines(disk: &dyn Disk, path: &PkiPath) -> Result<u64, StoreError> {
    let length = disk.length(path).map_err(failed(disk, "look at", path))?;
    length.ok_or_else(|| {
        StoreError::io(
            "write",
            disk.root().join(path.as_str()),
            io::ErrorKind::NotFound.into(),
        )
    })
}

fn ends_with_newline(disk: &dyn Disk, path: &PkiPath, length: u64) -> Result<bool, StoreError> {
    let Some(last) = length.checked_sub(1) else {
        return Ok(true);
    };
    let octet = disk
        .read_range(path, last, 1)
        .map_err(failed(disk, "read", path))?;
    Ok(octet.is_none_or(|octet| octet == b"\n"))
}

fn exists(disk: &dyn Disk, path: &PkiPath) -> Result<bool, StoreError> {
    disk.exists(path).map_err(failed(disk, "look at", path))
}

fn refuse_existing(disk: &dyn Disk, path: &PkiPath) -> Result<(), StoreError> {
    if exists(disk, path)? {
        return Err(failed(disk, "make", path)(io::ErrorKind::AlreadyExists.into()));
    }
    Ok(())
}

fn line_is_gone(disk: &dyn Disk, path: &PkiPath) -> StoreError {
    failed(disk, "find the row in", path)(io::ErrorKind::NotFound.into())
}

fn failed(
    disk: &dyn Disk,
    operation: &'static str,
    path: &PkiPath,
) -> impl Fn(io::Error) -> StoreError + use<> {
    let full_path = disk.root().join(path.as_str());
    move |cause| StoreError::io(operation, full_path.clone(), cause)
}

fn octets(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
