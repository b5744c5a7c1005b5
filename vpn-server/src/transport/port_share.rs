//! Sharing a TCP port with another server, usually an HTTPS one: connections that do not speak our protocol are its.
//!
//! A relay on a thread of its own carries the octets both ways, unchanged, beginning with those that were read before
//! anybody could tell. At most [`GUESTS`] at once; one more is closed. The backend sees this host as its client.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tracing::{debug, info, warn};

/// Connections that are relayed at once; each takes two descriptors.
pub const GUESTS: usize = 256;

/// How long the backend may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Silence after which either end is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// The server that a port is shared with: `HOST:PORT`, IPv6 addresses in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    host: String,
    port: u16,
}

/// A text is no [`Backend`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a host with a port", .0.escape_debug())]
pub struct InvalidBackend(pub String);

impl FromStr for Backend {
    type Err = InvalidBackend;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Self::new(&address.ip().to_string(), address.port());
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(|| InvalidBackend(text.to_owned()))?;
        let is_name = host.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_'));
        let is_number = port.bytes().all(|c| c.is_ascii_digit());
        match port.parse() {
            Ok(port) if is_name && is_number && !host.is_empty() => Self::new(host, port),
            Ok(_) | Err(_) => Err(InvalidBackend(text.to_owned())),
        }
    }
}

impl Backend {
    fn new(host: &str, port: u16) -> Result<Self, InvalidBackend> {
        match port {
            0 => Err(InvalidBackend(format!("{host}:0"))),
            _ => Ok(Self { host: host.to_owned(), port }),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(out, "[{host}]:{port}") } else { write!(out, "{host}:{port}") }
    }
}

/// A running relay. Dropping it closes what it relays.
#[derive(Debug)]
pub struct PortShare {
    guests: Option<mpsc::Sender<Guest>>,
    thread: Option<JoinHandle<()>>,
}

/// A connection for the backend.
#[derive(Debug)]
struct Guest {
    stream: TcpStream,
    /// What was read of it already.
    opening: Vec<u8>,
}

impl PortShare {
    /// Starts to relay to `backend`, which need not be there yet.
    ///
    /// # Errors
    /// The system refuses a thread or an event loop.
    pub fn start(backend: Backend) -> io::Result<Self> {
        Self::with_room_for(GUESTS, backend)
    }

    fn with_room_for(room: usize, backend: Backend) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let (guests, arrivals) = mpsc::channel(room);
        let thread = thread::Builder::new().name("port-share".to_owned()).spawn(move || {
            runtime.block_on(receive(arrivals, room, backend));
            runtime.shutdown_background();
        })?;
        Ok(Self { guests: Some(guests), thread: Some(thread) })
    }

    /// Passes on a non-blocking connection of which `opening` was read. Returns at once; `false` if there is no room,
    /// and the connection is closed.
    #[must_use]
    pub fn pass_on(&self, stream: TcpStream, opening: Vec<u8>) -> bool {
        self.guests.as_ref().is_some_and(|guests| guests.try_send(Guest { stream, opening }).is_ok())
    }
}

impl Drop for PortShare {
    fn drop(&mut self) {
        self.guests = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the relay of the shared port ended by a panic");
        }
    }
}

/// Relays every guest that there is room for, until nobody can bring any more.
async fn receive(mut arrivals: mpsc::Receiver<Guest>, room: usize, backend: Backend) {
    let backend = Arc::new(Reachability { backend, is_reachable: AtomicBool::new(true) });
    let room = Arc::new(Semaphore::new(room));
    while let Some(guest) = arrivals.recv().await {
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            continue;
        };
        let backend = Arc::clone(&backend);
        tokio::spawn(async move {
            if let Err(error) = relay(guest, &backend).await {
                debug!(%error, "a connection to the backend of the shared port ended");
            }
            drop(permit);
        });
    }
}

async fn relay(guest: Guest, backend: &Reachability) -> io::Result<()> {
    let mut client = tokio::net::TcpStream::from_std(guest.stream)?;
    let mut server = backend.connect().await?;
    for end in [SockRef::from(&client), SockRef::from(&server)] {
        end.set_tcp_nodelay(true)?;
        end.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
    }
    server.write_all(&guest.opening).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// The backend, and whether it answered last: said when it changes, not for every guest.
struct Reachability {
    backend: Backend,
    is_reachable: AtomicBool,
}

impl Reachability {
    async fn connect(&self) -> io::Result<tokio::net::TcpStream> {
        let Backend { host, port } = &self.backend;
        let connecting = tokio::net::TcpStream::connect((host.as_str(), *port));
        let outcome = timeout(CONNECT_LIMIT, connecting).await.unwrap_or_else(|late| Err(late.into()));
        let was_reachable = self.is_reachable.swap(outcome.is_ok(), Ordering::Relaxed);
        match &outcome {
            Err(error) if was_reachable => {
                warn!(backend = %self.backend, %error, "the backend of the shared port does not answer");
            }
            Ok(_) if !was_reachable => {
                info!(backend = %self.backend, "the backend of the shared port answers again");
            }
            Ok(_) | Err(_) => {}
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener};

    use super::*;

    #[test]
    fn a_backend_is_a_host_and_a_port() {
        for text in ["127.0.0.1:443", "[::1]:8443", "web.internal:443", "localhost:1"] {
            assert_eq!(text.parse::<Backend>().unwrap().to_string(), text);
        }
        let invalid = ["", ":443", "localhost", "localhost:", "localhost:0", "127.0.0.1:0", "[::1]:0"];
        let strange = ["localhost:65536", "localhost:+1", "::1:443", "a b:1", "https://web:443", "web:443/"];
        for text in invalid.into_iter().chain(strange) {
            assert!(text.parse::<Backend>().is_err(), "{text}");
        }
    }

    #[test]
    fn everything_passes_both_ways_beginning_with_what_was_read_before() {
        let world = World::new();
        let (mut client, connection) = world.connection();
        client.write_all(b"GET / HTTP/1.1").unwrap();
        let mut opening = vec![0; 3];
        connection.set_nonblocking(false).unwrap();
        (&connection).read_exact(&mut opening).unwrap();
        connection.set_nonblocking(true).unwrap();
        assert!(world.share.pass_on(connection, opening));
        let (mut server, _) = world.backend.accept().unwrap();
        client.write_all(b", all of it").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut request = String::new();
        server.read_to_string(&mut request).unwrap();
        assert_eq!(request, "GET / HTTP/1.1, all of it");
        let answer = vec![7; 3_000_000];
        let sender = thread::spawn(move || server.write_all(&answer).unwrap());
        let mut received = vec![];
        client.read_to_end(&mut received).unwrap();
        sender.join().unwrap();
        assert_eq!(received, vec![7; 3_000_000]);
    }

    #[test]
    fn a_guest_more_than_there_is_room_for_is_closed_and_the_others_stay() {
        let world = World::new();
        let mut clients = vec![];
        for _ in 0..ROOM {
            let (client, connection) = world.connection();
            assert!(world.share.pass_on(connection, b"hello".to_vec()));
            clients.push((client, world.backend.accept().unwrap().0));
        }
        let (mut one_more, connection) = world.connection();
        // Whether it still fits the queue or not, it is closed.
        let _ = world.share.pass_on(connection, b"hello".to_vec());
        assert_eq!(one_more.read(&mut [0; 10]).unwrap(), 0);
        let (client, server) = &mut clients[ROOM - 1];
        server.write_all(b"still here").unwrap();
        client.read_exact(&mut [0; 10]).unwrap();
        clients.truncate(ROOM - 1);
        let has_room_again = || {
            let (mut client, connection) = world.connection();
            let _ = world.share.pass_on(connection, b"hello".to_vec());
            client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            !matches!(client.read(&mut [0; 10]), Ok(0))
        };
        assert!((0..100).any(|_| has_room_again()));
    }

    #[test]
    fn without_its_backend_a_guest_is_closed() {
        let world = World::new();
        let (mut client, connection) = world.connection();
        drop(world.backend);
        assert!(world.share.pass_on(connection, b"hello".to_vec()));
        assert!(matches!(client.read(&mut [0; 10]), Ok(0) | Err(_)));
    }

    #[test]
    fn the_end_of_the_relay_is_the_end_of_its_connections() {
        let world = World::new();
        let (mut client, connection) = world.connection();
        assert!(world.share.pass_on(connection, b"hello".to_vec()));
        let _server = world.backend.accept().unwrap();
        drop(world.share);
        assert!(matches!(client.read(&mut [0; 10]), Ok(0) | Err(_)));
    }

    /// Each guest takes four files of this process.
    const ROOM: usize = 16;

    struct World {
        share: PortShare,
        backend: TcpListener,
        front: TcpListener,
    }

    impl World {
        fn new() -> Self {
            let backend = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = backend.local_addr().unwrap().to_string();
            let share = PortShare::with_room_for(ROOM, address.parse().unwrap()).unwrap();
            Self { share, backend, front: TcpListener::bind("127.0.0.1:0").unwrap() }
        }

        /// A client, and the server's non-blocking end of its connection.
        fn connection(&self) -> (TcpStream, TcpStream) {
            let client = TcpStream::connect(self.front.local_addr().unwrap()).unwrap();
            let (connection, _) = self.front.accept().unwrap();
            connection.set_nonblocking(true).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            (client, connection)
        }
    }
}
