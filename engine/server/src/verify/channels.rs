//! The clearing accounts beside the books of simulated channels, where the directory has any.

use std::path::Path;

use suanpan_channels::{
    Adapter, BUILTIN_CHANNELS, Behaviour, BookLine, Descriptor, LineStatus, Simulator, load_descriptors,
};
use suanpan_core::invariants::Invariant;
use suanpan_model::money::signed_text;
use suanpan_model::order::AttemptState;
use suanpan_model::{AccountType, AttemptNo, ChannelId, Currency, Order, Posting, Side};
use suanpan_runtime::recovery::Recovered;
use suanpan_runtime::store::Store;

use super::findings::Findings;
use super::scratch::Scratch;
use super::{VerifyFault, archive};

/// Compares every book in `folder` with its clearing accounts.
///
/// # Errors
/// Trouble with the disk.
pub fn check(
    folder: &Path,
    scratch: &Scratch,
    recovered: &Recovered,
    store: &Store,
    findings: &mut Findings,
) -> Result<(), VerifyFault> {
    if !folder.is_dir() {
        return Ok(());
    }
    let fault = |source| VerifyFault::Disk { path: folder.to_owned(), source };
    let mut books = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.extension().is_some_and(|extension| extension == "book") {
            books.push(path);
        }
    }
    books.sort();
    for book in books {
        let name = book.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // Opening a book cuts off a torn last record, so a copy is opened.
        let copy = scratch.path().join(format!("{name}.book"));
        std::fs::copy(&book, &copy).map_err(|source| VerifyFault::Disk { path: book.clone(), source })?;
        match open(&copy) {
            Ok(channel) => compare(&name, &channel, recovered, store, findings),
            Err(what) => findings.check(format!("book of {name} can be read"), String::new(), vec![what]),
        }
    }
    Ok(())
}

/// Opens a book as a channel that does nothing. Number and seed stand in its header.
fn open(path: &Path) -> Result<Simulator, String> {
    let bytes = std::fs::read(path).map_err(|fault| fault.to_string())?;
    let seed = bytes.get(8..16).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
    let number = bytes.get(16..18).and_then(|bytes| bytes.try_into().ok()).map(u16::from_le_bytes);
    let (Some(seed), Some(number)) = (seed, number) else { return Err("it has no header".to_owned()) };
    let mut known = load_descriptors(BUILTIN_CHANNELS).map_err(|fault| fault.to_string())?;
    let any = known.pop().ok_or("there are no builtin channels")?;
    let mut capability = any.capability;
    capability.id = ChannelId(number);
    let descriptor = Descriptor { capability, behaviour: Behaviour::instant() };
    Simulator::open(descriptor, seed, path).map_err(|fault| fault.to_string())
}

fn compare(name: &str, channel: &Simulator, recovered: &Recovered, store: &Store, findings: &mut Findings) {
    let id = channel.capability().id;
    let totals = channel.book().unwrap_or_default();
    for currency in Currency::ALL {
        let (ours, theirs) = (clearing(recovered, id, currency), totals.of(currency).net());
        if ours == 0 && theirs == 0 {
            continue;
        }
        let text = |minor| signed_text(minor, currency);
        let what = format!("clearing account of {name} in {currency} is what its book says");
        if ours == theirs {
            findings.check(what, text(ours), Vec::new());
            continue;
        }
        let (on_the_way, payments) = on_the_way(channel, currency, recovered, store);
        let counts = format!("{}; {} for {payments} orders is on its way", text(ours), text(on_the_way));
        let rest = theirs - ours - on_the_way;
        let faults = match rest {
            0 => Vec::new(),
            _ => {
                let (ours, theirs, rest) = (text(ours), text(theirs), text(rest));
                let what = format_args!("ours {ours}, theirs {theirs}, {rest} unexplained");
                vec![Invariant::BooksAgree.broken(what)]
            }
        };
        findings.check(what, counts, faults);
    }
}

fn clearing(recovered: &Recovered, channel: ChannelId, currency: Currency) -> i128 {
    let accounts = recovered.balances.iter().flat_map(|restored| restored.ledger.accounts());
    accounts
        .filter(|account| account.id.kind() == AccountType::ChannelClearing)
        .filter(|account| account.id.owner() == u32::from(channel.0) && account.currency == currency)
        .map(|account| account.debit_balance())
        .sum()
}

/// What the channel has booked and the engine has not heard yet, and for how many orders: of orders that have not ended,
/// and of payments that were not notified yet. Any other difference is one.
fn on_the_way(
    channel: &Simulator,
    currency: Currency,
    recovered: &Recovered,
    store: &Store,
) -> (i128, usize) {
    let mut sum = 0;
    let mut payments = 0;
    for (id, attempt, line) in channel.lines() {
        if line.currency != currency {
            continue;
        }
        let in_memory = recovered.orders.get(&id).and_then(|known| Some(known.look().ok()?.into_owned()));
        let Some(order) = in_memory.or_else(|| archive::order(store, id.0)) else { continue };
        let difference = theirs(&line) - ours(&order, attempt);
        if difference != 0 && may_be_on_the_way(&order, attempt, &line) {
            sum += difference;
            payments += 1;
        }
    }
    (sum, payments)
}

/// Whether news of a line may still be on its way here. A channel books before it tells: what we know as paid and it
/// does not is no news, and what both know as paid differs by refunds under way only.
fn may_be_on_the_way(order: &Order, number: AttemptNo, line: &BookLine) -> bool {
    let paid_here = order.attempt(number).is_some_and(|attempt| attempt.state == AttemptState::Succeeded);
    if paid_here {
        line.status == LineStatus::Paid && order.refunds.iter().any(|refund| refund.state.is_open())
    } else {
        !order.is_finished() || !line.noticed
    }
}

fn theirs(line: &BookLine) -> i128 {
    match line.status {
        LineStatus::Paid => line.amount.signed() - line.fee.signed() - line.refunded.signed(),
        LineStatus::Processing
        | LineStatus::Waiting
        | LineStatus::WaitingSms
        | LineStatus::Failed(_)
        | LineStatus::Closed => 0,
    }
}

/// What the entries of the order say about the channel of an attempt. No two attempts of an order have one channel.
fn ours(order: &Order, number: AttemptNo) -> i128 {
    let Some(attempt) = order.attempt(number) else { return 0 };
    let channel = u32::from(attempt.channel().0);
    let is_clearing = |posting: &&Posting| {
        posting.account.kind() == AccountType::ChannelClearing && posting.account.owner() == channel
    };
    let signed = |posting: &Posting| match posting.side {
        Side::Debit => posting.amount.signed(),
        Side::Credit => -posting.amount.signed(),
    };
    order.entries.iter().flat_map(|entry| &entry.postings).filter(is_clearing).map(signed).sum()
}
