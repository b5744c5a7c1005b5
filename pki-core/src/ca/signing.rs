//! What every signing operation starts with: the authority's certificate, its unlocked key, and a look at the clock.

use super::{
    Authority, Context, ExposedKeys, KeyPlace, LockedKey, Warning, key_error, read_certificates, read_key,
};
use crate::cert::Certificate;
use crate::crl::published::this_update_of_prefix;
use crate::error::PkiError;
use crate::key::{CaSigner, Digest, EncodedKey, KeyError, SigningKey};
use crate::pem;
use crate::store::layout;
use crate::time::Timestamp;

/// The authority ready to sign.
pub(super) struct Signing {
    pub(super) certificate: Certificate,
    pub(super) key: Box<dyn CaSigner>,
    pub(super) warnings: Vec<Warning>,
}

impl Authority {
    /// Unlocks the CA key, asking for its passphrase or PIN if it has one, and refuses a clock that has been set back.
    pub(super) fn unlock(
        &self,
        digest: Option<Digest>,
        context: &mut Context<'_>,
    ) -> Result<Signing, PkiError> {
        self.require_authority()?;
        let certificate = self.authority_certificate()?;
        self.check_clock(&certificate, context.now)?;
        let place = self.key_place()?;
        let (key, warnings): (Box<dyn CaSigner>, _) = match &place {
            KeyPlace::File(_) => {
                let (key, warnings) = self.unlock_file(digest, context)?;
                (Box::new(key), warnings)
            }
            KeyPlace::Token(uri) => (Box::new(self.unlock_in_token(uri, digest, context)?), Vec::new()),
        };
        if key.public_key_info() != certificate.public_key_info() {
            return Err(PkiError::ForeignAuthorityKey { key: place.to_string().into() });
        }
        Ok(Signing { certificate, key, warnings })
    }

    fn unlock_file(
        &self,
        digest: Option<Digest>,
        context: &mut Context<'_>,
    ) -> Result<(SigningKey, Vec<Warning>), PkiError> {
        let path = layout::authority_key();
        let on_failure = key_error(&self.store, &path);
        let missing = |missing| PkiError::NoAuthority { missing };
        let (encoded, exposed_mode) = read_key(&self.store, &path, missing)?;
        let mut warnings = self.exposure_warning(exposed_mode)?;
        let full_path = self.store.full_path(&path);
        let key = match encoded {
            EncodedKey::Plain(key) => key,
            EncodedKey::Encrypted(locked) => {
                warnings.extend(
                    locked
                        .weakness()
                        .map(|weakness| Warning::WeakEncryption { path: full_path.clone(), weakness }),
                );
                let passphrase = (context.passphrases)(LockedKey::File(&full_path))
                    .map_err(|reason| PkiError::NoPassphrase { path: full_path.clone(), reason })?;
                locked.unlock(&passphrase).map_err(&on_failure)?
            }
        };
        let digest = self.settings.profile.digest(digest, key.algorithm());
        Ok((SigningKey::new(&key, digest).map_err(on_failure)?, warnings))
    }

    /// ca.crt may hold further certificates below the authority's own; the first one counts.
    pub(super) fn authority_certificate(&self) -> Result<Certificate, PkiError> {
        let path = layout::authority_certificate();
        let found = read_certificates(&self.store, &path, |missing| PkiError::NoAuthority { missing })?;
        let wrong = |cause| PkiError::Certificate { path: self.store.full_path(&path), cause };
        let certificate = found
            .into_iter()
            .next()
            .ok_or_else(|| wrong(crate::cert::CertificateError::NoCertificateInside))?;
        if !certificate.is_ca() {
            return Err(wrong(crate::cert::CertificateError::NotAnAuthority));
        }
        Ok(certificate)
    }

    fn exposure_warning(&self, exposed_mode: Option<u32>) -> Result<Vec<Warning>, PkiError> {
        let path = layout::authority_key();
        match (exposed_mode, self.settings.exposed_keys) {
            (None, _) => Ok(Vec::new()),
            (Some(mode), ExposedKeys::Warn) => {
                Ok(vec![Warning::ExposedKey { path: self.store.full_path(&path), mode }])
            }
            (Some(mode), ExposedKeys::Refuse) => {
                Err(key_error(&self.store, &path)(KeyError::Exposed { mode }))
            }
        }
    }

    /// Threat model PKI-08: a clock that has been set back issues certificates and lists that nobody accepts, or that
    /// hide a newer list.
    fn check_clock(&self, certificate: &Certificate, now: Timestamp) -> Result<(), PkiError> {
        if self.settings.ignore_clock {
            return Ok(());
        }
        let made = [("ca.crt", Some(certificate.not_before())), ("crl.pem", self.last_list_time()?)];
        for (evidence, seen) in made {
            let Some(seen) = seen.filter(|seen| now < *seen) else {
                continue;
            };
            return Err(PkiError::ClockSetBack { now, seen, evidence });
        }
        Ok(())
    }

    /// thisUpdate of the published list, from the first few lines of the file: a list may be large.
    fn last_list_time(&self) -> Result<Option<Timestamp>, PkiError> {
        let Some(head) = self.store.read_range(&layout::revocation_list(), 0, LIST_HEAD)? else {
            return Ok(None);
        };
        Ok(pem::decode_head(&head, "X509 CRL").and_then(|der| this_update_of_prefix(&der)))
    }
}

/// Version, algorithm, issuer and thisUpdate fit well into this.
const LIST_HEAD: usize = 8192;
