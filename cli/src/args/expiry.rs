//! `postern expiry`

use std::path::PathBuf;

use clap::Args;

use super::span::Span;

#[derive(Args)]
pub(crate) struct ExpiryArgs {
    /// How far to look ahead: 90s, 15m, 12h, 30d, 2w
    #[arg(long, value_name = "TIME", default_value = "30d")]
    pub(crate) within: Span,
    /// Answer in CSV (RFC 4180) with a header line
    #[arg(long, conflicts_with_all = ["json", "prometheus"])]
    pub(crate) csv: bool,
    /// Write metrics for the textfile collector of Prometheus' node exporter into this file, put into place as a whole
    #[arg(long, value_name = "FILE")]
    pub(crate) prometheus: Option<PathBuf>,
}
