//! TLS: certificates that the program `suanpan` makes, and how the generator uses them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A folder with an authority, and with what it issued to the server and to the mall.
#[derive(Clone, Debug)]
pub struct TlsFiles(PathBuf);

impl TlsFiles {
    /// Subject of the mall's certificate.
    pub const SUBJECT: &'static str = "CN=load-mall";
    /// Names the files of the mall's certificate.
    const MALL: &'static str = "load-mall";

    /// Makes certificates in `dir`; what was made there before stays.
    ///
    /// # Errors
    /// When the program cannot be run, or refuses.
    pub fn make(program: &Path, dir: &Path) -> Result<Self> {
        let made = Self(dir.join("tls"));
        let (certificate, key) = made.mall();
        if [&made.authority(), &certificate, &key].iter().all(|file| file.is_file()) {
            return Ok(made);
        }
        let dir = dir.join("tls");
        let lines: [&[&str]; 3] = [
            &["authority"],
            &["server", "--name", "127.0.0.1"],
            &["client", "--id", Self::MALL, "--subject", Self::SUBJECT],
        ];
        for line in lines {
            let mut command = Command::new(program);
            command.arg("certificates").arg("--dir").arg(&dir).args(line).stdout(Stdio::null());
            let status = command.status().with_context(|| program.display().to_string())?;
            ensure!(status.success(), "certificates {} cannot be made", line[0]);
        }
        Ok(made)
    }

    /// The certificate of the authority.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.file("authority")
    }

    /// Certificate and key of the mall.
    #[must_use]
    pub fn mall(&self) -> (PathBuf, PathBuf) {
        (self.file(Self::MALL), self.file(&format!("{}-key", Self::MALL)))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name).with_extension("pem")
    }

    /// What the server's configuration says of them.
    #[must_use]
    pub fn table(&self) -> toml::Table {
        let entry =
            |(key, name): (&str, &str)| (key.to_owned(), self.file(name).display().to_string().into());
        let files =
            [("certificate_file", "server"), ("key_file", "server-key"), ("client_ca_file", "authority")];
        files.into_iter().map(entry).collect()
    }

    /// How to connect: under the mall's certificate, or without one.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn client(&self, certified: bool) -> Result<Arc<ClientConfig>> {
        let (certificate, key) = self.mall();
        client_config(&self.authority(), certified.then_some((&certificate, &key)))
    }
}

/// How to connect to a server whose certificate an authority in `ca` issued, under a certificate (with those above it) and
/// its key, or without one.
///
/// # Errors
/// When a file cannot be read, or holds something else.
pub fn client_config(ca: &Path, certified: Option<(&Path, &Path)>) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(ca)? {
        roots.add(authority).with_context(|| format!("{}: an authority", ca.display()))?;
    }
    let builder = ClientConfig::builder().with_root_certificates(roots);
    Ok(Arc::new(match certified {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let key_der =
                PrivateKeyDer::from_pem_file(key).map_err(|fault| anyhow!("{}: {fault}", key.display()))?;
            let fits = || format!("{} and {}", certificate.display(), key.display());
            builder.with_client_auth_cert(certificates(certificate)?, key_der).with_context(fits)?
        }
    }))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let wrong = |fault| anyhow!("{}: {fault}", file.display());
    let read: Vec<_> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect).map_err(wrong)?;
    ensure!(!read.is_empty(), "{}: expected a certificate in PEM", file.display());
    Ok(read)
}
