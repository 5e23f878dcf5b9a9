//! What `delete_route` does.

use kroutes_core::{Destination, ErrorKind};

use super::listing::elsewhere;
use crate::bench::{Bench, find, to};
use crate::{Outcome, Skip};

/// Deleting by name prefix took `worker-10` with `worker-1`; ansible `amazon.aws` `ec2_vpc_route_table` deleted the default
/// route because it was not listed. One call takes one route.
pub async fn a_deleted_route_is_gone_and_all_others_stay(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    subject.outside.add_route_elsewhere(elsewhere()).await?;
    let wanted = subject.wanted().await;
    for route in &wanted {
        subject.created(route).await;
    }
    let before = subject.after_all().await;
    let doomed = find(&before, &wanted[1]).expect("it was created").clone();
    subject.backend.delete_route(&subject.table, &doomed, None).await.expect("deleted");
    let after = subject.settled("the route is gone", |table| to(table, &wanted[1].destination).is_empty()).await;
    assert_eq!(after.routes.len(), before.routes.len() - 1, "{:#?}", after.routes);
    for route in before.routes.iter().filter(|route| route.destination != doomed.destination) {
        assert!(after.routes.iter().any(|left| left.is_same_entry(route)), "{route:?} is gone, too");
    }
    assert!(after.routes.iter().any(|route| route.destination == Destination::net(elsewhere())));
    Ok(())
}

/// Writes are idempotent.
pub async fn deleting_what_is_absent_is_ok(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let route = subject.wanted().await.remove(0);
    let listed = subject.created(&route).await;
    for _ in 0..2 {
        subject.backend.delete_route(&subject.table, &listed, None).await.expect("deleted");
    }
    subject.settled("the route is gone", |table| to(table, &route.destination).is_empty()).await;
    subject.backend.delete_route(&subject.table, &listed, None).await.expect("absent is ok");
    Ok(())
}

/// The delete of an old black hole ran beside the create for the same CIDR and removed the new route.
pub async fn where_writes_are_conditional_a_changed_route_is_not_deleted(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    if !subject.capabilities().conditional_writes {
        return Err(Skip::NotApplicable("the provider does not compare before it writes"));
    }
    let (wanted, moved) = subject.wanted_and_moved().await;
    let listed = subject.created(&wanted).await;
    subject.outside.move_route(wanted.destination.net(), &moved.worker).await?;
    let error = subject.backend.delete_route(&subject.table, &listed, None).await.expect_err("it has changed");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let table = subject.after_all().await;
    assert!(find(&table, &moved).is_some(), "{:#?}", table.routes);
    Ok(())
}

/// A dropped connection after the write leaves the caller not knowing.
pub async fn a_delete_whose_answer_was_lost_can_be_tried_again(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let route = subject.wanted().await.remove(0);
    let listed = subject.created(&route).await;
    subject.outside.lose_next_answer().await?;
    if let Err(error) = subject.backend.delete_route(&subject.table, &listed, None).await {
        assert!(error.is_ambiguous(), "only reading can tell, and the error does not say so: {error}");
        subject.backend.delete_route(&subject.table, &listed, None).await.expect("again is ok");
    }
    subject.settled("the route is gone", |table| to(table, &route.destination).is_empty()).await;
    Ok(())
}

/// kubernetes-sigs/cloud-provider-azure#11003, #11007: a failed write was reported as success for two years.
pub async fn a_refused_delete_reaches_the_caller_and_leaves_the_route(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let route = subject.wanted().await.remove(0);
    let listed = subject.created(&route).await;
    subject.outside.refuse_writes(true).await?;
    let result = subject.backend.delete_route(&subject.table, &listed, None).await;
    assert!(result.is_err(), "the write was refused, and the caller was told that all is well");
    subject.outside.refuse_writes(false).await?;
    assert!(find(&subject.after_all().await, &route).is_some());
    Ok(())
}

/// Where two routes share a destination, it does not say which of them is meant.
pub async fn where_duplicates_are_possible_the_twin_stays(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    if !subject.capabilities().duplicates {
        return Err(Skip::NotApplicable("a table holds one route per destination"));
    }
    let (wanted, moved) = subject.wanted_and_moved().await;
    let listed = subject.created(&wanted).await;
    subject.created(&moved).await;
    subject.backend.delete_route(&subject.table, &listed, None).await.expect("deleted");
    let table = subject.settled("one of the two is gone", |table| find(table, &wanted).is_none()).await;
    assert!(find(&table, &moved).is_some(), "the twin is gone, too: {:#?}", table.routes);
    Ok(())
}

/// A listing that lags shows what has been deleted since; whoever removed the route beside it would leave nothing.
pub async fn nothing_goes_while_what_should_stay_is_gone(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    if !subject.capabilities().duplicates {
        return Err(Skip::NotApplicable("a table holds one route per destination"));
    }
    let (wanted, moved) = subject.wanted_and_moved().await;
    let stays = subject.created(&wanted).await;
    let goes = subject.created(&moved).await;
    subject.backend.delete_route(&subject.table, &stays, None).await.expect("deleted");
    let error = subject.backend.delete_route(&subject.table, &goes, Some(&stays)).await.expect_err("a lone route");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let again = subject.created(&wanted).await;
    subject.backend.delete_route(&subject.table, &goes, Some(&again)).await.expect("deleted");
    let alone = |table: &kroutes_core::Table| to(table, &wanted.destination).len() == 1;
    let table = subject.settled("one route is left", alone).await;
    assert!(find(&table, &wanted).is_some(), "{:#?}", table.routes);
    Ok(())
}

/// deckhouse#14215: what a restart left behind blocked new routes. What leads nowhere can be removed like any other.
pub async fn a_route_to_a_terminated_machine_can_be_deleted(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let route = subject.wanted().await.remove(0);
    subject.created(&route).await;
    subject.outside.terminate(&route.worker).await?;
    let table = subject.list().await;
    let listed = to(&table, &route.destination).first().map(|listed| (*listed).clone()).expect("it stays");
    subject.backend.delete_route(&subject.table, &listed, None).await.expect("deleted");
    subject.settled("the route is gone", |table| to(table, &route.destination).is_empty()).await;
    Ok(())
}
