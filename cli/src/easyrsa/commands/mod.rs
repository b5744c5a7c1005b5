//! easy-rsa's commands: words in, one call of the authority, easy-rsa's phrases out.

mod authority;
mod check;
mod export;
mod files;
mod passphrase;
mod pki;
mod request;
mod revoke;
mod show;
mod sign;
mod write;

use pki_core::cert::CertificateKind;
use pki_core::cert::profile::SelfSigned;
use pki_core::name::{CommonName, FileBase};

use super::error::EasyRsaError;
use super::help;
use super::options::Invocation;
use super::session::Session;
use super::vars;
use crate::{input, output};

type Outcome = Result<(), EasyRsaError>;

pub(super) fn run(invocation: Invocation) -> Outcome {
    let Invocation { variables, command, words } = invocation;
    let mut session = Session::new(variables);
    let Some(command) = command else {
        return Ok(output::print(help::OVERVIEW)?);
    };
    match command.as_str() {
        "help" | "--help" | "-h" | "--usage" => return help::show(words.first().map(String::as_str)),
        "version" | "--version" => return Ok(output::print(&help::version())?),
        "init-pki" | "clean-all" => return pki::init_pki(&session, &words),
        _ => read_vars(&mut session)?,
    }
    if session.variables.is_set("EASYRSA_SSL_CONF") {
        session.messages.remark(
            "EASYRSA_SSL_CONF (--ssl-cnf) has no effect: openssl is not used. Extensions are set in x509-types or by \
             EASYRSA_EXTRA_EXTS.",
        );
    }
    dispatch(&session, &command, &words)
}

fn dispatch(session: &Session, command: &str, words: &[String]) -> Outcome {
    match command {
        "build-ca" => pki::build_ca(session, words),
        "gen-req" => request::gen_req(session, words),
        "import-req" => request::import_req(session, words),
        "sign-req" | "sign" => sign::sign_req(session, words),
        "build-server-full" => sign::build_full(session, "server", command, words),
        "build-client-full" => sign::build_full(session, "client", command, words),
        "build-serverClient-full" => sign::build_full(session, "serverClient", command, words),
        "self-sign-server" => sign::self_sign(session, SelfSigned::Server, words),
        "self-sign-client" => sign::self_sign(session, SelfSigned::Client, words),
        "renew" => sign::renew(session, words),
        "revoke" | "revoke-issued" | "revoke-expired" | "revoke-renewed" => {
            revoke::revoke(session, command, words)
        }
        "expire" => revoke::expire(session, words),
        "renew-ca" => authority::renew_ca(session, words),
        "gen-crl" => authority::gen_crl(session, words),
        "update-db" => authority::update_db(session, words),
        "upgrade" => authority::upgrade(session),
        _ => dispatch_rest(session, command, words),
    }
}

fn dispatch_rest(session: &Session, command: &str, words: &[String]) -> Outcome {
    match command {
        "gen-dh" => files::gen_dh(session, words),
        "gen-tls-auth-key" | "gen-tls-auth" => files::gen_tls_key(session, files::AUTH, words),
        "gen-tls-crypt-key" | "gen-tls-crypt" => files::gen_tls_key(session, files::CRYPT, words),
        "gen-tls-cryptv2-key" | "gen-tls-crypt-v2-key" => Err(EasyRsaError::Unavailable("TLS-CRYPT-V2")),
        "import-tls-key" => files::import_tls_key(session, words),
        "import-ca" => files::import_ca(session, words),
        "inline" => files::inline(session, words),
        "export-p12" => export::p12(session, words),
        "export-p7" => export::p7(session, words),
        "export-p8" => export::p8(session, words),
        "export-p1" => export::p1(session, words),
        "set-pass" | "set-rsa-pass" | "set-ec-pass" | "set-ed-pass" => {
            passphrase::set_pass(session, command, words)
        }
        "show-req" => show::request(session, words),
        "show-cert" => show::certificate(session, words),
        "show-ca" => show::authority(session, words),
        "show-crl" => show::revocation_list(session, words),
        "show-expire" => show::expiring(session, words),
        "show-revoke" => show::revoked(session, words),
        "show-renew" => show::renewed(session, words),
        "renewable" => show::renewable(session, words),
        "show-host" => show::host(),
        "display-dn" => show::display_dn(words),
        "display-san" => show::display_san(words),
        "default-san" => show::default_san(words),
        "show-eku" | "x509-eku" => check::show_eku(session, words),
        "verify-cert" | "verify" => check::verify(session, words),
        "serial" | "check-serial" => check::serial(session, words),
        "rand" | "random" => check::rand(words),
        "write" => write::write(session, words),
        _ => Err(EasyRsaError::UnknownCommand(command.to_owned())),
    }
}

fn read_vars(session: &mut Session) -> Outcome {
    let Some(path) = vars::find(&session.variables)? else {
        return Ok(());
    };
    let settings = vars::read(&path, &session.variables)?;
    session.variables.add_vars_file(settings);
    let path = std::path::absolute(&path).unwrap_or(path);
    session.messages.notice(&format!("Using Easy-RSA 'vars' configuration:\n* {}", path.display()));
    Ok(())
}

/// The words of a command after its name: a file name base, then options in any order.
struct Words<'a> {
    rest: Vec<&'a str>,
}

impl<'a> Words<'a> {
    fn new(words: &'a [String]) -> Self {
        Self { rest: words.iter().map(String::as_str).collect() }
    }

    /// The next word, which the command cannot do without.
    fn required(&mut self, command: &str) -> Result<&'a str, EasyRsaError> {
        match self.rest.first().filter(|word| !word.is_empty()) {
            Some(word) => {
                let word = *word;
                self.rest.remove(0);
                Ok(word)
            }
            None => Err(EasyRsaError::MissingName(command.to_owned())),
        }
    }

    fn name(&mut self, command: &str) -> Result<FileBase, EasyRsaError> {
        Ok(FileBase::parse(self.required(command)?)?)
    }

    /// Whether one of these spellings of an option is among the words.
    fn takes(&mut self, spellings: &[&str]) -> bool {
        let before = self.rest.len();
        self.rest.retain(|word| !spellings.contains(word));
        self.rest.len() != before
    }

    /// The next word, if there is one.
    fn optional(&mut self) -> Option<&'a str> {
        (!self.rest.is_empty()).then(|| self.rest.remove(0))
    }

    fn finish(&self) -> Outcome {
        match self.rest.first() {
            Some(extra) => Err(EasyRsaError::UnknownWord((*extra).to_owned())),
            None => Ok(()),
        }
    }
}

/// The value `ChangeMe` is easy-rsa's way of saying that none was set.
fn configured_name(session: &Session) -> Option<&str> {
    session.variables.value("EASYRSA_REQ_CN").filter(|name| *name != "ChangeMe")
}

/// The configured common name, or that of the files.
fn common_name(session: &Session, name: &FileBase) -> Result<CommonName, EasyRsaError> {
    match configured_name(session) {
        Some(configured) => Ok(CommonName::parse(configured)?),
        None => Ok(name.common_name().clone()),
    }
}

/// The kind behind easy-rsa's name of a type, if it is built in.
pub(super) fn built_in_kind(type_name: &str) -> Option<CertificateKind> {
    use pki_core::cert::extension::PathLength;

    Some(match type_name {
        "ca" => CertificateKind::Authority(PathLength::Unlimited),
        "server" => CertificateKind::Server,
        "client" => CertificateKind::Client,
        "serverClient" => CertificateKind::ServerClient,
        "code-signing" | "codeSigning" => CertificateKind::CodeSigning,
        "email" => CertificateKind::Email,
        _ => return None,
    })
}

/// The content of a file that somebody named on the command line.
fn read_file(path: &str) -> Result<Vec<u8>, EasyRsaError> {
    Ok(input::read_file(path.as_ref())?)
}
