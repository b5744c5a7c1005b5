//! The published revocation list against the index and the clock, and the authority's own certificate.

use std::collections::HashSet;

use super::{Check, Fix, Severity};
use crate::cert::Certificate;
use crate::crl::published::PublishedList;
use crate::error::PkiError;
use crate::pem;
use crate::serial::Serial;
use crate::store::{FileMode, layout};

pub(super) fn check(check: &mut Check<'_>) -> Result<(), PkiError> {
    check_authority(check);
    check_attributes(check)?;
    let path = layout::revocation_list();
    let Some(text) = check.store.read(&path)? else {
        if check.records.records.iter().any(|record| record.revoked.is_some()) {
            let problem = "certificates are revoked, but no list says so";
            check.report(Severity::Error, "crl-missing", &path, [problem, "run gen-crl"]);
        }
        return Ok(());
    };
    let readable = FileMode::Public.bits();
    if let Some(mode) = check.store.mode(&path)?.filter(|mode| mode & readable != readable) {
        let problem = format!("a server without privileges cannot read it (mode {mode:04o})");
        check.report(Severity::Notice, "crl-mode", &path, [&problem, "chmod 644"]);
        check.with_fix(Fix::Mode(path.clone(), readable));
    }
    let Some(block) = pem::first(&text, "X509 CRL") else {
        check.report(Severity::Error, "crl-damaged", &path, ["it holds no list", "run gen-crl --force"]);
        return Ok(());
    };
    match PublishedList::from_der(&block.der) {
        Ok(list) => check_content(check, &list),
        Err(error) => {
            let problem = error.to_string();
            check.report(Severity::Error, "crl-damaged", &path, [&problem, "run gen-crl --force"]);
        }
    }
    Ok(())
}

fn check_content(check: &mut Check<'_>, list: &PublishedList<'_>) {
    let path = layout::revocation_list();
    if check.authority.as_ref().is_some_and(|authority| authority.subject_der() != list.issuer()) {
        let problem = "another authority issued it";
        return check.report(Severity::Error, "crl-foreign", &path, [problem, "run gen-crl --force"]);
    }
    if list.next_update().is_some_and(|end| end < check.now) {
        let problem = "it has expired: servers refuse everybody";
        check.report(Severity::Error, "crl-expired", &path, [problem, "run gen-crl"]);
    }
    let listed: HashSet<Serial> = list.serials().collect();
    let revoked: HashSet<&Serial> = check
        .records
        .records
        .iter()
        .filter(|record| record.revoked.is_some())
        .map(|record| &record.serial)
        .collect();
    let missing = revoked.iter().filter(|serial| !listed.contains(**serial)).count();
    let unknown = listed.iter().filter(|serial| !revoked.contains(serial)).count();
    if missing > 0 {
        let problem = format!("{missing} revoked certificates are not on it");
        check.report(Severity::Error, "crl-incomplete", &path, [&problem, "run gen-crl"]);
    }
    if unknown > 0 {
        let problem = format!("{unknown} certificates on it are not revoked in index.txt");
        let advice = "restore the rows; gen-crl refuses to drop them without --force";
        check.report(Severity::Error, "crl-unknown-entries", &path, [&problem, advice]);
    }
}

fn check_authority(check: &mut Check<'_>) {
    let path = layout::authority_certificate();
    let problem = match &check.authority {
        None => "it cannot be read",
        Some(authority) if authority.not_after() < check.now => "it has expired",
        Some(authority) if !Certificate::is_ca(authority) => "it is no authority's certificate",
        Some(_) => return,
    };
    check.report(
        Severity::Error,
        "ca-certificate",
        path,
        [problem, "renew the authority, or put the right file back"],
    );
}

fn check_attributes(check: &mut Check<'_>) -> Result<(), PkiError> {
    let path = layout::index_attributes();
    if !check.store.exists(&path)? {
        let problem = "easy-rsa 3.1 refuses to work without it";
        check.report(Severity::Notice, "index-attributes-missing", &path, [problem, "write it"]);
        check.with_fix(Fix::Write(path, FileMode::Private, b"unique_subject = no\n".to_vec()));
    }
    Ok(())
}
