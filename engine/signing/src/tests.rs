//! What one key signs, its other half verifies, and nothing else; fixed vectors pin the bytes that are signed.

use proptest::prelude::*;

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn hmac() -> SigningKey {
    SigningKey::read(Algorithm::HmacSha256, &Secret::new(SECRET)).unwrap()
}

#[test]
fn the_signed_bytes_are_as_documented() {
    let request = request_message("POST", "/v1/x?a=1", 1_700_000_000, "n-1", b"{}");
    assert_eq!(request.to_bytes(), b"POST\n/v1/x?a=1\n1700000000\nn-1\n{}\n");
    assert_eq!(answer_message(201, 7, "n-1", b"{}").to_bytes(), b"201\n7\nn-1\n{}\n");
    assert_eq!(stream_message(200, 7, "n-1").to_bytes(), b"stream\n200\n7\nn-1\n");
    assert_eq!(notification_message("e1", 7, b"{}").to_bytes(), b"e1.7.{}");
}

#[test]
fn hmac_is_that_of_openssl() {
    // printf 'POST\n/v1/x?a=1\n1700000000\nn-1\n{}\n' | openssl dgst -sha256 -hmac $SECRET -binary | base64
    let message = request_message("POST", "/v1/x?a=1", 1_700_000_000, "n-1", b"{}");
    assert_eq!(hmac().sign(&message).unwrap(), "QUXwBwnUTYc7wE9+/TqehAlCVa8dqT7/UYXdjacZqhA=");
}

#[test]
fn every_algorithm_verifies_what_it_signed_and_nothing_else() {
    for algorithm in Algorithm::ALL {
        let text = SigningKey::generate(algorithm).unwrap();
        let key = SigningKey::read(algorithm, &text).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        let verifying = key.verifying().unwrap();
        let message = request_message("POST", "/p", 5, "n", b"body");
        let signature = key.sign(&message).unwrap();
        assert_eq!(verifying.verify(&message, &signature), Ok(()));
        let others = [
            request_message("PUT", "/p", 5, "n", b"body"),
            request_message("POST", "/p?", 5, "n", b"body"),
            request_message("POST", "/p", 6, "n", b"body"),
            request_message("POST", "/p", 5, "m", b"body"),
            request_message("POST", "/p", 5, "n", b"bodY"),
            answer_message(200, 5, "n", b"body"),
            notification_message("POST", 5, b"body"),
        ];
        for other in others {
            assert_eq!(verifying.verify(&other, &signature), Err(SignatureFault::Mismatch), "{other:?}");
        }
        let stranger = SigningKey::read(algorithm, &SigningKey::generate(algorithm).unwrap()).unwrap();
        let foreign = stranger.sign(&message).unwrap();
        assert_eq!(verifying.verify(&message, &foreign), Err(SignatureFault::Mismatch));
        assert_eq!(verifying.verify(&message, ""), Err(SignatureFault::Mismatch));
        assert_eq!(verifying.verify(&message, "***"), Err(SignatureFault::Form));
        assert_eq!(verifying.sign_with_secret(&message).is_some(), algorithm == Algorithm::HmacSha256);
    }
}

#[test]
fn a_private_key_tells_its_algorithm_and_a_key_of_another_one_is_refused() {
    for algorithm in [Algorithm::Ed25519, Algorithm::RsaSha256] {
        let text = SigningKey::generate(algorithm).unwrap();
        assert_eq!(SigningKey::read_private(&text).unwrap().algorithm(), algorithm);
        let other = if algorithm == Algorithm::Ed25519 { Algorithm::RsaSha256 } else { Algorithm::Ed25519 };
        assert_eq!(SigningKey::read(other, &text).unwrap_err(), KeyFault::Private(other));
        let public = SigningKey::read(algorithm, &text).unwrap().public_pem().unwrap().unwrap();
        assert_eq!(VerifyingKey::read(other, &Secret::new(public)).unwrap_err(), KeyFault::Public(other));
    }
    let nonsense = Secret::new("nonsense");
    assert_eq!(SigningKey::read_private(&nonsense).unwrap_err(), KeyFault::Private(Algorithm::RsaSha256));
}

#[test]
fn short_secrets_are_refused_and_spaces_around_one_do_not_count() {
    let short = Secret::new(&SECRET[1..]);
    assert_eq!(SigningKey::read(Algorithm::HmacSha256, &short).unwrap_err(), KeyFault::ShortSecret);
    let spaced = SigningKey::read(Algorithm::HmacSha256, &Secret::new(format!(" {SECRET}\n"))).unwrap();
    let message = notification_message("e", 1, b"");
    assert_eq!(spaced.sign(&message), hmac().sign(&message));
}

#[test]
fn nothing_shows_a_secret() {
    let text = Secret::new(SECRET);
    let shown = format!("{text:?} {:?} {:?}", hmac(), hmac().verifying().unwrap());
    assert!(!shown.contains(SECRET) && shown.contains("redacted"), "{shown}");
    for algorithm in [Algorithm::Ed25519, Algorithm::RsaSha256] {
        let key = SigningKey::read(algorithm, &SigningKey::generate(algorithm).unwrap()).unwrap();
        assert_eq!(format!("{key:?}"), format!("SigningKey({algorithm}, redacted)"));
    }
}

#[test]
fn the_window_is_open_on_both_sides_to_the_second() {
    let now = 10_000;
    let table = [
        (now, Ok(())),
        (now - WINDOW_S, Ok(())),
        (now + WINDOW_S, Ok(())),
        (now - WINDOW_S - 1, Err(StampFault::Stale { age_s: WINDOW_S + 1 })),
        (now + WINDOW_S + 1, Err(StampFault::Future { ahead_s: WINDOW_S + 1 })),
        (0, Err(StampFault::Stale { age_s: now })),
        (u64::MAX, Err(StampFault::Future { ahead_s: u64::MAX - now })),
    ];
    for (stamp, expected) in table {
        assert_eq!(check_stamp(now, stamp), expected, "{stamp}");
    }
}

#[test]
fn nonces_are_short_visible_texts() {
    let table = [("n", true), ("", false), ("a b", false), ("a\nb", false), ("ü", false), ("!~", true)];
    for (text, expected) in table {
        assert_eq!(is_nonce(text), expected, "{text:?}");
    }
    assert!(is_nonce(&"x".repeat(NONCE_CHARS_MAX)) && !is_nonce(&"x".repeat(NONCE_CHARS_MAX + 1)));
}

proptest! {
    #[test]
    fn different_requests_are_different_bytes(
        method in "[A-Z]{1,7}", target in "/[!-~]{0,12}", stamp: u64, nonce in "[!-~]{1,8}", body: Vec<u8>,
        other_body: Vec<u8>, other_nonce in "[!-~]{1,8}",
    ) {
        let one = request_message(&method, &target, stamp, &nonce, &body).to_bytes();
        let two = request_message(&method, &target, stamp, &other_nonce, &other_body).to_bytes();
        prop_assert_eq!(one == two, nonce == other_nonce && body == other_body);
        let answer = answer_message(200, stamp, &nonce, &body).to_bytes();
        prop_assert_ne!(one, answer);
    }
}
