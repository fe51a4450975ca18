//! One keep-alive connection, as bare as can be: a request is bytes, and of an answer status and body are found.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// Largest head of an answer.
const HEAD_MAX: usize = 16 << 10;

/// Something that bytes go over.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Connects to `authority`.
///
/// # Errors
/// When nobody listens there.
pub async fn plain(authority: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(authority).await.with_context(|| authority.to_owned())?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Connects to `authority` with TLS.
///
/// # Errors
/// When nobody listens there, or the handshake fails.
pub async fn tls(authority: &str, config: &Arc<ClientConfig>) -> Result<TlsStream<TcpStream>> {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
    Ok(TlsConnector::from(config.clone()).connect(name, plain(authority).await?).await?)
}

/// A connection with its answers' buffer.
pub struct Line<S> {
    stream: S,
    answer: Vec<u8>,
}

impl<S: Stream> Line<S> {
    /// A connection that has been made.
    #[must_use]
    pub const fn new(stream: S) -> Self {
        Self { stream, answer: Vec::new() }
    }

    /// Sends a request and awaits the whole answer: its status and its body.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no answer with a length.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<(u16, &[u8])> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        self.answer.clear();
        let head = loop {
            if let Some(head) = Head::read(&self.answer)? {
                break head;
            }
            ensure!(self.answer.len() < HEAD_MAX, "an answer whose head does not end");
            ensure!(self.stream.read_buf(&mut self.answer).await? > 0, "the connection broke");
        };
        let end = head.bytes + head.body_bytes;
        self.answer.reserve(end.saturating_sub(self.answer.len()));
        while self.answer.len() < end {
            ensure!(self.stream.read_buf(&mut self.answer).await? > 0, "the connection broke");
        }
        Ok((head.status, &self.answer[head.bytes..end]))
    }
}

/// What of an answer's head counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    bytes: usize,
    body_bytes: usize,
}

impl Head {
    /// The head, once all of it is there.
    fn read(answer: &[u8]) -> Result<Option<Self>> {
        let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
        let text = str::from_utf8(&answer[..end])?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let length = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        match (status, length) {
            (Some(status), Some(body_bytes)) => Ok(Some(Self { status, bytes: end + 4, body_bytes })),
            _ => bail!("an answer without status or length: {text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_found_and_what_is_none_is_told() {
        let text = b"HTTP/1.1 201 Created\r\nContent-Length: 7\r\nx: y\r\n\r\n{...";
        let head = Head::read(text).unwrap();
        assert_eq!(head, Some(Head { status: 201, bytes: 49, body_bytes: 7 }));
        assert_eq!(Head::read(&text[..30]).unwrap(), None);
        assert!(Head::read(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
