//! The token that holds the authority's key: whether the directory names one, and whether it is the right one.
//!
//! A token that is not there is no fault: the key of an offline authority is locked away most of the time. Nobody is
//! asked for a PIN; public keys can be read without.

use super::{Check, Severity};
use crate::ca::{KeyPlace, PkiReader};
use crate::error::PkiError;
use crate::key::pkcs11::{Access, LockedToken, Pkcs11Uri, TokenError};
use crate::store::layout;

pub(super) fn check(check: &mut Check<'_>, reader: &PkiReader<'_>) -> Result<(), PkiError> {
    let path = layout::authority_token();
    let uri = match reader.key_place() {
        Ok(KeyPlace::Token(uri)) => uri,
        Err(PkiError::TokenFile { cause, .. }) => {
            let advice = "write the URI of the key into it, or remove it if the key is in private/ca.key";
            check.report(Severity::Error, "token-unreadable", &path, [&cause.to_string(), advice]);
            return Ok(());
        }
        // Others that may read the file, and an authority without any key, are found elsewhere.
        Ok(KeyPlace::File(_)) | Err(_) => return Ok(()),
    };
    if check.store.exists(&layout::authority_key())? {
        let problem = "there is a key file beside the token that holds the authority's key";
        let advice = "it is not used: move it away after making sure that it is not needed";
        check.report(Severity::Warning, "key-beside-token", layout::authority_key(), [problem, advice]);
    }
    check_key(check, &uri);
    Ok(())
}

fn check_key(check: &mut Check<'_>, uri: &Pkcs11Uri) {
    let path = layout::authority_token();
    match public_key(uri) {
        Ok(Some(info)) => {
            let is_foreign = |authority: &crate::cert::Certificate| authority.public_key_info() != info;
            if check.authority.as_ref().is_some_and(is_foreign) {
                let problem = "the key in the token is not the key of ca.crt";
                let advice = "correct the URI, or put the certificate back that belongs to the key";
                check.report(Severity::Error, "token-mismatch", &path, [problem, advice]);
            }
        }
        Ok(None) => {
            let problem = "the token shows no such public key without its PIN";
            let advice = "nothing to do if signing works; otherwise correct object= or id= in the URI";
            check.report(Severity::Notice, "token-key-unseen", &path, [problem, advice]);
        }
        Err(cause) => {
            let advice = "nothing to do if it is kept offline: it is needed for signing only";
            check.report(Severity::Notice, "token-unreachable", &path, [&cause.to_string(), advice]);
        }
    }
}

fn public_key(uri: &Pkcs11Uri) -> Result<Option<Vec<u8>>, TokenError> {
    LockedToken::find(uri, Access::Use)?.public_key_info(uri)
}
