//! A look at everything that can be checked without privileges and without changing anything.

use pki_core::time::Timestamp;

use super::error::StartError;
use super::logins;
use super::privileges::ServiceAccount;
use crate::auth::{Credentials, RevocationState, RevokedSerials, load_wrapping};
use crate::config::Config;

/// Reads certificates, key and revocation list as a start would; answers with what would be known about revocations.
///
/// # Errors
///
/// The [`StartError`] that a start would end with. Ports, devices and rules are not tried.
pub fn check(config: &Config, now: Timestamp) -> Result<RevocationState, StartError> {
    ServiceAccount::find(&config.run_as)?;
    let credentials = Credentials::load(config, now)?;
    load_wrapping(&config.wrapping)?;
    logins::check(config)?;
    config.revoked_serials.as_deref().map(RevokedSerials::read).transpose()?;
    Ok(RevocationState::read(&config.credentials, &config.state_directory, &credentials.anchors)?)
}
