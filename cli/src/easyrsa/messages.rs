//! Notices and errors in easy-rsa's shape.
//!
//! Notices go to stdout as in easy-rsa, errors to stderr; scripts that look for phrases merge the two.

use pki_core::time::Timestamp;

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

    pub(super) fn warning(self, warning: &pki_core::ca::Warning) {
        if !self.is_silent {
            output::to_stderr(&format!("\nWARNING\n=======\n{}\n", warning_text(warning)));
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

/// `Feb 22 07:21:48 2029 GMT`
pub(super) fn openssl_date(at: Timestamp) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let date = at.calendar();
    let month = usize::try_from(date.month - 1).ok().and_then(|month| MONTHS.get(month));
    format!(
        "{} {:>2} {:02}:{:02}:{:02} {} GMT",
        month.unwrap_or(&"???"),
        date.day,
        date.hour,
        date.minute,
        date.second,
        date.year
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_look_as_openssl_prints_them() {
        let at = Timestamp::from_calendar(2029, 2, 3, 7, 21, 48).unwrap();
        assert_eq!(openssl_date(at), "Feb  3 07:21:48 2029 GMT");
    }
}
