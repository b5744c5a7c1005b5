//! Paths inside a PKI directory: relative, without dots, safe to open from the directory's handle.

use std::fmt;

/// A file or directory below the PKI directory, with `/` between at most four components.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PkiPath(String);

impl PkiPath {
    /// A path whose components are plain names; `None` for everything that could leave the directory.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_plain = |component: &str| {
            !component.is_empty()
                && component != "."
                && component != ".."
                && component.len() <= MAX_COMPONENT
                && !component.chars().any(char::is_control)
        };
        let components = text.split('/').count();
        (components <= 4 && text.split('/').all(is_plain)).then(|| Self(text.to_owned()))
    }

    /// A path made of names that are already known to be plain.
    pub(super) fn of(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// An entry of a directory that was listed; the name is what the file system gave.
    pub(crate) fn within(directory: &str, separator: &str, name: &str) -> Self {
        Self(format!("{directory}{separator}{name}"))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The directory part, empty for the PKI directory itself, and the last component.
    pub(crate) fn split(&self) -> (&str, &str) {
        self.0.rsplit_once('/').unwrap_or(("", &self.0))
    }

    /// The directory that holds it, which must not be the PKI directory itself.
    pub(crate) fn parent(&self) -> Self {
        Self(self.split().0.to_owned())
    }

    /// Where the content of this file waits, in the same directory, until it is published.
    pub(crate) fn staged(&self) -> Self {
        let (directory, name) = self.split();
        let separator = if directory.is_empty() { "" } else { "/" };
        Self(format!("{directory}{separator}.{name}.postern-new"))
    }
}

impl fmt::Display for PkiPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

const MAX_COMPONENT: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pki_01_a_path_never_leaves_the_directory() {
        for text in ["", "/etc/passwd", "..", "a/../b", "a//b", "./a", "a/", "a\nb", "a/b/c/d/e"] {
            assert_eq!(PkiPath::parse(text), None, "{text:?}");
        }
        assert!(PkiPath::parse("private/alice@company.com.key").is_some());
    }

    #[test]
    fn pki_03_staged_content_waits_beside_its_target() {
        let path = PkiPath::parse("private/alice.key").unwrap();
        assert_eq!(path.staged().as_str(), "private/.alice.key.postern-new");
        assert_eq!(PkiPath::parse("serial").unwrap().staged().as_str(), ".serial.postern-new");
    }
}
