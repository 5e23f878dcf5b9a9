//! Deletion is by name, and a name is no identity.

use kroutes_core::{ErrorKind, RouteBackend};
use kroutes_lab::{Fault, FaultKind, Options};

use crate::bench::{Bench, NAME, OTHER, POD, USUAL, impatient, pod, seed, theirs, via};

/// deckhouse and kops: names were taken for identities.
#[tokio::test]
async fn another_networks_route_of_the_same_name_is_never_deleted() {
    let bench = Bench::new(1).await;
    let listed = bench.create(POD, 0).await;
    bench.put(USUAL, theirs(OTHER, POD, via(0)));
    bench.calls();
    bench.backend.delete_route(&bench.table, &listed, None).await.expect("ours is gone");
    assert_eq!(bench.stored(USUAL).expect("stays").network, OTHER);
    assert_eq!(bench.calls().get("routes.delete"), None, "it was not even asked for");
}

/// The delete of an old route ran beside the create for the same CIDR and removed the new one.
#[tokio::test]
async fn a_route_that_somebody_made_anew_under_its_name_is_not_deleted() {
    let changes = [
        ("another next hop", theirs(NAME, POD, via(1))),
        ("no mark", theirs(NAME, POD, via(0))),
        ("another destination", theirs(NAME, &pod(7), via(0))),
    ];
    for (what, route) in changes {
        let bench = Bench::new(2).await;
        let listed = bench.create(POD, 0).await;
        bench.put(USUAL, route);
        let before = bench.stored(USUAL);
        let error = bench.backend.delete_route(&bench.table, &listed, None).await.expect_err(what);
        assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Conflict, false), "{what}");
        assert_eq!(bench.stored(USUAL), before, "{what}");
    }
}

/// A surplus route was deleted beside one that a lagging listing still showed, and the destination was left without any.
#[tokio::test]
async fn nothing_is_deleted_beside_a_route_that_is_only_still_listed() {
    let options = Options { lag: std::time::Duration::from_secs(2), ..Options::default() };
    let bench = Bench::with(seed(2), options, impatient()).await;
    bench.try_create(POD, 0).await.expect("created");
    bench.try_create(POD, 1).await.expect("created beside it");
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    let listed = bench.entries(POD).await;
    let [standing, surplus] = &listed[..] else { panic!("not two: {listed:?}") };
    bench.backend.delete_route(&bench.table, standing, None).await.expect("deleted by another run");
    assert_eq!(bench.entries(POD).await.len(), 2, "both are shown still");
    bench.calls();

    let error = bench.backend.delete_route(&bench.table, surplus, Some(standing)).await.expect_err("the last one");
    assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Conflict, false));
    assert!(error.message().contains("which was to stay, is not there any more"), "{error}");
    assert_eq!((error.get("table"), error.get("destination")), (Some(NAME), Some(POD)));
    assert_eq!(bench.held(POD).len(), 1, "it carries all there is");
    assert_eq!(bench.calls().get("routes.delete"), None);
}

#[tokio::test]
async fn a_surplus_route_is_deleted_beside_one_that_stands() {
    let bench = Bench::new(2).await;
    let standing = bench.create(POD, 0).await;
    let surplus = bench.create(POD, 1).await;
    bench.backend.delete_route(&bench.table, &surplus, Some(&standing)).await.expect("deleted");
    assert_eq!(bench.held(POD), [(USUAL.to_owned(), via(0))]);
}

/// A deletion takes two calls and their operation, and no listing of routes.
#[tokio::test]
async fn a_deletion_reads_one_route_and_lists_none() {
    let bench = Bench::new(1).await;
    let listed = bench.create(POD, 0).await;
    bench.calls();
    bench.backend.delete_route(&bench.table, &listed, None).await.expect("deleted");
    let calls = bench.calls();
    assert_eq!((calls["routes.get"], calls["routes.delete"], calls.get("routes.list")), (1, 1, None));
}

#[tokio::test]
async fn a_route_that_could_not_be_read_is_not_deleted() {
    let bench = Bench::new(1).await;
    let listed = bench.create(POD, 0).await;
    bench.lab.add_fault(Fault::new(FaultKind::Deny).on("routes.get"));
    let error = bench.backend.delete_route(&bench.table, &listed, None).await.expect_err("not read");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert_eq!(bench.held(POD).len(), 1);
}
