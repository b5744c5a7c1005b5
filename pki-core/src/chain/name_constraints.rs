//! Name constraints: which names a CA and everything below it may certify (RFC 5280 section 4.2.1.10).
//!
//! A constraint or a name that cannot be interpreted is never skipped: it makes the path unacceptable.

use std::net::IpAddr;

use super::authority::Fault;
use super::peer_name::{is_host_name, same_mailbox, split_mailbox};
use super::rejection::Reason;
use super::search::{Budget, Exhausted};
use crate::text::Printable;
use crate::x509::extensions::{NameConstraints, SubtreeBase};
use crate::x509::general_name::GeneralName;
use crate::x509::{Certificate, DistinguishedName, oid};

/// Applies the constraints of every issuer to every certificate below it; key roll-over certificates are exempt.
pub(super) fn check(path: &[&Certificate], budget: &mut Budget) -> Result<Result<(), Fault>, Exhausted> {
    for (height, issuer) in path.iter().enumerate().skip(1) {
        let Some(constraints) = &issuer.extensions().name_constraints else {
            continue;
        };
        for (depth, certificate) in path[..height].iter().enumerate() {
            if depth > 0 && certificate.is_self_issued() {
                continue;
            }
            if let Err(reason) = check_certificate(certificate, &constraints.value, budget)? {
                return Ok(Err(Fault { depth, reason }));
            }
        }
    }
    Ok(Ok(()))
}

/// One name of a certificate.
enum Name<'a> {
    Directory(&'a DistinguishedName),
    Email(&'a str),
    Dns(&'a str),
    Uri(&'a str),
    Ip(IpAddr),
    Other(u8),
}

/// How a name lies to the base of a subtree.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Relation {
    OtherForm,
    Inside,
    Outside,
    Unusable,
}

/// Which kind of subtree is compared; a wildcard name is inside a permitted subtree if all it stands for is, and
/// inside an excluded one if anything is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subtree {
    Permitted,
    Excluded,
}

fn check_certificate(
    certificate: &Certificate,
    constraints: &NameConstraints,
    budget: &mut Budget,
) -> Result<Result<(), Reason>, Exhausted> {
    for name in names_of(certificate) {
        if let Err(reason) = check_name(&name, constraints, budget)? {
            return Ok(Err(reason));
        }
    }
    Ok(Ok(()))
}

fn names_of(certificate: &Certificate) -> impl Iterator<Item = Name<'_>> {
    let subject = certificate.subject();
    let directory = (!subject.is_empty()).then_some(Name::Directory(subject));
    let mailboxes = subject
        .attributes()
        .iter()
        .filter(|attribute| attribute.kind.as_bytes() == oid::EMAIL_ADDRESS)
        .filter_map(|attribute| attribute.text.as_deref().map(Name::Email));
    let alternatives = certificate.extensions().alternative_names.iter();
    let alternatives = alternatives.flat_map(|names| names.value.iter().map(Name::from));
    directory.into_iter().chain(mailboxes).chain(alternatives)
}

fn check_name(
    name: &Name<'_>,
    constraints: &NameConstraints,
    budget: &mut Budget,
) -> Result<Result<(), Reason>, Exhausted> {
    let mut is_constrained = false;
    let mut is_permitted = false;
    for base in &constraints.permitted {
        budget.take_comparison()?;
        match relation(base, name, Subtree::Permitted) {
            Relation::OtherForm => {}
            Relation::Outside => is_constrained = true,
            Relation::Inside => is_permitted = true,
            Relation::Unusable => return Ok(Err(Reason::UnusableNameConstraint { name: name.show() })),
        }
    }
    if is_constrained && !is_permitted {
        return Ok(Err(Reason::NameConstraint { name: name.show() }));
    }
    for base in &constraints.excluded {
        budget.take_comparison()?;
        match relation(base, name, Subtree::Excluded) {
            Relation::OtherForm | Relation::Outside => {}
            Relation::Inside => return Ok(Err(Reason::NameConstraint { name: name.show() })),
            Relation::Unusable => return Ok(Err(Reason::UnusableNameConstraint { name: name.show() })),
        }
    }
    Ok(Ok(()))
}

fn relation(base: &SubtreeBase, name: &Name<'_>, subtree: Subtree) -> Relation {
    match (base, name) {
        (SubtreeBase::Directory(base), Name::Directory(name)) => inside_if(name.is_within(base)),
        (SubtreeBase::Dns(base), Name::Dns(name)) => dns_relation(base, name, subtree),
        (SubtreeBase::Email(base), Name::Email(name)) => email_relation(base, name),
        (SubtreeBase::Uri(base), Name::Uri(name)) => uri_relation(base, name),
        (SubtreeBase::Ip(base), Name::Ip(address)) => ip_relation(base, *address),
        (SubtreeBase::Other(base), Name::Other(name)) if base == name => Relation::Unusable,
        _ => Relation::OtherForm,
    }
}

const fn inside_if(inside: bool) -> Relation {
    if inside { Relation::Inside } else { Relation::Outside }
}

/// The base stands for itself and everything below it; an empty base for everything.
fn dns_relation(base: &str, name: &str, subtree: Subtree) -> Relation {
    let parent = name.strip_prefix("*.");
    if !is_host_name(parent.unwrap_or(name)) || !(base.is_empty() || is_host_name(base)) {
        return Relation::Unusable;
    }
    match (parent, subtree) {
        (None, _) => inside_if(is_at_or_below(name, base)),
        (Some(parent), Subtree::Permitted) => inside_if(is_at_or_below(parent, base)),
        (Some(parent), Subtree::Excluded) => {
            let base_is_one_it_stands_for =
                base.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent));
            inside_if(is_at_or_below(parent, base) || base_is_one_it_stands_for)
        }
    }
}

/// `user@host` is that mailbox, `host` every mailbox on exactly that host, `.domain` every mailbox below the domain.
fn email_relation(base: &str, name: &str) -> Relation {
    let Some((_, host)) = split_mailbox(name) else {
        return Relation::Unusable;
    };
    if base.contains('@') {
        let Some(_) = split_mailbox(base) else {
            return Relation::Unusable;
        };
        return inside_if(same_mailbox(base, name));
    }
    host_relation(base, host)
}

/// `host` is exactly that host, `.domain` every host below the domain. A URI without a host name is unusable.
fn uri_relation(base: &str, name: &str) -> Relation {
    match uri_host(name) {
        Some(host) => host_relation(base, host),
        None => Relation::Unusable,
    }
}

fn host_relation(base: &str, host: &str) -> Relation {
    let domain = base.strip_prefix('.');
    if !is_host_name(domain.unwrap_or(base)) {
        return Relation::Unusable;
    }
    match domain {
        Some(domain) => inside_if(host.len() > domain.len() && is_at_or_below(host, domain)),
        None => inside_if(host.eq_ignore_ascii_case(base)),
    }
}

fn uri_host(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host_and_port = authority.rsplit('@').next()?;
    let host = host_and_port.split(':').next()?;
    let is_address = host.parse::<IpAddr>().is_ok();
    (is_host_name(host) && !is_address).then_some(host)
}

/// Address and mask; the mask must be a prefix. Another address family is simply outside.
fn ip_relation(base: &[u8], address: IpAddr) -> Relation {
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    if !matches!(base.len(), 8 | 32) {
        return Relation::Unusable;
    }
    let (network, mask) = base.split_at(base.len() / 2);
    if !is_prefix_mask(mask) {
        return Relation::Unusable;
    }
    let agrees = |((octet, network), mask): ((&u8, &u8), &u8)| octet & mask == network & mask;
    inside_if(octets.len() == network.len() && octets.iter().zip(network).zip(mask).all(agrees))
}

fn is_prefix_mask(mask: &[u8]) -> bool {
    let ones: u32 = mask.iter().map(|octet| octet.leading_ones()).sum();
    let set: u32 = mask.iter().map(|octet| octet.count_ones()).sum();
    let first_gap = mask.iter().position(|octet| *octet != 0xff).unwrap_or(mask.len());
    ones == set && mask.iter().skip(first_gap + 1).all(|octet| *octet == 0)
}

fn is_at_or_below(name: &str, base: &str) -> bool {
    let Some(split) = name.len().checked_sub(base.len()) else {
        return false;
    };
    let (front, tail) = name.split_at(split);
    tail.eq_ignore_ascii_case(base) && (base.is_empty() || front.is_empty() || front.ends_with('.'))
}

impl Name<'_> {
    fn show(&self) -> String {
        match self {
            Self::Directory(name) => format!("\"{name}\""),
            Self::Email(text) | Self::Dns(text) | Self::Uri(text) => format!("\"{}\"", Printable(text)),
            Self::Ip(address) => address.to_string(),
            Self::Other(_) => "a name of another form".to_owned(),
        }
    }
}

impl<'a> From<&'a GeneralName> for Name<'a> {
    fn from(name: &'a GeneralName) -> Self {
        match name {
            GeneralName::Email(mailbox) => Self::Email(mailbox),
            GeneralName::Dns(host) => Self::Dns(host),
            GeneralName::Uri(uri) => Self::Uri(uri),
            GeneralName::Directory(name) => Self::Directory(name),
            GeneralName::Ip(address) => Self::Ip(*address),
            GeneralName::Principal(_) => Self::Other(GeneralName::OTHER_TAG),
            GeneralName::Other(tag) => Self::Other(*tag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns(base: &str, name: &str, subtree: Subtree) -> bool {
        relation(&SubtreeBase::Dns(base.into()), &Name::Dns(name), subtree) == Relation::Inside
    }

    fn email(base: &str, name: &str) -> Relation {
        relation(&SubtreeBase::Email(base.into()), &Name::Email(name), Subtree::Permitted)
    }

    fn uri(base: &str, name: &str) -> Relation {
        relation(&SubtreeBase::Uri(base.into()), &Name::Uri(name), Subtree::Permitted)
    }

    #[test]
    fn a_host_subtree_holds_the_base_and_what_is_below_it() {
        assert!(dns("example.com", "a.b.Example.com", Subtree::Permitted));
        assert!(dns("example.com", "example.com", Subtree::Permitted));
        assert!(dns("", "anything.test", Subtree::Permitted));
        assert!(!dns("example.com", "badexample.com", Subtree::Permitted));
        assert!(!dns("a.example.com", "example.com", Subtree::Permitted));
    }

    #[test]
    fn a_wildcard_is_permitted_by_all_and_excluded_by_any_name_it_stands_for() {
        assert!(dns("example.com", "*.example.com", Subtree::Permitted));
        assert!(!dns("bar.example.com", "*.example.com", Subtree::Permitted));
        assert!(dns("bar.example.com", "*.example.com", Subtree::Excluded));
        assert!(!dns("foo.bar.example.com", "*.example.com", Subtree::Excluded));
        assert!(dns("com", "*.example.com", Subtree::Excluded));
    }

    #[test]
    fn what_cannot_be_interpreted_is_never_skipped() {
        let outcome = |base: &str, name| {
            relation(&SubtreeBase::Dns(base.into()), &Name::Dns(name), Subtree::Excluded)
                == Relation::Unusable
        };
        assert!(outcome("example.com", ".example.com"));
        assert!(outcome(".example.com", "example.com"));
        assert!(outcome("*.example.com", "example.com"));
        assert!(outcome("example.com", ""));
        let other = (SubtreeBase::Other(0xa0), Name::Other(0xa0));
        assert!(relation(&other.0, &other.1, Subtree::Excluded) == Relation::Unusable);
    }

    #[test]
    fn a_mailbox_subtree_is_a_mailbox_a_host_or_a_domain() {
        assert!(email("a@example.com", "a@EXAMPLE.com") == Relation::Inside);
        assert!(email("a@example.com", "A@example.com") == Relation::Outside);
        assert!(email("example.com", "a@example.com") == Relation::Inside);
        assert!(email("example.com", "a@mail.example.com") == Relation::Outside);
        assert!(email(".example.com", "a@mail.example.com") == Relation::Inside);
        assert!(email(".example.com", "a@example.com") == Relation::Outside);
        assert!(email("a@b@example.com", "a@example.com") == Relation::Unusable);
        assert!(email("*@example.com", "a@example.com") == Relation::Outside);
    }

    #[test]
    fn a_uri_is_judged_by_its_host() {
        assert!(uri("host.example", "https://user@host.example:8443/path@x") == Relation::Inside);
        assert!(uri(".example", "ldap://host.example/cn=x?y") == Relation::Inside);
        assert!(uri(".example", "https://example/") == Relation::Outside);
        assert!(uri("host.example", "https://192.0.2.1/") == Relation::Unusable);
        assert!(uri("host.example", "urn:isbn:0") == Relation::Unusable);
    }

    #[test]
    fn an_address_subtree_is_a_prefix() {
        let ip = |base: &[u8], address: &str| {
            relation(&SubtreeBase::Ip(base.into()), &Name::Ip(address.parse().unwrap()), Subtree::Permitted)
        };
        let network = [192, 0, 2, 0, 255, 255, 255, 128];
        assert!(ip(&network, "192.0.2.127") == Relation::Inside);
        assert!(ip(&network, "192.0.2.128") == Relation::Outside);
        assert!(ip(&network, "2001:db8::1") == Relation::Outside);
        assert!(ip(&[192, 0, 2, 0, 255, 0, 255, 0], "192.0.2.1") == Relation::Unusable);
        assert!(ip(&[192, 0, 2, 0, 255, 160, 0, 0], "192.0.2.1") == Relation::Unusable);
        assert!(ip(&[192, 0, 2, 0], "192.0.2.1") == Relation::Unusable);
        assert!(ip(&[0; 8], "203.0.113.9") == Relation::Inside);
    }
}
