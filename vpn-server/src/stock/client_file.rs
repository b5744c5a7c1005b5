//! The settings of single clients: files named by common names in the directory of `client-config-dir`.
//!
//! A file is read when its client connects. One that cannot be understood keeps its client out: an address or a `disable`
//! that is skipped would let it in as somebody else. Directives that change nothing here are skipped, as OpenVPN does.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use ipnet::Ipv6Net;
use tracing::warn;

use super::document::{Directive, parse};
use super::report::Problem;
use super::translate::network::{parse_network_v6, parse_route};
use super::translate::push::push_of;
use crate::config::{ClientOptions, ClientSettings, InsideSettings};
use crate::control::{ClientDirectory, ClientLookupError};

/// The file for clients without one of their own.
const DEFAULT: &str = "DEFAULT";

/// A directory of `client-config-dir`.
#[derive(Clone, Debug)]
pub struct ClientConfigDirectory {
    directory: PathBuf,
    inside: InsideSettings,
}

impl ClientConfigDirectory {
    /// The files in `directory`, for clients of a server with these addresses.
    #[must_use]
    pub const fn new(directory: PathBuf, inside: InsideSettings) -> Self {
        Self { directory, inside }
    }

    /// The options of every client that has a file, by common name.
    ///
    /// # Errors
    ///
    /// [`ClientLookupError`] for the first file that cannot be read or understood.
    pub fn read_all(&self) -> Result<BTreeMap<String, ClientOptions>, ClientLookupError> {
        let unreadable = |source| ClientLookupError::Unreadable { path: self.directory.clone(), source };
        let mut clients = BTreeMap::new();
        for entry in fs::read_dir(&self.directory).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            let Some(name) = name.to_str().filter(|name| is_file_name(name)) else { continue };
            if let Some(options) = read(&self.directory.join(name))? {
                clients.insert(name.to_owned(), options);
            }
        }
        Ok(clients)
    }
}

impl ClientDirectory for ClientConfigDirectory {
    fn settings_of(&self, common_name: &str) -> Result<Option<ClientSettings>, ClientLookupError> {
        let own = if is_file_name(common_name) { Some(self.directory.join(common_name)) } else { None };
        for path in own.into_iter().chain([self.directory.join(DEFAULT)]) {
            if let Some(options) = read(&path)? {
                let settings = ClientSettings::check(&options, &self.inside);
                return settings
                    .map(Some)
                    .map_err(|problem| ClientLookupError::Invalid { path, problem: problem.to_string() });
            }
        }
        Ok(None)
    }
}

/// A common name that is no path, and no file that the directory cannot be meant to have.
fn is_file_name(common_name: &str) -> bool {
    !common_name.is_empty()
        && !common_name.starts_with('.')
        && !common_name.contains(|character: char| character == '/' || character.is_control())
}

/// What the file says; nothing if there is none.
fn read(path: &Path) -> Result<Option<ClientOptions>, ClientLookupError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => {
            return Ok(None);
        }
        Err(source) => return Err(ClientLookupError::Unreadable { path: path.to_owned(), source }),
    };
    let invalid = |problem: String| ClientLookupError::Invalid { path: path.to_owned(), problem };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut options = ClientOptions::default();
    for directive in parse(&name, &text).map_err(|error| invalid(error.to_string()))? {
        match take(&directive, &mut options) {
            Ok(true) => {}
            Ok(false) => warn!(
                place = %directive.place,
                directive = %directive.name.escape_debug(),
                "a directive for a single client is skipped"
            ),
            Err(problem) => return Err(invalid(format!("{}: {problem}", directive.place))),
        }
    }
    Ok(Some(options))
}

/// Takes a directive over; `false` for one that has no meaning for a single client here.
fn take(directive: &Directive, options: &mut ClientOptions) -> Result<bool, Problem> {
    let arguments = directive.arguments.as_slice();
    match (directive.name.as_str(), arguments) {
        ("disable", []) => options.disabled = Some(true),
        ("push-reset", []) => options.push_reset = Some(true),
        ("push-remove", [beginning]) => add(&mut options.push_remove, beginning.clone()),
        ("push", [option]) => {
            if let Some(option) = push_of(option)? {
                add(&mut options.push, option);
            }
        }
        ("ifconfig-push", [address] | [address, _] | [address, _, _]) => {
            let address: Ipv4Addr = value(address, "an IPv4 address")?;
            add(&mut options.address, address.to_string());
        }
        ("ifconfig-ipv6-push", [address] | [address, _]) => {
            add(&mut options.address, address_v6(address)?.to_string());
        }
        ("iroute", [_] | [_, _]) => {
            add(&mut options.network, parse_route(arguments)?.0.to_string());
        }
        ("iroute-ipv6", [network]) => add(&mut options.network, parse_network_v6(network)?.to_string()),
        (
            "disable" | "push-reset" | "push-remove" | "push" | "ifconfig-push" | "ifconfig-ipv6-push"
            | "iroute" | "iroute-ipv6",
            _,
        ) => return Err(Problem::Arguments("as in the manual of OpenVPN")),
        _ => return Ok(false),
    }
    Ok(true)
}

/// The length of the prefix is that of the network.
fn address_v6(text: &str) -> Result<Ipv6Addr, Problem> {
    match text.split_once('/') {
        Some(_) => value::<Ipv6Net>(text, "an IPv6 address with its length").map(|network| network.addr()),
        None => value(text, "an IPv6 address"),
    }
}

fn value<T: std::str::FromStr>(text: &str, expected: &'static str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::Value { value: text.to_owned(), expected })
}

fn add(list: &mut Option<Vec<String>>, value: String) {
    list.get_or_insert_default().push(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Options};

    #[test]
    fn a_file_says_what_is_different_for_its_client() {
        let site = Site::new();
        site.write(
            "alice@company.com",
            "# hers\nifconfig-push 10.8.0.50 255.255.255.0\nifconfig-ipv6-push fd00:8::50/64\niroute 10.20.0.0 255.255.255.0\n\
             iroute-ipv6 fd20:1::/64\npush \"route 10.9.0.0 255.255.0.0\"\npush \"topology subnet\"\npush-remove \"dhcp-option\"\n\
             compress\n",
        );
        let settings = site.directory.settings_of("alice@company.com").unwrap().unwrap();
        assert_eq!(settings.address, Some(Ipv4Addr::new(10, 8, 0, 50)));
        assert_eq!(settings.address_v6, Some("fd00:8::50".parse().unwrap()));
        assert_eq!(settings.networks.len(), 2);
        assert_eq!(settings.push.remove, ["dhcp-option"]);
        let pushed: Vec<_> = settings.push.options.iter().map(|option| option.as_str()).collect();
        assert_eq!(pushed, ["route 10.9.0.0 255.255.0.0"]);
        assert_eq!(site.directory.settings_of("bob").unwrap(), None);
    }

    #[test]
    fn who_has_no_file_gets_the_default_one() {
        let site = Site::new();
        site.write("DEFAULT", "disable\n");
        site.write("alice", "push-reset\n");
        assert!(site.directory.settings_of("bob").unwrap().unwrap().disabled);
        let alice = site.directory.settings_of("alice").unwrap().unwrap();
        assert!(!alice.disabled && alice.push.reset);
    }

    #[test]
    fn a_file_that_is_not_understood_keeps_its_client_out() {
        let site = Site::new();
        for text in [
            "ifconfig-push 10.8.0\n",
            "ifconfig-push 10.9.0.1 255.255.255.0\n",
            "iroute 10.20.0.1 255.255.255.0\n",
            "iroute 10.99.0.0 255.255.255.0\n",
            "disable now\n",
            "push \"a\n",
            "push \"echo a,b\"\n",
        ] {
            site.write("alice", text);
            let error = site.directory.settings_of("alice").unwrap_err();
            assert_eq!(error.code(), "client-settings-invalid", "{text}");
        }
    }

    #[test]
    fn crt_07_a_name_never_leads_out_of_the_directory() {
        let site = Site::new();
        fs::write(site.root.path().join("outside"), "disable\n").unwrap();
        for name in ["../outside", "..", ".", "", "ccd/../outside", ".hidden", "a\nb"] {
            assert_eq!(site.directory.settings_of(name).unwrap(), None, "{name:?}");
        }
    }

    #[test]
    fn all_files_can_be_taken_over_at_once() {
        let site = Site::new();
        site.write("alice", "ifconfig-push 10.8.0.50 10.8.0.49\n");
        site.write("DEFAULT", "push-reset\n");
        site.write(".swp", "rubbish \"\n");
        let clients = site.directory.read_all().unwrap();
        assert_eq!(clients.keys().collect::<Vec<_>>(), ["DEFAULT", "alice"]);
        assert_eq!(clients["alice"].address, Some(vec!["10.8.0.50".to_owned()]));
    }

    struct Site {
        root: tempfile::TempDir,
        directory: ClientConfigDirectory,
    }

    impl Site {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let ccd = root.path().join("ccd");
            fs::create_dir(&ccd).unwrap();
            let options: Options = toml::from_str(
                "pki='p'\nserver-name='s'\nclient-cidr=['10.8.0.0/24','fd00:8::/64']\nclient-route=['10.20.0.0/16','fd20::/16']",
            )
            .unwrap();
            let inside = Config::check(options).unwrap().inside;
            Self { directory: ClientConfigDirectory::new(ccd, inside), root }
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.directory.directory.join(name), text).unwrap();
        }
    }
}
