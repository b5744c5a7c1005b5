//! Becomes an ordinary user once everything is set up that only root can do (OPS-04).
//!
//! What is kept of root's powers are `CAP_NET_ADMIN` and `CAP_NET_BIND_SERVICE`, and those only for threads that are
//! started afterwards: threads that exist already, which wait for the disk or run programs, lose all. Programs that
//! are run get none of them.

use nix::unistd::{Gid, Group, Uid, User, getgrouplist, setgroups, setresgid, setresuid};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_keep_capabilities};
use tracing::info;

use super::belongings::Owner;
use crate::config::RunAs;

/// What a server needs of root's powers for as long as it runs.
const KEPT: CapabilitySet = CapabilitySet::NET_ADMIN.union(CapabilitySet::NET_BIND_SERVICE);

/// Whom a server becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServiceAccount {
    user: Option<Uid>,
    group: Gid,
    /// All groups of the user.
    groups: Vec<Gid>,
}

/// Why a server does not become another user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivilegeError {
    /// There is no such user.
    #[error("there is no user {}", .0.escape_debug())]
    UnknownUser(String),
    /// There is no such group.
    #[error("there is no group {}", .0.escape_debug())]
    UnknownGroup(String),
    /// The operating system refused a step.
    #[error("cannot {step}: {source}")]
    Refused {
        /// What was asked for.
        step: &'static str,
        /// Its answer.
        source: std::io::Error,
    },
}

impl PrivilegeError {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownUser(_) => "user-unknown",
            Self::UnknownGroup(_) => "group-unknown",
            Self::Refused { .. } => "privileges-not-given-up",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::UnknownUser(_) => "make it: 'useradd --system --shell /usr/sbin/nologin NAME'",
            Self::UnknownGroup(_) => "make it: 'groupadd --system NAME'",
            Self::Refused { .. } => {
                "--user and --group need a server that is started as root; under systemd use User= instead"
            }
        }
    }
}

impl ServiceAccount {
    /// The account that `wanted` names, if it names one that the process does not have already.
    ///
    /// # Errors
    ///
    /// [`PrivilegeError`] for names that nobody has.
    pub(super) fn find(wanted: &RunAs) -> Result<Option<Self>, PrivilegeError> {
        let user = wanted.user.as_deref().map(find_user).transpose()?;
        let group = wanted.group.as_deref().map(find_group).transpose()?;
        let Some(group) = group.or(user.as_ref().map(|user| user.gid)) else { return Ok(None) };
        if user.as_ref().is_none_or(|user| user.uid == Uid::effective()) && group == Gid::effective() {
            return Ok(None);
        }
        let groups = match &user {
            Some(user) => groups_of(user, group)?,
            None => vec![group],
        };
        Ok(Some(Self { user: user.map(|user| user.uid), group, groups }))
    }

    /// Who files belong to that the server is to write later.
    pub(super) fn owner(&self) -> Owner {
        Owner {
            user: self.user.map(Uid::as_raw).unwrap_or_else(|| Uid::effective().as_raw()),
            group: self.group.as_raw(),
        }
    }

    /// Becomes this account, for the rest of the process's life.
    ///
    /// # Errors
    ///
    /// [`PrivilegeError::Refused`]: the process may have given up a part of its powers then, and should end.
    pub(super) fn take_over(&self) -> Result<(), PrivilegeError> {
        setgroups(&self.groups).map_err(refused("leave the groups of root"))?;
        setresgid(self.group, self.group, self.group).map_err(refused("change the group"))?;
        if let Some(user) = self.user {
            set_keep_capabilities(true).map_err(refused("keep the right to set routes"))?;
            setresuid(user, user, user).map_err(refused("change the user"))?;
            set_keep_capabilities(false).map_err(refused("close the way back"))?;
            keep_only(KEPT).map_err(refused("give up the powers of root"))?;
        }
        info!(user = self.owner().user, group = self.owner().group, "the powers of root are given up");
        Ok(())
    }
}

/// A container may have fewer powers than root usually has: what is not there is not kept.
///
/// `nft` is run with them where addresses are translated, for which they have to be inheritable; see
/// `net::program`.
fn keep_only(wanted: CapabilitySet) -> rustix::io::Result<()> {
    let kept = capabilities(None)?.permitted & wanted;
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable: kept })
}

fn find_user(name: &str) -> Result<User, PrivilegeError> {
    let found = match name.parse() {
        Ok(number) => User::from_uid(Uid::from_raw(number)),
        Err(_) => User::from_name(name),
    };
    found.map_err(refused("look up the user"))?.ok_or_else(|| PrivilegeError::UnknownUser(name.to_owned()))
}

fn find_group(name: &str) -> Result<Gid, PrivilegeError> {
    let found = match name.parse() {
        Ok(number) => return Ok(Gid::from_raw(number)),
        Err(_) => Group::from_name(name),
    };
    let group = found.map_err(refused("look up the group"))?;
    group.map(|group| group.gid).ok_or_else(|| PrivilegeError::UnknownGroup(name.to_owned()))
}

fn groups_of(user: &User, group: Gid) -> Result<Vec<Gid>, PrivilegeError> {
    let name = std::ffi::CString::new(user.name.as_str())
        .map_err(|_| PrivilegeError::UnknownUser(user.name.clone()))?;
    getgrouplist(&name, group).map_err(refused("look up the groups of the user"))
}

fn refused<E: Into<std::io::Error>>(step: &'static str) -> impl FnOnce(E) -> PrivilegeError {
    move |source| PrivilegeError::Refused { step, source: source.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ops_04_who_is_not_named_or_is_the_same_changes_nothing() {
        assert_eq!(find(None, None).unwrap(), None);
        let (user, group) = (Uid::effective().to_string(), Gid::effective().to_string());
        assert_eq!(find(Some(&user), Some(&group)).unwrap(), None);
    }

    #[test]
    fn ops_04_a_user_brings_groups_and_a_group_can_be_another() {
        let nobody = find(Some("nobody"), None).unwrap().unwrap();
        let number = nobody.owner().user;
        assert_eq!(nobody.groups, [nobody.group]);
        assert_eq!(find(Some(&number.to_string()), None).unwrap().unwrap(), nobody);
        let other = find(Some("nobody"), Some("daemon")).unwrap().unwrap();
        assert_eq!((other.owner().user, other.groups.len()), (number, 1));
        assert_ne!(other.group, nobody.group);
    }

    #[test]
    fn ops_04_names_that_nobody_has_are_told_apart() {
        assert_eq!(find(Some("no-such-user"), None).unwrap_err().code(), "user-unknown");
        assert_eq!(find(Some("nobody"), Some("no-such-group")).unwrap_err().code(), "group-unknown");
    }

    /// A change that no process can take back is made by another one: this test, started once more.
    #[test]
    fn ops_04_the_process_keeps_two_powers_and_threads_that_were_there_keep_none() {
        const NAME: &str = "ops_04_the_process_keeps_two_powers_and_threads_that_were_there_keep_none";
        const CHILD: &str = "POSTERN_TEST_BECOMES_NOBODY";
        if std::env::var_os(CHILD).is_some() {
            return become_nobody_and_look();
        }
        if !Uid::effective().is_root() {
            eprintln!("skipped: only root can become somebody else");
            return;
        }
        let program = std::env::current_exe().unwrap();
        let child = std::process::Command::new(program)
            .args(["--exact", &format!("runtime::privileges::tests::{NAME}"), "--test-threads=1"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && told.contains("1 passed"), "{told}");
    }

    fn become_nobody_and_look() {
        let (ask, asked) = std::sync::mpsc::channel();
        let earlier = std::thread::spawn(move || {
            asked.recv().unwrap();
            identity()
        });
        find(Some("nobody"), None).unwrap().unwrap().take_over().unwrap();
        ask.send(()).unwrap();
        let nobody = find_user("nobody").unwrap();
        let (number, kept) = (nobody.uid.as_raw(), KEPT.bits());
        assert_eq!(earlier.join().unwrap(), (number, 0), "the C library changes the user of every thread");
        assert_eq!(identity(), (number, kept));
        assert_eq!(std::thread::spawn(identity).join().unwrap(), (number, kept));
        assert_eq!(nix::unistd::getgroups().unwrap(), [nobody.gid]);
        assert!(setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).is_err());
        let program = std::process::Command::new("grep").args(["CapEff", "/proc/self/status"]).output();
        let told = String::from_utf8(program.unwrap().stdout).unwrap();
        assert_eq!(told, "CapEff:\t0000000000000000\n", "programs have none of it");
    }

    /// The user and the powers of this thread.
    fn identity() -> (u32, u64) {
        (rustix::process::geteuid().as_raw(), capabilities(None).unwrap().effective.bits())
    }

    fn find(user: Option<&str>, group: Option<&str>) -> Result<Option<ServiceAccount>, PrivilegeError> {
        let own = |name: Option<&str>| name.map(ToOwned::to_owned);
        ServiceAccount::find(&RunAs { user: own(user), group: own(group) })
    }
}
