//! `postern show`

use pki_core::ca::{Found, Place};
use pki_core::cert::Certificate;
use serde_json::{Value, json};

use super::Session;
use super::list::EntryObject;
use crate::args::show::ShowArgs;
use crate::error::CliError;
use crate::output::{Answer, printable};

pub(super) fn run(session: &Session, arguments: &ShowArgs) -> Result<Answer, CliError> {
    let found = session.read()?.find(&arguments.wanted, session.now)?;
    Ok(Answer { text: to_text(session, &found), value: to_value(session, &found), warnings: Vec::new() })
}

fn to_value(session: &Session, found: &Found) -> Value {
    let mut value = EntryObject::new((&found.record, found.record.state(session.now))).to_value();
    let details = found.file.as_ref().map(|file| {
        let place = json!({ "place": place_name(&file.place), "file": file.path.display().to_string() });
        (place, details(&file.certificate))
    });
    if let (Value::Object(fields), Some((Value::Object(place), Value::Object(details)))) =
        (&mut value, details)
    {
        fields.extend(place);
        fields.extend(details);
    }
    value
}

/// A certificate that stands in no index.
pub(super) fn certificate_value(certificate: &Certificate) -> Value {
    let mut value = details(certificate);
    if let Value::Object(fields) = &mut value {
        fields.insert("subject".into(), json!(certificate.subject_line()));
        fields.insert("serial".into(), json!(certificate.serial().to_string()));
        fields.insert("not_after".into(), json!(certificate.not_after().to_string()));
    }
    value
}

fn details(certificate: &Certificate) -> Value {
    json!({
        "type": certificate.kind().as_str(),
        "issuer": certificate.issuer().to_string(),
        "not_before": certificate.not_before().to_string(),
        "alternative_names": certificate.alternative_names(),
        "key": certificate.public_key_kind().to_string(),
        "signature_algorithm": certificate.signature_algorithm().to_string(),
        "fingerprint_sha256": fingerprint(certificate),
    })
}

fn to_text(session: &Session, found: &Found) -> String {
    let record = &found.record;
    let mut lines = vec![
        ("subject", record.subject.clone()),
        ("state", record.state(session.now).as_str().to_owned()),
        ("serial", record.serial.to_string()),
        ("valid to", record.not_after.to_string()),
    ];
    if let Some(mark) = record.revoked {
        let reason = mark.reason.map(|reason| format!(", {reason}")).unwrap_or_default();
        lines.push(("revoked", format!("{}{reason}", mark.at)));
    }
    match &found.file {
        Some(file) => lines.extend(certificate_lines(&file.certificate, &file.path.display().to_string())),
        None => lines.push(("file", "gone".into())),
    }
    lines.iter().map(|(label, value)| format!("{label:<11} {}\n", printable(value))).collect()
}

fn certificate_lines(certificate: &Certificate, path: &str) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("valid from", certificate.not_before().to_string()),
        ("type", certificate.kind().to_string()),
        ("issuer", certificate.issuer().to_string()),
        ("key", certificate.public_key_kind().to_string()),
        ("signature", certificate.signature_algorithm().to_string()),
        ("sha-256", fingerprint(certificate)),
        ("file", path.to_owned()),
    ];
    let names = certificate.alternative_names();
    if !names.is_empty() {
        lines.insert(2, ("names", names.join(", ")));
    }
    lines
}

fn fingerprint(certificate: &Certificate) -> String {
    let octets = certificate.fingerprint();
    octets.iter().map(|octet| format!("{octet:02X}")).collect::<Vec<String>>().join(":")
}

fn place_name(place: &Place) -> &'static str {
    match place {
        Place::Issued(_) => "issued",
        Place::Renewed(_) | Place::RenewedEarlier => "renewed",
        Place::Expired(_) => "expired",
        Place::Revoked => "revoked",
        Place::BySerial => "certs_by_serial",
    }
}
