//! Tests on a host of their own: a network namespace that lives as long as the threads of the test.

use std::process::Command;

use nix::sched::{CloneFlags, unshare};

/// Runs a test in a new network namespace with `lo` up. Needs root; says so and passes when it is not.
pub(crate) fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let outcome = std::thread::spawn(move || {
        if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
            eprintln!("skipped: no network namespace without root ({error})");
            return;
        }
        run("ip", &["link", "set", "lo", "up"]);
        test();
    })
    .join();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

/// Runs a program in this thread's namespace; answers with what it printed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Adds an interface that leads nowhere, with an address.
pub(crate) fn add_interface(name: &str, address: &str) {
    run("ip", &["link", "add", name, "type", "bridge"]);
    run("ip", &["addr", "add", address, "dev", name]);
    run("ip", &["link", "set", name, "up"]);
}

/// The value of a switch below `net`.
pub(crate) fn switch(name: &str) -> String {
    std::fs::read_to_string(format!("/proc/sys/net/{name}")).unwrap().trim().to_owned()
}
