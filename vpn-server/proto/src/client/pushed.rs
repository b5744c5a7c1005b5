//! The configuration that a server pushed, as far as a client of this kind needs it.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::data::DataCipher;
use crate::ids::PeerId;
use crate::wire::push;

/// What a client was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Its address inside the tunnel.
    pub address: Ipv4Addr,
    /// The number for its data packets.
    pub peer_id: PeerId,
    /// The data cipher.
    pub cipher: DataCipher,
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
            peer_id: PeerId::new(parsed(&options, "peer-id")?).ok_or("the pushed peer-id is too large")?,
            cipher: parsed(&options, "cipher")?,
            tls_exporter: has_flag("tls-ekm") || value(&options, "key-derivation") == Some("tls-ekm"),
            control_channel_exit: has_flag("cc-exit"),
            dynamic_tls_crypt: has_flag("dyn-tls-crypt"),
            ping: seconds("ping", 10),
            ping_restart: seconds("ping-restart", 120),
            options,
        })
    }
}

fn value<'a>(options: &'a [String], name: &str) -> Option<&'a str> {
    options.iter().find_map(|option| option.strip_prefix(name)?.strip_prefix(' '))
}

/// The first parameter of the option `name`.
fn parsed<T: std::str::FromStr>(options: &[String], name: &str) -> Result<T, String> {
    value(options, name)
        .and_then(|text| text.split(' ').next())
        .and_then(|word| word.parse().ok())
        .ok_or_else(|| format!("the server pushed no usable '{name}'"))
}
