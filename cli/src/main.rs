//! `postern`: a certificate authority and a VPN server; called as `easyrsa`, the drop-in for easy-rsa.

mod args;
mod cmd;
mod env;
mod error;
mod exit;
mod output;
mod passphrase;
mod prompt;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::exit::Exit;

fn main() -> ExitCode {
    postern().into()
}

fn postern() -> Exit {
    match Cli::try_parse() {
        Ok(cli) => cmd::run(cli),
        Err(error) => {
            let is_asked_for = !error.use_stderr();
            // clap prints help and version to stdout, errors to stderr; a closed stream changes nothing.
            let _ = error.print();
            if is_asked_for { Exit::Success } else { Exit::Usage }
        }
    }
}
