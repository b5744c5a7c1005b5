//! What goes into a profile: the values of the command line, checked, and what the PKI holds of a client.

use std::path::{Path, PathBuf};

use pki_core::bundle::ovpn::{
    Challenge, ClientIdentity, ClientProfile, ControlWrapping, Dialect, Host, Port, ProfileKey, Protocol,
    Remote, ServerName, TlsAuthDirection,
};
use pki_core::bundle::static_key::ClientKey;
use pki_core::cert::Certificate;
use pki_core::key::{EncodedKey, PrivateKey};
use pki_core::name::FileBase;
use pki_core::random::SystemSource;
use pki_core::{Authority, PkiError};
use vpn_server::auth::{ClientKeyMetadata, ClientKeys, read_static_key};

use super::Session;
use crate::args::profile::{MetadataArgument, ProfileArgs};
use crate::error::CliError;

/// The checked values of the command line.
pub(super) struct Terms {
    remote: Remote,
    dialect: Dialect,
    wrapping: Option<ControlWrapping>,
    server_name: Option<ServerName>,
    asks_password: bool,
    challenge: Option<Challenge>,
    random_host: bool,
}

impl Terms {
    /// Checks the values and reads the key files; `present` is the profile that the client has already.
    pub(super) fn parse(
        session: &Session,
        arguments: &ProfileArgs,
        name: Option<&FileBase>,
        present: Option<&str>,
    ) -> Result<Self, CliError> {
        Ok(Self {
            remote: Remote {
                host: Host::parse(&arguments.remote)?,
                port: Port::parse(&arguments.port)?,
                protocol: arguments.proto.parse::<Protocol>()?,
            },
            dialect: arguments.client.dialect().unwrap_or_default(),
            server_name: arguments.server_name.as_deref().map(ServerName::parse).transpose()?,
            wrapping: wrapping(session, arguments, name, present)?,
            asks_password: arguments.auth_user_pass,
            challenge: arguments.static_challenge.as_deref().map(Challenge::parse).transpose()?,
            random_host: arguments.remote_random_hostname,
        })
    }
}

fn wrapping(
    session: &Session,
    arguments: &ProfileArgs,
    name: Option<&FileBase>,
    present: Option<&str>,
) -> Result<Option<ControlWrapping>, CliError> {
    if let Some(text) = &arguments.tls_auth {
        let (path, direction) = split_direction(text);
        let key = Box::new(read_static_key("tls-auth", &path)?);
        let digest = arguments.auth.map(Into::into);
        return Ok(Some(ControlWrapping::TlsAuth { key, direction, digest }));
    }
    if let Some(path) = &arguments.tls_crypt {
        return Ok(Some(ControlWrapping::TlsCrypt(Box::new(read_static_key("tls-crypt", path)?))));
    }
    let Some(path) = &arguments.tls_crypt_v2 else {
        return Ok(None);
    };
    let metadata = match (arguments.tls_crypt_v2_metadata, name) {
        (MetadataArgument::User, Some(name)) => ClientKeyMetadata::User(name.common_name().clone()),
        (MetadataArgument::User, None) => return Err(CliError::Usage(NO_USER.into())),
        (MetadataArgument::Timestamp, _) => ClientKeyMetadata::MadeAt(session.now),
    };
    Ok(Some(ControlWrapping::TlsCryptV2(client_key(path, &metadata, present)?)))
}

const NO_USER: &str = "--tls-crypt-v2-metadata user needs the name of a client";

/// The key of the present profile if the server still knows it, so that a profile made again is the same.
fn client_key(
    server_key: &Path,
    metadata: &ClientKeyMetadata,
    present: Option<&str>,
) -> Result<ClientKey, CliError> {
    let keys = ClientKeys::read(server_key)?;
    let kept = present.and_then(|text| ClientKey::parse(text).ok()).filter(|key| keys.know(key));
    match kept {
        Some(key) => Ok(key),
        None => Ok(keys.make(metadata, &mut SystemSource::new())?),
    }
}

/// `FILE:0` and `FILE:1` name a direction; everything else is a file.
fn split_direction(text: &str) -> (PathBuf, Option<TlsAuthDirection>) {
    match text.rsplit_once(':') {
        Some((path, "0")) => (path.into(), Some(TlsAuthDirection::Zero)),
        Some((path, "1")) => (path.into(), Some(TlsAuthDirection::One)),
        _ => (text.into(), None),
    }
}

/// What the PKI holds of a client, or of everybody.
pub(super) struct Ingredients {
    pub(super) authorities: Vec<Certificate>,
    pub(super) identity: Option<Identity>,
}

/// Certificate and key of a client.
pub(super) struct Identity {
    pub(super) chain: Vec<Certificate>,
    pub(super) key: IdentityKey,
}

pub(super) enum IdentityKey {
    Stored(EncodedKey),
    Unlocked(PrivateKey),
}

impl Ingredients {
    /// Reads the certificates of the authority only.
    pub(super) fn of_everybody(authority: &Authority) -> Result<Self, CliError> {
        Ok(Self { authorities: authority.reader().authority()?, identity: None })
    }

    /// Reads certificate and key of a client as well; asks for the passphrase if the key shall be unlocked.
    pub(super) fn of_client(
        session: &Session,
        authority: &Authority,
        name: &FileBase,
        is_unlocked: bool,
    ) -> Result<Self, CliError> {
        let reader = authority.reader();
        let authorities = reader.authority()?;
        let chain = reader.certificate_chain(name)?;
        let stored = reader.encoded_key(name)?;
        let key = if is_unlocked {
            IdentityKey::Unlocked(unlock(session, stored, reader.private_key_path(name))?)
        } else {
            IdentityKey::Stored(stored)
        };
        Ok(Self { authorities, identity: Some(Identity { chain, key }) })
    }

    /// The profile that they make on these terms.
    pub(super) fn to_profile(&self, terms: Terms) -> ClientProfile<'_> {
        let identity = self.identity.as_ref().map(|identity| ClientIdentity {
            chain: &identity.chain,
            key: match &identity.key {
                IdentityKey::Stored(key) => ProfileKey::AsStored(key),
                IdentityKey::Unlocked(key) => ProfileKey::Plain(key),
            },
        });
        ClientProfile {
            remote: terms.remote,
            authorities: &self.authorities,
            identity,
            dialect: terms.dialect,
            wrapping: terms.wrapping,
            server_name: terms.server_name,
            asks_password: terms.asks_password,
            challenge: terms.challenge,
            random_host: terms.random_host,
        }
    }
}

fn unlock(session: &Session, stored: EncodedKey, path: PathBuf) -> Result<PrivateKey, CliError> {
    let passphrase = match &stored {
        EncodedKey::Plain(_) => None,
        EncodedKey::Encrypted(_) => Some(session.existing_passphrase(&path)?),
    };
    Ok(stored.unlock(passphrase.as_ref()).map_err(|cause| PkiError::Key { path, cause })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_direction_at_the_end_is_one() {
        for (text, path, direction) in [
            ("ta.key", "ta.key", None),
            ("ta.key:1", "ta.key", Some(TlsAuthDirection::One)),
            ("a:b/ta.key:0", "a:b/ta.key", Some(TlsAuthDirection::Zero)),
            ("a:b/ta.key", "a:b/ta.key", None),
        ] {
            assert_eq!(split_direction(text), (PathBuf::from(path), direction));
        }
    }
}
