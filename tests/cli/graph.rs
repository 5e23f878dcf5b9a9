//! The network as a picture. That it is drawn as meant is for eyes; what is written is compared here.

use kroutes_lab::model::{Gateway, Life, Target};
use kroutes_lab::{Options, SeedInstance};

use super::world::{World, assert_snapshot, compute, pod_range, seed, topology, transcript};

#[test]
fn three_workers_are_drawn_with_what_becomes_of_every_route() {
    let world = World::of(3);
    let empty = world.run("routes --graph mermaid").code(0);
    world.run("apply").code(0);
    let whole = world.run("routes --graph mermaid").code(0);
    assert_eq!(world.run("routes --graph mermaid").out, whole.out);
    assert_snapshot("graph", &transcript([&empty, &whole]));
}

#[test]
fn every_verdict_has_its_word_in_the_picture() {
    let world = World::new(&topology(6), seed(7), Options::default());
    world.run("apply").code(0);
    let (other, stopped, gone) = (world.instance("worker-6"), world.instance("worker-2"), world.instance("worker-5"));
    let missing = pod_range(0).parse::<ipnet::IpNet>().expect("a range").into();
    let wrong = pod_range(1).parse::<ipnet::IpNet>().expect("a range").into();
    world.lab.change(|cloud| {
        cloud.delete_route(&world.table, &missing).expect("deleted");
        let target = cloud.instance_target(&other).expect("a target");
        cloud.replace_route(&world.table, &wrong, target).expect("replaced");
        cloud.set_life(&stopped, Life::Stopped).expect("stopped");
        // Its route stays, and leads nowhere.
        cloud.terminate(&gone);
    });
    // A longer one takes some of worker 3's packets, and a route of ours belongs to a worker that has left.
    let nat = Target::Gateway(Gateway::Nat, "nat-0123456789abcdef0".to_owned());
    world.put_route("10.200.3.128/25", nat);
    world.write("kroutes.toml", topology(6).replace("worker-4", "worker-6").replace(&pod_range(4), "10.200.6.0/24"));
    let picture = world.run("routes --graph mermaid").code(1);
    for word in ["ok", "missing", "wrong-next-hop", "blackhole", "shadowed", "stale"] {
        assert!(picture.out.contains(word), "{word}: {picture}");
    }
    assert_snapshot("graph-verdicts", &transcript([&picture]));
}

#[test]
fn google_cloud_is_drawn_with_a_network_in_the_middle_and_duplicates() {
    let world = World::gcp(3);
    world.run("apply").code(0);
    let hop = kroutes_lab::model::compute::Hop::Address(compute::address(0).into());
    world.put_beside("second", &pod_range(0), hop, compute::MARK);
    let picture = world.run("routes --graph mermaid").code(0);
    assert_snapshot("graph-gcp", &transcript([&picture]));
}

#[test]
fn a_table_that_cannot_be_read_is_in_the_picture() {
    let tables = "[{ name = \"kubernetes\" }, { name = \"nowhere\" }]";
    let world = World::new(&topology(1).replace("{ name = \"kubernetes\" }", tables), seed(1), Options::default());
    let picture = world.run("routes --graph mermaid").code(1);
    assert_snapshot("graph-unreadable", &transcript([&picture]));
}

#[test]
fn above_fifty_workers_the_picture_is_a_sum() {
    let world = World::of(50);
    world.run("apply").code(0);
    let drawn = world.run("routes --graph mermaid").code(0);
    assert_eq!(drawn.out.matches("-->|").count(), 50, "{drawn}");

    let world = World::new(&topology(51), seed(51), Options::default());
    world.run("apply").code(0);
    let range = pod_range(7).parse::<ipnet::IpNet>().expect("a range").into();
    world.lab.change(|cloud| cloud.delete_route(&world.table, &range)).expect("deleted");
    let summed = world.run("routes --graph mermaid").code(0);
    assert!(summed.out.lines().count() < 20, "{summed}");
    assert_snapshot("graph-sum", &transcript([&summed]));
}

#[test]
fn names_that_would_end_a_label_are_escaped() {
    let names = ["a\"]-->b[\"c", "<script>&amp;", "#quot;x", "`md`", "{{x}}|y|"];
    let mut cloud = seed(0);
    cloud.instances = names.iter().map(|name| SeedInstance::named(name)).collect();
    let text = names.iter().enumerate().fold(topology(0), |text, (nth, name)| {
        format!("{text}\n[[worker]]\nname = '{name}'\npod-cidr = \"{}\"\n", pod_range(nth))
    });
    let world = World::new(&text, cloud, Options::default());
    world.run("apply").code(0);
    let picture = world.run("routes --graph mermaid").code(0);
    for line in picture.out.lines().filter(|line| line.starts_with("  w")) {
        assert_eq!(line.matches('"').count(), 2, "{line}");
    }
    assert_snapshot("graph-names", &transcript([&picture]));
}
