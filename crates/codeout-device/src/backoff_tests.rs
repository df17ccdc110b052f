use std::cell::Cell;
use std::io;

use codeout_protocol::error::Refusal;

use super::*;
use crate::error::Broken;

fn cut() -> Result<(), ConnectError> {
    Err(ConnectError::Cut)
}

#[tokio::test(start_paused = true)]
async fn waits_double_up_to_the_longest_and_are_jittered() {
    let mut waits = Vec::new();
    let attempts = Cell::new(0);
    let done = retry(
        Backoff::default(),
        || async {
            attempts.set(attempts.get() + 1);
            if attempts.get() < 12 { cut() } else { Ok(()) }
        },
        |attempt| {
            assert_eq!(attempt.number as usize, waits.len() + 1);
            waits.push(attempt.wait);
        },
    );
    done.await.unwrap();
    for (number, wait) in waits.iter().enumerate() {
        let longest = Duration::from_millis(500 << number).min(Duration::from_secs(30));
        assert!(*wait <= longest && *wait >= longest / 2, "wait {number}: {wait:?}");
    }
    assert_eq!(waits.len(), 11);
}

#[tokio::test(start_paused = true)]
async fn jitter_spreads() {
    let waits: std::collections::BTreeSet<_> =
        (0..20).map(|_| jittered(Duration::from_secs(10))).collect();
    assert!(waits.len() > 15);
}

#[tokio::test(start_paused = true)]
async fn patience_ends() {
    let backoff = Backoff { patience: Some(Duration::from_secs(20)), ..Backoff::default() };
    let begun = Instant::now();
    let mut attempts = 0;
    let error = retry(backoff, || async { cut() }, |_| attempts += 1).await.unwrap_err();
    assert!(matches!(error, ConnectError::Cut));
    assert!(begun.elapsed() <= Duration::from_secs(20));
    assert!((4..=9).contains(&attempts), "{attempts}");
}

#[tokio::test(start_paused = true)]
async fn only_what_may_pass_is_repeated() {
    let address: codeout_protocol::address::Address = "http://desk:8400".parse().unwrap();
    let passing = [
        ConnectError::Unreachable {
            address: address.clone(),
            source: io::ErrorKind::ConnectionRefused.into(),
        },
        ConnectError::Cut,
        ConnectError::TooManyAttempts,
        ConnectError::TimedOut,
        ConnectError::Tampered,
    ];
    for error in passing {
        let text = error.to_string();
        let mut results = vec![Ok(()), Err(error)];
        let mut heard = 0;
        let result = retry(
            Backoff::default(),
            || std::future::ready(results.pop().unwrap()),
            |attempt| {
                heard += 1;
                assert_eq!(attempt.error.to_string(), text);
            },
        );
        result.await.unwrap();
        assert_eq!(heard, 1, "{text}");
    }
    let staying = [
        ConnectError::Refused(Refusal::NotPaired),
        ConnectError::WrongDaemonKey,
        ConnectError::Incompatible,
        ConnectError::Protocol(Broken::Unexpected),
        ConnectError::NotCodeout { address, reason: "it answers 404".to_owned() },
        ConnectError::Unconfirmed { name: "desk".to_owned() },
    ];
    for error in staying {
        let text = error.to_string();
        let mut results: Vec<Result<(), _>> = vec![Err(error)];
        let result = retry(
            Backoff::default(),
            || std::future::ready(results.pop().unwrap()),
            |_| panic!("{text} was repeated"),
        );
        assert_eq!(result.await.unwrap_err().to_string(), text);
    }
}
