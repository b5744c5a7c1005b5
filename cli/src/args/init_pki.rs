//! `postern init-pki`

use clap::Args;

#[derive(Args)]
pub(crate) struct InitPkiArgs {}
