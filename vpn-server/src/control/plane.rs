//! All shards together: started, told what changed, stopped.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use tracing::{error, warn};
use vpn_proto::{EndpointConfig, Farewell, Transport};

use super::SendDatagrams;
use super::admission::Admissions;
use super::blocks::{Block, BlockList};
use super::chronicle::Chronicle;
use super::clients::ClientDirectory;
use super::counters::{ControlTotals, Counted};
use super::mailbox::Mailbox;
use super::registry::{ConnectionSnapshot, Registry, SessionKey};
use super::shard::{Command, Shard, Shared};
use super::whereabouts::Whereabouts;
use crate::addr::AddressBook;
use crate::auth::Trust;
use crate::auth::login::{Authenticator, ClientNumber, ClientWitness};
use crate::clock::Clock;
use crate::config::{InsideSettings, LiveSettings, SessionLimits};
use crate::dataplane::{ControlInput, ControlSink, Tables};
use crate::hooks::ClientHooks;
use crate::observe::connection_log::ConnectionLog;
use crate::priority;

/// How long clients have to acknowledge that the server stops.
const GOOD_BYE: Duration = Duration::from_secs(2);

/// How long programs that hear of the end of sessions are waited for.
const LAST_PROGRAMS: Duration = Duration::from_secs(10);

/// What the control plane is made of.
pub(crate) struct ControlSettings {
    /// The addresses inside the tunnel.
    pub(crate) inside: InsideSettings,
    /// Those that clients get, with what is remembered of former times.
    pub(crate) addresses: AddressBook,
    /// Where to look single clients up, instead of in the live settings.
    pub(crate) directory: Option<Arc<dyn ClientDirectory>>,
    /// How many sessions a client may have, and how long.
    pub(crate) limits: SessionLimits,
    /// Who has to agree to a login.
    pub(crate) authenticator: Arc<Authenticator>,
    /// Programs about clients that have a place.
    pub(crate) hooks: Option<Arc<ClientHooks>>,
    /// Hears of clients that come and go.
    pub(crate) witness: Option<Arc<dyn ClientWitness>>,
    /// What a reload can change.
    pub(crate) live: LiveSettings,
    /// Where established sessions are made known to the data plane.
    pub(crate) tables: Arc<Tables>,
    /// Who is trusted.
    pub(crate) trust: Arc<Trust>,
    /// Where connections are recorded.
    pub(crate) log: Arc<ConnectionLog>,
    /// The clock of this process.
    pub(crate) clock: Clock,
}

/// The running control plane. Dropping it without [`ControlPlane::stop`] ends the shards without a good-bye.
pub(crate) struct ControlPlane {
    handle: ControlHandle,
    threads: Vec<JoinHandle<()>>,
}

/// Asks and tells a control plane, from anywhere.
#[derive(Clone)]
pub(crate) struct ControlHandle {
    shared: Arc<Shared>,
}

/// The mailboxes of shards that do not run yet: the data plane needs them before the shards can have its transmitter.
pub(crate) struct Mailroom {
    shared: Arc<Shared>,
}

impl Mailroom {
    /// Mailboxes for `shards` shards.
    pub(crate) fn open(shards: usize, settings: ControlSettings) -> Self {
        let registry = Registry::new(settings.addresses, settings.tables);
        registry.keep_addresses(settings.live.clients.addresses());
        let shared = Shared {
            admissions: Admissions {
                registry,
                live: ArcSwap::from_pointee(settings.live),
                inside: settings.inside,
                directory: settings.directory,
                limits: settings.limits,
                authenticator: settings.authenticator,
                next_number: AtomicU64::new(0),
                blocks: BlockList::default(),
            },
            trust: settings.trust,
            hooks: settings.hooks,
            witness: settings.witness,
            chronicle: Chronicle::new(settings.log),
            clock: settings.clock,
            whereabouts: Whereabouts::new(shards),
            mailboxes: (0..shards.max(1)).map(|_| Mailbox::new()).collect(),
            closed: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The way in for what the data plane receives.
    pub(crate) fn sink(&self) -> ControlSink {
        let shared = Arc::clone(&self.shared);
        Arc::new(move |input| shared.post(input))
    }

    /// Starts the shards; each gets its own way out from `outbound`.
    pub(crate) fn start(
        self,
        endpoint_config: &Arc<EndpointConfig>,
        outbound: impl Fn() -> Box<dyn SendDatagrams>,
    ) -> io::Result<ControlPlane> {
        let mut plane = ControlPlane { handle: ControlHandle { shared: self.shared }, threads: Vec::new() };
        for index in 0..plane.handle.shared.mailboxes.len() {
            let (shared, config) = (Arc::clone(&plane.handle.shared), Arc::clone(endpoint_config));
            let outbound = outbound();
            let thread = std::thread::Builder::new().name(format!("control-{index}")).spawn(move || {
                priority::give_way();
                Shard::new(index, shared, config, outbound).run();
            })?;
            plane.threads.push(thread);
        }
        Ok(plane)
    }
}

impl Shared {
    fn post(&self, input: ControlInput) -> bool {
        match input {
            ControlInput::Datagram { path, bytes } => {
                let (shard, acquaintance) = self.whereabouts.addressee(&path);
                let accepted = self.mailboxes[shard].post_datagram(path, bytes, acquaintance);
                // Connections keep what is refused and offer it again.
                if !accepted && path.transport == Transport::Udp {
                    self.chronicle.counters.count(Counted::DatagramDropped);
                }
                accepted
            }
            ControlInput::Disconnected { path } => {
                let (shard, _) = self.whereabouts.addressee(&path);
                self.mailboxes[shard].post_disconnected(path);
                true
            }
            ControlInput::PeerExit { session, shard } => self.command(shard, Command::PeerExit(session)),
            ControlInput::PeerFloated { session, shard, path } => {
                self.command(shard, Command::PeerFloated { session, path })
            }
        }
    }

    /// Tells one shard; `false` if there is no such shard.
    pub(super) fn command(&self, shard: usize, command: Command) -> bool {
        self.mailboxes.get(shard).map(|mailbox| mailbox.post_command(command)).is_some()
    }

    fn tell_all(&self, command: impl Fn() -> Command) {
        for mailbox in self.mailboxes.iter() {
            mailbox.post_command(command());
        }
    }
}

impl ControlHandle {
    /// Has every shard close the sessions of certificates that are revoked by now.
    pub(crate) fn check_revocations(&self) {
        self.shared.tell_all(|| Command::CheckRevocations);
    }

    /// Refuses these identities from now on, in place of former ones, and closes their sessions.
    pub(crate) fn set_blocks(&self, blocks: Vec<Block>) {
        self.shared.admissions.blocks.replace(blocks);
        self.shared.tell_all(|| Command::CheckBlocks);
    }

    /// The identities that are refused.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        self.shared.admissions.blocks.all().to_vec()
    }

    /// Settings for handshakes from now on.
    pub(crate) fn set_endpoint_config(&self, config: &Arc<EndpointConfig>) {
        self.shared.tell_all(|| Command::SetEndpointConfig(Arc::clone(config)));
    }

    /// What clients are told and how many may connect, from now on. Connected clients are told what changed for them,
    /// or to begin anew where they cannot change.
    pub(crate) fn set_live(&self, live: LiveSettings) {
        self.shared.admissions.registry.keep_addresses(live.clients.addresses());
        self.shared.admissions.live.store(Arc::new(live));
        self.look_clients_up_again();
    }

    /// Has every session follow what is decided about its client by now. Nobody is disturbed about whom nothing changed.
    pub(crate) fn look_clients_up_again(&self) {
        self.shared.tell_all(|| Command::LiveSettingsChanged);
    }

    /// Ends the connection of a client; answers whether there was one. `reason` stands in the connection log.
    pub(crate) fn close(&self, client: ClientNumber, farewell: Farewell, reason: &'static str) -> bool {
        let Some(SessionKey { shard, session }) = self.shared.admissions.registry.find(client) else {
            return false;
        };
        self.shared.command(shard, Command::Close { session, farewell, reason })
    }

    /// The addresses that clients have or had, if there are others than when the number of changes was `known`; and the
    /// number now.
    pub(crate) fn address_history(&self, known: u64) -> Option<(u64, Vec<(IpAddr, String)>)> {
        self.shared.admissions.registry.address_history(known)
    }

    /// The established connections.
    pub(crate) fn connections(&self) -> Vec<ConnectionSnapshot> {
        self.shared.admissions.registry.connections(self.shared.clock.now())
    }

    /// Lets nobody in from now on, in whichever shard.
    pub(super) fn close_doors(&self) {
        self.shared.closed.store(true, Ordering::Release);
    }

    /// What was counted so far.
    pub(crate) fn totals(&self) -> ControlTotals {
        self.shared.chronicle.counters.totals()
    }
}

impl ControlPlane {
    /// For asking and telling.
    pub(crate) const fn handle(&self) -> &ControlHandle {
        &self.handle
    }

    /// Tells every client to reconnect later, waits until all have heard it, but not for long, and ends the shards.
    ///
    /// Programs that are to hear of the end of sessions hear it, but are not waited for for long either.
    pub(crate) fn stop(mut self) {
        self.end(GOOD_BYE);
        if let Some(hooks) = &self.handle.shared.hooks
            && !hooks.finish(LAST_PROGRAMS)
        {
            warn!("some programs did not hear of the end of sessions");
        }
    }

    fn end(&mut self, patience: Duration) {
        let at_the_latest = self.handle.shared.clock.now() + patience;
        self.handle.close_doors();
        self.handle.shared.tell_all(|| Command::Stop { at_the_latest });
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                error!("a control shard ended with a panic");
            }
        }
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}
