//! `postern onboard`

use clap::Args;

use super::key::NewKeyArgs;
use super::profile::ProfileArgs;

#[derive(Args)]
pub(crate) struct OnboardArgs {
    /// Name of the client, such as alice@company.com
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) key: NewKeyArgs,
    /// Subject alternative names: DNS:name, IP:address, email:address, URI:uri, joined with commas
    #[arg(long, value_name = "NAMES", visible_alias = "subject-alt-name")]
    pub(crate) san: Option<String>,
    /// Days of validity
    #[arg(long, default_value_t = 825, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) days: u32,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
}
