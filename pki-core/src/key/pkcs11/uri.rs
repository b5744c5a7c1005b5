//! PKCS#11 URIs (RFC 7512): which token, which key in it, and which module reaches it.
//!
//! Only what selects a private key is understood; everything else is refused rather than ignored, because an ignored
//! attribute selects more than was meant. A PIN in the URI (`pin-value`) is refused too: URIs stand in files, command
//! lines and logs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::{ErrorKind, Explain};

/// A parsed `pkcs11:` URI that names a key, and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pkcs11Uri {
    text: String,
    token: TokenSelection,
    object: Option<String>,
    id: Option<Vec<u8>>,
    module: Option<PathBuf>,
    pin_source: Option<String>,
}

/// What the URI says about the token; what it does not say matches every token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenSelection {
    /// The name that somebody gave it.
    pub label: Option<String>,
    /// Who has made it.
    pub manufacturer: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// The number of the slot that it is in.
    pub slot: Option<u64>,
}

impl Pkcs11Uri {
    /// The label of the key, if the URI names one.
    #[must_use]
    pub fn object(&self) -> Option<&str> {
        self.object.as_deref()
    }

    /// The identifier of the key, if the URI names one.
    #[must_use]
    pub fn id(&self) -> Option<&[u8]> {
        self.id.as_deref()
    }

    /// What it says about the token.
    #[must_use]
    pub fn token(&self) -> &TokenSelection {
        &self.token
    }

    /// The shared object that reaches the token; without `module-path` the one through which p11-kit offers every
    /// module that the system knows.
    #[must_use]
    pub fn module(&self) -> &Path {
        self.module.as_deref().unwrap_or(Path::new(SYSTEM_MODULE))
    }

    /// Where the PIN comes from, as the URI says it: uninterpreted.
    #[must_use]
    pub fn pin_source(&self) -> Option<&str> {
        self.pin_source.as_deref()
    }

    fn set_path_attribute(&mut self, name: &str, value: Vec<u8>) -> Result<(), UriError> {
        match name {
            "token" => set(&mut self.token.label, name, text(name, value)?),
            "manufacturer" => set(&mut self.token.manufacturer, name, text(name, value)?),
            "serial" => set(&mut self.token.serial, name, text(name, value)?),
            "model" => set(&mut self.token.model, name, text(name, value)?),
            "object" => set(&mut self.object, name, text(name, value)?),
            "id" => set(&mut self.id, name, value),
            "slot-id" => {
                let number = text(name, value)?.parse().map_err(|_| invalid(name))?;
                set(&mut self.token.slot, name, number)
            }
            "type" if value == b"private" => Ok(()),
            "type" => Err(UriError::NotPrivate),
            _ => Err(UriError::UnknownAttribute { name: name.escape_debug().to_string() }),
        }
    }

    fn set_query_attribute(&mut self, name: &str, value: Vec<u8>) -> Result<(), UriError> {
        match name {
            "module-path" => {
                let path = PathBuf::from(text(name, value)?);
                if !path.is_absolute() {
                    return Err(invalid(name));
                }
                set(&mut self.module, name, path)
            }
            "pin-source" => set(&mut self.pin_source, name, text(name, value)?),
            "pin-value" => Err(UriError::PinInside),
            _ => Err(UriError::UnknownAttribute { name: name.escape_debug().to_string() }),
        }
    }
}

impl FromStr for Pkcs11Uri {
    type Err = UriError;

    fn from_str(uri: &str) -> Result<Self, UriError> {
        let attributes = uri.strip_prefix("pkcs11:").ok_or(UriError::OtherScheme)?;
        let (path, query) = attributes.split_once('?').unwrap_or((attributes, ""));
        let mut parsed = Self {
            text: uri.to_owned(),
            token: TokenSelection::default(),
            object: None,
            id: None,
            module: None,
            pin_source: None,
        };
        for attribute in path.split(';').filter(|attribute| !attribute.is_empty()) {
            let (name, value) = name_and_value(attribute)?;
            parsed.set_path_attribute(name, value)?;
        }
        for attribute in query.split('&').filter(|attribute| !attribute.is_empty()) {
            let (name, value) = name_and_value(attribute)?;
            parsed.set_query_attribute(name, value)?;
        }
        if parsed.object.is_none() && parsed.id.is_none() {
            return Err(UriError::NoKey);
        }
        Ok(parsed)
    }
}

/// The URI as it was written.
impl fmt::Display for Pkcs11Uri {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// Why a text is no URI of a key. The text itself never stands in it: somebody may have written a PIN into it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// It does not begin with `pkcs11:`.
    #[error("the URI of a key in a token begins with 'pkcs11:'")]
    OtherScheme,
    /// An attribute without `=`, or with octets that a URI cannot have.
    #[error("the PKCS#11 URI is malformed")]
    Malformed,
    /// The value of an attribute is not of its form.
    #[error("the attribute '{name}' of the PKCS#11 URI has no valid value")]
    InvalidValue {
        /// The attribute.
        name: String,
    },
    /// An attribute stands there twice.
    #[error("the attribute '{name}' stands twice in the PKCS#11 URI")]
    Repeated {
        /// The attribute.
        name: String,
    },
    /// An attribute that selects something else, or is not understood.
    #[error("the attribute '{name}' of the PKCS#11 URI is not supported")]
    UnknownAttribute {
        /// The attribute.
        name: String,
    },
    /// `type` is not `private`.
    #[error("the PKCS#11 URI does not name a private key")]
    NotPrivate,
    /// Neither `object` nor `id`.
    #[error("the PKCS#11 URI names a token but no key in it")]
    NoKey,
    /// `pin-value`.
    #[error("the PKCS#11 URI holds a PIN, which everybody could read")]
    PinInside,
}

impl Explain for UriError {
    fn code(&self) -> &'static str {
        "pkcs11-uri"
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::User
    }

    fn help(&self) -> String {
        match self {
            Self::PinInside => {
                "Leave pin-value out and give the PIN with --passin, with pin-source=file:PATH, or at the prompt.".into()
            }
            Self::NoKey => "Add object=LABEL or id=%HH.".into(),
            Self::OtherScheme
            | Self::Malformed
            | Self::InvalidValue { .. }
            | Self::Repeated { .. }
            | Self::UnknownAttribute { .. }
            | Self::NotPrivate => {
                "Write 'pkcs11:token=LABEL;object=LABEL?module-path=/PATH/TO/MODULE.so', in quotes; a percent sign and two \
                 digits stand for any other character."
                    .into()
            }
        }
    }
}

fn name_and_value(attribute: &str) -> Result<(&str, Vec<u8>), UriError> {
    let (name, value) = attribute.split_once('=').ok_or(UriError::Malformed)?;
    let value = decoded(value).ok_or_else(|| invalid(name))?;
    // No label, number or path is empty, and none has a zero octet; identifiers may hold anything.
    let is_usable = !value.is_empty() && (name == "id" || !value.contains(&0));
    if is_usable { Ok((name, value)) } else { Err(invalid(name)) }
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, remaining @ ..] = rest {
        rest = remaining;
        match (first, remaining) {
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok().filter(|digits| !digits.contains('+'))?;
                octets.push(u8::from_str_radix(digits, 16).ok()?);
                rest = after;
            }
            (b'%', _) => return None,
            (octet, _) if octet.is_ascii_control() => return None,
            (octet, _) => octets.push(*octet),
        }
    }
    Some(octets)
}

fn text(name: &str, value: Vec<u8>) -> Result<String, UriError> {
    String::from_utf8(value).map_err(|_| invalid(name))
}

fn invalid(name: &str) -> UriError {
    UriError::InvalidValue { name: name.escape_debug().to_string() }
}

fn set<T>(field: &mut Option<T>, name: &str, value: T) -> Result<(), UriError> {
    match field.replace(value) {
        Some(_) => Err(UriError::Repeated { name: name.to_owned() }),
        None => Ok(()),
    }
}

/// p11-kit's module, found where the system finds its libraries.
const SYSTEM_MODULE: &str = "p11-kit-proxy.so";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Pkcs11Uri {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn refusal(text: &str) -> UriError {
        text.parse::<Pkcs11Uri>().unwrap_err()
    }

    #[test]
    fn a_uri_says_which_key_in_which_token() {
        let text = "pkcs11:token=Office%20CA;manufacturer=SoftHSM%20project;serial=2fa4;model=SoftHSM%20v2;slot-id=7;\
                    object=root;id=%01%ff;type=private?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/pin";
        let uri = parsed(text);
        let token = uri.token();
        assert_eq!(token.label.as_deref(), Some("Office CA"));
        assert_eq!(token.manufacturer.as_deref(), Some("SoftHSM project"));
        assert_eq!((token.serial.as_deref(), token.slot), (Some("2fa4"), Some(7)));
        assert_eq!((uri.object(), uri.id()), (Some("root"), Some(&[1, 0xff][..])));
        assert_eq!(uri.module(), Path::new("/usr/lib/softhsm/libsofthsm2.so"));
        assert_eq!(uri.pin_source(), Some("file:/run/pin"));
        assert_eq!(uri.to_string(), text);
    }

    #[test]
    fn without_a_path_the_module_is_the_systems() {
        assert_eq!(parsed("pkcs11:object=x").module(), Path::new("p11-kit-proxy.so"));
    }

    #[test]
    fn what_would_select_something_else_is_refused() {
        assert_eq!(refusal("object=x"), UriError::OtherScheme);
        assert_eq!(refusal("pkcs11:token=x"), UriError::NoKey);
        assert_eq!(refusal("pkcs11:object"), UriError::Malformed);
        assert_eq!(refusal("pkcs11:object=x;type=cert"), UriError::NotPrivate);
        assert_eq!(refusal("pkcs11:object=x;object=y"), UriError::Repeated { name: "object".into() });
        for (text, name) in [
            ("pkcs11:object=", "object"),
            ("pkcs11:object=%4", "object"),
            ("pkcs11:object=%+1", "object"),
            ("pkcs11:object=%00", "object"),
            ("pkcs11:object=a\nb", "object"),
            ("pkcs11:object=x;slot-id=-1", "slot-id"),
            ("pkcs11:object=%ff", "object"),
            ("pkcs11:object=x?module-path=softhsm2.so", "module-path"),
        ] {
            assert_eq!(refusal(text), UriError::InvalidValue { name: name.into() }, "{text}");
        }
        for (text, name) in
            [("pkcs11:object=x;x-vendor=1", "x-vendor"), ("pkcs11:object=x?module-name=y", "module-name")]
        {
            assert_eq!(refusal(text), UriError::UnknownAttribute { name: name.into() }, "{text}");
        }
    }

    #[test]
    fn key_05_a_pin_in_the_uri_is_refused_and_not_repeated() {
        let refusal = refusal("pkcs11:object=x?pin-value=hunter2");
        assert_eq!(refusal, UriError::PinInside);
        assert!(!format!("{refusal} {}", refusal.help()).contains("hunter2"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_without_a_panic(text in "(pkcs11:)?.{0,80}") {
            let _ = text.parse::<Pkcs11Uri>();
        }

        #[test]
        fn every_label_survives_percent_encoding(label in "[^\\x00]{1,20}") {
            let encoded: String = label.bytes().map(|octet| format!("%{octet:02x}")).collect();
            let uri = parsed(&format!("pkcs11:object={encoded}"));
            proptest::prop_assert_eq!(uri.object(), Some(label.as_str()));
        }
    }
}
