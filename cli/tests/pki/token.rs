//! An authority whose key is in a token: SoftHSM from Debian, and openssl as the judge.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Answer, Place, openssl};

const MODULES: [&str; 2] = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"];
const PIN: &str = "271828";

/// A directory with tokens of its own.
struct Desk {
    place: Place,
}

impl Desk {
    fn new() -> Self {
        let place = Place::new();
        std::fs::create_dir(place.file("tokens")).unwrap();
        let configuration = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            place.file("tokens").display()
        );
        std::fs::write(place.file("softhsm2.conf"), configuration).unwrap();
        std::fs::write(place.file("pin"), format!("{PIN}\n")).unwrap();
        let desk = Self { place };
        desk.make_token("Office CA");
        desk.postern(&["init-pki"]).succeeds();
        desk
    }

    /// With an authority whose key is in the token.
    fn with_authority(options: &[&str]) -> Self {
        let desk = Self::new();
        let uri = desk.uri("vpn-ca");
        desk.postern(&[&["build-ca", "--cn", "Token CA", "--pkcs11", &uri], options].concat()).succeeds();
        desk
    }

    fn make_token(&self, label: &str) {
        let mut command = self.with_tokens(Command::new("softhsm2-util"));
        command.args(["--init-token", "--free", "--label", label, "--so-pin", "00000000", "--pin", PIN]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn with_tokens(&self, mut command: Command) -> Command {
        command.env("SOFTHSM2_CONF", self.place.file("softhsm2.conf"));
        command
    }

    fn uri(&self, object: &str) -> String {
        format!("pkcs11:token=Office%20CA;object={object}?module-path={}", module().display())
    }

    /// Runs postern with the right PIN.
    fn postern(&self, arguments: &[&str]) -> Answer {
        self.with_passin("file:pin", arguments)
    }

    fn with_passin(&self, source: &str, arguments: &[&str]) -> Answer {
        self.run("postern", &[&["--batch", "--passin", source], arguments].concat(), "")
    }

    fn run(&self, program: &str, arguments: &[&str], input: &str) -> Answer {
        let mut command = self.with_tokens(self.place.command(program, arguments));
        self.place.answer(&mut command, input)
    }

    fn path(&self, name: &str) -> String {
        self.place.file(name).to_str().unwrap().to_owned()
    }

    fn verifies(&self, name: &str) {
        let certificate = self.path(&format!("pki/issued/{name}.crt"));
        openssl(&["verify", "-x509_strict", "-CAfile", &self.path("pki/ca.crt"), &certificate]);
    }

    fn published(&self) -> String {
        let (authority, list) = (self.path("pki/ca.crt"), self.path("pki/crl.pem"));
        let said = openssl(&["crl", "-noout", "-text", "-CAfile", &authority, "-in", &list]);
        assert!(said.contains("verify OK"), "{said}");
        said
    }
}

fn module() -> &'static Path {
    let found = MODULES.iter().map(Path::new).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("install softhsm2: make dependencies"))
}

#[test]
fn the_whole_life_of_certificates_works_with_every_kind_of_key() {
    for kind in
        [&["--algo", "rsa"][..], &[], &["--curve", "secp384r1"], &["--curve", "secp521r1"], &["--algo", "ed"]]
    {
        let desk = Desk::with_authority(kind);
        assert!(!desk.place.file("pki/private/ca.key").exists(), "{kind:?}");
        desk.postern(&["build-server-full", "server", "nopass", "--san", "DNS:vpn.example"]).succeeds();
        desk.postern(&["build-client-full", "alice", "nopass"]).succeeds();
        desk.verifies("server");
        desk.verifies("alice");
        desk.postern(&["renew", "alice"]).succeeds();
        desk.verifies("alice");
        desk.postern(&["revoke", "server", "superseded"]).succeeds();
        desk.postern(&["gen-crl"]).succeeds();
        assert!(desk.published().contains("Superseded"), "{kind:?}");
        desk.postern(&["pki", "check"]).succeeds();
    }
}

#[test]
fn digests_that_do_not_match_the_curve_work_as_well() {
    for (kind, digest) in [("prime256v1", "sha512"), ("secp384r1", "sha256"), ("secp521r1", "sha384")] {
        let desk = Desk::with_authority(&["--curve", kind, "--digest", digest]);
        desk.postern(&["build-client-full", "alice", "nopass", "--digest", digest]).succeeds();
        desk.verifies("alice");
    }
}

#[test]
fn requests_are_signed_and_bulk_shares_one_session_among_threads() {
    let desk = Desk::with_authority(&[]);
    desk.run("easyrsa", &["--batch", "gen-req", "bob", "nopass"], "").succeeds();
    desk.run("easyrsa", &["--batch", "--passin=file:pin", "sign-req", "client", "bob"], "").succeeds();
    desk.verifies("bob");
    let users: String = (0..40).map(|number| format!("user{number}\n")).collect();
    std::fs::write(desk.place.file("users.csv"), users).unwrap();
    desk.postern(&["build-client-full", "--from-file", "users.csv", "nopass"]).succeeds();
    for name in ["user0", "user39"] {
        desk.verifies(name);
    }
}

#[test]
fn the_drop_in_builds_and_uses_an_authority_in_a_token() {
    let desk = Desk::new();
    let option = format!("--ca-key={}", desk.uri("drop-in"));
    let common = ["--batch", "--passin=file:pin", "--use-algo=ec"];
    let easyrsa = |arguments: &[&str]| desk.run("easyrsa", &[&common, arguments].concat(), "");
    easyrsa(&[&option, "build-ca"]).succeeds().says("CA creation complete");
    easyrsa(&["build-client-full", "alice", "nopass"]).succeeds();
    desk.verifies("alice");
    easyrsa(&["renew-ca"]).succeeds();
    easyrsa(&["gen-crl"]).succeeds();
    desk.published();
}

#[test]
fn the_key_can_be_named_from_outside_and_the_pin_asked_for_or_found_by_the_uri() {
    let desk = Desk::with_authority(&[]);
    std::fs::remove_file(desk.place.file("pki/private/ca.pkcs11")).unwrap();
    desk.postern(&["gen-crl"]).fails_with(1).says("error[no-ca]");
    let uri = desk.uri("vpn-ca");
    desk.postern(&["--ca-key", &uri, "gen-crl"]).succeeds();
    let from_file = format!("{uri}&pin-source={}", desk.path("pin"));
    desk.run("postern", &["--ca-key", &from_file, "gen-crl", "--force"], "").succeeds();
    let asked = desk.run("postern", &["--ca-key", &uri, "gen-crl", "--force"], &format!("{PIN}\n"));
    asked.succeeds().says("PIN of the token 'Office CA'");
    let mut by_variable = desk.with_tokens(desk.place.command("postern", &["gen-crl", "--force"]));
    by_variable.env("POSTERN_CA_KEY", &from_file);
    desk.place.answer(&mut by_variable, "").succeeds();
    desk.run("postern", &["--batch", "--ca-key", &uri, "gen-crl", "--force"], "")
        .fails_with(1)
        .says("error[no-passphrase]");
}

#[test]
fn a_key_that_is_there_is_used_and_another_kind_is_not_made_beside_it() {
    let desk = Desk::with_authority(&["--curve", "secp384r1"]);
    let before = openssl(&["x509", "-in", &desk.path("pki/ca.crt"), "-noout", "-pubkey"]);
    std::fs::rename(desk.place.file("pki"), desk.place.file("earlier")).unwrap();
    desk.postern(&["init-pki"]).succeeds();
    let uri = desk.uri("vpn-ca");
    let build = |kind: &[&str]| desk.postern(&[&["build-ca", "--pkcs11", &uri], kind].concat());
    build(&["--algo", "rsa"]).fails_with(1).says("error[pkcs11-other-algorithm]");
    build(&["nopass"]).fails_with(2).says("error[usage]");
    build(&[]).succeeds().says("the key was in the token already");
    assert_eq!(openssl(&["x509", "-in", &desk.path("pki/ca.crt"), "-noout", "-pubkey"]), before);
}

#[test]
fn a_key_made_for_an_authority_that_comes_to_nothing_does_not_stay() {
    let desk = Desk::new();
    let uri = desk.uri("vpn-ca");
    // Somebody holds the PKI, which is found out after the key has been made.
    std::fs::write(desk.place.file("pki/lock.file"), std::process::id().to_string()).unwrap();
    desk.postern(&["--lock-timeout", "0", "build-ca", "--pkcs11", &uri]).fails_with(17);
    std::fs::remove_file(desk.place.file("pki/lock.file")).unwrap();
    let answer = desk.postern(&["build-ca", "--pkcs11", &uri]).succeeds();
    assert!(!answer.stdout.contains("already"), "{answer}");
}

#[test]
fn a_subordinate_authority_keeps_its_key_in_a_token() {
    let (root, desk) = (Place::with_authority(), Desk::new());
    desk.postern(&["build-ca", "--subca", "--cn", "Below", "--pkcs11", &desk.uri("below")]).succeeds();
    let request = desk.path("pki/reqs/ca.req");
    root.postern(&["--batch", "import-req", &request, "below"]).succeeds();
    root.postern(&["--batch", "sign-req", "ca", "below", "--path-length", "0"]).succeeds();
    std::fs::copy(root.file("pki/issued/below.crt"), desk.place.file("pki/ca.crt")).unwrap();
    desk.postern(&["build-client-full", "alice", "nopass"]).succeeds();
    let (anchor, below) = (root.file("pki/ca.crt"), desk.path("pki/ca.crt"));
    let leaf = desk.path("pki/issued/alice.crt");
    openssl(&["verify", "-x509_strict", "-CAfile", anchor.to_str().unwrap(), "-untrusted", &below, &leaf]);
}

#[test]
fn an_authority_moves_from_a_file_into_a_token_to_another_and_back() {
    let desk = Desk::new();
    desk.postern(&["build-ca", "nopass"]).succeeds();
    desk.postern(&["build-client-full", "old", "nopass"]).succeeds();
    let steps: [&[&str]; 4] = [
        &["--pkcs11", &desk.uri("first")],
        &["--pkcs11", &desk.uri("second"), "--algo", "rsa"],
        &["--same-key"],
        &["nopass"],
    ];
    for (number, step) in steps.iter().enumerate() {
        desk.postern(&[&["ca", "roll-over"], *step].concat()).succeeds();
        let name = format!("new{number}");
        desk.postern(&["build-client-full", &name, "nopass"]).succeeds();
        desk.verifies(&name);
        desk.postern(&["pki", "check"]).succeeds();
        let (in_token, in_file) = (number < 3, number == 3);
        assert_eq!(desk.place.file("pki/private/ca.pkcs11").exists(), in_token, "step {number}");
        assert_eq!(desk.place.file("pki/private/ca.key").exists(), in_file, "step {number}");
    }
    let history = std::fs::read_dir(desk.place.file("pki/ca-history")).unwrap();
    let endings: Vec<PathBuf> = history.map(|entry| entry.unwrap().path()).collect();
    let count = |ending: &str| endings.iter().filter(|path| path.extension().unwrap() == ending).count();
    assert_eq!((count("crt"), count("key"), count("pkcs11")), (4, 1, 3));
    desk.postern(&["ca", "roll-over", "--pkcs11", &desk.uri("first")]).succeeds();
    let again = desk.postern(&["ca", "roll-over", "--pkcs11", &desk.uri("first")]).fails_with(1);
    again.says("error[pkcs11-same-key]");
}

#[test]
fn status_and_check_know_where_the_key_is() {
    let desk = Desk::with_authority(&[]);
    desk.postern(&["ca", "status"]).succeeds().says("Key of the current one: pkcs11:token=Office%20CA");
    desk.postern(&["pki", "check"]).succeeds().says("0 findings");
    let file = desk.place.file("pki/private/ca.pkcs11");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write(&desk.uri("elsewhere"));
    desk.postern(&["pki", "check"]).succeeds().says("notice[token-key-unseen]");
    write(&desk.uri("vpn-ca").replace("Office", "Home"));
    desk.postern(&["pki", "check"]).succeeds().says("notice[token-unreachable]");
    write("pkcs11:token=x");
    desk.postern(&["pki", "check"]).fails_with(1).says("error[token-unreadable]");
    desk.postern(&["gen-crl"]).fails_with(1).says("error[pkcs11-uri]");
    write(&desk.uri("vpn-ca"));
    std::fs::write(desk.place.file("pki/private/ca.key"), "").unwrap();
    desk.postern(&["pki", "check"]).says("warning[key-beside-token]");
}

#[test]
fn a_foreign_key_in_the_token_signs_nothing() {
    let desk = Desk::with_authority(&[]);
    std::fs::rename(desk.place.file("pki"), desk.place.file("first")).unwrap();
    desk.postern(&["init-pki"]).succeeds();
    desk.postern(&["build-ca", "--pkcs11", &desk.uri("other")]).succeeds();
    std::fs::copy(desk.place.file("first/private/ca.pkcs11"), desk.place.file("pki/private/ca.pkcs11"))
        .unwrap();
    desk.postern(&["pki", "check"]).fails_with(1).says("error[token-mismatch]");
    let before = desk.place.snapshot("pki");
    desk.postern(&["build-client-full", "alice", "nopass"]).fails_with(1).says("error[ca-key-mismatch]");
    desk.place.is_unchanged_since(&before);
}

#[test]
fn pki_12_others_who_could_name_another_module_are_kept_out() {
    use std::os::unix::fs::PermissionsExt;

    let desk = Desk::with_authority(&[]);
    let file = desk.place.file("pki/private/ca.pkcs11");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    desk.postern(&["gen-crl"]).fails_with(1).says("error[key-file-exposed]");
    desk.postern(&["pki", "check", "--repair"]).succeeds();
    desk.postern(&["gen-crl"]).succeeds();
}

#[test]
fn every_obstacle_has_a_code_and_changes_nothing() {
    let desk = Desk::with_authority(&[]);
    desk.make_token("Spare");
    std::fs::write(desk.place.file("wrong"), "314159\n").unwrap();
    let before = desk.place.snapshot("pki");
    let uri = desk.uri("vpn-ca");
    let fails = |source: &str, uri: &str, code: &str| {
        let answer = desk.with_passin(source, &["--ca-key", uri, "gen-crl"]).fails_with(1);
        let text = answer.to_string();
        assert!(text.contains(&format!("error[{code}]")) && text.contains("  help: "), "{code}: {text}");
        assert_eq!(text.matches("error[").count(), 1, "{text}");
        assert!(!text.contains(PIN) && !text.contains("314159"), "{text}");
    };
    fails("file:wrong", &uri, "pkcs11-wrong-pin");
    fails("file:pin", &uri.replace("/usr", "/nowhere"), "pkcs11-module");
    fails("file:pin", "pkcs11:object=vpn-ca?module-path=/etc/hostname", "pkcs11-module");
    fails("file:pin", &uri.replace("Office", "Home"), "pkcs11-no-token");
    fails("file:pin", &uri.replace("token=Office%20CA;", ""), "pkcs11-ambiguous-token");
    fails("file:pin", &uri.replace("vpn-ca", "other"), "pkcs11-no-key");
    fails("file:nowhere", &uri, "passphrase-unreadable");
    desk.place.is_unchanged_since(&before);
    let pin_inside = format!("{uri}&pin-value={PIN}");
    let refused = desk.postern(&["--ca-key", &pin_inside, "gen-crl"]).fails_with(2).says("error[pkcs11-uri]");
    assert!(!refused.to_string().contains(PIN), "{refused}");
    desk.postern(&["set-pass", "ca"]).fails_with(1).says("error[key-in-token]");
}

#[test]
fn a_locked_pin_is_named_and_not_tried_again() {
    let desk = Desk::with_authority(&[]);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/pkcs11/locked.c");
    let built = desk.place.file("locked.so");
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&built, &source]).status();
    assert!(compiled.unwrap().success());
    let uri = format!("pkcs11:token=Office%20CA;object=vpn-ca?module-path={}", built.display());
    let arguments = ["--batch", "--passin", "file:pin", "--ca-key", &uri, "gen-crl"];
    let mut command = desk.with_tokens(desk.place.command("postern", &arguments));
    command.env("SOFTHSM2_MODULE", module());
    let answer = desk.place.answer(&mut command, "").fails_with(1).says("error[pkcs11-pin-locked]");
    answer.says("security officer");
}
