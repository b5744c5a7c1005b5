//! The index against the certificate files, in both directions, and the file `serial`.

use std::collections::HashMap;

use super::{Check, Fix, Severity};
use crate::ca::find::Place;
use crate::ca::{PkiReader, Record};
use crate::cert::Certificate;
use crate::error::PkiError;
use crate::name::FileBase;
use crate::serial::Serial;
use crate::store::index_txt::{Index, issued_row};
use crate::store::{FileMode, PkiPath, layout};

pub(super) fn check(check: &mut Check<'_>, reader: &PkiReader<'_>) -> Result<(), PkiError> {
    check_rows(check);
    check_serial_file(check)?;
    let records = std::mem::take(&mut check.records.records);
    for record in &records {
        check_record(check, reader, record)?;
    }
    check.records.records = records;
    check_issued_files(check)
}

fn check_rows(check: &mut Check<'_>) {
    let index = std::mem::take(&mut check.index);
    for (number, row) in Index::new(&index).lines().enumerate() {
        if row.is_none() {
            let about = format!("index.txt, row {}", number + 1);
            let advice = "correct it by hand; index.txt.old may have the right one";
            check.report(Severity::Error, "row-unreadable", about, ["the row cannot be understood", advice]);
        }
    }
    let mut seen: HashMap<&Serial, usize> = HashMap::new();
    for record in &check.records.records {
        *seen.entry(&record.serial).or_default() += 1;
    }
    let mut twice: Vec<Serial> =
        seen.into_iter().filter(|(_, count)| *count > 1).map(|(serial, _)| serial.clone()).collect();
    twice.sort();
    for serial in twice {
        let advice = "only one of these certificates can be revoked: replace the other one everywhere";
        check.report(Severity::Error, "serial-twice", serial, ["two rows have this serial number", advice]);
    }
    check.index = index;
}

fn check_serial_file(check: &mut Check<'_>) -> Result<(), PkiError> {
    let path = layout::serial();
    let text = check.store.read(&path)?;
    let next = text.as_deref().and_then(|text| std::str::from_utf8(text).ok()).map(str::trim);
    let problem = match next.and_then(Serial::from_hex) {
        None => "it holds no serial number",
        Some(next) if check.records.records.iter().any(|record| record.serial == next) => {
            "the number in it belongs to a certificate already"
        }
        Some(_) => return Ok(()),
    };
    let highest = check.records.records.iter().map(|record| &record.serial).max();
    let next = highest.map_or_else(|| Serial::from_be_bytes(&[1]), Serial::successor);
    check.report(
        Severity::Warning,
        "serial-file",
        &path,
        [problem, "write the number after the highest one into it"],
    );
    check.with_fix(Fix::Write(path, FileMode::Private, format!("{next}\n").into_bytes()));
    Ok(())
}

fn check_record(check: &mut Check<'_>, reader: &PkiReader<'_>, record: &Record) -> Result<(), PkiError> {
    let Some(file) = reader.file_of(record)? else {
        if record.revoked.is_none() {
            let advice = "revoke it by its number if nobody knows it";
            let problem = format!("no file holds this certificate of {}", record.subject);
            check.report(Severity::Warning, "certificate-missing", &record.serial, [&problem, advice]);
        }
        return Ok(());
    };
    if file.certificate.not_after() != record.not_after || file.certificate.subject_line() != record.subject {
        let problem = "the row names another subject or end than the certificate";
        check.report(
            Severity::Error,
            "row-differs",
            &record.serial,
            [problem, "correct the row in index.txt by hand"],
        );
    }
    match (&file.place, record.revoked) {
        (Place::Issued(name), Some(_)) => {
            let problem = "it is revoked, but its files have not been put aside";
            check.report(
                Severity::Error,
                "revoked-in-issued",
                layout::certificate(name),
                [problem, "move them to revoked/"],
            );
            let moves = layout::revocation_moves(name, &record.serial).into_iter();
            let pending: Vec<_> = moves
                .filter(|(from, to)| {
                    check.store.exists(from).unwrap_or_default() && !check.store.exists(to).unwrap_or(true)
                })
                .collect();
            check.with_fix(Fix::Move(pending));
        }
        (Place::Issued(_), None) => check_copy(check, record, &file.path)?,
        (
            Place::Renewed(_) | Place::RenewedEarlier | Place::Expired(_) | Place::Revoked | Place::BySerial,
            _,
        ) => {}
    }
    Ok(())
}

/// easy-rsa keeps a copy of every issued certificate under its number.
fn check_copy(check: &mut Check<'_>, record: &Record, original: &std::path::Path) -> Result<(), PkiError> {
    let copy = layout::certificate_by_serial(&record.serial);
    if check.store.exists(&copy)? {
        return Ok(());
    }
    let Ok(name) = FileBase::parse(&record.common_name) else {
        return Ok(());
    };
    let content = check.store.read(&layout::certificate(&name))?.unwrap_or_default();
    let problem = format!("the copy of {} is missing", original.display());
    check.report(Severity::Notice, "copy-missing", &copy, [&problem, "copy it again"]);
    check.with_fix(Fix::Write(copy, FileMode::Private, content));
    Ok(())
}

/// A certificate without a row can never be revoked.
fn check_issued_files(check: &mut Check<'_>) -> Result<(), PkiError> {
    let known: HashMap<Serial, ()> =
        check.records.records.iter().map(|record| (record.serial.clone(), ())).collect();
    for file in check.store.entries("issued")? {
        let path = PkiPath::within("issued", "/", &file);
        if !file.ends_with(".crt") {
            continue;
        }
        let text = check.store.read(&path)?.unwrap_or_default();
        match Certificate::from_pem(&text) {
            Err(error) => {
                let problem = error.to_string();
                check.report(
                    Severity::Error,
                    "certificate-unreadable",
                    &path,
                    [&problem, "move it away; it blocks its name"],
                );
            }
            Ok(certificate) if !known.contains_key(&certificate.serial()) => {
                report_unknown(check, &path, &certificate);
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

fn report_unknown(check: &mut Check<'_>, path: &PkiPath, certificate: &Certificate) {
    let is_ours =
        check.authority.as_ref().is_some_and(|authority| certificate.verify_signed_by(authority).is_ok());
    if !is_ours {
        let problem = "this authority did not issue it";
        return check.report(Severity::Notice, "certificate-foreign", path, [problem, "move it away"]);
    }
    let problem = "index.txt has no row for it, so it cannot be revoked";
    check.report(Severity::Error, "row-missing", path, [problem, "add the row"]);
    let row = issued_row(certificate.not_after(), &certificate.serial(), &certificate.subject_line());
    check.with_fix(Fix::AppendRow(row));
}
