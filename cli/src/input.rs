//! Files that somebody named on the command line.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::CliError;

/// The content of a file, as much of it as anything that is imported can have.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, CliError> {
    let failed = |cause| CliError::File { operation: "read", path: path.to_path_buf(), cause };
    let mut content = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_IMPORT).read_to_end(&mut content).map_err(failed)?;
    Ok(content)
}

/// Threat model PKI-12.
const MAX_IMPORT: u64 = 16 << 20;
