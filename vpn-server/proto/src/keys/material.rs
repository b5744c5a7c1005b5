//! The 256 octets of key material of one key id (protocol reference section 7).
//!
//! ```text
//!   0..64    client to server: cipher key, first 16, 24 or 32 octets
//!  64..128   client to server: implicit IV, first 8 octets, or HMAC key, first octets
//! 128..192   server to client: cipher key
//! 192..256   server to client: implicit IV or HMAC key
//! ```

use zeroize::Zeroizing;

/// The exporter label of data-channel keys.
pub(crate) const EXPORTER_LABEL: &str = "EXPORTER-OpenVPN-datakeys";
/// The exporter label of the key that wraps the control packets of renegotiations.
pub(crate) const DYNAMIC_TLS_CRYPT_LABEL: &str = "EXPORTER-OpenVPN-dynamic-tls-crypt";

/// Octets of one key id's material; wiped when dropped.
pub(crate) struct KeyMaterial(Zeroizing<[u8; 256]>);

/// Which end of the tunnel this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Server,
    #[cfg_attr(
        not(any(feature = "client", test)),
        expect(dead_code, reason = "the server's build has no client side")
    )]
    Client,
}

/// The part of the material that protects one direction.
#[derive(Clone, Copy)]
pub(crate) struct DirectionKeys<'a> {
    pub(crate) cipher: &'a [u8],
    /// 32 octets that both sides derive and no cipher needs.
    pub(crate) unused: &'a [u8],
    pub(crate) implicit_iv: [u8; 8],
    /// 64 octets.
    pub(crate) hmac: &'a [u8],
}

/// Octets of the longest cipher key.
const LONGEST_CIPHER_KEY: usize = 32;

impl KeyMaterial {
    pub(crate) const fn new(octets: Zeroizing<[u8; 256]>) -> Self {
        Self(octets)
    }

    /// Keys with which `side` seals.
    pub(crate) fn sending(&self, side: Side, key_length: usize) -> DirectionKeys<'_> {
        match side {
            Side::Client => self.direction(0, key_length),
            Side::Server => self.direction(128, key_length),
        }
    }

    /// Keys with which `side` opens.
    pub(crate) fn receiving(&self, side: Side, key_length: usize) -> DirectionKeys<'_> {
        match side {
            Side::Client => self.direction(128, key_length),
            Side::Server => self.direction(0, key_length),
        }
    }

    fn direction(&self, start: usize, key_length: usize) -> DirectionKeys<'_> {
        let (cipher, hmac) = self.0[start..start + 128].split_at(64);
        let mut implicit_iv = [0; 8];
        implicit_iv.copy_from_slice(&hmac[..8]);
        let (cipher, unused) = cipher.split_at(LONGEST_CIPHER_KEY);
        DirectionKeys { cipher: &cipher[..key_length.min(LONGEST_CIPHER_KEY)], unused, implicit_iv, hmac }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_sends_with_the_server_receives_with() {
        let mut octets = Zeroizing::new([0; 256]);
        (0_u8..=255).zip(octets.iter_mut()).for_each(|(n, octet)| *octet = n);
        let material = KeyMaterial::new(octets);
        assert_eq!(material.sending(Side::Client, 32).cipher[0], 0);
        assert_eq!(material.receiving(Side::Server, 32).implicit_iv, [64, 65, 66, 67, 68, 69, 70, 71]);
        assert_eq!(material.sending(Side::Server, 16).cipher[15], 143);
        assert_eq!(material.receiving(Side::Client, 16).implicit_iv[0], 192);
        assert_eq!(material.sending(Side::Client, 16).unused[0], 32);
        assert_eq!(material.sending(Side::Server, 16).hmac[63], 255);
    }
}
