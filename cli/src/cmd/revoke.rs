//! `postern revoke`

use pki_core::ca::Revocable;
use pki_core::crl::RevocationReason;
use pki_core::{Authority, PkiError};
use serde_json::json;

use super::Session;
use crate::args::revoke::RevokeArgs;
use crate::error::CliError;
use crate::output::Answer;

pub(super) fn run(session: &Session, arguments: &RevokeArgs) -> Result<Answer, CliError> {
    let reason = arguments.reason.as_deref().map(RevocationReason::from_user).transpose()?;
    let authority = session.open()?;
    let found = authority.find_revocable(&arguments.name, session.now)?;
    session.prompter().confirm(&question(&authority, &found)?)?;
    let revoked = session.run(|context| authority.revoke_found(found, reason, context))?;
    Ok(Answer {
        text: format!(
            "Revoked: {} (serial {})\n  Run gen-crl to publish it.\n",
            revoked.subject, revoked.serial
        ),
        value: json!({
            "name": arguments.name,
            "serial": revoked.serial.to_string(),
            "subject": revoked.subject,
            "reason": reason.map(RevocationReason::as_str),
            "revoked_at": revoked.at.to_string(),
            "certificate": revoked.certificate.display().to_string(),
        }),
        warnings: Vec::new(),
    })
}

fn question(authority: &Authority, found: &Revocable) -> Result<String, PkiError> {
    let (serial, subject) = match found {
        Revocable::Current(name) => authority.revocable(name)?,
        Revocable::Other(found) => (found.record.serial.clone(), found.record.subject.clone()),
    };
    Ok(format!("Revoke {subject} (serial {serial})?"))
}
