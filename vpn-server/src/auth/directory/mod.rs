//! Logins that an LDAP directory decides: OpenLDAP, Active Directory, and what speaks like them.
//!
//! ```text
//!   DirectoryDecider ──► a thread of its own ──► ServerList: which server, in which order
//!                                                    │
//!                        Dialog: one connection ◄────┘   connect, StartTLS, bind, search, each with a limit
//!                           │
//!                        look_up: who is it, is the password right ──► groups_of: which groups, nested ones too
//! ```
//!
//! A user name never becomes syntax: it goes into filters and names through a [`Template`] that escapes it. A password
//! is only sent over TLS, unless the administrator says otherwise, and an empty one is never sent: servers take that for
//! a wish to stay anonymous and say yes. Referrals are not followed, as that would show passwords to servers that nobody
//! named.
//!
//! Not here: what groups may reach (see `policy`), and the directory as a place for certificates.

mod decider;
mod dialog;
mod failure;
mod gathering;
mod group;
mod groups;
mod lookup;
mod memory;
mod servers;
mod settings;
mod sid;
mod template;

pub use decider::{DirectoryDecider, DirectoryStartError};
pub use group::{GroupName, InvalidGroupName};
pub use settings::{
    DirectorySettings, GroupIdentifier, GroupSettings, GroupSource, InvalidServerUrl, Security, ServerUrl,
    SignOn, TimeLimits, UserSearch,
};
pub use template::{InvalidTemplate, Placeholder, Template};
