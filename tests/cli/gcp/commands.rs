//! The life of the Hard Way's three routes through every command, for a person and for a program.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};

use crate::cli::world::compute::{options, seed, via};
use crate::cli::world::{Ran, World, assert_snapshot, transcript};

/// Kubernetes The Hard Way, first edition, as a file for two clouds.
const HARD_WAY: &str = include_str!("../../../config/hard-way-2016.toml");

/// Plan, apply and destroy on a new network, and each of them again.
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

fn hard_way() -> World {
    World::new_gcp(HARD_WAY, seed(3), options())
}

fn live(world: &World, options: &str) -> Vec<Ran> {
    LIFE.iter().map(|words| world.run(&format!("{words} --provider gcp{options}"))).collect()
}

#[test]
fn the_hard_ways_three_routes_get_their_names_and_next_hops_and_a_second_apply_writes_nothing() {
    let world = hard_way();
    let before = world.project_routes();
    world.run("--provider gcp").code(0).says("Verdict: as wanted");
    let mut made = world.project_routes();
    made.retain(|name, _| !before.contains_key(name));
    let told: Vec<_> = made
        .iter()
        .map(|(name, it)| (name.as_str(), it.network.as_str(), it.destination.to_string(), it.priority, it.hop.clone()))
        .collect();
    let row = |nth: u8| {
        let name =
            ["kubernetes-route-10-200-0-0-24", "kubernetes-route-10-200-1-0-24", "kubernetes-route-10-200-2-0-24"];
        let hop = via([10, 240, 0, 30 + nth].into());
        (name[usize::from(nth)], "kubernetes", format!("10.200.{nth}.0/24"), 1000, hop)
    };
    assert_eq!(told, [row(0), row(1), row(2)]);
    assert!(made.values().all(|route| route.description == "kroutes cluster=kubernetes"), "{made:?}");

    world.lab.reset_calls();
    let again = world.run("apply --provider gcp").code(0);
    assert_eq!(world.writes(), 0, "{:?}", world.lab.calls());
    assert_eq!(again.out.lines().count(), 1, "{again}");

    world.run("destroy --yes --provider gcp").code(0);
    assert_eq!(world.project_routes(), before);
}

#[test]
fn three_routes_come_and_go_and_a_person_is_told_everything() {
    let runs = live(&hard_way(), "");
    let codes: Vec<_> = runs.iter().filter_map(|run| run.code).collect();
    assert_eq!(codes, [2, 2, 0, 0, 0, 0, 0, 0, 0, 0], "{}", transcript(&runs));
    assert_snapshot("gcp-life-in-text", &transcript(&runs));
}

#[test]
fn three_routes_come_and_go_and_a_program_is_told_everything() {
    let runs = live(&hard_way(), " -o json");
    let codes: Vec<_> = runs.iter().filter_map(|run| run.code).collect();
    assert_eq!(codes, [2, 2, 0, 0, 0, 0, 0, 0, 0, 0], "{}", transcript(&runs));
    for run in &runs {
        assert_eq!(run.json()["format"], 1, "{run}");
        assert_eq!(run.err, "", "{run}");
    }
    assert_snapshot("gcp-life-in-json", &transcript(&runs));
}

/// kubernetes-sigs/external-dns#2232: changes were made under dry run.
#[test]
fn plan_verify_and_routes_never_write() {
    let world = World::gcp(3);
    let before = world.project_routes();
    world.run("plan --prune --take-over").code(0);
    world.run("verify").code(2);
    world.run("routes").code(0);
    assert_eq!(world.writes(), 0, "{:?}", world.lab.calls());
    assert_eq!(world.project_routes(), before);
    assert!(world.lab.log().is_empty());
}

#[test]
fn the_built_in_cloud_runs_any_command_whatever_the_environment_says() {
    let mut world = hard_way();
    world.unset("GOOGLE_OAUTH_ACCESS_TOKEN");
    world.set("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", "http://192.0.2.1");
    world.set("GOOGLE_APPLICATION_CREDENTIALS", "nowhere.json");
    world.set("CLOUDSDK_CORE_PROJECT", "elsewhere");
    world.set("HTTPS_PROXY", "http://127.0.0.1:1");
    world.set("HTTP_PROXY", "http://127.0.0.1:1");
    world.unset("NO_PROXY");
    let words = ["plan", "apply", "verify", "routes", "destroy"];
    let codes = [0, 0, 2, 0, 0];
    for (words, code) in words.into_iter().zip(codes) {
        world.run(&format!("{words} --lab --provider gcp")).code(code).says("not a real one").says("gcp");
    }
    assert!(world.lab.calls().is_empty());
}

/// Starts `kroutes lab`, runs something in the environment that it prints, and ends it.
fn in_lab(words: &str, runs: impl FnOnce(&mut World)) -> Vec<String> {
    let mut world = hard_way();
    for variable in ["CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", "GOOGLE_OAUTH_ACCESS_TOKEN"] {
        world.unset(variable);
    }
    let mut lab = world.command(words).spawn().expect("the lab");
    let mut note = BufReader::new(lab.stderr.take().expect("a pipe"));
    let mut said = String::new();
    note.read_line(&mut said).expect("the note that follows the lines");
    assert!(said.contains("runs at http://127.0.0.1:"), "{said}");
    // The variables are printed before the note, so all of them are in the pipe by now.
    let mut lines = Vec::new();
    let mut out = BufReader::new(lab.stdout.take().expect("a pipe"));
    let last =
        if words.contains("aws") { "export AWS_DEFAULT_REGION" } else { "export CLOUDSDK_CORE_CHECK_GCE_METADATA" };
    while !lines.last().is_some_and(|line: &String| line.starts_with(last)) {
        let mut line = String::new();
        assert!(out.read_line(&mut line).expect("a line") > 0, "{last} is not among {lines:?}");
        lines.push(line.trim_end().to_owned());
    }
    for line in &lines {
        if let Some((name, value)) = line.strip_prefix("export ").and_then(|line| line.split_once('=')) {
            world.set(name, value);
        } else {
            for name in line.strip_prefix("unset ").expect("a line that is pasted").split(' ') {
                world.unset(name);
            }
        }
    }
    runs(&mut world);
    let sent = std::process::Command::new("sh").args(["-c", &format!("kill -TERM {}", lab.id())]).status();
    assert!(sent.expect("a shell").success());
    assert_eq!(lab.wait().expect("an end").code(), Some(0));
    lines
}

fn names(lines: &[String]) -> BTreeMap<&str, usize> {
    let name = |line: &'_ str| line.find('=').unwrap_or(line.len());
    lines.iter().fold(BTreeMap::new(), |mut names, line| {
        *names.entry(&line[..name(line)]).or_default() += 1;
        names
    })
}

#[test]
fn a_lab_for_both_clouds_prints_the_variables_of_both_and_serves_both() {
    let lines = in_lab("lab", |world| {
        for provider in ["aws", "gcp"] {
            world.run(&format!("apply --provider {provider}")).code(0).says("Verdict: as wanted");
            world.run(&format!("apply --provider {provider}")).code(0).says("Nothing to change");
        }
    });
    let names = names(&lines);
    for name in ["export AWS_ENDPOINT_URL", "export CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"] {
        assert_eq!(names.get(name), Some(&1), "{names:?}");
    }
}

#[test]
fn a_lab_for_one_cloud_prints_the_variables_of_that_one_and_they_can_be_pasted() {
    let lines = in_lab("lab --provider gcp", |world| {
        // A person's own credentials are still in the terminal that the lines are pasted into.
        world.run("apply --provider gcp").code(0).says("Verdict: as wanted");
        world.run("verify --provider gcp").code(0);
    });
    let names: Vec<_> = names(&lines).into_keys().collect();
    assert_eq!(
        names,
        [
            "export CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE",
            "export CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
            "export CLOUDSDK_CONFIG",
            "export CLOUDSDK_CORE_CHECK_GCE_METADATA",
            "export CLOUDSDK_CORE_DISABLE_PROMPTS",
            "export CLOUDSDK_CORE_PROJECT",
            "export GOOGLE_OAUTH_ACCESS_TOKEN",
            "unset GOOGLE_APPLICATION_CREDENTIALS",
        ]
    );
    let lines = in_lab("lab --provider aws", |world| {
        world.run("apply --provider aws").code(0);
    });
    assert!(lines.iter().all(|line| line.contains("AWS_")), "{lines:?}");
}
