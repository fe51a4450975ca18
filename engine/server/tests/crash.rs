//! The real program is killed with SIGKILL again and again, and goes on: nothing that was acknowledged is lost, and the
//! books agree with those of the channels, which went on meanwhile.
#![expect(clippy::unwrap_used, reason = "test code: a panic is the report")]

use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use suanpan_model::order::order_key;
use suanpan_model::{Lsn, Order, OrderId, PlatformId};
use suanpan_runtime::codec::decode_order_row;
use suanpan_runtime::journal::{JournalOptions, SegmentJournal};
use suanpan_runtime::recovery::{Purpose, recover};
use suanpan_runtime::store::{Store, StoreOptions};

const PLATFORM: PlatformId = PlatformId(9001);
const ORDERS: usize = 2_000;
const KILLS: u64 = 9;

/// Kills of one directory in a long run: a program that goes on asks again for every order that it knows, so that with
/// too many of them no kill would meet a new one. Then its orders end, everything is checked, and a new directory follows.
const KILLS_A_ROUND: u64 = 15;

/// Set it to repeat a run.
const SEED_VARIABLE: &str = "SUANPAN_CRASH_SEED";

/// Set it for a long run: `SUANPAN_CRASH_KILLS=300 cargo test --release -p suanpan-server --test crash -- --nocapture`.
const KILLS_VARIABLE: &str = "SUANPAN_CRASH_KILLS";

fn kills() -> u64 {
    let given = std::env::var(KILLS_VARIABLE).ok().and_then(|text| text.parse().ok());
    given.unwrap_or(KILLS)
}

fn program(arguments: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_suanpan"));
    command.args(arguments);
    command.arg(dir);
    command
}

fn demo(dir: &Path) -> Command {
    let orders = ORDERS.to_string();
    let arguments = [
        "demo",
        "--exit",
        "--orders",
        &orders,
        "--seed",
        "5",
        "--order-ttl-s",
        "6",
        "--listen",
        "127.0.0.1:0",
        "--data",
    ];
    program(&arguments, dir)
}

fn seed() -> u64 {
    let given = std::env::var(SEED_VARIABLE).ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| u64::from(std::process::id()))
}

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn verify(dir: &Path, when: &str) {
    let output = program(&["verify"], dir).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{when}: {text}{error}");
}

/// Whether the log was begun: a program that was killed before that has left nothing that could be verified.
fn has_log(dir: &Path) -> bool {
    let Ok(files) = std::fs::read_dir(dir.join("journal")) else { return false };
    let mut names = files.map(|file| file.unwrap().file_name());
    names.any(|name| name != "LOCK" && !name.to_string_lossy().starts_with("spare-"))
}

fn acknowledged(dir: &Path) -> Vec<(String, u64)> {
    let text = std::fs::read_to_string(dir.join("acknowledged.txt")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let line = |line: &str| {
        let (no, id) = line.split_once(' ').unwrap();
        (no.to_owned(), id.parse().unwrap())
    };
    whole.lines().map(line).collect()
}

/// Looks for every acknowledged order without the program's help.
fn assert_all_known(dir: &Path) {
    let store = Store::open(&dir.join("store"), StoreOptions::default()).unwrap();
    let journal = SegmentJournal::open(&dir.join("journal"), JournalOptions::default()).unwrap();
    let recovered = recover(&store, &journal, 2, Purpose::Verify).unwrap();
    assert_eq!(recovered.all_breaks(), Vec::<String>::new());
    let acknowledged = acknowledged(dir);
    assert_eq!(acknowledged.len(), ORDERS);
    for (no, id) in acknowledged {
        let archived = || {
            let row = store.order(id).unwrap()?;
            let (_, order): (Lsn, Order) = decode_order_row(&row).unwrap();
            Some(order)
        };
        let order = recovered
            .orders
            .get(&OrderId(id))
            .map(|known| known.look().unwrap().into_owned())
            .or_else(archived);
        let order = order.unwrap_or_else(|| panic!("order {no} ({id}) was acknowledged and is not there"));
        assert_eq!(order.terms.key(), order_key(PLATFORM, &no), "order {id} is not {no}");
        // A late payment may have come after the last look.
        assert!(order.status.is_final(), "order {no} ({id}) is {}", order.status);
    }
}

#[test]
fn nothing_acknowledged_is_lost_however_often_the_program_is_killed() {
    let mut state = seed();
    println!("{SEED_VARIABLE}={state}");
    let kills = kills();
    for first in (1..=kills).step_by(usize::try_from(KILLS_A_ROUND).unwrap()) {
        round(&mut state, first..=kills.min(first + KILLS_A_ROUND - 1));
    }
}

/// Kills the program in a new directory, then lets it end its work.
fn round(state: &mut u64, kills: RangeInclusive<u64>) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("demo");
    let (mut known, first) = (0, *kills.start());
    for kill in kills {
        // One in three comes while the program recovers from the one before, and some of those twice in a row.
        let in_recovery = kill > first && next(state).is_multiple_of(3);
        let wait_ms = if in_recovery { 1 + next(state) % 150 } else { 300 + next(state) % 2_200 };
        let mut child = demo(&dir).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait_ms));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let count = acknowledged(&dir).len();
        println!("kill {kill} after {wait_ms} ms ({status}): {count} orders acknowledged");
        assert!(count >= known, "the record of acknowledged orders has become shorter");
        known = count;
        if count > 0 || has_log(&dir) {
            verify(&dir, &format!("after kill {kill}"));
        }
    }
    let last = demo(&dir).output().unwrap();
    let text = String::from_utf8_lossy(&last.stdout);
    assert!(last.status.success(), "{text}{}", String::from_utf8_lossy(&last.stderr));
    assert!(text.contains("all is well"), "{text}");
    verify(&dir, "at the end");
    assert_all_known(&dir);
    println!("all {ORDERS} orders are there and have ended, the books agree");
}
