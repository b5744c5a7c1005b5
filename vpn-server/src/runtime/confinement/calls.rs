//! System calls that are refused with `EPERM`: those that change or watch the kernel and other processes, which neither
//! a VPN server nor an ordinary program of an administrator makes.
//!
//! What is refused is listed, and not what is allowed: the runtime, the resolver, `nft` and programs of
//! administrators make calls that nobody can list for all their versions. Calls by another architecture's numbers end the
//! program.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter_all_threads};

use super::ConfinementError;

/// Refused to the server and to every program that it runs.
const NEVER: &[libc::c_long] = &[
    // Other processes' memory and descriptors.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    // Code for the kernel.
    libc::SYS_bpf,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    // Parts of the kernel that are large, seldom needed and often broken.
    libc::SYS_userfaultfd,
    libc::SYS_perf_event_open,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // The host as a whole.
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// Refused where no programs are run: `ip netns exec` and Kerberos use them.
const WITHOUT_PROGRAMS: &[libc::c_long] = &[
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
];

/// Refuses these calls to all threads of this process and to the programs that it starts, from now on.
///
/// # Errors
///
/// [`ConfinementError::Seccomp`].
pub(super) fn refuse(runs_programs: bool) -> Result<(), ConfinementError> {
    let failed = |failure: String| ConfinementError::Seccomp(failure);
    let program = filter(runs_programs).map_err(|error| failed(error.to_string()))?;
    apply_filter_all_threads(&program).map_err(|error| failed(error.to_string()))
}

fn filter(runs_programs: bool) -> Result<BpfProgram, seccompiler::BackendError> {
    let rules: BTreeMap<_, _> =
        refused(runs_programs).flat_map(every_number).map(|number| (number, Vec::new())).collect();
    let architecture = std::env::consts::ARCH.try_into()?;
    let refusal = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, refusal, architecture)?.try_into()
}

fn refused(runs_programs: bool) -> impl Iterator<Item = libc::c_long> {
    let more = if runs_programs { &[] } else { WITHOUT_PROGRAMS };
    NEVER.iter().chain(more).copied()
}

/// Processors of x86-64 know each call by a second number, for programs with short pointers.
fn every_number(call: libc::c_long) -> impl Iterator<Item = i64> {
    const SHORT_POINTERS: i64 = 0x4000_0000;
    let second = cfg!(target_arch = "x86_64").then_some(call | SHORT_POINTERS);
    std::iter::once(call).chain(second)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What no process can take back is done by another one: this test, started once more.
    #[test]
    fn ops_04_refused_calls_are_refused_to_programs_as_well() {
        const NAME: &str = "ops_04_refused_calls_are_refused_to_programs_as_well";
        const CHILD: &str = "POSTERN_TEST_REFUSES_CALLS";
        match std::env::var(CHILD).as_deref() {
            Ok("with programs") => return refuse_and_try(true),
            Ok(_) => return refuse_and_try(false),
            Err(_) => {}
        }
        let calls: Vec<_> = refused(false).collect();
        assert!(permitted(&calls).len() > 3, "without a filter nothing is refused like this");
        for kind in ["with programs", "without programs"] {
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", &format!("runtime::confinement::calls::tests::{NAME}"), "--test-threads=1"])
                .env(CHILD, kind)
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&child.stdout);
            assert!(child.status.success() && told.contains("1 passed"), "{kind}: {told}");
        }
    }

    fn refuse_and_try(runs_programs: bool) {
        refuse(runs_programs).unwrap();
        let calls: Vec<_> = refused(runs_programs).collect();
        assert_eq!(permitted(&calls), Vec::<libc::c_long>::new());
        if runs_programs {
            assert!(!permitted(&[libc::SYS_setns]).is_empty(), "programs may enter namespaces");
        }
        let ordinary = Command::new("sh").args(["-c", "exec true"]).status().unwrap();
        assert!(ordinary.success());
    }

    /// Those of these calls that another program does not get `EPERM` for. Its arguments make no sense, so that nothing
    /// happens.
    fn permitted(calls: &[libc::c_long]) -> Vec<libc::c_long> {
        const TRY: &str = "for (@ARGV) { $! = 0; syscall($_, -1, -1, -1, -1, -1); print \"$_ \" if $! != 1 }";
        let words = calls.iter().map(ToString::to_string);
        let tried = Command::new("perl").args(["-e", TRY]).args(words).output().unwrap();
        let told = String::from_utf8(tried.stdout).unwrap();
        assert!(tried.status.success(), "{}", String::from_utf8_lossy(&tried.stderr));
        told.split_whitespace().map(|number| number.parse().unwrap()).collect()
    }
}
