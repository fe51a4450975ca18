//! The bytes that are signed.

/// What is signed: a head that is written here, the body as it is sent, and for some kinds a line break.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    head: String,
    body: &'a [u8],
    tail: &'static [u8],
}

impl Message<'_> {
    /// Head, body and end, in this order.
    pub(crate) fn parts(&self) -> [&[u8]; 3] {
        [self.head.as_bytes(), self.body, self.tail]
    }

    /// All of it in one piece.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.parts().concat()
    }
}

/// What a request's signature covers. `target` is the path with its query, exactly as it is sent.
#[must_use]
pub fn request_message<'a>(
    method: &str,
    target: &str,
    timestamp_s: u64,
    nonce: &str,
    body: &'a [u8],
) -> Message<'a> {
    Message { head: format!("{method}\n{target}\n{timestamp_s}\n{nonce}\n"), body, tail: b"\n" }
}

/// What an answer's signature covers; the nonce is that of the request, so that an answer cannot be passed off for
/// that to another one.
#[must_use]
pub fn answer_message<'a>(status: u16, timestamp_s: u64, nonce: &str, body: &'a [u8]) -> Message<'a> {
    Message { head: format!("{status}\n{timestamp_s}\n{nonce}\n"), body, tail: b"\n" }
}

/// What the signature covers of an answer whose body grows while it is sent. It begins differently, so that nobody can
/// take the body off a whole answer, or put one on.
#[must_use]
pub fn stream_message(status: u16, timestamp_s: u64, nonce: &str) -> Message<'static> {
    Message { head: format!("stream\n{status}\n{timestamp_s}\n{nonce}\n"), body: b"", tail: b"" }
}

/// What a notification's signature covers. The id must hold neither a dot nor a line break.
#[must_use]
pub fn notification_message<'a>(id: &str, timestamp_s: u64, body: &'a [u8]) -> Message<'a> {
    Message { head: format!("{id}.{timestamp_s}."), body, tail: b"" }
}
