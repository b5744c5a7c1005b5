//! Random octets as an argument: the system's generator in production, a recorded one in tests.

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

use crate::error::{ErrorKind, Explain};

/// Where an operation draws serial numbers, salts and new keys from.
///
/// RSA is the exception: the backend draws prime candidates and blinding factors by itself. ECDSA nonces are derived
/// from key and message (RFC 6979).
pub trait RandomSource {
    /// Fills the whole buffer or fails.
    ///
    /// # Errors
    /// When the generator cannot deliver; nothing may be issued then.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RandomError>;
}

/// The operating system's generator: getrandom(2), which waits until it has been seeded.
///
/// Not the backend's: aws-lc seeds its own generator with a measurement of CPU jitter, which takes longer than everything
/// else that a short command does.
#[derive(Debug, Default)]
pub struct SystemSource(());

impl SystemSource {
    /// The operating system's generator.
    #[must_use]
    pub fn new() -> Self {
        Self(())
    }
}

impl RandomSource for SystemSource {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RandomError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match getrandom(&mut buffer[filled..], GetRandomFlags::empty()) {
                Ok(0) => return Err(RandomError),
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                Err(_) => return Err(RandomError),
            }
        }
        Ok(())
    }
}

/// The system gave no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random numbers")]
pub struct RandomError;

impl Explain for RandomError {
    fn code(&self) -> &'static str {
        "no-randomness"
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Environment
    }

    fn help(&self) -> String {
        "Make sure that getrandom(2) works for this process; nothing was issued.".into()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Counts upwards from a seed; good enough to make two runs equal.
    pub(crate) struct CountingSource(pub(crate) u8);

    impl RandomSource for CountingSource {
        fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RandomError> {
            for octet in buffer {
                self.0 = self.0.wrapping_mul(5).wrapping_add(113);
                *octet = self.0;
            }
            Ok(())
        }
    }

    #[test]
    fn key_06_the_system_source_fills_buffers_differently() {
        let (mut first, mut second) = ([0; 32], [0; 32]);
        let mut source = SystemSource::new();
        source.fill(&mut first).unwrap();
        source.fill(&mut second).unwrap();
        assert_ne!(first, second);
    }
}
