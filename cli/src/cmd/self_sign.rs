//! `postern self-sign-server` and `self-sign-client`

use pki_core::ca::{CertificateForm, SelfSign};
use pki_core::cert::Customisation;
use pki_core::cert::build::Validity;
use pki_core::cert::profile::SelfSigned;
use pki_core::dn::Subject;
use pki_core::name::FileBase;
use serde_json::json;

use super::Session;
use crate::args::request::SelfSignArgs;
use crate::error::CliError;
use crate::output::Answer;

pub(super) fn run(session: &Session, end: SelfSigned, arguments: &SelfSignArgs) -> Result<Answer, CliError> {
    let name = FileBase::parse(&arguments.name)?;
    let authority = session.open()?;
    authority.require_self_signable(&name)?;
    let request = SelfSign {
        end,
        subject: Subject::common_name_only(name.common_name().clone()),
        algorithm: arguments.key.algorithm()?,
        digest: arguments.key.digest(),
        protection: session
            .protection(arguments.key.is_unprotected(), &format!("New passphrase of the key of {name}: "))?,
        validity: Validity::days_from(session.now, arguments.days)?,
        customisation: Customisation::default(),
        form: CertificateForm::default(),
        name,
    };
    let made = session.run(|context| authority.self_sign(&request, context))?;
    let (certificate, key) = (made.certificate.display().to_string(), made.key.display().to_string());
    let fingerprints = made.fingerprints.display().to_string();
    Ok(Answer {
        text: format!(
            "Self-signed certificate made: {certificate}\n  key        {key}\n  \
             The other end trusts it by {fingerprints}\n"
        ),
        value: json!({ "certificate": certificate, "key": key, "fingerprints": fingerprints }),
        warnings: made.warnings,
    })
}
