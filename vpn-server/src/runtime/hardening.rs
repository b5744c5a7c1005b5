//! What the daemon gives up at its start: core dumps with keys in them, and new privileges (KEY-05, OPS-04). What else is taken away
//! depends on the configuration: see `confinement`.
//!
//! Only the daemon does so; a program that embeds the server decides for itself.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::set_no_new_privs;
use tracing::warn;

/// Before threads are started, since some of it is inherited by threads and not shared between them.
pub(super) fn give_up_what_is_not_needed() {
    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    let steps = [
        ("core dumps", setrlimit(Resource::Core, nothing)),
        ("being traced", set_dumpable_behavior(DumpableBehavior::NotDumpable)),
        ("new privileges", set_no_new_privs(true)),
    ];
    for (what, outcome) in steps {
        if let Err(error) = outcome {
            warn!(what, %error, "could not be given up");
        }
    }
}
