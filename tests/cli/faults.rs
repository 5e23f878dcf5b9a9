//! What goes wrong in the middle: refused, throttled, dropped, late, cut short, and never answered.

use std::time::Duration;

use kroutes_lab::{Fault, FaultKind, IdenticalCreate, Options};

use super::world::{World, assert_snapshot, seed, topology, transcript};

/// kubernetes-sigs/cloud-provider-azure#11003 and #11007: a failed write was reported as success for two years.
#[test]
fn a_write_that_is_refused_reaches_the_report_and_the_exit_code() {
    let world = World::of(3);
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("CreateRoute").after(1).times(1));
    let run = world.run("apply -o json").code(1);
    let report = run.json();
    assert_eq!(report["ok"], false, "{run}");
    assert_eq!(report["summary"]["failed"], 1, "{run}");
    let changes = report["tables"][0]["changes"].as_array().expect("changes");
    let failed: Vec<_> = changes.iter().filter(|change| change["outcome"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{run}");
    assert_eq!(failed[0]["error"]["code"], "UnauthorizedOperation", "{run}");
    world.run("apply").code(0);
    world.assert_all_routed(3);
}

#[test]
fn forty_equal_failures_are_one_line_with_a_count() {
    let world = World::of(40);
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("CreateRoute"));
    let run = world.run("apply").code(1);
    let report = run.out.split("Done:").next().expect("the part before");
    assert_eq!(report.matches("is not authorized to").count(), 1, "{run}");
    assert!(run.out.contains("39 more"), "{run}");
    let told = run.out.lines().skip_while(|line| !line.starts_with("Plan:"));
    let told: Vec<_> = told.take_while(|line| !line.is_empty()).collect();
    assert_snapshot("equal-failures", &told.join("\n"));
}

/// kubernetes/kubernetes#17627 and #41671: an exhausted quota was tried again every ten seconds for ever.
#[test]
fn an_exhausted_quota_is_final_and_the_rest_is_skipped() {
    // Two routes are in the table from the start.
    let world = World::new(&topology(5), seed(5), Options { routes_limit: 5, ..Options::default() });
    let run = world.run("apply").code(1);
    assert!(world.calls("CreateRoute") <= 5, "{:?}", world.lab.calls());
    assert_eq!(world.routes().len(), 5);
    let json = world.run("apply -o json").code(1);
    let summary = &json.json()["summary"];
    assert_eq!(summary["done"], 0, "{json}");
    assert_eq!(summary["failed"].as_u64().zip(summary["skipped"].as_u64()).map(|(a, b)| a + b), Some(2), "{json}");
    assert!(run.out.contains("L-93826ACB"), "{run}");
}

#[test]
fn a_quota_that_is_known_is_told_before_any_write() {
    let world = World::of(5);
    world.write("kroutes.toml", topology(5).replace("[aws]\n", "[aws]\nroutes-limit = 3\n"));
    let plan = world.run("plan").code(0);
    let mut said: Vec<_> = plan.out.lines().filter(|line| line.contains("routes")).collect();
    said.sort_unstable();
    assert_snapshot("quota-warning", &said.join("\n"));
}

/// kubernetes-sigs/external-dns#104, #1517 and #4479: one throttled call stopped or restarted the program.
#[test]
fn a_call_that_fails_for_a_moment_is_tried_again() {
    for kind in [FaultKind::Throttle, FaultKind::ServerError, FaultKind::DropBefore] {
        for action in
            ["DescribeRouteTables", "DescribeInstances", "CreateTags", "CreateRoute", "ModifyInstanceAttribute"]
        {
            let world = World::of(3);
            world.lab.add_fault(Fault::new(kind.clone()).on(action).times(1));
            let run = world.run("apply").code(0);
            assert!(run.out.contains("Verdict: as wanted"), "{kind:?} on {action}: {run}");
            world.assert_all_routed(3);
        }
    }
}

/// A create that had succeeded came back as `RouteAlreadyExists` after a dropped connection; and
/// kubernetes/kubernetes#38701, where any such conflict counted as success.
#[test]
fn a_write_that_happened_although_its_answer_was_lost_is_settled_by_reading() {
    for kind in [FaultKind::DropAfter, FaultKind::ServerErrorAfter, FaultKind::CutShort] {
        for identical_create in [IdenticalCreate::Refuse, IdenticalCreate::Accept] {
            for action in ["CreateTags", "CreateRoute", "ModifyInstanceAttribute"] {
                let world = World::new(&topology(3), seed(3), Options { identical_create, ..Options::default() });
                world.lab.add_fault(Fault::new(kind.clone()).on(action).times(1));
                let run = world.run("apply").code(0);
                assert!(run.out.contains("Verdict: as wanted"), "{kind:?} on {action}: {run}");
                world.assert_all_routed(3);
            }
        }
    }
}

#[test]
fn a_deletion_or_replacement_whose_answer_was_lost_is_settled_by_reading() {
    for kind in [FaultKind::DropAfter, FaultKind::ServerErrorAfter] {
        let world = World::of(3);
        world.put_instance_route("10.200.0.0/24", &world.instance("worker-2"));
        world.lab.add_fault(Fault::new(kind.clone()).on("ReplaceRoute").times(1));
        world.run("apply --yes").code(0);
        world.assert_all_routed(3);
        world.lab.add_fault(Fault::new(kind.clone()).on("DeleteRoute").times(1));
        world.lab.add_fault(Fault::new(kind.clone()).on("DeleteTags").times(1));
        world.run("destroy --yes").code(0);
        assert_eq!(world.leads("10.200.0.0/24"), None, "{kind:?}");
        assert!(!world.tags().contains_key("kroutes/kubernetes"));
    }
}

/// Behind a sign-in page every call is answered with 200 and a page of HTML.
#[test]
fn an_answer_that_is_not_ec2s_is_no_empty_cloud() {
    let world = World::of(3);
    world.run("apply").code(0);
    let before = world.picture();
    world.lab.reset_calls();
    world.lab.add_fault(Fault::new(FaultKind::Html));
    let runs = [world.run("plan").code(1), world.run("destroy --yes").code(1), world.run("verify -o json").code(1)];
    assert_eq!(world.picture(), before);
    assert_eq!(world.writes(), 0);
    assert_snapshot("not-ec2", &transcript(&runs));
}

/// An answer that breaks off in the middle must not be taken for a short one.
#[test]
fn a_listing_that_breaks_off_is_never_taken_for_the_whole() {
    for action in ["DescribeRouteTables", "DescribeInstances"] {
        let world = World::of(3);
        world.run("apply").code(0);
        let before = world.picture();
        world.lab.reset_calls();
        world.lab.add_fault(Fault::new(FaultKind::CutShort).on(action).times(1));
        world.run("apply --prune --yes").code(0).says("Nothing to change");
        world.lab.add_fault(Fault::new(FaultKind::CutShort).on(action));
        world.run("apply --prune --yes --timeout 2s").code(1);
        assert_eq!(world.picture(), before);
        assert_eq!(world.writes(), 0);
    }
}

/// A listing whose second page failed was taken for the whole, and what was not on the first was deleted.
#[test]
fn no_deletion_follows_from_a_listing_whose_second_page_failed() {
    let world = World::of(201);
    for nth in 0..201 {
        world.put_instance_route(&super::world::pod_range(nth), &world.instance(&format!("worker-{nth}")));
    }
    let before = world.picture();
    world.lab.add_fault(Fault::new(FaultKind::Deny).on("DescribeInstances").after(1));
    world.run("apply --prune --yes").code(1);
    let routes_gone = world.calls("DeleteRoute") + world.calls("ReplaceRoute");
    assert_eq!(routes_gone, 0);
    assert_eq!(world.picture() == before, world.writes() == 0);
    world.run("plan --prune").code(1).says(" 0 to delete");
}

/// "Eventual consistency in the Amazon EC2 API": the next call after a create did not see the route yet.
#[test]
fn a_listing_that_lags_is_read_again_before_anything_is_called_missing() {
    let options = Options { lag: Duration::from_millis(1500), ..Options::default() };
    let world = World::new(&topology(3), seed(3), options);
    let applied = world.run("apply -o json").code(0);
    assert_eq!(applied.json()["summary"]["unconfirmed"], 0, "{applied}");
    std::thread::sleep(Duration::from_millis(1600));
    world.run("destroy --yes").code(0);
    assert_eq!(world.leads("10.200.0.0/24"), None);
}

#[test]
fn a_server_that_never_answers_ends_with_the_timeout_that_was_asked_for() {
    let world = World::of(3);
    world.lab.add_fault(Fault::new(FaultKind::Hang).on("DescribeRouteTables"));
    let text = world.run("apply --timeout 1s").code(1);
    let json = world.run("apply --timeout 1s -o json").code(1);
    assert_eq!(json.json()["format"], 1);
    assert_eq!(world.writes(), 0);
    assert_snapshot("timeout-in-reading", &transcript([&text, &json]));
}

/// More workers than the published bucket has tokens: the apply has to wait for the meter, and its time ends there.
#[test]
fn a_timeout_in_the_middle_of_writing_still_says_what_was_done() {
    let world = World::of(80);
    let run = world.run("apply --timeout 2s -o json").code(1).says("not done within 2s");
    let report = run.json();
    let changes = report["tables"][0]["changes"].as_array().expect("changes");
    let with = |outcome: &str| changes.iter().filter(|change| change["outcome"] == outcome).count();
    assert!(with("done") >= 50 && with("skipped") >= 10, "{run}");
    assert_eq!(with("done") + with("skipped"), 80, "{run}");
    for change in changes {
        let there = world.leads(change["destination"].as_str().expect("text")).is_some();
        assert_eq!(there, change["outcome"] == "done", "{change}");
    }
    world.run("apply").code(0);
    world.assert_all_routed(80);
}
