//! The keys that control packets are wrapped with, read from their files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pki_core::bundle::static_key::{StaticKeyError, parse_static_key, parse_tls_crypt_v2_server_key};
use vpn_proto::{StaticKey, TlsAuthSettings, TlsCryptV2Key, WrappingSettings};
use zeroize::Zeroizing;

use crate::config::WrappingPaths;

/// Why a wrapping key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WrappingKeyError {
    /// The file cannot be read.
    #[error("cannot read the --{option} key {}: {source}", path.display())]
    Unreadable {
        /// The option that names the file.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The file holds no such key.
    #[error("the --{option} key {} is not usable: {problem}", path.display())]
    Malformed {
        /// The option that names the file.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: StaticKeyError,
    },
}

impl WrappingKeyError {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "static-key-unreadable",
            Self::Malformed { problem, .. } => problem.code(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "name a file that the server may read",
            Self::Malformed { problem, .. } => problem.help(),
        }
    }
}

/// Reads the keys that `paths` names.
///
/// # Errors
/// [`WrappingKeyError`] about the first file that cannot be used.
pub fn load_wrapping(paths: &WrappingPaths) -> Result<WrappingSettings, WrappingKeyError> {
    let mut settings = if paths.plain { WrappingSettings::plain() } else { WrappingSettings::none() };
    if let Some(file) = &paths.tls_auth {
        let key = StaticKey::new(*read_static_key("tls-auth", &file.path)?);
        let (direction, digest) = (file.direction, paths.auth);
        settings = settings.with_tls_auth(TlsAuthSettings { key, direction, digest });
    }
    if let Some(path) = &paths.tls_crypt {
        settings = settings.with_tls_crypt(StaticKey::new(*read_static_key("tls-crypt", path)?));
    }
    if let Some(path) = &paths.tls_crypt_v2 {
        let key = load("tls-crypt-v2", path, parse_tls_crypt_v2_server_key)?;
        settings = settings.with_tls_crypt_v2(TlsCryptV2Key::new(&key), paths.force_cookie);
    }
    Ok(settings)
}

/// Reads the static key that the option `option` names.
///
/// # Errors
/// [`WrappingKeyError`].
pub fn read_static_key(
    option: &'static str,
    path: &Path,
) -> Result<Zeroizing<[u8; StaticKey::LENGTH]>, WrappingKeyError> {
    load(option, path, parse_static_key)
}

pub(super) fn load<T>(
    option: &'static str,
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, StaticKeyError>,
) -> Result<T, WrappingKeyError> {
    let text = fs::read_to_string(path).map(Zeroizing::new);
    let text =
        text.map_err(|source| WrappingKeyError::Unreadable { option, path: path.to_owned(), source })?;
    parse(&text).map_err(|problem| WrappingKeyError::Malformed { option, path: path.to_owned(), problem })
}

#[cfg(test)]
mod tests {
    use vpn_proto::AuthDigest;

    use super::*;
    use crate::config::TlsAuthFile;

    fn paths() -> WrappingPaths {
        WrappingPaths {
            plain: false,
            tls_auth: None,
            auth: AuthDigest::Sha256,
            tls_crypt: None,
            tls_crypt_v2: None,
            force_cookie: false,
        }
    }

    fn testdata(file: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/openvpn/pki").join(file)
    }

    #[test]
    fn all_kinds_of_keys_are_read() {
        let file: TlsAuthFile = format!("{}:0", testdata("static.key").display()).parse().unwrap();
        let paths = WrappingPaths {
            tls_auth: Some(file),
            tls_crypt: Some(testdata("static.key")),
            tls_crypt_v2: Some(testdata("tls-crypt-v2-server.key")),
            ..paths()
        };
        assert!(load_wrapping(&paths).is_ok());
    }

    #[test]
    fn a_missing_file_and_a_file_of_another_kind_are_named() {
        let missing = WrappingPaths { tls_crypt: Some("/nowhere/ta.key".into()), ..paths() };
        let error = load_wrapping(&missing).err().unwrap();
        assert_eq!(error.code(), "static-key-unreadable");
        assert!(error.to_string().starts_with("cannot read the --tls-crypt key /nowhere/ta.key: "));
        let other = WrappingPaths { tls_crypt_v2: Some(testdata("static.key")), ..paths() };
        assert_eq!(load_wrapping(&other).err().unwrap().code(), "static-key-missing");
    }
}
