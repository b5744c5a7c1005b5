//! The protocol in a simulated world: server and clients in one process, a network that misbehaves, virtual time.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]
#![expect(clippy::cast_possible_truncation, reason = "the numbers of the worlds are small")]

mod certificates;
mod connections;
mod credentials;
mod floats;
mod formats;
mod fuzzing;
mod network;
mod quiet;
mod random;
mod random_worlds;
mod scenarios;
mod server;
mod soak;
mod strangers;
mod world;
mod wrappings;
