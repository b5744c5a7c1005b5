//! `postern build-ca`

use std::io::IsTerminal;

use pki_core::ca::BuildCa;
use pki_core::cert::Customisation;
use pki_core::dn::Subject;
use pki_core::name::CommonName;
use serde_json::json;

use super::Session;
use crate::args::build_ca::BuildCaArgs;
use crate::error::CliError;
use crate::output::Answer;

pub(super) fn run(session: &Session, arguments: &BuildCaArgs) -> Result<Answer, CliError> {
    let authority = session.open()?;
    authority.require_no_authority()?;
    let common_name = CommonName::parse(&common_name(session, arguments)?)?;
    let request = BuildCa {
        subject: Subject::common_name_only(common_name),
        algorithm: arguments.key.algorithm()?,
        digest: arguments.key.digest(),
        protection: session.protection(arguments.key.is_unprotected(), "New passphrase of the CA key: ")?,
        days: arguments.days,
        customisation: Customisation::default(),
    };
    let built = session.run(|context| authority.build_ca(&request, context))?;
    let (certificate, key) = (built.certificate.display().to_string(), built.key.display().to_string());
    Ok(Answer {
        text: format!(
            "Certificate authority made: {certificate}\n  key        {key}\n  valid to   {}\n",
            built.not_after
        ),
        value: json!({
            "certificate": certificate,
            "key": key,
            "serial": built.serial.to_string(),
            "not_after": built.not_after.to_string(),
        }),
        warnings: Vec::new(),
    })
}

/// A script that says nothing gets the default; a person is asked.
fn common_name(session: &Session, arguments: &BuildCaArgs) -> Result<String, CliError> {
    match &arguments.cn {
        Some(name) => Ok(name.clone()),
        None if std::io::stdin().is_terminal() => {
            session.prompter().text("Common name of the authority", DEFAULT_NAME)
        }
        None => Ok(DEFAULT_NAME.to_owned()),
    }
}

const DEFAULT_NAME: &str = "Postern CA";
