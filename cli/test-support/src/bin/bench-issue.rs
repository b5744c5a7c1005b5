//! How long one certificate takes, as a user waits for it: the whole process, Postern and easy-rsa in turns.
//!
//! Figures of different runs must not be compared with each other.
#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use test_support::leftovers::scratch_directory;
use test_support::{Context, Failure, KeyKind, Pki, Result};

const ROUNDS: usize = 30;

fn main() -> ExitCode {
    match KEYS.into_iter().try_for_each(|(label, keys)| compare(label, keys)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

const KEYS: [(&str, KeyKind); 2] = [("EC P-256", KeyKind::P256), ("RSA 2048", KeyKind::Rsa2048)];

fn compare(label: &str, keys: KeyKind) -> Result<()> {
    let scratch = scratch_directory("bench")?;
    let ours = Pki::by_postern(scratch.path().join("ours"), &postern()?, keys)?;
    let theirs = Pki::by_easy_rsa(scratch.path().join("theirs"), keys)?;
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let name = format!("client{round}");
        our_times.push(timed(|| ours.build_client(&name))?);
        their_times.push(timed(|| theirs.build_client(&name))?);
    }
    let (our_time, their_time) = (median(our_times), median(their_times));
    println!(
        "build-client-full, {label}, median of {ROUNDS}: postern {our_time:.1?}, easy-rsa {their_time:.1?}, {:.0} times",
        their_time.as_secs_f64() / our_time.as_secs_f64()
    );
    Ok(())
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn postern() -> Result<PathBuf> {
    let binary = std::env::current_exe().context("looking for this program")?.with_file_name("postern");
    binary.exists().then_some(binary).ok_or_else(|| Failure::new("postern is missing: run `make bench`"))
}
