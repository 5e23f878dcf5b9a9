//! Deletion is by name, and a name is no identity.

use kroutes_core::{ErrorKind, RouteBackend};
use kroutes_lab::{Fault, FaultKind};

use crate::bench::{Bench, NAME, OTHER, POD, USUAL, pod, theirs, via};

/// deckhouse and kops: names were taken for identities.
#[tokio::test]
async fn another_networks_route_of_the_same_name_is_never_deleted() {
    let bench = Bench::new(1).await;
    let listed = bench.create(POD, 0).await;
    bench.put(USUAL, theirs(OTHER, POD, via(0)));
    bench.calls();
    bench.backend.delete_route(&bench.table, &listed).await.expect("ours is gone");
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
        let error = bench.backend.delete_route(&bench.table, &listed).await.expect_err(what);
        assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Conflict, false), "{what}");
        assert_eq!(bench.stored(USUAL), before, "{what}");
    }
}

/// A deletion takes two calls and their operation, and no listing of routes.
#[tokio::test]
async fn a_deletion_reads_one_route_and_lists_none() {
    let bench = Bench::new(1).await;
    let listed = bench.create(POD, 0).await;
    bench.calls();
    bench.backend.delete_route(&bench.table, &listed).await.expect("deleted");
    let calls = bench.calls();
    assert_eq!((calls["routes.get"], calls["routes.delete"], calls.get("routes.list")), (1, 1, None));
}

#[tokio::test]
async fn a_route_that_could_not_be_read_is_not_deleted() {
    let bench = Bench::new(1).await;
    let listed = bench.create(POD, 0).await;
    bench.lab.add_fault(Fault::new(FaultKind::Deny).on("routes.get"));
    let error = bench.backend.delete_route(&bench.table, &listed).await.expect_err("not read");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert_eq!(bench.held(POD).len(), 1);
}
