//! A look at everything that can be checked without privileges and without changing anything.

use pki_core::time::Timestamp;

use super::error::StartError;
use super::logins;
use crate::auth::{Credentials, RevocationState, load_wrapping};
use crate::config::Config;

/// Reads certificates, key and revocation list as a start would; answers with what would be known about revocations.
///
/// # Errors
///
/// The [`StartError`] that a start would end with. Ports, devices and rules are not tried.
pub fn check(config: &Config, now: Timestamp) -> Result<RevocationState, StartError> {
    let credentials = Credentials::load(
        &config.credentials,
        config.passphrase_file.as_deref(),
        config.sessions.minimum_tls_version,
        now,
    )?;
    load_wrapping(&config.wrapping)?;
    logins::check(config)?;
    Ok(RevocationState::read(&config.credentials, &config.state_directory, &credentials.anchors)?)
}
