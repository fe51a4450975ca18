//! What one call of a simulated channel costs: `cargo run --release -p suanpan-channels --example perform`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use suanpan_channels::conformance::{Bench, Payment};
use suanpan_channels::{Adapter, Behaviour, Descriptor, ReportSink, Simulator, load_descriptors};
use suanpan_model::{AttemptNo, ChannelOp, ChannelReport, ChannelRequest, OrderId, PayKind};

#[derive(Default)]
struct Counter(AtomicU64);

impl ReportSink for Counter {
    fn deliver(&self, reports: Vec<ChannelReport>) {
        self.0.fetch_add(reports.len() as u64, Ordering::Relaxed);
    }
}

fn main() -> Result<(), suanpan_channels::DescriptorFault> {
    const CALLS: u64 = 4_000_000;
    for (kind, keep_lines, batch) in [
        (PayKind::Gateway, true, 64),
        (PayKind::Gateway, false, 64),
        (PayKind::QuickPay, true, 64),
        (PayKind::QuickPay, false, 64),
        (PayKind::Gateway, false, 1),
    ] {
        let behaviour = Behaviour { keep_lines, ..Behaviour::instant() };
        let mut all = load_descriptors(suanpan_channels::BUILTIN_CHANNELS)?;
        all.retain(|one| one.capability.name == "unionpay");
        for descriptor in all {
            let simulator =
                Arc::new(Simulator::new(Descriptor { behaviour: behaviour.clone(), ..descriptor }, 1));
            let mut bench = Bench::new(simulator.clone(), kind);
            let model = bench.next_payment();
            let request = bench.request(model, ChannelOp::Pay);
            let counter = Arc::new(Counter::default());
            let sink: Arc<dyn ReportSink> = counter.clone();
            let mut busy_ns = 0;
            for first in (0..CALLS).step_by(batch) {
                let calls: Vec<ChannelRequest> = (first..first + batch as u64)
                    .map(|number| Payment { order: OrderId(number << 8), attempt: AttemptNo(1), ..model })
                    .map(|payment| ChannelRequest { order: payment.order, ..request.clone() })
                    .collect();
                let start = Instant::now();
                simulator.perform(bench.now(), calls, &sink);
                busy_ns += start.elapsed().as_nanos();
            }
            let reports = counter.0.load(Ordering::Relaxed);
            let per_call = busy_ns / u128::from(CALLS);
            println!(
                "{kind:?}, keep_lines {keep_lines}, batch {batch}: {per_call} ns a call, {reports} reports"
            );
        }
    }
    Ok(())
}
