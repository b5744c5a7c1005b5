//! `postern gen-dh`, `gen-tls-auth-key`, `gen-tls-crypt-key`, `import-tls-key`, `import-ca` and `inline`

use std::path::Path;

use pki_core::ca::TlsKeyKind;
use pki_core::name::FileBase;
use serde_json::json;

use super::Session;
use crate::args::openvpn_files::{GenDhArgs, InlineArgs, OpenVpnFilesCommand};
use crate::error::CliError;
use crate::input::read_file;
use crate::output::Answer;

pub(super) fn run(session: &Session, command: &OpenVpnFilesCommand) -> Result<Answer, CliError> {
    match command {
        OpenVpnFilesCommand::GenDh(arguments) => gen_dh(session, arguments),
        OpenVpnFilesCommand::GenTlsAuthKey(_) => gen_tls_key(session, TlsKeyKind::Auth),
        OpenVpnFilesCommand::GenTlsCryptKey(_) => gen_tls_key(session, TlsKeyKind::Crypt),
        OpenVpnFilesCommand::ImportTlsKey(arguments) => {
            let content = zeroize::Zeroizing::new(read_file(&arguments.file)?);
            Ok(written(&session.open()?.import_tls_key(&content, session.now)?))
        }
        OpenVpnFilesCommand::ImportCa(arguments) => {
            let content = read_file(&arguments.file)?;
            Ok(written(&session.open()?.import_ca(&content, session.now)?))
        }
        OpenVpnFilesCommand::Inline(arguments) => inline(session, arguments),
    }
}

fn gen_dh(session: &Session, arguments: &GenDhArgs) -> Result<Answer, CliError> {
    let authority = session.open()?;
    if let Some(found) = authority.existing_dh()? {
        session.prompter().confirm(&format!("Replace {}?", found.display()))?;
    }
    Ok(written(&authority.gen_dh(arguments.keysize)?))
}

fn gen_tls_key(session: &Session, kind: TlsKeyKind) -> Result<Answer, CliError> {
    let authority = session.open()?;
    Ok(written(&session.run(|context| authority.gen_tls_key(kind, context))?))
}

fn inline(session: &Session, arguments: &InlineArgs) -> Result<Answer, CliError> {
    let made = session.open()?.inline(&FileBase::parse(&arguments.name)?)?;
    Ok(Answer { warnings: made.warnings, ..written(&made.file) })
}

fn written(file: &Path) -> Answer {
    let file = file.display().to_string();
    Answer { text: format!("Written: {file}\n"), value: json!({ "file": file }), warnings: Vec::new() }
}
