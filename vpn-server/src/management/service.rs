//! The thread behind the management interface: one client after another on one socket.
//!
//! Further clients wait in the socket's queue, as with OpenVPN. A client that does not read is cut off once too much waits
//! for it. While a client is there, the thread looks at the server at [`PACE`].

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use rustix::event::{PollFd, PollFlags, poll};
use tracing::{debug, error, info, warn};
use zeroize::Zeroizing;

use super::conversation::{Conversation, Desk};
use super::error::ManagementError;
use super::history::LogTap;
use super::managed::Managed;
use super::notice::ServerState;
use super::settings::{ManagementAddress, ManagementSettings};
use crate::clock::Clock;
use crate::status::StatusVersion;

/// How often the server is looked at, and the log.
const PACE: Duration = Duration::from_millis(200);
/// The most octets that may wait for a client that does not read.
const MAXIMUM_BACKLOG: usize = 4 << 20;

/// A management interface in operation. It is gone when this is dropped.
pub(crate) struct Management {
    states: Option<Sender<ServerState>>,
    thread: Option<JoinHandle<()>>,
    socket_file: Option<PathBuf>,
}

impl Management {
    /// Listens from now on.
    pub(crate) fn start(
        settings: &ManagementSettings,
        default_status: StatusVersion,
        server: Arc<dyn Managed + Send + Sync>,
        tap: Arc<LogTap>,
    ) -> Result<Self, ManagementError> {
        let password = settings.password_file.as_deref().map(read_password).transpose()?;
        let listener = Listener::bind(&settings.address)?;
        let mut desk = Desk::new(password, settings.log_lines, settings.is_held);
        desk.set_default_status(default_status);
        let (states, changes) = channel();
        let service = Service { listener, client: None, desk, server, tap, changes, clock: Clock::start() };
        let thread = std::thread::Builder::new()
            .name("management".to_owned())
            .spawn(move || service.run())
            .map_err(|source| ManagementError::Bind { address: settings.address.clone(), source })?;
        info!(address = %settings.address, "the management interface is open");
        let socket_file = match &settings.address {
            ManagementAddress::Unix(path) => Some(path.clone()),
            ManagementAddress::Tcp(_) => None,
        };
        Ok(Self { states: Some(states), thread: Some(thread), socket_file })
    }

    /// Says what the server is doing now.
    pub(crate) fn tell(&self, state: ServerState) {
        if let Some(states) = &self.states {
            // Without its thread, whose end was logged, nobody listens.
            let _ = states.send(state);
        }
    }
}

impl Drop for Management {
    fn drop(&mut self) {
        self.states = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the thread of the management interface ended with a panic");
        }
        if let Some(path) = &self.socket_file {
            // What cannot be removed is replaced at the next start.
            let _ = fs::remove_file(path);
        }
    }
}

struct Service {
    listener: Listener,
    client: Option<Client>,
    desk: Desk,
    server: Arc<dyn Managed + Send + Sync>,
    tap: Arc<LogTap>,
    changes: Receiver<ServerState>,
    clock: Clock,
}

struct Client {
    stream: Stream,
    conversation: Conversation,
    backlog: Vec<u8>,
}

impl Service {
    fn run(mut self) {
        while self.take_news() {
            self.wait();
            match &mut self.client {
                Some(_) => self.serve_client(),
                None => self.accept(),
            }
        }
        self.flush();
    }

    /// The log and the states; `false` when the interface is to close.
    fn take_news(&mut self) -> bool {
        for line in self.tap.take() {
            let conversation = self.client.as_mut().map(|client| &mut client.conversation);
            Conversation::tell_log(conversation, line, &mut self.desk);
        }
        let news = self.server.reception().take_news();
        if let Some(client) = &mut self.client {
            client.conversation.tell_clients(news);
        }
        loop {
            match self.changes.try_recv() {
                Ok(state) => {
                    let conversation = self.client.as_mut().map(|client| &mut client.conversation);
                    Conversation::tell_state(conversation, SystemTime::now().into(), state, &mut self.desk);
                }
                Err(std::sync::mpsc::TryRecvError::Empty) => return true,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn wait(&mut self) {
        self.flush();
        let visitor = match &self.client {
            Some(client) => {
                let mut flags = PollFlags::IN;
                flags.set(PollFlags::OUT, !client.backlog.is_empty());
                PollFd::from_borrowed_fd(client.stream.as_fd(), flags)
            }
            None => PollFd::from_borrowed_fd(self.listener.as_fd(), PollFlags::IN),
        };
        let bell = PollFd::from_borrowed_fd(self.server.reception().bell(), PollFlags::IN);
        if let Err(error) = wait_for(&mut [visitor, bell], PACE) {
            debug!(%error, "waiting for a management client");
            std::thread::sleep(PACE);
        }
    }

    fn accept(&mut self) {
        match self.listener.accept() {
            Ok(stream) => {
                info!("a management client connected");
                let conversation = Conversation::open(&self.desk, &*self.server);
                self.client = Some(Client { stream, conversation, backlog: Vec::new() });
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => warn!(%error, "a management client could not be taken in"),
        }
    }

    fn serve_client(&mut self) {
        let Some(client) = &mut self.client else { return };
        let now = self.clock.now();
        let is_there = match client.read() {
            Ok(octets) => {
                client.conversation.receive(&octets, now, &mut self.desk, &*self.server);
                client.conversation.look(now, &*self.server);
                !client.conversation.is_over()
            }
            Err(error) => {
                debug!(%error, "a management client left");
                false
            }
        };
        self.flush();
        if !is_there {
            self.client = None;
            info!("a management client disconnected");
        }
    }

    /// Sends what can be sent. A client for which too much waits is gone.
    fn flush(&mut self) {
        let Some(client) = &mut self.client else { return };
        let output = client.conversation.take_output();
        client.backlog.extend(output);
        let outcome = client.send();
        let is_too_slow = client.backlog.len() > MAXIMUM_BACKLOG;
        if outcome.is_err() || is_too_slow {
            info!(too_slow = is_too_slow, "a management client was cut off");
            self.client = None;
        }
    }
}

impl Client {
    /// What has arrived; an error when the client is gone.
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => Ok(buffer[..length].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn send(&mut self) -> io::Result<()> {
        while !self.backlog.is_empty() {
            match self.stream.write(&self.backlog) {
                Ok(length) => drop(self.backlog.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    fn bind(address: &ManagementAddress) -> Result<Self, ManagementError> {
        let failed = |source| ManagementError::Bind { address: address.clone(), source };
        let listener = match address {
            ManagementAddress::Tcp(address) => Self::Tcp(TcpListener::bind(address).map_err(failed)?),
            ManagementAddress::Unix(path) => {
                remove_stale(path)?;
                let listener = UnixListener::bind(path).map_err(failed)?;
                fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
                Self::Unix(listener)
            }
        };
        listener.set_nonblocking().map_err(failed)?;
        Ok(listener)
    }

    fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.set_nonblocking(true),
            Self::Unix(listener) => listener.set_nonblocking(true),
        }
    }

    fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                Ok(Stream::Unix(stream))
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(octets),
            Self::Unix(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Unix(stream) => stream.flush(),
        }
    }
}

/// A socket file that a killed predecessor left behind; anything else in its place stays.
fn remove_stale(path: &Path) -> Result<(), ManagementError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path).map_err(|source| {
            ManagementError::Bind { address: ManagementAddress::Unix(path.to_owned()), source }
        }),
        Ok(_) => Err(ManagementError::NotSocket(path.to_owned())),
        Err(_) => Ok(()),
    }
}

/// The first line, without what ends it.
fn read_password(path: &Path) -> Result<Zeroizing<Vec<u8>>, ManagementError> {
    let content = fs::read(path)
        .map(Zeroizing::new)
        .map_err(|source| ManagementError::Password { path: path.to_owned(), source })?;
    let line = content.split(|octet| matches!(octet, b'\n' | b'\r')).next().unwrap_or_default();
    if line.is_empty() {
        return Err(ManagementError::EmptyPassword(path.to_owned()));
    }
    Ok(Zeroizing::new(line.to_vec()))
}

fn wait_for(descriptors: &mut [PollFd<'_>], patience: Duration) -> io::Result<()> {
    let timeout = patience.try_into().map_err(io::Error::other)?;
    poll(descriptors, Some(&timeout))?;
    Ok(())
}
