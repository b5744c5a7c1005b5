//! The verified paths of clients, from their handshake to their admission.
//!
//! The protocol core carries names of certificates; a revocation list also needs to know which of its parts covers
//! them, which only the verified path tells. So paths wait here under the fingerprint of their leaf until the session
//! takes them over. The memory is bounded: it forgets the oldest, and whoever was forgotten is not let in.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pki_core::crl::CertificateId;
use rustls::pki_types::CertificateDer;

/// How many paths are remembered: more than handshakes can be under way.
const CAPACITY: usize = 16_384;

/// The certificates of a verified path, the leaf first, the trust anchor left out.
pub type CertificatePath = Arc<[CertificateId]>;

/// The certificates of a verified path, the leaf first, the trust anchor last.
pub type CertificateChain = Arc<[CertificateDer<'static>]>;

type Fingerprint = [u8; 32];

/// The latest verified path of each of the latest clients.
#[derive(Debug, Default)]
pub(super) struct PathMemory {
    paths: Mutex<Paths>,
    keeps_chains: AtomicBool,
}

#[derive(Debug, Default)]
struct Paths {
    by_leaf: HashMap<Fingerprint, Remembered>,
    oldest_first: VecDeque<Fingerprint>,
}

#[derive(Debug)]
struct Remembered {
    path: CertificatePath,
    chain: Option<CertificateChain>,
    groups: Arc<[String]>,
}

impl PathMemory {
    /// Remembers certificates, too, from now on: programs are told what stands in them.
    pub(super) fn keep_chains(&self) {
        self.keeps_chains.store(true, Ordering::Relaxed);
    }

    pub(super) fn remember(
        &self,
        leaf: Fingerprint,
        path: CertificatePath,
        groups: Arc<[String]>,
        certificates: impl FnOnce() -> Vec<CertificateDer<'static>>,
    ) {
        let keeps_chain = self.keeps_chains.load(Ordering::Relaxed);
        let chain = keeps_chain.then(|| CertificateChain::from(certificates()));
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        if paths.by_leaf.insert(leaf, Remembered { path, chain, groups }).is_none() {
            paths.oldest_first.push_back(leaf);
        }
        if paths.oldest_first.len() > CAPACITY
            && let Some(oldest) = paths.oldest_first.pop_front()
        {
            paths.by_leaf.remove(&oldest);
        }
    }

    pub(super) fn path_of(&self, leaf: &Fingerprint) -> Option<CertificatePath> {
        let paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        paths.by_leaf.get(leaf).map(|remembered| Arc::clone(&remembered.path))
    }

    pub(super) fn groups_of(&self, leaf: &Fingerprint) -> Option<Arc<[String]>> {
        let paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        paths.by_leaf.get(leaf).map(|remembered| Arc::clone(&remembered.groups))
    }

    pub(super) fn chain_of(&self, leaf: &Fingerprint) -> Option<CertificateChain> {
        let paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        paths.by_leaf.get(leaf)?.chain.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_and_the_memory_stays_bounded() {
        let memory = PathMemory::default();
        let leaf = |number: usize| {
            let mut leaf = [0; 32];
            leaf[..8].copy_from_slice(&number.to_be_bytes());
            leaf
        };
        for number in 0..=CAPACITY {
            memory.remember(leaf(number), Arc::from([]), Arc::from([]), || vec![certificate()]);
            memory.remember(leaf(number), Arc::from([]), Arc::from([]), || vec![certificate()]);
        }
        assert!(memory.path_of(&leaf(0)).is_none());
        assert!(memory.path_of(&leaf(1)).is_some());
        assert!(memory.path_of(&leaf(CAPACITY)).is_some());
        assert_eq!(memory.paths.lock().unwrap().by_leaf.len(), CAPACITY);
    }

    #[test]
    fn certificates_are_remembered_only_where_somebody_needs_them() {
        let memory = PathMemory::default();
        memory.remember([1; 32], Arc::from([]), Arc::from([]), || vec![certificate()]);
        memory.keep_chains();
        memory.remember([2; 32], Arc::from([]), Arc::from([]), || vec![certificate()]);
        assert_eq!(memory.chain_of(&[1; 32]), None);
        assert_eq!(memory.chain_of(&[2; 32]).unwrap()[..], [certificate()]);
    }

    fn certificate() -> CertificateDer<'static> {
        CertificateDer::from(vec![1, 2, 3])
    }
}
