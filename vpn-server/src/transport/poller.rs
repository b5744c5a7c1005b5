//! Waiting for many descriptors at once: level-triggered epoll.
//!
//! One thread waits; any thread may change what is waited for. Tokens are the waiter's own numbers.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

/// A set of descriptors that are waited for; copies share it.
#[derive(Clone, Debug)]
pub struct Poller(Arc<OwnedFd>);

/// Names a descriptor in a [`Poller`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// What a descriptor is waited for. Errors and the end of a connection are always reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interest {
    /// Nothing.
    Nothing,
    /// Something to read.
    #[default]
    Read,
    /// Room to write.
    Write,
    /// Something to read, or room to write.
    ReadAndWrite,
}

/// A descriptor that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Which.
    pub token: Token,
    /// Whether a read would not block: there is data, an end, or an error.
    pub can_read: bool,
    /// Whether a write would not block.
    pub can_write: bool,
}

/// The descriptors that one wait reported; allocated once.
pub struct ReadyList(Vec<Event>);

impl Poller {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(epoll::create(CreateFlags::CLOEXEC)?)))
    }

    /// Waits for `descriptor` too.
    pub fn add(&self, descriptor: impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&*self.0, descriptor, EventData::new_u64(token.0), interest.into())?)
    }

    /// Waits for something else of a `descriptor` that was added.
    pub fn change(&self, descriptor: impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&*self.0, descriptor, EventData::new_u64(token.0), interest.into())?)
    }

    /// Does not wait for `descriptor` any longer.
    pub fn remove(&self, descriptor: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&*self.0, descriptor)?)
    }

    /// Replaces the contents of `list` by what is ready, after waiting for something for at most `limit`.
    pub fn wait(&self, list: &mut ReadyList, limit: Option<Duration>) -> io::Result<()> {
        list.0.clear();
        let limit = limit.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
        match epoll::wait(&*self.0, spare_capacity(&mut list.0), limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl ReadyList {
    /// A list for at most `capacity` descriptors per wait; the others are reported by the next.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// What is ready.
    pub fn iter(&self) -> impl Iterator<Item = Ready> + '_ {
        self.0.iter().map(|event| {
            let flags = event.flags;
            Ready {
                token: Token(event.data.u64()),
                can_read: flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR),
                can_write: flags.contains(EventFlags::OUT),
            }
        })
    }
}

impl From<Interest> for EventFlags {
    fn from(interest: Interest) -> Self {
        match interest {
            Interest::Nothing => Self::empty(),
            Interest::Read => Self::IN,
            Interest::Write => Self::OUT,
            Interest::ReadAndWrite => Self::IN | Self::OUT,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    const NOW: Option<Duration> = Some(Duration::ZERO);

    #[test]
    fn reports_what_is_waited_for_and_nothing_else() {
        let (poller, mut list) = (Poller::new().unwrap(), ReadyList::with_capacity(4));
        let (mut near, mut far) = UnixStream::pair().unwrap();
        poller.add(&near, Token(7), Interest::Read).unwrap();
        assert_eq!(ready(&poller, &mut list), []);
        far.write_all(b"x").unwrap();
        assert_eq!(ready(&poller, &mut list), [Ready { token: Token(7), can_read: true, can_write: false }]);
        poller.change(&near, Token(8), Interest::ReadAndWrite).unwrap();
        assert_eq!(ready(&poller, &mut list), [Ready { token: Token(8), can_read: true, can_write: true }]);
        poller.change(&near, Token(8), Interest::Nothing).unwrap();
        assert_eq!(ready(&poller, &mut list), []);
        near.read_exact(&mut [0]).unwrap();
        poller.remove(&near).unwrap();
        drop(far);
        assert_eq!(ready(&poller, &mut list), []);
    }

    #[test]
    fn an_end_is_something_to_read() {
        let (poller, mut list) = (Poller::new().unwrap(), ReadyList::with_capacity(4));
        let (near, far) = UnixStream::pair().unwrap();
        poller.add(&near, Token(1), Interest::Nothing).unwrap();
        drop(far);
        assert!(ready(&poller, &mut list)[0].can_read);
    }

    #[test]
    fn what_does_not_fit_the_list_is_reported_by_the_next_wait() {
        let (poller, mut list) = (Poller::new().unwrap(), ReadyList::with_capacity(2));
        let pairs: Vec<_> = (0..5).map(|_| UnixStream::pair().unwrap()).collect();
        for (number, (near, mut far)) in pairs.iter().map(|(near, far)| (near, far)).enumerate() {
            poller.add(near, Token(number as u64), Interest::Read).unwrap();
            far.write_all(b"x").unwrap();
        }
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..3 {
            seen.extend(ready(&poller, &mut list).into_iter().map(|ready| ready.token));
        }
        assert_eq!(seen.len(), 5);
    }

    fn ready(poller: &Poller, list: &mut ReadyList) -> Vec<Ready> {
        poller.wait(list, NOW).unwrap();
        list.iter().collect()
    }
}
