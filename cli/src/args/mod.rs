//! The command line of `postern`: one file per command, joined here.

pub(crate) mod build_ca;
pub(crate) mod ca;
pub(crate) mod certificate;
pub(crate) mod config;
pub(crate) mod container;
pub(crate) mod expiry;
pub(crate) mod export;
pub(crate) mod gen_crl;
pub(crate) mod generate;
pub(crate) mod global;
pub(crate) mod init_pki;
pub(crate) mod issue;
pub(crate) mod key;
pub(crate) mod list;
pub(crate) mod offboard;
pub(crate) mod onboard;
pub(crate) mod openvpn;
pub(crate) mod openvpn_files;
pub(crate) mod ovpn;
pub(crate) mod pki;
pub(crate) mod profile;
pub(crate) mod renew;
pub(crate) mod request;
pub(crate) mod revoke;
pub(crate) mod serve;
pub(crate) mod show;
pub(crate) mod span;
pub(crate) mod user;
pub(crate) mod verify_chain;

use clap::{Parser, Subcommand};

pub(crate) use global::GlobalArgs;

/// A certificate authority that replaces easy-rsa, and a VPN server that trusts it.
#[derive(Parser)]
#[command(name = "postern", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make an empty PKI directory
    InitPki(init_pki::InitPkiArgs),
    /// Make the key and certificate of the authority
    BuildCa(build_ca::BuildCaArgs),
    /// Make a key and a certificate for a server
    BuildServerFull(issue::IssueArgs),
    /// Make a key and a certificate for a client
    BuildClientFull(issue::IssueArgs),
    /// Make a key and a certificate for both ends
    #[command(name = "build-serverClient-full", alias = "build-server-client-full")]
    BuildServerClientFull(issue::IssueArgs),
    #[command(flatten)]
    Request(request::RequestCommand),
    /// Renew a certificate, or all that end soon; the old one stays valid beside it
    Renew(renew::RenewArgs),
    /// Revoke a certificate; gen-crl then publishes it
    Revoke(revoke::RevokeArgs),
    /// Sign a new revocation list and publish it as crl.pem
    GenCrl(gen_crl::GenCrlArgs),
    /// List certificates
    List(list::ListArgs),
    /// Show one certificate
    Show(show::ShowArgs),
    /// Show what ends soon; exit code 3 if something does, 4 if something has ended
    Expiry(expiry::ExpiryArgs),
    #[command(flatten)]
    Certificate(certificate::CertificateCommand),
    /// Roll the authority over, and see what depends on it
    Ca(ca::CaArgs),
    /// Check and repair the PKI directory, and verify its audit log
    Pki(pki::PkiArgs),
    /// Judge a certificate by files: exit code 0 accepted, 1 rejected, 2 nothing was judged
    VerifyChain(verify_chain::VerifyChainArgs),
    /// Write a complete client profile (.ovpn), or one in another format
    Export(Box<export::ExportArgs>),
    /// Give a client a certificate and a profile in one step; changes nothing the second time
    Onboard(Box<onboard::OnboardArgs>),
    /// Take everything back from a client: revoke all its certificates, publish that, remove its profiles
    Offboard(offboard::OffboardArgs),
    /// Judge the profiles of others, and show links to profiles as QR codes
    #[command(subcommand)]
    Ovpn(ovpn::OvpnCommand),
    #[command(flatten)]
    Container(container::ContainerCommand),
    #[command(flatten)]
    OpenVpnFiles(openvpn_files::OpenVpnFilesCommand),
    Serve(Box<serve::ServeArgs>),
    /// Look after the users that log in by password
    #[command(subcommand)]
    User(user::UserCommand),
    #[command(name = "openvpn")]
    OpenVpn(openvpn::OpenVpnArgs),
    /// Convert configuration files
    Config(config::ConfigArgs),
    /// Write the reference page, manual pages or completions of this program
    #[command(hide = true)]
    Generate(generate::GenerateArgs),
}
