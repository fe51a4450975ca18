//! What a request says about its signature.

use actix_web::http::header::{HeaderMap, HeaderName};
use smol_str::SmolStr;
use suanpan_signing::{header, is_nonce};

use super::is_key_id;
use super::refusal::Refusal;

/// The names, made once: a name that is looked up as a text is written anew each time.
pub(super) const KEY_ID: HeaderName = HeaderName::from_static(header::KEY_ID);
pub(super) const TIMESTAMP: HeaderName = HeaderName::from_static(header::TIMESTAMP);
pub(super) const NONCE: HeaderName = HeaderName::from_static(header::NONCE);
pub(super) const SIGNATURE: HeaderName = HeaderName::from_static(header::SIGNATURE);

/// The four headers of a signed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which key.
    pub key_id: SmolStr,
    /// When, in Unix seconds.
    pub timestamp_s: u64,
    /// The nonce.
    pub nonce: SmolStr,
    /// The signature in base64.
    pub signature: String,
}

impl Claim {
    /// Reads the headers; nothing when the request does not claim to be signed.
    pub(super) fn read(headers: &HeaderMap) -> Result<Option<Self>, Refusal> {
        // A nonce alone signs nothing: whoever comes under a certificate names one for the answer to repeat.
        let names = [KEY_ID, TIMESTAMP, SIGNATURE];
        if !names.iter().any(|name| headers.contains_key(name)) {
            return Ok(None);
        }
        let key_id = single(headers, header::KEY_ID, &KEY_ID, is_key_id)?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let timestamp = single(headers, header::TIMESTAMP, &TIMESTAMP, digits)?;
        let timestamp_s = timestamp.parse().map_err(|_| Refusal::Header { name: header::TIMESTAMP })?;
        let nonce = single(headers, header::NONCE, &NONCE, is_nonce)?;
        let signature = single(headers, header::SIGNATURE, &SIGNATURE, |text| !text.is_empty())?;
        Ok(Some(Self {
            key_id: key_id.into(),
            timestamp_s,
            nonce: nonce.into(),
            signature: signature.to_owned(),
        }))
    }
}

/// The nonce that an answer repeats: that of the request if it is one, also when the rest was refused.
pub(super) fn nonce(headers: &HeaderMap) -> SmolStr {
    single(headers, header::NONCE, &NONCE, is_nonce).map(SmolStr::from).unwrap_or_default()
}

/// A header that is there once and has its form.
fn single<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
    header: &HeaderName,
    form: impl Fn(&str) -> bool,
) -> Result<&'a str, Refusal> {
    let mut values = headers.get_all(header);
    let first = values.next().and_then(|value| value.to_str().ok()).filter(|text| form(text));
    first.filter(|_| values.next().is_none()).ok_or(Refusal::Header { name })
}
