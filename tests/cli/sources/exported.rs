//! Tables and instances that are named by what stacks export.

use kroutes_lab::{Fault, FaultKind, Options, Seed, SeedExport};

use crate::cli::world::{World, assert_snapshot, pod_range, seed, transcript};

const HEAD: &str = "[cluster]
name = \"hard-k8s\"
pod-cidr = \"10.200.0.0/16\"

[aws]
route-table = { export = \"hard-k8s-rtb\" }
";

fn worker(nth: usize, export: &str) -> String {
    format!(
        "\n[[worker]]\nname = \"worker-{nth}\"\npod-cidr = \"{}\"\naws = {{ instance = {{ export = \"{export}\" }} }}\n",
        pod_range(nth)
    )
}

fn topology(workers: usize) -> String {
    (0..workers).fold(HEAD.to_owned(), |text, nth| text + &worker(nth, &format!("hard-k8s-worker-{nth}")))
}

/// So many workers, and so many exports beside those of the stacks that made them.
fn stacks(workers: usize, others: usize) -> Seed {
    let mut seed = seed(workers);
    seed.tables[0].export = Some("hard-k8s-rtb".to_owned());
    for (nth, instance) in seed.instances.iter_mut().enumerate() {
        instance.export = Some(format!("hard-k8s-worker-{nth}"));
    }
    // They come before those that are wanted, as far as the cloud sorts at all.
    let other = |nth| SeedExport { name: format!("a-{nth:03}"), value: "vpc-1".to_owned() };
    seed.exports = (0..others).map(other).collect();
    seed
}

#[test]
fn a_table_and_instances_are_those_that_stacks_export() {
    let world = World::new(&topology(3), stacks(3, 0), Options::default());
    world.run("apply").code(0).says("Verdict: as wanted");
    world.assert_all_routed(3);
    world.lab.reset_calls();
    world.run("apply").code(0).says("Nothing to change");
    assert_eq!(world.writes() - world.calls("ListExports"), 0);
    world.run("verify").code(0);
    world.run("destroy --yes").code(0);
    assert_eq!(world.leads(&pod_range(0)), None);
}

/// `ListExports` has no filter and a hundred a page: what is wanted may be on the second.
#[test]
fn every_page_of_exports_is_read_and_only_once_a_run() {
    let alone = stacks(3, 0);
    let world = World::new(&topology(3), alone, Options::default());
    let own = world.lab.cloud(|cloud| cloud.exports().len());
    let world = World::new(&topology(3), stacks(3, 101 - own), Options::default());
    assert_eq!(world.lab.cloud(|cloud| cloud.exports().len()), 101);
    world.run("apply").code(0);
    assert_eq!(world.calls("ListExports"), 2, "{:?}", world.lab.calls());
    world.assert_all_routed(3);
    world.lab.reset_calls();
    world.run("plan --detailed-exitcode").code(0);
    assert_eq!(world.calls("ListExports"), 2);
}

/// A listing whose second page failed was taken for the whole.
#[test]
fn a_page_of_exports_that_fails_is_told_wherever_an_export_is_used() {
    let world = World::new(&topology(2), stacks(2, 150), Options::default());
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("ListExports").after(1));
    let runs = [world.run("plan").code(1), world.run("apply").code(1)];
    assert_eq!(world.leads(&pod_range(0)), None);
    assert_snapshot("exports-denied", &transcript(&runs));
}

#[test]
fn an_export_that_does_not_exist_names_similar_ones_and_fails_alone() {
    let text = topology(2) + &worker(2, "hard-k8s-worker2") + &worker(3, "nothing-like-it");
    let world = World::new(&text, stacks(3, 0), Options::default());
    let runs = [world.run("apply").code(1), world.run("verify").code(1)];
    world.assert_all_routed(2);
    assert_eq!(world.leads(&pod_range(2)), None);
    assert_snapshot("exports-missing", &transcript(&runs));
}

#[test]
fn an_export_of_the_wrong_thing_is_told_with_what_it_is() {
    let text = topology(1) + &worker(1, "hard-k8s-rtb");
    let world = World::new(&text, stacks(2, 0), Options::default());
    world.run("apply").code(1).says("the export `hard-k8s-rtb` is `rtb-").says("no instance id");
    world.assert_all_routed(1);
    world.write("kroutes.toml", topology(1).replace("\"hard-k8s-rtb\"", "\"hard-k8s-worker-0\""));
    world.run("apply").code(1).says("the export `hard-k8s-worker-0` is `i-").says("no route table id");
    // Among tables that can be read, one of the wrong kind fails alone.
    let both = "[{ export = \"hard-k8s-rtb\" }, { export = \"hard-k8s-rtbs\" }]";
    world.write("kroutes.toml", topology(2).replace("{ export = \"hard-k8s-rtb\" }", both));
    let run = world.run("apply").code(1).says("no stack exports `hard-k8s-rtbs` in region `us-west-2`");
    run.says("similar names there: `hard-k8s-rtb`");
    world.assert_all_routed(2);
}
