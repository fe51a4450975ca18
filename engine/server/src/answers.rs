//! Answers that are kept under an `Idempotency-Key`, on disk, so that a repeat gets the same bytes.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::web::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use suanpan_model::{DurationMs, PlatformId, TimestampMs};

/// How long answers are kept: as long as an order may wait for its payer.
pub const KEPT: DurationMs = DurationMs::from_days(90);

/// Why answers cannot be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum AnswersFault {
    /// What the disk says.
    #[error("answers under idempotency keys: {0}")]
    Disk(#[from] fjall::Error),
    /// A row that nobody wrote.
    #[error("answers under idempotency keys: a row is damaged")]
    Damaged,
}

/// An answer as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Fingerprint of the request.
    pub request: u128,
    /// Status of HTTP.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// Whose key: the platform and what it wrote.
pub type Key = (PlatformId, String);

/// The answers that are kept, and the keys whose requests are under way.
pub struct Answers {
    // Field order is drop order: the rows hold references into the database.
    rows: Keyspace,
    database: Database,
    under_way: Arc<Mutex<HashSet<Key>>>,
}

/// A key whose request is under way; given back when dropped.
#[derive(Debug)]
pub struct Claim {
    key: Key,
    under_way: Arc<Mutex<HashSet<Key>>>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

const HEAD_BYTES: usize = 8 + 16 + 2;

impl Answers {
    /// Opens the answers in `dir` and forgets those that are older than [`KEPT`].
    ///
    /// # Errors
    /// What the disk says.
    pub fn open(dir: &Path, now: TimestampMs) -> Result<Self, AnswersFault> {
        let database = Database::builder(dir).worker_threads(1).cache_size(4 << 20).open()?;
        let rows = database.keyspace("answers", KeyspaceCreateOptions::default)?;
        let answers = Self { rows, database, under_way: Arc::default() };
        answers.forget_before(TimestampMs(now.0.saturating_sub(KEPT.0)))?;
        Ok(answers)
    }

    fn forget_before(&self, first: TimestampMs) -> Result<(), AnswersFault> {
        for row in self.rows.iter() {
            let (key, value) = row.into_inner()?;
            let at = value.first_chunk::<8>().ok_or(AnswersFault::Damaged)?;
            if u64::from_le_bytes(*at) < first.0 {
                self.rows.remove(key)?;
            }
        }
        Ok(())
    }

    /// Takes a key for a request; nothing when another request with it is under way. There are never more keys than
    /// requests under way.
    #[must_use]
    pub fn claim(&self, key: &Key) -> Option<Claim> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let claim = || Claim { key: key.clone(), under_way: Arc::clone(&self.under_way) };
        under_way.insert(key.clone()).then(claim)
    }

    /// The answer under a key.
    ///
    /// # Errors
    /// What the disk says; a damaged row.
    pub fn find(&self, key: &Key) -> Result<Option<Kept>, AnswersFault> {
        let Some(row) = self.rows.get(row_key(key))? else { return Ok(None) };
        let (head, body) = row.split_at_checked(HEAD_BYTES).ok_or(AnswersFault::Damaged)?;
        let request = head[8..24].try_into().map_err(|_| AnswersFault::Damaged)?;
        let status = head[24..26].try_into().map_err(|_| AnswersFault::Damaged)?;
        Ok(Some(Kept {
            request: u128::from_le_bytes(request),
            status: u16::from_le_bytes(status),
            body: Bytes::copy_from_slice(body),
        }))
    }

    /// Keeps an answer; durable when it returns.
    ///
    /// # Errors
    /// What the disk says.
    pub fn keep(&self, key: &Key, kept: &Kept, now: TimestampMs) -> Result<(), AnswersFault> {
        let mut row = Vec::with_capacity(HEAD_BYTES + kept.body.len());
        row.extend_from_slice(&now.0.to_le_bytes());
        row.extend_from_slice(&kept.request.to_le_bytes());
        row.extend_from_slice(&kept.status.to_le_bytes());
        row.extend_from_slice(&kept.body);
        self.rows.insert(row_key(key), row)?;
        Ok(self.database.persist(PersistMode::SyncData)?)
    }
}

fn row_key((platform, key): &Key) -> Vec<u8> {
    let mut row = platform.0.to_be_bytes().to_vec();
    row.extend_from_slice(key.as_bytes());
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_kept_apart_over_a_restart_and_forgotten_in_the_end() {
        let dir = tempfile::TempDir::new().unwrap();
        let kept = Kept { request: 7, status: 200, body: Bytes::from_static(b"{}") };
        let key = (PlatformId(1), "a".to_owned());
        let begin = TimestampMs(1_000);
        {
            let answers = Answers::open(dir.path(), begin).unwrap();
            let claim = answers.claim(&key).unwrap();
            assert!(answers.claim(&key).is_none());
            assert!(answers.claim(&(PlatformId(2), "a".to_owned())).is_some());
            assert_eq!(answers.find(&key).unwrap(), None);
            answers.keep(&key, &kept, begin).unwrap();
            drop(claim);
            assert!(answers.claim(&key).is_some());
        }
        {
            let answers = Answers::open(dir.path(), TimestampMs(begin.0 + KEPT.0)).unwrap();
            assert_eq!(answers.find(&key).unwrap(), Some(kept));
            assert_eq!(answers.find(&(PlatformId(2), "a".to_owned())).unwrap(), None);
        }
        let answers = Answers::open(dir.path(), TimestampMs(begin.0 + KEPT.0 + 1)).unwrap();
        assert_eq!(answers.find(&key).unwrap(), None);
    }
}
