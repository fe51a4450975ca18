//! Files kept ready for the next segments, so that beginning one costs no zero-filling.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::format::spare_name;
use super::storage::{Storage, io_fault};
use super::{JournalFault, JournalOptions};
use crate::haste::Haste;

/// Files kept ready for the next segments.
#[derive(Debug)]
pub(super) struct Spares {
    storage: Arc<dyn Storage>,
    ready: VecDeque<String>,
    /// Number of the next spare file; never used twice while the journal is open.
    count: u64,
    segment_bytes: u64,
    max: usize,
    worker: Option<Worker>,
}

#[derive(Debug)]
struct Worker {
    orders: Option<Sender<String>>,
    answers: Receiver<Result<String, JournalFault>>,
    /// One file is being prepared.
    busy: bool,
    haste: Arc<Haste>,
    thread: Option<JoinHandle<()>>,
}

impl Spares {
    /// Takes over the spare files found in the directory; those of another size are removed.
    pub(super) fn new(
        storage: Arc<dyn Storage>,
        found: &[(u64, String)],
        options: &JournalOptions,
    ) -> Result<Self, JournalFault> {
        let mut spares = Self {
            ready: VecDeque::new(),
            count: found.iter().map(|(count, _)| *count).max().unwrap_or(0) + 1,
            segment_bytes: options.segment_bytes,
            max: options.max_spares,
            worker: None,
            storage,
        };
        for (_, name) in found {
            spares.keep(name.clone());
        }
        if options.prepare_in_background {
            spares.worker = Worker::start(&spares.storage, options.segment_bytes);
        }
        Ok(spares)
    }

    /// A name for a file that is to become a spare.
    pub(super) fn new_name(&mut self) -> String {
        self.count += 1;
        spare_name(self.count - 1)
    }

    /// Keeps a file as a spare, or removes it when it is not of use.
    pub(super) fn keep(&mut self, name: String) {
        let fits = self
            .storage
            .open(&name, super::Access::Read)
            .and_then(|file| file.len())
            .is_ok_and(|bytes| bytes == self.segment_bytes);
        if fits && self.ready.len() < self.max {
            self.ready.push_back(name);
        } else {
            self.discard(&name);
        }
    }

    /// Removes a file that is of no use. Its space is missed if that fails, nothing else.
    pub(super) fn discard(&self, name: &str) {
        if let Err(error) = self.storage.remove(name) {
            tracing::warn!(file = %self.storage.path(name).display(), %error, "journal: a spare file could not be removed");
        }
    }

    /// Has the next spare prepared in the background, unless one is ready or on its way.
    pub(super) fn order(&mut self) {
        if !self.ready.is_empty() || self.worker.as_ref().is_none_or(|worker| worker.busy) {
            return;
        }
        let name = self.new_name();
        if let Some(worker) = &mut self.worker {
            worker.haste.relax();
            worker.busy = worker.orders.as_ref().is_some_and(|orders| orders.send(name).is_ok());
        }
    }

    /// Name of a file of at least `bytes` bytes for the next segment.
    ///
    /// # Errors
    ///
    /// [`JournalFault::Io`], most likely a full disk; may be called again.
    pub(super) fn take(&mut self, bytes: u64) -> Result<String, JournalFault> {
        if bytes <= self.segment_bytes {
            if let Some(name) = self.ready.pop_front() {
                return Ok(name);
            }
            // Waiting for a file half prepared is shorter than beginning another.
            if let Some(worker) = &mut self.worker
                && worker.busy
            {
                worker.busy = false;
                worker.haste.hurry();
                match worker.answers.recv() {
                    Ok(Ok(name)) => return Ok(name),
                    Ok(Err(fault)) => {
                        tracing::warn!(%fault, "journal: the next segment could not be prepared ahead")
                    }
                    Err(_) => self.worker = None,
                }
            }
        }
        let name = self.new_name();
        prepare(&*self.storage, &name, bytes.max(self.segment_bytes), &Haste::from_the_start())?;
        Ok(name)
    }
}

impl Worker {
    /// `None` when the system gives no thread: segments are then prepared when they are needed.
    fn start(storage: &Arc<dyn Storage>, segment_bytes: u64) -> Option<Self> {
        let (orders, inbox) = channel::<String>();
        let (outbox, answers) = channel();
        let (storage, haste) = (Arc::clone(storage), Arc::new(Haste::default()));
        let theirs = Arc::clone(&haste);
        let work = move || {
            for name in inbox {
                let answer = prepare(&*storage, &name, segment_bytes, &theirs).map(|()| name);
                if outbox.send(answer).is_err() {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new().name("journal-spare".to_owned()).spawn(work).ok()?;
        Some(Self { orders: Some(orders), answers, busy: false, haste, thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The directory's lock is released after this; no file may be prepared by then.
        self.haste.hurry();
        drop(self.orders.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("journal: the thread that prepares segments has panicked");
        }
    }
}

fn prepare(storage: &dyn Storage, name: &str, bytes: u64, haste: &Haste) -> Result<(), JournalFault> {
    let file = storage.create(name).map_err(io_fault(storage, "create", name))?;
    file.preallocate(bytes, haste).map_err(|source| {
        // A half-filled file would hold the space that the next attempt needs. Nothing more can be done if the
        // removal fails too; the next opening removes it.
        let _ = storage.remove(name);
        io_fault(storage, "reserve space for", name)(source)
    })
}
