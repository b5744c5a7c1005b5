//! `postern show`

use clap::Args;

#[derive(Args)]
pub(crate) struct ShowArgs {
    /// Name of a certificate, or its serial number
    #[arg(value_name = "NAME|SERIAL")]
    pub(crate) wanted: String,
}
