//! What routes are called, and what becomes of a name that is taken.

use std::time::Duration;

use kroutes_core::{ErrorKind, NextHop, RouteBackend};
use kroutes_gcp::GcpSettings;
use kroutes_lab::{Fault, FaultKind};

use crate::bench::{Bench, NAME, OTHER, POD, USUAL, address, counts, pod, route, theirs, via};

/// Whether this is the usual name and six digits of a hash.
fn has_suffix(name: &str) -> bool {
    let suffix = name.strip_prefix(USUAL).and_then(|rest| rest.strip_prefix('-'));
    suffix.is_some_and(|digits| digits.len() == 6 && digits.chars().all(|digit| digit.is_ascii_hexdigit()))
}

#[tokio::test]
async fn a_route_is_what_the_tutorial_makes_by_hand_and_bears_our_mark() {
    let bench = Bench::new(1).await;
    let listed = bench.create(POD, 0).await;
    assert_eq!(listed.name.as_deref(), Some("kubernetes-route-10-200-0-0-24"));
    let stored = bench.stored("kubernetes-route-10-200-0-0-24").expect("a route of that name");
    assert_eq!(stored.description, "kroutes cluster=kubernetes");
    assert_eq!((stored.network.as_str(), stored.priority), (NAME, 1000));
    assert_eq!((stored.hop, stored.tags), (via(0), Vec::<String>::new()));
    assert!(listed.marked);
}

/// Names are the project's, not the network's.
#[tokio::test]
async fn a_name_that_another_networks_route_has_gets_a_hash_suffix() {
    let bench = Bench::new(1).await;
    bench.put(USUAL, theirs(OTHER, POD, via(0)));
    let before = bench.stored(USUAL).expect("put there");
    let listed = bench.create(POD, 0).await;
    assert!(listed.name.as_deref().is_some_and(has_suffix), "{listed:?}");
    assert_eq!(bench.stored(USUAL), Some(before), "the other network's is as it was");

    bench.create(POD, 0).await;
    assert_eq!(bench.entries(POD).await.len(), 1, "again is no second one");
}

/// The suffix is the same in every run, or a second run could not know the first one's route by its name.
#[tokio::test]
async fn the_suffix_says_where_a_route_leads_and_is_the_same_in_every_world() {
    let mut names = Vec::new();
    for worker in [0, 0, 1] {
        let bench = Bench::new(2).await;
        bench.put(USUAL, theirs(OTHER, POD, via(0)));
        names.push(bench.create(POD, worker).await.name.expect("a name"));
    }
    assert_eq!(names[0], names[1]);
    assert_ne!(names[0], names[2]);
}

/// kubernetes#38701: any "already exists" counted as success.
#[tokio::test]
async fn a_name_that_is_taken_is_read_and_compared() {
    let bench = Bench::new(2).await;
    bench.create(POD, 1).await;
    bench.calls();
    let listed = bench.create(POD, 0).await;
    assert!(listed.name.as_deref().is_some_and(has_suffix), "{listed:?}");
    assert!(listed.leads_to(&NextHop::Address(address(0).into())));
    assert_eq!(bench.held(POD).len(), 2, "the other one stays: Compute allows both");
    assert_eq!(bench.calls()["routes.get"], 1, "it was read");
}

/// aws/eks-hybrid#650: a rerun failed because the route existed.
#[tokio::test]
async fn an_identical_route_is_enough_and_no_second_one_is_made() {
    let bench = Bench::new(1).await;
    bench.create(POD, 0).await;
    let before = bench.stored(USUAL);
    bench.calls();
    bench.try_create(POD, 0).await.expect("it is there");
    assert_eq!((bench.held(POD).len(), bench.stored(USUAL)), (1, before));
    assert_eq!(bench.calls().get("routes.insert"), Some(&1));
}

#[tokio::test]
async fn an_identical_route_without_our_mark_counts_as_there_and_stays_unmarked() {
    let bench = Bench::new(1).await;
    bench.put(USUAL, theirs(NAME, POD, via(0)));
    let listed = bench.create(POD, 0).await;
    assert!(!listed.marked);
    assert_eq!(bench.held(POD), [(USUAL.to_owned(), via(0))]);
    assert_eq!(bench.stored(USUAL).expect("there").description, "");
}

/// A mark that merely begins like ours is another cluster's.
#[tokio::test]
async fn only_the_very_mark_is_ours() {
    let bench = Bench::new(1).await;
    for (number, description) in [
        "kroutes cluster=kubernetes-2",
        "kroutes cluster=kubernete",
        "kroutes cluster=kubernetes ",
        "Kroutes cluster=kubernetes",
    ]
    .into_iter()
    .enumerate()
    {
        let mut route = theirs(NAME, &format!("10.200.{number}.0/24"), via(0));
        description.clone_into(&mut route.description);
        bench.put(&format!("theirs-{number}"), route);
    }
    assert!(bench.list().await.routes.iter().all(|route| !route.marked));
}

/// A priority is part of what a route is.
#[tokio::test]
async fn a_route_that_differs_in_more_than_its_next_hop_is_not_taken_for_ours() {
    let bench = Bench::new(1).await;
    let mut loud = theirs(NAME, POD, via(0));
    loud.priority = 500;
    bench.put(USUAL, loud);
    let listed = bench.create(POD, 0).await;
    assert!(listed.name.as_deref().is_some_and(has_suffix), "{listed:?}");
    assert_eq!(listed.precedence, 1000);
    assert_eq!(bench.stored(USUAL).expect("stays").priority, 500);
}

/// Nothing is known of names where something else is in the way, and another name would not help.
#[tokio::test]
async fn a_conflict_that_is_about_no_name_is_told_as_it_is() {
    let rows =
        [(400, "resourceInUseByAnotherResource", "is already being used by"), (412, "conditionNotMet", "Precondition")];
    for (status, code, message) in rows {
        let bench = Bench::new(1).await;
        let kind = FaultKind::Error { status, code: code.to_owned(), message: message.to_owned() };
        bench.lab.add_fault(Fault::new(kind).on("routes.insert"));
        let error = bench.try_create(POD, 0).await.expect_err("refused");
        assert_eq!((error.kind(), error.get("code")), (ErrorKind::Conflict, Some(code)));
        assert!(error.message().contains(message), "{error}");
        assert_eq!(bench.calls(), counts(&[("routes.insert", 1)]), "{code}");
    }
}

#[tokio::test]
async fn where_all_names_are_taken_the_last_refusal_is_the_reason() {
    let bench = Bench::new(2).await;
    for _ in 0..4 {
        bench.create(POD, 0).await;
        bench.lab.change(|cloud| cloud.compute.routes.values_mut().for_each(|route| route.priority = 7));
    }
    assert_eq!(bench.held(POD).len(), 4);
    let error = bench.try_create(POD, 0).await.expect_err("all taken");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let reason = std::error::Error::source(&error).expect("a reason").to_string();
    assert!(reason.contains("already exists"), "{reason}");
}

/// Whoever found a name taken listed the operations for itself.
#[tokio::test]
async fn many_names_that_are_held_at_once_cost_a_few_listings() {
    const MANY: usize = 40;
    let bench = Bench::slow(MANY, Duration::from_millis(1500)).await;
    let killed = std::sync::Arc::new(bench.another(&bench.settings()).await);
    let mut first = tokio::task::JoinSet::new();
    for index in 0..MANY {
        let (backend, table) = (killed.clone(), bench.table.clone());
        first.spawn(async move { backend.create_route(&table, &route(&pod(index), index)).await });
    }
    while bench.operations().len() < MANY {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    first.shutdown().await;
    bench.calls();

    // The first listing takes as long as it takes all others to ask for one.
    bench.lab.add_fault(Fault::new(FaultKind::DropBefore).on("globalOperations.list").times(1));
    let mut second = tokio::task::JoinSet::new();
    for index in 0..MANY {
        let (backend, table) = (bench.backend.clone(), bench.table.clone());
        second.spawn(async move { backend.create_route(&table, &route(&pod(index), index)).await });
    }
    for written in second.join_all().await {
        written.expect("found made");
    }
    assert_eq!(bench.operations().len(), MANY);
    let lists = bench.calls()["globalOperations.list"];
    assert!(lists < MANY as u64 / 2, "{lists} listings");
}

/// A run that was killed leaves an operation that goes on without it: for as long as that takes the name is taken, and no
/// route shows who has it.
#[tokio::test]
async fn a_name_that_a_killed_runs_operation_holds_makes_no_duplicate() {
    let bench = Bench::slow(1, Duration::from_millis(1500)).await;
    let (backend, table) = (bench.another(&bench.settings()).await, bench.table.clone());
    let killed = tokio::spawn(async move { backend.create_route(&table, &route(POD, 0)).await });
    while bench.operations().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    killed.abort();
    assert_eq!(bench.held(POD), [], "it is not there yet");

    bench.create(POD, 0).await;
    assert_eq!(bench.held(POD), [(USUAL.to_owned(), via(0))]);
    assert_eq!(bench.operations().len(), 1, "nothing was asked for twice");
}

/// The same where the operation outlasts all patience: two routes would share the traffic as soon as it ends after all.
#[tokio::test]
async fn a_name_that_an_endless_operation_holds_is_not_passed_over() {
    let bench = Bench::new(1).await;
    bench.lab.add_fault(Fault::new(FaultKind::OperationStuck).on("routes.insert").times(1));
    let hurried = bench.another(&GcpSettings { operation_timeout: 1, ..bench.settings() }).await;
    for calls in [1, 2] {
        let error = hurried.create_route(&bench.table, &route(POD, 0)).await.expect_err("stuck");
        assert!(error.is_ambiguous(), "whether it will come to be is open: {error}");
        assert!(error.message().ends_with("did not end within 1 s"), "{error}");
        assert_eq!(bench.lab.calls()["routes.insert"], calls);
    }
    assert_eq!(bench.operations().len(), 1, "nothing was asked for under another name");
}
