//! Batches on their way to an actor that is rung for once, however many of them come before it gets its turn.
//!
//! Channels answer a few calls at a time. Each answer as a message of its own would make the shard's batches as small,
//! and a batch costs as much as a few orders. So the busier the engine, the larger the batches.

use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam::queue::SegQueue;

/// What waits for an actor.
#[derive(Debug)]
pub struct Bell<T> {
    batches: SegQueue<Vec<T>>,
    is_rung: AtomicBool,
}

impl<T> Default for Bell<T> {
    fn default() -> Self {
        Self { batches: SegQueue::new(), is_rung: AtomicBool::new(false) }
    }
}

impl<T> Bell<T> {
    /// Adds a batch; whether the actor has to be told now that something waits.
    #[must_use]
    pub fn add(&self, batch: Vec<T>) -> bool {
        self.batches.push(batch);
        !self.is_rung.swap(true, Ordering::AcqRel)
    }

    /// Takes all that waits, in the order in which it came. What comes from now on rings again.
    #[must_use]
    pub fn take(&self) -> Vec<T> {
        self.is_rung.swap(false, Ordering::AcqRel);
        let mut all = self.batches.pop().unwrap_or_default();
        while let Some(more) = self.batches.pop() {
            all.extend(more);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn it_rings_once_until_it_is_answered() {
        let bell = Bell::default();
        assert!(bell.add(vec![1]));
        assert!(!bell.add(vec![2, 3]));
        assert_eq!(bell.take(), [1, 2, 3]);
        assert!(bell.add(vec![4]));
        assert_eq!(bell.take(), [4]);
        assert_eq!(bell.take(), [0; 0]);
    }

    /// Whoever adds last rings, or somebody who is on the way takes it along.
    #[test]
    fn nothing_is_left_behind() {
        const EACH: usize = 20_000;
        let bell = Arc::new(Bell::default());
        let (ring, rung) = crossbeam::channel::unbounded();
        let adding: Vec<_> = (0..2)
            .map(|_| {
                let (bell, ring) = (Arc::clone(&bell), ring.clone());
                std::thread::spawn(move || {
                    for _ in 0..EACH {
                        if bell.add(vec![1_usize]) {
                            ring.send(()).unwrap();
                        }
                    }
                })
            })
            .collect();
        drop(ring);
        let mut taken = 0;
        while rung.recv().is_ok() {
            taken += bell.take().len();
        }
        adding.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(taken, 2 * EACH);
    }
}
