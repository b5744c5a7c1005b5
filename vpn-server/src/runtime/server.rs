//! One running server, from the first lock to the last rule removed.
//!
//! Parts are started in the order in which each needs the one before, and dropped in the reverse one, whether the
//! server is stopped or a later part fails to start.

use std::net::IpAddr;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pki_core::time::Timestamp;
use tracing::{debug, error, info, warn};
use vpn_proto::{EndpointConfig, Farewell, HalfOpenLimits, ReplyLimiter, TlsSettings, WrappingSettings};

use super::access::{AccessDesk, CompiledAccess, Simulation};
use super::address_ledger::AddressLedger;
use super::belongings;
use super::error::StartError;
use super::file_limit::Demand;
use super::file_watch::{FileWatch, POLL_INTERVAL};
use super::listeners::Listeners;
use super::logins::Logins;
use super::privileges::ServiceAccount;
use super::state_directory::StateDirectory;
use crate::auth::login::{ClientNumber, LoginPlugins};
use crate::auth::{Credentials, CrlReload, RevokedSerials, TrustKeeper, load_wrapping};
use crate::clock::Clock;
use crate::config::{
    ClientCidr, ClientCidrV6, ClientCidrs, Config, EndpointStanding, InsideSettings, ListenAddress,
    LiveSettings, Network, StrangerSettings,
};
use crate::control::{
    ClientDirectory, ConnectionSnapshot, ControlHandle, ControlPlane, ControlSettings, ControlTotals,
    Mailroom, SendDatagrams,
};
use crate::dataplane::{Edge, Plane, PlaneCounters, Tables, TcpEdge, Transmitter, by_worker};
use crate::hooks::ServerHooks;
use crate::net::{HostNetwork, HostNetworkSettings};
use crate::observe::connection_log::ConnectionLog;
use crate::policy::{Service, Subject};
use crate::random;
use crate::status::{StatusFile, StatusReport, StatusVersion};
use crate::transport::kernel::{KernelFeature, Waived};
use crate::transport::port_share::PortShare;
use crate::transport::tcp::{Standing, StrangerLimits};
use crate::transport::tun::{TunDevice, TunSettings};

/// More workers than this do not move packets faster than the kernel's own side of the tunnel device.
const MAXIMUM_WORKERS: usize = 16;

/// More shards than this do not make handshakes faster than certificates can be checked.
const MAXIMUM_SHARDS: usize = 4;

/// A running server. Dropping it takes everything back without telling clients; [`Server::stop`] tells them.
pub struct Server {
    // Dropped in this order.
    status: Option<StatusFile>,
    watches: [Option<FileWatch>; 2],
    control: ControlPlane,
    plane: Plane,
    programs: ServerHooks,
    pub(super) network: HostNetwork,
    pub(super) keeper: Arc<TrustKeeper>,
    pub(super) log: Arc<ConnectionLog>,
    pub(super) tables: Arc<Tables>,
    access: AccessDesk,
    ledger: AddressLedger,
    pub(super) config: Config,
    clock: Clock,
    shards: usize,
    reply_limiter: Arc<ReplyLimiter>,
    ready: Ready,
    _state: StateDirectory,
}

/// What a server that is ready says about itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Ready {
    /// The addresses it listens on.
    pub listen: Vec<ListenAddress>,
    /// Its TUN device.
    pub tun: String,
    /// Its addresses inside the tunnel, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// The networks of client addresses, in the same order.
    pub client_cidrs: Vec<IpNet>,
    /// The networks behind it.
    pub routes: Vec<String>,
    /// What clients may reach.
    pub authorized: Vec<IpNet>,
}

impl Server {
    /// Starts a server: when this returns, clients can connect.
    ///
    /// # Errors
    ///
    /// [`StartError`]; everything that was done until then is undone.
    pub fn start(config: Config) -> Result<Self, StartError> {
        Self::start_with(config, None, LoginPlugins::default())
    }

    /// Starts a server that looks single clients up in `directory`, if there is one, instead of in its configuration, and
    /// asks `plugins` about logins beside those that the configuration names.
    ///
    /// # Errors
    ///
    /// As for [`Server::start`].
    pub fn start_with(
        config: Config,
        directory: Option<Arc<dyn ClientDirectory>>,
        plugins: LoginPlugins,
    ) -> Result<Self, StartError> {
        for advice in config.advice() {
            warn!(code = advice.code, "{}", advice.message);
        }
        if !config.waived.is_empty() {
            info!(without = %config.waived, "told to do without what the kernel may have");
        }
        let account = ServiceAccount::find(&config.run_as)?;
        let state = StateDirectory::lock(&config.state_directory)?;
        let (tls, keeper) = open_trust(&config, state.path())?;
        keeper.trust().name_clients_by(config.login.identity);
        let wrapping = load_wrapping(&config.wrapping)?;
        let keeper = Arc::new(keeper);
        let log = Arc::new(open_log(&config, &state)?);
        let logins =
            Logins::start(&config, plugins, state.path(), state.endpoint_id()?, config.data_channel.tun_mtu)?;
        if logins.describes_certificates {
            keeper.trust().keep_chains();
        }
        let workers = worker_count(&config.waived);
        let listeners = Listeners::bind(&config, workers)?;
        let listen = listeners.addresses.clone();
        let tun = TunDevice::create(&tun_settings(&config, workers))?;
        let edge = edge(&config, listeners, tun)?;
        let network = HostNetwork::set_up(network_settings(&config, &listen, state.path()))?;
        log.set_translation(network.outside_addresses().translated);
        let mut programs = ServerHooks::new(&config, config.data_channel.tun_mtu);
        programs.started()?;
        if let Some(account) = &account {
            belongings::give(&config, state.path(), account.owner())?;
            account.take_over()?;
            belongings::remark_on_what_is_out_of_reach(&config);
        }

        let clock = Clock::start();
        let ledger = AddressLedger::new(address_file(&config, &state));
        let access = CompiledAccess::new(&config.live, &config.inside, SystemTime::now().into());
        keeper.trust().take_groups_from(config.live.access.certificate_groups);
        let sessions = capacity(config.inside.client_cidrs.v4);
        let tables = Tables::new(sessions, access.policy).with_outer_limit(config.data_channel.outer_limit);
        let tables = Arc::new(tables);
        let shards = shard_count();
        let reply_limiter = Arc::new(reply_limiter(&config)?);
        let mailroom = Mailroom::open(
            shards,
            ControlSettings {
                inside: config.inside.clone(),
                addresses: ledger.open_book(&config.inside),
                directory,
                limits: config.limits.clone(),
                authenticator: logins.authenticator,
                hooks: logins.hooks,
                witness: logins.witness,
                live: config.live.clone(),
                tables: Arc::clone(&tables),
                trust: Arc::clone(keeper.trust()),
                log: Arc::clone(&log),
                clock,
            },
        );
        let plane = Plane::start(edge, Arc::clone(&tables), mailroom.sink(), clock)
            .map_err(StartError::system("the packet workers"))?;
        let endpoint_config = endpoint_config(&config, tls, wrapping, &keeper, clock, shards, &reply_limiter);
        let control = mailroom
            .start(&endpoint_config, || Box::new(plane.transmitter()))
            .map_err(StartError::system("the control threads"))?;
        let watches = [
            watch_revocations(&keeper, control.handle())?,
            watch_revoked_serials(&config, &keeper, control.handle())?,
        ];
        let status = start_status_file(&config, control.handle())?;
        let ready = Ready::new(&config, listen);
        info!(listen = ready.listen_addresses(), tun = ready.tun, addresses = ?ready.addresses, "the server is ready");
        Ok(Self {
            status,
            watches,
            control,
            plane,
            programs,
            network,
            keeper,
            log,
            tables,
            access: AccessDesk::new(access.record),
            ledger,
            config,
            clock,
            shards,
            reply_limiter,
            ready,
            _state: state,
        })
    }

    /// What it said when it became ready.
    #[must_use]
    pub const fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The established connections.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionSnapshot> {
        self.control.handle().connections()
    }

    /// Ends the connection of a client with a last word to it; answers whether there was one. `reason` is a kebab-case
    /// code and stands in the connection log.
    pub fn close_connection(&self, client: ClientNumber, farewell: Farewell, reason: &'static str) -> bool {
        self.control.handle().close(client, farewell, reason)
    }

    /// Takes clients, or not: those that are connected hear it, and those that try are told why they are refused.
    pub fn set_standing(&mut self, standing: EndpointStanding) {
        if self.config.live.standing != standing {
            info!(standing = standing.name(), "the endpoint changes its standing");
            self.config.live.standing = standing;
            self.control.handle().set_live(self.config.live.clone());
        }
    }

    /// Whether it takes clients.
    #[must_use]
    pub const fn standing(&self) -> EndpointStanding {
        self.config.live.standing
    }

    /// What its control plane counted.
    #[must_use]
    pub fn control_totals(&self) -> ControlTotals {
        self.control.handle().totals()
    }

    /// What its data plane counted.
    #[must_use]
    pub fn plane_counters(&self) -> PlaneCounters {
        self.plane.counters()
    }

    /// Reads the revocation list now. The server does so by itself when the file changes.
    pub fn reload_revocations(&self) -> CrlReload {
        let control = self.control.handle();
        self.keeper.reload_revocations(|| control.check_revocations())
    }

    /// What would become of a packet from `who` to `destination`: to this service there, or to any. Judged by the policy in
    /// force, with the code that judges packets.
    #[must_use]
    pub fn simulate(&self, who: &Subject, destination: IpAddr, service: Option<Service>) -> Simulation {
        self.access.simulate(&self.tables, who, destination, service)
    }

    /// Looks after what only time changes: call it about once a second. Answers whether the server still works.
    #[must_use]
    pub fn tick(&self) -> bool {
        self.keeper.watch_expiry();
        if self.access.has_expired(SystemTime::now().into()) {
            info!("a rule expired");
            self.put_in_force(&self.config.live);
        }
        self.ledger.keep_up(|known| self.control.handle().address_history(known));
        self.plane.is_running()
    }

    /// Tells clients to come back later and takes everything back.
    pub fn stop(mut self) {
        self.status = None;
        self.watches = [None, None];
        info!(connections = self.connections().len(), "the server is stopping");
        self.ledger.write(|known| self.control.handle().address_history(known));
        let Self { control, plane, programs, network, log, .. } = self;
        control.stop();
        plane.stop();
        drop(programs);
        drop(network);
        drop(log);
        info!("the server has stopped");
    }

    /// Writes who is connected into the log.
    pub(super) fn log_status(&self) {
        let report = StatusReport::new(SystemTime::now().into(), &self.connections());
        for line in StatusVersion::One.write(&report).lines() {
            info!(status = line);
        }
    }

    /// Judges packets by the rules of `live` that count now, from each worker's next turn on.
    pub(super) fn put_in_force(&self, live: &LiveSettings) {
        let compiled = CompiledAccess::new(live, &self.config.inside, SystemTime::now().into());
        self.access.replace(compiled, &self.tables);
        self.keeper.trust().take_groups_from(live.access.certificate_groups);
    }

    pub(super) fn control(&self) -> &ControlHandle {
        self.control.handle()
    }

    /// Uses another certificate and key for handshakes from now on.
    pub(super) fn use_credentials(&self, credentials: Credentials, wrapping: WrappingSettings) {
        self.keeper.set_anchors(credentials.anchors);
        let config = endpoint_config(
            &self.config,
            credentials.tls,
            wrapping,
            &self.keeper,
            self.clock,
            self.shards,
            &self.reply_limiter,
        );
        self.control.handle().set_endpoint_config(&config);
    }
}

impl Ready {
    /// The addresses it listens on, in one text.
    #[must_use]
    pub fn listen_addresses(&self) -> String {
        self.listen.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    fn new(config: &Config, listen: Vec<ListenAddress>) -> Self {
        Self {
            listen,
            tun: config.tun.to_string(),
            addresses: server_addresses(&config.inside),
            client_cidrs: config.inside.client_cidrs.networks().map(Network::net).collect(),
            routes: config.live.routes.iter().map(ToString::to_string).collect(),
            authorized: config.live.authorized.iter().map(|network| network.net()).collect(),
        }
    }
}

impl SendDatagrams for Transmitter {
    fn send(&self, path: vpn_proto::Path, datagram: &[u8]) -> std::io::Result<()> {
        Self::send(self, path, datagram)
    }

    fn set_standing(&self, path: vpn_proto::Path, standing: Standing) {
        Self::set_standing(self, &path, standing);
    }
}

fn server_addresses(inside: &InsideSettings) -> Vec<IpAddr> {
    let ClientCidrs { v4, v6 } = inside.client_cidrs;
    let v6 = v6.map(|v6| v6.server_address().into());
    std::iter::once(v4.server_address().into()).chain(v6).collect()
}

fn open_trust(config: &Config, state_directory: &Path) -> Result<(TlsSettings, TrustKeeper), StartError> {
    let credentials = Credentials::load(config, Timestamp::from(SystemTime::now()))?;
    let keeper =
        TrustKeeper::start(&config.credentials, credentials.anchors, config.crl_grace, state_directory)?;
    let revoked = config.revoked_serials.as_deref().map(RevokedSerials::read).transpose()?;
    keeper.set_checks(|checks| {
        checks.name.clone_from(&config.client_name);
        checks.revoked = revoked.unwrap_or_default();
    });
    Ok((credentials.tls, keeper))
}

fn open_log(config: &Config, state: &StateDirectory) -> Result<ConnectionLog, StartError> {
    let seed = random::bytes().map(u64::from_be_bytes).map_err(StartError::system("random numbers"))?;
    Ok(ConnectionLog::open(config.connection_log.as_deref(), state.endpoint_id()?, seed)?)
}

fn address_file(config: &Config, state: &StateDirectory) -> PathBuf {
    config.inside.address_file.clone().unwrap_or_else(|| state.path().join("addresses"))
}

fn edge(config: &Config, listeners: Listeners, tun: TunDevice) -> Result<Edge, StartError> {
    let Listeners { udp, tcp, .. } = listeners;
    let strangers = stranger_limits(&config.strangers);
    if tcp.is_empty() {
        return Ok(Edge { sockets: udp, tcp: vec![], strangers, tun });
    }
    let sessions = capacity(config.inside.client_cidrs.v4) as u64;
    let room = Demand { sessions, strangers, shares_port: config.port_share.is_some() }.make_room()?;
    let port_share = config.port_share.clone().map(PortShare::start).transpose();
    let port_share = port_share.map_err(StartError::system("the relay of the shared port"))?.map(Arc::new);
    let workers = tcp.iter().map(|(_, listeners)| listeners.len()).max().unwrap_or(0);
    let share =
        |listeners| TcpEdge { listeners, port_share: port_share.clone(), most_connections: room.connections };
    let tcp = by_worker(tcp).take(workers).map(share).collect();
    Ok(Edge { sockets: udp, tcp, strangers: room.strangers, tun })
}

fn stranger_limits(settings: &StrangerSettings) -> StrangerLimits {
    let number = |limit| usize::try_from(limit).unwrap_or(usize::MAX);
    StrangerLimits {
        total: number(settings.connections),
        per_prefix: number(settings.connections_per_network),
        patience: settings.connection_timeout,
    }
}

fn reply_limiter(config: &Config) -> Result<ReplyLimiter, StartError> {
    let seed = random::bytes().map_err(StartError::system("random numbers"))?;
    Ok(ReplyLimiter::new(config.strangers.replies_per_network, seed))
}

fn tun_settings(config: &Config, queues: NonZero<usize>) -> TunSettings {
    let ClientCidrs { v4, v6 } = config.inside.client_cidrs;
    let own_v6 = |v6: ClientCidrV6| Ipv6Net::new(v6.server_address(), v6.net().prefix_len());
    TunSettings {
        name: config.tun.clone(),
        address: Ipv4Net::new(v4.server_address(), v4.net().prefix_len()).unwrap_or_else(|_| v4.net()),
        address_v6: v6.and_then(|v6| own_v6(v6).ok()),
        mtu: config.data_channel.tun_mtu,
        offload: config.waived.offload(),
        queues,
    }
}

fn network_settings(
    config: &Config,
    listen: &[ListenAddress],
    state_directory: &Path,
) -> HostNetworkSettings {
    HostNetworkSettings {
        tun: config.tun.clone(),
        inside: config.inside.clone(),
        routes: config.live.routes.clone(),
        forwards_between_clients: config.live.lets_clients_meet(&config.inside),
        associations: config.live.associations.clone(),
        security_groups: config.live.security.ids().cloned().collect(),
        listening_ports: listen.iter().map(|listen| listen.address.port()).collect(),
        nat: config.nat,
        forwarding: config.forwarding,
        state_directory: state_directory.to_owned(),
    }
}

fn endpoint_config(
    config: &Config,
    tls: TlsSettings,
    wrapping: WrappingSettings,
    keeper: &TrustKeeper,
    clock: Clock,
    shards: usize,
    reply_limiter: &Arc<ReplyLimiter>,
) -> Arc<EndpointConfig> {
    let (trust, strangers) = (Arc::clone(keeper.trust()), &config.strangers);
    let share = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX).div_ceil(shards.max(1));
    Arc::new(EndpointConfig {
        wrapping,
        unix_time_of_origin: clock.unix_time_of_origin(),
        client_certificate: config.login.client_certificate,
        data_ciphers: config.sessions.data_ciphers.clone(),
        cbc_ciphers: config.data_channel.cbc_ciphers.clone(),
        cbc_digest: config.data_channel.cbc_digest,
        replay_window: config.data_channel.replay_window,
        keepalive: config.sessions.keepalive,
        renegotiate_after: config.sessions.renegotiate_after,
        tun_mtu: config.data_channel.tun_mtu,
        handshake_timeout: strangers.handshake_timeout,
        half_open: HalfOpenLimits {
            total: share(strangers.half_open),
            per_network: share(strangers.half_open_per_network),
        },
        reply_limiter: Some(Arc::clone(reply_limiter)),
        ..EndpointConfig::new(tls, trust)
    })
}

/// The watch begins with a look at the list: it may have changed since it was read for the start.
fn watch_revocations(
    keeper: &Arc<TrustKeeper>,
    control: &ControlHandle,
) -> Result<Option<FileWatch>, StartError> {
    let Some(path) = keeper.revocation_file() else {
        return Ok(None);
    };
    let (keeper, control) = (Arc::clone(keeper), control.clone());
    let reload = move || {
        let outcome = keeper.reload_revocations(|| control.check_revocations());
        debug!(?outcome, "the revocation list was read");
    };
    let watch = FileWatch::start(&path, POLL_INTERVAL, reload).map_err(StartError::system("a file watch"))?;
    Ok(Some(watch))
}

fn watch_revoked_serials(
    config: &Config,
    keeper: &Arc<TrustKeeper>,
    control: &ControlHandle,
) -> Result<Option<FileWatch>, StartError> {
    let Some(directory) = config.revoked_serials.clone() else {
        return Ok(None);
    };
    let (keeper, control, path) = (Arc::clone(keeper), control.clone(), directory.clone());
    let reread = move || match RevokedSerials::read(&path) {
        Ok(revoked) => {
            let count = revoked.count();
            if keeper.set_checks(|checks| checks.revoked = revoked) {
                info!(path = %path.display(), count, "another set of serial numbers is revoked");
                control.check_revocations();
            }
        }
        Err(error) => {
            error!(code = error.code(), %error, help = error.help(), "what was revoked stays revoked")
        }
    };
    let watch = FileWatch::start_on_directory(&directory, POLL_INTERVAL, reread);
    watch.map(Some).map_err(StartError::system("a file watch"))
}

fn start_status_file(config: &Config, control: &ControlHandle) -> Result<Option<StatusFile>, StartError> {
    let Some(settings) = config.status.clone() else {
        return Ok(None);
    };
    let (path, control) = (settings.path.clone(), control.clone());
    let observe = move || StatusReport::new(SystemTime::now().into(), &control.connections());
    let file = StatusFile::start(settings, observe);
    file.map(Some).map_err(|source| StartError::StatusFile { path, source })
}

/// A slot for every address: the limits that administrators set are kept by the control plane.
fn capacity(client_cidr: ClientCidr) -> usize {
    1 << (u32::BITS - u32::from(client_cidr.net().prefix_len()))
}

/// Every processor moves packets; the handshakes' threads share them.
fn worker_count(waived: &Waived) -> NonZero<usize> {
    if waived.has(KernelFeature::MultiQueue) {
        return NonZero::<usize>::MIN;
    }
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    NonZero::new(processors.min(MAXIMUM_WORKERS)).unwrap_or(NonZero::<usize>::MIN)
}

fn shard_count() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get).min(MAXIMUM_SHARDS)
}
