//! Answers to one `call_many`, gathered until the last has come.

use std::sync::Mutex;

use suanpan_model::Reject;
use tokio::sync::oneshot;

use crate::api::{Answer, AnswerSink, Reply};

/// What a call comes to.
type Results = Vec<Result<Reply, Reject>>;

struct State {
    slots: Vec<Option<Result<Reply, Reject>>>,
    missing: usize,
    done: Option<oneshot::Sender<Results>>,
}

/// A sink that hands over all answers, in the order of their tickets, once the last has come.
pub(crate) struct Gathering(Mutex<State>);

impl Gathering {
    /// A sink for tickets 0 to `count` − 1, and where the answers come out.
    pub(crate) fn new(count: usize) -> (Self, oneshot::Receiver<Results>) {
        let (done, answers) = oneshot::channel();
        let state = State { slots: (0..count).map(|_| None).collect(), missing: count, done: Some(done) };
        (Self(Mutex::new(state)), answers)
    }
}

impl AnswerSink for Gathering {
    fn deliver(&self, answers: Vec<Answer>) {
        let Ok(mut state) = self.0.lock() else { return };
        for Answer { ticket, result } in answers {
            let slot = usize::try_from(ticket.0).ok().and_then(|index| state.slots.get_mut(index));
            if let Some(slot @ None) = slot {
                *slot = Some(result);
                state.missing -= 1;
            }
        }
        if state.missing == 0
            && let Some(done) = state.done.take()
        {
            // Whoever asked may have given up waiting.
            let _ = done.send(std::mem::take(&mut state.slots).into_iter().flatten().collect());
        }
    }
}
