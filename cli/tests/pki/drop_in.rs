//! `easyrsa`: easy-rsa's command line, phrases, prompts and exit codes.

use crate::support::{Place, openssl};

fn shown(place: &Place, file: &str) -> String {
    openssl(&[
        "x509",
        "-noout",
        "-text",
        "-nameopt",
        "sep_comma_plus",
        "-in",
        place.file(file).to_str().unwrap(),
    ])
}

#[test]
fn h1_the_commands_of_the_how_to_work_as_written() {
    let place = Place::new();
    let mut transcript = String::new();
    for (arguments, input) in [
        (&["init-pki"][..], ""),
        (&["build-ca", "nopass"], "\n"),
        (&["build-server-full", "server", "nopass"], "yes\n"),
        (&["build-client-full", "client1.domain.tld", "nopass"], "yes\n"),
        (&["revoke", "client1.domain.tld"], "yes\n"),
        (&["gen-crl"], ""),
    ] {
        let answer = place.answer(&mut place.command("easyrsa", arguments), input).succeeds();
        transcript.push_str(&format!("$ ./easyrsa {}\n{answer}\n", arguments.join(" ")));
    }
    insta::assert_snapshot!("how_to", transcript);
    assert!(shown(&place, "pki/ca.crt").contains("Subject: CN=Easy-RSA CA"));
    assert!(shown(&place, "pki/issued/server.crt").contains("2048 bit"));
    assert!(place.file("pki/crl.der").exists());
}

#[test]
fn only_the_word_yes_confirms() {
    let place = Place::with_authority();
    place.postern(&["build-client-full", "alice", "nopass"]).succeeds();
    let before = place.snapshot("pki");
    for answer in ["", "\n", "y\n", "YES\n", "yes please\n", "no\n"] {
        for arguments in [&["revoke", "alice"][..], &["build-client-full", "bob", "nopass"], &["init-pki"]] {
            let refusal = place.answer(&mut place.command("easyrsa", arguments), answer);
            refusal
                .fails_with(1)
                .says("Type the word 'yes' to continue")
                .says("Aborting without confirmation");
        }
    }
    place.is_unchanged_since(&before);
}

#[test]
fn a_batch_init_pki_replaces_the_pki_but_keeps_the_old_one_beside_it() {
    let place = Place::with_authority();
    let key = place.read("pki/private/ca.key");
    place.easyrsa(&["--batch", "init-pki"]).succeeds().says("'init-pki' complete").says("pki.backup-[TIME]");
    assert!(!place.file("pki/private/ca.key").exists());
    let backups: Vec<_> = std::fs::read_dir(place.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().contains("pki.backup-"))
        .collect();
    assert_eq!(backups.len(), 1);
    assert_eq!(std::fs::read_to_string(backups[0].join("private/ca.key")).unwrap(), key);
    for directory in ["/", ".", ".."] {
        let answer = place.easyrsa(&["--batch", &format!("--pki-dir={directory}"), "init-pki"]);
        assert_eq!(answer.code, Some(1), "{directory}: {answer}");
    }
    assert!(place.file("easyrsa").exists());
}

#[test]
fn phrases_that_scripts_look_for_are_said() {
    let place = Place::new();
    let phrase = |arguments: &[&str], phrase: &str| {
        place.easyrsa(arguments).fails_with(1).says(phrase);
    };
    phrase(&["build-ca", "nopass"], "EASYRSA_PKI does not exist (perhaps you need to run init-pki)");
    phrase(&["nonsense"], "Unknown command 'nonsense'");
    phrase(&["--nonsense", "gen-crl"], "Unknown option '--nonsense'");
    phrase(&["--days", "gen-crl"], "Missing value to option");
    place.easyrsa(&["--batch", "init-pki"]).succeeds();
    phrase(&["--batch", "build-client-full", "a", "nopass"], "Missing expected CA file: ca.crt");
    place
        .easyrsa(&["--batch", "build-ca", "nopass"])
        .succeeds()
        .says("CA creation complete")
        .says("Build-ca completed successfully");
    phrase(
        &["--batch", "build-ca", "nopass"],
        "Unable to create a CA as you already seem to have one set up",
    );
    let built = place.easyrsa(&["--batch", "build-client-full", "a", "nopass"]).succeeds();
    built.says("Certificate created at:").says("Signature ok").says("Database updated").says("(825 days)");
    phrase(&["--batch", "build-client-full", "a", "nopass"], "file already exists. Aborting build");
    phrase(&["--batch", "revoke", "b"], "Unable to revoke as no certificate was found");
    phrase(&["--batch", "build-client-full"], "needs a file name base");
    phrase(&["--batch", "build-client-full", "b", "nopas"], "Unknown command option: 'nopas'");
    phrase(&["--batch", "build-client-full", "../b", "nopass"], "separates directories");
    place
        .easyrsa(&["--batch", "revoke", "a", "ss"])
        .succeeds()
        .says("Revocation was successful")
        .says("Revoking Certificate [SERIAL].")
        .says("Data Base Updated");
    assert!(place.read("pki/index.txt").contains(",superseded\t"));
    place.easyrsa(&["gen-crl"]).succeeds().says("An updated CRL has been created");
}

#[test]
fn options_variables_and_defaults_come_in_this_order() {
    let place = Place::with_authority();
    std::fs::write(
        place.file("pki/vars"),
        "set_var EASYRSA_ALGO ec\nset_var EASYRSA_CURVE secp384r1\nset_var EASYRSA_CERT_EXPIRE 10\n",
    )
    .unwrap();
    let days = |name: &str, option: &[&str], variable: Option<&str>| {
        let arguments = [&["--batch"], option, &["build-client-full", name, "nopass"]].concat();
        let mut command = place.command("easyrsa", &arguments);
        if let Some(value) = variable {
            command.env("EASYRSA_CERT_EXPIRE", value);
        }
        place.answer(&mut command, "").succeeds().stderr
    };
    assert!(days("vars", &[], None).contains("(10 days)"));
    assert!(days("variable", &[], Some("20")).contains("(20 days)"));
    assert!(days("option", &["--days=30"], Some("20")).contains("(30 days)"));
    assert!(shown(&place, "pki/issued/vars.crt").contains("secp384r1"));
    std::fs::write(place.file("pki/vars"), "set_var EASYRSA_ALGO $(echo ec)\n").unwrap();
    place.easyrsa(&["--batch", "build-client-full", "evaluated", "nopass"]).succeeds();
    assert!(shown(&place, "pki/issued/evaluated.crt").contains("secp384r1"));
    std::fs::write(place.file("pki/vars"), "set_var EASYRSA_ALGO ec\nfalse\n").unwrap();
    let before = place.snapshot("pki");
    place
        .easyrsa(&["--batch", "build-client-full", "x", "nopass"])
        .fails_with(1)
        .says("cannot be evaluated by /bin/sh");
    place.is_unchanged_since(&before);
    let mut without = place.command("easyrsa", &["--batch", "build-client-full", "x", "nopass"]);
    place.answer(without.env("EASYRSA_NO_VARS", "1"), "").succeeds();
    assert!(shown(&place, "pki/issued/x.crt").contains("2048 bit"));
}

#[test]
fn init_pki_with_a_curve_makes_keys_of_that_curve() {
    let place = Place::new();
    place.easyrsa(&["--batch", "init-pki", "ed"]).succeeds();
    place.easyrsa(&["--batch", "build-ca", "nopass"]).succeeds();
    assert!(shown(&place, "pki/ca.crt").contains("ED25519"));
    place.easyrsa(&["--batch", "init-pki", "prime256v1"]).succeeds();
    place.easyrsa(&["--batch", "build-ca", "nopass"]).succeeds();
    assert!(shown(&place, "pki/ca.crt").contains("prime256v1"));
    let before = place.snapshot("pki");
    place.easyrsa(&["--batch", "init-pki", "nonsense"]).fails_with(1);
    place.is_unchanged_since(&before);
}

#[test]
fn subjects_names_dates_and_serials_follow_the_options() {
    let place = Place::with_authority();
    place
        .easyrsa(&[
            "--batch",
            "--use-algo=ec",
            "--dn-mode=org",
            "--req-c=DE",
            "--req-ou=",
            "--req-org=Acme, Inc.",
            "--san=DNS:a.example",
            "--san=IP:192.0.2.1",
            "--startdate=20260101000000Z",
            "--enddate=20550101000000Z",
            "build-server-full",
            "s",
            "nopass",
        ])
        .succeeds();
    let server = shown(&place, "pki/issued/s.crt");
    assert!(
        server.contains(
            "Subject: C=DE,ST=California,L=San Francisco,O=Acme, Inc.,CN=s,emailAddress=me@example.net"
        ),
        "{server}"
    );
    assert!(server.contains("DNS:a.example, IP Address:192.0.2.1"), "{server}");
    assert!(
        server.contains("Not Before: Jan  1 00:00:00 2026 GMT")
            && server.contains("Not After : Jan  1 00:00:00 2055 GMT"),
        "{server}"
    );
    let mut counted = place.command(
        "easyrsa",
        &["--batch", "--use-algo=ec", "--auto-san", "build-client-full", "10.0.0.1", "nopass"],
    );
    std::fs::write(place.file("pki/serial"), "01\n").unwrap();
    place.answer(counted.env("EASYRSA_RAND_SN", "no"), "").succeeds();
    let client = shown(&place, "pki/issued/10.0.0.1.crt");
    assert!(client.contains("Serial Number: 1 (0x1)") && client.contains("IP Address:10.0.0.1"), "{client}");
    for wrong in [
        "--days=0",
        "--days=010",
        "--days=-1",
        "--startdate=20260101000000Z",
        "--enddate=tomorrow",
        "--curve=secp256k1",
        "--use-algo=dsa",
        "--digest=md5",
    ] {
        place.easyrsa(&["--batch", wrong, "build-client-full", "x", "nopass"]).fails_with(1);
        assert!(!place.file("pki/private/x.key").exists(), "{wrong}");
    }
}

#[test]
fn passphrases_are_asked_for_before_the_name_and_can_come_from_a_pipe() {
    let place = Place::new();
    place.easyrsa(&["--batch", "init-pki"]).succeeds();
    let mut different = place.command("easyrsa", &["--use-algo=ec", "build-ca"]);
    place.answer(&mut different, "sesame\nsesam\n").fails_with(1).says("differ");
    assert!(!place.file("pki/ca.crt").exists());
    let mut build = place.command("easyrsa", &["--use-algo=ec", "build-ca"]);
    place.answer(&mut build, "abc\nsesame\nsesame\nMy CA\n").succeeds();
    assert!(shown(&place, "pki/ca.crt").contains("Subject: CN=My CA"));
    let mut client = place.command("easyrsa", &["--use-algo=ec", "build-client-full", "a", "nopass"]);
    place.answer(&mut client, "yes\nwrong\n").fails_with(1).says("wrong passphrase");
    place.answer(&mut client, "yes\nsesame\n").succeeds();
    place
        .easyrsa(&[
            "--batch",
            "--passin=pass:sesame",
            "--passout=pass:open",
            "--use-algo=ec",
            "build-client-full",
            "b",
            "nopass",
        ])
        .succeeds();
    assert!(place.read("pki/private/b.key").contains("ENCRYPTED"), "--passout beats nopass");
}

#[test]
fn the_profile_can_be_easy_rsas_own() {
    let place = Place::new();
    for command in
        [&["init-pki"][..], &["build-ca", "nopass"], &["build-client-full", "a", "nopass"], &["gen-crl"]]
    {
        place.easyrsa(&[&["--batch", "--use-algo=ec", "--profile=easyrsa"], command].concat()).succeeds();
    }
    let client = shown(&place, "pki/issued/a.crt");
    assert!(!client.contains("critical") && client.contains("DirName:/CN=Easy-RSA CA"), "{client}");
    let list = openssl(&["crl", "-noout", "-text", "-in", place.file("pki/crl.pem").to_str().unwrap()]);
    assert!(!list.contains("CRL Number"), "{list}");
    place.easyrsa(&["--batch", "--use-algo=ec", "build-client-full", "b", "nopass"]).succeeds();
    assert!(shown(&place, "pki/issued/b.crt").contains("Basic Constraints: critical"));
    place.easyrsa(&["--batch", "--profile=other", "gen-crl"]).fails_with(1);
}

#[test]
fn silence_is_kept_when_asked_for() {
    let place = Place::with_authority();
    let answer =
        place.easyrsa(&["--sbatch", "-S", "--use-algo=ec", "build-client-full", "a", "nopass"]).succeeds();
    assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("", ""));
    let answer =
        place.easyrsa(&["--sbatch", "-S", "--use-algo=ec", "build-client-full", "a", "nopass"]).fails_with(1);
    assert!(answer.stderr.contains("already exists"), "errors are always said");
}
