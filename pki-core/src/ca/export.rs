//! `export-p12`, `export-p7`, `export-p8`, `export-p1`: certificates and keys in other containers.

use std::path::PathBuf;

use super::audit::about_file;
use super::{Authority, Context, LockedKey, key_error, read_key};
use crate::audit::Action;
use crate::bundle::pkcs12::{self, Compatibility};
use crate::bundle::{BundleError, pkcs7};
use crate::cert::Certificate;
use crate::error::PkiError;
use crate::key::{EncodedKey, KeyAlgorithm, PrivateKey, Protection};
use crate::name::FileBase;
use crate::pem;
use crate::secret::Passphrase;
use crate::store::{ChangeSet, FileMode, PkiPath, layout};

/// A request for private/NAME.p12.
pub struct Pkcs12Export {
    /// Name of the files.
    pub name: FileBase,
    /// The name that importers show.
    pub friendly_name: Option<String>,
    /// Protection of the container; `None` is the empty passphrase.
    pub passphrase: Option<Passphrase>,
    /// Whether the authority is in it.
    pub with_authority: bool,
    /// Whether the key is in it.
    pub with_key: bool,
    /// Which programs can import it.
    pub compatibility: Compatibility,
}

/// Files that an export has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedFiles {
    /// The container.
    pub file: PathBuf,
    /// The same for use inside an OpenVPN configuration, if there is such a form.
    pub inline: Option<PathBuf>,
}

impl Authority {
    /// Writes private/NAME.p12, and the same in base64 as inline/private/NAME.p12-inline.
    ///
    /// # Errors
    /// [`PkiError::NoCertificate`], [`PkiError::NoKey`], [`PkiError::Bundle`]; what unlocking the key and the store
    /// answer.
    pub fn export_p12(
        &self,
        request: &Pkcs12Export,
        context: &mut Context<'_>,
    ) -> Result<ExportedFiles, PkiError> {
        let certificate = self.issued_certificate(&request.name)?;
        let authorities = if request.with_authority { self.reader().authority()? } else { Vec::new() };
        let key = if request.with_key { Some(self.unlocked(&request.name, context)?) } else { None };
        let chain: Vec<&Certificate> = std::iter::once(&certificate).chain(&authorities).collect();
        let contents = pkcs12::Contents {
            friendly_name: request.friendly_name.as_deref(),
            key: key.as_ref(),
            chain: &chain,
        };
        let container = pkcs12::write(&contents, request.passphrase.as_ref(), request.compatibility)?;
        let armoured = pem::armour_secret("X", container.expose());
        let body: Vec<&str> = armoured.lines().filter(|line| !line.starts_with('-')).collect();
        let inline = zeroize::Zeroizing::new(format!("<pkcs12>\n{}\n</pkcs12>\n", body.join("\n")));

        let locked = self.store.lock(&self.settings.lock)?;
        let (path, inline_path) = (layout::pkcs12(&request.name), layout::pkcs12_inline(&request.name));
        let mut changes = ChangeSet::default();
        layout::inline_directories().into_iter().for_each(|directory| changes.directory(directory));
        changes.replace_secret(path.clone(), zeroize::Zeroizing::new(container.expose().to_vec()));
        changes.replace_secret_text(inline_path.clone(), &inline);
        if request.with_key {
            self.log(&[about_file(Action::ExportKey, &path, context.now)], &mut changes)?;
        }
        locked.commit(changes)?;
        Ok(ExportedFiles {
            file: self.store.full_path(&path),
            inline: Some(self.store.full_path(&inline_path)),
        })
    }

    /// Writes issued/NAME.p7b.
    ///
    /// # Errors
    /// [`PkiError::NoCertificate`], [`PkiError::NoAuthority`]; what the store answers.
    pub fn export_p7(&self, name: &FileBase, with_authority: bool) -> Result<ExportedFiles, PkiError> {
        let certificate = self.issued_certificate(name)?;
        let authorities = if with_authority { self.reader().authority()? } else { Vec::new() };
        let all: Vec<&Certificate> = std::iter::once(&certificate).chain(&authorities).collect();
        let mut changes = ChangeSet::default();
        let path = layout::pkcs7(name);
        changes.replace(path.clone(), FileMode::Private, pkcs7::certificates_only(&all));
        self.store.lock(&self.settings.lock)?.commit(changes)?;
        Ok(ExportedFiles { file: self.store.full_path(&path), inline: None })
    }

    /// Writes private/NAME.p8.
    ///
    /// # Errors
    /// [`PkiError::NoKey`]; what unlocking and encrypting the key, and the store, answer.
    pub fn export_p8(
        &self,
        name: &FileBase,
        protection: &Protection,
        context: &mut Context<'_>,
    ) -> Result<ExportedFiles, PkiError> {
        let key = self.unlocked(name, context)?;
        let text = key.to_pem(protection, context.random)?;
        let mut changes = ChangeSet::default();
        let path = layout::pkcs8(name);
        changes.replace_secret_text(path.clone(), &text);
        self.exported_key(changes, &path, context)
    }

    /// Writes private/NAME.p1, without encryption: PKCS#1 has none that protects.
    ///
    /// # Errors
    /// [`PkiError::NoKey`], [`PkiError::Bundle`] for a key that is not RSA; what unlocking the key and the store answer.
    pub fn export_p1(&self, name: &FileBase, context: &mut Context<'_>) -> Result<ExportedFiles, PkiError> {
        let key = self.unlocked(name, context)?;
        let KeyAlgorithm::Rsa { .. } = key.algorithm() else {
            return Err(BundleError::NotRsa.into());
        };
        let mut changes = ChangeSet::default();
        let path = layout::pkcs1(name);
        changes.replace_secret_text(path.clone(), &pem::armour_secret("RSA PRIVATE KEY", key.pkcs1_der()?));
        self.exported_key(changes, &path, context)
    }

    /// The key in private/NAME.key, asking for its passphrase if it has one.
    pub(super) fn unlocked(
        &self,
        name: &FileBase,
        context: &mut Context<'_>,
    ) -> Result<PrivateKey, PkiError> {
        self.unlocked_key(&layout::private_key(name), context)
    }

    pub(super) fn unlocked_key(
        &self,
        path: &PkiPath,
        context: &mut Context<'_>,
    ) -> Result<PrivateKey, PkiError> {
        let (encoded, _) = read_key(&self.store, path, |missing| PkiError::NoKey { missing })?;
        let full_path = self.store.full_path(path);
        let passphrase = match encoded {
            EncodedKey::Plain(_) => None,
            EncodedKey::Encrypted(_) => Some(
                (context.passphrases)(LockedKey::File(&full_path))
                    .map_err(|reason| PkiError::NoPassphrase { path: full_path, reason })?,
            ),
        };
        encoded.unlock(passphrase.as_ref()).map_err(key_error(&self.store, path))
    }

    fn exported_key(
        &self,
        mut changes: ChangeSet,
        path: &PkiPath,
        context: &Context<'_>,
    ) -> Result<ExportedFiles, PkiError> {
        let locked = self.store.lock(&self.settings.lock)?;
        self.log(&[about_file(Action::ExportKey, path, context.now)], &mut changes)?;
        locked.commit(changes)?;
        Ok(ExportedFiles { file: self.store.full_path(path), inline: None })
    }
}
