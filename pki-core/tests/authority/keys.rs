//! Key files: what openssl writes is read, what we write openssl reads.

use std::path::Path;

use pki_core::cert::{CertificateKind, Profile};
use pki_core::key::{
    EncodedKey, EncryptedKey, KeyAlgorithm, KeyError, PrivateKey, Protection, WeakEncryption, generate,
};
use pki_core::random::SystemSource;
use pki_core::secret::Passphrase;
use pki_core::{PkiError, PkiReader};

use crate::support::{EVERY_ALGORITHM, Pki, openssl, text, try_openssl};

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.as_bytes().to_vec())
}

fn parsed(path: &Path) -> Result<EncodedKey, KeyError> {
    EncodedKey::from_pem(&std::fs::read(path).unwrap())
}

fn locked(path: &Path) -> EncryptedKey {
    match parsed(path).unwrap() {
        EncodedKey::Encrypted(key) => key,
        EncodedKey::Plain(_) => panic!("{} is not encrypted", path.display()),
    }
}

fn public_key(path: &Path, passin: &str) -> String {
    openssl(&["pkey", "-pubout", "-in", text(path), "-passin", passin])
}

#[test]
fn openssl_reads_every_kind_of_key_that_we_write() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    for algorithm in EVERY_ALGORITHM {
        let key = generate(algorithm, &mut SystemSource::new()).unwrap();
        std::fs::write(&path, key.to_plain_pem().as_bytes()).unwrap();
        openssl(&["pkey", "-check", "-noout", "-in", text(&path)]);
        let protection = Protection::Passphrase { passphrase: passphrase("sesame"), rounds: 1000 };
        let encrypted = key.to_pem(&protection, &mut SystemSource::new()).unwrap();
        let plain_public = public_key(&path, "pass:");
        std::fs::write(&path, encrypted.as_bytes()).unwrap();
        assert_eq!(public_key(&path, "pass:sesame"), plain_public, "{algorithm}");
        assert!(!try_openssl(&["pkey", "-noout", "-in", text(&path), "-passin", "pass:wrong"]).0);
    }
}

#[test]
fn pki_10_new_key_files_take_600_000_rounds_of_pbkdf2_and_aes_256() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let key = generate(KeyAlgorithm::P256, &mut SystemSource::new()).unwrap();
    let text_of_key = key.to_pem(&Protection::with(passphrase("sesame")), &mut SystemSource::new()).unwrap();
    std::fs::write(&path, text_of_key.as_bytes()).unwrap();
    let structure = openssl(&["asn1parse", "-in", text(&path)]);
    for part in ["PBES2", "PBKDF2", "0927C0", "hmacWithSHA256", "aes-256-cbc"] {
        assert!(structure.contains(part), "{part}: {structure}");
    }
    assert_eq!(locked(&path).unlock(&passphrase("sesame")).unwrap().pkcs8_der(), key.pkcs8_der());
}

/// Keys in every form that openssl can write, each with the key that should come out.
#[test]
fn pki_10_every_form_of_openssl_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    for (algorithm, option) in [("RSA", "rsa_keygen_bits:2048"), ("EC", "ec_paramgen_curve:P-384")] {
        let plain = file("plain");
        openssl(&["genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", text(&plain)]);
        let expected = parsed(&plain).unwrap().unlock(None).unwrap();
        let traditional = file("traditional");
        openssl(&["pkey", "-in", text(&plain), "-traditional", "-out", text(&traditional)]);
        let read = parsed(&traditional).unwrap().unlock(None).unwrap();
        assert_eq!(read.pkcs8_der(), expected.pkcs8_der(), "{algorithm} without PKCS#8");
        for cipher in ["aes-128-cbc", "aes-192-cbc", "aes-256-cbc", "des3"] {
            let legacy = file("legacy");
            openssl(&[
                "pkey",
                "-in",
                text(&plain),
                "-traditional",
                &format!("-{cipher}"),
                "-passout",
                "pass:old",
                "-out",
                text(&legacy),
            ]);
            assert_opens(&legacy, "old", &expected, Some(WeakEncryption::LegacyPem));
        }
    }
}

#[test]
fn pki_10_every_scheme_of_pkcs8_is_read_and_weak_ones_are_called_weak() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    let plain = file("plain");
    openssl(&["genpkey", "-algorithm", "ED25519", "-out", text(&plain)]);
    let expected = parsed(&plain).unwrap().unlock(None).unwrap();
    let few = Some(WeakEncryption::FewRounds { rounds: 2048 });
    for (options, weakness) in [
        (&["-v2", "aes-256-cbc"][..], few),
        (&["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512"], few),
        (&["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA1"], few),
        (&["-v2", "aes-256-cbc", "-iter", "100000"], Some(WeakEncryption::FewRounds { rounds: 100_000 })),
        (&["-v2", "aes-256-cbc", "-iter", "600000"], None),
        (&["-v2", "des3"], Some(WeakEncryption::TripleDes)),
        (&["-scrypt"], None),
    ] {
        let encrypted = file("encrypted");
        let mut arguments =
            vec!["pkcs8", "-topk8", "-in", text(&plain), "-passout", "pass:new", "-out", text(&encrypted)];
        arguments.extend(options);
        openssl(&arguments);
        assert_opens(&encrypted, "new", &expected, weakness);
    }
}

fn assert_opens(path: &Path, word: &str, expected: &PrivateKey, weakness: Option<WeakEncryption>) {
    let key = locked(path);
    let opened = key
        .unlock(&passphrase(word))
        .unwrap_or_else(|error| panic!("{}: {error}", std::fs::read_to_string(path).unwrap()));
    assert_eq!(opened.pkcs8_der(), expected.pkcs8_der());
    assert_eq!(key.weakness(), weakness);
    assert_eq!(key.unlock(&passphrase("wrong")).err(), Some(KeyError::WrongPassphrase));
}

#[test]
fn pki_12_what_cannot_be_read_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    let plain = file("plain");
    openssl(&["genpkey", "-algorithm", "ED448", "-out", text(&plain)]);
    assert_eq!(parsed(&plain).err(), Some(KeyError::UnsupportedAlgorithm { algorithm: "Ed448".into() }));
    let curve = file("curve");
    openssl(&[
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:secp256k1",
        "-out",
        text(&curve),
    ]);
    assert!(matches!(parsed(&curve).err(), Some(KeyError::UnsupportedAlgorithm { .. })));
    openssl(&["genpkey", "-algorithm", "ED25519", "-out", text(&plain)]);
    let old = file("old");
    let (is_available, _) = try_openssl(&[
        "pkcs8",
        "-topk8",
        "-in",
        text(&plain),
        "-passout",
        "pass:x",
        "-out",
        text(&old),
        "-v1",
        "PBE-SHA1-3DES",
    ]);
    assert!(is_available);
    assert!(matches!(parsed(&old).err(), Some(KeyError::UnsupportedEncryption { .. })));
}

#[test]
fn h1_2b_an_encrypted_authority_asks_for_its_passphrase_and_refuses_a_wrong_one() {
    let mut pki = Pki::new(Profile::Strict);
    let protection = Protection::Passphrase { passphrase: passphrase("sesame"), rounds: 1000 };
    pki.build_ca("Test CA", KeyAlgorithm::P256, protection).unwrap();
    let before = pki.snapshot();
    pki.passphrase = "wrong";
    let refusal = pki.issue(&pki.request(CertificateKind::Client, "alice"));
    assert!(matches!(refusal, Err(PkiError::Key { cause: KeyError::WrongPassphrase, .. })));
    assert!(matches!(pki.gen_crl(180), Err(PkiError::Key { cause: KeyError::WrongPassphrase, .. })));
    assert_eq!(pki.snapshot(), before);
    pki.passphrase = "sesame";
    pki.issue_client("alice");
    pki.gen_crl(180).unwrap();
}

#[test]
fn pki_02_a_key_file_that_others_may_read_is_refused_or_warned_about() {
    use std::os::unix::fs::PermissionsExt;

    let mut pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    std::fs::set_permissions(pki.file("private/ca.key"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let refusal = pki.issue(&pki.request(CertificateKind::Client, "alice"));
    assert!(matches!(refusal, Err(PkiError::Key { cause: KeyError::Exposed { mode: 0o640 }, .. })));
    pki.settings.exposed_keys = pki_core::ca::ExposedKeys::Warn;
    assert_eq!(pki.issue_client("alice").warnings.len(), 1);
}

#[test]
fn a_server_reads_what_it_needs_and_is_told_what_is_missing() {
    use pki_core::name::FileBase;

    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    let mut request = pki.request(CertificateKind::Server, "server");
    request.protection = Protection::Passphrase { passphrase: passphrase("sesame"), rounds: 1000 };
    pki.issue(&request).unwrap();
    let reader = PkiReader::open(&pki.path()).unwrap();
    let name = FileBase::parse("server").unwrap();
    assert_eq!(reader.authority().unwrap().len(), 1);
    let chain = reader.certificate_chain(&name).unwrap();
    let key = reader.private_key(&name, Some(&passphrase("sesame"))).unwrap();
    assert_eq!(chain[0].public_key_info(), key.public_key_info());
    assert_eq!(reader.revocation_list_path(), pki.file("crl.pem"));

    let without = reader.private_key(&name, None);
    assert!(matches!(without.err(), Some(PkiError::Key { cause: KeyError::PassphraseNeeded, .. })));
    let wrong = reader.private_key(&name, Some(&passphrase("wrong")));
    assert!(matches!(wrong.err(), Some(PkiError::Key { cause: KeyError::WrongPassphrase, .. })));
    let nobody = FileBase::parse("nobody").unwrap();
    assert!(matches!(reader.certificate_chain(&nobody), Err(PkiError::NoCertificate { .. })));
    assert!(matches!(reader.private_key(&nobody, None), Err(PkiError::NoKey { .. })));
    std::fs::remove_file(pki.file("ca.crt")).unwrap();
    assert!(matches!(reader.authority(), Err(PkiError::NoAuthority { .. })));
    assert!(matches!(PkiReader::open(&pki.file("nothing")), Err(PkiError::NoPki { .. })));
}
