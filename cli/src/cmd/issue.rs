//! `postern build-server-full`, `build-client-full`, `build-serverClient-full`

use pki_core::ca::{CertificateForm, Issue, Issued, SerialNumbers};
use pki_core::cert::build::Validity;
use pki_core::cert::{CertificateKind, Customisation, SubjectAltName};
use pki_core::dn::Subject;
use pki_core::name::FileBase;
use serde_json::json;

use super::Session;
use crate::args::issue::IssueArgs;
use crate::error::CliError;
use crate::output::Answer;

pub(super) fn run(
    session: &Session,
    kind: CertificateKind,
    arguments: &IssueArgs,
) -> Result<Answer, CliError> {
    let name = arguments.name.as_deref().unwrap_or_default();
    let name = FileBase::parse(name)?;
    let authority = session.open()?;
    authority.require_free_name(&name)?;
    let request = Issue {
        kind,
        subject: Subject::common_name_only(name.common_name().clone()),
        names: arguments.san.as_deref().map(SubjectAltName::parse).transpose()?,
        algorithm: arguments.key.algorithm()?,
        digest: arguments.key.digest(),
        protection: session
            .protection(arguments.key.is_unprotected(), &format!("New passphrase of the key of {name}: "))?,
        validity: Validity::days_from(session.now, arguments.days)?,
        serial_numbers: SerialNumbers::Random159,
        customisation: Customisation::default(),
        form: CertificateForm::default(),
        name,
    };
    let issued = session.run(|context| authority.issue(&request, context))?;
    Ok(answer(&request.name, issued))
}

/// What is said about a new certificate, whatever it was made from.
pub(super) fn answer(name: &FileBase, issued: Issued) -> Answer {
    let (certificate, key) = (issued.certificate.display().to_string(), issued.key.display().to_string());
    Answer {
        text: format!(
            "Certificate created at: {certificate}\n  key        {key}\n  serial     {}\n  valid to   {}\n",
            issued.serial, issued.not_after
        ),
        value: json!({
            "name": name.as_str(),
            "certificate": certificate,
            "key": key,
            "request": issued.request.display().to_string(),
            "serial": issued.serial.to_string(),
            "subject": issued.subject,
            "not_before": issued.not_before.to_string(),
            "not_after": issued.not_after.to_string(),
        }),
        warnings: issued.warnings,
    }
}
