use proptest::prelude::*;

use super::super::KeyFilter;
use super::fingerprint;

/// Share of keys never inserted that read as seen.
fn false_alarms(filter: &KeyFilter) -> f64 {
    let asked = 200_000_u32;
    let alarms = (0..u64::from(asked)).filter(|n| filter.contains(fingerprint(1 << 40 | n))).count();
    f64::from(u32::try_from(alarms).unwrap()) / f64::from(asked)
}

proptest! {
    #[test]
    fn never_denies_a_key_it_was_given(keys in prop::collection::vec(any::<u128>(), 0..400)) {
        let mut filter = KeyFilter::with_buckets(1);
        for (i, &key) in keys.iter().enumerate() {
            filter.insert(key);
            prop_assert!(keys[..=i].iter().all(|&k| filter.contains(k)));
        }
        prop_assert!(filter.len() <= keys.len());
    }
}

#[test]
fn few_false_alarms_and_none_the_other_way() {
    let mut grown = KeyFilter::new();
    let mut sized = KeyFilter::with_capacity(200_000);
    let mut chained = KeyFilter::with_buckets(64);
    for filter in [&mut grown, &mut sized, &mut chained] {
        assert!(filter.is_empty());
        for n in 0..200_000 {
            filter.insert(fingerprint(n));
        }
        assert!((0..200_000).all(|n| filter.contains(fingerprint(n))));
    }
    assert!(false_alarms(&grown) < 0.005, "{}", false_alarms(&grown));
    assert!(false_alarms(&sized) < 0.01, "{}", false_alarms(&sized));
    assert_eq!(sized.blocks.len(), 1);
    assert!((195_000..=200_000).contains(&grown.len()));
}

/// Full blocks in a chain add up; the defaults stay below two percent into the millions.
#[test]
fn a_chain_of_full_blocks_stays_below_two_percent() {
    let mut filter = KeyFilter::with_buckets(8 * 1024 / 32);
    for n in 0..200_000 {
        filter.insert(fingerprint(n));
    }
    assert!(filter.blocks.len() >= 4);
    assert!(false_alarms(&filter) < 0.03, "{}", false_alarms(&filter));
    let bits = filter.bytes() * 8 / filter.len();
    assert!((12..=26).contains(&bits), "{bits} bits a key");
}

/// Keys that are not hashes: counters, and counters in the high half.
#[test]
fn keys_without_noise_are_spread_too() {
    for shift in [0, 20, 64, 100] {
        let mut filter = KeyFilter::with_capacity(100_000);
        for n in 0..100_000_u128 {
            filter.insert(n << shift);
        }
        assert!(filter.len() > 99_000, "{shift}: {}", filter.len());
        assert!(false_alarms(&filter) < 0.01, "{shift}");
    }
}

#[test]
fn the_same_keys_again_take_no_room() {
    let mut filter = KeyFilter::new();
    for _ in 0..3 {
        for n in 0..100_000 {
            filter.insert(fingerprint(n));
        }
    }
    assert!(filter.len() <= 100_000);
    assert_eq!(filter.blocks.len(), 1);
}
