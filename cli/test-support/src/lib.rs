//! Hosts in network namespaces, stock OpenVPN peers.
