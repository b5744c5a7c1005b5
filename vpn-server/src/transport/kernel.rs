//! What a server does without although the kernel may have it: for kernels and drivers that do it wrong, and for tests
//! of what happens on older ones.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::Offload;

/// Something of the kernel that makes packets cheaper, and without which the server works, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KernelFeature {
    /// Super-packets of UDP on the TUN device.
    Uso,
    /// Super-packets on the TUN device at all, with the virtio-net header before every packet.
    Tso,
    /// Sending several datagrams by one call.
    Gso,
    /// Receiving several datagrams in one buffer.
    Gro,
    /// Several queues of the TUN device, and so several workers.
    MultiQueue,
}

impl KernelFeature {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Uso, Self::Tso, Self::Gso, Self::Gro, Self::MultiQueue];

    /// Its name in settings and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uso => "uso",
            Self::Tso => "tso",
            Self::Gso => "gso",
            Self::Gro => "gro",
            Self::MultiQueue => "multi-queue",
        }
    }
}

/// What is done without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waived(BTreeSet<KernelFeature>);

/// A word is no name of a [`KernelFeature`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is none of uso, tso, gso, gro, multi-queue", .0.escape_debug())]
pub struct UnknownFeature(pub String);

impl UnknownFeature {
    /// Stable kebab-case code for logs and JSON.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "unknown-kernel-feature"
    }

    /// What to do next.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        "name what the server is to do without, separated by commas, or nothing"
    }
}

impl Waived {
    /// Whether `feature` is done without.
    #[must_use]
    pub fn has(&self, feature: KernelFeature) -> bool {
        self.0.contains(&feature)
    }

    /// Whether nothing is done without.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The super-packets that a TUN device is asked for.
    #[must_use]
    pub fn offload(&self) -> Offload {
        match (self.has(KernelFeature::Tso), self.has(KernelFeature::Uso)) {
            (true, _) => Offload::None,
            (false, true) => Offload::Tcp,
            (false, false) => Offload::TcpAndUdp,
        }
    }
}

/// Takes names separated by commas; nothing is the empty text.
impl FromStr for Waived {
    type Err = UnknownFeature;

    fn from_str(text: &str) -> Result<Self, UnknownFeature> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let feature = |word: &str| {
            let known = KernelFeature::ALL.into_iter().find(|feature| feature.name() == word);
            known.ok_or_else(|| UnknownFeature(word.to_owned()))
        };
        words.map(feature).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Waived {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|feature| feature.name()).collect();
        out.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for text in ["", "uso", "uso,tso,gso,gro,multi-queue"] {
            assert_eq!(text.parse::<Waived>().unwrap().to_string(), text);
        }
        assert_eq!(" gro, uso ,".parse::<Waived>().unwrap().to_string(), "uso,gro");
        let error = "gro,lro".parse::<Waived>().unwrap_err();
        assert_eq!(error.to_string(), "'lro' is none of uso, tso, gso, gro, multi-queue");
    }

    #[test]
    fn without_super_packets_of_tcp_there_are_none_of_udp() {
        let offload = |text: &str| text.parse::<Waived>().unwrap().offload();
        assert_eq!(
            ["", "uso", "tso", "tso,uso"].map(offload),
            [Offload::TcpAndUdp, Offload::Tcp, Offload::None, Offload::None]
        );
    }
}
