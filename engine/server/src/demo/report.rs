//! The tables at the end.

use hdrhistogram::Histogram;
use suanpan_core::routing::Router;
use suanpan_model::{AccountType, Amount, Capability, ChannelId, Currency};
use suanpan_runtime::Engine;
use suanpan_runtime::api::{BookComparison, FUNDING, TrialBalance, TrialRow};

use super::check::Outcome;
use super::life::{self, channel_name};
use super::mall::Mall;
use super::survey::{Payment, Survey};
use super::table::{Table, count, money};

/// Prints all tables.
pub async fn print(engine: &Engine, mall: &Mall, Outcome { survey, trial, books }: &Outcome) {
    let router = engine.router();
    println!("how orders ended\n{}", outcomes(mall, survey, trial));
    println!("channels\n{}", channels(survey, &router));
    println!(
        "cost of the payments in CNY, beside one fixed channel for all (tariffs only)\n{}",
        costs(survey, &router)
    );
    println!("latency in milliseconds\n{}", latencies(mall));
    println!("trial balance\n{}", trial_balance(trial, &router));
    println!("clearing accounts beside the channels' own books\n{}", clearing(books, &router));
    if let Some(order) = survey.best() {
        println!("one order's life: {}", life::tell(engine, order).await);
    }
    if let Some(order) = survey.story() {
        println!("a receiver that had spent its share: {}", life::tell(engine, order).await);
    }
}

fn outcomes(mall: &Mall, survey: &Survey, trial: &TrialBalance) -> String {
    let mut table = Table::new(1, &["", "orders"]);
    for (status, orders) in &survey.statuses {
        table.row([status.name().to_owned(), count(*orders)]);
    }
    table.rule();
    table.row(["acknowledged".to_owned(), count(survey.orders as u64)]);
    let meters = mall.meters.borrow();
    let mut text = table.text();
    let number = |count: u64| usize::try_from(count).unwrap_or(0);
    let told = [
        (meters.repeats, "repeats recognised"),
        (meters.cancelled, "cancellations"),
        (meters.codes, "SMS codes typed"),
        (meters.refunds, "refunds asked for"),
        (meters.disputes, "disputes"),
        (number(survey.disputes_refunded), "of them ended with a refund"),
        (number(survey.coupons), "orders with coupons"),
        (number(survey.stacked), "of them with two"),
        (number(survey.milestones.0), "releases of part"),
        (number(survey.milestones.1), "of them to receivers of their own"),
        (number(survey.refunds_after_release), "refunds of released money"),
        (number(survey.contradictions), "contradictions of channels noted"),
        (mall.repeated(), "answers \"busy\", tried again"),
    ];
    let told = told.into_iter().filter(|(number, _)| *number > 0);
    let told: Vec<String> = told.map(|(number, what)| format!("{} {what}", count(number as u64))).collect();
    text.push_str(&format!("  {}\n", told.join(", ")));
    let owed = survey.owed;
    if owed != 0 {
        let debts = [AccountType::Receivable, AccountType::Advanced];
        let rows = trial.rows.iter().filter(|row| debts.contains(&row.kind) && row.currency == Currency::Cny);
        let left = rows.map(|row| row.debit_balance).sum();
        let cny = |minor| money(minor, Currency::Cny);
        text.push_str(&format!(
            "  receivers had spent {} of what they had to give back; {} of it is still owed\n",
            cny(owed),
            cny(left)
        ));
    }
    for (code, orders) in &meters.refused {
        text.push_str(&format!("  {orders} orders refused: {code}\n"));
    }
    text
}

fn channels(survey: &Survey, router: &Router) -> String {
    let headings = [
        "channel",
        "",
        "attempts",
        "paid",
        "failed",
        "failed over",
        "closed",
        "in doubt",
        "late",
        "volume",
        "fees",
        "fee %",
        "refunded",
    ];
    let mut table = Table::new(2, &headings);
    for ((channel, currency), figures) in &survey.channels {
        table.row([
            channel_name(router, *channel),
            currency.code().to_owned(),
            count(figures.attempts),
            count(figures.paid),
            count(figures.failed),
            count(figures.failed_over),
            count(figures.closed),
            count(figures.doubted),
            count(figures.late),
            money(figures.volume, *currency),
            money(figures.fees, *currency),
            per_cent(figures.fees, figures.volume),
            money(figures.refunded, *currency),
        ]);
    }
    let (orders, volume) = survey.balance;
    let mut row = vec!["e-accounts".to_owned(), "CNY".to_owned(), String::new(), count(orders)];
    row.extend(std::iter::repeat_n(String::new(), 5));
    row.push(money(volume, Currency::Cny));
    table.row(row);
    let mut text = table.text();
    text.push_str(
        "  failed over: another channel was tried; in doubt: nobody knew for a while, asked until known;\n",
    );
    text.push_str("  late: paid after the order had ended, and given back\n");
    text
}

/// Two decimals of a percentage, exact integers until then.
fn per_cent(part: i128, whole: i128) -> String {
    if whole == 0 {
        return String::new();
    }
    let points = part * 10_000 / whole;
    let sign = if points < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", points.abs() / 100, points.abs() % 100)
}

/// What all payments would have cost at one channel, and how many it could not have taken.
fn at_one(payments: &[Payment], channel: &Capability) -> (i128, usize) {
    let fees = payments.iter().map(|payment| payment.fee_at(channel));
    fees.fold((0, 0), |(sum, unable), fee| match fee {
        Some(fee) => (sum + fee.signed(), unable),
        None => (sum, unable + 1),
    })
}

fn costs(survey: &Survey, router: &Router) -> String {
    let cny = Currency::Cny;
    let payments: Vec<Payment> =
        survey.payments.iter().copied().filter(|payment| payment.currency() == cny).collect();
    let paid: i128 = payments.iter().map(|payment| payment.fee.signed()).sum();
    let volume: i128 = payments.iter().map(|payment| payment.amount.signed()).sum();
    let mut fixed: Vec<(i128, &Capability)> = Vec::new();
    let mut unable = Vec::new();
    for channel in router.capabilities().iter().filter(|channel| channel.currencies.contains(&cny)) {
        let share = |part: usize| per_cent(part as i128, payments.len().max(1) as i128);
        let quota = channel.daily_quota.map(Amount::signed);
        match (at_one(&payments, channel), quota) {
            ((_, 0), Some(quota)) if quota < volume => {
                unable.push(format!(
                    "{} (its daily quota is {} % of the volume)",
                    channel.name,
                    per_cent(quota, volume)
                ));
            }
            ((sum, 0), _) => fixed.push((sum, channel)),
            ((_, cannot), _) => {
                unable.push(format!("{} ({} % of the payments)", channel.name, share(cannot)))
            }
        }
    }
    fixed.sort_by_key(|(sum, _)| *sum);
    let mut table = Table::new(2, &["", "", "cost", "% of volume", "saved by routing", "saved %"]);
    table.row(["routed".to_owned(), String::new(), money(paid, cny), per_cent(paid, volume)]);
    let last = fixed.len().saturating_sub(1);
    for (place, (sum, channel)) in fixed.iter().enumerate() {
        let note = if place == 0 {
            "cheapest"
        } else if place == last {
            "dearest"
        } else {
            ""
        };
        table.row([
            format!("all by {}", channel.name),
            note.to_owned(),
            money(*sum, cny),
            per_cent(*sum, volume),
            money(sum - paid, cny),
            per_cent(sum - paid, *sum),
        ]);
    }
    format!("{}  could not have taken everything: {}\n", table.text(), unable.join(", "))
}

fn latencies(mall: &Mall) -> String {
    let headings = ["", "count", "p50", "p90", "p99", "p99.9", "most"];
    let mut table = Table::new(1, &headings);
    let mut row = |what: &str, histogram: &Histogram<u64>| {
        let at = |quantile| milliseconds(histogram.value_at_quantile(quantile));
        let numbers = [at(0.5), at(0.9), at(0.99), at(0.999), milliseconds(histogram.max())];
        let mut cells = vec![what.to_owned(), count(histogram.len())];
        cells.extend(numbers);
        table.row(cells);
    };
    let meters = mall.meters.borrow();
    row("order submitted: request to durable answer", &meters.submit);
    row("batch of up to 50 submitted: the same", &meters.batch);
    for (kind, histogram) in &meters.paid {
        row(&format!("{kind}: submission to paid"), histogram);
    }
    row("release: request to durable answer", &meters.release);
    let mut text = table.text();
    text.push_str(
        "  client, server, engine and simulated channels share this machine; payers' thinking counts\n",
    );
    text
}

fn milliseconds(micros: u64) -> String {
    format!("{}.{:02}", micros / 1_000, micros % 1_000 / 10)
}

fn trial_balance(trial: &TrialBalance, router: &Router) -> String {
    let mut table = Table::new(3, &["account", "owner", "", "debit", "credit"]);
    let shown = trial.rows.iter().filter(|row| row.debit_balance != 0);
    for row in shown.clone() {
        let amount = money(row.debit_balance.abs(), row.currency);
        let (debit, credit) =
            if row.debit_balance > 0 { (amount, String::new()) } else { (String::new(), amount) };
        let (kind, currency) = (row.kind.name().to_owned(), row.currency.code().to_owned());
        table.row([kind, owner(row, router), currency, debit, credit]);
    }
    table.rule();
    for currency in Currency::ALL {
        let of = |sign: i128| -> i128 {
            let rows = shown.clone().filter(|row| row.currency == currency);
            rows.map(|row| (row.debit_balance * sign).max(0)).sum()
        };
        if of(1) != 0 || of(-1) != 0 {
            let sum = format!("sum (difference {})", money(trial.sum(currency), currency));
            let code = currency.code().to_owned();
            table.row([sum, String::new(), code, money(of(1), currency), money(of(-1), currency)]);
        }
    }
    table.text()
}

fn owner(row: &TrialRow, router: &Router) -> String {
    match row.kind {
        AccountType::ChannelClearing if row.owner == u32::from(FUNDING.0) => {
            "the operator's funding".to_owned()
        }
        AccountType::ChannelClearing | AccountType::FeeExpense => u16::try_from(row.owner)
            .map_or_else(|_| row.owner.to_string(), |number| channel_name(router, ChannelId(number))),
        kind if kind.is_internal() => "demo mall".to_owned(),
        _ => format!("{} accounts", row.accounts),
    }
}

fn clearing(books: &[BookComparison], router: &Router) -> String {
    let mut table =
        Table::new(2, &["channel", "", "our clearing account", "the channel's book", "difference"]);
    for BookComparison { channel, currency, ours, theirs } in books {
        table.row([
            channel_name(router, *channel),
            currency.code().to_owned(),
            money(*ours, *currency),
            money(*theirs, *currency),
            money(ours - theirs, *currency),
        ]);
    }
    table.text()
}

/// Prints what the checks found.
pub fn print_verdict(survey: &Survey, failures: &[String]) {
    if failures.is_empty() {
        println!(
            "all is well: {} acknowledged orders are there and have ended, the books sum to zero and agree with \
             every channel's",
            count(survey.orders as u64)
        );
        return;
    }
    println!("WRONG:");
    failures.iter().for_each(|failure| println!("  {failure}"));
}

/// Prints requests to try.
pub fn print_hints(url: &str, survey: &Survey) {
    let platform = format!("{url}/v1/platforms/{}", super::cast::PLATFORM);
    let order = survey.best().map_or_else(|| "no:D1-000000".to_owned(), |order| order.id.to_string());
    let new = r#"{"order_no":"MINE-1","payer":"B0001","amount":"88.00","kind":"balance","merchant":"M01"}"#;
    let what_if = r#"{"kind":"quick_pay","amount":"1234.56","bank":"CCB","card_type":"credit"}"#;
    println!(
        "\nto try (the demo serves in development: these need no signature, the mall's own requests are signed):"
    );
    println!("  curl -s {platform}/orders/{order}");
    println!("  curl -s -H 'content-type: application/json' -d '{new}' {platform}/orders");
    println!("  curl -s -H 'content-type: application/json' -d '{{}}' {platform}/orders/no:MINE-1/confirm");
    println!("  curl -s -H 'content-type: application/json' -d '{what_if}' {platform}/routing/what-if");
    println!("  curl -s '{platform}/accounts/settlement/M01/entries?limit=5'");
    println!("  curl -s {url}/v1/books");
}
