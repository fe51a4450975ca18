//! One order's life in words.

use std::collections::BTreeMap;

use suanpan_core::routing::{Router, explain};
use suanpan_model::order::{Attempt, AttemptState};
use suanpan_model::refund::Refund;
use suanpan_model::{AccountId, AccountType, Amount, ChannelId, Currency, Order, Share, Side, SplitRule};
use suanpan_runtime::Engine;

use super::table::Table;

/// Tells an order's life.
pub async fn tell(engine: &Engine, order: &Order) -> String {
    let router = engine.router();
    let names = names(engine, order).await;
    let mut text = format!("{}, number {}\n", order.terms.order_no, order.id);
    text.push_str(&format!("  {}\n\n", terms(order, &names)));
    text.push_str(&steps(order));
    text.push('\n');
    for attempt in &order.attempts {
        text.push_str(&attempt_text(order, attempt, &router));
    }
    text.push_str(&releases(order));
    for refund in &order.refunds {
        text.push_str(&refund_text(order, refund, &names));
    }
    text.push('\n');
    text.push_str(&entries(order, &names));
    text
}

/// The name of a channel in the configuration.
#[must_use]
pub fn channel_name(router: &Router, channel: ChannelId) -> String {
    router.capability(channel).map_or_else(|| channel.to_string(), |known| known.name.to_string())
}

/// What each account of the order's entries is called.
async fn names(engine: &Engine, order: &Order) -> BTreeMap<AccountId, String> {
    let router = engine.router();
    let posted = order.entries.iter().flat_map(|entry| &entry.postings).map(|posting| posting.account);
    let receivers = order.terms.splits.iter().map(|rule| rule.receiver);
    let merchants = order.terms.sub_orders.iter().map(|part| part.merchant);
    let funders = order.terms.coupons.iter().flat_map(|coupon| &coupon.funders).map(|(account, _)| *account);
    let mut names = BTreeMap::new();
    for account in posted.chain(receivers).chain(merchants).chain(funders) {
        let owner = match account.kind() {
            AccountType::ChannelClearing | AccountType::FeeExpense => u16::try_from(account.owner())
                .map_or_else(|_| String::new(), |no| channel_name(&router, ChannelId(no))),
            kind if kind.is_internal() => "demo mall".to_owned(),
            _ => engine
                .balance(account)
                .await
                .map_or_else(|_| String::new(), |known| known.reference.to_string()),
        };
        names.insert(account, format!("{} {owner}", account.kind().name()));
    }
    names
}

fn terms(order: &Order, names: &BTreeMap<AccountId, String>) -> String {
    let terms = &order.terms;
    let text = |amount: Amount| amount.to_text(terms.currency);
    let mut parts = vec![format!("{} {}", text(terms.amount), terms.currency), terms.kind.name().to_owned()];
    if let Some(bank) = terms.bank {
        parts.push(format!("{bank} {}", terms.card_type.map_or("", |card| card.name())));
    }
    let name = |account: AccountId| names.get(&account).map_or("?", String::as_str);
    for coupon in &terms.coupons {
        let funders = coupon.funders.iter().filter(|(_, part)| !part.is_zero());
        let funders: Vec<String> =
            funders.map(|(account, part)| format!("{} from {}", text(*part), name(*account))).collect();
        let off = text(coupon.subsidy);
        parts.push(format!("coupon {} takes off {off} ({})", coupon.campaign, funders.join(", ")));
    }
    if !terms.coupons.is_empty() {
        parts.push(format!("payer pays {}", text(terms.payable())));
    }
    parts.push(if terms.escrow { "frozen until confirmed" } else { "released at once" }.to_owned());
    for rule in &terms.splits {
        parts.push(format!("{} to {}", share(rule, terms.currency), name(rule.receiver)));
    }
    let sellers: Vec<&str> = terms.sub_orders.iter().map(|part| name(part.merchant)).collect();
    parts.push(format!("the rest to {}", sellers.join(" and ")));
    parts.join("; ")
}

fn share(rule: &SplitRule, currency: Currency) -> String {
    let percent = crate::text::percent_text;
    let share = match &rule.share {
        Share::Bps(bps) => format!("{} %", percent(*bps)),
        Share::Fixed(amount) => amount.to_text(currency),
        Share::Tiered(tiers) => {
            let tier = |tier: &suanpan_model::Tier| {
                format!("{} % from {}", percent(tier.bps), tier.from.to_text(currency))
            };
            tiers.iter().map(tier).collect::<Vec<_>>().join(", ")
        }
        Share::Remainder => "the remainder".to_owned(),
    };
    match rule.within {
        Some(within) => format!("{share} of the part of receiver {}", within + 1),
        None => share,
    }
}

/// Releases of part; the one of all that was left stands among the entries alone.
fn releases(order: &Order) -> String {
    let line = |release: &suanpan_model::order::Release| {
        let amount = release.amount.to_text(order.terms.currency);
        match release.release_no.as_str() {
            "" => format!("  release of what was left: {amount}\n"),
            no => format!("  release {no}: {amount}\n"),
        }
    };
    order.releases.iter().filter(|_| order.releases.len() > 1).map(line).collect()
}

fn refund_text(order: &Order, refund: &Refund, names: &BTreeMap<AccountId, String>) -> String {
    let currency = order.terms.currency;
    let money = |amount: Amount| amount.to_text(currency);
    let mut text = format!(
        "  refund {}: {} of {} {currency} back to the payer, {}\n",
        refund.no,
        money(refund.to_payer),
        money(refund.amount),
        refund.state.name()
    );
    let Some(unwinding) = &refund.unwinding else { return text };
    let frozen = unwinding.returned.iter().fold(Amount::ZERO, |sum, amount| sum.plus(*amount));
    if !frozen.is_zero() {
        text.push_str(&format!("    {} was still frozen\n", money(frozen)));
    }
    for take in &unwinding.takes {
        let name = names.get(&take.account).map_or("?", String::as_str);
        let owes = match take.short().is_zero() {
            true => String::new(),
            false => format!(" and owes {}, which it had spent", money(take.short())),
        };
        text.push_str(&format!("    {name} gives back {}{owes}\n", money(take.covered())));
    }
    for (account, amount) in &unwinding.funders {
        let name = names.get(account).map_or("?", String::as_str);
        text.push_str(&format!("    {name} gets back {} of the coupon\n", money(*amount)));
    }
    text
}

fn steps(order: &Order) -> String {
    let mut table = Table::new(3, &["after", "step", "status"]);
    let began = order.created_at();
    for step in &order.steps {
        let after = step.at.since(began).0;
        let after = format!("{:>3}.{:03} s", after / 1000, after % 1000);
        table.row([after.as_str(), step.kind.name(), step.status.name()]);
    }
    table.text()
}

fn attempt_text(order: &Order, attempt: &Attempt, router: &Router) -> String {
    let state = match &attempt.state {
        AttemptState::Failed { kind, code } => format!("failed ({}: {code})", kind.name()),
        AttemptState::NotSent(why) => format!("not sent ({})", why.name()),
        state => state.name().to_owned(),
    };
    let mut text = format!(
        "  attempt {} at {}: {state}, asked {} times, rules version {}\n",
        attempt.no,
        channel_name(router, attempt.channel()),
        attempt.queries,
        attempt.route.rules_version
    );
    for reason in explain(router, &attempt.route, order.terms.currency) {
        text.push_str(&format!("    {reason}\n"));
    }
    text
}

fn entries(order: &Order, names: &BTreeMap<AccountId, String>) -> String {
    let mut table = Table::new(2, &["entry", "account", "debit", "credit"]);
    let (mut debits, mut credits) = (0, 0);
    // Coupons are counted in pieces; money alone is summed.
    for entry in order.entries.iter().filter(|entry| entry.currency.is_money()) {
        let mut code = entry.code.name();
        for posting in &entry.postings {
            let amount = posting.amount.to_text(entry.currency);
            let (debit, credit) = match posting.side {
                Side::Debit => (amount, String::new()),
                Side::Credit => (String::new(), amount),
            };
            match posting.side {
                Side::Debit => debits += posting.amount.signed(),
                Side::Credit => credits += posting.amount.signed(),
            }
            let name = names.get(&posting.account).cloned().unwrap_or_default();
            table.row([std::mem::take(&mut code).to_owned(), name, debit, credit]);
        }
    }
    table.rule();
    let sum = |minor| suanpan_model::money::signed_text(minor, order.terms.currency);
    table.row(["sum".to_owned(), String::new(), sum(debits), sum(credits)]);
    table.text()
}
