//! Times the PKI commands as whole processes, with large directories, beside the real easy-rsa in the same run.
//!
//! Rows of a large index are invented; what is issued and revoked in them is real. Beside each figure that depends on the
//! disk stands what the disk takes by itself: on a machine with other work, only figures of one run can be compared.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use test_support::command::{succeed, tool};
use test_support::leftovers::scratch_directory;
use test_support::{Context, Failure, KeyKind, Pki, Result};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let scratch = scratch_directory("bench-pki")?;
    let ours = Tool::new(postern()?, scratch.path().join("ours"));
    let theirs_path = scratch.path().join("theirs");
    let theirs = Pki::by_easy_rsa(theirs_path.clone(), KeyKind::P256)?;
    ours.run(&["init-pki"])?;
    ours.run(&["build-ca", "nopass"])?;
    let their_build = median(ROUNDS, |round| timed(|| theirs.build_client(&format!("their{round}"))))?;
    let our_build =
        median(ROUNDS, |round| ours.timed(&["build-client-full", &format!("our{round}"), "nopass"]))?;
    compare("build-client-full, EC", our_build, their_build);
    report("    one small file that is safe on the disk", disk_writes(&ours.directory)?);
    bulk(&ours, their_build)?;
    revocations(&ours, &theirs)?;
    for arguments in [&["list"][..], &["--json", "list"], &["list", "--csv"], &["expiry"]] {
        let time = median(FEW, |_| ours.timed(arguments))?;
        report(&format!("{}, 100,000 rows", arguments.join(" ")), time);
        ours.report_memory(arguments)?;
    }
    lists(&ours, 100_000)?;
    lists(&ours, 900_000)
}

/// Certificates among the first and the last of 100,000 rows. easy-rsa is slow enough to be asked a few times only.
fn revocations(ours: &Tool, theirs: &Pki) -> Result<()> {
    for directory in [ours.directory.as_path(), theirs.directory()] {
        grow(directory, 'V', 100_000)?;
    }
    let theirs = median(FEW, |round| timed(|| theirs.revoke(&format!("their{round}"))))?;
    let first = median(ROUNDS, |round| ours.timed(&["--batch", "revoke", &format!("our{round}")]))?;
    compare("revoke, 100,000 rows, among the first", first, theirs);
    report("    of it: a copy of the index that is safe on the disk", disk_copies(&ours.directory)?);
    for round in 0..ROUNDS {
        ours.run(&["build-client-full", &format!("late{round}"), "nopass"])?;
    }
    let last = median(ROUNDS, |round| ours.timed(&["--batch", "revoke", &format!("late{round}")]))?;
    compare("revoke, 100,000 rows, among the last", last, theirs);
    Ok(())
}

/// What the disk takes by itself for a new content of the index.
fn disk_copies(directory: &Path) -> Result<Duration> {
    let copy = directory.join("index.txt.copy");
    let time = median(ROUNDS, |_| {
        timed(|| {
            std::fs::copy(directory.join("index.txt"), &copy).context("copying the index")?;
            std::fs::File::open(&copy).and_then(|copy| copy.sync_all()).context("writing the copy")
        })
    })?;
    std::fs::remove_file(&copy).context("removing the copy")?;
    Ok(time)
}

/// What the disk takes by itself for one small file that is safe on it.
fn disk_writes(directory: &Path) -> Result<Duration> {
    let file = directory.join("small");
    let time = median(ROUNDS, |_| {
        timed(|| {
            std::fs::write(&file, [b'x'; 1000]).context("writing a file")?;
            std::fs::File::open(&file).and_then(|file| file.sync_all()).context("writing a file")
        })
    })?;
    std::fs::remove_file(&file).context("removing a file")?;
    Ok(time)
}

/// gen-crl after `more` further revocations: a first list, and then one that replaces it.
fn lists(ours: &Tool, more: usize) -> Result<()> {
    grow(&ours.directory, 'R', more)?;
    ours.run(&["gen-crl"])?;
    let time = median(FEW, |_| ours.timed(&["gen-crl"]))?;
    report(&format!("gen-crl, {} revoked", if more == 100_000 { "100,000" } else { "1,000,000" }), time);
    ours.report_memory(&["gen-crl"])
}

fn bulk(ours: &Tool, their_build: Duration) -> Result<()> {
    let users: String = (0..1_000).map(|number| format!("bulk{number}@example.org\n")).collect();
    let file = ours.directory.with_file_name("users.csv");
    std::fs::write(&file, format!("name\n{users}")).context("writing the list of users")?;
    let file = file.display().to_string();
    let time = ours.timed(&["build-client-full", "--from-file", &file, "--nopass"])?;
    compare("1,000 certificates in bulk, EC", time, their_build * 1_000);
    Ok(())
}

/// Appends rows that look like easy-rsa's.
fn grow(directory: &Path, status: char, rows: usize) -> Result<()> {
    let mut text = String::with_capacity(rows * 110);
    let revocation = if status == 'R' { "261120074219Z,keyCompromise" } else { "" };
    // Odd multipliers spread the numbers over the whole range without a repetition.
    for number in 0..rows as u64 {
        let high = number.wrapping_add(rows as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 << 62;
        let low = number.wrapping_mul(0xd6e8_feb8_6659_fd93);
        let row = format!(
            "{status}\t480707074219Z\t{revocation}\t{high:016X}{low:016X}\tunknown\t/CN={status}{number}@example.org\n"
        );
        text.push_str(&row);
    }
    let mut index =
        OpenOptions::new().append(true).open(directory.join("index.txt")).context("opening the index")?;
    index.write_all(text.as_bytes()).context("writing the index")?;
    index.sync_all().context("writing the index")
}

/// Our program on one directory.
struct Tool {
    program: PathBuf,
    directory: PathBuf,
}

impl Tool {
    fn new(program: PathBuf, directory: PathBuf) -> Self {
        Self { program, directory }
    }

    fn command(&self, program: &Path, before: &[&str], arguments: &[&str]) -> Command {
        let mut command = tool(program);
        command.args(before).arg("--pki-dir").arg(&self.directory).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<()> {
        succeed(self.command(&self.program, &[], arguments)).map(drop)
    }

    fn timed(&self, arguments: &[&str]) -> Result<Duration> {
        timed(|| self.run(arguments))
    }

    /// Peak memory, where GNU time is installed.
    fn report_memory(&self, arguments: &[&str]) -> Result<()> {
        let time = Path::new("/usr/bin/time");
        if !time.exists() {
            return Ok(());
        }
        let program = self.program.display().to_string();
        let finished =
            test_support::command::finish(self.command(time, &["--format=%M", &program], arguments))?;
        let kibibytes: u64 = finished
            .stderr
            .lines()
            .last()
            .and_then(|line| line.trim().parse().ok())
            .ok_or_else(|| Failure::new("time gave no figure"))?;
        println!("    peak memory {} MiB", kibibytes / 1024);
        Ok(())
    }
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn median(rounds: usize, mut measure: impl FnMut(usize) -> Result<Duration>) -> Result<Duration> {
    let mut times = (0..rounds).map(&mut measure).collect::<Result<Vec<Duration>>>()?;
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

fn report(what: &str, time: Duration) {
    println!("{what}: {time:.1?}");
}

fn compare(what: &str, ours: Duration, theirs: Duration) {
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    println!("{what}: postern {ours:.1?}, easy-rsa {theirs:.1?}, {ratio:.0} times");
}

fn postern() -> Result<PathBuf> {
    let binary = std::env::current_exe().context("looking for this program")?.with_file_name("postern");
    binary.exists().then_some(binary).ok_or_else(|| Failure::new("postern is missing: run `make bench-pki`"))
}

const ROUNDS: usize = 15;
const FEW: usize = 5;
