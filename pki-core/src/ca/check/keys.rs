//! Private keys: who may read them, how they are protected, and whether they belong to their certificates.

use super::{Check, Fix, Severity};
use crate::ca::PkiReader;
use crate::cert::Certificate;
use crate::error::PkiError;
use crate::key::{EncodedKey, Protection};
use crate::name::FileBase;
use crate::store::{PkiPath, layout};

pub(super) fn check(check: &mut Check<'_>) -> Result<(), PkiError> {
    check_directory(check)?;
    for file in check.store.entries("private")? {
        let path = PkiPath::within("private", "/", &file);
        check_mode(check, &path)?;
        if let Some(name) = file.strip_suffix(".key") {
            check_key(check, &path, name)?;
        }
    }
    Ok(())
}

fn check_directory(check: &mut Check<'_>) -> Result<(), PkiError> {
    let path = layout::private_directory();
    if let Some(mode) = check.store.mode(&path)?.filter(|mode| mode & 0o077 != 0) {
        let problem = format!("others may look into it (mode {mode:04o})");
        check.report(Severity::Warning, "directory-exposed", &path, [&problem, "chmod 700"]);
        check.with_fix(Fix::Mode(path, 0o700));
    }
    Ok(())
}

fn check_mode(check: &mut Check<'_>, path: &PkiPath) -> Result<(), PkiError> {
    if let Some(mode) = check.store.mode(path)?.filter(|mode| mode & 0o077 != 0) {
        let problem = format!("others may read it (mode {mode:04o})");
        check.report(Severity::Error, "key-file-exposed", path, [&problem, "chmod 600"]);
        check.with_fix(Fix::Mode(path.clone(), 0o600));
    }
    Ok(())
}

fn check_key(check: &mut Check<'_>, path: &PkiPath, name: &str) -> Result<(), PkiError> {
    let text = zeroize::Zeroizing::new(check.store.read(path)?.unwrap_or_default());
    match EncodedKey::from_pem(&text) {
        Err(_) if !is_pem_key(&text) => {}
        Err(error) => {
            let problem = error.to_string();
            check.report(Severity::Error, "key-unreadable", path, [&problem, "put the right file back"]);
        }
        Ok(EncodedKey::Encrypted(key)) => {
            if let Some(weakness) = key.weakness() {
                let rounds = Protection::ROUNDS;
                let advice = format!("encrypt it again: openssl pkcs8 -topk8 -v2 aes-256-cbc -iter {rounds}");
                let problem = format!("its encryption is weak: {weakness}");
                check.report(Severity::Warning, "key-encryption-weak", path, [&problem, &advice]);
            }
        }
        Ok(EncodedKey::Plain(key)) => {
            let certified = certificate_of(check, name)?;
            let is_foreign =
                |certificate: &Certificate| certificate.public_key_info() != key.public_key_info();
            if certified.as_ref().is_some_and(is_foreign) {
                let problem = "it is not the key of the certificate of that name";
                check.report(
                    Severity::Error,
                    "key-mismatch",
                    path,
                    [problem, "put the right key back, or renew with --new-key"],
                );
            }
        }
    }
    Ok(())
}

/// TLS keys of OpenVPN lie in the same directory and are not ours to judge.
fn is_pem_key(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"PRIVATE KEY-----").is_some()
}

/// The certificate that a key file should belong to.
fn certificate_of(check: &Check<'_>, name: &str) -> Result<Option<Certificate>, PkiError> {
    if name == "ca" {
        return Ok(check.authority.clone());
    }
    let Ok(base) = FileBase::parse(name) else {
        return Ok(None);
    };
    Ok(PkiReader::of(check.store).certificate_chain(&base).ok().and_then(|chain| chain.into_iter().next()))
}
