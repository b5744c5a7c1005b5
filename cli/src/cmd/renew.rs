//! `postern renew`: one certificate, or all that end soon.

use pki_core::Authority;
use pki_core::ca::{Place, Record, RecordState, Renew, Renewed, RenewedKey, SerialNumbers};
use pki_core::cert::build::Validity;
use pki_core::name::FileBase;
use pki_core::{Explain, ca::Warning};
use serde_json::{Value, json};

use super::Session;
use crate::args::renew::RenewArgs;
use crate::args::span::Span;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Answer;

pub(super) fn run(session: &Session, arguments: &RenewArgs) -> Result<Exit, CliError> {
    let authority = session.open()?;
    match (&arguments.name, arguments.all_expiring) {
        (Some(name), _) => one(session, &authority, name, arguments),
        (None, span) => all(session, &authority, span.unwrap_or_default(), arguments),
    }
}

fn one(
    session: &Session,
    authority: &Authority,
    name: &str,
    arguments: &RenewArgs,
) -> Result<Exit, CliError> {
    let name = FileBase::parse(name)?;
    let old = authority.renewable(&name)?;
    session.prompter().confirm(&format!("Renew {} (serial {})?", old.subject_line(), old.serial()))?;
    let renewed = renew(session, authority, &name, arguments)?;
    session.output.answer(&Answer {
        text: format!(
            "Certificate renewed at: {}\n  serial     {}\n  valid to   {}\n  Serial {} stays valid until it \
             expires or is revoked.\n",
            renewed.issued.certificate.display(),
            renewed.issued.serial,
            renewed.issued.not_after,
            renewed.predecessor
        ),
        value: to_value(&name, &renewed),
        warnings: renewed.issued.warnings,
    })?;
    Ok(Exit::Success)
}

/// Each certificate by itself: one that cannot be renewed does not hold up the others.
fn all(
    session: &Session,
    authority: &Authority,
    span: Span,
    arguments: &RenewArgs,
) -> Result<Exit, CliError> {
    let names = ending(session, authority, span)?;
    if !names.is_empty() {
        session.prompter().confirm(&format!("Renew {} certificates?", names.len()))?;
    }
    let mut report = Report::default();
    for name in names {
        match renew(session, authority, &name, arguments) {
            Ok(renewed) => report.renewed(&name, renewed),
            Err(error) => report.failed(&name, &error),
        }
    }
    let is_complete = report.failed.is_empty();
    session.output.answer(&report.into_answer())?;
    Ok(if is_complete { Exit::Success } else { Exit::Failure })
}

/// Names in issued/ whose certificate is in force, ends soon, and has no successor.
fn ending(session: &Session, authority: &Authority, span: Span) -> Result<Vec<FileBase>, CliError> {
    let reader = authority.reader();
    let records = reader.records()?;
    let last_ends = records.last_ends();
    let is_ending = |record: &&Record| {
        record.state(session.now) == RecordState::Valid
            && record.not_after < span.after(session.now)
            && last_ends.get(record.subject.as_str()) == Some(&record.not_after)
    };
    let mut names = Vec::new();
    for record in records.records.iter().filter(is_ending) {
        if let Some(Place::Issued(name)) = reader.file_of(record)?.map(|file| file.place) {
            names.push(name);
        }
    }
    Ok(names)
}

fn renew(
    session: &Session,
    authority: &Authority,
    name: &FileBase,
    arguments: &RenewArgs,
) -> Result<Renewed, CliError> {
    let key = if arguments.new_key {
        let question = format!("New passphrase of the key of {name}: ");
        RenewedKey::New { algorithm: None, protection: session.protection(arguments.nopass, &question)? }
    } else {
        RenewedKey::Same
    };
    let request = Renew {
        name: name.clone(),
        key,
        digest: None,
        validity: Validity::days_from(session.now, arguments.days)?,
        serial_numbers: SerialNumbers::Random159,
    };
    session.run(|context| authority.renew(&request, context))
}

fn to_value(name: &FileBase, renewed: &Renewed) -> Value {
    json!({
        "name": name.as_str(),
        "certificate": renewed.issued.certificate.display().to_string(),
        "serial": renewed.issued.serial.to_string(),
        "subject": renewed.issued.subject,
        "not_before": renewed.issued.not_before.to_string(),
        "not_after": renewed.issued.not_after.to_string(),
        "predecessor": renewed.predecessor.to_string(),
    })
}

/// What came of each certificate.
#[derive(Default)]
struct Report {
    text: String,
    renewed: Vec<Value>,
    failed: Vec<Value>,
    warnings: Vec<Warning>,
}

impl Report {
    fn renewed(&mut self, name: &FileBase, renewed: Renewed) {
        let end = renewed.issued.not_after;
        self.text.push_str(&format!("renewed  {name}  valid to {end}\n"));
        self.renewed.push(to_value(name, &renewed));
        self.warnings = renewed.issued.warnings;
    }

    fn failed(&mut self, name: &FileBase, error: &CliError) {
        self.text.push_str(&format!("failed   {name}  {error}\n"));
        self.failed
            .push(json!({ "name": name.as_str(), "code": error.code(), "message": error.to_string() }));
    }

    fn into_answer(self) -> Answer {
        let counts = format!("{} renewed, {} failed.\n", self.renewed.len(), self.failed.len());
        Answer {
            text: self.text + &counts,
            value: json!({ "renewed": self.renewed, "failed": self.failed }),
            warnings: self.warnings,
        }
    }
}
