//! What the mall's buyers do: every order follows from the seed and its place alone, so that a second run submits the
//! same orders.

use serde_json::{Value, json};
use suanpan_model::{Amount, Currency};

use super::cast::{self, AGENTS, BUYERS, BUYERS_WITH_ACCOUNT, MERCHANTS, MERCHANTS_USD};
use super::dice::Dice;

/// Banks of cards, with how often they occur.
const BANKS: [(u64, &str); 7] =
    [(20, "ICBC"), (15, "CMB"), (15, "SPB"), (15, "CCB"), (15, "ABC"), (12, "BOC"), (8, "BOCOM")];

/// Most that is paid from an e-account, so that none runs dry.
const BALANCE_MOST: Amount = Amount::from_minor(100_000);

/// What the buyer does about the money once it is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterPayment {
    /// Confirms.
    Confirm,
    /// Confirms a part of so many minor units first, then the rest.
    ConfirmInParts(Amount),
    /// Confirms a milestone of so many minor units, which has receivers of its own, then the rest.
    Milestone(Amount),
    /// Wants so many minor units back, then confirms the rest.
    RefundPart(Amount),
    /// Confirms, and wants so many minor units back when everybody has their money.
    RefundAfterRelease(Amount),
    /// Wants everything back.
    RefundAll,
    /// Disputes, makes it up and confirms.
    Dispute,
    /// Disputes, gets so many minor units back and confirms the rest.
    DisputeRefund(Amount),
}

/// What the buyer types when a code is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmsCode {
    /// The right one.
    Right,
    /// A wrong one.
    Wrong,
    /// None.
    Never,
}

/// One order of the demo and its buyer.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// The mall's number.
    pub order_no: String,
    /// The order as it is submitted.
    pub body: Value,
    /// The order's kind in the API.
    pub kind: &'static str,
    /// Its currency.
    pub currency: Currency,
    /// What happens when it is paid.
    pub after: AfterPayment,
    /// What is typed when a code is asked for.
    pub sms: SmsCode,
    /// After how long the buyer cancels, if at all and if not yet paid.
    pub cancel_after_ms: Option<u64>,
    /// Whether the mall sends the order twice.
    pub twice: bool,
    /// How long the buyer waits before doing anything about a paid order.
    pub pause_ms: u64,
}

/// The mall's number of order `place`.
#[must_use]
pub fn order_no(seed: u64, place: usize) -> String {
    format!("D{seed}-{place:06}")
}

/// Whether the orders of group `group` are submitted in one batch.
#[must_use]
pub fn is_batch(seed: u64, group: usize) -> bool {
    Dice::new(seed, (1 << 40) + group as u64).percent(50)
}

impl Script {
    /// Order `place` of a run with `seed`.
    #[must_use]
    pub fn new(seed: u64, place: usize) -> Self {
        let mut dice = Dice::new(seed, place as u64);
        let kind = dice.weighted(&[(50, "gateway"), (38, "quick_pay"), (9, "balance"), (3, "usd")]);
        let (kind, currency) = if kind == "usd" { ("gateway", Currency::Usd) } else { (kind, Currency::Cny) };
        let amount = amount(&mut dice, currency);
        let amount = if kind == "balance" { amount.min(BALANCE_MOST) } else { amount };
        let order_no = order_no(seed, place);
        let mut body = json!({
            "order_no": order_no,
            "kind": kind,
            "amount": amount.to_text(currency),
            "currency": currency.code(),
            "description": format!("cart {place}"),
            "metadata": { "place": place.to_string() },
        });
        payer(&mut body, &mut dice, kind, currency);
        sellers(&mut body, &mut dice, amount, currency);
        let escrow = dice.percent(85);
        if !escrow {
            body["escrow"] = false.into();
        }
        if currency == Currency::Cny && amount.minor() >= 3_000 && dice.percent(18) {
            let large = amount.minor() >= 20_000 && dice.percent(60);
            body["coupons"] = match (large, dice.percent(40)) {
                (true, true) => json!([{ "campaign": 2 }, { "campaign": 3 }]),
                (true, false) => json!([{ "campaign": 2 }]),
                (false, _) => json!([{ "campaign": 1 }]),
            };
        }
        let gateway = kind == "gateway";
        Self {
            order_no,
            body,
            kind,
            currency,
            after: after(&mut dice, amount),
            sms: dice.weighted(&[(93, SmsCode::Right), (4, SmsCode::Wrong), (3, SmsCode::Never)]),
            cancel_after_ms: (gateway && dice.percent(3)).then(|| dice.between(100, 1_500)),
            twice: dice.percent(3),
            pause_ms: dice.between(20, 800),
        }
    }
}

/// Mostly small, some large, one in a hundred so large that the fee of some channels is capped.
fn amount(dice: &mut Dice, currency: Currency) -> Amount {
    let minor = match currency {
        Currency::Usd => dice.between(500, 60_000),
        _ => {
            let (from, until) = dice.weighted(&[
                (42, (500, 10_000)),
                (42, (10_000, 80_000)),
                (14, (80_000, 500_000)),
                (2, (500_000, 4_000_000)),
            ]);
            dice.between(from, until)
        }
    };
    Amount::from_minor(minor)
}

fn payer(body: &mut Value, dice: &mut Dice, kind: &str, currency: Currency) {
    let buyers = if kind == "balance" { BUYERS_WITH_ACCOUNT } else { BUYERS };
    let buyer = cast::buyer(dice.between(1, buyers));
    let bank = dice.weighted(&BANKS);
    let card = if dice.percent(65) { "debit" } else { "credit" };
    match (kind, currency) {
        ("quick_pay", _) => {
            body["agreement_no"] = format!("AG-{buyer}-{bank}").into();
            body["bank"] = bank.into();
            body["card_type"] = card.into();
        }
        ("gateway", Currency::Usd) => body["card_type"] = "credit".into(),
        ("gateway", _) if dice.percent(60) => {
            body["bank"] = bank.into();
            body["card_type"] = card.into();
        }
        _ => {}
    }
    body["payer"] = buyer.into();
}

fn sellers(body: &mut Value, dice: &mut Dice, amount: Amount, currency: Currency) {
    let platform = |percent: &str| json!({ "receiver": "platform", "percent": percent });
    if currency == Currency::Usd {
        body["merchant"] = cast::merchant_usd(dice.between(1, MERCHANTS_USD)).into();
        body["splits"] = json!([platform("3.00")]);
        return;
    }
    let first = dice.between(1, MERCHANTS);
    if dice.percent(12) {
        let second = first % MERCHANTS + 1;
        let part = Amount::from_minor(amount.minor() * dice.between(20, 80) / 100);
        body["sub_orders"] = json!([
            { "merchant": cast::merchant(first), "amount": part.to_text(currency) },
            { "merchant": cast::merchant(second), "amount": amount.minus(part).to_text(currency) },
        ]);
    } else {
        body["merchant"] = cast::merchant(first).into();
    }
    let agent = json!({ "kind": "commission", "reference": cast::agent(dice.between(1, AGENTS)) });
    match dice.weighted(&[(60, 3), (20, 2), (8, 1), (12, 0)]) {
        3 => body["splits"] = json!([platform("2.50"), { "receiver": agent, "percent": "5.00" }]),
        2 => body["splits"] = json!([platform("3.00")]),
        1 => body["splits"] = json!([platform("1.20"), { "receiver": agent, "fixed": "0.80" }]),
        _ => {}
    }
}

fn after(dice: &mut Dice, amount: Amount) -> AfterPayment {
    let part = Amount::from_minor(amount.minor() * dice.between(10, 70) / 100);
    dice.weighted(&[
        (77, AfterPayment::Confirm),
        (4, AfterPayment::ConfirmInParts(part)),
        (4, AfterPayment::Milestone(part)),
        (5, AfterPayment::RefundPart(part)),
        (4, AfterPayment::RefundAfterRelease(part)),
        (3, AfterPayment::RefundAll),
        (1, AfterPayment::Dispute),
        (2, AfterPayment::DisputeRefund(part)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_submits_the_same_orders() {
        for place in 0..200 {
            assert_eq!(Script::new(7, place), Script::new(7, place));
        }
        assert_ne!(Script::new(7, 1).body, Script::new(8, 1).body);
    }

    #[test]
    fn the_mix_holds_everything() {
        let scripts: Vec<Script> = (0..2_000).map(|place| Script::new(1, place)).collect();
        let has = |wanted: &dyn Fn(&Script) -> bool| scripts.iter().any(wanted);
        for kind in ["gateway", "quick_pay", "balance"] {
            assert!(has(&|script| script.kind == kind), "{kind}");
        }
        assert!(has(&|script| script.body["coupons"].as_array().is_some_and(|list| list.len() == 1)));
        assert!(has(&|script| script.body["coupons"].as_array().is_some_and(|list| list.len() == 2)));
        assert!(has(&|script| script.body.get("sub_orders").is_some()));
        assert!(has(&|script| script.body["escrow"] == false));
        assert!(has(&|script| script.cancel_after_ms.is_some()));
        assert!(has(&|script| script.twice));
        assert!(has(&|script| script.currency == Currency::Usd));
        assert!(has(&|script| matches!(script.after, AfterPayment::RefundPart(_))));
        assert!(has(&|script| matches!(script.after, AfterPayment::Milestone(_))));
        assert!(has(&|script| matches!(script.after, AfterPayment::RefundAfterRelease(_))));
        assert!(has(&|script| matches!(script.after, AfterPayment::DisputeRefund(_))));
        assert!(has(&|script| script.sms == SmsCode::Never));
    }
}
