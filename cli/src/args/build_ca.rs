//! `postern build-ca`

use clap::Args;

use super::key::NewKeyArgs;

const EXAMPLES: &str = "Examples:
  postern build-ca nopass --cn 'Example VPN CA'
  postern build-ca --pkcs11 'pkcs11:token=Office;object=vpn-ca?module-path=/usr/lib/softhsm/libsofthsm2.so'";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BuildCaArgs {
    #[command(flatten)]
    pub(crate) key: NewKeyArgs,
    /// Common name of the authority [default: asked for, "Postern CA"]
    #[arg(long, value_name = "NAME")]
    pub(crate) cn: Option<String>,
    /// Days of validity
    #[arg(long, default_value_t = 3650, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) days: u32,
    /// Make a request for an authority above to sign, in the place of a self-signed certificate
    #[arg(long)]
    pub(crate) subca: bool,
    /// Keep the key in this PKCS#11 token; a key of that name is used if it is there, and made if not [default: --ca-key]
    #[arg(long, value_name = "URI")]
    pub(crate) pkcs11: Option<String>,
}
