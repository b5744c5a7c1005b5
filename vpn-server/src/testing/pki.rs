//! A small certificate authority on an easy-rsa directory, made anew for each test.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

use crate::config::CredentialPaths;

/// A PKI directory with a CA; removed with this value.
pub(crate) struct TestPki {
    root: TempDir,
    issuer: Issuer<'static, KeyPair>,
    next_serial: u64,
    revoked: Vec<u64>,
    crl_number: u64,
}

/// A certificate and its key.
pub(crate) struct Issued {
    pub(crate) serial: u64,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl TestPki {
    /// A CA and a server certificate named `server`.
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for directory in ["pki/issued", "pki/private", "state"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let mut params = params("Test CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        fs::write(root.path().join("pki/ca.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
        let issuer = Issuer::new(params, key);
        let mut pki = Self { root, issuer, next_serial: 0x1000, revoked: Vec::new(), crl_number: 0 };
        pki.issue("server", ExtendedKeyUsagePurpose::ServerAuth);
        pki
    }

    pub(crate) fn issue_client(&mut self, name: &str) -> Issued {
        self.issue(name, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// Issues a certificate into `issued/` and `private/`.
    pub(crate) fn issue(&mut self, name: &str, purpose: ExtendedKeyUsagePurpose) -> Issued {
        self.issue_until(name, purpose, OffsetDateTime::now_utc() + Duration::DAY)
    }

    /// Issues a certificate for somebody in a department (`OU`).
    pub(crate) fn issue_client_of(&mut self, name: &str, department: &str) -> Issued {
        let mut params = params(name);
        params.distinguished_name.push(DnType::OrganizationalUnitName, department);
        self.issue_by(params, name, ExtendedKeyUsagePurpose::ClientAuth)
    }

    pub(crate) fn issue_until(
        &mut self,
        name: &str,
        purpose: ExtendedKeyUsagePurpose,
        not_after: OffsetDateTime,
    ) -> Issued {
        let mut params = params(name);
        params.not_after = not_after;
        self.issue_by(params, name, purpose)
    }

    fn issue_by(
        &mut self,
        mut params: CertificateParams,
        name: &str,
        purpose: ExtendedKeyUsagePurpose,
    ) -> Issued {
        let serial = self.next_serial;
        self.next_serial += 1;
        params.serial_number = Some(SerialNumber::from(serial));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.directory().join(format!("issued/{name}.crt")), certificate.pem()).unwrap();
        write_key(&self.directory().join(format!("private/{name}.key")), &key);
        Issued {
            serial,
            certificate: certificate.der().clone(),
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }

    /// Adds a certificate to the lists that are written from now on.
    pub(crate) fn revoke(&mut self, issued: &Issued) {
        self.revoked.push(issued.serial);
    }

    /// Writes `crl.pem` by a rename; it is valid for a month.
    pub(crate) fn write_crl(&mut self) {
        let text = self.crl(Duration::days(30));
        self.put_crl(&text);
    }

    /// The text of the next list, which expires after `validity`; a negative one is past.
    pub(crate) fn crl(&mut self, validity: Duration) -> String {
        self.crl_number += 1;
        let now = OffsetDateTime::now_utc();
        let revoked = self.revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: now - Duration::MINUTE,
            reason_code: None,
            invalidity_date: None,
        });
        CertificateRevocationListParams {
            this_update: now - Duration::days(60),
            next_update: now + validity,
            crl_number: SerialNumber::from(self.crl_number),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(&self.issuer)
        .unwrap()
        .pem()
        .unwrap()
    }

    pub(crate) fn put_crl(&self, text: &str) {
        let aside = self.directory().join("crl.pem.new");
        fs::write(&aside, text).unwrap();
        fs::rename(aside, self.crl_path()).unwrap();
    }

    pub(crate) fn crl_path(&self) -> PathBuf {
        self.directory().join("crl.pem")
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.root.path().join("pki")
    }

    pub(crate) fn state_directory(&self) -> PathBuf {
        self.root.path().join("state")
    }

    pub(crate) fn paths(&self) -> CredentialPaths {
        CredentialPaths::Pki { directory: self.directory(), server_name: "server".to_owned() }
    }

    pub(crate) fn file_paths(&self, crl: Option<PathBuf>) -> CredentialPaths {
        CredentialPaths::Files {
            ca: self.directory().join("ca.crt"),
            cert: self.directory().join("issued/server.crt"),
            key: self.directory().join("private/server.key"),
            crl,
        }
    }
}

pub(crate) fn write_key(path: &Path, key: &KeyPair) {
    fs::write(path, key.serialize_pem()).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = OffsetDateTime::from(SystemTime::now()) - Duration::HOUR;
    params.not_after = OffsetDateTime::now_utc() + Duration::days(365);
    params
}
