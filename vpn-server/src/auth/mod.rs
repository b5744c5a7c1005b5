//! stub
use std::sync::Arc;
use vpn_proto::Denial;
/// x
#[derive(Clone, Debug)]
pub struct CertificatePath(pub Arc<[u8]>);
/// x
#[derive(Debug)]
pub struct Trust;
/// x
#[derive(Debug)]
pub struct TrustSnapshot;
impl Trust {
    /// x
    pub fn snapshot(&self) -> Arc<TrustSnapshot> {
        Arc::new(TrustSnapshot)
    }
    /// x
    pub fn path_of(&self, _f: &[u8; 32]) -> Option<CertificatePath> {
        None
    }
}
impl TrustSnapshot {
    /// x
    pub fn revocation_of(&self, _c: &CertificatePath) -> Option<Denial> {
        None
    }
}
