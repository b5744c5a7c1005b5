//! Many clients, waited for together.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use vpn_proto::client::{ClientConfig, ClientTls};
use vpn_proto::{Moment, TlsVersion};
use vpn_server::clock::Clock;
use vpn_server::transport::poller::{Interest, Poller, ReadyList, Token};

use crate::args::ConnectArgs;
use crate::error::BenchError;
use crate::member::{Member, Standing};
use crate::ports::Ports;

/// Many clients.
pub(crate) struct Swarm {
    connect: ConnectArgs,
    ports: Ports,
    config: Arc<ClientConfig>,
    clock: Clock,
    poller: Poller,
    ready: ReadyList,
    members: BTreeMap<u64, Member>,
    next_token: u64,
    next_tick: Moment,
    buffer: Vec<u8>,
}

impl Swarm {
    pub(crate) fn new(connect: &ConnectArgs) -> Result<Self, BenchError> {
        allow_descriptors();
        let clock = Clock::start();
        let mut config = ClientConfig::new(tls(connect)?);
        config.unix_time_of_origin = clock.unix_time_of_origin();
        config.handshake_timeout = PATIENCE;
        Ok(Self {
            connect: connect.clone(),
            ports: Ports::new(),
            config: Arc::new(config),
            clock,
            poller: Poller::new().map_err(BenchError::system("wait for sockets"))?,
            ready: ReadyList::with_capacity(256),
            members: BTreeMap::new(),
            next_token: 0,
            next_tick: Moment::default(),
            buffer: vec![0; 65_536],
        })
    }

    /// Brings up so many clients.
    pub(crate) fn bring_up(&mut self, count: usize) -> Result<(), BenchError> {
        let mut reason = String::new();
        let mut begun = 0;
        loop {
            let room = self.connect.concurrency.saturating_sub(self.connecting());
            for _ in 0..room.min(count - begun) {
                self.begin()?;
                begun += 1;
            }
            self.turn(TURN, |_, _| {})?;
            for (_, gone) in self.take_gone() {
                reason = gone;
            }
            if begun == count && self.connecting() == 0 {
                break;
            }
        }
        let up = self.members.len();
        if up < count { Err(BenchError::NotConnected { up, wanted: count, reason }) } else { Ok(()) }
    }

    /// Begins one more connection.
    pub(crate) fn begin(&mut self) -> Result<(), BenchError> {
        let now = self.clock.now();
        let server = self.connect.server;
        let socket = self.ports.socket_toward(server).map_err(BenchError::system("open a socket"))?;
        let member = Member::connect(server, socket, Arc::clone(&self.config), now);
        let token = self.next_token;
        self.next_token += 1;
        let added = self.poller.add(&member, Token(token), Interest::Read);
        added.map_err(BenchError::system("wait for a socket"))?;
        self.members.insert(token, member);
        Ok(())
    }

    /// Has one of the connected clients go on from another port.
    pub(crate) fn roam(&mut self, number: usize) -> Result<(), BenchError> {
        let server = self.connect.server;
        let socket = self.ports.socket_toward(server).map_err(BenchError::system("open a socket"))?;
        let Some((token, _, _)) = self.connected().nth(number) else { return Ok(()) };
        let Some(member) = self.members.get_mut(&token) else { return Ok(()) };
        let added = self.poller.add(&socket, Token(token), Interest::Read);
        // The poller forgets the former socket when it is closed.
        member.roam(socket);
        added.map_err(BenchError::system("wait for a socket"))
    }

    /// Waits for something to arrive for at most `limit`, and hands tunnel packets to `take`, with the number of their
    /// client.
    pub(crate) fn turn(
        &mut self,
        limit: Duration,
        mut take: impl FnMut(u64, &[u8]),
    ) -> Result<(), BenchError> {
        self.poller.wait(&mut self.ready, Some(limit)).map_err(BenchError::system("wait for sockets"))?;
        let now = self.clock.now();
        for ready in self.ready.iter() {
            let token = ready.token.0;
            if let Some(member) = self.members.get_mut(&token) {
                member.receive(now, &mut self.buffer, |packet| take(token, packet));
            }
        }
        if self.next_tick <= now {
            self.next_tick = now + TICK;
            self.members.values_mut().for_each(|member| member.tick(now));
        }
        Ok(())
    }

    /// Lets go of clients that have no tunnel, and says why.
    pub(crate) fn take_gone(&mut self) -> Vec<(u64, String)> {
        let gone = self.members.iter().filter_map(|(token, member)| match member.standing() {
            Standing::Gone(reason) => Some((*token, reason.clone())),
            Standing::Connecting | Standing::Connected(_) => None,
        });
        let gone: Vec<_> = gone.collect();
        for (token, _) in &gone {
            self.members.remove(token);
        }
        gone
    }

    /// Lets clients leave that are connected, and says how long each took to become so.
    pub(crate) fn dismiss_connected(&mut self) -> Vec<Duration> {
        let now = self.clock.now();
        let is_up = |member: &Member| matches!(member.standing(), Standing::Connected(_));
        let up: Vec<_> =
            self.members.iter().filter(|(_, member)| is_up(member)).map(|(token, _)| *token).collect();
        let members = up.iter().filter_map(|token| self.members.remove(token));
        let leave = |member: Member| {
            let took = now.saturating_since(member.begun());
            member.leave(now);
            took
        };
        members.map(leave).collect()
    }

    /// The clients that are connected: number, address inside the tunnel, and the client.
    pub(crate) fn connected(&mut self) -> impl Iterator<Item = (u64, Ipv4Addr, &mut Member)> {
        self.members.iter_mut().filter_map(|(token, member)| match member.standing() {
            Standing::Connected(address) => Some((*token, *address, member)),
            Standing::Connecting | Standing::Gone(_) => None,
        })
    }

    /// Clients whose handshake is under way.
    pub(crate) fn connecting(&self) -> usize {
        self.members.values().filter(|member| *member.standing() == Standing::Connecting).count()
    }

    /// Their addresses inside the tunnel, separated by commas.
    pub(crate) fn addresses(&mut self) -> String {
        let addresses: Vec<_> = self.connected().map(|(_, address, _)| address.to_string()).collect();
        addresses.join(",")
    }

    pub(crate) const fn clock(&self) -> Clock {
        self.clock
    }

    pub(crate) const fn concurrency(&self) -> usize {
        self.connect.concurrency
    }
}

fn tls(connect: &ConnectArgs) -> Result<ClientTls, BenchError> {
    let chain = certificates(&connect.cert)?;
    let unreadable = |error: rustls_pki_types::pem::Error| BenchError::Credentials {
        path: connect.key.clone(),
        reason: error.to_string(),
    };
    let key = PrivateKeyDer::from_pem_file(&connect.key).map_err(unreadable)?;
    let server = certificates(&connect.server_cert)?.into_iter().next();
    let server = server.ok_or_else(|| BenchError::Credentials {
        path: connect.server_cert.clone(),
        reason: "there is no certificate in it".to_owned(),
    })?;
    let tls = ClientTls::new(chain, key, server, TlsVersion::Tls12);
    let tls = if connect.post_quantum { tls } else { tls.only_classical_key_exchange() };
    Ok(if connect.tls12 { tls.only_tls12() } else { tls })
}

fn certificates(path: &FilePath) -> Result<Vec<CertificateDer<'static>>, BenchError> {
    let unreadable = |error: rustls_pki_types::pem::Error| BenchError::Credentials {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    CertificateDer::pem_file_iter(path).map_err(unreadable)?.map(|item| item.map_err(unreadable)).collect()
}

/// Every client takes a descriptor. Where the limit stays lower, opening a socket says so.
fn allow_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// How long one turn waits while clients connect.
pub(crate) const TURN: Duration = Duration::from_millis(5);
/// How often timers are looked at.
const TICK: Duration = Duration::from_millis(100);
/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(20);
