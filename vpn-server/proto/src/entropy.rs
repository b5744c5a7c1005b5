//! Randomness as an argument.

/// A source of unpredictable octets: the operating system in production, a seeded generator in the simulator.
///
/// A source that cannot deliver must panic rather than return predictable octets (KEY-06); the server contains the
/// panic and refuses the session.
pub trait Entropy: Send {
    /// Fills `out` with random octets.
    fn fill(&mut self, out: &mut [u8]);
}

/// Draws an array.
pub(crate) fn draw<const N: usize>(entropy: &mut dyn Entropy) -> [u8; N] {
    let mut octets = [0; N];
    entropy.fill(&mut octets);
    octets
}
