//! The cryptographic backend chosen for this build, under one name.
//!
//! `aws_lc_rs` wins when both features are on, so that features stay additive.

#[cfg(feature = "aws_lc_rs")]
pub(crate) use aws_lc_rs as backend;
#[cfg(all(feature = "ring", not(feature = "aws_lc_rs")))]
pub(crate) use ring as backend;

#[cfg(not(any(feature = "aws_lc_rs", feature = "ring")))]
compile_error!("choose a crypto backend: feature `aws_lc_rs` (default) or `ring`");
