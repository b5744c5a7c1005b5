//! Random worlds: whatever the network does and the people do, nothing panics, loops, grows, or mixes up tunnels, and
//! every client gets in as soon as the network lets it.
//!
//! A world follows from its seed; a failure names it. `POSTERN_WORLD=SEED` runs that world alone, and
//! `POSTERN_WORLDS=COUNT` more of them.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::certificates::{Authority, CLIENTS, SERVER};
use crate::network::Conditions;
use crate::random::Random;
use crate::server::Server;
use crate::world::{World, path_from};
use crate::wrappings::{UNIX_TIME, all_wrappings, client_wrappings};
use vpn_proto::client::{ClientConfig, ClientEvent};
use vpn_proto::{
    CbcCipher, DataCipher, Denial, EndpointConfig, Farewell, HalfOpenLimits, Keepalive, ReplayWindowSize,
    ReplyLimiter, TlsVersion,
};

const SECOND: Duration = Duration::from_secs(1);
const DEFAULT_WORLDS: u64 = 1000;
/// Worlds run in so many tests, so that they share the cores.
const SHARES: u64 = 8;

macro_rules! share_of_worlds {
    ($($name:ident: $share:expr),*) => {$(
        #[test]
        fn $name() {
            run_share($share);
        }
    )*};
}

share_of_worlds! {
    worlds_of_share_0: 0, worlds_of_share_1: 1, worlds_of_share_2: 2, worlds_of_share_3: 3,
    worlds_of_share_4: 4, worlds_of_share_5: 5, worlds_of_share_6: 6, worlds_of_share_7: 7
}

fn run_share(share: u64) {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("POSTERN_WORLD") {
        if share == 0 {
            Life::new(seed).live();
        }
        return;
    }
    let worlds = number("POSTERN_WORLDS").unwrap_or(DEFAULT_WORLDS);
    for seed in (share..worlds).step_by(SHARES as usize) {
        let outcome = std::panic::catch_unwind(|| Life::new(seed).live());
        assert!(outcome.is_ok(), "world {seed} failed: POSTERN_WORLD={seed} runs it alone");
    }
}

/// One world with people in it, and a model of what must be true in it.
struct Life {
    seed: u64,
    world: World,
    random: Random,
    people: Vec<Person>,
    rough: Conditions,
    sent: BTreeSet<Vec<u8>>,
    next_packet: u64,
    next_place: u16,
}

/// Somebody with a certificate, who uses one UDP port at a time.
struct Person {
    name: &'static str,
    port: u16,
    config: Arc<ClientConfig>,
}

const ACTIONS: u64 = 12;
const MOST_HALF_OPEN: usize = 64;
const PING_RESTART: Duration = Duration::from_secs(40);
/// Time in which every client must get in through the roughest network.
const PATIENCE: Duration = Duration::from_secs(3600);

impl Life {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x706f_7374_6572_6e00);
        let rough = rough_conditions(&mut random);
        let server = Server::new(server_config(&mut random), random.fork());
        let people = (0..1 + random.below(3) as usize).map(|index| person(index, &mut random)).collect();
        let mut world = World::new(seed, server, rough);
        world.network.keeps_copies = true;
        Self { seed, world, random, people, rough, sent: BTreeSet::new(), next_packet: 0, next_place: 0 }
    }

    fn live(mut self) {
        self.get_everybody_in();
        for _ in 0..ACTIONS {
            self.act();
            self.check();
        }
        self.world.network.conditions =
            Conditions { latency: Duration::from_millis(20), ..Conditions::default() };
        // Whoever was cut off for too long notices it now.
        self.world.run(PING_RESTART * 2);
        self.get_everybody_in();
        self.everybody_pings();
        self.everybody_leaves();
    }

    /// Clients that gave up start again, as stock clients do, until all are in.
    fn get_everybody_in(&mut self) {
        let end = self.world.now + PATIENCE;
        loop {
            for person in &self.people {
                let host = self.world.hosts.get(&person.port);
                if host.is_none_or(|host| host.ended.is_some()) {
                    self.world.start_client(person.port, Arc::clone(&person.config));
                }
            }
            let people: Vec<_> = self.people.iter().map(|person| (person.name, person.port)).collect();
            if self
                .world
                .run_until(5 * SECOND, |world| people.iter().all(|(name, port)| is_in(world, name, *port)))
            {
                return;
            }
            assert!(
                self.world.now < end,
                "world {}: somebody does not get in: {}",
                self.seed,
                self.describe()
            );
        }
    }

    fn describe(&self) -> String {
        let mut text = format!("{:?}", self.rough);
        for Person { name, port, .. } in &self.people {
            let host = &self.world.hosts[port];
            let wakeup = host.client.poll_timeout();
            let session = self.world.server.session_at(&host.path, name);
            text += &format!(
                "; {name}: up {}, {:?}, {wakeup:?}, {session:?}",
                host.connected.is_some(),
                host.ended
            );
        }
        let newest = |failures: &[Denial]| failures.iter().rev().take(5).cloned().collect::<Vec<_>>();
        let closed = self.world.server.closed.iter().rev().take(5).collect::<Vec<_>>();
        text + &format!("; {:?}; {closed:?}; now {:?}", newest(&self.world.server.failures), self.world.now)
    }

    fn act(&mut self) {
        let person = self.random.below(self.people.len() as u64) as usize;
        let port = self.people[person].port;
        match self.random.below(19) {
            0 => self.world.with_client(port, |client, now| client.renegotiate(now)),
            1 => self.leave(port),
            2 => self.crash_and_restart(person),
            3 => self.move_to_another_port(person),
            4 => self.server_closes(person),
            5 => self.outage(),
            6 => self.world.run(60 * SECOND),
            7 => self.roam(port),
            8 => self.roam_in_the_middle_of_a_transfer(port),
            9 => self.swap_places(port),
            10 => self.somebody_else_repeats(),
            11 => self.server_restarts(),
            12 => self.clock_jumps(),
            13 => self.black_hole(),
            14 => self.strangers_knock(),
            _ => self.chatter(port),
        }
        let pause = self.random.below(3000);
        self.world.run(Duration::from_millis(pause));
    }

    fn chatter(&mut self, port: u16) {
        for _ in 0..self.random.below(40) {
            self.send(port);
            let pause = self.random.below(200);
            self.world.run(Duration::from_millis(pause));
        }
    }

    fn send(&mut self, port: u16) {
        self.next_packet += 1;
        let mut packet = format!("{} {}", self.next_packet, self.name_on(port)).into_bytes();
        packet.resize(packet.len() + self.random.below(1200) as usize, b' ');
        self.sent.insert(packet.clone());
        self.world.with_client(port, |client, now| client.send_packet(now, &packet));
    }

    fn name_on(&self, port: u16) -> &'static str {
        self.people.iter().find(|person| person.port == port).map_or("nobody", |person| person.name)
    }

    fn leave(&mut self, port: u16) {
        self.world.with_client(port, |client, now| client.exit(now));
        if let Some(host) = self.world.hosts.get_mut(&port) {
            host.ended = Some(ClientEvent::Failed("left".to_owned()));
        }
    }

    fn crash_and_restart(&mut self, person: usize) {
        let Person { port, config, .. } = &self.people[person];
        self.world.start_client(*port, Arc::clone(config));
    }

    fn move_to_another_port(&mut self, person: usize) {
        self.world.hosts.remove(&self.people[person].port);
        self.people[person].port += 10;
        self.crash_and_restart(person);
    }

    /// The network sees the client on `port` at a place where nobody was before.
    fn roam(&mut self, port: u16) {
        self.next_place += 1;
        self.world.move_client(port, path_from([198, 51, 100, 7], 40_000 + self.next_place));
    }

    fn roam_in_the_middle_of_a_transfer(&mut self, port: u16) {
        self.chatter(port);
        self.roam(port);
        self.chatter(port);
    }

    /// A translator of addresses gives two clients each other's place.
    fn swap_places(&mut self, port: u16) {
        let other = self.random.below(self.people.len() as u64) as usize;
        let ports = [port, self.people[other].port];
        let [Some(one), Some(two)] = ports.map(|port| self.world.hosts.get(&port).map(|host| host.path))
        else {
            return;
        };
        self.world.move_client(ports[0], two);
        self.world.move_client(ports[1], one);
    }

    /// Somebody on the way sends again, from elsewhere, what people have sent; the network may have lost it before.
    fn somebody_else_repeats(&mut self) {
        self.next_place += 1;
        let from = path_from([203, 0, 113, 7], self.next_place);
        for copy in std::mem::take(&mut self.world.network.copies_to_server) {
            if self.random.chance(20) {
                self.world.with_server(|server, now| server.receive(now, from, copy));
            }
        }
    }

    fn server_closes(&mut self, person: usize) {
        let farewell = match self.random.below(4) {
            0 => Farewell::Restart(String::new()),
            1 => Farewell::Halt("maintenance".to_owned()),
            2 => Farewell::AuthFailed("certificate revoked".to_owned()),
            _ => Farewell::Silent,
        };
        if let Some(session) = self.world.server.session_of(self.people[person].name) {
            self.world.with_server(|server, now| server.endpoint.close(now, session, farewell));
        }
    }

    fn outage(&mut self) {
        self.world.network.conditions.loss = 100;
        let duration = self.random.below(40);
        self.world.run(duration as u32 * SECOND);
        self.world.network.conditions = self.rough;
    }

    /// The server's process ends without a word, and another one begins that knows nobody.
    fn server_restarts(&mut self) {
        let random = self.random.fork();
        self.world.with_server(|server, _| server.restart(random));
    }

    /// The server's machine sleeps; what the network delivers meanwhile waits for it.
    fn clock_jumps(&mut self) {
        let asleep = self.random.below(300);
        self.world.now = self.world.now + asleep as u32 * SECOND;
    }

    /// A link on the way takes short datagrams only, for a while.
    fn black_hole(&mut self) {
        self.world.network.conditions.mtu = 60 + self.random.below(1200) as usize;
        let duration = self.random.below(20);
        self.world.run(duration as u32 * SECOND);
        self.world.network.conditions = self.rough;
    }

    /// Datagrams of whoever finds the port, some of them cut out of what people have sent.
    fn strangers_knock(&mut self) {
        let copies = std::mem::take(&mut self.world.network.copies_to_server);
        for _ in 0..self.random.below(200) {
            self.next_place += 1;
            let from = path_from([203, 0, 113, 9], self.next_place);
            let mut datagram = match copies.len() as u64 {
                0 => vec![0; 14],
                count => copies[self.random.below(count) as usize].clone(),
            };
            datagram.truncate(1 + self.random.below(60) as usize);
            let index = self.random.below(datagram.len() as u64) as usize;
            datagram[index] = self.random.next() as u8;
            self.world.with_server(|server, now| server.receive(now, from, datagram));
        }
    }

    /// What must be true at any moment.
    fn check(&self) {
        let seed = self.seed;
        let mut seen = BTreeSet::new();
        for (name, packet) in &self.world.server.received {
            assert!(
                self.sent.contains(packet),
                "world {seed}: a packet that nobody sent came out of the tunnel"
            );
            let text = String::from_utf8_lossy(packet);
            assert_eq!(
                text.trim_end().split(' ').nth(1),
                Some(name.as_str()),
                "world {seed}: the wrong tunnel"
            );
            assert!(seen.insert(packet), "world {seed}: a packet came twice");
        }
        let mut received: BTreeMap<&[u8], u16> = BTreeMap::new();
        for (port, host) in &self.world.hosts {
            for packet in &host.received {
                assert!(self.sent.contains(packet), "world {seed}: a client got a packet that nobody sent");
                assert_eq!(received.insert(packet, *port), None, "world {seed}: an answer came twice");
            }
        }
        let up = self.world.server.peers.values().filter(|peer| peer.channel.is_some()).count();
        assert_eq!(
            self.world.server.endpoint.sessions(),
            up,
            "world {seed}: the server miscounts its sessions"
        );
        assert!(
            self.world.server.endpoint.half_open() <= MOST_HALF_OPEN,
            "world {seed}: half-open sessions pile up"
        );
    }

    fn everybody_pings(&mut self) {
        for index in 0..self.people.len() {
            let port = self.people[index].port;
            let before = self.world.hosts[&port].received.len();
            self.send(port);
            let answered =
                self.world.run_until(5 * SECOND, |world| world.hosts[&port].received.len() > before);
            assert!(
                answered,
                "world {}: no answer through the quiet network: {}",
                self.seed,
                self.describe()
            );
        }
        self.check();
    }

    fn everybody_leaves(&mut self) {
        for person in &self.people {
            self.world.with_client(person.port, |client, now| client.exit(now));
        }
        self.world.run(300 * SECOND);
        self.world.hosts.clear();
        let endpoint = &self.world.server.endpoint;
        assert_eq!(
            (endpoint.sessions(), endpoint.half_open()),
            (0, 0),
            "world {}: sessions remain",
            self.seed
        );
        assert_eq!(endpoint.poll_timeout(), None, "world {}: timers remain", self.seed);
        assert!(self.world.server.peers.is_empty(), "world {}: addresses remain", self.seed);
    }
}

/// Whether both sides agree that the tunnel of `name` is up.
fn is_in(world: &World, name: &str, port: u16) -> bool {
    let host = &world.hosts[&port];
    host.ended.is_none() && host.connected.is_some() && world.server.session_at(&host.path, name).is_some()
}

fn rough_conditions(random: &mut Random) -> Conditions {
    Conditions {
        latency: Duration::from_millis(1 + random.below(300)),
        jitter: Duration::from_millis(random.below(200)),
        loss: random.below(31),
        duplication: random.below(20),
        corruption: random.below(3),
        mtu: 1232 + random.below(260) as usize,
    }
}

fn server_config(random: &mut Random) -> EndpointConfig {
    let authority = Arc::new(Authority::default());
    let mut config = EndpointConfig::new(SERVER.server_settings(TlsVersion::Tls12), authority);
    config.wrapping = all_wrappings();
    config.unix_time_of_origin = UNIX_TIME;
    config.data_ciphers = DataCipher::ALL.to_vec();
    config.data_ciphers.rotate_left(random.below(DataCipher::ALL.len() as u64) as usize);
    config.cbc_ciphers = CbcCipher::ALL.to_vec();
    config.replay_window = ReplayWindowSize::new(64 + random.below(3000) as u32).unwrap();
    config.renegotiate_after = random.chance(50).then(|| Duration::from_secs(10 + random.below(110)));
    config.half_open = HalfOpenLimits { total: MOST_HALF_OPEN, per_network: MOST_HALF_OPEN };
    config.reply_limiter = Some(Arc::new(ReplyLimiter::new(
        NonZeroU32::new(20).unwrap(),
        random.next().to_le_bytes().repeat(2).try_into().unwrap(),
    )));
    config.keepalive = Keepalive { ping: (1 + random.below(10) as u32) * SECOND, ping_restart: PING_RESTART };
    config
}

fn person(index: usize, random: &mut Random) -> Person {
    let tls = CLIENTS[index].client_tls();
    let mut config = ClientConfig::new(if random.chance(30) { tls.only_tls12() } else { tls });
    let protocol = [8094, 8094, 990, 6, 2, 0][random.below(6) as usize];
    let ciphers = [
        "IV_NCP=2\nIV_CIPHERS=AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305\n",
        "IV_CIPHERS=AES-128-CBC:AES-256-CBC\n",
        "",
    ][[0, 0, 0, 1, 2][random.below(5) as usize]];
    let stub = ["", "IV_COMP_STUBv2=1\n"][random.below(2) as usize];
    config.peer_info = format!("IV_PROTO={protocol}\nIV_MTU=1600\n{ciphers}{stub}");
    let compression = ["", "comp-lzo,"][usize::from(random.chance(20))];
    config.options =
        config.options.replace("auth SHA1", &format!("{compression}cipher AES-192-CBC,auth SHA256"));
    let mut wrappings = client_wrappings();
    config.wrapping = wrappings.swap_remove(random.below(wrappings.len() as u64) as usize);
    config.unix_time_of_origin = UNIX_TIME;
    Person { name: CLIENTS[index].name, port: 5000 + index as u16, config: Arc::new(config) }
}
