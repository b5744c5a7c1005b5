//! `postern offboard`

use clap::Args;

#[derive(Args)]
pub(crate) struct OffboardArgs {
    /// Name of the client
    pub(crate) name: String,
    /// keyCompromise, affiliationChanged, superseded, cessationOfOperation, unspecified
    #[arg(long, default_value = "cessationOfOperation")]
    pub(crate) reason: String,
    /// Days until the new revocation list must have been replaced; never earlier than the published one
    #[arg(long, default_value_t = 180, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) days: u32,
}
