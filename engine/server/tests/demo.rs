//! The demo from the first order to the last table, through the real program.
#![expect(clippy::unwrap_used, reason = "test code: a panic is the report")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

fn demo(dir: &Path, orders: u32, listen: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_suanpan"))
        .args(["demo", "--exit", "--order-ttl-s", "5", "--listen", listen, "--orders", &orders.to_string()])
        .arg("--data")
        .arg(dir)
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

#[test]
fn every_order_ends_and_a_second_run_recognises_all_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("demo");
    // Somebody else has the port.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let first = demo(&dir, 300, &listen);
    let text = told(&first);
    assert!(first.status.success(), "{text}");
    let headings = [
        "is taken; a free port is used instead",
        "how orders ended",
        "channels",
        "cost of the payments",
        "latency",
        "trial balance",
        "clearing accounts beside the channels' own books",
        "one order's life",
        "a receiver that had spent its share",
        "gives back 30.00 and owes 30.00, which it had spent",
        "receivers had spent 30.00 of what they had to give back; 0.00 of it is still owed",
        "coupon 3 takes off 15.00 (9.00 from coupon_fund demo mall, 6.00 from marketing K01)",
        "release M1: 400.00",
        "dispute_resolved",
        "all is well: 300 acknowledged orders",
    ];
    for heading in headings {
        assert!(text.contains(heading), "{heading}: {text}");
    }
    let acknowledged = std::fs::read_to_string(dir.join("acknowledged.txt")).unwrap();
    assert_eq!(acknowledged.lines().count(), 300);

    let second = demo(&dir, 320, "127.0.0.1:0");
    let text = told(&second);
    assert!(second.status.success(), "{text}");
    assert!(text.contains("300 orders were acknowledged before"), "{text}");
    assert!(text.contains("all is well: 320 acknowledged orders"), "{text}");
    let again = std::fs::read_to_string(dir.join("acknowledged.txt")).unwrap();
    assert!(again.starts_with(&acknowledged) && again.lines().count() == 320);
}

#[test]
fn a_directory_of_something_else_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("letter"), "dear").unwrap();
    let refused = demo(dir.path(), 10, "127.0.0.1:0");
    assert!(!refused.status.success());
    assert!(told(&refused).contains("is not a demo"), "{}", told(&refused));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}
