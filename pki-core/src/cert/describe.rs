//! What a certificate is for and whom it names, in the words of the command line.

use std::fmt;

use crate::key::KeyAlgorithm;
use crate::x509::general_name::GeneralName;
use crate::x509::{Certificate, PublicKeyKind};

/// What an issued certificate is for, by its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssuedKind {
    /// Signing certificates.
    Authority,
    /// A TLS server.
    Server,
    /// A TLS client.
    Client,
    /// Both ends of TLS.
    ServerClient,
    /// Something else, or everything.
    Other,
}

impl IssuedKind {
    /// easy-rsa's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authority => "ca",
            Self::Server => "server",
            Self::Client => "client",
            Self::ServerClient => "serverClient",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for IssuedKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl Certificate {
    /// What it is for.
    #[must_use]
    pub fn kind(&self) -> IssuedKind {
        if self.is_ca() {
            return IssuedKind::Authority;
        }
        let usage = self.extensions().extended_key_usage.as_ref().map(|usage| &usage.value);
        match usage.map(|usage| (usage.server_auth, usage.client_auth)) {
            Some((true, true)) => IssuedKind::ServerClient,
            Some((true, false)) => IssuedKind::Server,
            Some((false, true)) => IssuedKind::Client,
            Some((false, false)) | None => IssuedKind::Other,
        }
    }

    /// The kind of its key, if new keys can be of that kind.
    #[must_use]
    pub fn key_algorithm(&self) -> Option<KeyAlgorithm> {
        match self.public_key_kind() {
            PublicKeyKind::Rsa { bits } => u32::try_from(*bits).ok().map(|bits| KeyAlgorithm::Rsa { bits }),
            PublicKeyKind::P256 => Some(KeyAlgorithm::P256),
            PublicKeyKind::P384 => Some(KeyAlgorithm::P384),
            PublicKeyKind::P521 => Some(KeyAlgorithm::P521),
            PublicKeyKind::Ed25519 => Some(KeyAlgorithm::Ed25519),
            PublicKeyKind::OtherCurve | PublicKeyKind::Other(_) => None,
        }
    }

    /// Its alternative names in OpenSSL's notation, such as `DNS:vpn.example.org`.
    #[must_use]
    pub fn alternative_names(&self) -> Vec<String> {
        let names = self.extensions().alternative_names.as_ref();
        names.into_iter().flat_map(|names| &names.value).map(name_text).collect()
    }
}

fn name_text(name: &GeneralName) -> String {
    match name {
        GeneralName::Email(address) => format!("email:{address}"),
        GeneralName::Dns(name) => format!("DNS:{name}"),
        GeneralName::Uri(uri) => format!("URI:{uri}"),
        GeneralName::Directory(name) => format!("dirName:{name}"),
        GeneralName::Ip(address) => format!("IP:{address}"),
        GeneralName::Principal(name) => format!("principal:{name}"),
        GeneralName::Other(tag) => format!("other:{:02x}", tag),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(path: &str) -> Certificate {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/easyrsa/");
        Certificate::from_pem(&std::fs::read(format!("{root}{path}")).unwrap()).unwrap()
    }

    #[test]
    fn every_kind_of_easy_rsa_is_told_apart() {
        for (path, kind) in [
            ("rsa/issued/server1.crt", IssuedKind::Server),
            ("rsa/issued/client1.crt", IssuedKind::Client),
            ("ec/issued/both1.crt", IssuedKind::ServerClient),
            ("ec/issued/subca.crt", IssuedKind::Authority),
        ] {
            assert_eq!(certificate(path).kind(), kind, "{path}");
        }
    }

    #[test]
    fn alternative_names_read_as_they_are_given() {
        let names = certificate("rsa/issued/server1.crt").alternative_names();
        assert_eq!(names, ["DNS:vpn.example.test", "IP:192.0.2.1"]);
    }
}
