//! `gen-dh`, `gen-tls-*-key`, `import-tls-key`, `import-ca` and `inline`.

use pki_core::ca::TlsKeyKind;

use super::{Outcome, Words, read_file};
use crate::easyrsa::error::EasyRsaError;
use crate::easyrsa::session::Session;

pub(super) const AUTH: TlsKeyKind = TlsKeyKind::Auth;
pub(super) const CRYPT: TlsKeyKind = TlsKeyKind::Crypt;

pub(super) fn gen_dh(session: &Session, words: &[String]) -> Outcome {
    Words::new(words).finish()?;
    let authority = session.open()?;
    let bits = session.key_size()?;
    if let Some(found) = authority.existing_dh()? {
        if session.prompter.is_batch() {
            return Err(EasyRsaError::DhExists(found.display().to_string()));
        }
        session
            .prompter
            .confirm(&format!("WARNING!!!\n\nDH parameters file already exists:\n* {}", found.display()))?;
    }
    let file = authority.gen_dh(bits)?;
    session.messages.notice(&format!("DH parameters of size {bits} created at:\n* {}", file.display()));
    Ok(())
}

pub(super) fn gen_tls_key(session: &Session, kind: TlsKeyKind, words: &[String]) -> Outcome {
    Words::new(words).finish()?;
    let authority = session.open()?;
    let file = session.run(|context| authority.gen_tls_key(kind, context))?;
    let name = match kind {
        TlsKeyKind::Auth => "TLS-AUTH",
        TlsKeyKind::Crypt => "TLS-CRYPT",
    };
    session.messages.notice(&format!(
        "{name} Key generated at:\n* {}\n\nIf this file is changed then it MUST be redistributed to ALL servers AND clients.",
        file.display()
    ));
    Ok(())
}

pub(super) fn import_tls_key(session: &Session, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let file = words.required("import-tls-key")?;
    words.finish()?;
    let imported = session.open()?.import_tls_key(&read_file(file)?, session.now)?;
    session.messages.notice(&format!("TLS Key successfully imported into: {}", imported.display()));
    Ok(())
}

pub(super) fn import_ca(session: &Session, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let file = words.required("import-ca")?;
    words.finish()?;
    let list = session.open()?.import_ca(&read_file(file)?, session.now)?;
    session.messages.notice(&format!("External CA successfully imported into: {}", list.display()));
    Ok(())
}

pub(super) fn inline(session: &Session, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let name = words.name("inline")?;
    words.finish()?;
    let made = session.open()?.inline(&name)?;
    if made.warnings.is_empty() {
        session.messages.notice(&format!("Inline file created:\n* {}", made.file.display()));
    }
    made.warnings.iter().for_each(|warning| session.messages.warning(warning));
    Ok(())
}
