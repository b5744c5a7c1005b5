//! `postern init-pki`

use pki_core::ca::Init;
use serde_json::json;

use super::Session;
use crate::args::init_pki::InitPkiArgs;
use crate::error::CliError;
use crate::output::Answer;

pub(super) fn run(session: &Session, _: &InitPkiArgs) -> Result<Answer, CliError> {
    let request = Init { lock: session.lock(), ..Init::default() };
    let outcome = pki_core::ca::init(&session.directory(), &request)?;
    let directory = outcome.directory.display().to_string();
    Ok(Answer {
        text: format!("PKI made in {directory}\n"),
        value: json!({ "directory": directory }),
        warnings: Vec::new(),
    })
}
