//! One order's life in words.

use std::collections::BTreeMap;

use suanpan_core::routing::{Router, explain};
use suanpan_model::order::{Attempt, AttemptState, Share};
use suanpan_model::{AccountId, AccountType, Amount, ChannelId, Order, Side};
use suanpan_runtime::Engine;

use super::table::Table;

/// Tells an order's life.
pub async fn tell(engine: &Engine, order: &Order) -> String {
    let router = engine.router();
    let names = names(engine, order).await;
    let mut text = format!("one order's life: {}, number {}\n", order.terms.order_no, order.id);
    text.push_str(&format!("  {}\n\n", terms(order, &names)));
    text.push_str(&steps(order));
    text.push('\n');
    for attempt in &order.attempts {
        text.push_str(&attempt_text(order, attempt, &router));
    }
    for refund in &order.refunds {
        let currency = order.terms.currency;
        text.push_str(&format!(
            "  refund {}: {} of {} {currency} back to the payer, {}\n",
            refund.no,
            refund.to_payer.to_text(currency),
            refund.amount.to_text(currency),
            refund.state.name()
        ));
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
    let mut names = BTreeMap::new();
    for account in posted.chain(receivers).chain(merchants) {
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
    if let Some(coupon) = terms.coupon {
        parts.push(format!("coupon of {}, payer pays {}", text(coupon.subsidy), text(terms.payable())));
    }
    parts.push(if terms.escrow { "frozen until confirmed" } else { "released at once" }.to_owned());
    let name = |account: AccountId| names.get(&account).map_or("?", String::as_str);
    for rule in &terms.splits {
        let share = match rule.share {
            Share::Bps(points) => format!("{}.{:02} %", points / 100, points % 100),
            Share::Fixed(amount) => text(amount),
        };
        parts.push(format!("{share} to {}", name(rule.receiver)));
    }
    let sellers: Vec<&str> = terms.sub_orders.iter().map(|part| name(part.merchant)).collect();
    parts.push(format!("the rest to {}", sellers.join(" and ")));
    parts.join("; ")
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
    for entry in &order.entries {
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
