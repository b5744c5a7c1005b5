//! Changing several files as one.
//!
//! The order of events, each arrow waiting for the disk:
//!
//! 1. the journal with the intent -> 2. staged contents beside their targets -> 3. the commit line ->
//! 4. renames, appends, removals -> 5. the journal goes away.
//!
//! A failure or crash before 3 undoes everything, one after 3 is completed by [`super::publish::recover`]; whatever
//! can run out of space happens before 3.

use std::io;

use zeroize::Zeroizing;

use super::disk::{Disk, FileMode, LineChange, Unsynced};
use super::error::StoreError;
use super::journal::{self, Step};
use super::layout;
use super::path::PkiPath;
use super::publish::{
    Run, directories_of_staged, exists, failed, octets, publish, sync_all, undo, write_revised, write_staged,
};
use super::revise::{self, Revision};

/// What shall be different afterwards, in the order in which it shall become visible.
///
/// The lines of one file may be appended to or revised, not both; several are revised at once only by lines of the same
/// lengths.
#[derive(Default)]
pub(crate) struct ChangeSet {
    changes: Vec<Change>,
}

enum Change {
    MakeDirectory(PkiPath),
    Create(PkiPath, FileMode, Content),
    Replace(PkiPath, FileMode, Content),
    AppendLine(PkiPath, String),
    ReviseLine { path: PkiPath, near: u64, old: String, new: String },
    Move(PkiPath, PkiPath),
    Remove(PkiPath),
}

/// What a file shall hold.
enum Content {
    Plain(Vec<u8>),
    Secret(Zeroizing<Vec<u8>>),
    /// What it holds, but for one line.
    Revised(LineChange),
}

impl Content {
    fn stage(&self, disk: &dyn Disk, target: &PkiPath, mode: FileMode) -> Result<(), StoreError> {
        match self {
            Self::Plain(octets) => write_staged(disk, target, mode, octets),
            Self::Secret(octets) => write_staged(disk, target, mode, octets),
            Self::Revised(change) => write_revised(disk, target, mode, change),
        }
    }
}

impl ChangeSet {
    /// Makes sure that a directory exists.
    pub(crate) fn directory(&mut self, path: PkiPath) {
        self.changes.push(Change::MakeDirectory(path));
    }

    /// A file that must not exist yet.
    pub(crate) fn create(&mut self, path: PkiPath, mode: FileMode, content: impl Into<Vec<u8>>) {
        let content = Content::Plain(content.into());
        self.changes.push(Change::Create(path, mode, content));
    }

    /// A file of its owner's that must not exist yet, whose content shall not stay in memory.
    pub(crate) fn create_secret(&mut self, path: PkiPath, content: &str) {
        let content = Content::Secret(Zeroizing::new(content.into()));
        self.changes.push(Change::Create(path, FileMode::Private, content));
    }

    /// A file with this content, whether or not there was one.
    pub(crate) fn replace(&mut self, path: PkiPath, mode: FileMode, content: impl Into<Vec<u8>>) {
        let content = Content::Plain(content.into());
        self.changes.push(Change::Replace(path, mode, content));
    }

    /// The same for a file of its owner's, whose content shall not stay in memory.
    pub(crate) fn replace_secret(&mut self, path: PkiPath, content: Zeroizing<Vec<u8>>) {
        self.changes.push(Change::Replace(path, FileMode::Private, Content::Secret(content)));
    }

    /// [`Self::replace_secret`] for text.
    pub(crate) fn replace_secret_text(&mut self, path: PkiPath, content: &str) {
        self.replace_secret(path, Zeroizing::new(content.into()));
    }

    /// One more line (given without its end) in an existing file, which is not rewritten for it.
    pub(crate) fn append_line(&mut self, path: PkiPath, line: String) {
        self.changes.push(Change::AppendLine(path, line));
    }

    /// Another line (without its end) in the place of an equal one: of the line that begins at `near`, or else of the
    /// first one.
    pub(crate) fn revise_line(&mut self, path: PkiPath, near: u64, old: String, new: String) {
        self.changes.push(Change::ReviseLine { path, near, old, new });
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
    let decided = write_intent(disk, &intent)
        .and_then(|()| planned.stage(disk))
        .and_then(|()| write_commit(disk, &intent));
    match decided {
        Ok(()) => publish(disk, &planned.steps, Run::First).map_err(StoreError::after_commit),
        Err(failure @ StoreError::Unfinished { .. }) => Err(failure),
        Err(failure) => {
            // What cannot be undone now is undone by the next command; the failure itself is what matters here.
            let _ = undo(disk, &planned.steps);
            Err(failure)
        }
    }
}

/// Steps to record, and the contents to stage for them.
struct Planned {
    steps: Vec<Step>,
    staged: Vec<Staged>,
}

struct Staged {
    target: PkiPath,
    mode: FileMode,
    content: Content,
}

impl Planned {
    fn new(disk: &dyn Disk, changes: ChangeSet) -> Result<Self, StoreError> {
        let mut planned = Self { steps: Vec::with_capacity(changes.changes.len()), staged: Vec::new() };
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
                self.stage_later(&path, mode, content);
                self.steps.push(Step::Create(path, mode));
            }
            Change::Replace(path, mode, content) => {
                self.stage_later(&path, mode, content);
                self.steps.push(Step::Replace(path, mode));
            }
            Change::AppendLine(path, line) => self.append(disk, path, line)?,
            Change::ReviseLine { path, near, old, new } => self.revise(disk, path, near, old, new)?,
            Change::Move(from, to) => {
                refuse_existing(disk, &to)?;
                self.steps.push(Step::Move(from, to));
            }
            Change::Remove(path) => self.steps.push(Step::Remove(path)),
        }
        Ok(())
    }

    /// All lines that go to the end of one file are one step.
    fn append(&mut self, disk: &dyn Disk, path: PkiPath, line: String) -> Result<(), StoreError> {
        let appended = self.steps.iter_mut().find_map(|step| match step {
            Step::AppendLines { path: other, lines, .. } if *other == path => Some(lines),
            Step::AppendLines { .. }
            | Step::MakeDirectory(_)
            | Step::Create(..)
            | Step::Replace(..)
            | Step::ReviseLine { .. }
            | Step::ReviseTail { .. }
            | Step::Move(..)
            | Step::Remove(_) => None,
        });
        match appended {
            Some(lines) => lines.push(line),
            None => {
                let offset = length(disk, &path)?;
                self.steps.push(Step::AppendLines { path, offset, lines: vec![line] });
            }
        }
        Ok(())
    }

    fn revise(
        &mut self,
        disk: &dyn Disk,
        path: PkiPath,
        near: u64,
        old: String,
        new: String,
    ) -> Result<(), StoreError> {
        let revision =
            revise::plan(disk, &path, near, &old, &new)?.ok_or_else(|| line_is_gone(disk, &path))?;
        match revision {
            Revision::Whole(change) => {
                self.stage_later(&path, FileMode::Private, Content::Revised(change));
                self.steps.push(Step::ReviseLine { path, old, new });
            }
            Revision::Tail { offset, tail } => {
                self.steps.push(Step::ReviseTail { path, offset, old, tail });
            }
        }
        Ok(())
    }

    fn stage_later(&mut self, target: &PkiPath, mode: FileMode, content: Content) {
        self.staged.push(Staged { target: target.clone(), mode, content });
    }

    /// Does whatever needs space, durably.
    fn stage(&self, disk: &dyn Disk) -> Result<(), StoreError> {
        for step in &self.steps {
            match step {
                Step::MakeDirectory(path) => {
                    disk.make_directory(path).map_err(failed(disk, "make", path))?;
                }
                Step::AppendLines { path, offset, lines } => {
                    let needed = lines.iter().map(|line| line.len() + NEWLINES).sum();
                    disk.reserve(path, *offset, octets(needed)).map_err(failed(disk, "write", path))?;
                }
                Step::ReviseTail { path, tail, .. } => {
                    let end = length(disk, path)?;
                    let growth = octets(tail.first().len());
                    disk.reserve(path, end, growth).map_err(failed(disk, "write", path))?;
                }
                Step::Create(..)
                | Step::Replace(..)
                | Step::ReviseLine { .. }
                | Step::Move(..)
                | Step::Remove(..) => {}
            }
        }
        for Staged { target, mode, content } in &self.staged {
            content.stage(disk, target, *mode)?;
        }
        let contents = self.staged.iter().map(|staged| Unsynced::Content(staged.target.staged()));
        sync_all(disk, contents.chain(directories_of_staged(&self.steps)))
    }
}

fn write_intent(disk: &dyn Disk, intent: &[u8]) -> Result<(), StoreError> {
    let path = layout::journal();
    disk.create(&path, FileMode::Private, intent).map_err(failed(disk, "write", &path))?;
    sync_all(disk, [Unsynced::Content(path), Unsynced::Entries(String::new())])
}

fn write_commit(disk: &dyn Disk, intent: &[u8]) -> Result<(), StoreError> {
    let path = layout::journal();
    let line = journal::commit(intent);
    disk.write_at(&path, octets(intent.len()), line.as_bytes()).map_err(failed(disk, "write", &path))?;
    // The line is written: from here on only the disk knows whether it will last, so nothing may be undone.
    disk.sync(&path).map_err(failed(disk, "write", &path)).map_err(StoreError::after_commit)
}

fn length(disk: &dyn Disk, path: &PkiPath) -> Result<u64, StoreError> {
    let length = disk.length(path).map_err(failed(disk, "look at", path))?;
    length.ok_or_else(|| failed(disk, "write", path)(io::ErrorKind::NotFound.into()))
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

/// The end of the line itself, and one that the line before it may lack.
const NEWLINES: usize = 2;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io;

    use super::super::publish::{octets, recover};
    use super::super::simulated_disk::{Crash, Fault, SimulatedDisk, Tree};
    use super::*;

    const OLD_ROW: &str = "V\t480707074218Z\t\t01\tunknown\t/CN=old";
    const REVOKED_ROW: &str = "R\t480707074218Z\t261120074218Z\t01\tunknown\t/CN=old";
    const NEW_ROW: &str = "V\t480707074218Z\t\t02\tunknown\t/CN=new";

    fn path(text: &str) -> PkiPath {
        PkiPath::parse(text).unwrap()
    }

    fn pki() -> SimulatedDisk {
        let index = format!("{OLD_ROW}\n");
        let files = [
            ("index.txt", index.as_str()),
            ("serial", "02\n"),
            ("issued/old.crt", "old certificate"),
            ("private/old.key", "old key"),
            ("private/old.p12", "old container"),
        ];
        SimulatedDisk::with(&files, &["issued", "private"])
    }

    /// The shape of `build-client-full`.
    fn issue() -> ChangeSet {
        let mut changes = ChangeSet::default();
        changes.replace(path("serial"), FileMode::Private, "03\n");
        changes.append_line(path("index.txt"), NEW_ROW.into());
        changes.create(path("private/new.key"), FileMode::Private, "new key, longer than half of it");
        changes.create(path("issued/new.crt"), FileMode::Private, "new certificate");
        changes
    }

    /// The shape of `revoke` in a PKI that lacks the directories.
    fn revoke() -> ChangeSet {
        let mut changes = ChangeSet::default();
        changes.directory(path("revoked"));
        changes.directory(path("revoked/certs_by_serial"));
        changes.revise_line(path("index.txt"), 0, OLD_ROW.into(), REVOKED_ROW.into());
        changes.move_file(path("issued/old.crt"), path("revoked/certs_by_serial/01.crt"));
        changes.move_file(path("private/old.key"), path("revoked/certs_by_serial/01.key"));
        changes.remove(path("private/old.p12"));
        changes
    }

    /// The shape of `gen-crl`.
    fn publish_list() -> ChangeSet {
        let mut changes = ChangeSet::default();
        changes.replace(path("crl.der"), FileMode::Public, "list");
        changes.replace(path("crl.pem"), FileMode::Public, "armoured list");
        changes
    }

    type Operation = (&'static str, fn() -> ChangeSet);

    const OPERATIONS: [Operation; 3] = [("issue", issue), ("revoke", revoke), ("gen-crl", publish_list)];

    /// The tree before and after an undisturbed operation, and the number of its steps.
    fn undisturbed(operation: fn() -> ChangeSet) -> (Tree, Tree, usize) {
        let disk = pki();
        let before = disk.tree();
        commit(&disk, operation()).unwrap();
        (before, disk.tree(), disk.steps())
    }

    fn crashes() -> impl Iterator<Item = Crash> {
        let fixed = [Crash::Kill, Crash::PowerLosesAll, Crash::PowerLosesContents];
        fixed.into_iter().chain((1..60).map(Crash::PowerLosesSome))
    }

    fn is_old_or_new(found: &Tree, before: &Tree, after: &Tree) -> bool {
        found == before || found == after
    }

    #[test]
    fn an_undisturbed_change_is_durable_and_leaves_nothing_behind() {
        for (name, operation) in OPERATIONS {
            let (before, after, _) = undisturbed(operation);
            assert_ne!(before, after, "{name}");
            assert!(!after.keys().any(|path| path.contains("postern")), "{name}: {after:?}");
            let disk = pki();
            commit(&disk, operation()).unwrap();
            for crash in crashes() {
                // The journal may come back, and is then found to be done.
                let survivor = disk.after(crash);
                recover(&survivor).unwrap();
                assert_eq!(survivor.tree(), after, "{name}: {crash:?}");
            }
        }
    }

    #[test]
    fn pki_04_a_crash_at_any_step_leaves_the_old_or_the_new_state() {
        for (name, operation) in OPERATIONS {
            let (before, after, steps) = undisturbed(operation);
            let mut outcomes = BTreeSet::new();
            for step in 0..steps {
                let disk = pki().with_fault(Fault::KilledAt(step));
                assert!(commit(&disk, operation()).is_err());
                for crash in crashes() {
                    let survivor = disk.after(crash);
                    recover(&survivor).unwrap();
                    let found = survivor.tree();
                    assert!(
                        is_old_or_new(&found, &before, &after),
                        "{name}: step {step}, {crash:?}: {found:#?}"
                    );
                    outcomes.insert(found == after);
                }
            }
            assert_eq!(outcomes.len(), 2, "{name}: crashes were seen on both sides of the commit");
        }
    }

    #[test]
    fn pki_04_a_crash_during_recovery_is_recovered_from_as_well() {
        for (name, operation) in OPERATIONS {
            let (before, after, steps) = undisturbed(operation);
            for step in 0..steps {
                let disk = pki().with_fault(Fault::KilledAt(step));
                assert!(commit(&disk, operation()).is_err());
                for crash in
                    [Crash::Kill, Crash::PowerLosesAll, Crash::PowerLosesSome(5), Crash::PowerLosesSome(6)]
                {
                    recovery_survives_crashes(
                        &disk.after(crash),
                        &before,
                        &after,
                        &format!("{name}: step {step}, {crash:?}"),
                    );
                }
            }
        }
    }

    fn recovery_survives_crashes(found: &SimulatedDisk, before: &Tree, after: &Tree, place: &str) {
        let undisturbed = found.with_fault(Fault::None);
        recover(&undisturbed).unwrap();
        for step in 0..undisturbed.steps() {
            let disk = found.with_fault(Fault::KilledAt(step));
            assert!(recover(&disk).is_err(), "{place}: recovery step {step}");
            for crash in
                [Crash::Kill, Crash::PowerLosesAll, Crash::PowerLosesSome(7), Crash::PowerLosesSome(8)]
            {
                let survivor = disk.after(crash);
                recover(&survivor).unwrap();
                let tree = survivor.tree();
                assert!(
                    is_old_or_new(&tree, before, after),
                    "{place}: recovery step {step}, {crash:?}: {tree:#?}"
                );
            }
        }
    }

    #[test]
    fn pki_07_a_full_disk_leaves_the_old_state_and_nothing_else() {
        for (name, operation) in OPERATIONS {
            let (before, after, steps) = undisturbed(operation);
            for step in 0..steps {
                let disk = pki().with_fault(Fault::FullAt(step));
                match commit(&disk, operation()) {
                    Ok(()) => assert_eq!(disk.tree(), after, "{name}: step {step}"),
                    Err(StoreError::Io { source, .. }) => {
                        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
                        assert_eq!(disk.tree(), before, "{name}: step {step}");
                    }
                    Err(other) => panic!("{name}: step {step}: {other}"),
                }
            }
        }
    }

    #[test]
    fn pki_07_an_operation_that_fails_says_whether_the_change_was_decided() {
        for (name, operation) in OPERATIONS {
            let (before, after, steps) = undisturbed(operation);
            for step in 0..steps {
                let disk = pki().with_fault(Fault::BrokenAt(step));
                let outcome = commit(&disk, operation());
                let next = disk.after(Crash::Kill);
                recover(&next).unwrap();
                let expected = match outcome {
                    Ok(()) | Err(StoreError::Unfinished { .. }) => &after,
                    Err(_) => &before,
                };
                assert_eq!(&next.tree(), expected, "{name}: step {step}");
            }
        }
    }

    #[test]
    fn pki_06_a_file_that_exists_stops_the_change_before_it_begins() {
        let disk = pki();
        let before = disk.tree();
        let mut changes = issue();
        changes.create(path("issued/old.crt"), FileMode::Private, "other certificate");
        let refusal = commit(&disk, changes).unwrap_err();
        assert!(
            matches!(refusal, StoreError::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
        );
        assert_eq!(disk.tree(), before);
        assert_eq!(disk.steps(), 0);
    }

    #[test]
    fn pki_09_rows_that_another_program_added_before_the_recovery_survive_it() {
        const FOREIGN_ROW: &str = "V\t480707074218Z\t\t99\tunknown\t/CN=foreign\n";
        for operation in [issue as fn() -> ChangeSet, revoke] {
            let (_, after, steps) = undisturbed(operation);
            for step in 0..steps {
                let disk = pki().with_fault(Fault::KilledAt(step));
                assert!(commit(&disk, operation()).is_err());
                let disk = disk.after(Crash::Kill);
                let index = disk.read(&path("index.txt")).unwrap().unwrap();
                if !index.ends_with(b"\n") {
                    continue;
                }
                disk.write_at(&path("index.txt"), octets(index.len()), FOREIGN_ROW.as_bytes()).unwrap();
                recover(&disk).unwrap();
                let index = String::from_utf8(disk.read(&path("index.txt")).unwrap().unwrap()).unwrap();
                assert!(index.contains(FOREIGN_ROW), "step {step}: {index}");
                let is_done = disk.tree().keys().eq(after.keys());
                assert_eq!(
                    index.contains(NEW_ROW) || index.contains(REVOKED_ROW),
                    is_done,
                    "step {step}: {index}"
                );
                assert_eq!(
                    index.lines().count(),
                    index.lines().collect::<BTreeSet<_>>().len(),
                    "no row twice"
                );
            }
        }
    }

    #[test]
    fn pki_09_an_index_without_a_final_newline_gets_one_before_the_next_row() {
        let disk = SimulatedDisk::with(&[("index.txt", OLD_ROW)], &[]);
        let mut changes = ChangeSet::default();
        changes.append_line(path("index.txt"), NEW_ROW.into());
        commit(&disk, changes).unwrap();
        let index = disk.read(&path("index.txt")).unwrap().unwrap();
        assert_eq!(index, format!("{OLD_ROW}\n{NEW_ROW}\n").as_bytes());
    }

    #[test]
    fn pki_09_a_line_that_only_begins_alike_is_not_revised() {
        let index = format!("{OLD_ROW}er\n{OLD_ROW}\n");
        let disk = SimulatedDisk::with(&[("index.txt", &index)], &[]);
        let mut changes = ChangeSet::default();
        changes.revise_line(path("index.txt"), 0, OLD_ROW.into(), REVOKED_ROW.into());
        commit(&disk, changes).unwrap();
        let index = disk.read(&path("index.txt")).unwrap().unwrap();
        assert_eq!(index, format!("{OLD_ROW}er\n{REVOKED_ROW}\n").as_bytes());
    }

    #[test]
    fn a_journal_of_somebody_else_is_left_alone() {
        let disk = SimulatedDisk::with(&[(".postern-journal", "shopping list")], &[]);
        assert!(matches!(recover(&disk), Err(StoreError::ForeignJournal { .. })));
        assert!(disk.exists(&path(".postern-journal")).unwrap());
    }
}
