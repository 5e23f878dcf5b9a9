//! What `list_routes` shows.

use ipnet::IpNet;
use kroutes_core::{Destination, ErrorKind, Life, Origin, RouteState, Table, TableId, Target};

use crate::bench::{Bench, find, to};
use crate::{Outcome, Skip};

/// A range that no cluster of the suite has: TEST-NET-2 (RFC 5737).
pub(super) fn elsewhere() -> IpNet {
    "198.51.100.0/24".parse().expect("a network")
}

fn net(table: &Table, net: IpNet) -> Option<&kroutes_core::ObservedRoute> {
    table.routes.iter().find(|route| route.destination == Destination::net(net))
}

/// kubernetes/cloud-provider-aws#1351: a table with more than one instance route could not be listed for a year.
pub async fn a_table_of_many_machine_routes_is_listed_whole(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    subject.outside.add_route_to_a_stranger(elsewhere()).await?;
    let wanted = subject.wanted().await;
    for route in &wanted {
        subject.backend.create_route(&subject.table, route).await.expect("a route is created");
    }
    subject
        .settled("every route is listed, ours and the stranger's", |table| {
            wanted.iter().all(|route| find(table, route).is_some()) && net(table, elsewhere()).is_some()
        })
        .await;
    Ok(())
}

/// cloud-provider-aws#627, deckhouse#5185: one route to an instance that is no node stopped all route work.
pub async fn what_is_no_machine_is_listed_and_blocks_nothing(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    subject.outside.add_route_elsewhere(subject.spare().net()).await?;
    subject.outside.add_route_to_a_stranger(elsewhere()).await?;
    let route = subject.wanted().await.remove(0);
    subject.created(&route).await;
    let table = subject.list().await;
    let gateway = net(&table, subject.spare().net()).expect("the route to what is no machine is listed");
    assert!(matches!(gateway.target, Target::NotAMachine(_)), "it says that it is no machine: {gateway:?}");
    assert!(net(&table, elsewhere()).is_some(), "the route to a stranger is listed");
    Ok(())
}

/// Origin is a fact that ownership rests on.
pub async fn a_propagated_route_says_so(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    subject.outside.propagate_route(elsewhere()).await?;
    let table = subject.list().await;
    let listed = net(&table, elsewhere()).expect("the propagated route is listed");
    assert_eq!(listed.origin, Origin::Propagated);
    Ok(())
}

/// What is no range is listed under its own name, and never taken for one.
pub async fn a_prefix_list_is_a_destination_of_its_own(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let name = subject.outside.add_prefix_list_route().await?;
    let table = subject.list().await;
    let wanted = Destination::Other(name);
    assert!(table.routes.iter().any(|route| route.destination == wanted), "{:#?}", table.routes);
    Ok(())
}

/// A table that is not there is no empty table.
pub async fn a_table_that_is_not_there_is_not_found(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let error = subject.backend.list_routes(&nowhere(&subject.table)).await.expect_err("no such table");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    Ok(())
}

/// An id of the same form as the table's that no table has.
pub(super) fn nowhere(table: &TableId) -> TableId {
    let mut text: Vec<char> = table.0.chars().collect();
    if let Some(last) = text.last_mut() {
        *last = if *last == 'e' { 'd' } else { 'e' };
    }
    TableId(text.into_iter().collect())
}

/// A caller that reads several tables can tell the answers apart.
pub async fn a_table_answers_to_its_own_id(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    assert_eq!(subject.list().await.id, subject.table);
    Ok(())
}

/// A listing whose second page failed was taken for the whole, and what it lacked was deleted.
pub async fn a_listing_whose_second_page_failed_is_an_error(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    subject.outside.break_second_page().await?;
    let listing = subject.backend.list_routes(&subject.table).await;
    assert!(listing.is_err(), "an incomplete listing was taken for the whole: {listing:#?}");
    Ok(())
}

/// The same by way of `observe`: the table is an error in its own place, or the whole is.
pub async fn an_observation_whose_second_page_failed_is_not_taken_for_the_whole(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    subject.outside.break_second_page().await?;
    if let Ok(observation) = subject.backend.observe(subject.topology.workers()).await {
        let read: Vec<_> = observation.tables.iter().filter_map(|reading| reading.table.as_ref().ok()).collect();
        assert!(
            read.iter().all(|table| table.id != subject.table),
            "a short listing was taken for the whole: {read:#?}"
        );
    }
    Ok(())
}

/// EC2 shows a new route late (eventual consistency): asking again for a bounded time has to be enough.
pub async fn what_was_written_is_listed_in_the_end(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let (wanted, moved) = subject.wanted_and_moved().await;
    let listed = subject.created(&wanted).await;
    subject.backend.replace_route(&subject.table, &listed, &moved).await.expect("replaced");
    subject.settled("the replacement is listed", |table| find(table, &moved).is_some()).await;
    Ok(())
}

/// The same for a route that is gone.
pub async fn what_was_deleted_is_gone_from_the_listing_in_the_end(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let route = subject.wanted().await.remove(0);
    let listed = subject.created(&route).await;
    subject.backend.delete_route(&subject.table, &listed, None).await.expect("deleted");
    subject.settled("the route is gone", |table| to(table, &route.destination).is_empty()).await;
    Ok(())
}

/// EC2 canonicalises 100.68.0.18/18; a plan that compares texts never becomes empty.
pub async fn destinations_are_canonical(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let route = subject.wanted().await.remove(0);
    subject.created(&route).await;
    for listed in subject.list().await.routes {
        if let Some(net) = listed.destination.as_net() {
            assert_eq!(net, net.trunc(), "`{net}` has host bits set");
        }
    }
    Ok(())
}

/// ansible `google.cloud` `gcp_compute_route`: a wrong next hop was reported as unchanged.
pub async fn a_route_that_somebody_moved_no_longer_leads_to_the_old_machine(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let (wanted, moved) = subject.wanted_and_moved().await;
    subject.created(&wanted).await;
    subject.outside.move_route(wanted.destination.net(), &moved.worker).await?;
    let table = subject.settled("the move is listed", |table| find(table, &moved).is_some()).await;
    assert!(find(&table, &wanted).is_none(), "it still leads to the old machine: {:#?}", table.routes);
    Ok(())
}

/// Ownership needs to know that the machine is gone, and verify that packets are dropped.
pub async fn a_route_to_a_terminated_machine_is_a_black_hole(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let route = subject.wanted().await.remove(0);
    subject.created(&route).await;
    subject.outside.terminate(&route.worker).await?;
    let table = subject
        .settled("the route is a black hole", |table| {
            to(table, &route.destination).iter().all(|listed| listed.state == RouteState::Blackhole)
        })
        .await;
    for listed in to(&table, &route.destination) {
        if let Target::Machine { life, .. } = &listed.target {
            assert!(matches!(life, Life::Gone(_)), "a complete lookup proves it: {listed:?}");
        }
    }
    Ok(())
}

/// A plan can only warn of a quota before a write if the numbers are right.
pub async fn quotas_count_what_is_there(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let before = subject.list().await.quotas;
    if before.is_empty() {
        return Err(Skip::NotApplicable("the backend knows no quota"));
    }
    let route = subject.wanted().await.remove(0);
    subject.created(&route).await;
    let after = subject.list().await.quotas;
    for (before, after) in before.iter().zip(&after) {
        let counts = before.ipv6.is_none_or(|ipv6| ipv6 == route.destination.is_ipv6());
        assert_eq!(after.used, before.used + u32::from(counts), "{before:?} became {after:?}");
        assert_eq!(after.limit, before.limit);
    }
    Ok(())
}

/// A plan is made from one and judged by the other.
pub async fn observe_and_list_routes_agree(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    subject.outside.add_route_elsewhere(elsewhere()).await?;
    let route = subject.wanted().await.remove(0);
    subject.created(&route).await;
    let mut listed = subject.after_all().await;
    let observation = subject.observe().await;
    let mut observed = observation
        .tables
        .into_iter()
        .filter_map(|reading| reading.table.ok())
        .find(|table| table.id == subject.table)
        .expect("the table is observed");
    let order = |a: &kroutes_core::ObservedRoute, b: &kroutes_core::ObservedRoute| {
        (&a.destination, &a.name, &a.next_hops).cmp(&(&b.destination, &b.name, &b.next_hops))
    };
    listed.routes.sort_by(order);
    observed.routes.sort_by(order);
    assert_eq!(listed, observed);
    Ok(())
}
