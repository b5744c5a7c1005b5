//! `postern gen-crl`

use clap::Args;

use super::span::Span;

#[derive(Args)]
pub(crate) struct GenCrlArgs {
    /// Days until the list must have been replaced
    #[arg(long, default_value_t = 180, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) days: u32,
    /// Do nothing if the published list lasts longer than this, such as 7d: for timers
    #[arg(long, value_name = "TIME")]
    pub(crate) if_expiring: Option<Span>,
    /// Publish even if the list is worse than the published one
    #[arg(long)]
    pub(crate) force: bool,
}
