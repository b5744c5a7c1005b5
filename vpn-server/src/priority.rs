//! Who goes first when processors are short: packets of clients that are connected, then everything else.
//!
//! Niceness of single threads, which Linux has and which takes no privilege. A storm of handshakes gets what packets
//! leave, and never less than a fair scheduler's small share.

/// Lets this thread, and programs that it starts, stand behind those that move packets.
///
/// Where the system refuses, everybody is equal, which costs latency and nothing else.
pub(crate) fn give_way() {
    if let Err(error) = rustix::process::nice(STEPS) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}

/// Of Linux's steps, each of which is worth a quarter of a thread's share.
const STEPS: i32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_gives_way_is_nicer_than_the_one_that_started_it() {
        let own = rustix::process::nice(0).unwrap();
        let nicer = std::thread::spawn(|| {
            give_way();
            rustix::process::nice(0).unwrap()
        });
        assert_eq!(nicer.join().unwrap(), (own + STEPS).min(19));
        assert_eq!(rustix::process::nice(0).unwrap(), own);
    }
}
