//! A revocation list as text in OpenSSL's form, and as JSON.

use pki_core::cert::dump::openssl_date;
use pki_core::crl::{Crl, RevocationReason};
use serde_json::{Value, json};

pub(crate) fn to_value(list: &Crl) -> Value {
    let entries = list.entries().iter().map(|entry| {
        json!({
            "serial": entry.serial().to_string(),
            "revoked_at": entry.revoked_at().to_string(),
            "reason": entry.reason().map(RevocationReason::as_str),
        })
    });
    json!({
        "issuer": list.issuer().to_string(),
        "number": list.number().map(ToString::to_string),
        "this_update": list.this_update().to_string(),
        "next_update": list.next_update().to_string(),
        "signature_algorithm": list.signature_algorithm().to_string(),
        "entries": entries.collect::<Vec<Value>>(),
    })
}

/// As `openssl crl -text` prints it.
pub(crate) fn to_text(list: &Crl) -> String {
    let mut text = format!(
        "Certificate Revocation List (CRL):\n        Version 2 (0x1)\n        Signature Algorithm: {}\n        Issuer: \
         {}\n        Last Update: {}\n        Next Update: {}\n",
        list.signature_algorithm(),
        list.issuer(),
        openssl_date(list.this_update()),
        openssl_date(list.next_update()),
    );
    if let Some(number) = list.number() {
        text.push_str(&format!(
            "        CRL extensions:\n            X509v3 CRL Number: \n                0x{number}\n"
        ));
    }
    text.push_str(if list.entries().is_empty() {
        "No Revoked Certificates.\n"
    } else {
        "Revoked Certificates:\n"
    });
    for entry in list.entries() {
        text.push_str(&format!(
            "    Serial Number: {}\n        Revocation Date: {}\n",
            entry.serial(),
            openssl_date(entry.revoked_at())
        ));
        if let Some(reason) = entry.reason() {
            text.push_str(&format!(
                "        CRL entry extensions:\n            X509v3 CRL Reason Code: \n                {}\n",
                spelled_out(reason)
            ));
        }
    }
    text
}

fn spelled_out(reason: RevocationReason) -> String {
    let mut words = String::new();
    let mut previous_is_lower = false;
    for character in reason.as_str().chars() {
        if character.is_ascii_uppercase() && previous_is_lower {
            words.push(' ');
        }
        previous_is_lower = character.is_ascii_lowercase();
        words.push(if words.is_empty() { character.to_ascii_uppercase() } else { character });
    }
    words.replace("CACompromise", "CA Compromise")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_spelled_out_as_openssl_does() {
        let shown =
            [RevocationReason::KeyCompromise, RevocationReason::CaCompromise, RevocationReason::Superseded];
        assert_eq!(shown.map(spelled_out), ["Key Compromise", "CA Compromise", "Superseded"]);
    }
}
