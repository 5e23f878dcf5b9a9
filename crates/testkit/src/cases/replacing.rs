//! What `replace_route` does.

use kroutes_core::{ErrorKind, ObservedRoute, Origin, RouteState};

use crate::bench::{Bench, find, to};
use crate::{Outcome, Skip};

/// kubernetes#98359: a node's address changed, and the route never followed.
pub async fn a_replaced_route_leads_to_the_new_machine_only(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let (wanted, moved) = subject.wanted_and_moved().await;
    let listed = subject.created(&wanted).await;
    let others = subject.list().await.routes.len() - 1;
    subject.backend.replace_route(&subject.table, &listed, &moved).await.expect("replaced");
    let table = subject
        .settled("the new route stands alone", |table| {
            find(table, &moved).is_some() && to(table, &wanted.destination).len() == 1
        })
        .await;
    assert_eq!(table.routes.len(), others + 1, "nothing else came or went: {:#?}", table.routes);
    let new = find(&table, &moved).expect("listed just now");
    assert_eq!(new.marked, subject.capabilities().marks, "it bears our mark as a created one does");
    Ok(())
}

/// Writes are idempotent: where `from` is gone and `to` is there already it is `Ok`.
pub async fn replacing_again_is_ok(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let (wanted, moved) = subject.wanted_and_moved().await;
    let listed = subject.created(&wanted).await;
    for _ in 0..2 {
        subject.backend.replace_route(&subject.table, &listed, &moved).await.expect("replaced");
    }
    subject
        .settled("the new route stands alone", |table| {
            find(table, &moved).is_some() && to(table, &wanted.destination).len() == 1
        })
        .await;
    Ok(())
}

/// Somebody else was faster, or a plan is older than the world.
pub async fn replacing_what_is_right_already_is_ok(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let wanted = subject.wanted().await.remove(0);
    let listed = subject.created(&wanted).await;
    subject.backend.replace_route(&subject.table, &listed, &wanted).await.expect("it is right already");
    let table = subject.after_all().await;
    assert_eq!(to(&table, &wanted.destination).len(), 1, "{:#?}", table.routes);
    assert!(find(&table, &wanted).is_some());
    Ok(())
}

/// EC2 answers this with the generic `InvalidParameterValue` ("There is no route defined for ..."). A replacement never
/// becomes a creation.
pub async fn replacing_what_is_not_there_is_not_found(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let (wanted, moved) = subject.wanted_and_moved().await;
    let listed = subject.created(&wanted).await;
    subject.backend.delete_route(&subject.table, &listed, None).await.expect("deleted");
    subject.settled("the route is gone", |table| to(table, &wanted.destination).is_empty()).await;
    let error = subject.backend.replace_route(&subject.table, &listed, &moved).await.expect_err("nothing to replace");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(to(&subject.after_all().await, &wanted.destination).is_empty());
    Ok(())
}

/// cluster-api-provider-azure#682: two writers on one table lost each other's updates.
pub async fn where_writes_are_conditional_a_changed_route_is_not_replaced(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    if !subject.capabilities().conditional_writes {
        return Err(Skip::NotApplicable("the provider does not compare before it writes"));
    }
    let (wanted, moved) = subject.wanted_and_moved().await;
    let listed = subject.created(&wanted).await;
    subject.outside.move_route(wanted.destination.net(), &moved.worker).await?;
    let third = subject.wanted().await.into_iter().find(|route| {
        ![&wanted.worker, &moved.worker].contains(&&route.worker)
            && route.destination.is_ipv6() == wanted.destination.is_ipv6()
    });
    let third = kroutes_core::Route { destination: wanted.destination, ..third.expect("a third worker") };
    let error = subject.backend.replace_route(&subject.table, &listed, &third).await.expect_err("it has changed");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let table = subject.after_all().await;
    assert!(find(&table, &moved).is_some() && find(&table, &third).is_none(), "{:#?}", table.routes);
    Ok(())
}

/// A dropped connection after the write leaves the caller not knowing.
pub async fn a_replace_whose_answer_was_lost_can_be_tried_again(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let (wanted, moved) = subject.wanted_and_moved().await;
    let listed = subject.created(&wanted).await;
    subject.outside.lose_next_answer().await?;
    if let Err(error) = subject.backend.replace_route(&subject.table, &listed, &moved).await {
        assert!(error.is_ambiguous(), "only reading can tell, and the error does not say so: {error}");
        subject.backend.replace_route(&subject.table, &listed, &moved).await.expect("again is ok");
    }
    subject
        .settled("the new route stands alone", |table| {
            find(table, &moved).is_some() && to(table, &wanted.destination).len() == 1
        })
        .await;
    Ok(())
}

/// kubernetes-sigs/cloud-provider-azure#11003, #11007: a failed write was reported as success for two years.
pub async fn a_refused_replace_reaches_the_caller_and_leaves_the_old_route(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let (wanted, moved) = subject.wanted_and_moved().await;
    let listed = subject.created(&wanted).await;
    subject.outside.refuse_writes(true).await?;
    let result = subject.backend.replace_route(&subject.table, &listed, &moved).await;
    assert!(result.is_err(), "the write was refused, and the caller was told that all is well");
    subject.outside.refuse_writes(false).await?;
    let table = subject.after_all().await;
    assert!(find(&table, &wanted).is_some() && find(&table, &moved).is_none(), "{:#?}", table.routes);
    Ok(())
}

/// No moment passes without a route where the replacement is atomic; elsewhere the new one goes in before the old one is
/// removed.
pub async fn no_listing_during_a_replacement_lacks_the_destination(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let capabilities = subject.capabilities();
    if !capabilities.atomic_replace && !capabilities.duplicates {
        return Err(Skip::NotApplicable("the provider has no way to replace a route without a gap"));
    }
    let (wanted, moved) = subject.wanted_and_moved().await;
    let mut from = subject.created(&wanted).await;
    for target in [&moved, &wanted, &moved, &wanted] {
        let mut write = subject.backend.replace_route(&subject.table, &from, target);
        let written = loop {
            tokio::select! {
                biased;
                written = &mut write => break written,
                table = subject.list() => assert!(!to(&table, &wanted.destination).is_empty(), "a gap: {table:#?}"),
            }
        };
        written.expect("replaced");
        drop(write);
        let table = subject
            .settled("the new route stands alone", |table| {
                find(table, target).is_some() && to(table, &wanted.destination).len() == 1
            })
            .await;
        from = find(&table, target).expect("listed just now").clone();
    }
    Ok(())
}

/// A route too many for a wanted destination is replaced by the right one that is there already, whose entry stays.
pub async fn a_surplus_route_gives_way_to_the_one_that_is_there(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    if !subject.capabilities().duplicates {
        return Err(Skip::NotApplicable("a table holds one route per destination"));
    }
    let (wanted, moved) = subject.wanted_and_moved().await;
    let right = subject.created(&wanted).await;
    let surplus = subject.created(&moved).await;
    subject.backend.replace_route(&subject.table, &surplus, &wanted).await.expect("replaced");
    let alone = |table: &kroutes_core::Table| to(table, &wanted.destination).len() == 1;
    let table = subject.settled("one route is left", alone).await;
    let left: ObservedRoute = find(&table, &wanted).expect("the right one").clone();
    assert!(left.is_same_entry(&right), "{right:?} became {left:?}");
    assert_eq!((left.origin, left.state), (Origin::Static, RouteState::Active));
    Ok(())
}
