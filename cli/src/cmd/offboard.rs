//! `postern offboard`

use pki_core::ca::{Offboard, Offboarded, Record};
use pki_core::crl::RevocationReason;
use pki_core::name::FileBase;
use serde_json::{Value, json};

use super::Session;
use crate::args::offboard::OffboardArgs;
use crate::error::CliError;
use crate::output::{Answer, printable};

pub(super) fn run(session: &Session, arguments: &OffboardArgs) -> Result<Answer, CliError> {
    let reason = RevocationReason::from_user(&arguments.reason)?;
    let name = FileBase::parse(&arguments.name)?;
    let authority = session.open()?;
    let in_force = authority.in_force(&name, session.now)?;
    if !in_force.is_empty() {
        session.prompter().confirm(&question(&name, &in_force))?;
    }
    let request = Offboard { name, reason: Some(reason), list_days: arguments.days };
    let done = session.run(|context| authority.offboard(&request, context))?;
    Ok(Answer {
        text: to_text(&request.name, &done),
        value: to_value(&request.name, &done),
        warnings: done.list.map(|list| list.warnings).unwrap_or_default(),
    })
}

fn question(name: &FileBase, in_force: &[Record]) -> String {
    let serials: Vec<String> = in_force.iter().map(|record| record.serial.to_string()).collect();
    format!("Revoke every certificate of {name} (serial {})?", serials.join(", "))
}

fn to_text(name: &FileBase, done: &Offboarded) -> String {
    let mut text = if changed(done) {
        format!("Offboarded: {name}\n")
    } else {
        format!("Nothing to do: {name} has been offboarded before.\n")
    };
    for revoked in &done.revoked {
        text.push_str(&format!("  revoked  {} (serial {})\n", printable(&revoked.subject), revoked.serial));
    }
    if let Some(list) = &done.list {
        text.push_str(&format!("  list     {} ({} entries)\n", list.file.display(), list.entries));
    }
    for path in &done.removed {
        text.push_str(&format!("  removed  {}\n", path.display()));
    }
    text
}

fn to_value(name: &FileBase, done: &Offboarded) -> Value {
    let revoked = done.revoked.iter().map(|revoked| {
        json!({
            "serial": revoked.serial.to_string(),
            "subject": revoked.subject,
            "revoked_at": revoked.at.to_string(),
        })
    });
    let list = done.list.as_ref().map(|list| {
        json!({
            "file": list.file.display().to_string(),
            "entries": list.entries,
            "number": list.number.to_string(),
            "next_update": list.next_update.to_string(),
        })
    });
    json!({
        "name": name.as_str(),
        "changed": changed(done),
        "revoked": revoked.collect::<Vec<_>>(),
        "revoked_before": done.revoked_before.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "crl": list,
        "removed": done.removed.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
    })
}

fn changed(done: &Offboarded) -> bool {
    !done.revoked.is_empty() || done.list.is_some() || !done.removed.is_empty()
}
