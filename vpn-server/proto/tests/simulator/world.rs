//! A world in one process: one server, some clients, a network between them that loses, delays, repeats, reorders,
//! damages and swallows datagrams, and a clock that jumps from event to event.
//!
//! Everything that happens follows from a seed, apart from the randomness inside TLS, which moves no packet: the
//! certificates are Ed25519, so that every message has a fixed length.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use vpn_proto::client::{Client, ClientConfig, ClientEvent, Pushed};
use vpn_proto::{ListenerId, Moment, Path, Transmit, Transport};

use crate::network::{Conditions, Network};
use crate::random::Random;
use crate::server::Server;

/// One server, its clients, and what lies between.
pub(crate) struct World {
    pub(crate) now: Moment,
    pub(crate) server: Server,
    pub(crate) network: Network,
    pub(crate) hosts: BTreeMap<u16, Host>,
    random: Random,
}

/// A client's machine, named by the UDP port that it used first.
pub(crate) struct Host {
    pub(crate) client: Client,
    /// Where the network sees it.
    pub(crate) path: Path,
    pub(crate) connected: Option<Pushed>,
    pub(crate) received: Vec<Vec<u8>>,
    pub(crate) ended: Option<ClientEvent>,
    pub(crate) renegotiations: usize,
    /// Everything else that the server said.
    pub(crate) heard: Vec<ClientEvent>,
}

/// Steps without the clock moving that count as a busy loop.
const MAX_STEPS_AT_ONE_MOMENT: usize = 20_000;

impl World {
    pub(crate) fn new(seed: u64, server: Server, conditions: Conditions) -> Self {
        let mut random = Random::new(seed);
        Self {
            now: Moment::from_micros(1_000_000),
            server,
            network: Network::new(random.fork(), conditions),
            hosts: BTreeMap::new(),
            random,
        }
    }

    /// Starts a client on `port`, in place of one that is there already and at the same place in the network.
    pub(crate) fn start_client(&mut self, port: u16, config: Arc<ClientConfig>) {
        let path = self.hosts.get(&port).map_or(path(port), |host| host.path);
        self.start_client_at(port, path, config);
    }

    /// Starts a client that the network sees at `path`.
    pub(crate) fn start_client_at(&mut self, port: u16, path: Path, config: Arc<ClientConfig>) {
        let client = Client::connect(config, path, self.now, Box::new(self.random.fork()));
        let host = Host {
            client,
            path,
            connected: None,
            received: vec![],
            ended: None,
            renegotiations: 0,
            heard: vec![],
        };
        self.hosts.insert(port, host);
        self.drain();
    }

    /// Lets the client on `port` do something.
    pub(crate) fn with_client(&mut self, port: u16, act: impl FnOnce(&mut Client, Moment)) {
        if let Some(host) = self.hosts.get_mut(&port) {
            act(&mut host.client, self.now);
        }
        self.drain();
    }

    /// The network sees the client on `port` at another place from here on; what is under way to the former is lost.
    pub(crate) fn move_client(&mut self, port: u16, to: Path) {
        if let Some(host) = self.hosts.get_mut(&port) {
            host.path = to;
            host.client.set_path(to);
        }
    }

    /// Delivers what the network has held back.
    pub(crate) fn release_held_back(&mut self) {
        for datagram in self.network.take_held_back() {
            self.server.receive(self.now, datagram.path, datagram.payload);
        }
        self.drain();
    }

    /// Lets the server do something.
    pub(crate) fn with_server(&mut self, act: impl FnOnce(&mut Server, Moment)) {
        act(&mut self.server, self.now);
        self.drain();
    }

    /// Runs until `done`, at most for `limit`; says whether it was done.
    pub(crate) fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + limit;
        let mut steps = 0;
        while !done(self) {
            let Some(next) = self.next_moment().filter(|next| *next <= end) else {
                self.now = end;
                return done(self);
            };
            steps = if next > self.now { 0 } else { steps + 1 };
            assert!(steps < MAX_STEPS_AT_ONE_MOMENT, "busy loop at {:?}: {:?}", self.now, self.wakeups());
            self.now = next.max(self.now);
            self.step();
        }
        true
    }

    /// Runs for `duration`.
    pub(crate) fn run(&mut self, duration: Duration) {
        self.run_until(duration, |_| false);
    }

    fn step(&mut self) {
        for datagram in self.network.arrivals(self.now) {
            if datagram.to_server {
                self.server.receive(self.now, datagram.path, datagram.payload);
            } else if let Some(host) = self.hosts.values_mut().find(|host| host.path == datagram.path) {
                host.client.handle_datagram(self.now, &mut datagram.payload.clone());
            }
        }
        self.server.endpoint.handle_timeout(self.now);
        for host in self.hosts.values_mut() {
            if host.client.poll_timeout().is_some_and(|wakeup| wakeup.at <= self.now) {
                host.client.handle_timeout(self.now);
            }
        }
        self.drain();
    }

    fn drain(&mut self) {
        self.server.handle_events(self.now);
        while let Some(Transmit { path, payload }) = self.server.poll_transmit() {
            self.network.send(self.now, false, path, payload);
        }
        for host in self.hosts.values_mut() {
            while let Some(event) = host.client.poll_event() {
                host.note(event);
            }
            while let Some(Transmit { path, payload }) = host.client.poll_transmit() {
                self.network.send(self.now, true, path, payload);
            }
        }
    }

    fn next_moment(&self) -> Option<Moment> {
        let clients =
            self.hosts.values().filter_map(|host| host.client.poll_timeout()).map(|wakeup| wakeup.at);
        let server = self.server.endpoint.poll_timeout().map(|wakeup| wakeup.at);
        clients.chain(server).chain(self.network.next_arrival()).min()
    }

    fn wakeups(&self) -> Vec<&'static str> {
        let clients = self.hosts.values().filter_map(|host| host.client.poll_timeout());
        clients.chain(self.server.endpoint.poll_timeout()).map(|wakeup| wakeup.reason).collect()
    }
}

impl Host {
    fn note(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Connected(pushed) => self.connected = Some(*pushed),
            ClientEvent::Renegotiated(_) => self.renegotiations += 1,
            ClientEvent::Packet(packet) => self.received.push(packet),
            ClientEvent::Pending(_)
            | ClientEvent::Prompt(_)
            | ClientEvent::Updated(_)
            | ClientEvent::Pushed(_) => self.heard.push(event),
            ClientEvent::AuthFailed(_)
            | ClientEvent::Restart(_)
            | ClientEvent::Halt(_)
            | ClientEvent::Failed(_) => self.ended = Some(event),
        }
    }
}

/// The way between the server and the client on `port`.
pub(crate) fn path(port: u16) -> Path {
    path_from([192, 0, 2, 2], port)
}

/// The way between the server and a client at `address` and `port`.
pub(crate) fn path_from(address: [u8; 4], port: u16) -> Path {
    let remote = SocketAddr::from((address, port));
    Path { listener: ListenerId(0), transport: Transport::Udp, remote, local: None }
}
