//! What operators did: a file of JSON lines that only grows.
//!
//! An action is written, and synced, before it is performed, and its result before it is answered: who, when, what, on
//! what. A crash in between leaves an action without a result, never a result without a trace.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::dev::ServiceRequest;
use serde::Serialize;
use serde_json::{Value, json};
use smol_str::SmolStr;
use suanpan_model::{RejectCode, TimestampMs};

use super::Identity;
use super::fault::SecurityFault;
use super::role::Role;
use crate::config::Principal;
use crate::problem::Problem;
use crate::text::time_text;

/// Longest body that is written down, in bytes; of a longer one its length.
const BODY_MAX: usize = 4_096;

/// What an operator asks for.
#[derive(Debug)]
pub(super) struct Action {
    operator: SmolStr,
    role: Role,
    method: String,
    target: String,
    body: Value,
}

impl Action {
    /// What is written down of a request: nothing unless an operator changes something.
    pub(super) fn of(identity: &Identity, request: &ServiceRequest, body: &[u8]) -> Option<Self> {
        let Identity::Proved(Principal::Operator { name, role }) = identity else { return None };
        if request.method().is_safe() {
            return None;
        }
        Some(Self {
            operator: name.clone(),
            role: *role,
            method: request.method().to_string(),
            target: request.uri().to_string(),
            body: told(request.path(), body),
        })
    }
}

/// A body as it is written down: codes that payers type are not.
fn told(path: &str, body: &[u8]) -> Value {
    let is_secret = path.ends_with("/sms-code");
    let read = || serde_json::from_slice(body).ok();
    let shown = if is_secret || body.len() > BODY_MAX { None } else { read() };
    shown.unwrap_or_else(|| json!({ "bytes": body.len() }))
}

/// A page of the trail.
#[derive(Debug, Serialize)]
pub struct AuditPage {
    /// Lines, oldest first.
    pub lines: Vec<Value>,
    /// Where the next page begins; nothing at the end.
    pub next: Option<u64>,
}

/// The trail.
#[derive(Clone, Debug)]
pub struct AuditTrail {
    path: Arc<PathBuf>,
    file: Arc<Mutex<File>>,
    start_s: u64,
    count: Arc<AtomicU64>,
}

impl AuditTrail {
    /// Opens the file at its end. A line that a crash has torn stays as it is; the next one begins behind it.
    pub(super) fn open(path: &Path, start_s: u64) -> Result<Self, SecurityFault> {
        let fault =
            |source| SecurityFault::File { key: "audit trail".to_owned(), path: path.to_owned(), source };
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(fault)?;
        if ends_torn(&mut file).map_err(fault)? {
            file.write_all(b"\n").map_err(fault)?;
        }
        file.sync_all().map_err(fault)?;
        Ok(Self {
            path: Arc::new(path.to_owned()),
            file: Arc::new(Mutex::new(file)),
            start_s,
            count: Arc::default(),
        })
    }

    /// Writes that something is asked for; the number of the action.
    ///
    /// # Errors
    /// `unavailable` when it cannot be written; then it must not be done.
    pub(super) async fn asked(&self, action: &Action, now_s: u64) -> Result<String, Problem> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-{number}", self.start_s);
        self.append(json!({
            "action": id,
            "at": time_text(TimestampMs(now_s * 1_000)),
            "event": "asked",
            "operator": action.operator,
            "role": action.role.name(),
            "method": action.method,
            "target": action.target,
            "body": action.body,
        }))
        .await?;
        Ok(id)
    }

    /// Writes how it ended.
    ///
    /// # Errors
    /// `unavailable` when it cannot be written.
    pub(super) async fn answered(
        &self,
        action: &Action,
        id: &str,
        (status, code): (u16, Option<String>),
        now_s: u64,
    ) -> Result<(), Problem> {
        self.append(json!({
            "action": id,
            "at": time_text(TimestampMs(now_s * 1_000)),
            "event": "answered",
            "operator": action.operator,
            "status": status,
            "code": code,
        }))
        .await
    }

    async fn append(&self, line: Value) -> Result<(), Problem> {
        let file = Arc::clone(&self.file);
        let written = actix_web::web::block(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            // One write: lines of several threads do not mix, and a crash tears at most the last one.
            file.write_all(format!("{line}\n").as_bytes())?;
            file.sync_data()
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(fault)) => {
                tracing::error!(%fault, "the audit trail cannot be written");
                let expected = "a disk that can be written, because what operators do is written down";
                Err(Problem::new(RejectCode::Unavailable, "", expected))
            }
            Err(_) => Err(Problem::internal()),
        }
    }

    /// Reads lines from a position on: 0, or the `next` of another page.
    ///
    /// # Errors
    /// A position that is none; a disk that cannot be read.
    pub fn read(&self, after: u64, limit: usize) -> Result<AuditPage, Problem> {
        self.page(after, limit).map_err(|fault| {
            tracing::error!(%fault, "the audit trail cannot be read");
            Problem::new(RejectCode::Unavailable, "", "a disk that can be read; try again later")
        })?
    }

    fn page(&self, after: u64, limit: usize) -> std::io::Result<Result<AuditPage, Problem>> {
        let mut file = File::open(self.path.as_path())?;
        if after > 0 && !begins_line(&mut file, after)? {
            let expected = "the `next` of a page before, or nothing";
            return Ok(Err(Problem::new(RejectCode::InvalidField, "after", expected)));
        }
        file.seek(SeekFrom::Start(after))?;
        let mut reader = BufReader::new(file);
        let mut page = AuditPage { lines: Vec::new(), next: None };
        let mut position = after;
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line)?;
            // One that is being written is not there yet.
            if line.last() != Some(&b'\n') {
                return Ok(Ok(page));
            }
            if page.lines.len() == limit {
                page.next = Some(position);
                return Ok(Ok(page));
            }
            position += length as u64;
            let torn = || json!({ "torn": String::from_utf8_lossy(&line).trim_end() });
            page.lines.push(serde_json::from_slice(&line).unwrap_or_else(|_| torn()));
        }
    }
}

fn ends_torn(file: &mut File) -> std::io::Result<bool> {
    let length = file.seek(SeekFrom::End(0))?;
    Ok(length > 0 && !begins_line(file, length)?)
}

/// Whether a line ends right before the position.
fn begins_line(file: &mut File, position: u64) -> std::io::Result<bool> {
    if position > file.metadata()?.len() {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(position - 1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}
