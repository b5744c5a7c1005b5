//! `postern list`

use std::fmt::Write;

use pki_core::ca::{PkiReader, Record, RecordState};
use pki_core::cert::IssuedKind;
use pki_core::crl::RevocationReason;
use serde::Serialize;
use serde_json::Value;

use super::Session;
use crate::args::list::{ListArgs, TypeArgument};
use crate::error::CliError;
use crate::exit::Exit;
use crate::glob::Glob;
use crate::output::csv;
use crate::output::{Table, print};

pub(super) fn run(session: &Session, arguments: &ListArgs) -> Result<Exit, CliError> {
    let reader = session.read()?;
    let records = reader.records()?;
    let filter = Filter::new(session, arguments);
    let mut shown: Vec<&Record> = records.records.iter().filter(|record| filter.fits(record)).collect();
    if let Some(kind) = arguments.kind {
        shown = of_kind(&reader, shown, kind)?;
    }
    if records.unreadable > 0 {
        session.output.note(&format!(
            "warning: {} rows of index.txt cannot be read; `postern pki check` names them",
            records.unreadable
        ));
    }
    let entries: Vec<Entry<'_>> =
        shown.into_iter().map(|record| (record, record.state(session.now))).collect();
    print(&match (arguments.csv, session.output.is_json()) {
        (true, _) => to_csv(&entries),
        (false, true) => to_json(entries, records.unreadable)?,
        (false, false) => to_text(&entries),
    })?;
    Ok(Exit::Success)
}

/// A record and what it is good for.
type Entry<'a> = (&'a Record, RecordState);

/// An entry in JSON; `show` and `expiry` use the same form.
#[derive(Serialize)]
pub(super) struct EntryObject<'a> {
    name: &'a str,
    state: &'static str,
    serial: String,
    subject: &'a str,
    not_after: String,
    revoked_at: Option<String>,
    reason: Option<&'static str>,
}

impl<'a> EntryObject<'a> {
    pub(super) fn new((record, state): Entry<'a>) -> Self {
        Self {
            name: &record.common_name,
            state: state.as_str(),
            serial: record.serial.to_string(),
            subject: &record.subject,
            not_after: record.not_after.to_string(),
            revoked_at: record.revoked.map(|mark| mark.at.to_string()),
            reason: record.revoked.and_then(|mark| mark.reason).map(RevocationReason::as_str),
        }
    }

    pub(super) fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct ListObject<'a> {
    certificates: Vec<EntryObject<'a>>,
    unreadable_rows: usize,
}

/// Which records are shown, before any certificate is read.
struct Filter<'a> {
    session: &'a Session,
    arguments: &'a ListArgs,
    pattern: Option<Glob>,
}

impl<'a> Filter<'a> {
    fn new(session: &'a Session, arguments: &'a ListArgs) -> Self {
        Self { session, arguments, pattern: arguments.pattern.as_deref().map(Glob::new) }
    }

    fn fits(&self, record: &Record) -> bool {
        self.fits_state(record)
            && self.pattern.as_ref().is_none_or(|pattern| pattern.matches(&record.common_name))
    }

    fn fits_state(&self, record: &Record) -> bool {
        let (now, state) = (self.session.now, record.state(self.session.now));
        if let Some(span) = self.arguments.expiring {
            return state == RecordState::Valid && record.not_after < span.after(now);
        }
        match state {
            RecordState::Valid => !self.arguments.expired && !self.arguments.revoked,
            RecordState::Expired => !self.arguments.valid && !self.arguments.revoked,
            RecordState::Revoked => !self.arguments.valid && !self.arguments.expired,
        }
    }
}

fn of_kind<'r>(
    reader: &PkiReader<'_>,
    records: Vec<&'r Record>,
    wanted: TypeArgument,
) -> Result<Vec<&'r Record>, CliError> {
    let wanted = match wanted {
        TypeArgument::Client => IssuedKind::Client,
        TypeArgument::Server => IssuedKind::Server,
        TypeArgument::ServerClient => IssuedKind::ServerClient,
        TypeArgument::Ca => IssuedKind::Authority,
    };
    let mut found = Vec::new();
    for record in records {
        let kind = reader.file_of(record)?.map(|file| file.certificate.kind());
        if kind == Some(wanted) {
            found.push(record);
        }
    }
    Ok(found)
}

/// One line; a hundred thousand entries are not built as a tree first.
fn to_json(entries: Vec<Entry<'_>>, unreadable_rows: usize) -> Result<String, CliError> {
    let certificates = entries.into_iter().map(EntryObject::new).collect();
    let mut text = serde_json::to_string(&ListObject { certificates, unreadable_rows })
        .map_err(|cause| CliError::Output(cause.into()))?;
    text.push('\n');
    Ok(text)
}

fn to_text(entries: &[Entry<'_>]) -> String {
    let mut table = Table::with_header(&["STATE", "VALID TO", "SERIAL", "NAME"]);
    for (record, state) in entries {
        let (end, serial) = (record.not_after.to_string(), record.serial.to_string());
        let name = if record.common_name.is_empty() { &record.subject } else { &record.common_name };
        table.push(&[state.as_str(), &end, &serial, name]);
    }
    table.to_text()
}

fn to_csv(entries: &[Entry<'_>]) -> String {
    let mut text = String::from("state,not_after,revoked_at,reason,serial,name,subject\n");
    let (mut end, mut revoked_at, mut serial) = (String::new(), String::new(), String::new());
    for (record, state) in entries {
        let reason = record.revoked.and_then(|mark| mark.reason).map_or("", RevocationReason::as_str);
        rewrite(&mut end, &record.not_after);
        rewrite(&mut serial, &record.serial);
        revoked_at.clear();
        if let Some(mark) = record.revoked {
            rewrite(&mut revoked_at, &mark.at);
        }
        csv::push_record(
            &mut text,
            &[state.as_str(), &end, &revoked_at, reason, &serial, &record.common_name, &record.subject],
        );
    }
    text
}

fn rewrite(text: &mut String, value: &dyn std::fmt::Display) {
    text.clear();
    // Writing to a String cannot fail.
    let _ = write!(text, "{value}");
}
