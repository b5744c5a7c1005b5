//! What a server needs of the file system: what its configuration names, and what libraries and `nft` read.
//!
//! Files are replaced by renaming, so their directories are what counts. Where a path leads elsewhere by a symbolic
//! link, both ends count.

use std::path::{Path, PathBuf};

use landlock::{ABI, Access as _, AccessFs, BitFlags};

use crate::config::{Config, Options};
use crate::management::ManagementAddress;

/// A directory with all below it, or a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    use_: Use,
}

/// What is done there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Read,
    ReadAndRun,
    ReadAndWrite,
}

/// The rights of Linux 6.2; newer ones are about devices that are open already and about other processes.
const RIGHTS: ABI = ABI::V3;

/// Libraries, resolver, authorities of the host, `nft`.
const SYSTEM: [&str; 11] =
    ["/bin", "/etc", "/gnu", "/lib", "/lib32", "/lib64", "/nix", "/run", "/sbin", "/sys", "/usr"];
const READ: [&str; 3] = ["/dev", "/proc/self", "/proc/sys"];
const WRITTEN: [&str; 3] = ["/dev/net", "/dev/null", "/proc/sys/net"];

/// Options whose files are written.
const WRITTEN_OPTIONS: [&str; 4] = ["address-file", "connection-log", "state-dir", "status"];

/// The places that a server with this configuration needs, and those of `files`, which are read.
pub(super) fn needed(config: &Config, files: &[PathBuf]) -> Vec<Place> {
    let system = [(&SYSTEM[..], Use::ReadAndRun), (&READ, Use::Read), (&WRITTEN, Use::ReadAndWrite)];
    let mut places: Vec<Place> = system
        .into_iter()
        .flat_map(|(paths, use_)| paths.iter().map(move |path| Place { path: path.into(), use_ }))
        .collect();
    let options = Options::from(config);
    for (name, path) in options.paths() {
        let use_ = if WRITTEN_OPTIONS.contains(&name) { Use::ReadAndWrite } else { Use::Read };
        places.extend(both_ends(path, use_));
    }
    let read =
        config.credentials.files().into_iter().chain(hidden_paths(config)).chain(files.iter().cloned());
    places.extend(read.flat_map(|path| both_ends(&path, Use::Read)));
    places.extend(config.programs().flat_map(|program| both_ends(program, Use::ReadAndRun)));
    if let Some(ManagementAddress::Unix(path)) = config.management.as_ref().map(|settings| &settings.address)
    {
        places.extend(both_ends(path, Use::ReadAndWrite));
    }
    places
}

/// Paths that are a part of an option.
fn hidden_paths(config: &Config) -> Vec<PathBuf> {
    let directory = config.login.directory.as_ref().map(|table| table.options());
    let of_directory = directory.map(|options| [options.ca, options.bind_password_file]).unwrap_or_default();
    let tls_auth = config.wrapping.tls_auth.as_ref().map(|file| file.path.clone());
    of_directory.into_iter().flatten().chain(tls_auth).collect()
}

/// Where `path` stands, and where what it leads to stands.
fn both_ends(path: &Path, use_: Use) -> impl Iterator<Item = Place> + use<> {
    let target = path.canonicalize().ok();
    let ends = [Some(surroundings(path)), target.as_deref().map(surroundings)];
    ends.into_iter().flatten().map(move |path| Place { path, use_ })
}

/// The directory itself, or that of a file; a file at the root stands for itself.
fn surroundings(path: &Path) -> PathBuf {
    match path.parent() {
        _ if path.is_dir() => path.to_owned(),
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) if parent != Path::new("/") => parent.to_owned(),
        Some(_) | None => path.to_owned(),
    }
}

/// Every right that can be taken away.
pub(super) fn every_right() -> BitFlags<AccessFs> {
    AccessFs::from_all(RIGHTS)
}

impl Place {
    /// What may be done there. Devices are made nowhere.
    pub(super) fn rights(&self) -> BitFlags<AccessFs> {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let rights = match self.use_ {
            Use::Read => read,
            Use::ReadAndRun => read | AccessFs::Execute,
            Use::ReadAndWrite => {
                read | AccessFs::from_write(RIGHTS) & !(AccessFs::MakeChar | AccessFs::MakeBlock)
            }
        };
        if self.path.is_dir() { rights } else { rights & AccessFs::from_file(RIGHTS) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Config {
        let options = format!("pki='/srv/vpn/pki'\nserver-name='s'\nclient-cidr='10.8.0.0/24'\n{more}");
        Config::check(toml::from_str(&options).unwrap()).unwrap()
    }

    fn uses(config: &Config, path: &str) -> Vec<Use> {
        let places = needed(config, &["/srv/conf/postern.toml".into()]);
        places.into_iter().filter(|place| place.path == Path::new(path)).map(|place| place.use_).collect()
    }

    #[test]
    fn ops_04_directories_of_named_files_may_be_read_and_those_of_written_ones_written() {
        let config = config(
            "state-dir='/srv/state'\nstatus='/srv/status/file'\nusers='/srv/users/file'\ntls-auth='/srv/ta/key:1'\n\
             management='unix:/srv/socket/m'\nclient-connect='/srv/hooks/connect x'\nconnect-handler='exec:/srv/handler/h'\n\
             revoked-serials='/srv/revoked'\n[directory]\nurl='ldaps://dc.test'\nca='/srv/ldap/ca.pem'\nuser-name='{user}'",
        );
        for path in ["/srv/users", "/srv/ta", "/srv/ldap", "/srv/conf", "/srv/vpn/pki/private"] {
            assert_eq!(uses(&config, path), [Use::Read], "{path}");
        }
        assert_eq!(uses(&config, "/srv/status"), [Use::ReadAndWrite]);
        assert_eq!(uses(&config, "/srv/socket"), [Use::ReadAndWrite]);
        assert_eq!(uses(&config, "/srv/hooks"), [Use::ReadAndRun]);
        assert_eq!(uses(&config, "/srv/handler"), [Use::ReadAndRun]);
    }

    #[test]
    fn ops_04_neither_homes_nor_temporary_files_nor_other_processes_are_needed() {
        let places = needed(&config(""), &[]);
        for path in ["/", "/home", "/root", "/tmp", "/var", "/var/lib", "/proc", "/srv"] {
            assert!(!places.iter().any(|place| place.path == Path::new(path)), "{path}");
        }
    }

    #[test]
    fn ops_04_a_link_and_what_it_leads_to_both_count() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        for folder in ["here", "there"] {
            std::fs::create_dir(root.join(folder)).unwrap();
        }
        std::fs::write(root.join("there/file"), "x").unwrap();
        std::os::unix::fs::symlink(root.join("there/file"), root.join("here/link")).unwrap();
        let found: Vec<_> = both_ends(&root.join("here/link"), Use::Read).map(|place| place.path).collect();
        assert_eq!(found, [root.join("here"), root.join("there")]);
    }

    #[test]
    fn a_file_without_a_directory_of_its_own_stands_for_itself_or_for_the_current_one() {
        assert_eq!(surroundings(Path::new("key.pem")), PathBuf::from("."));
        assert_eq!(surroundings(Path::new("/key.pem")), PathBuf::from("/key.pem"));
    }

    #[test]
    fn ops_04_every_option_that_is_written_is_a_path() {
        let config = config("address-file='/a/b'\nconnection-log='/c/d'\nstatus='/e/f'");
        let options = Options::from(&config);
        let named: Vec<_> = options.paths().into_iter().map(|(name, _)| name).collect();
        assert!(WRITTEN_OPTIONS.iter().all(|name| named.contains(name)), "{named:?}");
    }
}
