//! `postern verify-chain`: the judgement of the VPN server, for any files. Needs no PKI.
//!
//! Exit codes are part of its contract: 0 accepted, 1 rejected with the reason on stderr, 2 nothing was judged.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use pki_core::chain::{ChainPolicy, FileRequest, VerifiedPath, verify_files};
use serde_json::json;

use super::Session;
use crate::args::verify_chain::VerifyChainArgs;
use crate::error::CliError;
use crate::output::Answer;

pub(super) fn run(session: &Session, arguments: &VerifyChainArgs) -> Result<Answer, CliError> {
    let (authorities, leaf) = (read(&arguments.ca)?, read(&arguments.leaf)?);
    let intermediates = arguments.intermediates.as_deref().map(read).transpose()?;
    let lists = arguments.crl.as_deref().map(read).transpose()?;
    let policy = ChainPolicy {
        strict: arguments.strict,
        max_intermediates: arguments.max_depth,
        ..ChainPolicy::general()
    };
    let verified = verify_files(&FileRequest {
        authorities: &authorities,
        intermediates: intermediates.as_deref(),
        lists: lists.as_deref(),
        leaf: &leaf,
        purpose: arguments.purpose.into(),
        name: arguments.name.as_ref(),
        policy: &policy,
        now: arguments.at.unwrap_or(session.now),
    })?;
    Ok(answer(&verified))
}

/// What is said about a certificate that was accepted.
pub(super) fn answer(verified: &VerifiedPath) -> Answer {
    Answer {
        text: format!(
            "Accepted: {}\n  serial     {}\n  valid to   {}\n",
            verified.subject, verified.serial, verified.not_after
        ),
        value: json!({
            "accepted": true,
            "subject": verified.subject,
            "serial": verified.serial.to_string(),
            "not_after": verified.not_after.to_string(),
            "path_length": verified.certificates.len(),
        }),
        warnings: Vec::new(),
    }
}

/// At most as much as the largest revocation list that is read.
fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let unreadable = |cause| CliError::NothingJudged { path: path.to_path_buf(), cause };
    let mut content = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST_FILE).read_to_end(&mut content))
        .map_err(unreadable)?;
    Ok(content)
}

const LARGEST_FILE: u64 = 65 << 20;
