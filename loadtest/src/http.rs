//! Load over HTTP: the same workloads against a server, and a bare echo of the same bodies beside it.

pub mod bodies;
pub mod body;
pub mod echo;
pub mod entrance;
pub mod hammer;
mod in_doubt;
pub mod line;
pub mod mall;
pub mod metrics;
pub mod pool;
pub mod run;
pub mod sign;
pub mod spawn;
pub mod submissions;
pub mod target;
pub mod tls;
