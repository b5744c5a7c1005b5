//! `postern revoke`

use pki_core::ca::{Generation, Revoke};
use pki_core::crl::RevocationReason;
use pki_core::name::FileBase;
use serde_json::json;

use super::Session;
use crate::args::revoke::RevokeArgs;
use crate::error::CliError;
use crate::output::Answer;

pub(super) fn run(session: &Session, arguments: &RevokeArgs) -> Result<Answer, CliError> {
    let name = FileBase::parse(&arguments.name)?;
    let reason = arguments.reason.as_deref().map(RevocationReason::from_user).transpose()?;
    let authority = session.open()?;
    let (serial, subject) = authority.revocable(&name, Generation::Issued)?;
    session.prompter().confirm(&format!("Revoke {subject} (serial {serial})?"))?;
    let request = Revoke { name, generation: Generation::Issued, reason };
    let revoked = session.run(|context| authority.revoke(&request, context))?;
    Ok(Answer {
        text: format!(
            "Revoked: {} (serial {})\n  Run gen-crl to publish it.\n",
            revoked.subject, revoked.serial
        ),
        value: json!({
            "name": request.name.as_str(),
            "serial": revoked.serial.to_string(),
            "subject": revoked.subject,
            "reason": reason.map(RevocationReason::as_str),
            "revoked_at": revoked.at.to_string(),
            "certificate": revoked.certificate.display().to_string(),
        }),
        warnings: Vec::new(),
    })
}
