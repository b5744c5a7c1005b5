//! What server and client can do together: the form of data packets, key derivation, push options that state it.
//!
//! Protocol reference sections 6.2, 6.3, 8.2 and 9.

use std::time::Duration;

use crate::config::EndpointConfig;
use crate::data::{DataCipher, DataFormat, Framing, Protection, ReplayWindowSize};
use crate::event::{Grant, GrantV6};
use crate::identity::Denial;
use crate::keys::KeyDerivation;
use crate::wire::occ;
use crate::wire::peer_info::PeerInfo;
use crate::wire::push::PushOption;
use crate::wire::tls_auth::AuthDigest;

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
    pub(super) const EPOCH_FORMAT: u32 = 1 << 10;
}

/// The outcome of the negotiation with one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Negotiated {
    pub(crate) format: DataFormat,
    pub(crate) replay_window: ReplayWindowSize,
    pub(crate) derivation: KeyDerivation,
    pub(crate) dynamic_tls_crypt: bool,
    /// The client takes changes of its configuration without a restart.
    pub(crate) takes_push_update: bool,
    /// The client takes `AUTH_PENDING` with a time.
    pub(crate) takes_pending_timeout: bool,
    /// The client comes back by itself when it is refused for a time.
    pub(crate) takes_temporary_failure: bool,
    understands_protocol_flags: bool,
    takes_cipher: bool,
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
        Ok(Self {
            format: choose_format(config, info, options)?,
            replay_window: config.replay_window,
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
            takes_cipher: info.get("IV_CIPHERS").is_some() || info.get("IV_NCP").is_some(),
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
        options.extend(self.framing_option());
        options.push(option(format_args!("route-gateway {}", grant.gateway)));
        options.push(option(format_args!("topology subnet")));
        options.push(option(format_args!("ping {}", whole_seconds(config.keepalive.ping))));
        options.push(option(format_args!("ping-restart {}", whole_seconds(config.keepalive.ping_restart))));
        options.extend(grant.ipv6.map(|GrantV6 { address, prefix_length, gateway }| {
            option(format_args!("ifconfig-ipv6 {address}/{prefix_length} {gateway}"))
        }));
        options.push(option(format_args!("ifconfig {} {}", grant.address, grant.netmask)));
        if self.format.has_peer_id {
            options.push(option(format_args!("peer-id {}", grant.peer_id.get())));
        }
        if self.takes_cipher {
            options.push(option(format_args!("cipher {}", self.format.cipher())));
        }
        options.extend(self.flags_option());
        if self.takes_tun_mtu {
            options.push(option(format_args!("tun-mtu {}", config.tun_mtu)));
        }
        options
    }

    /// What makes a client with compression in its profile compress nothing.
    fn framing_option(&self) -> Option<PushOption> {
        let text = match self.format.framing {
            Framing::None => return None,
            Framing::StubV2 => "compress stub-v2",
            Framing::Octet => "comp-lzo no",
        };
        Some(PushOption::formatted(format_args!("{text}")))
    }

    /// How keys come about and what else both sides do from now on.
    fn flags_option(&self) -> Option<PushOption> {
        let uses_exporter = self.derivation == KeyDerivation::TlsExporter;
        if !self.understands_protocol_flags {
            return uses_exporter.then(|| PushOption::formatted(format_args!("key-derivation tls-ekm")));
        }
        let flags = [
            ("cc-exit", true),
            ("tls-ekm", uses_exporter),
            ("dyn-tls-crypt", self.dynamic_tls_crypt),
            ("aead-epoch", self.format.is_epoch()),
        ];
        let flags: Vec<_> = flags.into_iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| flag).collect();
        Some(PushOption::formatted(format_args!("protocol-flags {}", flags.join(" "))))
    }
}

/// Whether a client waits for its configuration without asking for it.
pub(crate) fn asks_by_itself(info: &PeerInfo) -> bool {
    info.protocol_bits() & bits::REQUEST_PUSH != 0
}

fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().max(1)
}

fn choose_format(config: &EndpointConfig, info: &PeerInfo, options: &str) -> Result<DataFormat, Denial> {
    if occ::has_fragmentation(options) {
        return Err(Denial::new(
            "fragment-unsupported",
            "this server does not support 'fragment': remove it from the profile",
            "the client's profile has the directive 'fragment', which both sides would have to have",
        ));
    }
    Ok(DataFormat {
        protection: choose_protection(config, info, options)?,
        has_peer_id: info.protocol_bits() & bits::DATA_V2 != 0,
        framing: choose_framing(info, options),
    })
}

/// The server's best AEAD that the client has, too; only if there is none the best of the old ciphers (KEY-01).
fn choose_protection(config: &EndpointConfig, info: &PeerInfo, options: &str) -> Result<Protection, Denial> {
    let offered = offered_ciphers(info, options);
    let is_offered = |known: &str| offered.iter().any(|name| name.eq_ignore_ascii_case(known));
    let mut aead = config.data_ciphers.iter().copied().filter(|cipher| cipher.is_available());
    if let Some(cipher) = aead.find(|cipher| is_offered(cipher.name())) {
        return Ok(aead_protection(cipher, info));
    }
    let Some(cipher) = config.cbc_ciphers.iter().copied().find(|cipher| is_offered(cipher.name())) else {
        return Err(no_shared_cipher(config, &offered));
    };
    let digest = match occ::auth(options) {
        None | Some(occ::NO_DIGEST) => Some(config.cbc_digest),
        Some(name) => AuthDigest::named(name),
    };
    digest.map(|digest| Protection::Cbc(cipher, digest)).ok_or_else(|| {
        Denial::new(
            "no-shared-digest",
            "this server needs 'auth SHA256' or another SHA digest with this cipher",
            format!(
                "the client offers {cipher} with the digest {:?}",
                occ::auth(options).unwrap_or_default()
            ),
        )
    })
}

fn offered_ciphers<'a>(info: &'a PeerInfo, options: &'a str) -> Vec<&'a str> {
    match info.get("IV_CIPHERS") {
        Some(list) => list.split(':').collect(),
        None if info.get("IV_NCP") == Some("2") => vec!["AES-256-GCM", "AES-128-GCM"],
        None => occ::cipher(options).into_iter().collect(),
    }
}

/// The epoch format where the client has it and all that it builds on.
fn aead_protection(cipher: DataCipher, info: &PeerInfo) -> Protection {
    const NEEDED: u32 =
        bits::EPOCH_FORMAT | bits::TLS_KEY_EXPORT | bits::DATA_V2 | bits::CONTROL_CHANNEL_EXIT;
    if info.protocol_bits() & NEEDED == NEEDED {
        Protection::Epoch(cipher)
    } else {
        Protection::Classic(cipher)
    }
}

fn choose_framing(info: &PeerInfo, options: &str) -> Framing {
    match (occ::has_compression(options), info.get("IV_COMP_STUBv2")) {
        (false, _) => Framing::None,
        (true, Some("1")) => Framing::StubV2,
        (true, _) => Framing::Octet,
    }
}

fn no_shared_cipher(config: &EndpointConfig, offered: &[&str]) -> Denial {
    let aead = config.data_ciphers.iter().map(|cipher| cipher.name());
    let ours: Vec<_> = aead.chain(config.cbc_ciphers.iter().map(|cipher| cipher.name())).collect();
    Denial::new(
        "no-shared-cipher",
        "Data channel cipher negotiation failed (no shared cipher)",
        format!("the client offers {}, the server takes {}", offered.join(":"), ours.join(":")),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    use super::*;
    use crate::data::CbcCipher;
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
        push_text(&negotiated(info, "").unwrap())
    }

    fn push_text(negotiated: &Negotiated) -> String {
        push_text_with(negotiated, None)
    }

    fn push_text_with(negotiated: &Negotiated, ipv6: Option<GrantV6>) -> String {
        let grant = Grant {
            ipv6,
            peer_id: PeerId::new(7).unwrap(),
            address: [10, 8, 0, 2].into(),
            netmask: [255, 255, 255, 0].into(),
            gateway: [10, 8, 0, 1].into(),
            reauthenticate: false,
            token_username: None,
            options: vec![PushOption::route([10, 7, 0, 0].into(), [255, 255, 255, 0].into())],
        };
        let options = negotiated.push_options(&config(), &grant);
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
    fn an_ipv6_address_is_pushed_with_its_network_and_gateway() {
        let negotiated = negotiated("IV_PROTO=6\nIV_CIPHERS=AES-256-GCM\n", "").unwrap();
        let (address, gateway) = ("fd00:8::1000".parse().unwrap(), "fd00:8::1".parse().unwrap());
        let text = push_text_with(&negotiated, Some(GrantV6 { address, prefix_length: 64, gateway }));
        assert!(text.contains(",ifconfig-ipv6 fd00:8::1000/64 fd00:8::1,ifconfig 10.8.0.2 "), "{text}");
    }

    #[test]
    fn a_client_that_cannot_take_a_larger_mtu_is_not_given_one() {
        assert!(!pushed("IV_PROTO=990\nIV_NCP=2\nIV_MTU=1400\n").contains("tun-mtu"));
    }

    #[test]
    fn the_servers_order_of_ciphers_decides() {
        let info = PeerInfo::parse("IV_PROTO=990\nIV_CIPHERS=CHACHA20-POLY1305:AES-128-GCM\n");
        let negotiated = Negotiated::with_client(&config(), &info, "").unwrap();
        assert_eq!(negotiated.format.protection, Protection::Classic(DataCipher::Aes128Gcm));
    }

    #[test]
    fn key_01_a_client_that_cannot_negotiate_is_taken_only_with_an_aead_cipher() {
        let protection = negotiated("IV_PROTO=2\n", "V4,cipher AES-256-GCM").unwrap().format.protection;
        assert_eq!(protection, Protection::Classic(DataCipher::Aes256Gcm));
        let denial = negotiated("IV_PROTO=2\n", "V4,cipher BF-CBC").unwrap_err();
        assert_eq!(denial.code, "no-shared-cipher");
        assert!(denial.detail.contains("BF-CBC"));
    }

    /// What is agreed with a client by a server that takes two CBC ciphers.
    fn with_cbc(info: &str, options: &str) -> Result<Protection, &'static str> {
        let mut config = config();
        config.cbc_ciphers = vec![CbcCipher::Aes256Cbc, CbcCipher::Aes128Cbc];
        config.cbc_digest = AuthDigest::Sha512;
        let negotiated = Negotiated::with_client(&config, &PeerInfo::parse(info), options);
        negotiated.map(|negotiated| negotiated.format.protection).map_err(|denial| denial.code)
    }

    #[test]
    fn key_01_cbc_is_taken_only_where_it_is_allowed_and_nothing_better_is_shared() {
        let old = "V4,cipher AES-256-CBC,auth SHA256";
        assert_eq!(negotiated("", old).unwrap_err().code, "no-shared-cipher");
        assert_eq!(with_cbc("", old), Ok(Protection::Cbc(CbcCipher::Aes256Cbc, AuthDigest::Sha256)));
        let either = "IV_CIPHERS=AES-128-CBC:AES-256-CBC:AES-128-GCM\n";
        assert_eq!(with_cbc(either, old), Ok(Protection::Classic(DataCipher::Aes128Gcm)));
        let none = "IV_CIPHERS=AES-128-CBC\nIV_PROTO=8094\n";
        let digest = "V4,auth SHA1";
        assert_eq!(with_cbc(none, digest), Ok(Protection::Cbc(CbcCipher::Aes128Cbc, AuthDigest::Sha1)));
    }

    #[test]
    fn key_01_weak_ciphers_and_digests_are_refused_even_where_cbc_is_allowed() {
        for cipher in ["BF-CBC", "AES-192-CBC", "AES-256-CFB", "none"] {
            let options = format!("V4,cipher {cipher},auth SHA1");
            assert_eq!(with_cbc("", &options), Err("no-shared-cipher"), "{cipher}");
        }
        for digest in ["MD5", "none", "SHA3-256", ""] {
            let options = format!("V4,cipher AES-256-CBC,auth {digest}");
            assert_eq!(with_cbc("", &options), Err("no-shared-digest"), "{digest}");
        }
    }

    #[test]
    fn a_client_that_says_no_digest_gets_the_configured_one() {
        for options in ["V4,auth [null-digest],keysize 256", "V4"] {
            let protection = with_cbc("IV_CIPHERS=AES-128-CBC\n", options);
            assert_eq!(
                protection,
                Ok(Protection::Cbc(CbcCipher::Aes128Cbc, AuthDigest::Sha512)),
                "{options}"
            );
        }
    }

    #[test]
    fn an_old_client_is_pushed_neither_peer_id_nor_cipher() {
        let (all, config) = (COMMON, config());
        let negotiated =
            Negotiated::with_client(&config, &PeerInfo::parse(""), "V4,cipher AES-256-GCM").unwrap();
        assert!(!negotiated.format.has_peer_id);
        assert_eq!(all.replace(",peer-id 7,cipher AES-256-GCM", ""), push_text(&negotiated));
    }

    #[test]
    fn the_epoch_format_needs_all_that_it_builds_on() {
        let needed = bits::EPOCH_FORMAT | bits::TLS_KEY_EXPORT | bits::DATA_V2 | bits::CONTROL_CHANNEL_EXIT;
        let ciphers = "IV_CIPHERS=AES-256-GCM\n";
        let is_epoch = |bits: u32, ciphers: &str| {
            with_cbc(&format!("IV_PROTO={bits}\n{ciphers}"), "V4,auth SHA1")
                .is_ok_and(|protection| matches!(protection, Protection::Epoch(_)))
        };
        assert!(is_epoch(needed, ciphers));
        for bit in 0..13 {
            assert_eq!(
                is_epoch(needed & !(1 << bit), ciphers),
                needed & (1 << bit) == 0,
                "without bit {bit}"
            );
        }
        assert!(!is_epoch(needed, "IV_CIPHERS=AES-256-CBC\n"));
        let client_2_7 = "IV_NCP=2\nIV_MTU=1600\nIV_CIPHERS=AES-256-GCM:AES-128-GCM\nIV_PROTO=8094\n";
        assert_eq!(
            pushed(client_2_7),
            format!("{COMMON},protocol-flags cc-exit tls-ekm dyn-tls-crypt aead-epoch,tun-mtu 1500")
        );
    }

    #[test]
    fn key_01_a_client_with_compression_in_its_profile_is_told_to_compress_nothing() {
        let options = "V4,comp-lzo,auth SHA1";
        for (info, framing, option) in [
            ("IV_NCP=2\nIV_COMP_STUBv2=1\n", Framing::StubV2, "compress stub-v2"),
            ("IV_NCP=2\nIV_COMP_STUB=1\n", Framing::Octet, "comp-lzo no"),
            ("IV_NCP=2\nIV_LZO=1\n", Framing::Octet, "comp-lzo no"),
        ] {
            let negotiated = negotiated(info, options).unwrap();
            assert_eq!(negotiated.format.framing, framing);
            assert!(push_text(&negotiated).contains(option), "{info}");
        }
        assert_eq!(negotiated("IV_NCP=2\nIV_COMP_STUBv2=1\n", "V4").unwrap().format.framing, Framing::None);
    }

    #[test]
    fn a_client_with_fragment_in_its_profile_is_told_to_remove_it() {
        let denial = negotiated("IV_NCP=2\n", "V4,mtu-dynamic,auth SHA1").unwrap_err();
        assert_eq!(denial.code, "fragment-unsupported");
        assert!(denial.public.contains("'fragment'"));
    }

    #[test]
    fn the_backend_without_aes_192_gcm_does_not_agree_on_it() {
        let mut config = config();
        config.data_ciphers = vec![DataCipher::Aes192Gcm, DataCipher::Aes128Gcm];
        let info = PeerInfo::parse("IV_CIPHERS=AES-192-GCM:AES-128-GCM\n");
        let expected =
            if cfg!(feature = "aws_lc_rs") { DataCipher::Aes192Gcm } else { DataCipher::Aes128Gcm };
        let protection = Negotiated::with_client(&config, &info, "").unwrap().format.protection;
        assert_eq!(protection, Protection::Classic(expected));
    }
}
