//! Reads options from a TOML file.
//!
//! A key that is no option is an error, with the option that was probably meant: a misspelt `authorise` that is
//! silently skipped would be a server that denies everything, or allows too much.

use std::fs;
use std::path::Path;

use super::error::ConfigError;
use super::options::Options;

impl Options {
    /// Reads the file at `path`. Relative paths in it are taken from the file's directory.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Unreadable`], [`ConfigError::NotToml`] or [`ConfigError::UnknownKey`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let options = Self::parse(&text, path)?;
        Ok(match path.parent() {
            Some(directory) => options.relative_to(directory),
            None => options,
        })
    }

    /// Parses the text of a file; `path` is for messages only.
    fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let not_toml = |error: toml::de::Error| ConfigError::NotToml {
            path: path.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        };
        let table: toml::Table = text.parse().map_err(not_toml)?;
        if let Some((key, reason)) = REFUSED.into_iter().find(|(key, _)| table.contains_key(*key)) {
            return Err(ConfigError::RefusedKey { path: path.to_owned(), key, reason });
        }
        let is_known = |key: &str| Self::NAMES.contains(&key) || Self::TABLES.contains(&key);
        if let Some(key) = table.keys().find(|key| !is_known(key)) {
            return Err(ConfigError::UnknownKey {
                path: path.to_owned(),
                key: key.clone(),
                suggestion: nearest_name(key),
            });
        }
        toml::from_str(text).map_err(not_toml)
    }
}

/// Directives of OpenVPN that are left out on purpose, with the reason.
const REFUSED: [(&str, &str); 6] = [
    ("fragment", "packets are not cut up by the tunnel; mssfix and tun-mtu make them fit"),
    ("compress", COMPRESSION),
    ("comp-lzo", COMPRESSION),
    ("allow-compression", COMPRESSION),
    ("secret", "static keys keep no old traffic secret; clients have certificates"),
    ("ncp-disable", "ciphers are always negotiated; data-ciphers and cbc-ciphers say which"),
];
const COMPRESSION: &str = "compressed traffic betrays its content (VORACLE); clients with compression in their profile are told to \
                           compress nothing";

/// The option name that `key` is a likely misspelling of.
fn nearest_name(key: &str) -> Option<&'static str> {
    nearest(&key.replace('_', "-").to_lowercase(), Options::NAMES.iter().copied())
}

/// The name among `names` that `key` is a likely misspelling of.
pub(crate) fn nearest(key: &str, names: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    let tolerance = key.len() / 3 + 1;
    names
        .into_iter()
        .map(|name| (edit_distance(key, name), name))
        .filter(|(distance, _)| *distance <= tolerance)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein's distance: insertions, deletions and substitutions that turn `a` into `b`.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substitution = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_likely_one() {
        let cases = [
            ("authorise = []", "authorise", Some("authorize")),
            ("client_cidr = '10.8.0.0/24'", "client_cidr", Some("client-cidr")),
            ("Listen = []", "Listen", Some("listen")),
            ("routes = []", "routes", Some("route")),
            ("max-session = 1", "max-session", Some("max-sessions")),
            ("server = 'x'", "server", None),
            ("ifconfig = 'x'", "ifconfig", None),
            ("[route]\nx = 1\n[zzz]", "zzz", None),
        ];
        for (text, key, suggestion) in cases {
            let error = parse(text).unwrap_err();
            let ConfigError::UnknownKey { key: found, suggestion: suggested, .. } = &error else {
                panic!("{error:?}");
            };
            assert_eq!((found.as_str(), *suggested), (key, suggestion));
        }
    }

    #[test]
    fn key_01_what_is_left_out_on_purpose_is_refused_with_the_reason() {
        for key in ["fragment", "compress", "comp-lzo", "allow-compression", "secret", "ncp-disable"] {
            let error = parse(&format!("tun = 'a'\n{key} = 1300")).unwrap_err();
            assert_eq!(error.code(), "config-key-refused", "{key}");
            assert!(
                error.to_string().starts_with(&format!("'{key}' in postern.toml is not supported: ")),
                "{error}"
            );
        }
    }

    #[test]
    fn the_message_says_where_and_what() {
        let error = parse("tun = 'a'\nauthorise = '10.0.0.0/8'").unwrap_err();
        assert_eq!(error.to_string(), "unknown key 'authorise' in postern.toml; did you mean 'authorize'?");
        assert_eq!(error.code(), "config-key-unknown");
    }

    #[test]
    fn a_wrong_type_is_reported_with_its_line() {
        let error = parse("tun = 'a'\nmax-sessions = 'many'").unwrap_err();
        assert_eq!(error.code(), "config-file-invalid");
        assert!(error.to_string().contains("line 2"), "{error}");
        for text in ["max-sessions = -1", "keepalive = [10]", "listen = 5", "tun = ", "split-tunnel = 'yes'"]
        {
            assert_eq!(parse(text).unwrap_err().code(), "config-file-invalid", "{text}");
        }
    }

    #[test]
    fn paths_are_taken_from_the_directory_of_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("postern.toml");
        fs::write(&path, "pki = 'pki'\n").unwrap();
        assert_eq!(Options::load(&path).unwrap().pki, Some(directory.path().join("pki")));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Options::load(Path::new("/nonexistent/postern.toml")).unwrap_err();
        assert_eq!(error.code(), "config-file-unreadable");
        assert!(error.to_string().contains("/nonexistent/postern.toml"), "{error}");
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (a, b, distance) in
            [("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("dns", "dns", 0)]
        {
            assert_eq!(edit_distance(a, b), distance);
            assert_eq!(edit_distance(b, a), distance);
        }
    }

    fn parse(text: &str) -> Result<Options, ConfigError> {
        Options::parse(text, Path::new("postern.toml"))
    }
}
