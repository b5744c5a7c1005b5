//! Why a key cannot be made, read or used.

use std::path::Path;

use super::pkcs11::TokenError;
use crate::error::{ErrorKind, Explain};
use crate::random::RandomError;
use crate::secret::Passphrase;
use crate::x509::der::DerError;

/// Why a key cannot be made, read or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No PEM block of a private key.
    #[error("no private key inside")]
    NoKeyInside,
    /// The octets of the key do not make sense.
    #[error("the private key is damaged")]
    Damaged,
    /// The key is encrypted and no passphrase was given.
    #[error("the private key is encrypted and no passphrase was given")]
    PassphraseNeeded,
    /// The passphrase does not open the key.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// A new passphrase is too short to be of use.
    #[error("the passphrase has fewer than {} characters", Passphrase::MIN_LENGTH)]
    PassphraseTooShort,
    /// A kind of key that nothing here can work with.
    #[error("keys of type {algorithm} are not supported")]
    UnsupportedAlgorithm {
        /// Its name or object identifier.
        algorithm: String,
    },
    /// An RSA size that cannot be generated.
    #[error("RSA keys of {bits} bits cannot be made")]
    UnsupportedSize {
        /// The size asked for.
        bits: u32,
    },
    /// An encryption scheme that nothing here can undo.
    #[error("the key is encrypted with {scheme}, which is not supported")]
    UnsupportedEncryption {
        /// Its name or object identifier.
        scheme: String,
    },
    /// The file asks for more work per guess than any honest file does.
    #[error("unlocking would take {work}, more than the limit of {limit}")]
    TooExpensive {
        /// What the file asks for.
        work: String,
        /// What is allowed.
        limit: &'static str,
    },
    /// Group or others may read the file.
    #[error("the key file may be read by others (mode {mode:04o})")]
    Exposed {
        /// Permission bits of the file.
        mode: u32,
    },
    /// The digest does not go with this kind of key.
    #[error("the cryptographic backend cannot sign with this key")]
    CannotSign,
    /// A signature that was just made does not verify.
    #[error("a signature made with the key does not verify")]
    FaultySignature,
    /// The token that holds the key refuses.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The system gave no random numbers.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl KeyError {
    /// [`Explain::help`] for a key in a known file.
    #[must_use]
    pub fn help_for(&self, path: &Path) -> String {
        if let Self::Exposed { .. } = self {
            return format!("Run: chmod 600 '{}'", path.display());
        }
        if let Self::UnsupportedEncryption { .. } = self {
            return format!(
                "Re-encrypt it: openssl pkcs8 -topk8 -v2 aes-256-cbc -in '{}' -out NEW.key",
                path.display()
            );
        }
        self.help()
    }
}

/// Where exactly a key is damaged is nobody's business: it may depend on the secret.
impl From<DerError> for KeyError {
    fn from(_: DerError) -> Self {
        Self::Damaged
    }
}

impl Explain for KeyError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoKeyInside => "key-not-found-in-file",
            Self::Damaged => "key-damaged",
            Self::PassphraseNeeded => "passphrase-needed",
            Self::WrongPassphrase => "wrong-passphrase",
            Self::PassphraseTooShort => "passphrase-too-short",
            Self::UnsupportedAlgorithm { .. } => "key-algorithm-unsupported",
            Self::UnsupportedSize { .. } => "key-size-unsupported",
            Self::UnsupportedEncryption { .. } => "key-encryption-unsupported",
            Self::TooExpensive { .. } => "key-encryption-too-expensive",
            Self::Exposed { .. } => "key-file-exposed",
            Self::CannotSign => "key-cannot-sign",
            Self::FaultySignature => "faulty-signature",
            Self::Token(cause) => cause.code(),
            Self::Random(cause) => cause.code(),
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::PassphraseNeeded
            | Self::WrongPassphrase
            | Self::PassphraseTooShort
            | Self::UnsupportedSize { .. } => ErrorKind::User,
            Self::NoKeyInside
            | Self::Damaged
            | Self::UnsupportedAlgorithm { .. }
            | Self::UnsupportedEncryption { .. }
            | Self::CannotSign => ErrorKind::Environment,
            Self::TooExpensive { .. } | Self::Exposed { .. } => ErrorKind::Denied,
            Self::FaultySignature => ErrorKind::Bug,
            Self::Token(cause) => cause.kind(),
            Self::Random(cause) => cause.kind(),
        }
    }

    fn help(&self) -> String {
        match self {
            Self::NoKeyInside | Self::Damaged => {
                "Put the right key file back; `openssl pkey -in FILE -noout` tells whether a file is one."
                    .into()
            }
            Self::PassphraseNeeded => "Give it at the prompt or with --passin.".into(),
            Self::WrongPassphrase => "Try again with the right passphrase; nothing was changed.".into(),
            Self::PassphraseTooShort => {
                "Choose a longer one, or `nopass` for a key without encryption.".into()
            }
            Self::UnsupportedAlgorithm { .. } => {
                "Use rsa, ec (prime256v1, secp384r1, secp521r1) or ed25519.".into()
            }
            Self::UnsupportedSize { .. } => "Use 2048, 3072, 4096 or 8192.".into(),
            Self::UnsupportedEncryption { .. } => {
                "Re-encrypt it with: openssl pkcs8 -topk8 -v2 aes-256-cbc".into()
            }
            Self::TooExpensive { .. } => {
                "Re-encrypt the key with sane parameters on a trusted machine.".into()
            }
            Self::Exposed { .. } => "Take the permissions of group and others away (chmod 600).".into(),
            Self::CannotSign => {
                "Choose another digest, or a build with the other cryptographic backend.".into()
            }
            Self::FaultySignature => "Check the memory of this machine; nothing was issued.".into(),
            Self::Token(cause) => cause.help(),
            Self::Random(cause) => cause.help(),
        }
    }
}
