//! The parts, from the pure core outwards: what each takes by itself. `cargo bench -p suanpan-benches --bench parts`; the smoke
//! size runs with the tests.
#![allow(missing_docs, reason = "criterion's macros generate public items")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use suanpan_benches::core_world::{CoreWorld, merchant, order_id, paid, release, terms};
use suanpan_benches::engine_world::EngineWorld;
use suanpan_benches::twin::Twin;
use suanpan_core::ledger::{Instruction, LedgerCommand};
use suanpan_core::split::{advance, allocate};
use suanpan_model::{Amount, Currency, EntryCode, HoldId, LedgerEvent, Lsn, Posting, Record, TimestampMs};
use suanpan_runtime::codec::{decode_records, encode_record};
use suanpan_runtime::journal::{Journal, JournalOptions, SegmentJournal};

/// Bytes of a record, about as many as the engine writes.
const RECORD_BYTES: usize = 128;

fn ledger(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ledger");
    let mut world = CoreWorld::new();
    let (account, amount) = (merchant(7), Amount::from_minor(1_234));
    let income = Instruction::Post {
        posting: Posting::credit(account, Amount::MAX),
        code: EntryCode::TopUp,
        cause: order_id(0).cause(),
        currency: Currency::Cny,
    };
    world.ledger.carry_out(Lsn(2), &income);
    let hold = HoldId { cause: order_id(0).cause(), no: 1 };
    let (currency, expires_at) = (Currency::Cny, TimestampMs::NEVER);
    let command = LedgerCommand::Hold { hold, account, amount, currency, expires_at, whole: true };
    group
        .bench_function("decide a hold", |bencher| bencher.iter(|| world.ledger.decide(black_box(&command))));
    group.bench_function("place a hold and give it back", |bencher| {
        bencher.iter(|| {
            world.ledger.apply(black_box(&LedgerEvent::HoldPlaced { hold, account, amount, expires_at }));
            world.ledger.carry_out(Lsn(3), &Instruction::Void { hold, account });
        });
    });
    let posting = Instruction::Post {
        posting: Posting::credit(account, Amount::from_minor(1)),
        code: EntryCode::Release,
        cause: order_id(0).cause(),
        currency,
    };
    group.bench_function("post one line", |bencher| {
        bencher.iter(|| world.ledger.carry_out(Lsn(4), black_box(&posting)));
    });
    group.finish();
}

fn order(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("order");
    group.throughput(Throughput::Elements(1));
    let world = CoreWorld::new();
    let made = |number| {
        let terms = Arc::new(terms(number));
        world.create(number, terms, smallvec::SmallVec::new())
    };
    group.bench_function("create: record and route", |bencher| {
        let terms = Arc::new(terms(1));
        let holds = smallvec::SmallVec::new;
        bencher.iter(|| world.create(1, Arc::clone(&terms), holds()));
    });
    group.bench_function("paid: the channel's report", |bencher| {
        let (order, _) = made(1);
        let command = paid(&order);
        bencher.iter_batched(
            || order.clone(),
            |mut order| world.command(&mut order, &command),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("release: divided among four", |bencher| {
        let (mut order, _) = made(1);
        let command = paid(&order);
        let _ = world.command(&mut order, &command);
        bencher.iter_batched(
            || order.clone(),
            |mut order| world.command(&mut order, &release()),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("whole: pure core, the speed of light", |bencher| {
        let mut world = CoreWorld::new();
        let mut number = 0;
        bencher.iter(|| {
            number += 1;
            world.whole(number)
        });
    });
    group.bench_function("whole: naive twin, one mutex around maps", |bencher| {
        let twin = Twin::default();
        let mut number = 0;
        bencher.iter(|| {
            number += 1;
            let terms = terms(number);
            twin.pay(&terms, 30) && twin.release(&terms)
        });
    });
    group.finish();
}

fn split(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("split");
    let amount = Amount::from_minor(123_457);
    group.bench_function("three parts by largest remainder", |bencher| {
        bencher.iter(|| allocate(black_box(amount), black_box(&[500, 200, 9_300])));
    });
    let many: Vec<u64> = (1..=50).collect();
    group.bench_function("fifty parts", |bencher| {
        bencher.iter(|| allocate(black_box(amount), black_box(&many)))
    });
    let shares = [500, 200, 30, 9_270].map(Amount::from_minor);
    let given = [250, 100, 15, 4_635].map(Amount::from_minor);
    group.bench_function("bring four up to a new total", |bencher| {
        bencher.iter(|| advance(black_box(&shares), black_box(&given), Amount::from_minor(7_777)));
    });
    group.finish();
}

fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    let world = CoreWorld::new();
    let (mut order, created) = world.create(1, Arc::new(terms(1)), smallvec::SmallVec::new());
    let command = paid(&order);
    let paid = world.command(&mut order, &command);
    let released = world.command(&mut order, &release());
    for (name, record) in [("created", created), ("paid", paid), ("released", released)] {
        let mut bytes = Vec::new();
        encode_record(&record, &mut bytes);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::new("encode", name), |bencher| {
            let mut bytes = Vec::with_capacity(1_024);
            bencher.iter(|| {
                bytes.clear();
                encode_record(black_box(&record), &mut bytes);
                bytes.len()
            });
        });
        group.bench_function(BenchmarkId::new("decode", name), |bencher| {
            bencher.iter(|| {
                let mut found: Option<Record> = None;
                decode_records(black_box(&bytes), |record| found = Some(record)).expect("whole bytes");
                found
            });
        });
    }
    group.finish();
}

fn journal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("journal: append and fdatasync");
    group.sample_size(20).measurement_time(Duration::from_secs(2));
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory on a disk");
    for records in [1_u32, 16, 256, 4_096] {
        let path = dir.path().join(records.to_string());
        let mut journal = SegmentJournal::open(&path, JournalOptions::default()).expect("a journal");
        let payload = vec![7; RECORD_BYTES * records as usize];
        group.throughput(Throughput::Elements(u64::from(records)));
        group.bench_function(BenchmarkId::new("records", records), |bencher| {
            bencher.iter(|| journal.append(records, black_box(&payload)).expect("room on the disk"));
        });
    }
    group.finish();
}

/// Something small to do.
struct Add(Vec<u64>);

impl Message for Add {
    type Result = u64;
}

/// Does it.
struct Sum(u64);

impl Actor for Sum {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(1 << 16);
    }
}

impl Handler<Add> for Sum {
    type Result = u64;

    fn handle(&mut self, Add(numbers): Add, _: &mut Self::Context) -> u64 {
        numbers.iter().for_each(|number| self.0 = self.0.wrapping_mul(31).wrapping_add(*number));
        self.0
    }
}

fn mailbox(criterion: &mut Criterion) {
    const COMMANDS: u64 = 1_024;
    let mut group = criterion.benchmark_group("mailbox: 1024 small commands");
    group.throughput(Throughput::Elements(COMMANDS));
    group.bench_function("called directly", |bencher| {
        let mut sum = Sum(0);
        bencher
            .iter(|| (0..COMMANDS).for_each(|n| sum.0 = sum.0.wrapping_mul(31).wrapping_add(black_box(n))));
    });
    let system = actix::System::new();
    for batch in [1, 16, 64, 512] {
        group.bench_function(BenchmarkId::new("sent in batches of", batch), |bencher| {
            bencher.iter(|| {
                system.block_on(async {
                    let address = Sum(0).start();
                    for from in (0..COMMANDS).step_by(usize::try_from(batch).unwrap_or(1)) {
                        address.do_send(Add((from..from + batch).collect()));
                    }
                    address.send(Add(Vec::new())).await
                })
            });
        });
    }
    group.bench_function("sent and awaited one by one", |bencher| {
        bencher.iter(|| {
            system.block_on(async {
                let address = Sum(0).start();
                for number in 0..COMMANDS {
                    address.send(Add(vec![number])).await.expect("an actor that lives");
                }
            });
        });
    });
    group.finish();
}

fn end_to_end(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("end to end: orders from creation to release, durable");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory on a disk");
    let world = EngineWorld::start(dir.path());
    for orders in [1_u64, 64, 1_024] {
        group.throughput(Throughput::Elements(orders));
        group.bench_function(BenchmarkId::new("at once", orders), |bencher| {
            bencher.iter(|| world.orders(orders))
        });
    }
    group.finish();
    world.stop();
}

criterion_group!(parts, ledger, order, split, codec, journal, mailbox, end_to_end);
criterion_main!(parts);
