//! Too fast, and too much, on Google Cloud: a minute's allowance that is shared, and a network that is full.

use std::time::{Duration, Instant};

use kroutes_lab::Options;

use crate::cli::throttling::{refusals, thorough};
use crate::cli::world::compute::{address, options, seed, topology};
use crate::cli::world::{World, assert_snapshot};

/// Half of each minute's 1,500 are another caller's, so the last of a thousand have to wait for the next minute.
#[test]
fn beside_another_caller_who_takes_half_a_thousand_routes_wait_for_the_next_minute() {
    if !thorough() {
        return;
    }
    for workers in [500, 1000] {
        let limits = Options { network_routes_limit: 2000, ..options() };
        let operation_delay = Duration::from_millis(300);
        let metered = Options { published_buckets: true, other_caller: 0.5, operation_delay, ..limits };
        let world = World::new_gcp(&topology(workers), seed(workers), metered);
        let start = Instant::now();
        world.run("apply").code(0).says("Verdict: as wanted");
        world.assert_all_lead(workers, address);
        let told = format!("{workers} workers on Google Cloud beside another caller, {:.0?}", start.elapsed());
        let (throttled, calls) = refusals(&world, &told);
        assert!(throttled * 50 < calls, "{throttled} of {calls}");
    }
}

/// kubernetes/kubernetes#17627 and #41671: an exhausted quota was tried again every ten seconds for ever. Here it shows only
/// when the operation ends, although the answer to the request was 200.
#[test]
fn what_does_not_fit_is_refused_once_and_told_with_numbers() {
    let delay = Duration::from_millis(100);
    let full = Options { network_routes_limit: 10, operation_delay: delay, ..options() };
    let world = World::new_gcp(&topology(16).replace("[gcp]\n", "[gcp]\nroutes-limit = 10\n"), seed(16), full);
    let run = world.run("apply").code(1);
    assert_eq!(world.calls("routes.insert"), 11, "{:?}", world.lab.calls());
    let told = run.out.lines().skip_while(|line| !line.starts_with("Plan:"));
    let told: Vec<_> = told.take_while(|line| !line.is_empty()).collect();
    let told = told.join("\n");
    // Operations have a new id in each run.
    let words: Vec<_> =
        told.split(' ').map(|word| if word.starts_with("operation-") { "OPERATION," } else { word }).collect();
    assert_snapshot("gcp-quota-exhausted", &words.join(" "));
    world.lab.reset_calls();
    let again = world.run("apply -o json").code(1).json();
    assert_eq!(world.calls("routes.insert"), 1, "one more try, since somebody may have made room");
    assert_eq!((&again["summary"]["failed"], &again["summary"]["skipped"]), (&1.into(), &5.into()));
}

/// Only the project's console knows the number. Without it nothing is held back, and what was under way is refused.
#[test]
fn a_limit_that_nobody_named_ends_the_rest_at_the_first_refusal() {
    let full = Options { network_routes_limit: 10, operation_delay: Duration::from_millis(100), ..options() };
    let world = World::new_gcp(&topology(150), seed(150), full);
    let run = world.run("apply -o json").code(1).json();
    assert_eq!(run["summary"]["done"], 10, "{}", run["summary"]);
    // As many as a run has under way at once, and no second attempt.
    assert!(world.calls("routes.insert") <= 10 + 64 + 64, "{:?}", world.lab.calls());
    assert_eq!(world.calls("routes.insert"), 10 + run["summary"]["failed"].as_u64().expect("a number"));
}
