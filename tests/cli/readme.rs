//! What README shows as complete is complete.

use super::world::World;

const README: &str = include_str!("../../README.md");

/// The blocks of TOML, in their order.
fn topologies() -> Vec<&'static str> {
    let blocks = README.split("```toml\n").skip(1);
    blocks.filter_map(|block| block.split_once("```")).map(|(block, _)| block).collect()
}

#[test]
fn the_topology_that_readme_calls_complete_comes_true_in_both_clouds() {
    let world = World::of(0);
    let complete: Vec<_> = topologies().into_iter().filter(|text| text.contains("[cluster]")).collect();
    assert!(!complete.is_empty(), "README shows no topology");
    for text in complete {
        world.write("readme.toml", text);
        for provider in ["aws", "gcp"].iter().filter(|name| text.contains(&format!("[{name}]"))) {
            world.run(&format!("apply --provider {provider} --lab -f readme.toml")).code(0).says("as wanted");
        }
    }
}
