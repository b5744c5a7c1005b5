//! Killed, run in parallel, out of space, read-only, and in a hostile directory: the PKI is always in order.

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Place, openssl};

/// Checks that index, certificates, keys and requests tell the same story and that nothing else lies around.
fn is_in_order(place: &Place) -> BTreeSet<String> {
    let index = place.read("pki/index.txt");
    let mut serials = BTreeSet::new();
    let mut names = BTreeSet::new();
    for row in index.lines() {
        let fields: Vec<&str> = row.split('\t').collect();
        assert_eq!(fields.len(), 6, "{row:?}");
        assert!(serials.insert(fields[3].to_owned()), "serial twice: {row}");
        assert!(place.file(&format!("pki/certs_by_serial/{}.pem", fields[3])).exists(), "{row}");
        if fields[0] == "V" {
            names.insert(fields[5].trim_start_matches("/CN=").to_owned());
        }
    }
    let stems = |directory: &str, ending: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(place.file(directory)).unwrap();
        let files = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        files
            .map(|name| {
                name.strip_suffix(ending).unwrap_or_else(|| panic!("stray {directory}/{name}")).to_owned()
            })
            .collect()
    };
    assert_eq!(stems("pki/issued", ".crt"), names);
    assert_eq!(stems("pki/reqs", ".req"), names);
    let mut keys = stems("pki/private", ".key");
    keys.remove("ca");
    assert_eq!(keys, names);
    assert_eq!(stems("pki/certs_by_serial", ".pem"), serials);
    let top: BTreeSet<String> = std::fs::read_dir(place.file("pki"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let known = [
        "audit.log",
        "ca.crt",
        "certs_by_serial",
        "crl.der",
        "crl.pem",
        "index.txt",
        "index.txt.attr",
        "issued",
        "private",
        "reqs",
        "revoked",
        "serial",
    ];
    assert!(top.iter().all(|name| known.contains(&name.as_str())), "{top:?}");
    names
}

/// A reproducible source of odd numbers.
struct Dice(u64);

impl Dice {
    fn up_to(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// `make stress` runs the same tests for longer.
fn rounds(usual: usize, under_stress: usize) -> usize {
    if std::env::var_os("PKI_STRESS").is_some() { under_stress } else { usual }
}

#[test]
fn pki_04_kills_during_any_command_leave_nothing_to_repair() {
    let place = Place::with_authority();
    place.postern(&["build-client-full", "steady", "nopass"]).succeeds();
    let mut dice = Dice(4);
    let longest = usual_microseconds(&place);
    for round in 0..rounds(24, 500) {
        let name = format!("victim{round}");
        let command: &[&str] = match round % 4 {
            0 => &["build-client-full", &name, "nopass"],
            1 => &["--batch", "renew", "steady", "--new-key", "--nopass"],
            2 => &["--batch", "revoke", "usual"],
            _ => &["gen-crl"],
        };
        killed(&place, command, dice.up_to(longest));
        place.postern(&["--lock-timeout", "1", "gen-crl"]).succeeds();
        place.postern(&["pki", "check"]).succeeds().says(" 0 findings");
        place.postern(&["pki", "audit"]).succeeds();
        if !place.file("pki/issued/usual.crt").exists() {
            place.postern(&["build-client-full", "usual", "nopass"]).succeeds();
        }
    }
}

/// Starts a command and kills it after so many microseconds.
fn killed(place: &Place, arguments: &[&str], microseconds: u64) {
    let mut child =
        place.command("postern", arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_micros(microseconds));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn pki_04_kills_at_random_moments_leave_a_pki_in_order() {
    let place = Place::with_authority();
    place.postern(&["gen-crl"]).succeeds();
    let mut dice = Dice(20_261_120);
    let longest = usual_microseconds(&place);
    for round in 0..rounds(40, 500) {
        let name = format!("victim{round}");
        killed(&place, &["build-client-full", &name, "nopass"], dice.up_to(longest));
        let next = format!("next{round}");
        place.postern(&["--lock-timeout", "1", "build-client-full", &next, "nopass"]).succeeds();
        let names = is_in_order(&place);
        assert!(names.contains(&next));
        if !names.contains(&name) {
            place.postern(&["build-client-full", &name, "nopass"]).succeeds();
        }
        place.postern(&["--batch", "revoke", &name]).succeeds();
    }
    place.postern(&["gen-crl"]).succeeds();
    let authority = place.file("pki/ca.crt");
    for entry in std::fs::read_dir(place.file("pki/issued")).unwrap() {
        openssl(&[
            "verify",
            "-x509_strict",
            "-CAfile",
            authority.to_str().unwrap(),
            entry.unwrap().path().to_str().unwrap(),
        ]);
    }
}

/// How long an undisturbed build takes here, with some room.
fn usual_microseconds(place: &Place) -> u64 {
    let begin = std::time::Instant::now();
    place.postern(&["build-client-full", "usual", "nopass"]).succeeds();
    u64::try_from(begin.elapsed().as_micros()).unwrap() * 3 / 2 + 1
}

/// Long enough for everybody's turn, on a slow disk too.
const PATIENT: &str = "--lock-timeout=600";

#[test]
fn pki_05_parallel_builds_lose_nothing() {
    let place = Place::with_authority();
    let processes = rounds(8, 16);
    let build = |process: usize| {
        for number in 0..rounds(5, 20) {
            let name = format!("p{process}-{number}");
            place.postern(&[PATIENT, "build-client-full", &name, "nopass"]).succeeds();
        }
    };
    std::thread::scope(|scope| {
        for process in 0..processes {
            scope.spawn(move || build(process));
        }
    });
    assert_eq!(is_in_order(&place).len(), processes * rounds(5, 20));
    place.postern(&["pki", "check"]).succeeds();
}

#[test]
fn pki_06_of_two_builds_of_one_name_exactly_one_wins() {
    let place = Place::with_authority();
    for round in 0..5 {
        let name = format!("twin{round}");
        let outcomes: Vec<Option<i32>> = std::thread::scope(|scope| {
            let builds: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| place.postern(&[PATIENT, "build-client-full", &name, "nopass"]).code))
                .collect();
            builds.into_iter().map(|build| build.join().unwrap()).collect()
        });
        assert_eq!(outcomes.iter().filter(|code| **code == Some(0)).count(), 1, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|code| **code == Some(1)).count(), 3, "{outcomes:?}");
    }
    assert_eq!(is_in_order(&place).len(), 5);
}

/// A file system of our own, unmounted when dropped.
struct Mount(std::path::PathBuf);

impl Mount {
    /// `None` without the privilege to mount.
    fn tmpfs(at: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).output().unwrap();
        mounted.status.success().then(|| Self(at.to_path_buf()))
    }

    fn remount(&self, options: &str) {
        let status =
            Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// An authority on a small file system, or `None` without the privilege to mount.
fn on_small_disk() -> Option<(Place, Mount)> {
    let place = Place::new();
    let mount = Mount::tmpfs(&place.file("disk"), "size=256k,mode=700")?;
    symlink("disk/pki", place.file("pki")).unwrap();
    place.postern(&["--pki-dir", "disk/pki", "init-pki"]).succeeds();
    place.postern(&["build-ca", "nopass"]).succeeds();
    place.postern(&["build-client-full", "first", "nopass"]).succeeds();
    place.postern(&["gen-crl"]).succeeds();
    Some((place, mount))
}

#[expect(clippy::print_stderr, reason = "a test that did not run must say so")]
fn skipped() {
    eprintln!("skipped: mounting needs root");
}

#[test]
fn pki_07_a_full_disk_refuses_and_changes_nothing() {
    let Some((place, _mount)) = on_small_disk() else {
        return skipped();
    };
    let mut filler = 0;
    // Fill page by page: every amount of free space from plenty to none is tried.
    loop {
        let before = place.snapshot("pki");
        let name = format!("c{filler}");
        let answer = place.postern(&["build-client-full", &name, "nopass"]);
        if answer.code == Some(0) {
            place.postern(&["--batch", "revoke", &name]);
            is_in_order(&place);
        } else {
            answer.fails_with(1).says("disk-full");
            place.is_unchanged_since(&before);
        }
        let list = place.read("pki/crl.pem");
        let before = place.snapshot("pki");
        if place.postern(&["gen-crl"]).code != Some(0) {
            assert_eq!(place.read("pki/crl.pem"), list);
            place.is_unchanged_since(&before);
        }
        filler += 1;
        if std::fs::write(place.file(&format!("disk/filler{filler}")), [0; 4096]).is_err() || filler > 80 {
            break;
        }
    }
    for number in 1..=filler {
        std::fs::remove_file(place.file(&format!("disk/filler{number}"))).unwrap();
    }
    place.postern(&["build-client-full", "after", "nopass"]).succeeds();
    assert!(is_in_order(&place).contains("after"));
}

#[test]
fn pki_07_a_read_only_disk_refuses_and_can_still_be_read() {
    let Some((place, mount)) = on_small_disk() else {
        return skipped();
    };
    let before = place.snapshot("pki");
    mount.remount("ro");
    for arguments in
        [&["build-client-full", "x", "nopass"][..], &["--batch", "revoke", "first"], &["gen-crl"]]
    {
        place.postern(arguments).fails_with(1).says("read-only-filesystem");
    }
    place.postern(&["export", "first", "--remote", "h"]).succeeds();
    place.is_unchanged_since(&before);
    mount.remount("rw");
    place.postern(&["build-client-full", "x", "nopass"]).succeeds();
}

#[test]
fn pki_02_modes_do_not_depend_on_the_umask() {
    let place = Place::new();
    let script = "umask 000; set -e; \"$0\" init-pki; \"$0\" build-ca nopass; \"$0\" build-client-full a nopass; \"$0\" gen-crl; \
                  umask 777; \"$0\" --batch revoke a; \"$0\" build-client-full b nopass; \"$0\" gen-crl";
    let mut command = Command::new("sh");
    command.current_dir(place.path()).args(["-c", script]).arg(env!("CARGO_BIN_EXE_postern"));
    place.answer(&mut command, "").succeeds();
    for (path, content) in place.snapshot("pki") {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let is_public =
            ["ca.crt", "crl.pem", "crl.der"].contains(&path.file_name().unwrap().to_str().unwrap());
        let expected = match (content, is_public) {
            (None, _) => 0o700,
            (Some(_), true) => 0o644,
            (Some(_), false) => 0o600,
        };
        assert_eq!(mode, expected, "{}", path.display());
    }
}

#[test]
fn pki_02_planted_links_are_neither_followed_nor_kept() {
    let place = Place::with_authority();
    let victim = place.file("victim");
    std::fs::write(&victim, "precious").unwrap();
    for link in ["pki/private/a.key", "pki/issued/b.crt", "pki/reqs/c.req"] {
        symlink(&victim, place.file(link)).unwrap();
    }
    for name in ["a", "b", "c"] {
        place.postern(&["build-client-full", name, "nopass"]).fails_with(1).says("name-taken");
    }
    for link in ["pki/.serial.postern-new", "pki/private/.d.key.postern-new", "pki/crl.pem", "pki/crl.der"] {
        symlink(&victim, place.file(link)).unwrap();
    }
    place.postern(&["build-client-full", "d", "nopass"]).succeeds();
    place.postern(&["gen-crl", "--force"]).succeeds();
    assert!(!std::fs::symlink_metadata(place.file("pki/crl.pem")).unwrap().is_symlink());
    for link in ["pki/lock.file", "pki/.postern-journal"] {
        symlink(&victim, place.file(link)).unwrap();
        place.postern(&["--lock-timeout", "0", "build-client-full", "e", "nopass"]);
        let _ = std::fs::remove_file(place.file(link));
    }
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn a_private_directory_on_another_medium_is_used() {
    let place = Place::with_authority();
    std::fs::rename(place.file("pki/private"), place.file("medium")).unwrap();
    symlink(place.file("medium"), place.file("pki/private")).unwrap();
    place.postern(&["build-client-full", "a", "nopass"]).succeeds();
    assert!(place.file("medium/a.key").exists());
    place.postern(&["--batch", "revoke", "a"]).succeeds();
}
