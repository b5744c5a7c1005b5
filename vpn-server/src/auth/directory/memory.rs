//! The groups of users whose password was right: for those who come back with a token, when the directory is not asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use super::GroupName;
use crate::auth::login::Username;

/// Users that are remembered; the one that was accepted longest ago goes first.
const CAPACITY: usize = 65_536;

/// What the directory said last about each user.
#[derive(Debug, Default)]
pub(super) struct GroupMemory {
    users: Mutex<Users>,
}

#[derive(Debug, Default)]
struct Users {
    groups: HashMap<Username, (u64, Vec<GroupName>)>,
    oldest_first: VecDeque<(u64, Username)>,
    count: u64,
}

impl GroupMemory {
    pub(super) fn remember(&self, username: &Username, groups: Vec<GroupName>) {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.count += 1;
        let number = users.count;
        users.groups.insert(username.clone(), (number, groups));
        users.oldest_first.push_back((number, username.clone()));
        users.forget_what_is_too_much();
    }

    pub(super) fn recall(&self, username: &Username) -> Option<Vec<GroupName>> {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.groups.get(username).map(|(_, groups)| groups.clone())
    }

    /// The directory does not know the user any longer, or refuses it.
    pub(super) fn forget(&self, username: &Username) {
        self.users.lock().unwrap_or_else(PoisonError::into_inner).groups.remove(username);
    }
}

impl Users {
    /// An entry of the queue counts only if the user was not accepted again since.
    fn forget_what_is_too_much(&mut self) {
        while self.oldest_first.len() > CAPACITY {
            let Some((number, username)) = self.oldest_first.pop_front() else { return };
            if self.groups.get(&username).is_some_and(|(newest, _)| *newest == number) {
                self.groups.remove(&username);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: usize) -> Username {
        Username::parse(&format!("user{number}")).unwrap()
    }

    #[test]
    fn what_was_said_last_counts_until_the_user_is_refused() {
        let memory = GroupMemory::default();
        assert_eq!(memory.recall(&user(1)), None);
        memory.remember(&user(1), Vec::new());
        memory.remember(&user(1), vec![GroupName::parse("a").unwrap()]);
        assert_eq!(memory.recall(&user(1)).unwrap().len(), 1);
        memory.forget(&user(1));
        assert_eq!(memory.recall(&user(1)), None);
    }

    #[test]
    fn so_many_users_are_remembered_and_not_one_more() {
        let memory = GroupMemory::default();
        for number in 0..=CAPACITY {
            memory.remember(&user(number), Vec::new());
        }
        assert_eq!(memory.recall(&user(0)), None);
        assert!(memory.recall(&user(1)).is_some() && memory.recall(&user(CAPACITY)).is_some());
    }
}
