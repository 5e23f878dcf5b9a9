//! What `create_route` does.

use kroutes_core::{Destination, ErrorKind, NextHop, Origin, RouteState};

use super::listing::{elsewhere, nowhere};
use crate::bench::{Bench, Subject, find, to};
use crate::{Outcome, Skip};

async fn becomes_as_wanted(subject: &Subject, route: &kroutes_core::Route) {
    let listed = subject.created(route).await;
    let capabilities = subject.capabilities();
    assert_eq!(listed.destination, Destination::Net(route.destination.net()));
    assert!(listed.leads_to(&route.next_hop), "{listed:?} does not lead to `{}`", route.next_hop);
    assert_eq!(listed.deviation, None);
    assert_eq!(listed.origin, Origin::Static);
    assert_eq!(listed.state, RouteState::Active);
    assert_eq!(listed.marked, capabilities.marks, "our mark, exactly where there are marks");
    assert_eq!(listed.precedence, capabilities.precedence);
}

/// What is written is what a later listing calls as wanted.
pub async fn a_created_route_is_as_wanted(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let route = subject.wanted().await.remove(0);
    becomes_as_wanted(&subject, &route).await;
    Ok(())
}

/// The same for the other family.
pub async fn an_ipv6_route_is_as_wanted(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    if !subject.capabilities().ipv6 {
        return Err(Skip::NotApplicable("IPv6 is not possible"));
    }
    let route = subject.wanted().await.into_iter().find(|route| route.destination.is_ipv6());
    let Some(route) = route else { return Err(Skip::Unable("offer a worker with an IPv6 range")) };
    becomes_as_wanted(&subject, &route).await;
    Ok(())
}

/// aws/eks-hybrid#650: a rerun failed because the route existed. flannel awsvpc: a correct one was made again at every
/// start.
pub async fn creating_an_identical_route_is_ok_and_makes_no_second_one(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let route = subject.wanted().await.remove(0);
    let before = subject.created(&route).await;
    subject.backend.create_route(&subject.table, &route).await.expect("an identical route is there");
    let after = subject.after_all().await;
    let [listed] = to(&after, &route.destination)[..] else { panic!("not one route: {:#?}", after.routes) };
    assert!(listed.is_same_entry(&before), "{before:?} became {listed:?}");
    Ok(())
}

/// kubernetes#38701: any 409 on insert counted as success.
pub async fn creating_over_another_route_is_a_conflict_that_changes_nothing(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    if subject.capabilities().duplicates {
        return Err(Skip::NotApplicable("a table may hold several routes for one destination"));
    }
    let (wanted, moved) = subject.wanted_and_moved().await;
    subject.created(&wanted).await;
    let error = subject.backend.create_route(&subject.table, &moved).await.expect_err("another one is there");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let after = subject.after_all().await;
    assert_eq!(to(&after, &wanted.destination).len(), 1);
    assert!(find(&after, &wanted).is_some(), "it was changed: {:#?}", after.routes);
    Ok(())
}

/// Equal destination under another name is allowed on Google Cloud (Compute API reference, routes).
pub async fn where_duplicates_are_possible_a_route_is_created_beside_another(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    if !subject.capabilities().duplicates {
        return Err(Skip::NotApplicable("a table holds one route per destination"));
    }
    let (wanted, moved) = subject.wanted_and_moved().await;
    subject.created(&wanted).await;
    subject.created(&moved).await;
    let table = subject.list().await;
    assert_eq!(to(&table, &wanted.destination).len(), 2, "{:#?}", table.routes);
    assert!(find(&table, &wanted).is_some(), "the one that was there stays");
    Ok(())
}

/// A create that had succeeded came back as `RouteAlreadyExists` after a dropped connection: an ambiguous answer is settled
/// by reading, or says that it is ambiguous.
pub async fn a_create_whose_answer_was_lost_can_be_tried_again(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let route = subject.wanted().await.remove(0);
    subject.outside.lose_next_answer().await?;
    if let Err(error) = subject.backend.create_route(&subject.table, &route).await {
        assert!(error.is_ambiguous(), "only reading can tell, and the error does not say so: {error}");
    }
    subject.created(&route).await;
    let after = subject.after_all().await;
    assert_eq!(to(&after, &route.destination).len(), 1, "{:#?}", after.routes);
    Ok(())
}

/// kubernetes-sigs/cloud-provider-azure#11003, #11007: a failed write was reported as success for two years.
pub async fn a_refused_create_reaches_the_caller_and_makes_nothing(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let route = subject.wanted().await.remove(0);
    subject.outside.refuse_writes(true).await?;
    let error = subject.backend.create_route(&subject.table, &route).await.expect_err("the write was refused");
    assert!(!error.is_ambiguous(), "nothing was made, and the error should not leave it open: {error}");
    subject.outside.refuse_writes(false).await?;
    assert!(to(&subject.after_all().await, &route.destination).is_empty());
    Ok(())
}

/// kubernetes#17627, #41671: an exhausted quota was tried again every ten seconds for ever.
pub async fn a_full_table_is_a_quota_and_not_worth_waiting_for(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let route = subject.wanted().await.remove(0);
    subject.outside.fill_table().await?;
    let error = subject.backend.create_route(&subject.table, &route).await.expect_err("the table is full");
    assert_eq!(error.kind(), ErrorKind::QuotaExceeded, "{error}");
    assert!(!error.is_retryable(), "waiting does not help");
    assert!(to(&subject.after_all().await, &route.destination).is_empty());
    Ok(())
}

/// A write never makes a table.
pub async fn creating_in_a_table_that_is_not_there_is_an_error(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let route = subject.wanted().await.remove(0);
    let error = subject.backend.create_route(&nowhere(&subject.table), &route).await.expect_err("no such table");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    Ok(())
}

/// Between the observation and the write a machine may end.
pub async fn a_route_to_a_machine_that_is_gone_is_an_error(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let route = subject.wanted().await.remove(0);
    if matches!(route.next_hop, NextHop::Address(_)) {
        return Err(Skip::NotApplicable("a route may lead to an address that nobody has"));
    }
    subject.outside.terminate(&route.worker).await?;
    let result = subject.backend.create_route(&subject.table, &route).await;
    assert!(result.is_err(), "a route was made to a machine that is gone");
    assert!(to(&subject.after_all().await, &route.destination).is_empty());
    Ok(())
}

/// Creations run at once; a table that is written whole loses some of them.
pub async fn routes_created_at_once_all_arrive(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    subject.outside.add_route_elsewhere(elsewhere()).await?;
    let wanted = subject.wanted().await;
    let mut writes = tokio::task::JoinSet::new();
    for route in wanted.clone() {
        let (backend, table) = (subject.backend.clone(), subject.table.clone());
        writes.spawn(async move { backend.create_route(&table, &route).await });
    }
    for result in writes.join_all().await {
        result.expect("a route is created");
    }
    let table =
        subject.settled("every route is listed", |table| wanted.iter().all(|route| find(table, route).is_some())).await;
    assert!(table.routes.iter().any(|route| route.destination == Destination::net(elsewhere())), "the other's is lost");
    Ok(())
}

/// external-dns#104, #1517, #4479: one throttled call stopped the program.
pub async fn a_throttled_call_is_waited_out_or_says_that_waiting_helps(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let route = subject.wanted().await.remove(0);
    subject.outside.throttle_once().await?;
    if let Err(error) = subject.backend.create_route(&subject.table, &route).await {
        assert_eq!(error.kind(), ErrorKind::RateLimited, "{error}");
        assert!(error.is_retryable());
    }
    subject.created(&route).await;
    Ok(())
}
