//! TLS: certificates that the program `suanpan` makes, and how the generator uses them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
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

    /// Makes certificates in `dir`.
    ///
    /// # Errors
    /// When the program cannot be run, or refuses.
    pub fn make(program: &Path, dir: &Path) -> Result<Self> {
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
        Ok(Self(dir))
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
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.file("authority"))?)?;
        let builder = ClientConfig::builder().with_root_certificates(roots);
        Ok(Arc::new(match certified {
            false => builder.with_no_client_auth(),
            true => {
                let chain = vec![CertificateDer::from_pem_file(self.file(Self::MALL))?];
                let key = PrivateKeyDer::from_pem_file(self.file(&format!("{}-key", Self::MALL)))?;
                builder.with_client_auth_cert(chain, key)?
            }
        }))
    }
}
