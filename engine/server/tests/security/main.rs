//! Who may call: signatures, certificates, roles, and what becomes of those who may not.
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

#[path = "../common/mod.rs"]
mod common;

mod certificates;
mod connections;
mod examples;
mod house;
mod listed;
mod logged;
mod notified;
mod operators;
mod own;
mod signatures;
mod start;
