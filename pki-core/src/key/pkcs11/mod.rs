//! Keys in PKCS#11 tokens: smart cards, hardware security modules, and SoftHSM.
//!
//! A [`Pkcs11Uri`] says where a key is. What it leads to is a [`LockedToken`]; with the PIN that becomes a [`Token`], in
//! which a [`TokenKey`] is found or made; and the two together are a [`TokenSigner`], which signs as
//! [`SigningKey`](super::SigningKey) does. The key itself never leaves the token.
//!
//! URIs and errors exist in every build; the rest needs the feature `pkcs11`, without which
//! [`LockedToken::find`] answers [`TokenError::NotBuiltIn`].

#[cfg(not(feature = "pkcs11"))]
mod absent;
mod error;
#[cfg(feature = "pkcs11")]
mod module;
#[cfg(feature = "pkcs11")]
mod object;
#[cfg(feature = "pkcs11")]
mod signer;
#[cfg(feature = "pkcs11")]
mod token;
mod uri;

#[cfg(not(feature = "pkcs11"))]
pub use absent::{LockedToken, Token, TokenKey, TokenSigner};
pub use error::TokenError;
#[cfg(feature = "pkcs11")]
pub use object::TokenKey;
#[cfg(feature = "pkcs11")]
pub use signer::TokenSigner;
#[cfg(feature = "pkcs11")]
pub use token::{LockedToken, Token};
pub use uri::{Pkcs11Uri, TokenSelection, UriError};

/// What a session with a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Signing.
    Use,
    /// Making and destroying keys.
    Change,
}
