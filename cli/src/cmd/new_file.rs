//! Files that must not replace others, and that only their owner may read.

use std::fs::{OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::error::CliError;

/// A new file that only its owner can read, whatever the umask says.
pub(super) fn write_new(path: &Path, content: impl AsRef<[u8]>) -> Result<(), CliError> {
    let failed = |cause| CliError::File { operation: "write", path: path.to_path_buf(), cause };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let written = file
        .set_permissions(Permissions::from_mode(0o600))
        .and_then(|()| file.write_all(content.as_ref()))
        .and_then(|()| file.sync_all());
    if let Err(cause) = written {
        // Half a file is worse than none; that it could not be removed would not change the answer.
        let _ = std::fs::remove_file(path);
        return Err(failed(cause));
    }
    Ok(())
}
