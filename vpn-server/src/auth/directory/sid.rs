//! Security identifiers of Active Directory: the octets of `objectSid` (MS-DTYP 2.4.2.2) as `S-1-5-21-...`.

use std::fmt::Write as _;

/// Sub-authorities that a SID may have.
const MOST_SUB_AUTHORITIES: usize = 15;

/// The text of a SID; `None` for octets that are none.
pub(super) fn text_of(octets: &[u8]) -> Option<String> {
    let (&[revision, count, a, b, c, d, e, f], rest) = octets.split_first_chunk::<8>()?;
    let count = usize::from(count);
    if revision != 1 || count > MOST_SUB_AUTHORITIES || rest.len() != count * 4 {
        return None;
    }
    let authority = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    let mut text = format!("S-{revision}-{authority}");
    let (sub_authorities, _) = rest.as_chunks::<4>();
    for sub_authority in sub_authorities {
        write!(text, "-{}", u32::from_le_bytes(*sub_authority)).ok()?;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `S-1-5-32-544`, the administrators of every Windows host.
    const ADMINISTRATORS: [u8; 16] = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0];

    #[test]
    fn well_known_identifiers_read_as_windows_writes_them() {
        assert_eq!(text_of(&ADMINISTRATORS).unwrap(), "S-1-5-32-544");
        assert_eq!(text_of(&[1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]).unwrap(), "S-1-1-0");
    }

    #[test]
    fn a_group_of_a_domain_has_all_its_parts() {
        let mut octets = vec![1, 5, 0, 0, 0, 0, 0, 5];
        for part in [21_u32, 3_623_811_015, 3_361_044_348, 30_300_820, 1013] {
            octets.extend(part.to_le_bytes());
        }
        assert_eq!(text_of(&octets).unwrap(), "S-1-5-21-3623811015-3361044348-30300820-1013");
    }

    #[test]
    fn octets_that_are_no_identifier_have_no_text() {
        for length in 0..ADMINISTRATORS.len() {
            assert_eq!(text_of(&ADMINISTRATORS[..length]), None, "{length}");
        }
        let mut other = ADMINISTRATORS;
        other[0] = 2;
        assert_eq!(text_of(&other), None);
        let mut many = vec![1, 16, 0, 0, 0, 0, 0, 5];
        many.extend([0; 64]);
        assert_eq!(text_of(&many), None);
    }
}
