//! `postern expire`, `verify-cert`, `show-ca`, `show-crl` and `update-db`

use pki_core::PkiError;
use pki_core::cert::Certificate;
use pki_core::cert::dump::{self, Extent};
use pki_core::chain::{ChainPolicy, FileRequest, verify_files};
use pki_core::crl::Crl;
use pki_core::name::FileBase;
use serde_json::{Value, json};

use super::{Session, show, verify_chain};
use crate::args::certificate::{CertificateCommand, ExpireArgs, ShowCaArgs, VerifyCertArgs};
use crate::error::CliError;
use crate::output::{Answer, revocation_list};

pub(super) fn run(session: &Session, command: &CertificateCommand) -> Result<Answer, CliError> {
    match command {
        CertificateCommand::Expire(arguments) => expire(session, arguments),
        CertificateCommand::VerifyCert(arguments) => verify_cert(session, arguments),
        CertificateCommand::ShowCa(arguments) => show_ca(session, arguments),
        CertificateCommand::ShowCrl(_) => show_crl(session),
        CertificateCommand::UpdateDb(_) => update_db(session),
    }
}

fn expire(session: &Session, arguments: &ExpireArgs) -> Result<Answer, CliError> {
    let name = FileBase::parse(&arguments.name)?;
    let authority = session.open()?;
    let certificate = authority.issued_certificate(&name)?;
    let (subject, serial) = (certificate.subject_line(), certificate.serial());
    session.prompter().confirm(&format!("Put {subject} (serial {serial}) aside?"))?;
    let file = authority.expire(&name, session.now)?.display().to_string();
    Ok(Answer {
        text: format!(
            "Put aside: {file}\n  It stays valid until {}, or until it is revoked by its serial number {serial}.\n",
            certificate.not_after()
        ),
        value: json!({ "file": file, "serial": serial.to_string(), "not_after": certificate.not_after().to_string() }),
        warnings: Vec::new(),
    })
}

/// The judgement of the server, with the PKI's own authority and list.
fn verify_cert(session: &Session, arguments: &VerifyCertArgs) -> Result<Answer, CliError> {
    let authority = session.open()?;
    let reader = authority.reader();
    let found = reader.find(&arguments.wanted, session.now)?;
    let Some(file) = found.file else {
        return Err(PkiError::NoSuchCertificate { wanted: arguments.wanted.clone() }.into());
    };
    let authorities: String = reader.authority()?.iter().map(Certificate::to_pem).collect();
    let list = if arguments.no_crl { None } else { authority.published_list_file()? };
    let verified = verify_files(&FileRequest {
        authorities: authorities.as_bytes(),
        intermediates: None,
        lists: list.as_deref(),
        leaf: file.certificate.to_pem().as_bytes(),
        purpose: arguments.purpose.into(),
        name: None,
        policy: &ChainPolicy::general(),
        now: session.now,
    })?;
    Ok(verify_chain::answer(&verified))
}

fn show_ca(session: &Session, arguments: &ShowCaArgs) -> Result<Answer, CliError> {
    let certificates = session.read()?.authority()?;
    let extent = if arguments.full { Extent::Full } else { Extent::Brief };
    Ok(Answer {
        text: certificates.iter().map(|certificate| dump::certificate(certificate, extent)).collect(),
        value: json!({ "certificates": certificates.iter().map(show::certificate_value).collect::<Vec<Value>>() }),
        warnings: Vec::new(),
    })
}

fn show_crl(session: &Session) -> Result<Answer, CliError> {
    let authority = session.open()?;
    let Some(content) = authority.published_list_file()? else {
        return Err(CliError::NoRevocationList(authority.reader().revocation_list_path()));
    };
    let lists = Crl::parse_file(&content).map_err(CliError::RevocationList)?;
    Ok(Answer {
        text: lists.iter().map(revocation_list::to_text).collect(),
        value: json!({ "lists": lists.iter().map(revocation_list::to_value).collect::<Vec<Value>>() }),
        warnings: Vec::new(),
    })
}

fn update_db(session: &Session) -> Result<Answer, CliError> {
    let count = session.open()?.update_db(session.now)?;
    Ok(Answer {
        text: format!("{count} certificates have ended since the last time.\n"),
        value: json!({ "expired": count }),
        warnings: Vec::new(),
    })
}
