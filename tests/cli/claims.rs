//! The tag by which a cluster says that a table's ranges are its own.

use kroutes_lab::{Fault, FaultKind};

use super::world::{HEAD, World, assert_snapshot, topology, transcript, worker};

const KEY: &str = "kroutes/kubernetes";

#[test]
fn the_claim_is_set_before_the_first_route_and_removed_after_the_last() {
    let world = World::of(3);
    assert_eq!(world.run("plan -o json").code(0).json()["tables"][0]["claim"], "to-set");
    world.run("apply").code(0);
    assert_eq!(world.tags().get(KEY).map(String::as_str), Some("10.200.0.0/16"));
    assert_eq!(world.run("plan -o json").code(0).json()["tables"][0]["claim"], "ours");
    world.run("destroy --yes").code(0);
    assert_eq!(world.tags().get(KEY), None);
}

/// kubernetes-sigs/cluster-api-provider-azure#682, kubernetes/cloud-provider-openstack#3128: two writers on one table.
#[test]
fn another_clusters_claim_on_our_range_refuses_every_change() {
    let world = World::of(3);
    world.tag("kroutes/other", "10.200.128.0/17");
    let before = world.picture();
    let runs = [
        world.run("plan").code(0),
        world.run("plan --detailed-exitcode").code(2),
        world.run("apply").code(3),
        world.run("apply --take-over --yes").code(3),
        world.run("destroy --yes").code(3),
        world.run("verify").code(2),
        world.run("apply -o json").code(3),
    ];
    assert_eq!(world.picture(), before);
    assert_eq!(world.writes(), 0);
    for run in runs.iter().filter(|run| run.code == Some(3)) {
        for words in [
            "other",
            "kubernetes",
            &format!("aws ec2 delete-tags --region us-west-2 --resources {} --tags Key=kroutes/other", world.table),
        ] {
            assert!(run.err.contains(words), "{words} is not in {run}");
        }
    }
    assert_snapshot("claimed-by-another", &transcript(&runs[..6]));
}

#[test]
fn a_verify_that_finds_all_routes_right_is_still_not_ok_under_another_clusters_claim() {
    let world = World::of(3);
    world.run("apply").code(0);
    world.run("verify").code(0);
    world.tag("kroutes/other", "10.200.0.0/16");
    world.run("verify").code(2);
    world.run("apply").code(3);
}

#[test]
fn a_claim_of_another_cluster_elsewhere_is_none_of_our_business() {
    let world = World::of(3);
    world.tag("kroutes/other", "10.201.0.0/16");
    world.run("apply").code(0);
    world.run("destroy --yes").code(0);
    assert_eq!(world.tags().get("kroutes/other").map(String::as_str), Some("10.201.0.0/16"));
}

#[test]
fn a_claim_of_our_name_for_quite_other_ranges_is_another_clusters() {
    let world = World::of(3);
    world.tag(KEY, "10.99.0.0/16");
    let before = world.picture();
    let run = world.run("apply").code(3);
    assert_eq!(world.picture(), before);
    assert_snapshot("claim-of-our-name", &transcript([&run]));
}

#[test]
fn without_permission_to_tag_it_works_on_and_says_so() {
    let world = World::of(3);
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("CreateTags"));
    let applied = world.run("apply").code(0).says("no permission to tag");
    world.assert_all_routed(3);
    assert_eq!(world.tags().get(KEY), None);
    world.run("apply").code(0).says("Nothing to change");
    world.run("destroy --yes").code(0);
    let json = world.run("apply -o json").code(0);
    assert_eq!(json.json()["tables"][0]["claim"], "denied");
    assert_snapshot("claim-denied", &transcript([&applied]));
}

#[test]
fn a_claim_that_cannot_be_removed_fails_the_destroy() {
    let world = World::of(3);
    world.run("apply").code(0);
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("DeleteTags"));
    let run = world.run("destroy --yes").code(1);
    assert_eq!(world.leads("10.200.0.0/24"), None);
    world.lab.clear_faults();
    let again = world.run("destroy --yes").code(0);
    assert_eq!(world.tags().get(KEY), None);
    assert_snapshot("claim-stays", &transcript([&run, &again]));
}

#[test]
fn two_clusters_share_a_table_without_a_word() {
    let world = World::of(6);
    let second = HEAD.replace("kubernetes\"\npod", "second\"\npod").replace("10.200.0.0/16", "10.201.0.0/16")
        + &(3..6).map(|nth| worker(nth).replace("10.200.", "10.201.")).collect::<String>();
    world.write("kroutes.toml", topology(3));
    world.write("second.toml", second);
    world.run("apply").code(0);
    world.run("apply -f second.toml").code(0);
    world.run("apply --prune --yes").code(0).says("Nothing to change");
    world.run("destroy --yes").code(0);
    world.run("verify -f second.toml").code(0);
    assert_eq!(world.leads("10.201.3.0/24").as_deref(), Some("worker-3"));
    assert_eq!(world.leads("10.200.0.0/24"), None);
}
