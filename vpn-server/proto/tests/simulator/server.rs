//! The server of a world: an endpoint, and the least that a server has around it: addresses, a data plane that
//! answers each packet with the same packet.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::Arc;

use vpn_proto::wire::opcode::{Class, classify};
use vpn_proto::{
    Authorization, CloseReason, DataChannel, Denial, Endpoint, EndpointConfig, Event, Grant, Inbound, Moment,
    OpenError, Password, Path, PeerId, PushOption, Reauthorization, SessionHandle, Transmit,
};

use crate::random::Random;

pub(crate) struct Server {
    pub(crate) endpoint: Endpoint,
    config: Arc<EndpointConfig>,
    pub(crate) peers: BTreeMap<SessionHandle, Peer>,
    pub(crate) closed: Vec<(SessionHandle, CloseReason)>,
    pub(crate) failures: Vec<Denial>,
    /// Sessions that needed no decision any longer.
    pub(crate) abandoned: Vec<SessionHandle>,
    /// Paths on which a handshake began, and those that were settled.
    pub(crate) begun: Vec<Path>,
    pub(crate) settled: Vec<Path>,
    pub(crate) renegotiations: usize,
    /// Where clients moved to.
    pub(crate) floats: Vec<(SessionHandle, Path)>,
    /// Why data packets of known sessions were dropped.
    pub(crate) refused: Vec<OpenError>,
    /// Every packet that came through the tunnels, with the sender's name.
    pub(crate) received: Vec<(String, Vec<u8>)>,
    pub(crate) echoes: bool,
    pub(crate) options: Vec<PushOption>,
    /// Decisions about the next clients that ask; whoever asks when there is none is let in.
    pub(crate) decisions: VecDeque<Authorization>,
    /// The same for credentials that are shown again.
    pub(crate) redecisions: VecDeque<Reauthorization>,
    pub(crate) reauthenticates: bool,
    /// Sessions that asked, with the credentials that were shown.
    pub(crate) asked: Vec<(SessionHandle, Option<String>, Option<String>)>,
    pub(crate) answers_to_questions: Vec<String>,
    /// What stood beside the tls-crypt-v2 keys of the clients that asked to be let in.
    pub(crate) metadata: Vec<Option<Vec<u8>>>,
    answers: Vec<Transmit>,
    next_peer_id: u32,
}

pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) peer_id: PeerId,
    pub(crate) channel: Option<Arc<DataChannel>>,
}

impl Server {
    pub(crate) fn new(config: EndpointConfig, random: Random) -> Self {
        let config = Arc::new(config);
        Self {
            endpoint: Endpoint::new(Arc::clone(&config), Box::new(random)),
            config,
            peers: BTreeMap::new(),
            closed: vec![],
            failures: vec![],
            abandoned: vec![],
            begun: vec![],
            settled: vec![],
            renegotiations: 0,
            floats: vec![],
            refused: vec![],
            received: vec![],
            echoes: true,
            options: vec![PushOption::route(Ipv4Addr::new(10, 7, 0, 0), Ipv4Addr::new(255, 255, 255, 0))],
            decisions: VecDeque::new(),
            redecisions: VecDeque::new(),
            reauthenticates: false,
            asked: vec![],
            answers_to_questions: vec![],
            metadata: vec![],
            answers: vec![],
            next_peer_id: 0,
        }
    }

    /// Forgets everybody, as a process that ends and is started again.
    pub(crate) fn restart(&mut self, random: Random) {
        self.endpoint = Endpoint::new(Arc::clone(&self.config), Box::new(random));
        self.peers.clear();
        self.answers.clear();
    }

    /// The session of the client with this name, if its tunnel is up.
    pub(crate) fn session_of(&self, name: &str) -> Option<SessionHandle> {
        let mut sessions = self.peers.iter().filter(|(_, peer)| peer.name == name && peer.channel.is_some());
        sessions.next_back().map(|(handle, _)| *handle)
    }

    /// The session of the client with this name at this place, if its tunnel is up.
    pub(crate) fn session_at(&self, path: &Path, name: &str) -> Option<SessionHandle> {
        let is_there = |peer: &Peer| peer.channel.as_ref().is_some_and(|channel| channel.path() == *path);
        let mut sessions = self.peers.iter();
        sessions.find(|(_, peer)| peer.name == name && is_there(peer)).map(|(handle, _)| *handle)
    }

    pub(crate) fn receive(&mut self, now: Moment, path: Path, mut datagram: Vec<u8>) {
        match classify(&datagram) {
            Class::Control => self.endpoint.handle_datagram(now, path, &datagram),
            Class::Data { peer_id, .. } => self.receive_data(now, path, peer_id, &mut datagram),
            Class::Invalid => {}
        }
    }

    /// The peer that a data packet names or, as those of old clients do not, the last of them to come from there.
    fn peer_of(&self, path: &Path, peer_id: Option<PeerId>) -> Option<(SessionHandle, Arc<DataChannel>)> {
        let is_it = |peer: &Peer, channel: &DataChannel| match peer_id {
            Some(peer_id) => peer.peer_id == peer_id,
            None => !channel.is_found_by_peer_id() && channel.path() == *path,
        };
        self.peers.iter().rev().find_map(|(handle, peer)| {
            let channel = peer.channel.as_ref()?;
            is_it(peer, channel).then(|| (*handle, Arc::clone(channel)))
        })
    }

    fn receive_data(&mut self, now: Moment, path: Path, peer_id: Option<PeerId>, datagram: &mut [u8]) {
        let Some((handle, channel)) = self.peer_of(&path, peer_id) else { return };
        let opened = match channel.open(now, &path, datagram) {
            Ok(opened) => opened,
            Err(error) => {
                self.refused.push(error);
                return;
            }
        };
        if opened.has_floated {
            self.endpoint.peer_floated(now, handle, path);
        }
        match opened.content {
            Inbound::Packet(packet) => {
                self.received.push((self.peers[&handle].name.clone(), packet.to_vec()));
                if self.echoes {
                    let payload = channel.seal_packet(now, packet).unwrap();
                    self.answers.push(Transmit { path: channel.path(), payload });
                }
            }
            Inbound::Exit => self.endpoint.peer_exited(now, handle),
            Inbound::Ping | Inbound::Ignored => {}
        }
    }

    pub(crate) fn handle_events(&mut self, now: Moment) {
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::AuthorizationRequested { session, request } => {
                    self.metadata.push(request.tls_crypt_v2_metadata.clone());
                    self.asked.push((session, request.username.clone(), request.password.as_ref().map(text)));
                    match self.decisions.pop_front() {
                        Some(decision) => assert!(self.endpoint.authorize(now, session, decision)),
                        None => self.let_in(now, session, &request.identity.common_name),
                    }
                }
                Event::Established { session, channel } => {
                    self.peers.get_mut(&session).expect("granted before").channel = Some(channel);
                }
                Event::Floated { session, from, to } => {
                    assert_ne!(from, to);
                    self.floats.push((session, to));
                }
                Event::Renegotiated { .. } => self.renegotiations += 1,
                Event::ChallengeResponse { response, .. } => {
                    self.answers_to_questions.push(response.as_str().to_owned());
                }
                Event::ReauthorizationRequested { session, username, password } => {
                    self.asked.push((session, username, password.as_ref().map(text)));
                    let accept = || Reauthorization::Accept(vec![]);
                    let decision = self.redecisions.pop_front().unwrap_or_else(accept);
                    self.endpoint.reauthorize(now, session, decision);
                }
                Event::Closed { session, reason } => {
                    self.peers.remove(&session).expect("closed once, after it was granted");
                    self.closed.push((session, reason));
                }
                Event::Abandoned { session } => self.abandoned.push(session),
                Event::AttemptFailed { failure, .. } => self.failures.push(failure),
                Event::HandshakeBegun { path } => self.begun.push(path),
                Event::PathSettled { path } => self.settled.push(path),
            }
        }
    }

    pub(crate) fn let_in(&mut self, now: Moment, session: SessionHandle, name: &str) {
        let peer_id = PeerId::new(self.next_peer_id).unwrap();
        self.next_peer_id += 1;
        self.peers.insert(session, Peer { name: name.to_owned(), peer_id, channel: None });
        let grant = self.grant(peer_id);
        if !self.endpoint.authorize(now, session, Authorization::Grant(grant)) {
            self.peers.remove(&session);
        }
    }

    fn grant(&self, peer_id: PeerId) -> Grant {
        let host = u8::try_from(peer_id.get() % 200).unwrap() + 2;
        Grant {
            peer_id,
            address: Ipv4Addr::new(10, 8, 0, host),
            netmask: Ipv4Addr::new(255, 255, 255, 0),
            gateway: Ipv4Addr::new(10, 8, 0, 1),
            ipv6: None,
            reauthenticate: self.reauthenticates,
            token_username: None,
            options: self.options.clone(),
        }
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.endpoint.poll_transmit().or_else(|| self.answers.pop())
    }
}

fn text(password: &Password) -> String {
    password.as_str().to_owned()
}
