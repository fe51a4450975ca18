//! Nonces that were used: a request is admitted once.
//!
//! A nonce is remembered for as long as its request could be sent again, which its signed time tells: nonces lie in
//! buckets of that time, and a bucket goes when the window has passed over it. Memory is bounded; when it is full, nothing
//! more is admitted, because what is not remembered could be repeated.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use suanpan_signing::WINDOW_S;

/// Seconds of signed time in one bucket.
const BUCKET_S: u64 = 20;
/// Parts that are locked apart from each other.
const SHARDS: usize = 64;

/// Whether a request may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Its nonce is new, and from now on used.
    Fresh,
    /// Its nonce was used before.
    Replayed,
    /// There is no room to remember it.
    Full,
}

/// Nonces of the last minutes.
#[derive(Debug)]
pub struct ReplayGuard {
    shards: Box<[Mutex<Shard>]>,
    /// Keyed by chance, so that nobody can find two nonces that look alike. They are kept as 64 bits: with the most that
    /// fit, far fewer than one honest request in a billion is refused by accident, and signed again.
    hasher: RandomState,
}

#[derive(Debug)]
struct Shard {
    buckets: BTreeMap<u64, HashSet<u64>>,
    count: usize,
    most: usize,
}

impl ReplayGuard {
    /// A guard that remembers up to `nonces_max` nonces.
    #[must_use]
    pub fn new(nonces_max: usize) -> Self {
        let most = nonces_max.div_ceil(SHARDS);
        let shard = |_| Mutex::new(Shard { buckets: BTreeMap::new(), count: 0, most });
        Self { shards: (0..SHARDS).map(shard).collect(), hasher: RandomState::new() }
    }

    /// Takes note of a request of key `key_id` with this time and nonce, which is inside the window.
    pub fn admit(&self, now_s: u64, timestamp_s: u64, key_id: &str, nonce: &str) -> Admission {
        let mark = self.hasher.hash_one((key_id, timestamp_s, nonce));
        let place = usize::try_from(mark % SHARDS as u64).unwrap_or(0);
        // A shard is whole between any two lines below: another thread's panic does not spoil it.
        let mut shard = self.shards[place].lock().unwrap_or_else(PoisonError::into_inner);
        shard.forget(now_s);
        shard.admit(timestamp_s / BUCKET_S, mark)
    }
}

impl Shard {
    fn forget(&mut self, now_s: u64) {
        while let Some(bucket) = self.buckets.first_entry() {
            let last_s = bucket.key() * BUCKET_S + BUCKET_S - 1;
            if last_s + WINDOW_S >= now_s {
                return;
            }
            self.count -= bucket.remove().len();
        }
    }

    fn admit(&mut self, bucket: u64, mark: u64) -> Admission {
        if self.buckets.get(&bucket).is_some_and(|known| known.contains(&mark)) {
            return Admission::Replayed;
        }
        if self.count >= self.most {
            return Admission::Full;
        }
        self.buckets.entry(bucket).or_default().insert(mark);
        self.count += 1;
        Admission::Fresh
    }
}
