//! The configuration that a server pushed, as far as a client of this kind needs it.

use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

use crate::data::{DataFormat, Framing, NegotiatedCipher, Protection};
use crate::ids::PeerId;
use crate::wire::tls_auth::AuthDigest;
use crate::wire::{occ, push};

/// What a client was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Its address inside the tunnel.
    pub address: Ipv4Addr,
    /// The number for its data packets; none for old clients.
    pub peer_id: Option<PeerId>,
    /// The data cipher; none for clients that cannot choose.
    pub cipher: Option<NegotiatedCipher>,
    /// Whether data packets have the epoch format.
    pub epoch_format: bool,
    /// Whether data keys come from the TLS exporter rather than from the PRF.
    pub tls_exporter: bool,
    /// Whether to leave by a message on the control channel.
    pub control_channel_exit: bool,
    /// Whether renegotiations are wrapped with a key of this session.
    pub dynamic_tls_crypt: bool,
    /// Silence after which to send a ping.
    pub ping: Duration,
    /// Silence after which the server counts as gone.
    pub ping_restart: Duration,
    /// All options, as they were pushed.
    pub options: Vec<String>,
}

impl Pushed {
    pub(super) fn parse(parts: &[String]) -> Result<Self, String> {
        let options: Vec<String> = parts
            .iter()
            .flat_map(|part| push::options(part))
            .filter(|option| !option.starts_with("push-continuation "))
            .map(str::to_owned)
            .collect();
        let flags = value(&options, "protocol-flags").unwrap_or_default();
        let has_flag = |wanted| flags.split(' ').any(|flag| flag == wanted);
        let seconds = |name, default| {
            Duration::from_secs(value(&options, name).and_then(|text| text.parse().ok()).unwrap_or(default))
        };
        Ok(Self {
            address: parsed(&options, "ifconfig")?,
            peer_id: parsed_if_any(&options, "peer-id")?
                .map(|number| PeerId::new(number).ok_or("the pushed peer-id is too large"))
                .transpose()?,
            cipher: parsed_if_any(&options, "cipher")?,
            epoch_format: has_flag("aead-epoch"),
            tls_exporter: has_flag("tls-ekm") || value(&options, "key-derivation") == Some("tls-ekm"),
            control_channel_exit: has_flag("cc-exit"),
            dynamic_tls_crypt: has_flag("dyn-tls-crypt"),
            ping: seconds("ping", 10),
            ping_restart: seconds("ping-restart", 120),
            options,
        })
    }

    /// The format of data packets, given the client's own options string.
    pub(super) fn data_format(&self, own: &str) -> Result<DataFormat, String> {
        let own_cipher = || occ::cipher(own).and_then(|name| name.parse().ok());
        let cipher =
            self.cipher.or_else(own_cipher).ok_or("neither side says a cipher that is known here")?;
        let protection = match cipher {
            NegotiatedCipher::Aead(cipher) if self.epoch_format => Protection::Epoch(cipher),
            NegotiatedCipher::Aead(cipher) => Protection::Classic(cipher),
            NegotiatedCipher::Cbc(cipher) => {
                let digest = occ::auth(own).and_then(AuthDigest::named);
                Protection::Cbc(cipher, digest.ok_or("the digest is not known here")?)
            }
        };
        Ok(DataFormat { protection, has_peer_id: self.peer_id.is_some(), framing: self.framing(own) })
    }

    fn framing(&self, own: &str) -> Framing {
        if value(&self.options, "compress") == Some("stub-v2") {
            Framing::StubV2
        } else if value(&self.options, "comp-lzo").is_some() || occ::has_compression(own) {
            Framing::Octet
        } else {
            Framing::None
        }
    }
}

fn value<'a>(options: &'a [String], name: &str) -> Option<&'a str> {
    options.iter().find_map(|option| option.strip_prefix(name)?.strip_prefix(' '))
}

/// The first parameter of the option `name`.
fn parsed<T: FromStr>(options: &[String], name: &str) -> Result<T, String> {
    parsed_if_any(options, name)?.ok_or_else(|| format!("the server pushed no '{name}'"))
}

/// The first parameter of the option `name`, if it was pushed.
fn parsed_if_any<T: FromStr>(options: &[String], name: &str) -> Result<Option<T>, String> {
    let unusable = || format!("the server pushed no usable '{name}'");
    let parse = |text: &str| text.split(' ').next().and_then(|word| word.parse().ok()).ok_or_else(unusable);
    value(options, name).map(parse).transpose()
}
