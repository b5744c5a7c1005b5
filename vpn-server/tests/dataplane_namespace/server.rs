//! A server: plane, tables, and a control side that lets everybody in.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use vpn_proto::client::ClientConfig;
use vpn_proto::{
    Authorization, Endpoint, EndpointConfig, Event as EndpointEvent, Grant, ListenerId, Path, SessionHandle,
};
use vpn_server::clock::Clock;
use vpn_server::dataplane::{ControlInput, ControlSink, Peer, PeerSlot, Plane, Tables, Transmitter};
use vpn_server::transport::Offload;
use vpn_server::transport::tcp::Standing;

use crate::client::RemoteClient;
use crate::edge::{edge_with, listeners_for, tun_with};
use crate::host::{ip, wait_for};
use crate::policies::policy;
use crate::sessions::{configurations, entropy};
use crate::{SERVER, TARGET};

/// A server: plane, tables, and a control side that lets everybody in.
pub(crate) struct Server {
    plane: Option<Plane>,
    pub(crate) tables: Arc<Tables>,
    addresses: Vec<SocketAddr>,
    client: Arc<ClientConfig>,
    pub(crate) commands: Sender<ToControl>,
    control: Option<JoinHandle<()>>,
    clock: Clock,
}

/// What the control thread is told.
pub(crate) enum ToControl {
    Input(ControlInput),
    Close(SessionHandle),
    Stop,
}

impl Server {
    pub(crate) fn start(listeners: u16, authorized: &[&str]) -> Self {
        Self::start_with(listeners, authorized, Offload::TcpAndUdp, 1)
    }

    pub(crate) fn start_with(listeners: u16, authorized: &[&str], offload: Offload, workers: usize) -> Self {
        // The network behind the server, as far as this test needs one.
        ip(&format!("address add {TARGET}/32 dev lo"));
        let sockets: Vec<_> = (0..listeners).map(|id| (ListenerId(id), listeners_for(workers))).collect();
        let addresses = sockets.iter().map(|(_, group)| group[0].address()).collect();
        let tables = Arc::new(Tables::new(8, policy(authorized)));
        let (commands, inbox) = channel();
        let inputs = commands.clone();
        let sink: ControlSink = Arc::new(move |input| inputs.send(ToControl::Input(input)).is_ok());
        let clock = Clock::start();
        let edge = edge_with(sockets, tun_with("tun-test", offload, workers).unwrap());
        let plane = Plane::start(edge, Arc::clone(&tables), sink, clock).unwrap();
        assert_eq!(plane.worker_count(), workers);
        let (endpoint, client) = configurations();
        let control = Control::new(endpoint, Arc::clone(&tables), plane.transmitter(), clock);
        let control = thread::spawn(move || control.run(&inbox));
        Self {
            plane: Some(plane),
            tables,
            addresses,
            client: Arc::new(client),
            commands,
            control: Some(control),
            clock,
        }
    }

    pub(crate) fn plane(&self) -> &Plane {
        self.plane.as_ref().unwrap()
    }

    pub(crate) fn connect(&self, listener: usize) -> RemoteClient {
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, self.addresses[listener].port()));
        RemoteClient::connect(server, Arc::clone(&self.client), self.clock)
    }

    pub(crate) fn wait_for(&self, what: &str, condition: impl Fn(&Plane) -> bool) {
        wait_for(what, || condition(self.plane()));
    }

    pub(crate) fn stop(mut self) {
        self.plane.take().unwrap().stop();
        self.commands.send(ToControl::Stop).unwrap();
        self.control.take().unwrap().join().unwrap();
    }
}

/// One control shard on a thread.
pub(crate) struct Control {
    endpoint: Endpoint,
    tables: Arc<Tables>,
    transmitter: Transmitter,
    clock: Clock,
    granted: Vec<(SessionHandle, PeerSlot, Ipv4Addr)>,
    settled: Vec<Path>,
}

impl Control {
    pub(crate) fn new(
        config: EndpointConfig,
        tables: Arc<Tables>,
        transmitter: Transmitter,
        clock: Clock,
    ) -> Self {
        let endpoint = Endpoint::new(Arc::new(config), entropy(1));
        Self { endpoint, tables, transmitter, clock, granted: vec![], settled: vec![] }
    }

    pub(crate) fn run(mut self, inbox: &std::sync::mpsc::Receiver<ToControl>) {
        loop {
            match inbox.recv_timeout(Duration::from_millis(20)) {
                Ok(ToControl::Input(ControlInput::Datagram { path, bytes })) => {
                    self.endpoint.handle_datagram(self.clock.now(), path, &bytes);
                }
                Ok(ToControl::Input(ControlInput::PeerExit { session, .. })) => {
                    self.endpoint.peer_exited(self.clock.now(), session);
                }
                Ok(ToControl::Input(ControlInput::Disconnected { path })) => {
                    self.endpoint.disconnected(self.clock.now(), &path);
                }
                Ok(ToControl::Input(ControlInput::PeerFloated { session, path, .. })) => {
                    self.endpoint.peer_floated(self.clock.now(), session, path);
                }
                Ok(ToControl::Close(session)) => {
                    let farewell = vpn_proto::Farewell::AuthFailed("revoked".to_owned());
                    self.endpoint.close(self.clock.now(), session, farewell);
                }
                Err(RecvTimeoutError::Timeout) => self.endpoint.handle_timeout(self.clock.now()),
                Ok(ToControl::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            while let Some(event) = self.endpoint.poll_event() {
                self.handle(event);
            }
            while let Some(transmit) = self.endpoint.poll_transmit() {
                let _ = self.transmitter.send(transmit.path, &transmit.payload);
            }
            for path in self.settled.drain(..) {
                self.transmitter.set_standing(&path, Standing::Over);
            }
        }
    }

    pub(crate) fn handle(&mut self, event: EndpointEvent) {
        match event {
            EndpointEvent::AuthorizationRequested { session, .. } => {
                let slot = self.tables.reserve().unwrap();
                let host = u8::try_from(slot.peer_id().get()).unwrap() + 2;
                let address = Ipv4Addr::new(10, 8, 0, host);
                self.granted.push((session, slot, address));
                let grant = Grant {
                    peer_id: slot.peer_id(),
                    address,
                    netmask: Ipv4Addr::new(255, 255, 255, 0),
                    gateway: SERVER,
                    ipv6: None,
                    reauthenticate: false,
                    token_username: None,
                    options: vec![],
                };
                self.endpoint.authorize(self.clock.now(), session, Authorization::Grant(grant));
            }
            EndpointEvent::Established { session, channel } => {
                let (_, slot, address) = self.granted.iter().find(|(handle, ..)| *handle == session).unwrap();
                self.transmitter.set_standing(&channel.path(), Standing::Session);
                self.tables.insert(*slot, Peer::new(session, 0, channel, *address)).unwrap();
            }
            EndpointEvent::Closed { session, .. } => {
                let index = self.granted.iter().position(|(handle, ..)| *handle == session).unwrap();
                self.tables.remove(self.granted.swap_remove(index).1);
            }
            EndpointEvent::HandshakeBegun { path } => {
                self.transmitter.set_standing(&path, Standing::Handshake);
            }
            EndpointEvent::PathSettled { path } => self.settled.push(path),
            EndpointEvent::Floated { .. }
            | EndpointEvent::Renegotiated { .. }
            | EndpointEvent::Abandoned { .. }
            | EndpointEvent::AttemptFailed { .. }
            | EndpointEvent::ChallengeResponse { .. }
            | EndpointEvent::ReauthorizationRequested { .. } => {}
        }
    }
}
