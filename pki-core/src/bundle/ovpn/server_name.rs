//! The name that a client asks of its server's certificate.

use std::fmt;

use super::ProfileError;
use crate::name::CommonName;

/// The common name of the server's certificate, as `verify-x509-name` compares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerName(CommonName);

impl ServerName {
    /// Reads a common name that can stand between double quotes.
    ///
    /// # Errors
    /// [`ProfileError::ServerName`].
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let refused = || ProfileError::ServerName { name: text.escape_debug().to_string() };
        let name = CommonName::parse(text).map_err(|_| refused())?;
        if name.as_str().contains(['"', '\'', '\\', '<', '>', '\u{feff}']) {
            return Err(refused());
        }
        Ok(Self(name))
    }

    /// The name without quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cfg_01_a_server_name_cannot_leave_its_quotes() {
        for name in ["server", "VPN Server 1", "vpn.example.net", "jürgen"] {
            assert_eq!(ServerName::parse(name).unwrap().as_str(), name);
        }
        for name in ["", "a\"b", "a\\", "a\nup x", "<ca>", "it's", "a\u{202e}b"] {
            assert!(matches!(ServerName::parse(name), Err(ProfileError::ServerName { .. })), "{name:?}");
        }
    }
}
