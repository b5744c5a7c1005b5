//! `verify-cert`, `check-serial`, `show-eku` and `rand`.

use pki_core::ca::RowStatus;
use pki_core::cert::Certificate;
use pki_core::chain::{self, ChainPolicy, Purpose, Request, Revocation, TrustAnchors};
use pki_core::name::FileBase;
use pki_core::random::{RandomSource, SystemSource};
use pki_core::serial::Serial;

use super::{Outcome, Words, read_file};
use crate::easyrsa::error::EasyRsaError;
use crate::easyrsa::session::Session;
use crate::output;

/// Against ca.crt, without the revocation list; the answer is an exit code in batch mode only.
pub(super) fn verify(session: &Session, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let name = words.name("verify-cert")?;
    let is_batch = words.takes(&["batch"]) || session.prompter.is_batch();
    words.finish()?;
    let authority = session.open()?;
    let certificate = authority.issued_certificate(&name)?;
    let anchors = TrustAnchors::from_certificates(authority.reader().authority()?);
    let verdict = chain::verify(&Request {
        leaf_and_intermediates: &[certificate.der()],
        anchors: &anchors,
        purpose: Purpose::Any,
        revocation: Revocation::Unchecked,
        name: None,
        policy: &ChainPolicy::general(),
        now: session.now,
    });
    let (status, cause) = match &verdict {
        Ok(_) => ("GOOD", String::new()),
        Err(rejection) => ("FAILED", format!("\n  Cause:               {rejection}")),
    };
    session
        .messages
        .notice(&format!("  Certificate name:    {name}\n  Verification status: {status}{cause}"));
    match verdict {
        Err(_) if is_batch => Err(EasyRsaError::VerificationFailed(name.to_string())),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Whether a serial number is free; in batch mode the exit code says so.
pub(super) fn serial(session: &Session, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let digits = words.required("check-serial")?;
    let is_batch = words.takes(&["batch"]) || session.prompter.is_batch();
    words.finish()?;
    let is_lower = digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let serial = Serial::from_hex(digits).filter(|_| is_lower);
    let serial = serial.ok_or_else(|| EasyRsaError::Serial(digits.escape_debug().to_string()))?;
    let row = session.open()?.row_of(&serial)?;
    if is_batch {
        return if row.is_some() { Err(EasyRsaError::SerialUsed(serial.to_string())) } else { Ok(()) };
    }
    let status = match row {
        None => format!("Serial {serial} not present in db."),
        Some(row) => {
            let status = match row.status {
                RowStatus::Valid => "Valid (V)",
                RowStatus::Expired => "Expired (E)",
                RowStatus::Revoked { .. } => "Revoked (R)",
            };
            format!("{serial}={status}")
        }
    };
    Ok(output::print(&format!("check_serial_status RESULT:\n{status}\nCOMPLETE\n"))?)
}

/// Which built-in type a certificate is of, by its purposes.
pub(super) fn show_eku(session: &Session, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let target = words.required("show-eku")?;
    words.finish()?;
    let certificate = match FileBase::parse(target) {
        Ok(name) if !std::path::Path::new(target).is_file() => session.open()?.issued_certificate(&name)?,
        _ => Certificate::from_pem(&read_file(target)?)?,
    };
    let purposes = certificate.extended_key_usage();
    let known = KNOWN_PURPOSES.iter().find(|(_, identifiers)| purposes.as_slice() == *identifiers);
    match known {
        Some((name, _)) => Ok(output::print(&format!("* Known X509v3 Extended Key Usage: '{name}'\n"))?),
        None if purposes.is_empty() && certificate.is_ca() => {
            Ok(output::print("* Known X509v3 Extended Key Usage: 'ca'\n")?)
        }
        None => Err(EasyRsaError::UnknownPurpose(target.escape_debug().to_string())),
    }
}

/// So many random octets in hexadecimal.
pub(super) fn rand(words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let text = words.required("rand")?;
    words.finish()?;
    let count = text.parse::<usize>().ok().filter(|count| (1..=MAX_RANDOM).contains(count));
    let count = count.ok_or_else(|| EasyRsaError::RandomCount(text.escape_debug().to_string()))?;
    let mut octets = vec![0; count];
    SystemSource::new().fill(&mut octets).map_err(pki_core::PkiError::from)?;
    let digits: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    Ok(output::print(&format!("{digits}\n"))?)
}

const MAX_RANDOM: usize = 1024;

/// Purposes of the types that easy-rsa brings.
const KNOWN_PURPOSES: [(&str, &[&str]); 6] = [
    ("server", &["1.3.6.1.5.5.7.3.1"]),
    ("client", &["1.3.6.1.5.5.7.3.2"]),
    ("serverClient", &["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]),
    ("codeSigning", &["1.3.6.1.5.5.7.3.3"]),
    ("email", &["1.3.6.1.5.5.7.3.4"]),
    ("kdc", &["1.3.6.1.5.2.3.5"]),
];
