//! More is asked for than can be done: answers stay right, the excess is refused with the right code, what is kept in memory
//! is bounded, and when the load falls all is as before. Bounds are counted, not timed.
#![expect(clippy::unwrap_used, reason = "test code: a panic is the report")]

mod common;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{PLATFORM, channels, mall_with_journal, run};
use suanpan_channels::Latency;
use suanpan_model::*;
use suanpan_runtime::api::{Answer, AnswerSink, Reply, Request};
use suanpan_runtime::journal::{Group, Journal, JournalFault, MemoryJournal};
use suanpan_runtime::{Command, EngineOptions};

/// Requests that may be under way.
const IN_FLIGHT_MAX: usize = 64;

/// A journal on a disk that takes its time, or refuses.
#[derive(Clone, Default)]
struct SlowJournal {
    inner: Arc<Mutex<MemoryJournal>>,
    millis: Arc<AtomicU64>,
    refuses: Arc<AtomicUsize>,
}

impl Journal for SlowJournal {
    fn append(&mut self, records: u32, payload: &[u8]) -> Result<u64, JournalFault> {
        std::thread::sleep(Duration::from_millis(self.millis.load(Ordering::Relaxed)));
        let left =
            self.refuses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left.is_ok() {
            let source = std::io::ErrorKind::StorageFull.into();
            return Err(JournalFault::Io { operation: "write", path: "memory".into(), source });
        }
        self.inner.lock().unwrap().append(records, payload)
    }

    fn next_lsn(&self) -> u64 {
        self.inner.lock().unwrap().next_lsn()
    }

    fn first_lsn(&self) -> u64 {
        self.inner.lock().unwrap().first_lsn()
    }

    fn replay(
        &self,
        from: u64,
        visit: &mut dyn FnMut(Group<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalFault> {
        self.inner.lock().unwrap().replay(from, visit)
    }

    fn release_before(&mut self, lsn: u64) -> Result<(), JournalFault> {
        self.inner.lock().unwrap().release_before(lsn)
    }
}

/// Counts answers by ticket and by what they say.
#[derive(Default)]
struct Told {
    by_ticket: Mutex<BTreeMap<u64, Vec<&'static str>>>,
    ids: Mutex<Vec<OrderId>>,
}

impl AnswerSink for Told {
    fn deliver(&self, answers: Vec<Answer>) {
        let mut by_ticket = self.by_ticket.lock().unwrap();
        for answer in answers {
            let said = match &answer.result {
                Ok(Reply::Order(order)) => {
                    self.ids.lock().unwrap().push(order.id);
                    "ok"
                }
                Ok(Reply::Life(_)) => "life",
                Err(reject) => reject.code.code(),
            };
            by_ticket.entry(answer.ticket.0).or_default().push(said);
        }
    }
}

impl Told {
    fn count(&self, said: &str) -> usize {
        let by_ticket = self.by_ticket.lock().unwrap();
        by_ticket.values().flatten().filter(|known| **known == said).count()
    }

    /// Every request was answered once, with one of these.
    fn check(&self, requests: usize, allowed: &[&str]) {
        let by_ticket = self.by_ticket.lock().unwrap();
        assert_eq!(by_ticket.len(), requests);
        for (ticket, said) in &*by_ticket {
            assert!(said.len() == 1 && allowed.contains(&said[0]), "request {ticket} was answered {said:?}");
        }
    }
}

fn options(dir: &std::path::Path) -> EngineOptions {
    EngineOptions { in_flight_max: IN_FLIGHT_MAX, ..EngineOptions::new(dir) }
}

fn creation(mall: &common::Mall, ticket: usize) -> Request {
    let terms = mall.terms(&format!("O-{ticket}"));
    Request { ticket: Ticket(ticket as u64), command: Command::Create(Arc::new(terms)) }
}

async fn drained(mall: &common::Mall) {
    assert!(mall.engine.drain(Duration::from_secs(60)).await, "requests are under way for ever");
}

/// A disk that takes 20 ms a group, and a mall that sends three times what fits, wave after wave.
#[test]
fn three_times_what_a_slow_disk_can_take() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let journal = SlowJournal::default();
        let mall = mall_with_journal(Box::new(journal.clone()), options(dir.path()), &channels(|_| {})).await;
        journal.millis.store(20, Ordering::Relaxed);
        let told = Arc::new(Told::default());
        let sink: Arc<dyn AnswerSink> = Arc::clone(&told) as Arc<dyn AnswerSink>;
        let mut sent = 0;
        let mut peak = 0;
        for _ in 0..30 {
            let wave: Vec<Request> = (sent..sent + 3 * IN_FLIGHT_MAX).map(|n| creation(&mall, n)).collect();
            sent += wave.len();
            let refused = told.count("busy");
            mall.engine.submit(wave, &sink);
            // What does not fit is refused before the call returns: nobody waits to hear "no".
            assert!(told.count("busy") >= refused + 2 * IN_FLIGHT_MAX, "the excess is refused at once");
            peak = peak.max(mall.engine.stats().in_flight);
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        drained(&mall).await;
        told.check(sent, &["ok", "busy"]);
        assert!(peak <= IN_FLIGHT_MAX, "{peak} requests were under way");
        let (ok, busy) = (told.count("ok"), told.count("busy"));
        assert!(ok >= IN_FLIGHT_MAX / 2 && ok + busy == sent, "{ok} taken, {busy} refused of {sent}");
        // What was refused did not happen, what was taken did.
        assert_eq!(mall.engine.stats().created, ok as u64);
        // The load falls: the next ones are taken, all of them.
        journal.millis.store(0, Ordering::Relaxed);
        let after: Vec<Request> = (sent..sent + IN_FLIGHT_MAX / 2).map(|n| creation(&mall, n)).collect();
        mall.engine.submit(after, &sink);
        drained(&mall).await;
        assert_eq!(told.count("ok"), ok + IN_FLIGHT_MAX / 2, "all that fits is taken at once again");
        // A refused order can be placed again under its number.
        let again: Vec<usize> = {
            let by_ticket = told.by_ticket.lock().unwrap();
            by_ticket
                .iter()
                .filter(|(_, said)| said[0] == "busy")
                .map(|(ticket, _)| usize::try_from(*ticket).unwrap())
                .collect()
        };
        let told_again = mall.create(&mall.terms(&format!("O-{}", again[0]))).await.unwrap();
        assert!(!told_again.repeat);
        mall.check_books().await;
    });
}

/// A disk that refuses: what is under way waits, new requests hear `unavailable`, and nothing is lost or done twice.
#[test]
fn a_disk_that_refuses_for_a_while() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let journal = SlowJournal::default();
        let mall = mall_with_journal(Box::new(journal.clone()), options(dir.path()), &channels(|_| {})).await;
        let told = Arc::new(Told::default());
        let sink: Arc<dyn AnswerSink> = Arc::clone(&told) as Arc<dyn AnswerSink>;
        journal.refuses.store(4, Ordering::Relaxed);
        let mut sent = 0;
        while journal.refuses.load(Ordering::Relaxed) > 0 {
            let wave: Vec<Request> = (sent..sent + 8).map(|n| creation(&mall, n)).collect();
            sent += wave.len();
            mall.engine.submit(wave, &sink);
            assert!(mall.engine.stats().in_flight <= IN_FLIGHT_MAX);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drained(&mall).await;
        told.check(sent, &["ok", "busy", "unavailable"]);
        assert!(told.count("unavailable") > 0 && told.count("ok") > 0);
        assert_eq!(mall.engine.stats().created, told.count("ok") as u64);
        let next = mall.create(&mall.terms("after")).await.unwrap();
        assert!(!next.repeat);
        mall.check_books().await;
    });
}

/// Channels that answer after a long while: live orders fill their bound, creations hear `busy`, commands to orders that
/// exist go on, and when the channels answer there is room again.
#[test]
fn channels_that_take_their_time() {
    run(async {
        const LIVE_MAX: usize = 40;
        let dir = tempfile::tempdir().unwrap();
        let slow = channels(|behaviour| behaviour.think = Latency::exactly(1_500));
        let settings = EngineOptions { live_orders_max: LIVE_MAX, ..options(dir.path()) };
        let mall = mall_with_journal(Box::new(MemoryJournal::new()), settings, &slow).await;
        let told = Arc::new(Told::default());
        let sink: Arc<dyn AnswerSink> = Arc::clone(&told) as Arc<dyn AnswerSink>;
        let sent = 3 * LIVE_MAX;
        for n in 0..sent {
            mall.engine.submit(vec![creation(&mall, n)], &sink);
            drained(&mall).await;
        }
        told.check(sent, &["ok", "busy"]);
        let taken = told.count("ok");
        assert!(taken >= LIVE_MAX && taken < sent, "{taken} of {sent} taken");
        assert!(mall.engine.stats().live_orders <= LIVE_MAX + 2);
        let ids = told.ids.lock().unwrap().clone();
        assert!(
            mall.life(ids[0]).await.terms.platform == PLATFORM,
            "an order that exists can be asked about"
        );
        for id in ids {
            mall.until_status(id, OrderStatus::Frozen).await;
            mall.release(id).await.unwrap();
        }
        mall.until_archived().await;
        mall.create(&mall.terms("after")).await.unwrap();
        mall.check_books().await;
    });
}
