//! How a server is reached: its address, TLS, and who calls.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::line;
use super::pool::Door;
use super::sign::Signer;
use super::spawn::{Access, Server};
use super::tls::client_config;
use crate::cli::ServerArgs;

/// The ways in.
pub struct Entrance {
    /// The server, as people write it.
    pub url: String,
    /// The mall's way.
    pub front: Door,
    /// The operator's way: signed, never under the certificate of the mall.
    pub house: Door,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Address {
    authority: String,
    is_tls: bool,
}

impl Address {
    fn read(url: &str) -> Result<Self> {
        let wrong =
            || format!("--url {url}: expected http://host:port or https://host:port and nothing behind it");
        let (scheme, rest) = url.split_once("://").with_context(wrong)?;
        let is_tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(anyhow::anyhow!(wrong())),
        };
        let authority = rest.trim_end_matches('/');
        let port =
            authority.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        let is_whole = port.is_some_and(|(host, _)| !host.is_empty() && !host.contains(['/', '@', '?', '#']));
        ensure!(is_whole, wrong());
        Ok(Self { authority: authority.to_owned(), is_tls })
    }
}

impl Entrance {
    /// To a server that was started here, with its keys in `dir`.
    ///
    /// # Errors
    /// When its keys or certificates cannot be read; when requests are to be signed, and there are no keys.
    pub fn to_own(server: &Server, dir: &Path, access: &Access) -> Result<Self> {
        let door = Door::plain(server.authority(), Signer::read(dir)?.map(Arc::new));
        let both = access.signature_and_certificate;
        let Some(tls) = &access.tls else {
            ensure!(!both, "--signature-and-certificate: there are certificates only with --tls");
            return Ok(Self { url: format!("http://{}", door.authority), front: door.clone(), house: door });
        };
        ensure!(!both || door.signer.is_some(), "--signature-and-certificate: --sign says none");
        let house = Door { tls: Some(tls.client(false)?), ..door };
        let front = if both { Door { tls: Some(tls.client(true)?), ..house.clone() } } else { house.clone() };
        Ok(Self { url: format!("https://{}", house.authority), front, house })
    }

    /// To the server at `url`.
    ///
    /// # Errors
    /// An address in another form; an authority that is not named, or for nothing; files that cannot be read.
    pub fn to(url: &str, at: &ServerArgs) -> Result<Self> {
        let Address { authority, is_tls } = Address::read(url)?;
        let signer = at.keys.as_deref().map(Signer::read).transpose()?.flatten().map(Arc::new);
        let both = at.signature_and_certificate;
        ensure!(
            !both || signer.is_some() && at.certificate.is_some(),
            "--signature-and-certificate: name the certificate with --certificate and --key, the keys with --keys"
        );
        if !is_tls {
            ensure!(
                at.ca.is_none(),
                "--ca: {url} is spoken to in the clear; an address over TLS begins with https://"
            );
            let door = Door::plain(authority, signer);
            return Ok(Self { url: url.to_owned(), front: door.clone(), house: door });
        }
        let ca = at.ca.as_deref().with_context(|| {
            format!(
                "--url {url}: name the authority that issued the server's certificate with --ca FILE (PEM): those of the \
                 system are not asked. What `loadtest server-config --tls` wrote has it in DIR/tls/authority.pem"
            )
        })?;
        let house = Door { authority, tls: Some(client_config(ca, None)?), signer };
        let front = match at.certificate.as_deref().zip(at.key.as_deref()) {
            None => house.clone(),
            certified => Door {
                tls: Some(client_config(ca, certified)?),
                signer: house.signer.clone().filter(|_| both),
                authority: house.authority.clone(),
            },
        };
        Ok(Self { url: url.to_owned(), front, house })
    }

    /// Tries whether somebody listens there and TLS comes about, so that its fault is told and not waited for.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn knock(&self) -> Result<()> {
        for door in [&self.house, &self.front] {
            match &door.tls {
                None => drop(line::plain(&door.authority).await.with_context(|| self.url.clone())?),
                Some(config) => {
                    drop(line::tls(&door.authority, config).await.with_context(|| self.url.clone())?)
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_a_scheme_a_host_and_a_port() {
        let table = [
            ("http://127.0.0.1:8080/", Some(("127.0.0.1:8080", false))),
            ("https://mall.example:443", Some(("mall.example:443", true))),
            ("https://[::1]:8443", Some(("[::1]:8443", true))),
            ("127.0.0.1:8080", None),
            ("ftp://a:1", None),
            ("http://a", None),
            ("http://:1", None),
            ("http://a:1/v1", None),
            ("https://a:b@c:1", None),
        ];
        for (url, expected) in table {
            let read = Address::read(url).ok();
            let read = read.as_ref().map(|address| (address.authority.as_str(), address.is_tls));
            assert_eq!(read, expected, "{url}");
        }
    }
}
