//! What wins a slowed bucket its pace back: answers, and each of them once.
//!
//! The clock is tokio's paused one, and whoever is asked takes no time: how long many calls take is the pace that they had.

use super::*;

const CALLS: u32 = 300;

/// A bucket that has just been slowed down to the half, with nothing in it.
async fn slowed() -> Gate {
    let bucket = Bucket { capacity: 50, refill_per_second: 5.0 };
    let gate = Gate::new(GateSettings { buckets: vec![(vec!["Act"], bucket)], ..GateSettings::default() });
    let refused = |_| async { Err::<(), _>(Error::new(ErrorKind::RateLimited, "slow down").with_retryable(false)) };
    gate.call("Act", Repeat::Always, refused).await.expect_err("refused");
    gate
}

/// How long it takes to make calls that are all answered so, in seconds.
async fn seconds_for(answer: Result<()>) -> f64 {
    let (gate, start) = (slowed().await, Instant::now());
    for _ in 0..CALLS {
        let _answer = gate.call("Act", Repeat::Always, |_| ready(answer.clone())).await;
    }
    start.elapsed().as_secs_f64()
}

fn once(kind: ErrorKind) -> Error {
    Error::new(kind, "no").with_retryable(false)
}

#[tokio::test(start_paused = true)]
async fn the_pace_is_won_back_by_answers_and_not_by_silence_or_failure() {
    let at_half = f64::from(CALLS) / 2.5;
    let full = seconds_for(Ok(())).await;
    assert!(full < at_half * 0.8, "{full}");
    for kind in [ErrorKind::NotFound, ErrorKind::Conflict, ErrorKind::PermissionDenied, ErrorKind::QuotaExceeded] {
        let took = seconds_for(Err(once(kind))).await;
        assert!((took - full).abs() < 0.1, "{kind} is an answer: {took} and not {full}");
    }
    for silence in [once(ErrorKind::Unavailable), once(ErrorKind::Unexpected).with_ambiguous(true)] {
        let took = seconds_for(Err(silence.clone())).await;
        assert!(took > at_half * 0.98, "{silence:?} is none: {took} and not {at_half}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_network_that_is_dead_wins_nothing_back() {
    let (gate, start) = (slowed().await, Instant::now());
    for _ in 0..10 {
        let never = |_| std::future::pending::<Result<()>>();
        gate.call("Act", Repeat::OnlyIfUntouched, never).await.expect_err("too late");
    }
    // Twenty seconds each have filled the bucket meanwhile, which is emptied first.
    assert!(start.elapsed() >= Duration::from_secs(200));
    for _ in 0..50 {
        let _emptied = gate.call("Act", Repeat::Always, |_| ready(Err::<(), _>(once(ErrorKind::Unavailable)))).await;
    }
    let start = Instant::now();
    for _ in 0..100 {
        let _made = gate.call("Act", Repeat::Always, |_| ready(Err::<(), _>(once(ErrorKind::Unavailable)))).await;
    }
    let took = start.elapsed().as_secs_f64();
    assert!(took > 39.0, "a hundred at two and a half a second: {took}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_whose_promise_is_not_kept_is_one_answer() {
    let plain = seconds_for(Err(once(ErrorKind::Conflict))).await;
    let (gate, start) = (slowed().await, Instant::now());
    for _ in 0..CALLS {
        let follow = |()| ready(Err::<(), _>(once(ErrorKind::Conflict)));
        gate.call_and_follow("Act", Repeat::Always, |_| ready(Ok(())), follow).await.expect_err("not kept");
    }
    let followed = start.elapsed().as_secs_f64();
    assert!((followed - plain).abs() < 0.1, "{followed} and not {plain}");
}

#[tokio::test(start_paused = true)]
async fn a_promise_that_ends_in_a_refusal_slows_the_bucket_down() {
    let bucket = Bucket { capacity: 50, refill_per_second: 5.0 };
    let gate = Gate::new(GateSettings { buckets: vec![(vec!["Act"], bucket)], ..GateSettings::default() });
    let follow = |()| ready(Err::<(), _>(once(ErrorKind::RateLimited)));
    gate.call_and_follow("Act", Repeat::Always, |_| ready(Ok(())), follow).await.expect_err("refused");
    let start = Instant::now();
    for _ in 0..5 {
        gate.call("Act", Repeat::Always, |_| ready(Ok(()))).await.expect("answered");
    }
    assert!(start.elapsed() > Duration::from_millis(1900), "what was saved up is gone: {:?}", start.elapsed());
}
