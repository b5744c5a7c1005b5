//! The certificates and keys inside a profile: whether they can be read, still hold, are strong, and belong together.

use super::doubt::Doubt;
use super::{At, Profile, Severity};
use crate::bundle::document::Directive;
use crate::bundle::static_key::{ClientKey, parse_static_key};
use crate::cert::{Certificate, IssuedKind};
use crate::key::EncodedKey;
use crate::x509::PublicKeyKind;

/// Adds what there is to say about the blocks.
pub(super) fn judge(profile: &mut Profile) {
    let blocks: Vec<(usize, Directive)> =
        profile.directives.iter().filter(|(_, directive)| directive.inline.is_some()).cloned().collect();
    let authorities = certificates(profile, &blocks, "ca");
    for (line, certificate) in &authorities {
        authority(profile, *line, certificate);
    }
    let chain = certificates(profile, &blocks, "cert");
    if let Some((line, leaf)) = chain.first() {
        client(profile, *line, leaf);
        issuer(profile, *line, &chain, &authorities);
    }
    for (line, block) in &blocks {
        match block.name.as_str() {
            "key" => key(profile, *line, block, chain.first().map(|(_, leaf)| leaf)),
            "pkcs12" => readable_by_others(profile, At { line: *line, directive: "pkcs12" }),
            "tls-auth" | "tls-crypt" | "tls-crypt-v2" => wrapping_key(profile, *line, block),
            _ => {}
        }
    }
}

fn certificates(
    profile: &mut Profile,
    blocks: &[(usize, Directive)],
    name: &str,
) -> Vec<(usize, Certificate)> {
    let mut found = Vec::new();
    for (line, block) in blocks.iter().filter(|(_, block)| block.name == name) {
        match Certificate::all_from_pem(text_of(block).as_bytes()) {
            Ok(certificates) => {
                found.extend(certificates.into_iter().map(|certificate| (*line, certificate)))
            }
            Err(problem) => {
                let message = format!("<{name}> cannot be read: {problem}");
                let at = At { line: *line, directive: name };
                let help = "Put the certificate in PEM between the tags.";
                profile.add(at, Severity::Error, Doubt::CertificateUnreadable, message, help);
            }
        }
    }
    found
}

fn authority(profile: &mut Profile, line: usize, certificate: &Certificate) {
    let at = At { line, directive: "ca" };
    let now = profile.circumstances.now;
    if certificate.not_after() < now {
        let message =
            format!("the authority has expired on {}: no server can be verified", certificate.not_after());
        let help = "Ask for a profile with the present authority.";
        profile.add(at, Severity::Error, Doubt::AuthorityExpired, message, help);
    }
    if !certificate.is_ca() {
        let message = "the certificate in <ca> is not that of an authority".to_owned();
        profile.add(at, Severity::Error, Doubt::AuthorityUnusable, message, "Put the authority's there.");
    }
    weakness(profile, at, certificate);
}

fn client(profile: &mut Profile, line: usize, certificate: &Certificate) {
    let at = At { line, directive: "cert" };
    let (now, end) = (profile.circumstances.now, certificate.not_after());
    if end < now {
        let message = format!("the certificate has expired on {end}");
        profile.add(at, Severity::Error, Doubt::CertificateExpired, message, "Ask for a new profile.");
    } else if end < now.plus_days(SOON) {
        let message = format!("the certificate expires on {end}");
        profile.add(at, Severity::Warning, Doubt::CertificateExpiring, message, "Ask for a new profile.");
    }
    if certificate.not_before() > now {
        let message = format!("the certificate is valid from {} only", certificate.not_before());
        profile.add(at, Severity::Warning, Doubt::CertificateEarly, message, "Check the clock.");
    }
    if matches!(certificate.kind(), IssuedKind::Server | IssuedKind::Authority) {
        let message = "the certificate is not meant for clients, and servers refuse it".to_owned();
        let help = "Ask for a certificate of the type client.";
        profile.add(at, Severity::Error, Doubt::CertificateNotForClients, message, help);
    }
    weakness(profile, at, certificate);
}

fn weakness(profile: &mut Profile, at: At<'_>, certificate: &Certificate) {
    let is_short = matches!(certificate.public_key_kind(), PublicKeyKind::Rsa { bits } if *bits < RSA_BITS);
    let message = if is_short {
        format!("the key of {} is too short: {}", certificate.subject(), certificate.public_key_kind())
    } else if certificate.signature_algorithm().is_weak() && !certificate.is_self_issued() {
        let algorithm = certificate.signature_algorithm();
        format!("the signature of {} can be forged: {algorithm}", certificate.subject())
    } else {
        return;
    };
    profile.add(at, Severity::Warning, Doubt::CertificateWeak, message, "Ask for certificates of today.");
}

/// Servers may have authorities of clients of their own, so this is no more than a warning.
fn issuer(
    profile: &mut Profile,
    line: usize,
    chain: &[(usize, Certificate)],
    authorities: &[(usize, Certificate)],
) {
    let is_issued_here = |(_, certificate): &(usize, Certificate)| {
        authorities.iter().any(|(_, authority)| certificate.verify_signed_by(authority).is_ok())
    };
    if !authorities.is_empty() && !chain.iter().any(is_issued_here) {
        let message = "the certificate does not come from an authority in <ca>".to_owned();
        let help = "Check that both belong to the same server.";
        let at = At { line, directive: "cert" };
        profile.add(at, Severity::Warning, Doubt::CertificateForeign, message, help);
    }
}

fn key(profile: &mut Profile, line: usize, block: &Directive, leaf: Option<&Certificate>) {
    let at = At { line, directive: "key" };
    match EncodedKey::from_pem(text_of(block).as_bytes()) {
        Err(problem) => {
            let message = format!("<key> cannot be read: {problem}");
            profile.add(
                at,
                Severity::Error,
                Doubt::KeyUnreadable,
                message,
                "Put the key in PEM between the tags.",
            );
        }
        Ok(EncodedKey::Encrypted(locked)) => {
            if let Some(weakness) = locked.weakness() {
                let message = format!("the encryption of the key is weak: {weakness}");
                let help = "Encrypt it again: openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 600000.";
                profile.add(at, Severity::Warning, Doubt::KeyEncryptionWeak, message, help);
            }
        }
        Ok(EncodedKey::Plain(key)) => {
            let message = "the key is not encrypted: whoever gets the profile can connect".to_owned();
            let help = "Hand the profile out on a way that nobody else can read.";
            profile.add(at, Severity::Note, Doubt::KeyPlain, message, help);
            readable_by_others(profile, at);
            if leaf.is_some_and(|leaf| leaf.public_key_info() != key.public_key_info()) {
                let message = "the key does not belong to the certificate in <cert>".to_owned();
                profile.add(
                    at,
                    Severity::Error,
                    Doubt::KeyMismatch,
                    message,
                    "Put both of one client there.",
                );
            }
        }
    }
}

fn readable_by_others(profile: &mut Profile, at: At<'_>) {
    let Some(mode) = profile.circumstances.mode.filter(|mode| mode & 0o077 != 0) else {
        return;
    };
    let message = format!("others on this machine may read the key (mode {:04o})", mode & 0o7777);
    profile.add(at, Severity::Error, Doubt::KeyExposed, message, "Run chmod 600 on the file.");
}

fn wrapping_key(profile: &mut Profile, line: usize, block: &Directive) {
    let problem = match block.name.as_str() {
        "tls-crypt-v2" => ClientKey::parse(text_of(block)).err(),
        _ => parse_static_key(text_of(block)).err(),
    };
    if let Some(problem) = problem {
        let at = At { line, directive: &block.name };
        let message = format!("<{}> cannot be read: {problem}", block.name);
        profile.add(at, Severity::Error, Doubt::WrappingKeyUnreadable, message, "Ask for the key again.");
    }
}

fn text_of(block: &Directive) -> &str {
    block.inline.as_ref().map_or("", |inline| inline.as_str())
}

/// Days before its end from which on a certificate is called expiring.
const SOON: i64 = 30;
/// Servers refuse shorter RSA keys.
const RSA_BITS: usize = 2048;
