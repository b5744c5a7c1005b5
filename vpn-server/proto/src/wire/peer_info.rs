//! What a client says of itself: lines `KEY=value` in its key-method-2 message.
//!
//! Data from outside: bounded, printable, never used for authorization (ACL-07).

use std::collections::BTreeMap;
use std::sync::Arc;

/// The most entries that are kept.
pub const MAX_ENTRIES: usize = 64;
/// The longest line that is kept, in octets.
pub const MAX_LINE: usize = 256;

/// A client's own description; copies share it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerInfo {
    entries: Arc<BTreeMap<String, String>>,
}

impl PeerInfo {
    /// Reads the lines; those of unknown form, over-long ones and any beyond the first 64 are left out.
    /// Characters outside printable ASCII become `_`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let entries = text
            .lines()
            .filter(|line| line.len() <= MAX_LINE)
            .filter_map(|line| line.split_once('='))
            .filter(|(key, _)| is_known_key(key))
            .map(|(key, value)| (key.to_owned(), printable(value)))
            .take(MAX_ENTRIES)
            .collect();
        Self { entries: Arc::new(entries) }
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.get(key).map(String::as_str)
    }

    /// Keys and values in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The client's version, as in `2.6.14`.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.get("IV_VER")
    }

    /// The client's platform: `linux`, `win`, `mac`, `ios`, `android` and others.
    #[must_use]
    pub fn platform(&self) -> Option<&str> {
        self.get("IV_PLAT")
    }

    /// Whether the client takes the `dns` option in its final form, as OpenVPN 2.7 does.
    #[must_use]
    pub fn understands_dns_option(&self) -> bool {
        const DNS_OPTION: u32 = 1 << 11;
        self.protocol_bits() & DNS_OPTION != 0
    }

    pub(crate) fn protocol_bits(&self) -> u32 {
        self.get("IV_PROTO").and_then(|bits| bits.parse().ok()).unwrap_or(0)
    }
}

/// Keys that clients are known to send; `ID` is a wish of newer clients about peer ids.
fn is_known_key(key: &str) -> bool {
    let well_formed = key.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_');
    well_formed && (key.starts_with("IV_") || key.starts_with("UV_") || key == "ID")
}

fn printable(value: &str) -> String {
    value.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_stock_client_sends() {
        let info = PeerInfo::parse(
            "IV_VER=2.6.14\nIV_PLAT=linux\nIV_PROTO=990\nIV_CIPHERS=AES-256-GCM:AES-128-GCM\n",
        );
        assert_eq!(info.version(), Some("2.6.14"));
        assert_eq!(info.platform(), Some("linux"));
        assert_eq!(info.protocol_bits(), 990);
    }

    #[test]
    fn acl_07_keeps_64_entries_and_no_more() {
        let lines = |count| (0..count).map(|n| format!("UV_{n:03}=x\n")).collect::<String>();
        assert_eq!(PeerInfo::parse(&lines(64)).iter().count(), 64);
        assert_eq!(PeerInfo::parse(&lines(65)).iter().count(), 64);
    }

    #[test]
    fn acl_07_leaves_out_long_lines_and_foreign_keys_and_escapes_the_rest() {
        let at_limit = format!("UV_A={}", "x".repeat(MAX_LINE - 5));
        let past_limit = format!("UV_B={}", "x".repeat(MAX_LINE - 4));
        let info = PeerInfo::parse(&format!(
            "{at_limit}\n{past_limit}\nPATH=/bin\nIV_$(x)=1\nUV_C=a\x1b[31mb\u{202e}\n"
        ));
        assert!(info.get("UV_A").is_some());
        assert_eq!(info.get("UV_B"), None);
        assert_eq!(info.get("PATH"), None);
        assert_eq!(info.get("UV_C"), Some("a_[31mb_"));
        assert_eq!(info.iter().count(), 2);
    }
}
