//! How requests, answers and notifications are signed. The scheme lives here alone: server, client and notifications
//! use it, and nothing here does IO or reads a clock.
//!
//! A signed request carries four headers: the key's id, the time in Unix seconds, a nonce of at most 64 characters, and
//! the signature in base64. What is signed are raw bytes:
//!
//! ```text
//! request       METHOD \n path?query \n timestamp \n nonce \n body \n
//! answer        status \n timestamp \n nonce of the request \n body \n
//! stream        stream \n status \n timestamp \n nonce of the request \n
//! notification  id . timestamp . body
//! ```
//!
//! The algorithm is a property of the key and never of a header. No message of one kind can be taken for one of
//! another: requests begin with a method and a path, answers with a number, streams with their name, and a
//! notification's first line holds no line break.

mod key;
mod message;
mod public;
mod secret;
mod stamp;

#[cfg(test)]
mod tests;

pub use key::{Algorithm, KeyFault, SigningKey};
pub use message::{Message, answer_message, notification_message, request_message, stream_message};
pub use public::{SignatureFault, VerifyingKey};
pub use secret::Secret;
pub use stamp::{NONCE_CHARS_MAX, StampFault, WINDOW_S, check_stamp, is_nonce};

/// Names of the headers.
pub mod header {
    /// Which key signed.
    pub const KEY_ID: &str = "suanpan-key-id";
    /// When, in Unix seconds.
    pub const TIMESTAMP: &str = "suanpan-timestamp";
    /// A text that no other request of this key has; an answer repeats that of its request.
    pub const NONCE: &str = "suanpan-nonce";
    /// The signature in base64.
    pub const SIGNATURE: &str = "suanpan-signature";
    /// `head` on an answer whose body grows while it is sent: status, time and nonce are signed, the body is not.
    pub const SIGNED: &str = "suanpan-signed";
    /// The id of a notification.
    pub const NOTIFICATION_ID: &str = "suanpan-notification-id";
}
