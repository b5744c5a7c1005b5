#!/bin/sh
# Makes chain/made/: certificates and lists that rcgen cannot make. Needs OpenSSL 3.0 and a minute.
# Every private key is thrown away, so running it again replaces all files.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p made

client="basicConstraints=CA:FALSE
keyUsage=digitalSignature
extendedKeyUsage=clientAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid"
authority="basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash"

# key NAME ALGORITHM [genpkey option ...]
key() { name=$1; shift; openssl genpkey -quiet -out "$work/$name.key" -algorithm "$@"; }

# root NAME DIGEST: a self-signed CA valid for 100 years.
root() {
    openssl req -new -key "$work/$1.key" -subj "/CN=$1" -config /dev/null -out "$work/$1.csr" 2>/dev/null
    printf '%s\n' "$authority" > "$work/ext"
    openssl x509 -req -in "$work/$1.csr" -signkey "$work/$1.key" "-$2" -days 36500 -extfile "$work/ext" \
        -out "made/$1.crt" 2>/dev/null
}

# leaf NAME CA DIGEST [extensions]: a client certificate valid for 99 years.
leaf() {
    openssl req -new -key "$work/$1.key" -subj "/CN=$1" -config /dev/null -out "$work/$1.csr" 2>/dev/null
    printf '%s\n' "${4-$client}" > "$work/ext"
    openssl x509 -req -in "$work/$1.csr" -CA "made/$2.crt" -CAkey "$work/$2.key" "-$3" -days 36135 \
        -set_serial "0x$(openssl rand -hex 8)" -extfile "$work/ext" -out "made/$1.crt" 2>/dev/null
}

key rsa-root RSA -pkeyopt rsa_keygen_bits:2048
root rsa-root sha256
for digest in md5 sha1; do
    key "$digest-leaf" EC -pkeyopt ec_paramgen_curve:P-256
    leaf "$digest-leaf" rsa-root "$digest"
done
key rsa1024-leaf RSA -pkeyopt rsa_keygen_bits:1024
leaf rsa1024-leaf rsa-root sha256
key secp256k1-leaf EC -pkeyopt ec_paramgen_curve:secp256k1
leaf secp256k1-leaf rsa-root sha256
key ed448-leaf ED448
leaf ed448-leaf rsa-root sha256
key v1-leaf EC -pkeyopt ec_paramgen_curve:P-256
openssl req -new -key "$work/v1-leaf.key" -subj /CN=v1-leaf -config /dev/null -out "$work/v1-leaf.csr" 2>/dev/null
openssl x509 -req -in "$work/v1-leaf.csr" -CA made/rsa-root.crt -CAkey "$work/rsa-root.key" -sha256 -days 36135 \
    -set_serial 1 -out made/v1-leaf.crt 2>/dev/null
key explicit-leaf EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit
leaf explicit-leaf rsa-root sha256

key rsa1024-root RSA -pkeyopt rsa_keygen_bits:1024
root rsa1024-root sha256
key below-rsa1024-leaf EC -pkeyopt ec_paramgen_curve:P-256
leaf below-rsa1024-leaf rsa1024-root sha256

key p256-root EC -pkeyopt ec_paramgen_curve:P-256
root p256-root sha256
key p256-sha512-leaf EC -pkeyopt ec_paramgen_curve:P-256
leaf p256-sha512-leaf p256-root sha512
key p521-root EC -pkeyopt ec_paramgen_curve:P-521
root p521-root sha512
key below-p521-leaf EC -pkeyopt ec_paramgen_curve:P-256
leaf below-p521-leaf p521-root sha512
key p521-leaf EC -pkeyopt ec_paramgen_curve:P-521
leaf p521-leaf p256-root sha256

# A list of the RSA root signed with SHA-1.
touch "$work/index.txt"
printf '[ca]\ndefault_ca=it\n[it]\ndatabase=%s\ndefault_md=sha1\ndefault_crl_days=36135\n' "$work/index.txt" > "$work/conf"
openssl ca -config "$work/conf" -gencrl -md sha1 -keyfile "$work/rsa-root.key" -cert made/rsa-root.crt -out made/sha1.crl 2>/dev/null
ls -l made
