//! The profile that was made for a client, kept beside easy-rsa's inline files: inline/private/NAME.ovpn.
//!
//! It goes with the certificate: whatever revokes or renews the one removes the other.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::Authority;
use crate::error::PkiError;
use crate::name::FileBase;
use crate::store::{ChangeSet, layout};

/// The profile of a client in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredProfile {
    /// Where it lies.
    pub file: PathBuf,
    /// Whether it is another one than before.
    pub is_new: bool,
}

impl Authority {
    /// The text of inline/private/NAME.ovpn, if there is one.
    ///
    /// # Errors
    /// [`PkiError::Store`].
    pub fn profile(&self, name: &FileBase) -> Result<Option<Zeroizing<String>>, PkiError> {
        let octets = self.store.read(&layout::profile(name))?.map(Zeroizing::new);
        Ok(octets.map(|octets| Zeroizing::new(String::from_utf8_lossy(&octets).into_owned())))
    }

    /// Writes inline/private/NAME.ovpn, readable by its owner only; writes nothing if it says that already.
    ///
    /// # Errors
    /// What the store answers.
    pub fn put_profile(&self, name: &FileBase, text: &str) -> Result<StoredProfile, PkiError> {
        let locked = self.store.lock(&self.settings.lock)?;
        let path = layout::profile(name);
        let file = self.store.full_path(&path);
        if self.profile(name)?.is_some_and(|stored| stored.as_str() == text) {
            return Ok(StoredProfile { file, is_new: false });
        }
        let mut changes = ChangeSet::default();
        layout::inline_directories().into_iter().for_each(|directory| changes.directory(directory));
        changes.replace_secret_text(path, text);
        locked.commit(changes)?;
        Ok(StoredProfile { file, is_new: true })
    }
}
