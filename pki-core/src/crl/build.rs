//! Writing a revocation list (RFC 5280 section 5).
//!
//! Who is on it, in which order, and whether it may replace the published one, is decided by the authority; this
//! module encodes and signs.

use super::PublishError;
use super::reason::RevocationReason;
use crate::asn1::Encoder;
use crate::cert::build::{Validity, signed};
use crate::cert::extension::Extension;
use crate::cert::{Certificate, Profile};
use crate::key::{CaSigner, SignatureAlgorithm};
use crate::pem;
use crate::serial::Serial;
use crate::time::Timestamp;
use crate::x509::der::tag;

/// One revoked certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// Its serial number.
    pub serial: Serial,
    /// When it was revoked.
    pub at: Timestamp,
    /// Why; nothing is written when nothing was said.
    pub reason: Option<RevocationReason>,
}

impl RevokedCertificate {
    /// Appends the entry. A list may hold a million of them, so nothing is allocated for one; only a serial number that
    /// is longer than any certificate may have takes the general way.
    fn encode(&self, list: &mut Vec<u8>) {
        let serial = self.serial.as_be_bytes();
        let Ok(serial_length @ 1..=20) = u8::try_from(serial.len()) else {
            return self.encode_anything(list);
        };
        let begin = list.len();
        list.extend_from_slice(&[tag::SEQUENCE, 0, tag::INTEGER]);
        // A set first bit would make the number negative.
        if serial[0] & 0x80 == 0 {
            list.push(serial_length);
        } else {
            list.extend_from_slice(&[serial_length + 1, 0]);
        }
        list.extend_from_slice(serial);
        let digits = self.at.to_digits();
        match digits.len() {
            UTC_TIME_LENGTH => list.extend_from_slice(&[tag::UTC_TIME, 13]),
            _ => list.extend_from_slice(&[tag::GENERALIZED_TIME, 15]),
        }
        list.extend_from_slice(digits.as_bytes());
        if let Some(reason) = self.reason {
            list.extend_from_slice(&REASON_EXTENSION);
            list.push(reason.code());
        }
        // At most 23 octets of number, 17 of time and 14 of reason.
        list[begin + 1] = u8::try_from(list.len() - begin - 2).unwrap_or_default();
    }

    fn encode_anything(&self, list: &mut Vec<u8>) {
        let entry = Encoder::sequence_of(|entry| {
            entry.unsigned(self.serial.as_be_bytes());
            entry.time(self.at);
            if let Some(reason) = self.reason {
                entry.raw(&REASON_EXTENSION);
                entry.raw(&[reason.code()]);
            }
        });
        list.extend_from_slice(&entry);
    }
}

/// Everything a list says.
pub struct ListContent<'a> {
    /// The authority whose certificates are revoked.
    pub authority: &'a Certificate,
    /// The revoked certificates, sorted by number.
    pub revoked: Vec<RevokedCertificate>,
    /// The list's number; the easy-rsa profile writes none.
    pub number: Serial,
    /// thisUpdate and nextUpdate.
    pub validity: Validity,
}

impl ListContent<'_> {
    /// Encodes and signs the list.
    ///
    /// # Errors
    /// [`PublishError::Signing`].
    pub fn sign(self, profile: Profile, signer: &dyn CaSigner) -> Result<RevocationList, PublishError> {
        let to_be_signed = self.to_der(profile, signer.algorithm());
        Ok(RevocationList { der: signed(&to_be_signed, signer)? })
    }

    fn to_der(&self, profile: Profile, algorithm: SignatureAlgorithm) -> Vec<u8> {
        Encoder::sequence_of(|list| {
            list.unsigned(&[VERSION_2]);
            list.raw(&algorithm.to_der());
            list.raw(self.authority.subject_der());
            list.time(self.validity.not_before());
            list.time(self.validity.not_after());
            if !self.revoked.is_empty() {
                list.value(tag::SEQUENCE, &self.entries());
            }
            list.nested(tag::context_constructed(0), |explicit| {
                explicit.sequence(|extensions| {
                    profile.authority_key_identifier(self.authority).encode(extensions);
                    if profile == Profile::Strict {
                        Extension::crl_number(&self.number).encode(extensions);
                    }
                });
            });
        })
    }

    fn entries(&self) -> Vec<u8> {
        let mut entries = Vec::with_capacity(self.revoked.len() * USUAL_ENTRY);
        self.revoked.iter().for_each(|revoked| revoked.encode(&mut entries));
        entries
    }
}

/// A signed list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    der: Vec<u8>,
}

impl RevocationList {
    /// The list in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The list in PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::armour("X509 CRL", &self.der)
    }
}

const VERSION_2: u8 = 1;
const UTC_TIME_LENGTH: usize = 13;

/// A number of 20 octets, a date and a reason.
const USUAL_ENTRY: usize = 54;

/// crlEntryExtensions with a reasonCode, up to the code itself.
const REASON_EXTENSION: [u8; 13] = [
    tag::SEQUENCE,
    12,
    tag::SEQUENCE,
    10,
    tag::OBJECT_IDENTIFIER,
    3,
    0x55,
    0x1d,
    0x15,
    tag::OCTET_STRING,
    3,
    tag::ENUMERATED,
    1,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cert::build::Root;
    use crate::cert::extension::PathLength;
    use crate::cert::profile::SubjectKey;
    use crate::crl::published::{PublishedList, this_update_of_prefix};
    use crate::dn::Subject;
    use crate::key::{Digest, KeyAlgorithm, SigningKey, generate};
    use crate::name::CommonName;
    use crate::random::tests::CountingSource;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_161_600);

    fn list(profile: Profile, revoked: Vec<RevokedCertificate>) -> RevocationList {
        let key = generate(KeyAlgorithm::Ed25519, &mut CountingSource(1)).unwrap();
        let signer = SigningKey::new(&key, Digest::Sha256).unwrap();
        let root = Root {
            path_length: PathLength::Unlimited,
            key: SubjectKey { algorithm: key.algorithm(), public_key_info: key.public_key_info() },
            subject: &Subject::common_name_only(CommonName::parse("Test CA").unwrap()),
            validity: Validity::days_from(NOW, 3650).unwrap(),
            serial: &Serial::from_be_bytes(&[7]),
        };
        let content = ListContent {
            authority: &root.sign(profile, &signer).unwrap(),
            revoked,
            number: Serial::from_be_bytes(&[0x80]),
            validity: Validity::days_from(NOW, 180).unwrap(),
        };
        content.sign(profile, &signer).unwrap()
    }

    fn revoked(serial: &str, reason: Option<RevocationReason>) -> RevokedCertificate {
        RevokedCertificate { serial: Serial::from_hex(serial).unwrap(), at: NOW, reason }
    }

    #[test]
    fn hr_2_entries_and_dates_stand_in_the_list() {
        let entries = ["02", "FF", "0100"].map(|serial| revoked(serial, None));
        let made = list(Profile::Strict, entries.to_vec());
        let published = PublishedList::from_der(made.der()).unwrap();
        let serials: Vec<String> = published.serials().map(|serial| serial.to_string()).collect();
        assert_eq!(serials, ["02", "FF", "0100"]);
        assert_eq!(this_update_of_prefix(&made.der()[..100]), Some(NOW));
        assert_eq!(published.next_update(), Some(NOW.plus_days(180)));
    }

    #[test]
    fn an_entry_is_the_same_octets_in_the_short_way_and_in_the_general_one() {
        for serial in ["01", "7F", "80", "00FF", &"7F".repeat(20), &"FF".repeat(20), &"FF".repeat(21)] {
            for (at, reason) in [
                (NOW, None),
                (NOW, Some(RevocationReason::KeyCompromise)),
                (Timestamp::YEAR_2050, Some(RevocationReason::Superseded)),
            ] {
                let entry = RevokedCertificate { at, ..revoked(serial, reason) };
                let (mut short, mut general) = (Vec::new(), Vec::new());
                entry.encode(&mut short);
                entry.encode_anything(&mut general);
                assert_eq!(short, general, "{serial} {at} {reason:?}");
            }
        }
    }

    #[test]
    fn only_the_strict_profile_numbers_its_lists() {
        let number = |profile| {
            let made = list(profile, Vec::new());
            PublishedList::from_der(made.der()).unwrap().number().cloned()
        };
        assert_eq!(number(Profile::Strict), Some(Serial::from_be_bytes(&[0x80])));
        assert_eq!(number(Profile::EasyRsa), None);
    }

    #[test]
    fn reasons_are_written_when_they_were_given() {
        use x509_parser::prelude::{CertificateRevocationList, FromDer};

        let reasons = (0..=6).filter_map(RevocationReason::from_code);
        let mut entries: Vec<_> =
            reasons.map(|reason| revoked(&format!("{:02X}", reason.code() + 1), Some(reason))).collect();
        entries.push(revoked("20", None));
        let made = list(Profile::Strict, entries);
        let (_, parsed) = CertificateRevocationList::from_der(made.der()).unwrap();
        let codes: Vec<Option<u8>> = parsed
            .iter_revoked_certificates()
            .map(|entry| entry.reason_code().map(|(_, code)| code.0))
            .collect();
        assert_eq!(codes, [Some(0), Some(1), Some(2), Some(3), Some(4), Some(5), Some(6), None]);
    }
}
