//! What stops working while kroutes works: credentials that run out, names that nobody resolves for a while.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use assert_cmd::cargo::cargo_bin;
use kroutes_lab::{Fault, FaultKind};

use super::world::{Ran, World, pod_range, wait_for};

/// Both clouds, each with how its creations are called.
fn worlds(workers: usize) -> [(World, &'static str); 2] {
    [(World::of(workers), "CreateRoute"), (World::gcp(workers), "routes.insert")]
}

fn outcomes(run: &Ran, outcome: &str) -> usize {
    let report = run.json();
    let changes = report["tables"][0]["changes"].as_array().expect("changes").clone();
    changes.iter().filter(|change| change["outcome"] == outcome).count()
}

/// Session credentials of AWS are as good as the hour that they last, and nobody renews those of the environment.
#[test]
fn credentials_that_run_out_in_mid_apply_end_it_with_one_explanation_and_the_next_run_goes_on() {
    let world = World::of(60);
    let expired =
        FaultKind::Error { status: 400, code: "RequestExpired".to_owned(), message: "Request has expired.".to_owned() };
    world.lab.add_fault(Fault::new(expired).after(40).on("CreateRoute"));
    let run = world.run("apply -o json").code(1);
    let (done, failed, skipped) = (outcomes(&run, "done"), outcomes(&run, "failed"), outcomes(&run, "skipped"));
    assert!(done == 40 && failed >= 1 && done + failed + skipped == 60, "{run}");
    let there = (0..60).filter(|nth| world.leads(&pod_range(*nth)).is_some()).count();
    assert_eq!(there, 40, "what it calls done is there, and nothing else");
    world.run("apply").code(1).says("RequestExpired").says("clock");
    world.lab.clear_faults();
    world.run("apply").code(0);
    world.assert_all_routed(60);
}

/// A service account's token is renewed in time, and once more if it is refused all the same.
#[test]
fn a_token_that_expires_in_mid_apply_is_renewed_and_nothing_is_lost() {
    let mut world = World::gcp(40);
    world.use_key();
    let mut child = world.command("apply").spawn().expect("it starts");
    wait_for(&world, &mut child, |world| world.calls("routes.insert") >= 5);
    world.lab.revoke_tokens();
    let end = child.wait_with_output().expect("an end");
    assert_eq!(end.status.code(), Some(0), "{}", String::from_utf8_lossy(&end.stderr));
    world.run("apply").code(0).says("Nothing to change");
}

/// Runs the binary where `/etc/hosts` and `/etc/resolv.conf` are files of the test's. Without a user namespace of its own
/// it cannot have such a view of the world.
fn where_names_are_ours(world: &World, words: &str) -> Command {
    let mut command = Command::new("unshare");
    let script = "mount --bind hosts /etc/hosts && mount --bind resolv.conf /etc/resolv.conf && exec \"$0\" \"$@\"";
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).arg(cargo_bin!("kroutes"));
    command.args(words.split_whitespace()).current_dir(world.folder());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn has_namespaces() -> bool {
    let tried = Command::new("unshare").args(["--user", "--map-root-user", "--mount", "true"]).output();
    tried.is_ok_and(|tried| tried.status.success()) && Path::new("/etc/resolv.conf").exists()
}

// The harness shows it where somebody looks for what was left out.
#[allow(clippy::print_stdout)]
#[test]
fn a_name_that_is_not_resolved_for_a_while_is_asked_for_again_and_one_that_never_is_ends_the_run() {
    if !has_namespaces() {
        println!("left out: this system allows no user namespace, so names cannot be made to fail");
        return;
    }
    for (mut world, create) in worlds(3) {
        let port = world.lab.endpoint().rsplit(':').next().expect("a port").to_owned();
        let head = std::fs::read_to_string(world.folder().join("kroutes.toml")).expect("a topology");
        let section = if create == "CreateRoute" { "[aws]" } else { "[gcp]" };
        world.write("kroutes.toml", head.replace(section, &format!("{section}\nplain-http = true")));
        world.set("AWS_ENDPOINT_URL", format!("http://cloud.kroutes.test:{port}"));
        let compute = format!("http://cloud.kroutes.test:{port}/compute/v1/");
        world.set("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", compute);
        world.write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
        world.write("hosts", "127.0.0.1 localhost\n");
        let variables: Vec<(String, String)> = world.variables().into_iter().collect();
        let path = std::env::var_os("PATH").expect("a path");

        let mut command = where_names_are_ours(&world, "apply --timeout 2s -v");
        let end = command.env_clear().env("PATH", &path).envs(variables.clone()).output().expect("it runs");
        let said = String::from_utf8_lossy(&end.stderr).into_owned();
        assert_eq!(end.status.code(), Some(1), "{said}");
        assert!(said.contains("trying again") && said.contains("cloud.kroutes.test"), "{said}");
        assert_eq!(world.calls(create), 0);

        let mut command = where_names_are_ours(&world, "apply -v");
        let child = command.env_clear().env("PATH", &path).envs(variables).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(700));
        // The same file, since a mount knows it by itself and not by its name.
        world.write("hosts", "127.0.0.1 localhost cloud.kroutes.test\n");
        let end = child.wait_with_output().expect("an end");
        let said = String::from_utf8_lossy(&end.stderr).into_owned();
        assert_eq!(end.status.code(), Some(0), "{said}");
        assert!(said.contains("trying again"), "{said}");
        assert_eq!(world.calls(create), 3);
    }
}
