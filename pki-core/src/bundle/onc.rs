//! Open Network Configuration, the format of ChromeOS: a VPN connection and its certificates in one JSON document.
//!
//! Field names and values are those of Chromium's specification of the format. It knows tls-auth, but neither tls-crypt
//! nor tls-crypt-v2, and it takes the client's key as PKCS#12 under the empty passphrase only: the document is as secret
//! as a profile with a plain key.

use base64ct::{Base64, Encoding};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::ovpn::{ClientProfile, ControlWrapping, ProfileError, ProfileKey};
use super::pkcs12::{self, Compatibility};
use super::static_key::static_key_text;
use crate::cert::Certificate;
use crate::key::PrivateKey;

/// A profile as an ONC document; `name` is what ChromeOS shows.
///
/// # Errors
/// [`ProfileError::UnknownWrapping`] for tls-crypt and tls-crypt-v2; [`ProfileError::NoIdentity`] without an unlocked
/// key; [`ProfileError::RandomHost`] for a random host name, which ONC cannot express.
pub fn write(profile: &ClientProfile<'_>, name: &str) -> Result<Zeroizing<String>, ProfileError> {
    if profile.random_host {
        return Err(ProfileError::RandomHost { dialect: "ChromeOS" });
    }
    let identity = profile.identity.as_ref().ok_or(ProfileError::NoIdentity)?;
    let ProfileKey::Plain(key) = identity.key else {
        return Err(ProfileError::NoIdentity);
    };
    let leaf = identity.chain.first().ok_or(ProfileError::NoIdentity)?;
    let mut certificates: Vec<Value> = profile.authorities.iter().map(authority).collect();
    certificates.push(client(identity.chain, key)?);
    let document = json!({
        "Type": "UnencryptedConfiguration",
        "NetworkConfigurations": [{
            "GUID": format!("vpn-{}", guid(leaf)),
            "Name": name,
            "Type": "VPN",
            "VPN": {
                "Type": "OpenVPN",
                "Host": profile.remote.host.as_str(),
                "OpenVPN": open_vpn(profile, leaf)?,
            },
        }],
        "Certificates": certificates,
    });
    Ok(Zeroizing::new(format!("{document:#}\n")))
}

fn open_vpn(profile: &ClientProfile<'_>, leaf: &Certificate) -> Result<Value, ProfileError> {
    let mut fields = Map::new();
    let mut set = |field: &str, value: Value| fields.insert(field.to_owned(), value);
    set("Port", profile.remote.port.number().into());
    set("Proto", profile.remote.protocol.to_string().into());
    set("Cipher", "AES-256-GCM".into());
    set("CompressionAlgorithm", "None".into());
    set("RemoteCertTLS", "server".into());
    set("TLSVersionMin", "1.2".into());
    set("ServerCARefs", profile.authorities.iter().map(guid).collect());
    set("ClientCertType", "Ref".into());
    set("ClientCertRef", guid(leaf).into());
    let asked = match (profile.asks_password, &profile.challenge) {
        (_, Some(_)) => "PasswordAndOTP",
        (true, None) => "Password",
        (false, None) => "None",
    };
    set("UserAuthenticationType", asked.into());
    if let Some(name) = &profile.server_name {
        set("VerifyX509", json!({ "Name": name.as_str(), "Type": "name" }));
    }
    match &profile.wrapping {
        None => {}
        Some(ControlWrapping::TlsAuth { key, direction, digest }) => {
            set("TLSAuthContents", static_key_text(key).as_str().into());
            if let Some(direction) = direction {
                set("KeyDirection", direction.as_str().into());
            }
            if let Some(digest) = digest {
                set("Auth", digest.as_str().into());
            }
        }
        Some(other @ (ControlWrapping::TlsCrypt(_) | ControlWrapping::TlsCryptV2(_))) => {
            return Err(ProfileError::UnknownWrapping { dialect: "ChromeOS", wrapping: other.as_str() });
        }
    }
    Ok(Value::Object(fields))
}

fn authority(certificate: &Certificate) -> Value {
    json!({
        "GUID": guid(certificate),
        "Type": "Authority",
        "X509": Base64::encode_string(certificate.der()),
    })
}

fn client(chain: &[Certificate], key: &PrivateKey) -> Result<Value, ProfileError> {
    let chain: Vec<&Certificate> = chain.iter().collect();
    let leaf = chain.first().ok_or(ProfileError::NoIdentity)?;
    let name = leaf.common_name();
    let contents = pkcs12::Contents { friendly_name: name.as_deref(), key: Some(key), chain: &chain };
    let container = pkcs12::write(&contents, None, Compatibility::Modern)?;
    Ok(json!({
        "GUID": guid(leaf),
        "Type": "Client",
        "PKCS12": Base64::encode_string(container.expose()),
    }))
}

/// The same for the same certificate, so that a second import replaces the first.
fn guid(certificate: &Certificate) -> String {
    let digits: String =
        certificate.fingerprint().iter().take(16).map(|octet| format!("{octet:02x}")).collect();
    let [first, second, third, fourth, fifth] =
        [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
    format!("{{{first}-{second}-{third}-{fourth}-{fifth}}}")
}
