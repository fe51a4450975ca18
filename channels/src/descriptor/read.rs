//! From a channel's table to its descriptor.

use suanpan_model::capability::QUERY_LADDER_SECS;
use suanpan_model::{
    Amount, Bank, Banks, Capability, CardType, ChannelId, Currency, DurationMs, PayKind, Tariff, TariffBand,
};
use toml::Value;

use super::raw::{RawBand, RawChannel, RawSimulator};
use super::values::Reader;
use super::{Descriptor, DescriptorFault};
use crate::behaviour::Behaviour;

/// Checks the values of one table.
pub fn descriptor(channel: &str, raw: RawChannel) -> Result<Descriptor, DescriptorFault> {
    let read = Reader { channel };
    if raw.id == 0 {
        return Err(read.fault("id", "a number from 1 to 65535", "0"));
    }
    let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if raw.name.is_empty() || raw.name.len() > 32 || !raw.name.bytes().all(named) {
        return Err(read.fault("name", "1 to 32 lower case letters, digits or `_`", &raw.name));
    }
    if raw.title.trim().is_empty() {
        return Err(read.fault("title", "what people call the channel", &raw.title));
    }
    let kinds = read.list("kinds", &raw.kinds, "gateway or quick_pay", |kind| match kind {
        "gateway" => Some(PayKind::Gateway),
        "quick_pay" => Some(PayKind::QuickPay),
        _ => None,
    })?;
    let currencies = read.list(
        "currencies",
        &raw.currencies,
        "codes of ISO 4217 that the engine knows",
        Currency::from_code,
    )?;
    // Amounts of the descriptor are in minor units whichever the currency, so all must count alike.
    let currency = currencies[0];
    if let Some(other) = currencies.iter().find(|other| other.decimals() != currency.decimals()) {
        return Err(read.fault("currencies", "currencies with the same number of decimals", other.code()));
    }
    let card_types = read.list("card_types", &raw.card_types, "debit or credit", |card| match card {
        "debit" => Some(CardType::Debit),
        "credit" => Some(CardType::Credit),
        _ => None,
    })?;
    let amount_min = read.amount("amount_min", &raw.amount_min, currency)?;
    if amount_min.is_zero() {
        return Err(read.fault("amount_min", "more than nothing", &raw.amount_min));
    }
    let amount_max = read.amount("amount_max", &raw.amount_max, currency)?;
    if amount_max < amount_min {
        return Err(read.fault("amount_max", "not less than amount_min", &raw.amount_max));
    }
    let daily_quota =
        raw.daily_quota.as_deref().map(|text| read.amount("daily_quota", text, currency)).transpose()?;
    if raw.call_timeout_ms == 0 || raw.call_timeout_ms > 600_000 {
        return Err(read.fault("call_timeout_ms", "1 to 600000", &raw.call_timeout_ms.to_string()));
    }
    let calls_max = usize::try_from(raw.calls_max).ok().filter(|calls| (1..=1_000_000).contains(calls));
    let calls_max =
        calls_max.ok_or_else(|| read.fault("calls_max", "1 to 1000000", &raw.calls_max.to_string()))?;
    let tariff = Tariff {
        debit: bands(read, "debit", &raw.tariff.debit, currency)?,
        credit: bands(read, "credit", &raw.tariff.credit, currency)?,
    };
    if tariff.debit.is_empty() {
        return Err(read.fault("tariff.debit", "at least one band", "[]"));
    }
    let capability = Capability {
        id: ChannelId(raw.id),
        name: raw.name.as_str().into(),
        title: raw.title.as_str().into(),
        enabled: raw.enabled,
        own_bank: raw.own_bank,
        kinds,
        currencies,
        banks: banks(read, &raw.banks)?,
        card_types,
        amount_min,
        amount_max,
        daily_quota,
        hours: raw.hours.as_deref().map(|text| read.hours("hours", text)).transpose()?,
        tariff,
        query_ladder: query_ladder(read, raw.query_ladder_s)?,
        call_timeout: DurationMs(raw.call_timeout_ms),
        calls_max,
        conditions: super::conditions::conditions(read, &raw.conditions, currency)?,
    };
    Ok(Descriptor { capability, behaviour: behaviour(read, &raw.simulator)? })
}

fn banks(read: Reader<'_>, value: &Value) -> Result<Banks, DescriptorFault> {
    const EXPECTED: &str = "\"all\" or a list of bank codes of two to eight capital letters or digits";
    match value {
        Value::String(text) if text == "all" => Ok(Banks::All),
        Value::Array(items) => {
            let codes: Option<Vec<String>> =
                items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            let codes = codes.ok_or_else(|| read.fault("banks", EXPECTED, "an item of another type"))?;
            let mut banks = read.list("banks", &codes, EXPECTED, Bank::from_code)?;
            banks.sort_unstable();
            Ok(Banks::Only(banks))
        }
        other => Err(read.fault("banks", EXPECTED, other.type_str())),
    }
}

fn query_ladder(read: Reader<'_>, waits: Option<Vec<u64>>) -> Result<Vec<DurationMs>, DescriptorFault> {
    const DAY_S: u64 = 86_400;
    let waits = waits.unwrap_or_else(|| QUERY_LADDER_SECS.to_vec());
    let rising = waits.is_sorted() && waits.iter().all(|wait| (1..=DAY_S).contains(wait));
    if waits.is_empty() || !rising {
        let expected = "waits of 1 s to 86400 s, none shorter than the one before";
        return Err(read.fault("query_ladder_s", expected, &format!("{waits:?}")));
    }
    Ok(waits.into_iter().map(DurationMs::from_secs).collect())
}

pub(super) fn bands(
    read: Reader<'_>,
    card: &str,
    raw: &[RawBand],
    currency: Currency,
) -> Result<Vec<TariffBand>, DescriptorFault> {
    let mut bands: Vec<TariffBand> = Vec::with_capacity(raw.len());
    for (place, band) in raw.iter().enumerate() {
        let key = |name: &str| format!("tariff.{card}[{place}].{name}");
        let is_last = place + 1 == raw.len();
        let up_to = match band.up_to.as_deref() {
            Some(text) if is_last => return Err(read.fault(&key("up_to"), "none in the last band", text)),
            Some(text) => Some(read.amount(&key("up_to"), text, currency)?),
            None if is_last => None,
            None => return Err(read.fault(&key("up_to"), "an amount in every band but the last", "none")),
        };
        let before = bands.last().and_then(|before| before.up_to).unwrap_or(Amount::ZERO);
        if up_to.is_some_and(|up_to| up_to <= before) {
            let found = band.up_to.as_deref().unwrap_or_default();
            return Err(read.fault(&key("up_to"), "more than in the band before", found));
        }
        let floor = read.amount_or_zero(&key("floor"), band.floor.as_deref(), currency)?;
        let cap = band.cap.as_deref().map(|text| read.amount(&key("cap"), text, currency)).transpose()?;
        if let (Some(cap), Some(text)) = (cap, &band.cap)
            && cap < floor
        {
            return Err(read.fault(&key("cap"), "not less than the floor", text));
        }
        bands.push(TariffBand {
            up_to,
            rate_ppm: read.ppm(&key("rate"), band.rate.as_deref())?,
            fixed: read.amount_or_zero(&key("fixed"), band.fixed.as_deref(), currency)?,
            floor,
            cap,
        });
    }
    Ok(bands)
}

fn behaviour(read: Reader<'_>, raw: &RawSimulator) -> Result<Behaviour, DescriptorFault> {
    let rate = |key: &str, text: &Option<String>| read.rate(&format!("simulator.{key}"), text.as_deref());
    let latency = |key: &str, raw| read.latency(&format!("simulator.{key}"), raw);
    let failed = &raw.failed;
    let behaviour = Behaviour {
        create: latency("create_ms", raw.create_ms)?,
        pay: latency("pay_ms", raw.pay_ms)?,
        query: latency("query_ms", raw.query_ms)?,
        refund: latency("refund_ms", raw.refund_ms)?,
        notice: latency("notice_ms", raw.notice_ms)?,
        think: latency("think_ms", raw.think_ms)?,
        never_pays: rate("never_pays", &raw.never_pays)?,
        declines: rate("declines", &raw.declines)?,
        sms: rate("sms", &raw.sms)?,
        processing: rate("processing", &raw.processing)?,
        quick_pay_notice: raw.quick_pay_notice,
        failures: [
            rate("failed.payer", &failed.payer)?,
            rate("failed.declined", &failed.declined)?,
            rate("failed.risk", &failed.risk)?,
            rate("failed.limit", &failed.limit)?,
            rate("failed.channel", &failed.channel)?,
            rate("failed.request", &failed.request)?,
        ],
        refused: rate("refused", &raw.refused)?,
        timeout_not_done: rate("timeout_not_done", &raw.timeout_not_done)?,
        timeout_done: rate("timeout_done", &raw.timeout_done)?,
        notice_lost: rate("notice_lost", &raw.notice_lost)?,
        notice_duplicate: rate("notice_duplicate", &raw.notice_duplicate)?,
        notice_before_answer: rate("notice_before_answer", &raw.notice_before_answer)?,
        notice_delayed: rate("notice_delayed", &raw.notice_delayed)?,
        lie_amount: rate("lie_amount", &raw.lie_amount)?,
        contradiction: rate("contradiction", &raw.contradiction)?,
        paid_after_close: rate("paid_after_close", &raw.paid_after_close)?,
        query_unknown: rate("query_unknown", &raw.query_unknown)?,
        refund_failure: rate("refund_failure", &raw.refund_failure)?,
        refund_unknown: rate("refund_unknown", &raw.refund_unknown)?,
        refund_abnormal: rate("refund_abnormal", &raw.refund_abnormal)?,
        refund_bounced: rate("refund_bounced", &raw.refund_bounced)?,
        keep_lines: raw.keep_lines.unwrap_or(true),
        outage: raw.outage.as_ref().map(|one| super::conditions::maintenance(read, one)).transpose()?,
    };
    match behaviour.exclusive_sums() {
        Ok(()) => Ok(behaviour),
        Err(keys) => {
            Err(read.fault("simulator", &format!("{keys} to sum to at most 100%"), "more than 100%"))
        }
    }
}
