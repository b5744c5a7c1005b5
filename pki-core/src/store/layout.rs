//! easy-rsa's directory layout as typed paths.

use super::path::PkiPath;
use crate::name::FileBase;
use crate::serial::Serial;

pub(crate) fn authority_certificate() -> PkiPath {
    PkiPath::of("ca.crt")
}

pub(crate) fn authority_key() -> PkiPath {
    PkiPath::of("private/ca.key")
}

/// Names the token that holds the authority's key, in the place of ca.key.
pub(crate) fn authority_token() -> PkiPath {
    PkiPath::of("private/ca.pkcs11")
}

/// Where the name of the token of an earlier generation lies.
pub(crate) fn authority_token_history(serial: &Serial) -> PkiPath {
    PkiPath::of(format!("ca-history/{serial}.pkcs11"))
}

/// The new key of the authority certified by the old one, for clients that know only the old one.
pub(crate) fn cross_certificate() -> PkiPath {
    PkiPath::of("ca-cross.crt")
}

/// Where certificate and key of an earlier generation of the authority lie.
pub(crate) fn authority_history(serial: &Serial) -> [PkiPath; 2] {
    ["crt", "key"].map(|ending| PkiPath::of(format!("ca-history/{serial}.{ending}")))
}

pub(crate) fn index() -> PkiPath {
    PkiPath::of("index.txt")
}

pub(crate) fn index_attributes() -> PkiPath {
    PkiPath::of("index.txt.attr")
}

pub(crate) fn serial() -> PkiPath {
    PkiPath::of("serial")
}

pub(crate) fn revocation_list() -> PkiPath {
    PkiPath::of("crl.pem")
}

pub(crate) fn revocation_list_der() -> PkiPath {
    PkiPath::of("crl.der")
}

/// Every signature and revocation, one line each.
pub(crate) fn audit_log() -> PkiPath {
    PkiPath::of("audit.log")
}

/// easy-rsa's settings for this PKI.
pub(crate) fn vars() -> PkiPath {
    PkiPath::of("vars")
}

/// easy-rsa's own lock, which ours honours and creates.
pub(crate) fn lock_file() -> PkiPath {
    PkiPath::of("lock.file")
}

/// The record of a change in progress; exists only then.
pub(crate) fn journal() -> PkiPath {
    PkiPath::of(".postern-journal")
}

pub(crate) fn private_directory() -> PkiPath {
    PkiPath::of("private")
}

/// Directories in which commands work; the first one is the PKI directory itself.
pub(crate) fn known_directories() -> Vec<String> {
    let fixed = [
        "",
        "private",
        "reqs",
        "issued",
        "certs_by_serial",
        "renewed/issued",
        "renewed/private",
        "renewed/reqs",
    ];
    let revoked = revocation_directories().into_iter().map(|path| path.as_str().to_owned());
    fixed.into_iter().map(str::to_owned).chain(revoked).collect()
}

/// Directories that init-pki makes.
pub(crate) fn initial_directories() -> Vec<PkiPath> {
    ["private", "reqs", "issued"].map(PkiPath::of).to_vec()
}

/// Directories that build-ca makes.
pub(crate) fn authority_directories() -> Vec<PkiPath> {
    [
        "issued",
        "certs_by_serial",
        "revoked",
        "revoked/certs_by_serial",
        "revoked/private_by_serial",
        "revoked/reqs_by_serial",
    ]
    .map(PkiPath::of)
    .to_vec()
}

pub(crate) fn issued_directory() -> PkiPath {
    PkiPath::of("issued")
}

/// What must be there besides the key before anything can be signed.
pub(crate) fn authority_files() -> [PkiPath; 5] {
    [authority_certificate(), index(), serial(), PkiPath::of("issued"), PkiPath::of("certs_by_serial")]
}

pub(crate) fn private_key(name: &FileBase) -> PkiPath {
    PkiPath::of(format!("private/{name}.key"))
}

pub(crate) fn request(name: &FileBase) -> PkiPath {
    PkiPath::of(format!("reqs/{name}.req"))
}

pub(crate) fn certificate(name: &FileBase) -> PkiPath {
    PkiPath::of(format!("issued/{name}.crt"))
}

/// Where a renewal puts the certificate that it replaces.
pub(crate) fn renewed_certificate(name: &FileBase) -> PkiPath {
    PkiPath::of(format!("renewed/issued/{name}.crt"))
}

/// Where a renewal with a new key puts the key and the request before it.
pub(crate) fn renewed_key_files(name: &FileBase) -> [PkiPath; 2] {
    [format!("renewed/private/{name}.key"), format!("renewed/reqs/{name}.req")].map(PkiPath::of)
}

/// Where the certificate, key and request of earlier generations go, as in easy-rsa 3.0.
pub(crate) fn renewed_by_serial(serial: &Serial) -> [PkiPath; 3] {
    [("certs", "crt"), ("private", "key"), ("reqs", "req")]
        .map(|(kind, ending)| PkiPath::of(format!("renewed/{kind}_by_serial/{serial}.{ending}")))
}

/// Holds everything that renewals have put aside.
pub(crate) fn renewals() -> PkiPath {
    PkiPath::of("renewed")
}

/// Directories that every renewal needs; an outer one comes first.
pub(crate) fn renewal_directories() -> [PkiPath; 2] {
    ["renewed", "renewed/issued"].map(PkiPath::of)
}

/// Where `expire` puts a certificate.
pub(crate) fn expired_certificate(name: &FileBase) -> PkiPath {
    PkiPath::of(format!("expired/{name}.crt"))
}

pub(crate) fn revoked_certificate(serial: &Serial) -> PkiPath {
    PkiPath::of(format!("revoked/certs_by_serial/{serial}.crt"))
}

pub(crate) fn certificate_by_serial(serial: &Serial) -> PkiPath {
    PkiPath::of(format!("certs_by_serial/{serial}.pem"))
}

/// Where the certificate, key and request of a revoked certificate go.
pub(crate) fn revoked_files(serial: &Serial) -> [PkiPath; 3] {
    [("certs", "crt"), ("private", "key"), ("reqs", "req")]
        .map(|(kind, ending)| PkiPath::of(format!("revoked/{kind}_by_serial/{serial}.{ending}")))
}

/// The same for a certificate in issued/: (from, to).
pub(crate) fn revocation_moves(name: &FileBase, serial: &Serial) -> [(PkiPath, PkiPath); 3] {
    let [revoked_certificate, revoked_key, revoked_request] = revoked_files(serial);
    [
        (certificate(name), revoked_certificate),
        (private_key(name), revoked_key),
        (request(name), revoked_request),
    ]
}

/// Certificates that the authority had before, newest first.
pub(crate) fn expired_authorities() -> PkiPath {
    PkiPath::of("expired-ca.list")
}

/// The request of an authority that another one signs.
pub(crate) fn authority_request() -> PkiPath {
    PkiPath::of("reqs/ca.req")
}

/// Diffie-Hellman parameters, which only old servers read.
pub(crate) fn dh_parameters() -> PkiPath {
    PkiPath::of("dh.pem")
}

/// The key that wraps the control channel.
pub(crate) fn tls_key() -> PkiPath {
    PkiPath::of("private/easyrsa-tls.key")
}

/// Marks a PKI of self-signed certificates, which has no authority.
pub(crate) fn peer_fingerprint_mode() -> PkiPath {
    PkiPath::of("peer-fp.mode")
}

/// Fingerprints of self-signed certificates, for the other end: `server` or `client`.
pub(crate) fn peer_fingerprints(end: &str) -> PkiPath {
    PkiPath::of(format!("inline/pfp-{end}.list-inline"))
}

/// Authorities that peers shall trust besides the own one.
pub(crate) fn external_authorities() -> PkiPath {
    PkiPath::of("inline/external-ca.list")
}

pub(crate) fn inline_directories() -> [PkiPath; 2] {
    ["inline", "inline/private"].map(PkiPath::of)
}

/// An inline file that holds no secret.
pub(crate) fn public_inline(name: &FileBase) -> PkiPath {
    PkiPath::of(format!("inline/{name}.inline"))
}

/// An inline file that holds a key.
pub(crate) fn private_inline(name: &FileBase) -> PkiPath {
    PkiPath::of(format!("inline/private/{name}.inline"))
}

pub(crate) fn pkcs12(name: &FileBase) -> PkiPath {
    PkiPath::of(format!("private/{name}.p12"))
}

pub(crate) fn pkcs12_inline(name: &FileBase) -> PkiPath {
    PkiPath::of(format!("inline/private/{name}.p12-inline"))
}

pub(crate) fn pkcs7(name: &FileBase) -> PkiPath {
    PkiPath::of(format!("issued/{name}.p7b"))
}

pub(crate) fn pkcs8(name: &FileBase) -> PkiPath {
    PkiPath::of(format!("private/{name}.p8"))
}

pub(crate) fn pkcs1(name: &FileBase) -> PkiPath {
    PkiPath::of(format!("private/{name}.p1"))
}

/// The settings that easy-rsa explains in every new PKI.
pub(crate) fn vars_example() -> PkiPath {
    PkiPath::of("vars.example")
}

/// Directories that a revocation needs; old PKIs lack some of them.
pub(crate) fn revocation_directories() -> Vec<PkiPath> {
    authority_directories()
        .into_iter()
        .filter(|directory| directory.as_str().starts_with("revoked"))
        .collect()
}

/// The profile that was made for a client.
pub(crate) fn profile(name: &FileBase) -> PkiPath {
    PkiPath::of(format!("inline/private/{name}.ovpn"))
}

/// Containers and profiles made from a certificate, which must not outlive it.
pub(crate) fn derived_files(name: &FileBase) -> [PkiPath; 9] {
    [
        format!("inline/private/{name}.ovpn"),
        format!("private/{name}.p12"),
        format!("private/{name}.p8"),
        format!("private/{name}.p1"),
        format!("issued/{name}.p7b"),
        format!("inline/{name}.inline"),
        format!("inline/private/{name}.inline"),
        format!("inline/private/{name}.p12-inline"),
        format!("{name}.creds"),
    ]
    .map(PkiPath::of)
}
