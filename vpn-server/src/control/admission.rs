//! Whether a client whose certificate was accepted gets in, and with what.

use std::sync::Arc;

use arc_swap::ArcSwap;
use pki_core::time::Timestamp;
use vpn_proto::{AuthorizationRequest, Denial, Grant, PeerIdentity, PeerInfo};

use super::connection::{CertificateFacts, Connection, ConnectionId, DeviceFacts, Negotiated};
use super::push::options_for;
use super::registry::{Admission, ClientKey, Limits, NoPlace, Registry, SessionKey};
use crate::config::{ClientCidr, LiveSettings};
use crate::random;

/// Decides about admissions.
pub(super) struct Admissions {
    pub(super) registry: Registry,
    pub(super) live: ArcSwap<LiveSettings>,
    pub(super) client_cidr: ClientCidr,
    pub(super) sessions_per_client: u32,
}

/// A client that was let in.
pub(super) struct Admitted {
    pub(super) connection: Arc<Connection>,
    pub(super) admission: Admission,
    pub(super) grant: Grant,
}

impl Admissions {
    /// Finds a place for the client, at the cost of its oldest session where it has too many.
    pub(super) fn admit(
        &self,
        key: SessionKey,
        request: &AuthorizationRequest,
        now: Timestamp,
    ) -> Result<Admitted, Denial> {
        let live = self.live.load();
        let client = client_key(&request.identity)
            .ok_or_else(|| internal("the verified path of the certificate is empty"))?;
        let id = random::bytes().map_err(|error| internal(&format!("no random numbers: {error}")))?;
        let limits = Limits { sessions: live.max_sessions, per_client: self.sessions_per_client };
        let admission = self.registry.admit(key, client, limits).map_err(no_place)?;
        let grant = Grant {
            peer_id: admission.slot.peer_id(),
            address: admission.address,
            netmask: self.client_cidr.netmask(),
            gateway: self.client_cidr.server_address(),
            options: options_for(&live, &request.peer_info),
        };
        let connection = Arc::new(Connection {
            id: ConnectionId::from_random(id),
            started: now,
            remote: request.path.remote,
            address: admission.address,
            client: certificate_facts(&request.identity),
            username: request.username.clone(),
            device: device_facts(&request.peer_info),
            negotiated: Negotiated {
                tls_version: request.tls.version,
                tls_cipher_suite: request.tls.cipher_suite,
                data_cipher: request.cipher.name(),
            },
        });
        Ok(Admitted { connection, admission, grant })
    }
}

/// The leaf as logs name it.
pub(super) fn certificate_facts(identity: &PeerIdentity) -> CertificateFacts {
    let leaf = identity.path.first();
    CertificateFacts {
        common_name: identity.common_name.clone(),
        serial: leaf.map_or_else(String::new, |leaf| hexadecimal_upper(&leaf.serial)),
        issuer_key: leaf.map_or_else(String::new, |leaf| hexadecimal(&leaf.issuer_key)),
        fingerprint: hexadecimal(&identity.fingerprint),
    }
}

pub(super) fn device_facts(peer_info: &PeerInfo) -> DeviceFacts {
    DeviceFacts {
        platform: peer_info.platform().map(ToOwned::to_owned),
        version: peer_info.version().map(ToOwned::to_owned),
    }
}

fn client_key(identity: &PeerIdentity) -> Option<ClientKey> {
    let issuer_key = identity.path.first()?.issuer_key;
    Some(ClientKey { issuer_key, common_name: identity.common_name.clone() })
}

fn no_place(reason: NoPlace) -> Denial {
    let code = match reason {
        NoPlace::TooManySessions(_) => "too-many-sessions",
        NoPlace::NoAddress(_) => "address-pool-exhausted",
        NoPlace::NoPeerId => "peer-ids-exhausted",
    };
    Denial {
        code,
        public: "the server has no room for another client".to_owned(),
        detail: reason.to_string(),
    }
}

pub(super) fn internal(detail: &str) -> Denial {
    Denial { code: "internal-error", public: "internal error".to_owned(), detail: detail.to_owned() }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As file names and `index.txt` of a PKI have serial numbers.
fn hexadecimal_upper(bytes: &[u8]) -> String {
    match bytes {
        [] => "00".to_owned(),
        _ => bytes.iter().map(|byte| format!("{byte:02X}")).collect(),
    }
}
