//! Tokens that stand for a password once it was checked: a client shows its token at renegotiations and when it comes
//! back, and the person is not asked again (protocol reference section 8.5).
//!
//! ```text
//!   SESS_ID_AT_ base64( session id (12) | first login i64 | this token i64 | HMAC-SHA256 (32) )
//!   HMAC over user name | session id | first login | this token
//! ```
//!
//! The form is that of stock servers, so servers that share a key take each other's tokens. A token is good for two
//! renewal periods after it was made, and for the whole lifetime after the first login. It is bound to the user name.

use std::time::Duration;

use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use pki_core::bundle::static_key::{SERVER_KEY, StaticKeyError, parse_auth_token_key};
use pki_core::time::Timestamp;
use sha2::Sha256;
use vpn_proto::{Password, PushOption};
use zeroize::Zeroizing;

use super::shown::TOKEN_PREFIX;
use super::{TokenStanding, Username};

/// How long tokens are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenSettings {
    /// After the first login; `None` is for as long as they are renewed.
    pub lifetime: Option<Duration>,
    /// How often they are renewed: a token is good for twice that.
    pub renewal: Duration,
    /// Whether the deciders are asked about good tokens, too.
    pub asks_deciders: bool,
}

/// The key that tokens are made with.
pub struct TokenKey(Zeroizing<[u8; 32]>);

/// Why a file is no key for tokens.
pub type TokenKeyError = StaticKeyError;

/// Makes tokens and knows its own again.
pub struct TokenMint {
    key: TokenKey,
    settings: TokenSettings,
}

/// What a token is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenCheck {
    /// It is good; a fresh one can take its place.
    Good(Session),
    /// It was good once.
    Expired(Session),
    /// It was never given to this user.
    Forged,
}

/// What all tokens of one login have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    id: [u8; ID],
    since: i64,
}

const ID: usize = 12;
const STAMP: usize = 8;
const MAC: usize = 32;

impl TokenKey {
    /// A key of these octets.
    #[must_use]
    pub const fn new(octets: Zeroizing<[u8; 32]>) -> Self {
        Self(octets)
    }

    /// Reads a file as `openvpn --genkey auth-token` writes it.
    ///
    /// # Errors
    ///
    /// [`TokenKeyError`] when the file holds no such key.
    pub fn parse(file: &str) -> Result<Self, TokenKeyError> {
        let whole: Zeroizing<[u8; SERVER_KEY]> = parse_auth_token_key(file)?;
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(&whole[64..96]);
        Ok(Self(key))
    }
}

/// To whom a token was given. Nobody else can use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenOwner<'a> {
    /// A user who logged in.
    User(&'a Username),
    /// The holder of a certificate with this common name, who got in without a user name.
    Certificate(&'a str),
}

impl<'a> From<&'a Username> for TokenOwner<'a> {
    fn from(username: &'a Username) -> Self {
        Self::User(username)
    }
}

impl TokenMint {
    /// A mint with this key.
    #[must_use]
    pub const fn new(key: TokenKey, settings: TokenSettings) -> Self {
        Self { key, settings }
    }

    pub(super) const fn settings(&self) -> &TokenSettings {
        &self.settings
    }

    /// The first token of a login: `id` is random.
    pub(super) fn begin(&self, id: [u8; ID], now: Timestamp) -> Session {
        Session { id, since: now.unix_seconds() }
    }

    /// What a token that `owner` showed is worth.
    pub(super) fn check<'a>(
        &self,
        owner: impl Into<TokenOwner<'a>>,
        token: &Password,
        now: Timestamp,
    ) -> TokenCheck {
        let Some((session, stamp)) = self.authentic(owner.into(), token) else {
            return TokenCheck::Forged;
        };
        let now = now.unix_seconds();
        let outlives = |since: i64, age: Duration| {
            let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
            now >= since.saturating_add(age)
        };
        let is_stale = outlives(stamp, self.settings.renewal.saturating_mul(2));
        let is_over = self.settings.lifetime.is_some_and(|lifetime| outlives(session.since, lifetime));
        if is_stale || is_over { TokenCheck::Expired(session) } else { TokenCheck::Good(session) }
    }

    /// What is pushed to the client, so that it shows a token from now on. A client without a user name of its own
    /// learns one.
    pub(super) fn push<'a>(
        &self,
        owner: impl Into<TokenOwner<'a>>,
        session: &Session,
        now: Timestamp,
    ) -> Vec<PushOption> {
        let owner = owner.into();
        let token = format!("auth-token {}", self.mint(owner, session, now));
        let name = match owner {
            TokenOwner::User(_) => None,
            TokenOwner::Certificate(name) => {
                Some(format!("auth-token-user {}", Base64::encode_string(name.as_bytes())))
            }
        };
        [Some(token), name].iter().flatten().filter_map(|text| PushOption::parse(text).ok()).collect()
    }

    fn mint(&self, owner: TokenOwner<'_>, session: &Session, now: Timestamp) -> String {
        let stamp = now.unix_seconds();
        let mut octets = Vec::with_capacity(ID + 2 * STAMP + MAC);
        octets.extend_from_slice(&session.id);
        octets.extend_from_slice(&session.since.to_be_bytes());
        octets.extend_from_slice(&stamp.to_be_bytes());
        if let Some(mac) = self.mac(owner, &octets) {
            octets.extend_from_slice(&mac.finalize().into_bytes());
        }
        format!("{TOKEN_PREFIX}{}", Base64::encode_string(&octets))
    }

    fn authentic(&self, owner: TokenOwner<'_>, token: &Password) -> Option<(Session, i64)> {
        let base64 = token.as_str().strip_prefix(TOKEN_PREFIX)?;
        let octets = Base64::decode_vec(base64).ok()?;
        let (signed, mac) = octets.split_at_checked(ID + 2 * STAMP)?;
        self.mac(owner, signed)?.verify_slice(mac).ok()?;
        let (id, stamps) = signed.split_first_chunk::<ID>()?;
        let (since, stamp) = stamps.split_first_chunk::<STAMP>()?;
        let stamp = i64::from_be_bytes(stamp.try_into().ok()?);
        Some((Session { id: *id, since: i64::from_be_bytes(*since) }, stamp))
    }

    /// `None` cannot happen with a key of 32 octets, and makes a token that nobody takes.
    ///
    /// A user name has no NUL: no user can be called so that a certificate's token becomes theirs.
    fn mac(&self, owner: TokenOwner<'_>, signed: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key.0[..]).ok()?;
        match owner {
            TokenOwner::User(username) => mac.update(username.as_str().as_bytes()),
            TokenOwner::Certificate(name) => {
                mac.update(b"\0");
                mac.update(name.as_bytes());
            }
        }
        mac.update(signed);
        Some(mac)
    }
}

impl Session {
    /// As scripts are told.
    pub(super) fn standing(&self, state: &'static str) -> TokenStanding {
        TokenStanding { session_id: Base64::encode_string(&self.id), state }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn mint(lifetime: Option<Duration>) -> TokenMint {
        let settings = TokenSettings { lifetime, renewal: HOUR, asks_deciders: false };
        TokenMint::new(TokenKey::new(Zeroizing::new([7; 32])), settings)
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_seconds(1_800_000_000 + i64::try_from(seconds).unwrap())
    }

    fn user(name: &str) -> Username {
        Username::parse(name).unwrap()
    }

    fn token(mint: &TokenMint, name: &str, session: &Session, now: Timestamp) -> Password {
        let pushed = mint.push(&user(name), session, now);
        let text = pushed[0].as_str().strip_prefix("auth-token ").unwrap();
        Password::new(text.to_owned())
    }

    #[test]
    fn a_token_is_good_for_two_renewals_and_not_a_second_longer() {
        let mint = mint(None);
        let session = mint.begin([1; ID], at(0));
        let token = token(&mint, "alice", &session, at(0));
        let check = |seconds| mint.check(&user("alice"), &token, at(seconds));
        assert_eq!(check(0), TokenCheck::Good(session.clone()));
        assert_eq!(check(7199), TokenCheck::Good(session.clone()));
        assert_eq!(check(7200), TokenCheck::Expired(session.clone()));
    }

    #[test]
    fn renewals_go_on_until_the_lifetime_after_the_first_login_ends() {
        let mint = mint(Some(4 * HOUR));
        let session = mint.begin([1; ID], at(0));
        let renewed = token(&mint, "alice", &session, at(3 * 3600));
        let check = |seconds| mint.check(&user("alice"), &renewed, at(seconds));
        assert_eq!(check(4 * 3600 - 1), TokenCheck::Good(session.clone()));
        assert_eq!(check(4 * 3600), TokenCheck::Expired(session));
    }

    #[test]
    fn a_token_without_a_user_belongs_to_one_certificate_and_to_no_user_of_that_name() {
        let mint = mint(None);
        let session = mint.begin([1; ID], at(0));
        let pushed = mint.push(TokenOwner::Certificate("alice"), &session, at(0));
        assert_eq!(pushed[1].as_str(), "auth-token-user YWxpY2U=");
        let token = Password::new(pushed[0].as_str().strip_prefix("auth-token ").unwrap().to_owned());
        let check = |owner: TokenOwner<'_>| mint.check(owner, &token, at(1));
        assert_eq!(check(TokenOwner::Certificate("alice")), TokenCheck::Good(session));
        assert_eq!(check(TokenOwner::Certificate("bob")), TokenCheck::Forged);
        assert_eq!(check(TokenOwner::User(&user("alice"))), TokenCheck::Forged);
    }

    #[test]
    fn a_token_of_another_user_or_key_is_forged() {
        let mint = mint(None);
        let session = mint.begin([1; ID], at(0));
        let of_alice = token(&mint, "alice", &session, at(0));
        assert_eq!(mint.check(&user("bob"), &of_alice, at(1)), TokenCheck::Forged);
        let settings = TokenSettings { lifetime: None, renewal: HOUR, asks_deciders: false };
        let other = TokenMint::new(TokenKey::new(Zeroizing::new([8; 32])), settings);
        assert_eq!(other.check(&user("alice"), &of_alice, at(1)), TokenCheck::Forged);
    }

    #[test]
    fn no_changed_or_shortened_token_is_taken() {
        let mint = mint(None);
        let session = mint.begin([1; ID], at(0));
        let whole = token(&mint, "alice", &session, at(0));
        let octets = Base64::decode_vec(&whole.as_str()[TOKEN_PREFIX.len()..]).unwrap();
        let forged = |octets: &[u8]| {
            let text = format!("{TOKEN_PREFIX}{}", Base64::encode_string(octets));
            mint.check(&user("alice"), &Password::new(text), at(1)) == TokenCheck::Forged
        };
        assert!(!forged(&octets));
        for index in 0..octets.len() {
            let mut changed = octets.clone();
            changed[index] ^= 1;
            assert!(forged(&changed), "octet {index}");
            assert!(forged(&octets[..index]), "length {index}");
        }
        assert!(forged(&[&octets[..], &[0]].concat()));
        let garbage = Password::new(format!("{TOKEN_PREFIX}***"));
        assert_eq!(mint.check(&user("alice"), &garbage, at(1)), TokenCheck::Forged);
    }

    /// Made with Python's hmac module from the layout in the protocol reference, section 8.5.
    #[test]
    fn tokens_have_the_form_of_stock_servers() {
        let mint = mint(None);
        let session = mint.begin(*b"abcdefghijkl", at(0));
        assert_eq!(token(&mint, "alice", &session, at(60)).as_str(), REFERENCE_TOKEN);
    }

    #[test]
    fn a_key_is_read_from_a_file_of_stock_tools() {
        let body = Base64::encode_string(&(0..128).collect::<Vec<u8>>());
        let label = "OpenVPN auth-token server key";
        let file = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
        let expected: Vec<u8> = (64..96).collect();
        assert_eq!(TokenKey::parse(&file).unwrap().0[..], expected);
        assert!(TokenKey::parse(&file.replace("auth-token", "tls-crypt-v2")).is_err());
    }

    const REFERENCE_TOKEN: &str =
        "SESS_ID_AT_YWJjZGVmZ2hpamtsAAAAAGtJ0gAAAAAAa0nSPI1XrrUhQSPaFg8ocYSRxLF1oQ5Wwr7oMh0Hb7BmfaZQ";
}
