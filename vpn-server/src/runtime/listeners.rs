//! Everything clients connect to, bound before anything else is changed on the host.

use std::net::SocketAddr;
use std::num::NonZero;

use vpn_proto::ListenerId;

use crate::config::{Config, ListenAddress};
use crate::transport::bind::BindError;
use crate::transport::kernel::Waived;
use crate::transport::tcp::TcpListener;
use crate::transport::udp::UdpListener;
use vpn_proto::Transport;

/// The listeners of a configuration, numbered in its order.
pub(super) struct Listeners {
    /// Each with a socket for every worker.
    pub(super) udp: Vec<(ListenerId, Vec<UdpListener>)>,
    /// The same.
    pub(super) tcp: Vec<(ListenerId, Vec<TcpListener>)>,
    /// What all of them are bound to.
    pub(super) addresses: Vec<ListenAddress>,
}

impl Listeners {
    pub(super) fn bind(config: &Config, workers: NonZero<usize>) -> Result<Self, BindError> {
        let mut listeners = Self { udp: Vec::new(), tcp: Vec::new(), addresses: Vec::new() };
        for (listen, id) in config.listen.iter().zip((0..).map(ListenerId)) {
            let address = match listen.transport {
                Transport::Udp => {
                    let group = bind_group(listen.address, workers, &config.waived)?;
                    let address = group.first().map_or(listen.address, UdpListener::address);
                    listeners.udp.push((id, group));
                    address
                }
                Transport::Tcp => {
                    let group = TcpListener::bind_group(listen.address, workers)?;
                    let address = group.first().map_or(listen.address, TcpListener::address);
                    listeners.tcp.push((id, group));
                    address
                }
            };
            listeners.addresses.push(ListenAddress { transport: listen.transport, address });
        }
        Ok(listeners)
    }
}

fn bind_group(
    address: SocketAddr,
    workers: NonZero<usize>,
    waived: &Waived,
) -> Result<Vec<UdpListener>, BindError> {
    let failed = |source| BindError::System { transport: Transport::Udp, address, source };
    let group = UdpListener::bind_group(address, workers)?;
    group.into_iter().map(|listener| listener.without(waived).map_err(failed)).collect()
}
