use std::collections::BTreeSet;

use suanpan_core::routing::{AllOpen, RouteRequest};
use suanpan_model::AccountType;

use super::*;
use crate::world;

const NOW: TimestampMs = TimestampMs(1_795_327_536_000);

/// A workload of a cast that no engine has opened.
fn workload(name: &str) -> Workload {
    let open = |kind, count: u64| (0..count).map(|number| AccountId::opened(kind, number, 3)).collect();
    let cast = Cast {
        merchants: open(AccountType::Settlement, 1_000),
        agents: open(AccountType::Commission, 50),
        buyers: open(AccountType::Cash, 10_000),
    };
    let spec = Spec::find(name).unwrap();
    let descriptors = world::descriptors(&spec).unwrap();
    let router = world::router(&descriptors).unwrap();
    let ground = Ground { cast: &cast, descriptors: &descriptors, router: &router, now: NOW, seed: 1 };
    Workload::new(&spec, ground).unwrap()
}

#[test]
fn every_channel_rule_kind_and_price_takes_part() {
    let workload = workload("canonical");
    let router = world::router(&world::descriptors(workload.spec()).unwrap()).unwrap();
    let mut rules = BTreeSet::new();
    for template in workload.templates() {
        let terms = &template.terms;
        let request = RouteRequest::of(terms, NOW, &[]);
        rules.insert(router.decide(&request, &AllOpen).unwrap().rule.name());
        assert!((100..=500_000).contains(&terms.amount.minor()));
        assert_eq!((terms.coupons.len(), terms.splits.len()), (1, 2));
    }
    let channels: BTreeSet<_> = workload.templates().iter().map(|template| template.channel).collect();
    assert_eq!(channels.len(), world::CHANNELS);
    assert_eq!(rules.into_iter().collect::<Vec<_>>(), ["amount", "cost", "designated", "priority"]);
    let first = workload.terms(0);
    assert_eq!(first.amount, workload.templates()[0].terms.amount);
    assert_ne!(first.order_no, workload.terms(TEMPLATES as u64).order_no);
    assert!(!first.order_no.is_heap_allocated() && !first.payer.is_heap_allocated());
}

/// How many percent of the orders are so.
fn percent(workload: &Workload, is_so: impl Fn(&Template) -> bool) -> usize {
    (workload.templates().iter().filter(|template| is_so(template)).count() * 100 + TEMPLATES / 2) / TEMPLATES
}

#[test]
fn every_workload_is_about_what_it_names() {
    for (name, _) in BUILTIN {
        let workload = workload(name);
        let kind = |kind| percent(&workload, |template| template.terms.kind == kind);
        let course = |is_so: fn(&Course) -> bool| percent(&workload, |template| is_so(&template.course));
        let refunds = course(|course| course.refunds());
        match name {
            "plain" => assert_eq!(percent(&workload, |one| one.terms.coupons.is_empty()), 100),
            "hot_merchant" => assert!(percent(&workload, |one| one.merchant == 0) >= 89),
            "hot_buyer" => {
                let hot = (0..1_000).filter(|count| workload.buyer_of(*count) == 0).count();
                assert!((850..950).contains(&hot), "{hot}");
                assert!(workload.terms(1).payer_account.is_some());
            }
            "gateway_only" => assert_eq!(kind(PayKind::Gateway), 100),
            "quick_pay_only" => assert_eq!(kind(PayKind::QuickPay), 100),
            "balance_only" => assert_eq!(kind(PayKind::Balance), 100),
            "refund_storm" => assert!((89..=91).contains(&refunds), "{refunds}"),
            "month_end" => {
                let parts = course(|course| matches!(course, Course::Milestones { .. }));
                assert!((48..=52).contains(&parts), "{parts}");
                assert!(workload.spec().reading.statements_per_s > 0.0);
            }
            "flash_sale_coupons" => {
                let campaigns = [0, 3_999, 4_000].map(|count| workload.campaign_of(count).unwrap());
                assert_eq!(campaigns[0], campaigns[1]);
                assert_ne!(campaigns[1], campaigns[2]);
                assert_eq!(workload.terms(4_000).coupons[0].campaign, campaigns[2]);
            }
            _ => assert_eq!(refunds, 0),
        }
        let settled = !["channel_outage", "slow_channel", "lying_channel", "payers_later"].contains(&name);
        assert_eq!(workload.spec().is_settled(), settled, "{name}");
    }
}
