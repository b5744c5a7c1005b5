//! `postern revoke`

use clap::Args;

#[derive(Args)]
pub(crate) struct RevokeArgs {
    /// Name of the certificate in issued/
    pub(crate) name: String,
    /// keyCompromise, CACompromise, affiliationChanged, superseded, cessationOfOperation, certificateHold, unspecified
    pub(crate) reason: Option<String>,
}
