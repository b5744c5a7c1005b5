//! Keys of the data channel: the 256 octets both sides derive, and which part of them is whose.

mod derive;
mod epoch;
mod material;
mod prf;

pub(crate) use derive::{BothIds, DerivationError, KeyDerivation, KeySources};
pub(crate) use epoch::{EPOCH_IV, EpochSecret};
use material::EXPORTER_LABEL;
pub(crate) use material::{DYNAMIC_TLS_CRYPT_LABEL, DirectionKeys, KeyMaterial, Side};
