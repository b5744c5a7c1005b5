//! Arguments of `postern generate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Args)]
pub(crate) struct GenerateArgs {
    /// What to write
    #[arg(value_enum)]
    pub(crate) artefact: Artefact,
    /// Where to; made if it does not exist, files of the same names are replaced
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}

/// What the definition of the command line is good for besides running it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Artefact {
    /// The reference page of the command line, in Markdown
    Docs,
    /// Manual pages, one for each command
    Man,
    /// Completions for bash, elvish, fish, PowerShell and zsh
    Completions,
}
