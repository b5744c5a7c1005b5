//! Threads that wait for the disk beside the calling one.
//!
//! Each wait ends with a flush of the disk's own cache. Waiting for ten files one after the other costs ten of them,
//! waiting at once costs about one; on a busy disk that is most of the time a command takes. The threads are started when
//! they are first needed and serve all waits of a process. On a disk that answers faster than a thread starts, few of them
//! are enough: how many there are depends on how long the calling thread had to wait so far.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// What is to be waited for.
pub(super) enum Wait {
    /// The content of a file.
    Content(OwnedFd),
    /// The entries of a directory.
    Entries(OwnedFd),
}

impl Wait {
    fn finish(&self) -> io::Result<()> {
        let outcome = match self {
            Self::Content(file) => rustix::fs::fdatasync(file),
            Self::Entries(directory) => rustix::fs::fsync(directory),
        };
        Ok(outcome?)
    }
}

/// The threads there are so far, each reached by a channel of its own.
#[derive(Default)]
pub(super) struct Waiters {
    threads: Vec<Sender<Job>>,
    longest: Duration,
}

struct Job {
    number: usize,
    wait: Wait,
    done: Sender<(usize, io::Result<()>)>,
}

impl Waiters {
    /// Waits for all of them; names the first that failed by its number.
    pub(super) fn finish_all(&mut self, waits: Vec<Wait>) -> Result<(), (usize, io::Error)> {
        let (done, outcomes) = mpsc::channel();
        let count = waits.len();
        let mut own = Vec::new();
        for (number, wait) in waits.into_iter().enumerate() {
            own.extend(self.hand_over(Job { number, wait, done: done.clone() }));
        }
        drop(done);
        own.into_iter().for_each(|job| self.run(job));
        let mut outcomes: Vec<(usize, io::Result<()>)> = outcomes.into_iter().collect();
        outcomes.sort_unstable_by_key(|(number, _)| *number);
        let is_complete = outcomes.len() == count;
        for (number, outcome) in outcomes {
            outcome.map_err(|cause| (number, cause))?;
        }
        if is_complete {
            Ok(())
        } else {
            Err((0, io::Error::other("a thread that waited for the disk is gone")))
        }
    }

    /// Gives the job back where no thread can take it, and each that is the calling thread's share: it has to wait anyway.
    fn hand_over(&mut self, job: Job) -> Option<Job> {
        let Some(place) = (job.number % (self.most_threads() + 1)).checked_sub(1) else { return Some(job) };
        if place >= self.threads.len() {
            match start() {
                Ok(thread) => self.threads.push(thread),
                Err(_) => return Some(job),
            }
        }
        match self.threads.get(place) {
            Some(thread) => thread.send(job).err().map(|refused| refused.0),
            None => Some(job),
        }
    }

    fn run(&mut self, job: Job) {
        let start = Instant::now();
        job.run();
        self.longest = self.longest.max(start.elapsed());
    }

    fn most_threads(&self) -> usize {
        if self.longest < WORTH_A_THREAD { FEW_THREADS } else { MAX_THREADS }
    }
}

impl Job {
    fn run(self) {
        // Whoever asked is gone only if its thread has panicked.
        let _ = self.done.send((self.number, self.wait.finish()));
    }
}

fn start() -> io::Result<Sender<Job>> {
    let (jobs, received) = mpsc::channel::<Job>();
    let work = move || received.into_iter().for_each(Job::run);
    thread::Builder::new().stack_size(STACK).spawn(work)?;
    Ok(jobs)
}

/// Some times what starting and ending a thread costs.
const WORTH_A_THREAD: Duration = Duration::from_millis(1);
const FEW_THREADS: usize = 2;
/// More than any single certificate needs; with more to wait for, each thread gets several.
const MAX_THREADS: usize = 11;
const STACK: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn everything_is_waited_for_and_threads_are_used_again() {
        let directory = tempfile::tempdir().unwrap();
        let mut waiters = Waiters { longest: WORTH_A_THREAD, ..Waiters::default() };
        for round in 0..3 {
            let files =
                (0..30).map(|number| File::create(directory.path().join(format!("{round}-{number}"))));
            let mut waits: Vec<Wait> = files.map(|file| Wait::Content(file.unwrap().into())).collect();
            waits.push(Wait::Entries(File::open(directory.path()).unwrap().into()));
            waiters.finish_all(waits).unwrap();
        }
        assert_eq!(waiters.threads.len(), MAX_THREADS);
        waiters.finish_all(Vec::new()).unwrap();
    }

    #[test]
    fn a_fast_disk_gets_few_threads_and_a_slow_one_many() {
        let fast = Waiters::default();
        assert_eq!(fast.most_threads(), FEW_THREADS);
        let slow = Waiters { longest: WORTH_A_THREAD, ..fast };
        assert_eq!(slow.most_threads(), MAX_THREADS);
    }

    #[test]
    fn pki_03_the_first_failure_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = || Wait::Content(File::create(directory.path().join("file")).unwrap().into());
        // A pipe has no disk behind it.
        let pipe = || Wait::Content(io::pipe().unwrap().1.into());
        let (number, _) = Waiters::default().finish_all(vec![file(), file(), pipe(), pipe()]).unwrap_err();
        assert_eq!(number, 2);
    }
}
