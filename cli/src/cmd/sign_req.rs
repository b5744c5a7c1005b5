//! `postern sign-req`

use std::path::Path;

use pki_core::PkiError;
use pki_core::ca::{CertificateForm, SerialNumbers, SignReq, SubjectChoice};
use pki_core::cert::build::Validity;
use pki_core::cert::dump::multiline_name;
use pki_core::cert::{Customisation, ExtensionFile, SubjectAltName};
use pki_core::name::FileBase;

use super::{Session, issue};
use crate::args::request::{SignReqArgs, TypeArgument};
use crate::error::CliError;
use crate::input::read_file;
use crate::output::{Answer, printable};

pub(super) fn run(session: &Session, arguments: &SignReqArgs) -> Result<Answer, CliError> {
    if arguments.path_length.is_some() && arguments.kind != TypeArgument::Ca {
        return Err(CliError::Usage("only an authority has a --path-length".into()));
    }
    let name = FileBase::parse(&arguments.name)?;
    let authority = session.open()?;
    let request = authority.signable(&name)?;
    let sign = SignReq {
        kind: arguments.kind.kind(arguments.path_length),
        subject: subject_choice(arguments),
        names: arguments.san.as_deref().map(SubjectAltName::parse).transpose()?,
        digest: arguments.digest.map(Into::into),
        validity: Validity::days_from(session.now, arguments.days)?,
        serial_numbers: SerialNumbers::Random159,
        customisation: Customisation {
            extra: arguments.extensions.as_deref().map(extension_file).transpose()?,
            copies_request: arguments.copy_ext,
            ..Customisation::default()
        },
        form: CertificateForm::default(),
        name,
    };
    let subject: String =
        multiline_name(&sign.subject.resolve(&request)?).lines().map(|line| printable(line) + "\n").collect();
    session.prompter().confirm(&format!(
        "Sign this request until {}?\n\nsubject=\n{}",
        sign.validity.not_after(),
        subject.trim_end()
    ))?;
    let issued = session.run(|context| authority.sign_req(&sign, context))?;
    Ok(issue::answer(&sign.name, issued))
}

fn subject_choice(arguments: &SignReqArgs) -> SubjectChoice {
    match (&arguments.subject, arguments.preserve) {
        (Some(text), preserve) => SubjectChoice::Replaced { text: text.clone(), preserve },
        (None, true) => SubjectChoice::Preserved,
        (None, false) => SubjectChoice::ByPolicy,
    }
}

fn extension_file(path: &Path) -> Result<ExtensionFile, CliError> {
    let content = read_file(path)?;
    let text = String::from_utf8_lossy(&content);
    let parsed = ExtensionFile::parse(&text, |name| std::env::var(name).ok());
    parsed.map_err(|cause| PkiError::Certificate { path: path.to_path_buf(), cause }.into())
}
