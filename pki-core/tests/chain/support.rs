//! Authorities, certificates and lists made at test time, and the questions asked about them.

use std::path::PathBuf;

use pki_core::chain::{
    self, ChainPolicy, Purpose, Rejection, Request, Revocation, TrustAnchors, VerifiedPath,
};
use pki_core::crl::{Crl, CrlRefusal, RevocationIndex};
use pki_core::time::Timestamp;
use pki_core::x509::Certificate;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SerialNumber, SigningKey as _,
};
use time::OffsetDateTime;

/// The present in all tests: everything made here is valid from 2025 to 2045.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_893_456_000);
const DAY: i64 = 86_400;

/// What a test does to the parameters of a certificate before it is signed.
pub(crate) type Change = fn(&mut CertificateParams);

/// A CA that exists for one test.
pub(crate) struct Authority {
    pub(crate) certificate: Vec<u8>,
    pub(crate) issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        Self::root_with(name, |_| {})
    }

    pub(crate) fn root_with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        Self::root_with_key(name, KeyPair::generate().unwrap(), change)
    }

    pub(crate) fn root_with_key(
        name: &str,
        key: KeyPair,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Self {
        let mut params = authority_params(name);
        change(&mut params);
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn subordinate(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        self.subordinate_with_key(name, KeyPair::generate().unwrap(), change)
    }

    pub(crate) fn subordinate_with_key(
        &self,
        name: &str,
        key: KeyPair,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Self {
        let mut params = authority_params(name);
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// A client certificate.
    pub(crate) fn client(&self, name: &str) -> Vec<u8> {
        self.client_with(name, |_| {})
    }

    pub(crate) fn client_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = client_params(name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, &self.issuer).unwrap().der().to_vec()
    }

    pub(crate) fn anchors(&self) -> TrustAnchors {
        anchors(&[&self.certificate])
    }

    /// A list of this CA that revokes nothing yet.
    pub(crate) fn list(&self) -> ListDraft {
        let certificate = Certificate::parse(&self.certificate).unwrap();
        ListDraft {
            issuer_name: raw_subject(&self.certificate),
            number: Some(vec![1]),
            this_update: certificate.not_before().plus_days(1),
            next_update: NOW.plus_days(30),
            entries: Vec::new(),
            extensions: Vec::new(),
        }
    }

    pub(crate) fn index(&self, list: &ListDraft) -> RevocationIndex {
        self.try_index(list).unwrap()
    }

    pub(crate) fn try_index(&self, list: &ListDraft) -> Result<RevocationIndex, CrlRefusal> {
        let list = Crl::parse(list.sign(self))?;
        let certificate = Certificate::parse(&self.certificate).unwrap();
        RevocationIndex::build([&certificate], [list])
    }
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = base_params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn client_params(name: &str) -> CertificateParams {
    let mut params = base_params(name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params
}

fn base_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    params.not_before = moment(NOW.plus_days(-1800));
    params.not_after = moment(NOW.plus_days(5400));
    params
}

pub(crate) fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

pub(crate) fn moment(time: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(time.unix_seconds()).unwrap()
}

pub(crate) fn serial(octets: &[u8]) -> Option<SerialNumber> {
    Some(SerialNumber::from_slice(octets))
}

pub(crate) fn anchors(certificates: &[&[u8]]) -> TrustAnchors {
    let parsed = certificates.iter().map(|der| Certificate::parse(der).unwrap()).collect();
    TrustAnchors::from_certificates(parsed)
}

/// Asks as the VPN server does.
pub(crate) fn verify_client(sent: &[&[u8]], anchors: &TrustAnchors) -> Result<VerifiedPath, Rejection> {
    verify_as(Purpose::Client, sent, anchors, &ChainPolicy::vpn(), NOW)
}

pub(crate) fn verify_with(
    sent: &[&[u8]],
    anchors: &TrustAnchors,
    index: &RevocationIndex,
) -> Result<VerifiedPath, Rejection> {
    chain::verify(&Request {
        leaf_and_intermediates: sent,
        anchors,
        purpose: Purpose::Client,
        revocation: Revocation::Required(index),
        name: None,
        policy: &ChainPolicy::vpn(),
        now: NOW,
    })
}

pub(crate) fn verify_as(
    purpose: Purpose,
    sent: &[&[u8]],
    anchors: &TrustAnchors,
    policy: &ChainPolicy,
    now: Timestamp,
) -> Result<VerifiedPath, Rejection> {
    chain::verify(&Request {
        leaf_and_intermediates: sent,
        anchors,
        purpose,
        revocation: Revocation::Unchecked,
        name: None,
        policy,
        now,
    })
}

/// Code of a rejection, and whether the certificate provably comes from a trusted CA.
pub(crate) fn verdict(result: Result<VerifiedPath, Rejection>) -> (&'static str, bool) {
    let rejection = result.unwrap_err();
    assert!(!rejection.help().is_empty() && !rejection.to_string().contains('\n'));
    (rejection.code(), rejection.chains_to_anchor())
}

pub(crate) fn testdata(path: &str) -> Vec<u8> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata");
    std::fs::read(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The content of a revocation list before it is signed; everything can be wrong with it.
#[derive(Clone)]
pub(crate) struct ListDraft {
    pub(crate) issuer_name: Vec<u8>,
    pub(crate) number: Option<Vec<u8>>,
    pub(crate) this_update: Timestamp,
    pub(crate) next_update: Timestamp,
    /// Content of the serial number, reason code.
    pub(crate) entries: Vec<(Vec<u8>, Option<u8>)>,
    /// Whole Extension elements.
    pub(crate) extensions: Vec<Vec<u8>>,
}

impl ListDraft {
    pub(crate) fn revoking(mut self, serials: &[&[u8]]) -> Self {
        self.entries.extend(serials.iter().map(|serial| (serial.to_vec(), Some(1))));
        self
    }

    pub(crate) fn numbered(mut self, number: Option<u8>) -> Self {
        self.number = number.map(|number| vec![number]);
        self
    }

    pub(crate) fn made(mut self, this_update: Timestamp) -> Self {
        self.this_update = this_update;
        self
    }

    pub(crate) fn due(mut self, next_update: Timestamp) -> Self {
        self.next_update = next_update;
        self
    }

    pub(crate) fn with_extension(mut self, kind: &[u8], critical: bool, value: &[u8]) -> Self {
        self.extensions.push(extension(kind, critical, value));
        self
    }

    pub(crate) fn sign(&self, authority: &Authority) -> Vec<u8> {
        let algorithm = element(0x30, &[&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]]);
        let content = self.signed_part(&algorithm);
        let mut bits = vec![0];
        bits.extend(authority.issuer.key().sign(&content).unwrap());
        element(0x30, &[&content, &algorithm, &element(3, &[&bits])])
    }

    fn signed_part(&self, algorithm: &[u8]) -> Vec<u8> {
        let (this_update, next_update) = (utc_time(self.this_update), utc_time(self.next_update));
        let entries: Vec<u8> =
            self.entries.iter().flat_map(|(serial, reason)| self.entry(serial, *reason)).collect();
        let entries = if entries.is_empty() { Vec::new() } else { element(0x30, &[&entries]) };
        let mut extensions = self.extensions.concat();
        if let Some(number) = &self.number {
            extensions.extend(extension(&[0x55, 0x1d, 0x14], false, &element(2, &[number])));
        }
        let extensions =
            if extensions.is_empty() { Vec::new() } else { element(0xa0, &[&element(0x30, &[&extensions])]) };
        let version = [2, 1, 1];
        element(
            0x30,
            &[&version, algorithm, &self.issuer_name, &this_update, &next_update, &entries, &extensions],
        )
    }

    fn entry(&self, serial: &[u8], reason: Option<u8>) -> Vec<u8> {
        let reason = reason.map(|code| {
            let value = extension(&[0x55, 0x1d, 0x15], false, &[0x0a, 1, code]);
            element(0x30, &[&value])
        });
        let reason = reason.unwrap_or_default();
        element(0x30, &[&element(2, &[serial]), &utc_time(self.this_update.plus_seconds(-DAY)), &reason])
    }
}

/// One DER element.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut encoded = vec![tag];
    if length < 0x80 {
        encoded.push(u8::try_from(length).unwrap());
    } else {
        let octets = length.to_be_bytes();
        let first = octets.iter().position(|octet| *octet != 0).unwrap();
        encoded.push(0x80 | u8::try_from(octets.len() - first).unwrap());
        encoded.extend_from_slice(&octets[first..]);
    }
    parts.iter().for_each(|part| encoded.extend_from_slice(part));
    encoded
}

pub(crate) fn extension(kind: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    element(0x30, &[&element(6, &[kind]), critical, &element(4, &[value])])
}

pub(crate) fn utc_time(time: Timestamp) -> Vec<u8> {
    let fields = time.calendar();
    let text = format!(
        "{:02}{:02}{:02}{:02}{:02}{:02}Z",
        fields.year % 100,
        fields.month,
        fields.day,
        fields.hour,
        fields.minute,
        fields.second
    );
    element(0x17, &[text.as_bytes()])
}

fn raw_subject(certificate: &[u8]) -> Vec<u8> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).unwrap();
    parsed.subject().as_raw().to_vec()
}

/// Armours DER as PEM.
pub(crate) fn armour(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in der.chunks(48) {
        for group in chunk.chunks(3) {
            let word = group.iter().fold(0_u32, |word, octet| word << 8 | u32::from(*octet));
            let word = word << (8 * (3 - group.len()));
            for place in 0..4 {
                let digit = ALPHABET[usize::try_from(word >> (18 - 6 * place) & 0x3f).unwrap()];
                text.push(if place > group.len() { '=' } else { char::from(digit) });
            }
        }
        text.push('\n');
    }
    format!("-----BEGIN {label}-----\n{text}-----END {label}-----\n")
}
