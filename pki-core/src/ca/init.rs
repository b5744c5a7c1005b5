//! `init-pki`: an empty PKI directory.

use std::path::{Path, PathBuf};

use super::{LockPolicy, OsDisk, Store};
use crate::error::PkiError;
use crate::store::{ChangeSet, FileMode, StoreError, layout};
use crate::time::Timestamp;

/// A request for an empty PKI.
#[derive(Default)]
pub struct Init {
    /// Waiting for other commands.
    pub lock: LockPolicy,
    /// Content of a `vars` file that the PKI shall begin with.
    pub vars: Option<String>,
    /// Content of the `vars.example` beside it, for people to copy from.
    pub vars_example: Option<String>,
}

/// What init-pki has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitOutcome {
    /// The new PKI directory.
    pub directory: PathBuf,
    /// Where the previous content went, if there was any.
    pub backup: Option<PathBuf>,
}

/// Makes an empty PKI, in a new or in an empty directory.
///
/// # Errors
/// [`PkiError::PkiExists`] if the directory holds anything; [`PkiError::Store`].
pub fn init(directory: &Path, request: &Init) -> Result<InitOutcome, PkiError> {
    fill(&new_store(directory)?, request)?;
    Ok(InitOutcome { directory: directory.to_path_buf(), backup: None })
}

/// A directory that holds nothing yet.
pub(super) fn new_store(directory: &Path) -> Result<Store, PkiError> {
    let disk = OsDisk::create(directory)?;
    if !disk.is_empty()? && !is_unfinished(directory)? {
        return Err(PkiError::PkiExists { directory: directory.to_path_buf() });
    }
    Ok(Store::new(disk))
}

/// Makes an empty PKI in the place of whatever is there; the previous directory stays beside it under another name.
///
/// # Errors
/// [`PkiError::Store`]; nothing is lost then.
pub fn replace(directory: &Path, request: &Init, now: Timestamp) -> Result<InitOutcome, PkiError> {
    let disk = OsDisk::create(directory)?;
    if disk.is_empty()? {
        drop(disk);
        return init(directory, request);
    }
    let previous = Store::new(disk);
    let guard = previous.lock(&request.lock)?;
    let backup = backup_name(directory, now)?;
    std::fs::rename(directory, &backup)
        .map_err(|cause| StoreError::io("move away", directory.to_path_buf(), cause))?;
    drop(guard);
    let outcome = init(directory, request)?;
    Ok(InitOutcome { backup: Some(backup), ..outcome })
}

/// Whether there is nothing but the traces of an init-pki that was interrupted, or is running.
fn is_unfinished(directory: &Path) -> Result<bool, PkiError> {
    let known = [layout::journal(), layout::lock_file()];
    let failed = |cause| StoreError::io("list", directory.to_path_buf(), cause);
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !known.iter().any(|path| name == path.as_str()) {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn fill(store: &Store, request: &Init) -> Result<(), PkiError> {
    let locked = store.lock(&request.lock)?;
    let mut changes = ChangeSet::default();
    for path in layout::initial_directories() {
        changes.directory(path);
    }
    if let Some(example) = &request.vars_example {
        changes.create(layout::vars_example(), FileMode::Private, example.as_str());
    }
    if let Some(vars) = &request.vars {
        changes.create(layout::vars(), FileMode::Private, vars.as_str());
    }
    Ok(locked.commit(changes)?)
}

/// The first free name of `DIRECTORY.backup-YYYYMMDDhhmmss`.
fn backup_name(directory: &Path, now: Timestamp) -> Result<PathBuf, PkiError> {
    let base = format!("{}.backup-{}", directory.display(), now.to_long_digits().trim_end_matches('Z'));
    let candidates = (0..100).map(|attempt| match attempt {
        0 => PathBuf::from(&base),
        _ => PathBuf::from(format!("{base}-{attempt}")),
    });
    let taken =
        || StoreError::io("move away", directory.to_path_buf(), std::io::ErrorKind::AlreadyExists.into());
    candidates.into_iter().find(|path| !path.exists()).ok_or_else(|| taken().into())
}
