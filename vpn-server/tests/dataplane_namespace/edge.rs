//! What a plane stands on: sockets and a device.

use std::num::NonZero;

use vpn_proto::ListenerId;
use vpn_server::dataplane::Edge;
use vpn_server::transport::Offload;
use vpn_server::transport::tcp::StrangerLimits;
use vpn_server::transport::tun::{TunDevice, TunError, TunSettings};
use vpn_server::transport::udp::UdpListener;

pub(crate) fn edge(sockets: Vec<(ListenerId, Vec<UdpListener>)>) -> Edge {
    edge_with(sockets, tun("tun-test").unwrap())
}

pub(crate) fn edge_with(sockets: Vec<(ListenerId, Vec<UdpListener>)>, tun: TunDevice) -> Edge {
    Edge { sockets, tcp: vec![], strangers: StrangerLimits::default(), tun }
}

pub(crate) fn listeners_for(workers: usize) -> Vec<UdpListener> {
    UdpListener::bind_group("0.0.0.0:0".parse().unwrap(), NonZero::new(workers).unwrap()).unwrap()
}

pub(crate) fn tun(name: &str) -> Result<TunDevice, TunError> {
    tun_with(name, Offload::TcpAndUdp, 1)
}

pub(crate) fn tun_with(name: &str, offload: Offload, queues: usize) -> Result<TunDevice, TunError> {
    let (address, queues) = ("10.8.0.1/24".parse().unwrap(), NonZero::new(queues).unwrap());
    let name = name.parse().unwrap();
    TunDevice::create(&TunSettings { name, address, address_v6: None, mtu: 1500, offload, queues })
}
