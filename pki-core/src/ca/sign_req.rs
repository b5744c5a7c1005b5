//! `sign-req`: a certificate for a request that is there already.

use super::issue::Issued;
use super::issuing::{CertificateForm, Order, SerialNumbers};
use super::{Authority, Context};
use crate::cert::build::Validity;
use crate::cert::csr::Request;
use crate::cert::{CertificateKind, Customisation, SubjectAltName};
use crate::dn;
use crate::error::PkiError;
use crate::key::Digest;
use crate::name::{CommonName, FileBase};
use crate::store::{ChangeSet, FileMode, PkiPath, layout};

/// A request to sign reqs/NAME.req.
pub struct SignReq {
    /// What the certificate is for.
    pub kind: CertificateKind,
    /// Name of the files.
    pub name: FileBase,
    /// Whom it names.
    pub subject: SubjectChoice,
    /// Further names; without any, and if the customisation says so, those that the request asks for.
    pub names: Option<SubjectAltName>,
    /// Digest of the signature; by default what the profile says.
    pub digest: Option<Digest>,
    /// When it is valid.
    pub validity: Validity,
    /// How it is numbered.
    pub serial_numbers: SerialNumbers,
    /// Extensions beyond those of the kind.
    pub customisation: Customisation,
    /// How the files look.
    pub form: CertificateForm,
}

/// Where the subject of a signed request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectChoice {
    /// The request's, with the fields of easy-rsa's CA policy in its order; others are dropped.
    ByPolicy,
    /// The request's as it is: `preserve`.
    Preserved,
    /// Another one, `/CN=name/O=organisation`, by policy or as it is.
    Replaced {
        /// The name in OpenSSL's notation.
        text: String,
        /// Whether the order of its fields stays.
        preserve: bool,
    },
}

impl SubjectChoice {
    /// DER of the subject of a certificate for `request`.
    ///
    /// # Errors
    /// [`PkiError::Name`] if the name has no acceptable common name or is not understood.
    pub fn resolve(&self, request: &Request) -> Result<Vec<u8>, PkiError> {
        let subject = match self {
            Self::ByPolicy => dn::by_policy(request.subject_der())?,
            Self::Preserved => request.subject_der().to_vec(),
            Self::Replaced { text, preserve: true } => dn::from_slashes(text)?,
            Self::Replaced { text, preserve: false } => dn::by_policy(&dn::from_slashes(text)?)?,
        };
        CommonName::parse(&dn::common_name(&subject).unwrap_or_default())?;
        Ok(subject)
    }
}

impl Authority {
    /// The request of this name, verified, if it could be signed.
    ///
    /// # Errors
    /// [`PkiError::NoAuthority`], [`PkiError::NoRequest`], [`PkiError::NameTaken`]; [`PkiError::Certificate`] for a
    /// request whose signature is wrong.
    pub fn signable(&self, name: &FileBase) -> Result<Request, PkiError> {
        self.require_authority()?;
        let request = self.request(name)?;
        let path = layout::certificate(name);
        if self.is_taken(&path)? {
            return Err(PkiError::NameTaken { found: self.store.full_path(&path) });
        }
        request.verify().map_err(|cause| PkiError::Certificate {
            path: self.store.full_path(&layout::request(name)),
            cause,
        })?;
        Ok(request)
    }

    /// Whether a file is there and holds anything: a request that easy-rsa could not sign leaves an empty certificate.
    fn is_taken(&self, path: &PkiPath) -> Result<bool, PkiError> {
        let is_empty = self.store.read_range(path, 0, 1)?.is_some_and(|octets| octets.is_empty());
        Ok(self.store.exists(path)? && !is_empty)
    }

    /// Makes a certificate for a request.
    ///
    /// # Errors
    /// What [`Self::signable`] answers; [`PkiError::SubjectTaken`], [`PkiError::ClockSetBack`]; what unlocking the CA
    /// key, signing and the store answer.
    pub fn sign_req(&self, sign: &SignReq, context: &mut Context<'_>) -> Result<Issued, PkiError> {
        self.signable(&sign.name)?;
        let signing = self.unlock(sign.digest, context)?;

        let locked = self.store.lock(&self.settings.lock)?;
        let request = self.signable(&sign.name)?;
        let subject = sign.subject.resolve(&request)?;
        self.require_free_subject(&subject)?;
        let serial = self.next_serial(sign.serial_numbers, context.random)?;
        let order = Order {
            kind: sign.kind,
            names: sign.names.as_ref(),
            customisation: &sign.customisation,
            requested: request.extensions(),
            subject: &subject,
            public_key_info: request.public_key_info(),
            validity: sign.validity,
            serial: &serial,
        };
        let (certificate, refused) = self.sign_order(&order, &signing)?;
        let mut changes = ChangeSet::default();
        self.add_next_serial(&certificate, &mut changes);
        let text = self.add_certificate(&certificate, sign.form, &mut changes);
        changes.replace(layout::certificate(&sign.name), FileMode::Private, text);
        let incomplete = self.add_inline(&sign.name, &certificate, None, sign.form, &mut changes)?;
        self.record_issued(std::slice::from_ref(&certificate), context.now, &mut changes)?;
        locked.commit(changes)?;
        let mut issued = self.described(&sign.name, &certificate, &signing);
        issued.warnings.extend(refused.into_iter().chain(incomplete));
        Ok(issued)
    }
}
