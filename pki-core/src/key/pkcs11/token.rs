//! A token: found by what the URI says about it, opened by its PIN.

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::RawAuthPin;

use super::module::{load, reason_of};
use super::object::{self, TokenKey};
use super::signer::TokenSigner;
use super::uri::TokenSelection;
use super::{Access, Pkcs11Uri, TokenError};
use crate::key::{Digest, KeyAlgorithm};
use crate::secret::Passphrase;

/// A token that was found and not yet opened.
pub struct LockedToken {
    module: Pkcs11,
    slot: Slot,
    info: TokenInfo,
    session: Session,
}

/// An open token.
pub struct Token {
    session: Session,
    label: String,
}

impl LockedToken {
    /// Loads the module and looks for the one token that is as the URI says.
    ///
    /// # Errors
    /// [`TokenError::Module`], [`TokenError::NoToken`], [`TokenError::AmbiguousToken`], [`TokenError::Device`].
    pub fn find(uri: &Pkcs11Uri, access: Access) -> Result<Self, TokenError> {
        let module = load(uri.module())?;
        let slots = module.get_slots_with_token().map_err(|cause| device("", &cause))?;
        // A slot that says nothing about its token is as good as empty.
        let tokens = slots.into_iter().filter_map(|slot| Some((slot, module.get_token_info(slot).ok()?)));
        let initialised: Vec<(Slot, TokenInfo)> =
            tokens.filter(|(_, info)| info.token_initialized()).collect();
        let is_meant = |(slot, info): &&(Slot, TokenInfo)| uri.token().matches(*slot, info);
        let mut meant = initialised.iter().filter(is_meant);
        match (meant.next(), meant.next()) {
            (Some((slot, info)), None) => {
                let session = open_session(&module, *slot, access);
                let session = session.map_err(|cause| device(info.label(), &cause))?;
                Ok(Self { slot: *slot, info: info.clone(), session, module })
            }
            (None, _) => Err(TokenError::NoToken { present: initialised.iter().map(described).collect() }),
            (Some(_), Some(_)) => {
                let candidates = initialised.iter().filter(is_meant).map(described).collect();
                Err(TokenError::AmbiguousToken { candidates })
            }
        }
    }

    /// The label of the token.
    #[must_use]
    pub fn label(&self) -> &str {
        self.info.label()
    }

    /// Whether a PIN has to be given: some tokens ask for it on a key pad of their own, some need none, and one that this
    /// process has opened already needs none again.
    #[must_use]
    pub fn needs_pin(&self) -> bool {
        self.needs_login() && !self.info.protected_authentication_path()
    }

    /// The public half of the key that the URI names, in DER, as far as the token shows it without a PIN.
    ///
    /// # Errors
    /// [`TokenError::UnsupportedKey`], [`TokenError::Device`].
    pub fn public_key_info(&self, uri: &Pkcs11Uri) -> Result<Option<Vec<u8>>, TokenError> {
        Ok(object::public_key(&self.session, self.label(), uri)?.map(|key| key.info))
    }

    /// Opens the token.
    ///
    /// # Errors
    /// [`TokenError::WrongPin`], [`TokenError::PinLocked`], [`TokenError::PinNotSet`], [`TokenError::Device`].
    pub fn unlock(self, pin: Option<&Passphrase>) -> Result<Token, TokenError> {
        if self.info.user_pin_locked() {
            return Err(TokenError::PinLocked { token: self.label().to_owned() });
        }
        if self.needs_login() {
            let login = match pin {
                Some(pin) => self
                    .session
                    .login_with_raw(UserType::User, &RawAuthPin::new(Box::new(pin.as_bytes().to_vec()))),
                None => self.session.login(UserType::User, None),
            };
            login.or_else(|cause| self.judge_login(&cause))?;
        }
        Ok(Token { label: self.label().to_owned(), session: self.session })
    }

    /// Login is a state of the process, which another session may have reached.
    fn needs_login(&self) -> bool {
        let state = self.session.get_session_info().map(|info| info.session_state());
        let is_open = matches!(state, Ok(SessionState::RoUser | SessionState::RwUser));
        self.info.login_required() && !is_open
    }

    fn judge_login(&self, cause: &Error) -> Result<(), TokenError> {
        let token = self.label().to_owned();
        let Error::Pkcs11(value, _) = cause else {
            return Err(device(&token, cause));
        };
        let is_one_of = |values: &[RvError]| values.iter().any(|known| known == value);
        if is_one_of(&[RvError::UserAlreadyLoggedIn]) {
            return Ok(());
        }
        if is_one_of(&[RvError::PinIncorrect, RvError::PinInvalid, RvError::PinLenRange]) {
            let now = self.module.get_token_info(self.slot);
            let is_last_try = now.is_ok_and(|info| info.user_pin_final_try());
            return Err(TokenError::WrongPin { token, is_last_try });
        }
        if is_one_of(&[RvError::PinLocked, RvError::PinExpired]) {
            return Err(TokenError::PinLocked { token });
        }
        if is_one_of(&[RvError::UserPinNotInitialized]) {
            return Err(TokenError::PinNotSet { token });
        }
        Err(device(&token, cause))
    }
}

fn open_session(module: &Pkcs11, slot: Slot, access: Access) -> Result<Session, Error> {
    match access {
        Access::Use => module.open_ro_session(slot),
        Access::Change => module.open_rw_session(slot),
    }
}

impl Token {
    /// The key that the URI names, if it is there.
    ///
    /// # Errors
    /// [`TokenError::AmbiguousKey`], [`TokenError::NoPublicKey`], [`TokenError::PinForEachSignature`],
    /// [`TokenError::UnsupportedKey`], [`TokenError::Device`].
    pub fn find_key(&self, uri: &Pkcs11Uri) -> Result<Option<TokenKey>, TokenError> {
        object::find(&self.session, &self.label, uri)
    }

    /// The key that the URI names, which must be there.
    ///
    /// # Errors
    /// [`TokenError::NoKey`]; what [`Self::find_key`] answers.
    pub fn key(&self, uri: &Pkcs11Uri) -> Result<TokenKey, TokenError> {
        let missing = || TokenError::NoKey { token: self.label.clone(), wanted: object::described(uri) };
        self.find_key(uri)?.ok_or_else(missing)
    }

    /// Makes a key that never leaves the token, under the label and identifier of the URI; `id` is the identifier
    /// if the URI says none.
    ///
    /// # Errors
    /// [`TokenError::UnsupportedKey`] if the token cannot make such keys; [`TokenError::Device`].
    pub fn generate(
        &self,
        uri: &Pkcs11Uri,
        algorithm: KeyAlgorithm,
        id: &[u8],
    ) -> Result<TokenKey, TokenError> {
        object::generate(&self.session, &self.label, uri, algorithm, id)
    }

    /// Makes the key ready to sign.
    #[must_use]
    pub fn signer(self, key: TokenKey, digest: Digest) -> TokenSigner {
        TokenSigner::new(self.session, self.label, key, digest)
    }
}

impl TokenSelection {
    fn matches(&self, slot: Slot, info: &TokenInfo) -> bool {
        let agrees =
            |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|text| text == found);
        agrees(&self.label, info.label())
            && agrees(&self.manufacturer, info.manufacturer_id())
            && agrees(&self.serial, info.serial_number())
            && agrees(&self.model, info.model())
            && self.slot.is_none_or(|number| number == slot.id())
    }
}

fn described((_, info): &(Slot, TokenInfo)) -> String {
    format!("'{}' (serial {})", info.label().escape_debug(), info.serial_number().escape_debug())
}

pub(super) fn device(token: &str, cause: &Error) -> TokenError {
    TokenError::Device { token: token.to_owned(), reason: reason_of(cause) }
}
