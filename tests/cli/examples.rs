//! The topologies in `config/` work as they stand.
//!
//! What a file is for is what it configures: each is tried with every provider that it has a section for. The one that has
//! none of this build's is for a router, which is only told what to do.

use std::path::{Path, PathBuf};

use super::world::World;

/// A topology of `config/`.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(name)
}

fn each() -> Vec<String> {
    let entries = std::fs::read_dir(example("")).expect("the folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let examples = paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let mut names: Vec<_> = examples.map(|path| path.to_str().expect("a plain path").to_owned()).collect();
    names.sort();
    names
}

/// Those with a section for this provider.
fn configuring(provider: &str) -> Vec<String> {
    let section = format!("\n[{provider}]\n");
    let has = |file: &String| std::fs::read_to_string(file).expect("the file").contains(&section);
    each().into_iter().filter(has).collect()
}

#[test]
fn every_example_is_for_a_cloud_or_for_a_router() {
    let (aws, gcp, linux) = (configuring("aws"), configuring("gcp"), configuring("linux"));
    assert!(aws.len() >= 6 && gcp.len() >= 5 && !linux.is_empty(), "{aws:?} {gcp:?} {linux:?}");
    for file in each() {
        assert!([&aws, &gcp, &linux].iter().any(|files| files.contains(&file)), "{file} is tried by no test");
    }
}

#[test]
fn every_example_can_be_planned() {
    let world = World::of(0);
    for provider in ["aws", "gcp"] {
        for file in configuring(provider) {
            world.run(&format!("plan --provider {provider} --lab -f {file}")).code(0).says("0 to delete");
        }
    }
}

#[test]
fn every_example_comes_true() {
    let world = World::of(0);
    for file in configuring("aws") {
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
fn what_is_for_google_cloud_comes_true_there() {
    let world = World::of(0);
    for file in configuring("gcp") {
        let run = world.run(&format!("apply --provider gcp --lab -o json -f {file}")).code(0);
        let report = run.json();
        assert_eq!(report["ok"], true, "{run}");
        assert_eq!(report["summary"]["done"], 3, "{run}");
    }
}

#[test]
fn every_example_can_be_exported_in_the_words_of_its_provider() {
    let world = World::of(0);
    let formats = [
        ("aws", "aws-cli", "aws ec2 create-route "),
        ("aws", "cloudformation", "Type: AWS::EC2::Route"),
        ("gcp", "gcloud", "gcloud compute routes create "),
    ];
    for (provider, format, words) in formats {
        for file in configuring(provider) {
            let run = world.run(&format!("export --lab --format {format} -f {file}")).code(0);
            assert!(run.out.matches(words).count() >= 3, "{run}");
        }
    }
    for file in configuring("linux") {
        assert!(!world.run(&format!("export --format ip-route -f {file}")).code(0).out.is_empty());
    }
}

#[test]
fn the_dual_stack_example_makes_a_route_of_each_family_for_each_worker() {
    let world = World::of(0);
    let file = example("dual-stack.toml");
    let run = world.run(&format!("apply --lab -o json -f {}", file.display())).code(0);
    let report = run.json();
    let changes = report["tables"][0]["changes"].as_array().expect("changes");
    let destinations: Vec<_> = changes.iter().filter_map(|change| change["destination"].as_str()).collect();
    assert_eq!(destinations, ["10.64.0.0/24", "10.64.1.0/24", "fd00:10:64::/64", "fd00:10:64:1::/64"]);
}
