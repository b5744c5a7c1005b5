//! `postern gen-dh`, `gen-tls-auth-key`, `gen-tls-crypt-key`, `import-tls-key`, `import-ca`, `inline`

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Commands about files beside certificates that OpenVPN reads.
#[derive(Subcommand)]
pub(crate) enum OpenVpnFilesCommand {
    /// Write the Diffie-Hellman parameters of RFC 7919, for servers that still want some
    GenDh(GenDhArgs),
    /// Make the key that signs the control channel: tls-auth
    GenTlsAuthKey(GenTlsKeyArgs),
    /// Make the key that encrypts the control channel: tls-crypt
    GenTlsCryptKey(GenTlsKeyArgs),
    /// Take over the tls-auth or tls-crypt key of an OpenVPN server
    ImportTlsKey(ImportFileArgs),
    /// Add an authority that peers shall trust besides the own one
    ImportCa(ImportFileArgs),
    /// Make the inline file of a certificate anew: what easy-rsa 3.2 puts beside each
    Inline(InlineArgs),
}

#[derive(Args)]
#[command(after_help = "Example:\n  postern gen-dh --keysize 3072")]
pub(crate) struct GenDhArgs {
    /// Bits of the group: 2048, 3072, 4096, 6144 or 8192
    #[arg(long, value_name = "BITS", default_value_t = 2048)]
    pub(crate) keysize: u32,
}

#[derive(Args)]
#[command(after_help = "Example:\n  postern gen-tls-crypt-key && postern inline alice@company.com")]
pub(crate) struct GenTlsKeyArgs {}

#[derive(Args)]
#[command(after_help = "Examples:
  postern import-tls-key /etc/openvpn/ta.key
  postern import-ca partner-ca.crt")]
pub(crate) struct ImportFileArgs {
    /// The file
    pub(crate) file: PathBuf,
}

#[derive(Args)]
#[command(after_help = "Example:\n  postern inline alice@company.com")]
pub(crate) struct InlineArgs {
    /// Name of the certificate
    pub(crate) name: String,
}
