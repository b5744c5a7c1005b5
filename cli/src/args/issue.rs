//! `postern build-server-full`, `build-client-full`, `build-serverClient-full`

use std::path::PathBuf;

use clap::Args;

use super::key::NewKeyArgs;

#[derive(Args)]
pub(crate) struct IssueArgs {
    /// Name of the files and of the subject, such as client1.domain.tld or alice@company.com
    #[arg(required_unless_present = "from_file")]
    pub(crate) name: Option<String>,
    /// Make one certificate for each row of a CSV file: name, and optionally san and days, as its header says
    #[arg(long, value_name = "FILE", conflicts_with = "san")]
    pub(crate) from_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) key: NewKeyArgs,
    /// Subject alternative names: DNS:name, IP:address, email:address, URI:uri, joined with commas
    #[arg(long, value_name = "NAMES", visible_alias = "subject-alt-name")]
    pub(crate) san: Option<String>,
    /// Days of validity
    #[arg(long, default_value_t = 825, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) days: u32,
}
