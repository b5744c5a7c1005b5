//! `pki check`: whether index, numbers, files, keys, revocation list and modes tell the same story, and what to do where
//! they do not.
//!
//! Looking needs no lock and changes nothing. A repair takes the lock, looks again, and makes each correction a change of
//! its own, so that one that fails does not hold up the others. What could lose something is never repaired unasked: it
//! is only named.

mod certificates;
mod keys;
mod leftovers;
mod list;
mod token;

use std::fmt;

use super::{Authority, PkiReader, Records};
use crate::audit::{Action, Event};
use crate::cert::Certificate;
use crate::error::PkiError;
use crate::store::{ChangeSet, FileMode, LockedStore, PkiPath, Store, layout};
use crate::time::Timestamp;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A stable kebab-case word for the kind of finding.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The file or serial number that it is about.
    pub about: String,
    /// What is wrong.
    pub problem: String,
    /// What can be done about it.
    pub advice: String,
    fix: Option<Fix>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Untidy.
    Notice,
    /// Works, but should not stay as it is.
    Warning,
    /// Does not work, or not as the index says.
    Error,
}

impl Severity {
    /// The word for lists and programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl Finding {
    /// Whether [`Authority::repair`] can correct it.
    #[must_use]
    pub fn is_repairable(&self) -> bool {
        self.fix.is_some()
    }
}

/// A correction.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fix {
    /// Other permission bits.
    Mode(PkiPath, u32),
    /// A file that must not be there.
    Remove(PkiPath),
    /// A directory that must not be there, with the files in it.
    RemoveDirectory(PkiPath),
    /// A file with this content.
    Write(PkiPath, FileMode, Vec<u8>),
    /// One more row in index.txt.
    AppendRow(String),
    /// Files that a revocation should have moved: (from, to).
    Move(Vec<(PkiPath, PkiPath)>),
}

/// What a check has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Everything that is not as it should be, the worst first.
    pub findings: Vec<Finding>,
    /// How many certificates the index knows.
    pub certificates: usize,
}

/// What a repair has done.
#[derive(Debug, Default)]
pub struct RepairReport {
    /// What was corrected.
    pub repaired: Vec<Finding>,
    /// What could not be corrected, and why.
    pub failed: Vec<(Finding, PkiError)>,
    /// What is left to people.
    pub left: Vec<Finding>,
}

impl PkiReader<'_> {
    /// Compares everything with everything.
    ///
    /// # Errors
    /// [`PkiError::Store`] if the directory cannot be read; whatever else is wrong is a finding.
    pub fn check(&self, now: Timestamp) -> Result<CheckReport, PkiError> {
        let store = self.store();
        let mut check = Check::new(store, now)?;
        leftovers::check(&mut check)?;
        keys::check(&mut check)?;
        token::check(&mut check, self)?;
        if store.exists(&layout::index())? {
            certificates::check(&mut check, self)?;
            list::check(&mut check)?;
        }
        check.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        Ok(CheckReport { certificates: check.records.records.len(), findings: check.findings })
    }
}

impl Authority {
    /// Corrects what can be corrected without losing anything.
    ///
    /// # Errors
    /// [`PkiError::Store`] if the directory cannot be read or locked.
    pub fn repair(&self, now: Timestamp) -> Result<RepairReport, PkiError> {
        let locked = self.store.lock(&self.settings.lock)?;
        let mut report = RepairReport::default();
        for finding in self.reader().check(now)?.findings {
            let Some(fix) = finding.fix.clone() else {
                report.left.push(finding);
                continue;
            };
            match self.correct(&locked, &finding, fix, now) {
                Ok(()) => report.repaired.push(finding),
                Err(error) => report.failed.push((finding, error)),
            }
        }
        Ok(report)
    }

    fn correct(
        &self,
        locked: &LockedStore<'_>,
        finding: &Finding,
        fix: Fix,
        now: Timestamp,
    ) -> Result<(), PkiError> {
        let mut changes = ChangeSet::default();
        match fix {
            Fix::Mode(path, bits) => locked.set_mode(&path, bits)?,
            Fix::RemoveDirectory(path) => locked.remove_directory(&path)?,
            Fix::Remove(path) => changes.remove(path),
            Fix::Write(path, mode, content) => changes.replace(path, mode, content),
            Fix::AppendRow(row) => changes.append_line(layout::index(), row),
            Fix::Move(moves) => {
                for directory in layout::revocation_directories() {
                    changes.directory(directory);
                }
                moves.into_iter().for_each(|(from, to)| changes.move_file(from, to));
            }
        }
        let detail = format!("{} {}", finding.code, finding.about);
        let event = Event { action: Action::Repair, at: now, serial: "", detail: &detail };
        self.log(&[event], &mut changes)?;
        Ok(locked.commit(changes)?)
    }
}

/// The state of a running check.
struct Check<'a> {
    store: &'a Store,
    now: Timestamp,
    authority: Option<Certificate>,
    records: Records,
    index: Vec<u8>,
    findings: Vec<Finding>,
}

impl<'a> Check<'a> {
    fn new(store: &'a Store, now: Timestamp) -> Result<Self, PkiError> {
        let index = store.read(&layout::index())?.unwrap_or_default();
        let authority = store.read(&layout::authority_certificate())?;
        Ok(Self {
            store,
            now,
            authority: authority.and_then(|text| Certificate::from_pem(&text).ok()),
            records: Records::parse(&index),
            index,
            findings: Vec::new(),
        })
    }

    fn report(&mut self, severity: Severity, code: &'static str, about: impl ToString, text: [&str; 2]) {
        self.findings.push(Finding {
            code,
            severity,
            about: about.to_string(),
            problem: text[0].to_owned(),
            advice: text[1].to_owned(),
            fix: None,
        });
    }

    /// The last finding can be corrected like this.
    fn with_fix(&mut self, fix: Fix) {
        if let Some(finding) = self.findings.last_mut() {
            finding.fix = Some(fix);
        }
    }
}
