//! What each command of `postern` does: build a request, call a library, hand the answer to `output`.

mod build_ca;
mod export;
mod gen_crl;
mod init_pki;
mod issue;
mod revoke;
mod serve;
mod session;
mod user;

use pki_core::cert::CertificateKind;

use crate::args::{Cli, Command};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Format, Output};

pub(crate) use session::Session;

/// Runs one command and reports what came of it.
pub(crate) fn run(cli: Cli) -> Exit {
    let output = Output::new(if cli.global.json { Format::Json } else { Format::Human });
    match dispatch(cli, output) {
        Ok(()) => Exit::Success,
        Err(error) => {
            output.error(&error);
            error.exit()
        }
    }
}

fn dispatch(cli: Cli, output: Output) -> Result<(), CliError> {
    let session = Session::new(cli.global, output);
    let answer = match cli.command {
        Command::InitPki(arguments) => init_pki::run(&session, &arguments),
        Command::BuildCa(arguments) => build_ca::run(&session, &arguments),
        Command::BuildServerFull(arguments) => issue::run(&session, CertificateKind::Server, &arguments),
        Command::BuildClientFull(arguments) => issue::run(&session, CertificateKind::Client, &arguments),
        Command::BuildServerClientFull(arguments) => {
            issue::run(&session, CertificateKind::ServerClient, &arguments)
        }
        Command::Revoke(arguments) => revoke::run(&session, &arguments),
        Command::GenCrl(arguments) => gen_crl::run(&session, &arguments),
        Command::Export(arguments) => export::run(&session, &arguments),
        Command::Serve(arguments) => serve::run(&session, &arguments),
        Command::User(command) => user::run(&session, &command),
    }?;
    output.answer(&answer)
}
