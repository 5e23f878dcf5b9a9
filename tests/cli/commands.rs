//! The life of three routes through every command, for a person and for a program.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::world::{Ran, World, assert_snapshot, topology, transcript};

/// Plan, apply and destroy on a new table, and each of them again.
const LIFE: [&str; 10] = [
    "plan --detailed-exitcode",
    "verify",
    "apply",
    "apply",
    "plan --detailed-exitcode",
    "verify",
    "routes",
    "destroy --yes",
    "destroy --yes",
    "routes",
];

fn live(world: &World, options: &str) -> Vec<Ran> {
    LIFE.iter().map(|words| world.run(&format!("{words}{options}"))).collect()
}

#[test]
fn three_routes_come_and_go_and_a_person_is_told_everything() {
    let world = World::of(3);
    let runs = live(&world, "");
    let codes: Vec<_> = runs.iter().filter_map(|run| run.code).collect();
    assert_eq!(codes, [2, 2, 0, 0, 0, 0, 0, 0, 0, 0], "{}", transcript(&runs));
    assert_snapshot("life-in-text", &transcript(&runs));
}

#[test]
fn three_routes_come_and_go_and_a_program_is_told_everything() {
    let world = World::of(3);
    let runs = live(&world, " -o json");
    let codes: Vec<_> = runs.iter().filter_map(|run| run.code).collect();
    assert_eq!(codes, [2, 2, 0, 0, 0, 0, 0, 0, 0, 0], "{}", transcript(&runs));
    for run in &runs {
        assert_eq!(run.json()["format"], 1, "{run}");
        assert_eq!(run.err, "", "{run}");
    }
    assert_snapshot("life-in-json", &transcript(&runs));
}

/// aws/eks-hybrid#650 and flannel's awsvpc backend: a rerun failed because the route existed, or made it again.
#[test]
fn a_second_apply_makes_no_write_and_says_so_in_one_sentence() {
    let world = World::of(3);
    world.run("apply").code(0);
    let before = world.picture();
    world.lab.reset_calls();
    let run = world.run("apply").code(0);
    assert_eq!(world.writes(), 0, "{:?}", world.lab.calls());
    assert_eq!(world.picture(), before);
    assert_eq!(run.out.lines().count(), 1, "{run}");
    assert_eq!(run.err, "");
}

/// kubernetes-sigs/external-dns#2232: changes were made under dry run.
#[test]
fn plan_verify_and_routes_never_write() {
    let world = World::of(3);
    let before = world.picture();
    world.run("plan --prune --take-over").code(0);
    world.run("verify").code(2);
    world.run("routes").code(0);
    assert_eq!(world.writes(), 0, "{:?}", world.lab.calls());
    assert_eq!(world.picture(), before);
}

#[test]
fn without_a_command_it_applies() {
    let world = World::of(3);
    world.run("--provider aws").code(0).says("Verdict: as wanted");
    world.assert_all_routed(3);
}

#[test]
fn options_stand_before_and_after_the_command() {
    let world = World::of(3);
    let before = world.run("-o json --detailed-exitcode plan").code(2);
    let after = world.run("plan --detailed-exitcode -o json").code(2);
    assert_eq!(before.out, after.out);
}

#[test]
fn the_built_in_cloud_runs_any_command_and_the_output_says_that_it_is_not_real() {
    let mut world = World::of(3);
    for variable in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
        world.unset(variable);
    }
    // With `--lab` nothing of the environment leads elsewhere.
    world.set("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    world.set("AWS_PROFILE", "nobody");
    world.set("HTTPS_PROXY", "http://127.0.0.1:1");
    world.set("HTTP_PROXY", "http://127.0.0.1:1");
    world.unset("NO_PROXY");
    let words = ["plan --lab", "--lab", "verify --lab", "routes --lab", "destroy --lab"];
    let runs: Vec<_> = words.iter().map(|words| world.run(words)).collect();
    assert_snapshot("built-in-cloud", &transcript(&runs));
    assert!(world.lab.calls().is_empty());
}

#[test]
fn quiet_says_nothing_on_stderr_and_verbose_says_more() {
    let world = World::of(1);
    assert_eq!(world.run("plan --lab -q").code(0).err, "");
    let once = world.run("plan --lab").code(0);
    let more = world.run("plan --lab -vv").code(0);
    assert!(more.err.len() > once.err.len(), "{more}");
    assert_eq!(more.out, once.out);
}

#[test]
fn a_topology_comes_from_a_named_file_the_environment_or_stdin() {
    let mut world = World::of(0);
    std::fs::remove_file(world.folder().join("kroutes.toml")).expect("the file");
    world.write("here.toml", topology(1));
    world.run("plan --lab -f here.toml").code(0).says("1 to add");
    world.run("--file=here.toml plan --lab").code(0).says("1 to add");
    world.run_with_input("plan --lab -f -", &topology(2)).code(0).says("2 to add");
    world.set("KROUTES_FILE", "here.toml");
    world.run("plan --lab").code(0).says("1 to add");
    world.unset("KROUTES_FILE");
    world.write("config/kroutes.toml", topology(3));
    world.run("plan --lab").code(0).says("3 to add");
    world.write("kroutes.toml", topology(4));
    world.run("plan --lab").code(0).says("4 to add");
}

#[test]
fn help_and_version_are_no_mistake() {
    let world = World::of(1);
    for words in ["--help", "-h", "--version", "-V", "plan --help", "lab --help"] {
        let run = world.run(words).code(0);
        assert!(!run.out.is_empty() && run.err.is_empty(), "{run}");
    }
    assert_snapshot("help", &transcript([&world.run("--help")]));
}

#[test]
fn misuse_ends_with_64_and_says_what_is_wrong() {
    let world = World::of(1);
    let words = [
        "plam",
        "--no-such-option",
        "plan apply",
        "plan --output yaml",
        "plan --timeout soon",
        "plan --timeout 0s",
        "verify --prune",
        "plan --yes",
        "apply --detailed-exitcode",
        "destroy --take-over",
        "plan --port 8080 --lab",
        "plan --lab-throttle",
        "plan --quiet --verbose",
        "lab --output json",
        "lab --lab",
    ];
    let runs: Vec<_> = words.iter().map(|words| world.run(words).code(64)).collect();
    for run in &runs {
        assert_eq!(run.out, "", "{run}");
    }
    assert!(world.lab.calls().is_empty());
    assert_snapshot("misuse", &transcript(&runs));
}

#[test]
fn the_lab_prints_what_points_others_at_it_serves_and_ends_well_when_told_to() {
    for signal in ["TERM", "INT"] {
        let mut world = World::of(3);
        let mut lab = world.command("lab").spawn().expect("the lab");
        let mut lines = BufReader::new(lab.stdout.take().expect("a pipe")).lines();
        let mut exports = Vec::new();
        for line in lines.by_ref() {
            let line = line.expect("a line");
            exports.push(line.clone());
            if line.starts_with("export AWS_DEFAULT_REGION=") {
                break;
            }
        }
        for (name, value) in exports.iter().filter_map(|line| line.strip_prefix("export ")?.split_once('=')) {
            world.set(name, value);
        }
        let kinds: Vec<_> = exports.iter().filter_map(|line| line.split('=').next()).collect();
        let first_run = world.run("apply").code(0);
        let second_run = world.run("apply").code(0).says("Nothing to change");
        let sent = std::process::Command::new("sh")
            .args(["-c", &format!("kill -{signal} {}", lab.id())])
            .stdout(Stdio::null())
            .status();
        assert!(sent.expect("a shell").success());
        let end = lab.wait_with_output().expect("an end");
        assert_eq!(end.status.code(), Some(0), "{first_run}{second_run}");
        assert_eq!(
            kinds,
            [
                "unset AWS_PROFILE AWS_SESSION_TOKEN",
                "export AWS_ENDPOINT_URL",
                "export AWS_ACCESS_KEY_ID",
                "export AWS_SECRET_ACCESS_KEY",
                "export AWS_REGION",
                "export AWS_DEFAULT_REGION"
            ]
        );
    }
}
