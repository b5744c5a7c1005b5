//! Programs that an administrator has run when something happens, with the environment that scripts for OpenVPN know.
//!
//! A program is started by its path, without a shell, in a process group of its own, with a fixed `PATH` and nothing of
//! the server's environment; what it may take of time and say is limited (ACL-08). Programs never run on a shard: those
//! that decide do so on threads of their own, those that only hear of something hear of one client in order. A program
//! that cannot be started, fails, or takes too long refuses the client.
//!
//! ```text
//!   Decider ──► VerifyUser, VerifyCertificate, VerifyKeyMetadata ─┐
//!   control ──► ClientHooks: connect, disconnect, learn-address ──┼──► run ──► the program
//!   runtime ──► ServerHooks: up, route-up, down ──────────────────┘     │
//!                                                    deferred ◄─────────┘ exit code 2: a file will tell
//! ```

mod client;
mod deferred;
mod environment;
mod facts;
mod runner;
mod scratch;
mod server;
mod start;
mod verify_certificate;
mod verify_user;

pub use client::ClientHooks;
pub use environment::Environment;
pub use facts::{describe_attempt, describe_connection, describe_stranger};
pub use runner::{HookFailure, Runner};
pub use scratch::ScratchDirectory;
pub use server::ServerHooks;
pub use start::{HookParts, start};
pub use verify_certificate::{VerifyCertificate, VerifyKeyMetadata};
pub use verify_user::VerifyUser;
