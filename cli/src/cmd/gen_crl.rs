//! `postern gen-crl`

use pki_core::ca::GenCrl;
use serde_json::json;

use super::Session;
use crate::args::gen_crl::GenCrlArgs;
use crate::error::CliError;
use crate::output::Answer;

pub(super) fn run(session: &Session, arguments: &GenCrlArgs) -> Result<Answer, CliError> {
    let authority = session.open()?;
    if let Some(span) = arguments.if_expiring
        && let Some(end) = authority.reader().list_end()?.filter(|end| *end >= span.after(session.now))
    {
        return Ok(Answer {
            text: format!("The published revocation list is valid to {end}; nothing to do.\n"),
            value: json!({ "published": false, "next_update": end.to_string() }),
            warnings: Vec::new(),
        });
    }
    let request = GenCrl { days: arguments.days, digest: None, force: arguments.force };
    let list = session.run(|context| authority.gen_crl(&request, context))?;
    let file = list.file.display().to_string();
    Ok(Answer {
        text: format!(
            "Revocation list published: {file}\n  entries    {}\n  valid to   {}\n",
            list.entries, list.next_update
        ),
        value: json!({
            "file": file,
            "entries": list.entries,
            "number": list.number.to_string(),
            "next_update": list.next_update.to_string(),
        }),
        warnings: list.warnings,
    })
}
