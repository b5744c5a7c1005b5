//! Notices and errors in easy-rsa's shape.
//!
//! Notices go to stdout as in easy-rsa, errors to stderr; scripts that look for phrases merge the two.

use pki_core::ca::Warning;

use super::error::EasyRsaError;
use crate::output::{self, warning_text};

/// What is said at all.
#[derive(Clone, Copy, Default)]
pub(super) struct Messages {
    /// No notices and warnings.
    pub(super) is_silent: bool,
    /// Nothing of what openssl would say.
    pub(super) is_openssl_silent: bool,
}

impl Messages {
    /// A heading with text under it.
    pub(super) fn notice(self, text: &str) {
        if !self.is_silent {
            // A notice that nobody can read any more does not undo what was done.
            let _ = output::print(&format!("\nNotice\n------\n{text}\n"));
        }
    }

    pub(super) fn warning(self, warning: &Warning) {
        match warning {
            Warning::IncompleteInline { path, missing } => self.remark(&format!(
                "INCOMPLETE Inline file created:\n* {}\n\nMissing: {}",
                path.display(),
                missing.join(", ")
            )),
            Warning::ExposedKey { .. }
            | Warning::WeakEncryption { .. }
            | Warning::NotGranted { .. }
            | Warning::OutlivesAuthority { .. } => self.remark(&warning_text(warning)),
        }
    }

    /// Something that is not as it should be, but no reason to stop.
    pub(super) fn remark(self, text: &str) {
        if !self.is_silent {
            output::to_stderr(&format!("\nWARNING\n=======\n{text}\n"));
        }
    }

    /// What openssl says on stderr at this point, which scripts look for.
    pub(super) fn openssl(self, text: &str) {
        if !self.is_openssl_silent {
            output::to_stderr(&format!("{text}\n"));
        }
    }

    pub(super) fn error(self, error: &EasyRsaError) {
        output::to_stderr(&format!("\nEasy-RSA error:\n\n{}\n\n", error.text()));
    }
}
