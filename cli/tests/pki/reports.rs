//! `list`, `show` and `expiry` over a PKI of the real easy-rsa with every state a certificate can have.

use serde_json::Value;

use crate::support::Place;

/// Names in the NAME column, in the order of their issue.
fn names(place: &Place, arguments: &[&str]) -> Vec<String> {
    let answer = place.postern(&[&["list", "--csv"], arguments].concat()).succeeds();
    answer.stdout.lines().skip(1).map(|line| line.split(',').nth(5).unwrap().to_owned()).collect()
}

fn json(place: &Place, arguments: &[&str], code: i32) -> Value {
    let answer = place.postern(&[&["--json"], arguments].concat()).fails_with(code);
    assert_eq!(answer.stdout.lines().count(), 1, "{answer}");
    serde_json::from_str(&answer.stdout).unwrap()
}

#[test]
fn list_shows_every_certificate_and_each_filter_its_part() {
    let place = Place::with_golden("rsa");
    assert_eq!(names(&place, &[]).len(), 13);
    assert_eq!(names(&place, &["--revoked"]), ["revoked1", "revoked2", "renewed2", "moved2"]);
    assert_eq!(names(&place, &["--expired"]), ["expired1"]);
    assert_eq!(names(&place, &["--valid", "client?"]), ["client1", "client2"]);
    assert_eq!(names(&place, &["--type", "server"]), ["server1"]);
    assert_eq!(names(&place, &["--expiring", "30d"]), Vec::<String>::new());
    assert_eq!(names(&place, &["--expiring", "1500w", "*1"]).len(), 5);
    place.postern(&["list", "--valid", "--revoked"]).fails_with(2);
    insta::assert_snapshot!("list", place.postern(&["list"]).succeeds());
}

#[test]
fn list_answers_in_json_and_csv_as_well() {
    let place = Place::with_golden("rsa");
    let value = json(&place, &["list", "--revoked"], 0);
    let first = &value["certificates"][0];
    assert_eq!(first["name"], "revoked1");
    assert_eq!(first["state"], "revoked");
    assert_eq!(first["reason"], "keyCompromise");
    assert_eq!(value["unreadable_rows"], 0);
    let csv = place.postern(&["list", "--csv", "expired1"]).succeeds().stdout;
    assert_eq!(csv.lines().count(), 2);
    assert!(csv.contains("expired,[DATE],,,[SERIAL],expired1,/CN=expired1"), "{csv}");
}

#[test]
fn a_row_that_cannot_be_read_is_not_passed_over_in_silence() {
    let place = Place::with_golden("ed25519");
    let index = place.read("pki/index.txt");
    std::fs::write(place.file("pki/index.txt"), format!("{index}V\tnonsense\n")).unwrap();
    place.postern(&["list"]).succeeds().says("1 rows of index.txt cannot be read");
    assert_eq!(json(&place, &["list"], 0)["unreadable_rows"], 1);
}

#[test]
fn show_finds_a_certificate_by_name_and_by_serial_number() {
    let place = Place::with_golden("rsa");
    insta::assert_snapshot!("show", place.postern(&["show", "server1"]).succeeds());
    let value = json(&place, &["show", "123a1c9072c05a3afbfcdcceedb0d84a"], 0);
    assert_eq!(value["name"], "server1");
    assert_eq!(value["type"], "server");
    assert_eq!(value["alternative_names"][0], "DNS:vpn.example.test");
    assert_eq!(value["place"], "issued");
    place.postern(&["show", "nobody"]).fails_with(1).says("no-certificate");
}

#[test]
fn an_ambiguous_name_lists_its_candidates_and_each_is_reachable() {
    let place = Place::with_golden("rsa");
    let answer = place.postern(&["show", "renewed1"]).fails_with(1).says("ambiguous-name");
    assert_eq!(answer.stderr.matches("[SERIAL] (valid, until [DATE])").count(), 2, "{answer}");
    for (serial, expected) in [
        ("70E2972B728B94C4BCC3E7DFFA35F286", "renewed"),
        ("EEA291C0065620247A3C6C0EBA1B6B3E", "issued"),
        ("688F6A249138358D1A6CD14C6E16A508", "expired"),
        ("991E292D0E8244770C9E84AF842FFAEF", "revoked"),
    ] {
        assert_eq!(json(&place, &["show", serial], 0)["place"], expected, "{serial}");
    }
    assert_eq!(json(&place, &["show", "renewed2"], 0)["state"], "valid", "the other one is revoked");
}

#[test]
fn expiry_answers_monitoring_with_its_exit_code() {
    let place = Place::with_authority();
    place.postern(&["gen-crl"]).succeeds();
    place.postern(&["build-client-full", "short", "nopass", "--days", "20"]).succeeds();
    place.postern(&["expiry", "--within", "10d"]).succeeds().says("Nothing ends soon");
    place.postern(&["expiry"]).fails_with(3).says("short");
    let golden = Place::with_golden("rsa");
    let value = json(&golden, &["expiry"], 4);
    assert_eq!(value["endings"][0]["name"], "expired1");
    assert_eq!(value["endings"].as_array().unwrap().len(), 1);
    place.postern(&["expiry", "--within", "soon"]).fails_with(2);
}

#[test]
fn a_certificate_that_was_issued_again_does_not_alarm_anybody() {
    let place = Place::with_authority();
    place.postern(&["build-client-full", "alice", "nopass", "--days", "5"]).succeeds();
    let index = place.read("pki/index.txt");
    let successor = index.replacen("\t\t", "\t\t7E", 1);
    let digits = successor.split('\t').nth(1).unwrap().to_owned();
    std::fs::write(place.file("pki/index.txt"), index + &successor.replace(&digits, "490101000000Z"))
        .unwrap();
    place.postern(&["expiry", "--within", "30d"]).succeeds();
}

#[test]
fn expiry_writes_metrics_for_prometheus() {
    let place = Place::with_golden("rsa");
    place.postern(&["expiry", "--within", "1500w", "--prometheus", "postern.prom"]).fails_with(4);
    let metrics = place.read("postern.prom");
    assert!(metrics.contains("postern_certificates{state=\"revoked\"} 4\n"), "{metrics}");
    assert!(metrics.contains("postern_certificate_not_after_seconds{serial=\"123A1C9072C05A3AFBFCDCCEEDB0D84A\",name=\"server1\"} 2477720538"), "{metrics}");
    assert!(
        metrics
            .lines()
            .all(|line| line.starts_with('#') || line.rsplit_once(' ').unwrap().1.parse::<i64>().is_ok())
    );
    place.postern(&["expiry", "--prometheus", "no/such/place"]).fails_with(1).says("file-error");
}

#[test]
fn reports_need_no_right_to_write() {
    let place = Place::with_golden("ec");
    let before = place.snapshot("pki");
    for command in [&["list"][..], &["show", "server1"], &["expiry"]] {
        assert!(matches!(place.postern(command).code, Some(0 | 4)), "{command:?}");
    }
    place.is_unchanged_since(&before);
}
