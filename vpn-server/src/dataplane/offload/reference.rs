//! Packets as values, built and cut the simple way: what the fast way is compared with.

use std::net::IpAddr;

use proptest::prelude::*;

use super::header::{FrameHeader, PartialChecksum, Segmentation, SegmentedProtocol};

/// A TCP or UDP packet.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) traffic_class: u8,
    pub(super) hop_limit: u8,
    /// IPv4 only.
    pub(super) identification: u16,
    /// IPv4 only.
    pub(super) dont_fragment: bool,
    /// IPv4 options, a multiple of 4 octets, or as many octets of IPv6 destination options, a multiple of 8.
    pub(super) options: Vec<u8>,
    pub(super) transport: Transport,
    pub(super) payload: Vec<u8>,
}

/// What is in a transport header besides lengths and checksum.
#[derive(Clone, Debug)]
pub(super) enum Transport {
    Tcp {
        ports: [u16; 2],
        sequence: u32,
        acknowledgement: u32,
        flags: u8,
        window: u16,
        urgent: u16,
        options: Vec<u8>,
    },
    Udp {
        ports: [u16; 2],
        has_checksum: bool,
    },
}

/// A sender of packets that can be joined.
pub(super) struct Stream {
    next: Packet,
    size: usize,
    number: u8,
}

impl Packet {
    pub(super) fn one_of_each() -> [Self; 4] {
        [Self::tcp_v4(), Self::tcp_v6(), Self::udp_v4(), Self::udp_v6()]
    }

    pub(super) fn tcp_v4() -> Self {
        Self::new("10.8.0.2", "192.168.0.1", Transport::tcp())
    }

    pub(super) fn tcp_v6() -> Self {
        Self::new("fd00::2", "2001:db8::1", Transport::tcp())
    }

    pub(super) fn udp_v4() -> Self {
        Self::new("10.8.0.2", "192.168.0.1", Transport::udp())
    }

    pub(super) fn udp_v6() -> Self {
        Self::new("fd00::2", "2001:db8::1", Transport::udp())
    }

    fn new(source: &str, destination: &str, transport: Transport) -> Self {
        Self {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            traffic_class: 0,
            hop_limit: 64,
            identification: 7,
            dont_fragment: true,
            options: vec![],
            transport,
            payload: vec![],
        }
    }

    pub(super) fn octets(&self) -> Vec<u8> {
        let mut transport = self.transport.octets(&self.payload);
        let (at, number) = (self.transport.checksum_at(), self.transport.number());
        if !matches!(self.transport, Transport::Udp { has_checksum: false, .. }) {
            let mut checksum = !sum(&transport, self.pseudo_header_sum(transport.len()));
            if checksum == 0 && number == 17 {
                checksum = 0xffff;
            }
            transport[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
        }
        self.ip_header(transport.len()).into_iter().chain(transport).collect()
    }

    /// The packet as a kernel leaves it to its device.
    pub(super) fn octets_with_partial_checksum(&self) -> (Vec<u8>, PartialChecksum) {
        let mut transport = self.transport.octets(&self.payload);
        let (at, sum) = (self.transport.checksum_at(), self.pseudo_header_sum(transport.len()));
        transport[at..at + 2].copy_from_slice(&folded(sum).to_be_bytes());
        let ip = self.ip_header(transport.len());
        let checksum =
            PartialChecksum { start: u16::try_from(ip.len()).unwrap(), offset: u16::try_from(at).unwrap() };
        (ip.into_iter().chain(transport).collect(), checksum)
    }

    /// The packet as a super-packet of segments of `segment` octets.
    pub(super) fn frame(&self, segment: u16) -> (Vec<u8>, FrameHeader) {
        let (octets, checksum) = self.octets_with_partial_checksum();
        let protocol = match (&self.transport, self.source) {
            (Transport::Tcp { .. }, IpAddr::V4(_)) => SegmentedProtocol::TcpV4,
            (Transport::Tcp { .. }, IpAddr::V6(_)) => SegmentedProtocol::TcpV6,
            (Transport::Udp { .. }, _) => SegmentedProtocol::Udp,
        };
        let header_length = u16::try_from(octets.len() - self.payload.len()).unwrap();
        let segmentation = Segmentation { protocol, header_length, segment: segment.try_into().unwrap() };
        (octets, FrameHeader { checksum: Some(checksum), segmentation: Some(segmentation) })
    }

    fn ip_header(&self, transport: usize) -> Vec<u8> {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let header = 20 + self.options.len();
                let mut ip = vec![0x40 | u8::try_from(header / 4).unwrap(), self.traffic_class];
                ip.extend(u16::try_from(header + transport).unwrap().to_be_bytes());
                ip.extend(self.identification.to_be_bytes());
                ip.extend([if self.dont_fragment { 0x40 } else { 0 }, 0]);
                ip.extend([self.hop_limit, self.transport.number(), 0, 0]);
                ip.extend(source.octets().into_iter().chain(destination.octets()));
                ip.extend(&self.options);
                let checksum = !sum(&ip, 0);
                ip[10..12].copy_from_slice(&checksum.to_be_bytes());
                ip
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let mut ip = vec![0x60 | (self.traffic_class >> 4), self.traffic_class << 4, 0x12, 0x34];
                ip.extend(u16::try_from(self.options.len() + transport).unwrap().to_be_bytes());
                let number = self.transport.number();
                ip.extend([if self.options.is_empty() { number } else { 60 }, self.hop_limit]);
                ip.extend(source.octets().into_iter().chain(destination.octets()));
                ip.extend(self.destination_options(number));
                ip
            }
            _ => panic!("addresses of two versions"),
        }
    }

    fn destination_options(&self, next: u8) -> Vec<u8> {
        let mut options = vec![0; self.options.len()];
        if let [kind, length, padding, octets, ..] = &mut options[..] {
            let units = u8::try_from(self.options.len() / 8).unwrap();
            (*kind, *length, *padding, *octets) = (next, units - 1, 1, units * 8 - 4);
        }
        options
    }

    fn pseudo_header_sum(&self, transport: usize) -> u32 {
        let addresses = match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => [source.octets(), destination.octets()].concat(),
            (IpAddr::V6(source), IpAddr::V6(destination)) => [source.octets(), destination.octets()].concat(),
            _ => panic!("addresses of two versions"),
        };
        u32::from(sum(&addresses, 0)) + u32::from(self.transport.number()) + u32::try_from(transport).unwrap()
    }
}

impl Transport {
    fn tcp() -> Self {
        let (ports, sequence, acknowledgement) = ([40_000, 443], 0x0102_0304, 0x0a0b_0c0d);
        Self::Tcp { ports, sequence, acknowledgement, flags: 0x10, window: 500, urgent: 0, options: vec![] }
    }

    const fn udp() -> Self {
        Self::Udp { ports: [50_000, 443], has_checksum: true }
    }

    const fn number(&self) -> u8 {
        match self {
            Self::Tcp { .. } => 6,
            Self::Udp { .. } => 17,
        }
    }

    const fn checksum_at(&self) -> usize {
        match self {
            Self::Tcp { .. } => 16,
            Self::Udp { .. } => 6,
        }
    }

    /// With a checksum of 0.
    fn octets(&self, payload: &[u8]) -> Vec<u8> {
        let mut octets: Vec<u8>;
        match self {
            Self::Tcp { ports, sequence, acknowledgement, flags, window, urgent, options } => {
                octets = ports.iter().flat_map(|port| port.to_be_bytes()).collect();
                octets.extend(sequence.to_be_bytes().into_iter().chain(acknowledgement.to_be_bytes()));
                octets.extend([u8::try_from(5 + options.len() / 4).unwrap() << 4, *flags]);
                octets.extend(window.to_be_bytes());
                octets.extend([0, 0]);
                octets.extend(urgent.to_be_bytes());
                octets.extend(options);
            }
            Self::Udp { ports, .. } => {
                octets = ports.iter().flat_map(|port| port.to_be_bytes()).collect();
                octets.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
                octets.extend([0, 0]);
            }
        }
        octets.extend(payload);
        octets
    }
}

/// The packets that a super-packet stands for.
pub(super) fn cut(packet: &Packet, segment: usize) -> Vec<Vec<u8>> {
    let count = packet.payload.chunks(segment).count();
    let pieces = packet.payload.chunks(segment).enumerate();
    pieces
        .map(|(index, payload)| {
            let mut piece = Packet { payload: payload.to_vec(), ..packet.clone() };
            piece.identification = piece.identification.wrapping_add(u16::try_from(index).unwrap());
            if let Transport::Tcp { sequence, flags, .. } = &mut piece.transport {
                *sequence = sequence.wrapping_add(u32::try_from(index * segment).unwrap());
                if index != 0 {
                    *flags &= 0x7f;
                }
                if index != count - 1 {
                    *flags &= 0xf6;
                }
            }
            piece.octets()
        })
        .collect()
}

impl Stream {
    /// Packets like `first`, with payloads of `size` octets.
    pub(super) const fn new(first: Packet, size: usize) -> Self {
        Self { next: first, size, number: 0 }
    }

    pub(super) fn next(&mut self) -> Packet {
        self.next_of(self.size)
    }

    pub(super) fn next_pushed(&mut self) -> Packet {
        let mut packet = self.next();
        if let Transport::Tcp { flags, .. } = &mut packet.transport {
            *flags |= 0x08;
        }
        packet
    }

    pub(super) fn next_of(&mut self, size: usize) -> Packet {
        let packet = Packet { payload: vec![self.number; size], ..self.next.clone() };
        self.number = self.number.wrapping_add(1);
        self.next.identification = self.next.identification.wrapping_add(1);
        if let Transport::Tcp { sequence, .. } = &mut self.next.transport {
            *sequence = sequence.wrapping_add(u32::try_from(size).unwrap());
        }
        packet
    }

    pub(super) fn take(mut self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.next().octets()).collect()
    }
}

/// Any packet.
pub(super) fn packets() -> impl Strategy<Value = Packet> {
    let payload = prop::collection::vec(any::<u8>(), 0..1500);
    let ip = (any::<bool>(), any::<u8>(), 1..=255_u8, any::<u16>(), any::<bool>(), 0..3_usize);
    (ip, transports(), payload).prop_map(
        |((is_v4, class, hops, identification, dont_fragment, options), transport, payload)| {
            let packet = if is_v4 { Packet::tcp_v4() } else { Packet::tcp_v6() };
            let options = vec![1; options * if is_v4 { 4 } else { 8 }];
            Packet {
                traffic_class: class,
                hop_limit: hops,
                identification,
                dont_fragment,
                options,
                transport,
                payload,
                ..packet
            }
        },
    )
}

fn transports() -> impl Strategy<Value = Transport> {
    let tcp = (any::<[u16; 2]>(), any::<[u32; 2]>(), any::<u8>(), any::<[u16; 2]>(), 0..=10_usize);
    let tcp = tcp.prop_map(|(ports, [sequence, acknowledgement], flags, [window, urgent], options)| {
        let options = vec![1; options * 4];
        Transport::Tcp { ports, sequence, acknowledgement, flags, window, urgent, options }
    });
    // What is cut always has a checksum.
    prop_oneof![tcp, any::<[u16; 2]>().prop_map(|ports| Transport::Udp { ports, has_checksum: true })]
}

/// What happens to the next packet of a stream before it is sent.
#[derive(Clone, Copy, Debug)]
enum Disturbance {
    None,
    Pushed,
    Size(usize),
    Changed(Change),
    Sent(Accident),
}

/// How a packet differs from what its stream would send.
#[derive(Clone, Copy, Debug)]
enum Change {
    Flag(u8),
    HopLimit,
    Identification,
    NoChecksum,
}

/// What happens to a packet on the way.
#[derive(Clone, Copy, Debug)]
enum Accident {
    Damage(usize),
    Fragment,
    Lost,
    Repeated,
}

/// Several streams, interleaved and disturbed.
pub(super) fn traffic() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let disturbance = prop_oneof![
        8 => Just(Disturbance::None),
        1 => Just(Disturbance::Pushed),
        1 => (0..300_usize).prop_map(Disturbance::Size),
        1 => any::<u8>().prop_map(|flag| Disturbance::Changed(Change::Flag(flag))),
        1 => Just(Disturbance::Changed(Change::HopLimit)),
        1 => Just(Disturbance::Changed(Change::Identification)),
        1 => Just(Disturbance::Changed(Change::NoChecksum)),
        1 => (0..100_usize).prop_map(|at| Disturbance::Sent(Accident::Damage(at))),
        1 => Just(Disturbance::Sent(Accident::Fragment)),
        1 => Just(Disturbance::Sent(Accident::Lost)),
        1 => Just(Disturbance::Sent(Accident::Repeated)),
    ];
    let run = (0..10_usize, 1..12_usize, disturbance);
    (any::<bool>(), prop::collection::vec(run, 0..30)).prop_map(|(dont_fragment, runs)| {
        let mut streams: Vec<_> = (0..10).map(|number| numbered_stream(number, dont_fragment)).collect();
        let mut packets = vec![];
        for (stream, count, disturbance) in runs {
            packets.extend((0..count).map(|_| streams[stream].next().octets()));
            packets.extend(disturbed(&mut streams[stream], disturbance));
        }
        packets
    })
}

/// The simple sum of 16-bit words (RFC 1071).
pub(super) fn sum(octets: &[u8], initial: u32) -> u16 {
    let words = octets.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)));
    folded(initial + words.sum::<u32>())
}

/// The packet with the fields set to 0 that no receiver looks at: the identification of an IPv4 packet that must not
/// be fragmented, and with it the header checksum.
pub(super) fn without_meaningless_identification(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    if packet.len() >= 20 && packet[0] >> 4 == 4 && packet[6] & 0x40 != 0 {
        packet[4..6].fill(0);
        packet[10..12].fill(0);
    }
    packet
}

fn folded(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}

fn numbered_stream(number: u16, dont_fragment: bool) -> Stream {
    let [tcp_v4, tcp_v6, udp_v4, udp_v6] = Packet::one_of_each();
    let mut packet = [tcp_v4.clone(), tcp_v4, tcp_v6, udp_v4, udp_v6][usize::from(number % 5)].clone();
    packet.dont_fragment = dont_fragment;
    match &mut packet.transport {
        Transport::Tcp { ports, .. } | Transport::Udp { ports, .. } => ports[0] += number,
    }
    Stream::new(packet, 200 + usize::from(number))
}

fn disturbed(stream: &mut Stream, disturbance: Disturbance) -> Vec<Vec<u8>> {
    let mut packet = match disturbance {
        Disturbance::None => return vec![],
        Disturbance::Pushed => stream.next_pushed(),
        Disturbance::Size(size) => stream.next_of(size),
        Disturbance::Changed(_) | Disturbance::Sent(_) => stream.next(),
    };
    if let Disturbance::Changed(change) = disturbance {
        change.apply(&mut packet);
    }
    match disturbance {
        Disturbance::Sent(accident) => accident.befall(packet.octets()),
        Disturbance::None | Disturbance::Pushed | Disturbance::Size(_) | Disturbance::Changed(_) => {
            vec![packet.octets()]
        }
    }
}

impl Change {
    fn apply(self, packet: &mut Packet) {
        match (self, &mut packet.transport) {
            (Self::Flag(extra), Transport::Tcp { flags, .. }) => *flags |= extra,
            (Self::NoChecksum, Transport::Udp { has_checksum, .. }) => *has_checksum = false,
            (Self::HopLimit, _) => packet.hop_limit -= 1,
            (Self::Identification, _) => packet.identification = packet.identification.wrapping_add(5),
            (Self::Flag(_), Transport::Udp { .. }) | (Self::NoChecksum, Transport::Tcp { .. }) => {}
        }
    }
}

impl Accident {
    fn befall(self, mut packet: Vec<u8>) -> Vec<Vec<u8>> {
        match self {
            Self::Damage(at) => {
                if let Some(octet) = packet[40..].get_mut(at) {
                    *octet ^= 1;
                }
            }
            Self::Fragment if packet[0] >> 4 == 4 => packet[6] |= 0x20,
            Self::Fragment => {}
            Self::Lost => return vec![],
            Self::Repeated => return vec![packet.clone(), packet],
        }
        vec![packet]
    }
}
