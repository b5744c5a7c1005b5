//! What a fuzzer does with the files that this crate reads: any octets, no panic, and what was understood stays the same
//! when it is written and read again.

use std::time::SystemTime;

use pki_core::bundle::lint::{Circumstances, lint as judge};
use pki_core::bundle::{pkcs12, static_key};
use pki_core::ca::Records;
use pki_core::cert::csr::Request;
use pki_core::cert::{Certificate, ExtensionFile, SubjectAltName, dump};
use pki_core::crl::Crl;
use pki_core::key::{EncodedKey, PrivateKey, WeakEncryption};
use pki_core::name::{CommonName, FileBase};
use pki_core::secret::Passphrase;
use pki_core::time::Timestamp;
use pki_core::{Explain, audit, pem};

/// OpenSSL's certificate index, and the audit log: every line is either understood or counted.
pub(crate) fn index_txt(octets: &[u8]) {
    let found = Records::parse(octets);
    let is_row = |line: &&[u8]| !line.is_empty() && !line.starts_with(b"#");
    let rows = octets.split(|octet| *octet == b'\n').filter(is_row).count();
    assert_eq!(found.records.len() + found.unreadable, rows);
    let last_ends = found.last_ends();
    for record in &found.records {
        assert!(record.revoked.is_some() || last_ends[record.subject.as_str()] >= record.not_after);
    }
    let report = audit::verify(octets);
    assert!(report.broken_at.is_none_or(|line| line == report.entries + 1));
}

/// Extensions as people write them, and names as they type them.
pub(crate) fn extension_file(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let environment = |name: &str| (name == "EASYRSA_KDC_REALM").then(|| "EXAMPLE.NET".to_owned());
    if let Ok(file) = ExtensionFile::parse(&text, environment) {
        let _ = ["server", "client", "ca", "COMMON"].map(|name| file.is_easyrsas_own(name));
        if let Ok(extensions) = file.resolve_for_request() {
            assert!(extensions.len() <= text.lines().count());
        }
    }
    for line in text.lines() {
        let _ = SubjectAltName::parse(line);
        if let Ok(name) = FileBase::parse(line) {
            assert!(!name.as_str().contains('/') && !name.as_str().starts_with(['.', '-']));
        }
        if let Ok(name) = CommonName::parse(line) {
            assert!(!name.as_str().chars().any(char::is_control));
        }
    }
}

/// A certificate request, PEM or DER.
pub(crate) fn request(octets: &[u8]) {
    let Ok(request) = Request::from_file(octets) else { return };
    let again = Request::from_file(request.to_pem().as_bytes()).unwrap();
    assert_eq!(again.der(), request.der());
    let _ = (request.verify().is_ok(), request.subject_line(), request.common_name());
    let _ = dump::alternative_names_of_request(&request);
    assert!(dump::request(&request, dump::Extent::Full).starts_with("Certificate Request:"));
}

/// Certificates, PEM or DER, and their dump as OpenSSL writes it.
pub(crate) fn certificate(octets: &[u8]) {
    let from_der = Certificate::parse(octets).into_iter();
    for certificate in Certificate::all_from_pem(octets).unwrap_or_default().into_iter().chain(from_der) {
        let again = Certificate::from_pem(certificate.to_pem().as_bytes()).unwrap();
        assert_eq!(again.fingerprint(), certificate.fingerprint());
        let _ = (certificate.subject_line(), certificate.common_name(), certificate.extended_key_usage());
        let _ = dump::alternative_names_of_certificate(&certificate);
        assert!(dump::certificate(&certificate, dump::Extent::Full).starts_with("Certificate:"));
    }
}

/// Revocation lists, PEM or DER.
pub(crate) fn revocation_list(octets: &[u8]) {
    for list in Crl::parse_file(octets).unwrap_or_default() {
        let again = Crl::parse(list.der().to_vec()).unwrap();
        assert_eq!((again.number(), again.entries().len()), (list.number(), list.entries().len()));
        assert!(list.entries().windows(2).all(|pair| pair[0].serial() <= pair[1].serial()));
        for entry in list.entries() {
            let _ = (entry.revoked_at(), entry.reason());
        }
    }
}

/// Private keys: PKCS#8 plain and encrypted, legacy PEM, PKCS#1, SEC 1; and OpenVPN's static keys.
pub(crate) fn private_key(octets: &[u8]) {
    for key in [PrivateKey::from_pkcs8(octets), PrivateKey::from_pkcs1(octets), PrivateKey::from_sec1(octets)]
    {
        key.as_ref().map(reads_back).unwrap_or_default();
    }
    match EncodedKey::from_pem(octets) {
        Ok(EncodedKey::Plain(key)) => reads_back(&key),
        Ok(EncodedKey::Encrypted(key)) => {
            // Deriving a key takes as long as its file says.
            let is_cheap = key.weakness().is_some_and(|weakness| match weakness {
                WeakEncryption::FewRounds { rounds } => rounds <= 4096,
                WeakEncryption::LegacyPem => true,
                WeakEncryption::TripleDes => false,
            });
            if let (true, Ok(key)) = (is_cheap, key.unlock(&Passphrase::new(b"clpass".to_vec()))) {
                reads_back(&key);
            }
        }
        Err(_) => {}
    }
    let text = String::from_utf8_lossy(octets);
    let _ = static_key::parse_static_key(&text);
    let _ = static_key::parse_tls_crypt_v2_server_key(&text);
    let _ = pem::blocks(octets).count();
}

/// PKCS#12 containers; those that ask for much work are for people who know what they wrote.
pub(crate) fn container(octets: &[u8]) {
    const FEW_ROUNDS: u64 = 8192;
    for passphrase in [None, Some(Passphrase::new(b"clpass".to_vec()))] {
        match pkcs12::read_within(FEW_ROUNDS, octets, passphrase.as_ref()) {
            Ok(opened) => {
                assert_eq!(opened.certificate.public_key_info(), opened.key.public_key_info());
                reads_back(&opened.key);
            }
            Err(refusal) => assert!(refusal.code().starts_with("pkcs12-")),
        }
    }
}

fn reads_back(key: &PrivateKey) {
    let again = PrivateKey::from_pkcs8(key.pkcs8_der()).unwrap();
    assert_eq!(again.public_key_info(), key.public_key_info());
    let _ = key.pkcs1_der();
}

/// Profiles of others: whatever is found stands on a line that there is.
pub(crate) fn lint(octets: &[u8]) {
    let circumstances = Circumstances { now: Timestamp::from(SystemTime::UNIX_EPOCH), mode: Some(0o644) };
    let report = judge(octets, circumstances);
    let lines = String::from_utf8_lossy(octets).split('\n').count();
    let explained = report.explanations.iter().map(|explanation| explanation.line);
    let found = report.findings.iter().filter_map(|finding| finding.line);
    for line in explained.chain(found) {
        assert!((1..=lines).contains(&line), "line {line} of {lines}");
    }
}
