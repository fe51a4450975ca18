//! A replay as a pipeline: one thread reads and decodes the log, one folds it, one feeds the archive. What is done, and in
//! which order, is the same as in one thread.

use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::thread::{Builder, ScopedJoinHandle, scope};

use crossbeam::channel::bounded;
use suanpan_model::{Lsn, Record};

use super::feeder::Feed;
use super::{Recovered, Replay};
use crate::codec::decode_records;
use crate::fault::EngineFault;
use crate::journal::Journal;

/// Records that are handed on together, about.
const AT_ONCE: usize = 1_024;

/// Batches of records that may wait to be folded.
const AHEAD: usize = 8;

/// Reads the log from `from` on and hands on its records in batches, each with the position of its first. The answer of
/// `take` is handed back when it ends the reading.
///
/// # Errors
/// When the journal cannot be read or holds what is no record.
pub(super) fn read<E>(
    journal: &dyn Journal,
    from: Lsn,
    take: &mut dyn FnMut(Lsn, Vec<Record>) -> Result<(), E>,
) -> Result<Result<(), E>, EngineFault> {
    let (mut first, mut records) = (from, Vec::new());
    let (mut fault, mut taken) = (None, Ok(()));
    journal.replay(from.0, &mut |group| {
        let mut lsn = Lsn(group.first_lsn);
        let decoded = decode_records(group.payload, |record| {
            if lsn >= from {
                if records.is_empty() {
                    first = lsn;
                }
                records.push(record);
            }
            lsn = lsn.next();
        });
        fault = decoded.err().map(|fault| EngineFault::Replay { lsn: lsn.0, what: fault.to_string() });
        if records.len() >= AT_ONCE {
            taken = take(first, std::mem::replace(&mut records, Vec::with_capacity(2 * AT_ONCE)));
        }
        if fault.is_some() || taken.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if taken.is_ok() && !records.is_empty() {
        taken = take(first, records);
    }
    match fault {
        // What was wrong earlier in the log comes first.
        Some(fault) if taken.is_ok() => Err(fault),
        Some(_) | None => Ok(taken),
    }
}

/// Replays with three threads, of which the caller's reads.
///
/// # Errors
/// As [`read`], as the fold, and when the store refuses to be fed.
pub(super) fn run(
    journal: &dyn Journal,
    from: Lsn,
    mut replay: Replay<'_>,
) -> Result<Recovered, EngineFault> {
    let store = replay.store;
    let (feeds, to_feed) = bounded::<Feed>(0);
    let (fed, done) = bounded(AHEAD);
    replay.feeder.go_aside(feeds, done);
    let (batches, to_fold) = bounded::<(Lsn, Vec<Record>)>(AHEAD);
    scope(|scope| {
        let feeder = Builder::new().name("suanpan-feed".into()).spawn_scoped(scope, move || {
            for feed in to_feed {
                let came = feed.write(store);
                let ends = came.is_err();
                // A fold that has ended asks no more.
                if fed.send(came).is_err() || ends {
                    return;
                }
            }
        })?;
        let folder = Builder::new().name("suanpan-fold".into()).spawn_scoped(scope, move || {
            for (first, records) in to_fold {
                replay.fold(first, &records)?;
            }
            replay.finish()
        })?;
        let read = read(journal, from, &mut |first, records| batches.send((first, records)));
        drop(batches);
        let folded = joined(folder);
        joined(feeder);
        let state = folded?;
        // A fold that ended early told why; else the log must have been read to its end.
        let _is_whole = read?;
        Ok(state)
    })
}

/// What a thread came to; its panic goes on here.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}
