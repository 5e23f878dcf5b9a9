//! Single writes, and answers that got lost.

use std::time::Duration;

use kroutes_core::{Claim, ErrorKind, Fix, NextHop, RouteBackend};
use kroutes_lab::{Fault, FaultKind, IdenticalCreate, Options};

use crate::bench::{Bench, NAME, counts, impatient, seed};

const POD: &str = "10.200.0.0/24";

#[tokio::test]
async fn routes_of_both_families_come_change_and_go() {
    let bench = Bench::new(2).await;
    for cidr in [POD, "fd00:10::/64"] {
        bench.create(cidr, "worker-0").await;
        let made = bench.entry(cidr).await.expect("route");
        assert!(made.is_as_wanted(&bench.route(cidr, "worker-0")), "{made:?}");
        let other = bench.route(cidr, "worker-1");
        bench.backend.replace_route(&bench.table, &made, &other).await.expect("replaced");
        let changed = bench.entry(cidr).await.expect("route");
        assert!(changed.is_as_wanted(&other), "{changed:?}");
        bench.backend.delete_route(&bench.table, &changed, None).await.expect("deleted");
        assert!(bench.entry(cidr).await.is_none());
        bench.backend.delete_route(&bench.table, &changed, None).await.expect("again is fine");
    }
}

/// A create that had succeeded came back as `RouteAlreadyExists` after a dropped connection.
#[tokio::test]
async fn a_creation_whose_answer_was_lost_is_settled_as_done() {
    for kind in [FaultKind::DropAfter, FaultKind::ServerErrorAfter, FaultKind::CutShort] {
        let bench = Bench::new(1).await;
        bench.lab.add_fault(Fault::new(kind.clone()).on("CreateRoute").times(1));
        bench.create(POD, "worker-0").await;
        assert!(bench.entry(POD).await.is_some(), "{kind:?}");
        assert_eq!(bench.calls()["CreateRoute"], 2, "{kind:?}");
    }
}

#[tokio::test]
async fn a_creation_whose_answers_are_all_lost_is_settled_by_reading() {
    let bench = Bench::new(1).await;
    bench.lab.add_fault(Fault::new(FaultKind::DropAfter).on("CreateRoute"));
    bench.create(POD, "worker-0").await;
}

/// kubernetes#38701: any conflict on insert counted as success.
#[tokio::test]
async fn a_creation_over_another_route_is_a_conflict_and_over_the_same_one_is_fine() {
    for identical in [IdenticalCreate::Refuse, IdenticalCreate::Accept] {
        let options = Options { identical_create: identical, ..Options::default() };
        let bench = Bench::with(seed(2), options, impatient()).await;
        bench.create(POD, "worker-0").await;
        bench.create(POD, "worker-0").await;
        let error = bench.backend.create_route(&bench.table, &bench.route(POD, "worker-1")).await.expect_err("taken");
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let (table, holder) = (&bench.table, bench.instance("worker-0"));
        assert_eq!(error.message(), format!("`{POD}` in `{table}` leads to `{holder}`"));
        assert_eq!(error.get("code"), Some("RouteAlreadyExists"));
        assert!(error.get("request-id").is_some(), "{error:?}");
        let entry = bench.entry(POD).await.expect("route");
        assert!(entry.leads_to(&NextHop::Instance(holder)));
    }
}

/// The next call after a create did not see it yet (EC2's eventual consistency).
#[tokio::test]
async fn a_listing_that_lags_does_not_make_a_done_creation_fail() {
    let options = Options { lag: std::time::Duration::from_millis(600), ..Options::default() };
    let bench = Bench::with(seed(1), options, impatient()).await;
    bench.lab.add_fault(Fault::new(FaultKind::DropAfter).on("CreateRoute").times(1));
    bench.create(POD, "worker-0").await;
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_settled_by_reading() {
    for kind in [FaultKind::DropAfter, FaultKind::DropBefore, FaultKind::ServerError] {
        let bench = Bench::new(1).await;
        bench.create(POD, "worker-0").await;
        let entry = bench.entry(POD).await.expect("route");
        bench.lab.add_fault(Fault::new(kind.clone()).on("DeleteRoute").times(1));
        bench.backend.delete_route(&bench.table, &entry, None).await.expect("deleted");
        assert!(bench.entry(POD).await.is_none(), "{kind:?}");
    }
}

/// A listing still showed the route, the second attempt was turned away, and the whole was told as a failure that had
/// changed nothing, although the first had deleted it.
#[tokio::test]
async fn what_a_second_attempt_to_delete_is_told_does_not_settle_the_first() {
    let refused = FaultKind::Error { status: 401, code: "AuthFailure".to_owned(), message: "not validated".to_owned() };
    let interrupted = FaultKind::Throttle;
    let rows = [
        (FaultKind::Deny, ErrorKind::PermissionDenied),
        (refused, ErrorKind::Unauthenticated),
        (interrupted, ErrorKind::Unavailable),
    ];
    for (second, expected) in rows {
        let options = Options { lag: Duration::from_millis(1500), ..Options::default() };
        let bench = Bench::with(seed(1), options, impatient()).await;
        bench.create(POD, "worker-0").await;
        let entry = loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if let Some(entry) = bench.entry(POD).await {
                break entry;
            }
        };
        bench.calls();
        bench.lab.add_fault(Fault::new(FaultKind::DropAfter).on("DeleteRoute").times(1));
        bench.lab.add_fault(Fault::new(second.clone()).on("DeleteRoute"));
        // Whoever waits to ask again after a throttle is stopped there.
        let stop = async {
            while second != FaultKind::Throttle || bench.lab.calls().get("DeleteRoute").is_none_or(|calls| *calls < 2) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            bench.gate.stopper().stop();
            std::future::pending::<()>().await;
        };
        let error = tokio::select! {
            deleted = bench.backend.delete_route(&bench.table, &entry, None) => deleted.expect_err("nobody knows"),
            () = stop => unreachable!("it waits for ever"),
        };
        assert_eq!(bench.calls()["DeleteRoute"], 2, "{second:?}");
        assert!(error.is_ambiguous(), "{second:?}: {error:?}");
        assert_eq!(error.kind(), expected, "{error:?}");
        assert_eq!(error.get("destination"), Some(POD));
    }
}

/// An old black hole's deletion ran beside the creation for the same range, and removed the new route.
#[tokio::test]
async fn a_deletion_is_not_repeated_when_the_route_has_become_another() {
    let bench = Bench::new(2).await;
    bench.create(POD, "worker-0").await;
    let entry = bench.entry(POD).await.expect("route");
    let other = bench.route(POD, "worker-1");
    bench.backend.replace_route(&bench.table, &entry, &other).await.expect("replaced");
    bench.lab.add_fault(Fault::new(FaultKind::DropBefore).on("DeleteRoute").times(1));
    let error = bench.backend.delete_route(&bench.table, &entry, None).await.expect_err("moved");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(bench.entry(POD).await.expect("route").leads_to(&other.next_hop));
}

#[tokio::test]
async fn replacing_what_is_not_there_is_not_found_and_what_is_as_wanted_is_fine() {
    let bench = Bench::new(1).await;
    let route = bench.route(POD, "worker-0");
    bench.create(POD, "worker-0").await;
    let entry = bench.entry(POD).await.expect("route");
    bench.backend.replace_route(&bench.table, &entry, &route).await.expect("is as wanted");
    bench.backend.delete_route(&bench.table, &entry, None).await.expect("deleted");
    let error = bench.backend.replace_route(&bench.table, &entry, &route).await.expect_err("absent");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(bench.entry(POD).await.is_none());
}

#[tokio::test]
async fn a_replacement_whose_answers_are_lost_is_settled_by_reading() {
    let bench = Bench::new(2).await;
    bench.create(POD, "worker-0").await;
    let entry = bench.entry(POD).await.expect("route");
    bench.lab.add_fault(Fault::new(FaultKind::DropAfter).on("ReplaceRoute"));
    let other = bench.route(POD, "worker-1");
    bench.backend.replace_route(&bench.table, &entry, &other).await.expect("replaced");
}

/// kubernetes#17627, #41671: a quota that is used up was tried again every ten seconds for ever.
#[tokio::test]
async fn a_full_table_is_told_at_once_as_a_quota() {
    let options = Options { routes_limit: 3, ..Options::default() };
    let bench = Bench::with(seed(2), options, impatient()).await;
    bench.create(POD, "worker-0").await;
    bench.calls();
    let route = bench.route("10.200.1.0/24", "worker-1");
    let error = bench.backend.create_route(&bench.table, &route).await.expect_err("full");
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::QuotaExceeded, false));
    assert_eq!(bench.calls(), counts(&[("CreateRoute", 1)]));
}

#[tokio::test]
async fn a_claim_is_set_read_and_removed_as_it_stands() {
    let bench = Bench::new(1).await;
    let cidrs = crate::bench::cluster().pod_cidrs;
    let claim = Claim::of(&NAME.parse().expect("name"), cidrs.iter().map(kroutes_core::ClusterCidr::net));
    let table = bench.table.clone();
    bench.backend.fix(&Fix::SetClaim { table: table.clone(), claim: claim.clone() }).await.expect("set");
    assert_eq!(bench.list().await.claims, std::slice::from_ref(&claim));
    // Somebody wrote it differently; it says the same.
    bench.lab.change(|cloud| {
        let untidy = [("kroutes/kubernetes".to_owned(), "fd00:10::/48   10.200.0.0/16".to_owned())];
        cloud.create_tags(std::slice::from_ref(&table.0), &untidy.into_iter().collect()).expect("tagged");
    });
    assert_eq!(bench.list().await.claims, std::slice::from_ref(&claim));
    bench.backend.fix(&Fix::DropClaim { table, claim }).await.expect("removed");
    assert_eq!(bench.list().await.claims, []);
}
