//! The authority from outside: what it makes is judged by the openssl command, and PKIs made by the real easy-rsa are
//! taken over.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod certificates;
mod clock;
mod golden;
mod keys;
mod lint;
mod lists;
mod offboard;
mod onc;
mod profiles;
mod support;
