//! Why a token cannot be used.

use std::path::PathBuf;

use super::uri::UriError;
use crate::error::{ErrorKind, Explain};
use crate::key::KeyAlgorithm;

/// Why a token cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The text is no URI of a key.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// This build has no support for tokens.
    #[error("this build cannot use keys in tokens")]
    NotBuiltIn,
    /// The shared object cannot be loaded, or is none that reaches tokens.
    #[error("the PKCS#11 module {} cannot be used: {reason}", .path.display())]
    Module {
        /// The shared object.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No token is as the URI says.
    #[error("no token is as the URI says; {}", present_tokens(.present))]
    NoToken {
        /// Labels and serial numbers of those that are there.
        present: Vec<String>,
    },
    /// Several tokens are as the URI says.
    #[error("the URI describes several tokens: {}", .candidates.join(", "))]
    AmbiguousToken {
        /// Their labels and serial numbers.
        candidates: Vec<String>,
    },
    /// The token refuses the PIN.
    #[error("wrong PIN for the token '{token}'{}", last_try(*.is_last_try))]
    WrongPin {
        /// Label of the token.
        token: String,
        /// Whether one more wrong PIN locks it.
        is_last_try: bool,
    },
    /// Too many wrong PINs, or a PIN that has expired.
    #[error("the PIN of the token '{token}' is locked")]
    PinLocked {
        /// Label of the token.
        token: String,
    },
    /// The token has no PIN for users yet.
    #[error("the token '{token}' has no user PIN yet")]
    PinNotSet {
        /// Label of the token.
        token: String,
    },
    /// The token has no such private key.
    #[error("the token '{token}' has no private key with {wanted}")]
    NoKey {
        /// Label of the token.
        token: String,
        /// Label or identifier that was looked for.
        wanted: String,
    },
    /// The private key is there, its public half is not.
    #[error("the token '{token}' does not tell the public key of {wanted}")]
    NoPublicKey {
        /// Label of the token.
        token: String,
        /// Label or identifier that was looked for.
        wanted: String,
    },
    /// Several private keys of the token are as the URI says.
    #[error("the token '{token}' has {count} private keys with {wanted}")]
    AmbiguousKey {
        /// Label of the token.
        token: String,
        /// Label or identifier that was looked for.
        wanted: String,
        /// How many there are.
        count: usize,
    },
    /// The existing key is of another kind than asked for.
    #[error("the key in the token is of type {found}, not {wanted}")]
    OtherAlgorithm {
        /// What it is.
        found: KeyAlgorithm,
        /// What was asked for.
        wanted: KeyAlgorithm,
    },
    /// The key wants the PIN again for every signature.
    #[error("the key in the token '{token}' wants the PIN again for every signature, which is not supported")]
    PinForEachSignature {
        /// Label of the token.
        token: String,
    },
    /// The kind of key cannot be used, or the token cannot make it.
    #[error("the token '{token}' cannot work with keys of type {algorithm}")]
    UnsupportedKey {
        /// Label of the token.
        token: String,
        /// The kind of key.
        algorithm: String,
    },
    /// The module reports an error of its own.
    #[error("the token '{token}' failed: {reason}")]
    Device {
        /// Label of the token; empty before one is found.
        token: String,
        /// Function and return value of PKCS#11.
        reason: String,
    },
}

fn present_tokens(labels: &[String]) -> String {
    if labels.is_empty() {
        "there is none at all".into()
    } else {
        format!("there are: {}", labels.join(", "))
    }
}

fn last_try(is_last: bool) -> &'static str {
    if is_last { "; one more wrong PIN locks it" } else { "" }
}

impl Explain for TokenError {
    fn code(&self) -> &'static str {
        match self {
            Self::Uri(cause) => cause.code(),
            Self::NotBuiltIn => "pkcs11-not-built-in",
            Self::Module { .. } => "pkcs11-module",
            Self::NoToken { .. } => "pkcs11-no-token",
            Self::AmbiguousToken { .. } => "pkcs11-ambiguous-token",
            Self::WrongPin { .. } => "pkcs11-wrong-pin",
            Self::PinLocked { .. } => "pkcs11-pin-locked",
            Self::PinNotSet { .. } => "pkcs11-pin-not-set",
            Self::NoKey { .. } => "pkcs11-no-key",
            Self::NoPublicKey { .. } => "pkcs11-no-public-key",
            Self::AmbiguousKey { .. } => "pkcs11-ambiguous-key",
            Self::OtherAlgorithm { .. } => "pkcs11-other-algorithm",
            Self::PinForEachSignature { .. } => "pkcs11-pin-for-each-signature",
            Self::UnsupportedKey { .. } => "pkcs11-unsupported-key",
            Self::Device { .. } => "pkcs11-device",
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Uri(_)
            | Self::AmbiguousToken { .. }
            | Self::WrongPin { .. }
            | Self::NoKey { .. }
            | Self::AmbiguousKey { .. }
            | Self::OtherAlgorithm { .. } => ErrorKind::User,
            Self::NotBuiltIn
            | Self::Module { .. }
            | Self::NoToken { .. }
            | Self::PinNotSet { .. }
            | Self::NoPublicKey { .. }
            | Self::PinForEachSignature { .. }
            | Self::UnsupportedKey { .. }
            | Self::Device { .. } => ErrorKind::Environment,
            Self::PinLocked { .. } => ErrorKind::Denied,
        }
    }

    fn help(&self) -> String {
        match self {
            Self::Uri(cause) => cause.help(),
            Self::NotBuiltIn => "Use a build with the feature `pkcs11`, or a key file.".into(),
            Self::Module { .. } => {
                "Install the module of the token's vendor and name it with module-path=/PATH/TO/MODULE.so in the URI."
                    .into()
            }
            Self::NoToken { .. } => "Plug the token in, or correct token= in the URI.".into(),
            Self::AmbiguousToken { .. } => "Add serial= to the URI.".into(),
            Self::WrongPin { .. } => {
                "Try again with the right PIN; nothing was changed. Tokens lock themselves after a few wrong ones.".into()
            }
            Self::PinLocked { .. } => {
                "Unlock it with the token's own tools and the security officer's PIN; nothing was changed.".into()
            }
            Self::PinNotSet { .. } => "Set it with the token's own tools (for example pkcs11-tool --init-pin).".into(),
            Self::NoKey { .. } => {
                "Correct object= or id= in the URI; `pkcs11-tool --list-objects --login` shows what the token holds.".into()
            }
            Self::NoPublicKey { .. } => {
                "Write the public key into the token with the same identifier as the private one.".into()
            }
            Self::AmbiguousKey { .. } => "Name one of them with id= in the URI.".into(),
            Self::OtherAlgorithm { .. } => {
                "Leave --algo, --curve and --keysize out to use the key as it is, or choose another object=.".into()
            }
            Self::PinForEachSignature { .. } => {
                "Use a key without CKA_ALWAYS_AUTHENTICATE (on a PIV card, not the one for digital signatures).".into()
            }
            Self::UnsupportedKey { .. } => {
                "Choose another kind of key: RSA of 2048 bits or more, P-256 and P-384 work with most tokens.".into()
            }
            Self::Device { .. } => "Check the token and its module; nothing was changed.".into(),
        }
    }
}
