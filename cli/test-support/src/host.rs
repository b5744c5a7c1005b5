//! A machine of the laboratory: a network namespace and the programs that run in it.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::command::{self, Finished};
use crate::failure::{Context, Failure, Result};
use crate::log::Log;
use crate::namespace::Namespace;
use crate::process::Process;

/// Longer than a TCP handshake through a tunnel takes, on a busy machine too.
const CONNECT_LIMIT: Duration = Duration::from_secs(60);

/// The logs of everything that ever ran in one laboratory.
pub(crate) type Shelf = Arc<Mutex<Vec<Log>>>;

/// One machine with its own interfaces, routes, firewall and ports.
pub struct Host {
    name: String,
    address: Ipv4Addr,
    namespace: Namespace,
    shelf: Shelf,
}

impl Host {
    pub(crate) fn new(name: &str, address: Ipv4Addr, namespace: Namespace, shelf: Shelf) -> Self {
        Self { name: name.to_owned(), address, namespace, shelf }
    }

    /// `server`, `target` or `client-N`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address by which the other machines reach it.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Its network namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// A command that will run on this machine.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.namespace.command(program)
    }

    /// Runs `program` to its end, which may be a failure.
    pub fn finish<const N: usize>(&self, program: &str, arguments: [&str; N]) -> Result<Finished> {
        let mut command = self.command(program);
        command.args(arguments);
        command::finish(command)
    }

    /// Runs `program` to its end, which must be a success; answers with its standard output.
    pub fn run<const N: usize>(&self, program: &str, arguments: [&str; N]) -> Result<String> {
        self.finish(program, arguments)?.success()
    }

    /// Starts `command`, made by [`Host::command`], and keeps its log for the day of reckoning.
    pub fn start(&self, program: &str, command: Command) -> Result<Process> {
        let process = Process::start(format!("{program} on {}", self.name), command)?;
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.push(process.log().clone());
        Ok(process)
    }

    /// Does `work` with this machine's network.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        self.namespace.enter(work)
    }

    /// A UDP socket of this machine.
    pub fn udp_socket(&self, address: impl Into<IpAddr>, port: u16) -> Result<UdpSocket> {
        let address = SocketAddr::new(address.into(), port);
        self.enter(|| UdpSocket::bind(address))?.context(format!("binding {address} on {}", self.name))
    }

    /// A TCP listener of this machine, on a free port.
    pub fn tcp_listener(&self, address: impl Into<IpAddr>) -> Result<TcpListener> {
        let address = address.into();
        self.enter(|| TcpListener::bind((address, 0)))?.context(format!("listening on {}", self.name))
    }

    /// A TCP connection from this machine.
    pub fn tcp_connection(&self, to: impl Into<SocketAddr>) -> Result<TcpStream> {
        let to = to.into();
        self.enter(|| TcpStream::connect_timeout(&to, CONNECT_LIMIT))?
            .context(format!("connecting from {} to {to}", self.name))
    }

    /// Whether `address` is one of this machine's own.
    pub fn has_address(&self, address: impl Into<IpAddr>) -> Result<bool> {
        let address = address.into();
        Ok(self.enter(|| UdpSocket::bind((address, 0)))?.is_ok())
    }

    /// Whether all IPv6 addresses that were given to `device` are used by now: the kernel keeps a new one back until it
    /// knows that nobody else has it, which can take seconds on a busy machine.
    pub fn uses_addresses_of(&self, device: &str) -> Result<bool> {
        let table = self.enter(|| std::fs::read_to_string("/proc/thread-self/net/if_inet6"))?;
        let table = table.context(format!("reading the addresses of {}", self.name))?;
        Ok(!table.lines().any(|row| is_tentative(row, device)))
    }

    /// Whether some program of this machine holds UDP port `port`.
    pub fn has_bound_udp_port(&self, port: u16) -> Result<bool> {
        self.has_bound_port("udp", port)
    }

    /// Whether some program of this machine holds TCP port `port`.
    pub fn has_bound_tcp_port(&self, port: u16) -> Result<bool> {
        self.has_bound_port("tcp", port)
    }

    fn has_bound_port(&self, protocol: &str, port: u16) -> Result<bool> {
        let file = format!("/proc/thread-self/net/{protocol}");
        let table = self.enter(|| std::fs::read_to_string(file))?;
        let table = table.context(format!("reading the socket table of {}", self.name))?;
        Ok(table.lines().skip(1).any(|row| local_port(row) == Some(port)))
    }

    /// How many datagrams this machine dropped because a program was too slow to read them. Tells a starved machine
    /// from a faulty one.
    pub fn datagrams_nobody_read(&self) -> Result<u64> {
        let table = self.enter(|| std::fs::read_to_string("/proc/thread-self/net/snmp"))?;
        let table = table.context(format!("reading the counters of {}", self.name))?;
        let dropped = snmp_counter(&table, "Udp:", "RcvbufErrors");
        dropped.ok_or_else(|| Failure::new("the kernel does not count dropped datagrams"))
    }

    /// The first IPv4 address of `device`.
    pub fn address_of(&self, device: &str) -> Result<Option<Ipv4Addr>> {
        let shown = self.namespace.ip(["-4", "-json", "address", "show", "dev", device])?;
        let links: serde_json::Value = serde_json::from_str(&shown).context("reading what ip printed")?;
        let local = links.pointer("/0/addr_info/0/local").and_then(|local| local.as_str());
        local.map(|text| text.parse().context(format!("reading {text}"))).transpose()
    }
}

/// The local port in a row of /proc/net/udp: `  12: 00000000:04AA 00000000:0000 07 ...`.
fn local_port(row: &str) -> Option<u16> {
    let (_, port) = row.split_whitespace().nth(1)?.split_once(':')?;
    u16::from_str_radix(port, 16).ok()
}

/// Whether a row of /proc/net/if_inet6 is about an address of `device` that is not used yet, other than the one that the
/// kernel gave it: `fd000008000000000000000000000050 04 40 00 c0     tun0`, with the scope in the fourth column and the
/// flags of linux/if_addr.h in the fifth.
fn is_tentative(row: &str, device: &str) -> bool {
    const TENTATIVE: u32 = 0x40;
    const LINK_LOCAL: &str = "20";
    let columns: Vec<&str> = row.split_whitespace().collect();
    let [_, _, _, scope, flags, of] = columns[..] else { return false };
    let is_kept_back = u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & TENTATIVE != 0);
    of == device && scope != LINK_LOCAL && is_kept_back
}

/// A counter of /proc/net/snmp: a row of names is followed by a row of values.
fn snmp_counter(table: &str, protocol: &str, name: &str) -> Option<u64> {
    let mut rows = table.lines().filter(|row| row.starts_with(protocol));
    let (names, values) = (rows.next()?, rows.next()?);
    let column = names.split_whitespace().position(|column| column == name)?;
    values.split_whitespace().nth(column)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_port_from_the_kernels_table() {
        let row = "  355: 010200C0:04AA 00000000:0000 07 00000000:00000000 00:00000000 00000000     0";
        assert_eq!(local_port(row), Some(1194));
        assert_eq!(local_port("sl local_address rem_address"), None);
    }

    #[test]
    fn knows_an_address_that_is_not_used_yet() {
        let row = |flags: &str| format!("fd000008000000000000000000000050 04 40 00 {flags}     tun0");
        assert!(is_tentative(&row("c0"), "tun0"));
        assert!(!is_tentative(&row("c0"), "wire"));
        assert!(!is_tentative(&row("80"), "tun0"));
        assert!(!is_tentative("fe80000000000000a1b2c3d4e5f60718 04 40 20 c0     tun0", "tun0"));
        assert!(!is_tentative("", "tun0"));
    }

    #[test]
    fn reads_a_counter_by_its_name() {
        let table = "Tcp: A B\nTcp: 1 2\nUdp: InDatagrams NoPorts RcvbufErrors\nUdp: 10 0 7\n";
        assert_eq!(snmp_counter(table, "Udp:", "RcvbufErrors"), Some(7));
        assert_eq!(snmp_counter(table, "Udp:", "Missing"), None);
        assert_eq!(snmp_counter(table, "Icmp:", "InMsgs"), None);
    }
}
