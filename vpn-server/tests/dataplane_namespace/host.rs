//! A network namespace, and what can be done and seen there.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};

use crate::PATIENCE;

/// The queues of a device.
pub(crate) fn queues(device: &str) -> usize {
    let shown = ip(&format!("-details link show {device}"));
    let (_, count) = shown.split_once("numqueues ").unwrap();
    count.split_whitespace().next().unwrap().parse().unwrap()
}

pub(crate) fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not come");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Runs `test` on a thread that has a network namespace of its own, with nothing but a loopback interface.
pub(crate) fn in_namespace(test: impl FnOnce() + Send + 'static) {
    if !is_root() {
        return;
    }
    let outcome = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        ip("link set lo up");
        test();
    });
    if let Err(panic) = outcome.join() {
        std::panic::resume_unwind(panic);
    }
}

pub(crate) fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("skipped: network namespaces and TUN devices take root");
    }
    is_root
}

pub(crate) fn ip(arguments: &str) -> String {
    run("ip", arguments)
}

pub(crate) fn run(program: &str, arguments: &str) -> String {
    let output = Command::new(program).args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "{program} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn exists(device: &str) -> bool {
    Command::new("ip").args(["link", "show", device]).output().unwrap().status.success()
}

/// Processor time of the data plane's thread in this namespace, in ticks of 10 ms.
pub(crate) fn cpu_ticks() -> u64 {
    let own = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let is_worker = |task: &std::path::PathBuf| {
        std::fs::read_link(task.join("ns/net")).is_ok_and(|namespace| namespace == own)
            && std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "data-0")
    };
    let ticks = tasks.filter(is_worker).map(|task| {
        let stat = std::fs::read_to_string(task.join("stat")).unwrap();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().map(str::to_owned).collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    });
    let ticks: Vec<_> = ticks.collect();
    assert_eq!(ticks.len(), 1, "one worker in this namespace");
    ticks[0]
}
