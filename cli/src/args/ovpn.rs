//! `postern ovpn`: profiles that others wrote, and ways to hand one's own out.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

#[derive(Subcommand)]
pub(crate) enum OvpnCommand {
    /// Explain a profile and flag what is dangerous in it: exit code 0, 3 for warnings, 4 for errors
    Lint(LintArgs),
    /// Show a link to a profile as a QR code
    Qr(QrArgs),
}

#[derive(Args)]
pub(crate) struct LintArgs {
    /// The profile; - for standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Explain every directive, not only those that some program ignores or refuses
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Args)]
pub(crate) struct QrArgs {
    /// Where the profile can be fetched: https://HOST/PATH, or openvpn://import-profile/https://HOST/PATH
    pub(crate) link: String,
    /// Encode the https link itself, for a browser, instead of one that opens OpenVPN Connect
    #[arg(long)]
    pub(crate) plain: bool,
    /// File to write, an .svg or a .png [default: blocks on the terminal]
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
}
