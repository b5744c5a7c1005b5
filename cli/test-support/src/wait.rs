//! Waiting for a condition or for the end of a process, never without a limit.

use std::io;
use std::process::{Child, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::failure::{Failure, Result};

/// How often a condition is looked at.
const PACE: Duration = Duration::from_millis(5);

/// Looks at `probe` until it answers, for `limit` at the longest; `what` names the thing that was missed.
pub fn until<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = probe()? {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(format!("{what}: not within {limit:?}")));
        }
        sleep(PACE);
    }
}

/// Waits for the end of `child`, without looking again and again: the moment is exact. `None` when `limit` is over.
pub fn for_child(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    if let Some(status) = child.try_wait()? {
        return Ok(Some(status));
    }
    let handle = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let limit = limit.try_into().map_err(io::Error::other)?;
    poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&limit))?;
    child.try_wait()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn sees_the_end_of_a_process_and_the_end_of_patience() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert_eq!(for_child(&mut child, Duration::from_millis(1)).unwrap(), None);
        drop(child.stdin.take());
        let status = for_child(&mut child, Duration::from_secs(60)).unwrap().unwrap();
        assert!(status.success());
        assert_eq!(
            for_child(&mut child, Duration::ZERO).unwrap(),
            Some(status),
            "also when it was seen before"
        );
    }

    #[test]
    fn answers_as_soon_as_the_condition_holds() {
        let mut looks = 0;
        let answer = until("three looks", Duration::from_secs(60), || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        });
        assert_eq!(answer.unwrap(), 3);
    }

    #[test]
    fn names_what_did_not_happen() {
        let answer: Result<()> = until("a miracle", Duration::from_millis(1), || Ok(None));
        assert!(answer.unwrap_err().to_string().starts_with("a miracle: not within"));
    }
}
