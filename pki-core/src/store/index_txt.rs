//! OpenSSL's certificate index: reading rows in place, and writing single rows.
//!
//! The text is never parsed as a whole and never printed back as a whole, so unknown lines, comments and foreign
//! spellings survive untouched, and a million rows cost only what is looked at.

use std::fmt;

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

    /// Every line that is meant to be a row: `None` for one that cannot be understood.
    pub(crate) fn lines(self) -> impl Iterator<Item = Option<Row<'a>>> {
        let is_row = |line: &&[u8]| !line.is_empty() && !line.starts_with(b"#");
        Lines(self.0).filter(is_row).map(Row::parse)
    }

    /// The row of a certificate.
    pub(crate) fn row_of(self, serial: &Serial) -> Option<Row<'a>> {
        let needle = format!("\t{serial}\t");
        let rows = memchr::memmem::find_iter(self.0, needle.as_bytes())
            .filter_map(|at| Row::parse(self.line_at(at)));
        let mut usual = rows.filter(|row| row.has_serial(serial));
        usual.next().or_else(|| self.rows().find(|row| row.has_serial(serial)))
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

    fn line_at(self, position: usize) -> &'a [u8] {
        let start = memchr::memrchr(b'\n', &self.0[..position]).map_or(0, |newline| newline + 1);
        let end = memchr::memchr(b'\n', &self.0[position..]).map_or(self.0.len(), |length| position + length);
        &self.0[start..end]
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
    fn parse(line: &'a [u8]) -> Option<Self> {
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

    fn has_serial(&self, serial: &Serial) -> bool {
        Serial::from_hex(self.serial).is_some_and(|own| own == *serial)
    }

    /// The last common name of the subject, unescaped as far as it is UTF-8; empty if there is none.
    pub(crate) fn common_name(&self) -> String {
        let escaped = self.subject.rmatch_indices("/CN=").find(|(at, _)| !self.is_escaped(*at));
        let Some((at, prefix)) = escaped else {
            return String::new();
        };
        unescaped(self.subject[at + prefix.len()..].as_bytes())
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
    fn a_certificate_is_found_by_its_number_however_it_is_spelled() {
        assert_eq!(index().row_of(&serial("123a")).unwrap().subject, "/CN=server1");
        assert_eq!(index().row_of(&serial("7")).unwrap().subject, "/CN=late");
        assert_eq!(index().row_of(&serial("99")), None);
        let lower = Index::new(b"V\t480707074218Z\t\t00ab\tunknown\t/CN=x\n");
        assert_eq!(lower.row_of(&serial("AB")).unwrap().subject, "/CN=x");
    }

    #[test]
    fn a_number_inside_a_subject_is_no_serial() {
        let text = b"V\t480707074218Z\t\t01\tunknown\t/CN=x\\x0901\n";
        assert!(Index::new(text).row_of(&serial("02")).is_none());
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
        let row = index().row_of(&serial("123A")).unwrap();
        let now = Timestamp::from_calendar(2026, 11, 20, 8, 0, 0).unwrap();
        assert_eq!(
            row.revoked(now, Some(RevocationReason::Superseded)),
            "R\t480707074218Z\t261120080000Z,superseded\t123A\tunknown\t/CN=server1"
        );
        assert_eq!(row.revoked(now, None), "R\t480707074218Z\t261120080000Z\t123A\tunknown\t/CN=server1");
    }

    #[test]
    fn common_names_lose_their_escapes() {
        let name = |subject| Row { subject, ..index().row_of(&serial("123A")).unwrap() }.common_name();
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
            let _ = Index::new(text.as_bytes()).row_of(&serial("0A"));
        }
    }
}
