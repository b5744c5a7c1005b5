//! `postern openvpn`: a command line in OpenVPN's grammar, which is not clap's.

use clap::{Args, ValueHint};

/// Run a stock OpenVPN server configuration
///
/// Takes the options that openvpn takes, or the name of a configuration file alone. Relative paths start at the current
/// directory, or at the one that --cd names. What becomes of each directive stands in docs/reference/stock-configuration.md;
/// one that cannot be done keeps the server from starting.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct OpenVpnArgs {
    /// Options and their arguments, as openvpn takes them
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "OPTION",
        value_hint = ValueHint::FilePath
    )]
    pub(crate) words: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  postern openvpn --cd /etc/openvpn/server --config server.conf
  postern openvpn server.conf";
