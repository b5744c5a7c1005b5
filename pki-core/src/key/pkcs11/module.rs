//! Shared objects that reach tokens.
//!
//! PKCS#11 has one state per process and module, not one per caller. A module is therefore loaded and initialised once,
//! and stays until the process ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};

use super::TokenError;

static LOADED: Mutex<BTreeMap<PathBuf, Pkcs11>> = Mutex::new(BTreeMap::new());

/// The module in this shared object, ready for use.
pub(super) fn load(path: &Path) -> Result<Pkcs11, TokenError> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(module) = loaded.get(path) {
        return Ok(module.clone());
    }
    let unusable =
        |reason: Error| TokenError::Module { path: path.to_path_buf(), reason: reason_of(&reason) };
    let module = Pkcs11::new(path).map_err(unusable)?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(cause) => return Err(unusable(cause)),
    }
    loaded.insert(path.to_path_buf(), module.clone());
    Ok(module)
}

/// The library's own texts are paragraphs of the standard; its names are what people search for.
pub(super) fn reason_of(error: &Error) -> String {
    if let Error::Pkcs11(value, function) = error {
        return format!("{function} answers {value:?}");
    }
    if let Error::LibraryLoading(cause) = error {
        return cause.to_string();
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_module_is_refused_with_its_path() {
        for path in ["/nonexistent/module.so", "/etc/passwd"] {
            let refusal = load(Path::new(path)).unwrap_err();
            assert!(matches!(&refusal, TokenError::Module { path: named, .. } if named == Path::new(path)));
        }
    }
}
