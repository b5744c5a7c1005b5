//! `postern gen-req`, `import-req` and `show-req`

use pki_core::ca::GenReq;
use pki_core::cert::csr::Request;
use pki_core::cert::dump::{self, Extent};
use pki_core::cert::{Customisation, SubjectAltName};
use pki_core::dn::Subject;
use pki_core::name::{CommonName, FileBase};
use serde_json::json;

use super::{Session, self_sign, sign_req};
use crate::args::request::{GenReqArgs, ImportReqArgs, RequestCommand, ShowReqArgs};
use crate::error::CliError;
use crate::input::read_file;
use crate::output::Answer;

pub(super) fn run(session: &Session, command: &RequestCommand) -> Result<Answer, CliError> {
    use pki_core::cert::profile::SelfSigned;

    match command {
        RequestCommand::GenReq(arguments) => gen_req(session, arguments),
        RequestCommand::ImportReq(arguments) => import_req(session, arguments),
        RequestCommand::SignReq(arguments) => sign_req::run(session, arguments),
        RequestCommand::SelfSignServer(arguments) => self_sign::run(session, SelfSigned::Server, arguments),
        RequestCommand::SelfSignClient(arguments) => self_sign::run(session, SelfSigned::Client, arguments),
        RequestCommand::ShowReq(arguments) => show_req(session, arguments),
    }
}

fn gen_req(session: &Session, arguments: &GenReqArgs) -> Result<Answer, CliError> {
    let name = FileBase::parse(&arguments.name)?;
    let authority = session.open()?;
    if let Some(found) = authority.existing_request(&name)? {
        return Err(pki_core::PkiError::NameTaken { found }.into());
    }
    let common_name = match &arguments.cn {
        Some(text) => CommonName::parse(text)?,
        None => name.common_name().clone(),
    };
    let request = GenReq {
        subject: Subject::common_name_only(common_name),
        names: arguments.san.as_deref().map(SubjectAltName::parse).transpose()?,
        algorithm: arguments.key.algorithm()?,
        digest: arguments.key.digest(),
        protection: session
            .protection(arguments.key.is_unprotected(), &format!("New passphrase of the key of {name}: "))?,
        customisation: Customisation::default(),
        text: false,
        overwrite: false,
        name,
    };
    let made = session.run(|context| authority.gen_req(&request, context))?;
    let (request, key) = (made.request.display().to_string(), made.key.display().to_string());
    Ok(Answer {
        text: format!("Request made: {request}\n  key        {key}\n"),
        value: json!({ "request": request, "key": key }),
        warnings: Vec::new(),
    })
}

fn import_req(session: &Session, arguments: &ImportReqArgs) -> Result<Answer, CliError> {
    let name = FileBase::parse(&arguments.name)?;
    let content = read_file(&arguments.file)?;
    let request = session.open()?.import_req(&name, &content, session.now)?.display().to_string();
    Ok(Answer {
        text: format!("Request taken over: {request}\n  Sign it with: postern sign-req TYPE '{name}'\n"),
        value: json!({ "request": request }),
        warnings: Vec::new(),
    })
}

fn show_req(session: &Session, arguments: &ShowReqArgs) -> Result<Answer, CliError> {
    let request = session.open()?.request(&FileBase::parse(&arguments.name)?)?;
    let extent = if arguments.full { Extent::Full } else { Extent::Brief };
    Ok(Answer { text: dump::request(&request, extent), value: value(&request), warnings: Vec::new() })
}

fn value(request: &Request) -> serde_json::Value {
    json!({
        "subject": request.subject_line(),
        "common_name": request.common_name(),
        "alternative_names": dump::alternative_names_of_request(request),
        "signature_is_good": request.verify().is_ok(),
    })
}
