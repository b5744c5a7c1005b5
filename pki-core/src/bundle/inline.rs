//! easy-rsa's inline files: certificate, key and authorities as blocks that an OpenVPN configuration can include.
//!
//! They are no complete profiles: see [`super::ovpn`] for those. Blocks hold re-encoded PEM only, never the text that
//! easy-rsa puts in front of certificates, because names inside that text are somebody else's (threat model CFG-01).

use std::fmt::Write;

use zeroize::Zeroizing;

use crate::cert::Certificate;
use crate::serial::Serial;

/// What an inline file is made of.
pub(crate) struct InlineParts<'a> {
    pub(crate) certificate: &'a Certificate,
    /// The key in PEM, as it stands in its file.
    pub(crate) key: Option<&'a str>,
    /// The authorities in PEM; empty for a self-signed certificate.
    pub(crate) authorities: &'a str,
    /// What the other end's certificate is known by, if there is no authority.
    pub(crate) fingerprints: Option<&'a str>,
    /// The content of dh.pem.
    pub(crate) dh_parameters: Option<&'a str>,
    pub(crate) tls_key: Option<TlsKey<'a>>,
}

/// The key that wraps the control channel.
pub(crate) struct TlsKey<'a> {
    pub(crate) is_crypt: bool,
    /// The block with the key.
    pub(crate) text: &'a str,
}

/// A complete or incomplete inline file.
pub(crate) struct InlineText {
    pub(crate) text: Zeroizing<String>,
    pub(crate) missing: Vec<&'static str>,
    pub(crate) is_secret: bool,
}

/// What a certificate is used for, as far as inline files distinguish it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Client,
    Both,
    Other,
}

impl Role {
    pub(crate) fn of(certificate: &Certificate) -> Self {
        let usage = certificate.extensions().extended_key_usage.as_ref();
        match usage.map(|usage| (usage.value.server_auth, usage.value.client_auth)) {
            Some((true, true)) => Self::Both,
            Some((true, false)) => Self::Server,
            Some((false, true)) => Self::Client,
            Some((false, false)) | None => Self::Other,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
            Self::Both => "serverClient",
            Self::Other => "unknown",
        }
    }
}

impl InlineParts<'_> {
    pub(crate) fn to_text(&self) -> InlineText {
        let role = Role::of(self.certificate);
        let mut made = InlineText {
            text: Zeroizing::new(String::with_capacity(16 << 10)),
            missing: Vec::new(),
            is_secret: self.key.is_some() || self.tls_key.is_some(),
        };
        made.header(role, self.certificate);
        made.block("cert", &self.certificate.to_pem());
        match self.key {
            Some(key) => made.block("key", key),
            None => made.lacks("private key"),
        }
        if let Some(fingerprints) = self.fingerprints {
            made.text.push_str(fingerprints);
        } else if self.authorities.is_empty() {
            made.lacks("CA certificate");
        } else {
            made.block("ca", self.authorities);
        }
        if matches!(role, Role::Server | Role::Both) {
            self.add_dh(&mut made);
        }
        self.add_tls_key(&mut made, role);
        made
    }

    fn add_dh(&self, made: &mut InlineText) {
        let is_rsa = matches!(self.certificate.public_key_kind(), crate::x509::PublicKeyKind::Rsa { .. });
        match (is_rsa, self.dh_parameters) {
            (true, Some(parameters)) => made.block("dh", parameters),
            _ => made.text.push_str("dh none\n"),
        }
    }

    fn add_tls_key(&self, made: &mut InlineText, role: Role) {
        if role == Role::Both {
            made.text.push_str("# No TLS key: a peer that is both ends has no key direction.\n");
            return;
        }
        match &self.tls_key {
            Some(key) if key.is_crypt => made.block("tls-crypt", key.text),
            Some(key) => {
                made.block("tls-auth", key.text);
                let direction = if role == Role::Server { 0 } else { 1 };
                made.text.push_str(&format!("key-direction {direction}\n"));
            }
            None => made.lacks("TLS key"),
        }
    }
}

impl InlineText {
    fn header(&mut self, role: Role, certificate: &Certificate) {
        let name = certificate.common_name().unwrap_or_default();
        // Nothing in a name may end the comment that it stands in.
        let name: String = name.chars().filter(|character| !character.is_control()).collect();
        self.text.push_str(&format!(
            "# Easy-RSA Inline file\n# Certificate type: {}\n# commonName: {name}\n# SHA256 fingerprint:\n# {}\n\
             # Decimal serial number: {}\n\n",
            role.name(),
            fingerprint(certificate),
            decimal(&certificate.serial())
        ));
    }

    fn block(&mut self, name: &str, content: &str) {
        let newline = if content.ends_with('\n') { "" } else { "\n" };
        for part in ["<", name, ">\n", content, newline, "</", name, ">\n\n"] {
            self.text.push_str(part);
        }
    }

    fn lacks(&mut self, what: &'static str) {
        self.text.push_str(&format!("# No {what} was found.\n\n"));
        self.missing.push(what);
    }
}

/// SHA-256 in upper-case hexadecimal with colons, as `peer-fingerprint` takes it.
pub(crate) fn fingerprint(certificate: &Certificate) -> String {
    let mut text = String::with_capacity(96);
    for (index, octet) in certificate.fingerprint().iter().enumerate() {
        let colon = if index == 0 { "" } else { ":" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{colon}{octet:02X}");
    }
    text
}

/// A serial number in decimal digits.
pub(crate) fn decimal(serial: &Serial) -> String {
    let mut digits = vec![0_u8];
    for octet in serial.as_be_bytes() {
        let mut carry = u16::from(*octet);
        for digit in &mut digits {
            let value = u16::from(*digit) * 256 + carry;
            *digit = u8::try_from(value % 10).unwrap_or(0);
            carry = value / 10;
        }
        while carry > 0 {
            digits.push(u8::try_from(carry % 10).unwrap_or(0));
            carry /= 10;
        }
    }
    digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_shown_in_decimal() {
        let shown = |digits: &str| decimal(&Serial::from_hex(digits).unwrap());
        assert_eq!(shown("00"), "0");
        assert_eq!(shown("0A"), "10");
        assert_eq!(shown("0100"), "256");
        assert_eq!(shown("B506B6789B1E24A45E99157A0F879405"), "240625121972154965611270769561894884357");
    }
}
