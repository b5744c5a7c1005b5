//! A PKI in a temporary directory, and the openssl command beside it.

use std::path::{Path, PathBuf};
use std::process::Command;

use pki_core::ca::{
    BuildCa, CertificateForm, Context, GenCrl, Generation, Init, Issue, Issued, LockedKey, PublishedCrl,
    Revoke, SerialNumbers, Settings,
};
use pki_core::cert::build::Validity;
use pki_core::cert::{CertificateKind, Customisation, Profile};
use pki_core::crl::RevocationReason;
use pki_core::dn::Subject;
use pki_core::key::{KeyAlgorithm, Protection};
use pki_core::name::{CommonName, FileBase};
use pki_core::random::SystemSource;
use pki_core::secret::Passphrase;
use pki_core::time::Timestamp;
use pki_core::{Authority, PkiError};
use tempfile::TempDir;

/// A PKI that goes away with its owner.
pub(crate) struct Pki {
    directory: TempDir,
    pub(crate) settings: Settings,
    pub(crate) now: Timestamp,
    pub(crate) passphrase: &'static str,
}

impl Pki {
    /// An empty PKI.
    pub(crate) fn new(profile: Profile) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pki = Self {
            directory,
            settings: Settings { profile, ..Settings::default() },
            now: std::time::SystemTime::now().into(),
            passphrase: "",
        };
        pki_core::ca::init(&pki.path(), &Init::default()).unwrap();
        pki
    }

    /// A PKI with an authority.
    pub(crate) fn with_authority(profile: Profile, algorithm: KeyAlgorithm) -> Self {
        let pki = Self::new(profile);
        pki.build_ca("Test CA", algorithm, Protection::None).unwrap();
        pki
    }

    /// A copy of a PKI that the real easy-rsa made, with the modes that it had.
    pub(crate) fn golden(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/easyrsa").join(name);
        let target = directory.path().join("pki");
        run(Command::new("cp").arg("-r").arg(&source).arg(&target));
        run(Command::new("chmod").args(["-R", "u=rwX,go="]).arg(&target));
        Self {
            directory,
            settings: Settings { profile: Profile::EasyRsa, ..Settings::default() },
            now: std::time::SystemTime::now().into(),
            passphrase: "",
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("pki")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn open(&self) -> Authority {
        Authority::open(&self.path(), self.settings).unwrap()
    }

    pub(crate) fn run<T>(&self, operate: impl FnOnce(&Authority, &mut Context<'_>) -> T) -> T {
        let mut passphrases = |_: LockedKey<'_>| Ok(Passphrase::new(self.passphrase.as_bytes().to_vec()));
        let mut context =
            Context { now: self.now, random: &mut SystemSource::new(), passphrases: &mut passphrases };
        operate(&self.open(), &mut context)
    }

    pub(crate) fn build_ca(
        &self,
        name: &str,
        algorithm: KeyAlgorithm,
        protection: Protection,
    ) -> Result<(), PkiError> {
        let request = BuildCa {
            subject: Subject::common_name_only(CommonName::parse(name).unwrap()),
            algorithm,
            digest: None,
            protection,
            days: 3650,
            customisation: Customisation::default(),
        };
        self.run(|authority, context| authority.build_ca(&request, context)).map(drop)
    }

    pub(crate) fn request(&self, kind: CertificateKind, name: &str) -> Issue {
        let name = FileBase::parse(name).unwrap();
        Issue {
            kind,
            subject: Subject::common_name_only(name.common_name().clone()),
            name,
            names: None,
            algorithm: KeyAlgorithm::P256,
            digest: None,
            protection: Protection::None,
            validity: Validity::days_from(self.now, 825).unwrap(),
            serial_numbers: SerialNumbers::Random159,
            customisation: Customisation::default(),
            form: CertificateForm::default(),
        }
    }

    pub(crate) fn issue(&self, request: &Issue) -> Result<Issued, PkiError> {
        self.run(|authority, context| authority.issue(request, context))
    }

    pub(crate) fn issue_client(&self, name: &str) -> Issued {
        self.issue(&self.request(CertificateKind::Client, name)).unwrap()
    }

    pub(crate) fn revoke(&self, name: &str, reason: Option<RevocationReason>) -> Result<(), PkiError> {
        let name = FileBase::parse(name).unwrap();
        let request = Revoke { name, generation: Generation::Issued, reason };
        self.run(|authority, context| authority.revoke(&request, context)).map(drop)
    }

    pub(crate) fn gen_crl(&self, days: u32) -> Result<PublishedCrl, PkiError> {
        let request = GenCrl { days, digest: None, force: false };
        self.run(|authority, context| authority.gen_crl(&request, context))
    }

    /// Every file with its content, to see whether anything changed.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut found = Vec::new();
        let mut waiting = vec![self.path()];
        while let Some(directory) = waiting.pop() {
            for entry in std::fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    waiting.push(path.clone());
                }
                let content = path.is_file().then(|| std::fs::read(&path).unwrap());
                found.push((path, content));
            }
        }
        found.sort();
        Snapshot(found)
    }
}

/// Paths and contents; directories have none. Compared, but never printed.
#[derive(PartialEq, Eq)]
pub(crate) struct Snapshot(Vec<(PathBuf, Option<Vec<u8>>)>);

impl Snapshot {
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(path, _)| text(path))
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_list().entries(self.paths()).finish()
    }
}

/// Runs openssl and gives both of its outputs; panics when it fails.
pub(crate) fn openssl(arguments: &[&str]) -> String {
    run(Command::new("openssl").args(arguments))
}

/// Runs openssl and tells whether it was content, and what it said.
pub(crate) fn try_openssl(arguments: &[&str]) -> (bool, String) {
    try_run(Command::new("openssl").args(arguments))
}

pub(crate) fn run(command: &mut Command) -> String {
    let (is_content, said) = try_run(command);
    assert!(is_content, "{command:?}: {said}");
    said
}

fn try_run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(crate) const EVERY_ALGORITHM: [KeyAlgorithm; 5] = [
    KeyAlgorithm::RSA_2048,
    KeyAlgorithm::P256,
    KeyAlgorithm::P384,
    KeyAlgorithm::P521,
    KeyAlgorithm::Ed25519,
];
