//! Names that tell their owner, and the removal of what a killed run left behind.
//!
//! Everything of ours that outlives a killed process, namespaces and directories, is called `postern-<pid>-...`. What
//! an earlier run left can therefore be told apart from what a concurrent one is using.

use std::fs;
use std::path::Path;
use std::sync::Once;

use tempfile::TempDir;

use crate::failure::{Context, Result};
use crate::namespace;

/// How every name of ours begins.
const PREFIX: &str = "postern-";

/// A name of this process, ending in `rest`.
pub(crate) fn own_name(rest: &str) -> String {
    format!("{PREFIX}{}-{rest}", std::process::id())
}

/// A new directory for files of this process, removed when dropped.
pub fn scratch_directory(purpose: &str) -> Result<TempDir> {
    let directory = tempfile::Builder::new().prefix(&own_name(&format!("{purpose}-"))).tempdir();
    directory.context(format!("making a directory for {purpose}"))
}

/// Removes what dead owners left; once per process, before it adds something of its own.
pub(crate) fn remove_once() {
    static SWEEP: Once = Once::new();
    SWEEP.call_once(|| {
        for name in orphans(Path::new(namespace::REGISTRY)) {
            let _gone_or_held_by_the_kernel = namespace::remove(&name);
        }
        let directory = std::env::temp_dir();
        for name in orphans(&directory) {
            let _gone_or_of_another_user = fs::remove_dir_all(directory.join(name));
        }
    });
}

/// Names of ours in `directory` whose owner is no longer alive.
fn orphans(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| owner(name).is_some_and(|id| !Path::new("/proc").join(id).exists()))
        .collect()
}

/// The process id in a name of ours.
fn owner(name: &str) -> Option<&str> {
    let (id, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let is_a_process_id = !id.is_empty() && id.bytes().all(|digit| digit.is_ascii_digit());
    is_a_process_id.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_owner() {
        assert_eq!(owner("postern-4711-0-server"), Some("4711"));
        assert_eq!(owner(&own_name("client")), Some(std::process::id().to_string().as_str()));
        assert_eq!(owner("postern--0-server"), None);
        assert_eq!(owner("postern-gateway-1"), None);
        assert_eq!(owner("vpn-4711-0-server"), None);
    }

    #[test]
    fn only_what_belongs_to_the_dead_is_an_orphan() {
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let abandoned = format!("postern-{}-lab", ended.id());
        for name in [abandoned.as_str(), own_name("lab").as_str(), "something-else"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        assert_eq!(orphans(directory.path()), [abandoned]);
    }
}
