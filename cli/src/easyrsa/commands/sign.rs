//! `sign-req`, `build-*-full`, `self-sign-*` and `renew`.

use pki_core::ca::{Issue, Issued, NextGeneration, RenewedKey, SelfSign, SignReq, SubjectChoice};
use pki_core::cert::CertificateKind;
use pki_core::cert::build::Validity;
use pki_core::cert::dump::{multiline_name, openssl_date};
use pki_core::cert::extension::PathLength;
use pki_core::cert::profile::SelfSigned;
use pki_core::key::KeyAlgorithm;
use pki_core::name::FileBase;

use super::{Outcome, Words, common_name, configured_name};
use crate::easyrsa::error::EasyRsaError;
use crate::easyrsa::session::Session;

pub(super) fn sign_req(session: &Session, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let type_name = words.required("sign-req")?;
    let name = words.name("sign-req")?;
    let replaces_subject = words.takes(&["newsubj", "newsubject"]);
    let preserve = words.takes(&["preserve"]) || session.variables.is_set("EASYRSA_PRESERVE_DN");
    let ignored = words.takes(&["nopass"]);
    words.finish()?;
    if ignored {
        session.messages.remark("Ignoring option 'nopass'. A signed certificate has no passphrase.");
    }
    let subject = subject_choice(session, replaces_subject, preserve)?;
    let certificate_type = session.certificate_type(type_name)?;
    let authority = session.open()?;
    let request = authority.signable(&name)?;
    let chosen = subject.resolve(&request)?;
    let requested_name = request.common_name().unwrap_or_default();
    let has_own_names = certificate_type.customisation.copies_request && !request.extensions().is_empty();
    let names =
        if has_own_names { session.given_names()? } else { session.alternative_names(&requested_name)? };
    let sign = SignReq {
        kind: match (certificate_type.kind, session.subca_length()?) {
            (CertificateKind::Authority(_), Some(length)) => {
                CertificateKind::Authority(PathLength::AtMost(length))
            }
            (kind, _) => kind,
        },
        name,
        subject,
        names,
        digest: session.digest()?,
        validity: session.validity()?,
        serial_numbers: session.serial_numbers()?,
        customisation: certificate_type.customisation,
        form: session.form(),
    };
    session.prompter.confirm(&question(
        &requested_name,
        type_name,
        sign.validity,
        &multiline_name(&chosen),
    ))?;
    let issued = session.run(|context| authority.sign_req(&sign, context))?;
    report(session, &issued);
    Ok(())
}

/// `newsubj` and --new-subject belong together.
fn subject_choice(session: &Session, replaces: bool, preserve: bool) -> Result<SubjectChoice, EasyRsaError> {
    match (replaces, session.variables.value("EASYRSA_NEW_SUBJECT")) {
        (false, None) if preserve => Ok(SubjectChoice::Preserved),
        (false, None) => Ok(SubjectChoice::ByPolicy),
        (true, Some(text)) => Ok(SubjectChoice::Replaced { text: text.to_owned(), preserve }),
        (true, None) => Err(EasyRsaError::Together("newsubj", "--new-subject")),
        (false, Some(_)) => Err(EasyRsaError::Together("--new-subject", "newsubj")),
    }
}

pub(super) fn build_full(session: &Session, type_name: &str, command: &str, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let name = words.name(command)?;
    let is_unprotected = words.takes(&["nopass"]);
    // easy-rsa 3.1 made its inline file on demand; it is made anyway.
    words.takes(&["inline"]);
    words.finish()?;
    let authority = session.open()?;
    authority.require_free_name(&name)?;
    let common_name = common_name(session, &name)?;
    let certificate_type = session.certificate_type(type_name)?;
    let request = Issue {
        kind: certificate_type.kind,
        names: session.alternative_names(common_name.as_str())?,
        subject: session.subject(common_name.clone(), false)?,
        algorithm: session.algorithm()?,
        digest: session.digest()?,
        protection: session.protection(is_unprotected, &format!("Enter PEM pass phrase for {name}: "))?,
        validity: session.validity()?,
        serial_numbers: session.serial_numbers()?,
        customisation: certificate_type.customisation,
        form: session.form(),
        name,
    };
    session.prompter.confirm(&question(common_name.as_str(), type_name, request.validity, ""))?;
    let issued = session.run(|context| authority.issue(&request, context))?;
    report(session, &issued);
    Ok(())
}

pub(super) fn self_sign(session: &Session, end: SelfSigned, words: &[String]) -> Outcome {
    let command = match end {
        SelfSigned::Server => "self-sign-server",
        SelfSigned::Client => "self-sign-client",
    };
    let mut words = Words::new(words);
    let name = words.name(command)?;
    let is_unprotected = words.takes(&["nopass"]);
    words.finish()?;
    if configured_name(session).is_some() {
        return Err(EasyRsaError::NotWithSelfSign("--req-cn"));
    }
    let authority = session.open()?;
    authority.require_self_signable(&name)?;
    // easy-rsa makes no self-signed RSA certificates either.
    let chosen = session.algorithm()?;
    let is_rsa = matches!(chosen, KeyAlgorithm::Rsa { .. });
    let algorithm = if is_rsa { KeyAlgorithm::P384 } else { chosen };
    let request = SelfSign {
        end,
        subject: session.subject(name.common_name().clone(), false)?,
        algorithm,
        digest: session.digest()?,
        protection: session.protection(is_unprotected, &format!("Enter PEM pass phrase for {name}: "))?,
        validity: session.validity()?,
        customisation: session.customisation()?,
        form: session.form(),
        name,
    };
    let made = session.run(|context| authority.self_sign(&request, context))?;
    session
        .messages
        .notice(&format!("Updated the peer-fingerprint list at:\n* {}", made.fingerprints.display()));
    made.warnings.iter().for_each(|warning| session.messages.warning(warning));
    session.messages.notice(&format!(
        "Self-signed '{algorithm}' key and certificate created:\n* {}\n* {}",
        made.key.display(),
        made.certificate.display()
    ));
    Ok(())
}

pub(super) fn renew(session: &Session, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let name = words.name("renew")?;
    // easy-rsa 3.1 renews with a new key and so takes the options of build-*-full; the key stays here.
    words.takes(&["nopass"]);
    words.finish()?;
    let authority = session.open()?;
    let certificate = authority.current_generation(&name)?;
    authority.require_renewable_once(&name)?;
    let validity = session.validity()?;
    session.prompter.confirm(&format!(
        "Please confirm you wish to renew the certificate with the following subject:\n\n  subject: {}\n  serial:  {}\n  \
         valid until: {}",
        certificate.subject_line(),
        certificate.serial(),
        openssl_date(validity.not_after())
    ))?;
    let request = NextGeneration {
        key: RenewedKey::Same,
        digest: session.digest()?,
        validity,
        serial_numbers: session.serial_numbers()?,
        form: session.form(),
        name: name.clone(),
    };
    let renewed = session.run(|context| authority.next_generation(&request, context))?;
    report(session, &renewed.issued);
    session.messages.notice(&format!(
        "Renew was successful.\n\nA new certificate takes the place of the old one, which stays valid. Once the new one is in \
         use, revoke the old one:\n  revoke-renewed {name}"
    ));
    Ok(())
}

/// What openssl and easy-rsa say about a new certificate.
fn report(session: &Session, issued: &Issued) {
    let days = (issued.not_after.unix_seconds() - issued.not_before.unix_seconds()) / 86_400;
    session.messages.openssl(&format!(
        "Check that the request matches the signature\nSignature ok\nCertificate is to be certified until {} ({days} \
         days)\n\nWrite out database with 1 new entries\nDatabase updated",
        openssl_date(issued.not_after)
    ));
    issued.warnings.iter().for_each(|warning| session.messages.warning(warning));
    session.messages.notice(&format!("Certificate created at:\n* {}", issued.certificate.display()));
}

fn question(common_name: &str, type_name: &str, validity: Validity, subject: &str) -> String {
    let subject =
        if subject.is_empty() { String::new() } else { format!("\n\nsubject=\n{}", subject.trim_end()) };
    format!(
        "Please check over the details shown below for accuracy.\n\n  Requested CN:     '{}'\n  Requested type:   \
         '{type_name}'\n  Valid until:      '{}'{subject}",
        common_name.escape_debug(),
        openssl_date(validity.not_after())
    )
}

/// The name of a certificate file without its ending, if it can be one.
pub(super) fn stem(path: &std::path::Path) -> Option<FileBase> {
    path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| FileBase::parse(stem).ok())
}
