//! Programs about the server itself: `up` when the device is up, `route-up` when the routes are set, `down` at the end.

use std::ffi::OsString;
use std::net::Ipv4Addr;

use super::runner::report;
use super::{Environment, HookFailure, Runner};
use crate::config::{Config, HookCommand, HookSettings};

/// The programs about the server.
pub struct ServerHooks {
    up: Option<HookCommand>,
    route_up: Option<HookCommand>,
    down: Option<HookCommand>,
    arguments: Vec<OsString>,
    server: Environment,
    runner: Runner,
    is_up: bool,
}

impl ServerHooks {
    /// The programs of a configuration; `mtu` is that of the tunnel.
    #[must_use]
    pub fn new(config: &Config, mtu: u16) -> Self {
        let HookSettings { up, route_up, down, timeout, .. } = config.hooks.clone();
        let (address, netmask) =
            (config.inside.client_cidrs.v4.server_address(), config.inside.client_cidrs.v4.netmask());
        let arguments = arguments(config.tun.as_str(), mtu, address, netmask);
        let server = describe_server(config, mtu);
        Self { up, route_up, down, arguments, server, runner: Runner::new(timeout), is_up: false }
    }

    /// The device is up and the routes are set.
    ///
    /// # Errors
    ///
    /// [`HookFailure`] of the first program that fails: the server does not start.
    pub fn started(&mut self) -> Result<(), HookFailure> {
        self.run(self.up.as_ref(), "up", "init")?;
        self.is_up = true;
        self.run(self.route_up.as_ref(), "route-up", "init")
    }

    fn run(
        &self,
        command: Option<&HookCommand>,
        script_type: &str,
        context: &str,
    ) -> Result<(), HookFailure> {
        let Some(command) = command else { return Ok(()) };
        let mut environment = Environment::of_script(script_type);
        environment.extend(&self.server);
        environment.set("script_context", context);
        let mut arguments = if script_type == "route-up" { Vec::new() } else { self.arguments.clone() };
        if !arguments.is_empty() {
            arguments.push(context.into());
        }
        self.runner.run(command, &arguments, &environment)
    }
}

impl Drop for ServerHooks {
    /// What `up` did is undone whatever ends the server.
    fn drop(&mut self) {
        if !self.is_up {
            return;
        }
        if let Err(failure) = self.run(self.down.as_ref(), "down", "init") {
            report(&failure);
        }
    }
}

/// The variables about the server that all programs get.
pub(super) fn describe_server(config: &Config, mtu: u16) -> Environment {
    let mut environment = Environment::default();
    environment.set("dev", &config.tun);
    environment.set("dev_type", "tun");
    environment.set("tun_mtu", mtu);
    environment.set("ifconfig_local", config.inside.client_cidrs.v4.server_address());
    environment.set("ifconfig_netmask", config.inside.client_cidrs.v4.netmask());
    environment.set("ifconfig_pool_netmask", config.inside.client_cidrs.v4.netmask());
    environment.set("daemon", 1);
    environment.set("daemon_pid", std::process::id());
    for (listen, number) in config.listen.iter().zip(1_u32..) {
        let protocol = listen.transport.to_string().to_lowercase();
        environment.set(&format!("proto_{number}"), protocol);
        environment.set(&format!("local_port_{number}"), listen.address.port());
        environment.set(&format!("local_{number}"), listen.address.ip());
    }
    for (route, number) in config.live.routes.iter().zip(1_u32..) {
        let network = route.network.net();
        environment.set(&format!("route_network_{number}"), network.network());
        environment.set(&format!("route_netmask_{number}"), network.netmask());
    }
    environment
}

/// Device, MTU, a zero where there was the link MTU once, address and netmask.
fn arguments(device: &str, mtu: u16, address: Ipv4Addr, netmask: Ipv4Addr) -> Vec<OsString> {
    [device.to_owned(), mtu.to_string(), "0".to_owned(), address.to_string(), netmask.to_string()]
        .map(OsString::from)
        .to_vec()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::runner::tests::script;
    use super::*;

    fn config(more: &str) -> Config {
        let options = format!(
            "pki='p'\nserver-name='s'\nclient-cidr='10.8.0.0/24'\ntun='tun7'\nlisten='udp:0.0.0.0:443'\n\
             route='10.7.0.0/24'\n{more}"
        );
        Config::check(toml::from_str(&options).unwrap()).unwrap()
    }

    #[test]
    fn programs_run_at_the_start_and_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let trace = directory.path().join("trace");
        let text = format!("echo \"$script_type $* $proto_1 $route_network_1\" >> {}", trace.display());
        let command = script(directory.path(), "hook", &text);
        let config = config(&format!("up='{command}'\nroute-up='{command}'\ndown='{command}'"));
        let mut hooks = ServerHooks::new(&config, 1500);
        hooks.started().unwrap();
        drop(hooks);
        assert_eq!(
            fs::read_to_string(trace).unwrap(),
            "up tun7 1500 0 10.8.0.1 255.255.255.0 init udp 10.7.0.0\n\
             route-up  udp 10.7.0.0\n\
             down tun7 1500 0 10.8.0.1 255.255.255.0 init udp 10.7.0.0\n"
        );
    }

    #[test]
    fn a_program_that_fails_keeps_the_server_from_starting_and_nothing_is_undone() {
        let directory = tempfile::tempdir().unwrap();
        let trace = directory.path().join("trace");
        let fails = script(directory.path(), "up", "exit 3");
        let down = script(directory.path(), "down", &format!("touch {}", trace.display()));
        let mut hooks = ServerHooks::new(&config(&format!("up='{fails}'\ndown='{down}'")), 1500);
        assert_eq!(hooks.started().unwrap_err().code(), "hook-refused");
        drop(hooks);
        assert!(!trace.exists());
    }
}
