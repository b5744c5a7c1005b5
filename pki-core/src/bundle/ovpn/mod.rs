//! Client profiles: complete `.ovpn` files, in the dialect of one kind of client or of all.
//!
//! Every value comes from a type with its own grammar, and inline blocks hold PEM and keys that were decoded and encoded
//! again, so nothing that stands in a name or in a file can become a directive (threat model CFG-01). What the directives
//! of each client are is in [`Dialect`].

mod challenge;
mod dialect;
mod error;
mod remote;
mod server_name;
mod wrapping;

use zeroize::Zeroizing;

pub use challenge::Challenge;
pub use dialect::Dialect;
pub use error::ProfileError;
pub use remote::{Host, Port, Protocol, Remote};
pub use server_name::ServerName;
pub use wrapping::{ControlWrapping, TlsAuthDigest, TlsAuthDirection};

use crate::cert::Certificate;
use crate::key::{EncodedKey, PrivateKey};

/// A profile for one client, or for everybody.
pub struct ClientProfile<'a> {
    /// Where to connect to.
    pub remote: Remote,
    /// The authorities that the server's certificate may come from.
    pub authorities: &'a [Certificate],
    /// Who the client is; without it the blocks can be appended later.
    pub identity: Option<ClientIdentity<'a>>,
    /// Which client it is for.
    pub dialect: Dialect,
    /// How the control channel is wrapped, if it is.
    pub wrapping: Option<ControlWrapping>,
    /// The name that the server's certificate must have; without it any server of the authorities will do.
    pub server_name: Option<ServerName>,
    /// Whether the client asks for a user name and a password.
    pub asks_password: bool,
    /// What it asks beside the password, such as a one-time code.
    pub challenge: Option<Challenge>,
    /// Whether the client puts a random label in front of the host name, which a wildcard record answers.
    pub random_host: bool,
}

/// Certificate and key of a client.
pub struct ClientIdentity<'a> {
    /// The certificate, and those between it and the authority.
    pub chain: &'a [Certificate],
    /// The key.
    pub key: ProfileKey<'a>,
}

/// The key in a profile.
pub enum ProfileKey<'a> {
    /// As it stands in its file: an encrypted key stays encrypted, and the client asks for the passphrase.
    AsStored(&'a EncodedKey),
    /// Without encryption.
    Plain(&'a PrivateKey),
    /// In a PKCS#12 file beside the profile, certificate included.
    InContainer(ContainerName),
}

/// The name of a file beside the profile, as a bare word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerName(String);

impl ContainerName {
    /// Reads a file name of letters, digits, and `.`, `_`, `@`, `-`; never a path.
    ///
    /// # Errors
    /// [`ProfileError::FileName`].
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let is_harmless =
            |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'_' | b'@' | b'-');
        let is_name = text.bytes().all(is_harmless) && !text.starts_with(['.', '-']) && !text.is_empty();
        let refused = || ProfileError::FileName { name: text.escape_debug().to_string() };
        is_name.then(|| Self(text.to_owned())).ok_or_else(refused)
    }
}

impl<'a> ClientProfile<'a> {
    /// A profile that every client takes, without identity and without wrapping.
    #[must_use]
    pub fn new(remote: Remote, authorities: &'a [Certificate]) -> Self {
        Self {
            remote,
            authorities,
            identity: None,
            dialect: Dialect::Any,
            wrapping: None,
            server_name: None,
            asks_password: false,
            challenge: None,
            random_host: false,
        }
    }

    /// The text of the profile; it always ends in a newline, so that blocks can be appended.
    ///
    /// # Errors
    /// [`ProfileError::LegacyKey`] if the key's encryption is one that only OpenSSL's command line reads;
    /// [`ProfileError::UnknownWrapping`], [`ProfileError::RandomAddress`].
    pub fn to_text(&self) -> Result<Zeroizing<String>, ProfileError> {
        if self.random_host && self.remote.host.is_address() {
            return Err(ProfileError::RandomAddress { host: self.remote.host.to_string() });
        }
        let mut text = Zeroizing::new(self.directives());
        if let Some(wrapping) = &self.wrapping {
            wrapping.require_known_to(self.dialect)?;
            wrapping.push_directives(&mut text);
        }
        let authorities: String = self.authorities.iter().map(Certificate::to_pem).collect();
        if let Some(ClientIdentity { key: ProfileKey::InContainer(name), .. }) = &self.identity {
            text.push_str(&format!("pkcs12 {}\n", name.0));
        }
        push_block(&mut text, "ca", &authorities);
        if let Some(identity) = &self.identity {
            identity.push_blocks(&mut text)?;
        }
        if let Some(wrapping) = &self.wrapping {
            wrapping.push_block(&mut text);
        }
        Ok(text)
    }

    fn directives(&self) -> String {
        let mut text = self.dialect.directives(&self.remote);
        if self.random_host {
            text.push_str("remote-random-hostname\n");
        }
        if let Some(name) = &self.server_name {
            text.push_str(&format!("verify-x509-name \"{name}\" name\n"));
        }
        if self.asks_password || self.challenge.is_some() {
            text.push_str("auth-user-pass\n");
        }
        if let Some(challenge) = &self.challenge {
            text.push_str(&format!("static-challenge \"{challenge}\" 1\n"));
        }
        text
    }
}

impl ClientIdentity<'_> {
    fn push_blocks(&self, text: &mut Zeroizing<String>) -> Result<(), ProfileError> {
        let key = match &self.key {
            ProfileKey::InContainer(_) => return Ok(()),
            ProfileKey::Plain(key) => key.to_plain_pem(),
            ProfileKey::AsStored(EncodedKey::Plain(key)) => key.to_plain_pem(),
            ProfileKey::AsStored(EncodedKey::Encrypted(key)) => {
                key.to_pem().ok_or(ProfileError::LegacyKey)?
            }
        };
        let chain: String = self.chain.iter().map(Certificate::to_pem).collect();
        push_block(text, "cert", &chain);
        push_block(text, "key", &key);
        Ok(())
    }
}

fn push_block(text: &mut String, name: &str, content: &str) {
    for part in ["<", name, ">\n", content, "</", name, ">\n"] {
        text.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(dialect: Dialect) -> ClientProfile<'static> {
        let remote = Remote {
            host: Host::parse("vpn.example.net").unwrap(),
            port: Port::parse("443").unwrap(),
            protocol: Protocol::Udp,
        };
        ClientProfile { dialect, ..ClientProfile::new(remote, &[]) }
    }

    fn tls_auth() -> ControlWrapping {
        ControlWrapping::TlsAuth {
            key: Box::new(Zeroizing::new([7; 256])),
            direction: Some(TlsAuthDirection::One),
            digest: Some(TlsAuthDigest::Sha256),
        }
    }

    #[test]
    fn a_question_is_asked_beside_the_password() {
        let challenge = Some(Challenge::parse("Enter MFA code ").unwrap());
        let text = ClientProfile { challenge, ..profile(Dialect::Aws) }.to_text().unwrap();
        assert!(
            text.contains("auth-user-pass\nstatic-challenge \"Enter MFA code \" 1\n"),
            "{}",
            text.as_str()
        );
    }

    #[test]
    fn a_tls_auth_key_comes_with_its_direction_and_hash() {
        let profile = ClientProfile { wrapping: Some(tls_auth()), ..profile(Dialect::OpenVpn26) };
        let text = profile.to_text().unwrap();
        assert!(text.contains("auth SHA256\nkey-direction 1\n<ca>\n"), "{}", text.as_str());
        assert!(text.contains("<tls-auth>\n-----BEGIN OpenVPN Static key V1-----\n070707"));
        assert!(text.ends_with("-----END OpenVPN Static key V1-----\n</tls-auth>\n"));
    }

    #[test]
    fn a_wrapping_that_the_client_does_not_know_is_refused() {
        let refusal = |dialect| {
            let profile = ClientProfile { wrapping: Some(tls_auth()), ..profile(dialect) };
            profile.to_text().err()
        };
        let expected = ProfileError::UnknownWrapping { dialect: "the AWS VPN Client", wrapping: "tls-auth" };
        assert_eq!(refusal(Dialect::Aws), Some(expected));
        assert_eq!(refusal(Dialect::OpenVpn24), None);
    }

    #[test]
    fn h3_4_a_random_label_stands_in_front_of_names_only() {
        let mut profile = ClientProfile { random_host: true, ..profile(Dialect::Aws) };
        assert!(profile.to_text().unwrap().contains("\nremote-random-hostname\n"));
        profile.remote.host = Host::parse("192.0.2.1").unwrap();
        assert!(matches!(profile.to_text(), Err(ProfileError::RandomAddress { .. })));
    }

    #[test]
    fn only_clients_that_wait_to_be_told_are_told_to_say_farewell() {
        for dialect in Dialect::ALL {
            let mut profile = profile(dialect);
            let is_told = matches!(dialect, Dialect::OpenVpn24 | Dialect::OpenVpn26);
            assert_eq!(profile.to_text().unwrap().contains("explicit-exit-notify"), is_told, "{dialect:?}");
            profile.remote.protocol = Protocol::Tcp;
            assert!(!profile.to_text().unwrap().contains("explicit-exit-notify"), "over TCP it is refused");
        }
    }

    #[test]
    fn cfg_01_the_name_of_a_container_is_one_harmless_word() {
        assert!(ContainerName::parse("alice@company.com.p12").is_ok());
        for name in ["", "a b.p12", "../a.p12", "a/b", "a\nup x", "\"a\"", "a\\b", "-a", ".a"] {
            assert!(ContainerName::parse(name).is_err(), "{name:?}");
        }
    }
}
