//! The command line of `postern`: one file per command, joined here.

pub(crate) mod build_ca;
pub(crate) mod export;
pub(crate) mod gen_crl;
pub(crate) mod global;
pub(crate) mod init_pki;
pub(crate) mod issue;
pub(crate) mod key;
pub(crate) mod revoke;
pub(crate) mod serve;

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
    InitPki(init_pki::InitPkiArgs),
    BuildCa(build_ca::BuildCaArgs),
    BuildServerFull(issue::IssueArgs),
    BuildClientFull(issue::IssueArgs),
    #[command(name = "build-serverClient-full", alias = "build-server-client-full")]
    BuildServerClientFull(issue::IssueArgs),
    Revoke(revoke::RevokeArgs),
    GenCrl(gen_crl::GenCrlArgs),
    Export(export::ExportArgs),
    Serve(Box<serve::ServeArgs>),
}
