//! The server under test: Postern, or stock OpenVPN in its place.
//!
//! A scenario says what it wants in a [`ServerPlan`]; both implementations are started from the same plan, so that
//! the same scenario shows what is Postern's doing and what is the harness's or the client's.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::failure::{Context, Failure, Result};
use crate::host::Host;
use crate::log::Log;
use crate::pki::Pki;
use crate::process::Process;
use crate::{lab, postern, stock, wait};

/// The environment variable that names the implementation under test: `postern` (default) or `openvpn`.
pub const CHOICE: &str = "INTEROP_SERVER";

/// Enough for a start on a machine that is busy with other tests.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Who plays the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Implementation {
    /// The `postern` binary at this path.
    Postern(PathBuf),
    /// The distribution's OpenVPN.
    Stock,
}

impl Implementation {
    /// The one that the environment chooses; `postern` is the binary to use if it is Postern.
    pub fn under_test(postern: impl Into<PathBuf>) -> Result<Self> {
        match std::env::var(CHOICE).as_deref() {
            Err(_) | Ok("" | "postern") => Ok(Self::Postern(postern.into())),
            Ok("openvpn") => Ok(Self::Stock),
            Ok(other) => Err(Failure::new(format!("{CHOICE}={other}: choose postern or openvpn"))),
        }
    }
}

/// What a scenario wants from a server.
#[derive(Clone, Debug)]
pub struct ServerPlan {
    /// The name of the server certificate in the PKI.
    pub certificate: String,
    /// The port.
    pub port: u16,
    /// Serve over TCP: Postern beside UDP, a stock server instead.
    pub tcp: bool,
    /// The name of the tunnel device.
    pub device: String,
    /// The addresses of the clients; the server has the first.
    pub client_cidr: String,
    /// The networks that clients are told to reach through the tunnel.
    pub routes: Vec<String>,
    /// Whether everything else goes through the tunnel as well.
    pub full_tunnel: bool,
    /// The networks that clients are allowed to reach.
    pub authorized: Vec<String>,
    /// Ping interval and restart limit, in seconds.
    pub keepalive: (u32, u32),
    /// Renegotiate after so many seconds.
    pub renegotiate_after: Option<u32>,
    /// At most so many sessions.
    pub max_sessions: Option<u32>,
    /// Further command-line options that only the implementation under test understands.
    pub options: Vec<String>,
    /// Environment variables of the server, by name.
    pub variables: Vec<(String, String)>,
}

impl Default for ServerPlan {
    /// Access to [`lab::LAN`] for everybody with a certificate.
    fn default() -> Self {
        Self {
            certificate: "server".to_owned(),
            port: 1194,
            tcp: false,
            device: "vpn0".to_owned(),
            client_cidr: "10.8.0.0/24".to_owned(),
            routes: vec![lab::LAN.to_owned()],
            full_tunnel: false,
            authorized: vec![lab::LAN.to_owned()],
            keepalive: (10, 60),
            renegotiate_after: None,
            max_sessions: None,
            options: Vec::new(),
            variables: Vec::new(),
        }
    }
}

impl ServerPlan {
    /// With further options of the implementation under test.
    #[must_use]
    pub fn with_options(mut self, options: &[&str]) -> Self {
        self.options.extend(options.iter().map(|option| (*option).to_owned()));
        self
    }

    /// The address of the server in the tunnel.
    pub fn gateway(&self) -> Result<Ipv4Addr> {
        let network = self.client_cidr.split('/').next().unwrap_or_default();
        let network: Ipv4Addr = network.parse().context(format!("reading {}", self.client_cidr))?;
        Ok(Ipv4Addr::from(u32::from(network) + 1))
    }
}

/// A running server. Killed when dropped.
pub struct Server {
    process: Process,
}

impl Server {
    /// Starts `implementation` on `host` with the certificates of `pki` and waits until it serves.
    pub fn start(implementation: &Implementation, host: &Host, pki: &Pki, plan: &ServerPlan) -> Result<Self> {
        match implementation {
            Implementation::Postern(binary) => {
                let command = postern::serve_command(binary, host, pki, plan);
                Self::start_command("postern", host, command, plan)
            }
            Implementation::Stock => {
                stock::server::set_up_forwarding(host, plan)?;
                let command = stock::server::command(host, pki, plan)?;
                Self::start_command("openvpn", host, command, plan)
            }
        }
    }

    /// Starts `command`, which does what `plan` says, on `host` and waits until it serves.
    pub fn start_command(program: &str, host: &Host, command: Command, plan: &ServerPlan) -> Result<Self> {
        let mut server = Self { process: host.start(program, command)? };
        server.wait_ready(host, plan)?;
        Ok(server)
    }

    /// Serving means: the port is bound and the tunnel has the server's address.
    fn wait_ready(&mut self, host: &Host, plan: &ServerPlan) -> Result<()> {
        let gateway = plan.gateway()?;
        let ready = wait::until("a serving server", START_LIMIT, || {
            if let Some(status) = self.process.exit_status()? {
                return Err(Failure::new(format!("the server ended with {status}")));
            }
            let is_bound = match plan.tcp {
                false => host.has_bound_udp_port(plan.port)?,
                true => host.has_bound_tcp_port(plan.port)?,
            };
            let ready = is_bound && host.has_address(gateway)?;
            Ok(ready.then_some(()))
        });
        ready.map_err(|failure| {
            // One that has ended may have said why a moment ago.
            if let Ok(Some(_)) = self.process.exit_status() {
                self.log().wait_for_end(START_LIMIT);
            }
            Failure::new(format!("{failure}\n{}", self.log().tail()))
        })
    }

    /// What it said.
    #[must_use]
    pub fn log(&self) -> &Log {
        self.process.log()
    }

    /// Its process, for signals.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it gracefully (SIGTERM).
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.process.stop()
    }

    /// Ends it without notice.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }
}
