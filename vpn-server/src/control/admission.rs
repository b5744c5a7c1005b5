//! Whether a client whose certificate was accepted gets in, and with what.

use std::sync::Arc;

use arc_swap::ArcSwap;
use pki_core::time::Timestamp;
use vpn_proto::{AuthorizationRequest, Denial, Grant, GrantV6, PeerIdentity, PeerInfo};

use super::clients::{ClientDirectory, address_wish, look_up, networks_behind};
use super::connection::{CertificateFacts, Connection, ConnectionId, DeviceFacts, Negotiated};
use super::push::{Audience, options_for};
use super::registry::{Admission, Applicant, ClientKey, Limits, NoPlace, Registry, SessionKey};
use crate::config::{ClientSettings, InsideSettings, LiveSettings};
use crate::random;

/// Decides about admissions.
pub(super) struct Admissions {
    pub(super) registry: Registry,
    pub(super) live: ArcSwap<LiveSettings>,
    pub(super) inside: InsideSettings,
    /// Where to look single clients up, instead of in the live settings.
    pub(super) directory: Option<Arc<dyn ClientDirectory>>,
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
        let settings = self.settings_of(&live, &client.common_name)?;
        let id = random::bytes().map_err(|error| internal(&format!("no random numbers: {error}")))?;
        let limits = Limits { sessions: live.max_sessions, per_client: self.sessions_per_client };
        let applicant = self.applicant(client, &settings);
        let admission = self.registry.admit(key, applicant, limits).map_err(no_place)?;
        let grant = self.grant(&live, &settings, request, &admission);
        let connection = Arc::new(Connection {
            id: ConnectionId::from_random(id),
            started: now,
            remote: request.path.remote,
            address: admission.lease.v4,
            address_v6: admission.lease.v6,
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

    fn settings_of(&self, live: &LiveSettings, common_name: &str) -> Result<ClientSettings, Denial> {
        let directory: &dyn ClientDirectory = match &self.directory {
            Some(directory) => &**directory,
            None => &live.clients,
        };
        look_up(directory, live, common_name)
    }

    fn applicant(&self, client: ClientKey, settings: &ClientSettings) -> Applicant {
        let networks = networks_behind(settings, &self.inside, &client.common_name);
        Applicant { client, wish: address_wish(settings), networks }
    }

    fn grant(
        &self,
        live: &LiveSettings,
        settings: &ClientSettings,
        request: &AuthorizationRequest,
        admission: &Admission,
    ) -> Grant {
        let (cidrs, lease) = (self.inside.client_cidrs, admission.lease);
        let ipv6 = lease.v6.zip(cidrs.v6).map(|(address, cidr)| GrantV6 {
            address,
            prefix_length: cidr.net().prefix_len(),
            gateway: cidr.server_address(),
        });
        let audience = Audience {
            inside: &self.inside,
            settings,
            peer_info: &request.peer_info,
            has_ipv6: ipv6.is_some(),
        };
        Grant {
            peer_id: admission.slot.peer_id(),
            address: lease.v4,
            netmask: cidrs.v4.netmask(),
            gateway: cidrs.v4.server_address(),
            ipv6,
            reauthenticate: false,
            options: options_for(live, &audience),
        }
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
        NoPlace::NoAddress(reason) => reason.code(),
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
