//! `postern ca status` and `postern ca roll-over`

use pki_core::ca::{AuthorityGeneration, AuthorityKey, Record, RollOver};
use serde_json::{Value, json};

use super::Session;
use super::build_ca::key_in_token;
use crate::args::ca::{CaArgs, CaCommand, RollOverArgs};
use crate::error::CliError;
use crate::output::{Answer, printable};

pub(super) fn run(session: &Session, arguments: &CaArgs) -> Result<Answer, CliError> {
    match &arguments.command {
        CaCommand::Status => status(session),
        CaCommand::RollOver(arguments) => roll_over(session, arguments),
    }
}

fn status(session: &Session) -> Result<Answer, CliError> {
    let status = session.read()?.authority_status(session.now)?;
    let key = match session.ca_key()? {
        Some(uri) => Some(uri.to_string()),
        None => status.key.as_ref().map(ToString::to_string),
    };
    let mut text: String = status.generations.iter().map(to_text).collect();
    text.push_str(&format!("Key of the current one: {}\n", printable(key.as_deref().unwrap_or("elsewhere"))));
    if !status.unknown.is_empty() {
        text.push_str(&format!(
            "{} certificates have no file that tells who signed them.\n",
            status.unknown.len()
        ));
    }
    Ok(Answer {
        text,
        value: json!({
            "key": key,
            "generations": status.generations.iter().map(to_value).collect::<Vec<Value>>(),
            "unknown": names(&status.unknown),
        }),
        warnings: Vec::new(),
    })
}

fn to_text(generation: &AuthorityGeneration) -> String {
    let certificate = &generation.certificate;
    let (role, advice) = match (generation.is_current, generation.dependents.len()) {
        (true, _) => ("current", String::new()),
        (false, 0) => ("earlier", "  Nothing depends on it: it may be taken out of ca.crt.\n".into()),
        (false, _) => {
            ("earlier", format!("  Still in use by: {}\n", names(&generation.dependents).join(", ")))
        }
    };
    format!(
        "{} ({role})\n  serial     {}\n  valid to   {}\n  in force   {} certificates\n{}",
        printable(&certificate.subject_line()),
        certificate.serial(),
        certificate.not_after(),
        generation.dependents.len(),
        printable_lines(&advice)
    )
}

fn printable_lines(text: &str) -> String {
    text.lines().map(|line| printable(line) + "\n").collect()
}

fn to_value(generation: &AuthorityGeneration) -> Value {
    json!({
        "subject": generation.certificate.subject_line(),
        "serial": generation.certificate.serial().to_string(),
        "not_after": generation.certificate.not_after().to_string(),
        "current": generation.is_current,
        "dependents": names(&generation.dependents),
    })
}

fn names(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| record.common_name.clone()).collect()
}

fn next_key(session: &Session, arguments: &RollOverArgs) -> Result<AuthorityKey, CliError> {
    if arguments.same_key {
        return Ok(AuthorityKey::Same);
    }
    if let Some(uri) = &arguments.pkcs11 {
        return Ok(AuthorityKey::InToken(key_in_token(uri.parse()?, &arguments.key)?));
    }
    Ok(AuthorityKey::New {
        algorithm: arguments.key.algorithm()?,
        protection: session.protection(arguments.key.is_unprotected(), "New passphrase of the CA key: ")?,
    })
}

fn roll_over(session: &Session, arguments: &RollOverArgs) -> Result<Answer, CliError> {
    let authority = session.open()?;
    let key = next_key(session, arguments)?;
    let request = RollOver { key, days: arguments.days, digest: arguments.key.digest() };
    session.prompter().confirm("Replace the certificate of the authority?")?;
    let rolled = session.run(|context| authority.roll_over(&request, context))?;
    let bundle = rolled.bundle.display().to_string();
    let cross = rolled.cross.map(|path| path.display().to_string());
    let next_steps = match &cross {
        Some(cross) => format!(
            "  Hand {bundle} out to servers and clients, run gen-crl, and append {cross} to the certificate of each \
             server that is renewed before all clients have it.\n"
        ),
        None => {
            format!("  Hand {bundle} out to servers and clients before the old one ends, and run gen-crl.\n")
        }
    };
    Ok(Answer {
        text: format!(
            "The authority has been rolled over: {bundle}\n  serial     {}\n  valid to   {}\n{next_steps}",
            rolled.serial, rolled.not_after
        ),
        value: json!({
            "certificate": bundle,
            "cross": cross,
            "serial": rolled.serial.to_string(),
            "not_after": rolled.not_after.to_string(),
        }),
        warnings: rolled.warnings,
    })
}
