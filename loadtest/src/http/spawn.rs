//! A server of our own: the program `suanpan` as a process, with a configuration of the workload.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::sign::{KeyLines, Signing, make_keys};
use super::tls::TlsFiles;
use crate::cli::ServerConfigArgs;
use crate::workload::Spec;
use crate::world::{self, PLATFORM};

/// The rules of [`world::router`], as the server's configuration writes them.
const ROUTING: &str = r#"
[platform.routing]
version = 1
order = ["designated", "amount", "priority", "cost"]
designations = [
    { bank = "SPB", channels = ["own_bank"] },
    { bank = "ICBC", card_type = "debit", channels = ["icbc", "unionpay"] },
    { bank = "CMB", card_type = "debit", channels = ["cmb", "unionpay"] },
    { bank = "CCB", channels = ["cpcn"] },
]
amount_bands = [
    { from = "0.01", until = "50.00", channels = ["alipay", "wechat"] },
    { from = "4000.00", channels = ["unionpay", "cpcn"] },
]
priority = ["wechat"]
"#;

/// A server process that ends with this value.
#[derive(Debug)]
pub struct Server {
    program: PathBuf,
    dir: PathBuf,
    port: u16,
    child: Child,
}

/// The program: as given, else the one beside this one.
///
/// # Errors
/// When it is not there.
pub fn program(given: Option<&Path>) -> Result<PathBuf> {
    let beside = || Ok::<_, std::io::Error>(std::env::current_exe()?.with_file_name("suanpan"));
    let path = given.map_or_else(beside, |path| Ok(path.to_owned()))?;
    ensure!(
        path.is_file(),
        "no server program at {}: build it with `cargo build --release`, or name it with --server PATH",
        path.display()
    );
    Ok(path)
}

/// How a server knows who calls.
#[derive(Clone, Debug)]
pub struct Access {
    /// How requests are signed.
    pub signing: Signing,
    /// Certificates of server and mall; without them, there is no TLS.
    pub tls: Option<TlsFiles>,
    /// Whether the mall's requests must come under its certificate and be signed.
    pub signature_and_certificate: bool,
}

/// Writes the configuration of a server for `spec` into `dir`; the answer is its path.
///
/// # Errors
/// When the files cannot be written.
pub fn configure(spec: &Spec, dir: &Path, seed: u64, port: u16, access: &Access) -> Result<PathBuf> {
    let channels = dir.join("channels.toml");
    fs::write(&channels, toml::to_string(&world::channels_file(spec)?)?)?;
    let mut config = toml::Table::new();
    let table = |pairs: &[(&str, toml::Value)]| {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
        toml::Value::Table(pairs.collect())
    };
    let text = |path: &Path| toml::Value::from(path.display().to_string());
    config.insert("server".to_owned(), table(&[("listen", format!("127.0.0.1:{port}").into())]));
    config.insert("data".to_owned(), table(&[("dir", text(&dir.join("data")))]));
    let seed = toml::Value::from(i64::try_from(seed)?);
    config.insert("channels".to_owned(), table(&[("file", text(&channels)), ("simulator_seed", seed)]));
    config.insert("log".to_owned(), table(&[("level", "warn".into())]));
    let keys = make_keys(dir, access.signing)?;
    let mut security = toml::Table::new();
    let mode = if keys.is_some() { "signed" } else { "development" };
    security.insert("mode".to_owned(), mode.into());
    let mut platform = format!("[[platform]]\nid = {PLATFORM}\nname = \"load test\"\n");
    let mut operator = String::new();
    if let Some(KeyLines { parties: [mall, of_operator], engine }) = keys {
        security.insert("engine_key_file".to_owned(), text(&engine));
        platform.push_str(&mall);
        operator = format!("\n[[operator]]\nname = \"load-test\"\nrole = \"admin\"\n{of_operator}\n");
    }
    if let Some(tls) = &access.tls {
        security.insert("tls".to_owned(), tls.table().into());
        platform.push_str(&format!("\ncertificates = [{:?}]", TlsFiles::SUBJECT));
        platform.push_str(&format!("\nsignature_and_certificate = {}", access.signature_and_certificate));
    }
    config.insert("security".to_owned(), security.into());
    platform.push_str(&format!("\n{ROUTING}{operator}"));
    let path = dir.join("suanpan.toml");
    fs::write(&path, format!("{}\n{platform}", toml::to_string(&config)?))?;
    Ok(path)
}

/// `loadtest server-config`: writes the configuration and says how to go on.
///
/// # Errors
/// As [`configure`].
pub fn write(args: &ServerConfigArgs) -> Result<bool> {
    let spec = Spec::find(&args.workload)?;
    fs::create_dir_all(&args.dir).with_context(|| format!("making {}", args.dir.display()))?;
    let dir = args.dir.canonicalize()?;
    let tls = match args.tls {
        true => Some(TlsFiles::make(&program(args.program.as_deref())?, &dir)?),
        false => None,
    };
    let signature_and_certificate = args.signature_and_certificate;
    ensure!(
        !signature_and_certificate || args.sign != Signing::None,
        "--signature-and-certificate: --sign says none"
    );
    let access = Access { signing: args.sign, tls, signature_and_certificate };
    let path = configure(&spec, &dir, args.seed, args.port, &access)?;
    println!("suanpan serve --config {}", path.display());
    let (workload, port, dir) = (&args.workload, args.port, args.dir.display());
    let run = |scheme: &str| {
        format!("loadtest run {workload} --url {scheme}://127.0.0.1:{port} --keys {dir} --in-flight 256")
    };
    match &access.tls {
        None => println!("{}", run("http")),
        Some(tls) => {
            let (certificate, key) = tls.mall();
            let run = format!("{} --ca {}", run("https"), tls.authority().display());
            let certified = format!("{run} --certificate {} --key {}", certificate.display(), key.display());
            if signature_and_certificate {
                println!("{certified} --signature-and-certificate");
            } else {
                println!("{run}");
                println!("{certified}   # not signed by the mall");
            }
        }
    }
    Ok(true)
}

impl Server {
    /// Starts the server of `spec` with its files in `dir`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: PathBuf, spec: &Spec, dir: &Path, seed: u64, access: &Access) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        configure(spec, dir, seed, port, access)?;
        let child = launch(&program, dir)?;
        Ok(Self { program, dir: dir.to_owned(), port, child })
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, with SIGKILL.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again on the same data.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn restart(&mut self) -> Result<()> {
        self.child = launch(&self.program, &self.dir)?;
        Ok(())
    }
}

fn launch(program: &Path, dir: &Path) -> Result<Child> {
    let told = fs::OpenOptions::new().create(true).append(true).open(dir.join("server.log"))?;
    let mut command = Command::new(program);
    command.arg("serve").arg("--config").arg(dir.join("suanpan.toml"));
    command.stdout(told.try_clone()?).stderr(told).stdin(Stdio::null());
    command.spawn().with_context(|| format!("starting {}", program.display()))
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
