//! The gate under a clock that stands still.

use std::sync::Arc;

use super::*;

fn metered() -> Gate {
    let bucket = Bucket { capacity: 50, refill_per_second: 5.0 };
    Gate::new(GateSettings { buckets: vec![(vec!["CreateRoute"], bucket)], ..GateSettings::default() })
}

#[tokio::test(start_paused = true)]
async fn five_hundred_calls_take_what_the_bucket_takes_and_no_more() {
    let gate = Arc::new(metered());
    let start = Instant::now();
    let calls: Vec<_> = (0..500)
        .map(|_| {
            let gate = Arc::clone(&gate);
            tokio::spawn(async move { gate.call("CreateRoute", Repeat::Always, |_| async { Ok(()) }).await })
        })
        .collect();
    for call in calls {
        call.await.expect("join").expect("call");
    }
    let took = start.elapsed().as_secs_f64();
    assert!((90.0..94.5).contains(&took), "{took}");
    assert_eq!(gate.counts(), BTreeMap::from([("CreateRoute", 500)]));
}

#[tokio::test(start_paused = true)]
async fn waiting_kinds_are_tried_again_and_others_are_not() {
    for (kind, tries) in [
        (ErrorKind::Unavailable, 6),
        (ErrorKind::RateLimited, 6),
        (ErrorKind::QuotaExceeded, 1),
        (ErrorKind::PermissionDenied, 1),
    ] {
        let gate = Gate::new(GateSettings::default());
        let answer: Result<()> = gate.call("Act", Repeat::Always, |_| async move { Err(Error::new(kind, "no")) }).await;
        assert_eq!(answer.expect_err("fails").kind(), kind);
        assert_eq!(gate.counts()["Act"], tries, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_had_an_effect_is_not_blindly_repeated() {
    let gate = Gate::new(GateSettings::default());
    let answer: Result<()> = gate
        .call("DeleteRoute", Repeat::OnlyIfUntouched, |_| async {
            Err(Error::new(ErrorKind::Unavailable, "connection reset").with_ambiguous(true))
        })
        .await;
    assert!(answer.expect_err("fails").is_ambiguous());
    assert_eq!(gate.counts()["DeleteRoute"], 1);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_ends_at_its_deadline_and_is_tried_again() {
    let gate = Gate::new(GateSettings::default());
    let answer = gate
        .call("Act", Repeat::Always, |number| async move {
            if number == 1 {
                std::future::pending::<()>().await;
            }
            Ok(number)
        })
        .await;
    assert_eq!(answer.expect("second attempt"), 2);
}

#[tokio::test(start_paused = true)]
async fn what_comes_of_a_promise_is_tried_again_like_the_call_itself() {
    let gate = Gate::new(GateSettings::default());
    let answer = gate
        .call_and_follow(
            "Act",
            Repeat::OnlyIfUntouched,
            |number| async move { Ok(number) },
            |number| async move {
                tokio::time::sleep(Duration::from_mins(1)).await;
                if number == 1 { Err(Error::new(ErrorKind::Unavailable, "not now")) } else { Ok(number) }
            },
        )
        .await;
    assert_eq!(answer.expect("the second promise is kept"), 2);
    assert_eq!(gate.counts()["Act"], 2);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_done_is_not_settled_by_a_later_refusal() {
    let gate = Gate::new(GateSettings::default());
    let answer: Result<()> = gate
        .call("Act", Repeat::Always, |number| async move {
            Err(match number {
                1 => Error::new(ErrorKind::Unavailable, "the connection was dropped").with_ambiguous(true),
                _ => Error::new(ErrorKind::PermissionDenied, "not you"),
            })
        })
        .await;
    let error = answer.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.is_ambiguous(), "the first attempt may have had its effect");
}

/// kubernetes#17627, with a throttle in the place of a quota: tried again and again for ever.
#[tokio::test(start_paused = true)]
async fn a_bucket_that_gives_nothing_is_given_up_and_tried_again_now_and_then() {
    let bucket = Bucket { capacity: 50, refill_per_second: 5.0 };
    let gate = Arc::new(Gate::new(GateSettings { buckets: vec![(vec!["Act"], bucket)], ..GateSettings::default() }));
    let open = Arc::new(AtomicBool::new(false));
    let call = || {
        let (gate, open) = (Arc::clone(&gate), Arc::clone(&open));
        async move {
            let attempt = |_| async {
                let refused = Error::new(ErrorKind::RateLimited, "too fast").with_retry_after(Duration::from_mins(1));
                if open.load(Ordering::SeqCst) { Ok(()) } else { Err(refused) }
            };
            gate.call("Act", Repeat::Always, attempt).await
        }
    };
    let start = Instant::now();
    let calls: tokio::task::JoinSet<Result<()>> = (0..500).map(|_| call()).collect();
    let answers = calls.join_all().await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::RateLimited)));
    assert!(start.elapsed() < Duration::from_mins(8), "{:?}", start.elapsed());
    assert!(gate.counts()["Act"] < 50, "{:?}", gate.counts());
    open.store(true, Ordering::SeqCst);
    tokio::time::advance(Duration::from_mins(2)).await;
    call().await.expect("one looks whether it is over");
    call().await.expect("it is over");
}

#[tokio::test(start_paused = true)]
async fn a_closed_gate_lets_pass_what_finishes_a_write() {
    let gate = Gate::new(GateSettings::default());
    gate.stopper().stop();
    assert_eq!(gate.call_to_finish("Look", |_| async { Ok("done") }).await.expect("an answer"), "done");
    let refused: Result<()> = gate.call("Act", Repeat::Always, |_| async { Ok(()) }).await;
    assert_eq!(refused.expect_err("closed").kind(), ErrorKind::Interrupted);
}

#[tokio::test(start_paused = true)]
async fn actions_of_one_bucket_share_its_tokens() {
    let bucket = Bucket { capacity: 2, refill_per_second: 1.0 };
    let gate = Gate::new(GateSettings { buckets: vec![(vec!["insert", "delete"], bucket)], ..GateSettings::default() });
    let start = Instant::now();
    for action in ["insert", "delete", "insert"] {
        gate.call(action, Repeat::Always, |_| async { Ok(()) }).await.expect("an answer");
    }
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured() {
    let gate = Gate::new(GateSettings::default());
    let start = Instant::now();
    let answer = gate
        .call("Act", Repeat::Always, |number| async move {
            if number == 1 {
                let wait = Duration::from_secs(30);
                return Err(Error::new(ErrorKind::RateLimited, "slow down").with_retry_after(wait));
            }
            Ok(())
        })
        .await;
    answer.expect("second attempt");
    assert!(start.elapsed() >= Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn closing_the_gate_ends_the_queue_and_lets_the_running_finish() {
    let gate = Arc::new(Gate::new(GateSettings {
        buckets: vec![(vec!["Act"], Bucket { capacity: 1, refill_per_second: 0.001 })],
        ..GateSettings::default()
    }));
    let running = tokio::spawn({
        let gate = Arc::clone(&gate);
        async move {
            let slow = |_| async {
                tokio::time::sleep(Duration::from_secs(5)).await;
                Ok("done")
            };
            gate.call("Act", Repeat::Always, slow).await
        }
    });
    tokio::task::yield_now().await;
    let queued = tokio::spawn({
        let gate = Arc::clone(&gate);
        async move { gate.call("Act", Repeat::Always, |_| async { Ok("never") }).await }
    });
    tokio::task::yield_now().await;
    gate.stopper().stop();
    assert_eq!(queued.await.expect("join").expect_err("queued").kind(), ErrorKind::Interrupted);
    assert_eq!(running.await.expect("join").expect("running"), "done");
    assert_eq!(gate.counts()["Act"], 1);
}
