//! `revoke`, its three explicit forms, and `expire`.

use pki_core::ca::{Generation, Revoke};
use pki_core::crl::RevocationReason;

use super::{Outcome, Words};
use crate::easyrsa::error::EasyRsaError;
use crate::easyrsa::session::Session;
use crate::error::CliError;

pub(super) fn revoke(session: &Session, command: &str, words: &[String]) -> Outcome {
    let generation = match command {
        "revoke-expired" => Generation::Expired,
        "revoke-renewed" => Generation::Renewed,
        _ => Generation::Issued,
    };
    let mut words = Words::new(words);
    let name = words.name(command)?;
    let reason = words.optional().map(RevocationReason::from_user).transpose().map_err(CliError::from)?;
    words.finish()?;
    let authority = session.open()?;
    let (serial, subject) = authority.revocable(&name, generation)?;
    let is_ambiguous = command == "revoke" && !session.prompter.is_batch();
    if is_ambiguous && !authority.older_generations(&name)?.is_empty() {
        return Err(EasyRsaError::AmbiguousRevocation(name.to_string()));
    }
    session.prompter.confirm(&format!(
        "Please confirm that you wish to revoke the certificate with the following subject:\n\n  \
         subject: {subject}\n  serial:  {serial}\n  reason:  {}",
        reason.map_or("None given", RevocationReason::as_str)
    ))?;
    let request = Revoke { name, generation, reason };
    let revoked = session.run(|context| authority.revoke(&request, context))?;
    session.messages.openssl(&format!("Revoking Certificate {}.\nData Base Updated", revoked.serial));
    session.messages.notice(
        "Revocation was successful. You must run 'gen-crl' and upload the new CRL to your infrastructure, so that the \
         certificate is no longer accepted.",
    );
    Ok(())
}

pub(super) fn expire(session: &Session, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let name = words.name("expire")?;
    words.finish()?;
    let authority = session.open()?;
    let certificate = authority.issued_certificate(&name)?;
    session.prompter.confirm(&format!(
        "Please confirm that you wish to expire the certificate with the following subject:\n\n  subject: {}\n  \
         serial:  {}",
        certificate.subject_line(),
        certificate.serial()
    ))?;
    let moved = authority.expire(&name, session.now)?;
    session.messages.notice(&format!(
        "Certificate has been successfully moved to the expired directory.\n* {}\n\nIt is valid until it ends, or until it \
         is revoked with 'revoke-expired'.\n\nIt is now possible to sign a new certificate for '{name}'",
        moved.display()
    ));
    Ok(())
}
