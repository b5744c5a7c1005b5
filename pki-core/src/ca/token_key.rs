//! An authority whose key is in a token: finding or making the key, and building the authority on it.

use super::build_ca::Root;
use super::key_place::point_to_token;
use super::{Authority, BuiltCa, BuiltSubCa, Context, LockedKey};
use crate::cert::Customisation;
use crate::cert::build::Validity;
use crate::cert::csr::Request;
use crate::dn::Subject;
use crate::error::PkiError;
use crate::key::pkcs11::{Access, LockedToken, Pkcs11Uri, Token, TokenError, TokenSigner};
use crate::key::{Digest, KeyAlgorithm};
use crate::store::{ChangeSet, layout};

/// A key in a token, which is made if it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedTokenKey {
    /// Where it is.
    pub uri: Pkcs11Uri,
    /// Kind of key; by default that of the key that is there, or P-256.
    pub algorithm: Option<KeyAlgorithm>,
}

/// A request for a new authority with its key in a token.
pub struct BuildCaInToken {
    /// Its name.
    pub subject: Subject,
    /// Its key.
    pub key: WantedTokenKey,
    /// Digest of its signature; by default what the profile says.
    pub digest: Option<Digest>,
    /// Days of validity.
    pub days: u32,
    /// Extensions beyond those of every authority.
    pub customisation: Customisation,
}

/// A request for a new authority below another one, with its key in a token.
pub struct BuildSubCaInToken {
    /// Its name.
    pub subject: Subject,
    /// Its key.
    pub key: WantedTokenKey,
    /// Digest of the request's signature; by default what the profile says.
    pub digest: Option<Digest>,
}

/// A key that an operation is about to build on.
pub(super) struct AcquiredKey {
    pub(super) signer: TokenSigner,
    pub(super) is_new: bool,
}

impl AcquiredKey {
    /// Removes a key that was made for an operation that came to nothing.
    pub(super) fn conclude<T>(self, outcome: Result<T, PkiError>) -> Result<T, PkiError> {
        if outcome.is_err() && self.is_new {
            // Why the operation failed is what matters; a key that stays is used by the next attempt.
            let _ = self.signer.destroy_key();
        }
        outcome
    }
}

impl Authority {
    /// Makes the certificate of an authority whose key is in a token; a key of that name is used if it is there.
    ///
    /// # Errors
    /// [`PkiError::AuthorityExists`], [`PkiError::Token`], [`PkiError::NoPin`]; what signing and the store answer. A key
    /// that was made is removed then.
    pub fn build_ca_in_token(
        &self,
        request: &BuildCaInToken,
        context: &mut Context<'_>,
    ) -> Result<BuiltCa, PkiError> {
        self.require_no_authority()?;
        let validity = Validity::days_from(context.now, request.days)?;
        let key = self.acquire(&request.key, request.digest, context)?;
        let root =
            Root { subject: &request.subject.to_der(), validity, customisation: &request.customisation };
        let mut changes = ChangeSet::default();
        point_to_token(&request.key.uri, &mut changes);
        let built = self.build_root(&root, &key.signer, changes, context);
        let built = built.map(|built| BuiltCa {
            key: self.store.full_path(&layout::authority_token()),
            is_key_new: key.is_new,
            ..built
        });
        key.conclude(built)
    }

    /// Makes the request of an authority that stands below another one and whose key is in a token.
    ///
    /// # Errors
    /// As [`Self::build_ca_in_token`].
    pub fn build_subca_in_token(
        &self,
        request: &BuildSubCaInToken,
        context: &mut Context<'_>,
    ) -> Result<BuiltSubCa, PkiError> {
        self.require_no_authority()?;
        let key = self.acquire(&request.key, request.digest, context)?;
        let mut changes = ChangeSet::default();
        point_to_token(&request.key.uri, &mut changes);
        let signed = Request::sign(&request.subject.to_der(), &[], &key.signer).map_err(PkiError::from);
        let built = signed.and_then(|signed| self.write_subca(&signed, changes, context));
        let built =
            built.map(|built| BuiltSubCa { key: self.store.full_path(&layout::authority_token()), ..built });
        key.conclude(built)
    }

    /// The key that the URI names, found or made.
    pub(super) fn acquire(
        &self,
        wanted: &WantedTokenKey,
        digest: Option<Digest>,
        context: &mut Context<'_>,
    ) -> Result<AcquiredKey, PkiError> {
        let token = open(&wanted.uri, Access::Change, context)?;
        let found = token.find_key(&wanted.uri)?;
        let is_new = found.is_none();
        let key = match (found, wanted.algorithm) {
            (Some(key), Some(wanted)) if key.algorithm() != wanted => {
                return Err(TokenError::OtherAlgorithm { found: key.algorithm(), wanted }.into());
            }
            (Some(key), _) => key,
            (None, algorithm) => {
                let mut id = [0; GENERATED_ID];
                context.random.fill(&mut id)?;
                token.generate(&wanted.uri, algorithm.unwrap_or(KeyAlgorithm::P256), &id)?
            }
        };
        let digest = self.settings.profile.digest(digest, key.algorithm());
        Ok(AcquiredKey { signer: token.signer(key, digest), is_new })
    }

    /// The key that the URI names, which must be there.
    pub(super) fn unlock_in_token(
        &self,
        uri: &Pkcs11Uri,
        digest: Option<Digest>,
        context: &mut Context<'_>,
    ) -> Result<TokenSigner, PkiError> {
        let token = open(uri, Access::Use, context)?;
        let key = token.key(uri)?;
        let digest = self.settings.profile.digest(digest, key.algorithm());
        Ok(token.signer(key, digest))
    }
}

/// Finds the token and opens it, asking for the PIN if it wants one.
fn open(uri: &Pkcs11Uri, access: Access, context: &mut Context<'_>) -> Result<Token, PkiError> {
    let token = LockedToken::find(uri, access)?;
    let pin = if token.needs_pin() {
        let asked = LockedKey::Token { label: token.label(), pin_source: uri.pin_source() };
        let no_pin = |reason| PkiError::NoPin { token: token.label().to_owned(), reason };
        Some((context.passphrases)(asked).map_err(no_pin)?)
    } else {
        None
    };
    Ok(token.unlock(pin.as_ref())?)
}

/// Octets of the identifier that ties both halves of a new key together.
const GENERATED_ID: usize = 8;
