//! `postern expire`, `verify-cert`, `show-ca`, `show-crl`, `update-db`

use clap::{Args, Subcommand};

use super::verify_chain::PurposeArgument;

/// Commands about certificates and lists that are there.
#[derive(Subcommand)]
pub(crate) enum CertificateCommand {
    /// Put a certificate aside so that its request can be signed again; it stays valid
    Expire(ExpireArgs),
    /// Judge a certificate of this PKI as the server does; exit code 0 accepted, 1 rejected
    VerifyCert(VerifyCertArgs),
    /// Show the certificate of the authority
    ShowCa(ShowCaArgs),
    /// Show the published revocation list
    ShowCrl(ShowCrlArgs),
    /// Mark certificates that have ended in index.txt, as easy-rsa does
    UpdateDb(UpdateDbArgs),
}

#[derive(Args)]
#[command(
    after_help = "Example:\n  postern expire alice@company.com && postern sign-req client alice@company.com"
)]
pub(crate) struct ExpireArgs {
    /// Name of the certificate
    pub(crate) name: String,
}

#[derive(Args)]
#[command(after_help = "Example:\n  postern verify-cert alice@company.com --purpose client")]
pub(crate) struct VerifyCertArgs {
    /// Name of a certificate, or its serial number
    #[arg(value_name = "NAME|SERIAL")]
    pub(crate) wanted: String,
    /// What the certificate is to be used for
    #[arg(long, value_enum, default_value_t)]
    pub(crate) purpose: PurposeArgument,
    /// Leave the revocation list out; without a published one it is left out anyway
    #[arg(long)]
    pub(crate) no_crl: bool,
}

#[derive(Args)]
#[command(after_help = "Example:\n  postern --json show-ca")]
pub(crate) struct ShowCaArgs {
    /// Show the key and the signature as well
    #[arg(long)]
    pub(crate) full: bool,
}

#[derive(Args)]
#[command(after_help = "Example:\n  postern --json show-crl")]
pub(crate) struct ShowCrlArgs {}

#[derive(Args)]
#[command(after_help = "Example:\n  postern update-db")]
pub(crate) struct UpdateDbArgs {}
