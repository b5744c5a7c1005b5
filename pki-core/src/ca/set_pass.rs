//! `set-pass`: another passphrase for a key, or none.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::audit::about_file;
use super::{Authority, Context, KeyPlace, LockedKey};
use crate::audit::Action;
use crate::error::PkiError;
use crate::key::{EncodedKey, Protection};
use crate::name::FileBase;
use crate::store::{ChangeSet, StoreError, layout};

/// Which key of a PKI is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyName {
    /// private/ca.key.
    Authority,
    /// private/NAME.key.
    Of(FileBase),
}

impl Authority {
    /// Encrypts a key anew; a wrong old passphrase leaves the file as it is.
    ///
    /// # Errors
    /// [`PkiError::NoKey`]; what unlocking and encrypting the key, and the store, answer.
    pub fn set_pass(
        &self,
        key: &KeyName,
        protection: impl FnOnce() -> Result<Protection, String>,
        context: &mut Context<'_>,
    ) -> Result<PathBuf, PkiError> {
        let path = match key {
            KeyName::Authority => layout::authority_key(),
            KeyName::Of(name) => layout::private_key(name),
        };
        let full_path = self.store.full_path(&path);
        if let (KeyName::Authority, KeyPlace::Token(uri)) = (key, self.key_place()?) {
            return Err(PkiError::KeyInToken { uri: uri.to_string() });
        }
        let unlocked = self.unlocked_key(&path, context)?;
        let protection =
            protection().map_err(|reason| PkiError::NoPassphrase { path: full_path.clone(), reason })?;
        let text = unlocked.to_pem(&protection, context.random)?;
        let locked = self.store.lock(&self.settings.lock)?;
        let mut changes = ChangeSet::default();
        changes.replace_secret_text(path.clone(), &text);
        self.log(&[about_file(Action::SetPass, &path, context.now)], &mut changes)?;
        locked.commit(changes)?;
        Ok(full_path)
    }
}

/// [`Authority::set_pass`] for a key file anywhere.
///
/// # Errors
/// [`PkiError::NoKey`]; what unlocking and encrypting the key answer; [`PkiError::Store`] if the file cannot be written.
pub fn set_pass_of_file(
    path: &Path,
    protection: impl FnOnce() -> Result<Protection, String>,
    context: &mut Context<'_>,
) -> Result<(), PkiError> {
    let missing = |_| PkiError::NoKey { missing: path.to_path_buf() };
    let text = std::fs::read(path).map(Zeroizing::new).map_err(missing)?;
    let on_failure = |cause| PkiError::Key { path: path.to_path_buf(), cause };
    let no_passphrase = |reason| PkiError::NoPassphrase { path: path.to_path_buf(), reason };
    let encoded = EncodedKey::from_pem(&text).map_err(on_failure)?;
    let passphrase = match encoded {
        EncodedKey::Plain(_) => None,
        EncodedKey::Encrypted(_) => {
            Some((context.passphrases)(LockedKey::File(path)).map_err(no_passphrase)?)
        }
    };
    let key = encoded.unlock(passphrase.as_ref()).map_err(on_failure)?;
    let text = key.to_pem(&protection().map_err(no_passphrase)?, context.random)?;
    replace_file(path, text.as_bytes())
        .map_err(|cause| StoreError::io("write", path.to_path_buf(), cause).into())
}

/// Writes beside the file and renames, so that a crash leaves the old or the new key.
fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".postern-new");
    let beside = path.with_file_name(name);
    let written =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()?;
            std::fs::rename(&beside, path)
        });
    if written.is_err() {
        // The failure itself is what matters; a half-written file must not stay.
        let _ = std::fs::remove_file(&beside);
    }
    written?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}
