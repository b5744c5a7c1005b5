//! Programs for tests.

use std::path::{Path, PathBuf};
use std::process::Command;

/// An executable shell script in this directory.
///
/// A process of its own writes it. A descriptor of ours would be inherited by whatever another test starts meanwhile, and
/// for as long as anybody has it open for writing the kernel does not execute a file.
pub(crate) fn script(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    let status = Command::new("/bin/sh")
        .args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod 755 \"$0\""])
        .arg(&path)
        .arg(text)
        .status();
    assert!(status.unwrap().success(), "{}", path.display());
    path
}
