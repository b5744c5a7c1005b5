//! Somebody outside who has the last word about a client that logged in: a program or a web service that is told about the
//! client in JSON and answers in JSON, in the form of AWS Client VPN's connect handlers.
//!
//! ```text
//!   a client has its place ──► ConnectHandler ──► a thread ──► exec:/PATH on stdin and stdout, or POST to http(s)://
//!                                    │
//!              Answer ◄── allow, groups, routes, name servers, posture ──┘   anything unexpected is a no
//! ```
//!
//! A handler is asked about every client anew, and never about renegotiations; changing it does not touch those that are
//! connected. It hears later that a client is gone.

mod exec;
mod failure;
mod handler;
mod http;
mod request;
mod response;
mod settings;

pub use handler::{ConnectHandler, ConnectHandlerError};
pub use settings::{ConnectHandlerSettings, HandlerTarget, InvalidHandler};
