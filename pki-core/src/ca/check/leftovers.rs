//! What interrupted commands leave: staged files of ours, working directories and lock files of easy-rsa.

use super::{Check, Fix, Severity};
use crate::error::PkiError;
use crate::store::{PkiPath, layout};

pub(super) fn check(check: &mut Check<'_>) -> Result<(), PkiError> {
    if check.store.exists(&layout::journal())? {
        let advice = "any command that changes the PKI completes or undoes it by itself";
        check.report(
            Severity::Warning,
            "interrupted-change",
            layout::journal(),
            ["a command was interrupted", advice],
        );
    }
    for directory in layout::known_directories() {
        for name in check.store.entries(&directory)? {
            let path = join(&directory, &name);
            if is_staged(&name) {
                let problem = "a temporary file was left behind";
                check.report(Severity::Notice, "leftover-file", &path, [problem, "remove it"]);
                check.with_fix(Fix::Remove(path));
            } else if directory.is_empty() && is_easyrsas_working_directory(&name) {
                let problem =
                    "easy-rsa was interrupted and left a working directory, perhaps with a private key";
                check.report(Severity::Warning, "leftover-directory", &path, [problem, "remove it"]);
                check.with_fix(Fix::RemoveDirectory(path));
            }
        }
    }
    Ok(())
}

fn join(directory: &str, name: &str) -> PkiPath {
    let separator = if directory.is_empty() { "" } else { "/" };
    PkiPath::within(directory, separator, name)
}

/// `.NAME.postern-new`
fn is_staged(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".postern-new")
}

/// Eight hexadecimal digits.
fn is_easyrsas_working_directory(name: &str) -> bool {
    name.len() == 8 && name.bytes().all(|digit| digit.is_ascii_hexdigit())
}
