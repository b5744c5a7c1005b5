//! The server's certificate and key, and the authorities of its clients, read from files and checked together.
//!
//! A mistake that would make every client refuse the server is refused at start, where somebody can see it: a
//! certificate of another purpose, an expired one, one that the key does not belong to.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pki_core::bundle::{BundleError, pkcs12};
use pki_core::chain::{self, ChainPolicy, Purpose, Rejection, Revocation, TrustAnchors, TrustAnchorsError};
use pki_core::error::Explain;
use pki_core::key::{EncodedKey, KeyError};
use pki_core::pem::{self, PemError};
use pki_core::secret::{Passphrase, SecretBytes};
use pki_core::time::Timestamp;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tracing::warn;
use vpn_proto::{TlsSettings, TlsSettingsError, TlsVersion};

use crate::config::{Config, CredentialPaths};

/// No certificate or key file is larger.
const MAXIMUM_FILE_SIZE: u64 = 16 << 20;

/// Everything a server needs to prove who it is and to know whom it trusts.
#[derive(Debug)]
pub struct Credentials {
    /// The authorities of clients.
    pub anchors: TrustAnchors,
    /// The server's certificate and key.
    pub tls: TlsSettings,
}

/// Which of the files an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialFile {
    /// The certificate authorities of clients.
    Authority,
    /// The server certificate.
    Certificate,
    /// The key of the server certificate.
    Key,
    /// The passphrase of the key.
    Passphrase,
    /// The file with the server certificate and its key in one.
    Container,
    /// Certificates that are sent after the server certificate.
    ExtraCertificates,
}

/// Where a server's credentials are.
#[derive(Clone, Copy, Debug)]
pub struct CredentialSource<'a> {
    /// Certificates and keys.
    pub paths: &'a CredentialPaths,
    /// The file whose first line is the passphrase of the key.
    pub passphrase_file: Option<&'a Path>,
    /// Certificates that are sent after the server certificate.
    pub extra_certificates: Option<&'a Path>,
    /// The oldest TLS version that is spoken.
    pub minimum_tls_version: TlsVersion,
}

impl<'a> CredentialSource<'a> {
    /// These files alone, for TLS 1.2 and later.
    #[must_use]
    pub const fn of_files(paths: &'a CredentialPaths) -> Self {
        Self {
            paths,
            passphrase_file: None,
            extra_certificates: None,
            minimum_tls_version: TlsVersion::Tls12,
        }
    }
}

impl<'a> From<&'a Config> for CredentialSource<'a> {
    fn from(config: &'a Config) -> Self {
        Self {
            paths: &config.credentials,
            passphrase_file: config.passphrase_file.as_deref(),
            extra_certificates: config.extra_certificates.as_deref(),
            minimum_tls_version: config.sessions.minimum_tls_version,
        }
    }
}

/// Why a server cannot prove who it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// There is no PKI directory.
    #[error("there is no PKI at {}", directory.display())]
    NoPki {
        /// The directory.
        directory: PathBuf,
    },
    /// A file does not exist.
    #[error("{} {} does not exist", what.name(), path.display())]
    Missing {
        /// Which file.
        what: CredentialFile,
        /// Its path.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read {} {}: {source}", what.name(), path.display())]
    Unreadable {
        /// Which file.
        what: CredentialFile,
        /// Its path.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A file is larger than any that is meant.
    #[error("{} {} is larger than 16 MiB", what.name(), path.display())]
    TooLarge {
        /// Which file.
        what: CredentialFile,
        /// Its path.
        path: PathBuf,
    },
    /// The file with the authorities is not one.
    #[error("the CA certificate {} is not usable: {problem}", path.display())]
    Authority {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        problem: TrustAnchorsError,
    },
    /// The file with the server certificate is not one.
    #[error("the server certificate {} is not usable: {problem}", path.display())]
    Certificate {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        problem: PemError,
    },
    /// Clients would refuse the server certificate.
    #[error("the server certificate {} is not accepted: {rejection}", path.display())]
    NotForServers {
        /// Its path.
        path: PathBuf,
        /// Why.
        rejection: Rejection,
    },
    /// The key cannot be read or unlocked.
    #[error("the server key {} is not usable: {problem}", path.display())]
    Key {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        problem: KeyError,
    },
    /// The file with certificate and key in one cannot be read or unlocked.
    #[error("the PKCS#12 file {} is not usable: {problem}", path.display())]
    Container {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        problem: BundleError,
    },
    /// Certificate and key cannot be used together.
    #[error("the server certificate and key cannot be used: {0}")]
    Tls(#[from] TlsSettingsError),
}

impl CredentialFile {
    const fn name(self) -> &'static str {
        match self {
            Self::Authority => "the CA certificate",
            Self::Certificate => "the server certificate",
            Self::Key => "the server key",
            Self::Passphrase => "the passphrase file",
            Self::Container => "the PKCS#12 file",
            Self::ExtraCertificates => "the file with further certificates",
        }
    }
}

impl CredentialsError {
    /// Stable name of this cause.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoPki { .. } => "pki-missing",
            Self::Missing { what: CredentialFile::Authority, .. } => "ca-missing",
            Self::Missing { what: CredentialFile::Certificate, .. } => "server-certificate-missing",
            Self::Missing { what: CredentialFile::Key, .. } => "server-key-missing",
            Self::Missing { what: CredentialFile::Passphrase, .. } => "passphrase-missing",
            Self::Missing { what: CredentialFile::Container, .. } => "pkcs12-missing",
            Self::Missing { what: CredentialFile::ExtraCertificates, .. } => "extra-certificates-missing",
            Self::Unreadable { .. } => "credential-unreadable",
            Self::TooLarge { .. } => "credential-too-large",
            Self::Authority { problem, .. } => problem.code(),
            Self::Certificate { .. } => "server-certificate-malformed",
            Self::NotForServers { rejection, .. } => rejection.code(),
            Self::Key { problem, .. } => problem.code(),
            Self::Container { problem, .. } => problem.code(),
            Self::Tls(_) => "server-key-unusable",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::NoPki { .. } => {
                "make one: 'postern init-pki', 'postern build-ca', 'postern build-server-full NAME nopass'"
            }
            Self::Missing { what: CredentialFile::Authority, .. } => "make the authority: 'postern build-ca'",
            Self::Missing { what: CredentialFile::Certificate | CredentialFile::Key, .. } => {
                "issue it: 'postern build-server-full NAME nopass', and give that NAME as --server-name"
            }
            Self::Missing { what: CredentialFile::Passphrase, .. } => "check the path of --askpass",
            Self::Missing { what: CredentialFile::Container | CredentialFile::ExtraCertificates, .. } => {
                "check the path"
            }
            Self::Unreadable { .. } => "check owner and permissions of the file; the server starts as root",
            Self::TooLarge { .. } => "name the right file; certificates and keys are a few thousand octets",
            Self::Authority { problem, .. } => problem.help(),
            Self::Certificate { .. } => "give the server's certificate in PEM, intermediates after it",
            Self::NotForServers { rejection, .. } => rejection.help(),
            Self::Key { problem: KeyError::PassphraseNeeded, .. } => {
                "put the passphrase into a file that only root can read, and name it with --askpass"
            }
            Self::Key { path, problem } => return problem.help_for(path),
            Self::Container { problem, .. } => return problem.help(),
            Self::Tls(_) => "give the certificate and the key that were issued together",
        }
        .to_owned()
    }
}

impl Credentials {
    /// Reads and checks all files. `now` is for the validity of the server certificate.
    ///
    /// # Errors
    ///
    /// The first [`CredentialsError`] that is found.
    pub fn load<'a>(
        source: impl Into<CredentialSource<'a>>,
        now: Timestamp,
    ) -> Result<Self, CredentialsError> {
        let source = source.into();
        let Material { authority, certificate, chain, key, is_one_pki } = Material::read(&source)?;
        check_certificate(&certificate, &chain, &authority, is_one_pki, now)?;
        let chain = chain.into_iter().map(CertificateDer::from).collect();
        Ok(Self { anchors: authority, tls: TlsSettings::new(chain, key, source.minimum_tls_version)? })
    }
}

/// What the files hold, before it is known whether it fits together.
struct Material {
    authority: TrustAnchors,
    /// The file that the server certificate comes from.
    certificate: PathBuf,
    chain: Vec<Vec<u8>>,
    key: PrivateKeyDer<'static>,
    /// Whether the authority of clients has to be the server's own.
    is_one_pki: bool,
}

impl Material {
    fn read(source: &CredentialSource<'_>) -> Result<Self, CredentialsError> {
        let mut material = Self::of_server(source)?;
        if let Some(path) = source.extra_certificates {
            material.chain.extend(read_certificates(CredentialFile::ExtraCertificates, path)?);
        }
        Ok(material)
    }

    fn of_server(source: &CredentialSource<'_>) -> Result<Self, CredentialsError> {
        let files = match source.paths {
            CredentialPaths::Pki { directory, .. } if !directory.is_dir() => {
                return Err(CredentialsError::NoPki { directory: directory.clone() });
            }
            CredentialPaths::Pki { directory, server_name } => Files {
                authority: &directory.join("ca.crt"),
                certificate: &directory.join("issued").join(format!("{server_name}.crt")),
                key: &directory.join("private").join(format!("{server_name}.key")),
                is_one_pki: true,
            },
            CredentialPaths::Files { ca, cert, key, .. } => {
                Files { authority: ca, certificate: cert, key, is_one_pki: false }
            }
            CredentialPaths::Container { file, ca, .. } => {
                return Self::from_container(file, ca.as_deref(), source.passphrase_file);
            }
        };
        Self::from_files(&files, source.passphrase_file)
    }

    fn from_files(files: &Files<'_>, passphrase_file: Option<&Path>) -> Result<Self, CredentialsError> {
        Ok(Self {
            authority: read_authority(files.authority)?,
            chain: read_certificates(CredentialFile::Certificate, files.certificate)?,
            key: read_key(files.key, passphrase_file)?,
            certificate: files.certificate.to_owned(),
            is_one_pki: files.is_one_pki,
        })
    }

    fn from_container(
        path: &Path,
        ca: Option<&Path>,
        passphrase_file: Option<&Path>,
    ) -> Result<Self, CredentialsError> {
        let unusable = |problem| CredentialsError::Container { path: path.to_owned(), problem };
        let content = read(CredentialFile::Container, path)?;
        refuse_exposed(path)?;
        let passphrase = passphrase_file.map(read_passphrase).transpose()?;
        let opened = pkcs12::read(content.expose(), passphrase.as_ref()).map_err(unusable)?;
        let intermediates = opened.others.iter().filter(|certificate| !certificate.is_self_issued());
        let chain = std::iter::once(&opened.certificate).chain(intermediates);
        let chain = chain.map(|certificate| certificate.der().to_vec()).collect();
        let key = PrivatePkcs8KeyDer::from(opened.key.pkcs8_der().to_vec()).into();
        let authority = match ca {
            Some(ca) => read_authority(ca)?,
            None if opened.others.is_empty() => return Err(unusable(BundleError::NoAuthority)),
            None => TrustAnchors::from_certificates(opened.others),
        };
        Ok(Self { authority, certificate: path.to_owned(), chain, key, is_one_pki: false })
    }
}

/// Certificates and key in files of their own.
struct Files<'a> {
    authority: &'a Path,
    certificate: &'a Path,
    key: &'a Path,
    is_one_pki: bool,
}

fn read_authority(path: &Path) -> Result<TrustAnchors, CredentialsError> {
    let content = read(CredentialFile::Authority, path)?;
    TrustAnchors::from_pem(content.expose())
        .map_err(|problem| CredentialsError::Authority { path: path.to_owned(), problem })
}

fn read_certificates(what: CredentialFile, path: &Path) -> Result<Vec<Vec<u8>>, CredentialsError> {
    let content = read(what, path)?;
    pem::certificates(content.expose())
        .map_err(|problem| CredentialsError::Certificate { path: path.to_owned(), problem })
}

/// A server may have its certificate from another authority than its clients; then only the clients can check it.
fn check_certificate(
    path: &Path,
    chain: &[Vec<u8>],
    anchors: &TrustAnchors,
    is_one_pki: bool,
    now: Timestamp,
) -> Result<(), CredentialsError> {
    let certificates: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    let verified = chain::verify(&chain::Request {
        leaf_and_intermediates: &certificates,
        anchors,
        purpose: Purpose::Server,
        revocation: Revocation::Unchecked,
        name: None,
        policy: &ChainPolicy::vpn(),
        now,
    });
    match verified {
        Ok(_) => Ok(()),
        Err(rejection) if rejection.chains_to_anchor() || is_one_pki => {
            Err(CredentialsError::NotForServers { path: path.to_owned(), rejection })
        }
        Err(rejection) => {
            warn!(path = %path.display(), %rejection, "the server certificate is not from the CA of the clients");
            Ok(())
        }
    }
}

fn read_key(path: &Path, passphrase_file: Option<&Path>) -> Result<PrivateKeyDer<'static>, CredentialsError> {
    let unusable = |problem| CredentialsError::Key { path: path.to_owned(), problem };
    let content = read(CredentialFile::Key, path)?;
    refuse_exposed(path)?;
    let encoded = EncodedKey::from_pem(content.expose()).map_err(unusable)?;
    let passphrase = match (&encoded, passphrase_file) {
        (EncodedKey::Encrypted(_), Some(file)) => Some(read_passphrase(file)?),
        (EncodedKey::Encrypted(_) | EncodedKey::Plain(_), _) => None,
    };
    let key = encoded.unlock(passphrase.as_ref()).map_err(unusable)?;
    Ok(PrivatePkcs8KeyDer::from(key.pkcs8_der().to_vec()).into())
}

/// A key that everybody can read is no secret. A group may be meant: it is only remarked on (PKI-02).
fn refuse_exposed(path: &Path) -> Result<(), CredentialsError> {
    let unreadable =
        |source| CredentialsError::Unreadable { what: CredentialFile::Key, path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        let problem = KeyError::Exposed { mode };
        return Err(CredentialsError::Key { path: path.to_owned(), problem });
    }
    if mode & 0o070 != 0 {
        warn!(path = %path.display(), "the server key can be read by a group");
    }
    Ok(())
}

/// The first line of the file.
fn read_passphrase(path: &Path) -> Result<Passphrase, CredentialsError> {
    let content = read(CredentialFile::Passphrase, path)?;
    let line = content.expose().split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    Ok(Passphrase::new(line.to_vec()))
}

fn read(what: CredentialFile, path: &Path) -> Result<SecretBytes, CredentialsError> {
    let mut content = Vec::new();
    File::open(path).and_then(|file| file.take(MAXIMUM_FILE_SIZE + 1).read_to_end(&mut content)).map_err(
        |source| {
            let path = path.to_owned();
            if source.kind() == io::ErrorKind::NotFound {
                CredentialsError::Missing { what, path }
            } else {
                CredentialsError::Unreadable { what, path, source }
            }
        },
    )?;
    if content.len() as u64 > MAXIMUM_FILE_SIZE {
        return Err(CredentialsError::TooLarge { what, path: path.to_owned() });
    }
    Ok(SecretBytes::new(content))
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64, Encoding};
    use rcgen::{ExtendedKeyUsagePurpose, KeyPair};
    use time::{Duration, OffsetDateTime};

    use super::*;
    use crate::testing::pki::{TestPki, write_key};

    #[test]
    fn a_complete_pki_is_loaded() {
        let pki = TestPki::new();
        let credentials = load(&pki.paths()).unwrap();
        assert_eq!(credentials.anchors.anchors().len(), 1);
        load(&pki.file_paths(None)).unwrap();
    }

    #[test]
    fn each_missing_part_is_named_with_the_command_that_makes_it() {
        let cases = [
            ("", "pki-missing", "init-pki"),
            ("ca.crt", "ca-missing", "build-ca"),
            ("issued/server.crt", "server-certificate-missing", "build-server-full"),
            ("private/server.key", "server-key-missing", "build-server-full"),
        ];
        for (missing, code, command) in cases {
            let pki = TestPki::new();
            let path = pki.directory().join(missing);
            if missing.is_empty() {
                fs::remove_dir_all(&path).unwrap()
            } else {
                fs::remove_file(&path).unwrap()
            }
            let error = load(&pki.paths()).unwrap_err();
            assert_eq!(error.code(), code);
            assert!(error.help().contains(command), "{}", error.help());
        }
    }

    #[test]
    fn a_certificate_that_clients_would_refuse_is_refused_at_start() {
        let yesterday = OffsetDateTime::now_utc() - Duration::MINUTE;
        let mut pki = TestPki::new();
        pki.issue("server", ExtendedKeyUsagePurpose::ClientAuth);
        assert_eq!(load(&pki.paths()).unwrap_err().code(), "client-as-server");
        pki.issue("server", ExtendedKeyUsagePurpose::CodeSigning);
        assert_eq!(load(&pki.paths()).unwrap_err().code(), "wrong-purpose");
        pki.issue_until("server", ExtendedKeyUsagePurpose::ServerAuth, yesterday);
        assert_eq!(load(&pki.paths()).unwrap_err().code(), "expired");
    }

    #[test]
    fn a_certificate_of_another_authority_is_a_matter_of_the_clients_unless_it_is_one_pki() {
        let (pki, other) = (TestPki::new(), TestPki::new());
        for file in ["issued/server.crt", "private/server.key"] {
            fs::copy(other.directory().join(file), pki.directory().join(file)).unwrap();
        }
        assert!(load(&pki.file_paths(None)).is_ok());
        assert!(matches!(load(&pki.paths()), Err(CredentialsError::NotForServers { .. })));
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let pki = TestPki::new();
        write_key(&pki.directory().join("private/server.key"), &KeyPair::generate().unwrap());
        assert_eq!(load(&pki.paths()).unwrap_err().code(), "server-key-unusable");
    }

    #[test]
    fn pki_02_a_key_that_everybody_can_read_is_refused() {
        let pki = TestPki::new();
        let key = pki.directory().join("private/server.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let error = load(&pki.paths()).unwrap_err();
        assert_eq!(error.code(), "key-file-exposed");
        assert!(error.help().contains("chmod 600"), "{}", error.help());
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(load(&pki.paths()).is_ok());
    }

    #[test]
    fn tls_02_a_file_of_16_mib_is_read_and_one_with_an_octet_more_is_refused() {
        let pki = TestPki::new();
        let ca = File::options().append(true).open(pki.directory().join("ca.crt")).unwrap();
        ca.set_len(MAXIMUM_FILE_SIZE).unwrap();
        load(&pki.paths()).unwrap();
        ca.set_len(MAXIMUM_FILE_SIZE + 1).unwrap();
        assert_eq!(load(&pki.paths()).unwrap_err().code(), "credential-too-large");
    }

    #[test]
    fn an_encrypted_key_needs_the_right_passphrase() {
        let pki = TestPki::new();
        let (key, file) = (pki.directory().join("private/server.key"), pki.directory().join("passphrase"));
        encrypt(&key, "correct horse");
        assert_eq!(load(&pki.paths()).unwrap_err().code(), "passphrase-needed");
        let with = |line: &str| {
            fs::write(&file, line).unwrap();
            let paths = pki.paths();
            Credentials::load(CredentialSource { passphrase_file: Some(&file), ..source(&paths) }, now())
        };
        assert_eq!(with("wrong horse").unwrap_err().code(), "wrong-passphrase");
        assert!(with("correct horse\nsecond line").is_ok());
    }

    #[test]
    fn files_that_are_something_else_are_named() {
        for (file, code) in [
            ("ca.crt", "ca-file-empty"),
            ("issued/server.crt", "server-certificate-malformed"),
            ("private/server.key", "key-not-found-in-file"),
        ] {
            let pki = TestPki::new();
            fs::write(pki.directory().join(file), "not PEM").unwrap();
            let error = load(&pki.paths()).unwrap_err();
            assert_eq!(error.code(), code);
            assert!(error.to_string().contains(file), "{error}");
        }
    }

    #[test]
    fn a_pkcs12_file_holds_certificate_key_and_authority() {
        let pki = TestPki::new();
        let (file, passphrase) = (pki.directory().join("server.p12"), pki.directory().join("passphrase"));
        fs::write(&passphrase, "secret\n").unwrap();
        export(&pki, &file, "secret");
        let load = |ca: Option<PathBuf>, passphrase: Option<&Path>| {
            let paths = CredentialPaths::Container { file: file.clone(), ca, crl: None };
            Credentials::load(CredentialSource { passphrase_file: passphrase, ..source(&paths) }, now())
        };
        let credentials = load(None, Some(&passphrase)).unwrap();
        assert_eq!(credentials.anchors.anchors().len(), 1);
        let other = TestPki::new();
        let foreign = load(Some(other.directory().join("ca.crt")), Some(&passphrase)).unwrap();
        let of_other = fs::read(other.directory().join("ca.crt")).unwrap();
        let expected = TrustAnchors::from_pem(&of_other).unwrap().anchors()[0].fingerprint();
        assert_eq!(foreign.anchors.anchors()[0].fingerprint(), expected);
        assert_eq!(load(None, None).unwrap_err().code(), "pkcs12-wrong-passphrase");
        let text = Base64::encode_string(&fs::read(&file).unwrap());
        fs::write(&file, format!("{}\n{}\n", &text[..64], &text[64..])).unwrap();
        assert!(load(None, Some(&passphrase)).is_ok(), "as in an inline block");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(load(None, Some(&passphrase)).unwrap_err().code(), "key-file-exposed");
        fs::remove_file(&file).unwrap();
        assert_eq!(load(None, Some(&passphrase)).unwrap_err().code(), "pkcs12-missing");
    }

    #[test]
    fn further_certificates_are_sent_after_the_servers_own() {
        let pki = TestPki::new();
        let (paths, extra) = (pki.paths(), pki.directory().join("extra.pem"));
        let with_extra = || {
            Credentials::load(CredentialSource { extra_certificates: Some(&extra), ..source(&paths) }, now())
        };
        assert_eq!(with_extra().unwrap_err().code(), "extra-certificates-missing");
        fs::copy(pki.directory().join("ca.crt"), &extra).unwrap();
        assert!(with_extra().is_ok());
        let sent = |extra| Material::read(&CredentialSource { extra_certificates: extra, ..source(&paths) });
        assert_eq!(sent(Some(&extra)).unwrap().chain.len(), 2);
        assert_eq!(sent(None).unwrap().chain.len(), 1);
    }

    fn load(paths: &CredentialPaths) -> Result<Credentials, CredentialsError> {
        Credentials::load(source(paths), now())
    }

    fn source(paths: &CredentialPaths) -> CredentialSource<'_> {
        CredentialSource::of_files(paths)
    }

    fn now() -> Timestamp {
        Timestamp::from(std::time::SystemTime::now())
    }

    /// What `openssl pkcs12 -export` writes.
    fn export(pki: &TestPki, file: &Path, passphrase: &str) {
        let path = |name: &str| pki.directory().join(name);
        let status = std::process::Command::new("openssl")
            .args(["pkcs12", "-export", "-passout", &format!("pass:{passphrase}"), "-in"])
            .arg(path("issued/server.crt"))
            .arg("-inkey")
            .arg(path("private/server.key"))
            .arg("-certfile")
            .arg(path("ca.crt"))
            .arg("-out")
            .arg(file)
            .status()
            .unwrap();
        assert!(status.success());
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn encrypt(key: &Path, passphrase: &str) {
        let encrypted = key.with_extension("encrypted");
        let status = std::process::Command::new("openssl")
            .args(["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-iter", "2048"])
            .args(["-passout", &format!("pass:{passphrase}")])
            .arg("-in")
            .arg(key)
            .arg("-out")
            .arg(&encrypted)
            .status()
            .unwrap();
        assert!(status.success());
        fs::rename(encrypted, key).unwrap();
        fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
    }
}
