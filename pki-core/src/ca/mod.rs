//! The authority: one method per easy-rsa verb, each a single durable change of the directory.
//!
//! What is needed from outside comes in as arguments: the time and randomness in [`Context`], the passphrase of the CA key
//! through a callback that is asked only if the key is encrypted, and before anything is locked.

mod audit;
mod build_ca;
mod check;
mod convert;
mod expiry;
mod export;
mod find;
mod gen_crl;
mod gen_req;
mod generations;
mod init;
mod inline;
mod issue;
mod issue_many;
mod issuing;
mod key_place;
mod next_generation;
mod offboard;
mod profiles;
mod reader;
mod records;
mod renew_ca;
mod report;
mod revoke;
mod revoke_found;
mod roll_over;
mod self_sign;
mod set_pass;
mod sign_req;
mod signing;
mod support_files;
mod token_key;

use std::fmt;
use std::path::{Path, PathBuf};

pub use build_ca::{BuildCa, BuildSubCa, BuiltCa, BuiltSubCa};
pub use check::{CheckReport, Finding, RepairReport, Severity};
pub use convert::{Convert, Converted, LeftOut, convert};
pub use expiry::{Ending, Expiring, ExpiryReport};
pub use export::{ExportedFiles, Pkcs12Export};
pub use find::{Found, FoundFile, Place};
pub use gen_crl::{GenCrl, PublishedCrl};
pub use gen_req::{GenReq, GeneratedRequest};
pub use init::{Init, InitOutcome, init, replace};
pub use inline::InlineFile;
pub use issue::{Issue, Issued};
pub use issuing::{CertificateForm, SerialNumbers};
pub use key_place::KeyPlace;
pub use next_generation::{NextGeneration, Renewed, RenewedKey};
pub use offboard::{Offboard, Offboarded};
pub use profiles::StoredProfile;
pub use reader::PkiReader;
pub use records::{Record, RecordState, Records, RevocationMark};
pub use renew_ca::{RenewCa, RenewedCa};
pub use report::{IndexRow, RowStatus};
pub use revoke::{Generation, Revoke, Revoked};
pub use revoke_found::Revocable;
pub use roll_over::{AuthorityGeneration, AuthorityKey, AuthorityStatus, RollOver, RolledOver};
pub use self_sign::{SelfSign, SelfSignedFiles};
pub use set_pass::{KeyName, set_pass_of_file};
pub use sign_req::{SignReq, SubjectChoice};
pub use support_files::TlsKeyKind;
pub use token_key::{BuildCaInToken, BuildSubCaInToken, WantedTokenKey};

use crate::cert::{Certificate, Profile};
use crate::error::PkiError;
use crate::key::pkcs11::Pkcs11Uri;
use crate::key::{EncodedKey, KeyError, WeakEncryption};
use crate::random::RandomSource;
use crate::secret::Passphrase;
use crate::store::{LockPolicy, MemoryDisk, OsDisk, PkiPath, Store, layout};
use crate::time::Timestamp;

/// Time and randomness of one operation.
pub struct Context<'a> {
    /// The present.
    pub now: Timestamp,
    /// Where serial numbers, salts and new keys come from.
    pub random: &'a mut dyn RandomSource,
    /// Gives the passphrase of an encrypted key.
    pub passphrases: &'a mut PassphraseSource<'a>,
}

/// Answers with the passphrase of the key it is given, or with the reason why there is none.
pub type PassphraseSource<'a> = dyn FnMut(LockedKey<'_>) -> Result<Passphrase, String> + 'a;

/// What somebody is asked a passphrase for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockedKey<'a> {
    /// An encrypted key file.
    File(&'a Path),
    /// A token, which is opened by its PIN.
    Token {
        /// Its label.
        label: &'a str,
        /// What the URI of the key says about the source of the PIN, uninterpreted.
        pin_source: Option<&'a str>,
    },
}

impl fmt::Display for LockedKey<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(out),
            Self::Token { label, .. } => write!(out, "the token '{}'", label.escape_debug()),
        }
    }
}

/// How an authority behaves, beyond single operations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Waiting for other commands.
    pub lock: LockPolicy,
    /// Whose idea of a certificate is followed.
    pub profile: Profile,
    /// What happens with key files that others may read.
    pub exposed_keys: ExposedKeys,
    /// Whether to go on although the clock shows a time before something that was already signed.
    pub ignore_clock: bool,
}

/// What happens with key files that group or others may read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExposedKeys {
    /// They are refused.
    #[default]
    Refuse,
    /// They are used, with a [`Warning`].
    Warn,
}

/// Something that worked, but should not stay as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A key file that others may read.
    ExposedKey {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A key file whose encryption is weak.
    WeakEncryption {
        /// The file.
        path: PathBuf,
        /// In what respect.
        weakness: WeakEncryption,
    },
    /// An extension that the request asks for and the certificate did not get.
    NotGranted {
        /// Its object identifier.
        extension: String,
    },
    /// An inline file that lacks something.
    IncompleteInline {
        /// The file.
        path: PathBuf,
        /// What it lacks.
        missing: Vec<&'static str>,
    },
    /// The certificate ends later than the certificate of its authority.
    OutlivesAuthority {
        /// End of the authority.
        authority_ends: Timestamp,
    },
}

/// A PKI directory, ready to be worked on.
pub struct Authority {
    store: Store,
    settings: Settings,
    /// Comes before what the directory says about the place of the key.
    key_in_token: Option<Pkcs11Uri>,
}

impl Authority {
    /// Opens a PKI directory, completing or undoing what an interrupted command left.
    ///
    /// # Errors
    /// [`PkiError::NoPki`] if the directory or one of `private`, `reqs` is missing; [`PkiError::EasyRsa2`];
    /// [`PkiError::Store`].
    pub fn open(directory: &Path, settings: Settings) -> Result<Self, PkiError> {
        let store = open_store(directory)?;
        // Whoever only reads goes on without, for example on a read-only mount; whoever changes something recovers
        // again under the lock, and is told what is in the way.
        let _ = store.recover_if_needed(&settings.lock);
        Self::with_store(store, settings)
    }

    /// An empty PKI that exists in memory only: for tests of programs that embed this crate, and for authorities that
    /// live no longer than their process. Everything works on it as on a directory; paths in its answers lead nowhere.
    ///
    /// # Errors
    /// [`PkiError::Store`].
    pub fn in_memory(settings: Settings) -> Result<Self, PkiError> {
        let store = Store::new(MemoryDisk::default());
        init::fill(&store, &Init { lock: settings.lock, ..Init::default() })?;
        Self::with_store(store, settings)
    }

    fn with_store(store: Store, settings: Settings) -> Result<Self, PkiError> {
        for path in layout::initial_directories().into_iter().take(2) {
            if !store.exists(&path)? {
                let directory = store.root().to_path_buf();
                let is_old = convert::is_easy_rsa_2(&store)?;
                return Err(if is_old {
                    PkiError::EasyRsa2 { directory }
                } else {
                    PkiError::NoPki { directory }
                });
            }
        }
        Ok(Self { store, settings, key_in_token: None })
    }

    /// The same with the key of the authority in this token, whatever the directory says.
    #[must_use]
    pub fn with_key_in_token(self, uri: Pkcs11Uri) -> Self {
        Self { key_in_token: Some(uri), ..self }
    }

    /// The certificates and keys of the directory, for reading.
    #[must_use]
    pub fn reader(&self) -> PkiReader<'_> {
        PkiReader::of(&self.store)
    }

    /// Refuses when any file of the authority is missing.
    fn require_authority(&self) -> Result<(), PkiError> {
        for path in layout::authority_files() {
            if !self.store.exists(&path)? {
                return Err(PkiError::NoAuthority { missing: self.store.full_path(&path) });
            }
        }
        self.key_place().map(|_| ())
    }
}

fn open_store(directory: &Path) -> Result<Store, PkiError> {
    let disk =
        OsDisk::open(directory)?.ok_or_else(|| PkiError::NoPki { directory: directory.to_path_buf() })?;
    Ok(Store::new(disk))
}

/// Reads a certificate file; `missing` makes the error for a file that is not there.
fn read_certificates(
    store: &Store,
    path: &PkiPath,
    missing: impl FnOnce(PathBuf) -> PkiError,
) -> Result<Vec<Certificate>, PkiError> {
    let text = store.read(path)?.ok_or_else(|| missing(store.full_path(path)))?;
    Certificate::all_from_pem(&text)
        .map_err(|cause| PkiError::Certificate { path: store.full_path(path), cause })
}

/// Reads a key file, still locked; with the permission bits if others may read it.
fn read_key(
    store: &Store,
    path: &PkiPath,
    missing: impl FnOnce(PathBuf) -> PkiError,
) -> Result<(EncodedKey, Option<u32>), PkiError> {
    let full_path = || store.full_path(path);
    let text = store.read(path)?.ok_or_else(|| missing(full_path()))?;
    let text = zeroize::Zeroizing::new(text);
    let key = EncodedKey::from_pem(&text).map_err(key_error(store, path))?;
    let exposed_mode = store.mode(path)?.filter(|mode| mode & 0o077 != 0);
    Ok((key, exposed_mode))
}

fn key_error(store: &Store, path: &PkiPath) -> impl Fn(KeyError) -> PkiError + use<> {
    let path = store.full_path(path);
    move |cause| PkiError::Key { path: path.clone(), cause }
}
