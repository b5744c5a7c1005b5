//! TLS inside the control channel: rustls, fed with octets and drained of octets.
//!
//! Not here: what the messages mean, and who is trusted (see [`crate::identity`]).

mod records;
mod settings;
mod stream;
mod verifier;

#[cfg(feature = "client")]
pub(crate) use settings::client_connection;
pub use settings::{TlsSettings, TlsSettingsError, TlsVersion};
pub use stream::TlsSummary;
pub(crate) use stream::{TlsFailure, TlsStream};
pub(crate) use verifier::VerdictRecord;
