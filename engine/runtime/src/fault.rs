//! Why the engine cannot start or stop cleanly.

/// Why the engine cannot start or stop cleanly.
#[derive(Debug, thiserror::Error)]
pub enum EngineFault {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] crate::journal::JournalFault),
    /// The store.
    #[error(transparent)]
    Store(#[from] crate::store::StoreFault),
    /// A stored row.
    #[error("{0}")]
    Codec(#[from] crate::codec::CodecFault),
    /// The operating system.
    #[error("a thread of the engine cannot be started: {0}")]
    Thread(#[from] std::io::Error),
    /// The books do not balance.
    #[error(
        "the books of this directory are broken: {first}; run `suanpan verify DIR` and keep the directory"
    )]
    Broken {
        /// The first finding.
        first: String,
    },
    /// The engine is ending.
    #[error("the engine is ending")]
    Ended,
    /// Something did not happen in time.
    #[error("{0} did not happen in time; look at the log for what holds it up")]
    Late(&'static str),
    /// Settings that cannot work.
    #[error("{0}")]
    Options(String),
    /// The log holds something that does not fit.
    #[error(
        "the log cannot be replayed at position {lsn}: {what}; run `suanpan verify DIR` and keep the directory"
    )]
    Replay {
        /// Where.
        lsn: u64,
        /// What.
        what: String,
    },
}
