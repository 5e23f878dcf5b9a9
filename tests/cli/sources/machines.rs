//! Machines that a cloud itself knows: found by name or mark, with ranges that they say themselves or that follow from
//! their names.

use kroutes_lab::{Options, Seed, SeedInstance, SeedMachine, SeedNetwork};

use super::clouds::{BOTH, Cloud, aws_seed};
use crate::cli::world::compute::{self, address, options};
use crate::cli::world::{World, assert_snapshot, pod_range, transcript};

const BY_NAME: &str = "\n[source]\nkind = \"cloud\"\nname = \"worker-*\"\npod-cidr = \"instance\"\n";

/// An EC2 instance at the nth address that says this of itself.
fn instance(nth: usize, name: &str, user_data: Option<&str>) -> SeedInstance {
    SeedInstance {
        private_ip: Some(address(nth)),
        user_data: user_data.map(str::to_owned),
        ..SeedInstance::named(name)
    }
}

fn aws(source: &str, instances: Vec<SeedInstance>) -> World {
    let seed = Seed { instances, ..aws_seed(0) };
    World::new(&format!("{}{source}", Cloud::Aws.head()), seed, Options::default())
}

/// A VM at the nth address with this range in its metadata.
fn vm(nth: usize, name: &str, range: Option<&str>) -> SeedMachine {
    SeedMachine {
        address: Some(address(nth)),
        metadata: range.iter().map(|range| ("pod-cidr".to_owned(), (*range).to_owned())).collect(),
        ..SeedMachine::named(name)
    }
}

fn gcp(source: &str, machines: Vec<SeedMachine>) -> World {
    let network = SeedNetwork { machines, ..compute::network(0) };
    let seed = Seed { compute: vec![network], ..Seed::default() };
    World::new_gcp(&format!("{}{source}", Cloud::Gcp.head()), seed, options())
}

/// Three workers that say their ranges, and a machine that is none.
fn three(cloud: Cloud, source: &str) -> World {
    let name = |nth| format!("worker-{nth}");
    match cloud {
        Cloud::Aws => {
            let say = |nth| format!("name=worker-{nth}|pod-cidr={}", pod_range(nth));
            let mut instances: Vec<_> = (0..3).map(|nth| instance(nth, &name(nth), Some(&say(nth)))).collect();
            instances.push(instance(3, "controller-0", Some("pod-cidr=10.200.3.0/24")));
            aws(source, instances)
        }
        Cloud::Gcp => {
            let mut machines: Vec<_> = (0..3).map(|nth| vm(nth, &name(nth), Some(&pod_range(nth)))).collect();
            machines.push(vm(3, "controller-0", Some("10.200.3.0/24")));
            gcp(source, machines)
        }
    }
}

#[test]
fn machines_are_found_by_name_with_the_ranges_that_they_say() {
    for cloud in BOTH {
        let world = three(cloud, BY_NAME);
        world.run("apply").code(0).says("Verdict: as wanted");
        cloud.assert_routed(&world, &[0, 1, 2]);
        world.lab.reset_calls();
        world.run("apply").code(0).says("Nothing to change");
        assert_eq!(world.writes(), 0);
        world.run("verify").code(0);
        world.run("destroy --yes").code(0);
        cloud.assert_routed(&world, &[]);
    }
}

#[test]
fn each_worker_is_told_on_the_way_and_not_among_the_data() {
    for cloud in BOTH {
        let world = three(cloud, BY_NAME);
        let told = "10.240.0.30 10.200.0.0/24\n10.240.0.31 10.200.1.0/24\n10.240.0.32 10.200.2.0/24\n";
        for words in ["plan", "apply", "verify", "routes", "export", "plan -o json"] {
            let run = world.run(words).code(0);
            assert_eq!(run.err, told, "{run}");
            assert!(!run.out.contains("10.240.0.30 10.200.0.0/24"), "{run}");
        }
        assert_eq!(world.run("plan -q").code(0).err, "");
    }
}

#[test]
fn machines_are_found_by_tags_or_labels_all_of_which_they_have() {
    for (cloud, word) in [(Cloud::Aws, "tags"), (Cloud::Gcp, "labels")] {
        let source = format!(
            "\n[source]\nkind = \"cloud\"\n{word} = {{ role = \"worker\", env = \"prod\" }}\npod-cidr = \"instance\"\n"
        );
        let marks = |nth: usize| {
            let env = if nth == 1 { "test" } else { "prod" };
            [("role".to_owned(), "worker".to_owned()), ("env".to_owned(), env.to_owned())]
        };
        let name = |nth: usize| ["one", "other", "third"][nth].to_owned();
        let world = match cloud {
            Cloud::Aws => {
                let of = |nth| {
                    let mut one = instance(nth, &name(nth), Some(&format!("pod-cidr={}", pod_range(nth))));
                    one.tags.extend(marks(nth));
                    one
                };
                aws(&source, (0..3).map(of).collect())
            }
            Cloud::Gcp => {
                let of = |nth| SeedMachine { labels: marks(nth).into(), ..vm(nth, &name(nth), Some(&pod_range(nth))) };
                gcp(&source, (0..3).map(of).collect())
            }
        };
        world.run("apply").code(0);
        let led: Vec<bool> = (0..3).map(|nth| cloud.leads(&world, &pod_range(nth)).is_some()).collect();
        assert_eq!(led, [true, false, true], "{cloud:?}");
    }
}

#[test]
fn ranges_can_follow_from_the_numbers_in_names() {
    for cloud in BOTH {
        let source = BY_NAME.replace("\"instance\"", "\"node-prefix\"");
        let head = cloud.head().replace("10.200.0.0/16\"\n", "10.200.0.0/16\"\nnode-prefix = 24\n");
        let world = match cloud {
            Cloud::Aws => aws(&source, [0, 1, 300].map(|nth| instance(nth, &format!("worker-{nth}"), None)).into()),
            Cloud::Gcp => gcp(&source, [0, 1, 300].map(|nth| vm(nth, &format!("worker-{nth}"), None)).into()),
        };
        world.write("kroutes.toml", format!("{head}{source}"));
        let run = world.run("apply").code(1);
        run.says("`10.200.0.0/16` has 256 ranges of length 24, counted from 0, and none of number 300");
        cloud.assert_routed(&world, &[0, 1]);
        assert_eq!(world.calls("DescribeInstanceAttribute"), 0, "nobody asked for user data");
    }
}

#[test]
fn every_separator_of_user_data_is_read() {
    let say = [
        "name=worker-0\npod-cidr=10.200.0.0/24\n",
        "name=worker-1 pod-cidr=10.200.1.0/24",
        "a=b|pod-cidr=10.200.2.0/24|c",
    ];
    let of = |(nth, text): (usize, &&str)| instance(nth, &format!("worker-{nth}"), Some(text));
    let world = aws(BY_NAME, say.iter().enumerate().map(of).collect());
    world.run("apply").code(0);
    Cloud::Aws.assert_routed(&world, &[0, 1, 2]);
}

/// Gives an instance this user data as EC2 holds it.
fn say(world: &World, name: &str, base64: &str) {
    let id = world.instance(name);
    world.lab.change(|cloud| cloud.instances.get_mut(&id).expect("the instance").user_data = Some(base64.to_owned()));
}

#[test]
fn instances_that_say_nothing_readable_are_told_and_hide_no_other_and_nothing_is_pruned() {
    let world = aws(
        BY_NAME,
        vec![
            instance(0, "worker-0", Some("pod-cidr=10.200.0.0/24")),
            instance(1, "worker-1", Some("pod-cidr=10.200.1.0/24")),
            instance(2, "worker-2", None),
            instance(3, "worker-3", Some("x")),
            instance(4, "worker-4", Some("x")),
            instance(5, "worker-5", Some("pod-cidr=10.200.5.0/24|pod-cidr=10.200.6.0/24|token=s3cret")),
            instance(6, "worker-6", Some("#!/bin/sh\nexport PASSWORD=s3cret\n")),
        ],
    );
    world.write("all.toml", crate::cli::world::topology(2));
    world.run("apply -f all.toml").code(0);
    say(&world, "worker-3", "*** no base64 ***");
    say(&world, "worker-4", "H4sIAAAAAAAA");
    // What worker 1 has said is not known any more, so its route looks stale.
    say(&world, "worker-1", "");
    let runs = [world.run("plan --prune").code(1), world.run("apply --prune --yes").code(1)];
    Cloud::Aws.assert_routed(&world, &[0, 1]);
    let text = transcript(&runs);
    assert!(!text.contains("s3cret"), "{text}");
    assert!(text.contains("nothing is pruned"), "{text}");
    assert_snapshot("user-data", &text);
}

#[test]
fn several_machines_of_one_name_are_told_and_terminated_ones_are_none() {
    let world = aws(
        BY_NAME,
        vec![
            instance(0, "worker-0", Some("pod-cidr=10.200.0.0/24")),
            instance(1, "worker-1", Some("pod-cidr=10.200.1.0/24")),
            instance(2, "worker-1", Some("pod-cidr=10.200.2.0/24")),
        ],
    );
    world.run("apply").code(1).says("the Name tag `worker-1` fits 2 instances: `i-");
    Cloud::Aws.assert_routed(&world, &[0]);
    let first = world.instance("worker-1");
    world.lab.change(|cloud| cloud.terminate(&first));
    world.run("apply").code(0);
    let led = [1, 2].map(|nth| world.leads(&pod_range(nth)).is_some());
    assert!(led[0] != led[1], "the other one alone: {led:?}");
}

#[test]
fn vms_without_readable_metadata_or_of_one_name_are_told_and_hide_no_other() {
    let world = gcp(
        BY_NAME,
        vec![
            vm(0, "worker-0", Some("10.200.0.0/24")),
            vm(1, "worker-1", None),
            vm(2, "worker-2", Some("10.200.2.1/24")),
            vm(3, "worker-3", Some("10.200.3.0/24")),
            SeedMachine { zone: "us-west1-b".to_owned(), ..vm(4, "worker-3", Some("10.200.4.0/24")) },
        ],
    );
    let runs = [world.run("apply").code(1), world.run("apply --prune --yes -o json").code(1)];
    Cloud::Gcp.assert_routed(&world, &[0]);
    assert_snapshot("metadata", &transcript(&runs));
}

#[test]
fn a_pattern_that_fits_no_machine_is_refused_and_nothing_is_pruned() {
    for cloud in BOTH {
        let world = three(cloud, BY_NAME);
        world.run("apply").code(0);
        world.write("kroutes.toml", format!("{}{}", cloud.head(), BY_NAME.replace("worker-*", "node-*")));
        let nobody = "found no workers among the cloud's machines named `node-*`";
        world.run("apply --prune --yes").code(3).says(nobody);
        world.run("verify").code(1).says(nobody);
        cloud.assert_routed(&world, &[0, 1, 2]);
        world.run("destroy --yes").code(0);
        cloud.assert_routed(&world, &[]);
    }
}
