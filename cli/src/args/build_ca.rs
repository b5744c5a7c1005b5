//! `postern build-ca`

use clap::Args;

use super::key::NewKeyArgs;

#[derive(Args)]
pub(crate) struct BuildCaArgs {
    #[command(flatten)]
    pub(crate) key: NewKeyArgs,
    /// Common name of the authority [default: asked for, "Postern CA"]
    #[arg(long, value_name = "NAME")]
    pub(crate) cn: Option<String>,
    /// Days of validity
    #[arg(long, default_value_t = 3650, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) days: u32,
}
