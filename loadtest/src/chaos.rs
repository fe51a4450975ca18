//! `loadtest chaos`: a run in the middle of which something breaks. The report shows the gap and how long it took to come
//! back; nothing that was acknowledged may be missing.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::cli::{ChaosArgs, ChaosKind};
use crate::driver::Pacing;
use crate::http;
use crate::run::Disturbance;
use crate::runs::{hand_over, once, settings};
use crate::workload::{Outage, Spec};

pub mod disk;
pub mod kill;

use disk::{DiskChaos, DiskFault};
use kill::Kill;

/// Plays, breaks, heals, checks. The answer is whether nothing is missing and orders went on.
///
/// # Errors
/// When a run cannot be made or gave up.
pub fn run(args: &ChaosArgs) -> Result<bool> {
    let (from, until) =
        (Duration::try_from_secs_f64(args.at)?, Duration::try_from_secs_f64(args.at + args.lasts)?);
    let ends = Duration::try_from_secs_f64(args.play.warmup + args.play.seconds)?;
    ensure!(until < ends, "--at + --for must lie inside the run of {ends:?}: the recovery is to be seen");
    let mut spec = Spec::find(&args.workload)?;
    let mut disk = None;
    let mut kill = None;
    match args.kind {
        ChaosKind::Kill => kill = Some(Kill::new(from, until)),
        ChaosKind::DiskStall => disk = Some(DiskChaos::new(DiskFault::Stall, from, until)),
        ChaosKind::DiskFull => disk = Some(DiskChaos::new(DiskFault::Full, from, until)),
        ChaosKind::Channels => {
            let channels = ["wechat", "alipay", "icbc"].map(str::to_owned).to_vec();
            spec.outage = Some(Outage { channels, after_s: args.at, for_s: args.lasts });
            spec.ends.unpaid = true;
        }
    }
    ensure!(args.server.url.is_none(), "--url: only a server of our own can be broken");
    let pacing = Pacing::Open { per_second: args.rate };
    let settings = settings(&args.play, spec, pacing, args.play.engine.seed)?;
    let played = match &mut kill {
        Some(kill) => http::run::once(&args.play, &args.server, &settings, Some(kill))?,
        None => {
            let disturbance = disk.as_mut().map(|one| one as &mut dyn Disturbance);
            once(&args.play, &settings, disturbance)?
        }
    };
    let came_back = played.report.incidents.iter().all(|incident| incident.recovery_s.is_some());
    let happened = !played.report.incidents.is_empty();
    if !came_back || !happened {
        println!("NOT RECOVERED: no order was finished after the fault was over");
    }
    Ok(hand_over(&args.play, &[played])? && came_back && happened)
}
