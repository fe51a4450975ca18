//! The parts of security that need no server.

use std::collections::HashSet;

use suanpan_signing::WINDOW_S;

use super::marks::Marks;
use super::names::DistinguishedName;
use super::replay::{Admission, ReplayGuard};

const NOW_S: u64 = 1_700_000_000;

#[test]
fn a_nonce_is_admitted_once_by_key_and_time_until_the_window_has_passed() {
    let guard = ReplayGuard::new(1_000);
    assert_eq!(guard.admit(NOW_S, NOW_S, "k", "n"), Admission::Fresh);
    for later_s in [0, 1, WINDOW_S - 1, WINDOW_S] {
        assert_eq!(guard.admit(NOW_S + later_s, NOW_S, "k", "n"), Admission::Replayed, "{later_s}");
    }
    assert_eq!(guard.admit(NOW_S, NOW_S, "other", "n"), Admission::Fresh);
    assert_eq!(guard.admit(NOW_S, NOW_S, "k", "m"), Admission::Fresh);
    // What was signed ahead of our clock can be sent again for longer, and is remembered for longer.
    let ahead_s = NOW_S + WINDOW_S;
    assert_eq!(guard.admit(NOW_S, ahead_s, "k", "ahead"), Admission::Fresh);
    assert_eq!(guard.admit(ahead_s + WINDOW_S, ahead_s, "k", "ahead"), Admission::Replayed);
}

#[test]
fn a_full_guard_admits_nothing_and_makes_room_when_the_window_has_passed() {
    let guard = ReplayGuard::new(640);
    let (mut fresh, mut full) = (0, 0);
    for number in 0..5_000 {
        match guard.admit(NOW_S, NOW_S, "k", &format!("n{number}")) {
            Admission::Fresh => fresh += 1,
            Admission::Full => full += 1,
            Admission::Replayed => panic!("n{number} is new"),
        }
    }
    assert!(fresh <= 640 && fresh + full == 5_000, "{fresh} {full}");
    let later_s = NOW_S + WINDOW_S + 60;
    let again = (0..200)
        .filter(|number| guard.admit(later_s, later_s, "k", &format!("later{number}")) == Admission::Fresh);
    assert!(again.count() > 100, "there is room again");
}

#[test]
fn what_was_admitted_ahead_of_the_clock_is_refused_after_a_restart_and_nothing_else() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("marks");
    let marks = Marks::open(&path, NOW_S).unwrap();
    assert_eq!(marks.floor_s("k"), NOW_S);
    assert!(marks.covers("k", NOW_S + 5, NOW_S + 5), "a clock that is right needs no mark");
    assert!(!marks.covers("k", NOW_S + 5, NOW_S + 6));
    marks.raise("k", NOW_S + 5, NOW_S + 90).unwrap();
    assert!(marks.covers("k", NOW_S + 5, NOW_S + 90) && marks.covers("k", NOW_S + 5, NOW_S + 95));
    assert_eq!(marks.floor_s("k"), NOW_S, "the nonces of this process are known");

    let restarted = Marks::open(&path, NOW_S + 10).unwrap();
    assert!(restarted.floor_s("k") >= NOW_S + 90);
    assert_eq!(restarted.floor_s("other"), NOW_S + 10);
    let much_later = Marks::open(&path, NOW_S + 1_000).unwrap();
    assert_eq!(much_later.floor_s("k"), NOW_S + 1_000);

    std::fs::write(&path, "nonsense\n").unwrap();
    assert!(Marks::open(&path, NOW_S).unwrap_err().to_string().contains("line 1"));
}

#[test]
fn names_are_compared_by_their_attributes_not_by_their_text() {
    let name = |text: &str| text.parse::<DistinguishedName>();
    let same = [
        "CN=mall.example,O=Mall\\, Ltd,C=CN",
        "cn=mall.example, o=Mall\\2C Ltd , C = CN",
        "2.5.4.3=mall.example,2.5.4.10=Mall\\, Ltd,2.5.4.6=CN",
    ];
    for text in same {
        assert_eq!(name(text), name(same[0]), "{text}");
        let written = name(text).unwrap().to_string();
        assert_eq!(written, same[0]);
    }
    let others = [
        "CN=mall.example,O=Mall,C=CN",
        "CN=mall.example",
        "CN=mall.example,O=Mall\\, Ltd,C=CN,OU=x",
        "C=CN,O=Mall\\, Ltd,CN=mall.example",
        "CN=mall.example+O=Mall\\, Ltd,C=CN",
        "CN=Mall.example,O=Mall\\, Ltd,C=CN",
        "CN=mall.example\\,O=Mall\\\\\\, Ltd,C=CN",
    ];
    let mut seen = HashSet::from([name(same[0]).unwrap()]);
    for text in others {
        assert!(seen.insert(name(text).unwrap()), "{text}");
    }
    assert_eq!(name("CN=a+O=b"), name("O=b+CN=a"));
    assert_eq!(name("CN=\\C3\\A4\\ ").unwrap().to_string(), "CN=ä\\ ");
    for wrong in ["", "CN", "CN=", "XX=a", "CN=a,", "CN=a;O=b", "CN=\"a\"", "CN=a\\", "CN=\\FF", "=a"] {
        assert!(name(wrong).is_err(), "{wrong:?}");
    }
}
