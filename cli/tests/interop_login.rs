//! Stock clients that log in: by a user file, by a script, with questions, with tokens, with and without certificates.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use test_support::lab::TARGET;
use test_support::traffic::ping;
use test_support::{Context, Implementation, Lab, Result, ServerPlan, StockClient, Vpn, wait};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);

/// A server with these options and a certificate for Alice.
fn vpn<'lab>(lab: &'lab Lab, options: &[&str]) -> Result<Vpn<'lab>> {
    let plan = ServerPlan::default().with_options(options);
    Vpn::start(lab, &Implementation::Postern(POSTERN.into()), &["alice"], plan)
}

/// A user file with Alice, whose password is `secret`.
fn users(lab: &Lab) -> Result<PathBuf> {
    let file = lab.scratch().join("users");
    let mut command = Command::new(POSTERN);
    command.args(["user", "add", "alice", "--password", "pass:secret", "--users"]).arg(&file);
    let status = command.status().context("adding a user")?;
    assert!(status.success(), "{status}");
    Ok(file)
}

/// A script in the scratch directory.
fn script(lab: &Lab, name: &str, text: &str) -> Result<String> {
    let path = lab.scratch().join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).context("writing a script")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).context("writing a script")?;
    Ok(path.display().to_string())
}

/// The client's file with its user name and password.
fn login(lab: &Lab, password: &str) -> Result<String> {
    let path = lab.scratch().join(format!("login-{password}"));
    fs::write(&path, format!("alice\n{password}\n")).context("writing a login")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).context("writing a login")?;
    Ok(path.display().to_string())
}

/// The lines of a file that scripts write, once there are so many.
fn lines(path: &Path, count: usize) -> Result<Vec<String>> {
    wait::until(&format!("{count} lines in {}", path.display()), LIMIT, || {
        let text = fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
        Ok((lines.len() >= count).then_some(lines))
    })
}

/// A profile without certificate and key.
fn without_certificate(profile: &str) -> String {
    let mut kept = String::new();
    let mut inside = false;
    for line in profile.lines() {
        inside |= matches!(line, "<cert>" | "<key>");
        if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
        inside &= !matches!(line, "</cert>" | "</key>");
    }
    kept
}

#[test]
fn with_certificate_and_the_right_password_of_a_user_file() {
    let lab = Lab::new(2).unwrap();
    let file = users(&lab).unwrap();
    let vpn = vpn(&lab, &["--users", file.to_str().unwrap()]).unwrap();
    let right = login(&lab, "secret").unwrap();
    let _client = vpn.connect(lab.client(1), "alice", &["--auth-user-pass", &right]).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    let wrong = login(&lab, "wrong").unwrap();
    let profile = vpn.profile("alice").unwrap();
    let mut client = StockClient::start(lab.client(2), &profile, &["--auth-user-pass", &wrong]).unwrap();
    let reason = "AUTH: Received control message: AUTH_FAILED,the user name or the password is wrong";
    client.wait_refused(reason, LIMIT).unwrap();
}

#[test]
fn without_a_certificate_where_none_is_needed() {
    let lab = Lab::new(1).unwrap();
    let file = users(&lab).unwrap();
    let options = ["--users", file.to_str().unwrap(), "--verify-client-cert", "none"];
    let vpn = vpn(&lab, &options).unwrap();
    let profile = without_certificate(&vpn.profile("alice").unwrap());
    let login = login(&lab, "secret").unwrap();
    let _client = StockClient::connect(lab.client(1), &profile, &["--auth-user-pass", &login]).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

#[test]
fn without_a_certificate_nobody_gets_in_where_one_is_required() {
    let lab = Lab::new(1).unwrap();
    let file = users(&lab).unwrap();
    let vpn = vpn(&lab, &["--users", file.to_str().unwrap()]).unwrap();
    let profile = without_certificate(&vpn.profile("alice").unwrap());
    let login = login(&lab, "secret").unwrap();
    let client = StockClient::start(lab.client(1), &profile, &["--auth-user-pass", &login]).unwrap();
    client.log().wait_for("Received fatal SSL alert", LIMIT).unwrap();
}

#[test]
fn by_a_script_that_defers_its_decision_and_asks_for_patience() {
    let lab = Lab::new(1).unwrap();
    let text = "printf '100\\nopenurl\\nOPEN_URL:https://login.test/\\n' > $auth_pending_file\n\
                test \"$(cat $1)\" = 'alice\nsecret' && decision=1 || decision=0\n\
                (sleep 2; printf $decision > $auth_control_file) > /dev/null 2>&1 &\nexit 2";
    let verify = script(&lab, "verify", text).unwrap();
    let vpn = vpn(&lab, &["--auth-user-pass-verify", &format!("{verify} via-file")]).unwrap();
    let login = login(&lab, "secret").unwrap();
    let options = ["--auth-user-pass", &login, "--setenv", "IV_SSO", "openurl"];
    let client = vpn.connect(lab.client(1), "alice", &options).unwrap();
    client.log().wait_for("AUTH_PENDING received, extending handshake timeout", LIMIT).unwrap();
    client.log().wait_for("OPEN_URL:https://login.test/", LIMIT).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

#[test]
fn with_the_answer_to_the_question_in_the_profile() {
    let lab = Lab::new(1).unwrap();
    let verify = script(&lab, "verify", "test \"$password\" = SCRV1:c2VjcmV0:MTIzNDU2").unwrap();
    let vpn = vpn(&lab, &["--auth-user-pass-verify", &format!("{verify} via-env")]).unwrap();
    let profile = vpn.profile("alice").unwrap();
    let login = lab.scratch().join("login");
    fs::write(&login, "alice\nSCRV1:c2VjcmV0:MTIzNDU2\n").unwrap();
    let options = ["--auth-user-pass", login.to_str().unwrap()];
    let _client = StockClient::connect(lab.client(1), &profile, &options).unwrap();
}

#[test]
fn a_question_that_refuses_is_shown_by_the_client() {
    let lab = Lab::new(1).unwrap();
    let text = "echo 'CRV1:R,E:state7:YWxpY2U=:Code?' > $auth_failed_reason_file; exit 1";
    let verify = script(&lab, "verify", text).unwrap();
    let vpn = vpn(&lab, &["--auth-user-pass-verify", &format!("{verify} via-env")]).unwrap();
    let login = login(&lab, "secret").unwrap();
    let profile = vpn.profile("alice").unwrap();
    let mut client = StockClient::start(lab.client(1), &profile, &["--auth-user-pass", &login]).unwrap();
    client.wait_refused("AUTH_FAILED,CRV1:E,R:state7:YWxpY2U=:Code?", LIMIT).unwrap();
}

#[test]
fn with_a_token_that_spares_the_person_the_next_renegotiations() {
    let lab = Lab::new(1).unwrap();
    let asked = lab.scratch().join("asked");
    let verify = script(&lab, "verify", &format!("echo $username >> {}", asked.display())).unwrap();
    let verify = format!("{verify} via-env");
    let options = ["--auth-user-pass-verify", &verify, "--auth-gen-token", "0"];
    let mut plan = ServerPlan::default().with_options(&options);
    plan.renegotiate_after = Some(3);
    let implementation = Implementation::Postern(POSTERN.into());
    let vpn = Vpn::start(&lab, &implementation, &["alice"], plan).unwrap();
    let login = login(&lab, "secret").unwrap();
    let client = vpn.connect(lab.client(1), "alice", &["--auth-user-pass", &login]).unwrap();
    let mark = client.log().mark();
    for _ in 0..2 {
        client
            .log()
            .wait_for_since(mark, "PUSH: Received control message: 'PUSH_REPLY,auth-token", LIMIT)
            .unwrap();
    }
    std::thread::sleep(Duration::from_secs(7));
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    assert_eq!(lines(&asked, 1).unwrap(), ["alice"]);
}

#[test]
fn programs_hear_of_clients_that_come_and_go() {
    let lab = Lab::new(1).unwrap();
    let trace = lab.scratch().join("trace");
    let text = format!(
        "echo \"$script_type $1 $common_name $trusted_ip $ifconfig_pool_remote_ip $X509_0_CN $IV_PLAT $dev\" \
         >> {}\ntest $script_type != client-connect || echo 'push \"route 10.99.0.0 255.255.255.0\"' > $1",
        trace.display()
    );
    let hook = script(&lab, "hook", &text).unwrap();
    let options = ["--client-connect", &hook, "--client-disconnect", &hook, "--learn-address", &hook];
    let vpn = vpn(&lab, &options).unwrap();
    let mut client = vpn.connect(lab.client(1), "alice", &["--explicit-exit-notify", "1"]).unwrap();
    assert!(client.pushed_options().unwrap().contains(&"route 10.99.0.0 255.255.255.0".to_owned()));
    client.stop().unwrap();
    let facts = "alice 192.0.2.11 10.8.0.2 alice linux vpn0";
    let lines = lines(&trace, 4).unwrap();
    assert!(lines[0].starts_with("client-connect /") && lines[0].ends_with(facts), "{lines:?}");
    let expected = ["learn-address add", "learn-address delete", "client-disconnect "];
    assert_eq!(lines[1..], expected.map(|start| format!("{start} {facts}")));
}

#[test]
fn a_program_of_client_connect_sends_clients_away() {
    let lab = Lab::new(1).unwrap();
    let hook = script(&lab, "hook", "exit 1").unwrap();
    let vpn = vpn(&lab, &["--client-connect", &hook]).unwrap();
    let mut client = StockClient::start(lab.client(1), &vpn.profile("alice").unwrap(), &[]).unwrap();
    client.wait_refused("AUTH_FAILED,the server does not let this client connect", LIMIT).unwrap();
}

#[test]
fn a_certificate_that_a_program_refuses_does_not_get_in() {
    let lab = Lab::new(1).unwrap();
    let hook = script(&lab, "hook", "test \"$1 $2\" = '0 CN=bob'").unwrap();
    let vpn = vpn(&lab, &["--tls-verify", &hook]).unwrap();
    let mut client = StockClient::start(lab.client(1), &vpn.profile("alice").unwrap(), &[]).unwrap();
    client.wait_refused("AUTH_FAILED,the certificate or key is not accepted", LIMIT).unwrap();
}
