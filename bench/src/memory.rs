//! The memory of another process.

/// The resident memory of a process.
pub(crate) fn resident_kib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    resident_in(&status)
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_found_among_the_other_lines() {
        assert_eq!(resident_in("VmHWM:\t  99 kB\nVmRSS:\t  1234 kB\nRssAnon:\t 1 kB\n"), Some(1234));
        assert_eq!(resident_in("Name:\tkthreadd\n"), None);
        assert!(resident_kib(std::process::id()).is_some_and(|kib| kib > 100));
    }
}
