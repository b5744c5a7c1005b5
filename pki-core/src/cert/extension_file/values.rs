//! What a setting of an extension file means: one extension per name, in OpenSSL's notation.

use der::oid::ObjectIdentifier;

use super::asn1_text::{self, MAX_DEPTH, boolean, generate, number};
use super::{ExtensionContext, ExtensionFile, Setting};
use crate::asn1::Encoder;
use crate::cert::extension::{Extension, KeyUsage, PathLength, oid};
use crate::cert::san::GeneralName;
use crate::x509::der::tag;

type Outcome<T> = Result<T, String>;

/// The extension that a setting describes; `None` for one that asks for nothing, such as `none`.
pub(super) fn extension(
    file: &ExtensionFile,
    setting: &Setting,
    context: &ExtensionContext<'_>,
) -> Outcome<Option<Extension>> {
    let (is_critical, value) = match setting.value.split_once(',') {
        Some((first, rest)) if first.trim() == "critical" => (true, rest.trim()),
        _ => (false, setting.value.trim()),
    };
    let made = match raw(file, &setting.name, value)? {
        Some(extension) => Some(extension),
        None => named(file, &setting.name, value, context)?,
    };
    Ok(made.map(|extension| extension.critical(is_critical)))
}

/// `DER:hex digits` or `ASN1:notation` under any name.
fn raw(file: &ExtensionFile, name: &str, value: &str) -> Outcome<Option<Extension>> {
    let octets = if let Some(digits) = value.strip_prefix("DER:") {
        hexadecimal(digits)?
    } else if let Some(text) = value.strip_prefix("ASN1:") {
        generate(file, text, MAX_DEPTH)?
    } else {
        return Ok(None);
    };
    let known = KNOWN.iter().find(|(known, _)| *known == name).map(|(_, oid)| *oid);
    let oid = known.or_else(|| ObjectIdentifier::new(name).ok());
    let oid = oid.ok_or_else(|| "the name is no extension and no object identifier".to_owned())?;
    Ok(Some(Extension::new(oid, octets)))
}

fn named(
    file: &ExtensionFile,
    name: &str,
    value: &str,
    context: &ExtensionContext<'_>,
) -> Outcome<Option<Extension>> {
    Ok(Some(match name {
        "basicConstraints" => basic_constraints(&pairs(file, value)?)?,
        "keyUsage" => key_usage(value)?,
        "extendedKeyUsage" => extended_key_usage(&words(file, value)?)?,
        "subjectKeyIdentifier" => match value {
            "hash" => Extension::subject_key_identifier(context.subject_key),
            "none" => return Ok(None),
            digits => Extension::subject_key_identifier(&hexadecimal(digits)?),
        },
        "authorityKeyIdentifier" => return authority_key_identifier(value, context),
        "subjectAltName" => Extension::new(oid::SUBJECT_ALT_NAME, general_names(file, value)?),
        "issuerAltName" if value == "issuer:copy" => match context.issuer_names {
            Some(names) => Extension::new(oid::ISSUER_ALT_NAME, names.to_vec()),
            None => return Ok(None),
        },
        "issuerAltName" => Extension::new(oid::ISSUER_ALT_NAME, general_names(file, value)?),
        "crlDistributionPoints" => distribution_points(file, value)?,
        "authorityInfoAccess" => information_access(file, value)?,
        "nameConstraints" => name_constraints(file, value)?,
        "certificatePolicies" => certificate_policies(file, value)?,
        "policyConstraints" => policy_constraints(&pairs(file, value)?)?,
        "inhibitAnyPolicy" => {
            let mut skip = Encoder::default();
            skip.unsigned(&number(value)?.to_be_bytes());
            Extension::new(oid::INHIBIT_ANY_POLICY, skip.into_der())
        }
        "tlsfeature" => tls_feature(value)?,
        "nsCertType" => netscape_certificate_type(value)?,
        "nsComment" => netscape_comment(value)?,
        _ => {
            return Err("this extension is not supported; write it as OID = DER:... or OID = ASN1:...".into());
        }
    }))
}

fn basic_constraints(pairs: &[(String, String)]) -> Outcome<Extension> {
    let mut is_authority = false;
    let mut length = PathLength::Unlimited;
    for (name, value) in pairs {
        match name.as_str() {
            "CA" => is_authority = boolean(value)?,
            "pathlen" => {
                let number = number(value)?;
                length =
                    PathLength::AtMost(u8::try_from(number).map_err(|_| "a path length is at most 255")?);
            }
            other => return Err(format!("'{other}' is neither CA nor pathlen")),
        }
    }
    if !is_authority && length != PathLength::Unlimited {
        return Err("only an authority has a path length".into());
    }
    Ok(Extension::basic_constraints(is_authority.then_some(length)))
}

fn key_usage(value: &str) -> Outcome<Extension> {
    let usage = |word: &str| {
        let found = KeyUsage::ALL.iter().find(|(_, name, long)| *name == word.trim() || *long == word.trim());
        found.map(|(usage, ..)| *usage).ok_or_else(|| format!("'{}' is no key usage", word.trim()))
    };
    let usages: Vec<KeyUsage> = value.split(',').map(usage).collect::<Outcome<_>>()?;
    Ok(Extension::key_usage(&usages))
}

fn extended_key_usage(purposes: &[String]) -> Outcome<Extension> {
    let purpose = |word: &String| {
        let found = oid::PURPOSES.iter().find(|(_, name, _)| name == word);
        found.map_or_else(|| asn1_text::oid(word), |(oid, ..)| Ok(*oid))
    };
    let purposes: Vec<ObjectIdentifier> = purposes.iter().map(purpose).collect::<Outcome<_>>()?;
    if purposes.is_empty() {
        return Err("at least one purpose is needed".into());
    }
    Ok(Extension::extended_key_usage(&purposes))
}

fn authority_key_identifier(value: &str, context: &ExtensionContext<'_>) -> Outcome<Option<Extension>> {
    let mut has_key = false;
    let mut always_names_issuer = false;
    for word in value.split(',') {
        match word.trim() {
            "keyid" | "keyid:always" => has_key = true,
            "issuer:always" => always_names_issuer = true,
            // OpenSSL names the issuer only if the key identifier is missing, which it never is here.
            "issuer" => {}
            "none" => return Ok(None),
            other => return Err(format!("'{other}' is neither keyid nor issuer")),
        }
    }
    if !has_key {
        return Err("a key identifier is needed: write keyid".into());
    }
    let issuer = always_names_issuer.then_some(context.issuer);
    Ok(Some(Extension::authority_key_identifier(context.issuer_key, issuer)))
}

/// The DER of a SEQUENCE OF GeneralName.
fn general_names(file: &ExtensionFile, value: &str) -> Outcome<Vec<u8>> {
    let mut names = Encoder::default();
    for (kind, value) in pairs(file, value)? {
        general_name(file, &mut names, &kind, &value)?;
    }
    let names = names.into_der();
    if names.is_empty() {
        return Err("at least one name is needed".into());
    }
    let mut list = Encoder::default();
    list.value(tag::SEQUENCE, &names);
    Ok(list.into_der())
}

fn general_name(file: &ExtensionFile, names: &mut Encoder, kind: &str, value: &str) -> Outcome<()> {
    match kind {
        "otherName" => {
            let (identifier, text) = value.split_once(';').ok_or("otherName is written OID;ASN.1")?;
            let inner = generate(file, text, MAX_DEPTH)?;
            let identifier = asn1_text::oid(identifier)?;
            names.nested(tag::context_constructed(0), |other| {
                other.oid(&identifier);
                other.value(tag::context_constructed(0), &inner);
            });
        }
        "dirName" => {
            let name = directory_name(file.section(value)?)?;
            names.nested(tag::context_constructed(4), |directory| directory.raw(&name));
        }
        "RID" => names.value(tag::context(8), asn1_text::oid(value)?.as_bytes()),
        _ => {
            let entry = format!("{kind}:{value}");
            GeneralName::parse(&entry).map_err(|error| error.to_string())?.encode(names);
        }
    }
    Ok(())
}

fn directory_name(section: &[Setting]) -> Outcome<Vec<u8>> {
    let mut names = Encoder::default();
    for setting in section {
        let kind = setting.name.split_once('.').map_or(setting.name.as_str(), |(number, kind)| {
            if number.bytes().all(|digit| digit.is_ascii_digit()) { kind } else { &setting.name }
        });
        crate::dn::encode_attribute(&mut names, kind, &setting.value)?;
    }
    let mut sequence = Encoder::default();
    sequence.value(tag::SEQUENCE, &names.into_der());
    Ok(sequence.into_der())
}

/// Either a list of names, each a distribution point of its own, or a section with the parts of one.
fn distribution_points(file: &ExtensionFile, value: &str) -> Outcome<Extension> {
    let mut points = Encoder::default();
    for word in value.split(',').map(str::trim) {
        match word.split_once(':') {
            Some((kind, value)) => {
                let mut names = Encoder::default();
                general_name(file, &mut names, kind, value)?;
                point(&mut points, &names.into_der(), None);
            }
            None => section_point(file, &mut points, file.section(word)?)?,
        }
    }
    let mut list = Encoder::default();
    list.value(tag::SEQUENCE, &points.into_der());
    Ok(Extension::new(oid::CRL_DISTRIBUTION_POINTS, list.into_der()))
}

fn section_point(file: &ExtensionFile, points: &mut Encoder, section: &[Setting]) -> Outcome<()> {
    let mut full_name = Encoder::default();
    let mut issuer = None;
    for setting in section {
        match setting.name.as_str() {
            "fullname" => {
                for (kind, value) in pairs(file, &setting.value)? {
                    general_name(file, &mut full_name, &kind, &value)?;
                }
            }
            "CRLissuer" => {
                let mut names = Encoder::default();
                for (kind, value) in pairs(file, &setting.value)? {
                    general_name(file, &mut names, &kind, &value)?;
                }
                issuer = Some(names.into_der());
            }
            other => return Err(format!("'{other}' is not supported in a distribution point")),
        }
    }
    point(points, &full_name.into_der(), issuer.as_deref());
    Ok(())
}

fn point(points: &mut Encoder, full_name: &[u8], issuer: Option<&[u8]>) {
    points.sequence(|point| {
        if !full_name.is_empty() {
            point.nested(tag::context_constructed(0), |name| {
                name.value(tag::context_constructed(0), full_name);
            });
        }
        if let Some(issuer) = issuer {
            point.value(tag::context_constructed(2), issuer);
        }
    });
}

/// `OCSP;URI:http://...` and `caIssuers;URI:http://...`
fn information_access(file: &ExtensionFile, value: &str) -> Outcome<Extension> {
    let mut descriptions = Encoder::default();
    for (left, right) in pairs(file, value)? {
        let (method, kind) = left.split_once(';').ok_or("write OCSP;URI:... or caIssuers;URI:...")?;
        let method = match method.trim() {
            "OCSP" => OCSP,
            "caIssuers" => CA_ISSUERS,
            other => asn1_text::oid(other)?,
        };
        let mut location = Encoder::default();
        general_name(file, &mut location, kind.trim(), &right)?;
        let location = location.into_der();
        descriptions.sequence(|description| {
            description.oid(&method);
            description.raw(&location);
        });
    }
    let mut list = Encoder::default();
    list.value(tag::SEQUENCE, &descriptions.into_der());
    Ok(Extension::new(oid::AUTHORITY_INFORMATION_ACCESS, list.into_der()))
}

/// `permitted;DNS:example.net, excluded;IP:10.0.0.0/255.0.0.0`
fn name_constraints(file: &ExtensionFile, value: &str) -> Outcome<Extension> {
    let (mut permitted, mut excluded) = (Encoder::default(), Encoder::default());
    for (left, right) in pairs(file, value)? {
        let (list, kind) = left.split_once(';').ok_or("write permitted;DNS:... or excluded;DNS:...")?;
        let list = match list.trim() {
            "permitted" => &mut permitted,
            "excluded" => &mut excluded,
            other => return Err(format!("'{other}' is neither permitted nor excluded")),
        };
        let mut base = Encoder::default();
        constraint_base(file, &mut base, kind.trim(), &right)?;
        let base = base.into_der();
        list.sequence(|subtree| subtree.raw(&base));
    }
    let (permitted, excluded) = (permitted.into_der(), excluded.into_der());
    let value = Encoder::sequence_of(|constraints| {
        if !permitted.is_empty() {
            constraints.value(tag::context_constructed(0), &permitted);
        }
        if !excluded.is_empty() {
            constraints.value(tag::context_constructed(1), &excluded);
        }
    });
    Ok(Extension::new(oid::NAME_CONSTRAINTS, value))
}

/// Like a name, but an address has a mask, and a domain or host may be a suffix beginning with a dot.
fn constraint_base(file: &ExtensionFile, base: &mut Encoder, kind: &str, value: &str) -> Outcome<()> {
    match kind {
        "IP" => {
            let (address, mask) =
                value.split_once('/').ok_or("an address needs a mask: 10.0.0.0/255.0.0.0")?;
            let octets = |text: &str| match text.trim().parse() {
                Ok(std::net::IpAddr::V4(address)) => Ok(address.octets().to_vec()),
                Ok(std::net::IpAddr::V6(address)) => Ok(address.octets().to_vec()),
                Err(_) => Err(format!("'{text}' is no address")),
            };
            let (address, mask) = (octets(address)?, octets(mask)?);
            if address.len() != mask.len() {
                return Err("address and mask are of different families".into());
            }
            base.value(tag::context(7), &[address, mask].concat());
            Ok(())
        }
        "DNS" | "email" | "URI" => {
            if !value.bytes().all(|octet| octet.is_ascii_graphic()) {
                return Err(format!("'{value}' is not visible ASCII"));
            }
            let number = if kind == "email" {
                1
            } else if kind == "DNS" {
                2
            } else {
                6
            };
            base.value(tag::context(number), value.as_bytes());
            Ok(())
        }
        _ => general_name(file, base, kind, value),
    }
}

/// Object identifiers, or `@section` with `policyIdentifier` and `CPS.n`.
fn certificate_policies(file: &ExtensionFile, value: &str) -> Outcome<Extension> {
    let mut policies = Encoder::default();
    for word in value.split(',').map(str::trim).filter(|word| *word != "ia5org") {
        let (identifier, practice_statements) = match word.strip_prefix('@') {
            Some(name) => policy_section(file.section(name)?)?,
            None => (asn1_text::oid(word)?, Vec::new()),
        };
        policies.sequence(|policy| {
            policy.oid(&identifier);
            if !practice_statements.is_empty() {
                policy.sequence(|qualifiers| {
                    for uri in &practice_statements {
                        qualifiers.sequence(|qualifier| {
                            qualifier.oid(&PRACTICE_STATEMENT);
                            qualifier.value(tag::IA5_STRING, uri.as_bytes());
                        });
                    }
                });
            }
        });
    }
    let mut list = Encoder::default();
    list.value(tag::SEQUENCE, &policies.into_der());
    Ok(Extension::new(oid::CERTIFICATE_POLICIES, list.into_der()))
}

fn policy_section(section: &[Setting]) -> Outcome<(ObjectIdentifier, Vec<String>)> {
    let mut identifier = None;
    let mut practice_statements = Vec::new();
    for setting in section {
        match setting.name.split('.').next() {
            Some("policyIdentifier") => identifier = Some(asn1_text::oid(&setting.value)?),
            Some("CPS") if setting.value.is_ascii() => practice_statements.push(setting.value.clone()),
            _ => return Err(format!("'{}' is not supported in a policy", setting.name)),
        }
    }
    Ok((identifier.ok_or("policyIdentifier is missing")?, practice_statements))
}

fn policy_constraints(pairs: &[(String, String)]) -> Outcome<Extension> {
    let mut fields = [None, None];
    for (name, value) in pairs {
        match name.as_str() {
            "requireExplicitPolicy" => fields[0] = Some(number(value)?),
            "inhibitPolicyMapping" => fields[1] = Some(number(value)?),
            other => return Err(format!("'{other}' is no policy constraint")),
        }
    }
    let value = Encoder::sequence_of(|constraints| {
        for (context, field) in (0_u8..).zip(fields) {
            if let Some(skip) = field {
                constraints.unsigned_as(tag::context(context), &skip.to_be_bytes());
            }
        }
    });
    Ok(Extension::new(oid::POLICY_CONSTRAINTS, value))
}

fn tls_feature(value: &str) -> Outcome<Extension> {
    let mut features = Encoder::default();
    for word in value.split(',').map(str::trim) {
        let feature = match word {
            "status_request" => 5,
            "status_request_v2" => 17,
            digits => number(digits)?,
        };
        features.unsigned(&feature.to_be_bytes());
    }
    let mut list = Encoder::default();
    list.value(tag::SEQUENCE, &features.into_der());
    Ok(Extension::new(oid::TLS_FEATURE, list.into_der()))
}

fn netscape_certificate_type(value: &str) -> Outcome<Extension> {
    let bit = |word: &str| {
        let position = NETSCAPE_TYPES.iter().position(|name| *name == word.trim());
        position.map(|position| 0x8000_u16 >> position).ok_or_else(|| format!("'{word}' is no nsCertType"))
    };
    let bits = value.split(',').map(bit).try_fold(0, |bits, bit| Ok::<u16, String>(bits | bit?))?;
    let mut encoder = Encoder::default();
    encoder.named_bits(bits);
    Ok(Extension::new(oid::NETSCAPE_CERTIFICATE_TYPE, encoder.into_der()))
}

fn netscape_comment(value: &str) -> Outcome<Extension> {
    if !value.is_ascii() {
        return Err("a comment is ASCII".into());
    }
    let mut encoder = Encoder::default();
    encoder.value(tag::IA5_STRING, value.as_bytes());
    Ok(Extension::new(oid::NETSCAPE_COMMENT, encoder.into_der()))
}

/// `name:value` parts joined with commas, or the settings of `@section`; numbers behind a dot (`DNS.1`) only tell
/// settings apart.
fn pairs(file: &ExtensionFile, value: &str) -> Outcome<Vec<(String, String)>> {
    if let Some(section) = value.strip_prefix('@') {
        let settings = file.section(section)?.iter();
        let plain = |name: &str| name.split_once('.').map_or(name.to_owned(), |(kind, _)| kind.to_owned());
        return Ok(settings.map(|setting| (plain(&setting.name), setting.value.clone())).collect());
    }
    let pair = |part: &str| {
        let (name, value) = part.split_once(':').ok_or_else(|| format!("'{}' has no ':'", part.trim()))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    value.split(',').map(pair).collect()
}

fn words(file: &ExtensionFile, value: &str) -> Outcome<Vec<String>> {
    match value.strip_prefix('@') {
        Some(section) => Ok(file.section(section)?.iter().map(|setting| setting.value.clone()).collect()),
        None => Ok(value.split(',').map(|word| word.trim().to_owned()).collect()),
    }
}

fn hexadecimal(digits: &str) -> Outcome<Vec<u8>> {
    let digits: Vec<u8> = digits.bytes().filter(|digit| !matches!(digit, b':' | b' ')).collect();
    let text = String::from_utf8(digits).map_err(|_| "not hexadecimal")?;
    if text.is_empty() || text.len() % 2 != 0 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(format!("'{text}' is no hexadecimal text of whole octets"));
    }
    let octet = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).map_err(|error| error.to_string());
    (0..text.len()).step_by(2).map(octet).collect()
}

/// Names that `DER:` and `ASN1:` values may stand under besides object identifiers.
const KNOWN: [(&str, ObjectIdentifier); 15] = [
    ("basicConstraints", oid::BASIC_CONSTRAINTS),
    ("keyUsage", oid::KEY_USAGE),
    ("extendedKeyUsage", oid::EXTENDED_KEY_USAGE),
    ("subjectKeyIdentifier", oid::SUBJECT_KEY_IDENTIFIER),
    ("authorityKeyIdentifier", oid::AUTHORITY_KEY_IDENTIFIER),
    ("subjectAltName", oid::SUBJECT_ALT_NAME),
    ("issuerAltName", oid::ISSUER_ALT_NAME),
    ("crlDistributionPoints", oid::CRL_DISTRIBUTION_POINTS),
    ("authorityInfoAccess", oid::AUTHORITY_INFORMATION_ACCESS),
    ("nameConstraints", oid::NAME_CONSTRAINTS),
    ("certificatePolicies", oid::CERTIFICATE_POLICIES),
    ("policyConstraints", oid::POLICY_CONSTRAINTS),
    ("inhibitAnyPolicy", oid::INHIBIT_ANY_POLICY),
    ("tlsfeature", oid::TLS_FEATURE),
    ("nsComment", oid::NETSCAPE_COMMENT),
];

/// Bit 4 is reserved.
const NETSCAPE_TYPES: [&str; 8] =
    ["client", "server", "email", "objsign", "reserved", "sslCA", "emailCA", "objCA"];

const OCSP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1");
const CA_ISSUERS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.2");
const PRACTICE_STATEMENT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.2.1");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cert::extension::IssuerAndSerial;
    use crate::serial::Serial;

    fn resolved(text: &str) -> Result<Vec<Extension>, String> {
        let serial = Serial::from_be_bytes(&[7]);
        let context = ExtensionContext {
            subject_key: &[1; 20],
            issuer_key: &[2; 20],
            issuer: IssuerAndSerial { issuer: &[0x30, 0], serial: &serial },
            issuer_names: None,
        };
        let file =
            ExtensionFile::parse(text, |_| Some("EXAMPLE.NET".into())).map_err(|error| error.to_string())?;
        file.resolve(&context).map_err(|error| error.to_string())
    }

    fn one(text: &str) -> Extension {
        let mut found = resolved(text).unwrap();
        assert_eq!(found.len(), 1, "{text}");
        found.remove(0)
    }

    /// What openssl makes of the same file, as DER of each extension's value.
    fn by_openssl(text: &str) -> Vec<(String, bool, Vec<u8>)> {
        use x509_parser::prelude::{FromDer, X509Certificate};

        let directory = tempfile::tempdir().unwrap();
        let (configuration, certificate) = (directory.path().join("c"), directory.path().join("o"));
        let head =
            "[req]\ndistinguished_name=dn\nx509_extensions=default_\nprompt=no\n[dn]\nCN=x\n[default_]\n";
        std::fs::write(&configuration, format!("{head}{text}")).unwrap();
        let made = std::process::Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", "/dev/null", "-outform", "DER"])
            .arg("-config")
            .arg(&configuration)
            .arg("-out")
            .arg(&certificate)
            .env("EASYRSA_KDC_REALM", "EXAMPLE.NET")
            .output()
            .unwrap();
        assert!(made.status.success(), "{text}: {}", String::from_utf8_lossy(&made.stderr));
        let der = std::fs::read(&certificate).unwrap();
        let (_, parsed) = X509Certificate::from_der(&der).unwrap();
        let all = parsed.extensions().iter();
        all.map(|found| (found.oid.to_id_string(), found.critical, found.value.to_vec())).collect()
    }

    #[test]
    fn values_are_those_that_openssl_makes() {
        for text in [
            "basicConstraints = critical, CA:TRUE, pathlen:0\n",
            "basicConstraints = CA:FALSE\n",
            "keyUsage = critical,nonRepudiation,digitalSignature , keyEncipherment,keyAgreement\n",
            "keyUsage = decipherOnly\n",
            "extendedKeyUsage = serverAuth,clientAuth, 1.3.6.1.5.2.3.5\n",
            "subjectAltName = DNS:a.example,IP:192.0.2.1,IP:2001:db8::1,email:a@b.example,URI:http://x/y,RID:1.2.3\n",
            "subjectAltName = @names\n[names]\nDNS.1 = a.example\nDNS.2 = b.example\nIP.1 = 10.0.0.1\n",
            "subjectAltName = dirName:d\n[d]\nC = DE\nO = Acme\nCN = x\n",
            "subjectAltName = otherName:1.3.6.1.5.2.2;SEQUENCE:kdc\n[kdc]\nrealm = EXP:0,GeneralString:${ENV::EASYRSA_KDC_REALM}\n\
             principal = EXP:1,SEQUENCE:p\n[p]\nkind = EXP:0,INTEGER:1\nname = EXP:1,SEQUENCE:n\n[n]\na = GeneralString:krbtgt\n",
            "crlDistributionPoints = URI:http://a.example/crl.pem,URI:http://b.example/crl.pem\n",
            "crlDistributionPoints = point\n[point]\nfullname = URI:http://a.example/crl.pem,URI:ldap://b\n",
            "authorityInfoAccess = OCSP;URI:http://o.example/,caIssuers;URI:http://c.example/ca.der\n",
            "nameConstraints = critical,permitted;DNS:.example.net,excluded;IP:10.0.0.0/255.0.0.0,permitted;email:example.net\n",
            "certificatePolicies = 1.2.3.4,@policy\n[policy]\npolicyIdentifier = 1.3.5.8\nCPS.1 = http://c.example\n",
            "policyConstraints = requireExplicitPolicy:3,inhibitPolicyMapping:0\n",
            "inhibitAnyPolicy = 2\n",
            "tlsfeature = status_request,status_request_v2\n",
            "nsCertType = server, client\n",
            "nsComment = \"a comment, with a comma\"\n",
            "1.2.3.4 = critical,DER:04:03:01:02:03\n",
            "1.2.3.4 = ASN1:UTF8String:text\n",
            "keyUsage = DER:03020780\n",
        ] {
            let made = one(text);
            // OpenSSL 3 adds key identifiers of its own when none are asked for.
            let expected = by_openssl(text);
            let expected = expected.iter().find(|(oid, ..)| *oid == made.oid.to_string());
            let (_, critical, value) = expected.unwrap_or_else(|| panic!("{text}"));
            assert_eq!((made.is_critical, &made.value), (*critical, value), "{text}");
        }
    }

    #[test]
    fn key_identifiers_come_from_the_context() {
        assert_eq!(one("subjectKeyIdentifier = hash").value[2..], [1; 20]);
        assert_eq!(one("authorityKeyIdentifier = keyid:always").value.len(), 24);
        let long = one("authorityKeyIdentifier = keyid,issuer:always").value;
        assert!(long.ends_with(&[0x82, 1, 7]));
        assert_eq!(one("authorityKeyIdentifier = keyid,issuer").value.len(), 24);
        assert_eq!(resolved("issuerAltName = issuer:copy").unwrap(), []);
    }

    #[test]
    fn nothing_goes_missing_silently() {
        for text in [
            "keyUsage = digitalSignatur",
            "extendedKeyUsage = vpn",
            "basicConstraints = CA:perhaps",
            "basicConstraints = CA:FALSE,pathlen:1",
            "subjectAltName = a.example",
            "subjectAltName = @missing",
            "noSuchExtension = x",
            "1.2.3 = 04",
            "1.2.3 = DER:4",
            "crlDistributionPoints = missing",
            "nameConstraints = DNS:x",
        ] {
            assert!(resolved(text).is_err(), "{text}");
        }
    }
}
