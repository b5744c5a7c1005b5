//! The files that people copy and change: `vars`, `x509-types/TYPE`, `openssl-easyrsa.cnf`.

/// Every type with a file, besides `COMMON`.
pub(super) const TYPES: [&str; 6] = ["ca", "client", "server", "serverClient", "code-signing", "email"];

/// The settings of easy-rsa with their defaults, all of them comments.
pub(super) const VARS: &str = "\
# Settings for easyrsa. Copy this file to `vars` and remove the # in front of what you change.
# The environment and the command line come before this file.

#set_var EASYRSA_PKI             \"$PWD/pki\"

# Subjects: cn_only (the default) or org, which adds the fields below.
#set_var EASYRSA_DN              \"cn_only\"
#set_var EASYRSA_REQ_COUNTRY     \"US\"
#set_var EASYRSA_REQ_PROVINCE    \"California\"
#set_var EASYRSA_REQ_CITY        \"San Francisco\"
#set_var EASYRSA_REQ_ORG         \"Copyleft Certificate Co\"
#set_var EASYRSA_REQ_EMAIL       \"me@example.net\"
#set_var EASYRSA_REQ_OU          \"My Organizational Unit\"
#set_var EASYRSA_REQ_SERIAL      \"\"

# Keys: rsa with a size, ec or ed with a curve.
#set_var EASYRSA_ALGO            rsa
#set_var EASYRSA_KEY_SIZE        2048
#set_var EASYRSA_CURVE           secp384r1
#set_var EASYRSA_DIGEST          \"sha256\"
#set_var EASYRSA_NO_PASS         1

# Days of validity.
#set_var EASYRSA_CA_EXPIRE       3650
#set_var EASYRSA_CERT_EXPIRE     825
#set_var EASYRSA_CRL_DAYS        180
#set_var EASYRSA_PRE_EXPIRY_WINDOW 90

# Serial numbers: random, or `no` for one after the other.
#set_var EASYRSA_RAND_SN         \"yes\"

# Extensions.
#set_var EASYRSA_AUTO_SAN        1
#set_var EASYRSA_SAN_CRIT        critical
#set_var EASYRSA_CP_EXT          1
#set_var EASYRSA_EXT_DIR         \"$PWD/x509-types\"
#set_var EASYRSA_SUBCA_LEN       0
#set_var EASYRSA_NS_SUPPORT      \"no\"
#set_var EASYRSA_NS_COMMENT      \"Easy-RSA Generated Certificate\"

# Files beside certificates.
#set_var EASYRSA_NO_INLINE       1
#set_var EASYRSA_TEXT_OFF        1
#set_var EASYRSA_BATCH           1
";

/// Extensions of every certificate: none.
pub(super) const COMMON: &str =
    "# Extensions that every certificate gets, in the notation of OpenSSL's x509v3_config.\n";

/// The extensions of a built-in type, as a file to change.
pub(super) fn type_file(name: &str) -> Option<String> {
    let (constraints, purposes, usages) = match name {
        "ca" => {
            return Some(format!(
                "{}basicConstraints = critical,CA:TRUE\nsubjectKeyIdentifier = hash\nauthorityKeyIdentifier = \
                 keyid:always,issuer:always\nkeyUsage = cRLSign, keyCertSign\n",
                heading(name)
            ));
        }
        "server" => ("CA:FALSE", "serverAuth", "digitalSignature,keyEncipherment"),
        "client" => ("CA:FALSE", "clientAuth", "digitalSignature"),
        "serverClient" => ("CA:FALSE", "serverAuth,clientAuth", "digitalSignature,keyEncipherment"),
        "code-signing" | "codeSigning" => ("CA:FALSE", "codeSigning", "digitalSignature"),
        "email" => ("CA:FALSE", "emailProtection", "digitalSignature,keyEncipherment,nonRepudiation"),
        _ => return None,
    };
    Some(format!(
        "{}basicConstraints = {constraints}\nsubjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid,issuer:always\n\
         extendedKeyUsage = {purposes}\nkeyUsage = {usages}\n",
        heading(name)
    ))
}

fn heading(name: &str) -> String {
    format!("# Extensions of certificates of the type {name}.\n")
}

/// The `vars` of a PKI whose keys are on a curve.
pub(super) fn preset_vars(algorithm: &str, curve: &str) -> String {
    format!(
        "{VARS}\n# Chosen when the PKI was made.\nset_var EASYRSA_ALGO {algorithm}\nset_var EASYRSA_CURVE {curve}\n"
    )
}

/// Nothing reads it here: it lets `openssl ca` work by hand on the directory.
pub(super) const OPENSSL_CONFIGURATION: &str = "\
# For work on the PKI with `openssl ca -config`; run it in the PKI directory. easyrsa itself does not read this file.
[ ca ]
default_ca = CA_default

[ CA_default ]
dir = .
certs = $dir
crl_dir = $dir
database = $dir/index.txt
new_certs_dir = $dir/certs_by_serial
certificate = $dir/ca.crt
serial = $dir/serial
crl = $dir/crl.pem
private_key = $dir/private/ca.key
x509_extensions = basic_exts
crl_extensions = crl_ext
copy_extensions = none
default_days = 825
default_crl_days = 180
default_md = sha256
preserve = no
policy = policy_anything

[ policy_anything ]
countryName = optional
stateOrProvinceName = optional
localityName = optional
organizationName = optional
organizationalUnitName = optional
commonName = supplied
emailAddress = optional
serialNumber = optional

[ req ]
default_bits = 2048
default_md = sha256
distinguished_name = cn_only

[ cn_only ]
commonName = Common Name

[ basic_exts ]
basicConstraints = CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid,issuer:always

[ crl_ext ]
authorityKeyIdentifier = keyid:always,issuer:always
";

#[cfg(test)]
mod tests {
    use super::*;
    use pki_core::cert::ExtensionFile;

    #[test]
    fn every_template_is_one_of_easyrsas_own_types() {
        for name in TYPES {
            let file = ExtensionFile::parse(&type_file(name).unwrap(), |_| None).unwrap();
            assert!(file.is_easyrsas_own(name), "{name}");
        }
        assert!(ExtensionFile::parse(COMMON, |_| None).unwrap().is_easyrsas_own("COMMON"));
    }
}
