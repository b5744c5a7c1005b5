//! The revocation list as a file that changes under a running server.
//!
//! A list comes into force when it is well-formed, signed by a trusted authority and newer than the one before
//! (CRL-02). The list in force is copied to the state directory, so that neither a restart nor the removal of the file
//! makes the server forget what it knew: an older list is refused after a restart too, and a list that was there and is
//! gone counts as lost, not as never written.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pki_core::chain::TrustAnchors;
use pki_core::crl::{Crl, CrlRefusal, CrlSummary, MAX_FILE_SIZE, Replacement, RevocationIndex};
use tracing::{info, warn};

use crate::config::CredentialPaths;
use crate::runtime::files::write_atomically;

/// What is known about revocations.
#[derive(Clone, Debug)]
pub enum RevocationState {
    /// No list is configured: nothing is ever revoked.
    Unchecked,
    /// The PKI has never written a list: nothing is revoked yet.
    NothingRevokedYet,
    /// A list is in force.
    InForce(Arc<RevocationIndex>),
    /// A list was there and is gone: nobody is let in until it is back.
    Lost {
        /// The last list that was in force.
        last: Arc<RevocationIndex>,
    },
}

/// Why a revocation list did not come into force.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationError {
    /// The file is configured and does not exist.
    #[error("the revocation list {} does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the revocation list {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The file was read and refused.
    #[error("the revocation list {} is not used: {refusal}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        refusal: CrlRefusal,
    },
}

/// What reading the file led to.
#[derive(Debug)]
pub(super) enum Reading {
    /// The same list as before.
    Unchanged,
    /// Another state than before.
    Changed(RevocationState),
    /// The state stays as it is, although the file says something else.
    Kept(RevocationError),
}

/// The file, and the last list that was in force.
#[derive(Debug)]
pub(super) struct RevocationFile {
    path: PathBuf,
    may_be_missing: bool,
    remembered: PathBuf,
    in_force: Option<Arc<RevocationIndex>>,
    is_lost: bool,
}

impl RevocationError {
    /// Stable name of this cause.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "crl-file-missing",
            Self::Unreadable { .. } => "crl-file-unreadable",
            Self::Refused { refusal, .. } => refusal.code(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "write it with 'postern gen-crl'",
            Self::Unreadable { .. } => {
                "check the permissions of the file; gen-crl writes it readable for everybody"
            }
            Self::Refused { refusal, .. } => refusal.help(),
        }
    }
}

impl RevocationState {
    /// The state that a server would start with.
    ///
    /// # Errors
    ///
    /// [`RevocationError`] when the list is not usable and no former one is known.
    pub fn read(
        credentials: &CredentialPaths,
        state_directory: &Path,
        anchors: &TrustAnchors,
    ) -> Result<Self, RevocationError> {
        match RevocationFile::new(credentials, state_directory, anchors) {
            Some(mut file) => file.initial_state(anchors),
            None => Ok(Self::Unchecked),
        }
    }

    /// The list in force, or the last one that was.
    #[must_use]
    pub const fn latest_index(&self) -> Option<&Arc<RevocationIndex>> {
        match self {
            Self::Unchecked | Self::NothingRevokedYet => None,
            Self::InForce(index) | Self::Lost { last: index } => Some(index),
        }
    }

    /// The list that expires first among those in force.
    pub(super) fn first_to_expire(&self) -> Option<&CrlSummary> {
        match self {
            Self::InForce(index) => index.summaries().min_by_key(|list| list.next_update),
            Self::Unchecked | Self::NothingRevokedYet | Self::Lost { .. } => None,
        }
    }
}

impl RevocationFile {
    /// The file that `credentials` name, if they name one, with what `state_directory` remembers of it.
    pub(super) fn new(
        credentials: &CredentialPaths,
        state_directory: &Path,
        anchors: &TrustAnchors,
    ) -> Option<Self> {
        let path = credentials.revocation_list()?;
        let may_be_missing = matches!(credentials, CredentialPaths::Pki { .. });
        let remembered = state_directory.join("crl-in-force.pem");
        let in_force = recall(&remembered, anchors).map(Arc::new);
        Some(Self { path, may_be_missing, remembered, in_force, is_lost: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The state to start with.
    ///
    /// # Errors
    ///
    /// [`RevocationError`] when the file is not usable and there is nothing remembered to fall back on.
    pub(super) fn initial_state(
        &mut self,
        anchors: &TrustAnchors,
    ) -> Result<RevocationState, RevocationError> {
        let remembered = self.in_force.clone();
        match (self.read(anchors), remembered) {
            (Reading::Changed(state), _) => Ok(state),
            (Reading::Unchanged, Some(index)) => Ok(RevocationState::InForce(index)),
            (Reading::Unchanged, None) => Ok(RevocationState::NothingRevokedYet),
            (Reading::Kept(error), Some(index)) => {
                warn!(code = error.code(), %error, "continuing with the list that was in force before the restart");
                Ok(RevocationState::InForce(index))
            }
            (Reading::Kept(error), None) => Err(error),
        }
    }

    /// Reads the file and decides whether it comes into force.
    pub(super) fn read(&mut self, anchors: &TrustAnchors) -> Reading {
        let content = match read_bounded(&self.path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.note_missing(),
            Err(source) => {
                return Reading::Kept(RevocationError::Unreadable { path: self.path.clone(), source });
            }
        };
        match self.judge(&content, anchors) {
            Ok((Replacement::Unchanged, _)) if !self.is_lost => Reading::Unchanged,
            Ok((Replacement::Unchanged | Replacement::Newer, index)) => {
                let index = Arc::new(index);
                self.in_force = Some(Arc::clone(&index));
                self.is_lost = false;
                Reading::Changed(RevocationState::InForce(index))
            }
            Err(refusal) => Reading::Kept(RevocationError::Refused { path: self.path.clone(), refusal }),
        }
    }

    /// Keeps a copy of the list that came into force, for the time after a restart. Without one the server still
    /// works, so a failure is only logged.
    pub(super) fn remember(&self) {
        let copied =
            read_bounded(&self.path).and_then(|content| write_atomically(&self.remembered, &content));
        if let Err(error) = copied {
            warn!(path = %self.remembered.display(), %error, "cannot keep a copy of the revocation list");
        }
    }

    fn note_missing(&mut self) -> Reading {
        match &self.in_force {
            Some(_) if self.is_lost => Reading::Unchanged,
            Some(last) => {
                self.is_lost = true;
                Reading::Changed(RevocationState::Lost { last: Arc::clone(last) })
            }
            None if self.may_be_missing => Reading::Unchanged,
            None => Reading::Kept(RevocationError::Missing { path: self.path.clone() }),
        }
    }

    fn judge(
        &self,
        content: &[u8],
        anchors: &TrustAnchors,
    ) -> Result<(Replacement, RevocationIndex), CrlRefusal> {
        let index = RevocationIndex::build(anchors.crl_issuers(), Crl::parse_file(content)?)?;
        let replacement = match &self.in_force {
            Some(in_force) => index.check_successor_of(in_force)?,
            None => Replacement::Newer,
        };
        Ok((replacement, index))
    }
}

/// What was in force before a restart. A list of authorities that are no longer trusted means nothing.
fn recall(remembered: &Path, anchors: &TrustAnchors) -> Option<RevocationIndex> {
    let content = match read_bounded(remembered) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            warn!(path = %remembered.display(), %error, "cannot read the revocation list of the last run");
            return None;
        }
    };
    let index = Crl::parse_file(&content)
        .map_err(CrlRefusal::from)
        .and_then(|lists| RevocationIndex::build(anchors.crl_issuers(), lists));
    match index {
        Ok(index) => Some(index),
        Err(refusal) => {
            info!(%refusal, "the revocation list of the last run does not apply any more");
            None
        }
    }
}

/// Reads a file that may be as large as a list may be, and one octet more, so that too large is noticed.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let limit = u64::try_from(MAX_FILE_SIZE).unwrap_or(u64::MAX).saturating_add(1);
    let mut content = Vec::new();
    file.take(limit).read_to_end(&mut content)?;
    Ok(content)
}
