//! `postern user`: a file of users, from nothing to nobody.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

fn user(file: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    command.args(["--batch", "user"]).args(arguments).arg("--users").arg(file).output().unwrap()
}

fn said(output: &Output) -> String {
    let text = if output.status.success() { &output.stdout } else { &output.stderr };
    String::from_utf8(text.clone()).unwrap()
}

#[test]
fn users_come_change_and_go() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("users");
    assert_eq!(said(&user(&file, &["add", "bob", "--password", "pass:one"])), "User bob added.\n");
    assert_eq!(said(&user(&file, &["add", "alice", "--password", "pass:two"])), "User alice added.\n");
    assert_eq!(said(&user(&file, &["list"])), "alice\nbob\n");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = std::fs::read_to_string(&file).unwrap();
    assert!(before.lines().all(|line| line.contains(":$argon2id$v=19$m=12288,t=3,p=1$")), "{before}");
    assert_eq!(said(&user(&file, &["passwd", "bob", "--password", "pass:three"])), "User bob changed.\n");
    assert_ne!(std::fs::read_to_string(&file).unwrap(), before);
    assert_eq!(said(&user(&file, &["delete", "alice"])), "User alice deleted.\n");
    assert_eq!(said(&user(&file, &["list"])), "bob\n");
}

#[test]
fn a_secret_for_codes_is_a_link_and_on_request_a_picture_above_it() {
    let directory = tempfile::tempdir().unwrap();
    let secrets = directory.path().join("secrets");
    let totp = |name: &str, options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
        command.args(["--batch", "user", "totp", name]).args(options).arg("--secrets").arg(&secrets);
        said(&command.output().unwrap())
    };
    let link = totp("alice", &[]);
    assert!(link.starts_with("otpauth://totp/") && link.lines().count() == 1, "{link}");
    let drawn = totp("bob", &["--qr"]);
    let (picture, link) = drawn.trim_end().rsplit_once('\n').unwrap();
    assert!(link.starts_with("otpauth://totp/"), "{link}");
    assert!(
        picture.lines().count() > 15 && picture.lines().all(|line| line.chars().count() > 30),
        "{picture}"
    );
}

#[test]
fn mistakes_change_nothing_and_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("users");
    assert!(user(&file, &["add", "bob", "--password", "pass:one"]).status.success());
    let before = std::fs::read_to_string(&file).unwrap();
    let long = format!("pass:{}", "x".repeat(129));
    for (arguments, reason) in [
        (&["add", "bob", "--password", "pass:two"][..], "there is a user 'bob'"),
        (&["passwd", "carol", "--password", "pass:two"], "there is no user 'carol'"),
        (&["delete", "carol"], "there is no user 'carol'"),
        (&["add", "a\nb", "--password", "pass:two"], "is not a user name"),
        (&["add", "carol", "--password", "pass:"], "the password is empty"),
        (&["add", "carol", "--password", &long], "the password is longer than 128 octets"),
        (&["add", "carol"], "nobody is asked in batch mode"),
    ] {
        let output = user(&file, arguments);
        assert!(!output.status.success() && said(&output).contains(reason), "{arguments:?}: {output:?}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
}
