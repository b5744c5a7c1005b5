//! `postern gen-req`, `import-req`, `sign-req`, `self-sign-server`, `self-sign-client`, `show-req`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use pki_core::cert::CertificateKind;
use pki_core::cert::extension::PathLength;

use super::key::{DigestArgument, NewKeyArgs};

/// Commands about certificate requests.
#[derive(Subcommand)]
pub(crate) enum RequestCommand {
    /// Make a key and a request, which any authority can sign
    GenReq(GenReqArgs),
    /// Take over a request that somebody else made
    ImportReq(ImportReqArgs),
    /// Make a certificate for a request
    SignReq(SignReqArgs),
    /// Make a key and a self-signed certificate for a server whose clients know its fingerprint
    SelfSignServer(SelfSignArgs),
    /// Make a key and a self-signed certificate for a client whose server knows its fingerprint
    SelfSignClient(SelfSignArgs),
    /// Show a request
    ShowReq(ShowReqArgs),
}

#[derive(Args)]
#[command(after_help = "Example:\n  postern gen-req bob@company.com nopass --san email:bob@company.com")]
pub(crate) struct GenReqArgs {
    /// Name of the files, and of the subject unless --cn says otherwise
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) key: NewKeyArgs,
    /// Common name of the subject [default: NAME]
    #[arg(long, value_name = "NAME")]
    pub(crate) cn: Option<String>,
    /// Subject alternative names to ask for: DNS:name, IP:address, email:address, URI:uri, joined with commas
    #[arg(long, value_name = "NAMES", visible_alias = "subject-alt-name")]
    pub(crate) san: Option<String>,
}

#[derive(Args)]
#[command(after_help = "Example:\n  postern import-req ~/bob.csr bob@company.com")]
pub(crate) struct ImportReqArgs {
    /// File with the request, PEM or DER
    pub(crate) file: PathBuf,
    /// Name that it gets here
    pub(crate) name: String,
}

const SIGN_EXAMPLES: &str = "Examples:
  postern sign-req client bob@company.com
  postern sign-req server vpn.example.com --san DNS:vpn.example.com,IP:192.0.2.1
  postern sign-req ca branch-office --path-length 0 --days 1825";

#[derive(Args)]
#[command(after_help = SIGN_EXAMPLES)]
pub(crate) struct SignReqArgs {
    /// What the certificate is for
    #[arg(value_enum, value_name = "TYPE")]
    pub(crate) kind: TypeArgument,
    /// Name of the request
    pub(crate) name: String,
    /// Subject alternative names: DNS:name, IP:address, email:address, URI:uri, joined with commas
    #[arg(long, value_name = "NAMES", visible_alias = "subject-alt-name")]
    pub(crate) san: Option<String>,
    /// Grant what the request asks for, as far as it gives no powers
    #[arg(long)]
    pub(crate) copy_ext: bool,
    /// Another subject in OpenSSL's notation: /CN=name/O=organisation
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) subject: Option<String>,
    /// Keep all fields of the subject in their order, in the place of those that the authority's policy knows
    #[arg(long)]
    pub(crate) preserve: bool,
    /// File with further extensions in the notation of OpenSSL's x509v3_config
    #[arg(long, value_name = "FILE")]
    pub(crate) extensions: Option<PathBuf>,
    /// How many authorities may stand below this one
    #[arg(long, value_name = "NUMBER")]
    pub(crate) path_length: Option<u8>,
    /// Digest of the signature [default: as strong as the signing key]
    #[arg(long, value_enum)]
    pub(crate) digest: Option<DigestArgument>,
    /// Days of validity
    #[arg(long, default_value_t = 825, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) days: u32,
}

/// What a certificate is for, as easy-rsa spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TypeArgument {
    /// TLS server
    Server,
    /// TLS client
    Client,
    /// Both
    #[value(name = "serverClient", alias = "server-client")]
    ServerClient,
    /// An authority below this one
    Ca,
    /// Signing of programs
    CodeSigning,
    /// Protection of mail
    Email,
}

impl TypeArgument {
    pub(crate) fn kind(self, path_length: Option<u8>) -> CertificateKind {
        match self {
            Self::Server => CertificateKind::Server,
            Self::Client => CertificateKind::Client,
            Self::ServerClient => CertificateKind::ServerClient,
            Self::Ca => {
                CertificateKind::Authority(path_length.map_or(PathLength::Unlimited, PathLength::AtMost))
            }
            Self::CodeSigning => CertificateKind::CodeSigning,
            Self::Email => CertificateKind::Email,
        }
    }
}

#[derive(Args)]
#[command(after_help = "Example, in a PKI without an authority:
  postern self-sign-server vpn1 nopass && postern self-sign-client laptop nopass")]
pub(crate) struct SelfSignArgs {
    /// Name of the files and of the subject
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) key: NewKeyArgs,
    /// Days of validity
    #[arg(long, default_value_t = 825, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) days: u32,
}

#[derive(Args)]
#[command(after_help = "Example:\n  postern --json show-req bob@company.com")]
pub(crate) struct ShowReqArgs {
    /// Name of the request
    pub(crate) name: String,
    /// Show the key and the signature as well
    #[arg(long)]
    pub(crate) full: bool,
}
