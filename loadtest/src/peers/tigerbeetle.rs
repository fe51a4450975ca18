//! The canonical order on TigerBeetle, through its official client.

use anyhow::Result;

use super::{PeerLine, Stage};
use crate::cli::PeersArgs;

pub mod books;
pub mod plan;
#[cfg(feature = "tigerbeetle")]
mod play;
pub mod server;
#[cfg(test)]
mod tests;

use server::Program;

/// Whether this program has the client.
///
/// # Errors
/// When it was built without.
#[cfg(not(feature = "tigerbeetle"))]
pub fn is_built_in() -> Result<()> {
    anyhow::bail!(
        "this program was built without the client of TigerBeetle: run it as \
         cargo run --release -p loadtest --features tigerbeetle -- peers tigerbeetle --binary PATH"
    )
}

/// Whether this program has the client.
///
/// # Errors
/// When it was built without.
#[cfg(feature = "tigerbeetle")]
pub const fn is_built_in() -> Result<()> {
    Ok(())
}

/// Every measurement, each on a replica of its own: what it calls itself, how it is set, the lines.
///
/// # Errors
/// When this program was built without the client.
#[cfg(not(feature = "tigerbeetle"))]
pub fn lines(_: &PeersArgs, _: &Program, _: &Stage<'_>) -> Result<(String, String, Vec<PeerLine>)> {
    is_built_in().map(|()| (String::new(), String::new(), Vec::new()))
}

/// Every measurement, each on a replica of its own: what it calls itself, how it is set, the lines.
///
/// # Errors
/// When the server does not start or refuses something.
#[cfg(feature = "tigerbeetle")]
pub fn lines(
    args: &PeersArgs,
    program: &Program,
    stage: &Stage<'_>,
) -> Result<(String, String, Vec<PeerLine>)> {
    let mut lines = Vec::new();
    for sessions in &args.sessions {
        for in_flight in &args.in_flight {
            let (sessions, in_flight) = ((*sessions).min(*in_flight), *in_flight);
            let load = play::Load { in_flight, sessions, warmup: stage.warmup, window: stage.window };
            let line = measure(args, program, stage, load)?;
            eprintln!("{}, {in_flight} in flight: {:.0} orders/s", line.system, line.orders_per_second);
            lines.push(line);
        }
    }
    let settings = "one replica on the loopback, its defaults, a data file of its own for each line; \
                    8 events an order in two linked chains; its client's library brings slow memory functions, with which \
                    the engine beside it has to work too (some 3 % of its instructions)"
        .to_owned();
    Ok((format!("TigerBeetle {}", program.version), settings, lines))
}

#[cfg(feature = "tigerbeetle")]
fn measure(args: &PeersArgs, program: &Program, stage: &Stage<'_>, load: play::Load) -> Result<PeerLine> {
    use suanpan_model::AccountType;

    use crate::run::{fresh_dir, runtime};
    use crate::setup::float_of;
    use crate::verify::Sums;

    let dir = fresh_dir(&args.play.engine)?;
    let replica = server::Replica::start(program, &dir)?;
    let (workload, cast) = (stage.workload, stage.cast);
    let float = float_of(workload.spec(), AccountType::Cash);
    let (measured, verdict) = runtime()?.block_on(async {
        let clients =
            (0..load.sessions).map(|_| play::client(&replica.address)).collect::<Result<Vec<_>>>()?;
        let first = &clients[0];
        play::open(first, workload, cast, u64::try_from(float)?).await?;
        let measured = play::play(&clients, workload, load).await?;
        let sums = Sums::of(workload, cast, &measured.by_template);
        let balances = play::balances(first, &plan::accounts(workload, cast)).await?;
        let verdict = books::check(&balances, &sums, cast.buyers.len(), float);
        for client in clients {
            client.close().await?;
        }
        Ok::<_, anyhow::Error>((measured, verdict))
    })?;
    for difference in &verdict.differences {
        println!("DIFFERENCE {difference}");
    }
    drop(replica);
    std::fs::remove_dir_all(&dir)?;
    let sessions = load.sessions;
    Ok(PeerLine {
        system: format!("TigerBeetle, {sessions} {}", if sessions == 1 { "session" } else { "sessions" }),
        under_way: load.in_flight,
        orders_per_second: measured.orders as f64 / load.window.as_secs_f64(),
        orders: measured.orders,
        order_us: measured.order.percentiles(),
        differences: verdict.count,
    })
}
