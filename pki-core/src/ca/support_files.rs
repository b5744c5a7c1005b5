//! Files beside certificates: Diffie-Hellman parameters, the TLS key, authorities of others.

use std::path::PathBuf;

use super::audit::about_file;
use super::{Authority, Context};
use crate::audit::Action;
use crate::bundle::static_key::{STATIC_KEY, parse_static_key, static_key_text};
use crate::bundle::{BundleError, dh_groups};
use crate::cert::Certificate;
use crate::error::PkiError;
use crate::store::{ChangeSet, FileMode, layout};
use crate::time::Timestamp;

/// How a static key wraps the control channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsKeyKind {
    /// Signs it: `tls-auth`.
    Auth,
    /// Encrypts it: `tls-crypt`.
    Crypt,
}

impl Authority {
    /// Where dh.pem lies, if there is one.
    ///
    /// # Errors
    /// [`PkiError::Store`].
    pub fn existing_dh(&self) -> Result<Option<PathBuf>, PkiError> {
        let path = layout::dh_parameters();
        Ok(self.store.exists(&path)?.then(|| self.store.full_path(&path)))
    }

    /// Writes the RFC 7919 group of this size as dh.pem, in the place of one that is there.
    ///
    /// # Errors
    /// [`PkiError::Bundle`] for a size without a group; what the store answers.
    pub fn gen_dh(&self, bits: u32) -> Result<PathBuf, PkiError> {
        let parameters = dh_groups::parameters_pem(bits)?;
        let locked = self.store.lock(&self.settings.lock)?;
        let mut changes = ChangeSet::default();
        changes.replace(layout::dh_parameters(), FileMode::Private, parameters);
        locked.commit(changes)?;
        Ok(self.store.full_path(&layout::dh_parameters()))
    }

    /// Makes private/easyrsa-tls.key, which is never made twice.
    ///
    /// # Errors
    /// [`PkiError::FileExists`], [`PkiError::Random`]; what the store answers.
    pub fn gen_tls_key(&self, kind: TlsKeyKind, context: &mut Context<'_>) -> Result<PathBuf, PkiError> {
        let mut octets = zeroize::Zeroizing::new([0; STATIC_KEY]);
        context.random.fill(&mut *octets)?;
        let head = match kind {
            TlsKeyKind::Auth => "# Easy-RSA TLS-AUTH Key\n",
            TlsKeyKind::Crypt => "# Easy-RSA TLS-CRYPT Key\n",
        };
        let comment = "#\n# 2048 bit OpenVPN static key\n#\n";
        let text = zeroize::Zeroizing::new([head, comment, &static_key_text(&octets)].concat());
        self.create_tls_key(&text, None)
    }

    /// Takes a static key over as private/easyrsa-tls.key.
    ///
    /// # Errors
    /// [`PkiError::Bundle`] if the file holds none; [`PkiError::FileExists`]; what the store answers.
    pub fn import_tls_key(&self, file: &[u8], now: Timestamp) -> Result<PathBuf, PkiError> {
        let text = std::str::from_utf8(file).map_err(|_| BundleError::NoStaticKey)?;
        parse_static_key(text).map_err(|_| BundleError::NoStaticKey)?;
        self.create_tls_key(text, Some(now))
    }

    fn create_tls_key(&self, text: &str, imported_at: Option<Timestamp>) -> Result<PathBuf, PkiError> {
        let path = layout::tls_key();
        let full_path = self.store.full_path(&path);
        let locked = self.store.lock(&self.settings.lock)?;
        if self.store.exists(&path)? {
            return Err(PkiError::FileExists { found: full_path });
        }
        let mut changes = ChangeSet::default();
        changes.create_secret(path.clone(), text);
        if let Some(now) = imported_at {
            self.log(&[about_file(Action::Import, &path, now)], &mut changes)?;
        }
        locked.commit(changes)?;
        Ok(full_path)
    }

    /// Adds the certificates of a file to inline/external-ca.list: peers shall trust them as well.
    ///
    /// # Errors
    /// [`PkiError::NewCertificate`] if the file holds none; what the store answers.
    pub fn import_ca(&self, file: &[u8], now: Timestamp) -> Result<PathBuf, PkiError> {
        let added: String = Certificate::all_from_pem(file)?.iter().map(Certificate::to_pem).collect();
        let path = layout::external_authorities();
        let locked = self.store.lock(&self.settings.lock)?;
        let mut content = self.store.read(&path)?.unwrap_or_default();
        content.extend_from_slice(added.as_bytes());
        let mut changes = ChangeSet::default();
        layout::inline_directories().into_iter().for_each(|directory| changes.directory(directory));
        changes.replace(path.clone(), FileMode::Private, content);
        self.log(&[about_file(Action::Import, &path, now)], &mut changes)?;
        locked.commit(changes)?;
        Ok(self.store.full_path(&path))
    }
}
