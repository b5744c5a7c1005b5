//! One table of commands, exit codes and files, which the drop-in and the real easy-rsa both fulfil.

use std::collections::BTreeSet;
use std::process::Command;

use crate::real::{Generation, RealEasyRsa, ours};
use crate::support::{Answer, Place, openssl};

/// What a command leaves behind in the PKI of [`prepared`].
struct Row {
    since: Generation,
    arguments: &'static [&'static str],
    input: &'static str,
    code: i32,
    /// Files that are there afterwards and were not before; `*` stands for a serial number.
    made: &'static [&'static str],
    gone: &'static [&'static str],
}

const fn row(
    since: Generation,
    arguments: &'static [&'static str],
    code: i32,
    made: &'static [&'static str],
    gone: &'static [&'static str],
) -> Row {
    Row { since, arguments, input: "", code, made, gone }
}

const fn asked(
    arguments: &'static [&'static str],
    input: &'static str,
    code: i32,
    made: &'static [&'static str],
) -> Row {
    Row { since: V31, arguments, input, code, made, gone: &[] }
}

const V31: Generation = Generation::V31;
const V32: Generation = Generation::V32;
const NOTHING: &[&str] = &[];
const NEW: &[&str] = &[
    "certs_by_serial/*.pem",
    "inline/private/new.inline",
    "issued/new.crt",
    "private/new.key",
    "reqs/new.req",
];
const SIGNED: &[&str] = &["certs_by_serial/*.pem", "inline/private/pending.inline", "issued/pending.crt"];
const REVOKED: &[&str] =
    &["revoked/certs_by_serial/*.crt", "revoked/private_by_serial/*.key", "revoked/reqs_by_serial/*.req"];
const OF_C1: &[&str] = &["inline/private/c1.inline", "issued/c1.crt", "private/c1.key", "reqs/c1.req"];

const TABLE: &[Row] = &[
    row(V31, &[], 0, NOTHING, NOTHING),
    row(V31, &["help"], 0, NOTHING, NOTHING),
    row(V31, &["help", "gen-crl"], 0, NOTHING, NOTHING),
    row(V32, &["help", "days"], 0, NOTHING, NOTHING),
    row(V32, &["help", "nonsense"], 1, NOTHING, NOTHING),
    row(V31, &["version"], 0, NOTHING, NOTHING),
    row(V31, &["nonsense"], 1, NOTHING, NOTHING),
    row(V31, &["--nonsense", "gen-crl"], 1, NOTHING, NOTHING),
    row(V31, &["--batch", "build-ca", "nopass"], 1, NOTHING, NOTHING),
    row(V31, &["--batch", "gen-req", "r", "nopass"], 0, &["private/r.key", "reqs/r.req"], NOTHING),
    row(V31, &["--batch", "gen-req"], 1, NOTHING, NOTHING),
    row(V31, &["--batch", "sign-req", "client", "pending"], 0, SIGNED, NOTHING),
    row(V31, &["--batch", "sign-req", "server", "pending"], 0, SIGNED, NOTHING),
    row(V31, &["--batch", "sign-req", "serverClient", "pending"], 0, SIGNED, NOTHING),
    row(
        V31,
        &["--batch", "sign-req", "ca", "pending"],
        0,
        &["certs_by_serial/*.pem", "issued/pending.crt"],
        NOTHING,
    ),
    row(V31, &["--batch", "sign-req", "nonsense", "pending"], 1, NOTHING, NOTHING),
    row(V31, &["--batch", "sign-req", "client", "missing"], 1, NOTHING, NOTHING),
    row(V31, &["--batch", "sign-req", "client"], 1, NOTHING, NOTHING),
    row(V32, &["--batch", "sign-req", "COMMON", "pending"], 1, NOTHING, NOTHING),
    row(V32, &["--batch", "sign-req", "client", "c1"], 1, NOTHING, NOTHING),
    row(V32, &["--batch", "sign-req", "client", "pending", "newsubj"], 1, NOTHING, NOTHING),
    row(V31, &["--batch", "build-client-full", "new", "nopass"], 0, NEW, NOTHING),
    row(V31, &["--batch", "build-server-full", "new", "nopass"], 0, NEW, NOTHING),
    row(V31, &["--batch", "build-serverClient-full", "new", "nopass"], 0, NEW, NOTHING),
    row(V31, &["--batch", "--passout=pass:secret", "build-client-full", "new"], 0, NEW, NOTHING),
    row(V31, &["--batch", "build-client-full", "c1", "nopass"], 1, NOTHING, NOTHING),
    row(V31, &["--batch", "build-client-full"], 1, NOTHING, NOTHING),
    row(V32, &["--batch", "build-client-full", "new", "nopass", "nonsense"], 1, NOTHING, NOTHING),
    row(V32, &["--batch", "--days=0", "build-client-full", "new", "nopass"], 1, NOTHING, NOTHING),
    row(V32, &["--batch", "revoke", "c1"], 0, REVOKED, OF_C1),
    row(V32, &["--batch", "revoke-issued", "c1", "superseded"], 0, REVOKED, OF_C1),
    row(V32, &["--batch", "revoke-issued", "c1", "kc"], 0, REVOKED, OF_C1),
    row(V31, &["--batch", "revoke", "c1", "nonsense"], 1, NOTHING, NOTHING),
    row(V31, &["--batch", "revoke", "missing"], 1, NOTHING, NOTHING),
    row(V31, &["--batch", "revoke-renewed", "c1"], 1, NOTHING, NOTHING),
    row(V32, &["--batch", "revoke-expired", "c1"], 1, NOTHING, NOTHING),
    row(V31, &["--batch", "gen-crl"], 0, &["crl.der", "crl.pem"], NOTHING),
    row(V32, &["--batch", "renew", "c1"], 0, &["certs_by_serial/*.pem", "renewed/issued/c1.crt"], NOTHING),
    row(V31, &["--batch", "renew", "missing"], 1, NOTHING, NOTHING),
    row(V32, &["--batch", "expire", "c1"], 0, &["expired/c1.crt"], &["issued/c1.crt"]),
    row(V32, &["--batch", "expire", "missing"], 1, NOTHING, NOTHING),
    row(V32, &["--batch", "renew-ca"], 0, &["expired-ca.list"], NOTHING),
    row(V31, &["--batch", "update-db"], 0, NOTHING, NOTHING),
    row(V31, &["show-cert", "c1"], 0, NOTHING, NOTHING),
    row(V31, &["show-cert", "c1", "full"], 0, NOTHING, NOTHING),
    row(V31, &["show-cert", "missing"], 1, NOTHING, NOTHING),
    row(V31, &["show-req", "pending"], 0, NOTHING, NOTHING),
    row(V31, &["show-req", "missing"], 1, NOTHING, NOTHING),
    row(V31, &["show-ca"], 0, NOTHING, NOTHING),
    row(V31, &["show-crl"], 1, NOTHING, NOTHING),
    row(V31, &["show-expire"], 0, NOTHING, NOTHING),
    row(V31, &["show-revoke"], 0, NOTHING, NOTHING),
    row(V31, &["show-renew"], 0, NOTHING, NOTHING),
    row(V32, &["show-host"], 0, NOTHING, NOTHING),
    row(V32, &["--batch", "verify-cert", "c1"], 0, NOTHING, NOTHING),
    row(V32, &["--batch", "verify-cert", "missing"], 1, NOTHING, NOTHING),
    row(V32, &["--batch", "check-serial", "ff"], 0, NOTHING, NOTHING),
    row(V32, &["--batch", "check-serial", "FF"], 1, NOTHING, NOTHING),
    row(V32, &["show-eku", "c1"], 0, NOTHING, NOTHING),
    row(V32, &["display-dn", "x509", "pki/ca.crt"], 0, NOTHING, NOTHING),
    row(V32, &["rand", "4"], 0, NOTHING, NOTHING),
    row(
        V32,
        &["--batch", "export-p12", "c1", "nopass"],
        0,
        &["inline/private/c1.p12-inline", "private/c1.p12"],
        NOTHING,
    ),
    row(V31, &["--batch", "export-p12", "missing", "nopass"], 1, NOTHING, NOTHING),
    row(V31, &["--batch", "export-p7", "c1"], 0, &["issued/c1.p7b"], NOTHING),
    row(V31, &["--batch", "export-p8", "c1", "nopass"], 0, &["private/c1.p8"], NOTHING),
    row(V31, &["--batch", "export-p1", "c1", "nopass"], 1, NOTHING, NOTHING),
    row(V32, &["--batch", "--passout=pass:secret", "set-pass", "c1"], 0, NOTHING, NOTHING),
    row(V32, &["--batch", "set-pass", "c1", "nopass"], 0, NOTHING, NOTHING),
    row(V32, &["--batch", "set-pass", "missing", "nopass"], 1, NOTHING, NOTHING),
    row(V32, &["--batch", "gen-tls-crypt-key"], 0, &["private/easyrsa-tls.key"], NOTHING),
    row(V32, &["--batch", "gen-tls-auth-key"], 0, &["private/easyrsa-tls.key"], NOTHING),
    row(V31, &["--batch", "import-req", "incoming.req", "imported"], 0, &["reqs/imported.req"], NOTHING),
    row(V31, &["--batch", "import-req", "incoming.req", "pending"], 1, NOTHING, NOTHING),
    row(V31, &["--batch", "import-req", "missing.req", "imported"], 1, NOTHING, NOTHING),
    row(V32, &["--batch", "import-ca", "pki/ca.crt"], 0, &["inline/external-ca.list"], NOTHING),
    row(V32, &["inline", "c1"], 0, NOTHING, NOTHING),
    row(V32, &["--batch", "self-sign-server", "new", "nopass"], 1, NOTHING, NOTHING),
    row(V32, &["write", "vars"], 0, NOTHING, NOTHING),
    row(V32, &["write", "server"], 0, NOTHING, NOTHING),
    asked(&["init-pki"], "no\n", 1, NOTHING),
    asked(&["build-client-full", "new", "nopass"], "no\n", 1, NOTHING),
    asked(&["build-client-full", "new", "nopass"], "yes\n", 0, NEW),
    asked(&["sign-req", "client", "pending"], "", 1, NOTHING),
    asked(&["sign-req", "client", "pending"], "yes\n", 0, SIGNED),
    asked(&["revoke", "c1"], "y\n", 1, NOTHING),
];

#[test]
fn the_drop_in_fulfils_the_table() {
    let template = prepared(ours);
    check_all(&template, V32, ours);
}

#[test]
fn the_real_easy_rsa_fulfils_the_table() {
    let real = RealEasyRsa::find();
    let run = |place: &Place, arguments: &[&str], input: &str| real.run(place, arguments, input);
    let template = prepared(run);
    check_all(&template, real.generation, run);
}

/// An authority, a client, a server, a request that waits, and one outside.
fn prepared(run: impl Fn(&Place, &[&str], &str) -> Answer) -> Place {
    let place = Place::new();
    for arguments in [
        &["init-pki"][..],
        &["build-ca", "nopass"],
        &["build-client-full", "c1", "nopass"],
        &["build-server-full", "s1", "nopass"],
        &["gen-req", "pending", "nopass"],
    ] {
        run(&place, &[&["--batch"], arguments].concat(), "").succeeds();
    }
    std::fs::copy(place.file("pki/reqs/c1.req"), place.file("incoming.req")).unwrap();
    place
}

fn check_all(template: &Place, generation: Generation, run: impl Fn(&Place, &[&str], &str) -> Answer) {
    let rows: Vec<&Row> = TABLE.iter().filter(|row| row.since <= generation).collect();
    assert!(rows.len() > 30);
    let failures: Vec<String> =
        rows.into_iter().filter_map(|row| check(template, generation, row, &run).err()).collect();
    assert!(failures.is_empty(), "{} rows differ:\n{}", failures.len(), failures.join("\n"));
}

fn check(
    template: &Place,
    generation: Generation,
    row: &Row,
    run: impl Fn(&Place, &[&str], &str) -> Answer,
) -> Result<(), String> {
    let place = Place::new();
    let copied = Command::new("cp")
        .arg("-a")
        .arg(template.file("pki"))
        .arg(template.file("incoming.req"))
        .arg(place.path())
        .status();
    assert!(copied.unwrap().success());
    let before = files(&place);
    let answer = run(&place, row.arguments, row.input);
    let after = files(&place);
    let expected = |wanted: &[&str]| -> BTreeSet<String> {
        wanted.iter().filter(|file| is_of(generation, file)).map(|file| (*file).to_owned()).collect()
    };
    let changed = |from: &BTreeSet<String>, to: &BTreeSet<String>| -> BTreeSet<String> {
        to.difference(from).map(|file| with_star(file)).filter(|file| is_of(generation, file)).collect()
    };
    let (made, gone) = (changed(&before, &after), changed(&after, &before));
    let same_files = made == expected(row.made) && gone == expected(row.gone);
    if answer.code != Some(row.code) || !same_files {
        return Err(format!("{:?}: made {made:?}, gone {gone:?}\n{answer}", row.arguments));
    }
    for file in made.iter().filter(|file| file.starts_with("issued/") && file.ends_with(".crt")) {
        let path = place.file("pki").join(file);
        openssl(&["verify", "-CAfile", place.file("pki/ca.crt").to_str().unwrap(), path.to_str().unwrap()]);
    }
    Ok(())
}

/// Inline files and the list in DER came with 3.2.
fn is_of(generation: Generation, file: &str) -> bool {
    generation >= V32 || !(file.starts_with("inline/") || file == "crl.der")
}

/// Every file of the PKI except copies of what was before, texts for people, and configuration.
fn files(place: &Place) -> BTreeSet<String> {
    let root = place.file("pki");
    let all = place.snapshot("pki").into_iter().filter(|(_, content)| content.is_some());
    all.map(|(path, _)| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned())
        .filter(|file| {
            let ignored = [".old", "README.inline.private", "easyrsa.cnf", "vars", "vars.example"];
            !ignored.iter().any(|end| file.ends_with(end))
        })
        .collect()
}

/// Serial numbers differ from run to run.
fn with_star(file: &str) -> String {
    let Some((directory, name)) = file.rsplit_once('/') else { return file.to_owned() };
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let is_serial = stem.len() >= 30 && stem.bytes().all(|octet| octet.is_ascii_hexdigit());
    if is_serial { format!("{directory}/*.{ending}") } else { file.to_owned() }
}
