//! Who gets in by user name and password: what a client showed, who decides about it, and how the answer comes back.
//!
//! ```text
//!   shard ── LoginAttempt ──► Authenticator ──► checks of the certificate, one after the other
//!     ▲                            │      └────► token, if one was shown and is good: nobody is asked
//!     │                            └───────────► deciders, one after the other; all have to accept
//!     └────── LoginUpdate ◄── Answer ◄─────────── on whatever thread, now or in minutes
//! ```
//!
//! A decider never blocks a shard: it works on threads of its own ([`Errands`](crate::errands::Errands)) or keeps the
//! [`Answer`] until somebody else decides, as the management interface does. An answer that is dropped is a refusal:
//! nobody gets in because a decider broke.
//!
//! Not here: certificates (see [`Trust`](super::Trust)), places and addresses (see `control`).

mod answer;
mod attempt;
mod authenticator;
mod certificate_match;
mod decider;
mod one_time;
mod password_file;
mod password_hash;
mod shown;
mod token;
mod user_lines;
mod username;
mod witness;

pub use answer::{Acceptance, Answer, LoginUpdate, Verdict};
pub use attempt::{ClientFacts, ClientNumber, LoginAttempt, Occasion, TokenStanding};
pub use authenticator::{Authenticator, LoginPlugins, LoginPolicy};
pub use certificate_match::CertificateMatch;
pub use decider::Decider;
pub use one_time::{
    InvalidOneTimeSecret, OneTimeDecider, OneTimeSecret, OneTimeSecrets, OneTimeSecretsError,
    OneTimeStartError,
};
pub use password_file::{PasswordFile, PasswordFileDecider, PasswordFileError};
pub use password_hash::{HashParameters, InvalidPasswordHash, PasswordHash};
pub use shown::Shown;
pub use token::{TokenKey, TokenKeyError, TokenMint, TokenSettings};
pub use user_lines::BadUserLine;
pub use username::{InvalidUsername, Username};
pub use vpn_proto::Password;
pub use witness::ClientWitness;
