//! `postern list`

use clap::{Args, ValueEnum};

use super::span::Span;

#[derive(Args)]
pub(crate) struct ListArgs {
    /// Only names like this, with * and ? for any characters, such as '*@company.com'
    pub(crate) pattern: Option<String>,
    /// Only certificates in force
    #[arg(long, group = "state")]
    pub(crate) valid: bool,
    /// Only certificates at their end, and not revoked
    #[arg(long, group = "state")]
    pub(crate) expired: bool,
    /// Only revoked certificates
    #[arg(long, group = "state")]
    pub(crate) revoked: bool,
    /// Only certificates in force that expire within this time, such as 30d
    #[arg(long, group = "state", value_name = "TIME")]
    pub(crate) expiring: Option<Span>,
    /// Only certificates for this purpose; reads every certificate that the other filters leave
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    pub(crate) kind: Option<TypeArgument>,
    /// Answer in CSV (RFC 4180) with a header line
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TypeArgument {
    /// TLS clients
    Client,
    /// TLS servers
    Server,
    /// Both ends of TLS
    #[value(name = "serverClient", alias = "server-client")]
    ServerClient,
    /// Intermediate authorities
    Ca,
}
