//! `gen-crl`, `renew-ca`, `update-db` and `upgrade`.

use pki_core::ca::{GenCrl, RenewCa};

use super::{Outcome, Words};
use crate::easyrsa::options::FORCE;
use crate::easyrsa::session::Session;

pub(super) fn gen_crl(session: &Session, words: &[String]) -> Outcome {
    Words::new(words).finish()?;
    let authority = session.open()?;
    let request = GenCrl {
        days: session.days("EASYRSA_CRL_DAYS", 180)?,
        digest: session.digest()?,
        force: session.variables.is_set(FORCE),
    };
    let list = session.run(|context| authority.gen_crl(&request, context))?;
    list.warnings.iter().for_each(|warning| session.messages.warning(warning));
    session.messages.notice(&format!(
        "An updated CRL DER copy has been created:\n* {}\n\nAn updated CRL has been created:\n* {}",
        list.file.with_extension("der").display(),
        list.file.display()
    ));
    Ok(())
}

pub(super) fn renew_ca(session: &Session, words: &[String]) -> Outcome {
    Words::new(words).finish()?;
    let authority = session.open()?;
    let request = RenewCa {
        days: session.days("EASYRSA_CA_EXPIRE", 3650)?,
        digest: session.digest()?,
        customisation: session.certificate_type("ca")?.customisation,
    };
    session.prompter.confirm(
        "WARNING!!!\n\nYou are about to renew the CA certificate with its present key. Peers need the new ca.crt.",
    )?;
    let renewed = session.run(|context| authority.renew_ca(&request, context))?;
    renewed.warnings.iter().for_each(|warning| session.messages.warning(warning));
    session.messages.notice(&format!(
        "CA certificate has been successfully renewed.\n\nYour old CA certificate has been added to the expired CA list \
         at:\n* {}\n\nYour renewed CA certificate is at:\n* {}",
        renewed.previous.display(),
        renewed.certificate.display()
    ));
    Ok(())
}

pub(super) fn update_db(session: &Session, words: &[String]) -> Outcome {
    Words::new(words).finish()?;
    let count = session.open()?.update_db(session.now)?;
    session
        .messages
        .notice(&format!("The index was updated: {count} certificates have expired since the last time."));
    Ok(())
}

/// There is nothing to upgrade: directories of easy-rsa 3 are used as they are.
pub(super) fn upgrade(session: &Session) -> Outcome {
    let authority = session.open()?;
    authority.reader().authority()?;
    session.messages.notice("This PKI needs no upgrade; nothing was changed.");
    Ok(())
}
