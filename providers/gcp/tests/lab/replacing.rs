//! Replacement on a cloud whose routes cannot be changed: the new one first, then the old one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kroutes_core::{ErrorKind, RouteBackend};
use kroutes_lab::model::compute::Hop;
use kroutes_lab::{Fault, FaultKind, Options};

use crate::bench::{Bench, NAME, OTHER, POD, USUAL, address, impatient, route, seed, theirs, via};

/// Which workers' addresses the log leaves a destination with, after each of its entries.
fn history(effects: &[String]) -> Vec<Vec<String>> {
    let mut there: Vec<String> = Vec::new();
    let mut past = Vec::new();
    for effect in effects {
        let (action, what) = effect.split_once(' ').expect("an action and what it changed");
        match action {
            "routes.insert" => there.push(what.to_owned()),
            "routes.delete" => there.retain(|held| held != what),
            other => panic!("nobody asked for `{other}`"),
        }
        past.push(there.clone());
    }
    past
}

/// kubernetes#98359: a node's address changed, and the route never followed.
#[tokio::test]
async fn a_destination_is_never_without_a_route_in_either_direction() {
    let bench = Bench::slow(2, Duration::from_millis(60)).await;
    let mut from = bench.create(POD, 0).await;
    for worker in [1, 0, 1, 0] {
        bench.backend.replace_route(&bench.table, &from, &route(POD, worker)).await.expect("replaced");
        let [left] = &bench.entries(POD).await[..] else { panic!("not exactly one is left: {:?}", bench.held(POD)) };
        assert!(left.is_as_wanted(&route(POD, worker)) && left.marked, "{left:?}");
        from = left.clone();
    }
    let past = history(&bench.effects());
    assert!(past.iter().all(|there| !there.is_empty()), "a gap: {past:#?}");
    assert_eq!(past.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 1, 2, 1, 2, 1, 2, 1]);
    assert_eq!(bench.held(POD), [(USUAL.to_owned(), via(0))], "back at the usual name, which was free again");
}

/// The same, seen from outside at every moment.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_looks_all_the_time_sees_a_route_all_the_time() {
    let bench = Arc::new(Bench::slow(2, Duration::from_millis(50)).await);
    let listed = bench.create(POD, 0).await;
    let done = Arc::new(AtomicBool::new(false));
    let watcher = {
        let (bench, done) = (Arc::clone(&bench), Arc::clone(&done));
        tokio::spawn(async move {
            let mut looks = 0_u32;
            while !done.load(Ordering::Relaxed) {
                assert!(!bench.held(POD).is_empty(), "a moment without a route");
                looks += 1;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            looks
        })
    };
    bench.backend.replace_route(&bench.table, &listed, &route(POD, 1)).await.expect("replaced");
    done.store(true, Ordering::Relaxed);
    assert!(watcher.await.expect("never without a route") > 10);
}

#[tokio::test]
async fn a_replacement_beside_another_networks_name_goes_both_ways() {
    let bench = Bench::new(2).await;
    bench.put(USUAL, theirs(OTHER, POD, via(0)));
    let mut from = bench.create(POD, 0).await;
    for worker in [1, 0, 1] {
        bench.backend.replace_route(&bench.table, &from, &route(POD, worker)).await.expect("replaced");
        let [left] = &bench.entries(POD).await[..] else { panic!("not exactly one is left: {:?}", bench.held(POD)) };
        assert!(left.is_as_wanted(&route(POD, worker)), "{left:?}");
        from = left.clone();
    }
    assert_eq!(bench.stored(USUAL).expect("stays").network, OTHER);
}

/// A route that nobody of ours made and that is taken over; its name is none of our template's.
#[tokio::test]
async fn a_route_of_another_name_is_replaced_by_one_of_ours() {
    let bench = Bench::new(2).await;
    bench.put("made-by-hand", theirs(NAME, POD, via(1)));
    let listed = bench.entries(POD).await.remove(0);
    bench.backend.replace_route(&bench.table, &listed, &route(POD, 0)).await.expect("replaced");
    assert_eq!(bench.held(POD), [(USUAL.to_owned(), via(0))]);
}

/// A wrong priority is a wrong route: it cannot be changed either.
#[tokio::test]
async fn a_route_that_deviates_is_replaced_although_it_leads_right() {
    let bench = Bench::new(1).await;
    let mut quiet = theirs(NAME, POD, via(0));
    quiet.priority = 2000;
    "kroutes cluster=kubernetes".clone_into(&mut quiet.description);
    bench.put(USUAL, quiet);
    let listed = bench.entries(POD).await.remove(0);
    assert!(listed.deviation.is_some(), "{listed:?}");
    bench.backend.replace_route(&bench.table, &listed, &route(POD, 0)).await.expect("replaced");
    let [left] = &bench.entries(POD).await[..] else { panic!("not exactly one is left: {:?}", bench.held(POD)) };
    assert!(left.is_as_wanted(&route(POD, 0)), "{left:?}");
}

/// kubernetes/cluster-api-provider-azure#682: two writers on one table undid each other's work.
#[tokio::test]
async fn a_route_that_somebody_made_anew_since_the_listing_is_not_replaced() {
    let bench = Bench::new(3).await;
    let listed = bench.create(POD, 0).await;
    bench.put(USUAL, theirs(NAME, POD, via(2)));
    let error = bench.backend.replace_route(&bench.table, &listed, &route(POD, 1)).await.expect_err("changed");
    assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Conflict, false));
    assert!(error.message().contains("has changed since it was listed"), "{error}");
    assert_eq!(bench.held(POD), [(USUAL.to_owned(), via(2))], "theirs stays, and nothing was made beside it");
}

/// The old route must stay where the new one could not be made.
#[tokio::test]
async fn where_the_new_route_fails_the_old_one_stays() {
    let full = FaultKind::OperationError {
        code: "QUOTA_EXCEEDED".to_owned(),
        status: 403,
        message: "Quota 'STATIC_ROUTES_PER_NETWORK' exceeded.  Limit: 200.0 globally.".to_owned(),
    };
    let bench = Bench::new(2).await;
    let listed = bench.create(POD, 0).await;
    bench.lab.add_fault(Fault::new(full).on("routes.insert"));
    let error = bench.backend.replace_route(&bench.table, &listed, &route(POD, 1)).await.expect_err("full");
    assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
    assert_eq!(bench.held(POD), [(USUAL.to_owned(), via(0))]);
    assert_eq!(bench.calls().get("routes.delete"), None);
}

/// A run that was killed between the two halves leaves two routes, of which the next run removes the surplus one.
#[tokio::test]
async fn a_replacement_that_was_killed_half_way_is_finished_by_the_next() {
    let bench = Bench::new(2).await;
    let listed = bench.create(POD, 0).await;
    bench.lab.add_fault(Fault::new(FaultKind::Deny).on("routes.delete").times(1));
    let error = bench.backend.replace_route(&bench.table, &listed, &route(POD, 1)).await.expect_err("half way");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert_eq!(bench.held(POD).len(), 2);
    bench.backend.replace_route(&bench.table, &listed, &route(POD, 1)).await.expect("finished");
    let held = bench.held(POD);
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(held[0].1, Hop::Address(address(1).into()));
}

/// A replacement never becomes a creation: what a listing still shows of a route that is gone is no route.
#[tokio::test]
async fn what_is_gone_is_not_replaced_although_the_listing_still_shows_it() {
    let options = Options { lag: Duration::from_secs(2), ..Options::default() };
    let bench = Bench::with(seed(2), options, impatient()).await;
    bench.try_create(POD, 0).await.expect("created");
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let listed = bench.entries(POD).await.remove(0);
    bench.backend.delete_route(&bench.table, &listed, None).await.expect("deleted");
    assert_eq!(bench.entries(POD).await.len(), 1, "it is shown still");
    let error =
        bench.backend.replace_route(&bench.table, &listed, &route(POD, 1)).await.expect_err("nothing to replace");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(bench.held(POD), []);
}

/// ^C between the two halves: the new route is there, so this is none of the changes that were not begun.
#[tokio::test]
async fn a_replacement_that_is_interrupted_half_way_says_what_is_left() {
    let bench = Bench::slow(2, Duration::from_millis(400)).await;
    let listed = bench.create(POD, 0).await;
    let (backend, table, from) = (bench.backend.clone(), bench.table.clone(), listed.clone());
    let write = tokio::spawn(async move { backend.replace_route(&table, &from, &route(POD, 1)).await });
    while bench.operations().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    bench.gate.stopper().stop();
    match write.await.expect("no panic") {
        Ok(()) => assert_eq!(bench.held(POD).len(), 1, "finished"),
        Err(error) => {
            assert_ne!(error.kind(), ErrorKind::Interrupted, "it was begun: {error}");
            assert_eq!(bench.held(POD).len(), 2, "{error}");
            assert!(error.get("help").is_some_and(|help| help.contains("run kroutes again")), "{error:?}");
        }
    }
    let next = bench.another(&bench.settings()).await;
    next.replace_route(&bench.table, &listed, &route(POD, 1)).await.expect("the next run finishes it");
    let held = bench.held(POD);
    assert_eq!((held.len(), &held[0].1), (1, &via(1)), "{held:?}");
}
