//! What a stranger can make the server keep (NET-04), counted by an allocator of this test binary's own.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::CertificateDer;
use vpn_proto::client::{Client, ClientConfig, ClientTls};
use vpn_proto::{
    CertificateCheck, CertificateVerdict, Denial, Endpoint, EndpointConfig, Entropy, ListenerId, Moment,
    Path, TlsSettings, TlsVersion, Transport,
};

#[path = "support/credentials.rs"]
mod credentials;

use credentials::{certificate, key};

const HANDSHAKES: usize = 256;
const PROMISE: usize = 24 * 1024;

/// One test only: the allocator counts for the whole process.
#[test]
fn net_04_a_handshake_holds_at_most_24_kib_until_the_certificate_is_there() {
    let after_the_cookie = each(|world, number| world.return_cookie(number));
    let after_the_hello = each(|world, number| world.say_hello(number));
    let with_octets_in_disorder = each(|world, number| world.fill_one_place(number));
    println!(
        "held by one handshake: {after_the_cookie} octets after the cookie, {after_the_hello} after the hello, \
         {with_octets_in_disorder} with as much in disorder as fits one place"
    );
    for held in [after_the_cookie, after_the_hello, with_octets_in_disorder] {
        assert!(held <= PROMISE, "{held} octets");
    }
}

/// The memory that one of many handshakes takes.
fn each(begin: impl Fn(&mut World, usize)) -> usize {
    let mut world = World::new();
    // What is allocated once does not count.
    begin(&mut world, 0);
    let before = HELD.load(Ordering::Relaxed);
    (1..=HANDSHAKES).for_each(|number| begin(&mut world, number));
    let held = HELD.load(Ordering::Relaxed) - before;
    assert_eq!(world.endpoint.half_open(), HANDSHAKES + 1);
    held / HANDSHAKES
}

struct World {
    endpoint: Endpoint,
    client: Arc<ClientConfig>,
}

impl World {
    fn new() -> Self {
        let config = Arc::new(EndpointConfig::new(server_tls(), Arc::new(Nobody)));
        let client = Arc::new(ClientConfig::new(client_tls()));
        Self { endpoint: Endpoint::new(config, Box::new(Counter(1))), client }
    }

    fn return_cookie(&mut self, number: usize) {
        let id = [&[1; 6][..], &u16::try_from(number).unwrap().to_be_bytes()].concat();
        let answer = self.ask(number, &[&[0x38][..], &id, &[0; 5]].concat());
        let acknowledgement = [&[0x28][..], &id, &[1, 0, 0, 0, 0], &answer[0][1..9]].concat();
        self.ask(number, &acknowledgement);
    }

    /// As an honest client does, up to the server's answer.
    fn say_hello(&mut self, number: usize) {
        let (now, path) = (Moment::default(), path(number));
        let mut client = Client::connect(Arc::clone(&self.client), path, now, Box::new(Counter(2)));
        let reset = client.poll_transmit().unwrap().payload;
        for mut answer in self.ask(number, &reset) {
            client.handle_datagram(now, &mut answer);
        }
        while let Some(hello) = client.poll_transmit() {
            self.ask(number, &hello.payload);
        }
    }

    /// Sends a record that never ends, and packets whose predecessor is missing.
    fn fill_one_place(&mut self, number: usize) {
        self.say_hello(number);
        self.return_cookie(number + HANDSHAKES * 2);
        let id = [&[1; 6][..], &u16::try_from(number + HANDSHAKES * 2).unwrap().to_be_bytes()].concat();
        for message in [1, 3, 4, 5] {
            let record = [&[22, 3, 3, 0x40, 0][..], &[0; 1990]].concat();
            let packet = [&[0x20][..], &id, &[0, 0, 0, 0, message], &record].concat();
            self.endpoint.handle_datagram(Moment::default(), path(number + HANDSHAKES * 2), &packet);
        }
        self.endpoint.disconnected(Moment::default(), &path(number));
        self.drain();
    }

    fn ask(&mut self, number: usize, datagram: &[u8]) -> Vec<Vec<u8>> {
        self.endpoint.handle_datagram(Moment::default(), path(number), datagram);
        self.drain()
    }

    fn drain(&mut self) -> Vec<Vec<u8>> {
        while self.endpoint.poll_event().is_some() {}
        std::iter::from_fn(|| self.endpoint.poll_transmit()).map(|transmit| transmit.payload).collect()
    }
}

/// Each in a network of its own.
fn path(number: usize) -> Path {
    let [.., third, fourth] = number.to_be_bytes();
    let remote = SocketAddr::from(([198, third, fourth, 1], 5000));
    Path { listener: ListenerId(0), transport: Transport::Udp, remote, local: None }
}

struct Nobody;

impl CertificateCheck for Nobody {
    fn check(&self, _chain: &[CertificateDer<'_>]) -> CertificateVerdict {
        let text = String::new;
        CertificateVerdict::Untrusted(Denial { code: "nobody", public: text(), detail: text() })
    }
}

struct Counter(u64);

impl Entropy for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill_with(|| {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            self.0.to_be_bytes()[0]
        });
    }
}

fn server_tls() -> TlsSettings {
    TlsSettings::new(vec![certificate("server")], key("server"), TlsVersion::Tls12).unwrap()
}

fn client_tls() -> ClientTls {
    ClientTls::new(vec![certificate("client1")], key("client1"), certificate("server"), TlsVersion::Tls13)
}

static HELD: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(unsafe_code, reason = "an allocator cannot be written without")]
// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}
