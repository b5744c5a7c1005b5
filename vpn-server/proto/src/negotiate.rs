//! What server and client can do together: cipher, key derivation, push options that state it.
//!
//! Protocol reference sections 6.2, 6.3 and 8.2.

use std::time::Duration;

use crate::config::EndpointConfig;
use crate::data::DataCipher;
use crate::event::Grant;
use crate::identity::Denial;
use crate::keys::KeyDerivation;
use crate::wire::occ;
use crate::wire::peer_info::PeerInfo;
use crate::wire::push::PushOption;

/// Bits of `IV_PROTO`.
mod bits {
    pub(super) const DATA_V2: u32 = 1 << 1;
    pub(super) const REQUEST_PUSH: u32 = 1 << 2;
    pub(super) const TLS_KEY_EXPORT: u32 = 1 << 3;
    pub(super) const CONTROL_CHANNEL_EXIT: u32 = 1 << 7;
    pub(super) const DYNAMIC_TLS_CRYPT: u32 = 1 << 9;
    pub(super) const PENDING_TIMEOUT: u32 = 1 << 4;
    pub(super) const TEMPORARY_FAILURE: u32 = 1 << 8;
    pub(super) const PUSH_UPDATE: u32 = 1 << 12;
}

/// The outcome of the negotiation with one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Negotiated {
    pub(crate) cipher: DataCipher,
    pub(crate) derivation: KeyDerivation,
    pub(crate) dynamic_tls_crypt: bool,
    /// The client takes changes of its configuration without a restart.
    pub(crate) takes_push_update: bool,
    /// The client takes `AUTH_PENDING` with a time.
    pub(crate) takes_pending_timeout: bool,
    /// The client comes back by itself when it is refused for a time.
    pub(crate) takes_temporary_failure: bool,
    understands_protocol_flags: bool,
    takes_tun_mtu: bool,
}

impl Negotiated {
    /// Finds what `config` and a client with this peer info and options string have in common.
    pub(crate) fn with_client(
        config: &EndpointConfig,
        info: &PeerInfo,
        options: &str,
    ) -> Result<Self, Denial> {
        let protocol = info.protocol_bits();
        let has = |bit| protocol & bit != 0;
        if !has(bits::DATA_V2) {
            return Err(Denial::new(
                "client-too-old",
                "this server needs OpenVPN 2.4 or later",
                "the client cannot put a peer id into its data packets",
            ));
        }
        Ok(Self {
            cipher: choose_cipher(config, info, options)?,
            derivation: if has(bits::TLS_KEY_EXPORT) {
                KeyDerivation::TlsExporter
            } else {
                KeyDerivation::Prf
            },
            dynamic_tls_crypt: has(bits::CONTROL_CHANNEL_EXIT) && has(bits::DYNAMIC_TLS_CRYPT),
            takes_push_update: has(bits::PUSH_UPDATE),
            takes_pending_timeout: has(bits::PENDING_TIMEOUT),
            takes_temporary_failure: has(bits::TEMPORARY_FAILURE),
            understands_protocol_flags: has(bits::CONTROL_CHANNEL_EXIT),
            takes_tun_mtu: info
                .get("IV_MTU")
                .and_then(|mtu| mtu.parse().ok())
                .is_some_and(|mtu: u16| mtu >= config.tun_mtu),
        })
    }

    /// Everything that is pushed to the client, in the order of stock servers.
    pub(crate) fn push_options(&self, config: &EndpointConfig, grant: &Grant) -> Vec<PushOption> {
        let option = PushOption::formatted;
        let mut options = grant.options.clone();
        options.push(option(format_args!("route-gateway {}", grant.gateway)));
        options.push(option(format_args!("topology subnet")));
        options.push(option(format_args!("ping {}", whole_seconds(config.keepalive.ping))));
        options.push(option(format_args!("ping-restart {}", whole_seconds(config.keepalive.ping_restart))));
        options.push(option(format_args!("ifconfig {} {}", grant.address, grant.netmask)));
        options.push(option(format_args!("peer-id {}", grant.peer_id.get())));
        options.push(option(format_args!("cipher {}", self.cipher)));
        options.extend(self.flags_option());
        if self.takes_tun_mtu {
            options.push(option(format_args!("tun-mtu {}", config.tun_mtu)));
        }
        options
    }

    /// How keys come about and what else both sides do from now on.
    fn flags_option(&self) -> Option<PushOption> {
        let uses_exporter = self.derivation == KeyDerivation::TlsExporter;
        if !self.understands_protocol_flags {
            return uses_exporter.then(|| PushOption::formatted(format_args!("key-derivation tls-ekm")));
        }
        let exporter = if uses_exporter { " tls-ekm" } else { "" };
        let dynamic = if self.dynamic_tls_crypt { " dyn-tls-crypt" } else { "" };
        Some(PushOption::formatted(format_args!("protocol-flags cc-exit{exporter}{dynamic}")))
    }
}

/// Whether a client waits for its configuration without asking for it.
pub(crate) fn asks_by_itself(info: &PeerInfo) -> bool {
    info.protocol_bits() & bits::REQUEST_PUSH != 0
}

fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().max(1)
}

fn choose_cipher(config: &EndpointConfig, info: &PeerInfo, options: &str) -> Result<DataCipher, Denial> {
    let offered: Vec<&str> = match info.get("IV_CIPHERS") {
        Some(list) => list.split(':').collect(),
        None if info.get("IV_NCP") == Some("2") => vec!["AES-256-GCM", "AES-128-GCM"],
        None => occ::cipher(options).into_iter().collect(),
    };
    let is_offered =
        |cipher: &DataCipher| offered.iter().any(|name| name.eq_ignore_ascii_case(cipher.name()));
    config.data_ciphers.iter().copied().find(is_offered).ok_or_else(|| {
        let ours: Vec<_> = config.data_ciphers.iter().map(|cipher| cipher.name()).collect();
        Denial::new(
            "no-shared-cipher",
            "Data channel cipher negotiation failed (no shared cipher)",
            format!("the client offers {}, the server takes {}", offered.join(":"), ours.join(":")),
        )
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    use super::*;
    use crate::identity::{CertificateCheck, CertificateVerdict};
    use crate::ids::PeerId;
    use crate::tls::{TlsSettings, TlsVersion};

    struct Nobody;

    impl CertificateCheck for Nobody {
        fn check(&self, _chain: &[CertificateDer<'_>]) -> CertificateVerdict {
            CertificateVerdict::Untrusted(Denial::new("nobody", "", ""))
        }
    }

    fn config() -> EndpointConfig {
        let pki = |file: &str| std::fs::read(format!("../../testdata/simulator/{file}")).unwrap();
        let chain = vec![CertificateDer::from_pem_slice(&pki("server.crt")).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(&pki("server.key")).unwrap();
        EndpointConfig::new(TlsSettings::new(chain, key, TlsVersion::Tls12).unwrap(), Arc::new(Nobody))
    }

    fn negotiated(info: &str, options: &str) -> Result<Negotiated, Denial> {
        Negotiated::with_client(&config(), &PeerInfo::parse(info), options)
    }

    /// What is pushed to a client that says `info` of itself.
    fn pushed(info: &str) -> String {
        let grant = Grant {
            peer_id: PeerId::new(7).unwrap(),
            address: [10, 8, 0, 2].into(),
            netmask: [255, 255, 255, 0].into(),
            gateway: [10, 8, 0, 1].into(),
            reauthenticate: false,
            options: vec![PushOption::route([10, 7, 0, 0].into(), [255, 255, 255, 0].into())],
        };
        let options = negotiated(info, "").unwrap().push_options(&config(), &grant);
        options.iter().map(PushOption::as_str).collect::<Vec<_>>().join(",")
    }

    const COMMON: &str = "route 10.7.0.0 255.255.255.0,route-gateway 10.8.0.1,topology subnet,ping 10,ping-restart 60,\
        ifconfig 10.8.0.2 255.255.255.0,peer-id 7,cipher AES-256-GCM";

    #[test]
    fn stock_clients_of_all_ages_get_what_they_understand() {
        let client_2_6 =
            "IV_NCP=2\nIV_MTU=1600\nIV_CIPHERS=AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305\nIV_PROTO=990\n";
        assert_eq!(
            pushed(client_2_6),
            format!("{COMMON},protocol-flags cc-exit tls-ekm dyn-tls-crypt,tun-mtu 1500")
        );
        let client_2_5 = "IV_PROTO=6\nIV_CIPHERS=AES-256-GCM:AES-128-GCM\n";
        assert_eq!(pushed(client_2_5), COMMON);
        let client_2_4 = "IV_PROTO=2\nIV_NCP=2\n";
        assert_eq!(pushed(client_2_4), COMMON);
        let exporter_without_flags = "IV_PROTO=14\nIV_NCP=2\n";
        assert_eq!(pushed(exporter_without_flags), format!("{COMMON},key-derivation tls-ekm"));
    }

    #[test]
    fn a_client_that_cannot_take_a_larger_mtu_is_not_given_one() {
        assert!(!pushed("IV_PROTO=990\nIV_NCP=2\nIV_MTU=1400\n").contains("tun-mtu"));
    }

    #[test]
    fn the_servers_order_of_ciphers_decides() {
        let info = PeerInfo::parse("IV_PROTO=990\nIV_CIPHERS=CHACHA20-POLY1305:AES-128-GCM\n");
        let negotiated = Negotiated::with_client(&config(), &info, "").unwrap();
        assert_eq!(negotiated.cipher, DataCipher::Aes128Gcm);
    }

    #[test]
    fn key_01_a_client_that_cannot_negotiate_is_taken_only_with_an_aead_cipher() {
        assert!(negotiated("IV_PROTO=2\n", "V4,cipher AES-256-GCM").is_ok());
        let denial = negotiated("IV_PROTO=2\n", "V4,cipher BF-CBC").unwrap_err();
        assert_eq!(denial.code, "no-shared-cipher");
        assert!(denial.detail.contains("BF-CBC"));
    }

    #[test]
    fn a_client_without_peer_ids_is_told_that_it_is_too_old() {
        assert_eq!(negotiated("", "V4,cipher AES-256-GCM").unwrap_err().code, "client-too-old");
    }
}
