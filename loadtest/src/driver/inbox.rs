//! What the target says, on its way to the driver.

use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, TryRecvError, unbounded};
use suanpan_runtime::api::Notice;
use suanpan_runtime::{Answer, AnswerSink};

use crate::target::Target;

/// Batches of notices that may wait for the driver before the target cuts it off.
const NOTICES_MAX: usize = 1 << 16;

/// How often a busy driver looks. A switch of threads costs tens of microseconds of a core that the target could use.
pub(super) const LOOK_EVERY: Duration = Duration::from_micros(300);

struct Sink(Sender<Vec<Answer>>);

impl AnswerSink for Sink {
    fn deliver(&self, answers: Vec<Answer>) {
        // A driver that has given up reads no more answers.
        let _ = self.0.send(answers);
    }
}

/// Answers and notices.
pub struct Inbox {
    /// Where the target delivers answers.
    pub sink: Arc<dyn AnswerSink>,
    answers: Receiver<Vec<Answer>>,
    notices: Receiver<Arc<Vec<Notice>>>,
}

impl Inbox {
    /// Begins to listen to `target`.
    #[must_use]
    pub fn new(target: &impl Target) -> Self {
        let (sender, answers) = unbounded();
        Self { sink: Arc::new(Sink(sender)), answers, notices: target.subscribe(NOTICES_MAX) }
    }

    /// The next batch of answers, if one is here.
    #[must_use]
    pub fn answers(&self) -> Option<Vec<Answer>> {
        self.answers.try_recv().ok()
    }

    /// The next batch of notices, if one is here.
    ///
    /// # Errors
    /// When the target has cut the driver off.
    pub fn notices(&self) -> anyhow::Result<Option<Arc<Vec<Notice>>>> {
        match self.notices.try_recv() {
            Ok(notices) => Ok(Some(notices)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => {
                anyhow::bail!(
                    "the engine closed the driver's subscription: the driver fell behind or the engine ended"
                )
            }
        }
    }

    /// Waits for news, at most until the next order is `due`. A busy driver is not woken, but looks now and then: what is late
    /// by that counts as latency.
    pub fn wait(&self, due: Duration, is_busy: bool) {
        if !self.answers.is_empty() || !self.notices.is_empty() {
            return;
        }
        if is_busy {
            std::thread::sleep(LOOK_EVERY);
            return;
        }
        let mut select = crossbeam::channel::Select::new();
        select.recv(&self.answers);
        select.recv(&self.notices);
        // Nothing in time is as good as something: the caller looks.
        let _ = select.ready_timeout(due);
    }
}
