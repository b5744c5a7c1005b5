//! `self-sign-server` and `self-sign-client`: peers that know each other by fingerprints, without an authority.

use std::path::PathBuf;

use super::issuing::{CertificateForm, SerialNumbers, certificate_text, draw_serial};
use super::{Authority, Context, Warning};
use crate::bundle::inline::fingerprint;
use crate::cert::build::{Fields, Validity};
use crate::cert::profile::SelfSigned;
use crate::cert::terms::Terms;
use crate::cert::{Certificate, CertificateKind, Customisation};
use crate::dn::Subject;
use crate::error::PkiError;
use crate::key::{Digest, KeyAlgorithm, Protection, SigningKey, generate};
use crate::name::FileBase;
use crate::store::{ChangeSet, FileMode, layout};

/// A request for a self-signed certificate with a new key.
pub struct SelfSign {
    /// Which end of TLS it is for.
    pub end: SelfSigned,
    /// Name of the files.
    pub name: FileBase,
    /// Whom the certificate names.
    pub subject: Subject,
    /// Kind of key.
    pub algorithm: KeyAlgorithm,
    /// Digest of the signature; by default what the profile says.
    pub digest: Option<Digest>,
    /// Protection of the key file.
    pub protection: Protection,
    /// When it is valid.
    pub validity: Validity,
    /// Extensions beyond those of the kind.
    pub customisation: Customisation,
    /// How the files look.
    pub form: CertificateForm,
}

/// A self-signed certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfSignedFiles {
    /// issued/NAME.crt.
    pub certificate: PathBuf,
    /// private/NAME.key.
    pub key: PathBuf,
    /// The list that its fingerprint was added to, for the other end.
    pub fingerprints: PathBuf,
    /// What should not stay as it is.
    pub warnings: Vec<Warning>,
}

impl Authority {
    /// Refuses in a PKI with an authority, and if a key or certificate of this name exists.
    ///
    /// # Errors
    /// [`PkiError::AuthorityExists`], [`PkiError::NameTaken`].
    pub fn require_self_signable(&self, name: &FileBase) -> Result<(), PkiError> {
        for path in [layout::authority_certificate(), layout::authority_key(), layout::authority_token()] {
            if self.store.exists(&path)? {
                return Err(PkiError::AuthorityExists { found: self.store.full_path(&path) });
            }
        }
        for path in [layout::private_key(name), layout::certificate(name)] {
            if self.store.exists(&path)? {
                return Err(PkiError::NameTaken { found: self.store.full_path(&path) });
            }
        }
        Ok(())
    }

    /// Makes a key and a certificate that signs itself, and adds its fingerprint to the list for the other end.
    ///
    /// # Errors
    /// What [`Self::require_self_signable`] answers; what key generation, signing and the store answer.
    pub fn self_sign(
        &self,
        request: &SelfSign,
        context: &mut Context<'_>,
    ) -> Result<SelfSignedFiles, PkiError> {
        self.require_self_signable(&request.name)?;
        let key = generate(request.algorithm, context.random)?;
        let key_text = key.to_pem(&request.protection, context.random)?;
        let serial = draw_serial(SerialNumbers::Random159, context.random)?;
        let subject = request.subject.to_der();
        let terms = Terms {
            profile: self.settings.profile,
            kind: CertificateKind::SelfSigned(request.end),
            names: None,
            customisation: &request.customisation,
            public_key_info: key.public_key_info(),
        };
        let fields = Fields {
            serial: &serial,
            issuer: &subject,
            subject: &subject,
            validity: request.validity,
            public_key_info: key.public_key_info(),
            extensions: &terms.self_signed(&subject, &serial)?.extensions,
        };
        let digest = self.settings.profile.digest(request.digest, key.algorithm());
        let certificate = fields.sign(&SigningKey::new(&key, digest)?)?;

        let locked = self.store.lock(&self.settings.lock)?;
        self.require_self_signable(&request.name)?;
        let mut changes = ChangeSet::default();
        let list = layout::peer_fingerprints(end_name(request.end));
        layout::inline_directories().into_iter().for_each(|directory| changes.directory(directory));
        changes.directory(layout::issued_directory());
        changes.replace(
            layout::peer_fingerprint_mode(),
            FileMode::Private,
            "self-signed certificates, no authority\n",
        );
        changes.replace(list.clone(), FileMode::Private, self.longer_list(&list, &certificate)?);
        changes.create_secret(layout::private_key(&request.name), &key_text);
        let text = certificate_text(&certificate, request.form);
        changes.create(layout::certificate(&request.name), FileMode::Private, text);
        let inline = self.self_signed_inline(request, &certificate, &key_text)?;
        let (_, warnings) = super::inline::add_inline(&self.store, &mut changes, &request.name, &inline)?;
        self.record_issued(std::slice::from_ref(&certificate), context.now, &mut changes)?;
        locked.commit(changes)?;
        Ok(SelfSignedFiles {
            certificate: self.store.full_path(&layout::certificate(&request.name)),
            key: self.store.full_path(&layout::private_key(&request.name)),
            fingerprints: self.store.full_path(&list),
            warnings,
        })
    }

    /// The list with one more fingerprint inside its block.
    fn longer_list(
        &self,
        path: &crate::store::PkiPath,
        certificate: &Certificate,
    ) -> Result<String, PkiError> {
        let existing = self.store.read(path)?.unwrap_or_default();
        let existing = String::from_utf8_lossy(&existing).into_owned();
        let entries: String =
            existing.lines().filter(|line| !line.starts_with('<')).map(|line| format!("{line}\n")).collect();
        let name = certificate.common_name().unwrap_or_default();
        let added = format!("# {name}\n{}\n", fingerprint(certificate));
        Ok(format!("<peer-fingerprint>\n{entries}{added}</peer-fingerprint>\n"))
    }
}

fn end_name(end: SelfSigned) -> &'static str {
    match end {
        SelfSigned::Server => "server",
        SelfSigned::Client => "client",
    }
}
