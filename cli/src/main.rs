//! `postern`: a certificate authority and a VPN server; called as `easyrsa`, the drop-in for easy-rsa.

mod args;
mod cmd;
mod easyrsa;
mod env;
mod error;
mod exit;
mod glob;
mod input;
mod link;
mod output;
mod passphrase;
mod prompt;
mod reference;
mod users_file;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use rustix::process::{Resource, Rlimit};

use crate::args::Cli;
use crate::exit::Exit;

/// A handshake takes hundreds of small allocations, and with this allocator an eighth less time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    leave_no_core_dump();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let program = arguments.first().and_then(|program| program.to_str());
    let exit = if easyrsa::is_called_as_easyrsa(program) { drop_in(&arguments) } else { postern(&arguments) };
    exit.into()
}

/// Passphrases and keys pass through this process. A system without such limits writes no dumps anyway.
fn leave_no_core_dump() {
    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(Resource::Core, nothing);
}

fn postern(arguments: &[OsString]) -> Exit {
    match Cli::try_parse_from(arguments) {
        Ok(cli) => cmd::run(cli),
        Err(error) => {
            let is_asked_for = !error.use_stderr();
            // clap prints help and version to stdout, errors to stderr; a closed stream changes nothing.
            let _ = error.print();
            if is_asked_for { Exit::Success } else { Exit::Usage }
        }
    }
}

/// Octets that are no UTF-8 become replacement characters, which no name may contain.
fn drop_in(arguments: &[OsString]) -> Exit {
    let words = arguments.iter().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    easyrsa::run(words.collect())
}
