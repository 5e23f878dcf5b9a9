//! How many calls a command costs, counted by the cloud that is called.

use std::collections::BTreeMap;
use std::time::Duration;

use kroutes_lab::Options;

use crate::cli::world::World;
use crate::cli::world::compute::{address, options, seed, topology};

fn calls(rows: &[(&str, u64)]) -> BTreeMap<String, u64> {
    rows.iter().map(|(action, count)| ((*action).to_owned(), *count)).collect()
}

#[test]
fn a_run_that_has_nothing_to_do_costs_one_call_for_the_network_one_for_its_routes_and_one_for_the_instances() {
    let world = World::gcp(3);
    world.run("apply").code(0);
    for words in ["apply", "verify", "plan", "routes"] {
        world.lab.reset_calls();
        world.run(words).code(0);
        let expected = calls(&[("instances.aggregatedList", 1), ("networks.get", 1), ("routes.list", 1)]);
        assert_eq!(world.lab.calls(), expected, "{words}");
    }
}

#[test]
fn a_service_account_costs_one_token_a_run() {
    let mut world = World::gcp(3);
    world.use_key();
    world.run("apply").code(0);
    assert_eq!(world.calls("oauth2.token"), 1, "{:?}", world.lab.calls());
}

/// Google publishes 1,500 requests a minute for each group of methods; the cloud here counts them so.
#[test]
fn five_hundred_workers_cost_five_hundred_inserts_and_a_few_looks_at_what_became_of_them() {
    const WORKERS: usize = 500;
    let options = Options { published_buckets: true, operation_delay: Duration::from_millis(300), ..options() };
    let world = World::new_gcp(&topology(WORKERS), seed(WORKERS), options);
    let report = world.run("apply -o json").code(0).json();
    world.assert_all_lead(WORKERS, address);
    let counted = world.lab.calls();
    assert_eq!(report["summary"]["api-calls"], serde_json::to_value(&counted).expect("numbers"));
    assert_eq!(report["summary"]["done"], 500);
    assert!(world.lab.throttled().is_empty(), "{:?}", world.lab.throttled());
    let looks = counted.get("globalOperations.list").copied().unwrap_or_default();
    assert!((1..=60).contains(&looks), "{counted:?}");
    let rest: BTreeMap<_, _> = counted.into_iter().filter(|(action, _)| action != "globalOperations.list").collect();
    // Read once and read back once: 2 pages of routes after, 1 before.
    let expected =
        calls(&[("instances.aggregatedList", 1), ("networks.get", 1), ("routes.insert", 500), ("routes.list", 3)]);
    assert_eq!(rest, expected);
    // What may be asked for at once, well within the 1,500 of a minute.
    assert!((2..500).contains(&world.lab.most_operations()), "{}", world.lab.most_operations());

    world.lab.reset_calls();
    world.run("apply").code(0).says("Nothing to change");
    let expected = calls(&[("instances.aggregatedList", 1), ("networks.get", 1), ("routes.list", 2)]);
    assert_eq!(world.lab.calls(), expected);
}

#[test]
fn a_replacement_costs_one_insert_one_deletion_and_a_look_at_each() {
    let world = World::gcp(1);
    world.run("apply").code(0);
    world.write("kroutes.toml", topology(1).replace("[gcp]\n", "[gcp]\npriority = 500\n"));
    world.lab.reset_calls();
    world.run("apply --yes").code(0);
    assert_eq!((world.calls("routes.insert"), world.calls("routes.delete")), (1, 1), "{:?}", world.lab.calls());
    assert_eq!(
        world.calls("globalOperations.wait") + world.calls("globalOperations.get"),
        0,
        "{:?}",
        world.lab.calls()
    );
}
