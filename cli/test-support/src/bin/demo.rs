//! The main job, shown: from an empty directory to a revoked live tunnel, with two stock OpenVPN clients.
//!
//! Needs root for network namespaces; changes nothing outside of them and of a temporary directory.
#![expect(clippy::print_stdout, reason = "the demonstration is what it prints")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use test_support::command::{succeed, tool};
use test_support::lab::{LAN, SERVER, TARGET};
use test_support::traffic::ping::Ping;
use test_support::traffic::transfer::{Direction, Load, transfer};
use test_support::{Context, Failure, Host, Lab, Result, Server, ServerPlan, StockClient};

const STAYS: &str = "alice@company.com";
const LEAVES: &str = "bob@company.com";
const LIMIT: Duration = Duration::from_secs(30);
/// What is promised: from the new revocation list to the end of the tunnel.
const PROMISE: Duration = Duration::from_secs(1);
const SAMPLE: u64 = 64 << 20;

fn main() -> ExitCode {
    match demonstrate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("\nThe demonstration failed: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn demonstrate() -> Result<()> {
    let lab = Lab::new(2)?;
    let postern = Postern::beside_this_program(lab.scratch())?;
    println!(
        "Postern, from an empty directory to a revoked live tunnel.\n\n\
         Four machines, each a network namespace of its own:\n\n    \
         client-1 192.0.2.11 --+\n                          \
         +-- 192.0.2.1 server 10.7.0.1 --- 10.7.0.2 target\n    \
         client-2 192.0.2.12 --+"
    );
    make_a_pki(&postern)?;
    let mut server = serve(&postern, lab.server())?;
    let stays = connect(&postern, lab.client(1), STAYS)?;
    let mut leaves = connect(&postern, lab.client(2), LEAVES)?;
    move_traffic(&lab)?;
    revoke(&postern, &lab, &mut leaves)?;
    try_again(&postern, lab.client(2))?;
    stop(&lab, &mut server, &stays)
}

/// The program under demonstration, in the directory in which its user works.
struct Postern {
    binary: PathBuf,
    directory: PathBuf,
}

impl Postern {
    fn beside_this_program(directory: &Path) -> Result<Self> {
        let this_program = std::env::current_exe().context("looking for this program")?;
        let binary = this_program.with_file_name("postern");
        if !binary.exists() {
            return Err(Failure::new(format!("{} is missing: run `make demo`", binary.display())));
        }
        Ok(Self { binary, directory: directory.to_owned() })
    }

    /// Shows and runs `postern ARGUMENTS` on the server's machine; what it prints goes to file `output`, if given.
    fn run<const N: usize>(&self, arguments: [&str; N], output: Option<&str>) -> Result<()> {
        let redirection = output.map(|file| format!(" > {file}")).unwrap_or_default();
        show("server", &format!("postern {}{redirection}", arguments.join(" ")));
        let mut command = tool(&self.binary);
        command.args(arguments).current_dir(&self.directory);
        let printed = succeed(command)?;
        output.map_or(Ok(()), |file| {
            fs::write(self.directory.join(file), printed).context(format!("writing {file}"))
        })
    }

    fn profile_of(&self, name: &str) -> Result<String> {
        fs::read_to_string(self.directory.join(profile_file(name))).context("reading a profile")
    }
}

fn make_a_pki(postern: &Postern) -> Result<()> {
    heading("A certificate authority, a server certificate, two clients and their profiles");
    let start = Instant::now();
    postern.run(["init-pki"], None)?;
    postern.run(["build-ca", "nopass"], None)?;
    postern.run(["build-server-full", "server", "nopass"], None)?;
    for name in [STAYS, LEAVES] {
        postern.run(["build-client-full", name, "nopass"], None)?;
        postern.run(["export", name, "--remote", &SERVER.to_string()], Some(&profile_file(name)))?;
    }
    say(&format!("done in {:.0?}", start.elapsed()));
    Ok(())
}

fn serve(postern: &Postern, host: &Host) -> Result<Server> {
    heading("A VPN endpoint: clients may reach the network behind it, and nothing else");
    let arguments = format!(
        "serve --pki pki --server-name server --listen udp:{SERVER}:1194 --tun vpn0 --client-cidr 10.8.0.0/24 \
         --split-tunnel --route {LAN} --authorize {LAN} --state-dir state --connection-log connections.jsonl"
    );
    show("server", &format!("postern {arguments}"));
    let mut command = host.command(&postern.binary);
    command.args(arguments.split(' ')).current_dir(&postern.directory);
    let start = Instant::now();
    let server = Server::start_command("postern", host, command, &ServerPlan::default())?;
    say(&format!("serving after {:.0?}", start.elapsed()));
    Ok(server)
}

fn connect<'lab>(postern: &Postern, host: &'lab Host, name: &str) -> Result<StockClient<'lab>> {
    heading(&format!("{name} connects with the stock OpenVPN client"));
    show(host.name(), &format!("openvpn --config {}", profile_file(name)));
    let start = Instant::now();
    let client = StockClient::connect(host, &postern.profile_of(name)?, &[])?;
    say(&format!("connected after {:.0?}, address {}", start.elapsed(), client.tunnel_address()?));
    Ok(client)
}

fn move_traffic(lab: &Lab) -> Result<()> {
    heading("Both reach the network behind the server");
    for client in lab.clients() {
        let target = TARGET.to_string();
        show(client.name(), &format!("ping -c 3 -i 0.2 {target}"));
        let printed = client.run("ping", ["-c", "3", "-i", "0.2", &target])?;
        printed.lines().filter(|line| line.contains("packets") || line.contains("rtt")).for_each(say);
    }
    for direction in [Direction::Upload, Direction::Download] {
        let done = transfer(lab.client(1), lab.target(), TARGET, Load::new(direction, SAMPLE))?;
        say(&format!("client-1, {}: {done}", format!("{direction:?}").to_lowercase()));
    }
    Ok(())
}

/// Both clients ping a hundred times a second while one of them is revoked.
fn revoke(postern: &Postern, lab: &Lab, leaves: &mut StockClient<'_>) -> Result<()> {
    heading(&format!("{LEAVES} leaves the company, in the middle of a series of pings"));
    let ping = |number| Ping::start(lab.client(number), TARGET, Duration::from_millis(10));
    let (staying, leaving) = (ping(1)?, ping(2)?);
    staying.wait_for_replies(50, LIMIT)?;

    postern.run(["--batch", "revoke", LEAVES], None)?;
    let start = Instant::now();
    postern.run(["gen-crl"], None)?;
    let told = leaves.wait_refused("AUTH_FAILED", LIMIT)?;
    staying.wait_for_replies(50, LIMIT)?;
    let last_reply = leaving.report().last_reply().unwrap_or(start).saturating_duration_since(start);
    let told_after = told.at.saturating_duration_since(start);
    let staying = staying.stop();

    say(&format!("client-2: {}", told.text));
    say(&format!(
        "client-2: tunnel ended {told_after:.0?} after gen-crl began; last reply at {last_reply:.0?}"
    ));
    say(&format!("client-1: {} pings sent, {} lost", staying.sent(), staying.lost().len()));
    require(told_after < PROMISE && last_reply < PROMISE, "the revoked tunnel must end within a second")?;
    require(staying.lost().is_empty(), "nobody else may lose a packet")
}

fn try_again(postern: &Postern, host: &Host) -> Result<()> {
    heading(&format!("{LEAVES} tries again, and is told why not"));
    show(host.name(), &format!("openvpn --config {}", profile_file(LEAVES)));
    let start = Instant::now();
    let mut client = StockClient::start(host, &postern.profile_of(LEAVES)?, &[])?;
    let refused = client.wait_refused("AUTH_FAILED", LIMIT)?;
    say(&format!("refused after {:.0?}: {}", refused.at.saturating_duration_since(start), refused.text));
    Ok(())
}

fn stop(lab: &Lab, server: &mut Server, stays: &StockClient<'_>) -> Result<()> {
    heading("The server stops, and tells who is still there");
    let mark = stays.log().mark();
    require(server.stop()?.success(), "the server must stop by itself")?;
    let told = stays.log().wait_for_since(mark, "server-pushed-connection-reset", LIMIT)?;
    say(&format!("client-1: {}", told.text));

    heading("What the connection log says, in short");
    let log =
        fs::read_to_string(lab.scratch().join("connections.jsonl")).context("reading the connection log")?;
    for line in log.lines() {
        let record: serde_json::Value = serde_json::from_str(line).context("parsing the connection log")?;
        let shown =
            ["connection-start-time", "common-name", "event", "reason", "ingress-bytes", "egress-bytes"];
        say(&shown.map(|key| record[key].as_str().unwrap_or_default()).join("  "));
    }
    println!("\nThat was all: machines, certificates and processes are gone now.");
    Ok(())
}

fn profile_file(name: &str) -> String {
    let (user, _) = name.split_once('@').unwrap_or((name, ""));
    format!("{user}.ovpn")
}

fn require(promise_kept: bool, promise: &str) -> Result<()> {
    promise_kept.then_some(()).ok_or_else(|| Failure::new(promise))
}

fn heading(text: &str) {
    println!("\n== {text}");
}

fn show(machine: &str, command: &str) {
    println!("   {machine}$ {command}");
}

fn say(text: &str) {
    println!("      {text}");
}
