//! The TUN device: inner packets to and from the kernel's network stack, through one queue per worker.
//!
//! With offloads one call moves a super-packet. What the kernel does not have is done without, which is found out when
//! the device is made: first UDP segmentation (Linux 6.2), then several queues, then offloads at all.

use std::io::{self, IoSlice};
use std::num::NonZero;
use std::os::fd::{AsFd, BorrowedFd};
use std::str::FromStr;

use ipnet::{Ipv4Net, Ipv6Net};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use tun_rs::{DeviceBuilder, SyncDevice};

use super::{Offload, PacketDevice};

/// What a TUN device is to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunSettings {
    /// Its name.
    pub name: DeviceName,
    /// The server's tunnel address, with the prefix length of the tunnel network.
    pub address: Ipv4Net,
    /// The same for IPv6; `None` where the tunnel carries IPv4 only.
    pub address_v6: Option<Ipv6Net>,
    /// The longest packet, in octets.
    pub mtu: u16,
    /// The super-packets to ask for.
    pub offload: Offload,
    /// The queues to ask for.
    pub queues: NonZero<usize>,
}

/// The name of a network device: 1 to 15 octets that the kernel and every tool take as one plain name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceName(String);

/// A text is no [`DeviceName`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a device name: 1 to 15 of the characters A-Z a-z 0-9 . _ -, and neither . nor ..")]
pub struct InvalidDeviceName(pub String);

impl DeviceName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeviceName {
    type Err = InvalidDeviceName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-'));
        if !is_plain || !(1..=15).contains(&text.len()) || matches!(text, "." | "..") {
            return Err(InvalidDeviceName(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Display for DeviceName {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

/// Why there is no TUN device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TunError {
    /// `/dev/net/tun` does not exist.
    #[error("/dev/net/tun does not exist")]
    NodeMissing,
    /// `/dev/net/tun` is there, but no driver behind it.
    #[error("the kernel has no TUN driver")]
    DriverMissing,
    /// This process may not open `/dev/net/tun`.
    #[error("not permitted to open /dev/net/tun")]
    NodeNotPermitted,
    /// This process may not create or configure network devices.
    #[error("not permitted to create the TUN device {0}: the process lacks CAP_NET_ADMIN")]
    CapabilityMissing(DeviceName),
    /// There is a device of that name that is no TUN device, or one that another process holds.
    #[error("the device name {0} is taken")]
    NameTaken(DeviceName),
    /// The system refused for another reason.
    #[error("cannot create the TUN device {name}: {source}")]
    System {
        /// The device.
        name: DeviceName,
        /// The system's reason.
        source: io::Error,
    },
}

impl TunError {
    /// Stable kebab-case code for logs and JSON.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NodeMissing => "tun-node-missing",
            Self::DriverMissing => "tun-driver-missing",
            Self::NodeNotPermitted => "tun-node-not-permitted",
            Self::CapabilityMissing(_) => "tun-capability-missing",
            Self::NameTaken(_) => "tun-name-taken",
            Self::System { .. } => "tun-failed",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::NodeMissing => "load the driver with `modprobe tun`; in a container, pass the device in \
                                  (`--device /dev/net/tun`)"
                .to_owned(),
            Self::DriverMissing => "load the driver with `modprobe tun`".to_owned(),
            Self::NodeNotPermitted => {
                "start as root, or let the service's user read and write /dev/net/tun".to_owned()
            }
            Self::CapabilityMissing(_) => {
                "start as root, or give the service CAP_NET_ADMIN (systemd: AmbientCapabilities=; \
                 containers: --cap-add NET_ADMIN)"
                    .to_owned()
            }
            Self::NameTaken(name) => {
                format!("see what it is with `ip -details link show {name}`, or choose another name")
            }
            Self::System { .. } => "see the system's reason above".to_owned(),
        }
    }
}

/// A TUN device that is up and has its address. It disappears when its last queue is dropped.
#[derive(Debug)]
pub struct TunDevice {
    queues: Vec<TunQueue>,
    name: DeviceName,
}

/// One queue of a TUN device. The kernel spreads what it sends over the queues by flow, and answers to what was written
/// to a queue come back from it.
pub struct TunQueue {
    device: SyncDevice,
    offload: Offload,
}

impl TunDevice {
    /// Creates the device, gives it its address and MTU and sets it up. What the kernel cannot do is done without.
    ///
    /// # Errors
    /// [`TunError`]
    pub fn create(settings: &TunSettings) -> Result<Self, TunError> {
        check_node(&settings.name)?;
        let name = settings.name.clone();
        let queues = open(settings).map_err(|source| classified(&name, source))?;
        let device = Self { queues, name };
        tracing::info!(
            device = %device.name,
            queues = device.queues.len(),
            offload = %device.offload(),
            "the tunnel device is up"
        );
        Ok(device)
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &DeviceName {
        &self.name
    }

    /// The super-packets that it gives and takes: those that were asked for or fewer.
    #[must_use]
    pub fn offload(&self) -> Offload {
        self.queues.first().map_or(Offload::None, |queue| queue.offload)
    }

    /// Its queues: as many as were asked for, or one.
    #[must_use]
    pub fn into_queues(self) -> Vec<TunQueue> {
        self.queues
    }
}

impl PacketDevice for TunQueue {
    fn offload(&self) -> Offload {
        self.offload
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.device.recv(buffer)
    }

    fn send(&self, pieces: &[IoSlice<'_>]) -> io::Result<()> {
        self.device.send_vectored(pieces).map(|_| ())
    }
}

impl AsFd for TunQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

impl std::fmt::Debug for TunQueue {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("TunQueue").field("offload", &self.offload).finish_non_exhaustive()
    }
}

/// What is asked of the kernel when a device is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wish {
    has_offload: bool,
    has_many_queues: bool,
}

impl Wish {
    fn of(settings: &TunSettings) -> Self {
        let has_many_queues = settings.queues.get() > 1;
        Self { has_offload: settings.offload != Offload::None, has_many_queues }
    }

    /// The wish and what is left of it where the kernel cannot do something, in the order of trying.
    fn and_less(self) -> impl Iterator<Item = Self> {
        let less = [
            self,
            Self { has_many_queues: false, ..self },
            Self { has_offload: false, ..self },
            Self { has_offload: false, has_many_queues: false },
        ];
        let is_first = move |(index, wish): &(usize, Self)| !less[..*index].contains(wish);
        less.into_iter().enumerate().filter(is_first).map(|(_, wish)| wish)
    }
}

fn open(settings: &TunSettings) -> io::Result<Vec<TunQueue>> {
    let is_name_taken = exists(&settings.name);
    let (device, wish) = first_possible(Wish::of(settings), is_name_taken, |wish| build(settings, wish))?;
    let offload = match (device.tcp_gso(), device.udp_gso()) {
        (false, _) => Offload::None,
        (true, false) => Offload::Tcp.min(settings.offload),
        (true, true) => Offload::TcpAndUdp.min(settings.offload),
    };
    let more = if wish.has_many_queues { settings.queues.get() - 1 } else { 0 };
    let more = (0..more).map(|_| device.try_clone()).collect::<io::Result<Vec<_>>>()?;
    std::iter::once(device)
        .chain(more)
        .map(|device| {
            device.set_nonblocking(true)?;
            Ok(TunQueue { device, offload })
        })
        .collect()
}

/// Tries what is wished and then less, as long as the kernel does not know what is asked of it.
///
/// It answers the same for the name of a device of another kind.
fn first_possible<T>(
    wish: Wish,
    is_name_taken: bool,
    mut attempt: impl FnMut(Wish) -> io::Result<T>,
) -> io::Result<(T, Wish)> {
    let mut outcome = attempt(wish).map(|made| (made, wish));
    for less in wish.and_less().skip(1) {
        match outcome {
            Err(error) if !is_name_taken && is_unknown_request(&error) => {
                tracing::warn!(?less, %error, "the kernel cannot make the tunnel device as wished: trying less");
                outcome = attempt(less).map(|made| (made, less));
            }
            settled => return settled,
        }
    }
    outcome
}

fn is_unknown_request(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::NOTTY | Errno::OPNOTSUPP | Errno::NOSYS))
}

/// Tells the ways in which the driver can be out of reach apart, and keeps the library from making a node of its own.
fn check_node(name: &DeviceName) -> Result<(), TunError> {
    match rustix::fs::open(NODE, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        Ok(_) => Ok(()),
        Err(Errno::NOENT | Errno::NOTDIR) => Err(TunError::NodeMissing),
        Err(Errno::NODEV | Errno::NXIO) => Err(TunError::DriverMissing),
        Err(Errno::ACCESS | Errno::PERM) => Err(TunError::NodeNotPermitted),
        Err(error) => Err(TunError::System { name: name.clone(), source: error.into() }),
    }
}

fn build(settings: &TunSettings, wish: Wish) -> io::Result<SyncDevice> {
    let mut builder = DeviceBuilder::new()
        .name(settings.name.as_str())
        .ipv4(settings.address.addr(), settings.address.prefix_len(), None)
        .mtu(settings.mtu)
        .with(|options| {
            options.tx_queue_len(TRANSMIT_QUEUE).offload(wish.has_offload).multi_queue(wish.has_many_queues);
        });
    if let Some(address) = settings.address_v6 {
        builder = builder.ipv6(address.addr(), address.prefix_len());
    }
    builder.build_sync()
}

fn classified(name: &DeviceName, source: io::Error) -> TunError {
    match Errno::from_io_error(&source) {
        Some(Errno::PERM | Errno::ACCESS) => TunError::CapabilityMissing(name.clone()),
        // The kernel answers EBUSY for a TUN device that is attached, EINVAL for any other kind of device.
        Some(Errno::BUSY) => TunError::NameTaken(name.clone()),
        Some(Errno::INVAL) if exists(name) => TunError::NameTaken(name.clone()),
        _ => TunError::System { name: name.clone(), source },
    }
}

fn exists(name: &DeviceName) -> bool {
    rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::DGRAM, None)
        .is_ok_and(|socket| rustix::net::netdevice::name_to_index(socket, name.as_str()).is_ok())
}

const NODE: &str = "/dev/net/tun";
/// Packets that the kernel queues for us; its default of 500 is too short for one busy TCP connection.
const TRANSMIT_QUEUE: u32 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names_are_what_every_tool_takes() {
        for name in ["tun0", "postern", "vpn-1.2_x", "a", "fifteen-letters"] {
            assert_eq!(name.parse::<DeviceName>().unwrap().to_string(), name);
        }
        for name in ["", ".", "..", "sixteen-letters-", "a b", "a/b", "tun%d", "a:1", "tün", "a\n", "a\0"] {
            let error = name.parse::<DeviceName>().unwrap_err();
            assert_eq!(error, InvalidDeviceName(name.to_owned()));
        }
    }

    #[test]
    fn errors_name_the_capability_and_what_to_do() {
        let error = classified(&name("tun9"), Errno::PERM.into());
        assert_eq!(error.code(), "tun-capability-missing");
        assert!(error.to_string().contains("CAP_NET_ADMIN") && error.help().contains("CAP_NET_ADMIN"));
        assert_eq!(classified(&name("tun9"), Errno::BUSY.into()).code(), "tun-name-taken");
        assert_eq!(classified(&name("lo"), Errno::INVAL.into()).code(), "tun-name-taken");
        assert_eq!(classified(&name("no-such-device"), Errno::INVAL.into()).code(), "tun-failed");
        assert_eq!(classified(&name("tun9"), Errno::NOMEM.into()).code(), "tun-failed");
    }

    #[test]
    fn what_the_kernel_does_not_know_is_done_without() {
        let all = Wish { has_offload: true, has_many_queues: true };
        let outcome = |lacks: fn(Wish) -> bool, wish, errno: Errno, is_name_taken| {
            let attempt = |wish| if lacks(wish) { Err(errno.into()) } else { Ok(()) };
            first_possible(wish, is_name_taken, attempt)
                .map(|(_, wish)| (wish.has_offload, wish.has_many_queues))
                .ok()
        };
        assert_eq!(outcome(|_| false, all, Errno::INVAL, false), Some((true, true)));
        assert_eq!(outcome(|wish| wish.has_many_queues, all, Errno::INVAL, false), Some((true, false)));
        assert_eq!(outcome(|wish| wish.has_offload, all, Errno::NOTTY, false), Some((false, true)));
        let has_any = |wish: Wish| wish.has_offload || wish.has_many_queues;
        assert_eq!(outcome(has_any, all, Errno::INVAL, false), Some((false, false)));
        assert_eq!(outcome(|_| true, all, Errno::INVAL, false), None);
        assert_eq!(outcome(has_any, all, Errno::PERM, false), None, "less does not help");
        assert_eq!(outcome(has_any, all, Errno::INVAL, true), None, "the name is the reason");
    }

    #[test]
    fn nothing_is_tried_twice() {
        let tried = |has_offload, has_many_queues| Wish { has_offload, has_many_queues }.and_less().count();
        assert_eq!(
            [tried(true, true), tried(true, false), tried(false, true), tried(false, false)],
            [4, 2, 2, 1]
        );
    }

    fn name(text: &str) -> DeviceName {
        text.parse().unwrap()
    }
}
