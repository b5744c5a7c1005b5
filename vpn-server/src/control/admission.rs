//! Whether a client that has proved who it is gets in, and with what.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use base64ct::{Base64, Encoding};
use pki_core::time::Timestamp;
use vpn_proto::{AuthorizationRequest, Denial, Grant, GrantV6, PeerIdentity, PeerInfo, PushOption};

use super::blocks::BlockList;
use super::clients::{ClientDirectory, address_wish, look_up, networks_behind};
use super::connection::{CertificateFacts, Connection, ConnectionId, DeviceFacts, Negotiated};
use super::push::{Audience, options_for};
use super::registry::{Admission, Applicant, ClientKey, Limits, NoPlace, Registry, SessionKey};
use crate::auth::login::{Acceptance, Authenticator, ClientFacts, ClientNumber, Username};
use crate::config::{ClientDirectives, ClientSettings, InsideSettings, LiveSettings, SessionLimits};
use crate::random;

/// Decides about admissions.
pub(super) struct Admissions {
    pub(super) registry: Registry,
    pub(super) live: ArcSwap<LiveSettings>,
    pub(super) inside: InsideSettings,
    /// Where to look single clients up, instead of in the live settings.
    pub(super) directory: Option<Arc<dyn ClientDirectory>>,
    pub(super) limits: SessionLimits,
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) next_number: AtomicU64,
    pub(super) blocks: BlockList,
}

/// A client that has a place.
pub(super) struct Admitted {
    pub(super) connection: Arc<Connection>,
    pub(super) admission: Admission,
}

impl Admitted {
    /// The same with what a program said that was told of the connection.
    pub(super) fn with_more_from(self, introduction: &Acceptance) -> Self {
        let Self { connection, admission } = self;
        let mut connection = Arc::unwrap_or_clone(connection);
        connection.groups.extend_from_slice(&introduction.groups);
        connection.posture_statuses.extend_from_slice(&introduction.posture_statuses);
        Self { connection: Arc::new(connection), admission }
    }
}

impl Admissions {
    /// A number for a client that wants in.
    pub(super) fn count_client(&self) -> ClientNumber {
        ClientNumber(self.next_number.fetch_add(1, Ordering::Relaxed))
    }

    /// Finds a place for the client, at the cost of its oldest session where it has too many.
    pub(super) fn admit(
        &self,
        key: SessionKey,
        request: &AuthorizationRequest,
        facts: &ClientFacts,
        username: Option<&Username>,
        login: &Acceptance,
        now: Timestamp,
    ) -> Result<Admitted, Denial> {
        let live = self.live.load();
        self.refuse_blocked(&request.identity, username, now)?;
        let client = self.client_key(&request.identity, username);
        let settings = self.settings_of(&live, &client.common_name)?;
        let id = random::bytes().map_err(|error| internal(&format!("no random numbers: {error}")))?;
        let limits = Limits {
            sessions: live.max_sessions,
            per_client: self.limits.per_client,
            when_exceeded: self.limits.when_exceeded,
        };
        let applicant = self.applicant(facts.number, client, &settings);
        let admission = self.registry.admit(key, applicant, limits).map_err(no_place)?;
        let connection = Arc::new(Connection {
            id: ConnectionId::from_random(id),
            number: facts.number,
            started: now,
            remote: request.path.remote,
            address: admission.lease.v4,
            address_v6: admission.lease.v6,
            client: certificate_facts(&request.identity),
            identity: facts.common_name.clone(),
            groups: facts.certificate_groups.iter().chain(&login.groups).cloned().collect(),
            posture_statuses: login.posture_statuses.clone(),
            transport: request.path.transport,
            username: username.map(ToString::to_string),
            device: device_facts(&request.peer_info),
            negotiated: Negotiated {
                tls_version: request.tls.version,
                tls_cipher_suite: request.tls.cipher_suite,
                data_cipher: request.cipher.name(),
            },
        });
        Ok(Admitted { connection, admission })
    }

    fn refuse_blocked(
        &self,
        identity: &PeerIdentity,
        username: Option<&Username>,
        now: Timestamp,
    ) -> Result<(), Denial> {
        let username = username.map(ToString::to_string);
        let refusal = self.blocks.refusal(&certificate_facts(identity), username.as_deref(), now);
        refusal.map_or(Ok(()), Err)
    }

    /// What a client with a place is told, as things stand now.
    pub(super) fn options(
        &self,
        facts: &ClientFacts,
        directives: &ClientDirectives,
        has_ipv6: bool,
    ) -> Result<Vec<PushOption>, Denial> {
        let live = self.live.load();
        let settings = self.settings_of(&live, &facts.common_name)?;
        let audience =
            Audience { inside: &self.inside, settings: &settings, peer_info: &facts.peer_info, has_ipv6 };
        Ok(directives.apply(options_for(&live, &audience)))
    }

    pub(super) fn grant(&self, admission: &Admission, options: Vec<PushOption>) -> Grant {
        let (cidrs, lease) = (self.inside.client_cidrs, admission.lease);
        let ipv6 = lease.v6.zip(cidrs.v6).map(|(address, cidr)| GrantV6 {
            address,
            prefix_length: cidr.net().prefix_len(),
            gateway: cidr.server_address(),
        });
        Grant {
            peer_id: admission.slot.peer_id(),
            address: lease.v4,
            netmask: cidrs.v4.netmask(),
            gateway: cidrs.v4.server_address(),
            ipv6,
            reauthenticate: self.authenticator.asks(),
            token_username: token_username(&options),
            options,
        }
    }

    /// By what sessions of the same client are known. Without a certificate, and where user names count instead, that is
    /// the user name.
    fn client_key(&self, identity: &PeerIdentity, username: Option<&Username>) -> ClientKey {
        match (username, identity.path.first()) {
            (Some(username), _) if self.limits.username_as_common_name => {
                ClientKey { issuer_key: [0; 32], common_name: username.to_string() }
            }
            (_, Some(leaf)) => {
                ClientKey { issuer_key: leaf.issuer_key, common_name: identity.common_name.clone() }
            }
            (_, None) => ClientKey { issuer_key: [0; 32], common_name: identity.common_name.clone() },
        }
    }

    fn settings_of(&self, live: &LiveSettings, common_name: &str) -> Result<ClientSettings, Denial> {
        let directory: &dyn ClientDirectory = match &self.directory {
            Some(directory) => &**directory,
            None => &live.clients,
        };
        look_up(directory, live, common_name)
    }

    fn applicant(&self, number: ClientNumber, client: ClientKey, settings: &ClientSettings) -> Applicant {
        let networks = networks_behind(settings, &self.inside, &client.common_name);
        Applicant { number, client, wish: address_wish(settings), networks }
    }
}

/// The user name that the client is pushed to show with its token.
fn token_username(options: &[PushOption]) -> Option<String> {
    let name = options.iter().rev().find_map(|option| option.as_str().strip_prefix("auth-token-user "))?;
    String::from_utf8(Base64::decode_vec(name.trim()).ok()?).ok()
}

/// The leaf as logs name it; without a certificate only the name that was claimed.
pub(super) fn certificate_facts(identity: &PeerIdentity) -> CertificateFacts {
    let leaf = identity.path.first();
    CertificateFacts {
        common_name: identity.common_name.clone(),
        serial: leaf.map_or_else(String::new, |leaf| hexadecimal_upper(&leaf.serial)),
        issuer_key: leaf.map_or_else(String::new, |leaf| hexadecimal(&leaf.issuer_key)),
        fingerprint: leaf.map_or_else(String::new, |_| hexadecimal(&identity.fingerprint)),
    }
}

pub(super) fn device_facts(peer_info: &PeerInfo) -> DeviceFacts {
    DeviceFacts {
        platform: peer_info.platform().map(ToOwned::to_owned),
        version: peer_info.version().map(ToOwned::to_owned),
        peer_info: peer_info.clone(),
    }
}

fn no_place(reason: NoPlace) -> Denial {
    let (code, public) = match reason {
        NoPlace::TooManyOfClient(_) => ("already-connected", "this client is connected already"),
        NoPlace::TooManySessions(_) => ("too-many-sessions", NO_ROOM),
        NoPlace::NoAddress(reason) => (reason.code(), NO_ROOM),
        NoPlace::NoPeerId => ("peer-ids-exhausted", NO_ROOM),
    };
    Denial { code, public: public.to_owned(), detail: reason.to_string() }
}

const NO_ROOM: &str = "the server has no room for another client";

pub(super) fn internal(detail: &str) -> Denial {
    Denial { code: "internal-error", public: "internal error".to_owned(), detail: detail.to_owned() }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect()
}

/// As file names and `index.txt` of a PKI have serial numbers.
fn hexadecimal_upper(bytes: &[u8]) -> String {
    match bytes {
        [] => "00".to_owned(),
        _ => hexadecimal(bytes).to_ascii_uppercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_goes_with_a_token_is_the_last_that_is_pushed() {
        let named = |options: &[&str]| {
            let options: Vec<PushOption> =
                options.iter().map(|text| PushOption::parse(text).unwrap()).collect();
            token_username(&options)
        };
        assert_eq!(named(&["auth-token x", "auth-token-user YWxpY2U="]).as_deref(), Some("alice"));
        assert_eq!(named(&["auth-token-user YWxpY2U=", "auth-token-user Ym9i"]).as_deref(), Some("bob"));
        assert_eq!(named(&["auth-token x"]), None);
        assert_eq!(named(&["auth-token-user no/base64!"]), None);
    }
}
