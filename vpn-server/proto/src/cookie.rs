//! The stateless answer to a hard reset (NET-01).
//!
//! The server's session id in the answer is a MAC over the client's session id, its address and the time. State is
//! created only for packets that return it, so an address that cannot receive costs nothing.

use std::net::{IpAddr, SocketAddr};

use subtle::ConstantTimeEq;

use crate::crypto::MacKey;
use crate::entropy::{Entropy, draw};
use crate::ids::SessionId;
use crate::moment::Moment;
use crate::path::Path;
use crate::wire::tls_auth::AuthDigest;

/// Length of a time slot. A cookie is valid in the slot it was made in and the two after it: 60 to 90 s.
const SLOT_MICROS: u64 = 30_000_000;
const VALID_SLOTS: u64 = 3;

/// Makes and checks the session ids of stateless answers.
pub(crate) struct CookieJar {
    key: MacKey,
}

impl CookieJar {
    pub(crate) fn new(entropy: &mut dyn Entropy) -> Self {
        Self { key: MacKey::new(AuthDigest::Sha256, &draw::<32>(entropy)) }
    }

    /// The session id to offer to `client_id` on `path`.
    pub(crate) fn bake(&self, now: Moment, path: &Path, client_id: SessionId) -> SessionId {
        self.cookie(slot(now), path, client_id)
    }

    /// Whether `offered` is a session id that was offered to `client_id` on `path` lately.
    pub(crate) fn is_valid(
        &self,
        now: Moment,
        path: &Path,
        client_id: SessionId,
        offered: SessionId,
    ) -> bool {
        let current = slot(now);
        let oldest = current.saturating_sub(VALID_SLOTS - 1);
        (oldest..=current)
            .map(|slot| self.cookie(slot, path, client_id))
            .fold(subtle::Choice::from(0), |found, cookie| {
                found | cookie.as_bytes().ct_eq(offered.as_bytes())
            })
            .into()
    }

    fn cookie(&self, slot: u64, path: &Path, client_id: SessionId) -> SessionId {
        let tag = self.key.sign(&[
            &slot.to_be_bytes(),
            &path.listener.0.to_be_bytes(),
            &address_octets(path.remote),
            client_id.as_bytes(),
        ]);
        let mut octets = [0; SessionId::LENGTH];
        octets.copy_from_slice(&tag.as_ref()[..SessionId::LENGTH]);
        let nonzero_substitute = || SessionId::new([1; SessionId::LENGTH]);
        SessionId::new(octets).or_else(nonzero_substitute).unwrap_or(client_id)
    }
}

fn slot(now: Moment) -> u64 {
    now.as_micros() / SLOT_MICROS
}

fn address_octets(address: SocketAddr) -> [u8; 18] {
    let ip = match address.ip() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    let mut octets = [0; 18];
    octets[..16].copy_from_slice(&ip.octets());
    octets[16..].copy_from_slice(&address.port().to_be_bytes());
    octets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ListenerId;
    use crate::path::Transport;

    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    fn path(port: u16) -> Path {
        Path {
            listener: ListenerId(0),
            transport: Transport::Udp,
            remote: SocketAddr::from(([192, 0, 2, 2], port)),
            local: None,
        }
    }

    fn id(octet: u8) -> SessionId {
        SessionId::new([octet; 8]).unwrap()
    }

    fn at(second: u64) -> Moment {
        Moment::from_micros(second * 1_000_000)
    }

    #[test]
    fn net_01_a_cookie_is_good_for_its_address_and_client_id_only() {
        let jar = CookieJar::new(&mut Fixed(1));
        let cookie = jar.bake(at(100), &path(5000), id(7));
        assert!(jar.is_valid(at(100), &path(5000), id(7), cookie));
        assert!(!jar.is_valid(at(100), &path(5001), id(7), cookie));
        assert!(!jar.is_valid(at(100), &path(5000), id(8), cookie));
        let elsewhere = Path { listener: ListenerId(1), ..path(5000) };
        assert!(!jar.is_valid(at(100), &elsewhere, id(7), cookie));
        assert!(!jar.is_valid(at(100), &path(5000), id(7), id(9)));
    }

    #[test]
    fn net_01_a_cookie_is_good_for_this_slot_and_two_more_and_never_from_the_future() {
        let jar = CookieJar::new(&mut Fixed(1));
        let cookie = jar.bake(at(90), &path(5000), id(7));
        assert!(jar.is_valid(at(179), &path(5000), id(7), cookie));
        assert!(!jar.is_valid(at(180), &path(5000), id(7), cookie));
        assert!(!jar.is_valid(at(89), &path(5000), id(7), cookie));
    }

    #[test]
    fn net_01_another_process_does_not_take_the_cookie() {
        let cookie = CookieJar::new(&mut Fixed(1)).bake(at(0), &path(5000), id(7));
        assert!(!CookieJar::new(&mut Fixed(2)).is_valid(at(0), &path(5000), id(7), cookie));
    }
}
