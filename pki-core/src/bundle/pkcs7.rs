//! PKCS#7 with certificates only: the degenerate SignedData of RFC 2315 section 9.1, as `.p7b` files hold it.

use der::oid::ObjectIdentifier;

use crate::asn1::Encoder;
use crate::cert::Certificate;
use crate::pem;
use crate::x509::der::tag;

/// The certificates in PEM, `BEGIN PKCS7`.
#[must_use]
pub fn certificates_only(certificates: &[&Certificate]) -> String {
    let content = Encoder::sequence_of(|signed| {
        signed.unsigned(&[1]);
        signed.value(tag::SET, &[]);
        signed.sequence(|content| content.oid(&DATA));
        signed.nested(tag::context_constructed(0), |set| {
            certificates.iter().for_each(|certificate| set.raw(certificate.der()));
        });
        signed.value(tag::SET, &[]);
    });
    let der = Encoder::sequence_of(|outer| {
        outer.oid(&SIGNED_DATA);
        outer.nested(tag::context_constructed(0), |explicit| explicit.raw(&content));
    });
    pem::armour("PKCS7", &der)
}

const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
