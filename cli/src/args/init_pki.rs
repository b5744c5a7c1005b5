//! `postern init-pki`

use clap::Args;

/// Make an empty PKI directory
#[derive(Args)]
pub(crate) struct InitPkiArgs {}
