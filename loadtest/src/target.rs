//! What load is put on.

use std::sync::Arc;

use crossbeam::channel::Receiver;
use suanpan_runtime::api::Notice;
use suanpan_runtime::{AnswerSink, Engine, Request};

/// Something that takes orders.
pub trait Target {
    /// Hands in a batch; every request is answered exactly once at `sink`.
    fn submit(&self, requests: Vec<Request>, sink: &Arc<dyn AnswerSink>);

    /// What happens to orders from now on.
    fn subscribe(&self, capacity: usize) -> Receiver<Arc<Vec<Notice>>>;
}

impl Target for Engine {
    fn submit(&self, requests: Vec<Request>, sink: &Arc<dyn AnswerSink>) {
        Self::submit(self, requests, sink);
    }

    fn subscribe(&self, capacity: usize) -> Receiver<Arc<Vec<Notice>>> {
        Self::subscribe(self, capacity)
    }
}
