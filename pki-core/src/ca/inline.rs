//! easy-rsa's inline files, made from what lies in the directory.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::self_sign::SelfSign;
use super::{Authority, Warning};
use crate::bundle::inline::{InlineParts, InlineText, TlsKey};
use crate::cert::Certificate;
use crate::cert::profile::SelfSigned;
use crate::error::PkiError;
use crate::name::FileBase;
use crate::store::{ChangeSet, FileMode, Store, layout};

/// A new inline file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlineFile {
    /// Where it lies.
    pub file: PathBuf,
    /// What it lacks, if anything.
    pub warnings: Vec<Warning>,
}

impl Authority {
    /// Makes the inline file of issued/NAME.crt anew.
    ///
    /// # Errors
    /// [`PkiError::NoCertificate`], [`PkiError::Certificate`]; what the store answers.
    pub fn inline(&self, name: &FileBase) -> Result<InlineFile, PkiError> {
        let locked = self.store.lock(&self.settings.lock)?;
        let certificate = self.issued_certificate(name)?;
        let inline = self.inline_text(name, &certificate, None)?;
        let mut changes = ChangeSet::default();
        let (file, warnings) = add_inline(&self.store, &mut changes, name, &inline)?;
        locked.commit(changes)?;
        Ok(InlineFile { file, warnings })
    }

    /// `key` is the text of the key file, if that is only being made.
    pub(super) fn inline_text(
        &self,
        name: &FileBase,
        certificate: &Certificate,
        key: Option<&str>,
    ) -> Result<InlineText, PkiError> {
        let stored = match key {
            Some(_) => None,
            None => self.secret_text(&layout::private_key(name))?,
        };
        let authorities = self.authorities()?;
        let dh_parameters = self.text(&layout::dh_parameters())?;
        let tls_key = self.secret_text(&layout::tls_key())?;
        let parts = InlineParts {
            certificate,
            key: key.or(stored.as_ref().map(|text| text.as_str())),
            authorities: &authorities,
            fingerprints: None,
            dh_parameters: dh_parameters.as_deref(),
            tls_key: tls_key.as_ref().and_then(|text| tls_key_of(text)),
        };
        Ok(parts.to_text())
    }

    /// The other end's fingerprints take the place of an authority.
    pub(super) fn self_signed_inline(
        &self,
        request: &SelfSign,
        certificate: &Certificate,
        key: &str,
    ) -> Result<InlineText, PkiError> {
        let others = match request.end {
            SelfSigned::Server => "client",
            SelfSigned::Client => "server",
        };
        let fingerprints = self.text(&layout::peer_fingerprints(others))?;
        let tls_key = self.secret_text(&layout::tls_key())?;
        let parts = InlineParts {
            certificate,
            key: Some(key),
            authorities: "",
            fingerprints: fingerprints.as_deref().or(Some("# No fingerprint of the other end yet.\n")),
            dh_parameters: None,
            tls_key: tls_key.as_ref().and_then(|text| tls_key_of(text)),
        };
        Ok(parts.to_text())
    }

    /// ca.crt and external-ca.list, re-encoded.
    fn authorities(&self) -> Result<String, PkiError> {
        let mut authorities = String::new();
        for path in [layout::authority_certificate(), layout::external_authorities()] {
            let Some(text) = self.store.read(&path)? else { continue };
            for certificate in Certificate::all_from_pem(&text)
                .map_err(|cause| PkiError::Certificate { path: self.store.full_path(&path), cause })?
            {
                authorities.push_str(&certificate.to_pem());
            }
        }
        Ok(authorities)
    }

    fn text(&self, path: &crate::store::PkiPath) -> Result<Option<String>, PkiError> {
        let octets = self.store.read(path)?;
        Ok(octets.map(|octets| String::from_utf8_lossy(&octets).into_owned()))
    }

    fn secret_text(&self, path: &crate::store::PkiPath) -> Result<Option<Zeroizing<String>>, PkiError> {
        let octets = self.store.read(path)?.map(Zeroizing::new);
        Ok(octets
            .and_then(|octets| std::str::from_utf8(&octets).ok().map(|text| Zeroizing::new(text.to_owned()))))
    }
}

/// Puts the file where easy-rsa looks for it; one at the other place is out of date.
pub(super) fn add_inline(
    store: &Store,
    changes: &mut ChangeSet,
    name: &FileBase,
    inline: &InlineText,
) -> Result<(PathBuf, Vec<Warning>), PkiError> {
    let (secret, public) = (layout::private_inline(name), layout::public_inline(name));
    layout::inline_directories().into_iter().for_each(|directory| changes.directory(directory));
    let (here, elsewhere) = if inline.is_secret { (secret, public) } else { (public, secret) };
    if store.exists(&elsewhere)? {
        changes.remove(elsewhere);
    }
    if inline.is_secret {
        changes.replace_secret_text(here.clone(), &inline.text);
    } else {
        changes.replace(here.clone(), FileMode::Private, inline.text.as_bytes());
    }
    let file = store.full_path(&here);
    let lacks = Warning::IncompleteInline { path: file.clone(), missing: inline.missing.clone() };
    Ok((file, if inline.missing.is_empty() { Vec::new() } else { vec![lacks] }))
}

/// The kind stands in a comment that easy-rsa writes in front of the key.
fn tls_key_of(text: &str) -> Option<TlsKey<'_>> {
    let key = &text[text.find("-----BEGIN OpenVPN Static key V1-----")?..];
    Some(TlsKey { is_crypt: text.contains("TLS-CRYPT"), text: key })
}
