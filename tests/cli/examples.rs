//! The topologies in `config/` work as they stand.

use std::path::Path;

use super::world::World;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config")
}

fn each() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).expect("the folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let examples = paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let mut names: Vec<_> = examples.map(|path| path.to_str().expect("a plain path").to_owned()).collect();
    names.sort();
    names
}

fn read(file: &str) -> String {
    std::fs::read_to_string(file).expect("the file")
}

#[test]
fn every_example_can_be_planned() {
    let world = World::of(0);
    let files = each();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        world.run(&format!("plan --provider aws --lab -f {file}")).code(0).says("0 to delete");
    }
}

#[test]
fn every_example_comes_true() {
    let world = World::of(0);
    for file in each() {
        let run = world.run(&format!("apply --provider aws --lab -o json -f {file}")).code(0);
        let report = run.json();
        assert_eq!(report["ok"], true, "{run}");
        let tables = report["tables"].as_array().expect("tables");
        assert_eq!(tables.len(), if file.contains("several-tables") { 3 } else { 1 }, "{run}");
        for table in tables {
            let changes = table["changes"].as_array().expect("changes");
            assert!(!changes.is_empty() && changes.iter().all(|change| change["outcome"] == "done"), "{run}");
        }
    }
}

#[test]
fn what_is_for_google_cloud_too_comes_true_there() {
    let world = World::of(0);
    let both: Vec<_> = each().into_iter().filter(|file| read(file).contains("\n[gcp]\n")).collect();
    assert!(!both.is_empty());
    for file in both {
        let run = world.run(&format!("apply --provider gcp --lab -o json -f {file}")).code(0);
        let report = run.json();
        assert_eq!(report["ok"], true, "{run}");
        assert_eq!(report["summary"]["done"], 3, "{run}");
    }
}

#[test]
fn the_dual_stack_example_makes_a_route_of_each_family_for_each_worker() {
    let world = World::of(0);
    let file = folder().join("dual-stack.toml");
    let run = world.run(&format!("apply --lab -o json -f {}", file.display())).code(0);
    let report = run.json();
    let changes = report["tables"][0]["changes"].as_array().expect("changes");
    let destinations: Vec<_> = changes.iter().filter_map(|change| change["destination"].as_str()).collect();
    assert_eq!(destinations, ["10.64.0.0/24", "10.64.1.0/24", "fd00:10:64::/64", "fd00:10:64:1::/64"]);
}
