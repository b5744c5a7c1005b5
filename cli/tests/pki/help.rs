//! Help texts: part of the product, so a change of them is seen in review.

use crate::support::Place;

#[test]
fn postern_explains_itself() {
    let place = Place::new();
    insta::assert_snapshot!("postern", place.postern(&["--help"]).succeeds());
    insta::assert_snapshot!("postern_without_arguments", place.postern(&[]).fails_with(2));
    for command in [
        "init-pki",
        "build-ca",
        "build-client-full",
        "revoke",
        "gen-crl",
        "export",
        "onboard",
        "offboard",
        "list",
        "show",
        "expiry",
    ] {
        let answer = place.postern(&[command, "--help"]).succeeds();
        insta::assert_snapshot!(format!("postern_{command}"), answer);
    }
}

#[test]
fn what_is_done_with_profiles_is_explained() {
    let place = Place::new();
    for command in ["lint", "qr"] {
        let answer = place.postern(&["ovpn", command, "--help"]).succeeds();
        insta::assert_snapshot!(format!("postern_ovpn_{command}"), answer);
    }
}

#[test]
fn easyrsa_explains_itself() {
    let place = Place::new();
    insta::assert_snapshot!("easyrsa", place.easyrsa(&[]).succeeds());
    for topic in ["options", "init-pki", "build-ca", "build-client-full", "revoke", "gen-crl"] {
        let answer = place.easyrsa(&["help", topic]).succeeds();
        insta::assert_snapshot!(format!("easyrsa_{topic}"), answer);
    }
    place.easyrsa(&["help", "nonsense"]).fails_with(1).says("Unknown help topic");
}

#[test]
fn versions_are_answered_in_both_spellings() {
    let place = Place::new();
    place.postern(&["--version"]).succeeds().says("postern 0.");
    for spelling in ["version", "--version"] {
        let answer = place.easyrsa(&[spelling]).succeeds();
        assert!(answer.stdout.lines().any(|line| line.starts_with("Version:     3.2")), "{answer}");
    }
}
