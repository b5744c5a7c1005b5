//! Cuts an octet stream at the borders of TLS records.
//!
//! OpenVPN puts one message into one record, and rustls' reader would merge them: so records are fed one at a time.

use super::TlsFailure;

const HEADER: usize = 5;
/// The longest record body of RFC 8446 section 5.2; TLS 1.2 allows some more.
const MAX_BODY: usize = 16_384 + 2048;

/// Octets of records that are not complete yet.
#[derive(Debug, Default)]
pub(crate) struct RecordBuffer {
    octets: Vec<u8>,
}

impl RecordBuffer {
    pub(crate) fn extend(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// The next complete record with its header, if it is there.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, TlsFailure> {
        let Some(&[_, _, _, high, low]) = self.octets.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let body = usize::from(u16::from_be_bytes([high, low]));
        if body > MAX_BODY {
            return Err(TlsFailure::RecordTooLong(body));
        }
        if self.octets.len() < HEADER + body {
            return Ok(None);
        }
        let rest = self.octets.split_off(HEADER + body);
        Ok(Some(std::mem::replace(&mut self.octets, rest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_records_wherever_the_packets_were_cut() {
        let stream = [&[22, 3, 3, 0, 2, 1, 2][..], &[23, 3, 3, 0, 0], &[23, 3, 3, 0, 1, 9]].concat();
        for step in 1..stream.len() {
            let mut buffer = RecordBuffer::default();
            let mut records = vec![];
            for piece in stream.chunks(step) {
                buffer.extend(piece);
                while let Some(record) = buffer.next().unwrap() {
                    records.push(record.len());
                }
            }
            assert_eq!(records, [7, 5, 6], "packets of {step} octets");
        }
    }

    #[test]
    fn tls_02_refuses_a_record_longer_than_tls_allows() {
        let mut buffer = RecordBuffer::default();
        buffer.extend(&[22, 3, 3, 0xff, 0xff]);
        assert!(matches!(buffer.next(), Err(TlsFailure::RecordTooLong(0xffff))));
    }
}
