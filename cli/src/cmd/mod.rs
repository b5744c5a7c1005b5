//! What each command of `postern` does: build a request, call a library, hand the answer to `output`.

mod build_ca;
mod ca;
mod certificate;
mod config;
mod container;
mod daemon;
mod detach;
mod expiry;
mod export;
mod gen_crl;
mod generate;
mod init_pki;
mod issue;
mod issue_many;
mod list;
mod logging;
mod new_file;
mod offboard;
mod onboard;
mod openvpn;
mod openvpn_files;
mod ovpn_lint;
mod ovpn_qr;
mod pki;
mod profile;
mod renew;
mod request;
mod revoke;
mod self_sign;
mod serve;
mod session;
mod show;
mod sign_req;
mod user;
mod verify_chain;

use pki_core::cert::CertificateKind;

use crate::args::issue::IssueArgs;
use crate::args::ovpn::OvpnCommand;
use crate::args::{Cli, Command};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Format, Output};

pub(crate) use session::Session;

/// Runs one command and reports what came of it.
pub(crate) fn run(cli: Cli) -> Exit {
    let output = Output::new(if cli.global.json { Format::Json } else { Format::Human });
    match dispatch(cli, output) {
        Ok(exit) => exit,
        Err(error) => {
            output.error(&error);
            error.exit()
        }
    }
}

fn dispatch(cli: Cli, output: Output) -> Result<Exit, CliError> {
    let session = Session::new(cli.global, output);
    let answer = match cli.command {
        Command::InitPki(arguments) => init_pki::run(&session, &arguments),
        Command::BuildCa(arguments) => build_ca::run(&session, &arguments),
        Command::BuildServerFull(arguments) => {
            return issue(&session, CertificateKind::Server, &arguments);
        }
        Command::BuildClientFull(arguments) => {
            return issue(&session, CertificateKind::Client, &arguments);
        }
        Command::BuildServerClientFull(arguments) => {
            return issue(&session, CertificateKind::ServerClient, &arguments);
        }
        Command::Request(command) => request::run(&session, &command),
        Command::Certificate(command) => certificate::run(&session, &command),
        Command::Container(command) => container::run(&session, &command),
        Command::OpenVpnFiles(command) => openvpn_files::run(&session, &command),
        Command::Renew(arguments) => return renew::run(&session, &arguments),
        Command::Revoke(arguments) => revoke::run(&session, &arguments),
        Command::GenCrl(arguments) => gen_crl::run(&session, &arguments),
        Command::List(arguments) => return list::run(&session, &arguments),
        Command::Show(arguments) => show::run(&session, &arguments),
        Command::Expiry(arguments) => return expiry::run(&session, &arguments),
        Command::Ca(arguments) => ca::run(&session, &arguments),
        Command::Pki(arguments) => return pki::run(&session, &arguments),
        Command::VerifyChain(arguments) => verify_chain::run(&session, &arguments),
        Command::Export(arguments) => export::run(&session, &arguments),
        Command::Onboard(arguments) => onboard::run(&session, &arguments),
        Command::Offboard(arguments) => offboard::run(&session, &arguments),
        Command::Ovpn(OvpnCommand::Lint(arguments)) => return ovpn_lint::run(&session, &arguments),
        Command::Ovpn(OvpnCommand::Qr(arguments)) => ovpn_qr::run(&arguments),
        Command::Serve(arguments) => serve::run(&session, &arguments),
        Command::User(command) => user::run(&session, &command),
        Command::OpenVpn(arguments) => openvpn::run(&session, &arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Generate(arguments) => generate::run(&arguments),
    }?;
    output.answer(&answer)?;
    Ok(Exit::Success)
}

/// One certificate, or one for each row of a file.
fn issue(session: &Session, kind: CertificateKind, arguments: &IssueArgs) -> Result<Exit, CliError> {
    if let Some(file) = &arguments.from_file {
        return issue_many::run(session, kind, file, arguments);
    }
    session.output.answer(&issue::run(session, kind, arguments)?)?;
    Ok(Exit::Success)
}
