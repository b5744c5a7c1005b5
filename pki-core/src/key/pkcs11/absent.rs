//! The types of this module in a build without the feature `pkcs11`: there is never a value of them.

use std::convert::Infallible;

use super::{Access, Pkcs11Uri, TokenError};
use crate::key::{CaSigner, Digest, KeyAlgorithm, KeyError, SignatureAlgorithm};
use crate::secret::Passphrase;

/// A token that was found and not yet opened.
pub struct LockedToken(Infallible);

/// An open token.
pub struct Token(Infallible);

/// A key in a token.
pub struct TokenKey(Infallible);

/// A key in an open token, ready to sign with one digest.
pub struct TokenSigner(Infallible);

impl LockedToken {
    /// Refuses.
    ///
    /// # Errors
    /// [`TokenError::NotBuiltIn`], always.
    pub fn find(_: &Pkcs11Uri, _: Access) -> Result<Self, TokenError> {
        Err(TokenError::NotBuiltIn)
    }

    /// The label of the token.
    #[must_use]
    pub fn label(&self) -> &str {
        match self.0 {}
    }

    /// Whether a PIN has to be given.
    #[must_use]
    pub fn needs_pin(&self) -> bool {
        match self.0 {}
    }

    /// The public half of the key.
    ///
    /// # Errors
    /// None: there is no value to ask.
    pub fn public_key_info(&self, _: &Pkcs11Uri) -> Result<Option<Vec<u8>>, TokenError> {
        match self.0 {}
    }

    /// Opens the token.
    ///
    /// # Errors
    /// None: there is no value to open.
    pub fn unlock(self, _: Option<&Passphrase>) -> Result<Token, TokenError> {
        match self.0 {}
    }
}

impl Token {
    /// The key that the URI names.
    ///
    /// # Errors
    /// None: there is no value to ask.
    pub fn find_key(&self, _: &Pkcs11Uri) -> Result<Option<TokenKey>, TokenError> {
        match self.0 {}
    }

    /// The key that the URI names, which must be there.
    ///
    /// # Errors
    /// None: there is no value to ask.
    pub fn key(&self, _: &Pkcs11Uri) -> Result<TokenKey, TokenError> {
        match self.0 {}
    }

    /// Makes a key.
    ///
    /// # Errors
    /// None: there is no value to ask.
    pub fn generate(&self, _: &Pkcs11Uri, _: KeyAlgorithm, _: &[u8]) -> Result<TokenKey, TokenError> {
        match self.0 {}
    }

    /// Makes the key ready to sign.
    #[must_use]
    pub fn signer(self, _: TokenKey, _: Digest) -> TokenSigner {
        match self.0 {}
    }
}

impl TokenKey {
    /// What kind of key it is.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        match self.0 {}
    }
}

impl TokenSigner {
    /// Removes the key.
    ///
    /// # Errors
    /// None: there is no value to ask.
    pub fn destroy_key(self) -> Result<(), TokenError> {
        match self.0 {}
    }
}

impl CaSigner for TokenSigner {
    fn public_key_info(&self) -> &[u8] {
        match self.0 {}
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.0 {}
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, KeyError> {
        match self.0 {}
    }
}
