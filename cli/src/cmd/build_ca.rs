//! `postern build-ca`

use std::io::IsTerminal;

use pki_core::Authority;
use pki_core::ca::{
    BuildCa, BuildCaInToken, BuildSubCa, BuildSubCaInToken, BuiltCa, BuiltSubCa, WantedTokenKey,
};
use pki_core::cert::Customisation;
use pki_core::dn::Subject;
use pki_core::key::pkcs11::Pkcs11Uri;
use pki_core::name::CommonName;
use serde_json::json;

use super::Session;
use crate::args::build_ca::BuildCaArgs;
use crate::args::key::NewKeyArgs;
use crate::error::CliError;
use crate::output::Answer;

pub(super) fn run(session: &Session, arguments: &BuildCaArgs) -> Result<Answer, CliError> {
    let authority = session.open()?;
    authority.require_no_authority()?;
    let subject = Subject::common_name_only(CommonName::parse(&common_name(session, arguments)?)?);
    let uri = match &arguments.pkcs11 {
        Some(uri) => Some(uri.parse()?),
        None => session.ca_key()?,
    };
    let token = uri.map(|uri| key_in_token(uri, &arguments.key)).transpose()?;
    if arguments.subca {
        return Ok(sub_answer(&sub_authority(session, &authority, arguments, subject, token)?));
    }
    let digest = arguments.key.digest();
    let (days, customisation) = (arguments.days, Customisation::default());
    let built = match token {
        Some(key) => {
            let request = BuildCaInToken { subject, key, digest, days, customisation };
            session.run(|context| authority.build_ca_in_token(&request, context))?
        }
        None => {
            let request = BuildCa {
                subject,
                algorithm: arguments.key.algorithm()?,
                digest,
                protection: session.protection(arguments.key.is_unprotected(), QUESTION)?,
                days,
                customisation,
            };
            session.run(|context| authority.build_ca(&request, context))?
        }
    };
    Ok(answer(&built))
}

/// The key in a token, with the kind that was asked for.
pub(super) fn key_in_token(uri: Pkcs11Uri, key: &NewKeyArgs) -> Result<WantedTokenKey, CliError> {
    if key.is_unprotected() {
        return Err(CliError::Usage("a key in a token has no file that `nopass` could be about".into()));
    }
    Ok(WantedTokenKey { uri, algorithm: key.wanted_algorithm()? })
}

fn sub_authority(
    session: &Session,
    authority: &Authority,
    arguments: &BuildCaArgs,
    subject: Subject,
    token: Option<WantedTokenKey>,
) -> Result<BuiltSubCa, CliError> {
    let digest = arguments.key.digest();
    if let Some(key) = token {
        let request = BuildSubCaInToken { subject, key, digest };
        return session.run(|context| authority.build_subca_in_token(&request, context));
    }
    let request = BuildSubCa {
        subject,
        algorithm: arguments.key.algorithm()?,
        digest,
        protection: session.protection(arguments.key.is_unprotected(), QUESTION)?,
    };
    session.run(|context| authority.build_subca(&request, context))
}

fn answer(built: &BuiltCa) -> Answer {
    let (certificate, key) = (built.certificate.display().to_string(), built.key.display().to_string());
    let origin = if built.is_key_new { "" } else { " (the key was in the token already)" };
    Answer {
        text: format!(
            "Certificate authority made: {certificate}\n  key        {key}{origin}\n  valid to   {}\n",
            built.not_after
        ),
        value: json!({
            "certificate": certificate,
            "key": key,
            "key_is_new": built.is_key_new,
            "serial": built.serial.to_string(),
            "not_after": built.not_after.to_string(),
        }),
        warnings: Vec::new(),
    }
}

fn sub_answer(built: &BuiltSubCa) -> Answer {
    let path = |path: &std::path::Path| path.display().to_string();
    let (request, key, certificate) = (path(&built.request), path(&built.key), path(&built.certificate));
    Answer {
        text: format!(
            "Request of a subordinate authority made: {request}\n  key        {key}\n  \
             Have it signed (postern sign-req ca NAME) and put the certificate into {certificate}.\n"
        ),
        value: json!({ "request": request, "key": key, "certificate": certificate }),
        warnings: Vec::new(),
    }
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

const QUESTION: &str = "New passphrase of the CA key: ";
const DEFAULT_NAME: &str = "Postern CA";
