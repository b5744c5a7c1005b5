//! The laboratory: a VPN server between its clients and a network that only it can reach.
//!
//! ```text
//!   client-1  192.0.2.11 ---+
//!   client-2  192.0.2.12 ---+-- wire --- 192.0.2.1  server  10.7.0.1 --- lan ----- 10.7.0.2  target
//!   client-N  192.0.2.10+N -+                               10.6.0.1 --- annex --- 10.6.0.2
//! ```
//!
//! The clients' default route leads to a router at 192.0.2.254 that knows nothing but the wire, and the target has no
//! route back to the clients or into the tunnel: what arrives there has gone through the server and carries the server's address. Every laboratory has its own
//! namespaces, so that addresses, ports and device names never clash.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::command;
use crate::failure::Result;
use crate::host::{Host, Shelf};
use crate::leftovers;
use crate::namespace::Namespace;

/// The server's address on the wire: what profiles name as `remote`.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The network behind the server that scenarios give access to.
pub const LAN: &str = "10.7.0.0/24";
/// The server's own address in [`LAN`]: what the target sees as the source of translated packets.
pub const SERVER_IN_LAN: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 1);
/// The target in [`LAN`].
pub const TARGET: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 2);
/// The same network for IPv6, after [`Lab::add_ipv6`].
pub const LAN_V6: &str = "fd07::/64";
/// The server's address in [`LAN_V6`].
pub const SERVER_IN_LAN_V6: Ipv6Addr = Ipv6Addr::new(0xfd07, 0, 0, 0, 0, 0, 0, 1);
/// The target in [`LAN_V6`].
pub const TARGET_V6: Ipv6Addr = Ipv6Addr::new(0xfd07, 0, 0, 0, 0, 0, 0, 2);
/// A second network behind the server, for what is not allowed or not routed.
pub const ANNEX: &str = "10.6.0.0/24";
/// The target in [`ANNEX`].
pub const TARGET_IN_ANNEX: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 2);

/// The default router of the clients.
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 254);

/// Numbers the laboratories of this process.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// All machines of one scenario. Everything is gone when it is dropped, also after a panic.
pub struct Lab {
    clients: Vec<Host>,
    server: Host,
    target: Host,
    _wire: Namespace,
    scratch: TempDir,
    shelf: Shelf,
}

impl Lab {
    /// Sets up a server, a target and `clients` clients.
    pub fn new(clients: u8) -> Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let shelf = Shelf::default();
        let host = |name: &str, address: Ipv4Addr| -> Result<Host> {
            Ok(Host::new(name, address, Namespace::create(number, name)?, Shelf::clone(&shelf)))
        };
        let wire = Namespace::create(number, "wire")?;
        wire.ip(["link", "add", "wire", "up", "type", "bridge"])?;
        make_router(&wire)?;

        let server = host("server", SERVER)?;
        plug_in(&wire, &server, 0)?;
        let target = host("target", TARGET)?;
        link_networks(&server, &target)?;
        let clients = (1..=clients)
            .map(|number| {
                let client = host(&format!("client-{number}"), Ipv4Addr::new(192, 0, 2, 10 + number))?;
                plug_in(&wire, &client, number)?;
                client.namespace().ip(["route", "add", "default", "via", "192.0.2.254"])?;
                Ok(client)
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            clients,
            server,
            target,
            _wire: wire,
            scratch: leftovers::scratch_directory("lab")?,
            shelf,
        })
    }

    /// Gives the network behind the server IPv6 addresses.
    pub fn add_ipv6(&self) -> Result<()> {
        for (host, address) in [(&self.server, SERVER_IN_LAN_V6), (&self.target, TARGET_V6)] {
            // Nobody else has it, and waiting to be sure would take a second.
            host.run("ip", ["address", "add", &format!("{address}/64"), "dev", "lan", "nodad"])?;
        }
        Ok(())
    }

    /// The machine that serves the VPN.
    #[must_use]
    pub fn server(&self) -> &Host {
        &self.server
    }

    /// The machine behind the server.
    #[must_use]
    pub fn target(&self) -> &Host {
        &self.target
    }

    /// Client `number`, counted from 1.
    ///
    /// # Panics
    /// When the laboratory has fewer clients.
    #[must_use]
    pub fn client(&self, number: usize) -> &Host {
        &self.clients[number - 1]
    }

    /// All clients, in order.
    #[must_use]
    pub fn clients(&self) -> &[Host] {
        &self.clients
    }

    /// A directory for files of this scenario.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }
}

impl Drop for Lab {
    /// A scenario that panicked shows what its programs said.
    #[expect(clippy::print_stderr, reason = "the test harness captures it and shows it with the failure")]
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for log in self.shelf.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            eprintln!("{}", log.tail());
        }
    }
}

/// Lets the namespace of the bridge forward what clients send to their default router.
fn make_router(wire: &Namespace) -> Result<()> {
    wire.ip(["address", "add", &format!("{ROUTER}/24"), "dev", "wire"])?;
    let mut command = wire.command("sysctl");
    command.args(["-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0"]);
    command.arg("net.ipv4.conf.wire.send_redirects=0");
    command::succeed(command).map(drop)
}

/// Connects `host` to port `port` of the bridge.
fn plug_in(wire: &Namespace, host: &Host, port: u8) -> Result<()> {
    let port = format!("port{port}");
    let inside = host.namespace().name();
    wire.ip(["link", "add", &port, "type", "veth", "peer", "name", "wire", "netns", inside])?;
    wire.ip(["link", "set", &port, "up", "master", "wire"])?;
    let address = format!("{}/24", host.address());
    host.namespace().ip(["address", "add", &address, "dev", "wire"])?;
    host.namespace().ip(["link", "set", "wire", "up"]).map(drop)
}

/// Connects the server and the target by the two inner networks.
fn link_networks(server: &Host, target: &Host) -> Result<()> {
    for (device, near, far) in
        [("lan", "10.7.0.1/24", "10.7.0.2/24"), ("annex", "10.6.0.1/24", "10.6.0.2/24")]
    {
        let inside = target.namespace().name();
        let (near_side, far_side) = (server.namespace(), target.namespace());
        near_side.ip(["link", "add", device, "type", "veth", "peer", "name", device, "netns", inside])?;
        near_side.ip(["address", "add", near, "dev", device])?;
        far_side.ip(["address", "add", far, "dev", device])?;
        near_side.ip(["link", "set", device, "up"])?;
        far_side.ip(["link", "set", device, "up"])?;
    }
    Ok(())
}
