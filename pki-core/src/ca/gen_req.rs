//! `gen-req` and `import-req`: keys and requests, with or without an authority in the same directory.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::audit::about_file;
use super::{Authority, Context};
use crate::audit::Action;
use crate::cert::csr::Request;
use crate::cert::dump;
use crate::cert::extension::Extension;
use crate::cert::{Customisation, Profile, SubjectAltName};
use crate::dn::Subject;
use crate::error::PkiError;
use crate::key::{Digest, KeyAlgorithm, PrivateKey, Protection, SigningKey, generate};
use crate::name::FileBase;
use crate::random::RandomSource;
use crate::store::{ChangeSet, FileMode, layout};
use crate::time::Timestamp;

/// A request for a key and a certificate request.
pub struct GenReq {
    /// Name of the files.
    pub name: FileBase,
    /// Whom the certificate shall name.
    pub subject: Subject,
    /// Further names to ask for.
    pub names: Option<SubjectAltName>,
    /// Kind of key.
    pub algorithm: KeyAlgorithm,
    /// Digest of the signature; by default what the profile says.
    pub digest: Option<Digest>,
    /// Protection of the key file.
    pub protection: Protection,
    /// Only the extra extensions count: they are asked for.
    pub customisation: Customisation,
    /// Whether OpenSSL's text stands in front of the request.
    pub text: bool,
    /// Whether an existing request and key of this name go.
    pub overwrite: bool,
}

/// A key and a request for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedRequest {
    /// reqs/NAME.req.
    pub request: PathBuf,
    /// private/NAME.key.
    pub key: PathBuf,
}

/// A new key and what its request says.
pub(super) struct NewKey<'a> {
    pub(super) algorithm: KeyAlgorithm,
    pub(super) digest: Option<Digest>,
    pub(super) protection: &'a Protection,
    /// DER of the subject's name.
    pub(super) subject: &'a [u8],
    pub(super) extensions: &'a [Extension],
}

/// Everything about a new key that needs neither the lock nor the authority.
pub(super) struct Prepared {
    pub(super) key: PrivateKey,
    pub(super) key_text: Zeroizing<String>,
    pub(super) request: Request,
}

impl Prepared {
    pub(super) fn new(
        new: &NewKey<'_>,
        profile: Profile,
        random: &mut dyn RandomSource,
    ) -> Result<Self, PkiError> {
        let key = generate(new.algorithm, random)?;
        let key_text = key.to_pem(new.protection, random)?;
        let digest = profile.digest(new.digest, key.algorithm());
        let request = Request::sign(new.subject, new.extensions, &SigningKey::new(&key, digest)?)?;
        Ok(Self { key, key_text, request })
    }
}

impl Authority {
    /// The request or key of this name that stands in the way of a new one.
    ///
    /// # Errors
    /// [`PkiError::Store`].
    pub fn existing_request(&self, name: &FileBase) -> Result<Option<PathBuf>, PkiError> {
        for path in [layout::request(name), layout::private_key(name)] {
            if self.store.exists(&path)? {
                return Ok(Some(self.store.full_path(&path)));
            }
        }
        Ok(None)
    }

    /// Makes a key and a request for a certificate, which any authority can sign.
    ///
    /// # Errors
    /// [`PkiError::NameTaken`]; what key generation, signing and the store answer.
    pub fn gen_req(&self, request: &GenReq, context: &mut Context<'_>) -> Result<GeneratedRequest, PkiError> {
        let subject = request.subject.to_der();
        let new_key = NewKey {
            algorithm: request.algorithm,
            digest: request.digest,
            protection: &request.protection,
            subject: &subject,
            extensions: &requested_extensions(request)?,
        };
        let prepared = Prepared::new(&new_key, self.settings.profile, context.random)?;
        let dump =
            if request.text { dump::request(&prepared.request, dump::Extent::Full) } else { String::new() };

        let locked = self.store.lock(&self.settings.lock)?;
        if let (Some(found), false) = (self.existing_request(&request.name)?, request.overwrite) {
            return Err(PkiError::NameTaken { found });
        }
        let (request_path, key_path) = (layout::request(&request.name), layout::private_key(&request.name));
        let mut changes = ChangeSet::default();
        changes.replace(request_path.clone(), FileMode::Private, dump + &prepared.request.to_pem());
        changes.replace_secret_text(key_path.clone(), &prepared.key_text);
        locked.commit(changes)?;
        Ok(GeneratedRequest {
            request: self.store.full_path(&request_path),
            key: self.store.full_path(&key_path),
        })
    }

    /// Takes a request over that somebody else made, as reqs/NAME.req; its signature is checked when it is signed.
    ///
    /// # Errors
    /// [`PkiError::Certificate`] if the file holds no request; [`PkiError::NameTaken`].
    pub fn import_req(&self, name: &FileBase, file: &[u8], now: Timestamp) -> Result<PathBuf, PkiError> {
        let path = layout::request(name);
        let full_path = self.store.full_path(&path);
        let request = Request::from_file(file)?;
        let locked = self.store.lock(&self.settings.lock)?;
        if self.store.exists(&path)? {
            return Err(PkiError::NameTaken { found: full_path });
        }
        let mut changes = ChangeSet::default();
        changes.create(path.clone(), FileMode::Private, request.to_pem());
        self.log(&[about_file(Action::Import, &path, now)], &mut changes)?;
        locked.commit(changes)?;
        Ok(full_path)
    }

    /// The request in reqs/NAME.req.
    ///
    /// # Errors
    /// [`PkiError::NoRequest`], [`PkiError::Certificate`].
    pub fn request(&self, name: &FileBase) -> Result<Request, PkiError> {
        let path = layout::request(name);
        let full_path = self.store.full_path(&path);
        let Some(text) = self.store.read(&path)? else {
            return Err(PkiError::NoRequest { missing: full_path });
        };
        Request::from_file(&text).map_err(|cause| PkiError::Certificate { path: full_path, cause })
    }
}

fn requested_extensions(request: &GenReq) -> Result<Vec<Extension>, PkiError> {
    let mut extensions: Vec<Extension> = request.names.iter().map(SubjectAltName::to_extension).collect();
    if let Some(extra) = &request.customisation.extra {
        extensions.extend(extra.resolve_for_request()?);
    }
    if request.customisation.critical.names {
        extensions.iter_mut().for_each(|extension| extension.mark_names_critical());
    }
    Ok(extensions)
}
