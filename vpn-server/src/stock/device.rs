//! A name for a device that a configuration leaves open.

use std::fs;

/// The devices of the network namespace that the calling thread is in.
const DEVICES: &str = "/proc/thread-self/net/dev";

/// The first of `tun0`, `tun1`, ... that no device has, as OpenVPN would find it.
#[must_use]
pub fn free_device() -> String {
    first_free(&fs::read_to_string(DEVICES).unwrap_or_default())
}

fn first_free(listing: &str) -> String {
    let taken: Vec<&str> = listing.lines().filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
    let free = (0_u32..).map(|number| format!("tun{number}")).find(|name| !taken.contains(&name.as_str()));
    free.unwrap_or_else(|| "tun0".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_that_nobody_has() {
        let listing = "Inter-|   Receive\n face |bytes\n    lo: 0 0\n  tun0: 1 2\n  tun2: 3 4\n tun10: 0\n";
        assert_eq!(first_free(listing), "tun1");
        assert_eq!(first_free(""), "tun0");
    }
}
