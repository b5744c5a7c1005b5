//! `postern verify-chain`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pki_core::chain::{PeerName, Purpose};
use pki_core::time::Timestamp;

#[derive(Args)]
pub(crate) struct VerifyChainArgs {
    /// File with the CAs to trust
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: PathBuf,
    /// File with certificates that may lie between; they are not trusted by themselves
    #[arg(long, value_name = "FILE")]
    pub(crate) intermediates: Option<PathBuf>,
    /// File with revocation lists; every certificate below the CA must then be covered by a current one
    #[arg(long, value_name = "FILE")]
    pub(crate) crl: Option<PathBuf>,
    /// Time of the judgement in RFC 3339, such as 2026-11-20T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) at: Option<Timestamp>,
    /// What the certificate is to be used for
    #[arg(long, value_enum, default_value_t)]
    pub(crate) purpose: PurposeArgument,
    /// A name that the certificate must carry: dns:NAME, ip:ADDRESS or email:ADDRESS
    #[arg(long, value_name = "NAME", value_parser = PeerName::parse)]
    pub(crate) name: Option<PeerName>,
    /// The most intermediates between the certificate and the CA
    #[arg(long, value_name = "NUMBER", default_value_t = 8)]
    pub(crate) max_depth: usize,
    /// Ask everything to follow RFC 5280 to the letter; easy-rsa's certificates do not
    #[arg(long)]
    pub(crate) strict: bool,
    /// File with the certificate; further certificates in it count as intermediates
    pub(crate) leaf: PathBuf,
}

/// What a certificate is to be used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PurposeArgument {
    /// To authenticate a TLS client
    Client,
    /// To authenticate a TLS server
    Server,
    /// Anything
    #[default]
    Any,
}

impl From<PurposeArgument> for Purpose {
    fn from(argument: PurposeArgument) -> Self {
        match argument {
            PurposeArgument::Client => Self::Client,
            PurposeArgument::Server => Self::Server,
            PurposeArgument::Any => Self::Any,
        }
    }
}

fn parse_time(text: &str) -> Result<Timestamp, &'static str> {
    Timestamp::from_rfc3339(text).ok_or("write it as in RFC 3339: 2026-11-20T12:00:00Z")
}
