//! easy-rsa's commands: words in, one call of the authority, easy-rsa's phrases out.

use pki_core::ca::{BuildCa, GenCrl, Init, Issue, Revoke};
use pki_core::cert::CertificateKind;
use pki_core::crl::RevocationReason;
use pki_core::key::KeyAlgorithm;
use pki_core::name::{CommonName, FileBase};

use super::error::EasyRsaError;
use super::help;
use super::messages::openssl_date;
use super::options::Invocation;
use super::session::Session;
use super::vars;
use crate::error::CliError;
use crate::output;

pub(super) fn run(invocation: Invocation) -> Result<(), EasyRsaError> {
    let Invocation { variables, command, words } = invocation;
    let mut session = Session::new(variables);
    let Some(command) = command else {
        return Ok(output::print(help::OVERVIEW)?);
    };
    match command.as_str() {
        "help" | "--help" | "-h" | "--usage" => return help::show(words.first().map(String::as_str)),
        "version" | "--version" => return Ok(output::print(&help::version())?),
        "init-pki" | "clean-all" => return init_pki(&session, &words),
        _ => read_vars(&mut session)?,
    }
    match command.as_str() {
        "build-ca" => build_ca(&session, &words),
        "build-server-full" => build_full(&session, CertificateKind::Server, &command, &words),
        "build-client-full" => build_full(&session, CertificateKind::Client, &command, &words),
        "build-serverClient-full" => build_full(&session, CertificateKind::ServerClient, &command, &words),
        "revoke" | "revoke-issued" => revoke(&session, &words),
        "gen-crl" => gen_crl(&session, &words),
        _ => Err(EasyRsaError::UnknownCommand(command)),
    }
}

fn read_vars(session: &mut Session) -> Result<(), EasyRsaError> {
    let Some(path) = vars::find(&session.variables)? else {
        return Ok(());
    };
    session.variables.add_vars_file(vars::read(&path)?);
    let path = std::path::absolute(&path).unwrap_or(path);
    session.messages.notice(&format!("Using Easy-RSA 'vars' configuration:\n* {}", path.display()));
    Ok(())
}

/// Replaces whatever is there, after a `yes` or in batch mode; what was there stays beside it as a backup.
fn init_pki(session: &Session, words: &[String]) -> Result<(), EasyRsaError> {
    let preset = preset_vars(words)?;
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
    let request = Init { lock: session.lock()?, vars: preset };
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

/// The vars file that `init-pki ec`, `init-pki ed` or `init-pki CURVE` leaves in the new PKI.
fn preset_vars(words: &[String]) -> Result<Option<String>, EasyRsaError> {
    let (algorithm, curve) = match words {
        [] => return Ok(None),
        [word] if word == "rsa" => return Ok(None),
        [word] if word == "ec" => ("ec", KeyAlgorithm::P384),
        [word] if word == "ed" => ("ed", KeyAlgorithm::Ed25519),
        [word] => {
            let curve = KeyAlgorithm::from_curve(word).map_err(CliError::from)?;
            (if curve == KeyAlgorithm::Ed25519 { "ed" } else { "ec" }, curve)
        }
        [_, extra, ..] => return Err(EasyRsaError::UnknownWord(extra.clone())),
    };
    Ok(Some(format!("set_var EASYRSA_ALGO {algorithm}\nset_var EASYRSA_CURVE {curve}\n")))
}

fn build_ca(session: &Session, words: &[String]) -> Result<(), EasyRsaError> {
    let is_unprotected = only_nopass(words)?;
    let authority = session.open()?;
    authority.require_no_authority()?;
    let protection = session.protection(is_unprotected, "Enter New CA Key Passphrase: ")?;
    let default = configured_name(session).unwrap_or("Easy-RSA CA");
    let name = session.prompter.text("Common Name (eg: your user, host, or server name)", default)?;
    let request = BuildCa {
        subject: session.subject(CommonName::parse(&name)?, !session.prompter.is_batch())?,
        algorithm: session.algorithm()?,
        digest: session.digest()?,
        protection,
        days: session.days("EASYRSA_CA_EXPIRE", 3650)?,
    };
    let built = session.run(|context| authority.build_ca(&request, context))?;
    session.messages.notice(&format!(
        "CA creation complete. Your new CA certificate is at:\n* {}\n\nBuild-ca completed successfully.",
        built.certificate.display()
    ));
    Ok(())
}

fn build_full(
    session: &Session,
    kind: CertificateKind,
    command: &str,
    words: &[String],
) -> Result<(), EasyRsaError> {
    let (name, options) = words.split_first().ok_or_else(|| EasyRsaError::MissingName(command.to_owned()))?;
    let name = FileBase::parse(name)?;
    let is_unprotected = only_nopass(options)?;
    let authority = session.open()?;
    authority.require_free_name(&name)?;
    let common_name = match configured_name(session) {
        Some(configured) => CommonName::parse(configured)?,
        None => name.common_name().clone(),
    };
    let request = Issue {
        kind,
        names: session.alternative_names(&common_name)?,
        subject: session.subject(common_name.clone(), false)?,
        algorithm: session.algorithm()?,
        digest: session.digest()?,
        protection: session.protection(is_unprotected, &format!("Enter PEM pass phrase for {name}: "))?,
        validity: session.validity()?,
        serial_numbers: session.serial_numbers()?,
        name,
    };
    session.prompter.confirm(&signing_question(&request, &common_name))?;
    let issued = session.run(|context| authority.issue(&request, context))?;
    let days = (issued.not_after.unix_seconds() - session.now.unix_seconds()) / 86_400;
    session.messages.openssl(&format!(
        "Signature ok\nCertificate is to be certified until {} ({days} days)\nDatabase updated",
        openssl_date(issued.not_after)
    ));
    issued.warnings.iter().for_each(|warning| session.messages.warning(warning));
    session.messages.notice(&format!("Certificate created at:\n* {}", issued.certificate.display()));
    Ok(())
}

fn signing_question(request: &Issue, common_name: &CommonName) -> String {
    format!(
        "Please check over the details shown below for accuracy.\n\n  \
         Requested CN:     '{common_name}'\n  Requested type:   '{}'\n  Valid until:      '{}'",
        kind_name(request.kind),
        openssl_date(request.validity.not_after())
    )
}

fn revoke(session: &Session, words: &[String]) -> Result<(), EasyRsaError> {
    let (name, reason) = match words {
        [] => return Err(EasyRsaError::MissingName("revoke".into())),
        [name] => (name, None),
        [name, reason] => (name, Some(reason)),
        [_, _, extra, ..] => return Err(EasyRsaError::UnknownWord(extra.clone())),
    };
    let name = FileBase::parse(name)?;
    let reason = match reason {
        Some(word) => Some(RevocationReason::from_user(word).map_err(CliError::from)?),
        None => None,
    };
    let authority = session.open()?;
    let (serial, subject) = authority.revocable(&name)?;
    session.prompter.confirm(&format!(
        "Please confirm that you wish to revoke the certificate with the following subject:\n\n  \
         subject: {subject}\n  serial:  {serial}\n  reason:  {}",
        reason.map_or("None given", RevocationReason::as_str)
    ))?;
    let revoked = session.run(|context| authority.revoke(&Revoke { name, reason }, context))?;
    session.messages.openssl(&format!("Revoking Certificate {}.\nData Base Updated", revoked.serial));
    session.messages.notice(
        "Revocation was successful. You must run 'gen-crl' and upload the new CRL to your infrastructure, so that the \
         certificate is no longer accepted.",
    );
    Ok(())
}

fn gen_crl(session: &Session, words: &[String]) -> Result<(), EasyRsaError> {
    if let Some(extra) = words.first() {
        return Err(EasyRsaError::UnknownWord(extra.clone()));
    }
    let authority = session.open()?;
    let request =
        GenCrl { days: session.days("EASYRSA_CRL_DAYS", 180)?, digest: session.digest()?, force: false };
    let list = session.run(|context| authority.gen_crl(&request, context))?;
    list.warnings.iter().for_each(|warning| session.messages.warning(warning));
    session.messages.notice(&format!(
        "An updated CRL has been created:\n* {}\n* {}",
        list.file.display(),
        list.file.with_extension("der").display()
    ));
    Ok(())
}

fn only_nopass(words: &[String]) -> Result<bool, EasyRsaError> {
    match words.iter().find(|word| word.as_str() != "nopass") {
        Some(extra) => Err(EasyRsaError::UnknownWord(extra.clone())),
        None => Ok(!words.is_empty()),
    }
}

/// The value `ChangeMe` is easy-rsa's way of saying that none was set.
fn configured_name(session: &Session) -> Option<&str> {
    session.variables.value("EASYRSA_REQ_CN").filter(|name| *name != "ChangeMe")
}

fn kind_name(kind: CertificateKind) -> &'static str {
    match kind {
        CertificateKind::Authority(_) => "ca",
        CertificateKind::Server => "server",
        CertificateKind::Client => "client",
        CertificateKind::ServerClient => "serverClient",
    }
}
