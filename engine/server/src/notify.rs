//! Telling malls what happened: an outbox for each platform, driven by the announcements that the log makes.
//!
//! At least once: a delivery is written down after the mall has answered, so that a crash in between tells it again, under
//! the same id. One slow mall never delays another: each has an outbox, connections and a bound of its own.
//!
//! [`Outbox`] decides and knows neither network nor clock; `worker` is the shell around it.

mod address;
mod counts;
mod delivery;
mod http;
mod outbox;
mod retention;
mod schedule;
mod worker;

pub use address::Guard;
pub use counts::{Counts, TryResult};
pub use delivery::{Delivery, DeliveryState, Try};
pub use schedule::Schedule;
pub use worker::{Notifier, NotifierOptions, NotifyFault, ResendFault, Signer, Target};
