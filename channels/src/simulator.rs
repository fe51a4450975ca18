//! A channel in this process that keeps its own book and does what its behaviour says.

use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use suanpan_model::{AttemptNo, Capability, ChannelReport, ChannelRequest, OrderId, TimestampMs};

use crate::adapter::{Adapter, BookTotals, ReportSink};
use crate::behaviour::Behaviour;
use crate::book::{Book, BookLine, PaymentKey, RefundLine};
use crate::book_file::{BookFile, BookFileFault};
use crate::descriptor::{Descriptor, DescriptorFault, load_descriptors};
use crate::fate::Fate;
use crate::random::Draws;

mod answers;
mod calls;
mod turn;
mod work;

#[cfg(test)]
mod tests;

use turn::Turn;
use work::Scheduled;

/// The one SMS code that simulated channels refuse; they take any other.
pub const SMS_CODE_REFUSED: &str = "000000";

/// A simulated channel.
///
/// What becomes of a payment follows from seed, channel, order and attempt alone: neither the order of calls nor threads
/// nor batches change it. Three rules look at more: service hours and outages at the clock, the daily quota at what was
/// paid before.
#[derive(Debug)]
pub struct Simulator {
    capability: Capability,
    behaviour: Behaviour,
    draws: Draws,
    state: Mutex<State>,
}

/// What changes.
#[derive(Debug)]
struct State {
    book: Book,
    agenda: BinaryHeap<Scheduled>,
    /// Number of the next agenda item: what is due at the same time happens in the order in which it was arranged.
    sequence: u64,
    /// Set when the book can no longer be written: the channel is down and says nothing any more.
    down: bool,
}

impl Simulator {
    /// A channel with an empty book in memory.
    #[must_use]
    pub fn new(descriptor: Descriptor, seed: u64) -> Self {
        let book = Book::new(descriptor.behaviour.keep_lines);
        Self::with_book(descriptor, seed, book)
    }

    /// A channel that keeps its book in the file at `path` and goes on where the file ends: payments under way are
    /// finished and payments not yet notified are notified when their time comes. Answers to calls that were under way
    /// never come.
    ///
    /// # Errors
    /// As [`BookFile::open`].
    pub fn open(descriptor: Descriptor, seed: u64, path: &Path) -> Result<Self, BookFileFault> {
        let (file, records) = BookFile::open(path, descriptor.capability.id, seed)?;
        let book = Book::restore(descriptor.behaviour.keep_lines, file, records);
        let simulator = Self::with_book(descriptor, seed, book);
        simulator.resume();
        Ok(simulator)
    }

    fn with_book(descriptor: Descriptor, seed: u64, book: Book) -> Self {
        let Descriptor { capability, behaviour } = descriptor;
        let draws = Fate::channel_draws(seed, capability.id);
        let state = State { book, agenda: BinaryHeap::new(), sequence: 0, down: false };
        Self { capability, behaviour, draws, state: Mutex::new(state) }
    }

    /// The channel's line for a payment.
    #[must_use]
    pub fn payment(&self, order: OrderId, attempt: AttemptNo) -> Option<BookLine> {
        self.state().book.line(PaymentKey { order, attempt }).copied()
    }

    /// The channel's line for a refund.
    #[must_use]
    pub fn refund(&self, order: OrderId, attempt: AttemptNo, refund: u8) -> Option<RefundLine> {
        self.state().book.refund(PaymentKey { order, attempt }, refund)
    }

    /// A copy of every line, by order and attempt: the channel's bill.
    #[must_use]
    pub fn lines(&self) -> Vec<(OrderId, AttemptNo, BookLine)> {
        let state = self.state();
        let mut lines: Vec<_> =
            state.book.lines().map(|(key, line)| (key.order, key.attempt, *line)).collect();
        lines.sort_unstable_by_key(|(order, attempt, _)| (*order, *attempt));
        lines
    }

    /// How it behaves.
    #[must_use]
    pub const fn behaviour(&self) -> &Behaviour {
        &self.behaviour
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every turn leaves the book consistent at each of its steps, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts what the book says is under way onto the agenda.
    fn resume(&self) {
        let mut state = self.state();
        let under_way: Vec<_> = state.book.lines().map(|(key, line)| (key, *line)).collect();
        let refunds: Vec<_> = state.book.refunds().map(|(key, refund, line)| (key, refund, *line)).collect();
        let mut turn =
            Turn::begin(&self.capability, &self.behaviour, self.draws, &mut state, TimestampMs(0), 0);
        for (key, line) in under_way {
            turn.resume(key, &line);
        }
        for (key, refund, line) in refunds {
            turn.resume_refund(key, refund, line);
        }
    }

    /// Runs one turn under the lock and delivers what it said after the lock is released.
    fn take_turn(
        &self,
        now: TimestampMs,
        sink: &Arc<dyn ReportSink>,
        calls: Vec<ChannelRequest>,
    ) -> Option<TimestampMs> {
        let mut state = self.state();
        if state.down {
            return None;
        }
        let mut turn =
            Turn::begin(&self.capability, &self.behaviour, self.draws, &mut state, now, calls.len());
        turn.catch_up();
        for call in calls {
            turn.call(&call);
        }
        let reports: Vec<ChannelReport> = turn.finish();
        if let Err(fault) = state.book.flush() {
            tracing::error!(channel = %self.capability.name, %fault, "the simulated channel goes down");
            state.down = true;
            return None;
        }
        let next = state.agenda.peek().map(|item| item.at);
        drop(state);
        if !reports.is_empty() {
            sink.deliver(reports);
        }
        next
    }
}

impl Adapter for Simulator {
    fn capability(&self) -> &Capability {
        &self.capability
    }

    fn perform(&self, now: TimestampMs, calls: Vec<ChannelRequest>, sink: &Arc<dyn ReportSink>) {
        self.take_turn(now, sink, calls);
    }

    fn advance(&self, now: TimestampMs, sink: &Arc<dyn ReportSink>) -> Option<TimestampMs> {
        self.take_turn(now, sink, Vec::new())
    }

    fn book(&self) -> Option<BookTotals> {
        Some(self.state().book.totals())
    }
}

/// Why simulators cannot be made from a descriptor file.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorFault {
    /// The descriptors are wrong.
    #[error(transparent)]
    Descriptor(#[from] DescriptorFault),
    /// A book cannot be opened.
    #[error(transparent)]
    Book(#[from] BookFileFault),
    /// The folder of the books cannot be made.
    #[error("folder of the channels' books {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
}

/// Simulators of the channels described in `toml`, in the order in which they stand there, with books in memory.
///
/// # Errors
/// As [`load_descriptors`].
pub fn simulators(toml: &str, seed: u64) -> Result<Vec<Arc<dyn Adapter>>, DescriptorFault> {
    let descriptors = load_descriptors(toml)?;
    Ok(descriptors.into_iter().map(|one| Arc::new(Simulator::new(one, seed)) as Arc<dyn Adapter>).collect())
}

/// Simulators as [`simulators`] makes them, each with its book in `folder/<name>.book`, continued if it exists.
///
/// # Errors
/// As [`load_descriptors`], then trouble with the folder, then as [`BookFile::open`].
pub fn simulators_with_books(
    toml: &str,
    seed: u64,
    folder: &Path,
) -> Result<Vec<Arc<dyn Adapter>>, SimulatorFault> {
    let descriptors = load_descriptors(toml)?;
    std::fs::create_dir_all(folder)
        .map_err(|source| SimulatorFault::Folder { path: folder.to_owned(), source })?;
    let open = |descriptor: Descriptor| -> Result<Arc<dyn Adapter>, SimulatorFault> {
        let path = folder.join(format!("{}.book", descriptor.capability.name));
        Ok(Arc::new(Simulator::open(descriptor, seed, &path)?))
    };
    descriptors.into_iter().map(open).collect()
}
