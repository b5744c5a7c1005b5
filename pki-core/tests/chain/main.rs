//! Black-box tests of chain validation and revocation lists.
//!
//! `requirements` has the threat model's CRT rows, `lists` its CRL rows; `vectors` runs public conformance suites,
//! `easyrsa` real PKIs, `differential` compares with the openssl command, `mutation` damages valid input, `resigned`
//! signs it again afterwards.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod differential;
mod easyrsa;
mod lists;
mod mutation;
mod random;
mod requirements;
mod resigned;
mod stopwatch;
mod support;
mod vectors;
