//! A second factor beside the password: codes of an authenticator app that change every thirty seconds (RFC 6238).
//!
//! ```text
//!   password and code (SCRV1) ──► whoever decides about passwords ──► the code ──► in
//!   password alone ─────────────► whoever decides about passwords ──► a question (CRV1), and the client comes back
//!   the answer (CRV1) ──────────► the code ──► in, with what was said about the password before
//! ```
//!
//! A code is looked at only after the password was right: strangers can neither guess at codes nor use up somebody's
//! tries. It is good once, also after a restart, because what was used last is written down before anybody gets in.

mod challenges;
mod code;
mod decider;
mod secrets;
mod standing;

pub use code::{InvalidOneTimeSecret, OneTimeSecret};
pub use decider::{OneTimeDecider, OneTimeStartError};
pub use secrets::{OneTimeSecrets, OneTimeSecretsError};
