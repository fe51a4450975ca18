//! Notifications: believed only if the engine signed them, lately.

use std::collections::HashMap;

use suanpan_signing::{VerifyingKey, check_stamp, notification_message};

/// What a mall takes out of the headers and the body of a notification.
#[derive(Clone, Copy, Debug)]
pub struct Notification<'a> {
    /// Its id, by which a repeat is known.
    pub id: &'a str,
    /// When it was signed, in Unix seconds.
    pub timestamp_s: u64,
    /// Which key signed.
    pub key_id: &'a str,
    /// The signature in base64.
    pub signature: &'a str,
    /// The body, byte for byte as it came.
    pub body: &'a [u8],
}

/// Why a notification is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotificationFault {
    /// Signed with a key that is not known here.
    #[error("the notification is signed with a key that is not known here")]
    UnknownKey,
    /// Signed too long ago, or ahead of this clock.
    #[error("the notification was signed at another time")]
    Stamp,
    /// An id that cannot be one.
    #[error("the notification's id has another form")]
    Id,
    /// The signature does not fit.
    #[error("the notification's signature does not fit")]
    Signature,
}

/// Verifies notifications; knows several keys, so that one can be replaced.
#[derive(Clone, Debug, Default)]
pub struct NotificationVerifier {
    keys: HashMap<String, VerifyingKey>,
}

impl NotificationVerifier {
    /// A verifier that knows nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Also believes this key.
    #[must_use]
    pub fn with_key(mut self, key_id: impl Into<String>, key: VerifyingKey) -> Self {
        self.keys.insert(key_id.into(), key);
        self
    }

    /// Whether the notification is the engine's, and of now.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn verify(&self, notification: &Notification<'_>) -> Result<(), NotificationFault> {
        self.verify_at(crate::clock::now_s(), notification)
    }

    /// The same at another time, in Unix seconds.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn verify_at(&self, now_s: u64, notification: &Notification<'_>) -> Result<(), NotificationFault> {
        let key = self.keys.get(notification.key_id).ok_or(NotificationFault::UnknownKey)?;
        check_stamp(now_s, notification.timestamp_s).map_err(|_| NotificationFault::Stamp)?;
        // A dot or a line break would let the head of the message be read in two ways.
        if notification.id.is_empty() || notification.id.contains(['.', '\n']) {
            return Err(NotificationFault::Id);
        }
        let message = notification_message(notification.id, notification.timestamp_s, notification.body);
        key.verify(&message, notification.signature).map_err(|_| NotificationFault::Signature)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

    use suanpan_signing::{Algorithm, SigningKey, WINDOW_S};

    use super::*;

    #[test]
    fn only_what_the_engine_signed_lately_is_believed() {
        let key = |()| {
            let secret = SigningKey::generate(Algorithm::HmacSha256).unwrap();
            SigningKey::read(Algorithm::HmacSha256, &secret).unwrap()
        };
        let (old, new) = (key(()), key(()));
        let verifier = NotificationVerifier::new()
            .with_key("old", old.verifying().unwrap())
            .with_key("new", new.verifying().unwrap());
        let now_s = 1_000_000;
        let sign = |key: &SigningKey| key.sign(&notification_message("n1", now_s, b"{}")).unwrap();
        let (by_old, by_new) = (sign(&old), sign(&new));
        let good =
            Notification { id: "n1", timestamp_s: now_s, key_id: "new", signature: &by_new, body: b"{}" };
        let table = [
            (good, now_s, Ok(())),
            (Notification { key_id: "old", signature: &by_old, ..good }, now_s, Ok(())),
            (Notification { key_id: "old", ..good }, now_s, Err(NotificationFault::Signature)),
            (Notification { key_id: "none", ..good }, now_s, Err(NotificationFault::UnknownKey)),
            (Notification { body: b"{ }", ..good }, now_s, Err(NotificationFault::Signature)),
            (Notification { id: "n2", ..good }, now_s, Err(NotificationFault::Signature)),
            (Notification { id: "n.1", ..good }, now_s, Err(NotificationFault::Id)),
            (Notification { timestamp_s: now_s + 1, ..good }, now_s, Err(NotificationFault::Signature)),
            (good, now_s + WINDOW_S, Ok(())),
            (good, now_s + WINDOW_S + 1, Err(NotificationFault::Stamp)),
            (good, now_s - WINDOW_S - 1, Err(NotificationFault::Stamp)),
        ];
        for (notification, at_s, expected) in table {
            assert_eq!(verifier.verify_at(at_s, &notification), expected, "{notification:?} {at_s}");
        }
    }
}
