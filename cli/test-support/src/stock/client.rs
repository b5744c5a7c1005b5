//! An unmodified OpenVPN client on a machine of the laboratory.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitStatus;
use std::time::Duration;

use tempfile::TempDir;

use super::program::Program;
use crate::failure::{Context, Failure, Result};
use crate::host::Host;
use crate::leftovers;
use crate::log::{Line, Log, Mark};
use crate::process::Process;
use crate::wait;

/// The tunnel device of every client.
pub const DEVICE: &str = "tun0";

/// What the client says when the tunnel is up.
pub const CONNECTED: &str = "Initialization Sequence Completed";

/// Enough for a handshake on a machine that is busy with other tests.
const CONNECT_LIMIT: Duration = Duration::from_secs(60);

/// A running client. Killed when dropped.
pub struct StockClient<'lab> {
    host: &'lab Host,
    process: Process,
    _directory: TempDir,
}

impl<'lab> StockClient<'lab> {
    /// Starts the client under test ([`Program::client`]) with `profile` and further command-line options.
    pub fn start(host: &'lab Host, profile: &str, options: &[&str]) -> Result<Self> {
        Self::start_program(&Program::client(), host, profile, options)
    }

    /// Starts `program` with `profile` and further command-line options.
    pub fn start_program(
        program: &Program,
        host: &'lab Host,
        profile: &str,
        options: &[&str],
    ) -> Result<Self> {
        let directory = leftovers::scratch_directory("client")?;
        let file = directory.path().join("client.ovpn");
        fs::write(&file, profile).context("writing the profile")?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).context("protecting the profile")?;
        let mut command = host.command(program.path());
        command.arg("--config").arg(&file);
        command.args(["--dev", DEVICE, "--verb", "3", "--suppress-timestamps"]).args(options);
        Ok(Self { host, process: host.start("openvpn", command)?, _directory: directory })
    }

    /// Starts a client and waits until its tunnel is up.
    pub fn connect(host: &'lab Host, profile: &str, options: &[&str]) -> Result<Self> {
        let client = Self::start(host, profile, options)?;
        client.wait_connected()?;
        Ok(client)
    }

    /// Waits until the tunnel is up for the first time.
    pub fn wait_connected(&self) -> Result<Line> {
        let line = self.log().wait_for(CONNECTED, CONNECT_LIMIT)?;
        self.wait_for_addresses().map(|()| line)
    }

    /// Waits until the tunnel is up once more, after `mark`.
    pub fn wait_connected_since(&self, mark: Mark, limit: Duration) -> Result<Line> {
        let line = self.log().wait_for_since(mark, CONNECTED, limit)?;
        self.wait_for_addresses().map(|()| line)
    }

    /// It says that it is connected when it has told the kernel its addresses, which is a moment before they are used.
    fn wait_for_addresses(&self) -> Result<()> {
        wait::until("the addresses in the tunnel", CONNECT_LIMIT, || {
            Ok(self.host.uses_addresses_of(DEVICE)?.then_some(()))
        })
    }

    /// Waits until the client gives up by itself, which it must do after a line with `reason`.
    pub fn wait_refused(&mut self, reason: &str, limit: Duration) -> Result<Line> {
        let line = self.log().wait_for(reason, limit)?;
        self.process.wait(limit)?;
        Ok(line)
    }

    /// The address in the tunnel.
    pub fn tunnel_address(&self) -> Result<Ipv4Addr> {
        let address = self.host.address_of(DEVICE)?;
        address.ok_or_else(|| Failure::new(format!("{DEVICE} of {} has no address", self.host.name())))
    }

    /// The options that the server pushed, one per element.
    pub fn pushed_options(&self) -> Result<Vec<String>> {
        let line = self.log().wait_for("PUSH_REPLY", CONNECT_LIMIT)?.text;
        let (_, options) =
            line.split_once("PUSH_REPLY,").ok_or_else(|| Failure::new("an empty PUSH_REPLY"))?;
        Ok(options.trim_end_matches(['\'', ' ']).split(',').map(str::to_owned).collect())
    }

    /// What it said.
    #[must_use]
    pub fn log(&self) -> &Log {
        self.process.log()
    }

    /// The machine it runs on.
    #[must_use]
    pub fn host(&self) -> &'lab Host {
        self.host
    }

    /// Ends it as Ctrl-C does: it may take leave of the server.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.process.stop()
    }

    /// Ends it without notice, as a power cut does.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }
}
