//! `postern export`

use std::io::IsTerminal;

use pki_core::bundle::ovpn::{ClientIdentity, ClientProfile, Host, Port, ProfileKey, Protocol, Remote};
use pki_core::key::EncodedKey;
use pki_core::name::FileBase;
use pki_core::{Authority, PkiError};
use serde_json::json;

use super::Session;
use super::new_file::write_new;
use crate::args::export::ExportArgs;
use crate::error::CliError;
use crate::output::Answer;

pub(super) fn run(session: &Session, arguments: &ExportArgs) -> Result<Answer, CliError> {
    let remote = Remote {
        host: Host::parse(&arguments.remote)?,
        port: Port::parse(&arguments.port)?,
        protocol: arguments.proto.parse::<Protocol>()?,
    };
    let name = arguments.name.as_deref().map(FileBase::parse).transpose()?;
    let authority = session.open()?;
    let text = profile(session, &authority, remote, name.as_ref(), arguments)?;
    let has_key = name.is_some() && !arguments.without_key;
    match &arguments.output {
        Some(path) => {
            write_new(path, &text)?;
            let path = path.display().to_string();
            Ok(answer(format!("Profile written: {path}\n"), json!({ "file": path })))
        }
        None => {
            if has_key && std::io::stdout().is_terminal() {
                session
                    .output
                    .note("warning: this profile holds a private key; --output FILE keeps it off the screen");
            }
            Ok(answer(text.to_string(), json!({ "profile": text.as_str() })))
        }
    }
}

fn profile(
    session: &Session,
    authority: &Authority,
    remote: Remote,
    name: Option<&FileBase>,
    arguments: &ExportArgs,
) -> Result<zeroize::Zeroizing<String>, CliError> {
    let reader = authority.reader();
    let authorities = reader.authority()?;
    let profile = |identity| ClientProfile { remote, authorities: &authorities, identity };
    let Some(name) = name else {
        return Ok(profile(None).to_text()?);
    };
    let chain = reader.certificate_chain(name)?;
    if arguments.without_key {
        return Ok(profile(None).to_text()?);
    }
    let stored = reader.encoded_key(name)?;
    if !arguments.decrypt_key {
        let key = ProfileKey::AsStored(&stored);
        return Ok(profile(Some(ClientIdentity { chain: &chain, key })).to_text()?);
    }
    let path = reader.private_key_path(name);
    let passphrase = match &stored {
        EncodedKey::Plain(_) => None,
        EncodedKey::Encrypted(_) => Some(session.existing_passphrase(&path)?),
    };
    let key = stored.unlock(passphrase.as_ref()).map_err(|cause| PkiError::Key { path, cause })?;
    let key = ProfileKey::Plain(&key);
    Ok(profile(Some(ClientIdentity { chain: &chain, key })).to_text()?)
}

fn answer(text: String, value: serde_json::Value) -> Answer {
    Answer { text, value, warnings: Vec::new() }
}
