//! Waiting for a condition, never without a limit.

use std::thread::sleep;
use std::time::{Duration, Instant};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_as_soon_as_the_condition_holds() {
        let mut looks = 0;
        let answer = until("three looks", Duration::from_secs(5), || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        });
        assert_eq!(answer.unwrap(), 3);
    }

    #[test]
    fn names_what_did_not_happen() {
        let answer: Result<()> = until("a miracle", Duration::from_millis(1), || Ok(None));
        assert!(
            answer
                .unwrap_err()
                .to_string()
                .starts_with("a miracle: not within")
        );
    }
}
