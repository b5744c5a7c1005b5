//! Where the authority's key is: in private/ca.key, or in a token that private/ca.pkcs11 names.

use std::fmt;
use std::path::PathBuf;

use super::{Authority, PkiReader, key_error};
use crate::error::PkiError;
use crate::key::KeyError;
use crate::key::pkcs11::Pkcs11Uri;
use crate::store::{ChangeSet, FileMode, Store, layout};

/// Where the authority's key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// In this file.
    File(PathBuf),
    /// In a token.
    Token(Box<Pkcs11Uri>),
}

impl fmt::Display for KeyPlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(out),
            Self::Token(uri) => uri.fmt(out),
        }
    }
}

impl Authority {
    /// Where the authority's key is. A token comes before a file that lies beside it.
    ///
    /// # Errors
    /// [`PkiError::NoAuthority`] if there is none; [`PkiError::TokenFile`]; [`PkiError::Key`] if others could write
    /// another token, and with it another module to load, into the file.
    pub fn key_place(&self) -> Result<KeyPlace, PkiError> {
        match &self.key_in_token {
            Some(uri) => Ok(KeyPlace::Token(Box::new(uri.clone()))),
            None => self.reader().key_place(),
        }
    }

    /// Makes this file the place of the key, instead of the file or token where it was.
    pub(super) fn move_key_to_file(&self, text: &str, changes: &mut ChangeSet) -> Result<(), PkiError> {
        changes.replace_secret_text(layout::authority_key(), text);
        if self.store.exists(&layout::authority_token())? {
            changes.remove(layout::authority_token());
        }
        Ok(())
    }

    /// Makes this token the place of the key, instead of the file or token where it was.
    pub(super) fn move_key_to_token(&self, uri: &Pkcs11Uri, changes: &mut ChangeSet) -> Result<(), PkiError> {
        point_to_token(uri, changes);
        if self.store.exists(&layout::authority_key())? {
            changes.remove(layout::authority_key());
        }
        Ok(())
    }
}

impl PkiReader<'_> {
    /// Where the directory says that the authority's key is.
    ///
    /// # Errors
    /// As [`Authority::key_place`].
    pub fn key_place(&self) -> Result<KeyPlace, PkiError> {
        if let Some(uri) = named_token(self.store())? {
            return Ok(KeyPlace::Token(Box::new(uri)));
        }
        let path = layout::authority_key();
        let full_path = self.store().full_path(&path);
        if self.store().exists(&path)? {
            Ok(KeyPlace::File(full_path))
        } else {
            Err(PkiError::NoAuthority { missing: full_path })
        }
    }
}

/// What private/ca.pkcs11 says, if there is one.
fn named_token(store: &Store) -> Result<Option<Pkcs11Uri>, PkiError> {
    let path = layout::authority_token();
    let Some(text) = store.read(&path)? else {
        return Ok(None);
    };
    if let Some(mode) = store.mode(&path)?.filter(|mode| mode & 0o077 != 0) {
        return Err(key_error(store, &path)(KeyError::Exposed { mode }));
    }
    let uri = String::from_utf8_lossy(&text).trim_end().parse();
    uri.map(Some).map_err(|cause| PkiError::TokenFile { path: store.full_path(&path), cause })
}

/// Makes the token the place of a key that has none yet.
pub(super) fn point_to_token(uri: &Pkcs11Uri, changes: &mut ChangeSet) {
    changes.replace(layout::authority_token(), FileMode::Private, format!("{uri}\n"));
}
