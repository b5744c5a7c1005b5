//! Keeping the audit log while the PKI changes, and looking at it.

use super::{Authority, PkiReader};
use crate::audit::{Action, AuditReport, Event, verify};
use crate::error::PkiError;
use crate::store::{ChangeSet, FileMode, PkiPath, layout};
use crate::time::Timestamp;

impl Authority {
    /// Makes the event a part of the change; the caller holds the lock.
    pub(super) fn log(&self, events: &[Event<'_>], changes: &mut ChangeSet) -> Result<(), PkiError> {
        let path = layout::audit_log();
        let present = self.store.read_end(&path, LONGEST_LINE)?;
        let end = String::from_utf8_lossy(present.as_deref().unwrap_or_default()).into_owned();
        let mut lines: Vec<String> = Vec::with_capacity(events.len());
        for event in events {
            let last = lines.last().map(String::as_str).or_else(|| end.lines().last());
            lines.push(event.after(last));
        }
        match present {
            Some(_) => lines.into_iter().for_each(|line| changes.append_line(path.clone(), line)),
            None => changes.replace(path, FileMode::Private, lines.join("\n") + "\n"),
        }
        Ok(())
    }
}

/// What was done to a file: the file stands in the line, what is in it does not.
pub(super) fn about_file<'a>(action: Action, path: &'a PkiPath, now: Timestamp) -> Event<'a> {
    Event { action, at: now, serial: "", detail: path.as_str() }
}

impl PkiReader<'_> {
    /// Follows the chain of the audit log. A PKI that easy-rsa made has none.
    ///
    /// # Errors
    /// [`PkiError::Store`].
    pub fn audit(&self) -> Result<AuditReport, PkiError> {
        Ok(verify(&self.store().read(&layout::audit_log())?.unwrap_or_default()))
    }
}

/// Subjects are limited to far less.
const LONGEST_LINE: usize = 32 << 10;
