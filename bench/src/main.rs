//! `postern-bench`: light clients by the thousand and plain UDP traffic, to measure servers of the OpenVPN protocol.
//!
//! Works against Postern and stock OpenVPN alike. Every command ends with one line of JSON on standard output; those
//! that need something to happen at the right moment say `READY` before that. One thread does all, so that a second
//! processor suffices; how near it is to its own limit shows in the rates it reaches.

mod args;
mod distribution;
mod error;
mod handshakes;
mod hold;
mod inner;
mod member;
mod memory;
mod pace;
mod ping;
mod plain;
mod ports;
mod report;
mod soak;
mod swarm;
mod traffic;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::error::BenchError;

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<(), BenchError> {
    match command {
        Command::Handshakes(arguments) => handshakes::run(arguments),
        Command::Hold(arguments) => hold::run(arguments),
        Command::Soak(arguments) => soak::run(arguments),
        Command::Upload(arguments) => traffic::upload(arguments),
        Command::Download(arguments) => traffic::download(arguments),
        Command::Ping(arguments) => ping::run(arguments),
        Command::Blast(arguments) => plain::blast(arguments),
        Command::Sink(arguments) => plain::sink(arguments),
    }
}
