//! The PKI commands as their users see them: the real binary, its output, its exit codes, its files.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod alternating;
mod bulk;
mod check;
mod commands;
mod convert;
mod disturbed;
mod drop_in;
mod error_codes;
mod errors;
mod help;
mod lint;
mod native;
mod onboarding;
mod operations;
mod parity;
mod passphrases;
mod profiles;
mod real;
mod reference;
mod renew;
mod reports;
mod roll_over;
mod support;
#[cfg(feature = "pkcs11")]
mod token;
mod users;
mod verify_chain;
