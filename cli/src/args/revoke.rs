//! `postern revoke`

use clap::Args;

#[derive(Args)]
pub(crate) struct RevokeArgs {
    /// Name of a certificate, or its serial number where the name has several generations
    #[arg(value_name = "NAME|SERIAL")]
    pub(crate) name: String,
    /// keyCompromise, CACompromise, affiliationChanged, superseded, cessationOfOperation, certificateHold, unspecified
    pub(crate) reason: Option<String>,
}
