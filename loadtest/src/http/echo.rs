//! The yardstick: a bare actix-web server that sends every body back, asked in the same way as the real one.

use std::process::{Child, Command, Stdio};

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};
use serde::Serialize;

use super::hammer::Hammered;

/// Largest body that is sent back.
const BODY_MAX: usize = 64 << 20;

/// Serves on `port` of the loopback until it is killed.
///
/// # Errors
/// When the port is taken.
pub fn serve(port: u16) -> Result<bool> {
    let echo = |body: web::Bytes| async move { HttpResponse::Ok().body(body) };
    let app = move || App::new().app_data(web::PayloadConfig::new(BODY_MAX)).default_service(web::to(echo));
    actix_web::rt::System::new().block_on(HttpServer::new(app).bind(("127.0.0.1", port))?.run())?;
    Ok(true)
}

/// An echo in a process of its own, ended with this value.
#[derive(Debug)]
pub struct Echo {
    child: Child,
    port: u16,
}

impl Echo {
    /// Starts it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn start() -> Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("echo").arg(port.to_string()).stdin(Stdio::null());
        Ok(Self { child: command.spawn().context("starting the echo")?, port })
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Echo {
    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server and the echo of the same bodies, one after the other.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct EchoReport {
    /// Orders a request.
    pub batch: usize,
    /// Connections, each with one request under way.
    pub connections: usize,
    /// The server: orders created, durable when answered.
    pub server: Hammered,
    /// The echo.
    pub echo: Hammered,
    /// Orders a second of the server, by those of the echo.
    pub ratio: f64,
}
