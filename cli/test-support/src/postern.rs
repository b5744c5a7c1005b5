//! The `postern` binary on a machine of the laboratory.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, tool};
use crate::failure::Result;
use crate::host::Host;
use crate::lab;
use crate::pki::Pki;
use crate::server::ServerPlan;

/// The command line of a server that does what `plan` says.
#[must_use]
pub fn serve_command(binary: &Path, host: &Host, pki: &Pki, plan: &ServerPlan) -> Command {
    let (ping, restart) = plan.keepalive;
    let mut command = host.command(binary);
    command.arg("serve").arg("--pki").arg(pki.directory());
    command.args(["--server-name", &plan.certificate]);
    command.args(["--listen", &format!("udp:{}:{}", host.address(), plan.port)]);
    if plan.tcp {
        command.args(["--listen", &format!("tcp:{}:{}", host.address(), plan.port)]);
    }
    command.args(["--tun", &plan.device, "--client-cidr", &plan.client_cidr]);
    command.args(["--keepalive", &format!("{ping},{restart}")]);
    command.arg("--state-dir").arg(state_directory(pki));
    command.arg("--connection-log").arg(connection_log(pki));
    command.arg(if plan.full_tunnel { "--full-tunnel" } else { "--split-tunnel" });
    command.args(plan.routes.iter().flat_map(|route| ["--route", route]));
    command.args(plan.authorized.iter().flat_map(|network| ["--authorize", network]));
    if let Some(seconds) = plan.renegotiate_after {
        command.args(["--reneg-sec", &seconds.to_string()]);
    }
    if let Some(limit) = plan.max_sessions {
        command.args(["--max-sessions", &limit.to_string()]);
    }
    command.args(&plan.options);
    command.envs(plan.variables.iter().map(|(name, value)| (name, value)));
    command
}

/// Where a server with the certificates of `pki` logs connections.
#[must_use]
pub fn connection_log(pki: &Pki) -> PathBuf {
    pki.directory().with_extension("connections")
}

/// Where a server with the certificates of `pki` keeps its state.
fn state_directory(pki: &Pki) -> PathBuf {
    pki.directory().with_extension("state")
}

/// The profile that `postern export` writes for `name`, for the server of the laboratory.
pub fn export(binary: &Path, pki: &Pki, name: &str, port: u16) -> Result<String> {
    let mut command = export_command(binary, pki);
    command.args([name, "--port", &port.to_string()]);
    command::succeed(command)
}

/// The profile that `postern export` writes for everybody, who then adds their own certificate and key.
pub fn export_for_anybody(binary: &Path, pki: &Pki) -> Result<String> {
    command::succeed(export_command(binary, pki))
}

fn export_command(binary: &Path, pki: &Pki) -> Command {
    let mut command = tool(binary);
    command.arg("--pki-dir").arg(pki.directory());
    command.args(["export", "--remote", &lab::SERVER.to_string()]);
    command
}
