//! `set-pass` and its older names.

use pki_core::ca::{KeyName, set_pass_of_file};
use pki_core::key::Protection;
use pki_core::name::FileBase;

use super::{Outcome, Words};
use crate::easyrsa::session::Session;

pub(super) fn set_pass(session: &Session, command: &str, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let name = words.required(command)?;
    let is_unprotected = words.takes(&["nopass"]);
    let is_file = words.takes(&["file"]);
    words.finish()?;
    session.messages.notice(
        "If the key is encrypted then you must supply the current password.\nYou will then enter a new password for this \
         key.",
    );
    let is_removed = std::cell::Cell::new(false);
    let protection = || {
        let chosen = session.protection(is_unprotected, "Enter new pass phrase: ");
        let chosen = chosen.map_err(|error| error.to_string())?;
        is_removed.set(matches!(chosen, Protection::None));
        Ok(chosen)
    };
    if is_file {
        let path = std::path::Path::new(name);
        session.run(|context| set_pass_of_file(path, protection, context))?;
    } else {
        let key = if name == "ca" { KeyName::Authority } else { KeyName::Of(FileBase::parse(name)?) };
        let authority = session.open()?;
        session.run(|context| authority.set_pass(&key, protection, context))?;
    }
    let outcome = if is_removed.get() { "removed" } else { "changed" };
    session.messages.notice(&format!("Key passphrase successfully {outcome}"));
    Ok(())
}
