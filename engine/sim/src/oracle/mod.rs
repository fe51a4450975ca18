//! What must have become of a life, worked out without the engine: the channels' own books, what malls were told, and a
//! ledger that is nothing but sums.

pub mod announcements;
pub mod answers;
pub mod books;
pub mod coverage;
pub mod final_state;
pub mod ledger;
