//! Randomness of the operating system, and nothing else: where it fails, so do we (KEY-06).

use std::io;

use vpn_proto::Entropy;

/// The operating system as the protocol core's source of randomness.
pub(crate) struct OperatingSystem;

impl Entropy for OperatingSystem {
    /// # Panics
    ///
    /// Where the operating system has no randomness: predictable session ids and cookies would be worse.
    fn fill(&mut self, out: &mut [u8]) {
        if let Err(error) = fill(out) {
            panic!("the operating system has no randomness: {error}");
        }
    }
}

/// Random bytes.
pub(crate) fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// Fills `out` with random bytes.
pub(crate) fn fill(out: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < out.len() {
        filled += rustix::rand::getrandom(&mut out[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_06_two_draws_differ() {
        assert_ne!(bytes::<32>().unwrap(), bytes::<32>().unwrap());
    }

    #[test]
    fn long_buffers_are_filled_to_the_end() {
        let mut buffer = vec![0; 100_000];
        fill(&mut buffer).unwrap();
        assert!(buffer.rchunks(64).all(|chunk| chunk.iter().any(|byte| *byte != 0)));
    }
}
