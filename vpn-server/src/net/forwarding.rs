//! Forwarding of IP packets: switched on where it was off, and off again at the end.
//!
//! When every routed IPv4 network names its interface, only those interfaces and the TUN device forward; the host does not
//! become a router between anything else. Otherwise the host's general switch is used, because the way to a network
//! may lead through any interface. For IPv6 kernels have the general switch only. A host that forwards IPv6 takes no router
//! advertisements unless it is told to (`accept_ra=2`), so one that has its default route from there is warned about.
//!
//! What was changed is written to a journal in the state directory before it is changed. After a SIGKILL the next
//! server finds it there and puts everything back at its own end. A journal of another boot or network namespace is
//! void: its switches are gone.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::config::RoutedNetwork;
use crate::runtime::files::write_atomically;
use crate::transport::tun::DeviceName;

/// Where the switches are.
const SWITCHES: &str = "/proc/sys/net";

/// The switches that this server turned on.
#[derive(Debug)]
pub(super) struct Forwarding {
    switches: PathBuf,
    journal_path: PathBuf,
    journal: Journal,
}

/// Why forwarding could not be switched on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardingError {
    /// The switch cannot be read: the interface does not exist, or the family does not.
    #[error("cannot read whether {name} forwards packets: {source}")]
    Unreadable {
        /// The switch below `net`.
        name: String,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The switch cannot be turned.
    #[error("cannot switch on packet forwarding ({name}): {source}")]
    NotPermitted {
        /// The switch below `net`.
        name: String,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The journal cannot be written.
    #[error("cannot note in {} what is changed: {source}", path.display())]
    Journal {
        /// The journal.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
}

impl ForwardingError {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "forwarding-unreadable",
            Self::NotPermitted { .. } => "forwarding-not-permitted",
            Self::Journal { .. } => "state-not-writable",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "check the interface behind the @ of --route with 'ip link', and for IPv6 whether the kernel has it"
            }
            Self::NotPermitted { .. } => {
                "run as root or with CAP_NET_ADMIN; in a container without it, switch it on from outside: \
                 sysctl net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"
            }
            Self::Journal { .. } => "check the permissions and the free space of --state-dir",
        }
    }
}

/// Which switches were off before us.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Journal {
    boot: String,
    namespace: String,
    before: BTreeMap<String, String>,
}

impl Forwarding {
    /// Switches forwarding on for traffic between `tun` and `routes`, and with `ipv6` of that family too.
    pub(super) fn enable(
        state_directory: &Path,
        tun: &DeviceName,
        routes: &[RoutedNetwork],
        ipv6: bool,
    ) -> Result<Self, ForwardingError> {
        Self::enable_below(PathBuf::from(SWITCHES), state_directory, tun, routes, ipv6)
    }

    fn enable_below(
        switches: PathBuf,
        state_directory: &Path,
        tun: &DeviceName,
        routes: &[RoutedNetwork],
        ipv6: bool,
    ) -> Result<Self, ForwardingError> {
        let journal_path = state_directory.join("forwarding.json");
        let journal = Journal::adopt(&journal_path);
        let mut forwarding = Self { switches, journal_path, journal };
        match forwarding.extend(tun, routes, ipv6) {
            Ok(()) => Ok(forwarding),
            Err(error) => {
                forwarding.restore();
                Err(error)
            }
        }
    }

    /// Switches on what a changed set of routes needs beyond what is on already.
    pub(super) fn extend(
        &mut self,
        tun: &DeviceName,
        routes: &[RoutedNetwork],
        ipv6: bool,
    ) -> Result<(), ForwardingError> {
        for name in needed_switches(tun, routes) {
            self.turn_on(name)?;
        }
        if ipv6 && self.turn_on(SWITCH_V6.to_owned())? {
            self.remark_on_advertised_routes();
        }
        Ok(())
    }

    /// Turns off what was off before, unless somebody else turned it off meanwhile. Problems are logged: there is
    /// nothing left to do about them.
    pub(super) fn restore(self) {
        for (name, before) in &self.journal.before {
            let path = self.switches.join(name);
            match fs::read_to_string(&path) {
                Ok(value) if value.trim() == "1" => match fs::write(&path, before) {
                    Ok(()) => info!(switch = %name, "packet forwarding is off again"),
                    Err(error) => warn!(switch = %name, %error, "cannot switch packet forwarding off again"),
                },
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => warn!(switch = %name, %error, "cannot switch packet forwarding off again"),
            }
        }
        match fs::remove_file(&self.journal_path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                warn!(path = %self.journal_path.display(), %error, "cannot remove the forwarding journal");
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Answers whether it was off.
    fn turn_on(&mut self, name: String) -> Result<bool, ForwardingError> {
        let path = self.switches.join(&name);
        let before = match fs::read_to_string(&path) {
            Ok(value) => value.trim().to_owned(),
            Err(source) => return Err(ForwardingError::Unreadable { name, source }),
        };
        if before == "1" {
            return Ok(false);
        }
        self.journal.before.entry(name.clone()).or_insert(before);
        self.journal
            .save(&self.journal_path)
            .map_err(|source| ForwardingError::Journal { path: self.journal_path.clone(), source })?;
        fs::write(&path, "1")
            .map_err(|source| ForwardingError::NotPermitted { name: name.clone(), source })?;
        info!(switch = %name, "packet forwarding is on; it is switched off at the end");
        Ok(true)
    }

    fn remark_on_advertised_routes(&self) {
        let table = fs::read_to_string("/proc/thread-self/net/ipv6_route").unwrap_or_default();
        for interface in table.lines().filter_map(advertised_default_route) {
            let switch = self.switches.join(format!("ipv6/conf/{interface}/accept_ra"));
            if fs::read_to_string(switch).is_ok_and(|value| value.trim() == "1") {
                warn!(
                    interface,
                    "the IPv6 default route comes from router advertisements, which a host that forwards ignores: it will \
                     expire unless net.ipv6.conf.{interface}.accept_ra is 2"
                );
            }
        }
    }
}

impl Journal {
    /// What a killed predecessor left, if it still means something.
    fn adopt(path: &Path) -> Self {
        let ours = Self { boot: boot_id(), namespace: network_namespace(), before: BTreeMap::new() };
        let Ok(text) = fs::read(path) else { return ours };
        match serde_json::from_slice::<Self>(&text) {
            Ok(left) if left.boot == ours.boot && left.namespace == ours.namespace => left,
            Ok(_) => ours,
            Err(error) => {
                warn!(path = %path.display(), %error, "the forwarding journal is damaged and is ignored");
                ours
            }
        }
    }

    fn save(&self, path: &Path) -> io::Result<()> {
        write_atomically(path, &serde_json::to_vec(self)?)
    }
}

/// The general switch of IPv6.
const SWITCH_V6: &str = "ipv6/conf/all/forwarding";

/// The switches of IPv4, the TUN device first.
fn needed_switches(tun: &DeviceName, routes: &[RoutedNetwork]) -> Vec<String> {
    let switch_of = |interface: &DeviceName| format!("ipv4/conf/{interface}/forwarding");
    let of_v4 = routes.iter().filter(|route| !route.network.is_ipv6());
    let named: Option<Vec<String>> = of_v4.map(|route| route.interface.as_ref().map(switch_of)).collect();
    match named {
        Some(mut switches) => {
            switches.sort_unstable();
            switches.dedup();
            switches.insert(0, switch_of(tun));
            switches
        }
        None => vec!["ipv4/ip_forward".to_owned()],
    }
}

/// The interface of a row in the kernel's table of IPv6 routes, if it is a default route that a router advertised.
fn advertised_default_route(row: &str) -> Option<&str> {
    const ADVERTISED: u32 = 0x0004_0000;
    let mut fields = row.split_whitespace();
    let (destination, length) = (fields.next()?, fields.next()?);
    let (flags, interface) = (fields.nth(6)?, fields.next()?);
    let is_default = length == "00" && destination.bytes().all(|c| c == b'0');
    let is_advertised = u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & ADVERTISED != 0);
    (is_default && is_advertised).then_some(interface)
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

fn network_namespace() -> String {
    fs::read_link("/proc/thread-self/ns/net")
        .map(|link| link.to_string_lossy().into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_interfaces_forward_and_nothing_else_does() {
        let host = Host::new(&[("ip_forward", "0"), ("eth0", "0"), ("eth1", "0"), ("tun0", "0")]);
        let forwarding = host.enable(&["10.7.0.0/24@eth1", "10.9.0.0/24@eth1"]).unwrap();
        assert_eq!(host.values(), ["0", "0", "1", "1"]);
        forwarding.restore();
        assert_eq!(host.values(), ["0", "0", "0", "0"]);
        assert!(!host.journal().exists());
    }

    #[test]
    fn a_route_without_interface_needs_the_general_switch() {
        let host = Host::new(&[("ip_forward", "0"), ("eth1", "0"), ("tun0", "0")]);
        let forwarding = host.enable(&["10.7.0.0/24@eth1", "0.0.0.0/0"]).unwrap();
        assert_eq!(host.values(), ["1", "0", "0"]);
        forwarding.restore();
        assert_eq!(host.values(), ["0", "0", "0"]);
    }

    #[test]
    fn ipv6_has_the_general_switch_only_and_leaves_those_of_ipv4_alone() {
        let host = Host::new(&[("ip_forward", "0"), ("ipv6", "0"), ("eth1", "0"), ("tun0", "0")]);
        let forwarding = host.enable(&["10.7.0.0/24@eth1", "::/0", "fd07::/64@eth1"]).unwrap();
        assert_eq!(host.values(), ["0", "1", "1", "1"]);
        forwarding.restore();
        assert_eq!(host.values(), ["0", "0", "0", "0"]);
    }

    #[test]
    fn default_routes_that_routers_advertised_are_found() {
        let row = |destination: &str, length: &str, flags: &str, interface: &str| {
            let zero = "0".repeat(32);
            format!(
                "{destination} {length} {zero} 00 fe80{} 00000400 00000001 00000000 {flags}     {interface}\n",
                "0".repeat(28)
            )
        };
        let zero = "0".repeat(32);
        let table = [
            row(&zero, "00", "00450003", "eth0"),
            row(&zero, "00", "00450003", "0"),
            row(&zero, "00", "00000003", "eth1"),
            row("fd070000000000000000000000000000", "40", "00440001", "eth2"),
            "nonsense\n".to_owned(),
        ];
        let found: Vec<_> = table.iter().filter_map(|row| advertised_default_route(row)).collect();
        assert_eq!(found, ["eth0", "0"]);
    }

    #[test]
    fn what_was_on_stays_on() {
        let host = Host::new(&[("ip_forward", "1")]);
        let forwarding = host.enable(&["0.0.0.0/0"]).unwrap();
        assert!(!host.journal().exists());
        forwarding.restore();
        assert_eq!(host.values(), ["1"]);
    }

    #[test]
    fn after_a_kill_the_next_server_puts_back_what_the_first_found() {
        let host = Host::new(&[("ip_forward", "0")]);
        drop(host.enable(&["0.0.0.0/0"]).unwrap());
        assert_eq!(host.values(), ["1"]);
        host.enable(&["0.0.0.0/0"]).unwrap().restore();
        assert_eq!(host.values(), ["0"]);
    }

    #[test]
    fn a_journal_of_another_boot_is_void() {
        let host = Host::new(&[("ip_forward", "1")]);
        let stale = Journal {
            boot: "another".to_owned(),
            namespace: network_namespace(),
            before: BTreeMap::from([("ipv4/ip_forward".to_owned(), "0".to_owned())]),
        };
        stale.save(&host.journal()).unwrap();
        host.enable(&["0.0.0.0/0"]).unwrap().restore();
        assert_eq!(host.values(), ["1"]);
    }

    #[test]
    fn a_damaged_journal_stops_nobody() {
        let host = Host::new(&[("ip_forward", "0")]);
        fs::write(host.journal(), "{").unwrap();
        host.enable(&["0.0.0.0/0"]).unwrap().restore();
        assert_eq!(host.values(), ["0"]);
    }

    #[test]
    fn a_reload_can_need_more() {
        let host = Host::new(&[("eth1", "0"), ("eth2", "0"), ("tun0", "0")]);
        let mut forwarding = host.enable(&["10.7.0.0/24@eth1"]).unwrap();
        forwarding.extend(&tun(), &routes(&["10.9.0.0/24@eth2"]), false).unwrap();
        assert_eq!(host.values(), ["1", "1", "1"]);
        forwarding.restore();
        assert_eq!(host.values(), ["0", "0", "0"]);
    }

    #[test]
    fn an_interface_that_does_not_exist_is_named() {
        let host = Host::new(&[("tun0", "0")]);
        let error = host.enable(&["10.7.0.0/24@eth9"]).unwrap_err();
        assert_eq!(error.code(), "forwarding-unreadable");
        assert!(error.to_string().contains("eth9"), "{error}");
        assert_eq!(host.values(), ["0"]);
    }

    struct Host {
        root: tempfile::TempDir,
        switches: Vec<PathBuf>,
    }

    impl Host {
        fn new(values: &[(&str, &str)]) -> Self {
            let root = tempfile::tempdir().unwrap();
            let mut switches = Vec::new();
            for (name, value) in values {
                let path = match *name {
                    "ip_forward" => root.path().join("ipv4/ip_forward"),
                    "ipv6" => root.path().join("ipv6/conf/all/forwarding"),
                    interface => root.path().join("ipv4/conf").join(interface).join("forwarding"),
                };
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, format!("{value}\n")).unwrap();
                switches.push(path);
            }
            Self { root, switches }
        }

        fn enable(&self, given: &[&str]) -> Result<Forwarding, ForwardingError> {
            let root = self.root.path();
            let routes = routes(given);
            let ipv6 = routes.iter().any(|route| route.network.is_ipv6());
            Forwarding::enable_below(root.to_owned(), root, &tun(), &routes, ipv6)
        }

        fn values(&self) -> Vec<String> {
            self.switches.iter().map(|path| fs::read_to_string(path).unwrap().trim().to_owned()).collect()
        }

        fn journal(&self) -> PathBuf {
            self.root.path().join("forwarding.json")
        }
    }

    fn tun() -> DeviceName {
        "tun0".parse().unwrap()
    }

    fn routes(given: &[&str]) -> Vec<RoutedNetwork> {
        given.iter().map(|route| route.parse().unwrap()).collect()
    }
}
