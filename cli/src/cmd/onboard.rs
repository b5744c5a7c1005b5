//! `postern onboard`: a certificate and a profile, as far as they are not there yet.

use pki_core::ca::{
    CertificateForm, Issue, NextGeneration, RenewedKey, SerialNumbers, StoredProfile, Warning,
};
use pki_core::cert::build::Validity;
use pki_core::cert::{Certificate, CertificateKind, Customisation, IssuedKind, SubjectAltName};
use pki_core::dn::Subject;
use pki_core::name::FileBase;
use pki_core::{Authority, PkiError};
use serde_json::json;

use super::Session;
use super::profile::{Ingredients, Terms};
use crate::args::onboard::OnboardArgs;
use crate::args::profile::ClientArgument;
use crate::error::CliError;
use crate::output::Answer;

pub(super) fn run(session: &Session, arguments: &OnboardArgs) -> Result<Answer, CliError> {
    if arguments.profile.client == ClientArgument::ChromeOsOnc {
        return Err(CliError::Usage("onboard writes .ovpn profiles; use `export --for chromeos-onc`".into()));
    }
    let name = FileBase::parse(&arguments.name)?;
    let authority = session.open()?;
    let present = authority.profile(&name)?;
    let present = present.as_ref().map(|text| text.as_str());
    let terms = Terms::parse(session, &arguments.profile, Some(&name), present)?;
    let (state, warnings) = ensure_certificate(session, &authority, &name, arguments)?;
    let is_unlocked = arguments.profile.decrypt_key;
    let ingredients = Ingredients::of_client(session, &authority, &name, is_unlocked)?;
    let profile = authority.put_profile(&name, &ingredients.to_profile(terms).to_text()?)?;
    let certificate = authority.issued_certificate(&name)?;
    Ok(answer(&name, state, &certificate, &profile, warnings))
}

/// What became of the certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CertificateState {
    Created,
    /// It had expired.
    Renewed,
    Kept,
}

impl CertificateState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Renewed => "renewed",
            Self::Kept => "kept",
        }
    }
}

fn ensure_certificate(
    session: &Session,
    authority: &Authority,
    name: &FileBase,
    arguments: &OnboardArgs,
) -> Result<(CertificateState, Vec<Warning>), CliError> {
    let present = match authority.current_generation(name) {
        Ok(certificate) => certificate,
        Err(PkiError::NoCertificate { .. }) => {
            let warnings = issue(session, authority, name, arguments)?;
            return Ok((CertificateState::Created, warnings));
        }
        Err(other) => return Err(other.into()),
    };
    match present.kind() {
        IssuedKind::Client | IssuedKind::ServerClient => {}
        kind @ (IssuedKind::Authority | IssuedKind::Server | IssuedKind::Other) => {
            return Err(CliError::NotAClient { name: name.to_string(), kind: kind.as_str() });
        }
    }
    if present.not_after() >= session.now {
        return Ok((CertificateState::Kept, Vec::new()));
    }
    let warnings = renew(session, authority, name, arguments)?;
    Ok((CertificateState::Renewed, warnings))
}

fn issue(
    session: &Session,
    authority: &Authority,
    name: &FileBase,
    arguments: &OnboardArgs,
) -> Result<Vec<Warning>, CliError> {
    authority.require_free_name(name)?;
    let question = format!("New passphrase of the key of {name}: ");
    let request = Issue {
        kind: CertificateKind::Client,
        subject: Subject::common_name_only(name.common_name().clone()),
        names: arguments.san.as_deref().map(SubjectAltName::parse).transpose()?,
        algorithm: arguments.key.algorithm()?,
        digest: arguments.key.digest(),
        protection: session.protection(arguments.key.is_unprotected(), &question)?,
        validity: Validity::days_from(session.now, arguments.days)?,
        serial_numbers: SerialNumbers::Random159,
        customisation: Customisation::default(),
        form: CertificateForm::default(),
        name: name.clone(),
    };
    Ok(session.run(|context| authority.issue(&request, context))?.warnings)
}

fn renew(
    session: &Session,
    authority: &Authority,
    name: &FileBase,
    arguments: &OnboardArgs,
) -> Result<Vec<Warning>, CliError> {
    let request = NextGeneration {
        name: name.clone(),
        key: RenewedKey::Same,
        digest: arguments.key.digest(),
        validity: Validity::days_from(session.now, arguments.days)?,
        serial_numbers: SerialNumbers::Random159,
        form: CertificateForm::default(),
    };
    Ok(session.run(|context| authority.next_generation(&request, context))?.issued.warnings)
}

fn answer(
    name: &FileBase,
    state: CertificateState,
    certificate: &Certificate,
    profile: &StoredProfile,
    warnings: Vec<Warning>,
) -> Answer {
    let (serial, end) = (certificate.serial().to_string(), certificate.not_after().to_string());
    let file = profile.file.display().to_string();
    let written = if profile.is_new { "written" } else { "unchanged" };
    Answer {
        text: format!(
            "Onboarded: {name}\n  certificate  {}\n  serial       {serial}\n  valid to     {end}\n  \
             profile      {file} ({written})\n",
            state.as_str()
        ),
        value: json!({
            "name": name.as_str(),
            "changed": state != CertificateState::Kept || profile.is_new,
            "certificate": state.as_str(),
            "serial": serial,
            "not_after": end,
            "profile": file,
            "profile_changed": profile.is_new,
        }),
        warnings,
    }
}
