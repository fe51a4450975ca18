//! Orders that come one by one at the same moment go to the engine together.
//!
//! A worker reads the requests of all connections that have one, and only then hands their orders in, as one batch: what a
//! message costs between threads, in the shards and on the way to the log, is paid once for all of them. Nobody waits
//! for company: the batch is what was there.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use suanpan_model::{Reject, RejectCode, Ticket};
use suanpan_runtime::{Answer, AnswerSink, Command, Engine, Reply, Request};
use tokio::sync::oneshot;

/// Where the answer to one command goes.
type Caller = oneshot::Sender<Result<Reply, Reject>>;

/// What one worker has read and not handed in yet. How much it can be is bounded by the worker's connections.
pub struct Intake {
    engine: Engine,
    open: RefCell<(Vec<Request>, Vec<Option<Caller>>)>,
}

impl Intake {
    /// The intake of a worker.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self { engine, open: RefCell::default() }
    }

    /// Asks for one thing and awaits the answer. To be called on the worker's thread. Dropping the future does not undo the
    /// command.
    ///
    /// # Errors
    /// As [`Engine::call`].
    pub async fn call(self: &Rc<Self>, command: Command) -> Result<Reply, Reject> {
        let (caller, answer) = oneshot::channel();
        let is_first = {
            let (requests, callers) = &mut *self.open.borrow_mut();
            requests.push(Request { ticket: Ticket(callers.len() as u64), command });
            callers.push(Some(caller));
            callers.len() == 1
        };
        if is_first {
            let intake = Rc::clone(self);
            // Comes after everything that the worker has to do at this moment.
            actix_rt::spawn(async move { intake.hand_in() });
        }
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    fn hand_in(&self) {
        let (requests, callers) = self.open.take();
        let sink: Arc<dyn AnswerSink> = Arc::new(Callers(Mutex::new(callers)));
        self.engine.submit(requests, &sink);
    }
}

/// Who waits for the answers to one batch, by ticket.
struct Callers(Mutex<Vec<Option<Caller>>>);

impl AnswerSink for Callers {
    fn deliver(&self, answers: Vec<Answer>) {
        // A list of callers is whole between any two lines below: another thread's panic does not spoil it.
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for Answer { ticket, result } in answers {
            let caller = usize::try_from(ticket.0).ok().and_then(|place| callers.get_mut(place)?.take());
            if let Some(caller) = caller {
                // Whoever asked may have given up waiting.
                let _ = caller.send(result);
            }
        }
    }
}

fn ended() -> Reject {
    let expected =
        "an engine that is running; the outcome of this request is not known, query it after a restart";
    Reject::new(RejectCode::Unavailable, "", expected)
}
