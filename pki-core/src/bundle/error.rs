//! Why a container cannot be made.

use crate::error::{ErrorKind, Explain};

/// Why a container cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The PKCS#12 writer refuses its content.
    #[error("the PKCS#12 file cannot be written: {reason}")]
    Pkcs12 {
        /// What the writer says.
        reason: String,
    },
    /// The ZIP writer refuses its content.
    #[error("the archive cannot be written: {reason}")]
    Archive {
        /// What the writer says.
        reason: String,
    },
    /// A file is no PKCS#12 container, or one with something in it that is not understood.
    #[error("the PKCS#12 file cannot be read: {reason}")]
    Pkcs12Unreadable {
        /// What the reader says.
        reason: String,
    },
    /// A PKCS#12 file that takes too long to open.
    #[error("the PKCS#12 file asks for {rounds} rounds of key derivation where {limit} are allowed")]
    Pkcs12TooExpensive {
        /// The rounds of one derivation, or of all.
        rounds: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// A PKCS#12 file does not open with this passphrase.
    #[error("the passphrase does not open the PKCS#12 file")]
    WrongPassphrase,
    /// A PKCS#12 file without a key and the certificate that belongs to it.
    #[error("the PKCS#12 file does not hold exactly one key with its certificate")]
    NoKeyPair,
    /// A PKCS#12 file without a certificate authority where one is needed.
    #[error("the PKCS#12 file holds no certificate authority")]
    NoAuthority,
    /// The passphrase of a PKCS#12 file must be text.
    #[error("the passphrase of a PKCS#12 file must be UTF-8")]
    PassphraseNotText,
    /// Only RSA keys have the PKCS#1 form.
    #[error("the key is not an RSA key")]
    NotRsa,
    /// No Diffie-Hellman group of this size is standardised.
    #[error("there is no standard Diffie-Hellman group of {bits} bits")]
    NoGroup {
        /// The size that was asked for.
        bits: u32,
    },
    /// A file does not hold a static key.
    #[error("the file holds no OpenVPN static key")]
    NoStaticKey,
    /// The key file is encrypted in the old PEM form.
    #[error("the key is encrypted in the legacy PEM form, which many programs cannot read")]
    LegacyKey,
}

impl Explain for BundleError {
    fn code(&self) -> &'static str {
        match self {
            Self::Pkcs12 { .. } => "pkcs12-unwritable",
            Self::Archive { .. } => "archive-unwritable",
            Self::Pkcs12Unreadable { .. } => "pkcs12-unreadable",
            Self::Pkcs12TooExpensive { .. } => "pkcs12-too-expensive",
            Self::WrongPassphrase => "pkcs12-wrong-passphrase",
            Self::NoKeyPair => "pkcs12-without-key",
            Self::NoAuthority => "pkcs12-without-authority",
            Self::PassphraseNotText => "passphrase-not-text",
            Self::NotRsa => "key-not-rsa",
            Self::NoGroup { .. } => "dh-group-unknown",
            Self::NoStaticKey => "static-key-not-found",
            Self::LegacyKey => "key-legacy-pem",
        }
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::User
    }

    fn help(&self) -> String {
        match self {
            Self::Pkcs12 { .. } => "Export without a chain, or as PEM.".into(),
            Self::Archive { .. } => "Hand the files out one by one.".into(),
            Self::Pkcs12Unreadable { .. } => "Write it again: openssl pkcs12 -export, or export-p12.".into(),
            Self::Pkcs12TooExpensive { .. } => {
                "Write it again with fewer: openssl pkcs12 -export -iter 600000.".into()
            }
            Self::WrongPassphrase => "Give the passphrase it was exported with.".into(),
            Self::NoKeyPair => "Export one certificate together with its key.".into(),
            Self::NoAuthority => "Export the CA certificate with it, or name it as 'ca'.".into(),
            Self::PassphraseNotText => "Choose a passphrase of ordinary characters.".into(),
            Self::NotRsa => "Export the key as PKCS#8 instead (export-p8).".into(),
            Self::NoGroup { .. } => "Choose 2048, 3072, 4096, 6144 or 8192 bits.".into(),
            Self::NoStaticKey => "Give the file that `openvpn --genkey secret FILE` writes.".into(),
            Self::LegacyKey => {
                "Change its passphrase first (set-pass), which writes the present form.".into()
            }
        }
    }
}
