//! OpenSSL's certificate index: reading rows in place, and writing single rows.
//!
//! The text is never parsed as a whole and never printed back as a whole, so unknown lines, comments and foreign
//! spellings survive untouched, and a million rows cost only what is looked at.

use std::fmt;

use super::publish::octets;
use crate::crl::{PublishError, RevocationReason, RevokedCertificate};
use crate::serial::Serial;
use crate::time::Timestamp;

/// The content of index.txt.
#[derive(Clone, Copy)]
pub(crate) struct Index<'a>(&'a [u8]);

impl<'a> Index<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self(text)
    }

    /// The rows that can be understood, in the order of the file.
    pub(crate) fn rows(self) -> impl Iterator<Item = Row<'a>> {
        Lines(self.0).filter_map(Row::parse)
    }

    /// The same, each with the place in the file where it begins.
    pub(crate) fn rows_in_place(self) -> impl Iterator<Item = (u64, Row<'a>)> {
        let mut offset = 0;
        Lines(self.0).filter_map(move |line| {
            let begin = offset;
            offset += octets(line.len() + 1);
            Some((begin, Row::parse(line)?))
        })
    }

    /// Every line that is meant to be a row: `None` for one that cannot be understood.
    pub(crate) fn lines(self) -> impl Iterator<Item = Option<Row<'a>>> {
        let is_row = |line: &&[u8]| !line.is_empty() && !line.starts_with(b"#");
        Lines(self.0).filter(is_row).map(Row::parse)
    }

    /// A valid row with this subject.
    pub(crate) fn valid_row_of_subject(self, subject: &str) -> Option<Row<'a>> {
        self.rows().find(|row| row.status == Status::Valid && row.subject == subject)
    }

    /// Everything that belongs on a revocation list.
    pub(crate) fn revoked(self) -> impl Iterator<Item = Result<RevokedCertificate, PublishError>> + use<'a> {
        Lines(self.0).filter(|line| line.starts_with(b"R\t")).map(|line| match Row::parse(line) {
            Some(row) => row.to_revoked(),
            None => Err(PublishError::IndexRow {
                serial: "?".into(),
                field: String::from_utf8_lossy(line).into_owned(),
            }),
        })
    }
}

struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.0).unwrap_or(self.0.len());
        let line = &self.0[..end];
        self.0 = self.0.get(end + 1..).unwrap_or_default();
        Some(line)
    }
}

/// What a row says about its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Valid,
    Revoked,
    Expired,
}

/// One row, as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row<'a> {
    pub(crate) status: Status,
    pub(crate) expiry: &'a str,
    pub(crate) revocation: &'a str,
    pub(crate) serial: &'a str,
    pub(crate) file: &'a str,
    pub(crate) subject: &'a str,
}

impl<'a> Row<'a> {
    pub(crate) fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = std::str::from_utf8(line).ok()?.split('\t');
        let status = match fields.next()? {
            "V" => Status::Valid,
            "R" => Status::Revoked,
            "E" => Status::Expired,
            _ => return None,
        };
        let row = Self {
            status,
            expiry: fields.next()?,
            revocation: fields.next()?,
            serial: fields.next()?,
            file: fields.next()?,
            subject: fields.next()?,
        };
        fields.next().is_none().then_some(row)
    }

    pub(super) fn has_serial(&self, serial: &Serial) -> bool {
        Serial::from_hex(self.serial).is_some_and(|own| own == *serial)
    }

    /// The last common name of the subject, unescaped as far as it is UTF-8; empty if there is none.
    pub(crate) fn common_name(&self) -> String {
        let escaped = self.subject.rmatch_indices("/CN=").find(|(at, _)| !self.is_escaped(*at));
        let Some((at, prefix)) = escaped else {
            return String::new();
        };
        unescaped(&self.subject.as_bytes()[at + prefix.len()..])
    }

    fn is_escaped(&self, at: usize) -> bool {
        self.subject[..at].ends_with('\\')
    }

    pub(crate) fn to_revoked(self) -> Result<RevokedCertificate, PublishError> {
        let unreadable =
            || PublishError::IndexRow { serial: self.serial.to_owned(), field: self.revocation.to_owned() };
        let (date, reason) = match self.revocation.split_once(',') {
            Some((date, reason)) => {
                (date, Some(RevocationReason::from_index(reason).ok_or_else(unreadable)?))
            }
            None => (self.revocation, None),
        };
        Ok(RevokedCertificate {
            serial: Serial::from_hex(self.serial).ok_or_else(unreadable)?,
            at: Timestamp::from_digits(date).ok_or_else(unreadable)?,
            reason,
        })
    }

    /// The same row after the end of its certificate.
    pub(crate) fn expired(self) -> String {
        Row { status: Status::Expired, ..self }.to_string()
    }

    /// The same row, revoked.
    pub(crate) fn revoked(self, at: Timestamp, reason: Option<RevocationReason>) -> String {
        let reason = reason.map(|reason| format!(",{reason}")).unwrap_or_default();
        let revocation = format!("{}{reason}", at.to_digits());
        let row: Row<'_> = self;
        let revoked = Row { status: Status::Revoked, revocation: &revocation, ..row };
        revoked.to_string()
    }
}

/// A value up to the next field, with `\xHH` and `\/` undone.
fn unescaped(value: &[u8]) -> String {
    let mut octets = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        rest = match (first, after) {
            (b'/', _) => break,
            (b'\\', [b'x', high, low, after @ ..]) => match hex_octet(*high, *low) {
                Some(octet) => {
                    octets.push(octet);
                    after
                }
                None => {
                    octets.push(b'\\');
                    &rest[1..]
                }
            },
            (b'\\', [escaped, after @ ..]) => {
                octets.push(*escaped);
                after
            }
            (plain, after) => {
                octets.push(*plain);
                after
            }
        };
    }
    String::from_utf8_lossy(&octets).into_owned()
}

fn hex_octet(high: u8, low: u8) -> Option<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// A row of a certificate that has just been issued.
pub(crate) fn issued_row(expiry: Timestamp, serial: &Serial, subject: &str) -> String {
    let row = Row {
        status: Status::Valid,
        expiry: &expiry.to_digits(),
        revocation: "",
        serial: &serial.to_string(),
        file: "unknown",
        subject,
    };
    row.to_string()
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = match self.status {
            Status::Valid => 'V',
            Status::Revoked => 'R',
            Status::Expired => 'E',
        };
        let Self { expiry, revocation, serial, file, subject, .. } = self;
        write!(out, "{status}\t{expiry}\t{revocation}\t{serial}\t{file}\t{subject}")
    }
}

/// Whether index.txt.attr asks for one valid certificate per subject.
pub(crate) fn demands_unique_subjects(attributes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(attributes);
    let setting = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .rfind(|(name, _)| name.trim() == "unique_subject");
    setting.is_some_and(|(_, value)| {
        matches!(value.trim().bytes().next(), Some(b'y' | b'Y' | b't' | b'T' | b'1'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "V\t480707074218Z\t\t123A\tunknown\t/CN=server1\n\
                        # a comment\n\
                        R\t20551231235959Z\t261120074219Z,keyCompromise\t5AC1\tunknown\t/CN=a\\/b\n\
                        R\t480707074219Z\t20500101000000Z\t07\tunknown\t/CN=late\n\
                        E\t210101000000Z\t\t0A\tunknown\t/CN=expired1\n\
                        what is this\n";

    fn index() -> Index<'static> {
        Index::new(TEXT.as_bytes())
    }

    fn row(digits: &str) -> Row<'static> {
        index().rows().find(|row| row.has_serial(&serial(digits))).unwrap()
    }

    fn serial(digits: &str) -> Serial {
        Serial::from_hex(digits).unwrap()
    }

    #[test]
    fn pki_09_rows_print_as_they_were_read() {
        let printed: Vec<String> = index().rows().map(|row| row.to_string()).collect();
        let known: Vec<&str> = TEXT.lines().filter(|line| line.contains('\t')).collect();
        assert_eq!(printed, known);
    }

    #[test]
    fn pki_09_dates_of_13_and_15_characters_are_read() {
        let revoked: Vec<RevokedCertificate> = index().revoked().collect::<Result<_, _>>().unwrap();
        assert_eq!(revoked.len(), 2);
        assert_eq!(revoked[0].reason, Some(RevocationReason::KeyCompromise));
        assert_eq!(revoked[0].at.to_string(), "2026-11-20T07:42:19Z");
        assert_eq!(revoked[1].at, Timestamp::YEAR_2050);
        assert_eq!(revoked[1].reason, None);
    }

    #[test]
    fn an_unreadable_revocation_is_an_error_and_not_a_forgotten_certificate() {
        let text = b"R\t480707074219Z\tyesterday\t07\tunknown\t/CN=x\n";
        assert!(Index::new(text).revoked().next().unwrap().is_err());
        let text = b"R\t480707074219Z\t261120074219Z\t07\tunknown\n";
        assert!(Index::new(text).revoked().next().unwrap().is_err());
        let text = b"R\t480707074219Z\t261120074219Z,bored\t07\tunknown\t/CN=x\n";
        assert!(Index::new(text).revoked().next().unwrap().is_err());
    }

    #[test]
    fn hr_1_revoking_changes_status_and_date_only() {
        let row = row("123A");
        let now = Timestamp::from_calendar(2026, 11, 20, 8, 0, 0).unwrap();
        assert_eq!(
            row.revoked(now, Some(RevocationReason::Superseded)),
            "R\t480707074218Z\t261120080000Z,superseded\t123A\tunknown\t/CN=server1"
        );
        assert_eq!(row.revoked(now, None), "R\t480707074218Z\t261120080000Z\t123A\tunknown\t/CN=server1");
    }

    #[test]
    fn common_names_lose_their_escapes() {
        let name = |subject| Row { subject, ..row("123A") }.common_name();
        assert_eq!(name("/C=DE/CN=j\\xC3\\xBCrgen/emailAddress=x"), "jürgen");
        assert_eq!(name("/CN=a\\/CN=b"), "a/CN=b");
        assert_eq!(name("/CN=first/CN=second"), "second");
        assert_eq!(name("/O=nobody"), "");
        assert_eq!(name("/CN=back\\xZZ"), "back\\xZZ");
    }

    #[test]
    fn a_new_row_looks_like_openssls() {
        let expiry = Timestamp::from_calendar(2055, 12, 31, 23, 59, 59).unwrap();
        assert_eq!(issued_row(expiry, &serial("0a"), "/CN=x"), "V\t20551231235959Z\t\t0A\tunknown\t/CN=x");
    }

    #[test]
    fn unique_subject_is_read_as_openssl_reads_it() {
        assert!(demands_unique_subjects(b"unique_subject = yes\n"));
        assert!(!demands_unique_subjects(b"unique_subject = no\n"));
        assert!(!demands_unique_subjects(b""));
    }

    proptest::proptest! {
        #[test]
        fn pki_09_any_text_is_read_without_a_panic(text in "([VRE]\t[0-9Z]{0,15}\t[0-9Z,a-z]{0,20}\t[0-9A-F]{0,4}\tunknown\t/CN=.{0,5}\n|.{0,20}\n)*") {
            for row in Index::new(text.as_bytes()).rows() {
                proptest::prop_assert!(text.contains(&row.to_string()));
            }
            let _ = Index::new(text.as_bytes()).revoked().count();
        }
    }
}
