//! What can be asked for on the command line.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Measures servers of the OpenVPN protocol.
#[derive(Debug, Parser)]
#[command(name = "postern-bench", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Connect and leave, as often as possible
    Handshakes(HandshakeArgs),
    /// Connect many and keep them until standard input ends
    Hold(HoldArgs),
    /// Keep many that carry traffic, renegotiate and move, and report what becomes of them
    Soak(SoakArgs),
    /// Send UDP packets through tunnels
    Upload(UploadArgs),
    /// Count the UDP packets that come through tunnels
    Download(DownloadArgs),
    /// Measure the time that echoes take through tunnels
    Ping(PingArgs),
    /// Send plain UDP packets to addresses of clients, from the network behind the server
    Blast(BlastArgs),
    /// Count plain UDP packets in the network behind the server
    Sink(SinkArgs),
}

/// Whom to connect to, and as whom.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConnectArgs {
    /// The server's address and UDP port
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) server: SocketAddr,
    /// The server's certificate, the only one that is trusted
    #[arg(long, value_name = "FILE")]
    pub(crate) server_cert: PathBuf,
    /// The certificate of every client
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: PathBuf,
    /// Its key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Shake hands by TLS 1.2
    #[arg(long)]
    pub(crate) tls12: bool,
    /// Offer the post-quantum key exchange, as OpenSSL does from 3.5 on
    #[arg(long)]
    pub(crate) post_quantum: bool,
    /// Handshakes under way at once
    #[arg(long, value_name = "NUMBER", default_value_t = 16)]
    pub(crate) concurrency: usize,
}

#[derive(Debug, Args)]
pub(crate) struct HandshakeArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// How long to measure
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "5")]
    pub(crate) seconds: Duration,
    /// How long to go on before that without measuring
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "1")]
    pub(crate) warm_up: Duration,
    /// Handshakes per second at most; 0 for no limit
    #[arg(long, value_name = "NUMBER", default_value_t = 0.0)]
    pub(crate) rate: f64,
}

#[derive(Debug, Args)]
pub(crate) struct HoldArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// Clients to connect
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    pub(crate) sessions: usize,
    /// The server's process, whose memory is then reported
    #[arg(long, value_name = "PID")]
    pub(crate) process: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct SoakArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// Clients to connect
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    pub(crate) sessions: usize,
    /// Who answers echoes, inside the tunnel
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) target: Ipv4Addr,
    /// Echoes per second over all clients
    #[arg(long, value_name = "NUMBER", default_value_t = 2000.0)]
    pub(crate) rate: f64,
    /// How often each client changes its address
    #[arg(long, value_name = "SECONDS", value_parser = interval, default_value = "45")]
    pub(crate) roam_every: Duration,
    /// How often each client renegotiates, beside what the server does
    #[arg(long, value_name = "SECONDS", value_parser = interval, default_value = "90")]
    pub(crate) renegotiate_every: Duration,
    /// How long
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "1800")]
    pub(crate) seconds: Duration,
    /// The time between two reports
    #[arg(long, value_name = "SECONDS", value_parser = interval, default_value = "60")]
    pub(crate) every: Duration,
    /// The server's process, whose memory is then reported
    #[arg(long, value_name = "PID")]
    pub(crate) process: Option<u32>,
}

/// UDP packets: how long and how fast.
#[derive(Clone, Debug, Args)]
pub(crate) struct StreamArgs {
    /// Octets of each packet, IP header included
    #[arg(long, value_name = "OCTETS", default_value_t = 1400, value_parser = clap::value_parser!(u16).range(32..=1472))]
    pub(crate) size: u16,
    /// Packets per second over all clients; 0 for as many as possible
    #[arg(long, value_name = "NUMBER", default_value_t = 0.0)]
    pub(crate) rate: f64,
    /// Packets that one call sends
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=40))]
    pub(crate) burst: u16,
    /// The UDP port they are for
    #[arg(long, value_name = "PORT", default_value_t = 5201)]
    pub(crate) port: u16,
    /// How long to send
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "5")]
    pub(crate) seconds: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct UploadArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// Clients that send
    #[arg(long, value_name = "NUMBER", default_value_t = 8)]
    pub(crate) sessions: usize,
    /// Where the packets go, inside the tunnel
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) target: Ipv4Addr,
    #[command(flatten)]
    pub(crate) stream: StreamArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DownloadArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// Clients that listen
    #[arg(long, value_name = "NUMBER", default_value_t = 8)]
    pub(crate) sessions: usize,
    /// How long to listen
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "6")]
    pub(crate) seconds: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct PingArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// Clients that take turns
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) sessions: usize,
    /// Who answers, inside the tunnel
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) target: Ipv4Addr,
    /// How many echoes
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    pub(crate) count: u32,
    /// The time between two of them
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "0.005")]
    pub(crate) interval: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct BlastArgs {
    /// The addresses, separated by commas
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',', required = true)]
    pub(crate) targets: Vec<Ipv4Addr>,
    #[command(flatten)]
    pub(crate) stream: StreamArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SinkArgs {
    /// The UDP port to listen on
    #[arg(long, value_name = "PORT", default_value_t = 5201)]
    pub(crate) port: u16,
    /// How long to listen
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "6")]
    pub(crate) seconds: Duration,
}

fn interval(text: &str) -> Result<Duration, String> {
    seconds(text)
        .and_then(|duration| if duration.is_zero() { Err("not zero".to_owned()) } else { Ok(duration) })
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_may_have_fractions_and_may_not_be_negative() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        assert_eq!(interval("0.25"), Ok(Duration::from_millis(250)));
        assert!(interval("0").is_err());
        assert!(seconds("-1").is_err() && seconds("soon").is_err() && seconds("inf").is_err());
    }
}
