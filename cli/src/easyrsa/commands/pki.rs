//! `init-pki` and `build-ca`.

use pki_core::ca::{BuildCa, BuildCaInToken, BuildSubCa, BuildSubCaInToken, Init, WantedTokenKey};
use pki_core::key::{KeyAlgorithm, Protection};
use pki_core::name::CommonName;

use super::{Outcome, Words, configured_name};
use crate::easyrsa::error::EasyRsaError;
use crate::easyrsa::session::Session;
use crate::easyrsa::templates;
use crate::error::CliError;

/// Replaces whatever is there, after a `yes` or in batch mode; what was there stays beside it as a backup.
pub(super) fn init_pki(session: &Session, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let keeps_vars = words.takes(&["soft", "soft-reset"]);
    words.takes(&["hard", "hard-reset"]);
    let preset = preset_vars(session, &mut words)?;
    let directory = session.directory()?;
    let is_own_directory =
        directory.file_name().is_some() && std::env::current_dir().ok().as_ref() != Some(&directory);
    if !is_own_directory {
        return Err(EasyRsaError::UnsafeDirectory(directory.display().to_string()));
    }
    if directory.exists() {
        session.prompter.confirm(&format!(
            "WARNING!!!\n\nYou are about to remove the EASYRSA_PKI at:\n* {}\n\nand initialize a fresh PKI here.",
            directory.display()
        ))?;
    }
    let kept = if keeps_vars { std::fs::read_to_string(directory.join("vars")).ok() } else { None };
    let request =
        Init { lock: session.lock()?, vars: kept.or(preset), vars_example: Some(templates::VARS.to_owned()) };
    let outcome = pki_core::ca::replace(&directory, &request, session.now)?;
    let backup =
        outcome.backup.map(|backup| format!("\nThe previous PKI was moved to:\n* {}\n", backup.display()));
    session.messages.notice(&format!(
        "'init-pki' complete; you may now create a CA or requests.\n\nYour newly created PKI dir is:\n* {}\n{}",
        directory.display(),
        backup.unwrap_or_default()
    ));
    Ok(())
}

/// The vars file that `init-pki ec`, `init-pki ed [CURVE]` or `init-pki CURVE` leaves in the new PKI; the options
/// --use-algo and --curve say the same.
fn preset_vars(session: &Session, words: &mut Words<'_>) -> Result<Option<String>, EasyRsaError> {
    let option = |name| session.variables.given_by_option(name).map(str::to_owned);
    let first = words.optional().map(str::to_owned).or_else(|| option("EASYRSA_ALGO"));
    let second = words.optional().map(str::to_owned).or_else(|| option("EASYRSA_CURVE"));
    words.finish()?;
    let curve_of = |name: &str| KeyAlgorithm::from_curve(name).map_err(CliError::from);
    let curve = match (first.as_deref(), second.as_deref()) {
        (None | Some("rsa"), None) => return Ok(None),
        (Some("ec"), None) => KeyAlgorithm::P384,
        (Some("ed"), None) => KeyAlgorithm::Ed25519,
        (Some("ec" | "ed") | None, Some(curve)) => curve_of(curve)?,
        (Some(curve), None) => curve_of(curve)?,
        (Some(_), Some(extra)) => return Err(EasyRsaError::UnknownWord(extra.to_owned())),
    };
    let algorithm = if curve == KeyAlgorithm::Ed25519 { "ed" } else { "ec" };
    Ok(Some(templates::preset_vars(algorithm, &curve.to_string())))
}

pub(super) fn build_ca(session: &Session, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let is_below = words.takes(&["subca", "sub-ca", "intca"]);
    let is_unprotected = words.takes(&["nopass"]);
    let is_raw = words.takes(&["rawca", "raw-ca", "raw"]) || session.variables.is_set("EASYRSA_RAW_CA");
    words.finish()?;
    if is_raw && session.prompter.is_batch() {
        return Err(EasyRsaError::RawCaInBatch);
    }
    let authority = session.open()?;
    authority.require_no_authority()?;
    let token = session.ca_key()?;
    let protection = match token {
        Some(_) => Protection::None,
        None => session.protection(is_unprotected, "Enter New CA Key Passphrase: ")?,
    };
    let default =
        configured_name(session).unwrap_or(if is_below { "Easy-RSA Sub-CA" } else { "Easy-RSA CA" });
    let name = session.prompter.text("Common Name (eg: your user, host, or server name)", default)?;
    let subject = session.subject(CommonName::parse(&name)?, !session.prompter.is_batch())?;
    let (algorithm, digest) = (session.algorithm()?, session.digest()?);
    let token = token.map(|uri| WantedTokenKey { uri, algorithm: Some(algorithm) });
    if is_below {
        let built = match token {
            Some(key) => {
                let request = BuildSubCaInToken { subject, key, digest };
                session.run(|context| authority.build_subca_in_token(&request, context))?
            }
            None => {
                let request = BuildSubCa { subject, algorithm, digest, protection };
                session.run(|context| authority.build_subca(&request, context))?
            }
        };
        session.messages.notice(&format!(
            "Your Sub-CA certificate request is at:\n* {}\n\nHave it signed by your root CA (sign-req ca), and put the \
             certificate into:\n* {}\n\nBuild-ca completed successfully.",
            built.request.display(),
            built.certificate.display()
        ));
        return Ok(());
    }
    let days = session.days("EASYRSA_CA_EXPIRE", 3650)?;
    let customisation = session.certificate_type("ca")?.customisation;
    let built = match token {
        Some(key) => {
            let request = BuildCaInToken { subject, key, digest, days, customisation };
            session.run(|context| authority.build_ca_in_token(&request, context))?
        }
        None => {
            let request = BuildCa { subject, algorithm, digest, protection, days, customisation };
            session.run(|context| authority.build_ca(&request, context))?
        }
    };
    session.messages.notice(&format!(
        "CA creation complete. Your new CA certificate is at:\n* {}\n\nBuild-ca completed successfully.",
        built.certificate.display()
    ));
    Ok(())
}
