//! `postern renew`

use clap::Args;

use super::span::Span;

#[derive(Args)]
pub(crate) struct RenewArgs {
    /// Name of the certificate in issued/
    #[arg(required_unless_present = "all_expiring", conflicts_with = "all_expiring")]
    pub(crate) name: Option<String>,
    /// Renew every certificate in force that expires within this time, such as 30d
    #[arg(long, value_name = "TIME")]
    pub(crate) all_expiring: Option<Span>,
    /// Make a new key, of the kind of the old one; otherwise the key stays
    #[arg(long)]
    pub(crate) new_key: bool,
    /// Leave the new key file without encryption
    #[arg(long, requires = "new_key")]
    pub(crate) nopass: bool,
    /// Days of validity
    #[arg(long, default_value_t = 825, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) days: u32,
}
