//! A configuration of a stock server runs as it is: `postern openvpn --config server.conf`, with stock clients that keep
//! their profiles.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use test_support::lab::{SERVER, TARGET};
use test_support::process::Signal;
use test_support::traffic::ping;
use test_support::{KeyKind, Lab, Pki, Result, Server, ServerPlan, StockClient, wait};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);

/// The sample that OpenVPN's packages install, without comments, with the addresses of the laboratory.
const SERVER_CONF: &str = "\
port 1194
proto udp
dev tun
ca pki/ca.crt
cert pki/issued/server.crt
key pki/private/server.key  # This file should be kept secret
dh none
topology subnet
server 10.8.0.0 255.255.255.0
push \"route 10.7.0.0 255.255.255.0\"
keepalive 10 120
persist-key
persist-tun
status openvpn-status.log 1
status-version 2
management management.sock unix
verb 3
explicit-exit-notify 1
";

/// A directory with an easy-rsa PKI beside `server.conf`, as on a stock server.
struct Site<'lab> {
    lab: &'lab Lab,
    pki: Pki,
}

impl<'lab> Site<'lab> {
    fn new(lab: &'lab Lab, clients: &[&str]) -> Result<Self> {
        let pki = Pki::by_easy_rsa(lab.scratch().join("pki"), KeyKind::P256)?;
        pki.build_server("server")?;
        clients.iter().try_for_each(|client| pki.build_client(client))?;
        // What the administrator of a stock server sets up beside it.
        lab.server().run("sysctl", ["-qw", "net.ipv4.ip_forward=1"])?;
        let way_back = ["route", "add", "10.8.0.0/24", "via", "10.7.0.1"];
        lab.target().namespace().ip(way_back)?;
        Ok(Self { lab, pki })
    }

    fn path(&self, file: &str) -> PathBuf {
        self.lab.scratch().join(file)
    }

    fn command(&self, configuration: &str, options: &[&str]) -> Command {
        fs::write(self.path("server.conf"), configuration).unwrap_or_default();
        let mut command = self.lab.server().command(POSTERN);
        command.arg("openvpn").arg("--cd").arg(self.lab.scratch());
        command.args(["--config", "server.conf", "--state-dir", "state"]).args(options);
        command
    }

    /// A list that everybody can read, replaced as a whole.
    fn publish_crl(&self) {
        fs::copy(self.pki.crl(), self.path("crl.new")).unwrap();
        fs::set_permissions(self.path("crl.new"), fs::Permissions::from_mode(0o644)).unwrap();
        fs::rename(self.path("crl.new"), self.path("crl.pem")).unwrap();
    }

    /// The serial number of a client's certificate in decimal digits, which has at most 128 bits here.
    fn serial(&self, name: &str) -> String {
        let certificate = self.pki.certificate(name);
        let told =
            Command::new("openssl").args(["x509", "-noout", "-serial", "-in"]).arg(certificate).output();
        let told = String::from_utf8(told.unwrap().stdout).unwrap();
        let hexadecimal = told.trim().trim_start_matches("serial=").to_owned();
        u128::from_str_radix(&hexadecimal, 16).unwrap().to_string()
    }

    fn start(&self, configuration: &str, options: &[&str]) -> Result<Server> {
        let command = self.command(configuration, options);
        Server::start_command("postern", self.lab.server(), command, &ServerPlan::default())
    }

    fn connect(&self, number: usize, name: &str, options: &[&str]) -> Result<StockClient<'lab>> {
        let profile = self.pki.handmade_profile(name, SERVER, 1194)?;
        StockClient::connect(self.lab.client(number), &profile, options)
    }
}

/// A program that speaks to the management interface.
struct Manager {
    reader: BufReader<UnixStream>,
}

impl Manager {
    fn connect(path: &std::path::Path) -> Result<Self> {
        let stream = wait::until("a management interface", LIMIT, || Ok(UnixStream::connect(path).ok()))?;
        stream.set_read_timeout(Some(LIMIT)).unwrap_or_default();
        Ok(Self { reader: BufReader::new(stream) })
    }

    fn ask(&mut self, command: &str) {
        writeln!(self.reader.get_mut(), "{command}").unwrap_or_default();
    }

    /// Whatever comes next, as many octets.
    fn read_octets(&mut self, count: usize) -> String {
        let mut octets = vec![0; count];
        self.reader.read_exact(&mut octets).unwrap();
        String::from_utf8(octets).unwrap()
    }

    fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The variables up to the end of the notice.
    fn environment(&mut self) -> Vec<String> {
        let variables = std::iter::repeat_with(|| self.wait_for(">CLIENT:ENV,"));
        let variables = variables.map(|line| line.trim_start_matches(">CLIENT:ENV,").to_owned());
        variables.take_while(|variable| variable != "END").collect()
    }

    /// The next line that begins with `beginning`.
    fn wait_for(&mut self, beginning: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            let length = self.reader.read_line(&mut line).unwrap_or_default();
            assert!(length > 0, "no line begins with {beginning}, only:\n{seen}");
            if line.starts_with(beginning) {
                return line.trim_end().to_owned();
            }
            seen.push_str(&line);
        }
    }
}

#[test]
fn a_stock_client_connects_to_a_stock_configuration() {
    let lab = Lab::new(1).unwrap();
    let site = Site::new(&lab, &["alice"]).unwrap();
    let mut server = site.start(SERVER_CONF, &[]).unwrap();
    let client = site.connect(1, "alice", &[]).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    let pushed = client.pushed_options().unwrap();
    assert!(pushed.contains(&"route 10.7.0.0 255.255.255.0".to_owned()), "{pushed:?}");
    server.log().wait_for("persist-key: ignored", LIMIT).unwrap();

    let shown = wait::until("a status file that shows the client", LIMIT, || {
        let status = fs::read_to_string(site.path("openvpn-status.log")).unwrap_or_default();
        Ok(status.lines().find(|line| line.starts_with("CLIENT_LIST,alice,")).map(ToOwned::to_owned))
    });
    assert!(shown.unwrap().contains(",10.8.0.2,"));
    assert!(server.stop().unwrap().success());
}

#[test]
fn the_management_interface_shows_clients_and_ends_their_sessions() {
    let lab = Lab::new(1).unwrap();
    let site = Site::new(&lab, &["alice"]).unwrap();
    let mut server = site.start(SERVER_CONF, &[]).unwrap();
    let mut manager = Manager::connect(&site.path("management.sock")).unwrap();
    manager.wait_for(">INFO:OpenVPN Management Interface Version 5");
    for command in ["state on", "log on", "bytecount 1"] {
        manager.ask(command);
        manager.wait_for("SUCCESS:");
    }
    let client = site.connect(1, "alice", &[]).unwrap();
    manager.wait_for(">CLIENT:ESTABLISHED,0");
    manager.wait_for(">CLIENT:ENV,common_name=alice");
    manager.wait_for(">BYTECOUNT_CLI:0,");
    manager.ask("status 2");
    assert!(manager.wait_for("CLIENT_LIST,").starts_with("CLIENT_LIST,alice,192.0.2.11:"));
    manager.wait_for("END");
    manager.ask("load-stats");
    manager.wait_for("SUCCESS: nclients=1,bytesin=");

    let mark = client.log().mark();
    manager.ask("kill alice");
    manager.wait_for("SUCCESS: common name 'alice' found, 1 client(s) killed");
    manager.wait_for(">CLIENT:DISCONNECT,0");
    client.wait_connected_since(mark, LIMIT).unwrap();
    manager.wait_for(">CLIENT:ESTABLISHED,1");
    manager.ask("signal SIGTERM");
    manager.wait_for(">STATE:");
    assert!(server.process().wait(LIMIT).unwrap().success());
    assert!(!site.path("management.sock").exists());
}

/// What openvpn-auth-oauth2 does: a page to log in on, then the decision; and how it refuses somebody.
#[test]
fn a_management_client_decides_about_logins() {
    let lab = Lab::new(1).unwrap();
    let site = Site::new(&lab, &["alice"]).unwrap();
    fs::write(site.path("login"), "alice\nsecret\n").unwrap();
    let login = site.path("login").display().to_string();
    let directives = "management-client-auth\nauth-user-pass-optional\n";
    let mut server = site.start(&format!("{SERVER_CONF}{directives}"), &[]).unwrap();
    let mut manager = Manager::connect(&site.path("management.sock")).unwrap();
    manager.ask("version");
    assert!(manager.wait_for("Management Version: ").ends_with('5'));

    let profile = site.pki.handmade_profile("alice", SERVER, 1194).unwrap();
    let options = [
        "--auth-user-pass",
        &login,
        "--setenv",
        "IV_SSO",
        "webauth",
        "--explicit-exit-notify",
        "1",
        "--reneg-sec",
        "4",
    ];
    let mut client = StockClient::start(lab.client(1), &profile, &options).unwrap();
    manager.wait_for(">CLIENT:CONNECT,0,1");
    let told = manager.environment();
    for variable in [
        "IV_SSO=webauth",
        "IV_PLAT=linux",
        "common_name=alice",
        "username=alice",
        "password=secret",
        "untrusted_ip=192.0.2.11",
        "X509_0_CN=alice",
        "tls_id_0=CN=alice",
        "tls_serial_0=",
        "tls_serial_1=",
        "tls_digest_sha256_1=",
    ] {
        assert!(told.iter().any(|told| told.starts_with(variable)), "{variable} is not in {told:?}");
    }
    manager.ask("client-pending-auth 0 1 \"WEB_AUTH::https://sso.test/start?state=abc\" 180");
    manager.wait_for("SUCCESS: client-pending-auth command succeeded");
    client.log().wait_for("WEB_AUTH::https://sso.test/start?state=abc", LIMIT).unwrap();
    manager.ask("client-auth 0 1\npush \"route 10.99.0.0 255.255.255.0\"\nEND");
    manager.wait_for("SUCCESS: client-auth command succeeded");
    manager.wait_for(">CLIENT:ADDRESS,0,10.8.0.2,1");
    manager.wait_for(">CLIENT:ESTABLISHED,0");
    assert!(manager.environment().contains(&"ifconfig_pool_remote_ip=10.8.0.2".to_owned()));
    client.wait_connected().unwrap();
    assert!(client.pushed_options().unwrap().contains(&"route 10.99.0.0 255.255.255.0".to_owned()));
    manager.wait_for(">CLIENT:REAUTH,0,2");
    manager.ask("client-auth-nt 0 2");
    manager.wait_for("SUCCESS: client-auth command succeeded");
    manager.wait_for(">CLIENT:REAUTH,0,3");
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    client.stop().unwrap();
    manager.wait_for(">CLIENT:DISCONNECT,0");
    assert!(manager.environment().iter().any(|told| told.starts_with("bytes_received=")));

    let mut nobody = StockClient::start(lab.client(1), &profile, &[]).unwrap();
    manager.wait_for(">CLIENT:CONNECT,1,1");
    manager.ask("client-deny 1 1 \"no user name\" \"log in, please\"");
    manager.wait_for("SUCCESS: client-deny command succeeded");
    nobody.wait_refused("AUTH_FAILED,log in", LIMIT).unwrap();
    manager.wait_for(">CLIENT:DISCONNECT,1");
    assert!(server.stop().unwrap().success());
}

/// The whole conversation of openvpn-auth-oauth2, line by line as it sends and takes them, about a profile without user
/// name: it asks for the version in three lines, releases the hold, sends a person to a page, gives the client a name to
/// show with its token, and recognises by the state of the session that it need not ask again.
#[test]
fn the_conversation_of_a_program_for_single_sign_on() {
    let lab = Lab::new(1).unwrap();
    let site = Site::new(&lab, &["alice"]).unwrap();
    fs::write(site.path("password"), "secret\n").unwrap();
    let configuration = SERVER_CONF.replace("management.sock unix", "management.sock unix password");
    let directives =
        "management-hold\nmanagement-client-auth\nauth-user-pass-optional\nauth-gen-token 0 external-auth\n";
    let command = site.command(&format!("{configuration}{directives}"), &[]);
    let process = lab.server().start("postern", command).unwrap();
    let mut manager = Manager::connect(&site.path("management.sock")).unwrap();
    assert_eq!(manager.read_octets(15), "ENTER PASSWORD:");
    manager.ask("secret\r");
    manager.wait_for("SUCCESS: password is correct");
    manager.ask("version\r");
    assert!(manager.wait_for("OpenVPN Version: ").starts_with("OpenVPN Version: OpenVPN 2."));
    assert!(manager.next_line().ends_with('5'), "the version of the interface is the last character");
    assert_eq!(manager.next_line(), "END");
    manager.ask("hold release\r");
    manager.wait_for("SUCCESS: hold");
    process.log().wait_for("ready: listening", LIMIT).unwrap();

    let profile = site.pki.handmade_profile("alice", SERVER, 1194).unwrap();
    let options = ["--setenv", "IV_SSO", "webauth", "--reneg-sec", "4", "--explicit-exit-notify", "1"];
    let mut client = StockClient::start(lab.client(1), &profile, &options).unwrap();
    manager.wait_for(">CLIENT:CONNECT,0,1");
    let told = manager.environment();
    let variable = |told: &[String], name: &str| {
        told.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('=').map(ToOwned::to_owned))
    };
    assert_eq!(variable(&told, "username"), None, "{told:?}");
    assert_eq!(variable(&told, "session_state").as_deref(), Some("Initial"));
    let session = variable(&told, "session_id").unwrap();
    manager.ask("client-pending-auth 0 1 \"WEB_AUTH::https://sso.test/oauth2/start?state=x\" 180\r");
    manager.wait_for("SUCCESS: client-pending-auth command succeeded");
    client.log().wait_for("WEB_AUTH::https://sso.test/oauth2/start?state=x", LIMIT).unwrap();
    manager.ask("client-auth 0 1\r\npush \"auth-token-user dXNlckBzc28=\"\r\nEND\r");
    manager.wait_for("SUCCESS: client-auth command succeeded");
    manager.wait_for(">CLIENT:ESTABLISHED,0");
    client.wait_connected().unwrap();

    manager.wait_for(">CLIENT:REAUTH,0,2");
    let told = manager.environment();
    assert_eq!(variable(&told, "session_state").as_deref(), Some("AuthenticatedEmptyUser"), "{told:?}");
    assert_eq!(variable(&told, "session_id"), Some(session));
    manager.ask("client-auth-nt 0 2\r");
    manager.wait_for("SUCCESS: client-auth command succeeded");
    manager.wait_for(">CLIENT:REAUTH,0,3");
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    manager.ask("client-kill 0\r");
    manager.wait_for("SUCCESS: client-kill command succeeded");
    manager.wait_for(">CLIENT:DISCONNECT,0");
    client.stop().unwrap();
}

#[test]
fn scripts_of_a_stock_configuration_are_run() {
    let lab = Lab::new(1).unwrap();
    let site = Site::new(&lab, &["alice"]).unwrap();
    fs::create_dir(site.path("scripts")).unwrap();
    for (name, text) in [
        ("check", "test \"$(cat $1)\" = 'alice\nsecret'"),
        ("connect", "echo 'push \"route 10.99.0.0 255.255.255.0\"' > $2; test $1 = -v"),
        ("verify", "echo \"$1 $2\" >> $(dirname $0)/seen"),
    ] {
        let script = site.path("scripts").join(name);
        fs::write(&script, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let directives = "script-security 2\nauth-user-pass-verify scripts/check via-file\ntls-verify scripts/verify\n\
                      client-connect \"scripts/connect -v\"\nauth-gen-token 3600\nsession-timeout 3600\n";
    let mut server = site.start(&format!("{SERVER_CONF}{directives}"), &[]).unwrap();
    fs::write(site.path("login"), "alice\nsecret\n").unwrap();
    let login = site.path("login").display().to_string();
    let client = site.connect(1, "alice", &["--auth-user-pass", &login]).unwrap();
    assert!(client.pushed_options().unwrap().contains(&"route 10.99.0.0 255.255.255.0".to_owned()));
    let seen = fs::read_to_string(site.path("scripts/seen")).unwrap();
    let depths: Vec<&str> = seen.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(depths, ["1", "0"], "the authority first, as in a stock server: {seen}");
    drop(client);

    fs::write(site.path("login"), "alice\nwrong\n").unwrap();
    let profile = site.pki.handmade_profile("alice", SERVER, 1194).unwrap();
    let mut thief = StockClient::start(lab.client(1), &profile, &["--auth-user-pass", &login]).unwrap();
    thief.wait_refused("AUTH_FAILED", LIMIT).unwrap();
    assert!(server.stop().unwrap().success());
}

/// With files that only root can write, as below `/etc/openvpn`.
#[test]
fn ops_04_a_server_that_became_nobody_goes_on_writing_and_revoking() {
    let lab = Lab::new(2).unwrap();
    let site = Site::new(&lab, &["alice", "bob"]).unwrap();
    site.pki.gen_crl().unwrap();
    site.publish_crl();
    fs::set_permissions(lab.scratch(), fs::Permissions::from_mode(0o711)).unwrap();
    fs::create_dir(site.path("told")).unwrap();
    fs::set_permissions(site.path("told"), fs::Permissions::from_mode(0o777)).unwrap();
    let script = site.path("connect");
    fs::write(
        &script,
        "#!/bin/sh\n(id -u; grep CapEff /proc/self/status) > $(dirname $0)/told/$common_name\n",
    )
    .unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let directives = "user nobody\ngroup nogroup\ncrl-verify crl.pem\nifconfig-pool-persist ipp.txt\n\
                      script-security 2\nclient-connect ./connect\nwritepid server.pid\n";
    let mut server = site.start(&format!("{SERVER_CONF}{directives}"), &[]).unwrap();
    server.log().wait_for("a reload cannot read this file any more", LIMIT).unwrap();

    let number = wait::until("a process id", LIMIT, || {
        let text = fs::read_to_string(site.path("server.pid")).unwrap_or_default();
        Ok((!text.is_empty()).then_some(text))
    })
    .unwrap();
    assert_eq!(number.trim(), server.process().id().to_string());
    let process = fs::read_to_string(format!("/proc/{}/status", number.trim())).unwrap();
    let line =
        |name: &str| process.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert_eq!(line("Uid:").split_whitespace().nth(1), Some("65534"), "{process}");
    assert_eq!(line("CapEff:"), "CapEff:\t0000000000001400");
    assert_eq!(line("Groups:").trim_end(), "Groups:\t65534");

    let mut alice = site.connect(1, "alice", &[]).unwrap();
    let bob = site.connect(2, "bob", &[]).unwrap();
    ping::require(lab.client(2), TARGET, LIMIT).unwrap();
    let told = fs::read_to_string(site.path("told/bob")).unwrap();
    assert_eq!(told, "65534\nCapEff:\t0000000000000000\n", "programs have no powers");
    wait::until("a status file that shows the client", LIMIT, || {
        let status = fs::read_to_string(site.path("openvpn-status.log")).unwrap_or_default();
        Ok(status.contains("CLIENT_LIST,bob,").then_some(()))
    })
    .unwrap();

    site.pki.revoke("alice").unwrap();
    site.pki.gen_crl().unwrap();
    site.publish_crl();
    alice.wait_refused("AUTH_FAILED", LIMIT).unwrap();

    server.process().signal(Signal::HUP).unwrap();
    server.log().wait_for("could not be reloaded and stays as it is", LIMIT).unwrap();
    drop(bob);
    site.connect(2, "bob", &[]).unwrap();
    assert!(server.stop().unwrap().success());
    assert!(fs::read_to_string(site.path("ipp.txt")).unwrap().contains("bob,10.8.0."));
}

#[test]
fn crl_03_a_serial_number_in_a_directory_ends_the_session() {
    let lab = Lab::new(2).unwrap();
    let site = Site::new(&lab, &["alice", "bob"]).unwrap();
    fs::create_dir(site.path("revoked")).unwrap();
    let serial = site.serial("alice");
    let mut server = site.start(&format!("{SERVER_CONF}crl-verify revoked dir\n"), &[]).unwrap();
    let mut alice = site.connect(1, "alice", &[]).unwrap();
    let bob = site.connect(2, "bob", &[]).unwrap();
    fs::write(site.path("revoked").join(serial), "").unwrap();
    alice.wait_refused("AUTH_FAILED", LIMIT).unwrap();
    ping::require(lab.client(2), TARGET, LIMIT).unwrap();
    drop(bob);
    assert!(server.stop().unwrap().success());
}

#[test]
fn a_held_server_starts_when_it_is_released_by_somebody_with_the_password() {
    let lab = Lab::new(1).unwrap();
    let site = Site::new(&lab, &["alice"]).unwrap();
    fs::write(site.path("password"), "secret\n").unwrap();
    let configuration = SERVER_CONF.replace("management.sock unix", "management.sock unix password");
    let command = site.command(&format!("{configuration}management-hold\n"), &[]);
    let process = lab.server().start("postern", command).unwrap();
    let mut manager = Manager::connect(&site.path("management.sock")).unwrap();
    manager.ask("wrong");
    manager.ask("secret");
    manager.wait_for(">HOLD:Waiting for hold release:0");
    assert!(!lab.server().has_bound_udp_port(1194).unwrap());
    manager.ask("hold release");
    manager.wait_for("SUCCESS: hold release succeeded");
    process.log().wait_for("ready: listening", LIMIT).unwrap();
    site.connect(1, "alice", &[]).unwrap();
}

#[test]
fn files_of_single_clients_give_addresses_networks_and_routes() {
    let lab = Lab::new(3).unwrap();
    let site = Site::new(&lab, &["alice", "bob", "carol"]).unwrap();
    fs::create_dir(site.path("ccd")).unwrap();
    let alice = "ifconfig-push 10.8.0.50 255.255.255.0\niroute 10.20.0.0 255.255.255.0\npush \"route 10.9.0.0 255.255.0.0\"\n";
    fs::write(site.path("ccd/alice"), alice).unwrap();
    fs::write(site.path("ccd/bob"), "").unwrap();
    let directives = "client-config-dir ccd\nccd-exclusive\nroute 10.20.0.0 255.255.255.0\nclient-to-client\n\
                      server-ipv6 fd00:8::/64\nifconfig-pool-persist ipp.txt\nmssfix\ntun-mtu 1400\n";
    let mut server = site.start(&format!("{SERVER_CONF}{directives}"), &[]).unwrap();

    let alice = site.connect(1, "alice", &[]).unwrap();
    assert_eq!(alice.tunnel_address().unwrap().to_string(), "10.8.0.50");
    assert!(alice.pushed_options().unwrap().contains(&"route 10.9.0.0 255.255.0.0".to_owned()));
    lab.client(1).namespace().ip(["address", "add", "10.20.0.1/24", "dev", "lo"]).unwrap();
    let mut bob = site.connect(2, "bob", &["--route", "10.20.0.0", "255.255.255.0"]).unwrap();
    ping::require(lab.client(2), "10.20.0.1".parse::<Ipv4Addr>().unwrap(), LIMIT).unwrap();
    let status = wait::until("a status file with the network", LIMIT, || {
        let status = fs::read_to_string(site.path("openvpn-status.log")).unwrap_or_default();
        Ok(status.contains("ROUTING_TABLE,10.20.0.0/24,alice,").then_some(status))
    });
    assert!(status.unwrap().contains("ROUTING_TABLE,fd00:8::"));

    let profile = site.pki.handmade_profile("carol", SERVER, 1194).unwrap();
    let mut carol = StockClient::start(lab.client(3), &profile, &[]).unwrap();
    carol.wait_refused("AUTH_FAILED", LIMIT).unwrap();

    fs::write(site.path("ccd/bob"), "disable\n").unwrap();
    server.process().signal(Signal::HUP).unwrap();
    bob.wait_refused("AUTH_FAILED,this client may not connect", LIMIT).unwrap();
    server.stop().unwrap();
    assert!(fs::read_to_string(site.path("ipp.txt")).unwrap().contains("bob,10.8.0."));
}

#[test]
fn inline_blocks_and_options_of_the_command_line_count() {
    let lab = Lab::new(1).unwrap();
    let site = Site::new(&lab, &["alice"]).unwrap();
    let made = Command::new("openvpn").args(["--genkey", "secret"]).arg(site.path("ta.key")).status();
    assert!(made.unwrap().success());
    let block =
        |name: &str, file: PathBuf| format!("<{name}>\n{}</{name}>\n", fs::read_to_string(file).unwrap());
    let without_files: String =
        SERVER_CONF.lines().filter(|line| !line.contains("pki/")).map(|line| format!("{line}\n")).collect();
    let configuration = [
        without_files,
        block("ca", site.pki.ca_certificate()),
        block("cert", site.pki.certificate("server")),
        block("key", site.pki.private_key("server")),
        block("tls-crypt", site.path("ta.key")),
    ]
    .concat();
    let _server = site.start(&configuration, &["--proto", "tcp-server", "--proto", "udp"]).unwrap();
    let key = site.path("ta.key").display().to_string();
    let _client = site.connect(1, "alice", &["--tls-crypt", &key]).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

#[test]
fn a_daemon_is_left_behind_ready_and_with_its_number() {
    let lab = Lab::new(1).unwrap();
    let site = Site::new(&lab, &["alice"]).unwrap();
    let configuration =
        format!("{SERVER_CONF}daemon ovpn-server\nwritepid server.pid\nlog-append server.log\n");
    let caller = site.command(&configuration, &[]).output().unwrap();
    assert!(caller.status.success(), "{caller:?}");
    let connected = site.connect(1, "alice", &[]).map(drop);

    let pid = fs::read_to_string(site.path("server.pid")).unwrap();
    let log = fs::read_to_string(site.path("server.log")).unwrap();
    let stopped = Command::new("kill").arg(pid.trim()).status().unwrap();
    wait::until("the end of the daemon", LIMIT, || {
        Ok((!PathBuf::from(format!("/proc/{}", pid.trim())).exists()).then_some(()))
    })
    .unwrap();
    connected.unwrap();
    assert!(stopped.success());
    assert!(log.contains("the server is ready"), "{log}");
}

#[test]
fn a_start_that_fails_in_the_background_is_heard_of() {
    let lab = Lab::new(0).unwrap();
    let site = Site::new(&lab, &[]).unwrap();
    let configuration = format!("{}daemon\n", SERVER_CONF.replace("server.key", "nobody.key"));
    let caller = site.command(&configuration, &[]).output().unwrap();
    assert_eq!(caller.status.code(), Some(1), "{caller:?}");
    assert!(String::from_utf8_lossy(&caller.stderr).contains("nobody.key"), "{caller:?}");
}
