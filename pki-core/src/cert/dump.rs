//! Certificates and requests as text, in the form that `openssl x509 -text` gives them.
//!
//! easy-rsa puts this text in front of every certificate and people read it there; programs look for the PEM block
//! behind it. Everything that stands in a certificate is escaped, so that no name can begin a line of its own.

use std::fmt::Write;

use super::csr::Request;
use super::extension::{KeyUsage, oid};
use crate::dn;
use crate::time::Timestamp;
use crate::x509::der::{Element, Reader, only_sequence, small_unsigned, tag};
use crate::x509::{Certificate, Oid, PublicKey, PublicKeyKind, SignatureAlgorithm};

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Everything, names on one line.
    Full,
    /// Without key and signature, one attribute of a name per line.
    Brief,
}

/// The text of a certificate.
#[must_use]
pub fn certificate(certificate: &Certificate, extent: Extent) -> String {
    let mut text = Text(String::with_capacity(4096));
    text.line(0, "Certificate:");
    text.line(4, "Data:");
    text.line(8, "Version: 3 (0x2)");
    text.serial(certificate.serial().as_be_bytes());
    let (algorithm, signature) = certificate.signature_parts();
    let algorithm = algorithm_name(algorithm);
    text.line(8, &format!("Signature Algorithm: {algorithm}"));
    text.name("Issuer", certificate.issuer_der(), extent);
    text.line(8, "Validity");
    text.line(12, &format!("Not Before: {}", openssl_date(certificate.not_before())));
    text.line(12, &format!("Not After : {}", openssl_date(certificate.not_after())));
    text.name("Subject", certificate.subject_der(), extent);
    if extent == Extent::Full {
        text.public_key(certificate.public_key_info());
    }
    let extensions = certificate.extension_values();
    if !extensions.is_empty() {
        text.line(8, "X509v3 extensions:");
        extensions.iter().for_each(|(kind, critical, value)| text.extension(12, kind, *critical, value));
    }
    if extent == Extent::Full {
        text.signature(&algorithm, signature);
    }
    text.0
}

/// The text of a request.
#[must_use]
pub fn request(request: &Request, extent: Extent) -> String {
    let mut text = Text(String::with_capacity(2048));
    text.line(0, "Certificate Request:");
    text.line(4, "Data:");
    text.line(8, "Version: 1 (0x0)");
    text.name("Subject", request.subject_der(), extent);
    if extent == Extent::Full {
        text.public_key(request.public_key_info());
    }
    text.line(8, "Attributes:");
    if request.extensions().is_empty() {
        text.line(12, "(none)");
    }
    text.line(12, "Requested Extensions:");
    for extension in request.extensions() {
        text.extension(16, extension.oid.as_bytes(), extension.is_critical, &extension.value);
    }
    if extent == Extent::Full {
        let identifier = only_sequence(request.algorithm_der()).map(|identifier| identifier.content);
        text.signature(&algorithm_name(identifier.unwrap_or_default()), request.signature());
    }
    text.0
}

/// A name with one attribute per line, as `openssl -nameopt multiline` shows it.
#[must_use]
pub fn multiline_name(name_der: &[u8]) -> String {
    let attributes = dn::long_form(name_der);
    attributes.iter().map(|(name, value)| format!("    {name:<26}= {value}\n")).collect()
}

/// The alternative names of a certificate: `DNS:a.example, IP Address:192.0.2.1`.
#[must_use]
pub fn alternative_names_of_certificate(certificate: &Certificate) -> Option<String> {
    let value = certificate.extension_value(oid::SUBJECT_ALT_NAME.as_bytes())?;
    alternative_names(&value)?.pop()
}

/// The alternative names that a request asks for, likewise.
#[must_use]
pub fn alternative_names_of_request(request: &Request) -> Option<String> {
    let found = request.extensions().iter().find(|extension| extension.oid == oid::SUBJECT_ALT_NAME)?;
    alternative_names(&found.value)?.pop()
}

/// `Feb 22 07:21:48 2029 GMT`
#[must_use]
pub fn openssl_date(at: Timestamp) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let date = at.calendar();
    let month = usize::try_from(date.month - 1).ok().and_then(|month| MONTHS.get(month));
    format!(
        "{} {:>2} {:02}:{:02}:{:02} {} GMT",
        month.unwrap_or(&"???"),
        date.day,
        date.hour,
        date.minute,
        date.second,
        date.year
    )
}

struct Text(String);

impl Text {
    fn line(&mut self, indent: usize, content: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{:indent$}{content}", "");
    }

    fn serial(&mut self, octets: &[u8]) {
        if octets.len() > 8 {
            self.line(8, "Serial Number:");
            self.line(12, &colons(octets, false));
            return;
        }
        let number = octets.iter().fold(0_u64, |number, octet| number << 8 | u64::from(*octet));
        self.line(8, &format!("Serial Number: {number} (0x{number:x})"));
    }

    fn name(&mut self, role: &str, name_der: &[u8], extent: Extent) {
        match extent {
            Extent::Full => self.line(8, &format!("{role}: {}", dn::comma_form(name_der))),
            Extent::Brief => {
                self.line(8, &format!("{role}:"));
                for line in multiline_name(name_der).lines() {
                    self.line(8, line);
                }
            }
        }
    }

    fn public_key(&mut self, info: &[u8]) {
        self.line(8, "Subject Public Key Info:");
        let Ok(key) = only_sequence(info).and_then(|info| PublicKey::parse(&info)) else {
            return self.line(12, "Unable to load Public Key");
        };
        let octets = key.key.content;
        match &key.kind {
            PublicKeyKind::Rsa { bits } => self.rsa_key(*bits, octets),
            PublicKeyKind::P256 => self.ec_key(256, octets, "prime256v1", "P-256"),
            PublicKeyKind::P384 => self.ec_key(384, octets, "secp384r1", "P-384"),
            PublicKeyKind::P521 => self.ec_key(521, octets, "secp521r1", "P-521"),
            PublicKeyKind::Ed25519 => self.edwards_key("ED25519", octets),
            PublicKeyKind::Other(kind) if kind.as_bytes() == ED448 => self.edwards_key("ED448", octets),
            other @ (PublicKeyKind::OtherCurve | PublicKeyKind::Other(_)) => {
                self.line(12, &format!("Public Key Algorithm: {other}"));
                self.octets(20, 15, octets);
            }
        }
    }

    fn rsa_key(&mut self, bits: usize, key: &[u8]) {
        self.line(12, "Public Key Algorithm: rsaEncryption");
        self.line(16, &format!("Public-Key: ({bits} bit)"));
        let numbers = only_sequence(key).and_then(|numbers| {
            let mut numbers = numbers.reader();
            Ok((numbers.integer()?, numbers.integer()?))
        });
        let Ok((modulus, exponent)) = numbers else { return };
        self.line(16, "Modulus:");
        self.octets(20, 15, modulus);
        if exponent.len() <= 8 {
            let exponent = exponent.iter().fold(0_u64, |number, octet| number << 8 | u64::from(*octet));
            self.line(16, &format!("Exponent: {exponent} (0x{exponent:x})"));
        }
    }

    fn ec_key(&mut self, bits: usize, point: &[u8], name: &str, nist_name: &str) {
        self.line(12, "Public Key Algorithm: id-ecPublicKey");
        self.line(16, &format!("Public-Key: ({bits} bit)"));
        self.line(16, "pub:");
        self.octets(20, 15, point);
        self.line(16, &format!("ASN1 OID: {name}"));
        self.line(16, &format!("NIST CURVE: {nist_name}"));
    }

    fn edwards_key(&mut self, name: &str, octets: &[u8]) {
        self.line(12, &format!("Public Key Algorithm: {name}"));
        self.line(16, &format!("{name} Public-Key:"));
        self.line(16, "pub:");
        self.octets(20, 15, octets);
    }

    fn signature(&mut self, algorithm: &str, octets: &[u8]) {
        self.line(4, &format!("Signature Algorithm: {algorithm}"));
        self.line(4, "Signature Value:");
        self.octets(8, 18, octets);
    }

    /// Lines of so many octets, each but the last ending in a colon.
    fn octets(&mut self, indent: usize, per_line: usize, octets: &[u8]) {
        let count = octets.len().div_ceil(per_line);
        for (index, line) in octets.chunks(per_line).enumerate() {
            let end = if index + 1 < count { ":" } else { "" };
            self.line(indent, &format!("{}{end}", colons(line, false)));
        }
    }

    fn extension(&mut self, indent: usize, kind: &[u8], critical: bool, value: &[u8]) {
        let known = KNOWN.iter().find(|(oid, ..)| oid.as_bytes() == kind);
        let name =
            known.map_or_else(|| Oid::from_content(kind).to_string(), |(_, name, _)| (*name).to_owned());
        self.line(indent, &format!("{name}: {}", if critical { "critical" } else { "" }));
        let lines = known.and_then(|(.., show)| show(value)).unwrap_or_else(|| vec![dots(value)]);
        lines.iter().for_each(|line| self.line(indent + 4, line));
    }
}

type Show = fn(&[u8]) -> Option<Vec<String>>;

const KNOWN: &[(der::oid::ObjectIdentifier, &str, Show)] = &[
    (oid::BASIC_CONSTRAINTS, "X509v3 Basic Constraints", basic_constraints),
    (oid::SUBJECT_KEY_IDENTIFIER, "X509v3 Subject Key Identifier", subject_key_identifier),
    (oid::AUTHORITY_KEY_IDENTIFIER, "X509v3 Authority Key Identifier", authority_key_identifier),
    (oid::EXTENDED_KEY_USAGE, "X509v3 Extended Key Usage", extended_key_usage),
    (oid::KEY_USAGE, "X509v3 Key Usage", key_usage),
    (oid::SUBJECT_ALT_NAME, "X509v3 Subject Alternative Name", alternative_names),
    (oid::ISSUER_ALT_NAME, "X509v3 Issuer Alternative Name", alternative_names),
    (oid::CRL_DISTRIBUTION_POINTS, "X509v3 CRL Distribution Points", distribution_points),
    (oid::AUTHORITY_INFORMATION_ACCESS, "Authority Information Access", information_access),
    (oid::NETSCAPE_COMMENT, "Netscape Comment", netscape_comment),
    (oid::CRL_NUMBER, "X509v3 CRL Number", number),
];

fn basic_constraints(value: &[u8]) -> Option<Vec<String>> {
    let mut fields = only_sequence(value).ok()?.reader();
    let is_authority = fields.boolean_default_false().ok()?;
    let length = fields.optional(tag::INTEGER).ok()?;
    let authority = if is_authority { "CA:TRUE" } else { "CA:FALSE" };
    Some(vec![match length {
        Some(length) => format!("{authority}, pathlen:{}", small_unsigned(&length).ok()?),
        None => authority.to_owned(),
    }])
}

fn subject_key_identifier(value: &[u8]) -> Option<Vec<String>> {
    let identifier = Reader::new(value).octet_string().ok()?;
    Some(vec![colons(identifier.content, true)])
}

fn authority_key_identifier(value: &[u8]) -> Option<Vec<String>> {
    let mut fields = only_sequence(value).ok()?.reader();
    let key = fields.optional(tag::context(0)).ok()?;
    let issuer = fields.optional(tag::context_constructed(1)).ok()?;
    let serial = fields.optional(tag::context(2)).ok()?;
    let prefix = if issuer.is_some() || serial.is_some() { "keyid:" } else { "" };
    let mut lines: Vec<String> =
        key.iter().map(|key| format!("{prefix}{}", colons(key.content, true))).collect();
    if let Some(issuer) = issuer {
        let name = issuer.reader().nested(tag::context_constructed(4)).ok()?.any().ok()?;
        lines.push(format!("DirName:{}", dn::one_line(name.encoded)?));
    }
    lines
        .extend(serial.iter().map(|serial| format!("serial:{}", colons(without_sign(serial.content), true))));
    Some(lines)
}

fn without_sign(integer: &[u8]) -> &[u8] {
    match integer {
        [0, rest @ ..] if !rest.is_empty() => rest,
        whole => whole,
    }
}

fn extended_key_usage(value: &[u8]) -> Option<Vec<String>> {
    let mut purposes = only_sequence(value).ok()?.reader();
    let mut shown = Vec::new();
    while !purposes.is_empty() {
        let purpose = purposes.object_identifier().ok()?;
        let known = oid::PURPOSES.iter().find(|(oid, ..)| oid.as_bytes() == purpose);
        shown.push(
            known.map_or_else(|| Oid::from_content(purpose).to_string(), |(_, _, long)| (*long).to_owned()),
        );
    }
    Some(vec![shown.join(", ")])
}

fn key_usage(value: &[u8]) -> Option<Vec<String>> {
    let bits = Reader::new(value).element(tag::BIT_STRING).ok()?;
    let octet = |index: usize| bits.content.get(index).copied().unwrap_or(0);
    let bits = u16::from_be_bytes([octet(1), octet(2)]);
    let set = KeyUsage::ALL.iter().filter(|(usage, ..)| bits & (0x8000 >> (*usage as u16)) != 0);
    let names: Vec<&str> = set.map(|(.., long)| *long).collect();
    Some(vec![names.join(", ")])
}

fn alternative_names(value: &[u8]) -> Option<Vec<String>> {
    let mut names = only_sequence(value).ok()?.reader();
    let mut shown = Vec::new();
    while !names.is_empty() {
        shown.push(general_name(&names.any().ok()?));
    }
    Some(vec![shown.join(", ")])
}

fn general_name(name: &Element<'_>) -> String {
    let text = || printable(name.content);
    match name.tag {
        0x81 => format!("email:{}", text()),
        0x82 => format!("DNS:{}", text()),
        0x86 => format!("URI:{}", text()),
        0x87 => match (<[u8; 4]>::try_from(name.content), <[u8; 16]>::try_from(name.content)) {
            (Ok(octets), _) => format!("IP Address:{}", std::net::Ipv4Addr::from(octets)),
            (_, Ok(octets)) => {
                let groups: Vec<String> = octets
                    .chunks_exact(2)
                    .map(|pair| format!("{:X}", u16::from_be_bytes([pair[0], pair[1]])))
                    .collect();
                format!("IP Address:{}", groups.join(":"))
            }
            _ => "IP Address:<invalid>".into(),
        },
        0x88 => format!("Registered ID:{}", Oid::from_content(name.content)),
        0xa0 => "othername: <unsupported>".into(),
        0xa4 => match name.reader().any() {
            Ok(directory) => format!("DirName:{}", dn::one_line(directory.encoded).unwrap_or_default()),
            Err(_) => "DirName:<invalid>".into(),
        },
        _ => "<unsupported>".into(),
    }
}

fn distribution_points(value: &[u8]) -> Option<Vec<String>> {
    let mut points = only_sequence(value).ok()?.reader();
    let mut lines = Vec::new();
    while !points.is_empty() {
        let mut point = points.sequence().ok()?;
        let Some(name) = point.optional(tag::context_constructed(0)).ok()? else { continue };
        let mut full_name = name.reader().nested(tag::context_constructed(0)).ok()?;
        lines.push("Full Name:".to_owned());
        while !full_name.is_empty() {
            lines.push(format!("  {}", general_name(&full_name.any().ok()?)));
        }
    }
    Some(lines)
}

fn information_access(value: &[u8]) -> Option<Vec<String>> {
    let mut descriptions = only_sequence(value).ok()?.reader();
    let mut lines = Vec::new();
    while !descriptions.is_empty() {
        let mut description = descriptions.sequence().ok()?;
        let method = match description.object_identifier().ok()? {
            [.., 0x30, 1] => "OCSP".to_owned(),
            [.., 0x30, 2] => "CA Issuers".to_owned(),
            other => Oid::from_content(other).to_string(),
        };
        lines.push(format!("{method} - {}", general_name(&description.any().ok()?)));
    }
    Some(lines)
}

fn netscape_comment(value: &[u8]) -> Option<Vec<String>> {
    let comment = Reader::new(value).element(tag::IA5_STRING).ok()?;
    Some(vec![printable(comment.content)])
}

fn number(value: &[u8]) -> Option<Vec<String>> {
    let number = Reader::new(value).integer().ok()?;
    if number.len() > 8 {
        return Some(vec![format!("0x{}", colons(without_sign(number), true).replace(':', ""))]);
    }
    Some(vec![number.iter().fold(0_u64, |number, octet| number << 8 | u64::from(*octet)).to_string()])
}

fn algorithm_name(identifier: &[u8]) -> String {
    let mut encoder = crate::asn1::Encoder::default();
    encoder.value(tag::SEQUENCE, identifier);
    let der = encoder.into_der();
    let name = only_sequence(&der).and_then(|element| SignatureAlgorithm::parse(&element));
    let name = name.map(|name| name.to_string()).unwrap_or_default();
    if name.starts_with("Ed") { name.to_ascii_uppercase() } else { name }
}

fn colons(octets: &[u8], is_upper: bool) -> String {
    let digits = |octet: &u8| if is_upper { format!("{octet:02X}") } else { format!("{octet:02x}") };
    octets.iter().map(digits).collect::<Vec<_>>().join(":")
}

/// The octets as far as they are visible ASCII; everything else is a dot.
fn dots(octets: &[u8]) -> String {
    let visible = |octet: &u8| if (0x20..0x7f).contains(octet) { char::from(*octet) } else { '.' };
    octets.iter().map(visible).collect()
}

fn printable(octets: &[u8]) -> String {
    dots(octets)
}

const ED448: &[u8] = &[0x2b, 0x65, 0x71];

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::process::Command;

    fn by_openssl(arguments: &[&str], file: &Path) -> String {
        let said = Command::new("openssl").args(arguments).arg("-in").arg(file).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).unwrap()
    }

    fn differing_line(ours: &str, theirs: &str) -> Option<(String, String)> {
        let pairs = ours.lines().zip(theirs.lines());
        let first = pairs.into_iter().find(|(our, their)| our != their);
        let length = (ours.lines().count() != theirs.lines().count())
            .then(|| (ours.lines().count().to_string(), theirs.lines().count().to_string()));
        first.map(|(our, their)| (our.to_owned(), their.to_owned())).or(length)
    }

    #[test]
    fn certificates_look_as_openssl_prints_them() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/chain/easyrsa");
        for file in [
            "rsa/ca.crt",
            "rsa/issued/server1.crt",
            "ec/ca.crt",
            "ec/issued/server1.crt",
            "ec/issued/both1.crt",
            "ec/issued/jürgen.crt",
            "ec/issued/longlived.crt",
            "ec/issued/org1.crt",
            "ec/issued/subca.crt",
            "ed25519/issued/client1.crt",
            "v310-ec/ca.crt",
        ] {
            let path = directory.join(file);
            let read = Certificate::from_pem(&std::fs::read(&path).unwrap()).unwrap();
            let theirs = by_openssl(&["x509", "-noout", "-text", "-nameopt", "compat"], &path);
            assert_eq!(differing_line(&certificate(&read, Extent::Full), &theirs), None, "{file}");
            let options = "no_pubkey,no_sigdump";
            let theirs =
                by_openssl(&["x509", "-noout", "-text", "-certopt", options, "-nameopt", "multiline"], &path);
            if !file.contains("jürgen") {
                assert_eq!(differing_line(&certificate(&read, Extent::Brief), &theirs), None, "{file}");
            }
        }
    }

    #[test]
    fn dates_look_as_openssl_prints_them() {
        let at = Timestamp::from_calendar(2029, 2, 3, 7, 21, 48).unwrap();
        assert_eq!(openssl_date(at), "Feb  3 07:21:48 2029 GMT");
    }
}
