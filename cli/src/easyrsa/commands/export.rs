//! `export-p12`, `export-p7`, `export-p8` and `export-p1`.

use pki_core::bundle::pkcs12::Compatibility;
use pki_core::ca::{ExportedFiles, Pkcs12Export};
use pki_core::key::Protection;

use super::{Outcome, Words};
use crate::easyrsa::session::Session;

pub(super) fn p12(session: &Session, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let name = words.name("export-p12")?;
    let is_unprotected = words.takes(&["nopass"]);
    let with_authority = !words.takes(&["noca"]);
    let with_key = !words.takes(&["nokey"]);
    let with_name = !words.takes(&["nofn"]);
    let compatibility = if words.takes(&["legacy"]) { Compatibility::Legacy } else { Compatibility::Modern };
    words.finish()?;
    let authority = session.open()?;
    authority.issued_certificate(&name)?;
    let given = session.variables.value("EASYRSA_P12_FR_NAME").map(str::to_owned);
    let request = Pkcs12Export {
        friendly_name: with_name.then(|| given.unwrap_or_else(|| name.to_string())),
        passphrase: session.export_passphrase(is_unprotected)?,
        with_authority,
        with_key,
        compatibility,
        name,
    };
    let made = session.run(|context| authority.export_p12(&request, context))?;
    if let Some(inline) = &made.inline {
        session.messages.notice(&format!(
            "A BASE64 encoded inline file has also been created at:\n* {}",
            inline.display()
        ));
    }
    report(session, "p12", &made);
    Ok(())
}

pub(super) fn p7(session: &Session, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let name = words.name("export-p7")?;
    let with_authority = !words.takes(&["noca"]);
    words.finish()?;
    let made = session.open()?.export_p7(&name, with_authority)?;
    report(session, "p7", &made);
    Ok(())
}

/// With `nopass` easy-rsa encrypts with the empty passphrase; a key without encryption is what was asked for.
pub(super) fn p8(session: &Session, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let name = words.name("export-p8")?;
    let is_unprotected = words.takes(&["nopass"]);
    words.finish()?;
    let authority = session.open()?;
    let protection = session.export_passphrase(is_unprotected)?.map_or(Protection::None, Protection::with);
    let made = session.run(|context| authority.export_p8(&name, &protection, context))?;
    report(session, "p8", &made);
    Ok(())
}

pub(super) fn p1(session: &Session, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let name = words.name("export-p1")?;
    words.takes(&["nopass"]);
    words.finish()?;
    let authority = session.open()?;
    let made = session.run(|context| authority.export_p1(&name, context))?;
    session.messages.remark("A PKCS#1 file has no encryption that protects, so it is written without any.");
    report(session, "p1", &made);
    Ok(())
}

fn report(session: &Session, form: &str, made: &ExportedFiles) {
    session.messages.notice(&format!(
        "Successful export of {form} file. Your exported file is at:\n* {}",
        made.file.display()
    ));
}
