//! What the conformance suite cannot ask by way of the contract: the handles that tests hold on to.

use super::*;
use crate::{Cluster, ErrorKind, Fix, MachineRef, NextHop, Route, RouteBackend as _, RouteState, Topology, Worker};

fn topology() -> Topology {
    let worker = |index: u8| Worker {
        name: format!("worker-{index}").parse().expect("a name"),
        pod_cidrs: vec![format!("10.200.{index}.0/24").parse().expect("a range")],
        addresses: Vec::new(),
        machine: MachineRef::Name(format!("worker-{index}")),
    };
    let cluster = Cluster {
        name: "kubernetes".parse().expect("a name"),
        pod_cidrs: vec!["10.200.0.0/16".parse().expect("a range")],
        service_cidrs: Vec::new(),
    };
    Topology::new(cluster, (0..3).map(worker).collect()).expect("a sound topology")
}

fn backend(character: Character) -> (MemoryBackend, TableId, Vec<Route>) {
    let backend = MemoryBackend::for_topology(&topology(), character);
    let (table, wanted) = (backend.table(), backend.wanted(&topology()).expect("next hops"));
    (backend, table, wanted)
}

fn holds(routes: &[ObservedRoute], route: &Route) -> bool {
    routes.iter().any(|listed| listed.is_as_wanted(route))
}

fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable, "no answer")
}

#[tokio::test]
async fn a_listing_lags_by_a_count_of_listings() {
    let (backend, table, wanted) = backend(Character::ec2().with_lag(2));
    backend.create_route(&table, &wanted[0]).await.expect("created");
    let mut shown = Vec::new();
    for _ in 0..4 {
        shown.push(holds(&backend.list_routes(&table).await.expect("a listing").routes, &wanted[0]));
    }
    assert_eq!(shown, [false, false, true, true]);
    assert!(holds(&backend.routes(&table), &wanted[0]), "what is really there does not lag");
}

#[tokio::test]
async fn a_failure_after_the_effect_is_ambiguous_and_took_effect() {
    let (backend, table, wanted) = backend(Character::ec2());
    backend.fail(Failure::of(Call::Create, unavailable()).from_nth(2).after_the_effect());
    backend.create_route(&table, &wanted[0]).await.expect("the first one is not struck");
    let error = backend.create_route(&table, &wanted[1]).await.expect_err("the second one is");
    assert!(error.is_ambiguous() && holds(&backend.routes(&table), &wanted[1]));
    backend.create_route(&table, &wanted[2]).await.expect("the third one is not");
    let outcomes: Vec<_> = backend.writes().into_iter().map(|write| write.outcome).collect();
    assert_eq!(outcomes, [Some(Ok(())), Some(Err(ErrorKind::Unavailable)), Some(Ok(()))]);
}

#[tokio::test]
async fn chance_is_the_same_for_the_same_seed() {
    let run = async |seed: u64| {
        let (backend, table, wanted) = backend(Character::ec2());
        backend.set_seed(seed);
        backend.fail(Failure::of(Call::Create, unavailable()).for_ever().chance(50));
        let mut results = Vec::new();
        for _ in 0..20 {
            results.push(backend.create_route(&table, &wanted[0]).await.is_ok());
        }
        results
    };
    assert_eq!(run(7).await, run(7).await);
    assert!(run(7).await.contains(&true) && run(7).await.contains(&false));
}

#[tokio::test]
#[should_panic(expected = "a write where only reading is allowed")]
async fn a_forbidden_write_panics() {
    let (backend, table, wanted) = backend(Character::ec2());
    backend.forbid_writes();
    backend.list_routes(&table).await.expect("reading is allowed");
    let _ = backend.create_route(&table, &wanted[0]).await;
}

#[tokio::test]
async fn history_shows_the_gap_of_a_replacement_that_is_not_atomic() {
    for (atomic, gaps) in [(true, 0), (false, 1)] {
        let mut character = Character::ec2();
        character.capabilities.atomic_replace = atomic;
        let (backend, table, wanted) = backend(character);
        backend.provision(&table, &topology()).expect("provisioned");
        let from = backend.routes(&table).into_iter().find(|route| route.is_as_wanted(&wanted[0])).expect("there");
        let to = Route { next_hop: wanted[1].next_hop.clone(), ..wanted[0].clone() };
        backend.replace_route(&table, &from, &to).await.expect("replaced");
        assert_eq!(backend.gaps(&table, &from.destination), gaps, "atomic: {atomic}");
    }
    let (backend, table, wanted) = backend(Character::gcp());
    backend.provision(&table, &topology()).expect("provisioned");
    backend.start_afresh();
    let from = backend.routes(&table).into_iter().find(|route| route.is_as_wanted(&wanted[0])).expect("there");
    let to = Route { next_hop: wanted[1].next_hop.clone(), ..wanted[0].clone() };
    backend.replace_route(&table, &from, &to).await.expect("replaced");
    assert_eq!(backend.gaps(&table, &from.destination), 0, "the new one goes in before the old one is removed");
    assert_eq!(backend.history(&table).len(), 3, "a beginning, an insertion and a deletion");
}

#[tokio::test]
async fn writes_to_one_destination_at_once_are_noticed() {
    let (backend, table, wanted) = backend(Character::ec2());
    let (first, second) =
        tokio::join!(backend.create_route(&table, &wanted[0]), backend.create_route(&table, &wanted[0]));
    first.and(second).expect("both are ok");
    assert_eq!(backend.overlaps(), [Destination::Net(wanted[0].destination.net())]);
    backend.start_afresh();
    let (first, second) =
        tokio::join!(backend.create_route(&table, &wanted[1]), backend.create_route(&table, &wanted[2]));
    first.and(second).expect("both are ok");
    assert_eq!((backend.overlaps(), backend.most_at_once()), (Vec::new(), 2));
}

#[tokio::test]
async fn another_writer_can_come_in_right_before_a_write() {
    let (backend, table, wanted) = backend(Character::ec2());
    let destination = Destination::Net(wanted[0].destination.net());
    let (place, nat) = (table.clone(), backend.route_elsewhere(destination, "nat-gateway", "nat-1"));
    backend.before(Call::Create, 1, move |world| world.plant(&place, nat));
    let error = backend.create_route(&table, &wanted[0]).await.expect_err("somebody was faster");
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_dropped_write_has_no_outcome_and_is_no_longer_on_its_way() {
    let (backend, table, wanted) = backend(Character::ec2());
    tokio::select! {
        biased;
        result = backend.create_route(&table, &wanted[0]) => panic!("it gives way at least once: {result:?}"),
        () = std::future::ready(()) => {}
    }
    assert!(backend.writes()[0].outcome.is_none() && !holds(&backend.routes(&table), &wanted[0]));
    backend.create_route(&table, &wanted[0]).await.expect("created");
    assert_eq!(backend.overlaps(), []);
}

#[tokio::test]
async fn a_stopped_machine_makes_a_black_hole_until_it_runs() {
    for character in [Character::ec2(), Character::gcp()] {
        let (backend, table, wanted) = backend(character);
        backend.create_route(&table, &wanted[0]).await.expect("created");
        let id = backend.machine_of(&topology().workers()[0]).expect("its machine").id;
        let state = || {
            let routes = backend.routes(&table);
            routes.into_iter().find(|route| route.is_as_wanted(&wanted[0])).map(|route| route.state)
        };
        backend.stop(&id);
        assert_eq!(state(), Some(RouteState::Blackhole));
        backend.change_machine(&id, |machine| machine.running = true);
        assert_eq!(state(), Some(RouteState::Active));
    }
}

/// EC2 API Reference, `ModifyInstanceAttribute`: refused for an instance with several interfaces.
#[tokio::test]
async fn a_machine_with_several_interfaces_is_not_to_be_named_by_its_id() {
    let (backend, table, wanted) = backend(Character::ec2());
    let id = backend.machine_of(&topology().workers()[0]).expect("its machine").id;
    backend.change_machine(&id, |machine| machine.interfaces.push("eni-second".to_owned()));
    let by_id = Fix::SourceDestCheckOff { worker: wanted[0].worker.clone(), target: NextHop::Instance(id) };
    assert!(backend.create_route(&table, &wanted[0]).await.is_err());
    assert!(backend.fix(&by_id).await.is_err());
    let again = backend.wanted(&topology()).expect("next hops").remove(0);
    assert!(matches!(again.next_hop, NextHop::Interface(_)));
    backend.create_route(&table, &again).await.expect("the primary interface will do");
}
