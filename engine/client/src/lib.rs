//! Client library for malls: signed requests, verified answers and notifications, repeats where they are safe.
//!
//! ```no_run
//! use suanpan_client::{Client, ClientOptions, Credentials, Kind, NewOrder, OrderFilter};
//! use suanpan_client::signing::{Algorithm, Secret, SigningKey};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = Secret::new(std::fs::read_to_string("mall-1.secret")?);
//! let key = SigningKey::read(Algorithm::HmacSha256, &secret)?;
//! let credentials = Credentials { key_id: "mall-1".to_owned(), key };
//! let client = Client::new(ClientOptions::new("https://pay.example:8443").signed_by(credentials))?;
//! let mall = client.platform(9001);
//! let order = NewOrder::new("A-1", "alice", "128.00", Kind::Gateway).to_merchant("M0001");
//! let receipt = mall.create_order(&order).await?;
//! println!("{} is recorded as {}", receipt.order_no, receipt.order);
//! mall.confirm(&receipt.order).await?;
//! // Lists come page by page, newest first.
//! let frozen = OrderFilter { status: Some("frozen".to_owned()), ..OrderFilter::default() };
//! let mut after = None;
//! loop {
//!     let page = mall.orders(&frozen, after.as_deref(), 100).await?;
//!     page.orders.iter().for_each(|order| println!("{}: {} {}", order.order_no, order.amount, order.currency));
//!     after = page.next;
//!     if after.is_none() {
//!         break;
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Whoever needs a call that is not there takes [`Client::call`], which signs, verifies and repeats the same way.

mod answers;
mod client;
mod clock;
mod fault;
mod lists;
mod notification;
mod options;
mod orders;
mod platform;
mod repeat;

pub use answers::{Action, Balance, BatchResult, Life, Line, Now, Receipt, Statement, Summary};
pub use client::{Answer, Client, Request};
pub use fault::{ClientFault, Problem};
pub use lists::{
    DisputeLine, Disputes, OrderFilter, OrderLine, Orders, RefundLine, RefundNow, Refunds, ReleaseLine,
    Released, Releases, TimeRange,
};
pub use notification::{Notification, NotificationFault, NotificationVerifier};
pub use options::{ClientOptions, Credentials};
pub use orders::{Account, Coupon, Kind, NewOrder, Payee, Receiver, Refund, Release, Split, SubOrder, TopUp};
pub use platform::Platform;
pub use repeat::{Repeat, RepeatPolicy};
pub use reqwest::Method;
pub use suanpan_signing as signing;
