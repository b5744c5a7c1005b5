//! `postern export-p12`, `export-p7`, `export-p8`, `export-p1` and `set-pass`

use std::path::Path;

use pki_core::bundle::pkcs12::Compatibility;
use pki_core::ca::{ExportedFiles, KeyName, Pkcs12Export, set_pass_of_file};
use pki_core::key::Protection;
use pki_core::name::FileBase;
use serde_json::json;

use super::Session;
use crate::args::container::{ContainerCommand, ExportP12Args, SetPassArgs};
use crate::error::CliError;
use crate::output::Answer;

pub(super) fn run(session: &Session, command: &ContainerCommand) -> Result<Answer, CliError> {
    match command {
        ContainerCommand::ExportP12(arguments) => export_p12(session, arguments),
        ContainerCommand::ExportP7(arguments) => {
            let name = FileBase::parse(&arguments.name)?;
            Ok(exported(&session.open()?.export_p7(&name, !arguments.no_ca)?))
        }
        ContainerCommand::ExportP8(arguments) => {
            let name = FileBase::parse(&arguments.name)?;
            let authority = session.open()?;
            let protection = session.protection(arguments.nopass.is_some(), &question(&name))?;
            Ok(exported(&session.run(|context| authority.export_p8(&name, &protection, context))?))
        }
        ContainerCommand::ExportP1(arguments) => {
            let name = FileBase::parse(&arguments.name)?;
            let authority = session.open()?;
            Ok(exported(&session.run(|context| authority.export_p1(&name, context))?))
        }
        ContainerCommand::SetPass(arguments) => set_pass(session, arguments),
    }
}

fn export_p12(session: &Session, arguments: &ExportP12Args) -> Result<Answer, CliError> {
    let name = FileBase::parse(&arguments.name)?;
    let authority = session.open()?;
    authority.issued_certificate(&name)?;
    let request = Pkcs12Export {
        friendly_name: Some(arguments.friendly_name.clone().unwrap_or_else(|| name.to_string())),
        passphrase: session.export_passphrase(arguments.nopass.is_some(), &question(&name))?,
        with_authority: !arguments.no_ca,
        with_key: !arguments.no_key,
        compatibility: if arguments.legacy { Compatibility::Legacy } else { Compatibility::Modern },
        name,
    };
    Ok(exported(&session.run(|context| authority.export_p12(&request, context))?))
}

fn set_pass(session: &Session, arguments: &SetPassArgs) -> Result<Answer, CliError> {
    let is_unprotected = arguments.nopass.is_some();
    let is_removed = std::cell::Cell::new(false);
    let protection = || {
        let chosen = session.protection(is_unprotected, &format!("New passphrase of {}: ", arguments.name));
        let chosen = chosen.map_err(|error| error.to_string())?;
        is_removed.set(matches!(chosen, Protection::None));
        Ok(chosen)
    };
    let file = if arguments.file {
        let path = Path::new(&arguments.name);
        session.run(|context| set_pass_of_file(path, protection, context))?;
        path.to_path_buf()
    } else {
        let is_authority = arguments.name == "ca";
        let key =
            if is_authority { KeyName::Authority } else { KeyName::Of(FileBase::parse(&arguments.name)?) };
        let authority = session.open()?;
        session.run(|context| authority.set_pass(&key, protection, context))?
    };
    let (file, outcome) = (file.display().to_string(), if is_removed.get() { "removed" } else { "changed" });
    Ok(Answer {
        text: format!("Passphrase {outcome}: {file}\n"),
        value: json!({ "key": file, "passphrase": outcome }),
        warnings: Vec::new(),
    })
}

fn question(name: &FileBase) -> String {
    format!("New passphrase of the exported key of {name}: ")
}

fn exported(made: &ExportedFiles) -> Answer {
    let file = made.file.display().to_string();
    let inline = made.inline.as_ref().map(|path| path.display().to_string());
    let for_openvpn = inline.as_ref().map(|path| format!("  for OpenVPN {path}\n")).unwrap_or_default();
    Answer {
        text: format!("Written: {file}\n{for_openvpn}"),
        value: json!({ "file": file, "inline": inline }),
        warnings: Vec::new(),
    }
}
