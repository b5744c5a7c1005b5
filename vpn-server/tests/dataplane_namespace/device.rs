//! The TUN device by itself, and what is said when there is none.

use std::process::Command;

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use vpn_server::transport::tun::TunError;

use crate::edge::tun;
use crate::host::{in_namespace, ip, is_root};

#[test]
fn the_device_has_the_address_mtu_and_queue_that_it_shall_have() {
    in_namespace(|| {
        let device = tun("tun-test").unwrap();
        assert_eq!(device.name().as_str(), "tun-test");
        let shown = ip("-details address show tun-test");
        for part in ["inet 10.8.0.1/24", "mtu 1500", "qlen 1000", "UP"] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    });
}

#[test]
fn a_device_name_that_is_taken_is_named() {
    in_namespace(|| {
        let _holder = tun("tun-test").unwrap();
        for name in ["tun-test", "lo"] {
            let error = tun(name).expect_err("an error");
            assert!(matches!(error, TunError::NameTaken(_)), "{error:?}");
            assert!(error.to_string().contains(name));
        }
    });
}

#[test]
fn a_missing_capability_is_named() {
    in_namespace(|| {
        let mut sets = capabilities(None).unwrap();
        sets.effective.remove(CapabilitySet::NET_ADMIN);
        set_capabilities(None, sets).unwrap();
        let error = tun("tun-test").expect_err("an error");
        assert!(matches!(error, TunError::CapabilityMissing(_)), "{error:?}");
        assert!(error.to_string().contains("CAP_NET_ADMIN"));
    });
}

#[test]
fn a_missing_device_node_is_named_and_not_made() {
    if !is_root() {
        return;
    }
    const CHILD: &str = "POSTERN_TEST_WITHOUT_DEVICE_NODE";
    if std::env::var_os(CHILD).is_some() {
        let error = tun("tun-test").expect_err("an error");
        assert!(matches!(error, TunError::NodeMissing), "{error:?}");
        assert!(error.help().contains("modprobe tun"));
        assert!(!std::path::Path::new("/dev/net/tun").exists());
        return;
    }
    let script = "mount -t tmpfs none /dev/net && exec \"$0\" --exact device::a_missing_device_node_is_named_and_not_made";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}
