//! The worlds are themselves worth a test: a property over worlds that are all alike proves nothing.

use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::*;

/// The same worlds every time: what is tested is the strategy, not luck.
fn sample(count: u32, mut look: impl FnMut(&World)) {
    let mut runner = TestRunner::deterministic();
    for _ in 0..count {
        look(&troubled_worlds().new_tree(&mut runner).expect("a world").current());
    }
}

#[test]
fn every_world_can_be_built_and_read() {
    sample(200, |world| {
        let backend = world.backend();
        let observation = observe(&backend, &world.topology);
        assert!(observation.tables.iter().all(|reading| reading.table.is_ok()));
        assert!(backend.writes().is_empty(), "building a world is nobody's write");
        assert_eq!(observation.next_hops.len(), world.topology.ranges().count());
    });
}

#[test]
fn where_destinations_are_unique_no_world_has_two_static_routes_for_one() {
    sample(200, |world| {
        let backend = world.backend();
        if world.character.capabilities.duplicates {
            return;
        }
        let mut seen = std::collections::BTreeSet::new();
        for route in backend.routes(&backend.table()) {
            if route.origin != Origin::Propagated {
                assert!(seen.insert(route.destination.clone()), "{route:?}");
            }
        }
    });
}

#[test]
fn what_is_untouchable_stands_in_the_table_and_is_never_marked() {
    let (mut inside, mut outside, mut touching) = (0, 0, 0);
    sample(200, |world| {
        let backend = world.backend();
        let standing = backend.routes(&backend.table());
        let cluster = world.topology.cluster();
        for route in world.untouchable(&backend) {
            assert!(standing.contains(&route), "{route:?}");
            assert!(!route.marked);
            let Some(net) = route.destination.as_net() else { continue };
            let claim = cluster.pod_cidrs[0].net();
            inside += u32::from(cluster.contains(&net));
            outside += u32::from(!cluster.contains(&net));
            let shares = net.network() == claim.network() || net.broadcast() == claim.broadcast();
            touching += u32::from(shares && !cluster.contains(&net));
        }
    });
    assert!(inside > 20 && outside > 20 && touching > 5, "{inside} inside, {outside} outside, {touching} touching");
}

#[test]
fn a_spare_range_overlaps_no_worker() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..100 {
        let topology = topologies().new_tree(&mut runner).expect("a topology").current();
        for index in 0..16 {
            let spare = topologies::spare(&topology, index);
            assert!(topology.cluster().contains(&spare), "{spare}");
            assert!(topology.ranges().all(|(_, cidr)| !kroutes_core::overlap(&cidr.net(), &spare)), "{spare}");
        }
    }
}

#[test]
fn worlds_shrink_to_one_worker() {
    let mut tree = worlds().new_tree(&mut TestRunner::deterministic()).expect("a world");
    for _ in 0..10_000 {
        if !tree.simplify() {
            break;
        }
    }
    assert_eq!(tree.current().topology.workers().len(), 1);
}
