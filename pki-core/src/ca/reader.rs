//! Reading a PKI without changing it: what a server, or a profile, needs of one.

use std::path::{Path, PathBuf};

use super::{key_error, open_store, read_certificates, read_key};
use crate::cert::Certificate;
use crate::error::PkiError;
use crate::key::{EncodedKey, KeyError, PrivateKey};
use crate::name::FileBase;
use crate::secret::Passphrase;
use crate::store::{Store, layout};

/// A PKI directory opened for reading; takes no lock and writes nothing, so a read-only mount is enough.
pub struct PkiReader<'a> {
    store: Held<'a>,
}

enum Held<'a> {
    Own(Box<Store>),
    Borrowed(&'a Store),
}

impl PkiReader<'static> {
    /// Opens a PKI directory.
    ///
    /// # Errors
    /// [`PkiError::NoPki`] if there is none; [`PkiError::Store`] if it cannot be opened.
    pub fn open(directory: &Path) -> Result<Self, PkiError> {
        Ok(Self { store: Held::Own(Box::new(open_store(directory)?)) })
    }
}

impl<'a> PkiReader<'a> {
    pub(super) fn of(store: &'a Store) -> Self {
        Self { store: Held::Borrowed(store) }
    }

    /// The certificates in ca.crt: the authority's own first, those above it after it.
    ///
    /// # Errors
    /// [`PkiError::NoAuthority`] if the file is missing; [`PkiError::Certificate`] if it holds none.
    pub fn authority(&self) -> Result<Vec<Certificate>, PkiError> {
        let path = layout::authority_certificate();
        read_certificates(self.store(), &path, |missing| PkiError::NoAuthority { missing })
    }

    /// The certificates in issued/NAME.crt: the leaf first.
    ///
    /// # Errors
    /// [`PkiError::NoCertificate`], [`PkiError::Certificate`].
    pub fn certificate_chain(&self, name: &FileBase) -> Result<Vec<Certificate>, PkiError> {
        let path = layout::certificate(name);
        read_certificates(self.store(), &path, |missing| PkiError::NoCertificate { missing })
    }

    /// The key in private/NAME.key, as it stands in the file: encrypted or not.
    ///
    /// # Errors
    /// [`PkiError::NoKey`]; [`PkiError::Key`] if the file is damaged, unreadable, or readable by others.
    pub fn encoded_key(&self, name: &FileBase) -> Result<EncodedKey, PkiError> {
        let path = layout::private_key(name);
        let (key, exposed_mode) = read_key(self.store(), &path, |missing| PkiError::NoKey { missing })?;
        match exposed_mode {
            Some(mode) => Err(key_error(self.store(), &path)(KeyError::Exposed { mode })),
            None => Ok(key),
        }
    }

    /// The unlocked key in private/NAME.key.
    ///
    /// # Errors
    /// What [`Self::encoded_key`] answers, and [`PkiError::Key`] with [`KeyError::PassphraseNeeded`] or
    /// [`KeyError::WrongPassphrase`].
    pub fn private_key(
        &self,
        name: &FileBase,
        passphrase: Option<&Passphrase>,
    ) -> Result<PrivateKey, PkiError> {
        let path = layout::private_key(name);
        self.encoded_key(name)?.unlock(passphrase).map_err(key_error(self.store(), &path))
    }

    /// Where private/NAME.key lies, for messages and prompts.
    #[must_use]
    pub fn private_key_path(&self, name: &FileBase) -> PathBuf {
        self.store().full_path(&layout::private_key(name))
    }

    /// Where the published revocation list lies, whether or not there is one.
    #[must_use]
    pub fn revocation_list_path(&self) -> PathBuf {
        self.store().full_path(&layout::revocation_list())
    }

    pub(super) fn store(&self) -> &Store {
        match &self.store {
            Held::Own(store) => store,
            Held::Borrowed(store) => store,
        }
    }
}
