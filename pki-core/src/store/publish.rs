//! Making a decided change visible, taking an undecided one back, and finding out which of the two is due.
//!
//! Everything here can be interrupted and done again: a step finds out by itself whether it has been done.

use std::collections::BTreeSet;
use std::io;

use super::disk::{Disk, FileMode, LineChange, Unsynced};
use super::error::StoreError;
use super::journal::{self, Found, Step};
use super::layout;
use super::path::PkiPath;
use super::revise;

/// Whether parts of the change may be visible already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// Nothing of it is.
    First,
    /// Any part of it may be, and other programs may have been at work since.
    Recovery,
}

/// Completes or undoes what an interrupted command left; does nothing if there is nothing.
pub(super) fn recover(disk: &dyn Disk) -> Result<(), StoreError> {
    let path = layout::journal();
    let Some(record) = disk.read(&path).map_err(failed(disk, "read", &path))? else {
        return Ok(());
    };
    // A commit line that only the page cache knows must not be acted on: a power cut could still take it back.
    disk.sync(&path).map_err(failed(disk, "read", &path))?;
    match journal::parse(&record) {
        Found::Torn => undo(disk, &[]),
        Found::Intended(steps) => undo(disk, &steps),
        Found::Committed(steps) => publish(disk, &steps, Run::Recovery),
        Found::Foreign => Err(StoreError::ForeignJournal { journal: disk.root().join(path.as_str()) }),
    }
}

/// Makes a decided change visible and durable.
pub(super) fn publish(disk: &dyn Disk, steps: &[Step], run: Run) -> Result<(), StoreError> {
    for step in steps {
        publish_step(disk, step, run)?;
    }
    sync_all(disk, written_in_place(steps).into_iter().chain(touched_directories(steps)))?;
    drop_journal(disk)
}

/// Takes back what was staged, and the directories that were made for it.
pub(super) fn undo(disk: &dyn Disk, steps: &[Step]) -> Result<(), StoreError> {
    for step in steps {
        match step {
            Step::Create(path, _) | Step::Replace(path, _) | Step::ReviseLine { path, .. } => {
                disk.remove(&path.staged()).map_err(failed(disk, "remove", path))?;
            }
            Step::ReviseTail { path, .. } => {
                let length = disk.length(path).map_err(failed(disk, "look at", path))?;
                give_reserved_space_back(disk, path, length.unwrap_or_default())?;
            }
            Step::AppendLines { path, offset, .. } => give_reserved_space_back(disk, path, *offset)?,
            Step::MakeDirectory(_) | Step::Move(..) | Step::Remove(_) => {}
        }
    }
    for step in steps.iter().rev() {
        if let Step::MakeDirectory(path) = step {
            disk.remove_directory_if_empty(path).map_err(failed(disk, "remove", path))?;
        }
    }
    let directories = directories_of_staged(steps).into_iter();
    let is_there = |directory: &Unsynced| {
        PkiPath::parse(directory.as_str()).is_none_or(|path| disk.exists(&path).unwrap_or(true))
    };
    sync_all(disk, directories.filter(is_there))?;
    drop_journal(disk)
}

fn publish_step(disk: &dyn Disk, step: &Step, run: Run) -> Result<(), StoreError> {
    match (step, run) {
        // Directories are made durably before the commit.
        (Step::MakeDirectory(_), _) => Ok(()),
        (Step::Create(path, _) | Step::Replace(path, _), _) => put(disk, &path.staged(), path, run),
        (Step::AppendLines { path, offset, lines }, Run::First) => append_lines(disk, path, *offset, lines),
        (Step::AppendLines { path, offset, lines }, Run::Recovery) => {
            append_lines_again(disk, path, *offset, lines)
        }
        (Step::ReviseLine { path, .. }, Run::First) => put(disk, &path.staged(), path, run),
        (Step::ReviseLine { path, old, new }, Run::Recovery) => revise::whole_again(disk, path, old, new),
        (Step::ReviseTail { path, offset, tail, .. }, Run::First) => {
            revise::write_tail(disk, path, *offset, tail)
        }
        (Step::ReviseTail { path, offset, old, tail }, Run::Recovery) => {
            revise::tail_again(disk, path, *offset, old, tail)
        }
        (Step::Move(from, to), _) => put(disk, from, to, run),
        (Step::Remove(path), _) => disk.remove(path).map_err(failed(disk, "remove", path)),
    }
}

/// In a recovery, a file that is not there any more has reached its place before.
fn put(disk: &dyn Disk, from: &PkiPath, to: &PkiPath, run: Run) -> Result<(), StoreError> {
    if run == Run::Recovery && !exists(disk, from)? {
        return Ok(());
    }
    disk.rename(from, to).map_err(failed(disk, "write", to))
}

fn append_lines(disk: &dyn Disk, path: &PkiPath, offset: u64, lines: &[String]) -> Result<(), StoreError> {
    let last = match offset.checked_sub(1) {
        Some(last) => disk.read_range(path, last, 1).map_err(failed(disk, "read", path))?,
        None => None,
    };
    let is_line_open = last.is_some_and(|octet| octet != b"\n");
    let text = format!("{}{}", if is_line_open { "\n" } else { "" }, terminated(lines));
    disk.write_at(path, offset, text.as_bytes()).map_err(failed(disk, "write", path))
}

/// The lines may be there, or the beginning of them, or rows of another program where they should have gone.
fn append_lines_again(
    disk: &dyn Disk,
    path: &PkiPath,
    offset: u64,
    lines: &[String],
) -> Result<(), StoreError> {
    let content = disk.read(path).map_err(failed(disk, "read", path))?.unwrap_or_default();
    let tail = usize::try_from(offset).ok().and_then(|offset| content.get(offset..)).unwrap_or_default();
    if is_torn_text(tail, &terminated(lines)) {
        disk.truncate(path, offset).map_err(failed(disk, "write", path))?;
        return append_lines(disk, path, offset, lines);
    }
    let present: BTreeSet<&[u8]> = content.split(|octet| *octet == b'\n').collect();
    let missing: Vec<String> =
        lines.iter().filter(|line| !present.contains(line.as_bytes())).cloned().collect();
    // With nothing missing this still ends the last line, which the next row would continue otherwise.
    append_lines(disk, path, octets(content.len()), &missing)
}

fn terminated(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

/// What a power cut leaves of an appended text: a beginning of it, some of it possibly zeros.
fn is_torn_text(tail: &[u8], text: &str) -> bool {
    let matches = |text: &str| {
        tail.len() <= text.len()
            && tail.iter().zip(text.as_bytes()).all(|(found, meant)| found == meant || *found == 0)
    };
    matches(text) || matches(&format!("\n{text}"))
}

/// Writes a content beside its target.
pub(super) fn write_staged(
    disk: &dyn Disk,
    target: &PkiPath,
    mode: FileMode,
    content: &[u8],
) -> Result<(), StoreError> {
    make_staged(disk, target, |staged| disk.create(staged, mode, content))
}

/// Writes a file with a changed line beside it.
pub(super) fn write_revised(
    disk: &dyn Disk,
    target: &PkiPath,
    mode: FileMode,
    change: &LineChange,
) -> Result<(), StoreError> {
    make_staged(disk, target, |staged| disk.create_revised(staged, mode, target, change))
}

/// A leftover of our own in that place is replaced; nothing else bears such a name.
fn make_staged(
    disk: &dyn Disk,
    target: &PkiPath,
    make: impl Fn(&PkiPath) -> io::Result<()>,
) -> Result<(), StoreError> {
    let staged = target.staged();
    let made = match make(&staged) {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
            disk.remove(&staged).and_then(|()| make(&staged))
        }
        outcome => outcome,
    };
    made.map_err(failed(disk, "write", target))
}

fn give_reserved_space_back(disk: &dyn Disk, path: &PkiPath, offset: u64) -> Result<(), StoreError> {
    let length = disk.length(path).map_err(failed(disk, "look at", path))?;
    if length == Some(offset) {
        disk.truncate(path, offset).map_err(failed(disk, "write", path))?;
    }
    Ok(())
}

/// A journal that a power cut brings back is found to be done, so nobody waits for the disk here.
fn drop_journal(disk: &dyn Disk) -> Result<(), StoreError> {
    let path = layout::journal();
    disk.remove(&path).map_err(failed(disk, "remove", &path))
}

pub(super) fn sync_all(
    disk: &dyn Disk,
    targets: impl IntoIterator<Item = Unsynced>,
) -> Result<(), StoreError> {
    let targets: Vec<Unsynced> = targets.into_iter().collect();
    disk.sync_all(&targets)
        .map_err(|(target, cause)| StoreError::io("write", disk.root().join(target.as_str()), cause))
}

/// Files whose content changes after the commit.
fn written_in_place(steps: &[Step]) -> BTreeSet<Unsynced> {
    let paths = steps.iter().filter_map(|step| match step {
        Step::AppendLines { path, .. } | Step::ReviseTail { path, .. } => Some(path),
        Step::MakeDirectory(_)
        | Step::Create(..)
        | Step::Replace(..)
        | Step::ReviseLine { .. }
        | Step::Move(..)
        | Step::Remove(_) => None,
    });
    paths.map(|path| Unsynced::Content(path.clone())).collect()
}

/// Directories whose entries change before the commit.
pub(super) fn directories_of_staged(steps: &[Step]) -> BTreeSet<Unsynced> {
    let paths = steps.iter().filter_map(|step| match step {
        Step::MakeDirectory(path)
        | Step::Create(path, _)
        | Step::Replace(path, _)
        | Step::ReviseLine { path, .. } => Some(path),
        Step::AppendLines { .. } | Step::ReviseTail { .. } | Step::Move(..) | Step::Remove(_) => None,
    });
    paths.map(parent).collect()
}

/// Directories whose entries change after the commit.
fn touched_directories(steps: &[Step]) -> BTreeSet<Unsynced> {
    let paths = steps.iter().flat_map(|step| match step {
        Step::MakeDirectory(path)
        | Step::Create(path, _)
        | Step::Replace(path, _)
        | Step::ReviseLine { path, .. }
        | Step::Remove(path) => [Some(path), None],
        Step::Move(from, to) => [Some(from), Some(to)],
        Step::AppendLines { .. } | Step::ReviseTail { .. } => [None, None],
    });
    paths.flatten().map(parent).collect()
}

fn parent(path: &PkiPath) -> Unsynced {
    Unsynced::Entries(path.split().0.to_owned())
}

pub(super) fn exists(disk: &dyn Disk, path: &PkiPath) -> Result<bool, StoreError> {
    disk.exists(path).map_err(failed(disk, "look at", path))
}

/// Turns what the system said into an error about this file.
pub(super) fn failed(
    disk: &dyn Disk,
    operation: &'static str,
    path: &PkiPath,
) -> impl Fn(io::Error) -> StoreError + use<> {
    let full_path = disk.root().join(path.as_str());
    move |cause| StoreError::io(operation, full_path.clone(), cause)
}

/// A length in memory as a length in a file.
pub(super) fn octets(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
