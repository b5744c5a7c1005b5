//! Several files in one ZIP archive, for handing them out together.
//!
//! They are a few kilobytes of base64, so they are stored as they are. The same files and time make the same octets.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::BundleError;
use crate::secret::SecretBytes;
use crate::time::Timestamp;

/// One file of an archive.
pub struct Entry<'a> {
    /// Its name; never a path.
    pub name: String,
    /// What is in it.
    pub content: &'a [u8],
    /// Whether only the owner may read it once it is unpacked.
    pub is_secret: bool,
}

/// Packs the files; `now` is the time that they show.
///
/// # Errors
/// [`BundleError::Archive`].
pub fn write(entries: &[Entry<'_>], now: Timestamp) -> Result<SecretBytes, BundleError> {
    let refused = |cause: &dyn std::fmt::Display| BundleError::Archive { reason: cause.to_string() };
    let mut archive = ZipWriter::new(Cursor::new(Vec::with_capacity(16 << 10)));
    for Entry { name, content, is_secret } in entries {
        if name.contains(['/', '\\']) {
            return Err(refused(&format_args!("'{}' is a path", name.escape_debug())));
        }
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(dos_time(now))
            .unix_permissions(if *is_secret { 0o600 } else { 0o644 });
        archive.start_file(name.as_str(), options).map_err(|cause| refused(&cause))?;
        archive.write_all(content).map_err(|cause| refused(&cause))?;
    }
    let packed = archive.finish().map_err(|cause| refused(&cause))?;
    Ok(SecretBytes::new(packed.into_inner()))
}

/// ZIP knows the years from 1980 to 2107 only; the time is no more than information.
fn dos_time(now: Timestamp) -> DateTime {
    let calendar = now.calendar();
    let field = |field: i64| u8::try_from(field).unwrap_or_default();
    let [month, day] = [calendar.month, calendar.day].map(field);
    let [hour, minute, second] = [calendar.hour, calendar.minute, calendar.second].map(field);
    let year = u16::try_from(calendar.year).unwrap_or_default();
    DateTime::from_date_and_time(year, month, day, hour, minute, second).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_161_600);

    fn entry<'a>(name: &str, content: &'a str, is_secret: bool) -> Entry<'a> {
        Entry { name: name.to_owned(), content: content.as_bytes(), is_secret }
    }

    #[test]
    fn another_program_unpacks_what_was_packed_with_its_modes() {
        let entries = [entry("alice.ovpn", "client\n", true), entry("README.txt", "Read me.\n", false)];
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("alice.zip");
        std::fs::write(&file, write(&entries, NOW).unwrap().expose()).unwrap();
        let listing = "import sys, zipfile\n\
            for entry in zipfile.ZipFile(sys.argv[1]).infolist():\n \
            print(entry.filename, oct(entry.external_attr >> 16 & 0o777), entry.date_time[:3], \
            zipfile.ZipFile(sys.argv[1]).read(entry))";
        let output = Command::new("python3").args(["-c", listing]).arg(&file).output().unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            "alice.ovpn 0o600 (2026, 11, 20) b'client\\n'\nREADME.txt 0o644 (2026, 11, 20) b'Read me.\\n'\n"
        );
    }

    #[test]
    fn the_same_files_make_the_same_archive() {
        let pack = || write(&[entry("a", "x", false)], NOW).unwrap();
        assert_eq!(pack().expose(), pack().expose());
    }

    #[test]
    fn cfg_02_an_archive_holds_no_paths() {
        for name in ["../a", "/etc/passwd", "a\\b"] {
            assert!(matches!(write(&[entry(name, "", false)], NOW), Err(BundleError::Archive { .. })));
        }
    }
}
