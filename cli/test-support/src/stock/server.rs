//! An unmodified OpenVPN server: the measure of what a scenario may expect, and the proof of the harness itself.

use std::process::Command;

use super::program::Program;
use crate::failure::{Context, Result};
use crate::host::Host;
use crate::lab::SERVER_IN_LAN;
use crate::pki::Pki;
use crate::server::ServerPlan;

/// The command line of a stock server that does what `plan` says, as far as it can: it knows no authorization rules.
pub(crate) fn command(host: &Host, pki: &Pki, plan: &ServerPlan) -> Result<Command> {
    let (ping, restart) = plan.keepalive;
    let mut command = host.command(Program::stock().path());
    command.args(["--dev", &plan.device, "--dev-type", "tun", "--topology", "subnet", "--server"]);
    command.args(netmask_form(&plan.client_cidr)?);
    let proto = if plan.tcp { "tcp4-server" } else { "udp4" };
    command.args(["--proto", proto, "--port", &plan.port.to_string(), "--dh", "none"]);
    command.args(["--keepalive", &ping.to_string(), &restart.to_string()]);
    if !plan.tcp {
        command.args(["--explicit-exit-notify", "1"]);
    }
    command.args(["--verb", "4", "--suppress-timestamps"]);
    command.arg("--ca").arg(pki.ca_certificate());
    command.arg("--cert").arg(pki.certificate(&plan.certificate));
    command.arg("--key").arg(pki.private_key(&plan.certificate));
    for route in &plan.routes {
        let [network, mask] = netmask_form(route)?;
        command.args(["--push", &format!("route {network} {mask}")]);
    }
    if plan.full_tunnel {
        command.args(["--push", "redirect-gateway def1"]);
    }
    if let Some(seconds) = plan.renegotiate_after {
        command.args(["--reneg-sec", &seconds.to_string()]);
    }
    if let Some(limit) = plan.max_sessions {
        command.args(["--max-clients", &limit.to_string()]);
    }
    command.args(&plan.options);
    Ok(command)
}

/// What an administrator of a stock server sets up beside it: forwarding, and source translation to the target.
pub(crate) fn set_up_forwarding(host: &Host, plan: &ServerPlan) -> Result<()> {
    host.run("sysctl", ["-qw", "net.ipv4.ip_forward=1"])?;
    let rules = format!(
        "add table ip nat; add chain ip nat out {{ type nat hook postrouting priority srcnat; }}; \
         add rule ip nat out ip saddr {} snat to {SERVER_IN_LAN}",
        plan.client_cidr
    );
    host.run("nft", [&rules]).map(drop)
}

/// `10.8.0.0/24` as `10.8.0.0 255.255.255.0`.
fn netmask_form(cidr: &str) -> Result<[String; 2]> {
    let (network, length) = cidr.split_once('/').unwrap_or((cidr, "32"));
    let length: u32 = length.parse().context(format!("reading {cidr}"))?;
    let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
    Ok([network.to_owned(), std::net::Ipv4Addr::from(mask).to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_networks_with_their_mask() {
        assert_eq!(netmask_form("10.8.0.0/22").unwrap(), ["10.8.0.0", "255.255.252.0"]);
        assert_eq!(netmask_form("0.0.0.0/0").unwrap(), ["0.0.0.0", "0.0.0.0"]);
        assert_eq!(netmask_form("10.7.0.2").unwrap(), ["10.7.0.2", "255.255.255.255"]);
    }
}
