//! Links to profiles: where one can be fetched, and how OpenVPN Connect is told to fetch it.

use pki_core::bundle::ovpn::{Host, Port};

/// A checked https link to a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProfileLink(String);

/// Why a text is not such a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidLink {
    #[error("it does not begin with https://")]
    NotHttps,
    #[error("it holds a character that a link must encode")]
    UnencodedCharacter,
    #[error("it names no host, or not as a link does")]
    Host,
    #[error("it holds a user name or a password")]
    Credentials,
}

impl ProfileLink {
    /// Reads `https://HOST[:PORT][/PATH]`, also behind `openvpn://import-profile/`.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidLink> {
        let link = text.strip_prefix(IMPORT).unwrap_or(text);
        let rest = link.strip_prefix("https://").ok_or(InvalidLink::NotHttps)?;
        let is_encoded = |octet: u8| octet.is_ascii_graphic() && !br#""'<>\^`{|}"#.contains(&octet);
        if !rest.bytes().all(is_encoded) {
            return Err(InvalidLink::UnencodedCharacter);
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(InvalidLink::Credentials);
        }
        require_host(authority)?;
        Ok(Self(link.to_owned()))
    }

    /// The link itself, for a browser.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The link that opens OpenVPN Connect, which then fetches the profile.
    pub(crate) fn for_connect(&self) -> String {
        format!("{IMPORT}{}", self.0)
    }
}

fn require_host(authority: &str) -> Result<(), InvalidLink> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or(InvalidLink::Host)?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port_is_fine =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| Port::parse(port).is_ok());
    if Host::parse(host).is_ok() && port_is_fine { Ok(()) } else { Err(InvalidLink::Host) }
}

const IMPORT: &str = "openvpn://import-profile/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_taken_with_and_without_the_import_scheme() {
        for link in [
            "https://vpn.example.net/p/Zm9v?once=1",
            "https://vpn.example.net:8443/alice.ovpn",
            "https://[2001:db8::1]:443/a",
            "https://192.0.2.1",
        ] {
            let found = ProfileLink::parse(link).unwrap();
            assert_eq!(found.as_str(), link);
            assert_eq!(found.for_connect(), format!("openvpn://import-profile/{link}"));
            assert_eq!(ProfileLink::parse(&found.for_connect()), Ok(found));
        }
    }

    #[test]
    fn cfg_01_what_is_no_link_over_https_is_refused() {
        for (link, reason) in [
            ("http://vpn.example.net/a", InvalidLink::NotHttps),
            ("openvpn://import-profile/http://a", InvalidLink::NotHttps),
            ("javascript:alert(1)", InvalidLink::NotHttps),
            ("https://vpn.example.net/a b", InvalidLink::UnencodedCharacter),
            ("https://vpn.example.net/\nup", InvalidLink::UnencodedCharacter),
            ("https://vpn.example.net/<a>", InvalidLink::UnencodedCharacter),
            ("https://alice:secret@vpn.example.net/", InvalidLink::Credentials),
            ("https:///a", InvalidLink::Host),
            ("https://vpn.example.net:0/", InvalidLink::Host),
            ("https://[2001:db8::1", InvalidLink::Host),
        ] {
            assert_eq!(ProfileLink::parse(link), Err(reason), "{link}");
        }
    }
}
