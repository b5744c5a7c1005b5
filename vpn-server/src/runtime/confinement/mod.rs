//! What the daemon takes from itself before it does anything else: files that its configuration does not name
//! (Landlock) and system calls that no server needs (seccomp); OPS-04.
//!
//! Both are for the rest of the process's life, and for every thread and program that it starts afterwards. A program
//! that embeds the server decides for itself.

mod calls;
mod places;

use std::path::PathBuf;

use landlock::{PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus};
use tracing::{info, warn};

use self::places::Place;
use crate::config::{Config, Confinement};

/// Why a server that has to be confined is not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfinementError {
    /// The kernel has no Landlock, or not all that is needed of it.
    #[error("the kernel cannot keep this process from files")]
    NoLandlock,
    /// Landlock refuses the rules.
    #[error("this process cannot be kept from files: {0}")]
    Landlock(#[from] RulesetError),
    /// There is no seccomp, or it refuses the filter.
    #[error("this process cannot be kept from system calls: {0}")]
    Seccomp(String),
}

impl ConfinementError {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoLandlock | Self::Landlock(_) => "confinement-without-landlock",
            Self::Seccomp(_) => "confinement-without-seccomp",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::NoLandlock | Self::Landlock(_) => {
                "boot Linux 6.2 or later with lsm=landlock,..., or let the server do what is possible: --confine auto"
            }
            Self::Seccomp(_) => {
                "boot a kernel with CONFIG_SECCOMP_FILTER, or let it be done without: --confine auto"
            }
        }
    }
}

/// Confines this process to what a server with this configuration needs, and to `files`, which it reads again as well.
/// It must have one thread only: others that exist would be left out.
///
/// # Errors
///
/// [`ConfinementError`] where that is impossible and [`Confinement::Always`] is asked for.
pub(super) fn confine(config: &Config, files: &[PathBuf]) -> Result<(), ConfinementError> {
    let runs_programs = config.runs_programs();
    match config.confinement {
        Confinement::Off => {
            info!("not confined: told so");
            Ok(())
        }
        Confinement::Always => {
            calls::refuse(false)?;
            match restrict_files(&places::needed(config, files))? {
                RulesetStatus::FullyEnforced => {}
                RulesetStatus::PartiallyEnforced | RulesetStatus::NotEnforced => {
                    return Err(ConfinementError::NoLandlock);
                }
            }
            info!(
                "confined to the files of the configuration and to the calls of a server, programs included"
            );
            Ok(())
        }
        Confinement::Auto => {
            let calls = report("system calls", calls::refuse(runs_programs));
            let files = if runs_programs {
                info!("files are not confined, since programs are run; '--confine always' does so");
                false
            } else {
                report("files", restrict_files(&places::needed(config, files)).and_then(is_enforced))
            };
            info!(files, calls, "confined to what a server needs");
            Ok(())
        }
    }
}

/// Less than all is better than nothing where nobody asked for all.
fn is_enforced(status: RulesetStatus) -> Result<(), ConfinementError> {
    match status {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err(ConfinementError::NoLandlock),
    }
}

fn report(what: &'static str, outcome: Result<(), ConfinementError>) -> bool {
    if let Err(error) = &outcome {
        warn!(what, code = error.code(), %error, "not confined");
    }
    outcome.is_ok()
}

/// Places that are not there are passed over: they cannot be used then, even if they appear later.
fn restrict_files(places: &[Place]) -> Result<RulesetStatus, ConfinementError> {
    let mut ruleset = Ruleset::default().handle_access(places::every_right())?.create()?;
    for place in places {
        if let Ok(opened) = PathFd::new(&place.path) {
            ruleset = ruleset.add_rule(PathBeneath::new(opened, place.rights()))?;
        }
    }
    Ok(ruleset.restrict_self()?.ruleset)
}

impl Config {
    fn runs_programs(&self) -> bool {
        self.programs().next().is_some()
    }

    fn programs(&self) -> impl Iterator<Item = &std::path::Path> {
        let handler = self.connect_handler.as_ref().and_then(|handler| handler.program());
        self.hooks.programs().chain(handler)
    }
}
