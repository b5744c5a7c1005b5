//! `gen-req` and `import-req`.

use pki_core::ca::GenReq;
use pki_core::name::CommonName;

use super::{Outcome, Words, common_name, read_file};
use crate::easyrsa::session::Session;

pub(super) fn gen_req(session: &Session, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let name = words.name("gen-req")?;
    let is_unprotected = words.takes(&["nopass"]);
    let with_text = words.takes(&["text"]) || session.variables.is_set("EASYRSA_TEXT_ON");
    words.finish()?;
    let authority = session.open()?;
    if let Some(found) = authority.existing_request(&name)? {
        session.prompter.confirm(&format!(
            "WARNING!!!\n\nAn existing private key or request was found:\n* {}\n\nContinuing with key generation will \
             replace it.",
            found.display()
        ))?;
    }
    let default = common_name(session, &name)?;
    let protection = session.protection(is_unprotected, &format!("Enter PEM pass phrase for {name}: "))?;
    let asked =
        session.prompter.text("Common Name (eg: your user, host, or server name)", default.as_str())?;
    let common_name = CommonName::parse(&asked)?;
    let request = GenReq {
        names: session.given_names()?,
        subject: session.subject(common_name, !session.prompter.is_batch())?,
        algorithm: session.algorithm()?,
        digest: session.digest()?,
        protection,
        customisation: session.customisation()?,
        text: with_text,
        overwrite: true,
        name,
    };
    let made = session.run(|context| authority.gen_req(&request, context))?;
    session.messages.notice(&format!(
        "Private-Key and Public-Certificate-Request files created.\nYour files are:\n* req: {}\n* key: {}",
        made.request.display(),
        made.key.display()
    ));
    Ok(())
}

pub(super) fn import_req(session: &Session, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let file = words.required("import-req")?;
    let name = words.name("import-req")?;
    words.finish()?;
    let authority = session.open()?;
    authority.import_req(&name, &read_file(file)?, session.now)?;
    session.messages.notice(&format!(
        "Request successfully imported with short-name: {name}\nThis request is now ready to be signed."
    ));
    Ok(())
}
