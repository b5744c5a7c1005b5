//! Network namespaces that belong to this process and go away with it.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::command::{self, Finished, tool};
use crate::failure::{Context, Failure, Result};
use crate::leftovers;

/// Where iproute2 keeps named network namespaces.
pub(crate) const REGISTRY: &str = "/run/netns";

/// One named network namespace. Deleted, with every process in it, when dropped.
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Creates `postern-<pid>-<lab>-<host>`; its loopback interface is up.
    pub fn create(lab: u32, host: &str) -> Result<Self> {
        require_root()?;
        leftovers::remove_once();
        let name = leftovers::own_name(&format!("{lab}-{host}"));
        ip(["netns", "add", &name])?;
        let namespace = Self { name };
        namespace.ip(["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// The name that `ip netns` knows.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `ip ARGUMENTS` inside.
    pub fn ip<const N: usize>(&self, arguments: [&str; N]) -> Result<String> {
        let mut command = tool("ip");
        command.args(["-n", &self.name]).args(arguments);
        command::succeed(command)
    }

    /// A command that will run inside. `ip netns exec` becomes the program: same process id, own view of /sys.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> std::process::Command {
        let mut command = tool("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Does `work` on a thread of its own inside: sockets made there stay there, wherever they are used later.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let file = File::open(self.path()).context(format!("opening {}", self.name))?;
        let inside = || -> Result<T> {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                .context(format!("entering {}", self.name))?;
            Ok(work())
        };
        thread::scope(|scope| scope.spawn(inside).join())
            .unwrap_or_else(|_| Err(Failure::new(format!("the work in {} panicked", self.name))))
    }

    fn path(&self) -> PathBuf {
        Path::new(REGISTRY).join(&self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _logged_nowhere = remove(&self.name);
    }
}

/// Namespaces need root. A test that cannot run must fail, not pass silently.
fn require_root() -> Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::new("network namespaces need root: run `make test` or `make demo`, which ask sudo for it"))
}

/// Ends the processes inside, then removes the name.
pub(crate) fn remove(name: &str) -> Result<()> {
    for id in ip(["netns", "pids", name])?.lines() {
        if let Some(pid) = id.trim().parse().ok().and_then(Pid::from_raw) {
            let _already_gone = kill_process(pid, Signal::KILL);
        }
    }
    ip(["netns", "del", name]).map(drop)
}

fn ip<const N: usize>(arguments: [&str; N]) -> Result<String> {
    let mut command = tool("ip");
    command.args(arguments);
    command::finish(command).and_then(Finished::success)
}
