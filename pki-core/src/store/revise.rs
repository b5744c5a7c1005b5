//! Another line in the place of one line: what has to be written for it, and how a crash in between is made good.
//!
//! A line of the same length is written in place. Otherwise the whole file is written anew and put into its place; in a large file, a line near the end is replaced in
//! place instead: only it and the lines after it are written, and the journal holds them until that is durable. A line
//! far from the end of a large file still costs a copy of the file, which the kernel makes: the format has no room for
//! a longer row, and rows that move would surprise those who read the file.

use super::disk::{Disk, FileMode, LineChange};
use super::error::StoreError;
use super::journal::{LINE_SEPARATOR, Tail};
use super::path::PkiPath;
use super::publish::{failed, octets, write_revised};
use super::search::find_line;

/// What has to be written.
pub(super) enum Revision {
    /// The whole content, with this change.
    Whole(LineChange),
    /// The lines from `offset` on, or only the first of them if it is as long as the one before it.
    Tail { offset: u64, tail: Tail },
}

/// Finds an equal line, `near` or anywhere, and works out what to write; `None` if there is no such line.
pub(super) fn plan(
    disk: &dyn Disk,
    path: &PkiPath,
    near: u64,
    old: &str,
    new: &str,
) -> Result<Option<Revision>, StoreError> {
    if old.len() == new.len() {
        let in_place = |LineChange { offset, new, .. }| Revision::Tail { offset, tail: Tail(vec![new]) };
        return Ok(change(disk, path, near, old, new)?.map(in_place));
    }
    let length = disk.length(path).map_err(failed(disk, "look at", path))?.unwrap_or_default();
    if length >= LARGE_FILE
        && let Some(revision) = plan_tail(disk, path, length, old, new)?
    {
        return Ok(Some(revision));
    }
    Ok(change(disk, path, near, old, new)?.map(Revision::Whole))
}

fn plan_tail(
    disk: &dyn Disk,
    path: &PkiPath,
    length: u64,
    old: &str,
    new: &str,
) -> Result<Option<Revision>, StoreError> {
    let begin = length.saturating_sub(octets(LONGEST_TAIL));
    let window = disk.read_range(path, begin, LONGEST_TAIL).map_err(failed(disk, "read", path))?;
    let window = window.unwrap_or_default();
    let Some(at) = position_of_line(&window, old) else {
        return Ok(None);
    };
    let tail = std::str::from_utf8(&window[at..]).ok().filter(|tail| !tail.contains(LINE_SEPARATOR));
    Ok(tail.map(|tail| {
        let tail = Tail(tail.split('\n').map(str::to_owned).collect());
        Revision::Tail { offset: begin + octets(at), tail: tail.with_first(new) }
    }))
}

/// Writes the end of a file in place.
pub(super) fn write_tail(
    disk: &dyn Disk,
    path: &PkiPath,
    offset: u64,
    tail: &Tail,
) -> Result<(), StoreError> {
    disk.write_at(path, offset, tail.text().as_bytes()).map_err(failed(disk, "write", path))
}

/// The end of the file may be as it was, as it shall be, or a mixture of both; or another program has changed the file
/// since, and then only the line itself is looked for.
pub(super) fn tail_again(
    disk: &dyn Disk,
    path: &PkiPath,
    offset: u64,
    old: &str,
    tail: &Tail,
) -> Result<(), StoreError> {
    let (before, after) = (tail.with_first(old).text(), tail.text());
    let is_one_line = tail.0.len() == 1 && before.len() == after.len();
    let longest = before.len().max(after.len()) + usize::from(!is_one_line);
    let found = disk.read_range(path, offset, longest).map_err(failed(disk, "read", path))?;
    if is_mixture(&found.unwrap_or_default(), before.as_bytes(), after.as_bytes()) {
        return write_tail(disk, path, offset, tail);
    }
    whole_again(disk, path, old, tail.first())
}

/// The staged content may be older than what another program wrote since, so the revision is worked out again.
pub(super) fn whole_again(disk: &dyn Disk, path: &PkiPath, old: &str, new: &str) -> Result<(), StoreError> {
    let staged = path.staged();
    let Some(change) = change(disk, path, 0, old, new)? else {
        return disk.remove(&staged).map_err(failed(disk, "remove", path));
    };
    write_revised(disk, path, FileMode::Private, &change)?;
    disk.sync(&staged).and_then(|()| disk.rename(&staged, path)).map_err(failed(disk, "write", path))
}

/// Where the line `old` stands, to become `new`; `None` if there is no such line.
fn change(
    disk: &dyn Disk,
    path: &PkiPath,
    near: u64,
    old: &str,
    new: &str,
) -> Result<Option<LineChange>, StoreError> {
    let search = |begin| find_line(disk, path, begin, old.as_bytes(), |line| line == old.as_bytes());
    let is_line_start =
        near == 0 || disk.read_range(path, near - 1, 1).is_ok_and(|octet| octet.as_deref() == Some(b"\n"));
    let nearby = if is_line_start { search(near) } else { Ok(None) };
    let found = match nearby {
        Ok(None) if near > 0 => search(0),
        outcome => outcome,
    };
    let found = found.map_err(failed(disk, "read", path))?;
    Ok(found.map(|line| LineChange { offset: line.offset, old: old.to_owned(), new: new.to_owned() }))
}

/// Where a whole line stands that is not the first one of the text.
fn position_of_line(text: &[u8], line: &str) -> Option<usize> {
    let is_whole_line = |at: &usize| {
        *at > 0 && text[at - 1] == b'\n' && matches!(text.get(at + line.len()), None | Some(b'\n'))
    };
    memchr::memmem::find_iter(text, line.as_bytes()).find(is_whole_line)
}

/// Whether every octet is one of the two texts', or a zero where the file has grown.
fn is_mixture(found: &[u8], before: &[u8], after: &[u8]) -> bool {
    let shortest = before.len().min(after.len());
    let is_either = |(at, octet): (usize, &u8)| {
        before.get(at) == Some(octet) || after.get(at) == Some(octet) || at >= shortest && *octet == 0
    };
    (shortest..=before.len().max(after.len())).contains(&found.len())
        && found.iter().enumerate().all(is_either)
}

/// From this size on, writing the whole file for one line is felt.
const LARGE_FILE: u64 = 1 << 20;

/// The most that is written in place.
const LONGEST_TAIL: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use super::super::publish::recover;
    use super::super::simulated_disk::{Crash, Fault, SimulatedDisk};
    use super::super::transaction::{ChangeSet, commit};
    use super::*;

    const OLD: &str = "V\t480707074218Z\t\tAB\tunknown\t/CN=old";
    const NEW: &str = "R\t480707074218Z\t261120074218Z,keyCompromise\tAB\tunknown\t/CN=old";
    const FOREIGN: &[u8] = b"V\t480707074218Z\t\tFE\tunknown\t/CN=foreign\n";

    fn path() -> PkiPath {
        PkiPath::parse("index.txt").unwrap()
    }

    /// More than a mebibyte of rows, the one to revise among the last.
    fn index_with(line: &str) -> String {
        let row = |number: usize| format!("V\t480707074218Z\t\t{number:06X}\tunknown\t/CN=client{number}\n");
        let rows: String = (0..30_000).map(row).collect();
        format!("{rows}{line}\n{}", (30_000..30_200).map(row).collect::<String>())
    }

    fn disk() -> SimulatedDisk {
        SimulatedDisk::with(&[("index.txt", &index_with(OLD))], &[])
    }

    fn revision() -> ChangeSet {
        let mut changes = ChangeSet::default();
        changes.revise_line(path(), 0, OLD.into(), NEW.into());
        changes
    }

    fn content(disk: &SimulatedDisk) -> String {
        String::from_utf8(disk.read(&path()).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn a_line_near_the_end_of_a_large_file_is_replaced_in_place() {
        let disk = disk();
        let planned = plan(&disk, &path(), 0, OLD, NEW).unwrap().unwrap();
        assert!(matches!(planned, Revision::Tail { tail, .. } if tail.text().len() < 20_000));
        commit(&disk, revision()).unwrap();
        assert!(content(&disk) == index_with(NEW));
        assert_eq!(disk.tree().len(), 1);
    }

    #[test]
    fn a_line_of_the_same_length_is_replaced_in_place_wherever_it_stands() {
        let ended = OLD.replacen('V', "E", 1);
        let both = format!("{OLD}1\nsome row\n{OLD}2\n");
        let mut changes = ChangeSet::default();
        for line in ["1", "2"] {
            changes.revise_line(path(), 3, format!("{OLD}{line}"), format!("{ended}{line}"));
        }
        let disk = SimulatedDisk::with(&[("index.txt", &both)], &[]);
        commit(&disk, changes).unwrap();
        assert_eq!(content(&disk), both.replace(OLD, &ended));
        assert_eq!(disk.tree().len(), 1);
    }

    #[test]
    fn pki_04_a_crash_while_lines_are_replaced_in_place_leaves_each_old_or_new() {
        let rows = |status| format!("{status}\tone\nrow\n{status}\ttwo\nlast\n");
        let revision = || {
            let mut changes = ChangeSet::default();
            for name in ["one", "two"] {
                changes.revise_line(path(), 0, format!("V\t{name}"), format!("E\t{name}"));
            }
            changes
        };
        let disk = || SimulatedDisk::with(&[("index.txt", &rows("V"))], &[]);
        let undisturbed = disk();
        commit(&undisturbed, revision()).unwrap();
        for step in 0..undisturbed.steps() {
            let broken = disk().with_fault(Fault::KilledAt(step));
            assert!(commit(&broken, revision()).is_err());
            for crash in
                [Crash::Kill, Crash::PowerLosesAll, Crash::PowerLosesSome(1), Crash::PowerLosesSome(2)]
            {
                let survivor = broken.after(crash);
                recover(&survivor).unwrap();
                let found = content(&survivor);
                assert!(found == rows("V") || found == rows("E"), "step {step}, {crash:?}: {found}");
            }
        }
    }

    #[test]
    fn a_line_far_from_the_end_and_a_line_of_a_small_file_move_the_whole_file() {
        let far = "V\t480707074218Z\t\t000005\tunknown\t/CN=client5";
        assert!(matches!(plan(&disk(), &path(), 0, far, NEW), Ok(Some(Revision::Whole(_)))));
        let small = SimulatedDisk::with(&[("index.txt", &format!("{OLD}\n"))], &[]);
        assert!(matches!(plan(&small, &path(), 0, OLD, NEW), Ok(Some(Revision::Whole(_)))));
    }

    #[test]
    fn pki_04_a_crash_while_a_tail_is_written_leaves_the_old_or_the_new_line() {
        let (before, after) = (index_with(OLD), index_with(NEW));
        let undisturbed = disk();
        commit(&undisturbed, revision()).unwrap();
        let mut outcomes = std::collections::BTreeSet::new();
        for step in 0..undisturbed.steps() {
            let broken = disk().with_fault(Fault::KilledAt(step));
            assert!(commit(&broken, revision()).is_err());
            let some = (1..12).map(Crash::PowerLosesSome);
            for crash in
                [Crash::Kill, Crash::PowerLosesAll, Crash::PowerLosesContents].into_iter().chain(some)
            {
                let survivor = broken.after(crash);
                recover(&survivor).unwrap();
                let found = content(&survivor);
                assert!(found == before || found == after, "step {step}, {crash:?}");
                assert_eq!(survivor.tree().len(), 1, "step {step}, {crash:?}");
                outcomes.insert(found == after);
            }
        }
        assert_eq!(outcomes.len(), 2);
    }

    #[test]
    fn pki_09_rows_that_another_program_added_to_a_half_written_tail_survive() {
        let undisturbed = disk();
        commit(&undisturbed, revision()).unwrap();
        for step in 0..undisturbed.steps() {
            let broken = disk().with_fault(Fault::KilledAt(step));
            assert!(commit(&broken, revision()).is_err());
            let survivor = broken.after(Crash::Kill);
            let before = content(&survivor);
            let is_whole = before == index_with(OLD) || before == index_with(NEW);
            if !is_whole {
                continue;
            }
            survivor.write_at(&path(), octets(before.len()), FOREIGN).unwrap();
            recover(&survivor).unwrap();
            let found = content(&survivor);
            assert!(found.as_bytes().ends_with(FOREIGN), "step {step}");
            assert_eq!(found.lines().count(), before.lines().count() + 1, "step {step}");
        }
    }

    #[test]
    fn pki_07_a_full_disk_is_found_before_a_tail_is_touched() {
        let undisturbed = disk();
        commit(&undisturbed, revision()).unwrap();
        for step in 0..undisturbed.steps() {
            let full = disk().with_fault(Fault::FullAt(step));
            let expected = if commit(&full, revision()).is_ok() { NEW } else { OLD };
            assert!(content(&full) == index_with(expected), "step {step}");
        }
    }
}
