//! What a fuzzer does with files in OpenVPN's language: configurations of servers, profiles of clients.

use std::path::PathBuf;

use vpn_server::stock::{self, Surroundings};

/// Reads a file, and translates what can be read; what becomes of a directive is said for each.
pub(crate) fn profile(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let Ok(directives) = stock::parse("fuzz.ovpn", &text) else { return };
    let surroundings = Surroundings {
        directory: PathBuf::from("/nonexistent"),
        free_device: "tun0".to_owned(),
        inline_directory: None,
    };
    if let Ok(translation) = stock::translate(&directives, &surroundings) {
        let reported = translation.report.to_string();
        assert!(!reported.contains('\u{1b}'), "a control character reached the report: {reported}");
    }
}
